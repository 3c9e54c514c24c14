"""The command line: `forecast backtest | audit | report | fit | predict | models | download | check | samples`."""

from __future__ import annotations

import os
import sys

from forecast.cli import backtest_commands, model_commands, price_commands  # noqa: F401  (they add their commands to the program)
from forecast.cli.app import Stopped, app, fail


def main() -> None:
    """Run the command line: a user's error is one sentence and exit code 2, never a traceback."""
    try:
        code = app(standalone_mode=False)
        if code == 130:  # what typer makes of Ctrl-C
            fail("stopped; nothing was written")
    except Stopped as stop:
        code = fail(f"stopped; {stop}", 130)
    except (ValueError, TypeError, OSError) as error:
        if os.environ.get("FORECAST_DEBUG"):
            raise
        code = fail("; ".join(" ".join(said.split()) for said in [str(error), *getattr(error, "__notes__", [])]))
    except KeyboardInterrupt:
        code = fail("stopped; nothing was written", 130)
    except Exception as error:
        # What typer itself found wrong with the call; anything else is a defect of ours and keeps its traceback.
        if not hasattr(error, "format_message"):
            raise
        code = fail(" ".join(error.format_message().split())) if error.format_message() else 2
    sys.exit(code or 0)
