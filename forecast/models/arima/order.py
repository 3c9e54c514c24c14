"""Order selection: differences by tests and AICc, the rest stepwise by AICc (Hyndman and Khandakar, 2008)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from forecast.models.arima.likelihood import MIN_VARIANCE, Order, largest_inverse_root, loglike_at
from forecast.models.arima.search import Sample, SearchResult, aicc, make_sample, search

MAX_ORDER, MAX_SEASONAL_ORDER, MAX_DIFFERENCES = 5, 2, 2
MAX_COEFS = 6  # with more, pairs of nearly cancelling terms fit the noise
KPSS_CRITICAL_VALUE = 0.463  # at 5 %, for a level (Kwiatkowski, Phillips, Schmidt and Shin, 1992)
DICKEY_FULLER_LEVEL = 0.01
CLEAR_REVERSION = 100.0  # rows × (1 − autocorrelation); below 14 in 95 of 100 random walks (Dickey and Fuller, 1979)
MIN_TEST_ROWS = 10  # with fewer, tests of differences have no power
MAX_LEVEL_ROWS = 200  # with more, logs of a positive series are used in any case
MIN_SEASON_ROWS = 5  # in excess of two seasons, from which on a season is differenced
STRONG_SEASON = 0.64  # seasonal strength above which a season is differenced (Wang, Smith and Hyndman, 2006)
MAX_INVERSE_ROOT = 1 / 1.01  # models with a larger inverse root are not selected
ROWS_PER_COEF = 4  # the fewest for which a coefficient is estimated
FIRST_ORDERS = ((2, 2), (0, 0), (1, 0), (0, 1))  # (p, q), with one of each for the season
INTEGRATED_ORDERS = ((1, 1), (1, 2), (2, 1), (2, 2))  # (p, q), with one difference
MAX_AICC_GAP = 2.0  # above the best AICc; beyond it the likelihood is not maximised


def candidate_differences(y: np.ndarray, m: int) -> list[tuple[int, int]]:
    """Return the pairs (d, D) between which AICc decides, by tests for a unit root and the strength of the season.

    KPSS alone takes a persistent but mean-reverting series for an integrated one (an AR(1) of 0.9 over 2,700 rows,
    whose forecasts are then 3.6 % worse at five steps), and Dickey and Fuller's test takes the price of a stock that
    once fell by half for a mean-reverting one. Where they disagree, d and d + 1 are compared; and 0 with 1, unless both
    tests find a level and the first autocorrelation is far below that of a random walk.
    """
    strong = m > 1 and len(y) > 2 * m + MIN_SEASON_ROWS and seasonal_strength(y, m) > STRONG_SEASON
    w = y[m:] - y[:-m] if strong else y
    d = 0
    while d < MAX_DIFFERENCES and len(w) >= MIN_TEST_ROWS and np.ptp(w) > 0:
        kpss, dickey_fuller = _is_integrated(w)
        if not (kpss and dickey_fuller):
            both = kpss or (d == 0 and (dickey_fuller or len(w) * (1 - _autocorrelation(w)) < CLEAR_REVERSION))
            return [(i, int(strong)) for i in range(d, d + 1 + both)]
        w, d = np.diff(w), d + 1
    return [(i, int(strong)) for i in ((d,) if d else (0, 1))]


def _autocorrelation(w: np.ndarray) -> float:
    """Return the autocorrelation of a series (T,) with the row before."""
    centred = w - w.mean()
    return float(centred[1:] @ centred[:-1] / (centred @ centred))


def moves_in_levels(y: np.ndarray, m: int) -> bool:
    """Return whether a short positive series (T,) is described better in levels than in logs.

    By the AICc of the random walk, in units of the level: with or without drift in levels, without drift in logs. Where
    logs have a drift, and where a series has fewer than ten rows, it moves in levels: so few rows do not support
    exponential growth. The changes are those over a season, if there are two.
    """
    if len(y) > MAX_LEVEL_ROWS:
        return False
    if len(y) < MIN_TEST_ROWS:
        return True
    lag = m if len(y) > 2 * m + MIN_SEASON_ROWS else 1
    change, growth = y[lag:] - y[:-lag], np.log(y[lag:] / y[:-lag])
    in_logs = _mean_aicc(growth, growth, 1)
    if _mean_aicc(growth, growth - growth.mean(), 2) < in_logs:
        return True
    in_logs += 2 * float(np.log(y[lag:]).sum())
    return min(_mean_aicc(change, change, 1), _mean_aicc(change, change - change.mean(), 2)) < in_logs


def _mean_aicc(change: np.ndarray, errors: np.ndarray, k: int) -> float:
    """Return the AICc of normal errors (T,) of changes (T,), with k parameters."""
    n = len(change)
    variance = max(float(np.mean(errors**2)), MIN_VARIANCE * float(np.mean(change**2)), np.finfo(float).tiny)
    return aicc(-0.5 * n * (np.log(2 * np.pi * variance) + 1), n, k)


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
    For each number of differences, the search starts from the four models of Hyndman and Khandakar (2008) and from the
    previous order, and moves to a neighbour as long as one is better. Models are fitted by exact likelihood, except
    that it is not maximised for those whose AICc is far above the best already at the least-squares coefficients. The
    best of each, the random walk and the random walk with drift are compared on the same rows: given the first rows,
    those that the most differenced of them loses. A model without differences has to describe the first row too (in
    multiples of the changes), as its level is what it claims to know. The selected order is searched from all starts at
    the end.
    """
    fits = []
    for d, seasonal in candidate_differences(y, m):
        plain = Order(d=d, D=seasonal, m=m if m > 1 else 0)
        candidates = _Candidates(
            {t: make_sample(replace(plain, trend=t), y, regressors(t)) for t in _trends(plain, trend)}
        )
        fits.append(_select_terms(plain, candidates, previous))
    compares_differences = any(fit.order.d for fit in fits)
    walk = Order(d=1, m=m if m > 1 else 0)
    for order in (replace(walk, trend=t) for t in _trends(walk, trend)):
        fits.append(search(order, make_sample(order, y, regressors(order.trend))))
    n_lost = max(fit.order.n_lost for fit in fits)

    def score(fit: SearchResult) -> tuple[float, int]:
        x = regressors(fit.order.trend)
        of_first = 0.0 if fit.order.n_lost else -2 * first_loglike(fit, y, x, 1)
        return conditional_aicc(fit, y, x, n_lost) + of_first, fit.n_params

    best = min(fits, key=score)
    if compares_differences and not best.order.n_lost:
        integrated = _integrated(walk, trend, y, regressors)
        if any(score(fit) < score(best) for fit in integrated):
            best = min((fit for fit in fits if fit.order.n_lost), key=score)
    final = search(best.order, make_sample(best.order, y, regressors(best.order.trend)), [best.coefs])
    return best if _has_large_root(final) else final


def _integrated(
    walk: Order, trend: str | None, y: np.ndarray, regressors: Callable[[str], np.ndarray]
) -> Iterator[SearchResult]:
    """Yield fits of integrated models with nearly cancelling terms, which describe a series without a level.

    They are not selected. Where a moving average undoes the difference, the model has a level, and is left out.
    """
    for t in _trends(walk, trend):
        sample = make_sample(replace(walk, trend=t), y, regressors(t))
        for p, q in INTEGRATED_ORDERS:
            fit = search(replace(walk, p=p, q=q, trend=t), sample)
            roots = np.roots(np.append(1.0, fit.coefs[p:]))
            if roots[np.isreal(roots)].real.max(initial=0.0) < MAX_INVERSE_ROOT:
                yield fit


def conditional_aicc(fit: SearchResult, y: np.ndarray, x: np.ndarray, n_lost: int) -> float:
    """Compute the AICc of all but the first `n_lost` rows (T,) given those, which does not depend on the differences.

    The log-likelihood of a model that differences less is that of all its rows less that of the first ones.
    """
    loglike = first_loglike(fit, y, x, len(y)) - first_loglike(fit, y, x, n_lost)
    return aicc(loglike, len(y) - n_lost, fit.n_params)


def first_loglike(fit: SearchResult, y: np.ndarray, x: np.ndarray, n: int) -> float:
    """Compute the log-likelihood of a fit on the first n rows (T,) with their regressors (T, R)."""
    return loglike_at(fit.order, fit.coefs, fit.order.difference(y[:n] - x[:n] @ fit.beta), fit.variance)


def _trends(plain: Order, trend: str | None) -> tuple[str, ...]:
    """Return the trends to try: the given one less what differencing removes, by default with a constant or drift.

    Without differences there is always a constant: whether zero is a series' mean depends on where it counts from.
    """
    n_differences = plain.d + plain.D
    if trend:
        remaining = trend.replace("c", "") if n_differences else trend
        return (("n" if n_differences > 1 else remaining) or "n",)
    return (("c",), ("t", "n"), ("n",))[min(n_differences, 2)]


def _select_terms(plain: Order, candidates: _Candidates, previous: tuple[Order, np.ndarray] | None) -> SearchResult:
    """Search the terms and the trend of models with the same differences stepwise."""
    trends = tuple(candidates.samples)
    max_coefs = min(MAX_COEFS, next(iter(candidates.samples.values())).z.shape[1] // ROWS_PER_COEF)
    first = [*_first_orders(replace(plain, trend=trends[0])), replace(plain, trend=trends[-1])]
    first = [order for order in first if order.n_coefs <= max_coefs and not order.has_overlapping_lags]
    if previous and replace(previous[0], p=0, q=0, P=0, Q=0) in [replace(plain, trend=t) for t in trends]:
        first.append(previous[0])
    best = min((candidates.fit(order, previous) for order in first), key=lambda fit: (fit.aicc, fit.n_params))
    while True:
        neighbours = [
            candidates.fit(order, (best.order, best.coefs)) for order in _neighbours(best.order, trends, max_coefs)
        ]
        nearest = min([best, *neighbours], key=lambda fit: fit.aicc)
        if nearest is best:
            return best
        best = nearest


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
            self.fits[order] = replace(fit, loglike=-np.inf) if _has_large_root(fit) else fit
        return self.fits[order]


def _first_orders(plain: Order) -> list[Order]:
    n_seasonal = int(plain.m > 1)
    return [plain.shifted(p=p, q=q, P=min(p, n_seasonal), Q=min(q, n_seasonal)) for p, q in FIRST_ORDERS]


def _neighbours(order: Order, trends: tuple[str, ...], max_coefs: int) -> Iterator[Order]:
    """Yield the orders one step away: one or both numbers of a pair up or down, and the constant in or out."""
    pairs = [("p", "q", MAX_ORDER)] + ([("P", "Q", MAX_SEASONAL_ORDER)] if order.m else [])
    for ar, ma, maximum in pairs:
        for ar_change, ma_change in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            moved = order.shifted(**{ar: ar_change, ma: ma_change})
            numbers = getattr(moved, ar), getattr(moved, ma)
            within = 0 <= min(numbers) <= max(numbers) <= maximum and moved.n_coefs <= max_coefs
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
    """Return whether an inverse root is too near 1: a root of the moving average, or one that needs differencing again.

    Without differences a large autoregressive root is a persistent series; excluding it would leave moving averages,
    which cannot describe it.
    """
    ar, ma, sar, sma = fit.order.split(fit.coefs)
    parts = [ma, sma] + ([-ar, -sar] if fit.order.n_lost else [])
    return any(largest_inverse_root(part) > MAX_INVERSE_ROOT for part in parts)


def _is_integrated(w: np.ndarray) -> tuple[bool, bool]:
    """Return whether a series needs a difference by KPSS, and whether by Dickey and Fuller's test."""
    from arch.unitroot import ADF, KPSS

    lags = int(3 * np.sqrt(len(w)) / 13)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kpss = bool(KPSS(w, lags=lags).stat > KPSS_CRITICAL_VALUE)
        change = np.diff(w)
        if abs(change.mean()) > 2 * change.std() / np.sqrt(len(change)):
            return kpss, True  # a trend: there is no level to revert to
        try:
            return kpss, any(ADF(w, lags=lags, trend=trend).pvalue > DICKEY_FULLER_LEVEL for trend in ("c", "ct"))
        except (ValueError, np.linalg.LinAlgError):  # the test is not defined for an exact line or parabola
            return kpss, True
