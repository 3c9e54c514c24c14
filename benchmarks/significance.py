"""Does the verdict hold in simulation: false wins, power and intervals, by loss, world and number of models?

python benchmarks/significance.py                # false, power and intervals, about ten minutes on one core
python benchmarks/significance.py false --draws 100
python benchmarks/significance.py returns            # fitted models on independent returns, in one run

The outcomes are one step (or five, every row: `overlap`) of a series with shocks of a world; models are compared with
a baseline from `--cutoffs` cutoffs by the rule of the verdict.

`false`: in every world no model is better. For squared errors each model knows a part of the next change and forecasts
twice that part, so that its expected loss equals the baseline's; in `rolling` it is a coefficient estimated from 50
rows, whose signal its estimation error uses up; in `overlap` a drift estimated so. For the quantile loss the spreads of
baseline and models are multiplied by persistent noise of one distribution. `any better` is the share of draws on which
the verdict finds at least one better.

`power`: one model is better than the baseline, by the skill that the verdict claims to find with a probability of
80 % (mean over draws), the others as in `false`. `found` is the share of draws on which it is found.

`intervals`: the share of draws whose 90 % interval contains the true skill.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import forecast as fc
from forecast.evaluation.losses import PINBALL, SQUARED, LossTable
from forecast.evaluation.verdict import compare_losses, with_findings

MODELS = (1, 7, 15)
LEVELS = np.array([0.1, 0.5, 0.9])
NORMAL_QUANTILES = np.array([-1.2815515655446004, 0.0, 1.2815515655446004])
WARM_UP, WINDOW = 200, 50
ROWS = 600  # of the series of `returns`
SIGNAL = 0.1  # standard deviation of the part of the next change that a model knows, in units of the shock
NOISE = 0.3  # standard deviation of the logarithm of a spread around that of the true spread
#: Models of returns by the number of draws: the networks and the search for an order take longer.
RETURNS = {100: ("arima", "ridge", "ets", "window-mean"), 20: ("lstm", "auto-arima")}


def normal(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return independent normal shocks and their standard deviations."""
    return rng.normal(size=rows), np.ones(rows)


def heavy(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return independent shocks, t with 4 degrees of freedom and variance 1, and their standard deviations."""
    return rng.standard_t(4, size=rows) / np.sqrt(2), np.ones(rows)


def garch(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return GARCH(1,1) shocks of variance 1 with the persistence of equity indices, and standard deviations."""
    shocks, deviation, variance = rng.normal(size=rows), np.empty(rows), 1.0
    for t in range(rows):
        deviation[t] = np.sqrt(variance)
        variance = 0.02 + 0.08 * (deviation[t] * shocks[t]) ** 2 + 0.90 * variance
    return deviation * shocks, deviation


WORLDS: dict[str, Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]] = {
    "walk": normal, "garch": garch, "heavy tails": heavy, "rolling": normal, "overlap": normal
}  # fmt: skip


def squared_losses(
    world: str, rng: np.random.Generator, n_models: int, cutoffs: int, gain: float = 2.0, size: float = SIGNAL
) -> np.ndarray:
    """Return the squared errors of the baseline, the first row, and of models: (1 + M, K).

    The first model forecasts `gain` times the part of the change that it knows, of standard deviation `size`; 2 is as
    good as the baseline.
    """
    rows = WARM_UP + cutoffs + 5
    shocks, deviation = WORLDS[world](rng, rows)
    if world == "overlap":
        return _drift_losses(shocks, rng, n_models, cutoffs)
    if world == "rolling":
        return _rolling_losses(shocks, rng, n_models, cutoffs)
    sizes = np.r_[size, np.full(n_models - 1, SIGNAL)][:, None]
    signals = sizes * deviation * rng.normal(size=(n_models, rows))
    change = shocks + signals.sum(axis=0)
    factors = np.r_[gain, np.full(n_models - 1, 2.0)][:, None]
    errors = np.concatenate([change[None], change - factors * signals])
    return errors[:, WARM_UP : WARM_UP + cutoffs] ** 2


def _rolling_losses(shocks: np.ndarray, rng: np.random.Generator, n_models: int, cutoffs: int) -> np.ndarray:
    """Return the errors of models that estimate the effect of a variable of their own from the last 50 rows."""
    effect = 1 / np.sqrt(WINDOW)  # of a variable with variance 1: as large as the error of its estimate
    variables = rng.normal(size=(n_models, len(shocks)))
    change = shocks + effect * variables.sum(axis=0)
    losses = [change**2]
    for x in variables:
        product, square = np.cumsum(x * change), np.cumsum(x * x)
        known = slice(WARM_UP - 1, WARM_UP - 1 + cutoffs)
        past = slice(WARM_UP - 1 - WINDOW, WARM_UP - 1 - WINDOW + cutoffs)
        estimate = (product[known] - product[past]) / (square[known] - square[past])
        forecast = np.zeros_like(change)
        forecast[WARM_UP : WARM_UP + cutoffs] = estimate * x[WARM_UP : WARM_UP + cutoffs]
        losses.append((change - forecast) ** 2)
    return np.array(losses)[:, WARM_UP : WARM_UP + cutoffs]


def _drift_losses(shocks: np.ndarray, rng: np.random.Generator, n_models: int, cutoffs: int) -> np.ndarray:
    """Return mean squared errors over 5 steps of drifts estimated over windows of other lengths, from every row."""
    windows = np.linspace(WINDOW, WARM_UP - 5, n_models).astype(int)
    value = np.cumsum(shocks + 1 / np.sqrt(windows.mean()))
    now = np.arange(WARM_UP, WARM_UP + cutoffs)
    drifts = np.stack([np.zeros(cutoffs), *((value[now] - value[now - window]) / window for window in windows)])
    return np.mean([(value[now + h] - value[now] - h * drifts) ** 2 for h in range(1, 6)], axis=0)


def quantile_losses(
    world: str, rng: np.random.Generator, n_models: int, cutoffs: int, gain: float = 1.0, size: float = NOISE
) -> np.ndarray:
    """Return the quantile losses of the baseline, the first row, and of models: (1 + M, K).

    Their spreads are the true one times persistent noise of standard deviation `size`; that of the first model has
    `gain` times the noise.
    """
    horizon = 5 if world == "overlap" else 1
    rows = WARM_UP + cutoffs + horizon
    shocks, deviation = WORLDS[world](rng, rows)
    noise = rng.normal(size=(1 + n_models, rows))
    for t in range(1, rows):
        noise[:, t] = 0.9 * noise[:, t - 1] + np.sqrt(1 - 0.81) * noise[:, t]
    noise[1] *= gain
    value, now = np.concatenate([[0.0], shocks.cumsum()]), np.arange(WARM_UP, WARM_UP + cutoffs)
    losses = []
    for h in range(1, horizon + 1):
        spread = np.sqrt(h) * deviation[now] * np.exp(size * noise[:, now])
        error = (value[now + h] - value[now])[:, None] - spread[..., None] * NORMAL_QUANTILES
        losses.append(np.maximum(LEVELS * error, (LEVELS - 1) * error).mean(axis=-1))
    return np.mean(losses, axis=0)


SIMULATIONS = {SQUARED: squared_losses, PINBALL: quantile_losses}


def judged(world: str, loss: str, seed: int, n_models: int, cutoffs: int, **truth: float) -> pd.DataFrame:
    """Return the table of the verdict on one draw; `truth` is the gain and the size of the first model."""
    values = SIMULATIONS[loss](world, np.random.default_rng(seed), n_models, cutoffs, **truth)
    sums = {f"m{i}": row[:, None] for i, row in enumerate(values)}
    ones = np.ones((cutoffs, 1), dtype=int)
    losses = LossTable(sums, ones, np.ones(1), ["A"], pd.RangeIndex(cutoffs), loss)
    return with_findings(compare_losses(losses, [*sums][1:], "m0", 5 if world == "overlap" else 1))


def false_wins(draws: int, cutoffs: int) -> pd.DataFrame:
    """Return the share of draws on which any model is found better, where none is."""
    rows = []
    for loss in SIMULATIONS:
        for world in WORLDS:
            if (loss, world) == (PINBALL, "rolling"):
                continue  # as "walk": nothing is estimated
            row: dict[str, object] = {"loss": loss, "world": world}
            for n in MODELS:
                found = [(judged(world, loss, seed, n, cutoffs)["finding"] == "better").any() for seed in range(draws)]
                row[f"any of {n} better"] = f"{np.mean(found):.1%}"
            rows.append(row)
    return pd.DataFrame(rows)


def true_skill(world: str, loss: str, n_models: int, **truth: float) -> float:
    """Return the skill of the first model over 100,000 cutoffs."""
    losses = SIMULATIONS[loss](world, np.random.default_rng(10**6), n_models, 100_000, **truth)
    return float(1 - losses[1].mean() / losses[0].mean())


def power(draws: int, cutoffs: int) -> pd.DataFrame:
    """Return how often a model is found whose skill is that which the verdict claims to find in 80 %."""
    rows = []
    for loss, gain, sizes in ((SQUARED, 1.0, np.arange(0.2, 0.8, 0.02)), (PINBALL, 0.0, np.arange(0.2, 1.6, 0.05))):
        for n in MODELS:
            for size in sizes:
                truth = {"gain": gain, "size": float(size)}
                skill = true_skill("walk", loss, n, **truth)
                stated = np.mean(
                    [judged("walk", loss, seed, n, cutoffs, **truth)["detectable"][0] for seed in range(40)]
                )
                if skill >= stated:
                    break
            results = pd.concat([judged("walk", loss, seed, n, cutoffs, **truth).iloc[:1] for seed in range(draws)])
            row = {
                "loss": loss,
                "models": n,
                "true skill": f"{skill:.1%}",
                "stated": f"{results['detectable'].mean():.1%}",
            }
            rows.append(row | {"found": f"{(results['finding'] == 'better').mean():.1%}"})
    return pd.DataFrame(rows)


def intervals(draws: int, cutoffs: int) -> pd.DataFrame:
    """Return the share of draws whose interval contains the true skill."""
    rows = []
    for loss, gains in ((SQUARED, (-2.0, 1.0, 2.0)), (PINBALL, (0.0, 1.0, 2.0))):
        for world in WORLDS:
            if (loss, world) == (PINBALL, "rolling"):
                continue
            for gain in gains:
                if world in ("rolling", "overlap") and gain != gains[-1] and loss == SQUARED:
                    continue  # the gain has no effect
                truth = {"gain": gain, "size": 3 * SIGNAL if loss == SQUARED else NOISE}
                skill = true_skill(world, loss, 1, **truth)
                tables = pd.concat([judged(world, loss, seed, 1, cutoffs, **truth) for seed in range(draws)])
                contains = ((tables["low"] <= skill) & (skill <= tables["high"])).mean()
                rows.append({"loss": loss, "world": world, "true skill": f"{skill:+.1%}", "contain": f"{contains:.1%}"})
    return pd.DataFrame(rows)


def wins_on_returns(draws: int, names: tuple[str, ...]) -> pd.DataFrame:
    """Count the draws of independent returns on which models are found better than the baseline, and than naive."""
    found = []
    for seed in range(draws):
        returns = 0.01 * np.random.default_rng(seed).standard_t(4, size=ROWS)
        panel = fc.make_target(pd.DataFrame({"price": 100 * np.exp(returns.cumsum())}), "return")
        models = {name: fc.make_model(name) for name in names}
        result = fc.backtest(models, panel, fc.WalkForward(1, 100), refit=100)
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
    parser.add_argument("what", nargs="*", default=["false", "power", "intervals"])
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--cutoffs", type=int, default=200)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for what in options.what:
        if what == "returns":
            print("\nindependent returns, t with 4 degrees of freedom: every win is a false one")
            tables = [wins_on_returns(draws, names) for draws, names in RETURNS.items()]
            print(pd.concat(tables).sort_values("against", ascending=False, kind="stable").to_string(index=False))
            continue
        table = {"false": false_wins, "power": power, "intervals": intervals}[what](options.draws, options.cutoffs)
        print(
            f"\n{what}: {options.draws} draws of {options.cutoffs} cutoffs\n{table.to_string(index=False)}", flush=True
        )


if __name__ == "__main__":
    main()
