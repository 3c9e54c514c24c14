"""The commands that walk: `forecast backtest` and `forecast audit`, and the models there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast.cli.app import app, telling
from forecast.cli.prices import Prices, takes_prices

if TYPE_CHECKING:
    from forecast.backtest import BacktestResult
    from forecast.models import Forecaster
    from forecast.panel import Panel

Horizon = Annotated[int, typer.Option(help="Steps to forecast; a step is a row.")]
Windows = Annotated[int, typer.Option(help="Cutoffs to forecast from; the last lies `horizon` rows before the end.")]
StepSize = Annotated[int | None, typer.Option(help="Rows between cutoffs (if not given: the horizon).")]
TrainSize = Annotated[
    int | None, typer.Option(help="Train on so many rows only (if not given: on all up to the cutoff).")
]
Embargo = Annotated[int, typer.Option(help="Rows before each cutoff that are never trained on.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="MODEL.PARAM=VALUE", help="Set a parameter, such as lstm.trainer.lr=3e-4."),
]


@app.command()
@takes_prices
def backtest(
    prices: Prices,
    models: Annotated[
        str, typer.Option(help="Names from `forecast models`, with commas between them; naive always runs.")
    ] = "naive,drift,arima,lstm",
    horizon: Horizon = 5,
    windows: Windows = 20,
    step_size: StepSize = None,
    train_size: TrainSize = None,
    embargo: Embargo = 0,
    refit: Annotated[int, typer.Option(help="Fit every model anew at every so many-th cutoff.")] = 1,
    warm: Annotated[bool, typer.Option("--warm", help="Networks and ARIMA go on from their last fit.")] = False,
    season: Annotated[int, typer.Option(help="Season of MASE's scale, in rows.")] = 1,
    set_: Settings = None,
    jobs: Annotated[int, typer.Option(help="Processes that share the work; the numbers do not depend on it.")] = 1,
    backend: Annotated[str, typer.Option(help="What shares the work: `processes`, or a `dask` cluster.")] = "processes",
    scheduler: Annotated[
        str | None, typer.Option(help="Address of the Dask scheduler, such as tcp://host:8786.")
    ] = None,
    on_error: Annotated[
        str, typer.Option(help="A failed fit: `raise` stops, `record` notes it and goes on.")
    ] = "raise",
    out: Annotated[Path | None, typer.Option(help="Folder for the run: forecasts, fits, spec and report.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out that was stopped.")] = False,
) -> None:
    """Walk models forward through prices and say whether any beats doing nothing.

    [bold]Example:[/bold] forecast backtest stocks --models naive,arima,lstm --windows 40 --refit 10 --out runs/stocks
    """
    from forecast import folders, runs
    from forecast.splits import WalkForward

    cv = WalkForward(horizon, windows, step_size, train_size, embargo)
    for name, value in (("refit", refit), ("season", season), ("jobs", jobs)):
        if value < 1:
            raise ValueError(f"--{name} must be at least 1; got {value}")
    if out is not None:
        folders.check_place(out, runs.RUN)
    elif resume:
        raise ValueError("--resume goes on with the run in a folder: name it with --out")
    chosen = _models(models, set_ or [])
    exog = _exog(chosen)
    panel = prices.panel(prices.table(exog), exog)
    options = {"refit": refit, "warm": warm, "season": season, "n_jobs": jobs, "on_error": on_error}
    from forecast.terminal import show

    with _cluster(backend, scheduler) as client:
        result = _walk(chosen, panel, cv, options | {"client": client, "out": out, "resume": resume})
    show(result)
    if out is not None:
        from forecast.report import write_report

        write_report(result, out / runs.REPORT)
        print(f"\nThe run is in {out}; open {out / runs.REPORT} in a browser.")


@app.command()
@takes_prices
def audit(
    prices: Prices,
    models: Annotated[str, typer.Option(help="Names from `forecast models`, with commas between them.")] = "arima,lstm",
    horizon: Horizon = 5,
    windows: Windows = 6,
    step_size: StepSize = None,
    train_size: TrainSize = None,
    embargo: Embargo = 0,
    set_: Settings = None,
) -> None:
    """Try whether anything of the future reaches the forecasts: change what comes later, and forecast again.

    Exit code 1 if a model fails. Each model takes 22 walks.

    [bold]Example:[/bold] forecast audit stocks --models arima,lstm
    """
    from forecast.audit import audit as audit_model
    from forecast.splits import WalkForward

    cv = WalkForward(horizon, windows, step_size, train_size, embargo)
    chosen = _models(models, set_ or [], always=())
    exog = _exog(chosen)
    table = prices.table(exog)
    failed = []
    for name, model in chosen.items():
        report = audit_model(model, table, cv, prepare=lambda raw: prices.panel(raw, exog))
        print(f"{name}: {report}\n")
        failed += [] if report.passed else [name]
    if failed:
        print(f"Not to be trusted on these data: {', '.join(failed)}")
        raise typer.Exit(1)


@app.command(name="models")
def list_models() -> None:
    """List the models with their parameters and defaults.

    [bold]Example:[/bold] forecast models
    """
    from rich.console import Console
    from rich.table import Table

    from forecast.models.registry import MODELS, make_model

    table = Table("model", "what it is", "parameters and defaults (for --set)", box=None, padding=(0, 2, 0, 0))
    first: dict[str, tuple[str, dict[str, Any]]] = {}  # of each class: its first name, and the parameters under it
    for name, entry in MODELS.items():
        params = make_model(name).get_params(deep=False)
        like, known = first.setdefault(entry.class_name, (name, {}))
        own = ", ".join(f"{k}={v!r}" for k, v in params.items() if not known or known[k] != v)
        table.add_row(name, entry.what, f"as {like}, but {own}" if known else own)
        first[entry.class_name] = (like, known or params)
    Console().print(table)


def _exog(models: dict[str, Forecaster]) -> list[str]:
    return list(dict.fromkeys(name for model in models.values() for name in model.reads()))


def _models(names: str, settings: list[str], always: tuple[str, ...] = ("naive",)) -> dict[str, Forecaster]:
    from forecast.models.registry import did_you_mean, make_model, parse_value, set_parameter

    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if not wanted:
        raise ValueError("--models names no model: give some of `forecast models`, with commas between them")
    models = {name: make_model(name) for name in dict.fromkeys([*always, *wanted])}
    for setting in settings:
        path, equals, text = setting.partition("=")
        name, dot, parameter = path.strip().partition(".")
        if not (equals and dot and parameter):
            raise ValueError(f"--set {setting} cannot be read: write MODEL.PARAM=VALUE, such as lstm.lookback=60")
        if name not in models:
            raise ValueError(f"--set {setting}: {name!r} is not among --models{did_you_mean(name, models)}")
        set_parameter(models[name], parameter, parse_value(text), name)
    for name, model in models.items():
        try:
            model.check_params()
        except (ValueError, TypeError) as error:
            raise type(error)(f"{name}: {error}") from error
    return models


@contextmanager
def _cluster(backend: str, scheduler: str | None) -> Iterator[Any]:
    """Give a client of the cluster asked for, or None."""
    if backend not in ("processes", "dask"):
        raise ValueError(f"--backend must be processes or dask; got {backend!r}")
    if (backend == "dask") != (scheduler is not None):
        raise ValueError(
            "a cluster needs both --backend dask and --scheduler with its address, such as tcp://host:8786"
        )
    if scheduler is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("--backend dask needs Dask: pip install 'forecast[dask]', here and at the workers") from None
    with Client(scheduler, timeout="10s") as client:
        yield client


def _walk(models: dict[str, Forecaster], prices: Panel, cv: Any, options: dict[str, Any]) -> BacktestResult:
    from forecast.backtest import ResumeWarning, backtest
    from forecast.terminal import progress_bar

    bar = progress_bar("walking forward", "fits")
    with telling(ResumeWarning), bar:
        job = bar.add_task("", total=None)
        return backtest(
            models, prices, cv, **options, progress=lambda done, total: bar.update(job, completed=done, total=total)
        )
