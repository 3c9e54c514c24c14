"""The dates that follow the last row: those of an exchange's calendar, or an extrapolation of the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.day_rules import next_days
from forecast.data.sessions import next_times

RECENT_ROWS = 260  # rows that the days are inferred from: a year of trading days


def next_dates(index: pd.Index, steps: int, exchange: str | None = None) -> tuple[pd.Index, str]:
    """Return the dates of the rows that follow the last, and a description of them.

    `exchange` names an exchange by its market code (XNYS, XLON, XTKS …, or 24/7), whose weekends, holidays and hours
    are used; that needs `pip install 'forecast[exchanges]'` (the package exchange_calendars). Without it the dates
    continue the rows: daily rows on the days of the week that occur in them; rows with times of day in the hours of the
    newest sessions; others on the same day of the week, or on days of the month such as the 15th, the last business
    day, or the 1st and the 15th (holidays are unknown). Numbered rows continue at their distance. Raises ValueError for
    an unknown exchange, or if one is named and the rows are weeks or months, or in an unclear time zone.

    >>> dates, description = fc.next_dates(fc.load_sample("stocks").index, 3)
    >>> [f"{date:%a %d %b %Y}" for date in dates]
    ['Mon 04 Mar 2013', 'Tue 05 Mar 2013', 'Wed 06 Mar 2013']
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1; got {steps}")
    if not isinstance(index, pd.DatetimeIndex):
        if exchange is not None:
            raise ValueError(f"the rows have no dates, so the exchange {exchange!r} cannot be used: leave it out")
        return _next_numbers(index, steps)
    daily = is_daily(index[-RECENT_ROWS:])
    if exchange is not None:
        from forecast.data.exchanges import next_session_times, next_sessions

        if daily:
            return next_sessions(index[-RECENT_ROWS:], steps, exchange)
        return next_session_times(index, steps, exchange)
    if not daily:
        return next_times(index, steps)
    later, description = next_days(index[-RECENT_ROWS:].tz_localize(None), steps)
    return pd.DatetimeIndex(later, freq=None).tz_localize(index.tz), description


def is_daily(index: pd.Index) -> bool:
    """Return whether all row labels are dates without a time of day."""
    if not isinstance(index, pd.DatetimeIndex):
        return False
    if index.tz is not None:
        return bool((index == index.normalize()).all())
    labels = index.to_numpy()
    return bool((labels == labels.astype("datetime64[D]")).all())


def _next_numbers(index: pd.Index, steps: int) -> tuple[pd.Index, str]:
    """Return the numbers of the next rows, at the most common distance of the newest."""
    numbers = index[-RECENT_ROWS:].to_numpy()
    distances, counts = np.unique(np.diff(numbers), return_counts=True)
    step = distances[counts.argmax()] if len(distances) else 1
    later = numbers[-1] + step * np.arange(1, steps + 1)
    return pd.Index(later), "row numbers continued" if step == 1 else f"row numbers continued by {step:g}"
