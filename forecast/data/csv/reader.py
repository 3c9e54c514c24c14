"""Read text tables: decode the file, find the separator and the header, and read the cells. Nothing is guessed."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Collection, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.csv.long_tables import CODE_NAMES, ID_NAMES, TICKER_COLUMNS
from forecast.data.csv.numbers import (
    MISSING,
    has_decimal_comma,
    has_digit,
    is_measure,
    is_name,
    mixes_thousands,
    read_numbers,
    split_symbols,
    without_spaces,
)
from forecast.data.dates import is_date
from forecast.data.fields import BARS, FURTHER, canonical_field, kind_of, kinds_of, plain_name
from forecast.data.notes import add_notes
from forecast.data.row_labels import date_column

SEPARATORS = ",;\t|"
#: The remarks between the rows of prices on Yahoo's page.
EVENT = re.compile(r"[\d.,]+ (dividends?|capital gains?)|\d[\d.]*[:/]\d[\d.]* (stock )?splits?", re.IGNORECASE)
#: Spellings of missing cells for pandas' reader; other upper and lower case is recognised cell by cell.
NA_VALUES = sorted({form for word in MISSING for form in (word, word.upper(), word.title(), "NaN", "-NaN")})
_PANDAS = tuple(map(int, pd.__version__.split(".")[:2]))
#: pandas 3.1 reads CSV numbers exactly and deprecates the option; earlier versions may be one bit off without it.
EXACT: dict[str, Any] = {"float_precision": "round_trip"} if _PANDAS < (3, 1) else {}
HEADER_SEARCH_LINES = 60

#: A row of cells with its line number in the file.
NumberedRow = tuple[int, list[str]]


def read_text(path: Path, decimal: str | None, requested: Collection[str] = ()) -> pd.DataFrame:
    """Return the table of a text file; see `parse_text`."""
    return parse_text(_decode(path), decimal, requested)


def parse_text(text: str, decimal: str | None, requested: Collection[str] = ()) -> pd.DataFrame:
    """Return a text's table with rows labelled by their line; dates and tickers stay text.

    So do the columns that are neither requested, if some are, nor the open, high, low and close of an instrument.
    """
    sep, top_rows = _find_table(text.split("\n"))
    columns, depth = _parse_header([cells for _, cells in top_rows])
    line = top_rows[depth - 1][0]  # the last line of the header
    _check_names(columns, line)
    body = text.split("\n", line)[-1] if text.count("\n") >= line else ""
    width = _check_widths(_rows(body, sep, line), columns)
    if width > len(columns):
        columns = columns.append(columns[:0].reindex([""] * (width - len(columns)))[0])
    as_text = {date_column(columns)} | {
        i for i, name in enumerate(columns) if plain_name(str(name)) in TICKER_COLUMNS | CODE_NAMES
    }
    as_text |= _not_requested(columns, requested) | _named_ids(_rows(body, sep, line), columns)
    frame = None if decimal == "," else _read_plain(body, sep, width, as_text)
    is_point = sep != ";" and not has_decimal_comma(map(str, columns), _first_cells(top_rows[depth:], as_text))
    if frame is None or (decimal is None and not _proves_point(body, sep, frame, is_point)):
        frame = _read_cells(_rows(body, sep, line), is_point, columns, as_text, decimal)
    else:
        frame.index += line + 1
    for i in as_text:
        cells = frame[i].astype(object).str.strip()
        frame[i] = cells.where(cells != "")
    return frame.set_axis(columns, axis=1).dropna(how="all")


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


def _decode(path: Path) -> str:
    """Return a file's text with "\\n" as line end."""
    raw = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError("not a readable gzip file, perhaps cut short: download it again") from error
    is_utf16 = raw.startswith((b"\xff\xfe", b"\xfe\xff"))  # Excel calls it Unicode text
    try:
        text = raw.decode("utf-16" if is_utf16 else "utf-8")
    except UnicodeDecodeError as error:
        if is_utf16:
            raise ValueError("not a complete UTF-16 text, perhaps cut short: save or download it again") from error
        line = raw[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
        raise ValueError(f"line {line} is not UTF-8 text: save the file as CSV in UTF-8") from error
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"line {line} contains a NUL byte, so this is not text: save the file as CSV in UTF-8")
    if not text.strip():
        raise ValueError("the file has only blank lines; a header and rows are needed: save or download it again")
    return text


# --- the header ------------------------------------------------------------------------------------------------------


def _find_table(lines: Sequence[str]) -> tuple[str, list[NumberedRow]]:
    """Return the separator, and the first three lines of the table; titles and remarks above it are skipped."""
    declared = re.fullmatch(r'"?sep=([,;\t|])"?[,;\t|]*', lines[0].strip(" "), re.IGNORECASE)
    separators = declared[1] if declared else SEPARATORS
    filled = (n for n, line in enumerate(lines) if line.strip(SEPARATORS + " ") and not (declared and n == 0))
    candidates = [n for n, _ in zip(filled, range(HEADER_SEARCH_LINES), strict=False)]
    candidates = [n for n in candidates if not lines[n].lstrip('" ').startswith("#")]
    # A title is the only cell of its line, apart from the empty cells that Excel appends.
    table = [n for n in candidates if any(sep in lines[n].rstrip(SEPARATORS + " ") for sep in separators)]
    first = [n for n in candidates if not table or n >= table[0]][:3]
    if not first:
        raise ValueError("the file has only remarks; a header and rows are needed: save or download it again")

    def cells(n: int, sep: str) -> list[str]:
        return [cell.strip() for cell in next(_rows(lines[n], sep, n, strict=False))[1]]

    def fit(sep: str) -> tuple[bool, float, int]:
        width, below = len(cells(first[0], sep)), cells(first[1 % len(first)], sep)
        parsed = sum(is_date(cell) or not is_name(cell) for cell in below)  # 2024-01-02;1 is neither
        return 1 < width == len(below), parsed / len(below), width

    sep = max(separators, key=fit)
    rows = [(n + 1, cells(n, sep)) for n in first]
    has_remark = first[0] > 0 and lines[first[0] - 1].lstrip('" ').startswith("#")
    remark = [cell.lstrip("# ") for cell in cells(first[0] - 1, sep)] if has_remark else []
    # The last remark is the header where it has a name for each cell of a row.
    if len(remark) == len(rows[0][1]) > 1 and all(map(is_name, remark)) and is_date(rows[0][1][0]):
        rows = [(first[0], remark), *rows][:3]
    return sep, rows


def _parse_header(rows: Sequence[list[str]]) -> tuple[pd.Index, int]:
    """Return the column names, and the number of rows that they take."""
    top, second, third = [*rows, [""], []][:3]
    # Yahoo's page marks the closes with asterisks.
    top = [name.rstrip("* ") if kind_of(name) is not None else name for name in top]
    if len(second) == len(top) > 1 and not has_digit(second[0]) and all(map(is_measure, second[1:])):
        return pd.Index(top), 2  # a line of measures, such as USD, below the names
    has_fields = any(kind_of(name) is not None for name in (*top, *second))
    has_names = not has_digit(second[0]) and all(is_name(cell) and not is_date(cell) for cell in second[1:])
    if has_fields and len(second) == len(top) and has_names:
        # to_csv writes the name of the dates, if they have one, in a separate line.
        depth = 3 if len(rows) == 3 and not has_digit(third[0]) and not any(third[1:]) else 2
        return pd.MultiIndex.from_arrays([top, second]), depth
    return pd.Index(top), 1


def _check_names(columns: pd.Index, line: int) -> None:
    """Raise ValueError where a column's name repeats, or is a date or a number."""
    named = columns[columns != ""] if columns.nlevels == 1 else columns
    repeated = list(named[named.duplicated()][:1])
    if repeated and (columns.nlevels == 2 or is_name(repeated[0])):
        raise ValueError(f"the column {repeated[0]!r} appears more than once: give each its own name")
    if columns.nlevels == 1:
        first = str(columns[date_column(columns)])
        no_name = next((name for name in columns if is_date(name)), first if first and not is_name(first) else None)
        no_name = repeated[0] if repeated else no_name
        if no_name is not None:
            raise ValueError(
                f"line {line} contains {str(no_name)!r}, a date or a number: put a line of names above it, such as "
                "Date,AAPL"
            )


# --- the rows --------------------------------------------------------------------------------------------------------


def _rows(body: str, sep: str, lines_above: int, strict: bool = True) -> Iterator[NumberedRow]:
    """Yield each row of cells with its line in the file; `lines_above` lines precede the body."""
    reader = csv.reader(io.StringIO(body), delimiter=sep, strict=strict, skipinitialspace=True)
    line = lines_above
    try:
        for cells in reader:
            line += 1
            if reader.line_num != line - lines_above:
                raise ValueError(f"line {line} opens a quote that ends on a later line: close it where it belongs")
            yield line, cells
    except csv.Error as error:
        reason = str(error).replace("\n", " ")
        raise ValueError(f"line {line + 1} is not readable CSV ({reason}): correct it or save it again") from error


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


def _first_cells(rows: Sequence[NumberedRow], positions: Collection[int]) -> list[str]:
    """Return the cells of these positions in the first rows."""
    return [cell for _, cells in rows for i, cell in enumerate(cells) if i in positions]


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
