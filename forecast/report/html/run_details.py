"""What was run, so that it can be repeated, and which problems occurred."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from forecast._text import list_names
from forecast.data.panel import format_date
from forecast.evaluation.losses import ZERO
from forecast.evaluation.text import count
from forecast.report.html.tables import Cell, Table, decimal_cell, model_cell, number_cell

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

MAX_LISTED = 100  # rows of a list of failures, warnings or skipped series


def scope(result: BacktestResult) -> str:
    """Return the line under the title: horizon, cutoffs and number of series."""
    cutoffs = result.forecasts["cutoff"].drop_duplicates()
    period = f"{count(len(cutoffs), 'cutoff')}, {format_date(cutoffs.min())} to {format_date(cutoffs.max())}"
    horizon, n_series = count(result.cv.horizon, "step"), result.forecasts["unique_id"].nunique()
    n_apart = len(result.extremes().series)
    return f"{horizon} ahead · {period} · {n_series} series" + (f", {n_apart} of them set apart" if n_apart else "")


def run_facts(result: BacktestResult) -> dict[str, str]:
    """Return the facts needed to repeat the run, by name: data, walk-forward settings, versions."""
    spec, data, fits = result.spec, result.spec["data"], result.fits
    missing = list_names([f"{number:,} in {name}" for name, number in data["missing"].items()], MAX_LISTED)
    target, *read = data["channels"]
    seconds_fit, seconds_predict = (fits[name].sum() for name in ("seconds_fit", "seconds_predict"))
    return {
        "Data": f"{data['source']}: {count(data['rows'], 'row')}, {data['first']} to {data['last']}",
        "Series": list_names(data["series"], MAX_LISTED),
        "Column": (data.get("field") or target) + (f"; models may also use {', '.join(read)}" if read else ""),
        "Missing rows": missing or "none inside a series",
        "Fingerprint": f"sha256 {data['sha256']}",
        "Walk-forward": _walk_forward(result),
        "Reference": result.reference + (", the value 0" if result.reference == ZERO else ""),
        "Time": f"{count(len(fits), 'fit')} in {seconds_fit:,.1f} s, forecasts in {seconds_predict:,.1f} s",
        "Versions": ", ".join(f"{name} {number}" for name, number in spec["versions"].items()),
    }


def _walk_forward(result: BacktestResult) -> str:
    """Return the walk-forward settings as sentences."""
    cv, refit = result.cv, result.spec["refit"]
    step, horizon = count(cv.step, "row"), count(cv.horizon, "row")
    often = "every cutoff" if refit == 1 else f"every {ordinal(refit)} cutoff"
    rows = f"the newest {cv.train_size:,} rows" if cv.train_size else "all rows"
    embargo = f" except the newest {cv.embargo:,} (embargo)" if cv.embargo else ""
    text = f"{count(cv.n_windows, 'cutoff')}, {step} apart, each with a forecast of the next {horizon}. "
    text += f"Models are refitted at {often}, on {rows} up to it{embargo}. "
    text += "In between they receive every new row, with frozen parameters. " if refit > 1 else ""
    return text + f"The scale of MASE is the mean absolute change over {count(result.spec['season'], 'row')}."


def ordinal(number: int) -> str:
    """Return an ordinal number.

    >>> [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 22, 103, 111, 1112)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '22nd', '103rd', '111th', '1,112th']
    """
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number:,}{'th' if number % 100 in (11, 12, 13) else endings.get(number % 10, 'th')}"


def model_calls(result: BacktestResult) -> dict[str, str]:
    """Return each model as the Python call that creates it."""
    return {name: _call(model) for name, model in result.spec["models"].items()}


def _call(value: Any) -> str:
    """Return a model of the spec, or one of its parameters, as the Python expression that creates it."""
    match value:
        case {"class": name, "params": params}:
            return f"{name}({', '.join(f'{key}={_call(item)}' for key, item in params.items())})"
        case {"list": list(items)}:
            return f"[{', '.join(map(_call, items))}]"
        case {"dict": list(pairs)}:
            return f"{{{', '.join(f'{_call(key)}: {_call(item)}' for key, item in pairs)}}}"
        case {"float": str(text)} | {"date": str(text)}:
            return text
        case dict():
            return f"{{{', '.join(f'{key!r}: {_call(item)}' for key, item in value.items())}}}"
        case list():  # a tuple
            return f"({', '.join(map(_call, value))})"
    return repr(value)


def problems(result: BacktestResult) -> dict[str, Table]:
    """Return what failed, warned, was left out or set apart: tables by title, empty ones omitted."""
    fits = result.fits
    failed = fits[fits["error"] != ""]
    warned: Counter[tuple[str, str]] = Counter()
    for model, details in zip(fits["model"], fits["details"], strict=True):
        warned.update((str(model), str(message)) for message in json.loads(details).get("warnings", []))
    anomalies = result.spec["data"].get("report", {}).get("findings", [])
    failures = [
        [model_cell(result, f.model), Cell(format_date(f.cutoff)), Cell(" ".join(f.error.split()))]
        for f in failed.itertuples()
    ]
    warnings = [
        [model_cell(result, model), number_cell(n, f"{n:,}"), Cell(" ".join(message.split()))]
        for (model, message), n in warned.most_common()
    ]
    skipped = [[Cell(str(value)) for value in row] for row in result.skipped.itertuples(index=False)]
    apart = [
        [Cell(row.unique_id), model_cell(result, row.model), decimal_cell(row.ratio, 4), Cell(row.reason)]
        for row in result.extremes().table.itertuples()
    ]
    unusual = [[Cell(str(name or "all")), Cell(str(finding))] for name, finding in anomalies]
    tables = [
        _limited(f"Failed fits: {len(failed):,} of {len(fits):,}", ["Model", "Cutoff", "Reason"], failures),
        _limited(f"Warnings: {int(fits['warnings'].sum()):,}", ["Model", "In fits", "Warning"], warnings),
        _limited("Series excluded at some cutoffs", ["Series", "Reason", "Cutoffs", "From", "To"], skipped),
        _limited("Series set apart from the scores", ["Series", "Model", "Loss ratio", "Reason"], apart),
        _limited("Anomalies in the data", ["Series", "Finding"], unusual),
    ]
    return {title: table for title, table in tables if table.rows}


def _limited(title: str, headings: list[str], rows: list[list[Cell]]) -> tuple[str, Table]:
    """Return a title and a table of at most 100 rows."""
    extra = f", the first {MAX_LISTED}" if len(rows) > MAX_LISTED else ""
    return title + extra, Table(headings, rows[:MAX_LISTED])
