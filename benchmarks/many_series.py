"""One network for 23,000 series of 13 to 800 rows: seconds and memory.

python benchmarks/many_series.py                         # needs no data
python benchmarks/many_series.py --long                  # from a table with the columns unique_id, ds and y

The lengths are as in a collection of yearly series: log-normal with a median of 29 rows, so that 4 % of a table of all
series and 800 rows is observed.
"""

from __future__ import annotations

import os
import resource
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

import forecast as fc

ROWS, SERIES, HORIZON, STEPS = 800, 23_000, 6, 1_000


def draw() -> dict[str, np.ndarray]:
    """Return walks of 13 to 800 rows that end at the same row."""
    rng = np.random.default_rng(0)
    lengths = np.clip(np.exp(rng.normal(np.log(29), 0.6, SERIES)), 13, ROWS).astype(int)
    lengths[:10] = ROWS
    return {f"s{n}": 100 + rng.normal(size=rows).cumsum() for n, rows in enumerate(lengths)}


def long_table(series: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return the walks as a table with a row for each value, dated by the years up to 1999."""
    years = pd.date_range("1200-01-01", periods=ROWS, freq="YS")
    rows = [len(walk) for walk in series.values()]
    dates = np.concatenate([years[ROWS - n :] for n in rows])
    return pd.DataFrame(
        {"unique_id": np.repeat(list(series), rows), "ds": dates, "y": np.concatenate([*series.values()])}
    )


def memory() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def fit(prices: fc.Prices, steps: int) -> fc.Forecaster:
    """Return a network that is trained on all series for so many steps."""
    return fc.Recurrent("lstm", base=fc.Naive(), lookback=12, trainer=fc.Trainer(steps=steps)).fit(prices, HORIZON)


def main() -> None:
    """Fit, forecast and print what it took."""
    fit(np.arange(100.0) % 7, steps=1)
    print(f"Python, pandas, torch and the modules of a fit: {memory():.0f} MB")
    series = draw()
    prices = long_table(series) if "--long" in sys.argv else series
    print(f"{sum(map(len, series.values())):,} values; {memory():.0f} MB")
    start = time.perf_counter()
    panel = fc.as_panel(prices)
    print(f"as_panel: {time.perf_counter() - start:.0f} s, {memory():.0f} MB")
    start = time.perf_counter()
    model = fit(panel, STEPS)
    print(f"fit, {STEPS} steps: {time.perf_counter() - start:.0f} s, {memory():.0f} MB")
    start = time.perf_counter()
    model.predict(panel)
    print(f"predict: {time.perf_counter() - start:.0f} s, {memory():.0f} MB")


if __name__ == "__main__":
    main()
