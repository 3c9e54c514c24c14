"""Moving means and reversion to them, compared with explicit computation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers.quick import variances, walks

import forecast as fc
from forecast.features.inputs import SERIES_PER_CHUNK


def test_window_mean_equals_the_mean():
    frame = walks(late=True)
    model = fc.WindowMean(10, log=False).fit(frame.iloc[:120], 2)
    forecast = model.predict_at(frame, [119, 159]).point
    for k, row in enumerate((119, 159)):
        expected = frame.to_numpy()[row - 9 : row + 1].mean(axis=0)
        np.testing.assert_allclose(forecast[k], np.repeat(expected[:, None], 2, axis=1), rtol=1e-12)
    geometric = fc.WindowMean(10).fit(frame.iloc[:120], 1).predict(frame).point[0, 0, 0]
    assert geometric == pytest.approx(np.exp(np.log(frame["S0"].to_numpy()[-10:]).mean()))


def test_mean_reversion_is_a_regression_on_the_gap():
    frame = np.log(variances(rows=300, late=True))
    model = fc.MeanReversion(40).fit(frame.iloc[:250], 3)
    gaps = frame.rolling(40, min_periods=1).mean() - frame
    for n, name in enumerate(frame):
        for k in (1, 2, 3):
            pairs = pd.concat([frame[name].diff(k).shift(-k), gaps[name]], axis=1).iloc[: 250 - k].dropna().to_numpy()
            fraction = sm.OLS(pairs[:, 0], pairs[:, 1]).fit().params[0]
            assert 0 < fraction < 1
            expected = frame[name].iloc[280] + fraction * gaps[name].iloc[280]
            assert model.predict_at(frame, [280]).point[0, n, k - 1] == pytest.approx(expected, rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [60, 300, 2000])
def test_mean_reversion_separates_returns_from_prices(rows):
    noise = np.random.default_rng(rows).normal(size=(rows, 1000))
    returns, prices = (fc.MeanReversion(log=False).fit(y, 2).fraction_ for y in (noise, noise.cumsum(axis=0)))
    assert returns.mean() > 0.9
    assert (prices > 0).any(axis=1).mean() < 0.02
    constant = np.full((rows, 1), 2.0)
    assert fc.MeanReversion().fit(constant, 2).predict(constant).point.tolist() == [[[2.0, 2.0]]]


@pytest.mark.parametrize(
    "make", [fc.Naive, fc.Drift, lambda: fc.SeasonalNaive(m=3), lambda: fc.WindowMean(7), fc.MeanReversion]
)
def test_many_series_are_forecast_as_each_alone(make):
    """Three chunks of series, the last of them not full."""
    prices = walks(rows=120, series=2 * SERIES_PER_CHUNK + 3)
    rows = [80, 100, 119]
    all_series = make().fit(prices.iloc[:100], 3).predict_at(prices, rows)
    for n, name in enumerate(prices):
        alone = make().fit(prices[[name]].iloc[:100], 3).predict_at(prices[[name]], rows)
        np.testing.assert_array_equal(all_series.point[:, [n]], alone.point)
        np.testing.assert_allclose(all_series.quantiles[:, [n]], alone.quantiles, rtol=1e-12)


@pytest.mark.parametrize("make", [lambda: fc.WindowMean(0), lambda: fc.MeanReversion(0)])
def test_window_is_checked(make):
    with pytest.raises(ValueError, match="window must be at least 1"):
        make().fit(walks(), 2)
