"""Sample prices that need no network."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandas as pd

from forecast._validation import did_you_mean
from forecast.data.files import pick_fields

#: In a wheel the samples are inside the package; in a checkout or an editable install they are in data/ next to it.
SAMPLE_FOLDERS = (Path(__file__).parents[1] / "_samples", Path(__file__).parents[2] / "data" / "samples")

#: Constants, so that listing reads no file; a test compares them with the loaded samples.
SAMPLES = pd.DataFrame(
    {
        "name": ["stocks", "simulated", "sp500", "nasdaq"],
        "what": [
            "daily prices of AAPL, IBM, MSFT and GOOG (listed 2004-08-19)",
            "seven simulated series: random walk, AR(1), season, GARCH, late listing, delisting, gaps",
            "daily S&P 500 index",
            "daily Nasdaq Composite index",
        ],
        "rows": [3270, 2000, 5031, 5031],
        "first": ["2000-03-01", "2016-01-04", "1999-01-04", "1999-01-04"],
        "last": ["2013-03-01", "2023-09-01", "2018-12-31", "2018-12-31"],
        "source": [
            "Quandl WIKI Prices, from bokeh-sampledata 2026.1",
            "data/prepare.py, seeded",
            *["read from the installed arch package"] * 2,
        ],
        "licence": ["public domain", "Apache-2.0", *["arch's own terms; not copied"] * 2],
    }
)


def samples() -> pd.DataFrame:
    """Return a table of the price samples: name, content, number of rows, first and last date, source and licence.

    >>> fc.samples()["name"].tolist()
    ['stocks', 'simulated', 'sp500', 'nasdaq']
    """
    return SAMPLES.copy()


def load_sample(name: str, fields: str | None = None) -> pd.DataFrame:
    """Return sample prices as a table with a row per date and a column per ticker.

    `name` is one of stocks, simulated, sp500 and nasdaq (see `samples`). `fields` None returns the adjusted closes, a
    field's name such as "Close" that field, and "all" every field under (field, ticker) columns, as yfinance does. The
    simulated series have only a Close, which None returns, and "all" returns under ("Close", name).

    >>> prices = fc.load_sample("stocks")
    >>> prices.shape, list(prices.columns)
    ((3270, 4), ['AAPL', 'IBM', 'MSFT', 'GOOG'])
    """
    known = list(SAMPLES["name"])
    if name not in known:
        raise ValueError(
            f"there is no sample {name!r}{did_you_mean(name, known)}; the samples are {', '.join(known)}. "
            "For a file of your own, use read_prices"
        )
    prices = _read_arch(name) if name in ("sp500", "nasdaq") else pd.read_parquet(_find(f"{name}.parquet"))
    try:
        table = pick_fields(prices, fields)
    except ValueError as error:
        raise ValueError(f"sample {name}: {error}") from error
    table.attrs["source"] = name  # recorded in the spec of a backtest
    return table


def _read_arch(name: str) -> pd.DataFrame:
    # arch's licence covers its code and not the data, so the data are read where they are installed, never copied.
    prices: pd.DataFrame = importlib.import_module(f"arch.data.{name}").load()
    prices.attrs["ticker"] = name.upper()
    return prices


def _find(file: str) -> Path:
    for folder in SAMPLE_FOLDERS:
        if (folder / file).is_file():
            return folder / file
    wheel, checkout = SAMPLE_FOLDERS
    raise FileNotFoundError(
        f"{file} is neither in {wheel} (its folder in a wheel) nor in {checkout} (its folder in a checkout): "
        "install the package again, or run python data/prepare.py in a checkout"
    )
