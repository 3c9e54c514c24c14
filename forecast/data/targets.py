"""Targets other than the price: returns, daily variances from ranges or intraday prices, volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from forecast.data.calendar import is_daily
from forecast.data.fields import default_target
from forecast.data.frames import label_rows
from forecast.data.panel import (
    Panel,
    Prices,
    as_panel,
    complete_panel,
    finish_panel,
    format_date,
    list_inputs,
    split_fields,
)
from forecast.data.series import separate_columns

MIN_BARS_SHARE = 0.8  # a day with a smaller share of the usual number of bars has no variance
MIN_CLOSURE = pd.Timedelta(hours=1)  # a shorter range of times of day without bars is no closure of a market
DAYS_FOR_HOURS = 14  # first days of a ticker whose bars show the hours in which its market is closed


def make_target(
    prices: Prices,
    target: str,
    exog: Sequence[str] = (),
    how: Literal["all", "common"] = "all",
    future: Sequence[str] = (),
    static: pd.DataFrame | None = None,
) -> Panel:
    """Return a panel whose target is derived from the prices, with further fields as inputs.

    `target` is "price" (Adj Close, else Close), "return" (see `log_returns`), "parkinson" or "garman_klass" (a day's
    variance from its range), "volume", or the name of a field. `exog` names fields of the same table that models may
    read as past-only channels, `future` those that are known before their row; `how` and `static` as for `as_panel`.
    Raises ValueError that lists the available fields.

    >>> panel = fc.make_target(fc.load_sample("stocks", fields="all"), "return", exog=("Volume",))
    >>> panel.channels
    ('return', 'Volume')
    """
    derive = {"return": log_returns, "parkinson": parkinson, "garman_klass": garman_klass}.get(target)
    if derive is None:
        field = {"price": None, "volume": "Volume"}.get(target, target)
        return as_panel(prices, target=field, exog=exog, future=future, static=static, how=how)
    further = list_inputs(exog, future)
    shared: dict[str, pd.DataFrame] = {}
    if further and isinstance(prices, pd.DataFrame):
        prices, shared = separate_columns(label_rows(prices), further)
    table = derive(prices)
    own = [name for name in further if name not in shared]
    inputs = {name: values for name, values in split_fields(prices).items() if name in own} if own else {}
    return finish_panel(complete_panel({target: table, **inputs, **shared}, target, exog, future), static, how)


def log_returns(prices: pd.DataFrame) -> pd.DataFrame:
    """Return log returns: ln of each price over the last price before it.

    Uses the adjusted closes (or closes) of a table with fields, else the values. A row without a price stays NaN, and
    the next return covers the gap. Raises ValueError for a price that is not above 0.

    >>> fc.log_returns(pd.DataFrame({"A": [100.0, 110.0, 99.0]}))["A"].round(4).tolist()
    [nan, 0.0953, -0.1054]
    """
    table = _default_table(prices)
    _check_cells(table <= 0, table, "the price is {value:g}; a log return needs prices above 0")
    return _with_source(np.log(table / table.ffill().shift(1)), table, "log returns", field="return")


def realised_variance(intraday: pd.DataFrame, overnight: bool = False) -> pd.DataFrame:
    """Return each day's variance as the sum of its squared intraday log changes (Andersen and Bollerslev, 1998).

    `intraday` is a table of closes with times of day (from `download(…, interval="5m")`). Returns a wide table (date ×
    ticker) of variances of the log price. `overnight` adds the square of the move from the last bar of the day before.
    A day with less than 80 % of the usual number of bars is NaN: its sum would be too small.

    A day is one session of a ticker, from its own bars: a session that passes midnight UTC, as Sydney's does, is one
    day and has its local date. The time zone of each exchange is that of the download (`attrs["facts"]`), which has
    times in UTC. Without it the clock of the rows is used, and the hours in which a ticker has no bars separate its
    days. A market that is open all day has calendar days.
    """
    table = _default_table(intraday)
    if not isinstance(table.index, pd.DatetimeIndex) or is_daily(table.index):
        raise ValueError("a realised variance needs times of day, such as bars of five minutes; these rows are days")
    _check_cells(table <= 0, table, "the price is {value:g}; a log change needs prices above 0")
    table = table.sort_index()
    facts = intraday.attrs.get("facts", {})
    columns = [
        _session_variance(closes.dropna(), facts.get(str(name), {}).get("timezone"), overnight)
        for name, closes in table.items()
    ]
    variance = pd.concat(columns, axis=1, keys=table.columns, sort=True).rename_axis(index=table.index.name)
    return _with_source(variance, table, "realised variance", "realised variance")


def _session_variance(closes: pd.Series, zone: str | None, overnight: bool) -> pd.Series:
    """Return the realised variance of one ticker's sessions, by date."""
    dates = _session_dates(pd.DatetimeIndex(closes.index), zone)
    changes = pd.Series(np.log(closes.to_numpy()), dates).diff()
    if not overnight:
        changes = changes.mask(~dates.duplicated())
    variance = (changes**2).groupby(level=0).sum(min_count=1)
    bars = changes.groupby(level=0).size()
    usual = bars.expanding().median()  # of the days so far: the future has no influence
    return variance.where(bars >= MIN_BARS_SHARE * usual)


def _session_dates(times: pd.DatetimeIndex, zone: str | None) -> pd.DatetimeIndex:
    """Return the date of the session that each bar of one ticker belongs to; `zone` is the exchange's, if known."""
    if zone is not None:
        times = (times.tz_localize("UTC") if times.tz is None else times).tz_convert(zone)
    clock = times.tz_localize(None)
    return pd.DatetimeIndex((clock + _shift_of_days(clock)).normalize().astype(clock.dtype))


def _shift_of_days(clock: pd.DatetimeIndex) -> pd.Timedelta:
    """Return what is added to a ticker's times so that midnight is in the middle of its longest daily closure.

    The closure is the longest range of times of day without a bar, lunch breaks being shorter. Only the first days
    are read, so later bars change no date. The shift is less than a day in either direction, and 0 for a market that
    is open all day.
    """
    day = pd.Timedelta(days=1)
    first = clock[clock < clock[0].normalize() + DAYS_FOR_HOURS * day] if len(clock) else clock
    times = (first - first.normalize()).unique().sort_values()
    if len(times) < 2:
        return pd.Timedelta(0)
    gaps = times[1:].append(times[:1] + day) - times
    longest = int(gaps.argmax())
    if gaps[longest] < max(MIN_CLOSURE, 1.5 * gaps.median()):
        return pd.Timedelta(0)
    middle = (times[longest] + gaps[longest] / 2) % day
    return -middle if middle < day / 2 else day - middle


def parkinson(prices: pd.DataFrame) -> pd.DataFrame:
    """Return each day's variance from its high and low: five times as exact as its squared return (Parkinson, 1980).

    `prices` have High and Low, under (field, ticker) columns or of one ticker. Returns a wide table (date × ticker) of
    variances of the log price, ln(H/L)² / (4 ln 2). Raises ValueError for a high below its low.

    >>> ranges = fc.parkinson(fc.load_sample("sp500", fields="all"))
    >>> bool((ranges > 0).all(axis=None))
    True
    """
    high, low = _range_tables(prices, ("High", "Low"))
    return _with_source(np.log(high / low) ** 2 / (4 * np.log(2)), prices, "parkinson")


def garman_klass(prices: pd.DataFrame) -> pd.DataFrame:
    """Return each day's variance from its open, high, low and close (Garman and Klass, 1980).

    ½ ln(H/L)² − (2 ln 2 − 1) ln(C/O)²: 7.4 times as exact as the squared return. `prices` as for `parkinson`, with Open
    and Close in addition; the overnight move is not included.
    """
    high, low, first, last = _range_tables(prices, ("High", "Low", "Open", "Close"))
    day = np.log(last / first) ** 2
    return _with_source(
        0.5 * np.log(high / low) ** 2 - (2 * np.log(2) - 1) * day, prices, "garman_klass", "garman_klass"
    )


def _default_table(prices: Any) -> pd.DataFrame:
    """Return the values of the default target as a wide table."""
    fields = split_fields(_check_frame(prices))
    return fields[default_target(fields)].astype(float)


def _range_tables(prices: Any, names: Sequence[str]) -> list[pd.DataFrame]:
    """Return the tables of these fields, High and Low first, after checking that every price is within its range."""
    fields = split_fields(_check_frame(prices, names))
    if missing := [name for name in names if name not in fields]:
        known = "one value of each series" if list(fields) == ["y"] else ", ".join(map(str, fields))
        raise ValueError(f"the prices have no {', '.join(missing)}; they have {known}")
    tables = [fields[name].reindex(columns=fields[names[0]].columns).astype(float) for name in names]
    high, low, *inner = tables
    for name, table in zip(names, tables, strict=True):
        _check_cells(table <= 0, table, f"{name} is {{value:g}}; a range needs prices above 0")
    for name, table in zip(names[1:], (low, *inner), strict=True):
        _check_cells(table > high, table, f"{name} is {{value:g}}, above its High")
    for name, table in zip(names[2:], inner, strict=True):
        _check_cells(table < low, table, f"{name} is {{value:g}}, below its Low")
    return tables


def _check_frame(prices: Any, names: Sequence[str] = ()) -> pd.DataFrame:
    if not isinstance(prices, pd.DataFrame):
        needed = f" with {', '.join(names)}" if names else ""
        raise TypeError(f"prices must be a DataFrame{needed}; got {type(prices)}")
    return prices


def _check_cells(invalid: pd.DataFrame, table: pd.DataFrame, message: str) -> None:
    """Raise ValueError at the first invalid cell; `message` may contain {value}."""
    if invalid.to_numpy().any():
        row, column = np.argwhere(invalid.to_numpy())[0]
        where = f"{table.columns[column]} at {format_date(table.index[row])}: "
        raise ValueError(where + message.format(value=table.iloc[row, column]))


def _with_source(table: pd.DataFrame, prices: pd.DataFrame, name: str, field: str | None = None) -> pd.DataFrame:
    """Return the table of a derived target with its source, by the target's name, and the field that it is."""
    source = prices.attrs.get("source", "given in Python")
    table.attrs = {**prices.attrs, "source": f"{name} of {source}", "field": field or name}  # for the spec of a run
    return table
