"""Weights of training examples by age and by a field: what is learned, what is left out, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, walks
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor

import forecast as fc
from forecast.features.dataset import LaggedDataset, LaggedFeatures, SequenceDataset, TrainingRows
from forecast.features.inputs import causal_inputs
from forecast.models.ridge import SummedRidge
from forecast.models.sample_weights import training_weights

SMALL = {"lookback": 10, "hidden": 4}
NETWORKS = {
    "lstm": SMALL | {"trainer": fc.Trainer(steps=80, lr=0.01)},
    "lstm-many-to-one": SMALL | {"trainer": fc.Trainer(steps=80, batch_size=64, lr=0.01)},
}


def _regimes(rows=500, later=200, series=6, seed=0):
    """Return series whose autoregression changes from .9 to −.6 after five eighths of the rows, (rows + later, N)."""
    y = np.zeros((rows + later, series))
    noise = np.random.default_rng(seed).standard_normal(y.shape)
    for t in range(1, len(y)):
        y[t] = (0.9 if t < rows * 5 // 8 else -0.6) * y[t - 1] + noise[t]
    return y


def _error(model, y, rows=500):
    later = np.arange(rows - 1, len(y) - 1)
    return np.mean((model.fit(y[:rows], 1).predict_at(y, later).point[..., 0] - y[later + 1]) ** 2)


@pytest.mark.parametrize("name", ["ridge", *NETWORKS])
def test_a_half_life_learns_a_new_regime_faster(name):
    params = NETWORKS.get(name, {})
    equal, recent = (_error(fc.make_model(name, half_life=h, **params), _regimes()) for h in (None, 60))
    assert recent < 0.8 * equal


@pytest.mark.parametrize("estimator", ["ridge", Ridge()])
def test_a_very_long_half_life_is_none(estimator):
    y = walks(300)
    models = [fc.Tabular(estimator, half_life=half_life).fit(y, 2) for half_life in (None, 1e9)]
    np.testing.assert_allclose(*(model.predict(y).quantiles for model in models), rtol=1e-6)


def test_a_very_long_half_life_is_none_in_a_network():
    y = walks(300)
    forecasts = [quick("lstm", half_life=half_life).fit(y, 2).predict(y).quantiles for half_life in (None, 1e9, 30)]
    np.testing.assert_allclose(forecasts[1], forecasts[0], rtol=1e-5)
    assert not np.allclose(forecasts[2], forecasts[0], rtol=1e-5)


def _weighted(y, weight):
    frame = pd.concat({"Close": y, "Trust": pd.DataFrame(weight, y.index, y.columns)}, axis=1)
    return frame.swaplevel(axis=1).sort_index(axis=1)


def _dataset(y, weight):
    inputs = replace(causal_inputs(y), weight=weight)
    base = np.repeat(inputs.y[:, :, None], 2, axis=2)
    return LaggedDataset(y, TrainingRows(inputs, base), LaggedFeatures([inputs.x], 5, np.empty((y.shape[1], 0))))


def test_rows_of_weight_0_are_left_out_of_a_ridge():
    """Coefficients are equal to the last bit to those of the other examples; weights of 2 and of 1 are the same."""
    y = np.log(walks(300).to_numpy())
    weight = (np.random.default_rng(0).random(y.shape) > 0.4).astype(float)
    others = _dataset(y, np.ones(y.shape))
    others.cells = others.cells[weight.ravel()[others.cells] > 0]
    fits = [SummedRidge(), SummedRidge(), SummedRidge()]
    errors = [fit.fit(d) for fit, d in zip(fits, [others, _dataset(y, weight), _dataset(y, 2 * weight)], strict=True)]
    for fit, error in zip(fits[1:], errors[1:], strict=True):
        np.testing.assert_array_equal(fit.weights_, fits[0].weights_)
        np.testing.assert_array_equal(error, errors[0])


def test_ridge_with_weights_equals_that_of_scikit_learn():
    y = walks(300)
    frame = _weighted(y, np.random.default_rng(1).exponential(size=y.shape))
    forecasts = [
        fc.Tabular(estimator, half_life=50, weight="Trust").fit(frame, 3).predict(frame).quantiles
        for estimator in ("ridge", Ridge())
    ]
    np.testing.assert_allclose(*forecasts, rtol=1e-5)
    assert not np.allclose(fc.Tabular().fit(frame, 3).predict(frame).quantiles, forecasts[0], rtol=1e-5)


@pytest.mark.parametrize("name", ["ridge", "lstm", "lstm-many-to-one"])
def test_values_after_rows_of_weight_0_do_not_matter(name):
    """A wrong price after the last trusted row changes the inputs of later rows only, which are not trained on."""
    y = pd.DataFrame(np.cumsum(np.random.default_rng(2).standard_normal((260, 2)), axis=0)).add_prefix("S")
    y.index = pd.bdate_range("2020-01-01", periods=260)
    weight = np.ones(y.shape)
    weight[198:] = 0.0
    wrong = y.copy()
    wrong.iloc[200:] += 50.0
    models = [quick(name, weight="Trust", log=False).fit(_weighted(values, weight), 2) for values in (y, wrong)]
    forecasts = [model.predict(_weighted(y, weight)[:190]).quantiles for model in models]
    np.testing.assert_allclose(forecasts[1], forecasts[0], rtol=1e-6)
    changed = [quick(name, log=False).fit(values, 2).predict(y[:190]).quantiles for values in (y, wrong)]
    assert not np.allclose(*changed, rtol=1e-6)


@pytest.mark.parametrize("positions", [1, 7])
def test_weights_of_batches_are_those_of_the_rows_and_1_on_average(positions):
    y = np.cumsum(np.random.default_rng(3).standard_normal((120, 2)), axis=0)
    half_life = np.repeat(0.5 ** (np.arange(120)[::-1, None] / 20), 2, axis=1)
    half_life[50:60] = 0.0
    inputs = replace(causal_inputs(y), weight=half_life)
    base = np.repeat(y[:, :, None], 3, axis=2)
    examples = SequenceDataset(TrainingRows(inputs, base), 12, positions)
    batch = examples.gather(np.arange(len(examples)))
    rows = examples.pairs[:, 1, None] + np.arange(1 - positions, 1)
    expected = half_life[rows.clip(0, 119), batch.series[:, None]]
    known = batch.weight[..., 0] > 0
    ratio = batch.weight[..., 0][known] / expected[known]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)
    assert not known[(rows >= 50) & (rows < 60)].any()
    assert batch.weight[batch.weight > 0].mean() == pytest.approx(1.0, rel=1e-5)


def test_a_missing_row_has_the_weight_of_the_last_observed_one():
    y = walks(40, 1)
    y.iloc[20:23] = np.nan
    weight = np.arange(40.0)[:, None]
    weight[20:23] = np.nan
    panel = fc.as_panel(_weighted(y, weight), exog=("Trust",))
    np.testing.assert_array_equal(training_weights(panel, None, "Trust")[18:25, 0], [18, 19, 19, 19, 19, 23, 24])


@pytest.mark.parametrize("name", ["ridge", "lstm"])
def test_weights_in_a_backtest_and_a_stored_model(name, tmp_path):
    y = walks(200)
    frame = _weighted(y, np.random.default_rng(4).exponential(size=y.shape))
    cv = fc.WalkForward(horizon=2, n_windows=3)
    models = {"weighted": quick(name, half_life=40, weight="Trust"), "equal": quick(name)}
    table = fc.backtest(models, frame, cv).forecasts.pivot_table(
        index=["unique_id", "cutoff", "step"], columns="model", values="y_hat"
    )
    assert np.isfinite(table["weighted"]).all()
    assert not np.allclose(table["weighted"], table["equal"], rtol=1e-7)
    model = models["weighted"].fit(frame, 2)
    model.save(tmp_path / "model")
    stored = fc.load_model(tmp_path / "model")
    assert (stored.half_life, stored.weight) == (40, "Trust")
    assert stored.predict(frame).quantiles.tobytes() == model.predict(frame).quantiles.tobytes()


@pytest.mark.parametrize("name", ["ridge", "lstm"])
def test_invalid_weights_are_refused(name):
    y = walks(120, 2)
    weight = np.ones(y.shape)
    for value in (-1.0, np.nan):
        weight[50, 1] = value
        with pytest.raises(ValueError, match=rf"Trust of S1 is {value:g} at 2015-.*0 or more on every row"):
            quick(name, weight="Trust").fit(_weighted(y, weight), 2)
    with pytest.raises(ValueError, match="Trust is 0 on every row"):
        quick(name, weight="Trust").fit(_weighted(y, 0 * np.ones(y.shape)), 2)
    with pytest.raises(ValueError, match="no field 'Volume'"):
        quick(name, weight="Volume").fit(_weighted(y, np.ones(y.shape)), 2)
    with pytest.raises(TypeError, match="weight must be the name of a field"):
        quick(name, weight=("Trust",)).fit(y, 2)
    with pytest.raises(ValueError, match="half_life must be at least 1"):
        quick(name, half_life=0).fit(y, 2)


def test_estimators_without_sample_weight_are_refused():
    with pytest.raises(ValueError, match=r"fit takes sample_weight, and that of KNeighborsRegressor does not.*ridge"):
        fc.Tabular(KNeighborsRegressor(), half_life=50).fit(walks(200), 2)
    y = walks(200)
    assert np.isfinite(fc.Tabular(KNeighborsRegressor()).fit(y, 2).predict(y).point).all()


def test_weights_of_the_pretrained_network_are_refused():
    with pytest.raises(ValueError, match="leave out half_life"):
        fc.Recurrent(start="pretrained", half_life=50).fit(walks(200), 2)
