"""Messages on the command line name options, never Python's arguments; what they quote stays as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.command_line import command_line
from helpers.quick import quick, walks

import forecast as fc
from forecast._io import DESCRIPTION
from forecast.cli.option_names import OPTIONS, in_option_names, parameter_options

MESSAGES = {
    "n_windows must be at least 1; got 0": "--windows must be at least 1; got 0",
    "60 rows cannot hold n_windows=9 with horizon=5, step_size=5": "60 rows cannot hold --windows 9 with --horizon 5, "
    "--step-size 5",
    "how must be 'all' or 'common'; got 'how=3'": "--rows must be 'all' or 'common'; got 'how=3'",
    "the column 'how must be' of series' own how='all'": "the column 'how must be' of series' own --rows all",
    "set decimal=',' or decimal='.'": "set --decimal , or --decimal .",
    "set dayfirst=True or dayfirst=False": "set --day-first or --month-first",
    "name a field, or leave fields out": "name a field, or leave --target out",
    "resume=True continues from it, restart=True replaces it": "--resume continues from it, --restart replaces it",
    "exchange='XNYS' needs daily rows": "--exchange XNYS needs daily rows",
    "choose target='Close Price', or columns=['A', 'B,C']": "choose --target 'Close Price', or --columns 'A,\"B,C\"'",
    "Use loss='squared', or models=['naive', 'drift']": "Use --loss squared, or --models naive,drift",
    "there is no field 'x' to read as exog": "there is no field 'x' to read as an input",
    "leave out horizon, step_size, or use resume=True": "leave out --horizon, --step-size, or use --resume",
    "use on_error='skip', or log=False": "use --on-error skip, or --set MODEL.log=False",
}
UNCHANGED = [
    "the fields of the target are those of the reference",
    "horizon=5.csv and interval=5m/prices.csv do not exist",
    "--set lstm.lookback cannot be read: write MODEL.PARAM=VALUE, such as lstm.lookback=60",
    "--season must be at least 1; got 0",
    "there is no column 'target', 'n_windows' or \"how=all\"",
]


@pytest.mark.parametrize("message", [*MESSAGES, *UNCHANGED])
def test_options_stand_for_arguments_and_for_nothing_else(message):
    assert in_option_names(message) == MESSAGES.get(message, message)
    assert in_option_names(in_option_names(message)) == in_option_names(message)


def test_parameters_of_a_model_are_set_by_name():
    options = parameter_options("lstm", {"trainer": None, "patch": 1, "lookback": 1})
    message = "trainer.lr must be a number: lookback=7 rows are no multiple of patch=3"
    expected = (
        "--set lstm.trainer.lr must be a number: --set lstm.lookback=7 rows are no multiple of --set lstm.patch=3"
    )
    assert in_option_names(message, options) == expected


# --- what the commands print ------------------------------------------------------------------------------------------


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command line in a folder with price files and returns its code and its message."""
    monkeypatch.chdir(tmp_path)
    prices = walks(60, 2)
    prices.to_csv("good.csv", index_label="date")
    prices.where(np.arange(60)[:, None] < [60, 50]).to_csv("late.csv", index_label="date")
    (prices - 100).to_csv("negative.csv", index_label="date")
    prices.iloc[:30].to_csv("short.csv", index_label="date")
    prices.rename(columns={"S0": "A"}).to_csv("other.csv", index_label="date")
    prices.where(np.arange(60)[:, None] % 2 == [0, 1]).to_csv("apart.csv", index_label="date")
    prices.reset_index(drop=True).to_csv("numbered.csv", index_label="row")
    (tmp_path / "euro.csv").write_text("Date;A\n" + "".join(f"{d:02}.01.2024;1,{d:03}\n" for d in range(1, 13)))
    run = command_line(monkeypatch, capsys)
    return lambda line: run(line)[::2]


INVALID = [
    "backtest negative.csv --models drift --windows 3 --loss qlike",
    "backtest negative.csv --models arima --windows 3 --set arima.log=true",
    "backtest numbered.csv --models lstm --windows 2 --set lstm.calendar=true",
    "backtest good.csv --models lstm --windows 2 --set lstm.start=pretrained --set lstm.hidden=8",
    "backtest good.csv --models ets --windows 2 --set ets.shape=AAA",
    "backtest good.csv --models lstm --windows 2 --set \"lstm.exog=('Volume',)\"",
    "backtest good.csv --windows 0",
    "backtest good.csv --windows 99",
    "backtest good.csv --step-size 0",
    "backtest good.csv --train-size 0",
    "backtest good.csv --embargo -1",
    "backtest good.csv --jobs 0",
    "backtest good.csv --refit 0",
    "backtest good.csv --season 0",
    "backtest good.csv --on-error x",
    "backtest good.csv --rows x",
    "backtest good.csv --against x",
    "backtest good.csv --resume",
    "backtest good.csv --target Open",
    "backtest apart.csv --rows common",
    "audit good.csv --windows 2",
    "audit good.csv --models ridge --set ridge.log=maybe",
    "check euro.csv",
    "check euro.csv --day-first",
    "check euro.csv --decimal x",
    "download AAPL --interval 3d",
    "download AAPL --adjust x",
    "download AAPL --on-error x",
    "fit good.csv --horizon 0 --out m",
    "fit good.csv --horizon 500 --out m",
    "fit good.csv --model ridge --horizon 30 --out m",
    "fit short.csv --model har --horizon 5 --out m",
    "fit good.csv --rows x --out m",
    "fit good.csv --season 0 --out m",
    "fit good.csv --season 5 --out m",
    "fit good.csv --exchange XXXX --out m",
    "fit numbered.csv --exchange XNYS --out m",
    "fit good.csv --set arima.order=banana --out m",
    "fit good.csv --set arima.order=(1,2) --out m",
    "fit good.csv --set arima.log=maybe --out m",
    "fit good.csv --set arima.levels=0.5 --out m",
    "fit good.csv --set arima.trend=x --out m",
    "fit good.csv --model ses --set ses.shape=XYZ --out m",
    "fit good.csv --model har --set har.lags=banana --out m",
    "fit good.csv --model theta --set theta.m=0 --out m",
    "fit good.csv --model ridge --set ridge.lookback=0 --out m",
    "fit good.csv --model seasonal-naive --set seasonal-naive.m=banana --out m",
    "fit good.csv --model zero --set zero.levels=(.1,.9) --out m",
    "fit good.csv --model garch --target return --out m",
]


@pytest.mark.parametrize("line", INVALID)
def test_invalid_settings_are_refused_in_option_names(line, call, tmp_path, monkeypatch):
    monkeypatch.setenv("FORECAST_CACHE", str(tmp_path / "cache"))
    code, err = call(line)
    assert code == 2
    assert re.fullmatch(r"forecast: .*\n", err)
    outside = re.sub(r"(?<!\w)'[^']*'", "", err)
    arguments = [name for name in OPTIONS if "_" in name] + ["how", "dayfirst"]
    assert not re.search(rf"(?<![\w.-])(?:{'|'.join(arguments)})\b", outside), err
    assert not re.search(r"(?<![\w.])(?<!-)[a-z]\w*=(?:'|\d|True|False|None)", outside), err
    assert not (tmp_path / "m").exists()
    assert "exog" not in outside.replace("lstm.exog", "")
    assert "MODEL." not in outside


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "fit good.csv --horizon 500 --out m",
            "arima needs at least 501 rows of a series for --horizon 500, and the longest, S0, has 60: use "
            "--horizon 59 or more history",
        ),
        (
            "fit good.csv --set arima.order=banana --out m",
            "--set arima.order must be three whole numbers (p, d, q) or 'auto'; got 'banana'",
        ),
        ("fit good.csv --season 5 --out m", "--season 5 does not apply to arima, which has no season: leave it out"),
        ("fit good.csv --model ses --season 5 --out m", "does not apply to ses"),
    ],
)
def test_messages_of_fit(line, message, call):
    assert message in call(line)[1]


# --- models that are replaced -----------------------------------------------------------------------------------------


@pytest.mark.medium
def test_a_model_of_other_data_is_replaced_by_force_only(call, tmp_path):
    assert call("fit good.csv --model drift --set drift.log=true --out m")[0] == 0
    assert call("fit ./good.csv --model drift --out m")[0] == 0  # of the same class and data
    before = (tmp_path / "m" / DESCRIPTION).read_bytes()
    for line in ("fit other.csv", "fit good.csv --target return", "fit numbered.csv", "fit stocks", "fit good.csv"):
        code, err = call(f"{line} --model {'naive' if line == 'fit good.csv' else 'drift'} --out m")
        assert code == 2
        found = "m holds Drift fitted on S0, S1 from ./good.csv"
        assert err == f"forecast: {found}: name another folder, or replace it with --force\n"
        assert (tmp_path / "m" / DESCRIPTION).read_bytes() == before
    assert call("fit other.csv --model naive --out m --force")[0] == 0
    assert fc.load_model("m").series_ == ("A", "S1")


@pytest.mark.medium
def test_a_path_of_prices_is_that_of_the_fit(call, tmp_path, monkeypatch):
    """A file of that name in another folder holds other data; the same file is known from any folder."""
    assert call("fit good.csv --model drift --out m")[0] == 0
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "good.csv").write_bytes(Path("good.csv").read_bytes())
    monkeypatch.chdir(tmp_path / "sub")
    code, err = call("fit good.csv --model drift --out ../m")
    assert code == 2
    assert err.startswith(f"forecast: ../m holds Drift fitted on S0, S1 from {tmp_path / 'good.csv'}: name another")
    assert call("fit ../good.csv --model drift --out ../m")[0] == 0
    assert str(tmp_path) not in (tmp_path / "m" / DESCRIPTION).read_text()


@pytest.mark.parametrize("edit", [{"format": 3}, {"model": []}, {"sha256": None}])
def test_a_folder_that_cannot_be_read_is_replaced_by_force_only(edit, call, tmp_path):
    assert call("fit good.csv --model naive --out m")[0] == 0
    description = tmp_path / "m" / DESCRIPTION
    description.write_text(json.dumps(json.loads(description.read_text()) | edit))
    assert re.fullmatch(r"forecast: m.*(format 5|damaged).*; --force replaces it\n", call("fit good.csv --out m")[1])
    assert re.fullmatch(r"forecast: m.*(format 5|damaged).*\n", call("predict m good.csv")[1])
    assert call("fit good.csv --model naive --out m --force")[0] == 0


def test_a_classifier_is_no_model_of_prices(call, tmp_path):
    fc.RecurrentClassifier(hidden=4, epochs=1, lookback=10).fit(walks()).save("m")
    assert "m holds a RecurrentClassifier, which forecasts no prices" in call("predict m good.csv")[1]


# --- what is stored ---------------------------------------------------------------------------------------------------


@pytest.mark.medium
def test_the_exchange_and_the_season_are_those_of_the_fit(call, tmp_path):
    options = "--model seasonal-naive --season 3 --horizon 2 --exchange XNYS"
    assert call(f"fit good.csv {options} --out m")[0] == 0
    model = fc.load_model("m")
    assert (model.m, model.prices_.options["exchange"]) == (3, "XNYS")
    assert call("predict m good.csv --out forecast.csv")[0] == 0
    dates = pd.read_csv("forecast.csv", parse_dates=["ds"])["ds"][:2]
    assert list(dates) == list(fc.next_dates(walks(60).index, 2, "XNYS")[0])
    assert call("predict m good.csv --exchange XNYS")[0] == 0
    assert (
        "--exchange is XLON and at the fit it was XNYS: leave it out" in call("predict m good.csv --exchange XLON")[1]
    )
    assert "cannot be used: leave it out" in call("predict m numbered.csv")[1]


def test_a_model_fitted_in_python_forecasts_its_quantity(call, tmp_path):
    bars = fc.load_sample("sp500", "all")
    for target in ("Close", "return", "Volume"):
        model = fc.Naive().fit(fc.make_target(bars, target), 1)
        model.save(tmp_path / "m", replace=True)
        assert call("predict m sp500 --out forecast.csv")[0] == 0
        expected = model.predict(fc.make_target(bars, target)).point.item()
        assert pd.read_csv("forecast.csv")["y_hat"].item() == pytest.approx(expected)
    assert "--target is Close and at the fit it was Volume" in call("predict m sp500 --target Close")[1]


def test_common_rows_of_a_fit_in_python_are_read_again(call):
    prices = fc.read_prices("late.csv")
    fc.Naive().fit(fc.as_panel(prices, how="common"), 1).save("m")
    assert call("predict m late.csv --out forecast.csv")[0] == 0
    assert set(pd.read_csv("forecast.csv")["cutoff"]) == {f"{prices.dropna().index[-1]:%Y-%m-%d}"}


def test_a_series_without_a_forecast_is_named(call):
    """Prices below 0 have no logarithm: NaN is not printed as a forecast."""
    prices = fc.read_prices("good.csv")
    (-prices).to_csv("negative.csv", index_label="date")
    prices.assign(S0=-prices["S0"]).to_csv("mixed.csv", index_label="date")
    assert call("fit good.csv --model drift --out m")[0] == 0
    code, err = call("predict m negative.csv --out forecast.csv")
    assert code == 2
    assert "Drift has no forecast of S0, S1 from these prices" in err
    assert not Path("forecast.csv").exists()
    assert call("predict m mixed.csv --out forecast.csv")[0] == 0
    table = pd.read_csv("forecast.csv")
    assert set(table["unique_id"]) == {"S1"}
    assert table["y_hat"].notna().all()


def test_options_of_a_file_hold_for_files(call):
    assert call("fit euro.csv --day-first --decimal , --model naive --horizon 1 --out m")[0] == 0
    assert fc.load_model("m").prices_.options == {"data": "euro.csv", "folder": "..", "day_first": True, "decimal": ","}
    assert call("predict m euro.csv")[0] == 0
    assert "applies only to files" not in call("predict m stocks")[1]
    assert quick("naive").fit(walks(), 1).prices_.options == {}
