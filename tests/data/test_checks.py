"""Planted anomalies are found, and clean prices have no findings."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.quick import walks

import forecast as fc
from forecast.data.checks import check_prices


def walk(seed=0, rows=1000, start="2018-01-01"):
    steps = np.random.default_rng(seed).standard_t(5, rows) * 0.01
    return pd.Series(100 * np.exp(steps.cumsum()), index=pd.bdate_range(start, periods=rows), name="A")


def findings(prices, name="A"):
    return [sentence for series, sentence in check_prices(prices).findings if series == name]


@pytest.mark.medium
def test_clean_prices_have_no_findings():
    false_alarms = sum(bool(check_prices(walk(seed)).findings) for seed in range(200))
    assert false_alarms <= 4  # of 200: a jump of ten medians may be near a split ratio


def test_missing_rows_are_counted_on_trading_days():
    stock = walk()
    coin = pd.Series(50.0 + np.arange(1400) % 7, index=pd.date_range("2018-01-01", periods=1400))
    prices = pd.DataFrame({"A": stock.drop(stock.index[[10, 11, 500]]), "coin": coin})
    report = check_prices(prices)
    assert report.table.loc["A", "missing"] == 3
    assert report.table["days"].tolist() == ["Mon-Fri", "Mon-Sun"]
    assert findings(prices) == ["3 days are missing on which it usually trades, the first 2018-01-15"]
    assert findings(prices, "") == ["the series trade on different days of the week (Mon-Fri; Mon-Sun)"]


def test_one_saturday_session_makes_no_trading_day():
    coin = pd.Series(50.0 + np.arange(1400) % 7, index=pd.date_range("2018-01-01", periods=1400))
    stock = pd.concat([walk(), pd.Series({pd.Timestamp("2018-03-03"): 100.0})]).sort_index()
    report = check_prices(pd.DataFrame({"A": stock, "coin": coin}))
    assert report.table.loc["A", ["missing", "days"]].tolist() == [0, "Mon-Fri"]


def test_zeros_and_negative_prices_are_counted():
    y = walk()
    y.iloc[[7, 9]] = [0.0, -3.0]
    assert check_prices(y).table.loc["A", ["zeros", "negative"]].tolist() == [1, 1]
    assert findings(y)[:2] == ["1 value is 0, the first 2018-01-10", "1 value is below 0, the first 2018-01-12"]
    assert not findings(np.log(walk()).diff().rename("A"))  # returns are not prices


def test_a_stale_run_is_reported_with_its_dates():
    y = walk()
    y.iloc[100:112] = y.iloc[100]
    assert findings(y) == [f"12 equal values in a row, {y.index[100]:%Y-%m-%d} to {y.index[111]:%Y-%m-%d}"]
    y.iloc[105] += 0.01
    assert not findings(y)


@pytest.mark.parametrize("ratio", [2, 3, 20, 0.1])
def test_a_jump_near_a_split_ratio_is_reported(ratio):
    y = walk()
    y.iloc[300:] /= ratio
    (sentence,) = findings(y)
    assert f"at {y.index[300]:%Y-%m-%d}, near a split's ratio" in sentence
    assert "no split events are given" in sentence


def test_a_jump_is_compared_with_split_events():
    y = walk()
    y.iloc[300:] /= 4
    fields = {("Close", "A"): y, ("Stock Splits", "A"): pd.Series(0.0, index=y.index)}
    assert findings(pd.DataFrame(fields))[0].endswith("without a split event")
    fields["Stock Splits", "A"].iloc[300] = 4.0
    assert findings(pd.DataFrame(fields))[0].endswith("on the day of a split: the prices are not adjusted for it")


def test_a_fall_of_a_third_is_a_split_only_on_the_day_of_an_event():
    false = 0
    for seed in range(30):
        y = walk(seed)
        y.iloc[300:] /= 1.5
        false += bool(findings(y))
    assert false <= 1
    fields = {("Close", "A"): y, ("Stock Splits", "A"): pd.Series(0.0, index=y.index)}
    fields["Stock Splits", "A"].iloc[300] = 1.5
    assert findings(pd.DataFrame(fields))[0].endswith("on the day of a split: the prices are not adjusted for it")


def test_a_reversed_jump_is_a_wrong_price():
    y = walk()
    y.iloc[300] *= 100
    (sentence,) = findings(y)  # and the way back is no split
    assert "probably a wrong value" in sentence
    y.iloc[301:303] *= 100
    assert "and comes back: probably a wrong value" in findings(y)[0]


def test_late_starts_early_ends_and_source_facts():
    prices = pd.DataFrame({"A": walk(), "B": walk(1).iloc[200:], "C": walk(2).iloc[:-50]})
    prices.attrs["facts"] = {
        "A": {"currency": "USD", "timezone": "America/New_York", "notes": ["2 rows had no close"]},
        "B": {"currency": "GBp", "timezone": "Europe/London", "notes": []},
    }
    assert findings(prices) == ["2 rows had no close"]
    assert findings(prices, "B")[0].startswith("it begins on 2018-10-08")
    assert findings(prices, "C")[0].startswith("it ends on")
    assert findings(prices, "") == [
        "the series have different currencies (USD: A; GBp: B)",
        "the series have different time zones (America/New_York: A; Europe/London: B)",
    ]


def test_decisions_of_the_reader_come_first():
    prices = pd.DataFrame({"A": walk()})
    prices.iloc[100:112] = prices.iloc[100]
    prices.attrs["notes"] = ["the column 'S.No' counts the rows and is left out", "Close is forecast"]
    report = check_prices(prices)
    assert report.findings[:2] == [("", note) for note in prices.attrs["notes"]]
    assert len(report.findings) == 3
    assert "\nthe column 'S.No' counts" in str(report)
    stored = fc.backtest({"naive": fc.Naive()}, prices, fc.WalkForward(2, 3)).spec["data"]["report"]["findings"]
    assert stored[0] == ["", prices.attrs["notes"][0]]


def test_unusual_tables_are_checked():
    assert check_prices([1.0][0] * np.ones(1)).table["rows"].tolist() == [1]
    both = check_prices(pd.DataFrame({"A": walk(), "B": np.nan}))
    assert [sentence for name, sentence in both.findings if name == "B"] == ["it has no value at all"]
    hours = pd.Series(100.0 + np.arange(50) % 3, index=pd.date_range("2024-01-01", periods=50, freq="h"), name="A")
    assert not check_prices(hours).findings
    assert check_prices(fc.as_panel(walk())).table.loc["A", "rows"] == 1000


def test_report_as_text_json_and_html():
    report = check_prices(pd.DataFrame({"A": walk(), "<B>": walk(1).iloc[200:]}))
    assert "No anomalies were found." in str(check_prices(walk()))
    assert max(map(len, str(report).splitlines())) <= 100
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False)) == report.to_dict()
    assert "&lt;B&gt;" in report._repr_html_()


def test_a_run_stores_the_report(tmp_path):
    prices = walks(rows=300)
    prices.iloc[50:70, 0] = prices.iloc[50, 0]
    result = fc.backtest({"naive": fc.Naive()}, prices, fc.WalkForward(2, 3), out=tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "spec.json").read_text())["data"]["report"]
    assert stored == check_prices(prices).to_dict() == result.spec["data"]["report"]
    assert "20 equal values in a row" in stored["findings"][0][1]


def bars(days=30, seed=0, minutes=5, zone=None, hours=6):
    """Five-minute bars of sessions of some hours, from half past nine."""
    dates = pd.bdate_range("2024-01-02", periods=days)
    offsets = pd.timedelta_range("9h30min", periods=hours * 60 // minutes, freq=f"{minutes}min")
    index = pd.DatetimeIndex([date + offset for date in dates for offset in offsets])
    steps = np.random.default_rng(seed).normal(0, 0.001, len(index))
    return pd.Series(100 * np.exp(steps.cumsum()), index=index.tz_localize(zone), name="A")


@pytest.mark.parametrize("zone", [None, "America/New_York", "Australia/Sydney"])
def test_missing_bars_within_sessions_are_counted(zone):
    y = bars(zone=zone)
    y = y.tz_convert("UTC") if zone else y
    assert not findings(y)
    lost = [200, 201, 999]
    assert check_prices(y.drop(y.index[lost])).table.loc["A", "missing"] == 3
    assert findings(y.drop(y.index[lost])) == [f"3 bars are missing, the first {y.index[200]}"]
    early = y.drop(y.index[40:72])  # the rest of the first session
    assert not findings(early)


def test_missing_bars_are_those_of_each_series():
    y = bars()
    two = pd.DataFrame({"A": y.drop(y.index[[200, 201, 999]]), "B": bars(seed=1, hours=2)})
    assert check_prices(two).table["missing"].tolist() == [3, 0]


@pytest.mark.medium
def test_a_fall_of_oil_is_no_split():
    """Volatile days around it, no close ratio, or prices that come back: none of them is a split."""
    false = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        steps = rng.normal(0, 0.02, 600)
        steps[300:330] = rng.normal(0, 0.25, 30)
        false += bool(findings(pd.Series(50 * np.exp(steps.cumsum()), walk().index[:600], name="A")))
    assert false <= 5
    warning = walk()
    warning.iloc[300:] /= 2.25  # a profit warning
    assert not findings(warning)
    recovers = walk()
    recovers.iloc[300:] /= 2
    recovers.iloc[310:] *= 1.7
    assert not [sentence for sentence in findings(recovers) if "adjusted" in sentence]


def test_copies_and_multiples_are_named():
    prices = pd.DataFrame({"A": walk(), "B": walk(1)})
    prices["twice"], prices["copy"], prices["near"] = 2 * prices["A"], prices["B"], prices["A"] * 1.5 + 1e-3
    report = check_prices(prices)
    assert ("twice", "it is 2 times A in every row: is it another series?") in report.findings
    assert ("copy", "it equals B in every row: is it another series?") in report.findings
    assert len([name for name, sentence in report.findings if "in every row" in sentence]) == 2
    gap = prices[["A", "twice"]].copy()
    gap.iloc[5:9, 1] = np.nan
    assert not [name for name, sentence in check_prices(gap).findings if "in every row" in sentence]


def on(index, seed=0):
    """Prices on the rows of a calendar."""
    steps = np.random.default_rng(seed).normal(0, 0.01, len(index))
    return pd.Series(100 * np.exp(steps.cumsum()), index=index, name="A")


def hours_of(days, first, last, step):
    return pd.DatetimeIndex([day + pd.Timedelta(minutes=m) for day in days for m in range(first, last, step)])


HOURS = pd.date_range("2024-01-01", "2024-12-31", freq="h")
BUSINESS_DAYS = pd.bdate_range("2024-01-02", "2024-12-20")
FRIDAYS = pd.date_range("2010-01-01", periods=400, freq="W-FRI")
HOLIDAYS = (np.arange(400) % 20 == 3).astype(int)
FUTURES_CLOSED = (
    (HOURS.hour == 17)
    | (HOURS.day_of_week == 5)
    | ((HOURS.day_of_week == 4) & (HOURS.hour > 16))
    | ((HOURS.day_of_week == 6) & (HOURS.hour < 18))
)
REGULAR = {
    "month starts": pd.date_range("2000", periods=240, freq="MS"),
    "month ends": pd.date_range("2000", periods=240, freq="ME"),
    "last business days": pd.date_range("2000", periods=240, freq="BME"),
    "third Fridays": pd.date_range("2000", periods=240, freq="WOM-3FRI"),
    "1st and 15th": pd.date_range("2000", periods=240, freq="SMS"),
    "quarters": pd.date_range("1960", periods=200, freq="QS"),
    "years": pd.date_range("1900", periods=100, freq="YS"),
    "school months": pd.DatetimeIndex([d for d in pd.date_range("2000", "2020", freq="MS") if d.month not in (7, 8)]),
    "weeks": FRIDAYS,
    "every second week": pd.date_range("2010", periods=200, freq="2W-WED"),
    "every day": pd.date_range("2021", periods=400),
    "every day, with a zone": pd.date_range("2021", periods=400, tz="Europe/London"),
    "every second day": pd.date_range("2021", periods=400, freq="2D"),
    "every hour": HOURS,
    "every hour, with a zone": pd.date_range("2024-01-01", "2024-12-31", freq="h", tz="Europe/Berlin"),
    "every 8 hours": HOURS[::8],
}
CLEAN = REGULAR | {
    "business days": BUSINESS_DAYS,
    "Fridays, some moved by holidays": FRIDAYS - pd.to_timedelta(HOLIDAYS, unit="D"),
    "Mondays, some moved by holidays": FRIDAYS + pd.to_timedelta(3 - 3 * HOLIDAYS, unit="D"),
    "local hours": pd.date_range("2024-01-01", "2024-12-31", freq="h", tz="Europe/Berlin").tz_localize(None).unique(),
    "local hours of Sydney": pd.date_range("2024-01-01", "2024-12-31", freq="h", tz="Australia/Sydney")
    .tz_localize(None)
    .unique()
    .sort_values(),
    "New York, hours": hours_of(BUSINESS_DAYS, 570, 960, 60),
    "New York, hours in UTC": hours_of(BUSINESS_DAYS, 570, 960, 60).tz_localize("America/New_York").tz_convert(None),
    "New York, 5 minutes in UTC": hours_of(BUSINESS_DAYS[30:90], 570, 960, 5)
    .tz_localize("America/New_York")
    .tz_convert("UTC"),
    "futures": HOURS[~FUTURES_CLOSED],
    "futures in UTC": HOURS[~FUTURES_CLOSED].tz_localize("America/New_York").tz_convert(None),
    "irregular": pd.DatetimeIndex(np.unique(pd.Timestamp("2000") + pd.to_timedelta(np.arange(200) ** 2 % 9973, "D"))),
    "daily after years of months": pd.date_range("1990", "2009-12-01", freq="MS").append(
        pd.bdate_range("2010", "2020")
    ),
}


@pytest.mark.parametrize("name", CLEAN)
def test_a_calendar_without_gaps_misses_nothing(name):
    index = CLEAN[name]
    for first in range(0, 60, 12):
        report = check_prices(on(index[first:]))
        assert not [sentence for _, sentence in report.findings if "missing" in sentence]
        assert report.table["missing"].tolist() == [0]


@pytest.mark.parametrize("name", REGULAR)
@pytest.mark.parametrize("lost", [1, 4])
def test_missing_rows_of_one_regular_series_are_counted(name, lost):
    for seed in range(5):
        y = on(REGULAR[name])
        at = np.sort(np.random.default_rng(seed).choice(np.arange(5, len(y) - 5), lost, replace=False))
        report = check_prices(y.drop(y.index[at]))
        assert report.table["missing"].tolist() == [lost]
        (sentence,) = [sentence for _, sentence in report.findings if "missing" in sentence]
        assert sentence.startswith(f"{lost} ")
        assert ("is missing" in sentence) == (lost == 1)
        assert f"{y.index[at[0]]:%Y-%m-%d}" in sentence


def test_a_long_gap_of_trading_days_is_reported_and_holidays_are_not():
    y = walk()
    assert findings(y.drop(y.index[100:140])) == [
        f"40 days are missing on which it usually trades, the first {y.index[100]:%Y-%m-%d}"
    ]
    assert not findings(y.drop(y.index[[20, 21, 22, 60, 100, 101, 102, 103, 104, 105, 250]]))
    session = bars()
    assert not findings(session[session.index.normalize() != session.index[900].normalize()])


@pytest.mark.parametrize("exchange", ["XNYS", "XSHG", "XTAI"])
def test_holidays_of_exchanges_are_no_gaps(exchange):
    calendars = pytest.importorskip("exchange_calendars")
    days = calendars.get_calendar(exchange, start="2015-01-01", end="2023-12-31").sessions
    assert check_prices(on(days)).table["missing"].tolist() == [0]


def test_a_sparse_series_next_to_a_daily_one_misses_nothing():
    daily = walk()
    months = pd.Series(np.arange(46.0) % 7, index=pd.date_range("2018-01-31", periods=46, freq="BME"))
    prices = pd.DataFrame({"A": daily, "months": months, "weeks": daily[daily.index.day_of_week == 4]})
    report = check_prices(prices)
    assert report.table["missing"].tolist() == [0, 0, 0]
    assert not [sentence for _, sentence in report.findings if "missing" in sentence or "days of the week" in sentence]
    prices.loc[months.index[[7, 9]], "months"] = np.nan
    assert findings(prices, "months")[0] == f"2 regular dates are missing, the first {months.index[7]:%Y-%m-%d}"


@pytest.mark.parametrize("factor", [1.3, 0.7, 1.37])
def test_a_price_of_one_row_that_comes_back_is_named(factor):
    named = 0
    for seed in range(30):
        y = walk(seed)
        y.iloc[200] *= factor
        named += any("2018-10-08 and comes back in the next row: probably a wrong" in text for text in findings(y))
    assert named >= 27
    y = walk()
    y.iloc[200:] *= factor
    assert not findings(y)


def test_filled_weekends_and_holidays_are_named_on_rows_of_every_day():
    days = pd.date_range("2021-01-01", periods=400)
    for seed in range(10):
        y = on(days, seed).round(2)
        assert not findings(y)
        weekends = y.where(days.day_of_week < 5).ffill().bfill()
        assert any("of 400 values repeat the value before" in sentence for sentence in findings(weekends))
        holes = y.where(np.random.default_rng(seed).random(400) > 0.3).ffill().bfill()
        assert any("of 400 values repeat the value before" in sentence for sentence in findings(holes))


def test_seasons_ticks_and_volatile_series_have_no_spikes_and_are_not_filled():
    rng = np.random.default_rng(0)
    months, days = pd.date_range("2000", periods=240, freq="MS"), pd.date_range("2021", periods=400)
    sales = 100 * np.exp(0.02 * rng.normal(size=240) + 0.4 * (months.month == 12))
    volume = np.exp(rng.normal(13, 0.5, 400)).round()
    volatility = 15 * np.exp(0.07 * rng.standard_t(4, 400).cumsum() * 0.3)
    coin = np.maximum(10 + rng.integers(-1, 2, 400).cumsum(), 1) * 0.01
    noise = np.exp(0.1 * rng.standard_t(3, 400))
    peg = 1 + np.round(rng.normal(0, 0.0005, 400), 3)
    for index, values in (
        (months, sales),
        (days, volume),
        (days, volatility),
        (days, coin),
        (days, noise),
        (days, peg),
    ):
        sentences = findings(pd.Series(values, index=index, name="A"))
        assert not [sentence for sentence in sentences if "comes back" in sentence or "repeat" in sentence]


def heavy_noise(kind, seed):
    """Values without splits: heavy-tailed noise around a level, with and without memory, and returns."""
    noise = np.random.default_rng(seed).standard_t(3, 500)
    memory = pd.Series(noise).ewm(alpha=0.4).mean().to_numpy()
    values = {
        "level": 50 + 5 * noise,
        "ratio": np.exp(0.3 * noise),
        "gross return": 1 + 0.02 * noise,
        "memory": np.exp(0.4 * memory),
        "return": 0.01 * noise,
    }[kind]
    return pd.Series(values, walk().index[:500], name="A")


@pytest.mark.parametrize("kind", ["level", "ratio", "gross return", "memory", "return"])
def test_heavy_tails_are_no_splits(kind):
    false = sum(any("split" in text for text in findings(heavy_noise(kind, seed))) for seed in range(60))
    assert false <= 1


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_a_missing_session_is_reported_where_no_holiday_explains_it(zone):
    y = bars(days=200, minutes=30, zone=zone)
    day = y.index[600].normalize()
    lost = y[y.index.normalize() != day]
    assert not findings(y)
    (sentence,) = findings(lost)
    assert sentence.startswith(f"12 bars are missing, the first {day:%Y-%m-%d}")
    short = bars(days=40, minutes=30, zone=zone)
    without = short[short.index.normalize() != short.index[240].normalize()]
    assert not findings(without)  # perhaps a holiday
    both = pd.DataFrame({"A": without, "B": short * 2})
    assert findings(both)[0].startswith("12 bars are missing")
    assert not findings(both, "B")


def test_a_missing_session_of_a_market_of_seven_days_is_reported():
    days = pd.date_range("2024-01-02", periods=40)
    y = on(pd.DatetimeIndex(np.add.outer(days.to_numpy(), HOURS[9:15].to_numpy() - HOURS[0].to_numpy()).ravel()))
    assert not findings(y)
    assert findings(y[y.index.normalize() != days[20]]) == ["6 bars are missing, the first 2024-01-22 09:00:00"]


def test_one_day_in_years_without_holidays_is_missing():
    y = walk()
    day = y.index[500]
    assert findings(y.drop(day)) == [f"1 day is missing on which it usually trades, the first {day:%Y-%m-%d}"]
    holidays = [date for date in y.index if (date.month, date.day) in ((12, 25), (1, 1), (12, 26))]
    assert not findings(y.drop(holidays))


def test_dates_that_all_series_lack_are_missing_too():
    months = pd.date_range("2018-01-01", periods=48, freq="MS")
    table = pd.DataFrame({"A": np.arange(48.0) % 7, "B": np.arange(48.0) % 5}, index=months)
    table.loc[months[30], "B"] = np.nan
    report = check_prices(table.drop(months[20]))
    assert report.table["missing"].tolist() == [1, 2]
    assert findings(table.drop(months[20]), "B")[0] == "2 regular dates are missing, the first 2019-09-01"


@pytest.mark.parametrize("code", [-999.0, -9999.0, 9999.0, -99.9])
def test_codes_for_missing_values_are_named(code):
    level = 12 + 3 * np.sin(np.arange(400) / 9) + np.random.default_rng(0).normal(size=400)
    prices = pd.Series(level, index=pd.date_range("2020-01-01", periods=400, freq="h"), name="A")
    assert not findings(prices)
    prices.iloc[[50, 200]] = code
    assert any(
        sentence.startswith(f"2 values are {code:g}, far from all others, the first 2020-01-03")
        for sentence in findings(prices)
    )


def test_a_price_near_a_code_is_a_price():
    prices = walk()
    prices *= 999 / prices.max()
    assert not [sentence for sentence in findings(prices.replace(prices.max(), 999.0)) if "999" in sentence]
