"""What a recurrent forecaster chooses from the training rows, and short series, many series and seasons with it."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, walks

import forecast as fc
from forecast.features.dataset import changes_needed, trainable_rows
from forecast.features.inputs import MIN_CHANGES, causal_inputs
from forecast.models.recurrent import defaults
from forecast.models.recurrent.defaults import Facts, blend, choose, recipe

CELLS = ("rnn", "lstm", "gru")
SHORT = fc.Trainer(steps=4, batch_size=8)


def yearly(rows: int = 20, series: int = 30, seed: int = 0) -> pd.DataFrame:
    """Return series with a trend and noise on the first days of years, as long as `rows` or shorter."""
    rng = np.random.default_rng(seed)
    y = 100 + np.arange(rows)[:, None] * rng.normal(2, 1, series) + rng.normal(0, 3, (rows, series))
    y[np.arange(rows)[:, None] < rng.integers(0, rows // 2, series)] = np.nan
    index = pd.date_range("1980", periods=rows, freq="YS")
    return pd.DataFrame(y, index=index, columns=[f"s{n}" for n in range(series)])


def monthly(rows: int = 120, series: int = 3, seed: int = 0) -> pd.DataFrame:
    """Return series with a season of 12 rows."""
    rng = np.random.default_rng(seed)
    season = np.tile(rng.normal(0, 10, (12, series)), (rows // 12 + 1, 1))[:rows]
    index = pd.date_range("2000", periods=rows, freq="MS")
    return pd.DataFrame(100 + season + rng.normal(size=(rows, series)), index=index)


@pytest.mark.parametrize("name", ["lstm", "gru-many-to-one", "rnn-seq2seq"])
def test_long_prices_have_the_same_bytes_as_with_explicit_values(name):
    prices = walks(rows=300)
    open_model = fc.make_model(name, trainer=SHORT).fit(prices, 3)
    explicit = {"lookback": 60, "patch": 1, "hidden": 16, "skip": 1, "base": fc.Naive(), "season": 1}
    given = fc.make_model(name, trainer=SHORT, **explicit).fit(prices, 3)
    assert open_model.predict(prices).quantiles.tobytes() == given.predict(prices).quantiles.tobytes()
    assert open_model.record_["choices"] == given.record_["choices"]


def test_the_table_of_choices():
    long, short, seasonal = Facts(1000, 5, 1), Facts(30, 5, 1), Facts(1000, 5, 52)
    assert recipe(long)["base"].same_as(fc.Naive())
    assert recipe(long)["lookback"] == 60
    assert recipe(short)["base"].same_as(fc.Pretrained(season=1))
    assert recipe(short)["lookback"] == 15
    assert recipe(seasonal)["base"].same_as(fc.Pretrained(season=52))


def test_choices_are_recorded_stored_and_loaded(tmp_path):
    prices = monthly()
    model = fc.Recurrent(trainer=SHORT).fit(prices, 4)
    assert model.choices_.facts.season == 12
    record = model.record_["choices"]
    assert json.loads(json.dumps(record)) == record
    assert record["base"] == "Pretrained(season=12)"
    model.save(tmp_path / "model")
    loaded = fc.load_model(tmp_path / "model")
    assert loaded.choices_.sizes() == model.choices_.sizes()
    assert loaded.predict(prices).quantiles.tobytes() == model.predict(prices).quantiles.tobytes()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"lookback": 9}, {"lookback": 9, "skip": 1}),
        ({"skip": 80}, {"lookback": 80, "skip": 80}),
        ({"patch": 7, "topology": "many-to-one"}, {"lookback": 63, "patch": 7}),
        ({"hidden": 5}, {"hidden": 5, "lookback": 60}),
        ({"season": 4}, {"season": 4, "base": "Pretrained(season=4)"}),
        ({"base": fc.Drift()}, {"base": "Drift()", "season": 12}),
        ({"topology": "many-to-one", "strategy": "recursive"}, {"base": "Naive()"}),
        ({"topology": "one-to-one"}, {"skip": 1, "patch": 1, "base": "Pretrained(season=12)"}),
    ],
)
def test_every_choice_can_be_overridden(given, expected):
    summary = choose(fc.Recurrent(**given), fc.as_panel(monthly())).summary()
    assert {name: summary[name] for name in expected} == expected


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("rows", [3, 4, 7, 25])
def test_short_series_have_ordered_finite_quantiles(cell, rows):
    prices = walks(rows=rows)
    for horizon in (1, 6):
        quantiles = fc.make_model(cell, trainer=SHORT).fit(prices, horizon).predict(prices).quantiles
        assert np.isfinite(quantiles).all()
        assert (np.diff(quantiles, axis=-1) > 0).all()


def test_two_rows_are_refused_and_constant_series_are_forecast():
    with pytest.raises(ValueError, match="needs at least 3 observed rows"):
        fc.Recurrent().fit(walks(rows=2), 2)
    constant = np.full((12, 2), 7.0)
    np.testing.assert_allclose(fc.Recurrent(trainer=SHORT).fit(constant, 2).predict(constant).point, 7.0)


@pytest.mark.medium
def test_without_examples_the_forecast_is_that_of_the_base():
    """Quantiles, too: a network that was never measured has no share in them."""
    prices = walks(rows=4)
    ours = fc.Recurrent().fit(prices, 3)
    assert ours.record_["choices"]["base"] == "Pretrained(season=1)"
    base = fc.Pretrained(season=1).fit(prices, 3).predict(prices)
    assert (ours.shrinkage_ == 0).all()
    np.testing.assert_array_equal(ours.predict(prices).quantiles, base.quantiles)


def test_quantiles_move_from_the_base_to_the_network():
    base, network = np.array([1.0, 2.0, 4.0]), np.array([2.0, 8.0, 16.0])
    shaped = [values[None, None, None] for values in (base, network)]
    assert blend(*shaped, np.array(0.0), np.array([True]))[0, 0, 0].tolist() == base.tolist()
    np.testing.assert_allclose(blend(*shaped, np.array(1.0), np.array([True]))[0, 0, 0], network)
    np.testing.assert_allclose(blend(*shaped, np.array(0.5), np.array([True]))[0, 0, 0], np.sqrt(base * network))
    np.testing.assert_allclose(blend(*shaped, np.array(0.5), np.array([False]))[0, 0, 0], (base + network) / 2)


def test_short_series_are_trained_on_where_the_panel_has_nothing_longer():
    """Few changes are enough where half of the series have fewer than 100 rows; 20 are needed elsewhere."""
    assert [changes_needed(rows) for rows in (3, 15, 60, 100, 5000)] == [2, 3, 12, MIN_CHANGES, MIN_CHANGES]
    y = yearly().to_numpy()
    inputs = causal_inputs(y)
    starts = trainable_rows(inputs, min_changes=changes_needed(15)).any(axis=0)
    assert starts.all()
    assert not trainable_rows(inputs).any()
    assert fc.Recurrent(trainer=SHORT).fit(yearly(), 4).record_["examples"] > 100


@pytest.mark.medium
def test_a_series_that_explodes_has_a_forecast_of_its_size():
    """Logs change by 2 and more: corrections in proportion to that are no forecasts."""
    prices = yearly(series=12)
    prices["wild"] = np.exp(np.tile([0.0, 8.0, 1.0, 6.0, 2.0], 4))
    model = fc.Recurrent(trainer=fc.Trainer(steps=60, lr=0.02), base=fc.Naive(), lookback=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        point = model.fit(prices, 6).predict(prices).point[0, -1]
    assert model._reader().of_rows(fc.as_panel(prices)).scale[-1, -1] == 0.5
    assert (point < 10 * prices["wild"].max()).all()


@pytest.mark.parametrize("cell", CELLS)
def test_no_forecast_depends_on_later_rows_and_ten_times_the_prices_give_ten_times_the_forecasts(cell):
    prices = monthly()
    model = fc.make_model(cell, trainer=SHORT).fit(prices.iloc[:100], 3)
    changed = prices.copy()
    changed.iloc[105:] *= 3
    first, second = (model.predict_at(frame, [99, 104]).quantiles for frame in (prices, changed))
    assert first.tobytes() == second.tobytes()
    scaled = fc.make_model(cell, trainer=SHORT).fit(prices.iloc[:100] * 10, 3).predict_at(prices * 10, [99, 104])
    np.testing.assert_allclose(scaled.quantiles, 10 * first, rtol=1e-4)


def hourly(rows: int = 300, series: int = 20) -> pd.DataFrame:
    """Return series with a day of 24 rows."""
    rng = np.random.default_rng(0)
    day = np.tile(rng.normal(0, 5, (24, series)), (rows // 24 + 1, 1))[:rows]
    index = pd.date_range("2024", periods=rows, freq="h")
    return pd.DataFrame(100 + day + rng.normal(size=(rows, series)), index=index)


@pytest.mark.medium
def test_hours_are_forecast_by_the_tuned_network_unless_a_network_is_described(monkeypatch):
    """Its quantiles are those of the base: nothing is left to correct, and one fit is enough."""
    monkeypatch.setattr(defaults, "TUNING_STEPS", 2)
    prices = hourly()
    panel = fc.as_panel(prices)
    assert choose(fc.Recurrent(hidden=8), panel).base.trainer is None
    assert choose(fc.Recurrent(), fc.as_panel(prices.iloc[:, :5])).base.trainer is None  # too few series
    model = fc.Recurrent("gru").fit(prices, 2)
    assert model.choices_.base.trainer.steps == 2
    assert model.record_["examples"] == 0
    assert (model.shrinkage_ == 0).all()
    expected = fc.Pretrained(season=24, trainer=model.choices_.base.trainer).fit(prices, 2).predict(prices)
    np.testing.assert_array_equal(model.predict(prices).quantiles, expected.quantiles)


@pytest.mark.medium
def test_a_warm_fit_continues_with_the_choices_of_the_previous_one():
    prices = walks(rows=300)
    model = fc.Recurrent(trainer=SHORT, warm_start=True).fit(prices.iloc[:240], 3)
    assert model.fit(prices, 3).record_["choices"]["base"] == "Pretrained(season=1)"
    assert np.isfinite(model.predict(prices).quantiles).all()


def test_the_table_of_the_documentation_is_that_of_the_code():
    """A fit on each kind of panel reports what the table states."""
    kinds = {"long": walks(rows=300), "short": walks(rows=60), "season": monthly(rows=300)}
    bases = {name: quick("lstm", base=None).fit(frame, 2).record_["choices"]["base"] for name, frame in kinds.items()}
    assert bases == {"long": "Naive()", "short": "Pretrained(season=1)", "season": "Pretrained(season=12)"}
