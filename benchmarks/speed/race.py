"""Speed and accuracy of walk-forward runs, compared with neuralforecast, darts and statsforecast.

python benchmarks/speed/race.py                   # the main comparisons: about an hour on two cores
python benchmarks/speed/race.py nasdaq stocks unseen budget best --rounds 1    # the others: another hour
python benchmarks/speed/race.py walk --rounds 1   # one comparison, once
python benchmarks/speed/race.py --quick           # about a minute: one series, two refits

Each package runs in its own process and environment, on the same series, cutoffs and sizes: an LSTM of hidden size 64
that reads 60 rows and forecasts 5. The peers take 300 steps of 128 windows, with one training example at the end of
each. A step of this package is six sequences of 180 rows with targets at 120 of them; it takes 40 steps (80 for a
hundred series; warm 80, and then 10 for each refit). It corrects a mean reversion, which is `forecast base` alone. Each
peer runs twice: as it forecasts several steps by default, which leaves the newest rows out of the first of them, and
recursively, which does not. On variances a network that does not improve on naive by a tenth is void. The packages
alternate in every round; seconds are medians. New results replace the rows of race.csv that they repeat. `budget` is
the walk with other numbers of training steps, the last word of a task.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from processes import HERE, WorkerProcess

import data

NETWORKS = {"horizon": 5, "n_windows": 200, "step_size": 5, "refit": 20}
ERROR = "RMSE / naive's"
MIN_GAIN = 0.1  # over naive on variances, which can be forecast; a network that gains less is void


@dataclass(frozen=True)
class Comparison:
    """Tasks of several packages on the same series, and the measure of their results."""

    title: str
    tasks: tuple[str, ...]  # package, its worker's task and, where given, the number of training steps
    series: Callable[[], data.Series] = data.main_series
    walk: dict[str, int] | None = None  # None: that of the networks
    measure: str = ERROR
    warm_up: str = "first"
    standardise: bool = True
    separate: bool = False  # a new process for each task, as the peak memory is a process's


PEERS = ("neuralforecast direct", "neuralforecast recursive", "darts blocks", "darts recursive")
WALK = Comparison("10 refits", ("forecast base", "forecast scratch", "forecast warm", *PEERS))
ARIMA = Comparison("", ("forecast", "statsforecast"), data.percent, warm_up="fit", standardise=False)
BUDGETS = {"forecast scratch": (10, 20, 40, 80), **dict.fromkeys(PEERS, (30, 100))}  # training steps
COMPARISONS = {
    "walk": [WALK],
    "nasdaq": [replace(WALK, series=data.nasdaq)],
    "stocks": [replace(WALK, series=partial(data.stocks, "IBM", "MSFT"))],
    "unseen": [replace(WALK, series=partial(data.stocks, "AAPL", "GOOG"))],
    "origins": [Comparison("200 origins", ("forecast origins", "darts origins", "darts recursive-origins"))],
    "panel": [
        Comparison(
            "4 refits",
            ("forecast panel", "neuralforecast direct", "neuralforecast recursive"),
            data.hundred,
            walk={"horizon": 5, "n_windows": 40, "step_size": 5, "refit": 10},
            separate=True,
        )
    ],
    "arima": [
        replace(ARIMA, title="(2, 0, 2)", tasks=("forecast fit", "statsforecast fit"), measure="log-likelihood"),
        replace(ARIMA, title="an order", tasks=("forecast auto", "statsforecast auto"), measure="AICc"),
        replace(
            ARIMA,
            title="10 refits",
            tasks=("forecast arima", "statsforecast arima"),
            walk={"horizon": 5, "n_windows": 10, "step_size": 5, "refit": 1},
        ),
    ],
    "best": [
        replace(
            WALK,
            title="1 fit",
            tasks=("forecast scratch", "neuralforecast best", "darts best"),
            series=data.variance,
            walk=NETWORKS | {"refit": 200},
        )
    ],
    "budget": [
        replace(
            WALK,
            title="other budgets",
            tasks=tuple(f"{task} {steps}" for task, budgets in BUDGETS.items() for steps in budgets),
        )
    ],
}
WIDTHS = {
    "comparison": 13,
    "series": 22,
    "task": 28,
    "seconds": 9,
    "times as fast": 13,
    "measure": 14,
    "value": 11,
    "void": 4,
    "peak MiB": 8,
    "rounds": 6,
}


def standardise(y: np.ndarray, walk: dict[str, int]) -> np.ndarray:
    """Scale series to mean 0 and deviation 1 before the first cutoff, as the input of every network."""
    history = y[: len(y) - walk["horizon"] - (walk["n_windows"] - 1) * walk["step_size"]]
    return (y - history.mean(axis=0)) / history.std(axis=0)


def score(measure: str, y: np.ndarray, output: np.ndarray, walk: dict[str, int]) -> str:
    """Return the root mean squared error of forecasts (K, N, H) over naive's, or the one number of a fit."""
    if measure != ERROR:
        return f"{output.item():.4f}"
    n, last = walk["n_windows"], len(y) - 1 - walk["horizon"]
    cutoffs = [last - (n - 1 - i) * walk["step_size"] for i in range(n)]
    truth = np.stack([y[c + 1 : c + 1 + walk["horizon"]].T for c in cutoffs])  # (K, N, H)
    naive = y[cutoffs][:, :, None]
    return f"{np.sqrt(((output - truth) ** 2).mean() / ((naive - truth) ** 2).mean()):.4f}"


def run(comparison: Comparison, name: str, y: np.ndarray, rounds: int, threads: int) -> list[dict[str, str]]:
    """Run the tasks of a comparison on one series, alternating between packages; return a row for each task."""
    walk = comparison.walk or NETWORKS
    y = standardise(y, walk) if comparison.standardise else y
    usage, outputs = _run_tasks(comparison, y, walk, rounds, threads)
    seconds = {task: median(result["seconds"] for result in results) for task, results in usage.items()}
    fastest_peer = min(spent for task, spent in seconds.items() if not task.startswith("forecast "))
    rows = []
    for task, results in usage.items():
        value = score(comparison.measure, y, outputs[task], walk)
        void = "variance" in name and task != "forecast base" and float(value) > 1 - MIN_GAIN
        cells = (
            *(comparison.title, name, task, f"{seconds[task]:.3f}", f"{fastest_peer / seconds[task]:.1f}"),
            *(comparison.measure, value, "void" if void else ""),
            *(f"{max(result['peak_mib'] for result in results):.0f}", str(rounds)),
        )
        _print_row(cells)
        rows.append(dict(zip(WIDTHS, cells, strict=True)))
    return rows


def _run_tasks(
    comparison: Comparison, y: np.ndarray, walk: dict[str, int], rounds: int, threads: int
) -> tuple[dict[str, list[dict[str, float]]], dict[str, np.ndarray]]:
    """Return seconds and peak memory of each task in every round, and its output in the first."""
    usage: dict[str, list[dict[str, float]]] = {task: [] for task in comparison.tasks}
    outputs: dict[str, np.ndarray] = {}
    processes: dict[str, WorkerProcess] = {}
    for _ in range(rounds):
        for task in comparison.tasks:
            package, worker_task, *steps = task.split()
            if package not in processes:
                processes[package] = WorkerProcess(package, comparison.warm_up, threads)
            task_walk = walk | ({"training_steps": int(steps[0])} if steps else {})
            result, output = processes[package].run(worker_task, y, task_walk)
            usage[task].append(result)
            outputs.setdefault(task, output)
            if comparison.separate:
                processes.pop(package).close()
    for process in processes.values():
        process.close()
    return usage, outputs


def _print_row(cells: Iterable[str]) -> None:
    print("  ".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS.values(), strict=True)), flush=True)


def write(rows: list[dict[str, str]], path: Path) -> None:
    """Write rows to the table at `path`, replacing those that they repeat."""

    def key(row: dict[str, str]) -> tuple[str, ...]:
        return tuple(row[column] for column in ("comparison", "series", "task"))

    table = {}
    if path.exists():
        with path.open(newline="") as file:
            table = {key(row): row for row in csv.DictReader(file)}
    table |= {key(row): row for row in rows}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(WIDTHS))
        writer.writeheader()
        writer.writerows(table.values())


def main() -> None:
    """Run the requested comparisons, print their rows and write them to the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparisons", nargs="*", metavar="comparison", help=", ".join(COMPARISONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="threads that each package may use")
    parser.add_argument("--quick", action="store_true", help="one series, two refits, one round; writes nothing")
    options = parser.parse_args()
    if unknown := set(options.comparisons) - set(COMPARISONS):
        parser.error(f"unknown comparison {', '.join(unknown)}; available: {', '.join(COMPARISONS)}")
    rounds = 1 if options.quick else options.rounds
    default = ["walk", "origins"] if options.quick else ["walk", "origins", "panel", "arima"]
    _print_row(WIDTHS)
    for requested in options.comparisons or default:
        for comparison in COMPARISONS[requested]:
            series = list(comparison.series().items())
            if options.quick:
                series = series[:1]
                if requested == "walk":
                    comparison = replace(comparison, title="2 refits", walk=NETWORKS | {"n_windows": 2, "refit": 1})
            for name, y in series:
                rows = run(comparison, name, y, rounds, options.threads)
                if not options.quick:
                    write(rows, HERE / "race.csv")


if __name__ == "__main__":
    main()
