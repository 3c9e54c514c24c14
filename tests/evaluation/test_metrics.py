"""Metrics and scores against utilsforecast and scikit-learn, and the leaderboard against sums by hand."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, walks
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn import metrics as sklearn_metrics
from utilsforecast import losses
from utilsforecast.evaluation import evaluate

import forecast as fc
from forecast.evaluation import metrics
from forecast.evaluation.leaderboard import leaderboard
from forecast.evaluation.losses import common_rows, error_ratios, win_rates
from forecast.evaluation.scores import interval_columns, scores

PRICES = st.floats(-1e4, 1e4, allow_subnormal=False).map(lambda x: round(x, 4))
PAIRS = st.integers(1, 30).flatmap(lambda n: st.tuples(*[arrays(float, n, elements=PRICES)] * 2))
BY_UTILSFORECAST = {"mae": losses.mae, "mse": losses.mse, "rmse": losses.rmse}


def draw_forecasts(seed: int, n: int = 60, holes: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prices, forecasts of them and the last price; some outcomes are missing."""
    random = np.random.default_rng(seed)
    y0 = random.uniform(20, 80, n)
    y = y0 + random.normal(0, 2, n)
    y[random.choice(n, holes, replace=False)] = np.nan
    return y, y0 + random.normal(0, 1, n), y0


def by_utilsforecast(loss, y, m, **more) -> float:
    """A metric computed by utilsforecast, on one series called A."""
    table = pd.DataFrame({"unique_id": "A", "ds": np.arange(len(y)), "y": y, "m": m})
    return float(loss(table, ["m"], **more)["m"].iloc[0])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", BY_UTILSFORECAST)
def test_errors_equal_utilsforecast_and_scikit_learn(name, seed):
    y, y_hat, _ = draw_forecasts(seed)
    value = getattr(metrics, name)(y, y_hat)
    assert value == pytest.approx(by_utilsforecast(BY_UTILSFORECAST[name], y, y_hat), rel=1e-12)
    by_sklearn = {
        "mae": sklearn_metrics.mean_absolute_error,
        "mse": sklearn_metrics.mean_squared_error,
        "rmse": sklearn_metrics.root_mean_squared_error,
    }[name]
    observed = ~np.isnan(y)
    assert value == pytest.approx(by_sklearn(y[observed], y_hat[observed]), rel=1e-12)


@settings(max_examples=60)
@given(PAIRS)
@pytest.mark.medium
def test_properties_of_errors(pair):
    y, y_hat = pair
    assert metrics.mae(y, y_hat) == pytest.approx(sklearn_metrics.mean_absolute_error(y, y_hat), rel=1e-9, abs=1e-12)
    assert metrics.rmse(y, y_hat) >= metrics.mae(y, y_hat) * (1 - 1e-12) - 1e-12
    assert metrics.mae(y, y) == metrics.mse(y, y) == metrics.smape(y, y) == 0
    assert 0 <= metrics.smape(y, y_hat) <= 200 * (1 + 1e-12)
    assert metrics.smape(y, y_hat) == pytest.approx(metrics.smape(y_hat, y), rel=1e-12)
    with_nan = np.concatenate([y, [np.nan]]), np.concatenate([y_hat, [1.0]])
    assert metrics.mae(*with_nan) == pytest.approx(metrics.mae(y, y_hat), rel=1e-12)


@settings(max_examples=60)
@given(PAIRS, st.sampled_from([0.05, 0.1, 0.5, 0.75, 0.9]))
def test_pinball_equals_scikit_learn(pair, level):
    expected = sklearn_metrics.mean_pinball_loss(*pair, alpha=level)
    assert metrics.pinball(*pair, level) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert 2 * metrics.pinball(*pair, 0.5) == pytest.approx(metrics.mae(*pair), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_pinball_equals_utilsforecast(level):
    y, q_hat, _ = draw_forecasts(3)
    table = pd.DataFrame({"unique_id": "A", "ds": np.arange(len(y)), "y": y, "m": q_hat})
    expected = losses.quantile_loss(table, {"m": "m"}, q=level)["m"].iloc[0]
    assert metrics.pinball(y, q_hat, level) == pytest.approx(expected, rel=1e-12)


def test_smape_is_that_of_m4():
    y, y_hat, _ = draw_forecasts(4)
    assert metrics.smape(y, y_hat) == pytest.approx(200 * by_utilsforecast(losses.smape, y, y_hat), rel=1e-12)
    assert metrics.smape(np.array([100.0]), np.array([300.0])) == pytest.approx(100)  # 200 · 200 / 400
    assert metrics.smape(np.array([0.0, 1.0]), np.array([0.0, -1.0])) == pytest.approx(100)  # 0 and 200


@pytest.mark.parametrize("season", [1, 5])
def test_mase_equals_utilsforecast(season):
    y, y_hat, y0 = draw_forecasts(5)
    train = pd.DataFrame({"unique_id": "A", "ds": np.arange(len(y0)), "y": y0})
    scale = np.abs(y0[season:] - y0[:-season]).mean()
    expected = by_utilsforecast(losses.mase, y, y_hat, seasonality=season, train_df=train)
    assert metrics.mase(y, y_hat, np.full(len(y), scale)) == pytest.approx(expected, rel=1e-12)


def test_coverage_equals_utilsforecast():
    y, middle, _ = draw_forecasts(6, holes=0)
    low, high = middle - 1.5, middle + 1.5
    y[:2] = low[0], high[1]
    table = pd.DataFrame({"unique_id": "A", "y": y, "m-lo-80": low, "m-hi-80": high})
    expected = losses.coverage(table, ["m"], level=80)["m"].iloc[0]
    assert 0 < expected < 1
    assert metrics.coverage(y, low, high) == pytest.approx(expected, rel=1e-12)
    with_nan = np.append(y, [np.nan, 1.0]), np.append(low, [0.0, np.nan]), np.append(high, [2.0, 2.0])
    assert metrics.coverage(*with_nan) == pytest.approx(expected, rel=1e-12)  # not counted
    assert np.isnan(metrics.coverage(np.array([np.nan]), np.zeros(1), np.ones(1)))


def test_direction_leaves_out_rows_without_a_move():
    y0 = np.full(6, 10.0)
    y_hat = np.array([11.0, 11.0, 9.0, 10.0, 11.0, 11.0])
    y = np.array([12.0, 8.0, 9.5, 12.0, 10.0, np.nan])  # right, wrong, right, no forecast move, no move, NaN
    assert metrics.directional_accuracy(y, y_hat, y0) == pytest.approx(2 / 3)
    assert np.isnan(metrics.directional_accuracy(y, y0, y0))


def small_table(models: dict[str, list], cutoffs: int = 2, y=(11.0, 9.0, 20.0, 22.0), y0=(10.0, 10.0, 20.0, 20.0)):
    """Two series A and B, one step, `cutoffs` cutoffs: y, y0 and each model's forecasts in the order A, A, B, B."""
    ids = np.repeat(["A", "B"], cutoffs)
    tables = [
        pd.DataFrame(
            {
                "unique_id": ids,
                "cutoff": np.tile(np.arange(cutoffs), 2),
                "step": 1,
                "ds": np.tile(np.arange(cutoffs), 2) + 1,
                "model": model,
                "member": 0,
                "y0": y0,
                "y": y,
                "y_hat": values,
                "scale": np.where(ids == "A", 2.0, 4.0),
            }
        )
        for model, values in models.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table.assign(
        model=pd.Categorical(table["model"], list(models)), unique_id=table["unique_id"].astype("category")
    )


def fits_of(*names: str, error: str = "") -> pd.DataFrame:
    return pd.DataFrame({"model": names, "seconds_fit": 1.5, "seconds_predict": 0.25, "error": error})


FORECASTS = {
    "naive": [10.0, 10.0, 20.0, 20.0],  # squared errors 1, 1 | 0, 4
    "half": [10.5, 10.5, 20.0, 21.0],  # .25, 2.25 | 0, 1
}


def test_leaderboard_by_hand():
    table = small_table(FORECASTS)
    board = leaderboard(table, fits_of("naive", "half", "half"))
    ratios = error_ratios(table)
    assert ratios["naive"].tolist() == [1, 1]
    assert ratios["half"].tolist() == pytest.approx([1.25, 0.25])
    assert list(board.index) == ["half", "naive"]  # best first
    half = board.loc["half"]
    assert half["skill"] == pytest.approx(1 - np.sqrt(1.25 * 0.25))
    assert half["mae"] == pytest.approx(((0.5 + 1.5) / 2 + (0 + 1) / 2) / 2)
    assert half["mase"] == pytest.approx((1 / 2 + 0.5 / 4) / 2)
    assert half["rmse"] == pytest.approx((np.sqrt(1.25) + np.sqrt(0.5)) / 2)
    assert half["win_rate"] == pytest.approx((1 + 0 + 0.5 + 1) / 4)  # a tie is half a win
    assert half["direction"] == pytest.approx((0.5 + 1) / 2)  # B: the row without a move is left out
    assert half["seconds_fit"] == 3.0
    assert board.loc["naive", ["skill", "win_rate"]].tolist() == [0, 0.5]
    assert np.isnan(board.loc["naive", "direction"])
    assert np.isnan(board["coverage"]).all()  # no quantiles, no interval


def test_models_are_compared_on_common_rows():
    table = small_table(FORECASTS | {"part": [10.0, 10.0, 20.0, 20.0]})
    table = table[~((table["model"] == "part") & (table["unique_id"] == "A") & (table["cutoff"] == 0))]
    shared = common_rows(table)
    assert shared.groupby("model", observed=True).size().tolist() == [3, 3, 3]
    assert scores(table).set_index(["model", "unique_id"]).loc[("half", "A"), "mae"] == pytest.approx(1.5)
    missing = table.assign(y_hat=table["y_hat"].where(table["model"] != "half"))
    assert set(common_rows(missing)["model"]) == {"naive", "part"}


def test_missing_outcomes_are_not_scored():
    table = small_table(FORECASTS, y=(11.0, np.nan, 20.0, 22.0))
    assert len(common_rows(table)) == 6
    assert error_ratios(table)["half"].tolist() == pytest.approx([0.25, 0.25])
    assert win_rates(table)["half"] == pytest.approx((1 + 0.5 + 1) / 3)


def test_a_failed_model_is_last():
    fits = pd.concat([fits_of("naive", "half"), fits_of("broken", "broken", error="ValueError: no")])
    board = leaderboard(small_table(FORECASTS), fits)
    assert list(board.index) == ["half", "naive", "broken"]
    assert board["failures"].tolist() == [0, 0, 2]
    assert board.loc["broken", ["skill", "mae", "win_rate"]].isna().all()
    assert board.loc["half", "skill"] == pytest.approx(1 - np.sqrt(1.25 * 0.25))  # the others are unaffected


def test_members_are_not_compared():
    table = small_table(FORECASTS)
    best = table[table["model"] == "half"].assign(member=1, y_hat=lambda t: t["y"])  # a member that is always right
    pd.testing.assert_frame_equal(common_rows(pd.concat([table, best])), common_rows(table))
    more = leaderboard(pd.concat([table, best], ignore_index=True), fits_of("naive", "half"))
    pd.testing.assert_frame_equal(more, leaderboard(table, fits_of("naive", "half")))


def test_the_interval_is_the_outermost_quantiles():
    table = pd.DataFrame(columns=["y", "q0.5", "q0.9", "q0.05", "q0.25"])
    assert interval_columns(table.columns) == ("q0.05", "q0.9")
    assert interval_columns(["y", "q0.5"]) is None


@pytest.fixture(scope="module")
def run():
    prices = walks(rows=90, series=3)
    prices.iloc[81:83, 1] = np.nan  # missing targets; naive forward-fills
    models = {"drift": fc.Drift(), "season": fc.SeasonalNaive(3)}
    return prices, fc.backtest(models, prices, fc.WalkForward(3, 6, step_size=2), refit=6)


MODELS = ["naive", "drift", "season"]


@pytest.mark.parametrize("name", ["mae", "mse", "rmse", "smape", "coverage"])
def test_scores_of_a_run_equal_utilsforecast(run, name):
    _, result = run
    level = {"level": 80} if name == "coverage" else {}
    table = result.to_nixtla().drop(columns="cutoff")  # else utilsforecast scores cutoff by cutoff
    expected = getattr(losses, name)(table, MODELS, **level).set_index("unique_id")
    ours = result.scores().pivot(index="unique_id", columns="model", values=name)
    factor = 200 if name == "smape" else 1
    np.testing.assert_allclose(ours.loc[expected.index, MODELS], factor * expected[MODELS], rtol=1e-12)


def test_interval_and_quantile_scores_equal_utilsforecast(run):
    _, result = run
    table = result.to_nixtla().drop(columns="cutoff")
    ours = result.scores().pivot(index="unique_id", columns="model", values=["interval_score", "wql"])
    expected = losses.winkler_score(table, MODELS, level=80).set_index("unique_id")
    np.testing.assert_allclose(ours["interval_score"].loc[expected.index, MODELS], expected[MODELS], rtol=1e-9)
    wide = common_rows(result.forecasts).pivot(  # theirs counts rows without an outcome
        index=["unique_id", "cutoff", "ds", "y"], columns="model", values=["q0.1", "q0.5", "q0.9"]
    )
    quantiles = {model: [f"{model}-{q}" for q in ("q0.1", "q0.5", "q0.9")] for model in MODELS}
    table = pd.DataFrame({f"{model}-{q}": wide[q][model] for q in ("q0.1", "q0.5", "q0.9") for model in MODELS})
    table = table.reset_index().drop(columns="cutoff").astype({"unique_id": str})
    expected = losses.scaled_crps(table, quantiles, np.array([0.1, 0.5, 0.9])).set_index("unique_id")
    np.testing.assert_allclose(ours["wql"].loc[expected.index, MODELS], expected[MODELS], rtol=1e-9)


def test_interval_score_by_hand():
    y, low, high = np.array([5.0, 1.0, 12.0, np.nan]), np.full(4, 2.0), np.full(4, 10.0)
    assert metrics.interval_score(y, low, high, 0.2) == pytest.approx((8 + (8 + 10 * 1) + (8 + 10 * 2)) / 3)


def test_weighted_quantile_loss_of_the_median():
    y, y_hat = np.array([1.0, -3.0, np.nan]), np.array([2.0, -1.0, 5.0])
    assert metrics.weighted_quantile_loss(y, y_hat[:, None], [0.5]) == pytest.approx((1 + 2) / (1 + 3))
    assert np.isnan(metrics.weighted_quantile_loss(np.zeros(3), y_hat[:, None], [0.5]))


def test_mase_of_a_run_equals_utilsforecast(run):
    prices, result = run
    rows = []
    for cutoff, table in result.to_nixtla().groupby("cutoff"):  # the scale is that of the training rows
        train = prices.loc[:cutoff].rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
        table = table.drop(columns="cutoff")
        each = losses.mase(table, MODELS, seasonality=1, train_df=train).set_index("unique_id")[MODELS]
        rows.append(each.loc[table["unique_id"]])  # as many times as it has rows
    mean = pd.concat(rows).groupby("unique_id").mean()
    ours = result.scores().pivot(index="unique_id", columns="model", values="mase")
    np.testing.assert_allclose(ours.loc[mean.index, MODELS], mean, rtol=1e-12)


def test_scores_by_step_average_to_scores(run):
    _, result = run
    by_step = result.scores(("model", "unique_id", "step"))
    weighted = by_step.assign(sum=by_step["mse"] * by_step["n"]).groupby(["model", "unique_id"], observed=True)
    averaged = weighted["sum"].sum() / weighted["n"].sum()
    expected = result.scores().set_index(["model", "unique_id"])["mse"]
    np.testing.assert_allclose(averaged.loc[expected.index], expected, rtol=1e-12)


@pytest.mark.medium
def test_nixtla_table_is_evaluated_alike_by_utilsforecast(run):
    """The same rows through `evaluate`, each cutoff with its training rows."""
    prices, result = run
    metrics_ = [losses.mae, losses.rmse, losses.smape, losses.mase, losses.coverage]
    parts = []
    for cutoff, table in result.to_nixtla().groupby("cutoff"):
        train = prices.loc[:cutoff].rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")
        functions = [partial(loss, seasonality=1) if loss is losses.mase else loss for loss in metrics_]
        each = evaluate(table.drop(columns="cutoff"), functions, models=MODELS, train_df=train, level=[80])
        parts.append(each.melt(["unique_id", "metric"], var_name="model").assign(cutoff=cutoff))
    expected = pd.concat(parts)
    expected["metric"] = expected["metric"].replace("coverage_level80", "coverage")
    ours = result.scores(("model", "unique_id", "cutoff")).melt(["model", "unique_id", "cutoff"], var_name="metric")
    ours = ours.astype({"unique_id": str, "model": str})
    both = expected.merge(ours, on=["model", "unique_id", "cutoff", "metric"], suffixes=("", "_ours"))
    # metrics × models × (series × cutoffs, except one without outcomes)
    assert len(both) == len(expected) == 5 * 3 * (3 * 6 - 1)
    factor = both["metric"].map(lambda name: 200 if name == "smape" else 1)
    np.testing.assert_allclose(both["value_ours"], factor * both["value"], rtol=1e-9)


def test_nixtla_table_has_a_column_for_each_model(run):
    _, result = run
    table = result.to_nixtla()
    assert list(table)[:4] == ["unique_id", "cutoff", "ds", "y"]
    assert set(table) == {"unique_id", "cutoff", "ds", "y"} | {
        f"{m}{e}" for m in MODELS for e in ("", "-lo-80", "-hi-80")
    }
    assert table.notna().all(axis=None)


def test_crps_of_a_normal_and_of_a_point():
    levels = (np.arange(999) + 0.5) / 999
    quantiles = stats.norm.ppf(levels)[None]
    assert metrics.crps(np.zeros(1), quantiles, levels) == pytest.approx(0.2336949773, abs=1e-5)
    y = np.array([1.0, -3.0, np.nan])
    assert metrics.crps(y, np.array([[2.0], [-1.0], [5.0]]), [0.5]) == pytest.approx(1.5)  # the absolute error
    draws = np.sort(np.random.default_rng(0).normal(size=101))  # of a sample: E|X − y| − E|X − X'| / 2
    energy = np.abs(draws - 0.3).mean() - np.abs(draws[:, None] - draws).mean() / 2
    levels = (np.arange(101) + 0.5) / 101
    assert metrics.crps(np.array([0.3]), draws[None], levels) == pytest.approx(energy, rel=1e-9)


@pytest.mark.medium
def test_members_and_their_spread():
    prices = walks(rows=120, series=2)
    result = fc.backtest({"net": quick("lstm", members=3)}, prices, fc.WalkForward(2, 6), refit=3)
    (row,) = result.members().to_dict("records")
    assert (row["model"], row["members"]) == ("net", 3)
    assert row["worst"] <= row["median"] <= row["best"]
    assert row["skill"] == pytest.approx(result.leaderboard().loc["net", "skill"])
    table = result.forecasts[result.forecasts["model"] == "net"]
    first = table[table["member"] == 1].set_index(["unique_id", "cutoff", "step"])
    naive = result.forecasts[result.forecasts["model"] == "naive"].set_index(["unique_id", "cutoff", "step"])
    ratio = [
        ((first["y"] - first["y_hat"]) ** 2).xs(s).mean() / ((naive["y"] - naive["y_hat"]) ** 2).xs(s).mean()
        for s in ("S0", "S1")
    ]
    alone = 1 - np.sqrt(np.prod(ratio))
    assert row["worst"] - 1e-12 <= alone <= row["best"] + 1e-12
    spread = table[table["member"] > 0].groupby(["unique_id", "cutoff", "step"], observed=True)["y_hat"].std(ddof=0)
    size = np.sqrt(((naive["y"] - naive["y_hat"]) ** 2).groupby(level=0, observed=True).mean())
    expected = (spread.groupby(level=0, observed=True).mean() / size).mean()
    assert row["spread"] == pytest.approx(expected)
    assert fc.backtest(fc.Drift(), prices, fc.WalkForward(2, 3)).members().empty


def _monthly(seed, rows=96):
    rng, t = np.random.default_rng(seed), np.arange(rows)
    return (50 + t) * (1 + 0.3 * np.sin(2 * np.pi * t / 12)) * np.exp(rng.normal(0, 0.05, rows))


def test_naive2_is_the_seasonally_adjusted_last_value():
    """The indices are those of statsmodels; without a season it is the last value."""
    from statsmodels.tsa.seasonal import seasonal_decompose

    y = _monthly(0)
    index = seasonal_decompose(y, "multiplicative", period=12).seasonal
    expected = y[-1] / index[-1] * index[np.arange(96, 114) % 12]
    np.testing.assert_allclose(metrics.naive2(y, 12, 18), expected)
    walk = np.random.default_rng(1).normal(size=80).cumsum()
    assert metrics.naive2(walk, 12, 4).tolist() == [walk[-1]] * 4
    assert metrics.naive2(y[:20], 12, 2).tolist() == [y[19]] * 2  # fewer than three seasons


def test_scores_of_the_competitions_equal_those_of_utilsforecast():
    series = [_monthly(seed) for seed in range(4)]
    train, y = [own[:-12] for own in series], [own[-12:] for own in series]
    forecasts = [own[:-12][-12:] for own in series]
    frame = pd.DataFrame({"unique_id": np.repeat(range(4), 12), "ds": np.tile(range(12), 4), "y": np.concatenate(y)})
    frame["ours"] = np.concatenate(forecasts)
    frame["naive2"] = np.concatenate([metrics.naive2(own, 12, 12) for own in train])
    past = pd.DataFrame({"unique_id": np.repeat(range(4), 84), "ds": np.tile(range(84), 4), "y": np.concatenate(train)})
    models = ["ours", "naive2"]
    smape = 200 * losses.smape(frame, models)[models].mean()
    mase = losses.mase(frame, models, seasonality=12, train_df=past)[models].mean()
    found = metrics.competition_scores(y, forecasts, train, 12)
    assert found["smape"] == pytest.approx(smape["ours"])
    assert found["mase"] == pytest.approx(mase["ours"])
    ratios = (smape["ours"] / smape["naive2"], mase["ours"] / mase["naive2"])
    assert found["owa"] == pytest.approx(np.mean(ratios))
    own = metrics.naive2(train[0], 12, 12)
    assert metrics.owa(y[0], own, train[0], 12) == pytest.approx(1)


def test_a_series_without_a_change_over_a_season_has_no_mase():
    constant, walk = np.full(40, 3.0), np.random.default_rng(2).normal(size=40).cumsum()
    found = metrics.competition_scores([walk[-4:]] * 2, [walk[-5:-1]] * 2, [constant, walk[:-4]], 1)
    assert found["mase"] == pytest.approx(np.abs(np.diff(walk[-5:])).mean() / np.abs(np.diff(walk[:-4])).mean())
    assert np.isnan(metrics.seasonal_scale(constant, 4))
