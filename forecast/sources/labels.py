"""The labels of a file's rows: dates in whatever form, or numbers."""

from __future__ import annotations

import re
import warnings

import pandas as pd
from pandas.tseries.api import guess_datetime_format

from forecast.sources.text import DATES, has_digit, is_name

#: Lower-case names of a column that may hold row numbers instead of dates.
STEPS = ("", "index", "step", "row", "ds", "time")
#: A zone behind a time of day, such as the -05:00 of 2024-01-02 09:30:00-05:00.
ZONE = r"(\d{1,2}:\d{2}.*?)\s*(?:Z|UTC|[+-]\d{2}:?\d{2})$"
SHORT_YEAR = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{2}\b(?!\d).*")


def row_labels(column: pd.Series, name: str, unit: str, dayfirst: bool | None = None) -> pd.Index:
    """Read dates or row numbers; `column` is labelled by the lines (or rows: `unit`) of the file."""
    if column.isna().any():
        raise ValueError(f"{unit} {column.index[column.isna()][0]} has no date: give the row one, or drop it")
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.DatetimeIndex(column)
    text = column.astype(str).str.strip()
    whole, compact = (text.str.fullmatch(pattern).all() for pattern in (r"\d+", r"[12]\d{7}"))
    if name.lower() in STEPS and whole and not compact:
        return pd.Index(text.astype("int64"), name=None)
    if name.lower() not in DATES and not compact and (not has_digit(text.iloc[0]) or not is_name(text.iloc[0])):
        raise ValueError(
            f"there is no date column: none is named date, ds or time, and the first, {name!r}, begins with "
            f"{text.iloc[0]!r}; add a column of dates, or number the rows in a first column named step"
        )
    return pd.DatetimeIndex(_parse(text.str.replace(ZONE, r"\1", regex=True), text, unit, dayfirst))


def _parse(text: pd.Series, original: pd.Series, unit: str, dayfirst: bool | None) -> pd.Series:
    dates = pd.to_datetime(text, format="ISO8601", errors="coerce")
    if dates.notna().all():
        return dates
    if SHORT_YEAR.fullmatch(text.iloc[0]):
        raise ValueError(
            f"{unit} {text.index[0]} holds {original.iloc[0]!r}, whose year has two digits: write dates as 2024-01-31"
        )
    readings = _readings(text, dates, dayfirst)
    whole = [reading for reading in readings if reading.notna().all()]
    if len(whole) > 1 and not whole[0].equals(whole[-1]):
        raise ValueError(
            f"dates such as {original.iloc[0]!r} may mean month/day or day/month: say dayfirst=True or False, or "
            "write them as 2024-01-31 (year first)"
        )
    if not whole:
        best = max(readings, key=lambda reading: int(reading.isna().to_numpy().argmax()))
        line = best.index[best.isna()][0]
        raise ValueError(f"{unit} {line} holds {original[line]!r} for a date: write all dates as 2024-01-31")
    return whole[0]


def _readings(text: pd.Series, dates: pd.Series, dayfirst: bool | None) -> list[pd.Series]:
    """Read dates in the form of the first one, with the day first or the month, or as stated."""
    readings = [dates]
    ways = (False, True) if dayfirst is None else (dayfirst,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of pandas, that a date has its day first: both ways are tried
        for way in ways[:1] if text.iloc[0][:4].isdigit() else ways:
            form = guess_datetime_format(text.iloc[0], dayfirst=way)
            if form is None:  # else pandas would guess row by row
                continue
            if dayfirst is not None and _day_stands_first(form) not in (None, dayfirst):
                continue  # the first date can only be read the other way
            # May is a month's whole name and its short one
            for same in dict.fromkeys((form, form.replace("%B", "%b"))):
                readings.append(pd.to_datetime(text, format=same, errors="coerce"))
    return readings


def _day_stands_first(form: str) -> bool | None:
    """Say whether a form such as %d.%m.%Y has the day before the month; None where the month is a word."""
    day, month = form.find("%d"), form.find("%m")
    return None if day < 0 or month < 0 or form.startswith("%Y") else day < month
