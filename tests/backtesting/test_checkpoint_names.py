"""A stored fit is used by another run only if that would compute the same: what its name in the checkpoint hashes."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.quick import walks
from pandas.testing import assert_frame_equal

import forecast as fc
from forecast.backtesting import checkpoint as module
from forecast.backtesting.checkpoint import Checkpoint
from forecast.backtesting.tasks import make_periods, make_tasks, run_task
from forecast.data.panel import as_panel
from forecast.models.naive import Naive
from forecast.models.registry import CLASSES


class Everything(Naive):
    """Forecasts a number that depends on every value, date and name that it gets, at the fit and at each cutoff."""

    def __init__(self, factor=1.0, warm_start=False, levels=(0.1, 0.5, 0.9), log="auto"):
        self.factor = factor
        self.warm_start = warm_start
        self.levels = levels
        self.log = log

    def min_rows(self, horizon):
        return 5

    @staticmethod
    def _digest(panel, rows):
        values = np.nan_to_num(panel.values[:rows], nan=-1.0)
        weights = np.sin(1.0 + np.arange(values.size)).reshape(values.shape)
        dates = sum(hash(date) % 1009 for date in panel.index[:rows].astype("int64").tolist())
        names = sum(ord(letter) * 31**k % 997 for k, letter in enumerate("|".join((*panel.series, *panel.channels))))
        return float((values * weights).sum()) + 1e-3 * dates + 1e-3 * names

    def _fit(self, panel, horizon):
        before = getattr(self, "sum_", 0.0) if self.warm_start else 0.0
        super()._fit(panel, horizon)
        self.sum_ = 0.5 * before + self.factor * self._digest(panel, len(panel)) + horizon

    def _predict_point_at(self, panel, rows):
        point = super()._predict_point_at(panel, rows)
        return point + self.sum_ + np.array([self._digest(panel, row + 1) for row in rows])[:, None, None]

    def _predict_at(self, panel, rows):
        forecast = super()._predict_at(panel, rows)
        return replace(forecast, point=self._predict_point_at(panel, rows), quantiles=None, levels=())


def definition(**changes):
    """Return what defines a run: prices, split, models and settings."""
    base = {"prices": walks(rows=70, series=2), "cv": {"horizon": 2, "n_windows": 6}, "factor": 1.0, "refit": 2}
    return base | {"warm": False} | changes


def start(run, **options):
    models = {"all": Everything(run["factor"])}
    cv = fc.WalkForward(**run["cv"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fc.backtest(models, run["prices"], cv, refit=run["refit"], warm=run["warm"], **options)


def value_changed(row, column=0, by=1.0):
    prices = walks(rows=70, series=2)
    prices.iloc[row, column] += by
    return prices


def shifted_dates(first):
    prices = walks(rows=70, series=2)
    prices.index = [*prices.index[:first], *(prices.index[first:] + pd.Timedelta(days=1))]
    return prices


def with_missing(row):
    return value_changed(row, 1, np.nan)


BASE = {"horizon": 2, "n_windows": 6}
CHANGES = {
    **{f"a value of row {row}": {"prices": value_changed(row)} for row in (0, 20, 50, 57, 58, 59, 60, 61, 63, 66, 69)},
    **{f"a missing value in row {row}": {"prices": with_missing(row)} for row in (3, 58, 61, 66)},
    **{f"dates from row {row}": {"prices": shifted_dates(row)} for row in (1, 57, 60, 64, 69)},
    "two more rows": {"prices": walks(rows=72, series=2)},
    "two rows fewer": {"prices": walks(rows=70, series=2).iloc[:-2]},
    "other first rows": {"prices": walks(rows=70, series=2).iloc[3:]},
    "one series fewer": {"prices": walks(rows=70, series=2)[["S0"]]},
    "series in another order": {"prices": walks(rows=70, series=2)[["S1", "S0"]]},
    "names of series": {"prices": walks(rows=70, series=2).set_axis(["S0", "T1"], axis=1)},
    "horizon": {"cv": BASE | {"horizon": 1, "step_size": 2}},
    "windows": {"cv": BASE | {"n_windows": 4}},
    "step size": {"cv": BASE | {"step_size": 1}},
    "train size": {"cv": BASE | {"train_size": 30}},
    "embargo": {"cv": BASE | {"embargo": 1}},
    "refit": {"refit": 3},
    "a parameter": {"factor": 2.0},
    "what is forecast": {"channel": "return"},
}


def computed(run):
    """Yield the name of each fit of a run with the bytes that it computes."""
    panel = as_panel(run["prices"])
    if "channel" in run:
        panel = replace(panel, channels=(run["channel"],))
    cv = fc.WalkForward(**run["cv"])
    periods = make_periods(list(cv.split(panel)), run["refit"])
    tasks = make_tasks({"all": Everything(run["factor"])}, periods, 10, run["warm"])
    names = Checkpoint("unused", tasks, panel, cv.horizon).names
    previous = None
    for task in tasks:
        result = run_task(task, panel, cv.horizon, "raise", previous)
        previous = result.model
        yield names[task.key], result.forecast.point.tobytes()


@pytest.mark.medium
def test_fits_of_the_same_name_compute_the_same():
    """All runs differ in one respect, and some share fits."""
    by_name, by_run = {}, []
    for warm in (False, True):
        for change in ({}, *CHANGES.values()):
            by_run.append(dict(computed(definition(warm=warm, **change))))
            for name, result in by_run[-1].items():
                assert by_name.setdefault(name, result) == result, change
    assert len(by_name) < sum(map(len, by_run)) - 30


@pytest.mark.slow
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("change", ["a value of row 63", "a missing value in row 66", "dates from row 60"])
def test_a_run_resumed_after_a_change_is_that_of_a_fresh_run(change, warm, tmp_path, monkeypatch):
    monkeypatch.setitem(CLASSES, "Everything", Everything.__module__)  # so that fits of a chain are stored
    one, other = definition(warm=warm), definition(warm=warm, **CHANGES[change])
    for before, after in ((one, other), (other, one)):
        folder = tmp_path / str(before is one)

        def stop(done, total):
            if done == total - 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            start(before, out=folder, progress=stop)
        resumed, fresh = start(after, out=folder, resume=True), start(after)
        assert_frame_equal(resumed.forecasts, fresh.forecasts, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["a value of row 58", "windows", "train size", "refit"])
def test_a_run_of_which_no_fit_remains_valid_is_not_resumed(change, tmp_path):
    def stop(done, total):
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(definition(), out=tmp_path / "run", progress=stop)
    with pytest.raises(ValueError, match="none of the 5 stored fits can be used"):
        start(definition(**CHANGES[change]), out=tmp_path / "run", resume=True)
    start(definition(), out=tmp_path / "run", resume=True)


def names(panel=None, cv=None, model=None, refit=2, min_train_rows=10, warm=False):
    panel = as_panel(walks(rows=70, series=2)) if panel is None else panel
    cv = fc.WalkForward(2, 6) if cv is None else cv
    periods = make_periods(list(cv.split(panel)), refit)
    tasks = make_tasks({"m": model or Everything(warm_start=False)}, periods, min_train_rows, warm)
    return Checkpoint("unused", tasks, panel, cv.horizon).names


def test_each_period_has_a_name_of_its_own_and_later_rows_change_no_earlier_name():
    panel, changed = as_panel(walks(rows=70, series=2)), as_panel(value_changed(64))
    for warm in (False, True):
        before, after = names(panel, warm=warm), names(changed, warm=warm)
        assert len(set(before.values())) == 3
        assert [before[key] == after[key] for key in sorted(before)] == [True, True, False]


def test_versions_and_rows_for_training_count(monkeypatch):
    before = set(names().values())
    assert not before & set(names(min_train_rows=11).values())
    versions = module.versions()
    for name in versions:
        monkeypatch.setattr(module, "versions", lambda name=name: versions | {name: "0.0"})
        assert not before & set(names().values()), name


def test_what_a_fit_computes_with_later_rows_is_not_that_of_an_earlier_cutoff():
    """The same cutoffs in periods of another length: the model sees a longer history, so it is another task."""
    short, long = names(refit=2), names(refit=3)
    assert not set(short.values()) & set(long.values())
    first, one = names(refit=1), names(refit=6)
    assert not set(first.values()) & set(one.values())


@pytest.mark.parametrize("chained", [False, True])
def test_horizon_cutoffs_and_the_fits_before_in_a_chain_count(chained):
    panel = as_panel(walks(rows=70, series=2))
    periods = make_periods(list(fc.WalkForward(2, 6).split(panel)), 3)

    def of(periods, horizon=2):
        tasks = make_tasks({"m": Everything()}, periods, 10, chained)
        return [*Checkpoint("unused", tasks, panel, horizon).names.values()]

    before = of(periods)
    assert not {*before} & {*of(periods, horizon=3)}
    without = [replace(period, folds=(period.folds[0], period.folds[2])) for period in periods]
    assert not {*before} & {*of(without)}
    assert (of([without[0], periods[1]])[1] != before[1]) == chained
