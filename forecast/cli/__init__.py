"""The command line: `forecast backtest | audit | report | fit | predict | models | download | check | samples`."""

from __future__ import annotations

import io
import os
import sys

from forecast.cli import backtest_commands, model_commands, price_commands  # noqa: F401  (importing registers the commands)
from forecast.cli.app import Interrupted, app, fail


def main() -> None:
    """Run the command line; an error of the user is printed as one line with exit code 2, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not replaced by a notebook
            stream.reconfigure(errors="backslashreplace")  # what its encoding lacks is escaped
    try:
        code = app(prog_name="forecast", standalone_mode=False)
        if code == 130:  # returned by typer after Ctrl-C
            fail("interrupted; nothing was written")
    except Interrupted as interrupt:
        code = fail(f"interrupted; {interrupt}", 130)
    except (ValueError, TypeError, OSError) as error:
        if os.environ.get("FORECAST_DEBUG"):
            raise
        message, *notes = (" ".join(text.split()) for text in [str(error), *getattr(error, "__notes__", [])])
        code = fail("; ".join([message.rstrip(".") if notes else message, *notes]))
    except KeyboardInterrupt:
        code = fail("interrupted; nothing was written", 130)
    except Exception as error:
        # Errors of typer have `format_message`; anything else is a defect of the program and keeps its traceback.
        if not hasattr(error, "format_message"):
            raise
        code = fail(" ".join(error.format_message().split())) if error.format_message() else 2
    sys.exit(code or 0)
