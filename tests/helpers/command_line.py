"""The command line, run in the process of a test."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence

import pytest

from forecast import cli


def command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str | Sequence[str]], tuple[int, str, str]]:
    """Return a function that runs a command line, or its arguments, and returns its exit code, stdout and stderr."""

    def run(line: str | Sequence[str]) -> tuple[int, str, str]:
        arguments = shlex.split(line) if isinstance(line, str) else line
        monkeypatch.setattr(sys, "argv", ["forecast", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        output = capsys.readouterr()
        return int(end.value.code or 0), output.out, output.err

    return run


def write_short_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs write reports of two words; a complete one takes most of the time of a short run."""
    monkeypatch.setattr("forecast.report.html.page.render", lambda result, loss: "a page")
