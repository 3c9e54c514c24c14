"""The common part of simple models: a rule for the point forecast, and quantiles of the rule's errors in training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from forecast._validation import check_int
from forecast.data.panel import Panel, format_date
from forecast.features.inputs import iter_series_chunks
from forecast.features.windows import forward_fill, future_windows
from forecast.models.base import LEVELS, Forecast, Forecaster, apply_change, choose_log, error_quantiles, transform


class Baseline(Forecaster):
    """A rule with few parameters; the quantiles are those of its errors in training, centred on the point forecast.

    A subclass defines `_predict_changes`, and `_fit_rule` if the rule has parameters. Missing rows are forward-filled.
    """

    in_sample_is_valid = True  # few parameters: training rows are forecast as well as later ones
    supports_recursive = True
    #: Whether the rule counts rows from the first training row, so that it needs the history from there on.
    depends_on_start = False
    #: Whether the rule itself, not only its quantiles, has parameters for each series.
    has_series_parameters = False

    m: int = 1  # rows in a season

    def __init__(self, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        self.levels = levels
        self.log = log

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        check_int("m", self.m, 1)

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        self.record_ = {"log": self.log_}
        self.start_ = panel.index[0]
        observed = transform(panel, self.log_)
        y = forward_fill(observed)
        self._fit_rule(y)
        rows, columns = np.arange(len(panel)), np.arange(len(panel.series))
        quantiles = []  # of each chunk of series
        for chunk in iter_series_chunks(len(columns)):
            changes = self._predict_changes(y[:, chunk], rows, columns[chunk])
            errors = future_windows(observed[:, chunk], horizon) - observed[:, chunk, None] - changes  # (T, chunk, H)
            quantiles.append(error_quantiles(errors, (*self.levels, 0.5), panel.series[chunk]))
        spread = np.concatenate(quantiles)
        self.spread_ = spread[..., :-1] - spread[..., -1:]  # (N, H, Q)

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        columns = self._fitted_columns(panel)
        levels = tuple(self.levels)
        point = np.empty((len(rows), len(columns), self.horizon_))
        quantiles = np.empty((*point.shape, len(levels)))
        for chunk, last, changes in self._iter_chunks(panel, rows, columns):
            point[:, chunk] = apply_change(last, changes, self.log_)
            spread = self.spread_[columns[chunk]]  # (chunk, H, Q)
            quantiles[:, chunk] = apply_change(last[..., None], changes[..., None] + spread, self.log_)
        return Forecast(point, quantiles, levels, panel.series, panel.index[rows])

    def _predict_point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        columns = self._fitted_columns(panel) if self.has_series_parameters else np.arange(len(panel.series))
        point = np.empty((len(rows), len(columns), self.horizon_))
        for chunk, last, changes in self._iter_chunks(panel, rows, columns):
            point[:, chunk] = apply_change(last, changes, self.log_)
        return point

    def _iter_chunks(
        self, panel: Panel, rows: np.ndarray, columns: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Yield each chunk of series, its last prices (K, chunk, 1) and the rule's changes (K, chunk, H)."""
        first = 0
        if self.depends_on_start and self.start_ in panel.index:
            first = panel.index.get_loc(self.start_)
        elif self.depends_on_start and self.m > 1:
            raise ValueError(
                f"{type(self).__name__} counts its season from its first training row, from "
                f"{format_date(self.start_)}, which these prices lack: pass the history from there on"
            )
        y = forward_fill(transform(panel, self.log_)[first:])  # as in training, no value from before the first row
        last, known = forward_fill(panel.target)[rows][:, :, None], rows >= first
        for chunk in iter_series_chunks(len(columns)):
            changes = np.full((len(rows), len(columns[chunk]), self.horizon_), np.nan)
            changes[known] = self._predict_changes(y[:, chunk], rows[known] - first, columns[chunk])
            yield chunk, last[:, chunk], changes

    def _fit_rule(self, y: np.ndarray) -> None:
        """Estimate the parameters of the rule from the forward-filled training rows (T, N)."""

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the forecast change from the last value to each step, (K, N, H), from each of K rows of y (T, N)."""
        raise NotImplementedError
