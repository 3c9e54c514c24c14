"""Tables out of text files: their encoding, separator, header and numbers, told from the file itself."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import re
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from forecast.panel import FIELDS

#: Lower-case names of the column that holds the dates, and of the tickers'.
DATES = ("date", "ds", "datetime", "timestamp", "time")
TICKERS = ("unique_id", "ticker", "symbol")

#: From pandas 3.1 on CSV numbers are read exactly and asking for it is deprecated; before, they may be one bit off.
EXACT: dict[str, Any] = (
    {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
)
#: Cells without a value, where spaces keep pandas from seeing it.
MISSING = {"", "NA", "N/A", "n/a", "#N/A", "#NA", "NaN", "nan", "-nan", "null", "NULL", "None", "<NA>"}
SEPARATORS = ",;\t|"
EXPONENT = r"(?:[eE][+-]?\d+)?"
#: Cells that only one of the two marks explains: 12,5 and 1.234,56 and 0,123; or 12,345,678 and 1,234.5.
COMMA = re.compile(r"[+-]?(?:\d+,(?:\d{1,2}|\d{4,})|0,\d+|\d{4,},\d+|\d{1,3}(?:\.\d{3})+,\d+)" + EXPONENT)
POINT = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:,\d{3}){2,}|\d+\.(?:\d{1,2}|\d{4,}))" + EXPONENT)
EITHER = re.compile(r"[+-]?\d{1,3},\d{3}")
NUMBER = {
    ",": re.compile(r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d+)?" + EXPONENT),
    ".": re.compile(r"[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d*)?" + EXPONENT),
}


def read_text(path: Path, decimal: str | None) -> pd.DataFrame:
    """Read the table as it stands, its rows labelled by their line in the file, dates and tickers left as text."""
    text = decode(path)
    above, sep = _beginning(text)
    lines = text.split("\n", above)[-1] if above else text
    columns, depth = _header(list(itertools.islice(csv.reader(io.StringIO(lines), delimiter=sep), 3)))
    _check_names(columns)
    named = columns[columns != ""] if columns.nlevels == 1 else columns
    if named.has_duplicates:
        raise ValueError(f"the column {named[named.duplicated()][0]!r} appears more than once: give each its own name")
    _check_lengths(lines, sep, len(columns), above)
    labels = {date_column(columns)} | {i for i, name in enumerate(columns) if str(name).lower() in TICKERS}
    layout: dict[str, Any] = {"sep": sep, "header": None, "skiprows": depth, "names": range(len(columns))}
    # so that a row's label is its line
    layout |= {"index_col": False, "skip_blank_lines": False, "skipinitialspace": True}
    frame = pd.read_csv(io.StringIO(lines), dtype=dict.fromkeys(labels, str), **layout, **EXACT)
    frame.index += above + depth + 1
    as_text = [i for i in frame if i not in labels and not pd.api.types.is_numeric_dtype(frame[i])]
    if as_text:
        decimal = decimal or _mark(frame, as_text, labels, columns)
    if decimal == ",":
        # Read anew as text: 1.234 is a thousand in such a file, and was read as little more than one.
        raw = pd.read_csv(io.StringIO(lines), dtype=str, **layout)
        raw.index = frame.index
        frame, as_text = raw, [i for i in raw if i not in labels]
    for i in as_text:
        frame[i] = _numbers(frame[i], decimal or ".")
    return frame.set_axis(columns, axis=1).dropna(how="all")


def _mark(frame: pd.DataFrame, as_text: list[int], labels: set[int], columns: pd.Index) -> str:
    """Tell the decimal mark of the cells that are no plain numbers; a file that may mean either is refused."""
    cells = [(i, line, str(cell).strip()) for i in as_text for line, cell in frame[i].dropna().items()]
    comma = next((cell for cell in cells if COMMA.fullmatch(cell[2])), None)
    point = next((cell for cell in cells if POINT.fullmatch(cell[2])), None)
    if comma and point:
        raise ValueError(
            f"line {comma[1]} holds {comma[2]!r} and line {point[1]} {point[2]!r}: the decimal mark must be one of "
            "comma and point in the whole file"
        )
    if comma:
        return ","
    broken = (frame[i].dropna() % 1 != 0 for i in frame if i not in labels and i not in as_text)
    if point or any(fractions.any() for fractions in broken):
        return "."
    either = next((cell for cell in cells if EITHER.fullmatch(cell[2])), None)
    if either:
        i, line, cell = either
        raise ValueError(
            f"line {line} holds {cell!r} in {columns[i]!r}, which may mean {cell.replace(',', '')} or "
            f"{cell.replace(',', '.')}: say decimal=',' or decimal='.'"
        )
    return "."


def _numbers(column: pd.Series, decimal: str) -> pd.Series:
    """Read the cells that are numbers with this mark; the others stay what they are, and are refused later."""
    cells = column.astype(object).where(column.notna(), None)
    group = "." if decimal == "," else ","
    form = NUMBER[decimal]

    def read(cell: Any) -> Any:
        said = cell.strip() if isinstance(cell, str) else cell
        if not isinstance(said, str) or not form.fullmatch(said):
            return None if said in MISSING else said
        return float(said.replace(group, "").replace(decimal, "."))

    values = [read(cell) for cell in cells]
    if any(isinstance(value, str) for value in values):
        return pd.Series(values, index=column.index, dtype=object)
    return pd.Series(values, index=column.index, dtype="float64")


def decode(path: Path) -> str:
    """Give a file's text with plain line ends."""
    raw = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError("this is no readable gzip file, perhaps cut short: download it again") from error
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))  # as Excel saves "Unicode text"
    try:
        text = raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line} is not UTF-8 text: save the file as CSV in UTF-8") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"line {line} holds a NUL byte, so this is no text: save the file as CSV in UTF-8")
    if not text.strip():
        raise ValueError("the file holds only blank lines; a header and rows are needed: save or download it again")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _beginning(text: str) -> tuple[int, str]:
    """Tell how many lines stand above the header (comments, a title, Excel's sep=;), and the separator."""
    lines = text.split("\n", 20)[:20]
    if match := re.fullmatch(r'"?sep=([,;\t|])"?', lines[0].strip(" ")):
        return 1, match[1]
    counts = [0 if line.lstrip().startswith("#") else max(map(line.count, SEPARATORS)) for line in lines]
    above = next((i for i, count in enumerate(counts) if count), 0)
    return above, max(SEPARATORS, key=lines[above].count)


def _check_names(columns: pd.Index) -> None:
    """Refuse a first line that is a row of the table, lest that row be lost."""
    first = str(columns[0]) if columns.nlevels == 1 else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, that it had to guess a form
        dated = has_digit(first) and pd.notna(pd.to_datetime(first, errors="coerce"))
    if dated:
        raise ValueError(
            f"the first line begins with {first!r}, which is a date: put a line of names above it, such as Date,AAPL"
        )


def _check_lengths(text: str, sep: str, width: int, above: int) -> None:
    # pandas cuts long lines off, or takes their first cell for an index, and fills short ones up
    if all(line.count(sep) == width - 1 or not line.strip() for line in text.split("\n")):
        return
    reader = csv.reader(io.StringIO(text), delimiter=sep)  # slower, but knows quotes
    for cells in reader:
        if len(cells) > width:
            hint = ", or put numbers with a decimal comma in quotes" if sep == "," else ""
            raise ValueError(
                f"line {above + reader.line_num} has more cells than the {width} of the header: take out what is too "
                f"much{hint}"
            )
        if len(cells) < width and any(cell.strip() for cell in cells):
            raise ValueError(
                f"line {above + reader.line_num} has {len(cells)} cells and the header {width}: is it cut short? Add "
                "what is missing, or the separators of empty cells"
            )


def _header(rows: Sequence[list[str]]) -> tuple[pd.Index, int]:
    """Tell the column names, and how many lines of the file they take up."""
    top, second, third = ([cell.strip() for cell in row] for row in [*rows, [], []][:3])
    top = [name.rstrip("*") for name in top]  # Yahoo's page has Close* and Adj Close**
    fields = any(name.lower() in FIELDS for name in (*top, *second))
    if fields and len(second) == len(top) and not has_digit(second[0]) and all(is_name(cell) for cell in second[1:]):
        # to_csv writes the name of the dates on a line of its own, if they have one
        depth = 3 if third and not has_digit(third[0]) and not any(third[1:]) else 2
        return pd.MultiIndex.from_arrays([top, second]), depth
    return pd.Index(top), 1


def has_digit(cell: str) -> bool:
    """Say whether a cell holds any digit."""
    return any(letter.isdigit() for letter in cell)


def is_name(cell: str) -> bool:
    """Say whether a cell is neither empty nor a number."""
    try:
        float(cell)
    except ValueError:
        return cell != ""
    return False


def date_column(columns: pd.Index) -> int:
    """Find the column of the dates: one that is named so, else the first."""
    if columns.nlevels == 2:
        return 0
    return next((i for i, name in enumerate(columns) if str(name).lower() in DATES), 0)
