"""What is odd about prices: looked for, named and counted; nothing is repaired or filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.panel import Panel, as_panel, format_date, split_fields

STALE = 10  # equal closes in a row from which on they are worth a look
RATIOS = (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50, 100)  # of splits
NEAR = 0.02  # how near a jump must come to one of them, besides two of the series' usual changes
WILD = 10  # times the series' own median change, so that a coin's usual day is no split
SIGNED = 0.1  # share of values not above 0 from which on a series is not taken for prices
BACK = 5  # rows within which a jump that is undone was a wrong price
RARE = 0.1  # a series trades on a day of the week on which it trades so often, beside the commonest one
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, eq=False)
class PriceReport:
    """What `check_prices` found.

    `table` has a row for each series: rows, first, last, days (of the week on which it trades), missing (rows without
    a value on those days between first and last), zeros (values that are not above 0), stale (longest run of equal
    values), jumps (near a split's ratio). `findings` are (series, sentence) pairs worth a look; an empty series name
    is about all of them.
    """

    table: pd.DataFrame
    findings: list[tuple[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """Give the report as plain JSON values."""
        table = self.table.astype(object).where(self.table.notna(), None)
        return {
            "table": {str(name): {k: _plain(v) for k, v in row.items()} for name, row in table.iterrows()},
            "findings": [list(finding) for finding in self.findings],
        }

    def sentences(self) -> list[str]:
        """Give the findings as sentences, each with its series."""
        return [f"{name}: {sentence}" if name else f"All: {sentence}" for name, sentence in self.findings]

    def __str__(self) -> str:
        shown = self.table.to_string(na_rep="-", max_rows=40)
        return "\n".join([shown, "", *(self.sentences() or ["Nothing odd was found."])])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from html import escape

        said = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.sentences())
        return f"{self.table._repr_html_()}<ul>{said or '<li>Nothing odd was found.</li>'}</ul>"


def check_prices(prices: Any) -> PriceReport:
    """Look for what is odd about prices: days missing, zeros, stale runs, jumps like a split, mixed currencies.

    `prices` as for `as_panel`; with (field, ticker) columns the target is checked, and a field "Stock Splits" tells
    which jumps are splits. What a download knows (currency, time zone, notes) is read off `attrs["facts"]`. Nothing is
    changed. A jump is looked at if it is ten times the series' median change and near a split's ratio.

    >>> fc.check_prices(pd.DataFrame({"A": [1.0] * 30})).findings
    [('A', '30 equal values in a row, 0 to 29')]
    """
    panel = prices if isinstance(prices, Panel) else as_panel(prices)
    splits = _splits(prices, panel)
    days = _weekdays(panel)
    rows, findings = {}, []
    for i, name in enumerate(panel.series):
        row, said = _check_series(panel, i, days, splits.get(name))
        rows[name] = row
        findings += [(name, sentence) for sentence in said]
    facts = panel.attrs.get("facts") or {}
    table = pd.DataFrame.from_dict(rows, orient="index")
    return PriceReport(table, findings + _of_the_source(facts) + _of_the_panel(panel, table))


def _splits(prices: Any, panel: Panel) -> dict[str, np.ndarray]:
    """Find the rows of each series' split events, if the prices tell them."""
    if not isinstance(prices, pd.DataFrame):
        return {}
    events = split_fields(prices).get("Stock Splits")
    if events is None:
        return {}
    events = events.set_axis([str(name) for name in events.columns], axis=1)
    aligned = events.set_axis(pd.Index(events.index), axis=0).sort_index().reindex(panel.index)
    return {name: np.flatnonzero(aligned[name].fillna(0).to_numpy() > 0) for name in aligned.columns}


def _weekdays(panel: Panel) -> np.ndarray | None:
    """Give the day of the week of each row (T,) if rows are days."""
    index = panel.index
    if not isinstance(index, pd.DatetimeIndex) or not (index == index.normalize()).all():
        return None
    return index.day_of_week.to_numpy()


def _check_series(
    panel: Panel, column: int, days: np.ndarray | None, splits: np.ndarray | None
) -> tuple[dict[str, Any], list[str]]:
    y = panel.target[:, column]
    seen = np.flatnonzero(~np.isnan(y))
    row: dict[str, Any] = {"rows": len(seen), "first": None, "last": None, "days": None}
    row |= {"missing": 0, "zeros": 0, "stale": 0, "jumps": 0}
    if len(seen) == 0:
        return row, ["it has no value at all"]
    said: list[str] = []
    row |= {"first": format_date(panel.index[seen[0]]), "last": format_date(panel.index[seen[-1]])}
    holes = np.setdiff1d(np.arange(seen[0], seen[-1] + 1), seen)
    if days is not None:
        often = np.bincount(days[seen], minlength=7)
        trades = often >= RARE * often.max()  # one session on a Saturday does not make all others missing
        row["days"] = _in_words(trades)
        holes = holes[trades[days[holes]]]
    row["missing"] = len(holes)
    if len(holes):
        hole = format_date(panel.index[holes[0]])
        said.append(f"{len(holes)} rows are missing on which it usually trades, the first {hole}")
    values = y[seen]
    low = np.flatnonzero(values <= 0)
    row["zeros"] = len(low)
    if 0 < len(low) < SIGNED * len(values):  # else these are changes, and no prices
        said.append(f"{len(low)} values are not above 0, the first {format_date(panel.index[seen[low[0]]])}")
    length, begin = _longest_run(values)
    row["stale"] = length
    if length >= STALE:
        since, until = (format_date(panel.index[seen[at]]) for at in (begin, begin + length - 1))
        said.append(f"{length} equal values in a row, {since} to {until}")
    jumps = _jumps(values)
    row["jumps"] = len(jumps)
    for at in jumps[:5]:
        said.append(_about_jump(panel, values, seen, at, splits))
    if len(jumps) > 5:
        said.append(f"{len(jumps) - 5} more jumps near a split's ratio")
    return row, said


def _longest_run(values: np.ndarray) -> tuple[int, int]:
    """Find the longest run of equal values: how long, and where it begins."""
    edges = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    lengths = np.diff(np.append(edges, len(values)))
    best = int(lengths.argmax())
    return int(lengths[best]), int(edges[best])


def _jumps(values: np.ndarray) -> np.ndarray:
    """Find the rows where a series jumps by a split's ratio and far more than it usually moves."""
    if len(values) < 3 or (values <= 0).any():
        return np.array([], dtype=int)
    moves = np.abs(np.diff(np.log(values)))
    usual = np.median(moves)
    wild = np.flatnonzero(moves > np.maximum(WILD * usual, 0.9 * np.log(min(RATIOS))))
    away = np.abs(moves[wild][:, None] - np.log(RATIOS))
    return wild[(away < NEAR + 2 * usual).any(axis=1)] + 1


def _about_jump(panel: Panel, values: np.ndarray, seen: np.ndarray, at: int, splits: np.ndarray | None) -> str:
    before, after = values[at - 1], values[at]
    said = f"it goes from {before:.6g} to {after:.6g} at {format_date(panel.index[seen[at]])}, near a split's ratio, "
    if (np.abs(values[at + 1 : at + 1 + BACK] / before - 1) < 0.1).any():
        return said + "and comes back: rather a wrong price"
    if splits is None:
        return said + "and no split events are given: is it adjusted?"
    if np.isin(seen[at], splits):
        return said + "on the day of a split: the prices are not adjusted for it"
    return said + "without a split event"


def _in_words(trades: np.ndarray) -> str:
    on = np.flatnonzero(trades)
    if len(on) > 2 and (np.diff(on) == 1).all():
        return f"{DAYS[on[0]]}-{DAYS[on[-1]]}"
    return " ".join(DAYS[day] for day in on)


def _of_the_source(facts: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    found = [(name, note) for name, fact in facts.items() for note in fact.get("notes", [])]
    for what, plural in (("currency", "currencies"), ("timezone", "time zones")):
        of: dict[str, list[str]] = {}
        for name, fact in facts.items():
            if fact.get(what):
                of.setdefault(fact[what], []).append(name)
        if len(of) > 1:
            listed = "; ".join(f"{value}: {', '.join(names)}" for value, names in of.items())
            found.append(("", f"the series have different {plural} ({listed})"))
    return found


def _of_the_panel(panel: Panel, table: pd.DataFrame) -> list[tuple[str, str]]:
    """Say where series begin late, end early or trade on other days than the rest."""
    if len(panel.series) == 1:
        return []
    found = []
    first, last = format_date(panel.index[0]), format_date(panel.index[-1])
    # A few rows may be another exchange's holiday.
    seen = [np.flatnonzero(column) for column in panel.observed.T]
    for name, rows in zip(panel.series, seen, strict=True):
        if len(rows) and rows[0] > STALE:
            found.append((name, f"it begins on {table.loc[name, 'first']}, the table on {first}"))
        if len(rows) and rows[-1] < len(panel) - 1 - STALE:
            found.append((name, f"it ends on {table.loc[name, 'last']}, the table on {last}"))
    kinds = table["days"].dropna().unique()
    if len(kinds) > 1:
        found.append(("", f"the series trade on different days of the week ({'; '.join(kinds)})"))
    return found


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
