"""What exponential smoothing and the Theta method share: states that run from a series' first training row."""

from __future__ import annotations

import numpy as np

from forecast.models.base import LEVELS
from forecast.models.baseline import Baseline

#: The grid of standardised values: a series and its multiples round to the same values, so that both fits are equal.
GRID = 2.0**-26
#: The least forecast of a positive series, as a fraction of its last value.
LEAST = 0.01


def standardise(y: np.ndarray, offset: float, scale: float) -> np.ndarray:
    """Return (y - offset) / scale, rounded so that y and its multiples give the same values."""
    return np.round((y - offset) / scale / GRID) * GRID


class StateModel(Baseline):
    """A model fitted to each series, whose states run from its first training row; `m` is the rows in a season."""

    supports_recursive = False
    has_series_parameters = True
    depends_on_start = True

    def __init__(self, m: int = 1, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        super().__init__(levels, log)
        self.m = m

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


def log_of_forecast(forecast: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the logs of forecasts (K, H) of a positive series; none is below a hundredth of the last value (K,)."""
    return np.log(np.maximum(forecast, LEAST * last[:, None]))
