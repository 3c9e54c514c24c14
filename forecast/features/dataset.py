"""Training examples: (series, origin) pairs over the training rows; nothing is copied until a batch is gathered."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from forecast.features.inputs import MIN_CHANGES, Inputs, iter_series_chunks


class Batch(NamedTuple):
    """B examples: what is read, what should have been said, and where that is known."""

    x: np.ndarray  # (B, L, C) float32
    series: np.ndarray  # (B,) numbers of their series
    target: np.ndarray  # (B, P, H) float32: corrections of the base, in units
    weight: np.ndarray  # (B, P, H) float32: 1 where the target traded, else 0


class SequenceDataset:
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
        self._target = _lessons(inputs, base, first, steps)  # (T, N, H) float32, NaN where nothing is taught
        self.pairs = self._pairs()  # (M, 2): series, origin

    def __len__(self) -> int:
        return len(self.pairs)

    def _pairs(self) -> np.ndarray:
        """Find the pairs whose supervised rows hold a lesson."""
        reach = np.pad(~np.isnan(self._target).all(axis=2), ((0, self.positions - 1), (0, 0)))
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
        x = windows_ending_at(self.inputs.x, origin, series, self.length)
        asked = origin[:, None] + np.arange(1 - self.positions, 1)  # (B, P)
        known = (asked >= 0) & (asked < len(self._target))
        target = self._target[np.where(known, asked, 0), series[:, None]]  # (B, P, H)
        weight = known[..., None] & ~np.isnan(target)
        return Batch(x, series, np.where(weight, target, np.float32(0)), weight.astype(np.float32))


def _lessons(inputs: Inputs, base: np.ndarray, first: int, steps: int | None) -> np.ndarray:
    """Give what is to be learnt at every row, in units, (T, N, H) float32; NaN where that is nothing."""
    reach, base = base.shape[2], base[..., :steps]
    beyond = np.full((base.shape[2], base.shape[1]), np.nan)
    later = np.concatenate([np.where(inputs.observed, inputs.y, np.nan)[1:], beyond])  # (T − 1 + H, N)
    future = np.lib.stride_tricks.sliding_window_view(later, base.shape[2], axis=0)  # (T, N, H), NaN past the end
    teaches = _origins(inputs.observed, reach) & (inputs.n_changes >= MIN_CHANGES) & (inputs.scale > 0)
    teaches[:first] = False
    target = np.full(base.shape, np.nan, dtype=np.float32)
    for some in iter_series_chunks(base.shape[1]):
        teaches[:, some] &= np.isfinite(base[:, some]).all(axis=2)
        gap, taught = future[:, some] - base[:, some], teaches[:, some, None]
        target[:, some] = np.divide(gap, inputs.scale[:, some, None], out=np.full_like(gap, np.nan), where=taught)
    return target


def _origins(observed: np.ndarray, horizon: int) -> np.ndarray:
    """Say which rows are asked for a forecast in training, (T, N).

    One row ahead a stock beside a coin has no Saturday to be compared with on a Friday, and no price to be asked from
    on a Sunday: unless Sunday is asked, which reads Friday's price and a flag, no Monday would ever be learnt.
    """
    seen = np.cumsum(np.pad(observed, ((horizon, 0), (0, 0))), axis=0)
    unreached = seen[horizon:] == seen[:-horizon]  # nothing was observed in the last `horizon` rows
    comes = np.pad(observed[1:], ((0, 1), (0, 0)))
    return observed | (unreached & comes)


def windows_ending_at(x: np.ndarray, origin: np.ndarray, series: np.ndarray, length: int) -> np.ndarray:
    """Copy the `length` rows up to each origin out of (T, N, C): (B, L, C), 0 where there are none."""
    rows = origin[:, None] + np.arange(1 - length, 1)  # (B, L)
    inside = (rows >= 0) & (rows < len(x))
    return np.where(inside[..., None], x[np.where(inside, rows, 0), series[:, None]], np.float32(0))
