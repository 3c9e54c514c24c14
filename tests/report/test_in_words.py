"""A stored run in words: the numbers are those of the verdict, and nothing is claimed that the run does not show."""

from __future__ import annotations

import json
import re

import pytest
from helpers.command_line import command_line
from helpers.quick import walks

import forecast as fc
from forecast.report.in_words import explain


def words(result, loss=None):
    return {section.title: " ".join(section.sentences) for section in explain(result, loss)}


@pytest.fixture(scope="module")
def won():
    prices = fc.load_sample("simulated")[["ar1"]]
    models = {"arima": fc.ARIMA((1, 0, 0)), "drift": fc.Drift()}
    return fc.backtest(models, prices, fc.WalkForward(horizon=1, n_windows=200), refit=200)


def test_a_winner_is_named_with_the_numbers_of_the_verdict(won):
    text, row = words(won), won.verdict().table.set_index("model").loc["arima"]
    found = text["Where will it be?"]
    assert (
        f"arima: better, with a skill of {row.skill:+.1%} (90 % interval: {row.low:+.1%} to {row.high:+.1%})" in found
    )
    assert "would rarely show such a difference" in text["What it means"]
    assert "over the baseline, not over every model" in text["What it does not mean"]
    assert "200 cutoffs" in text["What was compared"]
    assert "and again 200 cutoffs later" in text["What was compared"]
    assert "Profits" in text["What it does not mean"]


@pytest.mark.medium
def test_without_a_winner_nothing_is_claimed():
    result = fc.backtest({"drift": fc.Drift()}, walks(120, 2), fc.WalkForward(horizon=2, n_windows=30))
    text = words(result)
    assert text["Where will it be?"].startswith("No model beats naive")
    assert "drift: not distinguishable" in text["Where will it be?"]
    assert "nothing in this run shows" in text["What it means"]
    detectable = min(verdict.table["detectable"].min() for verdict in result.verdicts().main)
    assert f"a true skill below {detectable:.1%}" in text["What it does not mean"]
    assert "over every model of the run" not in text["What it does not mean"]
    assert "A network?" not in text


def test_a_run_that_is_too_short_is_called_so():
    text = words(fc.backtest({"drift": fc.Drift()}, walks(60, 1), fc.WalkForward(horizon=5, n_windows=1)))
    assert "too short" in text["What it means"]
    assert "equally accurate" not in text["What it means"]


def test_one_loss_is_explained_alone(won):
    assert "Where will it be?" in words(won, "absolute")
    assert "How far may it be off?" not in words(won, "absolute")
    assert "absolute error" in words(won, "absolute")["How"]


def test_a_run_without_another_model_is_explained():
    text = words(fc.backtest({"naive": fc.Naive()}, walks(60, 1), fc.WalkForward(horizon=5, n_windows=3)))
    assert "nothing to compare" in text["Where will it be?"]
    assert "1 model forecast it: naive" in text["What was compared"]


@pytest.mark.medium
def test_the_command_prints_the_sections_of_the_stored_run(won, tmp_path, monkeypatch, capsys):
    call = command_line(monkeypatch, capsys)
    won.save(tmp_path / "run")
    code, out, err = call(["explain", str(tmp_path / "run")])
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if line and not line.startswith(" ")] == [
        section.title for section in explain(won)
    ]
    data = json.loads(call(["explain", str(tmp_path / "run"), "--json"])[1])
    assert data == [section._asdict() for section in explain(fc.BacktestResult.load(tmp_path / "run"))]
    assert re.search("must be one of", call(["explain", str(tmp_path / "run"), "--loss", "x"])[2])
