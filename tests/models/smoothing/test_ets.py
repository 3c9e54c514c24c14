"""Exponential smoothing, compared with statsmodels: the same forecasts, and at least the same likelihood."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.quick import walks
from sklearn.exceptions import ConvergenceWarning
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

import forecast as fc
from forecast.models.smoothing import optimum
from forecast.models.smoothing.optimum import find_optimum
from forecast.models.smoothing.shapes import SHAPES, Shape


def _seasonal(rows=240, m=6, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(rows)
    return 50 + 0.1 * t + 8 * np.sin(2 * np.pi * t / m) + np.cumsum(rng.normal(0, 0.3, rows)) + rng.normal(0, 0.5, rows)


def _statsmodels_ets(shape, y, m=6):
    names = {"A": "add", "M": "mul", "N": None}
    season = names[shape[-1]]
    return ETSModel(
        y,
        error=names[shape[0]],
        trend=names[shape[1]],
        damped_trend="d" in shape,
        seasonal=season,
        seasonal_periods=m if season else None,
    )


def _statsmodels_params(shape, params):
    """Return the parameters by statsmodels' convention: alpha, beta, gamma, phi, level, slope, newest phase first."""
    p = shape.n_smoothing
    alpha, beta, gamma, phi = shape.unpack(params[:p])
    smoothing = [alpha, *[beta] * shape.has_trend, *[gamma] * shape.has_season, *[phi] * shape.is_damped]
    level, slope, season = shape.first_states(params)
    return np.array([*smoothing, level, *[slope] * shape.has_trend, *(season[::-1] if shape.has_season else [])])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_forecasts_as_statsmodels_does(name):
    """From the same parameters, at the last training row and at later ones."""
    y = _seasonal()
    model = fc.ETS(name, m=6, log=False).fit(y[:120], 8)
    (fit,), shape = model.fits_["y"], Shape(name, 6)
    assert fit.shape == name
    fit.params[: shape.n_smoothing] = [0.3, 0.2, 0.25, 0.9][: shape.n_smoothing]  # at alpha = 1 theirs divides by 0
    if shape.is_damped:
        fit.params[shape.n_smoothing - 1] = 0.9
    forecast = model.predict_at(y, [119, 135, 239]).point[:, 0]
    for k, row in enumerate((119, 135, 239)):
        theirs = _statsmodels_ets(name, (y[: row + 1] - fit.offset) / fit.scale)
        direct = theirs.smooth(_statsmodels_params(shape, fit.params)).forecast(8)
        np.testing.assert_allclose(forecast[k], direct * fit.scale + fit.offset, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SHAPES)
def test_likelihood_is_at_least_that_of_statsmodels(name):
    """Of statsmodels' single start; on series with and without a trend, a season and an outlier."""
    for seed in range(6):
        y = _seasonal(48 + 24 * (seed % 3), seed=seed)
        y[20] *= 1 + 0.3 * (seed % 2)
        y = y[::-1] / y.mean() if seed > 3 else y / y.mean()
        found = find_optimum(Shape(name, 6), y)
        loglik = -len(y) / 2 * (np.log(2 * np.pi * found.total / len(y)) + 1)
        assert loglik >= _statsmodels_ets(name, y).fit(disp=False).llf - 0.1


def test_auto_weighs_forms_by_aic():
    y = _seasonal()
    record = fc.ETS(m=6, log=False).fit(y, 4).record_
    weights = record["shape"]["y"]
    assert sum(weights.values()) == pytest.approx(1, abs=1e-3)
    assert all(shape[0] == "A" and shape[-1] == "A" for shape in weights)  # nothing is multiplied; a season is found
    both = fc.ETS(m=6).fit(y, 4).record_["shape"]["y"]
    assert {label.split()[0] == "log" for label in both} <= {True, False}
    in_logs = fc.ETS(m=6, log=True).fit(y, 4).record_["shape"]["y"]
    assert all(label.startswith("log A") for label in in_logs)
    assert all(label[-1] == "N" for label in fc.ETS().fit(y, 4).record_["shape"]["y"])  # m=1: no season


def test_auto_is_the_weighted_mean_of_its_forms():
    y = _seasonal(60)
    auto = fc.ETS(m=6, log=False).fit(y, 4)
    weights = {fit.shape: fit.weight for fit in auto.fits_["y"]}
    single = {shape: fc.ETS(shape, m=6, log=False).fit(y, 4).predict(y).point for shape in weights}
    expected = sum(weight * single[shape] for shape, weight in weights.items())
    np.testing.assert_allclose(auto.predict(y).point, expected, rtol=1e-10)


def test_seasonal_smoothing_beats_the_seasonal_naive():
    y = _seasonal(400)
    rows = np.arange(300, 388)
    truth = np.stack([y[rows + k] for k in range(1, 13)], axis=1)

    def rmse(model):
        return np.sqrt(((model.fit(y[:301], 12).predict_at(y, rows).point[:, 0] - truth) ** 2).mean())

    naive = rmse(fc.SeasonalNaive(m=6))
    assert rmse(fc.ETS(m=6)) < naive
    assert rmse(fc.ETS(m=6, log=False)) < naive
    assert rmse(fc.Theta(m=6)) < naive
    assert rmse(fc.Theta(m=6, log=False)) < naive


def test_simple_smoothing_equals_its_recursion():
    y = walks(series=1)["S0"].to_numpy()
    model = fc.make_model("ses", log=False).fit(y[:120], 3)
    (fit,) = model.fits_["y"]
    alpha, first = fit.params
    level = first * fit.scale + fit.offset
    for value in y:
        level = alpha * value + (1 - alpha) * level
    np.testing.assert_allclose(model.predict(y).point[0, 0], level, rtol=1e-10)


@pytest.mark.parametrize("shape", ["auto", *SHAPES])
@pytest.mark.parametrize("rows", [3, 4, 5, 7, 11, 13, 17])
def test_few_rows_are_forecast_by_simpler_shapes(shape, rows):
    y = _seasonal(rows)
    model = fc.ETS(shape, m=6).fit(y, 20)
    forecast = model.predict(y)
    assert np.isfinite(forecast.quantiles).all()
    assert np.abs(forecast.point / y.mean() - 1).max() < 1
    if rows < 6:
        assert all(fit.shape[1:] == "NN" for fit in model.fits_["y"])


@pytest.mark.parametrize("shape", ["auto", "AAdN", "MAM", "ANM"])
def test_series_that_are_not_positive_have_no_factors(shape):
    y = _seasonal(60) - 60
    model = fc.ETS(shape, m=6).fit(y, 4)
    assert not any("M" in fit.shape or fit.log for fit in model.fits_["y"])
    assert np.isfinite(model.predict(y).quantiles).all()


def test_constant_series_is_forecast_by_its_value():
    y = np.full(30, 7.25)
    for log in (False, True, "auto"):
        assert fc.ETS(log=log, m=4).fit(y, 3).predict(y).point.ravel().tolist() == [7.25] * 3


def test_fit_that_does_not_converge_is_counted(monkeypatch):
    monkeypatch.setattr(optimum, "ITERATIONS", 1)
    result = fc.backtest({"holt": fc.ETS("AAN")}, walks(series=1), fc.WalkForward(horizon=2, n_windows=2), refit=2)
    fit = result.fits.query("model == 'holt'").iloc[0]
    assert fit["warnings"] >= 1
    assert "stopped short of a maximum" in fit["details"]


def test_searches_converge():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        for seed in range(5):
            fc.ETS(m=6).fit(_seasonal(60, seed=seed), 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fc.ETS("best"), "shape must be one of 'auto', 'ANN'"),
        (lambda: fc.ETS("AAA"), "set m to its number of rows"),
        (lambda: fc.ETS(m=0), "m must be at least 1"),
    ],
)
def test_parameters_are_checked(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make().fit(walks(), 2)


def test_network_corrects_smoothing():
    frame = pd.DataFrame({"y": _seasonal()})
    model = fc.Recurrent("lstm", base=fc.ETS(m=6), hidden=4, lookback=12, trainer=fc.Trainer(steps=3)).fit(frame, 6)
    assert np.isfinite(model.predict(frame).quantiles).all()
