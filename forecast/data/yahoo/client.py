"""Fetch prices from Yahoo through yfinance's client: one request per ticker, retried after temporary failures."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from typing import Any

import pandas as pd

from forecast._validation import check_int, check_number
from forecast.data.yahoo.chart import History, NoPricesError, is_intraday, read_chart

URL = "https://query2.finance.yahoo.com/v8/finance/chart/"
#: Days of history that Yahoo has for bars shorter than a day.
INTRADAY_DAYS = {"1m": 7, "2m": 59, "5m": 59, "15m": 59, "1h": 729}
MARGIN = pd.Timedelta(days=2)  # requested on both sides, as dates are those of the exchange
MAX_CLOSED = pd.Timedelta(days=14)  # no exchange is closed longer: a response that ends earlier is incomplete
REFUSALS = (0, 401, 403, 429)  # statuses of a refusal or a missing connection, which concern every ticker
MAX_REFUSED = 3  # tickers in a row that are refused in all attempts before all others are given up


class _RetryableError(Exception):
    """A failure that may be temporary, with its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class BlockedError(ConnectionError):
    """No request is accepted at present, for any ticker."""


class _CancelledError(BlockedError):
    """The download was stopped while a request was waiting."""


class Yahoo:
    """Client of Yahoo's chart endpoint: number of attempts, pauses, concurrency and session.

    Parameters
    ----------
    session : requests or curl_cffi session, optional
        Passed to yfinance, for a proxy or own certificates. By default yfinance creates one.
    tries : int, default 5
        Attempts per ticker. A request is repeated after HTTP 429, a server error (5xx), a time-out, a malformed
        response, or a page in place of data.
    pause : float, default 1.0
        Seconds before the second attempt, with jitter; doubled before each further one. After HTTP 429, which concerns
        the caller and not the ticker, all tickers wait.
    workers : int, default 4
        Tickers fetched at the same time.
    timeout : float, default 30.0
        Seconds until a request times out.

    Notes
    -----
    The transport is yfinance's (cookies, crumb, consent, browser fingerprint), but the response is parsed here:
    `yfinance.download` turns errors into empty columns, caches an error for a past range within the process, and sends
    two requests per ticker.
    """

    name = "yahoo"

    def __init__(
        self, session: Any = None, tries: int = 5, pause: float = 1.0, workers: int = 4, timeout: float = 30.0
    ) -> None:
        check_int("tries", tries, 1)
        check_int("workers", workers, 1)
        check_number("pause", pause, 0)
        if timeout <= 0:
            raise ValueError(f"timeout must be above 0 seconds; got {timeout}")
        self.session = session
        self.tries = tries
        self.pause = pause
        self.workers = workers
        self.timeout = timeout
        self._free_at = 0.0  # no request before this value of time.monotonic()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._refused = 0  # tickers that were refused since the last response with prices

    def now(self) -> pd.Timestamp:
        """Return the current time, with its zone."""
        return pd.Timestamp.now("UTC")

    def history(self, ticker: str, start: pd.Timestamp | None, end: pd.Timestamp | None, interval: str) -> History:
        """Fetch a ticker's bars from `start` (None: its listing) to `end` (None: now), and the few around them.

        Raises NoPricesError with Yahoo's reason if there are none, ConnectionError if all attempts fail. After several
        tickers in a row that Yahoo refuses, this and all further calls raise BlockedError until `start` is called.
        """
        for attempt in range(1, self.tries + 1):
            self._wait()
            try:
                history = self._request(ticker, start, end, interval)
                self._refused = 0
                return history
            except NoPricesError:
                self._refused = 0
                raise
            except _RetryableError as error:
                if attempt == self.tries:
                    attempts = "1 attempt" if attempt == 1 else f"{attempt} attempts"
                    self._count_refusal(error)
                    raise ConnectionError(f"{error} after {attempts}; try again later") from error
                seconds = self.pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
                self._back_off(seconds, all_tickers=error.status == 429)
        raise AssertionError("the last attempt returns or raises")

    def start(self) -> None:
        """Accept requests again after `stop`, or after Yahoo refused them."""
        self._refused = 0
        self._stop.clear()

    def stop(self) -> None:
        """Cancel the requests that wait for their next attempt."""
        self._stop.set()

    def _count_refusal(self, error: _RetryableError) -> None:
        """Count a refused ticker; stop and raise BlockedError where every ticker is refused."""
        if error.status not in REFUSALS:
            return
        with self._lock:
            self._refused += 1
            is_blocked = self._refused >= MAX_REFUSED
        if is_blocked:
            self.stop()
            raise BlockedError(str(error)) from error

    def _wait(self) -> None:
        if self._stop.wait(max(0.0, self._free_at - time.monotonic())):
            raise _CancelledError

    def _back_off(self, seconds: float, all_tickers: bool) -> None:
        if all_tickers:
            self._free_at = max(self._free_at, time.monotonic() + seconds)
        elif self._stop.wait(seconds):
            raise _CancelledError

    def _request(self, ticker: str, start: pd.Timestamp | None, end: pd.Timestamp | None, interval: str) -> History:
        now = self.now()
        status, text = self._get(URL + ticker, _parameters(start, end, interval, now))
        try:
            chart = json.loads(text)["chart"]
            error, results = chart.get("error"), chart.get("result")
        except (ValueError, KeyError, TypeError, AttributeError):
            problem = "Yahoo's server failed" if status >= 500 else "Yahoo's response contains no price data"
            raise _RetryableError(f"{problem} (HTTP {status})", status) from None
        reason = (error or {}).get("description") or f"HTTP {status}"
        if status >= 500 or status in (401, 403, 408):
            raise _RetryableError(f"Yahoo's server failed: {reason} (HTTP {status})", status)
        if error or status >= 400 or not results:
            raise NoPricesError(f"Yahoo has no such prices: {reason}")
        try:
            history = read_chart(results[0], interval, now)
        except (ValueError, KeyError, TypeError, ZeroDivisionError) as malformed:
            raise _RetryableError(f"Yahoo's response cannot be read: {malformed}", status) from malformed
        return _describe_range(history, start, end)

    def _get(self, url: str, parameters: dict[str, Any]) -> tuple[int, str]:
        from yfinance.data import YfData
        from yfinance.exceptions import YFException, YFRateLimitError

        logger = logging.getLogger("yfinance")
        if not logger.handlers:  # our errors contain what it would print; a handler of the user stays
            logger.addHandler(logging.NullHandler())
        client = YfData(session=self.session) if self.session is not None else YfData()
        try:
            response = client.get(url, params=parameters, timeout=self.timeout)
        except YFRateLimitError as error:
            raise _RetryableError("Yahoo refuses further requests for now (HTTP 429)", 429) from error
        except (OSError, YFException) as error:  # the errors of requests and curl_cffi are OSErrors
            raise _RetryableError(f"Yahoo could not be reached ({type(error).__name__})", 0) from error
        return response.status_code, response.text


def _parameters(
    start: pd.Timestamp | None, end: pd.Timestamp | None, interval: str, now: pd.Timestamp
) -> dict[str, Any]:
    earliest = pd.Timestamp("1900-01-01")
    if is_intraday(interval):
        earliest = now.tz_localize(None).normalize() - pd.Timedelta(days=INTRADAY_DAYS[interval])
    first = earliest if start is None else max(earliest, start - MARGIN)
    last = now if end is None else min(now, end.tz_localize("UTC") + MARGIN)
    period = {"period1": int(first.timestamp()), "period2": int(last.timestamp())}
    return period | {"interval": interval, "includePrePost": "false", "events": "div,splits,capitalGains"}


def _describe_range(history: History, start: pd.Timestamp | None, end: pd.Timestamp | None) -> History:
    """Return a history with the facts that describe a request from `start` to `end`; further bars stay in it."""
    through = history.facts["through"] if end is None else min(f"{end:%Y-%m-%d}", history.facts["through"])
    last_trade = history.facts["last_trade"]
    latest = f"{history.table.index[-1] + MAX_CLOSED:%Y-%m-%d}"
    if latest < through and last_trade is not None and latest < last_trade:
        through = f"{history.table.index[-1]:%Y-%m-%d}"  # the response ends too early: the rest is requested again
    facts = dict(history.facts, start=None if start is None else f"{start:%Y-%m-%d}")
    if through < facts["through"]:
        facts |= {"through": through, "fresh_until": facts["retrieved"]}  # later bars were not requested
    return History(history.table, facts)
