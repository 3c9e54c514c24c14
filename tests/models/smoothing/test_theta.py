"""The dynamic optimised Theta model, compared with the recursions of its publication."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.quick import walks
from scipy.optimize import minimize
from statsmodels.tsa.seasonal import seasonal_decompose

import forecast as fc
from forecast.models.smoothing.seasonality import is_seasonal, seasonal_indices
from forecast.models.smoothing.theta import BURN_IN, RIDGE, fit_theta


def _trending(rows=80, seed=0):
    rng = np.random.default_rng(seed)
    return 50 + 0.3 * np.arange(rows) + np.cumsum(rng.normal(0, 0.7, rows)) + rng.normal(0, 0.5, rows)


def _published(y, alpha, level, weight, horizon):
    """Return the one-step errors and forecasts by the equations of Fiorucci et al. (2016); weight is 1 - 1 / theta."""
    mean = intercept = slope = 0.0
    errors, forecasts = [], []
    for t in range(1, len(y) + horizon + 1):
        decay = 1 - alpha
        point = level + weight * (decay ** (t - 1) * intercept + (1 - decay**t) / alpha * slope)
        value = y[t - 1] if t <= len(y) else point
        (errors if t <= len(y) else forecasts).append(value - point if t <= len(y) else point)
        level = alpha * value + decay * level
        slope = 0.0 if t == 1 else ((t - 2) * slope + 6 / t * (value - mean)) / (t + 1)
        mean = ((t - 1) * mean + value) / t
        intercept = mean - (t + 1) / 2 * slope
    return np.array(errors), np.array(forecasts)


@pytest.mark.parametrize("rows", [20, 80])
def test_forecasts_are_those_of_the_published_equations(rows):
    y = _trending(rows)
    model = fc.Theta(log=False).fit(y[: rows - 5], 7)
    fit = model.fits_["y"]
    for row in (rows - 6, rows - 1):
        z = (y[: row + 1] - fit.offset) / fit.scale
        _, expected = _published(z, fit.alpha, fit.level, fit.weight, 7)
        np.testing.assert_allclose(model.predict_at(y, [row]).point[0, 0], expected * fit.scale + fit.offset, rtol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_no_other_search_finds_smaller_errors(seed):
    y = _trending(30 + 10 * seed, seed)
    fit = fit_theta(y, 1, multiply=False)
    z = (y - fit.offset) / fit.scale

    def total(params):
        alpha, level, weight = params
        errors, _ = _published(z, alpha, level, weight, 0)
        return np.square(errors[BURN_IN:]).sum() + RIDGE * level**2

    ours = total([fit.alpha, fit.level, fit.weight])
    for start in ([0.2, 0, 0.5], [0.5, 0, 0.1], [0.8, 1, 0.9]):
        bounds = [(0.2, 1), (None, None), (0, 1)]
        assert ours <= minimize(total, start, bounds=bounds, method="L-BFGS-B").fun * (1 + 1e-3)


@pytest.mark.parametrize("m", [4, 5, 12])
@pytest.mark.parametrize("multiply", [True, False])
def test_indices_are_those_of_the_classical_decomposition(m, multiply):
    y = _trending() + 5 * np.tile(np.sin(np.arange(m)), 80)[:80]
    model = "multiplicative" if multiply else "additive"
    expected = seasonal_decompose(y, model, period=m).seasonal[:m]
    np.testing.assert_allclose(seasonal_indices(y, m, multiply), expected, rtol=1e-10)


def test_season_is_found_where_there_is_one():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(500, 60))
    assert np.mean([is_seasonal(y, 6) for y in noise]) < 0.2
    season = np.tile([3.0, 1, -2, 0, -3, 1], 10)
    assert np.mean([is_seasonal(y + season, 6) for y in noise]) > 0.95
    assert not is_seasonal(season[:17], 6)  # fewer than three seasons


def test_season_is_a_factor_or_added():
    t = np.arange(96)
    growing = 100 * 1.01**t * (1 + 0.4 * np.sin(2 * np.pi * t / 12))
    model = fc.Theta(m=12).fit(growing[:84], 12)
    np.testing.assert_allclose(model.predict(growing[:84]).point[0, 0], growing[84:], rtol=0.04)
    assert model.fits_["y"].multiplies
    assert not fc.Theta(m=12, log=False).fit(growing, 12).fits_["y"].multiplies
    constant = 100 + t + 40 * np.sin(2 * np.pi * t / 12)
    assert not fc.Theta(m=12).fit(constant, 12).fits_["y"].multiplies


def test_forecasts_of_a_falling_positive_series_stay_positive():
    y = np.linspace(100, 5, 40) + np.random.default_rng(0).normal(0, 0.1, 40)
    assert (fc.Theta().fit(y, 30).predict(y).quantiles > 0).all()


def test_constant_series_is_forecast_by_its_value():
    y = np.full(30, 7.25)
    for log in (False, True, "auto"):
        np.testing.assert_allclose(fc.Theta(log=log, m=4).fit(y, 3).predict(y).point, 7.25, rtol=1e-14)


def test_parameters_are_checked():
    with pytest.raises(TypeError, match="m must be a whole number"):
        fc.Theta(m=1.5).fit(walks(), 2)
