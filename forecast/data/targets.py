"""What may be forecast instead of a price: returns, variances of a day from its range or its hours, volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.panel import TARGETS, Panel, as_panel, format_date, split_fields

LEAST = 0.8  # share of a day's usual bars below which its variance is not known


def make_target(prices: Any, target: str, exog: Sequence[str] = (), how: str = "all") -> Panel:
    """Give a panel whose target is something else than the price, with further fields as inputs.

    `target` is "price" (Adj Close, else Close), "return" (see `log_returns`), "parkinson" or "garman_klass" (a day's
    variance from its range), "volume", or a field's own name. `exog` names fields of the same table that models may
    read as past-only channels. `how` as for `as_panel`. Raises ValueError that says which fields there are.

    >>> panel = fc.make_target(fc.load_sample("stocks", fields="all"), "return", exog=("Volume",))
    >>> panel.channels
    ('return', 'Volume')
    """
    made = {"return": log_returns, "parkinson": parkinson, "garman_klass": garman_klass}.get(target)
    if made is None:
        field = {"price": None, "volume": "Volume"}.get(target, target)
        return as_panel(prices, target=field, exog=exog, how=how)
    table = made(prices)
    inputs = {name: values for name, values in split_fields(prices).items() if name in exog}
    joined = pd.concat({target: table, **inputs}, axis=1, names=["Price", "Ticker"])
    joined.attrs = dict(table.attrs)
    return as_panel(joined, target=target, exog=exog, how=how)


def log_returns(prices: pd.DataFrame) -> pd.DataFrame:
    """Turn prices into log returns: ln of each price over the last one before it.

    Takes the adjusted closes (or closes) of a table with fields, else the values. A row without a price stays NaN, and
    the next return covers the whole gap. Raises ValueError for a price that is not above 0.

    >>> fc.log_returns(pd.DataFrame({"A": [100.0, 110.0, 99.0]}))["A"].round(4).tolist()
    [nan, 0.0953, -0.1054]
    """
    fields = split_fields(_checked(prices, ()))
    table = fields[next((name for name in TARGETS if name in fields), next(iter(fields)))].astype(float)
    _refuse(table <= 0, table, "the price is {value:g}; a log return needs prices above 0")
    return _named(np.log(table / table.ffill().shift(1)), prices, "log returns")


def realised_variance(intraday: pd.DataFrame, overnight: bool = False) -> pd.DataFrame:
    """Estimate each day's variance by the sum of its squared intraday log changes (Andersen and Bollerslev, 1998).

    `intraday` is a table of closes with times of day (from `download(…, interval="5m")`). Gives a wide table (date ×
    ticker) of variances of the log price. `overnight` adds the square of the move from the last bar of the day before.
    A day with less than 80 % of the usual number of bars is NaN: its sum would be too small.
    """
    fields = split_fields(_checked(intraday, ()))
    table = fields[next((name for name in TARGETS if name in fields), next(iter(fields)))].astype(float)
    if not isinstance(table.index, pd.DatetimeIndex) or (table.index == table.index.normalize()).all():
        raise ValueError("a realised variance needs times of day, such as bars of five minutes; these rows are days")
    _refuse(table <= 0, table, "the price is {value:g}; a log change needs prices above 0")
    table = table.sort_index()
    days = table.index.normalize()
    last = table.ffill().shift(1)
    within = last if overnight else last.where(pd.Series(days, table.index).eq(pd.Series(days, table.index).shift(1)))
    squares = np.log(table / within) ** 2
    variance = squares.groupby(days).sum(min_count=1)
    bars = table.notna().groupby(days).sum()
    usual = bars.where(bars > 0).expanding().median()  # of the days so far: no later one decides
    return _named(variance.where(bars >= LEAST * usual), intraday, "realised variance")


def parkinson(prices: pd.DataFrame) -> pd.DataFrame:
    """Estimate each day's variance from its high and low: five times as exact as its squared return (Parkinson, 1980).

    `prices` have High and Low, under (field, ticker) columns or of one ticker. Gives a wide table (date × ticker) of
    variances of the log price, ln(H/L)² / (4 ln 2). Raises ValueError for a high below its low.

    >>> ranges = fc.parkinson(fc.load_sample("sp500", fields="all"))
    >>> bool((ranges > 0).all(axis=None))
    True
    """
    high, low = _fields(prices, ("High", "Low"))
    return _named(np.log(high / low) ** 2 / (4 * np.log(2)), prices, "parkinson")


def garman_klass(prices: pd.DataFrame) -> pd.DataFrame:
    """Estimate each day's variance from its open, high, low and close (Garman and Klass, 1980).

    ½ ln(H/L)² − (2 ln 2 − 1) ln(C/O)²: 7.4 times as exact as the squared return. `prices` as for `parkinson`, with Open
    and Close besides; the overnight move is not in it.
    """
    high, low, first, last = _fields(prices, ("High", "Low", "Open", "Close"))
    day = np.log(last / first) ** 2
    return _named(0.5 * np.log(high / low) ** 2 - (2 * np.log(2) - 1) * day, prices, "garman_klass")


def _fields(prices: pd.DataFrame, names: Sequence[str]) -> list[pd.DataFrame]:
    fields = split_fields(_checked(prices, names))
    missing = [name for name in names if name not in fields]
    if missing:
        raise ValueError(f"the prices have no {', '.join(missing)}; they have {', '.join(map(str, fields))}")
    tables = [fields[name].reindex(columns=fields[names[0]].columns).astype(float) for name in names]
    high, low, *within = tables
    for name, table in zip(names, tables, strict=True):
        _refuse(table <= 0, table, f"{name} is {{value:g}}; a range needs prices above 0")
    for name, table in zip(names[1:], (low, *within), strict=True):
        _refuse(table > high, table, f"{name} is {{value:g}}, above its High")
    for name, table in zip(names[2:], within, strict=True):
        _refuse(table < low, table, f"{name} is {{value:g}}, below its Low")
    return tables


def _checked(prices: Any, names: Sequence[str]) -> pd.DataFrame:
    if not isinstance(prices, pd.DataFrame):
        wanted = f" with {', '.join(names)}" if names else ""
        raise TypeError(f"prices must be a DataFrame{wanted}; got {type(prices)}")
    return prices


def _refuse(wrong: pd.DataFrame, table: pd.DataFrame, said: str) -> None:
    if wrong.to_numpy().any():
        row, column = np.argwhere(wrong.to_numpy())[0]
        where = f"{table.columns[column]} at {format_date(table.index[row])}: "
        raise ValueError(where + said.format(value=table.iloc[row, column]))


def _named(table: pd.DataFrame, prices: pd.DataFrame, what: str) -> pd.DataFrame:
    source = prices.attrs.get("source", "given in Python")
    table.attrs = {**prices.attrs, "source": f"{what} of {source}"}  # a backtest writes it into its spec
    return table
