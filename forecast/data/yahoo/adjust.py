"""Adjustment of prices for dividends: one formula, applied when prices are read and never stored."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.panel import format_date

OHLC = ("Open", "High", "Low", "Close")


def adjust_for_dividends(table: pd.DataFrame) -> pd.DataFrame:
    """Return one ticker's prices with the dividends included, so that a change is the holder's return.

    Prices before an ex-date are multiplied by 1 − D / C, with D the dividend and C the last close before it: the method
    of the Center for Research in Security Prices, and of Yahoo's adjusted close. Splits need no factor, as Yahoo's
    prices and dividends are already adjusted for them. The last row is never changed, so no later dividend is in an old
    price; Yahoo's own adjusted close differs by one factor where dividends were paid after the last row.

    `table` has Open, High, Low, Close and Dividends; other columns such as Volume are returned unchanged. Raises
    ValueError for a dividend that is negative or not below the close before it.
    """
    previous_close = table["Close"].ffill().shift(1).to_numpy()
    dividends = table["Dividends"].to_numpy()
    has_factor = (dividends != 0) & ~np.isnan(previous_close)
    factors = np.where(has_factor, 1 - dividends / previous_close, 1.0)  # (T,)
    invalid = np.flatnonzero(~((factors > 0) & (factors <= 1)))
    if len(invalid):
        row = invalid[0]
        raise ValueError(
            f"its dividend of {dividends[row]:g} on {format_date(table.index[row])} does not fit the close of "
            f"{previous_close[row]:g} before it, perhaps because it is in another currency; use adjust='none'"
        )
    later = np.append(np.cumprod(factors[::-1])[::-1][1:], 1.0)  # product of the factors after each row
    return table.assign(**{name: table[name] * later for name in OHLC if name in table})
