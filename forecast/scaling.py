"""Causal inputs of the networks: at row t from rows up to t alone, in units of the series' own recent movement.

Nothing is fitted, so nothing can have seen the test rows; prices × 10 give the same inputs and ten times the unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

WINDOWS = (5, 22, 1000)  # rows of the moving averages: a week, a month, and the level the series returns to
UNIT_ROWS = 60  # rows of recent movement
UNIT_FLOOR = 0.1  # of the average movement so far: a quiet stretch is not taken for a standstill
TOGETHER = 16  # series that are worked on at a time, for memory's sake
MIN_CHANGES = 20  # observed changes before a row may teach anything
LEVEL, MOVEMENT, UNIT = 0, 1, 2  # channels that are not read as they are: how far a series has come, in either unit
PATH = 3  # their number
N_INPUTS = PATH + 2 + len(WINDOWS)  # and change, distance from each average, observed or not


@dataclass(frozen=True)
class Inputs:
    """What the networks read of every series, and what their answers are measured in."""

    x: np.ndarray  # (T, N, C) float32: level (from the first value on), two units, change, distances, observed
    start: np.ndarray  # (N,) the first value, where levels count from
    y: np.ndarray  # (T, N) the series (in logs where the model is), the last value carried over missing rows
    movement: np.ndarray  # (T, N) what inputs are measured in: mean |change| of late, 0 before the first
    unit: np.ndarray  # (T, N) what answers are measured in: mean |error of the base| of late, 0 before the first
    observed: np.ndarray  # (T, N) bool
    changes: np.ndarray  # (T, N) such errors so far

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
    for some in together(y.shape[1]):
        part = vars(_inputs_of(y[:, some], None if base is None else base[:, some]))
        for name, array in part.items():
            lead = () if name == "start" else (slice(None),)
            if name not in made:
                made[name] = np.empty(
                    (*array.shape[: len(lead)], y.shape[1], *array.shape[len(lead) + 1 :]), array.dtype
                )
            made[name][*lead, some] = array
    return Inputs(**made)


def together(series: int) -> Iterator[slice]:
    """Part so many series into those that are worked on at a time: arrays of all rows and steps are held for these."""
    return (slice(at, at + TOGETHER) for at in range(0, series, TOGETHER))


def _inputs_of(y: np.ndarray, base: np.ndarray | None) -> Inputs:
    """Make the inputs of a few series."""
    observed = ~np.isnan(y)
    count = np.cumsum(observed, axis=0, dtype=np.int32)  # (T, N) observed rows so far
    packed = _pack(y, observed)  # (T, N) observed values first, in order
    features, movement = _features(packed)
    at = np.maximum(count - 1, 0)  # where a row's newest observed value stands in the packed series

    def spread(feature: np.ndarray) -> np.ndarray:
        return np.take_along_axis(feature, at, axis=0)

    movement, changes = np.where(count > 0, spread(movement), 0.0), np.maximum(count - 1, 0)
    unit = movement
    if base is not None:
        unit, changes = _unit_of_errors(np.abs(y[1:] - base[:-1]))
    x = np.empty((*y.shape, N_INPUTS), dtype=np.float32)
    for c, feature in enumerate([spread(packed - packed[:1]), movement, unit, *map(spread, features)]):
        x[:, :, c] = feature
    x[:, :, PATH] *= observed
    x[:, :, -1] = observed
    x[count == 0] = 0
    level = np.where(count > 0, spread(packed), np.nan)
    return Inputs(x=x, start=packed[0], y=level, movement=movement, unit=unit, observed=observed, changes=changes)


def _unit_of_errors(error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average the errors (T − 1, N) of late at each row, with their number so far, (T, N) each."""
    error = np.concatenate([np.full_like(error[:1], np.nan), error])
    known = ~np.isnan(error)
    count = np.cumsum(known, axis=0, dtype=np.int32)
    unit = _of_late(np.cumsum(_pack(error, known), axis=0), np.arange(1, len(error) + 1)[:, None])
    return np.where(count > 0, np.take_along_axis(unit, np.maximum(count - 1, 0), axis=0), 0.0), count


def _of_late(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Turn running sums (T, N) of so many sizes into their mean of late, and at least a tenth of the mean so far."""
    recent = (total - _before(total, UNIT_ROWS)) / np.maximum(np.minimum(count, UNIT_ROWS), 1)
    return np.maximum(recent, UNIT_FLOOR * total / np.maximum(count, 1))


def beside(inputs: Inputs, more: Sequence[np.ndarray]) -> Inputs:
    """Add further channels (T, N, E) to what is read."""
    return replace(inputs, x=np.concatenate([inputs.x, *more], axis=2)) if len(more) else inputs


def calendar_inputs(dates: np.ndarray, n: int) -> np.ndarray:
    """Say where in the day, the week, the month and the year each row stands, for n series: (T, n, 8) float32.

    Sine and cosine of the phase, so that December is beside January. `dates` is (T,) of datetime64.
    """
    exact = dates.astype("datetime64[s]")
    day, month, year = (exact.astype(f"datetime64[{unit}]") for unit in "DMY")
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
    unit = _of_late(np.cumsum(np.abs(change), axis=0), k)
    total = np.cumsum(level, axis=0)
    features = [_ratio(change, unit)]
    for w in WINDOWS:
        average = (total - _before(total, w)) / np.minimum(k + 1, w)
        features.append(_ratio(level - average, unit * np.sqrt(w)))
    return features, unit


def _before(total: np.ndarray, rows: int) -> np.ndarray:
    return np.concatenate([np.zeros_like(total[:rows]), total[:-rows]])[: len(total)]


def _ratio(a: np.ndarray, unit: np.ndarray) -> np.ndarray:
    return np.divide(a, unit, out=np.zeros_like(a), where=unit > 0)


def _known_mean(values: np.ndarray) -> np.ndarray:
    """Average what is known of each row, (M, W) to (M,); 0 where nothing is."""
    known = ~np.isnan(values)
    return np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)


class Path:
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
        self.movement, self.unit = inputs.movement[rows, columns], inputs.unit[rows, columns]  # (M,)
        self.wider = _ratio(self.unit, self.movement)
        self.start = inputs.start[columns]  # (M,)

    def append(self, value: np.ndarray) -> np.ndarray:
        """Move on to the next values (M,); gives the input rows (M, C)."""
        change = value - self.values[:, -1]
        self.values = np.concatenate([self.values[:, 1:], value[:, None]], axis=1)
        self.moved += np.abs(change)
        self.count += 1
        recent = np.abs(np.diff(self.values[:, -(UNIT_ROWS + 1) :], axis=1))
        self.movement = np.maximum(_known_mean(recent), UNIT_FLOOR * self.moved / self.count)
        self.unit = self.movement * self.wider
        features = [_ratio(change, self.movement)]
        for w in WINDOWS:
            features.append(_ratio(value - _known_mean(self.values[:, -w:]), self.movement * np.sqrt(w)))
        row = [value - self.start, self.movement, self.unit, *features, np.ones_like(value)]
        return np.stack(row, axis=1).astype(np.float32)
