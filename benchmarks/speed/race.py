"""Is walking forward ten times as fast as elsewhere, at the same error? Beside neuralforecast, darts and statsforecast.

python benchmarks/speed/race.py                   # the bars: about an hour on two cores
python benchmarks/speed/race.py nasdaq stocks unseen budget best --rounds 1    # and beyond them: as long again
python benchmarks/speed/race.py walk --rounds 1   # one comparison, once
python benchmarks/speed/race.py --quick           # a minute's worth: one series, two refits

Every side is a process of its own, with its own versions, on the same series, cutoffs and sizes: an LSTM of 64 units
that reads 60 rows and forecasts 5. The peers take 300 steps of 128 windows, with one lesson at the end of each; a step
here is six sequences of 180 rows with a lesson at 120 of them, and there are 40 of them (of a hundred series 80; warm
80, and then 10 for each refit). Ours corrects a mean reversion; `forecast base` is that alone. Each peer runs twice: as
it forecasts several steps by default, which leaves the newest rows out of the first of them, and recursively, which
does not. On variances a network that does not beat naive by a tenth is void: it has not learnt. Sides take
turns in every round; seconds are medians. A comparison that was run takes its place in the table. `budget` is the walk
with other numbers of training steps, the last word of a side.
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
from sides import HERE, Side

import data

NETWORKS = {"horizon": 5, "n": 200, "step": 5, "refit": 20}
ERROR = "RMSE / naive's"
LEARNT = 0.1  # what a network must gain on naive on variances, where there is something to learn


@dataclass(frozen=True)
class Race:
    """Who runs which task of their worker, on what; `shown` is what their answers are, forecasts unless said."""

    title: str
    tasks: tuple[str, ...]
    series: Callable[[], data.Series] = data.three
    walk: dict[str, int] | None = None
    shown: str = ERROR
    warm_up: str = "first"
    scaled: bool = True
    alone: bool = False  # a new process for every answer, as the peak of memory is a process's


PEERS = ("neuralforecast direct", "neuralforecast recursive", "darts blocks", "darts recursive")
WALK = Race("10 refits", ("forecast base", "forecast scratch", "forecast warm", *PEERS))
ARIMA = Race("", ("forecast", "statsforecast"), data.percent, warm_up="fit", scaled=False)
RACES = {
    "walk": [WALK],
    "nasdaq": [replace(WALK, series=data.nasdaq)],
    "stocks": [replace(WALK, series=partial(data.stocks, "IBM", "MSFT"))],
    "unseen": [replace(WALK, series=partial(data.stocks, "AAPL", "GOOG"))],
    "origins": [Race("200 origins", ("forecast origins", "darts origins", "darts recursive-origins"))],
    "panel": [
        Race(
            "4 refits",
            ("forecast panel", "neuralforecast direct", "neuralforecast recursive"),
            data.hundred,
            walk={"horizon": 5, "n": 40, "step": 5, "refit": 10},
            alone=True,
        )
    ],
    "arima": [
        replace(ARIMA, title="(2, 0, 2)", tasks=("forecast fit", "statsforecast fit"), shown="log-likelihood"),
        replace(ARIMA, title="an order", tasks=("forecast auto", "statsforecast auto"), shown="AICc"),
        replace(
            ARIMA,
            title="10 refits",
            tasks=("forecast arima", "statsforecast arima"),
            walk={"horizon": 5, "n": 10, "step": 5, "refit": 1},
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
            tasks=tuple(
                f"{side} {steps}"
                for side, budgets in (("forecast scratch", (10, 20, 40, 80)), *((each, (30, 100)) for each in PEERS))
                for steps in budgets
            ),
        )
    ],
}
HEADS = {
    "race": 11,
    "series": 22,
    "side": 28,
    "seconds": 9,
    "faster peer / it": 16,
    "shown": 14,
    "value": 11,
    "void": 4,
    "peak MiB": 8,
    "rounds": 6,
}


def standardised(y: np.ndarray, walk: dict[str, int]) -> np.ndarray:
    """Bring series to mean 0 and deviation 1 before the first cutoff: what every network is given."""
    known = y[: len(y) - walk["horizon"] - (walk["n"] - 1) * walk["step"]]
    return (y - known.mean(axis=0)) / known.std(axis=0)


def value(shown: str, y: np.ndarray, said: np.ndarray, walk: dict[str, int]) -> str:
    """Give the root mean squared error over naive's of forecasts (K, N, H), or the one number that was answered."""
    if shown != ERROR:
        return f"{said.item():.4f}"
    last = len(y) - 1 - walk["horizon"]
    cutoffs = [last - (walk["n"] - 1 - i) * walk["step"] for i in range(walk["n"])]
    truth = np.stack([y[c + 1 : c + 1 + walk["horizon"]].T for c in cutoffs])  # (K, N, H)
    naive = y[cutoffs][:, :, None]
    return f"{np.sqrt(((said - truth) ** 2).mean() / ((naive - truth) ** 2).mean()):.4f}"


def run(race: Race, name: str, y: np.ndarray, rounds: int, threads: int) -> list[dict[str, str]]:
    """Let the sides take turns; give a row for each of their tasks."""
    walk = race.walk or NETWORKS
    y = standardised(y, walk) if race.scaled else y
    heard: dict[str, list[dict[str, float]]] = {task: [] for task in race.tasks}
    said: dict[str, np.ndarray] = {}
    sides: dict[str, Side] = {}
    for _ in range(rounds):
        for each in race.tasks:
            side, task, *training = each.split()
            sides[side] = sides.get(side) or Side(side, race.warm_up, threads)
            answer, forecasts = sides[side].ask(task, y, walk | ({"training": int(training[0])} if training else {}))
            heard[each].append(answer)
            said.setdefault(each, forecasts)
            if race.alone:
                sides.pop(side).close()
    for open_side in sides.values():
        open_side.close()
    seconds = {task: median(answer["seconds"] for answer in answers) for task, answers in heard.items()}
    fastest = min(spent for task, spent in seconds.items() if not task.startswith("forecast "))
    rows = []
    for task, answers in heard.items():
        told = value(race.shown, y, said[task], walk)
        void = "variance" in name and task != "forecast base" and float(told) > 1 - LEARNT
        cells = (
            *(race.title, name, task, f"{seconds[task]:.3f}", f"{fastest / seconds[task]:.1f}"),
            *(race.shown, told, "void" if void else ""),
            *(f"{max(answer['peak_mib'] for answer in answers):.0f}", str(rounds)),
        )
        _show(cells)
        rows.append(dict(zip(HEADS, cells, strict=True)))
    return rows


def _show(cells: Iterable[str]) -> None:
    print("  ".join(f"{cell:>{width}}" for cell, width in zip(cells, HEADS.values(), strict=True)), flush=True)


def write(rows: list[dict[str, str]], path: Path) -> None:
    """Put rows into the table at `path`, in the places of those that they repeat."""

    def key(row: dict[str, str]) -> tuple[str, ...]:
        return tuple(row[head] for head in ("race", "series", "side"))

    table = {}
    if path.exists():
        with path.open(newline="") as file:
            table = {key(row): row for row in csv.DictReader(file)}
    table |= {key(row): row for row in rows}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(HEADS))
        writer.writeheader()
        writer.writerows(table.values())


def main() -> None:
    """Print the races asked for, and write them to a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("races", nargs="*", metavar="race", help=", ".join(RACES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="threads that every side may use")
    parser.add_argument("--quick", action="store_true", help="one series, two refits, one round; writes nothing")
    options = parser.parse_args()
    if unknown := set(options.races) - set(RACES):
        parser.error(f"there is no race {', '.join(unknown)}; there are {', '.join(RACES)}")
    rounds = 1 if options.quick else options.rounds
    _show(HEADS)
    usual = ["walk", "origins"] if options.quick else ["walk", "origins", "panel", "arima"]
    for asked in options.races or usual:
        for race in RACES[asked]:
            given = list(race.series().items())
            if options.quick:
                given = given[:1]
                few = asked == "walk"
                race = replace(race, title="2 refits", walk=NETWORKS | {"n": 2, "refit": 1}) if few else race
            for name, y in given:
                rows = run(race, name, y, rounds, options.threads)
                if not options.quick:
                    write(rows, HERE / "race.csv")


if __name__ == "__main__":
    main()
