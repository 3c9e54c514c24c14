"""The commands `models`, `fit` and `predict`, and the models that other commands take by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast.cli.app import CommandResult, command, print_line, report_warnings
from forecast.cli.completion import complete_fitted, complete_model, complete_setting
from forecast.cli.forecast_files import PICTURES, first_steps, sample_paths, write_plot
from forecast.cli.option_names import in_option_names, in_shell, parameter_options
from forecast.cli.parameters import Parameter, parameters
from forecast.cli.price_commands import (
    DERIVED_TARGETS,
    Inputs,
    Prices,
    check_out,
    check_same_as_fit,
    given_options,
    split_names,
    takes_prices,
    with_options,
    write_table,
)
from forecast.cli.terminal import format_number, show_entry, show_notes, show_table

if TYPE_CHECKING:
    import pandas as pd

    from forecast.data.panel import Panel
    from forecast.models.base import Forecaster

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="MODEL.PARAM=VALUE",
        help="Set a parameter, such as lstm.trainer.lr=3e-4.",
        autocompletion=complete_setting,
    ),
]
Exchange = Annotated[
    str | None, typer.Option(help="Exchange whose trading days follow: XNYS, XLON, XTKS … (default: as the rows).")
]
FutureColumns = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Columns of a file that are known before their row, also in rows after the last value: inputs of the "
        "models that have `future`.",
    ),
]
Horizon = Annotated[int, typer.Option(help="Steps to forecast; one step is one row.")]


def make_models(
    names: str,
    settings: list[str],
    always: tuple[str, ...] = ("naive",),
    season: int | None = None,
    future: str | None = None,
    static: pd.DataFrame | None = None,
) -> dict[str, Forecaster]:
    """Return the models of --models, and those of `always`.

    They have the season of --season, the inputs of --future-columns and --static and the parameters of --set.
    """
    from forecast._validation import did_you_mean
    from forecast.models.registry import make_model, parse_value, set_parameter, set_season

    requested = [name.strip() for name in names.split(",") if name.strip()]
    if not requested:
        raise ValueError("--models names no model: choose from `forecast models`, separated by commas")
    models = {name: make_model(name) for name in dict.fromkeys([*always, *requested])}
    if season is not None and season > 1:
        for model in models.values():
            set_season(model, season)
    if future is not None:
        names_of_future = dict.fromkeys(split_names(future, "--future-columns"))
        _set_inputs(models, "future", list(names_of_future), f"--future-columns {future}")
    if static is not None:
        _set_inputs(models, "static", [str(column) for column in static], "--static")
    for setting in settings:
        path, equals, text = setting.partition("=")
        name, dot, parameter = path.strip().partition(".")
        if not (equals and dot and parameter):
            raise ValueError(f"--set {setting} cannot be read: write MODEL.PARAM=VALUE, such as lstm.lookback=60")
        if name not in models:
            raise ValueError(f"--set {setting}: {name!r} is not among --models{did_you_mean(name, models)}")
        set_parameter(models[name], parameter, parse_value(text), name)
    for name, model in models.items():
        with _naming_parameters(name, model):
            model.check_params()
    return models


def _set_inputs(models: dict[str, Forecaster], parameter: str, columns: Sequence[str], option: str) -> None:
    """Set the inputs of an option in every model that has the parameter; raise ValueError if there is none."""
    from forecast.models.registry import MODELS, make_model

    able = [model for model in models.values() if parameter in model.get_params(deep=False)]
    if not able:
        known = [name for name in MODELS if parameter in make_model(name).get_params(deep=False)]
        first = [name for name in known if not any(name.startswith(f"{other}-") for other in known)]
        kind = "inputs of later rows" if parameter == "future" else "static inputs"
        raise ValueError(
            f"{option}: no model of {', '.join(models)} reads {kind}; models that do are {', '.join(first)} and their "
            "variants"
        )
    for model in able:
        model.set_params(**{parameter: tuple(columns)})


@command("models")
def list_models(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Models whose parameters are described (default: all are listed).",
            metavar="MODEL",
            autocompletion=complete_model,
        ),
    ] = None,
) -> CommandResult:
    """List the models with their parameters and defaults; of a named model, describe each parameter.

    [bold]Example:[/bold] forecast models lstm
    """
    from forecast.models.registry import MODELS, make_model

    if names:
        described = {name: parameters(name) for name in dict.fromkeys(names)}
        return CommandResult(
            [
                {"name": name, "what": MODELS[name].description, "parameters": [p._asdict() for p in entries]}
                for name, entries in described.items()
            ],
            lambda: _show_parameters(described),
        )
    params = {name: make_model(name).get_params(deep=False) for name in MODELS}
    data = [
        {"name": name, "what": MODELS[name].description, "params": {k: repr(v) for k, v in params[name].items()}}
        for name in MODELS
    ]
    return CommandResult(data, lambda: _show_models(params))


def _show_parameters(described: dict[str, list[Parameter]]) -> None:
    """Print each model with its parameters, their defaults and their meanings."""
    from forecast.models.registry import MODELS

    for name, entries in described.items():
        print_line(f"{name}: {MODELS[name].description}")
        print_line(f"Parameters with their defaults; set one with --set {name}.PARAM=VALUE:")
        print_line()
        for entry in entries:
            show_entry(f"{entry.name}={entry.default}", entry.meaning)
        print_line()


def _show_models(params: dict[str, dict[str, Any]]) -> None:
    """Print each model; of several models of one class, the later ones with their differing parameters only."""
    from forecast.models.registry import MODELS

    print_line("Models, with their parameters and defaults (for --set):")
    first_names: dict[str, str] = {}  # by class
    for name, entry in MODELS.items():
        first = first_names.setdefault(entry.class_name, name)
        known = {} if name == first else params[first]
        listed = ", ".join(f"{k}={v!r}" for k, v in params[name].items() if name == first or known[k] != v)
        show_entry(name, entry.description, listed if name == first else f"as {first}, but {listed}")


@contextmanager
def _naming_parameters(name: str, model: Forecaster) -> Iterator[None]:
    """Raise errors with the options --set that set a model's parameters in place of the parameters."""
    try:
        yield
    except (ValueError, TypeError) as error:
        message = in_option_names(str(error), parameter_options(name, model.get_params(deep=False)))
        prefix = "" if f"--set {name}." in message else f"{name}: "
        raise ValueError(f"{prefix}{message}") from error


@command()
@takes_prices
def fit(
    prices: Prices,
    out: Annotated[Path, typer.Option(help="Folder for the fitted model.")],
    model: Annotated[
        str, typer.Option(help="Name of a model (see `forecast models`).", autocompletion=complete_model)
    ] = "arima",
    future_columns: FutureColumns = None,
    horizon: Horizon = 5,
    season: Annotated[int | None, typer.Option(help="Rows in a season, of a model that has one.")] = None,
    exchange: Exchange = None,
    set_: Settings = None,
    force: Annotated[bool, typer.Option("--force", help="Replace another model in --out.")] = False,
) -> CommandResult:
    """Fit a model on all rows and save it for `forecast predict`.

    [bold]Example:[/bold] forecast fit stocks --model lstm --horizon 5 --out models/lstm
    """
    from forecast import _io
    from forecast.data.panel import format_date
    from forecast.models.base import ShortSeriesWarning
    from forecast.models.price_kind import PriceKind
    from forecast.models.store import check_replaced

    _io.check_destination(out, _io.MODEL)
    name, fitted = _make_model(model.strip(), set_ or [], horizon, season, future_columns, prices.static_table())
    inputs = Inputs.of([fitted])
    panel = with_options(prices.panel(prices.table(inputs), inputs), prices.start_of_path(out))
    if exchange is not None:
        panel = _with_exchange(panel, horizon, exchange)
    _check_rows(panel, name, fitted, horizon)
    with report_warnings(ShortSeriesWarning), _io.folder_lock(out, _io.MODEL):
        if not force:
            check_replaced(out, type(fitted), panel.series, PriceKind.of(panel))
        with _naming_parameters(name, fitted):
            fitted.fit(panel, horizon)
        fitted.save(out, replace=True)
    last = format_date(panel.index[-1])
    data = {"model": name, "horizon": horizon, "series": list(panel.series), "rows": len(panel)}
    known = list(inputs.future)
    data |= {"target": fitted.prices_.quantity, "known": known, "last": last, "out": str(out), "fit": fitted.record_}
    ended = _ended_series(panel)
    notes = [*panel.attrs.get("notes", []), *_describe_ended(ended, panel, "predict leaves such series out")]
    notes += describe_season({name: fitted}, panel) if season is None else []
    data |= {"ended": ended, "notes": notes}

    def show() -> None:
        print_line(f"Fitted {name} on {len(panel):,} rows of {fitted.prices_.describe(panel.series)}, up to {last}.")
        if known:
            print_line(f"Inputs of the rows that are forecast: {', '.join(known)}.")
        command = f"forecast predict {in_shell(out)} {in_shell(prices.data)}"
        print_line(f"The model is in {out}; `{command}` forecasts the next {horizon} rows.")
        show_notes(notes)

    return CommandResult(data, show)


def describe_season(models: Mapping[str, Forecaster], train: Panel) -> list[str]:
    """Return which models run without the season that a test finds in the training rows; nothing if none does."""
    from forecast._text import list_names
    from forecast.models.registry import lacks_season
    from forecast.models.season import find_season

    without = [name for name, model in models.items() if lacks_season(model)]
    if not without or (m := find_season(train)) == 1:
        return []
    return [
        f"a test finds a season of {m} rows, and these models run without it: {list_names(without)}; --season {m} "
        "declares it for all models that have one"
    ]


def _ended_series(panel: Panel) -> dict[str, str | None]:
    """Return the series that have no value in the last row, with the label of their last value, None without any."""
    from forecast.data.panel import format_date

    ended: dict[str, str | None] = {}
    for name, observed in zip(panel.series, panel.observed.T, strict=True):
        rows = observed.nonzero()[0]
        if not observed[-1]:
            ended[name] = format_date(panel.index[rows[-1]]) if len(rows) else None
    return ended


def _describe_ended(ended: dict[str, str | None], panel: Panel, consequence: str) -> list[str]:
    """Return a sentence on the series without a value in the last row, if there are some."""
    from forecast._text import list_names
    from forecast.data.panel import format_date

    if not ended:
        return []
    listed = list_names([f"{name} (last: {last})" if last else f"{name} (none at all)" for name, last in ended.items()])
    return [f"no value in the last row, {format_date(panel.index[-1])}: {listed}; {consequence}"]


def _make_model(
    name: str,
    settings: list[str],
    horizon: int,
    season: int | None,
    future: str | None,
    static: pd.DataFrame | None,
) -> tuple[str, Forecaster]:
    """Return the name and the model of --model, with what --season, --future-columns, --static and --set set."""
    from forecast._validation import check_int
    from forecast.models.registry import make_model, set_season

    check_int("--horizon", horizon, 1)
    if season is not None:
        check_int("--season", season, 1)
    if "," in name:
        raise ValueError(f"--model takes one name; got {name!r}")
    if season is not None and not set_season(make_model(name), season):
        raise ValueError(f"--season {season} does not apply to {name}, which has no season: leave it out")
    return next(iter(make_models(name, settings, always=(), season=season, future=future, static=static).items()))


def _with_exchange(panel: Panel, horizon: int, exchange: str) -> Panel:
    """Return the panel with --exchange among its options; raise ValueError if the dates cannot be those of it."""
    from forecast.data.calendar import next_dates

    next_dates(panel.index, horizon, exchange)
    return with_options(panel, {"exchange": exchange})


def _check_rows(panel: Panel, name: str, model: Forecaster, horizon: int) -> None:
    """Raise ValueError if no series has enough observed rows for a model and --horizon."""
    needed = max(model.min_rows(horizon), horizon + 1)
    rows = panel.count_observed()
    if rows.max() >= needed:
        return
    shorter = (steps for steps in range(horizon - 1, 0, -1) if rows.max() >= max(model.min_rows(steps), steps + 1))
    remedy = "use " if (steps := next(shorter, 0)) == 0 else f"use --horizon {steps} or "
    longest = panel.series[int(rows.argmax())]
    raise ValueError(
        f"{name} needs at least {needed} rows of a series for --horizon {horizon}, and the longest, {longest}, has "
        f"{rows.max()}: {remedy}more history"
    )


def _load_forecaster(folder: Path) -> Forecaster:
    """Return the fitted model in a folder; raise ValueError if it is none that forecasts prices."""
    from forecast.models.base import Forecaster
    from forecast.models.store import load_model

    model = load_model(folder)
    if not isinstance(model, Forecaster):
        raise ValueError(f"{folder} holds a {type(model).__name__}, which forecasts no prices: load it in Python")
    return model


@command()
@takes_prices
def predict(
    prices: Prices,
    model: Annotated[Path, typer.Argument(help="Folder that `forecast fit` created.", autocompletion=complete_fitted)],
    future_columns: FutureColumns = None,
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast (default: those of the fit).")] = None,
    exchange: Exchange = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Picture to write, or to replace, of the history and the forecast: .png, .svg or .pdf."),
    ] = None,
    paths: Annotated[
        int | None, typer.Option(help="Write this number of sample paths to --out in place of the quantiles.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write, or to replace: .csv or .parquet.")] = None,
    *,
    context: typer.Context,
) -> CommandResult:
    """Forecast the rows that follow the prices, with a fitted model, with quantiles and dates.

    The prices are read as those of the fit: their target, rows, interval and future columns need not be repeated.

    [bold]Example:[/bold] forecast predict models/lstm stocks --exchange XNYS --plot tomorrow.png --out tomorrow.csv
    """
    from forecast.models.price_kind import quantity_of

    _check_files(prices, out, plot, paths)
    fitted = _load_forecaster(model)
    if future_columns is not None:
        before = ",".join(fitted.future_fields()) or None
        check_same_as_fit("future-columns", ",".join(split_names(future_columns, "--future-columns")), before)
    panel = _read_as_fitted(prices, fitted, given_options(context))
    ended = _ended_series(panel)
    _check_any_traded(panel, ended)
    dates, calendar = _dates_of_forecast(panel, fitted, _exchange_of(fitted, exchange), prices.data)
    forecast = replace(fitted.predict(panel), index=panel.index.append(dates))
    if horizon is not None:
        forecast = first_steps(forecast, horizon, fitted.horizon_)
    table = forecast.to_frame()
    table, missing = _drop_missing(table[~table["unique_id"].isin(ended)], fitted)
    names = list(table["unique_id"].unique())
    if out is not None:
        steps = dates[: forecast.point.shape[2]]
        written = table if paths is None else sample_paths(fitted, panel, steps, names, paths)
        write_table(written, out, index=False)
    quantity, notes = quantity_of(panel), [*_notes_of_forecast(fitted, panel, ended), *missing]
    if plot is not None:
        notes += write_plot({repr(fitted): forecast}, panel, names, plot)
    data = {"target": quantity, "dates": calendar, "forecast": table, "ended": ended, "notes": notes}
    files = {"forecast" if paths is None else f"{paths:,} sample paths": out, "plot": plot}
    data |= {"out": out and str(out), "plot": plot and str(plot)}
    return CommandResult(data, lambda: _show_forecast(table, quantity, calendar, files, notes))


def _check_files(prices: Prices, out: Path | None, plot: Path | None, paths: int | None) -> None:
    """Raise ValueError if --out or --plot cannot be written, or --paths has no file."""
    if out is not None:
        check_out(out, prices.data)
    elif paths is not None:
        raise ValueError("--paths writes sample paths to a file: name it with --out, such as --out paths.csv")
    if plot is not None:
        check_out(plot, prices.data, PICTURES, "--plot")


def _check_any_traded(panel: Panel, ended: dict[str, str | None]) -> None:
    """Raise ValueError if no series has a value in the last row, from which a forecast starts."""
    from forecast.data.panel import format_date

    if len(ended) == len(panel.series):
        last = format_date(panel.index[panel.observed.nonzero()[0].max()])
        raise ValueError(
            f"no series has a value in the last row, {format_date(panel.index[-1])}, and a forecast starts from it: "
            f"leave out the rows after {last}, the last one with a value"
        )


def _dates_of_forecast(panel: Panel, model: Forecaster, exchange: str | None, source: str) -> tuple[pd.Index, str]:
    """Return the dates that are forecast, and where they are from: the rows of known inputs, or else a calendar.

    Raises ValueError if inputs of these rows are missing.
    """
    import numpy as np

    from forecast.data.calendar import next_dates

    names, horizon, last = model.future_fields(), model.horizon_, len(panel) - 1
    if not names or panel.future is None:
        return next_dates(panel.index, horizon, exchange)
    if missing := panel.known(names).first_unknown(np.array([last]), panel.observed[[last]], horizon):
        raise ValueError(
            f"--future-columns: the model reads inputs of the rows that it forecasts, and {source} lacks "
            f"{missing}: add rows after the last value that contain them, or fill the empty cells"
        )
    return panel.future.index[last + 1 : last + 1 + horizon], "the rows after the last value"


def _drop_missing(table: pd.DataFrame, model: Forecaster) -> tuple[pd.DataFrame, list[str]]:
    """Return the forecasts without the series that have none, and a sentence on these; raise ValueError if none has."""
    is_missing = table["y_hat"].isna().groupby(table["unique_id"], sort=False).any()
    if not is_missing.any():
        return table.reset_index(drop=True), []
    names = ", ".join(is_missing.index[is_missing])
    reason = (
        f"{type(model).__name__} has no forecast of {names} from these prices: a series has none that was too short at "
        "the fit, or that has no positive value where the model works in logs"
    )
    if is_missing.all():
        raise ValueError(f"{reason}; fit a model on prices such as these")
    return table[~table["unique_id"].map(is_missing)].reset_index(drop=True), [reason]


def _notes_of_forecast(model: Forecaster, panel: Panel, ended: dict[str, str | None]) -> list[str]:
    """Return what a reader of the forecast must know of the prices: what was left out, is missing or has no name."""
    from forecast._text import list_names
    from forecast.models.price_kind import quantity_of

    notes = [*panel.attrs.get("notes", []), *_describe_ended(ended, panel, "they are not forecast")]
    if missing := [name for name in model.series_ if name not in panel.series]:
        notes.append(f"series of the fit that are not among these prices: {list_names(missing)}")
    if model.prices_.quantity is not None and quantity_of(panel) is None:
        notes.append(f"the model was fitted on {model.prices_.quantity}, and these prices do not name what they are")
    return notes


def _read_as_fitted(prices: Prices, model: Forecaster, given: list[str]) -> Panel:
    """Return the panel of prices that are read as those of a fit, with the fitted quantity as the target."""
    from forecast.data.fields import canonical_field
    from forecast.models.price_kind import quantity_of

    kind, inputs = model.prices_, Inputs.of([model])
    options = {"rows": kind.rows, **kind.options}
    is_named = kind.quantity in (*DERIVED_TARGETS, "Open", "High", "Low", "Volume")
    if is_named and not {"target", "columns"} & options.keys():
        options["target"] = kind.quantity  # fitted in Python
    if "target" in given and canonical_field(prices.target) == kind.quantity:
        options["target"] = prices.target
    prices = prices.read_as(options, given)
    panel = prices.panel(prices.table(inputs), inputs)
    if (kind.quantity, quantity_of(panel)) == ("Close", "Adj Close"):  # which prices have in preference
        prices = replace(prices, target="Close")
        panel = prices.panel(prices.table(inputs), inputs)
    return panel


def _exchange_of(model: Forecaster, given: str | None) -> str | None:
    """Return the exchange whose days follow: that of the fit, or else the given one."""
    fitted = model.prices_.options.get("exchange")
    if given is not None and fitted is not None:
        check_same_as_fit("exchange", given, fitted)
    return given or fitted


def _show_forecast(
    table: pd.DataFrame, quantity: str | None, calendar: str, files: dict[str, Path | None], notes: list[str]
) -> None:
    from forecast.data.panel import format_date

    dates = table["ds"].map(format_date)
    if dates.str.len().nunique() > 1 and dates.str.contains(":").any():  # midnight has no time of its own
        dates = table["ds"].dt.strftime("%Y-%m-%d %H:%M:%S")
    is_median = "q0.5" in table and table["q0.5"].equals(table["y_hat"].rename("q0.5"))  # and printed once
    rows = table.assign(ds=dates).drop(columns=["cutoff", *(["q0.5"] if is_median else [])])
    numbers = [
        [format_number(value, 6) if isinstance(value, float) else str(value) for value in row]
        for row in rows.to_numpy()
    ]
    show_table(list(rows), numbers)
    what = "" if quantity is None else f" of {quantity}"
    print_line()
    start = format_date(table["cutoff"].iloc[0])
    print_line(in_option_names(f"Forecast{what} from {start}; dates: {calendar}."))
    for what, out in files.items():
        if out is not None:
            print_line(f"The {what} {'are' if what.endswith('paths') else 'is'} in {out}.")
    show_notes(notes)
