"""A run with too few rows is refused before its first fit, and every remedy that the message names works."""

from __future__ import annotations

import re
import shlex

import numpy as np
import pandas as pd
import pytest
from helpers.command_line import command_line, write_short_reports
from helpers.quick import walks

import forecast as fc
from forecast.backtesting import tasks
from forecast.backtesting.enough_rows import RowsNeeded


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command line in a folder with few prices."""
    monkeypatch.chdir(tmp_path)
    prices = walks(60, 2)
    prices.to_csv("good.csv", index_label="date")
    prices.iloc[:14].to_csv("tiny.csv", index_label="date")
    gaps = prices.copy()
    gaps.iloc[::3] = np.nan
    gaps.iloc[-8:] = prices.iloc[-8:]
    gaps.iloc[:25, 0] = np.nan
    gaps.iloc[:20, 1] = np.nan
    gaps.to_csv("gaps.csv", index_label="date")
    write_short_reports(monkeypatch)
    return command_line(monkeypatch, capsys)


LINES = [
    "backtest good.csv --models drift,arima",
    "backtest good.csv --models drift,arima --windows 12 --horizon 4 --step-size 5",
    "backtest tiny.csv --models drift,arima",
    "backtest tiny.csv --models drift,har --windows 2 --horizon 1",
    "backtest good.csv --models arima --windows 3 --train-size 5",
    "backtest good.csv --models ets --season 30 --windows 9",
    "backtest good.csv --models ets --season 50 --windows 9",
    "backtest good.csv --models arima --windows 3 --embargo 50",
    "backtest gaps.csv --models arima --windows 8",
    "backtest gaps.csv --models arima --windows 3 --train-size 12",
]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.medium
def test_every_remedy_works(line, call, monkeypatch):
    def no_fit(*arguments, **options):
        raise AssertionError("a model is fitted")

    line += " --refit 6"
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "run_task", no_fit)
        code, _, err = call(line)
    assert code == 2
    remedies = [text for text in re.split(r", | or ", err.strip().rsplit(": use ", 1)[1]) if text.startswith("--")]
    assert remedies or "--embargo" in line
    for remedy in remedies:
        code, _, err = call(f"{line} {remedy.replace(' with ', ' ')} --quiet")  # a later option replaces an earlier one
        assert (code, err) == (0, ""), remedy


def test_the_rows_that_are_needed_are_enough(call):
    rows = int(re.search(r"prices of (\d+) rows", call("backtest good.csv --models drift,arima")[2])[1])
    walks(rows, 1).to_csv("longer.csv", index_label="date")
    walks(rows - 1, 1).to_csv("shorter.csv", index_label="date")
    assert call("backtest longer.csv --models drift,arima --refit 20 --quiet")[0] == 0
    assert call("backtest shorter.csv --models drift,arima --quiet")[0] == 2


def test_the_largest_settings_that_are_enough_are_named():
    panel = fc.as_panel(walks(60, 1))
    needed = RowsNeeded({"arima": fc.ARIMA()}, panel)
    cv = fc.WalkForward(horizon=5, n_windows=20)
    assert not needed.are_enough(cv)
    assert needed.remedies(cv) == ["n_windows=9", "horizon=2", "prices of 111 rows"]
    assert needed.are_enough(fc.WalkForward(5, 9))
    assert not needed.are_enough(fc.WalkForward(5, 10))
    assert not needed.are_enough(fc.WalkForward(3, 20))


def test_failed_fits_that_are_recorded_are_not_refused(call):
    assert call("backtest good.csv --models drift,arima --windows 10 --refit 5 --on-error record --quiet")[0] == 0


def test_a_shorter_horizon_of_a_fit_works(call):
    err = call("fit good.csv --model drift --horizon 80 --out m")[2]
    remedy = re.search(r"use (--horizon \d+) or more history", err)[1]
    assert call(f"fit good.csv --model drift {remedy} --out m")[0] == 0
    assert call("fit tiny.csv --model har --horizon 1 --out m")[2].endswith(": use more history\n")


def test_a_command_in_a_message_can_be_pasted(call):
    out = call('fit good.csv --model drift --out "it\'s a model"')[1]
    command = re.search(r"`forecast (predict [^`]*)`", out)[1]
    assert shlex.split(command)[1] == "it's a model"
    assert call(command)[0] == 0


def test_the_command_that_resumes_a_stopped_run_can_be_pasted(call, monkeypatch):
    from forecast.models.naive import Drift

    def stop(self, y):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Drift, "_fit_rule", stop)
        code, _, err = call("backtest good.csv --models drift --windows 3 --out 'my runs/first'")
    assert code == 130
    command = re.search(r"`forecast (backtest --resume [^`]*)` continues from there", err)[1]
    assert call(f"{command} --quiet")[0] == 0


@pytest.mark.medium
def test_a_season_that_cannot_be_looked_for_is_mentioned(call, tmp_path):
    months = pd.date_range("2015-01-01", periods=60, freq="MS")
    season = 20 + 5 * np.sin(2 * np.pi * np.arange(60) / 12) + np.random.default_rng(0).normal(size=60)
    pd.DataFrame({"date": months, "sales": season}).to_csv(tmp_path / "months.csv", index=False)
    line = "backtest months.csv --models drift --horizon 2 --windows {}"
    code, _, errors = call(line.format(20))
    assert code == 0
    assert "the 20 rows of the first fit are fewer than 3 seasons of 12" in " ".join(errors.split())
    code, out, errors = call(line.format(20) + " --season 12")
    assert (code, "seasonal-naive" in out, errors) == (0, True, "")
    code, out, errors = call(line.format(9))
    assert (code, "seasonal-naive" in out, errors) == (0, True, "")
