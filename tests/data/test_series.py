"""Which columns of a table are series: tickers stay apart, an instrument's bars are one, counters and volumes none."""

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.layouts import random_walk

from forecast.data.files import read_prices
from forecast.data.panel import PricesWarning, UnclearColumnsError, as_panel
from forecast.data.targets import make_target

BARS = random_walk()
OTHER = random_walk(seed=5)


def walk(seed, scale=100.0, size=0.01):
    return scale * np.exp(np.random.default_rng(seed).normal(0, size, len(BARS)).cumsum())


def table(**columns):
    return pd.DataFrame({name.replace("__", " "): np.asarray(c) for name, c in columns.items()}, index=BARS.index)


def walks(*names, size=0.01):
    return table(**{name: walk(i, 20.0 * (i + 1), size) for i, name in enumerate(names)})


def write(folder, frame, name="prices.csv"):
    frame.rename_axis("Date").to_csv(folder / name)
    return folder / name


# --- tables of several series ----------------------------------------------------------------------------------------

WIDE = {
    "tickers": walks("AAPL", "MSFT", "IBM"),
    "a ticker that is a word": walks("LOW", "HD", "WMT"),
    "tickers that are words": walks("LOW", "OPEN", "HIGH"),
    "tickers of one letter": walks("C", "H", "L", "O", "V"),
    "tickers that are words elsewhere": walks("NET", "SON", "MO", "BID", "MID"),
    "tickers of bars and others": walks("OPEN", "HIGH", "LOW", "CLOS", "VOL"),
    "currencies": walks("USD", "JPY", "GBP", "KRW", size=0.005),
    "coins": table(BTC=walk(1, 43_000, 0.03), DOGE=walk(2, 0.08, 0.05)),
    "statistics": table(GDP=walk(1, 20_000, 0.005), CPI=walk(2, 250, 0.002), UNRATE=walk(3, 5, 0.02)),
    "weather": table(**{"Max Temp": BARS.high, "Min Temp": BARS.low, "Mean Temp": BARS.price}),
    "a ticker without a close": walks("AAPL Close", "MSFT Close", "VIX High"),
    "opinions": pd.DataFrame(
        np.random.default_rng(0).poisson((12, 7, 3), (260, 3)).astype(float), BARS.index, ["buy", "hold", "sell"]
    ),
    "counts": pd.DataFrame(np.random.default_rng(0).poisson(5, (260, 3)).astype(float), BARS.index, ["a", "b", "c"]),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", WIDE)
def test_a_wide_table_is_read_without_a_question(name, tmp_path):
    panel = as_panel(WIDE[name])
    assert panel.series == tuple(WIDE[name])
    assert "notes" not in panel.attrs
    assert list(read_prices(write(tmp_path, WIDE[name]))) == list(WIDE[name])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["{} Rate", "{} Price", "{} Close", "Price {}", "close_{}"])
@pytest.mark.parametrize("instruments", [("USD", "EUR"), ("USD", "EUR", "GBP"), ("Oil", "Gas")])
def test_one_field_of_several_instruments_is_no_question(name, instruments, tmp_path):
    frame = walks(*map(name.format, instruments), size=0.005)
    for panel in (as_panel(frame), as_panel(read_prices(write(tmp_path, frame)))):
        assert panel.series == instruments
        np.testing.assert_array_equal(panel.target, frame)


def parallel_series(seed):
    """Return series that move alike: tickers, funds of one index, yields by maturity, zones, brokers' quotes."""
    rng = np.random.default_rng(seed)
    n, rows, kind = int(rng.integers(4, 9)), int(rng.choice([15, 40, 120])), seed % 5
    common, own = rng.normal(0, 1, (rows, 1)).cumsum(0), rng.normal(0, 1, (rows, n))
    values = [
        100 * np.exp(0.01 * (common + own.cumsum(0))) * rng.uniform(0.01, 50, n),
        100 * np.exp(0.01 * (common + 0.1 * own.cumsum(0))),
        2 + 0.05 * common + np.linspace(0, 2, n) * rng.uniform(0, 1) + 0.02 * own.cumsum(0),
        50 + 10 * rng.normal(0, 1, (rows, 1)) + common + np.maximum(0, own),
        np.round(1.1 * np.exp(0.005 * common + 0.0002 * own), 5),
    ][kind]
    return pd.DataFrame(values, pd.bdate_range("2020-01-01", periods=rows), [f"Z{i}" for i in range(n)])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "name", ["Interest rate", "Money base", "Industrial production, percent of 2015", "Prior index"]
)
def test_a_word_of_a_name_leaves_no_series_out(name):
    assert as_panel(walks("GDP", "CPI").assign(**{name: walk(7)})).series == ("GDP", "CPI", name)


@pytest.mark.filterwarnings("error")
@pytest.mark.medium
def test_series_that_move_alike_are_no_bars():
    for seed in range(200):
        frame = parallel_series(seed)
        assert as_panel(frame).series == tuple(frame), seed


def test_series_of_a_table_that_was_read_do_not_depend_on_its_rows(tmp_path):
    frame = walks("AAPL", "MSFT", "IBM")
    frame.iloc[:30, 1] = 7.0
    prices = read_prices(write(tmp_path, frame))
    assert as_panel(prices[:200]).series == as_panel(prices).series == tuple(frame)


# --- one instrument --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(30))
def test_bars_are_found_by_their_numbers(seed):
    bars = random_walk(rows=[20, 60, 260][seed % 3], seed=seed)
    names = np.random.default_rng(seed).permutation(["open", "high", "low", "price", "volume"])
    frame = bars[names].set_axis(["Aa", "Bb", "Cc", "Dd", "Ee"], axis=1)
    panel = as_panel(frame[::-1] if seed % 2 else frame)
    np.testing.assert_array_equal(panel.target[:, 0], bars["price"])
    assert panel.attrs["field"] == "Close"
    assert "is read as Close, by the values" in panel.attrs["notes"][0]


ONE = {
    "price and volume": table(Price=BARS.price, Volume=BARS.volume),
    "price and returns": table(Price=BARS.price, Return=BARS.percent),
    "no volume": table(Open=BARS.open, High=BARS.high, Low=BARS.low, Close=BARS.price),
    "odd order": BARS[["volume", "price", "low", "open"]].rename(columns={"price": "close"}),
    "adjusted close alone": table(Adj__Close=BARS.price, Volume=BARS.volume),
    "a close in another language": BARS[["open", "high", "low"]].assign(Uusin=BARS.price),
    "indicators": BARS[["open", "high", "low"]].assign(close=BARS.price, sma=BARS.average, rsi=50.0),
    "settlement": table(Last=BARS.average, Settle=BARS.price, Volume=BARS.volume, Open__Interest=BARS.volume),
    "bid, ask and last": table(Bid=BARS.bid, Ask=BARS.ask, Last=BARS.price),
    "bid, ask and middle": table(Bid=BARS.bid, Ask=BARS.ask, Mid=BARS.price),
    "mean price": table(VWAP=BARS.price, Volume=BARS.volume),
    "letters": BARS[["open", "high", "low", "price", "volume"]].set_axis(list("ohlcv"), axis=1),
    "capitals": BARS[["open", "high", "low", "price"]].set_axis(["OUV", "HAUT", "BAS", "CLOT"], axis=1),
}


@pytest.mark.parametrize("name", ONE)
def test_one_instrument_is_one_series(name):
    panel = as_panel(ONE[name])
    assert panel.target.shape == (len(BARS), 1)
    np.testing.assert_array_equal(panel.target[:, 0], BARS["price"])


SIDE_BY_SIDE = {
    "ticker first": ["AAPL Close", "MSFT Close"],
    "field first": ["Close_AAPL", "Close_MSFT"],
    "as pairs": ["('Close', 'AAPL')", "('Close', 'MSFT')"],
}


@pytest.mark.parametrize("names", SIDE_BY_SIDE.values(), ids=SIDE_BY_SIDE)
def test_two_instruments_side_by_side(names):
    frame = pd.concat([BARS.price, OTHER.price, BARS.volume, OTHER.volume], axis=1)
    frame.columns = [*names, *(name.replace("Close", "Volume") for name in names)]
    panel = as_panel(frame, exog=["Volume"])
    assert (panel.series, panel.channels) == (("AAPL", "MSFT"), ("Close", "Volume"))
    np.testing.assert_array_equal(panel.target, np.column_stack([BARS.price, OTHER.price]))


ADJUSTED = (
    *("adjclose", "closeadj", "AdjustmentClose", "Adjusted", "AdjClose", "ADJ_CLOSE", "adjustedclose", "priceadj"),
    *("Close (adj)", "adj. closing price", "Total Return Close"),
)


@pytest.mark.parametrize("name", ADJUSTED)
@pytest.mark.parametrize("other", ["close", "closeunadj"])
def test_the_adjusted_close_is_forecast_however_it_is_written(name, other, tmp_path):
    frame = BARS[["open", "high", "low"]].assign(**{other: BARS.price * 4, "volume": BARS.volume, name: BARS.price})
    for panel in (as_panel(frame), as_panel(read_prices(write(tmp_path, frame)))):
        np.testing.assert_array_equal(panel.target[:, 0], BARS["price"])
        assert panel.attrs["field"] == "Adj Close"


@pytest.mark.parametrize("name", ["closeunadj", "Unadjusted Close", "Adjustment", "AdjustmentFactor", "adjustflag"])
def test_a_column_that_is_not_adjusted_is_no_adjusted_close(name):
    panel = as_panel(BARS[["open", "high", "low"]].assign(**{"close": BARS.price, name: BARS.price * 4}))
    np.testing.assert_array_equal(panel.target[:, 0], BARS["price"])
    assert "notes" not in panel.attrs


@pytest.mark.parametrize("name", ["Split Adj Close", "Close gross return", "CloseReturnAdjusted2"])
def test_a_close_that_may_be_adjusted_is_not_passed_over_in_silence(name):
    panel = as_panel(BARS[["open", "high", "low"]].assign(**{"close": BARS.price, name: BARS.price * 4}))
    np.testing.assert_array_equal(panel.target[:, 0], BARS["price"])
    assert panel.attrs["notes"] == [
        f"the column {name!r} may be an adjusted close and is not read as one: choose it by its name to forecast it"
    ]


# --- what is left out ------------------------------------------------------------------------------------------------

LEFT_OUT = {
    "counter": (BARS.number, "counts rows (1 to 260)"),
    "counter, newest first": (BARS.number.to_numpy()[::-1], "counts rows (1 to 260)"),
    "year": (BARS.index.year, "repeats the dates"),
    "day of the week": (BARS.index.day_of_week, "repeats the dates"),
    "epoch": (BARS.index.as_unit("s").asi8, "repeats the dates"),
    "constant": (np.full(len(BARS), 3.0), "is 3 in every row"),
    "currency": (["USD"] * len(BARS), "contains 'USD'"),
    "code": (["US0378331005"] * len(BARS), "contains 'US0378331005'"),
    "dates": (BARS.index, "contains 2021-03-01"),
    "flags": (BARS.index.day_of_week == 4, "contains False"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_a_column_that_is_no_series_is_left_out_with_a_note(case, tmp_path):
    values, reason = LEFT_OUT[case]
    frame = table(AAPL=BARS.price, MSFT=OTHER.price)
    frame.insert(1, "further", values)
    with pytest.warns(PricesWarning, match="the column 'further'"):
        panel = as_panel(frame)
    assert panel.series == ("AAPL", "MSFT")
    assert panel.attrs["notes"] == [f"the column 'further' {reason} and is left out"]
    with pytest.warns(PricesWarning, match="the column 'further'"):
        prices = read_prices(write(tmp_path, frame))
    assert list(prices) == ["AAPL", "MSFT"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert as_panel(prices).attrs["notes"] == prices.attrs["notes"]


DAYS = BARS.index
ROW = np.arange(len(BARS))
NO_SERIES = {
    "equal steps": 10 + 10 * ROW,
    "equal steps from afar": 1000 + 7 * ROW,
    "counter down": ROW[::-1],
    "counter in fractions": ROW / 1000,
    "counter and a half": ROW + 0.5,
    "rounded steps": np.round(3 + 1.2345 * ROW, 2),
    "days to expiry": (DAYS[-1] - DAYS).days + 5,
    "days since": (DAYS - DAYS[0]).days,
    "decimal year": np.round(DAYS.year + (DAYS.day_of_year - 1) / 365, 4),
    "date of a spreadsheet": (DAYS - pd.Timestamp("1899-12-30")).days,
    "weekday, Monday first": DAYS.day_of_week + 1,
    "weekday, Sunday first": (DAYS.day_of_week + 1) % 7 + 1,
    "year of two digits": DAYS.year % 100,
    "year and month": DAYS.year * 100 + DAYS.month,
    "year and week": DAYS.isocalendar().year * 100 + DAYS.isocalendar().week,
    "year and quarter": DAYS.year * 10 + DAYS.quarter,
    "day of trading": pd.Series(1, DAYS).groupby(DAYS.to_period("M")).cumsum(),
    "days in the month": DAYS.days_in_month,
}


@pytest.mark.parametrize("price", ["AAPL", "Spot"])
@pytest.mark.parametrize("case", NO_SERIES)
def test_a_counter_or_a_part_of_the_date_is_no_series_next_to_a_price(case, price):
    frame = table(**{price: BARS.price, "Foo": NO_SERIES[case]})
    for rows in (frame, frame[::-1]):
        with pytest.warns(PricesWarning, match="the column 'Foo' (counts|repeats)"):
            assert as_panel(rows).series == (price,)


def random_wide_table(seed):
    """Return tickers, rates, indices of economies, prices of goods or simulated series, and what is rare in them."""
    rng = np.random.default_rng(seed)
    kind, n = seed % 5, int(rng.integers(2, 10))
    rows = int(rng.choice([25, 60, 120, 300]))
    walk = rng.normal(0, 1, (rows, n)).cumsum(0)
    values = [
        np.round(rng.uniform(5, 400, n) * np.exp(0.02 * walk), 2),
        np.round(np.abs(2 + rng.uniform(0, 3, n) + 0.2 * walk), 2),
        np.round(100 * np.exp(0.02 * np.arange(rows)[:, None] + 0.01 * walk), 1),
        np.round(rng.uniform(500, 9000, n) * np.exp(0.02 * walk)),
        [walk, rng.normal(0, 1, (rows, n)), np.sin(np.arange(rows)[:, None] / 7 + rng.uniform(0, 3, n)) + 2][seed % 3],
    ][kind]
    if kind == 1:  # central banks change a rate from time to time
        values = values[np.arange(rows) // 12 * 12]
    dates = pd.date_range("1800-01-01", periods=rows, freq=["B", "MS", "YS", "W", "D"][kind])
    return pd.DataFrame(values, dates, [f"S{i}" for i in range(n)])


@pytest.mark.filterwarnings("error")
@pytest.mark.medium
def test_a_random_wide_table_loses_no_series_and_is_no_question():
    for seed in range(400):
        frame = random_wide_table(seed)
        assert as_panel(frame).series == tuple(frame), seed


def economies(**further):
    rng = np.random.default_rng(3)
    values = 100 * np.exp(0.02 * np.arange(40)[:, None] + rng.normal(0, 0.01, (40, 4)).cumsum(0))
    dates = pd.date_range("1980", periods=40, freq="YS")
    return pd.DataFrame(values.round(1), dates, ["FR", "DE", "IT", "ES"]).assign(**further)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [110.0 + np.arange(40), np.full(40, 130.0), np.arange(40) * 2 + 100])
def test_a_constant_or_a_line_among_many_like_it_is_a_series(values):
    frame = economies(PT=values)
    assert as_panel(frame).series == tuple(frame)


@pytest.mark.parametrize(
    "further",
    [
        {"PT": np.arange(40) + 1},
        {"PT": np.arange(40) + 5000},
        {"PT": np.full(40, 0.0)},
        {"Area code": np.full(40, 130.0)},
        {"id": np.arange(40) + 110},
        {"PT": np.arange(40) + 1980},
    ],
)
def test_an_identifier_among_many_series_is_left_out(further):
    with pytest.warns(PricesWarning, match="is left out"):
        assert as_panel(economies(**further)).series == ("FR", "DE", "IT", "ES")


@pytest.mark.filterwarnings("error")
def test_a_growing_population_is_a_series_next_to_a_price_level():
    frame = economies()[["FR"]].assign(Population=(5e7 * 1.007 ** np.arange(40)).round())
    assert as_panel(frame).series == ("FR", "Population")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [BARS.number, np.full(len(BARS), 2.0), BARS.volume])
def test_the_only_column_is_a_series(values):
    np.testing.assert_array_equal(as_panel(table(x=values)).target[:, 0], values)


@pytest.mark.filterwarnings("error")
def test_arrays_are_read_as_they_are():
    array = np.column_stack([BARS.number, BARS.price, BARS.volume])
    assert as_panel(array).target.shape == array.shape


@pytest.mark.filterwarnings("error")
def test_a_mapping_is_read_as_it_is_unless_its_names_are_those_of_bars():
    assert as_panel({"flat": np.full(20, 7.0), "up": np.arange(20.0)}).series == ("flat", "up")
    panel = as_panel({"Open": BARS.open, "Close": BARS.price, "Volume": BARS.volume})
    np.testing.assert_array_equal(panel.target[:, 0], BARS.price)


def test_a_counter_is_no_series_next_to_a_volume_alone():
    with pytest.warns(PricesWarning, match=r"'S\.No' counts rows"):
        assert as_panel(pd.DataFrame({"S.No": BARS.number, "Volume": BARS.volume})).series == ("Volume",)


def test_a_volume_is_no_series_among_tickers():
    with pytest.warns(PricesWarning, match="'Volume' is no price"):
        assert as_panel(walks("AAPL", "MSFT").assign(Volume=BARS.volume)).series == ("AAPL", "MSFT")


# --- questions -------------------------------------------------------------------------------------------------------

UNCLEAR = {
    "bid and ask": table(Bid=BARS.bid, Ask=BARS.ask),
    "letters of bid and ask": BARS[["bid", "bid", "ask", "ask"]].set_axis(["bid.o", "bid.c", "ask.o", "ask.c"], axis=1),
    "highs and lows": table(High=BARS.high, Low=BARS.low),
    "an open and what is no price": pd.DataFrame({"Open": BARS.open, "Traded volume": BARS.volume}),
    "bars of bid and ask": table(BidOpen=BARS.bid, BidClose=BARS.bid, AskOpen=BARS.ask, AskClose=BARS.ask),
    "closes in two currencies": table(**{"close (USD)": BARS.price, "close (CNY)": BARS.price * 7, "open": BARS.open}),
    "a price and unknown columns": table(Price=BARS.price, Load=walk(3), Wind=walk(4)),
    "a volume of unknown name": table(Aaa=BARS.price, Bbb=BARS.volume),
    "returns of unknown name": table(Aaa=BARS.price, Bbb=BARS.percent),
    "bars without a close": BARS[["open", "high", "low", "volume"]],
    "bars and a mean of unknown name": BARS[["open", "high", "low", "price", "average"]].set_axis(
        list("pqrst"), axis=1
    ),
    "bars of two, unnamed": pd.concat([BARS, OTHER], axis=1)[["open", "high", "low", "price"]].set_axis(
        [f"x{i}" for i in range(8)], axis=1
    ),
}


EXTRAS = {
    "Foo": np.random.default_rng(0).integers(1, 40, len(BARS)).cumsum(),
    "Foo, falling": -np.random.default_rng(0).integers(1, 40, len(BARS)).cumsum() + 100_000,
    "flag": np.random.default_rng(0).random(len(BARS)) < 0.1,
    "grade": np.random.default_rng(0).integers(1, 6, len(BARS)),
    "trend": BARS.price.rolling(20, min_periods=1).mean().round(4),
    "trend, to two decimals": BARS.price.rolling(50).mean().round(2),
    "smooth": BARS.price.ewm(span=12, adjust=False).mean().round(4),
    "before": BARS.price.shift(1, fill_value=100.0),
    "in a week": BARS.price.shift(-5),
    "logarithm": np.log(BARS.price).round(6),
    "difference": BARS.price.diff().round(4),
    "gain": (100 * BARS.price.pct_change()).round(3),
    "SMA20": BARS.average,
    "RSI": 50 + 10 * np.sin(ROW / 9),
    "OBV": BARS.volume.cumsum(),
    "BB upper": BARS.price * 1.1 + 3,
    "AAPL_lag1": BARS.average,
    "target": BARS.average,
}
UNCLEAR |= {
    f"a price and {name}": table(AAPL=BARS.price, **{name: np.asarray(values, dtype=float)})
    for name, values in EXTRAS.items()
}


#: Columns that are no series of the table, whatever the number of its tickers.
NEXT_TO_TICKERS = {
    name: EXTRAS[name]
    for name in ("Foo", "flag", "grade", "trend", "smooth", "before", "logarithm", "difference", "gain")
}
NEXT_TO_TICKERS |= {
    "RSI": 50 + 400 * BARS.price.pct_change().fillna(0).ewm(span=14).mean(),
    "SMA20": BARS.average,
    "ATR": (BARS.high - BARS.low).rolling(14).mean(),
    "rsi_14": 50 + 10 * np.sin(ROW / 9),
    "Traded": BARS.volume,
}


@pytest.mark.parametrize("name", NEXT_TO_TICKERS)
@pytest.mark.parametrize("n", [2, 5, 14, 40])
def test_a_column_that_is_no_price_is_a_question_next_to_any_number_of_tickers(name, n):
    tickers = walks(*(f"T{i:02d}" for i in range(n - 1))).assign(AAPL=BARS.price)
    assert as_panel(tickers).series == tuple(tickers)
    with pytest.raises(UnclearColumnsError, match=f"^'{name}' "):
        as_panel(tickers.assign(**{name: np.asarray(NEXT_TO_TICKERS[name], dtype=float)}))


@pytest.mark.filterwarnings("error")
def test_tickers_that_are_called_like_indicators_are_series_of_a_wide_table():
    frame = walks("AAPL", "MSFT", "RSI", "MA", "BB", "ATR")
    assert as_panel(frame).series == tuple(frame)
    assert as_panel(walks("Walmart", "Target", "Signal")).series == ("Walmart", "Target", "Signal")


@pytest.mark.parametrize("case", UNCLEAR)
def test_what_is_not_clear_is_a_question_with_choices(case, tmp_path):
    frame = UNCLEAR[case]
    with pytest.raises(UnclearColumnsError, match=r"the columns are .*target(='| must).*columns(=\['| must)") as caught:
        as_panel(frame)
    assert all(repr(name) in str(caught.value) for name in frame)
    path = write(tmp_path, frame)
    with pytest.raises(ValueError, match=r"^prices\.csv: .*the columns are"):
        read_prices(path)
    name, *others = list(frame)[::-1]
    for panel in (as_panel(frame, target=name), as_panel(read_prices(path, target=name))):
        np.testing.assert_array_equal(panel.target[:, 0], frame[name])
        assert panel.attrs["field"] in (name, name.title())
    for panel in (as_panel(frame, columns=[name, *others]), as_panel(read_prices(path, columns=[name, *others]))):
        assert panel.series == (name, *others)
        np.testing.assert_array_equal(panel.target, frame[[name, *others]])


# --- columns that are requested --------------------------------------------------------------------------------------

INVESTING = (
    '"Date","Price","Open","High","Low","Vol.","Change %"\n'
    '"07/14/2023","1,806.00","1,808.70","1,814.70","1,802.70","0.85M","0.12%"\n'
    '"07/13/2023","1,823.10","1,856.40","1,857.90","1,821.00","730.5K","-1.50%"\n'
)


def test_any_column_is_chosen_by_its_own_name(tmp_path):
    path = tmp_path / "gold.csv"
    path.write_text(INVESTING)
    for name in ("Price", "Close", "price"):
        assert read_prices(path, target=name)["gold"].tolist() == [1823.1, 1806.0]
    assert read_prices(path, target="Vol.")["gold"].tolist() == [730_500.0, 850_000.0]
    chosen = read_prices(path, columns=["Change %", "Open"])
    assert chosen.to_dict("list") == {"Change %": [-1.5, 0.12], "Open": [1856.4, 1808.7]}
    assert as_panel(chosen).series == ("Change %", "Open")
    assert make_target(read_prices(path, "all"), "Vol.").channels == ("Volume",)


def test_cells_of_other_columns_do_not_matter(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('Date,A,B,Remark\n2024-01-02,1.5,"1,5",halt\n2024-01-03,1.75,$2,\n')
    with pytest.raises(ValueError, match="decimal mark must be one of comma and point"):
        read_prices(path)
    assert read_prices(path, target="A")["A"].tolist() == [1.5, 1.75]
    assert read_prices(path, columns=["A"])["A"].tolist() == [1.5, 1.75]


LONG = "Ticker,Date,Aaa,Bbb\n" + "".join(f"{t},2024-01-0{d},{d}.5,{d}00\n" for t in ("X", "Y") for d in range(2, 8))


def test_fields_of_unknown_names_of_several_instruments_are_a_question(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(LONG)
    with pytest.raises(ValueError, match=r"no column is called a close; the columns are 'Aaa', 'Bbb'.*target='Aaa'"):
        read_prices(path)
    for options in ({"target": "Aaa"}, {"columns": ["Aaa"]}, {"fields": "Aaa"}):
        prices = read_prices(path, **options)
        assert list(prices) == ["X", "Y"]
        assert prices["Y"].tolist() == [2.5, 3.5, 4.5, 5.5, 6.5, 7.5]
    with pytest.raises(ValueError, match="choose one field with target"):
        read_prices(path, columns=["Aaa", "Bbb"])


def test_missing_names_list_the_columns(tmp_path):
    path = write(tmp_path, walks("AAPL", "MSFT"))
    for options in ({"target": "AAPLE"}, {"columns": ["AAPLE"]}):
        with pytest.raises(ValueError, match=r"'AAPLE'.*\(did you mean 'AAPL'\?\); the prices have AAPL, MSFT"):
            read_prices(path, **options)
    with pytest.raises(ValueError, match="fields, columns and target choose differently"):
        read_prices(path, "Close", target="AAPL")
    with pytest.raises(TypeError, match="columns must be a list of names"):
        read_prices(path, columns="AAPL")


SYMBOLS = {
    "$1,234.50|$2.00": [1234.5, 2.0],
    "-€5.25|€4.00": [-5.25, 4.0],
    "12.5 USD|13 USD": [12.5, 13.0],
    "0.85M|1.2B": [850_000.0, 1.2e9],
    "950K|-": [950_000.0, np.nan],
    "1.5万|2.25亿": [15_000.0, 225_000_000.0],
    "0.57%|-1.5%": [0.57, -1.5],
    "0|1.5%": [0.0, 1.5],
}


@pytest.mark.parametrize("text", SYMBOLS)
def test_a_symbol_of_all_numbers_is_read(text, tmp_path):
    first, second = text.split("|")
    (tmp_path / "a.csv").write_text(f'Date,A,B\n2024-01-02,"{first}",1.5\n2024-01-03,"{second}",2.5\n')
    np.testing.assert_array_equal(read_prices(tmp_path / "a.csv")["A"], SYMBOLS[text])


@pytest.mark.parametrize("text", ["$5|6.5", "1.2M|1200000", "5%|$6", "$5|€6", "(5)|(6)"])
def test_a_symbol_of_few_numbers_is_refused(text, tmp_path):
    first, second = text.split("|")
    (tmp_path / "a.csv").write_text(f'Date,A,B\n2024-01-02,"{first}",1.5\n2024-01-03,"{second}",2.5\n')
    with pytest.raises(ValueError, match=r"a\.csv: the column 'A' contains .* prices must be numbers"):
        read_prices(tmp_path / "a.csv")


def test_a_line_of_measures_below_the_names_is_skipped(tmp_path):
    (tmp_path / "a.csv").write_text("Date,Open,Close,Volume\n,USD,USD,shares\n2024-01-02,1,2,3\n2024-01-03,1,3,4\n")
    assert read_prices(tmp_path / "a.csv")["a"].tolist() == [2.0, 3.0]
