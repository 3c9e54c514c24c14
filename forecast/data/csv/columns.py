"""What the columns of a table in a file mean: dates, row numbers, tickers, series in rows, fillers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable

import numpy as np
import pandas as pd

from forecast.data.csv.dates import read_dates
from forecast.data.csv.numbers import has_digit, is_name
from forecast.data.panel import LONG_COLUMNS, TARGETS, canonical_field, format_date

#: Lower-case names of the columns that contain dates and tickers.
DATE_COLUMNS = ("date", "ds", "datetime", "timestamp", "time")
TICKER_COLUMNS = ("unique_id", "ticker", "symbol")
#: Lower-case names of a column that may contain row numbers instead of dates.
STEP_COLUMNS = ("", "index", "step", "row", "ds", "time")
#: Lower-case names of the first column of a table with one series per row; V2, V3 … follow.
ID_COLUMNS = ("v1", "id", "unique_id")


def to_price_table(frame: pd.DataFrame, stem: str, row_word: str, dayfirst: bool | None) -> pd.DataFrame:
    """Return a file's table indexed by its dates, in one of the shapes that `as_panel` reads.

    `frame` is labelled by positions in the file, which errors call by `row_word` ("line" or "row"); `stem` is the name
    of the file, after which a single ticker is named.
    """
    if len(frame) == 0:
        raise ValueError("there is a header but no row; rows of a date and prices are needed: download the file again")
    if _has_series_in_rows(frame):
        return _transpose_series(frame, row_word)
    prices = frame if isinstance(frame.index, pd.DatetimeIndex) else _index_by_date(frame, row_word, dayfirst)
    if prices.columns.nlevels == 2:
        return prices
    ticker = next((column for column in prices.columns if str(column).lower() in TICKER_COLUMNS), None)
    if ticker is not None:
        return _split_tickers(prices, ticker)
    if prices.shape[1] == 1 and canonical_field(prices.columns[0]) in TARGETS:
        return prices.set_axis(pd.MultiIndex.from_tuples([(str(prices.columns[0]), stem)]), axis=1)
    prices.attrs["ticker"] = stem
    return prices


def date_column(columns: pd.Index) -> int:
    """Return the position of the dates: of the column with such a name, else of the first."""
    if columns.nlevels == 2:
        return 0
    return next((i for i, name in enumerate(columns) if str(name).lower() in DATE_COLUMNS), 0)


# --- dates and row numbers -------------------------------------------------------------------------------------------


def _index_by_date(frame: pd.DataFrame, row_word: str, dayfirst: bool | None) -> pd.DataFrame:
    """Return the columns of values, indexed by the column of dates or row numbers."""
    at = date_column(frame.columns)
    values = [i for i, name in enumerate(frame.columns) if i != at and not _is_filler(frame.iloc[:, i], name)]
    if not values:
        raise ValueError(
            f"there is only one column, {str(frame.columns[at])!r}; dates and at least one column of prices "
            "are needed: add them, separated by comma, semicolon, tab or bar"
        )
    name = str(frame.columns[at]) if frame.columns.nlevels == 1 else "Date"
    return frame.iloc[:, values].set_axis(_row_labels(frame.iloc[:, at], name, row_word, dayfirst), axis=0)


def _is_filler(column: pd.Series, name: Hashable) -> bool:
    """Return whether a column without a name is empty (a separator at the end of lines) or only counts rows."""
    if name not in ("", ("", "")) and not re.fullmatch(r"Unnamed: \d+", str(name)):
        return False
    cells = column.dropna()
    numbers = pd.to_numeric(cells, errors="coerce")
    if cells.empty or (len(cells) == len(column) and (numbers % 1 == 0).all() and numbers.is_unique):
        return True
    raise ValueError(f"a column has no name and contains {cells.iloc[0]}: name it in the header, or remove it")


def _row_labels(column: pd.Series, name: str, row_word: str, dayfirst: bool | None) -> pd.Index:
    """Return the dates or row numbers in a column that is labelled by positions in the file."""
    if column.isna().any():
        raise ValueError(f"{row_word} {column.index[column.isna()][0]} has no date: give the row one, or drop it")
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.DatetimeIndex(column)
    text = column.astype(str).str.strip()
    integers = text.str.fullmatch("[0-9]{1,18}").all()
    compact = text.str.fullmatch("[12][0-9]{7}").any()  # one is enough: among 20240102, 2024013 is no row number
    if name.lower() in STEP_COLUMNS and integers and not compact:
        return pd.Index(text.astype("int64"), name=None)
    is_dated = name.lower() in DATE_COLUMNS or compact or (has_digit(text.iloc[0]) and is_name(text.iloc[0]))
    if not is_dated:
        raise ValueError(
            f"there is no date column: none is named date, ds or time, and the first, {name!r}, begins with "
            f"{text.iloc[0]!r}; add a column of dates, or number the rows in a first column named step"
        )
    return read_dates(text, row_word, dayfirst)


# --- long tables -----------------------------------------------------------------------------------------------------


def _split_tickers(prices: pd.DataFrame, ticker: Hashable) -> pd.DataFrame:
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
        return pd.DataFrame(dict(zip(LONG_COLUMNS, (names, values.index, y.to_numpy()), strict=True)))
    values = values.set_index([values.index, names])
    if values.index.has_duplicates:
        date, name = values.index[values.index.duplicated()][0]
        raise ValueError(f"{name} has two rows at {format_date(date)}: keep one row per {ticker} and date")
    return values.unstack()


# --- one series per row ----------------------------------------------------------------------------------------------


def _has_series_in_rows(frame: pd.DataFrame) -> bool:
    """Return whether a table has one series per row: an id, then V2, V3 … in order, and not only dates as ids.

    R calls columns without a name V1, V2 … as well: a dated table with such a header is read by its dates.
    """
    first, *others = (str(name) for name in frame.columns.to_flat_index())
    if first.lower() not in ID_COLUMNS or others != [f"V{i}" for i in range(2, len(others) + 2)] or not others:
        return False
    ids = frame.iloc[:, 0].dropna().astype(str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        dates = pd.to_datetime(ids, errors="coerce")
    return not dates.notna().all()


def _transpose_series(frame: pd.DataFrame, row_word: str) -> pd.DataFrame:
    """Return a table with one series per row, as in the M4 competition, as undated columns that end together."""
    ids = frame.iloc[:, 0]
    if ids.isna().any():
        raise ValueError(f"{row_word} {ids.index[ids.isna()][0]} has no id: name the series of each row")
    for column in frame.columns[1:]:
        text = pd.to_numeric(frame[column], errors="coerce").isna() & frame[column].notna()
        if text.any():
            line = frame.index[text][0]
            raise ValueError(
                f"{row_word} {line} contains {frame.loc[line, column]!r} in {column}; values must be numbers"
            )
    values = frame.iloc[:, 1:].T.set_axis([str(name).strip() for name in ids], axis=1)
    observed = values.notna().to_numpy()
    empty = ~observed.any(axis=0)
    if empty.any():
        raise ValueError(f"{values.columns[int(empty.argmax())]} has no value at all: leave its row out")
    lengths = len(values) - observed[::-1].argmax(axis=0)  # rows of each series up to its last value
    longest = int(lengths.max())
    aligned = np.full((longest, values.shape[1]), None, dtype=object)
    for i, length in enumerate(lengths):
        aligned[longest - length :, i] = values.iloc[:length, i]
    return pd.DataFrame(aligned, columns=values.columns).infer_objects()
