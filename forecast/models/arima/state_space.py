"""statsmodels' state space: the likelihood where rows are missing, and forecasts from every cutoff in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast._threads import one_thread
from forecast.models.arima.likelihood import Likelihood, Order, concentrate
from forecast.models.arima.search import Sample, SearchResult, maximise

DIFFUSE = 1e-8  # variance of the diffuse part above which a row only determines the start


@dataclass(frozen=True)
class SeriesFit:
    """The fit of one series: enough to filter any later history with frozen parameters."""

    order: Order
    coefs: np.ndarray  # ar, ma, seasonal ar, seasonal ma
    beta: np.ndarray  # of the trend and the channels
    variance: float  # of the innovations
    start: Any  # label of the first row of the fit, from which the trend counts
    spread: np.ndarray  # distribution of the innovations, see intervals.py


def make_state_space(order: Order, y: np.ndarray, x: np.ndarray | None = None) -> Any:
    """Return statsmodels' model of rows (T,) that may have gaps; its last parameter is the variance.

    The start is exactly diffuse: with statsmodels' approximation, a variance of 1e6, forecasts would depend on the
    unit of the series.
    """
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    orders = {"order": (order.p, order.d, order.q), "seasonal_order": (order.P, order.D, order.Q, order.m)}
    x = x if x is not None and x.shape[1] else None
    model = SARIMAX(y, exog=x, **orders, trend="n", use_exact_diffuse=True)
    if not order.n_lost:  # without a regression statsmodels stops updating a nearly converged covariance: lost digits
        model.ssm.tolerance = 0.0
    return model


def search_with_gaps(found: SearchResult, y: np.ndarray, x: np.ndarray, sample: Sample) -> SearchResult:
    """Continue a search with the Kalman filter, which skips missing rows, from the result on interpolated rows.

    `sample` is that of the interpolated rows.
    """
    order = found.order
    models = [make_state_space(order, np.where(np.isnan(y), np.nan, column)) for column in (y, *x.T)]

    def likelihood(coefs: np.ndarray) -> tuple[Likelihood, int]:
        return likelihood_with_gaps(models, coefs)

    maxima = [(found.coefs, True)]
    if order.n_coefs:
        starts = [found.coefs, np.zeros_like(found.coefs)]
        maxima = [maximise(order, coefs, sample, lambda c: likelihood(c)[0].loglike) for coefs in starts]
    (best, n), coefs, converged = max(
        ((likelihood(coefs), coefs, converged) for coefs, converged in maxima), key=lambda result: result[0][0].loglike
    )
    return SearchResult(order, coefs, best.beta, best.variance, best.loglike, n, converged)


def likelihood_with_gaps(models: list[Any], coefs: np.ndarray) -> tuple[Likelihood, int]:
    """Compute the exact likelihood of a series with gaps, and the number of rows that enter it.

    `models` are the state spaces of the series and of its regressors, each with the same gaps. The rows that determine
    the diffuse start do not enter, as with differences.
    """
    innovations = []
    for model in models:
        model.update(np.append(coefs, 1.0))
        filtered = model.ssm.filter()
        innovations.append(filtered.forecasts_error[0])
    variance, start = filtered.forecasts_error_cov[0, 0], filtered.nobs_diffuse
    used = ~np.isnan(innovations[0]) & (variance > 0)
    if start:
        used[:start] &= filtered.forecasts_error_diffuse_cov[0, 0, :start] < DIFFUSE
    e = np.stack(innovations)[:, used] / np.sqrt(variance[used])
    n = int(used.sum())
    return concentrate(e @ e.T, float(np.log(variance[used]).sum()), n), n


def forecast_from_rows(fit: SeriesFit, y: np.ndarray, rows: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Forecast regression errors (T,) from each row after one filter pass: mean and variance, (K, H) each.

    The predicted state after row t depends on the rows up to t only; the forecast propagates that state, and equals
    that of filtering the rows up to t alone. Sums run state by state, so that the bytes of one cutoff's forecast do
    not depend on the number of cutoffs.
    """
    with one_thread("blas"):
        ssm, filtered, offset = _filter(fit, np.append(y, np.nan))
        state = filtered.predicted_state[:, rows + 1]  # (m, K)
        cov = filtered.predicted_state_cov[:, :, rows + 1]  # (m, m, K)
        means, variances = _propagate(ssm, state, cov, horizon)
    return means * np.sqrt(fit.variance) + offset, variances * fit.variance


def innovations(fit: SeriesFit, y: np.ndarray) -> np.ndarray:
    """Return the standardised innovations of regression errors (T,), NaN on missing rows and in the diffuse start."""
    with one_thread("blas"):
        _, filtered, _ = _filter(fit, y)
    lost = np.isnan(y)
    lost[: filtered.nobs_diffuse] = True
    variance = np.where(lost, 1.0, filtered.forecasts_error_cov[0, 0])
    return np.where(lost, np.nan, filtered.forecasts_error[0] / np.sqrt(variance))


def _filter(fit: SeriesFit, y: np.ndarray) -> tuple[Any, Any, float]:
    """Filter regression errors (T,) in standard deviations of the innovations: state space, result, offset of y."""
    observed = np.flatnonzero(~np.isnan(y))
    offset = float(y[observed[0]]) if fit.order.n_lost and len(observed) else 0.0  # differencing removes it
    model = make_state_space(fit.order, (y - offset) / np.sqrt(fit.variance))
    model.update(np.append(fit.coefs, 1.0))
    return model.ssm, model.ssm.filter(), offset


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
