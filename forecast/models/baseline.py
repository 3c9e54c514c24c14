"""What the simple models share: a rule for the point, and quantiles from its own errors in training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from forecast.data.panel import Panel, format_date
from forecast.features.inputs import iter_series_chunks
from forecast.features.windows import forward_fill, future_windows
from forecast.models.base import Forecast, Forecaster, apply_change, choose_log, error_quantiles, transform


class Baseline(Forecaster):
    """A rule for the point, with few parameters; its quantiles are those of its own errors in training, centred on it.

    A subclass writes `_changes`, and `_fit_rule` if the rule has parameters. Missing rows carry the last value.
    """

    #: With so few parameters its forecasts of training rows are as good as of later ones, so nets may correct them.
    in_sample_is_valid = True
    #: Does the rule count from the first training row on, whatever lies before it?
    depends_on_start = False
    #: Does the rule itself, not only its spread, need something learnt of each series?
    has_series_parameters = False
    #: Does each step move on from the one before, whatever that was?
    supports_recursive = True

    levels: Any
    log: Any

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        self.record_ = {"log": self.log_}
        self.start_ = panel.index[0]
        observed = transform(panel, self.log_)
        y = forward_fill(observed)
        self._fit_rule(y)
        every_row, every_column = np.arange(len(panel)), np.arange(len(panel.series))
        parts = []
        for some in iter_series_chunks(len(every_column)):
            changes = self._predict_changes(y[:, some], every_row, every_column[some])
            errors = future_windows(observed[:, some], horizon) - observed[:, some, None] - changes  # (T, some, H)
            parts.append(error_quantiles(errors, (*self.levels, 0.5), panel.series[some]))
        quantiles = np.concatenate(parts)
        self.spread_ = quantiles[..., :-1] - quantiles[..., -1:]  # (N, H, Q)

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        columns = self._fitted_columns(panel)
        levels = tuple(self.levels)
        point = np.empty((len(rows), len(columns), self.horizon_))
        quantiles = np.empty((*point.shape, len(levels)))
        for some, last, changes in self._iter_chunks(panel, rows, columns):
            point[:, some] = apply_change(last, changes, self.log_)
            spread = self.spread_[columns[some]]  # (some, H, Q)
            quantiles[:, some] = apply_change(last[..., None], changes[..., None] + spread, self.log_)
        return Forecast(point, quantiles, levels, panel.series, panel.index[rows])

    def _predict_point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        columns = self._fitted_columns(panel) if self.has_series_parameters else np.arange(len(panel.series))
        point = np.empty((len(rows), len(columns), self.horizon_))
        for some, last, changes in self._iter_chunks(panel, rows, columns):
            point[:, some] = apply_change(last, changes, self.log_)
        return point

    def _iter_chunks(
        self, panel: Panel, rows: np.ndarray, columns: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Give some series at a time, their last prices (K, some, 1) and how far the rule moves them (K, some, H)."""
        first = 0
        if self.depends_on_start and self.start_ in panel.index:
            first = panel.index.get_loc(self.start_)
        elif self.depends_on_start and getattr(self, "m", 1) > 1:
            raise ValueError(
                f"{type(self).__name__} counts its season from {format_date(self.start_)}, where it was fitted from, and "
                "these prices have no such row: bring the history from there on"
            )
        y = forward_fill(transform(panel, self.log_)[first:])  # as in training, nothing is carried in from before
        last, known = forward_fill(panel.target)[rows][:, :, None], rows >= first
        for some in iter_series_chunks(len(columns)):
            changes = np.full((len(rows), len(columns[some]), self.horizon_), np.nan)
            changes[known] = self._predict_changes(y[:, some], rows[known] - first, columns[some])
            yield some, last[:, some], changes

    def _fit_rule(self, y: np.ndarray) -> None:
        """Take what the rule needs from the training rows (T, N)."""

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Apply the rule at each row: how far from the last value each step will be, (K, N, H)."""
        raise NotImplementedError
