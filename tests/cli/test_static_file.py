"""--static: a file with a row for each series, in every command that fits or forecasts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.command_line import command_line
from helpers.quick import walks

import forecast as fc

RUN = "--models ridge --horizon 2 --windows 4 --refit 4"
STATIC = "--static shops.csv"


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command line in a folder with files and returns its code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    table = walks(90, series=3).set_axis(["A", "01", "C d"], axis=1)
    table.rename_axis("date").to_csv("sales.csv")
    shops = pd.DataFrame({"size": [1.0, 3.0, 2.0], "region": ["north", "south", "north"]}, index=list(table))
    shops.rename_axis("shop").to_csv("shops.csv")
    shops.iloc[::-1].assign(size=[9, 9, 9]).to_csv("others.csv")
    shops.iloc[:2].to_csv("two.csv")
    shops[[]].to_csv("none.csv")
    shops[["size"]].to_csv("sizes.csv")
    Path("empty.csv").write_text("")
    return command_line(monkeypatch, capsys)


@pytest.mark.medium
def test_the_models_of_a_run_read_it_and_a_spec_repeats_it(call, tmp_path, monkeypatch):
    code, _, err = call(f"backtest sales.csv {RUN} {STATIC} --out run")
    assert (code, err) == (0, "")
    spec = json.loads(Path("run/spec.json").read_text())
    assert spec["data"]["static"] == ["size", "region"]
    assert spec["models"]["ridge"]["params"]["static"] == ["size", "region"]
    table = pd.read_csv("sales.csv", index_col=0, parse_dates=True)
    panel = fc.as_panel(table, static=pd.read_csv("shops.csv", index_col=0, dtype={"shop": str}))
    ridge = fc.make_model("ridge", static=("size", "region"))
    expected = fc.backtest({"naive": fc.Naive(), "ridge": ridge}, panel, fc.WalkForward(2, 4), refit=4).forecasts
    found = fc.BacktestResult.load("run").forecasts
    np.testing.assert_allclose(
        found["y_hat"], expected["y_hat"], rtol=1e-12
    )  # tables in memory may be ordered by column
    Path("elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, _, err = call("backtest --spec ../run --out again")
    assert (code, err) == (0, "")
    assert Path("again/forecasts.parquet").read_bytes() == Path("../run/forecasts.parquet").read_bytes()


@pytest.mark.medium
def test_a_fitted_model_knows_the_file_and_reads_another_one(call):
    code, _, err = call(f"fit sales.csv --model ridge --horizon 2 {STATIC} --out model")
    assert (code, err) == (0, "")
    forecasts = {}
    for options in ("", STATIC, "--static others.csv"):
        code, out, err = call(f"predict model sales.csv {options} --json")
        assert (code, err) == (0, "")
        forecasts[options] = [row["y_hat"] for row in json.loads(out)["forecast"]]
    assert forecasts[""] == forecasts[STATIC] != forecasts["--static others.csv"]
    Path("shops.csv").unlink()
    code, _, err = call("predict model sales.csv")
    assert code == 2
    assert "--static shops.csv is no file in" in err


@pytest.mark.medium
def test_audit_and_samples_take_it(call):
    pd.DataFrame({"size": range(4)}, index=["AAPL", "IBM", "MSFT", "GOOG"]).to_csv("stocks.csv")
    assert call("audit stocks --models ridge --static stocks.csv --windows 3 --start 2012-06 --json")[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "--static two.csv",
            "--static has no row for the series 'C d'; its rows are for A, 01: its first column must have ",
        ),
        ("--static none.csv", "--static has no columns: give at least one number or category of each series"),
        ("--static missing.csv", "--static missing.csv is no file in "),
        (
            "--static empty.csv",
            "--static empty.csv cannot be read (No columns to parse from file): give a CSV file with ",
        ),
        (
            f"{STATIC} --models drift",
            "--static: no model of naive, drift reads static inputs; models that do are ridge, ",
        ),
        ("""--set "ridge.static=('size',)" """, "and these prices have none: name their file with --static"),
        ("""--static sizes.csv --set "ridge.static=('region',)" """, "the prices have no static input 'region'"),
    ],
)
def test_messages_name_the_option(options, message, call):
    code, out, err = call(f"backtest sales.csv {RUN} {options}")
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert "static=" not in err.replace("ridge.static=", "")
