"""What all commands share: the program itself, and how it speaks to people when something is wrong."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="forecast",
    help=(
        "Does a recurrent net beat ARIMA, or doing nothing, on my series? An honest walk-forward answer.\n\n"
        "[bold]Example:[/bold] forecast backtest stocks --models naive,arima,lstm"
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


class Stopped(Exception):
    """Ctrl-C while work was under way, with what is left of it."""


def fail(message: str, code: int = 2) -> int:
    """Say in one sentence what is wrong, and give the exit code."""
    print(f"forecast: {message}", file=sys.stderr)
    return code


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
