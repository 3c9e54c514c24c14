"""What a column contains, by its values: a counter, one value, the dates again, a volume, an instrument's bars."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np
import pandas as pd

MIN_ROWS = 20  # fewer values may count or stay the same by chance
MIN_BARS = 10  # fewer rows show neither bars nor how a column moves
FIRST = 5  # values that are looked at first, as most columns are no whole numbers
DENSITY = 0.9  # a counter has at least this share of the numbers between its first and its last
STRAIGHT = 0.01  # deviation from a line of a counter, at most, relative to its own: an R² of 0.9999
MAX_DIGITS = 11  # decimals of rounded numbers are fewer
PRECISION, SINGLE = 1e-8, 1e-7  # of numbers that are not rounded, and of those of 32 bits
GROWING = 0.6  # rises less falls, as a share of the rows: rises in 80 % of the rows
FEW, MANY_ROWS = 12, 100  # so few different whole numbers in so many rows are a flag or a grade
ORDERED = 0.995  # share of the rows in which a high must be above everything else; the rest are errors in the data
SWAPS = 0.2  # share of the rows in which the open is above the close, and in which it is below, at least
MAX_BAR_COLUMNS = 24  # a wider table is no instrument's
PARTS = ("year", "month", "day", "quarter", "day_of_week", "day_of_year", "hour", "minute")
NANOSECONDS = (1, 10**3, 10**6, 10**9, 86400 * 10**9)  # of time: from ns to days
DAY = 86400 * 10**9
DAYS_OF_YEAR = 366  # parts of the dates are not greater, or begin with the year
QUIET, ROUGH = 0.05, 0.1  # median size of a price's change of logarithm, at most; of a volume's, at least
MIN_VOLUME = 1000  # median of a volume, at least
MAX_SPREAD = 0.2  # of a bid and an ask, relative to the larger one, in half of the rows
FLIPS = 0.25  # share of the rows in which returns change their sign, at least


class Content(NamedTuple):
    """What a column contains that is no series, and whether no table has such a series."""

    reason: str
    is_certain: bool  # a real index may rise by 1 a year, and a real rate stay the same


def describe_left_out(values: np.ndarray, index: pd.Index) -> Content | None:
    """Return what a column of numbers contains if it is no series: a count, the dates again, or one value."""
    observed = ~np.isnan(values)
    x = values[observed]
    if len(x) < MIN_ROWS or not np.isfinite(np.ptp(x)):
        return None
    low, high = x.min(), x.max()
    if low == high:
        return Content(f"is {low:g} in every row", False)
    if _counts(x) or _is_line(x, np.flatnonzero(observed), 0):
        is_row_number = low in (0, 1) and high - low <= (len(x) - 1) / DENSITY
        return Content(f"counts rows ({low:.12g} to {high:.12g})", is_row_number)
    if isinstance(index, pd.DatetimeIndex):
        return _describe_dates(values, index)
    return None


def _counts(x: np.ndarray) -> bool:
    """Return whether whole numbers, each of which occurs once, are nearly all between the first and the last."""
    if (np.floor(x[:FIRST]) != x[:FIRST]).any() or (np.floor(x) != x).any():
        return False
    return bool(np.ptp(x) <= (len(x) - 1) / DENSITY) and len(np.unique(x)) == len(x)


def _is_line(x: np.ndarray, t: np.ndarray, slack: float) -> bool:
    """Return whether numbers only rise or only fall, by the same amount per t up to rounding and an error of t."""
    steps = np.diff(x)
    if not ((steps >= 0).all() or (steps <= 0).all()) or t[0] == t[-1]:
        return False
    t = t - t.mean()
    slope = float(t @ x / (t @ t))
    residual = x - x.mean() - slope * t
    return bool(residual.std() <= STRAIGHT * x.std() and np.abs(residual).max() <= rounding_of(x) + abs(slope) * slack)


@np.errstate(over="ignore")
def rounding_of(x: np.ndarray) -> float:
    """Return the power of ten that numbers are rounded to, or a small part of their size if they are not."""
    rounded = (10.0**-digits for digits in range(MAX_DIGITS) if np.array_equal(np.round(x, digits), x))
    is_single = np.array_equal(x.astype(np.float32), x)
    return float(next(rounded, SINGLE * np.abs(x).max() if is_single else PRECISION * np.ptp(x)))


def _describe_dates(values: np.ndarray, index: pd.DatetimeIndex) -> Content | None:
    """Return that numbers are a part of the dates, such as the year, or count time as the dates do; else None."""
    observed = ~np.isnan(values) & ~index.isna()
    if observed.sum() < MIN_ROWS:
        return None
    x, dates = values[observed], index[observed].tz_localize(None)
    order = dates.argsort(kind="stable")
    x, dates = x[order], dates[order]
    days = dates.as_unit("us").asi8 * 1000.0 / DAY
    gap = float(np.median(np.diff(days)))
    if _is_line(x, days, min(gap, 1.0)):
        year = dates.year + (dates.day_of_year - 1) / 365.25
        is_date = np.abs(x - year).max() < 0.01 or any(np.ptp(x * n - days * DAY) <= DAY for n in NANOSECONDS)
        reason = "repeats the dates" if is_date else f"counts days ({x.min():.12g} to {x.max():.12g})"
        return Content(reason, bool(is_date))
    is_whole = bool((np.floor(x) == x).all())
    return Content("repeats the dates", True) if is_whole and _is_part(x, dates) else None


def _is_part(x: np.ndarray, dates: pd.DatetimeIndex) -> bool:
    """Return whether whole numbers are a part of dates in order, such as the year, the week or the day of trading."""
    low, high = x.min(), x.max()
    if low < 0 or (high > DAYS_OF_YEAR and not f"{x[0]:.0f}".startswith(str(dates[0].year))):
        return False
    parts = [getattr(dates, part).to_numpy() for part in PARTS]
    week = dates.isocalendar().astype(np.int64)
    month = dates.year * 12 + dates.month
    trading_day = pd.Series(1, dates).groupby(month.to_numpy()).cumsum().to_numpy()
    parts += [
        week["week"].to_numpy(),
        (dates.day - 1) // 7,
        (dates.day - 1) // 7 + 1,
        dates.year % 100,
        dates.days_in_month,
    ]
    parts += [dates.day_of_week + 1, (dates.day_of_week + 1) % 7, (dates.day_of_week + 1) % 7 + 1]
    parts += [dates.year * 10_000 + dates.month * 100 + dates.day, dates.year * 100 + dates.month]
    parts += [week["year"].to_numpy() * 100 + week["week"].to_numpy(), dates.year * 100 + week["week"].to_numpy()]
    parts += [dates.year * 10 + dates.quarter, trading_day, trading_day - 1]
    parts += [(dates.month - 1) // 6 + 1, month - month.min(), month - month.min() + 1]
    return any(
        part[0] == x[0] and low == part.min() and high == part.max() and np.array_equal(x, part) for part in parts
    )


def has_few_values(values: np.ndarray) -> bool:
    """Return whether numbers in many rows are a few different whole ones, and do not move as a price does."""
    x = values[np.isfinite(values)]
    if len(x) < MANY_ROWS or (np.floor(x) != x).any() or len(np.unique(x)) > FEW:
        return False
    return not (describe_changes(x).is_price and (np.diff(x) != 0).mean() > 0.5)


def is_ordered(values: np.ndarray) -> bool:
    """Return whether whole numbers rise in every row, or fall in every row, as those of an identifier do."""
    x = values[np.isfinite(values)]
    if len(x) < MIN_ROWS or (np.floor(x) != x).any():
        return False
    return bool((np.diff(x) > 0).all() or (np.diff(x) < 0).all())


def is_growing(values: np.ndarray) -> bool:
    """Return whether numbers rise in most rows, as a price level or a population does."""
    x = values[np.isfinite(values)]
    return len(x) > 1 and abs(float(np.sign(np.diff(x)).mean())) >= GROWING


class Changes(NamedTuple):
    """How a column moves from row to row."""

    is_price: bool  # positive, and by little
    is_volume: bool  # large numbers, by much and back again
    is_return: bool  # up and down around zero


def describe_changes(values: np.ndarray) -> Changes:
    """Return whether numbers move like a price, like a volume or like returns."""
    x = values[np.isfinite(values)]
    if len(x) < MIN_BARS:
        return Changes(False, False, False)
    flips = float((np.sign(x[1:]) * np.sign(x[:-1]) < 0).mean())
    if (x <= 0).any():
        return Changes(False, False, flips > FLIPS)
    changes = np.diff(np.log(x))
    size = float(np.median(np.abs(changes)))
    reverts = float(np.dot(changes[1:], changes[:-1])) < -0.2 * float(np.dot(changes, changes))
    return Changes(size <= QUIET, size >= ROUGH and reverts and float(np.median(x)) >= MIN_VOLUME, False)


def find_other_kind(changes: Sequence[Changes]) -> tuple[int, str] | None:
    """Return the position of the first column that moves like "a volume" or "returns" next to prices, and which."""
    at = next((i for i, change in enumerate(changes) if change.is_volume or change.is_return), None)
    if at is None or not any(change.is_price for change in changes):
        return None
    return at, "a volume" if changes[at].is_volume else "returns"


def are_about_equal(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether two columns differ by little, as quotes of one instrument do."""
    size = np.maximum(np.abs(first), np.abs(second))
    observed = size > 0
    return bool(observed.any()) and float(np.median(np.abs(first - second)[observed] / size[observed])) <= MAX_SPREAD


class BarColumns(NamedTuple):
    """Positions of the columns of an instrument's bars."""

    open: int
    high: int
    low: int
    close: int


def find_bars(values: np.ndarray) -> list[BarColumns]:
    """Return every choice of columns of a table (T, N) that are bars by their numbers.

    The high is never below the others and the low never above them; the open is as often above the close as below it,
    and nearer to the close of the row before than the close is to the open of the row before. Columns that merely lie
    in one order, such as yields of growing maturities, do not pass: none of them is now above another, now below it.
    """
    n = values.shape[1]
    if not 4 <= n <= MAX_BAR_COLUMNS or len(values) < MIN_BARS:
        return []
    with np.errstate(invalid="ignore"):
        above = np.array(
            [[_share(values[:, i] >= values[:, j], values[:, [i, j]]) for j in range(n)] for i in range(n)]
        )
    found = []
    for high, low in permutations(range(n), 2):
        if above[high, low] < ORDERED or above[low, high] > 1 - ORDERED / 2:
            continue
        inner = [k for k in range(n) if k not in (high, low) and min(above[high, k], above[k, low]) >= ORDERED]
        for first, second in combinations(inner, 2):
            swaps = above[first, second], above[second, first]
            if min(swaps) < SWAPS or not _is_range(values[:, [high, low, first, second]]):
                continue
            if (order := _open_and_close(values[:, first], values[:, second])) is not None:
                opening, closing = (first, second) if order else (second, first)
                found.append(BarColumns(opening, high, low, closing))
    return found


def holds_range(open_: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray) -> bool:
    """Return whether a high and a low enclose an open and a close in nearly all rows, and not from far away."""
    bars = np.column_stack([high, low, open_, close])
    bars = bars[~np.isnan(bars).any(axis=1)]
    inside = (bars[:, 0] >= bars.max(axis=1)) & (bars[:, 1] <= bars.min(axis=1))
    return bool(len(bars)) and float(inside.mean()) >= DENSITY and _is_near(bars)


def _share(holds: np.ndarray, columns: np.ndarray) -> float:
    """Return the share of the rows with a value in all columns for which a condition holds."""
    observed = ~np.isnan(columns).any(axis=1)
    return float(holds[observed].mean()) if observed.any() else 0.0


def _is_range(bars: np.ndarray) -> bool:
    """Return whether a high and a low (the first two columns) are a range, which the other two touch in some rows."""
    bars = bars[~np.isnan(bars).any(axis=1)]
    touched = (bars[:, 0] == bars[:, 2:].max(axis=1)) | (bars[:, 1] == bars[:, 2:].min(axis=1))
    return len(bars) >= MIN_BARS and bool(touched.any()) and _is_near(bars)


def _is_near(bars: np.ndarray) -> bool:
    """Return whether a high and a low are about as far apart as the close moves from row to row, if rows can show it.

    Of a random walk that is observed at all times the range is 2.4 times the usual move.
    """
    if len(bars) < MIN_BARS:
        return True
    move = np.median(np.abs(np.diff(bars[:, 3])))
    return bool(0.3 * move <= np.median(bars[:, 0] - bars[:, 1]) <= 8 * move)


def _open_and_close(first: np.ndarray, second: np.ndarray) -> bool | None:
    """Return whether the first column is the open and the second the close, or the reverse; None if neither is."""
    observed = ~np.isnan(first) & ~np.isnan(second)
    first, second = first[observed], second[observed]
    gap = np.median(np.abs(first[1:] - second[:-1])), np.median(np.abs(second[1:] - first[:-1]))
    if min(gap) > 0.8 * max(gap):
        return None
    return bool(gap[0] < gap[1])
