"""Tables in text: which sign parts the cells, where the header stands, and what a number is. Nothing is guessed."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.csv.dates import is_day
from forecast.data.csv.numbers import MISSING, is_name, read_numbers
from forecast.data.panel import FIELDS

SEPARATORS = ",;\t|"
#: Lower-case names of the column that holds the dates, and of the tickers'.
DATES = ("date", "ds", "datetime", "timestamp", "time")
TICKERS = ("unique_id", "ticker", "symbol")
#: What Yahoo's page puts between the rows of prices.
EVENT = re.compile(r"[\d.,]+ (dividends?|capital gains?)|\d[\d.]*[:/]\d[\d.]* (stock )?splits?", re.IGNORECASE)
#: Missing cells as pandas' reader is to know them; in other cases they are told cell by cell.
BLANKS = sorted({form for word in MISSING for form in (word, word.upper(), word.title(), "NaN", "-NaN")})
#: From pandas 3.1 on CSV numbers are read exactly and asking for it is deprecated; before, they may be one bit off.
EXACT: dict[str, Any] = (
    {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
)


def decode(path: Path) -> str:
    """Give a file's text with plain line ends."""
    raw = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError("this is no readable gzip file, perhaps cut short: download it again") from error
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))  # what Excel calls Unicode text
    try:
        text = raw.decode("utf-16" if wide else "utf-8")
    except UnicodeDecodeError as error:
        if wide:
            raise ValueError("this is no whole UTF-16 text, perhaps cut short: save or download it again") from error
        line = raw[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
        raise ValueError(f"line {line} is not UTF-8 text: save the file as CSV in UTF-8") from error
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"line {line} holds a NUL byte, so this is no text: save the file as CSV in UTF-8")
    if not text.strip():
        raise ValueError("the file holds only blank lines; a header and rows are needed: save or download it again")
    return text


def read_text(path: Path, decimal: str | None) -> pd.DataFrame:
    """Read the table as it stands, its rows labelled by their line in the file, dates and tickers left as text."""
    text = decode(path)
    sep, heads = _heads(text.split("\n"))
    columns, depth = _header([cells for _, cells in heads])
    line = heads[depth - 1][0]  # the last one of the header
    _check_names(columns, line)
    body = text.split("\n", line)[-1] if text.count("\n") >= line else ""
    wide = _check_widths(_rows(body, sep, line), columns)
    if wide > len(columns):
        columns = columns.append(columns[:0].reindex([""] * (wide - len(columns)))[0])
    as_text = {date_column(columns)} | {i for i, name in enumerate(columns) if str(name).lower() in TICKERS}
    frame = None if decimal == "," else _read_plain(body, sep, wide, as_text)
    if frame is None:
        frame = _read_cells(_rows(body, sep, line), sep, columns, as_text, decimal)
    else:
        frame.index += line + 1
    for i in as_text:
        text_cells = frame[i].astype(object).str.strip()
        frame[i] = text_cells.where(text_cells != "")
    return frame.set_axis(columns, axis=1).dropna(how="all")


def date_column(columns: pd.Index) -> int:
    """Give the position of the dates: the column that is named so, else the first."""
    if columns.nlevels == 2:
        return 0
    return next((i for i, name in enumerate(columns) if str(name).lower() in DATES), 0)


def has_digit(cell: str) -> bool:
    """Say whether a cell may be a date or a number."""
    return any(letter.isdigit() for letter in cell)


# --- the header ------------------------------------------------------------------------------------------------------


def _heads(lines: Sequence[str]) -> tuple[str, list[tuple[int, list[str]]]]:
    """Tell the separator, and the first lines of the table with their numbers; titles and remarks lie above it."""
    told = re.fullmatch(r'"?sep=([,;\t|])"?[,;\t|]*', lines[0].strip(" "), re.IGNORECASE)
    signs = told[1] if told else SEPARATORS
    full = (n for n, line in enumerate(lines) if line.strip(SEPARATORS + " ") and not (told and n == 0))
    tops = [n for n, _ in zip(full, range(60), strict=False) if not lines[n].lstrip('" ').startswith("#")]
    # a title is alone in its line, but for the empty cells that Excel puts behind it
    table = [n for n in tops if any(sign in lines[n].rstrip(SEPARATORS + " ") for sign in signs)]
    first = [n for n in tops if not table or n >= table[0]][:3]
    if not first:
        raise ValueError("the file holds only remarks; a header and rows are needed: save or download it again")

    def cells(n: int, sign: str) -> list[str]:
        return [cell.strip() for cell in next(_rows(lines[n], sign, n, strict=False))[1]]

    def fits(sign: str) -> tuple[bool, float, int]:
        width, below = len(cells(first[0], sign)), cells(first[1 % len(first)], sign)
        read = sum(is_day(cell) or not is_name(cell) for cell in below)  # 2024-01-02;1 is neither
        return 1 < width == len(below), read / len(below), width

    sep = max(signs, key=fits)
    return sep, [(n + 1, cells(n, sep)) for n in first]


def _header(rows: Sequence[list[str]]) -> tuple[pd.Index, int]:
    """Tell the column names, and how many of the rows they take up."""
    top, second, third = [*rows, [""], []][:3]
    # Yahoo's page marks the closes by asterisks
    top = [name.rstrip("* ") if name.rstrip("* ").lower() in FIELDS else name for name in top]
    fields = any(name.lower() in FIELDS for name in (*top, *second))
    names = not has_digit(second[0]) and all(is_name(cell) and not is_day(cell) for cell in second[1:])
    if fields and len(second) == len(top) and names:
        # to_csv writes the name of the dates on a line of its own, if they have one
        depth = 3 if third and not has_digit(third[0]) and not any(third[1:]) else 2
        return pd.MultiIndex.from_arrays([top, second]), depth
    return pd.Index(top), 1


def _check_names(columns: pd.Index, line: int) -> None:
    named = columns[columns != ""] if columns.nlevels == 1 else columns
    if named.has_duplicates:
        raise ValueError(f"the column {named[named.duplicated()][0]!r} appears more than once: give each its own name")
    if columns.nlevels == 1:
        at = str(columns[date_column(columns)])
        wrong = next((name for name in columns if is_day(name)), at if at and not is_name(at) else None)
        if wrong is not None:
            raise ValueError(
                f"line {line} holds {str(wrong)!r}, a date or a number: put a line of names above it, such as Date,AAPL"
            )


# --- the rows --------------------------------------------------------------------------------------------------------


def _rows(body: str, sep: str, above: int, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Give each row of cells with its line in the file, `above` lines of which come before."""
    reader = csv.reader(io.StringIO(body), delimiter=sep, strict=strict, skipinitialspace=True)
    line = above
    try:
        for cells in reader:
            line += 1
            if reader.line_num != line - above:
                raise ValueError(f"line {line} opens a quote that ends on a later line: close it where it belongs")
            yield line, cells
    except csv.Error as error:
        reason = str(error).replace("\n", " ")
        raise ValueError(f"line {line + 1} is no readable CSV ({reason}): correct it or save it again") from error


def _check_widths(rows: Iterator[tuple[int, list[str]]], columns: pd.Index) -> int:
    """Give the number of cells in a row; rows of unequal length have lost or gained cells, and nobody knows which."""
    width = most = len(columns)
    seen: dict[int, int] = {}  # lengths of rows, and the first line of each
    reach = 0  # how far the cells go that are not empty
    for line, cells in rows:
        most = max(most, len(cells))
        if len(cells) == width:
            seen.setdefault(width, line)
        elif any(cell.strip() for cell in cells) and not _is_event(cells[1:]):
            seen.setdefault(len(cells), line)
            reach = max(reach, max(i for i, cell in enumerate(cells, 1) if cell.strip()))
    odd = {n: line for n, line in seen.items() if n != width}
    named = max((i for i, name in enumerate(columns, 1) if name not in ("", ("", ""))), default=0)
    if not odd or (len(seen) == 1 and reach == named):  # separators behind all rows, or the header, do no harm
        return most
    line = min(odd.values())
    if max(n for n, first in odd.items() if first == line) > width:
        raise ValueError(
            f"line {line} has more cells than the {width} of the header: take out what is too much, or put numbers "
            "with a decimal comma in quotes"
        )
    raise ValueError(
        f"line {line} has fewer cells than the {width} of the header: is it cut short? Add what is missing, or the "
        "separators of empty cells"
    )


def _is_event(cells: Sequence[str]) -> bool:
    full = filter(None, map(str.strip, cells))
    return all(EVENT.fullmatch(cell) for cell in full) and any(map(str.strip, cells))


# --- the numbers -----------------------------------------------------------------------------------------------------


def _read_plain(body: str, sep: str, width: int, as_text: set[int]) -> pd.DataFrame | None:
    """Read a table in which all but dates and tickers are plain numbers, fast; None if it is no such table."""
    values = [i for i in range(width) if i not in as_text]
    frame = (
        pd.read_csv(
            io.StringIO(body),
            sep=sep,
            header=None,
            names=range(width),
            index_col=False,
            dtype=dict.fromkeys(as_text, str),
            keep_default_na=False,
            na_values=dict.fromkeys(values, BLANKS),
            skip_blank_lines=False,  # so that a row's label is its line
            skipinitialspace=True,
            low_memory=False,
            **EXACT,
        )
        if body.strip()
        else pd.DataFrame(columns=range(width), dtype=object)
    )
    if any(frame[i].dtype.kind not in "iuf" for i in values):
        return None
    return frame if sep != ";" or _is_decisive(frame[values]) else None


def _is_decisive(numbers: pd.DataFrame) -> bool:
    """Say whether a dot must have been a decimal mark: beside semicolons 1.234 is as often a thousand."""
    x = numbers.select_dtypes("floating").to_numpy(dtype=np.float64)
    x = np.abs(x[np.isfinite(x) & (x != np.floor(x))])
    return bool((x < 1).any() or (x >= 1000).any() or (np.round(x, 3) != x).any())


def _read_cells(
    rows: Iterator[tuple[int, list[str]]], sep: str, columns: pd.Index, as_text: set[int], decimal: str | None
) -> pd.DataFrame:
    """Read a table cell by cell, by the decimal mark that its cells prove."""
    width = len(columns)
    values = [i for i in range(width) if i not in as_text]
    lines, table = [], []
    for line, cells in rows:
        padded = [cell.strip() for cell in cells] + [""] * (width - len(cells))
        if any(padded) and not _is_event([padded[i] for i in values]):
            lines.append(line)
            table.append(padded)
    by_column = list(zip(*table, strict=True)) if table else [()] * width

    def find(wanted: Sequence[str]) -> tuple[int, str, str]:
        these, rows_of_cells = set(wanted), zip(lines, table, strict=True)
        return next((n, cells[i], str(columns[i])) for n, cells in rows_of_cells for i in values if cells[i] in these)

    numbers = read_numbers(set().union(*(by_column[i] for i in values)), decimal, sep != ";", find)
    data = {}
    for i, column in enumerate(by_column):
        read = list(map(numbers.get, column)) if i in values else [None]
        if None not in read:
            data[i] = np.array(read, dtype=np.float64)
        else:  # words: an error if they are asked for
            data[i] = np.array([None if i in values and cell.lower() in MISSING else cell for cell in column], object)
    return pd.DataFrame(data, index=lines, columns=range(width))
