"""darts' side of the race: its two LSTMs, by its own historical forecasts.

As they are documented, with the sizes of the race. The one that forecasts in blocks does not read the newest rows for
its first steps; the `recursive` one does. `best` has its own number of epochs, 100.
"""

from __future__ import annotations

import logging
import warnings

import numpy as np
from worker import HIDDEN, LOOKBACK, STEPS, WINDOWS, Stopwatch, Walk, serve

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

from darts import TimeSeries  # noqa: E402
from darts.models import BlockRNNModel, RNNModel  # noqa: E402

Net = BlockRNNModel | RNNModel


def _model(kind: type[Net], walk: Walk, rows: int, steps: int | None = STEPS) -> Net:
    batches = -(-(rows - LOOKBACK - walk.horizon) // WINDOWS)  # of an epoch
    limit = {} if steps is None else {"max_steps": steps}
    quiet = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    blocks = kind is BlockRNNModel
    length = {"output_chunk_length": walk.horizon} if blocks else {"training_length": LOOKBACK + walk.horizon}
    return kind(
        input_chunk_length=LOOKBACK,
        **length,
        model="LSTM",
        hidden_dim=HIDDEN,
        n_rnn_layers=1,
        batch_size=WINDOWS,
        n_epochs=100 if steps is None else -(-steps // batches),
        random_state=1,
        pl_trainer_kwargs=quiet | limit | {"enable_checkpointing": False},
    )


def _said(model: Net, series: TimeSeries, walk: Walk, retrain: bool | int) -> np.ndarray:
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


def _walked(kind: type[Net], y: np.ndarray, walk: Walk, watch: Stopwatch, steps: int | None) -> np.ndarray:
    series = TimeSeries.from_values(y.astype(np.float32))
    with watch:
        return _said(_model(kind, walk, len(y), steps), series, walk, walk.refit)


def blocks(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Every refit begins anew: it has no other way here."""
    return _walked(BlockRNNModel, y, walk, watch, walk.training or STEPS)


def recursive(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """The same by the network that forecasts one step and reads it."""
    return _walked(RNNModel, y, walk, watch, walk.training or STEPS)


def best(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """The recursive one for as many epochs as it has by default."""
    return _walked(RNNModel, y, walk, watch, None)


def _origins(kind: type[Net], y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    series = TimeSeries.from_values(y.astype(np.float32))
    model = _model(kind, walk, len(y))
    model.fit(series[: walk.cutoffs(len(y))[0] + 1])
    with watch:
        return _said(model, series, walk, False)


def origins(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """One fit, not timed; then a forecast from each cutoff."""
    return _origins(BlockRNNModel, y, walk, watch)


def recursive_origins(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """The same by the network that forecasts one step and reads it."""
    return _origins(RNNModel, y, walk, watch)


serve(
    {
        "first": blocks,
        "blocks": blocks,
        "recursive": recursive,
        "best": best,
        "origins": origins,
        "recursive-origins": recursive_origins,
    }
)
