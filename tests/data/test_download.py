"""Downloads through the real yfinance client from a local Yahoo server with faults."""

import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.yahoo_server import Bars, LocalYahoo, browser_session, session, walk

from forecast.data.yahoo.adjust import adjust_for_dividends
from forecast.data.yahoo.cache import Cache
from forecast.data.yahoo.chart import PRICES, History
from forecast.data.yahoo.client import Yahoo
from forecast.data.yahoo.download import DownloadError, DownloadWarning, download

TESTS = Path(__file__).parents[1]
FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Use a separate cache in each test, also for yfinance's cookies."""
    import yfinance

    monkeypatch.setenv("FORECAST_CACHE", str(tmp_path / "cache"))
    yfinance.set_tz_cache_location(str(tmp_path / "yfinance"))
    return tmp_path / "cache" / "yahoo"


@pytest.fixture
def yahoo():
    server = LocalYahoo()
    yield server
    server.close()


def client(server, **options):
    return Yahoo(session(server.port), **({"pause": 0.005, "timeout": 5.0} | options))


def until_yesterday(ticker, rows=300, zone="America/New_York", **options):
    """Return bars up to the last working day before today."""
    freq = "D" if zone == "UTC" else "B"
    yesterday = pd.Timestamp.now(zone).tz_localize(None).normalize() - pd.Timedelta(days=1)
    days = pd.date_range(end=yesterday, periods=rows, freq=freq)
    bars = walk(ticker, zone=zone, rows=rows, **options)
    return Bars(bars.close.set_axis(days), zone, **options)


def matches(column, bars):
    return np.array_equal(column.dropna().to_numpy(), bars.close.to_numpy()) and column.dropna().index.equals(
        bars.close.index.rename("Date")
    )


# --- temporary and permanent faults -----------------------------------------------------------------------------------

#: Temporary faults, and the number of requests that yfinance's client sends in one attempt (after an error status it
#: repeats the request itself with another cookie).
TEMPORARY = {
    "429": 2,
    "500": 2,
    "500 page": 2,
    "page": 1,
    "hang up": 1,
    "truncated": 1,
    "lengths": 1,
    "no zone": 1,
    "slow 1": 1,
}
REASONS = {
    "429": "refuses further requests for now (HTTP 429) after 3 attempts",
    "500": "server failed: Internal server error (HTTP 500) after 3 attempts",
    "500 page": "server failed (HTTP 502) after 3 attempts",
    "page": "no price data (HTTP 200) after 3 attempts",
    "hang up": "could not be reached (ConnectionError) after 3 attempts",
    "truncated": "no price data (HTTP 200) after 3 attempts",
    "lengths": "has 300 times but 299 values of Close after 3 attempts",
    "no zone": "no time zone or no quotes after 3 attempts",
    "slow 1": "could not be reached (ReadTimeout) after 3 attempts",
    "unknown": "Yahoo has no such prices: No data found, symbol may be delisted",
    "no timestamps": "it has no prices in this range",
    "null rows": "it has no prices in this range",
}


@pytest.mark.slow
@pytest.mark.parametrize("transport", [session, browser_session])
@pytest.mark.parametrize("fault", TEMPORARY)
def test_temporary_faults_are_retried(fault, transport, yahoo):
    yahoo.behave("AAPL", *[fault] * TEMPORARY[fault])
    yahoo.behave("MSFT")
    source = Yahoo(transport(yahoo.port), pause=0.005, timeout=0.5)
    prices = download(["MSFT", "AAPL"], source=source)
    assert list(prices) == ["MSFT", "AAPL"]
    assert matches(prices["AAPL"], yahoo.bars["AAPL"])
    assert matches(prices["MSFT"], yahoo.bars["MSFT"])
    assert yahoo.requests == {"AAPL": TEMPORARY[fault] + 1, "MSFT": 1}  # no successful request is repeated


@pytest.mark.slow
@pytest.mark.parametrize("fault", REASONS)
def test_permanent_fault_is_error_with_ticker(fault, yahoo, folder):
    yahoo.behave("BAD", f"{fault} for ever")
    yahoo.behave("MSFT")
    with pytest.raises(DownloadError) as caught:
        download("BAD,MSFT", source=client(yahoo, tries=3, timeout=0.3))
    assert str(caught.value).startswith("1 of 2 tickers could not be downloaded: BAD: ")
    assert REASONS[fault] in str(caught.value)
    assert list(caught.value.reasons) == ["BAD"]
    assert [path.name for path in sorted(folder.rglob("*.parquet"))] == ["MSFT.parquet"]  # the other ticker is cached


@pytest.mark.medium
def test_client_prints_nothing_itself(yahoo, folder):
    yahoo.behave("AAPL", "hang up for ever")
    code = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
        "from helpers.yahoo_server import session\nimport forecast as fc\n"
        f"try: fc.download('AAPL', source=fc.Yahoo(session({yahoo.port}), tries=2, pause=0))\n"
        "except fc.DownloadError as error: print(error)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "AAPL: Yahoo could not be reached" in output.stdout
    assert output.stderr == ""


@pytest.mark.medium
def test_skipped_tickers_are_warned_about(yahoo):
    yahoo.behave("AAPL")
    with pytest.warns(DownloadWarning, match="left out: 2 of 3 tickers could not be downloaded: NONE: .*; NIX: "):
        prices = download(["NONE", "AAPL", "NIX"], on_error="skip", source=client(yahoo))
    assert list(prices) == ["AAPL"]
    assert list(prices.attrs["failed"]) == ["NONE", "NIX"]
    with pytest.raises(DownloadError, match="1 of 1"):  # no ticker remains
        download("NONE", on_error="skip", source=client(yahoo))


@pytest.mark.slow
def test_two_hundred_tickers_with_refusals(yahoo):
    names = [f"T{i:03}" for i in np.random.default_rng(1).permutation(200)]
    for i, name in enumerate(names):
        yahoo.behave(name, *["429"] * (2 if i % 5 == 0 else 0), bars=walk(name, rows=30))
    updates = []
    prices = download(names, source=client(yahoo), progress=lambda *done: updates.append(done))
    assert list(prices) == names
    assert all(matches(prices[name], yahoo.bars[name]) for name in names)
    assert [yahoo.requests[name] for name in names] == [3 if i % 5 == 0 else 1 for i in range(200)]
    assert yahoo.max_active <= 4
    assert updates == [(i, 200) for i in range(1, 201)]


@pytest.mark.medium
def test_refusal_delays_all_tickers(yahoo):
    yahoo.behave("A", "429", "429")
    yahoo.behave("B")
    started = time.monotonic()
    download(["A", "B"], source=client(yahoo, pause=0.4, workers=1))
    assert time.monotonic() - started >= 0.2  # jitter leaves at least half of the pause


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.medium
def test_a_block_ends_the_download_and_the_next_call_resumes(on_error, yahoo, folder):
    names = [f"T{i:02}" for i in range(40)]
    for name in names:
        yahoo.behave(name, bars=walk(name, rows=30))
    download(names[:5], end="2020-01-31", source=client(yahoo))
    yahoo.requests.clear()
    yahoo.blocks = True
    reason = "Yahoo refuses further requests for now .HTTP 429."
    message = f"^{reason}, so the download was stopped; 5 of 40 tickers are in the cache, and the same call fetches the"
    with pytest.raises(DownloadError, match=message) as caught:
        download(names, end="2020-01-31", on_error=on_error, source=client(yahoo, tries=2))
    assert list(caught.value.reasons) == names[5:]
    assert len(yahoo.requests) <= 3 + 4  # the other tickers are not requested
    yahoo.blocks = False
    yahoo.requests.clear()
    assert list(download(names, end="2020-01-31", source=client(yahoo))) == names
    assert set(yahoo.requests) == set(names[5:])


def test_other_failures_do_not_end_the_download(yahoo):
    for i in range(12):
        yahoo.behave(f"T{i}", *(["500 for ever"] if i < 6 else []), bars=walk(f"T{i}", rows=30))
    with pytest.warns(DownloadWarning, match="6 of 12 tickers could not be downloaded"):
        prices = download([f"T{i}" for i in range(12)], on_error="skip", source=client(yahoo, tries=1))
    assert prices.shape[1] == 6


CHILD = """
import sys; sys.path.insert(0, {tests!r})
from helpers.yahoo_server import session
from forecast.data.yahoo.download import download
from forecast.data.yahoo.client import Yahoo
try:
    download([f"T{{i}}" for i in range(40)], source=Yahoo(session({port}), pause=.005))
except KeyboardInterrupt as interrupt:
    print(*interrupt.__notes__)
"""


@pytest.mark.slow
def test_interrupted_download_resumes_from_cache(yahoo, folder):
    names = [f"T{i}" for i in range(40)]
    for name in names:
        yahoo.behave(name, "slow 0.2", bars=walk(name, rows=5))
    code = CHILD.format(tests=str(TESTS), port=yahoo.port)
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background process ignores SIGINT
    )
    while sum(yahoo.requests.values()) < 10:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    output = child.communicate(timeout=30)[0]
    cached = {path.stem for path in folder.rglob("*.parquet")}
    assert 0 < len(cached) < 40
    assert output == f"{len(cached)} of 40 tickers are in the cache; the same call fetches the rest\n"
    yahoo.requests.clear()
    prices = download(names, end="2020-01-03", source=client(yahoo))
    assert list(prices) == names
    assert set(yahoo.requests) == set(names) - cached


# --- contents of a response -------------------------------------------------------------------------------------------


def test_rows_without_prices_are_noted(yahoo):
    bars = walk("AAPL", nulls=("2020-01-06", "2020-01-09"))
    yahoo.behave("AAPL", bars=bars)
    prices = download("AAPL", source=client(yahoo))
    assert prices["AAPL"].notna().all()
    assert len(prices) == 298
    assert prices.attrs["facts"]["AAPL"]["notes"] == ["2 rows had no close, the first on 2020-01-06"]


def test_dividends_and_splits_are_adjusted(yahoo):
    # The example of Yahoo's help page: a split of 2:1 on February 18, a dividend of .08 on the 19th. Like Yahoo's
    # closes, the prices are already adjusted for the split.
    days = pd.to_datetime(["2003-02-13", "2003-02-14", "2003-02-18", "2003-02-19"])
    bars = Bars(pd.Series([46.99 / 2, 48.30 / 2, 24.96, 24.53], index=days), dividends={"2003-02-19": 0.08})
    bars.splits = {"2003-02-18": (2, 1)}
    yahoo.behave("X", bars=bars)
    prices = download("X", source=client(yahoo))
    assert prices["X"].round(2).tolist() == [23.42, 24.07, 24.88, 24.53]
    raw = download("X", adjust="none", fields="all", source=client(yahoo))
    assert raw["Close"]["X"].tolist() == [23.495, 24.15, 24.96, 24.53]
    assert raw["Dividends"]["X"].tolist() == [0, 0, 0, 0.08]
    assert raw["Stock Splits"]["X"].tolist() == [0, 0, 2, 0]
    adjusted = download("X", fields="all", source=client(yahoo))
    ratio = adjusted["Close"]["X"] / raw["Close"]["X"]
    for field in ("Open", "High", "Low"):
        assert np.allclose(adjusted[field]["X"] / raw[field]["X"], ratio, rtol=1e-12)
    assert yahoo.requests["X"] == 3  # each call fetched the newest rows: the adjustment is not stored


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.medium
def test_adjusted_prices_depend_on_no_later_row(seed):
    rng = np.random.default_rng(seed)
    rows = 60
    days = pd.bdate_range("2020-01-01", periods=rows)
    closes = pd.Series(np.exp(rng.normal(3, 1) + rng.normal(0, 0.02, rows).cumsum()), days)
    closes[rng.random(rows) < 0.05] = np.nan
    sizes = 10.0 ** rng.uniform(-4, -0.5, rows)  # dividends from a hundredth of a percent on
    paid = np.where(rng.random(rows) < 0.2, sizes, 0.0) * closes.ffill().shift(1).fillna(1.0)
    table = pd.DataFrame({name: closes * size for name, size in zip(PRICES, (1, 1.01, 0.99, 1), strict=True)})
    table = table.assign(Volume=1.0, Dividends=paid)
    adjusted = adjust_for_dividends(table)
    factors = []  # the textbook's formula, one dividend at a time
    last = np.nan
    for close, dividend in zip(closes, paid, strict=True):
        factors.append(1.0 if np.isnan(last) else 1 - dividend / last)
        last = last if np.isnan(close) else close
    expected = [close * np.prod(factors[row + 1 :]) for row, close in enumerate(closes)]
    for name, size in zip(PRICES, (1, 1.01, 0.99, 1), strict=True):
        assert np.allclose(adjusted[name], np.array(expected) * size, rtol=1e-12, equal_nan=True)
    returns = np.log(adjusted["Close"].dropna()).diff()
    for row in range(2, rows):  # no return depends on a row after it
        part = adjust_for_dividends(table.iloc[:row])["Close"].dropna()
        pd.testing.assert_series_equal(np.log(part).diff(), returns[: len(part)], rtol=1e-9, check_freq=False)
        later = table.copy()  # no factor depends on the close of the ex-date or of a later row
        later.iloc[row:, :4] *= rng.uniform(0.5, 2.0, (rows - row, 1))
        later.iloc[row + 1 :, 5] = 0.0
        one = table.copy()
        one.iloc[row + 1 :, 5] = 0.0
        assert np.allclose(
            adjust_for_dividends(later)["Close"].iloc[:row],
            adjust_for_dividends(one)["Close"].iloc[:row],
            rtol=1e-12,
            equal_nan=True,
        )


def test_capital_gains_count_as_dividends(yahoo):
    days = pd.bdate_range("2024-01-02", periods=20)
    ex_date = days[10]
    closes = pd.Series(np.repeat([100.0, 85.0], 10), days)
    yahoo.behave("VFINX", bars=Bars(closes, gains={f"{ex_date:%Y-%m-%d}": 15.0}))
    yahoo.behave("AAPL", bars=Bars(closes))
    prices = download(["VFINX", "AAPL"], fields="all", source=client(yahoo))
    assert prices["Close"]["VFINX"].tolist() == pytest.approx([85.0] * 20)
    assert prices["Capital Gains"]["VFINX"][ex_date] == 15.0
    assert prices["Capital Gains"]["AAPL"].tolist() == [0.0] * 20
    assert prices["Dividends"].sum().tolist() == [0.0, 0.0]
    assert "Capital Gains" not in download("AAPL", fields="all", source=client(yahoo))


@pytest.mark.parametrize(
    ("fall", "paid", "note"),
    [
        (7.86, 7.86, "6.42|are part of the dividends"),  # 6.42 of 7.86 are the gains
        (14.28, 14.28, "are paid in addition to the dividends"),
        (11.07, 7.86, "are taken as part of .it is not certain. the dividends"),  # halfway
    ],
)
def test_dividend_that_may_contain_the_capital_gains(fall, paid, note, yahoo):
    days = pd.bdate_range("2025-10-01", periods=60)
    closes = pd.Series(70 + 0.1 * (-1.0) ** np.arange(60), days)
    ex_date = f"{days[50]:%Y-%m-%d}"
    closes.iloc[50:] = closes.iloc[49] - fall
    yahoo.behave("VWILX", bars=Bars(closes, dividends={ex_date: 7.86}, gains={ex_date: 6.42}))
    with pytest.warns(DownloadWarning, match=f"VWILX: its capital gains of {ex_date} ({note})"):
        prices = download("VWILX", source=client(yahoo))["VWILX"]
    assert prices.iloc[49] == pytest.approx(closes.iloc[49] - paid)
    # known on the ex-date: the rows after it change nothing
    with pytest.warns(DownloadWarning, match="VWILX"):
        assert download("VWILX", end=ex_date, source=client(yahoo))["VWILX"].equals(prices[:ex_date])


@pytest.mark.parametrize(
    ("price_in", "paid_in", "amount", "close"),
    [("GBp", "GBP", 0.08, 650.0), ("GBP", "GBp", 8.0, 6.5), ("ZAc", "ZAR", 3.0, 9000.0), ("ILA", "ILS", 0.5, 2000.0)],
)
def test_dividend_in_a_fraction_of_the_currency_is_converted(price_in, paid_in, amount, close, yahoo):
    rate = 100 if price_in in ("GBp", "ZAc", "ILA") else 0.01
    days = pd.bdate_range("2024-01-02", periods=20)
    closes = pd.Series(np.repeat([close, close - amount * rate], 10), days)
    bars = Bars(closes, currency=price_in, paid_in=paid_in, dividends={f"{days[10]:%Y-%m-%d}": amount})
    yahoo.behave("X", bars=bars)
    note = f"dividends in {paid_in} were multiplied by {rate:g}, as the prices are in {price_in}"
    with pytest.warns(DownloadWarning, match=f"X: {note}"):
        prices = download("X", source=client(yahoo))
    assert prices["X"].tolist() == pytest.approx([closes.iloc[-1]] * 20)
    assert prices.attrs["facts"]["X"]["notes"] == [note]
    assert prices.attrs.get("notes", []) == []  # they are those of one ticker
    raw = download("X", adjust="none", fields="all", source=client(yahoo))
    assert raw["Dividends"]["X"].max() == amount  # as Yahoo gives it


@pytest.mark.parametrize(
    ("price_in", "paid_in", "amount", "problem"),
    [
        ("GBp", "USD", 0.10, "no exchange rate is given"),
        ("EUR", "USD", 0.10, "no exchange rate is given"),
        ("GBp", "EUR", 0.10, "no exchange rate is given"),
        ("GBp", "GBP", 8.0, "800 is too much for a dividend"),  # pence, labelled as pounds
    ],
)
def test_dividend_in_another_currency_is_refused(price_in, paid_in, amount, problem, yahoo):
    days = pd.bdate_range("2024-01-02", periods=20)
    closes = pd.Series(650.0, days)
    bars = Bars(closes, currency=price_in, paid_in=paid_in, dividends={f"{days[10]:%Y-%m-%d}": amount})
    yahoo.behave("HSBA.L", bars=bars)
    with pytest.raises(DownloadError, match=rf"HSBA.L: its dividend of .* {paid_in} on .*{problem}; use adjust='none'"):
        download("HSBA.L", source=client(yahoo))
    prices = download("HSBA.L", adjust="none", source=client(yahoo))
    assert prices["HSBA.L"].tolist() == [650.0] * 20
    assert f"dividends are in {paid_in}, the prices in {price_in}" in prices.attrs["facts"]["HSBA.L"]["notes"]
    before = download("HSBA.L", end=days[9], source=client(yahoo))  # no dividend in these rows
    assert len(before) == 10


def test_dividends_in_pounds_without_a_currency_are_suspected(yahoo):
    days = pd.bdate_range("2024-01-02", periods=20)
    paid = {f"{days[5]:%Y-%m-%d}": 0.10, f"{days[10]:%Y-%m-%d}": 0.12}
    yahoo.behave("X.L", bars=Bars(pd.Series(650.0, days), currency="GBp", dividends=paid))
    with pytest.warns(DownloadWarning, match=r"X.L: its dividends are at most 0.018% of the price: .* may be in GBP"):
        download("X.L", source=client(yahoo))


def test_dividend_on_day_without_price_counts(yahoo):
    bars = walk("AAPL", rows=10, nulls=("2020-01-08",), dividends={"2020-01-08": 1.0})
    yahoo.behave("AAPL", bars=bars)
    prices = download("AAPL", source=client(yahoo))["AAPL"]
    before = bars.close["2020-01-07"]
    assert prices["2020-01-07"] == pytest.approx(before - 1.0)
    assert len(prices) == 9


def test_dividend_after_end_does_not_change_prices(yahoo):
    bars = walk("AAPL", dividends={"2020-06-01": 2.0})
    yahoo.behave("AAPL", bars=bars)
    before = download("AAPL", end="2020-04-30", source=client(yahoo))
    assert before["AAPL"].tolist() == bars.close[:"2020-04-30"].tolist()
    download("AAPL", source=client(yahoo))
    after = download("AAPL", end="2020-04-30", source=client(yahoo))  # the cache now has the later dividend
    assert after.equals(before)


def test_range_without_prices_is_error(yahoo):
    yahoo.behave("AAPL")
    yahoo.behave("LATE", bars=walk("LATE", start="2020-06-01"))
    download(["AAPL", "LATE"], source=client(yahoo))
    message = "1 of 2 tickers could not be downloaded: LATE: it has no prices in this range"
    with pytest.raises(DownloadError, match=message):
        download(["AAPL", "LATE"], end="2020-03-31", source=client(yahoo))


def test_impossible_dividend_is_error(yahoo):
    yahoo.behave("AAPL", bars=walk("AAPL", dividends={"2020-01-08": 500.0}))
    with pytest.raises(DownloadError, match=r"AAPL: its dividend of 500 on 2020-01-08 does not fit .* adjust='none'"):
        download("AAPL", source=client(yahoo))
    assert len(download("AAPL", adjust="none", source=client(yahoo))) == 300


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/London", "Asia/Tokyo", "UTC"])
def test_unfinished_bar_of_today_is_dropped(zone, yahoo):
    bars = until_yesterday("X", 20, zone)
    today = pd.Timestamp.now(zone).tz_localize(None).normalize()
    bars.close[today] = 123.0
    bars.live = True
    yahoo.behave("X", bars=bars)
    prices = download("X", source=client(yahoo))
    assert prices["X"].to_numpy().tolist() == bars.close.iloc[:-1].tolist()
    assert f"the unfinished bar of {today:%Y-%m-%d} was left out" in prices.attrs["facts"]["X"]["notes"]
    download("X", source=client(yahoo))
    assert yahoo.requests["X"] == 1  # no new bar before the session ends


def test_each_exchange_has_its_own_dates(yahoo):
    zones = {"AAPL": "America/New_York", "VOD.L": "Europe/London", "7203.T": "Asia/Tokyo", "BTC-USD": "UTC"}
    for name, zone in zones.items():
        yahoo.behave(name, bars=walk(name, rows=100, zone=zone))
    prices = download(list(zones), source=client(yahoo))
    assert list(prices) == list(zones)
    assert all(matches(prices[name], yahoo.bars[name]) for name in zones)
    facts = prices.attrs["facts"]
    assert {name: facts[name]["timezone"] for name in zones} == zones
    assert [facts[name]["currency"] for name in zones] == ["USD", "GBp", "JPY", "USD"]


def test_intraday_bars_have_utc_times(yahoo):
    now = pd.Timestamp.now("UTC").tz_localize(None)
    hours = pd.date_range(end=now.floor("h"), periods=30, freq="h")  # the last one is unfinished
    yahoo.behave("X", bars=Bars(pd.Series(np.arange(30.0) + 100, index=hours), intraday=True))
    prices = download("X", interval="1h", source=client(yahoo))
    assert prices.index.equals(hours[:-1].rename("Date"))
    assert prices["X"].tolist() == list(np.arange(29.0) + 100)


# --- cache ------------------------------------------------------------------------------------------------------------


def test_past_range_is_fetched_once(yahoo):
    yahoo.behave("AAPL")
    first = download("AAPL", "2020-02-03", "2020-06-30", source=client(yahoo))
    assert [f"{day:%Y-%m-%d}" for day in first.index[[0, -1]]] == ["2020-02-03", "2020-06-30"]
    within = download("AAPL", "2020-03-02", "2020-05-29", source=client(yahoo))
    assert within["AAPL"].equals(first["AAPL"]["2020-03-02":"2020-05-29"])
    assert yahoo.requests["AAPL"] == 1
    earlier = download("AAPL", "2020-01-02", "2020-05-29", source=client(yahoo))
    assert len(earlier) > len(within)
    complete = download("AAPL", "2020-01-02", "2020-06-30", source=client(yahoo))
    assert len(complete) > len(first)  # the cached end is not lost
    assert yahoo.requests["AAPL"] == 2


def test_later_calls_fetch_only_the_end(yahoo):
    bars = until_yesterday("AAPL")
    yahoo.behave("AAPL", bars=Bars(bars.close[:-7]))
    download("AAPL", source=client(yahoo))
    yahoo.behave("AAPL", bars=bars)
    assert matches(download("AAPL", source=client(yahoo))["AAPL"], bars)
    since = pd.Timestamp(int(yahoo.queries[-1][1]["period1"]), unit="s")
    assert bars.close.index[-20] < since < bars.close.index[-8]
    assert yahoo.requests["AAPL"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("change", ["split", "dividend", "corrected", "added"])
def test_restated_past_is_fetched_again(change, yahoo):
    old, new = until_yesterday("AAPL"), until_yesterday("AAPL")
    if change == "split":  # all earlier prices are divided
        new.close /= 4
        new.splits = {f"{new.close.index[-2]:%Y-%m-%d}": (4, 1)}
    elif change == "dividend":
        new.dividends = {f"{new.close.index[-9]:%Y-%m-%d}": 0.5}
    elif change == "corrected":
        new.close.iloc[-6] *= 1.0001
    else:
        old.close = old.close.drop(old.close.index[-6])
    old.close = old.close[:-4]
    yahoo.behave("AAPL", bars=old)
    download("AAPL", source=client(yahoo))
    yahoo.behave("AAPL", bars=new)
    with pytest.warns(DownloadWarning, match="AAPL: the past was restated"):
        prices = download("AAPL", adjust="none", source=client(yahoo))
    assert matches(prices["AAPL"], new)
    download("AAPL", source=client(yahoo))  # without a warning


def test_bar_that_yahoo_removes_stays(yahoo):
    old, new = until_yesterday("AAPL"), until_yesterday("AAPL")
    removed = new.close.index[-6]
    new.close = new.close.drop(removed)
    old.close = old.close[:-4]
    yahoo.behave("AAPL", bars=old)
    download("AAPL", source=client(yahoo))
    yahoo.behave("AAPL", bars=new)
    with pytest.warns(DownloadWarning, match=f"AAPL: 1 bar is cached that Yahoo no longer has, from {removed.date()}"):
        prices = download("AAPL", adjust="none", source=client(yahoo))
    assert prices["AAPL"].drop(removed).tolist() == new.close.tolist()
    assert prices["AAPL"][removed] == old.close[removed]
    download("AAPL", source=client(yahoo))  # without a warning
    assert "no longer has" in download("AAPL", offline=True).attrs["facts"]["AAPL"]["notes"][-1]


def test_failed_update_leaves_cache_unchanged(yahoo, folder):
    yahoo.behave("AAPL")
    download("AAPL", source=client(yahoo))
    before = (folder / "1d" / "AAPL.parquet").read_bytes()
    yahoo.behave("AAPL", "500 for ever")
    with pytest.raises(DownloadError):
        download("AAPL", source=client(yahoo, tries=2))
    assert (folder / "1d" / "AAPL.parquet").read_bytes() == before
    assert matches(download("AAPL", offline=True)["AAPL"], yahoo.bars["AAPL"])


def _download_forty(port):
    download([f"T{i}" for i in range(40)], end="2020-01-08", source=Yahoo(session(port), pause=0.005))


@pytest.mark.slow
def test_two_processes_fetch_each_ticker_once(yahoo, folder):
    for i in range(40):
        yahoo.behave(f"T{i}", bars=walk(f"T{i}", rows=5))
    children = [FORK.Process(target=_download_forty, args=(yahoo.port,)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert len(list(folder.rglob("*.parquet"))) == 40
    assert set(yahoo.requests.values()) == {1}


def test_offline_uses_cache_only(yahoo, folder):
    with pytest.raises(DownloadError, match=r"AAPL: it is not in the cache .*; download it without offline first"):
        download("AAPL", offline=True)
    assert not folder.exists()
    yahoo.behave("AAPL")
    download("AAPL", "2020-02-03", "2020-06-30", source=client(yahoo))
    assert len(download("AAPL", "2020-03-02", "2020-06-30", offline=True)) == 87
    for dates in (("2020-01-02", "2020-06-30"), ("2020-03-02", "2020-07-01"), (None, "2020-06-30")):
        with pytest.raises(DownloadError, match="the cache has only 2020-02-03 to 2020-06-30"):
            download("AAPL", *dates, offline=True)
    assert yahoo.requests["AAPL"] == 1


def minutes(days):
    """Return bars of a minute, ten a day, of the last days until yesterday."""
    today = pd.Timestamp.now("UTC").tz_localize(None).normalize()
    opens = [today - pd.Timedelta(days=d) + pd.Timedelta(hours=15) for d in range(days, 0, -1)]
    times = [at + pd.Timedelta(minutes=m) for at in opens for m in range(10)]
    rng = np.random.default_rng(days)
    return pd.Series(np.float32(100 * np.exp(rng.normal(0, 0.001, len(times)).cumsum())).astype(float), times)


class Earlier(Yahoo):
    """The client, some days ago."""

    days = 0

    def now(self):
        return super().now() - pd.Timedelta(days=self.days)


@pytest.mark.medium
def test_minute_bars_that_yahoo_no_longer_serves_stay(yahoo):
    bars = Bars(minutes(90), "UTC", intraday=True)
    yahoo.behave("BTC-USD", bars=bars)
    source = Earlier(session(yahoo.port), pause=0.005)
    for days in (84, 78, 72, 66, 60, 54, 48, 42, 36, 30, 24, 18, 12, 6, 0):  # a call in every week
        source.days = days
        prices = download("BTC-USD", interval="1m", source=source)
    assert prices["BTC-USD"].tolist() == bars.close.tolist()[-len(prices) :]
    assert len(prices) >= 10 * 89
    assert prices.attrs["facts"]["BTC-USD"]["notes"] == []
    part = download("BTC-USD", bars.close.index[-500], interval="1m", source=source)
    assert len(part) == 500
    assert len(download("BTC-USD", interval="1m", source=source)) == len(prices)


@pytest.mark.filterwarnings("ignore::forecast.data.yahoo.download.DownloadWarning")
@pytest.mark.parametrize("ratio", [4.0, 0.1])
def test_minute_bars_before_a_split_are_rescaled(ratio, yahoo):
    closes = minutes(20)
    source = Earlier(session(yahoo.port), pause=0.005)
    source.days = 13
    yahoo.behave("X", bars=Bars(closes, "UTC", intraday=True))
    download("X", interval="1m", source=source)
    source.days = 7
    split = closes.index[-90]
    adjusted = closes.where(closes.index >= split, closes / ratio)
    yahoo.behave("X", bars=Bars(adjusted, "UTC", intraday=True, splits={str(split): (ratio, 1.0)}))
    download("X", interval="1m", source=source)
    source.days = 0
    prices = download("X", interval="1m", source=source)
    assert np.allclose(prices["X"], adjusted.reindex(prices.index), rtol=1e-6)
    assert len(prices) == 200
    notes = prices.attrs["facts"]["X"]["notes"]
    assert any(f"were multiplied by {1 / ratio:g}" in note for note in notes)


def test_minute_bars_on_an_unknown_scale_are_not_joined_in_silence(yahoo):
    closes = minutes(30)
    source = Earlier(session(yahoo.port), pause=0.005)
    source.days = 20
    yahoo.behave("X", bars=Bars(closes, "UTC", intraday=True))
    first = download("X", interval="1m", source=source)
    source.days = 0
    with pytest.warns(DownloadWarning, match="there are no bars between .* a split in between would not be seen"):
        prices = download("X", interval="1m", source=source)
    assert len(prices) > len(first)
    assert any("no bars between" in note for note in prices.attrs["facts"]["X"]["notes"])
    changed = closes * np.random.default_rng(1).uniform(0.5, 2.0, len(closes))  # no single factor
    source.days = 14
    yahoo.behave("Y", bars=Bars(closes, "UTC", intraday=True))
    download("Y", interval="1m", source=source)
    source.days = 8
    yahoo.behave("Y", bars=Bars(changed, "UTC", intraday=True))
    with pytest.warns(DownloadWarning, match="may be on another scale than the newer ones"):
        download("Y", interval="1m", source=source)


@pytest.mark.filterwarnings("ignore:AAPL. .* no longer has")
def test_no_prices_or_fewer_prices_leave_the_cache(yahoo, folder):
    yahoo.behave("AAPL", bars=until_yesterday("AAPL"))
    prices = download("AAPL", source=client(yahoo))
    path = folder / "1d" / "AAPL.parquet"
    for fault in ("null rows", "no timestamps", "unknown for ever"):
        _expire(path)
        yahoo.behave("AAPL", fault)
        with pytest.warns(DownloadWarning, match=r"AAPL: nothing was added to the cached prices \("):
            assert download("AAPL", source=client(yahoo)).equals(prices)
    for fault in ("without start", "without end", "without middle"):
        yahoo.behave("AAPL", fault)
        download("AAPL", start="1990-01-01", source=client(yahoo))
    assert download("AAPL", offline=True).equals(prices)


def _expire(path):
    """Change the facts of a cache file, so that newer bars are requested."""
    _change_facts(path, fresh_until="2020-01-01T00:00:00+00:00")


def _change_facts(path, drop=(), **changes):
    ticker, interval = path.stem, path.parent.name
    cache = Cache("yahoo")
    cached = cache.read(ticker, interval)
    facts = {name: value for name, value in cached.facts.items() if name not in drop}
    with cache.lock(ticker, interval):
        cache.write(ticker, interval, History(cached.table, facts | changes))


def test_cache_of_an_earlier_layout_is_completed(yahoo, folder):
    bars = until_yesterday("VFINX")
    ex_date = bars.close.index[100]
    yahoo.behave("VFINX", bars=bars)
    prices = download("VFINX", source=client(yahoo))
    path = folder / "1d" / "VFINX.parquet"
    _change_facts(path, drop=("dividend_currencies", "last_trade"))
    assert download("VFINX", offline=True).equals(prices)
    bars.gains = {f"{ex_date:%Y-%m-%d}": 5.0}  # were not requested by the earlier layout
    completed = download("VFINX", fields="all", source=client(yahoo))
    assert completed["Capital Gains"]["VFINX"].sum() == 5.0
    requests = yahoo.requests["VFINX"]
    _change_facts(path, drop=("through", "fresh_until", "start", "notes"))
    with pytest.warns(DownloadWarning, match="VFINX was fetched again: its cache file could not be used, and is now"):
        assert len(download("VFINX", source=client(yahoo))) == len(prices)
    assert yahoo.requests["VFINX"] == requests + 1


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def _empty(path):
    path.write_bytes(b"")


def _change_numbers(path):
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    changed = table.to_pandas()
    changed.iloc[5, 3] *= 1.01
    pq.write_table(type(table).from_pandas(changed).replace_schema_metadata(table.schema.metadata), path)


def _replace_table(path):
    pd.DataFrame({"a": [1.0]}).to_parquet(path)


@pytest.mark.parametrize("damage", [_truncate, _empty, _change_numbers, _replace_table])
def test_damaged_cache_file_is_fetched_again(damage, yahoo, folder):
    yahoo.behave("AAPL")
    download("AAPL", end="2020-06-30", source=client(yahoo))
    damage(folder / "1d" / "AAPL.parquet")
    with pytest.raises(DownloadError, match=r"AAPL.parquet .* without offline it is fetched again"):
        download("AAPL", end="2020-06-30", offline=True)
    damaged = (folder / "1d" / "AAPL.parquet").read_bytes()
    yahoo.behave("AAPL", "500 for ever")
    with pytest.raises(DownloadError):
        download("AAPL", end="2020-06-30", source=client(yahoo, tries=1))
    assert (folder / "1d" / "AAPL.parquet").read_bytes() == damaged  # as long as nothing replaces it
    yahoo.behave("AAPL")
    yahoo.requests.clear()
    with pytest.warns(DownloadWarning, match=r"AAPL was fetched again: .* is now .*AAPL.damaged"):
        prices = download("AAPL", end="2020-06-30", source=client(yahoo))
    assert (folder / "1d" / "AAPL.damaged").read_bytes() == damaged  # it may hold bars that Yahoo no longer has
    assert prices["AAPL"].equals(yahoo.bars["AAPL"].close[:"2020-06-30"].rename("AAPL").rename_axis("Date"))
    assert yahoo.requests["AAPL"] == 1


def test_unwritable_cache_is_explained(yahoo, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FORECAST_CACHE", str(tmp_path / "file"))
    yahoo.behave("AAPL")
    with pytest.raises(DownloadError, match=r"AAPL: cannot write to the cache .*set FORECAST_CACHE"):
        download("AAPL", source=client(yahoo))


def test_special_characters_give_one_file_each(yahoo, folder):
    for name in ("^GSPC", "EURUSD=X", "BRK-B", "VOD.L"):
        yahoo.behave(name, bars=walk(name, rows=5))
    prices = download(["^GSPC", "EURUSD=X", "brk-b", "VOD.L"], source=client(yahoo))
    assert list(prices) == ["^GSPC", "EURUSD=X", "BRK-B", "VOD.L"]
    assert len(list(folder.rglob("*.parquet"))) == 4


# --- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tickers": ""}, "no ticker is named"),
        ({"tickers": []}, "no ticker is named"),
        ({"tickers": "BRK/B"}, "'BRK/B' is not a Yahoo symbol"),
        ({"tickers": "../X"}, "is not a Yahoo symbol"),
        ({"tickers": "A", "interval": "30m"}, "interval must be one of '1m', .*; got '30m'"),
        ({"tickers": "A", "adjust": "splits"}, "adjust must be one of 'auto', 'none'; got 'splits'"),
        ({"tickers": "A", "on_error": "ignore"}, "on_error must be"),
        ({"tickers": "A", "start": "tomorrow?"}, "start must be a date such as 2015-01-31; got 'tomorrow"),
        ({"tickers": "A", "start": 2015}, "start must be a date"),
        ({"tickers": "A", "start": "2020-02-01", "end": "2020-01-01"}, "start 2020-02-01 is after end 2020-01-01"),
    ],
)
def test_invalid_arguments_raise_before_any_request(arguments, message):
    with pytest.raises(ValueError, match=message):
        download(**arguments)


def test_tickers_are_parsed_from_text(yahoo):
    yahoo.behave("AAPL")
    yahoo.behave("MSFT")
    assert list(download("msft, AAPL msft", source=client(yahoo))) == ["MSFT", "AAPL"]
    with pytest.raises(TypeError, match="tickers must be text"):
        download([1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"tries": 0}, "tries"), ({"workers": 0}, "workers"), ({"pause": -1}, "pause"), ({"timeout": 0}, "timeout")],
)
def test_client_options_are_validated(arguments, message):
    with pytest.raises(ValueError, match=f"{message} must be"):
        Yahoo(**arguments)
