"""Long tables: a row per date and ticker."""

from __future__ import annotations

from collections.abc import Hashable

import pandas as pd

from forecast.data.fields import LONG_COLUMNS, canonical_field
from forecast.data.row_labels import format_date

#: Lower-case names of the column of tickers.
TICKER_COLUMNS = ("unique_id", "ticker", "symbol")


def split_tickers(prices: pd.DataFrame, ticker: Hashable) -> pd.DataFrame:
    """Return a long table as unique_id, ds, y, or with (field, ticker) columns if it has several fields."""
    if prices[ticker].isna().any():
        raise ValueError(f"{int(prices[ticker].isna().sum())} rows have no {ticker}: give each row one, or drop it")
    names = prices[ticker].astype(str).to_numpy()
    values = prices.drop(columns=ticker)
    if values.shape[1] == 0:
        raise ValueError(f"there are dates and {ticker} but no prices: add a column of them, named y or Close")
    y = next((values[name] for name in values.columns if str(name).lower() == "y"), None)
    if y is not None or values.shape[1] == 1:
        y = values.iloc[:, 0] if y is None else y  # columns next to y are inputs
        long = pd.DataFrame(dict(zip(LONG_COLUMNS, (names, values.index, y.to_numpy()), strict=True)))
        if str(y.name).lower() != "y":
            long.attrs["field"] = canonical_field(y.name)
        return long
    values = values.set_index([values.index, names])
    if values.index.has_duplicates:
        date, name = values.index[values.index.duplicated()][0]
        raise ValueError(f"{name} has two rows at {format_date(date)}: keep one row per {ticker} and date")
    return values.unstack()
