"""The times that follow rows with times of day: equal distances, or the hours of the newest sessions."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.day_rules import HOLIDAYS, MIN_EQUAL_GAPS, WEEKDAYS, next_days

RECENT = pd.Timedelta(weeks=8)  # rows that show the sessions
MAX_ROWS = 60_000
MIN_ROWS = 260  # read also where they are older
MIN_OPEN_SHARE = 0.5  # of the weeks in which a day of the week has rows if it is a trading day
NEWEST_DAYS = 3  # of each day of the week: most of them must have a time of day, so one half day does not matter
MIN_EQUAL_SHARE = 0.995  # of the distances between rows without sessions; the rest are outages
MAX_OUTAGE = 5  # in usual distances
MIN_EXPLAINED = 0.9  # of the rows at the times of day of their sessions
DAY = pd.Timedelta(days=1)
HOUR = 3600 * 10**9  # nanoseconds

#: Times of day (S,) in nanoseconds by day of the week, 0 for Monday.
Sessions = dict[int, np.ndarray]


def next_times(times: pd.DatetimeIndex, steps: int) -> tuple[pd.DatetimeIndex, str]:
    """Return the times that follow ascending times in one time zone or none, and a description of them."""
    first = int(times.searchsorted(times[-1] - RECENT))
    recent = times[max(min(first, len(times) - MIN_ROWS), len(times) - MAX_ROWS, 0) :]
    gaps = np.diff(recent.as_unit("ns").asi8).view("timedelta64[ns]")
    gap = pd.Timedelta(np.median(gaps)) if len(gaps) else DAY
    is_equal = len(gaps) and (gaps == gap.to_numpy()).mean() >= MIN_EQUAL_SHARE and gaps.max() <= MAX_OUTAGE * gap
    if is_equal and (gap < DAY or (gap % DAY and len(gaps) >= MIN_EQUAL_GAPS)):
        return _at_distance(times, gap, steps), f"the frequency of the rows ({_frequency_name(gap)})"
    local = recent.tz_localize(None)
    days = local.normalize()
    if not days.has_duplicates:
        later, description = next_days(days[-MIN_ROWS:], steps)
        time = pd.Series(local - days).iloc[-5:].mode().iloc[-1]  # of the newest rows
        return _with_zone(later + time, times), f"{description}; at {_clock(time.value)}"
    sessions = _learn(local)
    if _explained(local, sessions) < MIN_EXPLAINED:
        return _at_distance(times, gap, steps), f"every {gap}, the median distance of the rows"
    later = _following(local[-1], sessions, steps)
    note = "" if days[-1] - days[0] >= 7 * DAY else "; the rows cover less than a week, Monday to Friday is assumed"
    return _with_zone(later, times), f"the rows' times of day, {describe_sessions(sessions)}; {HOLIDAYS}{note}"


def describe_sessions(sessions: Sessions) -> str:
    """Return the days of the week with the first and the last time of each."""
    groups: dict[str, list[int]] = {}
    for weekday in sorted(sessions):
        clock = sessions[weekday]
        hours = _clock(clock[0]) if len(clock) == 1 else f"{_clock(clock[0])} to {_clock(clock[-1])}"
        groups.setdefault(hours, []).append(weekday)
    return ", ".join(f"{_weekdays(days)} {hours}" for hours, days in groups.items())


def _learn(local: pd.DatetimeIndex) -> Sessions:
    """Return the times of day of the newest sessions, by day of the week."""
    days = local.normalize()
    clock = (local - days).to_numpy().astype("timedelta64[ns]").astype(np.int64)
    distinct = days.unique()
    first, last = distinct[0], distinct[-1]
    by_day = {day: clock[left:right] for day, left, right in _spans(days)}
    complete = [day for day in distinct if day not in (first, last)] or list(distinct)
    sessions: Sessions = {}
    for weekday in range(7):
        own = [day for day in complete if day.day_of_week == weekday]
        occurrences = [day for day in pd.date_range(first + DAY, last - DAY) if day.day_of_week == weekday]
        if len(own) < max(MIN_OPEN_SHARE * len(occurrences), 1):
            continue
        sessions[weekday] = _usual([by_day[day] for day in own[-NEWEST_DAYS:]])
    # Of a day of the week that a short table has in part or not at all, the other business days show the session.
    business = [by_day[day] for day in complete if day.day_of_week < 5][-NEWEST_DAYS:]
    unseen = {first.day_of_week, last.day_of_week} if last - first >= 7 * DAY else set(range(5))
    for weekday in unseen if business else ():
        if weekday < 5:
            sessions.setdefault(weekday, _usual(business))
    for day in {first, last}:
        sessions.setdefault(day.day_of_week, by_day[day])
    return _with_newest_clock(sessions, by_day[complete[-1]])


def _with_newest_clock(sessions: Sessions, newest: np.ndarray) -> Sessions:
    """Return the sessions with the clock of the newest: times in UTC move by an hour in spring and autumn."""
    moved = {}
    for weekday, times in sessions.items():
        differs = len(times) == len(newest) and abs(int(newest[0] - times[0])) == HOUR
        moved[weekday] = newest if differs and (np.diff(newest) == np.diff(times)).all() else times
    return moved


def _usual(clocks: list[np.ndarray]) -> np.ndarray:
    """Return the times of day that most of these days have."""
    times, counts = np.unique(np.concatenate(clocks), return_counts=True)
    return times[counts > len(clocks) / 2]


def _spans(days: pd.DatetimeIndex) -> list[tuple[pd.Timestamp, int, int]]:
    """Return each day with the positions of its first row and of the row after its last."""
    edges = np.append(np.flatnonzero(np.append(True, days[1:] != days[:-1])), len(days))
    return [(days[left], int(left), int(right)) for left, right in pairwise(edges)]


def _explained(local: pd.DatetimeIndex, sessions: Sessions) -> float:
    """Return the share of the newest two weeks' rows that are at the times of day of the sessions."""
    newest = local[local >= local[-1] - 14 * DAY]
    clock = (newest - newest.normalize()).to_numpy().astype("timedelta64[ns]").astype(np.int64)
    weekdays = newest.day_of_week.to_numpy()
    hits = [np.isin(clock[weekdays == day], times).sum() for day, times in sessions.items()]
    n_slots = sum(map(len, sessions.values()))
    return float(sum(hits)) / len(newest) if n_slots else 0.0


def _following(last: pd.Timestamp, sessions: Sessions, steps: int) -> pd.DatetimeIndex:
    """Return the next times of the sessions."""
    later: list[np.ndarray] = []
    day, count = last.normalize(), 0
    while count < steps:
        times = day.as_unit("ns").value + sessions.get(day.day_of_week, np.array([], dtype=np.int64))
        times = times[times > last.as_unit("ns").value]
        later.append(times)
        count += len(times)
        day += DAY
    return pd.DatetimeIndex(np.concatenate(later)[:steps].astype("datetime64[ns]"))


def _at_distance(times: pd.DatetimeIndex, gap: pd.Timedelta, steps: int) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([times[-1] + (i + 1) * gap for i in range(steps)])


def _with_zone(later: pd.DatetimeIndex, times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return local times in the time zone of the rows."""
    if times.tz is None:
        return later
    return later.tz_localize(times.tz, ambiguous=np.ones(len(later), dtype=bool), nonexistent="shift_forward")


def _frequency_name(gap: pd.Timedelta) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        offset: Any = pd.tseries.frequencies.to_offset(gap)
    return str(offset.freqstr)


def _clock(nanoseconds: int) -> str:
    seconds = int(nanoseconds) // 10**9
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}" + (f":{seconds % 60:02d}" if seconds % 60 else "")


def _weekdays(days: list[int]) -> str:
    is_run = len(days) > 2 and days == list(range(days[0], days[-1] + 1))
    return f"{WEEKDAYS[days[0]]}-{WEEKDAYS[days[-1]]}" if is_run else " ".join(WEEKDAYS[day] for day in days)
