"""Data quality checks: anomalies in prices are reported and counted; nothing is repaired or filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast._text import list_names, plain, plain_lines
from forecast.data.calendar import is_daily
from forecast.data.day_rules import are_about_daily, describe_weekdays
from forecast.data.gaps import is_every_day, missing_bars, missing_days, trading_weekdays
from forecast.data.panel import Panel, Prices, as_panel, format_date, split_fields

STALE_ROWS = 10  # shortest run of equal closes that is reported
SPLIT_RATIOS = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50, 100)
SMALL_RATIO = 1.5  # a fall of a third is also bad news: a split only on the day of a split event
RATIO_TOLERANCE = 0.02  # largest log distance of a jump from a split ratio, plus one of the changes around it
LEVEL_ROWS = 3  # on each side, whose medians are the levels before and after a jump
MIN_JUMP = 10  # in changes of the series: their median, and the largest of the neighbouring rows
NEIGHBOURS = 20  # rows on each side of a jump
RETURN_ROWS = 60  # prices that come back halfway within so many rows were not split
SAME = 1e-9  # relative difference of two series that are the same, or multiples
MAX_NEGATIVE_SHARE = 0.1  # a series with a larger share of values not above 0 is not a price
REVERSAL_ROWS = 5  # a jump that is undone within so few rows is a wrong price
MIN_PANEL_SHARE = 0.5  # of the table's rows that a series has where it follows these rows; a monthly one has fewer
EDGE_ROWS = 10  # a series may begin later or end earlier than the table by so few rows: another exchange's holidays
MIN_SPIKE = 0.15  # log change of a wrong price in one row
SPIKE_RETURN = 0.2  # of the change; a spike comes back up to so much
MAX_REVERSALS = 0.6  # of the changes: noise around a level turns in two of three rows, a price in one of two
MIN_REPEATS, MAX_REPEATS = 0.15, 0.6  # shares of repeated values that filled weekends or holidays may have
MISSING_CODES = (99, 999, 9_999, 99_999, 999_999, 99.9, 999.9, 9_999.9)  # or these below 0
CODE_DISTANCE = 2  # times the range of all other values: the distance of a code from them
MAX_JUMPS = 5  # jumps that are described one by one
NO_ANOMALIES = "No anomalies were found."


@dataclass(frozen=True, eq=False)
class PriceReport:
    """The anomalies that `check_prices` found.

    Parameters
    ----------
    table : DataFrame
        A row per series with the columns rows, first, last, days (of the week on which it trades), missing (rows
        without a value on those days between first and last; of weeks and months, those without a row; of intraday
        bars, those missing within sessions; of one series on trading days, gaps that are longer than holidays), zeros,
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


def check_prices(prices: Prices) -> PriceReport:
    """Report anomalies in prices: missing days, zeros, stale runs, split-like jumps, copies, mixed currencies.

    `prices` as for `as_panel`; of (field, ticker) columns the target is checked, and a field "Stock Splits" shows which
    jumps are splits. What was decided when the prices were read (`attrs["notes"]`) comes first; facts of a download
    (currency, time zone, notes) are read from `attrs["facts"]`. Nothing is changed. A jump is reported if it is near
    a split ratio, at least ten times the series' median change, and far beyond the changes around it; a
    price that leaves its neighbours for one row and comes back is reported too.

    >>> fc.check_prices(pd.DataFrame({"A": [1.0] * 30})).findings
    [('A', '30 equal values in a row, 0 to 29')]
    """
    panel = prices if isinstance(prices, Panel) else as_panel(prices)
    splits = _split_rows(prices, panel)
    rows, findings = {}, []
    for i, name in enumerate(panel.series):
        rows[name], sentences = _check_series(panel, i, splits.get(name))
        findings += [(name, sentence) for sentence in sentences]
    facts, notes = panel.attrs.get("facts") or {}, [("", note) for note in panel.attrs.get("notes", [])]
    table = pd.DataFrame.from_dict(rows, orient="index")
    findings += _check_copies(panel) + _check_source(facts) + _check_alignment(panel, table)
    return PriceReport(table, notes + findings)


def _split_rows(prices: Prices, panel: Panel) -> dict[str, np.ndarray]:
    """Return the rows of each series' split events, if the prices contain them."""
    if not isinstance(prices, pd.DataFrame):
        return {}
    events = split_fields(prices).get("Stock Splits")
    if events is None:
        return {}
    events = events.set_axis([str(name) for name in events.columns], axis=1)
    aligned = events.set_axis(pd.Index(events.index), axis=0).sort_index().reindex(panel.index)
    return {name: np.flatnonzero(aligned[name].fillna(0).to_numpy() > 0) for name in aligned.columns}


def _check_series(panel: Panel, column: int, splits: np.ndarray | None) -> tuple[dict[str, Any], list[str]]:
    """Return one series' row of the report and its findings."""
    y = panel.of_series(np.array([column])).target[:, 0]
    observed = np.flatnonzero(~np.isnan(y))
    row: dict[str, Any] = {"rows": len(observed), "first": None, "last": None, "days": None}
    row |= {"missing": 0, "zeros": 0, "negative": 0, "stale": 0, "jumps": 0}
    if len(observed) == 0:
        return row, ["it has no value at all"]
    dates, values = panel.index[observed], y[observed]
    row |= {"first": format_date(dates[0]), "last": format_date(dates[-1])}
    findings: list[str] = []
    if is_daily(dates) and are_about_daily(dates.tz_localize(None)):
        row["days"] = describe_weekdays(trading_weekdays(dates), separator=" ")
    missing, where = _missing(panel.index, observed)
    row["missing"] = len(missing)
    if len(missing):
        findings.append(f"{_count(len(missing), where)}, the first {format_date(missing[0])}")
    for name, verb, rows in (("zeros", "0", values == 0), ("negative", "below 0", values < 0)):
        row[name] = int(rows.sum())
        if rows.sum() > 0 and (values <= 0).sum() < MAX_NEGATIVE_SHARE * len(values):
            count = _count(int(rows.sum()), ("value is", "values are"))
            findings.append(f"{count} {verb}, the first {format_date(dates[rows.argmax()])}")
    for code, rows in _missing_codes(values):
        first = format_date(dates[rows.argmax()])
        findings.append(
            f"{_count(int(rows.sum()), ('value is', 'values are'))} {code:g}, far from all others, the first {first}: "
            "if this stands for a missing value, leave the cells empty"
        )
    length, start = _longest_run(values)
    row["stale"] = length
    if length >= STALE_ROWS:
        since, until = format_date(dates[start]), format_date(dates[start + length - 1])
        findings.append(f"{length} equal values in a row, {since} to {until}")
    has_split = np.zeros(len(values), bool) if splits is None else np.isin(observed, splits)
    spikes = _spikes(values)
    jumps = np.setdiff1d(_jumps(values, has_split), [spikes, spikes + 1])
    row["jumps"] = len(jumps)
    findings += _describe_jumps(values, jumps, dates, None if splits is None else has_split[jumps])
    findings += _describe_spikes(values, spikes, dates)
    if is_daily(dates) and is_every_day(dates) and _is_filled(values):
        n_repeats = int((values[1:] == values[:-1]).sum())
        findings.append(
            f"{n_repeats} of {len(values)} values repeat the value before: are weekends or holidays filled?"
        )
    return row, findings


def _missing(index: pd.Index, observed: np.ndarray) -> tuple[pd.Index, tuple[str, str]]:
    """Return the dates between a series' first and last at which it has no row, and words for one and for several.

    Missing are the table's rows without a value, if the series follows them, and the dates that its own calendar has.
    """
    inside = np.arange(observed[0], observed[-1] + 1)
    dates, empty = index[observed], index[np.setdiff1d(inside, observed)]
    if not isinstance(dates, pd.DatetimeIndex):
        return empty, ("row is missing", "rows are missing")
    if not is_daily(dates):
        return missing_bars(dates, index[inside]), ("bar is missing", "bars are missing")
    days = dates.tz_localize(None)
    about_daily = are_about_daily(days)
    if not is_daily(index) or (not about_daily and len(observed) < MIN_PANEL_SHARE * len(inside)):
        empty = empty[:0]
    empty = empty.tz_localize(None)
    if about_daily:
        empty = empty[trading_weekdays(days)[empty.day_of_week]]
        where = "missing on which it usually trades"
        return empty.union(missing_days(days)), (f"day is {where}", f"days are {where}")
    if len(empty):  # the table's dates, of which others may be missing for all series
        return empty.union(missing_days(index[inside].tz_localize(None))), (
            "regular date is missing",
            "regular dates are missing",
        )
    return missing_days(days), ("regular date is missing", "regular dates are missing")


def _count(n: int, words: tuple[str, str]) -> str:
    """Return a number with the words for one or for several."""
    return f"{n} {words[n != 1]}"


def _missing_codes(values: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Return the usual codes for a missing value that are far from all other values, and where they are, (T,)."""
    found = []
    for code in (values.min(), values.max()):
        others = values[values != code]
        if abs(code) in MISSING_CODES and len(others) and np.abs(others - code).min() > CODE_DISTANCE * np.ptp(others):
            found.append((float(code), values == code))
    return found


def _longest_run(values: np.ndarray) -> tuple[int, int]:
    """Return the length and the first position of the longest run of equal values."""
    edges = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    lengths = np.diff(np.append(edges, len(values)))
    best = int(lengths.argmax())
    return int(lengths[best]), int(edges[best])


def _jumps(values: np.ndarray, has_split: np.ndarray) -> np.ndarray:
    """Return the positions where a series jumps by about a split ratio and far more than it does around it."""
    if len(values) < 3 or (values <= 0).any():
        return np.array([], dtype=int)
    changes = np.abs(np.diff(np.log(values)))
    median = np.median(changes)
    large = np.flatnonzero(changes > np.maximum(MIN_JUMP * median, 0.9 * np.log(SMALL_RATIO)))
    found = [int(at) + 1 for at in large if _is_split_like(changes, int(at), has_split[at + 1])]
    return np.array([at for at in found if has_split[at] or _is_lasting(values, at) or _is_undone(values, at)], int)


def _is_lasting(values: np.ndarray, at: int) -> bool:
    """Return whether prices stay at the level that they jump to, which noise around one level does not."""
    before, after = np.median(values[max(at - LEVEL_ROWS, 0) : at]), np.median(values[at : at + LEVEL_ROWS])
    jump = np.log(values[at] / values[at - 1])
    back = -np.log(values[at + 1 : at + 1 + RETURN_ROWS] / values[at]) / jump
    return bool(np.log(after / before) / jump > 0.5 and not (back > 0.5).any())


def _is_undone(values: np.ndarray, at: int) -> bool:
    """Return whether a jump lasts for some rows and is undone by another one, as of a wrong price."""
    changes = np.diff(np.log(values[at - 1 : at + 1 + REVERSAL_ROWS]))
    return (
        len(changes) > 2
        and bool((-changes[2:] / changes[0] > 1 - SPIKE_RETURN).any())
        and bool(abs(changes[1]) < SPIKE_RETURN * abs(changes[0]))
    )


def _is_split_like(changes: np.ndarray, at: int, has_split: bool) -> bool:
    """Return whether a change is near a split's ratio, up to a usual change, and the neighbouring ones are far less."""
    around = np.delete(changes[max(at - NEIGHBOURS, 0) : at + NEIGHBOURS + 1], min(at, NEIGHBOURS))
    usual = float(np.median(around)) if len(around) else 0.0
    # A wrong price is two such changes, one after the other.
    calm = np.sort(around)[:-1]
    ratios = (SMALL_RATIO, *SPLIT_RATIOS) if has_split else SPLIT_RATIOS
    distance = np.abs(changes[at] - np.log(ratios)).min()
    return bool(distance < RATIO_TOLERANCE + usual and changes[at] > MIN_JUMP / 4 * calm.max(initial=0.0))


def _describe_jumps(values: np.ndarray, jumps: np.ndarray, dates: pd.Index, is_split: np.ndarray | None) -> list[str]:
    """Return a sentence for each of the first jumps, and one for the others."""
    sentences = [
        _describe_jump(values, at, format_date(dates[at]), None if is_split is None else bool(is_split[i]))
        for i, at in enumerate(jumps[:MAX_JUMPS])
    ]
    if len(jumps) > MAX_JUMPS:
        sentences.append(f"{_count(len(jumps) - MAX_JUMPS, ('more jump', 'more jumps'))} near a split's ratio")
    return sentences


def _spikes(values: np.ndarray) -> np.ndarray:
    """Return the positions of values that are far from those before and after them, in one row only."""
    if len(values) < NEIGHBOURS or (values <= 0).any():
        return np.array([], dtype=int)
    changes = np.diff(np.log(values))
    sizes = np.abs(changes)
    usual = np.median(sizes[sizes > 0]) if sizes.any() else 0.0
    least = max(MIN_SPIKE, MIN_JUMP * usual)
    if (changes[:-1] * changes[1:] < 0).mean() > MAX_REVERSALS:
        return np.array([], dtype=int)
    returns = np.abs(changes[:-1] + changes[1:]) < SPIKE_RETURN * sizes[:-1]
    found = np.flatnonzero((sizes[:-1] > least) & returns)
    return np.array([at + 1 for at in found if _is_alone(sizes, int(at))], dtype=int)


def _is_alone(sizes: np.ndarray, at: int) -> bool:
    """Return whether a change and the one that undoes it are far larger than those around them."""
    around = np.append(sizes[max(at - NEIGHBOURS, 0) : at], sizes[at + 2 : at + 2 + NEIGHBOURS])
    return bool(sizes[at] > MIN_JUMP / 4 * around.max(initial=0.0))


def _describe_spikes(values: np.ndarray, spikes: np.ndarray, dates: pd.Index) -> list[str]:
    """Return a sentence for each of the first spikes, and one for the others."""
    sentences = [
        f"it goes from {values[at - 1]:.6g} to {values[at]:.6g} at {format_date(dates[at])} and comes back in the next "
        "row: probably a wrong value"
        for at in spikes[:MAX_JUMPS]
    ]
    if len(spikes) > MAX_JUMPS:
        sentences.append(_count(len(spikes) - MAX_JUMPS, ("more spike of one row", "more spikes of one row")))
    return sentences


def _is_filled(values: np.ndarray) -> bool:
    """Return whether many values repeat the value before, and more than rounding explains.

    Rounded values repeat about half as often as they change by the smallest step.
    """
    changes = np.abs(np.diff(values))
    moved = changes[changes > 0]
    if len(changes) < NEIGHBOURS or not len(moved):
        return False
    n_repeats = len(changes) - len(moved)
    n_smallest = int((moved < 1.5 * moved.min()).sum())
    return MIN_REPEATS <= n_repeats / len(changes) <= MAX_REPEATS and n_repeats > 3 * n_smallest


def _describe_jump(values: np.ndarray, at: int, date: str, is_split: bool | None) -> str:
    """Return a sentence about a jump; `is_split` is None where no split events are available."""
    before, after = values[at - 1], values[at]
    jump = f"it goes from {before:.6g} to {after:.6g} at {date}, near a split's ratio, "
    if is_split:
        return jump + "on the day of a split: the prices are not adjusted for it"
    if not _is_lasting(values, at):
        return jump + "and comes back: probably a wrong value"
    if is_split is None:
        return jump + "and no split events are given: is it adjusted?"
    return jump + "without a split event"


def _check_copies(panel: Panel) -> list[tuple[str, str]]:
    """Return a finding for each series that is another one, or a multiple of it, in every row."""
    findings: list[tuple[str, str]] = []
    first: dict[bytes, int] = {}
    target = panel.target
    for i, y in enumerate(target.T):
        observed = np.flatnonzero(~np.isnan(y))
        if len(observed) < 3 or y[observed[0]] == 0 or np.ptp(y[observed]) == 0:
            continue
        relative = np.round(y / y[observed[0]], 6)  # of the same series, the same, but for rounding
        j = first.setdefault(relative.tobytes(), i)
        factor = y[observed[0]] / target[observed[0], j]
        if j != i and np.allclose(y, factor * target[:, j], rtol=SAME, atol=0, equal_nan=True):
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
            listed = "; ".join(f"{value}: {list_names(names)}" for value, names in groups.items())
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
