"""Derived targets follow their formulas and use past prices only."""

import numpy as np
import pandas as pd
import pytest

import forecast as fc


@pytest.fixture(scope="module")
def stocks():
    return fc.load_sample("stocks", fields="all")


def test_log_returns_cover_gaps():
    prices = pd.DataFrame({"A": [100.0, 110.0, np.nan, 121.0]}, index=pd.bdate_range("2024-01-01", periods=4))
    returns = fc.log_returns(prices)["A"]
    assert returns.isna().tolist() == [True, False, True, False]
    assert returns.dropna().tolist() == pytest.approx([np.log(1.1)] * 2)
    with pytest.raises(ValueError, match="A at 2024-01-02: the price is -1; a log return needs prices above 0"):
        fc.log_returns(prices.replace(110.0, -1.0))
    with pytest.raises(TypeError, match="must be a DataFrame"):
        fc.log_returns([1.0, 2.0])


def five_minute_bars(days=5, bars=78, seed=0):
    rng = np.random.default_rng(seed)
    times = [
        day + pd.Timedelta(hours=14, minutes=30 + 5 * i)
        for day in pd.bdate_range("2024-03-04", periods=days)
        for i in range(bars)
    ]
    return pd.DataFrame({"A": 100 * np.exp(rng.normal(0, 0.001, len(times)).cumsum())}, index=times)


def test_realised_variance_is_the_sum_of_squares():
    bars = five_minute_bars()
    variance = fc.realised_variance(bars)["A"]
    logs = np.log(bars["A"].to_numpy()).reshape(5, 78)
    assert np.allclose(variance, (np.diff(logs, axis=1) ** 2).sum(axis=1), rtol=1e-12)
    with_overnight = fc.realised_variance(bars, overnight=True)["A"]
    assert np.allclose(with_overnight[1:] - variance[1:], (logs[1:, 0] - logs[:-1, -1]) ** 2, rtol=1e-9)
    assert [f"{day:%m-%d}" for day in variance.index] == ["03-04", "03-05", "03-06", "03-07", "03-08"]


def test_a_day_with_few_bars_has_no_variance():
    bars = five_minute_bars()
    bars = bars.drop(bars.index[78 + 30 : 2 * 78])
    variance = fc.realised_variance(bars)["A"]
    assert variance.isna().tolist() == [False, True, False, False, False]


def test_daily_prices_have_no_realised_variance(stocks):
    with pytest.raises(ValueError, match="needs times of day"):
        fc.realised_variance(stocks)


@pytest.mark.parametrize("target", ["price", "return", "parkinson", "garman_klass", "volume", "High"])
def test_make_target_with_exog(target, stocks):
    exog = ("Open",) if target == "volume" else ("Volume", "Open")
    panel = fc.make_target(stocks, target, exog=exog)
    assert panel.channels[1:] == exog
    assert panel.series == ("AAPL", "IBM", "MSFT", "GOOG")
    assert np.array_equal(panel.values[:, 0, -1], stocks["Open"]["AAPL"].to_numpy(), equal_nan=True)
    assert "stocks" in panel.attrs["source"]
    expected = {
        "price": stocks["Adj Close"],
        "volume": stocks["Volume"],
        "High": stocks["High"],
        "return": np.log(stocks["Adj Close"]).diff(),
        "parkinson": fc.parkinson(stocks),
        "garman_klass": fc.garman_klass(stocks),
    }[target]
    assert np.allclose(panel.target, expected, rtol=1e-9, atol=1e-12, equal_nan=True)


def test_missing_fields_raise(stocks):
    with pytest.raises(ValueError, match="no field 'Range' to forecast; the prices have"):
        fc.make_target(stocks, "Range")
    with pytest.raises(ValueError, match="no field 'Mood' to read as exog"):
        fc.make_target(stocks, "return", exog=("Mood",))
    with pytest.raises(ValueError, match="no High, Low"):
        fc.make_target(fc.load_sample("stocks"), "parkinson")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["return", "parkinson", "garman_klass"])
def test_no_target_uses_the_future(target, stocks):
    prices = stocks.iloc[-300:]
    report = fc.audit(
        fc.make_model("drift"), prices, fc.WalkForward(3, 3), prepare=lambda raw: fc.make_target(raw, target)
    )
    assert report.passed, report


def test_realised_variance_does_not_use_the_future():
    bars = five_minute_bars()
    later = bars.copy()
    later.iloc[3 * 78 :] *= 1 + np.random.default_rng(1).random((2 * 78, 1))
    assert fc.realised_variance(bars)[:3].equals(fc.realised_variance(later)[:3])
    assert not fc.realised_variance(bars)[3:].equals(fc.realised_variance(later)[3:])
    short = five_minute_bars(6, 60)  # these days have the usual number of bars until longer days follow
    long = pd.concat([short, five_minute_bars(9, 78).loc["2024-03-12":]])
    assert fc.realised_variance(long)[:6].equals(fc.realised_variance(short))


def test_a_network_forecasts_returns_from_volumes(stocks):
    panel = fc.make_target(stocks.iloc[-400:], "return", exog=("Volume",))
    models = {"lstm": fc.Recurrent("lstm", exog=("Volume",), trainer=fc.Trainer(steps=5))}
    result = fc.backtest(models, panel, fc.WalkForward(3, 3))
    assert np.isfinite(result.forecasts["y_hat"]).all()
    assert result.spec["data"]["source"] == "log returns of stocks"
