"""The forecast 0."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.quick import returns

import forecast as fc


def test_zero_is_exactly_zero_whatever_the_values():
    for values in (returns(), 1e9 * returns(), 1e6 + returns(rows=30), np.full(20, 7.3), np.zeros(20)):
        forecast = fc.Zero().fit(values, 4).predict(values)
        assert (forecast.point == 0).all()
        assert np.isfinite(forecast.quantiles).all()


def test_quantiles_of_zero_are_those_of_the_training_values_about_their_median():
    y = np.random.default_rng(0).standard_t(5, size=600)
    quantiles = fc.Zero(levels=(0.05, 0.5, 0.9)).fit(y, 1).predict(y).quantiles[0, 0, 0]
    expected = np.quantile(y, (0.05, 0.5, 0.9)) - np.median(y)
    assert quantiles[1] == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(quantiles, expected, rtol=0.2, atol=1e-12)  # relative to recent values, or not


def test_zero_never_works_in_logs():
    assert "log" not in fc.Zero().get_params()
    positive = np.random.default_rng(0).uniform(1, 2, 100)
    assert (fc.Zero().fit(positive, 2).predict(positive).point == 0).all()


def test_a_model_over_zero_nests_it():
    assert fc.Recurrent("lstm", base=fc.Zero()).nests(fc.Zero())
    assert not fc.Recurrent("lstm").nests(fc.Zero())
    assert not fc.Zero().nests(fc.Naive())
    assert not fc.Drift().nests(fc.Zero())


def test_a_seasonal_naive_finds_the_season_of_each_series():
    days = pd.date_range("2020-01-06", periods=210)
    rng = np.random.default_rng(0)
    week = np.tile([0.0, 1, 3, 2, -1, -4, -5], 30) + rng.normal(0, 0.5, 210) + 50
    both = pd.DataFrame({"week": week, "walk": 50 + rng.normal(0, 1, 210).cumsum()}, index=days)
    model = fc.SeasonalNaive().fit(both, 9)
    assert model.record_["season"] == {"week": 7, "walk": 1}
    forecast = model.predict(both)
    for name, alone in (("week", fc.SeasonalNaive(7)), ("walk", fc.Naive())):
        expected = alone.fit(both[[name]], 9).predict(both[[name]])
        np.testing.assert_allclose(forecast.point[:, [both.columns.get_loc(name)]], expected.point)
        np.testing.assert_allclose(forecast.quantiles[:, [both.columns.get_loc(name)]], expected.quantiles)
    undated = fc.SeasonalNaive().fit(week, 9)
    assert undated.predict(week).point.ravel() == pytest.approx(np.full(9, week[-1]))


@pytest.mark.parametrize(("m", "error"), [(0, ValueError), ("weekly", TypeError), (7.5, TypeError)])
def test_a_season_is_a_number_of_rows_or_auto(m, error):
    with pytest.raises(error, match="m must be"):
        fc.SeasonalNaive(m).fit(np.arange(30.0), 2)
