"""The walk-forward run: fit every model alike, forecast from every cutoff, and collect the forecasts and outcomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import pandas as pd

from forecast import _io
from forecast._progress import progress_bar
from forecast._validation import check_choice, check_int, check_jobs
from forecast._warnings import warn
from forecast.backtesting.checkpoint import Checkpoint, finished_work, run_folder
from forecast.backtesting.enough_rows import RowsNeeded
from forecast.backtesting.executor import Executor, Key
from forecast.backtesting.next_rows import next_period, next_table
from forecast.backtesting.references import add_references
from forecast.backtesting.result import BacktestResult
from forecast.backtesting.spec import differences, make_spec
from forecast.backtesting.split import WalkForward
from forecast.backtesting.table import ForecastIndex, check_season, join, skipped
from forecast.backtesting.tasks import (
    FitTask,
    RefitPeriod,
    TaskResult,
    combined_forecast,
    make_periods,
    make_tasks,
    trainable,
)
from forecast.data.panel import Panel, Prices, as_panel
from forecast.models.base import Forecast, Forecaster
from forecast.models.wrapped import Model, as_forecaster

#: Models by name, names of the registry, or a model.
Models: TypeAlias = Mapping[str, Model | str] | Sequence[str | Forecaster] | Forecaster | str


class Client(Protocol):
    """A client of a cluster, such as Dask's."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        """Return the future result of a function."""

    def scatter(self, data: Any, /, *, broadcast: bool) -> Any:
        """Send data to the workers."""

    def cancel(self, futures: list[Any], /) -> Any:
        """Cancel futures."""


class ResumeWarning(UserWarning):
    """A resumed run differs from the run that was stopped, or stored fits cannot be used."""


def backtest(
    models: Models,
    prices: Prices,
    cv: WalkForward,
    *,
    refit: int = 1,
    warm: bool = False,
    season: int | None = None,
    reference: str | None = None,
    against: str | None = None,
    n_jobs: int = 1,
    client: Client | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    restart: bool = False,
    on_error: Literal["raise", "record"] = "raise",
    predict_next: bool = False,
    progress: bool | Callable[[int, int], None] = True,
) -> BacktestResult:
    """Forecast with models from every cutoff of a walk-forward split, each using only what was available then.

    Parameters
    ----------
    models : mapping of str to model, list of names or models, or Forecaster
        Models by name, or names of `model_names()`, such as ["arima", "lstm"]. They are cloned, never changed. The
        simple forecasts that every run has are added where they are missing (see Notes). A model of another package
        needs `fit(prices, horizon)` and `predict(prices)` or
        `predict_at(prices, cutoffs)`, which return a `Forecast`.
    prices : DataFrame, array or Panel
        Prices as `as_panel` accepts them: T rows, N series.
    cv : WalkForward
        Cutoffs, horizon, and the rows that models are fitted on.
    refit : int, default 1
        Models are fitted again at every `refit`-th cutoff; in between they see the newest history with their
        parameters frozen.
    warm : bool, default False
        Whether networks and ARIMA continue from their last fit instead of starting from scratch.
    season : int, optional
        Rows in a season: the lag of the scale of MASE, and the season of a row "seasonal-naive". By default the lag is
        1, and the row is added if the first training rows have a season. With 1 there is no such row.
    reference : str, optional
        Model whose loss others are divided by: skill, wins and plots are relative to it. By default "zero" for returns
        and "naive" for everything else.
    against : str, optional
        Model that verdicts compare with. By default the simple baseline with the smallest loss in the run.
    n_jobs : int, default 1
        Number of processes, −1 for one per core. A process runs one fit at a time, in one thread.
    client : distributed.Client, optional
        Dask client whose workers run the fits instead. The forecasts are the same to the byte wherever they are
        computed.
    out : str or Path, optional
        Folder for the run, as `BacktestResult.save` writes it. If the run is stopped, by Ctrl-C, an error or the
        machine, its finished fits remain in a checkpoint next to this folder. One run at a time writes a folder. Where
        it holds finished fits, the run needs `resume` or `restart`.
    resume : bool, default False
        Whether to continue from the checkpoint; a run that is finished is returned. Where models, prices or settings
        have changed since the run was stopped, it warns and uses the stored fits that they leave valid, or refuses if
        there are none. It also refuses if they have changed since the run was finished.
    restart : bool, default False
        Whether to delete the checkpoint, and to replace the finished run as soon as the new one is finished.
    on_error : {"raise", "record"}, default "raise"
        With "record" a failed fit is a row of `fits` with its reason; `resume` tries it again.
    predict_next : bool, default False
        Whether every model is fitted again on all rows, and forecasts those after the last: `result.next`, the last
        section of the report. A failure there is recorded, and stops nothing.
    progress : bool or callable, default True
        Whether to show a progress bar, in a terminal or a notebook; or a function that is called with the number of
        fits done and the number of all fits.

    Returns
    -------
    BacktestResult
        Forecasts, fits, spec and skipped series.

    Raises
    ------
    TypeError
        If models, the client or a setting are of the wrong type.
    ValueError
        If a name or a setting is not valid, there are too few rows, no forecast is possible, another process is writing
        `out`, or finished fits would be deleted.

    Notes
    -----
    "naive", the last value, is a row of every run. "zero", the value 0, is one where the target is a return: the target
    "return" of `make_target`, or any target whose first training rows rise above and fall below 0 and are closer to 0
    than to the row before (in mean squares, for nine of ten series). "seasonal-naive" is one where a season is
    declared or found; a `SeasonalNaive()` among the models is that row. A season is found by a test for autocorrelation
    of the changes, at the lags that the dates suggest: 5, 21 and 252 rows for business days, 7 for days, 52 for weeks,
    12 for months, 4 for quarters, a day and a week for several rows a day.

    Examples
    --------
    >>> prices = fc.load_sample("stocks")
    >>> result = fc.backtest({"drift": fc.Drift()}, prices, fc.WalkForward(horizon=5, n_windows=40))
    >>> print(result.verdict().sentence)
    Where will it be: no model beats naive, the last value.
    """
    settings = _Settings(refit, warm, season, reference, against)
    _check_settings(settings, n_jobs, client, on_error)
    check_choice("predict_next", predict_next, (True, False))
    _check_folder(out, resume, restart)
    folder = nullcontext() if out is None else run_folder(out, resume)
    with folder, progress_bar(progress, "backtesting", "fits") as update:
        if out is not None and not (resume or restart) and (work := finished_work(out)):
            raise ValueError(
                f"{out} {work}: resume=True continues from it, restart=True replaces it; or name another folder"
            )
        plan = _plan(_named_forecasters(models), prices, cv, settings, on_error, predict_next)
        checkpoint = None if out is None else Checkpoint(out, plan.all_tasks, plan.panel, cv.horizon)
        executor = Executor(plan.panel, cv.horizon, n_jobs, client, on_error, checkpoint, update)
        if checkpoint is None:
            return _collect(plan, executor.run(plan.all_tasks))
        if resume and (finished := _finished_run(checkpoint, plan.spec)) is not None:
            return _with_next(plan, executor, finished, out)
        return _stored_run(plan, executor, checkpoint, restart)


def _stored_run(plan: _Plan, executor: Executor, checkpoint: Checkpoint, restart: bool) -> BacktestResult:
    """Run a plan from its checkpoint, save the result and delete the checkpoint, unless a fit failed."""
    _io.check_destination(checkpoint.out, _io.RUN)
    try:
        if message := checkpoint.begin(plan.spec, restart):
            warn(message, ResumeWarning)
        result = _collect(plan, executor.run(plan.all_tasks))
        result.save(checkpoint.path, replace=True)
    except BaseException as error:
        if stored := checkpoint.stop():
            error.add_note(f"{stored} of {len(plan.all_tasks)} fits are stored: resume=True continues from there")
        raise
    if result.failures().empty:
        checkpoint.finish()
    return result


def _with_next(plan: _Plan, executor: Executor, finished: BacktestResult, out: str | Path | None) -> BacktestResult:
    """Return a finished run with the forecasts of the next rows, if they are wanted; those are saved."""
    if out is None or plan.next_period is None or finished.next is not None:
        return finished
    results = replace(executor, checkpoint=None).run(plan.next_tasks)
    result = replace(finished, next=_next_rows(plan, results))
    result.save(out, replace=True)
    return result


class _Settings(NamedTuple):
    """The settings that a spec contains."""

    refit: int
    warm: bool
    season: int | None
    reference: str | None
    against: str | None


def _check_settings(settings: _Settings, n_jobs: Any, client: Any, on_error: Any) -> None:
    check_choice("warm", settings.warm, (True, False))
    check_int("refit", settings.refit, 1)
    if settings.season is not None:
        check_int("season", settings.season, 1)
    for name in ("reference", "against"):
        if not isinstance(value := getattr(settings, name), (str, type(None))):
            raise TypeError(f"{name} must be the name of a model; got {value!r}")
    check_jobs(n_jobs)
    check_choice("on_error", on_error, ("raise", "record"))
    if not (client is None or (hasattr(client, "submit") and hasattr(client, "scatter"))):
        raise TypeError(f"client must be a Dask client, such as distributed.Client('tcp://host:8786'); got {client!r}")


def _check_folder(out: Any, resume: Any, restart: Any) -> None:
    check_choice("resume", resume, (True, False))
    check_choice("restart", restart, (True, False))
    if resume and restart:
        raise ValueError("resume continues a run and restart deletes it: choose one of them")
    if (resume or restart) and out is None:
        raise ValueError(
            f"{'resume continues' if resume else 'restart replaces'} the run in a folder: name it with out"
        )


def _named_forecasters(models: Models) -> dict[str, Forecaster]:
    """Return the models by name, those of other packages wrapped."""
    named = {}
    for name, model in _name_models(models).items():
        if not isinstance(name, str):
            raise TypeError(f"the names of models must be text; got {name!r}")
        named[name] = as_forecaster(model, name)
    for model in named.values():
        model.check_params()
    return named


def _name_models(models: Models) -> Mapping[str, Model | str]:
    """Return models by name; in a list, a model is named after its class and a model of the registry by its name."""
    if isinstance(models, (str, Forecaster)):
        models = [models]
    if isinstance(models, (list, tuple)) and all(isinstance(model, (str, Forecaster)) for model in models):
        names = [model if isinstance(model, str) else type(model).__name__.lower() for model in models]
        if repeated := [name for i, name in enumerate(names) if name in names[:i]]:
            raise ValueError(
                f"two models are named {repeated[0]!r}: give each its own name, as in {{'first': …, 'second': …}}"
            )
        models = dict(zip(names, models, strict=True))
    if not isinstance(models, Mapping) or not models:
        raise TypeError(
            "models must be names of the registry, such as ['naive', 'lstm'], or map names to forecasters, such as "
            f"{{'naive': Naive()}}; got {models!r}"
        )
    return models


@dataclass(frozen=True)
class _Plan:
    """A validated run: what is fitted when, and on which rows."""

    models: dict[str, Forecaster]
    panel: Panel
    horizon: int
    season: int
    periods: list[RefitPeriod]
    min_train_rows: int
    tasks: list[FitTask]
    spec: dict[str, Any]
    skipped: pd.DataFrame
    next_period: RefitPeriod | None  # None unless the rows after the last are forecast
    next_tasks: list[FitTask]

    @property
    def all_tasks(self) -> list[FitTask]:
        """The tasks of the run, and those of the next rows."""
        return [*self.tasks, *self.next_tasks]


def _plan(
    models: dict[str, Forecaster],
    prices: Prices,
    cv: WalkForward,
    settings: _Settings,
    on_error: str,
    predict_next: bool,
) -> _Plan:
    """Return the run's refit periods and tasks; raise ValueError if the prices cannot support them."""
    exog = dict.fromkeys(name for model in models.values() for name in model.required_fields())
    future = dict.fromkeys(name for model in models.values() for name in model.future_fields())
    panel = as_panel(prices, exog=tuple(exog), future=tuple(future))
    for model in models.values():
        model.check_static(panel)
    if on_error == "raise":
        RowsNeeded(models, panel, settings.refit, settings.season).check(cv)
    periods = make_periods(list(cv.split(panel)), settings.refit)
    train, (refit, warm, season, reference, against) = panel[periods[0].train], settings
    check_season(train, season)
    models, reference = add_references(models, train, season, reference, against)
    min_train_rows = max(model.min_rows(cv.horizon) for model in models.values())
    left_out = skipped(panel, periods, min_train_rows, cv.train_size)
    tasks = make_tasks(models, periods, min_train_rows, warm)
    stored = {"refit": refit, "warm": warm, "season": season or 1, "reference": reference, "against": against}
    spec = make_spec(models, panel, cv, stored)
    later = next_period(panel, cv, len(periods)) if predict_next else None
    # Each of these fits starts from scratch, so that it does not depend on whether the run is resumed.
    next_tasks = [] if later is None else make_tasks(models, [later], min_train_rows, warm=False)
    next_tasks = [replace(task, may_fail=True) for task in next_tasks]
    plan = (models, panel, cv.horizon, season or 1, periods, min_train_rows, tasks, spec, left_out)
    return _Plan(*plan, later, next_tasks)


def _finished_run(checkpoint: Checkpoint, spec: dict[str, Any]) -> BacktestResult | None:
    """Return the finished run in the folder if it has this spec and no failed fit; otherwise None, with a warning.

    Raises ValueError if the finished run has another spec or cannot be read, unless the stopped run is its restart.
    """
    out = checkpoint.out
    if not _io.is_kind(checkpoint.path, _io.RUN):
        return None
    is_restart = checkpoint.replaces_finished()
    try:
        changed = differences(_io.read_spec(out), spec)
        result = BacktestResult.load(out) if set(changed) <= {"against"} else None
    except ValueError:
        if is_restart:
            return None
        raise
    if is_restart and (result is None or checkpoint.changed(spec) == []):
        return None
    if result is None:
        raise ValueError(
            f"{out} holds a finished run, and {', '.join(changed)} changed since: restart=True replaces it, or name "
            "another folder"
        )
    if not (failed := len(result.failures())):
        checkpoint.delete_leftovers(spec)
        return _judged_against(result, spec["against"], out) if changed else result
    lost = len(result.fits) - failed - checkpoint.count()
    others = f", as do {lost} that are not stored" if lost else ""
    warn(f"{failed} fits of the run in {out} failed, and run again{others}", ResumeWarning)
    return None


def _judged_against(result: BacktestResult, against: str | None, out: str | Path) -> BacktestResult:
    """Return a finished run with another baseline for its verdicts, and save it; the forecasts are the same."""
    judged = replace(result, spec=result.spec | {"against": against})
    judged.save(out, replace=True)
    return judged


def _collect(plan: _Plan, results: Mapping[Key, TaskResult]) -> BacktestResult:
    """Return the tables of a run; raise ValueError if no model has a forecast, or the reference has none."""
    indexes = [
        ForecastIndex(plan.panel, period, plan.min_train_rows, plan.horizon, plan.season) for period in plan.periods
    ]
    tables = [
        (name, index.to_frame(name, forecast))
        for name, model in plan.models.items()
        for period, index in zip(plan.periods, indexes, strict=True)
        if (forecast := combined_forecast(name, model, period, results)) is not None
    ]
    if (reference := plan.spec["reference"]) not in dict(tables):
        reasons = dict.fromkeys(
            f"{key[0]}: {error}" for key, result in results.items() if (error := result.fit_info["error"])
        )
        subject = f"{reference} has no" if tables else "no model has a"
        raise ValueError(f"{subject} forecast, so nothing can be compared: {'; '.join([*reasons][:3])}")
    fits = pd.DataFrame([_fit_row(task, plan.panel, results[task.key]) for task in plan.tasks])
    joined = join([table for _, table in tables], list(plan.models))
    return BacktestResult(joined, fits, plan.spec, plan.skipped, _next_rows(plan, results))


def _next_rows(plan: _Plan, results: Mapping[Key, TaskResult]) -> pd.DataFrame | None:
    """Return the forecasts of the rows after the last; None if they are not wanted."""
    period = plan.next_period
    if period is None:
        return None
    forecasts: dict[str, Forecast | str] = {}
    for name, model in plan.models.items():
        forecast = combined_forecast(name, model, period, results)
        own = [result for key, result in results.items() if key[0] == name and key[2] == period.number]
        errors = [str(result.fit_info["error"]) for result in own if result.fit_info["error"]]
        forecasts[name] = errors[0] if forecast is None else forecast
    return next_table(plan.panel, period, plan.min_train_rows, plan.horizon, forecasts)


def _fit_row(task: FitTask, panel: Panel, result: TaskResult) -> dict[str, Any]:
    """Return the row of a fit: what it was fitted on, and how it went."""
    train = panel[task.period.train]
    return {
        "model": task.name,
        "member": task.member,
        "cutoff": panel.index[task.period.cutoffs[0]],
        "train_start": train.index[0],
        "train_end": train.index[-1],
        "rows": len(train),
        "series": int(trainable(panel, task.period, task.min_train_rows).sum()),
        "cutoffs": len(task.period.folds),
        **result.fit_info,
    }
