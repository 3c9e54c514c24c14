"""What a regression learns from: windows of lagged changes and their answers, made for some cells at a time.

A cell, a row of a series, goes by one number: row · N + series. In order of their numbers cells are in order of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from forecast.features.inputs import MIN_CHANGES, N_INPUTS, N_STATE_CHANNELS, Inputs
from forecast.features.windows import future_windows
from forecast.models.recurrent.crossfit import block_edges

CHUNK = 8192  # windows made at a time: few enough to stay in a processor's cache


class LaggedFeatures:
    """What is read at a cell: the last changes and the newest distances from averages, of each channel."""

    def __init__(self, channels: Sequence[np.ndarray], lookback: int) -> None:
        self.lookback = lookback
        self.n = channels[0].shape[1]
        self.inputs = [
            [x[:, :, c].ravel() for c in range(N_STATE_CHANNELS, N_INPUTS - 1)] for x in channels
        ]  # of (T, N, C)
        self.width = len(channels) * (lookback + len(self.inputs[0]) - 1)  # F

    def windows(self, cells: np.ndarray) -> np.ndarray:
        """Give what is read at cells (M,), each input in a row of its own, (F, M)."""
        first = cells % self.n  # stands for rows before it: nothing has changed yet
        back = [np.maximum(cells - rows * self.n, first) for rows in range(self.lookback)]
        parts = [
            part
            for change, *distances in self.inputs
            for part in (*(change[at] for at in back), *(distance[cells] for distance in distances))
        ]
        return np.stack(parts)


class LaggedDataset:
    """The cells of a panel that teach: their windows, and their answers in units of recent movement."""

    def __init__(self, y: np.ndarray, inputs: Inputs, reads: LaggedFeatures, horizon: int) -> None:
        self.teaches = inputs.observed & (inputs.n_changes >= MIN_CHANGES) & (inputs.scale > 0)  # (T, N)
        self.teaches[: reads.lookback - 1] = False
        self.cells = np.flatnonzero(self.teaches)  # (M,)
        self.reads, self.horizon, self.rows = reads, horizon, len(y)
        self.y, self.ahead, self.scale = y, future_windows(y, horizon), inputs.scale

    def __len__(self) -> int:
        return len(self.cells)

    def unanswered(self) -> int | None:
        """Name the first step of which no answer is known."""
        known = [(self.teaches & ~np.isnan(self.ahead[:, :, k])).any() for k in range(self.horizon)]
        return None if all(known) else known.index(False) + 1

    def windows(self, some: slice) -> np.ndarray:
        """Give what is read at some of the lessons, (F, M)."""
        return self.reads.windows(self.cells[some])

    def answers(self, some: slice) -> np.ndarray:
        """Give how far the series have moved after some of the lessons, (H, M); NaN where that is not known."""
        at = np.divmod(self.cells[some], self.reads.n)
        return ((self.ahead[at] - self.y[at][:, None]) / self.scale[at][:, None]).T

    def matrix(self) -> np.ndarray:
        """Give what is read at all lessons at once, (M, F)."""
        x = np.empty((len(self), self.reads.width), dtype=np.float32)
        for some in chunks(slice(0, len(self))):
            x[some] = self.windows(some).T
        return x

    def between(self, first: int, stop: int) -> slice:
        """Find the lessons of these rows."""
        return slice(*np.searchsorted(self.cells, [first * self.reads.n, stop * self.reads.n]))

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Give the lessons of each block but the first, and before them those whose answers do not reach into it."""
        for start, stop in pairwise(block_edges(self.rows)[1:]):
            yield self.between(0, max(start - self.horizon, 0)), self.between(start, stop)


def chunks(some: slice) -> Iterator[slice]:
    """Part lessons into chunks small enough for all their windows to be made."""
    for at in range(some.start, some.stop, CHUNK):
        yield slice(at, min(at + CHUNK, some.stop))
