"""The checkpoint of a stopped run: which results are stored, and when a resumed run may use them."""

from __future__ import annotations

import errno
import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.quick import walks
from pandas.testing import assert_frame_equal
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import forecast as fc
from forecast import _io
from forecast.backtesting import ResumeWarning
from forecast.backtesting.checkpoint import Checkpoint
from forecast.backtesting.tasks import make_periods, make_tasks
from forecast.data.panel import as_panel
from forecast.models.naive import Naive

CV = fc.WalkForward(horizon=2, n_windows=4)


def run(models, out=None, prices=None, **options):
    return fc.backtest(models, walks(rows=90, series=2) if prices is None else prices, CV, out=out, **options)


def stop(models, out, done, **options):
    def progress(now, total):
        if now == done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(models, out, progress=progress, **options)


def test_order_of_models_changes_no_name(tmp_path):
    panel = as_panel(walks(rows=90, series=2))
    periods = make_periods(list(CV.split(panel)), refit=2)
    tasks = make_tasks({"shifted": Shifted(1.0), "other": Shifted(2.0), "arima": fc.ARIMA()}, periods, 10, warm=True)
    names = Checkpoint(tmp_path / "run", tasks, panel, CV.horizon).names
    by_period = sorted(tasks, key=lambda task: task.period.number)
    assert Checkpoint(tmp_path / "run", by_period, panel, CV.horizon).names == names
    assert len(set(names.values())) == len(names) == 6


def count_new_fits(models, out, **options):
    """Resume a run; return how many fits were computed for it."""
    calls = []
    run(models, out, resume=True, progress=lambda now, total: calls.append(now), **options)
    return len(calls)


class Shifted(Naive):
    """Adds a number to the naive forecasts, which is a parameter, a function or part of the code."""

    def __init__(self, by=0.0, levels=(0.1, 0.5, 0.9), log="auto"):
        self.by = by
        self.levels = levels
        self.log = log

    def check_params(self):
        """Accept anything."""

    def _predict_point_at(self, panel, rows):
        by = self.by(1.0) if callable(self.by) else float(np.sum(self.by))
        return super()._predict_point_at(panel, rows) + by

    def _predict_at(self, panel, rows):
        forecast = super()._predict_at(panel, rows)
        return replace(forecast, point=self._predict_point_at(panel, rows), quantiles=None, levels=())


def redefined():
    """Return another class of that name, as running a notebook cell again does."""

    def shifted(self, panel, rows):
        return Naive._predict_point_at(self, panel, rows) + 5

    names = {"__module__": Shifted.__module__, "__qualname__": Shifted.__qualname__}
    return type("Shifted", (Shifted,), {"_predict_point_at": shifted, **names})


def array(last):
    return np.r_[np.zeros(2000), last, np.zeros(2000)]  # its repr omits the middle


CHANGES = {
    "a class": (lambda: Shifted(), lambda: redefined()()),
    "a function": (lambda: Shifted(lambda x: x), lambda: Shifted(lambda x: x + 1)),
    "an array": (lambda: Shifted(array(1.0)), lambda: Shifted(array(2.0))),
    "a table": (lambda: Shifted(pd.DataFrame(array(1.0))), lambda: Shifted(pd.DataFrame(array(2.0)))),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_results_of_a_changed_model_are_not_used(change, tmp_path):
    before, after = CHANGES[change]
    complete = run({"shifted": after()}).forecasts
    assert not complete.equals(run({"shifted": before()}).forecasts)
    stop({"shifted": before()}, tmp_path / "run", 6)
    message = r"^models\.shifted changed since the run was stopped: 4 of the 6 stored fits are used; the others"
    with pytest.warns(ResumeWarning, match=message):
        assert count_new_fits({"shifted": after()}, tmp_path / "run") == 4
    assert_frame_equal(fc.BacktestResult.load(tmp_path / "run").forecasts, complete)
    assert len(list((tmp_path / ".run.checkpoint").glob("*.npz"))) == 2
    with pytest.raises(
        ValueError, match=r"holds a finished run, and models\.shifted changed since: restart=True replaces"
    ):
        run({"shifted": before()}, tmp_path / "run", resume=True)
    run({"shifted": before()}, tmp_path / "run", restart=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert count_new_fits({"shifted": before()}, tmp_path / "run") == 0
    assert not (tmp_path / ".run.checkpoint").exists()


def test_changed_exogenous_fields_count(tmp_path):
    prices = {"Close": walks(rows=90), "Volume": walks(rows=90, seed=1)}
    model = {"ridge": fc.Tabular(exog=("Volume",), lookback=4)}

    def panel(last):
        changed = prices["Volume"].copy()
        changed.iloc[70] *= last
        return pd.concat(prices | {"Volume": changed}, axis=1)

    stop(model, tmp_path / "run", 7, prices=panel(1))
    with pytest.raises(ValueError, match=r"^data changed since .*: none of the 7 stored fits can be used"):
        run(model, tmp_path / "run", prices=panel(2), resume=True)
    assert count_new_fits(model, tmp_path / "run", prices=panel(1)) == 1


def pipelines():
    nan = SimpleImputer(missing_values=np.nan)
    return {"pipe": fc.Tabular(make_pipeline(nan, FunctionTransformer(lambda x: 2 * x), LinearRegression()))}


@pytest.mark.slow
def test_spec_describes_functions_and_nan(tmp_path):
    result = run(pipelines(), tmp_path / "run", refit=4, n_jobs=2)
    steps = result.spec["models"]["pipe"]["params"]["estimator"]["params"]["steps"]["list"]
    assert steps[0][1]["params"]["missing_values"] == {"float": "nan"}
    assert steps[1][1]["params"]["func"] == "test_checkpoint.pipelines.<locals>.<lambda>"
    assert json.loads((tmp_path / "run" / _io.SPEC).read_text())["models"] == result.spec["models"]
    assert count_new_fits(pipelines(), tmp_path / "run", refit=4) == 0


def test_settings_may_be_numpy_integers(tmp_path):
    run({"drift": fc.Drift()}, tmp_path / "run", refit=np.int64(2), season=np.int32(1))
    assert count_new_fits({"drift": fc.Drift()}, tmp_path / "run", refit=2) == 0


class Fails(Naive):
    """Fails while a file exists, on many rows."""

    def __init__(self, flag="", rows=86, levels=(0.1, 0.5, 0.9), log="auto"):
        self.flag = flag
        self.rows = rows
        self.levels = levels
        self.log = log

    def _fit(self, panel, horizon):
        if len(panel) >= self.rows and Path(self.flag).exists():
            raise RuntimeError("not today")
        super()._fit(panel, horizon)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 6])
def test_recorded_failures_run_again(lost, tmp_path):
    flag, folder = tmp_path / "flag", tmp_path / "run"
    flag.touch()
    models = {"fails": Fails(str(flag))}
    assert len(run(models, folder, on_error="record").failures()) == 2
    if lost:
        shutil.rmtree(tmp_path / ".run.checkpoint")
    with pytest.warns(ResumeWarning, match=f"run failed, and run again{', as do 6 that are not stored' * bool(lost)}$"):
        assert count_new_fits(models, folder, on_error="record") == 2 + lost  # they fail again
    flag.unlink()
    with pytest.warns(ResumeWarning, match="^2 fits of the run in .*/run failed, and run again$"):
        assert count_new_fits(models, folder) == 2
    assert count_new_fits(models, folder) == 0
    run(models, tmp_path / "complete")
    assert (folder / _io.FORECASTS).read_bytes() == (tmp_path / "complete" / _io.FORECASTS).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["complete", "run"]


def test_run_in_which_every_model_fails_raises(tmp_path):
    models = {"naive": Fails(str(tmp_path), 0), "fails": Fails(str(tmp_path), 0)}
    message = "^no model has a forecast, so nothing can be compared: naive: RuntimeError: not today; fails: Runtime"
    with pytest.raises(ValueError, match=message):
        run(models, tmp_path / "new" / "run", on_error="record")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("function", ["BacktestResult.write", "_io.write_json"])
def test_failed_write_leaves_the_fits_stored(function, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"forecast.{function}", full)
        with pytest.raises(ValueError, match=r"^cannot write to .*/new/run: No space left on device\. Name") as error:
            run({"drift": fc.Drift()}, tmp_path / "new" / "run")
    stored = function.startswith("Backtest")
    assert (
        getattr(error.value, "__notes__", []) == ["8 of 8 fits are stored: resume=True continues from there"] * stored
    )
    assert [path.name for path in tmp_path.glob("*/.*")] == [".run.checkpoint"] * stored
    assert count_new_fits({"drift": fc.Drift()}, tmp_path / "new" / "run") == (0 if stored else 8)


@pytest.mark.parametrize("content", ["{damaged", '{"models": 3}', ""])
def test_damaged_run_is_replaced_by_a_restart_if_its_spec_identifies_it(content, tmp_path):
    run({"drift": fc.Drift()}, tmp_path / "run")
    before = (tmp_path / "run" / _io.FORECASTS).read_bytes()
    (tmp_path / "run" / _io.FORECASTS).write_text(content)
    with pytest.raises(ValueError, match=r"forecasts\.parquet is damaged: .* in a new folder or with restart=True$"):
        run({"drift": fc.Drift()}, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / _io.FORECASTS).read_text() == content
    stop({"drift": fc.Drift()}, tmp_path / "run", 5, restart=True)
    assert count_new_fits({"drift": fc.Drift()}, tmp_path / "run") == 3
    assert (tmp_path / "run" / _io.FORECASTS).read_bytes() == before
    (tmp_path / "run" / _io.SPEC).write_text(content)
    for options in ({}, {"resume": True}, {"restart": True}):
        with pytest.raises(ValueError, match=r"spec\.json is not that of a run"):
            run({"drift": fc.Drift()}, tmp_path / "run", **options)
    assert (tmp_path / "run" / _io.SPEC).read_text() == content


def test_stored_fits_are_used_without_the_spec(tmp_path):
    stop({"drift": fc.Drift()}, tmp_path / "run", 5)
    (tmp_path / ".run.checkpoint" / _io.SPEC).write_text(json.dumps({"kind": "forecast checkpoint", "edited": 1}))
    with pytest.warns(
        ResumeWarning, match=r"spec\.json cannot be read, so settings may have changed: 5 of the 5 stored fits are used"
    ):
        assert count_new_fits({"drift": fc.Drift()}, tmp_path / "run") == 3


def test_leftovers_of_a_killed_run_are_deleted(tmp_path):
    folder, checkpoint = tmp_path / "run", tmp_path / ".run.checkpoint"
    run(Shifted(), folder)
    stop(Shifted(), tmp_path / "other", 2)
    shutil.copytree(tmp_path / ".other.checkpoint", checkpoint)  # as if killed while it deleted that folder
    assert count_new_fits(Shifted(), folder) == 0
    assert not checkpoint.exists()


@pytest.mark.medium
def test_restart_of_a_finished_run_is_resumed(tmp_path):
    """It replaces the finished run, of the same or of other models, as the restart was requested."""
    for name, model in (("same", Shifted()), ("other", Shifted(2.0))):
        folder = tmp_path / name
        run(Shifted(), folder)
        before = fc.BacktestResult.load(folder)
        stop(model, folder, 2, restart=True)
        assert fc.BacktestResult.load(folder).forecasts.equals(before.forecasts)
        with pytest.raises(ValueError, match="holds a finished run and an interrupted run with 2 finished fits: "):
            run(model, folder)
        assert count_new_fits(model, folder) == 6
        assert_frame_equal(fc.BacktestResult.load(folder).forecasts, run(model).forecasts)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "same"]


def test_checkpoint_of_another_run_is_not_deleted(tmp_path):
    folder = tmp_path / "run"
    run(Shifted(), folder)
    stop(Shifted(2.0), folder, 2, restart=True)
    assert count_new_fits(Shifted(), folder) == 0
    assert count_new_fits(Shifted(2.0), folder) == 6


def test_files_of_other_programs_in_a_checkpoint_are_not_deleted(tmp_path):
    stop(Shifted(), tmp_path / "run", 2)
    note = tmp_path / ".run.checkpoint" / "note.txt"
    note.write_text("mine")
    with pytest.raises(
        ValueError, match=r"\.run\.checkpoint holds 'note\.txt', which is not part of a checkpoint: move"
    ):
        run(Shifted(), tmp_path / "run", resume=True)
    with pytest.raises(ValueError, match=r"note\.txt"):
        run(Shifted(), tmp_path / "run", restart=True)
    assert note.read_text() == "mine"
    note.unlink()
    assert count_new_fits(Shifted(), tmp_path / "run") == 6
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


CHANGED_RUNS = {
    "prices": {"prices": walks(rows=90, series=2, seed=9)},
    "rows of the training": {"cv": fc.WalkForward(horizon=2, n_windows=4, train_size=30)},
    "horizon": {"cv": fc.WalkForward(horizon=3, n_windows=4)},
}


@pytest.mark.parametrize("change", CHANGED_RUNS)
def test_stored_fits_that_cannot_be_used_remain(change, tmp_path):
    stop(Shifted(), tmp_path / "run", 5)
    before = {path.name: path.read_bytes() for path in (tmp_path / ".run.checkpoint").iterdir()}
    changed = {"prices": walks(rows=90, series=2), "cv": CV} | CHANGED_RUNS[change]
    with pytest.raises(
        ValueError, match=r"none of the 5 stored fits can be used\. Resume with .* restart=True deletes"
    ):
        fc.backtest(Shifted(), **changed, out=tmp_path / "run", resume=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / ".run.checkpoint").iterdir()} == before
    assert count_new_fits(Shifted(), tmp_path / "run") == 3
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_fits_of_a_changed_model_remain(tmp_path):
    folder = tmp_path / "run"
    stop(Shifted(), folder, 7)  # 4 of naive, 3 of the other
    with pytest.warns(ResumeWarning, match="4 of the 7 stored fits are used; the others remain until restart=True$"):
        stop(Shifted(2.0), folder, 5, resume=True)
    with pytest.warns(ResumeWarning, match="7 of the 8 stored fits are used; the others remain until restart=True$"):
        assert count_new_fits(Shifted(), folder) == 1  # with what it had before
    assert_frame_equal(fc.BacktestResult.load(folder).forecasts, run(Shifted()).forecasts)
    assert len(list((tmp_path / ".run.checkpoint").glob("*.npz"))) == 1
    assert count_new_fits(Shifted(), folder) == 0
    assert len(list((tmp_path / ".run.checkpoint").glob("*.npz"))) == 1
    run(Shifted(), folder, restart=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("lost", [_io.FITS, _io.FORECASTS, "the hash"])
def test_resume_replaces_no_finished_run_that_cannot_be_read(lost, tmp_path):
    run(Shifted(), folder := tmp_path / "run")
    if lost == "the hash":
        (folder / _io.SPEC).write_text((folder / _io.SPEC).read_text().replace('"refit": 1', '"refit": 2'))
    else:
        (folder / lost).unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for models in (Shifted(), Shifted(2.0)):
        with pytest.raises(ValueError, match="restart=True"):
            run(models, folder, resume=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    run(Shifted(), folder, restart=True)
    assert count_new_fits(Shifted(), folder) == 0


def test_a_finished_run_among_other_files_is_returned(tmp_path):
    run(Shifted(), folder := tmp_path / "run")
    (folder / "note.txt").write_text("mine")
    assert count_new_fits(Shifted(), folder) == 0
    with pytest.raises(ValueError, match="which is not part of a run"):
        run(Shifted(), folder, restart=True)


def test_a_hidden_folder_of_something_else_is_no_checkpoint(tmp_path):
    (other := tmp_path / ".run.checkpoint").mkdir()
    (weights := other / f"{'0' * 32}.npz").write_text("three weeks")
    for options in ({}, {"resume": True}, {"restart": True}):
        with pytest.raises(ValueError, match=r"holds files, but no spec\.json of a checkpoint: move it"):
            run(Shifted(), tmp_path / "run", **options)
    assert weights.read_text() == "three weeks"


def test_a_run_is_saved_over_itself_only(tmp_path):
    one, other = run(Shifted()), run(Shifted(2.0))
    one.save(folder := tmp_path / "run")
    one.save(folder)
    with pytest.raises(
        ValueError, match=r"run holds another run, which differs in models\..*: name another folder, or"
    ):
        other.save(folder)
    assert fc.BacktestResult.load(folder).spec == json.loads(json.dumps(one.spec))
    other.save(folder, replace=True)
    assert fc.BacktestResult.load(folder).forecasts.equals(other.forecasts)
