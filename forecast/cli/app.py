"""Shared parts of all commands: the program, its output as text or JSON, and its error messages."""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from forecast import _io
from forecast._text import is_effect, plain
from forecast.cli.option_names import in_option_names


class _Program(TyperGroup):
    """The program without a command: its help is plain text, as loading rich takes longer than everything else."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self.rich_markup_mode = None
        super().format_help(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands with the first sentence of each."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.commands[name].get_short_help_str(limit=200)) for name in self.commands])


app = typer.Typer(
    name="forecast",
    cls=_Program,
    help=(
        "Backtest recurrent networks against ARIMA and naive forecasts on your own time series.\n\n"
        "Example: forecast backtest stocks --models naive,arima,lstm\n\n"
        "Exit codes: 0 success; 1 a model failed the audit; 2 invalid input; 130 interrupted."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
)

quiet: ContextVar[bool] = ContextVar("quiet", default=False)


class Interrupted(Exception):
    """Ctrl-C during a command; the message describes the work that is saved."""


class CommandResult(NamedTuple):
    """Result of a command: data for --json, a function that prints it as text, and the exit code."""

    data: Any
    show: Callable[[], None]
    code: int = 0


def command(name: str | None = None) -> Callable[[Callable[..., CommandResult]], Callable[..., None]]:
    """Register a function as a command with the options --json and --quiet, and print its CommandResult."""
    common_options = [
        keyword("json", Annotated[bool, typer.Option("--json", help="Print JSON; messages go to stderr.")], False),
        keyword("quiet", Annotated[bool, typer.Option("--quiet", help="Print only errors and warnings.")], False),
    ]

    def register(function: Callable[..., CommandResult]) -> Callable[..., None]:
        @wraps(function)
        def run(**arguments: Any) -> None:
            as_json = arguments.pop("json")
            quiet.set(arguments.pop("quiet"))
            result = function(**{name: _expanded(name, value) for name, value in arguments.items()})
            if as_json:
                print(as_json_text(result.data))
            elif not quiet.get():
                result.show()
            if result.code:
                raise typer.Exit(result.code)

        set_signature(run, [*inspect.signature(function, eval_str=True).parameters.values(), *common_options])
        app.command(name)(run)
        return run

    return register


def _expanded(name: str, value: Any) -> Any:
    """Return the value of an option; of a path, with the home folder for ~, also where the shell left it."""
    if not isinstance(value, Path):
        return value
    try:
        return _io.user_path(value)
    except ValueError as error:
        raise ValueError(f"--{name} {error}") from None


def keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """Return a keyword-only parameter."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def set_signature(function: Callable[..., Any], parameters: list[inspect.Parameter]) -> None:
    """Set the parameters of a function that typer reads."""
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    function.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in keywords}


def as_json_text(data: Any) -> str:
    """Return data as JSON; what a terminal may not show as it is, is escaped."""
    text = json.dumps(to_json(data), indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(to_json(data), indent=2, allow_nan=False)
    return "".join(json.dumps(char)[1:-1] if char != "\n" and is_effect(char) else char for char in text)


def to_json(value: Any) -> Any:
    """Return tables, dates and numbers as values of JSON; NaN and infinity become null."""
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        return [to_json(row) for row in value.to_dict("records")]
    if isinstance(value, dict):
        return {str(key): to_json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(inner) for inner in value]
    if isinstance(value, pd.Timestamp):
        return value.isoformat() if value != value.normalize() else f"{value:%Y-%m-%d}"
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value if value is None or isinstance(value, (str, int)) else str(value)


def print_line(text: object = "") -> None:
    """Print one line to stdout, as plain text."""
    print(plain(text))


def print_message(message: str) -> None:
    """Print an error or a warning to stderr, with options in place of Python's arguments."""
    print(f"forecast: {plain(in_option_names(message))}", file=sys.stderr)


def fail(message: str, code: int = 2) -> int:
    """Print an error and return the exit code."""
    print_message(message)
    return code


@contextmanager
def report_warnings(*categories: type[Warning]) -> Iterator[None]:
    """Print warnings of these categories as messages; after Ctrl-C raise Interrupted with the notes on saved work."""
    default = warnings.showwarning

    def show(message: Any, category: Any, *location: Any, **options: Any) -> None:
        if issubclass(category, categories):
            print_message(str(message))
        else:
            default(message, category, *location, **options)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            yield
    except KeyboardInterrupt as error:
        raise Interrupted("; ".join(getattr(error, "__notes__", ["nothing was written"]))) from None


@app.callback(invoke_without_command=True)
def _root(show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if show_version:
        from importlib.metadata import version

        print(f"forecast {version('forecast')}")
        raise typer.Exit
