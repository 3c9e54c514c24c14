"""Size and power of the verdict, by simulation: how often it finds a win where there is none, and where there is one.

python benchmarks/significance.py                # all tables, some minutes on one core
python benchmarks/significance.py walk --models arima
python benchmarks/significance.py returns            # all models of RETURNS in one run, as on the command line
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd

import forecast as fc

DRAWS, ROWS, CUTOFFS = 200, 600, 100
#: Models of returns by the number of draws: the networks and the search for an order take longer.
RETURNS = {100: ("arima", "ridge", "ets", "window-mean"), 20: ("lstm", "auto-arima")}
MODELS = {
    "arima": fc.ARIMA((1, 1, 0), log=False),
    "ar": fc.ARIMA((1, 0, 0), log=False),
    "drift": fc.Drift(log=False),
    "ridge": fc.Tabular(log=False),
    "ses": fc.ETS("ANN", log=False),
}


def ar1(phi: float, seed: int) -> np.ndarray:
    """Simulate an AR(1) with standard normal shocks (phi = 1: a random walk without drift)."""
    shocks = np.random.default_rng(seed).normal(size=ROWS)
    y = np.zeros(ROWS)
    for t in range(1, ROWS):
        y[t] = phi * y[t - 1] + shocks[t]
    return y


def wins(name: str, phi: float, horizon: int, step_size: int) -> dict[str, object]:
    """Count the series on which the verdict finds one model, compared with naive alone, better or worse."""
    cv = fc.WalkForward(horizon, CUTOFFS, step_size)
    found = []
    for seed in range(DRAWS):
        result = fc.backtest({name: MODELS[name]}, ar1(phi, seed), cv, refit=CUTOFFS, reference="naive")
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


def wins_on_returns(draws: int, names: tuple[str, ...]) -> pd.DataFrame:
    """Count the draws of independent returns on which models are found better than the baseline, and than naive."""
    found = []
    for seed in range(draws):
        returns = 0.01 * np.random.default_rng(seed).standard_t(4, size=ROWS)
        panel = fc.make_target(pd.DataFrame({"price": 100 * np.exp(returns.cumsum())}), "return")
        models = {name: fc.make_model(name) for name in names}
        result = fc.backtest(models, panel, fc.WalkForward(1, CUTOFFS), refit=CUTOFFS)
        for against in (result.strongest_baseline(), "naive"):
            table = result.verdict(against).table.set_index("model").loc[list(names)]
            better = table["finding"] == "better"
            found += [{"against": against, "model": name, "better": better[name]} for name in names]
            found.append({"against": against, "model": "any of them", "better": better.any()})
    counts = pd.DataFrame(found).groupby(["against", "model"], sort=False)["better"].agg(["size", "sum"])
    return counts.set_axis(["draws", "better"], axis=1).reset_index()


def main() -> None:
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["walk", "ar", "returns"], help="walk, ar, returns")
    parser.add_argument("--models", nargs="+", default=list(MODELS), help=", ".join(MODELS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    titles = {
        "walk": "random walks: every win is a false one (5 % of 200 are 10)",
        "ar": "AR(1), phi 0.5: wins that are there",
    }
    for what in options.what:
        if what == "returns":
            print("\nindependent returns, t with 4 degrees of freedom: every win is a false one")
            tables = [wins_on_returns(draws, names) for draws, names in RETURNS.items()]
            print(pd.concat(tables).sort_values("against", ascending=False, kind="stable").to_string(index=False))
            continue
        print(f"\n{DRAWS} {titles[what]}")
        settings = [(1, 1), (5, 5), (5, 1)] if what == "walk" else [(1, 1), (5, 5)]  # horizon, step_size
        rows = [wins(name, 1.0 if what == "walk" else 0.5, *setting) for name in options.models for setting in settings]
        print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
