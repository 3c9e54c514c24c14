"""One HTML file that says what a run found: it opens offline, and all its numbers come from the result's table."""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from forecast import plots
from forecast.panel import label
from forecast.scores import NAIVE, interval_columns
from forecast.significance import Verdict

if TYPE_CHECKING:
    from forecast.backtest import BacktestResult

#: Forecasts that the explorer carries at most; beyond them it keeps the newest cutoffs, and says so.
MOST_FORECASTS = 120_000


def write_report(result: BacktestResult, path: str | Path) -> None:
    """Write the report of a run as one HTML file to open in a browser, offline.

    Verdict, leaderboard, error by step, calibration, an explorer of every forecast, and what was run. The file is put
    in place whole or not at all.
    """
    place = Path(path)
    page = render(result)
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    except OSError as error:
        raise ValueError(f"cannot write to {place.parent}: {error.strerror}. Name a folder that exists") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(page)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(beside, 0o666 & ~umask)
        os.replace(beside, place)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def render(result: BacktestResult) -> str:
    """Give the page as text."""
    from plotly.offline import get_plotlyjs

    data, note = explorer_data(result)
    ends = interval_columns(result.forecasts)
    parts = {
        "title": f"Walk-forward comparison · {escape(str(result.spec['data']['source']))}",
        "verdicts": "".join(_verdict(verdict, first=i == 0) for i, verdict in enumerate(result.verdicts())),
        "leaderboard": _leaderboard(result),
        "interval": " to ".join(ends) if ends else "none were given",
        "pictures": _pictures(result),
        "thinned": f'<p class="note">{note}</p>' if note else "",
        "run": _what_was_run(result),
        # "<" would let a name close the script element, whatever the quotes around it
        "data": json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        "plotly": get_plotlyjs(),
    }
    template = (files("forecast") / "report_template.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _verdict(verdict: Verdict, first: bool) -> str:
    names = {
        "model": "model",
        "skill": "skill",
        "p_holm": "p (adjusted)",
        "detectable": "could have shown",
        "finding": "finding",
    }
    head = "".join(f"<th{' class=left' if c == 'finding' else ''}>{title}</th>" for c, title in names.items())
    body = "".join(
        f"<tr><td>{escape(row.model)}</td><td>{row.skill:+.2%}</td><td>{row.p_holm:.3f}</td>"
        f"<td>{_cell(row.detectable, '.1%')}</td><td class=left>{escape(row.finding)}</td></tr>"
        for row in verdict.table.itertuples()
    )
    against = escape(verdict.against)
    table = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    how = (
        f"Each model against {against}: a one-sided Diebold-Mariano test on squared errors in units of naive's, with "
        f"p-values adjusted for the {len(verdict.table)} models (Holm). <i>Could have shown</i> is the skill that a "
        "run of this length finds four times out of five."
    )
    kind = "verdict" if first else "verdict second"
    return f'<p class="{kind}">{escape(verdict.sentence)}</p>{table}<p class="soft">{how}</p>'


def _leaderboard(result: BacktestResult) -> str:
    formats = {
        "skill": ("skill", "+.2%"),
        "mase": ("MASE", ".3f"),
        "rmse": ("RMSE", ".4g"),
        "mae": ("MAE", ".4g"),
        "coverage": ("coverage", ".1%"),
        "direction": ("direction", ".1%"),
        "win_rate": ("wins", ".1%"),
        "seconds_fit": ("fit s", ".2f"),
        "seconds_predict": ("predict s", ".2f"),
        "failures": ("failures", ".0f"),
    }
    looks = plots.styles(result)
    head = "".join(f"<th><button>{title}</button></th>" for title in ["model", *(t for t, _ in formats.values())])
    body = ""
    for name, row in result.leaderboard().iterrows():
        swatch = f'<span class="swatch" style="background:{looks[str(name)].colour}"></span>'
        cells = "".join(
            f'<td data-value="{"" if pd.isna(row[c]) else repr(float(row[c]))}">{_cell(row[c], style)}</td>'
            for c, (_, style) in formats.items()
        )
        kind = " class=naive" if name == NAIVE else ""
        body += f"<tr{kind}><td>{swatch}{escape(str(name))}</td>{cells}</tr>"
    return f'<table class="sortable"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cell(value: float, style: str) -> str:
    return "–" if pd.isna(value) else format(value, style)


def _pictures(result: BacktestResult) -> str:
    steps = plots.error_by_step(result)
    pictures = [
        _figure(
            plots.plot_error_by_step(result),
            "Error by step, as a multiple of naive's (1 is doing nothing; lower is better).",
            steps,
        )
    ]
    if interval_columns(result.forecasts):
        shares = plots.calibration(result)
        caption = "Calibration: how often the outcome fell below each forecast quantile. Marks belong on their lines."
        pictures.append(_figure(plots.plot_calibration(result), caption, shares))
    return "".join(pictures)


def _figure(ax: Axes, caption: str, table: pd.DataFrame) -> str:
    """Draw a picture into the page, with the table behind it to unfold."""
    figure = ax.get_figure(root=True)
    assert figure is not None  # plots draw on one
    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": caption}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{escape(caption)}"', 1)
    behind = table.to_html(float_format=lambda value: f"{value:.4f}", border=0, escape=True)
    details = f'<details><summary>The numbers</summary><div class="scroll">{behind}</div></details>'
    return f"<figure><figcaption>{escape(caption)}</figcaption>{svg}{details}</figure>"


def explorer_data(result: BacktestResult) -> tuple[dict[str, Any], str]:
    """Give what the explorer draws, as plain values, and a note if older cutoffs were left out."""
    table = result.forecasts[result.forecasts["member"] == 0]
    every = np.sort(table["cutoff"].unique())
    keep = max(int(MOST_FORECASTS / max(len(table) / max(len(every), 1), 1)), 1)
    cutoffs = every[-keep:]
    note = ""
    if len(cutoffs) < len(every):
        note = f"The explorer shows the newest {len(cutoffs)} of {len(every)} cutoffs; scores and tests use all."
        table = table[table["cutoff"].isin(cutoffs)]
    models = [name for name in plots.styles(result) if name in set(table["model"].unique())]
    series = list(map(str, table["unique_id"].unique()))
    steps = sorted(int(step) for step in table["step"].unique())
    at = {cutoff: i for i, cutoff in enumerate(cutoffs)}
    ends = interval_columns(table)
    said: list[list[dict[int, dict[str, Any]]]] = [[{} for _ in series] for _ in models]
    when: dict[int, list[str | int | float]] = {}
    for (model, name, cutoff), path in table.groupby(["model", "unique_id", "cutoff"], observed=True, sort=False):
        entry: dict[str, Any] = {"y0": _short(path["y0"].iloc[0]), "y": list(map(_short, path["y_hat"]))}
        if ends and path[ends[0]].notna().all():
            entry |= {side: list(map(_short, path[c])) for side, c in zip(("low", "high"), ends, strict=True)}
        c = at[np.datetime64(cutoff) if isinstance(cutoff, pd.Timestamp) and cutoff.tz is None else cutoff]
        said[models.index(str(model))][series.index(str(name))][c] = entry
        when[c] = list(map(_when, path["ds"]))
    truth = {}
    for i, name in enumerate(series):
        y = plots.truth(result, name)
        y = y[y.index >= cutoffs[0]]
        truth[i] = {"x": list(map(_when, y.index)), "y": list(map(_short, y))}
    looks = plots.styles(result)
    data = {
        "series": series,
        "models": models,
        "naive": models.index(NAIVE),
        "colours": [looks[name].colour for name in models],
        "steps": steps,
        "cutoffs": list(map(_when, cutoffs)),
        "ds": [when[c] for c in range(len(cutoffs))],
        "dated": isinstance(table["ds"].dtype, pd.DatetimeTZDtype) or table["ds"].dtype.kind == "M",
        "band": " to ".join(ends) if ends else "",
        "truth": truth,
        "said": said,
    }
    return data, note


def _short(value: float) -> float | None:
    """Round to what a screen can show; JSON has no NaN."""
    return None if pd.isna(value) else float(f"{value:.6g}")


def _when(value: Any) -> str | int | float:
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    return value.item() if isinstance(value, np.generic) else label(value) if isinstance(value, pd.Timestamp) else value


def _what_was_run(result: BacktestResult) -> str:
    spec, fits = result.spec, result.fits
    data = spec["data"]
    rows = {
        "data": f"{data['source']}: {data['rows']:,} rows, {data['first']} to {data['last']}",
        "series": ", ".join(data["series"]),
        "missing rows": ", ".join(f"{n} in {name}" for name, n in data["missing"].items()) or "none inside a series",
        "walk": _walk(spec),
        "fits": f"{len(fits)} in {fits['seconds_fit'].sum():.1f} s, forecasts in {fits['seconds_predict'].sum():.1f} s",
        "warnings": _warnings(fits),
        "versions": ", ".join(f"{name} {v}" for name, v in spec["versions"].items()),
        "hash of the data": data["sha256"],
    }
    rows |= {f"model {name}": _model(model) for name, model in spec["models"].items()}
    listed = "".join(f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>" for key, value in rows.items())
    failed = fits[fits["error"] != ""]
    out = f"<dl>{listed}</dl>"
    if len(failed):
        out += "<h2>Failures</h2>" + _table(
            failed[["model", "cutoff", "error"]].assign(cutoff=failed["cutoff"].map(label))
        )
    if len(result.skipped):
        out += "<h2>Series that took no part</h2>" + _table(result.skipped)
    return out


def _walk(spec: dict[str, Any]) -> str:
    cv = spec["cv"]
    trained = f"the last {cv['train_size']} rows" if cv["train_size"] else "all rows up to the cutoff"
    embargo = f", but for the newest {cv['embargo']}" if cv["embargo"] else ""
    refit = "at each" if spec["refit"] == 1 else f"at every {spec['refit']}th"
    return (
        f"{cv['n_windows']} cutoffs, {cv['step_size'] or cv['horizon']} rows apart; horizon {cv['horizon']} rows; "
        f"fitted on {trained}{embargo}; refitted {refit} cutoff; MASE's season {spec['season']}"
    )


def _warnings(fits: pd.DataFrame) -> str:
    counts = fits.groupby(fits["model"].astype(str), sort=False)["warnings"].sum()
    return ", ".join(f"{n} in {name}" for name, n in counts.items() if n) or "none"


def _model(model: Any) -> str:
    """Write a model of the spec as Python would make it."""
    if isinstance(model, dict):
        return f"{model['class']}({', '.join(f'{k}={_model(v)}' for k, v in model['params'].items())})"
    return f"({', '.join(map(_model, model))})" if isinstance(model, list) else repr(model)


def _table(frame: pd.DataFrame) -> str:
    head = "".join(f"<th class=left>{escape(str(column))}</th>" for column in frame.columns)
    body = "".join(
        "<tr>" + "".join(f'<td class="left wrap">{escape(str(value))}</td>' for value in row) + "</tr>"
        for row in frame.itertuples(index=False)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
