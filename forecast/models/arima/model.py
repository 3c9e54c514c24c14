"""ARIMA as a forecaster: coefficients searched for each series, forecasts from every cutoff in one filter pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from forecast._threads import one_thread
from forecast._validation import check_choice, check_fields, check_int
from forecast._warnings import warn
from forecast.data.panel import Panel, Prices, format_date
from forecast.features.windows import forward_fill
from forecast.models.arima.intervals import NORMAL, measure_spread, recent_scale, standard_quantiles
from forecast.models.arima.likelihood import Order
from forecast.models.arima.order import moves_in_levels, select_order
from forecast.models.arima.regressors import TRENDS, Regressors, make_regressors
from forecast.models.arima.search import SearchResult, make_sample, make_standard, search
from forecast.models.arima.state_space import (
    SeriesFit,
    forecast_from_rows,
    innovations,
    make_state_space,
    search_with_gaps,
)
from forecast.models.base import (
    LEVELS,
    Forecast,
    Forecaster,
    LogChoice,
    ShortSeriesWarning,
    choose_log,
    from_logs,
    transform,
)

CONSTANT_VARIANCE = 1e-30  # innovation variance of a series that never changes


@dataclass(eq=False, repr=False)
class ARIMA(Forecaster):
    """(Seasonal) ARIMA by exact maximum likelihood, fitted to each series on its own.

    Each value is explained by its own past changes and past shocks (Box and Jenkins, 1970), with a trend, and
    lagged or known channels as optional regressors.

    Parameters
    ----------
    order : (int, int, int) or "auto", default (1, 1, 1)
        (p, d, q): the numbers of autoregressive terms, differences and moving-average terms. "auto" selects the
        differences by tests and the other numbers stepwise by AICc (Hyndman and Khandakar, 2008).
    seasonal_order : (int, int, int, int) or int, optional
        (P, D, Q, m): the same numbers for the season, and the number of rows in it. With ``order="auto"``, m alone.
    trend : {"n", "c", "t", "ct"}, optional
        No trend, a constant, a linear trend or both. By default a constant if nothing is differenced and no trend
        otherwise; ``order="auto"`` tries models with a constant (or drift) and without.
    log : bool or "auto", default "auto"
        Work in logs. "auto" does on a series whose training prices are all positive; with ``order="auto"`` and at
        most 200 rows, if the random walk in logs, without drift, describes them better than the one in levels.
    exog : tuple of str, default ()
        Fields to regress on. Step k uses their values of k rows before, the newest that are available at the cutoff;
        so there is one model for each step.
    future : tuple of str, default ()
        Fields to regress on of which the rows that are forecast are known as well: step k uses their values of its row.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        Levels of the quantiles.
    point : {"median", "mean"}, default "median"
        The point forecast. In logs the mean is above the median.
    warm_start : bool, default False
        Start a further fit from the order and the coefficients of the last one.

    Notes
    -----
    The exact likelihood is maximised from several starts (Hannan and Rissanen, 1982, among them), and is never below
    that of the model without ARMA terms. Missing rows are left to the Kalman filter. A series that never changes
    forecasts its own value.

    References
    ----------
    Box, G. E. P. and Jenkins, G. M. (1970). Time Series Analysis: Forecasting and Control. Holden-Day.

    Hannan, E. J. and Rissanen, J. (1982). Recursive estimation of mixed autoregressive-moving average order.
    Biometrika 69(1).

    Hyndman, R. J. and Khandakar, Y. (2008). Automatic time series forecasting: the forecast package for R. Journal of
    Statistical Software 27(3).

    Examples
    --------
    >>> prices = fc.load_sample("stocks")["IBM"]
    >>> fc.ARIMA((1, 1, 1)).fit(prices, horizon=5).predict(prices).point.shape
    (1, 1, 5)
    """

    #: Few parameters over many rows: its one frozen fit is as good on training rows as on later ones.
    in_sample_is_valid = True

    order: tuple[int, int, int] | str = (1, 1, 1)
    seasonal_order: tuple[int, int, int, int] | int | None = None
    trend: str | None = None
    log: bool | str = "auto"
    exog: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    levels: tuple[float, ...] = LEVELS
    point: str = "median"
    warm_start: bool = False

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_fields(self.exog)
        check_fields(self.future, "future")
        check_choice("trend", self.trend, (None, *TRENDS))
        if self.order == "auto":
            if self.seasonal_order is not None:
                check_int('seasonal_order (with order="auto", the number of rows in a season)', self.seasonal_order, 1)
            return
        if isinstance(self.order, str):
            raise ValueError(f"order must be three whole numbers (p, d, q) or 'auto'; got {self.order!r}")
        _check_orders("order", self.order, ("p", "d", "q"))
        if self.seasonal_order is not None:
            _check_orders("seasonal_order", self.seasonal_order, ("P", "D", "Q", "m"))
            if self._order().m < 2 and any(self.seasonal_order[:3]):  # type: ignore[index]
                raise ValueError(f"a season has at least 2 rows; got seasonal_order={self.seasonal_order}")
        order = self._order()
        if order.has_overlapping_lags:
            raise ValueError(
                f"{order} has an ordinary term at the lag of a seasonal one: lower p or q, or drop the seasonal term"
            )
        if self.trend in ("c", "ct") and order.n_lost:
            raise ValueError(f"trend={self.trend!r} is lost in differencing ({order}); use 't' for drift")
        if self.trend == "t" and order.d + order.D > 1:
            raise ValueError(f"trend='t' is lost in differencing twice ({order}); leave it out")

    def required_fields(self) -> tuple[str, ...]:
        """Return the names of the fields used in addition to the target."""
        return tuple(dict.fromkeys([*self.exog, *self.future]))

    def future_fields(self) -> tuple[str, ...]:
        """Return the names of the required fields of which the rows that are forecast are read, too."""
        return tuple(self.future)

    @property
    def nests_naive(self) -> bool:
        """Whether the random walk is a special case: one difference, and all coefficients zero."""
        if self.order == "auto":
            return True
        seasonal = self.seasonal_order
        return self.order[1] == 1 and not (isinstance(seasonal, (tuple, list)) and seasonal[1])

    def min_rows(self, horizon: int) -> int:
        """Return the observed training rows a series needs.

        Three if the order is selected, which then has fewer terms; with a given order three per parameter, and those
        lost to differences and lags.
        """
        if self.order == "auto":
            return 10 + 3 * self._n_channels() if self._n_channels() else 3
        order = self._order()
        return max(3, 3 * (order.n_coefs + 1 + self._n_channels()) + order.n_lost + order.max_lag)

    def _n_channels(self) -> int:
        return len(self.exog) + len(self.future)

    def _order(self) -> Order:
        numbers: list[Any] = [*self.order, *(self.seasonal_order or (0, 0, 0, 0))]  # type: ignore[misc]
        order = Order(*numbers) if any(numbers[3:6]) else Order(*numbers[:3])
        return replace(order, trend=self.trend or ("n" if order.n_lost else "c"))

    def _fit(self, panel: Panel, horizon: int) -> None:
        previous: dict[str, list[SeriesFit]] = vars(self).get("fits_", {}) if self.warm_start else {}
        self.log_ = self._choose_log(panel)
        self.fits_: dict[str, list[SeriesFit]] = {}
        self.record_ = {"log": self.log_.summary(), "order": {}, "params": {}, "loglike": {}, "aicc": {}}
        y = transform(panel, self.log_)
        for n, name in enumerate(panel.series):
            observed = np.flatnonzero(~np.isnan(y[:, n]))
            if len(observed) < self.min_rows(horizon):
                continue
            if np.ptp(y[observed, n]) == 0:
                beta, start = np.zeros(self._n_channels()), panel.index[observed[0]]
                constant = SeriesFit(Order(d=1), np.empty(0), beta, CONSTANT_VARIANCE, start, NORMAL)
                self.fits_[name] = [constant] * (horizon if self.exog else 1)
                self.record_["order"][name] = "never changes"
                continue
            with one_thread("blas"):  # on matrices this small, threads cost more than they save
                self.fits_[name] = self._fit_series(panel, n, y[:, n], previous.get(name, []))

    def _choose_log(self, panel: Panel) -> LogChoice:
        """Return which series to work in logs on; a selected order may be one of levels, also of a positive series."""
        choice = choose_log(self.log, panel)
        if self.log != "auto" or self.order != "auto":
            return choice
        m = int(self.seasonal_order or 1)  # type: ignore[arg-type]
        in_logs = [
            flag and not moves_in_levels(y[~np.isnan(y)], m)
            for flag, y in zip(choice.in_logs, panel.target.T, strict=True)
        ]
        return replace(choice, in_logs=tuple(in_logs))

    def _fit_series(self, panel: Panel, n: int, y: np.ndarray, previous: list[SeriesFit]) -> list[SeriesFit]:
        """Fit one series (T,): with channels one model for each step, otherwise one for all steps."""
        name, channels, observed = panel.series[n], self._channels(panel, n), np.flatnonzero(~np.isnan(y))
        fits: list[SeriesFit] = []
        found: SearchResult | None = None
        for lag in range(1, self.horizon_ + 1 if self.exog else 2):
            regressors = make_regressors(*channels, observed, lag, self.horizon_)
            first = regressors.first_row
            n_rows = int((observed >= first).sum())
            if n_rows < self.min_rows(1):
                fields = ", ".join(self.required_fields())
                message = (
                    f"{name} has {n_rows} rows on which all of {fields} are available; ARIMA needs "
                    f"{self.min_rows(1)}: leave the field out, or add more of its history"
                )
                warn(message, ShortSeriesWarning)
                return []
            found = self._search(y[first:], regressors, previous[lag - 1 : lag], found)
            fit = SeriesFit(found.order, found.coefs, found.beta, found.variance, panel.index[first], NORMAL)
            if lag == 1:
                errors = y[first:] - regressors.with_trend(fit.order.trend)[: len(y) - first] @ fit.beta
                spread = measure_spread(innovations(fit, errors), recent_scale(y)[first:], self.levels)
            fits.append(replace(fit, spread=spread))
            if not found.converged:
                message = f"the fit of {name}'s ARIMA{found.order} did not converge to a maximum of the likelihood"
                warn(message, ConvergenceWarning)
            if lag == 1:
                self._record_fit(name, found)
        return fits

    def _search(
        self, y: np.ndarray, regressors: Regressors, previous: list[SeriesFit], last_step: SearchResult | None
    ) -> SearchResult:
        """Search order and coefficients of a series (T',), starting also from an earlier fit and the step before."""
        standard = make_standard(y, shift=self._level_is_free())
        observed = np.flatnonzero(~np.isnan(y))
        filled = np.interp(np.arange(len(y)), observed, standard.z[observed])

        def x(trend: str) -> np.ndarray:
            return regressors.with_trend(trend)[: len(y)]

        if self.order == "auto" and last_step is None:
            m = int(self.seasonal_order or 1)  # type: ignore[arg-type]
            start = (previous[0].order, previous[0].coefs) if previous else None
            found = select_order(filled, x, m, self.trend, start)
        else:
            order = last_step.order if last_step else self._order()
            starts = [fit.coefs for fit in previous if fit.order == order] + ([last_step.coefs] if last_step else [])
            found = search(order, make_sample(order, filled, x(order.trend)), starts)
        if len(observed) < len(y):
            trends = x(found.order.trend)
            found = search_with_gaps(found, standard.z, trends, make_sample(found.order, filled, trends))
        return standard.restore(found)

    def _level_is_free(self) -> bool:
        """Return whether adding a constant to a series adds it to the forecasts: not for a mean or a trend from 0."""
        if self.order == "auto":
            return self.trend in (None, "c", "ct")
        order = self._order()
        return bool(order.n_lost) or "c" in order.trend

    def _record_fit(self, name: str, found: SearchResult) -> None:
        names = [*TRENDS[found.order.trend], *self.exog, *self.future, *found.order.coef_names()]
        values = [float(f"{value:.6g}") for value in (*found.beta, *found.coefs)]
        self.record_["order"][name] = str(found.order)
        self.record_["params"][name] = dict(zip(names, values, strict=True))
        self.record_["loglike"][name] = round(found.loglike, 4)
        self.record_["aicc"][name] = round(found.aicc, 4)

    def results(self, prices: Prices, series: str | None = None) -> Any:
        """Return statsmodels' results at the fitted parameters: standard errors, tests of the residuals, plots.

        `prices` are those of the fit, `series` is one of their names (None: the first). For a model with channels
        these are the results of one step ahead.
        """
        panel = self._read(prices)
        name = panel.series[0] if series is None else series
        if name not in self.fits_ or name not in panel.series:
            raise ValueError(f"there is no fit of {name!r}; fitted series: {', '.join(self.fits_)}")
        n, fit = panel.series.index(name), self.fits_[name][0]
        y = transform(panel, self.log_)[:, n]
        regressors = self._regressors(fit, panel, n, y, lag=1)
        x = regressors.with_trend(fit.order.trend)[: len(y) - regressors.first_row]
        model = make_state_space(fit.order, y[regressors.first_row :], x)
        model.ssm.tolerance = 0.0  # it is in the units of the series
        return model.smooth(np.concatenate([fit.beta, fit.coefs, [fit.variance]]))

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        self._fitted_columns(panel)
        y = transform(panel, self.log_)
        shape = (len(rows), len(panel.series), self.horizon_)
        mean, variance = np.full((2, *shape), np.nan)
        quantiles = np.full((*shape, len(self.levels)), np.nan)
        for n, name in enumerate(panel.series):
            scale = recent_scale(y[:, n])[rows]  # (K,)
            for i, fit in enumerate(self.fits_.get(name, [])):
                steps = slice(i, i + 1) if self.exog else slice(None)
                means, variances = self._forecast_series(fit, panel, n, y[:, n], rows, lag=i + 1)
                z, factor = standard_quantiles(fit.spread, scale, self.levels, self.horizon_)  # (K, H, Q), (K,)
                values = means[..., None] + np.sqrt(variances)[..., None] * z
                mean[:, n, steps], quantiles[:, n, steps] = means[:, steps], values[:, steps]
                variance[:, n, steps] = (variances * factor[:, None])[:, steps]
        log = self.log_.flags(panel)  # (N,)
        point = mean + variance / 2 * log[:, None] if self.point == "mean" else mean  # lognormal mean
        point, quantiles = from_logs(point, log), from_logs(quantiles, log)
        return Forecast(point, quantiles, tuple(self.levels), panel.series, panel.index[rows])

    def _forecast_series(
        self, fit: SeriesFit, panel: Panel, n: int, y: np.ndarray, rows: np.ndarray, lag: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Forecast one series from each row: mean and variance, (K, H), NaN where it has too little history."""
        regressors = self._regressors(fit, panel, n, y, lag)
        first = regressors.first_row
        n_observed = np.cumsum(~np.isnan(y[first:]))
        usable = rows >= first
        usable[usable] = n_observed[rows[usable] - first] > fit.order.n_lost  # enough rows to difference
        mean, variance = np.full((2, len(rows), self.horizon_), np.nan)
        if usable.any():
            regression = regressors.with_trend(fit.order.trend) @ fit.beta  # (T' + H,)
            errors, cutoffs = y[first:] - regression[: len(y) - first], rows[usable] - first
            mean[usable], variance[usable] = forecast_from_rows(fit, errors, cutoffs, self.horizon_)
            mean[usable] += regression[cutoffs[:, None] + np.arange(1, self.horizon_ + 1)]
        return mean, variance

    def _regressors(self, fit: SeriesFit, panel: Panel, n: int, y: np.ndarray, lag: int) -> Regressors:
        """Return the regressors of a history, with the trend counted from the first row of the fit."""
        if fit.start not in panel.index and "t" in fit.order.trend and not fit.order.n_lost:
            raise ValueError(
                f"the trend of {panel.series[n]} counts from {format_date(fit.start)}, the first row of its fit, and "
                "these prices have no such row: pass the history from that row on"
            )
        start = panel.index.get_loc(fit.start) if fit.start in panel.index else 0
        observed = np.flatnonzero(~np.isnan(y))
        return make_regressors(*self._channels(panel, n), observed[observed >= start], lag, self.horizon_)

    def _channels(self, panel: Panel, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the channels of one series, forward-filled: lagged ones (T, E), and known ones (T + H, F)."""
        values = panel.of_series(np.array([n])).values[:, 0]  # (T, C)
        lagged = forward_fill(values[:, [panel.channels.index(name) for name in self.exog]])
        known = panel.known(self.future).values[:, n] if self.future else np.empty((len(panel), 0))
        return lagged, forward_fill(known)


def _check_orders(name: str, orders: Any, letters: tuple[str, ...]) -> None:
    if not isinstance(orders, (tuple, list)) or len(orders) != len(letters):
        count = {3: "three", 4: "four"}[len(letters)]
        raise TypeError(f"{name} must be {count} whole numbers ({', '.join(letters)}); got {orders!r}")
    for letter, value in zip(letters, orders, strict=True):
        check_int(f"{letter} of {name}", value, 0)
