"""Causal inputs of the models: at row t from rows up to t only, scaled by the series' recent movement.

Nothing is fitted, so nothing depends on test rows. Multiplying the prices by 10 leaves the scaled inputs unchanged and
multiplies the scale by 10; in logs nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

WINDOWS = (5, 22, 1000)  # rows of the moving averages: a week, a month, and the level that the series reverts to
SCALE_ROWS = 60  # rows that a scale averages over
SCALE_FLOOR = 0.1  # lower bound of a scale, as a share of the mean so far: it is not 0 after a quiet period
SERIES_PER_CHUNK = 16  # series that are processed at the same time, to limit memory
MIN_CHANGES = 20  # observed changes before a row can be a training example
#: State channels: networks read only differences of levels from the newest row, relative to the scales of that row.
LEVEL, RECENT_CHANGE, SCALE = range(3)
N_STATE_CHANNELS = 3
N_INPUTS = N_STATE_CHANNELS + 2 + len(WINDOWS)  # and change, distance from each average, whether observed


@dataclass(frozen=True)
class Inputs:
    """Inputs of all rows and series, and the scale of the targets."""

    x: np.ndarray  # (T, N, C) float32: level (less the first observed value), two scales, change, distances, observed
    start: np.ndarray  # (N,) the first observed value, from which levels count
    y: np.ndarray  # (T, N) the series (in logs if the model works in logs), forward-filled
    recent_change: np.ndarray  # (T, N) scale of the inputs: recent mean |change|, 0 before the first change
    scale: np.ndarray  # (T, N) scale of the targets: recent mean |error of the base|, 0 before the first error
    observed: np.ndarray  # (T, N) bool
    n_changes: np.ndarray  # (T, N) number of errors so far (changes, if the base is the last value)
    weight: np.ndarray  # (T, N) of the training examples that start from a row

    def __getitem__(self, rows: slice) -> Inputs:
        """Return the inputs of these rows."""
        by_row = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "start"}
        return Inputs(start=self.start, **by_row)


def causal_inputs(y: np.ndarray, base: np.ndarray | None = None) -> Inputs:
    """Compute the inputs of all rows of series (T, N), NaN where a series was not observed.

    The recent change is the mean |change| of the last 60 rows, but at least a tenth of the mean of all so far. The
    inputs are change / recent change, and (level − mean of w rows) / (recent change · √w) for w = 5, 22, 1000. While
    fewer than w rows are available, the mean is over those. Means are over observed rows; a missing row has change 0,
    the flag 0, and otherwise the values of the last observed row. The scale of the targets is the same mean of
    |y[t] − base[t − 1]|, where `base` (T, N) is the one-step forecast that is corrected (None: the last value, whose
    error is the change).
    """
    result: dict[str, np.ndarray] = {}
    for chunk in iter_series_chunks(y.shape[1]):
        part = dict(vars(_chunk_inputs(y[:, chunk], None if base is None else base[:, chunk])))
        part.pop("weight")
        for name, array in part.items():
            lead = () if name == "start" else (slice(None),)
            if name not in result:
                shape = (*array.shape[: len(lead)], y.shape[1], *array.shape[len(lead) + 1 :])
                result[name] = np.empty(shape, array.dtype)
            result[name][*lead, chunk] = array
    return Inputs(**result, weight=_equal_weights(y))


def recent_changes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the recent mean |change| of series (T, N) at each row, and the number of changes so far, (T, N) each.

    That of `causal_inputs`: 0 before the first change; a missing row has the values of the last observed row.
    """
    observed = ~np.isnan(y)
    count = np.cumsum(observed, axis=0, dtype=np.int32)
    packed = _pack(y, observed)
    total = np.cumsum(np.abs(np.diff(packed, axis=0, prepend=packed[:1])), axis=0)
    scale = recent_mean(total, np.arange(len(y))[:, None])
    n_changes = np.maximum(count - 1, 0)
    return np.where(count > 0, np.take_along_axis(scale, n_changes, axis=0), 0.0), n_changes


def iter_series_chunks(n_series: int) -> Iterator[slice]:
    """Yield chunks of series for which arrays of all rows and steps fit into memory."""
    return (slice(first, first + SERIES_PER_CHUNK) for first in range(0, n_series, SERIES_PER_CHUNK))


def _chunk_inputs(y: np.ndarray, base: np.ndarray | None) -> Inputs:
    """Compute the inputs of a chunk of series."""
    observed = ~np.isnan(y)
    count = np.cumsum(observed, axis=0, dtype=np.int32)  # (T, N) observed rows so far
    packed = _pack(y, observed)  # (T, N) observed values first, in order
    features, recent_change = _features(packed)
    newest = np.maximum(count - 1, 0)  # position of a row's newest observed value in the packed series

    def unpack(feature: np.ndarray) -> np.ndarray:
        return np.take_along_axis(feature, newest, axis=0)

    recent_change, n_changes = np.where(count > 0, unpack(recent_change), 0.0), np.maximum(count - 1, 0)
    scale = recent_change
    if base is not None:
        scale, n_changes = _error_scale(np.abs(y[1:] - base[:-1]))
    x = np.empty((*y.shape, N_INPUTS), dtype=np.float32)
    for c, feature in enumerate([unpack(packed - packed[:1]), recent_change, scale, *map(unpack, features)]):
        x[:, :, c] = feature
    x[:, :, N_STATE_CHANNELS] *= observed
    x[:, :, -1] = observed
    x[count == 0] = 0
    level = np.where(count > 0, unpack(packed), np.nan)
    return Inputs(x, packed[0], level, recent_change, scale, observed, n_changes, _equal_weights(y))


def _equal_weights(y: np.ndarray) -> np.ndarray:
    """Return a weight of 1 for each row and series of (T, N), as a view of one number."""
    return np.broadcast_to(np.ones(()), y.shape)


def _error_scale(error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the recent mean of absolute errors (T − 1, N) at each row, and their number so far, (T, N) each."""
    error = np.concatenate([np.full((1, error.shape[1]), np.nan), error])
    known = ~np.isnan(error)
    count = np.cumsum(known, axis=0, dtype=np.int32)
    scale = recent_mean(np.cumsum(_pack(error, known), axis=0), np.arange(1, len(error) + 1)[:, None])
    return np.where(count > 0, np.take_along_axis(scale, np.maximum(count - 1, 0), axis=0), 0.0), count


def recent_mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the mean of the last 60 absolute values, bounded below by a tenth of the mean of all so far, (T, N).

    `total` are their running sums, `count` is their number so far.
    """
    recent = (total - _lagged(total, SCALE_ROWS)) / np.maximum(np.minimum(count, SCALE_ROWS), 1)
    return np.maximum(recent, SCALE_FLOOR * total / np.maximum(count, 1))


def fix_scale(inputs: Inputs, scales: np.ndarray) -> Inputs:
    """Return inputs relative to constant scales (2, N), of the changes and of the targets, where these are not NaN."""
    fixed = np.isfinite(scales).all(axis=0)
    change = np.where(fixed & (inputs.recent_change > 0), scales[0], inputs.recent_change)
    scale = np.where(fixed & (inputs.scale > 0), scales[1], inputs.scale)
    x = inputs.x.copy()
    x[:, :, RECENT_CHANGE], x[:, :, SCALE] = change, scale
    x[:, :, N_STATE_CHANNELS : N_INPUTS - 1] *= _ratio(inputs.recent_change, change)[..., None]
    return replace(inputs, x=x, recent_change=change, scale=scale)


def mean_scales(inputs: Inputs) -> np.ndarray:
    """Return the means of the scales of changes and targets over the rows, (2, N); NaN for a series without any."""
    scales = []
    for scale in (inputs.recent_change, inputs.scale):
        count = (scale > 0).sum(axis=0)
        scales.append(np.where(count > 0, scale.sum(axis=0) / np.maximum(count, 1), np.nan))
    return np.stack(scales)


def append_channels(inputs: Inputs, more: Sequence[np.ndarray]) -> Inputs:
    """Return the inputs with further channels, (T, N, E) each."""
    return replace(inputs, x=np.concatenate([inputs.x, *more], axis=2)) if len(more) else inputs


def calendar_inputs(dates: np.ndarray, n: int) -> np.ndarray:
    """Compute where in the day, the week, the month and the year each row lies, for n series: (T, n, 8) float32.

    Sine and cosine of the phase, so that December is next to January. `dates` is (T,) of datetime64.
    """
    exact = dates.astype("datetime64[s]")
    day, month, year = (exact.astype(f"datetime64[{period}]") for period in "DMY")
    second = np.timedelta64(1, "s")
    phases = [
        (exact - day) / second / 86_400,
        (exact - np.datetime64("1970-01-05", "s")) / second / (7 * 86_400),  # a Monday
        (exact - month) / ((month + 1).astype("datetime64[s]") - month),
        (exact - year) / ((year + 1).astype("datetime64[s]") - year),
    ]
    angle = 2 * np.pi * np.stack(phases, axis=1)  # (T, 4)
    x = np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)
    return np.repeat(x[:, None], n, axis=1)


def _pack(y: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return (T, N) with the observed values of each series first, in order, then 0 (never read)."""
    if observed.all():
        return y
    order = np.argsort(~observed, axis=0, kind="stable")
    packed = np.take_along_axis(y, order, axis=0)
    return np.where(np.isnan(packed), 0.0, packed)


def _features(packed: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Return change and distances from the averages, relative to the recent change, and that change; (T, N) each."""
    level = packed - packed[:1]  # the first value is subtracted so that running sums are precise
    change = np.diff(level, axis=0, prepend=level[:1])
    k = np.arange(len(level))[:, None]  # changes so far
    recent_change = recent_mean(np.cumsum(np.abs(change), axis=0), k)
    total = np.cumsum(level, axis=0)
    features = [_ratio(change, recent_change)]
    for w in WINDOWS:
        average = (total - _lagged(total, w)) / np.minimum(k + 1, w)
        features.append(_ratio(level - average, recent_change * np.sqrt(w)))
    return features, recent_change


def _lagged(total: np.ndarray, rows: int) -> np.ndarray:
    """Return running sums lagged by `rows`, 0 before the start."""
    return np.concatenate([np.zeros_like(total[:rows]), total[:-rows]])[: len(total)]


def _ratio(a: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return a / scale, 0 where the scale is 0."""
    return np.divide(a, scale, out=np.zeros_like(a), where=scale > 0)


def _mean_without_nan(values: np.ndarray) -> np.ndarray:
    """Return the mean of each row of (M, W) without its NaN, (M,); 0 for a row of NaN only."""
    known = ~np.isnan(values)
    return np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)


class RecursiveState:
    """The newest values of M series at their cutoffs, to which forecasts are appended one by one.

    `append` takes the next value of each series and returns the input row that results from it, by the formulas of
    `causal_inputs`; `scale` is that of the next target. If the base is not the last value, its errors at forecast rows
    are unknown, and the scale moves in proportion to the recent change.
    """

    def __init__(self, inputs: Inputs, rows: np.ndarray, columns: np.ndarray) -> None:
        longest = max(WINDOWS)
        self.values = np.full((len(rows), longest), np.nan)  # (M, W) oldest first, NaN before the start
        self.total_change = np.zeros(len(rows))  # sum of |change| so far
        self.n_changes = np.maximum(inputs.observed.cumsum(axis=0)[rows, columns] - 1.0, 0)
        for i, (row, column) in enumerate(zip(rows, columns, strict=True)):
            known = inputs.y[: row + 1, column][inputs.observed[: row + 1, column]]
            recent = known[-longest:]
            self.values[i, longest - len(recent) :] = recent
            self.total_change[i] = np.abs(np.diff(known)).sum()
        self.recent_change, self.scale = inputs.recent_change[rows, columns], inputs.scale[rows, columns]  # (M,)
        self.scale_ratio = _ratio(self.scale, self.recent_change)
        self.start = inputs.start[columns]  # (M,)

    def append(self, value: np.ndarray) -> np.ndarray:
        """Append the next values (M,); return their input rows (M, C)."""
        change = value - self.values[:, -1]
        self.values = np.concatenate([self.values[:, 1:], value[:, None]], axis=1)
        self.total_change += np.abs(change)
        self.n_changes += 1
        recent = np.abs(np.diff(self.values[:, -(SCALE_ROWS + 1) :], axis=1))
        self.recent_change = np.maximum(_mean_without_nan(recent), SCALE_FLOOR * self.total_change / self.n_changes)
        self.scale = self.recent_change * self.scale_ratio
        features = [_ratio(change, self.recent_change)]
        for w in WINDOWS:
            features.append(_ratio(value - _mean_without_nan(self.values[:, -w:]), self.recent_change * np.sqrt(w)))
        row = [value - self.start, self.recent_change, self.scale, *features, np.ones_like(value)]
        return np.stack(row, axis=1).astype(np.float32)
