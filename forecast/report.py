"""One HTML file that says what a backtest found: it opens offline, in any browser, years from now."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast import plots
from forecast.panel import label
from forecast.scores import NAIVE, interval_columns
from forecast.significance import ALPHA, POWER, Verdict

if TYPE_CHECKING:
    from forecast.backtest import BacktestResult

#: The explorer shows at most so many forecasts (series × cutoff × step × model): 2.5 MB of numbers.
MAX_ROWS = 80_000
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

    data, note = explorer(result)
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
    template = (files("forecast") / "report_template.html").read_text(encoding="utf-8")
    return Template(template).substitute(parts)


def _band(result: BacktestResult) -> tuple[float, float]:
    ends = interval_columns(result.forecasts)
    return (float(ends[0][1:]), float(ends[1][1:])) if ends else (0.1, 0.9)


def _scope(result: BacktestResult) -> str:
    cutoffs, ahead = result.forecasts["cutoff"].drop_duplicates(), _count(result.spec["cv"]["horizon"], "step")
    span = f"{_count(len(cutoffs), 'cutoff')}, {label(cutoffs.min())} to {label(cutoffs.max())}"
    return f"{ahead} ahead · {span} · {result.forecasts['unique_id'].nunique()} series"


def _verdict(result: BacktestResult) -> str:
    """Write the verdict against naive, model by model, then the same against ARIMA where nets were run with it."""
    first, *others = result.verdicts()
    size = " long" if len(first.sentence) > 160 else ""
    parts = [f'<p class="verdict{size}">{escape(first.sentence)}</p>']
    parts += [f'<p class="second">{escape(verdict.sentence)}</p>' for verdict in others]
    parts += [_findings(result, first)] if len(first.table) else []
    parts += [_details(f"The same against {other.against}", _findings(result, other)) for other in others]
    return "\n".join(parts)


def _findings(result: BacktestResult, verdict: Verdict) -> str:
    marks = {"better": "▲ better", "worse": "▼ worse", "identical": "= the same forecasts"}
    rows = [
        [
            _model(result, row.model),
            f'<td class="{escape(row.finding.split()[0])}">{escape(marks.get(row.finding, row.finding))}</td>',
            _number(row.skill, _skill(row.skill)),
            _number(row.p_holm, "< 0.001" if row.p_holm < 0.001 else _fixed(row.p_holm, 3)),
            _number(row.detectable, _percent(row.detectable) if row.detectable < 1 else "none"),
        ]
        for row in verdict.table.itertuples()
    ]
    return _table(["Model", f"Against {verdict.against}", "Skill", "p (adjusted)", "Could have shown"], rows)


def _leaderboard(result: BacktestResult) -> str:
    board, (low, high) = result.leaderboard(), _band(result)
    known: dict[Any, tuple[str, Callable[[float], str]]] = {
        "skill": ("Skill", _skill),
        "mase": ("MASE", lambda x: _fixed(x, 3)),
        "rmse": ("RMSE", _figures(board["rmse"])),
        "mae": ("MAE", _figures(board["mae"])),
        "coverage": (f"In {high - low:.0%} band", _percent),
        "direction": ("Direction", _percent),
        "win_rate": ("Wins", _percent),
        "seconds_fit": ("Fit s", lambda x: _fixed(x, 2)),
        "seconds_predict": ("Forecast s", lambda x: _fixed(x, 2)),
        "failures": ("Failed", lambda x: _fixed(x, 0)),
    }
    shown = [known.get(name, (str(name), _figures(board[name]))) for name in board]
    cells = [[_number(x, write(x)) for x in board[name]] for name, (_, write) in zip(board, shown, strict=True)]
    rows = [[_model(result, model), *row] for model, *row in zip(board.index, *cells, strict=True)]
    return _table(["Model", *(title for title, _ in shown)], rows, 'id="leaderboard"')


def _error_by_step(result: BacktestResult) -> str:
    table = plots.error_by_step(result)
    if table.empty:
        return '<p class="note">Naive was never wrong, or the models share no forecast: nothing to compare.</p>'
    said = ", ".join(f"{name} {table[name].mean():.3f}" for name in table if name != NAIVE)
    text = f"Error by step over naive’s, which is 1. Mean over the steps: {said or 'no other model was run'}."
    rows = [[_number(step, str(step)), *(_number(x, _fixed(x, 4)) for x in table.loc[step])] for step in table.index]
    return _picture(plots.plot_error_by_step, result, text, 4.0, _table(["Step", *table.columns], rows))


def _calibration(result: BacktestResult) -> str:
    table = plots.calibration(result)
    if table.empty:
        return '<p class="note">No model of this run gives quantiles.</p>'
    text = "Share of outcomes below each forecast quantile, model by model; the table below has the numbers."
    rows = [[_model(result, name), *(_number(x, _percent(x)) for x in shares)] for name, shares in table.iterrows()]
    heads = ["Model", *(f"Below quantile {level:g}" for level in table.columns)]
    return _picture(plots.plot_calibration, result, text, 0.75 + 0.3 * len(table), _table(heads, rows))


def _picture(plot: Callable[..., Any], result: BacktestResult, text: str, height: float, table: str) -> str:
    """Draw twice, for a wide and for a narrow window (scaling one down would leave letters that nobody can read)."""
    drawn = [
        f'<div class="{name}">{plots.as_svg(plot, result, (width, height), text)}</div>'
        for name, width in (("wide", 8.6), ("narrow", 4.4))
    ]
    return f'<div class="picture">{"".join(drawn)}</div>{_details("The numbers behind the picture", table)}'


def explorer(result: BacktestResult) -> tuple[str, str]:
    """Give the explorer's data as JSON that is safe inside a page, and a sentence on what was left out, if anything.

    `paths[model][series]` holds y, low and high, each flat over cutoffs × steps; `truth[series]` is aligned with
    `time`; `at[k]` is where cutoff k stands in `time`, and its step h is at `at[k] + h`.
    """
    table, cutoffs, notes = _thinned(result.forecasts[result.forecasts["member"] == 0])
    horizon, step = result.spec["cv"]["horizon"], result.spec["cv"]["step_size"]
    if (step or horizon) > horizon + 1:
        notes.append("Rows that no model forecast are not part of a run: the truth is joined by straight lines there.")
    dated = isinstance(cutoffs, pd.DatetimeIndex)
    time = cutoffs.append(pd.Index(table["ds"])).unique().sort_values()
    series = [str(name) for name in table["unique_id"].unique()]
    said = dict(iter(table.groupby(["model", "unique_id"], observed=True)))
    ends = interval_columns(table) or ()
    looks = {name: style for name, style in plots.styles(result).items() if (table["model"] == name).any()}
    best = next((name for name in result.leaderboard().index if name in looks and name != NAIVE), NAIVE)
    data = {
        "series": series,
        "horizon": horizon,
        "dated": dated,
        "time": [label(when) for when in time.tz_localize(None)] if dated else time.tolist(),  # the clock on the wall
        "at": time.get_indexer(cutoffs).tolist(),
        "truth": [_numbers(plots.truth(result, name).reindex(time)) for name in series],
        "models": [{"name": name, "colour": style.colour} for name, style in looks.items()],
        "first": list(looks).index(best),  # what the explorer opens with
        "paths": [[_path(said.get((m, s)), ends, cutoffs, horizon) for s in series] for m in looks],
        "band": [f"{float(end[1:]):g}" for end in ends],
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e"), " ".join(notes)


def _thinned(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.Index, list[str]]:
    """Keep the newest cutoffs, as many as fit (if not even one does: the first series), and say what was left out."""
    notes = []
    per_cutoff = table.groupby("cutoff").size().sort_index(ascending=False)
    fitting = max(int((per_cutoff.cumsum() <= MAX_ROWS).sum()), 1)
    cutoffs = per_cutoff.index[:fitting].sort_values()
    if fitting < len(per_cutoff):
        notes.append(f"To keep the file small, this shows only the newest {fitting:,} of {len(per_cutoff):,} cutoffs.")
        table = table[table["cutoff"].isin(cutoffs)]
    series = table["unique_id"].unique()
    allowed = max(MAX_ROWS * len(series) // len(table), 1)
    if allowed < len(series):
        notes.append(f"Of {len(series):,} series, it shows only the first {allowed:,}.")
        table = table[table["unique_id"].isin(series[:allowed])]
    return table, cutoffs, notes


def _path(rows: pd.DataFrame | None, ends: tuple[str, ...], cutoffs: pd.Index, horizon: int) -> dict[str, Any]:
    """Lay one model's forecasts of one series out flat, over cutoffs × steps; null where there is none."""
    path = {}
    for key, column in {"y": "y_hat", **dict(zip(("low", "high"), ends, strict=False))}.items():
        flat = np.full(len(cutoffs) * horizon, np.nan)
        if rows is not None:  # the model gave at least one
            flat[cutoffs.get_indexer(rows["cutoff"]) * horizon + rows["step"].to_numpy() - 1] = rows[column]
        path[key] = _numbers(flat)
    return path


def _numbers(values: Iterable[float]) -> list[float | None]:
    """Round to what a screen can show; JSON has no NaN."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]


def _run(result: BacktestResult) -> str:
    """Say what was run, so that it can be run again: the data, the walk, the models, the versions."""
    spec, data, fits = result.spec, result.spec["data"], result.fits
    missing = ", ".join(f"{count:,} in {name}" for name, count in data["missing"].items())
    target, *read = data["channels"]
    items = {
        "Data": f"{data['source']}: {_count(data['rows'], 'row')}, {data['first']} to {data['last']}",
        "Series": ", ".join(data["series"]),
        "Column": target + (f"; models may also read {', '.join(read)}" if read else ""),
        "Missing rows": missing or "none inside a series",
        "Fingerprint": f"sha256 {data['sha256']}",
        "Walk forward": _walk(spec),
        "Work": f"{_count(len(fits), 'fit')} in {fits['seconds_fit'].sum():,.1f} s, "
        f"forecasts in {fits['seconds_predict'].sum():,.1f} s",
        "Versions": ", ".join(f"{name} {number}" for name, number in spec["versions"].items()),
    }
    models = {name: f"<code>{escape(_call(model))}</code>" for name, model in spec["models"].items()}
    return f"{_facts({k: escape(v) for k, v in items.items()})}\n<h3>Models</h3>\n{_facts(models)}"


def _facts(items: dict[str, str]) -> str:
    return f'<dl class="facts">{"".join(f"<div><dt>{escape(k)}</dt><dd>{v}</dd></div>" for k, v in items.items())}</dl>'


def _walk(spec: dict[str, Any]) -> str:
    cv, refit = spec["cv"], spec["refit"]
    step, ahead = _count(cv["step_size"] or cv["horizon"], "row"), _count(cv["horizon"], "row")
    often = "every cutoff" if refit == 1 else f"every {refit}th cutoff"
    rows = f"the newest {cv['train_size']:,} rows" if cv["train_size"] else "all rows"
    embargo = f" but for the newest {cv['embargo']:,} (embargo)" if cv["embargo"] else ""
    said = f"{_count(cv['n_windows'], 'cutoff')}, {step} apart, each with a forecast of the next {ahead}. "
    said += f"Models are fitted anew at {often}, on {rows} up to it{embargo}. "
    said += "In between they see every new row, with their parameters frozen. " if refit > 1 else ""
    return said + f"MASE’s ordinary move is over {_count(spec['season'], 'row')}."


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
            [[_model(result, fit.model), _cell(label(fit.cutoff)), _cell(fit.error)] for fit in failed.itertuples()],
        ),
        f"Warnings: {int(fits['warnings'].sum()):,}": (
            ["Model", "In fits", "Warning"],
            [[_model(result, name), _number(n, f"{n:,}"), _cell(said)] for (name, said), n in heard.most_common()],
        ),
        "Series that took no part at some cutoffs": (
            ["Series", "Reason", "Cutoffs", "From", "To"],
            [[_cell(value) for value in row] for row in skipped.itertuples(index=False)],
        ),
    }
    parts = []
    for title, (heads, rows) in lists.items():
        more = f", the first {MAX_LISTED}" if len(rows) > MAX_LISTED else ""
        parts += [f"<h3>{title}{more}</h3>\n{_table(heads, rows[:MAX_LISTED])}"] if rows else []
    return "\n".join(parts) or '<p class="note">No fit failed, no model warned, and no series was left out.</p>'


def _details(title: str, inside: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"


def _table(heads: Sequence[str], rows: list[list[str]], attributes: str = "") -> str:
    """Lay out cells that are HTML already; a head is a title, set to the right over numbers."""
    right = [" class=n" if all('class="n"' in row[i] for row in rows) else "" for i in range(len(heads))]
    titles = [f'<th scope="col"{side}>{escape(head)}</th>' for head, side in zip(heads, right, strict=True)]
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    head = f"<thead><tr>{''.join(titles)}</tr></thead>"
    return f'<div class="scroll"><table {attributes}>{head}<tbody>\n{body}\n</tbody></table></div>'


def _model(result: BacktestResult, name: Any) -> str:
    style = plots.styles(result)[str(name)]
    text = escape(str(name))
    return f'<th scope="row" data-value="{text}"><i style="background:{style.colour}"></i>{text}</th>'


def _cell(value: Any) -> str:
    return f"<td>{escape(str(value))}</td>"


def _number(value: float, text: str) -> str:
    exact = repr(float(value)) if math.isfinite(value) else ""
    return f'<td class="n" data-value="{exact}">{escape(text)}</td>'


def _figures(values: pd.Series) -> Callable[[float], str]:
    """Choose how to write a column: with the decimals that give its largest number four figures."""
    largest = values.abs().max()
    decimals = 3 - math.floor(math.log10(largest)) if largest > 0 else 0
    return (lambda x: f"{x:.3e}") if not -6 < decimals < 9 else (lambda x: _fixed(x, max(decimals, 0)))


def _fixed(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}".replace("-", "−") if math.isfinite(value) else "–"


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("-", "−") if math.isfinite(share) else "–"


def _skill(share: float) -> str:
    """Write a skill to the hundredth of a percent, for on prices it is small."""
    return f"{share:+.2%}".replace("-", "−") if math.isfinite(share) else "–"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
