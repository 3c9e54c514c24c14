"""Training examples: (series, origin) pairs over the training rows; nothing is copied until a batch is gathered."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from forecast.scaling import MIN_CHANGES, Inputs


class Batch(NamedTuple):
    """B examples: what is read, what should have been said, and where that is known."""

    x: np.ndarray  # (B, L, C) float32
    series: np.ndarray  # (B,) numbers of their series
    target: np.ndarray  # (B, P, H) float32: corrections of the base, in units
    weight: np.ndarray  # (B, P, H) float32: 1 where the target traded, else 0


class Windows:
    """All examples of `length` rows, of which the last `positions` are asked for a forecast.

    A window of 60 rows with one lesson has length 60 and positions 1; a long sequence with a lesson at every row but
    the first 60 has length 300 and positions 240. An origin is the last row of an example. Near the ends of the
    training rows examples reach past them by up to `positions` − 1 rows (read as 0, never a lesson), so that every row
    is a lesson equally often, the newest too. Lessons stand at observed rows; before a price that none of them reaches
    within the horizon, at the missing row before it. `base` (T, N, H) is what the correction is added to; rows before
    `first` are read and teach nothing; `steps` is how many of H are taught (None: all).
    """

    def __init__(
        self,
        inputs: Inputs,
        base: np.ndarray,
        length: int,
        positions: int = 1,
        first: int = 0,
        steps: int | None = None,
    ) -> None:
        self.inputs = inputs
        self.length = length
        self.positions = positions
        reach, base = base.shape[2], base[..., :steps]
        self._base = base
        beyond = np.full((base.shape[2], base.shape[1]), np.nan)
        self._later = np.concatenate([np.where(inputs.observed, inputs.y, np.nan)[1:], beyond])  # (T − 1 + H, N)
        teaches = _origins(inputs.observed, reach) & (inputs.changes >= MIN_CHANGES)
        teaches[:first] = False
        teaches &= (inputs.unit > 0) & np.isfinite(base).all(axis=2) & ~np.isnan(self._future).all(axis=2)
        self._teaches = teaches  # (T, N)
        self.pairs = self._pairs()  # (M, 2): series, origin

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def _future(self) -> np.ndarray:
        """The values 1 … H rows after each row, (T, N, H), NaN past the end; a view."""
        return np.lib.stride_tricks.sliding_window_view(self._later, self._base.shape[2], axis=0)

    def _pairs(self) -> np.ndarray:
        """Find the pairs whose supervised rows hold a lesson."""
        reach = np.pad(self._teaches, ((0, self.positions - 1), (0, 0)))
        lessons = np.cumsum(reach, axis=0, dtype=np.int64)  # in the supervised rows up to each
        lessons[self.positions :] -= lessons[: -self.positions].copy()
        origin, column = np.nonzero(lessons)
        return np.stack([column, origin], axis=1, dtype=np.int32, casting="same_kind")

    def draw(self, rng: np.random.Generator, batch_size: int) -> Batch:
        """Copy examples drawn at random."""
        return self.gather(rng.integers(len(self), size=batch_size))

    def gather(self, which: np.ndarray) -> Batch:
        """Copy the examples of these numbers (B,) out of the panel."""
        series, origin = self.pairs[which].T
        x = rows_before(self.inputs.x, origin, series, self.length)
        asked = origin[:, None] + np.arange(1 - self.positions, 1)  # (B, P)
        known = (asked >= 0) & (asked < len(self._teaches))
        asked, column = np.where(known, asked, 0), series[:, None]
        unit = self.inputs.unit[asked, column][..., None]  # (B, P, 1)
        future = self._future[asked, column]  # (B, P, H)
        weight = (known & self._teaches[asked, column])[..., None] & ~np.isnan(future)
        gap = np.where(weight, future - self._base[asked, column], 0.0)
        target = np.divide(gap, unit, out=np.zeros_like(gap), where=unit > 0)
        return Batch(x, series, target.astype(np.float32), weight.astype(np.float32))


def _origins(observed: np.ndarray, horizon: int) -> np.ndarray:
    """Say which rows are asked for a forecast in training, (T, N).

    One row ahead a stock beside a coin has no Saturday to be compared with on a Friday, and no price to be asked from
    on a Sunday: unless Sunday is asked, which reads Friday's price and a flag, no Monday would ever be learnt.
    """
    seen = np.cumsum(np.pad(observed, ((horizon, 0), (0, 0))), axis=0)
    unreached = seen[horizon:] == seen[:-horizon]  # nothing was observed in the last `horizon` rows
    comes = np.pad(observed[1:], ((0, 1), (0, 0)))
    return observed | (unreached & comes)


def rows_before(x: np.ndarray, origin: np.ndarray, series: np.ndarray, length: int) -> np.ndarray:
    """Copy the `length` rows up to each origin out of (T, N, C): (B, L, C), 0 where there are none."""
    rows = origin[:, None] + np.arange(1 - length, 1)  # (B, L)
    inside = (rows >= 0) & (rows < len(x))
    return np.where(inside[..., None], x[np.where(inside, rows, 0), series[:, None]], np.float32(0))
