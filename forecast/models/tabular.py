"""Any scikit-learn regressor as a forecaster: one regression for each step, on windows of lagged changes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from forecast._estimator import clone
from forecast._validation import check_fields, check_int, check_number
from forecast.data.panel import Panel
from forecast.features.inputs import MIN_CHANGES, Inputs, causal_inputs
from forecast.features.lagged import LaggedDataset, LaggedFeatures
from forecast.features.windows import forward_fill
from forecast.models.base import (
    LEVELS,
    Forecast,
    Forecaster,
    apply_change,
    choose_log,
    transform,
    unknown_error_message,
)
from forecast.models.ridge import SummedRidge

NAMES = ("ridge", "boosting")


class Tabular(Forecaster):
    """A regression or a tree on the last rows, of the kind that most quants try first.

    `estimator` is "ridge", "boosting" (histogram-based trees), or any scikit-learn regressor; it is cloned for each
    step and fitted to all series together. It reads the last `lookback` changes and the newest distances from the
    averages of 5, 22 and 1,000 rows, of the series and of the fields named in `exog`, all in units of recent movement,
    and answers in these units how far the series will have moved. In logs if `log` ("auto": if all training prices are
    positive).

    "ridge" solves what scikit-learn's `Ridge` does from sums over windows made chunk by chunk: its memory grows with
    the panel. Any other estimator is given one matrix of all windows, which grows with panel × `lookback`: for each
    row of each series 4 × (`lookback` + 3) bytes, besides the copies that the estimator makes.

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
        return SummedRidge()

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_int("lookback", self.lookback, 1)
        check_fields(self.exog)
        given = self.estimator
        if isinstance(given, SummedRidge):
            check_number("alpha", given.alpha, 0)
            return
        if isinstance(given, str) and given in NAMES:
            return
        from sklearn.base import is_regressor

        if isinstance(given, (type, str)) or not hasattr(given, "fit") or not is_regressor(given):
            known = ", ".join(map(repr, NAMES))
            raise TypeError(f"estimator must be {known} or a scikit-learn regressor; got {given!r}")

    nests_naive = True  # no answer at all: the series will not have moved

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the fitted ridge into a folder; what scikit-learn has fitted is refused, as reading it runs code."""
        learner = getattr(self, "learner_", None)
        if isinstance(learner, _Matrix):
            kind = type(learner.estimator).__name__
            raise TypeError(
                f"a {type(self).__name__} fitted by {kind} cannot be saved: scikit-learn's estimators are read back "
                "only by unpickling, which runs code. Fit it again; that takes seconds"
            )
        super().save(folder)

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: a window, and twenty lessons before the second block."""
        return max(self.lookback, MIN_CHANGES) + 2 * horizon + 40

    def required_fields(self) -> tuple[str, ...]:
        """Name the fields that are read beside the target."""
        return tuple(self.exog)

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        y = transform(panel, self.log_)
        inputs = causal_inputs(y)
        lessons = LaggedDataset(y, inputs, self._lagged(panel, inputs), horizon)
        if len(lessons) == 0:
            raise ValueError(f"{type(self).__name__} has nothing to learn: no series changes {MIN_CHANGES} times")
        if (step := lessons.unanswered()) is not None:
            raise ValueError(unknown_error_message(step, "no series"))
        self.record_ = {"log": self.log_, "lessons": len(lessons)}
        made = self.default_estimator() if isinstance(self.estimator, str) else self.estimator
        self.learner_ = clone(made) if isinstance(made, SummedRidge) else _Matrix(made)
        self.spread_ = self._spread(self.learner_.learn(lessons))  # (H, Q), in units

    def _lagged(self, panel: Panel, inputs: Inputs) -> LaggedFeatures:
        """Put together what is read: of the target, and of each field beside it."""
        fields = [panel.values[:, :, panel.channels.index(name)] for name in self.exog]
        return LaggedFeatures([inputs.x, *(causal_inputs(field).x for field in fields)], self.lookback)

    def _spread(self, errors: np.ndarray) -> np.ndarray:
        """Take quantiles of errors (H, M) on lessons that were not fitted, and centre them on the point."""
        if np.isnan(errors).all(axis=1).any():
            raise ValueError(
                f"{type(self).__name__} has too few rows to measure its errors on: bring more history, or ask for a "
                "shorter lookback or horizon"
            )
        quantiles = np.nanquantile(errors, (*self.levels, 0.5), axis=1).T
        return quantiles[:, :-1] - quantiles[:, -1:]

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        inputs = causal_inputs(transform(panel, self.log_))
        lagged, every = self._lagged(panel, inputs), np.arange(len(panel.series))
        # Cutoff by cutoff: a matrix product's last bits depend on how many rows it has.
        said = np.stack([self.learner_.say(lagged.windows(row * len(every) + every)) for row in rows])  # (K, N, H)
        unit = np.where(inputs.n_changes[rows] > 0, inputs.scale[rows], np.nan)[:, :, None]  # (K, N, 1)
        last = forward_fill(panel.target)[rows][:, :, None]
        spread = unit[..., None] * self.spread_  # (K, N, H, Q)
        return Forecast(
            point=apply_change(last, unit * said, self.log_),
            quantiles=apply_change(last[..., None], (unit * said)[..., None] + spread, self.log_),
            levels=tuple(self.levels),
            series=panel.series,
            cutoffs=panel.index[rows],
        )


class _Matrix:
    """A regressor of scikit-learn for each step, fitted to one matrix of all windows."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def learn(self, lessons: LaggedDataset) -> np.ndarray:
        """Fit to all lessons; gives errors on those that were not fitted yet, (H, M), NaN where there are none."""
        every = slice(0, len(lessons))
        x, answers = lessons.matrix(), lessons.answers(every)
        self.fitted = self._fit(x, answers)
        errors = np.full_like(answers, np.nan)
        for before, block in lessons.blocks():
            known = ~np.isnan(answers[:, before])
            if known.sum(axis=1).min() >= MIN_CHANGES and block.start < block.stop:
                said = _said(self._fit(x[before], answers[:, before]), x[block])
                errors[:, block] = answers[:, block] - said.T
        return errors

    def say(self, windows: np.ndarray) -> np.ndarray:
        """Answer windows (F, M), (M, H)."""
        return _said(self.fitted, np.ascontiguousarray(windows.T))

    def _fit(self, x: np.ndarray, answers: np.ndarray) -> list[Any]:
        """Fit one estimator for each step, to the rows whose answer is known."""
        return [
            clone(self.estimator).fit(x[known], y[known]) for y, known in zip(answers, ~np.isnan(answers), strict=True)
        ]


def _said(estimators: list[Any], x: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(estimator.predict(x), dtype=np.float64) for estimator in estimators], axis=1)
