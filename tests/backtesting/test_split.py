"""Walk-forward splits: training rows, cutoffs and test rows, by properties of random splits."""

import re
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from forecast.backtesting.split import WalkForward
from forecast.data.panel import as_panel


@st.composite
def splits(draw):
    """A split, a number of rows that can hold it, sometimes exactly, and the smallest such number."""
    cv = WalkForward(
        horizon=draw(st.integers(1, 12)),
        n_windows=draw(st.integers(1, 8)),
        step_size=draw(st.none() | st.integers(1, 9)),
        train_size=draw(st.none() | st.integers(1, 30)),
        embargo=draw(st.integers(0, 9)),
    )
    minimum = cv.embargo + (cv.train_size or 1) + (cv.n_windows - 1) * cv.step + cv.horizon
    return cv, minimum + draw(st.integers(0, 40)), minimum


@given(splits())
def test_training_ends_embargo_rows_before_the_cutoff(split):
    cv, rows, _ = split
    index = np.arange(rows)
    for fold in cv.split(index):
        train, history, test = index[fold.train], index[fold.history], index[fold.test]
        assert len(train) == fold.train.stop - fold.train.start > 0  # a negative bound would wrap around
        assert train[-1] == fold.cutoff - cv.embargo
        assert history[0] == 0
        assert history[-1] == fold.cutoff
        assert set(train) <= set(history)
        assert test.tolist() == list(range(fold.cutoff + 1, fold.cutoff + 1 + cv.horizon))


@given(splits())
def test_training_rows_roll_or_expand(split):
    cv, rows, _ = split
    for fold in cv.split(range(rows)):
        if cv.train_size is None:
            assert fold.train.start == 0
        else:
            assert fold.train.stop - fold.train.start == cv.train_size


@given(splits())
def test_cutoffs_are_equally_spaced_up_to_the_end(split):
    cv, rows, _ = split
    cutoffs = cv.cutoffs(range(rows))
    assert len(cutoffs) == cv.n_windows
    assert cutoffs[-1] == rows - 1 - cv.horizon
    assert set(np.diff(cutoffs)) <= {cv.step_size or cv.horizon}
    assert [fold.cutoff for fold in cv.split(range(rows))] == cutoffs


@given(splits())
def test_by_default_test_rows_do_not_overlap(split):
    cv, rows, _ = split
    assume(cv.step_size is None)
    test_rows = [row for fold in cv.split(range(rows)) for row in range(rows)[fold.test]]
    assert test_rows == list(range(rows - cv.n_windows * cv.horizon, rows))


@given(splits())
def test_error_states_how_many_windows_fit(split):
    cv, rows, _ = split
    settings = {"step_size": cv.step, "train_size": cv.train_size, "embargo": cv.embargo}
    with pytest.raises(ValueError, match=f"{rows} rows cannot hold n_windows=1000 with horizon={cv.horizon}") as error:
        WalkForward(cv.horizon, 1000, **settings).cutoffs(range(rows))
    assert str(error.value).endswith("Use fewer windows or bring more history.")
    possible = int(re.search(r"at most (\d+) fit", str(error.value))[1])
    assert possible >= cv.n_windows
    assert len(list(WalkForward(cv.horizon, possible, **settings).split(range(rows)))) == possible
    with pytest.raises(ValueError, match=f"at most {possible} fit"):
        WalkForward(cv.horizon, possible + 1, **settings).cutoffs(range(rows))


@given(splits())
def test_one_row_too_few_is_refused(split):
    cv, _, minimum = split
    assert cv.cutoffs(range(minimum))[0] == cv.embargo + (cv.train_size or 1) - 1
    with pytest.raises(ValueError, match=f"at most {cv.n_windows - 1} fit"):
        list(cv.split(range(minimum - 1)))


@pytest.mark.parametrize("rows", [0, 1, 5, 6])
def test_error_states_zero_when_no_window_fits(rows):
    with pytest.raises(ValueError, match=f"^{rows} rows cannot hold n_windows=3 .*at most 0 fit"):
        WalkForward(horizon=5, n_windows=3, embargo=1).cutoffs(range(rows))


def test_embargo_does_not_move_the_cutoffs():
    plain, with_embargo = (WalkForward(5, 4, embargo=embargo).cutoffs(range(100)) for embargo in (0, 7))
    assert plain == with_embargo == [79, 84, 89, 94]


def test_anything_with_a_length_can_be_split():
    frame = pd.DataFrame({"A": np.arange(30.0)}, index=pd.bdate_range("2024-01-01", periods=30))
    cv = WalkForward(horizon=3, n_windows=2)
    folds = list(cv.split(30 * [None]))
    for index in (frame, frame.index, as_panel(frame)):
        assert list(cv.split(index)) == folds
    assert as_panel(frame)[folds[-1].history].index[-1] == frame.index[26]
    assert len(as_panel(frame)[folds[-1].test]) == 3


@pytest.mark.parametrize("name", ["horizon", "n_windows", "step_size", "train_size", "embargo"])
def test_settings_are_integers(name):
    valid = {"horizon": 1, name: 2}
    assert getattr(WalkForward(**valid), name) == 2
    minimum = 0 if name == "embargo" else 1
    assert WalkForward(**{**valid, name: minimum})
    with pytest.raises(ValueError, match=f"{name} must be at least {minimum}; got {minimum - 1}"):
        WalkForward(**{**valid, name: minimum - 1})
    for wrong in (2.0, "2", True):
        with pytest.raises(TypeError, match=f"{name} must be a whole number of rows; got {wrong!r}"):
            WalkForward(**{**valid, name: wrong})
    if name not in ("step_size", "train_size"):
        with pytest.raises(TypeError, match=f"{name} must be a whole number"):
            WalkForward(**{**valid, name: None})


def test_split_and_folds_are_frozen():
    cv = WalkForward(horizon=5, n_windows=1)
    with pytest.raises(FrozenInstanceError):
        cv.horizon = 6
    with pytest.raises(FrozenInstanceError):
        next(cv.split(range(50))).cutoff = 0
