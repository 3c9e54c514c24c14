"""Inputs whose values are known before their row comes: reading, slicing, rows after the last value."""

import numpy as np
import pandas as pd
import pytest

import forecast as fc
from forecast.data.panel import with_future


def hourly(rows=60, empty=10):
    """Return a table of a price and two known columns, of which the last prices are empty."""
    rng = np.random.default_rng(0)
    index = pd.date_range("2024-01-01", periods=rows, freq="h", name="Date")
    table = pd.DataFrame(rng.normal(50, 5, (rows, 3)), index, ["Price", "Load", "Wind forecast"])
    table.iloc[rows - empty :, 0] = np.nan
    return table


FUTURE = ("Load", "Wind forecast")


def test_rows_after_the_last_price_are_future_rows():
    table = hourly()
    panel = fc.as_panel(table, future=FUTURE)
    assert (len(panel), panel.series, panel.channels) == (50, ("Price",), ("y", *FUTURE))
    assert panel.index[-1] == table.index[49]
    np.testing.assert_array_equal(panel.future.values[:, 0], table[list(FUTURE)])
    assert "known of 10 later rows: Load, Wind forecast" in repr(panel)


def test_a_column_of_a_wide_table_holds_for_all_series():
    table = hourly().assign(Other=1.0 + np.arange(60))
    panel = fc.as_panel(table, future=["Load"], exog=["Wind forecast"], columns=["Price", "Other"])
    assert panel.series == ("Price", "Other")
    for n in range(2):
        np.testing.assert_array_equal(panel.values[:, n, 1:], table[["Wind forecast", "Load"]])
    assert panel.future.names == ("Load",)


def test_fields_of_tickers_are_known_for_each_of_them():
    rng = np.random.default_rng(0)
    columns = pd.MultiIndex.from_product([["Close", "Earnings"], ["A", "B"]])
    table = pd.DataFrame(rng.normal(50, 5, (40, 4)), pd.bdate_range("2024-01-01", periods=40), columns)
    table.loc[table.index[-5:], "Close"] = np.nan
    panel = fc.as_panel(table, future=["Earnings"])
    np.testing.assert_array_equal(panel.future.values[..., 0], table["Earnings"])
    assert len(panel) == 35


def test_slices_keep_what_is_known_of_later_rows_and_cut_it_on_request():
    panel = fc.as_panel(hourly(), future=FUTURE)
    part = panel[10:20]
    np.testing.assert_array_equal(part.future.values[0], panel.future.values[10])
    assert len(part.future) == 50
    assert len(part.known_until(13).future) == 13
    assert len(part.known_until(3).future) == 10  # its own rows at least
    common = fc.as_panel(hourly().assign(B=[np.nan, *range(49), *[np.nan] * 10]), columns=["Price", "B"], future=FUTURE)
    common = fc.as_panel(common, how="common")
    assert (len(common), len(common.future)) == (49, 59)


def test_a_table_of_the_future_continues_the_panel():
    table = hourly()
    panel, complete = fc.as_panel(table.iloc[:50], future=FUTURE), fc.as_panel(table, future=FUTURE)
    later = with_future(panel, table[["Wind forecast", "Load"]].iloc[45:][::-1])  # any order, with rows of the past
    np.testing.assert_array_equal(later.future.values, complete.future.values)
    assert later.future.index.equals(complete.future.index)
    texts = table[list(FUTURE)].iloc[50:].set_axis([str(date) for date in table.index[50:]])
    np.testing.assert_array_equal(with_future(panel, texts).future.values, complete.future.values)


def test_undated_rows_of_the_future_follow_the_prices():
    table = hourly().reset_index(drop=True)
    panel = with_future(fc.as_panel(table.iloc[:50], future=FUTURE), table.iloc[50:].reset_index(drop=True))
    np.testing.assert_array_equal(panel.future.values[50:, 0], table[list(FUTURE)].iloc[50:])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda t: t.iloc[:5], ValueError, "future has no row after the last value, at 2024-01-03 01:00"),
        (lambda t: t.drop(columns="Load"), ValueError, "future has no column 'Load'; it has Price, Wind forecast"),
        (lambda t: t.assign(Load="?"), ValueError, "'Load' of future must contain"),
        (lambda t: t.replace({"Load": {t["Load"].iloc[55]: np.inf}}), ValueError, "infinite value"),
        (lambda t: pd.concat([t, t.iloc[-1:]]), ValueError, "more than once"),
        (lambda t: t["Load"].to_numpy(), TypeError, "must be a DataFrame"),
        (lambda t: t.reset_index(drop=True), ValueError, "the same kind of labels"),
    ],
)
def test_other_tables_of_the_future_are_refused(change, error, message):
    panel = fc.as_panel(hourly().iloc[:50], future=FUTURE)
    with pytest.raises(error, match=message):
        with_future(panel, change(hourly()))


def test_inputs_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="no field 'Loud'"):
        fc.as_panel(hourly(), target="Price", future=["Loud"])
    with pytest.raises(TypeError, match=r"future must be a list of fields, such as \['Load'\]"):
        fc.as_panel(hourly(), future="Load")
    with pytest.raises(ValueError, match="'Price' is what is to be forecast"):
        fc.as_panel(hourly(), target="Price", future=["Price", "Load"])
    with pytest.raises(ValueError, match=r"no future values of Load: build it with as_panel\(…, future=\['Load'\]\)"):
        fc.as_panel(fc.as_panel(hourly(), exog=FUTURE), future=["Load"])
