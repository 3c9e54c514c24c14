"""fit, save and predict in a new process: the fitted quantity, or a refusal."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from helpers.command_line import command_line

from forecast import cli
from forecast.cli.price_commands import Prices

RUN = """
import contextlib, io, json, sys
from forecast import cli
from forecast.cli.price_commands import Prices
results = []
for line in json.load(sys.stdin):
    sys.argv, out, err = ["forecast", *line], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
    results.append([code, out.getvalue(), err.getvalue()])
json.dump(results, sys.stdout)
"""


def run_all(lines, folder):
    """Run command lines one after the other in one new process; return their exit codes, outputs and messages."""
    command = [sys.executable, "-W", "ignore", "-c", RUN]
    arguments = json.dumps([shlex.split(line) for line in lines])
    env = os.environ | {"PYTHONPATH": str(Path(cli.__file__).parents[2])}
    process = subprocess.run(command, input=arguments, capture_output=True, text=True, check=True, cwd=folder, env=env)
    return json.loads(process.stdout)


# --- the prices -------------------------------------------------------------------------------------------------------


def bars(index, seed=0, adjusted=True):
    """Return one instrument's bars; the adjusted closes are half of the closes."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, len(index))))
    first = close * np.exp(rng.normal(0, 0.002, len(index)))
    table = {"Open": first, "High": np.maximum(first, close) + 0.5, "Low": np.minimum(first, close) - 0.5}
    table |= {"Close": close} | ({"Adj Close": close / 2} if adjusted else {})
    return pd.DataFrame(table | {"Volume": rng.integers(10_000, 99_999, len(index)) * 1.0}, index).round(3)


def price(table):
    return table["Adj Close" if "Adj Close" in table else "Close"]


def garman_klass(table):
    inside = np.log(table["High"] / table["Low"]) ** 2 / 2
    return inside - (2 * np.log(2) - 1) * np.log(table["Close"] / table["Open"]) ** 2


QUANTITIES = {
    "price": price,
    "return": lambda table: np.log(price(table)).diff(),
    "parkinson": lambda table: np.log(table["High"] / table["Low"]) ** 2 / (4 * np.log(2)),
    "garman_klass": garman_klass,
    "volume": lambda table: table["Volume"],
    **{field: (lambda table, field=field: table[field]) for field in ("Open", "High", "Low", "Close", "Adj Close")},
}

DAYS = pd.bdate_range("2020-01-01", periods=80)
NEWER_DAYS = pd.bdate_range("2020-01-01", periods=90)
EARLY = DAYS[DAYS.day <= 12]  # 01/02 may be in January or in February


def write_bars(path, table):
    table.to_csv(path, index_label="Date")


def write_tickers(path, tables):
    wide = pd.concat(tables, axis=1, names=["Ticker", "Price"]).swaplevel(axis=1)
    wide.to_parquet(path) if path.suffix == ".parquet" else wide.to_csv(path, index_label="Date")


def write_european(path, table):
    table.map(lambda value: f"{value:.3f}".replace(".", ",")).to_csv(
        path, sep=";", index_label="Date", date_format="%d/%m/%Y"
    )


def stock_and_coin(index):
    """Return closes of a stock, on business days, and of a coin, on all days."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame(100 + np.cumsum(rng.normal(size=(len(index), 2)), axis=0), index, ["STOCK", "COIN"])
    table.loc[index.day_of_week >= 5, "STOCK"] = np.nan
    return table


def write_folder(folder, days, every_day):
    """Write the files of all layouts; those of a later day have the same names."""
    folder.mkdir()
    hours = pd.DatetimeIndex([day + pd.Timedelta(hours=hour) for day in days for hour in range(10, 17)])
    tables = {"A": bars(days, 1), "B": bars(days, 2)}
    write_bars(folder / "bars.csv", bars(days))
    write_bars(folder / "closes.csv", bars(days, adjusted=False))
    write_bars(folder / "hours.csv", bars(hours, adjusted=False))
    write_bars(folder / "months.csv", bars(pd.date_range("2000-01-01", periods=len(days), freq="MS")))
    write_european(folder / "european.csv", bars(days[days.day <= 12]))
    write_tickers(folder / "tickers.csv", tables)
    write_tickers(folder / "tickers.parquet", tables)
    wide = stock_and_coin(every_day)
    wide.to_csv(folder / "wide.csv", index_label="Date")
    wide.reset_index(drop=True).dropna().reset_index(drop=True).to_csv(folder / "numbered.csv", index_label="row")
    long = wide.stack().rename("y").rename_axis(["ds", "unique_id"]).reset_index()
    long[["unique_id", "ds", "y"]].to_csv(folder / "long.csv", index=False)


# --- the cases --------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A fit, a forecast and what is right: the last values of the quantity by series, or a pattern of the refusal."""

    file: str
    options: str
    expected: Callable[[pd.DatetimeIndex, pd.DatetimeIndex], dict[str, float]] | str
    predict_file: str = ""  # that of the fit
    predict_options: str = ""

    @property
    def name(self):
        return f"{self.file} {self.options} > {self.predict_file or 'the same'} {self.predict_options}"


def last(table):
    """Return the last value of each column."""
    return {name: column.dropna().iloc[-1] for name, column in table.items()}


def make_cases():
    for target, compute in QUANTITIES.items():
        option = "" if target == "price" else f"--target '{target}'"
        yield Case("bars.csv", option, lambda days, _, f=compute: {"bars": f(bars(days)).iloc[-1]})
        if target != "Adj Close":
            yield Case(
                "closes.csv", option, lambda days, _, f=compute: {"closes": f(bars(days, adjusted=False)).iloc[-1]}
            )
        for file in ("tickers.csv", "tickers.parquet"):
            yield Case(
                file,
                option,
                lambda days, _, f=compute: {"A": f(bars(days, 1)).iloc[-1], "B": f(bars(days, 2)).iloc[-1]},
            )
        yield Case(
            "european.csv",
            f"{option} --day-first --decimal ,",
            lambda days, _, f=compute: {"european": f(bars(days[days.day <= 12])).iloc[-1]},
        )
    for file in ("wide.csv", "long.csv", "numbered.csv"):
        complete = file == "numbered.csv"
        yield Case(
            file, "", lambda _, days, c=complete: last(stock_and_coin(days).dropna() if c else stock_and_coin(days))
        )
        yield Case(file, "--rows common", lambda _, days: last(stock_and_coin(days).dropna()))
        yield Case(file, "--rows common", "--rows is all and at the fit it was common", predict_options="--rows all")
        yield Case(file, "", "--rows is common and at the fit it was all", predict_options="--rows common")
    for names in (["COIN"], ["COIN", "STOCK"]):
        yield Case("wide.csv", f"--columns {','.join(names)}", lambda _, days, n=names: last(stock_and_coin(days)[n]))
    for names in (["Low"], ["Volume", "High"]):
        yield Case("bars.csv", f"--columns {','.join(names)}", lambda days, _, n=names: last(bars(days)[n]))
    for target in ("COIN", "STOCK"):
        yield Case("wide.csv", f"--target {target}", lambda _, days, t=target: last(stock_and_coin(days)[[t]]))
    yield Case("bars.csv", "--columns Volume", "there is no column 'Volume'", "wide.csv")
    yield Case("wide.csv", "--columns COIN", "at the fit it was COIN: leave it out", predict_options="--columns STOCK")
    yield Case("bars.csv", "--target Close", "at the fit it was Close: leave it out", predict_options="--target Open")
    yield Case("bars.csv", "", "at the fit it was price: leave it out", predict_options="--target volume")
    yield Case("bars.csv", "--exchange XNYS", "at the fit it was XNYS", predict_options="--exchange XLON")
    yield Case("hours.csv", "", "was fitted on hourly rows and these are daily", "daily/hours.csv")
    yield Case("bars.csv", "", "was fitted on daily rows and these are monthly", "monthly/bars.csv")
    yield Case("months.csv", "", "was fitted on monthly rows and these are daily", "daily/months.csv")
    yield Case("bars.csv", "", "was fitted on Adj Close and these prices are Close", "closes/bars.csv")
    yield Case("bars.csv", "--target volume", "no field 'Volume'", "wide.csv")
    yield Case("bars.csv", "--target Close", "no field 'Close'", "wide.csv")
    yield Case("bars.csv", "--target parkinson", "have no High, Low", "wide.csv")
    closes = lambda days, _: {"closes": bars(days)["Close"].iloc[-1]}  # noqa: E731
    yield Case("closes.csv", "", closes, "adjusted/closes.csv")
    yield Case("closes.csv", "", closes, predict_options="--target Close")


CASES = list(make_cases())


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the outcome of each case: fitted in one process on older prices, forecast in another from newer ones."""
    folder = tmp_path_factory.mktemp("fit_predict")
    every_day, newer = pd.date_range(DAYS[0], DAYS[-1]), pd.date_range(DAYS[0], NEWER_DAYS[-1])
    write_folder(folder / "old", DAYS, every_day)
    write_folder(folder / "new", NEWER_DAYS, newer)
    for name in ("daily", "monthly", "closes", "adjusted"):
        (folder / "new" / name).mkdir()
    write_bars(folder / "new/daily/hours.csv", bars(NEWER_DAYS + pd.Timedelta(days=900), adjusted=False))
    write_bars(folder / "new/daily/months.csv", bars(NEWER_DAYS + pd.Timedelta(days=9000)))
    write_bars(folder / "new/monthly/bars.csv", bars(pd.date_range("2030-01-01", periods=60, freq="MS")))
    write_bars(folder / "new/closes/bars.csv", bars(NEWER_DAYS, adjusted=False))
    write_bars(folder / "new/adjusted/closes.csv", bars(NEWER_DAYS))
    fits = [f"fit old/{c.file} {c.options} --model naive --horizon 1 --out m{i}" for i, c in enumerate(CASES)]
    for fit, (code, _, err) in zip(fits, run_all(fits, folder), strict=True):
        assert (code, err) == (0, ""), fit
    forecasts = [f"predict m{i} new/{c.predict_file or c.file} {c.predict_options} --json" for i, c in enumerate(CASES)]
    return dict(zip(CASES, run_all(forecasts, folder), strict=True)), newer


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.medium
def test_forecast_is_of_the_fitted_quantity_or_refused(case, results):
    outcomes, every_day = results
    code, out, err = outcomes[case]
    if isinstance(case.expected, str):
        assert code == 2
        assert case.expected in err
        assert err.count("\n") == 1
        return
    assert (code, err) == (0, "")
    forecast = {row["unique_id"]: row["y_hat"] for row in json.loads(out)["forecast"]}
    assert forecast == pytest.approx(case.expected(NEWER_DAYS, every_day), rel=1e-9)


def test_there_are_enough_combinations():
    assert len({(case.file, case.options) for case in CASES}) >= 40


FITTED = {"data": "yahoo:AAPL", "interval": "1h", "adjust": "none", "rows": "common", "start": "2020-01-01"}


@pytest.mark.parametrize(
    ("prices", "given", "expected"),
    [
        ({"data": "yahoo:AAPL"}, [], {"interval": "1h", "adjust": "none", "rows": "common", "start": None}),
        ({"data": "yahoo:AAPL", "start": "2024-01-01"}, ["start"], {"start": "2024-01-01", "interval": "1h"}),
        ({"data": "yahoo:AAPL", "interval": "1h"}, ["interval"], {"interval": "1h"}),
        ({"data": "yahoo:AAPL", "offline": True}, ["offline"], {"interval": "1h", "offline": True}),
        ({"data": "stocks"}, [], {"interval": "1d", "adjust": "auto", "rows": "common"}),
        ({"data": "yahoo:AAPL", "interval": "1d"}, ["interval"], "--interval is 1d and at the fit it was 1h"),
        ({"data": "yahoo:AAPL", "adjust": "auto"}, ["adjust"], "--adjust is auto and at the fit it was none"),
        ({"data": "yahoo:AAPL", "rows": "all"}, ["rows"], "--rows is all and at the fit it was common"),
        ({"data": "a.csv", "columns": "A"}, ["columns"], "--columns is A and at the fit it was not given"),
        ({"data": "a.csv", "day_first": True}, ["day_first"], {"day_first": True}),
    ],
)
def test_options_of_the_fit_are_the_defaults(prices, given, expected):
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            Prices(**prices).read_as(FITTED, given)
        return
    read = asdict(Prices(**prices).read_as(FITTED, given))
    assert {name: read[name] for name in expected} == expected


# --- what a reader of a forecast must know ----------------------------------------------------------------------------


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run a command line in a folder of the test; return its exit code, output and message."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORECAST_DEBUG", raising=False)
    return command_line(monkeypatch, capsys)


def write_walks(path, names="AAA BBB CCC", seed=0, **columns):
    """Write a wide table of random walks, with further columns, and return it."""
    names = names.split()
    steps = np.random.default_rng(seed).normal(size=(len(DAYS), len(names)))
    table = pd.DataFrame(100 + steps.cumsum(axis=0), DAYS, names).round(3).assign(**columns)
    table.to_csv(path, index_label="Date")
    return table


@pytest.mark.parametrize("model", ["naive", "drift"])
def test_a_series_that_has_ended_is_named_and_not_forecast(model, call):
    table = write_walks("wide.csv")
    assert json.loads(call(f"fit wide.csv --model {model} --out m --json")[1])["ended"] == {}
    table.loc[DAYS[30] :, "CCC"] = np.nan
    table.to_csv("dead.csv", index_label="Date")
    data = json.loads(call("predict m dead.csv --out table.csv --json")[1])
    assert data["ended"] == {"CCC": f"{DAYS[29]:%Y-%m-%d}"}
    assert {row["unique_id"] for row in data["forecast"]} == {"AAA", "BBB"}
    assert set(pd.read_csv("table.csv")["unique_id"]) == {"AAA", "BBB"}
    for line in ("predict m dead.csv", f"fit dead.csv --model {model} --out m2"):
        code, out, err = call(line)
        assert (code, err) == (0, "")
        assert f"no value in the last row, {DAYS[-1]:%Y-%m-%d}: CCC (last: {DAYS[29]:%Y-%m-%d})" in out


def test_rows_that_end_without_any_value_are_refused(call):
    table = write_walks("wide.csv")
    call("fit wide.csv --model naive --out m")
    table.loc[DAYS[-2] :] = np.nan
    table.to_csv("empty_end.csv", index_label="Date")
    code, out, err = call("predict m empty_end.csv")
    assert (code, out) == (2, "")
    assert f"leave out the rows after {DAYS[-3]:%Y-%m-%d}" in err


@pytest.mark.parametrize(("values", "reason"), [(150.0, "is 150 in every row"), (np.arange(80), "counts rows")])
@pytest.mark.medium
def test_columns_that_are_left_out_are_named_by_fit_and_predict(values, reason, call):
    write_walks("wide.csv")
    write_walks("odd.csv", "AAA BBB", CCC=values)
    call("fit wide.csv --model drift --out m")
    for line in ("predict m odd.csv", "fit odd.csv --model drift --out m2"):
        assert f"'CCC' {reason}" in " ".join(json.loads(call(f"{line} --json")[1])["notes"])
        code, out, err = call(line + (" --force" if "fit" in line else ""))
        assert (code, err) == (0, "")
        assert f"'CCC' {reason}" in out
    assert "series of the fit that are not among these prices: CCC" in call("predict m odd.csv")[1]


def test_the_fitted_quantity_is_not_given_to_prices_that_do_not_name_theirs(call):
    write_bars("ohlc.csv", bars(DAYS, adjusted=False))
    write_walks("power.csv", "ohlc")
    call("fit ohlc.csv --model naive --out m")
    assert "Forecast of Close from" in call("predict m ohlc.csv")[1]
    code, out, err = call("predict m power.csv")
    assert (code, err) == (0, "")
    assert "Forecast from" in out
    assert "fitted on Close, and these prices do not name what they are" in out
    assert json.loads(call("predict m power.csv --json")[1])["target"] is None


@pytest.mark.medium
def test_columns_of_another_instrument_are_refused_as_its_close_is(call):
    write_bars("a.csv", bars(DAYS))
    write_bars("b.csv", bars(DAYS, 1))
    for options in ("", "--columns Open", "--columns Open,Low"):
        call(f"fit a.csv {options} --model drift --out m --force")
        assert call("predict m a.csv")[0] == 0
        code, out, err = call("predict m b.csv")
        assert (code, out) == (2, "")
        assert "was fitted on" in err


@pytest.mark.parametrize(
    ("options", "first", "last"),
    [
        ("--end 2020", "2020-01-01 00:00", "2020-12-31 23:00"),
        ("--end 2020-06", "2020-01-01 00:00", "2020-06-30 23:00"),
        ("--end 2020-01-05", "2020-01-01 00:00", "2020-01-05 23:00"),
        ("--end '2020-01-05 10:00'", "2020-01-01 00:00", "2020-01-05 10:00"),
        ("--start 2020-06 --end 2020-06-02", "2020-06-01 00:00", "2020-06-02 23:00"),
    ],
)
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_a_year_month_or_day_ends_with_its_last_row(options, first, last, zone, tmp_path):
    hours = pd.date_range("2020-01-01", "2021-02-01", freq="h", tz=zone)
    given = dict(zip(*[iter(shlex.split(options))] * 2, strict=True))
    prices = Prices("a.csv", start=given.get("--start"), end=given.get("--end"))
    rows = prices._slice(pd.DataFrame({"A": 1.0}, hours)).index.tz_localize(None)
    assert (rows[0], rows[-1]) == (pd.Timestamp(first), pd.Timestamp(last))


@pytest.mark.parametrize("option", ["--start", "--end"])
@pytest.mark.parametrize("text", ["NaT", "now", "today", "2020-01-05T00:00Z", "2020-13", "2020-01-05 10:00+02:00"])
def test_what_is_no_date_is_refused_by_the_option(option, text, call):
    write_walks("wide.csv")
    code, out, err = call(f"fit wide.csv {option} '{text}' --model naive --out m")
    assert (code, out) == (2, "")
    assert err.startswith(f"forecast: {option} ")


def test_a_start_after_the_end_is_refused(call):
    write_walks("wide.csv")
    for prices in ("wide.csv", "yahoo:AAPL --offline"):
        assert "--start 2021 is after --end 2020: swap them" in call(f"fit {prices} --start 2021 --end 2020 --out m")[2]


def test_a_message_of_the_cache_names_the_option(call):
    assert "download it without --offline first" in call("fit yahoo:NOTCACHED --offline --model naive --out m")[2]


def test_a_range_of_prices_without_fields_is_refused_in_plain_words(call):
    write_walks("wide.csv")
    assert "no High, Low; they have one value of each series" in call("fit wide.csv --target parkinson --out m")[2]
