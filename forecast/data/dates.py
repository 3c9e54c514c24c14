"""Dates in text: a column has one format throughout, and an ambiguous date is refused, not guessed."""

from __future__ import annotations

import re
from datetime import datetime

import pandas as pd

#: A zone after a time of day, such as the -05:00 of 2024-01-02 09:30:00-05:00.
ZONE = r"(\d{1,2}:\d{2}.*?)\s*(?:Z|UTC|[+-]\d{2}:?\d{2})$"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_MONTH = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? )?"
_TIME = r"(?:(?:T|,? )(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:\.(?P<f>\d{1,6}))?)? ?(?P<half>[ap]m)?)?"
#: Date formats by their first part. In "number" either a or b may be the day.
FORMATS = {
    leading: re.compile(pattern + _TIME, re.IGNORECASE | re.ASCII)
    for leading, pattern in {
        "year": r"(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})",
        "number": r"(?P<a>\d{1,2})(?P<sep>[-/. ])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4})",
        "day": rf"{_WEEKDAY}(?P<d>\d{{1,2}})(?P<sep>\.? ?|-){_MONTH},?[- ]?(?P<y>\d{{4}})",
        "month": rf"{_WEEKDAY}{_MONTH}(?P<sep> )(?P<d>\d{{1,2}}),? (?P<y>\d{{4}})",
    }.items()
}
#: Formats of ISO 8601: digits only, or the year first. They are parsed as one array.
ISO = (r"[12]\d{3}", r"[12]\d{3}-\d{2}", r"[12]\d{7}(?:[T ].+)?", r"\d{4}-\d{2}-\d{2}(?:[T ].+)?")
SHORT_YEAR = re.compile(r"\d{1,2}([-/. ])(\d{1,2}|[a-z]{3,9})\1'?\d{2}([T ,].*)?|[a-z]{3,9} \d{1,2},? '?\d{2}", re.I)
#: The range that pandas 2 can represent in nanoseconds.
FIRST, LAST = datetime(1678, 1, 1), datetime(2262, 1, 1)


def is_date(cell: str) -> bool:
    """Return whether a cell is a date and nothing else, to distinguish a row from a header."""
    return any(pattern.fullmatch(cell) for pattern in FORMATS.values()) or bool(SHORT_YEAR.fullmatch(cell))


def read_dates(column: pd.Series, row_word: str, dayfirst: bool | None) -> pd.DatetimeIndex:
    """Return the dates of a text column without their time zone.

    The column is labelled by the positions in its file, which errors call by `row_word` ("line" or "row").
    """
    codes, distinct = pd.factorize(column)
    texts = pd.Series(distinct, dtype=object).str.replace(ZONE, r"\1", regex=True)
    dates, context = _read_iso(texts), ""
    if dates is None:
        dates, context = _read_formatted(texts, dayfirst)
    dates = dates.where((dates >= FIRST) & (dates < LAST))
    if dates.isna().any():
        invalid = int(dates.isna().to_numpy().argmax())
        line = column.index[int((codes == invalid).argmax())]
        if SHORT_YEAR.fullmatch(texts[invalid]):
            raise ValueError(
                f"{row_word} {line} contains {column[line]!r}, whose year has two digits: write dates as 2024-01-31"
            )
        raise ValueError(
            f"{row_word} {line} contains {column[line]!r} instead of a date{context}: write all dates as 2024-01-31"
        )
    return pd.DatetimeIndex(dates.to_numpy()[codes])


def _read_iso(texts: pd.Series) -> pd.Series | None:
    """Return dates in the ISO format of the first, NaT where the format differs; None if the first is not ISO."""
    pattern = next((form for form in ISO if re.fullmatch(form, texts.iloc[0], re.ASCII)), None)
    if pattern is None:
        return None
    same_format = texts.str.fullmatch(re.compile(pattern, re.ASCII)).astype(bool)
    return pd.to_datetime(texts.where(same_format), format="ISO8601", errors="coerce")


def _read_formatted(texts: pd.Series, dayfirst: bool | None) -> tuple[pd.Series, str]:
    """Return dates in the format of the first, NaT where the format differs, and context for an error text."""
    leading = next((name for name, pattern in FORMATS.items() if pattern.fullmatch(texts[0])), None)
    if leading is None:
        return pd.Series([pd.NaT] * len(texts)), ""
    matches = [FORMATS[leading].fullmatch(text) for text in texts]
    sep = matches[0] and matches[0]["sep"]
    matches = [match if match and match["sep"] == sep else None for match in matches]
    if leading != "number":
        return _to_dates(matches, "m", "d"), ""
    if dayfirst is not None:
        return _to_dates(matches, *("ba" if dayfirst else "ab")), f", read with dayfirst={dayfirst}"
    readings = [_to_dates(matches, "a", "b"), _to_dates(matches, "b", "a")]
    complete = [reading for reading in readings if reading.notna().all()]
    if len(complete) == 2 and not complete[0].equals(complete[1]):
        raise ValueError(
            f"dates such as {texts[0]!r} may mean month/day or day/month: set dayfirst=True or dayfirst=False, or "
            "write them as 2024-01-31 (year first)"
        )
    # If neither order reads all dates, the error names the first date that the better order cannot read.
    return (complete or [max(readings, key=lambda dates: int(dates.isna().to_numpy().argmax()))])[0], ""


def _to_dates(matches: list[re.Match[str] | None], month: str, day: str) -> pd.Series:
    """Return the dates of the matches, whose groups `month` and `day` contain these."""
    dates = [match and _to_date(match.groupdict(), month, day) for match in matches]
    return pd.to_datetime(pd.Series(dates, dtype=object))


def _to_date(part: dict[str, str | None], month: str, day: str) -> datetime | None:
    name = part.get("name")
    hour = int(part["H"] or 0)
    if part["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (part["half"].lower() == "pm")
    month_number = MONTHS.index(name[:3].lower()) + 1 if name else int(part[month] or 0)
    year, day_number, minute, second = (int(part[key] or 0) for key in ("y", day, "M", "S"))
    microsecond = int((part["f"] or "0").ljust(6, "0"))
    try:
        return datetime(year, month_number, day_number, hour, minute, second, microsecond)
    except ValueError:
        return None
