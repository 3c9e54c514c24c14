"""statsforecast's side of the race: its ARIMA and its auto-ARIMA, which are compiled."""

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
    """Fit ARIMA(2, 0, 2) with a mean; give its log-likelihood."""
    with watch:
        model = ARIMA(order=(2, 0, 2), include_mean=True).fit(y[:, 0])
    return np.array(model.model_["loglik"])


def auto(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Choose the order of an ARIMA; give its AICc."""
    with watch:
        model = AutoARIMA().fit(y[:, 0])
    return np.array(model.model_["aicc"])


def arima(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Choose an order at every refit, by its own cross-validation."""
    frame = pd.DataFrame({"unique_id": 0, "ds": np.arange(len(y)), "y": y[:, 0]})
    with watch:
        walker = StatsForecast([AutoARIMA()], freq=1, n_jobs=1)
        said = walker.cross_validation(
            h=walk.horizon, df=frame, n_windows=walk.n, step_size=walk.step, refit=walk.refit
        )
    return said.sort_values(["cutoff", "ds"])["AutoARIMA"].to_numpy().reshape(walk.n, 1, walk.horizon)


serve({"fit": fit, "auto": auto, "arima": arima})
