"""The shapes of exponential smoothing: their parameters, and their states from row to row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

#: R's names: error, trend (d: damped), season; N none, A additive, M multiplicative.
SHAPES = tuple("".join(letters) for letters in product("AM", ("N", "A", "Ad"), "NAM"))


@dataclass(frozen=True)
class Shape:
    """A shape by its name, and the rows in a season (1: none).

    Its parameters are one array: the smoothing parameters alpha, beta / alpha, gamma / (1 - alpha) and phi, those that
    it has; the level of each phase of the season before the first row (one without a season); the slope.
    """

    name: str
    m: int = 1

    def __post_init__(self) -> None:
        if self.name[-1] == "N":
            object.__setattr__(self, "m", 1)

    @property
    def has_trend(self) -> bool:
        """Whether the level has a slope."""
        return self.name[1] == "A"

    @property
    def is_damped(self) -> bool:
        """Whether the slope shrinks from row to row."""
        return "d" in self.name

    @property
    def has_season(self) -> bool:
        """Whether the phases of a season differ."""
        return self.name[-1] != "N"

    @property
    def is_relative(self) -> bool:
        """Whether an error's standard deviation is proportional to the forecast."""
        return self.name[0] == "M"

    @property
    def multiplies(self) -> bool:
        """Whether the season is a factor."""
        return self.name[-1] == "M"

    @property
    def n_smoothing(self) -> int:
        """The number of smoothing parameters."""
        return 1 + self.has_trend + self.has_season + self.is_damped

    @property
    def n_parameters(self) -> int:
        """The number of all parameters, and one for the variance."""
        return self.n_smoothing + self.m + self.has_trend + 1

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and greatest smoothing parameters: the usual region, which R and statsmodels search."""
        low, high = np.zeros(self.n_smoothing), np.ones(self.n_smoothing)
        low[0] = 1e-4
        if self.has_season:
            high[0] = 1 - 1e-4
        if self.is_damped:
            low[-1], high[-1] = 0.8, 0.98
        return low, high

    def unpack(self, smoothing: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
        """Return alpha, beta, gamma and phi, as numbers or as arrays, from the smoothing parameters."""
        alpha, *rest = smoothing
        beta = alpha * rest.pop(0) if self.has_trend else 0.0
        gamma = (1 - alpha) * rest.pop(0) if self.has_season else 0.0
        phi = rest.pop(0) if self.is_damped else float(self.has_trend)
        return alpha, beta, gamma, phi

    def first_states(self, params: np.ndarray) -> tuple[Any, Any, list[Any]]:
        """Return the level, the slope and the season's m phases before the first row; params are (P,) or (P, K)."""
        phases = params[self.n_smoothing : self.n_smoothing + self.m]
        level = phases.mean(axis=0)
        season = phases / level if self.multiplies else phases - level
        return level, params[-1] if self.has_trend else 0.0 * level, list(season)


def run(shape: Shape, params: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the level and the slope after each row (T,), and the season (m + T,), its first phases before any row."""
    alpha, beta, gamma, phi = shape.unpack(params[: shape.n_smoothing].tolist())
    first_level, first_slope, first_season = shape.first_states(params)
    level, slope = float(first_level), float(first_slope)
    season = [float(phase) for phase in first_season]
    levels, slopes = [], []
    for t, value in enumerate(y.tolist()):
        slope *= phi
        level += slope
        phase = season[t]
        error = value - level * phase if shape.multiplies else value - level - phase
        change = error / phase if shape.multiplies else error
        level += alpha * change
        slope += beta * change
        season.append(phase + (gamma * error / level if shape.multiplies else gamma * error))
        levels.append(level)
        slopes.append(slope)
    return np.array(levels), np.array(slopes), np.array(season)


def forecast_from(shape: Shape, params: np.ndarray, y: np.ndarray, rows: np.ndarray, horizon: int) -> np.ndarray:
    """Return the forecasts (K, H) from the states after each of K rows of a series (T,)."""
    level, slope, season = run(shape, params, y)
    phi = shape.unpack(params[: shape.n_smoothing].tolist())[3]
    steps = np.arange(1, horizon + 1)
    forecast = level[rows][:, None] + slope[rows][:, None] * np.cumsum(phi**steps)
    if not shape.has_season:
        return forecast
    phases = season[rows[:, None] + 1 + (steps - 1) % shape.m]  # (K, H): the newest of each phase
    return forecast * phases if shape.multiplies else forecast + phases
