"""ARIMA against direct calls of statsmodels and against published values."""

from __future__ import annotations

import warnings
from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from helpers.quick import walks
from scipy import stats
from scipy.signal import lfilter
from statsmodels.tsa.arima.model import ARIMA as StatsmodelsARIMA
from statsmodels.tsa.innovations.arma_innovations import arma_loglike
from statsmodels.tsa.statespace.sarimax import SARIMAX

import forecast as fc
from forecast.models.arima.intervals import NORMAL
from forecast.models.arima.likelihood import Order, exact_likelihood, residual_jacobian, residuals
from forecast.models.arima.order import candidate_differences
from forecast.models.arima.search import make_sample, search

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


def test_www_usage_matches_r():
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
    """Points and intervals at each cutoff equal those of statsmodels' filter with frozen parameters and variance."""
    y = series.copy()
    if gap:
        y[[50, 51, 320, 350]] = np.nan
    model = fc.ARIMA(order, trend=trend, log=False).fit(y[:300], 5)
    rows = [299, 320, 340, 390]
    forecast = model.predict_at(y, rows)
    (fit,) = model.fits_["y"]
    params = np.concatenate([fit.beta, fit.coefs, [fit.variance]])
    shift = y[0] if order[1] else 0.0  # a diffuse initial state depends on the level only by rounding
    for k, row in enumerate(rows):
        direct = StatsmodelsARIMA(y[: row + 1] - shift, order=order, trend=trend)
        expected = direct.filter(params).get_forecast(5)
        np.testing.assert_allclose(forecast.point[k, 0], expected.predicted_mean + shift, rtol=1e-6)
        width = forecast.quantiles[k, 0, :, 2] - forecast.point[k, 0]
        np.testing.assert_allclose(width, 1.2815515655446004 * np.sqrt(expected.var_pred_mean), rtol=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("order", "trend"), CASES)
def test_likelihood_is_at_least_that_of_statsmodels(order, trend, series):
    ours = fc.ARIMA(order, trend=trend, log=False).fit(series, 1).record_["loglike"]["y"]
    assert ours >= StatsmodelsARIMA(series, order=order, trend=trend, concentrate_scale=True).fit().llf - 1e-3


def test_log_prices_do_not_stop_at_a_random_walk():
    """With its default scaling statsmodels can stop at ar = ma = 0 on log prices and report convergence."""
    rng = np.random.default_rng(0)
    growth = np.zeros(1000)
    for t in range(1, 1000):
        growth[t] = 0.4 * growth[t - 1] + rng.normal(0, 0.01)
    prices = 100 * np.exp(growth.cumsum())
    record = fc.ARIMA((1, 1, 0)).fit(prices, 1).record_
    assert record["log"] is True
    assert record["params"]["y"]["ar.L1"] == pytest.approx(0.4, abs=0.08)


def test_variance_is_that_of_the_fit():
    """Later rows change the forecasts but not the shock variance, which filtering again would re-estimate."""
    prices = walks(rows=300, series=1)
    volatile = prices.copy()
    volatile.iloc[200:] *= np.exp(np.random.default_rng(1).normal(0, 0.2, size=(100, 1)).cumsum(axis=0))
    model = fc.ARIMA((0, 1, 0)).fit(prices.iloc[:200], 1)
    forecasts = model.predict_at(prices, [299]), model.predict_at(volatile, [299])
    calm, wild = (np.log(f.quantiles[0, 0, 0, 2] / f.quantiles[0, 0, 0, 0]) for f in forecasts)
    assert calm == pytest.approx(wild, rel=1e-6)


def _clustered(rows=1500, seed=0):
    """Return a price whose log returns have GARCH(1,1) variance."""
    rng, variance, returns = np.random.default_rng(seed), 1.5e-4, np.empty(rows)
    h = variance
    for t in range(rows):
        returns[t] = np.sqrt(h) * rng.normal()
        h = 0.03 * variance + 0.12 * returns[t] ** 2 + 0.85 * h
    return 100 * np.exp(returns.cumsum())


def test_intervals_follow_volatility():
    """They cover as they claim, also on the tenth of the cutoffs after the most volatile rows."""
    prices = pd.DataFrame({f"S{i}": _clustered(seed=i) for i in range(6)})
    rows = np.arange(700, 1495)
    forecast = fc.ARIMA((0, 1, 0)).fit(prices.iloc[:700], 5).predict_at(prices, rows)
    y = np.stack([prices.to_numpy()[rows + k] for k in range(1, 6)], axis=2)  # (K, N, H)
    inside = (y >= forecast.quantiles[..., 0]) & (y <= forecast.quantiles[..., 2])
    assert inside.mean() == pytest.approx(0.8, abs=0.04)
    recent = np.log(prices).diff().abs().rolling(60).mean().to_numpy()[rows]
    assert inside[recent > np.quantile(recent, 0.9)].mean() == pytest.approx(0.8, abs=0.08)


def test_mean_and_intervals_have_the_same_variance():
    """In logs the mean is exp(variance / 2) above the median, with the variance after these rows."""
    prices = _clustered()
    median, mean = (fc.ARIMA((0, 1, 0), point=point).fit(prices, 3).predict(prices) for point in ("median", "mean"))
    deviation = np.sqrt(2 * np.log(mean.point / median.point))[0, 0]
    half_width = np.log(mean.quantiles[0, 0, :, 2] / median.point[0, 0])
    np.testing.assert_allclose(half_width / deviation, 1.28, atol=0.2)


def test_intervals_of_one_variance_are_normal():
    y = np.random.default_rng(3).normal(size=90).cumsum()  # too few rows for another distribution
    model = fc.ARIMA((0, 1, 0), log=False).fit(y, 4)
    width = model.predict(y).quantiles[0, 0, :, 2] - y[-1]
    expected = 1.2815515655446004 * np.sqrt(np.mean(np.diff(y) ** 2) * np.arange(1, 5))
    np.testing.assert_allclose(width, expected, rtol=1e-9)


def test_random_walk_order_forecasts_the_last_value():
    prices = walks()
    forecast = fc.ARIMA((0, 1, 0)).fit(prices, 4).predict(prices)
    np.testing.assert_allclose(forecast.point[0], np.repeat(prices.to_numpy()[-1][:, None], 4, axis=1), rtol=1e-9)


def test_trend_counts_from_first_training_row():
    """Rows of the history before those of the fit do not shift the trend."""
    y = np.arange(200.0) * 0.5 + np.random.default_rng(2).normal(size=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forecast = fc.ARIMA((1, 0, 0), trend="ct", log=False).fit(_undated(y).iloc[100:180], 3).predict(_undated(y))
    np.testing.assert_allclose(forecast.point[0, 0], [100, 100.5, 101], atol=1.5)


def _undated(y):
    return pd.DataFrame({"y": y})


def _prices(name):
    return import_module(f"arch.data.{name}").load()["Adj Close"].to_numpy()


def _returns():
    return 100 * np.diff(np.log(_prices("sp500")))


ORDERS = [
    Order(2, 0, 2),
    Order(3, 0, 0),
    Order(0, 0, 4),
    Order(1, 0, 1, 1, 0, 1, 5),
    Order(0, 0, 1, 0, 0, 1, 12),
    Order(2, 0, 0, 1, 0, 0, 4),
]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_exact_likelihood_equals_two_other_implementations(order, series):
    """statsmodels' innovations algorithm and its Kalman filter, at coefficients that are not the maximum."""
    coefs = np.resize([0.4, -0.2, 0.3, 0.1], order.n_coefs)
    y = series - series.mean()
    ours = exact_likelihood(order, coefs, y[None])
    ar, ma, sar, sma = order.polynomials(coefs)
    full_ar, full_ma = -np.convolve(ar, sar)[1:], np.convolve(ma, sma)[1:]
    assert ours.loglike == pytest.approx(arma_loglike(y, full_ar, full_ma, ours.variance), rel=1e-10)
    kalman = SARIMAX(y, order=(order.p, 0, order.q), seasonal_order=(order.P, 0, order.Q, order.m))
    assert ours.loglike == pytest.approx(kalman.loglike(np.append(coefs, ours.variance)), rel=1e-9)


def test_regressors_are_concentrated_out_exactly(series):
    """The regression is generalised least squares: changing any of its coefficients lowers the likelihood."""
    x = np.column_stack([np.ones(400), np.arange(1.0, 401.0)])
    order = Order(1, 0, 1, trend="ct")
    found = search(order, make_sample(order, series, x))
    direct = StatsmodelsARIMA(series, order=(1, 0, 1), trend="ct")
    params = np.concatenate([found.beta, found.coefs, [found.variance]])
    assert found.loglike == pytest.approx(direct.loglike(params), rel=1e-9)
    for i in range(len(params)):
        for change in (-1e-3, 1e-3):
            moved = params.copy()
            moved[i] += change * max(abs(params[i]), 1e-3)
            assert direct.loglike(moved) < found.loglike


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_jacobian_equals_numerical_derivatives_of_residuals(order, series):
    coefs = np.resize([0.4, -0.2, 0.3, 0.1], order.n_coefs)
    ours = residual_jacobian(order, coefs, series, residuals(order, coefs, series))
    for i, change in enumerate(1e-6 * np.eye(order.n_coefs)):
        numeric = (residuals(order, coefs + change, series) - residuals(order, coefs - change, series)) / 2e-6
        np.testing.assert_allclose(ours[i], numeric, atol=1e-6 * np.abs(numeric).max())


def test_likelihood_above_statsmodels_and_statsforecast():
    """Both stop at a log-likelihood of −8050.24 on the S&P 500's returns × 100 (shared/oracles.md)."""
    record = fc.ARIMA((2, 0, 2), log=False).fit(_returns(), 1).record_
    assert record["loglike"]["y"] >= -8048.90
    assert record["loglike"]["y"] < -8048.5


def test_auto_finds_a_lower_aicc_than_statsforecast():
    """AutoARIMA of statsforecast 2.1 selects (1, 0, 1) without a mean, AICc 16107.8."""
    record = fc.ARIMA("auto", log=False).fit(_returns(), 1).record_
    assert record["order"]["y"] == "(3,0,3)"
    assert record["aicc"]["y"] <= 16096


WINDOWS = [(name, start) for name in ("sp500", "nasdaq") for start in np.linspace(0, 4031, 8).astype(int)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "start"), WINDOWS)
def test_likelihood_at_least_random_walk_and_statsmodels(name, start):
    """On log prices; multiplying the prices does not change the result."""
    prices = _prices(name)[start : start + 1000]
    y = np.log(prices)

    def loglike(order, values, log=True):
        return fc.ARIMA(order, log=log).fit(values, 1).record_["loglike"]["y"]

    ours = loglike((1, 1, 1), prices)
    assert ours >= loglike((0, 1, 0), prices)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        direct = StatsmodelsARIMA(y - y[0], order=(1, 1, 1), concentrate_scale=True).fit()
    assert ours >= direct.llf - 0.01
    assert loglike((1, 1, 1), prices * 100) == pytest.approx(ours, abs=1e-3)
    assert loglike((1, 1, 1), y * 100, log=False) + 999 * np.log(100) == pytest.approx(ours, abs=1e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("order", "seasonal", "rows"),
    [
        ((2, 0, 2), None, "returns"),
        ((1, 1, 1), None, "prices"),
        ((1, 0, 1), (1, 0, 0, 5), "returns"),
        ((0, 1, 1), (0, 1, 1, 12), "prices"),
    ],
)
def test_one_pass_equals_filtering_at_each_origin(order, seasonal, rows):
    """Equal to statsmodels' append and forecast with frozen parameters, as far as its start is diffuse.

    Points to 2e-5 percent, variances to 1e-6.
    """
    y = _returns() if rows == "returns" else 100 * np.log(_prices("sp500"))
    y, first, n = y[:1500], 1460, 30
    model = fc.ARIMA(order, seasonal_order=seasonal, log=False).fit(y[:first], 5)
    fit = replace(model.fits_["y"][0], spread=NORMAL)
    model.fits_ = {"y": [fit]}
    forecast = model.predict_at(y, range(first - 1, first - 1 + n))
    direct = StatsmodelsARIMA(y[:first], order=order, seasonal_order=seasonal or (0, 0, 0, 0), trend=fit.order.trend)
    result = direct.filter(np.concatenate([fit.beta, fit.coefs, [fit.variance]]))
    for k in range(n):
        result = result.append(y[first + k - 1 : first + k], refit=False) if k else result
        expected = result.get_forecast(5)
        np.testing.assert_allclose(forecast.point[k, 0], expected.predicted_mean, rtol=0, atol=2e-5)
        width = (forecast.quantiles[k, 0, :, 2] - forecast.point[k, 0]) / 1.2815515655446004
        np.testing.assert_allclose(width**2, expected.var_pred_mean, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.medium
def test_missing_rows_do_not_enter_the_likelihood(series):
    """The likelihood is the Kalman filter's, of the observed rows, not of interpolated ones."""
    y = series.copy()
    y[np.random.default_rng(0).permutation(400)[:60]] = np.nan
    ours = fc.ARIMA((1, 0, 1), log=False).fit(y, 1).record_
    direct = StatsmodelsARIMA(y, order=(1, 0, 1), concentrate_scale=True).fit()
    assert ours["loglike"]["y"] >= direct.llf - 1e-3
    assert ours["params"]["y"]["ar.L1"] == pytest.approx(0.8, abs=0.12)


@pytest.mark.slow
def test_strong_season_is_differenced_and_forecast():
    rng = np.random.default_rng(3)
    t = np.arange(480)
    y = 20 + 5 * np.sin(2 * np.pi * t / 12) + np.cumsum(rng.normal(0, 0.02, 480)) + rng.normal(0, 0.3, 480)
    assert {seasonal for _, seasonal in candidate_differences(y, 12)} == {1}
    model = fc.ARIMA("auto", seasonal_order=12, log=False).fit(y[:456], 24)
    error = model.predict(y[:456]).point[0, 0] - y[456:]
    assert "[12]" in model.record_["order"]["y"]
    assert np.sqrt((error**2).mean()) < 0.45
    fixed = fc.ARIMA((1, 0, 0), seasonal_order=(0, 1, 1, 12), log=False).fit(y[:456], 24)
    assert np.sqrt(((fixed.predict(y[:456]).point[0, 0] - y[456:]) ** 2).mean()) < 0.45


def _selected_d(y):
    return fc.ARIMA("auto", log=False).fit(y, 1).fits_["y"][0].order.d


def _autoregression(phi, rows, seed):
    shocks = np.random.default_rng(seed).normal(size=rows)
    return lfilter([1.0], [1.0, -phi], shocks)


@pytest.mark.medium
def test_differences_of_simulated_series():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=600)
    assert [_selected_d(y) for y in (noise, noise.cumsum(), noise.cumsum().cumsum())] == [0, 1, 2]
    assert candidate_differences(noise, 7) == [(0, 0)]
    assert _selected_d(_autoregression(0.9, 2700, 0)) == 0  # integrated by KPSS alone
    assert [_selected_d(np.random.default_rng(s).normal(size=1000).cumsum()) for s in range(10)].count(1) >= 9


@pytest.mark.parametrize("name", ["MSFT", "IBM"])
@pytest.mark.medium
def test_prices_revert_to_no_level(name):
    """Dickey and Fuller's test rejects a unit root of MSFT's price, and integrated models describe it better."""
    price = fc.load_sample("stocks")[name]
    assert fc.ARIMA("auto").fit(price, 5).fits_[name][0].order.d == 1


@pytest.mark.parametrize("m", [1, 4])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.medium
def test_auto_is_not_worse_than_a_random_walk(seed, m):
    """By AICc on the same rows, with and without drift: of walks, autoregressions, trends and noise, short and long."""
    rows = (12, 25, 60, 150)[seed % 4]
    rng = np.random.default_rng(seed)
    season = 3 * np.sin(2 * np.pi * np.arange(rows) / 4) * (m > 1)
    for y in (rng.normal(size=rows).cumsum(), _autoregression(0.95, rows, seed), rng.normal(size=rows)):
        y = y + season + 0.1 * seed * np.arange(rows)
        (fit,) = fc.ARIMA("auto", m if m > 1 else None, log=False).fit(y, 2).fits_["y"]
        n_lost = max(fit.order.n_lost, 1)
        ours = _aicc_given_first(y, fit, n_lost)
        change = np.diff(y)[n_lost - 1 :]
        for drift in (0.0, np.diff(y).mean()):
            spread = np.mean((np.diff(y) - drift) ** 2)
            n, k = len(change), 1 + (drift != 0)
            loglike = stats.norm.logpdf(change, drift, np.sqrt(spread)).sum()
            assert ours <= -2 * loglike + 2 * k * n / (n - k - 1) + 1e-6


def _aicc_given_first(y, fit, n_lost):
    """Compute the AICc given the first rows by statsmodels' filter: one-step log densities of the later ones."""
    order, t = fit.order, np.arange(1.0, len(y) + 1)
    trend = {"n": 0 * t[:, None], "c": 1 + 0 * t[:, None], "t": t[:, None]}[order.trend]
    beta = fit.beta if len(fit.beta) else np.zeros(1)
    seasonal = (order.P, order.D, order.Q, order.m if order.P or order.D or order.Q else 0)
    errors = y - trend @ beta
    model = SARIMAX(errors - errors[0] * (order.n_lost > 0), order=(order.p, order.d, order.q), seasonal_order=seasonal)
    loglikes = model.filter(np.append(fit.coefs, fit.variance)).llf_obs
    n, k = len(y) - n_lost, len(fit.coefs) + len(fit.beta) + 1
    return -2 * loglikes[n_lost:].sum() + 2 * k * n / (n - k - 1)


@pytest.mark.medium
def test_auto_has_a_constant_and_tries_drift():
    """Without a constant, forecasts would depend on where zero is."""
    rng = np.random.default_rng(1)
    assert fc.ARIMA("auto", log=False).fit(rng.normal(size=500), 1).fits_["y"][0].order.trend == "c"
    assert fc.ARIMA("auto", trend="n", log=False).fit(rng.normal(size=500), 1).fits_["y"][0].order.trend == "n"
    drifting = np.cumsum(rng.normal(1, 1, size=500))
    record = fc.ARIMA("auto", log=False).fit(drifting, 1).record_
    assert record["params"]["y"]["trend"] == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("m", [None, 4])
@pytest.mark.medium
def test_logs_of_a_short_series_are_chosen_by_its_changes(m):
    """Logs only where changes are rates without a drift, in any unit and whatever the panel has."""
    rng, t = np.random.default_rng(0), np.arange(60)
    amounts = 20 + (2 + rng.normal(size=60)).cumsum()
    rates = 20 * np.exp((0.3 * rng.normal(size=60)).cumsum())
    growth = 20 * np.exp((0.05 + 0.03 * rng.normal(size=60)).cumsum())
    columns = {"amounts": amounts, "amounts × 7": 7 * amounts, "rates": rates, "growth": growth}
    panel = pd.DataFrame(columns | {"zeros": rates * (t > 0)})
    model = fc.ARIMA("auto", m).fit(panel, 12)
    assert model.log_.in_logs == (False, False, True, False, False)
    point = model.predict(panel).point[0]
    np.testing.assert_allclose(point[1], 7 * point[0], rtol=1e-8)
    np.testing.assert_array_equal(
        fc.ARIMA("auto", m).fit(panel[["rates"]], 12).predict(panel[["rates"]]).point[0, 0], point[2]
    )
    assert fc.ARIMA((1, 1, 0)).fit(panel, 12).log_.in_logs == (True, True, True, True, False)
    assert fc.ARIMA("auto", log=True).fit(panel[["amounts"]], 12).log_.in_logs == (True,)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("order", "seasonal"), [*((order, None) for order, _ in CASES), ((0, 1, 1), (0, 1, 1, 4))])
def test_given_order_is_fitted_from_its_minimum_of_rows(order, seasonal):
    """It forecasts within the range that the rows suggest; with fewer rows it is refused."""
    model = fc.ARIMA(order, seasonal, log=False)
    rows = model.min_rows(4)
    for seed in range(5):
        y = 50 + np.random.default_rng(seed).normal(size=rows).cumsum()
        forecast = model.fit(y, 4).predict(y)
        assert (np.abs(forecast.point - y[-1]) < 6 * np.ptp(y)).all()
        assert np.isfinite(forecast.quantiles).all()
    with pytest.raises(ValueError, match=f"needs at least {rows} observed rows"):
        model.fit(y[1:], 4)


SCALES = [(1e-9, 0.0), (1e-3, 2.0), (7.3, -11.0), (1e6, 3e6), (1e9, 1e9)]
SCALED_ORDERS = [((1, 1, 1), (0, 1, 1, 12)), ((0, 2, 2), None), ((2, 0, 1), None), ("auto", None), ("auto", 12)]


@pytest.mark.parametrize("gap", [False, True])
@pytest.mark.parametrize(("order", "seasonal"), SCALED_ORDERS)
@pytest.mark.medium
def test_multiples_are_forecast_by_multiples(order, seasonal, gap):
    """y·s + c is forecast by s times the forecast of y, plus c, and its intervals likewise."""
    rng, t = np.random.default_rng(0), np.arange(60)
    y = 10 * np.sin(2 * np.pi * t / 12) + rng.normal(size=60).cumsum() / 2 + rng.normal(size=60)
    if gap:
        y[[0, 20, 21, 47]] = np.nan

    def values(series):
        forecast = fc.ARIMA(order, seasonal, log=False).fit(series, 12).predict(series)
        return np.append(forecast.point.ravel(), forecast.quantiles.ravel())

    plain = values(y)
    for scale, shift in SCALES if not gap else SCALES[:3]:
        np.testing.assert_allclose(values(y * scale + shift), plain * scale + shift, rtol=1e-8)


@pytest.mark.parametrize("rows", [48, 60, 120])
def test_diffuse_start_is_exact(rows):
    """Point and interval of short seasonal series equal those of statsmodels' exact diffuse filter."""
    rng, t = np.random.default_rng(rows), np.arange(rows)
    y = 1e4 * (10 * np.sin(2 * np.pi * t / 12) + rng.normal(size=rows).cumsum())
    model = fc.ARIMA((1, 1, 1), (0, 1, 1, 12), log=False).fit(y, 12)
    forecast, (fit,) = model.predict(y), model.fits_["y"]
    direct = SARIMAX(y, order=(1, 1, 1), seasonal_order=(0, 1, 1, 12), use_exact_diffuse=True)
    expected = direct.filter(np.append(fit.coefs, fit.variance)).get_forecast(12)
    width = 2 * 1.2815515655446004 * np.sqrt(expected.var_pred_mean)
    np.testing.assert_allclose(forecast.point[0, 0] / width, expected.predicted_mean / width, atol=1e-6)
    ours = forecast.quantiles[0, 0, :, 2] - forecast.quantiles[0, 0, :, 0]
    np.testing.assert_allclose(ours, width, rtol=1e-6)


@pytest.mark.parametrize("rows", [3, 4, 5, 7, 11, 20])
@pytest.mark.parametrize("m", [None, 4])
@pytest.mark.medium
def test_short_series_are_forecast(rows, m):
    """Noise, a walk, a line, a parabola, a late change and a series with gaps."""
    rng = np.random.default_rng(rows)
    t = np.arange(float(rows))
    series = [rng.normal(size=rows), rng.normal(size=rows).cumsum(), 2 * t + 5, t**2, t == rows - 1]
    for y in series:
        gaps = np.insert(np.asarray(y, dtype=float), 1, [np.nan, np.nan])
        for values in (np.asarray(y, dtype=float), gaps):
            forecast = fc.ARIMA("auto", m).fit(values, 6).predict(values)
            assert np.isfinite(forecast.point).all()
            assert np.isfinite(forecast.quantiles).all()


@pytest.mark.medium
def test_warm_start_begins_at_the_last_fit():
    """A warm fit is not worse than one from scratch."""
    y = _returns()[:3000]
    model = fc.ARIMA("auto", log=False, warm_start=True).fit(y[:2900], 1)
    warm = model.fit(y, 1).record_["aicc"]["y"]
    assert warm <= fc.ARIMA("auto", log=False).fit(y, 1).record_["aicc"]["y"] + 1e-3


def _driven(rows=600, seed=2):
    """Return a series that depends on a channel one and two rows before."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    y = 50 + np.concatenate([[0, 0], 0.9 * x[1:-1] + 0.5 * x[:-2]]) + rng.normal(0, 0.3, rows)
    return pd.concat({"Close": pd.DataFrame({"A": y}), "Signal": pd.DataFrame({"A": x})}, axis=1)


def test_channels_are_lagged_to_the_cutoff():
    frame = _driven()
    y, x = frame["Close", "A"].to_numpy(), frame["Signal", "A"].to_numpy()
    with_channel = fc.ARIMA((1, 0, 0), log=False, exog=("Signal",)).fit(frame.iloc[:500], 2)
    without = fc.ARIMA((1, 0, 0), log=False).fit(frame.iloc[:500], 2)
    rows = np.arange(499, 598)
    truth = np.stack([y[rows + 1], y[rows + 2]], axis=1)
    error, plain_error = (
        np.sqrt(((m.predict_at(frame, rows).point[:, 0] - truth) ** 2).mean(axis=0)) for m in (with_channel, without)
    )
    assert (error < 0.95 * plain_error).all()
    assert error[0] < 0.7
    for lag in (1, 2):  # an independent fit: statsmodels on the lagged channel
        direct = SARIMAX(y[lag:500], exog=np.column_stack([np.ones(500 - lag), x[: 500 - lag]]), order=(1, 0, 0))
        fit = with_channel.fits_["A"][lag - 1]
        result = direct.filter(np.concatenate([fit.beta, fit.coefs, [fit.variance]]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert result.llf >= direct.fit(disp=0).llf - 1e-3
        future = np.column_stack([np.ones(lag), x[500 - lag : 500]])
        expected = result.forecast(lag, exog=future)[-1]
        assert with_channel.predict(frame.iloc[:500]).point[0, 0, lag - 1] == pytest.approx(expected, rel=1e-8)


def test_every_step_uses_the_newest_row_of_a_channel():
    frame = _driven()
    model = fc.ARIMA((1, 0, 0), log=False, exog=("Signal",)).fit(frame.iloc[:500], 3)
    before = model.predict(frame.iloc[:520]).point
    frame.iloc[519, 1] += 1
    assert (model.predict(frame.iloc[:520]).point != before).all()


def test_channels_with_gaps_and_late_starts():
    frame = _driven()
    frame.iloc[:100, 1] = np.nan
    frame.iloc[[300, 301, 599], 1] = np.nan
    model = fc.ARIMA("auto", log=False, exog=("Signal",)).fit(frame, 2)
    assert np.isfinite(model.predict(frame).quantiles).all()
    assert np.isnan(model.predict_at(frame, [50]).point).all()
    frame.iloc[:590, 1] = np.nan
    with pytest.warns(UserWarning, match="A has 9 rows on which all of Signal are available"):
        model.fit(frame, 2)


def test_trend_counts_from_first_row_with_channels():
    """The channel starts on a row on which the series does not trade."""
    frame = _driven()
    frame.iloc[:100, 1] = np.nan
    frame.iloc[99:104, 0] = np.nan
    frame["Close", "A"] += 0.05 * np.arange(600)
    model = fc.ARIMA((0, 0, 0), trend="ct", log=False, exog=("Signal",)).fit(frame.iloc[:500], 1)
    assert model.fits_["A"][0].start == 104
    rows = np.arange(499, 599)
    error = model.predict_at(frame, rows).point[:, 0, 0] - frame["Close", "A"].to_numpy()[rows + 1]
    assert abs(error.mean()) < 0.15


def test_results_have_statsmodels_summary_and_errors(series):
    frame = pd.DataFrame({"A": series, "B": series[::-1]})
    model = fc.ARIMA((1, 0, 1), log=False).fit(frame, 1)
    results = model.results(frame, "B")
    assert results.llf == pytest.approx(model.record_["loglike"]["B"], abs=1e-3)
    assert "ar.L1" in str(results.summary())
    assert (results.bse[1:3] > 0).all()
    with pytest.raises(ValueError, match="there is no fit of 'C'; fitted series: A, B"):
        model.results(frame, "C")


def test_fits_that_do_not_converge_are_counted(monkeypatch):
    from forecast.models.arima import search as module

    monkeypatch.setattr(module, "maximise", lambda order, coefs, sample, **options: (coefs, False))
    result = fc.backtest(fc.ARIMA(), walks(series=1), fc.WalkForward(horizon=2, n_windows=4), refit=2)
    fits = result.fits.query("model == 'arima'")
    assert list(fits["warnings"]) == [1, 1]
    assert "S0's ARIMA(1,1,1) did not converge to a maximum of the likelihood" in fits["details"].iloc[0]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"order": (1, 1)}, "three whole numbers"),
        ({"order": 3}, "three whole numbers"),
        ({"order": (1, -1, 0)}, "d of order must be at least 0"),
        ({"order": (1, 1.5, 0)}, "d of order must be a whole number"),
        ({"trend": "x"}, "trend must be one of"),
        ({"trend": "c"}, "lost in differencing"),
        ({"order": "best"}, "order must be three whole numbers"),
        ({"order": "auto", "seasonal_order": (1, 0, 1, 5)}, "the number of rows in a season"),
        ({"seasonal_order": (1, 0, 1)}, "four whole numbers"),
        ({"seasonal_order": (1, 0, 1, 1)}, "at least 2 rows"),
        ({"order": (1, 0, 0), "trend": "c", "seasonal_order": (0, 1, 0, 5)}, "lost in differencing"),
        ({"exog": "Volume"}, "list of fields"),
        ({"order": (0, 2, 1), "trend": "t"}, "lost in differencing twice"),
        ({"order": (2, 0, 0), "seasonal_order": (1, 0, 0, 2)}, "at the lag of a seasonal one"),
    ],
)
def test_parameters_are_checked(params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fc.ARIMA(**params).fit(walks(), 1)


def test_constant_series_forecasts_its_value():
    """A halted ticker does not affect the others."""
    prices = walks()
    prices["S1"] = 7.0
    panel = fc.as_panel(dict(prices))  # each value of a mapping is a series
    forecast = fc.ARIMA().fit(panel, 2).predict(panel)
    np.testing.assert_allclose(forecast.quantiles[0, 1], 7.0)
    halted = _driven()
    halted["Close", "A"] = 7.0
    np.testing.assert_allclose(fc.ARIMA(exog=("Signal",)).fit(halted, 2).predict(halted).quantiles, 7.0)
    np.testing.assert_allclose(
        forecast.point[0, 0], fc.ARIMA().fit(prices[["S0"]], 2).predict(prices[["S0"]]).point[0, 0]
    )


@pytest.mark.parametrize(("level", "size"), [(7.8, 5e-5), (7.8, 1e-5), (1.0, 1e-6), (1e6, 1.0)])
def test_high_level_costs_no_digits(level, size, recwarn):
    """A level far above the movement, and the same series without it."""
    rng, x = np.random.default_rng(0), np.zeros(500)
    for t in range(1, 500):
        x[t] = 0.9 * x[t - 1] + rng.normal()
    ours, plain = (fc.ARIMA((1, 0, 0), log=False).fit(v, 1).record_ for v in (level + size * x, x))
    assert ours["loglike"]["y"] + 500 * np.log(size) == pytest.approx(plain["loglike"]["y"], abs=1e-2)
    assert ours["params"]["y"]["ar.L1"] == pytest.approx(plain["params"]["y"]["ar.L1"], abs=1e-4)
    assert not recwarn.list


def test_constant_channel_has_no_coefficient():
    frame = _driven()
    frame["Signal", "A"] = 5e8
    model = fc.ARIMA((1, 0, 0), log=False, exog=("Signal",)).fit(frame.iloc[:500], 1)
    before = model.predict(frame).point
    frame.iloc[-1, 1] = 9e8
    np.testing.assert_allclose(model.predict(frame).point, before)


@pytest.mark.slow
@pytest.mark.parametrize("m", [2, 3, 4])
def test_auto_selects_no_order_with_overlapping_lags(m):
    for seed in range(3):
        y = 100 + np.convolve(np.random.default_rng(seed).normal(size=300), [1, 0.5, 0.3], "same")
        assert np.isfinite(fc.ARIMA("auto", seasonal_order=m).fit(y, 1).predict(y).point).all()


@pytest.mark.parametrize("size", [0.1, 0.5, 1.0])
@pytest.mark.medium
def test_trend_is_not_mistaken_for_a_level(size):
    """The log of a line is concave: forecasts continue upwards and do not revert."""
    y = 100 + 0.5 * np.arange(400) + size * np.random.default_rng(1).normal(size=400)
    point = fc.ARIMA("auto").fit(y, 5).predict(y).point[0, 0]
    np.testing.assert_allclose(point, 100 + 0.5 * np.arange(400, 405), atol=6 * size)


def test_no_forecast_before_the_differences_exist():
    y = 100 + 0.5 * np.arange(400) + np.random.default_rng(1).normal(size=400)
    quantiles = fc.ARIMA((0, 2, 2)).fit(y, 3).predict_at(y, [0, 1, 2]).quantiles
    assert np.isnan(quantiles[:2]).all()
    assert np.isfinite(quantiles[2]).all()
