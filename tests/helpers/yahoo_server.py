"""A local Yahoo server: synthetic responses of the chart endpoint, and the faults that the real one shows.

`LocalYahoo()` serves on loopback; `session()` returns a requests session that redirects every call of the real yfinance
client to it. `behave(ticker, …)` sets the faults of a ticker; each response is built from its `Bars`, which tests may
change. `clock` is the server's time, and `sent` has the bars with a price of each response.
"""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pandas as pd
import requests
from requests.adapters import HTTPAdapter

OPEN = {"America/New_York": "09:30", "Europe/London": "08:00", "Asia/Tokyo": "09:00", "UTC": "00:00"}
CURRENCY = {"America/New_York": "USD", "Europe/London": "GBp", "Asia/Tokyo": "JPY", "UTC": "USD"}


@dataclass
class Bars:
    """True history of one ticker: closes by date of its exchange (or UTC time), dividends, splits and exchange."""

    close: pd.Series
    zone: str = "America/New_York"
    dividends: dict[str, float] = field(default_factory=dict)
    gains: dict[str, float] = field(default_factory=dict)  # capital gains of a fund
    paid_in: str | None = None  # currency of the dividends, where the response has it
    currency: str | None = None  # of the prices; by default that of the exchange
    splits: dict[str, tuple[float, float]] = field(default_factory=dict)
    nulls: tuple[str, ...] = ()  # dates whose row is present but empty
    live: bool = False  # the market is open: today's bar is unfinished, and sent twice
    intraday: bool = False

    def stamp(self, day) -> int:
        if self.intraday:
            return int(pd.Timestamp(day, tz="UTC").timestamp())
        return int(pd.Timestamp(f"{day:%Y-%m-%d} {OPEN[self.zone]}", tz=self.zone).timestamp())

    def session(self, now: int) -> dict[str, int]:
        """Return the regular session of today, or one that ended a day ago."""
        if self.live:
            return {"start": now - 3600, "end": now + 3600}
        return {"start": now - 86400 - 6 * 3600, "end": now - 86400}


def walk(ticker: str, start: str = "2020-01-02", rows: int = 300, zone: str = "America/New_York", **options) -> Bars:
    """Return a random walk seeded by the ticker's name, on weekdays (in UTC: on all days)."""
    days = pd.date_range(start, periods=rows, freq="D" if zone == "UTC" else "B")
    noise = np.random.default_rng(zlib.crc32(ticker.encode())).normal(0, 0.01, rows)
    close = np.float32(100 * np.exp(noise.cumsum())).astype(float)  # Yahoo stores single precision
    return Bars(pd.Series(close, index=days), zone, **options)


class LocalYahoo:
    """Server on loopback: `requests` counts the chart requests per ticker, `queries` lists their parameters."""

    def __init__(self) -> None:
        self.bars: dict[str, Bars] = {}
        self.faults: dict[str, list[str]] = {}
        self.requests: Counter[str] = Counter()
        self.queries: list[tuple[str, dict[str, str]]] = []
        self.sent: list[tuple[str, list[int]]] = []  # tickers, and the times of the bars that were sent
        self.blocks = False  # whether every request is refused
        self.clock = time.time
        self.n_active = 0
        self.max_active = 0
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def behave(self, ticker: str, *faults: str, bars: Bars | None = None) -> None:
        """Respond to the next requests of a ticker with these faults, then correctly; the last may be "… for ever"."""
        self.bars[ticker] = bars if bars is not None else self.bars.get(ticker) or walk(ticker)
        self.faults[ticker] = list(faults)

    def next_fault(self, ticker: str) -> str:
        with self.lock:
            faults = self.faults.get(ticker, [])
            if not faults:
                return "none" if ticker in self.bars else "unknown"
            return faults[0].removesuffix(" for ever") if faults[0].endswith(" for ever") else faults.pop(0)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        yahoo = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path == "/v1/test/getcrumb":
                    return self.respond(200, "crumb")
                if not parts.path.startswith("/v8/finance/chart/"):
                    return self.respond(404, "<html></html>")
                ticker = unquote(parts.path.rsplit("/", 1)[1])
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                with yahoo.lock:
                    yahoo.requests[ticker] += 1
                    yahoo.queries.append((ticker, query))
                    yahoo.n_active += 1
                    yahoo.max_active = max(yahoo.max_active, yahoo.n_active)
                try:
                    self.chart(ticker, query)
                finally:
                    with yahoo.lock:
                        yahoo.n_active -= 1

            def chart(self, ticker: str, query: dict[str, str]) -> None:
                fault = "429" if yahoo.blocks else yahoo.next_fault(ticker)
                if fault == "unknown":
                    return self.respond(404, failure("Not Found", "No data found, symbol may be delisted"))
                if fault == "429":
                    return self.respond(429, "Too Many Requests\r\n")
                if fault == "500":
                    return self.respond(500, failure("Internal Server Error", "Internal server error"))
                if fault == "500 page":
                    return self.respond(502, "<html><body>Bad Gateway</body></html>")
                if fault == "page":
                    return self.respond(200, "<html><body>Will be right back...</body></html>")
                if fault == "hang up":
                    self.close_connection = True
                    return self.connection.close()
                if fault.startswith("slow "):
                    time.sleep(float(fault.removeprefix("slow ")))
                result = chart_result(ticker, yahoo.bars[ticker], query, fault, int(yahoo.clock()))
                text = json.dumps({"chart": {"result": [result], "error": None}})
                if fault == "truncated":
                    return self.respond(200, text[: len(text) // 2])
                closes = result["indicators"]["quote"][0].get("close", [])
                times = [
                    at for at, close in zip(result.get("timestamp", []), closes, strict=False) if close is not None
                ]
                yahoo.sent.append((ticker, times))
                return self.respond(200, text)

            def respond(self, status: int, text: str) -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def failure(code: str, description: str) -> str:
    return json.dumps({"chart": {"result": None, "error": {"code": code, "description": description}}})


def chart_result(ticker: str, bars: Bars, query: dict[str, str], fault: str, now: int) -> dict:
    """Return a result of the chart endpoint: the bars between period1 and period2."""
    since, until = (int(query.get(name, default)) for name, default in (("period1", -(10**10)), ("period2", 10**10)))
    rows = [(bars.stamp(day), day, price) for day, price in bars.close.items()]
    rows = [row for row in rows if since <= row[0] < until]
    if fault.startswith("without "):  # an incomplete response: without the first or the last half, or the middle
        third, half = len(rows) // 3, len(rows) // 2
        rows = {"start": rows[half:], "end": rows[:half], "middle": rows[:third] + rows[2 * third :]}[fault[8:]]
    empty = {pd.Timestamp(day) for day in bars.nulls}
    prices = [None if day in empty or fault == "null rows" else price for _, day, price in rows]
    stamps = [stamp for stamp, _, _ in rows]
    if bars.live and rows:  # the latest trade again, under its own time
        stamps.append(now)
        prices.append(rows[-1][2] * 1.001)
    quote = {
        "open": [price and price * 0.995 for price in prices],
        "high": [price and price * 1.01 for price in prices],
        "low": [price and price * 0.99 for price in prices],
        "close": prices,
        "volume": [price and 1000 + i for i, price in enumerate(prices)],
    }
    if fault == "lengths":
        quote["close"] = quote["close"][:-1]
    result = {"meta": meta(ticker, bars, query, now), "timestamp": stamps, "indicators": {"quote": [quote]}}
    if fault == "no timestamps" or not stamps:
        del result["timestamp"]
        result["indicators"] = {"quote": [{}]}
    if fault == "no zone":
        del result["meta"]["exchangeTimezoneName"]
    paid = {bars.stamp(pd.Timestamp(day)): amount for day, amount in bars.dividends.items()}
    gains = {bars.stamp(pd.Timestamp(day)): amount for day, amount in bars.gains.items()}
    split = {bars.stamp(pd.Timestamp(day)): ratio for day, ratio in bars.splits.items()}
    events = {
        "dividends": {str(at): {"amount": amount, "date": at} for at, amount in paid.items() if since <= at < until},
        "capitalGains": {
            str(at): {"amount": amount, "date": at} for at, amount in gains.items() if since <= at < until
        },
        "splits": {
            str(at): {"date": at, "numerator": new, "denominator": old, "splitRatio": f"{new:g}:{old:g}"}
            for at, (new, old) in split.items()
            if since <= at < until
        },
    }
    requested = {"div": "dividends", "capitalGains": "capitalGains", "splits": "splits"}
    kinds = {requested[name] for name in query.get("events", "").split(",") if name}
    events = {kind: entries for kind, entries in events.items() if entries and kind in kinds}
    if bars.paid_in is not None:
        for event in events.get("dividends", {}).values():
            event["currency"] = bars.paid_in
    return result | ({"events": events} if events else {})


def meta(ticker: str, bars: Bars, query: dict[str, str], now: int) -> dict:
    return {
        "currency": bars.currency or CURRENCY[bars.zone],
        "symbol": ticker,
        "instrumentType": "CRYPTOCURRENCY" if bars.zone == "UTC" else "EQUITY",
        "exchangeTimezoneName": bars.zone,
        "regularMarketTime": now,
        "currentTradingPeriod": {"regular": bars.session(now)},
        "dataGranularity": query.get("interval", "1d"),
        "validRanges": ["1d", "5d", "1mo", "max"],
    }


class LoopbackAdapter(HTTPAdapter):
    """Adapter that sends every request to the local server, whatever its host."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__()

    def send(self, request, **options):  # type: ignore[override]
        parts = urlsplit(request.url)
        request.url = parts._replace(scheme="http", netloc=f"127.0.0.1:{self.port}").geturl()
        return super().send(request, **{**options, "proxies": {}})


def session(port: int) -> requests.Session:
    local = requests.Session()
    local.trust_env = False
    for scheme in ("http://", "https://"):
        local.mount(scheme, LoopbackAdapter(port))
    return local


def browser_session(port: int):
    """Return such a session of curl_cffi, yfinance's default transport."""
    from curl_cffi.requests import Session

    class Local(Session):
        def request(self, method, url, **options):
            parts = urlsplit(url)
            return super().request(
                method, parts._replace(scheme="http", netloc=f"127.0.0.1:{port}").geturl(), **options
            )

    return Local(impersonate="chrome", trust_env=False)
