"""Exact Gaussian likelihood of (seasonal) ARMA models with regressors, fast enough to search from many starts.

Filtering with the model's inverse from a zero state yields residuals e that differ from the innovations by the effect
of the unknown initial state, of r = max(p + mP, q + mQ) numbers: e = innovations + G · state. With the stationary
covariance of the state, the exact likelihood follows from r × r matrices. The variance and the regression coefficients
are concentrated out, so that the search is over the ARMA coefficients only.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.signal import lfilter

MIN_VARIANCE = 1e-10  # of the innovations of a standardised series: an exactly predictable one has no likelihood
NEGLIGIBLE_RESPONSE = 1e-10  # the impulse response is cut off below this
MAX_DIRECT = 6  # numbers of the state up to which its covariance is one system of equations
_ONE = np.ones(1)


@dataclass(frozen=True)
class Order:
    """Orders (p, d, q)(P, D, Q) of a seasonal ARIMA, with m rows per season and the trend ("n", "c", "t" or "ct")."""

    p: int = 0
    d: int = 0
    q: int = 0
    P: int = 0
    D: int = 0
    Q: int = 0
    m: int = 0
    trend: str = "n"

    @property
    def n_coefs(self) -> int:
        """Number of ARMA coefficients."""
        return self.p + self.q + self.P + self.Q

    @property
    def n_lost(self) -> int:
        """Number of rows lost in differencing."""
        return self.d + self.D * self.m

    @property
    def max_lag(self) -> int:
        """Lag of the longest ARMA term, in rows."""
        return max(self.p + self.P * self.m, self.q + self.Q * self.m)

    @property
    def has_overlapping_lags(self) -> bool:
        """Whether an ordinary term has the lag of a seasonal one, which statsmodels refuses."""
        return bool((self.P and self.p >= self.m) or (self.Q and self.q >= self.m))

    def split(self, coefs: np.ndarray) -> list[np.ndarray]:
        """Return the coefficients by part, in the order of statsmodels: ar, ma, seasonal ar, seasonal ma."""
        second, third = self.p + self.q, self.p + self.q + self.P
        return [coefs[: self.p], coefs[self.p : second], coefs[second:third], coefs[third:]]

    def polynomials(self, coefs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the lag polynomials, each with its leading 1: ar, ma, seasonal ar, seasonal ma."""
        ar, ma, sar, sma = self.split(coefs)
        ordinary = _lag_polynomial(-ar, 1), _lag_polynomial(ma, 1)
        return *ordinary, _lag_polynomial(-sar, self.m), _lag_polynomial(sma, self.m)

    def difference(self, z: np.ndarray) -> np.ndarray:
        """Difference columns of rows (T, …) d times, and D times over a season."""
        for _ in range(self.D):
            z = z[self.m :] - z[: -self.m]
        return np.diff(z, n=self.d, axis=0)

    def coef_names(self) -> list[str]:
        """Return the names that statsmodels gives to the coefficients."""
        names = [f"ar.L{i}" for i in range(1, self.p + 1)] + [f"ma.L{i}" for i in range(1, self.q + 1)]
        names += [f"ar.S.L{i * self.m}" for i in range(1, self.P + 1)]
        return names + [f"ma.S.L{i * self.m}" for i in range(1, self.Q + 1)]

    def shifted(self, **changes: int) -> Order:
        """Return the order with the named numbers raised or lowered by the values."""
        numbers: dict[str, Any] = {name: getattr(self, name) + change for name, change in changes.items()}
        return replace(self, **numbers)

    def __str__(self) -> str:
        seasonal = f"({self.P},{self.D},{self.Q})[{self.m}]" if self.P or self.D or self.Q else ""
        return f"({self.p},{self.d},{self.q}){seasonal}"


@dataclass(frozen=True)
class Likelihood:
    """Log-likelihood of ARMA coefficients, with the regression coefficients and the variance that maximise it."""

    loglike: float
    beta: np.ndarray  # (R,)
    variance: float


def exact_likelihood(order: Order, coefs: np.ndarray, z: np.ndarray) -> Likelihood:
    """Compute the exact likelihood of differenced rows z (1 + R, T): the series, then its regressors.

    Equal to that of statsmodels' Kalman filter and innovations algorithm; regression by generalised least squares.
    """
    products, logdet = innovation_products(order, coefs, z)
    return concentrate(products, logdet, z.shape[1])


def concentrate(products: np.ndarray, logdet: float, n: int) -> Likelihood:
    """Maximise the likelihood of n rows over regression and variance, given the products of their innovations.

    Parameters
    ----------
    products : array (1 + R, 1 + R)
        Sums of products of the standardised innovations of the series and its regressors.
    logdet : float
        Log determinant of the covariance, in units of the variance.
    n : int
        Number of rows.
    """
    beta = np.linalg.lstsq(products[1:, 1:], products[1:, 0], rcond=None)[0] if len(products) > 1 else products[1:, 0]
    squares = max(float(products[0, 0] - products[0, 1:] @ beta), n * MIN_VARIANCE)
    return Likelihood(-0.5 * (n * (np.log(2 * np.pi * squares / n) + 1) + logdet), beta, squares / n)


def loglike_at(order: Order, coefs: np.ndarray, w: np.ndarray, variance: float) -> float:
    """Compute the exact log-likelihood of a differenced series (T,) without regressors at a given variance."""
    if not len(w):
        return 0.0
    products, logdet = innovation_products(order, coefs, w[None])
    return -0.5 * (len(w) * np.log(2 * np.pi * variance) + logdet + float(products[0, 0]) / variance)


def innovation_products(order: Order, coefs: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, float]:
    """Compute the sums of products of the standardised innovations of rows z (R, T), and the log determinant."""
    ar, ma = _full_polynomials(order, coefs)
    e = lfilter(ar, ma, z, axis=1)
    products = e @ e.T
    logdet = 0.0
    if r := max(len(ar), len(ma)) - 1:
        g = initial_state_response(ma, z.shape[1], r)  # (T0, r)
        covariance = _state_covariance(ar, ma, r)
        projected = e[:, : len(g)] @ g  # (R, r)
        inner = np.eye(r) + (g.T @ g) @ covariance
        logdet = float(np.linalg.slogdet(inner)[1])
        products = products - projected @ covariance @ np.linalg.solve(inner, projected.T)
    return products, logdet


def residuals(order: Order, coefs: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Compute the residuals (T,) of a differenced series without regressors, from a zero state."""
    ar, ma = _full_polynomials(order, coefs)
    return lfilter(ar, ma, w)


def residual_jacobian(order: Order, coefs: np.ndarray, w: np.ndarray, e: np.ndarray) -> np.ndarray:
    """Compute the derivatives of the residuals e by the coefficients, (coefficients, T): filtered series, shifted."""
    ar, ma, sar, sma = order.polynomials(coefs)
    full_ma = np.convolve(ma, sma)
    jacobian = np.zeros((order.n_coefs, len(w)))
    row = 0
    parts = ((order.p, 1, sar, full_ma, w), (order.q, 1, _ONE, ma, e))
    seasonal = ((order.P, order.m, ar, full_ma, w), (order.Q, order.m, _ONE, sma, e))
    for n_terms, lag, numerator, denominator, source in (*parts, *seasonal):
        filtered = lfilter(numerator, denominator, source) if n_terms else source
        for i in range(1, n_terms + 1):
            np.negative(filtered[: -i * lag], out=jacobian[row, i * lag :])
            row += 1
    return jacobian


def is_stationary_and_invertible(order: Order, coefs: np.ndarray) -> bool:
    """Return whether all roots of the lag polynomials are outside the unit circle."""
    ar, ma, sar, sma = order.split(coefs)
    return all(largest_partial_autocorrelation(part) < 1 for part in (-ar, ma, -sar, sma) if len(part))


def largest_partial_autocorrelation(part: np.ndarray) -> float:
    """Return the largest partial autocorrelation of 1 + c1·B + c2·B² + …, in absolute value.

    All roots are outside the unit circle if it is below 1; the recursion stops at the first one that is not.
    """
    remaining, largest = [float(c) for c in part], 0.0
    while remaining:
        last = remaining.pop()
        largest = max(largest, abs(last))
        if largest >= 1:
            break
        remaining = [(a - last * b) / (1 - last * last) for a, b in zip(remaining, remaining[::-1], strict=True)]
    return largest


def largest_inverse_root(part: np.ndarray) -> float:
    """Return the largest modulus among the inverse roots of 1 + c1·B + c2·B² + …"""
    return float(np.abs(np.roots(np.concatenate([_ONE, part]))).max(initial=0.0))


def initial_state_response(ma: np.ndarray, n: int, r: int) -> np.ndarray:
    """Return the effect of the r numbers of the initial state on the residuals, (T0, r), until it is negligible."""
    response, length = _ONE, 64
    while len(ma) > 1:
        impulse = np.zeros(min(length, n))
        impulse[0] = 1.0
        response = lfilter(_ONE, ma, impulse)
        if length >= n or np.abs(response[1 - len(ma) :]).max() < NEGLIGIBLE_RESPONSE:
            break
        length *= 4
    rows = min(n, len(response) + r)
    g = np.zeros((rows, r))
    for j in range(min(r, rows)):
        g[j : j + len(response), j] = response[: rows - j]
    return g


def _state_covariance(ar: np.ndarray, ma: np.ndarray, r: int) -> np.ndarray:
    """Solve S = A·S·A' + k·k': the stationary covariance of the state, in units of the variance.

    As one system of r² equations if it is small, otherwise by doubling.
    """
    k = np.zeros(r)
    k[: len(ar) - 1] -= ar[1:]
    k[: len(ma) - 1] += ma[1:]
    a = np.eye(r, k=1)
    a[: len(ar) - 1, 0] = -ar[1:]
    covariance = np.outer(k, k)
    if r <= MAX_DIRECT:
        system = np.eye(r * r) - (a[:, None, :, None] * a[None, :, None, :]).reshape(r * r, r * r)
        with suppress(np.linalg.LinAlgError):  # a root of 1, to rounding
            solution = np.linalg.solve(system, covariance.ravel()).reshape(r, r)
            if np.einsum("ii->i", solution).min() >= 0:
                return solution
    for _ in range(50):  # i rounds add up 2^i terms of the series
        covariance = covariance + a @ covariance @ a.T
        a = a @ a
        if not 1e-9 < np.abs(a).max() < 1e9:  # above: a root so near 1 that rounding takes it across
            break
    return covariance


def _full_polynomials(order: Order, coefs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ar, ma, sar, sma = order.polynomials(coefs)
    return np.convolve(ar, sar), np.convolve(ma, sma)


def _lag_polynomial(coefs: np.ndarray, lag: int) -> np.ndarray:
    if not len(coefs):
        return _ONE
    polynomial = np.zeros(len(coefs) * lag + 1)
    polynomial[0] = 1.0
    polynomial[lag::lag] = coefs
    return polynomial
