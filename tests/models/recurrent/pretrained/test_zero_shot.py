"""The pretrained forecaster: weights, seasons, long horizons, missing rows, and what it knows without training."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

import forecast as fc
from forecast.models.recurrent import pretrained
from forecast.models.recurrent.pretrained.network import LEVELS, LONGEST_STEP, MEDIAN
from forecast.models.recurrent.pretrained.quantiles import at_levels
from forecast.models.recurrent.pretrained.weights import read_weights

FOLDER = Path(pretrained.__file__).parent


def walk(rows=200, series=1, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, series)).cumsum(axis=0)


def autoregression(phi, rows=1200, seed=0):
    shocks, y = np.random.default_rng(seed).normal(size=rows), np.zeros(rows)
    for t in range(1, rows):
        y[t] = phi * y[t - 1] + shocks[t]
    return y


# --- weights ---------------------------------------------------------------------------------------------------------


def test_the_card_describes_the_weights_of_the_package():
    weights, card = read_weights(), json.loads((FOLDER / "card.json").read_text())
    content = b"".join(weights[name].tobytes() for name in sorted(weights))
    assert hashlib.sha256(content).hexdigest() == card["sha256"]
    assert sum(array.size for array in weights.values()) == card["n_weights"]
    log = (FOLDER / "log.csv").read_text().splitlines()
    assert int(log[-1].split(",")[0]) == card["config"]["steps"]
    size = sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file())
    assert size < 4 * 2**20


def test_weights_that_cannot_be_used_are_refused(tmp_path):
    y = walk()
    with pytest.raises(ValueError, match=r"does not exist: start_from is a folder that `python -m .*train"):
        fc.Pretrained(start_from=tmp_path).fit(y, 3)
    (tmp_path / "weights.npz").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="cannot be read as weights"):
        fc.Pretrained(start_from=tmp_path).fit(y, 3)
    other = tmp_path / "other"
    other.mkdir()
    np.savez(other / "weights.npz", **{name: array[:1] for name, array in read_weights().items()})
    with pytest.raises(ValueError, match="weights of another network"):
        fc.Pretrained(start_from=str(other)).fit(y, 3)
    with pytest.raises(TypeError, match="start_from must be the path of a folder"):
        fc.Pretrained(start_from=3).fit(y, 3)


def test_weights_of_a_folder_are_used(tmp_path):
    np.savez(tmp_path / "weights.npz", **{name: array * 0 for name, array in read_weights().items()})
    y = walk()
    forecast = fc.Pretrained(start_from=tmp_path).fit(y, 3).predict(y)
    assert forecast.point == pytest.approx(np.full((1, 1, 3), y[-1, 0]))  # an untrained network: the last value
    assert fc.Pretrained().fit(y, 3).predict(y).point != pytest.approx(forecast.point, abs=1e-9)


# --- seasons, levels, horizons, missing rows -------------------------------------------------------------------------


def test_the_season_is_that_of_each_series():
    index = pd.date_range("2000-01-01", periods=120, freq="MS")
    seasonal = 10 * np.sin(2 * np.pi * np.arange(120) / 12) + walk(120, seed=1)[:, 0]
    frame = pd.DataFrame({"seasonal": seasonal, "walk": walk(120)[:, 0]}, index)
    model = fc.Pretrained(log=False).fit(frame, 12)
    assert model.seasons_ == (12, 1)
    assert model.record_["season"] == {"seasonal": 12, "walk": 1}
    assert fc.Pretrained(season=4).fit(frame + 100, 2).seasons_ == (4, 4)
    later = frame.rename(columns={"walk": "new"})
    assert np.isfinite(model.predict(later).point).all()
    with pytest.raises(ValueError, match="season must be at least 1"):
        fc.Pretrained(season=0).fit(frame, 12)


def test_levels_between_those_of_the_network_are_interpolated():
    normal = np.array([NormalDist(3, 2).inv_cdf(level) for level in LEVELS])
    wanted = (0.001, 0.02, 0.25, 0.5, 0.77, 0.995)
    assert at_levels(normal, wanted) == pytest.approx([NormalDist(3, 2).inv_cdf(level) for level in wanted])
    skewed = np.cumsum(np.random.default_rng(0).exponential(size=(5, len(LEVELS))), axis=1)
    assert at_levels(skewed, LEVELS) == pytest.approx(skewed)
    assert (np.diff(at_levels(skewed, np.linspace(0.001, 0.999, 99)), axis=-1) > 0).all()


def test_long_horizons_repeat_the_forecast():
    t = np.arange(240)
    y = np.column_stack([5 * np.sin(2 * np.pi * t / 12), np.zeros(240)]) + walk(240, 2)
    y[230:, 1] = np.nan  # ends before the cutoff
    short = fc.Pretrained(season=12).fit(y, LONGEST_STEP).predict_at(y, [235, 239])
    long = fc.Pretrained(season=12).fit(y, 150).predict_at(y, [235, 239])
    np.testing.assert_array_equal(long.quantiles[:, :, :LONGEST_STEP], short.quantiles)
    width = long.quantiles[..., -1] - long.quantiles[..., 0]
    assert (np.diff(long.quantiles, axis=-1) > 0).all()
    assert (np.diff(width[..., LONGEST_STEP - 1 :], axis=-1) >= 0).all()
    assert width[0, 1, 143] == pytest.approx(np.sqrt(3) * width[0, 1, 47], rel=0.25)  # of a walk
    later = long.point[0, 0, 60:132].reshape(6, 12)
    assert np.corrcoef(later)[0, 1:] == pytest.approx(1, abs=0.1)  # the season goes on


def test_long_series_show_whether_they_can_be_forecast():
    y = np.column_stack([autoregression(0.7, 600), walk(600, seed=5)[:, 0], np.zeros(600)])
    y[:400, 2], y[400:, 2] = np.nan, autoregression(0.9, 200)
    model = fc.Pretrained().fit(y, 5)
    assert model.shrinkage_[0] > 0.95
    assert model.shrinkage_[1] < 0.5
    assert model.shrinkage_[2] == 1  # too short to show it
    assert fc.Pretrained().fit(y[:, 1], 5).shrinkage_ == pytest.approx(model.shrinkage_[1], rel=1e-6)
    point = model.predict(y).point[0, 1]
    assert np.abs(point - y[-1, 1]).max() < 0.5


def test_a_late_series_is_forecast_as_if_alone():
    y = walk(200, 9)
    y[:120, 4], y[:50, 7] = np.nan, np.nan
    y[150:153, 7] = np.nan
    whole = fc.Pretrained().fit(y, 5).predict_at(y, [160, 199])
    for n in (0, 4, 7, 8):
        first = np.flatnonzero(~np.isnan(y[:, n]))[0]
        alone = fc.Pretrained().fit(y[first:, n], 5).predict_at(y[first:, n], [160 - first, 199 - first])
        np.testing.assert_allclose(alone.quantiles[:, 0], whole.quantiles[:, n], rtol=1e-6)


def test_fewer_than_three_values_before_a_cutoff_have_no_forecast():
    y = walk(50, 2)
    y[:20, 1] = np.nan
    forecast = fc.Pretrained().fit(y, 4).predict_at(y, [1, 2, 21, 22])
    known = np.isfinite(forecast.quantiles).all(axis=(2, 3))
    assert known.tolist() == [[False, False], [True, False], [True, False], [True, True]]
    three = np.array([3.0, 4.0, 3.5])
    assert np.isfinite(fc.Pretrained().fit(three, 60).predict(three).quantiles).all()


def test_a_constant_series_stays_what_it_is():
    y = np.full(40, 7.0)
    assert (fc.Pretrained().fit(y, 6).predict(y).quantiles == 7.0).all()


def test_many_series_are_forecast_as_few():
    y = walk(120, 70)
    model = fc.Pretrained().fit(y, 3)
    whole = model.predict(y)
    few = fc.Pretrained().fit(y[:, 60:], 3).predict(y[:, 60:])
    np.testing.assert_allclose(few.quantiles[0], whole.quantiles[0, 60:], rtol=1e-6)


# --- what the network knows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phi", [0.9, 0.5, 0.0])
@pytest.mark.medium
def test_autoregressions_are_forecast_nearly_as_by_the_oracle(phi):
    steps, rows = np.arange(1, 6), np.arange(800, 1190)
    ours, oracle = [], []
    for seed in range(3):
        y = autoregression(phi, seed=seed)
        future = y[rows[:, None] + steps]
        forecast = fc.Pretrained(log=False).fit(y[:800], 5).predict_at(y, rows).point[:, 0]
        ours.append(np.mean((forecast - future) ** 2, axis=0))
        oracle.append(np.mean((phi**steps * y[rows, None] - future) ** 2, axis=0))
    assert (np.sqrt(np.sum(ours, axis=0) / np.sum(oracle, axis=0)) < 1.03).all()


@pytest.mark.medium
def test_a_walk_is_forecast_by_nearly_its_last_value():
    y = np.exp(0.01 * walk(1500, 10, seed=3))
    rows = np.arange(700, 1490, 5)
    forecast = fc.Pretrained().fit(y[:700], 5).predict_at(y, rows)
    future = np.stack([y[rows + k] for k in range(1, 6)], axis=2)
    skill = 1 - ((forecast.point - future) ** 2).sum() / ((y[rows][..., None] - future) ** 2).sum()
    assert skill > -0.02
    inside = (future > forecast.quantiles[..., 0]) & (future < forecast.quantiles[..., 2])
    assert 0.76 < inside.mean() < 0.84


def test_a_season_is_repeated_and_a_trend_continued():
    rng, t, k = np.random.default_rng(4), np.arange(120), np.arange(120, 132)
    pattern = 20 * rng.normal(size=12)
    y = pattern[t % 12] + 0.5 * t + rng.normal(size=120)
    forecast = fc.Pretrained(season=12, log=False).fit(y, 12).predict(y).point[0, 0]
    assert np.abs(forecast - pattern[k % 12] - 0.5 * k).mean() < 1.5


def test_the_median_is_the_point():
    y = walk(100, 3)
    levels = (0.3, 0.5)
    forecast = fc.Pretrained(levels=levels).fit(y, 2).predict(y)
    np.testing.assert_array_equal(forecast.quantiles[..., 1], forecast.point)
    assert LEVELS[MEDIAN] == 0.5
