"""Long tables: a row per date and series, with the name of the series in a column."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from itertools import combinations

import numpy as np
import pandas as pd

from forecast.data.fields import LONG_COLUMNS, canonical_field, kind_of, plain_name, plain_names
from forecast.data.notes import PricesWarning, add_notes
from forecast.data.row_labels import format_date

#: Names of the column of tickers, which names the series also where no date repeats. All names here are compared as
#: `plain_name` returns them.
TICKER_COLUMNS = plain_names("unique_id ticker symbol")
#: Names of columns that contain codes with leading zeros.
CODE_NAMES = plain_names("code stock_code ts_code security_code cusip sedol isin gvkey 证券代码 股票代码 代码 コード")
CODE_NAMES |= plain_names("銘柄コード 종목코드")
#: Names of columns that may identify a series by whole numbers.
ID_NAMES = CODE_NAMES | plain_names("id item_id series_id asset_id secid permno stock store name coin country geo")
ID_NAMES |= plain_names("location asset instrument")
ROW_DATE = "\0date"  # name of the column of dates while the others are compared
MIN_ROWS_PER_SERIES = 2  # on average; text with more values than that is a remark


def find_series_column(prices: pd.DataFrame) -> Hashable | None:
    """Return the column that names the series of each row; None where the dates identify the rows.

    That is a column named ticker or symbol, or else, where dates repeat, the one that separates the rows of each date:
    a column of text, or of whole numbers that either has the name of an id or has every date for each of its values.
    Raises ValueError where several columns separate the rows in different ways, or only two columns do.
    """
    names = list(prices.columns)
    ticker = next((name for name in names if plain_name(str(name)) in TICKER_COLUMNS), None)
    if ticker is not None or not prices.index.has_duplicates:
        return ticker
    rows = prices.reset_index(names=ROW_DATE).drop_duplicates()
    if not rows[ROW_DATE].duplicated().any():
        return None
    text = [name for name in names if not pd.api.types.is_numeric_dtype(prices[name]) and _is_text(prices[name])]
    found = [name for name in text if _separates(rows, [name])]
    if not found:
        whole = [name for name in names if plain_name(str(name)) in ID_NAMES or _is_balanced(rows, name)]
        found = [name for name in whole if name not in text and _separates(rows, [name])]
    named = [name for name in found if plain_name(str(name)) in ID_NAMES]
    others = [name for name in found if rows.groupby(found[0], observed=True)[name].nunique().max() > 1]
    if others and len(named) != 1:
        columns = ", ".join(map(repr, found))
        raise ValueError(
            f"dates repeat, and each of the columns {columns} separates the rows: rename the one that names the series "
            "to unique_id"
        )
    if found:
        return named[0] if others else found[0]
    pair = next((pair for pair in combinations(text, 2) if _separates(rows, list(pair))), None)
    if pair is not None:
        first, second = pair
        raise ValueError(
            f"dates repeat, and only {first!r} and {second!r} together separate the rows: select the rows of one "
            f"{second!r}, or join both into a column named unique_id"
        )
    return None


def split_series(prices: pd.DataFrame, column: Hashable) -> pd.DataFrame:
    """Return a long table as unique_id, ds, y, or with (field, ticker) columns if it has several fields.

    `prices` are indexed by date; `column` names the series. Further columns of text are left out, with a note.
    """
    if prices[column].isna().any():
        raise ValueError(f"{int(prices[column].isna().sum())} rows have no {column}: give each row one, or drop it")
    names = prices[column].astype(str).str.strip().to_numpy()
    text = [name for name in prices.columns if name != column and _is_remark(prices[name], name)]
    values = prices.drop(columns=[column, *text])
    if values.shape[1] == 0:
        raise ValueError(f"there are dates and {column} but no prices: add a column of them, named y or Close")
    check_unique(prices, names, column)
    y = next((name for name in values.columns if str(name).lower() == "y"), None)
    if y is not None or values.shape[1] == 1:
        y = values.columns[0] if y is None else y  # columns next to y are inputs
        table = pd.DataFrame(dict(zip(LONG_COLUMNS, (names, values.index, values[y].to_numpy()), strict=True)))
        table.attrs = dict(prices.attrs)
        if str(y).lower() != "y":
            table.attrs["field"] = canonical_field(y)
    else:
        table = values.set_index([values.index, names]).unstack().rename_axis(columns=["Price", "Ticker"])
        table.attrs = dict(prices.attrs)
    is_ticker = plain_name(str(column)) in TICKER_COLUMNS
    notes = [] if is_ticker else [f"the series are named by the column {str(column)!r}"]
    left_out = [f"the column {str(name)!r} contains text and is left out" for name in text]
    add_notes(table, [*notes, *left_out])
    if left_out:
        warnings.warn("; ".join(left_out), PricesWarning, stacklevel=4)
    return table


def check_unique(prices: pd.DataFrame, names: np.ndarray, column: Hashable) -> None:
    """Raise ValueError where a series has two rows at one date."""
    keys = pd.MultiIndex.from_arrays([prices.index, names])
    if not keys.has_duplicates:
        return
    date, name = keys[keys.duplicated()][0]
    rows = prices[(prices.index == date) & (names == name)]
    where = f"{name} has {len(rows)} rows at {format_date(date)}"
    if len(rows.drop_duplicates()) == 1:
        raise ValueError(f"{where} with the same values: if they are copies, remove all but one")
    raise ValueError(
        f"{where} with different values: find out which is right, or what distinguishes them (a time of day, a second "
        f"id), and make it part of the date or of {column}"
    )


def _separates(rows: pd.DataFrame, columns: list[Hashable]) -> bool:
    """Return whether these columns and the date (column `ROW_DATE`) identify each row, and series have several."""
    n_series = len(rows[columns].drop_duplicates())
    return (
        bool(rows[columns].notna().all(axis=None))
        and MIN_ROWS_PER_SERIES * n_series <= len(rows)
        and not rows.duplicated([ROW_DATE, *columns]).any()
    )


def _is_balanced(rows: pd.DataFrame, name: Hashable) -> bool:
    """Return whether a column of whole numbers has every date for each of its values."""
    column = rows[name]
    if not pd.api.types.is_numeric_dtype(column) or not (column % 1 == 0).all():
        return False
    return column.nunique() > 1 and column.nunique() * rows[ROW_DATE].nunique() == len(rows)


def _is_text(column: pd.Series) -> bool:
    """Return whether most cells of a column are neither numbers nor missing, or it is a categorical."""
    cells = column.dropna()
    return bool(len(cells)) and bool(pd.to_numeric(cells.astype(object), errors="coerce").isna().mean() > 0.5)


def _is_remark(column: pd.Series, name: Hashable) -> bool:
    return kind_of(str(name)) is None and not pd.api.types.is_numeric_dtype(column) and _is_text(column)
