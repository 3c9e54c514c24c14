"""Memory of the process after each import, the first fit, and the panel comparison.

python benchmarks/speed/memory.py            # with our optimizer
python benchmarks/speed/memory.py --wrapped  # with torch's own
"""

from __future__ import annotations

import argparse
import os
import time
from importlib import import_module
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "2"  # as in the comparison


def read_status(field: str) -> int:
    """Return a field of the process's status in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) // 1024


def print_memory(stage: str, start: float) -> None:
    """Print the memory of the process now, and its peak."""
    total, files, peak = (read_status(field) for field in ("VmRSS", "RssFile", "VmHWM"))
    print(
        f"{stage:>25}  {total:>4} MiB, {files:>3} of them pages of files; at most {peak:>4}"
        f"  {time.perf_counter() - start:5.2f} s"
    )


def main() -> None:
    """Import one module after the other, fit, and run the panel comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrapped", action="store_true", help="use torch's optimizer, which loads its compiler")
    wrapped = parser.parse_args().wrapped
    for name in ("numpy", "pandas", "torch", "forecast.backtesting.run", "forecast.models.recurrent.forecaster"):
        start = time.perf_counter()
        import_module(name)
        print_memory(name, start)
    import race
    import torch
    import worker
    import worker_forecast

    import data

    if wrapped:
        import_module("forecast.models.recurrent.trainer").AdamW = torch.optim.AdamW
    (panel,) = race.COMPARISONS["panel"]
    (y,) = data.hundred().values()
    start = time.perf_counter()
    worker_forecast.scratch(y[:400, :1], worker.Walk(horizon=5, n_windows=2, step_size=5, refit=2), worker.Stopwatch())
    print_memory("first fit and walk", start)
    assert panel.walk is not None
    start = time.perf_counter()
    worker_forecast.scratch(race.standardise(y, panel.walk), worker.Walk(**panel.walk), worker.Stopwatch())
    print_memory("100 series, 4 refits", start)


if __name__ == "__main__":
    main()
