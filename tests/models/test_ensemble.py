"""Ensembles: combinations of their models' forecasts."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.quick import quick, variances, walks

import forecast as fc
from forecast.models.serialize import decode


@pytest.mark.parametrize("how", ["median", "mean"])
def test_forecasts_are_combined(how):
    prices = walks()
    models = [fc.Naive(), fc.Drift(), fc.SeasonalNaive(5)]
    ensemble = fc.Ensemble(models, how=how, levels=(0.2, 0.5, 0.8)).fit(prices.iloc[:130], 3)
    forecast = ensemble.predict_at(prices, [129, 150])
    parts = [type(m)(**m.get_params() | {"levels": (0.2, 0.5, 0.8)}).fit(prices.iloc[:130], 3) for m in models]
    parts = [m.predict_at(prices, [129, 150]) for m in parts]
    combine = np.median if how == "median" else np.mean
    np.testing.assert_allclose(forecast.quantiles, combine([f.quantiles for f in parts], axis=0))
    np.testing.assert_allclose(forecast.point, combine([f.point for f in parts], axis=0))
    np.testing.assert_array_equal(forecast.members, [f.point for f in parts])
    assert (np.diff(forecast.quantiles, axis=-1) > 0).all()


def test_backtest_does_not_change_the_models():
    models = [fc.Naive(), quick("lstm")]
    result = fc.backtest({"both": fc.Ensemble(models)}, walks(), fc.WalkForward(2, n_windows=3), refit=3)
    assert set(result.leaderboard().index) == {"naive", "both"}
    assert not hasattr(models[0], "horizon_")
    assert isinstance(decode(result.spec["models"]["both"]).models[1], fc.Recurrent)


def test_in_sample_validity_needs_all_models():
    assert fc.Ensemble([fc.Naive(), fc.SeasonalNaive(5)]).in_sample_is_valid
    assert not fc.Ensemble([fc.Naive(), fc.Recurrent()]).in_sample_is_valid
    prices = walks()
    base = fc.Ensemble([fc.SeasonalNaive(5), fc.SeasonalNaive(10)], how="mean")
    untrained = quick("gru", base=base, trainer=fc.Trainer(steps=0)).fit(prices, 4)
    np.testing.assert_allclose(untrained.predict(prices).point, base.fit(prices, 4).predict(prices).point, rtol=1e-12)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"models": []}, "models must be a list of forecasters"),
        ({"models": fc.Naive()}, "models must be a list of forecasters"),
        ({"models": [fc.Naive(), "arima"]}, "it holds 'arima'"),
        ({"models": [fc.Naive()], "how": "mode"}, "how must be one of 'median', 'mean'"),
        ({"models": [fc.SeasonalNaive(0)]}, "m must be at least 1"),
    ],
)
def test_parameters_are_checked(params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fc.Ensemble(**params).fit(walks(), 2)


def test_means_are_combined_as_means():
    """The point of variance models is a mean, not the median of the combined quantiles."""
    frame = variances()
    models = [fc.HAR(), fc.EWMA(), fc.GARCH()]
    forecast = fc.Ensemble(models, how="mean").fit(frame, 2).predict(frame)
    points = [model.fit(frame, 2).predict(frame).point for model in models]
    np.testing.assert_allclose(forecast.point, np.mean(points, axis=0))
    assert (forecast.point != forecast.quantiles[..., 1]).all()


class PointOnly(fc.Forecaster):
    """The newest row plus a constant, without quantiles."""

    def __init__(self, by=0.0):
        self.by = by

    def _fit(self, panel, horizon):
        pass

    def _predict(self, panel):
        point = np.repeat(panel.target[-1][None, :, None] + self.by, self.horizon_, axis=2)
        return fc.Forecast(point, None, (), panel.series, panel.index[-1:])


@pytest.mark.parametrize("models", [[PointOnly(), fc.Drift()], [fc.Drift(), PointOnly()]], ids=["first", "last"])
def test_models_without_quantiles_are_combined(models):
    prices = walks()
    forecast = fc.Ensemble(models).fit(prices, 2).predict(prices)
    assert forecast.quantiles is None
    points = [model.fit(prices, 2).predict(prices).point for model in models]
    np.testing.assert_allclose(forecast.point, np.median(points, axis=0))
    cv = fc.WalkForward(2, n_windows=3)
    result = fc.backtest({"both": fc.Ensemble(models), "conformal": fc.Conformal(fc.Ensemble(models))}, walks(), cv)
    coverage = result.scores().set_index(["model", "unique_id"])["coverage"]
    assert coverage["both"].isna().all()
    assert coverage["conformal"].notna().all()
    assert fc.tune(PointOnly(), {"by": [0.0, 9.0]}, prices, cv, refit=3).choices["chosen"].tolist() == ["by=0.0"]
