"""Models of variance series: the regressions and recursions that a volatility forecast has to beat.

They read a series of variances (realised variance, squared returns, or one made of a day's range) and forecast its
mean, which is what a loss on variances asks for; `point="median"` gives the median instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import lfilter

from forecast._validation import check_int, check_number
from forecast.data.panel import Panel, format_date
from forecast.features.windows import forward_fill, future_windows
from forecast.models.base import LEVELS, Forecast, Forecaster, choose_log, error_quantiles, transform


class _Volatility(Forecaster):
    """Expects a mean; what happened in training, beside what was expected, gives the quantiles, step by step."""

    in_sample_is_valid = True
    point: Any
    levels: Any

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(getattr(self, "log", False), panel)
        self.record_ = {"log": self.log_}
        self.ratio_ = self._multiplies(panel)  # are errors ratios to what was expected, rather than differences?
        self._check(panel)
        self._check_moves(panel)
        observed = transform(panel, self.log_)
        y = forward_fill(observed)
        self._learn(y)
        expected = self._expected(y, np.arange(len(panel)), np.arange(len(panel.series)))  # (T, N, H)
        errors = self._apart(future_windows(observed, horizon), expected)
        errors = np.where(panel.observed[:, :, None] & np.isfinite(errors), errors, np.nan)
        quantiles = error_quantiles(errors, (*self.levels, 0.5), panel.series)
        self.spread_ = quantiles[..., :-1]  # (N, H, Q)
        self.middle_ = quantiles[..., -1] if self.point == "median" else self._mean(errors)  # (N, H)

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        columns = self._fitted_columns(panel)
        self._check(panel)
        expected = self._expected(forward_fill(transform(panel, self.log_)), rows, columns)
        point = self._together(expected, self.middle_[columns])
        quantiles = self._together(expected[..., None], self.spread_[columns])
        return Forecast(
            point=np.exp(point) if self.log_ else point,
            quantiles=np.exp(quantiles) if self.log_ else quantiles,
            levels=tuple(self.levels),
            series=panel.series,
            cutoffs=panel.index[rows],
        )

    def _mean(self, errors: np.ndarray) -> np.ndarray:
        """Say which error, of (T, N, H), is to be added for the mean, (N, H)."""
        if self.log_:  # a regression of logs expects less than the mean (Duan, 1983)
            known = ~np.isnan(errors)
            total = np.where(known, np.exp(np.where(known, errors, 0.0)), 0.0).sum(axis=0)
            return np.log(total / np.where(known.any(axis=0), known.sum(axis=0), np.nan))
        return np.full(errors.shape[1:], 1.0 if self.ratio_ else 0.0)

    def _multiplies(self, panel: Panel) -> bool:
        return True

    def _apart(self, y: np.ndarray, expected: np.ndarray) -> np.ndarray:
        if not self.ratio_:
            return y - expected
        return np.divide(y, expected, out=np.full_like(y, np.nan), where=expected > 0)

    def _together(self, expected: np.ndarray, error: np.ndarray) -> np.ndarray:
        return expected * error if self.ratio_ else expected + error

    def _check(self, panel: Panel) -> None:
        """Raise if values cannot be variances, where errors are ratios."""
        below = panel.observed & (np.where(panel.observed, panel.target, 0.0) < 0)
        if self.ratio_ and below.any():
            row, n = np.argwhere(below)[0]
            raise ValueError(
                f"{panel.series[n]} is {panel.target[row, n]:g} at {format_date(panel.index[row])}: {type(self).__name__} "
                "models variances, which are not below 0; give it squared returns or a range (see parkinson)"
            )

    def _check_moves(self, panel: Panel) -> None:
        """Raise if a series that is to be fitted holds nothing but zeros."""
        rows = panel.observed.sum(axis=0) >= self.min_rows(self.horizon_)
        still = self.ratio_ & rows & ~(np.nan_to_num(panel.target) > 0).any(axis=0)
        if still.any():
            raise ValueError(f"{panel.series[np.argmax(still)]} is 0 on every row and never changes: leave it out")

    def _learn(self, y: np.ndarray) -> None:
        """Take what the model needs from the training rows (T, N)."""

    def _expected(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class HAR(_Volatility):
    """Tomorrow's variance from the means of the last day, week and month: the standard to beat (Corsi, 2009).

    One regression by least squares for each series and step, on the means of the last `lags` rows. Where it says 0 or
    less of a series that never was below 0, the smallest variance of the training rows stands instead. `log` regresses
    logs; the mean is then Duan's. Quantiles are those of its own errors in training, ratios to the forecast (log
    variances may be below 0: then differences). Missing rows carry the last value.
    """

    def __init__(
        self,
        lags: tuple[int, ...] = (1, 5, 22),
        log: bool | str = False,
        point: str = "mean",
        levels: tuple[float, ...] = LEVELS,
    ) -> None:
        self.lags = lags
        self.log = log
        self.point = point
        self.levels = levels

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        if not isinstance(self.lags, (tuple, list)) or not self.lags:
            raise TypeError(f"lags must be numbers of rows, such as (1, 5, 22); got {self.lags!r}")
        for lag in self.lags:
            check_int("each of lags", lag, 1)

    @property
    def nests_naive(self) -> bool:
        """All weight on the newest value."""
        return 1 in self.lags

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: the longest mean, and ten for each coefficient."""
        return max(self.lags) + horizon + 10 * (len(self.lags) + 1)

    def _learn(self, y: np.ndarray) -> None:
        x, target = self._means(y), future_windows(y, self.horizon_)
        self.least_ = np.nanmin(np.where(y > 0, y, np.inf), axis=0)  # (N,)
        n, h = y.shape[1], self.horizon_
        self.coefs_ = np.full((n, h, 1 + len(self.lags)), np.nan)
        for i in range(n):
            for k in range(h):
                rows = ~np.isnan(x[:, i]).any(axis=1) & ~np.isnan(target[:, i, k])
                if rows.sum() > 1 + len(self.lags):
                    self.coefs_[i, k] = np.linalg.lstsq(x[rows, i], target[rows, i, k], rcond=None)[0]
        self.record_["coefs"] = self.coefs_[:, 0].round(6).tolist()

    def _expected(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        said = np.einsum("knc,nhc->knh", self._means(y)[rows], self.coefs_[columns])
        return np.where((said <= 0) & self.ratio_, self.least_[columns][:, None], said)

    def _multiplies(self, panel: Panel) -> bool:
        return not self.log_ and bool((panel.target[panel.observed] >= 0).all())

    def _means(self, y: np.ndarray) -> np.ndarray:
        """Give one and the means of the last rows, (T, N, 1 + lags); NaN before there are so many."""
        x = np.full((*y.shape, 1 + len(self.lags)), np.nan)
        x[..., 0] = 1.0
        for c, lag in enumerate(self.lags, start=1):
            if lag <= len(y):
                x[lag - 1 :, :, c] = np.lib.stride_tricks.sliding_window_view(y, lag, axis=0).mean(axis=-1)
        return x


class EWMA(_Volatility):
    """The exponentially weighted mean of past variances, at every step: RiskMetrics (J. P. Morgan, 1996).

    `decay` is the weight of yesterday's mean. Quantiles are those of the ratios to it in training.
    """

    def __init__(self, decay: float = 0.94, point: str = "mean", levels: tuple[float, ...] = LEVELS) -> None:
        self.decay = decay
        self.point = point
        self.levels = levels

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_number("decay", self.decay, 0.0, 1.0)

    def _expected(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        means = np.full_like(y, np.nan)
        for n, series in enumerate(y.T):
            known = np.flatnonzero(~np.isnan(series))
            if len(known):
                means[known[0] :, n] = _recursion(1 - self.decay, self.decay, series[known[0] :], series[known[0]])
        return np.repeat(means[rows][:, :, None], self.horizon_, axis=2)


class GARCH(_Volatility):
    """Variance that clusters and comes back to its mean: GARCH(1,1) (Bollerslev, 1986), fitted by arch.

    Reads variances, not returns: with a mean of zero the Gaussian likelihood knows returns by their squares alone, so
    fitted to squared returns this is GARCH(1,1), and to realised or range variances the multiplicative error model of
    Engle and Gallo (2006). Quantiles are those of the ratios to the forecast in training.
    """

    def __init__(self, point: str = "mean", levels: tuple[float, ...] = LEVELS) -> None:
        self.point = point
        self.levels = levels

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs."""
        return 50 + horizon

    def _learn(self, y: np.ndarray) -> None:
        self.params_ = np.full((y.shape[1], 4), np.nan)  # omega, alpha, beta, and the first variance expected
        for n, series in enumerate(y.T):
            known = series[~np.isnan(series)]
            if len(known) >= self.min_rows(self.horizon_):
                self.params_[n] = _fit_garch(known) if np.ptp(known) > 0 else (0.0, 1.0, 0.0, known[0])
        self.record_["params"] = dict(zip(self.series_, self.params_[:, :3].tolist(), strict=True))

    def _expected(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        expected = np.full((len(rows), y.shape[1], self.horizon_), np.nan)
        for n, column in enumerate(columns):
            omega, alpha, beta, first = self.params_[column]
            known = np.flatnonzero(~np.isnan(y[:, n]))
            if not len(known):
                continue
            can = rows >= known[0]
            variance = _recursion(alpha, beta, y[known[0] :, n], first, omega)[rows[can] - known[0]]
            for k in range(self.horizon_):
                expected[can, n, k] = variance
                variance = omega + (alpha + beta) * variance
        return expected


def _fit_garch(variance: np.ndarray) -> tuple[float, float, float, float]:
    from arch import arch_model

    scale = float(variance.mean())  # near 1 the optimiser is at home
    model = arch_model(np.sqrt(variance / scale), mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
    fit = model.fit(disp="off", show_warning=True)
    omega, alpha, beta = (float(value) for value in fit.params)
    first = omega + (alpha + beta) * float(model.volatility.backcast(np.sqrt(variance / scale)))
    return omega * scale, alpha, beta, first * scale


def _recursion(alpha: float, beta: float, y: np.ndarray, first: float, omega: float = 0.0) -> np.ndarray:
    """Give what is expected after each row: s[t + 1] = omega + alpha · y[t] + beta · s[t], with s[0] = first."""
    return lfilter([1.0], [1.0, -beta], omega + alpha * y, zi=[beta * first])[0]
