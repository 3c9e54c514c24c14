"""Tables with one series per row: of the M4 competition, and of offices that write years or dates as columns."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd

from forecast._warnings import warn
from forecast.data.csv.numbers import has_digit, is_name
from forecast.data.date_parts import PART_NAMES
from forecast.data.dates import is_date, read_dates
from forecast.data.fields import plain_name, plain_names
from forecast.data.month_names import month_number
from forecast.data.notes import PricesWarning, add_notes
from forecast.data.row_labels import DATE_NAMES, PERIOD_NAMES
from forecast.data.times_of_day import HOUR_NAMES

#: Lower-case names of the first column of a table with one series per row; V2, V3 … follow.
ID_COLUMNS = ("v1", "id", "unique_id")
#: A year as the name of a column, which R and the World Bank write as X1960, YR1960 and 1960 [YR1960].
YEAR = re.compile(r"(?:X|YR?|F)?((?:1[5-9]|20|21)\d\d)(?: ?\[YR\1\])?")
MIN_DATES = 3  # columns that are dates
#: Words in the name of a column that names the series.
NAME_WORDS = plain_names("name country region series title geo area state land pays país paese ticker symbol")


def has_series_in_rows(frame: pd.DataFrame) -> bool:
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


def transpose_series(frame: pd.DataFrame, row_word: str) -> pd.DataFrame:
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


# --- dates as names of columns ---------------------------------------------------------------------------------------


def positions_of_dates(columns: pd.Index) -> list[int]:
    """Return the positions of the columns whose names are dates or years."""
    names = [str(name) for name in columns] if columns.nlevels == 1 else []
    if not any(map(_is_date_or_year, names[-MIN_DATES:])):
        return []  # as of nearly all tables, which may have thousands of columns
    return [i for i, name in enumerate(names) if _is_date_or_year(name)]


def _is_date_or_year(name: str) -> bool:
    return YEAR.fullmatch(name) is not None or is_date(name)


def has_dates_in_columns(columns: pd.Index) -> bool:
    """Return whether the columns of a table are dates, behind columns that describe the series of each row."""
    if columns.nlevels > 1:
        return False
    at = positions_of_dates(columns)
    if len(at) < MIN_DATES or at[0] == 0 or at != list(range(at[0], at[-1] + 1)):
        return False
    names = [str(columns[i]) for i in at]
    others = {plain_name(str(name)) for name in columns if str(name) not in names}
    return len(set(names)) == len(names) and others.isdisjoint(DATE_NAMES) and any(map(is_name, others))


def transpose_dates(frame: pd.DataFrame, dayfirst: bool | None) -> pd.DataFrame:
    """Return a table whose columns are dates with a row per date and a column per series."""
    at = positions_of_dates(frame.columns)
    names = [YEAR.sub(r"\1", str(frame.columns[i])) for i in at]
    column, ids = _name_rows(frame.drop(columns=frame.columns[at]))
    is_part = plain_name(str(column)) in PERIOD_NAMES | PART_NAMES | HOUR_NAMES
    if is_part or all(month_number(name) or is_date(name) for name in ids):
        raise ValueError(
            f"each row is a part of a year or a date ({ids.iloc[0]!r}) and each column a date ({names[0]!r}): write a "
            "row per date, such as 2024-01 and its value"
        )
    index, note = read_dates(pd.Series(names, index=["header"] * len(names)), "the", dayfirst)
    values = frame.iloc[:, at].T.set_axis(index, axis=0).set_axis(list(ids), axis=1)
    empty = [name for name, is_empty in zip(ids, values.isna().all(), strict=True) if is_empty]
    notes = [note] * bool(note) + [f"each row is a series, named by the column {str(column)!r}"]
    if 0 < len(empty) < values.shape[1]:
        listed = ", ".join(empty[:3]) + (" …" if len(empty) > 3 else "")
        text = f"{len(empty)} series have no value and are left out ({listed})"
        warn(text, PricesWarning)
        notes.append(text)
        values = values.loc[:, ~values.columns.isin(empty)]
    values = values.infer_objects()
    rows = values.notna().any(axis=1).to_numpy()
    values = values.iloc[rows.argmax() : len(rows) - rows[::-1].argmax()] if rows.any() else values
    values.attrs = dict(frame.attrs)
    add_notes(values, notes)
    return values


def _name_rows(others: pd.DataFrame) -> tuple[str, pd.Series]:
    """Return the column that names the series of each row, and the names; raise where none has different names.

    A column that counts the rows gives way to one of text, which it completes where a text repeats.
    """
    column = _naming_column(others)
    ids = others[column].astype(str).str.strip()
    if ids.tolist() != [str(i) for i in range(1, len(ids) + 1)]:
        return column, ids
    texts = [others.iloc[:, i].astype(str).str.strip() for i in range(others.shape[1]) if others.columns[i] != column]
    texts = [text for text in texts if text.map(lambda cell: is_name(cell) and not has_digit(cell[:1])).all()]
    text = next((text for text in texts if text.nunique() > 1), None)
    if text is None:
        return column, ids
    repeats = text.duplicated(keep=False)
    return str(text.name) or column, text.where(~repeats, text + f" ({column} " + ids + ")")


def _naming_column(others: pd.DataFrame) -> str:
    """Return the column that has a different name for each row, by its name or the first; raise where none has."""
    columns = [name for name in others.columns if name != "" and others[name].notna().all() and others[name].is_unique]
    if not columns:
        several = [name for name in others.columns if others[name].dropna().nunique() > 1]
        repeated = [*others.columns[:1], *several][-1]
        raise ValueError(
            "the columns are dates, and no other column has a different name in each row: select the rows of one "
            f"{str(repeated)!r}, or add a first column with the name of each series"
        )
    named = [name for name in columns if not NAME_WORDS.isdisjoint(plain_name(str(name)).split())]
    return str((named or columns)[0])
