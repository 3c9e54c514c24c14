"""What comes next: every model fitted again on all rows, and its forecasts of the rows after the last.

They have no outcome yet, so they are a table of their own that no score reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from forecast.backtesting.split import Fold, WalkForward
from forecast.backtesting.tasks import RefitPeriod, eligible
from forecast.data.panel import Panel
from forecast.models.base import Forecast, quantile_column, quantile_columns
from forecast.models.forecast_table import dates_of_steps

FIRST = ["unique_id", "model", "cutoff", "step", "ds", "y0", "y_hat"]


def next_period(panel: Panel, cv: WalkForward, number: int) -> RefitPeriod:
    """Return the period of the fit on all rows, or on the newest `train_size`: nothing is left to be tested on."""
    stop = len(panel)
    start = 0 if cv.train_size is None else max(stop - cv.train_size, 0)
    return RefitPeriod(number, (Fold(slice(start, stop), slice(0, stop), slice(stop, stop + cv.horizon), stop - 1),))


def next_table(
    panel: Panel, period: RefitPeriod, min_train_rows: int, horizon: int, forecasts: Mapping[str, Forecast | str]
) -> pd.DataFrame:
    """Return the forecasts of the rows after the last: a row for each series, model and step.

    Parameters
    ----------
    panel : Panel
        All prices.
    period : RefitPeriod
        That of `next_period`.
    min_train_rows : int
        Observed rows that a series must have.
    horizon : int
        Rows to forecast.
    forecasts : mapping of str to Forecast or str
        The forecast of each model, or the reason why it has none.

    Returns
    -------
    DataFrame
        unique_id, model, cutoff, step, ds, y0 (the last value), y_hat, quantiles, error (why y_hat is missing).
    """
    series = np.flatnonzero(eligible(panel, period, min_train_rows)[0])
    index, cutoffs = panel.index if panel.future is None else panel.future.index, panel.index[-1:]
    dates = dates_of_steps(index, cutoffs, horizon)
    steps = np.tile(np.arange(1, horizon + 1), len(series))
    base: dict[str, Any] = {
        "unique_id": np.repeat(np.array(panel.series, dtype=object)[series], horizon),
        "cutoff": cutoffs.repeat(len(steps)),
        "step": steps.astype(np.int32),
        "ds": dates[steps - 1],
        "y0": np.repeat(panel.target[-1, series], horizon),
    }
    tables = [
        pd.DataFrame(base | {"model": name} | _values(forecast, series, len(steps)))
        for name, forecast in forecasts.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[[*FIRST, *quantile_columns(table.columns).values(), "error"]]


def _values(forecast: Forecast | str, series: np.ndarray, rows: int) -> dict[str, Any]:
    """Return the columns of a model's forecast of the series."""
    if isinstance(forecast, str):
        return {"y_hat": np.full(rows, np.nan), "error": forecast}
    quantiles = {}
    if forecast.quantiles is not None:
        flat = forecast.quantiles[0, series].reshape(rows, len(forecast.levels))
        quantiles = {quantile_column(level): flat[:, i] for i, level in enumerate(forecast.levels)}
    return {"y_hat": forecast.point[0, series].ravel(), **quantiles, "error": ""}
