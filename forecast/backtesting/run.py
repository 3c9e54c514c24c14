"""Walk forward: fit every model alike, forecast from every cutoff, and store what was said and what happened."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from forecast import _io
from forecast._validation import check_choice, check_int, check_jobs
from forecast.backtesting import table as rows
from forecast.backtesting.checkpoint import Checkpoint
from forecast.backtesting.executor import Executor
from forecast.backtesting.result import BacktestResult
from forecast.backtesting.spec import differences, make_spec
from forecast.backtesting.split import WalkForward
from forecast.backtesting.tasks import FitTask, RefitPeriod, TaskResult, eligible, make_tasks
from forecast.data.panel import Panel, as_panel
from forecast.evaluation.scores import NAIVE
from forecast.models.base import Forecast, Forecaster
from forecast.models.naive import Naive


class ResumeWarning(UserWarning):
    """What was stopped and what is gone on with are not the same."""


def backtest(
    models: Mapping[str, Any] | Forecaster,
    prices: Any,
    cv: WalkForward,
    *,
    refit: int = 1,
    warm: bool = False,
    season: int = 1,
    n_jobs: int = 1,
    client: Any = None,
    out: str | Path | None = None,
    resume: bool = False,
    on_error: str = "raise",
    progress: Callable[[int, int], None] | None = None,
) -> BacktestResult:
    """Let models forecast from every cutoff of a walk through time, each knowing only what was known then.

    `models` maps names to forecasters (they are cloned, never changed); naive joins if it is not among them. Every
    `refit`-th fold each model is fitted anew on the fold's training rows; in between it sees the newest history with
    its parameters frozen. With `warm` networks and ARIMA go on from their last fit instead of from scratch. `season`
    is the lag of MASE's scale.

    `n_jobs` processes share the work, or the workers of a Dask `client`; the forecasts are the same to the byte
    wherever they were made. A process makes one fit at a time: a worker needs no second thread. `out` names a folder
    for the run, as `BacktestResult.save` writes it. Whatever is finished before a run is stopped, by Ctrl-C, an error
    or the machine, is kept beside that folder: the same call with `resume` goes on from there, and warns if models,
    prices or settings have changed since. `on_error="record"` keeps a failed fit as a row of `fits` with its reason
    instead of raising it, and `resume` tries it again. `progress` is called with the fits done and their number.

    >>> prices = fc.load_sample("stocks")
    >>> result = fc.backtest({"drift": fc.Drift()}, prices, fc.WalkForward(horizon=5, n_windows=40))
    >>> print(result.verdict().sentence)
    No model beats naive over 40 cutoffs: drift is not distinguishable from it; this run could have shown a skill of ...
    """
    for name, switch in (("warm", warm), ("resume", resume)):
        check_choice(name, switch, (True, False))
    _check_settings(refit, season, n_jobs, on_error, out, resume)
    if not (client is None or (hasattr(client, "submit") and hasattr(client, "scatter"))):
        raise TypeError(f"client must be a Dask client, such as distributed.Client('tcp://host:8786'); got {client!r}")
    named = _named(models)
    ours = [model for model in named.values() if isinstance(model, Forecaster)]
    for model in ours:
        model.check_params()
    panel = as_panel(prices, exog=tuple(dict.fromkeys(name for model in ours for name in model.required_fields())))
    folds = list(cv.split(panel))
    stretches = [RefitPeriod(i // refit, tuple(folds[i : i + refit])) for i in range(0, len(folds), refit)]
    needed = max([model.min_rows(cv.horizon) for model in ours], default=cv.horizon + 2)
    skipped = rows.skipped(panel, stretches, needed)
    units = make_tasks(named, stretches, needed, warm)
    spec = make_spec(named, panel, cv, {"refit": refit, "warm": warm, "season": season})
    kept = None if out is None else Checkpoint(out, units, panel, cv.horizon)
    if kept is not None and resume and (done := _finished(out, spec, kept)) is not None:
        return done
    try:
        if kept is not None and (said := kept.begin(spec, resume)):
            warnings.warn(said, ResumeWarning, stacklevel=2)
        outcomes = Executor(panel, cv.horizon, n_jobs, client, on_error, kept, progress).run(units)
        facts = [rows.ForecastIndex(panel, stretch, needed, cv.horizon, season) for stretch in stretches]
        fits = pd.DataFrame([_fit_row(unit, panel, outcomes[unit.key]) for unit in units])
        result = BacktestResult(_join(named, stretches, facts, outcomes), fits, spec, skipped)
        if kept is not None:
            result.save(kept.place)
    except BaseException as error:
        if kept is not None and (finished := kept.stop()):
            error.add_note(f"{finished} of {len(units)} fits are kept: resume goes on from there")
        raise
    if kept is not None and result.failures().empty:
        kept.end()
    return result


def _join(
    models: Mapping[str, Any],
    stretches: list[RefitPeriod],
    facts: list[rows.ForecastIndex],
    outcomes: Mapping[tuple[str, int, int], TaskResult],
) -> pd.DataFrame:
    """Make one table of all that was said; raises ValueError if nothing was, or not by naive."""
    said = [
        (name, facts[stretch.number].beside(name, forecast))
        for name, model in models.items()
        for stretch in stretches
        if (forecast := _forecast(name, model, stretch, outcomes)) is not None
    ]
    if NAIVE not in dict(said):
        why = dict.fromkeys(
            f"{key[0]}: {fit_info}" for key, each in outcomes.items() if (fit_info := each.fit_info["error"])
        )
        who = "naive has made no" if said else "no model has made a"
        raise ValueError(f"{who} forecast, so nothing can be compared: {'; '.join([*why][:3])}")
    return rows.join([table for _, table in said], list(models))


def _finished(out: Any, spec: dict[str, Any], kept: Checkpoint) -> BacktestResult | None:
    """Give the run that is there already, if it is this one and none of its fits has failed; else say what is not."""
    if not (Path(out) / _io.SPEC).exists():
        return None
    try:
        changed = differences(_io.read_spec(out), spec)
        done = None if changed else BacktestResult.load(out)
    except ValueError as error:
        said = f"{out} cannot be read and is replaced: {error}"
    else:
        said = f"{out} holds a finished run, and {', '.join(changed)} changed since: it is replaced"
        if done is not None:
            if not (failed := len(done.failures())):
                kept.sweep(spec)
                return done
            lost = len(done.fits) - failed - kept.count()
            others = f", as {lost} do that are not kept" if lost else ""
            said = f"{failed} fits of the run in {out} failed, and run again{others}"
    warnings.warn(said, ResumeWarning, stacklevel=3)
    return None


def _forecast(
    name: str, model: Any, stretch: RefitPeriod, outcomes: Mapping[tuple[str, int, int], TaskResult]
) -> Forecast | None:
    """Combine what a model's parts said in a stretch; None if one of them failed, as no part stands for the whole."""
    parts = len(model.parts()) if hasattr(model, "parts") else 1
    members = range(1, parts + 1) if parts > 1 else [0]
    said = [outcomes[name, member, stretch.number].forecast for member in members]
    given = [forecast for forecast in said if forecast is not None]
    if len(given) < len(said):
        return None
    return model.combine(given) if parts > 1 else given[0]


def _fit_row(unit: FitTask, panel: Panel, outcome: TaskResult) -> dict[str, Any]:
    """Tell of one fit: what it was fitted on, and what came of it."""
    train = panel[unit.stretch.train]
    return {
        "model": unit.name,
        "member": unit.member,
        "cutoff": panel.index[unit.stretch.cutoffs[0]],
        "train_start": train.index[0],
        "train_end": train.index[-1],
        "rows": len(train),
        "series": int(eligible(panel, unit.stretch, unit.needed)[1].sum()),
        "cutoffs": len(unit.stretch.folds),
        **outcome.fit_info,
    }


def _check_settings(refit: Any, season: Any, n_jobs: Any, on_error: Any, out: Any, resume: Any) -> None:
    check_int("refit", refit, 1)
    check_int("season", season, 1)
    check_jobs(n_jobs)
    check_choice("on_error", on_error, ("raise", "record"))
    if resume and out is None:
        raise ValueError("resume goes on with the run in a folder: name it with out")


def _named(models: Mapping[str, Any] | Forecaster) -> dict[str, Any]:
    if isinstance(models, Forecaster):
        models = {type(models).__name__.lower(): models}
    if not isinstance(models, Mapping) or not models:
        raise TypeError(f"models must map names to forecasters, such as {{'naive': Naive()}}; got {models!r}")
    for name, model in models.items():
        if not isinstance(name, str):
            raise TypeError(f"the names of models must be text; got {name!r}")
        if not (hasattr(model, "fit") and hasattr(model, "predict_at")):
            raise TypeError(f"{name} must be a Forecaster (with fit and predict_at); got {model!r}")
    if NAIVE in models and not isinstance(models[NAIVE], Naive):
        raise ValueError(f"the name {NAIVE!r} is kept for doing nothing; call {models[NAIVE]!r} something else")
    return dict(models) if NAIVE in models else {NAIVE: Naive()} | dict(models)
