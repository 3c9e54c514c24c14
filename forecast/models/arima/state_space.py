"""statsmodels' state space: the likelihood where rows are missing, and forecasts from every cutoff in one pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from forecast.models.arima.likelihood import Order
from forecast.models.arima.search import SearchResult

SMALL_VARIANCE = 1e-8  # below it the series is rescaled


@dataclass(frozen=True)
class SeriesFit:
    """The fit of one series: enough to filter any later history with frozen parameters."""

    order: Order
    coefs: np.ndarray  # ar, ma, seasonal ar, seasonal ma
    beta: np.ndarray  # of the trend and the channels
    variance: float  # of the innovations
    start: Any  # label of the first row of the fit, from which the trend counts


def make_state_space(order: Order, y: np.ndarray, x: np.ndarray | None = None, concentrate: bool = False) -> Any:
    """Return statsmodels' model of rows (T,) that may have gaps.

    Its last parameter is the variance, unless `concentrate` takes the variance out of the likelihood.
    """
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    orders = {"order": (order.p, order.d, order.q), "seasonal_order": (order.P, order.D, order.Q, order.m)}
    x = x if x is not None and x.shape[1] else None
    model = SARIMAX(y, exog=x, **orders, trend="n", concentrate_scale=concentrate)
    if not order.n_lost:  # without a regression statsmodels stops updating a nearly converged covariance: lost digits
        model.ssm.tolerance = 0.0
    return model


def search_with_gaps(found: SearchResult, y: np.ndarray, x: np.ndarray) -> SearchResult:
    """Continue a search with the Kalman filter, which skips missing rows, from the result on interpolated rows."""
    offset = y[np.flatnonzero(~np.isnan(y))[0]] if found.order.n_lost else 0.0
    model = make_state_space(found.order, y - offset, x, concentrate=True)
    start = np.concatenate([found.beta, found.coefs])
    if not len(start):
        fit = model.filter([])
        return replace(found, variance=float(fit.scale), loglike=float(fit.llf), converged=True, aicc=fit.aicc)
    starts = [start, np.concatenate([found.beta, np.zeros_like(found.coefs)])]
    fits = [model.fit(start_params=params, cov_type="none", disp=0) for params in starts]
    best = max(fits, key=lambda fit: fit.llf)
    beta, coefs = np.split(np.asarray(best.params, dtype=np.float64), [len(found.beta)])
    converged = bool(best.mle_retvals["converged"])
    return SearchResult(found.order, coefs, beta, float(best.scale), float(best.llf), converged, float(best.aicc))


def forecast_from_rows(fit: SeriesFit, y: np.ndarray, rows: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Forecast regression errors (T,) from each row after one filter pass: mean and variance, (K, H) each.

    The predicted state after row t depends on the rows up to t only; the forecast propagates that state, and equals
    that of filtering the rows up to t alone. Sums run state by state, so that the bytes of one cutoff's forecast do
    not depend on the number of cutoffs.
    """
    order, variance = fit.order, fit.variance
    observed = np.flatnonzero(~np.isnan(y))
    offset = float(y[observed[0]]) if order.n_lost and len(observed) else 0.0  # differencing removes it
    # Next to statsmodels' diffuse initial variance of 1e6 a tiny variance is lost in rounding: the series is then
    # measured in standard deviations.
    scale = np.sqrt(variance) if variance < SMALL_VARIANCE else 1.0
    model = make_state_space(order, np.append((y - offset) / scale, np.nan))
    with threadpool_limits(1, user_api="blas"):
        model.update(np.append(fit.coefs, variance / scale**2))
        filtered = model.ssm.filter()
        state = filtered.predicted_state[:, rows + 1]  # (m, K)
        cov = filtered.predicted_state_cov[:, :, rows + 1]  # (m, m, K)
        means, variances = _propagate(model.ssm, state, cov, horizon)
    return means * scale + offset, variances * scale**2


def _propagate(ssm: Any, state: np.ndarray, cov: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Propagate predicted states: mean and variance of the observations 1 … H steps later, (K, H) each."""
    transition = ssm["transition"]  # (m, m), constant over time
    noise = ssm["selection"] @ ssm["state_cov"] @ ssm["selection"].T
    weights = ssm["design"][0]  # (m,) of the state in the observation k steps later
    shock_variance = 0.0  # of the shocks in between
    means, variances = [], []
    for _ in range(horizon):
        mean, variance = np.zeros(state.shape[1]), np.full(state.shape[1], shock_variance)
        for i in np.flatnonzero(weights):
            mean = mean + weights[i] * state[i]
            for j in np.flatnonzero(weights[: i + 1]):
                multiplicity = 1.0 if i == j else 2.0
                variance = variance + multiplicity * weights[i] * weights[j] * cov[i, j]
        means.append(mean)
        variances.append(np.maximum(variance, 0.0))  # rounding can make a tiny one negative
        shock_variance += float(weights @ noise @ weights)
        weights = weights @ transition
    return np.stack(means, axis=1), np.stack(variances, axis=1)
