"""Panels whose series start at very different rows: networks are trained on, and forecast, groups of series.

A group has no rows long before its series start, so that memory and time are in proportion to the observed values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from forecast.data.panel import Panel
from forecast.features.dataset import Batch, SequenceDataset, TrainingRows
from forecast.features.inputs import Inputs
from forecast.models.base import Forecast

GROWTH = 1.3  # rows of the longest series in a group, relative to those of the shortest
SAVING = 2.0  # a panel is grouped where that leaves at most one cell of so many


@dataclass(frozen=True)
class Group:
    """Series of a panel that start at similar rows: their numbers, and the first row that is read."""

    series: np.ndarray  # (n,)
    first: int

    @property
    def has_panel_numbers(self) -> bool:
        """Whether the first row and series of the panel are those of the group, so that both number them alike."""
        return self.first == 0 and np.array_equal(self.series, np.arange(len(self.series)))

    def rows_of(self, panel: Panel) -> Panel:
        """Return the rows of the group; the same object if they are the whole panel."""
        if self.first == 0 and len(self.series) == len(panel.series):
            return panel
        return panel[self.first :].of_series(self.series)


def group_series(first_observed: np.ndarray, n_rows: int, rows_before: int) -> list[Group]:
    """Return groups of the series of a panel by their first observed row, (N,), with so many rows before it.

    There is one group of all series if more would not save half of the memory.
    """
    n_series, start = len(first_observed), np.minimum(first_observed, n_rows - 1)
    size = np.floor(np.log(n_rows - start) / np.log(GROWTH)).astype(int)  # (N,)
    groups = []
    for one in np.unique(size)[::-1]:
        series = np.flatnonzero(size == one)
        groups.append(Group(series, max(int(start[series].min()) - rows_before, 0)))
    cells = sum((n_rows - group.first) * len(group.series) for group in groups)
    if cells * SAVING > n_rows * n_series:
        return [Group(np.arange(n_series), 0)]
    return groups


@dataclass(frozen=True)
class RaggedRows:
    """The T training rows of groups of series; those before a group's first row are not stored."""

    groups: list[Group]
    parts: list[TrainingRows]
    n_rows: int

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, rows: slice) -> RaggedRows:
        """Return the first rows."""
        n = rows.indices(self.n_rows)[1]
        chosen = [(g, p[: n - g.first]) for g, p in zip(self.groups, self.parts, strict=True) if g.first < n]
        return RaggedRows([group for group, _ in chosen], [part for _, part in chosen], n)

    def examples(self, length: int, positions: int, first: int, steps: int | None) -> SequenceDataset | RaggedExamples:
        """Return the examples of these rows, with the arguments of `SequenceDataset`."""
        parts = [
            SequenceDataset(part, length, positions, max(first - group.first, 0), steps)
            for group, part in zip(self.groups, self.parts, strict=True)
        ]
        is_panel = len(parts) == 1 and self.groups[0].has_panel_numbers
        return parts[0] if is_panel else RaggedExamples(self.groups, parts)

    def n_observed(self, first: int) -> np.ndarray:
        """Return the number of observed values of each series from a row on, (N,)."""
        counts = np.zeros(sum(len(group.series) for group in self.groups), dtype=np.int64)
        for group, part in zip(self.groups, self.parts, strict=True):
            counts[group.series] = part.inputs.observed[max(first - group.first, 0) :].sum(axis=0)
        return counts

    def of_series(self, series: np.ndarray) -> TrainingRows:
        """Return all rows of these series, those before their group's first row as not observed."""
        if len(self.parts) == 1 and self.groups[0].has_panel_numbers:
            return self.parts[0].of_series(series)
        columns = []
        for n in series:
            group, part = next(pair for pair in zip(self.groups, self.parts, strict=True) if n in pair[0].series)
            columns.append(_prepend(part.of_series(np.flatnonzero(group.series == n)), group.first))
        x = {
            f.name: np.concatenate([getattr(c.inputs, f.name) for c in columns], axis=-1 if f.name == "start" else 1)
            for f in fields(Inputs)
        }
        return replace(columns[0], inputs=Inputs(**x), base=np.concatenate([c.base for c in columns], axis=1))


def trim_rows(group: Group, rows: TrainingRows) -> tuple[Group, TrainingRows]:
    """Return a group and its training rows without those before the first observed one, where all inputs are 0.

    The arrays are copies: those of all rows need not stay in memory. They are the same objects if an input is not 0.
    """
    inputs, n = rows.inputs, int(rows.inputs.observed.any(axis=1).argmax())
    if n == 0 or rows.known is not None or inputs.x[:n].any():
        return group, rows
    arrays = {name: _copy(array[n:]) for name, array in vars(inputs).items() if name != "start"}
    base, phase = _copy(rows.base[n:]), (rows.phase - n) % rows.stride
    trimmed = replace(rows, inputs=Inputs(start=inputs.start, **arrays), base=base, phase=phase)
    return Group(group.series, group.first + n), trimmed


def _copy(array: np.ndarray) -> np.ndarray:
    """Return a copy of an array; a view that repeats its values, as of one weight, is returned as it is."""
    return array if 0 in array.strides else array.copy()


def share_steps(base: np.ndarray) -> np.ndarray:
    """Return forecasts (T, N, H), as a view of one step where those of all steps are equal."""
    one = base[..., :1]
    if not ((base == one) | (np.isnan(base) & np.isnan(one))).all():
        return base
    return np.broadcast_to(one.copy(), base.shape)


def _prepend(rows: TrainingRows, n: int) -> TrainingRows:
    """Return training rows with n rows before them in which nothing is observed."""
    fill = {"x": 0, "y": np.nan, "recent_change": 0, "scale": 0, "observed": False, "n_changes": 0, "weight": 1}
    arrays = {name: _pad(getattr(rows.inputs, name), n, value) for name, value in fill.items()}
    phase = (rows.phase + n) % rows.stride
    return replace(rows, inputs=Inputs(start=rows.inputs.start, **arrays), base=_pad(rows.base, n, np.nan), phase=phase)


def _pad(array: np.ndarray, n: int, value: float) -> np.ndarray:
    return np.concatenate([np.full((n, *array.shape[1:]), value, dtype=array.dtype), array])


def predict_groups(
    predict: Callable[[Panel, np.ndarray], Forecast], groups: Sequence[Group], panel: Panel, rows: np.ndarray
) -> Forecast:
    """Return the forecasts of a panel from rows (K,), those of each group by `predict`; NaN before its first row."""
    if len(groups) == 1:
        return predict(panel, rows)
    forecast = None
    for group in groups:
        later = rows >= group.first
        if not later.any():
            continue
        own = predict(group.rows_of(panel), rows[later] - group.first)
        assert own.quantiles is not None
        if forecast is None:
            shape = (len(rows), len(panel.series), own.point.shape[2])
            point, quantiles = np.full(shape, np.nan), np.full((*shape, len(own.levels)), np.nan)
            members = None if own.members is None else np.full((len(own.members), *shape), np.nan)
            forecast = Forecast(point, quantiles, own.levels, panel.series, panel.index[rows], members)
        cells = np.ix_(later, group.series)
        point[cells], quantiles[cells] = own.point, own.quantiles
        if members is not None and own.members is not None:
            for member, of_group in zip(members, own.members, strict=True):
                member[cells] = of_group
    assert forecast is not None
    return forecast


class RaggedExamples:
    """The training examples of several groups of series, in the order of those of the whole panel."""

    def __init__(self, groups: Sequence[Group], parts: Sequence[SequenceDataset]) -> None:
        self.groups, self.parts = groups, parts
        self._n_series = max((int(group.series.max()) for group in groups), default=0) + 1
        self._group, self._column = np.empty((2, self._n_series), dtype=np.int32)  # of each series
        for i, group in enumerate(groups):
            self._group[group.series], self._column[group.series] = i, np.arange(len(group.series))
        cells = [self._find_cells(group, part) for group, part in zip(groups, parts, strict=True)]
        self._cells = np.concatenate([np.empty(0, dtype=np.int64), *cells])  # (M,)
        self._cells.sort()

    def _find_cells(self, group: Group, part: SequenceDataset) -> np.ndarray:
        """Return origin · N + series of each example of a group, (M,)."""
        column, origin = part.find_pairs().T
        return (group.first + origin.astype(np.int64)) * self._n_series + group.series[column]

    def __len__(self) -> int:
        return len(self._cells)

    def check(self, min_changes: int) -> None:
        """Raise ValueError if there is nothing to learn."""
        if not len(self):
            self.parts[0].check(min_changes)

    def draw(self, rng: np.random.Generator, batch_size: int) -> Batch:
        """Copy examples drawn at random."""
        return self.gather(rng.integers(len(self), size=batch_size))

    def gather(self, numbers: np.ndarray) -> Batch:
        """Copy the examples of these numbers (B,)."""
        origin, series = np.divmod(self._cells[numbers], self._n_series)
        places, batches = [], []
        for i in np.unique(self._group[series]):
            place = np.flatnonzero(self._group[series] == i)
            batch = self.parts[i].gather_at(self._column[series[place]], origin[place] - self.groups[i].first)
            places.append(place)
            batches.append(batch._replace(series=series[place].astype(np.int32)))
        order = np.argsort(np.concatenate(places))
        return Batch(*(np.concatenate(arrays)[order] for arrays in zip(*batches, strict=True)))
