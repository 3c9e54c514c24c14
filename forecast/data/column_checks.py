"""Questions about the columns of a wide table: which are computed from others, flags, ids or of another kind."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecast.data.csv.long_tables import ID_NAMES
from forecast.data.derived import find_derived, is_indicator, moves_with_another
from forecast.data.fields import CLOSES, FURTHER, WEAK_CLOSES, is_like_ticker, kind_of, plain_name
from forecast.data.kinds import describe_changes, find_other_kind, has_few_values, is_growing, is_ordered
from forecast.data.relations import distinct_columns, find_relations
from forecast.data.rolling import find_window

#: Words that name a count or a part of the date.
IDENTIFIER = re.compile(
    r"\b(no|nr|num|number|id|row|rows|key|seq|sequence|counter|code|flag|unnamed|step|year|month|week|day|days|date|dte)\b"
)
CALLED_A_PRICE = "is called a price, and the others are not"
MIN_LIKE = 3  # columns of a table of many that are alike, without the one in question
MAX_LISTED = 12  # columns that a message lists
SAMPLED_ROWS = 300  # rows of a wider table that are looked at
MAX_HELD = 0.5  # of the rows in which a ticker has the price of the row before
MAX_DERIVED = 100  # columns that are compared with each other
MIN_ALIKE = 0.8  # of the columns of a wider table: the others are then questions


class UnclearColumnsError(ValueError):
    """Several columns may be what is to be forecast; the message lists them and the arguments that choose.

    `are_fields` is whether the columns are fields of several series, of which one is forecast.
    """

    def __init__(self, reason: str, names: Sequence[str], are_fields: bool = False) -> None:
        # The column in question is no example, unless the question is whether it alone is a price.
        others = [name for name in names if CALLED_A_PRICE in reason or not reason.startswith(repr(name))]
        may_be = [str(name) for name in others if _may_be_price(str(name))]
        may_be = sorted(may_be, key=lambda name: kind_of(name) not in CLOSES)
        listed = ", ".join(map(repr, names[:MAX_LISTED])) + (" …" if len(names) > MAX_LISTED else "")
        choice = "target must name the one to forecast, or columns must list several"
        if may_be:
            several = f", or several with columns={may_be[:2]}" if len(may_be) > 1 else "; columns must list several"
            choice = f"choose one to forecast with target={may_be[0]!r}{'' if are_fields else several}"
        super().__init__(f"{reason}; the columns are {listed}: {choice}")


class ComputedColumnError(UnclearColumnsError):
    """Columns are computed from others; the message has the arguments that choose the others, or one of them alone."""

    def __init__(self, reason: str, names: Sequence[str], computed: Sequence[str]) -> None:
        others = [name for name in names if name not in computed]
        if not 1 < len(others) <= MAX_DERIVED:
            super().__init__(reason, names)
            return
        choice = f"the others with columns={others}, or it alone with target={computed[0]!r}"
        ValueError.__init__(self, f"{reason}: forecast {choice}")


def _may_be_price(name: str) -> bool:
    """Return whether the name of a column does not show that it is no price to forecast."""
    is_other = kind_of(name) in (FURTHER, "Open", "High", "Low", "Volume", "Adj Volume")
    return not is_other and plain_name(name) not in ID_NAMES


def check_columns(frame: pd.DataFrame, positions: list[int]) -> None:
    """Raise UnclearColumnsError where some columns of a wide table may be no series to forecast.

    Of more than twelve columns nearly all must look like prices for a different one to be a question.
    """
    if len(positions) < 2:
        return
    _check_names(frame, positions)
    columns = _Columns([str(frame.columns[i]) for i in positions], [numbers_of(frame.iloc[:, i]) for i in positions])
    if len(positions) <= MAX_DERIVED:
        values = sorted_values(frame, positions)
        _check_values(columns.names, values)
        _check_indicators(columns, values)
    else:
        check_computed(frame, positions)
    n_prices = sum(changes.is_price for changes in columns.changes)
    if n_prices and (len(positions) <= MAX_LISTED or n_prices >= MIN_ALIKE * len(positions)):
        _check_one_kind(columns)
        _check_identifiers(frame, positions, columns)


class _Columns:
    """The names of columns, their numbers, and how each moves."""

    def __init__(self, names: list[str], values: list[np.ndarray]) -> None:
        self.names, self.values = names, values
        self.changes = [describe_changes(column) for column in values]


def is_like_others(frame: pd.DataFrame, i: int, others: list[int]) -> bool:
    """Return whether a column is one of many that are alike: several others, between whose values its own lie."""
    if len(others) < MIN_LIKE or IDENTIFIER.search(plain_name(str(frame.columns[i]))):
        return False
    values = frame.iloc[:, others].apply(pd.to_numeric, errors="coerce")
    return bool(values.min().min() <= np.nanmedian(numbers_of(frame.iloc[:, i])) <= values.max().max())


def _check_names(frame: pd.DataFrame, positions: list[int]) -> None:
    """Raise UnclearColumnsError where one column is called a price, and the others are not."""
    names = [str(frame.columns[i]) for i in positions]
    closes = [name for name in names if kind_of(name) in CLOSES]
    strong = [name for name in closes if kind_of(name) not in WEAK_CLOSES and not is_like_ticker(name)]
    if len(strong) == 1 and len(closes) == 1:
        raise UnclearColumnsError(f"{strong[0]!r} {CALLED_A_PRICE}", names)


def check_computed(frame: pd.DataFrame, positions: list[int]) -> None:
    """Raise UnclearColumnsError if one of some columns is computed from others of them."""
    if len(positions) > MAX_DERIVED:  # few rows show a total, and a copy of all would be large
        frame = frame.iloc[np.unique(np.linspace(0, len(frame) - 1, SAMPLED_ROWS).astype(int))]
    if len(positions) > 1:
        _check_values([str(frame.columns[i]) for i in positions], sorted_values(frame, positions))


def _check_values(names: list[str], values: np.ndarray) -> None:
    """Raise ComputedColumnError if columns of a table (T, N), oldest row first, are computed from others of it.

    A column that is another one on another scale or level is a series: `check_prices` names it.
    """
    computed: dict[str, str] = {}  # each with the reason
    while len(computed) < MAX_LISTED:
        others = [i for i, name in enumerate(names) if name not in computed]
        others = [others[k] for k in distinct_columns(values[:, others])]
        found = _find_computed([names[i] for i in others], values[:, others], len(names) <= MAX_DERIVED)
        if found is None:
            break
        computed[found[0]] = f"{found[0]!r} is computed from {found[1]}"
    if computed:
        raise ComputedColumnError(next(iter(computed.values())), names, list(computed))


def _find_computed(names: list[str], values: np.ndarray, seeks_single: bool) -> tuple[str, str] | None:
    """Return a column of a table (T, N) that is computed from others of it, and from which and how; None without one.

    `seeks_single` is whether a column may be computed from a single other one.
    """
    if seeks_single:
        for derived, (source, how) in find_derived(values).items():
            return names[derived], f"{names[source]!r} ({how})"
        if (window := find_window(values)) is not None:
            return names[window.column], f"{names[window.source]!r} ({window.how})"
    for relation in find_relations(values):
        column, *sources = (names[i] for i in (relation.column, *relation.sources))
        if not relation.is_series and not _are_cross_rates([column, *sources]):
            listed = ", ".join(map(repr, sources[:MAX_LISTED])) + (" …" if len(sources) > MAX_LISTED else "")
            return column, f"{listed} ({relation.how})"
    return None


def _check_indicators(columns: _Columns, values: np.ndarray) -> None:
    """Raise UnclearColumnsError if a column has the name of an indicator, a figure, a target or a forecast.

    `values` are all columns (T, N), oldest row first.
    """
    names = columns.names
    named = [i for i, name in enumerate(names) if is_indicator(name)]
    others = [i for i in range(len(names)) if i not in named]
    prices = [i for i in others if columns.changes[i].is_price] if others else named
    for i in named if prices else ():
        may_be_ticker = re.fullmatch("[A-Z]{1,5}", names[i]) is not None and len(names) > 2
        is_held = (np.diff(values[:, i]) == 0).mean() > MAX_HELD  # as a company's figure is until the next report
        if not may_be_ticker or is_held or not columns.changes[i].is_price or moves_with_another(values, i):
            next_to = f"{names[prices[0]]!r}" if others else "others"
            raise UnclearColumnsError(
                f"{names[i]!r} is called an indicator, a company's figure or a target, next to {next_to}", names
            )


def _are_cross_rates(names: list[str]) -> bool:
    """Return whether names are those of three exchange rates, each of which follows from the others on a market.

    >>> _are_cross_rates(["EURUSD", "USD/JPY", "EURJPY=X"]), _are_cross_rates(["AAPL", "MSFT", "AAPL/MSFT"])
    (True, False)
    """
    if len(names) != 3:
        return False
    words = [re.sub(r"[^A-Z]", "", name.upper().removesuffix("=X")) for name in names]
    pairs = [{frozenset((word[:n], word[n:])) for n in range(3, len(word) - 2)} for word in words]
    return any(
        len(first) == len(second) == len(first & second) + 1 == 2 and first ^ second in pairs[2]
        for first in pairs[0]
        for second in pairs[1]
    )


def _check_one_kind(columns: _Columns) -> None:
    """Raise UnclearColumnsError if some columns are prices and others volumes or returns."""
    other = find_other_kind(columns.changes)
    if other is not None:
        name, kind = columns.names[other[0]], other[1]
        raise UnclearColumnsError(f"{name!r} looks like {kind}, next to columns that look like prices", columns.names)


def _check_identifiers(frame: pd.DataFrame, positions: list[int], columns: _Columns) -> None:
    """Raise UnclearColumnsError if a column is whole numbers as no price has them, next to columns like prices."""
    n = range(len(positions))
    few = {i: "has only a few different values" for i in n if has_few_values(columns.values[i])}
    ordered = {i: "rises or falls in every row" for i in n if i not in few and is_ordered(columns.values[i])}
    others = [i for i in n if i not in few and i not in ordered]
    if not any(columns.changes[i].is_price for i in others):
        return
    if any(is_growing(columns.values[i]) for i in others):
        ordered = {}  # a population next to a price level
    for i, reason in {**few, **ordered}.items():
        is_flag = np.isin(columns.values[i], (-1, 0, 1)).all()
        if is_flag or not is_like_others(frame, positions[i], [positions[j] for j in others]):
            raise UnclearColumnsError(
                f"{columns.names[i]!r} {reason}, in whole numbers, next to columns that look like prices", columns.names
            )


def sorted_values(frame: pd.DataFrame, positions: list[int]) -> np.ndarray:
    """Return the numbers of some columns (T, N), oldest row first."""
    labels = frame.index if pd.api.types.is_numeric_dtype(frame.index) else pd.to_datetime(frame.index, errors="coerce")
    order = np.argsort(labels.to_numpy(), kind="stable")
    return np.column_stack([numbers_of(frame.iloc[:, i])[order] for i in positions])


def numbers_of(column: pd.Series) -> np.ndarray:
    """Return a column's numbers (T,), NaN for anything else."""
    if column.dtype == np.float64:
        return column.to_numpy()
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
