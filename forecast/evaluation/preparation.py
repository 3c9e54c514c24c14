"""A preparation of raw prices, and which of its rows are past at a cutoff, whatever rows it drops or renames."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from forecast._text import list_names
from forecast.data.future import FutureInputs
from forecast.data.panel import Panel, Prices, as_panel
from forecast.data.row_labels import format_date
from forecast.data.series import PricesWarning
from forecast.evaluation.perturbation import FACTOR, Change, change_rows, number_series
from forecast.evaluation.text import join_names

PERIODS = ("Y", "Q", "M", "W", "D")  # calendar periods, the longest first; weeks start on Monday
WEEK = pd.Timedelta(days=7)
ROUNDING = 1e-9  # of a column's largest value: means of the same rows may differ in the last digits
NEAR = 0.75  # a share of the past: a change of rows behind it only is near the cutoff

HINTS = {
    "series": "look for columns that are chosen or dropped by later values (dropna(axis=1), nlargest, count)",
    "rows": "look for rows that are dropped or chosen by later values",
    "near": "look for shift(-1), a centred window, bfill or interpolate",
    "all": "look for a mean, scale, rank, threshold or fit over all rows",
    "input": "an input must be the value that was known at the cutoff, in a raw column of the same name",
}


class Difference(NamedTuple):
    """How prepared rows up to a cutoff differ after a change of later raw rows: what changed, and what to look for."""

    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.what}; {HINTS[self.hint]}"


@dataclass(frozen=True)
class Preparation:
    """A raw table, the function that prepares it, and the prepared panel.

    A prepared row is past when the raw rows that its label stands for are. A raw label, or the end of a period, stands
    for the raw rows up to it. The start of a period of several raw rows, the last of which matters to the prepared row,
    stands for the rows of this period. Where labels are lost (`to_numpy`), a row stands for as many raw rows as it
    takes to make it. Which columns are series is decided once, on the prices as they are.
    """

    frame: pd.DataFrame
    prepare: Callable[[pd.DataFrame], Prices]
    exog: tuple[str, ...]
    future: tuple[str, ...] = ()  # those of them that are known before their row

    def __call__(self, frame: pd.DataFrame) -> Panel:
        """Return the prepared panel of a changed raw table, whose columns are read like those of the original."""
        prepared = self.prepare(frame.copy())
        if isinstance(prepared, pd.DataFrame) and self._left_out is not None:
            prepared = prepared.drop(columns=[name for name in prepared if str(name) in self._left_out])
            prepared.attrs.setdefault("field", "y")  # all columns are series, whatever the changed values are like
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PricesWarning)
            return as_panel(prepared, exog=self.exog, future=self.future)

    @cached_property
    def _original(self) -> Any:
        return self.prepare(self.frame.copy())

    @cached_property
    def panel(self) -> Panel:
        """The prepared panel of the raw table."""
        return as_panel(self._original, exog=self.exog, future=self.future)

    @cached_property
    def _all_rows(self) -> Panel:
        """The prepared panel with the rows after the last price."""
        return _with_later_rows(self.panel)

    @cached_property
    def is_input(self) -> np.ndarray:
        """Which raw columns are declared as known before their row, by name, (columns,)."""
        columns, names = self.frame.columns, set(self.future)
        levels = [columns.get_level_values(level) for level in range(columns.nlevels)]
        return np.any([[str(name) in names for name in level] for level in levels], axis=0)

    def change(self, rows: int, change: Change, frame: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return the raw table with its rows after the first `rows` changed, but for what is declared as known."""
        return change_rows(self.frame if frame is None else frame, rows, change, self.is_input, self._series)

    @cached_property
    def _series(self) -> np.ndarray:
        """The number of the series of each raw column that is no input, on the prices as they are."""
        return number_series(self.frame.loc[:, ~self.is_input])

    @cached_property
    def _left_out(self) -> frozenset[str] | None:
        """The columns of the prepared table that are no series by their values; None if it is no wide table."""
        if not isinstance(self._original, pd.DataFrame) or self.panel.channels[0] != "y":
            return None
        names = frozenset(map(str, self._original.columns)) - set(self.panel.channels)
        return names - set(self.panel.series) if set(self.panel.series) <= names else None

    @cached_property
    def has_labels(self) -> bool:
        """Whether the prepared rows have the labels of raw rows or periods, not mere numbers from 0."""
        index, raw = self._all_rows.index, _labels(self.frame)
        if isinstance(index, pd.DatetimeIndex) != isinstance(raw, pd.DatetimeIndex):
            return False
        return index.equals(raw) or not index.equals(pd.RangeIndex(len(index)))

    @property
    def can_be_extended(self) -> bool:
        """Whether raw rows can be appended, with labels that continue and by which prepared rows are found."""
        labels = self.frame.index
        return self.has_labels and (isinstance(labels, pd.DatetimeIndex) or pd.api.types.is_numeric_dtype(labels))

    @cached_property
    def period_ends(self) -> np.ndarray | None:
        """The number of raw rows up to the end of each label's period, if labels are the starts of periods."""
        if not self.has_labels or not isinstance(self.panel.index, pd.DatetimeIndex):
            return None
        raw, index = _wall_clock(_labels(self.frame)), _wall_clock(self.panel.index)
        for starts, ends in _periods(index):
            first, own, last = (raw.searchsorted(labels) for labels in (starts, index, ends))
            if (first == own).all() and np.median(last - own) >= 2:
                rows = range(len(index) // 2, len(index) - 1)[:3]
                return last if any(self._uses_raw_row(row, int(last[row]) - 1) for row in rows) else None
        return None

    def _uses_raw_row(self, row: int, raw_row: int) -> bool:
        """Return whether a prepared row changes with one raw row."""
        for factor in (FACTOR, 1 / FACTOR):
            changed = self.frame.copy()
            changed.iloc[raw_row] *= factor
            after = _with_later_rows(self(changed))
            if len(after) > row and not np.array_equal(after.values[row], self.panel.values[row], equal_nan=True):
                return True
        return False

    def raw_rows(self, row: int) -> int:
        """Return the number of raw rows that are past when a prepared row is the newest."""
        if self.period_ends is not None:
            return int(self.period_ends[row])
        if self.has_labels:
            raw, index = _labels(self.frame), self.panel.index
            if isinstance(index, pd.DatetimeIndex):
                raw, index = _wall_clock(raw), _wall_clock(index)
            return int(raw.searchsorted(index[row], side="right"))
        rows, from_end = len(self._all_rows), len(self.frame) - (len(self._all_rows) - 1 - row)
        if rows in (self._length(max(3 * len(self.frame) // 4, rows)), len(self.frame)):  # a fixed number, or all rows
            return from_end
        low, high = 0, len(self.frame)  # the largest number of raw rows from which no later row is made
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._length(middle) <= row + 1 else (low, middle - 1)
        return low

    def _length(self, rows: int) -> int:
        """Return the number of rows prepared from the first raw rows, 0 if they are too few."""
        try:
            return len(_with_later_rows(self(self.frame.iloc[:rows])))
        except Exception:
            return 0

    def describe(self) -> str:
        """Return how prepared rows are matched with raw rows."""
        if self.period_ends is not None:
            row = len(self.panel) // 2
            last = format_date(self.frame.index[self.period_ends[row] - 1])
            label = format_date(self.panel.index[row])
            return f"a row has the label of its period's start: {label} holds raw rows up to {last}, and is known then"
        if self.has_labels:
            return "a row is known at its label"
        return "labels are lost: a row is known once there are enough raw rows to make it"

    def difference(self, before: Panel, after: Panel, row: int, resized: bool = False) -> Difference | None:
        """Return how the rows up to a row of the panel differ; `resized` if raw rows were removed or appended."""
        before, after = _with_later_rows(before), _with_later_rows(after)
        old, new = self._past(before, row), after if resized and not self.has_labels else self._past(after, row)
        if old.channels != new.channels:
            return Difference(f"the fields are {join_names(new.channels)}, not {join_names(old.channels)}", "series")
        if resized:  # a preparation may start at a later row where there are more rows
            if not len(old) or not len(new):
                return None
            old, new = self._common_rows(old, new)
        missing = [name for name in _observed(old) if name not in new.series]
        missing += [name for name in _observed(new) if name not in old.series]
        if missing:
            return Difference(f"the set of series changes by {list_names(missing)}", "series")
        if len(old) != len(new) or (self.has_labels and not old.index.equals(new.index)):
            changed = old.index.symmetric_difference(new.index)
            which = f": {format_date(changed[0])}" if len(changed) and self.has_labels else ""
            return Difference(f"other rows up to the cutoff are prepared{which}", "rows")
        return _difference_of_values(old, new)

    def difference_of_inputs(self, after: Panel, row: int, horizon: int) -> Difference | None:
        """Return how what is known of the H rows after a row differs, where later prices were changed; None if not."""
        if not self.future:
            return None
        before, known = (panel.known(self.future) for panel in (self.panel, self.aligned(after)))
        rows = slice(row + 1, row + 1 + horizon)
        a, b = before.values[rows], known.values[rows]
        limit = ROUNDING * np.nanmax(np.abs(a), axis=0, initial=0.0)
        differs = ~np.isnan(a) & ~(np.abs(a - b) <= limit)
        if not differs.any():
            return None
        step, _, channel = np.argwhere(differs)[0]
        where = f"the input {self.future[channel]} of {format_date(before.index[row + 1 + step])}"
        return Difference(f"{where} changes with prices after the cutoff, although it is declared as known", "input")

    def _past(self, panel: Panel, row: int) -> Panel:
        """Return the rows of a prepared panel up to a row of the original one."""
        if not self.has_labels:
            return panel[: row + 1]
        return panel[: panel.index.searchsorted(self.panel.index[row], side="right")]

    def _common_rows(self, a: Panel, b: Panel) -> tuple[Panel, Panel]:
        """Return the rows of two panels in the range of labels that both have; without labels, as many newest rows."""
        if not self.has_labels:
            rows = min(len(a), len(b))
            return a[len(a) - rows :], b[len(b) - rows :]
        first, last = max(a.index[0], b.index[0]), min(a.index[-1], b.index[-1])
        parts = [panel[slice(*panel.index.slice_locs(first, last))] for panel in (a, b)]
        return parts[0], parts[1]

    def aligned(self, panel: Panel, past: Panel | None = None, row: int = -1) -> Panel:
        """Return a panel with the rows and series of the original one, NaN where it has none.

        Its rows up to `row` are those of `past`, from which they differ by rounding at most.
        """
        panel, original = _with_later_rows(panel), self._all_rows
        series = pd.Index(panel.series).get_indexer(list(original.series))
        rows = np.arange(len(original))
        rows = panel.index.get_indexer(original.index) if self.has_labels else np.where(rows < len(panel), rows, -1)
        values = np.array(panel.values[rows][:, series], order="C")  # as in the original: sums round alike
        values[rows < 0] = np.nan
        values[:, series < 0] = np.nan
        if past is not None:
            values[: row + 1] = past.values[: row + 1]
        values.setflags(write=False)
        future = None
        if original.future is not None:
            channels = [original.channels.index(name) for name in original.future.names]
            future = FutureInputs(original.future.names, values[:, :, channels], original.index)
        n = len(self.panel)
        return replace(original, cells=values[:n], index=original.index[:n], future=future)


def _with_later_rows(panel: Panel) -> Panel:
    """Return a panel with the rows after its last one, of which the inputs are known and nothing else is."""
    if panel.future is None:
        return panel
    values = np.full((len(panel.future), *panel.values.shape[1:]), np.nan)
    values[: len(panel)] = panel.values
    channels = [panel.channels.index(name) for name in panel.future.names]
    values[:, :, channels] = panel.future.values
    return replace(panel, cells=values, index=panel.future.index)


def _labels(frame: pd.DataFrame) -> pd.Index:
    """Return the labels of rows as a panel has them."""
    return as_panel(pd.Series(0.0, index=frame.index)).index


def _wall_clock(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return index.tz_localize(None)


def _periods(index: pd.DatetimeIndex) -> Iterator[tuple[pd.DatetimeIndex, pd.DatetimeIndex]]:
    """Yield the start and the end of the period of each label, for each kind of period with one label each."""
    for kind in PERIODS:
        periods = index.to_period(kind)
        if periods.is_unique:
            yield periods.start_time, (periods + 1).start_time
    spacing = (index[1:] - index[:-1]).min() if len(index) > 1 else WEEK
    if spacing < WEEK and not ((index - index[0]) % spacing).any():
        yield index, index + spacing


def _observed(panel: Panel) -> list[str]:
    """Return the series with a value."""
    seen = ~np.isnan(panel.values).all(axis=(0, 2))
    return [name for name, has_value in zip(panel.series, seen, strict=True) if has_value]


def _difference_of_values(old: Panel, new: Panel) -> Difference | None:
    """Return the first change of a value beyond rounding, None if there is none."""
    names = _observed(old)
    a, b = (panel.values[:, pd.Index(panel.series).get_indexer(names)] for panel in (old, new))
    limit = ROUNDING * np.nanmax(np.abs(a), axis=0, initial=0.0)
    same = (np.isnan(a) & np.isnan(b)) | (a == b)
    same |= np.abs(np.where(same, 0.0, a) - np.where(same, 0.0, b)) <= limit
    if same.all():
        return None
    row, n, channel = np.argwhere(~same)[0]
    where = (
        f"{names[n]} at {format_date(old.index[row])}"
        if len(old.channels) == 1
        else (f"{old.channels[channel]} of {names[n]} at {format_date(old.index[row])}")
    )
    is_near = row > NEAR * len(old)
    return Difference(
        f"{where} was {a[row, n, channel]:.6g}, becomes {b[row, n, channel]:.6g}", "near" if is_near else "all"
    )
