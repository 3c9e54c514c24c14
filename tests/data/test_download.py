"""Prices through the real yfinance client from a local Yahoo that goes wrong in every way it can."""

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
    """The cache of this test alone; yfinance's own (of cookies) too."""
    import yfinance

    monkeypatch.setenv("FORECAST_CACHE", str(tmp_path / "cache"))
    yfinance.set_tz_cache_location(str(tmp_path / "yfinance"))
    return tmp_path / "cache" / "yahoo"


@pytest.fixture
def yahoo():
    server = LocalYahoo()
    yield server
    server.close()


def ask(server, **more):
    return Yahoo(session(server.port), **({"pause": 0.005, "timeout": 5.0} | more))


def until_yesterday(ticker, rows=300, zone="America/New_York", **more):
    """Bars whose last one is the last working day before today."""
    freq = "D" if zone == "UTC" else "B"
    yesterday = pd.Timestamp.now(zone).tz_localize(None).normalize() - pd.Timedelta(days=1)
    days = pd.date_range(end=yesterday, periods=rows, freq=freq)
    bars = walk(ticker, zone=zone, rows=rows, **more)
    return Bars(bars.close.set_axis(days), zone, **more)


def same(column, bars):
    return np.array_equal(column.dropna().to_numpy(), bars.close.to_numpy()) and column.dropna().index.equals(
        bars.close.index.rename("Date")
    )


# --- Yahoo goes wrong and comes back, or does not ---------------------------------------------------------------------

#: How an answer goes wrong for a while, and how many requests the client makes of one that does (it asks again itself
#: with another cookie after an error status).
PASSING = {
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
    "429": "refuses further requests for now (HTTP 429) (asked 3 times)",
    "500": "server failed: Internal server error (HTTP 500) (asked 3 times)",
    "500 page": "server failed (HTTP 502) (asked 3 times)",
    "page": "no price data (HTTP 200) (asked 3 times)",
    "hang up": "could not be reached (ConnectionError) (asked 3 times)",
    "truncated": "no price data (HTTP 200) (asked 3 times)",
    "lengths": "has 300 times but 299 values of Close (asked 3 times)",
    "no zone": "no time zone or no quotes (asked 3 times)",
    "slow 1": "could not be reached (ReadTimeout) (asked 3 times)",
    "unknown": "Yahoo has no such prices: No data found, symbol may be delisted",
    "no timestamps": "it has no prices in this range",
}


@pytest.mark.parametrize("transport", [session, browser_session])
@pytest.mark.parametrize("way", PASSING)
def test_what_passes_is_waited_for(way, transport, yahoo):
    yahoo.behave("AAPL", *[way] * PASSING[way])
    yahoo.behave("MSFT")
    source = Yahoo(transport(yahoo.port), pause=0.005, timeout=0.5)
    prices = download(["MSFT", "AAPL"], source=source)
    assert list(prices) == ["MSFT", "AAPL"]
    assert same(prices["AAPL"], yahoo.bars["AAPL"])
    assert same(prices["MSFT"], yahoo.bars["MSFT"])
    assert yahoo.requests == {"AAPL": PASSING[way] + 1, "MSFT": 1}  # none repeated that was answered


@pytest.mark.parametrize("way", REASONS)
def test_what_does_not_pass_is_one_error_naming_the_ticker(way, yahoo, folder):
    yahoo.behave("BAD", f"{way} for ever")
    yahoo.behave("MSFT")
    with pytest.raises(DownloadError) as caught:
        download("BAD,MSFT", source=ask(yahoo, tries=3, timeout=0.3))
    assert str(caught.value).startswith("1 of 2 tickers could not be had: BAD: ")
    assert REASONS[way] in str(caught.value)
    assert list(caught.value.reasons) == ["BAD"]
    assert [path.name for path in sorted(folder.rglob("*.parquet"))] == ["MSFT.parquet"]  # what came is kept


def test_the_client_says_nothing_by_itself(yahoo, folder):
    yahoo.behave("AAPL", "hang up for ever")
    code = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r})\nfrom yahoo_server import session\nimport forecast as fc\n"
        f"try: fc.download('AAPL', source=fc.Yahoo(session({yahoo.port}), tries=2, pause=0))\n"
        "except fc.DownloadError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "AAPL: Yahoo could not be reached" in said.stdout
    assert said.stderr == ""


def test_skipping_is_visible(yahoo):
    yahoo.behave("AAPL")
    with pytest.warns(DownloadWarning, match="left out: 2 of 3 tickers could not be had: NONE: .*; NIX: "):
        prices = download(["NONE", "AAPL", "NIX"], on_error="skip", source=ask(yahoo))
    assert list(prices) == ["AAPL"]
    assert list(prices.attrs["failed"]) == ["NONE", "NIX"]
    with pytest.raises(DownloadError, match="1 of 1"):  # nothing left is no table
        download("NONE", on_error="skip", source=ask(yahoo))


def test_two_hundred_tickers_one_in_five_refused_twice(yahoo):
    names = [f"T{i:03}" for i in np.random.default_rng(1).permutation(200)]
    for i, name in enumerate(names):
        yahoo.behave(name, *["429"] * (2 if i % 5 == 0 else 0), bars=walk(name, rows=30))
    seen = []
    prices = download(names, source=ask(yahoo), progress=lambda *done: seen.append(done))
    assert list(prices) == names
    assert all(same(prices[name], yahoo.bars[name]) for name in names)
    assert [yahoo.requests[name] for name in names] == [3 if i % 5 == 0 else 1 for i in range(200)]
    assert yahoo.most_at_once <= 4
    assert seen == [(i, 200) for i in range(1, 201)]


def test_a_refusal_holds_back_every_ticker(yahoo):
    yahoo.behave("A", "429", "429")
    yahoo.behave("B")
    began = time.monotonic()
    download(["A", "B"], source=ask(yahoo, pause=0.4, workers=1))
    assert time.monotonic() - began >= 0.2  # half of the pause at least, by its jitter


CHILD = """
import sys; sys.path.insert(0, {tests!r})
from helpers.yahoo_server import session
from forecast.data.yahoo.download import download
from forecast.data.yahoo.client import Yahoo
try:
    download([f"T{{i}}" for i in range(40)], source=Yahoo(session({port}), pause=.005))
except KeyboardInterrupt as stop:
    print(*stop.__notes__)
"""


def test_ctrl_c_keeps_what_is_done_and_the_next_call_goes_on(yahoo, folder):
    names = [f"T{i}" for i in range(40)]
    for name in names:
        yahoo.behave(name, "slow 0.2", bars=walk(name, rows=5))
    code = CHILD.format(tests=str(TESTS), port=yahoo.port)
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    while sum(yahoo.requests.values()) < 10:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=30)[0]
    kept = {path.stem for path in folder.rglob("*.parquet")}
    assert 0 < len(kept) < 40
    assert said == f"{len(kept)} of 40 tickers are kept; the same call goes on with the rest\n"
    yahoo.requests.clear()
    prices = download(names, end="2020-01-03", source=ask(yahoo))
    assert list(prices) == names
    assert set(yahoo.requests) == set(names) - kept


# --- what is in an answer ---------------------------------------------------------------------------------------------


def test_rows_without_prices_are_left_out_and_told(yahoo):
    bars = walk("AAPL", nulls=("2020-01-06", "2020-01-09"))
    yahoo.behave("AAPL", bars=bars)
    prices = download("AAPL", source=ask(yahoo))
    assert prices["AAPL"].notna().all()
    assert len(prices) == 298
    assert prices.attrs["facts"]["AAPL"]["notes"] == ["2 rows had no close, the first on 2020-01-06"]


def test_dividends_and_splits(yahoo):
    # The example of Yahoo's own help page: a split of 2:1 on February 18, a dividend of .08 on the 19th, in prices
    # that are adjusted for the split already, as Yahoo's closes are.
    days = pd.to_datetime(["2003-02-13", "2003-02-14", "2003-02-18", "2003-02-19"])
    bars = Bars(pd.Series([46.99 / 2, 48.30 / 2, 24.96, 24.53], index=days), dividends={"2003-02-19": 0.08})
    bars.splits = {"2003-02-18": (2, 1)}
    yahoo.behave("X", bars=bars)
    prices = download("X", source=ask(yahoo))
    assert prices["X"].round(2).tolist() == [23.42, 24.07, 24.88, 24.53]
    raw = download("X", adjust="none", fields="all", source=ask(yahoo))
    assert raw["Close"]["X"].tolist() == [23.495, 24.15, 24.96, 24.53]
    assert raw["Dividends"]["X"].tolist() == [0, 0, 0, 0.08]
    assert raw["Stock Splits"]["X"].tolist() == [0, 0, 2, 0]
    every = download("X", fields="all", source=ask(yahoo))
    ratio = every["Close"]["X"] / raw["Close"]["X"]
    for field in ("Open", "High", "Low"):
        assert np.allclose(every[field]["X"] / raw[field]["X"], ratio, rtol=1e-12)
    assert yahoo.requests["X"] == 3  # each call asked for the newest rows only: the adjustment is not stored


def test_a_dividend_on_a_day_without_a_price_is_not_lost(yahoo):
    bars = walk("AAPL", rows=10, nulls=("2020-01-08",), dividends={"2020-01-08": 1.0})
    yahoo.behave("AAPL", bars=bars)
    prices = download("AAPL", source=ask(yahoo))["AAPL"]
    before = bars.close["2020-01-07"]
    assert prices["2020-01-07"] == pytest.approx(before - 1.0)
    assert len(prices) == 9


def test_what_is_paid_after_the_end_is_not_in_the_prices(yahoo):
    bars = walk("AAPL", dividends={"2020-06-01": 2.0})
    yahoo.behave("AAPL", bars=bars)
    alone = download("AAPL", end="2020-04-30", source=ask(yahoo))
    assert alone["AAPL"].tolist() == bars.close[:"2020-04-30"].tolist()
    download("AAPL", source=ask(yahoo))
    assert download("AAPL", end="2020-04-30", source=ask(yahoo)).equals(alone)  # whatever is kept by now


def test_a_range_without_a_price_is_an_error_and_no_empty_column(yahoo):
    yahoo.behave("AAPL")
    yahoo.behave("LATE", bars=walk("LATE", start="2020-06-01"))
    download(["AAPL", "LATE"], source=ask(yahoo))
    with pytest.raises(DownloadError, match="1 of 2 tickers could not be had: LATE: it has no prices in this range"):
        download(["AAPL", "LATE"], end="2020-03-31", source=ask(yahoo))


def test_a_dividend_that_cannot_be(yahoo):
    yahoo.behave("AAPL", bars=walk("AAPL", dividends={"2020-01-08": 500.0}))
    with pytest.raises(DownloadError, match=r"AAPL: its dividend of 500 on 2020-01-08 does not fit .* adjust='none'"):
        download("AAPL", source=ask(yahoo))
    assert len(download("AAPL", adjust="none", source=ask(yahoo))) == 300


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/London", "Asia/Tokyo", "UTC"])
def test_the_bar_of_today_is_left_out_while_the_session_lasts(zone, yahoo):
    bars = until_yesterday("X", 20, zone)
    today = pd.Timestamp.now(zone).tz_localize(None).normalize()
    bars.close[today] = 123.0
    bars.live = True
    yahoo.behave("X", bars=bars)
    prices = download("X", source=ask(yahoo))
    assert prices["X"].to_numpy().tolist() == bars.close.iloc[:-1].tolist()
    assert f"the unfinished bar of {today:%Y-%m-%d} was left out" in prices.attrs["facts"]["X"]["notes"]
    download("X", source=ask(yahoo))
    assert yahoo.requests["X"] == 1  # before the session ends there is nothing new to fetch


def test_exchanges_of_the_world_stand_on_their_own_dates(yahoo):
    zones = {"AAPL": "America/New_York", "VOD.L": "Europe/London", "7203.T": "Asia/Tokyo", "BTC-USD": "UTC"}
    for name, zone in zones.items():
        yahoo.behave(name, bars=walk(name, rows=100, zone=zone))
    prices = download(list(zones), source=ask(yahoo))
    assert list(prices) == list(zones)
    assert all(same(prices[name], yahoo.bars[name]) for name in zones)
    facts = prices.attrs["facts"]
    assert {name: facts[name]["timezone"] for name in zones} == zones
    assert [facts[name]["currency"] for name in zones] == ["USD", "GBp", "JPY", "USD"]


def test_bars_below_a_day_bear_utc_times(yahoo):
    now = pd.Timestamp.now("UTC").tz_localize(None)
    hours = pd.date_range(end=now.floor("h"), periods=30, freq="h")  # the last one is not over
    yahoo.behave("X", bars=Bars(pd.Series(np.arange(30.0) + 100, index=hours), intraday=True))
    prices = download("X", interval="1h", source=ask(yahoo))
    assert prices.index.equals(hours[:-1].rename("Date"))
    assert prices["X"].tolist() == list(np.arange(29.0) + 100)


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_a_past_range_is_fetched_once(yahoo):
    yahoo.behave("AAPL")
    first = download("AAPL", "2020-02-03", "2020-06-30", source=ask(yahoo))
    assert [f"{day:%Y-%m-%d}" for day in first.index[[0, -1]]] == ["2020-02-03", "2020-06-30"]
    within = download("AAPL", "2020-03-02", "2020-05-29", source=ask(yahoo))
    assert within["AAPL"].equals(first["AAPL"]["2020-03-02":"2020-05-29"])
    assert yahoo.requests["AAPL"] == 1
    earlier = download("AAPL", "2020-01-02", "2020-05-29", source=ask(yahoo))
    assert len(earlier) > len(within)
    assert len(download("AAPL", "2020-01-02", "2020-06-30", source=ask(yahoo))) > len(first)  # the end was not lost
    assert yahoo.requests["AAPL"] == 2


def test_later_calls_fetch_only_the_end(yahoo):
    whole = until_yesterday("AAPL")
    yahoo.behave("AAPL", bars=Bars(whole.close[:-7]))
    download("AAPL", source=ask(yahoo))
    yahoo.behave("AAPL", bars=whole)
    assert same(download("AAPL", source=ask(yahoo))["AAPL"], whole)
    since = pd.Timestamp(int(yahoo.asked[-1][1]["period1"]), unit="s")
    assert whole.close.index[-20] < since < whole.close.index[-8]
    assert yahoo.requests["AAPL"] == 2


@pytest.mark.parametrize("how", ["split", "dividend", "corrected", "row"])
def test_a_restated_past_is_noticed_and_fetched_anew(how, yahoo):
    old, new = until_yesterday("AAPL"), until_yesterday("AAPL")
    if how == "split":  # all of the past is divided
        new.close /= 4
        new.splits = {f"{new.close.index[-2]:%Y-%m-%d}": (4, 1)}
    elif how == "dividend":
        new.dividends = {f"{new.close.index[-9]:%Y-%m-%d}": 0.5}
    elif how == "corrected":
        new.close.iloc[-6] *= 1.0001
    else:
        new.close = new.close.drop(new.close.index[-6])
    old.close = old.close[:-4]
    yahoo.behave("AAPL", bars=old)
    download("AAPL", source=ask(yahoo))
    yahoo.behave("AAPL", bars=new)
    with pytest.warns(DownloadWarning, match="AAPL: the past was restated"):
        prices = download("AAPL", adjust="none", source=ask(yahoo))
    assert same(prices["AAPL"], new)
    download("AAPL", source=ask(yahoo))  # without a warning


def test_a_failing_update_leaves_what_is_kept(yahoo, folder):
    yahoo.behave("AAPL")
    download("AAPL", source=ask(yahoo))
    before = (folder / "1d" / "AAPL.parquet").read_bytes()
    yahoo.behave("AAPL", "500 for ever")
    with pytest.raises(DownloadError):
        download("AAPL", source=ask(yahoo, tries=2))
    assert (folder / "1d" / "AAPL.parquet").read_bytes() == before
    assert same(download("AAPL", offline=True)["AAPL"], yahoo.bars["AAPL"])


def _download_forty(port):
    download([f"T{i}" for i in range(40)], end="2020-01-08", source=Yahoo(session(port), pause=0.005))


def test_two_processes_at_once_share_the_work(yahoo, folder):
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


def test_offline_takes_what_is_kept_and_asks_nobody(yahoo, folder):
    with pytest.raises(DownloadError, match=r"AAPL: nothing is kept of it in .*; ask without offline"):
        download("AAPL", offline=True)
    assert not folder.exists()
    yahoo.behave("AAPL")
    download("AAPL", "2020-02-03", "2020-06-30", source=ask(yahoo))
    assert len(download("AAPL", "2020-03-02", "2020-06-30", offline=True)) == 87
    for dates in (("2020-01-02", "2020-06-30"), ("2020-03-02", "2020-07-01"), (None, "2020-06-30")):
        with pytest.raises(DownloadError, match="only 2020-02-03 to 2020-06-30 is kept"):
            download("AAPL", *dates, offline=True)
    assert yahoo.requests["AAPL"] == 1


def _cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def _empty(path):
    path.write_bytes(b"")


def _other_numbers(path):
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    changed = table.to_pandas()
    changed.iloc[5, 3] *= 1.01
    pq.write_table(type(table).from_pandas(changed).replace_schema_metadata(table.schema.metadata), path)


def _another_table(path):
    pd.DataFrame({"a": [1.0]}).to_parquet(path)


@pytest.mark.parametrize("damage", [_cut, _empty, _other_numbers, _another_table])
def test_a_damaged_file_is_fetched_again_and_not_trusted(damage, yahoo, folder):
    yahoo.behave("AAPL")
    download("AAPL", end="2020-06-30", source=ask(yahoo))
    damage(folder / "1d" / "AAPL.parquet")
    with pytest.raises(DownloadError, match=r"AAPL.parquet .*: delete it"):
        download("AAPL", end="2020-06-30", offline=True)
    with pytest.warns(DownloadWarning, match="AAPL was fetched again"):
        prices = download("AAPL", end="2020-06-30", source=ask(yahoo))
    assert prices["AAPL"].equals(yahoo.bars["AAPL"].close[:"2020-06-30"].rename("AAPL").rename_axis("Date"))
    assert yahoo.requests["AAPL"] == 2


def test_a_cache_that_cannot_be_written_to_is_explained(yahoo, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FORECAST_CACHE", str(tmp_path / "file"))
    yahoo.behave("AAPL")
    with pytest.raises(DownloadError, match=r"AAPL: cannot write to the cache .*set FORECAST_CACHE"):
        download("AAPL", source=ask(yahoo))


def test_odd_letters_make_one_file_each(yahoo, folder):
    for name in ("^GSPC", "EURUSD=X", "BRK-B", "VOD.L"):
        yahoo.behave(name, bars=walk(name, rows=5))
    prices = download(["^GSPC", "EURUSD=X", "brk-b", "VOD.L"], source=ask(yahoo))
    assert list(prices) == ["^GSPC", "EURUSD=X", "BRK-B", "VOD.L"]
    assert len(list(folder.rglob("*.parquet"))) == 4


# --- what is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tickers": ""}, "no ticker is named"),
        ({"tickers": []}, "no ticker is named"),
        ({"tickers": "BRK/B"}, "'BRK/B' is no ticker as Yahoo writes them"),
        ({"tickers": "../X"}, "is no ticker"),
        ({"tickers": "A", "interval": "30m"}, "interval must be one of 1m, .*; got '30m'"),
        ({"tickers": "A", "adjust": "splits"}, "adjust must be 'auto' or 'none'; got 'splits'"),
        ({"tickers": "A", "on_error": "ignore"}, "on_error must be"),
        ({"tickers": "A", "start": "tomorrow?"}, "start must be a date such as 2015-01-31; got 'tomorrow"),
        ({"tickers": "A", "start": 2015}, "start must be a date"),
        ({"tickers": "A", "start": "2020-02-01", "end": "2020-01-01"}, "start 2020-02-01 lies after end 2020-01-01"),
    ],
)
def test_what_makes_no_sense_is_said_before_anybody_is_asked(arguments, message):
    with pytest.raises(ValueError, match=message):
        download(**arguments)


def test_names_may_stand_in_one_text_in_lower_case_and_twice(yahoo):
    yahoo.behave("AAPL")
    yahoo.behave("MSFT")
    assert list(download("msft, AAPL msft", source=ask(yahoo))) == ["MSFT", "AAPL"]
    with pytest.raises(TypeError, match="tickers must be text"):
        download([1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"tries": 0}, "tries"), ({"workers": 0}, "workers"), ({"pause": -1}, "pause"), ({"timeout": 0}, "timeout")],
)
def test_how_yahoo_is_asked_is_checked(arguments, message):
    with pytest.raises(ValueError, match=f"{message} must be"):
        Yahoo(**arguments)
