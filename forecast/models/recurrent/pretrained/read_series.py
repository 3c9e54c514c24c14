"""What the pretrained network has read of series, so that a longer history is read on from there.

A backtest fits a model on histories that grow by a few rows. The recurrent state after a block of rows does not change
when later rows follow, nor does a point forecast from an earlier row.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

BLOCK = 16  # rows that the recurrent layers read at once


@dataclass(frozen=True)
class ReadSeries:
    """One series from its first observed row on, and what was computed from it.

    Attributes
    ----------
    values, seen : array of shape (T,)
        Its rows, and which of them are observed.
    states : array of shape (T // 16, 2, L, S), float32
        Hidden and cell state of the recurrent layers after each full block.
    medians : mapping of int to array of shape (T, H)
        By horizon, the medians of the changes from a row; NaN where they were not computed.
    newest : tuple of int and array of shape (H, Q), optional
        The newest row that was forecast from while medians were computed, and the quantiles of the changes from it.
    """

    values: np.ndarray
    seen: np.ndarray
    states: np.ndarray
    medians: Mapping[int, np.ndarray] = field(default_factory=dict)
    newest: tuple[int, np.ndarray] | None = None

    def continued(self, values: np.ndarray, seen: np.ndarray) -> ReadSeries:
        """Return what is known of another history (T'); of rows from the first that differs on, nothing is."""
        n = min(len(self.values), len(values))
        differs = (self.values[:n] != values[:n]) | (self.seen[:n] != seen[:n])
        n = int(np.argmax(differs)) if differs.any() else n
        if n == len(values):  # this history is the longer one
            return self
        medians = {}
        for horizon, table in self.medians.items():
            medians[horizon] = np.full((len(values), horizon), np.nan)
            medians[horizon][:n] = table[:n]
        newest = self.newest if self.newest is not None and self.newest[0] < n else None
        return ReadSeries(values, seen, self.states[: n // BLOCK], medians, newest)

    def quantiles(self, row: int, horizon: int) -> np.ndarray | None:
        """Return the quantiles of the changes from a row, (H, Q); None if they were not computed."""
        if self.newest is None or self.newest[0] != row or len(self.newest[1]) != horizon:
            return None
        return self.newest[1]

    def with_medians(self, rows: np.ndarray, medians: np.ndarray) -> ReadSeries:
        """Return this with the medians (K, H) of the changes from rows (K,)."""
        horizon = medians.shape[1]
        known = self.medians.get(horizon)
        table = np.full((len(self.values), horizon), np.nan) if known is None else known.copy()
        table[rows] = medians
        return replace(self, medians={**self.medians, horizon: table})

    @property
    def nbytes(self) -> int:
        """The memory of its arrays."""
        arrays = (self.values, self.seen, self.states, *self.medians.values())
        return sum(array.nbytes for array in arrays)


class Memory:
    """The series that were read last, up to a number of bytes.

    A series is found by the weights, its season and its first block of rows.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.nbytes = max_bytes, 0
        self._series: OrderedDict[bytes, ReadSeries] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: bytes) -> ReadSeries | None:
        """Return what was read of the series with this key, if it is not dropped."""
        return self._series.get(key)

    def store(self, key: bytes, read: ReadSeries) -> None:
        """Store what was read of a series in place of what was before; those that were stored long ago are dropped."""
        with self._lock:
            self._drop(key)
            self._series[key] = read
            self.nbytes += read.nbytes
            while self.nbytes > self.max_bytes:
                self._drop(next(iter(self._series)))

    def _drop(self, key: bytes) -> None:
        read = self._series.pop(key, None)
        self.nbytes -= 0 if read is None else read.nbytes


def series_key(weights: bytes, season: int, values: np.ndarray, seen: np.ndarray) -> bytes:
    """Return what a series is found by in the memory."""
    digest = hashlib.blake2b(weights + int(season).to_bytes(8, "little"), digest_size=16)
    digest.update(np.ascontiguousarray(values[:BLOCK]).tobytes())
    digest.update(np.ascontiguousarray(seen[:BLOCK]).tobytes())
    return digest.digest()
