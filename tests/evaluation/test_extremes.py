"""Extreme series: they are named, and move neither leaderboard nor verdict nor tests nor plots of the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.losses import correlated_errors, table_of_errors
from helpers.quick import walks

import forecast as fc
from forecast.evaluation import diebold_mariano, find_extremes, model_confidence_set, superior_ability, verdict
from forecast.evaluation.leaderboard import leaderboard
from forecast.evaluation.losses import win_rates
from forecast.report.plots import calibration, error_by_step, skill_through_time

MODELS = {"naive": 1.0, "good": 0.97, "bad": 1.1}


def panel(n_series, **odd):
    """Errors on series of different sizes; `odd` maps names of further series to factors of the models' errors."""
    tables = []
    for i in range(n_series):
        errors = {m: 10.0 ** (i % 3) * e for m, e in correlated_errors(n=30, seed=i, **MODELS).items()}
        tables.append(table_of_errors(errors, series=(f"S{i}",)))
    return append(tables, odd)


def append(tables, odd):
    tables = list(tables)
    for i, (name, factors) in enumerate(odd.items()):
        errors = correlated_errors(n=30, seed=1000 + i, **MODELS)
        tables.append(table_of_errors({m: factors.get(m, 1) * e for m, e in errors.items()}, series=(name,)))
    return pd.concat(tables, ignore_index=True).assign(scale=1.0)


ODD = {
    "exploding": {"bad": 1e6},
    "constant": {"naive": 0, "good": 0, "bad": 1e-9},
    "exact": {"good": 0},
    "hundredth": {"good": 0.09},
}
FITS = pd.DataFrame({"model": ["good"], "error": "", "seconds_fit": 0.0, "seconds_predict": 0.0})


@pytest.mark.parametrize("n_series", [4, 40, 400])
@pytest.mark.medium
def test_odd_series_do_not_move_the_headline(n_series):
    plain = panel(n_series)
    expected = [leaderboard(plain, FITS), verdict(plain, 1).table, model_confidence_set(plain, 1)]
    ability = superior_ability(plain, 1)
    alone = [{name: ODD[name]} for name in ODD]
    for odd in [*alone, ODD]:
        table = append([plain], odd)
        found = verdict(table, 1)
        for frame, same in zip(
            [leaderboard(table, FITS), found.table, model_confidence_set(table, 1)], expected, strict=True
        ):
            pd.testing.assert_frame_equal(frame, same)
        assert superior_ability(table, 1) == ability
        extremes = find_extremes(table)
        assert sorted(extremes.series) == sorted(odd)
        assert extremes.n_series == n_series + len(odd)
        assert f"30 cutoffs, {n_series} of {n_series + len(odd)} series" in str(found)
        for name in odd:
            assert f"{name} (" in str(found)
    assert not find_extremes(plain).sentences


def test_reasons_name_model_and_ratio():
    (sentence,) = find_extremes(panel(8, **ODD)).sentences
    assert "exact (good forecasts it exactly)" in sentence
    assert "constant (it is constant)" in sentence
    table = find_extremes(panel(8, **ODD)).table.set_index("unique_id")
    for name, factor in (("exploding", 1e12), ("hundredth", 0.0081)):
        assert 0.5 < table.loc[name, "ratio"] / factor < 2
    assert f"the loss of good is 1/{1 / table.loc['hundredth', 'ratio']:,.0f} of that of naive" in sentence
    assert "the loss of bad is 1e+12 times that of naive" in sentence
    many = find_extremes(panel(8, **{f"C{i}": ODD["constant"] for i in range(7)}))
    assert many.sentences[0].endswith("C4 (it is constant) and 2 more.")
    assert len(many.series) == 7


def test_two_models_may_be_the_reason():
    extremes = find_extremes(panel(4, both={"good": 0, "bad": 1e3}))
    assert extremes.table["model"].tolist() == ["good", "bad"]
    assert extremes.series == ["both"]
    assert "both (good forecasts it exactly and the loss of bad is" in extremes.sentences[0]


def test_a_model_that_is_extreme_on_most_series_hides_none():
    half = find_extremes(panel(3, B0={"bad": 100}, B1={"bad": 100}, G={"good": 0}))
    assert half.series == ["B0", "B1", "G"]
    most = find_extremes(panel(2, **{f"B{i}": {"bad": 100} for i in range(4)}, G={"good": 0}))
    assert most.series == ["G"]
    assert most.models.to_dict("records") == [{"model": "bad", "below": 0, "above": 4}]
    assert "The loss of bad is more than 100 times that of naive on 4 of 7 series" in most.sentences[1]


def test_at_least_one_series_is_compared():
    assert find_extremes(panel(0, only={"good": 0})).sentences == []
    assert find_extremes(panel(1, odd={"good": 0})).series == ["odd"]
    assert find_extremes(panel(0, flat=ODD["constant"], still=ODD["constant"])).series == []
    each = find_extremes(panel(0, a={"good": 0}, b={"bad": 1e3}))
    assert each.series == []
    assert each.models["model"].tolist() == ["good", "bad"]
    assert find_extremes(panel(0, flat=ODD["constant"], only={"good": 0})).series == ["flat"]


@pytest.mark.medium
def test_odd_series_do_not_decide_a_run():
    """A series that repeats itself and one that no longer moves, next to a random walk."""
    walk = walks(200, series=1)
    rows = np.arange(200)
    odd = walk.assign(repeating=np.resize([10, 12, 11, 15, 9.5], 200), halted=np.where(rows < 100, walk["S0"], 7.0))
    models = {"drift": fc.Drift(), "weekly": fc.SeasonalNaive(5)}
    cv = fc.WalkForward(2, 30)
    plain, result = (fc.backtest(models, prices, cv, refit=30, season=1) for prices in (walk, odd))
    assert result.extremes().series == ["repeating", "halted"]
    columns = ["skill", "mase", "rmse", "coverage", "win_rate"]
    pd.testing.assert_frame_equal(result.leaderboard()[columns], plain.leaderboard()[columns])
    pd.testing.assert_frame_equal(result.verdict().table, plain.verdict().table)
    pd.testing.assert_frame_equal(result.verdict_by_step(), plain.verdict_by_step())
    pd.testing.assert_frame_equal(result.confidence_set(), plain.confidence_set())
    assert result.compared() == plain.compared()
    for table in (skill_through_time, calibration, error_by_step):
        pd.testing.assert_frame_equal(table(result), table(plain))
    assert set(result.scores()["unique_id"]) == {"S0", "repeating", "halted"}
    assert "repeating (weekly forecasts it exactly) and halted (it is constant)" in str(result.verdict())


@pytest.mark.parametrize("scale", [1, 0.1, 1 / 7, 1e-8, 1e7, -3.3])
@pytest.mark.parametrize("start", [0, 1e3, 1e6])
def test_a_straight_line_is_judged_alike_on_any_scale(scale, start):
    line = (start + np.arange(1, 301)) * scale
    result = fc.backtest({"drift": fc.Drift(log=False)}, line, fc.WalkForward(2, 30), refit=30)
    row = result.verdict().table.iloc[0]
    assert row["skill"] == pytest.approx(1)
    for loss in ("squared", "absolute"):
        verdict = result.verdict(loss=loss)
        assert "no model beats naive" in verdict.sentence
        assert verdict.table["finding"].item() == "constant difference"
    assert result.superior_ability().consistent != result.superior_ability().consistent
    assert result.confidence_set()["p"].tolist() == [1, 1]
    assert win_rates(result.forecasts)["drift"] == 1


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e9])
def test_a_constant_difference_has_no_test(size):
    e = size * np.random.default_rng(0).normal(size=50) ** 2
    test = diebold_mariano(e + size, e)
    assert (test.p_better, test.p_worse) == (1, 1)
    assert np.isnan(test.statistic)
    same = diebold_mariano(e * (1 + 1e-14), e)
    assert (same.statistic, same.p_better) == (0, 1)
    assert diebold_mariano(e * 1.5, e).p_better < 0.01


def test_a_numerically_constant_series_is_set_apart():
    plain = panel(4)
    noise = np.random.default_rng(0).normal(0, 1e-10, 30)
    rounded = panel(0, flat={"naive": 0.1, "good": 0.1, "bad": 0.1})
    for column in ("y", "y0", "y_hat"):
        rounded[column] = 50 + noise[np.arange(len(rounded)) % 30]
    table = pd.concat([plain, rounded], ignore_index=True)
    extremes = find_extremes(table)
    assert extremes.series == ["flat"]
    assert "flat (it is constant)" in extremes.sentences[0]
    pd.testing.assert_frame_equal(leaderboard(table, FITS), leaderboard(plain, FITS))
