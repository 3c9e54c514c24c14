"""Simulated series for experiments: those that the pretrained network learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast._validation import check_choice, check_int
from forecast.models.recurrent.pretrained.priors import PROCESSES, draw_batch, standardise

if TYPE_CHECKING:
    import pandas as pd

MIXTURE = "mixture"


def simulate(process: str = MIXTURE, series: int = 10, rows: int = 200, seed: int = 0) -> pd.DataFrame:
    """Simulate series of one process, or of the mixture that the pretrained network is trained on.

    The parameters of the process are drawn for each series. Changes have a standard deviation of 1.

    Parameters
    ----------
    process : str, default "mixture"
        "mixture" (all processes with seasons, trends, outliers and missing rows), or one of "arma", "integrated",
        "trend", "walk", "local_level", "local_trend", "broken_trends", "waves", "long_memory", "regimes", "saturation",
        "growth" and "counts".
    series : int, default 10
        The number of series.
    rows : int, default 200
        The rows of each series; at least 10.
    seed : int, default 0
        The same seed gives the same series.

    Returns
    -------
    DataFrame of shape (rows, series)
        NaN where a value of the mixture is missing.

    Raises
    ------
    ValueError
        If there is no such process.

    Examples
    --------
    >>> fc.simulate("walk", series=2, rows=500).diff().std().round(1).tolist()
    [1.0, 1.0]
    """
    import pandas as pd

    by_name = {function.__name__: function for function in PROCESSES}
    check_choice("process", process, (MIXTURE, *by_name))
    check_int("series", series, 1)
    check_int("rows", rows, 10)
    check_int("seed", seed, 0)
    rng = np.random.default_rng(seed)
    if process == MIXTURE:
        batch = draw_batch(rng, series, rows)
        values = np.where(batch.observed, batch.values, np.nan)
    else:
        values = standardise(by_name[process](rng, series, rows))
    return pd.DataFrame(values.T, columns=[f"{process}{i}" for i in range(series)])
