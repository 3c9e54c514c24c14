"""Static inputs: numbers and categories that describe each series and do not change from row to row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast._validation import did_you_mean

NAME_COLUMN = "unique_id"  # of a table whose index does not have the names of the series


@dataclass(frozen=True, eq=False)
class StaticInputs:
    """What describes each of N series.

    Parameters
    ----------
    names : tuple of str
        Names of the inputs.
    columns : tuple of numpy.ndarray
        The values (N,) of each input: float64 for numbers, NaN where unknown; objects for categories, which are text,
        or None where unknown.
    """

    names: tuple[str, ...]
    columns: tuple[np.ndarray, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the values (N,) of an input."""
        return self.columns[self.names.index(name)]

    def of_series(self, numbers: np.ndarray) -> StaticInputs:
        """Return the inputs of these series."""
        return StaticInputs(self.names, tuple(column[numbers] for column in self.columns))

    def __repr__(self) -> str:
        return f"StaticInputs({', '.join(self.names)})"


def read_static(table: pd.DataFrame, series: Sequence[str]) -> StaticInputs:
    """Return the static inputs of these series from a table with a row for each series.

    The names of the series are the index of the table, or its column `unique_id`. Rows of other series are not read.
    Raises TypeError if it is no DataFrame; ValueError if a series has no row or several, or a column cannot be read.
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"static must be a DataFrame with a row for each series; got {type(table)}")
    if NAME_COLUMN in table.columns:
        table = table.set_index(NAME_COLUMN)
    table = table.set_axis(table.index.map(str))
    if not table.shape[1]:
        raise ValueError("static has no columns: give at least one number or category of each series")
    if missing := [name for name in series if name not in table.index]:
        rows = ", ".join(table.index[:3])
        raise ValueError(
            f"static has no row for the series {missing[0]!r}{did_you_mean(missing[0], table.index)}; its rows are for "
            f"{rows}{' …' if len(table) > 3 else ''}: its index, or its column {NAME_COLUMN}, must have the names of "
            "all series"
        )
    table = table.loc[table.index.isin(list(series))]
    if table.index.has_duplicates:
        raise ValueError(f"static has several rows for the series {table.index[table.index.duplicated()][0]!r}")
    if table.columns.has_duplicates:
        raise ValueError(f"static has several columns {table.columns[table.columns.duplicated()][0]!r}")
    table = table.loc[list(series)]
    return StaticInputs(tuple(map(str, table.columns)), tuple(_read_column(str(c), table[c]) for c in table.columns))


def _read_column(name: str, column: pd.Series) -> np.ndarray:
    """Return the numbers (N,) of a column as float64, or its categories as text."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("floating", "integer", "mixed-integer-float", "decimal", "boolean"):
        numbers = column.astype(np.float64).to_numpy()
        if np.isinf(numbers).any():
            raise ValueError(f"the column {name!r} of static contains an infinite value")
        return numbers
    if kind in ("string", "categorical", "mixed-integer"):
        values = np.empty(len(column), dtype=object)
        values[:] = [None if pd.isna(value) else str(value) for value in column]
        return values
    if kind == "empty":
        raise ValueError(f"the column {name!r} of static is empty: fill it, or leave it out")
    raise ValueError(
        f"the column {name!r} of static contains {kind} values: give numbers or categories, such as the year of a date"
    )


def select_static(static: StaticInputs | None, names: Sequence[str]) -> StaticInputs:
    """Return the static inputs of these names; raise ValueError if there are none, or not all of them."""
    if static is None:
        raise ValueError(
            f"the model reads the static inputs {', '.join(names)}, and these prices have none: build them with "
            "as_panel(prices, static=table)"
        )
    if unknown := [name for name in names if name not in static.names]:
        raise ValueError(
            f"the prices have no static input {unknown[0]!r}{did_you_mean(unknown[0], static.names)}; they have "
            f"{', '.join(static.names)}"
        )
    return StaticInputs(tuple(names), tuple(static[name] for name in names))
