"""The test for a season: which number of rows, of those that the dates suggest, the training rows repeat after."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from forecast.data.calendar import is_daily
from forecast.data.panel import Panel
from forecast.features.windows import forward_fill

SIZE = 0.01  # of the test, over all candidates
MIN_SEASONS = 3  # that the training rows must contain
OUTLIER = 10  # of the median change of a series: the largest change that counts whole
ROUNDING = 1e-12  # of its largest value: a series whose changes vary by less is a straight line
DAY = pd.Timedelta(days=1)


def candidate_seasons(index: pd.Index) -> list[int]:
    """Return the seasons, in rows, that the dates of the rows suggest; none for numbered rows.

    Quarters 4; months 12; weeks 52; business days 5, 21 and 252; days of a full week 7; several rows a day: the rows of
    a day and of a week.

    >>> candidate_seasons(pd.bdate_range("2020-01-01", periods=500)), candidate_seasons(pd.RangeIndex(500))
    ([5, 21, 252], [])
    """
    if not isinstance(index, pd.DatetimeIndex) or len(index) < 3:
        return []
    gap = pd.Series(index).diff().median()
    week = len(set(index.day_of_week))
    if gap < DAY:
        per_day = int(pd.Series(1, index=index.normalize()).groupby(level=0).sum().median())
        return [m for m in (per_day, per_day * week) if m > 1]
    if gap == DAY and is_daily(index):
        return [7] if week == 7 else [week, 21, 252] if week > 1 else []
    for days, m in ((7, 52), (30.5, 12), (91, 4)):
        if abs(gap / DAY - days) <= 0.05 * days:
            return [m]
    return []


def find_season(train: Panel) -> int:
    """Return the season of the training rows, in rows; 1 if there is none.

    A candidate (`candidate_seasons`) is a season if the changes of the series (of the logs where all values are
    positive) that contain three of it are positively autocorrelated at that lag, significantly at 1 % divided by
    the number of candidates. Of several seasons, the one whose value a season ago is closest for most series is
    returned. All series of a panel have one season, so no series counts more than the median one: a season of a
    minority of them is not one of the panel. A change of more than ten times the median one counts as ten times, so
    that a few wrong values hide no season. Constant series and straight lines have no changes to test.

    Notes
    -----
    The test adds up, over the series, the products of changes one season apart, each divided by the series' variance,
    and multiplied by a weight that limits its autocorrelation to the median over the series. Its standard error is the
    root of the sums' squares, which volatility clusters and correlation between the series leave valid, times the
    factor of Bartlett's formula, √(1 + 2 Σ r²) over the autocorrelations at shorter lags of the changes less their mean
    in each phase.
    """
    candidates = candidate_seasons(train.index)
    return _find_season(train.target, candidates) if candidates else 1


def find_seasons(train: Panel) -> tuple[int, ...]:
    """Return the season of each series of the training rows, found in its own rows only; 1 for those without one."""
    seasons = np.ones(len(train.series), dtype=np.int64)
    candidates = [m for m in candidate_seasons(train.index) if len(train) >= MIN_SEASONS * m]
    if candidates:
        changes = _Changes.of(train.target, candidates)
        critical = _critical_value(candidates)
        may_repeat = np.any([_may_repeat(changes.values, m, critical) for m in candidates], axis=0)
        for n in np.flatnonzero(may_repeat).tolist():
            seasons[changes.series[n]] = changes.select([n]).find_season(candidates)
    return tuple(seasons.tolist())


def _find_season(target: np.ndarray, candidates: list[int]) -> int:
    """Return the season, of these candidates, of series (T, N); 1 if there is none."""
    candidates = [m for m in candidates if len(target) >= MIN_SEASONS * m]
    return _Changes.of(target, candidates).find_season(candidates) if candidates else 1


@dataclass(frozen=True)
class _Changes:
    """The changes of the series that are long enough for a season.

    Attributes
    ----------
    series : array of shape (n,)
        Their numbers.
    y : array of shape (T, n)
        Their values over the largest one, missing ones replaced by the value before.
    values : array of shape (T - 1, n)
        Their changes over the standard deviation, 0 before a series' first row.
    varies : array of shape (n,)
        Whether the changes vary: those of straight lines and of constant growth do not.
    longest : array of shape (n,)
        What a season of the series must be shorter than, in rows.
    """

    series: np.ndarray
    y: np.ndarray
    values: np.ndarray
    varies: np.ndarray
    longest: np.ndarray

    @classmethod
    def of(cls, target: np.ndarray, candidates: list[int]) -> _Changes:
        """Return the changes of series (T, N)."""
        longest = (~np.isnan(target)).sum(axis=0) / MIN_SEASONS
        series = np.flatnonzero(longest > min(candidates))
        y = forward_fill(target[:, series])
        largest = np.nanmax(np.abs(y), axis=0, initial=0)
        y = y / np.where(largest > 0, largest, 1)
        return cls(series, y, *_standard_changes(y), longest[series])

    def select(self, numbers: list[int]) -> _Changes:
        """Return the changes of these."""
        columns = (self.y[:, numbers], self.values[:, numbers])
        return _Changes(self.series[numbers], *columns, self.varies[numbers], self.longest[numbers])

    def find_season(self, candidates: list[int]) -> int:
        """Return the season of the series, of these candidates; 1 if there is none."""
        critical = _critical_value(candidates)
        found = [m for m in candidates if _repeats(self.values[:, self.varies & (self.longest > m)], m, critical)]
        if len(found) < 2:
            return max(found, default=1)
        return _closest(self.y[:, self.varies & (self.longest > max(found))], found)


def _critical_value(candidates: list[int]) -> float:
    """Return the quantile of the normal distribution that a test of one candidate compares with."""
    return NormalDist().inv_cdf(1 - SIZE / len(candidates))


def _standard_changes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the changes of each series over their standard deviation, (T − 1, N), and whether they vary, (N,).

    `y` is over the largest value of each series.
    """
    positive = np.nanmin(y, axis=0, initial=np.inf) > 0
    logs = np.log(np.where(positive, y, 1)) + np.where(positive, 0, y)
    change, deviation = _centred_changes(logs)
    size = np.maximum(np.nanmax(np.abs(logs), axis=0, initial=0), positive)  # a rounded value changes its log as much
    varies = (deviation > ROUNDING * size) & (_centred_changes(y)[1] > ROUNDING)
    return np.nan_to_num(change / np.where(varies, deviation, np.inf)), varies


def _centred_changes(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the changes of each series less their mean, (T − 1, N), and their standard deviation, (N,).

    A change of more than ten times the median one, as from a wrong value, counts as ten times.
    """
    change = np.diff(y, axis=0)
    limit = OUTLIER * np.nanmedian(np.abs(change), axis=0)
    change = np.where(limit > 0, np.clip(change, -limit, limit), change)
    change = change - np.nanmean(change, axis=0)
    return change, np.sqrt(np.nanmean(change**2, axis=0))


def _repeats(changes: np.ndarray, m: int, critical: float) -> bool:
    """Return whether the autocorrelation at lag m exceeds the critical value, in its standard errors."""
    products = changes[m:] * changes[:-m]  # (T − m, N)
    products = (products * _weights(products, changes)).sum(axis=1)
    error = np.sqrt((products**2).sum())
    # Bartlett's factor is at least 1, and takes m passes over the rows: it is left out where it cannot matter.
    if not products.sum() > critical * error:
        return False
    return bool(products.sum() > critical * error * _bartlett_factor(changes, m))


def _may_repeat(changes: np.ndarray, m: int, critical: float) -> np.ndarray:
    """Return for which series (n,) of changes (T, n) `_repeats` may be true; of all other it is not."""
    products = changes[m:] * changes[:-m]
    error = np.sqrt((products**2).sum(axis=0))
    return products.sum(axis=0) > critical * error * (1 - ROUNDING)


def _weights(products: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """Return weights of the series, (N,), that limit their autocorrelations to the median, of two to the lower one."""
    r = products.sum(axis=0) / np.maximum((changes**2).sum(axis=0), 1)
    if not len(r):
        return r
    limit = max(np.sort(r)[(len(r) - 1) // 2], 0)
    return np.where(r > limit, limit / np.where(r > limit, r, 1), 1.0)


def _bartlett_factor(changes: np.ndarray, m: int) -> float:
    """Return by how much the autocorrelations at lags below m increase the standard error of the one at lag m."""
    rest = changes - _phase_means(changes, m)  # a season would increase them too
    total = (rest**2).sum() or 1.0
    shorter = np.array([(rest[k:] * rest[:-k]).sum() / total for k in range(1, m)])
    noise = 1 / len(changes)  # of a squared autocorrelation
    return float(np.sqrt(1 + 2 * np.maximum(shorter**2 - noise, 0).sum()))


def _phase_means(changes: np.ndarray, m: int) -> np.ndarray:
    """Return the mean change of each row's phase in a season of m rows, (T, N)."""
    means = np.stack([changes[phase::m].mean(axis=0) for phase in range(m)])
    return means[np.arange(len(changes)) % m]


def _closest(y: np.ndarray, seasons: list[int]) -> int:
    """Return the season whose value a season ago is closest, in mean squares, for most series; of several the first."""
    first = max(seasons)
    errors = np.stack([np.nanmean((y[first:] - y[first - m : len(y) - m]) ** 2, axis=0) for m in seasons])  # (M, N)
    errors = np.maximum(errors, ROUNDING**2)
    votes = np.bincount(np.argmin(errors, axis=0), minlength=len(seasons))
    return seasons[int(votes.argmax())]
