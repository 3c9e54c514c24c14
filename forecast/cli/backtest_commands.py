"""The commands about walks: `forecast backtest`, `audit` and `report`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from forecast.cli.app import Answer, command, fail, progress_bar, telling
from forecast.cli.model_commands import Horizon, Settings, chosen_models, fields_read
from forecast.cli.price_commands import Prices, takes_prices

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult
    from forecast.backtesting.split import WalkForward
    from forecast.data.panel import Panel
    from forecast.models.base import Forecaster

Windows = Annotated[int, typer.Option(help="Cutoffs to forecast from; the last lies `horizon` rows before the end.")]
StepSize = Annotated[int | None, typer.Option(help="Rows between cutoffs (if not given: the horizon).")]
TrainSize = Annotated[
    int | None, typer.Option(help="Train on so many rows only (if not given: on all up to the cutoff).")
]
Embargo = Annotated[int, typer.Option(help="Rows before each cutoff that are never trained on.")]


@command()
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
    spec: Annotated[Path | None, typer.Option(help="Repeat the run of this folder, or of its spec.json.")] = None,
    *,
    context: typer.Context,
) -> Answer:
    """Walk models forward through prices and say whether any beats doing nothing.

    [bold]Example:[/bold] forecast backtest stocks --models naive,arima,lstm --windows 40 --refit 10 --out runs/stocks
    """
    from forecast import _io
    from forecast.backtesting.split import WalkForward

    for name, value in (("refit", refit), ("season", season), ("jobs", jobs)):
        if value < 1:
            raise ValueError(f"--{name} must be at least 1; got {value}")
    if out is not None:
        _io.check_destination(out, _io.RUN)
    elif resume:
        raise ValueError("--resume goes on with the run in a folder: name it with --out")
    if spec is not None:
        _only_how(context)
        plan = _plan_of(spec)
    else:
        cv = WalkForward(horizon, windows, step_size, train_size, embargo)
        plan = _Plan(prices, chosen_models(models, set_ or []), cv, {"refit": refit, "warm": warm, "season": season})
    exog = fields_read(plan.models)
    panel = plan.prices.panel(plan.prices.table(exog), exog)
    with _cluster(backend, scheduler) as client:
        more = {"n_jobs": jobs, "on_error": on_error, "client": client, "out": out, "resume": resume}
        result = _walk(plan.models, panel, plan.cv, plan.settings | more)
    if plan.sha256 not in (None, result.spec["data"]["sha256"]):
        fail(f"the prices are no longer those of {spec}: this is another run")
    if out is not None:
        from forecast.report.html.page import write_report

        write_report(result, out / _io.REPORT)
    return _answer(result, out)


class _Plan(NamedTuple):
    """What a run is made of."""

    prices: Prices
    models: dict[str, Forecaster]
    cv: WalkForward
    settings: dict[str, Any]
    sha256: str | None = None  # of the prices, if they are to be those of another run


#: Options that say how a run is made, and not what it is.
HOW = {"spec", "out", "resume", "jobs", "backend", "scheduler", "on_error", "json", "quiet", "offline"}


def _only_how(context: typer.Context) -> None:
    """Refuse options that a spec says already."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and name not in HOW:
            what = "the prices" if name == "data" else f"--{name.rstrip('_').replace('_', '-')}"
            raise ValueError(f"--spec says already what is run: leave {what} out")


def _plan_of(spec: Path) -> _Plan:
    """Read a run's spec back into what it was made of."""
    from forecast import _io
    from forecast.backtesting.spec import rebuild
    from forecast.backtesting.split import WalkForward

    said = _io.read_spec(spec.parent if spec.name == _io.SPEC else spec)
    data = said["data"]
    prices = Prices(**data.get("asked", {"data": data["source"]}))
    settings = {name: said[name] for name in ("refit", "warm", "season")}
    return _Plan(prices, rebuild(said["models"]), WalkForward(**said["cv"]), settings, data["sha256"])


def _answer(result: BacktestResult, out: Path | None) -> Answer:
    from forecast import _io
    from forecast.cli.terminal import show as show_result

    def show() -> None:
        show_result(result)
        if out is not None:
            print(f"\nThe run is in {out}; open {out / _io.REPORT} in a browser.")

    verdicts = [{"against": v.against, "sentence": v.sentence, "models": v.table} for v in result.verdicts()]
    data = {
        "leaderboard": result.leaderboard().reset_index(names="model"),
        "verdicts": verdicts,
        "prices": result.spec["data"]["report"]["findings"],
        "failures": result.failures(),
        "skipped": result.skipped,
        "out": None if out is None else str(out),
    }
    return Answer(data, show)


@command()
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
) -> Answer:
    """Try whether anything of the future reaches the forecasts: change what comes later, and forecast again.

    Exit code 1 if a model fails. Each model takes 22 walks.

    [bold]Example:[/bold] forecast audit stocks --models arima,lstm
    """
    from forecast.backtesting.split import WalkForward
    from forecast.evaluation.audit import audit as audit_model

    cv = WalkForward(horizon, windows, step_size, train_size, embargo)
    chosen = chosen_models(models, set_ or [], always=())
    exog = fields_read(chosen)
    table = prices.table(exog)
    reports = {
        name: audit_model(model, table, cv, prepare=lambda raw: prices.panel(raw, exog))
        for name, model in chosen.items()
    }
    failed = [name for name, report in reports.items() if not report.passed]

    def show() -> None:
        for name, report in reports.items():
            print(f"{name}: {report}\n")
        if failed:
            print(f"Not to be trusted on these data: {', '.join(failed)}")

    data = {name: {"passed": report.passed, "checks": report.table} for name, report in reports.items()}
    return Answer(data, show, code=1 if failed else 0)


@command()
def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    out: Annotated[Path | None, typer.Option(help="File to write (if not given: report.html in the folder).")] = None,
) -> Answer:
    """Write the report of a run anew, as one HTML file that opens offline.

    [bold]Example:[/bold] forecast report runs/stocks --out stocks.html
    """
    from forecast import _io
    from forecast.backtesting import BacktestResult
    from forecast.report.html.page import write_report

    result = BacktestResult.load(run)
    place = run / _io.REPORT if out is None else out
    if place.is_dir() or not place.absolute().parent.is_dir():
        raise ValueError(f"--out {place} cannot be written: name a file in a folder that is there")
    write_report(result, place)
    return Answer({"out": str(place)}, lambda: print(f"The report is in {place}; open it in a browser."))


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
    from forecast.backtesting import ResumeWarning, backtest

    bar = progress_bar("walking forward", "fits")
    with telling(ResumeWarning), bar:
        job = bar.add_task("", total=None)
        return backtest(
            models, prices, cv, **options, progress=lambda done, total: bar.update(job, completed=done, total=total)
        )
