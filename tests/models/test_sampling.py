"""Sample paths: at each step the model's forecast, between steps the dependence of its past errors."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers.quick import covering, quick, series_for, walks
from scipy.stats import spearmanr

import forecast as fc
from forecast.models.recurrent.pretrained.quantiles import at_levels

HORIZON = 5
COMBINED = {
    "ensemble": lambda: fc.Ensemble([fc.Naive(), fc.Drift()]),
    "conformal": lambda: fc.Conformal(fc.Drift()),
    "conformal with a second fit": lambda: fc.Conformal(quick("ridge"), window=20),
    "tuned": lambda: fc.Tuned(fc.WindowMean(), {"window": [2, 5]}),
    "many levels": lambda: fc.Naive(levels=(0.02, 0.1, 0.3, 0.5, 0.8, 0.97)),
}


def _prices(name):
    frame = series_for("naive" if name in COMBINED else name, late=True)
    frame.iloc[100:103, 0] = np.nan
    return frame


def _fit(name, prices):
    model = COMBINED[name]() if name in COMBINED else quick(name)
    return model.fit(prices.iloc[:130], 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*(name for name, _ in covering()), *COMBINED])
def test_paths_of_every_model(name):
    """Shape, seed, the forecast's own quantiles at each step, no later row, and prices × 10 give paths × 10.

    Of the networks, each cell and each topology.
    """
    prices = _prices(name)
    model = _fit(name, prices)
    before = pickle.dumps(model)
    paths = model.sample(prices.iloc[:150], n=2000, seed=1)
    assert pickle.dumps(model) == before
    assert paths.shape == (2000, 3, 3)
    assert np.isfinite(paths).all()

    forecast = model.predict(prices.iloc[:150])
    found = np.moveaxis(np.quantile(paths, forecast.levels, axis=0), 0, -1)
    width = (forecast.quantiles[0, ..., -1] - forecast.quantiles[0, ..., 0])[..., None]
    assert (np.abs(found - forecast.quantiles[0]) < 0.02 * width).all()

    changed = prices.copy()
    changed.iloc[150:] *= 3
    assert model.sample(changed.iloc[:150], n=2000, seed=1).tobytes() == paths.tobytes()
    assert not np.array_equal(model.sample(prices.iloc[:150], n=2000, seed=2), paths)
    first, more = model.sample(prices.iloc[:150], n=3), model.sample(prices.iloc[:150])
    assert more.shape == (100, 3, 3)
    assert first.tobytes() == more[:3].tobytes()

    scaled = _fit(name, prices * 10).sample(prices.iloc[:150] * 10, n=2000, seed=1) / 10
    np.testing.assert_allclose(*(np.quantile(own, (0.2, 0.8), axis=0) for own in (scaled, paths)), rtol=0.01)


def _sums(model, y, n=4000):
    return model.fit(y, HORIZON).sample(y, n=n).sum(axis=2)


def test_sums_have_the_spread_of_the_process():
    """On a walk the errors add up; on noise around a mean they cancel out."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2000, 1))
    assert _sums(fc.Naive(), noise.cumsum(axis=0)).std() == pytest.approx(np.sqrt(55), rel=0.1)
    assert _sums(fc.Zero(), noise).std() == pytest.approx(np.sqrt(5), rel=0.1)
    alternating = np.convolve(noise[:, 0], [1.0, -0.9])[:2000, None]  # most of an error is taken back one step later
    independent = np.sqrt(5) * alternating.std()
    assert _sums(fc.Zero(), alternating).std() < 0.6 * independent


@pytest.mark.parametrize(("rows", "tolerance"), [(4, 0.1), (12, 0.1), (40, 0.25)])
def test_few_rows_have_the_dependence_of_a_walk(rows, tolerance):
    y = np.random.default_rng(1).standard_normal((rows, 8)).cumsum(axis=0)
    paths = fc.Naive().fit(y, HORIZON).sample(y, n=2000)
    found = np.mean([spearmanr(paths[:, i, 0], paths[:, i, 4]).statistic for i in range(8)])
    assert found == pytest.approx(np.sqrt(1 / 5), abs=tolerance)


def test_large_errors_follow_large_ones_where_volatility_clusters():
    rng = np.random.default_rng(2)
    volatility = np.exp(np.repeat(rng.choice([-1.0, 1.0], 200), 20))  # of twenty rows at a time
    clustered = (volatility * rng.standard_normal(4000))[:, None]
    shuffled = rng.permutation(clustered)

    def dependence(y):
        size = np.abs(fc.Zero().fit(y, HORIZON).sample(y, n=4000)[:, 0])
        return np.corrcoef(np.log(size[:, 0]), np.log(size[:, 1]))[0, 1]

    assert dependence(clustered) > 0.15
    assert abs(dependence(shuffled)) < 0.06


def test_tails_are_those_of_past_values():
    """With three levels the quantile at .99 of heavy tails is far above that of a normal distribution."""
    y = np.random.default_rng(3).standard_t(3, size=(3000, 1))
    model = fc.Zero().fit(y, HORIZON)
    middle, high = model.predict(y).quantiles[0, 0, 0, 1:]
    normal = middle + (high - middle) * 2.326 / 1.282
    heavy = np.quantile(model.sample(y, n=5000)[:, 0, 0], 0.99)
    assert normal < 3.2
    assert heavy == pytest.approx(4.54, rel=0.15)  # of Student's t with 3 degrees of freedom


def test_series_depend_on_one_another_as_their_errors_do():
    rng = np.random.default_rng(4)
    common, own = rng.standard_normal((600, 1)), rng.standard_normal((600, 2))
    related = (np.sqrt(0.6) * common + np.sqrt(0.4) * own).cumsum(axis=0)
    y = np.concatenate([related, rng.standard_normal((600, 1)).cumsum(axis=0)], axis=1)
    correlation = np.corrcoef(_sums(fc.Naive(), y).T)
    assert correlation[0, 1] == pytest.approx(0.6, abs=0.12)
    assert abs(correlation[0, 2]) < 0.2


def test_adding_a_series_changes_no_other_path():
    prices = walks(200, 2)
    alone = fc.Naive().fit(prices, HORIZON).sample(prices)
    wide = prices.assign(late=prices["S0"].where(np.arange(200) > 190), other=walks(200, 3, seed=9)["S2"])
    assert fc.Naive().fit(wide, HORIZON).sample(wide)[:, :2].tobytes() == alone.tobytes()


def test_missing_rows_and_constant_series_have_paths():
    prices = walks(200, 3)
    prices.loc[prices.index.day_of_week == 4, "S0"] = np.nan  # in every five rows
    prices["S1"] = 7.0
    prices.attrs["columns"] = list(prices)  # as of read_prices(columns=…): a constant column is a series too
    prices.iloc[:-4, 2] = np.nan
    paths = fc.Naive().fit(prices, HORIZON).sample(prices, n=1000)
    assert np.isfinite(paths).all()
    np.testing.assert_allclose(paths[:, 1], 7.0)
    assert np.corrcoef(paths[:, 0, 0], paths[:, 0, 4])[0, 1] > 0.2


def test_paths_of_positive_series_are_positive():
    prices = np.exp(walks(300, 1, seed=5).to_numpy() / 5)
    volatile = np.exp(np.random.default_rng(0).normal(size=(300, 1)))
    assert (fc.Naive().fit(prices, HORIZON).sample(prices) > 0).all()
    assert (fc.WindowMean().fit(volatile, HORIZON).sample(volatile, n=1000) > 0).all()


def test_paths_depend_on_inputs_whose_future_is_known():
    rng = np.random.default_rng(6)
    table = pd.DataFrame({"Price": 0.0, "Load": rng.standard_normal(200)}, pd.bdate_range("2024-01-01", periods=200))
    table["Price"] = 50 + 2 * table["Load"] + 0.3 * rng.standard_normal(200)
    prices = table.assign(Price=table["Price"].where(np.arange(200) < 195))
    known = fc.as_panel(prices, columns=["Price"], future=("Load",))
    model = fc.Tabular(future=("Load",), lookback=5, log=False).fit(known[:195], HORIZON)
    paths = model.sample(known[:195], n=500)
    later = table.iloc[195:].assign(Load=lambda rows: rows["Load"] + [0, 0, 1, 0, 0])
    moved = model.sample(known[:195].known_until(195), n=500, future=later)
    change = np.median(moved - paths, axis=0)[0]
    assert change[2] > 1.0
    assert np.abs(np.delete(change, 2)).max() < 1e-9
    with pytest.raises(ValueError, match="reads inputs of the rows that it forecasts, and lacks"):
        model.sample(known[:195].known_until(195))


def test_interpolation_of_the_pretrained_network_is_the_same():
    np.testing.assert_allclose(at_levels(np.arange(11.0), (0.02, 0.5, 0.98)), [0, 5, 10], atol=1e-12)


class _NoQuantiles(fc.Forecaster):
    def _fit(self, panel, horizon):
        pass

    def _predict(self, panel):
        point = np.zeros((1, len(panel.series), self.horizon_))
        return fc.Forecast(point, None, (), panel.series, panel.index[-1:])


def test_invalid_arguments_are_refused():
    prices = walks(60, 1)
    model = fc.Naive().fit(prices, HORIZON)
    with pytest.raises(ValueError, match="n must be at least 1"):
        model.sample(prices, n=0)
    with pytest.raises(TypeError, match="n must be a whole number"):
        model.sample(prices, n=1.5)
    with pytest.raises(ValueError, match="seed must be at least 0"):
        model.sample(prices, seed=-1)
    with pytest.raises(ValueError, match="not fitted"):
        fc.Naive().sample(prices)
    with pytest.raises(ValueError, match=r"_NoQuantiles has no quantiles.*Conformal"):
        _NoQuantiles().fit(prices, HORIZON).sample(prices)
    with pytest.raises(ValueError, match=r"Naive has the one quantile level 0.5.*levels such as"):
        fc.Naive(levels=(0.5,)).fit(prices, HORIZON).sample(prices)
