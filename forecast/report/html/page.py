"""The report: one HTML file with the findings of a backtest that opens offline in any browser."""

from __future__ import annotations

import base64
import gzip
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from forecast._io import atomic_file, user_path
from forecast._text import plain
from forecast.evaluation import ALPHA, POWER
from forecast.evaluation.losses import ZERO
from forecast.evaluation.shared import shared
from forecast.report.html import figures, findings, next_section, run_details
from forecast.report.html.explorer import explorer_data
from forecast.report.html.tables import Table

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult


#: The sections of the page by the id of their heading.
CONTENTS = {
    "leaderboard-section": "Leaderboard",
    "by-series": "Series by series",
    "confidence-set": "Models that may be the best",
    "by-step": "Skill by step",
    "through-time": "Skill through time",
    "explorer": "Forecasts and outcomes",
    "calibration": "Calibration",
    "training": "Training of the networks",
    "run": "Run",
    "next": "What comes next",
}


def write_report(result: BacktestResult, path: str | Path, loss: str | None = None) -> None:
    """Write the report of a run as one HTML file that can be mailed, archived and opened offline.

    It contains the verdicts (with `loss`, the one by that loss), the leaderboard, the models that may be the best, the
    error by step and through time, an interactive plot of every forecast, the calibration of the intervals, the
    training of the networks, what was run, and which problems occurred. Of a run with `predict_next`, the last section
    is what comes next. The file is complete or not written.

    Raises ValueError if the file cannot be written.
    """
    path = user_path(path)
    if path.is_dir():
        raise ValueError(f"cannot write to {path}: it is a folder. Name a file")
    page = render(result, loss)
    try:
        with atomic_file(path) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ValueError(f"cannot write to {path}: {error.strerror}. Name a file in an existing folder") from error


def _as_plain(value: object) -> object:
    """Return a text of the page without control and direction marks; markup is returned as it is."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@shared()
def render(result: BacktestResult, loss: str | None = None) -> str:
    """Return the report as the text of one HTML page; the same result always renders the same text."""
    data, note = explorer_data(result)
    judged = result.verdicts(loss)
    low, high = findings.band(result)
    each_series = figures.each_by_series(result, judged)
    context = {
        "contents": {id: title for id, title in CONTENTS.items() if id != "by-series" or each_series},
        "source": str(result.spec["data"]["source"]),
        "target": f"Forecast: {result.target}",
        "scope": run_details.scope(result),
        "reference": result.reference,
        "is_chosen": bool(result.spec.get("against")),
        "is_zero": result.reference == ZERO,
        "sentences": judged.sentences,
        "verdicts": findings.verdicts(result, judged),
        "extremes": judged.set_apart,
        "alpha": f"{ALPHA:g}",
        "power": f"{POWER:.0%}",
        "leaderboard": findings.leaderboard(result),
        "low": f"{low:g}",
        "high": f"{high:g}",
        "nominal": f"{high - low:.0%}",
        "confidence": f"{1 - findings.SIZE:.0%}",
        "confidence_set": findings.confidence_set(result, judged),
        "by_part": _parts(result),
        "scores_by_series": findings.scores_by_series(result),
        "by_series": each_series,
        "changes": findings.changes(result),
        "coverage_tests": findings.coverage_tests(result),
        "error_by_step": figures.error_by_step(result),
        "through_time": figures.through_time(result),
        "calibration": figures.calibration(result),
        "training": figures.training(result),
        "training_note": findings.training_note(result),
        "folds": figures.folds(result),
        "explorer_note": note,
        "run_facts": run_details.run_facts(result),
        "model_calls": run_details.model_calls(result),
        "problems": run_details.problems(result),
        "next": next_section.next_section(result),
        "data": data,
        "plotly": packed_plotly(),
    }
    return _environment().get_template("report.html").render(context)


@cache
def packed_plotly() -> str:
    """Return plotly's source, compressed by gzip, in base 64."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def _parts(result: BacktestResult) -> dict[str, tuple[Table, str]]:
    """Return the tables of the skill by year and by volatility, each with a note, by title; none of less than two."""
    tables = {
        "Period by period": findings.by_part(result, result.by_period(result.reference)),
        "In calm and in volatile times": findings.by_part(result, result.by_volatility(result.reference)),
    }
    return {title: table for title, table in tables.items() if table is not None}


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("forecast.report", "html"),
        autoescape=True,
        finalize=_as_plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
