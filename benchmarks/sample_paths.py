"""Coverage of intervals for sums and maxima over the horizon, from sample paths on simulated series.

python benchmarks/sample_paths.py models            # six models, about 15 minutes of one core
python benchmarks/sample_paths.py network           # an LSTM with the default parameters
python benchmarks/sample_paths.py short several     # few rows, and sums over several series
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from scipy.signal import lfilter
from tables import print_tables

import forecast as fc

HORIZON, LEVEL = 5, 0.8
TRAIN, EVERY, ORIGINS = 300, 20, 10  # training rows, and cutoffs 20 rows apart after them
WARM_UP = 200  # rows that are simulated before the first
FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sum": lambda values: values.sum(axis=-1),
    "maximum": lambda values: values.max(axis=-1),
    "change": lambda values: values[..., -1],
}


def garch_returns(rng: np.random.Generator, rows: int, series: int) -> np.ndarray:
    """Return returns of a GARCH(1, 1) with α .1 and β .85, (T, N)."""
    noise, y = rng.standard_normal((rows + WARM_UP, series)), np.zeros((rows + WARM_UP, series))
    variance = np.ones(series)
    for t in range(len(y)):
        y[t] = np.sqrt(variance) * noise[t]
        variance = 0.05 + 0.1 * y[t] ** 2 + 0.85 * variance
    return y[WARM_UP:]


def autoregression(phi: float) -> Callable[[np.random.Generator, int, int], np.ndarray]:
    """Return the simulator of an AR(1)."""

    def simulate(rng: np.random.Generator, rows: int, series: int) -> np.ndarray:
        return lfilter([1.0], [1.0, -phi], rng.standard_normal((rows + WARM_UP, series)), axis=0)[WARM_UP:]

    return simulate


PROCESSES = {
    "AR(1), .9": autoregression(0.9),
    "AR(1), .5": autoregression(0.5),
    "walk": lambda rng, rows, series: rng.standard_normal((rows, series)).cumsum(axis=0),
    "GARCH returns": garch_returns,
    "their sums": lambda rng, rows, series: garch_returns(rng, rows, series).cumsum(axis=0),
}


def outcomes(model: fc.Forecaster, y: np.ndarray, seed: int, train: int = TRAIN) -> dict[str, np.ndarray]:
    """Return whether each outcome lies in the interval of the paths, and of paths with independent steps, (K, N)."""
    rng, tail = np.random.default_rng(seed), (1 - LEVEL) / 2
    model.fit(y[:train], HORIZON)
    inside: dict[str, list[np.ndarray]] = {}
    for row in range(train - 1, len(y) - HORIZON, EVERY):
        paths, future = model.sample(y[: row + 1], n=1000, seed=row), y[row + 1 : row + 1 + HORIZON].T  # (N, H)
        for kind, own in (("", paths), (", independent", rng.permuted(paths, axis=0))):
            for name, function in FUNCTIONS.items():
                low, high = np.quantile(function(own), (tail, 1 - tail), axis=0)
                inside.setdefault(name + kind, []).append((low <= function(future)) & (function(future) <= high))
        low, high = np.quantile(paths, (tail, 1 - tail), axis=0)
        inside.setdefault("steps", []).append(((low <= future) & (future <= high)).mean(axis=1))
    return {name: np.stack(values) for name, values in inside.items()}


def coverage(
    name: str, process: str, panels: int, series: int, train: int = TRAIN, origins: int = ORIGINS
) -> dict[str, object]:
    """Return a row of a table: the coverage of each interval."""
    results = []
    for seed in range(panels):
        rows = train + EVERY * (origins - 1) + HORIZON
        y = PROCESSES[process](np.random.default_rng([seed, list(PROCESSES).index(process)]), rows, series)
        results.append(outcomes(fc.make_model(name), y, seed, train))
    mean = {key: np.mean([result[key] for result in results]) for key in results[0]}
    by_series = np.concatenate([result["sum"].mean(axis=0) for result in results])  # independent of one another
    keys = ("steps", "sum", "maximum", "change", "sum, independent", "maximum, independent")
    row = {"series": process, "model": name} | {key: f"{mean[key]:.3f}" for key in keys}
    return row | {"± of sum": f"{NormalDist().inv_cdf(0.975) * by_series.std() / np.sqrt(len(by_series)):.3f}"}


def models(options: argparse.Namespace) -> list[dict[str, object]]:
    """Coverage of 80 % intervals over five steps: 300 training rows, ten cutoffs of each series."""
    names = ["naive", "arima", "ets", "theta", "ridge", "pretrained"]
    return [coverage(name, process, options.panels, options.series) for process in PROCESSES for name in names]


def network(options: argparse.Namespace) -> list[dict[str, object]]:
    """The same for an LSTM with default parameters, whose past errors are those of its training rows."""
    return [coverage("lstm", process, 1, options.series) for process in PROCESSES]


def short(_: argparse.Namespace) -> list[dict[str, object]]:
    """Few training rows, one cutoff of each of 600 series."""
    return [
        {"rows": rows} | coverage(name, process, 6, 100, train=rows, origins=1)
        for rows in (12, 30, 60, 120)
        for process in ("walk", "AR(1), .5")
        for name in ("naive", "ets", "pretrained")
    ]


def several(_: argparse.Namespace) -> list[dict[str, object]]:
    """The sum over four walks (correlation of their changes: .6) of the sum over five steps, 400 panels; naive."""
    table = []
    for rows in (30, 60, 120, 300):
        inside: dict[str, list[bool]] = {"joint paths": [], "paths of series shuffled": []}
        for seed in range(400):
            rng = np.random.default_rng([seed, rows])
            common, own = rng.standard_normal((rows + HORIZON, 1)), rng.standard_normal((rows + HORIZON, 4))
            y = (np.sqrt(0.6) * common + np.sqrt(0.4) * own).cumsum(axis=0)
            sums = fc.Naive().fit(y[:rows], HORIZON).sample(y[:rows], n=1000, seed=seed).sum(axis=-1)  # (n, N)
            for kind, values in zip(inside, (sums, rng.permuted(sums, axis=0)), strict=True):
                low, high = np.quantile(values.sum(axis=-1), ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
                inside[kind].append(bool(low <= y[rows:].sum() <= high))
        table.append({"rows": rows} | {kind: f"{np.mean(values):.3f}" for kind, values in inside.items()})
    return table


def main() -> None:
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panels", type=int, default=4, help="panels of each process (4)")
    parser.add_argument("--series", type=int, default=60, help="series of a panel (60)")
    print_tables(parser, (models, network, short, several), ["models", "network", "short", "several"])


if __name__ == "__main__":
    main()
