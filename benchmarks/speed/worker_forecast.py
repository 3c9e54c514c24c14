"""This package in the comparison."""

from __future__ import annotations

import numpy as np
from worker import HIDDEN, LOOKBACK, Stopwatch, Walk, serve

import forecast as fc

SEQUENCES = 6  # of a training step: 180 rows each, with targets at 120 of them


def _lstm(steps: int = 40, lr: float = 4e-3, skip_lr: float = 4e-2) -> fc.Recurrent:
    trainer = fc.Trainer(steps=steps, lr=lr, skip_lr=skip_lr, batch_size=SEQUENCES, warm_steps=10)
    base = fc.MeanReversion()
    return fc.Recurrent("lstm", hidden=HIDDEN, lookback=LOOKBACK, base=base, loss="mse", log=False, trainer=trainer)


def _walk_forward(model: fc.Forecaster, y: np.ndarray, walk: Walk, watch: Stopwatch, warm: bool = False) -> np.ndarray:
    cv = fc.WalkForward(walk.horizon, walk.n_windows, walk.step_size)
    with watch:
        result = fc.backtest({"model": model}, y, cv, refit=walk.refit, warm=warm)
    table = result.forecasts[(result.forecasts["model"] == "model") & (result.forecasts["member"] == 0)]
    return table["y_hat"].to_numpy().reshape(walk.n_windows, y.shape[1], walk.horizon)


def base(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Run a walk with the base of the networks alone."""
    return _walk_forward(fc.MeanReversion(log=False), y, walk, watch)


def scratch(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Run a walk that refits from scratch."""
    return _walk_forward(_lstm(walk.training_steps or 40), y, walk, watch)


def warm(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Run a walk whose first fit takes eighty steps, and each refit ten more from the weights of the last."""
    return _walk_forward(_lstm(80, 2e-3, 5e-3), y, walk, watch, warm=True)


def panel(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Run a walk that refits from scratch, with twice the steps, as a hundred series have more to learn from."""
    return _walk_forward(_lstm(80), y, walk, watch)


def fit(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Fit ARIMA(2, 0, 2) with a mean; return its log-likelihood."""
    with watch:
        model = fc.ARIMA((2, 0, 2), log=False).fit(y[:, 0], 1)
    return np.array(model.record_["loglike"]["y"])


def auto(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Select the order of an ARIMA; return its AICc."""
    with watch:
        model = fc.ARIMA("auto", log=False).fit(y[:, 0], 1)
    return np.array(model.record_["aicc"]["y"])


def arima(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Run a walk that selects an order at every refit."""
    return _walk_forward(fc.ARIMA("auto", log=False), y, walk, watch)


def origins(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Fit once, not timed; then forecast from each cutoff."""
    rows = walk.cutoffs(len(y))
    model = _lstm().fit(y[: rows[0] + 1], walk.horizon)
    with watch:
        return model.predict_at(y, rows).point


if __name__ == "__main__":
    serve(
        {
            "first": scratch,
            "base": base,
            "scratch": scratch,
            "warm": warm,
            "panel": panel,
            "origins": origins,
            "fit": fit,
            "auto": auto,
            "arima": arima,
        }
    )
