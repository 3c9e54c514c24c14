"""The usual distance of two rows: daily, hourly, monthly."""

from __future__ import annotations

import numpy as np
import pandas as pd

RECENT_ROWS = 260  # newest rows that are measured
MIN_ROWS = 5  # of fewer rows a holiday or a weekend may be the usual distance
TOLERANCE = 0.2  # months are of different lengths, and so are days where clocks change
MIN_SHARE = 0.4  # of the distances that are near the usual one; rows that have none are irregular
OTHER_RATIO = 1.5  # from this ratio on two distances differ
MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
#: Names of distances, with the shortest and the longest in days.
NAMES = {"daily": (1, 1), "weekly": (7, 7), "monthly": (28, 31), "quarterly": (89, 93), "yearly": (364, 367)}


def usual_distance(index: pd.Index) -> float | None:
    """Return the usual distance of two rows in seconds; None if they have no dates, are irregular or fewer than five.

    It is the lower quartile of the newest distances, so nights, weekends, holidays and missing rows do not matter.

    >>> usual_distance(pd.bdate_range("2024-01-01", periods=20)) / 3600
    24.0
    """
    recent = index[-RECENT_ROWS:]
    if not isinstance(recent, pd.DatetimeIndex) or len(recent) < MIN_ROWS:
        return None
    distances = np.diff(recent.as_unit("ns").asi8) / 1e9
    usual = float(np.quantile(distances, 0.25, method="lower"))
    if usual <= 0 or np.mean(np.abs(distances / usual - 1) <= TOLERANCE) < MIN_SHARE:
        return None
    return usual


def distances_differ(one: float | None, other: float | None) -> bool:
    """Return whether two usual distances are known and of different kinds, such as a day and an hour."""
    return one is not None and other is not None and max(one, other) >= OTHER_RATIO * min(one, other)


def describe_distance(seconds: float) -> str:
    """Return the name of rows at a distance: daily, weekly, hourly, 5-minute.

    >>> describe_distance(300), describe_distance(2_592_000)
    ('5-minute', 'monthly')
    """
    days = seconds / DAY
    for name, (shortest, longest) in NAMES.items():
        if shortest * 0.95 <= days <= longest * 1.05:
            return name
    if seconds < HOUR:
        return f"{seconds / MINUTE:g}-minute"
    if seconds < DAY:
        return "hourly" if seconds == HOUR else f"{seconds / HOUR:g}-hour"
    return f"{days:g}-day"
