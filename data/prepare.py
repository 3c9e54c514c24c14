"""Rebuild the committed samples: `python data/prepare.py`. Never imported by the package; see data/README.md."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

SAMPLES = Path(__file__).parent / "samples"

TICKERS = ["AAPL", "IBM", "MSFT", "GOOG"]
FIELDS = ["Open", "High", "Low", "Close", "Adj Close", "Volume"]
#: The file that bokeh-sampledata 2026.1 states to be public domain; earlier releases had other data on other terms.
STOCKS_SHA256 = "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd"

SEED = 20160104
ROWS = 2000
START = "2016-01-04"
LEVEL = np.log(100.0)
STEP = 0.01  # standard deviation of a random walk's daily log change
PHI, SHOCK = 0.9, 0.01
PERIOD, SWING, NOISE = 5, 0.02, 0.005
VARIANCE, ALPHA, BETA = 0.012**2, 0.10, 0.88  # unconditional variance; weights of the last square and the last variance
LISTED, DELISTED = 1200, 1400  # first row with a price; first row without
HALT, EVERY = slice(700, 710), 125  # ten rows in a row, and every 125th


def stocks() -> pd.DataFrame:
    """Return four tickers of bokeh-sampledata's table in the layout of yfinance: dates × (field, ticker)."""
    source = files("bokeh_sampledata") / "_data" / "stocks.csv.gz"
    raw = source.read_bytes()
    if hashlib.sha256(raw).hexdigest() != STOCKS_SHA256:
        raise ValueError(f"{source} is not the file of bokeh-sampledata 2026.1: install that release")
    with gzip.open(source.open("rb")) as file:
        table = pd.read_csv(file, parse_dates=["Date"])  # exact from pandas 3.1 on
    wide = table[table["Ticker"].isin(TICKERS)].pivot(index="Date", columns="Ticker", values=FIELDS)
    columns = pd.MultiIndex.from_product([FIELDS, TICKERS], names=["Price", "Ticker"])
    return wide.astype("float64").set_axis(wide.columns.set_names(["Price", "Ticker"]), axis=1)[columns]


def simulated() -> pd.DataFrame:
    """Return seven simulated series; each has its own random stream, so adding a series would not change the others."""
    walks = [np.cumsum(STEP * noise(stream)) for stream in range(4)]  # four of (T,)
    logs = {
        "random_walk": walks[0],
        "ar1": ar1(noise(4)),
        "seasonal": SWING * np.sin(2 * np.pi * np.arange(ROWS) / PERIOD) + NOISE * noise(5),
        "volatility_clustering": np.cumsum(garch(noise(6))),
        "late_listing": walks[1],
        "delisted": walks[2],
        "holiday_gap": walks[3],
    }
    prices = pd.DataFrame(logs, index=pd.bdate_range(START, periods=ROWS, name="Date", freq="B"))
    prices = np.exp(LEVEL + prices)
    prices.iloc[:LISTED, prices.columns.get_loc("late_listing")] = np.nan
    prices.iloc[DELISTED:, prices.columns.get_loc("delisted")] = np.nan
    prices.iloc[HALT, prices.columns.get_loc("holiday_gap")] = np.nan
    prices.iloc[EVERY::EVERY, prices.columns.get_loc("holiday_gap")] = np.nan
    prices.index.freq = None  # files do not store it
    return pd.concat({"Close": prices}, axis=1, names=["Price", "Ticker"])


def noise(stream: int) -> np.ndarray:
    """Return standard normal numbers from one random stream."""
    return np.random.default_rng([SEED, stream]).standard_normal(ROWS)  # (T,)


def ar1(shocks: np.ndarray) -> np.ndarray:
    """Return x[t] = PHI · x[t−1] + SHOCK · shock[t], started from its stationary distribution."""
    x = np.empty_like(shocks)
    x[0] = shocks[0] * SHOCK / np.sqrt(1 - PHI**2)
    for t in range(1, len(x)):
        x[t] = PHI * x[t - 1] + SHOCK * shocks[t]
    return x


def garch(shocks: np.ndarray) -> np.ndarray:
    """Return r[t] = √v[t] · shock[t] with v[t] = VARIANCE · (1 − ALPHA − BETA) + ALPHA · r[t−1]² + BETA · v[t−1]."""
    returns = np.empty_like(shocks)
    variance = VARIANCE
    for t, shock in enumerate(shocks):
        returns[t] = np.sqrt(variance) * shock
        variance = VARIANCE * (1 - ALPHA - BETA) + ALPHA * returns[t] ** 2 + BETA * variance
    return returns


def main() -> None:
    """Write both samples and print their sizes."""
    SAMPLES.mkdir(exist_ok=True)
    for build in (stocks, simulated):
        path = SAMPLES / f"{build.__name__}.parquet"
        prices = build()
        prices.to_parquet(path, compression="zstd")
        print(f"{path}: {prices.shape[0]} rows, {prices.shape[1]} columns, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
