"""The last section of the page: what the models forecast after the last row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast._text import list_names
from forecast.data.panel import format_date
from forecast.evaluation.text import count
from forecast.models.base import quantile_columns
from forecast.report import plots
from forecast.report.html.figures import Figure, draw_figure
from forecast.report.html.tables import Cell, Table, model_cell, number_cell

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

MAX_FIGURES = 6  # series that are drawn
MAX_NAMED = 20  # series that a sentence names
MAX_LISTED = 200  # rows of the table


@dataclass(frozen=True)
class NextSection:
    """The sentence above, a figure of each of the first series, the table of all of them, and notes."""

    lead: str
    figures: dict[str, Figure]
    table: Table
    notes: list[str]


def next_section(result: BacktestResult) -> NextSection | None:
    """Return what the models forecast after the last row; None if the run has no such forecast."""
    if result.next is None or result.next["y_hat"].isna().all():
        return None
    rows = result.next[result.next["y_hat"].notna()]
    names = list(dict.fromkeys(rows["unique_id"]))
    last, size = format_date(rows["cutoff"].iloc[0]), result.cv.train_size
    fitted = f"the newest {size:,} rows" if size else "all rows"
    lead = f"Every model is fitted again on {fitted} up to {last}, and forecasts {_steps(result.cv.horizon)}. "
    lead += "The band in a figure is that of the model at the top of the leaderboard, other than the reference."
    notes = [f"{row.model} has no forecast: {' '.join(row.error.split())}" for row in _failed(result.next).itertuples()]
    if len(names) > MAX_FIGURES:
        notes.append(f"Of {len(names):,} series, the first {MAX_FIGURES} are drawn.")
    if missing := [name for name in result.spec["data"]["series"] if name not in names]:
        notes.append(f"Not forecast, as without a value at {last} or too short: {list_names(missing, MAX_NAMED)}.")
    board = [str(name) for name in result.leaderboard().index]
    best = next((name for name in board if name != result.reference), result.reference)
    figures = {name: _figure(result, rows[rows["unique_id"] == name], name, best) for name in names[:MAX_FIGURES]}
    table, cut = _table(result, rows, board)
    return NextSection(lead, figures, table, [*notes, *cut])


def _steps(horizon: int) -> str:
    return "the row that follows" if horizon == 1 else f"the {count(horizon, 'row')} that follow"


def _failed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each model without a forecast."""
    return table[table["error"] != ""].drop_duplicates("model")


def _figure(result: BacktestResult, rows: pd.DataFrame, name: str, best: str) -> Figure:
    """Return the figure of a series: the newest prices and the forecasts, with a table of its steps."""
    wide = rows.pivot(index="step", columns="model", values="y_hat")
    models = [model for model in plots.styles(result) if model in wide]
    dates = rows.drop_duplicates("step").set_index("step")["ds"]
    cells = [
        [Cell(format_date(dates[step])), *(_number(wide.loc[step, model]) for model in models)]
        for step in wide.index[plots.evenly(len(wide), 25)]
    ]
    text = f"Newest values of {name} and the forecasts after the last row; the table below contains the numbers."
    return draw_figure(partial(plots.plot_next, result, name, best=best), text, 3.2, Table(["Date", *models], cells))


def _table(result: BacktestResult, rows: pd.DataFrame, board: list[str]) -> tuple[Table, list[str]]:
    """Return the forecasts of the first and the last step, and a note on what is left out, if anything."""
    levels = quantile_columns(rows.columns)
    ends = [*levels.values()][:: max(len(levels) - 1, 1)] if len(levels) > 1 else []
    steps = sorted({1, result.cv.horizon})
    dates = rows.drop_duplicates("step").set_index("step")["ds"]
    wide = rows.pivot(index=["unique_id", "model", "y0"], columns="step", values=["y_hat", *ends])
    order = {name: position for position, name in enumerate(board)}
    names = {name: position for position, name in enumerate(dict.fromkeys(rows["unique_id"]))}
    keys = sorted(wide.index, key=lambda key: (names[key[0]], order.get(key[1], len(order))))
    cells = []
    for series, model, newest in keys[:MAX_LISTED]:
        row = [Cell(str(series)), model_cell(result, model), _number(newest)]
        for step in steps:
            values = wide.loc[(series, model, newest)]
            row.append(_number(values["y_hat", step]))
            row += [_interval(*(values[end, step] for end in ends))] if ends else []
        cells.append(row)
    share = f"{max(levels) - min(levels):.0%} band" if ends else ""
    headings = ["Series", "Model", "Last value"]
    for step in steps:
        headings += [format_date(dates[step]), *([share] if ends else [])]
    note = [f"The table lists the first {MAX_LISTED} of {len(keys):,} rows."] if len(keys) > MAX_LISTED else []
    return Table(headings, cells), note


def _number(value: float) -> Cell:
    return number_cell(value, f"{value:,.6g}".replace("-", "−") if np.isfinite(value) else "–")


def _interval(low: float, high: float) -> Cell:
    return number_cell(low, f"{low:,.6g} to {high:,.6g}".replace("-", "−") if np.isfinite(low) else "–")
