"""The commands `models`, `fit` and `predict`, and the models that other commands take by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast.cli.app import CommandResult, command, report_warnings
from forecast.cli.price_commands import Prices, check_out, takes_prices, write_table

if TYPE_CHECKING:
    import pandas as pd

    from forecast.models.base import Forecaster

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="MODEL.PARAM=VALUE", help="Set a parameter, such as lstm.trainer.lr=3e-4."),
]
Horizon = Annotated[int, typer.Option(help="Steps to forecast; one step is one row.")]


def make_models(
    names: str, settings: list[str], always: tuple[str, ...] = ("naive",), season: int | None = None
) -> dict[str, Forecaster]:
    """Return the models of --models, and those of `always`, with the season of --season and the parameters of --set."""
    from forecast._validation import did_you_mean
    from forecast.models.registry import make_model, parse_value, set_parameter, set_season

    requested = [name.strip() for name in names.split(",") if name.strip()]
    if not requested:
        raise ValueError("--models names no model: choose from `forecast models`, separated by commas")
    models = {name: make_model(name) for name in dict.fromkeys([*always, *requested])}
    if season is not None and season > 1:
        for model in models.values():
            set_season(model, season)
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


def required_fields(models: dict[str, Forecaster]) -> list[str]:
    """Return the fields that models read as well as the target."""
    return list(dict.fromkeys(name for model in models.values() for name in model.required_fields()))


@command("models")
def list_models() -> CommandResult:
    """List the models with their parameters and defaults.

    [bold]Example:[/bold] forecast models
    """
    from forecast.models.registry import MODELS, make_model

    params = {name: make_model(name).get_params(deep=False) for name in MODELS}
    data = [
        {"name": name, "what": MODELS[name].description, "params": {k: repr(v) for k, v in params[name].items()}}
        for name in MODELS
    ]
    return CommandResult(data, lambda: _show_models(params))


def _show_models(params: dict[str, dict[str, Any]]) -> None:
    """Print each model; of several models of one class, the later ones with their differing parameters only."""
    from rich.console import Console
    from rich.table import Table

    from forecast.models.registry import MODELS

    table = Table("model", "description", "parameters and defaults (for --set)", box=None, padding=(0, 2, 0, 0))
    first_names: dict[str, str] = {}  # by class
    for name, entry in MODELS.items():
        first = first_names.setdefault(entry.class_name, name)
        known = {} if name == first else params[first]
        listed = ", ".join(f"{k}={v!r}" for k, v in params[name].items() if name == first or known[k] != v)
        table.add_row(name, entry.description, listed if name == first else f"as {first}, but {listed}")
    Console().print(table)


@command()
@takes_prices
def fit(
    prices: Prices,
    out: Annotated[Path, typer.Option(help="Folder for the fitted model.")],
    model: Annotated[str, typer.Option(help="Name of a model (see `forecast models`).")] = "arima",
    horizon: Horizon = 5,
    set_: Settings = None,
) -> CommandResult:
    """Fit a model on all rows and save it for `forecast predict`.

    [bold]Example:[/bold] forecast fit stocks --model lstm --horizon 5 --out models/lstm
    """
    from forecast import _io
    from forecast.data.panel import format_date
    from forecast.models.base import ShortSeriesWarning

    _io.check_destination(out, _io.MODEL)
    if "," in model:
        raise ValueError(f"--model takes one name; got {model!r}")
    models = make_models(model, set_ or [], always=())
    fitted = models[model.strip()]
    exog = required_fields(models)
    panel = prices.panel(prices.table(exog), exog)
    with report_warnings(ShortSeriesWarning):
        fitted.fit(panel, horizon)
        fitted.save(out)
    last = format_date(panel.index[-1])
    data = {"model": model, "horizon": horizon, "series": list(panel.series), "rows": len(panel)}
    data |= {"target": panel.channels[0], "last": last, "out": str(out), "fit": fitted.record_}

    def show() -> None:
        print(f"Fitted {model} on {len(panel):,} rows of {', '.join(panel.series)}, up to {last}.")
        print(f"The model is in {out}; `forecast predict {out} {prices.data}` forecasts the next {horizon} rows.")

    return CommandResult(data, show)


@command()
def predict(
    model: Annotated[Path, typer.Argument(help="Folder that `forecast fit` created.")],
    data: Annotated[str, typer.Argument(help="Sample, CSV or Parquet file, or yahoo:AAPL,MSFT.")],
    exchange: Annotated[
        str | None, typer.Option(help="Exchange whose trading days follow: XNYS, XLON, XTKS … (default: as the rows).")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First date to read.")] = None,
    end: Annotated[str | None, typer.Option(help="Last date to read; the forecast starts after it.")] = None,
    day_first: Annotated[
        bool | None,
        typer.Option("--day-first/--month-first", help="Order of day and month in a file's dates, such as 01/02/2024."),
    ] = None,
    decimal: Annotated[str | None, typer.Option(help="Decimal mark of a file, if ambiguous: , or .")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use cached Yahoo prices only.")] = False,
    out: Annotated[Path | None, typer.Option(help="File to write: .csv or .parquet.")] = None,
) -> CommandResult:
    """Forecast the rows that follow the data, with a fitted model, with quantiles and dates.

    [bold]Example:[/bold] forecast predict models/lstm stocks --exchange XNYS --out tomorrow.csv
    """
    from forecast.data.calendar import next_dates
    from forecast.models.store import load_model

    if out is not None:
        check_out(out)
    fitted = load_model(model)
    prices = Prices(data, start=start, end=end, day_first=day_first, decimal=decimal, offline=offline)
    prices = replace(prices, target=_target_option(fitted))
    exog = required_fields({"": fitted})
    panel = prices.panel(prices.table(exog), exog)
    dates, calendar = next_dates(panel.index, fitted.horizon_, exchange)
    table = fitted.predict(panel).to_frame()
    table.insert(3, "ds", dates[table["step"].to_numpy() - 1])
    if out is not None:
        write_table(table, out, index=False)
    return CommandResult({"dates": calendar, "forecast": table}, lambda: _show_forecast(table, calendar, out))


def _target_option(model: Any) -> str:
    """Return the value of --target that selects what a model was fitted on."""
    from forecast.data.fields import TARGETS

    channel = getattr(model, "target_", "y")
    return "price" if channel in ("y", *TARGETS) else channel


def _show_forecast(table: pd.DataFrame, calendar: str, out: Path | None) -> None:
    from forecast.data.panel import format_date

    rows = table.assign(ds=table["ds"].map(format_date)).drop(columns="cutoff")
    print(rows.to_string(index=False, float_format=lambda value: f"{value:.6g}"))
    print(f"\nForecast from {format_date(table['cutoff'].iloc[0])}; dates: {calendar}.")
    if out is not None:
        print(f"The forecast is in {out}.")
