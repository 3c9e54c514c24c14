"""Models by name: which there are, fitting one, and tomorrow's forecast of one that was fitted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast.cli.app import Answer, command, telling
from forecast.cli.price_commands import Prices, check_out, takes_prices, write_table

if TYPE_CHECKING:
    import pandas as pd

    from forecast.models.base import Forecaster

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="MODEL.PARAM=VALUE", help="Set a parameter, such as lstm.trainer.lr=3e-4."),
]
Horizon = Annotated[int, typer.Option(help="Steps to forecast; a step is a row.")]


def chosen_models(names: str, settings: list[str], always: tuple[str, ...] = ("naive",)) -> dict[str, Forecaster]:
    """Make the models that are named, with the parameters that are set."""
    from forecast._validation import did_you_mean
    from forecast.models.registry import make_model, parse_value, set_parameter

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


def fields_read(models: dict[str, Forecaster]) -> list[str]:
    """Name the fields that models read beside the target."""
    return list(dict.fromkeys(name for model in models.values() for name in model.required_fields()))


@command("models")
def list_models() -> Answer:
    """List the models with their parameters and defaults.

    [bold]Example:[/bold] forecast models
    """
    from forecast.models.registry import MODELS, make_model

    params = {name: make_model(name).get_params(deep=False) for name in MODELS}
    data = [
        {"name": name, "what": MODELS[name].description, "params": {k: repr(v) for k, v in params[name].items()}}
        for name in MODELS
    ]
    return Answer(data, lambda: _show_models(params))


def _show_models(params: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from forecast.models.registry import MODELS

    table = Table("model", "what it is", "parameters and defaults (for --set)", box=None, padding=(0, 2, 0, 0))
    first: dict[str, tuple[str, dict[str, Any]]] = {}  # of each class: its first name, and the parameters under it
    for name, entry in MODELS.items():
        like, known = first.setdefault(entry.class_name, (name, {}))
        own = ", ".join(f"{k}={v!r}" for k, v in params[name].items() if not known or known[k] != v)
        table.add_row(name, entry.description, f"as {like}, but {own}" if known else own)
        first[entry.class_name] = (like, known or params[name])
    Console().print(table)


@command()
@takes_prices
def fit(
    prices: Prices,
    out: Annotated[Path, typer.Option(help="Folder for the fitted model.")],
    model: Annotated[str, typer.Option(help="A name from `forecast models`.")] = "arima",
    horizon: Horizon = 5,
    set_: Settings = None,
) -> Answer:
    """Fit a model on all rows and keep it, for `forecast predict`.

    [bold]Example:[/bold] forecast fit stocks --model lstm --horizon 5 --out models/lstm
    """
    from forecast import _io
    from forecast.data.panel import format_date
    from forecast.models.base import ShortSeriesWarning
    from forecast.models.store import MODEL

    _io.check_destination(out, MODEL)
    if "," in model:
        raise ValueError(f"--model takes one name; got {model!r}")
    chosen = chosen_models(model, set_ or [], always=())
    fitted = chosen[model.strip()]
    exog = fields_read(chosen)
    panel = prices.panel(prices.table(exog), exog)
    with telling(ShortSeriesWarning):
        fitted.fit(panel, horizon)
        fitted.save(out)
    data = {"model": model, "horizon": horizon, "series": list(panel.series), "rows": len(panel)}
    data |= {"target": panel.channels[0], "last": format_date(panel.index[-1]), "out": str(out), "fit": fitted.record_}

    def show() -> None:
        print(
            f"{model} is fitted on {len(panel):,} rows of {', '.join(panel.series)}, up to {format_date(panel.index[-1])}."
        )
        print(f"It is in {out}; `forecast predict {out} {prices.data}` forecasts the next {horizon} rows.")

    return Answer(data, show)


@command()
def predict(
    model: Annotated[Path, typer.Argument(help="The folder that `forecast fit` made.")],
    data: Annotated[str, typer.Argument(help="A sample, a CSV or Parquet file, or yahoo:AAPL,MSFT.")],
    exchange: Annotated[
        str | None, typer.Option(help="Dates are its trading days: XNYS, XLON, XTKS … (else those of the rows).")
    ] = None,
    start: Annotated[str | None, typer.Option(help="First date that is read.")] = None,
    end: Annotated[str | None, typer.Option(help="Last date that is read: forecast from it.")] = None,
    day_first: Annotated[
        bool | None, typer.Option("--day-first/--month-first", help="How a file's dates such as 01/02/2024 are meant.")
    ] = None,
    decimal: Annotated[str | None, typer.Option(help="A file's decimal mark, if it cannot be told.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Take what is kept of Yahoo's, ask nobody.")] = False,
    out: Annotated[Path | None, typer.Option(help="File to write: .csv or .parquet.")] = None,
) -> Answer:
    """Forecast the rows after the last one with a fitted model, with intervals and dates.

    [bold]Example:[/bold] forecast predict models/lstm stocks --exchange XNYS --out tomorrow.csv
    """
    from forecast.data.calendar import next_dates
    from forecast.models.store import load_model

    if out is not None:
        check_out(out)
    fitted = load_model(model)
    prices = Prices(data, start=start, end=end, day_first=day_first, decimal=decimal, offline=offline)
    prices = replace(prices, target=_target_of(fitted))
    exog = fields_read({"": fitted})
    panel = prices.panel(prices.table(exog), exog)
    dates, said = next_dates(panel.index, fitted.horizon_, exchange)
    table = fitted.predict(panel).to_frame()
    table.insert(3, "ds", dates[table["step"].to_numpy() - 1])
    if out is not None:
        write_table(table, out, index=False)
    return Answer({"dates": said, "forecast": table}, lambda: _show_forecast(table, said, out))


def _target_of(model: Any) -> str:
    """Say which --target gives what a model was fitted on."""
    from forecast.data.panel import TARGETS

    channel = getattr(model, "target_", "y")
    return "price" if channel in ("y", *TARGETS) else channel


def _show_forecast(table: pd.DataFrame, said: str, out: Path | None) -> None:
    from forecast.data.panel import format_date

    shown = table.assign(ds=table["ds"].map(format_date)).drop(columns="cutoff")
    print(shown.to_string(index=False, float_format=lambda value: f"{value:.6g}"))
    print(f"\nFrom {format_date(table['cutoff'].iloc[0])}; dates: {said}.")
    if out is not None:
        print(f"The forecast is in {out}.")
