"""Prices in the shapes that people have in Python as one table with a row per date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd

from forecast.data.csv.long_tables import TICKER_COLUMNS, find_series_columns, split_series, widen_fields
from forecast.data.csv.transposed import MIN_DATES, has_dates_in_columns, positions_of_dates, transpose_dates
from forecast.data.date_parts import columns_are, refuse_grid
from forecast.data.dates import AmbiguousDateError, is_date
from forecast.data.fields import LONG_COLUMNS, plain_name
from forecast.data.notes import add_notes
from forecast.data.row_labels import (
    DATE_NAMES,
    find_contrary_dates,
    format_date,
    has_date_column,
    has_dates,
    is_default,
    read_labels,
    read_row_labels,
)

#: Time zones whose clocks go back on different days or at different hours.
CLOCK_CHANGES: tuple[str, ...] = (
    "America/New_York",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Helsinki",
    "Australia/Sydney",
)
CLOCK_CHANGES += ("Pacific/Auckland", "America/Sao_Paulo", "America/Santiago", "Asia/Jerusalem", "Asia/Tehran")


class ArrowTable(Protocol):
    """A table of polars, pyarrow or another library."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the columns as Arrow's stream."""


def to_frame(prices: Any) -> pd.DataFrame:
    """Return prices of any supported type as a DataFrame with a row per date, or unique_id, ds and y."""
    if isinstance(prices, pd.DataFrame):
        frame = prices
    elif isinstance(prices, pd.Series):
        frame = prices.to_frame(prices.name if prices.name is not None else "y")
    elif isinstance(prices, Mapping):
        frame = _align(prices)
    elif isinstance(prices, np.ndarray) and prices.dtype.names:
        raise TypeError("prices are an array with named fields: make them a table, as pd.DataFrame(prices) does")
    elif isinstance(prices, np.ndarray) and prices.ndim in (1, 2):
        wide = prices[:, None] if prices.ndim == 1 else prices
        frame = pd.DataFrame(wide, columns=[f"y{i}" for i in range(wide.shape[1])] if prices.ndim == 2 else ["y"])
    elif hasattr(prices, "__arrow_c_stream__") or hasattr(prices, "__dataframe__"):
        frame = _from_arrow(prices)
    elif hasattr(prices, "collect"):
        raise TypeError(f"prices are a lazy table ({type(prices).__name__}): give the result of its .collect()")
    else:
        raise TypeError(
            "prices must be a DataFrame, Series, array (T,) or (T, N), a mapping, or a table of polars or pyarrow; "
            f"got {f'an array of shape {prices.shape}' if isinstance(prices, np.ndarray) else type(prices)}"
        )
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise ValueError(f"the prices are empty: {frame.shape[0]} rows and {frame.shape[1]} columns")
    return label_rows(frame)


def label_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose dates are in a column, or whose series are in rows, with a row per date.

    `attrs["notes"]` then contains what was decided. Any other table is returned as it is.
    """
    if isinstance(frame.index, pd.MultiIndex):
        return _split_levels_of_rows(frame)
    if frame.columns.nlevels > 1 or set(LONG_COLUMNS) <= set(frame.columns):
        return frame
    if len(dates := positions_of_dates(frame.columns)) >= MIN_DATES:
        if isinstance(frame.index, pd.RangeIndex) and has_dates_in_columns(frame.columns):
            return transpose_dates(frame, None)
        if len(dates) == frame.shape[1] and _is_text(frame.index):
            raise ValueError(
                f"each row is a series ({str(frame.index[0])!r}) and each column a date: give a row per date, as "
                "prices.T does"
            )
    if _counts_rows(frame.index) and has_date_column(frame):
        frame = _take_dates(frame)
    elif any(plain_name(str(name)) in DATE_NAMES for name in frame.columns):
        _refuse_contrary_dates(frame)
    if columns_are(frame.columns):
        refuse_grid(frame.columns, read_index(frame.index)[0])
    tickers = [name for name in frame.columns if plain_name(str(name)) in TICKER_COLUMNS and frame[name].nunique() > 1]
    if not frame.index.has_duplicates and not tickers:
        return frame
    if tickers and is_default(frame.index):
        raise ValueError(
            f"the column {str(tickers[0])!r} names several series, and the rows have no dates: add a column of dates, "
            "or give one column for each series"
        )
    dated = frame.set_axis(read_index(frame.index)[0], axis=0)
    wide = widen_fields(dated)
    columns = find_series_columns(wide)
    if columns:
        return split_series(wide, columns)
    return frame if wide is dated else wide


def read_index(index: pd.Index) -> tuple[pd.Index, str]:
    """Return the dates or numbers of an index by the rule for the columns of files, and a note or "".

    A DatetimeIndex keeps its time zone.
    """
    if index.hasnans:
        raise ValueError(f"{int(index.isna().sum())} rows have no date: give each row one, or drop it")
    if isinstance(index, pd.DatetimeIndex) or is_default(index) or len(index) == 0:
        return index, ""
    is_number = pd.api.types.is_numeric_dtype(index) and not pd.api.types.is_bool_dtype(index)
    try:
        return read_labels(pd.Series(index), "" if index.name is None else index.name, "row")
    except AmbiguousDateError as error:
        raise error.in_python() from None
    except ValueError as error:
        if is_number:
            return index, ""
        if str(error).startswith("there is no date column"):
            raise ValueError(f"the row label {index[0]!r} is not a date: rows need dates, or whole numbers") from None
        raise


def sort_rows(labels: pd.Index, tables: Iterable[pd.DataFrame]) -> tuple[pd.Index, slice | np.ndarray, str]:
    """Return row labels in ascending order, the rows in that order, and a note or "".

    `tables` have all columns of these rows: an error shows whether rows with the same label have the same values.
    """
    index, note = read_index(labels)
    if index.has_duplicates:
        raise ValueError(describe_repeats(index, pd.concat([table.set_axis(index) for table in tables], axis=1)))
    if index.is_monotonic_increasing:
        return index, slice(None), note
    order = np.argsort(index.to_numpy(), kind="stable")
    return index[order], order, note


def describe_repeats(index: pd.Index, table: pd.DataFrame) -> str:
    """Return why labels of rows repeat, and what helps."""
    label = index[index.duplicated()][0]
    rows = table[index == label]
    where = f"{format_date(label)} appears more than once among the dates"
    if len(rows.drop_duplicates()) == 1:
        return f"{where}, in {len(rows)} rows with the same values: if they are copies, remove all but one"
    if isinstance(index, pd.DatetimeIndex) and (night := _repeated_hour(index)) is not None:
        return (
            f"{where}, because the clock goes back on {night:%Y-%m-%d} and an hour of that day occurs twice: write the "
            "times in UTC, or with their offset from UTC, such as 2024-10-27 01:00+01:00"
        )
    return (
        f"{where}, in {len(rows)} rows with different values: add what distinguishes them, a time of day or a column "
        "unique_id with the name of the series, or find out which row is right"
    )


def _repeated_hour(index: pd.DatetimeIndex) -> pd.Timestamp | None:
    """Return the first repeated label if all are in the hour that some time zone has twice; None otherwise."""
    repeated = index[index.duplicated()].unique()
    if index.tz is not None:
        return None
    for zone in CLOCK_CHANGES:
        if repeated.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward").isna().all():
            return repeated[0]
    return None


# --- tables whose rows are not yet one per date ----------------------------------------------------------------------


def _counts_rows(index: pd.Index) -> bool:
    """Return whether labels are numbers of rows and no dates, also those of a sorted, filtered or joined table."""
    if isinstance(index, pd.RangeIndex):
        return True
    is_number = pd.api.types.is_numeric_dtype(index) and not pd.api.types.is_bool_dtype(index)
    return is_number and not isinstance(read_index(index.dropna())[0], pd.DatetimeIndex)


def _is_text(index: pd.Index) -> bool:
    """Return whether labels are words and no dates."""
    return all(isinstance(label, str) and not is_date(label) for label in index)


def _take_dates(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table indexed by its column of dates."""
    if not frame.index.is_unique:
        frame = frame.set_axis(pd.RangeIndex(len(frame)), axis=0)
    try:
        labels = read_row_labels(frame, "row", None)
    except AmbiguousDateError as error:
        raise error.in_python() from None
    values = [i for i in range(frame.shape[1]) if i not in labels.columns]
    if not values:
        raise ValueError(f"there are dates in {str(frame.columns[labels.columns[0]])!r} but no prices: add a column")
    prices = frame.iloc[:, values].set_axis(labels.index, axis=0)
    add_notes(prices, labels.notes)
    return prices


def _refuse_contrary_dates(frame: pd.DataFrame) -> None:
    """Raise ValueError where the rows have dates in the index and other ones in a column named as dates are."""
    name = find_contrary_dates(frame, read_index(frame.index)[0])
    if name is not None:
        raise ValueError(
            f"the index has dates and the column {str(name)!r} has other ones: keep those of the prices, as "
            f"prices.drop(columns={name!r}) or prices.set_index({name!r}) do"
        )


def _split_levels_of_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose rows have a date and the name of a series as a long or a (field, ticker) table."""
    levels = [frame.index.get_level_values(level) for level in range(frame.index.nlevels)]
    dated = [
        level for level in range(len(levels)) if has_dates(pd.Series(frame.index.levels[level]), levels[level].name)
    ]
    if len(levels) != 2 or len(dated) != 1 or frame.columns.nlevels > 1:
        names = ", ".join(repr(level.name) for level in levels)
        raise ValueError(
            f"the rows have the levels {names}; a date and the name of the series are needed: move the others to "
            "columns or select one of their values"
        )
    names = levels[1 - dated[0]]
    prices = frame.set_axis(read_index(levels[dated[0]])[0], axis=0)
    return split_series(prices.assign(unique_id=np.asarray(names, dtype=object)), ["unique_id"])


def _from_arrow(table: Any) -> pd.DataFrame:
    """Return a table of polars, pyarrow or another library through Arrow, or the interchange protocol."""
    import pyarrow as pa
    from pyarrow.interchange import from_dataframe

    if not hasattr(table, "__arrow_c_stream__"):
        arrow = from_dataframe(table)
    else:
        try:
            arrow = table if isinstance(table, pa.Table) else pa.table(table)
        except (TypeError, ValueError, pa.ArrowException):
            raise TypeError(
                f"prices are one column ({type(table)}) and no table: give a table with its dates, or an array of its "
                "numbers"
            ) from None
    return arrow.to_pandas(date_as_object=False)


# --- mappings --------------------------------------------------------------------------------------------------------


def _align(columns: Mapping[Any, Any]) -> pd.DataFrame:
    """Return a table of a mapping's values, aligned by date or number if they have any, else at the last row."""
    for name, column in columns.items():
        if isinstance(column, pd.DataFrame) or np.ndim(column) > 1:
            raise ValueError(
                f"{name!r} has several columns; a mapping needs one series per name: join tables with "
                "pd.concat(prices, axis=1)"
            )
        if np.ndim(column) == 0:
            raise ValueError(
                f"the mapping has one value for {name!r}, of type {type(column).__name__}, instead of a series: give "
                "each name a list, array or Series, and the values of one series by date as pd.Series(prices)"
            )
    labels = {name: read_index(column.index)[0] for name, column in columns.items() if isinstance(column, pd.Series)}
    dated = [name for name, index in labels.items() if isinstance(index, pd.DatetimeIndex)]
    if dated and len(dated) < len(columns):
        undated = next(name for name in columns if name not in dated)
        raise ValueError(
            f"{dated[0]!r} has dates and {undated!r} has none: give each its dates, as pd.Series(values, index=dates)"
        )
    numbered = len(labels) == len(columns) and any(not _counts_from_0(index) for index in labels.values())
    if dated or numbered:
        labels, notes = _one_time_zone(labels) if dated else (labels, [])
        series = {}
        for name, index in labels.items():
            if index.has_duplicates:
                raise ValueError(f"{name!r}: {describe_repeats(index, columns[name].to_frame())}")
            series[name] = columns[name].set_axis(index)
        frame = pd.DataFrame(series)
        frame.attrs = {"notes": notes} if notes else {}
        return frame
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    longest = max((len(column) for column in arrays.values()), default=0)
    if arrays and all(array.dtype == np.float64 for array in arrays.values()):
        table = np.full((longest, len(arrays)), np.nan)  # one block, without a Series for each name
        for n, array in enumerate(arrays.values()):
            table[longest - len(array) :, n] = array
        return pd.DataFrame(table, columns=pd.Index(list(arrays)), copy=False)
    return pd.DataFrame({name: pd.Series(a, index=range(longest - len(a), longest)) for name, a in arrays.items()})


def _counts_from_0(index: pd.Index) -> bool:
    return len(index) == 0 or bool((np.asarray(index) == np.arange(len(index))).all())


def _one_time_zone(labels: Mapping[Any, pd.DatetimeIndex]) -> tuple[dict[Any, pd.DatetimeIndex], list[str]]:
    """Return indexes of dates in the one time zone that all have, or as days of each; and notes."""
    zones = {name: str(index.tz) for name, index in labels.items()}
    if len(set(zones.values())) == 1:
        return dict(labels), []
    days = {name: index.tz_localize(None).normalize() for name, index in labels.items()}
    listed = ", ".join(f"{name} in {'no zone' if zone == 'None' else zone}" for name, zone in list(zones.items())[:4])
    if any(index.has_duplicates for index in days.values()):
        raise ValueError(
            f"the series have times of day in different time zones ({listed}): convert each to UTC, as with "
            "series.tz_convert('UTC') (tz_localize first where it has no zone), or reduce each to one row per day"
        )
    return days, [f"the series are in different time zones ({listed}) and are aligned by their local dates"]
