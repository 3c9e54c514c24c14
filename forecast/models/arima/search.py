"""The search for the best coefficients: the likelihood of ARMA models has many summits, so it starts from many places.

From each start Gauss-Newton steps on the sum of squares lead near a summit in a millisecond each; the best few are
then climbed by the exact likelihood. Everything is measured in the series' own standard deviation, so prices × 100
take the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from statsmodels.tsa.statespace.tools import constrain_stationary_univariate, unconstrain_stationary_univariate

from forecast.models.arima.likelihood import (
    LEAST_VARIANCE,
    Order,
    exact,
    largest_reflection,
    largest_root,
    legal,
    residuals,
    slopes,
)

CLIMBS = 3  # summits of the sum of squares that the exact likelihood starts from
HOPELESS = 5.0  # a start so far below the best is not climbed from
INSIDE = 0.999  # how near the unit circle a start may lie
GAIN = 1e-6  # share of the sum of squares below which a descent ends
GRADIENT = 3e-6  # of the likelihood per row, where a climb ends
NUDGE = 1e-6  # step of a numerical derivative


@dataclass(frozen=True)
class Found:
    """The best coefficients that a search found, in the units of the series."""

    order: Order
    coefs: np.ndarray
    beta: np.ndarray  # (R,) of trend and regressors
    variance: float  # of the innovations
    loglike: float
    converged: bool
    aicc: float


@dataclass(frozen=True)
class Sample:
    """A differenced series and its regressors, each in its own standard deviation, ready to be searched.

    Beside a constant all others are taken from their means: a level far above the movement would cost digits, and a
    channel that never changes has no coefficient.
    """

    z: np.ndarray  # (1 + R, T)
    w: np.ndarray  # (T,) the series less its regression by least squares
    scale: np.ndarray  # (1 + R,)
    mean: np.ndarray  # (1 + R,) what was taken off
    constant: int | None  # which row of z never changes


def make_sample(order: Order, y: np.ndarray, x: np.ndarray) -> Sample:
    """Difference a series (T,) without gaps and its regressors (T, R)."""
    z = order.difference(np.column_stack([y, x])).T
    still = [i for i in range(1, len(z)) if np.ptp(z[i]) == 0 and z[i, 0]]
    constant = still[0] if still and order.trend != "n" else None
    mean = z.mean(axis=1) if constant else np.zeros(len(z))
    if constant:
        mean[constant] = 0.0
        mean[still[1:]] = z[still[1:], 0]  # to the last bit
    z = z - mean[:, None]
    size = np.sqrt(np.mean(z**2, axis=1))
    scale = np.where(size > 0, size, 1.0)
    z = z / scale[:, None]
    beta = np.linalg.lstsq(z[1:].T, z[0], rcond=None)[0]
    return Sample(z, z[0] - beta @ z[1:], scale, mean, constant)


def search(
    order: Order, sample: Sample, more: Iterable[np.ndarray] = (), wide: bool = True, hurdle: float = np.inf
) -> Found:
    """Find the coefficients of the highest exact likelihood that any start leads to.

    `more` are further starts, such as those of an earlier fit; without `wide` they and a regression are the only ones.
    If AICc is above `hurdle` before the last climb, the climb is left out. Never below the model whose ARMA
    coefficients are all zero, which is among the candidates.
    """
    zero = np.zeros(order.n_coefs)
    if not order.n_coefs or np.mean(sample.w**2) <= LEAST_VARIANCE:
        return _found(order, zero, sample, True)
    starts = [hannan_rissanen(order, sample.w), *(np.asarray(start, dtype=np.float64) for start in more)]
    starts += ridge(order) if wide else []
    reached = [_descend(order, _inward(order, start), sample.w) for start in starts]
    likely = [exact(order, coefs, sample.z).loglike for coefs in [*reached, zero]]
    ranked = sorted(zip(likely, range(len(likely)), [*reached, zero], strict=True), key=lambda each: -each[0])
    chosen = _distinct(ranked, CLIMBS if wide else 1)
    best = _found(order, chosen[0], sample, True)
    if best.aicc > hurdle:
        return best
    summits = [_climb(order, coefs, sample) for coefs in chosen]
    climbed = [_found(order, coefs, sample, converged) for coefs, converged in summits]
    return max([*climbed, best], key=lambda found: found.loglike)


def hannan_rissanen(order: Order, w: np.ndarray) -> np.ndarray:
    """Estimate by two regressions: a long autoregression's residuals stand in for the shocks (1982)."""
    n = len(w)
    back = max(order.p, order.q, order.P * order.m, order.Q * order.m)
    long = min(max(20, back + 2), n // 4)
    if n < long + back + 2 * order.n_coefs + 2:
        return np.zeros(order.n_coefs)
    past = np.stack([w[long - i : n - i] for i in range(1, long + 1)])
    shocks = np.concatenate([np.zeros(long), w[long:] - _regress(past, w[long:]) @ past])
    first = long + back
    lags = [(w, i) for i in range(1, order.p + 1)] + [(shocks, i) for i in range(1, order.q + 1)]
    lags += [(w, i * order.m) for i in range(1, order.P + 1)] + [(shocks, i * order.m) for i in range(1, order.Q + 1)]
    return _regress(np.stack([source[first - lag : n - lag] for source, lag in lags]), w[first:])


def ridge(order: Order) -> list[np.ndarray]:
    """Start along the ridge on which autoregressive and moving-average terms cancel, at its ends and in between."""
    starts = []
    for first, second in ((0.7, 0.0), (-0.7, 0.0), (-0.3, 0.6), (0.9, -0.8), (-0.9, -0.8)):
        if second and not (order.p > 1 and order.q > 1):
            continue
        ar, ma, sar, sma = (np.zeros(k) for k in (order.p, order.q, order.P, order.Q))
        for part, sign in ((ar, 1.0), (ma, -0.9)):
            part[:2] = sign * np.array([first, second])[: len(part)]
        for part, sign in ((sar, 0.5), (sma, -0.4)):
            part[:1] = sign
        starts.append(np.concatenate([ar, ma, sar, sma]))
    return starts


def _regress(rows: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(rows @ rows.T, rows @ y, rcond=None)[0]


def _inward(order: Order, coefs: np.ndarray) -> np.ndarray:
    """Pull roots that lie on or within the unit circle outside it, part by part."""
    parts = []
    for part, sign in zip(order.split(coefs), (-1.0, 1.0, -1.0, 1.0), strict=True):
        if len(part) and largest_reflection(sign * part) > INSIDE:
            shrink = min(1.0, INSIDE / largest_root(sign * part))
            part = part * shrink ** np.arange(1, len(part) + 1)
        parts.append(part)
    return np.concatenate(parts)


def _descend(order: Order, coefs: np.ndarray, w: np.ndarray, rounds: int = 15) -> np.ndarray:
    """Lower the sum of squares by Gauss-Newton steps, halved until they gain and stay legal."""
    e = residuals(order, coefs, w)
    squares = e @ e
    for _ in range(rounds):
        rows = slopes(order, coefs, w, e)
        curvature = rows @ rows.T
        diagonal = np.einsum("ii->i", curvature)  # a view
        diagonal += 1e-6 * diagonal + 1e-12 * squares
        step = -np.linalg.solve(curvature, rows @ e)
        for size in (1.0, 0.5, 0.25, 0.1, 0.02):
            nearer = coefs + size * step
            if legal(order, nearer):
                e = residuals(order, nearer, w)
                if e @ e < squares:
                    break
        else:
            break
        gained, coefs, squares = squares - e @ e, nearer, e @ e
        if gained < GAIN * squares:
            break
    return _inward(order, coefs)


def _distinct(ranked: list[tuple[float, int, np.ndarray]], most: int) -> list[np.ndarray]:
    """Keep the best few that are not one and the same summit."""
    kept: list[tuple[float, np.ndarray]] = []
    for value, _, coefs in ranked:
        if all(abs(value - other) > 1e-3 for other, _ in kept) and value > ranked[0][0] - HOPELESS:
            kept.append((value, coefs))
    return [coefs for _, coefs in kept[:most]]


def _climb(order: Order, coefs: np.ndarray, sample: Sample) -> tuple[np.ndarray, bool]:
    """Climb to the summit of the exact likelihood, in coordinates in which every point is legal.

    The curvature of the sum of squares is where the quasi-Newton method starts from: it is nearly that of the
    likelihood, which along the ridge is a thousand times flatter than across it.
    """

    def inside(free: np.ndarray) -> np.ndarray:
        ar, ma, sar, sma = (constrain_stationary_univariate(p) if len(p) else p for p in order.split(free))
        return np.concatenate([ar, -ma, sar, -sma])

    def loss(free: np.ndarray) -> float:
        return -exact(order, inside(free), sample.z).loglike / n

    n = sample.z.shape[1]
    ar, ma, sar, sma = order.split(coefs)
    parts = [unconstrain_stationary_univariate(p) if len(p) else p for p in (ar, -ma, sar, -sma)]
    free = np.concatenate(parts)
    rows = slopes(order, coefs, sample.w, residuals(order, coefs, sample.w))
    moved = np.stack([inside(free + step) - coefs for step in NUDGE * np.eye(len(free))], axis=1) / NUDGE
    curvature = moved.T @ (rows @ rows.T) @ moved / n
    curvature[np.diag_indices_from(curvature)] += 1e-6
    start = np.linalg.inv(curvature)
    way = minimize(loss, free, method="BFGS", options={"gtol": GRADIENT, "hess_inv0": (start + start.T) / 2})
    return inside(way.x), bool(np.abs(way.jac).max() < 30 * GRADIENT)


def _found(order: Order, coefs: np.ndarray, sample: Sample, converged: bool) -> Found:
    at = exact(order, coefs, sample.z)
    n = sample.z.shape[1]
    loglike = at.loglike - n * float(np.log(sample.scale[0]))  # back to the units of the series
    k = order.n_coefs + len(at.beta) + 1
    aicc = -2 * loglike + 2 * k * n / (n - k - 1) if n > k + 1 else np.inf
    beta, variance = at.beta * sample.scale[0] / sample.scale[1:], at.variance * sample.scale[0] ** 2
    if sample.constant:  # what was taken off goes back into the constant
        level = sample.z[sample.constant, 0] * sample.scale[sample.constant]
        beta[sample.constant - 1] += (sample.mean[0] - beta @ sample.mean[1:]) / level
    return Found(order, coefs, beta, variance, loglike, converged, aicc)
