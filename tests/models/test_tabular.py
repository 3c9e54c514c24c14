"""scikit-learn's regressors as forecasters: their features, their forecasts, and the coverage of their intervals."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from helpers.quick import walks
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

import forecast as fc
from forecast.features import dataset
from forecast.features.dataset import LaggedDataset, LaggedFeatures, TrainingRows
from forecast.features.inputs import MIN_CHANGES, causal_inputs
from forecast.models.ridge import SummedRidge


def _ar1(rows=3000, phi=0.9, seed=0):
    shocks = np.random.default_rng(seed).normal(size=rows)
    y = np.zeros(rows)
    for t in range(1, rows):
        y[t] = phi * y[t - 1] + shocks[t]
    return y


def _rmse(model, y, rows, horizon=3):
    forecast = model.predict_at(y, rows).point[:, 0]
    truth = np.stack([y[rows + k] for k in range(1, horizon + 1)], axis=1)
    return np.sqrt(((forecast - truth) ** 2).mean(axis=0))


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "tolerance"), [("ridge", 1.03), ("boosting", 1.07)])
def test_rmse_is_near_the_optimum(estimator, tolerance):
    y, rows = _ar1(), np.arange(2500, 2990)
    model = fc.Tabular(estimator).fit(y[:2501], 3)
    oracle = np.stack([0.9**k * y[rows] for k in (1, 2, 3)], axis=1)
    truth = np.stack([y[rows + k] for k in (1, 2, 3)], axis=1)
    assert (_rmse(model, y, rows) < tolerance * np.sqrt(((oracle - truth) ** 2).mean(axis=0))).all()


def test_one_series_is_least_squares_on_its_windows():
    """An explicit regression of the scaled target on the last changes and the distances from averages."""
    y = walks(rows=400, series=1)["S0"]
    model = fc.Tabular(LinearRegression(), lookback=5).fit(y, 2)
    inputs = causal_inputs(np.log(y.to_numpy())[:, None])
    scale, change, log = inputs.scale[:, 0], np.diff(np.log(y.to_numpy()), prepend=np.log(y.iloc[0])), inputs.y[:, 0]
    scale[0] = 1.0  # no change yet
    x = np.array([[*(change[t - np.arange(5)] / scale[t - np.arange(5)]), *inputs.x[t, 0, 4:7]] for t in range(400)])
    for k in (1, 2):
        rows = np.arange(MIN_CHANGES, 400 - k)
        target = (log[rows + k] - log[rows]) / scale[rows]
        direct = LinearRegression().fit(x[rows], target).predict(x[-1:])[0]
        assert model.predict(y).point[0, 0, k - 1] == pytest.approx(y.iloc[-1] * np.exp(scale[-1] * direct), rel=1e-6)


@pytest.mark.parametrize(
    "estimator",
    [
        KNeighborsRegressor(20),
        make_pipeline(StandardScaler(), LinearRegression()),
        DecisionTreeRegressor(random_state=0),
    ],
    ids=["neighbours", "pipeline", "tree"],
)
def test_any_regressor_is_accepted_and_not_changed(estimator):
    frame = walks(rows=300)
    forecast = fc.Tabular(estimator).fit(frame, 2).predict(frame)
    assert np.isfinite(forecast.quantiles).all()
    assert not [name for name in vars(estimator) if name.endswith("_")]


def test_intervals_come_from_rows_outside_the_fit():
    """A tree that memorises its training rows has no error on them; on others it has."""
    y, rows = _ar1(), np.arange(2500, 2990)
    model = fc.Tabular(DecisionTreeRegressor(random_state=0)).fit(y[:2501], 1)
    forecast = model.predict_at(y, rows)
    inside = (y[rows + 1] >= forecast.quantiles[:, 0, 0, 0]) & (y[rows + 1] <= forecast.quantiles[:, 0, 0, 2])
    assert 0.74 < inside.mean() < 0.86


def test_exog_improves_the_forecast():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=800)
    y = np.cumsum(np.concatenate([[0], signal[:-1]]) + rng.normal(0, 0.3, 800))
    frame = pd.concat({"Close": pd.DataFrame({"A": y}), "Signal": pd.DataFrame({"A": signal.cumsum()})}, axis=1)
    rows = np.arange(600, 790)
    truth = y[rows + 1]
    without, with_exog = (fc.Tabular("ridge", exog=exog).fit(frame.iloc[:601], 1) for exog in ((), ("Signal",)))
    errors = [np.sqrt(((m.predict_at(frame, rows).point[:, 0, 0] - truth) ** 2).mean()) for m in (without, with_exog)]
    assert errors[1] < 0.6 * errors[0]


def test_estimator_parameters_are_set_by_path():
    from forecast.models.registry import set_parameter

    model = fc.make_model("boosting")
    set_parameter(model, "estimator.max_iter", 7, "boosting")
    assert model.estimator.max_iter == 7
    with pytest.raises(ValueError, match=r"boosting\.estimator has no parameter 'depth'"):
        set_parameter(model, "estimator.depth", 7, "boosting")


@pytest.mark.parametrize("estimator", ["forest", 3, None, LinearRegression, StandardScaler()])
def test_other_objects_are_refused_as_estimators(estimator):
    with pytest.raises(TypeError, match="estimator must be 'ridge', 'boosting' or a scikit-learn regressor"):
        fc.Tabular(estimator).fit(walks(), 2)


def test_too_few_rows_for_errors_are_refused():
    frame = walks(rows=66, series=1)
    with pytest.raises(ValueError, match=r"too few rows to measure its errors|needs at least"):
        fc.Tabular("ridge", lookback=40).fit(frame, 12)


def _dataset(frame, lookback, horizon):
    y = np.log(frame.to_numpy())
    inputs = causal_inputs(y)
    base = np.repeat(inputs.y[:, :, None], horizon, axis=2)
    return LaggedDataset(y, TrainingRows(inputs, base), LaggedFeatures([inputs.x], lookback, np.empty((y.shape[1], 0))))


def _with_missing_rows():
    frame = walks(rows=400, series=4, late=True)
    return frame.mask(np.random.default_rng(1).random(frame.shape) < 0.1)


@pytest.mark.parametrize("frame", [walks(rows=400, series=4), _with_missing_rows()], ids=["complete", "missing rows"])
@pytest.mark.parametrize("alpha", [0.0, 1.0, 300.0])
def test_ridge_equals_that_of_scikit_learn(frame, alpha, monkeypatch):
    """On the matrix of all windows: each step on the rows with a target, each block on the rows before it."""
    monkeypatch.setattr(dataset, "EXAMPLES_PER_CHUNK", 100)
    examples = _dataset(frame, lookback=7, horizon=3)
    ours = SummedRidge(alpha)
    errors = ours.fit(examples)
    x, targets = examples.feature_matrix().astype(float), examples.targets(slice(0, len(examples)))
    rows = examples.cells // 4
    for k, target in enumerate(targets):
        known = ~np.isnan(target)
        theirs = Ridge(alpha).fit(x[known], target[known])
        np.testing.assert_allclose(ours.weights_[k], [*theirs.coef_, theirs.intercept_], rtol=0, atol=1e-8)
        np.testing.assert_allclose(
            ours.predict(x[-9:].T, np.empty((3, 0, 9)))[:, k], theirs.predict(x[-9:]), rtol=0, atol=1e-8
        )
        assert np.isnan(errors[k, rows < 80]).all()
        for start, stop in pairwise([80, 160, 240, 320, 400]):
            before, block = known & (rows < start - 3), (rows >= start) & (rows < stop)
            forecast = Ridge(alpha).fit(x[before], target[before]).predict(x[block])
            np.testing.assert_allclose(errors[k, block], target[block] - forecast, rtol=0, atol=1e-8)


def test_ridge_by_name_and_from_scikit_learn_agree():
    frame = _with_missing_rows()
    by_name, from_sklearn = (fc.Tabular(estimator).fit(frame, 3).predict(frame) for estimator in ("ridge", Ridge()))
    # the matrix for scikit-learn is in single precision
    np.testing.assert_allclose(by_name.quantiles, from_sklearn.quantiles, rtol=1e-5)


def _peak_memory(lookback):
    frame = walks(rows=1500, series=300)
    tracemalloc.start()
    fc.Tabular("ridge", lookback=lookback).fit(frame, 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.slow
def test_memory_of_ridge_does_not_grow_with_lookback():
    """A matrix of all windows would hold 90 MB more."""
    assert _peak_memory(60) < _peak_memory(10) + 20e6


def test_bytes_do_not_depend_on_other_cutoffs():
    frame, rows = _with_missing_rows(), [150, 260, 399]
    model = fc.Tabular("ridge").fit(frame.iloc[:300], 3)
    at_once = model.predict_at(frame, rows)
    for k, row in enumerate(rows):
        alone = model.predict_at(frame.iloc[: row + 1], [row])
        assert alone.quantiles[0].tobytes() == at_once.quantiles[k].tobytes()


def test_penalty_is_set_by_path():
    from forecast.models.registry import set_parameter

    frame = walks()
    model = fc.make_model("ridge")
    set_parameter(model, "estimator.alpha", 1e9, "ridge")
    scale = causal_inputs(np.log(frame.to_numpy())).scale[-1]
    moves = np.log(model.fit(frame, 2).predict(frame).point[0] / frame.iloc[-1].to_numpy()[:, None]) / scale[:, None]
    np.testing.assert_allclose(moves, np.broadcast_to(moves[:1], moves.shape), atol=1e-5)  # the intercept alone
    with pytest.raises(ValueError, match="alpha must be at least 0"):
        fc.Tabular(SummedRidge(-1.0)).fit(frame, 2)
