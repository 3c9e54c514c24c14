"""ARIMA on statsmodels' state space: fitted once, then read at every cutoff in one pass of the Kalman filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

from forecast.models.base import LEVELS, Forecast, Forecaster, choose_log, transform
from forecast.panel import Panel, label
from forecast.params import check_choice, check_whole


@dataclass(frozen=True)
class SeriesFit:
    """What is kept of one series' fit: enough to filter any later history with frozen parameters."""

    params: np.ndarray
    scale: float  # variance of the innovations
    start: Any  # label of the first row it was fitted on: where the trend counts from


class ARIMA(Forecaster):
    """The econometrician's baseline: each price from its own past changes and past surprises (Box and Jenkins).

    `order` is (p, d, q): autoregressive terms, differences, moving-average terms. `trend` is statsmodels' ("n", "c",
    "t", "ct"; None: a constant where d = 0, none otherwise). In logs if `log` ("auto": if all training prices are
    positive). Each series has parameters of its own, by exact maximum likelihood with the variance concentrated out;
    missing rows are left to the Kalman filter. Quantiles are the state space's Gaussian ones.
    """

    #: Few parameters over many rows: its one frozen fit is as good on training rows as on later ones.
    honest_in_sample = True

    def __init__(
        self,
        order: tuple[int, int, int] = (1, 1, 1),
        trend: str | None = None,
        log: bool | str = "auto",
        levels: tuple[float, ...] = LEVELS,
    ) -> None:
        self.order = order
        self.trend = trend
        self.log = log
        self.levels = levels

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        if not isinstance(self.order, (tuple, list)) or len(self.order) != 3:
            raise TypeError(f"order must be three whole numbers (p, d, q); got {self.order!r}")
        for name, value in zip("pdq", self.order, strict=True):
            check_whole(f"{name} of order", value, 0)
        check_choice("trend", self.trend, (None, "n", "c", "t", "ct"))
        if self.trend in ("c", "ct") and self.order[1] > 0:
            raise ValueError(f"trend={self.trend!r} is lost in differencing with order={self.order}; use 't' for drift")

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: ten, and three more for each parameter."""
        return 10 + 3 * (sum(self.order) + 1)

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        self.fits_: dict[str, SeriesFit] = {}
        self.record_ = {"log": self.log_, "params": {}, "loglike": {}, "not_converged": []}
        y = transform(panel, self.log_)
        for n, name in enumerate(panel.series):
            rows = np.flatnonzero(~np.isnan(y[:, n]))
            if len(rows) >= self.min_rows(horizon):
                known = y[rows, n]
                if np.ptp(known) == 0:
                    where = f"{label(panel.index[rows[0]])} to {label(panel.index[rows[-1]])}"
                    raise ValueError(f"{name} never changes from {where}: ARIMA has nothing to fit; leave it out")
                self._fit_one(name, y[rows[0] :, n], panel.index[rows[0]])

    def _fit_one(self, name: str, y: np.ndarray, first: Any) -> None:
        model = self._model(y - self._offset(y))
        with threadpool_limits(1, user_api="blas"):  # threads cost more than they bring on matrices this small
            results = [model.fit(start_params=start, cov_type="none") for start in _starts(model)]
            result = max(results, key=lambda each: each.llf) if results else model.filter([])
        params = np.asarray(result.params, dtype=np.float64)
        self.fits_[name] = SeriesFit(params, float(result.scale), first)
        self.record_["params"][name] = dict(zip(model.param_names, params.round(6).tolist(), strict=True))
        self.record_["loglike"][name] = round(float(result.llf), 4)
        if results and not result.mle_retvals["converged"]:
            self.record_["not_converged"].append(name)

    def _offset(self, y: np.ndarray) -> float:
        """Give what can be taken off a differenced series without changing the model, for the sake of rounding."""
        return float(y[0]) if self.order[1] > 0 else 0.0

    def _model(self, y: np.ndarray) -> Any:
        from statsmodels.tsa.arima.model import ARIMA as StateSpaceARIMA

        # With the default scaling the optimiser stops short on log prices, at times at ar = ma = 0.
        return StateSpaceARIMA(y, order=tuple(self.order), trend=self.trend, concentrate_scale=True)

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        self._fitted_columns(panel)
        y = transform(panel, self.log_)
        shape = (len(rows), len(panel.series), self.horizon_)
        mean, variance = np.full(shape, np.nan), np.full(shape, np.nan)
        for n, name in enumerate(panel.series):
            if name in self.fits_:
                mean[:, n], variance[:, n] = self._roll(self.fits_[name], y[:, n], panel, rows)
        quantiles = mean[..., None] + np.sqrt(variance)[..., None] * stats.norm.ppf(self.levels)  # (K, N, H, Q)
        return Forecast(
            point=np.exp(mean) if self.log_ else mean,
            quantiles=np.exp(quantiles) if self.log_ else quantiles,
            levels=tuple(self.levels),
            series=panel.series,
            cutoffs=panel.index[rows],
        )

    def _roll(self, fit: SeriesFit, y: np.ndarray, panel: Panel, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Filter one series once and read mean and variance of H steps at each cutoff, (K, H) each.

        The predicted state after row t holds all that rows up to t say; a forecast is that state moved on. Sums run
        state by state, so that a cutoff's bytes do not depend on how many cutoffs are asked for.
        """
        first = panel.index.get_loc(fit.start) if fit.start in panel.index else 0
        seen = np.flatnonzero(~np.isnan(y[first:]))
        if not len(seen):
            nothing = np.full((len(rows), self.horizon_), np.nan)
            return nothing, nothing
        first += int(seen[0])
        offset = self._offset(y[first:])
        model = self._model(np.append(y[first:] - offset, np.full(self.horizon_, np.nan)))
        with threadpool_limits(1, user_api="blas"), model.ssm.fixed_scale(fit.scale):
            model.update(fit.params)
            filtered = model.ssm.filter()
            at = np.maximum(rows - first + 1, 0)
            state = filtered.predicted_state[:, at]  # (m, K)
            cov = filtered.predicted_state_cov[:, :, at]  # (m, m, K)
            mean, variance = _ahead(model.ssm, state, cov, at, self.horizon_)
        known = (rows >= first)[:, None]
        return np.where(known, mean + offset, np.nan), np.where(known, variance, np.nan)


def _starts(model: Any) -> list[np.ndarray]:
    """Give several places to start the search from: the likelihood of ARMA models has more than one summit.

    statsmodels' own start, and both ends of the ridge on which autoregressive and moving-average terms cancel; none
    for a random walk, which has no parameter to search for.
    """
    own = np.asarray(model.start_params, dtype=np.float64)
    arma = np.array([name.startswith(("ar.", "ma.")) for name in model.param_names], dtype=bool)
    starts = [own] if own.size else []
    for sign in (1.0, -1.0) if arma.any() else ():
        end = {"ar.L1": 0.7 * sign, "ma.L1": -0.7 * sign}
        ridge = np.array([end.get(name, 0.0) for name in model.param_names])
        starts.append(np.where(arma, ridge, own))
    return starts


def _ahead(ssm: Any, state: np.ndarray, cov: np.ndarray, at: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Move predicted states on: mean and variance of the observation 1 … H rows ahead, (K, H) each."""
    design, transition = ssm["design"], ssm["transition"]  # (1, m), (m, m); neither changes with time
    noise = ssm["selection"] @ ssm["state_cov"] @ ssm["selection"].T
    intercept = np.broadcast_to(ssm["obs_intercept"], (1, ssm.nobs))[0]  # the trend, known for future rows too
    weights = design[0]  # what the observation k rows ahead takes from the state
    added = 0.0  # variance of the shocks in between
    means, variances = [], []
    for step in range(horizon):
        mean = intercept[at + step]
        variance = np.full(len(at), added + float(ssm["obs_cov"][0, 0]))
        for i, wi in enumerate(weights):
            mean = mean + wi * state[i]
            for j, wj in enumerate(weights):
                variance = variance + wi * wj * cov[i, j]
        means.append(mean)
        variances.append(variance)
        added += float(weights @ noise @ weights)
        weights = weights @ transition
    return np.stack(means, axis=1), np.stack(variances, axis=1)
