"""The labels of rows: dates in one or two columns or in an index, or row numbers."""

from __future__ import annotations

import re
from collections.abc import Hashable
from datetime import date, datetime
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from forecast.data.csv.numbers import has_digit, is_name
from forecast.data.date_numbers import (
    MAX_COUNT,
    has_short_years,
    is_compact,
    is_year,
    is_year_and_month,
    may_be_ticks,
    read_decimal_years,
    read_excel_days,
    read_time_since_1970,
)
from forecast.data.date_parts import YEAR_NAMES, join_parts, refuse_grid
from forecast.data.dates import AmbiguousDateError, clock_times, is_date, read_dates
from forecast.data.fields import plain_name, plain_names
from forecast.data.times_of_day import Times, read_times

#: Names of a column of dates; all names here are compared as `plain_name` returns them.
DATE_NAMES = plain_names(
    "date ds datetime date_time timestamp time_stamp datum fecha fecha_hora дата 日期 交易日期 日付 日時"
)
DATE_NAMES |= plain_names(
    "날짜 일자 tarih dato dátum päivämäärä ημερομηνία التاريخ תאריך วันที่ ngày trade_date trading_day"
)
DATE_NAMES |= plain_names("observation_date unix_timestamp tradedate dtyyyymmdd yyyymmdd datpre data_pregao")
DATE_NAMES |= plain_names("yymmdd ddmmyy mmddyy ddmmyyyy mmddyyyy yyyymm")
#: Names of a column that contains dates, if its cells are dates.
PERIOD_NAMES = plain_names("time period time_period year month quarter week day jahr année año ano zeit zeitpunkt hora")
PERIOD_NAMES |= plain_names("heure data 时间 時間 unix unix_time epoch ts settledate settlementdate") | YEAR_NAMES
#: Words in such a name, as in Open time, Date of trade and time_ms.
DATE_WORDS = plain_names("date time datetime timestamp datum day fecha unix epoch")
#: Words in the name of a column of dates that are not those of the observations, where another column has these.
OTHER_WORDS = plain_names("release released publish published publication announced announcement update updated")
OTHER_WORDS |= plain_names("revised revision modified created inserted ingested loaded downloaded retrieved realtime")
OTHER_WORDS |= plain_names("vintage expiry expiration expires maturity delivery contract ex pay payment ipo listing")
OTHER_WORDS |= plain_names("listed birth founded end ending ends close to until last next")
#: Words in the name of a column of Excel's numbers of days.
DAY_WORDS = plain_names("date datum fecha data")
#: Names of a column that may contain row numbers instead of dates.
STEP_NAMES = plain_names("index step row ds time t no nr rownames") | {""}
MIN_DATED = 0.5  # of the rows, in a further column of dates
SAMPLE_ROWS = 50  # rows that show whether a column contains dates


class RowLabels(NamedTuple):
    """The labels of a table's rows, the positions of the columns that contain them, and what was decided."""

    index: pd.Index
    columns: list[int]
    notes: list[str]


def date_column(columns: pd.Index) -> int:
    """Return the position of the dates by their name, else 0."""
    return 0 if columns.nlevels == 2 else _by_name(columns)[0]


def read_row_labels(frame: pd.DataFrame, row_word: str, dayfirst: bool | None) -> RowLabels:
    """Return the labels in the columns of a table that is labelled by the positions in its file.

    Errors call a position by `row_word` ("line" or "row").
    """
    at = find_date_column(frame)
    if frame.columns.nlevels == 2:
        index, note = read_labels(frame.iloc[:, at], "Date", row_word, dayfirst)
        return RowLabels(index, [at], [note] * bool(note))
    names = [plain_name(str(name)) for name in frame.columns]
    columns, joined = join_parts(frame, names, at)
    at, choice = _choose_dates(frame, names, at) if joined is None else (at, "")
    columns = [at, *columns[1:]]
    cells = frame.iloc[:, at] if joined is None else joined
    index, note = read_labels(cells, frame.columns[at], row_word, dayfirst)
    refuse_grid(frame.columns, index)
    notes = [text for text in (choice, note) if text]
    times = read_times(frame, names, at)
    if times is not None and isinstance(index, pd.DatetimeIndex) and (index == index.normalize()).all():
        columns.append(times.column)
        index, note = _add_times(index, times)
        notes += [text for text in (times.note, note) if text]
    return RowLabels(index, columns, notes)


def _choose_dates(frame: pd.DataFrame, names: list[str], at: int) -> tuple[int, str]:
    """Return the position of the dates of the observations, and a note where a further column has other dates.

    `at` is the first column of dates. Raises ValueError where the names of the columns do not decide.
    """
    further = _further_dates(frame, names, at)
    if not further:
        return at, ""
    if names[at] not in DATE_NAMES and frame.iloc[:, at].nunique() == 1:
        at, *further = further  # one date of all rows, as of an update
    distinct: dict[int, list[pd.Series]] = {}
    for i in [at, *further]:
        readings = _readings(frame.iloc[:, i], names[i])
        if readings and not any(_are_alike(readings, others) for others in distinct.values()):
            distinct[i] = readings
    finer = [i for i in distinct if not any(_are_periods(distinct[i], distinct[j]) for j in distinct if j != i)]
    if at not in distinct or len(distinct) == 1:
        return at, ""
    _refuse_dates_of_series(frame, names, finer)
    chosen = [i for i in finer if names[i] in DATE_NAMES]
    chosen = chosen or [i for i in finer if OTHER_WORDS.isdisjoint(names[i].split())] or finer
    if len(chosen) > 1:
        listed = " and ".join(repr(str(frame.columns[i])) for i in chosen[:3])
        raise ValueError(
            f"the columns {listed} have different dates, and their names do not show which are those of the prices: "
            "rename the column of these to Date"
        )
    if len(finer) == 1:
        return chosen[0], ""
    others = ", ".join(repr(str(frame.columns[i])) for i in finer if i not in chosen)
    return chosen[0], f"the rows have the dates in {str(frame.columns[chosen[0]])!r}, and not those in {others}"


def _refuse_dates_of_series(frame: pd.DataFrame, names: list[str], dates: list[int]) -> None:
    """Raise ValueError where columns of different dates stand each next to a series, or differ by a number."""
    numbers = [i for i in range(len(names)) if i not in dates and pd.api.types.is_numeric_dtype(frame.iloc[:, i])]
    first, *others = [i for i in dates if OTHER_WORDS.isdisjoint(names[i].split())] or dates
    for i in others:
        start, end = min(first, i), max(first, i)
        is_between = [start < k < end for k in numbers]
        if (any(is_between) and not all(is_between)) or re.sub(r" ?\d+$", "", names[i]) == names[first]:
            raise ValueError(
                f"the columns {str(frame.columns[first])!r} and {str(frame.columns[i])!r} have different dates, so "
                "series have dates of their own: write each with its dates to a file, or all in one table by date"
            )


def _further_dates(frame: pd.DataFrame, names: list[str], at: int) -> list[int]:
    """Return the positions of the other columns that have a date in most rows, and not one in all of them."""
    found = []
    for i, name in enumerate(names):
        column = frame.iloc[:, i]
        if i == at or (pd.api.types.is_numeric_dtype(column) and not may_name_dates(name)):
            continue
        if has_dates(column, name) and column.notna().mean() > MIN_DATED and column.nunique() > 1:
            found.append(i)
    return found


def find_contrary_dates(frame: pd.DataFrame, index: pd.Index) -> Hashable | None:
    """Return the column with the name of dates whose dates are not those of the rows; None where there is none."""
    if not isinstance(index, pd.DatetimeIndex):
        return None
    rows = pd.Series(index.tz_localize(None), index=range(len(index)))
    for i, label in enumerate(frame.columns):
        name, column = plain_name(str(label)), frame.iloc[:, i].reset_index(drop=True)
        if name not in DATE_NAMES or not has_dates(column, name):
            continue
        if (readings := _readings(column, name)) and not _are_alike([rows], readings):
            return label
    return None


def _readings(column: pd.Series, name: str) -> list[pd.Series]:
    """Return the dates in a column, twice where its days and months may be swapped; none where they are unreadable."""
    readings, cells = [], column.dropna()
    for dayfirst in (None, True, False):
        try:
            index, _ = read_labels(cells, name, "row", dayfirst)
        except ValueError:
            continue
        if isinstance(index, pd.DatetimeIndex):
            readings.append(pd.Series(index, index=cells.index).reindex(column.index))
        if dayfirst is None:
            break
    return readings


def _are_alike(first: list[pd.Series], second: list[pd.Series]) -> bool:
    """Return whether dates are less than a day apart in every row, as in two time zones, in one of their readings."""
    day = pd.Timedelta(days=1)
    return any(not ((a - b).abs() >= day).any() for a in first for b in second)


def _are_periods(first: list[pd.Series], second: list[pd.Series]) -> bool:
    """Return whether the first dates are the weeks, months, quarters or years of the second."""
    for freq in ("W", "M", "Q", "Y"):
        for a, b in product(first, second):
            periods = a.dt.to_period(freq)
            if a.nunique() == periods.nunique() < b.nunique() and periods.equals(b.dt.to_period(freq)):
                return True
    return False


def find_date_column(frame: pd.DataFrame) -> int:
    """Return the position of the dates: by name, else the first column of dates, else of row numbers."""
    at, is_certain = _by_name(frame.columns) if frame.columns.nlevels == 1 else (0, True)
    if is_certain:
        return at
    names = [plain_name(str(name)) for name in frame.columns]
    if has_dates(frame.iloc[:, 0], names[0]):
        return 0
    named = [i for i, name in enumerate(names) if may_name_dates(name)]
    text = [i for i in range(1, len(names)) if not pd.api.types.is_numeric_dtype(frame.iloc[:, i])]
    found = next((i for i in [*named, *text] if has_dates(frame.iloc[:, i], names[i])), None)
    if found is None and not pd.api.types.is_numeric_dtype(frame.iloc[:, at]):
        others = [i for i in range(1, len(names)) if not names[i].isdigit()]  # such a name is a row's
        found = next((i for i in others if _are_compact_days(frame.iloc[:, i])), None)
    return at if found is None else found


def _are_compact_days(column: pd.Series) -> bool:
    """Return whether all numbers of a column are days such as 20240102."""
    cells = column.dropna().iloc[:SAMPLE_ROWS]
    if cells.empty or not pd.api.types.is_numeric_dtype(cells) or not cells.between(18000101, 22001231).all():
        return False
    days = pd.to_datetime(cells.astype("int64").astype(str), format="%Y%m%d", errors="coerce")
    return bool((cells % 1 == 0).all() and days.notna().all())


def has_date_column(frame: pd.DataFrame) -> bool:
    """Return whether a table without row labels has a column of dates, by its type, its text, or its name and cells."""
    is_text = [not pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]
    if not any(is_text) and not any(may_name_dates(plain_name(str(name))) for name in frame.columns):
        return False
    at = find_date_column(frame)
    name = plain_name(str(frame.columns[at]))
    return (is_text[at] or may_name_dates(name)) and has_dates(frame.iloc[:, at], name)


def is_default(index: pd.Index) -> bool:
    """Return whether the labels only count the rows from 0."""
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1 and index.name is None


def has_dates(column: pd.Series, name: Hashable) -> bool:
    """Return whether the first cells of a column are dates, also if these are ambiguous."""
    cells = column.dropna().iloc[:SAMPLE_ROWS]
    if cells.empty or isinstance(cells.dtype, pd.BooleanDtype) or cells.dtype == bool:
        return False
    if all(isinstance(cell, str) and is_date(cell.strip()) for cell in cells):
        return True
    try:
        labels, _ = read_labels(cells, name, "row")
    except AmbiguousDateError:
        return True
    except ValueError:
        return False
    return isinstance(labels, pd.DatetimeIndex)


def read_labels(cells: pd.Series, name: Hashable, row_word: str, dayfirst: bool | None = None) -> tuple[pd.Index, str]:
    """Return the dates or row numbers in a column that is labelled by positions in the file, and a note or ""."""
    if cells.isna().any():
        raise ValueError(f"{row_word} {cells.index[cells.isna()][0]} has no date: give the row one, or drop it")
    typed = _read_typed(cells)
    if typed is not None:
        return typed
    text = cells.astype(str).str.strip()
    labels = _read_numeric(text, plain_name(str(name)), row_word)
    if labels is not None:
        return labels
    is_dated = may_name_dates(plain_name(str(name))) or (has_digit(text.iloc[0]) and is_name(text.iloc[0]))
    if not is_dated:
        raise ValueError(
            f"there is no date column: none is named date, ds or time, and the first, {str(name)!r}, begins with "
            f"{text.iloc[0]!r}; add a column of dates, or number the rows in a first column named step"
        )
    return read_dates(text, row_word, dayfirst)


def format_date(value: Any) -> str:
    """Return a date without its midnight, anything else as text."""
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return value.strftime("%Y-%m-%d")
    return str(value)


# --- which columns contain the labels --------------------------------------------------------------------------------


def _by_name(columns: pd.Index) -> tuple[int, bool]:
    """Return the position of the column whose name is a date's, else 0, and whether the name leaves no doubt."""
    names = [plain_name(str(name)) for name in columns]
    for group, is_certain in ((DATE_NAMES, True), (PERIOD_NAMES, False)):
        at = next((i for i, name in enumerate(names) if name in group), None)
        if at is not None:
            return at, is_certain
    return next((i for i, name in enumerate(names) if may_name_dates(name)), 0), False


def _names_days(name: str) -> bool:
    """Return whether a name is that of a column of dates, rather than of times, steps or periods."""
    return name not in STEP_NAMES and (name in DATE_NAMES or not DAY_WORDS.isdisjoint(name.split()))


def may_name_dates(name: str) -> bool:
    """Return whether a plain name may be that of a column of dates."""
    return name in DATE_NAMES or name in PERIOD_NAMES or not DATE_WORDS.isdisjoint(name.split())


def _add_times(dates: pd.DatetimeIndex, times: Times) -> tuple[pd.DatetimeIndex, str]:
    """Return dates with their times of day, and a note; a time that all rows share is left out."""
    if (times.clock == times.clock[0]).all() and not dates.has_duplicates:
        return dates, ""
    local = dates + times.clock
    return (local, "") if times.offsets.isna().any() else clock_times(local, local - times.offsets)


# --- cells that are no text ------------------------------------------------------------------------------------------


def _read_typed(cells: pd.Series) -> tuple[pd.DatetimeIndex, str] | None:
    """Return the dates of cells that are dates or periods already; None for numbers and text."""
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        return clock_times(pd.DatetimeIndex(cells.dt.tz_localize(None)), pd.DatetimeIndex(cells.dt.tz_convert(None)))
    if pd.api.types.is_datetime64_any_dtype(cells):
        return pd.DatetimeIndex(cells), ""
    if cells.map(lambda cell: isinstance(cell, pd.Period)).all():
        return pd.DatetimeIndex([cell.start_time for cell in cells]), ""
    if not cells.map(lambda cell: isinstance(cell, date | np.datetime64)).all():
        return None
    has_zone = [isinstance(cell, datetime) and cell.tzinfo is not None for cell in cells]
    if all(has_zone):
        local = pd.DatetimeIndex([cell.replace(tzinfo=None) for cell in cells])
        return clock_times(local, pd.DatetimeIndex(pd.to_datetime(list(cells), utc=True)).tz_localize(None))
    if any(has_zone):
        raise ValueError("some dates have a time zone and others none: give every row the same")
    return pd.DatetimeIndex([pd.Timestamp(cell) for cell in cells]), ""


def _read_numeric(text: pd.Series, name: str, row_word: str) -> tuple[pd.Index, str] | None:
    """Return the labels in a column of numbers, and a note; None if they are neither dates nor row numbers."""
    numbers = _to_numbers(text)
    if numbers is None:
        return None
    is_whole = numbers.dtype.kind == "i"
    whole = pd.Series(numbers, index=text.index).astype(str)
    if is_whole and is_compact(numbers):
        return read_dates(whole, row_word, None)
    if is_whole and may_be_ticks(numbers):
        raise ValueError(
            f"{row_word} {text.index[0]} contains {text.iloc[0]!r}, which may be a time in nanoseconds or in the "
            "100 nanoseconds of .NET and Windows: write dates as 2024-01-31"
        )
    found = read_time_since_1970(numbers, any_step=may_name_dates(name))
    if found is not None:
        times, resolution = found
        return times, f"the rows are labelled by {resolution} since 1970, which are times in UTC"
    is_dated = may_name_dates(name)
    if is_whole and is_year_and_month(numbers) and (is_dated or _is_regular(numbers)):
        return read_dates(whole, row_word, None)
    names_year = not YEAR_NAMES.isdisjoint(name.split()) and len(set(np.diff(np.unique(numbers)))) == 1
    if is_whole and is_year(numbers) and (is_dated or names_year) and name not in STEP_NAMES:
        return read_dates(whole, row_word, None)
    if is_dated and has_short_years(numbers):
        raise ValueError(
            f"{row_word} {text.index[0]} contains {text.iloc[0]!r}, whose year has two digits if it is a date: write "
            "dates as 2024-01-31, or name a column of row numbers step"
        )
    if is_whole and name in STEP_NAMES and numbers.max() < MAX_COUNT:
        return pd.Index(numbers), ""
    months = None if is_whole or not is_dated else read_decimal_years(numbers)
    if months is not None:
        return months, "the rows are labelled by years with decimals, which are months"
    has_zeros = text.str.startswith("0").any()
    days = read_excel_days(numbers) if _names_days(name) and not has_zeros else None
    return None if days is None else (days, f"the rows are labelled by Excel's numbers of days, such as {numbers[0]:g}")


def _to_numbers(text: pd.Series) -> np.ndarray | None:
    """Return text as integers where they are whole, else as floats; None if it is not all numbers."""
    if text.str.fullmatch("[+-]?[0-9]{1,18}|[1-8][0-9]{18}").all():
        return text.astype("int64").to_numpy()
    if not text.str.fullmatch(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?").all():
        return None
    numbers = text.astype("float64").to_numpy()
    is_whole = (numbers == np.floor(numbers)).all() and np.abs(numbers).max() < 2**63
    return numbers.astype(np.int64) if is_whole else numbers


def _is_regular(numbers: np.ndarray) -> bool:
    """Return whether months such as 202401 follow each other at one distance."""
    months = np.unique(numbers // 100 * 12 + numbers % 100)
    return len(months) > 1 and bool(np.ptp(np.diff(months)) == 0)
