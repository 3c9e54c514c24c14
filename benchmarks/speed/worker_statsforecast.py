"""statsforecast in the comparison: its ARIMA and its AutoARIMA, which are compiled."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pandas as pd
from worker import Stopwatch, Walk, serve

os.environ["NIXTLA_ID_AS_COL"] = "1"
warnings.simplefilter("ignore")

from statsforecast import StatsForecast  # noqa: E402
from statsforecast.models import ARIMA, AutoARIMA  # noqa: E402


def fit(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Fit ARIMA(2, 0, 2) with a mean; return its log-likelihood."""
    with watch:
        model = ARIMA(order=(2, 0, 2), include_mean=True).fit(y[:, 0])
    return np.array(model.model_["loglik"])


def auto(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Select the order of an ARIMA; return its AICc."""
    with watch:
        model = AutoARIMA().fit(y[:, 0])
    return np.array(model.model_["aicc"])


def arima(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Run a walk that selects an order at every refit, by its own cross-validation."""
    frame = pd.DataFrame({"unique_id": 0, "ds": np.arange(len(y)), "y": y[:, 0]})
    with watch:
        runner = StatsForecast([AutoARIMA()], freq=1, n_jobs=1)
        table = runner.cross_validation(
            h=walk.horizon, df=frame, n_windows=walk.n_windows, step_size=walk.step_size, refit=walk.refit
        )
    return table.sort_values(["cutoff", "ds"])["AutoARIMA"].to_numpy().reshape(walk.n_windows, 1, walk.horizon)


serve({"fit": fit, "auto": auto, "arima": arima})
