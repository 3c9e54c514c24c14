"""Exponential smoothing: one form, or the mean of several weighted by how well they fit."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from forecast._validation import check_choice
from forecast.models.base import LEVELS
from forecast.models.smoothing.optimum import find_optimum
from forecast.models.smoothing.shapes import SHAPES, Shape, forecast_from
from forecast.models.smoothing.state import GRID, StateModel, log_of_forecast, standardise

AUTO = "auto"
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
        "AAA" the method of Holt and Winters. "auto" forecasts the mean of the additive forms, weighted by
        exp(-BIC / 2), approximately their posterior probabilities (Raftery, 1995). A series with too few rows for a
        shape gets the nearest simpler one.
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
        for n, name in enumerate(self.series_):
            observed = y[~np.isnan(y[:, n]), n]
            if len(observed) < self.min_rows(self.horizon_):
                continue
            fits = self._fit_series(observed, self.log_.in_logs[n], name)
            self.fits_[name] = fits
            self.record_["shape"][name] = {_label(fit): round(fit.weight, 4) for fit in fits}
            self.record_["params"][name] = {_label(fit): fit.params.round(6).tolist() for fit in fits}

    def _fit_series(self, y: np.ndarray, log: bool, name: str) -> tuple[Smoothing, ...]:
        """Fit the forms to a series (T,), which is in logs or not, and weigh them."""
        if np.ptp(y) == 0:
            return (Smoothing("ANN", np.array([1.0, 0.0]), float(y[0]), 1.0, log),)
        forms = self._forms(y, log)
        fitted = [_fit_form(shape, y, log, in_logs) for shape, in_logs in forms]
        if not all(converged for _, _, converged in fitted):
            warnings.warn(f"the smoothing parameters of {name} stopped short of a maximum", _warning(), stacklevel=2)
        criterion = np.array([bic for _, bic, _ in fitted])
        weights = np.exp((criterion.min() - criterion) / 2)
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
        shapes = {
            _simpler(f"A{trend}{season}", self.m, len(y)) for trend in ("N", "A", "Ad") for season in self._seasons
        }
        spaces = (False, True) if log and self.log == "auto" else (log,)
        return [(shape, flag) for flag in spaces for shape in sorted(shapes, key=lambda shape: shape.name)]

    @property
    def _seasons(self) -> str:
        return "NA" if self.m > 1 else "N"

    def _forecast_series(self, column: int, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        log = self.log_.in_logs[column]
        fits = self.fits_.get(self.series_[column])
        if fits is None:
            return np.full((len(rows), self.horizon_), np.nan)
        if all(fit.log == log for fit in fits) and len(fits) == 1:
            return _forecast(fits[0], y, rows, self.horizon_, self.m)
        prices = np.exp(y) if log else y
        total = np.zeros((len(rows), self.horizon_))
        for fit in fits:
            forecast = _forecast(fit, y if fit.log == log else prices, rows, self.horizon_, self.m)
            total += fit.weight * (np.exp(forecast) if fit.log else forecast)
        return log_of_forecast(total, prices[rows]) if log else total


def _label(fit: Smoothing) -> str:
    return f"log {fit.shape}" if fit.log else fit.shape


def _warning() -> type[Warning]:
    from sklearn.exceptions import ConvergenceWarning

    return ConvergenceWarning


def _simpler(name: str, m: int, rows: int) -> Shape:
    """Return the shape, or the nearest one that so many rows can estimate: without a season, damping, or trend."""
    shape = Shape(name, m)
    if shape.has_season and rows < max(2 * m, shape.n_parameters + 2):
        shape = Shape(name[:-1] + "N")
    for simpler in ("AN", "NN"):
        if rows >= shape.n_parameters + 2:
            break
        if len(simpler) < len(shape.name) or shape.has_trend:
            shape = Shape(shape.name[0] + simpler)
    return shape


def _fit_form(shape: Shape, y: np.ndarray, log: bool, in_logs: bool) -> tuple[Smoothing, float, bool]:
    """Return a form fitted to a series (T,), its BIC as a model of the prices, and whether the search converged."""
    values = np.exp(y) if log and not in_logs else y
    factors = "M" in shape.name
    offset = 0.0 if factors else float(values[0])
    scale = float(values.mean() if factors else np.abs(np.diff(values)).mean())
    found = find_optimum(shape, standardise(values, offset, scale))
    n = len(y)
    variance = max(found.total / n, GRID**2)
    loglik = -n / 2 * (np.log(2 * np.pi * variance) + 1) - n * np.log(scale) - (y.sum() if in_logs else 0.0)
    bic = shape.n_parameters * np.log(n) - 2 * float(loglik)
    return Smoothing(shape.name, found.params, offset, scale, in_logs), bic, found.converged


def _forecast(fit: Smoothing, y: np.ndarray, rows: np.ndarray, horizon: int, m: int) -> np.ndarray:
    """Return one form's forecasts (K, H) from K rows of a series (T,)."""
    z = (y - fit.offset) / fit.scale
    return forecast_from(Shape(fit.shape, m), fit.params, z, rows, horizon) * fit.scale + fit.offset
