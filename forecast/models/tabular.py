"""Any scikit-learn regressor as a forecaster: one regression for each step, on windows of lagged changes."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.base import clone, is_regressor

from forecast.models.base import LEVELS, Forecast, Forecaster, ahead, carried, choose_log, moved, transform
from forecast.models.crossfit import block_edges
from forecast.panel import Panel
from forecast.params import check_fields, check_whole
from forecast.scaling import MIN_CHANGES, PATH, Inputs, causal_inputs

NAMES = ("ridge", "boosting")


class Tabular(Forecaster):
    """A regression or a tree on the last rows, of the kind that most quants try first.

    `estimator` is "ridge", "boosting" (histogram-based trees), or any scikit-learn regressor; it is cloned for each
    step and fitted to all series together. It reads the last `lookback` changes and the newest distances from the
    averages of 5, 22 and 1,000 rows, of the series and of the fields named in `exog`, all in units of recent movement,
    and answers in these units how far the series will have moved. In logs if `log` ("auto": if all training prices are
    positive).

    Quantiles come from rows that were not fitted: each of five blocks is forecast by estimators fitted on the rows
    before it. A boosted tree's errors on its own rows are a third of those on others.
    """

    def __init__(
        self,
        estimator: Any = "ridge",
        lookback: int = 20,
        log: bool | str = "auto",
        exog: tuple[str, ...] = (),
        levels: tuple[float, ...] = LEVELS,
    ) -> None:
        self.estimator = estimator
        self.lookback = lookback
        self.log = log
        self.exog = exog
        self.levels = levels

    def default_estimator(self) -> Any:
        """Make the estimator that a name stands for."""
        if self.estimator == "boosting":
            from sklearn.ensemble import HistGradientBoostingRegressor

            return HistGradientBoostingRegressor(
                max_iter=60, learning_rate=0.05, max_leaf_nodes=8, early_stopping=False, random_state=0
            )
        from sklearn.linear_model import Ridge

        return Ridge()

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_whole("lookback", self.lookback, 1)
        check_fields(self.exog)
        given = self.estimator
        named = isinstance(given, str) and given in NAMES
        if not named and (isinstance(given, (type, str)) or not hasattr(given, "fit") or not is_regressor(given)):
            known = ", ".join(map(repr, NAMES))
            raise TypeError(f"estimator must be {known} or a scikit-learn regressor; got {given!r}")

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Refuse: what scikit-learn has fitted is read back by unpickling only, which runs code."""
        raise TypeError(
            f"a fitted {type(self).__name__} cannot be saved: scikit-learn's estimators are read back only by "
            "unpickling, which runs code. Fit it again; that takes seconds"
        )

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: a window, and twenty lessons before the second block."""
        return max(self.lookback, MIN_CHANGES) + 2 * horizon + 40

    def reads(self) -> tuple[str, ...]:
        """Name the fields that are read beside the target."""
        return tuple(self.exog)

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        y = transform(panel, self.log_)
        inputs = causal_inputs(y)
        origins = np.argwhere(inputs.observed & (inputs.changes >= MIN_CHANGES) & (inputs.unit > 0))  # (M, 2)
        origins = origins[origins[:, 0] >= self.lookback - 1]
        rows, series = origins.T
        with np.errstate(invalid="ignore", divide="ignore"):  # answers (M, H), NaN where they reach past the end
            answers = (ahead(y, horizon)[rows, series] - y[rows, series][:, None]) / inputs.unit[rows, series][:, None]
        x = self._windows(panel, inputs, rows, series)
        if not np.isfinite(answers).all(axis=1).any():
            raise ValueError(f"{type(self).__name__} has nothing to learn: no series changes {MIN_CHANGES} times")
        self.record_ = {"log": self.log_, "lessons": len(rows)}
        self.estimators_ = self._estimate(x, answers)
        self.spread_ = self._spread(x, answers, rows, len(panel))  # (H, Q), in units

    def _estimate(self, x: np.ndarray, answers: np.ndarray) -> list[Any]:
        """Fit one estimator for each step, to the rows whose answer is known."""
        made = self.default_estimator() if isinstance(self.estimator, str) else self.estimator
        known = ~np.isnan(answers)
        return [clone(made).fit(x[known[:, k]], answers[known[:, k], k]) for k in range(answers.shape[1])]

    def _spread(self, x: np.ndarray, answers: np.ndarray, rows: np.ndarray, last: int) -> np.ndarray:
        """Measure errors on rows that were not fitted, and centre their quantiles on the point."""
        errors = [np.empty((0, self.horizon_))]
        for start, stop in pairwise(block_edges(last)[1:]):
            before = rows + self.horizon_ < start  # no answer that reaches into the block
            block = (rows >= start) & (rows < stop)
            if (~np.isnan(answers[before])).sum(axis=0).min() >= MIN_CHANGES and block.any():
                errors.append(answers[block] - _said(self._estimate(x[before], answers[before]), x[block]))
        found = np.concatenate(errors)
        if np.isnan(found).all(axis=0).any():
            raise ValueError(
                f"{type(self).__name__} has too few rows to measure its errors on: bring more history, or ask for a "
                "shorter lookback or horizon"
            )
        return (np.nanquantile(found, self.levels, axis=0) - np.nanmedian(found, axis=0)).T

    def _windows(self, panel: Panel, inputs: Inputs, rows: np.ndarray, series: np.ndarray) -> np.ndarray:
        """Give what is read at each origin, (M, F): the last changes and the newest distances of each channel."""
        read = [inputs.x]
        read += [causal_inputs(panel.values[:, :, panel.channels.index(name)]).x for name in self.exog]
        back = np.maximum(rows[:, None] - np.arange(self.lookback), 0)  # (M, lookback)
        parts = [part for x in read for part in (x[back, series[:, None], PATH], x[rows, series, PATH + 1 : -1])]
        return np.concatenate(parts, axis=1)

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        n = len(panel.series)
        inputs = causal_inputs(transform(panel, self.log_))
        at, series = (index.ravel() for index in np.meshgrid(rows, np.arange(n), indexing="ij"))
        windows = self._windows(panel, inputs, at, series).reshape(len(rows), n, -1)
        # Cutoff by cutoff: a matrix product's last bits depend on how many rows it has.
        said = np.stack([_said(self.estimators_, window) for window in windows])  # (K, N, H)
        unit = np.where(inputs.changes[rows] > 0, inputs.unit[rows], np.nan)[:, :, None]  # (K, N, 1)
        last = carried(panel.target)[rows][:, :, None]
        spread = unit[..., None] * self.spread_  # (K, N, H, Q)
        return Forecast(
            point=moved(last, unit * said, self.log_),
            quantiles=moved(last[..., None], (unit * said)[..., None] + spread, self.log_),
            levels=tuple(self.levels),
            series=panel.series,
            cutoffs=panel.index[rows],
        )


def _said(estimators: list[Any], x: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(estimator.predict(x), dtype=np.float64) for estimator in estimators], axis=1)
