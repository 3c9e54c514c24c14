"""Tables that fit any width without a cut number, and hostile names that are shown as text by every command."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.command_line import command_line, write_short_reports
from helpers.quick import walks
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

import forecast as fc
from forecast._text import is_effect, plain
from forecast.cli.terminal import MIN_NAME, shorten_middle, shorten_names, show_sentence, show_table

NAMES = [
    "[red]x[/red]", "[/]", "\x1b[31mred\x1b[0m", "\x9b31mred", "line\nbreak", "carriage\rback",
    "tab\there", "\x07bell\x08",
    "<b>bold</b><script>alert(1)</script>", "$\\frac{1$", "\u202eright to left", "\u2066isolated", "&amp;", "${run}",
    "{{ 7 * 7 }}", ":smile:", "東京市場", "=1+1", "_hidden", "long " * 60 + "end", "nul\x00",
]  # fmt: skip
ENV = os.environ | {"PYTHONPATH": str(Path(fc.__file__).parents[1])}


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Return a function that runs a command in a new folder and returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    write_short_reports(monkeypatch)
    run_arguments = command_line(monkeypatch, capsys)

    def run(*arguments, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        return run_arguments(arguments)

    return run


@pytest.fixture
def hostile(tmp_path):
    """A file of prices whose columns have hostile names; two have anomalies, so that sentences have names too."""
    prices = walks(rows=80, series=len(NAMES)).set_axis(NAMES, axis=1)
    prices.iloc[20:40] = prices.iloc[20].to_numpy()
    prices.to_parquet(tmp_path / "hostile.parquet")
    return "hostile.parquet"


FIT = ["fit", "hostile.parquet", "--model", "drift", "--horizon", "2", "--out", "model"]
RUN = ["--models", "drift", "--horizon", "2", "--windows", "3"]
COMMANDS = {
    "check": ["check", "hostile.parquet"],
    "backtest": ["backtest", "hostile.parquet", *RUN, "--out", "run"],
    "audit": ["audit", "hostile.parquet", *RUN],
    "fit": FIT,
    "predict": ["predict", "model", "hostile.parquet"],
}


def is_clean(text):
    """Return whether nothing in a text acts on a terminal, apart from the ends of lines."""
    return not any(is_effect(char) for char in text.replace("\n", ""))


#: Each command in a narrow and in a wide terminal, and those that take little time in usual ones as well.
WIDTHS = [(command, columns) for command in COMMANDS for columns in (30, 400)]
WIDTHS += [(command, columns) for command in ("check", "fit", "predict") for columns in (60, 80)]


@pytest.mark.parametrize(("command", "columns"), WIDTHS)
def test_hostile_names_are_text_in_every_command(command, columns, call, hostile):
    if command == "predict":
        call(*FIT)
    code, out, err = call(*COMMANDS[command], columns=columns)
    assert code == 0, err
    assert is_clean(out)
    assert is_clean(err)
    shown = {"check": NAMES, "fit": NAMES[:5], "predict": NAMES, "backtest": NAMES[:5]}.get(command, [])
    for name in map(plain, shown):
        assert any(shorten_middle(name, width) in out for width in range(MIN_NAME, len(name) + MIN_NAME))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.medium
def test_json_has_the_names_and_no_effects(command, call, hostile):
    if command == "predict":
        call(*FIT)
    code, out, err = call(*COMMANDS[command], "--json")
    assert code == 0, err
    assert is_clean(out)
    data = json.loads(out)
    found = {
        "check": lambda: list(data["table"]),
        "predict": lambda: list(dict.fromkeys(row["unique_id"] for row in data["forecast"])),
        "fit": lambda: data["series"],
        "backtest": lambda: list(dict.fromkeys(name for name, _ in data["prices"] if name)),
    }.get(command, lambda: NAMES)()
    assert found == NAMES


def test_hostile_arguments_are_text_in_errors(call, hostile):
    for line in (["check", "[red]\x1b[31mx.csv"], ["backtest", hostile, "--models", "\x1b[1mlstm[/]"]):
        code, out, err = call(*line)
        assert code == 2
        assert is_clean(out + err)
        assert "\\x1b[" in err
        assert len(err.splitlines()) == 1


@pytest.mark.medium
def test_files_have_the_names(call, hostile, tmp_path):
    call(*FIT)
    call("predict", "model", hostile, "--out", "next.csv")
    with (tmp_path / "next.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["unique_id"] for row in rows[::2]] == NAMES
    run = call(*COMMANDS["backtest"])
    assert run[0] == 0
    assert list(fc.BacktestResult.load(tmp_path / "run").forecasts["unique_id"].unique()) == NAMES


@pytest.mark.medium
def test_python_texts_are_plain(hostile, tmp_path):
    prices = pd.read_parquet(tmp_path / hostile)
    models = {NAMES[2]: fc.Drift(), NAMES[4]: fc.WindowMean(), "\u202em": fc.SeasonalNaive(5)}
    result = fc.backtest(models, prices, fc.WalkForward(2, 12), refit=12)
    texts = [repr(result), str(result.verdict()), str(fc.check_prices(prices)), str(result.superior_ability())]
    assert all(map(is_clean, texts))
    for name in models:
        assert plain(name) in texts[1]


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_terminal_without_the_letters_gets_escapes(encoding, call, hostile, tmp_path):
    for more in ([], ["--json"]):
        command = [sys.executable, "-m", "forecast", "check", hostile, *more]
        result = subprocess.run(command, cwd=tmp_path, env=ENV | {"PYTHONIOENCODING": encoding}, capture_output=True)
        assert result.returncode == 0, result.stderr
        text = result.stdout.decode(encoding)
        if more:
            assert list(json.loads(text)["table"]) == NAMES
        else:
            assert ("東京市場" if encoding == "utf-8" else "\\u6771\\u4eac\\u5e02\\u5834") in text


# --- tables ---

NUMBER = re.compile(r"[-+]?\d[\d,.]*(?:e[-+]?\d+)?%?")


@settings(max_examples=150)
@given(
    st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=4),
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=12),
    st.integers(10, 150),
)
@pytest.mark.medium
def test_no_width_cuts_a_number_or_wraps_a_cell(names, numbers, columns):
    from contextlib import redirect_stdout
    from io import StringIO
    from unittest.mock import patch

    rows = [[name, *(f"{x:.6g}" for x in numbers)] for name in names]
    headings = ["name", *(f"c{i}" for i in range(len(numbers)))]
    with patch.dict(os.environ, COLUMNS=str(columns)), redirect_stdout(StringIO()) as out:
        show_table(headings, rows)
    lines = out.getvalue().split("\n")
    assert is_clean(out.getvalue())
    blocks = "\n".join(line.rstrip() for line in lines).strip("\n").split("\n\n")
    assert all(len(block.split("\n")) == len(rows) + 1 for block in blocks)  # nothing is wrapped
    for i, row in enumerate(rows):
        cells = [cell for block in blocks for cell in block.split("\n")[i + 1].split()]
        remaining = iter(cells)
        assert all(number in remaining for number in row[1:])  # all, in order, whole
    shown = shorten_names(list(map(plain, names)), MIN_NAME)
    widest = max(map(cell_len, [headings[0], *shown, " " * MIN_NAME])) + 2 + max(len(f"{x:.6g}") for x in numbers)
    assert all(cell_len(line.rstrip()) <= max(columns, widest) for line in lines)


@given(st.text(), st.integers(3, 40))
def test_a_shortened_name_has_its_beginning_and_end(text, width):
    text = plain(text)
    short = shorten_middle(text, width)
    assert cell_len(short) <= width
    if cell_len(text) <= width:
        assert short == text
    elif text.isascii():
        assert text.startswith(short.split("…")[0])
        assert text.endswith(short.split("…")[1])


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), st.integers(0, 60), st.integers(3, 40))
def test_different_names_stay_different(letters, before, width):
    """Also where they differ in a letter anywhere, in a terminal of any width, and rows of one name have one name."""
    names = ["x" * before + letter + "y" * (60 - before) for letter in letters]
    short = shorten_names(names, width)
    assert [short.index(name) for name in short] == [names.index(name) for name in names]
    if len(set(names)) == 1:
        assert max(map(cell_len, short)) <= width


@pytest.mark.medium
def test_a_pipe_without_a_width_has_whole_names(tmp_path):
    names = ["A" * 60 + "1" + "B" * 60, "A" * 60 + "2" + "B" * 60]
    walks(rows=80, series=2).set_axis(names, axis=1).to_csv(tmp_path / "long.csv", index_label="date")
    environment = {name: value for name, value in ENV.items() if name != "COLUMNS"}
    command = [sys.executable, "-m", "forecast", "check", "long.csv"]
    out = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True).stdout
    header, *lines = out.split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in lines] == names
    assert len(header.split()) == len(lines[0].split())  # one line for each series


@pytest.mark.medium
def test_numbers_come_first(call, tmp_path):
    prices = walks(rows=400, series=2).set_axis(["A" * 50 + "1", "A" * 50 + "2"], axis=1)
    prices.to_csv(tmp_path / "long.csv", index_label="date")
    for columns in (60, 80, 200):
        code, out, _ = call("check", "long.csv", columns=columns)
        assert code == 0
        table = out.split("\n\nA" if columns == 60 else "\n\n")[0]
        for value in fc.check_prices(prices).table.iloc[0]:
            assert re.search(rf"(?<!\S){re.escape(str(value))}(?!\S)", out)
        assert max(len(line.rstrip()) for line in table.split("\n")) <= columns


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("command", ["models", "samples"])
def test_lists_fit_the_terminal(command, columns, call):
    code, out, _ = call(command, columns=columns)
    assert code == 0
    long = [line for line in out.splitlines() if len(line) > columns]
    assert all(" " not in line.strip() for line in long)  # only words without a place to break


def test_predict_prints_whole_numbers(call, tmp_path):
    prices = walks(rows=80, series=1).set_axis(["n" * 70], axis=1) * 1e9
    prices.to_csv(tmp_path / "big.csv", index_label="date")
    call("fit", "big.csv", "--model", "drift", "--horizon", "3", "--out", "m")
    _, out, _ = call("predict", "m", "big.csv", columns=60)
    data = json.loads(call("predict", "m", "big.csv", "--json")[1])
    assert np.isfinite(data["forecast"][0]["y_hat"])
    for row in data["forecast"]:
        assert f"{row['y_hat']:.0f} " in out
        assert f"{row['q0.9']:.0f}" in out


# --- sentences ---

SENTENCE = "Where will it be: no model beats seasonal-naive, and a name_that_is_longer_than_the_terminal_is_whole."


@pytest.mark.parametrize("columns", [30, 60, 80])
@pytest.mark.parametrize("margin", ["", "  "])
def test_sentences_wrap_between_words_in_a_terminal_only(columns, margin, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    show_sentence(SENTENCE, margin)
    assert capsys.readouterr().out == f"{margin}{SENTENCE}\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_sentence(SENTENCE, margin)
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(line.strip() for line in lines) == SENTENCE
    assert all(len(line) <= columns or len(line.split()) == 1 for line in lines)
    assert lines[0].startswith(margin + "Where")
    assert all(line.startswith(2 * margin) for line in lines[1:])  # indented beneath its beginning
