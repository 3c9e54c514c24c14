"""Prices of many tickers as one table: kept on disk, only the missing end fetched, and nothing lost without a word."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.files import pick_fields
from forecast.data.panel import format_date
from forecast.data.yahoo.adjust import adjusted
from forecast.data.yahoo.cache import Cache, DamagedError
from forecast.data.yahoo.chart import EVENTS, PRICES, History
from forecast.data.yahoo.client import Yahoo, check_interval

OVERLAP = 10  # rows fetched a second time, to see whether the past is still what it was
SAME = 1e-6  # relative; Yahoo keeps prices in single precision


class DownloadError(ValueError):
    """Some tickers could not be had; `reasons` says of each one why."""

    def __init__(self, reasons: dict[str, str], asked: int) -> None:
        self.reasons = reasons
        said = "; ".join(f"{ticker}: {reason}" for ticker, reason in reasons.items())
        super().__init__(f"{len(reasons)} of {asked} tickers could not be had: {said}")


class DownloadWarning(UserWarning):
    """Some tickers were left out, or a past that was kept has changed."""


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
    """Download prices from Yahoo into a table with a row per date and a column per ticker, in the order asked for.

    `tickers` as Yahoo writes them, in a list or with commas between them. `start` and `end` are the first and the last
    date wanted, both included (None: as far back as there is; up to now). `interval` is 1d, 1wk, 1mo or, of the last
    days only, 1m, 2m, 5m, 15m or 1h. Dates are those of each exchange; bars below a day bear UTC times. A bar that is
    not over is left out. Tickers that do not trade on a date are NaN there.

    `adjust` "auto" takes the dividends' jumps out of all prices (see `forecast.data.yahoo.adjust`), "none" gives them as
    Yahoo quotes them, which is adjusted for splits only. For 1wk and 1mo the adjustment uses the last bar's close and
    is near Yahoo's, not equal. `fields` None gives the closes, a name such as "Open" that field, "all" every field
    under (field, ticker) columns, dividends and splits too.

    Raw bars are kept on disk (in FORECAST_CACHE, else the user's cache folder) and only what is missing is fetched; if
    the newest bars kept no longer agree with Yahoo's, all are fetched again and a DownloadWarning says so. `offline`
    takes what is kept and asks nobody. `source` says how Yahoo is asked (see `Yahoo`). `progress` is called with the
    number of tickers done and of all.

    The table's `attrs["facts"]` say of each ticker its currency, time zone, time of retrieval and what was left out.
    Raises DownloadError, a ValueError, which names each ticker that could not be had and why; with `on_error` "skip"
    those are left out with a DownloadWarning, and listed in `attrs["failed"]`. Ctrl-C keeps what was fetched.
    """
    names = _names(tickers)
    check_interval(interval)
    _check_choice("adjust", adjust, ("auto", "none"))
    _check_choice("on_error", on_error, ("raise", "skip"))
    first, last = _date(start, "start"), _date(end, "end")
    if first is not None and last is not None and first > last:
        raise ValueError(f"start {format_date(first)} lies after end {format_date(last)}: swap them")
    source = Yahoo() if source is None else source
    keeper = _Keeper(source, Cache(source.name), first, last, interval, offline)
    found, failed = _each(names, keeper, source, progress)
    if keeper.told:
        warnings.warn("; ".join(keeper.told), DownloadWarning, stacklevel=2)
    tables = {}
    for name, history in found.items():
        try:
            # Cut first: what was paid after `end` must not be in the prices, whatever else is kept.
            table = _cut(history.table, first, last)
            tables[name] = adjusted(table) if adjust == "auto" else table
        except ValueError as error:
            failed[name] = str(error)
    failed = {name: failed[name] for name in names if name in failed}
    if failed and (on_error == "raise" or not tables):
        raise DownloadError(failed, len(names))
    if failed:
        warnings.warn(f"left out: {DownloadError(failed, len(names))}", DownloadWarning, stacklevel=2)
    prices = _join({name: tables[name] for name in names if name in tables}, fields)
    prices.attrs = {
        "source": f"{source.name}:{','.join(name for name in names if name in tables)}",
        "facts": {name: found[name].facts | {"adjust": adjust} for name in names if name in tables},
    } | ({"failed": failed} if failed else {})
    return prices


class _Keeper:
    """Gives one ticker's history out of the cache, after fetching what is missing there."""

    def __init__(
        self,
        source: Yahoo,
        cache: Cache,
        first: pd.Timestamp | None,
        last: pd.Timestamp | None,
        interval: str,
        offline: bool,
    ) -> None:
        self.source = source
        self.cache = cache
        self.first = first
        self.last = last
        self.interval = interval
        self.offline = offline
        self.told: list[str] = []  # what the caller should hear of

    def get(self, ticker: str) -> History:
        if self.offline:
            return self._kept_alone(ticker)
        with self.cache.hold(ticker, self.interval):
            try:
                kept = self.cache.read(ticker, self.interval)
            except DamagedError as error:
                self.told.append(f"{ticker} was fetched again: {error}")
                kept = None
            missing = self._missing(kept)
            if kept is not None and missing == "nothing":
                return kept
            history = self._tail(ticker, kept) if kept is not None and missing == "end" else None
            if history is None:
                history = self.source.history(ticker, self.first, self._latest(kept), self.interval)
            self.cache.write(ticker, self.interval, history)
            return history

    def _kept_alone(self, ticker: str) -> History:
        kept = self.cache.read(ticker, self.interval)
        if kept is None:
            raise LookupError(f"nothing is kept of it in {self.cache.folder}; ask without offline")
        since, through = kept.facts["start"], kept.facts["through"]
        before = since is not None and (self.first is None or format_date(self.first) < since)
        if before or (self.last is not None and format_date(self.last) > through):
            raise LookupError(
                f"only {since or 'its listing'} to {through} is kept; ask for dates within, or without offline"
            )
        return kept

    def _missing(self, kept: History | None) -> str:
        """Say what has to be fetched: nothing, the end, or all."""
        if kept is None:
            return "all"
        since = kept.facts["start"]
        if since is not None and (self.first is None or format_date(self.first) < since):
            return "all"
        if self.last is not None and format_date(self.last) <= kept.facts["through"]:
            return "nothing"
        return "nothing" if pd.Timestamp.now("UTC") < pd.Timestamp(kept.facts["fresh_until"]) else "end"

    def _latest(self, kept: History | None) -> pd.Timestamp | None:
        """Give the end to fetch to when all is fetched: what is kept must not become shorter."""
        if kept is None or self.last is None:
            return self.last
        return max(self.last, pd.Timestamp(kept.facts["through"]))

    def _tail(self, ticker: str, kept: History) -> History | None:
        """Fetch from a few rows before the end on and append; None if those rows are not what they were."""
        since = kept.table.index[-OVERLAP:][0].normalize()
        fresh = self.source.history(ticker, since, self.last, self.interval)
        changed = _disagreement(kept.table[kept.table.index >= since], fresh.table)
        if changed is not None:
            self.told.append(f"{ticker}: the past was restated ({changed}), so all of it was fetched again")
            return None
        table = pd.concat([kept.table[kept.table.index < since], fresh.table])
        notes = [note for note in kept.facts["notes"] if "unfinished" not in note]
        facts = fresh.facts | {
            "start": kept.facts["start"],
            "notes": list(dict.fromkeys([*notes, *fresh.facts["notes"]])),
            "through": max(kept.facts["through"], fresh.facts["through"]),
        }
        return History(table, facts)


def _disagreement(kept: pd.DataFrame, fresh: pd.DataFrame) -> str | None:
    """Name the first place where bars that were kept differ from the same bars fetched again."""
    same_days = fresh[fresh.index <= kept.index[-1]]
    if not same_days.index.equals(kept.index):
        day = kept.index.symmetric_difference(same_days.index)[0]
        return f"{format_date(day)} was {'there' if day in kept.index else 'not there'}"
    for name in (*PRICES, *EVENTS):
        old, new = kept[name].to_numpy(), same_days[name].to_numpy()
        differs = ~np.isclose(old, new, rtol=SAME, atol=0, equal_nan=True)
        if differs.any():
            at = int(differs.argmax())
            return f"{name} of {format_date(kept.index[at])} was {old[at]:.6g} and is {new[at]:.6g}"
    return None


def _each(
    names: list[str], keeper: _Keeper, source: Yahoo, progress: Callable[[int, int], None] | None
) -> tuple[dict[str, History], dict[str, str]]:
    """Get every ticker, a few at once; what failed is told with its reason."""
    found: dict[str, History] = {}
    failed: dict[str, str] = {}
    source.start()
    pool = ThreadPoolExecutor(source.workers)
    jobs = {pool.submit(keeper.get, name): name for name in names}
    try:
        for done, job in enumerate(as_completed(jobs), start=1):
            try:
                found[jobs[job]] = job.result()
            except (LookupError, ConnectionError, ValueError) as error:
                failed[jobs[job]] = str(error)
            if progress is not None:
                progress(done, len(names))
    except KeyboardInterrupt as error:
        source.stop()
        pool.shutdown(wait=True, cancel_futures=True)
        kept = sum(job.done() and not job.cancelled() and job.exception() is None for job in jobs)
        error.add_note(f"{kept} of {len(names)} tickers are kept; the same call goes on with the rest")
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return found, failed


def _cut(table: pd.DataFrame, first: pd.Timestamp | None, last: pd.Timestamp | None) -> pd.DataFrame:
    table = table if first is None else table[table.index >= first]
    table = table if last is None else table[table.index < last + pd.Timedelta(days=1)]
    if table["Close"].notna().any():
        return table
    raise ValueError("it has no prices in this range")


def _join(tables: dict[str, pd.DataFrame], fields: str | None) -> pd.DataFrame:
    """Put the tickers side by side over all their dates."""
    wide = pd.concat(tables, axis=1, sort=True).swaplevel(axis=1)
    wide = wide[wide["Close"].notna().any(axis=1)]
    ordered = wide.reindex(columns=[(field, name) for field in (*PRICES, "Volume", *EVENTS) for name in tables])
    return pick_fields(ordered, fields)


def _names(tickers: str | Sequence[str]) -> list[str]:
    given = re.split(r"[,\s]+", tickers) if isinstance(tickers, str) else list(tickers)
    for name in given:
        if not isinstance(name, str):
            raise TypeError(f"tickers must be text such as 'AAPL'; got {name!r}")
    names = list(dict.fromkeys(name.strip().upper() for name in given if name.strip()))
    if not names:
        raise ValueError("no ticker is named: give some, such as 'AAPL,MSFT'")
    odd = next((name for name in names if not re.fullmatch(r"[A-Z0-9^][A-Z0-9.\-=^&_]*", name)), None)
    if odd is not None:
        raise ValueError(f"{odd!r} is no ticker as Yahoo writes them, such as BRK-B, VOD.L, ^GSPC or EURUSD=X")
    return names


def _date(value: Any, what: str) -> pd.Timestamp | None:
    if value is None:
        return None
    try:
        date = pd.Timestamp(value)
    except (ValueError, TypeError):
        date = pd.NaT
    if date is pd.NaT or isinstance(value, (int, float)):
        raise ValueError(f"{what} must be a date such as 2015-01-31; got {value!r}")
    return date.tz_localize(None).normalize()


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be {' or '.join(map(repr, choices))}; got {value!r}")
