"""Files of many layouts are read as the same series, or refused with a question; never as anything else."""

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.layouts import LAYOUTS, random_walk

from forecast.backtesting import backtest
from forecast.backtesting.split import WalkForward
from forecast.data.files import read_prices
from forecast.models.naive import Drift
from forecast.models.smoothing.theta import Theta

BARS = random_walk()
LAYOUT_NAMES = [layout.name for layout in LAYOUTS]


def read(layout, folder):
    """Return the prices that a layout's file is read as, or the text of its refusal."""
    path = folder / "walk.csv"
    path.write_text(layout.text(BARS), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read_prices(path)
        except ValueError as error:
            return str(error)


@pytest.mark.parametrize("layout", LAYOUTS, ids=LAYOUT_NAMES)
def test_a_layout_is_read_as_the_price_alone_or_refused(layout, tmp_path):
    prices = read(layout, tmp_path)
    if isinstance(prices, str):
        assert prices.startswith("walk.csv: ")
        return
    assert prices.shape == (len(BARS), 1), list(prices)
    np.testing.assert_allclose(prices.to_numpy()[:, 0], BARS["price"], rtol=0, atol=1e-9)


@pytest.mark.medium
def test_nearly_all_layouts_are_read(tmp_path):
    refused = {layout.name: text for layout in LAYOUTS if isinstance(text := read(layout, tmp_path), str)}
    assert len(LAYOUTS) >= 60
    assert len(refused) <= len(LAYOUTS) * 5 // 60, refused


@pytest.mark.parametrize("name", ["ariva.de", "akshare", "BSE", "EODHD", "Kaggle, with a counter", "Investing.com, ru"])
def test_the_verdict_is_that_of_the_plain_file(name, tmp_path):
    split, models = WalkForward(1, 40), {"drift": Drift(), "theta": Theta()}
    chosen = {layout.name: layout for layout in LAYOUTS}
    verdicts = []
    for layout in (chosen["plain"], chosen[name]):
        result = backtest(models, read(layout, tmp_path), split, refit=20)
        verdicts.append((result.verdict().sentence, result.verdict().table))
    assert verdicts[0][0] == verdicts[1][0]
    pd.testing.assert_frame_equal(verdicts[0][1], verdicts[1][1])
