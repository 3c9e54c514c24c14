"""Times of day in a column of their own, next to the dates: 09:30, 9:30 AM, 093000 and hours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from forecast.data.dates import split_zones
from forecast.data.fields import plain_names

#: Names of a column of times of day; all names here are compared as `plain_name` returns them.
TIME_NAMES = plain_names(
    "time zeit uhrzeit hora heure ora tid saat время 시간 时间 時間 時刻 trade_time time_of_day bar_time"
)
TIME_NAMES |= plain_names("hhmm hhmmss")
HOUR_NAMES = plain_names("hour hr he hour_ending stunde час 小时")
CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,9})?))? ?([ap]m)?", re.IGNORECASE | re.ASCII)
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
        if i == dates or not (name in TIME_NAMES or name in HOUR_NAMES) or frame.iloc[:, i].isna().any():
            continue
        codes, distinct = pd.factorize(frame.iloc[:, i])
        texts, offsets = split_zones(pd.Series([str(cell).strip() for cell in distinct], dtype=object))
        clock, note = _read_numbered(texts, name) if texts.str.fullmatch(r"[0-9]{1,6}(\.0)?").all() else (None, "")
        if clock is None:
            clock = pd.Series([_read_clock(text) for text in texts], dtype="timedelta64[ns]")
        if clock.notna().all():
            return Times(
                i, pd.TimedeltaIndex(clock.to_numpy()[codes]), pd.TimedeltaIndex(offsets.to_numpy()[codes]), note
            )
    return None


def _read_clock(text: str) -> pd.Timedelta | None:
    """Return the time since midnight of 09:30:00 or 9:30 PM; None for any other text."""
    match = CLOCK.fullmatch(text)
    if match is None:
        return None
    hour, minute, second = int(match[1]), int(match[2]), float(match[3] or 0)
    if match[4]:
        hour = hour % 12 + 12 * (match[4].lower() == "pm")
    time = pd.Timedelta(hours=hour, minutes=minute, seconds=second)
    return time if minute < 60 and second < 60 and time < DAY else None


def _read_numbered(texts: pd.Series, name: str) -> tuple[pd.Series | None, str]:
    """Return times written as hours, as HHMM or as HHMMSS, without leading zeros; None where they are none."""
    numbers = texts.str.replace(".0", "", regex=False).astype("int64")
    note = ""
    if name in HOUR_NAMES and numbers.min() >= 1 and numbers.max() == 24:
        numbers, note = numbers - 1, "the hours 1 to 24 are labelled by their beginning, 0:00 to 23:00"
    if numbers.max() < 24:
        hours, minutes, seconds = numbers, 0 * numbers, 0 * numbers
    elif numbers.max() < 2400:
        hours, minutes, seconds = numbers // 100, numbers % 100, 0 * numbers
    else:
        hours, minutes, seconds = numbers // 10000, numbers // 100 % 100, numbers % 100
    if (hours > 23).any() or (minutes > 59).any() or (seconds > 59).any():
        return None, ""
    return pd.to_timedelta(3600 * hours + 60 * minutes + seconds, unit="s"), note
