"""Derived targets follow their formulas and use past prices only."""

import numpy as np
import pandas as pd
import pytest

import forecast as fc


@pytest.fixture(scope="module")
def stocks():
    return fc.load_sample("stocks", fields="all")


def test_log_returns_cover_gaps():
    prices = pd.DataFrame({"A": [100.0, 110.0, np.nan, 121.0]}, index=pd.bdate_range("2024-01-01", periods=4))
    returns = fc.log_returns(prices)["A"]
    assert returns.isna().tolist() == [True, False, True, False]
    assert returns.dropna().tolist() == pytest.approx([np.log(1.1)] * 2)
    with pytest.raises(ValueError, match="A at 2024-01-02: the price is -1; a log return needs prices above 0"):
        fc.log_returns(prices.replace(110.0, -1.0))
    with pytest.raises(TypeError, match="must be a DataFrame"):
        fc.log_returns([1.0, 2.0])


def five_minute_bars(days=5, bars=78, seed=0):
    rng = np.random.default_rng(seed)
    times = [
        day + pd.Timedelta(hours=14, minutes=30 + 5 * i)
        for day in pd.bdate_range("2024-03-04", periods=days)
        for i in range(bars)
    ]
    return pd.DataFrame({"A": 100 * np.exp(rng.normal(0, 0.001, len(times)).cumsum())}, index=times)


def test_realised_variance_is_the_sum_of_squares():
    bars = five_minute_bars()
    variance = fc.realised_variance(bars)["A"]
    logs = np.log(bars["A"].to_numpy()).reshape(5, 78)
    assert np.allclose(variance, (np.diff(logs, axis=1) ** 2).sum(axis=1), rtol=1e-12)
    with_overnight = fc.realised_variance(bars, overnight=True)["A"]
    assert np.allclose(with_overnight[1:] - variance[1:], (logs[1:, 0] - logs[:-1, -1]) ** 2, rtol=1e-9)
    assert [f"{day:%m-%d}" for day in variance.index] == ["03-04", "03-05", "03-06", "03-07", "03-08"]


#: Hours of markets by their own clock: time zone, and the sessions of a day (from, to; hours, perhaps the day before).
MARKETS = {
    "AAPL": ("America/New_York", [(9.5, 16)]),
    "VOD.L": ("Europe/London", [(8, 16.5)]),
    "BHP.AX": ("Australia/Sydney", [(10, 16)]),
    "7203.T": ("Asia/Tokyo", [(9, 11.5), (12.5, 15.5)]),
    "FPH.NZ": ("Pacific/Auckland", [(10, 16.75)]),
    "ES=F": ("America/New_York", [(-6, 17)]),  # from 18:00 of the day before
    "BTC-USD": ("UTC", [(0, 24)]),
}


def market_bars(name, days, minutes=15, seed=0):
    """Return one market's closes by UTC time, with a large move before each session, and each bar's local date."""
    zone, sessions = MARKETS[name]
    rng = np.random.default_rng([seed, len(name), ord(name[0])])
    times, dates, sizes = [], [], []
    for day in days:
        offsets = np.concatenate([np.arange(first, last, minutes / 60) for first, last in sessions])
        local = [day + pd.Timedelta(hours=float(hours)) for hours in offsets]
        times += [time.tz_localize(zone).tz_convert("UTC").tz_localize(None) for time in local]
        dates += [day] * len(offsets)
        sizes += [0.03] + [0.001] * (len(offsets) - 1)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, sizes)))
    return pd.Series(closes, index=pd.DatetimeIndex(times)), np.array(dates)


def variance_by_date(closes, dates, overnight):
    changes = np.append(np.nan, np.diff(np.log(closes.to_numpy())))
    if not overnight:
        changes[np.append(True, dates[1:] != dates[:-1])] = np.nan
    return pd.Series(changes**2).groupby(dates).sum(min_count=1)


@pytest.mark.parametrize("overnight", [False, True])
@pytest.mark.parametrize("knows_zones", [True, False])
def test_realised_variance_has_each_markets_sessions(knows_zones, overnight):
    # With time zones the days include a change of New York's clock, which moves its hours in UTC.
    days = pd.bdate_range("2024-02-26" if knows_zones else "2024-01-15", periods=20)
    bars = {name: market_bars(name, days) for name in MARKETS}
    table = pd.DataFrame({name: closes for name, (closes, _) in bars.items()})
    if knows_zones:
        table.attrs["facts"] = {name: {"timezone": zone} for name, (zone, _) in MARKETS.items()}
    variance = fc.realised_variance(table, overnight)
    for name, (closes, dates) in bars.items():
        expected = variance_by_date(closes, dates, overnight).reindex(variance.index)
        assert np.allclose(variance[name], expected, rtol=1e-9, equal_nan=True), name


@pytest.mark.medium
def test_another_ticker_changes_no_realised_variance():
    days = pd.bdate_range("2024-01-15", periods=8)
    table = pd.DataFrame({name: market_bars(name, days)[0] for name in MARKETS})
    table["EMPTY"] = np.nan
    rng = np.random.default_rng(2)
    table = table.mask(rng.random(table.shape) < 0.02)  # missing bars are each ticker's own
    variance = fc.realised_variance(table)
    for _ in range(10):
        names = list(rng.permutation(list(MARKETS))[: rng.integers(1, len(MARKETS))])
        part = fc.realised_variance(table[names])
        pd.testing.assert_frame_equal(part, variance.loc[part.index, names], check_freq=False)
    assert variance["EMPTY"].isna().all()


def test_realised_variance_of_rows_with_a_time_zone():
    closes, dates = market_bars("AAPL", pd.bdate_range("2024-02-26", periods=20))
    expected = variance_by_date(closes, dates, False).to_numpy()
    for zone in ("UTC", "America/New_York"):
        variance = fc.realised_variance(closes.tz_localize("UTC").tz_convert(zone).to_frame("AAPL"))
        assert variance.index.tz is None
        assert np.allclose(variance["AAPL"], expected, rtol=1e-9, equal_nan=True)


def test_a_day_with_few_bars_has_no_variance():
    bars = five_minute_bars()
    bars = bars.drop(bars.index[78 + 30 : 2 * 78])
    variance = fc.realised_variance(bars)["A"]
    assert variance.isna().tolist() == [False, True, False, False, False]


def test_daily_prices_have_no_realised_variance(stocks):
    with pytest.raises(ValueError, match="needs times of day"):
        fc.realised_variance(stocks)


@pytest.mark.parametrize("target", ["price", "return", "parkinson", "garman_klass", "volume", "High"])
def test_make_target_with_exog(target, stocks):
    exog = ("Open",) if target == "volume" else ("Volume", "Open")
    panel = fc.make_target(stocks, target, exog=exog)
    assert panel.channels[1:] == exog
    assert panel.series == ("AAPL", "IBM", "MSFT", "GOOG")
    assert np.array_equal(panel.values[:, 0, -1], stocks["Open"]["AAPL"].to_numpy(), equal_nan=True)
    assert "stocks" in panel.attrs["source"]
    expected = {
        "price": stocks["Adj Close"],
        "volume": stocks["Volume"],
        "High": stocks["High"],
        "return": np.log(stocks["Adj Close"]).diff(),
        "parkinson": fc.parkinson(stocks),
        "garman_klass": fc.garman_klass(stocks),
    }[target]
    assert np.allclose(panel.target, expected, rtol=1e-9, atol=1e-12, equal_nan=True)


def test_missing_fields_raise(stocks):
    with pytest.raises(ValueError, match="no field 'Range' to forecast; the prices have"):
        fc.make_target(stocks, "Range")
    with pytest.raises(ValueError, match="no field 'Mood' to read as exog"):
        fc.make_target(stocks, "return", exog=("Mood",))
    with pytest.raises(ValueError, match="no High, Low"):
        fc.make_target(fc.load_sample("stocks"), "parkinson")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["return", "parkinson", "garman_klass"])
def test_no_target_uses_the_future(target, stocks):
    prices = stocks.iloc[-300:]
    report = fc.audit(
        fc.make_model("drift"), prices, fc.WalkForward(3, 3), prepare=lambda raw: fc.make_target(raw, target)
    )
    assert report.passed, report


def table_with_gaps(rows=120, seed=4):
    """Return the fields of three tickers; a tenth of the cells is missing."""
    rng = np.random.default_rng(seed)
    closes = 100 * np.exp(rng.normal(0, 0.02, (rows, 3)).cumsum(axis=0))
    opens = closes * np.exp(rng.normal(0, 0.01, (rows, 3)))
    fields = {
        "Open": opens,
        "High": np.maximum(opens, closes) * 1.01,
        "Low": np.minimum(opens, closes) * 0.99,
        "Close": closes,
        "Adj Close": closes * np.linspace(0.8, 1.0, rows)[:, None],
        "Volume": rng.integers(1, 1000, (rows, 3)).astype(float),
    }
    days = pd.bdate_range("2020-01-01", periods=rows)
    missing = rng.random((rows, 3)) < 0.1
    tables = {name: pd.DataFrame(np.where(missing, np.nan, x), days, list("ABC")) for name, x in fields.items()}
    return pd.concat(tables, axis=1, names=["Price", "Ticker"])


@pytest.mark.parametrize("how", ["all", "common"])
@pytest.mark.parametrize("target", ["price", "return", "parkinson", "garman_klass", "volume", "High"])
@pytest.mark.medium
def test_no_row_of_a_target_depends_on_later_rows(target, how):
    table = table_with_gaps()
    exog = ("Open", "Close")
    whole = fc.make_target(table, target, exog=exog, how=how)
    for rows in range(20, len(table)):
        part = fc.make_target(table.iloc[:rows], target, exog=exog, how=how)
        assert part.index.equals(whole.index[: len(part)])
        assert np.array_equal(part.values, whole.values[: len(part)], equal_nan=True)
    changed = table.copy()
    changed.iloc[60:] *= 3  # a later regime leaves the first 60 rows unchanged, to the last digit
    part = fc.make_target(changed, target, exog=exog, how=how)
    first = whole.index < table.index[60]
    assert np.array_equal(part.values[: first.sum()], whole.values[first], equal_nan=True)


@pytest.mark.parametrize("target", ["return", "parkinson", "garman_klass"])
def test_derived_targets_are_missing_where_the_prices_are(target):
    table = table_with_gaps()
    observed = fc.make_target(table, target).observed
    prices = table["Close"].notna().to_numpy()
    if target == "return":
        prices = prices & (prices.cumsum(axis=0) > 1)  # the first price of a ticker has no return
    assert np.array_equal(observed, prices)


def test_realised_variance_does_not_use_the_future():
    bars = five_minute_bars()
    later = bars.copy()
    later.iloc[3 * 78 :] *= 1 + np.random.default_rng(1).random((2 * 78, 1))
    assert fc.realised_variance(bars)[:3].equals(fc.realised_variance(later)[:3])
    assert not fc.realised_variance(bars)[3:].equals(fc.realised_variance(later)[3:])
    short = five_minute_bars(6, 60)  # these days have the usual number of bars until longer days follow
    long = pd.concat([short, five_minute_bars(16, 78).loc["2024-03-12":]])
    assert fc.realised_variance(long)[:6].equals(fc.realised_variance(short))


@pytest.mark.medium
def test_no_session_of_a_realised_variance_depends_on_later_bars():
    days = pd.bdate_range("2024-02-26", periods=20)
    table = pd.DataFrame({name: market_bars(name, days)[0] for name in MARKETS})
    rng = np.random.default_rng(3)
    table = table.mask(rng.random(table.shape) < 0.1)
    table.attrs["facts"] = {name: {"timezone": zone} for name, (zone, _) in MARKETS.items()}
    whole = fc.realised_variance(table)
    for day in days[2:]:
        part = fc.realised_variance(table[table.index < day + pd.Timedelta(hours=7)]).loc[: day - days.freq]
        ended = part[["AAPL", "VOD.L", "BHP.AX", "7203.T", "FPH.NZ"]]  # before 7:00 UTC of the next day
        pd.testing.assert_frame_equal(ended, whole.loc[ended.index, list(ended)], check_freq=False)


def test_a_network_forecasts_returns_from_volumes(stocks):
    panel = fc.make_target(stocks.iloc[-400:], "return", exog=("Volume",))
    models = {"lstm": fc.Recurrent("lstm", exog=("Volume",), trainer=fc.Trainer(steps=5))}
    result = fc.backtest(models, panel, fc.WalkForward(3, 3))
    assert np.isfinite(result.forecasts["y_hat"]).all()
    assert result.spec["data"]["source"] == "log returns of stocks"
