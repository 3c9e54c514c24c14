"""What positions that follow forecasts return: published values, arithmetic by hand, and processes of known profit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast as fc
from forecast.evaluation.trading import HOLD, economics, expected_maximum, probability_above


@pytest.mark.parametrize(("trials", "deflated"), [(100, 0.9004), (46, 0.9505)])
def test_deflated_sharpe_ratio_of_the_paper(trials, deflated):
    """Bailey and López de Prado's example: an annual ratio of 2.5 over 1,250 days, variance ½ of the trials."""
    threshold = expected_maximum(0.5 / 250, trials)
    if trials == 100:
        assert threshold == pytest.approx(0.1132, abs=5e-5)
    assert probability_above(2.5 / np.sqrt(250), threshold, 1250, -3, 10) == pytest.approx(deflated, abs=5e-5)


def table_of_prices(prices, forecasts, spread=None):
    """A table of one-step forecasts from each row of prices (K + 1,); `forecasts` maps models to arrays (K,)."""
    k = len(prices) - 1
    common = {"unique_id": "A", "cutoff": np.arange(k), "step": 1, "member": 0, "y0": prices[:-1], "y": prices[1:]}
    tables = []
    for model, y_hat in ({"naive": prices[:-1]} | forecasts).items():
        tables.append(pd.DataFrame(common | {"model": model, "y_hat": y_hat}))
        if spread is not None:
            tables[-1] = tables[-1].assign(**{"q0.1": y_hat - spread, "q0.9": y_hat + spread})
    return pd.concat(tables, ignore_index=True)


def test_returns_and_costs_by_hand():
    prices = np.array([100.0, 110.0, 99.0, 99.0])
    table = table_of_prices(prices, {"m": np.array([101.0, 120.0, 98.0])})  # long, long, short
    result = economics(table, 1, cost=0.01)
    np.testing.assert_allclose(result.returns["m"], [0.1 - 0.01, -0.1, 0.0 - 0.02])
    np.testing.assert_allclose(result.returns[HOLD], [0.1 - 0.01, -0.1, 0.0])
    row = result.table.set_index("model").loc["m"]
    assert row["total"] == pytest.approx(1.09 * 0.9 * 0.98 - 1)
    assert row["drawdown"] == pytest.approx(1 - 0.9 * 0.98)
    assert row["turnover"] == pytest.approx(1.0)


def test_size_of_a_position_is_the_expected_return_over_its_spread():
    prices = np.full(4, 100.0)
    table = table_of_prices(prices, {"m": np.array([101.0, 99.0, 200.0])}, spread=1.2815515655446004 * 2)
    positions = economics(table.assign(y=table["y0"] * 1.1), 1, rule="size", cost=0.0).returns["m"] / 0.1
    np.testing.assert_allclose(positions, [0.5, -0.5, 1.0])


@pytest.mark.medium
def test_a_coin_earns_nothing_and_loses_its_costs():
    rng = np.random.default_rng(0)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 4001)))
    coin = prices[:-1] * (1 + rng.normal(size=4000))
    free, costly = (economics(table_of_prices(prices, {"coin": coin}), 1, cost=cost) for cost in (0.0, 0.001))
    row = free.table.set_index("model").loc["coin"]
    assert row["low"] < 0 < row["high"]
    turnover = row["turnover"]
    assert turnover == pytest.approx(1.0, abs=0.05)
    assert costly.returns["coin"].mean() == pytest.approx(free.returns["coin"].mean() - 0.001 * turnover)


def test_a_known_signal_earns_what_it_must():
    """A forecast that knows the sign earns the mean absolute return."""
    rng = np.random.default_rng(1)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 501)))
    result = economics(table_of_prices(prices, {"oracle": prices[1:]}), 1, cost=0.0)
    row = result.table.set_index("model").loc["oracle"]
    assert row["mean"] == pytest.approx(np.abs(np.diff(prices) / prices[:-1]).mean())
    assert row["low"] > 0
    assert row["deflated"] > 0.999


@pytest.mark.medium
def test_interval_of_the_mean_covers(monkeypatch):
    monkeypatch.setattr("forecast.evaluation.trading.REPETITIONS", 200)
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(60):
        returns = rng.normal(0.002, 0.01, 120)
        prices = 100 * np.cumprod(np.append(1.0, 1 + returns))
        row = economics(table_of_prices(prices, {"up": prices[:-1] * 2}), 1, cost=0.0).table.iloc[0]
        covered.append(row["low"] <= 0.002 <= row["high"])
    assert np.mean(covered) > 0.8


@pytest.mark.medium
def test_result_of_a_run():
    prices = fc.load_sample("stocks").iloc[-300:]
    result = fc.backtest({"drift": fc.Drift()}, prices, fc.WalkForward(5, 20), refit=20)
    worth = result.economics()
    assert list(worth.table["model"]) == ["drift", HOLD]
    assert "impact" in str(worth)
    returns = prices.pct_change(5).loc[result.forecasts["cutoff"].unique()].shift(-1).mean(axis=1)
    np.testing.assert_allclose(worth.returns[HOLD].iloc[1:-1], returns.iloc[1:-1])
    logs = fc.backtest({"drift": fc.Drift()}, fc.log_returns(prices).dropna(), fc.WalkForward(5, 20), refit=20)
    np.testing.assert_allclose(logs.economics().returns[HOLD].iloc[1:], worth.returns[HOLD].iloc[1:])
    assert result.interval_tests()["finding"].isin(["as stated", "too few outcomes"]).all()
    assert 0 <= result.conditional_test("drift").p <= 1
    assert len(result.fluctuation_test("drift").statistics) == 15


def test_what_cannot_be_traded_is_refused():
    ranges = fc.parkinson(fc.load_sample("sp500", fields="all")).iloc[-200:]
    panel = fc.make_target(fc.load_sample("sp500", fields="all").iloc[-200:], "parkinson")
    result = fc.backtest({"drift": fc.Drift()}, panel, fc.WalkForward(2, 5), refit=5)
    with pytest.raises(ValueError, match="cannot be traded"):
        result.economics()
    table = table_of_prices(np.array([1.0, -1.0, 1.0]), {"m": np.ones(2)})
    with pytest.raises(ValueError, match="above 0"):
        economics(table, 1)
    with pytest.raises(ValueError, match="horizon is 1"):
        economics(table.assign(y=1.0, y0=1.0), 5)
    with pytest.raises(ValueError, match="quantiles"):
        economics(table.assign(y=1.0, y0=1.0), 1, rule="size")
    assert len(ranges) == 200
