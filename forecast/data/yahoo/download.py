"""Download prices of many tickers into one table, through a cache of which only the missing end is fetched."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forecast._validation import check_choice
from forecast.data.files import pick_fields
from forecast.data.panel import format_date
from forecast.data.yahoo.adjust import adjust_for_dividends
from forecast.data.yahoo.cache import Cache, DamagedError
from forecast.data.yahoo.chart import EVENTS, INTERVALS, PRICES, History, slice_dates
from forecast.data.yahoo.client import Yahoo

OVERLAP = 10  # cached rows that are fetched again, to detect a restated past
TOLERANCE = 1e-6  # relative; Yahoo stores prices in single precision


class DownloadError(ValueError):
    """Tickers that could not be downloaded; `reasons` maps each to its reason."""

    def __init__(self, reasons: dict[str, str], requested: int) -> None:
        self.reasons = reasons
        details = "; ".join(f"{ticker}: {reason}" for ticker, reason in reasons.items())
        super().__init__(f"{len(reasons)} of {requested} tickers could not be downloaded: {details}")


class DownloadWarning(UserWarning):
    """Tickers that were left out, or cached prices that were replaced."""


def download(
    tickers: str | Sequence[str],
    start: Any = None,
    end: Any = None,
    interval: str = "1d",
    adjust: str = "auto",
    fields: str | None = None,
    on_error: str = "raise",
    offline: bool = False,
    source: Yahoo | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Download prices from Yahoo into a table with a row per date and a column per ticker.

    Parameters
    ----------
    tickers : str or sequence of str
        Yahoo's symbols, in a list or separated by commas.
    start, end : date-like, optional
        First and last date, both included. By default all history up to now.
    interval : str, default "1d"
        1d, 1wk or 1mo; or, for recent days only, 1m, 2m, 5m, 15m or 1h.
    adjust : {"auto", "none"}, default "auto"
        "auto" adjusts all prices for dividends (see `forecast.data.yahoo.adjust`). "none" returns Yahoo's quotes, which
        are adjusted for splits only. For 1wk and 1mo the adjustment uses the close of the last bar and approximates
        Yahoo's.
    fields : str, optional
        By default the closes; a name such as "Open" selects that field, "all" every field including dividends and
        splits, under (field, ticker) columns.
    on_error : {"raise", "skip"}, default "raise"
        "skip" leaves out tickers that fail, with a DownloadWarning, and lists them in `attrs["failed"]`.
    offline : bool, default False
        Use the cache only; send no request.
    source : Yahoo, optional
        Client with its number of attempts, pauses and session.
    progress : callable, optional
        Called with the number of finished tickers and of all tickers.

    Returns
    -------
    pandas.DataFrame
        Columns in the order of `tickers`. The index has dates of each exchange, or UTC times for bars shorter than a
        day; a ticker that does not trade on a date is NaN there. A bar that is not finished is left out.
        `attrs["facts"]` has each ticker's currency, time zone, time of retrieval and notes on rows left out.

    Raises
    ------
    DownloadError
        A ValueError that names each ticker that failed and the reason.

    Notes
    -----
    Raw bars are cached on disk, in FORECAST_CACHE or else the user's cache folder, and only missing bars are fetched.
    If the newest cached bars differ from Yahoo's, all are fetched again, with a DownloadWarning. After Ctrl-C the
    finished tickers stay in the cache.
    """
    names = _parse_tickers(tickers)
    check_choice("interval", interval, tuple(INTERVALS))
    check_choice("adjust", adjust, ("auto", "none"))
    check_choice("on_error", on_error, ("raise", "skip"))
    first, last = _parse_date(start, "start"), _parse_date(end, "end")
    if first is not None and last is not None and first > last:
        raise ValueError(f"start {format_date(first)} is after end {format_date(last)}: swap them")
    source = Yahoo() if source is None else source
    cached_source = _CachedSource(source, Cache(source.name), first, last, interval, offline)
    histories, failed = _fetch_all(names, cached_source, progress)
    if cached_source.messages:
        warnings.warn("; ".join(cached_source.messages), DownloadWarning, stacklevel=2)
    tables = {}
    for name, history in histories.items():
        try:
            # Sliced before the adjustment: prices must not depend on dividends after `end` that are in the cache.
            table = slice_dates(history.table, first, last)
            if table["Close"].isna().all():
                raise ValueError("it has no prices in this range")
            tables[name] = adjust_for_dividends(table) if adjust == "auto" else table
        except ValueError as error:
            failed[name] = str(error)
    failed = {name: failed[name] for name in names if name in failed}
    if failed and (on_error == "raise" or not tables):
        raise DownloadError(failed, len(names))
    if failed:
        warnings.warn(f"left out: {DownloadError(failed, len(names))}", DownloadWarning, stacklevel=2)
    tables = {name: tables[name] for name in names if name in tables}
    prices = _join(tables, fields)
    prices.attrs = {
        "source": f"{source.name}:{','.join(tables)}",
        "facts": {name: histories[name].facts | {"adjust": adjust} for name in tables},
    } | ({"failed": failed} if failed else {})
    return prices


@dataclass
class _CachedSource:
    """Source of histories that reads from the cache and fetches only what is missing there."""

    source: Yahoo
    cache: Cache
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    interval: str
    offline: bool
    messages: list[str] = field(default_factory=list)  # warnings for the caller

    def get(self, ticker: str) -> History:
        """Return the history of a ticker, and update the cache."""
        if self.offline:
            return self._get_offline(ticker)
        with self.cache.lock(ticker, self.interval):
            try:
                cached = self.cache.read(ticker, self.interval)
            except DamagedError as error:
                self.messages.append(f"{ticker} was fetched again: {error}")
                cached = None
            missing = self._missing(cached)
            if cached is not None and missing == "nothing":
                return cached
            history = self._fetch_end(ticker, cached) if cached is not None and missing == "end" else None
            if history is None:
                history = self.source.history(ticker, self.first, self._end_of_fetch(cached), self.interval)
            self.cache.write(ticker, self.interval, history)
            return history

    def _get_offline(self, ticker: str) -> History:
        cached = self.cache.read(ticker, self.interval)
        if cached is None:
            raise LookupError(f"it is not in the cache {self.cache.folder}; download it without offline first")
        through = cached.facts["through"]
        if self._starts_too_late(cached) or (self.last is not None and format_date(self.last) > through):
            since = cached.facts["start"] or "its listing"
            raise LookupError(
                f"the cache has only {since} to {through}; choose dates in this range, or download without offline"
            )
        return cached

    def _starts_too_late(self, cached: History) -> bool:
        since = cached.facts["start"]  # None: from its listing
        return since is not None and (self.first is None or format_date(self.first) < since)

    def _missing(self, cached: History | None) -> str:
        """Return what has to be fetched: "nothing", "end" or "all"."""
        if cached is None or self._starts_too_late(cached):
            return "all"
        if self.last is not None and format_date(self.last) <= cached.facts["through"]:
            return "nothing"
        return "nothing" if pd.Timestamp.now("UTC") < pd.Timestamp(cached.facts["fresh_until"]) else "end"

    def _end_of_fetch(self, cached: History | None) -> pd.Timestamp | None:
        """Return the last date when all is fetched: no earlier than the cached end, so the cache never shrinks."""
        if cached is None or self.last is None:
            return self.last
        return max(self.last, pd.Timestamp(cached.facts["through"]))

    def _fetch_end(self, ticker: str, cached: History) -> History | None:
        """Fetch the bars from a few rows before the cached end and append them; None if those rows have changed."""
        since = cached.table.index[-OVERLAP:][0].normalize()
        fresh = self.source.history(ticker, since, self.last, self.interval)
        difference = _first_difference(cached.table[cached.table.index >= since], fresh.table)
        if difference is not None:
            self.messages.append(f"{ticker}: the past was restated ({difference}), so all of it was fetched again")
            return None
        table = pd.concat([cached.table[cached.table.index < since], fresh.table])
        notes = [note for note in cached.facts["notes"] if "unfinished" not in note]
        facts = fresh.facts | {
            "start": cached.facts["start"],
            "notes": list(dict.fromkeys([*notes, *fresh.facts["notes"]])),
            "through": max(cached.facts["through"], fresh.facts["through"]),
        }
        return History(table, facts)


def _first_difference(cached: pd.DataFrame, fresh: pd.DataFrame) -> str | None:
    """Describe the first difference between cached bars and the same bars fetched again; None if there is none."""
    fresh = fresh[fresh.index <= cached.index[-1]]
    if not fresh.index.equals(cached.index):
        date = cached.index.symmetric_difference(fresh.index)[0]
        return f"{format_date(date)} was {'removed' if date in cached.index else 'added'}"
    for name in (*PRICES, *EVENTS):
        old, new = cached[name].to_numpy(), fresh[name].to_numpy()
        differs = ~np.isclose(old, new, rtol=TOLERANCE, atol=0, equal_nan=True)
        if differs.any():
            row = int(differs.argmax())
            return f"{name} of {format_date(cached.index[row])} was {old[row]:.6g} and is {new[row]:.6g}"
    return None


def _fetch_all(
    names: list[str], cached_source: _CachedSource, progress: Callable[[int, int], None] | None
) -> tuple[dict[str, History], dict[str, str]]:
    """Fetch all tickers, several at a time; return the histories, and the reasons of those that failed."""
    source = cached_source.source
    histories: dict[str, History] = {}
    failed: dict[str, str] = {}
    source.start()
    pool = ThreadPoolExecutor(source.workers)
    jobs = {pool.submit(cached_source.get, name): name for name in names}
    try:
        for done, job in enumerate(as_completed(jobs), start=1):
            try:
                histories[jobs[job]] = job.result()
            except (LookupError, ConnectionError, ValueError) as error:
                failed[jobs[job]] = str(error)
            if progress is not None:
                progress(done, len(names))
    except KeyboardInterrupt as error:
        source.stop()
        pool.shutdown(wait=True, cancel_futures=True)
        finished = sum(job.done() and not job.cancelled() and job.exception() is None for job in jobs)
        error.add_note(f"{finished} of {len(names)} tickers are in the cache; the same call fetches the rest")
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return histories, failed


def _join(tables: dict[str, pd.DataFrame], fields: str | None) -> pd.DataFrame:
    """Join the tickers' tables over all their dates, and select the fields."""
    wide = pd.concat(tables, axis=1, sort=True).swaplevel(axis=1)
    wide = wide[wide["Close"].notna().any(axis=1)]
    ordered = wide.reindex(columns=[(column, name) for column in (*PRICES, "Volume", *EVENTS) for name in tables])
    return pick_fields(ordered, fields)


def _parse_tickers(tickers: str | Sequence[str]) -> list[str]:
    """Return the tickers in capitals, without duplicates."""
    words = re.split(r"[,\s]+", tickers) if isinstance(tickers, str) else list(tickers)
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"tickers must be text such as 'AAPL'; got {word!r}")
    names = list(dict.fromkeys(word.strip().upper() for word in words if word.strip()))
    if not names:
        raise ValueError("no ticker is named: use Yahoo's symbols, such as AAPL,MSFT")
    invalid = next((name for name in names if not re.fullmatch(r"[A-Z0-9^][A-Z0-9.\-=^&_]*", name)), None)
    if invalid is not None:
        raise ValueError(f"{invalid!r} is not a Yahoo symbol; examples are BRK-B, VOD.L, ^GSPC and EURUSD=X")
    return names


def _parse_date(value: Any, name: str) -> pd.Timestamp | None:
    if value is None:
        return None
    try:
        date = pd.Timestamp(value)
    except (ValueError, TypeError):
        date = pd.NaT
    if date is pd.NaT or isinstance(value, (int, float)):
        raise ValueError(f"{name} must be a date such as 2015-01-31; got {value!r}")
    return date.tz_localize(None).normalize()
