"""A backtest of 2,000 series and what follows from it: seconds and memory, phase by phase.

python benchmarks/wide.py        # 2,000 random walks of 300 rows, 20 cutoffs, four models; two processes
python benchmarks/wide.py --series 500 --models naive drift ridge
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import forecast as fc

ROWS, HORIZON, WINDOWS = 300, 5, 20
R = TypeVar("R")


def walks(series: int) -> pd.DataFrame:
    """Return random walks of log prices, on business days."""
    steps = np.random.default_rng(0).normal(0, 0.01, size=(ROWS, series))
    names = [f"S{i}" for i in range(series)]
    return pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), pd.bdate_range("2020-01-01", periods=ROWS), names)


def timed(phase: str, function: Callable[[], R]) -> R:
    """Run a phase, print its seconds and the most memory that a process has had; return its result."""
    start = time.perf_counter()
    result = function()
    who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    peaks = (resource.getrusage(one).ru_maxrss / 1e3 for one in who)
    print(
        f"{phase:<12}{time.perf_counter() - start:6.1f} s" + "".join(f"{peak:8,.0f} MB" for peak in peaks), flush=True
    )
    return result


def main() -> None:
    """Run all phases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=2_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--models", nargs="+", default=["naive", "drift", "ridge", "pretrained"])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    prices, cv = walks(options.series), fc.WalkForward(HORIZON, WINDOWS)
    start = time.perf_counter()
    result = timed("backtest", lambda: fc.backtest(options.models, prices, cv, n_jobs=options.jobs, progress=False))
    timed("leaderboard", result.leaderboard)
    timed("verdicts", lambda: str(result.verdicts()))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        timed("report", lambda: fc.write_report(result, page))
        print(f"the report has {page.stat().st_size / 1e6:.1f} MB; {time.perf_counter() - start:.1f} s in all")


if __name__ == "__main__":
    main()
