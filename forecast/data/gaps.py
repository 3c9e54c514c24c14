"""The rows that are missing in the dates of one series: days, weeks, months and bars of sessions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from dateutil.easter import easter as easter_of

from forecast.data.day_rules import are_about_daily, regular_days

BAR_SHARE = 0.5  # a session has a bar at the times of day that this share of the sessions around it have
SESSIONS_AROUND = 21  # so a change of the clock, which moves times in UTC by an hour, leaves no bar missing
MAX_HOLIDAYS = 7  # trading days in a row without rows: the longest holidays of exchanges
DAYS_PER_HOLIDAY = 120  # trading days: every exchange has more holidays than one in so many
COMMON_HOLIDAYS = ((1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31))  # of markets that have few others
MAX_MISSING_SHARE = 0.25  # of the expected rows: with more missing, the rows follow another rule
MIN_DAYS = 14  # that show on which days of the week rows are
MIN_OPEN_RATIO = 0.1  # rows are on the days of the week that have this share of the commonest day's rows
MIN_EVERY_DAY_RATIO = 0.5  # of rows on every day of the week: the rarest day's to the commonest day's
CLOCK_CHANGES = ("America/New_York", "Europe/London", "Europe/Berlin", "Europe/Athens", "Australia/Sydney")
DAY = np.timedelta64(1, "D")


def missing_days(days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the days that are missing between ascending days without a time zone.

    Of weeks, months and equal distances these are the days of the rule that have no row near them; of rows on every day
    of the week all days without a row; of rows on trading days the gaps that are longer than holidays, and single days
    that are too few to be holidays.
    """
    expected = regular_days(days)
    if expected is not None:
        missing = _without_row(expected, days)
    elif len(days) < MIN_DAYS or not are_about_daily(days):
        return days[:0]
    else:
        open_days = trading_weekdays(days)
        expected = pd.date_range(days[0], days[-1])
        expected = expected[open_days[expected.day_of_week]]
        missing = expected.difference(days)
        if not is_every_day(days):
            missing = _long_gaps(expected, days).union(_rare_gaps(missing, len(expected)))
    return missing if len(missing) <= MAX_MISSING_SHARE * len(expected) else days[:0]


def trading_weekdays(days: pd.DatetimeIndex) -> np.ndarray:
    """Return a mask (7,) of the days of the week on which rows are: one Saturday session makes no trading day."""
    counts = np.bincount(days.day_of_week, minlength=7)
    return np.asarray(counts >= MIN_OPEN_RATIO * counts.max())


def is_every_day(days: pd.DatetimeIndex) -> bool:
    """Return whether rows are on all days of the week alike."""
    counts = np.bincount(days.day_of_week, minlength=7)
    return bool(counts.min() >= MIN_EVERY_DAY_RATIO * counts.max())


def missing_bars(times: pd.DatetimeIndex, table: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the bars that are missing between ascending times: those of each session, or of rows at all hours.

    So are sessions that are missing altogether: those of other series of the `table` with these times, and those that
    no holiday explains.
    """
    gaps = np.diff(times.to_numpy())
    gap = pd.Timedelta(np.median(gaps)) if len(gaps) else pd.Timedelta(0)
    utc = times if times.tz is None else times.tz_convert("UTC")
    if _is_continuous(utc, gap):
        expected = pd.date_range(times[0], times[-1], freq=gap)
        missing = expected.difference(times)
        missing = missing if len(missing) <= MAX_MISSING_SHARE * len(expected) else times[:0]
    else:
        missing = _missing_in_sessions(times).union(_missing_sessions(times, table))
    return missing[~_is_skipped_hour(missing)]


def _without_row(expected: pd.DatetimeIndex, days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the expected days that are nearest to no row: holidays move rows by some days."""
    middles = expected[:-1] + (expected[1:] - expected[:-1]) / 2
    has_row = np.zeros(len(expected), dtype=bool)
    has_row[middles.searchsorted(days)] = True
    return expected[~has_row & (expected > days[0]) & (expected < days[-1])]


def _long_gaps(expected: pd.DatetimeIndex, days: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the expected days without rows that are more in a row than holidays are."""
    empty = ~expected.isin(days)
    runs = np.cumsum(np.append(True, empty[1:] != empty[:-1])) - 1
    return expected[empty & (np.bincount(runs)[runs] > MAX_HOLIDAYS)]


def _rare_gaps(missing: pd.DatetimeIndex, n_expected: int) -> pd.DatetimeIndex:
    """Return missing trading days that are too few to be an exchange's holidays, without the days that most have."""
    easter = [pd.Timestamp(easter_of(year)) for year in missing.year.unique()]
    around = [day + pd.Timedelta(days=n) for day in easter for n in (-2, 1)]  # Good Friday and Easter Monday
    rare = missing[[day not in around and (day.month, day.day) not in COMMON_HOLIDAYS for day in missing]]
    return rare if DAYS_PER_HOLIDAY * max(len(rare), 1) <= n_expected else missing[:0]


def _is_continuous(times: pd.DatetimeIndex, gap: pd.Timedelta) -> bool:
    """Return whether rows follow each other at one distance in all hours of all days of the week."""
    if len(times) < MIN_DAYS or not pd.Timedelta(0) < gap < pd.Timedelta(DAY) or pd.Timedelta(DAY) % gap:
        return False
    offsets = (times - times[0]) % gap
    n_hours = len(np.unique((times - times.normalize()) // gap))
    covered = times[-1] - times[0] >= pd.Timedelta(days=7) and is_every_day(times)
    is_full = len(times) >= (1 - MAX_MISSING_SHARE) * ((times[-1] - times[0]) // gap)
    return bool(covered and is_full and (offsets == pd.Timedelta(0)).all() and n_hours == pd.Timedelta(DAY) // gap)


def _missing_in_sessions(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the bars that are missing within the sessions of intraday data, by the times of day that are usual.

    Sessions are divided in the middle of the longest usual break of a day. In each, a bar is expected at the times of
    day that half of the sessions around it have, between the session's own first and last bar: one that closes early
    misses none. Of fewer than five sessions, or three bars in each, no times are usual.
    """
    opening = _opening(times)
    days = (times - opening).normalize()
    clock = (times - opening) - days
    dates, row = np.unique(days.to_numpy(), return_inverse=True)
    if len(times) < 3 * len(dates) or len(dates) < 5:
        return times[:0]
    shares = pd.Series(1, clock).groupby(level=0).size() / len(dates)
    often = shares.index[shares >= BAR_SHARE / 5]  # those of some weeks of the year among them
    column = often.get_indexer(clock)
    present = np.zeros((len(dates), len(often)), dtype=bool)  # (sessions, times of day)
    present[row[column >= 0], column[column >= 0]] = True
    around = pd.DataFrame(present.astype(float)).rolling(SESSIONS_AROUND, center=True, min_periods=1).mean()
    first, last = present.argmax(axis=1), present.shape[1] - 1 - present[:, ::-1].argmax(axis=1)
    position = np.arange(len(often))
    inside = (position > first[:, None]) & (position < last[:, None])
    at, which = np.nonzero((around.to_numpy() >= BAR_SHARE) & inside & ~present)
    starts = days[np.unique(row, return_index=True)[1]]
    return (starts[at] + often[which] + opening).difference(times)


def _missing_sessions(times: pd.DatetimeIndex, table: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the usual bars of sessions without any bar, on days of the week on which the series usually trades."""
    opening = _opening(times)
    shifted = (times - opening).tz_localize(None)
    days = shifted.normalize().unique()
    if len(days) < MIN_DAYS or not are_about_daily(days):
        return times[:0]
    shares = pd.Series(1, shifted - shifted.normalize()).groupby(level=0).size() / len(days)
    clock = shares.index[shares >= BAR_SHARE]
    rows = (table - opening).tz_localize(None)
    rows = rows[(rows > shifted[0]) & (rows < shifted[-1]) & (rows - rows.normalize()).isin(clock)]
    per_day = pd.Series(1, rows.normalize()).groupby(level=0).size()
    traded = per_day.index[per_day >= BAR_SHARE * len(clock)].difference(days)  # by other series
    traded = traded[trading_weekdays(days)[traded.day_of_week]]
    lost = missing_days(days).union(traded)
    bars = pd.DatetimeIndex(np.add.outer(lost.to_numpy(), clock.to_numpy()).ravel()) + opening
    if times.tz is not None:
        bars = bars.tz_localize(times.tz, ambiguous="NaT", nonexistent="NaT").dropna()
    return bars.difference(times)


def _opening(times: pd.DatetimeIndex) -> pd.Timedelta:
    """Return the time of day in the middle of the longest break that is usual."""
    counts = pd.Series(1, times - times.normalize()).groupby(level=0).size()
    usual = counts.index[counts >= BAR_SHARE * counts.max()]
    breaks = np.diff(usual.to_numpy(), prepend=usual.to_numpy()[-1] - DAY)
    longest = int(breaks.argmax())
    return (pd.Timedelta(usual[longest]) - pd.Timedelta(breaks[longest]) / 2) % pd.Timedelta(DAY)


def _is_skipped_hour(missing: pd.DatetimeIndex) -> np.ndarray:
    """Return which of these local times are in the hour that clocks skip in spring, in one of the usual time zones."""
    skipped = np.zeros(len(missing), dtype=bool)
    if missing.tz is None:
        for zone in CLOCK_CHANGES:
            skipped |= missing.tz_localize(zone, nonexistent="NaT", ambiguous=np.ones(len(missing), bool)).isna()
    return skipped
