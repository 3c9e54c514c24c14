"""The exact likelihood of (seasonal) ARMA models with regressors, fast enough to be searched from many starts.

Filtering with the model's inverse from a state of zeros gives residuals e that differ from the innovations by what
the unknown first state, of r = max(p + mP, q + mQ) numbers, adds to them: e = innovations + G · state. With the state's
stationary covariance the exact Gaussian likelihood follows from r × r matrices. Variance and regression coefficients
are concentrated out, so that the search has no other dimensions than the ARMA coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.signal import lfilter

LEAST_VARIANCE = 1e-10  # of the innovations of a standardised series: one that is known exactly has no likelihood
SETTLED = 1e-10  # an impulse response below this has died out


@dataclass(frozen=True)
class Order:
    """A seasonal ARIMA's orders (p, d, q)(P, D, Q) with m rows a season, and its trend ("n", "c", "t" or "ct")."""

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
        """How many ARMA coefficients there are."""
        return self.p + self.q + self.P + self.Q

    @property
    def lost(self) -> int:
        """How many rows are lost in differencing."""
        return self.d + self.D * self.m

    @property
    def reach(self) -> int:
        """How many rows back the longest term reaches."""
        return max(self.p + self.P * self.m, self.q + self.Q * self.m)

    @property
    def overlaps(self) -> bool:
        """Does an ordinary term stand at the lag of a seasonal one (which statsmodels refuses)?"""
        return bool((self.P and self.p >= self.m) or (self.Q and self.q >= self.m))

    def split(self, coefs: np.ndarray) -> list[np.ndarray]:
        """Part the coefficients as statsmodels orders them: ar, ma, seasonal ar, seasonal ma."""
        second, third = self.p + self.q, self.p + self.q + self.P
        return [coefs[: self.p], coefs[self.p : second], coefs[second:third], coefs[third:]]

    def factors(self, coefs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Give the lag polynomials, each with its leading 1: ar, ma, seasonal ar, seasonal ma."""
        ar, ma, sar, sma = self.split(coefs)
        return _polynomial(-ar, 1), _polynomial(ma, 1), _polynomial(-sar, self.m), _polynomial(sma, self.m)

    def difference(self, z: np.ndarray) -> np.ndarray:
        """Difference columns of rows (T, …) d times, and D times over a season."""
        for _ in range(self.D):
            z = z[self.m :] - z[: -self.m]
        return np.diff(z, n=self.d, axis=0)

    def names(self) -> list[str]:
        """Name the coefficients as statsmodels does."""
        names = [f"ar.L{i}" for i in range(1, self.p + 1)] + [f"ma.L{i}" for i in range(1, self.q + 1)]
        names += [f"ar.S.L{i * self.m}" for i in range(1, self.P + 1)]
        return names + [f"ma.S.L{i * self.m}" for i in range(1, self.Q + 1)]

    def plus(self, **changes: int) -> Order:
        """Give the order with some numbers raised or lowered."""
        raised: dict[str, Any] = {name: getattr(self, name) + by for name, by in changes.items()}
        return replace(self, **raised)

    def __str__(self) -> str:
        seasonal = f"({self.P},{self.D},{self.Q})[{self.m}]" if self.P or self.D or self.Q else ""
        return f"({self.p},{self.d},{self.q}){seasonal}"


@dataclass(frozen=True)
class Likelihood:
    """The log-likelihood of coefficients, with the regression and the variance that are best beside them."""

    loglike: float
    beta: np.ndarray  # (R,)
    variance: float


def exact(order: Order, coefs: np.ndarray, z: np.ndarray) -> Likelihood:
    """Give the exact likelihood of differenced rows z (1 + R, T): the series, then its regressors.

    Equal to statsmodels' Kalman filter and innovations algorithm; the regressors by generalised least squares.
    """
    ar, ma, sar, sma = order.factors(coefs)
    ar, ma = np.convolve(ar, sar), np.convolve(ma, sma)
    n = z.shape[1]
    e = lfilter(ar, ma, z, axis=1)  # (1 + R, T)
    products = e @ e.T
    logdet = 0.0
    r = max(len(ar), len(ma)) - 1
    if r:
        g = first_state_response(ma, n, r)  # (T0, r): what the first state adds to each residual
        covariance = _state_covariance(ar, ma, r)
        seen = e[:, : len(g)] @ g  # (1 + R, r)
        inner = np.eye(r) + (g.T @ g) @ covariance
        logdet = float(np.linalg.slogdet(inner)[1])
        products = products - seen @ covariance @ np.linalg.solve(inner, seen.T)
    beta = np.linalg.lstsq(products[1:, 1:], products[1:, 0], rcond=None)[0] if len(z) > 1 else products[1:, 0]
    squares = max(float(products[0, 0] - products[0, 1:] @ beta), n * LEAST_VARIANCE)
    return Likelihood(-0.5 * (n * (np.log(2 * np.pi * squares / n) + 1) + logdet), beta, squares / n)


def residuals(order: Order, coefs: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Give the residuals (T,) of a differenced series without regressors, from a state of zeros."""
    ar, ma, sar, sma = order.factors(coefs)
    return lfilter(np.convolve(ar, sar), np.convolve(ma, sma), w)


def slopes(order: Order, coefs: np.ndarray, w: np.ndarray, e: np.ndarray) -> np.ndarray:
    """Give the derivatives of the residuals e by the coefficients, (coefficients, T): filtered series, shifted."""
    ar, ma, sar, sma = order.factors(coefs)
    full = np.convolve(ma, sma)
    rows = np.zeros((order.n_coefs, len(w)))
    row = 0
    parts = ((order.p, 1, sar, full, w), (order.q, 1, _ONE, ma, e))
    seasonal = ((order.P, order.m, ar, full, w), (order.Q, order.m, _ONE, sma, e))
    for terms, lag, above, below, source in (*parts, *seasonal):
        moved = lfilter(above, below, source) if terms else source
        for i in range(1, terms + 1):
            np.negative(moved[: -i * lag], out=rows[row, i * lag :])
            row += 1
    return rows


def legal(order: Order, coefs: np.ndarray) -> bool:
    """Are all roots outside the unit circle (stationary, invertible)?"""
    ar, ma, sar, sma = order.split(coefs)
    return all(largest_reflection(part) < 1 for part in (-ar, ma, -sar, sma) if len(part))


def largest_reflection(part: np.ndarray) -> float:
    """Give the largest partial autocorrelation of 1 + c1·B + c2·B² + …; at 1 or more a root is not outside."""
    rest, largest = [float(c) for c in part], 0.0
    while rest:
        last = rest.pop()
        largest = max(largest, abs(last))
        if largest >= 1:
            break
        rest = [(a - last * b) / (1 - last * last) for a, b in zip(rest, rest[::-1], strict=True)]
    return largest


def largest_root(part: np.ndarray) -> float:
    """Give the largest modulus among the inverse roots of 1 + c1·B + c2·B² + …"""
    return float(np.abs(np.roots(np.concatenate([_ONE, part]))).max(initial=0.0))


_ONE = np.ones(1)


def first_state_response(ma: np.ndarray, n: int, r: int) -> np.ndarray:
    """Give what each number of the first state adds to the residuals, (T0, r), as long as it is felt."""
    response, asked = _ONE, 64
    while len(ma) > 1:
        impulse = np.zeros(min(asked, n))
        impulse[0] = 1.0
        response = lfilter(_ONE, ma, impulse)
        if asked >= n or np.abs(response[1 - len(ma) :]).max() < SETTLED:
            break
        asked *= 4
    rows = min(n, len(response) + r)
    g = np.zeros((rows, r))
    for j in range(min(r, rows)):
        g[j : j + len(response), j] = response[: rows - j]
    return g


def _state_covariance(ar: np.ndarray, ma: np.ndarray, r: int) -> np.ndarray:
    """Solve S = A·S·A' + k·k', the covariance of the stationary state in units of the variance, by doubling."""
    k = np.zeros(r)
    k[: len(ar) - 1] -= ar[1:]
    k[: len(ma) - 1] += ma[1:]
    a = np.eye(r, k=1)
    a[: len(ar) - 1, 0] = -ar[1:]
    covariance = np.outer(k, k)
    for _ in range(50):  # after i rounds 2^i terms of the sum are in
        covariance = covariance + a @ covariance @ a.T
        a = a @ a
        if np.abs(a).max() < 1e-9:
            break
    return covariance


def _polynomial(coefs: np.ndarray, lag: int) -> np.ndarray:
    if not len(coefs):
        return _ONE
    polynomial = np.zeros(len(coefs) * lag + 1)
    polynomial[0] = 1.0
    polynomial[lag::lag] = coefs
    return polynomial
