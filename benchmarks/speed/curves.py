"""Seconds of a run against the number of series, rows, origins and models, measured and plotted.

python benchmarks/speed/curves.py    # about five minutes; writes curves.csv and curves.png next to this file
"""

from __future__ import annotations

import argparse
import csv
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import forecast as fc

HERE = Path(__file__).parent
BASE = {"series": 10, "rows": 2000, "origins": 100, "models": 2}
GROWING = {
    "series": (10, 20, 40, 80, 160),
    "rows": (1000, 2000, 4000, 8000, 16000),
    "origins": (50, 100, 200, 400, 800),
    "models": (2, 4, 8, 16),
}
KINDS = {
    "lstm": partial(fc.Recurrent, "lstm", lookback=30, trainer=fc.Trainer(steps=20, batch_size=8)),
    "arima": partial(fc.ARIMA, (1, 1, 1)),
}
ROUNDS = 3


def prices(rows: int, series: int) -> np.ndarray:
    """Return random walks, (T, N)."""
    return 100 * np.exp(np.random.default_rng(0).normal(0, 0.01, size=(rows, series)).cumsum(axis=0))


def seconds(kind: str, series: int, rows: int, origins: int, models: int) -> float:
    """Return the median of three walk-forward runs with one fit for every fifty origins."""
    named = {f"{kind}{i}": KINDS[kind]() for i in range(models // 2)}
    y, walk = prices(rows, series), fc.WalkForward(1, origins)
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        fc.backtest(named, y, walk, refit=50)
        times.append(time.perf_counter() - start)
    return median(times)


def main() -> None:
    """Measure, write the table, and plot it."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    seconds("lstm", 2, 500, 10, 2)  # so that loading modules on first use is not measured
    table = [
        {"model": kind, "what": what, "size": size, "seconds": round(seconds(kind, **BASE | {what: size}), 3)}
        for kind in KINDS
        for what, sizes in GROWING.items()
        for size in sizes
    ]
    with (HERE / "curves.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    plot(table)


def plot(table: list[dict[str, Any]]) -> None:
    """Print and plot each cost on two logarithmic axes, where a line at 45 degrees is a linear cost."""
    figure = Figure(figsize=(10, 2.8), layout="constrained")
    for ax, (what, sizes) in zip(figure.subplots(1, len(GROWING)), GROWING.items(), strict=True):
        for kind in KINDS:
            times = [row["seconds"] for row in table if row["model"] == kind and row["what"] == what]
            ax.plot(sizes, times, marker="o", label=kind)
            power = np.polyfit(np.log(sizes), np.log(times), 1)[0]
            points = "  ".join(f"{size}: {value:.2f} s" for size, value in zip(sizes, times, strict=True))
            print(f"{kind:>6} {what:>8}  {points}  ~ {what}^{power:.2f}")
        ax.set(xscale="log", yscale="log", xlabel=what, ylabel="seconds" if what == "series" else "")
        ax.set_xticks(sizes, [f"{size // 1000}k" if size >= 1000 else str(size) for size in sizes])
        ax.set_yticks([0.1, 0.2, 0.5, 1, 2, 5, 10])
        ax.yaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
        ax.set_ylim(0.08, 10)
    ax.legend(frameon=False)
    figure.savefig(HERE / "curves.png", dpi=110)


if __name__ == "__main__":
    main()
