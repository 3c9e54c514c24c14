"""The labels of rows: dates or row numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from forecast.data.csv.numbers import has_digit, is_name
from forecast.data.dates import read_dates

#: Lower-case names of the columns that contain dates.
DATE_COLUMNS = ("date", "ds", "datetime", "timestamp", "time")
#: Lower-case names of a column that may contain row numbers instead of dates.
STEP_COLUMNS = ("", "index", "step", "row", "ds", "time")


def date_column(columns: pd.Index) -> int:
    """Return the position of the dates: of the column with such a name, else of the first."""
    if columns.nlevels == 2:
        return 0
    return next((i for i, name in enumerate(columns) if str(name).lower() in DATE_COLUMNS), 0)


def row_labels(column: pd.Series, name: str, row_word: str, dayfirst: bool | None) -> pd.Index:
    """Return the dates or row numbers in a column that is labelled by positions in the file."""
    if column.isna().any():
        raise ValueError(f"{row_word} {column.index[column.isna()][0]} has no date: give the row one, or drop it")
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.DatetimeIndex(column)
    text = column.astype(str).str.strip()
    integers = text.str.fullmatch("[0-9]{1,18}").all()
    compact = text.str.fullmatch("[12][0-9]{7}").any()  # one is enough: among 20240102, 2024013 is no row number
    if name.lower() in STEP_COLUMNS and integers and not compact:
        return pd.Index(text.astype("int64"), name=None)
    is_dated = name.lower() in DATE_COLUMNS or compact or (has_digit(text.iloc[0]) and is_name(text.iloc[0]))
    if not is_dated:
        raise ValueError(
            f"there is no date column: none is named date, ds or time, and the first, {name!r}, begins with "
            f"{text.iloc[0]!r}; add a column of dates, or number the rows in a first column named step"
        )
    return read_dates(text, row_word, dayfirst)


def format_date(value: Any) -> str:
    """Return a date without its midnight, anything else as text."""
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return value.strftime("%Y-%m-%d")
    return str(value)
