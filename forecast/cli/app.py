"""What all commands share: the program itself, how it answers people and machines, and what it says when wrong."""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Annotated, Any, NamedTuple

import typer

app = typer.Typer(
    name="forecast",
    help=(
        "Does a recurrent net beat ARIMA, or doing nothing, on my series? An honest walk-forward answer.\n\n"
        "[bold]Example:[/bold] forecast backtest stocks --models naive,arima,lstm\n\n"
        "[bold]Exit codes:[/bold] 0 done; 1 an audit that a model fails; 2 a mistake, said in one sentence; "
        "130 stopped."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


class Stopped(Exception):
    """Ctrl-C while work was under way, with what is left of it."""


class Answer(NamedTuple):
    """What a command found: plain values for machines, and how people are shown it."""

    data: Any
    show: Callable[[], None]
    code: int = 0


def command(name: str | None = None) -> Callable[[Callable[..., Answer]], Callable[..., None]]:
    """Add a command to the program, with --json and --quiet: it gives an Answer, and this prints it."""
    more = {
        "json": Annotated[bool, typer.Option("--json", help="Print plain JSON; messages go to stderr.")],
        "quiet": Annotated[bool, typer.Option("--quiet", help="Print nothing but mistakes and warnings.")],
    }

    def register(function: Callable[..., Answer]) -> Callable[..., None]:
        @wraps(function)
        def answer(**given: Any) -> None:
            as_json, quiet = given.pop("json"), given.pop("quiet")
            _quiet.set(quiet)
            found = function(**given)
            if as_json:
                print(json.dumps(plain(found.data), indent=2, ensure_ascii=False, allow_nan=False))
            elif not quiet:
                found.show()
            if found.code:
                raise typer.Exit(found.code)

        own = inspect.signature(function, eval_str=True).parameters.values()
        options = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
            for key, kind in more.items()
        ]
        with_signature(answer, [*own, *options])
        app.command(name)(answer)
        return answer

    return register


def with_signature(function: Callable[..., Any], parameters: list[inspect.Parameter]) -> None:
    """Give a function the parameters that typer shall see."""
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    function.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in keywords}


def plain(value: Any) -> Any:
    """Turn tables, dates and numbers into what JSON knows; NaN is null."""
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        return [plain(row) for row in value.to_dict("records")]
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, pd.Timestamp):
        return value.isoformat() if value != value.normalize() else f"{value:%Y-%m-%d}"
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value if value is None or isinstance(value, (str, int)) else str(value)


def fail(message: str, code: int = 2) -> int:
    """Say in one sentence what is wrong, and give the exit code."""
    print(f"forecast: {message}", file=sys.stderr)
    return code


def progress_bar(what: str, unit: str) -> Any:
    """Make a bar that shows itself in a terminal, unless all is to be quiet."""
    from forecast.cli.terminal import progress_bar

    bar = progress_bar(what, unit)
    bar.disable |= _quiet.get()
    return bar


@contextmanager
def telling(*kinds: type[Warning]) -> Iterator[None]:
    """Say warnings of these kinds as sentences, and keep what Ctrl-C says of the work that is done."""
    shown = warnings.showwarning

    def show(message: Any, category: Any, *where: Any, **more: Any) -> None:
        fail(str(message)) if issubclass(category, kinds) else shown(message, category, *where, **more)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            yield
    except KeyboardInterrupt as error:
        raise Stopped("; ".join(getattr(error, "__notes__", ["nothing was written"]))) from None


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"forecast {installed('forecast')}")
        raise typer.Exit
