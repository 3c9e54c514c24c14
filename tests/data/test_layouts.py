"""Files of many layouts are read as the same series, or refused with a question; never as anything else."""

import warnings

import numpy as np
import pytest
from helpers.layouts import LAYOUTS, random_walk

from forecast.data.files import read_prices

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
def test_a_layout_is_read_as_the_price_alone(layout, tmp_path):
    prices = read(layout, tmp_path)
    assert not isinstance(prices, str), prices
    assert prices.shape == (len(BARS), 1), list(prices)
    np.testing.assert_allclose(prices.to_numpy()[:, 0], BARS["price"], rtol=0, atol=1e-9)
