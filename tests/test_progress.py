"""Progress bars: shown in a terminal and a notebook, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.quick import walks

import forecast as fc
from forecast._progress import progress_bar

ROOT = Path(__file__).parents[1]
CV = fc.WalkForward(horizon=2, n_windows=3)
RUN = (
    "import forecast as fc, numpy as np\n"
    "fc.backtest(['drift'], np.arange(60.0) % 7, fc.WalkForward(horizon=2, n_windows=9){})\n"
    "print('finished')"
)


def _stderr(code, in_terminal):
    """Return what a program writes to stderr, which is a terminal or a pipe."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR"):
        environment.pop(name, None)
    pty = pytest.importorskip("pty") if in_terminal else os
    reading, writing = pty.openpty() if in_terminal else os.pipe()
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, stderr=writing, stdout=subprocess.PIPE, env=environment, text=True, check=True)
    assert done.stdout == "finished\n"
    os.set_blocking(reading, False)
    try:
        return os.read(reading, 100_000).decode()
    except (BlockingIOError, OSError):  # nothing was written
        return ""
    finally:
        os.close(writing)
        os.close(reading)


@pytest.mark.slow
def test_a_terminal_shows_a_bar_and_a_pipe_does_not():
    shown = _stderr(RUN.format(""), in_terminal=True)
    assert "backtesting" in shown
    assert "fits" in shown
    assert "backtesting" not in _stderr(RUN.format(", progress=False"), in_terminal=True)
    assert _stderr(RUN.format(""), in_terminal=False) == ""


@pytest.mark.notebook
def test_a_notebook_shows_a_bar_that_vanishes(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    code = (
        "import time, forecast as fc\nfrom forecast import _progress\nshown = []\n"
        "from IPython import display as d\n"
        "class HTML(d.HTML):\n"
        "    def __init__(self, text):\n        shown.append(text)\n        super().__init__(text)\n"
        "d.HTML = HTML\n"
        "with _progress.progress_bar(True, 'backtesting', 'fits') as update:\n"
        "    time.sleep(.15)\n    update(3, 9)\n    inner = _progress.progress_bar(True, 'inner', 'fits')\n"
        "    with inner as nothing:\n        nothing(1, 2)\n"
        "assert '3 of 9 fits' in shown[1], shown\nassert shown[-1] == '' and len(shown) == 3, shown"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    done = nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    (output,) = done.cells[0]["outputs"]
    assert output["data"]["text/html"] == ""


def test_a_function_receives_the_progress():
    calls = []
    fc.backtest(fc.Drift(), walks(rows=60), CV, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(i, 6) for i in range(1, 7)]
    with pytest.raises(TypeError, match="progress must be True, False or a function"):
        fc.backtest(fc.Drift(), walks(rows=60), CV, progress="bar")


def test_nothing_is_shown_where_output_is_captured(capsys):
    with progress_bar(True, "backtesting", "fits") as update:
        update(1, 2)
    assert capsys.readouterr() == ("", "")
