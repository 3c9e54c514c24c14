"""A forecast as a table: dated rows, and a short text."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers.quick import walks

import forecast as fc


@pytest.mark.parametrize(
    "index",
    [
        pd.bdate_range("2024-01-01", periods=60),
        pd.bdate_range("2024-01-01", periods=60, tz="America/New_York"),
        pd.date_range("2020-01-31", periods=60, freq="ME"),
        pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Berlin"),
        pd.RangeIndex(60),
    ],
    ids=["days", "zone", "months", "hours", "numbers"],
)
def test_a_forecast_has_the_dates_that_follow_the_prices(index):
    prices = walks(60, series=2).set_axis(index)
    table = fc.Naive().fit(prices, 3).predict(prices).to_frame()
    expected = fc.next_dates(index, 3)[0]
    assert table["ds"].tolist() == [*expected, *expected]
    if isinstance(index, pd.DatetimeIndex):
        assert table["ds"].dt.tz == index.tz
    assert table["cutoff"].tolist() == [index[-1]] * 6


def test_rows_that_exist_have_their_own_dates():
    prices = walks(60).drop(walks(60).index[[41, 58]])  # two holidays
    model = fc.Drift().fit(prices.iloc[:30], 3)
    table = model.predict_at(prices, [38, 50, 57]).to_frame()
    for row in (38, 50):
        days = table[(table["cutoff"] == prices.index[row]) & (table["unique_id"] == "S1")]["ds"]
        assert days.tolist() == list(prices.index[row + 1 : row + 4])
    newest = table[table["cutoff"] == prices.index[57]]["ds"].iloc[:3]
    assert newest.tolist() == list(fc.next_dates(prices.index, 3)[0])


def test_rows_of_known_inputs_have_their_own_dates():
    index = pd.bdate_range("2024-01-01", periods=80)
    later = pd.DatetimeIndex([*index[:-3], *(index[-3:] + pd.Timedelta(days=30))])
    table = walks(80, series=1).set_axis(later).assign(wind=np.arange(80.0))
    table.loc[later[-3:], "S0"] = np.nan
    panel = fc.as_panel(table, target="S0", future=["wind"])
    forecast = fc.make_model("ridge", future=["wind"]).fit(panel, 3).predict(panel)
    assert forecast.to_frame()["ds"].tolist() == list(later[-3:])


def test_the_text_is_short_and_has_dates_and_outer_quantiles():
    prices = walks(300, series=30)
    forecast = fc.Naive(levels=(0.05, 0.25, 0.5, 0.75, 0.95)).fit(prices, 2).predict(prices)
    lines = str(forecast).split("\n")
    assert lines[0] == f"Forecast of 30 series, the next 2 rows from {prices.index[-1]:%Y-%m-%d}"
    assert lines[1].split() == ["unique_id", "ds", "y_hat", "q0.05", "q0.95"]
    row = lines[2].split()
    assert row[:2] == ["S0", f"{fc.next_dates(prices.index, 1)[0][0]:%Y-%m-%d}"]
    np.testing.assert_allclose(
        [float(number) for number in row[2:]],
        [forecast.point[0, 0, 0], *forecast.quantiles[0, 0, 0, [0, -1]]],
        rtol=1e-5,
    )
    assert lines[-1] == "… 40 more rows; to_frame() returns all"
    assert len(lines) == 23
    assert "<table" in forecast._repr_html_()
    assert repr(forecast) == str(forecast)


def test_a_forecast_without_dates_or_quantiles_can_be_printed():
    prices = walks(60, series=1)
    forecast = fc.Naive().fit(prices, 2).predict_at(prices, [30, 40])
    bare = dataclasses.replace(forecast, quantiles=None, index=None)
    assert "ds" not in bare.to_frame()
    assert str(bare).startswith("Forecast of 1 series, the next 2 rows from 2 cutoffs\n")
    assert str(bare).split("\n")[1].split() == ["unique_id", "cutoff", "step", "y_hat"]


def test_names_cannot_control_the_terminal():
    prices = walks(60, series=1).set_axis(["\x1b[31mred"], axis=1)
    assert "\x1b" not in str(fc.Naive().fit(prices, 2).predict(prices))
