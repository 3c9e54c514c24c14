"""Doing nothing, and other ways of doing almost nothing: the rows that every table starts with."""

from __future__ import annotations

import numpy as np

from forecast._validation import check_int
from forecast.models.base import LEVELS
from forecast.models.baseline import Baseline

#: Dickey and Fuller's 5 % value of t about a constant. About a moving mean a random walk goes beyond it about one
#: time in a hundred or less, whatever the number of rows (tests/test_smoothing.py).
SURE = 2.86


class Naive(Baseline):
    """Tomorrow will be as today: the last observed price, at every step.

    On prices this is the random walk, the baseline of every comparison. `levels` are the quantiles to give, `log`
    whether errors are measured in logs ("auto": if all training prices are positive).

    >>> prices = np.array([1.0, 2.0, 4.0, 3.0])
    >>> fc.Naive().fit(prices, horizon=1).predict(prices).point.tolist()
    [[[3.0]]]
    """

    is_naive = True

    def __init__(self, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        self.levels = levels
        self.log = log

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.zeros((len(rows), y.shape[1], self.horizon_))


class Drift(Baseline):
    """The last price, moved on by the average change of the training rows (in logs: the average growth).

    >>> prices = np.array([1.0, 3.0, 5.0, 7.0])
    >>> fc.Drift(log=False).fit(prices, horizon=2).predict(prices).point.tolist()
    [[[9.0, 11.0]]]
    """

    has_series_parameters = True
    nests_naive = True  # a drift of 0

    def __init__(self, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        self.levels = levels
        self.log = log

    def _fit_rule(self, y: np.ndarray) -> None:
        first = np.argmax(~np.isnan(y), axis=0)  # (N,)
        start = np.take_along_axis(y, first[None], axis=0)[0]
        self.slope_ = (y[-1] - start) / np.maximum(len(y) - 1 - first, 1)

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        steps = np.arange(1, self.horizon_ + 1)
        return np.broadcast_to(self.slope_[columns][:, None] * steps, (len(rows), len(columns), self.horizon_))


class SeasonalNaive(Baseline):
    """The price one season ago: the next Monday will be as the last Monday was (`m` rows make a season).

    >>> week = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
    >>> fc.SeasonalNaive(m=3).fit(week, horizon=2).predict(week).point.round(6).tolist()
    [[[1.0, 2.0]]]
    """

    supports_recursive = False

    def __init__(self, m: int = 5, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        self.m = m
        self.levels = levels
        self.log = log

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_int("m", self.m, 1)

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: a season and what lies ahead of it."""
        return self.m + horizon + 1

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        back = np.arange(self.horizon_) % self.m - self.m + 1  # (H,) rows before the cutoff: a season before each step
        source = rows[:, None] + back  # (K, H)
        changes = np.moveaxis(y[np.maximum(source, 0)], 1, 2) - y[rows][:, :, None]  # (K, N, H)
        return np.where((source >= 0)[:, None, :], changes, np.nan)


class WindowMean(Baseline):
    """The mean of the last `window` rows, at every step; in logs the geometric mean."""

    supports_recursive = False

    def __init__(self, window: int = 20, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        self.window = window
        self.levels = levels
        self.log = log

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_int("window", self.window, 1)

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: a window and what lies ahead of it."""
        return self.window + horizon + 1

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.repeat(self._gap(y)[rows][:, :, None], self.horizon_, axis=2)

    def _gap(self, y: np.ndarray) -> np.ndarray:
        """Say how far each row lies below its mean (T, N), NaN before the first observed row."""
        known = ~np.isnan(y)
        start = np.take_along_axis(y, np.argmax(known, axis=0)[None], axis=0)  # (1, N): sums of small numbers
        total = np.cumsum(np.where(known, y - start, 0.0), axis=0)
        count = np.cumsum(known, axis=0)
        for sums in (total, count):
            sums[self.window :] = sums[self.window :] - sums[: -self.window]
        with np.errstate(invalid="ignore"):  # 0 / 0 before the first observed row
            mean = start + total / count  # (T, N)
        return mean - y


class MeanReversion(WindowMean):
    """The last value, drawn to the mean of the last `window` rows, at each step as far as the training rows were.

    How much of the distance is closed after k steps is the slope of a regression through the origin on the training
    rows, one for each step, kept between 0 (the last value) and 1 (the mean): a direct autoregression of order 1 about
    a moving mean, adjusted recursively as by So and Shin (1999). A series whose first slope a random walk might have
    shown too is left at its last value. Fewer than `window` rows are averaged as they are. On returns, where the last
    value says next to nothing, it is the better base of a network: `Recurrent(base=MeanReversion())`.

    >>> zigzag = np.tile([1.0, 3.0], 50)
    >>> fc.MeanReversion(log=False).fit(zigzag, horizon=1).predict(zigzag).point.tolist()
    [[[2.0]]]
    """

    has_series_parameters = True
    nests_naive = True  # nothing of the distance

    def __init__(self, window: int = 1000, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        super().__init__(window, levels, log)

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: some to average, and what lies ahead of them."""
        return horizon + 2

    def _fit_rule(self, y: np.ndarray) -> None:
        gap, steps = self._gap(y), min(self.horizon_, len(y) - 1)  # (T, N)
        square = np.nancumsum(gap**2, axis=0)
        self.closed_ = np.zeros((y.shape[1], self.horizon_))  # (N, H)
        for k in range(1, steps + 1):
            along = np.nansum(gap[:-k] * (y[k:] - y[:-k]), axis=0)  # (N,)
            moves = square[-k - 1] > 0
            self.closed_[moves, k - 1] = np.clip(along[moves] / square[-k - 1, moves], 0, 1)
        left = np.diff(y, axis=0) - self.closed_[:, 0] * gap[:-1]  # (T - 1, N) of the first step
        scatter = np.nansum(left**2, axis=0) / np.maximum((~np.isnan(left)).sum(axis=0), 1)
        self.closed_[self.closed_[:, 0] * np.sqrt(square[-2]) < SURE * np.sqrt(scatter)] = 0

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return super()._predict_changes(y, rows, columns) * self.closed_[columns]
