"""Doing nothing, and two other ways of doing almost nothing: the rows that every table starts with."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from forecast.models.base import LEVELS, Forecast, Forecaster, ahead, carried, choose_log, moved, transform
from forecast.panel import Panel
from forecast.params import check_whole


class _Baseline(Forecaster):
    """A rule without search; its quantiles are those of its own errors in training, centred on the point."""

    #: Its forecasts at training rows use nothing of later rows that matters (no search), so nets may correct them.
    honest_in_sample = True
    #: Does the rule itself, not only its spread, need something learnt of each series?
    own_parameters = False
    #: Does each step move on from the one before, whatever that was?
    moves_on = True

    levels: Any
    log: Any

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        self.record_ = {"log": self.log_}
        observed = transform(panel, self.log_)
        y = carried(observed)
        self._learn(y)
        every_row, every_column = np.arange(len(panel)), np.arange(len(panel.series))
        changes = self._changes(y, every_row, every_column)
        errors = ahead(observed, horizon) - y[:, :, None] - changes  # (T, N, H)
        errors = np.where(panel.observed[:, :, None], errors, np.nan)
        with warnings.catch_warnings():  # a series without a single error has NaN quantiles; `fit` has named it
            warnings.filterwarnings("ignore", "All-NaN slice")
            spread = np.nanquantile(errors, self.levels, axis=0)  # (Q, N, H)
            self.spread_ = np.moveaxis(spread - np.nanmedian(errors, axis=0), 0, -1)  # (N, H, Q)

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
        changes = self._changes(carried(transform(panel, self.log_)), rows, columns)
        return carried(panel.target)[rows][:, :, None], changes

    def _learn(self, y: np.ndarray) -> None:
        """Take what the rule needs from the training rows (T, N)."""

    def _changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Apply the rule at each row: how far from the last value each step will be, (K, N, H)."""
        raise NotImplementedError


class Naive(_Baseline):
    """Tomorrow will be as today: the last observed price, at every step.

    On prices this is the random walk, the baseline of every comparison. `levels` are the quantiles to give, `log`
    whether errors are measured in logs ("auto": if all training prices are positive).
    """

    def __init__(self, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        self.levels = levels
        self.log = log

    def _changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.zeros((len(rows), y.shape[1], self.horizon_))


class Drift(_Baseline):
    """The last price, moved on by the average change of the training rows (in logs: the average growth)."""

    own_parameters = True

    def __init__(self, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        self.levels = levels
        self.log = log

    def _learn(self, y: np.ndarray) -> None:
        first = np.argmax(~np.isnan(y), axis=0)  # (N,)
        start = np.take_along_axis(y, first[None], axis=0)[0]
        self.slope_ = (y[-1] - start) / np.maximum(len(y) - 1 - first, 1)

    def _changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        steps = np.arange(1, self.horizon_ + 1)
        return np.broadcast_to(self.slope_[columns][:, None] * steps, (len(rows), len(columns), self.horizon_))


class SeasonalNaive(_Baseline):
    """The price one season ago: the next Monday will be as the last Monday was (`m` rows make a season)."""

    moves_on = False

    def __init__(self, m: int = 5, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        self.m = m
        self.levels = levels
        self.log = log

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_whole("m", self.m, 1)

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: a season and what lies ahead of it."""
        return self.m + horizon + 1

    def _changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        back = np.arange(self.horizon_) % self.m - self.m + 1  # (H,) rows before the cutoff: a season before each step
        source = rows[:, None] + back  # (K, H)
        changes = np.moveaxis(y[np.maximum(source, 0)], 1, 2) - y[rows][:, :, None]  # (K, N, H)
        return np.where((source >= 0)[:, None, :], changes, np.nan)
