"""The figures of the page, each with a table of its numbers; None where there is nothing to show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes

from forecast.data.panel import format_date
from forecast.evaluation import Verdicts
from forecast.report import plots
from forecast.report.html.notable import notable_series
from forecast.report.html.tables import (
    Cell,
    Table,
    decimal_cell,
    interval_cell,
    model_cell,
    number_cell,
    p_cell,
    percent_cell,
    skill_cell,
)

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

MAX_ROWS = 25  # rows of a table behind a figure through time, evenly spaced
WIDTHS = (8.6, 4.4)  # inches, of the figure in a wide and in a narrow window


@dataclass(frozen=True)
class Figure:
    """A figure as SVG for wide and for narrow windows, where scaling would make text unreadable, and its numbers."""

    wide: str
    narrow: str
    table: Table


def draw_figure(draw: Callable[[Axes], Any], text: str, height: float, table: Table) -> Figure:
    """Return a figure for both widths, with the text that describes it and the table of its numbers."""
    wide, narrow = plots.as_svg(draw, height, WIDTHS, text)
    return Figure(wide, narrow, table)


def error_by_step(result: BacktestResult) -> Figure | None:
    """Return the error by step with its intervals, and the skill of each model and step."""
    table = plots.error_by_step(result)
    if table.empty:
        return None
    means = table.groupby("model", sort=False)["error"].mean()
    errors = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
    reference = result.reference
    text = f"Error by step divided by that of {reference}, so that {reference} is 1. Mean over the steps: {errors}."
    rows = [
        [
            model_cell(result, row.model),
            number_cell(row.step, str(row.step)),
            skill_cell(row.skill),
            interval_cell(row.skill_low, row.skill_high),
            p_cell(row.p_holm),
            Cell(row.finding),
        ]
        for row in table.itertuples()
    ]
    headings = ["Model", "Step", "Skill", "90% interval", "p (adjusted)", f"Against {reference}"]
    return draw_figure(partial(plots.plot_error_by_step, result), text, 4.0, Table(headings, rows))


def by_series(result: BacktestResult, loss: str) -> tuple[str, Figure] | None:
    """Return how many series each model wins as text, with the skill on each series; None with a single series."""
    found = result.by_series(result.reference, loss=loss)
    table, names = found.series, list(dict.fromkeys(found.series["model"]))
    if table["unique_id"].nunique() < 2 or not names:
        return None
    wide = table.pivot(index="unique_id", columns="model", values="skill")[names]
    chosen, which = notable_series(result)
    order = wide[wide.index.isin(chosen)].mean(axis=1).sort_values(ascending=False).index
    rows = [[Cell(str(name)), *map(skill_cell, wide.loc[name])] for name in order]
    text = f"{'; '.join(_wins(row) for row in found.models.itertuples())}."
    if len(wide) > plots.MOST_DOTS:
        text += (
            f" Of {len(wide):,} series, {plots.MOST_DOTS} are drawn for each model, evenly spaced in order of skill."
        )
    text += f" The table below lists {which}." if which else ""
    draw = partial(plots.plot_by_series, result, loss=loss)
    height = 0.75 + 0.42 * len(names)
    return text, draw_figure(draw, f"Skill on each series. {text}", height, Table(["Series", *names], rows))


def each_by_series(result: BacktestResult, judged: Verdicts) -> list[tuple[str, str, Figure]]:
    """Return the question, the text and the figure of each verdict by series; none with a single series."""
    found = [(verdict.question, by_series(result, verdict.loss)) for verdict in judged.main]
    return [(question, *figure) for question, figure in found if figure is not None]


def _wins(row: Any) -> str:
    """Return on how many series a model is better, as text."""
    share = f"{row.model}: better on {row.win_rate:.0%} of {row.series} series"
    interval = f" ({row.win_rate_low:.0%} to {row.win_rate_high:.0%})" if row.win_rate_low == row.win_rate_low else ""
    return f"{share}{interval}, significantly on {row.better}, worse on {row.worse}"


def through_time(result: BacktestResult) -> Figure | None:
    """Return the cumulative skill of each model."""
    table = plots.skill_through_time(result)
    if table.empty:
        return None
    text = "Cumulative skill from the first cutoff on, model by model; the table below contains the numbers."
    shown = table.iloc[plots.evenly(len(table), MAX_ROWS)]
    rows = [[Cell(format_date(cutoff)), *map(skill_cell, skills)] for cutoff, skills in shown.iterrows()]
    draw = partial(plots.plot_skill_through_time, result)
    return draw_figure(draw, text, 3.6, Table(["Up to", *table.columns], rows))


def calibration(result: BacktestResult) -> Figure | None:
    """Return the share of outcomes below each forecast quantile."""
    table = plots.calibration(result)
    if table.empty:
        return None
    text = "Share of outcomes below each forecast quantile, model by model; the table below contains the numbers."
    rows = [[model_cell(result, name), *map(percent_cell, shares)] for name, shares in table.iterrows()]
    headings = ["Model", *(f"Below quantile {level:g}" for level in table.columns)]
    height = 0.75 + 0.3 * len(table)
    return draw_figure(partial(plots.plot_calibration, result), text, height, Table(headings, rows))


def training(result: BacktestResult) -> Figure | None:
    """Return the training loss of the networks."""
    table = plots.training_curves(result)
    if table.empty:
        return None
    ends = table.groupby(["model", "member", "cutoff"], sort=False)["loss"].agg(["first", "last"])
    text = "Training loss by step, divided by the first loss; the table below contains the numbers."
    rows = [
        [model_cell(result, name), number_cell(len(fits), f"{len(fits):,}")]
        + [decimal_cell(x, 4) for x in (*fits.mean(), (fits["last"] / fits["first"]).mean())]
        for name, fits in ends.groupby("model", sort=False)
    ]
    headings = ["Model", "Fits", "First loss", "Last loss", "Last ÷ first"]
    return draw_figure(partial(plots.plot_training, result), text, 3.4, Table(headings, rows))


def folds(result: BacktestResult) -> Figure:
    """Return the training and test rows of each fold."""
    cv, index = result.cv, pd.RangeIndex(result.spec["data"]["rows"])
    refit = result.spec["refit"]
    table = plots.folds(cv, index, refit)
    shown = plots.drawn_folds(table["fitted"].to_numpy())
    rows = [
        [
            number_cell(i + 1, str(i + 1)),
            Cell(f"{fold.train_first:,} to {fold.train_last:,}"),
            Cell(f"{fold.test_first:,} to {fold.test_last:,}"),
            Cell("yes" if fold.fitted else "no"),
        ]
        for i, fold in zip(shown, table.iloc[shown].itertuples(), strict=True)
    ]
    text = "Rows that models were trained on, and rows that they were tested on, cutoff by cutoff."
    height = 0.9 + 0.13 * min(len(shown), plots.MOST_FOLDS) + 0.03 * max(len(shown) - plots.MOST_FOLDS, 0)
    headings = ["Cutoff", "Trained on rows", "Tested on rows", "Refitted"]
    return draw_figure(partial(plots.plot_folds, cv, index, refit), text, height, Table(headings, rows))
