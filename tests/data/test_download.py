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


def test_refusal_delays_all_tickers(yahoo):
    yahoo.behave("A", "429", "429")
    yahoo.behave("B")
    started = time.monotonic()
    download(["A", "B"], source=client(yahoo, pause=0.4, workers=1))
    assert time.monotonic() - started >= 0.2  # jitter leaves at least half of the pause


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
    with pytest.warns(DownloadWarning, match=r"AAPL was fetched again: .* is now .*AAPL.damaged"):
        prices = download("AAPL", end="2020-06-30", source=client(yahoo))
    assert (folder / "1d" / "AAPL.damaged").read_bytes() == damaged  # it may hold bars that Yahoo no longer has
    assert prices["AAPL"].equals(yahoo.bars["AAPL"].close[:"2020-06-30"].rename("AAPL").rename_axis("Date"))
    assert yahoo.requests["AAPL"] == 2


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
