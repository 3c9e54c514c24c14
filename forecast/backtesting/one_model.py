"""The forecasts of one model in a walk-forward run, without what a comparison needs, for audits, which repeat it."""

from __future__ import annotations

import pandas as pd

from forecast.backtesting.executor import Executor
from forecast.backtesting.split import WalkForward
from forecast.backtesting.table import ForecastIndex, skipped
from forecast.backtesting.tasks import combined_forecast, eligible, make_periods, make_tasks
from forecast.data.panel import Panel, as_panel
from forecast.models.base import Forecaster
from forecast.models.naive import Naive


def run_model(name: str, model: Forecaster, prices: Panel, cv: WalkForward, refit: int) -> tuple[pd.DataFrame, bool]:
    """Return a model's rows of the long table of `backtest`, and whether a fit failed; it has no row then.

    The forecasts are the same bytes. No reference is fitted, the prices are not checked, and no spec is made.
    """
    model.check_params()
    panel = as_panel(prices, exog=model.required_fields(), future=model.future_fields())
    model.check_static(panel)
    periods = make_periods(list(cv.split(panel)), refit)
    min_train_rows = max(model.min_rows(cv.horizon), Naive().min_rows(cv.horizon))  # as naive is in every run
    if not any(eligible(panel, period, min_train_rows).any() for period in periods):
        skipped(panel, periods, min_train_rows, cv.train_size)  # which raises an error with the reason
    results = Executor(panel, cv.horizon, on_error="record").run(
        make_tasks({name: model}, periods, min_train_rows, False)
    )
    tables = [
        ForecastIndex(panel, period, min_train_rows, cv.horizon, 1).to_frame(name, forecast)
        for period in periods
        if (forecast := combined_forecast(name, model, period, results)) is not None
    ]
    columns = ["unique_id", "cutoff", "step", "member", "y_hat"]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns, dtype=float)
    return table, any(result.fit_info["error"] for result in results.values())
