"""What was run, so that it can be run again, and what went wrong: nothing is passed over in silence."""

from __future__ import annotations

import json
from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

from forecast.data.panel import format_date
from forecast.report.html import cells

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

MAX_LISTED = 100  # rows of a list of failures, warnings or skipped series


def facts(result: BacktestResult) -> str:
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
    return f"{_listed({k: escape(v) for k, v in items.items()})}\n<h3>Models</h3>\n{_listed(models)}"


def _listed(items: dict[str, str]) -> str:
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


def trouble(result: BacktestResult) -> str:
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
                [cells.model(result, fit.model), cells.cell(format_date(fit.cutoff)), cells.cell(fit.error)]
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
