"""What examples in docstrings take for granted, and what keeps thousands of tests in one process quick."""

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


def pytest_collection_finish():
    """Leave what is loaded by now out of later collections: statsmodels asks for one in every verdict."""
    gc.collect()
    gc.freeze()
