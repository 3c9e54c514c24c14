"""Download prices of many tickers into one table, through a cache of which only the missing end is fetched."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd

from forecast._progress import progress_bar
from forecast._validation import check_choice
from forecast._warnings import warn
from forecast.data.files import pick_fields
from forecast.data.panel import format_date
from forecast.data.yahoo.adjust import adjust_for_dividends, convert_dividends
from forecast.data.yahoo.cache import Cache, DamagedError
from forecast.data.yahoo.chart import COLUMNS, GAINS, INTERVALS, History, NoPricesError, slice_dates
from forecast.data.yahoo.client import BlockedError, Yahoo
from forecast.data.yahoo.merge import first_difference, merge

NEEDED = {"start", "through", "fresh_until", "notes"}  # facts without which a cached history cannot be updated
OVERLAP = 10  # cached rows that are fetched again, to detect a restated past


class DownloadError(ValueError):
    """Tickers that could not be downloaded; `reasons` maps each to its reason."""

    def __init__(self, reasons: dict[str, str], requested: int, blocked: str | None = None) -> None:
        self.reasons = reasons
        if blocked is not None:
            finished = f"{requested - len(reasons)} of {requested} tickers are in the cache"
            super().__init__(f"{blocked}, so the download was stopped; {finished}, and the same call fetches the rest")
            return
        details = "; ".join(f"{ticker}: {reason}" for ticker, reason in reasons.items())
        super().__init__(f"{len(reasons)} of {requested} tickers could not be downloaded: {details}")


class DownloadWarning(UserWarning):
    """Tickers that were left out, cached prices that were replaced, or dividends that were converted."""


def download(
    tickers: str | Sequence[str],
    start: str | date | None = None,
    end: str | date | None = None,
    interval: str = "1d",
    adjust: str = "auto",
    fields: str | None = None,
    on_error: str = "raise",
    offline: bool = False,
    source: Yahoo | None = None,
    progress: bool | Callable[[int, int], None] = True,
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
        "auto" adjusts all prices for dividends and capital gains (see `forecast.data.yahoo.adjust`); dividends in
        pence, where the prices are in pounds, are converted, and those in another currency refused. "none" returns
        Yahoo's quotes, which are adjusted for splits only. For 1wk and 1mo the adjustment uses the close of the last
        bar and approximates Yahoo's.
    fields : str, optional
        By default the closes; a name such as "Open" selects that field, "all" every field including dividends and
        splits, under (field, ticker) columns.
    on_error : {"raise", "skip"}, default "raise"
        "skip" leaves out tickers that fail, with a DownloadWarning, and lists them in `attrs["failed"]`.
    offline : bool, default False
        Use the cache only; send no request.
    source : Yahoo, optional
        Client with its number of attempts, pauses and session.
    progress : bool or callable, default True
        Whether to show a progress bar, in a terminal or a notebook; or a function that is called with the number of
        finished tickers and of all tickers.

    Returns
    -------
    pandas.DataFrame
        Columns in the order of `tickers`. The index has dates of each exchange, or UTC times for bars shorter than a
        day; a ticker that does not trade on a date is NaN there. A bar that is not finished is left out.
        `attrs["facts"]` has each ticker's currency, time zone, time of retrieval and notes on rows left out.

    Raises
    ------
    DownloadError
        A ValueError that names each ticker that failed and the reason; or that Yahoo refuses every request, which
        `on_error` does not change.

    Notes
    -----
    Raw bars are cached on disk, in FORECAST_CACHE or else the user's cache folder, and only missing bars are fetched.
    If the newest cached bars differ from Yahoo's, all are fetched again, with a DownloadWarning. Bars that Yahoo no
    longer has stay, on the scale of the newer ones where common bars show it, else with a note and a warning. After
    Ctrl-C, or when Yahoo refuses every request, the finished tickers stay in the cache.
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
    with progress_bar(progress, "downloading", "tickers") as update:
        histories, failed = _fetch_all(names, cached_source, update)
    messages = cached_source.messages
    tables: dict[str, pd.DataFrame] = {}
    for name, history in histories.items():
        try:
            tables[name] = _prepare(history, first, last, adjust)
            messages += [f"{name}: {note}" for note in tables[name].attrs["notes"]]
        except (NoPricesError, ValueError) as error:
            failed[name] = str(error)
    if messages:
        warn("; ".join(messages), DownloadWarning)
    failed = {name: failed[name] for name in names if name in failed}
    if failed and (on_error == "raise" or not tables):
        raise DownloadError(failed, len(names))
    if failed:
        warn(f"left out: {DownloadError(failed, len(names))}", DownloadWarning)
    tables = {name: tables[name] for name in names if name in tables}
    prices = _join(tables, fields)
    prices.attrs |= {
        "source": f"{source.name}:{','.join(tables)}",
        "facts": {name: _public_facts(histories[name], table, adjust) for name, table in tables.items()},
    } | ({"failed": failed} if failed else {})
    return prices


def _prepare(history: History, first: pd.Timestamp | None, last: pd.Timestamp | None, adjust: str) -> pd.DataFrame:
    """Return a history's rows from `first` to `last`, adjusted if requested, with the notes in `attrs`."""
    # Sliced before the adjustment: prices must not depend on dividends after `end` that are in the cache.
    table = slice_dates(history.table, first, last)
    if table["Close"].isna().all():
        raise NoPricesError
    if adjust == "auto":
        currencies = history.facts.get("dividend_currencies", {})
        return adjust_for_dividends(convert_dividends(table, history.facts["currency"], currencies))
    table.attrs["notes"] = []
    return table


def _public_facts(history: History, table: pd.DataFrame, adjust: str) -> dict[str, Any]:
    """Return the facts of a history, with all notes: of its retrieval, on cached bars and on the adjustment."""
    facts = dict(history.facts)
    notes = [*facts["notes"], *facts.pop("seams", {}).values(), *table.attrs["notes"]]
    others = facts.get("dividend_currencies")
    if others and adjust == "none":
        names = ", ".join(sorted(set(others.values())))
        notes.append(f"dividends are in {names}, the prices in {facts['currency']}")
    return facts | {"notes": notes, "adjust": adjust}


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
            cached = self._read(ticker)
            if cached is None:
                return self._begin(ticker, self._fetch(ticker, self.first, self.last))
            missing = self._missing(cached)
            if missing == "nothing":
                return cached
            try:
                return self._update(ticker, cached, missing)
            except NoPricesError as error:
                self.messages.append(f"{ticker}: nothing was added to the cached prices ({error})")
                return cached

    def _read(self, ticker: str) -> History | None:
        """Return the cached history; None if there is none, or if its file is damaged or has an unknown layout."""
        try:
            cached = self.cache.read(ticker, self.interval)
        except DamagedError:
            return None
        is_known = cached is not None and set(cached.facts) >= NEEDED and set(cached.table) >= set(COLUMNS)
        return cached if is_known else None

    def _begin(self, ticker: str, history: History) -> History:
        """Write a ticker's first history; a file that could not be read is renamed, as it may hold lost bars."""
        path = self.cache.set_aside(ticker, self.interval)
        if path is not None:
            self.messages.append(f"{ticker} was fetched again: its cache file could not be used, and is now {path}")
        return self._write(ticker, history)

    def _write(self, ticker: str, history: History) -> History:
        self.cache.write(ticker, self.interval, history)
        return history

    def _fetch(self, ticker: str, first: pd.Timestamp | None, last: pd.Timestamp | None) -> History:
        return self.source.history(ticker, first, last, self.interval)

    def _update(self, ticker: str, cached: History, missing: str) -> History:
        """Fetch the missing end, or everything where that is missing or was restated, and merge it with the cache."""
        last = None if self.last is None else max(self.last, pd.Timestamp(cached.facts["through"]))
        fresh = None
        if missing == "end":
            fresh = self._fetch(ticker, cached.table.index[-OVERLAP:][0].normalize(), self.last)
            difference = first_difference(cached.table, fresh.table)
            merged = merge(cached, fresh)
            if difference is None:
                return self._finish(ticker, cached, merged)
            # Written before the next request, which may fail: these bars may not be served again.
            merged.facts["is_restated"] = True
            self._write(ticker, merged)
            self.messages.append(f"{ticker}: the past was restated ({difference}), so all of it was fetched again")
        complete = self._fetch(ticker, self._start(cached), last)
        return self._finish(ticker, cached, merge(cached, complete if fresh is None else merge(fresh, complete)))

    def _start(self, cached: History) -> pd.Timestamp | None:
        """Return the first date of a complete fetch: that of the cache or of this call, whichever is earlier."""
        since = cached.facts["start"]
        return None if since is None or self.first is None else min(self.first, pd.Timestamp(since))

    def _finish(self, ticker: str, cached: History, merged: History) -> History:
        """Write a merged history and warn of new seams."""
        known = cached.facts.get("seams", {}).values()
        self.messages += [f"{ticker}: {seam}" for seam in merged.facts["seams"].values() if seam not in known]
        return self._write(ticker, merged)

    def _get_offline(self, ticker: str) -> History:
        cached = self.cache.read(ticker, self.interval)
        if cached is None:
            raise NoPricesError(f"it is not in the cache {self.cache.folder}; download it without offline first")
        through = cached.facts["through"]
        if self._starts_too_late(cached) or (self.last is not None and format_date(self.last) > through):
            since = cached.facts["start"] or "its listing"
            raise NoPricesError(
                f"the cache has only {since} to {through}; choose dates in this range, or download without offline"
            )
        return cached

    def _starts_too_late(self, cached: History) -> bool:
        since = cached.facts["start"]  # None: from its listing
        return since is not None and (self.first is None or format_date(self.first) < since)

    def _missing(self, cached: History) -> str:
        """Return what has to be fetched: "nothing", "end" or "all"."""
        # An earlier layout has no currencies of dividends and no capital gains.
        is_complete = "dividend_currencies" in cached.facts and not cached.facts.get("is_restated")
        if self._starts_too_late(cached) or not is_complete:
            return "all"
        if self.last is not None and format_date(self.last) <= cached.facts["through"]:
            return "nothing"
        return "nothing" if self.source.now() < pd.Timestamp(cached.facts["fresh_until"]) else "end"


def _fetch_all(
    names: list[str], cached_source: _CachedSource, progress: Callable[[int, int], None]
) -> tuple[dict[str, History], dict[str, str]]:
    """Fetch all tickers, several at a time; return the histories, and the reasons of those that failed.

    Raises DownloadError where the source refuses every ticker.
    """
    source = cached_source.source
    histories: dict[str, History] = {}
    failed: dict[str, str] = {}
    blocked = ""
    source.start()
    pool = ThreadPoolExecutor(source.workers)
    jobs = {pool.submit(cached_source.get, name): name for name in names}
    try:
        for done, job in enumerate(as_completed(jobs), start=1):
            try:
                histories[jobs[job]] = job.result()
            except BlockedError as error:
                blocked = blocked or str(error)
                failed[jobs[job]] = blocked
            except (NoPricesError, ConnectionError, ValueError) as error:
                failed[jobs[job]] = str(error)
            progress(done, len(names))
    except KeyboardInterrupt as error:
        source.stop()
        pool.shutdown(wait=True, cancel_futures=True)
        finished = sum(job.done() and not job.cancelled() and job.exception() is None for job in jobs)
        error.add_note(f"{finished} of {len(names)} tickers are in the cache; the same call fetches the rest")
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if blocked:
        raise DownloadError({name: failed[name] for name in names if name in failed}, len(names), blocked)
    return histories, failed


def _join(tables: dict[str, pd.DataFrame], fields: str | None) -> pd.DataFrame:
    """Join the tickers' tables over all their dates, and select the fields."""
    columns = [*COLUMNS, GAINS] if any(GAINS in table for table in tables.values()) else list(COLUMNS)
    complete = {name: table if GAINS in table else table.assign(**{GAINS: 0.0}) for name, table in tables.items()}
    wide = pd.concat(complete, axis=1, sort=True).swaplevel(axis=1)
    wide.attrs = {}  # notes on one ticker are in its facts
    wide = wide[wide["Close"].notna().any(axis=1)]
    ordered = wide.reindex(columns=[(column, name) for column in columns for name in tables])
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
