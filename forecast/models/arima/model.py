"""ARIMA as a forecaster: each series searched for its best coefficients, then read at every cutoff in one pass."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from forecast._estimator import check_fitted
from forecast._validation import check_choice, check_fields, check_int
from forecast.data.panel import Panel, as_panel, format_date
from forecast.models.arima.likelihood import Order
from forecast.models.arima.order import choose
from forecast.models.arima.regressors import TRENDS, Regressors, make_regressors
from forecast.models.arima.search import Found, make_sample, search
from forecast.models.arima.state_space import roll, search_with_gaps, state_space
from forecast.models.base import LEVELS, Forecast, Forecaster, ShortSeriesWarning, choose_log, transform

STILL = 1e-30  # variance of a series that never changes


@dataclass(frozen=True)
class SeriesFit:
    """What is kept of one series' fit: enough to filter any later history with frozen parameters."""

    order: Order
    coefs: np.ndarray  # ar, ma, seasonal ar, seasonal ma
    beta: np.ndarray  # of the trend and the channels
    variance: float  # of the innovations
    start: Any  # label of the first row it was fitted on: where the trend counts from


class ARIMA(Forecaster):
    """The econometrician's baseline: each price from its own past changes and past surprises (Box and Jenkins).

    `order` is (p, d, q): autoregressive terms, differences, moving-average terms; `seasonal_order` the same for
    seasons, with their rows: (P, D, Q, m). With ``order="auto"`` tests choose the differences and the AICc the rest,
    step by step (Hyndman and Khandakar, 2008); `seasonal_order` is then m alone. `trend` is "n", "c", "t" or "ct"
    (None: a constant where nothing is differenced, none otherwise; "auto" tries both). `exog` names fields that each
    step k is regressed on as they were k rows before, the newest that is known: one model for each step.

    In logs if `log` ("auto": if all training prices are positive). The likelihood is exact, its summit searched from
    several starts, never below that of the model without ARMA terms; missing rows are left to the Kalman filter.
    Quantiles are the state space's Gaussian ones; the point is the `point` = "median", or the "mean" (in logs it lies
    above). With `warm_start` a further fit begins at the last one's order and parameters.

    >>> prices = fc.load_sample("stocks")["IBM"]
    >>> fc.ARIMA((1, 1, 1)).fit(prices, horizon=5).predict(prices).point.shape
    (1, 1, 5)
    """

    #: Few parameters over many rows: its one frozen fit is as good on training rows as on later ones.
    in_sample_is_valid = True

    def __init__(
        self,
        order: tuple[int, int, int] | str = (1, 1, 1),
        seasonal_order: tuple[int, int, int, int] | int | None = None,
        trend: str | None = None,
        log: bool | str = "auto",
        exog: tuple[str, ...] = (),
        levels: tuple[float, ...] = LEVELS,
        point: str = "median",
        warm_start: bool = False,
    ) -> None:
        self.order = order
        self.seasonal_order = seasonal_order
        self.trend = trend
        self.log = log
        self.exog = exog
        self.levels = levels
        self.point = point
        self.warm_start = warm_start

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_fields(self.exog)
        check_choice("trend", self.trend, (None, *TRENDS))
        if isinstance(self.order, str):
            check_choice("order", self.order, ("auto",))
            if self.seasonal_order is not None:
                check_int('seasonal_order, with order="auto" the number of rows in a season,', self.seasonal_order, 1)
            return
        _check_orders("order", self.order, ("p", "d", "q"))
        if self.seasonal_order is not None:
            _check_orders("seasonal_order", self.seasonal_order, ("P", "D", "Q", "m"))
            if self._order().m < 2 and any(self.seasonal_order[:3]):  # type: ignore[index]
                raise ValueError(f"a season has at least 2 rows; got seasonal_order={self.seasonal_order}")
        order = self._order()
        if order.overlaps:
            raise ValueError(
                f"{order} has an ordinary term at the lag of a seasonal one: lower p or q, or leave it out"
            )
        if self.trend in ("c", "ct") and order.lost:
            raise ValueError(f"trend={self.trend!r} is lost in differencing ({order}); use 't' for drift")
        if self.trend == "t" and order.d + order.D > 1:
            raise ValueError(f"trend='t' is lost in differencing twice ({order}); leave it out")

    def required_fields(self) -> tuple[str, ...]:
        """Name the fields that are read beside the target."""
        return tuple(self.exog)

    @property
    def nests_naive(self) -> bool:
        """A random walk: one difference, and no coefficient."""
        if self.order == "auto":
            return True
        seasons = self.seasonal_order
        return self.order[1] == 1 and not (isinstance(seasons, (tuple, list)) and seasons[1])

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: ten, three a parameter, and what differences lose."""
        if self.order == "auto":
            return 20 + 2 * int(self.seasonal_order or 1)  # type: ignore[arg-type]
        order = self._order()
        return 10 + 3 * (order.n_coefs + 1 + len(self.exog)) + order.lost + order.reach

    def _order(self) -> Order:
        numbers: list[Any] = [*self.order, *(self.seasonal_order or (0, 0, 0, 0))]  # type: ignore[misc]
        order = Order(*numbers) if any(numbers[3:6]) else Order(*numbers[:3])
        return replace(order, trend=self.trend or ("n" if order.lost else "c"))

    def _fit(self, panel: Panel, horizon: int) -> None:
        last: dict[str, list[SeriesFit]] = getattr(self, "fits_", {}) if self.warm_start else {}
        self.log_ = choose_log(self.log, panel)
        self.fits_: dict[str, list[SeriesFit]] = {}
        self.record_ = {"log": self.log_, "order": {}, "params": {}, "loglike": {}, "aicc": {}}
        y = transform(panel, self.log_)
        for n, name in enumerate(panel.series):
            known = np.flatnonzero(~np.isnan(y[:, n]))
            if len(known) < self.min_rows(horizon):
                continue
            if np.ptp(y[known, n]) == 0:  # it forecasts itself
                still = SeriesFit(Order(d=1), np.empty(0), np.zeros(len(self.exog)), STILL, panel.index[known[0]])
                self.fits_[name] = [still] * (horizon if self.exog else 1)
                self.record_["order"][name] = "never changes"
                continue
            with threadpool_limits(1, user_api="blas"):  # threads cost more than they bring on matrices this small
                self.fits_[name] = self._fit_series(panel, n, y[:, n], last.get(name, []))

    def _fit_series(self, panel: Panel, n: int, y: np.ndarray, last: list[SeriesFit]) -> list[SeriesFit]:
        """Fit one series (T,): with channels a model for each step, otherwise one for all."""
        name, fits = panel.series[n], []
        found: Found | None = None
        for lag in range(1, self.horizon_ + 1 if self.exog else 2):
            regressors = make_regressors(panel, n, self.exog, np.flatnonzero(~np.isnan(y)), lag, self.horizon_)
            known = int((~np.isnan(y[regressors.first :])).sum())
            if known < self.min_rows(1):
                said = (
                    f"{name} has {known} rows on which all of {', '.join(self.exog)} are known; ARIMA needs "
                    f"{self.min_rows(1)}: leave the field out, or bring more of its history"
                )
                warnings.warn(said, ShortSeriesWarning, stacklevel=2)
                return []
            found = self._search(y[regressors.first :], regressors, last[lag - 1 : lag], found)
            fits.append(SeriesFit(found.order, found.coefs, found.beta, found.variance, panel.index[regressors.first]))
            if not found.converged:
                said = f"the search for the coefficients of {name}'s ARIMA{found.order} stopped short of a summit"
                warnings.warn(said, ConvergenceWarning, stacklevel=2)
            if lag == 1:
                self._note(name, found)
        return fits

    def _search(self, y: np.ndarray, regressors: Regressors, last: list[SeriesFit], nearer: Found | None) -> Found:
        """Find order and coefficients of a series (T',), starting also from an earlier fit and the step before."""
        known = np.flatnonzero(~np.isnan(y))
        filled = np.interp(np.arange(len(y)), known, y[known])

        def x(trend: str) -> np.ndarray:
            return regressors.of_trend(trend)[: len(y)]

        if self.order == "auto" and nearer is None:
            m = int(self.seasonal_order or 1)  # type: ignore[arg-type]
            found = choose(filled, x, m, self.trend, *((fit.order, fit.coefs) for fit in last))
        else:
            order = nearer.order if nearer else self._order()
            starts = [fit.coefs for fit in last if fit.order == order] + ([nearer.coefs] if nearer else [])
            found = search(order, make_sample(order, filled, x(order.trend)), starts)
        return found if len(known) == len(y) else search_with_gaps(found, y, x(found.order.trend))

    def _note(self, name: str, found: Found) -> None:
        names = [*TRENDS[found.order.trend], *self.exog, *found.order.names()]
        values = [float(f"{value:.6g}") for value in (*found.beta, *found.coefs)]
        self.record_["order"][name] = str(found.order)
        self.record_["params"][name] = dict(zip(names, values, strict=True))
        self.record_["loglike"][name] = round(found.loglike, 4)
        self.record_["aicc"][name] = round(found.aicc, 4)

    def results(self, prices: Any, series: str | None = None) -> Any:
        """Give statsmodels' results at the fitted parameters: standard errors, tests of the residuals, plots.

        `prices` are those of the fit, `series` names one of them (None: the first). Of a model with channels these
        are the results for one step ahead.
        """
        check_fitted(self, "horizon_")
        panel = as_panel(prices, exog=self.required_fields())
        name = panel.series[0] if series is None else series
        if name not in self.fits_ or name not in panel.series:
            raise ValueError(f"there is no fit of {name!r}; there are those of {', '.join(self.fits_)}")
        n, fit = panel.series.index(name), self.fits_[name][0]
        y = transform(panel, self.log_)[:, n]
        regressors = self._regressors(fit, panel, n, y, lag=1)
        x = regressors.of_trend(fit.order.trend)[: len(y) - regressors.first]
        model = state_space(fit.order, y[regressors.first :], x)
        return model.smooth(np.concatenate([fit.beta, fit.coefs, [fit.variance]]))

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        self._fitted_columns(panel)
        y = transform(panel, self.log_)
        shape = (len(rows), len(panel.series), self.horizon_)
        mean, variance = np.full(shape, np.nan), np.full(shape, np.nan)
        for n, name in enumerate(panel.series):
            for step, fit in enumerate(self.fits_.get(name, [])):
                steps = slice(step, step + 1) if self.exog else slice(None)
                said = self._roll(fit, panel, n, y[:, n], rows, step + 1)
                mean[:, n, steps], variance[:, n, steps] = said[0][:, steps], said[1][:, steps]
        quantiles = mean[..., None] + np.sqrt(variance)[..., None] * stats.norm.ppf(self.levels)  # (K, N, H, Q)
        point = mean + variance / 2 if self.log_ and self.point == "mean" else mean  # of a lognormal
        return Forecast(
            point=np.exp(point) if self.log_ else point,
            quantiles=np.exp(quantiles) if self.log_ else quantiles,
            levels=tuple(self.levels),
            series=panel.series,
            cutoffs=panel.index[rows],
        )

    def _roll(
        self, fit: SeriesFit, panel: Panel, n: int, y: np.ndarray, rows: np.ndarray, lag: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Forecast one series from each row, (K, H) mean and variance, NaN from rows before it has any history."""
        regressors = self._regressors(fit, panel, n, y, lag)
        first = regressors.first
        seen = np.cumsum(~np.isnan(y[first:]))  # a difference is known after as many rows as it loses
        can = rows >= first
        can[can] = seen[rows[can] - first] > fit.order.lost
        mean, variance = np.full((2, len(rows), self.horizon_), np.nan)
        if can.any():
            regression = regressors.of_trend(fit.order.trend) @ fit.beta  # (T' + H,)
            at = rows[can] - first
            mean[can], variance[can] = roll(
                fit.order, fit.coefs, fit.variance, y[first:] - regression[: len(y) - first], at, self.horizon_
            )
            mean[can] += regression[at[:, None] + np.arange(1, self.horizon_ + 1)]
        return mean, variance

    def _regressors(self, fit: SeriesFit, panel: Panel, n: int, y: np.ndarray, lag: int) -> Regressors:
        """Give the regressors of a history, counted from where the fit counts them."""
        if fit.start not in panel.index and "t" in fit.order.trend and not fit.order.lost:
            raise ValueError(
                f"the trend of {panel.series[n]} counts from {format_date(fit.start)}, where it was fitted from, and these "
                "prices have no such row: bring the history from there on"
            )
        start = panel.index.get_loc(fit.start) if fit.start in panel.index else 0
        known = np.flatnonzero(~np.isnan(y))
        return make_regressors(panel, n, self.exog, known[known >= start], lag, self.horizon_)


def _check_orders(name: str, orders: Any, letters: tuple[str, ...]) -> None:
    if not isinstance(orders, (tuple, list)) or len(orders) != len(letters):
        count = {3: "three", 4: "four"}[len(letters)]
        raise TypeError(f"{name} must be {count} whole numbers ({', '.join(letters)}); got {orders!r}")
    for letter, value in zip(letters, orders, strict=True):
        check_int(f"{letter} of {name}", value, 0)
