"""Causal inputs against a slow reading of their definition; windows against indexing by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.features.dataset import SequenceDataset
from forecast.features.inputs import (
    MIN_CHANGES,
    N_INPUTS,
    N_STATE_CHANNELS,
    SCALE_FLOOR,
    SCALE_ROWS,
    SERIES_PER_CHUNK,
    WINDOWS,
    calendar_inputs,
    causal_inputs,
)
from forecast.features.windows import forward_fill, future_windows, windows_ending_at


def _slow(y):
    """The definition, row by row, of one series: inputs (C,) and unit at its last row."""
    known = y[~np.isnan(y)]
    if not len(known):
        return np.zeros(N_INPUTS - N_STATE_CHANNELS), 0.0
    changes = np.abs(np.diff(known))
    unit = max(changes[-SCALE_ROWS:].mean(), SCALE_FLOOR * changes.mean()) if len(changes) else 0.0
    seen = not np.isnan(y[-1])
    change = known[-1] - known[-2] if seen and len(known) > 1 else 0.0
    if unit == 0:
        return np.array([0.0] * (N_INPUTS - N_STATE_CHANNELS - 1) + [float(seen)]), 0.0
    distances = [(known[-1] - known[-w:].mean()) / (unit * np.sqrt(w)) for w in WINDOWS]
    return np.array([change / unit, *distances, float(seen)]), unit


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.5), st.integers(0, 80))
def test_inputs_follow_their_definition(seed, missing, listing):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(150, 2)).cumsum(axis=0)
    y[rng.random(y.shape) < missing] = np.nan
    y[:listing, 1] = np.nan
    inputs = causal_inputs(y)
    for row in (0, 1, listing, 99, 149):
        for series in (0, 1):
            x, unit = _slow(y[: row + 1, series])
            np.testing.assert_allclose(inputs.x[row, series, N_STATE_CHANNELS:], x, rtol=1e-4, atol=1e-5)
            assert inputs.scale[row, series] == pytest.approx(unit, rel=1e-9, abs=1e-12)


def test_long_average_over_a_long_series():
    y = np.random.default_rng(1).normal(size=(2500, 1)).cumsum(axis=0) + 1e4
    x, unit = _slow(y[:, 0])
    np.testing.assert_allclose(causal_inputs(y).x[-1, 0, N_STATE_CHANNELS:], x, rtol=1e-4)
    assert causal_inputs(y).scale[-1, 0] == pytest.approx(unit)


def test_inputs_know_nothing_of_later_rows():
    y = np.random.default_rng(2).normal(size=(300, 3)).cumsum(axis=0)
    whole = causal_inputs(y)
    other = y.copy()
    other[200:] = np.nan
    other[250:] = 1e6
    for changed in (causal_inputs(y[:200]), causal_inputs(other)):
        assert changed.x[:200].tobytes() == whole.x[:200].tobytes()
        assert changed.scale[:200].tobytes() == whole.scale[:200].tobytes()


def test_scale_of_prices_is_only_in_the_unit():
    y = np.random.default_rng(3).normal(size=(200, 2)).cumsum(axis=0)
    one, ten = causal_inputs(y), causal_inputs(10 * y)
    np.testing.assert_allclose(one.x[..., N_STATE_CHANNELS:], ten.x[..., N_STATE_CHANNELS:], atol=1e-5)
    np.testing.assert_allclose(10 * one.x[..., :N_STATE_CHANNELS], ten.x[..., :N_STATE_CHANNELS], rtol=1e-5)
    np.testing.assert_allclose(10 * one.scale, ten.scale)


def test_answers_are_measured_in_the_errors_of_the_base():
    """A base that is right to a tenth of the movement has a tenth of the unit; the last value has the movement."""
    rng = np.random.default_rng(5)
    y = rng.normal(size=(300, 2)).cumsum(axis=0)
    y[50:60, 0] = np.nan
    naive = causal_inputs(y, forward_fill(y))
    np.testing.assert_allclose(naive.scale, causal_inputs(y).scale, rtol=1e-9)
    base = np.full_like(y, np.nan)
    base[100:-1] = y[101:] + 0.1 * rng.choice([-1, 1], size=(199, 2))
    near = causal_inputs(y, base)
    assert not near.scale[:101].any()
    np.testing.assert_allclose(near.scale[101:], 0.1)
    assert near.n_changes[100, 1] == 0
    assert near.n_changes[299, 1] == 199
    assert (
        near.x[..., N_STATE_CHANNELS:].tobytes() == causal_inputs(y).x[..., N_STATE_CHANNELS:].tobytes()
    )  # what is read stays the same


def test_the_calendar_goes_round():
    dates = np.array(["2024-01-01T00:00", "2024-12-31T23:59:59", "2023-07-03T12:00"], dtype="datetime64[s]")
    x = calendar_inputs(dates, 2)
    assert x.shape == (3, 2, 8)
    np.testing.assert_array_equal(x[:, 0], x[:, 1])
    np.testing.assert_allclose(x[0, 0], [0, 0, 0, 0, 1, 1, 1, 1], atol=1e-6)  # midnight, a Monday, the first
    np.testing.assert_allclose(x[1, 0, [2, 3, 6, 7]], [0, 0, 1, 1], atol=1e-3)  # a second before the year goes round
    assert x[2, 0, 4] == pytest.approx(-1)  # noon is far from midnight
    np.testing.assert_allclose(x[..., :4] ** 2 + x[..., 4:] ** 2, 1, rtol=1e-5)


def test_a_quiet_stretch_is_not_a_standstill():
    y = np.concatenate([np.random.default_rng(4).normal(size=100).cumsum(), np.full(100, 5.0)])[:, None]
    inputs = causal_inputs(y)
    assert inputs.scale[-1, 0] > 0
    assert np.abs(inputs.x[-1]).max() < 50
    still = causal_inputs(np.full((50, 1), 3.0))
    assert not still.scale.any()
    assert np.isfinite(still.x).all()


def _windows(length, positions, missing=()):
    y = np.random.default_rng(5).normal(size=(80, 2)).cumsum(axis=0)
    y[:30, 1] = np.nan
    y[list(missing), 0] = np.nan
    inputs = causal_inputs(y)
    base = np.repeat(inputs.y[:, :, None], 3, axis=2)
    return y, inputs, SequenceDataset(inputs, base, length, positions)


@pytest.mark.parametrize("positions", [1, 5, 20])
def test_windows_teach_what_came_and_nothing_else(positions):
    y, inputs, windows = _windows(positions + 6, positions, missing=(40, 41))
    for which in range(0, len(windows), 7):
        batch = windows.gather(np.array([which]))
        series, origin = windows.pairs[which]
        for p in range(positions):
            row = origin - positions + 1 + p
            for step in range(3):
                target = row + 1 + step
                teaches = (
                    0 <= row < 80
                    and target < 80
                    and not np.isnan(y[row, series])
                    and not np.isnan(y[target, series])
                    and inputs.n_changes[row, series] >= MIN_CHANGES
                )
                assert batch.weight[0, p, step] == teaches
                if teaches:
                    want = (y[target, series] - y[row, series]) / inputs.scale[row, series]
                    assert batch.target[0, p, step] == pytest.approx(want, rel=1e-5)
                else:
                    assert batch.target[0, p, step] == 0


@pytest.mark.parametrize("positions", [1, 5, 20])
def test_every_row_is_a_lesson_equally_often(positions):
    """The newest rows too: each lesson appears once for each of the examples' positions."""
    _, _, windows = _windows(positions + 6, positions)
    seen = np.zeros((80, 2))
    for (series, origin), weight in zip(windows.pairs, windows.gather(np.arange(len(windows))).weight, strict=True):
        for p in range(positions):
            row = origin - positions + 1 + p
            if 0 <= row < 80:
                seen[row, series] += weight[p].any()
    lessons = (np.arange(80)[:, None] >= np.array([MIN_CHANGES, 30 + MIN_CHANGES])) & (np.arange(80)[:, None] < 79)
    assert (seen[lessons] == positions).all()
    assert not seen[~lessons].any()


def test_rows_before_are_rows_or_nothing():
    x = np.arange(20, dtype=np.float32).reshape(10, 2, 1) + 1
    got = windows_ending_at(x, np.array([9, 1, 11]), np.array([0, 1, 0]), 3)[..., 0]
    assert got.tolist() == [[15, 17, 19], [0, 2, 4], [19, 0, 0]]


def test_carried_and_ahead():
    y = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, 3.0]])
    np.testing.assert_array_equal(forward_fill(y), [[np.nan, 1], [2, 1], [2, 3]])
    np.testing.assert_array_equal(future_windows(y, 2)[:, 1], [[np.nan, 3], [3, np.nan], [np.nan, np.nan]])


def _many(rows=90, series=2 * SERIES_PER_CHUNK + 3):
    rng = np.random.default_rng(3)
    y = rng.normal(size=(rows, series)).cumsum(axis=0) * np.arange(1, series + 1)
    y[rng.random(y.shape) < 0.1] = np.nan
    y[:30, -1] = np.nan  # listed late
    return y


@pytest.mark.parametrize("with_base", [False, True])
def test_many_series_are_read_and_taught_as_each_alone(with_base):
    """They are worked on some at a time: more of them than fit into one part, and the last part is not full."""
    y = _many()
    base = np.stack([0.9 * forward_fill(y), 0.8 * forward_fill(y)], axis=2)  # (T, N, H)
    together = causal_inputs(y, base[..., 0] if with_base else None)
    batch = SequenceDataset(together, base, 12, 4)
    for n in range(y.shape[1]):
        one = slice(n, n + 1)
        alone = causal_inputs(y[:, one], base[:, one, 0] if with_base else None)
        for name in ("x", "y", "recent_change", "scale", "observed", "n_changes"):
            np.testing.assert_array_equal(getattr(together, name)[:, one], getattr(alone, name), err_msg=name)
        assert together.start[n] == alone.start[0]
        own = SequenceDataset(alone, base[:, one], 12, 4)
        here = np.flatnonzero(batch.pairs[:, 0] == n)
        assert batch.pairs[here, 1].tolist() == own.pairs[:, 1].tolist()
        for ours, theirs in zip(batch.gather(here)[2:], own.gather(np.arange(len(own)))[2:], strict=True):
            np.testing.assert_array_equal(ours, theirs)
