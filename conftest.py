"""Settings of every test, and the names that the examples in docstrings use without importing them."""

from __future__ import annotations

import gc

import numpy as np
import pandas as pd
import pytest

import forecast as fc
from forecast.report import plots


@pytest.fixture(autouse=True)
def _names(doctest_namespace):
    doctest_namespace.update(np=np, pd=pd, fc=fc, plots=plots)


#: Marks of tests that take long; those marked "slow" are many, and short enough to come in any order.
LONG = ("notebook", "docs", "wheel", "cluster", "kill")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that have the longest tests, so that no process has one of them left when all else is done.

    The tests of a file stay next to each other, as they share fixtures.
    """
    first = {item.path for item in items if any(item.get_closest_marker(mark) for mark in LONG)}
    items.sort(key=lambda item: item.path not in first)


def pytest_collection_finish() -> None:
    """Exempt what is loaded now from garbage collection: it stays, and each collection reads 400,000 objects (0.1 s).

    A process forked by a test would copy them as well.
    """
    gc.collect()
    gc.freeze()
