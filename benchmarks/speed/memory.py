"""Where does the memory of a walk go? What the process holds after each import, the first fit, and the panel race.

python benchmarks/speed/memory.py            # as it is
python benchmarks/speed/memory.py --wrapped  # with torch's optimizer as it comes
"""

from __future__ import annotations

import argparse
import os
import time
from importlib import import_module
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "2"  # as in the race


def held(what: str) -> int:
    """Give a line of the process's status in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) // 1024


def tell(stage: str, start: float) -> None:
    """Print what the process holds now, and the most that it ever held."""
    print(
        f"{stage:>25}  {held('VmRSS'):>4} MiB, {held('RssFile'):>3} of them pages of files; at most {held('VmHWM'):>4}"
        f"  {time.perf_counter() - start:5.2f} s"
    )


def main() -> None:
    """Import one after the other, fit, and walk over the panel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrapped", action="store_true", help="let torch load its compiler, as it does by itself")
    wrapped = parser.parse_args().wrapped
    for name in ("numpy", "pandas", "torch", "forecast.backtesting.run", "forecast.models.recurrent.forecaster"):
        start = time.perf_counter()
        import_module(name)
        tell(name, start)
    import race
    import torch
    import worker
    import worker_forecast

    import data

    if wrapped:
        import_module("forecast.models.recurrent.trainer").AdamW = torch.optim.AdamW
    (panel,) = race.RACES["panel"]
    (y,) = data.hundred().values()
    start = time.perf_counter()
    worker_forecast.scratch(y[:400, :1], worker.Walk(horizon=5, n=2, step=5, refit=2), worker.Stopwatch())
    tell("first fit and walk", start)
    assert panel.walk is not None
    start = time.perf_counter()
    worker_forecast.scratch(race.standardised(y, panel.walk), worker.Walk(**panel.walk), worker.Stopwatch())
    tell("100 series, 4 refits", start)


if __name__ == "__main__":
    main()
