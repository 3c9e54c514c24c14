"""ARIMA as a forecaster: each series searched for its best coefficients, then read at every cutoff in one pass."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from forecast.models.arima.likelihood import Order
from forecast.models.arima.order import choose
from forecast.models.arima.regressors import TRENDS, Regressors, make_regressors
from forecast.models.arima.search import Found, make_sample, search
from forecast.models.arima.state_space import roll, state_space
from forecast.models.base import LEVELS, Forecast, Forecaster, choose_log, transform
from forecast.panel import Panel, label
from forecast.params import check_choice, check_fields, check_whole


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
    Quantiles are the state space's Gaussian ones. With `warm_start` a further fit begins at the last one's order and
    parameters.
    """

    #: Few parameters over many rows: its one frozen fit is as good on training rows as on later ones.
    honest_in_sample = True

    def __init__(
        self,
        order: tuple[int, int, int] | str = (1, 1, 1),
        seasonal_order: tuple[int, int, int, int] | int | None = None,
        trend: str | None = None,
        log: bool | str = "auto",
        exog: tuple[str, ...] = (),
        levels: tuple[float, ...] = LEVELS,
        warm_start: bool = False,
    ) -> None:
        self.order = order
        self.seasonal_order = seasonal_order
        self.trend = trend
        self.log = log
        self.exog = exog
        self.levels = levels
        self.warm_start = warm_start

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_fields(self.exog)
        check_choice("trend", self.trend, (None, *TRENDS))
        if isinstance(self.order, str):
            check_choice("order", self.order, ("auto",))
            if self.seasonal_order is not None:
                check_whole('seasonal_order, with order="auto" the number of rows in a season,', self.seasonal_order, 1)
            return
        _check_orders("order", self.order, ("p", "d", "q"))
        if self.seasonal_order is not None:
            _check_orders("seasonal_order", self.seasonal_order, ("P", "D", "Q", "m"))
            if self._order().m < 2 and any(self.seasonal_order[:3]):  # type: ignore[index]
                raise ValueError(f"a season has at least 2 rows; got seasonal_order={self.seasonal_order}")
        if self.trend in ("c", "ct") and self._order().lost:
            raise ValueError(f"trend={self.trend!r} is lost in differencing ({self._order()}); use 't' for drift")

    def reads(self) -> tuple[str, ...]:
        """Name the fields that are read beside the target."""
        return tuple(self.exog)

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: ten, three a parameter, and what differences lose."""
        if self.order == "auto":
            return 20 + 2 * int(self.seasonal_order or 1)  # type: ignore[arg-type]
        order = self._order()
        return 10 + 3 * (order.n_coefs + 1 + len(self.exog)) + order.lost

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
            rows = np.flatnonzero(~np.isnan(y[:, n]))
            if len(rows) < self.min_rows(horizon):
                continue
            if np.ptp(y[rows, n]) == 0:
                where = f"{label(panel.index[rows[0]])} to {label(panel.index[rows[-1]])}"
                raise ValueError(f"{name} never changes from {where}: ARIMA has nothing to fit; leave it out")
            found = None
            with threadpool_limits(1, user_api="blas"):  # threads cost more than they bring on matrices this small
                for lag in range(1, self._lags(horizon) + 1):
                    regressors = make_regressors(panel, n, self.exog, int(rows[0]), lag, horizon)
                    before = last.get(name, [])[lag - 1 : lag]
                    found = self._search(name, y[regressors.first :, n], regressors, before, found)
                    start = panel.index[regressors.first]
                    fit = SeriesFit(found.order, found.coefs, found.beta, found.variance, start)
                    self.fits_.setdefault(name, []).append(fit)
                    if lag == 1:
                        self._note(name, found)

    def _lags(self, horizon: int) -> int:
        """How many models a series has: with channels one for each step, otherwise one."""
        return horizon if self.exog else 1

    def _search(
        self, name: str, y: np.ndarray, regressors: Regressors, last: list[SeriesFit], nearer: Found | None
    ) -> Found:
        """Find order and coefficients of a series (T',), starting also from an earlier fit and the step before."""
        known = np.flatnonzero(~np.isnan(y))
        if len(known) < self.min_rows(1):
            raise ValueError(
                f"{name} has {len(known)} rows on which all of {', '.join(self.exog)} are known; ARIMA needs "
                f"{self.min_rows(1)}: leave the field out, or bring more of its history"
            )
        filled = np.interp(np.arange(len(y)), known, y[known])

        def x(trend: str) -> np.ndarray:
            return regressors.of_trend(trend)[: len(y)]

        if self.order == "auto" and nearer is None:
            m = int(self.seasonal_order or 1)  # type: ignore[arg-type]
            found = choose(filled, x, m, self.trend, *((fit.order, fit.coefs) for fit in last))
        else:
            order = self._order() if nearer is None or self.order != "auto" else nearer.order
            starts = [fit.coefs for fit in last if fit.order == order] + ([nearer.coefs] if nearer else [])
            found = search(order, make_sample(order, filled, x(order.trend)), starts)
        if len(known) < len(y):
            found = with_gaps(found, y, x(found.order.trend))
        if not found.converged:
            said = f"the search for the coefficients of {name}'s ARIMA{found.order} stopped short of a summit"
            warnings.warn(said, ConvergenceWarning, stacklevel=2)
        return found

    def _note(self, name: str, found: Found) -> None:
        names = [*TRENDS[found.order.trend], *self.exog, *found.order.names()]
        values = np.concatenate([found.beta, found.coefs]).round(6).tolist()
        self.record_["order"][name] = str(found.order)
        self.record_["params"][name] = dict(zip(names, values, strict=True))
        self.record_["loglike"][name] = round(found.loglike, 4)
        self.record_["aicc"][name] = round(found.aicc, 4)

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
        return Forecast(
            point=np.exp(mean) if self.log_ else mean,
            quantiles=np.exp(quantiles) if self.log_ else quantiles,
            levels=tuple(self.levels),
            series=panel.series,
            cutoffs=panel.index[rows],
        )

    def _roll(
        self, fit: SeriesFit, panel: Panel, n: int, y: np.ndarray, rows: np.ndarray, lag: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Forecast one series from each row, (K, H) mean and variance, NaN from rows before it has any history."""
        first = panel.index.get_loc(fit.start) if fit.start in panel.index else 0
        seen = np.flatnonzero(~np.isnan(y[first:]))
        first += int(seen[0]) if len(seen) else len(panel)
        mean, variance = np.full((2, len(rows), self.horizon_), np.nan)
        can = rows >= first
        if can.any():
            regressors = make_regressors(panel, n, self.exog, first, lag, self.horizon_)
            first, can = regressors.first, rows >= regressors.first
            regression = regressors.of_trend(fit.order.trend) @ fit.beta  # (T' + H,)
            at = rows[can] - first
            mean[can], variance[can] = roll(
                fit.order, fit.coefs, fit.variance, y[first:] - regression[: len(y) - first], at, self.horizon_
            )
            mean[can] += regression[at[:, None] + np.arange(1, self.horizon_ + 1)]
        return mean, variance


def with_gaps(found: Found, y: np.ndarray, x: np.ndarray) -> Found:
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


def _check_orders(name: str, orders: Any, letters: tuple[str, ...]) -> None:
    if not isinstance(orders, (tuple, list)) or len(orders) != len(letters):
        count = {3: "three", 4: "four"}[len(letters)]
        raise TypeError(f"{name} must be {count} whole numbers ({', '.join(letters)}); got {orders!r}")
    for letter, value in zip(letters, orders, strict=True):
        check_whole(f"{letter} of {name}", value, 0)
