"""The choice of a model's order: differences by tests, the rest by AICc, step by step (Hyndman and Khandakar, 2008)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from forecast.models.arima.likelihood import Order, largest_root
from forecast.models.arima.search import Found, make_sample, search

MOST, MOST_SEASONAL, MOST_DIFFERENCES = 5, 2, 2
MOST_TERMS = 6  # beyond it pairs of terms that nearly cancel follow the noise
KPSS_CRITICAL = 0.463  # at 5 %, for a level (Kwiatkowski, Phillips, Schmidt and Shin, 1992)
DICKEY_FULLER = 0.01
STRONG_SEASON = 0.64  # Wang, Smith and Hyndman (2006): above it a season is differenced
NEAR_UNIT_ROOT = 1 / 1.01  # models with an inverse root beyond it are not chosen
FIRST = ((2, 2), (0, 0), (1, 0), (0, 1))  # orders (p, q) to begin with; one of each for the season
PROMISING = 2.0  # AICc units behind the best: not climbed to the summit


def differences(y: np.ndarray, m: int) -> tuple[int, int]:
    """Choose D by the strength of the season, and d by tests, as R's auto.arima does, with a test more.

    KPSS alone takes a persistent series that does come back for one with a unit root (an AR(1) of 0.9 over 2,700 rows:
    its forecasts are then 3.6 % worse at five steps); where the test of Dickey and Fuller rejects the unit root at 1 %,
    beside a constant and beside a trend, nothing is differenced.
    """
    seasonal = int(m > 1 and len(y) > 2 * m + 5 and seasonal_strength(y, m) > STRONG_SEASON)
    w = y[m:] - y[:-m] if seasonal else y
    d = 0
    while d < MOST_DIFFERENCES and np.ptp(w) > 0 and _unit_root(w):
        w, d = np.diff(w), d + 1
    return d, seasonal


def seasonal_strength(y: np.ndarray, m: int) -> float:
    """Say which share of the detrended variance is the season's, 0 to 1."""
    from statsmodels.tsa.seasonal import STL

    parts = STL(y, period=m, seasonal=10 * (len(y) // m) // 2 * 2 + 11).fit()  # a season that does not change
    rest = np.var(parts.resid + parts.seasonal)
    return max(0.0, 1.0 - np.var(parts.resid) / rest) if rest > 0 else 0.0


def choose(
    y: np.ndarray,
    regressors: Callable[[str], np.ndarray],
    m: int,
    trend: str | None = None,
    last: tuple[Order, np.ndarray] | None = None,
) -> Found:
    """Search the orders of a series (T,) without gaps for the lowest AICc.

    `regressors` gives those of a trend, (T, R); without a `trend` models with and without a constant (or drift) are
    tried. Starts from the four models of Hyndman and Khandakar, and from the order of the `last` fit, and moves to
    neighbours as long as one is better. Every model is fitted by exact likelihood, but one that the sum of squares
    leaves far behind is not climbed to its summit; the chosen one is searched from all starts.
    """
    d, seasonal = differences(y, m)
    plain = Order(d=d, D=seasonal, m=m if m > 1 else 0)
    trends = (trend,) if trend else (("c", "n"), ("t", "n"), ("n",))[min(d + seasonal, 2)]
    samples = {t: make_sample(replace(plain, trend=t), y, regressors(t)) for t in trends}
    tried: dict[Order, Found] = {}

    def fit(order: Order, parent: tuple[Order, np.ndarray] | None) -> Found:
        if order not in tried:
            starts = [_fitted_into(order, *parent)] if parent else []
            hurdle = min((found.aicc for found in tried.values()), default=np.inf) + PROMISING
            found = search(order, samples[order.trend], starts, wide=False, hurdle=hurdle)
            tried[order] = replace(found, aicc=np.inf) if _near_unit_root(found) else found
        return tried[order]

    one = int(m > 1)  # seasonal term
    first = [replace(plain, trend=trends[0]).plus(p=p, q=q, P=min(p, one), Q=min(q, one)) for p, q in FIRST]
    first = [*(order for order in first if not order.overlaps), replace(plain, trend=trends[-1])]
    if last and replace(last[0], p=0, q=0, P=0, Q=0) in [replace(plain, trend=t) for t in trends]:
        first.append(last[0])
    best = min((fit(order, last) for order in first), key=lambda found: found.aicc)
    while True:
        nearby = [fit(order, (best.order, best.coefs)) for order in _neighbours(best.order, trends)]
        nearest = min(nearby, key=lambda found: found.aicc)
        if nearest.aicc >= best.aicc:
            break
        best = nearest
    final = search(best.order, samples[best.order.trend], [best.coefs])
    return best if _near_unit_root(final) else final


def _neighbours(order: Order, trends: tuple[str, ...]) -> Iterator[Order]:
    """Give the orders one step away: one number, or both of a pair, up or down, and the constant in or out."""
    pairs = [("p", "q", MOST)] + ([("P", "Q", MOST_SEASONAL)] if order.m else [])
    for first, second, most in pairs:
        for up, across in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            moved = order.plus(**{first: up, second: across})
            numbers = getattr(moved, first), getattr(moved, second)
            if 0 <= min(numbers) <= max(numbers) <= most and moved.n_coefs <= MOST_TERMS and not moved.overlaps:
                yield moved
    for trend in trends:
        if trend != order.trend:
            yield replace(order, trend=trend)


def _fitted_into(order: Order, other: Order, coefs: np.ndarray) -> np.ndarray:
    """Lengthen or shorten the coefficients of another order: new ones start at zero."""
    wanted = order.split(np.zeros(order.n_coefs))
    for part, had in zip(wanted, other.split(coefs), strict=True):
        part[: len(had)] = had[: len(part)]
    return np.concatenate(wanted)


def _near_unit_root(found: Found) -> bool:
    signs = (-1.0, 1.0, -1.0, 1.0)
    parts = found.order.split(found.coefs)
    return any(largest_root(sign * part) > NEAR_UNIT_ROOT for sign, part in zip(signs, parts, strict=True))


def _unit_root(w: np.ndarray) -> bool:
    from arch.unitroot import ADF, KPSS

    lags = int(3 * np.sqrt(len(w)) / 13)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if KPSS(w, lags=lags).stat <= KPSS_CRITICAL:
            return False
        change = np.diff(w)
        if abs(change.mean()) > 2 * change.std() / np.sqrt(len(change)):
            return True  # a trend, to which no level comes back
        try:
            return any(ADF(w, lags=lags, trend=trend).pvalue > DICKEY_FULLER for trend in ("c", "ct"))
        except (ValueError, np.linalg.LinAlgError):  # a series that is a line, or a parabola, has no such test
            return True
