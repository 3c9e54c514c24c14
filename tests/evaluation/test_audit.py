"""The audit: every model passes, and every planted leak is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, series_for, walks
from sklearn.base import BaseEstimator

import forecast as fc
from forecast.models.naive import Naive

CV = fc.WalkForward(horizon=3, n_windows=6, step_size=4)


def _failed(report):
    return [row.check for row in report.table.itertuples() if row.passed is False]


@pytest.mark.slow
@pytest.mark.parametrize("name", fc.model_names())
def test_every_model_passes(name):
    report = fc.audit(quick(name), series_for(name, rows=160, late=True), CV)
    assert report.passed, str(report)
    checks = report.table.set_index("check")
    assert checks.loc["freshness", "passed"] is (
        True if "trainer" in vars(quick(name)) and "one-to" not in name else None
    )
    assert "depend on the scale" not in checks.loc["prices × 10", "detail"]
    assert len(checks) == 11


def _standardised(raw):
    return (raw - raw.mean()) / raw.std()


def _centred_average(raw):
    return raw.rolling(5, center=True, min_periods=1).mean()


def _interpolated(raw):
    return raw.interpolate(limit_direction="both")


@pytest.mark.slow
@pytest.mark.parametrize("prepare", [_standardised, _centred_average, _interpolated])
def test_leaks_in_the_preprocessing_are_found(prepare):
    report = fc.audit(fc.Drift(log=False), walks(), CV, prepare=prepare)
    assert not report.passed
    assert all(check.startswith("leakage") for check in _failed(report))
    if prepare is _interpolated:  # nothing is filled without a gap
        assert _failed(report) == ["leakage: scaling behind a gap"]
    else:
        assert "leakage: noise" in _failed(report)


def test_causal_preprocessing_passes():
    report = fc.audit(
        fc.Drift(log=False), walks(), CV, prepare=lambda raw: raw.ffill().rolling(3, min_periods=1).mean()
    )
    assert report.passed, str(report)


class Peeking(Naive):
    """Reads the rows between the cutoffs backwards, as a bidirectional aligned network would."""

    def _predict_at(self, panel, rows):
        forecast = super()._predict_at(panel, rows)
        behind = panel.target[::-1].cumsum(axis=0)[::-1][rows]  # (K, N): a backward state
        object.__setattr__(forecast, "point", forecast.point + 1e-4 * behind[:, :, None])
        return forecast


class Tuning(Naive):
    """Tunes a parameter on all rows that it receives for forecasting."""

    def _predict_at(self, panel, rows):
        changes = np.abs(np.diff(panel.target, axis=0))
        forecast = super()._predict_at(panel, rows)
        object.__setattr__(forecast, "point", forecast.point * (1 + 1e-3 * np.nanmean(changes)))
        return forecast


class Random(Naive):
    def _predict_at(self, panel, rows):
        forecast = super()._predict_at(panel, rows)
        object.__setattr__(forecast, "point", forecast.point * (1 + 1e-3 * np.random.default_rng().normal()))
        return forecast


class Counting(Naive):
    def _predict_at(self, panel, rows):
        self.calls_ = getattr(self, "calls_", 0) + 1
        return super()._predict_at(panel, rows)


@pytest.mark.slow
@pytest.mark.parametrize("model", [Peeking(), Tuning()], ids=["backwards", "tuned on later rows"])
def test_leaks_in_the_model_are_found(model):
    report = fc.audit(model, walks(), CV)
    assert "leakage: noise" in _failed(report)
    assert "many cutoffs at once" in _failed(report)


@pytest.mark.slow
def test_other_faults_are_found():
    assert "determinism" in _failed(fc.audit(Random(), walks(), CV))
    assert _failed(fc.audit(Counting(), walks(), CV)) == ["unchanged by forecasting"]


def test_a_stale_network_is_found():
    """Steps decoded from positions before the last, as in other toolkits."""
    model = quick("lstm-seq2seq").fit(walks(), 3)
    from forecast.models.recurrent.diagnostics import fresh_steps

    nets, batch = model.probe(walks())
    assert fresh_steps(nets[0], batch).all()

    class Stale(type(nets[0])):
        def forward(self, x, target=None, series=None):
            late = super().forward(x[:, :-1], target, series)
            now = super().forward(x, target, series)
            return (
                late[:, :, [0, 0, 0]] * 0
                + late * (late.new_tensor([0.0, 1.0, 1.0])[:, None])
                + now * (late.new_tensor([1.0, 0.0, 0.0])[:, None])
            )

    nets[0].__class__ = Stale
    assert fresh_steps(nets[0], batch).tolist() == [True, False, False]


class Plain(BaseEstimator):
    """Not a Forecaster: any object with `fit` and `predict`."""

    def fit(self, prices, horizon):
        self.inner_ = fc.Naive().fit(prices, horizon)
        return self

    def predict(self, prices):
        return self.inner_.predict(prices)


@pytest.mark.slow
def test_models_of_other_packages():
    report = fc.audit(Plain(), walks(), CV)
    assert report.passed, str(report)
    with pytest.raises(TypeError, match=r"must have fit\(prices, horizon\) and predict\(prices\)"):
        fc.audit(object(), walks(), CV)


@pytest.mark.slow
def test_rows_change_with_all_fields():
    """A range needs its High above its Low, also in changed rows."""
    raw = fc.load_sample("sp500", fields="all").iloc[-300:]
    report = fc.audit(fc.HAR(), raw, CV, prepare=fc.parkinson)
    assert report.passed, str(report)
    reads = fc.audit(fc.Tabular(exog=("Volume",)), raw, CV)
    assert reads.passed, str(reads)


def test_invalid_input():
    long = walks().stack().rename_axis(["ds", "unique_id"]).rename("y").reset_index()
    with pytest.raises(TypeError, match="needs a wide table of numbers; the column"):
        fc.audit(fc.Naive(), long, CV)
    with pytest.raises(ValueError, match="at least 3 cutoffs"):
        fc.audit(fc.Naive(), walks(), fc.WalkForward(horizon=3, n_windows=2))


@pytest.mark.slow
def test_report_as_text():
    report = fc.audit(fc.Drift(log=False), walks(), CV, prepare=_standardised)
    assert str(report).startswith("The audit is FAILED.\nFAILED  leakage: noise: forecasts up to 2015-")
    assert repr(report) == str(report)
    assert "<strong>The audit is FAILED.</strong>" in report._repr_html_()
    assert isinstance(report.table, pd.DataFrame)
