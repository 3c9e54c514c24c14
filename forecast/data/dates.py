"""Dates in text: a column has one format throughout, and an ambiguous date is refused, not guessed."""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np
import pandas as pd

from forecast.data.month_names import MONTH_NUMBERS, WEEKDAYS

#: A zone after a time of day, such as the -05:00 of 2024-01-02 09:30:00-05:00.
ZONE = re.compile(
    r"(?P<clock>.*\d:\d{2}.*?|\d{4}-?\d{2}-?\d{2}[T ]\d{2,6}(?:\.\d+)?)\s*"
    r"(?P<zone>Z|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?|[A-Z]{3,4})(?:\[.+\])?",
    re.ASCII,
)
ZONE_END = re.compile(r"[+\-A-Z\]]")  # in the last characters of a text that may have a zone
#: Hours from UTC of the abbreviations that have one meaning.
ZONE_HOURS = {"Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "HKT": 8}
ZONE_HOURS |= {"JST": 9, "KST": 9, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}

_NAMES = sorted({*MONTH_NUMBERS, *map(str.upper, MONTH_NUMBERS)}, key=len, reverse=True)  # É is no é with re.ASCII
_NAME = rf"(?:{'|'.join(_NAMES)})\.?"
_MONTH = rf"(?P<name>{'|'.join(_NAMES)})\.?"
_WEEKDAY = rf"(?:(?:{'|'.join(sorted(WEEKDAYS, key=len, reverse=True))})\.?,? )?"
_TIME = r"(?:(?:T|,? )(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:\.(?P<f>\d{1,6}))?)? ?(?P<half>[ap]m)?)?"
_DAYS = {
    "year": r"(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})",
    "of Taiwan": r"(?P<roc>1\d{2})(?P<sep>/)(?P<m>\d{1,2})/(?P<d>\d{1,2})",
    "number": r"(?P<a>\d{1,2})(?P<sep>[-/. ])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4})",
    "day": rf"{_WEEKDAY}(?P<d>\d{{1,2}})(?:er|º)?(?P<sep>[./]? ?| de |-){_MONTH},?(?:[-/ ]| de )?(?P<y>\d{{4}})",
    "month": rf"{_WEEKDAY}{_MONTH}(?P<sep> |-)(?P<d>\d{{1,2}})(?:,? |-)(?P<y>\d{{4}})",
    "characters": r"(?P<y>\d{4}) ?(?P<sep>[年년]) ?(?P<m>\d{1,2}) ?[月월] ?(?:(?P<d>\d{1,2}) ?[日일])?",
    "korean": r"(?P<y>\d{4})(?P<sep>\. )(?P<m>\d{1,2})\. (?P<d>\d{1,2})\.?",
}
#: Years, months, quarters, half-years and ISO weeks, which are labelled by their first day.
_PERIODS = {
    "quarter": r"(?P<y>\d{4})(?P<sep>[- /:]?)[QTK](?P<q>[1-4])",
    "quarter first": r"[QTK](?P<q>[1-4])(?P<sep>[- /]?)(?P<y>\d{4})",
    "number of the quarter": r"(?P<q>[1-4])[QTK](?P<sep>[- /]?)(?P<y>\d{4})",
    "fiscal year": r"FY(?P<sep>[- ]?)(?P<y>\d{4})",
    "half-year": r"(?P<y>\d{4})(?P<sep>[- ]?)[HS](?P<hy>[12])",
    "week": r"(?P<y>\d{4})(?P<sep>[- ]?)W(?P<w>\d{1,2})(?:-(?P<d>[1-7]))?",
    "M": r"(?P<y>\d{4})(?P<sep>[- ]?)M(?P<m>\d{1,2})",
    "year and month": r"(?P<y>\d{4})(?P<sep>[-/])(?P<m>\d{1,2})",
    "month and year": r"(?P<m>\d{1,2})(?P<sep>[-/])(?P<y>\d{4})",
    "month name": rf"{_MONTH}(?P<sep>[- /]|, | de )(?P<y>\d{{4}})",
    "year and month name": rf"(?P<y>\d{{4}})(?P<sep>[- ]?){_MONTH}",
}
#: Date formats by their first part. In "number" either a or b may be the day.
FORMATS = {name: re.compile(pattern + _TIME, re.IGNORECASE | re.ASCII) for name, pattern in _DAYS.items()}
FORMATS |= {name: re.compile(pattern, re.IGNORECASE | re.ASCII) for name, pattern in _PERIODS.items()}
#: Digits without marks, by their number.
COMPACT = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
#: The same digits with a year of two digits.
SHORT_COMPACT = {4: "%y%m", 6: "%y%m%d", 10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S"}
#: How an error writes the dates of both.
WRITTEN = {4: ("%Y", "%Y-%m"), 6: ("%Y-%m", "%Y-%m-%d"), 10: ("%Y-%m-%d %H:%M",) * 2, 12: ("%Y-%m-%d %H:%M",) * 2}
#: Formats of ISO 8601 with the year first. They are parsed as one array.
ISO = (r"[12]\d{3}-\d{2}", r"[12]\d{7}[T ].+", r"\d{4}-\d{2}-\d{2}(?:[T ].+)?")
SHORT_YEAR = re.compile(
    rf"\d{{1,2}}([-/. ])(\d{{1,2}}|{_NAME})\1'?\d{{2}}([T ,].*)?|{_NAME} \d{{1,2}},? '?\d{{2}}",
    re.IGNORECASE,
)
#: A month and a year of two digits, which may be the name of a column, as of futures.
SHORT_MONTH = re.compile(rf"{_NAME}[-/ ]'?\d{{2}}|\d{{2}}[-/ ]{_NAME}", re.IGNORECASE)
MAX_SHIFT = pd.Timedelta(hours=2)  # of the clock of one place
MIN_CONVERTED = 5  # distinct dates that show by their order that some are converted
#: The range that pandas 2 can represent in nanoseconds.
FIRST, LAST = datetime(1678, 1, 1), datetime(2262, 1, 1)


class AmbiguousDateError(ValueError):
    """Dates with two meanings: the day or the month first, or a year of two digits or four."""

    def __init__(self, example: str, meanings: str, advice: str, conversion: str) -> None:
        super().__init__(f"dates such as {example!r} may mean {meanings}: {advice}")
        self.example, self.meanings, self.conversion = example, meanings, conversion

    def in_python(self) -> AmbiguousDateError:
        """Return the error with advice for a table in Python instead of a file."""
        advice = f"convert them first, as with {self.conversion}"
        return AmbiguousDateError(self.example, self.meanings, advice, self.conversion)


def is_date(cell: str) -> bool:
    """Return whether a cell is a date and nothing else, to distinguish a row from a header."""
    return any(pattern.fullmatch(cell) for pattern in FORMATS.values()) or bool(SHORT_YEAR.fullmatch(cell))


def read_dates(column: pd.Series, row_word: str, dayfirst: bool | None) -> tuple[pd.DatetimeIndex, str]:
    """Return the dates of a text column without their time zone, and a note ("" for none).

    The column is labelled by the positions in its file, which errors call by `row_word` ("line" or "row"). Of times
    with an offset from UTC the local clock time remains; where it repeats or goes back, the times are in UTC.
    """
    codes, distinct = pd.factorize(column)
    distinct = [re.sub(r"^([12]\d{7});(\d{6})$", r"\1T\2", text, flags=re.ASCII) for text in distinct]
    texts, offsets = split_zones(pd.Series(distinct, dtype=object))
    dates, context = _read_compact(texts), ""
    if dates is None:
        dates = _read_iso(texts)
    if dates is None:
        dates, context = _read_formatted(texts, dayfirst)
    dates = dates.where((dates >= FIRST) & (dates < LAST))
    if dates.isna().any():
        invalid = int(dates.isna().to_numpy().argmax())
        line = column.index[int((codes == invalid).argmax())]
        raise ValueError(f"{row_word} {line} contains {column[line]!r}{_describe_unread(texts, invalid, context)}")
    index = pd.DatetimeIndex(dates.to_numpy()[codes])
    if offsets.isna().all():
        return index, ""
    if offsets.isna().any():
        line = column.index[int(offsets.isna().to_numpy()[codes].argmax())]
        raise ValueError(
            f"{row_word} {line} contains {column[line]!r} without an offset from UTC, and other rows have one: give "
            "every row its offset, such as 2024-01-31 09:30+01:00"
        )
    return clock_times(index, index - pd.TimedeltaIndex(offsets.to_numpy()[codes]))


def _describe_unread(texts: pd.Series, invalid: int, context: str) -> str:
    """Return why a text is no date of a column, and what to do, to follow the text in a message."""
    text = texts[invalid]
    if SHORT_YEAR.fullmatch(text) or SHORT_MONTH.fullmatch(text):
        return ", whose year has two digits: write dates as 2024-01-31"
    if _is_interval(text):
        return (
            ", an interval: write one date for each row, its first day or the day from which its value is known, as "
            "2024-01-31"
        )
    if re.fullmatch(r"\d{4}", texts[0]) and is_date(text):
        years = f" and rows before it years such as {texts[0]!r}"
        return f"{years}, so they are of several frequencies: select the rows of one"
    steps = ", or name a column that numbers the rows step" if _are_steps(texts) else ""
    return f" instead of a date{context}: write all dates as 2024-01-31{steps}"


def _are_steps(texts: pd.Series) -> bool:
    """Return whether texts are whole numbers that may count rows."""
    return bool(texts.str.fullmatch(r"\d{1,7}").all())


def _is_interval(text: str) -> bool:
    """Return whether a text is two dates, of which the first may have no year."""
    parts = re.split(r" ?(?:–|—|\bto\b|\bbis\b|/(?=\d{4})|(?<= )-(?= )|,) ?", text.strip("[]()"), maxsplit=1)
    first, second = (part.strip() for part in (*parts, "")[:2])
    return bool(second) and is_date(second) and (is_date(first) or is_date(f"{first}, {second[-4:]}"))


def clock_times(local: pd.DatetimeIndex, utc: pd.DatetimeIndex) -> tuple[pd.DatetimeIndex, str]:
    """Return the local times where they identify the instants in their order, else the times in UTC; and a note."""
    if (local == local.normalize()).all():
        return local, ""
    offsets = (local - utc).unique().sort_values()
    if offsets[-1] - offsets[0] > MAX_SHIFT:
        raise ValueError(
            f"the rows have times of day in time zones {(offsets[-1] - offsets[0]) / pd.Timedelta(hours=1):g} hours "
            "apart, so they are of several places: write all in UTC, as tz_convert('UTC') does, or reduce each series "
            "to one row per day"
        )
    order = np.argsort(utc.to_numpy(), kind="stable")
    steps = np.diff(local.to_numpy()[order]).astype(np.int64)
    wrong = np.flatnonzero((steps <= 0) & (np.diff(utc.to_numpy()[order]).astype(np.int64) > 0))
    if len(wrong) == 0:
        return local, ""
    time = local[order[wrong[0] + 1]]
    return utc, f"the rows are labelled in UTC, because local times repeat or go back at {time:%Y-%m-%d %H:%M}"


def split_zones(texts: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the texts without the zones after their times, and the offsets of these from UTC (NaT for none)."""
    matches = [ZONE.fullmatch(text) if ZONE_END.search(text[-6:]) else None for text in texts]
    if not any(matches):
        return texts, pd.Series(pd.NaT, index=texts.index, dtype="timedelta64[ns]")
    codes, zones = pd.factorize(np.array([match and match["zone"] for match in matches], dtype=object))
    of_zones = [*map(_offset, zones), None]  # -1 is the code of no zone
    local = [
        match["clock"] if match is not None and of_zones[code] is not None else text
        for text, match, code in zip(texts, matches, codes, strict=True)
    ]
    return pd.Series(local, dtype=object), pd.Series(pd.to_timedelta(of_zones).to_numpy()[codes])


def _offset(zone: str) -> pd.Timedelta | None:
    """Return the offset of a zone from UTC; None if it is none, or has several meanings."""
    if zone in ZONE_HOURS:
        return pd.Timedelta(hours=ZONE_HOURS[zone])
    digits = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", zone)
    if digits is None:
        return None
    return (-1 if digits[1] == "-" else 1) * pd.Timedelta(hours=int(digits[2]), minutes=int(digits[3] or 0))


def _read_compact(texts: pd.Series) -> pd.Series | None:
    """Return dates of digits only, NaT where their number differs from the first's; None for any other dates."""
    if not re.fullmatch("[12][0-9]+", texts.iloc[0]) or len(texts.iloc[0]) not in COMPACT:
        return None
    digits = len(texts.iloc[0])
    same_format = texts.str.fullmatch(f"[12][0-9]{{{digits - 1}}}").astype(bool)
    dates = pd.to_datetime(texts.where(same_format), format=COMPACT[digits], errors="coerce")
    if digits in SHORT_COMPACT and dates.notna().all():
        _check_short_years(texts, dates)
    return dates


def _check_short_years(texts: pd.Series, dates: pd.Series) -> None:
    """Raise AmbiguousDateError where digits may be dates whose year has two digits, such as 200102.

    `dates` are those with four digits of the year. They are certain if they are years of one century, months at one
    distance in several years, or times of more than one hour of a day.
    """
    digits = len(texts.iloc[0])
    short = pd.to_datetime(texts, format=SHORT_COMPACT[digits], errors="coerce")
    if short.isna().any():
        return
    months = np.unique(12 * dates.dt.year + dates.dt.month)
    if digits == 4:
        is_certain = (dates.dt.year // 100).nunique() == 1
    elif digits == 6:
        is_certain = len(set(np.diff(months))) == 1 and np.diff(months)[0] < 12 and dates.dt.year.nunique() > 1
    else:
        is_certain = (dates - dates.dt.normalize()).nunique() > 1
    if not is_certain:
        long_form, short_form = WRITTEN[digits]
        meanings = f"{dates.iloc[0]:{long_form}} or {short.iloc[0]:{short_form}}"
        formats = f"pd.to_datetime(dates.astype(str), format='{COMPACT[digits]}') or format='{SHORT_COMPACT[digits]}'"
        raise AmbiguousDateError(texts.iloc[0], meanings, "write them as 2024-01-31 (a month as 2024-01)", formats)


def _read_iso(texts: pd.Series) -> pd.Series | None:
    """Return dates in the ISO format of the first, NaT where the format differs; None if the first is not ISO."""
    pattern = next((form for form in ISO if re.fullmatch(form, texts.iloc[0], re.ASCII)), None)
    if pattern is None:
        return None
    same_format = texts.str.fullmatch(re.compile(pattern, re.ASCII)).astype(bool)
    dates = pd.to_datetime(texts.where(same_format), format="ISO8601", errors="coerce")
    return dates if dates.dt.tz is None else dates.where(False).dt.tz_localize(None)  # a zone that ZONE does not know


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
        advice = "set dayfirst=True or dayfirst=False, or write them as 2024-01-31 (year first)"
        raise AmbiguousDateError(
            texts[0], "month/day or day/month", advice, "pd.to_datetime(dates, dayfirst=True) or dayfirst=False"
        )
    if len(complete) == 1:
        _check_converted(texts, *readings)
    # If neither order reads all dates, the error names the first date that the better order cannot read.
    return (complete or [max(readings, key=lambda dates: int(dates.isna().to_numpy().argmax()))])[0], ""


def _check_converted(texts: pd.Series, month_first: pd.Series, day_first: pd.Series) -> None:
    """Raise ValueError if dates are in order only where some have the month first and the others the day.

    A spreadsheet of another country converts the dates that it can read, with day and month swapped, and leaves the
    others as text.
    """
    is_day_first = day_first.notna().all()
    reading, other = (day_first, month_first) if is_day_first else (month_first, day_first)
    swapped = other.where(other.notna(), reading)
    if len(texts) < MIN_CONVERTED or _is_ordered(reading) or not _is_ordered(swapped):
        return
    first, rest = (int((other.notna() & (other != reading)).argmax()), int(other.isna().argmax()))
    names = ("month", "day") if is_day_first else ("day", "month")
    raise ValueError(
        f"dates such as {texts[first]!r} seem to have the {names[0]} first and others, such as {texts[rest]!r}, the "
        f"{names[1]}, as where a spreadsheet converts some of them: write all dates as 2024-01-31"
    )


def _is_ordered(dates: pd.Series) -> bool:
    return bool(dates.is_monotonic_increasing or dates.is_monotonic_decreasing)


def _to_dates(matches: list[re.Match[str] | None], month: str, day: str) -> pd.Series:
    """Return the dates of the matches, whose groups `month` and `day` contain these."""
    dates = [match and _to_date(match.groupdict(), month, day) for match in matches]
    return pd.to_datetime(pd.Series([date if date and FIRST <= date < LAST else None for date in dates], dtype=object))


def _to_date(groups: dict[str, str | None], month: str, day: str) -> datetime | None:
    part = {key: text for key, text in groups.items() if text}
    hour = int(part.get("H", 0))
    if "half" in part:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (part["half"].lower() == "pm")
    minute, second, microsecond = int(part.get("M", 0)), int(part.get("S", 0)), int(part.get("f", "0").ljust(6, "0"))
    year = int(part["y"]) if "y" in part else int(part["roc"]) + 1911
    day_number = int(part.get(day, 1))
    try:
        if "w" in part:
            return datetime.fromisocalendar(year, int(part["w"]), day_number)
        return datetime(year, _month(part, month), day_number, hour, minute, second, microsecond)
    except ValueError:
        return None


def _month(part: dict[str, str], month: str) -> int:
    """Return the month of a date, or the first month of a quarter, half-year or year."""
    if "name" in part:
        return MONTH_NUMBERS[part["name"].lower()]
    if "q" in part:
        return 3 * int(part["q"]) - 2
    return 6 * int(part["hy"]) - 5 if "hy" in part else int(part.get(month, 1))
