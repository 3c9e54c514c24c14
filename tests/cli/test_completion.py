"""Tab completion as a shell calls it, and the descriptions of parameters that it shares with `forecast models`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.command_line import command_line, write_short_reports
from helpers.quick import walks

import forecast as fc
from forecast.cli.parameters import parameters, read_meanings
from forecast.models.registry import MODELS

ENV = os.environ | {"PYTHONPATH": str(Path(fc.__file__).parents[1])}


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command line in a new folder."""
    monkeypatch.chdir(tmp_path)
    return command_line(monkeypatch, capsys)


@pytest.fixture
def complete(tmp_path, monkeypatch, capsys):
    """Return a function that completes the last word of a command line in a folder with prices, a run and a model."""
    monkeypatch.chdir(tmp_path)
    write_short_reports(monkeypatch)
    walks(40, 1).to_csv("prices.csv", index_label="date")
    Path("notes.md").touch()
    Path("a file.csv").touch()
    run = command_line(monkeypatch, capsys)
    assert run("backtest prices.csv --models drift --windows 3 --out runs/first --quiet")[0] == 0
    assert run("fit prices.csv --model drift --out models/drift --quiet")[0] == 0

    def completions(*words):
        monkeypatch.setenv("_FORECAST_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(["forecast", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        out = run([])[1]
        monkeypatch.delenv("_FORECAST_COMPLETE")
        return out.split()

    return completions


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ba"], ["backtest"]),
        (["backtest", "prices.csv", "--models", "naive,ari"], ["naive,arima"]),
        (["backtest", "prices.csv", "--models", "naive,nai"], []),  # each once
        (["backtest", "pri"], ["prices.csv"]),
        (["backtest", "sto"], ["stocks"]),
        (["backtest", "not"], []),
        (["backtest", "prices.csv", "--loss", "q"], ["qlike"]),
        (["backtest", "prices.csv", "--day"], ["--day-first"]),
        (["backtest", "--models", "naive,ewma", "--set", "ew"], ["ewma.decay=", "ewma.levels=", "ewma.point="]),
        (["backtest", "--set", "lstm.trainer.l"], ["lstm.trainer.lr="]),
        (["backtest", "--set", "garch."], []),  # which is not among the models
        (["backtest", "--set", "nothing.l"], []),
        (["fit", "prices.csv", "--model", "ses"], ["ses"]),
        (["predict", ""], ["models/drift"]),
        (["predict", "models/drift", "p"], ["prices.csv"]),
        (["report", "runs/"], ["runs/first"]),
        (["report", "nowhere/"], []),
        (["models", "garc"], ["garch"]),
    ],
    ids=" ".join,
)
def test_a_shell_completes_words(words, expected, complete):
    assert complete(*words) == expected


@pytest.mark.medium
def test_the_script_of_a_shell_names_the_program():
    """The text that is written to the shell's start file by --install-completion."""
    code = "import sys; from forecast.cli import main; sys.argv = ['forecast']; main()"
    for shell in ("bash", "zsh", "fish"):
        env = ENV | {"_FORECAST_COMPLETE": f"source_{shell}"}
        text = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        assert f"complete_{shell}" in text
        assert "forecast" in text


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_has_a_meaning(name):
    entries = parameters(name)
    assert {entry.name.split(".")[0] for entry in entries} == set(fc.make_model(name).get_params(deep=False))
    for entry in entries:
        assert entry.meaning, entry


def test_a_named_model_is_described_with_its_trainer(call):
    code, out, _ = call("models lstm")
    assert code == 0
    lines = out.splitlines()
    at = lines.index("trainer.lr=0.001")
    assert lines[at + 1] == "    The highest learning rate."
    assert any(line.startswith("trainer.batch_size=16") for line in lines)
    data = json.loads(call("models lstm ses --json")[1])
    assert [entry["name"] for entry in data] == ["lstm", "ses"]
    described = {p["name"]: p["default"] for p in data[1]["parameters"]}
    assert described["shape"] == "'ANN'"
    assert "did you mean 'naive'" in call("models nive")[2]


def test_meanings_are_read_from_the_whole_docstring():
    class Base:
        """A base.

        Parameters
        ----------
        log, levels : bool
            Shared.

            Two paragraphs.
        """

    class Derived(Base):
        """A derived class.

        Parameters
        ----------
        m
            Rows, in ``m``.
        log : bool, default True
            Its own.

        Notes
        -----
        none : this is no parameter
            Nothing.
        """

    assert read_meanings(Base)["levels"] == "Shared."  # the first sentence, as of another package
    Base.__module__ = Derived.__module__ = "forecast.example"
    assert read_meanings(Derived) == {
        "log": "Its own.", "levels": "Shared. Two paragraphs.", "m": "Rows, in `m`."
    }  # fmt: skip


def test_help_of_the_program_needs_no_heavy_library():
    """It is printed in .3 s, of which rich alone would take half."""
    code = (
        "import sys; sys.argv = ['forecast', '--help']\n"
        "from forecast.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    out = subprocess.run([sys.executable, "-c", code], env=ENV, capture_output=True, text=True, check=True).stdout
    assert "Commands:" in out
    loaded = out.splitlines()[-1].split()
    assert "typer" in loaded
    assert not {"rich", "pydantic", "numpy", "pandas", "torch", "matplotlib"} & set(loaded)
