"""--future-columns: columns of a file that are known before their row, in every command that fits or forecasts."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.command_line import command_line, write_short_reports

KNOWN = """--future-columns 'Load,"Wind, onshore"'"""
RUN = "--models ridge --horizon 3 --windows 6 --refit 3"


def power(rows=160, later=5):
    """Return a price that depends on a load and the wind of its day, which are known of 5 days after the last price."""
    rng = np.random.default_rng(0)
    load, wind = rng.normal(0, 1, (2, rows))
    price = 50 + 2 * load - 1.5 * wind + rng.normal(0, 0.3, rows)
    index = pd.date_range("2024-01-01", periods=rows, freq="D").rename("Date")
    table = pd.DataFrame({"Price": price, "Load": load, "Wind, onshore": wind}, index).round(4)
    table.iloc[rows - later :, 0] = np.nan
    return table


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command line in a folder with files and returns its code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    write_short_reports(monkeypatch)
    table = power()
    table.to_csv("power.csv")
    table.to_parquet("power.parquet")
    table.iloc[:-3].to_csv("short.csv")
    table.iloc[:-5].to_csv("past.csv")
    table.assign(Second=table["Price"] + 1).to_csv("two.csv")
    bars = table.rename(columns={"Price": "Close"})
    bars.assign(Open=bars["Close"], High=bars["Close"] + 1, Low=bars["Close"] - 1).to_csv("bars.csv")
    parts = [table.assign(ticker=name, Close=table["Price"] * scale) for name, scale in (("A", 1), ("B", 2))]
    pd.concat(parts)[["ticker", "Close", "Load"]].to_csv("long.csv")
    return command_line(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("options", "first"),
    [
        (f"power.csv {KNOWN}", "Forecast: Price."),
        (f"power.parquet {KNOWN}", "Forecast: Price."),
        (f"power.csv {KNOWN} --target return", "Forecast: return of Price."),
        ("power.csv --future-columns Load --target Price", "Forecast: Price."),
        (f"two.csv {KNOWN} --columns Price,Second", "Forecast: Price and Second."),
        (f"two.csv {KNOWN} --target Second", "Forecast: Second."),
        ("bars.csv --future-columns Load", "Forecast: Close of bars."),
        ("bars.csv --future-columns Load --target parkinson", "Forecast: parkinson of bars."),
        ("bars.csv --future-columns Load --columns Open,Close", "Forecast: Open and Close."),
        ("long.csv --future-columns Load", "Forecast: Close of A and B."),
    ],
)
def test_the_other_columns_are_forecast(options, first, call):
    code, out, err = call(f"backtest {options} {RUN} --out run")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == first
    spec = json.loads(Path("run/spec.json").read_text())
    assert "Load" in spec["data"]["future"]
    assert spec["models"]["ridge"]["params"]["future"][0] == "Load"


def test_known_inputs_are_used_and_the_other_models_run_as_they_do(call):
    scores = []
    for options in ("past.csv --target Price", f"power.csv {KNOWN}"):
        code, out, _ = call(f"backtest {options} {RUN} --json")
        assert code == 0
        scores.append({row["model"]: row["rmse"] for row in json.loads(out)["leaderboard"]})
    without, known = scores
    assert known["ridge"] < 0.3 * without["ridge"]
    assert known["naive"] == without["naive"]


@pytest.mark.medium
def test_a_spec_and_a_resumed_run_repeat_it(call):
    assert call(f"backtest power.csv {KNOWN} {RUN} --out run")[0] == 0
    expected = pd.read_parquet("run/forecasts.parquet")
    code, _, err = call("backtest --spec run --out again")
    assert (code, err) == (0, "")
    pd.testing.assert_frame_equal(pd.read_parquet("again/forecasts.parquet"), expected)
    assert call("backtest --out run --resume")[0] == 0
    assert call(f"backtest power.csv {KNOWN} {RUN} --out run --resume")[0] == 0
    code, _, err = call(f"backtest power.csv --future-columns Load --target Price {RUN} --out run --resume")
    assert code == 2
    assert "models.ridge" in err


def test_predict_reads_the_rows_after_the_last_price(call):
    code, out, _ = call(f"fit power.csv {KNOWN} --model ridge --horizon 3 --out model")
    assert code == 0
    assert "Inputs of the rows that are forecast: Load, Wind, onshore." in out
    code, out, _ = call("predict model power.csv --json")
    data = json.loads(out)
    assert (code, data["dates"]) == (0, "the rows after the last value")
    assert [row["ds"][:10] for row in data["forecast"]] == ["2024-06-04", "2024-06-05", "2024-06-06"]
    table = power()
    table.iloc[-3, 1] += 1.0  # the load of the third day
    table.to_csv("power.csv")
    code, out, _ = call(f"predict model power.csv {KNOWN} --json")
    changes = [b["y_hat"] - a["y_hat"] for a, b in zip(data["forecast"], json.loads(out)["forecast"], strict=True)]
    assert changes == pytest.approx([0, 0, 2], abs=0.2)


def test_the_dates_of_the_file_follow_whatever_the_calendar(call):
    table = power()
    index = table.index.to_numpy().copy()
    index[-5:] += np.timedelta64(10, "D")  # a gap that no calendar knows
    table.set_axis(pd.DatetimeIndex(index, name="Date"), axis=0).to_csv("gap.csv")
    call("fit gap.csv --future-columns Load --target Price --model ridge --horizon 3 --out model")
    _, out, _ = call("predict model gap.csv --json")
    assert json.loads(out)["forecast"][0]["ds"][:10] == "2024-06-14"


def test_end_leaves_what_is_known_of_later_rows(call):
    call(f"fit power.csv {KNOWN} --model ridge --horizon 3 --out model --end 2024-05-01")
    code, out, err = call("predict model power.csv --end 2024-05-01 --json")
    assert (code, err) == (0, "")
    forecast = [row["y_hat"] for row in json.loads(out)["forecast"]]
    assert forecast == pytest.approx(power().loc["2024-05-02":"2024-05-04", "Price"].tolist(), abs=1.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "power.csv --future-columns Load --models drift",
            "no model of naive, drift reads inputs of later rows; models that do are arima, auto-arima, ridge, "
            "boosting, rnn, lstm, gru and their variants",
        ),
        ("power.csv --future-columns Lod --models ridge", "there is no column 'Lod' to read as an input (did you mean"),
        ("power.csv --future-columns Load,, --models ridge", "write --future-columns A,B"),
        ("power.csv --future-columns Load --models ridge", "choose one to forecast with --target Price"),
        ("power.csv --future-columns Load --target Load --models ridge", "'Load' is what is to be forecast"),
        (f"power.csv {KNOWN[:-1]},Price' --models ridge", "every column is an input"),
        ("two.csv --future-columns Load --columns Price,Load --models ridge", "'Load' is what is to be forecast"),
        (
            "power.csv --future-columns Load --target Price --models lstm-recursive",
            "--set lstm-recursive.strategy=direct",
        ),
    ],
)
def test_bad_columns_are_one_sentence(options, message, call):
    code, out, err = call(f"backtest {options} --horizon 3 --windows 6")
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_missing_rows_are_one_sentence(call):
    call(f"fit short.csv {KNOWN} --model ridge --horizon 3 --out model")
    code, out, err = call("predict model short.csv")
    assert (code, out) == (2, "")
    assert "--future-columns" in err
    assert "in the 3 rows after 2024-06-03, of which 2 are there: add rows after the last value" in err
    code, _, err = call("predict model power.csv --future-columns Load")
    assert code == 2
    assert "--future-columns is Load and at the fit it was Load,Wind, onshore: leave it out" in err


def test_a_gap_names_the_input_and_the_date(call):
    table = power()
    table.iloc[150, 1] = np.nan
    table.to_csv("power.csv")
    code, _, err = call(f"backtest power.csv {KNOWN} {RUN}")
    assert code == 2
    assert "lacks Load at 2024-05-30" in err
    assert "future=" not in err
    assert "that contain them, or fill the empty cells; while fitting ridge" in err


@pytest.mark.medium
def test_an_audit_leaves_known_columns_and_names_the_target(call):
    code, out, err = call(f"audit power.csv {KNOWN} --models ridge,drift --horizon 3")
    assert (code, err) == (0, "")
    assert out.count("The audit is passed.") == 2
    assert out.count("passed  later inputs") == 1  # drift reads none
    table = power()
    table.assign(Load=table["Price"].shift(-1).ffill()).to_csv("power.csv")
    code, out, _ = call(f"audit power.csv {KNOWN} --models ridge --horizon 3")
    assert code == 1
    assert "FAILED  inputs like the target: Load at a row is the target of Price 1 row later" in out


def test_common_rows_have_what_is_known_of_later_ones(call):
    two = pd.read_csv("two.csv", index_col=0)
    two.loc[two.index[::7], "Second"] = np.nan
    two.to_csv("two.csv")
    fitted = call(f"fit two.csv {KNOWN} --columns Price,Second --rows common --model ridge --horizon 3 --out model")
    assert fitted[0] == 0
    code, out, _ = call("predict model two.csv --json")
    assert code == 0
    assert {row["ds"][:10] for row in json.loads(out)["forecast"]} == {"2024-06-04", "2024-06-05", "2024-06-06"}
