"""The skill in parts of a run: years, and calm and volatile times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.quick import walks

import forecast as fc
from forecast.evaluation.by_period import THIRDS


def run(prices, n_windows=40, horizon=3):
    return fc.backtest({"drift": fc.Drift(), "mean": fc.WindowMean(5)}, prices, fc.WalkForward(horizon, n_windows))


def skill(rows, model):
    """The skill of some rows, by its definition."""
    squared = (rows["y"] - rows["y_hat"]) ** 2
    means = squared.groupby([rows["model"].astype(str), rows["unique_id"].astype(str)]).mean()
    return 1 - np.exp(np.log(means[model] / means["naive"]).mean())


@pytest.mark.medium
def test_the_skill_of_a_year_is_that_of_its_cutoffs():
    result = run(walks(800), n_windows=240)
    table = result.by_period("naive")
    years = result.forecasts["cutoff"].dt.year.astype(str)
    assert list(dict.fromkeys(table["period"])) == sorted(years.unique())
    for row in table.itertuples():
        rows = result.forecasts[years == row.period]
        assert row.cutoffs == rows["cutoff"].nunique()
        assert row.skill == pytest.approx(skill(rows, row.model), rel=1e-9)


@pytest.mark.medium
def test_shorter_runs_are_divided_into_quarters_or_thirds():
    parts = run(walks(300), n_windows=40).by_period()["period"]
    assert parts.str.fullmatch(r"\d{4}(Q\d)?").all()
    numbered = run(walks(300).to_numpy(), n_windows=30).by_period()
    assert list(dict.fromkeys(numbered["period"])) == ["first third", "second third", "last third"]
    assert (numbered["cutoffs"] == 10).all()


@pytest.mark.medium
def test_volatile_cutoffs_are_those_after_large_movements():
    rng = np.random.default_rng(1)
    sizes = np.where(np.arange(400) < 320, 0.1, 5.0)
    prices = pd.DataFrame({"y": 1000 + np.cumsum(rng.normal(size=400) * sizes)})
    result = run(prices, n_windows=60)
    table = result.by_volatility("naive")
    assert list(dict.fromkeys(table["period"])) == list(THIRDS)
    cutoffs = np.sort(result.forecasts["cutoff"].unique())
    late = result.forecasts[result.forecasts["cutoff"] > 345]
    assert cutoffs[-18:].min() > 340
    volatile = table[table["period"] == "volatile third"].set_index("model")
    assert volatile.loc["mean", "cutoffs"] == pytest.approx(18, abs=1)
    assert volatile.loc["mean", "skill"] == pytest.approx(skill(late, "mean"), abs=0.35)


@pytest.mark.medium
def test_volatility_is_known_at_the_cutoff():
    """Later outcomes change no cutoff's third but those after them."""
    prices = walks(300, series=1)
    changed = prices.copy()
    changed.iloc[-1] *= 1.5  # the outcome of the last cutoff
    before, after = (run(each).by_volatility() for each in (prices, changed))
    assert before["cutoffs"].tolist() == after["cutoffs"].tolist()
    calm = [table[table["period"] != "volatile third"]["skill"].to_numpy() for table in (before, after)]
    assert (np.isclose(*calm).sum() >= 2) or np.isclose(before["skill"], after["skill"]).sum() >= 4
