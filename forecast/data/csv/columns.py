"""What the columns of a table in a file mean: dates, row numbers, tickers, series in rows, fillers."""

from __future__ import annotations

import re
from collections.abc import Hashable

import pandas as pd

from forecast.data.csv.long_tables import find_series_columns, split_series, widen_fields
from forecast.data.csv.numbers import has_digit
from forecast.data.csv.transposed import has_dates_in_columns, has_series_in_rows, transpose_dates, transpose_series
from forecast.data.fields import TARGETS, canonical_field
from forecast.data.notes import add_notes
from forecast.data.row_labels import read_row_labels


def to_price_table(frame: pd.DataFrame, stem: str, row_word: str, dayfirst: bool | None) -> pd.DataFrame:
    """Return a file's table indexed by its dates, in one of the shapes that `as_panel` reads.

    `frame` is labelled by positions in the file, which errors call by `row_word` ("line" or "row"); `stem` is the name
    of the file, after which a single ticker is named.
    """
    if len(frame) == 0:
        raise ValueError("there is a header but no row; rows of a date and prices are needed: download the file again")
    if has_series_in_rows(frame):
        return transpose_series(frame, row_word)
    if has_dates_in_columns(frame.columns):
        return transpose_dates(frame, dayfirst)
    prices = frame if isinstance(frame.index, pd.DatetimeIndex) else _index_by_date(frame, row_word, dayfirst)
    if prices.columns.nlevels == 2:
        return prices
    prices = widen_fields(prices)
    series = find_series_columns(prices)
    if series:
        return split_series(prices, series)
    if prices.shape[1] == 1 and canonical_field(prices.columns[0]) in TARGETS:
        return prices.set_axis(pd.MultiIndex.from_tuples([(str(prices.columns[0]), stem)]), axis=1)
    prices.attrs["ticker"] = stem
    return prices


# --- dates and row numbers -------------------------------------------------------------------------------------------


def _index_by_date(frame: pd.DataFrame, row_word: str, dayfirst: bool | None) -> pd.DataFrame:
    """Return the columns of values, indexed by the dates or row numbers in the others."""
    labels = read_row_labels(frame, row_word, dayfirst)
    others = [i for i in range(frame.shape[1]) if i not in labels.columns]
    values = [i for i in others if not _is_filler(frame.iloc[:, i], frame.columns[i])]
    if not values:
        raise ValueError(
            f"there is only one column, {str(frame.columns[labels.columns[0]])!r}; dates and at least one column of "
            "prices are needed: add them, separated by comma, semicolon, tab or bar"
        )
    prices = frame.iloc[:, values].set_axis(labels.index, axis=0)
    add_notes(prices, labels.notes)
    return prices


def _is_filler(column: pd.Series, name: Hashable) -> bool:
    """Return whether a column without a name is empty, only counts rows, or has one word."""
    if name not in ("", ("", "")) and not re.fullmatch(r"Unnamed: \d+", str(name)):
        return False
    cells = column.dropna()
    if not pd.api.types.is_numeric_dtype(column) and cells.nunique() == 1 and len(cells) == len(column) > 1:
        return not has_digit(str(cells.iloc[0]))  # a currency behind each price
    numbers = pd.to_numeric(cells, errors="coerce")
    if cells.empty or (len(cells) == len(column) and (numbers % 1 == 0).all() and numbers.is_unique):
        return True
    raise ValueError(f"a column has no name and contains {cells.iloc[0]}: name it in the header, or remove it")
