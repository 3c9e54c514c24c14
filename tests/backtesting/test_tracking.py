"""A run in MLflow, through a module that has the documented functions which are called: MLflow needs other pins."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from helpers.quick import walks

import forecast as fc


class Tracking(SimpleNamespace):
    """What MLflow stores of a run, by the documented names and arguments of its functions."""

    def __init__(self, folder):
        super().__init__(folder=folder, params={}, metrics={}, tags={}, names=[])

    def active_run(self):
        return None

    @contextmanager
    def start_run(self, run_name=None, nested=False):
        self.names.append((run_name, nested))
        yield SimpleNamespace(info=SimpleNamespace(run_id="abc"))

    def log_params(self, params):
        assert all(len(value) <= 500 for value in params.values())
        self.params |= params

    def log_metrics(self, metrics):
        self.metrics |= metrics

    def set_tag(self, key, value):
        self.tags[key] = value

    def log_artifacts(self, local_dir, artifact_path=None):
        shutil.copytree(local_dir, self.folder / artifact_path)


@pytest.fixture
def result():
    models = {"drift": fc.Drift(), "a:b": fc.WindowMean(3)}
    return fc.backtest(models, walks(80), fc.WalkForward(horizon=2, n_windows=12), refit=12)


def test_run_is_logged_with_settings_scores_verdict_and_folder(result, tmp_path, monkeypatch):
    tracking = Tracking(tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow", tracking)
    assert result.to_mlflow("first") == "abc"
    assert tracking.names == [("first", False)]
    assert tracking.params["horizon"] == "2"
    assert "WindowMean" in tracking.params["model/a_b"]
    assert tracking.metrics["drift/rmse"] == pytest.approx(result.leaderboard().loc["drift", "rmse"])
    assert tracking.tags["verdict"].startswith("Where will it be")
    assert fc.BacktestResult.load(tmp_path / "run").forecasts.equals(result.forecasts)


def test_error_names_the_extra_without_mlflow(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ImportError, match=r"forecast\[mlflow\]"):
        result.to_mlflow()
