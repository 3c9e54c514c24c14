"""Read prices from CSV, Excel and Parquet files."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from forecast._io import user_path
from forecast._validation import did_you_mean
from forecast.data.csv.columns import to_price_table
from forecast.data.csv.decoding import kind_of_file
from forecast.data.csv.reader import parse_text, read_text
from forecast.data.excel import EXCEL, read_sheet
from forecast.data.fields import TARGETS, canonical_field, default_target
from forecast.data.panel import Panel, build_panel, split_fields
from forecast.data.row_labels import has_dates, is_default
from forecast.data.series import choose_fields, has_only_text, is_instrument, separate_columns

TEXT = (".csv", ".tsv", ".txt")
PARQUET = (".parquet", ".pq")
COLUMNS_PER_READ = 50  # each column needs buffers of its own size while it is decoded


def read_prices(
    path: str | os.PathLike[str],
    fields: str | None = None,
    *,
    columns: Sequence[str] | None = None,
    target: str | None = None,
    inputs: Sequence[str] = (),
    dayfirst: bool | None = None,
    decimal: str | None = None,
) -> pd.DataFrame:
    """Read prices from a CSV, Excel or Parquet file into a table with a row per date and a column per ticker.

    Parameters
    ----------
    path : str or path
        A .csv, .tsv, .txt (each also as .gz), .xlsx, .parquet or .pq file. An Excel workbook needs one sheet with a
        table, and `pip install 'forecast[excel]'`.
    fields : str, optional
        A field's name such as "Open" returns that field. "all" returns every field under (field, ticker) columns, or
        the plain values of a file without fields. By default the adjusted closes if available, else the closes, else
        the values.
    columns : sequence of str, optional
        Names of columns as in the file, each of which becomes a series. The cells of other columns do not matter.
    target : str, optional
        One column by its own name, or a field of one instrument by its canonical name: Open, High, Low, Close,
        Adj Close or Volume.
    inputs : sequence of str, default ()
        Names of columns, or of fields, that are no series: what `exog` and `future` of `as_panel` name. They are
        columns of a wide table, next to the series; with fields the columns are (field, ticker). Rows after the last
        price remain.
    dayfirst : bool, optional
        Whether 01/02/2024 is the first of February. By default ambiguous dates are refused.
    decimal : {",", "."}, optional
        The decimal mark. By default the mark that the cells prove: 12,5 and 1.234,56 prove a comma, and a file where
        every mark is as in 1,234 or 1.234 is refused. Thousands separators are read where `decimal` or a cell such as
        1.234,56 or 1,234,567 proves them. Where every number of a column has a symbol it is read without it:
        $1,234.50 is 1234.5, 0.85M is 850000 and 0.12% is 0.12.

    Returns
    -------
    DataFrame
        Prices as float64, sorted by date. `attrs["source"]` is the name of the file, `attrs["field"]` the field that is
        returned, and `attrs["notes"]` are sentences on what was decided.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file cannot be read or is ambiguous. The message begins with the file's name and states the remedy.

    Warns
    -----
    PricesWarning
        If a column of a wide table is left out, as `as_panel` does.

    Notes
    -----
    The file may contain a column per ticker, one instrument's Open/High/Low/Close table (in the common languages and
    the spellings of exchanges and vendors; the series is named after the file), a long table (unique_id, ds, y; or a
    ticker, a date and prices), or the two header lines of yfinance's to_csv. Cells are separated by comma, semicolon,
    tab or bar. The dates are in a column with the name of dates, or in the first one that contains them: days, months
    (2024-01, 202401, 2024M01), quarters (2024Q1), weeks (2024-W01), years, or seconds to nanoseconds since 1970, which
    are times in UTC; a year and its month, quarter or week, and times of day, may be in columns of their own. Rows may
    have any order. In a long table the series are named by a column of tickers, or by the one column that separates the
    rows of a date. Of times with an offset from UTC the local clock time remains; where it repeats, in the hour that a
    clock goes back, the rows are in UTC.

    Titles, lines that begin with # and attributes of the series (Title, Code, Source …) may precede the rows, and
    sources, remarks and totals follow them; these lines, repeated headers, and dividends and splits between the rows,
    as on Yahoo's page, are left out, with a note. A file that is not UTF-8 is read in the encoding that known names of
    columns or the letters of one language prove, with a note. An undated table needs a first column of whole numbers
    that is named index, step or row, or has no name. A table with a series in each row has dates or years as columns;
    that of the M4 competition (a name, then V2, V3 …) becomes undated columns that end together.
    """
    if decimal not in (None, ",", "."):
        raise ValueError(f"decimal must be ',' or '.'; got {decimal!r}")
    if dayfirst not in (None, True, False):
        raise ValueError(f"dayfirst must be True or False; got {dayfirst!r}")
    if (fields is not None) + (columns is not None) + (target is not None) > 1:
        raise ValueError("fields, columns and target choose differently: give one of them")
    if target is not None and not isinstance(target, str):
        raise TypeError(f"target must be the name of one column; got {target!r}")
    if isinstance(inputs, str):
        raise TypeError(f"inputs must be a list of names, such as [{inputs!r}]; got {inputs!r}")
    requested = [target] if target is not None else [fields] if fields not in (None, "all") else columns or ()
    requested = [*requested, *inputs] if requested else ()
    path = user_path(path)
    stem, suffix = _split_name(path)
    choice = (fields, columns, target, inputs)
    try:
        # The calls are nested so that no name holds a large table longer than necessary.
        if suffix in PARQUET:
            field = fields if columns is None and target is None and not inputs else "all"
            table = pick_fields(to_price_table(_read_parquet(path, field), stem, "row", dayfirst), *choice)
        elif suffix in EXCEL:
            cells = parse_text(read_sheet(path), decimal, requested)
            table = pick_fields(to_price_table(cells, stem, "row", dayfirst), *choice)
        else:
            table = pick_fields(to_price_table(read_text(path, decimal, requested), stem, "line", dayfirst), *choice)
        table.attrs["source"] = path.name  # recorded in the spec of a backtest
        return table
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def pick_fields(
    prices: pd.DataFrame,
    fields: str | None = None,
    columns: Sequence[str] | None = None,
    target: str | None = None,
    inputs: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the adjusted closes (or closes) of a price table, one field, some columns, or "all" fields, and inputs.

    The table is validated and sorted by date. `attrs["field"]` is what is forecast, `attrs["notes"]` what was decided.
    """
    prices, shared = _separate_inputs(prices, inputs, columns, target)
    if fields == "all":
        tables = split_fields(prices)
        if list(tables) != ["y"]:
            return _all_fields({**tables, **shared})
    tables, name = choose_fields(prices, columns, target if fields in (None, "all") else fields)
    is_flat = len(shared) == len(inputs)
    panel = build_panel({**tables, **shared}, name, inputs)
    del prices, tables
    pa.default_memory_pool().release_unused()
    table = _table(panel, name)
    if inputs and is_flat:
        own = [_table(panel, field).iloc[:, :1].set_axis([field], axis=1) for field in inputs]
        table = pd.concat([table, *own], axis=1)
    elif inputs:
        table = pd.concat({field: _table(panel, field) for field in (name, *inputs)}, axis=1, names=["Price", "Ticker"])
    table.attrs = {key: panel.attrs[key] for key in ("field", "columns", "instrument", "notes") if key in panel.attrs}
    return table


def _separate_inputs(
    prices: pd.DataFrame, inputs: Sequence[str], columns: Sequence[str] | None, target: str | None
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Return a price table without the columns that are inputs, and these; raise ValueError if a column is missing."""
    if not inputs:
        return prices, {}
    if both := [name for name in inputs if name in (*(columns or ()), target)]:
        raise ValueError(f"{both[0]!r} is what is to be forecast, so it is no input: name other columns as inputs")
    if columns is not None:
        prices = prices.copy(deep=False)
        prices.attrs = {**prices.attrs, "columns": list(columns)}  # series by their names, not fields of bars
    rest, shared = separate_columns(prices, inputs, target)
    if prices.columns.nlevels > 1 or (columns is None and is_instrument(prices)):
        return rest, shared  # the inputs are fields
    names = [str(name) for name in prices.columns]
    if missing := [name for name in inputs if name not in names]:
        hint, listed = did_you_mean(missing[0], names), ", ".join(names)
        raise ValueError(f"there is no column {missing[0]!r} to read as an input{hint}; the columns are {listed}")
    if not shared:
        raise ValueError(f"every column is an input ({', '.join(names)}): leave one out, which is forecast")
    return rest, shared


def _all_fields(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return all fields of a price table that contain numbers under (field, ticker) columns."""
    target = default_target(tables)
    texts = [
        name for name, table in tables.items() if name != target and all(has_only_text(c) for _, c in table.items())
    ]
    known = [name for name in tables if name not in texts]
    panel = build_panel(tables, target, [name for name in known if name != target])
    table = pd.concat({name: _table(panel, name) for name in known}, axis=1, names=["Price", "Ticker"])
    notes = [*(note for name in known for note in tables[name].attrs.get("notes", []))]
    notes += [f"the column {name!r} contains no numbers and is left out" for name in texts]
    if notes:
        table.attrs["notes"] = list(dict.fromkeys(notes))
    return table


def _table(panel: Panel, field: str) -> pd.DataFrame:
    # The panel is not used afterwards, so its array may be made writeable and need not be copied.
    panel.values.setflags(write=True)
    values = panel.values[:, :, panel.channels.index(field)]
    index = panel.index.rename("Date") if isinstance(panel.index, pd.DatetimeIndex) else panel.index
    return pd.DataFrame(values, index=index, columns=pd.Index(panel.series, name="Ticker"), copy=False)


def _split_name(path: Path) -> tuple[str, str]:
    """Return a price file's stem and suffix, both without .gz; raise where the path is no price file."""
    supported = "a .csv, .tsv, .txt (each also as .gz), .xlsx or .parquet file"
    if path.is_dir():
        raise ValueError(f"{path.name or path} is a folder; {supported} is needed: give the path of one file")
    if not path.exists():
        raise FileNotFoundError(f"{path.name} does not exist in {path.absolute().parent}: check the path of the file")
    name = path.name[: -len(".gz")] if path.suffix.lower() == ".gz" else path.name
    suffix = Path(name).suffix.lower()
    if suffix not in TEXT and (suffix not in (*PARQUET, *EXCEL) or name != path.name):
        raise ValueError(f"{path.name} is of no supported kind; {supported} is needed: save or rename it as one")
    if path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty (0 bytes); a header and rows are needed: save or download it again")
    _check_content(path, suffix)
    return Path(name).stem, suffix


def _check_content(path: Path, suffix: str) -> None:
    """Raise ValueError where a file that is named as a workbook or Parquet file is of another kind."""
    marks = {**dict.fromkeys(EXCEL, b"PK"), **dict.fromkeys(PARQUET, b"PAR1")}
    with path.open("rb") as file:
        start = file.read(100)
    if suffix not in marks or start.startswith(marks[suffix]):
        return
    is_text = b"\0" not in start and re.search(rb"[,;\t|]", start) is not None
    kind = kind_of_file(start) or ("a text table" if is_text else None)
    if kind is not None:
        advice = "name it .csv" if kind == "a text table" else "save or download it again, or name it by its kind"
        raise ValueError(f"{path.name} is {kind}, although it is named {suffix}: {advice}")


def _read_parquet(path: Path, fields: str | None) -> pd.DataFrame:
    """Return the necessary columns, read a few at a time so that a large file is in memory only once."""
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16) as file:
            schema = file.schema_arrow
            names = _needed_columns(schema, fields) or schema.names
            starts = range(0, len(names), COLUMNS_PER_READ)
            parts = [file.read(names[i : i + COLUMNS_PER_READ], use_threads=False) for i in starts]
        columns = [part.column(i) for part in parts for i in range(part.num_columns)]
        table_schema = pa.schema([schema.field(name) for name in names], metadata=schema.metadata)
        table = pa.Table.from_arrays(columns, schema=table_schema)
        del parts, columns
        frame = table.to_pandas(split_blocks=True, self_destruct=True)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise ValueError("not a readable Parquet file, perhaps cut short: save or download it again") from error
    if isinstance(frame.index, pd.RangeIndex) and not has_dates(pd.Series(frame.index), frame.index.name or ""):
        frame.index = pd.RangeIndex(len(frame))  # numbers of rows in a table that this one is part of
    if isinstance(frame.index, pd.DatetimeIndex) and frame.index.tz is None and not frame.index.hasnans:
        return frame
    if not is_default(frame.index):
        # An index without a name becomes a column without one, as to_csv writes it.
        unnamed = [f"level {i}" if frame.index.nlevels > 1 else "" for i in range(frame.index.nlevels)]
        names = [other if name is None else str(name) for name, other in zip(frame.index.names, unnamed, strict=True)]
        frame = frame.reset_index(names=names)
    return frame.set_axis(pd.RangeIndex(1, len(frame) + 1), axis=0)


def _needed_columns(schema: pa.Schema, fields: str | None) -> list[str] | None:
    """Return the columns of the requested field in a file with (field, ticker) columns; None for all columns."""
    columns = schema.empty_table().to_pandas().columns
    dated = all(isinstance(name, str) for name in (schema.pandas_metadata or {}).get("index_columns", []))
    if columns.nlevels != 2 or fields == "all" or not dated:
        return None  # the dates may be in a column
    for level, level_name in enumerate(columns.names):
        values = [str(name) for name in columns.get_level_values(level)]
        known = [canonical_field(name) for name in values]
        if not any(name in TARGETS for name in known):
            continue
        target = default_target(known)
        requested = target if fields is None else fields if fields in values else canonical_field(fields)
        if requested in known:
            # split_fields recognises the level of the fields by its name, or by one column of a target.
            marker = None if level_name == "Price" else known.index(target)
            chosen = [schema.names[i] for i, name in enumerate(known) if name == requested or i == marker]
            return [*chosen, *schema.names[len(columns) :]]  # and the index
    return None
