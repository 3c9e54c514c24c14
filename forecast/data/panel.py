"""The validated price panel: prices in any common shape become one frozen float64 array."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from forecast._validation import did_you_mean
from forecast.data.csv.numbers import advise
from forecast.data.fields import CLOSES, FURTHER, kind_of
from forecast.data.frames import ArrowTable, sort_rows, to_frame
from forecast.data.future import FutureInputs, append_rows
from forecast.data.ragged_cells import RaggedCells, read_arrays, read_long
from forecast.data.row_labels import format_date
from forecast.data.series import (
    PricesWarning,
    UnclearColumnsError,
    choose_fields,
    is_instrument,
    separate_columns,
    split_fields,
)
from forecast.data.static import StaticInputs, read_static

__all__ = [
    "Panel",
    "Prices",
    "PricesWarning",
    "UnclearColumnsError",
    "as_panel",
    "build_panel",
    "format_date",
    "split_fields",
]

SERIES_PER_PART = 1024  # of a panel, that are read at once
#: Kinds of `pandas.api.types.infer_dtype` that may hold numbers; text is refused cell by cell.
NUMERIC_KINDS = frozenset(
    ("floating", "integer", "mixed-integer-float", "decimal", "string", "mixed", "mixed-integer", "empty")
)
#: Text that is a number with another decimal mark.
LIKE_NUMBER = re.compile(r"[-+]?[\d.,' ]*\d")


@dataclass(frozen=True, eq=False)
class Panel:
    """All series side by side, oldest row first: the input of every model.

    A step is a row. Slicing by rows returns a view and is the only way to hide the future: ``panel[: cutoff + 1]``
    contains no later row.

    Parameters
    ----------
    cells : numpy.ndarray or RaggedCells
        Array of shape (T, N, C), float64 and read-only. Channel 0 is the target. NaN means that the series did not
        trade in that row. Of many series of different lengths, whose table would be large and mostly empty, `as_panel`
        stores no rows before the first and after the last one of each.
    index : pandas.Index
        Labels of the T rows: dates or numbers.
    series : tuple of str
        Names of the N series.
    channels : tuple of str, default ("y",)
        Names of the C channels.
    attrs : mapping, optional
        Attributes of the source table, such as where the prices are from.
    future : FutureInputs, optional
        The channels whose values are known before their row, with rows after the last one of the panel.
    static : StaticInputs, optional
        What describes each series and does not change from row to row.

    Examples
    --------
    >>> panel = fc.as_panel(fc.load_sample("stocks"))
    >>> panel.values.shape, len(panel[:100])
    ((3270, 4, 1), 100)
    """

    cells: np.ndarray | RaggedCells
    index: pd.Index
    series: tuple[str, ...]
    channels: tuple[str, ...] = ("y",)
    attrs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    future: FutureInputs | None = None
    static: StaticInputs | None = None

    def __getitem__(self, rows: slice) -> Panel:
        """Return the panel of these rows without copying; what is known of later rows remains in `future`."""
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise TypeError(f"a Panel takes a slice of rows, such as panel[:100]; got {rows!r}")
        future = self.future and self.future[rows.indices(len(self))[0] :]
        return dataclasses.replace(self, cells=self.cells[rows], index=self.index[rows], future=future)

    def of_series(self, numbers: np.ndarray) -> Panel:
        """Return the panel of these series, by their numbers; arrays are copied."""
        cells = self.cells
        return dataclasses.replace(
            self,
            cells=cells[:, numbers] if isinstance(cells, np.ndarray) else cells.dense(numbers),
            series=tuple(self.series[n] for n in numbers),
            future=self.future and self.future.of_series(numbers),
            static=self.static and self.static.of_series(numbers),
        )

    def parts(self) -> Iterator[Panel]:
        """Yield the panel in chunks of series, each with its array, to limit memory."""
        for first in range(0, len(self.series), SERIES_PER_PART):
            yield self.of_series(np.arange(first, min(first + SERIES_PER_PART, len(self.series))))

    def known(self, names: Sequence[str]) -> FutureInputs:
        """Return these channels of all rows, and what is known of later ones; raise ValueError if one is no input."""
        if self.future is None:
            raise ValueError(f"these prices have no future inputs {', '.join(names)}")
        return self.future.select(names)

    def known_until(self, row: int) -> Panel:
        """Return the panel with what is known of the rows before this one only, of its own rows at least."""
        if self.future is None:
            return self
        return dataclasses.replace(self, future=self.future[: max(row, len(self))])

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def values(self) -> np.ndarray:
        """All channels of all rows and series, (T, N, C), read-only; computed at each call where `cells` are ragged."""
        if isinstance(self.cells, np.ndarray):
            return self.cells
        values = self.cells.dense()
        values.setflags(write=False)
        return values

    @property
    def target(self) -> np.ndarray:
        """The target of every series, (T, N)."""
        return self.values[:, :, 0]

    @property
    def observed(self) -> np.ndarray:
        """Where the target traded, (T, N) of bool."""
        return ~np.isnan(self.target) if isinstance(self.cells, np.ndarray) else self.cells.observed()

    def count_observed(self) -> np.ndarray:
        """Return the number of rows with a target of each series, (N,)."""
        return self.observed.sum(axis=0) if isinstance(self.cells, np.ndarray) else self.cells.count()

    def first_observed(self) -> np.ndarray:
        """Return the first row with a target of each series, (N,); the number of rows where there is none."""
        if not isinstance(self.cells, np.ndarray):
            return self.cells.first_observed()
        observed = self.observed
        return np.where(observed.any(axis=0), observed.argmax(axis=0), len(self))

    def missing(self) -> pd.Series:
        """Return the number of rows without a target between the first and the last trade of each series."""
        counts = []
        for observed in self.observed.T:
            rows = np.flatnonzero(observed)
            counts.append(int(rows[-1] - rows[0] + 1 - len(rows)) if len(rows) else 0)
        return pd.Series(counts, index=list(self.series), name="missing")

    def __repr__(self) -> str:
        span = f"{format_date(self.index[0])} to {format_date(self.index[-1])}" if len(self) else "empty"
        text = f"Panel({len(self)} rows, {span}; {len(self.series)} series; channels {', '.join(self.channels)}"
        if self.future is not None:
            text += f"; known of {len(self.future) - len(self)} later rows: {', '.join(self.future.names)}"
        if self.static is not None:
            text += f"; static inputs {', '.join(self.static.names)}"
        return f"{text})"


#: Prices in the shapes that `as_panel` accepts.
Prices: TypeAlias = pd.DataFrame | pd.Series | np.ndarray | Mapping[str, ArrayLike | pd.Series] | ArrowTable | Panel


def as_panel(
    prices: Prices,
    *,
    columns: Sequence[str] | None = None,
    target: str | None = None,
    exog: Sequence[str] = (),
    future: Sequence[str] = (),
    static: pd.DataFrame | None = None,
    how: Literal["all", "common"] = "all",
) -> Panel:
    """Validate prices once and return them as a frozen `Panel`.

    Parameters
    ----------
    prices : DataFrame, Series, numpy.ndarray, mapping or Panel
        A wide table (a row per date, a column per ticker), a table with (field, ticker) columns as yfinance returns
        it, one ticker's Open/High/Low/Close table, a long table with the columns unique_id, ds and y, a Series, an
        array of shape (T,) or (T, N), or a mapping of names to values (aligned by date, or at the end where they have
        no dates). A Panel is returned as it is. Rows are sorted by date.
    columns : sequence of str, optional
        Columns of one instrument or of a wide table, by their own names, each of which is a series.
    target : str, optional
        Field to forecast, or a column by its own name. By default Adj Close if available, else Close, else the first
        field; of a wide table every column that is a series.
    exog : sequence of str, default ()
        Further fields that a model may use. In a wide table these may be columns: they then are no series, and hold for
        all series.
    future : sequence of str, default ()
        Further fields, or columns, whose values are known before their row: a holiday, a forecast of the weather. The
        rows after the last price contain what is known of the future. In a backtest the value at a later row must be
        the one that was known at the cutoff.
    static : DataFrame, optional
        Numbers and categories that describe each series and do not change: a row for each series, whose name is in the
        index or in the column unique_id. They must have been known before the first forecast that they are used for.
    how : {"all", "common"}, default "all"
        "all" keeps all rows, with NaN where a series did not trade; "common" keeps the rows where every series has a
        target.

    Returns
    -------
    Panel
        Values of shape (T, N, 1 + E), with E further channels.

    Raises
    ------
    TypeError
        If `prices`, `exog`, `future` or `static` is of no supported type.
    ValueError
        If dates repeat or cannot be read, prices contain text or infinity, nothing is observed, or a field is missing;
        UnclearColumnsError, a ValueError, if several columns may be what is to be forecast.

    Warns
    -----
    PricesWarning
        If a column of a table is left out: it counts rows, repeats the dates, has one value or only text, or is a
        volume or the like next to prices. The sentences are in `attrs["notes"]`.

    Notes
    -----
    A table is one instrument's bars if its columns are named so (Open, High, Low, Close, Volume, in the common
    languages and the spellings of exchanges and vendors), or if its numbers are bars: a high above and a low below an
    open and a close. Arrays are read as they are, and so is a mapping unless its names are those of bars.

    Examples
    --------
    >>> fc.as_panel(np.array([[1.0, 10.0], [2.0, np.nan], [3.0, 30.0]])).observed.tolist()
    [[True, True], [True, False], [True, True]]
    """
    if how not in ("all", "common"):
        raise ValueError(f"how must be 'all' or 'common'; got {how!r}")
    for name, names in (("exog", exog), ("future", future)):
        if isinstance(names, str):
            raise TypeError(f"{name} must be a list of fields, such as [{names!r}]; got {names!r}")
    further = list_inputs(exog, future)
    if isinstance(prices, Panel):
        if columns or target not in (None, prices.channels[0]) or any(name not in prices.channels for name in further):
            raise ValueError(f"the Panel has the channels {', '.join(prices.channels)}: build it again from the prices")
        if unknown := [name for name in future if prices.future is None or name not in prices.future.names]:
            raise ValueError(
                f"the Panel has no future values of {unknown[0]}: build it with as_panel(…, future={list(future)})"
            )
        return finish_panel(prices, static, how)
    is_plain = not (further or columns or target)
    if is_plain and isinstance(prices, Mapping) and (read := read_arrays(prices)) is not None:
        cells, index, names = read
        return finish_panel(Panel(cells, index, names), static, how)
    frame = to_frame(prices)
    if is_plain and (long := read_long(frame)) is not None:
        cells, index, names, note = long
        panel = Panel(cells, index, names, attrs=_attributes(frame, "y", note))
        return finish_panel(panel, static, how)
    frame, shared = separate_columns(frame, further, target)
    is_chosen = isinstance(prices, np.ndarray) or (isinstance(prices, Mapping) and not is_instrument(frame))
    if is_chosen and target is None and columns is None:
        fields, target = {"y": frame}, "y"
    else:
        fields, target = choose_fields(frame, columns, target)
    return finish_panel(complete_panel({**fields, **shared}, target, exog, future), static, how)


def list_inputs(exog: Sequence[str], future: Sequence[str]) -> tuple[str, ...]:
    """Return the names of all fields that are read in addition to the target, each once."""
    return tuple(dict.fromkeys([*exog, *future]))


def complete_panel(
    fields: Mapping[str, pd.DataFrame], target: str, exog: Sequence[str], future: Sequence[str]
) -> Panel:
    """Return the panel of a price table's fields, with what is known of the rows after the last target."""
    panel = build_panel(fields, target, list_inputs(exog, future))
    return _separate_future(panel, future) if future else panel


def finish_panel(panel: Panel, static: pd.DataFrame | None, how: str) -> Panel:
    """Return the panel with these static inputs, if there are some, and all rows or those common to all series."""
    if static is not None:
        panel = dataclasses.replace(panel, static=read_static(static, panel.series))
    return _common(panel) if how == "common" else panel


def build_panel(fields: Mapping[str, pd.DataFrame], target: str, exog: Sequence[str] = ()) -> Panel:
    """Return the panel of a price table's fields, one of which is the target, with all rows.

    A further field of one column without the name of a series holds for all series.
    """
    wide = fields[target]
    names = tuple(str(name) for name in wide.columns)
    if duplicates := _duplicates(names):
        raise ValueError(f"the column {duplicates[0]!r} appears more than once: give each series its own name")
    index, order, note = sort_rows(wide.index, fields.values())
    values = np.empty((len(wide), len(names), 1 + len(exog)))  # (T, N, C), the only copy
    _fill(values[:, :, 0], wide, target, order)
    for c, field in enumerate(exog, start=1):
        if field not in fields:
            raise ValueError(_describe_missing(field, fields))
        if fields[field].columns.has_duplicates:
            raise ValueError(f"a ticker appears more than once in the field {field!r}: give each series its own name")
        _fill(values[:, :, c], _of_series(fields[field], wide.columns), field, order)
    if np.isnan(values[:, :, 0]).all():
        raise ValueError(_describe_empty(target, fields))
    values.setflags(write=False)
    return Panel(values, index, names, (target, *exog), _attributes(wide, target, note))


def _attributes(table: pd.DataFrame, target: str, note: str) -> dict[str, Any]:
    """Return the attributes of a panel of a table, with the field that is its target and a note on its labels."""
    attrs = dict(table.attrs) if target == "y" else {**table.attrs, "field": target}
    if note:
        attrs["notes"] = [*attrs.get("notes", []), note]
    return attrs


def _of_series(table: pd.DataFrame, series: pd.Index) -> pd.DataFrame:
    """Return a field's table with a column for each series; a column that holds for all of them is repeated."""
    if table.shape[1] == 1 and table.columns[0] not in series:
        return table.iloc[:, [0] * len(series)].set_axis(series, axis=1)
    return table.reindex(columns=series)


def _separate_future(panel: Panel, names: Sequence[str]) -> Panel:
    """Return the panel up to the last row with a target; what is known of all rows is in `future`."""
    rows = np.flatnonzero(panel.observed.any(axis=1))
    n = int(rows[-1]) + 1
    channels = [panel.channels.index(name) for name in dict.fromkeys(names)]
    future = FutureInputs(tuple(dict.fromkeys(names)), panel.values[:, :, channels], panel.index)
    return dataclasses.replace(panel, cells=panel.values[:n], index=panel.index[:n], future=future)


def with_future(panel: Panel, table: pd.DataFrame) -> Panel:
    """Return the panel with the rows of a table after its last one as what is known of the future.

    The table has the future inputs as columns, for all series, or under (field, series). Rows up to the panel's last
    are not read. Raises ValueError if a field, or every later row, is missing, or the labels are of another kind.
    """
    if panel.future is None:
        raise ValueError("these prices have no future inputs: declare them with as_panel(…, future=[…])")
    known = panel.future[: len(panel)]
    return dataclasses.replace(panel, future=append_rows(known, table, panel.series))


def _describe_empty(target: str, fields: Mapping[str, pd.DataFrame]) -> str:
    """Return that the target has no value, and which fields have some."""
    name = f"the field {target!r}" if target != "y" else "the target"
    others = [
        field
        for field, table in fields.items()
        if any(pd.to_numeric(column, errors="coerce").notna().any() for _, column in table.items())
    ]
    others = [field for field in others if kind_of(field) not in (FURTHER, "Volume", "Adj Volume")] or others
    others = sorted(others, key=lambda field: kind_of(field) not in CLOSES)
    if not others:
        return f"the prices contain no observed value: every cell of {name} is empty"
    return (
        f"the prices contain no observed value: every cell of {name} is empty, and others have values "
        f"({', '.join(others)}): choose one of these, as with target={others[0]!r}"
    )


def _describe_missing(field: str, fields: Mapping[str, pd.DataFrame]) -> str:
    """Return that a field which is to be read as exog is not there, and what to do."""
    names = [name for name in fields if name != "y"]
    if not names:
        return (
            f"there is no field {field!r} to read as exog; the prices are one value of each series, without fields: "
            "give prices that have it, or a model that reads no exog"
        )
    return (
        f"there is no field {field!r} to read as exog{did_you_mean(field, names)}; the prices have {', '.join(names)}: "
        "read one of these, or give prices that have it"
    )


def _common(panel: Panel) -> Panel:
    """Return the rows where every series has a target."""
    rows = panel.observed.all(axis=1)
    if not rows.any():
        raise ValueError("there is no row where every series has a value: leave some series out, or use how='all'")
    if rows.all() and panel.attrs.get("rows") == "common":
        return panel
    values = panel.values if rows.all() else panel.values[rows]
    values.setflags(write=False)
    attrs = {**panel.attrs, "rows": "common"}
    future = None if panel.future is None else panel.future.take(np.flatnonzero(rows), len(panel))
    return dataclasses.replace(panel, cells=values, index=panel.index[rows], attrs=attrs, future=future)


def _duplicates(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _fill(out: np.ndarray, wide: pd.DataFrame, field: str, order: slice | np.ndarray) -> None:
    """Copy a table's numbers into an array (T, N), column by column; raise ValueError for other values."""
    for i, (name, column) in enumerate(wide.items()):
        where = f"the column {name!r}" + (f" of {field}" if field != "y" else "")
        array = column.to_numpy() if column.dtype == np.float64 else _to_numbers(column, where)
        if np.isinf(array).any():
            row = column.index[int(np.argmax(np.isinf(array)))]
            raise ValueError(
                f"{where} contains an infinite value at {format_date(row)}; leave the cell empty if it is unknown"
            )
        out[:, i] = array[order]


def _to_numbers(column: pd.Series, where: str) -> np.ndarray:
    """Return a column as numbers (T,); raise ValueError for other values, with `where` they are."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind not in NUMERIC_KINDS:
        raise ValueError(f"{where} contains {kind} values; prices must be numbers")
    numbers = pd.to_numeric(column, errors="coerce")
    text = numbers.isna() & column.notna()
    if text.any():
        cells = column[text]
        is_text = np.array([isinstance(cell, str) for cell in cells])
        is_word = np.array([not LIKE_NUMBER.fullmatch(str(cell)) for cell in cells])  # and no other decimal mark
        at = int(np.argmax(is_word)) if is_word.any() else 0
        cell, date = cells.iloc[at], format_date(cells.index[at])
        if not is_text[at]:
            raise ValueError(
                f"{where} contains a value of type {type(cell).__name__} at {date}; prices must be numbers"
            )
        raise ValueError(f"{where} contains {cell!r} at {date}; prices must be numbers: {advise(cell)}")
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan)
