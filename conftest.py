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


def pytest_collection_finish() -> None:
    """Exempt what is loaded now from garbage collection: it stays, and each collection reads 400,000 objects (0.1 s).

    A process forked by a test would copy them as well.
    """
    gc.collect()
    gc.freeze()
