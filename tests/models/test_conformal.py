"""Conformal intervals: their coverage is nominal, and they use known errors only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, variances, walks

import forecast as fc
from forecast.features.inputs import causal_inputs
from forecast.models.conformal import Conformal, conformal_quantiles
from forecast.models.naive import Naive

CV = fc.WalkForward(horizon=3, n_windows=6, step_size=4)
METHODS = ("rolling", "adaptive")


def ar1(rows: int, series: int, phi: float = 0.8) -> np.ndarray:
    shocks = np.random.default_rng(1).normal(size=(rows, series))
    for t in range(1, rows):
        shocks[t] += phi * shocks[t - 1]
    return shocks


def clustering(rows: int, series: int) -> np.ndarray:
    """Return random walks whose changes have the variance of a GARCH(1,1)."""
    rng = np.random.default_rng(2)
    variance, change = np.ones(series), np.zeros((rows, series))
    for t in range(rows):
        change[t] = np.sqrt(variance) * rng.normal(size=series)
        variance = 0.05 + 0.1 * change[t] ** 2 + 0.85 * variance
    return change.cumsum(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("draw", [ar1, clustering])
def test_coverage_is_nominal_at_every_step(draw, method):
    """Forty series, 500 origins each."""
    y = draw(1005, 40)
    model = fc.Conformal(fc.Naive(log=False), method, log=False)
    result = fc.backtest({"c": model}, y, fc.WalkForward(5, 500, step_size=1), refit=500)
    by_step = result.scores(("model", "step")).set_index(["model", "step"])["coverage"]["c"]
    assert ((by_step > 0.78) & (by_step < 0.82)).all(), by_step


def test_quantiles_correct_for_the_number_of_errors():
    """After 39 draws, each rank of the next one is equally likely."""
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(40, 20_000))
    low, high = np.moveaxis(conformal_quantiles(draws[:39], (0.1, 0.9)), -1, 0)
    inside = (draws[39] >= low) & (draws[39] <= high)
    assert inside.mean() == pytest.approx(0.8, abs=0.01)
    assert np.isnan(conformal_quantiles(draws[:19], (0.9,))).all()
    missing = draws.copy()
    missing[::2] = np.nan
    np.testing.assert_array_equal(conformal_quantiles(missing, (0.9,)), conformal_quantiles(draws[1::2], (0.9,)))


def test_rolling_uses_the_last_known_errors():
    y = pd.Series(ar1(300, 1)[:, 0], name="y")
    model = fc.Conformal(fc.Naive(log=False), window=30, log=False).fit(y[:200], 3)
    forecast = model.predict_at(y, [250, 270])
    change = y.diff().abs()
    movement = np.maximum(change.rolling(60, min_periods=1).mean(), 0.1 * change.expanding().mean())
    for k, t in enumerate((250, 270)):
        for step in (1, 2, 3):
            errors = ((y.shift(-step) - y) / movement)[t - step - 29 : t - step + 1].sort_values().to_numpy()
            assert len(errors) == 30
            low, high = errors[int(31 * 0.1) - 1], errors[int(np.ceil(31 * 0.9)) - 1]
            bounds = [y[t] + movement[t] * low, y[t] + movement[t] * high]
            np.testing.assert_allclose(forecast.quantiles[k, 0, step - 1, [0, 2]], bounds, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inner", "method"),
    [
        (fc.ARIMA((1, 1, 1)), "adaptive"),
        (fc.Tabular(), "rolling"),
        (quick("lstm", members=2, trainer=fc.Trainer(steps=2, batch_size=8, lr=0.05)), "rolling"),
    ],
)
def test_intervals_of_any_forecaster_pass_the_audit(inner, method):
    report = fc.audit(fc.Conformal(inner, method, window=40), walks(rows=200, series=2), CV)
    assert report.passed, str(report)


def test_point_forecasts_are_those_of_the_model():
    prices = walks(rows=200)
    plain = fc.Drift().fit(prices, 3).predict(prices)
    wrapped = fc.Conformal(fc.Drift()).fit(prices, 3).predict(prices)
    np.testing.assert_array_equal(wrapped.point, plain.point)
    assert (np.diff(wrapped.quantiles, axis=-1) > 0).all()
    assert (wrapped.quantiles[..., 0] > 0).all()


class UsesUnrealisedErrors(Conformal):
    """Uses errors whose outcome is not known yet."""

    def _realised_origins(self, row):
        return np.full(self.horizon_, row - 1)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_audit_detects_unrealised_errors(method):
    report = fc.audit(UsesUnrealisedErrors(Naive(), method, window=40), walks(series=2), CV)
    failed = [row.check for row in report.table.itertuples() if row.passed is False]
    assert "leakage: noise" in failed
    assert "many cutoffs at once" in failed


@pytest.mark.medium
def test_errors_of_flexible_models_are_out_of_sample():
    """A tree that memorises its training rows has small errors there, and intervals from them would be too narrow."""
    from sklearn.tree import DecisionTreeRegressor

    tree = fc.Tabular(DecisionTreeRegressor(random_state=0), lookback=5)
    y = clustering(700, 4)
    result = fc.backtest(
        {"tree": fc.Conformal(tree, window=200, log=False)}, y, fc.WalkForward(1, 100, step_size=1), refit=100
    )
    coverage = result.scores(("model",)).set_index("model").loc["tree", "coverage"]
    assert 0.72 < coverage < 0.88
    model = fc.Conformal(tree, log=False).fit(y, 1)
    assert model.holdout_model_ is not None
    assert fc.Conformal(fc.Drift()).fit(walks(), 2).holdout_model_ is None


@pytest.mark.parametrize("method", METHODS)
def test_save_and_load(method, tmp_path):
    prices = walks(rows=200)
    model = fc.Conformal(quick("gru"), method, window=30).fit(prices.iloc[:180], 2)
    model.save(tmp_path / "model")
    loaded = fc.load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(prices).quantiles, model.predict(prices).quantiles)


def test_constant_series_and_missing_rows():
    prices = walks(rows=200)
    prices.iloc[:, 1] = 5.0
    prices.iloc[50:60, 2] = np.nan
    panel = fc.as_panel(dict(prices))  # each value of a mapping is a series
    for method in METHODS:
        forecast = fc.Conformal(fc.Naive(), method, window=30).fit(panel, 2).predict(panel)
        assert np.isfinite(forecast.quantiles).all()
        np.testing.assert_array_equal(forecast.quantiles[0, 1], 5.0)


def test_variances_stay_above_zero():
    forecast = fc.Conformal(fc.HAR(log=True)).fit(variances(), 3).predict(variances())
    assert (forecast.quantiles > 0).all()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"model": "arima"}, TypeError),
        ({"method": "bootstrap"}, ValueError),
        ({"window": 5}, ValueError),
        ({"rate": 0}, ValueError),
        ({"levels": (0.2, 0.8)}, ValueError),
    ],
)
def test_invalid_parameters_are_named(wrong, error):
    with pytest.raises(error, match=next(iter(wrong))):
        fc.Conformal(**({"model": fc.Naive()} | wrong)).fit(walks(), 2)


# --- series with missing rows, late series, series that hardly move ---


def two_walks(rows=400, seed=0):
    steps = np.random.default_rng(seed).normal(0, 0.01, (rows, 2))
    return pd.DataFrame(
        100 * np.exp(steps.cumsum(axis=0)), columns=["A", "B"], index=pd.bdate_range("2020-01-01", periods=rows)
    )


TEN_WINDOWS = fc.WalkForward(horizon=3, n_windows=10)


def series_with_intervals(model, prices):
    result = fc.backtest({"model": model}, prices, TEN_WINDOWS, refit=5)
    forecasts = result.forecasts[result.forecasts["model"] == "model"]
    assert np.isfinite(forecasts[["q0.1", "q0.9"]].to_numpy()).all()
    return set(forecasts["unique_id"])


@pytest.mark.parametrize("method", ["rolling", "adaptive"])
def test_missing_rows_do_not_remove_intervals(method):
    prices = two_walks()
    prices.iloc[[300, 340, 371, 385], 0] = np.nan
    assert series_with_intervals(fc.Conformal(fc.Naive(), method, window=20), prices) == {"A", "B"}


def test_window_contains_the_newest_known_errors():
    prices = two_walks()
    with_gaps = prices.copy()
    with_gaps.iloc[[300, 340], 0] = np.nan
    model = fc.Conformal(fc.Naive(), window=30, log=False).fit(prices, 1)
    y = with_gaps["A"].to_numpy()
    scale = causal_inputs(y[:, None]).recent_change[:, 0]
    with np.errstate(divide="ignore"):  # nothing has changed before the first rows
        errors = (y[1:] - y[:-1]) / scale[:-1]
    errors = errors[~np.isnan(errors)][-30:]
    expected = y[-1] + scale[-1] * conformal_quantiles(errors, model.levels)
    assert np.allclose(model.predict(with_gaps).quantiles[0, 0, 0], expected, rtol=1e-12)


@pytest.mark.parametrize("start", [150, 250])
def test_series_that_begins_late_has_intervals(start):
    prices = two_walks()
    prices.iloc[:start, 1] = np.nan
    ridge = fc.Conformal(fc.Tabular(lookback=5), window=20)
    needed = ridge.min_rows(3)
    assert 400 - 3 * 10 - start >= needed
    assert series_with_intervals(ridge, prices) == {"A", "B"}


def test_series_that_hardly_moves_is_named():
    prices = two_walks()
    prices.iloc[:-15, 1] = 50.0
    model = fc.Conformal(fc.Naive()).fit(prices, 3)
    with pytest.warns(UserWarning, match="fewer than 20 past errors are known of B"):
        forecast = model.predict(prices)
    assert np.isfinite(forecast.quantiles[0, 0]).all()
    assert np.isnan(forecast.quantiles[0, 1]).any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("train", [60, 100])
def test_no_interval_uses_its_own_outcome(method, train):
    """From the first forecast row on, intervals at a cutoff stay the same bytes whatever comes later."""
    prices, horizon = walks(rows=train + 30, series=2), 3
    model = fc.Conformal(fc.Drift(), method, window=20).fit(prices.iloc[:train], horizon)
    rows = [train - 1, train, train + 7]
    at_once = model.predict_at(prices, rows)
    for k, row in enumerate(rows):
        alone = model.predict(prices.iloc[: row + 1])
        np.testing.assert_array_equal(at_once.quantiles[k], alone.quantiles[0])
        changed = prices.copy()
        changed.iloc[row + 1 :] *= 3
        np.testing.assert_array_equal(model.predict_at(changed, rows).quantiles[k], at_once.quantiles[k])


@pytest.mark.parametrize("method", METHODS)
def test_the_first_row_of_a_run_has_realised_errors_only(method):
    """The errors at the first cutoff are those of forecasts whose outcomes are known, step by step."""
    prices = walks(rows=140, series=2)
    cv = fc.WalkForward(2, 5)
    model = {"c": fc.Conformal(fc.Naive(), method, window=20)}
    plain = fc.backtest(model, prices, cv, refit=5).forecasts
    first = plain["cutoff"].min()
    changed = prices.copy()
    changed.loc[prices.index > first] *= np.linspace(2, 4, (prices.index > first).sum())[:, None]
    again = fc.backtest(model, changed, cv, refit=5).forecasts
    columns = ["y_hat", "q0.1", "q0.5", "q0.9"]
    before, after = (table.loc[table["cutoff"] == first, columns] for table in (plain, again))
    np.testing.assert_array_equal(before, after)
    late = [table.loc[table["cutoff"] > first, columns].to_numpy() for table in (plain, again)]
    assert not np.array_equal(*late)
