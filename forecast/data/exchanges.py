"""The days and times that follow rows in the calendar of an exchange."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from forecast._validation import did_you_mean
from forecast.data.day_rules import are_about_daily

RECENT = pd.Timedelta(days=45)  # rows that show the hours and the time zone
NEWEST_SESSIONS = 10
MIN_INSIDE = 0.95  # of the rows between the opens and the closes of sessions in the right time zone


def next_sessions(days: pd.DatetimeIndex, steps: int, exchange: str) -> tuple[pd.DatetimeIndex, str]:
    """Return the trading days after daily rows, and their description."""
    if not are_about_daily(days):
        raise ValueError(
            f"the calendar of {exchange} needs daily or intraday rows, and these are further apart: leave exchange out"
        )
    last = days[-1].tz_localize(None)
    sessions = _calendar(exchange, last, last + pd.Timedelta(days=10 + 2 * steps)).sessions
    later = pd.DatetimeIndex(sessions[sessions > last][:steps], freq=None)
    return later.tz_localize(days.tz), f"trading days of {exchange}"


def next_session_times(times: pd.DatetimeIndex, steps: int, exchange: str) -> tuple[pd.DatetimeIndex, str]:
    """Return the times after rows with times of day in an exchange's sessions, and their description.

    Rows stand at the distances from the open that the newest sessions have, up to the close of each session. Raises
    ValueError where the rows do not show whether they are in UTC or in the exchange's time zone.
    """
    recent = times[times >= times[-1] - RECENT]
    per_day = max(len(recent) / max(recent.normalize().nunique(), 1), 1)
    end = times[-1].tz_localize(None) + pd.Timedelta(days=10 + 2 * int(np.ceil(steps / per_day)))
    calendar = _calendar(exchange, recent[0].tz_localize(None) - pd.Timedelta(days=7), end + pd.Timedelta(days=10))
    schedule = calendar.schedule
    opens, closes = (pd.DatetimeIndex(schedule[name]).tz_convert(None) for name in ("open", "close"))
    zones = [times.tz] if times.tz is not None else list(dict.fromkeys((str(calendar.tz), "UTC")))
    found = []
    for zone in zones:
        utc = recent.tz_convert(None) if times.tz is not None else _in_utc(recent, zone)
        if _share_inside(utc, opens, closes) >= MIN_INSIDE:
            later = _following(utc, opens, closes, steps).tz_localize("UTC").tz_convert(zone)
            found.append((later if times.tz is not None else later.tz_localize(None), zone))
    if not found:
        raise ValueError(
            f"the rows have times of day outside of the sessions of {exchange} in {' and in '.join(map(str, zones))}: "
            "give the rows their time zone, or leave exchange out"
        )
    if len(found) > 1 and not found[0][0].equals(found[1][0]):
        raise ValueError(
            f"the rows have times of day in the sessions of {exchange} in {zones[0]} and in UTC alike: give the rows "
            "their time zone, or leave exchange out"
        )
    return found[0][0], f"trading hours of {exchange}, in {found[0][1]}"


def _in_utc(times: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    local = times.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").dropna()
    return local.tz_convert(None)


def _share_inside(utc: pd.DatetimeIndex, opens: pd.DatetimeIndex, closes: pd.DatetimeIndex) -> float:
    """Return the share of times from the open to the close of a session."""
    at = opens.searchsorted(utc, side="right") - 1
    return float(((at >= 0) & (utc <= closes[np.maximum(at, 0)])).mean()) if len(utc) else 0.0


def _following(
    utc: pd.DatetimeIndex, opens: pd.DatetimeIndex, closes: pd.DatetimeIndex, steps: int
) -> pd.DatetimeIndex:
    """Return the next times in the sessions, at the distances from the open and the close that the rows have."""
    session = opens.searchsorted(utc, side="right") - 1
    numbers = np.unique(session)
    complete = numbers[1:-1][-NEWEST_SESSIONS:] if len(numbers) > 2 else numbers
    rows = np.isin(session, complete)
    distances, counts = np.unique((utc - opens[session])[rows].to_numpy(), return_counts=True)
    distances = distances[counts > len(complete) / 2]
    last = pd.Series(utc[rows]).groupby(session[rows]).max()
    before_close = pd.Series(closes[last.index] - pd.DatetimeIndex(last)).median()
    later: list[pd.Timestamp] = []
    for i in range(int(session[-1]), len(opens)):
        times = opens[i] + pd.to_timedelta(distances)
        later += [time for time in times if time > utc[-1] and time + before_close <= closes[i]]
        if len(later) >= steps:
            return pd.DatetimeIndex(later[:steps])
    raise ValueError("the newest sessions have no row at a usual time of day: leave exchange out")


def _calendar(exchange: str, first: pd.Timestamp, last: pd.Timestamp) -> Any:
    try:
        import exchange_calendars
    except ImportError:
        raise ValueError("dates of an exchange need its calendar: pip install 'forecast[exchanges]'") from None
    names = exchange_calendars.get_calendar_names(include_aliases=True)
    if exchange not in names:
        hint = did_you_mean(exchange, names)
        raise ValueError(f"there is no exchange {exchange!r}{hint}; use its market code, such as XNYS, XLON or XTKS")
    return exchange_calendars.get_calendar(exchange, start=first.normalize(), end=last.normalize())
