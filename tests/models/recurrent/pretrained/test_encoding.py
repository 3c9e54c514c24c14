"""The inputs of the pretrained network: causal, free of scale and level, and exact where a series is simple."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.models.recurrent.pretrained.encoding import N_GUIDES, N_ROW_INPUTS, N_STEP_INPUTS, encode, step_inputs
from forecast.models.recurrent.pretrained.priors import draw_batch

PATTERN, SEASONAL, CYCLES, AUTOREGRESSION, WEEK, NOW = range(6)  # of the guides, the others less the first
SLOPE = N_GUIDES - 5


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
@pytest.mark.medium
def test_scale_and_level_do_not_matter(factor, shift):
    values, observed, seasons = simulated()
    before, after = encode(values, observed, seasons), encode(values * factor + shift, observed, seasons)
    assert after.scale == pytest.approx(before.scale * factor, rel=1e-6, abs=0)
    assert after.rows == pytest.approx(before.rows, abs=1e-3)


def test_seasonal_guides_are_exact_on_a_season():
    t, m = np.arange(150), 12
    pattern = np.random.default_rng(2).normal(size=m)
    pattern -= pattern.mean()
    y = (5 * pattern[t % m])[None]
    series = encode(y, np.ones_like(y, bool), np.array([m]))
    row, steps = 120, np.arange(1, 25)
    guides = step_inputs(series, np.array([[row]]), steps)[0][0, 0]
    change = (y[0, row + steps] - y[0, row]) / series.scale[0, row]
    assert guides[:, PATTERN] == pytest.approx(change, rel=1e-5, abs=1e-3)
    assert guides[:, [SEASONAL, CYCLES, WEEK]] == pytest.approx(np.zeros((24, 3)), abs=1e-3)
    assert guides[:, NOW] == pytest.approx(-guides[:, PATTERN])


def test_the_guide_of_weeks_is_exact_on_days_that_differ():
    t, m = np.arange(7 * 8 * 5), 8
    hours, days = np.random.default_rng(2).normal(size=(2, 100))
    y = (hours[t % m] + days[t // m % 7] * (t % m == 3))[None]
    series = encode(y, np.ones_like(y, bool), np.array([m]))
    row, steps = 200, np.arange(1, 40)
    guides = step_inputs(series, np.array([[row]]), steps)[0][0, 0]
    cycle = series.cycle[0, row] + y[0, row + steps] - y[0, :1]  # up to the mean of another day, which is known
    ended = row - 7 * m + m * -(-steps // m)
    expected = cycle - series.cycle[0, ended] - series.values[0, row]
    assert guides[:, PATTERN] + guides[:, WEEK] == pytest.approx(expected / series.scale[0, row], abs=1e-3)


def test_slopes_are_exact_on_a_line():
    line = 3.0 * np.arange(150.0)[None]
    series = encode(line, np.ones_like(line, bool), np.array([1]))
    steps = np.arange(1, 25)
    guides = step_inputs(series, np.array([[120]]), steps)[0][0, 0]
    for slope in range(SLOPE, SLOPE + 4):
        assert guides[:, slope] == pytest.approx(steps)
    assert not guides[:, [PATTERN, SEASONAL, CYCLES, AUTOREGRESSION, WEEK, NOW]].any()


def test_autoregressions_are_forecast_by_the_guides():
    rng = np.random.default_rng(3)
    y, shocks = np.zeros((20, 1300)), rng.normal(size=(20, 1300))
    for t in range(4, 1300):
        y[:, t] = 0.7 * y[:, t - 4] + shocks[:, t]
    series = encode(y, np.ones_like(y, bool), np.full(20, 4))
    steps, rows = np.arange(1, 6), np.full((20, 1), 1290)
    guides = step_inputs(series, rows, steps)[0][:, 0] * series.scale[:, 1290, None, None]
    forecast = guides[..., PATTERN] + guides[..., AUTOREGRESSION] + y[:, [1290]]
    oracle = 0.7 ** -(-steps // 4) * y[:, 1290 + steps - 4 * -(-steps // 4)]
    assert np.abs(forecast - oracle).mean() < 0.1


def test_a_constant_series_has_no_scale():
    y = np.full((1, 30), 7.0)
    series = encode(y, np.ones_like(y, bool), np.array([1]))
    assert not series.scale.any()
    assert np.isfinite(series.rows).all()
