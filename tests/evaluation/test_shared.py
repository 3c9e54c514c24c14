"""Results that one evaluation shares: computed once inside, never after it, and the same as without it."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest
from helpers.losses import correlated_errors, table_of_errors

import forecast as fc
from forecast.evaluation import losses
from forecast.evaluation.shared import once, shared


@pytest.fixture
def calls():
    return []


@pytest.fixture
def total(calls):
    @once
    def total(table, names=("a",), factor=1):
        calls.append(factor)
        return float(table[list(names)].to_numpy().sum()) * factor

    return total


def test_a_result_is_computed_once_inside(total, calls):
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    with shared():
        assert [total(table), total(table, factor=1), total(table, ("a",), 1)] == [3.0, 3.0, 3.0]
        assert calls == [1]
        assert total(table, ["a"]) == total(table, ["a"]) == 3.0  # as the tuple before
        assert total(table, ["a", "b"]) == 10.0
        assert total(table, factor=2) == 6.0
        assert calls == [1, 1, 2]
        assert total(table.copy()) == 3.0
        assert len(calls) == 4


def test_nothing_is_shared_outside_or_with_another_context(total, calls):
    table = pd.DataFrame({"a": [1.0, 2.0]})
    assert total(table) == 3.0
    with shared():
        assert total(table) == 3.0
        with shared():  # part of the outer one
            assert total(table) == 3.0
        assert total(table) == 3.0
    assert len(calls) == 2
    table["a"] *= 2
    assert total(table) == 6.0
    with shared():
        assert total(table) == 6.0


def test_tables_that_are_released_are_never_mistaken_for_others(total):
    """Without a reference to its table a result would be returned for the next one at the same address."""
    with shared():
        for value in range(200):
            assert total(pd.DataFrame({"a": [float(value)]})) == value


def test_threads_share_nothing(total, calls):
    table = pd.DataFrame({"a": [1.0]})
    with shared():
        total(table)
        thread = threading.Thread(target=lambda: total(table))
        thread.start()
        thread.join()
    assert len(calls) == 2


def test_errors_are_raised_again(calls):
    @once
    def fails(table):
        calls.append(1)
        raise ValueError("no")

    with shared():
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                fails(calls)
    assert len(calls) == 2


def test_a_leaderboard_computes_the_losses_once_and_follows_a_changed_table(monkeypatch):
    table = table_of_errors(correlated_errors(naive=1, m=0.9)).assign(scale=1.0)
    fits = pd.DataFrame({"model": ["m"], "error": "", "seconds_fit": 0.0, "seconds_predict": 0.0})
    run = fc.BacktestResult(table, fits, {"reference": "naive"}, pd.DataFrame())
    numbers, original = [], losses.losses
    monkeypatch.setattr(losses, "losses", lambda *args: numbers.append(1) or original(*args))
    before = run.leaderboard()["skill"]["m"]
    assert len(numbers) == 1
    run.forecasts.loc[run.forecasts["model"] == "m", "y_hat"] *= 0.5
    after = run.leaderboard()["skill"]["m"]
    np.testing.assert_allclose(1 - after, 0.25 * (1 - before))
