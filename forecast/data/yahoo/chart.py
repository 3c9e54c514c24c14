"""Parse a response of Yahoo's chart endpoint into a table of raw prices, dividends and splits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.panel import format_date

PRICES = ("Open", "High", "Low", "Close")
EVENTS = ("Dividends", "Stock Splits")
GAINS = "Capital Gains"  # a column of tickers that have paid some, which are funds
COLUMNS = (*PRICES, "Volume", *EVENTS)

#: How long a bar of each interval lasts. (30m is not offered: Yahoo returns hourly bars for it.)
INTERVALS: dict[str, pd.DateOffset | pd.Timedelta] = {
    **{f"{minutes}m": pd.Timedelta(minutes=minutes) for minutes in (1, 2, 5, 15)},
    "1h": pd.Timedelta(hours=1),
    "1d": pd.DateOffset(days=1),
    "1wk": pd.DateOffset(weeks=1),
    "1mo": pd.DateOffset(months=1),
}
#: Prices are delayed: the bar of a session may change until this long after its end.
DELAY = pd.Timedelta(minutes=30)


class NoPricesError(LookupError):
    """There are no prices of a ticker in the range that was requested."""

    def __init__(self, reason: str = "it has no prices in this range") -> None:
        super().__init__(reason)


@dataclass(frozen=True)
class History:
    """Raw bars, dividends and splits of one ticker, with facts about their origin.

    `table` has the columns Open, High, Low, Close, Volume, Dividends, Stock Splits and, for funds that paid some,
    Capital Gains. Its index has no time zone: dates of the exchange for bars of a day or longer, times in UTC for
    shorter ones. `facts` are plain JSON values: currency, dividend_currencies (of dividends in another currency, by
    date), timezone, instrument, interval, retrieved, last_trade, start (first date requested), through (last date with
    complete data), fresh_until (no newer bar exists before that time), notes (rows merged, empty or left out) and
    seams (see `forecast.data.yahoo.merge`).
    """

    table: pd.DataFrame
    facts: dict[str, Any] = field(default_factory=dict)


def is_intraday(interval: str) -> bool:
    """Return whether bars of this interval are shorter than a day."""
    return isinstance(INTERVALS[interval], pd.Timedelta)


def read_chart(chart: dict[str, Any], interval: str, now: pd.Timestamp) -> History:
    """Return the history in one result of Yahoo's chart endpoint, retrieved at `now` (a time with a zone).

    Bars that are not finished at `now` and rows without a price are left out and mentioned in the notes. Raises
    ValueError for a malformed result, and NoPricesError for one without any finished bar.
    """
    meta = chart.get("meta") or {}
    zone = meta.get("exchangeTimezoneName")
    quotes = ((chart.get("indicators") or {}).get("quote") or [None])[0]
    if not zone or quotes is None:
        raise ValueError("the response has no time zone or no quotes")
    stamps = chart.get("timestamp") or []
    if not stamps or not any(quotes.values()):
        raise NoPricesError
    notes: list[str] = []
    table = _merge_duplicates(_bars(stamps, quotes, zone, interval), notes)
    if table["Close"].isna().all():
        raise NoPricesError
    table, dividend_currencies = _with_events(table, chart.get("events") or {}, zone, interval)
    table = _drop_empty(table, notes)
    session = ((meta.get("currentTradingPeriod") or {}).get("regular")) or {}
    table, first_unfinished = _drop_unfinished(table, interval, zone, session, now, notes)
    currency = meta.get("currency")
    facts = {
        "currency": currency,
        "dividend_currencies": {date: name for date, name in dividend_currencies.items() if name != currency},
        "timezone": zone,
        "instrument": meta.get("instrumentType"),
        "interval": interval,
        "retrieved": now.tz_convert("UTC").isoformat(timespec="seconds"),
        "last_trade": _last_trade(meta, zone),
        "through": _through(table, first_unfinished, interval, zone, now),
        "fresh_until": _fresh_until(table, interval, zone, session, now).isoformat(timespec="seconds"),
        "notes": notes,
    }
    return History(table, facts)


def _bars(stamps: list[int], quotes: dict[str, Any], zone: str, interval: str) -> pd.DataFrame:
    columns = {}
    for name in (*PRICES, "Volume"):
        values = quotes.get(name.lower())
        if values is None or len(values) != len(stamps):
            raise ValueError(f"the response has {len(stamps)} times but {len(values or [])} values of {name}")
        columns[name] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return pd.DataFrame(columns, index=_labels(stamps, zone, interval)).sort_index(kind="stable")


def _labels(stamps: Any, zone: str, interval: str) -> pd.DatetimeIndex:
    times = pd.to_datetime(np.asarray(stamps, dtype=np.int64), unit="s", utc=True)
    if is_intraday(interval):
        return pd.DatetimeIndex(times.tz_localize(None))  # local time repeats an hour in autumn
    local = times.tz_convert(zone)
    # Around changes of the clock Yahoo's days may begin at 22:00 or 23:00 of the day before.
    early = (local.hour >= 22) & (local.minute == 0)
    return pd.DatetimeIndex(local.tz_localize(None).normalize() + pd.to_timedelta(early.astype(int), unit="D"))


def _merge_duplicates(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Merge rows of the same date: Yahoo adds a second row with the latest trade of a day."""
    duplicated = table.index.duplicated()
    if not duplicated.any():
        return table
    notes.append(f"{int(duplicated.sum())} rows repeated a date and were merged")
    aggregations = {"Open": "first", "High": "max", "Low": "min", "Close": "last", "Volume": "max"}
    return table.groupby(level=0).agg(aggregations)


def _with_events(
    table: pd.DataFrame, events: dict[str, Any], zone: str, interval: str
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Add each event to the first bar that does not end before it; return the dividends' currencies by date, too."""
    table = table.assign(**dict.fromkeys(EVENTS, 0.0))
    last_seconds = table.index + INTERVALS[interval] - pd.Timedelta(seconds=1)
    currencies: dict[str, set[str]] = {}
    for kind, column in (("dividends", "Dividends"), ("capitalGains", GAINS), ("splits", "Stock Splits")):
        for event in (events.get(kind) or {}).values():
            if column not in table:
                table[column] = 0.0
            at = int(last_seconds.searchsorted(_labels([event["date"]], zone, interval)[0]))
            if at == len(table):
                continue  # its bar does not exist yet
            cell = (at, table.columns.get_loc(column))
            if kind == "splits":
                table.iloc[cell] = (table.iloc[cell] or 1.0) * event["numerator"] / event["denominator"]
            else:
                table.iloc[cell] += event["amount"]
            if kind == "dividends" and event.get("currency"):
                currencies.setdefault(table.index[at].isoformat(), set()).add(event["currency"])
    return table, {date: " and ".join(sorted(names)) for date, names in currencies.items()}


def _drop_empty(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Drop rows without a close, except those with an event, which the adjustment needs."""
    empty = table["Close"].isna().to_numpy()
    if empty.any():
        notes.append(f"{int(empty.sum())} rows had no close, the first on {format_date(table.index[empty][0])}")
    return table[~empty | (table.filter([*EVENTS, GAINS]) != 0).any(axis=1).to_numpy()]


def _drop_unfinished(
    table: pd.DataFrame, interval: str, zone: str, session: dict[str, Any], now: pd.Timestamp, notes: list[str]
) -> tuple[pd.DataFrame, pd.Timestamp | None]:
    """Drop bars that are not finished at `now`; return the table and the first dropped bar."""
    ends = table.index + INTERVALS[interval]
    if is_intraday(interval):
        unfinished = ends > now.tz_convert("UTC").tz_localize(None)
    else:
        unfinished = ends > now.tz_convert(zone).tz_localize(None)
        session_end = _session_end(session)
        if interval == "1d" and session_end is not None and now >= session_end + DELAY:
            unfinished &= table.index > session_end.tz_convert(zone).tz_localize(None)
    if not unfinished.any():
        return table, None
    first_unfinished = table.index[unfinished][0]
    if unfinished.all():
        raise NoPricesError("it has no finished bar in this range")
    notes.append(f"the unfinished bar of {format_date(first_unfinished)} was left out")
    return table[~unfinished], first_unfinished


def _through(
    table: pd.DataFrame, first_unfinished: pd.Timestamp | None, interval: str, zone: str, now: pd.Timestamp
) -> str:
    """Return the last date of which no bar is missing."""
    today = now.tz_convert("UTC" if is_intraday(interval) else zone).tz_localize(None).normalize()
    if interval == "1d" and table.index[-1] == today:
        return format_date(today)
    day = min(today, first_unfinished.normalize()) if first_unfinished is not None else today
    return format_date(day - pd.Timedelta(days=1))


def _last_trade(meta: dict[str, Any], zone: str) -> str | None:
    """Return the date of the ticker's last trade, where the response has it."""
    stamp = meta.get("regularMarketTime")
    return None if not stamp else f"{pd.Timestamp(int(stamp), unit='s', tz='UTC').tz_convert(zone):%Y-%m-%d}"


def _fresh_until(
    table: pd.DataFrame, interval: str, zone: str, session: dict[str, Any], now: pd.Timestamp
) -> pd.Timestamp:
    """Return the time before which no further bar can finish: the end of the session, else the next local midnight."""
    now = now.tz_convert("UTC")
    if is_intraday(interval):
        return now + pd.Timedelta(INTERVALS[interval])
    session_end = _session_end(session)
    if session_end is None:
        return now
    if now < session_end + DELAY:
        return session_end + DELAY
    if interval == "1d" and table.index[-1] < session_end.tz_convert(zone).tz_localize(None).normalize():
        return now  # the session is over but its bar is not published yet
    return (now.tz_convert(zone).normalize() + pd.DateOffset(days=1)).tz_convert("UTC")


def _session_end(session: dict[str, Any]) -> pd.Timestamp | None:
    end = session.get("end")
    return None if end is None else pd.Timestamp(int(end), unit="s", tz="UTC")


def slice_dates(table: pd.DataFrame, first: pd.Timestamp | None, last: pd.Timestamp | None) -> pd.DataFrame:
    """Return the rows from the date `first` to the date `last`, both included; None sets no bound."""
    if first is not None:
        table = table[table.index >= first]
    if last is not None:
        table = table[table.index < last + pd.Timedelta(days=1)]
    return table
