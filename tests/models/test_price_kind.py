"""A fitted model forecasts the quantity that it was fitted on, or refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, walks

import forecast as fc


def _bars(rows=60, seed=0):
    """Return one instrument's bars; the adjusted closes are half of the closes."""
    close = walks(rows, 1, seed)["S0"]
    fields = {"Open": close, "High": close + 1, "Low": close - 1, "Close": close, "Adj Close": close / 2}
    return pd.DataFrame(fields | {"Volume": 1e6 + np.arange(rows)})


@pytest.mark.parametrize("field", ["Close", "Adj Close", "Volume", "Open"])
def test_the_fitted_field_is_found_in_a_table_that_has_it(field, tmp_path):
    bars = _bars()
    model = fc.Naive().fit(fc.as_panel(bars, target=field), 1)
    assert model.predict(bars).point.item() == bars[field].iloc[-1]
    model.save(tmp_path / "model")
    assert fc.load_model(tmp_path / "model").predict(bars).point.item() == bars[field].iloc[-1]
    with pytest.raises(ValueError, match=f"was fitted on {field} and these prices are"):
        model.predict(bars.drop(columns=field))


def test_the_fitted_column_is_found_in_a_table_of_any_columns():
    rng = np.random.default_rng(0)
    index = pd.date_range("2000-01-01", periods=60, freq="MS")
    columns = {"region": 1.0 + np.arange(60), "sales": rng.normal(50, 5, 60), "rate": rng.normal(2, 0.1, 60)}
    table = pd.DataFrame(columns, index)
    model = fc.Naive().fit(fc.as_panel(table, target="sales"), 1)
    assert model.predict(table).point.item() == table["sales"].iloc[-1]
    with pytest.raises(ValueError, match="was fitted on sales and not on rate"):
        model.predict(table[["rate"]])


def test_derived_targets_are_not_prices():
    bars = _bars()
    for target in ("return", "parkinson", "garman_klass"):
        model = fc.Naive().fit(fc.make_target(bars, target), 1)
        with pytest.raises(ValueError, match=f"was fitted on {target} and these prices are Adj Close"):
            model.predict(bars)
    returns = fc.make_target(bars, "return")
    table = fc.log_returns(bars)  # another way to the same returns
    assert fc.Naive().fit(returns, 1).predict(table).point.item() == table["y"].iloc[-1]


def test_common_rows_are_required_again():
    stock_and_coin = walks(60, 2)
    stock_and_coin.iloc[::5, 0] = np.nan
    model = fc.Naive().fit(fc.as_panel(stock_and_coin, how="common"), 1)
    with pytest.raises(ValueError, match=r"these prices have others: pass as_panel\(prices, how='common'\)"):
        model.predict(stock_and_coin)
    common = fc.as_panel(stock_and_coin, how="common")
    assert model.predict(common).cutoffs[-1] == common.index[-1]
    fc.backtest(fc.Drift(), common, fc.WalkForward(2, 3))


def test_rows_that_continue_the_training_rows_may_change_their_distance():
    """Monthly rows of a century that become daily, as in long histories of stock indices."""
    months, days = pd.date_range("1900", periods=300, freq="MS"), pd.date_range("1925-01-01", periods=300)
    prices = walks(600, 1).set_axis(months.append(days))
    model = fc.Naive().fit(prices[:300], 2)
    assert model.predict(prices).point[0, 0, 0] == prices.iloc[-1].item()
    with pytest.raises(ValueError, match="was fitted on monthly rows and these are daily"):
        model.predict(prices[300:])


def test_a_base_and_a_classifier_remember_their_prices(tmp_path):
    close, volume = fc.as_panel(_bars(), target="Close"), fc.as_panel(_bars(), target="Volume")
    classifier = fc.RecurrentClassifier(hidden=4, epochs=1, lookback=10).fit(close)
    classifier.save(tmp_path / "model")
    for model in (classifier, fc.load_model(tmp_path / "model"), quick("lstm", base=fc.ARIMA()).fit(close, 2)):
        model.predict(close)
        with pytest.raises(ValueError, match="was fitted on Close and these prices are Volume"):
            model.predict(volume)


def test_labels_that_have_no_order_are_refused():
    prices = walks(160, 1)
    model = fc.Conformal(quick("ridge"), window=20).fit(prices, 2)
    for other in (prices.reset_index(drop=True), prices.tz_localize("UTC")):
        with pytest.raises(ValueError, match="neither before nor after them: pass labels of the same kind"):
            model.predict(other)


@pytest.mark.parametrize("as_series", [True, False])
@pytest.mark.parametrize("field", ["Volume", "Open"])
def test_a_single_column_that_is_called_as_a_field_has_that_quantity(field, as_series):
    bars = _bars()
    model = fc.Drift().fit(bars[["Close"]], 1)
    other = bars[field] if as_series else bars[[field]]
    with pytest.raises(ValueError, match=f"was fitted on Close and these prices are {field}") as error:
        model.predict(other)
    assert "name them" not in str(error.value)


def test_a_ticker_that_reads_as_a_field_is_a_series():
    assert "field" not in fc.as_panel(walks(60, 1).set_axis(["LOW"], axis=1)).attrs


def test_no_renaming_is_advised_where_a_name_is_that_of_a_field():
    model = fc.Drift().fit(walks(60, 1), 1)
    with pytest.raises(ValueError, match=r"not on Volume: fit it on these prices$"):
        model.predict(_bars()["Volume"])
