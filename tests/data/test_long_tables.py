"""Long tables: the column that names the series, or the fields of instruments, or what each row measures."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from forecast.data.files import read_prices
from forecast.data.panel import as_panel
from forecast.data.series import UnclearColumnsError

N = 60
DATES = pd.bdate_range("2021-03-01", periods=N, name="date")


def bars(seed=0):
    """Return the bars of one instrument."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(0.01 * rng.standard_normal(N).cumsum())
    opening = np.r_[close[0], close[:-1]] * np.exp(0.003 * rng.standard_normal(N))
    high, low = np.maximum(opening, close) * 1.004, np.minimum(opening, close) * 0.996
    volume = np.round(1e6 * np.exp(0.5 * rng.standard_normal(N)))
    columns = {"open": opening, "high": high, "low": low, "close": close, "volume": volume}
    return pd.DataFrame(columns, index=DATES).round(2)


BARS = bars()


def melt(table, var="field", value="value", **columns):
    """Return a table with a row per date and column of a wide one, with further columns."""
    return table.reset_index().melt("date", var_name=var, value_name=value).assign(**columns)


def stack(*tables, **columns):
    return pd.concat([table.assign(**columns) for table in tables], ignore_index=True)


def read_both(table, folder, **options):
    """Return the prices that a table is read as from a file, and the panel that it is read as in Python."""
    path = folder / "x.csv"
    table.to_csv(path, index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prices, panel = read_prices(path, **options), as_panel(table, **options)
    np.testing.assert_array_equal(panel.target, prices.to_numpy())
    return prices, panel


ONE = {
    "bars": melt(BARS),
    "a close and a volume": melt(BARS[["close", "volume"]], "variable"),
    "capitals": melt(BARS.rename(columns=str.upper), "ITEM"),
    "an unknown name of the column": melt(BARS, "foo"),
    "a counter": melt(BARS, n=range(5 * N)),
    "an unknown field": melt(BARS.assign(depth=BARS.volume / 7), "metric"),
    "a unit of each field": melt(BARS).assign(unit=np.repeat(["USD"] * 4 + ["shares"], N)),
    "shuffled": melt(BARS).sample(frac=1, random_state=0),
}


@pytest.mark.parametrize("case", ONE)
def test_rows_of_fields_are_one_instrument(case, tmp_path):
    prices, panel = read_both(ONE[case], tmp_path)
    assert prices.shape == (N, 1)
    np.testing.assert_array_equal(prices.iloc[:, 0], BARS.close)
    assert panel.attrs["field"] == "Close"
    volume, _ = read_both(ONE[case], tmp_path, target="volume" if "close" in case else "Volume")
    np.testing.assert_array_equal(volume.iloc[:, 0], BARS.volume)


@pytest.mark.parametrize("name", ["symbol", "name", "foo", "permno"])
def test_rows_of_fields_and_instruments_are_several(name, tmp_path):
    names = (10107, 14593) if name == "permno" else ("AAA", "BBB")
    table = stack(*(melt(bars(seed)).assign(**{name: label}) for seed, label in enumerate(names)))
    prices, _ = read_both(table, tmp_path)
    assert list(prices) == list(map(str, names))
    np.testing.assert_array_equal(prices, np.column_stack([bars(0).close, bars(1).close]))


def test_tickers_are_no_names_of_fields(tmp_path):
    for var in ("ticker", "name"):
        prices, _ = read_both(melt(BARS[["open", "close"]].set_axis(["LOW", "NET"], axis=1), var), tmp_path)
        assert list(prices) == ["LOW", "NET"]


@pytest.mark.parametrize("var", ["side", "foo"])
def test_rows_of_bids_and_offers_are_a_question(var, tmp_path):
    quotes = BARS[["low", "high"]].set_axis(["bid", "ask"], axis=1)
    table = melt(quotes, var)
    with pytest.raises(UnclearColumnsError, match=r"there are bids and offers.*target='bid'"):
        as_panel(table)
    prices, _ = read_both(table, tmp_path, target="ask")
    np.testing.assert_array_equal(prices.iloc[:, 0], quotes.ask)


CHANGE = pd.DataFrame({"I15": BARS.close, "PCH_PRE": BARS.close.pct_change().fillna(0) * 100})
MEASURES = {
    "unit": melt(CHANGE, "unit", "OBS_VALUE"),
    "Session(AM/PM)": melt(BARS[["open", "close"]].set_axis(["AM", "PM"], axis=1), "Session(AM/PM)", "Price"),
    "type": melt(BARS[["open", "close"]].set_axis([1, 2], axis=1), "type").astype({"type": int}),
}


@pytest.mark.parametrize("name", MEASURES)
def test_rows_of_several_measures_are_refused(name, tmp_path):
    table = MEASURES[name]
    values = ", ".join(map(str, table[name].unique()))
    path = tmp_path / "x.csv"
    table.to_csv(path, index=False)
    for call in (lambda: as_panel(table), lambda: read_prices(path)):
        with pytest.raises(ValueError, match=r"the column '.*' separates the rows by what they measure") as caught:
            call()
        assert repr(name) in str(caught.value)
        assert values in str(caught.value)
    prices, _ = read_both(table.rename(columns={name: "unique_id"}), tmp_path)
    assert prices.shape == (N, 2)


@pytest.mark.parametrize(("column", "what"), [("returns", "returns"), ("volume", "a volume")])
def test_prices_next_to_another_kind_are_refused(column, what):
    table = melt(pd.DataFrame({"A": BARS.close, "B": BARS.volume if column == "volume" else CHANGE.PCH_PRE}), "foo")
    with pytest.raises(ValueError, match=f"the column 'foo' separates.*'B' looks like {what}.*A, B"):
        as_panel(table)
    assert as_panel(table.rename(columns={"foo": "geo"})).series == ("A", "B")  # named as an id


@pytest.mark.parametrize("number", [np.arange(2 * N), 1000 + 7 * np.arange(2 * N), np.tile(np.arange(N), 2)])
@pytest.mark.parametrize("shops", [(1, 2), ("a", "b")])
def test_a_counter_is_no_value_of_a_long_table(number, shops, tmp_path):
    sales = [np.round(bars(seed).close) for seed in (0, 1)]
    parts = [pd.DataFrame({"date": DATES, "store": shop, "sales": y}) for shop, y in zip(shops, sales, strict=True)]
    table = stack(*parts)
    table.insert(0, "id", number)
    prices, panel = read_both(table, tmp_path)
    np.testing.assert_array_equal(prices, np.column_stack(sales))
    assert any("'id' " in note and "left out" in note for note in panel.attrs["notes"])


@pytest.mark.parametrize("names", [["open", "high", "low", "volume"], ["id", "volume"], ["High", "Low"]])
def test_no_example_of_a_question_is_a_column_without_prices(names):
    question = "why; the columns are .*: target must name the one to forecast, or columns must list several"
    assert re.fullmatch(question, str(UnclearColumnsError("why", names)))
    text = str(UnclearColumnsError("why", [*names, "foo", "Last"]))
    assert "target='Last', or several with columns=['Last', 'foo']" in text


@pytest.mark.parametrize("names", [["Close", "RSI"], ["RSI", "Close"], ["humidity", "Price", "pressure"]])
def test_the_example_of_a_question_is_the_column_that_is_called_a_price(names):
    frame = pd.DataFrame({name: bars(i).close for i, name in enumerate(names)}, index=DATES)
    price = next(name for name in names if name in ("Close", "Price"))
    with pytest.raises(
        UnclearColumnsError, match=f"'{price}' is called a price.*: choose one to forecast with target='{price}'"
    ):
        as_panel(frame)


def sales(**keys):
    """Return a long table of a shop's sales with these columns in front, each a list with an entry for each series."""
    days = pd.date_range("2023-01-02", periods=N).strftime("%Y-%m-%d")
    rng = np.random.default_rng(0)
    names = [dict(zip(keys, values, strict=True)) for values in zip(*keys.values(), strict=True)]
    tables = [
        pd.DataFrame({**name, "day": days, "sales": (100 + rng.normal(0, 3, N).cumsum()).round(1)}) for name in names
    ]
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("column", ["shop", "store", "sku", "region", "shop_no", "customer_id", "StoreNbr"])
def test_numbers_of_series_name_them_where_dates_are_missing(column, tmp_path):
    table = sales(**{column: [101, 102, 205]}).iloc[:-7]
    for order in (table, table[table.columns[::-1]], table.sample(frac=1, random_state=0)):
        prices, panel = read_both(order, tmp_path)
        assert sorted(prices) == ["101", "102", "205"]
        assert f"the series are named by the column '{column}'" in panel.attrs["notes"]
    with pytest.raises(UnclearColumnsError, match=r"choose one to forecast with target='sales'$"):
        as_panel(table.assign(visitors=np.arange(len(table)) % 37))  # columns= would not choose a field
    several, _ = read_both(table.assign(visitors=np.arange(len(table)) % 37), tmp_path, target="sales")
    np.testing.assert_array_equal(several, prices[list(several)])


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({"store": list("AABB"), "sku": ["tea", "milk"] * 2}, ["A/milk", "A/tea", "B/milk", "B/tea"]),
        ({"store": [1, 1, 2, 2], "item": [7, 8] * 2}, ["1/7", "1/8", "2/7", "2/8"]),
        ({"city": list("xxyy"), "store_id": [1, 2] * 2}, ["x/1", "x/2", "y/1", "y/2"]),
        (
            {"area": list("xxyy"), "store": [1, 1, 2, 2], "sku": ["tea", "milk"] * 2, "country": ["DE"] * 4},
            ["x/milk", "x/tea", "y/milk", "y/tea"],
        ),
        (
            {"a": list("xxxxyyyy"), "b": list("mmnnmmnn"), "c": list("pqpqpqpq")},
            [f"{a}/{b}/{c}" for a in "xy" for b in "mn" for c in "pq"],
        ),
    ],
)
def test_several_columns_name_the_series_if_only_they_separate_the_rows(keys, names, tmp_path):
    prices, panel = read_both(sales(**keys), tmp_path)
    assert sorted(prices) == names
    assert any(note.startswith("the series are named by the columns '") for note in panel.attrs["notes"])


def test_columns_that_separate_the_rows_in_different_ways_are_a_question(tmp_path):
    table = sales(store=list("AABB"), sku=["tea", "milk"] * 2)
    is_ann = (table["sku"] == "tea") ^ (pd.to_datetime(table["day"]).dt.day % 2 == 0)
    table["clerk"] = np.where(is_ann, "Ann", "Bob")
    with pytest.raises(ValueError, match="'store' and 'sku' together separate the rows, as do 'store' and 'clerk'"):
        as_panel(table)
    versions = sales(store=list("AABB"), revision=["first", "final"] * 2)
    with pytest.raises(ValueError, match="'revision' separates the rows into versions"):
        as_panel(versions)
