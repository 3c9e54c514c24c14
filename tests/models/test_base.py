"""Helpers that all models and tables share."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.models.base import quantile_column, quantile_columns


@pytest.mark.parametrize(("level", "name"), [(0.1, "q0.1"), (0.5, "q0.5"), (0.00001, "q0.00001"), (0.975, "q0.975")])
def test_quantile_columns_are_read_back(level, name):
    assert quantile_column(level) == name
    assert quantile_columns([name]) == {level: name}


def test_quantile_columns_are_sorted_by_level():
    levels = np.random.default_rng(0).permutation([0.00001, 0.05, 0.1, 0.5, 0.9, 0.999])
    names = ["unique_id", "quantile", "q", "q1", "y_hat", *map(quantile_column, levels), "scale", "Q0.3"]
    found = quantile_columns(names)
    assert list(found) == sorted(levels)
    assert list(found.values()) == ["q0.00001", "q0.05", "q0.1", "q0.5", "q0.9", "q0.999"]
