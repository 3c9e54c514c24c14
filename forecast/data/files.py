"""Prices out of a file: CSV or Parquet, in the shapes that people keep them in."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from forecast.data.csv.columns import row_labels
from forecast.data.csv.reader import TICKERS, date_column, read_text
from forecast.data.csv.series_rows import is_series_in_rows, series_in_rows
from forecast.data.panel import FIELDS, LONG, TARGETS, Panel, as_panel, format_date, split_fields

TEXT = (".csv", ".tsv", ".txt")
PARQUET = (".parquet", ".pq")


GROUP = 50  # columns read at a time; each needs buffers as large as itself while it is decoded


def read_prices(
    path: str | os.PathLike[str],
    fields: str | None = None,
    *,
    dayfirst: bool | None = None,
    decimal: str | None = None,
) -> pd.DataFrame:
    """Read your own prices from a CSV or Parquet file into a table with a row per date and a column per ticker.

    The file may hold a column per ticker, one ticker's Open/High/Low/Close table (the series is named after the file),
    a long table (unique_id, ds, y; or a ticker, a date and prices), or the two header lines that yfinance's to_csv
    writes. Cells are separated by comma, semicolon, tab or bar; .csv.gz is read as well. The dates stand in a column
    named date, ds, time … or in the first one; rows may come in any order and are sorted. A title and lines that begin
    with # may stand above the header; dividends and splits between the rows, as Yahoo's page has them, are left out.
    Of dates with a time zone the clock time on the exchange's wall is kept and the zone dropped. An undated table needs
    a first column of whole numbers that is named index, step or row, or has no name. A table with one series a row (the
    M4 competition's: a name, then V2, V3 …) gives undated columns that end together.

    `dayfirst` says how 01/02/2024 is meant; None refuses dates that may be read both ways. `decimal` is the mark before
    a fraction, "," or "."; None takes what the cells prove: 12,5 and 1.234,56 have a comma, and a file where 1,234 may
    mean either is refused. Thousands are read where a cell such as 1.234,56 or 1,234,567 or `decimal` shows them to be.

    `fields` None gives the adjusted closes if the file has them, else the closes, else the values; a field's name such
    as "Open" gives that field; "all" gives every field under (field, ticker) columns, or the plain values of a file
    that has no fields. Numbers come back as float64. Raises FileNotFoundError or ValueError that begins with the
    file's name and says what to do.
    """
    if decimal not in (None, ",", "."):
        raise ValueError(f"decimal must be ',' or '.'; got {decimal!r}")
    if dayfirst not in (None, True, False):
        raise ValueError(f"dayfirst must be True or False; got {dayfirst!r}")
    path = Path(path).expanduser()
    stem, kind = _name_and_kind(path)
    try:
        # One in the other, so that no name keeps a large table longer than it is needed.
        picked = pick_fields(
            _lay_out(_read_parquet(path, fields), stem, "row", dayfirst)
            if kind in PARQUET
            else _lay_out(read_text(path, decimal), stem, "line", dayfirst),
            fields,
        )
        picked.attrs["source"] = path.name  # a backtest writes it into its spec
        return picked
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
    del prices
    pa.default_memory_pool().release_unused()
    return _table(panel, panel.channels[0])


def _table(panel: Panel, field: str) -> pd.DataFrame:
    # The panel ends here, so that its array may be written to and need not be copied.
    panel.values.setflags(write=True)
    values = panel.values[:, :, panel.channels.index(field)]
    index = panel.index.rename("Date") if isinstance(panel.index, pd.DatetimeIndex) else panel.index
    return pd.DataFrame(values, index=index, columns=pd.Index(panel.series, name="Ticker"), copy=False)


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


def _read_parquet(path: Path, fields: str | None) -> pd.DataFrame:
    """Read the columns that are needed, a few at a time, so that a large file is in memory once."""
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16) as file:
            schema = file.schema_arrow
            names = _needed(schema, fields) or schema.names
            parts = [file.read(names[i : i + GROUP], use_threads=False) for i in range(0, len(names), GROUP)]
        columns = [part.column(i) for part in parts for i in range(part.num_columns)]
        kept = pa.schema([schema.field(name) for name in names], metadata=schema.metadata)
        table = pa.Table.from_arrays(columns, schema=kept)
        del parts, columns
        frame = table.to_pandas(split_blocks=True, self_destruct=True)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise ValueError("this is no readable Parquet file, perhaps cut short: save or download it again") from error
    if isinstance(frame.index, pd.DatetimeIndex) and not frame.index.hasnans:
        return frame.set_axis(frame.index.tz_localize(None), axis=0)
    if not isinstance(frame.index, pd.RangeIndex):
        # An index level without a name becomes a column without one, as to_csv writes it.
        frame = frame.reset_index(names=["" if name is None else str(name) for name in frame.index.names])
    return frame.set_axis(pd.RangeIndex(1, len(frame) + 1), axis=0)


def _needed(schema: pa.Schema, fields: str | None) -> list[str] | None:
    """Choose the columns that hold the field asked for, of a file with (field, ticker) columns; None: all."""
    columns = schema.empty_table().to_pandas().columns
    dated = all(isinstance(name, str) for name in (schema.pandas_metadata or {}).get("index_columns", []))
    if columns.nlevels != 2 or fields == "all" or not dated:
        return None  # the dates may stand in a column
    for level, told in enumerate(columns.names):
        known = [FIELDS.get(str(name).strip().lower(), str(name)) for name in columns.get_level_values(level)]
        target = next((name for name in TARGETS if name in known), None)
        wanted = FIELDS.get(fields.lower(), fields) if fields is not None else target
        if target is not None and wanted in known:
            # a column of the target tells split_fields where the fields stand, unless the level's name does
            tell = None if told == "Price" else known.index(target)
            chosen = [schema.names[i] for i, name in enumerate(known) if name == wanted or i == tell]
            return [*chosen, *schema.names[len(columns) :]]  # and the index
    return None


def _lay_out(frame: pd.DataFrame, stem: str, unit: str, dayfirst: bool | None) -> pd.DataFrame:
    """Index the table by its dates, in one of the shapes that as_panel reads."""
    if len(frame) == 0:
        raise ValueError("there is a header but no row; rows of a date and prices are needed: download the file again")
    if is_series_in_rows(frame):
        return series_in_rows(frame, unit)
    rest = frame if isinstance(frame.index, pd.DatetimeIndex) else _dated(frame, unit, dayfirst)
    if rest.columns.nlevels == 2:
        return rest
    ticker = next((column for column in rest.columns if str(column).lower() in TICKERS), None)
    if ticker is not None:
        return _by_ticker(rest, ticker)
    if rest.shape[1] == 1 and FIELDS.get(str(rest.columns[0]).lower()) in TARGETS:
        return rest.set_axis(pd.MultiIndex.from_tuples([(str(rest.columns[0]), stem)]), axis=1)
    rest.attrs["ticker"] = stem
    return rest


def _dated(frame: pd.DataFrame, unit: str, dayfirst: bool | None) -> pd.DataFrame:
    """Make the column of dates the index."""
    at = date_column(frame.columns)
    fillers = [i for i, name in enumerate(frame.columns) if i != at and _is_filler(frame.iloc[:, i], name)]
    rest = frame.iloc[:, [i for i in range(frame.shape[1]) if i != at and i not in fillers]]
    if rest.shape[1] == 0:
        raise ValueError(
            f"there is only one column, {str(frame.columns[at])!r}; dates and at least one column of prices "
            "are needed: add them, separated by comma, semicolon, tab or bar"
        )
    name = str(frame.columns[at]) if frame.columns.nlevels == 1 else "Date"
    return rest.set_axis(row_labels(frame.iloc[:, at], name, unit, dayfirst), axis=0)


def _is_filler(column: pd.Series, name: object) -> bool:
    """Tell a column without a name that is empty (a separator at the end of lines) or only counts rows."""
    if name not in ("", ("", "")) and not re.fullmatch(r"Unnamed: \d+", str(name)):
        return False
    held = column.dropna()
    counts = pd.to_numeric(held, errors="coerce")
    if held.empty or (len(held) == len(column) and (counts % 1 == 0).all() and counts.is_unique):
        return True
    raise ValueError(f"a column has no name and holds {held.iloc[0]}: name it in the header, or take it out")


def _by_ticker(rest: pd.DataFrame, ticker: str) -> pd.DataFrame:
    """Give a long table of values as unique_id, ds, y; one of several fields with (field, ticker) columns."""
    if rest[ticker].isna().any():
        raise ValueError(f"{int(rest[ticker].isna().sum())} rows have no {ticker}: give each row one, or drop it")
    who = rest[ticker].astype(str).to_numpy()
    values = rest.drop(columns=ticker)
    if values.shape[1] == 0:
        raise ValueError(f"there are dates and {ticker} but no prices: add a column of them, named y or Close")
    y = next((values[name] for name in values.columns if str(name).lower() == "y"), None)
    if y is not None or values.shape[1] == 1:
        y = values.iloc[:, 0] if y is None else y  # what stands beside y are inputs
        return pd.DataFrame(dict(zip(LONG, (who, values.index, y.to_numpy()), strict=True)))
    values = values.set_index([values.index, who])
    if values.index.has_duplicates:
        date, name = values.index[values.index.duplicated()][0]
        raise ValueError(f"{name} has two rows at {format_date(date)}: keep one row per {ticker} and date")
    return values.unstack()
