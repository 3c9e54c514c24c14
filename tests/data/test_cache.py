"""The cache of prices: complete files under concurrent writers and kills, and the dates up to which data are final."""

import multiprocessing
import os
import signal
import time
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from helpers.yahoo_server import Bars, LocalYahoo, session

from forecast.data.yahoo.cache import Cache, DamagedError
from forecast.data.yahoo.chart import COLUMNS, History, read_chart
from forecast.data.yahoo.client import Yahoo
from forecast.data.yahoo.download import DownloadError, download

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FORECAST_CACHE", str(tmp_path))
    return Cache("yahoo")


def history(version, rows=2_000):
    """Return a history whose cells all equal its version."""
    index = pd.date_range("2015-01-01", periods=rows, name="Date")
    table = pd.DataFrame(np.full((rows, len(COLUMNS)), float(version)), index=index, columns=list(COLUMNS))
    return History(table, {"notes": [], "version": version})


def test_read_returns_what_was_written(cache):
    assert cache.read("A", "1d") is None
    with cache.lock("A", "1d"):
        cache.write("A", "1d", history(3))
    cached = cache.read("A", "1d")
    pd.testing.assert_frame_equal(cached.table, history(3).table, check_freq=False)
    assert cached.facts == history(3).facts


@pytest.mark.medium
def test_changed_bytes_are_detected_or_harmless(cache):
    with cache.lock("A", "1d"):
        cache.write("A", "1d", history(3, rows=50))
    path = cache.path("A", "1d")
    raw = path.read_bytes()
    detected = 0
    for at in np.random.default_rng(0).choice(len(raw), 300, replace=False):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 0x55]) + raw[at + 1 :])
        try:
            cached = cache.read("A", "1d")
        except DamagedError:
            detected += 1
            continue
        assert (cached.table.to_numpy() == 3).all()
        assert cached.table.index.equals(history(3, 50).table.index)
    assert detected > 150


def _write_repeatedly(cache, first):
    version = first
    while True:
        with cache.lock("A", "1d"):
            cache.write("A", "1d", history(version))
        version += 2


@pytest.mark.kill
def test_killed_writers_leave_complete_files(cache):
    with cache.lock("A", "1d"):
        cache.write("A", "1d", history(0))
    random = np.random.default_rng(5)
    versions = set()
    for _ in range(100):
        writers = [FORK.Process(target=_write_repeatedly, args=(cache, first)) for first in (1, 2)]
        for writer in writers:
            writer.start()
        time.sleep(random.uniform(0.005, 0.06))
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
        for writer in writers:
            writer.join()
        cached = cache.read("A", "1d")  # raises DamagedError if it is damaged
        assert (cached.table.to_numpy() == cached.facts["version"]).all()  # all from the same writer
        versions.add(cached.facts["version"])
    assert len(versions) > 2  # the writers did write
    with cache.lock("A", "1d"):  # killed processes hold no lock
        cache.write("A", "1d", history(7))
    assert cache.read("A", "1d").facts["version"] == 7
    names = {path.name for path in cache.path("A", "1d").parent.iterdir()}
    assert names <= {"A.parquet", "A.lock"}


def _read_repeatedly(cache, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        cached = cache.read("A", "1d")
        assert (cached.table.to_numpy() == cached.facts["version"]).all()


@pytest.mark.slow
def test_reader_sees_complete_files_during_writes(cache):
    with cache.lock("A", "1d"):
        cache.write("A", "1d", history(0))
    writers = [FORK.Process(target=_write_repeatedly, args=(cache, first)) for first in (1, 2)]
    for writer in writers:
        writer.start()
    try:
        _read_repeatedly(cache, 1.0)
    finally:
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()


# --- unfinished bars, and the time until which the cache is up to date -----------------------------------------------


def chart(days, zone="America/New_York", opens="09:30", session=None):
    stamps = [int(pd.Timestamp(f"{day} {opens}", tz=zone).timestamp()) for day in days]
    values = [100.0 + i for i in range(len(days))]
    quote = dict.fromkeys(("open", "high", "low", "close", "volume"), values)
    meta = {"exchangeTimezoneName": zone, "currency": "USD"}
    if session:
        ends = int(pd.Timestamp(session, tz=zone).timestamp())
        meta["currentTradingPeriod"] = {"regular": {"start": ends - 23_400, "end": ends}}
    return {"meta": meta, "timestamp": stamps, "indicators": {"quote": [quote]}}


DAYS = ["2024-03-06", "2024-03-07", "2024-03-08"]


@pytest.mark.parametrize(
    ("now", "rows", "through", "fresh_until"),
    [
        ("2024-03-08 12:00", 2, "2024-03-07", "2024-03-08 16:30"),
        ("2024-03-08 16:10", 2, "2024-03-07", "2024-03-08 16:30"),  # prices are delayed
        ("2024-03-08 16:31", 3, "2024-03-08", "2024-03-09 00:00"),
        ("2024-03-09 11:00", 3, "2024-03-08", "2024-03-10 00:00"),
    ],
)
def test_bar_of_today_waits_for_session_end(now, rows, through, fresh_until):
    now = pd.Timestamp(now, tz="America/New_York")
    parsed = read_chart(chart(DAYS, session="2024-03-08 16:00"), "1d", now)
    assert len(parsed.table) == rows
    assert parsed.facts["through"] == through
    assert pd.Timestamp(parsed.facts["fresh_until"]) == pd.Timestamp(fresh_until, tz="America/New_York")


def test_missing_bar_of_ended_session_is_not_fresh():
    now = pd.Timestamp("2024-03-08 17:00", tz="America/New_York")
    parsed = read_chart(chart(DAYS[:2], session="2024-03-08 16:00"), "1d", now)
    assert parsed.facts["through"] == "2024-03-07"
    assert pd.Timestamp(parsed.facts["fresh_until"]) == now


def test_unfinished_weeks_and_months_are_dropped():
    now = pd.Timestamp("2024-03-13 12:00", tz="America/New_York")
    weeks = chart(["2024-02-26", "2024-03-04", "2024-03-11"], opens="00:00", session="2024-03-13 16:00")
    assert len(read_chart(weeks, "1wk", now).table) == 2
    assert read_chart(weeks, "1wk", now).facts["through"] == "2024-03-10"
    months = chart(["2024-01-01", "2024-02-01", "2024-03-01"], opens="00:00", session="2024-03-13 16:00")
    assert len(read_chart(months, "1mo", now).table) == 2
    assert read_chart(months, "1mo", now).facts["through"] == "2024-02-29"


def test_day_that_begins_early_is_next_day():
    # as Yahoo returns for São Paulo around its last changes of the clock
    parsed = read_chart(
        chart(["2022-01-03", "2022-01-04"], "America/Sao_Paulo", "23:00"), "1d", pd.Timestamp("2024-01-01", tz="UTC")
    )
    assert [f"{day:%Y-%m-%d}" for day in parsed.table.index] == ["2022-01-04", "2022-01-05"]


def test_single_unfinished_bar_raises_lookup_error():
    now = pd.Timestamp("2024-03-08 12:00", tz="America/New_York")
    with pytest.raises(LookupError, match="no finished bar"):
        read_chart(chart(DAYS[2:], session="2024-03-08 16:00"), "1d", now)


# --- updates over a moving clock: no bar is lost, and none is joined on another scale without a note ------------------

HOURS = {"1m": 10, "1h": 6}  # bars of a day in the simulated markets
FAULTS = ("hang up", "500", "page", "no timestamps", "null rows", "truncated", "unknown")
PARTS = ("without start", "without end", "without middle")  # incomplete responses
STEPS = ("3min", "5h", "26h", "4D", "9D", "40D")


class Market:
    """One ticker whose bars, splits and corrections appear as the clock of a local server moves."""

    def __init__(self, server, interval, rng):
        self.server, self.interval, self.rng = server, interval, rng
        minute = pd.Timedelta(minutes=1)
        self.length = {"1m": minute, "1h": 60 * minute, "1d": 1440 * minute}[interval]
        self.now = pd.Timestamp("2026-01-14 15:00")
        server.clock = lambda: self.now.timestamp()
        days = pd.bdate_range("2025-10-01", "2027-12-31")
        if interval != "1d":
            opens = [day + pd.Timedelta(hours=14) for day in days]
            bars = np.arange(HOURS[interval]) * self.length.to_timedelta64()
            days = pd.DatetimeIndex(np.add.outer(pd.DatetimeIndex(opens).to_numpy(), bars).ravel())
        prices = np.float32(100 * np.exp(rng.normal(0, 0.01, len(days)).cumsum())).astype(float)
        self.raw = pd.Series(prices, index=days)
        self.first = self.raw.copy()  # before corrections and removals
        self.changed = pd.DatetimeIndex([])  # bars that the server has corrected
        self.splits = {}  # first bar on the new scale: the ratio, and when it appeared

    def closes(self):
        """Return the bars that have begun, adjusted for all splits so far."""
        closes = self.raw[self.raw.index <= self.now]
        return self.adjusted(closes, self.now)

    def adjusted(self, closes, now):
        """Return closes on the scale that the server had at a time."""
        for at, (ratio, since) in self.splits.items():
            if since <= now:
                closes = closes.where(closes.index >= at, closes / ratio)
        return closes

    def act(self):
        """Let time pass; perhaps split the shares, correct a bar or remove one; perhaps break the server."""
        rng = self.rng
        self.now += pd.Timedelta(str(rng.choice(STEPS)))
        event = rng.choice(["none", "none", "split", "correction", "removal"])
        recent = self.raw.index[self.raw.index <= self.now][-8:]
        if event == "split":
            self.splits.setdefault(recent[-1], (float(rng.choice([2, 4, 0.1])), self.now))
        elif event == "correction":
            self.raw[recent[2]] *= 1.003
            self.changed = self.changed.append(recent[2:3])
        elif event == "removal":
            self.raw = self.raw.drop(recent[3])
        faults = []
        if rng.random() < 0.5:
            faults = [str(rng.choice(FAULTS + PARTS)) if rng.random() < 0.6 else "none" for _ in range(2)]
        self.server.blocks = rng.random() < 0.1
        splits = {str(at): (ratio, 1.0) for at, (ratio, _) in self.splits.items()}
        self.server.behave("X", *faults, bars=Bars(self.closes(), "UTC", splits=splits, intraday=self.interval != "1d"))

    def arguments(self):
        """Return random dates for a call: none, a start, an end or both."""
        first, last = sorted(self.now.normalize() - pd.Timedelta(days=int(d)) for d in self.rng.integers(0, 60, 2))
        return [{}, {"start": first}, {"end": last}, {"start": first, "end": last}][self.rng.integers(4)]

    def received(self):
        """Return the finished bars that the server has sent since the last call."""
        stamps = sorted({stamp for _, stamps in self.server.sent for stamp in stamps})
        self.server.sent.clear()
        times = pd.to_datetime(np.array(stamps, dtype=np.int64), unit="s")
        return times[times + self.length <= self.now]


class MovingYahoo(Yahoo):
    """The client with the clock of a simulated market."""

    def __init__(self, market):
        super().__init__(session(market.server.port), tries=1, pause=0, timeout=5.0)
        self.market = market

    def now(self):
        return self.market.now.tz_localize("UTC")


@pytest.fixture(scope="module")
def server():
    local = LocalYahoo()
    yield local
    local.close()


@pytest.mark.filterwarnings("ignore::forecast.data.yahoo.download.DownloadWarning")
@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(6, 50))])
@pytest.mark.medium
def test_no_bar_is_lost_over_a_moving_clock(seed, cache, server, tmp_path):
    import yfinance

    yfinance.set_tz_cache_location(str(tmp_path / "yfinance"))
    interval = ("1m", "1h", "1d")[seed % 3]
    market = Market(server, interval, np.random.default_rng(seed))
    known = pd.DatetimeIndex([])
    calls = 0
    for _ in range(10):
        market.act()
        with suppress(DownloadError):
            download("X", interval=interval, adjust="none", source=MovingYahoo(market), **market.arguments())
            calls += 1
        known = known.union(market.received())
        cached = cache.read("X", interval)
        if cached is None:
            assert len(known) == 0
            continue
        closes = cached.table["Close"].dropna()
        assert closes.index.is_monotonic_increasing
        assert closes.index.is_unique
        assert known.difference(closes.index).empty, "a bar was lost"
        known = known.union(closes.index)
        check_scale(cached, market)
    assert calls > 0


def check_scale(cached, market):
    """Check that all bars since the last noted seam are on one scale: that of the server when they were fetched."""
    noted = [date for date, note in cached.facts.get("seams", {}).items() if "scale" in note or "between" in note]
    closes = cached.table["Close"].dropna()
    closes = closes[closes.index >= pd.Timestamp(max(noted, default="1900-01-01"))]
    closes = closes.drop(closes.index.intersection(market.changed))
    retrieved = pd.Timestamp(cached.facts["retrieved"]).tz_localize(None)
    expected = market.adjusted(market.first[closes.index], retrieved)
    assert np.allclose(closes, expected, rtol=1e-5), "bars of two scales were joined"
