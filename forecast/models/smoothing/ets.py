"""Exponential smoothing: one form, or the mean of several weighted by how well they fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from forecast._validation import check_choice
from forecast._warnings import warn
from forecast.features.scaling import GRID, standardise
from forecast.models.base import LEVELS
from forecast.models.smoothing.optimum import find_optimum
from forecast.models.smoothing.residuals import LinearErrors
from forecast.models.smoothing.shapes import SHAPES, Shape, forecast_from
from forecast.models.smoothing.state import StateModel, log_of_forecast

AUTO = "auto"
MARGIN = 4  # rows that a shape needs beyond its parameters, as in R
EVIDENCE = 0.5  # the share of AIC's differences that counts, as no form is exactly right (Gruenwald, 2012)
LEAST_WEIGHT = 0.01  # forms with less are left out


@dataclass(frozen=True)
class Smoothing:
    """A form fitted to one series: its shape, its parameters on the standardised series, and its weight."""

    shape: str
    params: np.ndarray
    offset: float  # subtracted from the series
    scale: float  # by which the difference was then divided
    log: bool  # whether the series was in logs
    weight: float = 1.0


class ETS(StateModel):
    """Exponential smoothing: a level, a trend and a season that follow the newest rows.

    Fitted by maximum likelihood, the search starting from several points. The quantiles are those of its own errors in
    training.

    Parameters
    ----------
    shape : str, default "auto"
        Error, trend and season as R names them: "ANN" is simple smoothing, "AAN" Holt's method, "AAdN" a damped trend,
        "AAA" the method of Holt and Winters. "auto" forecasts the mean of additive forms, weighted by exp(-AIC / 4);
        of logs only those without a trend, and a damped trend with a season. A series with too few rows for a shape
        gets the nearest simpler one.
    m : int, default 1
        The number of rows in a season.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    log : bool or "auto", default "auto"
        Whether to smooth logs, in which addition is multiplication. "auto": where all training prices are positive; the
        shape "auto" then weighs forms of logs and of prices, and a shape with an M is one of prices.

    References
    ----------
    Hyndman, Koehler, Snyder and Grose (2002), A state space framework for automatic forecasting using exponential
    smoothing methods, International Journal of Forecasting 18. Kolassa (2011), Combining exponential smoothing
    forecasts using Akaike weights, International Journal of Forecasting 27.

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
        self.fits_: dict[str, tuple[Smoothing, ...]] = {}
        self.record_ |= {"shape": {}, "params": {}}
        super()._fit_rule(y)

    def _fit_series(self, column: int, y: np.ndarray) -> float:
        name = self.series_[column]
        self.fits_[name] = fits = self._weighted_forms(y, self.log_.in_logs[column], name)
        self.record_["shape"][name] = {_label(fit): round(fit.weight, 4) for fit in fits}
        self.record_["params"][name] = {_label(fit): fit.params.round(6).tolist() for fit in fits}
        return sum(fit.weight * (Shape(fit.shape, self.m).n_parameters - 1) for fit in fits)

    def _weighted_forms(self, y: np.ndarray, log: bool, name: str) -> tuple[Smoothing, ...]:
        """Fit the forms to a series (T,), which is in logs or not, and weigh them."""
        if np.ptp(y) == 0:
            return (Smoothing("ANN", np.array([1.0, 0.0]), float(y[0]), 1.0, log),)
        fitted = [_fit_form(shape, y, log, in_logs) for shape, in_logs in self._forms(y, log)]
        if not all(converged for _, _, converged in fitted):
            message = f"the smoothing parameters of {name} stopped short of a maximum"
            warn(message, _warning())
        criterion = np.array([aic for _, aic, _ in fitted])
        weights = np.exp((criterion.min() - criterion) * EVIDENCE / 2)
        weights[weights < LEAST_WEIGHT * weights.sum()] = 0.0
        weights /= weights.sum()
        pairs = zip(fitted, weights.tolist(), strict=True)
        return tuple(replace(fit, weight=weight) for (fit, _, _), weight in pairs if weight)

    def _forms(self, y: np.ndarray, log: bool) -> list[tuple[Shape, bool]]:
        """Return the shapes to fit to a series, each with whether it is fitted to logs."""
        if self.shape != AUTO:
            in_logs = log and not (self.log == "auto" and "M" in self.shape)
            positive = log or bool((y > 0).all())
            return [(_simpler(self.shape if positive else self.shape.replace("M", "A"), self.m, len(y)), in_logs)]
        seasons = "NA" if self.m > 1 else "N"
        names = [f"A{trend}{season}" for trend in ("N", "A", "Ad") for season in seasons]
        shapes = list(dict.fromkeys(_simpler(name, self.m, len(y)) for name in names))
        spaces = (False, True) if log and self.log == "auto" else (log,)
        pairs = [(shape, in_logs) for in_logs in spaces for shape in shapes]
        return [(shape, in_logs) for shape, in_logs in pairs if not (in_logs and _may_explode(shape))]

    def _forecast_series(self, column: int, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        fits = self.fits_.get(self.series_[column])
        if fits is None:
            return np.full((len(rows), self.horizon_), np.nan)
        log = self.log_.in_logs[column]
        forecasts = self._forecast_forms(fits, y, rows, log)
        if len(fits) == 1:
            return forecasts[0]
        if log:
            forecasts = np.exp(forecasts)
        total = np.zeros(forecasts.shape[1:])
        for fit, forecast in zip(fits, forecasts, strict=True):
            total += fit.weight * forecast
        return np.log(total) if log else total

    def _forecast_forms(self, fits: tuple[Smoothing, ...], y: np.ndarray, rows: np.ndarray, log: bool) -> np.ndarray:
        """Return each form's forecasts (F, K, H), in logs if the series is."""
        prices = np.exp(y) if log else y
        forecasts = np.empty((len(fits), len(rows), self.horizon_))
        for i, fit in enumerate(fits):
            values = y if fit.log == log else prices
            forecast = _forecast(fit, values, rows, self.horizon_, self.m)
            forecasts[i] = forecast if fit.log == log else log_of_forecast(forecast, prices[rows])
        return forecasts

    def _growth(self, column: int, y: np.ndarray) -> np.ndarray:
        growth = super()._growth(column, y)
        for fit in self.fits_[self.series_[column]]:
            if Shape(fit.shape).has_trend and np.ptp(y) > 0:
                growth = growth + fit.weight * _slope_growth(fit, len(y), self.m, self.horizon_)
        return growth

    def _variance_between(self, column: int, y: np.ndarray) -> np.ndarray:
        fits = self.fits_[self.series_[column]]
        forecasts = self._forecast_forms(fits, y, np.array([len(y) - 1]), self.log_.in_logs[column])[:, 0]
        weights = np.array([fit.weight for fit in fits])
        return weights @ (forecasts - weights @ forecasts) ** 2


def _label(fit: Smoothing) -> str:
    return f"log {fit.shape}" if fit.log else fit.shape


def _warning() -> type[Warning]:
    from sklearn.exceptions import ConvergenceWarning

    return ConvergenceWarning


def _may_explode(shape: Shape) -> bool:
    """Return whether a trend of logs, which grows exponentially, lacks the damping and the many rows of a season."""
    return shape.has_trend and not (shape.is_damped and shape.has_season)


def _simpler(name: str, m: int, rows: int) -> Shape:
    """Return the shape, or the nearest one that so many rows can estimate: without damping, trend, or season."""
    trends = ("Ad", "A", "N")
    for season in dict.fromkeys((name[-1], "N")):
        for trend in trends[trends.index(name[1:-1]) :]:
            shape = Shape(name[0] + trend + season, m)
            if rows >= max(2 * m if shape.has_season else 0, shape.n_parameters + MARGIN):
                return shape
    return Shape(name[0] + "NN")


def _fit_form(shape: Shape, y: np.ndarray, log: bool, in_logs: bool) -> tuple[Smoothing, float, bool]:
    """Return a form fitted to a series (T,), its AIC as a model of the prices, and whether the search converged."""
    values = np.exp(y) if log and not in_logs else y
    factors = "M" in shape.name
    offset = 0.0 if factors else float(values[0])
    scale = float(values.mean() if factors else np.abs(np.diff(values)).mean())
    found = find_optimum(shape, standardise(values, offset, scale))
    n = len(y)
    variance = max(found.total / n, GRID**2)
    loglik = -n / 2 * (np.log(2 * np.pi * variance) + 1) - n * np.log(scale) - (y.sum() if in_logs else 0.0)
    undamped = shape.has_trend and not shape.is_damped
    aic = 2 * (shape.n_parameters + undamped) - 2 * float(loglik)  # no damping is a choice of phi: it counts as one
    return Smoothing(shape.name, found.params, offset, scale, in_logs), aic, found.converged


def _forecast(fit: Smoothing, y: np.ndarray, rows: np.ndarray, horizon: int, m: int) -> np.ndarray:
    """Return one form's forecasts (K, H) from K rows of a series (T,)."""
    z = (y - fit.offset) / fit.scale
    return forecast_from(Shape(fit.shape, m), fit.params, z, rows, horizon) * fit.scale + fit.offset


def _slope_growth(fit: Smoothing, rows: int, m: int, horizon: int) -> np.ndarray:
    """Return what the uncertainty of the initial slope adds to the variance of each step (H,), over that of errors.

    A season that multiplies is disregarded.
    """
    shape = Shape(fit.shape.replace("M", "A"), m)
    zeros = np.zeros(rows)
    start = np.zeros(len(fit.params))
    start[: shape.n_smoothing], start[-1] = fit.params[: shape.n_smoothing], 1.0
    response = forecast_from(shape, start, zeros, np.array([rows - 1]), horizon)[0]
    return response**2 * LinearErrors(shape, zeros).slope_variance(fit.params[: shape.n_smoothing])
