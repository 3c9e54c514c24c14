"""Small models and short price series that keep tests fast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

import forecast as fc
from forecast.features.dataset import TrainingRows
from forecast.features.inputs import Inputs
from forecast.models.recurrent.ragged import Group, RaggedRows
from forecast.models.registry import CELLS, set_parameter

VOLATILITY = ("har", "garch", "ewma")  # models of variances, whose point is the mean
RETURNS = ("zero",)  # models of returns, which are negative as often as not


def quick(name: str, **params: object) -> fc.Forecaster:
    """Return a registry model; networks are small, correct naive and are trained for a few steps at a high rate."""
    model = fc.make_model(name)
    if "hidden" in model.get_params(deep=False):
        trainer = fc.Trainer(steps=6, batch_size=8, lr=0.05)
        model.set_params(hidden=4, lookback=12, base=fc.Naive(), trainer=trainer)
    if name == "boosting":
        set_parameter(model, "estimator.max_iter", 5, name)
    return model.set_params(**params)


def covering(kinds: Sequence[str] = ("",)) -> list[tuple[str, str]]:
    """Return pairs of a registry model and a kind of case: all pairs, but of each topology one cell after the other.

    So each topology has every kind, and each cell every kind and, of three kinds or more, every topology.
    """
    topologies = list(dict.fromkeys(name.partition("-")[2] for name in fc.model_names() if name.startswith(CELLS)))

    def is_covered(name: str, number: int) -> bool:
        cell, _, topology = name.partition("-")
        return cell not in CELLS or CELLS.index(cell) == (topologies.index(topology) + number) % len(CELLS)

    return [(name, kind) for name in fc.model_names() for i, kind in enumerate(kinds) if is_covered(name, i)]


def walks(rows: int = 160, series: int = 3, seed: int = 0, late: bool = False) -> pd.DataFrame:
    """Return seeded positive prices on business days; `late`: the second series starts after a third of the rows."""
    steps = np.random.default_rng(seed).normal(0, 0.01, size=(rows, series))
    index = pd.bdate_range("2015-01-01", periods=rows)
    frame = pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index=index, columns=[f"S{i}" for i in range(series)])
    if late:
        frame.iloc[: rows // 3, 1] = np.nan
    return frame


def variances(rows: int = 160, series: int = 3, seed: int = 0, late: bool = False) -> pd.DataFrame:
    """Return seeded variances that cluster: an autoregression of logs, times a noise that is never negative."""
    rng = np.random.default_rng(seed)
    log = np.zeros((rows, series))
    for t in range(1, rows):
        log[t] = 0.9 * log[t - 1] + rng.normal(0, 0.3, size=series)
    frame = walks(rows, series, seed, late)
    return frame * 0 + 1e-4 * np.exp(log) * rng.chisquare(10, size=log.shape) / 10


def returns(rows: int = 160, series: int = 3, seed: int = 0, late: bool = False) -> pd.DataFrame:
    """Return the returns of `walks`."""
    return walks(rows + 1, series, seed, late).pct_change(fill_method=None).iloc[1:]


def series_for(name: str, **shape: object) -> pd.DataFrame:
    """Return prices, variances for a model of variances, or returns for a model of returns."""
    return (variances if name in VOLATILITY else returns if name in RETURNS else walks)(**shape)


def training_rows(inputs: Inputs, base: np.ndarray) -> RaggedRows:
    """Return the training rows of a panel that a network reads as one group of series."""
    return RaggedRows([Group(np.arange(base.shape[1]), 0)], [TrainingRows(inputs, base)], len(base))
