"""Models of variances, compared with explicit regressions, arch and plain arithmetic."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from arch import arch_model
from arch.data import sp500
from helpers.quick import variances

import forecast as fc
from forecast.evaluation import metrics


def _garch_returns(rows=2500, seed=0):
    rng = np.random.default_rng(seed)
    variance, returns = 1.0, []
    for z in rng.normal(size=rows):
        returns.append(np.sqrt(variance) * z)
        variance = 0.05 + 0.1 * returns[-1] ** 2 + 0.85 * variance
    return np.array(returns)


def _regressors(y, t):
    return [1.0, y[t], y[t - 4 : t + 1].mean(), y[t - 21 : t + 1].mean()]


@pytest.mark.slow
@pytest.mark.parametrize("log", [False, True])
def test_har_equals_a_loop_of_least_squares(log):
    """Rolling training rows of 300, a refit at each cutoff, two steps."""
    frame = variances(rows=400, series=2)
    cv = fc.WalkForward(horizon=2, n_windows=40, step_size=1, train_size=300)
    table = fc.backtest({"har": fc.HAR(log=log)}, frame, cv).forecasts.query("model == 'har'")
    for row in table.itertuples():
        last = frame.index.get_loc(row.cutoff)
        y = frame[row.unique_id].to_numpy()[last - 299 : last + 1]
        y = np.log(y) if log else y
        x = np.array([_regressors(y, t) for t in range(21, 300)])
        target = y[21 + row.step :]
        coefs = np.linalg.lstsq(x[: len(target)], target, rcond=None)[0]
        forecast = x[-1] @ coefs
        if log:
            forecast = np.exp(forecast) * np.exp(target - x[: len(target)] @ coefs).mean()
        assert row.y_hat == pytest.approx(forecast, rel=1e-10)


def test_har_never_forecasts_a_variance_below_zero():
    """Where least squares forecasts 0 or less, the smallest variance of the training rows replaces it."""
    y = variances(rows=200, series=1)["S0"].to_numpy()
    model = fc.HAR().fit(y, 1)
    model.coefs_[0, 0] = (-1.0, 0.0, 0.0, 0.0)
    assert model.predict(y).point[0, 0, 0] == y.min()
    centred = fc.HAR().fit(np.log(y), 1)  # log variances may be below zero
    assert centred.predict(np.log(y)).point[0, 0, 0] < 0


def test_garch_of_squared_returns_equals_arch_on_returns():
    returns = _garch_returns()
    model = fc.GARCH().fit(returns[:2000] ** 2, 5)
    direct = arch_model(returns, mean="Zero", rescale=False)
    fit = direct.fit(disp="off", last_obs=2000)
    np.testing.assert_allclose(model.params_[0, :3], fit.params, rtol=2e-3)
    frozen = arch_model(returns, mean="Zero", rescale=False).fix(model.params_[0, :3])
    expected = frozen.forecast(horizon=5, start=1999, reindex=False).variance.to_numpy()
    forecast = model.predict_at(returns**2, range(1999, 2500)).point[:, 0]
    np.testing.assert_allclose(forecast, expected, rtol=1e-8)
    # soon after the first row, where the first variance still matters
    early = frozen.forecast(horizon=5, start=3, reindex=False).variance.to_numpy()[:5]
    np.testing.assert_allclose(model.predict_at(returns**2, range(3, 8)).point[:, 0], early, rtol=1e-6)


def test_garch_beats_ewma_and_naive_on_garch_data():
    frame = pd.DataFrame({"v": _garch_returns(3000) ** 2 + 1e-9})
    models = {"garch": fc.GARCH(), "ewma": fc.EWMA(), "har": fc.HAR()}
    result = fc.backtest(models, frame, fc.WalkForward(horizon=5, n_windows=200, step_size=5), refit=50)
    qlike = result.scores().set_index("model")["qlike"]
    assert qlike["garch"] < qlike["ewma"] < qlike["naive"]
    assert qlike["garch"] < qlike["har"] * 1.02
    assert "garch" in result.verdict().sentence.split(" beat")[0]


def test_ewma_equals_its_recursion():
    y = variances(rows=120, series=1)["S0"].to_numpy()
    mean = y[0]
    for value in y:
        mean = 0.9 * mean + 0.1 * value
    np.testing.assert_allclose(fc.EWMA(0.9).fit(y[:100], 3).predict(y).point[0, 0], mean, rtol=1e-12)


MODELS = {
    "har": fc.HAR,
    "har of logs": lambda point: fc.HAR(log=True, point=point),
    "garch": fc.GARCH,
    "ewma": fc.EWMA,
    "arima": lambda point: fc.ARIMA((1, 0, 1), point=point),
    "aligned": lambda point: fc.Recurrent("lstm", hidden=4, point=point),
    "seq2seq": lambda point: fc.Recurrent("lstm", strategy="seq2seq", hidden=4, trainer=fc.Trainer(50), point=point),
}


@pytest.mark.slow
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_the_point_is_the_mean_or_the_median(make):
    """The mean of a skewed variance lies above its median; each is right on average."""
    y = variances(rows=3000, series=1, seed=1)["S0"].to_numpy()
    rows = np.arange(2000, 2990)
    mean, median = (
        make(point=point).fit(y[:2000], 1).predict_at(y, rows).point[:, 0, 0] for point in ("mean", "median")
    )
    assert (mean > median).all()
    assert y[rows + 1].mean() == pytest.approx(mean.mean(), rel=0.1)
    assert (y[rows + 1] > median).mean() == pytest.approx(0.5, abs=0.06)
    with pytest.raises(ValueError, match="point must be one of 'median', 'mean'"):
        make(point="mode").fit(y, 1)


def test_range_estimators_by_hand():
    frame = pd.DataFrame(
        {"Open": [100.0], "High": [110.0], "Low": [95.0], "Close": [105.0]}, pd.to_datetime(["2020-01-02"])
    )
    frame.attrs["ticker"] = "A"
    high_low, close_open = np.log(110 / 95), np.log(105 / 100)
    assert fc.parkinson(frame)["A"].item() == pytest.approx(high_low**2 / (4 * np.log(2)))
    expected = high_low**2 / 2 - (2 * np.log(2) - 1) * close_open**2
    assert fc.garman_klass(frame)["A"].item() == pytest.approx(expected)
    wide = pd.concat({name: frame[[name]].set_axis(["A"], axis=1) for name in frame}, axis=1)
    assert fc.parkinson(wide).equals(fc.parkinson(frame))


def test_ranges_estimate_the_variance_of_a_random_walk():
    rng = np.random.default_rng(0)
    path = np.exp(np.cumsum(rng.normal(0, 0.01 / np.sqrt(500), (4000, 500)), axis=1)) * 100
    first = np.full((4000, 1), 100.0)
    path = np.concatenate([first, path], axis=1)
    day = pd.DataFrame({"Open": path[:, 0], "High": path.max(axis=1), "Low": path.min(axis=1), "Close": path[:, -1]})
    squared = np.log(day["Close"] / day["Open"]) ** 2
    for estimate, efficiency in ((fc.parkinson(day), 3.5), (fc.garman_klass(day), 5)):
        assert estimate.mean().item() == pytest.approx(1e-4, rel=0.12)  # a walk in discrete time has a smaller range
        assert squared.var() / estimate.var().item() > efficiency


def test_ranges_of_a_sample():
    variance = fc.parkinson(sp500.load())
    assert len(variance) == 5031
    assert (variance.to_numpy() > 0).all()
    assert fc.parkinson(fc.load_sample("stocks", fields="all")).columns.tolist() == ["AAPL", "IBM", "MSFT", "GOOG"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"High": 90.0}, "Low is 95, above its High"),
        ({"Open": 120.0}, "A at 2020-01-02: Open is 120, above its High"),
        ({"Close": 90.0}, "Close is 90, below its Low"),
        ({"Low": 0.0}, "Low is 0; a range needs prices above 0"),
        ({"Open": None}, "the prices have no Open; they have High, Low, Close"),
    ],
)
def test_impossible_ranges_are_named(change, message):
    frame = pd.DataFrame(
        {"Open": [100.0], "High": [110.0], "Low": [95.0], "Close": [105.0]}, pd.to_datetime(["2020-01-02"])
    )
    frame.attrs["ticker"] = "A"
    for name, value in change.items():
        frame = frame.drop(columns=name) if value is None else frame.assign(**{name: value})
    with pytest.raises(ValueError, match=message):
        fc.garman_klass(frame)
    with pytest.raises(TypeError, match="must be a DataFrame with High, Low"):
        fc.parkinson([1, 2])


def test_qlike_by_hand():
    y, y_hat = np.array([1.0, 4.0]), np.array([2.0, 2.0])
    assert metrics.qlike(y, y_hat) == pytest.approx(((0.5 - np.log(0.5) - 1) + (2 - np.log(2) - 1)) / 2)
    assert metrics.qlike(y, y) == 0
    assert np.isnan(metrics.qlike(y, np.array([2.0, 0.0])))
    assert np.isnan(metrics.qlike(np.array([0.0, 1.0]), y_hat))
    noisy = np.random.default_rng(0).chisquare(1, 100_000)  # a proxy as noisy as a squared return
    assert metrics.qlike(noisy, np.full(100_000, 1.0)) < min(
        metrics.qlike(noisy, np.full(100_000, other)) for other in (0.9, 1.1)
    )


@pytest.mark.medium
def test_verdict_uses_the_declared_loss():
    """In the skill, the test and the ratio to naive; an invalid loss is named."""
    cv = fc.WalkForward(horizon=2, n_windows=60, step_size=2)
    result = fc.backtest({"har": fc.HAR(log=True), "ewma": fc.EWMA()}, variances(rows=700, series=2), cv, refit=20)
    table = result.verdict(loss="qlike").table.set_index("model")
    scores = result.scores().set_index(["model", "unique_id"])["qlike"]
    ratio = scores["har"] / scores["naive"]
    assert table.loc["har", "skill"] == pytest.approx(1 - np.exp(np.log(ratio).mean()))
    assert table.loc["har", "skill"] != pytest.approx(result.verdict().table.set_index("model").loc["har", "skill"])
    assert table.loc["har", "finding"] == "better"
    with pytest.raises(ValueError, match="loss must be one of 'squared', 'absolute', 'pinball', 'qlike'; got 'mae'"):
        result.verdict(loss="mae")
    spread = fc.backtest(fc.Drift(), variances(rows=300, series=1) - 1, cv)
    with pytest.raises(ValueError, match=r"qlike is a loss of variances.*naive forecast -.* Use loss='squared'"):
        spread.verdict(loss="qlike")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fc.HAR(lags=()), "lags must be numbers of rows"),
        (lambda: fc.HAR(lags=(0, 5)), "each of lags must be at least 1"),
        (lambda: fc.EWMA(1.0), "decay must be at least 0 and below 1"),
    ],
)
def test_parameters_are_checked(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make().fit(variances(), 2)


def test_warnings_of_arch_are_counted():
    """Nine rows in ten are zero: the likelihood has no interior maximum, and arch warns."""
    y = np.where(np.arange(300) % 10 == 0, 1.0, 0.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        forecast = fc.GARCH().fit(y, 1).predict(y)
    assert np.isfinite(forecast.point).all()
    assert all("NaN" not in str(w.message) for w in caught)
