"""read_prices(inputs=…): columns that are no series, next to the prices, with the rows after the last price."""

import numpy as np
import pandas as pd
import pytest

import forecast as fc


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    values = 100 + np.cumsum(rng.normal(0, 1, (60, 2)), axis=0)
    index = pd.date_range("2024-01-01", periods=60, name="Date")
    values[55:] = np.nan
    columns = {"Spot": values[:, 0], "Next": values[:, 1], "Load": rng.normal(0, 1, 60), "Holiday": 0.0}
    return pd.DataFrame(columns, index).round(3)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("choice", "series"),
    [({"target": "Spot"}, ["Spot"]), ({"columns": ["Next", "Spot"]}, ["Next", "Spot"]), ({}, ["Spot", "Next"])],
)
def test_inputs_are_columns_of_a_wide_table(table, choice, series, ending, tmp_path):
    path = tmp_path / f"power.{ending}"
    table.to_csv(path) if ending == "csv" else table.to_parquet(path)
    read = fc.read_prices(path, inputs=["Load", "Holiday"], **choice)
    assert list(read) == [*series, "Load", "Holiday"]
    assert len(read) == 60
    np.testing.assert_array_equal(read["Load"], table["Load"])
    panel = fc.as_panel(read, future=["Load", "Holiday"])
    assert panel.series == tuple(series)
    assert (len(panel), len(panel.future)) == (55, 60)


@pytest.mark.parametrize(
    ("choice", "fields"),
    [
        ({}, ["Close", "Load"]),
        ({"fields": "all"}, ["Close", "Open", "High", "Low", "Load"]),
        ({"target": "Open"}, ["Open", "Load"]),
    ],
)
def test_inputs_of_an_instrument_are_fields(table, choice, fields, tmp_path):
    close = table["Spot"]
    bars = pd.DataFrame({"Close": close, "Open": close, "High": close + 1, "Low": close - 1, "Load": table["Load"]})
    bars.to_csv(tmp_path / "bars.csv")
    read = fc.read_prices(tmp_path / "bars.csv", inputs=["Load"], **choice)
    assert list(read.columns.get_level_values(0)) == fields
    panel = fc.as_panel(read, target=choice.get("target"), future=["Load"])
    np.testing.assert_array_equal(panel.future.values[:, 0, 0], table["Load"])


def test_chosen_columns_of_an_instrument_are_series(table, tmp_path):
    close = table["Spot"]
    bars = pd.DataFrame({"Close": close, "Open": close, "High": close + 1, "Low": close - 1, "Load": table["Load"]})
    bars.to_csv(tmp_path / "bars.csv")
    read = fc.read_prices(tmp_path / "bars.csv", columns=["Open", "Close"], inputs=["Load"])
    panel = fc.as_panel(read, future=["Load"])
    assert panel.series == ("Open", "Close")
    assert panel.channels == ("y", "Load")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inputs": ["Lod"]}, r"power.csv: there is no column 'Lod' to read as an input \(did you mean 'Load'\?\)"),
        ({"inputs": ["Load"], "target": "Load"}, "'Load' is what is to be forecast, so it is no input"),
        ({"inputs": ["Load"], "columns": ["Spot", "Load"]}, "'Load' is what is to be forecast, so it is no input"),
        ({"inputs": ["Spot", "Next", "Load", "Holiday"]}, "every column is an input"),
    ],
)
def test_inputs_that_cannot_be_read(table, options, message, tmp_path):
    table.to_csv(tmp_path / "power.csv")
    with pytest.raises(ValueError, match=message):
        fc.read_prices(tmp_path / "power.csv", **options)


def test_one_name_is_no_list(table, tmp_path):
    table.to_csv(tmp_path / "power.csv")
    with pytest.raises(TypeError, match=r"must be a list of names, such as \['Load'\]"):
        fc.read_prices(tmp_path / "power.csv", inputs="Load")


def test_a_derived_target_has_inputs_of_the_same_table(table):
    panel = fc.make_target(table[["Spot", "Load"]], "return", future=["Load"])
    assert panel.channels == ("return", "Load")
    np.testing.assert_allclose(panel.target[1:, 0], np.diff(np.log(table["Spot"].iloc[:55])))
    np.testing.assert_array_equal(panel.future.values[:, 0, 0], table["Load"])
