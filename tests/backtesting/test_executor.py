"""The engine: warm chains, members as units, processes that share the work, runs stopped and gone on with."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import psutil
import pytest
from helpers.quick import quick, walks
from pandas.testing import assert_frame_equal
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

import forecast as fc
from forecast import _io
from forecast.backtesting import ResumeWarning
from forecast.backtesting.tasks import RefitPeriod, make_tasks, run_task
from forecast.data.panel import as_panel
from forecast.models.base import Forecast
from forecast.models.naive import Naive

CV = fc.WalkForward(horizon=2, n_windows=8)


def models():
    return {
        "drift": fc.Drift(),
        "arima": fc.ARIMA((1, 1, 1)),
        "net": quick("lstm", members=2),
        "pair": fc.Ensemble([fc.SeasonalNaive(2), quick("rnn")]),
    }


def run(out=None, given=None, **options):
    return fc.backtest(given or models(), walks(rows=90, series=2), CV, refit=2, out=out, **options)


def forecasts(folder: Path) -> bytes:
    return (folder / _io.FORECASTS).read_bytes()


@pytest.fixture(scope="module", params=[False, True], ids=["cold", "warm"])
def whole(request, tmp_path_factory):
    """An uninterrupted run, with whether it is warm."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return request.param, run(folder, warm=request.param), folder


def test_parts_fitted_alone_are_the_model_fitted_together():
    prices = walks(rows=90, series=2)
    for model in (quick("lstm", members=3), quick("gru", members=2, point="mean"), quick("lstm-seq2seq", members=2)):
        fold = next(iter(fc.WalkForward(2, 1).split(prices)))
        together = model.fit(prices.iloc[fold.train], 2).predict(prices.iloc[fold.history])
        table = fc.backtest({"net": model}, prices, fc.WalkForward(2, 1)).forecasts
        net = table[(table["model"] == "net") & (table["member"] == 0)]
        np.testing.assert_array_equal(net["y_hat"], together.point.ravel())
        np.testing.assert_array_equal(net["q0.1"], together.quantiles[..., 0].ravel())


def test_warm_fits_go_on_and_cold_ones_begin_anew(whole):
    warm, result, _ = whole
    prices = walks(rows=90, series=2)
    folds = list(CV.split(prices))[::2]
    for name, model in (("arima", fc.ARIMA((1, 1, 1))), ("net", quick("lstm", members=2))):
        model.set_params(warm_start=warm)
        said = []
        for fold in folds:
            model.fit(prices.iloc[fold.train], 2)
            said.append(model.predict(prices.iloc[fold.history]).point[0])
        table = result.forecasts
        rows = table[(table["model"] == name) & (table["member"] == 0)]
        rows = rows[rows["cutoff"].isin([prices.index[fold.cutoff] for fold in folds])]
        np.testing.assert_array_equal(rows["y_hat"], np.ravel(said))


def test_warm_is_another_fit():
    cold, warm = run().forecasts, run(warm=True).forecasts
    moved = cold["y_hat"].ne(warm["y_hat"]).groupby([cold["model"], cold["cutoff"]], observed=True).any()
    early, late = walks(rows=90).index[[73, 87]]
    assert not moved.xs(early, level="cutoff").any()  # the first fit has nothing before it
    assert moved.xs(late, level="cutoff")[["net", "pair"]].all()
    assert not moved.xs(late, level="cutoff")[["naive", "drift"]].any()


def test_processes_share_the_work_and_change_no_byte(whole, tmp_path):
    warm, result, folder = whole
    two = run(tmp_path / "run", warm=warm, n_jobs=2)
    assert forecasts(tmp_path / "run") == forecasts(folder)
    seconds = ["seconds_fit", "seconds_predict"]
    assert_frame_equal(two.fits.drop(columns=seconds), result.fits.drop(columns=seconds))
    assert result.fits.groupby("model")["member"].agg(set).to_dict() == {
        "naive": {0}, "drift": {0}, "arima": {0}, "net": {1, 2}, "pair": {1, 2}
    }  # fmt: skip


class Warns(Naive):
    """Warns so often that another thread comes between."""

    def _fit(self, panel, horizon):
        for i in range(9):
            warnings.warn(f"{i}", stacklevel=2)
            time.sleep(0.001)
        super()._fit(panel, horizon)


def deep():
    """A network that draws all that one can: weights, gates, dropout; more often than a thread's turn is long."""
    trainer = fc.Trainer(steps=30, batch_size=8, lr=0.05)
    return quick("lstm", layers=2, dropout=0.3, gate_bias="chrono", members=2, n_jobs=2, trainer=trainer)


def test_threads_of_one_process_change_no_byte():
    panel = as_panel(walks(rows=90, series=2))
    folds = list(fc.WalkForward(2, 3).split(panel))
    units = make_tasks(
        {"net": deep(), "warns": Warns()}, [RefitPeriod(i, (f,)) for i, f in enumerate(folds)], 40, False
    )

    def go(unit):
        return run_task(unit, panel, 2, "raise")

    def fitted(seed):
        return deep().set_params(seed=seed, members=1).fit(panel, 2).predict(panel)

    alone = [go(unit) for unit in units]
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(go, units))
        outside = list(threads.map(fitted, range(3)))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.forecast.quantiles, other.forecast.quantiles)
        assert one.fit_info["warnings"] == other.fit_info["warnings"]
    for seed, said in enumerate(outside):
        np.testing.assert_array_equal(said.point, fitted(seed).point)


def test_nothing_is_shared_out_within_a_unit():
    models = {
        "interval": fc.Conformal(deep()),
        "forest": fc.Tabular(RandomForestRegressor(n_jobs=-1)),
        "none": fc.Tabular(LinearRegression()),  # its n_jobs=None is that of a surrounding parallel_config
    }
    for unit in make_tasks(models, [RefitPeriod(0, ())], 40, False):
        given = models[unit.name].get_params()
        jobs = {name for name in given if name.endswith("n_jobs")}
        assert jobs
        assert {name: value for name, value in unit.model.get_params().items() if name in jobs} == dict.fromkeys(
            jobs, 1
        )
        assert {given[name] for name in jobs} <= {2, -1, None}  # what was handed in stays as it was


class Where(Naive):
    """Tells in which process it was fitted."""

    def _fit(self, panel, horizon):
        super()._fit(panel, horizon)
        self.record_ = {"process": os.getpid()}


@pytest.mark.parametrize("backend", ["threading", "sequential"])
def test_the_engine_names_its_backend_itself(backend):
    with joblib.parallel_config(backend=backend):
        fits = run(given={"where": Where()}, n_jobs=2).fits
    told = fits.loc[fits["model"] == "where", "details"].map(json.loads)
    assert os.getpid() not in {each["process"] for each in told}


class Looks(fc.Drift):
    """Has an attribute `warm_start` that is no parameter."""

    warm_start = False


def test_what_has_no_parameter_warm_start_begins_anew():
    warm, cold = run(given={"looks": Looks()}, warm=True), run(given={"looks": Looks()})
    assert_frame_equal(warm.forecasts, cold.forecasts)


def stopped_after(done, error):
    def progress(now, total):
        if now == done:
            raise error

    return progress


@pytest.mark.parametrize("done", [1, 9, 17, 27])
def test_what_was_stopped_is_gone_on_with(done, whole, tmp_path):
    warm, _, folder = whole
    place = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt) as stop:
        run(place, warm=warm, progress=stopped_after(done, KeyboardInterrupt()))
    assert stop.value.__notes__ == [f"{done} of 28 fits are kept: resume goes on from there"]
    assert not place.exists()
    told = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResumeWarning)
        run(place, warm=warm, resume=True, progress=lambda now, total: told.append(now))
    assert told[0] in ((done + 1, 1) if warm else (done + 1,))
    assert forecasts(place) == forecasts(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_without_resume_it_begins_anew(tmp_path):
    with pytest.raises(RuntimeError):
        run(tmp_path / "run", progress=stopped_after(9, RuntimeError("stop")))
    told = []
    with pytest.warns(ResumeWarning, match="the 9 fits that an earlier run had finished are dropped"):
        run(tmp_path / "run", progress=lambda now, total: told.append(now))
    assert told[0] == 1


def test_a_finished_run_is_given_back(whole):
    warm, result, folder = whole

    def refuse(now, total):
        raise AssertionError("nothing is left to do")

    again = run(folder, warm=warm, resume=True, progress=refuse)
    assert_frame_equal(again.forecasts, result.forecasts)


def test_changes_since_are_noticed(tmp_path):
    place, prices = tmp_path / "run", walks(rows=90, series=2)
    changed = prices.copy()
    changed.iloc[80, 0] *= 2  # after the first two cutoffs of four stretches
    two = {"drift": fc.Drift(), "net": quick("lstm")}
    with pytest.raises(KeyboardInterrupt):
        fc.backtest(two, prices, CV, refit=2, out=place, progress=stopped_after(11, KeyboardInterrupt()))
    said = r"^data, models.drift changed since the run was stopped: of its 11 fits 4 are used$"
    with pytest.warns(ResumeWarning, match=said):
        fc.backtest(two | {"drift": fc.Drift(log=False)}, changed, CV, refit=2, out=place, resume=True)
    fresh = fc.backtest(two | {"drift": fc.Drift(log=False)}, changed, CV, refit=2, out=tmp_path / "fresh")
    assert forecasts(place) == forecasts(tmp_path / "fresh")
    with pytest.warns(ResumeWarning, match=r"holds a finished run, and cv\.embargo changed since: it is replaced"):
        fc.backtest(fresh_models := {"drift": fc.Drift(log=False), "net": quick("lstm")}, changed,
                    fc.WalkForward(2, 8, embargo=1), refit=2, out=place, resume=True)  # fmt: skip
    assert fresh.spec["models"].keys() == {"naive", *fresh_models}
    with pytest.raises(ValueError, match="name it with out"):
        fc.backtest(two, prices, CV, resume=True)


def test_a_damaged_unit_runs_again(whole, tmp_path):
    warm, _, folder = whole
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", warm=warm, progress=stopped_after(20, KeyboardInterrupt()))
    (kept,) = [path for path in tmp_path.iterdir() if path.name.startswith(".run")]
    for path in sorted(kept.glob("*.npz"))[::3]:
        path.write_bytes(path.read_bytes()[:100])
    run(tmp_path / "run", warm=warm, resume=True)
    assert forecasts(tmp_path / "run") == forecasts(folder)


class Breaks(Naive):
    """Fails while a file is there; takes its process with it if told to."""

    def __init__(self, flag="", hard=False, levels=(0.1, 0.5, 0.9), log="auto"):
        self.flag = flag
        self.hard = hard
        self.levels = levels
        self.log = log

    def _fit(self, panel, horizon):
        if len(panel) > 80 and Path(self.flag).exists():
            if self.hard:
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("broken")
        super()._fit(panel, horizon)


@pytest.mark.parametrize("hard", [False, True], ids=["an error", "a worker killed"])
def test_what_broke_is_gone_on_with_when_it_is_mended(hard, tmp_path):
    flag = tmp_path / "flag"
    flag.touch()
    two = {"drift": fc.Drift(), "breaks": Breaks(str(flag), hard)}

    def go(**options):
        return fc.backtest(two, walks(rows=90), CV, out=tmp_path / "run", n_jobs=2 if hard else 1, **options)

    said = r"^a process ended unexpectedly \(.*SIGKILL.*with n_jobs" if hard else "^broken"
    with pytest.raises(ChildProcessError if hard else RuntimeError, match=said) as broke:
        go()
    assert any("are kept: resume goes on from there" in note for note in broke.value.__notes__)
    flag.unlink()
    go(resume=True)
    fc.backtest(two, walks(rows=90), CV, out=tmp_path / "whole")
    assert forecasts(tmp_path / "run") == forecasts(tmp_path / "whole")


def test_a_part_that_fails_leaves_no_forecast_of_the_whole(tmp_path):
    flag = tmp_path / "flag"
    flag.touch()
    result = fc.backtest({"pair": fc.Ensemble([fc.Drift(), Breaks(str(flag))])}, walks(rows=90), CV, on_error="record")
    failed = result.fits[result.fits["error"] != ""]
    assert set(failed["error"]) == {"RuntimeError: broken"}
    assert set(failed["member"]) == {2}
    pair = result.forecasts[result.forecasts["model"] == "pair"]
    assert pair["cutoff"].nunique() == 8 - len(failed)


KILLED = """
import sys
sys.path.insert(0, {tests!r})
import test_engine
test_engine.run({place!r}, warm={warm}, resume=True, n_jobs={jobs})
"""


def test_killed_at_random_moments(whole, tmp_path):
    """Twenty runs, each killed somewhere on its way by a signal that nothing can catch, then gone on with."""
    warm, _, folder = whole
    luck = random.Random(0)
    start = time.perf_counter()
    run(tmp_path / "timed", warm=warm)
    length = time.perf_counter() - start
    hit = 0
    for trial in range(10):  # cold and warm make twenty
        place = tmp_path / f"run{trial}"
        child = os.fork()
        if child == 0:
            try:
                run(place, warm=warm)
            finally:
                os._exit(0)
        time.sleep(luck.uniform(0, length))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        hit += os.WIFSIGNALED(status) and not place.exists()
        run(place, warm=warm, resume=True)
        assert forecasts(place) == forecasts(folder)
    assert hit >= 5
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["timed", *[f"run{i}" for i in range(10)]])


def test_killed_with_processes_of_its_own(whole, tmp_path):
    warm, _, folder = whole
    place = tmp_path / "run"
    code = KILLED.format(tests=str(Path(__file__).parents[1]), place=str(place), warm=warm, jobs=2)
    child = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".run.units/*.npz")) and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [
        process for process in psutil.Process(child.pid).children() if "LokyProcess" in " ".join(process.cmdline())
    ]
    assert len(workers) == 2
    child.kill()
    child.wait()
    assert not place.exists()
    run(place, warm=warm, resume=True)
    assert forecasts(place) == forecasts(folder)
    _, left = psutil.wait_procs(workers, timeout=20)
    assert not left  # they end with the run that started them


@pytest.mark.parametrize("wrong", [{"warm": "yes"}, {"resume": 1}])
def test_switches_are_true_or_false(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be one of True, False"):
        run(**wrong)


def test_a_client_is_one():
    with pytest.raises(TypeError, match="client must be a Dask client"):
        run(client="tcp://127.0.0.1:8786")


class Mapped(Naive):
    """Says whether the prices lie in a file that the processes share."""

    def _fit(self, panel, horizon):
        super()._fit(panel, horizon)
        base = panel.values
        while base is not None and not isinstance(base, np.memmap):
            base = base.base
        self.record_ = {"mapped": base is not None, "writeable": bool(panel.values.flags.writeable)}


def test_prices_are_mapped_into_the_processes():
    result = fc.backtest({"mapped": Mapped()}, walks(rows=2000, series=10), CV, n_jobs=2)
    told = result.fits.loc[result.fits["model"] == "mapped", "details"]
    assert set(told) == {'{"mapped": true, "writeable": false}'}


class Chain:
    """Not of ours: fits on from its last fit, and cannot be saved."""

    def __init__(self, warm_start=False):
        self.warm_start = warm_start

    def get_params(self, deep=True):
        return {"warm_start": self.warm_start}

    def set_params(self, warm_start):
        self.warm_start = warm_start
        return self

    def fit(self, prices, horizon):
        self.horizon = horizon
        self.fits = getattr(self, "fits", 0) + 1 if self.warm_start else 1
        return self

    def predict_at(self, prices, cutoffs):
        last = prices.target[cutoffs][:, :, None] + self.fits
        return Forecast(np.repeat(last, self.horizon, axis=2), None, (), prices.series, prices.index[cutoffs])


def test_a_chain_that_cannot_be_saved_begins_anew(tmp_path):
    prices = walks(rows=90)

    def go(place, **options):
        return fc.backtest({"chain": Chain()}, prices, CV, warm=True, refit=2, out=place, **options)

    result = go(tmp_path / "whole")
    chain = result.forecasts[result.forecasts["model"] == "chain"]
    added = (chain["y_hat"] - chain["y0"]).round(6).groupby(chain["cutoff"]).first()
    assert added.tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "run", progress=stopped_after(5, KeyboardInterrupt()))
    go(tmp_path / "run", resume=True)
    assert forecasts(tmp_path / "run") == forecasts(tmp_path / "whole")


OF_A_SCRIPT = """
import numpy as np, forecast as fc
class Mine(fc.Forecaster):
    def _fit(self, panel, horizon):
        self.mean_ = np.nanmean(panel.target, axis=0)
    def _predict(self, panel):
        point = np.repeat(self.mean_[None, :, None], self.horizon_, axis=2)
        return fc.Forecast(point, None, (), panel.series, panel.index[-1:])
if __name__ == "__main__":
    y = np.random.default_rng(0).normal(10, 1, 80)
    runs = [fc.backtest({"m": Mine()}, y, fc.WalkForward(3, 4), n_jobs=jobs).forecasts for jobs in (1, 2)]
    assert runs[0].equals(runs[1])
    print("same")
"""


def test_a_model_of_a_script_runs_in_other_processes(tmp_path):
    (tmp_path / "script.py").write_text(OF_A_SCRIPT)
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=False)
    assert done.stdout == "same\n", done.stderr


def test_nothing_at_any_cutoff_is_said():
    y = np.random.default_rng(0).normal(10, 1, 150)
    y[[129, 134, 139, 144]] = np.nan
    with pytest.raises(ValueError, match="no series has a value at any cutoff"):
        fc.backtest({"ridge": fc.Tabular(log=False)}, y, fc.WalkForward(5, n_windows=4))
