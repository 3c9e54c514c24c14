"""The naive forecast and other simple rules: the reference rows of every table."""

from __future__ import annotations

import numpy as np

from forecast._validation import check_int
from forecast.data.panel import Panel
from forecast.features.windows import sum_rows
from forecast.models.base import LEVELS, Forecast
from forecast.models.baseline import Baseline
from forecast.models.season import find_seasons

#: Dickey and Fuller's 5 % critical value of t about a constant. About a moving mean a random walk exceeds it about one
#: time in a hundred or less, whatever the number of rows (tests/models/test_moving_means.py).
CRITICAL_T = 2.86


class Naive(Baseline):
    """The last observed price, at every step.

    On prices this is the random walk, the baseline of every comparison. `levels` are the quantile levels, `log`
    whether errors are measured in logs ("auto": if all training prices are positive).

    >>> prices = np.array([1.0, 2.0, 4.0, 3.0])
    >>> fc.Naive().fit(prices, horizon=1).predict(prices).point.tolist()
    [[[3.0]]]
    """

    is_naive = True

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.zeros((len(rows), y.shape[1], self.horizon_))


class Zero(Baseline):
    """The value 0 at every step: for returns, and other changes, the forecast that nothing happens.

    Its quantiles are those of the training values, centred on 0. It never works in logs.

    >>> returns = np.array([0.01, -0.02, 0.03, -0.01])
    >>> fc.Zero().fit(returns, horizon=1).predict(returns).point.tolist()
    [[[0.0]]]
    """

    def __init__(self, levels: tuple[float, ...] = LEVELS) -> None:
        super().__init__(levels, log=False)

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.repeat(-y[rows][:, :, None], self.horizon_, axis=2)


class Drift(Baseline):
    """The last price plus the average change of the training rows at each step (in logs: the average growth).

    >>> prices = np.array([1.0, 3.0, 5.0, 7.0])
    >>> fc.Drift(log=False).fit(prices, horizon=2).predict(prices).point.tolist()
    [[[9.0, 11.0]]]
    """

    has_series_parameters = True
    nests_naive = True  # with a drift of 0

    def _fit_rule(self, y: np.ndarray) -> None:
        first = np.argmax(~np.isnan(y), axis=0)  # (N,)
        start = np.take_along_axis(y, first[None], axis=0)[0]
        self.slope_ = (y[-1] - start) / np.maximum(len(y) - 1 - first, 1)

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        steps = np.arange(1, self.horizon_ + 1)
        return np.broadcast_to(self.slope_[columns][:, None] * steps, (len(rows), len(columns), self.horizon_))


class SeasonalNaive(Baseline):
    """The price one season before each step, such as last Monday's for next Monday; `m` is the rows in a season.

    A series with no more training rows than a season, or in which no season is found, has the last price as its
    forecast.

    >>> week = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
    >>> fc.SeasonalNaive(m=3).fit(week, horizon=2).predict(week).point.round(6).tolist()
    [[[1.0, 2.0]]]

    Parameters
    ----------
    m : int or "auto", default "auto"
        Rows in a season. "auto": the season of each series is found in its training rows, by a test for
        autocorrelation of their changes at the lags that the dates suggest (`backtest`, Notes); in a backtest with a
        season, declared or found, it is that one.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    log : bool or "auto", default "auto"
        Whether to work in logs; "auto": on each series whose training values are all positive.
    """

    supports_recursive = False
    has_series_parameters = True

    def __init__(self, m: int | str = "auto", levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        super().__init__(levels, log)
        self.m = m

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        if self.m != "auto":
            check_int("m", self.m, 1)

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.seasons_ = np.array(find_seasons(panel) if self.m == "auto" else (self.m,) * len(panel.series))  # (N,)
        super()._fit(panel, horizon)

    def _fit_rule(self, y: np.ndarray) -> None:
        is_short = (~np.isnan(y)).sum(axis=0) <= self.seasons_  # (N,)
        names = np.array(self.series_, dtype=object)
        if is_short.any():
            self.record_["shorter than a season"] = names[is_short].tolist()
        self.seasons_ = np.where(is_short, 1, self.seasons_)  # the value of one row ago is the last price
        if self.m == "auto":
            self.record_["season"] = dict(zip(self.series_, self.seasons_.tolist(), strict=True))

    def _predict(self, panel: Panel) -> Forecast:
        needed = int(self.seasons_.max())
        if len(panel) < needed:
            raise ValueError(
                f"{type(self).__name__} needs the last {needed} rows, a season, to forecast; these prices have "
                f"{len(panel)}: pass more of the history"
            )
        return super()._predict(panel)

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        changes = np.empty((len(rows), len(columns), self.horizon_))
        seasons = self.seasons_[columns]
        for m in np.unique(seasons):
            alike = seasons == m
            changes[:, alike] = _seasonal_changes(y[:, alike], rows, self.horizon_, m)
        return changes


def _seasonal_changes(y: np.ndarray, rows: np.ndarray, horizon: int, m: int) -> np.ndarray:
    """Return the change from each of K rows of y (T, N) to the value a season of m rows before each step, (K, N, H)."""
    offset = np.arange(horizon) % m - m + 1  # (H,) from the cutoff to one season before each step
    source = rows[:, None] + offset  # (K, H)
    changes = np.moveaxis(y[np.maximum(source, 0)], 1, 2) - y[rows][:, :, None]
    return np.where((source >= 0)[:, None, :], changes, np.nan)


class WindowMean(Baseline):
    """The mean of the last `window` rows, or of as many as there are, at every step; in logs the geometric mean.

    Parameters
    ----------
    window : int, default 20
        Rows of the mean.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    log : bool or "auto", default "auto"
        Whether to work in logs; "auto": on each series whose training values are all positive.
    """

    supports_recursive = False

    def __init__(self, window: int = 20, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        super().__init__(levels, log)
        self.window = window

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        check_int("window", self.window, 1)

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.repeat(self._gap(y)[rows][:, :, None], self.horizon_, axis=2)

    def _gap(self, y: np.ndarray) -> np.ndarray:
        """Return the moving mean less the value at each row, (T, N); NaN before the first observed row."""
        known = ~np.isnan(y)
        start = np.take_along_axis(y, np.argmax(known, axis=0)[None], axis=0)  # (1, N), subtracted for precision
        total = np.cumsum(np.where(known, y - start, 0.0), axis=0)
        count = np.cumsum(known, axis=0)
        for sums in (total, count):
            sums[self.window :] = sums[self.window :] - sums[: -self.window]
        with np.errstate(invalid="ignore"):  # 0 / 0 before the first observed row
            mean = start + total / count  # (T, N)
        return mean - y


class MeanReversion(WindowMean):
    """The last value, moved towards the mean of the last `window` rows by a fraction estimated for each step.

    The fraction of the gap that is closed after k steps is the slope of a regression through the origin on the
    training rows, one for each step, clipped to 0 (the last value) … 1 (the mean): a direct autoregression of order 1
    about a moving mean, adjusted recursively as by So and Shin (1999). Where the first slope of a series is not
    significant against a random walk, the forecast of that series is its last value. With fewer than `window` rows the
    mean is over those available. On returns, where the last value is almost uninformative, it is the better base of a
    network: `Recurrent(base=MeanReversion())`.

    >>> zigzag = np.tile([1.0, 3.0], 50)
    >>> fc.MeanReversion(log=False).fit(zigzag, horizon=1).predict(zigzag).point.tolist()
    [[[2.0]]]

    Parameters
    ----------
    window : int, default 1000
        Rows of the mean.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    log : bool or "auto", default "auto"
        Whether to work in logs; "auto": on each series whose training values are all positive.
    """

    has_series_parameters = True
    nests_naive = True  # with a fraction of 0

    def __init__(self, window: int = 1000, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        super().__init__(window, levels, log)

    def _fit_rule(self, y: np.ndarray) -> None:
        gap, steps = self._gap(y), min(self.horizon_, len(y) - 1)  # (T, N)
        squares = np.nancumsum(gap**2, axis=0)  # (T, N)
        self.fraction_ = np.zeros((y.shape[1], self.horizon_))  # (N, H)
        for k in range(1, steps + 1):
            product = sum_rows(np.nan_to_num(gap[:-k] * (y[k:] - y[:-k])))  # (N,)
            varies = squares[-k - 1] > 0
            self.fraction_[varies, k - 1] = np.clip(product[varies] / squares[-k - 1, varies], 0, 1)
        residuals = np.diff(y, axis=0) - self.fraction_[:, 0] * gap[:-1]  # (T - 1, N) of the first step
        variance = sum_rows(np.nan_to_num(residuals) ** 2) / np.maximum((~np.isnan(residuals)).sum(axis=0), 1)
        not_significant = self.fraction_[:, 0] * np.sqrt(squares[-2]) < CRITICAL_T * np.sqrt(variance)
        self.fraction_[not_significant] = 0

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return super()._predict_changes(y, rows, columns) * self.fraction_[columns]
