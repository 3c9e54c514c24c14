"""Data quality checks: anomalies in prices are reported and counted; nothing is repaired or filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast._text import plain, plain_lines
from forecast.data.calendar import is_daily
from forecast.data.day_rules import describe_weekdays
from forecast.data.panel import Panel, as_panel, format_date, split_fields

STALE_ROWS = 10  # shortest run of equal closes that is reported
SPLIT_RATIOS = (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50, 100)
RATIO_TOLERANCE = 0.02  # largest log distance of a jump from a split ratio, plus one of the changes around it
MIN_JUMP = 10  # in changes of the series: their median, and the largest of the neighbouring rows
NEIGHBOURS = 20  # rows on each side of a jump
RETURN_ROWS = 60  # prices that come back halfway within so many rows were not split
BAR_SHARE = 0.5  # a session has a bar at the times of day that this share of the sessions have
SAME = 1e-9  # relative difference of two series that are the same, or multiples
MAX_NEGATIVE_SHARE = 0.1  # a series with a larger share of values not above 0 is not a price
REVERSAL_ROWS = 5  # a jump that is undone within so few rows is a wrong price
MIN_WEEKDAY_RATIO = 0.1  # a series trades on the days of the week that have this share of the commonest day's rows
EDGE_ROWS = 10  # a series may begin later or end earlier than the table by so few rows: another exchange's holidays
MAX_JUMPS = 5  # jumps that are described one by one
NO_ANOMALIES = "No anomalies were found."


@dataclass(frozen=True, eq=False)
class PriceReport:
    """The anomalies that `check_prices` found.

    Parameters
    ----------
    table : DataFrame
        A row per series with the columns rows, first, last, days (of the week on which it trades), missing (rows
        without a value on those days between first and last; of intraday bars, those missing within sessions), zeros,
        negative, stale (length of the longest run of equal values) and jumps (near a split ratio).
    findings : list of (str, str)
        Pairs of a series and a sentence. An empty series name stands for all series.
    """

    table: pd.DataFrame
    findings: list[tuple[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        table = self.table.astype(object).where(self.table.notna(), None)
        return {
            "table": {str(name): {k: _plain(v) for k, v in row.items()} for name, row in table.iterrows()},
            "findings": [list(finding) for finding in self.findings],
        }

    def sentences(self) -> list[str]:
        """Return the findings as sentences, each with its series."""
        return [f"{name}: {sentence}" if name else sentence for name, sentence in self.findings]

    def __str__(self) -> str:
        table = plain_lines(self.table.to_string(na_rep="-", max_rows=40))
        return "\n".join([table, "", *map(plain, self.sentences() or [NO_ANOMALIES])])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from html import escape

        items = "".join(f"<li>{escape(plain(sentence))}</li>" for sentence in self.sentences() or [NO_ANOMALIES])
        return f"{self.table._repr_html_()}<ul>{items}</ul>"


def check_prices(prices: Any) -> PriceReport:
    """Report anomalies in prices: missing days, zeros, stale runs, split-like jumps, copies, mixed currencies.

    `prices` as for `as_panel`; of (field, ticker) columns the target is checked, and a field "Stock Splits" shows which
    jumps are splits. What was decided when the prices were read (`attrs["notes"]`) comes first; facts of a download
    (currency, time zone, notes) are read from `attrs["facts"]`. Nothing is changed. A jump is reported if it is near
    a split ratio, at least ten times the series' median change, and far beyond the changes around it.

    >>> fc.check_prices(pd.DataFrame({"A": [1.0] * 30})).findings
    [('A', '30 equal values in a row, 0 to 29')]
    """
    panel = prices if isinstance(prices, Panel) else as_panel(prices)
    splits = _split_rows(prices, panel)
    weekdays = panel.index.day_of_week.to_numpy() if is_daily(panel.index) else None  # (T,)
    rows, findings = {}, []
    for i, name in enumerate(panel.series):
        rows[name], sentences = _check_series(panel, i, weekdays, splits.get(name))
        findings += [(name, sentence) for sentence in sentences]
    facts, notes = panel.attrs.get("facts") or {}, [("", note) for note in panel.attrs.get("notes", [])]
    table = pd.DataFrame.from_dict(rows, orient="index")
    findings += _check_copies(panel) + _check_source(facts) + _check_alignment(panel, table)
    return PriceReport(table, notes + findings)


def _split_rows(prices: Any, panel: Panel) -> dict[str, np.ndarray]:
    """Return the rows of each series' split events, if the prices contain them."""
    if not isinstance(prices, pd.DataFrame):
        return {}
    events = split_fields(prices).get("Stock Splits")
    if events is None:
        return {}
    events = events.set_axis([str(name) for name in events.columns], axis=1)
    aligned = events.set_axis(pd.Index(events.index), axis=0).sort_index().reindex(panel.index)
    return {name: np.flatnonzero(aligned[name].fillna(0).to_numpy() > 0) for name in aligned.columns}


def _check_series(
    panel: Panel, column: int, weekdays: np.ndarray | None, splits: np.ndarray | None
) -> tuple[dict[str, Any], list[str]]:
    """Return one series' row of the report and its findings."""
    y = panel.target[:, column]
    observed = np.flatnonzero(~np.isnan(y))
    row: dict[str, Any] = {"rows": len(observed), "first": None, "last": None, "days": None}
    row |= {"missing": 0, "zeros": 0, "negative": 0, "stale": 0, "jumps": 0}
    if len(observed) == 0:
        return row, ["it has no value at all"]
    dates, values = panel.index[observed], y[observed]
    row |= {"first": format_date(dates[0]), "last": format_date(dates[-1])}
    findings: list[str] = []
    gaps = np.setdiff1d(np.arange(observed[0], observed[-1] + 1), observed)
    if weekdays is not None:
        counts = np.bincount(weekdays[observed], minlength=7)
        open_days = counts >= MIN_WEEKDAY_RATIO * counts.max()  # one Saturday session makes no other Saturday missing
        row["days"] = describe_weekdays(open_days, separator=" ")
        gaps = gaps[open_days[weekdays[gaps]]]
    missing = panel.index[gaps] if weekdays is not None or not isinstance(dates, pd.DatetimeIndex) else _gaps(dates)
    row["missing"] = len(missing)
    if len(missing):
        what = "rows are missing on which it usually trades" if weekdays is not None else "bars are missing"
        findings.append(f"{len(missing)} {what}, the first {format_date(missing[0])}")
    for name, verb, rows in (("zeros", "0", values == 0), ("negative", "below 0", values < 0)):
        row[name] = int(rows.sum())
        if rows.sum() > 0 and (values <= 0).sum() < MAX_NEGATIVE_SHARE * len(values):
            findings.append(f"{rows.sum()} values are {verb}, the first {format_date(dates[rows.argmax()])}")
    length, start = _longest_run(values)
    row["stale"] = length
    if length >= STALE_ROWS:
        since, until = format_date(dates[start]), format_date(dates[start + length - 1])
        findings.append(f"{length} equal values in a row, {since} to {until}")
    jumps = _jumps(values)
    row["jumps"] = len(jumps)
    for at in jumps[:MAX_JUMPS]:
        is_split = None if splits is None else bool(np.isin(observed[at], splits))
        findings.append(_describe_jump(values, at, format_date(dates[at]), is_split))
    if len(jumps) > MAX_JUMPS:
        findings.append(f"{len(jumps) - MAX_JUMPS} more jumps near a split's ratio")
    return row, findings


def _gaps(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the bars that are missing within the sessions of intraday data, by the times of day that are usual.

    A session ends with the longest usual break of a day. In each, a bar is expected at the times of day that half of
    the sessions have, between the session's own first and last bar: one that closes early misses none. Of fewer than
    five sessions, or three bars in each, no times are usual.
    """
    opening = _opening(times)
    days = (times - opening).normalize()
    clock, n_days = (times - opening) - days, len(days.unique())
    if len(times) < 3 * n_days or n_days < 5:
        return times[:0]
    counts = pd.Series(1, clock).groupby(level=0).size()
    usual = counts.index[counts >= BAR_SHARE * n_days]
    first, last = (pd.Series(clock, days).groupby(level=0).agg(how) for how in ("min", "max"))
    offset = np.tile(usual.to_numpy(), n_days)
    inside = (offset > np.repeat(first.to_numpy(), len(usual))) & (offset < np.repeat(last.to_numpy(), len(usual)))
    expected = first.index.repeat(len(usual)) + pd.TimedeltaIndex(offset) + opening
    return expected[inside].difference(times)


def _opening(times: pd.DatetimeIndex) -> pd.Timedelta:
    """Return the time of day after the longest break that is usual, at which sessions begin."""
    counts = pd.Series(1, times - times.normalize()).groupby(level=0).size()
    usual = counts.index[counts >= BAR_SHARE * counts.max()]
    breaks = np.diff(usual.to_numpy(), prepend=usual.to_numpy()[-1] - np.timedelta64(1, "D"))
    return pd.Timedelta(usual[int(breaks.argmax())])


def _longest_run(values: np.ndarray) -> tuple[int, int]:
    """Return the length and the first position of the longest run of equal values."""
    edges = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    lengths = np.diff(np.append(edges, len(values)))
    best = int(lengths.argmax())
    return int(lengths[best]), int(edges[best])


def _jumps(values: np.ndarray) -> np.ndarray:
    """Return the positions where a series jumps by about a split ratio and far more than it does around it."""
    if len(values) < 3 or (values <= 0).any():
        return np.array([], dtype=int)
    changes = np.abs(np.diff(np.log(values)))
    median = np.median(changes)
    large = np.flatnonzero(changes > np.maximum(MIN_JUMP * median, 0.9 * np.log(min(SPLIT_RATIOS))))
    return np.array([at + 1 for at in large if _is_split_like(changes, int(at))], dtype=int)


def _is_split_like(changes: np.ndarray, at: int) -> bool:
    """Return whether a change is near a split's ratio, up to a usual change, and the neighbouring ones are far less."""
    around = np.delete(changes[max(at - NEIGHBOURS, 0) : at + NEIGHBOURS + 1], min(at, NEIGHBOURS))
    usual = float(np.median(around)) if len(around) else 0.0
    # A wrong price is two such changes, one after the other.
    calm = np.sort(around)[:-1]
    distance = np.abs(changes[at] - np.log(SPLIT_RATIOS)).min()
    return bool(distance < RATIO_TOLERANCE + usual and changes[at] > MIN_JUMP / 4 * calm.max(initial=0.0))


def _describe_jump(values: np.ndarray, at: int, date: str, is_split: bool | None) -> str:
    """Return a sentence about a jump; `is_split` is None where no split events are available."""
    before, after = values[at - 1], values[at]
    jump = f"it goes from {before:.6g} to {after:.6g} at {date}, near a split's ratio, "
    if is_split:
        return jump + "on the day of a split: the prices are not adjusted for it"
    if (np.abs(values[at + 1 : at + 1 + REVERSAL_ROWS] / before - 1) < 0.1).any():
        return jump + "and comes back: probably a wrong price"
    later = np.log(values[at + 1 : at + 1 + RETURN_ROWS] / after)
    if (later / np.log(before / after) > 0.5).any():
        return jump + f"and prices come back within {RETURN_ROWS} rows: probably no split"
    if is_split is None:
        return jump + "and no split events are given: is it adjusted?"
    return jump + "without a split event"


def _check_copies(panel: Panel) -> list[tuple[str, str]]:
    """Return a finding for each series that is another one, or a multiple of it, in every row."""
    findings: list[tuple[str, str]] = []
    first: dict[bytes, int] = {}
    for i, y in enumerate(panel.target.T):
        observed = np.flatnonzero(~np.isnan(y))
        if len(observed) < 3 or y[observed[0]] == 0 or np.ptp(y[observed]) == 0:
            continue
        relative = np.round(y / y[observed[0]], 6)  # of the same series, the same, but for rounding
        j = first.setdefault(relative.tobytes(), i)
        factor = y[observed[0]] / panel.target[observed[0], j]
        if j != i and np.allclose(y, factor * panel.target[:, j], rtol=SAME, atol=0, equal_nan=True):
            multiple = "equals" if abs(factor - 1) < SAME else f"is {factor:.6g} times"
            findings.append((panel.series[i], f"it {multiple} {panel.series[j]} in every row: is it another series?"))
    return findings


def _check_source(facts: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return a download's notes, and a finding where currencies or time zones differ."""
    findings = [(name, note) for name, fact in facts.items() for note in fact.get("notes", [])]
    for key, plural in (("currency", "currencies"), ("timezone", "time zones")):
        groups: dict[str, list[str]] = {}
        for name, fact in facts.items():
            if fact.get(key):
                groups.setdefault(fact[key], []).append(name)
        if len(groups) > 1:
            listed = "; ".join(f"{value}: {', '.join(names)}" for value, names in groups.items())
            findings.append(("", f"the series have different {plural} ({listed})"))
    return findings


def _check_alignment(panel: Panel, table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return a finding for each series that begins late or ends early, and for different trading days."""
    if len(panel.series) == 1:
        return []
    findings = []
    first, last = format_date(panel.index[0]), format_date(panel.index[-1])
    for name, column in zip(panel.series, panel.observed.T, strict=True):
        rows = np.flatnonzero(column)
        if len(rows) and rows[0] > EDGE_ROWS:
            findings.append((name, f"it begins on {table.loc[name, 'first']}, the table on {first}"))
        if len(rows) and rows[-1] < len(panel) - 1 - EDGE_ROWS:
            findings.append((name, f"it ends on {table.loc[name, 'last']}, the table on {last}"))
    weeks = table["days"].dropna().unique()
    if len(weeks) > 1:
        findings.append(("", f"the series trade on different days of the week ({'; '.join(weeks)})"))
    return findings


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
