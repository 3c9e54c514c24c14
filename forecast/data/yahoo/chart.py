"""What Yahoo's chart endpoint answers, read into a table of raw prices and events, with what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

PRICES = ("Open", "High", "Low", "Close")
EVENTS = ("Dividends", "Stock Splits")
COLUMNS = (*PRICES, "Volume", *EVENTS)

#: How long a bar of each interval lasts. (30m is not offered: Yahoo answers it with bars of an hour.)
INTERVALS: dict[str, pd.DateOffset | pd.Timedelta] = {
    "1m": pd.Timedelta(minutes=1),
    "2m": pd.Timedelta(minutes=2),
    "5m": pd.Timedelta(minutes=5),
    "15m": pd.Timedelta(minutes=15),
    "1h": pd.Timedelta(hours=1),
    "1d": pd.DateOffset(days=1),
    "1wk": pd.DateOffset(weeks=1),
    "1mo": pd.DateOffset(months=1),
}
#: Prices come with a delay; until so long after the session its bar may still change.
DELAY = pd.Timedelta(minutes=30)


@dataclass(frozen=True)
class History:
    """One ticker's raw bars with its dividends and splits, and the facts of where they are from.

    `table` has the columns Open, High, Low, Close, Volume, Dividends, Stock Splits, under dates of the exchange (from
    a day upwards) or times in UTC (below), without a zone. `facts` are plain JSON values: currency, timezone,
    instrument, interval, retrieved, start (first date asked for), through (last date that is known whole),
    fresh_until (no newer bar exists before that time) and notes (what was found and left out).
    """

    table: pd.DataFrame
    facts: dict[str, Any] = field(default_factory=dict)


def is_intraday(interval: str) -> bool:
    """Say whether bars of this interval are shorter than a day."""
    return isinstance(INTERVALS[interval], pd.Timedelta)


def read_chart(chart: dict[str, Any], interval: str, now: pd.Timestamp) -> History:
    """Read one result of Yahoo's chart endpoint as it stood at `now` (with a zone).

    Bars that were not over yet are left out, and said in the notes; so are rows without a price. Raises ValueError for
    an answer that lacks what every answer has, and LookupError for one without any bar.
    """
    meta = chart.get("meta") or {}
    zone = meta.get("exchangeTimezoneName")
    quotes = ((chart.get("indicators") or {}).get("quote") or [None])[0]
    if not zone or quotes is None:
        raise ValueError("the answer has no time zone or no quotes")
    stamps = chart.get("timestamp") or []
    if not stamps:
        raise LookupError("it has no prices in this range")
    notes: list[str] = []
    table = _merge_twins(_bars(stamps, quotes, zone, interval), notes)
    table = _with_events(table, chart.get("events") or {}, zone, interval, notes)
    table = _drop_empty(table, notes)
    session = ((meta.get("currentTradingPeriod") or {}).get("regular")) or {}
    table, open_bar = _drop_unfinished(table, interval, zone, session, now, notes)
    facts = {
        "currency": meta.get("currency"),
        "timezone": zone,
        "instrument": meta.get("instrumentType"),
        "interval": interval,
        "retrieved": now.tz_convert("UTC").isoformat(timespec="seconds"),
        "through": _through(table, open_bar, interval, zone, now),
        "fresh_until": _fresh_until(table, interval, zone, session, now).isoformat(timespec="seconds"),
        "notes": notes,
    }
    return History(table, facts)


def _bars(stamps: list[int], quotes: dict[str, Any], zone: str, interval: str) -> pd.DataFrame:
    columns = {}
    for name in (*PRICES, "Volume"):
        values = quotes.get(name.lower())
        if values is None or len(values) != len(stamps):
            raise ValueError(f"the answer has {len(stamps)} times but {len(values or [])} values of {name}")
        columns[name] = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return pd.DataFrame(columns, index=_labels(stamps, zone, interval)).sort_index(kind="stable")


def _labels(stamps: Any, zone: str, interval: str) -> pd.DatetimeIndex:
    times = pd.to_datetime(np.asarray(stamps, dtype=np.int64), unit="s", utc=True)
    if is_intraday(interval):
        return pd.DatetimeIndex(times.tz_localize(None))  # a wall clock shows one hour twice in autumn
    local = times.tz_convert(zone)
    # Where clocks were changed Yahoo's days may begin at 22:00 or 23:00 of the day before.
    early = (local.hour >= 22) & (local.minute == 0)
    return pd.DatetimeIndex(local.tz_localize(None).normalize() + pd.to_timedelta(early.astype(int), unit="D"))


def _merge_twins(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Make one row of two under one date: Yahoo adds a row with the latest trade of a day."""
    twice = table.index.duplicated()
    if not twice.any():
        return table
    notes.append(f"{int(twice.sum())} rows came twice under one date and were merged")
    how = {"Open": "first", "High": "max", "Low": "min", "Close": "last", "Volume": "max"}
    return table.groupby(level=0).agg(how)


def _with_events(
    table: pd.DataFrame, events: dict[str, Any], zone: str, interval: str, notes: list[str]
) -> pd.DataFrame:
    """Put each dividend and split at the first bar that does not end before it."""
    table = table.assign(**dict.fromkeys(EVENTS, 0.0))
    step = INTERVALS[interval]
    last = table.index + step - pd.Timedelta(seconds=1)  # of each bar
    currencies = set()
    for kind, column in (("dividends", "Dividends"), ("splits", "Stock Splits")):
        for event in (events.get(kind) or {}).values():
            at = int(last.searchsorted(_labels([event["date"]], zone, interval)[0]))
            if at == len(table):
                continue  # it belongs to a bar that is still to come
            value = event["amount"] if kind == "dividends" else event["numerator"] / event["denominator"]
            column_at = table.columns.get_loc(column)
            table.iloc[at, column_at] = value + table.iloc[at, column_at] if kind == "dividends" else value
            currencies.add(event.get("currency") or "")
    if currencies - {""}:
        notes.append(f"dividends are stated in {', '.join(sorted(currencies - {''}))}")
    return table


def _drop_empty(table: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Leave out rows without a close; those with an event stay, for the adjustment needs it."""
    empty = table["Close"].isna().to_numpy()
    if empty.any():
        notes.append(f"{int(empty.sum())} rows had no close, the first on {_text(table.index[empty][0])}")
    return table[~empty | (table[list(EVENTS)] != 0).any(axis=1).to_numpy()]


def _drop_unfinished(
    table: pd.DataFrame, interval: str, zone: str, session: dict[str, Any], now: pd.Timestamp, notes: list[str]
) -> tuple[pd.DataFrame, pd.Timestamp | None]:
    """Leave out bars that are not over at `now`; say which is the first of them."""
    ends = table.index + INTERVALS[interval]
    if is_intraday(interval):
        open_still = ends > now.tz_convert("UTC").tz_localize(None)
    else:
        open_still = ends > now.tz_convert(zone).tz_localize(None)
        over = _session_end(session)
        if interval == "1d" and over is not None and now >= over + DELAY:
            open_still &= table.index > over.tz_convert(zone).tz_localize(None)
    if not open_still.any():
        return table, None
    first = table.index[open_still][0]
    if open_still.all():
        raise LookupError("it has no finished bar in this range")
    notes.append(f"the unfinished bar of {_text(first)} was left out")
    return table[~open_still], first


def _through(table: pd.DataFrame, open_bar: pd.Timestamp | None, interval: str, zone: str, now: pd.Timestamp) -> str:
    """Give the last date of which no bar is missing."""
    today = now.tz_convert("UTC" if is_intraday(interval) else zone).tz_localize(None).normalize()
    if interval == "1d" and table.index[-1] == today:
        return _text(today)
    day = min(today, open_bar.normalize()) if open_bar is not None else today
    return _text(day - pd.Timedelta(days=1))


def _fresh_until(
    table: pd.DataFrame, interval: str, zone: str, session: dict[str, Any], now: pd.Timestamp
) -> pd.Timestamp:
    """Say before when no further bar can be complete: the end of the session, else the next midnight there."""
    now = now.tz_convert("UTC")
    if is_intraday(interval):
        return now + pd.Timedelta(INTERVALS[interval])
    over = _session_end(session)
    if over is None:
        return now
    if now < over + DELAY:
        return over + DELAY
    if interval == "1d" and table.index[-1] < over.tz_convert(zone).tz_localize(None).normalize():
        return now  # the session is over but its bar has not come
    return (now.tz_convert(zone).normalize() + pd.DateOffset(days=1)).tz_convert("UTC")


def _session_end(session: dict[str, Any]) -> pd.Timestamp | None:
    end = session.get("end")
    return None if end is None else pd.Timestamp(int(end), unit="s", tz="UTC")


def _text(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%d}" if time == time.normalize() else f"{time:%Y-%m-%d %H:%M}"
