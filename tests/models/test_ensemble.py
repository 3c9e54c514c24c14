"""A model of models: what it says is made of what they say."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.quick import quick, variances, walks

import forecast as fc


@pytest.mark.parametrize("how", ["median", "mean"])
def test_it_combines_what_its_models_say(how):
    prices = walks()
    models = [fc.Naive(), fc.Drift(), fc.SeasonalNaive(5)]
    ensemble = fc.Ensemble(models, how=how, levels=(0.2, 0.5, 0.8)).fit(prices.iloc[:130], 3)
    said = ensemble.predict_at(prices, [129, 150])
    each = [type(m)(**m.get_params() | {"levels": (0.2, 0.5, 0.8)}).fit(prices.iloc[:130], 3) for m in models]
    each = [m.predict_at(prices, [129, 150]) for m in each]
    combine = np.median if how == "median" else np.mean
    np.testing.assert_allclose(said.quantiles, combine([f.quantiles for f in each], axis=0))
    np.testing.assert_allclose(said.point, combine([f.point for f in each], axis=0))
    np.testing.assert_array_equal(said.members, [f.point for f in each])
    assert (np.diff(said.quantiles, axis=-1) > 0).all()


def test_it_runs_in_a_backtest_and_its_models_stay_as_they_are():
    models = [fc.Naive(), quick("lstm")]
    result = fc.backtest({"both": fc.Ensemble(models)}, walks(), fc.WalkForward(2, n_windows=3), refit=3)
    assert set(result.leaderboard().index) == {"naive", "both"}
    assert not hasattr(models[0], "horizon_")
    assert result.spec["models"]["both"]["params"]["models"][1]["class"] == "Recurrent"


def test_it_can_be_a_base_and_is_honest_if_its_models_are():
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
    """Of variance models the point is a mean, and not the middle of the combined quantiles."""
    frame = variances()
    models = [fc.HAR(), fc.EWMA(), fc.GARCH()]
    forecast = fc.Ensemble(models, how="mean").fit(frame, 2).predict(frame)
    each = [model.fit(frame, 2).predict(frame).point for model in models]
    np.testing.assert_allclose(forecast.point, np.mean(each, axis=0))
    assert (forecast.point != forecast.quantiles[..., 1]).all()


class Plain(fc.Forecaster):
    """The newest row, moved, and nothing about how sure it is."""

    def __init__(self, by=0.0):
        self.by = by

    def _fit(self, panel, horizon):
        pass

    def _predict(self, panel):
        point = np.repeat(panel.target[-1][None, :, None] + self.by, self.horizon_, axis=2)
        return fc.Forecast(point, None, (), panel.series, panel.index[-1:])


@pytest.mark.parametrize("models", [[Plain(), fc.Drift()], [fc.Drift(), Plain()]], ids=["first", "last"])
def test_a_model_without_quantiles_takes_part(models):
    prices = walks()
    said = fc.Ensemble(models).fit(prices, 2).predict(prices)
    assert said.quantiles is None
    np.testing.assert_allclose(said.point, np.median([m.fit(prices, 2).predict(prices).point for m in models], axis=0))
    walk = fc.WalkForward(2, n_windows=3)
    result = fc.backtest({"both": fc.Ensemble(models), "sure": fc.Conformal(fc.Ensemble(models))}, walks(), walk)
    each = result.scores().set_index(["model", "unique_id"])["coverage"]
    assert each["both"].isna().all()
    assert each["sure"].notna().all()
    assert fc.tune(Plain(), {"by": [0.0, 9.0]}, prices, walk, refit=3).choices["chosen"].tolist() == ["by=0.0"]
