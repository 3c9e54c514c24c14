"""The commands `backtest`, `audit` and `report`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from forecast import _io
from forecast.cli.app import CommandResult, command, print_line, print_message, quiet, report_warnings
from forecast.cli.completion import choices, complete_model, complete_models, complete_run
from forecast.cli.model_commands import FutureColumns, Horizon, Settings, describe_season, make_models
from forecast.cli.option_names import in_option_names, in_shell, parameter_options
from forecast.cli.price_commands import Inputs, Prices, check_out, given_options, takes_prices, with_options
from forecast.cli.terminal import show_result, show_sentence

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult
    from forecast.backtesting.split import WalkForward
    from forecast.data.panel import Panel
    from forecast.models.base import Forecaster

Windows = Annotated[int, typer.Option(help="Number of cutoffs; the last is `horizon` rows before the end.")]
StepSize = Annotated[int | None, typer.Option(help="Rows between cutoffs (default: the horizon).")]
TrainSize = Annotated[
    int | None, typer.Option(help="Train on this number of newest rows only (default: all up to the cutoff).")
]
Loss = Annotated[
    str | None,
    typer.Option(
        help="Loss of the verdict: squared, absolute, pinball or qlike (default: squared for where it will be, pinball "
        "for how far it may be off).",
        autocompletion=choices("squared", "absolute", "pinball", "qlike"),
    ),
]
Embargo = Annotated[int, typer.Option(help="Rows before each cutoff that are excluded from training.")]


@command()
@takes_prices
def backtest(
    prices: Prices,
    models: Annotated[
        str,
        typer.Option(
            help="Models (see `forecast models`), separated by commas; naive always runs.",
            autocompletion=complete_models,
        ),
    ] = "naive,drift,arima,lstm",
    future_columns: FutureColumns = None,
    horizon: Horizon = 5,
    windows: Windows = 20,
    step_size: StepSize = None,
    train_size: TrainSize = None,
    embargo: Embargo = 0,
    refit: Annotated[int, typer.Option(help="Refit the models at every n-th cutoff.")] = 1,
    warm: Annotated[bool, typer.Option("--warm", help="Start networks and ARIMA from their previous fit.")] = False,
    season: Annotated[
        int | None,
        typer.Option(help="Rows in a season, of seasonal models and MASE (default: MASE 1; seasonal-naive by a test)."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="Model that skill is relative to (default: zero for returns, else naive).",
            autocompletion=complete_model,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="Model that the verdict compares with (default: the strongest simple baseline).",
            autocompletion=complete_model,
        ),
    ] = None,
    loss: Loss = None,
    set_: Settings = None,
    jobs: Annotated[
        int, typer.Option(help="Number of processes, at most 4 per core; the results do not depend on it.")
    ] = 1,
    backend: Annotated[
        str,
        typer.Option(
            help="`processes` on this machine, or a `dask` cluster.", autocompletion=choices("processes", "dask")
        ),
    ] = "processes",
    scheduler: Annotated[
        str | None, typer.Option(help="Address of the Dask scheduler, such as tcp://host:8786.")
    ] = None,
    on_error: Annotated[
        str,
        typer.Option(
            help="`raise` stops if a fit fails, `record` notes it.", autocompletion=choices("raise", "record")
        ),
    ] = "raise",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the run: forecasts, fits, spec and report.", autocompletion=complete_run),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in --out; without prices, with the options it had.")
    ] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Replace the run in --out by a new one.")] = False,
    spec: Annotated[
        Path | None,
        typer.Option(help="Repeat the run of this folder or spec.json.", autocompletion=complete_run),
    ] = None,
    *,
    context: typer.Context,
) -> CommandResult:
    """Compare models with simple baselines in a walk-forward backtest.

    [bold]Example:[/bold] forecast backtest stocks --models naive,arima,lstm --windows 40 --refit 10 --out runs/stocks
    """
    from forecast._validation import check_int

    for name, value in (("refit", refit), ("season", 1 if season is None else season), ("jobs", jobs)):
        check_int(f"--{name}", value, 1)
    _check_loss(loss)
    with _run_folder(out, resume, restart):
        if resume and out is not None and spec is None and not prices.data:
            definition = _stored_definition(out, context)
        elif spec is not None:
            definition = _definition_of_spec(spec, context)
        else:
            split = (horizon, windows, step_size, train_size, embargo)
            settings = {"refit": refit, "warm": warm, "season": season, "reference": reference, "against": against}
            chosen = make_models(models, set_ or [], season=season, future=future_columns, static=prices.static_table())
            definition = _new_definition(prices, chosen, split, settings)
        panel = definition.panel(out)
        with _cluster(backend, scheduler) as client:
            execution = {"n_jobs": jobs, "on_error": on_error, "client": client}
            execution |= {"out": out, "resume": resume, "restart": restart}
            execution["predict_next"] = out is not None  # the last section of the report
            result = _run_backtest(definition.models, panel, definition.cv, definition.settings | execution)
        _mention_season(panel, definition)
        if spec is not None and definition.sha256 != result.spec["data"]["sha256"]:
            print_message(f"the prices differ from those of {spec}: this does not repeat that run")
        return _report(result, out, loss)


def _check_loss(loss: str | None) -> None:
    """Raise ValueError unless --loss is one of the losses, or is left out."""
    from forecast._validation import check_choice
    from forecast.evaluation.losses import LOSSES

    if loss is not None:
        check_choice("--loss", loss, list(LOSSES))


@contextmanager
def _run_folder(out: Path | None, resume: bool, restart: bool) -> Iterator[None]:
    """Lock the folder of the run; raise ValueError if it holds finished fits and neither option is set."""
    from forecast.backtesting.checkpoint import finished_work, run_folder

    if resume and restart:
        raise ValueError("--resume continues a run and --restart replaces it: choose one of them")
    if out is None:
        if resume or restart:
            raise ValueError(f"--{'resume' if resume else 'restart'} needs the folder of the run: name it with --out")
        yield
        return
    with run_folder(out, resume):
        if not (resume or restart) and (work := finished_work(out)):
            raise ValueError(
                f"--out {out} {work}: --resume continues from it, --restart replaces it; or name another folder"
            )
        yield


class _Definition(NamedTuple):
    """Everything that determines the forecasts of a run."""

    prices: Prices
    models: dict[str, Forecaster]
    cv: WalkForward
    settings: dict[str, Any]
    sha256: str | None = None  # hash of the prices of the run that is repeated

    def panel(self, out: Path | None) -> Panel:
        """Return the prices, with the folder from which a relative path of them starts, as seen from the run's."""
        inputs = Inputs.of(self.models.values())
        panel = self.prices.panel(self.prices.table(inputs), inputs)
        return panel if out is None else with_options(panel, self.prices.start_of_path(out))


def _mention_season(panel: Panel, definition: _Definition) -> None:
    """Print which models run without the season that a test finds, or that the rows are too few to look for one."""
    from forecast.models.season import MIN_SEASONS, candidate_seasons

    candidates = candidate_seasons(panel.index)
    if definition.settings["season"] is not None or not candidates or quiet.get():
        return
    cv, m = definition.cv, min(candidates)
    stop = cv.cutoffs(range(len(panel)))[0] + 1 - cv.embargo
    n_rows = min(stop, cv.train_size or stop)
    if n_rows < MIN_SEASONS * m:
        print_message(
            f"no season was looked for: the {n_rows} rows of the first fit are fewer than {MIN_SEASONS} seasons of {m} "
            f"rows, which the dates suggest; --season {m} declares it, and adds the value a season ago to the models"
        )
        return
    for message in describe_season(definition.models, panel[stop - n_rows : stop]):
        print_message(message)


def _new_definition(
    prices: Prices, models: dict[str, Forecaster], split: tuple[Any, ...], settings: dict[str, Any]
) -> _Definition:
    """Return the definition that options give; raise ValueError if one is not valid."""
    from forecast.backtesting.split import WalkForward

    cv = WalkForward(*split)
    for option in ("reference", "against"):
        rows = (*models, "zero", "seasonal-naive")  # which the run may add
        _check_baseline(option, settings[option], rows, f"it has {', '.join(models)}; add others with --models")
    return _Definition(prices, models, cv, settings)


def _check_baseline(option: str, name: str | None, rows: Collection[str], remedy: str) -> None:
    """Raise ValueError if --reference or --against names none of the rows that a run has or may have."""
    from forecast._validation import did_you_mean

    if name is not None and name not in rows:
        hint = did_you_mean(name, dict.fromkeys(rows))
        raise ValueError(f"--{option} {name}: there is no such model in this run{hint}; {remedy}")


#: Options that determine how a run is executed, not its forecasts; --spec allows them.
EXECUTION = {
    "spec",
    "out",
    "resume",
    "restart",
    "jobs",
    "backend",
    "scheduler",
    "on_error",
    "loss",
    "json",
    "quiet",
    "offline",
}


def _reject_options_of_spec(context: typer.Context, reason: str, allowed: Collection[str] = ()) -> None:
    """Raise ValueError for options that a spec defines already."""
    for name in given_options(context):
        if name not in EXECUTION and name not in allowed:
            option = "the prices" if name == "data" else f"--{name.rstrip('_').replace('_', '-')}"
            raise ValueError(f"{reason}: leave {option} out")


def _definition_of_spec(spec: Path, context: typer.Context) -> _Definition:
    """Return the definition of the run that is repeated."""
    _reject_options_of_spec(context, "--spec already defines the run")
    folder = spec.parent if spec.name == _io.SPEC else spec
    return _read_definition(_io.read_spec(folder), folder)


def _stored_definition(out: Path, context: typer.Context) -> _Definition:
    """Return the definition of the interrupted run in a folder, or else of the finished one, with a new --against."""
    from forecast.backtesting.checkpoint import CHECKPOINT, checkpoint_folder

    reason = "--resume without prices continues the run with the options it had"
    _reject_options_of_spec(context, reason, allowed=("against",))
    is_interrupted = _io.is_kind(checkpoint_folder(out), CHECKPOINT)
    if not is_interrupted and not _io.is_kind(out, _io.RUN):
        raise ValueError(f"--resume: there is no run in {out}; to start one, name the prices too")
    spec = _io.read_spec(checkpoint_folder(out), CHECKPOINT) if is_interrupted else _io.read_spec(out)
    definition = _read_definition(spec, out)
    if (against := context.params["against"]) is None:
        return definition
    _check_baseline("against", against, definition.models, f"choose one of {', '.join(definition.models)}")
    return definition._replace(settings=definition.settings | {"against": against})


def _read_definition(spec: dict[str, Any], run: Path) -> _Definition:
    """Return the definition of a run from its spec; `run` is the folder of the run."""
    from forecast.backtesting.spec import DEFAULTS, rebuild
    from forecast.backtesting.split import WalkForward

    data = spec["data"]
    options = dict(data.get("options", {"data": data["source"]}))
    start = options.pop("folder", None)
    prices = Prices(**options)
    settings = {name: spec[name] for name in ("refit", "warm", "season")}
    settings |= {name: spec.get(name, default) for name, default in DEFAULTS.items()}
    return _Definition(
        prices if start is None else _located(prices, start, run),
        rebuild(spec["models"]),
        WalkForward(**spec["cv"]),
        settings,
        data["sha256"],
    )


def _located(prices: Prices, folder: str, run: Path) -> Prices:
    """Return prices with the paths of their files in the folder from which their relative paths started.

    If one is no longer there, the path starts from the current folder, as does every relative path.
    """
    start = _io.start_of_paths(folder, run)
    if start == Path.cwd():
        return prices
    found = {name: str(_io.real_path(start / path)) for name, path in prices.paths().items() if (start / path).exists()}
    return replace(prices, data=found.get("data", prices.data), static=found.get("static", prices.static))


def _report(result: BacktestResult, out: Path | None, loss: str | None) -> CommandResult:
    """Write the report of a run if it has a folder, and return what is printed; both show the same results."""
    from forecast.evaluation.shared import shared

    with shared():
        if out is not None:
            from forecast.report.html.page import write_report

            write_report(result, out / _io.REPORT, loss)
        return _summarise(result, out, loss)


def _summarise(result: BacktestResult, out: Path | None, loss: str | None) -> CommandResult:
    judged, board = result.verdicts(loss), result.leaderboard()

    def show() -> None:
        show_result(result, judged, board)
        if out is not None:
            print_line()
            print_line(f"The run is in {out}; open {out / _io.REPORT} in a browser.")

    verdicts = [
        {"loss": v.loss, "against": v.against, "sentence": v.sentence, "note": v.note, "models": v.table}
        for v in judged
    ]
    extremes = result.extremes()
    data = {
        "field": result.spec["data"].get("field"),
        "series": result.spec["data"]["series"],
        "reference": result.reference,
        "leaderboard": board.reset_index(names="model"),
        "sentences": judged.sentences,
        "verdicts": verdicts,
        "set_apart": extremes.table,
        "extreme_models": extremes.models,
        "prices": result.spec["data"]["report"]["findings"],
        "compared": dict(zip(("rows", "forecast"), result.compared(), strict=True)),
        "failures": result.failures(),
        "skipped": result.skipped,
        "out": None if out is None else str(out),
    }
    return CommandResult(data, show)


@command()
@takes_prices
def audit(
    prices: Prices,
    models: Annotated[
        str,
        typer.Option(help="Models (see `forecast models`), separated by commas.", autocompletion=complete_models),
    ] = "arima,lstm",
    future_columns: FutureColumns = None,
    horizon: Horizon = 5,
    windows: Windows = 6,
    step_size: StepSize = None,
    train_size: TrainSize = None,
    embargo: Embargo = 0,
    set_: Settings = None,
) -> CommandResult:
    """Test models for look-ahead: forecasts must not change if later prices do.

    The exit code is 1 if a model fails. Each model needs 23 walk-forward runs, with --windows 3 only 18. The last line
    names what cannot be seen.

    [bold]Example:[/bold] forecast audit stocks --models arima,lstm
    """
    from forecast.backtesting.split import WalkForward
    from forecast.evaluation.audit import audit as audit_model

    cv = WalkForward(horizon, windows, step_size, train_size, embargo)
    audited = make_models(models, set_ or [], always=(), future=future_columns, static=prices.static_table())
    inputs = Inputs.of(audited.values())
    table = prices.table(inputs)
    reports = {
        name: audit_model(model, table, cv, prepare=lambda raw: prices.panel(raw, inputs))
        for name, model in audited.items()
    }
    failed = [name for name, report in reports.items() if not report.passed]

    def show() -> None:
        for name, report in reports.items():
            for line in f"{name}: {report}\n".split("\n"):
                print_line(line)
        if failed:
            print_line(f"Failed the audit on these data: {', '.join(failed)}")

    data = {name: {"passed": report.passed, "checks": report.table} for name, report in reports.items()}
    return CommandResult(data, show, code=1 if failed else 0)


@command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run.", autocompletion=complete_run)],
    out: Annotated[
        Path | None, typer.Option(help="File to write, or to replace: .html (default: report.html in the folder).")
    ] = None,
    loss: Loss = None,
) -> CommandResult:
    """Write the report of a run as one HTML file that works offline.

    [bold]Example:[/bold] forecast report runs/stocks --out stocks.html
    """
    from forecast.backtesting import BacktestResult
    from forecast.report.html.page import write_report

    _check_loss(loss)
    result = BacktestResult.load(run)
    own = run / _io.REPORT
    destination = own if out is None else out
    is_own = _io.real_path(destination) == _io.real_path(own)
    if not is_own:
        check_out(destination, suffixes=(".html",))
    with _io.folder_lock(run, _io.RUN) if is_own else nullcontext():
        write_report(result, destination, loss)
    data = {"out": str(destination)}
    return CommandResult(data, lambda: print_line(f"The report is in {destination}; open it in a browser."))


@command()
def explain(
    run: Annotated[Path, typer.Argument(help="Folder of a run.", autocompletion=complete_run)],
    loss: Loss = None,
) -> CommandResult:
    """Explain the verdicts of a run in words: what was compared, how, who wins, what it means and does not mean.

    [bold]Example:[/bold] forecast explain runs/stocks
    """
    from forecast.backtesting import BacktestResult
    from forecast.report.in_words import explain as explain_run

    _check_loss(loss)
    sections = explain_run(BacktestResult.load(run), loss)

    def show() -> None:
        for i, section in enumerate(sections):
            if i:
                print_line()
            print_line(section.title)
            for sentence in section.sentences:
                show_sentence(sentence, margin="  ")

    return CommandResult([section._asdict() for section in sections], show)


@contextmanager
def _cluster(backend: str, scheduler: str | None) -> Iterator[Any]:
    """Yield a client of the Dask cluster, or None without one."""
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
        raise ValueError("--backend dask needs Dask: pip install 'forecast[dask]', here and on the workers") from None
    with Client(scheduler, timeout="10s") as client:
        yield client


def _run_backtest(
    models: dict[str, Forecaster], prices: Panel, cv: WalkForward, options: dict[str, Any]
) -> BacktestResult:
    from forecast.backtesting import ResumeWarning, backtest

    with report_warnings(ResumeWarning):
        try:
            return backtest(models, prices, cv, **options, progress=not quiet.get())
        except (ValueError, TypeError, KeyboardInterrupt) as error:
            _name_options(error, models, options["out"])
            raise


def _name_options(error: BaseException, models: dict[str, Forecaster], out: Path | None) -> None:
    """Rewrite the error of a fit with the options that set that model's parameters, and the command that resumes."""
    from forecast.backtesting.tasks import FITTING

    notes = getattr(error, "__notes__", [])
    for name, model in models.items():
        if any(note.startswith(f"{FITTING} {name} at ") for note in notes):
            options = parameter_options(name, model.get_params(deep=False))
            error.args = (in_option_names(str(error), options), *error.args[1:])
    if out is not None and isinstance(error, KeyboardInterrupt):
        command = f"`forecast backtest --resume --out {in_shell(out)}` continues from there"
        error.__notes__ = [note.replace("resume=True continues from there", command) for note in notes]
