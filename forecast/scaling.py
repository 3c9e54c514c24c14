"""Causal inputs of the networks: at row t from rows up to t alone, in units of the series' own recent movement.

Nothing is fitted, so nothing can have seen the test rows; prices × 10 give the same inputs and ten times the unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WINDOWS = (5, 22, 1000)  # rows of the moving averages: a week, a month, and the level the series returns to
UNIT_ROWS = 60  # rows of recent movement
UNIT_FLOOR = 0.1  # of the average movement so far: a quiet stretch is not taken for a standstill
MIN_CHANGES = 20  # observed changes before a row may teach anything
N_INPUTS = 2 + len(WINDOWS)  # change, distance from each average, observed or not


@dataclass(frozen=True)
class Inputs:
    """What the networks read of every series, and what their answers are measured in."""

    x: np.ndarray  # (T, N, C) float32: change, distances from the averages, observed
    y: np.ndarray  # (T, N) the series (in logs where the model is), the last value carried over missing rows
    unit: np.ndarray  # (T, N) mean |change| of late, 0 before the first change
    observed: np.ndarray  # (T, N) bool
    changes: np.ndarray  # (T, N) observed changes so far


def causal_inputs(y: np.ndarray) -> Inputs:
    """Make the inputs of all rows from series (T, N) with NaN where they did not trade.

    With unit = max(mean |change| of the last 60 rows, a tenth of its mean so far): change / unit, and (level − mean of
    w rows) / (unit · √w) for w = 5, 22, 1000, each over as many rows as there are until the window is full. Averages
    run over observed rows; a missing row has change 0, the last level, and the flag 0.
    """
    observed = ~np.isnan(y)
    count = np.cumsum(observed, axis=0)  # (T, N) observed rows so far
    packed = _pack(y, observed)  # (T, N) observed values first, in order
    features, unit = _features(packed)
    at = np.maximum(count - 1, 0)  # where a row's newest observed value stands in the packed series
    x = np.empty((*y.shape, N_INPUTS), dtype=np.float32)
    for c, feature in enumerate(features):
        x[:, :, c] = np.take_along_axis(feature, at, axis=0)
    x[:, :, 0] *= observed
    x[:, :, -1] = observed
    x[count == 0] = 0
    return Inputs(
        x=x,
        y=np.where(count > 0, np.take_along_axis(packed, at, axis=0), np.nan),
        unit=np.where(count > 0, np.take_along_axis(unit, at, axis=0), 0.0),
        observed=observed,
        changes=np.maximum(count - 1, 0),
    )


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
    moved = np.cumsum(np.abs(change), axis=0)
    recent = (moved - _before(moved, UNIT_ROWS)) / np.maximum(np.minimum(k, UNIT_ROWS), 1)
    unit = np.maximum(recent, UNIT_FLOOR * moved / np.maximum(k, 1))
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


class Path:
    """The newest values of M series at their cutoffs, to be moved on value by value (recursive forecasts).

    `append` takes the next value of each series and gives the input row that it makes, by the formulas of
    `causal_inputs`; `unit` is that of the newest value.
    """

    def __init__(self, inputs: Inputs, rows: np.ndarray, columns: np.ndarray) -> None:
        longest = max(WINDOWS)
        self.values = np.full((len(rows), longest), np.nan)  # (M, W) oldest first, NaN before the start
        self.moved = np.zeros(len(rows))  # sum of |change| so far
        self.count = inputs.changes[rows, columns].astype(np.float64)
        for i, (row, column) in enumerate(zip(rows, columns, strict=True)):
            known = inputs.y[: row + 1, column][inputs.observed[: row + 1, column]]
            recent = known[-longest:]
            self.values[i, longest - len(recent) :] = recent
            self.moved[i] = np.abs(np.diff(known)).sum()
        self.unit = inputs.unit[rows, columns]  # (M,)

    def append(self, value: np.ndarray) -> np.ndarray:
        """Move on to the next values (M,); gives the input rows (M, C)."""
        change = value - self.values[:, -1]
        self.values = np.concatenate([self.values[:, 1:], value[:, None]], axis=1)
        self.moved += np.abs(change)
        self.count += 1
        recent = np.abs(np.diff(self.values[:, -(UNIT_ROWS + 1) :], axis=1))
        self.unit = np.maximum(np.nanmean(recent, axis=1), UNIT_FLOOR * self.moved / self.count)
        features = [_ratio(change, self.unit)]
        for w in WINDOWS:
            features.append(_ratio(value - np.nanmean(self.values[:, -w:], axis=1), self.unit * np.sqrt(w)))
        return np.stack([*features, np.ones_like(value)], axis=1).astype(np.float32)
