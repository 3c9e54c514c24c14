"""Yahoo's prices through yfinance's client: one request a ticker, asked again where Yahoo refuses for a while."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from typing import Any

import pandas as pd

from forecast.data.yahoo.chart import INTERVALS, History, is_intraday, read_chart

URL = "https://query2.finance.yahoo.com/v8/finance/chart/"
#: How far back Yahoo answers for bars shorter than a day.
REACH = {"1m": 7, "2m": 59, "5m": 59, "15m": 59, "1h": 729}
MARGIN = pd.Timedelta(days=2)  # asked for on both sides, as dates are those of the exchange; cut off afterwards


class Refused(Exception):
    """An answer that may be better next time, with its HTTP status."""

    def __init__(self, said: str, status: int) -> None:
        super().__init__(said)
        self.status = status


class Stopped(Exception):
    """Nothing more is to be asked for."""


class Yahoo:
    """How Yahoo is asked for prices: how often, how patiently, and through which session.

    `tries` requests are made for a ticker that is refused (429), fails (5xx, a time-out, a broken answer) or is
    answered with a page instead of data; the pause before the second is about `pause` seconds and doubles each time,
    with jitter; a refusal holds back all tickers, since it is meant for the caller. `workers` tickers are asked for at
    once. `session` is handed to yfinance (a curl_cffi or requests session, for a proxy or certificates of one's own).

    The transport is yfinance's (cookies, crumb, consent, a browser's fingerprint); the answer is read here, as
    `yfinance.download` turns errors into empty columns, keeps an error for a past range in a cache of the process, and
    asks twice for each ticker.
    """

    name = "yahoo"

    def __init__(
        self, session: Any = None, tries: int = 5, pause: float = 1.0, workers: int = 4, timeout: float = 30.0
    ) -> None:
        for name, value, least in (("tries", tries, 1), ("workers", workers, 1), ("pause", pause, 0)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}; got {value}")
        if timeout <= 0:
            raise ValueError(f"timeout must be above 0 seconds; got {timeout}")
        self.session = session
        self.tries = tries
        self.pause = pause
        self.workers = workers
        self.timeout = timeout
        self._free_at = 0.0  # of time.monotonic
        self._stop = threading.Event()

    def history(self, ticker: str, start: pd.Timestamp | None, end: pd.Timestamp | None, interval: str) -> History:
        """Fetch a ticker's bars from `start` to `end`, both included; None: from its listing, and up to now.

        Raises LookupError with Yahoo's own words if it has none, ConnectionError if it could not be asked.
        """
        for tried in range(1, self.tries + 1):
            self._wait()
            try:
                return self._ask(ticker, start, end, interval)
            except Refused as refused:
                if tried == self.tries:
                    times = "once" if tried == 1 else f"{tried} times"
                    raise ConnectionError(f"{refused} (asked {times}); try again later") from refused
                self._hold_back(self.pause * 2 ** (tried - 1) * random.uniform(0.5, 1.5), refused.status == 429)
        raise AssertionError("a try returns or raises")

    def stop(self) -> None:
        """Make waiting requests give up."""
        self._stop.set()

    def start(self) -> None:
        """Take requests again."""
        self._stop.clear()

    def _wait(self) -> None:
        if self._stop.wait(max(0.0, self._free_at - time.monotonic())):
            raise Stopped

    def _hold_back(self, seconds: float, everyone: bool) -> None:
        if everyone:
            self._free_at = max(self._free_at, time.monotonic() + seconds)
        elif self._stop.wait(seconds):
            raise Stopped

    def _ask(self, ticker: str, start: pd.Timestamp | None, end: pd.Timestamp | None, interval: str) -> History:
        now = pd.Timestamp.now("UTC")
        status, text = self._get(URL + ticker, _parameters(start, end, interval, now))
        try:
            chart = json.loads(text)["chart"]
            error, results = chart.get("error"), chart.get("result")
        except (ValueError, KeyError, TypeError, AttributeError):
            said = "Yahoo's server failed" if status >= 500 else "Yahoo answered something that is no price data"
            raise Refused(f"{said} (HTTP {status})", status) from None
        reason = (error or {}).get("description") or f"HTTP {status}"
        if status >= 500 or status in (401, 403, 408):
            raise Refused(f"Yahoo's server failed: {reason} (HTTP {status})", status)
        if error or status >= 400 or not results:
            raise LookupError(f"Yahoo has no such prices: {reason}")
        try:
            history = read_chart(results[0], interval, now)
        except (ValueError, KeyError, TypeError, ZeroDivisionError) as wrong:
            raise Refused(f"Yahoo's answer cannot be read: {wrong}", status) from wrong
        return _between(history, start, end)

    def _get(self, url: str, parameters: dict[str, Any]) -> tuple[int, str]:
        from yfinance.data import YfData
        from yfinance.exceptions import YFException, YFRateLimitError

        quiet = logging.getLogger("yfinance")
        if not quiet.handlers:  # what it would print by itself is in our errors; whoever asked for its log gets it
            quiet.addHandler(logging.NullHandler())
        client = YfData(session=self.session) if self.session is not None else YfData()
        try:
            response = client.get(url, params=parameters, timeout=self.timeout)
        except YFRateLimitError as error:
            raise Refused("Yahoo refuses further requests for now (HTTP 429)", 429) from error
        except (OSError, YFException) as error:  # requests' and curl_cffi's errors are OSErrors both
            raise Refused(f"Yahoo could not be reached ({type(error).__name__})", 0) from error
        return response.status_code, response.text


def _parameters(
    start: pd.Timestamp | None, end: pd.Timestamp | None, interval: str, now: pd.Timestamp
) -> dict[str, Any]:
    earliest = pd.Timestamp("1900-01-01") if not is_intraday(interval) else None
    if earliest is None:
        earliest = now.tz_localize(None).normalize() - pd.Timedelta(days=REACH[interval])
    first = max(earliest, start - MARGIN) if start is not None else earliest
    last = now if end is None else min(now, end.tz_localize("UTC") + MARGIN)
    return {
        "period1": int(first.timestamp()),
        "period2": int(last.timestamp()),
        "interval": interval,
        "includePrePost": "false",
        "events": "div,splits",
    }


def _between(history: History, start: pd.Timestamp | None, end: pd.Timestamp | None) -> History:
    table = history.table
    if start is not None:
        table = table[table.index >= start]
    if end is not None:
        table = table[table.index < end + pd.Timedelta(days=1)]
    if table.empty:
        raise LookupError("Yahoo has no prices in this range")
    facts = dict(history.facts, start=None if start is None else f"{start:%Y-%m-%d}")
    if end is not None and f"{end:%Y-%m-%d}" < facts["through"]:
        facts |= {"through": f"{end:%Y-%m-%d}", "fresh_until": facts["retrieved"]}  # later bars were not asked for
    return History(table, facts)


def check_interval(interval: str) -> None:
    """Raise ValueError for an interval that is not offered."""
    if interval not in INTERVALS:
        raise ValueError(f"interval must be one of {', '.join(INTERVALS)}; got {interval!r}")
