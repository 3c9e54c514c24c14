"""Training examples: one rule for the rows they start from, and one class for each kind of example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from forecast.features.inputs import MIN_CHANGES, N_INPUTS, N_STATE_CHANNELS, Inputs, iter_series_chunks
from forecast.features.step_inputs import StepInputs
from forecast.features.windows import block_edges, future_change, future_windows, windows_ending_at

EXAMPLES_PER_CHUNK = 8192  # lagged windows that are computed at the same time: they fit into a processor's cache


def trainable_rows(
    inputs: Inputs,
    *,
    first: int = 0,
    min_changes: int = MIN_CHANGES,
    horizon: int | None = None,
    needs_scale: bool = True,
) -> np.ndarray:
    """Return from which rows a training example can start, (T, N) of bool.

    These are the observed rows with enough changes before them, a weight above 0 and a scale to measure the target in.
    With `horizon`, a missing row t is included too if row t + 1 is observed but none of the rows t + 1 − `horizon` … t
    is; otherwise the value at t + 1 would never be a target. One step ahead, in a panel of a stock and a coin, only
    Sunday, which holds Friday's price and a flag, can predict Monday's stock price.

    Parameters
    ----------
    inputs : Inputs
        The inputs of T rows and N series.
    first : int, default 0
        Rows before it are excluded.
    min_changes : int, default 20
        Observed changes (or errors of the base) that must come before the row.
    horizon : int, optional
        Steps of a forecast, if missing rows may be included.
    needs_scale : bool, default True
        Whether to exclude rows whose scale is 0.

    Returns
    -------
    array of bool, shape (T, N)
    """
    trainable = inputs.observed if horizon is None else inputs.observed | _before_unreached(inputs.observed, horizon)
    trainable = trainable & (inputs.n_changes >= min_changes) & (inputs.weight > 0)
    if needs_scale:
        trainable &= inputs.scale > 0
    trainable[:first] = False
    return trainable


def _before_unreached(observed: np.ndarray, horizon: int) -> np.ndarray:
    """Return the rows before an observed one that come after `horizon` missing rows, (T, N) of bool."""
    count = np.cumsum(np.pad(observed, ((horizon, 0), (0, 0))), axis=0, dtype=np.int32)
    unreached = count[horizon:] == count[:-horizon]  # nothing was observed in the last `horizon` rows
    return unreached & np.pad(observed[1:], ((0, 1), (0, 0)))


def changes_needed(rows: int) -> int:
    """Return how many changes must come before a training example where the median series has so many rows.

    They are 20, so that a scale is that of many changes, and fewer only where half of the series are shorter than 100
    rows: a fifth of their rows, at least 2.
    """
    return min(MIN_CHANGES, max(rows // 5, 2))


def rows_needed(lookback: int, horizon: int) -> int:
    """Return the fewest rows of a series, alone in its panel, that have a training example with all its targets."""
    rows = lookback + horizon
    while rows < changes_needed(rows) + 1 + horizon:
        rows += 1
    return rows


@dataclass(frozen=True)
class TrainingRows:
    """Rows that a network is trained on, and what it corrects there."""

    inputs: Inputs
    base: np.ndarray  # (T, N, H) the forecasts that are corrected
    known: StepInputs | None = None  # what is known in advance of each step
    stride: int = 1  # examples forecast from every stride-th row,
    phase: int = 0  # of those whose number has this remainder
    min_changes: int = MIN_CHANGES  # observed changes before a row with targets

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, rows: slice) -> TrainingRows:
        """Return the first rows."""
        known = None if self.known is None else self.known[rows]
        return replace(self, inputs=self.inputs[rows], base=self.base[rows], known=known)

    def of_series(self, series: np.ndarray) -> TrainingRows:
        """Return the rows of these series; the same object if they are all."""
        if len(series) == self.base.shape[1]:
            return self
        arrays = {name: array[:, series] for name, array in vars(self.inputs).items() if name != "start"}
        known = None if self.known is None else self.known.of_series(series)
        return replace(
            self, inputs=Inputs(start=self.inputs.start[series], **arrays), base=self.base[:, series], known=known
        )

    def starts(self) -> np.ndarray:
        """Return whether an example forecasts from each row, (T,)."""
        return np.arange(len(self)) % self.stride == self.phase


class Batch(NamedTuple):
    """B training examples: inputs, targets, and where the targets are known."""

    x: np.ndarray  # (B, L, C) float32
    series: np.ndarray  # (B,) numbers of their series
    target: np.ndarray  # (B, P, H) float32: corrections of the base, relative to the scale
    weight: np.ndarray  # (B, P, H) float32: that of the row where the target is known (1 on average), else 0
    steps: np.ndarray  # (B, P, H, C') float32: what is known in advance of each step


class SequenceDataset:
    """Sequences of input rows with targets at the last `positions` of them; nothing is copied before `gather`.

    A window of 60 rows with one target has length 60 and positions 1; a long sequence with a target at every row but
    the first 60 has length 180 and positions 120. An origin is the last row of an example. Near the ends of the
    training rows examples reach past them by up to `positions` − 1 rows (read as 0, without a target), so that every
    row is supervised equally often, the newest too.

    Parameters
    ----------
    data : TrainingRows
        The T rows of N series, with the forecasts that are corrected.
    length : int
        Rows of an example.
    positions : int, default 1
        The last rows of an example, which have targets.
    first : int, default 0
        Rows before it are inputs only.
    steps : int, optional
        How many of the H steps are targets (None: all).
    """

    def __init__(
        self, data: TrainingRows, length: int, positions: int = 1, first: int = 0, steps: int | None = None
    ) -> None:
        self.inputs, self.known = data.inputs, data.known
        self.length = length
        self.positions = positions
        self._base = data.base[..., :steps]  # (T, N, H)
        self._has_target = _has_targets(data, self._base, first)  # (T, N), at the steps that are observed
        self._pairs: np.ndarray | None = None  # not yet found
        self._weight = None  # (T, N), None if all are 1
        if not _is_constant(self.inputs.weight):
            self._weight = _mean_one(self.inputs.weight, self._count_targets())

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def pairs(self) -> np.ndarray:
        """Series and origin of every example that has at least one target, (M, 2)."""
        if self._pairs is None:
            self._pairs = self.find_pairs()
        return self._pairs

    def check(self, min_changes: int) -> None:
        """Raise ValueError if there is nothing to learn."""
        if not self.inputs.scale.any():
            raise ValueError(
                "the scale is 0 at every training row: no series changes, or the base is never wrong, so there is "
                "nothing to learn"
            )
        if not len(self):
            raise ValueError(
                f"the {len(self._base)} training rows have no training example: an example needs {min_changes} "
                "earlier changes, a base forecast and a later value; no row has all three. Use more history, or a base "
                "that needs less"
            )

    def find_pairs(self) -> np.ndarray:
        """Return series and origin of every example that has at least one target, (M, 2)."""
        has_target = np.pad(self._count_targets() > 0, ((0, self.positions - 1), (0, 0)))
        count = np.cumsum(has_target, axis=0, dtype=np.int32)
        count[self.positions :] -= count[: -self.positions].copy()  # now the targets in the last `positions` rows
        origin, column = np.nonzero(count)
        return np.stack([column, origin], axis=1, dtype=np.int32, casting="same_kind")

    def _count_targets(self) -> np.ndarray:
        """Return the number of steps of each row that have a target, (T, N) of int."""
        horizon = self._base.shape[2]
        observed = np.pad(self.inputs.observed, ((1, horizon), (0, 0)))
        seen = np.cumsum(observed, axis=0, dtype=np.int32)  # before each row
        return np.where(self._has_target, seen[horizon + 1 :] - seen[1:-horizon], 0)

    def draw(self, rng: np.random.Generator, batch_size: int) -> Batch:
        """Copy examples drawn at random."""
        return self.gather(rng.integers(len(self), size=batch_size))

    def gather(self, numbers: np.ndarray) -> Batch:
        """Copy the examples of these numbers (B,)."""
        return self.gather_at(*self.pairs[numbers].T)

    def gather_at(self, series: np.ndarray, origin: np.ndarray) -> Batch:
        """Copy the examples of these series (B,) and origins (B,)."""
        x = windows_ending_at(self.inputs.x, origin, series, self.length)
        rows = origin[:, None] + np.arange(1 - self.positions, 1)  # (B, P)
        inside = (rows >= 0) & (rows < len(self._base))
        rows, columns = np.where(inside, rows, 0), series[:, None]
        target = self._targets(rows, columns)  # (B, P, H)
        known = inside[..., None] & ~np.isnan(target)
        weight = known.astype(np.float32)
        if self._weight is not None:
            weight *= self._weight[rows, columns, None]
        steps = np.empty((*target.shape, 0), dtype=np.float32)
        if self.known is not None:
            steps = self.known.at(rows, columns)
        return Batch(x, series, np.where(known, target, np.float32(0)), weight, steps)

    def _targets(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the targets of rows (B, P) of series (B, 1), (B, P, H) float32; NaN where there is none."""
        later = rows[..., None] + np.arange(1, self._base.shape[2] + 1)  # (B, P, H)
        inside, series = later < len(self._base), columns[..., None]
        later = np.where(inside, later, 0)
        known = inside & self._has_target[rows, columns][..., None] & self.inputs.observed[later, series]
        gap = self.inputs.y[later, series] - self._base[rows, columns]
        target = np.full_like(gap, np.nan)
        np.divide(gap, self.inputs.scale[rows, columns][..., None], out=target, where=known)
        return target.astype(np.float32)


def _is_constant(array: np.ndarray) -> bool:
    """Return whether an array is a view of one number."""
    return not any(array.strides)


def _mean_one(weight: np.ndarray, count: np.ndarray) -> np.ndarray | None:
    """Return weights (T, N) times a factor, float32, so that their mean over `count` targets a row, (T, N), is 1.

    None if all are equal.
    """
    if not count.any() or np.ptp(weight[count > 0]) == 0:
        return None
    return (weight * (count.sum() / (weight * count).sum())).astype(np.float32)


def _has_targets(data: TrainingRows, base: np.ndarray, first: int) -> np.ndarray:
    """Return the rows with targets at those of the next H steps that are observed, (T, N) of bool."""
    rows = trainable_rows(data.inputs, first=first, horizon=data.base.shape[2], min_changes=data.min_changes)
    rows &= data.starts()[:, None]
    for chunk in iter_series_chunks(base.shape[1]):
        rows[:, chunk] &= np.isfinite(base[:, chunk]).all(axis=2)
    return rows


class LaggedFeatures:
    """Features of a regression: the last changes and newest distances from averages of each channel, and static ones.

    A cell, one row of one series, has the number row · N + series, so that cells are numbered in order of time.
    """

    def __init__(self, channels: Sequence[np.ndarray], lookback: int, static: np.ndarray) -> None:
        """Store the inputs (T, N, C) of each channel, whose last `lookback` changes are features, and static (N, E)."""
        self.lookback, self.static = lookback, static
        self.n_series = channels[0].shape[1]
        columns = range(N_STATE_CHANNELS, N_INPUTS - 1)  # change, then the distances
        self._inputs = [[x[:, :, c].ravel() for c in columns] for x in channels]
        self.n_features = len(channels) * (lookback + len(columns) - 1) + static.shape[1]  # F

    def at(self, cells: np.ndarray) -> np.ndarray:
        """Return the features of cells (M,), each in a row, (F, M)."""
        first = cells % self.n_series  # row 0, where no change has happened yet, replaces the rows before it
        lagged = [np.maximum(cells - rows * self.n_series, first) for rows in range(self.lookback)]
        features = [
            feature
            for change, *distances in self._inputs
            for feature in (*(change[at] for at in lagged), *(distance[cells] for distance in distances))
        ]
        return np.stack([*features, *self.static[first].T])


class LaggedDataset:
    """The cells that a regression is trained on: their features, and the changes after them relative to the scale.

    `data` has the base's forecasts, the last value at every step, and what is known in advance of each step.
    """

    def __init__(self, y: np.ndarray, data: TrainingRows, lagged: LaggedFeatures) -> None:
        self.lagged, self.horizon, self.known = lagged, data.base.shape[2], data.known
        trainable = trainable_rows(data.inputs, first=lagged.lookback - 1)  # (T, N)
        self.trainable = trainable & data.starts()[:, None]
        self.cells = np.flatnonzero(self.trainable)  # (M,)
        self._y, self._future, self._scale = y, future_windows(y, self.horizon), data.inputs.scale
        weight = data.inputs.weight[self.trainable]  # (M,)
        self._weight = weight if len(weight) and np.ptp(weight) > 0 else None

    def __len__(self) -> int:
        return len(self.cells)

    def step_without_target(self) -> int | None:
        """Return the first step for which no example has a target; None if each step has some."""
        known = [(self.trainable & ~np.isnan(self._future[:, :, k])).any() for k in range(self.horizon)]
        return None if all(known) else known.index(False) + 1

    def features(self, examples: slice) -> np.ndarray:
        """Return the features of these examples, (F, M)."""
        return self.lagged.at(self.cells[examples])

    def step_features(self, examples: slice) -> np.ndarray:
        """Return what is known in advance of the steps after these examples, (H, C, M); C is 0 if nothing is."""
        return step_features(self.known, self.cells[examples], self.lagged.n_series, self.horizon)

    def targets(self, examples: slice) -> np.ndarray:
        """Return the changes after these examples, relative to the scale, (H, M); NaN where they are not known."""
        cells = np.divmod(self.cells[examples], self.lagged.n_series)
        return ((self._future[cells] - self._y[cells][:, None]) / self._scale[cells][:, None]).T

    def weights(self, examples: slice) -> np.ndarray | None:
        """Return the weights of these examples, (M,); None if all are equal."""
        return None if self._weight is None else self._weight[examples]

    def feature_matrix(self) -> np.ndarray:
        """Return the features of all examples that all steps share, (M, F) float32."""
        x = np.empty((len(self), self.lagged.n_features), dtype=np.float32)
        for chunk in iter_example_chunks(slice(0, len(self))):
            x[chunk] = self.features(chunk).T
        return x

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Yield, for each block but the first, the examples whose targets end before it, and those in the block."""
        for start, stop in pairwise(block_edges(len(self._y))[1:]):
            yield self._between(0, max(start - self.horizon, 0)), self._between(start, stop)

    def _between(self, first: int, stop: int) -> slice:
        """Return the examples of these rows."""
        return slice(*np.searchsorted(self.cells, [first * self.lagged.n_series, stop * self.lagged.n_series]))


def step_features(known: StepInputs | None, cells: np.ndarray, n_series: int, horizon: int) -> np.ndarray:
    """Return what is known in advance of the steps after cells (M,), (H, C, M); C is 0 if nothing is."""
    if known is None:
        return np.empty((horizon, 0, len(cells)))
    return np.moveaxis(known.at(*np.divmod(cells, n_series)), 0, 2)


def iter_example_chunks(examples: slice, size: int = EXAMPLES_PER_CHUNK) -> Iterator[slice]:
    """Yield chunks of examples that are small enough for all their features to be computed at once."""
    for first in range(examples.start, examples.stop, size):
        yield slice(first, min(first + size, examples.stop))


class LabelledSequences:
    """Sequences, each (L,) of token ids or (L, C) of vectors, with the numbers of their classes (M,).

    A batch has sequences of one length: there is no padding to mask, so none can change an output. In each epoch
    sequences are shuffled, sorted by length, cut into batches, and the batches are shuffled.
    """

    def __init__(self, sequences: Sequence[np.ndarray], labels: np.ndarray) -> None:
        self.sequences, self.labels = sequences, labels
        self.lengths = np.array([len(sequence) for sequence in sequences])
        self._epoch: Iterator[np.ndarray] = iter(())  # the batches that remain

    def __len__(self) -> int:
        return len(self.lengths)

    def split(self, share: float) -> tuple[LabelledSequences, LabelledSequences | None]:
        """Return the examples in two parts, the last share of them for validation (None if the share is 0)."""
        n_train = len(self) - round(share * len(self))
        if n_train == 0 or (share and n_train == len(self)):
            raise ValueError(f"validation_split={share} of {len(self)} examples leaves one part empty")
        train, late = slice(None, n_train), slice(n_train, None)
        validation = LabelledSequences(self.sequences[late], self.labels[late]) if share else None
        return LabelledSequences(self.sequences[train], self.labels[train]), validation

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches of an epoch."""
        return int(np.ceil(np.unique(self.lengths, return_counts=True)[1] / batch_size).sum())

    def draw(self, rng: np.random.Generator, batch_size: int) -> tuple[np.ndarray, ...]:
        """Return the next batch of the epoch, or the first of a new one."""
        numbers = next(self._epoch, None)
        if numbers is None:
            batches = batches_by_length(self.lengths, batch_size, rng.permutation(len(self)))
            self._epoch = iter([batches[i] for i in rng.permutation(len(batches))])
            numbers = next(self._epoch)
        return self.gather(numbers)

    def gather(self, numbers: np.ndarray) -> tuple[np.ndarray, ...]:
        """Copy these sequences, all of one length, and their classes: (B, L[, C]) and (B,)."""
        return np.stack([self.sequences[i] for i in numbers]), self.labels[numbers]


class DirectionDataset(LabelledSequences):
    """Windows of a price panel with the direction of a later price, 0 down and 1 up.

    The M windows of `lookback` rows are given by `pairs` of a series and a last row, (M, 2), with the direction of the
    price `horizon` rows later as `labels` (M,).
    """

    def __init__(self, inputs: Inputs, pairs: np.ndarray, labels: np.ndarray, lookback: int, horizon: int) -> None:
        self.inputs, self.pairs, self.labels = inputs, pairs, labels
        self.lookback, self.horizon = lookback, horizon
        self.lengths = np.full(len(pairs), lookback)
        self._epoch = iter(())

    @classmethod
    def from_prices(cls, inputs: Inputs, prices: np.ndarray, lookback: int, horizon: int) -> DirectionDataset:
        """Return all windows of prices (T, N) whose direction is known and not zero, oldest first.

        Raises ValueError if there is none.
        """
        change, min_changes = future_change(prices, horizon), max(MIN_CHANGES, lookback)
        labelled = trainable_rows(inputs, min_changes=min_changes, needs_scale=False)
        labelled &= np.isfinite(change) & (change != 0)
        origin, series = np.nonzero(labelled)
        if not len(origin):
            raise ValueError(
                f"no row has {min_changes} traded rows before it and a different price {horizon} rows after it: "
                "use more history, prices that move, or a shorter lookback"
            )
        labels = (change[labelled] > 0).astype(np.int64)
        return cls(inputs, np.stack([series, origin], axis=1), labels, lookback, horizon)

    def split(self, share: float) -> tuple[LabelledSequences, LabelledSequences | None]:
        """Return the examples in two parts by time: no label of the first depends on a row of the second."""
        if not share:
            return self, None
        origin = self.pairs[:, 1]
        first = origin[len(self) - max(round(share * len(self)), 1)]  # of the validation rows
        train, validation = self._subset(origin + self.horizon < first), self._subset(origin >= first)
        if not len(train):
            raise ValueError(f"validation_split={share} of {len(self)} examples leaves none to train on")
        return train, validation

    def _subset(self, selected: np.ndarray) -> DirectionDataset:
        return DirectionDataset(self.inputs, self.pairs[selected], self.labels[selected], self.lookback, self.horizon)

    def gather(self, numbers: np.ndarray) -> tuple[np.ndarray, ...]:
        """Copy these windows and their directions: (B, L, C) and (B,)."""
        series, origin = self.pairs[numbers].T
        x = windows_ending_at(self.inputs.x[..., N_STATE_CHANNELS:], origin, series, self.lookback)
        return x, self.labels[numbers]


def batches_by_length(lengths: np.ndarray, batch_size: int, order: np.ndarray) -> list[np.ndarray]:
    """Return the numbers in `order` as batches of sequences of one length."""
    by_length = order[np.argsort(lengths[order], kind="stable")]
    groups = np.split(by_length, np.flatnonzero(np.diff(lengths[by_length])) + 1)
    return [group[i : i + batch_size] for group in groups for i in range(0, len(group), batch_size)]
