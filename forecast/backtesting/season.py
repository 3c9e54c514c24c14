"""The test for a season: which number of rows, of those that the dates suggest, the training rows repeat after."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd

from forecast.data.calendar import is_daily
from forecast.data.panel import Panel
from forecast.features.windows import forward_fill

SIZE = 0.01  # of the test, over all candidates
MIN_SEASONS = 3  # that the training rows must contain
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

    A candidate (`candidate_seasons`) of which the training rows contain three is a season if the changes of the series
    (of the logs where all values are positive) are positively autocorrelated at that lag, significantly at 1 % divided
    by the number of candidates. Of several seasons, the one whose value a season ago is closest is returned, by the
    geometric mean of the squared errors over the series. All series of a panel have one season.

    Notes
    -----
    The test adds up, over the series, the products of changes one season apart, each divided by the series' variance.
    Its standard error is the root of the sums' squares, which volatility clusters and correlation between the series
    leave valid, times the factor of Bartlett's formula, √(1 + 2 Σ r²) over the autocorrelations at shorter lags
    of the changes less their mean in each phase.
    """
    candidates = [m for m in candidate_seasons(train.index) if len(train) >= MIN_SEASONS * m]
    if not candidates:
        return 1
    y = forward_fill(train.target[:, train.observed.sum(axis=0) > MIN_SEASONS * min(candidates)])
    changes = _standard_changes(y)
    critical = NormalDist().inv_cdf(1 - SIZE / len(candidates))
    found = [m for m in candidates if _repeats(changes, m, critical)]
    return min(found, key=lambda m: _seasonal_error(y, m, max(found)), default=1)


def _standard_changes(y: np.ndarray) -> np.ndarray:
    """Return the changes of each series over their standard deviation, (T − 1, N); 0 before its first row."""
    positive = np.nanmin(y, axis=0, initial=np.inf) > 0
    change = np.diff(np.log(np.where(positive, y, 1)) + np.where(positive, 0, y), axis=0)
    change = change - np.nanmean(change, axis=0)
    deviation = np.sqrt(np.nanmean(change**2, axis=0))
    return np.nan_to_num(change / np.where(deviation > 0, deviation, np.inf))


def _repeats(changes: np.ndarray, m: int, critical: float) -> bool:
    """Return whether the autocorrelation at lag m exceeds the critical value, in its standard errors."""
    products = (changes[m:] * changes[:-m]).sum(axis=1)
    error = np.sqrt((products**2).sum())
    # Bartlett's factor is at least 1, and takes m passes over the rows: it is left out where it cannot matter.
    if not products.sum() > critical * error:
        return False
    return bool(products.sum() > critical * error * _bartlett_factor(changes, m))


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


def _seasonal_error(y: np.ndarray, m: int, first: int) -> float:
    """Return the mean logarithm, over the series, of the squared change over m rows, from row `first` on."""
    squares = np.nanmean((y[first:] - y[first - m : len(y) - m]) ** 2, axis=0)
    return float(np.log(squares[squares > 0]).mean()) if (squares > 0).any() else -np.inf
