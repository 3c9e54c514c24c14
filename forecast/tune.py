"""Choosing parameters without a look at the test: on an inner walk-forward, inside the training rows of each fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import ParameterGrid

from forecast.backtest import BacktestResult, backtest
from forecast.models.base import LEVELS, Forecast, Forecaster, at_levels
from forecast.models.registry import set_parameter
from forecast.panel import Panel
from forecast.params import check_choice, check_whole
from forecast.scores import LOSSES
from forecast.significance import loss_by_cutoff
from forecast.splits import WalkForward


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
            model = at_levels(self.model, self.levels)
            for path, value in settings.items():
                set_parameter(model, path, value, type(self.model).__name__)
            made[", ".join(f"{path}={value!r}" for path, value in settings.items())] = model
        return made

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter, or one of the models to try, cannot be used."""
        super().check_params()
        if not isinstance(self.model, Forecaster):
            raise TypeError(f"model must be a Forecaster; got {self.model!r}")
        check_whole("n_windows", self.n_windows, 1)
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

    def reads(self) -> tuple[str, ...]:
        """Name the fields that are read beside the target."""
        return tuple(dict.fromkeys(name for m in self.candidates().values() for name in m.reads()))

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

    def _point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        return self.model_._point_at(panel, rows)


@dataclass(frozen=True)
class Tuning:
    """What choosing brought: the backtest of it beside the model as it was, and what was chosen when."""

    result: BacktestResult
    choices: pd.DataFrame  # cutoff, chosen, tried, loss (over naive's), one row for each fit

    def __repr__(self) -> str:
        board = self.result.leaderboard()[["skill", "mase", "win_rate"]]
        judged = self.result.verdict("untuned", ["tuned"])
        return f"{self.choices.to_string(index=False)}\n\n{board.to_string()}\n\n{judged}"

    def _repr_html_(self) -> str:
        return self.choices.to_html(index=False) + self.result._repr_html_()


def tune(
    model: Forecaster,
    grid: Any,
    prices: Any,
    cv: WalkForward,
    *,
    n_windows: int = 5,
    loss: str = "squared",
    **options: Any,
) -> Tuning:
    """Say what choosing parameters brings: choose at every fit inside its training rows, and test beside the default.

    `grid`, `n_windows` and `loss` are those of `Tuned`, `options` those of `backtest`. The outer walk `cv` judges the
    whole procedure, so that the best of many tries is not taken for skill.

    >>> prices = fc.load_sample("simulated")[["ar1"]]
    >>> walk = fc.WalkForward(horizon=1, n_windows=20)
    >>> fc.tune(fc.WindowMean(), {"window": [1, 3, 100]}, prices, walk, refit=20).choices["chosen"].tolist()
    ['window=1']
    """
    race = {"untuned": model, "tuned": Tuned(model, grid, n_windows, loss)}
    result = backtest(race, prices, cv, **options)
    rows = []
    for fit in result.fits[result.fits["model"] == "tuned"].itertuples():
        told = json.loads(fit.details)
        if "chosen" in told:
            chosen = told["chosen"]
            rows.append((fit.cutoff, chosen, told["tried"], told["losses"][chosen]))
    return Tuning(result, pd.DataFrame(rows, columns=["cutoff", "chosen", "tried", "loss"]))
