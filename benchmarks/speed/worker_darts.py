"""darts in the comparison: its two LSTMs, by its own historical forecasts.

As documented, with the sizes of the comparison. The one that forecasts in blocks does not read the newest rows for its
first steps; the `recursive` one does. `best` has the default number of epochs, 100.
"""

from __future__ import annotations

import logging
import warnings
from functools import partial

import numpy as np
from worker import HIDDEN, LOOKBACK, STEPS, WINDOWS, Stopwatch, Walk, serve

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

from darts import TimeSeries  # noqa: E402
from darts.models import BlockRNNModel, RNNModel  # noqa: E402

Net = BlockRNNModel | RNNModel


def _model(kind: type[Net], walk: Walk, rows: int, steps: int | None = STEPS) -> Net:
    n_batches = -(-(rows - LOOKBACK - walk.horizon) // WINDOWS)  # of an epoch
    limit = {} if steps is None else {"max_steps": steps}
    quiet = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    in_blocks = kind is BlockRNNModel
    length = {"output_chunk_length": walk.horizon} if in_blocks else {"training_length": LOOKBACK + walk.horizon}
    return kind(
        input_chunk_length=LOOKBACK,
        **length,
        model="LSTM",
        hidden_dim=HIDDEN,
        n_rnn_layers=1,
        batch_size=WINDOWS,
        n_epochs=100 if steps is None else -(-steps // n_batches),
        random_state=1,
        pl_trainer_kwargs=quiet | limit | {"enable_checkpointing": False},
    )


def _forecast(model: Net, series: TimeSeries, walk: Walk, retrain: bool | int) -> np.ndarray:
    first = walk.cutoffs(len(series))[0] + 1
    forecasts = model.historical_forecasts(
        series,
        start=first,
        start_format="position",
        stride=walk.step_size,
        forecast_horizon=walk.horizon,
        retrain=retrain,
        last_points_only=False,
    )
    return np.stack([forecast.values()[:, 0] for forecast in forecasts])[:, None]


def _walk_forward(kind: type[Net], y: np.ndarray, walk: Walk, watch: Stopwatch, steps: int | None) -> np.ndarray:
    series = TimeSeries.from_values(y.astype(np.float32))
    with watch:
        return _forecast(_model(kind, walk, len(y), steps), series, walk, walk.refit)


def blocks(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Run a walk with the LSTM that forecasts in blocks; darts refits from scratch only."""
    return _walk_forward(BlockRNNModel, y, walk, watch, walk.training_steps or STEPS)


def recursive(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Run a walk with the LSTM that forecasts one step and feeds it back."""
    return _walk_forward(RNNModel, y, walk, watch, walk.training_steps or STEPS)


def best(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Run a walk with the recursive LSTM and its default number of epochs."""
    return _walk_forward(RNNModel, y, walk, watch, None)


def _origins(kind: type[Net], y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Fit once, not timed; then forecast from each cutoff."""
    series = TimeSeries.from_values(y.astype(np.float32))
    model = _model(kind, walk, len(y))
    model.fit(series[: walk.cutoffs(len(y))[0] + 1])
    with watch:
        return _forecast(model, series, walk, False)


serve(
    {
        "first": blocks,
        "blocks": blocks,
        "recursive": recursive,
        "best": best,
        "origins": partial(_origins, BlockRNNModel),
        "recursive-origins": partial(_origins, RNNModel),
    }
)
