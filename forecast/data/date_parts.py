"""Dates in parts: a year in one column and its month, quarter, half-year or week in another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from forecast.data.fields import plain_names
from forecast.data.month_names import month_number

YEAR_NAMES = plain_names("year yr yyyy jahr année año ano anno år jaar rok vuosi год 年 年份")
MONTH_NAMES = plain_names("month mo mm monat mois mes mês mese måned månad maand месяц 月 月份")
QUARTER_NAMES = plain_names("quarter qtr quartal trimestre trimester kvartal kwartaal квартал 季度")
HALF_NAMES = plain_names("half half_year halfyear halbjahr semester semestre")
WEEK_NAMES = plain_names("week wk kw woche semaine semana settimana uke vecka iso_week week_number неделя 周")
DAY_NAMES = plain_names("day dd tag jour día dia giorno dag день 日")
PERIOD_NAMES = plain_names("period periode período periodo période")
#: Names of columns that are a part of the date or the time of day, and never name a series.
PART_NAMES = YEAR_NAMES | MONTH_NAMES | QUARTER_NAMES | HALF_NAMES | WEEK_NAMES | DAY_NAMES | PERIOD_NAMES
PART_NAMES |= plain_names(
    "weekday wochentag date_part minute minuto second session sitzung sesión sessão seduta sesión"
)
#: How each part is written, its greatest number, and how a date with it is.
MONTH, QUARTER = ("M?0?", 12, "-{:02d}"), ("Q?0?", 4, "Q{}")
HALF, WEEK = ("[HS]?0?", 2, "H{}"), ("W?0?", 53, "-W{:02d}")
#: A column named a period states by its letter which part it is.
LETTERS = {"M": MONTH, "Q": QUARTER, "H": HALF, "S": HALF, "W": WEEK}
DAY = ("0?", 31, "-{:02d}")
#: Returns the cells of a column as the end of a date, or None.
Reader = Callable[[pd.Series], "pd.Series | None"]


def join_parts(frame: pd.DataFrame, names: Sequence[str], at: int) -> tuple[list[int], pd.Series | None]:
    """Return the positions of a date's columns, and the dates as text where the parts of the years `at` are in others.

    Raises ValueError where years repeat and a column divides them into parts that cannot be read.
    """
    years = pd.to_numeric(frame.iloc[:, at], errors="coerce") if names[at] in YEAR_NAMES else None
    if years is None or not years.between(1, 9999).all():
        return [at], None
    year = years.astype("int64").astype(str).str.zfill(4)
    for group, read in PARTS:
        if (found := _find_part(frame, names, group, read)) is None:
            continue
        day = _find_part(frame, names, DAY_NAMES, _reader(DAY)) if group is MONTH_NAMES else None
        parts = [found] if day is None else [found, day]
        return [at, *(column for column, _ in parts)], sum((text for _, text in parts), year)
    _refuse_unread(frame, names, at)
    return [at], None


def refuse_grid(columns: pd.Index, dates: pd.Index) -> None:
    """Raise ValueError where the columns are the months or quarters of the year of each row."""
    what = columns_are(columns)
    if what and isinstance(dates, pd.DatetimeIndex) and (dates.is_year_start & (dates == dates.normalize())).all():
        raise ValueError(
            f"each row is a year and its columns are {what}: write a row per date, such as 2024-01 and its value, as "
            "pandas' melt does"
        )


def columns_are(columns: pd.Index) -> str:
    """Return "months" or "quarters" if the columns are named by all of them, else ""."""
    plain = {str(name).strip().lower() for name in columns}
    if {month_number(name) for name in plain} >= set(range(1, 13)):
        return "months"
    return "quarters" if {"q1", "q2", "q3", "q4"} <= plain else ""


# --- parts -----------------------------------------------------------------------------------------------------------


def _find_part(
    frame: pd.DataFrame, names: Sequence[str], group: frozenset[str], read: Reader
) -> tuple[int, pd.Series] | None:
    """Return the position of the column with one of these names, and its cells as the end of a date; or None."""
    column = next((i for i, name in enumerate(names) if name in group), None)
    if column is None or frame.iloc[:, column].isna().any():
        return None
    codes, distinct = pd.factorize(frame.iloc[:, column])
    text = read(_as_text(distinct))
    return None if text is None else (column, pd.Series(text.to_numpy()[codes], index=frame.index, dtype=object))


def _as_text(cells: Iterable[Any]) -> pd.Series:
    """Return cells as text, whole numbers without a decimal point."""
    return pd.Series([re.sub(r"\.0+$", "", str(cell).strip()) for cell in cells], dtype=object)


def _reader(form: tuple[str, int, str]) -> Reader:
    """Return the function that reads the cells of one part, such as 1, Q1 or 1Q."""
    prefix, last, end = form

    def read(cells: pd.Series) -> pd.Series | None:
        numbers = cells.str.extract(rf"^(?:{prefix}(\d{{1,2}})|(\d)Q)$", flags=re.IGNORECASE)
        number = pd.to_numeric(numbers[0].fillna(numbers[1]) if last == 4 else numbers[0])
        if number.isna().any() or not number.between(1, last).all():
            return None
        return number.astype("int64").map(end.format)

    return read


def _read_months(cells: pd.Series) -> pd.Series | None:
    months = [month_number(cell) for cell in cells]
    if None in months:
        return _reader(MONTH)(cells)
    return pd.Series([f"-{month:02d}" for month in months], index=cells.index, dtype=object)


def _read_periods(cells: pd.Series) -> pd.Series | None:
    """Return periods with a letter, such as M01 or Q1, as the end of a date."""
    letters = cells.str[:1].str.upper().unique()
    return _reader(LETTERS[letters[0]])(cells) if len(letters) == 1 and letters[0] in LETTERS else None


#: Parts of a year by the names of their columns, and how each is read.
PARTS: tuple[tuple[frozenset[str], Reader], ...] = (
    (MONTH_NAMES, _read_months),
    (QUARTER_NAMES, _reader(QUARTER)),
    (HALF_NAMES, _reader(HALF)),
    (WEEK_NAMES, _reader(WEEK)),
    (PERIOD_NAMES, _read_periods),
)


def _refuse_unread(frame: pd.DataFrame, names: Sequence[str], at: int) -> None:
    """Raise ValueError where a column divides the years into parts that are not read."""
    years = frame.iloc[:, at].to_numpy()
    for i, name in enumerate(names):
        cells = frame.iloc[:, i]
        if i == at or name not in PART_NAMES or cells.groupby(years).nunique().max() < 2:
            continue
        read = next((read for group, read in PARTS if name in group), None)
        distinct = _as_text(cells.unique())
        unread = next((cell for cell in distinct if read is None or read(pd.Series([cell])) is None), distinct[0])
        raise ValueError(
            f"the years in {frame.columns[at]!r} have parts in {frame.columns[i]!r}, and {unread!r} is not clearly "
            "a month, quarter or week: write both in one column of dates, as 2024-01, and leave out averages of a year"
        )
