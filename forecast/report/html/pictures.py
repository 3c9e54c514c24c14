"""The pictures of the page, each with the numbers behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes

from forecast.backtesting.split import WalkForward
from forecast.data.panel import format_date
from forecast.report import plots
from forecast.report.html import cells

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

NOTHING = '<p class="note">Naive was never wrong or alone, or the models share no forecast: nothing to compare.</p>'
MOST = 25  # rows of a table behind a picture through time


def error_by_step(result: BacktestResult) -> str:
    """Draw the error by step with its intervals; behind it stands the skill of each model and step."""
    table = plots.error_by_step(result)
    if table.empty:
        return NOTHING
    means = table.groupby("model", sort=False)["error"].mean()
    said = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
    text = f"Error by step over naive’s, which is 1. Mean over the steps: {said}."
    rows = [
        [
            cells.model(result, row.model),
            cells.number(row.step, str(row.step)),
            cells.number(row.skill, cells.skill(row.skill)),
            cells.interval(row.skill_low, row.skill_high),
            cells.p_value(row.p_holm),
            cells.cell(row.finding),
        ]
        for row in table.itertuples()
    ]
    heads = ["Model", "Step", "Skill", "90% interval", "p (adjusted)", "Against naive"]
    return _picture(partial(plots.plot_error_by_step, result), text, 4.0, heads, rows)


def through_time(result: BacktestResult) -> str:
    """Draw when each model gained on naive and when it lost."""
    table = plots.skill_through_time(result)
    if table.empty:
        return NOTHING
    text = "Skill gathered from the first cutoff on, model by model; the table below has the numbers."
    kept = plots.evenly(len(table), MOST)
    rows = [
        [cells.cell(format_date(cutoff)), *(cells.number(x, cells.skill(x)) for x in gained)]
        for cutoff, gained in table.iloc[kept].iterrows()
    ]
    return _picture(partial(plots.plot_skill_through_time, result), text, 3.6, ["Up to", *table.columns], rows)


def calibration(result: BacktestResult) -> str:
    """Draw how often outcomes came below each forecast quantile."""
    table = plots.calibration(result)
    if table.empty:
        return '<p class="note">No model of this run gives quantiles.</p>'
    text = "Share of outcomes below each forecast quantile, model by model; the table below has the numbers."
    rows = [
        [cells.model(result, name), *(cells.number(x, cells.percent(x)) for x in shares)]
        for name, shares in table.iterrows()
    ]
    heads = ["Model", *(f"Below quantile {level:g}" for level in table.columns)]
    return _picture(partial(plots.plot_calibration, result), text, 0.75 + 0.3 * len(table), heads, rows)


def training(result: BacktestResult) -> str:
    """Draw how far the loss of the networks fell; nothing where none was trained."""
    table = plots.training_curves(result)
    if table.empty:
        return '<p class="note">No network was trained in this run.</p>'
    ends = table.groupby(["model", "member", "cutoff"], sort=False)["loss"].agg(["first", "last"])
    text = "Training loss by step, over what it was at first; the table below has the numbers."
    rows = [
        [cells.model(result, name), cells.number(len(each), f"{len(each):,}")]
        + [cells.number(x, cells.fixed(x, 4)) for x in (*each.mean(), (each["last"] / each["first"]).mean())]
        for name, each in ends.groupby("model", sort=False)
    ]
    heads = ["Model", "Fits", "Loss at first", "Loss at last", "Last ÷ first"]
    return _picture(partial(plots.plot_training, result), text, 3.4, heads, rows)


def walk(result: BacktestResult) -> str:
    """Draw which rows were fitted on and which were tested on."""
    cv, index = WalkForward(**result.spec["cv"]), pd.RangeIndex(result.spec["data"]["rows"])
    refit = result.spec["refit"]
    table = plots.folds(cv, index, refit)
    kept = plots.evenly(len(table), MOST)
    rows = [
        [cells.number(i + 1, str(i + 1)), *map(cells.cell, _spans(fold)), cells.cell("yes" if fold.fitted else "no")]
        for i, fold in zip(kept, table.iloc[kept].itertuples(), strict=True)
    ]
    text = "Rows that models were fitted on, and rows that they were tested on, cutoff by cutoff."
    heads = ["Cutoff", "Fitted on rows", "Tested on rows", "Fitted anew"]
    height = 0.9 + 0.13 * min(len(table), plots.MOST_FOLDS)
    return _picture(partial(plots.plot_folds, cv, index, refit), text, height, heads, rows)


def _spans(fold: Any) -> tuple[str, str]:
    return f"{fold.train_first:,} to {fold.train_last:,}", f"{fold.test_first:,} to {fold.test_last:,}"


def _picture(draw: Callable[[Axes], Any], text: str, height: float, heads: Sequence[str], rows: list[list[str]]) -> str:
    """Lay out for a wide and for a narrow window: scaling one down would leave letters that nobody can read."""
    wide, narrow = plots.as_svg(draw, height, (8.6, 4.4), text)
    behind = cells.details("The numbers behind the picture", cells.table(heads, rows))
    drawn = f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
    return f'<div class="picture">{drawn}</div>{behind}'
