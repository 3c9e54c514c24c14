"""Do the models forecast prices at least as well as naive, and find nothing in returns that have nothing to find?

python benchmarks/prices.py                                        # the four sets, every model
python benchmarks/prices.py walks sp500 --models auto-arima lstm
python benchmarks/prices.py returns --models lstm gru rnn          # wins on returns without a signal

The samples are forecast from 200 cutoffs five rows apart, models refitted at every 50th. The walks are 40 simulated
series of 1,500 prices with drift, GARCH(1,1) variance and rounding to .01, one panel, from 40 cutoffs, refitted at
every 20th. `skill` is the share of naive's squared error that a model removes (geometric mean over the series),
`coverage` that of the 80 % interval; `d = 0` counts the fits of auto-ARIMA, one for each series and refit, that do not
difference, and those of them that have a higher AICc than an integrated model up to (2, 1, 2).

`returns` draws 100 series of 600 independent normal returns. `beats` counts the draws on which the verdict finds the
model, alone, better than the strongest simple baseline, and `in all` those on which it does among all models.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import forecast as fc

MODELS = ["auto-arima", "arima", "ets", "theta", "naive", "drift", "lstm", "gru", "rnn"]
SETS = ("stocks", "sp500", "nasdaq", "walks")
HORIZON, DRAWS = 5, 100


ALPHA, BETA, VARIANCE = 0.08, 0.90, 1.5e-4  # persistence of equity indices, daily volatility of 1.2 %


def walks(series: int = 40, rows: int = 1500) -> pd.DataFrame:
    """Simulate prices whose log returns have a drift and GARCH(1,1) variance, rounded to .01, on business days."""
    return simulate_walks(series, rows)[0]


def simulate_walks(series: int = 40, rows: int = 1500) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return the walks, their drifts (N,), and the variance of the return after each row, (T, N)."""
    rng = np.random.default_rng(0)
    drift = rng.normal(3e-4, 3e-4, size=series)
    h = np.full(series, VARIANCE)
    returns, variances = np.empty((rows, series)), np.empty((rows, series))
    for t in range(rows):
        shock = np.sqrt(h) * rng.normal(size=series)
        returns[t] = drift + shock
        variances[t] = h = next_variance(h, shock)
    start = np.exp(rng.uniform(np.log(5), np.log(200), size=series))
    prices = np.round(start * np.exp(returns.cumsum(axis=0)), 2)
    index, names = pd.bdate_range("2015-01-01", periods=rows), [f"W{i:02}" for i in range(series)]
    return pd.DataFrame(prices, index, names), drift, variances


def next_variance(h: np.ndarray, shock: np.ndarray) -> np.ndarray:
    """Return the variance after a shock of variance h."""
    return VARIANCE * (1 - ALPHA - BETA) + ALPHA * shock**2 + BETA * h


def on_prices(name: str, models: list[str]) -> list[dict[str, object]]:
    """Return a row for each model on one set of prices."""
    prices = walks() if name == "walks" else fc.load_sample(name)
    cv = fc.WalkForward(HORIZON, n_windows=40 if name == "walks" else 200)
    rows = []
    for model in models:  # one run for each, so that a failure is its own
        try:
            result = fc.backtest({model: fc.make_model(model)}, prices, cv, refit=20 if name == "walks" else 50)
        except Exception as error:
            rows.append({"set": name, "model": model, "error": f"{type(error).__name__}: {error}"[:60]})
            continue
        board = result.leaderboard().loc[model]
        rows.append(
            {
                "set": name,
                "model": model,
                "skill": f"{board['skill']:.2%}",
                "coverage": f"{board['coverage']:.3f}",
                "seconds": f"{board['seconds_fit'] + board['seconds_predict']:.1f}",
                "d = 0": _count_levels(prices, result.fits) if model == "auto-arima" else "",
            }
        )
    return rows


def _count_levels(prices: pd.DataFrame, fits: pd.DataFrame) -> str:
    """Return how many of auto-ARIMA's fits have no difference, and on how many of those an integrated one is better."""
    found = [(fit, json.loads(fit.details)) for fit in fits.itertuples()]
    orders = [(fit, name, *_numbers(text)) for fit, details in found for name, text in details.get("order", {}).items()]
    levels = [
        json.loads(fit.details)["aicc"][name] > _integrated_aicc(prices.loc[fit.train_start : fit.train_end, name])
        for fit, name, _, d, _ in orders
        if d == 0
    ]
    return f"{len(levels)} of {len(orders)}" + (f", {sum(levels)} worse" if levels else "")


def _numbers(order: str) -> tuple[int, int, int]:
    """Return p, d, q of an order such as "(2,1,2)" or "(0,1,1)(1,0,0,12)"; a series that never changes is (0, 1, 0)."""
    found = re.match(r"\((\d+), *(\d+), *(\d+)", order)
    return tuple(map(int, found.groups())) if found else (0, 1, 0)


def _integrated_aicc(prices: pd.Series) -> float:
    """Return the lowest AICc of the integrated models up to (2, 1, 2), with drift and without."""
    models = [fc.ARIMA((p, 1, q), trend=trend) for p in range(3) for q in range(3) for trend in (None, "t")]
    return min(float(model.fit(prices, HORIZON).record_["aicc"][prices.name]) for model in models)


def on_returns(models: list[str], draws: int) -> list[dict[str, object]]:
    """Return how often each model beats the simple baselines on independent returns."""
    found = []
    for draw in range(draws):
        steps = np.random.default_rng(draw).normal(0, 0.01, size=(601, 1))
        prices = pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), pd.bdate_range("2020-01-01", periods=601), ["walk"])
        cv = fc.WalkForward(HORIZON, n_windows=50)
        panel = fc.make_target(prices, "return")
        result = fc.backtest({name: fc.make_model(name) for name in models}, panel, cv, refit=50)
        among_all = result.verdict(models=models).table.set_index("model")
        for name in models:
            alone = result.verdict(models=[name])
            wins = [table["finding"] == "better" for table in (alone.table.iloc[0], among_all.loc[name])]
            found.append((name, alone.against, among_all.loc[name, "skill"], *wins))
    table = pd.DataFrame(found, columns=["model", "against", "skill", "alone", "in all"])
    print(f"{draws} series of independent returns, compared with {', '.join(sorted(set(table['against'])))}")
    return [
        {
            "model": name,
            "beats": f"{group['alone'].sum()} of {draws}",
            "in all": f"{group['in all'].sum()} of {draws}",
            "median skill": f"{group['skill'].median():.2%}",
        }
        for name, group in table.groupby("model", sort=False)
    ]


def main() -> None:
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=SETS, metavar="set", help=f"{', '.join(SETS)}, returns")
    parser.add_argument("--models", nargs="+")
    parser.add_argument("--draws", type=int, default=DRAWS, help="series of `returns`")
    options = parser.parse_args()
    if unknown := set(options.what) - {*SETS, "returns"}:
        parser.error(f"unknown set {', '.join(unknown)}; available: {', '.join(SETS)}, returns")
    warnings.simplefilter("ignore")
    for name in options.what:
        if name == "returns":
            models = options.models or [model for model in MODELS if model not in ("naive", "drift")]
            table = on_returns(models, options.draws)
        else:
            table = on_prices(name, options.models or MODELS)
        print(pd.DataFrame(table).fillna("").to_string(index=False), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
