"""The dates that come next: of a named exchange, or as the rows so far have them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from forecast._validation import did_you_mean

RECENT = 260  # rows that the rhythm is read from: a year of trading days
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
RARE = 0.02  # a day of the week with a smaller share of the rows is an exception and no trading day


def next_dates(index: pd.Index, steps: int, exchange: str | None = None) -> tuple[pd.Index, str]:
    """Give the dates of the next trading days after the last row, and say in words which days these are.

    `exchange` names an exchange by its market code (XNYS, XLON, XTKS …, or 24/7), whose weekends and holidays are left
    out; that needs `pip install 'forecast[exchanges]'` (the package exchange_calendars). Without it the rows so far
    tell: regular hours, weeks, months go on; of daily rows the days of the week on which there are any; holidays are
    not known. Rows that are numbered are counted on. Raises ValueError for an exchange that is not known, or for rows
    that are not daily.

    >>> dates, said = fc.next_dates(fc.load_sample("stocks").index, 3)
    >>> [f"{date:%a %d %b %Y}" for date in dates]
    ['Mon 04 Mar 2013', 'Tue 05 Mar 2013', 'Wed 06 Mar 2013']
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1; got {steps}")
    if not isinstance(index, pd.DatetimeIndex):
        if exchange is not None:
            raise ValueError(f"the rows have no dates, so exchange={exchange!r} cannot be followed: leave it out")
        last = int(index[-1])
        return pd.RangeIndex(last + 1, last + 1 + steps), "rows counted on"
    if exchange is not None:
        return _sessions(index, steps, exchange), f"trading days of {exchange}"
    return _rhythm(index, steps)


def _sessions(index: pd.DatetimeIndex, steps: int, exchange: str) -> pd.DatetimeIndex:
    if not (index[-RECENT:] == index[-RECENT:].normalize()).all():
        raise ValueError(f"exchange={exchange!r} gives days, and the rows have times of day: leave it out")
    last = index[-1]
    calendar = _calendar(exchange, last, last + pd.Timedelta(days=10 + 2 * steps))
    later = calendar.sessions[calendar.sessions > last][:steps]
    return pd.DatetimeIndex(later, freq=None)


def _calendar(exchange: str, first: pd.Timestamp, last: pd.Timestamp) -> Any:
    try:
        import exchange_calendars
    except ImportError:
        raise ValueError("dates of an exchange need its calendar: pip install 'forecast[exchanges]'") from None
    names = exchange_calendars.get_calendar_names(include_aliases=True)
    if exchange not in names:
        hint = did_you_mean(exchange, names)
        raise ValueError(f"there is no exchange {exchange!r}{hint}; give its market code, such as XNYS, XLON or XTKS")
    return exchange_calendars.get_calendar(exchange, start=first, end=last)


def _rhythm(index: pd.DatetimeIndex, steps: int) -> tuple[pd.DatetimeIndex, str]:
    recent = index[-RECENT:]
    last = index[-1]
    daily = bool((recent == recent.normalize()).all())
    gap = pd.Series(recent).diff().median() if len(recent) > 1 else pd.Timedelta(days=1)
    if daily and gap <= pd.Timedelta(days=3):
        share = np.bincount(recent.day_of_week, minlength=7) / len(recent)
        # Of a week or less nothing can be said of the days that are missing.
        open_days = share >= RARE if len(recent) >= 14 else np.array([True] * 5 + [bool(d) for d in share[5:]])
        return _days(last, steps, open_days), _in_words(open_days)
    freq = _regular(recent[-12:])
    if freq is not None:
        dates = pd.date_range(last, periods=steps + 1, freq=freq)[1:]
        return pd.DatetimeIndex(dates, freq=None), f"going on as the rows do ({freq})"
    return pd.DatetimeIndex([last + (i + 1) * gap for i in range(steps)]), f"every {gap}, the rows' usual distance"


def _regular(index: pd.DatetimeIndex) -> str | None:
    """Name the frequency of rows that are regular."""
    if len(index) < 4:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of pandas 3, that it will give an object
        freq: Any = pd.infer_freq(index)
    return None if freq is None else getattr(freq, "freqstr", str(freq))


def _days(last: pd.Timestamp, steps: int, open_days: np.ndarray) -> pd.DatetimeIndex:
    step = pd.offsets.CustomBusinessDay(weekmask=" ".join(np.array(DAYS)[open_days]))
    return pd.DatetimeIndex([last + (i + 1) * step for i in range(steps)])


def _in_words(open_days: np.ndarray) -> str:
    if open_days.all():
        return "every day of the week"
    if open_days.tolist() == [True] * 5 + [False] * 2:
        return "business days, Monday to Friday; holidays are not known (name an exchange)"
    return f"{', '.join(np.array(DAYS)[open_days])}; holidays are not known (name an exchange)"
