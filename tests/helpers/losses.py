"""Tables of forecasts with given errors."""

from __future__ import annotations

import numpy as np
import pandas as pd


def table_of_errors(errors: dict[str, np.ndarray], steps: int = 1, series: tuple[str, ...] = ("A",)) -> pd.DataFrame:
    """A table whose outcomes are 0, so that the forecasts are the errors: (cutoffs · steps,) for each model."""
    tables = []
    for name in series:
        for model, error in errors.items():
            k = len(error) // steps
            keys = {"cutoff": np.repeat(np.arange(k), steps), "step": np.tile(np.arange(steps) + 1, k)}
            values = {"unique_id": name, "model": model, "member": 0, "y0": 0.0, "y": 0.0, "y_hat": error}
            tables.append(pd.DataFrame(keys | values))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(model=pd.Categorical(table["model"], list(errors)))


def correlated_errors(n: int = 40, seed: int = 0, **scales: float) -> dict[str, np.ndarray]:
    """Errors of the given sizes that are strongly correlated between models."""
    random = np.random.default_rng(seed)
    common = random.normal(size=n)
    return {name: scale * (common + 0.2 * random.normal(size=n)) for name, scale in scales.items()}
