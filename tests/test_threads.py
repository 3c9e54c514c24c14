"""The libraries that compute have one thread within a task, and their own number after it."""

from __future__ import annotations

import json
import sys

import pytest
from helpers.quick import walks
from threadpoolctl import threadpool_info, threadpool_limits

import forecast as fc
from forecast._threads import _controller, one_thread
from forecast.models.naive import Naive


def _threads():
    return {(pool["user_api"], pool["num_threads"]) for pool in threadpool_info()}


@pytest.fixture
def _two_threads():
    with threadpool_limits(2):
        yield


@pytest.mark.usefixtures("_two_threads")
@pytest.mark.parametrize(("api", "expected"), [(None, 1), ("openmp", 2), ("blas", 1)])
def test_pools_have_one_thread_in_the_context_only(api, expected):
    with one_thread(api):
        assert {count for kind, count in _threads() if kind == "blas"} == {expected}
    assert {count for _, count in _threads()} == {2}


class RecordsThreads(Naive):
    """Records the number of threads of every pool while it is fitted."""

    def _fit(self, panel, horizon):
        super()._fit(panel, horizon)
        self.record_ = {"threads": sorted({count for _, count in _threads()})}


@pytest.mark.usefixtures("_two_threads")
def test_a_task_has_one_thread():
    fits = fc.backtest({"counts": RecordsThreads()}, walks(rows=60), fc.WalkForward(2, 2)).fits
    assert {tuple(json.loads(d)["threads"]) for d in fits.loc[fits["model"] == "counts", "details"]} == {(1,)}


def test_libraries_are_found_again_after_an_import(monkeypatch):
    found = []
    monkeypatch.setattr("forecast._threads.ThreadpoolController", lambda: found.append(1) or fc)
    monkeypatch.setattr(fc, "limit", lambda limits, user_api: None, raising=False)
    _controller.cache_clear()
    one_thread()
    one_thread()
    assert len(found) == 1
    monkeypatch.setitem(sys.modules, "another", fc)
    one_thread()
    assert len(found) == 2
    _controller.cache_clear()
