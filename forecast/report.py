"""One HTML file that says what a backtest found: it opens offline, in any browser, years from now."""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from io import StringIO
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecast import plots
from forecast.panel import label
from forecast.scores import NAIVE, interval_columns
from forecast.significance import ALPHA, POWER

if TYPE_CHECKING:
    from forecast.backtest import BacktestResult

#: The explorer shows at most so many forecasts (series × cutoff × step × model): 2.5 MB of numbers.
MAX_ROWS = 80_000
MAX_LISTED = 100  # rows of a list of failures or skipped series


@dataclass(frozen=True)
class Column:
    """How the leaderboard writes a score, which way is better, and what it tells a trader."""

    title: str
    write: Callable[[pd.Series], list[str]]
    high_first: bool
    meaning: str


def write_report(result: BacktestResult, path: str | Path) -> Path:
    """Write what a run found as one HTML file that can be mailed, archived and opened offline.

    The verdict comes first, then the leaderboard, the error by step, an explorer of every forecast against the truth,
    how honest the intervals were, and what was run. The file is written beside its place and renamed, so it is whole
    or not there. Returns its path. Raises ValueError if it cannot be written there.
    """
    place = Path(path)
    if place.is_dir():
        raise ValueError(f"{place} is a folder: name a file in it, such as {place / 'report.html'}")
    page = render(result)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as beside:
            new = Path(beside) / "report.html"
            new.write_text(page, encoding="utf-8")
            os.replace(new, place)
    except OSError as error:
        raise ValueError(f"cannot write to {place}: {error.strerror or error}. Name another place") from error
    return place


def render(result: BacktestResult) -> str:
    """Give the report as the text of one HTML page; the same result gives the same text."""
    from plotly.offline import get_plotlyjs

    template = (files("forecast") / "report_template.html").read_text(encoding="utf-8")
    data, explorer_note = explorer(result)
    source = str(result.spec["data"]["source"])
    return Template(template).substitute(
        title=escape(f"{source}: forecast report"),
        source=escape(source),
        scope=escape(_scope(result)),
        verdict=_verdict(result),
        leaderboard=_leaderboard(result),
        error_by_step=_error_by_step(result),
        calibration=_calibration(result),
        explorer_note=escape(explorer_note),
        run=_run(result),
        trouble=_trouble(result),
        data=data,
        plotly=get_plotlyjs(),
    )


def _scope(result: BacktestResult) -> str:
    cutoffs, cv = result.forecasts["cutoff"].drop_duplicates(), result.spec["cv"]
    span = f"{label(cutoffs.min())} to {label(cutoffs.max())}"
    series = result.forecasts["unique_id"].nunique()
    return f"{_count(cv['horizon'], 'step')} ahead · {_count(len(cutoffs), 'cutoff')}, {span} · {series} series"


def _verdict(result: BacktestResult) -> str:
    """Write the verdict against naive, then against ARIMA if nets were run with it, then model by model."""
    against_naive = result.verdict()
    classes = {name: model.get("class") for name, model in result.spec["models"].items() if isinstance(model, dict)}
    scored = set(against_naive.table["model"])  # a model whose every fit failed has no forecasts to compare
    parts = [f'<p class="verdict">{escape(against_naive.sentence)}</p>']
    if "Recurrent" in classes.values():
        rivals = [name for name, kind in classes.items() if kind == "ARIMA" and name in scored]
        parts += [f'<p class="second">{escape(result.verdict(against=name).sentence)}</p>' for name in rivals]
    if against_naive.table.empty:
        return "\n".join(parts)
    rows = [
        [
            _model_cell(result, row.model),
            f'<td class="finding {str(row.finding).split()[0]}">{escape(_finding(row.finding))}</td>',
            _number_cell(row.skill, _percent(row.skill, sign=True)),
            _number_cell(row.p_holm, _p_value(row.p_holm)),
            _number_cell(row.detectable, _percent(row.detectable)),
        ]
        for row in against_naive.table.itertuples()
    ]
    heads = ["Model", "Against naive", "Skill", "p (Holm)", "Could have shown"]
    note = (
        f"A model beats naive if its skill is above 0 and p is below {ALPHA:g}. The p-value of Diebold and Mariano is "
        "adjusted for the number of models tried, so that trying more of them does not make a lucky one look good. "
        f"“Could have shown” is the smallest true skill that a run like this one finds {POWER:.0%} of the time: "
        "a model below it may still be better, but this run cannot tell."
    )
    return "\n".join([*parts, _table(heads, rows), f'<p class="note">{escape(note)}</p>'])


def _finding(finding: str) -> str:
    marks = {"better": "▲ better", "worse": "▼ worse", "identical": "= the same forecasts"}
    return marks.get(finding, finding)


def _leaderboard(result: BacktestResult) -> str:
    board = result.leaderboard()
    columns = {name: _column(name, result) for name in board.columns}
    heads = ['<th scope="col" data-first="asc"><button type="button">Model</button></th>']
    for column in columns.values():
        first = "desc" if column.high_first else "asc"
        title = escape(column.title)
        heads.append(f'<th scope="col" class="n" data-first="{first}"><button type="button">{title}</button></th>')
    written = {name: column.write(board[name].astype(float)) for name, column in columns.items()}
    rows = [
        [_model_cell(result, model), *(_number_cell(board.loc[model, name], written[name][i]) for name in columns)]
        for i, model in enumerate(board.index)
    ]
    meanings = "".join(
        f"<div><dt>{escape(c.title)}</dt><dd>{escape(c.meaning)}</dd></div>" for c in columns.values() if c.meaning
    )
    table = _table(heads, rows, 'id="leaderboard"')
    return f'{table}\n<dl class="meanings">{meanings}</dl>'


def _column(name: str, result: BacktestResult) -> Column:
    ends = interval_columns(result.forecasts)
    low, high = (float(end[1:]) for end in ends) if ends else (0.1, 0.9)
    said = {
        "skill": (
            "Share of naive’s squared error that the model removes. Above 0 it beats doing nothing; "
            "+2% is a lot on prices, and below 0 you would have been better off with the last price."
        ),
        "mase": "Average miss, in units of the average move in training: 1 is one ordinary move off.",
        "rmse": "Typical miss in the price’s own units; large misses weigh more.",
        "mae": "Average miss in the price’s own units.",
        "coverage": (
            f"How often the price ended inside the interval from the {low:g} to the {high:g} quantile. "
            f"{high - low:.0%} is honest; less means the model is too sure of itself."
        ),
        "direction": "How often it called up or down rightly, where it called at all. Naive never does.",
        "win_rate": "Share of forecasts (series and cutoff) on which it came closer than naive; a draw counts half.",
        "seconds_fit": "Time spent fitting, all fits together.",
        "seconds_predict": "Time spent forecasting, all cutoffs together.",
        "failures": "Fits that gave no forecast; they are listed at the end.",
    }.get(name, "")
    known = {
        "skill": Column("Skill", lambda v: [_percent(x, sign=True) for x in v], True, said),
        "mase": Column("MASE", lambda v: [_fixed(x, 3) for x in v], False, said),
        "rmse": Column("RMSE", _figures, False, said),
        "mae": Column("MAE", _figures, False, said),
        "coverage": Column(f"In {high - low:.0%} band", lambda v: [_percent(x) for x in v], True, said),
        "direction": Column("Direction", lambda v: [_percent(x) for x in v], True, said),
        "win_rate": Column("Wins", lambda v: [_percent(x) for x in v], True, said),
        "seconds_fit": Column("Fit s", lambda v: [_fixed(x, 2 if v.max() < 100 else 0) for x in v], False, said),
        "seconds_predict": Column(
            "Forecast s", lambda v: [_fixed(x, 2 if v.max() < 100 else 0) for x in v], False, said
        ),
        "failures": Column("Failed", lambda v: [_fixed(x, 0) for x in v], False, said),
    }
    return known.get(name, Column(name.replace("_", " "), _figures, False, said))


def _error_by_step(result: BacktestResult) -> str:
    table = plots.error_by_step(result)
    if table.empty:
        return '<p class="note">Naive never erred in this run: there is nothing to divide by.</p>'
    said = ", ".join(f"{name} {table[name].mean():.3f}" for name in table if name != NAIVE)
    text = f"Error by step relative to naive, which is 1. Mean over the steps: {said or 'no other model was run'}."
    rows = [
        [_number_cell(step, str(step)), *(_number_cell(value, _fixed(value, 4)) for value in table.loc[step])]
        for step in table.index
    ]
    behind = _table(["Step", *map(str, table.columns)], rows)
    return _picture(plots.plot_error_by_step, result, text, 4.0) + _details("The numbers behind the picture", behind)


def _calibration(result: BacktestResult) -> str:
    table = plots.calibration(result)
    if table.empty:
        return '<p class="note">No model of this run gives quantiles.</p>'
    text = "Share of outcomes below each forecast quantile, model by model; the table below has the numbers."
    rows = [
        [_model_cell(result, name), *(_number_cell(value, _percent(value)) for value in shares)]
        for name, shares in table.iterrows()
    ]
    behind = _table(["Model", *(f"quantile {level:g}" for level in table.columns)], rows)
    height = 0.75 + 0.3 * len(table)
    return _picture(plots.plot_calibration, result, text, height) + _details("The numbers behind the picture", behind)


def _picture(plot: Callable[..., Axes], result: BacktestResult, text: str, height: float) -> str:
    """Draw twice, for a wide and for a narrow window (scaling one down would leave letters that nobody can read)."""
    drawn = []
    for name, width in (("wide", 8.6), ("narrow", 4.4)):
        with matplotlib.style.context("default"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # letters stay text: the browser has the glyph
            matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": plot.__name__ + name}
            figure = Figure(figsize=(width, height), layout="constrained")
            plot(result, ax=figure.add_subplot())
            page = StringIO()
            nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            figure.savefig(page, format="svg", transparent=True, metadata=nothing)
        drawn.append(f'<div class="{name}">{_inline(page.getvalue(), text)}</div>')
    return f'<div class="picture">{"".join(drawn)}</div>'


def _inline(svg: str, text: str) -> str:
    """Make an SVG file part of a page: no prolog or comments, text in the page's colour, ids only where needed."""
    svg = re.sub(r"<!--.*?-->", "", svg[svg.index("<svg") :], flags=re.DOTALL).replace(plots.INK, "currentColor")
    used = set(re.findall(r"#([\w-]+)", svg))
    svg = re.sub(r' id="([\w-]+)"', lambda found: found[0] if found[1] in used else "", svg)
    box = re.search(r'viewBox="[^"]*"', svg)
    body = svg[svg.index(">") + 1 :]
    xlink = 'xmlns:xlink="http://www.w3.org/1999/xlink"'  # a name, not an address: nothing is fetched
    return f'<svg {xlink} {box[0] if box else ""} role="img" aria-label="{escape(text)}">{body}'


def explorer(result: BacktestResult) -> tuple[str, str]:
    """Give the explorer's data as JSON that is safe inside a page, and a sentence on what was left out, if anything.

    `paths[model][series]` holds y, low and high, each flat over cutoffs × steps; `truth[series]` is aligned with
    `time`; `at[k]` is where cutoff k stands in `time`, and its step h is at `at[k] + h`.
    """
    table = result.forecasts[result.forecasts["member"] == 0]
    per_cutoff = table.groupby("cutoff").size().sort_index(ascending=False)
    fitting = max(int((per_cutoff.cumsum() <= MAX_ROWS).sum()), 1)
    kept = np.sort(per_cutoff.index[:fitting])
    notes = []
    if fitting < len(per_cutoff):
        notes.append(f"To keep the file small, only the newest {fitting} of {len(per_cutoff)} cutoffs are shown here.")
        table = table[table["cutoff"].isin(kept)]
    series = [str(name) for name in table["unique_id"].unique()]
    allowed = max(MAX_ROWS * len(series) // len(table), 1)
    if allowed < len(series):
        notes.append(f"Of {len(series)} series, only the first {allowed} are shown here.")
        series = series[:allowed]
        table = table[table["unique_id"].isin(series)]
    horizon, step = result.spec["cv"]["horizon"], result.spec["cv"]["step_size"]
    if (step or horizon) > horizon + 1:
        notes.append("Rows that no model forecast are not part of a run: the truth is joined by straight lines there.")
    time = pd.Index(kept).append(pd.Index(table["ds"])).unique().sort_values()
    names = [name for name in plots.styles(result) if (table["model"] == name).any()]
    best = next((name for name in result.leaderboard().index if name in names and name != NAIVE), names[0])
    data = {
        "series": json.dumps(series),
        "horizon": str(horizon),
        "dated": json.dumps(isinstance(time, pd.DatetimeIndex)),
        "time": json.dumps(_labels(time)),
        "at": json.dumps(time.get_indexer(kept).tolist()),
        "truth": _list(_numbers(plots.truth(result, name).reindex(time)) for name in series),
        "models": json.dumps([{"name": name, "colour": plots.styles(result)[name].colour} for name in names]),
        "first": str(names.index(best)),  # what the explorer opens with
        "paths": _list(_list(_path(table, model, name, kept, horizon) for name in series) for model in names),
        "band": json.dumps([f"{float(end[1:]):g}" for end in interval_columns(table) or ()]),
    }
    text = "{" + ",".join(f'"{key}":{value}' for key, value in data.items()) + "}"
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e"), " ".join(notes)


def _path(table: pd.DataFrame, model: str, series: str, cutoffs: np.ndarray, horizon: int) -> str:
    rows = table[(table["model"] == model) & (table["unique_id"] == series)]
    place = pd.Index(cutoffs).get_indexer(rows["cutoff"]) * horizon + rows["step"].to_numpy() - 1
    columns = {"y": "y_hat"} | dict(zip(("low", "high"), interval_columns(table) or (), strict=False))
    parts = []
    for key, column in columns.items():
        flat = np.full(len(cutoffs) * horizon, np.nan)
        flat[place] = rows[column]
        parts.append(f'"{key}":{_numbers(flat)}')
    return "{" + ",".join(parts) + "}"


def _numbers(values: Iterable[float]) -> str:
    return _list(f"{value:.6g}" if math.isfinite(value) else "null" for value in values)


def _list(items: Iterable[str]) -> str:
    return "[" + ",".join(items) + "]"


def _labels(time: pd.Index) -> list[Any]:
    if not isinstance(time, pd.DatetimeIndex):
        return time.tolist()
    clock = time.tz_localize(None)
    return clock.strftime("%Y-%m-%d" if (clock == clock.normalize()).all() else "%Y-%m-%d %H:%M:%S").tolist()


def _run(result: BacktestResult) -> str:
    """Say what was run, so that it can be run again: the data, the walk, the models, the versions."""
    spec, data, fits = result.spec, result.spec["data"], result.fits
    missing = ", ".join(f"{name} {count}" for name, count in data["missing"].items()) or "none"
    models = "".join(
        f"<div><dt>{escape(name)}</dt><dd><code>{escape(_call(model))}</code></dd></div>"
        for name, model in spec["models"].items()
    )
    spent = fits["seconds_fit"].sum() + fits["seconds_predict"].sum()
    items = {
        "Data": f"{data['source']}: {_count(data['rows'], 'row')}, {data['first']} to {data['last']}",
        "Series": ", ".join(data["series"]),
        "Forecast": ", ".join(data["channels"][:1])
        + (f" (models may also read {', '.join(data['channels'][1:])})" if len(data["channels"]) > 1 else ""),
        "Missing": f"rows without a price, between first and last: {missing}",
        "Fingerprint": f"sha256 {data['sha256']}",
        "Walk forward": _walk(result),
        "Work": f"{_count(len(fits), 'fit')}, {spent:,.1f} seconds of fitting and forecasting",
        "Versions": ", ".join(f"{name} {number}" for name, number in spec["versions"].items()),
    }
    listed = "".join(f"<div><dt>{key}</dt><dd>{escape(value)}</dd></div>" for key, value in items.items())
    return f'<dl class="facts">{listed}</dl>\n<h3>Models</h3>\n<dl class="facts">{models}</dl>'


def _walk(result: BacktestResult) -> str:
    cv, refit = result.spec["cv"], result.spec["refit"]
    step = cv["step_size"] or cv["horizon"]
    rows = f"the newest {cv['train_size']:,} rows" if cv["train_size"] else "all rows"
    often = "at every cutoff" if refit == 1 else f"at every {refit}th cutoff" if refit > 3 else f"every {refit} cutoffs"
    said = [
        f"{_count(cv['n_windows'], 'cutoff')}, {_count(step, 'row')} apart; at each, the next "
        f"{_count(cv['horizon'], 'row')} are forecast.",
        f"Models are fitted {often}, on {rows} up to it"
        + (f" but for the newest {cv['embargo']} (embargo)." if cv["embargo"] else "."),
    ]
    if refit > 1:
        said.append("In between they see every new row, with their parameters frozen.")
    season = result.spec["season"]
    said.append(f"MASE’s ordinary move is over {_count(season, 'row')}.")
    return " ".join(said)


def _call(model: Any) -> str:
    """Write a model of the spec as the Python call that makes it."""
    if isinstance(model, dict) and "class" in model:
        return f"{model['class']}({', '.join(f'{key}={_call(value)}' for key, value in model['params'].items())})"
    return f"[{', '.join(map(_call, model))}]" if isinstance(model, list) else repr(model)


def _trouble(result: BacktestResult) -> str:
    """List what went wrong or was left out: failed fits, warnings, skipped series. Nothing is passed over in silence."""
    fits, skipped = result.fits, result.skipped
    failed = fits[fits["error"] != ""]
    heard: Counter[tuple[str, str]] = Counter()
    for model, details in zip(fits["model"], fits["details"], strict=True):
        heard.update((str(model), str(message)) for message in json.loads(details).get("warnings", []))
    parts = []
    if len(failed):
        rows = [[_model_cell(result, r.model), _cell(label(r.cutoff)), _cell(r.error)] for r in failed.itertuples()]
        parts.append(_listing(f"Fits that failed: {len(failed)} of {len(fits)}", ["Model", "Cutoff", "Reason"], rows))
    if heard:
        rows = [
            [_model_cell(result, model), _number_cell(count, f"{count:,}"), _cell(message)]
            for (model, message), count in heard.most_common()
        ]
        parts.append(_listing(f"Warnings: {int(fits['warnings'].sum()):,}", ["Model", "In fits", "Warning"], rows))
    if len(skipped):
        rows = [
            [
                _cell(r.unique_id),
                _cell(r.reason),
                _number_cell(r.cutoffs, f"{r.cutoffs:,}"),
                _cell(r.first),
                _cell(r.last),
            ]
            for r in skipped.itertuples()
        ]
        heads = ["Series", "Reason", "Cutoffs", "From", "To"]
        parts.append(_listing("Series that took no part at some cutoffs", heads, rows))
    return "\n".join(parts) or '<p class="note">No fit failed, no model warned, and no series was left out.</p>'


def _listing(title: str, heads: Sequence[str], rows: list[list[str]]) -> str:
    more = len(rows) - MAX_LISTED
    note = f'<p class="note">… and {more:,} more, in the tables of the run.</p>' if more > 0 else ""
    return f"<h3>{escape(title)}</h3>\n{_table(heads, rows[:MAX_LISTED])}{note}"


def _details(title: str, inside: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"


def _table(heads: Sequence[str], rows: list[list[str]], attributes: str = "") -> str:
    """Lay out cells that are already HTML; a head is a title (numbers below it set it to the right) or HTML itself."""
    numeric = [all('class="n"' in row[i] for row in rows) for i in range(len(heads))]
    titles = [
        head if head.startswith("<th") else f'<th scope="col"{" class=n" if right else ""}>{escape(head)}</th>'
        for head, right in zip(heads, numeric, strict=True)
    ]
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    head = f"<thead><tr>{''.join(titles)}</tr></thead>"
    return f'<div class="scroll"><table {attributes}>{head}<tbody>\n{body}\n</tbody></table></div>'


def _cell(value: Any) -> str:
    return f"<td>{escape(str(value))}</td>"


def _model_cell(result: BacktestResult, name: Any) -> str:
    style = plots.styles(result).get(str(name), plots.Style(plots.GREY, "", "-"))
    text = escape(str(name))
    return f'<th scope="row" data-value="{text}"><i style="background:{style.colour}"></i>{text}</th>'


def _number_cell(value: float, text: str) -> str:
    exact = repr(float(value)) if math.isfinite(value) else ""
    return f'<td class="n" data-value="{exact}">{escape(text)}</td>'


def _figures(values: pd.Series) -> list[str]:
    """Write a column with the decimals that give its largest number four figures."""
    largest = values.abs().max()
    if not largest > 0:
        return [_fixed(value, 0) for value in values]
    decimals = 3 - math.floor(math.log10(largest))
    return [f"{v:.3e}" if decimals > 8 or decimals < -5 else _fixed(v, max(decimals, 0)) for v in values]


def _fixed(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}".replace("-", "−") if math.isfinite(value) else "–"


def _percent(share: float, sign: bool = False) -> str:
    return f"{share:{'+' if sign else ''}.1%}".replace("-", "−") if math.isfinite(share) else "–"


def _p_value(p: float) -> str:
    return "–" if not math.isfinite(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
