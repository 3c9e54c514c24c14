import pickle
from dataclasses import FrozenInstanceError
from decimal import Decimal
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from forecast.data.panel import Panel, PricesWarning, as_panel, format_date, split_fields

T, NAMES = 12, ["A", "B", "C"]
DATES = pd.bdate_range("2024-01-01", periods=T)


def closes(seed=0):
    values = np.random.default_rng(seed).uniform(1, 9, (T, 3)).round(2)
    values[:4, 2] = np.nan
    return pd.DataFrame(values, index=DATES, columns=NAMES)


def with_fields():
    parts = {"Open": closes(1), "Close": closes(2), "Adj Close": closes(), "Volume": closes(3).round()}
    return pd.concat(parts, axis=1, names=["Price", "Ticker"])


def to_long(frame):
    return frame.melt(ignore_index=False, var_name="unique_id", value_name="y").reset_index(names="ds")


# --- shapes of prices ------------------------------------------------------------------------------------------------

SHAPES = {
    "wide": closes,
    "text dates": lambda: closes().set_axis([f"{date:%Y-%m-%d}" for date in DATES], axis=0),
    "python dates": lambda: closes().set_axis(list(DATES.date), axis=0),
    "field, ticker": with_fields,
    "ticker, field": lambda: with_fields().swaplevel(axis=1),
    "lower case": lambda: with_fields().rename(columns=str.lower, level=0),
    "long": lambda: to_long(closes()),
    "long, gaps left out": lambda: to_long(closes()).dropna(),
    "long, text dates": lambda: to_long(closes()).assign(ds=lambda f: f["ds"].astype(str)),
    "mapping of dated series": lambda: {name: column.dropna() for name, column in closes().items()},
    "object": lambda: closes().astype(object),
    "text numbers": lambda: closes().map(lambda value: None if np.isnan(value) else repr(float(value))),
    "Float64": lambda: closes().astype("Float64"),
    "object with NA": lambda: closes().astype("Float64").astype(object),
    "arrow": lambda: closes().astype("double[pyarrow]"),
    "Decimal": lambda: closes().map(lambda value: None if np.isnan(value) else Decimal(repr(float(value)))),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_becomes_the_same_panel(shape):
    panel = as_panel(SHAPES[shape]())
    np.testing.assert_array_equal(panel.target, closes().to_numpy())
    assert panel.values.dtype == np.float64
    assert panel.values.shape == (T, 3, 1)
    assert panel.series == ("A", "B", "C")
    assert list(panel.index) == list(DATES)


@pytest.mark.parametrize("build", [lambda a: a, lambda a: {f"y{i}": a[:, i] for i in range(3)}, pd.DataFrame])
def test_undated_prices_are_numbered(build):
    panel = as_panel(build(closes().to_numpy()))
    np.testing.assert_array_equal(panel.target, closes().to_numpy())
    assert list(panel.index) == list(range(T))


@pytest.mark.parametrize("numbers", [float, int])
def test_undated_series_are_aligned_at_the_end(numbers):
    panel = as_panel({"short": [8.0, 9.0], "long": [numbers(value) for value in (1, 2, 3, 4)]})
    np.testing.assert_array_equal(panel.target, [[np.nan, 1], [np.nan, 2], [8, 3], [9, 4]])


@pytest.mark.parametrize("prices", [closes()["A"], closes()[["A"]], closes()["A"].to_numpy()])
def test_one_series_is_a_panel_too(prices):
    np.testing.assert_array_equal(as_panel(prices).target, closes()[["A"]].to_numpy())


def test_one_tickers_table_defaults_to_the_adjusted_close():
    one = with_fields().xs("B", axis=1, level=1)
    np.testing.assert_array_equal(as_panel(one).target[:, 0], closes()["B"])
    one.attrs["ticker"] = "B"
    assert as_panel(one).series == ("B",)
    np.testing.assert_array_equal(as_panel(one.drop(columns="Adj Close")).target[:, 0], closes(2)["B"])


@pytest.mark.parametrize("dtype", ["int64", "int32", "Int64", "uint8", "float32"])
def test_integers_and_float32_become_float64(dtype):
    frame = closes().round().fillna(3).astype(dtype)
    panel = as_panel(frame)
    assert panel.values.dtype == np.float64
    np.testing.assert_array_equal(panel.target, frame.to_numpy(dtype=float))


def test_missing_integers_become_nan():
    frame = pd.DataFrame({"A": pd.array([1, pd.NA, 3], dtype="Int64")}, index=DATES[:3])
    np.testing.assert_array_equal(as_panel(frame).target[:, 0], [1, np.nan, 3])


def test_a_panel_is_returned_unchanged():
    panel = as_panel(closes())
    assert as_panel(panel) is panel


@pytest.mark.parametrize("prices", [closes(), with_fields()], ids=["wide", "fields"])
@settings(max_examples=25)
@given(order=st.permutations(range(T)))
def test_unsorted_rows_are_sorted(prices, order):
    panel, expected = as_panel(prices.iloc[order]), as_panel(prices)
    np.testing.assert_array_equal(panel.values, expected.values)
    assert panel.index.equals(expected.index)


def test_channels_have_the_requested_order():
    panel = as_panel(with_fields(), target="Open", exog=["Volume", "Close"])
    assert panel.channels == ("Open", "Volume", "Close")
    for channel, seed in enumerate((1, 3, 2)):
        expected = closes(seed).round() if seed == 3 else closes(seed)
        np.testing.assert_array_equal(panel.values[:, :, channel], expected.to_numpy())


def test_exog_is_matched_by_ticker():
    prices = with_fields()
    panel = as_panel(prices[[*prices.columns[:-3], *prices.columns[:-4:-1]]], exog=["Volume"])  # volume of C, B, A
    assert panel.series == ("A", "B", "C")
    np.testing.assert_array_equal(panel.values[:, :, 1], closes(3).round())


# --- frozen ----------------------------------------------------------------------------------------------------------


def test_a_panel_cannot_be_changed():
    panel = as_panel(closes())
    with pytest.raises(FrozenInstanceError):
        panel.values = None
    for view in (panel, panel[2:5]):
        with pytest.raises(ValueError, match="read-only"):
            view.values[0, 0, 0] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            view.target[0, 0] = 1.0


@given(start=st.none() | st.integers(-20, 20), stop=st.none() | st.integers(-20, 20))
@pytest.mark.medium
def test_slicing_returns_a_view(start, stop):
    panel = as_panel(with_fields(), exog=["Volume"])
    part = panel[start:stop]
    np.testing.assert_array_equal(part.values, panel.values[start:stop])
    assert part.index.equals(panel.index[start:stop])
    assert len(part) == len(part.index)
    assert (part.series, part.channels) == (panel.series, panel.channels)
    if len(part):
        assert np.shares_memory(part.values, panel.values)


@pytest.mark.parametrize("rows", [3, [1, 2], slice(None, None, 2), slice(None, None, -1), (slice(3), 0)])
def test_only_a_slice_selects_rows(rows):
    with pytest.raises(TypeError, match=r"takes a slice of rows, such as panel\[:100\]; got"):
        as_panel(closes())[rows]


@pytest.mark.parametrize("shape", SHAPES)
def test_inputs_are_not_modified(shape):
    prices = SHAPES[shape]()
    if isinstance(prices, dict):
        prices = pd.DataFrame(prices)
    prices = prices.iloc[::-1]
    before = pickle.dumps(prices)
    panel = as_panel(prices)
    assert_frame_equal(prices, pickle.loads(before))
    assert not any(np.shares_memory(panel.values, column.to_numpy()) for _, column in prices.items())


def test_a_panel_copies_the_array():
    array = closes().to_numpy().copy()
    panel = as_panel(array)
    array[:] = 0.0
    np.testing.assert_array_equal(panel.target, closes().to_numpy())


# --- properties of a panel --------------------------------------------------------------------------------------------


def test_missing_counts_rows_between_trades():
    frame = closes()
    frame.loc[DATES[6:8], "C"] = np.nan  # C starts at row 4
    frame.loc[DATES[9:], "B"] = np.nan  # an end is no gap
    frame["never"] = np.nan
    panel = as_panel(frame)
    assert panel.missing().to_dict() == {"A": 0, "B": 0, "C": 2, "never": 0}
    np.testing.assert_array_equal(panel.observed, frame.notna().to_numpy())


def test_repr_shows_rows_dates_series_and_channels():
    assert repr(as_panel(closes())) == "Panel(12 rows, 2024-01-01 to 2024-01-16; 3 series; channels y)"
    assert "empty" in repr(as_panel(closes())[:0])


def test_dates_are_formatted_without_midnight():
    assert format_date(pd.Timestamp("2024-01-02")) == "2024-01-02"
    assert format_date(pd.Timestamp("2024-01-02 09:30")) == "2024-01-02 09:30:00"
    assert format_date(7) == "7"


def test_fields_are_split_by_canonical_names():
    assert list(split_fields(with_fields())) == ["Open", "Close", "Adj Close", "Volume"]
    assert list(split_fields(closes())) == ["y"]
    lower = with_fields().rename(columns={"Adj Close": "adj_close"}, level=0)
    assert_frame_equal(split_fields(lower)["Adj Close"], closes(), check_freq=False)


# --- invalid prices --------------------------------------------------------------------------------------------------


def cell(value, dtype=object):
    frame = closes().astype(dtype)
    frame.iloc[5, 1] = value
    return frame


INVALID = {
    "list": ([1.0, 2.0], TypeError, "must be a DataFrame, Series, array .* a mapping, .* got <class 'list'>"),
    "cube": (np.zeros((2, 2, 2)), TypeError, "array .T,. or .T, N."),
    "no rows": (closes()[:0], ValueError, "the prices are empty: 0 rows and 3 columns"),
    "no columns": (closes()[[]], ValueError, "the prices are empty: 12 rows and 0 columns"),
    "no series": ({}, ValueError, "the prices are empty"),
    "unobserved": (closes() * np.nan, ValueError, "contain no observed value"),
    "text": (cell("1,234.5"), ValueError, "column 'B' contains '1,234.5' at 2024-01-08; prices must be numbers"),
    "infinite": (
        cell(-np.inf, float),
        ValueError,
        "column 'B' contains an infinite value at 2024-01-08; leave the cell",
    ),
    "bool": (closes() > 3, ValueError, "column 'A' contains boolean values; prices must be numbers"),
    "dates": (
        pd.DataFrame({"B": DATES}),
        ValueError,
        "there are dates in 'B' but no prices",
    ),
    "same name": (closes().set_axis(["A", "B", "A"], axis=1), ValueError, "'A' appears more than once: give each"),
    "same date": (closes().set_axis([*DATES[:-1], DATES[3]]), ValueError, "2024-01-04 appears more than once among"),
    "no date": (
        closes().set_axis([*DATES[:-1], pd.NaT]),
        ValueError,
        "1 rows have no date: give each row one, or drop",
    ),
    "words": (
        closes().set_axis([*"abcdefghijkl"]),
        ValueError,
        "row label 'a' is not a date: rows need dates, or whole numbers",
    ),
    "long twice": (pd.concat([to_long(closes())] * 2), ValueError, "A has 2 rows at 2024-01-01 with the same"),
    "levels without a price": (
        with_fields()[["Open"]].rename_axis(columns=[None, None]),
        ValueError,
        "two-level columns need Close or Adj Close in one level",
    ),
}


@pytest.mark.filterwarnings("ignore:Could not infer format")
@pytest.mark.parametrize("case", INVALID)
def test_invalid_prices_raise(case):
    prices, kind, message = INVALID[case]
    with pytest.raises(kind, match=message):
        as_panel(prices)


CSV_FILES = {
    "dates first": "Date,A,B\n2024-01-02,1,4\n2024-01-03,2,5\n2024-01-04,3,6\n",
    "dates last": "A,B,Date\n1,4,2024-01-02\n2,5,2024-01-03\n3,6,2024-01-04\n",
    "no name": ",A,B\n2024-01-02,1,4\n2024-01-03,2,5\n2024-01-04,3,6\n",
    "another name": "when,A,B\n2024-01-02,1,4\n2024-01-03,2,5\n2024-01-04,3,6\n",
    "compact dates": "date,A,B\n20240102,1,4\n20240103,2,5\n20240104,3,6\n",
    "seconds": "time,A,B\n1704153600,1,4\n1704240000,2,5\n1704326400,3,6\n",
    "long": "date,ticker,close\n2024-01-02,A,1\n2024-01-03,A,2\n2024-01-04,A,3\n"
    "2024-01-02,B,4\n2024-01-03,B,5\n2024-01-04,B,6\n",
}


@pytest.mark.parametrize("text", CSV_FILES.values(), ids=CSV_FILES)
def test_a_table_of_read_csv_without_an_index_is_understood(text):
    panel = as_panel(pd.read_csv(StringIO(text)))
    assert list(panel.index) == list(pd.date_range("2024-01-02", periods=3))
    assert panel.series == ("A", "B")
    assert panel.target.tolist() == [[1, 4], [2, 5], [3, 6]]


def test_the_row_numbers_of_to_csv_are_no_series():
    table = pd.DataFrame({"Date": pd.date_range("2024-01-02", periods=30), "A": np.arange(30.0) % 7})
    with pytest.warns(PricesWarning, match="'Unnamed: 0' counts rows"):
        panel = as_panel(pd.read_csv(StringIO(table.to_csv())))
    assert panel.series == ("A",)
    assert panel.index[0] == pd.Timestamp("2024-01-02")


def test_a_date_of_read_csv_that_may_be_two_is_refused_with_a_remedy():
    table = pd.read_csv(StringIO("Date,A\n01/02/2024,1\n02/02/2024,2\n03/02/2024,3\n"))
    with pytest.raises(ValueError, match=r"pd.to_datetime\(dates, dayfirst=True\)"):
        as_panel(table)
    table["Date"] = pd.to_datetime(table["Date"], dayfirst=True)
    assert as_panel(table).index[0] == pd.Timestamp("2024-02-01")


def test_a_missing_field_raises():
    with pytest.raises(ValueError, match="no field 'High' to forecast; the prices have Open, Close, Adj Close, Volume"):
        as_panel(with_fields(), target="High")
    with pytest.raises(ValueError, match="no field 'High' to read as exog; the prices have Open"):
        as_panel(with_fields(), exog=["High"])
    invalid = with_fields().astype(object)
    invalid.loc[DATES[2], ("Volume", "B")] = "1.2M"
    assert isinstance(as_panel(invalid), Panel)  # the volume is not read
    with pytest.raises(ValueError, match=r"the column 'B' of Volume contains '1\.2M' at 2024-01-03"):
        as_panel(invalid, exog=["Volume"])


# --- several calendars ------------------------------------------------------------------------------------------------


def test_common_keeps_rows_where_all_series_traded():
    days = pd.date_range("2024-01-01", periods=14)
    coin = pd.Series(np.arange(14.0) + 1, index=days)
    stock = coin[coin.index.day_of_week < 5].drop(pd.Timestamp("2024-01-03"))
    prices = pd.DataFrame({"coin": coin, "stock": stock})
    union, common = as_panel(prices), as_panel(prices, how="common")
    assert len(union) == 14
    assert list(common.index) == list(stock.index)
    assert common.observed.all()
    assert not common.values.flags.writeable
    assert as_panel(union, how="common").index.equals(common.index)
    assert as_panel(common, how="common") is common


def test_no_common_row_raises():
    prices = pd.DataFrame({"a": [1.0, np.nan], "b": [np.nan, 1.0]})
    with pytest.raises(ValueError, match="no row where every series has a value"):
        as_panel(prices, how="common")
    with pytest.raises(ValueError, match="how must be 'all' or 'common'; got 'inner'"):
        as_panel(prices, how="inner")


def test_a_panel_keeps_the_attrs_of_its_prices():
    prices = pd.DataFrame({"a": [1.0, 2.0]})
    prices.attrs["source"] = "here"
    assert as_panel(prices)[:1].attrs == {"source": "here"}


@pytest.mark.parametrize("zones", [("America/New_York", "Asia/Tokyo"), ("UTC", "Asia/Tokyo")])
def test_rows_of_several_time_zones_are_days_or_refused(zones):
    days = [pd.bdate_range("2024-01-02", periods=10, tz=zone) for zone in zones]
    daily = pd.concat([pd.Series(range(10), days[0]), pd.Series(range(10, 20), days[1] + pd.Timedelta(days=14))])
    assert as_panel(daily.astype(float)).index[0] == pd.Timestamp("2024-01-02")
    hours = [pd.Series(range(10), index + pd.Timedelta(hours=9)) for index in days]
    with pytest.raises(
        ValueError, match=r"time zones (14|9) hours apart, so they are of several places: write all in UTC"
    ):
        as_panel(pd.concat(hours).astype(float))
    with pytest.raises(ValueError, match="some dates have a time zone and others none"):
        as_panel(pd.concat([hours[0], hours[1].tz_localize(None)]).astype(float))


def test_tickers_in_a_column_are_series_also_where_no_date_repeats():
    days = pd.bdate_range("2024-01-02", periods=20)
    rows = pd.DataFrame({"ticker": ["A", "B"] * 10, "Close": np.arange(20.0)}, index=days)
    assert as_panel(rows).series == ("A", "B")
    with pytest.raises(ValueError, match="'ticker' names several series, and the rows have no dates"):
        as_panel(rows.reset_index(drop=True))


def test_a_field_that_is_missing_as_exog_names_a_remedy():
    bars = pd.DataFrame({"Close": np.arange(5.0), "Volume": np.arange(5.0)})
    with pytest.raises(
        ValueError, match=r"to read as exog \(did you mean 'Volume'\?\); the prices have Close, Volume: read one"
    ):
        as_panel(bars, exog=["Volum"])
    with pytest.raises(ValueError, match="the prices are one value of each series, without fields: give prices that"):
        as_panel(pd.DataFrame({"A": np.arange(5.0), "B": np.arange(5.0)}), exog=["Volume"])


def test_columns_of_a_long_table_are_its_series():
    days = pd.bdate_range("2024-01-02", periods=4)
    long = pd.DataFrame({"unique_id": ["A"] * 4 + ["B"] * 4, "ds": [*days, *days], "y": np.arange(8.0)})
    assert as_panel(long, columns=["B"]).target[:, 0].tolist() == [4.0, 5.0, 6.0, 7.0]
    assert as_panel(long, columns=["B", "A"]).series == ("B", "A")
    with pytest.raises(ValueError, match="there is no column 'C'; the prices have A, B"):
        as_panel(long, columns=["C"])


@pytest.mark.parametrize("rows", [2, 3, 10, 30])
@pytest.mark.parametrize("order", [1, -1])
def test_row_numbers_that_pandas_has_written_are_no_series(rows, order):
    """`to_csv` writes the labels of the rows, which `read_csv` names "Unnamed: 0"; `reset_index` names them "index"."""
    table = pd.DataFrame({"A": 100 + np.arange(rows) ** 1.5, "B": 50 - np.sqrt(np.arange(rows))})
    for name, numbers in (("Unnamed: 0", np.arange(rows)), ("index", 1 + np.arange(rows))):
        numbered = table[::order].reset_index(drop=True)
        numbered.insert(0, name, numbers)
        numbered.insert(1, "Date", pd.date_range("2024-01-01", periods=rows)[::order])
        with pytest.warns(PricesWarning, match=f"the column '{name}' counts rows"):
            panel = as_panel(numbered)
        assert panel.series == ("A", "B")
    numbered["index"] = 100 + np.arange(rows) ** 2.0
    assert "index" in as_panel(numbered).series
