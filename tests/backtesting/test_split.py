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
def walks(draw):
    """A walk and a number of rows that can hold it, sometimes exactly."""
    cv = WalkForward(
        horizon=draw(st.integers(1, 12)),
        n_windows=draw(st.integers(1, 8)),
        step_size=draw(st.none() | st.integers(1, 9)),
        train_size=draw(st.none() | st.integers(1, 30)),
        embargo=draw(st.integers(0, 9)),
    )
    least = cv.embargo + (cv.train_size or 1) + (cv.n_windows - 1) * cv.step + cv.horizon
    return cv, least + draw(st.integers(0, 40)), least


@given(walks())
def test_nothing_is_fitted_on_after_the_cutoff_less_the_embargo(walk):
    cv, rows, _ = walk
    index = np.arange(rows)
    for fold in cv.split(index):
        train, history, test = index[fold.train], index[fold.history], index[fold.test]
        assert len(train) == fold.train.stop - fold.train.start > 0  # a negative bound would wrap around
        assert train[-1] == fold.cutoff - cv.embargo
        assert history[0] == 0
        assert history[-1] == fold.cutoff
        assert set(train) <= set(history)
        assert test.tolist() == list(range(fold.cutoff + 1, fold.cutoff + 1 + cv.horizon))


@given(walks())
def test_training_rows_roll_or_expand(walk):
    cv, rows, _ = walk
    for fold in cv.split(range(rows)):
        if cv.train_size is None:
            assert fold.train.start == 0
        else:
            assert fold.train.stop - fold.train.start == cv.train_size


@given(walks())
def test_cutoffs_are_equally_spaced_up_to_the_last_that_can_be_tested(walk):
    cv, rows, _ = walk
    cutoffs = cv.cutoffs(range(rows))
    assert len(cutoffs) == cv.n_windows
    assert cutoffs[-1] == rows - 1 - cv.horizon
    assert set(np.diff(cutoffs)) <= {cv.step_size or cv.horizon}
    assert [fold.cutoff for fold in cv.split(range(rows))] == cutoffs


@given(walks())
def test_by_default_test_rows_do_not_overlap(walk):
    cv, rows, _ = walk
    assume(cv.step_size is None)
    tested = [row for fold in cv.split(range(rows)) for row in range(rows)[fold.test]]
    assert tested == list(range(rows - cv.n_windows * cv.horizon, rows))


@given(walks())
def test_as_many_windows_fit_as_the_error_says(walk):
    cv, rows, _ = walk
    settings = {"step_size": cv.step, "train_size": cv.train_size, "embargo": cv.embargo}
    with pytest.raises(ValueError, match=f"{rows} rows cannot hold n_windows=1000 with horizon={cv.horizon}") as caught:
        WalkForward(cv.horizon, 1000, **settings).cutoffs(range(rows))
    assert str(caught.value).endswith("Ask for fewer windows or bring more history.")
    most = int(re.search(r"at most (\d+) fit", str(caught.value))[1])
    assert most >= cv.n_windows
    assert len(list(WalkForward(cv.horizon, most, **settings).split(range(rows)))) == most
    with pytest.raises(ValueError, match=f"at most {most} fit"):
        WalkForward(cv.horizon, most + 1, **settings).cutoffs(range(rows))


@given(walks())
def test_one_row_too_few_is_refused(walk):
    cv, _, least = walk
    assert cv.cutoffs(range(least))[0] == cv.embargo + (cv.train_size or 1) - 1
    with pytest.raises(ValueError, match=f"at most {cv.n_windows - 1} fit"):
        list(cv.split(range(least - 1)))


@pytest.mark.parametrize("rows", [0, 1, 5, 6])
def test_where_none_fits_the_error_says_zero(rows):
    with pytest.raises(ValueError, match=f"^{rows} rows cannot hold n_windows=3 .*at most 0 fit"):
        WalkForward(horizon=5, n_windows=3, embargo=1).cutoffs(range(rows))


def test_an_embargo_does_not_move_the_origin():
    plain, embargoed = (WalkForward(5, 4, embargo=embargo).cutoffs(range(100)) for embargo in (0, 7))
    assert plain == embargoed == [79, 84, 89, 94]


def test_anything_with_a_length_can_be_split():
    frame = pd.DataFrame({"A": np.arange(30.0)}, index=pd.bdate_range("2024-01-01", periods=30))
    cv = WalkForward(horizon=3, n_windows=2)
    folds = list(cv.split(30 * [None]))
    for index in (frame, frame.index, as_panel(frame)):
        assert list(cv.split(index)) == folds
    assert as_panel(frame)[folds[-1].history].index[-1] == frame.index[26]
    assert len(as_panel(frame)[folds[-1].test]) == 3


@pytest.mark.parametrize("name", ["horizon", "n_windows", "step_size", "train_size", "embargo"])
def test_settings_are_whole_numbers_of_rows(name):
    sane = {"horizon": 1, name: 2}
    assert getattr(WalkForward(**sane), name) == 2
    least = 0 if name == "embargo" else 1
    assert WalkForward(**{**sane, name: least})
    with pytest.raises(ValueError, match=f"{name} must be at least {least}; got {least - 1}"):
        WalkForward(**{**sane, name: least - 1})
    for wrong in (2.0, "2", True):
        with pytest.raises(TypeError, match=f"{name} must be a whole number of rows; got {wrong!r}"):
            WalkForward(**{**sane, name: wrong})
    if name not in ("step_size", "train_size"):
        with pytest.raises(TypeError, match=f"{name} must be a whole number"):
            WalkForward(**{**sane, name: None})


def test_a_walk_and_its_folds_are_frozen():
    cv = WalkForward(horizon=5, n_windows=1)
    with pytest.raises(FrozenInstanceError):
        cv.horizon = 6
    with pytest.raises(FrozenInstanceError):
        next(cv.split(range(50))).cutoff = 0
