"""Names that the examples in docstrings use without importing them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast as fc
from forecast.report import plots


@pytest.fixture(autouse=True)
def _names(doctest_namespace):
    doctest_namespace.update(np=np, pd=pd, fc=fc, plots=plots)
