"""--columns and --target choose any column of a file; what is forecast and what was left out is shown."""

import json

import pandas as pd
import pytest
from helpers.command_line import command_line, write_short_reports
from helpers.layouts import random_walk

RUN = "--models drift --horizon 1 --windows 10"


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command line in a folder with files and returns its code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    bars = random_walk(60).rename_axis("Date")
    bars[["price", "volume"]].set_axis(["Aaa", "Bbb b"], axis=1).to_csv("unclear.csv")
    bars[["number", "price"]].set_axis(["S.No", "Price"], axis=1).to_csv("counted.csv")
    chinese = {"open": "开盘", "price": "收盘", "high": "最高", "low": "最低", "volume": "成交量"}
    bars[list(chinese)].rename(columns=chinese).to_csv("bars.csv")
    pd.DataFrame({"A, Inc.": bars["price"], "B": bars["open"], "C": bars["close"]}).to_csv("wide.csv")
    return command_line(monkeypatch, capsys)


def test_a_question_names_the_options(call):
    code, out, err = call(f"backtest unclear.csv {RUN}")
    assert (code, out) == (2, "")
    assert "'Bbb b' looks like a volume, next to columns that look like prices; the columns are 'Aaa', 'Bbb b'" in err
    assert "--target Aaa" in err
    assert "--columns" in err
    assert "target=" not in err
    assert "columns=" not in err


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ("unclear.csv --target 'Bbb b'", "Forecast: Bbb b."),
        ("unclear.csv --columns 'Aaa,Bbb b'", "Forecast: Aaa and Bbb b."),
        ("bars.csv", "Forecast: Close of bars."),
        ("bars.csv --target 收盘", "Forecast: Close of bars."),
        ("bars.csv --target 成交量", "Forecast: Volume of bars."),
        ("bars.csv --target volume", "Forecast: Volume of bars."),
        ("wide.csv --target B", "Forecast: B."),
        ("""wide.csv --columns '"A, Inc.",C'""", "Forecast: A, Inc. and C."),
    ],
)
def test_the_chosen_column_is_forecast_and_shown(options, first, call):
    code, out, err = call(f"backtest {options} {RUN}")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == first


def test_what_is_left_out_is_shown_once(call, monkeypatch):
    write_short_reports(monkeypatch)
    code, out, err = call(f"backtest counted.csv {RUN} --out run")
    assert (code, err) == (0, "")
    assert out.count("the column 'S.No' counts rows (1 to 60) and is left out") == 1


@pytest.mark.medium
def test_the_spec_and_the_report_show_what_is_forecast(call, tmp_path):
    assert call(f"backtest bars.csv {RUN} --out run")[0] == 0
    spec = json.loads((tmp_path / "run" / "spec.json").read_text(encoding="utf-8"))
    assert spec["data"]["field"] == "Close"
    assert "Forecast: Close of bars" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert json.loads(call(f"backtest bars.csv {RUN} --json")[1])["field"] == "Close"


@pytest.mark.medium
def test_columns_are_those_of_the_spec_and_of_the_fit(call, monkeypatch):
    write_short_reports(monkeypatch)
    assert call(f"backtest wide.csv --columns B,C {RUN} --out run")[0] == 0
    assert call("backtest --spec run")[1].splitlines()[0] == "Forecast: B and C."
    assert call("fit unclear.csv --target 'Bbb b' --model drift --horizon 1 --out model")[0] == 0
    forecast = json.loads(call("predict model unclear.csv --json")[1])["forecast"]
    assert [row["unique_id"] for row in forecast] == ["Bbb b"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("backtest wide.csv --columns B,,C", "--columns B,,C names no column between two commas"),
        ("backtest wide.csv --columns D", "there is no column 'D'; the prices have A, Inc., B, C"),
        ("backtest wide.csv --target D", "there is no field 'D' to forecast; the prices have A, Inc., B, C"),
        ("backtest wide.csv --columns B --target parkinson", "--columns names the series themselves"),
        ("backtest stocks --columns AAPL", "--columns applies only to files"),
    ],
)
def test_invalid_columns_are_refused(line, message, call):
    code, out, err = call(line)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.medium
def test_output_on_sales_mentions_no_price(call):
    days = pd.date_range("2023-01-02", periods=60, name="day")
    table = pd.DataFrame({"sales": range(100, 160)}, index=days).sample(frac=1, random_state=0)
    table.sort_index().to_csv("sales.csv")
    for line in (
        f"backtest sales.csv {RUN} --out run",
        "explain run",
        "check sales.csv",
        "fit sales.csv --model naive --out model",
        "predict model sales.csv",
    ):
        code, out, err = call(line)
        assert (code, err) == (0, "")
        assert "price" not in out.lower(), line
