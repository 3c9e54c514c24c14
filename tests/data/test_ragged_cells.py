"""Panels without the empty rows of their series are those with them, wherever they are read."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_index_equal

import forecast as fc
from forecast.data import ragged_cells
from forecast.data.ragged_cells import RaggedCells

DATES = pd.bdate_range("2020-01-01", periods=160)


@pytest.fixture(autouse=True)
def always_ragged(monkeypatch):
    """Store every panel that may be ragged without its empty rows, however small and full it is."""
    monkeypatch.setattr(ragged_cells, "MIN_CELLS", 1)
    monkeypatch.setattr(ragged_cells, "SAVING", 1)


def lengths():
    return st.lists(st.integers(0, 12), min_size=1, max_size=6).filter(any)


def draw(rows, seed):
    """Return arrays of these lengths with gaps, one value of which is known."""
    rng = np.random.default_rng(seed)
    arrays = {
        f"s{n}": np.where(rng.random(count) < 0.2, np.nan, rng.normal(size=count)) for n, count in enumerate(rows)
    }
    arrays[f"s{np.argmax(rows)}"][-1] = 1.0
    return arrays


def table_of(arrays):
    """Return arrays that end at the same row as a table (T, N)."""
    longest = max(map(len, arrays.values()))
    return pd.DataFrame({name: np.r_[np.full(longest - len(a), np.nan), a] for name, a in arrays.items()})


def long_table(arrays, seed=0, index=DATES):
    """Return arrays as a long table with rows in random order; each series starts at a row of its own."""
    rng, rows = np.random.default_rng(seed), []
    for name, array in arrays.items():
        start = int(rng.integers(0, 5))
        rows += [(name, index[start + i], value) for i, value in enumerate(array)]
    table = pd.DataFrame(rows, columns=["unique_id", "ds", "y"]).astype({"y": float})
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def assert_same(panel, expected):
    """Check that a panel without empty rows has everything that the one with them has."""
    assert panel.values.tobytes() == expected.values.tobytes()
    assert (panel.values.shape, len(panel)) == (expected.values.shape, len(expected))
    assert not panel.values.flags.writeable
    assert_index_equal(panel.index, expected.index)
    assert (panel.series, panel.channels, panel.attrs) == (expected.series, expected.channels, expected.attrs)
    assert repr(panel) == repr(expected)
    np.testing.assert_array_equal(panel.observed, expected.observed)
    np.testing.assert_array_equal(panel.count_observed(), expected.count_observed())
    np.testing.assert_array_equal(panel.first_observed(), expected.first_observed())
    np.testing.assert_array_equal(panel.missing(), expected.missing())


def dense(panel):
    """Return a panel with all rows of all series."""
    assert isinstance(panel.cells, RaggedCells)
    return replace(panel, cells=panel.values)


@given(lengths(), st.integers(0, 99), st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.medium
def test_arrays_are_the_panel_of_their_table(rows, seed, data):
    arrays = draw(rows, seed)
    panel, expected = fc.as_panel(arrays), fc.as_panel(table_of(arrays), columns=list(arrays))
    expected = replace(expected, attrs={})
    assert isinstance(panel.cells, RaggedCells)
    assert isinstance(expected.cells, np.ndarray)
    for _ in range(3):
        assert_same(panel, expected)
        assert_same(pickle.loads(pickle.dumps(panel)), expected)
        chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=8).map(np.array))
        part = panel.of_series(chosen)
        assert part.values.tobytes() == expected.of_series(chosen).values.tobytes()
        part.values[:] = 0  # a copy
        ends = st.integers(-len(panel) - 1, len(panel) + 1) | st.none()
        cut = slice(data.draw(ends), data.draw(ends))
        if not len(expected[cut]):
            continue
        panel, expected = panel[cut], expected[cut]
        assert isinstance(panel.cells, RaggedCells)


@pytest.mark.parametrize("label", ["dates", "text", "numbers"])
@given(lengths().filter(lambda rows: sum(rows) > 1), st.integers(0, 99))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.medium
def test_a_long_table_is_the_panel_of_its_wide_one(label, rows, seed):
    labels = {"dates": DATES, "text": pd.Index([f"{date:%d %b %Y}" for date in DATES]), "numbers": pd.RangeIndex(3, 99)}
    table = long_table(draw(rows, seed), seed, labels[label])
    table.attrs["source"] = "a file"
    panel = fc.as_panel(table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ragged_cells, "MIN_CELLS", 2**60)
        expected = fc.as_panel(table)
    assert isinstance(panel.cells, RaggedCells)
    assert isinstance(expected.cells, np.ndarray)
    assert_same(panel, expected)


def test_a_slice_that_is_pickled_has_no_later_rows():
    panel = fc.as_panel({"a": np.arange(1.0, 1001.0), "b": np.arange(500.0)})
    cells = pickle.loads(pickle.dumps(panel[:600])).cells
    assert cells.flat.tolist() == [*range(1, 601), *range(100)]
    assert panel[:600].cells.flat is panel.cells.flat  # and one that is not is no copy


FIVE = {"a": np.arange(1.0, 6.0), "b": np.arange(3.0)}
ODD = {
    "infinite": FIVE | {"c": np.array([1.0, np.inf])},
    "nothing": {"a": np.full(3, np.nan), "b": np.full(2, np.nan)},
    "one name": FIVE | {1: np.ones(2), "1": np.ones(3)},
    "tickers": FIVE | {"ticker": np.arange(5.0)},
    "whole numbers": FIVE | {"c": np.arange(4)},
    "two columns": FIVE | {"c": np.ones((2, 2))},
    "years": {str(year): np.arange(5.0) + year for year in range(2000, 2012)},
    "months": {month.strftime("%b"): np.arange(5.0) for month in pd.period_range("2020-01", periods=12, freq="M")},
    "bars": {name: np.arange(5.0) + 1 for name in ("Open", "High", "Low", "Close")},
    "dates": FIVE | {"date": np.arange(20200101.0, 20200106.0)},
    "long, repeated": long_table(FIVE).iloc[[0, 1, 2, 2, 3]],
    "long, repeated labels": pd.DataFrame({"unique_id": ["a", "a"], "ds": ["2020-01-01", "1.1.2020"], "y": [1.0, 2.0]}),
    "long, infinite": long_table(FIVE).replace({"y": {2.0: np.inf}}),
    "long, no date": long_table(FIVE).assign(ds=lambda t: t["ds"].where(t.index > 1)),
    "long, no name": long_table(FIVE).assign(unique_id=lambda t: t["unique_id"].where(t.index > 1)),
    "long, text": long_table(FIVE).assign(y="high"),
    "long, categories": long_table(FIVE).astype({"unique_id": "category"}),
    "long, further columns": long_table(FIVE).assign(Volume=1.0),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_read_as_a_table(name, monkeypatch):
    def read():
        try:
            return fc.as_panel(ODD[name])
        except (TypeError, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    result = read()
    monkeypatch.setattr(ragged_cells, "MIN_CELLS", 2**60)
    expected = read()
    if isinstance(expected, str):
        assert result == expected
    else:
        assert isinstance(result.cells, np.ndarray)
        assert_same(result, expected)


def test_small_and_full_tables_are_stored_whole(monkeypatch):
    monkeypatch.undo()
    assert isinstance(fc.as_panel(FIVE).cells, np.ndarray)
    few = {f"s{n}": np.ones(13) for n in range(2000)}
    assert isinstance(fc.as_panel(few).cells, np.ndarray)
    panel = fc.as_panel(few | {"long": np.ones(800)})
    assert isinstance(panel.cells, RaggedCells)
    assert panel.cells.flat.nbytes == 8 * (2000 * 13 + 800)
    assert isinstance(fc.as_panel(few | {"long": np.ones(800)}, exog=[], how="common").cells, np.ndarray)


# --- models ----------------------------------------------------------------------------------------------------------


def walks():
    """Return a ragged panel of walks on business days."""
    rng, rows = np.random.default_rng(0), (160, 70, 75, 150)
    arrays = {f"s{n}": 100 * np.exp(rng.normal(0, 0.01, count).cumsum()) for n, count in enumerate(rows)}
    arrays["s0"][40:43] = np.nan
    return replace(fc.as_panel(arrays), index=DATES)


@pytest.mark.parametrize("name", fc.model_names())
def test_forecasts_are_those_of_the_panel_with_all_rows(name, tmp_path):
    panel = walks()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ragged, whole = quick(name).fit(panel[:150], 3), quick(name).fit(dense(panel)[:150], 3)
        forecasts = [ragged.predict_at(panel, [149, 155]), whole.predict_at(dense(panel), [149, 155])]
        if name != "boosting":  # which cannot be saved
            ragged.save(tmp_path / "model")
            forecasts.append(fc.load_model(tmp_path / "model").predict_at(panel, [149, 155]))
    for forecast in forecasts[1:]:
        assert forecast.point.tobytes() == forecasts[0].point.tobytes()
        assert_frame_equal(forecast.to_frame(), forecasts[0].to_frame())


@pytest.mark.medium
def test_a_backtest_is_that_of_the_panel_with_all_rows():
    panel = walks()
    models = {"drift": fc.Drift(), "lstm": quick("lstm")}
    cv = fc.WalkForward(horizon=2, n_windows=3)
    ragged, whole = (fc.backtest(models, prices, cv) for prices in (panel, dense(panel)))
    assert_frame_equal(ragged.forecasts, whole.forecasts)
    assert ragged.spec["data"] == whole.spec["data"]
