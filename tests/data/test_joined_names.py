"""Tickers joined to the names of fields, with or without a separator, in either order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast as fc
from forecast.data.files import read_prices

WORDS = {"Open": "Open", "High": "High", "Low": "Low", "Close": "Close", "Volume": "Volume"}
CHINESE = {"Open": "开盘", "High": "最高", "Low": "最低", "Close": "收盘", "Volume": "成交量"}
LETTERS = {name: name[0].lower() for name in WORDS}
LOWER = {name: name.lower() for name in WORDS}


def bars(seed, n=120):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(0.01 * rng.normal(size=n).cumsum())
    start = close * np.exp(0.003 * rng.normal(size=n))
    high, low = np.maximum(start, close), np.minimum(start, close)
    spread = 1 + 0.004 * rng.random((2, n))
    table = {"Open": start, "High": high * spread[0], "Low": low / spread[1], "Close": close}
    return {name: values.round(2) for name, values in table.items()} | {"Volume": rng.integers(10**5, 10**6, n)}


def table(form, words, fields, tickers):
    columns = {
        form.format(ticker=ticker, field=words[field]): bars(seed)[field]
        for seed, ticker in enumerate(tickers)
        for field in fields
    }
    return pd.DataFrame(columns, index=pd.bdate_range("2022-01-03", periods=120, name="Date"))


@pytest.mark.parametrize("fields", [tuple(WORDS), ("Open", "High", "Low", "Close"), ("Close", "Volume"), ("Close",)])
@pytest.mark.parametrize(
    ("form", "words", "tickers"),
    [
        ("{ticker}{field}", WORDS, ("AAA", "BRKB")),
        ("{field}{ticker}", WORDS, ("AAA", "BRKB")),
        ("{ticker}{field}", CHINESE, ("AAA", "600519")),
        ("{ticker}{field}", LOWER, ("aaa", "msft")),
        ("{field}{ticker}", LOWER, ("aaa", "msft")),
        ("{ticker}_{field}", LETTERS, ("AAA", "BRKB")),
        ("{field}_{ticker}", LETTERS, ("AAA", "BRKB")),
        ("{ticker}{field}", WORDS, ("AAA",)),
    ],
)
def test_the_closes_of_each_ticker_are_the_series(form, words, tickers, fields, tmp_path):
    if words is LETTERS and "Open" not in fields:
        pytest.skip("a single letter is a field only where all four are there")
    if len(tickers) * len(fields) == 1:
        pytest.skip("one column is the series, whatever its name")
    frame = table(form, words, fields, tickers)
    frame.to_csv(tmp_path / "joined.csv")
    read, panel = read_prices(tmp_path / "joined.csv"), fc.as_panel(frame)
    assert list(read) == list(panel.series) == list(tickers)
    for seed, ticker in enumerate(tickers):
        assert read[ticker].tolist() == bars(seed)["Close"].tolist()
    assert panel.target.tolist() == read.to_numpy().tolist()


@pytest.mark.parametrize(
    "names", [("Lowe", "Highland", "OpenText"), ("workflow", "overflow"), ("GOOG_A", "GOOG_C"), ("x_o", "x_h", "x_l")]
)
def test_names_of_series_stay_whole(names):
    frame = pd.DataFrame(
        {name: bars(i)["Close"] for i, name in enumerate(names)},
        index=table("{field}", WORDS, ("Close",), ("A",)).index,
    )
    assert list(fc.as_panel(frame).series) == list(names)
