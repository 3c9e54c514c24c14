"""Models that read inputs of the rows that they forecast: each step its own row, and nothing of later ones."""

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick
from sklearn.base import clone
from sklearn.linear_model import Ridge

import forecast as fc
from forecast.data.panel import with_future

H = 3
FUTURE = ("Load", "Holiday")
NETWORKS = ("lstm", "gru-many-to-one", "rnn-seq2seq", "lstm-one-to-one", "gru-one-to-many")
MAKERS = {
    "arima": lambda: fc.ARIMA((1, 0, 0), future=FUTURE, log=False),
    "auto-arima": lambda: fc.ARIMA("auto", future=FUTURE, log=False),
    "arima with both": lambda: fc.ARIMA((1, 0, 0), exog=("Holiday",), future=("Load",), log=False),
    "ridge": lambda: fc.Tabular(future=FUTURE, lookback=5, log=False),
    "ridge with a season": lambda: fc.Tabular(future=FUTURE, lookback=5, season=5, stride=2, log=False),
    "scikit-learn": lambda: fc.Tabular(Ridge(), future=FUTURE, lookback=5, log=False),
    "ensemble": lambda: fc.Ensemble([fc.Naive(), fc.Tabular(future=FUTURE, lookback=5, log=False)]),
    "conformal": lambda: fc.Conformal(fc.ARIMA((1, 0, 0), future=FUTURE, log=False), window=30),
    "network on a ridge": lambda: quick("lstm", base=fc.Tabular(future=FUTURE, lookback=5, log=False), log=False),
    **{name: lambda name=name: quick(name, future=FUTURE, log=False) for name in NETWORKS},
}


def loads(rows=220, effect=2.0):
    """Return a price of two plants that depends on a load and on holidays of the same row, which are known."""
    rng = np.random.default_rng(0)
    load, holiday = rng.normal(0, 1, rows), (rng.random(rows) < 0.2).astype(float)
    noise = rng.normal(0, 0.3, (rows, 2))
    for t in range(1, rows):
        noise[t] += 0.8 * noise[t - 1]
    price = 50 + effect * load[:, None] - 3 * holiday[:, None] + noise
    index = pd.date_range("2024-01-01", periods=rows, freq="D")
    return pd.DataFrame({"A": price[:, 0], "B": price[:, 1], "Load": load, "Holiday": holiday}, index)


def panel(table, until=None):
    """Return a panel of the table whose prices end before row `until`."""
    table = table.copy()
    if until is not None:
        table.iloc[until:, :2] = np.nan
    return fc.as_panel(table, columns=["A", "B"], future=FUTURE)


@pytest.fixture(scope="module", params=MAKERS)
def fitted(request):
    table = loads()
    return MAKERS[request.param]().fit(panel(table, 200), H), table


def test_a_changed_input_changes_its_step_and_no_earlier_forecast(fitted):
    model, table = fitted
    rows = np.arange(190, 200)
    before = model.predict_at(panel(table), rows).point
    changed = table.copy()
    changed.iloc[202, 2] += 1.5  # the third row after row 199
    after = model.predict_at(panel(changed), rows).point
    differs = (before != after).any(axis=1)  # (K, H)
    assert differs[-1, 2]
    assert not differs[-1, :2].any()
    assert not differs[:-1].any()


def test_a_fit_reads_nothing_of_later_rows(fitted):
    model, table = fitted
    changed = table.copy()
    changed.iloc[200:, 2:] = 7.0
    refitted = clone(model).fit(panel(changed, 200), H)
    rows = np.array([150, 196])
    expected = model.predict_at(panel(table), rows).point
    np.testing.assert_array_equal(refitted.predict_at(panel(table), rows).point, expected)


def test_rows_after_the_last_price_and_a_table_of_the_future_are_the_same(fitted):
    model, table = fitted
    expected = model.predict(panel(table, 200))
    later = model.predict(panel(table)[:200].known_until(200), future=table.iloc[200:])
    np.testing.assert_array_equal(later.quantiles, expected.quantiles)
    np.testing.assert_array_equal(model.predict_at(panel(table), [199]).quantiles, expected.quantiles)
    mild, cold = table.iloc[200:203], table.iloc[200:203].assign(Load=3.0)
    scenarios = model.predict_scenarios(panel(table)[:200].known_until(200), {"mild": mild, "cold": cold})
    np.testing.assert_array_equal(scenarios["mild"].point, expected.point)
    assert (scenarios["cold"].point != expected.point).any()


def test_sample_paths_read_the_future(fitted):
    model, table = fitted
    paths = model.sample(panel(table, 200), n=20)
    later = model.sample(panel(table)[:200].known_until(200), n=20, future=table.iloc[200:])
    np.testing.assert_array_equal(paths, later)
    with pytest.raises(ValueError, match="of which 0 are there"):
        model.sample(panel(table)[:200].known_until(200), n=20)


def test_a_stored_model_forecasts_the_same(fitted, tmp_path):
    model, table = fitted
    if "Ridge()" in repr(model):
        pytest.skip("estimators of scikit-learn are not saved")
    model.save(tmp_path / "model")
    loaded = fc.load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(panel(table, 200)).point, model.predict(panel(table, 200)).point)


def test_missing_inputs_of_the_future_are_refused(fitted):
    model, table = fitted
    with pytest.raises(ValueError, match="in the 3 rows after 2024-07-18, of which 2 are there: add rows after"):
        model.predict(panel(table.iloc[:202], 200))
    table = table.copy()
    table.iloc[201, 2] = np.nan
    with pytest.raises(ValueError, match="lacks Load at 2024-07-20: add rows after the last value"):
        model.predict(panel(table, 200))


@pytest.mark.parametrize("name", ["arima", "auto-arima", "ridge", "scikit-learn"])
def test_known_inputs_are_used(name):
    """The error is near that of the noise, where a model without them has that of the load."""
    table = loads(500)
    cv = fc.WalkForward(horizon=H, n_windows=20)
    without = MAKERS[name]().set_params(future=())
    result = fc.backtest({"with": MAKERS[name](), "without": without}, panel(table), cv, refit=20)
    errors = (
        result.forecasts.assign(e=lambda f: (f["y"] - f["y_hat"]).abs()).groupby("model", observed=True)["e"].mean()
    )
    assert errors["with"] < 0.4 * errors["without"]


@pytest.mark.medium
def test_a_network_learns_the_effect_of_a_known_input():
    table = loads(800)
    trainer = fc.Trainer(steps=150, lr=5e-3)
    model = fc.Recurrent(future=FUTURE, log=False, lookback=20, hidden=8, trainer=trainer).fit(panel(table, 700), H)
    rows = np.arange(700, 790)
    truth = np.stack([table[["A", "B"]].to_numpy()[rows + k] for k in (1, 2, 3)], axis=2)
    naive = np.abs(table[["A", "B"]].to_numpy()[rows][..., None] - truth).mean()
    assert np.abs(model.predict_at(panel(table), rows).point - truth).mean() < 0.4 * naive


def test_summary_and_gradients_of_a_network_with_known_inputs(fitted):
    model, table = fitted
    if not isinstance(model, fc.Recurrent):
        pytest.skip("of networks only")
    assert "step_head.out" in str(model.summary()) or not model.future
    if not model.topology.startswith("one-"):
        assert len(fc.gradient_flow(model, panel(table, 200)))


def test_models_that_read_no_future_refuse_it():
    table = loads()
    model = fc.Drift(log=False).fit(table[["A", "B"]], H)
    with pytest.raises(ValueError, match=r"Drift reads no inputs of the rows that it forecasts: leave future out"):
        model.predict(table[["A", "B"]], future=table.iloc[-3:])
    with pytest.raises(ValueError, match="use strategy='direct'"):
        quick("lstm-recursive", future=FUTURE).fit(panel(table, 200), H)
    with pytest.raises(ValueError, match="no future inputs"):
        with_future(fc.as_panel(table[["A"]]), table)


def test_a_run_records_its_future_inputs():
    table, cv = loads(), fc.WalkForward(horizon=H, n_windows=4)
    data = fc.backtest({"ridge": MAKERS["ridge"]()}, panel(table), cv).spec["data"]
    assert data["future"] == list(FUTURE)
    changed = table.copy()
    changed.iloc[-1, 2] += 1.0
    other = fc.backtest({"ridge": MAKERS["ridge"]()}, panel(changed), cv).spec["data"]
    assert other["sha256"] != data["sha256"]
