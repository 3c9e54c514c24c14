"""Doing nothing, and other ways of doing almost nothing: the rows that every table starts with."""

from __future__ import annotations

import numpy as np

from forecast.models.base import LEVELS
from forecast.models.baseline import Baseline
from forecast.params import check_whole


class Naive(Baseline):
    """Tomorrow will be as today: the last observed price, at every step.

    On prices this is the random walk, the baseline of every comparison. `levels` are the quantiles to give, `log`
    whether errors are measured in logs ("auto": if all training prices are positive).

    >>> prices = np.array([1.0, 2.0, 4.0, 3.0])
    >>> fc.Naive().fit(prices, horizon=1).predict(prices).point.tolist()
    [[[3.0]]]
    """

    def __init__(self, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        self.levels = levels
        self.log = log

    def _changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.zeros((len(rows), y.shape[1], self.horizon_))


class Drift(Baseline):
    """The last price, moved on by the average change of the training rows (in logs: the average growth).

    >>> prices = np.array([1.0, 3.0, 5.0, 7.0])
    >>> fc.Drift(log=False).fit(prices, horizon=2).predict(prices).point.tolist()
    [[[9.0, 11.0]]]
    """

    own_parameters = True
    nests_naive = True  # a drift of 0

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


class SeasonalNaive(Baseline):
    """The price one season ago: the next Monday will be as the last Monday was (`m` rows make a season).

    >>> week = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
    >>> fc.SeasonalNaive(m=3).fit(week, horizon=2).predict(week).point.round(6).tolist()
    [[[1.0, 2.0]]]
    """

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


class WindowMean(Baseline):
    """The mean of the last `window` rows, at every step; in logs the geometric mean."""

    moves_on = False

    def __init__(self, window: int = 20, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        self.window = window
        self.levels = levels
        self.log = log

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_whole("window", self.window, 1)

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: a window and what lies ahead of it."""
        return self.window + horizon + 1

    def _changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        known = ~np.isnan(y)
        start = np.take_along_axis(y, np.argmax(known, axis=0)[None], axis=0)  # (1, N): sums of small numbers
        total = np.cumsum(np.where(known, y - start, 0.0), axis=0)
        count = np.cumsum(known, axis=0)
        for sums in (total, count):
            sums[self.window :] = sums[self.window :] - sums[: -self.window]
        with np.errstate(invalid="ignore"):  # 0 / 0 before the first observed row
            mean = start + total / count  # (T, N)
        return np.repeat((mean - y)[rows][:, :, None], self.horizon_, axis=2)
