"""darts' side of the race: its LSTM that forecasts in blocks, by its own historical forecasts.

As it is documented, with the sizes of the race; `best` adds its own number of epochs, 100.
"""

from __future__ import annotations

import logging
import warnings

import numpy as np
from worker import HIDDEN, LOOKBACK, STEPS, WINDOWS, Stopwatch, Walk, serve

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

from darts import TimeSeries  # noqa: E402
from darts.models import BlockRNNModel  # noqa: E402


def _model(walk: Walk, rows: int, steps: int | None = STEPS) -> BlockRNNModel:
    batches = -(-(rows - LOOKBACK - walk.horizon) // WINDOWS)  # of an epoch
    limit = {} if steps is None else {"max_steps": steps}
    quiet = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    return BlockRNNModel(
        input_chunk_length=LOOKBACK,
        output_chunk_length=walk.horizon,
        model="LSTM",
        hidden_dim=HIDDEN,
        n_rnn_layers=1,
        batch_size=WINDOWS,
        n_epochs=100 if steps is None else -(-steps // batches),
        random_state=1,
        pl_trainer_kwargs=quiet | limit | {"enable_checkpointing": False},
    )


def _said(model: BlockRNNModel, series: TimeSeries, walk: Walk, retrain: bool | int) -> np.ndarray:
    first = walk.cutoffs(len(series))[0] + 1
    said = model.historical_forecasts(
        series,
        start=first,
        start_format="position",
        stride=walk.step,
        forecast_horizon=walk.horizon,
        retrain=retrain,
        last_points_only=False,
    )
    return np.stack([each.values()[:, 0] for each in said])[:, None]


def _walked(y: np.ndarray, walk: Walk, watch: Stopwatch, steps: int | None) -> np.ndarray:
    series = TimeSeries.from_values(y.astype(np.float32))
    with watch:
        return _said(_model(walk, len(y), steps), series, walk, walk.refit)


def scratch(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Every refit begins anew: it has no other way here."""
    return _walked(y, walk, watch, STEPS)


def best(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """The same for as many epochs as it has by default."""
    return _walked(y, walk, watch, None)


def origins(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """One fit, not timed; then a forecast from each cutoff."""
    series = TimeSeries.from_values(y.astype(np.float32))
    model = _model(walk, len(y))
    model.fit(series[: walk.cutoffs(len(y))[0] + 1])
    with watch:
        return _said(model, series, walk, False)


serve({"first": scratch, "scratch": scratch, "best": best, "origins": origins})
