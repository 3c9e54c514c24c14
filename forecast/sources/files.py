"""Prices out of a file: CSV or Parquet, in the shapes that people keep them in."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.tseries.api import guess_datetime_format

from forecast.panel import FIELDS, LONG, TARGETS, Panel, as_panel, label, split_fields
from forecast.sources.rows import is_series_in_rows, series_in_rows

TEXT = (".csv", ".tsv", ".txt")
PARQUET = (".parquet", ".pq")
#: Lower-case names of the column that holds the dates, of one that may hold row numbers instead, and of the tickers'.
DATES = ("date", "ds", "datetime", "timestamp", "time")
STEPS = ("", "index", "step", "row", "ds", "time")
TICKERS = ("unique_id", "ticker", "symbol")
#: A zone behind a time of day, such as the -05:00 of 2024-01-02 09:30:00-05:00.
ZONE = r"(\d{1,2}:\d{2}.*?)\s*(?:Z|UTC|[+-]\d{2}:?\d{2})$"

#: From pandas 3.1 on CSV numbers are read exactly and asking for it is deprecated; before, they may be one bit off.
EXACT: dict[str, Any] = (
    {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
)


def read_prices(path: str | os.PathLike[str], fields: str | None = None) -> pd.DataFrame:
    """Read your own prices from a CSV or Parquet file into a table with a row per date and a column per ticker.

    The file may hold a column per ticker, one ticker's Open/High/Low/Close table (the series is named after the file),
    a long table (unique_id, ds, y; or a ticker, a date and prices), or the two header lines that yfinance's to_csv
    writes. Cells are separated by comma, semicolon, tab or bar; .csv.gz is read as well. The dates stand in a column
    named date, ds, time … or in the first one; rows may come in any order and are sorted. Of dates with a time zone
    the clock time on the exchange's wall is kept and the zone dropped. An undated table needs a first column of whole
    numbers that is named index, step or row, or has no name. A table with one series a row (the M4 competition's: a
    name, then V2, V3 …) gives undated columns that end together.

    `fields` None gives the adjusted closes if the file has them, else the closes, else the values; a field's name such
    as "Open" gives that field; "all" gives every field under (field, ticker) columns, or the plain values of a file
    that has no fields. Numbers come back as float64. Raises FileNotFoundError or ValueError that begins with the
    file's name and says what to do.
    """
    path = Path(path).expanduser()
    stem, kind = _name_and_kind(path)
    try:
        frame = _read_parquet(path) if kind in PARQUET else _read_text(path)
        picked = pick_fields(_lay_out(frame, stem, "row" if kind in PARQUET else "line"), fields)
        picked.attrs["source"] = path.name  # a backtest writes it into its spec
        return picked
    except (csv.Error, pd.errors.ParserError) as error:
        reason = str(error).strip()
        raise ValueError(f"{path.name}: this is no readable CSV ({reason}): correct it or save it again") from error
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def pick_fields(prices: pd.DataFrame, fields: str | None = None) -> pd.DataFrame:
    """Give the adjusted closes (or closes) of a price table, one field of it, or "all", checked and sorted by date."""
    known = list(split_fields(prices))
    if fields == "all" and known != ["y"]:
        first = next((name for name in TARGETS if name in known), known[0])
        panel = as_panel(prices, exog=[name for name in known if name != first])
        return pd.concat({name: _table(panel, name) for name in known}, axis=1, names=["Price", "Ticker"])
    target = None
    if fields not in (None, "all"):
        target = FIELDS.get(str(fields).lower(), fields)
        if target not in known:
            held = "plain values and no fields" if known == ["y"] else ", ".join(known)
            raise ValueError(f"there is no field {fields!r}, only {held}: ask for what is there, or leave fields out")
    panel = as_panel(prices, target=target)
    return _table(panel, panel.channels[0])


def _table(panel: Panel, field: str) -> pd.DataFrame:
    values = panel.values[:, :, panel.channels.index(field)].copy()  # the panel's own are read-only
    index = panel.index.rename("Date") if isinstance(panel.index, pd.DatetimeIndex) else panel.index
    return pd.DataFrame(values, index=index, columns=pd.Index(panel.series, name="Ticker"))


def _name_and_kind(path: Path) -> tuple[str, str]:
    kinds = "a .csv, .tsv, .txt (each also as .gz) or .parquet file"
    if path.is_dir():
        raise ValueError(f"{path.name or path} is a folder; {kinds} is needed: give the path of one file")
    if not path.exists():
        raise FileNotFoundError(f"{path.name} does not exist in {path.absolute().parent}: check the path of the file")
    name = path.name[: -len(".gz")] if path.suffix.lower() == ".gz" else path.name
    kind = Path(name).suffix.lower()
    if kind not in TEXT and (kind not in PARQUET or name != path.name):
        raise ValueError(f"{path.name} is of no known kind; {kinds} is needed: save or rename it as one")
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty (0 bytes); a header and rows are needed: save or download it again")
    return Path(name).stem, kind


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ValueError("this is no readable Parquet file, perhaps cut short: save or download it again") from error
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(names=_free_names(frame))
    return frame.set_axis(pd.RangeIndex(1, len(frame) + 1), axis=0)


def _free_names(frame: pd.DataFrame) -> list[str]:
    # An index level without a name becomes a column without one, as to_csv writes it.
    return ["" if name is None else str(name) for name in frame.index.names]


def _read_text(path: Path) -> pd.DataFrame:
    """Read the table as it stands, its rows labelled by their line in the file, dates and tickers left as text."""
    text = _decode(path)
    first = text.split("\n", 1)[0]
    sep = max(",;\t|", key=first.count)
    columns, depth = _header(list(itertools.islice(csv.reader(io.StringIO(text), delimiter=sep), 3)))
    named = columns[columns != ""] if columns.nlevels == 1 else columns
    if named.has_duplicates:
        raise ValueError(f"the column {named[named.duplicated()][0]!r} appears more than once: give each its own name")
    _check_lengths(text, sep, len(columns))
    as_text = {_date_column(columns)} | {i for i, name in enumerate(columns) if str(name).lower() in TICKERS}
    frame = pd.read_csv(
        io.StringIO(text),
        sep=sep,
        header=None,
        skiprows=depth,
        names=range(len(columns)),
        index_col=False,
        dtype=dict.fromkeys(as_text, str),
        skip_blank_lines=False,  # so that a row's label is its line
        **EXACT,
    )
    frame.index += depth + 1
    return frame.set_axis(columns, axis=1).dropna(how="all")


def _check_lengths(text: str, sep: str, width: int) -> None:
    # pandas cuts long lines off, or takes their first cell for an index
    if not any(line.count(sep) >= width for line in text.split("\n")):
        return
    reader = csv.reader(io.StringIO(text), delimiter=sep)  # slower, but knows quotes
    line = next((reader.line_num for cells in reader if len(cells) > width), None)
    if line is not None:
        raise ValueError(f"line {line} has more cells than the {width} of the header: take out what is too much")


def _decode(path: Path) -> str:
    raw = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError("this is no readable gzip file, perhaps cut short: download it again") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ValueError(f"line {line} is not UTF-8 text: save the file as CSV in UTF-8") from error
    if not text.strip():
        raise ValueError("the file holds only blank lines; a header and rows are needed: save or download it again")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _header(rows: Sequence[list[str]]) -> tuple[pd.Index, int]:
    """Tell the column names, and how many lines of the file they take up."""
    top, second, third = ([cell.strip() for cell in row] for row in [*rows, [], []][:3])
    fields = any(name.lower() in FIELDS for name in (*top, *second))
    if fields and len(second) == len(top) and not _digit(second[0]) and all(_is_name(cell) for cell in second[1:]):
        # to_csv writes the name of the dates on a line of its own, if they have one
        depth = 3 if third and not _digit(third[0]) and not any(third[1:]) else 2
        return pd.MultiIndex.from_arrays([top, second]), depth
    return pd.Index(top), 1


def _digit(cell: str) -> bool:
    return any(letter.isdigit() for letter in cell)


def _is_name(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell != ""
    return False


def _date_column(columns: pd.Index) -> int:
    if columns.nlevels == 2:
        return 0
    return next((i for i, name in enumerate(columns) if str(name).lower() in DATES), 0)


def _lay_out(frame: pd.DataFrame, stem: str, unit: str) -> pd.DataFrame:
    """Index the table by its dates, in one of the shapes that as_panel reads."""
    if len(frame) == 0:
        raise ValueError("there is a header but no row; rows of a date and prices are needed: download the file again")
    if is_series_in_rows(frame):
        return series_in_rows(frame, unit)
    at = _date_column(frame.columns)
    fillers = [i for i, name in enumerate(frame.columns) if name == "" and _is_filler(frame.iloc[:, i])]
    rest = frame.iloc[:, [i for i in range(frame.shape[1]) if i != at and i not in fillers]]
    if rest.shape[1] == 0:
        raise ValueError(
            f"there is only one column, {str(frame.columns[at])!r}; dates and at least one column of prices "
            "are needed: add them, separated by comma, semicolon, tab or bar"
        )
    name = str(frame.columns[at]) if frame.columns.nlevels == 1 else "Date"
    rest = rest.set_axis(_dates(frame.iloc[:, at], name, unit), axis=0)
    if rest.columns.nlevels == 2:
        return rest
    ticker = next((column for column in rest.columns if str(column).lower() in TICKERS), None)
    if ticker is not None:
        return _by_ticker(rest, ticker)
    if rest.shape[1] == 1 and FIELDS.get(str(rest.columns[0]).lower()) in TARGETS:
        return rest.set_axis(pd.MultiIndex.from_tuples([(str(rest.columns[0]), stem)]), axis=1)
    rest.attrs["ticker"] = stem
    return rest


def _is_filler(column: pd.Series) -> bool:
    """A column without a name that is empty (a separator at the end of lines) or only counts the rows."""
    return bool(column.isna().all()) or column.tolist() == list(range(len(column)))


def _by_ticker(rest: pd.DataFrame, ticker: str) -> pd.DataFrame:
    """Give a long table of values as unique_id, ds, y; one of several fields with (field, ticker) columns."""
    if rest[ticker].isna().any():
        raise ValueError(f"{int(rest[ticker].isna().sum())} rows have no {ticker}: give each row one, or drop it")
    who = rest[ticker].astype(str).to_numpy()
    values = rest.drop(columns=ticker)
    if values.shape[1] == 0:
        raise ValueError(f"there are dates and {ticker} but no prices: add a column of them, named y or Close")
    if "y" in values.columns or values.shape[1] == 1:
        y = values["y"] if "y" in values.columns else values.iloc[:, 0]
        return pd.DataFrame(dict(zip(LONG, (who, values.index, y.to_numpy()), strict=True)))
    values = values.set_index([values.index, who])
    if values.index.has_duplicates:
        date, name = values.index[values.index.duplicated()][0]
        raise ValueError(f"{name} has two rows at {label(date)}: keep one row per {ticker} and date")
    return values.unstack()


def _dates(column: pd.Series, name: str, unit: str) -> pd.Index:
    """Read dates or row numbers; `column` is labelled by the lines (or rows: `unit`) of the file."""
    if column.isna().any():
        raise ValueError(f"{unit} {column.index[column.isna()][0]} has no date: give the row one, or drop it")
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.DatetimeIndex(column)
    text = column.astype(str).str.strip()
    whole, compact = (text.str.fullmatch(pattern).all() for pattern in (r"\d+", r"[12]\d{7}"))
    if name.lower() in STEPS and whole and not compact:
        return pd.Index(text.astype("int64"), name=None)
    if name.lower() not in DATES and not compact and (not _digit(text.iloc[0]) or not _is_name(text.iloc[0])):
        raise ValueError(
            f"there is no date column: none is named date, ds or time, and the first, {name!r}, begins with "
            f"{text.iloc[0]!r}; add a column of dates, or number the rows in a first column named step"
        )
    return pd.DatetimeIndex(_parse(text.str.replace(ZONE, r"\1", regex=True), text, unit))


def _parse(text: pd.Series, original: pd.Series, unit: str) -> pd.Series:
    dates = pd.to_datetime(text, format="ISO8601", errors="coerce")
    if dates.notna().all():
        return dates
    readings = [dates]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of pandas, that a date has its day first: both ways are tried
        for dayfirst in (False,) if text.iloc[0][:4].isdigit() else (False, True):
            form = guess_datetime_format(text.iloc[0], dayfirst=dayfirst)
            if form is not None:  # else pandas would guess row by row
                readings.append(pd.to_datetime(text, format=form, errors="coerce"))
    whole = [reading for reading in readings if reading.notna().all()]
    if len(whole) == 2 and not whole[0].equals(whole[1]):
        raise ValueError(
            f"dates such as {original.iloc[0]!r} may mean month/day or day/month: write them as 2024-01-31 (year first)"
        )
    if not whole:
        best = max(readings, key=lambda reading: int(reading.isna().to_numpy().argmax()))
        line = best.index[best.isna()][0]
        raise ValueError(f"{unit} {line} holds {original[line]!r} for a date: write all dates as 2024-01-31")
    return whole[0]
