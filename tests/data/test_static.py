"""Static inputs: reading a table with a row for each series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast as fc
from forecast.backtesting.spec import hash_history
from forecast.features.static_inputs import StaticEncoder

PRICES = pd.DataFrame({"A": [1.0, 2.0, 4.0], "B": [3.0, 3.0, 5.0], "C": [2.0, np.nan, 1.0]})
TABLE = pd.DataFrame({"size": [1.0, 3.0, np.nan], "sector": ["x", "y", None], "old": [True, False, True]}, list("ABC"))


def static(table):
    return fc.as_panel(PRICES, static=table).static


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        TABLE.iloc[::-1],
        TABLE.rename_axis("unique_id").reset_index(),
        pd.concat([TABLE, TABLE.set_axis([*"XYZ"])]),
    ],
    ids=["index", "another order", "column", "more series"],
)
def test_rows_are_found_by_the_names_of_the_series(table):
    inputs = static(table)
    assert inputs.names == ("size", "sector", "old")
    np.testing.assert_array_equal(inputs["size"], [1, 3, np.nan])
    assert inputs["sector"].tolist() == ["x", "y", None]
    assert inputs["old"].tolist() == [1, 0, 1]


def test_a_panel_takes_static_inputs_later_and_has_them_in_every_slice():
    panel = fc.as_panel(fc.as_panel(PRICES), static=TABLE)
    for part in (panel, panel[:2], panel.known_until(1), fc.as_panel(panel, how="common"), fc.as_panel(panel)):
        assert part.static.names == ("size", "sector", "old")
    assert "static inputs size, sector, old" in repr(panel)


@pytest.mark.parametrize("target", ["return", "price"])
def test_derived_targets_have_them(target):
    assert fc.make_target(PRICES.ffill(), target, static=TABLE).static.names == ("size", "sector", "old")


def test_a_change_is_another_history():
    before, after = (
        hash_history(fc.as_panel(PRICES, static=table), [2], 1)[2]
        for table in (TABLE, TABLE.assign(size=[1.0, 3.0, 5.0]))
    )
    assert before != after != hash_history(fc.as_panel(PRICES), [2], 1)[2]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.iloc[:2], "static has no row for the series 'C'"),
        (pd.concat([TABLE, TABLE]), "several rows for the series 'A'"),
        (TABLE.assign(size=[1.0, np.inf, 2.0]), "'size' of static contains an infinite value"),
        (TABLE.assign(since=pd.Timestamp("2020-01-01")), "'since' of static contains datetime"),
        (TABLE.assign(none=[None] * 3), "'none' of static is empty"),
        (TABLE[[]], "static has no columns"),
        (TABLE.set_axis(["size", "size", "old"], axis=1), "several columns 'size'"),
    ],
)
def test_what_cannot_be_read_is_refused(table, message):
    with pytest.raises(ValueError, match=message):
        static(table)


def test_a_mapping_is_refused():
    with pytest.raises(TypeError, match="static must be a DataFrame"):
        static(TABLE.to_dict())


def test_numbers_are_standardised_and_categories_have_indicators():
    encoder = StaticEncoder.fit(static(TABLE))
    expected = [[-1, 0, 1, 0, 2**-0.5], [1, 0, 0, 1, -(2**0.5)], [0, 1, 0, 0, 2**-0.5]]
    np.testing.assert_allclose(encoder.encode(static(TABLE)), expected)
    other = static(TABLE.assign(sector=["z", "y", "x"], size=[5.0, 2.0, 2.0]))
    np.testing.assert_allclose(encoder.encode(other)[:, :4], [[3, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])


def test_a_column_of_another_kind_than_at_the_fit_is_refused():
    encoder = StaticEncoder.fit(static(TABLE))
    with pytest.raises(ValueError, match="'sector' had categories at the fit and has numbers now"):
        encoder.encode(static(TABLE.assign(sector=[1, 2, 3])))
