"""The words and tables of the page: the verdict, the leaderboard, the models that may be the best."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from forecast.evaluation import ALPHA, Verdict
from forecast.evaluation.scores import interval_columns
from forecast.report.html import cells

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

SIZE = ALPHA  # of the Model Confidence Set, how often the best model may be missing from it: as the verdict has it


def verdict(result: BacktestResult) -> str:
    """Write the verdict against naive, model by model, then the same against ARIMA where nets were run with it."""
    first, *others = result.verdicts()
    size = " long" if len(first.sentence) > 160 else ""
    parts = [f'<p class="verdict{size}">{escape(first.sentence)}</p>']
    parts += [f'<p class="second">{escape(verdict.sentence)}</p>' for verdict in others]
    parts += [_findings(result, first)] if len(first.table) else []
    parts += [cells.details(f"The same against {other.against}", _findings(result, other)) for other in others]
    return "\n".join(parts)


def _findings(result: BacktestResult, verdict: Verdict) -> str:
    marks = {"better": "▲ better", "worse": "▼ worse", "identical": "= the same forecasts"}
    rows = [
        [
            cells.model(result, row.model),
            f'<td class="{escape(row.finding.split()[0])}">{escape(marks.get(row.finding, row.finding))}</td>',
            cells.number(row.skill, cells.skill(row.skill)),
            cells.interval(row.low, row.high),
            cells.p_value(row.p_worse_holm if row.finding == "worse" else row.p_holm),
            cells.number(row.detectable, cells.percent(row.detectable) if row.detectable < 1 else "none"),
        ]
        for row in verdict.table.itertuples()
    ]
    return cells.table(
        ["Model", f"Against {verdict.against}", "Skill", "90% interval", "p (adjusted)", "Could have shown"], rows
    )


def leaderboard(result: BacktestResult) -> str:
    """Write the leaderboard as a table that can be sorted."""
    board, (low, high) = result.leaderboard(), band(result)
    known: dict[Any, tuple[str, Callable[[float], str]]] = {
        "skill": ("Skill", cells.skill),
        "mase": ("MASE", lambda x: cells.fixed(x, 3)),
        "rmse": ("RMSE", cells.figures(board["rmse"])),
        "mae": ("MAE", cells.figures(board["mae"])),
        "coverage": (f"In {high - low:.0%} band", cells.percent),
        "direction": ("Direction", cells.percent),
        "win_rate": ("Wins", cells.percent),
        "seconds_fit": ("Fit s", lambda x: cells.fixed(x, 2)),
        "seconds_predict": ("Forecast s", lambda x: cells.fixed(x, 2)),
        "failures": ("Failed", lambda x: cells.fixed(x, 0)),
    }
    shown = [known.get(name, (str(name), cells.figures(board[name]))) for name in board]
    columns = [[cells.number(x, write(x)) for x in board[name]] for name, (_, write) in zip(board, shown, strict=True)]
    rows = [[cells.model(result, model), *row] for model, *row in zip(board.index, *columns, strict=True)]
    return cells.table(["Model", *(title for title, _ in shown)], rows, 'id="leaderboard"')


def band(result: BacktestResult) -> tuple[float, float]:
    """Give the levels between which the run's intervals lie."""
    ends = interval_columns(result.forecasts)
    return (float(ends[0][1:]), float(ends[1][1:])) if ends else (0.1, 0.9)


def confidence_set(result: BacktestResult) -> str:
    """Say which models may be the best, by the Model Confidence Set, and how sure it is of the others."""
    table = result.confidence_set(SIZE)
    if len(table) < 2:
        return '<p class="note">Only one model was run.</p>'
    outside = [escape(name) for name in table[~table["in_set"]]["model"]]
    said = f"All {len(table)} models may be the best: none is excluded."
    if outside:
        said = f"{len(table) - len(outside)} of {len(table)} models may be the best. Excluded: {', '.join(outside)}."
    rows = [
        [
            cells.model(result, row.model),
            cells.cell("may be the best" if row.in_set else "excluded"),
            cells.p_value(row.p),
        ]
        for row in table.itertuples()
    ]
    return f"<p>{said}</p>\n{cells.details('Model by model', cells.table(['Model', 'Finding', 'p'], rows))}"
