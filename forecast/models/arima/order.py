"""Order selection: differences by tests, the rest stepwise by AICc (Hyndman and Khandakar, 2008)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from forecast.models.arima.likelihood import Order, largest_inverse_root
from forecast.models.arima.search import Sample, SearchResult, make_sample, search

MAX_ORDER, MAX_SEASONAL_ORDER, MAX_DIFFERENCES = 5, 2, 2
MAX_COEFS = 6  # with more, pairs of nearly cancelling terms fit the noise
KPSS_CRITICAL_VALUE = 0.463  # at 5 %, for a level (Kwiatkowski, Phillips, Schmidt and Shin, 1992)
DICKEY_FULLER_LEVEL = 0.01
STRONG_SEASON = 0.64  # seasonal strength above which a season is differenced (Wang, Smith and Hyndman, 2006)
MAX_INVERSE_ROOT = 1 / 1.01  # models with a larger inverse root are not selected
FIRST_ORDERS = ((2, 2), (0, 0), (1, 0), (0, 1))  # (p, q), with one of each for the season
MAX_AICC_GAP = 2.0  # above the best AICc; beyond it the likelihood is not maximised


def select_differences(y: np.ndarray, m: int) -> tuple[int, int]:
    """Select d by tests for a unit root and D by the strength of the season; return (d, D).

    As R's auto.arima, with one more test. KPSS alone takes a persistent but mean-reverting series for an integrated
    one (an AR(1) of 0.9 over 2,700 rows, whose forecasts are then 3.6 % worse at five steps). Where the Dickey-Fuller
    test rejects at 1 %, both with a constant and with a trend, nothing is differenced.
    """
    seasonal = int(m > 1 and len(y) > 2 * m + 5 and seasonal_strength(y, m) > STRONG_SEASON)
    w = y[m:] - y[:-m] if seasonal else y
    d = 0
    while d < MAX_DIFFERENCES and np.ptp(w) > 0 and _is_integrated(w):
        w, d = np.diff(w), d + 1
    return d, seasonal


def seasonal_strength(y: np.ndarray, m: int) -> float:
    """Return the share of the detrended variance that the season explains, 0 to 1."""
    from statsmodels.tsa.seasonal import STL

    parts = STL(y, period=m, seasonal=10 * (len(y) // m) // 2 * 2 + 11).fit()  # wide: the season does not change
    detrended = np.var(parts.resid + parts.seasonal)
    return max(0.0, 1.0 - np.var(parts.resid) / detrended) if detrended > 0 else 0.0


def select_order(
    y: np.ndarray,
    regressors: Callable[[str], np.ndarray],
    m: int,
    trend: str | None = None,
    previous: tuple[Order, np.ndarray] | None = None,
) -> SearchResult:
    """Search the orders of a series stepwise for the lowest AICc.

    Parameters
    ----------
    y : array (T,)
        The series, without gaps.
    regressors : callable
        Returns the regressors (T, R) of a trend.
    m : int
        Number of rows per season; 1 without seasons.
    trend : {"n", "c", "t", "ct"}, optional
        Without it, models with and without a constant (or drift) are tried.
    previous : (Order, array), optional
        Order and coefficients of an earlier fit, from which the search starts too.

    Returns
    -------
    SearchResult
        The fit of the selected order.

    Notes
    -----
    The search starts from the four models of Hyndman and Khandakar (2008) and from the previous order, and moves to a
    neighbour as long as one is better. Models are fitted by exact likelihood, except that it is not maximised for
    those whose AICc is far above the best already at the least-squares coefficients. The selected order is searched
    from all starts at the end.
    """
    d, seasonal = select_differences(y, m)
    plain = Order(d=d, D=seasonal, m=m if m > 1 else 0)
    trends = (trend,) if trend else (("c", "n"), ("t", "n"), ("n",))[min(d + seasonal, 2)]
    candidates = _Candidates({t: make_sample(replace(plain, trend=t), y, regressors(t)) for t in trends})
    first = [order for order in _first_orders(replace(plain, trend=trends[0])) if not order.has_overlapping_lags]
    first.append(replace(plain, trend=trends[-1]))
    if previous and replace(previous[0], p=0, q=0, P=0, Q=0) in [replace(plain, trend=t) for t in trends]:
        first.append(previous[0])
    best = min((candidates.fit(order, previous) for order in first), key=lambda fit: fit.aicc)
    while True:
        neighbours = [candidates.fit(order, (best.order, best.coefs)) for order in _neighbours(best.order, trends)]
        nearest = min(neighbours, key=lambda fit: fit.aicc)
        if nearest.aicc >= best.aicc:
            break
        best = nearest
    final = search(best.order, candidates.samples[best.order.trend], [best.coefs])
    return best if _has_large_root(final) else final


@dataclass
class _Candidates:
    """The orders fitted so far; each is fitted once."""

    samples: dict[str, Sample]  # by trend
    fits: dict[Order, SearchResult] = field(default_factory=dict)

    def fit(self, order: Order, parent: tuple[Order, np.ndarray] | None) -> SearchResult:
        """Fit an order, starting also from the coefficients of the order it was reached from."""
        if order not in self.fits:
            starts = [_resize_coefs(order, *parent)] if parent else []
            max_aicc = min((fit.aicc for fit in self.fits.values()), default=np.inf) + MAX_AICC_GAP
            fit = search(order, self.samples[order.trend], starts, wide=False, max_aicc=max_aicc)
            self.fits[order] = replace(fit, aicc=np.inf) if _has_large_root(fit) else fit
        return self.fits[order]


def _first_orders(plain: Order) -> list[Order]:
    n_seasonal = int(plain.m > 1)
    return [plain.shifted(p=p, q=q, P=min(p, n_seasonal), Q=min(q, n_seasonal)) for p, q in FIRST_ORDERS]


def _neighbours(order: Order, trends: tuple[str, ...]) -> Iterator[Order]:
    """Yield the orders one step away: one or both numbers of a pair up or down, and the constant in or out."""
    pairs = [("p", "q", MAX_ORDER)] + ([("P", "Q", MAX_SEASONAL_ORDER)] if order.m else [])
    for ar, ma, maximum in pairs:
        for ar_change, ma_change in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            moved = order.shifted(**{ar: ar_change, ma: ma_change})
            numbers = getattr(moved, ar), getattr(moved, ma)
            within = 0 <= min(numbers) <= max(numbers) <= maximum and moved.n_coefs <= MAX_COEFS
            if within and not moved.has_overlapping_lags:
                yield moved
    yield from (replace(order, trend=trend) for trend in trends if trend != order.trend)


def _resize_coefs(order: Order, other: Order, coefs: np.ndarray) -> np.ndarray:
    """Return the coefficients of another order, cut or padded with zeros to the length of this one."""
    resized = order.split(np.zeros(order.n_coefs))
    for part, source in zip(resized, other.split(coefs), strict=True):
        part[: len(source)] = source[: len(part)]
    return np.concatenate(resized)


def _has_large_root(fit: SearchResult) -> bool:
    signs = (-1.0, 1.0, -1.0, 1.0)
    parts = fit.order.split(fit.coefs)
    return any(largest_inverse_root(sign * part) > MAX_INVERSE_ROOT for sign, part in zip(signs, parts, strict=True))


def _is_integrated(w: np.ndarray) -> bool:
    from arch.unitroot import ADF, KPSS

    lags = int(3 * np.sqrt(len(w)) / 13)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if KPSS(w, lags=lags).stat <= KPSS_CRITICAL_VALUE:
            return False
        change = np.diff(w)
        if abs(change.mean()) > 2 * change.std() / np.sqrt(len(change)):
            return True  # a trend: there is no level to revert to
        try:
            return any(ADF(w, lags=lags, trend=trend).pvalue > DICKEY_FULLER_LEVEL for trend in ("c", "ct"))
        except (ValueError, np.linalg.LinAlgError):  # the test is not defined for an exact line or parabola
            return True
