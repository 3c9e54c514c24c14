"""The samples: prices to try things on at once, without a network."""

from __future__ import annotations

import importlib
from pathlib import Path

import pandas as pd

from forecast._validation import did_you_mean
from forecast.data.files import pick_fields

#: In a wheel the samples lie inside the package; in a checkout or an editable install, in data/ beside it.
PLACES = (Path(__file__).parents[1] / "_samples", Path(__file__).parents[2] / "data" / "samples")

#: Stated and not counted, so that listing reads no file; a test compares with what is loaded.
SAMPLES = pd.DataFrame(
    [
        (
            "stocks",
            "daily prices of AAPL, IBM, MSFT and GOOG (listed 2004-08-19)",
            3270,
            "2000-03-01",
            "2013-03-01",
            "Quandl WIKI Prices, out of bokeh-sampledata 2026.1",
            "public domain",
        ),
        (
            "simulated",
            "seven series whose truth is known: random walk, AR(1), season, GARCH, a late, an ended and a gappy one",
            2000,
            "2016-01-04",
            "2023-09-01",
            "data/prepare.py, seeded",
            "Apache-2.0",
        ),
        (
            "sp500",
            "daily S&P 500 index",
            5031,
            "1999-01-04",
            "2018-12-31",
            "read out of the installed arch package",
            "arch's own terms; not copied",
        ),
        (
            "nasdaq",
            "daily Nasdaq Composite index",
            5031,
            "1999-01-04",
            "2018-12-31",
            "read out of the installed arch package",
            "arch's own terms; not copied",
        ),
    ],
    columns=["name", "what", "rows", "first", "last", "source", "licence"],
)


def samples() -> pd.DataFrame:
    """List the price samples that come with the package: what each one is, how long, from where and on what terms.

    >>> fc.samples()["name"].tolist()
    ['stocks', 'simulated', 'sp500', 'nasdaq']
    """
    return SAMPLES.copy()


def load_sample(name: str, fields: str | None = None) -> pd.DataFrame:
    """Load example prices to try things on: a table with a row per date and a column per ticker.

    `name` is one of stocks, simulated, sp500 and nasdaq (see `samples`). `fields` None gives the adjusted closes; a
    field's name such as "Close" gives that field; "all" gives every field under (field, ticker) columns, as yfinance
    does. The simulated series have a Close only: None gives it, "all" gives it under ("Close", name).

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
    prices = _from_arch(name) if name in ("sp500", "nasdaq") else pd.read_parquet(_find(f"{name}.parquet"))
    try:
        picked = pick_fields(prices, fields)
    except ValueError as error:
        raise ValueError(f"sample {name}: {error}") from error
    picked.attrs["source"] = name  # a backtest writes it into its spec
    return picked


def _from_arch(name: str) -> pd.DataFrame:
    # Read where it is installed: arch's licence is that of its code and says nothing of the data, so none is copied.
    prices: pd.DataFrame = importlib.import_module(f"arch.data.{name}").load()
    prices.attrs["ticker"] = name.upper()
    return prices


def _find(file: str) -> Path:
    for place in PLACES:
        if (place / file).is_file():
            return place / file
    raise FileNotFoundError(
        f"{file} is neither in {PLACES[0]} (where a wheel puts it) nor in {PLACES[1]} (where a checkout has it): "
        "install the package again, or run python data/prepare.py in a checkout"
    )
