"""neuralforecast in the comparison: its LSTM, by its own cross-validation.

As documented, with the sizes of the comparison. If it forecasts all steps at once (`direct`, its default) it does not
read the newest rows for the first of them; with `recurrent=True` it does. Its cross-validation always refits from the
weights of the fit before, with all steps again. `best` has the defaults instead (two layers of 128, robust scaling of
each window, absolute errors, 1,000 steps).
"""

from __future__ import annotations

import logging
import os
import warnings

import numpy as np
import pandas as pd
from worker import HIDDEN, LOOKBACK, STEPS, WINDOWS, Stopwatch, Walk, serve

os.environ["NIXTLA_ID_AS_COL"] = "1"
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

from neuralforecast import NeuralForecast  # noqa: E402
from neuralforecast.losses.pytorch import MSE  # noqa: E402
from neuralforecast.models import LSTM  # noqa: E402

QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "enable_checkpointing": False}
SIZES = {
    "encoder_n_layers": 1,
    "encoder_hidden_size": HIDDEN,
    "decoder_layers": 1,
    "decoder_hidden_size": HIDDEN,
    "windows_batch_size": WINDOWS,
    "scaler_type": "standard",
    "loss": MSE(),
}


def _walk_forward(y: np.ndarray, walk: Walk, watch: Stopwatch, **sizes: object) -> np.ndarray:
    rows, n = y.shape
    frame = pd.DataFrame(
        {"unique_id": np.repeat(np.arange(n), rows), "ds": np.tile(np.arange(rows), n), "y": y.T.ravel()}
    )
    with watch:
        model = LSTM(h=walk.horizon, input_size=LOOKBACK, accelerator="cpu", **sizes, **QUIET)
        runner = NeuralForecast(models=[model], freq=1)
        refit = walk.refit if walk.refit < walk.n_windows else False
        table = runner.cross_validation(frame, n_windows=walk.n_windows, step_size=walk.step_size, refit=refit)
    table = table.sort_values(["cutoff", "unique_id", "ds"])
    return table["LSTM"].to_numpy().reshape(walk.n_windows, n, walk.horizon)


def direct(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Run a walk with the LSTM that forecasts all steps at once."""
    return _walk_forward(y, walk, watch, max_steps=walk.training_steps or STEPS, **SIZES)


def recursive(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Run a walk with the LSTM that forecasts one step and feeds it back."""
    return _walk_forward(y, walk, watch, max_steps=walk.training_steps or STEPS, recurrent=True, **SIZES)


def best(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Run a walk with the recursive LSTM and its defaults."""
    return _walk_forward(y, walk, watch, recurrent=True)


serve({"first": direct, "direct": direct, "recursive": recursive, "best": best})
