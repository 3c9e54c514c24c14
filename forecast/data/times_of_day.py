"""Times of day in a column of their own: 09:30, 9:30 AM, 093000, 09:00-10:00, and numbers of hours or periods."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from forecast.data.dates import split_zones
from forecast.data.fields import plain_names

#: Names of a column of times of day; all names here are compared as `plain_name` returns them.
TIME_NAMES = plain_names(
    "time zeit uhrzeit hora heure ora tid saat время 시간 时间 時間 時刻 trade_time time_of_day bar_time"
)
TIME_NAMES |= plain_names("hhmm hhmmss")
HOUR_NAMES = plain_names(
    "hour hours hr he hour_ending hour_beginning delivery_hour stunde stunden ore heures horas uur"
)
HOUR_NAMES |= plain_names("uur час 小时 timme time_interval hourly_interval")
#: Names of a column of the numbers of equal periods of a day.
SLOT_NAMES = plain_names(
    "period settlement_period sp interval delivery_interval slot half_hour quarter_hour mtu periodo"
)
SLOT_NAMES |= plain_names("periodo periodo_horario periode période delivery_period trading_period")
MAX_CELLS = 100  # cells of a column that show whether it consists of AM and PM
SLOTS = (24, 48, 96)  # equal periods of a day
HOUR = re.compile(r"(?:hour|he|h)? ?(\d{1,2})", re.IGNORECASE | re.ASCII)
INTERVAL = re.compile(
    r"(?P<start>\d{1,2}(:\d{2})?) ?(?:-|–|to|bis) ?(?P<end>\d{1,2}(:\d{2})?)", re.IGNORECASE | re.ASCII
)
CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,9})?))? ?([ap]m)?", re.IGNORECASE | re.ASCII)
HOUR_ENDS = "the hours 1 to 24 are labelled by their beginning, 0:00 to 23:00"
DAY = pd.Timedelta(days=1)


class Times(NamedTuple):
    """The times of day (T,) in a column, their offsets from UTC (NaT for none), and a note."""

    column: int
    clock: pd.TimedeltaIndex
    offsets: pd.TimedeltaIndex
    note: str


def read_times(frame: pd.DataFrame, names: Sequence[str], dates: int) -> Times | None:
    """Return the times of day of a table whose columns have these plain names; None where no column contains them."""
    for i, name in enumerate(names):
        if i == dates or name not in TIME_NAMES | HOUR_NAMES | SLOT_NAMES or frame.iloc[:, i].isna().any():
            continue
        codes, distinct = pd.factorize(frame.iloc[:, i])
        texts, offsets = split_zones(_starts(pd.Series([str(cell).strip() for cell in distinct], dtype=object)))
        clock, note = _read_texts(texts, name)
        if clock is not None and clock.notna().all():
            _check_halves(frame, i)
            return Times(
                i, pd.TimedeltaIndex(clock.to_numpy()[codes]), pd.TimedeltaIndex(offsets.to_numpy()[codes]), note
            )
    return None


def _check_halves(frame: pd.DataFrame, times: int) -> None:
    """Raise ValueError if a column next to the times consists of AM and PM."""
    for name, column in frame.items():
        cells = {str(cell).strip().lower().replace(".", "") for cell in column.iloc[:MAX_CELLS].dropna().unique()}
        if cells and cells <= {"am", "pm"}:
            raise ValueError(
                f"the times are in {str(frame.columns[times])!r}, and AM and PM in {str(name)!r}: write both in one "
                "column, such as 9:30 AM"
            )


def _starts(texts: pd.Series) -> pd.Series:
    """Return the starts of intervals such as 09:00-10:00 and 09 - 10, any other texts as they are.

    In a column with one or two ends these are offsets from UTC, as in 09:00-05:00.
    """
    intervals = [match for text in texts if (match := INTERVAL.fullmatch(text))]
    if len(intervals) < len(texts) or len({match["end"] for match in intervals}) < 3:
        return texts
    starts = [match["start"] for match in intervals]
    return pd.Series([start if ":" in start else f"{start}:00" for start in starts], dtype=object)


def are_times(cells: Iterable[Any]) -> bool:
    """Return whether cells that all differ are clock times, intervals, or the numbers of all periods of a day."""
    texts = pd.Series([str(cell).strip() for cell in cells], dtype=object)
    if len(texts) < 2:
        return False
    if texts.str.fullmatch(r"\d{1,2}(\.0)?").all():
        numbers = sorted(float(text) for text in texts)
        return any(numbers == list(range(first, first + n)) for n in SLOTS for first in (0, 1))
    return all(CLOCK.fullmatch(text) or INTERVAL.fullmatch(text) for text in texts)


def _read_texts(texts: pd.Series, name: str) -> tuple[pd.Series | None, str]:
    """Return the times since midnight of cells that all differ, NaT for other text, and a note; or None."""
    if texts.str.fullmatch(r"[0-9]{1,6}(\.0)?").all():
        return _read_numbered(texts.str.replace(".0", "", regex=False).astype("int64"), name)
    if all(map(HOUR.fullmatch, texts)):
        return _read_numbered(texts.str.extract(r"(\d+)$")[0].astype("int64"), name)
    clock = pd.Series([_read_clock(text) for text in texts], dtype="timedelta64[ns]")
    if len(clock) == 24 and set(clock) == {pd.Timedelta(hours=hour) for hour in range(1, 25)}:
        return clock - pd.Timedelta(hours=1), HOUR_ENDS
    return clock, ""


def _read_clock(text: str) -> pd.Timedelta | None:
    """Return the time since midnight of 09:30:00 or 9:30 PM; None for any other text."""
    match = CLOCK.fullmatch(text)
    if match is None:
        return None
    hour, minute, second = int(match[1]), int(match[2]), float(match[3] or 0)
    if match[4]:
        hour = hour % 12 + 12 * (match[4].lower() == "pm")
    time = pd.Timedelta(hours=hour, minutes=minute, seconds=second)
    return time if minute < 60 and second < 60 and time <= DAY else None


def _read_numbered(numbers: pd.Series, name: str) -> tuple[pd.Series | None, str]:
    """Return times written as hours, as HHMM, as HHMMSS or as numbers of periods; None where they are none."""
    last = numbers.max()
    if numbers.min() >= 1 and (last == 24 or (last in SLOTS and name in SLOT_NAMES)):
        minutes = 24 * 60 // last
        note = HOUR_ENDS if last == 24 else f"the periods 1 to {last} of a day are labelled by their beginning"
        return pd.to_timedelta(minutes * (numbers - 1), unit="min"), note
    if name in SLOT_NAMES or 24 <= last < 100:  # neither hours nor, as 0 to 59 would be, times of more than one hour
        return None, ""
    if last < 24:
        hours, minutes, seconds = numbers, 0 * numbers, 0 * numbers
    elif last < 2400:
        hours, minutes, seconds = numbers // 100, numbers % 100, 0 * numbers
    else:
        hours, minutes, seconds = numbers // 10000, numbers // 100 % 100, numbers % 100
    if (hours > 23).any() or (minutes > 59).any() or (seconds > 59).any():
        return None, ""
    return pd.to_timedelta(3600 * hours + 60 * minutes + seconds, unit="s"), ""
