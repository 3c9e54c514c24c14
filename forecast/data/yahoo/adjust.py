"""Prices as if dividends had been kept in the share: one formula, applied when prices are read and never stored."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.panel import format_date

OHLC = ("Open", "High", "Low", "Close")


def adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """Take the dividends' jumps out of one ticker's prices, so that a change is what the holder earned.

    The prices before an ex-date are multiplied by 1 − D / C, D the dividend and C the last close before it: the
    method of the Center for Research in Security Prices, and of Yahoo's adjusted close. Splits need no factor:
    Yahoo's prices and dividends come adjusted for them. The last row stays as it is, whatever is paid later, so that
    no future dividend is in an old price (Yahoo's own adjusted close differs by one factor from ours where dividends
    were paid after the last row). `table` has Open, High, Low, Close and Dividends; gives it with these prices
    adjusted. Volume stays. Raises ValueError for a dividend that is not below the close before it.
    """
    close = table["Close"].ffill().shift(1).to_numpy()  # the last one before each row
    paid = table["Dividends"].to_numpy()
    kept = np.where((paid != 0) & ~np.isnan(close), 1 - paid / close, 1.0)  # (T,)
    wrong = np.flatnonzero(~((kept > 0) & (kept <= 1)))
    if len(wrong):
        at = wrong[0]
        raise ValueError(
            f"its dividend of {paid[at]:g} on {format_date(table.index[at])} does not fit the close of {close[at]:g} before "
            "it, perhaps in another currency; ask for adjust='none'"
        )
    later = np.append(np.cumprod(kept[::-1])[::-1][1:], 1.0)  # of the dividends after each row
    return table.assign(**{name: table[name] * later for name in OHLC if name in table})
