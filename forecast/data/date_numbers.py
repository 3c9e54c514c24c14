"""Dates written as numbers: 20240102, 202401, 2024, decimal years, Excel's days, and times since 1970."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.dates import COMPACT

#: Resolutions of a time since 1970, by how many of them make a second.
SINCE_1970 = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
#: The newest row of a table is between 1973 and 2060, in seconds; smaller numbers count rows.
NEWEST = (10**8, 284 * 10**7)
#: Nanoseconds since 1970 that may as well be counts of 100 nanoseconds since 1601 (of 1980 to 2100) or since year 1.
TICKS = ((11 * 10**16, 16 * 10**16), (615 * 10**15, 663 * 10**15))
MAX_COUNT = 10**11  # rows
OLDEST = -5 * 10**9  # seconds: 1811
MIXED_SINCE = 63 * 10**7  # seconds: tables with two resolutions in turn begin after 1989
YEARS = (1500, 2200)
EXCEL_DAYS = (10_000, 51_137)  # 1927 to 2039: larger numbers may be days of another calendar
NEWEST_EXCEL_DAY = 32_874  # 1990, at least: smaller numbers may be R's days since 1970, or Stata's since 1960
EXCEL_ORIGIN = "1899-12-30"
MIN_VALID_SHARE = 0.5  # of cells that are dates in a column of dates with errors


def is_compact(numbers: np.ndarray) -> bool:
    """Return whether integers (T,) are dates with a day, such as 20240102 or 20240102093000; a few may be wrong."""
    text = pd.Series(numbers).astype(str)
    valid = sum(int(_parse(text, digits).notna().sum()) for digits in (8, 10, 12, 14))
    return valid >= MIN_VALID_SHARE * len(text)


def is_year_and_month(numbers: np.ndarray) -> bool:
    """Return whether integers (T,) are all a year and a month, such as 202401."""
    return bool(_parse(pd.Series(numbers).astype(str), 6).notna().all() and _are_years(numbers // 100))


def is_year(numbers: np.ndarray) -> bool:
    """Return whether integers (T,) are all years of four digits."""
    return _are_years(numbers)


def read_time_since_1970(numbers: np.ndarray, any_step: bool) -> tuple[pd.DatetimeIndex, str] | None:
    """Return numbers (T,) as times in UTC, and the name of their resolution; None if they are no times since 1970.

    The resolution is recognised by the magnitude of the newest. Times are a whole number of minutes apart, or of
    seconds at a finer resolution, unless `any_step` is true (because the name of their column is a time's).
    """
    scales = np.array(list(SINCE_1970.values()), dtype=np.float64)
    fits = (NEWEST[0] * scales <= numbers.max()) & (numbers.max() < NEWEST[1] * scales)
    if not fits.any() or numbers.min() < OLDEST * scales[fits][0]:
        return None
    resolution = list(SINCE_1970)[int(fits.argmax())]
    per_second = np.full(len(numbers), SINCE_1970[resolution])
    own = (np.abs(numbers)[:, None] >= MIXED_SINCE * scales) & (np.abs(numbers)[:, None] < NEWEST[1] * scales)
    if own.any(axis=1).all() and len(np.unique(own.argmax(axis=1))) > 1:  # of two years in turn
        per_second = np.array(list(SINCE_1970.values()))[own.argmax(axis=1)]
        resolution = " and ".join(list(SINCE_1970)[i] for i in np.unique(own.argmax(axis=1)))
    if numbers.dtype.kind == "f":  # exact to a microsecond at least
        nanoseconds = np.round(numbers / per_second * 10**6).astype(np.int64) * 1000
    else:
        nanoseconds = numbers * (10**9 // per_second)
    step = int(np.gcd.reduce(np.diff(np.unique(nanoseconds)))) if len(numbers) > 1 else 0
    second = 10**9
    if not (any_step or step % (60 * second) == 0 or (resolution != "seconds" and step % second == 0)):
        return None
    return pd.DatetimeIndex(nanoseconds.view("datetime64[ns]")), resolution


def may_be_ticks(numbers: np.ndarray) -> bool:
    """Return whether integers (T,) may be counts of 100 nanoseconds, as .NET and Windows write times.

    As nanoseconds since 1970 they are certain only if all are days.
    """
    newest = int(numbers.max())
    return any(low <= newest < high for low, high in TICKS) and bool((numbers % (86400 * 10**9) != 0).any())


def has_short_years(numbers: np.ndarray) -> bool:
    """Return whether integers (T,) may all be dates whose year has two digits, such as 210107 or 70121."""
    if numbers.dtype.kind != "i" or numbers.min() < 10100 or numbers.max() > 991231:
        return False
    text = pd.Series(numbers).astype(str).str.zfill(6)
    counts_rows = bool((np.diff(np.unique(numbers)) == 1).all())
    orders = ("%y%m%d",) if counts_rows else ("%y%m%d", "%d%m%y", "%m%d%y")
    return any(bool(pd.to_datetime(text, format=order, errors="coerce").notna().all()) for order in orders)


def read_excel_days(numbers: np.ndarray) -> pd.DatetimeIndex | None:
    """Return numbers (T,) of days as Excel counts them, such as 43832 (2 January 2020); None if they are none.

    Fractions are times of day, to the second.
    """
    in_range = (numbers >= EXCEL_DAYS[0]) & (numbers < EXCEL_DAYS[1])
    if has_short_years(numbers) or not in_range.all() or numbers.max() < NEWEST_EXCEL_DAY:
        return None
    seconds = np.round(numbers * 86400.0).astype(np.int64)
    return pd.DatetimeIndex(pd.Timestamp(EXCEL_ORIGIN) + pd.to_timedelta(seconds, unit="s")).as_unit("ns")


def read_decimal_years(numbers: np.ndarray) -> pd.DatetimeIndex | None:
    """Return numbers (T,) such as 1949.0833 (February) or 1871.02 as months; None if they are none.

    Fractions are twelfths of a year, or the months .01 to .12 (October is .1).
    """
    years = np.floor(numbers + 0.02).astype(np.int64)
    fractions = numbers - years
    months = np.round(fractions * 100).astype(np.int64)
    if not (np.abs(fractions * 100 - months) < 1e-4).all() or not ((months >= 1) & (months <= 12)).all():
        months = np.round(fractions * 12).astype(np.int64) + 1
        if not (np.abs(fractions * 12 - (months - 1)) < 0.05).all() or not (months <= 12).all():
            return None
    if not _are_years(years):
        return None
    return pd.DatetimeIndex(pd.to_datetime({"year": years, "month": months, "day": 1}))


def _are_years(numbers: np.ndarray) -> bool:
    return bool(((numbers >= YEARS[0]) & (numbers < YEARS[1])).all())


def _parse(text: pd.Series, digits: int) -> pd.Series:
    """Return dates in the format of so many digits, NaT for other texts."""
    same_length = text.str.fullmatch(f"[12][0-9]{{{digits - 1}}}").astype(bool)
    return pd.to_datetime(text.where(same_length), format=COMPACT[digits], errors="coerce")
