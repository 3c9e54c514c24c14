"""The gain from choosing parameters: a backtest of `Tuned` against the model with its defaults."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from forecast.backtesting.result import BacktestResult
from forecast.backtesting.run import backtest
from forecast.backtesting.split import WalkForward
from forecast.data.panel import Prices
from forecast.evaluation.overfitting import MAX_BLOCKS, Overfitting, overfitting
from forecast.models.base import Forecaster
from forecast.models.tuned import Grid, Tuned


@dataclass(frozen=True)
class Tuning:
    """The result of `tune`.

    Attributes
    ----------
    result : BacktestResult
        The backtest of the models "tuned" and "untuned", with naive.
    choices : DataFrame
        A row for each fit: cutoff, chosen, tried (number of combinations), loss (relative to naive's).
    """

    result: BacktestResult
    choices: pd.DataFrame

    def overfitting(self, n_blocks: int = MAX_BLOCKS) -> Overfitting:
        """Return the probability that the combination that is best on some inner cutoffs is below the median on others.

        The losses are those of all combinations on the inner cutoffs of all fits, in order of time.
        """
        records = [
            json.loads(fit.details) for fit in self.result.fits[self.result.fits["model"] == "tuned"].itertuples()
        ]
        tables = [pd.DataFrame(record["losses_by_cutoff"]) for record in records if "losses_by_cutoff" in record]
        losses = pd.concat(tables, ignore_index=True).dropna(axis=1) if tables else pd.DataFrame()
        return overfitting(losses.to_numpy(), n_blocks)

    def __repr__(self) -> str:
        board = self.result.leaderboard()[["skill", "mase", "win_rate"]]
        verdict = self.result.verdict("untuned", ["tuned"])
        return f"{self.choices.to_string(index=False)}\n\n{board.to_string()}\n\n{verdict}"

    def _repr_html_(self) -> str:
        return self.choices.to_html(index=False) + self.result._repr_html_()


def tune(
    model: Forecaster,
    grid: Grid,
    prices: Prices,
    cv: WalkForward,
    *,
    n_windows: int = 5,
    loss: str = "squared",
    **options: Any,
) -> Tuning:
    """Compare a model whose parameters are chosen at every fit, within its training rows, with its defaults.

    The outer split `cv` tests the whole procedure, so that the best of many combinations is not mistaken for skill.

    Parameters
    ----------
    model : Forecaster
        The model with its default parameters.
    grid : mapping or sequence of mappings
        Values to try of each parameter, as for `Tuned`.
    prices : DataFrame, array or Panel
        Prices, as for `backtest`.
    cv : WalkForward
        The outer walk-forward split.
    n_windows : int, default 5
        Cutoffs of the inner split, on which the parameters are chosen.
    loss : {"squared", "absolute", "pinball", "qlike"}, default "squared"
        Loss that the choice minimises.
    **options
        Further arguments of `backtest`, such as `refit` or `n_jobs`.

    Returns
    -------
    Tuning
        The backtest of both models, and the parameters chosen at each fit.

    Examples
    --------
    >>> prices = fc.load_sample("simulated")[["ar1"]]
    >>> cv = fc.WalkForward(horizon=1, n_windows=20)
    >>> fc.tune(fc.WindowMean(), {"window": [1, 3, 100]}, prices, cv, refit=20).choices["chosen"].tolist()
    ['window=1']
    """
    models = {"untuned": model, "tuned": Tuned(model, grid, n_windows, loss)}
    result = backtest(models, prices, cv, **options)
    rows = []
    for fit in result.fits[result.fits["model"] == "tuned"].itertuples():
        details = json.loads(fit.details)
        if "chosen" in details:
            chosen = details["chosen"]
            rows.append((fit.cutoff, chosen, details["tried"], details["losses"][chosen]))
    return Tuning(result, pd.DataFrame(rows, columns=["cutoff", "chosen", "tried", "loss"]))
