"""The inputs of the steps of a forecast: what they are, and what they do not depend on."""

import numpy as np
import pytest

from forecast.features.inputs import causal_inputs
from forecast.features.step_inputs import SEASONS_BACK, make_step_inputs

T, N, H, E = 200, 3, 4, 2


def example(season=1, known=None, y=None):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(T, N)).cumsum(axis=0) if y is None else y
    known = rng.normal(5, 2, (T + H, N, E)) if known is None else known
    base = np.repeat(y[:, :, None], H, axis=2)
    return make_step_inputs(known, causal_inputs(y), base, season), y, known


@pytest.mark.parametrize("season", [1, 5])
def test_a_step_reads_its_own_row_only(season):
    """A changed input at row t + k changes step k of row t, and no input of a row that lies further back."""
    before, y, known = example(season)
    changed = known.copy()
    row, k = 100, 3
    changed[row + k, 1, 0] += 1.0
    after, *_ = example(season, changed, y)
    rows, series = np.arange(T)[:, None], np.arange(N)
    differs = (before.at(rows, series) != after.at(rows, series)).any(axis=-1)  # (T, N, H)
    assert not differs[:, [0, 2]].any()
    assert differs[row, 1].tolist() == [step == k for step in range(1, H + 1)]
    assert not differs[: row + k - H, 1].any()
    for t in range(row + k - H, row + k):
        assert differs[t, 1].tolist() == [t + step == row + k for step in range(1, H + 1)]


def test_values_are_those_of_the_definition():
    inputs, y, known = example(season=5)
    t, n, k = 150, 2, 2
    u, newest = known[t + k, n], known[t, n]
    spread = known[: t + 1, n].std(axis=0)
    change = np.abs(known[5 : t + 1, n] - known[: t - 4, n]).mean(axis=0)
    expected = [*(u - known[: t + 1, n].mean(axis=0)) / spread, *(u - newest) / spread]
    expected += [*(u - known[t + k - 5, n]) / change]
    expected += [(y[t + k - 5 * j, n] - y[t, n]) / causal_inputs(y).scale[t, n] for j in SEASONS_BACK]
    assert inputs.n_channels == len(expected)
    np.testing.assert_allclose(inputs.at(np.array(t), np.array(n))[k - 1], np.clip(expected, -8, 8), rtol=1e-5)


def test_a_field_that_was_constant_so_far_has_no_effect():
    """A holiday before the first one: its effect is not known."""
    known = np.zeros((T + H, N, E))
    known[150] = 1.0
    inputs, *_ = example(known=known)
    assert not inputs.at(np.array([148]), np.array([0])).any()
    known[180] = 1.0
    inputs, *_ = example(known=known)
    assert inputs.at(np.array([178]), np.array([0]))[0, 1].all()


def test_chunks_of_rows_and_series_have_the_same_inputs():
    inputs, y, known = example(season=5)
    rows = np.arange(60)
    expected = inputs.at(rows[:, None], np.arange(N))
    np.testing.assert_array_equal(inputs[:60].at(rows[:, None], np.arange(N)), expected)
    np.testing.assert_array_equal(
        inputs.of_series(np.array([2, 0])).at(rows[:, None], np.arange(2)), expected[:, [2, 0]]
    )
    tenfold, *_ = example(5, 10 * known, 10 * y)
    np.testing.assert_allclose(tenfold.at(rows[:, None], np.arange(N)), expected, rtol=1e-4, atol=1e-5)
