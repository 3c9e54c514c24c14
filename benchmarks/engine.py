"""Measurements of the backtest engine: two processes against one, killed runs, coverage of conformal intervals.

python benchmarks/engine.py               # all parts, about ten minutes on two cores
python benchmarks/engine.py parallel
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import forecast as fc
from forecast import _io

NETS = {cell: fc.Recurrent(cell, trainer=fc.Trainer(steps=120)) for cell in ("lstm", "gru", "rnn")}
CV = fc.WalkForward(horizon=5, n_windows=40)
OPTIONS = "backtest stocks --models drift,arima,lstm --windows 20 --refit 2"
OPTIONS += " --set lstm.trainer.steps=40 --set lstm.members=2 --out"
COMMAND = [sys.executable, "-m", "forecast", *OPTIONS.split()]
RUN = "import sys; sys.path.insert(0, sys.argv[3]); import engine; engine.run(sys.argv[1], int(sys.argv[2]))"


def run(out: str, jobs: int) -> None:
    """Run forty refits of three networks on the stocks into a folder."""
    fc.backtest(NETS, fc.load_sample("stocks"), CV, n_jobs=jobs, out=out)


def parallel(turns: int = 2) -> pd.DataFrame:
    """Time one process against two, alternating, each in a fresh interpreter."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        outputs = []
        for turn in range(turns):
            seconds = {}
            for jobs in (1, 2):
                out = Path(folder) / f"{turn}-{jobs}"
                start = time.perf_counter()
                subprocess.run([sys.executable, "-c", RUN, str(out), str(jobs), str(Path(__file__).parent)], check=True)
                seconds[jobs] = time.perf_counter() - start
                outputs.append((out / _io.FORECASTS).read_bytes())
            ratio = seconds[1] / seconds[2]
            rows.append({"turn": turn + 1, "one (s)": seconds[1], "two (s)": seconds[2], "times faster": ratio})
        same = len(set(outputs)) == 1
    return pd.DataFrame(rows).round(2).assign(**{"same bytes": same})


def killed(trials: int = 20) -> pd.DataFrame:
    """Kill runs of the command line by SIGKILL at random moments, resume them, compare with a complete run."""
    rng = random.Random(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run([*COMMAND, f"{folder}/complete"], check=True, stdout=subprocess.DEVNULL)
        length = time.perf_counter() - start
        complete = Path(folder, "complete", _io.FORECASTS).read_bytes()
        for trial in range(trials):
            out, options = f"{folder}/{trial}", [["--warm"], []][trial % 2]
            jobs = ["--jobs", str(1 + trial // 2 % 2)]
            moment = rng.uniform(0.2, 1.0) * length
            command = [*COMMAND, out, *jobs, *options]
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
            time.sleep(moment)
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            n_checkpoints = len(list(Path(folder).glob(f".{trial}.*/*.npz")))
            resumed = subprocess.run([*command, "--resume"], stdout=subprocess.DEVNULL)
            same = Path(out, _io.FORECASTS).read_bytes() == (complete_warm_run(folder) if options else complete)
            row = {"killed after (s)": round(moment, 1), "stored fits": n_checkpoints, "rc": resumed.returncode}
            rows.append(row | {"same": same})
        leftovers = [path.name for path in Path(folder).iterdir() if path.name.startswith(".")]
    print(f"temporary files left next to the runs: {leftovers or 'none'}")
    return pd.DataFrame(rows)


def complete_warm_run(folder: str) -> bytes:
    """Return the forecasts of the complete run with warm starts."""
    path = Path(folder, "warm")
    if not path.exists():
        subprocess.run([*COMMAND, str(path), "--warm"], check=True, stdout=subprocess.DEVNULL)
    return (path / _io.FORECASTS).read_bytes()


def series(kind: str, n: int = 40, rows: int = 1505) -> np.ndarray:
    """Simulate AR(1) series, or random walks whose changes have the variance of a GARCH(1,1)."""
    rng = np.random.default_rng(3)
    y, variance = np.zeros((rows, n)), np.ones(n)
    for t in range(1, rows):
        shock = np.sqrt(variance) * rng.normal(size=n)
        y[t] = (0.8 if kind == "AR(1)" else 1.0) * y[t - 1] + shock
        if kind != "AR(1)":
            variance = 0.05 + 0.1 * shock**2 + 0.85 * variance
    return y


def conformal() -> pd.DataFrame:
    """Mean coverage of 80 % intervals at every step: forty series of each kind, 500 origins each."""
    rows = []
    for kind in ("AR(1)", "clustering"):
        y = series(kind)
        inner = {"arima": fc.ARIMA((1, 0, 0), log=False), "naive": fc.Naive(log=False)}
        models = {
            f"{method} over {name}": fc.Conformal(model, method, log=False)
            for name, model in inner.items()
            for method in ("rolling", "adaptive")
        }
        result = fc.backtest(models | {"arima": inner["arima"]}, y, fc.WalkForward(5, 500, step_size=1), refit=500)
        table = result.scores(("model", "step")).pivot(index="model", columns="step", values="coverage")
        rows.append(table.round(3).assign(series=kind).reset_index())
    return pd.concat(rows)[["series", "model", 1, 2, 3, 4, 5]]


def main() -> None:
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"parallel": parallel, "killed": killed, "conformal": conformal}
    parser.add_argument("what", nargs="*", default=list(parts), help=", ".join(parts))
    for what in parser.parse_args().what:
        print(f"\n{parts[what].__doc__.splitlines()[0]}")
        print(parts[what]().to_string(index=False))


if __name__ == "__main__":
    main()
