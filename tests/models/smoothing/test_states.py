"""What exponential smoothing and Theta promise: scale, level, start of the history, other series, many cutoffs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.quick import walks

import forecast as fc

MODELS = {
    "ets": lambda **params: fc.ETS(**params),
    "damped": lambda **params: fc.ETS("AAdN", **params),
    "seasonal": lambda **params: fc.ETS("AAA", **{"m": 6} | params),
    "theta": lambda **params: fc.Theta(**params),
}
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def _seasonal(rows=120, m=6, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(rows)
    return 50 + 0.1 * t + 8 * np.sin(2 * np.pi * t / m) + np.cumsum(rng.normal(0, 0.3, rows))


@every_model
@pytest.mark.parametrize(("factor", "shift"), [(1e-9, 0), (1e9, 0), (-1e-3, 3), (1e3, -40), (1, 7.3)])
def test_forecasts_follow_scale_and_level(make, factor, shift):
    y = _seasonal()
    plain, moved = (make(m=6, log=False).fit(v[:100], 8).predict_at(v, [99, 119]) for v in (y, y * factor + shift))
    np.testing.assert_allclose(moved.point, plain.point * factor + shift, rtol=1e-8)
    expected = plain.quantiles * factor + shift
    if factor > 0:
        np.testing.assert_allclose(moved.quantiles, expected, rtol=1e-8)


@every_model
def test_other_series_change_no_bytes(make):
    frame = pd.DataFrame({"a": _seasonal(), "b": _seasonal(seed=1)})
    others = frame.assign(zero=np.r_[0.0, _seasonal(seed=2)[1:]], short=np.nan, ends=_seasonal(seed=3))
    others.loc[others.index[-5:], "short"] = [1.0, 2, 3, 2, 1]
    others.loc[others.index[60:], "ends"] = np.nan
    others = others[["zero", "b", "short", "a", "ends"]]
    alone, among = (make(m=6).fit(f, 5).predict_at(f, [90, 119]) for f in (frame, others))
    np.testing.assert_array_equal(among.point[:, [3, 1]], alone.point)
    np.testing.assert_array_equal(among.quantiles[:, [3, 1]], alone.quantiles)
    assert np.isfinite(among.quantiles[-1]).all()


@every_model
def test_later_rows_and_other_cutoffs_change_no_bytes(make):
    y = _seasonal()
    model = make(m=6).fit(y[:80], 5)
    many = model.predict_at(y, np.arange(80, 120))
    for k in (0, 17, 39):
        alone = model.predict(y[: 81 + k])
        np.testing.assert_array_equal(many.point[k], alone.point[0])
        np.testing.assert_array_equal(many.quantiles[k], alone.quantiles[0])


@every_model
def test_states_start_at_the_first_training_row(make):
    """A rolling fit forecasts from a longer history as from its own rows only."""
    frame = walks(rows=300, series=2)
    model = make().fit(frame.iloc[100:250], 4)
    alone, longer = model.predict(frame.iloc[100:280]), model.predict(frame.iloc[:280])
    np.testing.assert_array_equal(alone.point, longer.point)
    assert np.isnan(model.predict_at(frame, [50, 250]).point[0]).all()  # before the first training row


@every_model
@pytest.mark.parametrize("dated", [True, False])
def test_history_without_the_first_training_rows_is_refused(make, dated):
    index = pd.bdate_range("2018-01-01", periods=120) if dated else pd.RangeIndex(120)
    frame = pd.DataFrame({"A": _seasonal()}, index=index)
    model = make().fit(frame, 3)
    newest = frame.iloc[-50:] if dated else frame.iloc[-50:].reset_index(drop=True)
    with pytest.raises(ValueError, match="counts its rows from its first training row"):
        model.predict(newest)


@every_model
def test_three_rows_are_enough(make):
    frame = pd.DataFrame({"long": _seasonal(40), "short": np.nan})
    frame.loc[37:, "short"] = [4.0, 5.0, 7.0]
    for log in (False, "auto"):
        forecast = make(m=6, log=log).fit(frame, 12).predict(frame)
        assert np.isfinite(forecast.quantiles).all()
        assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
        assert 3 < forecast.point[0, 1].min() <= forecast.point[0, 1].max() < 30


def test_missing_first_training_row_shifts_no_season():
    """No value from before the training rows is used, so that the phase is that of training."""
    frame = pd.DataFrame(
        {"A": 100 + np.tile([0, 8, -3, 5, -10.0], 60)}, index=pd.bdate_range("2018-01-01", periods=300)
    )
    frame["A"] += 0.3 * np.random.default_rng(1).normal(size=300)
    frame.iloc[95, 0] = np.nan
    cv = fc.WalkForward(horizon=5, n_windows=1, train_size=200)
    models = {"ets": fc.ETS("ANA", m=5), "auto": fc.ETS(m=5), "theta": fc.Theta(m=5)}
    board = fc.backtest(models, frame, cv).leaderboard()
    assert (board.loc[["ets", "auto", "theta"], "rmse"] < 0.6).all()


@every_model
def test_saved_model_forecasts_the_same_bytes(make, tmp_path):
    frame = pd.DataFrame({"a": _seasonal(), "b": _seasonal(seed=1)})
    model = make(m=6).fit(frame, 5)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(
        fc.load_model(tmp_path / "model").predict(frame).quantiles, model.predict(frame).quantiles
    )
