"""Models of variance series: the regressions and recursions that a volatility forecast has to beat.

They read a series of variances (realised variance, squared returns, or one computed from a day's range) and forecast
its mean, which is optimal under squared error and QLIKE; `point="median"` forecasts the median instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.signal import lfilter

from forecast._validation import check_int, check_number
from forecast.data.panel import Panel, format_date
from forecast.features.scaling import standardise
from forecast.features.windows import forward_fill, future_windows, sum_rows
from forecast.models.base import (
    LEVELS,
    Forecast,
    Forecaster,
    choose_log,
    error_quantiles,
    from_logs,
    transform,
    warn_of_unseen_steps,
)


class _Volatility(Forecaster):
    """A forecast of the conditional mean; the errors in training, most often ratios to it, give the quantiles by step.

    A subclass defines `_predict_mean`, and `_fit_mean` if it has parameters. Missing rows are forward-filled.

    Parameters
    ----------
    point : {"mean", "median"}, default "mean"
        The point forecast; the mean is the right one under squared error and QLIKE.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    """

    in_sample_is_valid = True
    log: Any = False

    def __init__(self, point: str = "mean", levels: tuple[float, ...] = LEVELS) -> None:
        self.point = point
        self.levels = levels

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        self.record_ = {"log": self.log_.summary()}
        self.has_ratio_errors_ = self._choose_ratio_errors(panel)
        self._check_signs(panel, self.has_ratio_errors_)
        self._check_constant(panel)
        observed = transform(panel, self.log_)
        y = forward_fill(observed)
        self._fit_mean(y)
        mean = self._predict_mean(y, np.arange(len(panel)), np.arange(len(panel.series)))  # (T, N, H)
        log = self.log_.flags(panel)
        errors = self._errors(future_windows(observed, horizon), mean)
        errors = np.where(panel.observed[:, :, None] & np.isfinite(errors), errors, np.nan)
        warn_of_unseen_steps(~np.isnan(errors).all(axis=0), panel.series)
        quantiles = error_quantiles(errors, (*self.levels, 0.5))
        self.spread_ = quantiles[..., :-1]  # (N, H, Q)
        self.center_ = quantiles[..., -1] if self.point == "median" else self._mean_error(errors, log)  # (N, H)

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        columns = self._fitted_columns(panel)
        ratio, log = self.has_ratio_errors_[columns], self.log_.flags(panel)
        self._check_signs(panel, ratio)
        mean = self._predict_mean(forward_fill(transform(panel, self.log_)), rows, columns)
        point = np.where(ratio[:, None], mean * self.center_[columns], mean + self.center_[columns])
        spread, mean = self.spread_[columns], mean[..., None]
        quantiles = np.where(ratio[:, None, None], mean * spread, mean + spread)
        point, quantiles = from_logs(point, log), from_logs(quantiles, log)
        return Forecast(point, quantiles, tuple(self.levels), panel.series, panel.index[rows])

    def _choose_ratio_errors(self, panel: Panel) -> np.ndarray:
        """Return for each series, (N,), whether errors are ratios to the forecast rather than differences from it."""
        return np.ones(len(panel.series), dtype=bool)

    def _errors(self, y: np.ndarray, mean: np.ndarray) -> np.ndarray:
        ratios = np.divide(y, mean, out=np.full_like(y, np.nan), where=mean > 0)
        return np.where(self.has_ratio_errors_[:, None], ratios, y - mean)

    def _mean_error(self, errors: np.ndarray, log: np.ndarray) -> np.ndarray:
        """Return the error (N, H) that turns the forecast into a mean, from errors (T, N, H)."""
        neutral = np.repeat(np.where(self.has_ratio_errors_, 1.0, 0.0)[:, None], errors.shape[2], axis=1)
        known = ~np.isnan(errors) & log[:, None]  # a regression of logs forecasts less than the mean (Duan, 1983)
        total = sum_rows(np.where(known, np.exp(np.where(known, errors, 0.0)), 0.0))
        return np.where(log[:, None], np.log(total / np.where(known.any(axis=0), known.sum(axis=0), np.nan)), neutral)

    def _check_signs(self, panel: Panel, ratio: np.ndarray) -> None:
        """Raise ValueError if errors are ratios (N,) and a value is negative, so that it cannot be a variance."""
        negative = panel.observed & ratio & (np.where(panel.observed, panel.target, 0.0) < 0)
        if negative.any():
            row, n = np.argwhere(negative)[0]
            raise ValueError(
                f"{panel.series[n]} is {panel.target[row, n]:g} at {format_date(panel.index[row])}: "
                f"{type(self).__name__} models variances, which are not below 0; use squared returns or a range "
                "(see parkinson)"
            )

    def _check_constant(self, panel: Panel) -> None:
        """Raise ValueError if errors are ratios and a series that is long enough to be fitted is 0 on every row."""
        long = panel.count_observed() >= self.min_rows(self.horizon_)
        zero = self.has_ratio_errors_ & long & ~(np.nan_to_num(panel.target) > 0).any(axis=0)
        if zero.any():
            raise ValueError(f"{panel.series[np.argmax(zero)]} is 0 on every row and never changes: leave it out")

    def _fit_mean(self, y: np.ndarray) -> None:
        """Estimate the parameters of the conditional mean from the forward-filled training rows (T, N)."""

    def _predict_mean(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the conditional mean of each step, (K, N, H), from each of K rows of y (T, N)."""
        raise NotImplementedError


@dataclass(eq=False, repr=False)
class HAR(_Volatility):
    """Heterogeneous autoregression: the next variances from the means of the last day, week and month (Corsi, 2009).

    One least-squares regression for each series and step on the means of the last `lags` rows. If it forecasts 0 or
    less for a series that was never below 0, the smallest variance of the training rows replaces the forecast. `log`
    regresses logs; the mean is then Duan's. The quantiles are those of its errors in training as ratios to the forecast
    (of log variances, which may be below 0, as differences). Missing rows are forward-filled.

    Parameters
    ----------
    lags : tuple of int, default (1, 5, 22)
        Rows of each mean.
    log : bool, default False
        Whether to regress logs.
    point : {"mean", "median"}, default "mean"
        The point forecast.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    """

    lags: tuple[int, ...] = (1, 5, 22)
    log: bool | str = False
    point: str = "mean"
    levels: tuple[float, ...] = LEVELS

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        if not isinstance(self.lags, (tuple, list)) or not self.lags:
            raise TypeError(f"lags must be numbers of rows, such as (1, 5, 22); got {self.lags!r}")
        for lag in self.lags:
            check_int("each of lags", lag, 1)

    @property
    def nests_naive(self) -> bool:
        """Whether it is naive for some coefficients: all weight on the newest value."""
        return 1 in self.lags

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs: the longest mean, and ten for each coefficient."""
        return max(self.lags) + horizon + 10 * (len(self.lags) + 1)

    def _choose_ratio_errors(self, panel: Panel) -> np.ndarray:
        not_negative = (np.where(panel.observed, panel.target, 0.0) >= 0).all(axis=0)
        return ~self.log_.flags(panel) & not_negative

    def _fit_mean(self, y: np.ndarray) -> None:
        x, target = self._regressors(y), future_windows(y, self.horizon_)
        self.minimum_ = np.nanmin(np.where(y > 0, y, np.inf), axis=0)  # (N,)
        n, h = y.shape[1], self.horizon_
        self.coefs_ = np.full((n, h, 1 + len(self.lags)), np.nan)
        known = ~np.isnan(y)
        size = sum_rows(np.abs(np.where(known, y, 0.0))) / np.maximum(known.sum(axis=0), 1)  # (N,)
        for i in range(n):
            scale = np.array([size[i] or 1.0, *[1.0] * len(self.lags)])  # of the constant and of the slopes
            for k in range(h):
                rows = ~np.isnan(x[:, i]).any(axis=1) & ~np.isnan(target[:, i, k])
                if rows.sum() > 1 + len(self.lags):
                    self.coefs_[i, k] = np.linalg.lstsq(x[rows, i] * scale, target[rows, i, k], rcond=None)[0] * scale
        self.record_["coefs"] = self.coefs_[:, 0].round(6).tolist()

    def _predict_mean(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        mean = (self._regressors(y)[rows][:, :, None] * self.coefs_[columns]).sum(axis=-1)  # (K, N, H)
        ratio = self.has_ratio_errors_[columns][:, None]
        return np.where((mean <= 0) & ratio, self.minimum_[columns][:, None], mean)

    def _regressors(self, y: np.ndarray) -> np.ndarray:
        """Return a one and the means of the last rows, (T, N, 1 + lags); NaN before a mean is complete."""
        x = np.full((*y.shape, 1 + len(self.lags)), np.nan)
        x[..., 0] = 1.0
        for c, lag in enumerate(self.lags, start=1):
            if lag <= len(y):
                x[lag - 1 :, :, c] = sum(y[lag - 1 - i : len(y) - i] for i in range(lag)) / lag
        return x


class EWMA(_Volatility):
    """The exponentially weighted mean of past variances, at every step: RiskMetrics (J. P. Morgan, 1996).

    `decay` is the weight of yesterday's mean. The quantiles are those of the ratios to it in training.

    Parameters
    ----------
    decay : float, default 0.94
        Weight of the mean of the row before.
    point : {"mean", "median"}, default "mean"
        The point forecast.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    """

    def __init__(self, decay: float = 0.94, point: str = "mean", levels: tuple[float, ...] = LEVELS) -> None:
        super().__init__(point, levels)
        self.decay = decay

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        check_number("decay", self.decay, 0.0, 1.0)

    def _predict_mean(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        means = np.full_like(y, np.nan)
        for n, series in enumerate(y.T):
            observed = np.flatnonzero(~np.isnan(series))
            if len(observed):
                first = observed[0]
                means[first:, n] = _recursion(1 - self.decay, self.decay, series[first:], series[first])
        return np.repeat(means[rows][:, :, None], self.horizon_, axis=2)


class GARCH(_Volatility):
    """GARCH(1,1), variance that clusters and reverts to its mean (Bollerslev, 1986), fitted by arch.

    It reads variances, not returns: with a mean of zero the Gaussian likelihood depends on returns through their
    squares only, so that fitted to squared returns this is GARCH(1,1), and fitted to realised or range variances the
    multiplicative error model of Engle and Gallo (2006). The quantiles are those of the ratios to the forecast in
    training.
    """

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs: fifty, and the horizon."""
        return 50 + horizon

    def _fit_mean(self, y: np.ndarray) -> None:
        self.params_ = np.full((y.shape[1], 4), np.nan)  # omega, alpha, beta, and the first conditional variance
        for n, series in enumerate(y.T):
            observed = series[~np.isnan(series)]
            if len(observed) >= self.min_rows(self.horizon_):
                self.params_[n] = _fit_garch(observed) if np.ptp(observed) > 0 else (0.0, 1.0, 0.0, observed[0])
        self.record_["params"] = dict(zip(self.series_, self.params_[:, :3].tolist(), strict=True))

    def _predict_mean(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        mean = np.full((len(rows), y.shape[1], self.horizon_), np.nan)
        for n, column in enumerate(columns):
            omega, alpha, beta, first_variance = self.params_[column]
            observed = np.flatnonzero(~np.isnan(y[:, n]))
            if not len(observed):
                continue
            first = observed[0]
            started = rows >= first
            variance = _recursion(alpha, beta, y[first:, n], first_variance, omega)[rows[started] - first]
            for k in range(self.horizon_):
                mean[started, n, k] = variance
                variance = omega + (alpha + beta) * variance
        return mean


def _fit_garch(variance: np.ndarray) -> tuple[float, float, float, float]:
    """Return omega, alpha, beta and the first conditional variance of a GARCH(1,1)."""
    from arch import arch_model

    scale = float(variance.mean())  # arch's optimiser works best on variances near 1
    returns = np.sqrt(standardise(variance, 0.0, scale))
    model = arch_model(returns, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
    fit = model.fit(disp="off", show_warning=True)
    omega, alpha, beta = (float(value) for value in fit.params)
    first = omega + (alpha + beta) * float(model.volatility.backcast(returns))
    return omega * scale, alpha, beta, first * scale


def _recursion(alpha: float, beta: float, y: np.ndarray, first: float, omega: float = 0.0) -> np.ndarray:
    """Return s[1:] of s[t + 1] = omega + alpha · y[t] + beta · s[t], s[0] = first: the mean forecast at each row."""
    return lfilter([1.0], [1.0, -beta], omega + alpha * y, zi=[beta * first])[0]
