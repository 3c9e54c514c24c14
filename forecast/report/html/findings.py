"""Tables of the verdicts, of the leaderboard and of the Model Confidence Set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.evaluation import ALPHA, Verdict, Verdicts
from forecast.evaluation.losses import common_rows
from forecast.models.base import quantile_columns
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
        for row in verdict.table.itertuples()
    ]
    headings = ["Model", f"Against {verdict.against}", "Skill", "90% interval", "p (adjusted)", "Could have shown"]
    return Table([*headings, "Signal"] if has_signal else headings, rows)


def leaderboard(result: BacktestResult) -> Table:
    """Return the leaderboard."""
    board, (low, high) = result.leaderboard(), band(result)
    known: dict[Any, tuple[str, Callable[[float], Cell]]] = {
        "skill": ("Skill", skill_cell),
        "spread": ("Spread", skill_cell),
        "mase": ("MASE", partial(decimal_cell, decimals=3)),
        "rmse": ("RMSE", four_digits(board["rmse"])),
        "mae": ("MAE", four_digits(board["mae"])),
        "coverage": (f"In {high - low:.0%} band", percent_cell),
        "direction": ("Direction", percent_cell),
        "win_rate": ("Wins", percent_cell),
        "seconds_fit": ("Fit s", partial(decimal_cell, decimals=2)),
        "seconds_predict": ("Forecast s", partial(decimal_cell, decimals=2)),
        "failures": ("Failed", partial(decimal_cell, decimals=0)),
    }
    columns = [known.get(name, (str(name), four_digits(board[name]))) for name in board]
    cells = [[as_cell(x) for x in board[name]] for name, (_, as_cell) in zip(board, columns, strict=True)]
    rows = [[model_cell(result, model), *row] for model, *row in zip(board.index, *cells, strict=True)]
    return Table(["Model", *(heading for heading, _ in columns)], rows, id="leaderboard")


def band(result: BacktestResult) -> tuple[float, float]:
    """Return the lowest and highest quantile level of the run."""
    levels = list(quantile_columns(result.forecasts.columns))
    return (levels[0], levels[-1]) if len(levels) > 1 else (0.1, 0.9)


def changes(result: BacktestResult) -> str:
    """Return whether models are better or worse than the reference during a part of the run only, as a sentence."""
    reference, found = result.reference, []
    for name in result.forecasts["model"].astype(str).unique():
        if name == reference:
            continue
        test = result.fluctuation_test(name, reference)
        if test.is_significant:
            is_better = test.statistics[np.nanargmax(np.abs(test.statistics))] > 0
            found.append(f"{name} {'better' if is_better else 'worse'}")
    if not found:
        return f"No model is better or worse than {reference} in any part of the run (fluctuation test, 5%)."
    return f"In a part of the run these differ from {reference} (fluctuation test, 5%): {', '.join(found)}."


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


def confidence_set(result: BacktestResult) -> tuple[str, Table] | None:
    """Return the Model Confidence Set as a sentence and a table; None if there is only one model."""
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
    return sentence, Table(["Model", "Finding", "p"], rows)
