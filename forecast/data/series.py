"""What is a series: which columns of a table are forecast, which belong to one instrument, which are left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from forecast._text import list_names
from forecast._validation import did_you_mean
from forecast._warnings import warn
from forecast.data.column_checks import (
    UnclearColumnsError,
    check_columns,
    check_computed,
    is_like_others,
    numbers_of,
    sorted_values,
)
from forecast.data.csv.long_tables import check_unique
from forecast.data.fields import (
    BARS,
    CLOSES,
    FURTHER,
    LONG_COLUMNS,
    QUOTE,
    TARGETS,
    WEAK_CLOSES,
    assign_fields,
    canonical_field,
    default_target,
    find_unread_closes,
    is_like_ticker,
    is_listed,
    kind_of,
    kinds_of,
    named_field,
    plain_name,
)
from forecast.data.frames import label_rows
from forecast.data.kinds import (
    BarColumns,
    Content,
    are_about_equal,
    describe_changes,
    describe_left_out,
    find_bars,
    holds_range,
)
from forecast.data.midpoints import read_midpoints
from forecast.data.notes import PricesWarning, add_notes
from forecast.data.row_labels import format_date
from forecast.data.statements import find_statement

#: Text that is a number in a form that is not read, rather than a code or a date.
ROW_NUMBERS = re.compile(r"Unnamed: \d+|index|level_\d+")  # names that pandas gives to the labels of rows
LIKE_NUMBER = re.compile(r"[-+(]?\W?\s?\d[\d.,' ]*\s?\W?\w?\)?")
SEPARATORS = re.compile(r"[\s_./:|()'\",-]+")
#: Where two words of a name meet without a separator: AAPL|Close, close|AAPL, 600519|收盘.
JOINTS = re.compile(
    r"(?<=[A-Z0-9])(?=[A-Z][a-z])|(?<=[a-z0-9])(?=[A-Z])"
    r"|(?<=[A-Za-z0-9])(?=[\u2e80-\uffef])|(?<=[\u2e80-\uffef])(?=[A-Za-z0-9])"
)
FIELD_WORDS = "adjclose|close|open|high|low|volume"
LETTERS = {"o": "Open", "h": "High", "l": "Low", "c": "Close", "v": "Volume"}
MAX_LISTED = 12  # names that a message lists
MAX_SAMPLED = 12  # distinct cells of a column that show whether it is text


def split_fields(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return one wide table per field of a price table of any supported shape ("y" where the field has no name).

    What is left out is a sentence in the tables' `attrs["notes"]` and a `PricesWarning`. Raises UnclearColumnsError
    where several columns may be what is to be forecast.
    """
    frame = read_midpoints(label_rows(frame))
    if frame.columns.nlevels == 2:
        return _split_levels(frame)
    if set(LONG_COLUMNS) <= set(frame.columns):
        table = _pivot(frame)
        table.attrs = dict(frame.attrs)
        return {"y": table}
    names = [str(name) for name in frame.columns]
    if len(names) == 1:
        return {"y": _name_field(frame, names[0])}
    if set(names) <= set(frame.attrs.get("columns", ())):
        return {"y": frame}
    if (fields := _instrument_fields(frame, names)) is not None:
        return _instrument(frame, fields)
    if "field" not in frame.attrs:
        _check_quotes(frame, names)
    if (labels := _labels_of_instruments(names)) is not None:
        target = default_target(field for field, _ in labels)
        check_computed(frame, [i for i, (field, _) in enumerate(labels) if field == target])
        return _split_levels(frame.set_axis(labels, axis=1))
    return _split_by_values(frame)


def _name_field(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table of one column, with the field that its name states among the attributes."""
    field = named_field(name)
    if field is None or "field" in frame.attrs:
        return frame
    table = frame.copy(deep=False)
    table.attrs = {**frame.attrs, "field": field}
    return table


def choose_columns(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return these columns of a table, by their own names, each of which is a series."""
    if isinstance(columns, str) or not all(isinstance(name, str) for name in columns) or not columns:
        raise TypeError(f"columns must be a list of names, such as ['AAPL', 'MSFT']; got {columns!r}")
    if set(LONG_COLUMNS) <= set(frame.columns):
        frame = split_fields(frame)["y"]
    if not _is_flat(frame):
        levels = [list(dict.fromkeys(map(str, frame.columns.get_level_values(level)))) for level in (0, 1)]
        names = next((values for values in levels if any(kind_of(name) in CLOSES for name in values)), levels[0])
        close = next((name for name in names if kind_of(name) in CLOSES), names[0])
        raise ValueError(
            f"columns must be those of one instrument or of a wide table, and these prices have the fields "
            f"{', '.join(names[:MAX_LISTED])} of several instruments: give a table with the columns "
            f"{', '.join(columns[:MAX_LISTED])}, or choose one field with target={close!r} instead"
        )
    positions = [_position(frame, name) for name in dict.fromkeys(columns)]
    chosen = frame.iloc[:, positions].set_axis([str(frame.columns[i]) for i in positions], axis=1)
    chosen.attrs = {**frame.attrs, "columns": list(chosen.columns)}
    if "ticker" in frame.attrs and is_instrument(frame):
        chosen.attrs["instrument"] = frame.attrs["ticker"]
    if len(positions) == 1:
        chosen.attrs["field"] = chosen.columns[0]
    return chosen


def separate_columns(
    frame: pd.DataFrame, names: Sequence[str], target: str | None = None
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Return a table without the columns of these names, and each of them as a field that holds for all series.

    Only a flat table that is not one instrument's bars is separated: in others the names are those of fields. A table
    whose series were chosen by name is flat whatever they are called.
    """
    own = [str(name) for name in frame.columns] if _is_flat(frame) else []
    chosen = [i for i, name in enumerate(own) if name in names]
    is_chosen = bool(frame.attrs.get("columns"))
    if not chosen or len(chosen) == len(own) or (not is_chosen and is_instrument(frame)):
        return frame, {}
    if target in names:
        raise ValueError(f"{target!r} is what is to be forecast, so it is no input: leave it out of exog and future")
    rest = frame.iloc[:, [i for i in range(len(own)) if i not in chosen]]
    rest.attrs = dict(frame.attrs)
    return rest, {own[i]: frame.iloc[:, [i]].set_axis([own[i]], axis=1) for i in chosen}


def choose_fields(
    frame: pd.DataFrame, columns: Sequence[str] | None, target: str | None
) -> tuple[dict[str, pd.DataFrame], str]:
    """Return the fields of a price table, and which is the target: a field, or a column by its own name."""
    frame = read_midpoints(frame)
    is_long = frame.columns.nlevels == 1 and set(LONG_COLUMNS) <= set(frame.columns)
    if columns is not None and (_is_flat(frame) or is_long or len(columns) != 1):
        return {"y": choose_columns(frame, columns)}, "y"
    if columns is not None:
        target = columns[0]
    if target is None:
        _check_statement(frame)
        fields = split_fields(frame)
        if len(fields) > 1 and not set(TARGETS) & set(fields):
            are_fields = max(table.shape[1] for table in fields.values()) > 1
            raise UnclearColumnsError("no column is called a close", list(fields), are_fields)
        _check_tickers(fields)
        return fields, _target_with_values(fields)
    names = [str(name) for name in frame.columns] if _is_flat(frame) else []
    if target in names and not is_instrument(frame):
        return {"y": choose_columns(frame, [target])}, "y"
    fields = split_fields(frame)
    own = (_instrument_fields(frame, names) or names)[names.index(target)] if target in names else target
    for name in (target, canonical_field(target), own):
        if name in fields:
            return fields, name
    if list(fields) == ["y"] and fields["y"].attrs.get("field") in (target, canonical_field(target)):
        return fields, "y"
    available = names or [name for name in fields if name != "y"]
    if not available:
        raise ValueError(f"there is no field {target!r}: the prices are plain values without fields, so leave it out")
    raise ValueError(
        f"there is no field {target!r} to forecast{did_you_mean(target, available)}; the prices have "
        f"{list_names(available, MAX_LISTED)}"
    )


def _check_tickers(fields: dict[str, pd.DataFrame]) -> None:
    """Raise ValueError where tickers have closes, and only some of them have adjusted closes."""
    if not set(TARGETS) <= set(fields):
        return
    adjusted, close = (
        {str(name) for name, column in fields[field].items() if column.notna().any()} for field in TARGETS
    )
    if adjusted and close - adjusted:
        raise ValueError(
            f"{min(close - adjusted)!r} has a Close and no Adj Close, and {min(adjusted)!r} has an Adj Close: "
            "forecast the closes of all with target='Close', or add the adjusted closes that are missing"
        )


def _check_statement(frame: pd.DataFrame) -> None:
    """Raise UnclearColumnsError where the names of a table are those of a broker's or a bank's statement."""
    if "field" in frame.attrs or frame.shape[1] == 1:
        return
    is_flat = frame.columns.nlevels == 1
    numbers = [str(name) for name, column in frame.items() if not has_only_text(column)] if is_flat else []
    for level in range(frame.columns.nlevels):
        names = [str(name) for name in frame.columns.get_level_values(level).unique()]
        if found := find_statement(names):
            raise UnclearColumnsError(
                f"{' and '.join(map(repr, found))} are columns of a statement, whose rows are transactions "
                "and no prices of each date",
                numbers or names,
            )


def _target_with_values(fields: dict[str, pd.DataFrame]) -> str:
    """Return the field to forecast where none is named; one without a value other than 0 gives way to a close."""
    target = default_target(fields)
    others = [name for name in fields if name in TARGETS and _has_values(fields[name])]
    if not others or _has_values(fields[target]):
        return target
    chosen = default_target(others)
    add_notes(fields[chosen], [f"{target} has no value other than 0, so {chosen} is forecast"])
    return chosen


def _has_values(table: pd.DataFrame) -> bool:
    """Return whether a table has a cell that is neither empty nor 0; text is a value, so that it is refused."""
    return any(bool((column.notna() & (numbers_of(column) != 0)).any()) for _, column in table.items())


def is_instrument(frame: pd.DataFrame) -> bool:
    """Return whether the names of a table's columns are those of one instrument's bars."""
    try:
        return _instrument_fields(frame, [str(name) for name in frame.columns]) is not None
    except UnclearColumnsError:
        return False


def _is_flat(frame: pd.DataFrame) -> bool:
    """Return whether a table has one line of names and no column of tickers."""
    return frame.columns.nlevels == 1 and not set(LONG_COLUMNS) <= set(frame.columns)


def _position(frame: pd.DataFrame, name: str) -> int:
    """Return the position of the column with this name, or with the only one that is the same when plainly written."""
    names = [str(column) for column in frame.columns]
    same = [i for i, other in enumerate(names) if other == name]
    same = same or [i for i, other in enumerate(names) if plain_name(other) == plain_name(name)]
    if len(same) != 1:
        problem = "there is no column" if not same else "several columns are called"
        raise ValueError(
            f"{problem} {name!r}{did_you_mean(name, names)}; the prices have {list_names(names, MAX_LISTED)}"
        )
    return same[0]


# --- one instrument --------------------------------------------------------------------------------------------------


def _instrument_fields(frame: pd.DataFrame, names: list[str]) -> list[str] | None:
    """Return the field of each column if their names are those of one instrument's bars, else None."""
    kinds = kinds_of(names)
    known = [i for i, kind in enumerate(kinds) if kind is not None]
    closes = [i for i in known if kinds[i] in (*CLOSES, "Adj Close")]
    if not closes:
        return _fields_without_close(frame, names, kinds)
    quotes = kinds.count(QUOTE) > 1  # a bid and an ask are no tickers
    clear = [i for i in known if not is_like_ticker(names[i]) or (quotes and kinds[i] == QUOTE)]
    is_weak = all(kinds[i] in WEAK_CLOSES for i in closes)
    if len(known) < 2 or (is_weak and len(known) < len(names)):
        return None
    if len(set(kinds)) == 1 and _labels_of_instruments(names) is not None:
        return None  # "USD Price" and "EUR Price"
    named = len(clear) > 1 or (len(clear) == 1 and len(known) == len(names))
    if not named and not _holds_range(frame, names, kinds):
        return None
    try:
        return assign_fields(names)
    except ValueError as error:
        raise UnclearColumnsError(str(error), names) from None


def _fields_without_close(frame: pd.DataFrame, names: list[str], kinds: list[str | None]) -> list[str] | None:
    """Return the fields of bars whose close has an unknown name; raise where no price stands out."""
    if {"Open", "High", "Low"}.isdisjoint(kinds) and _has_spread(frame, kinds):
        raise UnclearColumnsError("there are bids and offers, and no column of trades", names)
    if not {"High", "Low"} <= set(kinds):
        return None
    unknown = [i for i, kind in enumerate(kinds) if kind is None]
    if len(set(kinds)) == len(kinds) == 2 and _encloses(
        frame, kinds.index("High"), kinds.index("Low"), kinds.index("Low")
    ):
        raise UnclearColumnsError("there are highs and lows, and no close", names)
    enclosed = [i for i in unknown if _encloses(frame, kinds.index("High"), kinds.index("Low"), i)]
    if len(enclosed) == 1:
        fields = assign_fields(names)
        fields[enclosed[0]] = "Close"
        return fields
    is_range = "Open" in kinds and _encloses(frame, kinds.index("High"), kinds.index("Low"), kinds.index("Open"))
    if enclosed or is_range:
        raise UnclearColumnsError("it is not clear which column is the close", names)
    return None


def _has_spread(frame: pd.DataFrame, kinds: list[str | None]) -> bool:
    """Return whether two columns that are called quotes are about equal, as a bid and an ask are."""
    quotes = [numbers_of(frame.iloc[:, i]) for i, kind in enumerate(kinds) if kind == QUOTE]
    return any(are_about_equal(first, second) for first, second in combinations(quotes, 2))


def _holds_range(frame: pd.DataFrame, names: list[str], kinds: list[str | None]) -> bool:
    """Return whether names that may be tickers are fields, since the highs and lows enclose the opens and closes."""
    fields = dict(zip(assign_fields(names), range(len(names)), strict=True))
    if not set(BARS) <= set(fields):
        return False
    return holds_range(*(numbers_of(frame.iloc[:, fields[field]]) for field in BARS))


def _encloses(frame: pd.DataFrame, high: int, low: int, inner: int) -> bool:
    middle = numbers_of(frame.iloc[:, inner])
    return holds_range(middle, numbers_of(frame.iloc[:, high]), numbers_of(frame.iloc[:, low]), middle)


def _instrument(frame: pd.DataFrame, fields: list[str], how: str = "") -> dict[str, pd.DataFrame]:
    """Return one table per field of an instrument, with a note where its column has another name."""
    series = str(frame.attrs.get("ticker", "y"))
    unread = find_unread_closes([str(name) for name in frame.columns], fields)
    adjusted = [
        f"the column {name!r} may be an adjusted close and is not read as one: choose it by its name to forecast it"
        for name in unread
    ]
    tables = {}
    for i, field in enumerate(fields):
        column = str(frame.columns[i])
        is_renamed = field != column and field.split()[-1].lower() not in plain_name(column).split()
        tables[field] = frame.iloc[:, [i]].set_axis([series], axis=1)
        renamed = [f"the column {column!r} is read as {field}{how}"] if is_renamed else []
        _add_notes(tables[field], frame, [*renamed, *(adjusted if field in TARGETS else [])])
    return tables


def _add_notes(table: pd.DataFrame, source: pd.DataFrame, notes: list[str]) -> None:
    """Set the attributes of a table to those of its source, with further notes."""
    table.attrs = dict(source.attrs)
    add_notes(table, notes)


# --- several instruments ---------------------------------------------------------------------------------------------


def _labels_of_instruments(names: list[str]) -> pd.MultiIndex | None:
    """Return (field, ticker) labels if each name is both: "AAPL Close", "Close_AAPL", "AAPLClose", "c_AAPL"; else None.

    Each ticker has a close; a mean next to a maximum and a minimum, such as "Mean Temp", is none.
    """
    separated = [[word for word in SEPARATORS.split(name) if word] for name in names]
    joined = [_joined_words(name) for name in names]
    for words in (separated, _spell_out(separated, -1), _spell_out(separated, 0), joined):
        for at in (-1, 0):
            glue = "" if words is joined else "-"
            labels = _complete_labels([_split_label(parts, at, glue) for parts in words])
            if labels is not None:
                return labels
    return None


def _joined_words(name: str) -> list[str]:
    """Return the words of a name without separators.

    >>> [_joined_words(name) for name in ("AAPLAdjClose", "600519收盘", "msftclose", "closemsft", "MSFT")]
    [['AAPL', 'Adj', 'Close'], ['600519', '收盘'], ['msft', 'close'], ['close', 'msft'], ['MSFT']]
    """
    words = JOINTS.split(name)
    found = re.fullmatch(f"(.+?)({FIELD_WORDS})|({FIELD_WORDS})(.+)", name) if len(words) == 1 else None
    return [word for word in found.groups() if word] if found else words


def _complete_labels(labels: list[tuple[str, str] | None]) -> pd.MultiIndex | None:
    """Return labels of fields and tickers as an index if there are all, each once, and a close of each ticker."""
    named = [label for label in labels if label is not None]
    fields = {field for field, _ in named}
    closes = {*TARGETS, *CLOSES}
    if not fields.isdisjoint(("Open", "High", "Low")):
        closes -= set(WEAK_CLOSES)
    tickers = {ticker for field, ticker in named if field in closes}
    if not named or len(set(named)) < len(labels) or tickers != {ticker for _, ticker in named}:
        return None
    return pd.MultiIndex.from_tuples([(canonical_field(field), ticker) for field, ticker in named])


def _spell_out(names: list[list[str]], at: int) -> list[list[str]]:
    """Return the words of names with the fields in place of o, h, l and c, first (0) or last (-1), where all occur."""
    if not set("ohlc") <= {words[at] for words in names if words}:
        return []
    spelt = [list(words) for words in names]
    for words in spelt:
        words[at] = LETTERS.get(words[at], words[at])
    return spelt


def _check_quotes(frame: pd.DataFrame, names: list[str]) -> None:
    """Raise UnclearColumnsError where two columns of nearly the same values are called quotes of one instrument."""
    quotes: dict[str, int] = {}
    for i, name in enumerate(names):
        instrument = _quoted_instrument(name)
        if instrument is None:
            continue
        other = quotes.setdefault(instrument, i)
        if other != i and are_about_equal(numbers_of(frame.iloc[:, other]), numbers_of(frame.iloc[:, i])):
            raise UnclearColumnsError(f"{names[other]!r} and {name!r} are a bid and an offer of one instrument", names)


def _quoted_instrument(name: str) -> str | None:
    """Return the instrument in a name that begins or ends with a word for quotes, such as "EURUSD_bid"; else None.

    >>> [_quoted_instrument(name) for name in ("EURUSD_bid", "ask EURUSD", "EURUSDBidPrice", "Bid", "AMBID")]
    ['eurusd', 'eurusd', 'eurusd', None, None]
    """
    text = JOINTS.sub(" ", name)
    words = plain_name(text).split()
    for n in range(min(2, len(words) - 1), 0, -1):
        for part, rest in ((words[-n:], words[:-n]), (words[:n], words[n:])):
            if kind_of(" ".join(part)) == QUOTE:
                return " ".join(rest)
    return None


def _split_label(words: list[str], at: int, glue: str) -> tuple[str, str] | None:
    """Return the field and the ticker among the words of a name, the field first (0) or last (-1); None without both.

    The words of a ticker are joined by `glue`.
    """
    for n in (2, 1):
        if len(words) <= n:
            continue
        field, rest = (words[:n], words[n:]) if at == 0 else (words[-n:], words[:-n])
        kind, ticker = kind_of(" ".join(field)), glue.join(rest)
        if kind is not None and kind not in (FURTHER, QUOTE) and kind_of(ticker) in (None, "Open", "High", "Low"):
            return kind, ticker
    return None


def _split_levels(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return one wide table per field of (field, ticker) columns."""
    level = _field_level(frame.columns)
    values = [str(value) for value in frame.columns.get_level_values(level)]
    unique = list(dict.fromkeys(values))
    try:
        canonical = dict(zip(unique, assign_fields(unique), strict=True))
    except ValueError as error:
        raise UnclearColumnsError(str(error), unique) from None
    known = [canonical[value] for value in values]
    tickers = frame.columns.get_level_values(1 - level)
    tables = {}
    for field in dict.fromkeys(known):
        part = frame if set(known) == {field} else frame.loc[:, [name == field for name in known]]
        tables[field] = part.set_axis([t for t, name in zip(tickers, known, strict=True) if name == field], axis=1)
        tables[field].attrs = dict(frame.attrs)
    return tables


def _field_level(columns: pd.MultiIndex) -> int:
    """Return which of two levels of column labels contains the fields."""
    for level in (0, 1):
        kinds = {kind_of(str(value)) for value in columns.get_level_values(level).unique()}
        if columns.names[level] == "Price" or kinds & {*CLOSES, "Adj Close"}:
            return level
    raise ValueError(f"two-level columns need Close or Adj Close in one level; got {list(columns[:3])} …")


def _pivot(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a long table as a wide one."""
    if frame["unique_id"].isna().any():
        raise ValueError(f"{int(frame['unique_id'].isna().sum())} rows have no unique_id: name the series of each row")
    check_unique(frame[["y"]].set_axis(frame["ds"], axis=0), frame["unique_id"].to_numpy(), "unique_id")
    wide = frame.pivot(index="ds", columns="unique_id", values="y").rename_axis(index=None, columns=None)
    wide.attrs = dict(frame.attrs)
    return wide


# --- a wide table ----------------------------------------------------------------------------------------------------


def _split_by_values(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return a wide table without the columns that are no series, or the bars that its numbers are.

    A table that was read before keeps all its series: which ones they are does not depend on the rows that remain.
    """
    names = [str(name) for name in frame.columns]
    left_out = _find_left_out(frame, names)
    remaining = [i for i in range(len(names)) if i not in left_out]
    if left_out and {kind_of(names[i]) for i in remaining} <= {"Open", "High", "Low"}:
        raise UnclearColumnsError("it is not clear which column is the close", names)
    if "field" not in frame.attrs:
        if (bars := _bars_bynumbers_of(frame, remaining)) is not None:
            return _instrument(frame, _fields_of_bars(names, bars), how=", by the values of the columns")
        check_columns(frame, remaining)
    if not left_out:
        return {"y": frame}
    table = frame.iloc[:, remaining]
    notes = [f"the column {names[i]!r} {reason} and is left out" for i, reason in sorted(left_out.items())]
    _add_notes(table, frame, notes)
    warn("; ".join(notes), PricesWarning)
    return {"y": table}


def _find_left_out(frame: pd.DataFrame, names: list[str]) -> dict[int, str]:
    """Return the positions of the columns that are no series, with the reason; some columns remain."""
    left_out = {}
    if "field" not in frame.attrs:
        contents = [_describe_values(column, frame.index) for _, column in frame.items()]
        others = [i for i, content in enumerate(contents) if content is None]
        left_out = {
            i: content.reason
            for i, content in enumerate(contents)
            if content is not None and (content.is_certain or not is_like_others(frame, i, others))
        }
    if len(left_out) == len(names):
        return {}
    others = [i for i in range(len(names)) if i not in left_out]
    by_name = {i: "is no price" for i in others if _is_no_price(frame, i, names[i])}
    has_close = any(kind_of(names[i]) in CLOSES for i in others)
    empty = [i for i in others if i not in by_name and frame.iloc[:, i].isna().all()]
    by_name |= {i: "is empty" for i in empty if has_close or kind_of(names[i]) == FURTHER}
    return left_out | by_name if len(by_name) < len(others) else left_out


def is_row_number(column: pd.Series) -> bool:
    """Return whether numbers count the rows from 0 or 1, in any order."""
    if not pd.api.types.is_numeric_dtype(column) or len(column) < 2:
        return False
    counts = np.arange(len(column)) + (column.min() > 0)
    return bool(np.array_equal(np.sort(column.to_numpy(dtype=float)), counts))


def _describe_values(column: pd.Series, index: pd.Index) -> Content | None:
    """Return what a column contains if its values are no series, else None."""
    if ROW_NUMBERS.fullmatch(str(column.name)) and is_row_number(column):
        return Content(f"counts rows ({column.iloc[0]:g} to {column.iloc[-1]:g})", True)
    if column.dtype != np.float64 and has_only_text(column):
        value = column.dropna().iloc[0]
        return Content(f"contains {repr(value) if isinstance(value, str) else format_date(value)}", True)
    return describe_left_out(numbers_of(column), index)


def _is_no_price(frame: pd.DataFrame, position: int, name: str) -> bool:
    """Return whether a column is no price by its name, or by one word of its name and its values."""
    kind = kind_of(name)
    if kind not in (FURTHER, QUOTE, "Volume", "Adj Volume") or is_like_ticker(name):
        return False
    if kind == "Volume" or is_listed(name):
        return True
    changes = describe_changes(numbers_of(frame.iloc[:, position]))
    return changes.is_volume or changes.is_return


def has_only_text(column: pd.Series) -> bool:
    """Return whether a column has values and none of them is a number, not even in a form that is not read."""
    cells = column.dropna()
    if cells.empty or pd.api.types.is_bool_dtype(cells) or pd.api.types.is_datetime64_any_dtype(cells):
        return not cells.empty
    if pd.api.types.is_numeric_dtype(cells) or pd.to_numeric(cells, errors="coerce").notna().any():
        return False
    return not any(LIKE_NUMBER.fullmatch(str(cell)) for cell in cells.unique()[:MAX_SAMPLED])


def _bars_bynumbers_of(frame: pd.DataFrame, candidates: list[int]) -> BarColumns | None:
    """Return the columns that are bars by their numbers; raise where there are several choices."""
    if not 4 <= len(candidates) <= 24:
        return None
    found = find_bars(sorted_values(frame, candidates))
    if not found:
        return None
    names = [str(frame.columns[i]) for i in candidates]
    if len(found) > 1:
        raise UnclearColumnsError("several columns look like the bars of one instrument", names)
    return BarColumns(*(candidates[i] for i in found[0]))


def _fields_of_bars(names: list[str], bars: BarColumns) -> list[str]:
    fields = [name if name not in BARS else f"{name} (as named)" for name in names]
    for field, i in zip(BARS, bars, strict=True):
        fields[i] = field
    return fields
