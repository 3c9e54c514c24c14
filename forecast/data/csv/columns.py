"""The labels of a file's rows: dates in whatever form, or numbers."""

from __future__ import annotations

import pandas as pd

from forecast.data.csv.dates import read_dates
from forecast.data.csv.numbers import is_name
from forecast.data.csv.reader import DATES, has_digit

#: Lower-case names of a column that may hold row numbers instead of dates.
STEPS = ("", "index", "step", "row", "ds", "time")


def row_labels(column: pd.Series, name: str, unit: str, dayfirst: bool | None = None) -> pd.Index:
    """Read dates or row numbers; `column` is labelled by the lines (or rows: `unit`) of the file."""
    if column.isna().any():
        raise ValueError(f"{unit} {column.index[column.isna()][0]} has no date: give the row one, or drop it")
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.DatetimeIndex(column)
    text = column.astype(str).str.strip()
    whole = text.str.fullmatch("[0-9]{1,18}").all()
    compact = text.str.fullmatch("[12][0-9]{7}").any()  # one is enough: among 20240102, 2024013 is no row number
    if name.lower() in STEPS and whole and not compact:
        return pd.Index(text.astype("int64"), name=None)
    if name.lower() not in DATES and not compact and (not has_digit(text.iloc[0]) or not is_name(text.iloc[0])):
        raise ValueError(
            f"there is no date column: none is named date, ds or time, and the first, {name!r}, begins with "
            f"{text.iloc[0]!r}; add a column of dates, or number the rows in a first column named step"
        )
    return read_dates(text, unit, dayfirst)
