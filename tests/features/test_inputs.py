"""Causal inputs against a slow version of their definition; windows and examples against indexing by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.features.dataset import SequenceDataset, TrainingRows, trainable_rows
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


def _by_definition(y):
    """Return the inputs (C,) and the scale of one series at its last row, by their definition."""
    known = y[~np.isnan(y)]
    if not len(known):
        return np.zeros(N_INPUTS - N_STATE_CHANNELS), 0.0
    changes = np.abs(np.diff(known))
    scale = max(changes[-SCALE_ROWS:].mean(), SCALE_FLOOR * changes.mean()) if len(changes) else 0.0
    observed = not np.isnan(y[-1])
    change = known[-1] - known[-2] if observed and len(known) > 1 else 0.0
    if scale == 0:
        return np.array([0.0] * (N_INPUTS - N_STATE_CHANNELS - 1) + [float(observed)]), 0.0
    distances = [(known[-1] - known[-w:].mean()) / (scale * np.sqrt(w)) for w in WINDOWS]
    return np.array([change / scale, *distances, float(observed)]), scale


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0, 0.5), st.integers(0, 80))
def test_inputs_follow_their_definition(seed, missing, listing):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(150, 2)).cumsum(axis=0)
    y[rng.random(y.shape) < missing] = np.nan
    y[:listing, 1] = np.nan
    inputs = causal_inputs(y)
    for row in (0, 1, listing, 99, 149):
        for series in (0, 1):
            x, scale = _by_definition(y[: row + 1, series])
            np.testing.assert_allclose(inputs.x[row, series, N_STATE_CHANNELS:], x, rtol=1e-4, atol=1e-5)
            assert inputs.scale[row, series] == pytest.approx(scale, rel=1e-9, abs=1e-12)


def test_long_average_over_a_long_series():
    y = np.random.default_rng(1).normal(size=(2500, 1)).cumsum(axis=0) + 1e4
    x, scale = _by_definition(y[:, 0])
    np.testing.assert_allclose(causal_inputs(y).x[-1, 0, N_STATE_CHANNELS:], x, rtol=1e-4)
    assert causal_inputs(y).scale[-1, 0] == pytest.approx(scale)


def test_inputs_ignore_later_rows():
    y = np.random.default_rng(2).normal(size=(300, 3)).cumsum(axis=0)
    complete = causal_inputs(y)
    other = y.copy()
    other[200:] = np.nan
    other[250:] = 1e6
    for changed in (causal_inputs(y[:200]), causal_inputs(other)):
        assert changed.x[:200].tobytes() == complete.x[:200].tobytes()
        assert changed.scale[:200].tobytes() == complete.scale[:200].tobytes()


def test_prices_times_ten_change_only_the_scale():
    y = np.random.default_rng(3).normal(size=(200, 2)).cumsum(axis=0)
    one, ten = causal_inputs(y), causal_inputs(10 * y)
    np.testing.assert_allclose(one.x[..., N_STATE_CHANNELS:], ten.x[..., N_STATE_CHANNELS:], atol=1e-5)
    np.testing.assert_allclose(10 * one.x[..., :N_STATE_CHANNELS], ten.x[..., :N_STATE_CHANNELS], rtol=1e-5)
    np.testing.assert_allclose(10 * one.scale, ten.scale)


def test_scale_is_the_recent_error_of_the_base():
    """The scale of a base with a tenth of the errors is a tenth; that of the last value is the recent change."""
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
    without_base = causal_inputs(y).x[..., N_STATE_CHANNELS:]
    assert near.x[..., N_STATE_CHANNELS:].tobytes() == without_base.tobytes()  # the features do not depend on the base


def test_calendar_inputs_are_periodic():
    dates = np.array(["2024-01-01T00:00", "2024-12-31T23:59:59", "2023-07-03T12:00"], dtype="datetime64[s]")
    x = calendar_inputs(dates, 2)
    assert x.shape == (3, 2, 8)
    np.testing.assert_array_equal(x[:, 0], x[:, 1])
    np.testing.assert_allclose(x[0, 0], [0, 0, 0, 0, 1, 1, 1, 1], atol=1e-6)  # midnight, a Monday, the first
    np.testing.assert_allclose(x[1, 0, [2, 3, 6, 7]], [0, 0, 1, 1], atol=1e-3)  # a second before the year starts again
    assert x[2, 0, 4] == pytest.approx(-1)  # noon is far from midnight
    np.testing.assert_allclose(x[..., :4] ** 2 + x[..., 4:] ** 2, 1, rtol=1e-5)


def test_scale_is_positive_in_a_quiet_period():
    y = np.concatenate([np.random.default_rng(4).normal(size=100).cumsum(), np.full(100, 5.0)])[:, None]
    inputs = causal_inputs(y)
    assert inputs.scale[-1, 0] > 0
    assert np.abs(inputs.x[-1]).max() < 50
    constant = causal_inputs(np.full((50, 1), 3.0))
    assert not constant.scale.any()
    assert np.isfinite(constant.x).all()


def _dataset(length, positions, missing=()):
    y = np.random.default_rng(5).normal(size=(80, 2)).cumsum(axis=0)
    y[:30, 1] = np.nan
    y[list(missing), 0] = np.nan
    inputs = causal_inputs(y)
    base = np.repeat(inputs.y[:, :, None], 3, axis=2)
    return y, inputs, SequenceDataset(TrainingRows(inputs, base), length, positions)


@pytest.mark.parametrize("positions", [1, 5, 20])
def test_targets_are_the_later_values(positions):
    y, inputs, dataset = _dataset(positions + 6, positions, missing=(40, 41))
    for number in range(0, len(dataset), 7):
        batch = dataset.gather(np.array([number]))
        series, origin = dataset.pairs[number]
        for p in range(positions):
            row = origin - positions + 1 + p
            for step in range(3):
                target = row + 1 + step
                has_target = (
                    0 <= row < 80
                    and target < 80
                    and not np.isnan(y[row, series])
                    and not np.isnan(y[target, series])
                    and inputs.n_changes[row, series] >= MIN_CHANGES
                )
                assert batch.weight[0, p, step] == has_target
                if has_target:
                    expected = (y[target, series] - y[row, series]) / inputs.scale[row, series]
                    assert batch.target[0, p, step] == pytest.approx(expected, rel=1e-5)
                else:
                    assert batch.target[0, p, step] == 0


@pytest.mark.parametrize("positions", [1, 5, 20])
def test_every_row_is_supervised_equally_often(positions):
    """The newest rows too: each target appears once at each position of an example."""
    _, _, dataset = _dataset(positions + 6, positions)
    count = np.zeros((80, 2))
    for (series, origin), weight in zip(dataset.pairs, dataset.gather(np.arange(len(dataset))).weight, strict=True):
        for p in range(positions):
            row = origin - positions + 1 + p
            if 0 <= row < 80:
                count[row, series] += weight[p].any()
    trainable = (np.arange(80)[:, None] >= np.array([MIN_CHANGES, 30 + MIN_CHANGES])) & (np.arange(80)[:, None] < 79)
    assert (count[trainable] == positions).all()
    assert not count[~trainable].any()


def test_windows_are_zero_outside_the_rows():
    x = np.arange(20, dtype=np.float32).reshape(10, 2, 1) + 1
    windows = windows_ending_at(x, np.array([9, 1, 11]), np.array([0, 1, 0]), 3)[..., 0]
    assert windows.tolist() == [[15, 17, 19], [0, 2, 4], [19, 0, 0]]


def test_forward_fill_and_future_windows():
    y = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, 3.0]])
    np.testing.assert_array_equal(forward_fill(y), [[np.nan, 1], [2, 1], [2, 3]])
    np.testing.assert_array_equal(future_windows(y, 2)[:, 1], [[np.nan, 3], [3, np.nan], [np.nan, np.nan]])


def _wide_panel(rows=90, series=2 * SERIES_PER_CHUNK + 3):
    rng = np.random.default_rng(3)
    y = rng.normal(size=(rows, series)).cumsum(axis=0) * np.arange(1, series + 1)
    y[rng.random(y.shape) < 0.1] = np.nan
    y[:30, -1] = np.nan  # listed late
    return y


@pytest.mark.parametrize("with_base", [False, True])
def test_chunks_of_series_equal_each_series_alone(with_base):
    """Of inputs and of targets, with more series than a chunk has, and a last chunk that is not full."""
    y = _wide_panel()
    base = np.stack([0.9 * forward_fill(y), 0.8 * forward_fill(y)], axis=2)  # (T, N, H)
    inputs = causal_inputs(y, base[..., 0] if with_base else None)
    dataset = SequenceDataset(TrainingRows(inputs, base), 12, 4)
    for n in range(y.shape[1]):
        one = slice(n, n + 1)
        alone = causal_inputs(y[:, one], base[:, one, 0] if with_base else None)
        for name in ("x", "y", "recent_change", "scale", "observed", "n_changes"):
            np.testing.assert_array_equal(getattr(inputs, name)[:, one], getattr(alone, name), err_msg=name)
        assert inputs.start[n] == alone.start[0]
        expected = SequenceDataset(TrainingRows(alone, base[:, one]), 12, 4)
        numbers = np.flatnonzero(dataset.pairs[:, 0] == n)
        assert dataset.pairs[numbers, 1].tolist() == expected.pairs[:, 1].tolist()
        batches = dataset.gather(numbers), expected.gather(np.arange(len(expected)))
        np.testing.assert_array_equal(batches[0].target, batches[1].target)
        np.testing.assert_array_equal(batches[0].weight, batches[1].weight)


def test_trainable_rows_by_hand():
    """Observed rows with enough changes, and the missing row before a price that no observed row reaches."""
    y = np.arange(40.0)[:, None] ** 1.5
    y[[25, 26, 30], 0] = np.nan
    inputs = causal_inputs(y)
    observed = np.flatnonzero(inputs.observed[:, 0] & (np.arange(40) >= MIN_CHANGES))
    assert np.flatnonzero(trainable_rows(inputs)).tolist() == observed.tolist()
    assert np.flatnonzero(trainable_rows(inputs, first=33)).tolist() == observed[observed >= 33].tolist()
    assert np.flatnonzero(trainable_rows(inputs, horizon=1)).tolist() == sorted([*observed, 26, 30])
    assert np.flatnonzero(trainable_rows(inputs, horizon=2)).tolist() == sorted([*observed, 26])
    assert not trainable_rows(causal_inputs(np.ones((40, 1)))).any()
    assert trainable_rows(causal_inputs(np.ones((40, 1))), needs_scale=False).sum() == 40 - MIN_CHANGES
