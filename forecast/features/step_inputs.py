"""Inputs of the steps of a forecast: what is known in advance of the row that each step forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.features.inputs import Inputs, iter_series_chunks
from forecast.features.windows import forward_fill

LEVEL_ROWS = 1000  # rows over which the level and the spread of a known input are measured
SEASONS_BACK = (1, 2, 3, 7)  # after which the target at a step's place in the season is an input
LARGEST = 8.0  # absolute value of an input
ROUNDING = 1e-12  # of its mean square: a field whose variance is smaller is constant
N_OF_FIELD, N_OF_SEASON = 2, 1  # inputs of each known field, and the further ones where a season is known


@dataclass(frozen=True)
class StepInputs:
    """What is known of the rows 1 … H after each row, relative to what was observed up to it; nothing is fitted.

    Of each known field the inputs of step k are its distance from the mean of the last 1,000 rows and from its newest
    value, both over the standard deviation of these rows, and where the series has a season of m rows the distance from
    its value m rows before, over the mean absolute change over a season. Of the target itself, where it has a season,
    they are the differences of its values 1, 2, 3 and 7 seasons before the step from the base, over the scale.
    """

    fields: np.ndarray  # (T + H, N, E) the known fields, forward-filled
    level: np.ndarray  # (T, N, E) mean of the last rows
    spread: np.ndarray  # (T, N, E) standard deviation of the last rows
    season_change: np.ndarray  # (T, N, E) mean absolute change over a season
    y: np.ndarray  # (T, N) the target, forward-filled
    scale: np.ndarray  # (T, N) the scale of the target
    base: np.ndarray  # (T, N, H) the forecasts that are corrected
    season: int  # rows in a season, 1 for none

    @property
    def n_channels(self) -> int:
        """Inputs of a step."""
        return n_step_inputs(self.fields.shape[2], self.season)

    @property
    def horizon(self) -> int:
        """Steps of a forecast."""
        return self.base.shape[2]

    def __getitem__(self, rows: slice) -> StepInputs:
        """Return the inputs of the first rows; later rows of known fields are only those of their steps."""
        start, stop, _ = rows.indices(len(self.y))
        if start:
            raise ValueError("step inputs are cut at their end only")
        arrays = {name: array[:stop] for name, array in self._arrays().items()}
        arrays["fields"] = self.fields[: stop + self.horizon]
        return StepInputs(season=self.season, **arrays)

    def of_series(self, series: np.ndarray) -> StepInputs:
        """Return the inputs of these series."""
        return StepInputs(season=self.season, **{name: array[:, series] for name, array in self._arrays().items()})

    def _arrays(self) -> dict[str, np.ndarray]:
        return {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}

    def at(self, rows: np.ndarray, series: np.ndarray) -> np.ndarray:
        """Return the inputs of all steps after rows (…) of series (…), which broadcast, (…, H, C) float32."""
        rows, series = (array[..., None] for array in np.broadcast_arrays(rows, series))  # (…, 1)
        later = rows + np.arange(1, self.horizon + 1)  # (…, H)
        u, now = self.fields[later, series], self.fields[rows, series]  # (…, H, E) and (…, 1, E)
        spread = self.spread[rows, series]
        parts = [_ratio(u - self.level[rows, series], spread), _ratio(u - now, spread)]
        if self.season > 1:
            same = np.maximum(later - self.season * -(-(later - rows) // self.season), 0)
            parts.append(_ratio(u - self.fields[same, series], self.season_change[rows, series]))
            parts.append(self._seasonal(rows, series, later))
        return np.clip(np.concatenate(parts, axis=-1), -LARGEST, LARGEST).astype(np.float32)

    def _seasonal(self, rows: np.ndarray, series: np.ndarray, later: np.ndarray) -> np.ndarray:
        """Return the differences of the target some seasons before each step from the base, (…, H, 4)."""
        base = self.base[rows[..., 0], series[..., 0]]  # (…, H)
        newest = later - self.season * -(-(later - rows) // self.season)
        guides = []
        for seasons in SEASONS_BACK:
            row = newest - (seasons - 1) * self.season
            gap = _ratio(self.y[np.maximum(row, 0), series] - base, self.scale[rows, series])
            guides.append(np.where((row >= 0) & np.isfinite(gap), gap, 0.0))
        return np.stack(guides, axis=-1)


def n_step_inputs(n_fields: int, season: int) -> int:
    """Return the number of inputs of a step."""
    seasonal = season > 1
    return n_fields * (N_OF_FIELD + N_OF_SEASON * seasonal) + len(SEASONS_BACK) * seasonal


def make_step_inputs(known: np.ndarray, inputs: Inputs, base: np.ndarray, season: int) -> StepInputs:
    """Return the step inputs of a panel.

    Parameters
    ----------
    known : array of shape (T + F, N, E)
        The known fields of the T rows and of F rows after them, NaN where a value is missing.
    inputs : Inputs
        The inputs of the T rows and N series.
    base : array of shape (T, N, H)
        The forecasts that are corrected.
    season : int
        Rows in a season, 1 for none.
    """
    t, horizon = len(base), base.shape[2]
    fields = np.stack([forward_fill(field) for field in np.moveaxis(known, 2, 0)], axis=2) if known.size else known
    missing = t + horizon - len(fields)
    if missing > 0:  # these rows are steps of no example and of no forecast
        fields = np.concatenate([fields, np.repeat(fields[-1:], missing, axis=0)])
    fields = np.nan_to_num(fields[: t + horizon])
    level, spread = np.empty((2, t, *fields.shape[1:]))
    change = np.empty_like(level)
    for chunk in iter_series_chunks(fields.shape[1]):
        level[:, chunk], spread[:, chunk] = _moments(fields[:t, chunk])
        change[:, chunk] = _season_change(fields[:t, chunk], season)
    return StepInputs(fields, level, spread, change, inputs.y, inputs.scale, base, season)


def _moments(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the last rows of fields (T, N, E) at each row, and their standard deviation.

    The latter is at least half of that of all rows so far, so that a field which is 0 on most rows, as holidays are,
    is not divided by 0 in a year without one.
    """
    start = u[:1]
    u = u - start
    mean, square = _recent_mean(u), _recent_mean(u**2)
    count = np.arange(1, len(u) + 1).reshape(-1, 1, 1)
    variance = square - mean**2
    of_all = np.cumsum(u**2, axis=0) / count - (np.cumsum(u, axis=0) / count) ** 2
    variance = np.maximum(variance, of_all / 4)
    return mean + start, np.sqrt(np.where(variance > ROUNDING * square, variance, 0.0))


def _season_change(u: np.ndarray, season: int) -> np.ndarray:
    """Return the mean absolute change over a season in the last rows, (T, N, E); 0 without a season."""
    change = np.zeros_like(u)
    if season > 1:
        change[season:] = np.abs(u[season:] - u[:-season])
        return _recent_mean(change[season:], season, len(u))
    return change


def _recent_mean(values: np.ndarray, first: int = 0, rows: int | None = None) -> np.ndarray:
    """Return the means of the last 1,000 values at each row; with `first` 0 in that number of rows before them."""
    total = np.cumsum(values, axis=0)
    recent = total.copy()
    recent[LEVEL_ROWS:] -= total[:-LEVEL_ROWS]
    count = np.minimum(np.arange(1, len(values) + 1), LEVEL_ROWS).reshape(-1, *[1] * (values.ndim - 1))
    mean = recent / count
    if not first:
        return mean
    return np.concatenate([np.zeros((min(first, rows or first), *values.shape[1:])), mean])


def _ratio(a: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return a / scale, 0 where the scale is 0."""
    a, scale = np.broadcast_arrays(a, scale)
    return np.divide(a, scale, out=np.zeros_like(a), where=scale > 0)
