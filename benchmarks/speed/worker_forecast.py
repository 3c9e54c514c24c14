"""This package's side of the race."""

from __future__ import annotations

import numpy as np
from worker import HIDDEN, LOOKBACK, Stopwatch, Walk, serve

import forecast as fc

SEQUENCES = 6  # of a training step: 180 rows each, with a lesson at 120 of them


def _lstm(steps: int = 40, lr: float = 4e-3, skip_lr: float = 4e-2) -> fc.Recurrent:
    trainer = fc.Trainer(steps=steps, lr=lr, skip_lr=skip_lr, batch_size=SEQUENCES, warm_steps=10)
    base = fc.MeanReversion()
    return fc.Recurrent("lstm", hidden=HIDDEN, lookback=LOOKBACK, base=base, loss="mse", log=False, trainer=trainer)


def _walked(model: fc.Forecaster, y: np.ndarray, walk: Walk, watch: Stopwatch, **how: object) -> np.ndarray:
    cv = fc.WalkForward(walk.horizon, walk.n, walk.step)
    with watch:
        result = fc.backtest({"it": model}, y, cv, refit=walk.refit, **how)
    table = result.forecasts[(result.forecasts["model"] == "it") & (result.forecasts["member"] == 0)]
    return table["y_hat"].to_numpy().reshape(walk.n, y.shape[1], walk.horizon)


def base(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Give what the networks correct, as it is."""
    return _walked(fc.MeanReversion(log=False), y, walk, watch)


def scratch(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Every refit begins anew."""
    return _walked(_lstm(walk.training or 40), y, walk, watch)


def warm(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Every refit goes on from the one before, for ten steps; the first takes eighty."""
    return _walked(_lstm(80, 2e-3, 5e-3), y, walk, watch, warm=True)


def panel(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Every refit begins anew, with twice the steps: a hundred series have more to teach than one."""
    return _walked(_lstm(80), y, walk, watch)


def fit(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Fit ARIMA(2, 0, 2) with a mean; give its log-likelihood."""
    with watch:
        model = fc.ARIMA((2, 0, 2), log=False).fit(y[:, 0], 1)
    return np.array(model.record_["loglike"]["y"])


def auto(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Choose the order of an ARIMA; give its AICc."""
    with watch:
        model = fc.ARIMA("auto", log=False).fit(y[:, 0], 1)
    return np.array(model.record_["aicc"]["y"])


def arima(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """Choose an order at every refit."""
    return _walked(fc.ARIMA("auto", log=False), y, walk, watch)


def origins(y: np.ndarray, walk: Walk, watch: Stopwatch) -> np.ndarray:
    """One fit, not timed; then a forecast from each cutoff."""
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
