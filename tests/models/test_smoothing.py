"""Exponential smoothing, Theta and moving means against statsmodels' own forecasts and plain arithmetic."""

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


def _direct(shape, y):
    kinds = {"A": "add", "M": "mul", "N": None}
    season = kinds[shape[-1]]
    return ETSModel(
        y,
        error=kinds[shape[0]],
        trend=kinds[shape[1]],
        damped_trend="d" in shape,
        seasonal=season,
        seasonal_periods=6 if season else None,
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_forecasts_as_statsmodels_does(shape):
    """From the last training row its own forecast; later, that of its states carried on with frozen parameters."""
    y = _seasonal()
    model = fc.ETS(shape, m=6, log=False).fit(y[:200], 8)
    fit = model.fits_["y"]
    said = model.predict_at(y, [199, 215, 239]).point[:, 0]
    for k, row in enumerate((199, 215, 239)):
        direct = _direct(shape, (y[: row + 1] - fit.offset) / fit.scale).smooth(fit.params).forecast(8)
        np.testing.assert_allclose(said[k], direct * fit.scale + fit.offset, rtol=1e-9)
    if shape not in UNSTABLE:
        own = _direct(shape, y[:200]).fit(disp=False)
        ours = _direct(shape, (y[:200] - fit.offset) / fit.scale).smooth(fit.params)
        assert ours.llf - 200 * np.log(fit.scale) >= own.llf - 1.5  # damped trends have several summits


def test_auto_takes_the_lowest_aicc():
    y = _seasonal()
    record = fc.ETS(m=6, log=False).fit(y, 4).record_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tried = {s: fc.ETS(s, m=6, log=False).fit(y, 4).record_["aicc"]["y"] for s in SHAPES if s not in UNSTABLE}
    assert record["shape"]["y"] == min(tried, key=tried.get)
    assert record["shape"]["y"][-1] != "N"  # the season is seen
    in_logs = fc.ETS(m=6).fit(y, 4).record_
    assert in_logs["log"] is True
    assert "M" not in in_logs["shape"]["y"]  # in logs, adding is multiplying
    assert fc.ETS().fit(y, 4).record_["shape"]["y"][-1] == "N"  # no season is known


def test_seasonal_smoothing_beats_the_seasonal_naive():
    y = _seasonal(400)
    rows = np.arange(300, 388)
    truth = np.stack([y[rows + k] for k in range(1, 13)], axis=1)

    def rmse(model):
        return np.sqrt(((model.fit(y[:301], 12).predict_at(y, rows).point[:, 0] - truth) ** 2).mean())

    naive = rmse(fc.SeasonalNaive(m=6))
    assert rmse(fc.ETS(m=6, log=False)) < naive
    assert rmse(fc.Theta(m=6, log=False)) < naive


def test_simple_smoothing_is_its_recursion():
    y = walks(series=1)["S0"].to_numpy()
    model = fc.make_model("ses", log=False).fit(y[:120], 3)
    alpha, first = model.fits_["y"].params
    level = first * model.fits_["y"].scale + y[0]
    for value in y:
        level = alpha * value + (1 - alpha) * level
    np.testing.assert_allclose(model.predict(y).point[0, 0], level, rtol=1e-10)


@pytest.mark.parametrize("m", [1, 6])
def test_theta_is_statsmodels(m):
    y = _seasonal()
    model = fc.Theta(m=m, log=False).fit(y[:200], 8)
    direct = ThetaModel(y[:200], period=m, deseasonalize=m > 1, method="additive").fit()
    np.testing.assert_allclose(model.predict(y[:200]).point[0, 0], direct.forecast(8), rtol=1e-6)
    if m == 1:  # carried on by hand: half the trend, and the smoothed level
        level, alpha = y[0], model.alpha_[0]
        for value in y:
            level = alpha * value + (1 - alpha) * level
        ahead = np.arange(8) + (1 - (1 - alpha) ** 240) / alpha
        np.testing.assert_allclose(model.predict(y).point[0, 0], level + model.slope_[0] / 2 * ahead, rtol=1e-9)


def test_window_mean():
    frame = walks(late=True)
    model = fc.WindowMean(10, log=False).fit(frame.iloc[:120], 2)
    said = model.predict_at(frame, [119, 159]).point
    for k, row in enumerate((119, 159)):
        expected = frame.to_numpy()[row - 9 : row + 1].mean(axis=0)
        np.testing.assert_allclose(said[k], np.repeat(expected[:, None], 2, axis=1), rtol=1e-12)
    geometric = fc.WindowMean(10).fit(frame.iloc[:120], 1).predict(frame).point[0, 0, 0]
    assert geometric == pytest.approx(np.exp(np.log(frame["S0"].to_numpy()[-10:]).mean()))


def test_mean_reversion_is_a_regression_on_the_distance_from_the_mean():
    frame = np.log(variances(rows=300, late=True))
    model = fc.MeanReversion(40).fit(frame.iloc[:250], 3)
    gaps = frame.rolling(40, min_periods=1).mean() - frame
    for n, name in enumerate(frame):
        for k in (1, 2, 3):
            pairs = pd.concat([frame[name].diff(k).shift(-k), gaps[name]], axis=1).iloc[: 250 - k].dropna().to_numpy()
            closed = sm.OLS(pairs[:, 0], pairs[:, 1]).fit().params[0]
            assert 0 < closed < 1
            expected = frame[name].iloc[280] + closed * gaps[name].iloc[280]
            assert model.predict_at(frame, [280]).point[0, n, k - 1] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("rows", [60, 300, 2000])
def test_mean_reversion_tells_returns_from_prices(rows):
    noise = np.random.default_rng(rows).normal(size=(rows, 1000))
    returns, prices = (fc.MeanReversion(log=False).fit(y, 2).fraction_ for y in (noise, noise.cumsum(axis=0)))
    assert returns.mean() > 0.9
    assert (prices > 0).any(axis=1).mean() < 0.02
    still = np.full((rows, 1), 2.0)
    assert fc.MeanReversion().fit(still, 2).predict(still).point.tolist() == [[[2.0, 2.0]]]


@pytest.mark.parametrize("model", [fc.ETS("AAN"), fc.Theta()], ids=["ets", "theta"])
def test_states_count_from_the_first_training_row(model):
    """A rolling fit, asked with a longer history, forecasts as with its own rows alone."""
    frame = walks(rows=300, series=2)
    model.fit(frame.iloc[100:250], 4)
    alone, longer = model.predict(frame.iloc[100:280]), model.predict(frame.iloc[:280])
    np.testing.assert_allclose(alone.quantiles, longer.quantiles, rtol=1e-12)
    assert np.isnan(model.predict_at(frame, [50, 250]).point[0]).all()  # before it knew anything


def test_a_fit_that_stops_short_is_counted(monkeypatch):
    own = ETSModel.fit

    def short(self, **keywords):
        return own(self, maxiter=1, **keywords)

    monkeypatch.setattr(ETSModel, "fit", short)
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


def test_a_base_for_a_network():
    """Composition: a network that corrects smoothing."""
    frame = pd.DataFrame({"y": _seasonal()})
    model = fc.Recurrent("lstm", base=fc.ETS(m=6), hidden=4, lookback=12, trainer=fc.Trainer(steps=3)).fit(frame, 6)
    assert np.isfinite(model.predict(frame).quantiles).all()


def test_a_hole_in_the_first_training_row_moves_no_season():
    """Nothing is carried in from before the training rows: the phase counts as it did in training."""
    frame = pd.DataFrame(
        {"A": 100 + np.tile([0, 8, -3, 5, -10.0], 60)}, index=pd.bdate_range("2018-01-01", periods=300)
    )
    frame["A"] += 0.3 * np.random.default_rng(1).normal(size=300)
    frame.iloc[95, 0] = np.nan
    cv = fc.WalkForward(horizon=5, n_windows=1, train_size=200)
    board = fc.backtest({"ets": fc.ETS("ANA", m=5), "theta": fc.Theta(m=5)}, frame, cv).leaderboard()
    assert (board.loc[["ets", "theta"], "rmse"] < 0.6).all()


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1e3, 1e6])
def test_the_unit_does_not_matter(unit):
    y = _seasonal()
    ours, theirs = (fc.ETS("ANA", m=6, log=False).fit(v, 3) for v in (y, y * unit))
    np.testing.assert_allclose(theirs.predict(y * unit).quantiles, ours.predict(y).quantiles * unit, rtol=1e-6)
    shift = 2 * len(y) * np.log(unit)
    assert theirs.record_["aicc"]["y"] - shift == pytest.approx(ours.record_["aicc"]["y"], abs=1e-2)


@pytest.mark.parametrize(
    "model", [fc.ETS("ANA", m=6), fc.Theta(m=6), fc.ARIMA((1, 0, 0), trend="ct")], ids=["ets", "theta", "arima"]
)
def test_a_history_without_the_first_training_row_is_refused_where_rows_are_counted(model):
    frame = pd.DataFrame({"A": _seasonal()}, index=pd.bdate_range("2018-01-01", periods=240))
    model.fit(frame, 3)
    with pytest.raises(ValueError, match=r"counts .*from 2018-01-01.*: pass the history from"):
        model.predict(frame.iloc[-100:])


@pytest.mark.parametrize(
    "make", [fc.Naive, fc.Drift, lambda: fc.SeasonalNaive(m=3), lambda: fc.WindowMean(7), fc.MeanReversion]
)
def test_many_series_are_forecast_as_each_alone(make):
    """More of them than are worked on at a time, and the last part is not full."""
    prices = walks(rows=120, series=2 * SERIES_PER_CHUNK + 3)
    rows = [80, 100, 119]
    together = make().fit(prices.iloc[:100], 3).predict_at(prices, rows)
    for n, name in enumerate(prices):
        alone = make().fit(prices[[name]].iloc[:100], 3).predict_at(prices[[name]], rows)
        np.testing.assert_array_equal(together.point[:, [n]], alone.point)
        np.testing.assert_allclose(together.quantiles[:, [n]], alone.quantiles, rtol=1e-12)
