"""What choosing parameters gains: a backtest of `Tuned` beside the model with its defaults."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from forecast.backtesting.result import BacktestResult
from forecast.backtesting.run import backtest
from forecast.backtesting.split import WalkForward
from forecast.models.base import Forecaster
from forecast.models.tuned import Tuned


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
        fit_info = json.loads(fit.details)
        if "chosen" in fit_info:
            chosen = fit_info["chosen"]
            rows.append((fit.cutoff, chosen, fit_info["tried"], fit_info["losses"][chosen]))
    return Tuning(result, pd.DataFrame(rows, columns=["cutoff", "chosen", "tried", "loss"]))
