"""The dynamic optimised Theta model, whose parameters are found by one search over the smoothing parameter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.features.scaling import standardise
from forecast.models.smoothing.seasonality import is_seasonal, seasonal_indices
from forecast.models.smoothing.state import StateModel, log_of_forecast

LEAST_INDEX = 0.01  # a multiplicative season with a smaller index is not removed
BOUNDS = (0.2, 1.0)  # of the smoothing parameter
POINTS, ROUNDS = 21, 3  # of the search, each round within the neighbours of the best point of the one before
N_PARAMETERS = 3
BURN_IN = 3  # first rows, whose errors are not counted: a line through so few points is too uncertain
FIXED_ROWS = 6  # with fewer rows theta is 2
RIDGE = 1e-3  # draws the initial level towards the first value where the errors that count do not depend on it


@dataclass(frozen=True)
class ThetaFit:
    """One series' fit: its season, how it was standardised, and the parameters."""

    season: np.ndarray  # (m,) by rows since the first observed one
    multiplies: bool
    offset: float
    scale: float
    alpha: float
    level: float  # before the first row
    weight: float  # of the trend, 1 - 1 / theta


class Theta(StateModel):
    """The dynamic optimised Theta model (Fiorucci, Pellegrini, Louzada, Petropoulos and Koehler, 2016).

    A smoothed level plus a part of the trend, that of the least-squares line up to each row. `m` is the number of rows
    in a season (1: none), which is removed first if a test of the autocorrelation finds it. The quantiles are those of
    its own errors in training.

    Parameters
    ----------
    m : int, default 1
        The number of rows in a season.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    log : bool or "auto", default "auto"
        Whether to forecast logs. "auto": the prices themselves; where all training prices are positive, the season is
        a factor or added, whichever has the smaller absolute one-step errors. The season of logs, and of prices with
        False, is added.

    Notes
    -----
    The line up to a row depends on the data alone, so that for a given smoothing parameter the one-step errors are
    linear in the initial level and in 1 - 1 / theta: a search over one number finds the least squares.

    Examples
    --------
    >>> prices = fc.load_sample("stocks")["IBM"]
    >>> fc.Theta().fit(prices, horizon=5).predict(prices).point.shape
    (1, 1, 5)
    """

    nests_naive = True  # a level that equals the newest value, and no trend

    def _fit_rule(self, y: np.ndarray) -> None:
        self.fits_: dict[str, ThetaFit] = {}
        in_logs = np.array(self.log_.in_logs)
        self.on_prices_ = in_logs & (self.log == "auto")  # (N,) whose errors are in logs, but whose model is not
        self.record_ |= {"alpha": {}, "theta": {}, "seasonal": {}}
        super()._fit_rule(y)

    def _fit_series(self, column: int, y: np.ndarray) -> float:
        multiply, name = bool(self.on_prices_[column]), self.series_[column]
        self.fits_[name] = fit = fit_theta(np.exp(y) if multiply else y, self.m, multiply)
        is_seasonal = bool(np.ptp(fit.season) > 0)
        self.record_["alpha"][name] = round(fit.alpha, 6)
        self.record_["theta"][name] = round(1 / max(1 - fit.weight, 1e-6), 6)
        self.record_["seasonal"][name] = is_seasonal
        return N_PARAMETERS + (self.m - 1) * is_seasonal

    def _forecast_series(self, column: int, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        fit = self.fits_.get(self.series_[column])
        if fit is None:
            return np.full((len(rows), self.horizon_), np.nan)
        if not self.on_prices_[column]:
            return forecast_theta(fit, y, rows, self.horizon_)
        prices = np.exp(y)
        return log_of_forecast(forecast_theta(fit, prices, rows, self.horizon_), prices[rows])


def fit_theta(y: np.ndarray, m: int, multiply: bool) -> ThetaFit:
    """Fit the model to a series (T,), whose season is added, or a factor if `multiply` and its errors are smaller."""
    offset, scale = float(y[0]), float(np.abs(np.diff(y)).mean()) or 1.0
    rounded = standardise(y, offset, scale)
    if not is_seasonal(rounded, m):
        return _fit_adjusted(y, np.zeros(m), multiplies=False)
    fit = _fit_adjusted(y, seasonal_indices(rounded, m, multiply=False) * scale, multiplies=False)
    if multiply:
        factors = seasonal_indices(y, m, multiply=True)
        other = _fit_adjusted(y, factors, multiplies=True) if factors.min() > LEAST_INDEX else fit
        fit = min(other, fit, key=lambda candidate: _mean_error(candidate, y))
    return fit


def _fit_adjusted(y: np.ndarray, season: np.ndarray, multiplies: bool) -> ThetaFit:
    """Fit the model to a series (T,) from which a season is removed."""
    adjusted = _adjust(y, season, multiplies)
    offset, scale = float(adjusted[0]), float(np.abs(np.diff(adjusted)).mean()) or 1.0
    alpha, level, weight = search(standardise(adjusted, offset, scale))
    return ThetaFit(season, multiplies, offset, scale, alpha, level, weight)


def _mean_error(fit: ThetaFit, y: np.ndarray) -> float:
    """Return the mean absolute one-step error."""
    forecast = forecast_theta(fit, y, np.arange(BURN_IN - 1, len(y) - 1), 1)[:, 0]
    return float(np.abs(y[BURN_IN:] - forecast).mean())


def _adjust(y: np.ndarray, season: np.ndarray, multiplies: bool) -> np.ndarray:
    cycle = season[np.arange(len(y)) % len(season)]
    return y / cycle if multiplies else y - cycle


def lines(y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of the values up to each row (T,), and the intercept and slope of their least-squares line."""
    t = np.arange(1, len(y) + 1.0)
    total = np.cumsum(y)
    mean = total / t
    spread = t * (t * t - 1) / 12
    slope = (np.cumsum(t * y) - (t + 1) / 2 * total) / np.maximum(spread, 0.5)
    slope[0] = 0.0
    return mean, mean - (t + 1) / 2 * slope, slope


def search(y: np.ndarray) -> tuple[float, float, float]:
    """Return the smoothing parameter, initial level and weight of the trend of the least squared one-step errors."""
    _, intercept, slope = lines(y)
    low, high = BOUNDS
    weights = (0.0, 1.0) if len(y) >= FIXED_ROWS else (0.5, 0.5)
    for _ in range(ROUNDS):
        alpha = np.linspace(low, high, POINTS)
        totals, levels, trends = _regress(y, intercept, slope, alpha, weights)
        best = int(np.argmin(totals))
        step = alpha[1] - alpha[0]
        low, high = max(BOUNDS[0], alpha[best] - step), min(BOUNDS[1], alpha[best] + step)
    return float(alpha[best]), float(levels[best]), float(trends[best])


def _regress(
    y: np.ndarray, intercept: np.ndarray, slope: np.ndarray, alpha: np.ndarray, bounds: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the least sum of squares for each smoothing parameter (G,), its initial level and weight of the trend."""
    decay, steps = 1 - alpha, np.arange(len(y))[:, None]
    smoothed, level = np.empty((len(y), len(alpha))), np.zeros(len(alpha))
    for row, value in enumerate(y.tolist()):
        smoothed[row] = level
        level = decay * level + alpha * value
    first = min(BURN_IN, max(len(y) - BURN_IN, 1))
    start = decay**steps
    trend = start[first:] * intercept[first - 1 : -1, None]
    trend += (1 - start[first:] * decay) / alpha * slope[first - 1 : -1, None]
    rest, start = y[first:, None] - smoothed[first:], start[first:]
    squares = (start * start).sum(axis=0) + RIDGE
    cross = (start * trend).sum(axis=0) / squares
    constant = (start * rest).sum(axis=0) / squares
    left, left_trend = rest - constant * start, trend - cross * start  # what the initial level does not explain
    size = (trend * left_trend).sum(axis=0)
    weight = np.clip((trend * left).sum(axis=0) / np.where(size > 0, size, 1.0), *bounds)
    totals = ((rest - weight * trend) * (left - weight * left_trend)).sum(axis=0)
    return totals, constant - weight * cross, weight


def forecast_theta(fit: ThetaFit, y: np.ndarray, rows: np.ndarray, horizon: int) -> np.ndarray:
    """Return the forecasts (K, H) from K rows of a series (T,)."""
    from scipy.signal import lfilter

    z = (_adjust(y, fit.season, fit.multiplies) - fit.offset) / fit.scale
    decay = 1 - fit.alpha
    level = lfilter([fit.alpha], [1.0, -decay], z, zi=[decay * fit.level])[0][rows]
    mean, intercept, slope = (line[rows] for line in lines(z))
    t = rows + 1.0  # the number of values so far
    forecast = np.empty((len(rows), horizon))
    for step in range(horizon):
        power = decay**t
        value = level + fit.weight * (power * intercept + (1 - power * decay) / fit.alpha * slope)
        forecast[:, step] = value
        level = fit.alpha * value + decay * level
        slope = ((t - 1) * slope + 6 / (t + 1) * (value - mean)) / (t + 2)
        mean = (t * mean + value) / (t + 1)
        t = t + 1
        intercept = mean - (t + 1) / 2 * slope
    season = fit.season[(rows[:, None] + 1 + np.arange(horizon)) % len(fit.season)]
    forecast = forecast * fit.scale + fit.offset
    return forecast * season if fit.multiplies else forecast + season
