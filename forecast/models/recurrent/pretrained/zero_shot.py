"""Forecasts of a network that was trained before it meets the series."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import numpy as np

from forecast._validation import check_int
from forecast.data.panel import Panel
from forecast.models.season import find_seasons
from forecast.features.windows import forward_fill
from forecast.models.base import LEVELS, Forecast, Forecaster, choose_log, continue_price, transform
from forecast.models.recurrent.pretrained.quantiles import at_levels, future_quantiles
from forecast.models.recurrent.pretrained.weights import network_of, read_weights

MIN_ROWS = 3  # observed rows from which a series is forecast


class Pretrained(Forecaster):
    """An LSTM that was trained once, on simulated series alone: it forecasts without being trained on the prices.

    `fit` only finds the season and whether to work in logs. No real series was in its training, so no test set can
    have been. It knows random walks, autoregressions, trends, seasons and clusters of volatility from many millions of
    simulated rows, and reads from the history which of them a series is like.

    Parameters
    ----------
    season : int or "auto", default "auto"
        Rows in a season, 1 for none. "auto": for each series, what its dates suggest (12 for months, 5 for business
        days) if a test finds it in the training rows; rows without dates have none.
    log : bool or "auto", default "auto"
        Whether to forecast logs; "auto" if all training values of a series are positive.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels. The network has eleven from .02 to .98; others are interpolated, and extrapolated, as
        those of a normal distribution between two levels.
    start_from : str or path, optional
        A folder with other weights, which `python -m forecast.models.recurrent.pretrained.train` wrote (None: those of
        the package).

    Attributes
    ----------
    seasons_ : tuple of int
        The season of each series.

    Notes
    -----
    Steps beyond 48 repeat the forecast from its own medians; the spreads of the repetitions are added in squares.
    Missing rows are forward-filled; which they are is an input. The points are medians.

    Examples
    --------
    >>> prices = fc.load_sample("stocks").iloc[-500:]
    >>> fc.Pretrained().fit(prices, horizon=5).predict(prices).point.shape
    (1, 4, 5)
    """

    def __init__(
        self,
        season: int | str = "auto",
        log: bool | str = "auto",
        levels: tuple[float, ...] = LEVELS,
        start_from: str | os.PathLike[str] | None = None,
    ) -> None:
        self.season = season
        self.log = log
        self.levels = levels
        self.start_from = start_from

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        if self.season != "auto":
            check_int("season", self.season, 1)
        if not (self.start_from is None or isinstance(self.start_from, (str, os.PathLike))):
            raise TypeError(f"start_from must be the path of a folder, or None; got {self.start_from!r}")

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs, whatever the horizon: three."""
        return MIN_ROWS

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.weights_ = read_weights(self.start_from)
        self.log_ = choose_log(self.log, panel)
        transform(panel, self.log_)  # raises if a value has no logarithm
        n = len(panel.series)
        self.seasons_ = find_seasons(panel) if self.season == "auto" else (int(self.season),) * n
        same = len(set(self.seasons_)) == 1
        seasons = self.seasons_[0] if same else dict(zip(panel.series, self.seasons_, strict=True))
        self.record_ = {"log": self.log_.summary(), "season": seasons}

    def _seasons(self, panel: Panel) -> np.ndarray:
        """Return the season of each series of a panel, (N,); of a new one the most frequent."""
        by_name = dict(zip(self.series_, self.seasons_, strict=True))
        most_frequent = Counter(self.seasons_).most_common(1)[0][0]
        return np.array([by_name.get(name, most_frequent) for name in panel.series])

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        y, log, levels = transform(panel, self.log_), self.log_.flags(panel), tuple(self.levels)
        newest = forward_fill(panel.target)[rows][:, :, None]  # (K, N, 1)
        counted = forward_fill(np.where(np.isnan(y), np.nan, panel.target))[rows][:, :, None]
        changes = np.full((len(rows), y.shape[1], self.horizon_, len(levels) + 1), np.nan)
        with_median = (*levels, 0.5)
        for n, change in self._iter_changes(y, self._seasons(panel), rows):
            changes[:, n] = at_levels(change, with_median)
        quantiles = continue_price(newest[..., None], counted[..., None], changes, log)
        return Forecast(quantiles[..., -1], quantiles[..., :-1], levels, panel.series, panel.index[rows])

    def _iter_changes(
        self, y: np.ndarray, seasons: np.ndarray, rows: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield numbers of series, and their quantiles of the change from the last value, (K, n, H, Q)."""
        network = network_of(self.weights_)
        yield from future_quantiles(network, y, seasons, rows, self.horizon_)
