"""Causal inputs of the networks: at row t from rows up to t alone, in units of the series' own recent movement.

Nothing is fitted, so nothing can have seen the test rows; prices × 10 give the same inputs and ten times the unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

WINDOWS = (5, 22, 1000)  # rows of the moving averages: a week, a month, and the level the series returns to
SCALE_ROWS = 60  # rows of recent movement
SCALE_FLOOR = 0.1  # of the average movement so far: a quiet stretch is not taken for a standstill
SERIES_PER_CHUNK = 16  # series that are worked on at a time, for memory's sake
MIN_CHANGES = 20  # observed changes before a row may teach anything
LEVEL, RECENT_CHANGE, SCALE = (
    0,
    1,
    2,
)  # channels that are not read as they are: how far a series has come, in either unit
N_STATE_CHANNELS = 3  # their number
N_INPUTS = N_STATE_CHANNELS + 2 + len(WINDOWS)  # and change, distance from each average, observed or not


@dataclass(frozen=True)
class Inputs:
    """What the networks read of every series, and what their answers are measured in."""

    x: np.ndarray  # (T, N, C) float32: level (from the first value on), two units, change, distances, observed
    start: np.ndarray  # (N,) the first value, where levels count from
    y: np.ndarray  # (T, N) the series (in logs where the model is), the last value carried over missing rows
    recent_change: np.ndarray  # (T, N) what inputs are measured in: mean |change| of late, 0 before the first
    scale: np.ndarray  # (T, N) what answers are measured in: mean |error of the base| of late, 0 before the first
    observed: np.ndarray  # (T, N) bool
    n_changes: np.ndarray  # (T, N) such errors so far

    def __getitem__(self, rows: slice) -> Inputs:
        """Give the inputs of these rows."""
        cut = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "start"}
        return Inputs(start=self.start, **cut)


def causal_inputs(y: np.ndarray, base: np.ndarray | None = None) -> Inputs:
    """Make the inputs of all rows from series (T, N) with NaN where they did not trade.

    With movement = max(mean |change| of the last 60 rows, a tenth of its mean so far): change / movement, and (level −
    mean of w rows) / (movement · √w) for w = 5, 22, 1000, each over as many rows as there are until the window is full.
    Averages run over observed rows; a missing row has change 0, the last level, and the flag 0. The unit of the
    answers is that average of |y[t] − base[t − 1]|, where `base` (T, N) is what is corrected, one row ahead (None: the
    last value, whose error is the change).
    """
    made: dict[str, np.ndarray] = {}
    for some in iter_series_chunks(y.shape[1]):
        part = vars(_inputs_of(y[:, some], None if base is None else base[:, some]))
        for name, array in part.items():
            lead = () if name == "start" else (slice(None),)
            if name not in made:
                made[name] = np.empty(
                    (*array.shape[: len(lead)], y.shape[1], *array.shape[len(lead) + 1 :]), array.dtype
                )
            made[name][*lead, some] = array
    return Inputs(**made)


def iter_series_chunks(series: int) -> Iterator[slice]:
    """Part so many series into those that are worked on at a time: arrays of all rows and steps are held for these."""
    return (slice(at, at + SERIES_PER_CHUNK) for at in range(0, series, SERIES_PER_CHUNK))


def _inputs_of(y: np.ndarray, base: np.ndarray | None) -> Inputs:
    """Make the inputs of a few series."""
    observed = ~np.isnan(y)
    count = np.cumsum(observed, axis=0, dtype=np.int32)  # (T, N) observed rows so far
    packed = _pack(y, observed)  # (T, N) observed values first, in order
    features, recent_change = _features(packed)
    at = np.maximum(count - 1, 0)  # where a row's newest observed value stands in the packed series

    def spread(feature: np.ndarray) -> np.ndarray:
        return np.take_along_axis(feature, at, axis=0)

    recent_change, n_changes = np.where(count > 0, spread(recent_change), 0.0), np.maximum(count - 1, 0)
    scale = recent_change
    if base is not None:
        scale, n_changes = _unit_of_errors(np.abs(y[1:] - base[:-1]))
    x = np.empty((*y.shape, N_INPUTS), dtype=np.float32)
    for c, feature in enumerate([spread(packed - packed[:1]), recent_change, scale, *map(spread, features)]):
        x[:, :, c] = feature
    x[:, :, N_STATE_CHANNELS] *= observed
    x[:, :, -1] = observed
    x[count == 0] = 0
    level = np.where(count > 0, spread(packed), np.nan)
    return Inputs(
        x=x, start=packed[0], y=level, recent_change=recent_change, scale=scale, observed=observed, n_changes=n_changes
    )


def _unit_of_errors(error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average the errors (T − 1, N) of late at each row, with their number so far, (T, N) each."""
    error = np.concatenate([np.full_like(error[:1], np.nan), error])
    known = ~np.isnan(error)
    count = np.cumsum(known, axis=0, dtype=np.int32)
    scale = recent_mean(np.cumsum(_pack(error, known), axis=0), np.arange(1, len(error) + 1)[:, None])
    return np.where(count > 0, np.take_along_axis(scale, np.maximum(count - 1, 0), axis=0), 0.0), count


def recent_mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Turn running sums (T, N) of so many sizes into their mean of late, and at least a tenth of the mean so far."""
    recent = (total - _before(total, SCALE_ROWS)) / np.maximum(np.minimum(count, SCALE_ROWS), 1)
    return np.maximum(recent, SCALE_FLOOR * total / np.maximum(count, 1))


def append_channels(inputs: Inputs, more: Sequence[np.ndarray]) -> Inputs:
    """Add further channels (T, N, E) to what is read."""
    return replace(inputs, x=np.concatenate([inputs.x, *more], axis=2)) if len(more) else inputs


def calendar_inputs(dates: np.ndarray, n: int) -> np.ndarray:
    """Say where in the day, the week, the month and the year each row stands, for n series: (T, n, 8) float32.

    Sine and cosine of the phase, so that December is beside January. `dates` is (T,) of datetime64.
    """
    exact = dates.astype("datetime64[s]")
    day, month, year = (exact.astype(f"datetime64[{scale}]") for scale in "DMY")
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
    if observed.all():
        return y
    order = np.argsort(~observed, axis=0, kind="stable")
    packed = np.take_along_axis(y, order, axis=0)
    return np.where(np.isnan(packed), 0.0, packed)  # the tail behind the last observed value is never read


def _features(packed: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Give change and distances from the averages in units, each (T, N), and the unit (T, N)."""
    level = packed - packed[:1]  # sums of small numbers lose nothing
    change = np.diff(level, axis=0, prepend=level[:1])
    k = np.arange(len(level))[:, None]  # changes so far
    scale = recent_mean(np.cumsum(np.abs(change), axis=0), k)
    total = np.cumsum(level, axis=0)
    features = [_ratio(change, scale)]
    for w in WINDOWS:
        average = (total - _before(total, w)) / np.minimum(k + 1, w)
        features.append(_ratio(level - average, scale * np.sqrt(w)))
    return features, scale


def _before(total: np.ndarray, rows: int) -> np.ndarray:
    return np.concatenate([np.zeros_like(total[:rows]), total[:-rows]])[: len(total)]


def _ratio(a: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.divide(a, scale, out=np.zeros_like(a), where=scale > 0)


def _known_mean(values: np.ndarray) -> np.ndarray:
    """Average what is known of each row, (M, W) to (M,); 0 where nothing is."""
    known = ~np.isnan(values)
    return np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)


class RecursiveState:
    """The newest values of M series at their cutoffs, to be moved on value by value (recursive forecasts).

    `append` takes the next value of each series and gives the input row that it makes, by the formulas of
    `causal_inputs`; `unit` is that of the next answer. Where the base is not the last value its errors on the way are
    not known, and the unit moves as the movement does.
    """

    def __init__(self, inputs: Inputs, rows: np.ndarray, columns: np.ndarray) -> None:
        longest = max(WINDOWS)
        self.values = np.full((len(rows), longest), np.nan)  # (M, W) oldest first, NaN before the start
        self.moved = np.zeros(len(rows))  # sum of |change| so far
        self.count = np.maximum(inputs.observed.cumsum(axis=0)[rows, columns] - 1.0, 0)  # changes so far
        for i, (row, column) in enumerate(zip(rows, columns, strict=True)):
            known = inputs.y[: row + 1, column][inputs.observed[: row + 1, column]]
            recent = known[-longest:]
            self.values[i, longest - len(recent) :] = recent
            self.moved[i] = np.abs(np.diff(known)).sum()
        self.recent_change, self.scale = inputs.recent_change[rows, columns], inputs.scale[rows, columns]  # (M,)
        self.wider = _ratio(self.scale, self.recent_change)
        self.start = inputs.start[columns]  # (M,)

    def append(self, value: np.ndarray) -> np.ndarray:
        """Move on to the next values (M,); gives the input rows (M, C)."""
        change = value - self.values[:, -1]
        self.values = np.concatenate([self.values[:, 1:], value[:, None]], axis=1)
        self.moved += np.abs(change)
        self.count += 1
        recent = np.abs(np.diff(self.values[:, -(SCALE_ROWS + 1) :], axis=1))
        self.recent_change = np.maximum(_known_mean(recent), SCALE_FLOOR * self.moved / self.count)
        self.scale = self.recent_change * self.wider
        features = [_ratio(change, self.recent_change)]
        for w in WINDOWS:
            features.append(_ratio(value - _known_mean(self.values[:, -w:]), self.recent_change * np.sqrt(w)))
        row = [value - self.start, self.recent_change, self.scale, *features, np.ones_like(value)]
        return np.stack(row, axis=1).astype(np.float32)
