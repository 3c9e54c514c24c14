"""The dates that follow the last row: those of an exchange's calendar, or an extrapolation of the rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from forecast._validation import did_you_mean

RECENT_ROWS = 260  # rows that the frequency is inferred from: a year of trading days
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MIN_WEEKDAY_SHARE = 0.02  # a day of the week with a smaller share of the rows is an exception, not a trading day


def next_dates(index: pd.Index, steps: int, exchange: str | None = None) -> tuple[pd.Index, str]:
    """Return the dates of the next trading days after the last row, and a description of them.

    `exchange` names an exchange by its market code (XNYS, XLON, XTKS …, or 24/7), whose weekends and holidays are left
    out; that needs `pip install 'forecast[exchanges]'` (the package exchange_calendars). Without it the dates continue
    the rows: regular hours, weeks or months at their frequency, daily rows on the days of the week that occur in them
    (holidays are unknown). Numbered rows continue by number. Raises ValueError for an unknown exchange, or if an
    exchange is named and the rows are not daily.

    >>> dates, description = fc.next_dates(fc.load_sample("stocks").index, 3)
    >>> [f"{date:%a %d %b %Y}" for date in dates]
    ['Mon 04 Mar 2013', 'Tue 05 Mar 2013', 'Wed 06 Mar 2013']
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1; got {steps}")
    if not isinstance(index, pd.DatetimeIndex):
        if exchange is not None:
            raise ValueError(f"the rows have no dates, so exchange={exchange!r} cannot be used: leave it out")
        last = int(index[-1])
        return pd.RangeIndex(last + 1, last + 1 + steps), "row numbers continued"
    if exchange is not None:
        return _exchange_days(index, steps, exchange), f"trading days of {exchange}"
    return _extrapolate(index, steps)


def is_daily(index: pd.Index) -> bool:
    """Return whether all row labels are dates without a time of day."""
    return isinstance(index, pd.DatetimeIndex) and bool((index == index.normalize()).all())


def describe_weekdays(open_days: np.ndarray, separator: str = ", ") -> str:
    """Return the names of the days of the week in a mask (7,): "Mon-Fri" for a run of three or more, else a list."""
    days = np.flatnonzero(open_days)
    if len(days) > 2 and (np.diff(days) == 1).all():
        return f"{WEEKDAYS[days[0]]}-{WEEKDAYS[days[-1]]}"
    return separator.join(WEEKDAYS[day] for day in days)


def _exchange_days(index: pd.DatetimeIndex, steps: int, exchange: str) -> pd.DatetimeIndex:
    if not is_daily(index[-RECENT_ROWS:]):
        raise ValueError(f"exchange={exchange!r} needs daily rows, and the rows have times of day: leave it out")
    last = index[-1]
    calendar = _exchange_calendar(exchange, last, last + pd.Timedelta(days=10 + 2 * steps))
    later = calendar.sessions[calendar.sessions > last][:steps]
    return pd.DatetimeIndex(later, freq=None)


def _exchange_calendar(exchange: str, first: pd.Timestamp, last: pd.Timestamp) -> Any:
    try:
        import exchange_calendars
    except ImportError:
        raise ValueError("dates of an exchange need its calendar: pip install 'forecast[exchanges]'") from None
    names = exchange_calendars.get_calendar_names(include_aliases=True)
    if exchange not in names:
        hint = did_you_mean(exchange, names)
        raise ValueError(f"there is no exchange {exchange!r}{hint}; use its market code, such as XNYS, XLON or XTKS")
    return exchange_calendars.get_calendar(exchange, start=first, end=last)


def _extrapolate(index: pd.DatetimeIndex, steps: int) -> tuple[pd.DatetimeIndex, str]:
    recent = index[-RECENT_ROWS:]
    last = index[-1]
    gap = pd.Series(recent).diff().median() if len(recent) > 1 else pd.Timedelta(days=1)
    if is_daily(recent) and gap <= pd.Timedelta(days=3):
        share = np.bincount(recent.day_of_week, minlength=7) / len(recent)
        # Rows of less than two weeks do not show which business days are missing.
        open_days = share >= MIN_WEEKDAY_SHARE if len(recent) >= 14 else np.append([True] * 5, share[5:] > 0)
        step = pd.offsets.CustomBusinessDay(weekmask=" ".join(np.array(WEEKDAYS)[open_days]))
        return pd.DatetimeIndex([last + (i + 1) * step for i in range(steps)]), _describe_open_days(open_days)
    if (freq := _infer_frequency(recent[-12:])) is not None:
        dates = pd.date_range(last, periods=steps + 1, freq=freq)[1:]
        return pd.DatetimeIndex(dates, freq=None), f"the frequency of the rows ({freq})"
    return pd.DatetimeIndex([last + (i + 1) * gap for i in range(steps)]), f"every {gap}, the median gap of the rows"


def _infer_frequency(index: pd.DatetimeIndex) -> str | None:
    """Return the name of the frequency of regular rows."""
    if len(index) < 4:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pandas 3 announces that it will return an object
        freq: Any = pd.infer_freq(index)
    return None if freq is None else getattr(freq, "freqstr", str(freq))


def _describe_open_days(open_days: np.ndarray) -> str:
    if open_days.all():
        return "every day of the week"
    business = open_days.tolist() == [True] * 5 + [False] * 2
    days = "business days, Monday to Friday" if business else describe_weekdays(open_days)
    return f"{days}; holidays are not known (name an exchange)"
