"""Settings of every test, and the names that the examples in docstrings use without importing them."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

import forecast as fc
from forecast.report import plots

settings.register_profile("any machine", deadline=None)  # a test is not wrong because other processes have the cores
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _names(doctest_namespace):
    doctest_namespace.update(np=np, pd=pd, fc=fc, plots=plots)


#: Marks of tests that take long; those marked "slow" are many, and short enough to come in any order.
LONG = ("notebook", "docs", "wheel", "cluster", "kill")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--one-case`: of each test with parameters, run one case."""
    parser.addoption("--one-case", action="store_true", help="run one case of each test with parameters")


@pytest.hookimpl(trylast=True)  # of the tests that -m and -k have chosen
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose one case of each test with `--one-case`; start with the files that have the longest tests.

    So no process has one of them left when all else is done. The tests of a file stay next to each other, as they
    share fixtures.
    """
    if config.getoption("one_case"):
        _choose_cases(config, items)
    first = {item.path for item in items if any(item.get_closest_marker(mark) for mark in LONG)}
    items.sort(key=lambda item: item.path not in first)


def _choose_cases(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect all cases of a test but one: of the n-th test of a file the n-th case, counted again after the last."""
    cases: dict[Path, dict[str, list[pytest.Item]]] = {}
    for item in items:
        cases.setdefault(item.path, {}).setdefault(item.nodeid.partition("[")[0], []).append(item)
    chosen = {test[n % len(test)] for tests in cases.values() for n, test in enumerate(tests.values())}
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = [item for item in items if item in chosen]


def pytest_collection_finish() -> None:
    """Exempt what is loaded now from garbage collection: it stays, and each collection reads 400,000 objects (0.1 s).

    A process forked by a test would copy them as well.
    """
    gc.collect()
    gc.freeze()
