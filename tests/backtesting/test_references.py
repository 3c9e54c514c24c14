"""The rows that every run has: which forecast of no change is the reference, and when a seasonal one joins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.quick import returns, variances, walks
from pandas.testing import assert_frame_equal

import forecast as fc
from forecast.backtesting.references import find_reference

CV = fc.WalkForward(2, 12)


def rows_of(result) -> list[str]:
    return list(result.forecasts["model"].cat.categories)


def weekly(rows: int = 210, size: float = 1.0) -> pd.DataFrame:
    pattern = np.tile([0, 1, 3, 2, -1, -4, -5], rows // 7)
    noise = np.random.default_rng(0).normal(0, 0.5, rows)
    return pd.DataFrame({"y": 50 + size * pattern + noise}, index=pd.date_range("2020-01-06", periods=rows))


def test_returns_have_the_reference_zero():
    table = fc.load_sample("stocks").iloc[-300:]
    declared = fc.make_target(table, "return")
    for target in (declared, fc.log_returns(table), table.pct_change(), table["IBM"].pct_change().to_numpy()):
        result = fc.backtest(fc.Drift(), target, CV, refit=12)
        assert result.reference == result.verdict().against == "zero"
        assert rows_of(result) == ["naive", "drift", "zero"]
        assert (result.forecasts.loc[result.forecasts["model"] == "zero", "y_hat"] == 0).all()
        assert result.leaderboard().loc["zero", "skill"] == 0


def test_positive_returns_are_returns_if_declared():
    frame = pd.DataFrame({"A": 100 * 1.0001 ** np.arange(100.0)})
    assert find_reference(fc.make_target(frame, "return")) == "zero"


@pytest.mark.parametrize("values", [walks(), variances(), np.log(variances()), walks() - 100, returns().cumsum()])
def test_levels_have_the_reference_naive(values):
    assert find_reference(fc.as_panel(values)) == "naive"


def test_few_rows_and_constants_have_the_reference_naive():
    short = pd.DataFrame({"A": [1.0, -1.0, 1.0]})
    for values in (short, pd.DataFrame({"A": np.zeros(50)}), pd.DataFrame({"A": [np.nan] * 30 + [1.0]})):
        assert find_reference(fc.as_panel(values)) == "naive"


def test_only_the_first_training_rows_decide():
    frame = walks(260)
    frame.iloc[:60] = returns(60).to_numpy()
    cv = fc.WalkForward(1, 200)
    assert fc.backtest(fc.Drift(), frame, cv, refit=200).reference == "zero"
    changed = frame.copy()
    changed.iloc[60:] *= 1000
    assert fc.backtest(fc.Drift(), changed, cv, refit=200).reference == "zero"


def test_reference_can_be_chosen():
    levels, changes = walks(), returns()
    assert fc.backtest(fc.Drift(), changes, CV, refit=12, reference="naive").reference == "naive"
    result = fc.backtest(fc.Drift(), levels, CV, refit=12, reference="zero")
    assert result.reference == "zero"
    assert result.verdict().against == "naive"  # far stronger
    own = fc.backtest({"mean": fc.WindowMean()}, levels, CV, refit=12, reference="mean")
    assert own.leaderboard().loc["mean", "skill"] == 0
    assert own.leaderboard().loc["mean", "win_rate"] == 0.5


@pytest.mark.parametrize(("option", "name"), [("reference", "nave"), ("against", "drfit")])
def test_unknown_names_are_refused_before_the_run(option, name):
    meant = {"nave": "naive", "drfit": "drift"}[name]
    with pytest.raises(ValueError, match=f"no model '{name}' .*did you mean '{meant}'.*it has naive, drift"):
        fc.backtest(fc.Drift(), walks(), CV, **{option: name})
    with pytest.raises(TypeError, match=f"{option} must be the name of a model; got 3"):
        fc.backtest(fc.Drift(), walks(), CV, **{option: 3})
    with pytest.raises(ValueError, match=r"seasonal-naive is no row of this run.*declare a season"):
        fc.backtest(fc.Drift(), walks(), CV, **{option: "seasonal-naive"})
    with pytest.raises(ValueError, match="'zero' is reserved for Zero"):
        fc.backtest({"zero": fc.Drift()}, walks(), CV)


def test_a_declared_season_is_a_row():
    result = fc.backtest(fc.Drift(), walks(), CV, refit=12, season=4)
    assert rows_of(result) == ["naive", "drift", "seasonal-naive"]
    assert result.spec["models"]["seasonal-naive"]["params"]["m"] == 4
    own = fc.backtest({"seasonal-naive": fc.SeasonalNaive(5), "four": fc.SeasonalNaive(4)}, walks(), CV, season=4)
    assert rows_of(own) == ["naive", "seasonal-naive", "four"]
    other = fc.backtest({"seasonal-naive": fc.SeasonalNaive(5)}, walks(), CV, refit=12, season=4)
    assert rows_of(other) == ["naive", "seasonal-naive", "seasonal-naive-4"]


def test_a_season_is_shorter_than_the_training_rows():
    """Otherwise MASE has no scale. One row more is enough."""
    first = next(CV.split(walks(60))).train.stop
    result = fc.backtest(fc.Drift(), walks(60), CV, refit=12, season=first - 1)
    assert result.failures().empty
    assert result.leaderboard()["mase"].notna().all()
    for season in (first, 59, 400):
        with pytest.raises(ValueError, match=f"a season of {season} rows needs {season + 1} observed training rows"):
            fc.backtest(fc.Drift(), walks(60), CV, refit=12, season=season)
        with pytest.raises(ValueError, match=rf"season={season} is not shorter than the {first} training rows"):
            fc.backtest(fc.Drift(), walks(60), CV, refit=12, season=season, on_error="record")


def test_a_found_season_is_a_row_and_leaves_the_scale_of_mase():
    found = fc.backtest(fc.Drift(), weekly(), CV, refit=12)
    assert rows_of(found) == ["naive", "drift", "seasonal-naive"]
    assert found.spec["models"]["seasonal-naive"]["params"]["m"] == 7
    assert found.spec["season"] == 1
    assert found.verdict().against == "seasonal-naive"
    assert found.reference == "naive"
    without = fc.backtest(fc.Drift(), weekly(), CV, refit=12, season=1)
    assert rows_of(without) == ["naive", "drift"]
    same = found.forecasts[found.forecasts["model"] != "seasonal-naive"]
    assert_frame_equal(same.astype({"model": str}), without.forecasts.astype({"model": str}))


def test_added_rows_leave_out_no_series():
    frame = walks(160)
    frame.iloc[:-30, 1] = np.nan
    with_season = fc.backtest(fc.Drift(), frame, CV, refit=12, season=80)
    without = fc.backtest(fc.Drift(), frame, CV, refit=12)
    assert_frame_equal(with_season.skipped, without.skipped)
    same = with_season.forecasts[with_season.forecasts["model"] != "seasonal-naive"].drop(columns="scale")
    assert_frame_equal(same.astype({"model": str}), without.forecasts.drop(columns="scale").astype({"model": str}))


def test_a_seasonal_naive_that_is_named_is_the_one_of_the_season():
    """It is the row that the run adds where none is named; another season of one's own remains a row."""
    alone = fc.backtest(["drift"], weekly(), CV, refit=12)
    named = fc.backtest(["naive", "drift", "seasonal-naive"], weekly(), CV, refit=12)
    assert rows_of(named) == ["naive", "drift", "seasonal-naive"]
    assert named.spec["models"]["seasonal-naive"]["params"]["m"] == 7
    assert_frame_equal(named.forecasts, alone.forecasts)
    declared = fc.backtest({"weeks": fc.SeasonalNaive()}, weekly(), CV, refit=12, season=14)
    assert rows_of(declared) == ["naive", "weeks"]
    assert declared.spec["models"]["weeks"]["params"]["m"] == 14
    own = fc.backtest({"weeks": fc.SeasonalNaive(14)}, weekly(), CV, refit=12)
    assert rows_of(own) == ["naive", "weeks", "seasonal-naive"]
