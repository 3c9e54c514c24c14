"""Search for the coefficients of maximum likelihood, from many starts: ARMA likelihoods have many local maxima.

From each start, Gauss-Newton steps on the sum of squares lead near a local maximum in about a millisecond; from the
best few, the exact likelihood is maximised. Everything is measured in the series' own standard deviation, so that
prices × 100 lead to the same search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from statsmodels.tsa.statespace.tools import constrain_stationary_univariate, unconstrain_stationary_univariate

from forecast.features.scaling import standardise
from forecast.models.arima.likelihood import (
    MIN_VARIANCE,
    Order,
    exact_likelihood,
    is_stationary_and_invertible,
    largest_inverse_root,
    largest_partial_autocorrelation,
    residual_jacobian,
    residuals,
)

MAX_STARTS = 3  # minima of the sum of squares from which the exact likelihood is maximised
MAX_STEPS, MAX_ROUGH_STEPS = 15, 5  # of Gauss-Newton, the latter for candidates
MAX_GAP = 5.0  # log-likelihood below the best start at which a start is dropped
MAX_ROOT = 0.999  # bound on partial autocorrelations and inverse roots of a start
MIN_GAIN = 1e-6  # share of the sum of squares below which Gauss-Newton stops
GRADIENT_TOLERANCE = 3e-6  # of the log-likelihood per row
ROUGH_TOLERANCE = 1e-4  # the same for candidates, whose AICc it changes by less than .001
DERIVATIVE_STEP = 1e-6  # of numerical derivatives
STEP_SIZES = (1.0, 0.5, 0.25, 0.1, 0.02)  # shares of a Gauss-Newton step, tried in turn


@dataclass(frozen=True)
class SearchResult:
    """The best coefficients of a search, in the units of the series."""

    order: Order
    coefs: np.ndarray
    beta: np.ndarray  # (R,) of trend and regressors
    variance: float  # of the innovations
    loglike: float
    n_rows: int  # rows that enter the likelihood
    converged: bool = True

    @property
    def n_params(self) -> int:
        """Number of estimated parameters, the variance included."""
        return self.order.n_coefs + len(self.beta) + 1

    @property
    def aicc(self) -> float:
        """AICc of the fit."""
        return aicc(self.loglike, self.n_rows, self.n_params)


def aicc(loglike: float, n: int, k: int) -> float:
    """Compute the AICc of n rows and k parameters; infinite if there are too few rows."""
    return -2 * loglike + 2 * k * n / (n - k - 1) if n > k + 1 else np.inf


@dataclass(frozen=True)
class Standard:
    """A standardised series, and the way back."""

    z: np.ndarray  # (T,) NaN where a row is missing
    offset: float
    scale: float

    def restore(self, found: SearchResult) -> SearchResult:
        """Return a fit to z in the units of the series."""
        beta = found.beta * self.scale
        if "c" in found.order.trend:
            beta[0] += self.offset
        loglike = found.loglike - found.n_rows * float(np.log(self.scale))
        return replace(found, beta=beta, variance=found.variance * self.scale**2, loglike=loglike)


def make_standard(y: np.ndarray, shift: bool) -> Standard:
    """Measure a series (T,) in the root mean square of its changes, from its first value if `shift`, else from zero."""
    observed = y[~np.isnan(y)]
    offset = float(observed[0]) if shift else 0.0
    scale = float(np.sqrt(np.mean(np.diff(observed) ** 2))) or 1.0  # a series that never changes
    return Standard(standardise(y, offset, scale), offset, scale)


@dataclass(frozen=True)
class Sample:
    """A differenced series and its regressors, each divided by its own standard deviation.

    If there is a constant, the others are centred: a level far above the movement would cost digits, and a channel
    that never changes then has no coefficient.
    """

    z: np.ndarray  # (1 + R, T)
    w: np.ndarray  # (T,) the series less its regression by least squares
    scale: np.ndarray  # (1 + R,)
    mean: np.ndarray  # (1 + R,) subtracted before scaling
    constant: int | None  # row of z that never changes


def make_sample(order: Order, y: np.ndarray, x: np.ndarray) -> Sample:
    """Difference and standardise a series (T,) without gaps and its regressors (T, R)."""
    z = order.difference(np.column_stack([y, x])).T
    constants = [i for i in range(1, len(z)) if np.ptp(z[i]) == 0 and z[i, 0]]
    constant = constants[0] if constants and order.trend != "n" else None
    mean = z.mean(axis=1) if constant else np.zeros(len(z))
    if constant:
        mean[constant] = 0.0
        mean[constants[1:]] = z[constants[1:], 0]  # exactly, so that these rows are zero
    z = z - mean[:, None]
    size = np.sqrt(np.mean(z**2, axis=1))
    scale = np.where(size > 0, size, 1.0)
    z = z / scale[:, None]
    beta = np.linalg.lstsq(z[1:].T, z[0], rcond=None)[0]
    return Sample(z, z[0] - beta @ z[1:], scale, mean, constant)


def search(
    order: Order, sample: Sample, extra_starts: Iterable[np.ndarray] = (), wide: bool = True, max_aicc: float = np.inf
) -> SearchResult:
    """Return the coefficients of the highest exact likelihood that any start leads to.

    Parameters
    ----------
    order : Order
        The order of the model.
    sample : Sample
        The differenced series and its regressors.
    extra_starts : iterable of arrays (coefficients,)
        Further starts, such as the coefficients of an earlier fit.
    wide : bool, default True
        Start from the near-cancelling coefficients too, and maximise the likelihood from up to three starts. Without
        it the extra starts and a regression are the only starts, and the likelihood is maximised from the best one.
    max_aicc : float, default infinity
        If the AICc of the best start is above this, the likelihood is not maximised.

    Returns
    -------
    SearchResult
        Never worse than the model whose ARMA coefficients are all zero, which is one of the candidates.
    """
    zero = np.zeros(order.n_coefs)
    if not order.n_coefs or np.mean(sample.w**2) <= MIN_VARIANCE:
        return _evaluate(order, zero, sample)
    starts = [hannan_rissanen(order, sample.w), *(np.asarray(start, dtype=np.float64) for start in extra_starts)]
    starts += near_cancelling_starts(order) if wide else []
    steps = MAX_STEPS if wide else MAX_ROUGH_STEPS
    candidates = [_gauss_newton(order, _project_to_stationary(order, start), sample.w, steps) for start in starts]
    candidates.append(zero)
    loglikes = [exact_likelihood(order, coefs, sample.z).loglike for coefs in candidates]
    chosen = _best_distinct(candidates, loglikes, MAX_STARTS if wide else 1)
    best = _evaluate(order, chosen[0], sample)
    if best.aicc > max_aicc:
        return best
    tolerance = GRADIENT_TOLERANCE if wide else ROUGH_TOLERANCE
    maxima = [maximise(order, coefs, sample, tolerance=tolerance) for coefs in chosen]
    results = [_evaluate(order, coefs, sample, converged) for coefs, converged in maxima]
    return max([*results, best], key=lambda result: result.loglike)


def hannan_rissanen(order: Order, w: np.ndarray) -> np.ndarray:
    """Estimate the coefficients by two regressions (Hannan and Rissanen, 1982).

    The residuals of a long autoregression stand in for the shocks.
    """
    n = len(w)
    max_lag = max(order.p, order.q, order.P * order.m, order.Q * order.m)
    long = min(max(20, max_lag + 2), n // 4)
    if n < long + max_lag + 2 * order.n_coefs + 2:
        return np.zeros(order.n_coefs)
    past = np.stack([w[long - i : n - i] for i in range(1, long + 1)])
    shocks = np.concatenate([np.zeros(long), w[long:] - _regress(past, w[long:]) @ past])
    first = long + max_lag
    lags = [(w, i) for i in range(1, order.p + 1)] + [(shocks, i) for i in range(1, order.q + 1)]
    lags += [(w, i * order.m) for i in range(1, order.P + 1)] + [(shocks, i * order.m) for i in range(1, order.Q + 1)]
    return _regress(np.stack([source[first - lag : n - lag] for source, lag in lags]), w[first:])


def near_cancelling_starts(order: Order) -> list[np.ndarray]:
    """Return starts along the ridge on which autoregressive and moving-average terms nearly cancel."""
    starts = []
    for first, second in ((0.7, 0.0), (-0.7, 0.0), (-0.3, 0.6), (0.9, -0.8), (-0.9, -0.8)):
        if second and not (order.p > 1 and order.q > 1):
            continue
        ar, ma, sar, sma = (np.zeros(k) for k in (order.p, order.q, order.P, order.Q))
        for part, factor in ((ar, 1.0), (ma, -0.9)):
            part[:2] = factor * np.array([first, second])[: len(part)]
        for part, value in ((sar, 0.5), (sma, -0.4)):
            part[:1] = value
        starts.append(np.concatenate([ar, ma, sar, sma]))
    return starts


def _regress(rows: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(rows @ rows.T, rows @ y, rcond=None)[0]


def _project_to_stationary(order: Order, coefs: np.ndarray) -> np.ndarray:
    """Shrink the inverse roots of each part until all lie within the unit circle."""
    parts = []
    for part, sign in zip(order.split(coefs), (-1.0, 1.0, -1.0, 1.0), strict=True):
        if len(part) and largest_partial_autocorrelation(sign * part) > MAX_ROOT:
            shrinkage = min(1.0, MAX_ROOT / largest_inverse_root(sign * part))
            part = part * shrinkage ** np.arange(1, len(part) + 1)
        parts.append(part)
    return np.concatenate(parts)


def _gauss_newton(order: Order, coefs: np.ndarray, w: np.ndarray, max_steps: int) -> np.ndarray:
    """Reduce the sum of squares by Gauss-Newton steps, each shortened until it gains and stays stationary."""
    e = residuals(order, coefs, w)
    squares = e @ e
    for _ in range(max_steps):
        jacobian = residual_jacobian(order, coefs, w, e)
        curvature = jacobian @ jacobian.T
        diagonal = np.einsum("ii->i", curvature)  # a view
        diagonal += 1e-6 * diagonal + 1e-12 * squares
        step = -np.linalg.solve(curvature, jacobian @ e)
        for size in STEP_SIZES:
            candidate = coefs + size * step
            if is_stationary_and_invertible(order, candidate):
                e = residuals(order, candidate, w)
                if e @ e < squares:
                    break
        else:
            break
        gain, coefs, squares = squares - e @ e, candidate, e @ e
        if gain < MIN_GAIN * squares:
            break
    return _project_to_stationary(order, coefs)


def _best_distinct(candidates: list[np.ndarray], loglikes: list[float], n: int) -> list[np.ndarray]:
    """Return the best candidates, at most n, without those that are near the same local maximum."""
    ranked = sorted(zip(loglikes, candidates, strict=True), key=lambda pair: -pair[0])  # stable
    distinct: list[tuple[float, np.ndarray]] = []
    for loglike, coefs in ranked:
        if all(abs(loglike - other) > 1e-3 for other, _ in distinct) and loglike > ranked[0][0] - MAX_GAP:
            distinct.append((loglike, coefs))
    return [coefs for _, coefs in distinct[:n]]


def maximise(
    order: Order,
    coefs: np.ndarray,
    sample: Sample,
    loglike: Callable[[np.ndarray], float] | None = None,
    tolerance: float = GRADIENT_TOLERANCE,
) -> tuple[np.ndarray, bool]:
    """Maximise the exact likelihood from given coefficients; return the maximum and whether the search converged.

    `loglike` is another likelihood to maximise than that of the sample.

    The coordinates are unconstrained: every point is stationary and invertible (Monahan, 1984). The quasi-Newton
    method starts from the curvature of the sum of squares, which is nearly that of the likelihood; along the ridge on
    which terms cancel the likelihood is a thousand times flatter than across it.
    """
    n = sample.z.shape[1]

    def loss(free: np.ndarray) -> float:
        moved = _constrain(order, free)
        return -(loglike(moved) if loglike else exact_likelihood(order, moved, sample.z).loglike) / n

    free = _unconstrain(order, coefs)
    jacobian = residual_jacobian(order, coefs, sample.w, residuals(order, coefs, sample.w))
    moved = [_constrain(order, free + step) - coefs for step in DERIVATIVE_STEP * np.eye(len(free))]
    change = np.stack(moved, axis=1) / DERIVATIVE_STEP
    curvature = change.T @ (jacobian @ jacobian.T) @ change / n
    curvature[np.diag_indices_from(curvature)] += 1e-6
    inverse = np.linalg.inv(curvature)
    options = {"gtol": tolerance, "hess_inv0": (inverse + inverse.T) / 2}
    result = minimize(loss, free, method="BFGS", options=options)
    return _constrain(order, result.x), bool(np.abs(result.jac).max() < 30 * tolerance)


def _constrain(order: Order, free: np.ndarray) -> np.ndarray:
    ar, ma, sar, sma = (constrain_stationary_univariate(part) if len(part) else part for part in order.split(free))
    return np.concatenate([ar, -ma, sar, -sma])


def _unconstrain(order: Order, coefs: np.ndarray) -> np.ndarray:
    ar, ma, sar, sma = order.split(coefs)
    parts = [unconstrain_stationary_univariate(part) if len(part) else part for part in (ar, -ma, sar, -sma)]
    return np.concatenate(parts)


def _evaluate(order: Order, coefs: np.ndarray, sample: Sample, converged: bool = True) -> SearchResult:
    """Compute likelihood and regression at coefficients, in the units of the sample's series."""
    likelihood = exact_likelihood(order, coefs, sample.z)
    n = sample.z.shape[1]
    loglike = likelihood.loglike - n * float(np.log(sample.scale[0]))
    beta = likelihood.beta * sample.scale[0] / sample.scale[1:]
    variance = likelihood.variance * sample.scale[0] ** 2
    if sample.constant:  # the subtracted means go back into the constant
        level = sample.z[sample.constant, 0] * sample.scale[sample.constant]
        beta[sample.constant - 1] += (sample.mean[0] - beta @ sample.mean[1:]) / level
    return SearchResult(order, coefs, beta, variance, loglike, n, converged)
