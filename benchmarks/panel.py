"""Time and memory of a backtest of a panel of many series, and what both grow with.

python benchmarks/panel.py                                    # 500 random walks of 5,000 rows, 100 origins, refit=1
python benchmarks/panel.py --origins 2 --lookback 20 80       # one row per lookback
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
import warnings
from contextlib import suppress

import numpy as np
import pandas as pd
import psutil

import forecast as fc

INTERVAL = 0.05  # seconds between two measurements of the memory


def walks(series: int, rows: int) -> pd.DataFrame:
    """Return random walks of log prices, on business days."""
    steps = np.random.default_rng(0).normal(0, 0.01, size=(rows, series))
    prices = 100 * np.exp(steps.cumsum(axis=0))
    return pd.DataFrame(prices, pd.bdate_range("2000-01-03", periods=rows), [f"S{i}" for i in range(series)])


def run_case(case: dict[str, int], names: list[str]) -> dict[str, float]:
    """Run one backtest; return its seconds, in all and per fit and forecast of each model."""
    warnings.simplefilter("ignore")
    models = {name: fc.make_model(name) for name in names}
    for model in models.values():
        if "lookback" in model.get_params(deep=False):
            model.set_params(lookback=case["lookback"])
    cv = fc.WalkForward(horizon=case["horizon"], n_windows=case["origins"])
    prices = walks(case["series"], case["rows"])
    start = time.perf_counter()
    result = fc.backtest(models, prices, cv, refit=case["refit"], n_jobs=case["jobs"])
    row = {"seconds": time.perf_counter() - start}
    means = result.fits.groupby("model", sort=False)[["seconds_fit", "seconds_predict"]].mean()
    for name, seconds in means.iterrows():
        row |= {f"{name} fit": seconds["seconds_fit"], f"{name} predict": seconds["seconds_predict"]}
    return row


def resident_memory(process: psutil.Process) -> int:
    """Return the bytes resident in a process and its children; memory that they share counts for each."""
    total = 0
    for member in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # ended after it was listed
            total += member.memory_info().rss
    return total


def measure(case: dict[str, int], models: list[str]) -> dict[str, object]:
    """Run one case in a separate process, so that it inherits no memory of another, and measure its peak memory."""
    command = [
        sys.executable,
        __file__,
        *(f"--{name}={size}" for name, size in case.items()),
        "--in-process",
        "--models",
    ]
    child = psutil.Popen([*command, *models], stdout=subprocess.PIPE, text=True)
    peak = 0
    while child.poll() is None:
        peak = max(peak, resident_memory(child))
        time.sleep(INTERVAL)
    if child.returncode:
        raise SystemExit(f"{case} ended with {child.returncode}")
    row = json.loads(child.stdout.read())
    return case | {"peak GB": f"{peak / 1e9:.2f}"} | {name: f"{seconds:.2f}" for name, seconds in row.items()}


def main() -> None:
    """Print a row for each combination of the requested sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = {"series": 500, "rows": 5000, "origins": 100, "horizon": 5, "lookback": 20, "refit": 1, "jobs": 2}
    for name, size in sizes.items():
        parser.add_argument(f"--{name}", type=int, nargs="+", default=[size])
    parser.add_argument("--models", nargs="+", default=["drift", "ridge"])
    parser.add_argument(
        "--in-process", action="store_true", help="run the first case in this process and print its seconds as JSON"
    )
    options = vars(parser.parse_args())
    products = itertools.product(*(options[name] for name in sizes))
    cases = [dict(zip(sizes, product, strict=True)) for product in products]
    if options["in_process"]:
        print(json.dumps(run_case(cases[0], options["models"])))
        return
    table = [measure(case, options["models"]) for case in cases]
    print(pd.DataFrame(table).to_string(index=False))


if __name__ == "__main__":
    main()
