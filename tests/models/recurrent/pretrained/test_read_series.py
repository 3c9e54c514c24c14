"""A history that continues one that was read is read on from there, with the same forecasts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast as fc
from forecast.models.recurrent.pretrained import zero_shot
from forecast.models.recurrent.pretrained.network import PretrainedNetwork
from forecast.models.recurrent.pretrained.quantiles import SERIES
from forecast.models.recurrent.pretrained.read_series import BLOCK, Memory, ReadSeries

HORIZON = 3


@pytest.fixture
def memory(monkeypatch):
    """An empty memory, as in a new process."""
    memory = Memory(2**24)
    monkeypatch.setattr(zero_shot, "MEMORY", memory)
    return memory


@pytest.fixture
def rows_read(monkeypatch):
    """The numbers of rows that the recurrent layers read, call by call."""
    read, calls = PretrainedNetwork.read, []

    def counted(self, rows, state=None):
        calls.append(rows.shape[1])
        return read(self, rows, state)

    monkeypatch.setattr(PretrainedNetwork, "read", counted)
    return calls


def prices(rows=330):
    """Return series of all kinds: with a season, a late start, missing rows, an early end, hardly any rows, a halt."""
    rng = np.random.default_rng(1)
    y = np.exp(rng.normal(0, 0.01, size=(rows, 10)).cumsum(axis=0))
    y[:, 1] += np.sin(np.arange(rows) * 2 * np.pi / 5)
    y[:200, 2] = np.nan
    y[100:120:3, 3] = np.nan
    y[290:, 4] = np.nan
    y[: rows - 4, 5] = np.nan
    y[50:, 6] = 7.0
    y[:, 7] -= 1  # of both signs
    return pd.DataFrame(y, pd.bdate_range("2020-01-01", periods=rows), [f"s{n}" for n in range(10)])


def forecast(table):
    """Return what a fit and a forecast compute."""
    model = fc.Pretrained().fit(table, HORIZON)
    output = model.predict(table)
    return model.shrinkage_, output.point, output.quantiles


def without_memory(table, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr(zero_shot, "MEMORY", None)
        return forecast(table)


def assert_same(computed, expected):
    for one, other in zip(computed, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.filterwarnings("ignore::forecast.models.base.ShortSeriesWarning")
@pytest.mark.medium
def test_forecasts_do_not_depend_on_what_was_read_before(memory, monkeypatch):
    table = prices()
    for stop in (260, 261, 290, 330, 275, 330):  # also a history that ends earlier
        assert_same(forecast(table.iloc[:stop]), without_memory(table.iloc[:stop], monkeypatch))
    assert memory.nbytes > 0


@pytest.mark.filterwarnings("ignore::forecast.models.base.ShortSeriesWarning")
@pytest.mark.parametrize("row", [0, 20, 150, 328])
@pytest.mark.medium
def test_a_changed_row_is_read(memory, monkeypatch, row):
    table = prices()
    before = forecast(table)
    changed = table.copy()
    changed.iloc[row] *= 1.1
    after = forecast(changed)
    assert_same(after, without_memory(changed, monkeypatch))
    assert not np.array_equal(before[2], after[2], equal_nan=True)
    assert_same(forecast(table), before)


@pytest.mark.medium
def test_a_missing_row_is_not_an_observed_one(memory, monkeypatch):
    table = prices()[["s0"]]
    changed = table.copy()
    changed.iloc[40] = np.nan
    forecast(table)
    assert_same(forecast(changed), without_memory(changed, monkeypatch))


def test_only_new_rows_are_read(memory, rows_read):
    table = prices()[["s0", "s1", "s8", "s9"]]
    assert len(table.columns) <= SERIES
    forecast(table.iloc[:300])
    assert sum(rows_read) > 300
    rows_read.clear()
    forecast(table.iloc[:303])
    assert sum(rows_read) <= 2 * 2 * BLOCK  # at the fit and at the forecast, of 303 rows


def test_many_cutoffs_are_one_pass(memory, rows_read):
    table = prices()[["s0", "s8"]]
    model = fc.Pretrained().fit(table.iloc[:100], HORIZON)
    model.predict_at(table, range(100, 330))
    assert sum(rows_read) <= 330 + BLOCK


def test_other_weights_have_read_nothing(memory, tmp_path):
    table = prices()[["s0"]]
    zero = {name: array * 0 for name, array in fc.Pretrained().fit(table, HORIZON).weights_.items()}
    np.savez(tmp_path / "weights.npz", **zero)
    ours = forecast(table)
    model = fc.Pretrained(start_from=tmp_path).fit(table, HORIZON)
    assert not np.array_equal(model.predict(table).quantiles, ours[2])
    assert_same(forecast(table), ours)


def test_memory_is_limited_and_forgets_the_oldest():
    def series(rows):
        return ReadSeries(np.zeros(rows), np.ones(rows, dtype=bool), np.zeros((rows // BLOCK, 2, 2, 4), np.float32))

    memory = Memory(3 * series(64).nbytes)
    for name in (b"a", b"b", b"c"):
        memory.store(name, series(64))
    memory.store(b"a", series(64))  # now the newest
    memory.store(b"d", series(64))
    assert memory.find(b"b") is None
    assert memory.find(b"a") is not None
    memory.store(b"e", series(10_000))  # larger than the memory
    assert memory.nbytes == 0
    assert memory.find(b"e") is None
