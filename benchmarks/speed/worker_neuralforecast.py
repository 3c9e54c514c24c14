"""neuralforecast's side of the race: its LSTM, by its own cross-validation.

As it is documented, with the sizes of the race. Asked for all steps at once (`direct`, its default) it does not read
the newest rows for the first of them; with `recurrent=True` it does. Its refits go on from the weights of the one
before, with all steps again: its cross-validation has no other way. `best` has its own defaults instead (two layers of
128, robust scaling of each window, absolute errors, 1,000 steps).
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


def _walked(y: np.ndarray, walk: Walk, watch: Stopwatch, **sizes: object) -> np.ndarray:
    rows, n = y.shape
    frame = pd.DataFrame(
        {"unique_id": np.repeat(np.arange(n), rows), "ds": np.tile(np.arange(rows), n), "y": y.T.ravel()}
    )
    with watch:
        model = LSTM(h=walk.horizon, input_size=LOOKBACK, accelerator="cpu", **sizes, **QUIET)
        walker = NeuralForecast(models=[model], freq=1)
        refit = walk.refit if walk.refit < walk.n else False
        said = walker.cross_validation(frame, n_windows=walk.n, step_size=walk.step, refit=refit)
    said = said.sort_values(["cutoff", "unique_id", "ds"])
    return said["LSTM"].to_numpy().reshape(walk.n, n, walk.horizon)


def direct(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Every refit goes on from the one before, with as many steps as the first."""
    return _walked(y, walk, watch, max_steps=walk.training or STEPS, **SIZES)


def recursive(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """The same by the network that forecasts one step and reads it."""
    return _walked(y, walk, watch, max_steps=walk.training or STEPS, recurrent=True, **SIZES)


def best(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """The recursive one with its own defaults."""
    return _walked(y, walk, watch, recurrent=True)


serve({"first": direct, "direct": direct, "recursive": recursive, "best": best})
