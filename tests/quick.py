"""Small models and small prices that every test module can afford."""

from __future__ import annotations

import numpy as np
import pandas as pd

import forecast as fc


def quick(name: str, **params: object) -> fc.Forecaster:
    """A registry model; networks are made small and trained for a few steps at a rate that moves them."""
    model = fc.make_model(name)
    if "trainer" in model.get_params(deep=False):
        model.set_params(hidden=4, lookback=12, trainer=fc.Trainer(steps=6, batch_size=8, lr=0.05))
    return model.set_params(**params)


def walks(rows: int = 160, series: int = 3, seed: int = 0, late: bool = False) -> pd.DataFrame:
    """Seeded positive prices on business days; `late`: the second series lists after a third of the rows."""
    steps = np.random.default_rng(seed).normal(0, 0.01, size=(rows, series))
    index = pd.bdate_range("2015-01-01", periods=rows)
    frame = pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index=index, columns=[f"S{i}" for i in range(series)])
    if late:
        frame.iloc[: rows // 3, 1] = np.nan
    return frame
