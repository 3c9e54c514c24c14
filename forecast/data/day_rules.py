"""The days that follow rows without times of day: weekdays, every n-th week, days of the month, equal distances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MIN_WEEKDAY_SHARE = 0.02  # a day of the week with a smaller share of the rows is an exception, not a trading day
MIN_ROWS_PER_WEEK = 1.5  # of the weeks with rows: with fewer, rows follow weeks or months
MIN_SHARE = 0.75  # of the rows that a rule gives; the others were moved by holidays
MIN_EQUAL_GAPS = 4
MIN_GAPS_WITHIN_WEEK = 7  # equal gaps of two to six days; fewer may be days of the week
MIN_EQUAL_SHARE = 0.9  # of the gaps of rows at equal distances; the others are multiples, where rows are missing
HOLIDAYS = "holidays are not known"
DAY = np.timedelta64(1, "D")


def next_days(days: pd.DatetimeIndex, steps: int) -> tuple[pd.DatetimeIndex, str]:
    """Return the days that follow ascending days without a time zone, by the first rule that gives them."""
    for rule in (_by_equal_gap, _by_weekday, _by_week, _by_month):
        found = rule(days, steps)
        if found is not None:
            return found
    gap = pd.Timedelta(np.median(np.diff(days.to_numpy())))
    later = pd.DatetimeIndex([days[-1] + (i + 1) * gap for i in range(steps)]).normalize()
    return later, f"every {gap.days} days, the median gap of the rows"


def are_about_daily(days: pd.DatetimeIndex) -> bool:
    """Return whether rows follow the days of the week: several in a week, or at most three days apart."""
    if len(days) < 2:
        return True
    n_weeks = len(np.unique((days.to_numpy().astype("datetime64[D]").astype(np.int64) + 3) // 7))
    return len(days) / n_weeks >= MIN_ROWS_PER_WEEK or bool(np.median(np.diff(days.to_numpy())) <= 3 * DAY)


def describe_weekdays(open_days: np.ndarray, separator: str = ", ") -> str:
    """Return the names of the days of the week in a mask (7,): "Mon-Fri" for a run of three or more, else a list."""
    days = np.flatnonzero(open_days)
    if len(days) > 2 and (np.diff(days) == 1).all():
        return f"{WEEKDAYS[days[0]]}-{WEEKDAYS[days[-1]]}"
    return separator.join(WEEKDAYS[day] for day in days)


def regular_days(days: pd.DatetimeIndex) -> pd.DatetimeIndex | None:
    """Return the days from the first row to the last that equal distances, weeks or months give; None of other rows."""
    gap = equal_gap(days)
    if gap is not None:
        return pd.date_range(days[0], days[-1], freq=gap)
    if len(days) <= MIN_EQUAL_GAPS or are_about_daily(days):
        return None
    weeks = _fit_weeks(days)
    if weeks is not None:
        n, weekday = weeks
        mondays = np.arange(_mondays(days)[0], _mondays(days)[-1] + 1, 7 * n)
        return pd.DatetimeIndex((mondays + weekday).astype("datetime64[D]"))
    dates = days.to_numpy().astype("datetime64[D]")
    months = np.unique(dates.astype("datetime64[M]"))
    month_days, calendar = _fit_month_days(dates), _following_months(months)
    if month_days is None or calendar is None:
        return None
    following, _ = calendar
    n_months = int((months[-1] - months[0]).astype(np.int64))
    own = np.append(months[:1], following(months[0], n_months))
    expected = np.stack([rule.find(own[own <= months[-1]]) for rule in month_days], axis=1)
    return pd.DatetimeIndex(np.unique(expected))


# --- weeks -----------------------------------------------------------------------------------------------------------


def _by_weekday(days: pd.DatetimeIndex, steps: int) -> tuple[pd.DatetimeIndex, str] | None:
    """Return the next days of the week on which rows are; None where the rows are further apart."""
    if not are_about_daily(days):
        return None
    share = np.bincount(days.day_of_week, minlength=7) / len(days)
    # Rows of less than two weeks do not show which business days are missing.
    open_days = share >= MIN_WEEKDAY_SHARE if len(days) >= 14 else np.append([True] * 5, share[5:] > 0)
    step = pd.offsets.CustomBusinessDay(weekmask=" ".join(np.array(WEEKDAYS)[open_days]))
    later = pd.DatetimeIndex([days[-1] + (i + 1) * step for i in range(steps)])
    if open_days.all():
        return later, "every day of the week"
    business = open_days.tolist() == [True] * 5 + [False] * 2
    listed = "business days, Monday to Friday" if business else describe_weekdays(open_days)
    return later, f"{listed}; {HOLIDAYS} (name an exchange)"


def _by_week(days: pd.DatetimeIndex, steps: int) -> tuple[pd.DatetimeIndex, str] | None:
    """Return the same day of the week, one to three weeks apart; None where the rows do not follow weeks."""
    found = _fit_weeks(days)
    if found is None:
        return None
    n, weekday = found
    later = _mondays(days)[-1] + 7 * n * np.arange(1, steps + 1) + weekday
    every = "every week" if n == 1 else f"every {n} weeks"
    return pd.DatetimeIndex(later.astype("datetime64[D]")), f"{WEEKDAYS[weekday]} of {every}; {HOLIDAYS}"


def _fit_weeks(days: pd.DatetimeIndex) -> tuple[int, int] | None:
    """Return the number of weeks between rows, one to three, and their day of the week."""
    if len(days) < 2:
        return None
    weekday = int(np.bincount(days.day_of_week, minlength=7).argmax())
    weeks, counts = np.unique(np.diff(_mondays(days)) // 7, return_counts=True)
    n = int(weeks[counts.argmax()])
    if not 1 <= n <= 3 or counts.max() < MIN_SHARE * counts.sum() or (days.day_of_week == weekday).mean() < MIN_SHARE:
        return None
    return n, weekday


def _mondays(days: pd.DatetimeIndex) -> np.ndarray:
    """Return the Mondays of the weeks of days, as days since 1970."""
    dates: np.ndarray = days.to_numpy().astype("datetime64[D]").astype(np.int64)
    return (dates + 3) // 7 * 7 - 3


def _by_equal_gap(days: pd.DatetimeIndex, steps: int) -> tuple[pd.DatetimeIndex, str] | None:
    """Return days at the distance that the rows have; None where distances differ, are few, or are weeks."""
    gap = equal_gap(days)
    if gap is None:
        return None
    return pd.DatetimeIndex([days[-1] + (i + 1) * gap for i in range(steps)]), f"every {gap.days} days"


def equal_gap(days: pd.DatetimeIndex) -> pd.Timedelta | None:
    """Return the distance of rows that are equally far apart, of two days or more and other than one to three weeks."""
    gaps = np.diff(days.to_numpy()) // DAY
    if len(gaps) < MIN_EQUAL_GAPS:
        return None
    gap = int(np.median(gaps))
    if gap < 2 or gap in (7, 14, 21) or (gap < 7 and len(gaps) < MIN_GAPS_WITHIN_WEEK):
        return None
    is_equal = (gaps % gap == 0).all() and (gaps == gap).mean() >= MIN_EQUAL_SHARE
    return pd.Timedelta(days=gap) if is_equal else None


# --- months ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MonthDay:
    """A day that every month has: a function of months (M,) that returns days (M,), and its name."""

    name: str
    find: Callable[[np.ndarray], np.ndarray]


def _by_month(days: pd.DatetimeIndex, steps: int) -> tuple[pd.DatetimeIndex, str] | None:
    """Return the next days of months, such as the 15th, the last business day, or the 1st and the 15th."""
    dates = days.to_numpy().astype("datetime64[D]")
    months = np.unique(dates.astype("datetime64[M]"))
    month_days, calendar = _fit_month_days(dates), _following_months(months)
    if calendar is None or month_days is None or len(days) < 2:
        return None
    following, described = calendar
    per_month = len(month_days)
    coming = np.append(months[-1:], following(months[-1], 1 + steps))  # the last month may be incomplete
    expected = np.stack([rule.find(coming) for rule in month_days], axis=1)  # (months, days of each)
    n_last = int(np.count_nonzero(dates.astype("datetime64[M]") == months[-1]))
    nearest = int(np.abs((expected[0] - dates[-1]).astype(np.int64)).argmin()) + 1
    expected[0, : max(n_last, nearest) if n_last < per_month else per_month] = dates[-1]
    later = np.unique(expected[expected > dates[-1]])[:steps]
    names = " and ".join(f"the {rule.name}" for rule in month_days)
    note = f"; {HOLIDAYS}" if "business" in names else ""
    return pd.DatetimeIndex(later), f"{names} {described}{note}"


def _fit_month_days(dates: np.ndarray) -> list[MonthDay] | None:
    """Return the days that each month with rows has; None where no kind of day gives them."""
    of_row = dates.astype("datetime64[M]")
    months, counts = np.unique(of_row, return_counts=True)
    per_month = int(np.bincount(counts).argmax())
    slots = dates[np.isin(of_row, months[counts == per_month])].reshape(-1, per_month)  # (complete months, days)
    rules = [_fit_month_day(slots[:, i]) for i in range(per_month)]
    found = [rule for rule in rules if rule is not None]
    return found if len(found) == per_month else None


def _following_months(months: np.ndarray) -> tuple[Callable[[np.datetime64, int], np.ndarray], str] | None:
    """Return a function of a month and n that returns the n months with rows after it, and their description."""
    numbers = months.astype(np.int64)
    strides, counts = np.unique(np.diff(numbers), return_counts=True)
    stride = int(strides[counts.argmax()]) if len(strides) else 1
    of_year = np.unique(numbers % 12)
    n_years = (numbers[-1] - numbers[0]) / 12
    has_pause = stride == 1 and len(of_year) < 12 and n_years >= 2  # the same months are without rows each year
    if not len(strides) or (counts.max() >= MIN_SHARE * counts.sum() and not has_pause):
        names = {1: "of each month", 3: "of every third month", 12: f"of each {_month_name(numbers[-1])}"}
        described = names.get(stride, f"every {stride // 12} years" if stride % 12 == 0 else f"every {stride} months")
        return lambda month, n: month + stride * np.arange(1, n + 1), described
    if n_years < 1 or len(numbers) < MIN_SHARE * n_years * len(of_year):
        return None

    def following(month: np.datetime64, n: int) -> np.ndarray:
        later: np.ndarray = month + np.arange(1, 12 * (n + 1))
        return later[np.isin(later.astype(np.int64) % 12, of_year)][:n]

    return following, f"of {', '.join(_month_name(month) for month in of_year)}"


def _fit_month_day(days: np.ndarray) -> MonthDay | None:
    """Return the first kind of day that gives most of these days, one a month; None if none gives enough."""
    months = days.astype("datetime64[M]")
    best, best_share = None, 0.0
    for rule in _candidates(days):
        share = float((rule.find(months) == days).mean())
        if share > best_share:
            best, best_share = rule, share
    return best if best_share >= (MIN_SHARE if len(days) > 2 else 1) else None


def _candidates(days: np.ndarray) -> Sequence[MonthDay]:
    """Return the kinds of day that a slot of months may follow, the simplest first."""
    numbers = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    common = [int(number) for number in np.argsort(-np.bincount(numbers), kind="stable")[:3] if number]
    if numbers.max() > 28:
        common = list(dict.fromkeys([int(numbers.max()), *common]))
    weekday = int(np.bincount(_weekday(days)).argmax())
    nth = (int(np.median(numbers)) - 1) // 7
    business = int(np.bincount(np.busday_count(_first(days.astype("datetime64[M]")), days)).argmax())
    which = ("first", "second", "third", "fourth", "fifth")[nth]
    return [
        MonthDay("last day", _last),
        *(MonthDay(ordinal(n), partial(_nth, n=n)) for n in common),
        MonthDay("first business day", partial(_business_day, n=1, roll="forward")),
        MonthDay("last business day", partial(_business_day, n=31, roll="backward")),
        *(
            MonthDay(f"{ordinal(n)} or the next business day", partial(_business_day, n=n, roll="forward"))
            for n in common
        ),
        *(
            MonthDay(f"{ordinal(n)} or the business day before it", partial(_business_day, n=n, roll="backward"))
            for n in common
        ),
        MonthDay(f"{which} {WEEKDAYS[weekday]}", partial(_nth_weekday, n=nth, weekday=weekday)),
        MonthDay(f"last {WEEKDAYS[weekday]}", partial(_last_weekday, weekday=weekday)),
        MonthDay(f"{ordinal(business + 1)} business day", partial(_nth_business_day, n=business)),
        *_same_days_each_year(days),
    ]


def _same_days_each_year(days: np.ndarray) -> list[MonthDay]:
    """Return the kind of day that each month of the year has for itself, if the rows cover two years."""
    of_year = days.astype("datetime64[M]").astype(np.int64) % 12
    numbers = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    if np.bincount(of_year).max() < 2:
        return []
    table = np.ones(12, dtype=np.int64)
    table[of_year] = numbers  # of the newest year
    listed = ", ".join(f"{ordinal(int(table[month]))} of {_month_name(month)}" for month in np.unique(of_year))
    return [MonthDay(f"{listed},", lambda months: _nth(months, table[months.astype(np.int64) % 12]))]


def _first(months: np.ndarray) -> np.ndarray:
    return months.astype("datetime64[D]")


def _last(months: np.ndarray) -> np.ndarray:
    return (months + 1).astype("datetime64[D]") - DAY


def _nth(months: np.ndarray, n: int | np.ndarray) -> np.ndarray:
    """Return the n-th day of months, or the last of shorter ones."""
    return np.minimum(_first(months) + (n - 1), _last(months))


def _business_day(months: np.ndarray, n: int, roll: Literal["forward", "backward"]) -> np.ndarray:
    """Return the n-th day of months, or the business day after or before it."""
    return np.busday_offset(_nth(months, n), 0, roll=roll)


def _nth_business_day(months: np.ndarray, n: int) -> np.ndarray:
    return np.busday_offset(_first(months), n, roll="forward")


def _last_weekday(months: np.ndarray, weekday: int) -> np.ndarray:
    return _last(months) - (_weekday(_last(months)) - weekday) % 7


def _nth_weekday(months: np.ndarray, n: int, weekday: int) -> np.ndarray:
    return _first(months) + (weekday - _weekday(_first(months))) % 7 + 7 * n


def _weekday(days: np.ndarray) -> np.ndarray:
    return (days.astype(np.int64) + 3) % 7


def _month_name(month: int) -> str:
    return ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[int(month) % 12]


def ordinal(n: int) -> str:
    """Return a number as 1st, 2nd, 3rd, 4th …"""
    ending = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
