"""What the simple models share: a rule for the point, and quantiles from its own errors in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from forecast.models.base import Forecast, Forecaster, ahead, carried, choose_log, error_quantiles, moved, transform
from forecast.panel import Panel, label

TOGETHER = 32  # series whose errors at every row and step are held at a time


class Baseline(Forecaster):
    """A rule for the point, with few parameters; its quantiles are those of its own errors in training, centred on it.

    A subclass writes `_changes`, and `_learn` if the rule has parameters. Missing rows carry the last value.
    """

    #: With so few parameters its forecasts of training rows are as good as of later ones, so nets may correct them.
    honest_in_sample = True
    #: Does the rule count from the first training row on, whatever lies before it?
    counts_from_start = False
    #: Does the rule itself, not only its spread, need something learnt of each series?
    own_parameters = False
    #: Does each step move on from the one before, whatever that was?
    moves_on = True

    levels: Any
    log: Any

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        self.record_ = {"log": self.log_}
        self.start_ = panel.index[0]
        observed = transform(panel, self.log_)
        y = carried(observed)
        self._learn(y)
        every_row, every_column = np.arange(len(panel)), np.arange(len(panel.series))
        parts = []
        for at in range(0, len(every_column), TOGETHER):
            some = slice(at, at + TOGETHER)
            changes = self._changes(y[:, some], every_row, every_column[some])
            errors = ahead(observed[:, some], horizon) - observed[:, some, None] - changes  # (T, some, H)
            parts.append(error_quantiles(errors, (*self.levels, 0.5), panel.series[some]))
        quantiles = np.concatenate(parts)
        self.spread_ = quantiles[..., :-1] - quantiles[..., -1:]  # (N, H, Q)

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        columns = self._fitted_columns(panel)
        last, changes = self._rule(panel, rows, columns)
        return Forecast(
            point=moved(last, changes, self.log_),
            quantiles=moved(last[..., None], changes[..., None] + self.spread_[columns], self.log_),
            levels=tuple(self.levels),
            series=panel.series,
            cutoffs=panel.index[rows],
        )

    def _point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        columns = self._fitted_columns(panel) if self.own_parameters else np.arange(len(panel.series))
        return moved(*self._rule(panel, rows, columns), self.log_)

    def _rule(self, panel: Panel, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the last prices (K, N, 1) and how far the rule moves them (K, N, H)."""
        first = 0
        if self.counts_from_start and self.start_ in panel.index:
            first = panel.index.get_loc(self.start_)
        elif self.counts_from_start and getattr(self, "m", 1) > 1:
            raise ValueError(
                f"{type(self).__name__} counts its season from {label(self.start_)}, where it was fitted from, and "
                "these prices have no such row: bring the history from there on"
            )
        y = carried(transform(panel, self.log_)[first:])  # as in training, nothing is carried in from before
        changes = np.full((len(rows), len(columns), self.horizon_), np.nan)
        changes[rows >= first] = self._changes(y, rows[rows >= first] - first, columns)
        return carried(panel.target)[rows][:, :, None], changes

    def _learn(self, y: np.ndarray) -> None:
        """Take what the rule needs from the training rows (T, N)."""

    def _changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Apply the rule at each row: how far from the last value each step will be, (K, N, H)."""
        raise NotImplementedError
