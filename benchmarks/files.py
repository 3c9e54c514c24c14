"""Time and peak memory of reading a panel of 500 tickers over 20 years from Parquet.

    python benchmarks/files.py [--tickers 500] [--rows 5040]

Each file is read in a new process, after a small file that loads all libraries. Memory is the largest increase of the
process's resident set, in multiples of the array. "six fields" is a file of six fields, of which one is read.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

READ = """
import sys, time, threading, psutil, os
import forecast as fc
small, file = sys.argv[1:]
fc.as_panel(fc.read_prices(small))
process = psutil.Process(os.getpid())
before = process.memory_info().rss
peak, stop = [before], threading.Event()
def watch():
    while not stop.wait(0.001):
        peak[0] = max(peak[0], process.memory_info().rss)
watcher = threading.Thread(target=watch); watcher.start()
start = time.perf_counter()
panel = fc.as_panel(fc.read_prices(file))
seconds = time.perf_counter() - start
stop.set(); watcher.join()
print(seconds, (peak[0] - before) / panel.values.nbytes, panel.values.nbytes / 1e6, *panel.values.shape)
"""


def main() -> None:
    """Print a line per file: the median of five runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickers", type=int, default=500)
    parser.add_argument("--rows", type=int, default=5040)
    args = parser.parse_args()
    steps = np.random.default_rng(0).normal(0, 0.01, (args.rows, args.tickers))
    index = pd.bdate_range("2005-01-03", periods=args.rows, name="Date")
    prices = pd.DataFrame(np.exp(steps.cumsum(axis=0)), index=index, columns=[f"T{i}" for i in range(args.tickers)])
    fields = pd.concat(
        dict.fromkeys(("Open", "High", "Low", "Close", "Adj Close", "Volume"), prices), axis=1, names=["Price", "T"]
    )
    with tempfile.TemporaryDirectory() as folder:
        small, wide, six = (Path(folder) / f"{name}.parquet" for name in ("small", "wide", "six"))
        prices.iloc[:50, :5].to_parquet(small)
        prices.to_parquet(wide)
        fields.to_parquet(six)
        for name, file in (("wide", wide), ("six fields", six)):
            processes = [
                subprocess.run([sys.executable, "-c", READ, str(small), str(file)], capture_output=True, check=True)
                for _ in range(5)
            ]
            runs = [[float(value) for value in process.stdout.split()] for process in processes]
            seconds, multiple = (statistics.median(run[i] for run in runs) for i in (0, 1))
            rows, tickers = (int(n) for n in runs[0][3:5])
            print(f"{name:11} {rows:,} × {tickers}: {seconds:.2f} s; {multiple:.1f} × the array's {runs[0][2]:.0f} MB")


if __name__ == "__main__":
    main()
