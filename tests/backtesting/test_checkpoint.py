"""What is kept of a run, and when it may be taken for the run that is asked for."""

from __future__ import annotations

import json
import shutil
import warnings
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


def fits_made(models, out, **options):
    """Go on with a run; gives the number of fits that were made for it."""
    told = []
    run(models, out, resume=True, progress=lambda now, total: told.append(now), **options)
    return len(told)


class Moves(Naive):
    """Adds a number to naive's forecasts, which a parameter, a rule or the code may say."""

    def __init__(self, by=0.0, levels=(0.1, 0.5, 0.9), log="auto"):
        self.by = by
        self.levels = levels
        self.log = log

    def check_params(self):
        """Take anything."""

    def _predict_point_at(self, panel, rows):
        by = self.by(1.0) if callable(self.by) else float(np.sum(self.by))
        return super()._predict_point_at(panel, rows) + by

    def _predict_at(self, panel, rows):
        said = super()._predict_at(panel, rows)
        return type(said)(self._predict_point_at(panel, rows), None, (), said.series, said.cutoffs)


def redefined():
    """Give another class of that name, as a notebook's cell does that is run again."""

    def shifted(self, panel, rows):
        return Naive._predict_point_at(self, panel, rows) + 5

    names = {"__module__": Moves.__module__, "__qualname__": Moves.__qualname__}
    return type("Moves", (Moves,), {"_predict_point_at": shifted, **names})


def array(last):
    return np.r_[np.zeros(2000), last, np.zeros(2000)]  # its repr leaves out the middle


CHANGES = {
    "a class": (lambda: Moves(), lambda: redefined()()),
    "a function": (lambda: Moves(lambda x: x), lambda: Moves(lambda x: x + 1)),
    "an array": (lambda: Moves(array(1.0)), lambda: Moves(array(2.0))),
    "a table": (lambda: Moves(pd.DataFrame(array(1.0))), lambda: Moves(pd.DataFrame(array(2.0)))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_not_taken_for_the_same(change, tmp_path):
    before, after = CHANGES[change]
    whole = run({"moves": after()}).forecasts
    assert not whole.equals(run({"moves": before()}).forecasts)
    stop({"moves": before()}, tmp_path / "run", 6)
    said = r"^models\.moves changed since the run was stopped: of its 6 fits 4 are used$"
    with pytest.warns(ResumeWarning, match=said):
        assert fits_made({"moves": after()}, tmp_path / "run") == 4
    assert_frame_equal(fc.BacktestResult.load(tmp_path / "run").forecasts, whole)
    with pytest.warns(ResumeWarning, match=r"models\.moves changed since: it is replaced"):
        assert fits_made({"moves": before()}, tmp_path / "run") == 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fits_made({"moves": before()}, tmp_path / "run") == 0


def test_what_lies_beside_the_prices_counts(tmp_path):
    prices = {"Close": walks(rows=90), "Volume": walks(rows=90, seed=1)}
    model = {"ridge": fc.Tabular(exog=("Volume",), lookback=4)}

    def panel(last):
        changed = prices["Volume"].copy()
        changed.iloc[70] *= last
        return pd.concat(prices | {"Volume": changed}, axis=1)

    stop(model, tmp_path / "run", 7, prices=panel(1))
    with pytest.warns(ResumeWarning, match="data changed since the run was stopped: of its 7 fits 0 are used"):
        assert fits_made(model, tmp_path / "run", prices=panel(2)) == 8
    assert_frame_equal(fc.BacktestResult.load(tmp_path / "run").forecasts, run(model, prices=panel(2)).forecasts)


def pipes():
    nan = SimpleImputer(missing_values=np.nan)
    return {"pipe": fc.Tabular(make_pipeline(nan, FunctionTransformer(lambda x: 2 * x), LinearRegression()))}


def test_a_function_and_a_number_that_json_does_not_know(tmp_path):
    result = run(pipes(), tmp_path / "run", refit=4, n_jobs=2)
    steps = result.spec["models"]["pipe"]["params"]["estimator"]["params"]["steps"]
    assert steps[0][1]["params"]["missing_values"] == "nan"
    assert steps[1][1]["params"]["func"] == "test_kept.pipes.<locals>.<lambda>"
    assert json.loads((tmp_path / "run" / _io.SPEC).read_text())["models"] == result.spec["models"]
    assert fits_made(pipes(), tmp_path / "run", refit=4) == 0


def test_settings_are_numbers_of_any_kind(tmp_path):
    run({"drift": fc.Drift()}, tmp_path / "run", refit=np.int64(2), season=np.int32(1))
    assert fits_made({"drift": fc.Drift()}, tmp_path / "run", refit=2) == 0


class Fails(Naive):
    """Fails while a file is there, on many rows."""

    def __init__(self, flag="", rows=86, levels=(0.1, 0.5, 0.9), log="auto"):
        self.flag = flag
        self.rows = rows
        self.levels = levels
        self.log = log

    def _fit(self, panel, horizon):
        if len(panel) >= self.rows and Path(self.flag).exists():
            raise RuntimeError("not today")
        super()._fit(panel, horizon)


@pytest.mark.parametrize("lost", [0, 6])
def test_what_failed_and_was_recorded_runs_again(lost, tmp_path):
    flag, place = tmp_path / "flag", tmp_path / "run"
    flag.touch()
    models = {"fails": Fails(str(flag))}
    assert len(run(models, place, on_error="record").failures()) == 2
    if lost:
        shutil.rmtree(tmp_path / ".run.units")
    with pytest.warns(ResumeWarning, match=f"run failed, and run again{', as 6 do that are not kept' * bool(lost)}$"):
        assert fits_made(models, place, on_error="record") == 2 + lost  # in vain
    flag.unlink()
    with pytest.warns(ResumeWarning, match="^2 fits of the run in .*/run failed, and run again$"):
        assert fits_made(models, place) == 2
    assert fits_made(models, place) == 0
    run(models, tmp_path / "whole")
    assert (place / _io.FORECASTS).read_bytes() == (tmp_path / "whole" / _io.FORECASTS).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "whole"]


class Nothing(Fails):
    """As naive, with parameters that let it fail."""


def test_a_race_in_which_all_fail_is_one_error(tmp_path):
    models = {"naive": Nothing(str(tmp_path), 0), "fails": Fails(str(tmp_path), 0)}
    said = "^no model has made a forecast, so nothing can be compared: naive: RuntimeError: not today; fails: Runtime"
    with pytest.raises(ValueError, match=said):
        run(models, tmp_path / "new" / "run", on_error="record")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["BacktestResult.write", "_io.write_json"])
def test_a_run_that_cannot_be_written_keeps_its_fits(what, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"forecast.{what}", full)
        with pytest.raises(OSError, match="No space") as error:
            run({"drift": fc.Drift()}, tmp_path / "new" / "run")
    kept = what.startswith("Backtest")
    assert getattr(error.value, "__notes__", []) == ["8 of 8 fits are kept: resume goes on from there"] * kept
    assert [path.name for path in tmp_path.glob("*/.*")] == [".run.units"] * kept
    assert fits_made({"drift": fc.Drift()}, tmp_path / "new" / "run") == (0 if kept else 8)


@pytest.mark.parametrize("name", [_io.SPEC, _io.FORECASTS])
@pytest.mark.parametrize("content", ["{damaged", '{"models": 3}', ""])
def test_a_damaged_run_is_replaced(name, content, tmp_path):
    run({"drift": fc.Drift()}, tmp_path / "run")
    whole = (tmp_path / "run" / _io.FORECASTS).read_bytes()
    (tmp_path / "run" / name).write_text(content)
    with pytest.warns(ResumeWarning, match=r"/run (holds|cannot be read).* is replaced"):
        assert fits_made({"drift": fc.Drift()}, tmp_path / "run") == 8
    assert (tmp_path / "run" / _io.FORECASTS).read_bytes() == whole


def test_units_are_known_without_the_spec_beside_them(tmp_path):
    stop({"drift": fc.Drift()}, tmp_path / "run", 5)
    (tmp_path / ".run.units" / _io.SPEC).write_text("{damaged")
    with pytest.warns(ResumeWarning, match=r"spec\.json cannot be read.*: of its 5 fits 5 are used"):
        assert fits_made({"drift": fc.Drift()}, tmp_path / "run") == 3


@pytest.mark.parametrize("spec_is_left", [True, False])
def test_what_a_run_left_that_was_killed_at_its_end_is_swept(spec_is_left, tmp_path):
    place, units = tmp_path / "run", tmp_path / ".run.units"
    run(Moves(), place)
    stop(Moves(), tmp_path / "other", 2)
    shutil.copytree(tmp_path / ".other.units", units)  # as if it had been killed while it took that folder away
    if not spec_is_left:
        (units / _io.SPEC).unlink()
    assert fits_made(Moves(), place) == 0
    assert not units.exists()


def test_the_units_of_another_run_are_not_swept(tmp_path):
    place = tmp_path / "run"
    run(Moves(), place)
    with pytest.warns(ResumeWarning):
        stop(Moves(2.0), place, 2, resume=True)
    assert fits_made(Moves(), place) == 0
    with pytest.warns(ResumeWarning, match="it is replaced"):
        assert fits_made(Moves(2.0), place) == 6
