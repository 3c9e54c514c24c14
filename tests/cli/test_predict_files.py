"""What `forecast predict` writes: fewer steps, a picture, and sample paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.command_line import command_line
from helpers.quick import walks

from forecast.cli import forecast_files
from forecast.cli.terminal import format_number

START = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command line in a folder with prices and a fitted model."""
    monkeypatch.chdir(tmp_path)
    walks(80, 3).to_csv("prices.csv", index_label="date")
    run = command_line(monkeypatch, capsys)
    assert run("fit prices.csv --model drift --horizon 5 --out model --quiet")[0] == 0
    return run


@pytest.mark.medium
def test_the_first_steps_are_those_of_the_whole_forecast(call):
    assert call("predict model prices.csv --out five.csv --quiet")[0] == 0
    assert call("predict model prices.csv --horizon 2 --out two.csv --quiet")[0] == 0
    five, two = pd.read_csv("five.csv"), pd.read_csv("two.csv")
    pd.testing.assert_frame_equal(five[five["step"] <= 2].reset_index(drop=True), two)
    code, _, err = call("predict model prices.csv --horizon 6 --out six.csv")
    assert code == 2
    assert "fitted for 5 steps: use --horizon 5 or less, or fit a model with `forecast fit … --horizon 6`" in err
    assert not Path("six.csv").exists()
    assert "--horizon must be at least 1" in call("predict model prices.csv --horizon 0")[2]


@pytest.mark.parametrize("suffix", START)
@pytest.mark.medium
def test_a_picture_of_the_history_and_the_forecast_is_written(suffix, call):
    code, out, _ = call(f"predict model prices.csv --plot picture{suffix}")
    assert code == 0
    assert f"The plot is in picture{suffix}." in out
    assert Path(f"picture{suffix}").read_bytes().startswith(START[suffix])


@pytest.mark.medium
def test_a_picture_has_a_panel_for_each_series(call, monkeypatch):
    assert call("predict model prices.csv --plot all.svg --quiet")[0] == 0
    text = Path("all.svg").read_text(encoding="utf-8")
    assert all(f"{name} ·" in text for name in ("S0", "S1", "S2"))
    monkeypatch.setattr(forecast_files, "MAX_PLOTTED", 2)
    assert "the plot shows the first 2 of 3 series" in call("predict model prices.csv --plot two.svg")[1]


def test_a_picture_of_another_format_is_refused(call):
    code, _, err = call("predict model prices.csv --plot picture.gif")
    assert (code, err) == (2, "forecast: --plot picture.gif must end in .png or .svg or .pdf\n")
    assert "--plot model/p.png is in " in call("predict model prices.csv --plot model/p.png")[2]


@pytest.mark.medium
def test_sample_paths_have_the_distribution_of_the_forecast(call):
    assert call("predict model prices.csv --out forecast.csv --quiet")[0] == 0
    assert "1,000 sample paths are in paths.csv." in call("predict model prices.csv --paths 1000 --out paths.csv")[1]
    paths, forecast = pd.read_csv("paths.csv"), pd.read_csv("forecast.csv")
    assert len(paths) == 1000 * 3 * 5
    ends = forecast.set_index(["unique_id", "step"])
    for key, values in paths.groupby(["unique_id", "step"])["y"]:
        assert values.nunique() > 100
        assert np.mean(values < ends.loc[key, "q0.9"]) == pytest.approx(0.9, abs=0.05)
    assert list(paths["ds"][:5]) == list(forecast["ds"][:5])
    assert "name it with --out" in call("predict model prices.csv --paths 10")[2]


@pytest.mark.parametrize("value", [1234567.8, 12345.678, -98765.4321, 0.00012345678, 1e-9, 5.0])
def test_no_number_loses_digits_before_the_point(value):
    text = format_number(value, 4)
    assert float(text) == pytest.approx(value, rel=5e-4)
    assert "e+" not in text


@pytest.mark.medium
def test_large_prices_are_whole_in_a_narrow_terminal(call, monkeypatch):
    (walks(80, 2) * 1e6).to_csv("prices.csv", index_label="date")
    monkeypatch.setenv("COLUMNS", "60")
    assert call("fit prices.csv --model drift --horizon 2 --out large --quiet")[0] == 0
    out = call("predict large prices.csv --out forecast.csv")[1]
    assert "e+0" not in out
    for value in pd.read_csv("forecast.csv")[["y_hat", "q0.1", "q0.9"]].to_numpy().ravel():
        assert f"{value:.0f}" in out
    out = call("backtest prices.csv --models drift --windows 5 --horizon 2")[1]
    assert "e+0" not in out


def test_hours_have_a_time_at_midnight_and_the_median_is_printed_once(call, monkeypatch):
    hours = pd.date_range("2024-03-01", periods=95, freq="h")
    walks(95, 1).set_axis(hours, axis=0).to_csv("hours.csv", index_label="time")
    assert call("fit hours.csv --model drift --horizon 3 --out hourly --quiet")[0] == 0
    monkeypatch.setenv("COLUMNS", "60")
    out = call("predict hourly hours.csv")[1]
    assert "2024-03-04 23:00:00" in out
    assert "2024-03-05 00:00:00" in out
    assert "q0.5" not in out
    assert len([line for line in out.splitlines() if line.startswith("S0")]) == 3  # one block


def test_the_message_on_holidays_names_the_option(call):
    assert "name one with --exchange, such as XNYS" in call("predict model prices.csv")[1]
