"""Long tables: a row per date and series, with the name of the series in a column."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from forecast._warnings import warn
from forecast.data.date_parts import PART_NAMES
from forecast.data.fields import (
    BARS,
    CLOSES,
    LONG_COLUMNS,
    QUOTE,
    TARGETS,
    canonical_field,
    is_like_ticker,
    kind_of,
    plain_name,
    plain_names,
)
from forecast.data.kinds import describe_changes, find_other_kind
from forecast.data.midpoints import read_midpoints
from forecast.data.notes import PricesWarning, add_notes
from forecast.data.row_labels import format_date
from forecast.data.times_of_day import HOUR_NAMES, SLOT_NAMES, TIME_NAMES, are_times

#: Names of the column of tickers, which names the series also where no date repeats. All names here are compared as
#: `plain_name` returns them.
TICKER_COLUMNS = plain_names("unique_id ticker symbol")
#: Names of columns that contain codes with leading zeros.
CODE_NAMES = plain_names("code stock_code ts_code security_code cusip sedol isin gvkey 证券代码 股票代码 代码 コード")
CODE_NAMES |= plain_names("銘柄コード 종목코드")
#: Names of columns that may identify a series by whole numbers.
ID_NAMES = CODE_NAMES | plain_names("id item_id series_id asset_id secid permno stock store name coin country geo")
ID_NAMES |= plain_names("location asset instrument")
#: Further names of columns whose whole numbers identify a series where dates repeat, and the last words of such names.
NUMBERED = ID_NAMES | plain_names(
    "article branch customer dept department item meter outlet plant product region sensor"
)
NUMBERED |= plain_names("shop site sku station warehouse zone")
NUMBER_WORDS = plain_names("id no nr nbr num number code")
#: Names of columns that state what is measured in a row, which need not be one series per value.
MEASURE_NAMES = plain_names("field fields variable var measure metric indicator item attribute type kind price_type")
MEASURE_NAMES |= plain_names("unit units side session fixing")
#: Values, and words in the name, of a column that states whether a row is adjusted.
UNADJUSTED = plain_names("NSA NSCA N No False unadjusted raw unbereinigt")
UNADJUSTED |= {"not seasonally adjusted", "not adjusted", "non adjusted"}
VERSIONS = (
    UNADJUSTED | plain_names("SA SCA SWA SWDA SAAR CA WDA Y Yes True adjusted bereinigt") | {"seasonally adjusted"}
)
ADJUSTED = re.compile(r"(.* )?(adj|adjust|adjusted|adjustment|seasonality|seasonal|bereinigung|vintage|revision)")
FIELD_KINDS = {*BARS, *CLOSES, *TARGETS, "Volume", "Adj Volume", QUOTE}
MAX_MEASURES = 24  # values that may be names of fields or are compared
#: Names of columns that never name the series, because they are a part of the date or the time of day.
NO_SERIES = (PART_NAMES | TIME_NAMES | HOUR_NAMES | SLOT_NAMES) - MEASURE_NAMES
ROW_DATE = "\0date"  # name of the column of dates while the others are compared
MAX_LISTED = 8  # values that a message lists
MAX_IDS = 8  # columns that are tried as the names of series in twos and threes
MIN_COUNTED = 10  # rows that show that a column counts them
MIN_ROWS_PER_SERIES = 2  # on average; text with more values than that is a remark


def find_series_columns(prices: pd.DataFrame) -> list[Hashable]:
    """Return the columns that name the series of each row, most often one; none where the dates identify the rows.

    That is a column named ticker or symbol, or else, where dates repeat, the one that separates the rows of each date:
    a column of text, or of whole numbers that either has the name of an id or has every date for each of its values.
    Where only several of these do, such as a shop and an article, they name the series. Raises ValueError where columns
    separate the rows in different ways, or one of several states what is measured.
    """
    names = [name for name in prices.columns if prices[name].notna().any()]
    ticker = next((name for name in names if plain_name(str(name)) in TICKER_COLUMNS), None)
    if ticker is not None or not prices.index.has_duplicates:
        return [] if ticker is None else [ticker]
    rows = prices.reset_index(names=ROW_DATE).drop_duplicates()
    if not rows[ROW_DATE].duplicated().any():
        return []
    parts = [name for name in names if plain_name(str(name)) in NO_SERIES or _is_time(rows, name)]
    names = [name for name in names if name not in parts]
    text = [name for name in names if not pd.api.types.is_numeric_dtype(prices[name]) and _is_text(prices[name])]
    found = [name for name in text if _separates(rows, [name])]
    if not found:
        whole = [name for name in names if _identifies(rows, name) or _is_balanced(rows, name)]
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
        column = named[0] if others else found[0]
        _check_measure(prices[column], column)
        return [column]
    part = next((name for name in parts for other in (name, *text) if _separates(rows, [name, other])), None)
    if part is not None:
        raise ValueError(
            f"dates repeat, and {part!r} separates their rows, which seems to be a part of the date: write both in one "
            "column of dates, such as 2024-01-31 09:30, or rename it to unique_id if it names the series"
        )
    return _find_several(
        prices, rows, [*text, *(name for name in names if name not in text and _identifies(rows, name))]
    )


def _find_several(prices: pd.DataFrame, rows: pd.DataFrame, ids: list[Hashable]) -> list[Hashable]:
    """Return the two or three columns, of these, that separate the rows of each date; an empty list if none do.

    Raises ValueError where several choices separate them in different ways, or a column states what is measured.
    """
    ids = [name for name in ids if rows[name].nunique() > 1][:MAX_IDS]
    choices: list[list[Hashable]] = []
    for size in (2, 3):
        choices = choices or [list(c) for c in combinations(ids, size) if _separates(rows, list(c))]
    if not choices:
        return []
    listed = [" and ".join(map(repr, choice)) for choice in choices]
    joint = [list(dict.fromkeys([*choices[0], *other])) for other in choices]
    if len({len(rows[columns].drop_duplicates()) for columns in (*choices, *joint)}) > 1:
        raise ValueError(
            f"dates repeat, and the columns {listed[0]} together separate the rows, as do {listed[1]}: join those that "
            "name the series into a column named unique_id"
        )
    texts = [name for name in choices[0] if _is_text(prices[name])]
    if measures := [name for name in texts if plain_name(str(name)) in MEASURE_NAMES]:
        raise ValueError(
            f"dates repeat, and only {listed[0]} together separate the rows: select the rows of one "
            f"{measures[0]!r}, or join both into a column named unique_id"
        )
    for name in texts:
        _check_measure(prices[name], name)
    return choices[0]


def _identifies(rows: pd.DataFrame, name: Hashable) -> bool:
    """Return whether a column is named as one of ids, which may be numbers: a shop, or shop_no."""
    plain = plain_name(str(name))
    if plain in ID_NAMES:
        return True
    is_named = plain in NUMBERED or plain.split(" ")[-1] in NUMBER_WORDS
    return is_named and bool((pd.to_numeric(rows[name], errors="coerce") % 1 == 0).all())


def widen_fields(prices: pd.DataFrame) -> pd.DataFrame:
    """Return a table with a row per date and field as one with a column per field; any other table as it is.

    The fields are the values of one column, such as open and close. A further column may name the series.
    """
    if not prices.index.has_duplicates:
        return prices
    column = next((name for name in prices.columns if _names_fields(prices[name], name)), None)
    if column is None:
        return prices
    others = [name for name in prices.columns if name != column]
    keys = [name for name in others if plain_name(str(name)) in ID_NAMES | TICKER_COLUMNS or _is_text(prices[name])]
    keys = [name for name in keys if not _describes(prices, name, column) and not _is_counter(prices[name])]
    numbers = [name for name in others if pd.api.types.is_numeric_dtype(prices[name])]
    values = [name for name in numbers if name not in keys and not _is_counter(prices[name])]
    rows = prices.set_index([*keys, column], append=True)
    if len(values) != 1 or rows.index.has_duplicates:
        return prices
    fields = list(prices[column].unique())
    table = rows[values[0]].unstack()[fields].set_axis(fields, axis=1)
    table = table.reset_index(level=list(range(1, 1 + len(keys))))
    table.attrs = dict(prices.attrs)
    add_notes(table, [f"the column {str(column)!r} names the fields: {', '.join(map(str, fields))}"])
    return table


def split_series(prices: pd.DataFrame, columns: Sequence[Hashable]) -> pd.DataFrame:
    """Return a long table as unique_id, ds, y, or with (field, ticker) columns if it has several fields.

    `prices` are indexed by date; `columns` name the series, several as in Berlin/tea. Further columns of text are
    left out, with a note.
    """
    prices, column = _join_names(prices, columns)
    if prices[column].isna().any():
        raise ValueError(f"{int(prices[column].isna().sum())} rows have no {column}: give each row one, or drop it")
    prices = read_midpoints(prices)
    names = prices[column].astype(str).str.strip().to_numpy()
    text = [name for name in prices.columns if name != column and _is_remark(prices[name], name)]
    values = prices.drop(columns=[column, *text])
    y = next((name for name in values.columns if str(name).lower() == "y"), None)
    counted = _find_counters(values, names) if y is None else {}  # columns next to y are inputs
    values = values.drop(columns=list(counted))
    if values.shape[1] == 0:
        raise ValueError(f"there are dates and {column} but no prices: add a column of them, named y or Close")
    check_unique(prices, names, column)
    if y is not None or values.shape[1] == 1:
        y = values.columns[0] if y is None else y
        table = pd.DataFrame(dict(zip(LONG_COLUMNS, (names, values.index, values[y].to_numpy()), strict=True)))
        table.attrs = dict(prices.attrs)
        if str(y).lower() != "y":
            table.attrs["field"] = canonical_field(y)
        if plain_name(str(column)) not in ID_NAMES | TICKER_COLUMNS:
            _check_kinds_of_series(table, column)
    else:
        table = values.set_index([values.index, names]).unstack().rename_axis(columns=["Price", "Ticker"])
        table.attrs = dict(prices.attrs)
    is_ticker = plain_name(str(column)) in TICKER_COLUMNS
    named = f"column {str(column)!r}"
    if len(columns) > 1:
        named = f"columns {' and '.join(repr(str(name)) for name in columns)}, as in {names[0]!r}"
    notes = [] if is_ticker else [f"the series are named by the {named}"]
    left_out = [f"the column {str(name)!r} contains text and is left out" for name in text]
    left_out += [f"the column {str(name)!r} {reason} and is left out" for name, reason in counted.items()]
    add_notes(table, [*notes, *left_out])
    if left_out:
        warn("; ".join(left_out), PricesWarning)
    return table


def _join_names(prices: pd.DataFrame, columns: Sequence[Hashable]) -> tuple[pd.DataFrame, Hashable]:
    """Return the prices with one column that names the series, and this column."""
    if len(columns) == 1:
        return prices, columns[0]
    first, *others = (prices[name].astype(str).str.strip() for name in columns)
    joined = "/".join(map(str, columns))
    return prices.drop(columns=list(columns)).assign(**{joined: first.str.cat(others, sep="/")}), joined


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


def _names_fields(column: pd.Series, name: Hashable) -> bool:
    """Return whether the values of a column are names of an instrument's fields rather than tickers."""
    plain = plain_name(str(name))
    if plain in TICKER_COLUMNS or pd.api.types.is_numeric_dtype(column) or column.isna().any():
        return False
    if column.nunique() > MAX_MEASURES:
        return False
    values = [str(value) for value in column.unique()]
    kinds = [kind_of(value) for value in values]
    known = [value for value, kind in zip(values, kinds, strict=True) if kind in FIELD_KINDS]
    if len(known) < 2 or (plain not in MEASURE_NAMES and len(known) < len(values)):
        return False
    is_clear = any(not is_like_ticker(value) for value in known) or kinds.count(QUOTE) > 1
    return plain in MEASURE_NAMES or is_clear


def _describes(prices: pd.DataFrame, name: Hashable, column: Hashable) -> bool:
    """Return whether a column has one value for each value of another, such as the currency of each field."""
    return prices[name].nunique() > 1 and bool(prices.groupby(column, observed=True)[name].nunique().max() == 1)


def _check_measure(values: pd.Series, column: Hashable) -> None:
    """Raise ValueError where the column that separates the rows states what they measure, or whether it is adjusted."""
    plain = plain_name(str(column))
    versions = {plain_name(str(value)) for value in values.unique()[: MAX_LISTED + 1]}
    are_versions = bool(UNADJUSTED & versions) and versions <= VERSIONS
    if plain not in ID_NAMES | TICKER_COLUMNS and (are_versions or ADJUSTED.fullmatch(plain)):
        raise ValueError(
            f"dates repeat, and the column {str(column)!r} separates the rows into versions of one series, such as "
            f"adjusted and not adjusted ({_list_values(values)}): select the rows of one, or rename the column to "
            "unique_id if each is a series to forecast"
        )
    if plain_name(str(column)) in MEASURE_NAMES:
        raise ValueError(
            f"dates repeat, and the column {str(column)!r} separates the rows by what they measure "
            f"({_list_values(values)}): select the rows of one, or rename the column to unique_id if each is a series "
            "to forecast"
        )


def _check_kinds_of_series(table: pd.DataFrame, column: Hashable) -> None:
    """Raise ValueError where some series of a long table are prices and others are volumes or returns."""
    if table["unique_id"].nunique() > MAX_MEASURES:
        return
    series = table.sort_values("ds", kind="stable").groupby("unique_id", sort=False)["y"]
    numbers = {name: pd.to_numeric(y, errors="coerce").to_numpy(dtype=np.float64) for name, y in series}
    other = find_other_kind([describe_changes(values) for values in numbers.values()])
    if other is not None:
        at, kind = other
        raise ValueError(
            f"the column {str(column)!r} separates the rows of each date, and {list(numbers)[at]!r} looks like {kind}, "
            f"next to values that look like prices ({_list_values(table['unique_id'])}): select the rows of one, or of "
            "those that are alike"
        )


def _list_values(values: pd.Series) -> str:
    listed = [str(value) for value in values.unique()]
    return ", ".join(listed[:MAX_LISTED]) + (" …" if len(listed) > MAX_LISTED else "")


def _find_counters(values: pd.DataFrame, names: np.ndarray) -> dict[Hashable, str]:
    """Return the columns of a long table that count or identify rows, with the reason; some columns remain."""
    found: dict[Hashable, str] = {}
    for name, column in values.items():
        if kind_of(str(name)) is not None or not pd.api.types.is_numeric_dtype(column):
            continue
        if _is_counter(column) or _is_counter(column[names == names[0]]):
            found[name] = "counts rows"
        elif plain_name(str(name)) in ID_NAMES and (column % 1 == 0).all():
            found[name] = "identifies rows"
    return found if len(found) < values.shape[1] else {}


def _is_counter(column: pd.Series) -> bool:
    """Return whether a column has another whole number in each row, without gaps."""
    if not pd.api.types.is_numeric_dtype(column) or column.isna().any() or not column.is_unique:
        return False
    x = column.to_numpy(dtype=np.float64)
    return bool((x % 1 == 0).all()) and float(np.ptp(x)) == len(x) - 1 and len(x) >= MIN_COUNTED


def _separates(rows: pd.DataFrame, columns: list[Hashable]) -> bool:
    """Return whether these columns and the date (column `ROW_DATE`) identify each row, and series have several."""
    n_series = len(rows[columns].drop_duplicates())
    return (
        bool(rows[columns].notna().all(axis=None))
        and MIN_ROWS_PER_SERIES * n_series <= len(rows)
        and not rows.duplicated([ROW_DATE, *columns]).any()
    )


def _is_time(rows: pd.DataFrame, name: Hashable) -> bool:
    """Return whether the cells of a column that is not named as an id are the times of a day, in text or by number."""
    return plain_name(str(name)) not in ID_NAMES and are_times(rows[name].dropna().unique())


def _is_balanced(rows: pd.DataFrame, name: Hashable) -> bool:
    """Return whether a column of whole numbers has every date for each of its values."""
    column = pd.to_numeric(rows[name], errors="coerce")  # codes with leading zeros are text
    if not (column % 1 == 0).all():
        return False
    return column.nunique() > 1 and column.nunique() * rows[ROW_DATE].nunique() == len(rows)


def _is_text(column: pd.Series) -> bool:
    """Return whether most cells of a column are neither numbers nor missing, or it is a categorical."""
    cells = column.dropna()
    return bool(len(cells)) and bool(pd.to_numeric(cells.astype(object), errors="coerce").isna().mean() > 0.5)


def _is_remark(column: pd.Series, name: Hashable) -> bool:
    return kind_of(str(name)) is None and not pd.api.types.is_numeric_dtype(column) and _is_text(column)
