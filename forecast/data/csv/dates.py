"""Dates as people write them: a column is written in one way throughout, and what may mean two days is not guessed."""

from __future__ import annotations

import re
from datetime import datetime

import pandas as pd

#: A zone behind a time of day, such as the -05:00 of 2024-01-02 09:30:00-05:00.
ZONE = r"(\d{1,2}:\d{2}.*?)\s*(?:Z|UTC|[+-]\d{2}:?\d{2})$"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_MONTH = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? )?"
_TIME = r"(?:(?:T|,? )(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:\.(?P<f>\d{1,6}))?)? ?(?P<half>[ap]m)?)?"
#: The ways to write a day, by what leads. In "number" either a or b may be the day.
WAYS = {
    way: re.compile(pattern + _TIME, re.IGNORECASE | re.ASCII)
    for way, pattern in {
        "year": r"(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})",
        "number": r"(?P<a>\d{1,2})(?P<sep>[-/. ])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4})",
        "day": rf"{_WEEKDAY}(?P<d>\d{{1,2}})(?P<sep>\.? ?|-){_MONTH},?[- ]?(?P<y>\d{{4}})",
        "month": rf"{_WEEKDAY}{_MONTH}(?P<sep> )(?P<d>\d{{1,2}}),? (?P<y>\d{{4}})",
    }.items()
}
#: What ISO 8601 writes: digits alone, or a year in front. They are read at once.
ISO = (r"[12]\d{3}", r"[12]\d{3}-\d{2}", r"[12]\d{7}(?:[T ].+)?", r"\d{4}-\d{2}-\d{2}(?:[T ].+)?")
SHORT_YEAR = re.compile(r"\d{1,2}([-/. ])(\d{1,2}|[a-z]{3,9})\1'?\d{2}([T ,].*)?|[a-z]{3,9} \d{1,2},? '?\d{2}", re.I)
#: The days that pandas can count in nanoseconds, as pandas 2 does.
FIRST, LAST = datetime(1678, 1, 1), datetime(2262, 1, 1)


def is_day(cell: str) -> bool:
    """Say whether a cell is nothing but a date, to tell a row from a header."""
    return any(way.fullmatch(cell) for way in WAYS.values()) or bool(SHORT_YEAR.fullmatch(cell))


def read_dates(column: pd.Series, unit: str, dayfirst: bool | None) -> pd.DatetimeIndex:
    """Read a column of dates that is labelled by the lines (or rows: `unit`) of its file; a zone is left off."""
    codes, different = pd.factorize(column)
    texts = pd.Series(different, dtype=object).str.replace(ZONE, r"\1", regex=True)
    dates, advice = _iso(texts), ""
    if dates is None:
        dates, advice = _ways(texts, dayfirst)
    dates = dates.where((dates >= FIRST) & (dates < LAST))
    if dates.isna().any():
        wrong = int(dates.isna().to_numpy().argmax())
        line = column.index[int((codes == wrong).argmax())]
        if SHORT_YEAR.fullmatch(texts[wrong]):
            raise ValueError(
                f"{unit} {line} holds {column[line]!r}, whose year has two digits: write dates as 2024-01-31"
            )
        raise ValueError(f"{unit} {line} holds {column[line]!r} for a date{advice}: write all dates as 2024-01-31")
    return pd.DatetimeIndex(dates.to_numpy()[codes])


def _iso(texts: pd.Series) -> pd.Series | None:
    pattern = next((form for form in ISO if re.fullmatch(form, texts.iloc[0], re.ASCII)), None)
    if pattern is None:
        return None
    one_way = texts.str.fullmatch(re.compile(pattern, re.ASCII))
    return pd.to_datetime(texts.where(one_way.astype(bool)), format="ISO8601", errors="coerce")


def _ways(texts: pd.Series, dayfirst: bool | None) -> tuple[pd.Series, str]:
    """Read by the way that the first date is written in, giving NaT where a date is written in another."""
    way = next((name for name, pattern in WAYS.items() if pattern.fullmatch(texts[0])), None)
    if way is None:
        return pd.Series([pd.NaT] * len(texts)), ""
    found = [WAYS[way].fullmatch(text) for text in texts]
    seps = [match and match["sep"] for match in found]
    found = [match if sep == seps[0] else None for match, sep in zip(found, seps, strict=True)]
    if way != "number":
        return _days(found, "m", "d"), ""
    if dayfirst is not None:
        return _days(found, *("ba" if dayfirst else "ab")), f", read with dayfirst={dayfirst}"
    readings = [_days(found, "a", "b"), _days(found, "b", "a")]
    whole = [reading for reading in readings if reading.notna().all()]
    if len(whole) == 2 and not whole[0].equals(whole[1]):
        raise ValueError(
            f"dates such as {texts[0]!r} may mean month/day or day/month: say dayfirst=True or dayfirst=False, or "
            "write them as 2024-01-31 (year first)"
        )
    return (whole or [max(readings, key=lambda dates: int(dates.isna().to_numpy().argmax()))])[0], ""


def _days(found: list[re.Match[str] | None], month: str, day: str) -> pd.Series:
    return pd.to_datetime(pd.Series([match and _day(match.groupdict(), month, day) for match in found], dtype=object))


def _day(part: dict[str, str | None], month: str, day: str) -> datetime | None:
    name = part.get("name")
    hour = int(part["H"] or 0)
    if part["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (part["half"].lower() == "pm")
    try:
        return datetime(
            int(part["y"] or 0),
            MONTHS.index(name[:3].lower()) + 1 if name else int(part[month] or 0),
            int(part[day] or 0),
            hour,
            int(part["M"] or 0),
            int(part["S"] or 0),
            int((part["f"] or "0").ljust(6, "0")),
        )
    except ValueError:
        return None
