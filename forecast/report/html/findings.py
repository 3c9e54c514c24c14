"""Tables of the verdicts, of the leaderboard and of the Model Confidence Set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast.evaluation import ALPHA, Verdict, Verdicts
from forecast.evaluation.by_period import MIN_CUTOFFS
from forecast.evaluation.losses import common_rows, model_names
from forecast.evaluation.scores import scores
from forecast.evaluation.text import count, join_names
from forecast.models.base import quantile_columns
from forecast.report import plots
from forecast.report.html.notable import notable_series
from forecast.report.html.tables import (
    Cell,
    Table,
    decimal_cell,
    four_digits,
    interval_cell,
    model_cell,
    number_cell,
    p_cell,
    percent_cell,
    skill_cell,
)

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

SIZE = ALPHA  # of the Model Confidence Set: the probability that the best model is missing, as in the verdict
LOSS_NAMES = {
    "squared": "squared error",
    "absolute": "absolute error",
    "pinball": "quantile loss",
    "qlike": "QLIKE loss",
}
SMALL_FALL = 0.05  # of a training loss: less is "hardly"
MAX_SCORES = 200  # rows of the scores by series
MARKS = {"better": "▲ better", "worse": "▼ worse", "identical": "= the same forecasts"}


@dataclass(frozen=True)
class VerdictSection:
    """The verdict on a question: what it rests on, its table, and the tables of the networks against ARIMA."""

    question: str
    note: str
    against: str
    loss: str
    table: Table
    networks: dict[str, Table]  # by the name of the ARIMA model


def verdicts(result: BacktestResult, judged: Verdicts) -> list[VerdictSection]:
    """Return a section for each question."""
    return [
        VerdictSection(
            question.verdict.question,
            question.verdict.note,
            question.verdict.against,
            LOSS_NAMES[question.verdict.loss],
            _verdict_table(result, question.verdict),
            {verdict.against: _verdict_table(result, verdict) for verdict in question.networks},
        )
        for question in judged.questions
    ]


def _verdict_table(result: BacktestResult, verdict: Verdict) -> Table:
    has_signal = bool(verdict.table["p_signal"].notna().any())
    rows = [
        [
            model_cell(result, row.model),
            Cell(MARKS.get(row.finding, row.finding), style=row.finding.split()[0]),
            skill_cell(row.skill),
            interval_cell(row.low, row.high),
            p_cell(row.p_worse_holm if row.finding == "worse" else row.p_holm),
            percent_cell(row.detectable),
            *([p_cell(row.p_signal)] if has_signal else []),
        ]
        for row in verdict.ranked.itertuples()
    ]
    headings = ["Model", f"Against {verdict.against}", "Skill", "90% interval", "p (adjusted)", "Could have shown"]
    return Table([*headings, "Signal"] if has_signal else headings, rows)


def leaderboard(result: BacktestResult) -> Table:
    """Return the leaderboard."""
    board = result.leaderboard()
    known: dict[Any, tuple[str, Callable[[float], Cell]]] = {
        "skill": ("Skill", skill_cell),
        "spread": ("Spread", skill_cell),
        "mase": ("MASE", partial(decimal_cell, decimals=3)),
        "rmse": ("RMSE", four_digits(board["rmse"])),
        "mae": ("MAE", four_digits(board["mae"])),
        "coverage": ("Coverage", percent_cell),
        "direction": ("Direction", percent_cell),
        "win_rate": ("Wins", percent_cell),
        "seconds_fit": ("Fit s", partial(decimal_cell, decimals=2)),
        "seconds_predict": ("Forecast s", partial(decimal_cell, decimals=2)),
        "failures": ("Failed", partial(decimal_cell, decimals=0)),
    }
    columns = [known.get(name, (str(name), four_digits(board[name]))) for name in board]
    cells = [[as_cell(x) for x in board[name]] for name, (_, as_cell) in zip(board, columns, strict=True)]
    flags = _coverage_flags(result, board["coverage"])
    rows = [
        [model_cell(result, model, flags.get(str(model), "")), *row]
        for model, *row in zip(board.index, *cells, strict=True)
    ]
    return Table(["Model", *(heading for heading, _ in columns)], rows, id="leaderboard")


def _coverage_flags(result: BacktestResult, coverage: pd.Series) -> dict[str, str]:
    """Return which models have intervals that are far too wide or narrow, by name.

    The share of outcomes outside is less than half, or more than one and a half times, what it should be, and that is
    no chance: p below .05 in a binomial test that counts each cutoff once.
    """
    from scipy.stats import binomtest

    (low, high), flags = band(result), {}
    stated = 1 - (high - low)
    n = max(result.forecasts["cutoff"].nunique() // result.overlap, 1)
    for name, outside in (1 - coverage.dropna()).items():
        is_far = outside < stated / 2 or outside > 1.5 * stated
        if is_far and binomtest(round(outside * n), n, stated).pvalue < ALPHA:
            flags[str(name)] = f"band too {'wide' if outside < stated else 'narrow'}"
    return flags


def band(result: BacktestResult) -> tuple[float, float]:
    """Return the lowest and highest quantile level of the run."""
    levels = list(quantile_columns(result.forecasts.columns))
    return (levels[0], levels[-1]) if len(levels) > 1 else (0.1, 0.9)


def changes(result: BacktestResult) -> str:
    """Return whether models are better or worse than the reference during a part of the run only, as a sentence."""
    reference, found = result.reference, []
    for name in model_names(result.forecasts):
        if name == reference:
            continue
        test = result.fluctuation_test(name, reference)
        if test.is_significant:
            largest = float(test.statistics[np.nanargmax(np.abs(test.statistics))])
            found.append((-abs(largest), f"{name} {'better' if largest > 0 else 'worse'}"))
    if not found:
        return f"No model is better or worse than {reference} in any part of the run (fluctuation test, 5%)."
    names = ", ".join(text for _, text in sorted(found))
    return f"In a part of the run these differ from {reference} (fluctuation test, 5%): {names}."


def coverage_tests(result: BacktestResult) -> Table | None:
    """Return the tests of the intervals of step 1, model by model: on how many series coverage is not as stated."""
    if not (common_rows(result.forecasts)["step"] == 1).any():
        return None
    table = result.interval_tests()
    tested = table[~table["finding"].isin(["no interval", "too few outcomes"])]
    if tested.empty:
        return None
    rows = []
    for name, group in tested.groupby("model", sort=False):
        found = group["finding"]
        rows.append([
            model_cell(result, name),
            *(percent_cell(group[column].mean()) for column in ("stated", "coverage")),
            *(number_cell(n, str(n)) for n in ((found == kind).sum() for kind in ("too narrow", "too wide"))),
            p_cell(group["p_coverage"].min()),
            p_cell(group["p_clustering"].min()),
        ])  # fmt: skip
    headings = ["Model", "Stated", "Observed", "Too narrow", "Too wide", "Smallest p (Kupiec)", "(Christoffersen)"]
    return Table(headings, rows)


def training_note(result: BacktestResult) -> str:
    """Return by how much the training losses of this run fall, and what that means; empty without a network."""
    table = plots.training_curves(result)
    if table.empty:
        return ""
    ends = table.groupby(["model", "member", "cutoff"], sort=False)["loss"].agg(["first", "last"])
    falls = (1 - ends["last"] / ends["first"]).groupby(level="model", sort=False).mean()
    if falls.max() < SMALL_FALL:
        by = f"hardly falls, by {falls.max():.1%} at most" if falls.max() >= 0.0005 else "does not fall"
        return f"Here it {by}: little in these series can be predicted."
    least, most = (f"{max(fall, 0):.0%}" for fall in (falls.min(), falls.max()))
    by = most if least == most else f"{least} to {most}"
    return f"Here it falls by {by} from the first value to the last; a falling loss is not yet skill."


def by_part(result: BacktestResult, table: pd.DataFrame) -> tuple[Table, str] | None:
    """Return the skill of each model in each part of the run, and which parts are left out; None for less than two."""
    sizes = table.drop_duplicates("period").set_index("period")["cutoffs"]
    headings = [f"{period} ({count(int(size), 'cutoff')})" for period, size in sizes.items()]
    small = [heading for heading, size in zip(headings, sizes, strict=True) if size < MIN_CUTOFFS]
    sizes = sizes[sizes >= MIN_CUTOFFS]
    if len(sizes) < 2:
        return None
    wide = table.pivot(index="model", columns="period", values="skill")
    rows = [
        [model_cell(result, name), *map(skill_cell, wide.loc[name, list(sizes.index)])]
        for name in plots.styles(result)
        if name in wide.index
    ]
    note = f"Left out, with fewer than {MIN_CUTOFFS} cutoffs: {join_names(small)}." if small else ""
    return Table(["Model", *(heading for heading in headings if heading not in small)], rows), note


def scores_by_series(result: BacktestResult) -> tuple[str, Table] | None:
    """Return the title and the table of the scores of each model on each series; None with a single series."""
    series, which = notable_series(result, max(MAX_SCORES // len(model_names(result.forecasts)), 1))
    rows = result.forecasts
    rows = rows[rows["unique_id"].isin(series)] if which else rows
    table = scores(rows, names=("mase", "rmse", "mae", "coverage"), reference=result.reference)
    if rows["unique_id"].nunique() < 2 or table.empty:
        return None
    cells = [
        [
            Cell(str(row.unique_id)),
            model_cell(result, row.model),
            decimal_cell(row.mase, 3),
            number_cell(row.rmse, f"{row.rmse:,.4g}"),
            number_cell(row.mae, f"{row.mae:,.4g}"),
            percent_cell(row.coverage),
        ]
        for row in table.sort_values(["unique_id", "mase"], kind="stable").itertuples()
    ]
    title = f"The scores of each model on {which or 'each series'}"
    return title, Table(["Series", "Model", "MASE", "RMSE", "MAE", "Coverage"], cells)


def confidence_set(result: BacktestResult, judged: Verdicts) -> tuple[str, str, Table] | None:
    """Return the Model Confidence Set: a sentence, how it relates to the verdict, a table; None of a single model."""
    table = result.confidence_set(SIZE)
    if len(table) < 2:
        return None
    excluded = table[~table["in_set"]]["model"].tolist()
    sentence = f"All {len(table)} models may be the best: none is excluded."
    if excluded:
        sentence = (
            f"{len(table) - len(excluded)} of {len(table)} models may be the best. Excluded: {', '.join(excluded)}."
        )
    rows = [
        [model_cell(result, row.model), Cell("may be the best" if row.in_set else "excluded"), p_cell(row.p)]
        for row in table.itertuples()
    ]
    return sentence, _relation(table, judged.main[0]), Table(["Model", "Finding", "p"], rows)


def _relation(table: pd.DataFrame, verdict: Verdict) -> str:
    """Return in one line why the set and the verdict may differ, for this run."""
    members = table[table["in_set"]]["model"].tolist()
    against, winners = verdict.against, verdict.models("better")
    rule = "The set lists what cannot be excluded as the best; the verdict, what is shown to be better."
    if not winners:
        if against in members:
            return (
                f"{rule} Both agree here: no model is shown to be better than {against}, which may be the best itself."
            )
        return f"{rule} Here {against} is excluded from the set, though no single model is shown to be better than it."
    others = [name for name in members if name not in winners]
    if not others:
        return f"{rule} Here every model in the set also beats {against}."
    return (
        f"{rule} Here {join_names(winners)} {'beats' if len(winners) == 1 else 'beat'} {against}; "
        f"{join_names(others)} may be the best too, but {'is' if len(others) == 1 else 'are'} not shown to be better."
    )
