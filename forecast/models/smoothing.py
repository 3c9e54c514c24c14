"""Exponential smoothing and the Theta method: statsmodels fits them, one pass of their states serves every cutoff."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.signal import lfilter
from sklearn.exceptions import ConvergenceWarning

from forecast._validation import check_choice, check_int
from forecast.models.base import LEVELS
from forecast.models.baseline import Baseline

AUTO = "auto"
#: R's names: error, trend (d: damped), season; N none, A additive, M multiplicative.
SHAPES = tuple("".join(letters) for letters in product("AM", ("N", "A", "Ad"), "NAM"))
#: Not tried by themselves: their variance is unstable, as a season that multiplies meets an error that adds.
UNSTABLE = tuple(shape for shape in SHAPES if shape[0] == "A" and shape[-1] == "M")


@dataclass(frozen=True)
class Smoothing:
    """One series' fit: the shape of its model, and smoothing parameters with the first states."""

    shape: str
    params: np.ndarray
    offset: float  # taken off the series before
    scale: float  # and what it was divided by then


class ETS(Baseline):
    """Exponential smoothing: a level, a trend and a season that follow the newest rows (Hyndman et al., 2002).

    `shape` names error, trend and season as R does ("ANN": simple smoothing, "AAN": Holt's, "AAdN": damped, "AAA":
    Holt and Winters'); "auto" takes the one of the lowest AICc. `m` is the number of rows in a season. With `log`
    ("auto": if all training prices are positive) the series is smoothed in logs, where adding is multiplying, and
    only additive shapes are tried. Fitted by statsmodels' maximum likelihood; quantiles are those of its own errors
    in training.

    >>> prices = fc.load_sample("stocks")["IBM"]
    >>> fc.ETS("AAdN").fit(prices, horizon=5).predict(prices).point.shape
    (1, 1, 5)
    """

    supports_recursive = False
    has_series_parameters = True
    depends_on_start = True

    def __init__(
        self, shape: str = AUTO, m: int = 1, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto"
    ) -> None:
        self.shape = shape
        self.m = m
        self.levels = levels
        self.log = log

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_choice("shape", self.shape, (AUTO, *SHAPES))
        check_int("m", self.m, 1)
        if self.shape != AUTO and self.shape[-1] != "N" and self.m < 2:
            raise ValueError(f"shape={self.shape!r} has a season: say with m how many rows it has (at least 2)")

    @property
    def nests_naive(self) -> bool:
        """A level that follows the newest value wholly, and no season."""
        return self.shape == AUTO or self.shape[-1] == "N"

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: ten, two seasons, and what lies ahead of them."""
        return 10 + 2 * self.m + horizon

    def _shapes(self, y: np.ndarray) -> tuple[str, ...]:
        """List the shapes to try on a series."""
        if self.shape != AUTO:
            return (self.shape,)
        multiply = not self.log_ and bool((y > 0).all())
        tried = [s for s in SHAPES if s not in UNSTABLE and (multiply or "M" not in s) and (self.m > 1 or s[-1] == "N")]
        return tuple(tried)

    def _fit_rule(self, y: np.ndarray) -> None:
        self.fits_: dict[str, Smoothing] = {}
        self.record_ |= {"shape": {}, "params": {}, "aicc": {}}
        for n, name in enumerate(self.series_):
            known = y[~np.isnan(y[:, n]), n]
            if len(known) < self.min_rows(self.horizon_):
                continue
            if np.ptp(known) == 0:  # nothing to smooth
                self.fits_[name] = Smoothing("ANN", np.array([]), 0.0, 1.0)
                continue
            results = [self._fit_one(shape, known) for shape in self._shapes(known)]
            fit, result, aicc = min(results, key=lambda each: each[2])
            if not result.mle_retvals["converged"]:
                said = f"the smoothing parameters of {name} ({fit.shape}) stopped short of a summit"
                warnings.warn(said, ConvergenceWarning, stacklevel=2)
            self.fits_[name] = fit
            self.record_["shape"][name] = fit.shape
            self.record_["aicc"][name] = round(aicc, 4)
            named = zip(result.model.param_names, result.params, strict=True)
            self.record_["params"][name] = {k: round(float(v), 6) for k, v in named if k.startswith("smoothing")}

    def _fit_one(self, shape: str, y: np.ndarray) -> tuple[Smoothing, Any, float]:
        """Fit one shape to a series in units of its own, in which statsmodels finds the same as in any other."""
        multiplies = "M" in shape
        offset = 0.0 if multiplies else float(y[0])  # adding knows no level
        scale = float(y.mean() if multiplies else np.diff(y).std()) or 1.0
        result = _model(shape, self.m, (y - offset) / scale).fit(disp=False)
        aicc = float(result.aicc) + 2 * len(y) * float(np.log(scale))  # in the units of the series
        return Smoothing(shape, np.asarray(result.params, dtype=np.float64), offset, scale), result, aicc

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        changes = np.full((len(rows), y.shape[1], self.horizon_), np.nan)
        for n, column in enumerate(columns):
            fit = self.fits_.get(self.series_[column])
            known = np.flatnonzero(~np.isnan(y[:, n]))
            if fit is not None and len(known):
                first = known[0]
                can = rows >= first
                ahead = self._ahead(fit, (y[first:, n] - fit.offset) / fit.scale, rows[can] - first)
                changes[can, n] = ahead * fit.scale + fit.offset - y[rows[can], n][:, None]
        return changes

    def _ahead(self, fit: Smoothing, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Forecast H steps from the states at each row, (K, H)."""
        if not len(fit.params) or len(y) < 2:
            return np.repeat(y[rows][:, None], self.horizon_, axis=1)
        states = _model(fit.shape, self.m, y).smooth(fit.params)
        steps = np.arange(1, self.horizon_ + 1)
        said = np.repeat(np.asarray(states.level)[rows][:, None], self.horizon_, axis=1)
        if fit.shape[1] == "A":
            damping = float(states.damping_trend) if "d" in fit.shape else 1.0
            said = said + np.asarray(states.slope)[rows][:, None] * np.cumsum(damping**steps)
        if fit.shape[-1] != "N":
            source = rows[:, None] + (steps - 1) % self.m + 1 - self.m  # (K, H) where that phase was seen last
            season = np.where(source >= 0, np.asarray(states.season)[np.maximum(source, 0)], np.nan)
            said = said * season if fit.shape[-1] == "M" else said + season
        return said


class Theta(Baseline):
    """The Theta method: half the trend, and simple smoothing of the rest (Assimakopoulos and Nikolopoulos, 2000).

    `m` is the number of rows in a season (1: none), which is taken out before if a test finds it. Fitted by
    statsmodels; in logs if `log` ("auto": if all training prices are positive). Quantiles are those of its own errors
    in training.
    """

    supports_recursive = False
    has_series_parameters = True
    nests_naive = True  # a level that follows the newest value wholly, and no trend
    depends_on_start = True

    def __init__(self, m: int = 1, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        self.m = m
        self.levels = levels
        self.log = log

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_int("m", self.m, 1)

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: ten, two seasons, and what lies ahead of them."""
        return 10 + 2 * self.m + horizon

    def _fit_rule(self, y: np.ndarray) -> None:
        from statsmodels.tsa.forecasting.theta import ThetaModel

        shape = (len(self.series_),)
        self.slope_, self.alpha_ = np.full(shape, np.nan), np.full(shape, np.nan)
        self.season_ = np.zeros((*shape, self.m))  # by rows since the first observed one
        for n in range(len(self.series_)):
            known = y[~np.isnan(y[:, n]), n]
            if len(known) < self.min_rows(self.horizon_):
                continue
            if np.ptp(known) == 0:
                self.slope_[n], self.alpha_[n] = 0.0, 1.0
                continue
            seasonal = self.m > 1
            fit = ThetaModel(known - known[0], period=self.m, deseasonalize=seasonal, method="additive").fit()
            self.slope_[n], self.alpha_[n] = fit.params["b0"], max(float(fit.params["alpha"]), 1e-6)
            if seasonal:
                after = np.asarray(fit.forecast_components(self.m).seasonal)
                self.season_[n] = np.roll(after, len(known) % self.m)
        self.record_ |= {"slope": self.slope_.tolist(), "alpha": self.alpha_.tolist()}

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        changes = np.full((len(rows), y.shape[1], self.horizon_), np.nan)
        steps = np.arange(self.horizon_)
        for n, column in enumerate(columns):
            known = np.flatnonzero(~np.isnan(y[:, n]))
            if not len(known):
                continue
            first, alpha = known[0], self.alpha_[column]
            can = rows >= first
            at = rows[can] - first
            count = np.arange(len(y) - first)
            rest = y[first:, n] - self.season_[column][count % self.m]
            level = lfilter([alpha], [1.0, alpha - 1.0], rest, zi=[(1 - alpha) * rest[0]])[0]
            trend = steps + (1 - (1 - alpha) ** (at[:, None] + 1.0)) / alpha  # (K, H)
            season = self.season_[column][(at[:, None] + 1 + steps) % self.m]
            changes[can, n] = level[at][:, None] + self.slope_[column] / 2 * trend + season - y[rows[can], n][:, None]
        return changes


def _model(shape: str, m: int, y: np.ndarray) -> Any:
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    kinds = {"A": "add", "M": "mul", "N": None}
    season = kinds[shape[-1]]
    return ETSModel(
        y,
        error=kinds[shape[0]],
        trend=kinds[shape[1]],
        damped_trend="d" in shape,
        seasonal=season,
        seasonal_periods=m if season else None,
    )
