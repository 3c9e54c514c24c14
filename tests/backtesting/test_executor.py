"""Running the tasks: warm chains, members as tasks, several processes, and runs that are stopped and resumed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
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
from forecast.backtesting.executor import process_count
from forecast.backtesting.tasks import RefitPeriod, make_periods, make_tasks, run_task
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


def run(out=None, named=None, **options):
    return fc.backtest(named or models(), walks(rows=90, series=2), CV, refit=2, out=out, **options)


def forecasts(folder: Path) -> bytes:
    return (folder / _io.FORECASTS).read_bytes()


@pytest.fixture(scope="module", params=[False, True], ids=["cold", "warm"])
def complete(request, tmp_path_factory):
    """Whether the run is warm, its result, and its folder; it was never interrupted."""
    folder = tmp_path_factory.mktemp("complete") / "run"
    return request.param, run(folder, warm=request.param), folder


@pytest.mark.medium
def test_parts_fitted_separately_equal_the_model():
    prices = walks(rows=90, series=2)
    for model in (quick("lstm", members=3), quick("gru", members=2, point="mean"), quick("lstm-seq2seq", members=2)):
        fold = next(iter(fc.WalkForward(2, 1).split(prices)))
        at_once = model.fit(prices.iloc[fold.train], 2).predict(prices.iloc[fold.history])
        table = fc.backtest({"net": model}, prices, fc.WalkForward(2, 1)).forecasts
        net = table[(table["model"] == "net") & (table["member"] == 0)]
        np.testing.assert_array_equal(net["y_hat"], at_once.point.ravel())
        np.testing.assert_array_equal(net["q0.1"], at_once.quantiles[..., 0].ravel())


@pytest.mark.slow
def test_only_warm_fits_continue_from_the_last(complete):
    warm, result, _ = complete
    prices = walks(rows=90, series=2)
    folds = list(CV.split(prices))[::2]
    for name, model in (("arima", fc.ARIMA((1, 1, 1))), ("net", quick("lstm", members=2))):
        model.set_params(warm_start=warm)
        points = []
        for fold in folds:
            model.fit(prices.iloc[fold.train], 2)
            points.append(model.predict(prices.iloc[fold.history]).point[0])
        table = result.forecasts
        rows = table[(table["model"] == name) & (table["member"] == 0)]
        rows = rows[rows["cutoff"].isin([prices.index[fold.cutoff] for fold in folds])]
        np.testing.assert_array_equal(rows["y_hat"], np.ravel(points))


@pytest.mark.slow
def test_warm_start_changes_the_fit():
    cold, warm = run().forecasts, run(warm=True).forecasts
    changed = cold["y_hat"].ne(warm["y_hat"]).groupby([cold["model"], cold["cutoff"]], observed=True).any()
    early, late = walks(rows=90).index[[73, 87]]
    assert not changed.xs(early, level="cutoff").any()  # the first fit has no previous one
    assert changed.xs(late, level="cutoff")[["net", "pair"]].all()
    assert not changed.xs(late, level="cutoff")[["naive", "drift"]].any()


@pytest.mark.slow
def test_processes_change_no_byte(complete, tmp_path):
    warm, result, folder = complete
    two = run(tmp_path / "run", warm=warm, n_jobs=2)
    assert forecasts(tmp_path / "run") == forecasts(folder)
    seconds = ["seconds_fit", "seconds_predict"]
    assert_frame_equal(two.fits.drop(columns=seconds), result.fits.drop(columns=seconds))
    assert result.fits.groupby("model")["member"].agg(set).to_dict() == {
        "naive": {0}, "drift": {0}, "arima": {0}, "net": {1, 2}, "pair": {1, 2}
    }  # fmt: skip


class Warns(Naive):
    """Warns so often that another thread runs in between."""

    def _fit(self, panel, horizon):
        for i in range(9):
            warnings.warn(f"{i}", stacklevel=2)
            time.sleep(0.001)
        super()._fit(panel, horizon)


def deep():
    """A network with all kinds of random draws (weights, gates, dropout), long enough for threads to alternate."""
    trainer = fc.Trainer(steps=30, batch_size=8, lr=0.05)
    return quick("lstm", layers=2, dropout=0.3, gate_bias="chrono", members=2, n_jobs=2, trainer=trainer)


def test_periods_have_refit_folds_except_the_last():
    periods = make_periods(list(fc.WalkForward(1, 5).split(range(20))), refit=2)
    assert [(period.number, period.cutoffs.tolist()) for period in periods] == [(0, [14, 15]), (1, [16, 17]), (2, [18])]


@pytest.mark.slow
def test_threads_change_no_byte():
    panel = as_panel(walks(rows=90, series=2))
    folds = list(fc.WalkForward(2, 3).split(panel))
    periods = make_periods(folds, refit=1)
    tasks = make_tasks({"net": deep(), "warns": Warns()}, periods, 40, False)

    def result(task):
        return run_task(task, panel, 2, "raise")

    def fitted(seed):
        return deep().set_params(seed=seed, members=1).fit(panel, 2).predict(panel)

    serial = [result(task) for task in tasks]
    with ThreadPoolExecutor(3) as threads:
        threaded = list(threads.map(result, tasks))
        forecasts = list(threads.map(fitted, range(3)))
    for one, other in zip(serial, threaded, strict=True):
        np.testing.assert_array_equal(one.forecast.quantiles, other.forecast.quantiles)
        assert one.fit_info["warnings"] == other.fit_info["warnings"]
    for seed, forecast in enumerate(forecasts):
        np.testing.assert_array_equal(forecast.point, fitted(seed).point)


def test_models_start_no_processes_within_a_task():
    models = {
        "interval": fc.Conformal(deep()),
        "forest": fc.Tabular(RandomForestRegressor(n_jobs=-1)),
        "none": fc.Tabular(LinearRegression()),  # n_jobs=None would be that of a surrounding parallel_config
    }
    for task in make_tasks(models, [RefitPeriod(0, ())], 40, False):
        params = models[task.name].get_params()
        jobs = {name for name in params if name.endswith("n_jobs")}
        assert jobs
        in_task = task.model.get_params()
        assert {in_task[name] for name in jobs} == {1}
        assert {params[name] for name in jobs} <= {2, -1, None}  # the given models are not changed


class RecordsProcess(Naive):
    """Records the process in which it is fitted."""

    def _fit(self, panel, horizon):
        super()._fit(panel, horizon)
        self.record_ = {"process": os.getpid()}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "sequential"])
def test_joblib_configuration_does_not_change_the_backend(backend):
    with joblib.parallel_config(backend=backend):
        fits = run(named={"where": RecordsProcess()}, n_jobs=2).fits
    details = fits.loc[fits["model"] == "where", "details"].map(json.loads)
    assert os.getpid() not in {record["process"] for record in details}


class HasAttribute(fc.Drift):
    """Has an attribute `warm_start` that is not a parameter."""

    warm_start = False


def test_model_without_warm_start_parameter_starts_again():
    warm, cold = run(named={"drift": HasAttribute()}, warm=True), run(named={"drift": HasAttribute()})
    assert_frame_equal(warm.forecasts, cold.forecasts)


def stopped_after(done, error):
    def progress(now, total):
        if now == done:
            raise error

    return progress


@pytest.mark.slow
@pytest.mark.parametrize("done", [1, 9, 17, 27])
def test_stopped_run_is_resumed(done, complete, tmp_path):
    warm, _, expected = complete
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt) as stop:
        run(folder, warm=warm, progress=stopped_after(done, KeyboardInterrupt()))
    assert stop.value.__notes__ == [f"{done} of 28 fits are stored: resume=True continues from there"]
    assert not folder.exists()
    calls = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResumeWarning)
        run(folder, warm=warm, resume=True, progress=lambda now, total: calls.append(now))
    assert calls[0] in ((done + 1, 1) if warm else (done + 1,))
    assert forecasts(folder) == forecasts(expected)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.medium
def test_finished_fits_are_deleted_by_a_restart_only(tmp_path):
    folder, calls = tmp_path / "run", []
    with pytest.raises(RuntimeError):
        run(folder, progress=stopped_after(9, RuntimeError("stop")))
    with pytest.raises(ValueError, match=r"run holds an interrupted run with 9 finished fits: resume=True continues"):
        run(folder)
    run(folder, restart=True, progress=lambda now, total: calls.append(now))
    assert calls[0] == 1
    with pytest.raises(ValueError, match=r"run holds a finished run: resume=True .* restart=True replaces it"):
        run(folder)
    with pytest.raises(ValueError, match="choose one of them"):
        run(folder, resume=True, restart=True)


@pytest.mark.medium
def test_finished_run_is_returned(complete):
    warm, result, folder = complete

    def refuse(now, total):
        raise AssertionError("a fit was computed again")

    again = run(folder, warm=warm, resume=True, progress=refuse)
    assert_frame_equal(again.forecasts, result.forecasts)


@pytest.mark.medium
def test_changes_since_the_stop_are_reported(tmp_path):
    folder, prices = tmp_path / "run", walks(rows=90, series=2)
    changed = prices.copy()
    changed.iloc[80, 0] *= 2  # after the first two of four refit periods
    two = {"drift": fc.Drift(), "net": quick("lstm")}
    with pytest.raises(KeyboardInterrupt):
        fc.backtest(two, prices, CV, refit=2, out=folder, progress=stopped_after(11, KeyboardInterrupt()))
    message = r"^data, models.drift changed since the run was stopped: 4 of the 11 stored fits are used; the"
    with pytest.warns(ResumeWarning, match=message):
        fc.backtest(two | {"drift": fc.Drift(log=False)}, changed, CV, refit=2, out=folder, resume=True)
    two |= {"drift": fc.Drift(log=False)}
    fc.backtest(two, changed, CV, refit=2, out=tmp_path / "fresh")
    assert forecasts(folder) == forecasts(tmp_path / "fresh")
    with pytest.raises(ValueError, match=r"holds a finished run, and cv\.embargo changed since: restart=True"):
        fc.backtest(two, changed, fc.WalkForward(2, 8, embargo=1), refit=2, out=folder, resume=True)
    assert forecasts(folder) == forecasts(tmp_path / "fresh")
    with pytest.raises(ValueError, match="name it with out"):
        fc.backtest(two, prices, CV, resume=True)


@pytest.mark.slow
def test_damaged_result_runs_again(complete, tmp_path):
    warm, _, folder = complete
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", warm=warm, progress=stopped_after(20, KeyboardInterrupt()))
    for path in sorted((tmp_path / ".run.checkpoint").glob("*.npz"))[::3]:
        path.write_bytes(path.read_bytes()[:100])
    run(tmp_path / "run", warm=warm, resume=True)
    assert forecasts(tmp_path / "run") == forecasts(folder)


class Breaks(Naive):
    """Fails while a file exists; with `hard` its process is killed."""

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


@pytest.mark.slow
@pytest.mark.parametrize("hard", [False, True], ids=["an error", "a worker killed"])
def test_failed_run_is_resumed_after_the_repair(hard, tmp_path):
    flag = tmp_path / "flag"
    flag.touch()
    two = {"drift": fc.Drift(), "breaks": Breaks(str(flag), hard)}

    def start(**options):
        return fc.backtest(two, walks(rows=90), CV, out=tmp_path / "run", n_jobs=2 if hard else 1, **options)

    message = r"^a process ended unexpectedly \(.*SIGKILL.*fewer processes" if hard else "^broken"
    with pytest.raises(ChildProcessError if hard else RuntimeError, match=message) as error:
        start()
    assert any("are stored: resume=True continues from there" in note for note in error.value.__notes__)
    flag.unlink()
    start(resume=True)
    fc.backtest(two, walks(rows=90), CV, out=tmp_path / "complete")
    assert forecasts(tmp_path / "run") == forecasts(tmp_path / "complete")


def test_model_with_a_failed_part_has_no_forecast(tmp_path):
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
sys.path[:0] = {path!r}
import test_executor
test_executor.run({folder!r}, warm={warm}, resume=True, n_jobs={jobs})
"""


@pytest.mark.kill
def test_run_killed_at_random_moments_is_resumed(complete, tmp_path):
    """Runs are killed at random moments by a signal that cannot be caught, five before their end, and resumed."""
    warm, _, expected = complete
    rng = random.Random(0)
    start = time.perf_counter()
    run(tmp_path / "timed", warm=warm)
    seconds = time.perf_counter() - start
    killed_runs, trial = 0, 0
    while trial < 10 or (killed_runs < 5 and trial < 60):  # another run may take less time than that which was timed
        folder = tmp_path / f"run{trial}"
        child = os.fork()
        if child == 0:
            try:
                run(folder, warm=warm)
            finally:
                os._exit(0)
        time.sleep(rng.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if folder.exists():  # it had ended
            seconds *= 0.8
        killed_runs += os.WIFSIGNALED(status) and not folder.exists()
        run(folder, warm=warm, resume=True)
        assert forecasts(folder) == forecasts(expected)
        trial += 1
    assert killed_runs >= 5
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["timed", *[f"run{i}" for i in range(10)]])


@pytest.mark.kill
def test_worker_processes_end_with_a_killed_run(complete, tmp_path):
    warm, _, expected = complete
    folder = tmp_path / "run"
    here = Path(__file__).parent
    code = KILLED.format(path=[str(here), str(here.parent)], folder=str(folder), warm=warm, jobs=2)
    child = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob(".run.checkpoint/*.npz")) and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [
        process for process in psutil.Process(child.pid).children() if "LokyProcess" in " ".join(process.cmdline())
    ]
    assert len(workers) == 2
    child.kill()
    child.wait()
    assert not folder.exists()
    run(folder, warm=warm, resume=True)
    assert forecasts(folder) == forecasts(expected)
    _, running = psutil.wait_procs(workers, timeout=20)
    assert not running


@pytest.mark.parametrize("wrong", [{"warm": "yes"}, {"resume": 1}])
def test_switches_must_be_boolean(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be one of True, False"):
        run(**wrong)


def test_client_must_be_a_dask_client():
    with pytest.raises(TypeError, match="client must be a Dask client"):
        run(client="tcp://127.0.0.1:8786")


class Mapped(Naive):
    """Records whether the prices are in a file that the processes share."""

    def _fit(self, panel, horizon):
        super()._fit(panel, horizon)
        base = panel.values
        while base is not None and not isinstance(base, np.memmap):
            base = base.base
        self.record_ = {"mapped": base is not None, "writeable": bool(panel.values.flags.writeable)}


@pytest.mark.medium
def test_prices_are_memory_mapped():
    result = fc.backtest({"mapped": Mapped()}, walks(rows=2000, series=10), CV, n_jobs=2)
    details = result.fits.loc[result.fits["model"] == "mapped", "details"]
    assert set(details) == {'{"mapped": true, "writeable": false}'}


class Chain:
    """A model of another package that continues from its last fit, and cannot be saved."""

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


def test_chain_that_cannot_be_saved_starts_again(tmp_path):
    prices = walks(rows=90)

    def start(folder, **options):
        return fc.backtest({"chain": Chain()}, prices, CV, warm=True, refit=2, out=folder, **options)

    result = start(tmp_path / "complete")
    chain = result.forecasts[result.forecasts["model"] == "chain"]
    added = (chain["y_hat"] - chain["y0"]).round(6).groupby(chain["cutoff"]).first()
    assert added.tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "run", progress=stopped_after(5, KeyboardInterrupt()))
    start(tmp_path / "run", resume=True)
    assert forecasts(tmp_path / "run") == forecasts(tmp_path / "complete")


SCRIPT = """
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


@pytest.mark.slow
def test_model_defined_in_a_script_runs_in_processes(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=False)
    assert process.stdout == "same\n", process.stderr


def test_no_value_at_any_cutoff_is_an_error():
    y = np.random.default_rng(0).normal(10, 1, 150)
    y[[129, 134, 139, 144]] = np.nan
    with pytest.raises(ValueError, match="no series has a value at any cutoff"):
        fc.backtest({"ridge": fc.Tabular(log=False)}, y, fc.WalkForward(5, n_windows=4))


@pytest.mark.parametrize("n_jobs", [-99999, -1, 1, 2, 7, 99999, 10**30])
@pytest.mark.parametrize("n_tasks", [0, 1, 3, 10**6])
def test_no_more_processes_than_tasks_and_cores_allow(n_jobs, n_tasks):
    """A mistyped number would start processes until the memory is full."""
    count = process_count(n_jobs, n_tasks)
    assert 1 <= count <= max(min(n_tasks, 4 * joblib.cpu_count()), 1)
    assert count <= abs(n_jobs) or n_jobs < 0
    if 0 < n_jobs <= min(n_tasks, 4 * joblib.cpu_count()):
        assert count == n_jobs


def _models_of_a_notebook():
    """Return models whose classes are defined in a function, as those of a notebook's cells."""

    class Own(fc.Drift):
        def _predict_point_at(self, panel, rows):
            return super()._predict_point_at(panel, rows)

    class Foreign:
        def fit(self, panel, horizon):
            self.model = fc.Drift().fit(panel, horizon)

        def predict(self, panel):
            return self.model.predict(panel)

    return {"own": Own(), "foreign": Foreign()}


@pytest.mark.slow
def test_models_whose_class_is_in_a_function_run_in_processes_and_are_audited(tmp_path):
    here = run(named=_models_of_a_notebook())
    other = run(tmp_path / "run", named=_models_of_a_notebook(), n_jobs=2)
    assert_frame_equal(here.forecasts, other.forecasts)
    model = _models_of_a_notebook()["own"]
    checks = fc.audit(model, walks(rows=90, series=2), CV).table.set_index("check")["passed"]
    assert checks["unchanged by forecasting"] is True
    with pytest.raises(TypeError, match="only models of this package can be loaded"):
        model.fit(walks(), 2).save(tmp_path / "model")


def test_a_model_that_cannot_be_sent_to_a_process_is_named_with_the_reason():
    class Locked(fc.Drift):
        lock = threading.Lock()

    with pytest.raises(TypeError, match=r"locked cannot be sent .*cannot pickle '_thread.lock' object.*n_jobs=1"):
        run(named={"locked": Locked()}, n_jobs=2)
