"""The door: prices in whatever shape people keep them become one checked, frozen array."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

#: Column names of price tables, by their lower-case spelling.
FIELDS = {
    "open": "Open",
    "high": "High",
    "low": "Low",
    "close": "Close",
    "adj close": "Adj Close",
    "adj_close": "Adj Close",
    "adjclose": "Adj Close",
    "adjusted close": "Adj Close",
    "volume": "Volume",
}
TARGETS = ("Adj Close", "Close")
LONG = ("unique_id", "ds", "y")


@dataclass(frozen=True, eq=False)
class Panel:
    """All series side by side, oldest row first, as every model reads them.

    `values` is (T, N, C) float64 and read-only; channel 0 is the target; NaN means that the series did not trade in
    that row. `index` (T,) holds labels only: a step is a row. Slicing by rows gives a view and is the one way to hide
    the future: ``panel[: cutoff + 1]`` has no later row in it. `attrs` are the table's own: where the prices are from.

    >>> panel = fc.as_panel(fc.load_sample("stocks"))
    >>> panel.values.shape, len(panel[:100])
    ((3270, 4, 1), 100)
    """

    values: np.ndarray
    index: pd.Index
    series: tuple[str, ...]
    channels: tuple[str, ...] = ("y",)
    attrs: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __getitem__(self, rows: slice) -> Panel:
        """Give the panel of these rows, without copying."""
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise TypeError(f"a Panel is cut by a slice of rows, such as panel[:100]; got {rows!r}")
        return Panel(self.values[rows], self.index[rows], self.series, self.channels, self.attrs)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def target(self) -> np.ndarray:
        """The target of every series, (T, N)."""
        return self.values[:, :, 0]

    @property
    def observed(self) -> np.ndarray:
        """Where the target traded, (T, N) of bool."""
        return ~np.isnan(self.target)

    def missing(self) -> pd.Series:
        """Count, for each series, the rows without a target between its first and its last trade."""
        counts = []
        for seen in self.observed.T:
            rows = np.flatnonzero(seen)
            counts.append(int(rows[-1] - rows[0] + 1 - len(rows)) if len(rows) else 0)
        return pd.Series(counts, index=list(self.series), name="missing")

    def __repr__(self) -> str:
        span = f"{format_date(self.index[0])} to {format_date(self.index[-1])}" if len(self) else "empty"
        return f"Panel({len(self)} rows, {span}; {len(self.series)} series; channels {', '.join(self.channels)})"


def as_panel(prices: Any, *, target: str | None = None, exog: Sequence[str] = (), how: str = "all") -> Panel:
    """Check prices once, at the door, and freeze them.

    `prices` may be a wide DataFrame (a row per date, a column per ticker), a DataFrame with (field, ticker) columns as
    yfinance gives it, one ticker's Open/High/Low/Close table, a long table with the columns unique_id, ds and y, a
    Series, an array (T,) or (T, N), or a mapping of name to values (without dates: aligned at the end). A Panel passes
    through. `target` names the field to forecast (default: Adj Close if there, else Close); `exog` names further
    fields that a model may read. Rows are sorted by date; `how` "common" keeps those where every series has a target,
    "all" keeps all of them, with NaN where a series did not trade. Raises TypeError or ValueError that says what is
    wrong: dates that repeat or cannot be read, text or infinity among the prices, nothing observed at all.

    >>> fc.as_panel(np.array([[1.0, 10.0], [2.0, np.nan], [3.0, 30.0]])).observed.tolist()
    [[True, True], [True, False], [True, True]]
    """
    if how not in ("all", "common"):
        raise ValueError(f"how must be 'all' or 'common'; got {how!r}")
    if isinstance(prices, Panel):
        if target not in (None, prices.channels[0]) or any(name not in prices.channels for name in exog):
            raise ValueError(f"this Panel has the channels {', '.join(prices.channels)}: make it anew from the prices")
        return _common(prices) if how == "common" else prices
    if isinstance(exog, str):
        raise TypeError(f"exog must be a list of fields, such as [{exog!r}]; got {exog!r}")
    frame = _as_frame(prices)
    fields = split_fields(frame)
    chosen = _choose_target(fields, target)
    wide = fields[chosen]
    names = tuple(str(name) for name in wide.columns)
    repeated = [name for i, name in enumerate(names) if name in names[:i]]
    if repeated:
        raise ValueError(f"the column {repeated[0]!r} appears more than once: give each series its own name")
    index, order = _sorted_index(wide.index)
    values = np.empty((len(wide), len(names), 1 + len(exog)))  # (T, N, C), the one copy that is made
    _fill(values[:, :, 0], wide, chosen, order)
    for c, field in enumerate(exog, start=1):
        if field not in fields:
            raise ValueError(f"there is no field {field!r} to read as exog; the prices have {', '.join(fields)}")
        if fields[field].columns.has_duplicates:
            raise ValueError(f"a ticker appears more than once in the field {field!r}: give each series its own name")
        _fill(values[:, :, c], fields[field].reindex(columns=wide.columns), field, order)
    if np.isnan(values[:, :, 0]).all():
        raise ValueError("the prices hold no observed value at all: every cell of the target is empty")
    values.setflags(write=False)
    panel = Panel(values, index, names, (chosen, *exog), dict(getattr(prices, "attrs", {})))
    return _common(panel) if how == "common" else panel


def _common(panel: Panel) -> Panel:
    """Keep the rows where every series has a target."""
    rows = panel.observed.all(axis=1)
    if not rows.any():
        raise ValueError("there is no row where every series has a value: leave some series out, or take how='all'")
    if rows.all():
        return panel
    values = panel.values[rows]
    values.setflags(write=False)
    return Panel(values, panel.index[rows], panel.series, panel.channels, panel.attrs)


def format_date(value: Any) -> str:
    """Write a date without its midnight, anything else as it is."""
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return value.strftime("%Y-%m-%d")
    return str(value)


def split_fields(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Take a price table of any known shape apart into wide tables, one for each field ("y" where it has no name)."""
    if frame.columns.nlevels == 2:
        for level in (0, 1):
            known = [_field(name) for name in frame.columns.get_level_values(level)]
            if frame.columns.names[level] == "Price" or any(name in TARGETS for name in known):
                columns = frame.columns.get_level_values(1 - level)
                return {
                    field: (
                        frame if set(known) == {field} else frame.loc[:, [name == field for name in known]]
                    ).set_axis([c for c, name in zip(columns, known, strict=True) if name == field], axis=1)
                    for field in dict.fromkeys(known)
                }
        raise ValueError(f"two-level columns need Close or Adj Close in one level; got {list(frame.columns[:3])} …")
    if set(LONG) <= set(frame.columns):
        return {"y": _pivot(frame)}
    known = [_field(name) for name in frame.columns]
    if sum(name in FIELDS.values() for name in known) > 1 and any(name in TARGETS for name in known):
        twice = [name for i, name in enumerate(known) if name in known[:i]]
        if twice:
            raise ValueError(f"two columns are called {twice[0]}, but for upper and lower case: keep one of them")
        series = str(frame.attrs.get("ticker", "y"))
        return {field: frame.iloc[:, [i]].set_axis([series], axis=1) for i, field in enumerate(known)}
    return {"y": frame}


def _field(name: Any) -> str:
    return FIELDS.get(str(name).strip().lower(), str(name))


def _pivot(frame: pd.DataFrame) -> pd.DataFrame:
    if frame["unique_id"].isna().any():
        raise ValueError(f"{int(frame['unique_id'].isna().sum())} rows have no unique_id: name the series of each row")
    twice = frame.duplicated(["unique_id", "ds"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise ValueError(
            f"{row['unique_id']} has two values at {format_date(row['ds'])}: keep one row per unique_id and ds"
        )
    wide = frame.pivot(index="ds", columns="unique_id", values="y")
    return wide.rename_axis(index=None, columns=None)


def _as_frame(prices: Any) -> pd.DataFrame:
    if isinstance(prices, pd.DataFrame):
        frame = prices
    elif isinstance(prices, pd.Series):
        frame = prices.to_frame(prices.name if prices.name is not None else "y")
    elif isinstance(prices, Mapping):
        frame = _align_at_end(prices)
    elif isinstance(prices, np.ndarray) and prices.ndim in (1, 2):
        wide = prices[:, None] if prices.ndim == 1 else prices
        frame = pd.DataFrame(wide, columns=[f"y{i}" for i in range(wide.shape[1])] if prices.ndim == 2 else ["y"])
    else:
        raise TypeError(f"prices must be a DataFrame, Series, array (T,) or (T, N) or a mapping; got {type(prices)}")
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise ValueError(f"the prices are empty: {frame.shape[0]} rows and {frame.shape[1]} columns")
    return frame


def _align_at_end(columns: Mapping[Any, Any]) -> pd.DataFrame:
    if all(isinstance(c, pd.Series) and isinstance(c.index, pd.DatetimeIndex) for c in columns.values()):
        return pd.DataFrame(columns)  # aligned by date
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    longest = max((len(column) for column in arrays.values()), default=0)
    return pd.DataFrame({name: pd.Series(a, index=range(longest - len(a), longest)) for name, a in arrays.items()})


def _choose_target(fields: Mapping[str, pd.DataFrame], target: str | None) -> str:
    if target is not None:
        if target not in fields:
            raise ValueError(f"there is no field {target!r} to forecast; the prices have {', '.join(fields)}")
        return target
    return next((name for name in TARGETS if name in fields), next(iter(fields)))


def _fill(out: np.ndarray, wide: pd.DataFrame, field: str, order: slice | np.ndarray) -> None:
    """Put a table's numbers into an array (T, N), column by column; raises ValueError for what is no number."""
    for i, (name, column) in enumerate(wide.items()):
        where = f"the column {name!r}" + (f" of {field}" if field != "y" else "")
        kind = pd.api.types.infer_dtype(column, skipna=True)
        if kind not in (
            "floating",
            "integer",
            "mixed-integer-float",
            "decimal",
            "string",
            "mixed",
            "mixed-integer",
            "empty",
        ):
            raise ValueError(f"{where} holds {kind} values; prices must be numbers")
        numbers = pd.to_numeric(column, errors="coerce")
        text = numbers.isna() & column.notna()
        if text.any():
            row = column.index[int(np.argmax(text.to_numpy()))]
            raise ValueError(
                f"{where} holds {column[text].iloc[0]!r} at {format_date(row)}; prices must be "
                "numbers: write 1234.5 without thousands separators, or leave the cell empty"
            )
        array = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isinf(array).any():
            row = column.index[int(np.argmax(np.isinf(array)))]
            raise ValueError(
                f"{where} holds an infinite value at {format_date(row)}; leave it empty if it is not known"
            )
        out[:, i] = array[order]


def _sorted_index(index: pd.Index) -> tuple[pd.Index, slice | np.ndarray]:
    if not (isinstance(index, pd.DatetimeIndex) or pd.api.types.is_numeric_dtype(index)):
        dates = pd.to_datetime(pd.Series(index), errors="coerce")
        unread = (dates.isna() & pd.Series(index).notna()).to_numpy()
        if unread.any():
            raise ValueError(f"the row label {index[unread][0]!r} is not a date: rows need dates, or whole numbers")
        index = pd.DatetimeIndex(dates)
    if index.hasnans:
        raise ValueError(f"{int(index.isna().sum())} rows have no date: give each row one, or drop it")
    repeated = index[index.duplicated()]
    if len(repeated):
        raise ValueError(f"{format_date(repeated[0])} appears more than once among the dates: keep one row per date")
    if index.is_monotonic_increasing:
        return index, slice(None)
    order = np.argsort(index.to_numpy(), kind="stable")
    return index[order], order
