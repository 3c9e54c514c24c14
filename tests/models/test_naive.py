"""The forecast 0."""

from __future__ import annotations

import numpy as np
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
