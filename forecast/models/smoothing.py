"""Exponential smoothing and the Theta method: fitted by statsmodels, one pass over their states serves every cutoff."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.signal import lfilter
from sklearn.exceptions import ConvergenceWarning

from forecast._validation import check_choice
from forecast.models.base import LEVELS
from forecast.models.baseline import Baseline

AUTO = "auto"
#: R's names: error, trend (d: damped), season; N none, A additive, M multiplicative.
SHAPES = tuple("".join(letters) for letters in product("AM", ("N", "A", "Ad"), "NAM"))
#: Not tried by "auto": an additive error with a multiplicative season has an unstable variance.
UNSTABLE = tuple(shape for shape in SHAPES if shape[0] == "A" and shape[-1] == "M")


@dataclass(frozen=True)
class Smoothing:
    """One series' fit: the shape of its model, and the smoothing parameters with the initial states."""

    shape: str
    params: np.ndarray
    offset: float  # subtracted from the series
    scale: float  # by which the difference was then divided


class _StateModel(Baseline):
    """A model fitted to each series, whose states run from its first training row; `m` is the rows in a season."""

    supports_recursive = False
    has_series_parameters = True
    depends_on_start = True

    def __init__(self, m: int = 1, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        super().__init__(levels, log)
        self.m = m

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs: ten, two seasons, and the horizon."""
        return 10 + 2 * self.m + horizon

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        changes = np.full((len(rows), y.shape[1], self.horizon_), np.nan)
        for n, column in enumerate(columns):
            observed = np.flatnonzero(~np.isnan(y[:, n]))
            if not len(observed):
                continue
            first = observed[0]
            started = rows >= first
            forecast = self._forecast_series(int(column), y[first:, n], rows[started] - first)
            changes[started, n] = forecast - y[rows[started], n][:, None]
        return changes

    def _forecast_series(self, column: int, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the forecasts (K, H) of one series from K of its rows (T,); NaN if it was not fitted."""
        raise NotImplementedError


class ETS(_StateModel):
    """Exponential smoothing: a level, a trend and a season that follow the newest rows.

    Fitted by statsmodels' maximum likelihood; the quantiles are those of its own errors in training.

    Parameters
    ----------
    shape : str, default "auto"
        Error, trend and season as R names them: "ANN" is simple smoothing, "AAN" Holt's method, "AAdN" a damped trend,
        "AAA" the method of Holt and Winters. "auto" takes the shape of the lowest AICc.
    m : int, default 1
        The number of rows in a season.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    log : bool or "auto", default "auto"
        Whether to smooth logs, in which addition is multiplication, so that "auto" tries additive shapes only. "auto":
        if all training prices are positive.

    References
    ----------
    Hyndman, Koehler, Snyder and Grose (2002), A state space framework for automatic forecasting using exponential
    smoothing methods, International Journal of Forecasting 18.

    Examples
    --------
    >>> prices = fc.load_sample("stocks")["IBM"]
    >>> fc.ETS("AAdN").fit(prices, horizon=5).predict(prices).point.shape
    (1, 1, 5)
    """

    def __init__(
        self, shape: str = AUTO, m: int = 1, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto"
    ) -> None:
        super().__init__(m, levels, log)
        self.shape = shape

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        check_choice("shape", self.shape, (AUTO, *SHAPES))
        if self.shape != AUTO and self.shape[-1] != "N" and self.m < 2:
            raise ValueError(f"shape={self.shape!r} has a season: set m to its number of rows (at least 2)")

    @property
    def nests_naive(self) -> bool:
        """Whether it is naive for some parameters: a level that equals the newest value, and no season."""
        return self.shape == AUTO or self.shape[-1] == "N"

    def _fit_rule(self, y: np.ndarray) -> None:
        self.fits_: dict[str, Smoothing] = {}
        self.record_ |= {"shape": {}, "params": {}, "aicc": {}}
        for n, name in enumerate(self.series_):
            observed = y[~np.isnan(y[:, n]), n]
            if len(observed) < self.min_rows(self.horizon_):
                continue
            if np.ptp(observed) == 0:
                self.fits_[name] = Smoothing("ANN", np.array([]), 0.0, 1.0)
                continue
            candidates = [self._fit_shape(shape, observed) for shape in self._shapes(observed)]
            fit, result, aicc = min(candidates, key=lambda candidate: candidate[2])
            if not result.mle_retvals["converged"]:
                message = f"the smoothing parameters of {name} ({fit.shape}) stopped short of a maximum"
                warnings.warn(message, ConvergenceWarning, stacklevel=2)
            self.fits_[name] = fit
            self.record_["shape"][name] = fit.shape
            self.record_["aicc"][name] = round(aicc, 4)
            params = zip(result.model.param_names, result.params, strict=True)
            self.record_["params"][name] = {k: round(float(v), 6) for k, v in params if k.startswith("smoothing")}

    def _shapes(self, y: np.ndarray) -> list[str]:
        """Return the shapes to try on a series."""
        if self.shape != AUTO:
            return [self.shape]
        multiply = not self.log_ and bool((y > 0).all())
        return [s for s in SHAPES if s not in UNSTABLE and (multiply or "M" not in s) and (self.m > 1 or s[-1] == "N")]

    def _fit_shape(self, shape: str, y: np.ndarray) -> tuple[Smoothing, Any, float]:
        """Fit one shape to a standardised series, so that statsmodels' optimum does not depend on its scale."""
        multiplies = "M" in shape
        offset = 0.0 if multiplies else float(y[0])  # an additive model does not depend on the level
        scale = float(y.mean() if multiplies else np.diff(y).std()) or 1.0
        result = _statsmodels_ets(shape, self.m, (y - offset) / scale).fit(disp=False)
        aicc = float(result.aicc) + 2 * len(y) * float(np.log(scale))  # of the series before it was standardised
        return Smoothing(shape, np.asarray(result.params, dtype=np.float64), offset, scale), result, aicc

    def _forecast_series(self, column: int, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        fit = self.fits_.get(self.series_[column])
        if fit is None:
            return np.full((len(rows), self.horizon_), np.nan)
        return self._forecast_standardised(fit, (y - fit.offset) / fit.scale, rows) * fit.scale + fit.offset

    def _forecast_standardised(self, fit: Smoothing, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the forecasts from the states at each row, (K, H)."""
        if not len(fit.params) or len(y) < 2:
            return np.repeat(y[rows][:, None], self.horizon_, axis=1)
        states = _statsmodels_ets(fit.shape, self.m, y).smooth(fit.params)
        steps = np.arange(1, self.horizon_ + 1)
        forecast = np.repeat(np.asarray(states.level)[rows][:, None], self.horizon_, axis=1)
        if fit.shape[1] == "A":
            damping = float(states.damping_trend) if "d" in fit.shape else 1.0
            forecast = forecast + np.asarray(states.slope)[rows][:, None] * np.cumsum(damping**steps)
        if fit.shape[-1] != "N":
            source = rows[:, None] + (steps - 1) % self.m + 1 - self.m  # (K, H) the last row of the same phase
            season = np.where(source >= 0, np.asarray(states.season)[np.maximum(source, 0)], np.nan)
            forecast = forecast * season if fit.shape[-1] == "M" else forecast + season
        return forecast


class Theta(_StateModel):
    """The Theta method: half the trend, plus simple smoothing of the rest (Assimakopoulos and Nikolopoulos, 2000).

    `m` is the number of rows in a season (1: none), which is removed first if a test finds it. Fitted by statsmodels;
    in logs if `log` ("auto": if all training prices are positive). The quantiles are those of its own errors in
    training.
    """

    nests_naive = True  # a level that equals the newest value, and no trend

    def _fit_rule(self, y: np.ndarray) -> None:
        from statsmodels.tsa.forecasting.theta import ThetaModel

        shape = (len(self.series_),)
        self.slope_, self.alpha_ = np.full(shape, np.nan), np.full(shape, np.nan)
        self.season_ = np.zeros((*shape, self.m))  # by rows since the first observed one
        for n in range(len(self.series_)):
            observed = y[~np.isnan(y[:, n]), n]
            if len(observed) < self.min_rows(self.horizon_):
                continue
            if np.ptp(observed) == 0:
                self.slope_[n], self.alpha_[n] = 0.0, 1.0
                continue
            seasonal = self.m > 1
            fit = ThetaModel(observed - observed[0], period=self.m, deseasonalize=seasonal, method="additive").fit()
            self.slope_[n], self.alpha_[n] = fit.params["b0"], max(float(fit.params["alpha"]), 1e-6)
            if seasonal:
                next_season = np.asarray(fit.forecast_components(self.m).seasonal)
                self.season_[n] = np.roll(next_season, len(observed) % self.m)
        self.record_ |= {"slope": self.slope_.tolist(), "alpha": self.alpha_.tolist()}

    def _forecast_series(self, column: int, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        alpha, steps = self.alpha_[column], np.arange(self.horizon_)
        deseasonalised = y - self.season_[column][np.arange(len(y)) % self.m]
        level = lfilter([alpha], [1.0, alpha - 1.0], deseasonalised, zi=[(1 - alpha) * deseasonalised[0]])[0]
        trend = steps + (1 - (1 - alpha) ** (rows[:, None] + 1.0)) / alpha  # (K, H)
        season = self.season_[column][(rows[:, None] + 1 + steps) % self.m]
        return level[rows][:, None] + self.slope_[column] / 2 * trend + season


def _statsmodels_ets(shape: str, m: int, y: np.ndarray) -> Any:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    names = {"A": "add", "M": "mul", "N": None}
    error, trend, season = names[shape[0]], names[shape[1]], names[shape[-1]]
    options = {"damped_trend": "d" in shape, "seasonal": season, "seasonal_periods": m if season else None}
    return ETSModel(y, error=error, trend=trend, **options)
