"""How often does the verdict claim a win where there is none, and how often does it see one? By simulation.

python benchmarks/significance.py                # everything, some minutes on one core
python benchmarks/significance.py walk --models arima
"""

from __future__ import annotations

import argparse
import gc
import warnings

import numpy as np
import pandas as pd

import forecast as fc

DRAWS, ROWS, CUTOFFS = 200, 600, 100
MODELS = {
    "arima": fc.ARIMA((1, 1, 0), log=False),
    "ar": fc.ARIMA((1, 0, 0), log=False),
    "drift": fc.Drift(log=False),
    "ridge": fc.Tabular(log=False),
    "ses": fc.ETS("ANN", log=False),
}


def draw(phi: float, seed: int) -> np.ndarray:
    """Draw an AR(1) with unit shocks (phi = 1: a random walk without drift)."""
    shocks = np.random.default_rng(seed).normal(size=ROWS)
    y = np.zeros(ROWS)
    for t in range(1, ROWS):
        y[t] = phi * y[t - 1] + shocks[t]
    return y


def wins(name: str, phi: float, horizon: int, step_size: int) -> dict[str, object]:
    """Count the series on which the verdict says that one model, run by itself, is better than naive, or worse."""
    cv = fc.WalkForward(horizon, CUTOFFS, step_size)
    found = []
    for seed in range(DRAWS):
        result = fc.backtest({name: MODELS[name]}, draw(phi, seed), cv, refit=CUTOFFS)
        found.append(result.verdict().table.iloc[0])
    table = pd.DataFrame(found)
    return {
        "model": name,
        "horizon": horizon,
        "cutoffs every": step_size,
        "test": table["test"].iloc[0],
        "better": int((table["finding"] == "better").sum()),
        "a signal": int(table["finding"].str.startswith("a signal").sum()),
        "worse": int((table["finding"] == "worse").sum()),
        "p < .05": int((table["p"] < 0.05).sum()),
    }


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["walk", "ar"], help="walk, ar")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help=", ".join(MODELS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    gc.freeze()  # statsmodels' multipletests collects at each call: what is loaded by now need not be looked through
    titles = {
        "walk": "random walks: every win is a false one (5 % of 200 are 10)",
        "ar": "AR(1), phi 0.5: wins that are there",
    }
    for what in options.what:
        print(f"\n{DRAWS} {titles[what]}")
        walks = [(1, 1), (5, 5), (5, 1)] if what == "walk" else [(1, 1), (5, 5)]
        rows = [wins(name, 1.0 if what == "walk" else 0.5, *walk) for name in options.models for walk in walks]
        print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
