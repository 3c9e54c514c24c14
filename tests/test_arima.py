"""ARIMA against direct calls of statsmodels and published values."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from quick import walks
from statsmodels.tsa.arima.model import ARIMA as Direct

import forecast as fc

WWW_USAGE = (  # R's datasets::WWWusage, users of a server each minute (Makridakis, Wheelwright and Hyndman, 1998)
    "88 84 85 85 84 85 83 85 88 89 91 99 104 112 126 138 146 151 150 148 147 149 143 132 131 139 147 150 148 145 140 "
    "134 131 131 129 126 126 132 137 140 142 150 159 167 170 171 172 172 174 175 172 172 174 174 169 165 156 142 131 "
    "121 112 104 102 99 99 95 88 84 84 87 89 88 85 86 89 91 91 94 101 110 121 135 145 149 156 165 171 175 177 182 193 "
    "204 208 210 215 222 228 226 222 220"
)
CASES = [((1, 1, 1), None), ((2, 0, 1), "c"), ((0, 1, 1), "t"), ((1, 0, 0), "ct"), ((1, 0, 0), "n"), ((2, 1, 0), None)]


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(5)
    y = np.zeros(400)
    for t in range(1, 400):
        y[t] = 0.2 + 0.8 * y[t - 1] + rng.normal()
    return y + 5


def test_www_usage():
    """R's arima(WWWusage, c(1, 1, 1)): ar .6504, ma .5256, log-likelihood −254.15."""
    y = np.array(WWW_USAGE.split(), dtype=float)
    record = fc.ARIMA((1, 1, 1), log=False).fit(y, 1).record_
    assert record["params"]["y"]["ar.L1"] == pytest.approx(0.6504, abs=5e-4)
    assert record["params"]["y"]["ma.L1"] == pytest.approx(0.5256, abs=5e-4)
    assert record["loglike"]["y"] == pytest.approx(-254.15, abs=5e-3)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("order", "trend"), CASES)
@pytest.mark.parametrize("gap", [False, True])
def test_forecasts_equal_statsmodels(order, trend, gap, series):
    """Points and intervals at each cutoff: statsmodels' filter over the history, parameters and variance frozen."""
    y = series.copy()
    if gap:
        y[[50, 51, 320, 350]] = np.nan
    model = fc.ARIMA(order, trend=trend, log=False).fit(y[:300], 5)
    rows = [299, 320, 340, 390]
    forecast = model.predict_at(y, rows)
    (fit,) = model.fits_["y"]
    params = np.concatenate([fit.beta, fit.coefs, [fit.variance]])
    shift = y[0] if order[1] else 0.0  # a diffuse start forgets where it was, but only to rounding
    for k, row in enumerate(rows):
        direct = Direct(y[: row + 1] - shift, order=order, trend=trend)
        ahead = direct.filter(params).get_forecast(5)
        np.testing.assert_allclose(forecast.point[k, 0], ahead.predicted_mean + shift, rtol=1e-6)
        width = forecast.quantiles[k, 0, :, 2] - forecast.point[k, 0]
        np.testing.assert_allclose(width, 1.2815515655446004 * np.sqrt(ahead.var_pred_mean), rtol=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("order", "trend"), CASES)
def test_likelihood_is_at_least_that_of_statsmodels(order, trend, series):
    ours = fc.ARIMA(order, trend=trend, log=False).fit(series, 1).record_["loglike"]["y"]
    assert ours >= Direct(series, order=order, trend=trend, concentrate_scale=True).fit().llf - 1e-3


def test_log_prices_do_not_stop_at_a_random_walk():
    """The default scaling of statsmodels can stop at ar = ma = 0 on log prices and call it converged."""
    rng = np.random.default_rng(0)
    growth = np.zeros(1000)
    for t in range(1, 1000):
        growth[t] = 0.4 * growth[t - 1] + rng.normal(0, 0.01)
    prices = 100 * np.exp(growth.cumsum())
    record = fc.ARIMA((1, 1, 0)).fit(prices, 1).record_
    assert record["log"] is True
    assert record["params"]["y"]["ar.L1"] == pytest.approx(0.4, abs=0.08)


def test_variance_is_that_of_the_fit():
    """Later rows move the forecasts but not the variance of the shocks, which a refilter would estimate anew."""
    prices = walks(rows=300, series=1)
    stormy = prices.copy()
    stormy.iloc[200:] *= np.exp(np.random.default_rng(1).normal(0, 0.2, size=(100, 1)).cumsum(axis=0))
    model = fc.ARIMA((0, 1, 0)).fit(prices.iloc[:200], 1)
    calm, wild = model.predict_at(prices, [299]), model.predict_at(stormy, [299])
    ratio = [np.log(f.quantiles[0, 0, 0, 2] / f.quantiles[0, 0, 0, 0]) for f in (calm, wild)]
    assert ratio[0] == pytest.approx(ratio[1], rel=1e-6)


def test_random_walk_order_is_naive():
    prices = walks()
    forecast = fc.ARIMA((0, 1, 0)).fit(prices, 4).predict(prices)
    np.testing.assert_allclose(forecast.point[0], np.repeat(prices.to_numpy()[-1][:, None], 4, axis=1), rtol=1e-9)


def test_history_before_the_training_rows():
    """A rolling fit counts its trend from its own first row, whatever lies before it."""
    y = np.arange(200.0) * 0.5 + np.random.default_rng(2).normal(size=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forecast = fc.ARIMA((1, 0, 0), trend="ct", log=False).fit(_undated(y).iloc[100:180], 3).predict(_undated(y))
    np.testing.assert_allclose(forecast.point[0, 0], [100, 100.5, 101], atol=1.5)


def _undated(y):
    import pandas as pd

    return pd.DataFrame({"y": y})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"order": (1, 1)}, "three whole numbers"),
        ({"order": 3}, "three whole numbers"),
        ({"order": (1, -1, 0)}, "d of order must be at least 0"),
        ({"order": (1, 1.5, 0)}, "d of order must be a whole number"),
        ({"trend": "x"}, "trend must be one of"),
        ({"trend": "c"}, "lost in differencing"),
    ],
)
def test_parameters_are_checked(params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fc.ARIMA(**params).fit(walks(), 1)


def test_a_series_that_never_changes_is_named():
    prices = walks()
    prices["S1"] = 7.0
    with pytest.raises(ValueError, match="S1 never changes from 2015-01-01"):
        fc.ARIMA().fit(prices, 1)
