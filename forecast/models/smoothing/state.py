"""What exponential smoothing and the Theta method share: states that run from a series' first training row."""

from __future__ import annotations

import numpy as np

from forecast._validation import check_int
from forecast.features.windows import sum_rows
from forecast.models.base import LEVELS
from forecast.models.baseline import Baseline

#: The least forecast of a positive series, as a fraction of its last value.
LEAST = 0.01
UPPER = 0.9  # the level at which quantiles of Student's t distribution are compared with those of the normal one
SHOCK = 1e-3  # of the newest value, in mean absolute changes, from which its weight in the forecasts is measured


class StateModel(Baseline):
    """A model fitted to each series, whose states run from its first training row; `m` is the rows in a season.

    Its errors in training are smaller than those of forecasts: they are multiplied, for each step, by the greater of
    two factors. One is that of the degrees of freedom, with the tails of Student's t distribution. The other makes
    their mean square that of the model: the mean square of the one-step errors, growing by the weights of past errors
    (Hyndman, Koehler, Ord and Snyder, 2008, chapter 6), plus the variance between the forms that are averaged.
    """

    supports_recursive = False
    has_series_parameters = True
    depends_on_start = True

    def __init__(self, m: int = 1, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        super().__init__(levels, log)
        self.m = m

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        check_int("m", self.m, 1)

    def _fit_rule(self, y: np.ndarray) -> None:
        n_series = len(self.series_)
        self.n_estimated_ = np.zeros(n_series)
        self.growth_ = np.ones((n_series, self.horizon_))  # of the variance of errors, by step
        self.between_ = np.zeros((n_series, self.horizon_))  # the variance between forms
        for n in range(n_series):
            values = y[~np.isnan(y[:, n]), n]
            if len(values) < self.min_rows(self.horizon_):
                continue
            self.n_estimated_[n] = min(self._fit_series(n, values), len(values) - 2)
            self.growth_[n], self.between_[n] = self._growth(n, values), self._variance_between(n, values)

    def _fit_series(self, column: int, y: np.ndarray) -> float:
        """Fit the model to the training rows of a series (T,) and return how many parameters were estimated."""
        raise NotImplementedError

    def _forecast_series(self, column: int, y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the forecasts (K, H) of one series from K of its rows (T,); NaN if it was not fitted."""
        raise NotImplementedError

    def _variance_between(self, column: int, y: np.ndarray) -> np.ndarray:
        """Return the variance between the forms of a series at its last training row, by step (H,)."""
        return np.zeros(self.horizon_)

    def _growth(self, column: int, y: np.ndarray) -> np.ndarray:
        """Return the variance of the errors of each step over that of the first (H,)."""
        shock = SHOCK * np.abs(np.diff(y)).mean()
        if not shock > 0:
            return np.ones(self.horizon_)
        last = np.array([len(y) - 1])
        moved = np.append(y[:-1], y[-1] + shock)
        weights = (self._forecast_series(column, moved, last) - self._forecast_series(column, y, last))[0] / shock
        return 1 + np.concatenate([[0.0], np.cumsum(np.nan_to_num(weights[:-1]) ** 2)])

    def _measure_spread(
        self, errors: np.ndarray, observed: np.ndarray, series: tuple[str, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        from scipy import special

        columns = [self.series_.index(name) for name in series]
        n_rows = (~np.isnan(observed)).sum(axis=0)
        free = np.maximum(n_rows - self.n_estimated_[columns], 1)
        tails = special.stdtrit(free, UPPER) / special.ndtri(UPPER)
        factor = (tails * np.sqrt(np.maximum(n_rows, 1) / free))[:, None]  # (N, 1)
        known = ~np.isnan(errors)
        mean_square = sum_rows(np.where(known, errors, 0.0) ** 2) / np.maximum(known.sum(axis=0), 1)  # (N, H)
        model = mean_square[:, :1] * factor**2 * self.growth_[columns] + self.between_[columns]
        ratio = np.sqrt(np.divide(model, mean_square, out=np.zeros_like(model), where=mean_square > 0))
        return super()._measure_spread(errors * np.maximum(factor, ratio), observed, series)

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


def log_of_forecast(forecast: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the logs of forecasts (K, H) of a positive series; none is below a hundredth of the last value (K,)."""
    return np.log(np.maximum(forecast, LEAST * last[:, None]))
