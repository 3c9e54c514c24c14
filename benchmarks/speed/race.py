"""Is walking forward with an LSTM ten times as fast as elsewhere, at the same error? Beside neuralforecast and darts.

python benchmarks/speed/race.py                   # everything, about 40 minutes on two cores
python benchmarks/speed/race.py walk --rounds 1   # one comparison, once
python benchmarks/speed/race.py --quick           # a minute's worth: one series, two refits

Every side is a process of its own, with its own versions, on the same series, cutoffs and sizes: an LSTM of 64 units
that reads 60 rows and forecasts 5. The peers take 300 steps of 128 windows, with one lesson at the end of each; a step
here is six sequences of 180 rows with a lesson at 120 of them, and there are 40 of them (warm: 80, and then 10 for each
refit). Sides take turns in every round; seconds are medians.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sides import HERE, Side

#: A title, and who runs which task of their worker.
RACES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "walk": (
        "10 refits",
        [("forecast", "scratch"), ("forecast", "warm"), ("neuralforecast", "scratch"), ("darts", "scratch")],
    ),
    "origins": ("200 origins", [("forecast", "origins"), ("darts", "origins")]),
    "panel": ("100 series", [("forecast", "panel"), ("neuralforecast", "panel")]),
    "best": ("10 refits", [("forecast", "scratch"), ("neuralforecast", "best"), ("darts", "best")]),
}
WALK = {"horizon": 5, "n": 200, "step": 5, "refit": 20}
PANEL_WALK = {"horizon": 5, "n": 40, "step": 5, "refit": 10}


def series() -> dict[str, np.ndarray]:
    """Give returns and log range variance of the S&P 500 and the Nasdaq, 1999 to 2018, and an AR(1), each (T, 1).

    Steps and rates of our side were chosen by the errors on them.
    """
    noise = np.random.default_rng(0).normal(size=5030)
    ar1 = np.zeros(len(noise))
    for t in range(1, len(ar1)):
        ar1[t] = 0.9 * ar1[t - 1] + noise[t]
    given = {"AR(1), 0.9": ar1[:, None]}
    for name, title in (("sp500", "S&P 500"), ("nasdaq", "Nasdaq")):
        table = import_module(f"arch.data.{name}").load()
        ranges = np.log(table["High"].to_numpy() / table["Low"].to_numpy())
        given[f"{title} returns"] = np.diff(np.log(table["Adj Close"].to_numpy()))[:, None]
        given[f"{title} log variance"] = np.log(ranges**2 / (4 * np.log(2)))[:, None]  # Parkinson (1980)
    return given


def panel(n: int = 100, rows: int = 2500) -> np.ndarray:
    """Simulate log variances that share a slow factor, each with a faster one of its own and noise, (T, N)."""
    rng = np.random.default_rng(1)
    shocks, own = rng.normal(size=rows), rng.normal(size=(rows, n))
    slow, fast = np.zeros(rows), np.zeros((rows, n))
    for t in range(1, rows):
        slow[t] = 0.99 * slow[t - 1] + 0.1 * shocks[t]
        fast[t] = 0.9 * fast[t - 1] + 0.3 * own[t]
    return slow[:, None] * rng.uniform(0.5, 1.5, n) + fast + 0.6 * rng.normal(size=(rows, n))


def standardised(y: np.ndarray, walk: dict[str, int]) -> np.ndarray:
    """Bring series to mean 0 and deviation 1 before the first cutoff: what every side is given."""
    known = y[: len(y) - walk["horizon"] - (walk["n"] - 1) * walk["step"]]
    return (y - known.mean(axis=0)) / known.std(axis=0)


def error(y: np.ndarray, said: np.ndarray, walk: dict[str, int]) -> float:
    """Give the root mean squared error over naive's, of forecasts (K, N, H)."""
    last = len(y) - 1 - walk["horizon"]
    cutoffs = [last - (walk["n"] - 1 - i) * walk["step"] for i in range(walk["n"])]
    truth = np.stack([y[c + 1 : c + 1 + walk["horizon"]].T for c in cutoffs])  # (K, N, H)
    naive = y[cutoffs][:, :, None]
    return float(np.sqrt(((said - truth) ** 2).mean() / ((naive - truth) ** 2).mean()))


def run(race: str, name: str, y: np.ndarray, walk: dict[str, int], rounds: int, threads: int) -> list[dict[str, Any]]:
    """Let the sides take turns; a panel gets new processes in every round, for the peak of memory is a process's."""
    title, tasks = RACES[race]
    y = standardised(y, walk)
    heard: dict[tuple[str, str], list[dict[str, Any]]] = {task: [] for task in tasks}
    sides: dict[str, Side] = {}
    for _ in range(rounds):
        for side, task in tasks:
            sides[side] = sides.get(side) or Side(side, threads)
            heard[side, task].append(sides[side].ask(task, y, walk))
            if race == "panel":
                sides.pop(side).close()
    for each in sides.values():
        each.close()
    seconds = {task: median(answer["seconds"] for answer in answers) for task, answers in heard.items()}
    peers = [spent for (side, _), spent in seconds.items() if side != "forecast"]
    rows = []
    for (side, task), answers in heard.items():
        spent = seconds[side, task]
        rows.append(
            {
                "race": title,
                "series": name,
                "side": f"{side} {task}",
                "seconds": f"{spent:.3f}",
                "faster peer / it": f"{min(peers) / spent:.1f}",
                "error / naive's": f"{error(y, answers[0]['said'], walk):.4f}",
                "peak MiB": f"{max(answer['peak_mib'] for answer in answers):.0f}",
                "rounds": rounds,
            }
        )
        print(
            "  ".join(f"{value!s:>{width}}" for value, width in zip(rows[-1].values(), WIDTHS, strict=True)), flush=True
        )
    return rows


WIDTHS = (11, 20, 22, 9, 16, 15, 8, 6)


def _show(cells: Iterable[object]) -> None:
    print("  ".join(f"{cell!s:>{width}}" for cell, width in zip(cells, WIDTHS, strict=True)), flush=True)


def main() -> None:
    """Print the races asked for, and write them to a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("races", nargs="*", metavar="race", help=", ".join(RACES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="threads that every side may use")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE / "race.csv")
    options = parser.parse_args()
    if unknown := set(options.races) - set(RACES):
        parser.error(f"there is no race {', '.join(unknown)}; there are {', '.join(RACES)}")
    asked = options.races or (["walk", "origins"] if options.quick else [r for r in RACES if r != "best"])
    rounds = 1 if options.quick else options.rounds
    heads = ("race", "series", "side", "seconds", "faster peer / it", "error / naive's", "peak MiB", "rounds")
    _show(heads)
    rows = []
    for race in asked:
        walk = dict(PANEL_WALK if race == "panel" else WALK)
        if options.quick:
            walk |= {"n": 2, "refit": 1} if race == "walk" else {}
        given = {"100 log variances": panel()} if race == "panel" else series()
        for name, y in list(given.items())[: 1 if options.quick else None]:
            rows += run(race, name, y, walk, rounds, options.threads)
    if not options.quick:
        with options.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, heads)
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
