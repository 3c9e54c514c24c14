"""statsmodels' state space: the likelihood where rows are missing, and forecasts from every cutoff in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from forecast.models.arima.likelihood import Order
from forecast.models.arima.search import Found

TINY = 1e-8  # a variance


def state_space(order: Order, y: np.ndarray, x: np.ndarray | None = None, concentrate: bool = False) -> Any:
    """Make statsmodels' model of rows (T,) that may have gaps; its last parameter is the variance, unless taken out."""
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    orders = {"order": (order.p, order.d, order.q), "seasonal_order": (order.P, order.D, order.Q, order.m)}
    x = x if x is not None and x.shape[1] else None
    model = SARIMAX(y, exog=x, **orders, trend="n", concentrate_scale=concentrate)
    if not order.lost:  # statsmodels takes a covariance for settled, which costs digits, unless there is a regression
        model.ssm.tolerance = 0.0
    return model


def search_with_gaps(found: Found, y: np.ndarray, x: np.ndarray) -> Found:
    """Search on with the Kalman filter, which leaves missing rows out, from the summit found on filled rows."""
    offset = y[np.flatnonzero(~np.isnan(y))[0]] if found.order.lost else 0.0
    model = state_space(found.order, y - offset, x, concentrate=True)
    here = np.concatenate([found.beta, found.coefs])
    if not len(here):
        result = model.filter([])
        return Found(found.order, found.coefs, found.beta, float(result.scale), float(result.llf), True, result.aicc)
    starts = [here, np.concatenate([found.beta, np.zeros_like(found.coefs)])]
    results = [model.fit(start_params=start, cov_type="none", disp=0) for start in starts]
    best = max(results, key=lambda each: each.llf)
    beta, coefs = np.split(np.asarray(best.params, dtype=np.float64), [len(found.beta)])
    converged = bool(best.mle_retvals["converged"])
    return Found(found.order, coefs, beta, float(best.scale), float(best.llf), converged, float(best.aicc))


def roll(
    order: Order, coefs: np.ndarray, variance: float, y: np.ndarray, rows: np.ndarray, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Filter a series without regression (T,) once and read mean and variance of H steps behind each row, (K, H) each.

    The predicted state after row t holds all that rows up to t say; a forecast is that state moved on, as a refilter
    of the rows up to t would give it. Sums run state by state, so that a cutoff's bytes do not depend on how many
    cutoffs are asked for.
    """
    known = np.flatnonzero(~np.isnan(y))
    offset = float(y[known[0]]) if order.lost and len(known) else 0.0  # the model's differences do not see it
    # Beside statsmodels' diffuse 1e6 a tiny variance is lost in rounding: then everything is in units of its root.
    unit = np.sqrt(variance) if variance < TINY else 1.0
    model = state_space(order, np.append((y - offset) / unit, np.nan))
    with threadpool_limits(1, user_api="blas"):
        model.update(np.append(coefs, variance / unit**2))
        filtered = model.ssm.filter()
        state = filtered.predicted_state[:, rows + 1]  # (m, K)
        cov = filtered.predicted_state_cov[:, :, rows + 1]  # (m, m, K)
        mean, spread = _ahead(model.ssm, state, cov, horizon)
    return mean * unit + offset, spread * unit**2


def _ahead(ssm: Any, state: np.ndarray, cov: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Move predicted states on: mean and variance of the observation 1 … H rows ahead, (K, H) each."""
    transition = ssm["transition"]  # (m, m); nothing changes with time
    noise = ssm["selection"] @ ssm["state_cov"] @ ssm["selection"].T
    weights = ssm["design"][0]  # (m,) what the observation k rows ahead takes from the state
    added = 0.0  # variance of the shocks in between
    means, variances = [], []
    for _ in range(horizon):
        mean, variance = np.zeros(state.shape[1]), np.full(state.shape[1], added)
        for i in np.flatnonzero(weights):
            mean = mean + weights[i] * state[i]
            for j in np.flatnonzero(weights[: i + 1]):
                twice = 1.0 if i == j else 2.0
                variance = variance + twice * weights[i] * weights[j] * cov[i, j]
        means.append(mean)
        variances.append(np.maximum(variance, 0.0))  # rounding, where there is next to none
        added += float(weights @ noise @ weights)
        weights = weights @ transition
    return np.stack(means, axis=1), np.stack(variances, axis=1)
