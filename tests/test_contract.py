"""The contract of every model of the registry."""

from __future__ import annotations

import copy
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.quick import RETURNS, VOLATILITY, covering, quick, series_for, walks
from sklearn.base import clone

import forecast as fc
from forecast.models.base import ShortSeriesWarning, error_quantiles
from forecast.models.registry import CELLS

NAMES = fc.model_names()
EACH_CELL_AND_TOPOLOGY = [name for name, _ in covering()]  # and every other model
HORIZON = 3


GLOBAL = ("ridge", "boosting", "rnn", "lstm", "gru")  # fitted to all series of a panel at once
CLASSICAL = [name for name in NAMES if not name.startswith(GLOBAL)]


def _with_missing_rows(name):
    frame = series_for(name, late=True)
    frame.attrs["field"] = "Close"
    frame.iloc[100:103, 0] = np.nan
    return frame


@pytest.fixture
def prices(name):
    return _with_missing_rows(name)


@pytest.fixture(scope="module")
def fitted():
    models = {}

    def fit(name):
        if name not in models:
            models[name] = quick(name).fit(_with_missing_rows(name).iloc[:130], HORIZON)
        return models[name]

    return fit


def _has_mean(name):
    return fc.make_model(name).get_params(deep=False).get("point") == "mean"


@pytest.mark.parametrize("name", NAMES)
def test_constructor_only_stores(name):
    model = fc.make_model(name)
    for key, value in model.get_params(deep=False).items():
        model.set_params(**{key: value})
    twin = clone(model)
    assert twin is not model
    assert repr(twin) == repr(model)
    assert type(model)(**model.get_params(deep=False)).get_params().keys() == model.get_params().keys()
    assert not [key for key in vars(model) if key.endswith("_")]


def _check_point(name, forecast, median):
    """Check that the point is the median, or of variances, which are skewed, a mean above the median."""
    if _has_mean(name):
        assert ((forecast.point > 0.8 * median) & (forecast.point < 2 * median)).all()
    else:
        np.testing.assert_allclose(median, forecast.point, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_shapes_quantile_order_and_median(name, fitted, prices):
    forecast = fitted(name).predict_at(prices, [129, 140, 150])
    assert forecast.point.shape == (3, 3, HORIZON)
    assert forecast.quantiles.shape == (3, 3, HORIZON, 3)
    assert np.isfinite(forecast.point).all()
    assert (np.diff(forecast.quantiles, axis=-1) > 0).all()
    _check_point(name, forecast, forecast.quantiles[..., 1])
    assert list(forecast.cutoffs) == list(prices.index[[129, 140, 150]])
    table = forecast.to_frame()
    assert list(table.columns) == ["unique_id", "cutoff", "step", "ds", "y_hat", "q0.1", "q0.5", "q0.9"]
    row = table[(table.unique_id == "S2") & (table.cutoff == prices.index[140]) & (table.step == 2)]
    assert row["y_hat"].item() == forecast.point[1, 2, 1]
    assert row["ds"].item() == prices.index[142]


@pytest.mark.parametrize("name", NAMES)
def test_predict_at_equals_the_loop_of_predict(name, fitted, prices):
    rows = [101, 129, 135, 159]  # the first among missing rows of one series
    at_once = fitted(name).predict_at(prices, rows)
    for k, row in enumerate(rows):
        alone = fitted(name).predict(prices.iloc[: row + 1])
        np.testing.assert_allclose(at_once.point[k], alone.point[0], rtol=1e-6)
        np.testing.assert_allclose(at_once.quantiles[k], alone.quantiles[0], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_bytes_and_no_global_randomness(name, fitted, prices):
    import torch

    np.random.seed(1)  # noqa: NPY002 - the process-wide state must not matter, and must not be touched
    torch.manual_seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again = quick(name).fit(prices.iloc[:130], HORIZON)
    after = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])
    first, second = fitted(name).predict(prices), again.predict(prices)
    assert first.quantiles.tobytes() == second.quantiles.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_predict_leaves_the_model_unchanged(name, fitted, prices):
    model = copy.deepcopy(fitted(name))
    before = pickle.dumps(model)
    model.predict_at(prices, [140, 150])
    assert pickle.dumps(model) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_prices_times_ten_give_forecasts_times_ten(name, fitted, prices):
    scaled = quick(name).fit(prices.iloc[:130] * 10, HORIZON).predict(prices * 10)
    np.testing.assert_allclose(scaled.quantiles, 10 * fitted(name).predict(prices).quantiles, rtol=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_fitting_leaves_the_prices_unchanged(name, prices):
    copied = prices.copy()
    quick(name).fit(copied, HORIZON).predict(copied)
    assert copied.equals(prices)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_values_below_zero_are_forecast_without_logs(name, prices):
    """Spreads and log variances are series too: forecast without logs by default, and refused with log=True."""
    centred = prices - float(np.nanmean(prices))
    if name in ("garch", "ewma"):
        with pytest.raises(ValueError, match=r"S\d is -.* at 20.*models variances"):
            quick(name).fit(centred, HORIZON)
        return
    forecast = quick(name).fit(centred.iloc[:130], HORIZON).predict(centred)
    assert np.isfinite(forecast.quantiles).all()
    if name in RETURNS:
        return
    with pytest.raises(ValueError, match=r"S\d is -.* at 20.*log=False"):
        quick(name, log=True).fit(centred, HORIZON)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in RETURNS])
def test_a_later_value_below_zero_is_named_in_logs(name, prices):
    model = quick(name, log=True) if "log" in fc.make_model(name).get_params(deep=False) else quick(name)
    model.fit(prices.iloc[:130], HORIZON)
    broken = prices.copy()
    broken.iloc[150, 2] = -1.0
    assert np.isfinite(model.predict_at(broken, [149]).point).all()
    with pytest.raises(ValueError, match=rf"S2 is -1 at {prices.index[150]:%Y-%m-%d}"):
        model.predict_at(broken, [150])


COMBINED = {
    "conformal": lambda: fc.Conformal(fc.Drift()),
    "conformal with a second fit": lambda: fc.Conformal(quick("ridge"), window=20),
    "ensemble": lambda: fc.Ensemble([fc.Naive(), fc.Drift()]),
    "tuned": lambda: fc.Tuned(fc.WindowMean(), {"window": [2, 5]}),
    "network on a base": lambda: quick("lstm", base=fc.Drift()),
}


def _labelled(prices, field):
    prices = prices.copy()
    prices.attrs["field"] = field
    return prices


def _dated(prices, freq):
    return prices.set_axis(pd.date_range("2030-01-07", periods=len(prices), freq=freq))


OTHER_KINDS = {  # prices of another kind than the daily closes of a fit, and the reason for which they are refused
    "volumes": (lambda y: _labelled(y, "Volume"), "was fitted on Close and these prices are Volume: pass Close"),
    "returns": (lambda y: fc.make_target(y.abs(), "return"), "was fitted on Close and these prices are return"),
    "hours": (lambda y: _dated(y, "h"), "was fitted on daily rows and these are hourly: pass daily rows"),
    "months": (lambda y: _dated(y, "MS"), "was fitted on daily rows and these are monthly"),
    "every other day": (lambda y: y[::2], "was fitted on daily rows and these are 2-day"),
}
SAME_KIND = {
    "the same": lambda y: y,
    "no name of the field": lambda y: _labelled(y, None),
    "another spelling": lambda y: _labelled(y, "close"),
    "newer rows": lambda y: y[-60:],
    "a row": lambda y: y[-1:],
    "later dates, weekends too": lambda y: _dated(y, "D"),
    "a third of the days missing": lambda y: y[np.random.default_rng(0).random(len(y)) > 1 / 3],
    "rows without dates": lambda y: y.reset_index(drop=True),
}


def _refusal(model, prices):
    """Return why a model refuses to forecast; an empty text if it forecasts."""
    try:
        model.predict(prices)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", [*NAMES, *COMBINED])
def test_prices_of_another_kind_are_refused(name, fitted):
    model = COMBINED[name]().fit(_labelled(walks(130), "Close"), HORIZON) if name in COMBINED else fitted(name)
    prices = _with_missing_rows(name)
    for other, message in OTHER_KINDS.values():
        for predict in (model.predict, lambda y: model.predict_at(y, [len(y) - 1])):
            with pytest.raises(ValueError, match=message):
                predict(other(prices))
    for same in SAME_KIND.values():
        # Some models need the history from their first training row on.
        assert re.search("^$|counts its rows from|needs the last|neither before nor", _refusal(model, same(prices)))


@pytest.mark.parametrize("name", [name for name in NAMES if fc.make_model(name).get_params().get("log") == "auto"])
def test_auto_never_raises_for_a_value_without_a_logarithm(name, prices):
    """It counts as missing: forecasts are finite, their quantiles ordered, and other series do not change."""
    model = quick(name).fit(prices.iloc[:130], HORIZON)
    broken = prices.copy()
    broken.iloc[[60, 150, 151], 2] = [0.0, -1.0, 0.0]
    rows = [149, 150, 151, 155]
    forecast, expected = model.predict_at(broken, rows), model.predict_at(prices, rows)
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    np.testing.assert_array_equal(forecast.point[:, :2], expected.point[:, :2])
    if model.is_naive:
        np.testing.assert_array_equal(forecast.point[1:3, 2], [[-1.0] * HORIZON, [0.0] * HORIZON])


def _values(model, frame, rows=(220, 239)):
    """Return the points and quantiles of a model fitted on all rows of a frame but the last twenty."""
    forecast = model.fit(frame[:-20], HORIZON).predict_at(frame, list(rows))
    return np.concatenate([forecast.point[..., None], forecast.quantiles], axis=-1)


@pytest.mark.parametrize("name", EACH_CELL_AND_TOPOLOGY)
def test_forecasts_scale_and_shift_with_the_series(name):
    """Forecasts of y · s + c are s · forecast + c; models of variances and returns have no c."""
    rng = np.random.default_rng(5)
    y = np.cumsum(rng.standard_t(4, size=(240, 2)), axis=0) * 0.7 + rng.normal(size=(240, 2))
    if name in VOLATILITY:
        y = np.exp(0.1 * y)
    logs_off = {"log": False} if "log" in fc.make_model(name).get_params(deep=False) else {}
    expected = _values(quick(name, **logs_off), y)
    tolerance = 1e-5 if name.startswith((*CELLS, "pretrained")) else 1e-8
    for scale, shift in ((1e-9, 0.0), (3e-5, 0.0), (1e9, 0.0), (1.0, 123.4), (1e6, -5e7)):
        if not (shift and name in (*VOLATILITY, *RETURNS)):
            values = (_values(quick(name, **logs_off), y * scale + shift) - shift) / scale
            np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("name", CLASSICAL)
def test_adding_series_changes_no_other_forecast(name):
    """Neither one with a zero, nor one of five rows, nor one that ends early: not a byte."""
    frame = series_for(name, rows=240, series=1, seed=8)
    expected = _values(quick(name), frame)
    wide = frame.assign(zero=frame["S0"], short=frame["S0"].iloc[:5], early=frame["S0"].iloc[:200])
    wide.loc[wide.index[50], "zero"] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ShortSeriesWarning)
        np.testing.assert_array_equal(_values(quick(name), wide)[:, :1], expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_too_few_rows_are_refused(name, prices):
    with pytest.raises(ValueError, match=r"needs at least .* observed rows"):
        quick(name).fit(prices.iloc[:2], HORIZON)
    short = prices.copy()
    short.iloc[:-2, 1] = np.nan
    with pytest.warns(UserWarning, match=r"too short to be fitted.*S1"):
        quick(name).fit(short, HORIZON)


@pytest.mark.parametrize("name", NAMES)
def test_invalid_arguments_are_refused(name, fitted, prices):
    with pytest.raises(ValueError, match="not fitted"):
        quick(name).predict(prices)
    with pytest.raises(ValueError, match="horizon must be at least 1"):
        quick(name).fit(prices, 0)
    with pytest.raises(TypeError, match="horizon must be a whole number"):
        quick(name).fit(prices, 2.0)
    with pytest.raises(ValueError, match="cutoffs must be rows between 0 and 159"):
        fitted(name).predict_at(prices, [160])
    with pytest.raises((ValueError, TypeError), match="levels"):
        quick(name, levels=(0.1, 0.9)).fit(prices, HORIZON)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_levels_can_be_chosen(name, prices):
    forecast = quick(name, levels=(0.05, 0.25, 0.5, 0.6)).fit(prices.iloc[:130], HORIZON).predict(prices)
    assert forecast.quantiles.shape[-1] == 4
    assert (np.diff(forecast.quantiles, axis=-1) > 0).all()
    _check_point(name, forecast, forecast.quantiles[..., 2])


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH_CELL_AND_TOPOLOGY)
def test_coverage_is_near_its_level(name):
    frame = series_for(name, rows=900, series=2, seed=3)
    model = fc.make_model(name)
    if "hidden" in model.get_params(deep=False):
        model.set_params(hidden=4, lookback=20, trainer=fc.Trainer(steps=40, batch_size=32))
    rows = np.arange(500, 890)
    forecast = model.fit(frame.iloc[:500], HORIZON).predict_at(frame, rows)
    truth = np.stack([frame.to_numpy()[rows + k] for k in range(1, HORIZON + 1)], axis=-1)
    inside = (truth >= forecast.quantiles[..., 0]) & (truth <= forecast.quantiles[..., -1])
    assert 0.70 < inside.mean() < 0.90


@pytest.mark.parametrize("name", NAMES)
def test_record_contains_log_and_parameters_are_valid(name, fitted):
    record = fitted(name).record_
    assert record["log"] is (name not in (*VOLATILITY, *RETURNS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(name).check_params()


def _without(y, rows):
    y = y.copy()
    y.iloc[rows] = np.nan
    return y


def _chosen(y):
    y.attrs["columns"] = list(y)  # as of read_prices(columns=…): each is a series
    return y


UNUSUAL = {
    "constant": lambda y: y * 0 + 7.0,
    "zeros": lambda y: y * 0,
    "some zeros": lambda y: y.where(np.add.outer(np.arange(len(y)), np.arange(y.shape[1])) % 5 != 0, 0.0),
    "one constant": lambda y: _chosen(y.assign(S1=7.0)),
    "every other row": lambda y: _without(y, slice(0, None, 2)),
    "a long gap": lambda y: _without(y, slice(60, 100)),
    "ten rows": lambda y: y.iloc[:10],
    "a jump": lambda y: y * np.where(np.arange(len(y)) < 80, 1, 1e6)[:, None],
    "huge": lambda y: y * 1e12,
    "tiny": lambda y: y * 1e-12,
}


REASONS = ("needs at least", "never changes", "nothing to learn", "no training example", "nothing trades")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), covering(list(UNUSUAL)))
def test_unusual_series_yield_a_forecast_or_a_reason(name, kind):
    """Never a NaN without a warning, never an error raised inside a library."""
    frame = UNUSUAL[kind](series_for(name))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            forecast = quick(name).fit(frame, HORIZON).predict(frame)
        except ValueError as error:
            message = str(error)
            assert "\n" not in message
            assert any(words in message for words in REASONS), message
            return
    messages = " ".join(str(w.message) for w in caught)
    if "nothing trades" not in messages:  # a step without errors has a point, and no interval: a warning
        assert np.isfinite(forecast.quantiles).all()
        assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    assert np.isfinite(forecast.point).all()


def test_error_quantiles_equal_those_of_numpy():
    """To the last bit, however many errors each series has at each step."""
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(301, 7, 3))
    errors[rng.random(errors.shape) < np.linspace(0, 0.9, 7)[:, None]] = np.nan
    errors[-1:, 1, 0] = errors[-2:, 1, 1] = np.nan
    errors[1:, 2] = errors[:, 3] = np.nan  # one error, and none
    levels = (0.05, 0.5, 0.9, 0.5)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")
        expected = np.moveaxis(np.nanquantile(errors, levels, axis=0), 0, -1)
    np.testing.assert_array_equal(error_quantiles(errors, levels), expected)


def test_three_rows_have_an_interval_at_every_step_and_no_warning():
    """Late steps without errors have wider intervals; a step that is never observed is named."""
    y = np.array([[10.0], [11.0], [9.5]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("naive", "drift", "seasonal-naive", "window-mean", "mean-reversion"):
            quantiles = fc.make_model(name).fit(y, 6).predict(y).quantiles[0, 0]
            assert (np.diff(quantiles[:, -1] - quantiles[:, 0]) > 0)[1:].all()
    every_other = np.where(np.arange(60)[:, None] % 2, np.nan, np.arange(60.0)[:, None] % 7)
    with pytest.warns(UserWarning, match="no two observed rows of y0 are 1 apart"):
        fc.Naive().fit(every_other, 3)


@pytest.mark.parametrize("name", ["naive", "drift", "seasonal-naive", "window-mean", "mean-reversion"])
@pytest.mark.medium
def test_baselines_forecast_series_independently(name):
    frame = series_for(name, series=70, late=True)
    frame.iloc[50:60, 40] = np.nan
    all_series = fc.make_model(name).fit(frame, HORIZON).predict(frame)
    for n in (0, 1, 31, 32, 40, 69):
        alone = fc.make_model(name).fit(frame.iloc[:, [n]], HORIZON).predict(frame.iloc[:, [n]])
        assert alone.quantiles[0, 0].tobytes() == all_series.quantiles[0, n].tobytes()
