"""One HTML file that says what a backtest found: it opens offline, in any browser, years from now."""

from __future__ import annotations

import os
import tempfile
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from forecast.data.panel import format_date
from forecast.evaluation import ALPHA, POWER
from forecast.report.html import cells, facts, findings, pictures
from forecast.report.html.explorer import explorer_data

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult


def write_report(result: BacktestResult, path: str | Path) -> None:
    """Write what a run found as one HTML file that can be mailed, archived and opened offline.

    The verdict comes first, then the leaderboard and the models that may be the best, the error by step and through
    time, an explorer of every forecast against the truth, how honest the intervals were, how the networks trained, what
    was run, and what went wrong. The file is written beside its place and renamed, so it is whole
    or not there. Raises ValueError if it cannot be written there.
    """
    place = Path(path)
    page = render(result)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as beside:
            new = Path(beside) / "report.html"
            new.write_text(page, encoding="utf-8")
            os.replace(new, place)
    except OSError as error:
        raise ValueError(f"cannot write to {place}: {error.strerror}. Name a file in a folder that is there") from error


def render(result: BacktestResult) -> str:
    """Give the report as the text of one HTML page; the same result gives the same text."""
    from plotly.offline import get_plotlyjs

    data, note = explorer_data(result)
    low, high = findings.band(result)
    parts = {
        "source": escape(str(result.spec["data"]["source"])),
        "scope": escape(_scope(result)),
        "verdict": findings.verdict(result),
        "rule": f"{ALPHA:g}",
        "power": f"{POWER:.0%}",
        "leaderboard": findings.leaderboard(result),
        "band": f"{low:g} and the {high:g}",
        "inside": f"{high - low:.0%}",
        "size": f"{1 - findings.SIZE:.0%}",
        "confidence_set": findings.confidence_set(result),
        "error_by_step": pictures.error_by_step(result),
        "through_time": pictures.through_time(result),
        "calibration": pictures.calibration(result),
        "training": pictures.training(result),
        "explorer_note": escape(note),
        "run": facts.facts(result),
        "walk": pictures.walk(result),
        "trouble": facts.trouble(result),
        "data": data,
        "plotly": get_plotlyjs(),
    }
    template = (files("forecast.report.html") / "report.html").read_text(encoding="utf-8")
    return Template(template).substitute(parts)


def _scope(result: BacktestResult) -> str:
    cutoffs, ahead = result.forecasts["cutoff"].drop_duplicates(), cells.count(result.spec["cv"]["horizon"], "step")
    span = f"{cells.count(len(cutoffs), 'cutoff')}, {format_date(cutoffs.min())} to {format_date(cutoffs.max())}"
    return f"{ahead} ahead · {span} · {result.forecasts['unique_id'].nunique()} series"
