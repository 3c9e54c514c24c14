"""One HTML file that says what a backtest found: it opens offline, in any browser, years from now."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from forecast import plots
from forecast.panel import label
from forecast.report import cells
from forecast.report.explorer import explorer_data
from forecast.scores import NAIVE, interval_columns
from forecast.significance import ALPHA, POWER, Verdict

if TYPE_CHECKING:
    from forecast.backtest import BacktestResult

MAX_LISTED = 100  # rows of a list of failures, warnings or skipped series


def write_report(result: BacktestResult, path: str | Path) -> None:
    """Write what a run found as one HTML file that can be mailed, archived and opened offline.

    The verdict comes first, then the leaderboard, the error by step, an explorer of every forecast against the truth,
    how honest the intervals were, and what was run. The file is written beside its place and renamed, so it is whole
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
    low, high = _band(result)
    parts = {
        "source": escape(str(result.spec["data"]["source"])),
        "scope": escape(_scope(result)),
        "verdict": _verdict(result),
        "rule": f"{ALPHA:g}",
        "power": f"{POWER:.0%}",
        "leaderboard": _leaderboard(result),
        "band": f"{low:g} and the {high:g}",
        "inside": f"{high - low:.0%}",
        "error_by_step": _error_by_step(result),
        "calibration": _calibration(result),
        "explorer_note": escape(note),
        "run": _run(result),
        "trouble": _trouble(result),
        "data": data,
        "plotly": get_plotlyjs(),
    }
    template = (files("forecast.report") / "template.html").read_text(encoding="utf-8")
    return Template(template).substitute(parts)


def _band(result: BacktestResult) -> tuple[float, float]:
    ends = interval_columns(result.forecasts)
    return (float(ends[0][1:]), float(ends[1][1:])) if ends else (0.1, 0.9)


def _scope(result: BacktestResult) -> str:
    cutoffs, ahead = result.forecasts["cutoff"].drop_duplicates(), cells.count(result.spec["cv"]["horizon"], "step")
    span = f"{cells.count(len(cutoffs), 'cutoff')}, {label(cutoffs.min())} to {label(cutoffs.max())}"
    return f"{ahead} ahead · {span} · {result.forecasts['unique_id'].nunique()} series"


def _verdict(result: BacktestResult) -> str:
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
            cells.p_value(row.p_worse_holm if row.finding == "worse" else row.p_holm),
            cells.number(row.detectable, cells.percent(row.detectable) if row.detectable < 1 else "none"),
        ]
        for row in verdict.table.itertuples()
    ]
    return cells.table(["Model", f"Against {verdict.against}", "Skill", "p (adjusted)", "Could have shown"], rows)


def _leaderboard(result: BacktestResult) -> str:
    board, (low, high) = result.leaderboard(), _band(result)
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


def _error_by_step(result: BacktestResult) -> str:
    table = plots.error_by_step(result)
    if table.empty:
        return '<p class="note">Naive was never wrong, or the models share no forecast: nothing to compare.</p>'
    said = ", ".join(f"{name} {table[name].mean():.3f}" for name in table if name != NAIVE)
    text = f"Error by step over naive’s, which is 1. Mean over the steps: {said or 'no other model was run'}."
    rows = [
        [cells.number(step, str(step)), *(cells.number(x, cells.fixed(x, 4)) for x in table.loc[step])]
        for step in table.index
    ]
    return _picture(plots.plot_error_by_step, result, text, 4.0, cells.table(["Step", *table.columns], rows))


def _calibration(result: BacktestResult) -> str:
    table = plots.calibration(result)
    if table.empty:
        return '<p class="note">No model of this run gives quantiles.</p>'
    text = "Share of outcomes below each forecast quantile, model by model; the table below has the numbers."
    rows = [
        [cells.model(result, name), *(cells.number(x, cells.percent(x)) for x in shares)]
        for name, shares in table.iterrows()
    ]
    heads = ["Model", *(f"Below quantile {level:g}" for level in table.columns)]
    return _picture(plots.plot_calibration, result, text, 0.75 + 0.3 * len(table), cells.table(heads, rows))


def _picture(plot: Callable[..., Any], result: BacktestResult, text: str, height: float, table: str) -> str:
    """Draw twice, for a wide and for a narrow window (scaling one down would leave letters that nobody can read)."""
    drawn = [
        f'<div class="{name}">{plots.as_svg(plot, result, (width, height), text)}</div>'
        for name, width in (("wide", 8.6), ("narrow", 4.4))
    ]
    return f'<div class="picture">{"".join(drawn)}</div>{cells.details("The numbers behind the picture", table)}'


def _run(result: BacktestResult) -> str:
    """Say what was run, so that it can be run again: the data, the walk, the models, the versions."""
    spec, data, fits = result.spec, result.spec["data"], result.fits
    missing = ", ".join(f"{count:,} in {name}" for name, count in data["missing"].items())
    target, *read = data["channels"]
    items = {
        "Data": f"{data['source']}: {cells.count(data['rows'], 'row')}, {data['first']} to {data['last']}",
        "Series": ", ".join(data["series"]),
        "Column": target + (f"; models may also read {', '.join(read)}" if read else ""),
        "Missing rows": missing or "none inside a series",
        "Fingerprint": f"sha256 {data['sha256']}",
        "Walk forward": _walk(spec),
        "Work": f"{cells.count(len(fits), 'fit')} in {fits['seconds_fit'].sum():,.1f} s, "
        f"forecasts in {fits['seconds_predict'].sum():,.1f} s",
        "Versions": ", ".join(f"{name} {number}" for name, number in spec["versions"].items()),
    }
    models = {name: f"<code>{escape(_call(model))}</code>" for name, model in spec["models"].items()}
    return f"{_facts({k: escape(v) for k, v in items.items()})}\n<h3>Models</h3>\n{_facts(models)}"


def _facts(items: dict[str, str]) -> str:
    return f'<dl class="facts">{"".join(f"<div><dt>{escape(k)}</dt><dd>{v}</dd></div>" for k, v in items.items())}</dl>'


def _walk(spec: dict[str, Any]) -> str:
    cv, refit = spec["cv"], spec["refit"]
    step, ahead = cells.count(cv["step_size"] or cv["horizon"], "row"), cells.count(cv["horizon"], "row")
    often = "every cutoff" if refit == 1 else f"every {refit}th cutoff"
    rows = f"the newest {cv['train_size']:,} rows" if cv["train_size"] else "all rows"
    embargo = f" but for the newest {cv['embargo']:,} (embargo)" if cv["embargo"] else ""
    said = f"{cells.count(cv['n_windows'], 'cutoff')}, {step} apart, each with a forecast of the next {ahead}. "
    said += f"Models are fitted anew at {often}, on {rows} up to it{embargo}. "
    said += "In between they see every new row, with their parameters frozen. " if refit > 1 else ""
    return said + f"MASE’s ordinary move is over {cells.count(spec['season'], 'row')}."


def _call(model: Any) -> str:
    """Write a model of the spec as the Python call that makes it."""
    if isinstance(model, dict) and "class" in model:
        return f"{model['class']}({', '.join(f'{key}={_call(value)}' for key, value in model['params'].items())})"
    return f"({', '.join(map(_call, model))})" if isinstance(model, list) else repr(model)


def _trouble(result: BacktestResult) -> str:
    """List what failed, warned or was left out: nothing is passed over in silence."""
    fits, skipped = result.fits, result.skipped
    failed = fits[fits["error"] != ""]
    heard: Counter[tuple[str, str]] = Counter()
    for model, details in zip(fits["model"], fits["details"], strict=True):
        heard.update((str(model), str(message)) for message in json.loads(details).get("warnings", []))
    lists = {
        f"Failed fits: {len(failed):,} of {len(fits):,}": (
            ["Model", "Cutoff", "Reason"],
            [
                [cells.model(result, fit.model), cells.cell(label(fit.cutoff)), cells.cell(fit.error)]
                for fit in failed.itertuples()
            ],
        ),
        f"Warnings: {int(fits['warnings'].sum()):,}": (
            ["Model", "In fits", "Warning"],
            [
                [cells.model(result, name), cells.number(n, f"{n:,}"), cells.cell(said)]
                for (name, said), n in heard.most_common()
            ],
        ),
        "Series that took no part at some cutoffs": (
            ["Series", "Reason", "Cutoffs", "From", "To"],
            [[cells.cell(value) for value in row] for row in skipped.itertuples(index=False)],
        ),
        "What is odd about the prices": (
            ["Series", "Finding"],
            [
                [cells.cell(name or "all"), cells.cell(said)]
                for name, said in result.spec["data"].get("report", {}).get("findings", [])
            ],
        ),
    }
    parts = []
    for title, (heads, rows) in lists.items():
        more = f", the first {MAX_LISTED}" if len(rows) > MAX_LISTED else ""
        parts += [f"<h3>{title}{more}</h3>\n{cells.table(heads, rows[:MAX_LISTED])}"] if rows else []
    none = "No fit failed, no model warned, no series was left out, and nothing is odd about the prices."
    return "\n".join(parts) or f'<p class="note">{none}</p>'
