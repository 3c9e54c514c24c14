"""Read text tables: decode the file, find the separator and the header, and read the cells. Nothing is guessed."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Hashable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.csv.decoding import read_file, unwrap_cells
from forecast.data.csv.header import find_header
from forecast.data.csv.lines import (
    NumberedRow,
    is_row_of_values,
    iter_rows,
    with_tabs,
    without_footer,
    without_repeated_headers,
)
from forecast.data.csv.long_tables import CODE_NAMES, ID_NAMES, TICKER_COLUMNS
from forecast.data.csv.numbers import (
    MISSING,
    has_decimal_comma,
    has_decimal_point,
    has_digit,
    is_name,
    mixes_thousands,
    read_numbers,
    split_symbols,
    without_spaces,
)
from forecast.data.csv.transposed import has_dates_in_columns, positions_of_dates
from forecast.data.date_parts import PART_NAMES
from forecast.data.fields import BARS, FURTHER, canonical_field, kind_of, kinds_of, plain_name
from forecast.data.notes import add_notes
from forecast.data.row_labels import date_column
from forecast.data.times_of_day import HOUR_NAMES, SLOT_NAMES, TIME_NAMES

#: A code that is text, since a number would lose its leading zeros.
CODE = re.compile(r"0+[1-9]\d*(?<=\d{4})", re.ASCII)
#: A whole number of thousands without a mark between them.
UNMARKED = re.compile(r"[+-]?[1-9]\d{3,}(\.0*)?")
SAMPLED_ROWS = 200  # first rows, which show how numbers and dates are written
#: The remarks between the rows of prices on Yahoo's page.
EVENT = re.compile(r"[\d.,]+ (dividends?|capital gains?)|\d[\d.]*[:/]\d[\d.]* (stock )?splits?", re.IGNORECASE)
#: Spellings of missing cells for pandas' reader; other upper and lower case is recognised cell by cell.
NA_VALUES = sorted({form for word in MISSING for form in (word, word.upper(), word.title(), "NaN", "-NaN")})
_PANDAS = tuple(map(int, pd.__version__.split(".")[:2]))
#: pandas 3.1 reads CSV numbers exactly and deprecates the option; earlier versions may be one bit off without it.
EXACT: dict[str, Any] = {"float_precision": "round_trip"} if _PANDAS < (3, 1) else {}


def read_text(path: Path, decimal: str | None, requested: Collection[str] = ()) -> pd.DataFrame:
    """Return the table of a text file; see `parse_text`."""
    text, notes = read_file(path)
    frame = parse_text(text, decimal, requested)
    add_notes(frame, notes)
    return frame


def parse_text(text: str, decimal: str | None, requested: Collection[str] = ()) -> pd.DataFrame:
    """Return a text's table with rows labelled by their line; dates and tickers stay text.

    So do the columns that are neither requested, if some are, nor the open, high, low and close of an instrument.
    Lines above the header and below the rows are left out; notes state which.
    """
    text = with_tabs(unwrap_cells(text))
    lines = text.split("\n")
    sep, columns, line, top_rows, notes = find_header(lines)
    body, footer_notes = _find_rows(text, sep, columns, line, top_rows)
    width = _check_widths(iter_rows(body, sep, line), columns)
    if width > len(columns):
        columns = columns.append(columns[:0].reindex([""] * (width - len(columns)))[0])
    as_text = _text_columns(columns) | _not_requested(columns, requested)
    as_text |= _named_ids(iter_rows(body, sep, line), columns) | _codes(top_rows, columns)
    frame = None if decimal == "," else _read_plain(body, sep, width, as_text)
    is_point = _writes_points(iter_rows(body, sep, line), sep, columns, as_text)
    if frame is None or (decimal is None and not _proves_point(body, sep, frame, is_point)):
        frame = _read_cells(iter_rows(body, sep, line), is_point, columns, as_text, decimal)
    else:
        frame.index += line + 1
    for i in as_text:
        cells = frame[i].astype(object).str.strip()
        frame[i] = cells.where(cells != "")
    frame = frame.set_axis(columns, axis=1).dropna(how="all")
    add_notes(frame, [*notes, *footer_notes])
    return frame


def _find_rows(
    text: str, sep: str, columns: pd.Index, line: int, top_rows: Sequence[NumberedRow]
) -> tuple[str, list[str]]:
    """Return the text below the header without lines that are no rows, with line ends in their place, and notes."""
    header, _, body = text.partition("\n") if line == 1 else _split_after(text, line)
    body, repeats = without_repeated_headers(body, header.rsplit("\n", 1)[-1], line)
    dates = date_column(columns)
    is_dated = not has_dates_in_columns(columns) and bool(top_rows) and is_row_of_values(top_rows[0][1], dates)
    body, footer = without_footer(body, sep, dates if is_dated else None, line)
    return body, [*repeats, *footer]


def _split_after(text: str, line: int) -> tuple[str, str, str]:
    """Return the first lines of a text, a line end, and the others."""
    head = text.split("\n", line)[:line]
    above = "\n".join(head)
    return above, "\n", text[len(above) + 1 :]


def _text_columns(columns: pd.Index) -> set[int]:
    """Return the positions of the columns whose cells stay text: dates, tickers, and what is next to dates as names."""
    if has_dates_in_columns(columns):
        return set(range(len(columns))) - set(positions_of_dates(columns))
    codes = TICKER_COLUMNS | CODE_NAMES
    return {date_column(columns)} | {i for i, name in enumerate(columns) if plain_name(str(name)) in codes}


def _not_requested(columns: pd.Index, requested: Collection[str]) -> set[int]:
    """Return the positions of the columns whose cells do not matter; none if what is requested may be in a cell."""
    if not requested or columns.nlevels == 2:
        return set()
    plain, fields = {plain_name(name) for name in requested}, {canonical_field(name) for name in requested}
    if not any(plain_name(str(name)) in plain or canonical_field(name) in fields for name in columns):
        return set()
    kinds = kinds_of([str(name) for name in columns])
    return {
        i
        for i, (name, kind) in enumerate(zip(map(str, columns), kinds, strict=True))
        if plain_name(name) not in plain and canonical_field(name) not in fields and kind not in BARS
    }


def _named_ids(rows: Iterator[NumberedRow], columns: pd.Index) -> set[int]:
    """Return the positions of the ids of series that are words (NA is one), or numbers with leading zeros."""
    ids = [i for i, name in enumerate(columns) if plain_name(str(name)) in ID_NAMES]
    distinct = {(i, cells[i].strip()) for _, cells in rows for i in ids if i < len(cells)} if ids else set()
    return {i for i, cell in distinct if re.fullmatch("0[0-9]+", cell) or (is_name(cell) and not has_digit(cell))}


def _codes(rows: Sequence[NumberedRow], columns: pd.Index) -> set[int]:
    """Return the positions of the columns, of unknown names, whose first cells are codes with leading zeros."""
    times = TIME_NAMES | HOUR_NAMES | SLOT_NAMES | PART_NAMES
    unknown = {
        i
        for i, name in enumerate(columns)
        if isinstance(name, str) and kind_of(name) is None and plain_name(name) not in times
    }
    return {i for _, cells in rows for i in unknown if i < len(cells) and CODE.fullmatch(cells[i].strip())}


# --- the rows --------------------------------------------------------------------------------------------------------


def _check_widths(rows: Iterator[NumberedRow], columns: pd.Index) -> int:
    """Return the largest number of cells in a row; raise ValueError where rows have lost or gained cells."""
    header_width = width = len(columns)
    first_lines: dict[int, int] = {}  # the first line of each length of row
    last_filled = 0  # in rows of another length than the header's
    for line, cells in rows:
        width = max(width, len(cells))
        if len(cells) == header_width:
            first_lines.setdefault(header_width, line)
        elif any(cell.strip() for cell in cells) and not _is_event(cells[1:]):
            first_lines.setdefault(len(cells), line)
            last_filled = max(last_filled, max(i for i, cell in enumerate(cells, 1) if cell.strip()))
    unequal = {n: line for n, line in first_lines.items() if n != header_width}
    named = max((i for i, name in enumerate(columns, 1) if name not in ("", ("", ""))), default=0)
    # Separators at the end of all rows, or of the header, are harmless.
    if not unequal or (len(first_lines) == 1 and last_filled == named):
        return width
    line = min(unequal.values())
    if (footer := unequal.get(1)) and first_lines.get(header_width, footer) < footer == line:
        raise ValueError(
            f"line {line} has one cell and is no row as those above it: if it is a source or a remark, remove it and "
            "the lines below it that are no rows"
        )
    if max(n for n, first in unequal.items() if first == line) > header_width:
        raise ValueError(
            f"line {line} has more cells than the {header_width} of the header: remove the surplus, or put numbers "
            "with a decimal comma in quotes"
        )
    raise ValueError(
        f"line {line} has fewer cells than the {header_width} of the header: is it cut short? Add what is missing, or "
        "the separators of empty cells"
    )


def _is_event(cells: Sequence[str]) -> bool:
    """Return whether the cells after the date are a dividend or a split."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return bool(filled) and all(EVENT.fullmatch(cell) for cell in filled)


# --- the numbers -----------------------------------------------------------------------------------------------------


def _read_plain(body: str, sep: str, width: int, as_text: set[int]) -> pd.DataFrame | None:
    """Return a table whose columns except `as_text` are plain numbers or words, read fast; None for any other table."""
    if not body.strip():
        return None
    values = [i for i in range(width) if i not in as_text]
    frame = pd.read_csv(
        io.StringIO(body),
        sep=sep,
        header=None,
        names=range(width),
        index_col=False,
        dtype=dict.fromkeys(as_text, str),
        keep_default_na=False,
        na_values=dict.fromkeys(values, NA_VALUES),
        skip_blank_lines=False,  # so that a row's label is its line
        skipinitialspace=True,
        low_memory=False,
        **EXACT,
    )
    texts = [i for i in values if frame[i].dtype.kind not in "iuf"]
    if any(pd.api.types.is_bool_dtype(frame[i]) for i in texts):
        return None
    if any(map(has_digit, {str(cell) for i in texts for cell in frame[i].dropna().unique()})):
        return None
    return frame.astype(dict.fromkeys(texts, object))  # names, such as those of the series of a long table


def _proves_point(body: str, sep: str, frame: pd.DataFrame, is_point: bool) -> bool:
    """Return whether no point of a table read by `_read_plain` may separate thousands.

    `is_point` states that 1.234 alone has a decimal point; with 998 in its column it may still be a thousand.
    """
    if not re.search(r"\d\.\d{3}(?!\d)", body):
        return True

    def has_cell(form: str) -> bool:
        return re.search(rf'(?:^|[{sep}"]) *[+-]?{form} *(?:$|[{sep}"])', body, re.MULTILINE) is not None

    x = frame.select_dtypes("floating").to_numpy(dtype=np.float64)
    x = x[np.isfinite(x)]
    if is_point and not (((x % 1 == 0) & (np.abs(x) >= 100)).any() and has_cell(r"[1-9]\d{2,}")):
        return True
    return has_cell(r"(?:0?\.\d+|\d+\.(?:\d{1,2}|\d{4,}))")


def _writes_points(rows: Iterator[NumberedRow], sep: str, columns: pd.Index, as_text: Collection[int]) -> bool:
    """Return whether 1.234 has a decimal point in a table where no cell alone proves it.

    It has one where a price or a volume such as 1234 has no mark between its thousands, or the names and dates are of
    an origin that writes points.
    """
    names = [str(name) for name in columns]
    first = list(islice(rows, SAMPLED_ROWS))
    dates = [cell.strip() for _, cells in first for i, cell in enumerate(cells) if i in as_text]
    if sep == ";" or has_decimal_comma(names, dates):
        return False
    lowest = columns.get_level_values(-1) if columns.nlevels == 1 else columns.get_level_values(0)
    fields = {i for i, kind in enumerate(kinds_of([str(name) for name in lowest])) if kind not in (None, FURTHER)}
    is_plain = any(
        UNMARKED.fullmatch(cell.strip()) for _, cells in first for i, cell in enumerate(cells) if i in fields
    )
    return is_plain or has_decimal_point(names, dates)


def _read_cells(
    rows: Iterator[NumberedRow], is_point: bool, columns: pd.Index, as_text: set[int], decimal: str | None
) -> pd.DataFrame:
    """Return a table read cell by cell, with the decimal mark that its cells prove.

    `is_point` states that 1.234 alone has a decimal point, unless 998 is in its column.
    """
    width = len(columns)
    values = [i for i in range(width) if i not in as_text]
    lines, table = [], []
    for line, cells in rows:
        padded = [cell.strip() for cell in cells] + [""] * (width - len(cells))
        if any(padded) and not _is_event([padded[i] for i in values]):
            lines.append(line)
            table.append(padded)
    by_column: list[Sequence[str]] = list(zip(*table, strict=True)) if table else [()] * width
    compact = [[without_spaces(cell) for cell in column] for column in by_column]
    symbols = {i: parts for i in values if (parts := split_symbols(compact[i])) is not None}
    without_symbols: list[Sequence[str]] = [
        symbols[i][0] if i in symbols else column for i, column in enumerate(compact)
    ]

    def find(candidates: Sequence[str]) -> tuple[int, str, str]:
        wanted = set(candidates)
        return next(
            (line, by_column[i][row], str(columns[i]))
            for row, line in enumerate(lines)
            for i in values
            if without_symbols[i][row] in wanted
        )

    is_point = is_point and not any(mixes_thousands(without_symbols[i]) for i in values)
    numbers = read_numbers(set().union(*(without_symbols[i] for i in values)), decimal, is_point, find)
    data = {}
    for i in range(width):
        parsed = list(map(numbers.get, without_symbols[i])) if i in values else [None]
        if None not in parsed:
            data[i] = np.array(parsed, dtype=np.float64)
            if i in symbols:
                data[i] = np.round(data[i] * symbols[i][1], 6)  # 0.57M is 570000, not 569999.9999999999
        else:  # text, which is an error only if the column is requested
            texts = [None if i in values and cell.lower() in MISSING else cell for cell in by_column[i]]
            data[i] = np.array(texts, dtype=object)
    frame = pd.DataFrame(data, index=lines, columns=range(width))
    read = [i for i in symbols if frame[i].dtype == np.float64]
    add_notes(frame, [note for i in read for note in _note_multiples(columns[i], by_column[i], symbols[i][1])])
    return frame


def _note_multiples(name: Hashable, cells: Sequence[str], multiples: Sequence[float]) -> list[str]:
    """Return a note on the letters behind a column's numbers; none on a volume or the like, which often has them."""
    parts = name if isinstance(name, tuple) else (name,)
    if any(kind_of(str(part)) in ("Volume", "Adj Volume", FURTHER) for part in parts):
        return []
    of_letters = [(cell, multiple) for cell, multiple in zip(cells, multiples, strict=True) if multiple != 1]
    if not of_letters:
        return []
    cell, multiple = of_letters[0]
    return [f"the numbers of the column {str(name)!r} are multiplied by their letter: {cell!r} by {multiple:,.0f}"]
