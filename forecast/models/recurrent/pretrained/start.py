"""What the pretrained network forecasts before any fine-tuning, and how far its points are followed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from forecast.features.windows import forward_fill, future_windows
from forecast.models.recurrent.pretrained.network import LONGEST_STEP, MEDIAN
from forecast.models.recurrent.pretrained.quantiles import Reader, future_medians, future_quantiles
from forecast.models.recurrent.pretrained.read_series import Memory
from forecast.models.recurrent.pretrained.weights import fingerprint, network_of
from forecast.models.recurrent.shrinkage import shrinkage_factor

MEASURED_FROM = 250  # observed training rows of a series, which then show whether its points can be forecast
FIRST_ROW = 100  # from which on that is measured
PRIOR_ODDS = 1 / 4  # that the points are better than the last value
#: Real series vary more than simulated ones: the spread of a series with few rows is multiplied by this (chosen on M1).
WIDENING = 1.2
WIDENED_ROWS = 150, 250  # observed training rows up to which it is widened in full, and from which on not at all


@dataclass(frozen=True)
class Start:
    """Weights of the network, and for N series the season, the shrinkage of points and a factor of spreads."""

    weights: dict[str, np.ndarray]
    seasons: np.ndarray  # (N,)
    shrinkage: np.ndarray  # (N,)
    widening: np.ndarray  # (N,)
    memory: Memory | None = None  # of what was read of series

    def select(self, series: np.ndarray) -> Start:
        """Return the start of these series."""
        parts = (self.seasons[series], self.shrinkage[series], self.widening[series])
        return Start(self.weights, *parts, self.memory)

    def reader(self) -> Reader:
        """Return what reads series with these weights."""
        identity = b"" if self.memory is None else fingerprint(self.weights)
        return Reader(network_of(self.weights), self.memory, identity)

    def quantiles(self, y: np.ndarray, rows: np.ndarray, horizon: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield numbers of series, and the quantiles of their change from the last value, (K, n, H, Q).

        The median is shrunk towards 0, and the others move with it.
        """
        for numbers, change in future_quantiles(self.reader(), y, self.seasons, rows, horizon):
            median = change[..., [MEDIAN]]
            point = self.shrinkage[numbers][:, None, None] * median
            yield numbers, point + self.widening[numbers][:, None, None] * (change - median)

    def points(self, y: np.ndarray, rows: np.ndarray, horizon: int) -> np.ndarray:
        """Return the medians of the changes to at most 48 steps, (K, N, H)."""
        return self.shrinkage[:, None] * future_medians(self.reader(), y, self.seasons, rows, horizon)


def spread_widening(n_observed: np.ndarray) -> np.ndarray:
    """Return the factor of the spreads of series with so many observed training rows, (N,)."""
    few, many = WIDENED_ROWS
    return 1 + (WIDENING - 1) * np.clip((many - n_observed) / (many - few), 0, 1)


def point_shrinkage(start: Start, y: np.ndarray, horizon: int) -> np.ndarray:
    """Return the probability that the network's points are better than the last value, for series (T, N), (N,).

    It is 1 for series with fewer than 250 observed rows: they cannot show it.
    """
    factors = np.ones(y.shape[1])
    long = np.flatnonzero((~np.isnan(y)).sum(axis=0) >= MEASURED_FROM)
    if not len(long):
        return factors
    long = long[np.argsort((~np.isnan(y[:, long])).argmax(axis=0), kind="stable")]  # groups start at similar rows
    rows, horizon = np.arange(FIRST_ROW, len(y) - 1), min(horizon, LONGEST_STEP)
    points = start.select(long).points(y[:, long], rows, horizon)
    last = forward_fill(y[:, long])
    size = np.nanmean(np.abs(np.diff(last, axis=0)), axis=0)
    scale = np.where(size > 0, size, np.nan)[:, None]
    error = (future_windows(y[:, long], horizon)[rows] - last[rows][..., None]) / scale  # (K, n, H)
    for i, n in enumerate(long):
        factors[n] = shrinkage_factor(points[:, [i]] / scale[i], error[:, [i]], rows, prior_odds=PRIOR_ODDS)
    return factors
