"""The command line: results, help, and errors of one line with exit code 2 that leave no files."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.command_line import command_line, write_short_reports
from helpers.quick import walks

import forecast as fc
from forecast import cli
from forecast.data.csv.reader import EXACT
from forecast.evaluation import leaderboard, scores

ROOT = Path(cli.__file__).parents[1]
COMMAND = [sys.executable, "-m", "forecast"]
ENV = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
TINY = "--set lstm.lookback=10 --set lstm.hidden=3 --set lstm.trainer.steps=3"
RUN = ["fits.parquet", "forecasts.parquet", "next.parquet", "report.html", "spec.json"]


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Return the content of all files in a folder by relative path, hidden ones included; None for folders."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    """Return the working folder of the test, with valid and invalid price files."""
    frame = walks(rows=60, series=2)
    negative = frame.copy()
    negative.iloc[30, 0] = -5
    for name, table in (("good", frame), ("negative", negative)):
        table.to_csv(tmp_path / f"{name}.csv", index_label="date")
    for name, text in {
        "empty.csv": "",
        "header.csv": "date,A,B\n",
        "narrow.csv": "date\n2020-01-01\n2020-01-02\n",
        "twice.csv": "date,A\n2020-01-01,1\n2020-01-02,2\n2020-01-02,3\n",
        "text.csv": "date,A\n2020-01-01,1\n2020-01-02,1x234\n2020-01-03,3\n",
        "a-file": "not a folder",
        "notes/thesis.txt": "keep me",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def call(monkeypatch, capsys):
    """Return a function that runs a command line in this process and returns its exit code, stdout and stderr."""
    return command_line(monkeypatch, capsys)


@pytest.fixture
def short_report(monkeypatch):
    """Reports of two words."""
    write_short_reports(monkeypatch)


DRIFT = "--models drift --horizon 2 --windows 3"
LSTM = f"--models lstm --horizon 2 --windows 3 {TINY}"
ERRORS = {  # a command line, and a pattern of its message
    "audit of too few cutoffs": ("audit good.csv --models drift --windows 2", r"at least 3 cutoffs.*--windows 2"),
    "audit of unknown model": ("audit good.csv --models driftt", r"no model 'driftt'.*did you mean 'drift'"),
    "missing file": ("backtest nowhere.csv", r"nowhere\.csv does not exist in .*: check the path"),
    "empty file": ("backtest empty.csv", r"empty\.csv is empty.*needed: save or download it again"),
    "header only": ("backtest header.csv", r"header\.csv: .*no row.*needed"),
    "one column": ("backtest narrow.csv", r"narrow\.csv: .*only one column, 'date'.*needed: add"),
    "duplicate dates": ("backtest twice.csv", r"twice\.csv: 2020-01-02 appears more than once.*different values"),
    "text among prices": (
        "backtest text.csv",
        r"text\.csv: .*'A' contains '1x234' at 2020-01-02.*leave the cell empty",
    ),
    "a folder": ("backtest notes", r"notes is a folder; .* needed: give the path of one file"),
    "empty name": ("backtest ''", "no prices are named"),
    "no argument": ("backtest", "no prices are named"),
    "unknown sample": ("backtest stoks", r"no sample 'stoks' \(did you mean 'stocks'\?\): name a CSV"),
    "unknown field": (f"backtest good.csv {DRIFT} --target Open", r"no field 'Open'"),
    "negative, lstm in logs": (
        f"backtest negative.csv {LSTM} --set lstm.log=true",
        r"S0 is -5 at 2015-02-12: .* in logs needs values above 0\. Use --set lstm\.log=False",
    ),
    "negative, arima in logs": (
        "backtest negative.csv --models arima --horizon 2 --windows 3 --set arima.log=true",
        r"S0 is -5 at 2015-02-12: .* in logs needs values above 0\. Use --set arima\.log=False",
    ),
    "too short for lookback and horizon": (
        "backtest good.csv --models lstm --set lstm.lookback=60 --horizon 5 --windows 3",
        r"lstm needs 65 observed training rows .*, the shortest training range has 45: use prices of 80 rows",
    ),
    "horizon 0": ("backtest good.csv --horizon 0", "--horizon must be at least 1; got 0"),
    "windows 0": ("backtest good.csv --windows 0", "--windows must be at least 1; got 0"),
    "step size 0": ("backtest good.csv --step-size 0", "--step-size must be at least 1; got 0"),
    "train size 0": ("backtest good.csv --train-size 0", "--train-size must be at least 1; got 0"),
    "embargo below 0": ("backtest good.csv --embargo -1", "--embargo must be at least 0; got -1"),
    "refit 0": (f"backtest good.csv {DRIFT} --refit 0", "--refit must be at least 1; got 0"),
    "season 0": (f"backtest good.csv {DRIFT} --season 0", "--season must be at least 1; got 0"),
    "season of more rows than the training has": (
        f"backtest good.csv {DRIFT} --season 54",
        "a season of 54 rows needs 55 observed training rows.* use --windows 2",
    ),
    "train size below what models need": (
        "backtest good.csv --models arima --horizon 2 --windows 3 --train-size 5",
        r"arima needs 11 observed .* the shortest training range has 5: use --train-size 11 or prices",
    ),
    "reference": (f"backtest good.csv {DRIFT} --reference zer", r"--reference zer: .*did you mean 'zero'\?"),
    "against": (f"backtest good.csv {DRIFT} --against drfit", r"--against drfit: .*did you mean 'drift'\?"),
    "against no season": (f"backtest good.csv {DRIFT} --against seasonal-naive", "no season is declared or found"),
    "no jobs": (f"backtest good.csv {DRIFT} --jobs 0", r"jobs must .*; got 0"),
    "more windows than fit": (
        "backtest good.csv --models drift --horizon 5 --windows 100",
        r"of these 60 rows, with --horizon 5 and --windows 100, .*: use --windows \d+",
    ),
    "unknown value of on-error": (f"backtest good.csv {DRIFT} --on-error ignore", r"'raise', 'record'; got 'ignore'"),
    "unknown model": ("backtest good.csv --models drift,lstmm", r"no model 'lstmm' \(did you mean 'lstm'\?\).*models"),
    "no model": ("backtest good.csv --models ,", "--models names no model: choose from"),
    "unknown parameter": (
        "backtest good.csv --models lstm --set lstm.hiden=3",
        r"lstm has no parameter 'hiden' \(did you mean 'hidden'\?\); it has base, .*trainer",
    ),
    "unknown inner parameter": (
        "backtest good.csv --models lstm --set lstm.trainer.step=3",
        r"lstm\.trainer has no parameter 'step' \(did you mean 'steps'\?\)",
    ),
    "parameter of a tuple": ("backtest good.csv --models arima --set arima.order.p=1", r"set arima\.order itself"),
    "set without a value": (
        "backtest good.csv --models lstm --set lstm.hidden",
        r"lstm\.hidden cannot .*write MODEL\.",
    ),
    "set without a model": ("backtest good.csv --set hidden=3", r"hidden=3 cannot be read: write MODEL\.PARAM=VALUE"),
    "set without a parameter": ("backtest good.csv --set lstm.=3", r"lstm\.=3 cannot be read: write MODEL"),
    "set of a model that is not requested": (
        "backtest good.csv --models drift,lstm --set lstn.hidden=3",
        r"'lstn' is not among --models \(did you mean 'lstm'\?\)",
    ),
    "hidden=abc": (
        "backtest good.csv --models lstm --set lstm.hidden=abc",
        r"--set lstm\.hidden must .*'abc'",
    ),
    "lookback=1.5": (
        "backtest good.csv --models lstm --set lstm.lookback=1.5",
        r"lookback must be a whole .* got 1\.5",
    ),
    "order=3": ("backtest good.csv --models arima --set arima.order=3", r"--set arima\.order must be three .*; got 3"),
    "lr=fast": (
        "backtest good.csv --models lstm --set lstm.trainer.lr=fast",
        r"lstm\.trainer\.lr must be .*'fast'",
    ),
    "trainer=3": (
        "backtest good.csv --models lstm --set lstm.trainer=3",
        "lstm.trainer must be a Trainer .* got 3",
    ),
    "levels=3": ("backtest good.csv --models drift --set drift.levels=3", r"--set drift.levels must be .* got 3"),
    "horizon abc": ("backtest good.csv --horizon abc", "--horizon.*integer"),
    "invalid combination": (
        "backtest good.csv --models lstm --set lstm.bidirectional=true",
        r"--set lstm\.bidirectional=True with the aligned strategy would read .* Use --set lstm\.topology=many-to-one",
    ),
    "out below a file": (f"backtest good.csv {DRIFT} --out a-file/run", r"a-file/run: .*(a-file is|[Nn]ot a)"),
    "out in an unwritable folder": (
        f"backtest good.csv {DRIFT} --out /proc/run",
        r"cannot write to /proc/run.*another folder",
    ),
    "out is a file": (f"backtest good.csv {DRIFT} --out a-file", "a-file is a file: name a folder"),
    "out holds something else": (
        f"backtest good.csv {DRIFT} --out notes",
        r"notes holds 'thesis\.txt', .*: name a folder",
    ),
    "unknown option": ("backtest good.csv --bogus 3", "--bogus"),
    "misspelled option": ("backtest good.csv --horizn 3", "--horizn.*--horizon"),
    "unknown command": ("bactest good.csv", "No such command 'bactest'"),
    "too many arguments": ("samples lstm", "lstm"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", ERRORS)
def test_error_is_one_line_and_leaves_no_files(case, workdir, call):
    line, expected = ERRORS[case]
    if line.startswith("backtest ") and "--out" not in line:
        line += " --out runs/deep/run"
    before = snapshot(workdir)
    code, out, err = call(line)
    assert code == 2
    assert ("fits are stored" in err) == bool(delete_fits(workdir))  # naive had finished before another model failed
    assert snapshot(workdir) == before
    assert out == ""
    assert "Traceback" not in err
    assert re.search(expected, err)
    assert re.fullmatch(r"forecast: .*\n", err)


@pytest.mark.slow
def test_exit_codes_of_the_real_command(workdir):
    before = snapshot(workdir)

    def real(line: str) -> subprocess.CompletedProcess:
        return subprocess.run([*COMMAND, *line.split()], capture_output=True, text=True, env=ENV)

    good = real("--version")
    assert good.returncode == 0
    assert re.fullmatch(r"forecast \d+\.\d+\S*\n", good.stdout)
    bad = real("backtest empty.csv --out run")
    assert bad.returncode == 2
    assert re.fullmatch(r"forecast: empty\.csv is empty .*\n", bad.stderr)
    assert bad.stdout == ""
    assert snapshot(workdir) == before


def delete_fits(workdir):
    """Delete the stored fits of an interrupted run and return their number."""
    folders = list(workdir.rglob(".*.checkpoint"))
    fits = [fit for folder in folders for fit in folder.glob("*.npz")]
    for folder in folders:
        shutil.rmtree(folder)
        if folder.parent != workdir:
            shutil.rmtree(workdir / folder.relative_to(workdir).parts[0])  # parents created for the run
    return len(fits)


@pytest.mark.slow
def test_sigint_stores_finished_fits(workdir):
    before = snapshot(workdir)
    line = f"backtest good.csv {LSTM} --set lstm.trainer.steps=1000000 --out run"
    process = subprocess.Popen(
        [*COMMAND, *line.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENV,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background process ignores SIGINT
    )
    try:
        for _ in range(600):
            if list(workdir.glob(".run.checkpoint/*.npz")):
                break
            time.sleep(0.05)
        time.sleep(0.5)  # it is training now, and would be for an hour
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode in (130, -signal.SIGINT)  # CPython may end by the signal: 130 in a shell
    assert delete_fits(workdir) > 0
    assert snapshot(workdir) == before
    assert out == ""
    assert "Traceback" not in err
    assert re.fullmatch(
        r"forecast: interrupted; \d+ of \d+ fits are stored: `forecast backtest --resume [^`]*` continues from there",
        err.splitlines()[-1],
    )


@pytest.mark.parametrize("out", ["", "--out run", "--out runs/new"])
def test_interrupt_exits_130_and_preserves_old_run(out, workdir, call, monkeypatch):
    fc.backtest(fc.Naive(), walks(rows=60), fc.WalkForward(2, 3)).save(workdir / "run")
    before = snapshot(workdir)

    def interrupt(self, panel, horizon):
        raise KeyboardInterrupt

    monkeypatch.setattr(fc.Drift, "_fit", interrupt)
    code, printed, err = call(f"backtest good.csv {DRIFT} {out} {'--restart' if out else ''}")
    assert code == 130
    fits = delete_fits(workdir)
    assert snapshot(workdir) == before
    assert printed == ""
    command = f"`forecast backtest --resume {out}` continues from there"
    note = f"{fits} of {2 * fits + 2} fits are stored: {command}" if out else "nothing was written"
    assert err.splitlines()[-1] == f"forecast: interrupted; {note}"


@pytest.mark.slow
@pytest.mark.usefixtures("short_report")
def test_resume_reports_changed_models(workdir, call, monkeypatch):
    line = f"backtest good.csv {DRIFT} --out run"
    with monkeypatch.context() as patch:
        patch.setattr(fc.Drift, "_fit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            call(line)
    code, _, err = call(f"{line} --resume --set drift.log=false")
    assert code == 0
    assert re.fullmatch(
        r"forecast: models\.drift changed since the run was stopped: \d+ of the \d+ stored fits are used\n", err
    )
    assert sorted(path.name for path in (workdir / "run").iterdir()) == [
        "fits.parquet", "forecasts.parquet", "next.parquet", "report.html", "spec.json"
    ]  # fmt: skip
    code, _, err = call(f"{line} --resume --set drift.log=false")
    assert (code, err) == (0, "")
    assert call(f"backtest good.csv {DRIFT} --resume")[2] == (
        "forecast: --resume needs the folder of the run: name it with --out\n"
    )


@pytest.mark.usefixtures("short_report")
@pytest.mark.medium
def test_resume_reads_the_prices_of_the_first_start(workdir, call, monkeypatch):
    (elsewhere := workdir / "elsewhere").mkdir()
    (elsewhere / "good.csv").write_bytes((workdir / "negative.csv").read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(fc.Drift, "_fit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            call(f"backtest good.csv {DRIFT} --out run")
    monkeypatch.chdir(elsewhere)
    code, _, err = call(f"backtest good.csv {DRIFT} --resume --out ../run")
    assert code == 2
    assert re.search(r"data changed since .*: none of the \d+ stored fits can be used.*; --restart deletes", err)
    code, _, err = call("backtest --resume --out ../run")
    assert (code, err) == (0, "")
    monkeypatch.chdir(workdir)
    assert call(f"backtest good.csv {DRIFT} --out fresh")[0] == 0
    assert Path("run/forecasts.parquet").read_bytes() == Path("fresh/forecasts.parquet").read_bytes()


@pytest.mark.parametrize("options", ["--backend dask", "--scheduler tcp://127.0.0.1:9", "--backend ray"])
def test_incomplete_cluster_options_are_errors(options, workdir, call):
    code, _, err = call(f"backtest good.csv {DRIFT} {options}")
    assert code == 2
    assert re.fullmatch(r"forecast: (a cluster needs both --backend dask|--backend must be) .*\n", err)


def test_failed_run_preserves_old_run(workdir, call):
    fc.backtest(fc.Naive(), walks(rows=60), fc.WalkForward(2, 3)).save(workdir / "run")
    before = snapshot(workdir)
    code, _, _ = call("backtest negative.csv --models arima --windows 3 --set arima.log=true --out run --restart")
    assert code == 2
    assert delete_fits(workdir) == 3
    assert snapshot(workdir) == before


@pytest.mark.slow
def test_run_is_written_and_printed(workdir, call):
    code, out, err = call(f"backtest good.csv --models naive,drift,lstm --horizon 2 --windows 4 {TINY} --out runs/new")
    assert code == 0
    assert sorted(path.name for path in (workdir / "runs/new").iterdir()) == RUN
    assert [path.name for path in (workdir / "runs").iterdir()] == ["new"]
    assert "Warning" not in err
    assert re.search(r"^ *naive +\+0\.00%", out, re.MULTILINE)
    assert re.search(r"^ *lstm +[+-]\d+\.\d\d%", out, re.MULTILINE)
    assert re.search(r"Where will it be: .*\. How far may it be off: .*\. A network\? ", " ".join(out.split()))
    assert "The run is in runs/new; open runs/new/report.html" in " ".join(out.split())
    result = fc.BacktestResult.load("runs/new")
    for verdict in result.verdicts():
        for line in (verdict.note, *verdict.details):
            assert " ".join(line.split()) in " ".join(out.split())
    assert result.spec["data"]["source"] == "good.csv"
    assert result.spec["cv"] == {"horizon": 2, "n_windows": 4, "step_size": None, "train_size": None, "embargo": 0}
    lstm = result.spec["models"]["lstm"]["params"]
    assert (lstm["lookback"], lstm["hidden"], lstm["trainer"]["params"]["steps"]) == (10, 3, 3)
    again = fc.backtest(
        {"naive": fc.Naive(), "drift": fc.Drift(), "lstm": fc.make_model("lstm", **{
            "lookback": 10, "hidden": 3, "trainer.steps": 3})},
        walks(rows=60, series=2), fc.WalkForward(2, 4),
    )  # fmt: skip
    np.testing.assert_allclose(result.forecasts["y_hat"], again.forecasts["y_hat"], rtol=1e-9)  # the same run in Python
    page = (workdir / "runs/new/report.html").read_text(encoding="utf-8")
    assert "<html" in page
    assert "lstm" in page


@pytest.mark.slow
@pytest.mark.usefixtures("short_report")
def test_old_run_is_replaced_completely(workdir, call):
    assert call(f"backtest good.csv {DRIFT} --out run")[0] == 0
    (workdir / "run" / "forecasts.parquet").write_text("damaged")
    line = f"backtest good.csv {DRIFT} --models seasonal-naive --out run"
    code, _, err = call(line)
    assert (code, err) == (
        2,
        "forecast: --out run holds a finished run: --resume continues from it, --restart replaces it; or name another "
        "folder\n",
    )
    assert call(f"{line} --restart")[0] == 0
    assert sorted(path.name for path in (workdir / "run").iterdir()) == RUN
    spec = json.loads((workdir / "run" / "spec.json").read_text(encoding="utf-8"))
    assert list(spec["models"]) == ["naive", "seasonal-naive"]
    assert not list(workdir.glob(".run*"))


@pytest.mark.slow
@pytest.mark.usefixtures("short_report")
def test_settings_reach_the_trainer(workdir, call):
    line = f"backtest good.csv {LSTM} --set lstm.trainer.lr=3e-4 --set lstm.base=none --set 'lstm.levels=(.2, .5, .8)'"
    assert call(f"{line} --refit 3 --out run")[0] == 0
    spec = json.loads((workdir / "run" / "spec.json").read_text(encoding="utf-8"))
    params = spec["models"]["lstm"]["params"]
    assert params["trainer"]["params"]["lr"] == 3e-4
    assert params["trainer"]["params"]["steps"] == 3
    assert params["base"] is None
    assert params["levels"] == [0.2, 0.5, 0.8]
    assert spec["refit"] == 3


def test_without_out_nothing_is_written(workdir, call):
    before = snapshot(workdir)
    code, out, err = call(f"backtest good.csv {DRIFT} --season 5 --embargo 1 --train-size 30 --step-size 2")
    assert code == 0
    assert "drift" in out
    assert "naive: 3 cutoffs" in out
    assert "Warning" not in err
    assert snapshot(workdir) == before


def test_leaderboard_fits_80_columns(workdir, call):
    _, out, _ = call(f"backtest good.csv {DRIFT}")
    board = out.split("\n\n")[0]  # the sentences below it are wrapped by the terminal
    assert "…" not in board  # nothing is truncated
    assert max(map(len, board.splitlines())) <= 80


@pytest.mark.medium
def test_added_score_is_printed_on_the_leaderboard(workdir, call, monkeypatch):
    monkeypatch.setitem(scores.SCORES, "bias", lambda table: float((table["y_hat"] - table["y"]).mean()))
    monkeypatch.setattr(leaderboard, "RANKED_SCORES", (*leaderboard.RANKED_SCORES, "bias"))
    _, out, _ = call(f"backtest good.csv {DRIFT} --out run")
    bias = fc.BacktestResult.load("run").leaderboard().loc["drift", "bias"]
    assert "bias" in next(line for line in out.splitlines() if "skill" in line)
    assert f" {bias:.4g} " in out
    assert ">bias<" in Path("run/report.html").read_text(encoding="utf-8")


def test_constant_prices_have_no_scale_and_do_not_crash(workdir, call):
    walks(rows=60, series=1).assign(S0=100.0).to_csv(workdir / "peg.csv", index_label="date")
    code, out, err = call(f"backtest peg.csv {DRIFT}")
    assert code == 0
    assert "Warning" not in err
    assert re.search(r"naive +- +-", out)


@pytest.mark.slow
@pytest.mark.usefixtures("short_report")
def test_failed_fit_is_recorded(workdir, call):
    line = "backtest negative.csv --models drift,arima --horizon 2 --windows 3 --set arima.log=true"
    code, out, _ = call(f"{line} --on-error record --out run")
    assert code == 0
    assert re.search(r"^ *arima .* 3 *$", out, re.MULTILINE)
    assert re.search(r"^Failed fits; models are compared on the (\d+) of \1 rows that all", out, re.MULTILINE)
    assert len(re.findall(r"^  arima at \d{4}-\d\d-\d\d: ValueError: S0 is -5 at 2015-02-12", out, re.MULTILINE)) == 3
    fits = fc.BacktestResult.load("run").fits
    assert fits.loc[fits["model"] == "arima", "error"].str.contains("S0 is -5 at 2015-02-12").all()
    assert (fits.loc[fits["model"] != "arima", "error"] == "").all()


def test_skipped_series_are_printed(workdir, call):
    frame = walks(rows=60, series=2)
    frame.iloc[:55, 1] = np.nan
    frame.to_csv(workdir / "late.csv", index_label="date")
    code, out, _ = call(f"backtest late.csv {DRIFT}")
    assert code == 0
    assert re.search(r"Skipped series:\s+S1: fewer than 3 observed training rows, at \d cutoff", out)


@pytest.mark.medium
def test_parquet_file_and_sample_are_read(workdir, call):
    walks(rows=60, series=2).to_parquet(workdir / "good.parquet")
    assert call(f"backtest good.parquet {DRIFT}")[0] == 0
    assert call(f"backtest sp500 {DRIFT} --target Open")[0] == 0


@pytest.mark.parametrize("command", ["models", "samples"])
def test_lists_are_complete(command, workdir, call):
    code, out, err = call(command)
    names = {line.split(" ")[0] for line in out.splitlines()}
    assert code == 0
    assert err == ""
    assert names >= set(fc.model_names() if command == "models" else fc.samples()["name"])
    assert "…" not in out  # nothing is truncated


def test_models_lists_all_parameters(call, workdir):
    out = call("models")[1]
    for name in fc.model_names():
        for parameter in fc.make_model(name).get_params(deep=False):
            assert f"{parameter}=" in out


@pytest.mark.slow
def test_passed_audit_is_printed(workdir, call):
    code, out, err = call("audit good.csv --models drift,ses --horizon 2 --windows 3")
    assert (code, err) == (0, "")
    assert "drift: The audit is passed." in out
    assert "ses: The audit is passed." in out
    assert out.count("leakage: noise") == 2
    assert "Failed the audit" not in out


@pytest.mark.medium
def test_failed_audit_exits_1(workdir, call, monkeypatch):
    def peek(self, y, rows, columns):
        return np.zeros((len(rows), y.shape[1], self.horizon_)) + 0.01 * y.mean(axis=0)[:, None]

    # The mean of all rows includes some that a loop over the cutoffs would not have.
    monkeypatch.setattr("forecast.models.naive.Drift._predict_changes", peek)
    code, out, err = call("audit good.csv --models drift --horizon 2 --windows 3")
    assert (code, err) == (1, "")
    assert "FAILED  leakage: noise: forecasts up to" in out
    assert "Failed the audit on these data: drift" in out


COMMANDS = ["backtest", "audit", "explain", "report", "fit", "predict", "models", "download", "check", "samples"]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_has_usage_and_example(command, workdir, call):
    code, out, err = call(f"{command} --help")
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", out).split())
    assert code == 0
    assert err == ""
    assert "Usage:" in text
    assert max(map(len, out.splitlines())) <= 80
    assert "Example" in text
    assert re.search(rf"forecast {command or 'backtest'}", text.split("Example", 1)[1])


def test_example_of_backtest_help_runs(workdir, call, monkeypatch):
    text = " ".join(call("backtest --help")[1].split())
    example = re.search(r"forecast (backtest \w+( --[\w-]+ \S+)+)", text).group(1)

    def reached(models, prices, cv, options):
        raise ValueError(f"reached with {', '.join(models)}, {len(prices)} rows and {cv.n_windows} windows")

    monkeypatch.setattr(cli.backtest_commands, "_run_backtest", reached)
    assert call(example)[2] == "forecast: reached with naive, arima, lstm, 3270 rows and 40 windows\n"


def test_no_arguments_show_help(workdir, call):
    code, out, err = call("")
    assert code in (0, 2)
    assert "backtest" in out + err
    assert err.strip() != "forecast:"  # not an empty message


@pytest.mark.slow
@pytest.mark.usefixtures("short_report")
def test_split_options_reach_the_backtest(workdir, call):
    line = (
        "backtest good.csv --models drift --horizon 2 --windows 3 --step-size 4 --train-size 30 --embargo 2 --season 3"
    )
    assert call(f"{line} --refit 2 --out run")[0] == 0
    spec = json.loads((workdir / "run" / "spec.json").read_text(encoding="utf-8"))
    assert spec["cv"] == {"horizon": 2, "n_windows": 3, "step_size": 4, "train_size": 30, "embargo": 2}
    assert (spec["refit"], spec["season"]) == (2, 3)
    table = pd.read_parquet(workdir / "run" / "forecasts.parquet")
    assert table["step"].max() == 2
    assert table["cutoff"].nunique() == 3


def test_debug_variable_shows_traceback(workdir, call, monkeypatch):
    monkeypatch.setenv("FORECAST_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["forecast", "backtest", "nowhere.csv"])
    with pytest.raises(FileNotFoundError):
        cli.main()


@pytest.mark.slow
@pytest.mark.usefixtures("short_report")
def test_exog_fields_are_read(workdir, call):
    """Fields in a model's `exog` are read from a file or a sample; a missing field is named."""
    rng = np.random.default_rng(0)
    ohlcv = pd.DataFrame({"Close": walks(60, 1)["S0"], "Volume": rng.integers(100, 900, size=60)})
    ohlcv.to_csv(workdir / "ohlcv.csv", index_label="date")
    line = f"--horizon 2 --windows 3 --models lstm {TINY}"
    code, _, err = call(f"backtest ohlcv.csv {line} --set \"lstm.exog=('Volume',)\" --out run")
    assert (code, err) == (0, "")
    spec = json.loads((workdir / "run" / "spec.json").read_text())
    assert spec["data"]["channels"] == ["Close", "Volume"]
    assert spec["data"]["source"] == "ohlcv.csv"
    assert call(f"backtest sp500 {line} --set \"lstm.exog=('Volume',)\"")[0] == 0
    code, _, err = call(f"backtest good.csv {line} --set \"lstm.exog=('Volume',)\"")
    assert code == 2
    assert "no field 'Volume' to read as an input" in err
    call(f"backtest ohlcv.csv {line} --target return --set \"lstm.exog=('Volume',)\" --out returns")
    spec = json.loads((workdir / "returns" / "spec.json").read_text())
    assert spec["data"]["channels"] == ["return", "Volume"]
    assert spec["data"]["source"] == "log returns of ohlcv.csv"
    code, _, err = call(f"backtest ohlcv.csv {line} --set lstm.exog=Volume")
    assert code == 2
    assert "exog must be a list of fields, such as ('Volume',)" in err


def test_models_lists_only_differences_from_class(call):
    _, out, _ = call("models")
    assert "as rnn, but cell='gru'" in out
    assert "as naive" not in out
    assert out.count("gate_bias") == 1


# --- prices: sources, options and anomalies ---------------------------------------------------------------------------


@pytest.fixture
def yahoo(tmp_path, monkeypatch):
    """Return a local Yahoo server that yfinance is redirected to; each test has a separate cache."""
    import yfinance
    from helpers.yahoo_server import LocalYahoo, session
    from yfinance.data import YfData

    monkeypatch.setenv("FORECAST_CACHE", str(tmp_path / "cache"))
    yfinance.set_tz_cache_location(str(tmp_path / "yfinance"))
    server = LocalYahoo()
    YfData(session=session(server.port))
    yield server
    server.close()


@pytest.mark.slow
def test_downloaded_file_can_be_backtested(workdir, call, yahoo):
    from helpers.yahoo_server import walk

    for name in ("MSFT", "AAPL"):
        yahoo.behave(name, bars=walk(name, dividends={"2020-03-02": 1.0}))
    code, out, err = call("download msft AAPL --start 2020-01-06 --end 2020-12-31 --out prices.parquet")
    assert (code, err) == (0, "")
    assert "259 rows of MSFT, AAPL are in prices.parquet" in out
    table = pd.read_parquet(workdir / "prices.parquet")
    assert list(table["Close"]) == ["MSFT", "AAPL"]
    assert table["Dividends"]["AAPL"].sum() == 1.0
    assert f"{table.index[0]:%Y-%m-%d} {table.index[-1]:%Y-%m-%d}" == "2020-01-06 2020-12-31"
    assert call(f"backtest prices.parquet {DRIFT}")[0] == 0
    call("download MSFT AAPL --start 2020-01-06 --end 2020-12-31 --field Close --offline --out prices.csv")
    assert fc.read_prices(workdir / "prices.csv").equals(table["Close"])
    assert yahoo.requests == {"MSFT": 1, "AAPL": 1}


@pytest.mark.slow
@pytest.mark.usefixtures("short_report")
def test_backtest_of_yahoo_prices(workdir, call, yahoo):
    yahoo.behave("AAPL")
    yahoo.behave("MSFT")
    code, _, err = call(f"backtest yahoo:AAPL,MSFT --start 2020-02-03 {DRIFT} --out run")
    assert (code, err) == (0, "")
    data = json.loads((workdir / "run" / "spec.json").read_text())["data"]
    assert data["source"] == "yahoo:AAPL,MSFT"
    assert data["first"] == "2020-02-03"
    assert set(data["report"]["table"]) == {"AAPL", "MSFT"}
    assert call(f"backtest yahoo:AAPL,MSFT --start 2020-02-03 --offline {DRIFT}")[0] == 0
    assert set(yahoo.requests.values()) == {1}


@pytest.mark.medium
def test_failed_download_leaves_no_file(workdir, call, yahoo):
    yahoo.behave("AAPL")
    before = snapshot(workdir)
    code, out, err = call("download AAPL NONE --out prices.csv")
    assert (code, out) == (2, "")
    assert err == (
        "forecast: 1 of 2 tickers could not be downloaded: NONE: Yahoo has no such prices: "
        "No data found, symbol may be delisted\n"
    )
    caches = ("cache", "yfinance")  # the project's and the client's
    after = {name for name in snapshot(workdir) if not name.startswith(caches)}
    assert after == {name for name in before if not name.startswith(caches)}
    code, out, err = call("download AAPL NONE --on-error skip --out prices.csv")
    assert code == 0
    assert "left out: 1 of 2 tickers could not be downloaded: NONE" in err
    assert list(fc.read_prices(workdir / "prices.csv")) == ["AAPL"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("download AAPL --out prices.xls", "must end in .parquet or .csv"),
        ("download AAPL --out nowhere/prices.csv", "is not a folder"),
        ("download AAPL --start someday", "--start must be a date such as 2015-01-31; got 'someday'"),
        ("download A/B", "is not a Yahoo symbol"),
        ("check good.csv --offline", "--offline applies only to prices from Yahoo"),
        ("check stocks --decimal ,", "--decimal applies only to files: leave it out"),
        ("check yahoo:AAPL --day-first", "--day-first applies only to files"),
        ("check good.csv --start 2050-01-01", "no rows between --start and --end"),
        ("check good.csv --rows some", "--rows must be 'all' or 'common'"),
        ("check yahoo:", "no ticker is named"),
        ("check yaho:AAPL", "there is no file and no sample 'yaho:AAPL'"),
    ],
)
def test_invalid_price_options_are_errors(line, message, workdir, call):
    code, out, err = call(line)
    assert (code, out) == (2, "")
    assert message in err


def test_check_prints_anomalies(workdir, call):
    y = walks(100, 2)
    y.iloc[20:35, 0] = y.iloc[20, 0]
    y.iloc[60:, 1] /= 10
    y.to_csv(workdir / "odd.csv", index_label="date")
    code, out, err = call("check odd.csv")
    assert (code, err) == (0, "")
    assert "S0: 15 equal values in a row" in out
    assert "S1: it goes from" in out
    assert max(map(len, out.split("\n\n")[0].splitlines())) <= 80
    assert "No anomalies were found." in call("check sp500")[1]
    out = call(f"backtest odd.csv {DRIFT}")[1]
    assert "About the data:\n  S0: 15 equal values in a row" in out


def test_date_order_and_decimal_mark_options(workdir, call):
    (workdir / "euro.csv").write_text("Date;A\n" + "".join(f"{d:02}.01.2024;1,{d:03}\n" for d in range(1, 13)))
    assert "may mean" in call("check euro.csv")[2]
    assert "set --decimal , or" in call("check euro.csv --day-first")[2]
    code, out, _ = call("check euro.csv --day-first --decimal ,")
    assert code == 0
    assert "2024-01-12" in out
    assert "2024-12-01" in call("check euro.csv --month-first --decimal ,")[1]


# --- fitted models, JSON output and repeated runs ---------------------------------------------------------------------


def test_fitted_model_forecasts_as_in_python(workdir, call):
    code, out, err = call("fit good.csv --model ses --horizon 3 --out models/ses")
    assert (code, err) == (0, "")
    assert "Fitted ses on 60 rows of S0, S1" in out
    code, out, err = call("predict models/ses good.csv --out tomorrow.csv")
    assert (code, err) == (0, "")
    prices = fc.read_prices(workdir / "good.csv")
    forecast = fc.make_model("ses").fit(prices, 3).predict(prices).to_frame()
    table = pd.read_csv(workdir / "tomorrow.csv", **EXACT)
    assert (
        table[["y_hat", "q0.1", "q0.9"]].to_numpy().tolist() == forecast[["y_hat", "q0.1", "q0.9"]].to_numpy().tolist()
    )
    assert list(table["unique_id"]) == list(forecast["unique_id"])
    dates = fc.next_dates(prices.index, 3)[0]
    assert list(table["ds"][:3]) == [f"{day:%Y-%m-%d}" for day in dates]
    assert "dates: " in out


@pytest.mark.medium
def test_forecast_dates_follow_an_exchange(workdir, call):
    call("fit stocks --model naive --horizon 3 --out naive --end 2012-12-21 --quiet")
    code, out, _ = call("predict naive stocks --end 2012-12-21 --exchange XNYS --json")
    output = json.loads(out)
    assert code == 0
    assert [row["ds"] for row in output["forecast"][:3]] == ["2012-12-24", "2012-12-26", "2012-12-27"]
    assert output["dates"] == "trading days of XNYS"
    assert "did you mean 'XNYS'?" in call("predict naive stocks --exchange XNYSE")[2]


def test_predict_uses_target_of_fit(workdir, call):
    call("fit stocks --target parkinson --model ewma --horizon 2 --out ranges")
    forecast = json.loads(call("predict ranges stocks --json")[1])["forecast"]
    assert all(0 < row["y_hat"] < 0.01 for row in forecast)  # variances, not prices
    assert "have no High, Low" in call("predict ranges good.csv")[2]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("predict good.csv good.csv", "is not a model"),
        ("predict nowhere good.csv", "is not a model"),
        ("fit good.csv --model ses", "out"),
        ("fit good.csv --model ses,naive --out m", "--model takes one name"),
        ("fit good.csv --model lsmt --out m", "did you mean 'lstm'?"),
        ("report nowhere", "is not a run"),
        ("backtest --spec nowhere", "is not a run"),
    ],
)
def test_missing_models_and_runs_are_errors(line, message, workdir, call):
    before = snapshot(workdir)
    code, out, err = call(line)
    assert (code, out) == (2, "")
    assert message in err
    assert snapshot(workdir) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        f"backtest good.csv {DRIFT}",
        "audit good.csv --models naive --horizon 2 --windows 3",
        "check good.csv",
        "models",
        "samples",
        "fit good.csv --model naive --out m",
    ],
)
def test_json_and_quiet_output(line, workdir, call):
    code, out, err = call(f"{line} --json")
    assert (code, err) == (0, "")
    assert json.loads(out)
    code, out, err = call(f"{line} --quiet")
    assert (code, out, err) == (0, "", "")


@pytest.mark.slow
@pytest.mark.usefixtures("short_report")
def test_json_equals_result_in_python(workdir, call):
    output = json.loads(call(f"backtest good.csv {DRIFT} --out run --json")[1])
    result = fc.BacktestResult.load(workdir / "run")
    board = result.leaderboard()
    assert [row["model"] for row in output["leaderboard"]] == list(board.index)
    assert [row["rmse"] for row in output["leaderboard"]] == board["rmse"].tolist()
    verdicts = result.verdicts()
    assert output["sentences"] == verdicts.sentences
    assert [verdict["loss"] for verdict in output["verdicts"]] == ["squared", "pinball"]
    for shown, verdict in zip(output["verdicts"], verdicts, strict=True):
        assert (shown["against"], shown["sentence"], shown["note"]) == (verdict.against, verdict.sentence, verdict.note)
        assert [row["finding"] for row in shown["models"]] == verdict.table["finding"].tolist()
    assert output["out"] == "run"


@pytest.mark.parametrize("loss", ["squared", "absolute", "pinball", "qlike"])
def test_loss_of_the_verdict(loss, workdir, call, monkeypatch):
    """The report contains the sentences of the verdict only; test_report.py has a page by each loss."""
    report = "forecast.report.html.page.render"
    monkeypatch.setattr(report, lambda result, loss: "\n".join(result.verdicts(loss).sentences))
    code, out, _ = call(f"backtest good.csv {DRIFT} --out run --loss {loss} --json")
    assert code == 0
    expected = fc.BacktestResult.load(workdir / "run").verdicts(loss)
    output = json.loads(out)
    assert output["sentences"] == expected.sentences
    assert [verdict["loss"] for verdict in output["verdicts"]] == [loss]
    assert expected.sentences[0] in Path("run/report.html").read_text()
    assert call("report run")[0] == 0  # by default, of all questions
    assert ("Where will it be" in Path("run/report.html").read_text()) is True
    assert call(f"report run --loss {loss}")[0] == 0
    assert ("Where will it be" in Path("run/report.html").read_text()) == (loss in ("squared", "absolute"))


@pytest.mark.parametrize("line", [f"backtest good.csv {DRIFT} --out run", "report run"])
def test_unknown_loss(line, workdir, call):
    before = snapshot(workdir)
    code, out, err = call(f"{line} --loss mse")
    assert (code, out) == (2, "")
    assert err == "forecast: --loss must be one of 'squared', 'absolute', 'pinball', 'qlike'; got 'mse'\n"
    assert snapshot(workdir) == before


@pytest.mark.slow
@pytest.mark.usefixtures("short_report")
def test_spec_repeats_a_run(workdir, call):
    call(f"backtest good.csv {DRIFT} --target return --out first")
    code, _, err = call("backtest --spec first/spec.json --out second")
    assert (code, err) == (0, "")
    assert (workdir / "first/forecasts.parquet").read_bytes() == (workdir / "second/forecasts.parquet").read_bytes()
    assert "leave --horizon out" in call("backtest --spec first --horizon 3")[2]
    assert "leave the prices out" in call("backtest good.csv --spec first")[2]
    changed = fc.read_prices(workdir / "good.csv") * 2
    changed.iloc[3, 0] += 1
    changed.to_csv(workdir / "good.csv", index_label="date")
    assert "the prices differ from those of first" in call("backtest --spec first")[2]


@pytest.mark.slow
def test_report_is_written_again(workdir, call):
    call(f"backtest good.csv {DRIFT} --out run")
    before = (workdir / "run/report.html").read_bytes()
    (workdir / "run/report.html").unlink()
    assert call("report run")[0] == 0
    assert (workdir / "run/report.html").read_bytes() == before
    assert call("report run --out elsewhere.html")[0] == 0
    assert (workdir / "elsewhere.html").read_bytes() == before


@pytest.mark.medium
def test_examples_in_help_are_valid(workdir, call, monkeypatch):
    """Each command accepts the options of its example; running all examples would take minutes."""
    import typer.main

    program = typer.main.get_command(cli.app)
    for name in COMMANDS:
        text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", call(f"{name} --help")[1]).split())
        example = re.search(rf"Example: forecast ({name}( \S+)*?) (Arguments|Options|Usage)", text)[1]
        words = shlex.split(example)[1:]
        program.commands[name].make_context(name, list(words))


@pytest.mark.slow
@pytest.mark.usefixtures("short_report")
@pytest.mark.parametrize(
    "example",
    [
        "check prices.csv",
        "download AAPL MSFT --start 2015-01-01 --out prices.parquet",
        "fit stocks --model lstm --horizon 5 --out models/lstm",
        "predict models/lstm stocks --exchange XNYS --plot tomorrow.png --out tomorrow.csv",
        "report runs/stocks --out stocks.html",
        "explain runs/stocks",
        "models",
        "samples",
    ],
)
def test_examples_in_help_run(example, workdir, call, yahoo):
    assert f"forecast {example}" in " ".join(
        re.sub(r"[│╭╮╰╯─]", " ", call(f"{example.split(' ', maxsplit=1)[0]} --help")[1]).split()
    )
    for name in ("AAPL", "MSFT"):
        yahoo.behave(name)
    shutil.copy(workdir / "good.csv", workdir / "prices.csv")
    if "runs/stocks" in example:
        call(f"backtest good.csv {DRIFT} --out runs/stocks --quiet")
    if example.startswith("fit"):
        example += " --set lstm.trainer.steps=5"
    elif "models/lstm" in example:
        call("fit stocks --model naive --out models/lstm --quiet")
    assert call(example)[0] == 0


@pytest.mark.medium
def test_models_without_a_season_that_a_test_finds_are_named(workdir, call):
    day = np.arange(200)
    sales = 200 + 50 * np.sin(day * 2 * np.pi / 7) + np.random.default_rng(0).normal(0, 5, 200)
    index = pd.date_range("2023-01-01", periods=200, name="date")
    pd.DataFrame({"sales": sales}, index).to_csv("sales.csv")
    line = "backtest sales.csv --models drift,ses,ets,auto-arima,ridge --horizon 1 --windows 2 --refit 2"
    _, _, err = call(line)
    assert "a test finds a season of 7 rows, and these models run without it: ets, auto-arima, ridge; --season 7" in err
    for option in ("--season 7", "--season 1"):
        _, _, err = call(f"{line} {option}")
        assert "finds a season" not in err
    _, _, err = call("backtest sales.csv --models drift,ses --horizon 1 --windows 2")
    assert "finds a season" not in err
    _, out, _ = call("fit sales.csv --model ets --out model")
    assert "a test finds a season of 7 rows, and these models run without it: ets; --season 7" in " ".join(out.split())
    _, out, _ = call("fit sales.csv --model ets --season 7 --out seasonal")
    assert "finds a season" not in out


def test_season_is_that_of_every_seasonal_model(workdir, call):
    models = "--models seasonal-naive,ets,theta,auto-arima,ses,holt,lstm"
    settings = make_season_settings(f"backtest good.csv {models} --season 4 --set theta.m=2".split())
    assert settings == {"seasonal-naive": 4, "ets": 4, "theta": 2, "auto-arima": 4, "ses": 1, "holt": 1}


def make_season_settings(arguments: list[str]) -> dict[str, int]:
    """Return the season of each model that the options make."""
    from forecast.cli.model_commands import make_models

    names, season, setting = (arguments[arguments.index(o) + 1] for o in ("--models", "--season", "--set"))
    params = {name: m.get_params(deep=False) for name, m in make_models(names, [setting], season=int(season)).items()}
    found = {name: p["m"] if "m" in p else p.get("seasonal_order") for name, p in params.items()}
    return {name: m for name, m in found.items() if m is not None}


@pytest.mark.usefixtures("short_report")
@pytest.mark.medium
def test_declared_season_reference_and_baseline_are_repeated_by_a_spec(workdir, call):
    options = "--horizon 2 --windows 8 --refit 8 --season 4 --reference zero --against seasonal-naive"
    code, out, _ = call(f"backtest good.csv --models drift {options} --out first")
    assert code == 0
    assert "Skill (of the point forecast), spread (skill of the quantiles) and wins: against zero." in out
    assert "Where will it be, against seasonal-naive: 8 cutoffs" in " ".join(out.split())
    assert "How far may it be off, against seasonal-naive: 8 cutoffs" in " ".join(out.split())
    spec = json.loads(Path("first/spec.json").read_text())
    assert (spec["season"], spec["reference"], spec["against"]) == (4, "zero", "seasonal-naive")
    assert spec["models"]["seasonal-naive"]["params"]["m"] == 4
    assert call("backtest --spec first --out second")[0] == 0
    for name in ("forecasts.parquet", "spec.json"):
        assert Path("first", name).read_bytes() == Path("second", name).read_bytes()


@pytest.mark.usefixtures("short_report")
@pytest.mark.medium
def test_a_finished_run_is_judged_against_another_baseline_without_new_fits(workdir, call, monkeypatch):
    command = f"backtest good.csv {DRIFT} --out run"
    assert call(command)[0] == 0
    before = Path("run/fits.parquet").read_bytes()
    code, out, err = call(f"{command} --against drift --resume")
    assert code == 0
    assert err == ""
    assert "Where will it be, against drift: " in " ".join(out.split())
    assert Path("run/fits.parquet").read_bytes() == before  # with the seconds of the first run
    assert json.loads(Path("run/spec.json").read_text())["against"] == "drift"


@pytest.mark.usefixtures("short_report")
@pytest.mark.medium
def test_a_run_is_judged_again_without_its_options(workdir, call, monkeypatch):
    """Neither the finished nor the interrupted run needs the prices and options that it had."""
    assert call(f"backtest good.csv {DRIFT} --out run")[0] == 0
    before = Path("run/fits.parquet").read_bytes()
    code, out, err = call("backtest --resume --out run --against drift")
    assert (code, err) == (0, "")
    assert "Where will it be, against drift: " in " ".join(out.split())
    assert Path("run/fits.parquet").read_bytes() == before
    assert call("backtest --resume --out run --against drfit")[2] == (
        "forecast: --against drfit: there is no such model in this run (did you mean 'drift'?); choose one of naive, "
        "drift\n"
    )
    assert "leave --horizon out" in call("backtest --resume --out run --against drift --horizon 3")[2]
    with monkeypatch.context() as patch:
        patch.setattr(fc.Drift, "_fit", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            call(f"backtest good.csv {DRIFT} --out other")
    code, out, err = call("backtest --resume --out other --against drift")
    assert code == 0
    assert re.fullmatch(r"forecast: against changed since the run was stopped: 3 of the 3 stored fits are used\n", err)
    assert "Where will it be, against drift: " in " ".join(out.split())


MOVED = {  # the new working folder, and what is moved to another place before
    "the same folder": (".", ()),
    "a folder next to the prices": ("elsewhere", ()),
    "the folder of the run": ("runs", ()),
    "run and prices were moved": ("new/deep", ("good.csv", "runs")),
    "the run was moved, and the prices are here": (".", ("runs",)),
}


@pytest.mark.usefixtures("short_report")
@pytest.mark.parametrize("case", MOVED)
@pytest.mark.medium
def test_a_run_is_resumed_and_repeated_from_any_folder(case, workdir, call, monkeypatch):
    """A relative path of prices is one from the folder in which the run was started, wherever that is now."""
    folder, moved = MOVED[case]
    (elsewhere := workdir / "elsewhere").mkdir()
    shutil.copy(workdir / "negative.csv", elsewhere / "good.csv")  # other prices of that name
    assert call(f"backtest good.csv {DRIFT} --out runs/mine")[0] == 0
    expected = Path("runs/mine/forecasts.parquet").read_bytes()
    if moved:
        (workdir / "new" / "deep").mkdir(parents=True)
        for name in moved:
            shutil.move(workdir / name, workdir / "new" / name)
    monkeypatch.chdir(workdir / folder)
    run = os.path.relpath(workdir / ("new/runs/mine" if "runs" in moved else "runs/mine"))
    for line in (f"backtest --resume --out {run}", f"backtest --spec {run} --out again", "backtest --spec again"):
        code, out, err = call(line)
        assert (code, err) == (0, ""), line
        assert "drift" in out
    assert Path("again/forecasts.parquet").read_bytes() == expected


@pytest.mark.usefixtures("short_report")
def test_a_spec_has_no_path_of_the_machine(workdir, call):
    assert call(f"backtest good.csv {DRIFT} --out runs/mine")[0] == 0
    assert str(workdir) not in Path("runs/mine/spec.json").read_text(encoding="utf-8")


@pytest.mark.usefixtures("short_report")
@pytest.mark.medium
def test_spec_of_an_earlier_version(workdir, call):
    """It has no reference: the run is that of its models, relative to naive."""
    walks(61).pct_change().iloc[1:].to_csv("returns.csv", index_label="date")
    assert call(f"backtest returns.csv {DRIFT} --reference naive --out old")[0] == 0
    spec = fc.BacktestResult.load("old").spec
    del spec["reference"], spec["against"]
    replace(fc.BacktestResult.load("old"), spec=spec).save("old", replace=True)
    old = fc.BacktestResult.load("old")
    assert old.reference == old.verdict().against == "naive"
    code, out, _ = call("backtest --spec old --out new")
    assert code == 0
    assert "and wins: against naive." in out
    assert Path("old/forecasts.parquet").read_bytes() == Path("new/forecasts.parquet").read_bytes()


def test_returns_are_relative_to_zero(workdir, call):
    code, out, _ = call(f"backtest good.csv {DRIFT} --target return --json")
    result = json.loads(out)
    assert code == 0
    assert result["reference"] == result["verdicts"][0]["against"] == "zero"
    assert {row["model"] for row in result["leaderboard"]} == {"naive", "zero", "drift"}
