"""Targets of many series of different lengths, without the empty rows before and after each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.csv.long_tables import TICKER_COLUMNS
from forecast.data.csv.transposed import positions_of_dates
from forecast.data.date_parts import columns_are
from forecast.data.fields import LONG_COLUMNS, kinds_of, plain_name
from forecast.data.frames import read_index
from forecast.data.row_labels import may_name_dates

MIN_CELLS = 2**20  # of a table, rows × series: a smaller one is stored as it is
SAVING = 4  # a larger one is stored without its empty rows where that leaves at most one cell of so many


@dataclass(frozen=True, eq=False)
class RaggedCells:
    """The values of N series from the first row of each to its last, one series after another.

    Parameters
    ----------
    flat : array of shape (M,)
        The values of all series, NaN where one was not observed between its first and its last row.
    begin, first, length : arrays of shape (N,)
        Where each series begins in `flat`, the row of that value, and the number of its rows.
    n_rows : int
        Rows of the table.
    """

    flat: np.ndarray
    begin: np.ndarray
    first: np.ndarray
    length: np.ndarray
    n_rows: int

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, rows: slice) -> RaggedCells:
        """Return these rows without copying values."""
        start, stop, _ = rows.indices(self.n_rows)
        skipped = np.clip(start - self.first, 0, self.length)
        last = np.clip(stop - self.first, skipped, self.length)
        first = np.clip(self.first + skipped - start, 0, None)
        return RaggedCells(self.flat, self.begin + skipped, first, last - skipped, max(stop - start, 0))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy the values of these rows only: a slice that is sent to another process has no later ones."""
        begin = self.length.cumsum() - self.length
        return RaggedCells, (self.flat[self._positions(self.begin)], begin, self.first, self.length, self.n_rows)

    def dense(self, series: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Return the table of these series, (T, n, 1), NaN where there is no value."""
        part = RaggedCells(self.flat, self.begin[series], self.first[series], self.length[series], self.n_rows)
        values = np.full((self.n_rows, len(part.begin), 1), np.nan)
        values[part._positions(part.first), np.repeat(np.arange(len(part.begin)), part.length), 0] = self.flat[
            part._positions(part.begin)
        ]
        return values

    def observed(self) -> np.ndarray:
        """Return where there is a value, (T, N) of bool."""
        observed = np.zeros((self.n_rows, len(self.begin)), dtype=bool)
        known = ~np.isnan(self.flat[self._positions(self.begin)])
        observed[self._positions(self.first), np.repeat(np.arange(len(self.begin)), self.length)] = known
        return observed

    def count(self) -> np.ndarray:
        """Return the number of values of each series, (N,)."""
        known = self._known()
        return known[self.begin + self.length] - known[self.begin]

    def first_observed(self) -> np.ndarray:
        """Return the row of the first value of each series, (N,); the number of rows where there is none."""
        known = self._known()
        skipped = np.searchsorted(known, known[self.begin], side="right") - 1 - self.begin
        return np.where(skipped < self.length, self.first + skipped, self.n_rows)

    def _known(self) -> np.ndarray:
        """Return how many values come before each position of `flat`, (M + 1,)."""
        return np.concatenate([[0], np.cumsum(~np.isnan(self.flat))])

    def _positions(self, start: np.ndarray) -> np.ndarray:
        """Return start, start + 1, … of each series, as many as it has rows, one series after another."""
        return np.repeat(start - (self.length.cumsum() - self.length), self.length) + np.arange(self.length.sum())


def may_be_ragged(n_rows: int, n_series: int, stored: int) -> bool:
    """Return whether a table is large, and mostly empty where only so many of its cells are stored."""
    return n_rows * n_series >= MIN_CELLS and stored * SAVING <= n_rows * n_series


def read_arrays(arrays: Mapping[Any, Any]) -> tuple[RaggedCells, pd.Index, tuple[str, ...]] | None:
    """Return the cells, row labels and names of a mapping of arrays that end at the same row.

    None of a mapping that is better read as a table: one that is small or mostly full, that has other values than
    numbers, or whose names may be those of dates or fields.
    """
    values = [one for one in arrays.values() if isinstance(one, np.ndarray) and one.dtype == np.float64]
    if len(values) < len(arrays) or any(one.ndim != 1 for one in values):
        return None
    length = np.array([len(one) for one in values], dtype=np.int64)
    n_rows, names = int(length.max(initial=0)), tuple(str(name) for name in arrays)
    if not may_be_ragged(n_rows, len(values), int(length.sum())) or not _are_names_of_series(names):
        return None
    cells = RaggedCells(np.concatenate(values), length.cumsum() - length, n_rows - length, length, n_rows)
    return (cells, pd.RangeIndex(n_rows), names) if _are_prices(cells.flat) else None


def read_long(table: pd.DataFrame) -> tuple[RaggedCells, pd.Index, tuple[str, ...], str] | None:
    """Return the cells, row labels, names and a note or "" of a long table with the columns unique_id, ds and y.

    None of one that is better read as a wide table: one that is small or mostly full, or that has other values than
    numbers, or rows without a label.
    """
    if sorted(map(str, table.columns)) != sorted(LONG_COLUMNS):
        return None
    y, ds, name = (table[column] for column in ("y", "ds", "unique_id"))
    is_plain = isinstance(y.dtype, np.dtype) and y.dtype.kind in "iuf"
    is_plain &= not any(isinstance(column.dtype, pd.CategoricalDtype) for column in (ds, name))
    if not is_plain or len(table) ** 2 < MIN_CELLS or name.isna().any() or ds.isna().any():
        return None
    series, names = pd.factorize(name, sort=True)
    row, labels = pd.factorize(ds, sort=True)
    if not may_be_ragged(len(labels), len(names), len(table)):
        return None
    index, note = read_index(labels)
    if not index.is_monotonic_increasing:
        order = np.argsort(index.to_numpy(), kind="stable")
        index, row = index[order], np.argsort(order)[row]
    first, last = np.full(len(names), len(index)), np.full(len(names), -1)
    np.minimum.at(first, series, row)
    np.maximum.at(last, series, row)
    length = last - first + 1
    if index.has_duplicates or not may_be_ragged(len(index), len(names), int(length.sum())):
        return None
    begin = length.cumsum() - length
    position = begin[series] + row - first[series]
    flat = np.full(length.sum(), np.nan)
    flat[position] = y.to_numpy()
    is_repeated = np.bincount(position, minlength=len(flat)).max() > 1
    if is_repeated or not _are_prices(flat):
        return None
    return RaggedCells(flat, begin, first, length, len(index)), index, tuple(map(str, names)), note


def _are_names_of_series(names: tuple[str, ...]) -> bool:
    """Return whether names of a mapping are certainly those of series: they differ, and none is a field or a date."""
    columns, plain = pd.Index(names), [plain_name(name) for name in names]
    may_be_other = any(may_name_dates(name) or name in TICKER_COLUMNS for name in plain) or any(kinds_of(names))
    return columns.is_unique and not may_be_other and not positions_of_dates(columns) and not columns_are(columns)


def _are_prices(values: np.ndarray) -> bool:
    """Return whether values contain numbers and no infinite one."""
    return not np.isinf(values).any() and not np.isnan(values).all()
