"""The header of a text table: its separator, the lines of names, and the titles and attributes above the rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from forecast.data.csv.lines import SEPARATORS, NumberedRow, is_row_of_values, iter_rows, split_line
from forecast.data.csv.numbers import has_digit, is_measure, is_name
from forecast.data.csv.transposed import has_dates_in_columns
from forecast.data.dates import is_date
from forecast.data.fields import CLOSES, kind_of, plain_name, plain_names
from forecast.data.row_labels import DATE_NAMES, PERIOD_NAMES, date_column, may_name_dates

SEARCHED_LINES = 60
MIN_ROWS = 3  # with a date each, that show where the rows begin below lines of attributes
#: Words in the first cell of the line that names the series, where lines of attributes precede the rows.
NAME_LABELS = plain_names("name names title series label serie titel titre libellé nom nombre título nome titolo naam")
NAME_LABELS |= plain_names("bezeichnung instrument security variable item")
CODE_LABELS = plain_names("code cdid id ticker symbol mnemonic ric isin key idbank código codice kode")
#: Words in the first cell of lines of attributes that are numbers.
NUMERIC_LABELS = CODE_LABELS | plain_names("base year decimals scale multiplier magnitude digits number count")
NUMERIC_LABELS |= plain_names("unit units")


#: The beginning of a date with a time of day.
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:", re.ASCII)


class Header(NamedTuple):
    """The separator, the names of the columns, the line above the rows, the first rows, and notes."""

    sep: str
    columns: pd.Index
    line: int
    rows: list[NumberedRow]
    notes: list[str]


def find_header(lines: Sequence[str]) -> Header:
    """Return the header of a table, below any titles, remarks and lines of attributes; check the names."""
    declared = re.fullmatch(r'"?sep=([,;\t|])"?[,;\t|]*', lines[0].strip(" "), re.IGNORECASE)
    separators = declared[1] if declared else SEPARATORS
    filled = (n for n, line in enumerate(lines) if line.strip(SEPARATORS + " ") and not (declared and n == 0))
    candidates = [n for n, _ in zip(filled, range(SEARCHED_LINES), strict=False)]
    candidates = [n for n in candidates if not lines[n].lstrip('" ').startswith("#")]
    header = _first_header(lines, candidates, separators)
    for sep in separators:
        cells = [(n + 1, split_line(lines[n], sep)) for n in candidates]
        found = _below_titles(sep, cells, header) or _below_attributes(sep, cells, header)
        if found is not None:
            header = found
            break
    header = _with_row_names(header)
    _check_names(header.columns, header.line)
    return header


def _with_row_names(header: Header) -> Header:
    """Return a header with an empty name for the numbers of rows that R writes before the cells of each row."""
    if header.columns.nlevels > 1 or not header.rows:
        return header
    at = date_column(header.columns) + 1
    are_shifted = all(
        len(cells) == len(header.columns) + 1 and re.fullmatch("[0-9]+", cells[0]) and is_date(cells[at])
        for _, cells in header.rows
    )
    return header._replace(columns=pd.Index(["", *header.columns])) if are_shifted else header


# --- a header in the first line with separators ----------------------------------------------------------------------


def _first_header(lines: Sequence[str], candidates: Sequence[int], separators: str) -> Header:
    """Return the header in the first lines that have a separator; a title above has one cell."""
    # A title is the only cell of its line, apart from the empty cells that Excel appends.
    table = [n for n in candidates if any(sep in lines[n].rstrip(SEPARATORS + " ") for sep in separators)]
    above = table[:1]
    while len(table) > 1 and any(_is_title(*(split_line(lines[n], sep) for n in table[:2])) for sep in separators):
        table = table[1:]
    first = [n for n in candidates if not table or n >= table[0]][:3]
    if not first:
        raise ValueError("the file has only remarks; a header and rows are needed: save or download it again")

    def cells(n: int, sep: str) -> list[str]:
        return [cell.strip() for cell in next(iter_rows(lines[n], sep, n, strict=False))[1]]

    def fit(sep: str) -> tuple[bool, float, int]:
        width, below = len(cells(first[0], sep)), cells(first[1 % len(first)], sep)
        parsed = sum(is_date(cell) or not is_name(cell) for cell in below)  # 2024-01-02;1 is neither
        return 1 < width == len(below), parsed / len(below), width

    sep = max(separators, key=fit)
    rows = [(n + 1, cells(n, sep)) for n in first]
    has_remark = first[0] > 0 and lines[first[0] - 1].lstrip('" ').startswith("#")
    remark = [cell.lstrip("# ") for cell in cells(first[0] - 1, sep)] if has_remark else []
    # The last remark is the header where it has a name for each cell of a row.
    below = rows[0][1]
    is_numbered = remark[:1] == [""] and below[0].isdigit()  # "#" as the name of the numbers of rows
    if len(remark) == len(below) > 1 and all(map(is_name, remark[is_numbered:])) and _has_dates(remark, below):
        rows = [(first[0], remark), *rows][:3]
    columns, depth = _parse_names([row for _, row in rows])
    notes = [_describe_above(rows[0][0], above[0] + 1)] if above != table[:1] else []
    return Header(sep, columns, rows[depth - 1][0], rows[depth:], notes)


def _has_dates(names: Sequence[str], row: Sequence[str]) -> bool:
    """Return whether a row has a date in its first column, behind its number, or in a column with a name of dates."""
    named = [i for i, name in enumerate(names) if may_name_dates(plain_name(name))]
    return is_date(row[int(names[0] == "")]) or any(is_row_of_values(row, i) for i in named)


def _is_title(cells: Sequence[str], below: Sequence[str]) -> bool:
    """Return whether the only text of a line, in another cell than the first, is a title above names, not dates."""
    filled = [cell for cell in cells if cell]
    names = [cell for cell in below if cell]
    if len(filled) != 1 or cells[0] or kind_of(filled[0]) is not None or len(names) < 2:
        return False
    return all(is_name(cell) and not is_date(cell) for cell in names)


def _parse_names(rows: Sequence[list[str]]) -> tuple[pd.Index, int]:
    """Return the column names, and the number of rows that they take."""
    top, second, third = [*rows, [""], []][:3]
    # Yahoo's page marks the closes with asterisks.
    top = [name.rstrip("* ") if kind_of(name) is not None else name for name in top]
    if len(second) == len(top) > 1 and not has_digit(second[0]) and all(map(is_measure, second[1:])):
        return pd.Index(top), 2  # a line of measures, such as USD, below the names
    closes = [name for name in (*top, *second) if kind_of(name) in (*CLOSES, "Adj Close")]
    has_fields = bool(closes) or "Price" in (top[0], second[0])
    has_names = not has_digit(second[0]) and all(is_name(cell) and not is_date(cell) for cell in second[1:])
    if has_fields and len(second) == len(top) and has_names:
        if "" in top[1:] and len(set(second)) < len(second):
            top = [top[0], *_fill_right(top[1:])]
        # to_csv writes the name of the dates, if they have one, in a separate line.
        is_name_of_dates = not any(third[1:]) or (len(third) == len(top) and all(map(is_measure, third[1:])))
        depth = 3 if len(rows) == 3 and not has_digit(third[0]) and is_name_of_dates else 2
        return pd.MultiIndex.from_arrays([top, second]), depth
    return pd.Index(top), 1


def _fill_right(cells: Sequence[str]) -> list[str]:
    """Return cells with the one to their left in place of empty ones, as of merged cells of a sheet."""
    filled: list[str] = []
    for cell in cells:
        filled.append(cell or (filled[-1] if filled else ""))
    return filled


def _check_names(columns: pd.Index, line: int) -> None:
    """Raise ValueError where a column's name repeats, or is a date or a number."""
    named = columns[columns != ""] if columns.nlevels == 1 else columns
    repeated = list(named[named.duplicated()][:1])
    lowest = columns.get_level_values(-1)
    dates = next((name for name in lowest[lowest.duplicated()] if plain_name(name) in DATE_NAMES), None)
    if dates is not None:
        raise ValueError(
            f"several columns are called {dates!r}, so series may have dates of their own: write each with its "
            "dates to a file, or all in one table by date"
        )
    if repeated and (columns.nlevels == 2 or is_name(repeated[0])):
        raise ValueError(f"the column {repeated[0]!r} appears more than once: give each its own name")
    if columns.nlevels == 1 and not has_dates_in_columns(columns):
        first = str(columns[date_column(columns)])
        no_name = next(
            (name for name in columns if is_date(name) or INSTANT.match(name)),
            first if first and not is_name(first) else None,
        )
        numbers = [name for name in columns if re.fullmatch(r"[+-]?\d+[.,]\d+", name)]
        if no_name is None and plain_name(first) not in DATE_NAMES and len(numbers) > 1 and is_name(str(columns[0])):
            no_name = numbers[0]  # the first row of a table of a ticker, a date and numbers
        no_name = repeated[0] if repeated else no_name
        if no_name is not None:
            raise ValueError(
                f"line {line} contains {str(no_name)!r}, a date or a number: put a line of names above it, such as "
                "Date,AAPL"
            )


# --- a header below titles or attributes -----------------------------------------------------------------------------


def _below_titles(sep: str, lines: Sequence[NumberedRow], first: Header) -> Header | None:
    """Return the line with a name of dates above a row with a date, or with dates as names, below the first header.

    None of the lines above it is a row with a date in that column.
    """
    for i, (n, names) in enumerate(lines[:-1]):
        at = _position_of_dates(names, lines[i + 1][1])
        if at is None:
            continue
        above = lines[:i]
        if n <= first.line or any(is_row_of_values(cells, at) for _, cells in above):
            return None
        columns = pd.Index(names)
        if not columns.is_unique and above:  # the fields of several instruments, which are named above them
            instruments = [*above[-1][1], *[""] * len(names)][: len(names)]
            both, depth = _parse_names([instruments, names])
            columns = both if depth == 2 else columns
        return Header(sep, columns, n, list(lines[i + 1 : i + 3]), [_describe_above(n, lines[0][0])])
    return None


def _position_of_dates(names: Sequence[str], below: Sequence[str]) -> int | None:
    """Return the column of dates if a line has names of columns, above a row of values; None of any other line."""
    if len(names) > 1 and has_dates_in_columns(pd.Index(names)) and len(below) > 1:
        return 0
    plain = [plain_name(name) for name in names]
    at = next((k for k, name in enumerate(plain) if name in DATE_NAMES | PERIOD_NAMES), None)
    certain = at is not None
    at = next((k for k, name in enumerate(plain) if may_name_dates(name)), None) if at is None else at
    if at is None or not 1 < len(below) <= len(names) or any(map(is_date, names)):
        return None
    return at if is_row_of_values(below, at) and (certain or is_date(below[at])) else None


def _below_attributes(sep: str, lines: Sequence[NumberedRow], first: Header) -> Header | None:
    """Return the names in one of the lines of attributes, such as Title and Source, that precede rows of dates."""
    start = next((i for i, (_, cells) in enumerate(lines) if is_row_of_values(cells, 0)), 0)
    rows = lines[start : start + MIN_ROWS]
    if start < 2 or len(rows) < MIN_ROWS or not all(is_row_of_values(cells, 0) for _, cells in rows):
        return None
    above = lines[:start]
    block = [line for line in above if len(line[1]) > 1]
    if not block or first.line >= above[-1][0] or any(_may_be_row(cells) for _, cells in block):
        return None
    width = max(len(cells) for _, cells in [*block, *rows])
    named = [line for line in block if _names_all(line[1], width)]
    if not named:
        return None
    n, names = min(named, key=lambda line: _rank(line[1][0]))
    notes = [f"the columns are named by line {n}; the other lines above the rows are left out"]
    return Header(sep, pd.Index(["Date", *names[1:]]), above[-1][0], list(rows), notes)


def _may_be_row(cells: Sequence[str]) -> bool:
    """Return whether a line is a header of dates, or has numbers that are no attribute: it may be a damaged row."""
    words = set(plain_name(cells[0]).split())
    if plain_name(cells[0]) in DATE_NAMES:
        return True
    return any(cell and not is_name(cell) for cell in cells[1:]) and words.isdisjoint(NUMERIC_LABELS)


def _names_all(cells: Sequence[str], width: int) -> bool:
    """Return whether a line has a different name for each column."""
    names = cells[1:]
    return len(cells) == width and len(set(names)) == len(names) and all(is_name(n) and not is_date(n) for n in names)


def _rank(label: str) -> int:
    """Return the order in which lines of attributes are read as names: titles, codes, any others."""
    words = set(plain_name(label).split())
    return 0 if words & NAME_LABELS else 1 if words & CODE_LABELS else 2


def _describe_above(line: int, first: int) -> str:
    lines = f"lines {first} to {line - 1} above it are" if line > first + 1 else f"line {first} above it is"
    return f"the header is in line {line}, and {lines} left out"
