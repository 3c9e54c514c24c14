"""Inputs whose values are known before their row comes, and what is known of the rows after the last value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.frames import is_default, label_rows, read_index
from forecast.data.row_labels import format_date


@dataclass(frozen=True, eq=False)
class FutureInputs:
    """Channels of a panel whose values are known in advance, in its rows and in those after its last one.

    Parameters
    ----------
    names : tuple of str
        Names of the E channels.
    values : numpy.ndarray
        Array of shape (T + F, N, E): of the panel's T rows, and of F rows after them. NaN where a value is not known.
    index : pandas.Index
        Labels of the T + F rows.
    """

    names: tuple[str, ...]
    values: np.ndarray
    index: pd.Index

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> FutureInputs:
        """Return these rows without copying."""
        return FutureInputs(self.names, self.values[rows], self.index[rows])

    def select(self, names: Sequence[str]) -> FutureInputs:
        """Return the channels of these names."""
        if tuple(names) == self.names:
            return self
        return FutureInputs(tuple(names), self.values[:, :, [self.names.index(name) for name in names]], self.index)

    def of_series(self, numbers: np.ndarray) -> FutureInputs:
        """Return the channels of these series."""
        return FutureInputs(self.names, self.values[:, numbers], self.index)

    def take(self, rows: np.ndarray, n: int) -> FutureInputs:
        """Return some of the panel's n rows, with all rows after them."""
        rows = np.concatenate([rows, np.arange(n, len(self))])
        return FutureInputs(self.names, self.values[rows], self.index[rows])

    def first_unknown(self, rows: np.ndarray, wanted: np.ndarray, horizon: int) -> str | None:
        """Return what is not known of the steps 1 … H after rows (K,), for the series `wanted` (K, N); None if all is.

        It is the name of an input with the label of a row, or the number of rows that are missing at the end.
        """
        last = int(rows.max()) + horizon
        if wanted[rows == rows.max()].any() and last >= len(self):
            n_known, newest = len(self) - 1 - int(rows.max()), format_date(self.index[int(rows.max())])
            return f"{', '.join(self.names)} in the {horizon} rows after {newest}, of which {n_known} are there"
        for row, series in zip(rows, wanted, strict=True):
            unknown = np.isnan(self.values[row + 1 : row + 1 + horizon]) & series[:, None]  # (H, N, E)
            if unknown.any():
                step, _, channel = np.argwhere(unknown)[0]
                return f"{self.names[channel]} at {format_date(self.index[row + 1 + step])}"
        return None


def append_rows(known: FutureInputs, table: pd.DataFrame, series: Sequence[str]) -> FutureInputs:
    """Return the inputs with the rows of a table that come after theirs."""
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"future must be a DataFrame of the rows after the last value; got {type(table)}")
    table = label_rows(table)
    labels = read_index(table.index)[0]
    if is_default(labels) and is_default(known.index):  # rows without dates follow one another
        labels = labels + len(known)
    values = np.stack([_read_input(table, name, series) for name in known.names], axis=2)
    try:
        order = np.argsort(labels, kind="stable")
        later = order[np.asarray(labels[order] > known.index[-1])]
    except TypeError:
        raise ValueError(
            f"the rows of future have labels such as {labels[0]!r} and those of the prices such as "
            f"{known.index[-1]!r}: give both the same kind of labels"
        ) from None
    if not len(later):
        raise ValueError(
            f"future has no row after the last value, at {format_date(known.index[-1])}: its last is "
            f"{format_date(labels.max())}"
        )
    if (added := labels[later]).has_duplicates:
        raise ValueError(f"future has the row {format_date(added[added.duplicated()][0])} more than once")
    return FutureInputs(known.names, np.concatenate([known.values, values[later]]), known.index.append(added))


def _read_input(table: pd.DataFrame, name: str, series: Sequence[str]) -> np.ndarray:
    """Return an input of each series from a table, (F, N): one column for all of them, or one for each."""
    columns: list[Any] = [name] * len(series)
    if table.columns.nlevels > 1:
        pairs = set(table.columns)
        columns = [(name, one) if (name, one) in pairs else (one, name) for one in series]
    if missing := [column for column in columns if column not in table.columns]:
        have = ", ".join(map(str, table.columns))
        raise ValueError(f"future has no column {missing[0]!r}; it has {have}")
    chosen = table[list(dict.fromkeys(columns))]
    if chosen.shape[1] != len(set(columns)):
        raise ValueError(f"future has the column {name!r} more than once")
    try:
        numbers = chosen.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the column {name!r} of future must contain numbers: {error}") from None
    if np.isinf(numbers.to_numpy()).any():
        raise ValueError(f"the column {name!r} of future contains an infinite value")
    return numbers[columns].to_numpy()
