"""Accuracy of the models on series whose best forecast is known, and on log range variance.

python benchmarks/truth.py               # all tables, about ten minutes on one core
python benchmarks/truth.py ar1 --models lstm gru
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd

import forecast as fc
from forecast.evaluation import diebold_mariano

BOTH = " in both directions"  # suffix of a model's name
OTHERS = ("drift", "seasonal-naive", "window-mean", "mean-reversion", "ses", "holt", "damped", "har", "garch", "ewma")
MODELS = [name for name in fc.model_names() if name not in OTHERS]
MODELS += [name + BOTH for name in MODELS if name.endswith(("many-to-one", "recursive", "seq2seq"))]
HORIZON, DRAWS, ROWS, ORIGINS = 5, 5, 3000, 300


def make(name: str) -> fc.Forecaster:
    """Return a model by its name, bidirectional if the name has the suffix."""
    model = fc.make_model(name.removesuffix(BOTH))
    return model.set_params(bidirectional=True) if name.endswith(BOTH) else model


def ar1(phi: float, seed: int, rows: int = ROWS) -> np.ndarray:
    """Simulate an AR(1) with standard normal shocks (phi = 1: a random walk)."""
    shocks = np.random.default_rng(seed).normal(size=rows + 500)
    y = np.zeros(rows + 500)
    for t in range(1, len(y)):
        y[t] = phi * y[t - 1] + shocks[t]
    return y[500:]


def targets(y: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the values 1 … H rows after each row, (K, H)."""
    return np.stack([y[rows + k] for k in range(1, HORIZON + 1)], axis=1)


def rmse(forecast: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Compute the root mean squared error at each step, (H,)."""
    return np.sqrt(((forecast - truth) ** 2).mean(axis=0))


def on_ar1(name: str, phi: float) -> dict[str, object]:
    """Fit once, forecast from the last 300 origins, compare with the oracle; return means over five draws."""
    ours, best, p_values, seconds = [], [], [], []
    for seed in range(DRAWS):
        y = ar1(phi, seed)
        rows = np.arange(ROWS - HORIZON - ORIGINS, ROWS - HORIZON)
        start = time.perf_counter()
        model = make(name).fit(y[: rows[0] + 1], HORIZON)
        seconds.append(time.perf_counter() - start)
        truth = targets(y, rows)
        forecast = model.predict_at(y, rows).point[:, 0]
        oracle = np.stack([phi**k * y[rows] for k in range(1, HORIZON + 1)], axis=1)
        ours.append(rmse(forecast, truth))
        best.append(rmse(oracle, truth))
        naive_loss = ((y[rows][:, None] - truth) ** 2).mean(axis=1)
        p_values.append(diebold_mariano(naive_loss, ((forecast - truth) ** 2).mean(axis=1), HORIZON).p_better)
    ratio = np.mean(ours, axis=0) / np.mean(best, axis=0)
    row: dict[str, object] = {"model": name} | {f"step {k}": f"{r:.4f}" for k, r in enumerate(ratio, start=1)}
    return row | {"least p of beating naive": f"{min(p_values):.3f}", "fit s": f"{np.median(seconds):.1f}"}


def on_volatility(name: str) -> dict[str, object]:
    """Return RMSE over naive's on the S&P 500's log range variance: last 1,000 origins, refitted once half-way."""
    from arch.data import sp500

    prices = sp500.load()
    variance = np.log(np.log(prices["High"] / prices["Low"]) ** 2 / (4 * np.log(2))).to_frame("SP500")
    y = variance["SP500"].to_numpy()
    rows = np.arange(len(y) - HORIZON - 1000, len(y) - HORIZON)
    truth = targets(y, rows)
    start = time.perf_counter()
    halves = []
    for half in np.split(rows, 2):
        model = make(name).fit(variance.iloc[: half[0] + 1], HORIZON)
        halves.append(model.predict_at(variance, half).point[:, 0])
    forecast = np.concatenate(halves)
    naive = np.repeat(y[rows][:, None], HORIZON, axis=1)
    ratio = np.sqrt(((forecast - truth) ** 2).mean() / ((naive - truth) ** 2).mean())
    return {"model": name, "RMSE / naive's": f"{ratio:.4f}", "seconds": f"{time.perf_counter() - start:.1f}"}


def main() -> None:
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["ar1", "walk", "volatility"], help="ar1, walk, volatility")
    parser.add_argument("--models", nargs="+", default=MODELS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    titles = {
        "ar1": "AR(1), phi 0.9, 3,000 rows: RMSE over the oracle's at each step, mean over 5 draws",
        "walk": "Random walk, 3,000 rows: RMSE over naive's at each step, mean over 5 draws",
        "volatility": "S&P 500 log range variance, last 1,000 origins, steps 1 to 5 together",
    }
    for what in options.what:
        print(f"\n{titles[what]}")
        if what == "volatility":
            table = [on_volatility(name) for name in ["har", *options.models]]
        else:
            table = [on_ar1(name, 0.9 if what == "ar1" else 1.0) for name in options.models]
        print(pd.DataFrame(table).to_string(index=False))


if __name__ == "__main__":
    main()
