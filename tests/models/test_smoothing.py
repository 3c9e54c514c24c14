"""Exponential smoothing, Theta and moving means, compared with statsmodels' forecasts and explicit computation."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers.quick import variances, walks
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel

import forecast as fc
from forecast.features.inputs import SERIES_PER_CHUNK
from forecast.models.smoothing import SHAPES, UNSTABLE


def _seasonal(rows=240, m=6, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(rows)
    return 50 + 0.1 * t + 8 * np.sin(2 * np.pi * t / m) + np.cumsum(rng.normal(0, 0.3, rows)) + rng.normal(0, 0.5, rows)


def _statsmodels_ets(shape, y):
    names = {"A": "add", "M": "mul", "N": None}
    season = names[shape[-1]]
    return ETSModel(
        y,
        error=names[shape[0]],
        trend=names[shape[1]],
        damped_trend="d" in shape,
        seasonal=season,
        seasonal_periods=6 if season else None,
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_forecasts_as_statsmodels_does(shape):
    """At later rows statsmodels continues its states with the parameters of the fit."""
    y = _seasonal()
    model = fc.ETS(shape, m=6, log=False).fit(y[:200], 8)
    fit = model.fits_["y"]
    forecast = model.predict_at(y, [199, 215, 239]).point[:, 0]
    for k, row in enumerate((199, 215, 239)):
        direct = _statsmodels_ets(shape, (y[: row + 1] - fit.offset) / fit.scale).smooth(fit.params).forecast(8)
        np.testing.assert_allclose(forecast[k], direct * fit.scale + fit.offset, rtol=1e-9)
    if shape not in UNSTABLE:
        own = _statsmodels_ets(shape, y[:200]).fit(disp=False)
        ours = _statsmodels_ets(shape, (y[:200] - fit.offset) / fit.scale).smooth(fit.params)
        assert ours.llf - 200 * np.log(fit.scale) >= own.llf - 1.5  # damped trends have several maxima


def test_auto_selects_the_lowest_aicc():
    y = _seasonal()
    record = fc.ETS(m=6, log=False).fit(y, 4).record_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tried = {s: fc.ETS(s, m=6, log=False).fit(y, 4).record_["aicc"]["y"] for s in SHAPES if s not in UNSTABLE}
    assert record["shape"]["y"] == min(tried, key=tried.get)
    assert record["shape"]["y"][-1] != "N"  # the season is found
    in_logs = fc.ETS(m=6).fit(y, 4).record_
    assert in_logs["log"] is True
    assert "M" not in in_logs["shape"]["y"]  # in logs, addition is multiplication
    assert fc.ETS().fit(y, 4).record_["shape"]["y"][-1] == "N"  # m=1: no season


def test_seasonal_smoothing_beats_the_seasonal_naive():
    y = _seasonal(400)
    rows = np.arange(300, 388)
    truth = np.stack([y[rows + k] for k in range(1, 13)], axis=1)

    def rmse(model):
        return np.sqrt(((model.fit(y[:301], 12).predict_at(y, rows).point[:, 0] - truth) ** 2).mean())

    naive = rmse(fc.SeasonalNaive(m=6))
    assert rmse(fc.ETS(m=6, log=False)) < naive
    assert rmse(fc.Theta(m=6, log=False)) < naive


def test_simple_smoothing_equals_its_recursion():
    y = walks(series=1)["S0"].to_numpy()
    model = fc.make_model("ses", log=False).fit(y[:120], 3)
    alpha, first = model.fits_["y"].params
    level = first * model.fits_["y"].scale + y[0]
    for value in y:
        level = alpha * value + (1 - alpha) * level
    np.testing.assert_allclose(model.predict(y).point[0, 0], level, rtol=1e-10)


@pytest.mark.parametrize("m", [1, 6])
def test_theta_equals_statsmodels(m):
    y = _seasonal()
    model = fc.Theta(m=m, log=False).fit(y[:200], 8)
    direct = ThetaModel(y[:200], period=m, deseasonalize=m > 1, method="additive").fit()
    np.testing.assert_allclose(model.predict(y[:200]).point[0, 0], direct.forecast(8), rtol=1e-6)
    if m == 1:  # at later rows: half the trend, and the smoothed level
        level, alpha = y[0], model.alpha_[0]
        for value in y:
            level = alpha * value + (1 - alpha) * level
        trend = np.arange(8) + (1 - (1 - alpha) ** 240) / alpha
        np.testing.assert_allclose(model.predict(y).point[0, 0], level + model.slope_[0] / 2 * trend, rtol=1e-9)


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


@pytest.mark.parametrize("model", [fc.ETS("AAN"), fc.Theta()], ids=["ets", "theta"])
def test_states_start_at_the_first_training_row(model):
    """A rolling fit forecasts from a longer history as from its own rows only."""
    frame = walks(rows=300, series=2)
    model.fit(frame.iloc[100:250], 4)
    alone, longer = model.predict(frame.iloc[100:280]), model.predict(frame.iloc[:280])
    np.testing.assert_allclose(alone.quantiles, longer.quantiles, rtol=1e-12)
    assert np.isnan(model.predict_at(frame, [50, 250]).point[0]).all()  # before the first training row


def test_fit_that_does_not_converge_is_counted(monkeypatch):
    original = ETSModel.fit

    def stop_early(self, **keywords):
        return original(self, maxiter=1, **keywords)

    monkeypatch.setattr(ETSModel, "fit", stop_early)
    result = fc.backtest({"ses": fc.ETS("ANN")}, walks(series=1), fc.WalkForward(horizon=2, n_windows=2), refit=2)
    fit = result.fits.query("model == 'ses'").iloc[0]
    assert fit["warnings"] >= 1
    assert "stopped short of a maximum" in fit["details"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fc.ETS("best"), "shape must be one of 'auto', 'ANN'"),
        (lambda: fc.ETS("AAA"), "set m to its number of rows"),
        (lambda: fc.ETS(m=0), "m must be at least 1"),
        (lambda: fc.Theta(m=1.5), "m must be a whole number"),
        (lambda: fc.WindowMean(0), "window must be at least 1"),
        (lambda: fc.MeanReversion(0), "window must be at least 1"),
    ],
)
def test_parameters_are_checked(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make().fit(walks(), 2)


def test_network_corrects_smoothing():
    frame = pd.DataFrame({"y": _seasonal()})
    model = fc.Recurrent("lstm", base=fc.ETS(m=6), hidden=4, lookback=12, trainer=fc.Trainer(steps=3)).fit(frame, 6)
    assert np.isfinite(model.predict(frame).quantiles).all()


def test_missing_first_training_row_shifts_no_season():
    """No value from before the training rows is used, so that the phase is that of training."""
    frame = pd.DataFrame(
        {"A": 100 + np.tile([0, 8, -3, 5, -10.0], 60)}, index=pd.bdate_range("2018-01-01", periods=300)
    )
    frame["A"] += 0.3 * np.random.default_rng(1).normal(size=300)
    frame.iloc[95, 0] = np.nan
    cv = fc.WalkForward(horizon=5, n_windows=1, train_size=200)
    board = fc.backtest({"ets": fc.ETS("ANA", m=5), "theta": fc.Theta(m=5)}, frame, cv).leaderboard()
    assert (board.loc[["ets", "theta"], "rmse"] < 0.6).all()


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e3, 1e6])
def test_forecasts_scale_with_the_series(factor):
    y = _seasonal()
    plain, scaled = (fc.ETS("ANA", m=6, log=False).fit(v, 3) for v in (y, y * factor))
    np.testing.assert_allclose(scaled.predict(y * factor).quantiles, plain.predict(y).quantiles * factor, rtol=1e-6)
    shift = 2 * len(y) * np.log(factor)
    assert scaled.record_["aicc"]["y"] - shift == pytest.approx(plain.record_["aicc"]["y"], abs=1e-2)


@pytest.mark.parametrize(
    "model", [fc.ETS("ANA", m=6), fc.Theta(m=6), fc.ARIMA((1, 0, 0), trend="ct")], ids=["ets", "theta", "arima"]
)
def test_history_without_first_training_row_is_refused(model):
    frame = pd.DataFrame({"A": _seasonal()}, index=pd.bdate_range("2018-01-01", periods=240))
    model.fit(frame, 3)
    with pytest.raises(ValueError, match=r"counts .*from 2018-01-01.*: pass the history from"):
        model.predict(frame.iloc[-100:])


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
