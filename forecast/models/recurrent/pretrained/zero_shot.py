"""Forecasts of a network that was trained before it meets the series."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from typing import Self

import numpy as np

from forecast._validation import check_int
from forecast.data.panel import Panel
from forecast.features.windows import forward_fill
from forecast.models.base import LEVELS, Forecast, Forecaster, choose_log, continue_price, transform
from forecast.models.recurrent.pretrained.fine_tuning import fine_tune, fine_tuning_trainer
from forecast.models.recurrent.pretrained.quantiles import at_levels
from forecast.models.recurrent.pretrained.read_series import Memory
from forecast.models.recurrent.pretrained.start import WIDENING, Start, point_shrinkage, spread_widening
from forecast.models.recurrent.pretrained.weights import read_weights
from forecast.models.recurrent.trainer import Trainer
from forecast.models.season import find_seasons

MIN_ROWS = 3  # observed rows from which a series is forecast
MEMORY = Memory(256 * 2**20)  # of what was read by the models of this process


class Pretrained(Forecaster):
    """An LSTM that was trained once, on simulated series alone: it forecasts without being trained on the prices.

    `fit` only finds the season, whether to work in logs, and for long series whether the points are better than the
    last value. No real series was in its training, so no test set can have been. It knows random walks,
    autoregressions, trends, seasons and clusters of volatility from many millions of simulated rows, and reads from the
    history which of them a series is like.

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
    trainer : Trainer, optional
        If given, the network is fine-tuned on the training rows of all series (`default_trainer()`: 200
        steps).
    seed : int, default 0
        Seed of the fine-tuning.

    Attributes
    ----------
    seasons_ : tuple of int
        The season of each series.
    shrinkage_ : array of shape (N,)
        How far the points depart from the last value: 1 (as the network forecasts) to 0 (not at all).
    widening_ : array of shape (N,)
        The factor of the spreads, 1.2 for short series to 1 for long ones.
    tuned_share_ : float
        How far the fine-tuned network is followed, 0 (not at all) to 1.
    history_ : DataFrame
        Loss, gradient norm and learning rate of every step of the fine-tuning, if there is one.

    Notes
    -----
    Where a series has at least 250 training rows, they show whether the network's point is better than the last value,
    since it was not trained on them: `shrinkage_` is the probability that it is (see `Recurrent`; the prior odds are 1
    to 4). On prices the point is then almost the last value, and the spread that of the network.

    Real series vary more than simulated ones. The spread of series with up to 150 training rows is 1.2 times that of
    the network, a factor that was chosen on the M1 competition; it falls to 1 at 250 rows.

    Fine-tuning holds back the newest fifth of the training rows for four fifths of its steps. The quantiles are those
    of the weights before it plus `tuned_share_` times the difference made by it: the probability, by the errors at
    these rows, that the difference is an improvement. The spread of the tuned network is 1.2 times what it forecasts,
    as it knows the rows that it was trained on better than later ones. Where rows are too few to hold some back,
    nothing is tuned.
    Steps beyond 48 continue from the medians of the steps before; their spread goes on growing, by a power of the step.
    Missing rows are forward-filled; which they are is an input. The points are medians.

    A process remembers up to 256 MB of what the network has read, so that rows which follow a history are read from
    there. The forecasts are the same.

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
        trainer: Trainer | None = None,
        seed: int = 0,
    ) -> None:
        self.season = season
        self.log = log
        self.levels = levels
        self.start_from = start_from
        self.trainer = trainer
        self.seed = seed

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        if self.season != "auto":
            check_int("season", self.season, 1)
        if not (self.start_from is None or isinstance(self.start_from, (str, os.PathLike))):
            raise TypeError(f"start_from must be the path of a folder, or None; got {self.start_from!r}")
        check_int("seed", self.seed, 0)
        if not (self.trainer is None or isinstance(self.trainer, Trainer)):
            raise TypeError(f"trainer must be a Trainer or None; got {self.trainer!r}")
        if self.trainer is not None:
            self.trainer.check_params()

    @property
    def in_sample_is_valid(self) -> bool:
        """Whether it was not fine-tuned on the training rows, so that it forecasts them as well as later ones."""
        return self.trainer is None

    def default_trainer(self) -> Trainer:
        """Return a trainer for fine-tuning: 200 steps."""
        return fine_tuning_trainer()

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs, whatever the horizon: three."""
        return MIN_ROWS

    def _fit_panel(self, panel: Panel, horizon: int) -> Self:
        """Fit the model to a validated panel, as a part of another model."""
        self.horizon_, self.series_ = horizon, panel.series
        self._fit(panel, horizon)
        return self

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.weights_ = read_weights(self.start_from)
        self.log_ = choose_log(self.log, panel)
        y = transform(panel, self.log_)  # raises if a value has no logarithm
        n = len(panel.series)
        self.seasons_ = find_seasons(panel) if self.season == "auto" else (int(self.season),) * n
        same = len(set(self.seasons_)) == 1
        seasons = self.seasons_[0] if same else dict(zip(panel.series, self.seasons_, strict=True))
        self.record_ = {"log": self.log_.summary(), "season": seasons}
        widening = spread_widening((~np.isnan(y)).sum(axis=0))
        start = Start(self.weights_, np.array(self.seasons_), np.ones(n), widening, MEMORY)
        start = replace(start, shrinkage=point_shrinkage(start, y, horizon))
        self.shrinkage_, self.widening_ = start.shrinkage, widening
        self.tuned_weights_: dict[str, np.ndarray] | None = None
        self.tuned_share_ = 0.0
        if self.trainer is not None:
            self.tuned_weights_, self.tuned_share_, self.history_ = fine_tune(
                start, self.trainer, y, horizon, self.seed
            )
        self.record_ |= {"shrinkage": self.shrinkage_.tolist(), "tuned_share": self.tuned_share_}

    def _start(self, panel: Panel) -> Start:
        """Return how each series of a panel is forecast; a new one as most are."""
        numbers = {name: n for n, name in enumerate(self.series_)}
        known = np.array([numbers.get(name, -1) for name in panel.series])
        usual = Counter(self.seasons_).most_common(1)[0][0], np.median(self.shrinkage_), np.median(self.widening_)
        fitted = np.array(self.seasons_), self.shrinkage_, self.widening_
        seasons, shrinkage, widening = (
            np.where(known < 0, u, own[known]) for u, own in zip(usual, fitted, strict=True)
        )
        return Start(self.weights_, seasons, shrinkage, widening, MEMORY)

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        y, log, levels = transform(panel, self.log_), self.log_.flags(panel), tuple(self.levels)
        newest = forward_fill(panel.target)[rows][:, :, None]  # (K, N, 1)
        counted = forward_fill(np.where(np.isnan(y), np.nan, panel.target))[rows][:, :, None]
        changes = np.full((len(rows), y.shape[1], self.horizon_, len(levels) + 1), np.nan)
        start, with_median = self._start(panel), (*levels, 0.5)
        parts = [start.quantiles(y, rows, self.horizon_)]
        if self.tuned_weights_ is not None:
            n = len(panel.series)
            tuned = Start(self.tuned_weights_, start.seasons, np.ones(n), np.full(n, WIDENING))
            parts.append(tuned.quantiles(y, rows, self.horizon_))
        for (numbers, change), *others in zip(*parts, strict=True):
            for _, tuned_change in others:
                change = change + self.tuned_share_ * (tuned_change - change)
            changes[:, numbers] = at_levels(change, with_median)
        quantiles = continue_price(newest[..., None], counted[..., None], changes, log)
        return Forecast(quantiles[..., -1], quantiles[..., :-1], levels, panel.series, panel.index[rows])
