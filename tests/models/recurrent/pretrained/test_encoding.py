"""The inputs of the pretrained network: causal, free of scale and level, and exact where a series is simple."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.models.recurrent.pretrained.encoding import N_GUIDES, N_ROW_INPUTS, N_STEP_INPUTS, encode, step_inputs
from forecast.models.recurrent.pretrained.priors import draw_batch

SEASONAL, CYCLES, PATTERN, DRIFT = 0, 1, 2, 8  # of the guides


def simulated(rows=120):
    batch = draw_batch(np.random.default_rng(0), 40, rows)
    return batch.values, batch.observed, batch.seasons


def test_shapes():
    values, observed, seasons = simulated()
    series = encode(values, observed, seasons)
    assert series.rows.shape == (40, 120, N_ROW_INPUTS)
    guides, inputs = step_inputs(series, np.full((40, 2), 100), np.array([1, 5, 48]))
    assert guides.shape == (40, 2, 3, N_GUIDES)
    assert inputs.shape == (40, 2, 3, N_STEP_INPUTS)
    assert all(np.isfinite(array).all() for array in (series.rows, guides, inputs))


def test_a_row_depends_on_no_later_row():
    values, observed, seasons = simulated()
    changed, missing = values.copy(), observed.copy()
    changed[:, 70:] += np.random.default_rng(1).normal(0, 100, changed[:, 70:].shape)
    missing[:, 70:] = ~missing[:, 70:]
    before, after = encode(values, observed, seasons), encode(changed, missing, seasons)
    assert (before.rows[:, :70] == after.rows[:, :70]).all()
    rows, steps = np.array([[2, 30, 69]] * 40), np.arange(1, 49)
    for first, second in zip(step_inputs(before, rows, steps), step_inputs(after, rows, steps), strict=True):
        assert (first == second).all()


@pytest.mark.parametrize(("factor", "shift"), [(1e-9, 0.0), (1e9, 0.0), (1.0, 1e4), (1e3, -50.0)])
def test_scale_and_level_do_not_matter(factor, shift):
    values, observed, seasons = simulated()
    before, after = encode(values, observed, seasons), encode(values * factor + shift, observed, seasons)
    assert after.scale == pytest.approx(before.scale * factor, rel=1e-6, abs=0)
    assert after.rows == pytest.approx(before.rows, abs=1e-3)


def test_seasonal_guides_are_exact_on_a_season_with_a_trend():
    t, m = np.arange(150), 12
    pattern = np.random.default_rng(2).normal(size=m)
    pattern -= pattern.mean()
    y = (5 * pattern[t % m])[None]
    series = encode(y, np.ones_like(y, bool), np.array([m]))
    row, steps = 120, np.arange(1, 25)
    guides = step_inputs(series, np.array([[row]]), steps)[0][0, 0]
    change = (y[0, row + steps] - y[0, row]) / series.scale[0, row]
    for guide in (SEASONAL, CYCLES, PATTERN):
        assert guides[:, guide] == pytest.approx(change, rel=1e-5, abs=1e-3)
    line = 3.0 * t[None]
    series = encode(line, np.ones_like(line, bool), np.array([1]))
    guides = step_inputs(series, np.array([[row]]), steps)[0][0, 0]
    assert guides[:, DRIFT] == pytest.approx(steps)
    assert not guides[:, [SEASONAL, CYCLES, PATTERN]].any()


def test_a_constant_series_has_no_scale():
    y = np.full((1, 30), 7.0)
    series = encode(y, np.ones_like(y, bool), np.array([1]))
    assert not series.scale.any()
    assert np.isfinite(series.rows).all()
