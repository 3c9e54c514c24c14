"""Choosing parameters without a look at the test: on an inner walk-forward, inside the training rows of each fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import ParameterGrid

from forecast._validation import check_choice, check_int
from forecast.backtesting import backtest
from forecast.backtesting.split import WalkForward
from forecast.data.panel import Panel
from forecast.evaluation import loss_by_cutoff
from forecast.evaluation.scores import LOSSES
from forecast.models.base import LEVELS, Forecast, Forecaster, with_levels
from forecast.models.registry import set_parameter


class Tuned(Forecaster):
    """A model whose parameters are chosen anew at every fit, by how they would have done on the newest training rows.

    `grid` maps parameters to the values to try, such as ``{"lookback": [30, 60], "trainer.lr": [1e-3, 3e-3]}`` (or is a
    list of such mappings). At each fit every combination is fitted on the training rows before the last `n_windows`
    cutoffs (`horizon` rows apart) and forecasts from each of them; the one with the least loss is fitted on all
    training rows. The loss is that of the verdict, "squared" or "qlike". As all this happens inside `fit`, a backtest
    judges the choosing too, and no row of a test fold is seen. The number of combinations stands in the fit's record.
    """

    def __init__(
        self,
        model: Forecaster,
        grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]],
        n_windows: int = 5,
        loss: str = "squared",
        levels: tuple[float, ...] = LEVELS,
    ) -> None:
        self.model = model
        self.grid = grid
        self.n_windows = n_windows
        self.loss = loss
        self.levels = levels

    def candidates(self) -> dict[str, Forecaster]:
        """Give the models to try, under names that say what sets them apart."""
        made = {}
        for settings in ParameterGrid(self.grid):
            model = with_levels(self.model, self.levels)
            for path, value in settings.items():
                set_parameter(model, path, value, type(self.model).__name__)
            made[", ".join(f"{path}={value!r}" for path, value in settings.items())] = model
        return made

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter, or one of the models to try, cannot be used."""
        super().check_params()
        if not isinstance(self.model, Forecaster):
            raise TypeError(f"model must be a Forecaster; got {self.model!r}")
        check_int("n_windows", self.n_windows, 1)
        check_choice("loss", self.loss, tuple(LOSSES))
        try:
            found = self.candidates()
        except TypeError as error:
            raise TypeError(f"grid must map parameters to lists of values: {error}") from error
        if not found or "" in found:
            raise ValueError("grid names nothing to try: give values, such as {'lookback': [30, 60]}")
        for name, model in found.items():
            try:
                model.check_params()
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name}: {error}") from error

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: those of its models, and the rows they are tried on."""
        return max(m.min_rows(horizon) for m in self.candidates().values()) + self.n_windows * horizon

    def required_fields(self) -> tuple[str, ...]:
        """Name the fields that are read beside the target."""
        return tuple(dict.fromkeys(name for m in self.candidates().values() for name in m.required_fields()))

    def nests(self, other: Forecaster) -> bool:
        """Whether one of the models to try does, or is the other."""
        return any(m.same_as(other) or m.nests(other) for m in self.candidates().values())

    def _fit(self, panel: Panel, horizon: int) -> None:
        found = self.candidates()
        inner = WalkForward(horizon, self.n_windows)
        tried = backtest(found, panel, inner, refit=self.n_windows)
        losses = loss_by_cutoff(tried.forecasts, self.loss)[list(found)].mean()
        if losses.isna().all():
            raise ValueError("naive was never wrong on the inner walk-forward: there is no loss to choose by")
        best = str(losses.idxmin())
        self.model_ = found[best].fit(panel, horizon)
        self.record_ = self.model_.record_ | {
            "chosen": best,
            "tried": len(found),
            "losses": {name: round(float(loss), 6) for name, loss in losses.items()},
        }

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        return self.model_._predict_at(panel, rows)

    def _predict_point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        return self.model_._predict_point_at(panel, rows)
