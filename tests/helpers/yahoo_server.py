"""A local Yahoo: hand-made answers of the chart endpoint's shape, and every way of it to go wrong.

`LocalYahoo()` serves on loopback; `session()` gives a requests session that carries every call of the real yfinance
client there. A ticker behaves as `behave(ticker, …)` says; each answer is made of `Bars`, which tests can change.
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
CLOSE = {"America/New_York": "16:00", "Europe/London": "16:30", "Asia/Tokyo": "15:30", "UTC": "23:59"}
CURRENCY = {"America/New_York": "USD", "Europe/London": "GBp", "Asia/Tokyo": "JPY", "UTC": "USD"}


@dataclass
class Bars:
    """What one ticker truly did: closes under its exchange's dates (or UTC times), events, and its exchange."""

    close: pd.Series
    zone: str = "America/New_York"
    dividends: dict[str, float] = field(default_factory=dict)
    splits: dict[str, tuple[float, float]] = field(default_factory=dict)
    nulls: tuple[str, ...] = ()  # dates whose row is there but empty
    live: bool = False  # the market is open: today's bar is unfinished, and comes twice
    intraday: bool = False

    def stamp(self, day) -> int:
        if self.intraday:
            return int(pd.Timestamp(day, tz="UTC").timestamp())
        return int(pd.Timestamp(f"{day:%Y-%m-%d} {OPEN[self.zone]}", tz=self.zone).timestamp())

    def session(self) -> dict[str, int]:
        """The regular session of today, or one that was over a day ago."""
        now = int(time.time())
        if self.live:
            return {"start": now - 3600, "end": now + 3600}
        return {"start": now - 86400 - 6 * 3600, "end": now - 86400}


def walk(ticker: str, start: str = "2020-01-02", rows: int = 300, zone: str = "America/New_York", **more) -> Bars:
    """A random walk that depends on the ticker's name alone, on weekdays (a coin: on all days)."""
    days = pd.date_range(start, periods=rows, freq="D" if zone == "UTC" else "B")
    noise = np.random.default_rng(zlib.crc32(ticker.encode())).normal(0, 0.01, rows)
    close = np.float32(100 * np.exp(noise.cumsum())).astype(float)  # Yahoo keeps single precision
    return Bars(pd.Series(close, index=days), zone, **more)


class LocalYahoo:
    """The server: `requests` counts the chart requests of each ticker, `asked` keeps their parameters in order."""

    def __init__(self) -> None:
        self.bars: dict[str, Bars] = {}
        self.ways: dict[str, list[str]] = {}
        self.requests: Counter[str] = Counter()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.at_once = 0
        self.most_at_once = 0
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

    def behave(self, ticker: str, *ways: str, bars: Bars | None = None) -> None:
        """Answer the next requests of a ticker in these ways, then healthily; the last may be "… for ever"."""
        self.bars[ticker] = bars if bars is not None else self.bars.get(ticker) or walk(ticker)
        self.ways[ticker] = list(ways)

    def way(self, ticker: str) -> str:
        with self.lock:
            left = self.ways.get(ticker, [])
            if not left:
                return "healthy" if ticker in self.bars else "unknown"
            return left[0].removesuffix(" for ever") if left[0].endswith(" for ever") else left.pop(0)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        yahoo = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path == "/v1/test/getcrumb":
                    return self.answer(200, "crumb")
                if not parts.path.startswith("/v8/finance/chart/"):
                    return self.answer(404, "<html></html>")
                ticker = unquote(parts.path.rsplit("/", 1)[1])
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                with yahoo.lock:
                    yahoo.requests[ticker] += 1
                    yahoo.asked.append((ticker, query))
                    yahoo.at_once += 1
                    yahoo.most_at_once = max(yahoo.most_at_once, yahoo.at_once)
                try:
                    self.chart(ticker, query)
                finally:
                    with yahoo.lock:
                        yahoo.at_once -= 1

            def chart(self, ticker: str, query: dict[str, str]) -> None:
                way = yahoo.way(ticker)
                if way == "unknown":
                    return self.answer(404, failure("Not Found", "No data found, symbol may be delisted"))
                if way == "429":
                    return self.answer(429, "Too Many Requests\r\n")
                if way == "500":
                    return self.answer(500, failure("Internal Server Error", "Internal server error"))
                if way == "500 page":
                    return self.answer(502, "<html><body>Bad Gateway</body></html>")
                if way == "page":
                    return self.answer(200, "<html><body>Will be right back...</body></html>")
                if way == "hang up":
                    self.close_connection = True
                    return self.connection.close()
                if way.startswith("slow "):
                    time.sleep(float(way.removeprefix("slow ")))
                text = json.dumps(
                    {"chart": {"result": [answer(ticker, yahoo.bars[ticker], query, way)], "error": None}}
                )
                return self.answer(200, text[: len(text) // 2] if way == "truncated" else text)

            def answer(self, status: int, text: str) -> None:
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


def answer(ticker: str, bars: Bars, query: dict[str, str], way: str) -> dict:
    """One result of the chart endpoint: the bars between period1 and period2."""
    since, until = (int(query.get(name, default)) for name, default in (("period1", -(10**10)), ("period2", 10**10)))
    rows = [(bars.stamp(day), day, price) for day, price in bars.close.items()]
    rows = [row for row in rows if since <= row[0] < until]
    empty = {pd.Timestamp(day) for day in bars.nulls}
    prices = [None if day in empty else price for _, day, price in rows]
    stamps = [stamp for stamp, _, _ in rows]
    if bars.live and rows:  # the latest trade once more, under its own time
        stamps.append(int(time.time()))
        prices.append(rows[-1][2] * 1.001)
    quote = {
        "open": [price and price * 0.995 for price in prices],
        "high": [price and price * 1.01 for price in prices],
        "low": [price and price * 0.99 for price in prices],
        "close": prices,
        "volume": [price and 1000 + i for i, price in enumerate(prices)],
    }
    if way == "lengths":
        quote["close"] = quote["close"][:-1]
    result = {"meta": meta(ticker, bars, query), "timestamp": stamps, "indicators": {"quote": [quote]}}
    if way == "no timestamps" or not stamps:
        del result["timestamp"]
        result["indicators"] = {"quote": [{}]}
    if way == "no zone":
        del result["meta"]["exchangeTimezoneName"]
    paid = {bars.stamp(pd.Timestamp(day)): amount for day, amount in bars.dividends.items()}
    split = {bars.stamp(pd.Timestamp(day)): ratio for day, ratio in bars.splits.items()}
    events = {
        "dividends": {str(at): {"amount": amount, "date": at} for at, amount in paid.items() if since <= at < until},
        "splits": {
            str(at): {"date": at, "numerator": new, "denominator": old, "splitRatio": f"{new:g}:{old:g}"}
            for at, (new, old) in split.items()
            if since <= at < until
        },
    }
    events = {kind: found for kind, found in events.items() if found}
    return result | ({"events": events} if events else {})


def meta(ticker: str, bars: Bars, query: dict[str, str]) -> dict:
    return {
        "currency": CURRENCY[bars.zone],
        "symbol": ticker,
        "instrumentType": "CRYPTOCURRENCY" if bars.zone == "UTC" else "EQUITY",
        "exchangeTimezoneName": bars.zone,
        "regularMarketTime": int(time.time()),
        "currentTradingPeriod": {"regular": bars.session()},
        "dataGranularity": query.get("interval", "1d"),
        "validRanges": ["1d", "5d", "1mo", "max"],
    }


class ToLoopback(HTTPAdapter):
    """Sends every request to the local server, whatever host it names."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__()

    def send(self, request, **options):  # type: ignore[override]
        parts = urlsplit(request.url)
        request.url = parts._replace(scheme="http", netloc=f"127.0.0.1:{self.port}").geturl()
        return super().send(request, **{**options, "proxies": {}})


def session(port: int) -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    for scheme in ("http://", "https://"):
        made.mount(scheme, ToLoopback(port))
    return made


def browser_session(port: int):
    """The same with curl_cffi, the transport that yfinance takes if it is given none."""
    from curl_cffi.requests import Session

    class Local(Session):
        def request(self, method, url, **options):
            parts = urlsplit(url)
            return super().request(
                method, parts._replace(scheme="http", netloc=f"127.0.0.1:{port}").geturl(), **options
            )

    return Local(impersonate="chrome", trust_env=False)
