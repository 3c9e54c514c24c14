"""The data of the page's explorer: every forecast with its outcome, as compact JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast._text import plain
from forecast.data.panel import format_date
from forecast.evaluation.scores import interval_columns
from forecast.models.base import quantile_columns
from forecast.report import plots
from forecast.report.html.notable import notable_series

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

#: Maximum number of forecasts shown (series × cutoff × step × model): 2.5 MB of numbers.
MAX_ROWS = 80_000


def explorer_data(result: BacktestResult) -> tuple[str, str]:
    """Return the explorer's data as JSON that is safe inside a page, and a note on what was left out, if anything.

    `paths[model][series]` contains y, low and high, each flat over cutoffs × steps; `truth[series]` is aligned with
    `time`; `at[k]` is the position of cutoff k in `time`, and that of its step h is `at[k] + h`.
    """
    own, notes = _limit_series(result)
    table, cutoffs, further = _limit(own)
    notes += further
    horizon = result.cv.horizon
    if result.cv.step > horizon + 1:
        notes.append("Outcomes between the forecasts are not stored in a run; straight lines connect the others.")
    dated = isinstance(cutoffs, pd.DatetimeIndex)
    time = cutoffs.append(pd.Index(table["ds"])).unique().sort_values()
    # local time without a time zone
    labels = [format_date(when) for when in time.tz_localize(None)] if dated else time.tolist()
    series = [str(name) for name in table["unique_id"].unique()]
    groups = dict(iter(table.groupby(["model", "unique_id"], observed=True)))
    truths = {str(name): plots.stored_prices(rows) for name, rows in own.groupby("unique_id", observed=True)}
    ends = interval_columns(table.columns) or ()
    looks = {name: style for name, style in plots.styles(result).items() if (table["model"] == name).any()}
    reference = result.reference
    best = next((name for name in result.leaderboard().index if name in looks and name != reference), reference)
    data = {
        "series": [plain(name) for name in series],
        "horizon": horizon,
        "dated": dated,
        "time": labels,
        "at": time.get_indexer(cutoffs).tolist(),
        "truth": [_numbers(truths[name].reindex(time)) for name in series],
        "models": [{"name": plain(name), "colour": style.colour} for name, style in looks.items()],
        "reference": list(looks).index(reference),
        "first": list(looks).index(best),  # the model selected at first
        "paths": [[_path(groups.get((m, s)), ends, cutoffs, horizon) for s in series] for m in looks],
        "band": [f"{level:g}" for level in quantile_columns(ends)],
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e"), " ".join(notes)


def _limit_series(result: BacktestResult) -> tuple[pd.DataFrame, list[str]]:
    """Return the forecasts of the notable series if those of all are too many, with a note on what is left out."""
    table = result.forecasts[result.forecasts["member"] == 0]
    if len(table) <= MAX_ROWS:
        return table, []
    series, which = notable_series(result)
    notes = [f"To limit the file size, only these are shown: {which}."] if which else []
    return table[table["unique_id"].isin(series)], notes


def _limit(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.Index, list[str]]:
    """Return the newest cutoffs that fit (or the first series of one), with notes on what is left out."""
    notes = []
    per_cutoff = table.groupby("cutoff").size().sort_index(ascending=False)
    fitting = max(int((per_cutoff.cumsum() <= MAX_ROWS).sum()), 1)
    cutoffs = per_cutoff.index[:fitting].sort_values()
    if fitting < len(per_cutoff):
        notes.append(f"To limit the file size, only the newest {fitting:,} of {len(per_cutoff):,} cutoffs are shown.")
        table = table[table["cutoff"].isin(cutoffs)]
    series = table["unique_id"].unique()
    allowed = max(MAX_ROWS * len(series) // len(table), 1)
    if allowed < len(series):
        notes.append(f"Of {len(series):,} series, only the first {allowed:,} are shown.")
        table = table[table["unique_id"].isin(series[:allowed])]
    return table, cutoffs, notes


def _path(rows: pd.DataFrame | None, ends: tuple[str, ...], cutoffs: pd.Index, horizon: int) -> dict[str, Any]:
    """Return one model's forecasts of one series, flat over cutoffs × steps; null where there is none."""
    path = {}
    for key, column in {"y": "y_hat", **dict(zip(("low", "high"), ends, strict=False))}.items():
        flat = np.full(len(cutoffs) * horizon, np.nan)
        if rows is not None:  # the model has a forecast of this series
            flat[cutoffs.get_indexer(rows["cutoff"]) * horizon + rows["step"].to_numpy() - 1] = rows[column]
        path[key] = _numbers(flat)
    return path


def _numbers(values: Iterable[float]) -> list[float | None]:
    """Return numbers with six digits, which is all that a screen shows; JSON has no NaN."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]
