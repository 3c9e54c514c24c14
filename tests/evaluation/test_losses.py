"""The table of losses: skill, differences and pseudo-values by hand, rounding, and quantiles of several models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.losses import correlated_errors, table_of_errors

from forecast.evaluation import by_series, diebold_mariano, verdict
from forecast.evaluation.losses import common_rows, has_spread, loss_table, losses, shares_no_levels
from forecast.evaluation.pairwise import equal_accuracy_test


def unbalanced() -> pd.DataFrame:
    """Return errors on two series: A has the cutoffs 0 to 3, two steps at the first, and B the cutoffs 2 to 5."""
    a = table_of_errors({"naive": np.array([2.0, 2, 4, 1]), "m": np.array([1.0, 2, 2, 1])}, series=("A",))
    second = table_of_errors({"naive": np.array([2.0]), "m": np.array([4.0])}, series=("A",)).assign(step=2)
    b = table_of_errors({"naive": np.array([10.0, 20, 10, 20]), "m": np.array([10.0, 10, 20, 0])}, series=("B",))
    return pd.concat([a, second, b.assign(cutoff=b["cutoff"] + 2)], ignore_index=True)


def test_sums_by_hand():
    table = loss_table(unbalanced())
    assert table.series == ["A", "B"]
    assert list(table.cutoffs) == [0, 1, 2, 3, 4, 5]
    assert table.counts.T.tolist() == [[2, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1]]
    assert table.sums["naive"].T.tolist() == [[8, 4, 16, 1, 0, 0], [0, 0, 100, 400, 100, 400]]
    assert table.sums["m"].T.tolist() == [[17, 4, 4, 1, 0, 0], [0, 0, 100, 100, 400, 0]]
    assert table.means("naive").tolist() == [29 / 5, 250]
    assert table.means("m").tolist() == [26 / 5, 150]


def test_skill_by_hand():
    table = loss_table(unbalanced())
    assert table.skill("m", "naive") == pytest.approx(1 - np.sqrt(26 / 29 * 150 / 250))
    assert table.skill("naive", "m") == pytest.approx(1 - np.sqrt(29 / 26 * 250 / 150))
    assert table.skill("m", "m") == 0
    halves = [
        table_of_errors({"naive": np.ones(2), "m": np.full(2, e)}, series=(name,)) for name, e in [("A", 0.5), ("B", 2)]
    ]
    assert loss_table(pd.concat(halves)).skill("m", "naive") == pytest.approx(0, abs=1e-15)  # ratios of 1/4 and 4


def test_exact_forecasts_have_a_finite_skill():
    e = correlated_errors(naive=1)["naive"]
    table = loss_table(table_of_errors({"naive": e, "exact": 0 * e, "exact too": 0 * e}))
    assert table.skill("exact", "naive") == pytest.approx(1 - 1e-12)
    assert table.skill("exact too", "exact") == 0  # 0 / 0 counts as 1
    assert np.isnan(loss_table(table_of_errors({"naive": 0 * e, "m": e})).skill("m", "naive"))  # no series to compare


def test_differences_by_hand():
    """(naive's sum − the model's) · K ÷ (rows · logarithmic mean of the two mean losses), averaged over the series."""
    differences = loss_table(unbalanced()).differences("m", "naive")
    a = (29 / 5 - 26 / 5) / np.log(29 / 26)
    b = (250 - 150) / np.log(250 / 150)
    gains = np.array([[-9, 0, 12, 0, 0, 0], [0, 0, 0, 300, -300, 400]])
    np.testing.assert_allclose(differences, 6 * (gains[0] / (5 * a) + gains[1] / (4 * b)) / 2)


@pytest.mark.parametrize("loss", ["squared", "absolute", "qlike"])
def test_mean_of_the_differences_is_the_skill(loss):
    """Exactly, on unbalanced panels too: the test is of the skill, whose sign is therefore that of the statistic."""
    table = unbalanced()
    table = table.assign(y=table["y"] + 30, y_hat=table["y_hat"] + 30)
    losses = loss_table(table, loss)
    for pair in (("m", "naive"), ("naive", "m")):
        assert losses.differences(*pair).mean() == pytest.approx(-np.log1p(-losses.skill(*pair)), rel=1e-12)
    assert (losses.differences("m", "m") == 0).all()


@pytest.mark.parametrize("overlap", [1, 3])
@pytest.mark.parametrize("loss", ["squared", "absolute"])
def test_a_single_series_is_tested_by_diebold_and_mariano(loss, overlap):
    e = correlated_errors(n=50, naive=1, m=0.9)
    row = verdict(table_of_errors(e), overlap, loss=loss).table.iloc[0]
    power = 2 if loss == "squared" else 1
    expected = diebold_mariano(np.abs(e["naive"]) ** power, np.abs(e["m"]) ** power, overlap)
    assert row["statistic"] == pytest.approx(expected.statistic)
    assert row["p"] == pytest.approx(expected.p_better)


def test_pseudo_values_leave_out_a_cutoff():
    errors = unbalanced()
    table = loss_table(errors)
    center = np.log1p(-table.skill("m", "naive"))
    expected = []
    for cutoff in table.cutoffs:
        left = loss_table(errors[errors["cutoff"] != cutoff])
        expected.append(6 * center - 5 * np.log1p(-left.skill("m", "naive")))
    np.testing.assert_allclose(table.pseudo_values("m", "naive"), expected)


def test_models_without_a_common_row_are_still_listed():
    table = table_of_errors(correlated_errors(naive=1, m=0.9))
    is_early = table["cutoff"] < 20
    table.loc[(table["model"] == "m") == is_early, "y_hat"] = np.nan
    losses = loss_table(table)
    assert list(losses.sums) == ["naive", "m"]
    assert losses.sums["m"].shape == (0, 0)
    result = verdict(table, 1)
    assert list(result.table["model"]) == ["m"]
    assert "the models share no row" in result.sentence


def test_a_model_that_never_forecasts_does_not_stop_the_others():
    table = table_of_errors(correlated_errors(naive=1, failing=1, m=0.9))
    without = table[table["model"] != "failing"]
    table.loc[table["model"] == "failing", "y_hat"] = np.nan
    pd.testing.assert_frame_equal(verdict(table, 1).table, verdict(without, 1).table)


def test_wins_by_hand():
    wins = loss_table(unbalanced()).wins("m", "naive")
    np.testing.assert_array_equal(wins.T, [[0, 0.5, 1, 0.5, np.nan, np.nan], [np.nan, np.nan, 0.5, 1, 0, 1]])


def with_quantiles(levels: dict[str, tuple[float, ...]], n: int = 40) -> pd.DataFrame:
    """Return errors of the models, with quantiles at the levels of each: the point ± 2 |level − .5|."""
    table = table_of_errors(correlated_errors(n=n, **{name: 1 + 0.1 * i for i, name in enumerate(levels)}))
    for level in sorted({level for own in levels.values() for level in own}):
        has_level = table["model"].astype(str).map({name: level in own for name, own in levels.items()})
        table[f"q{level:g}"] = (table["y_hat"] + 2 * (level - 0.5)).where(has_level.astype(bool))
    return table


def test_quantile_loss_by_hand():
    table = with_quantiles({"naive": (0.1, 0.5, 0.9)}, n=1).assign(y=3.0, y_hat=1.0)
    table[["q0.1", "q0.5", "q0.9"]] = [[0.0, 1.0, 4.0]]
    assert losses(table, "pinball").tolist() == pytest.approx([(0.1 * 3 + 0.5 * 2 + 0.1 * 1) / 3])


def test_models_of_differing_levels_are_compared_on_the_common_ones():
    levels = {"naive": (0.1, 0.25, 0.5, 0.75, 0.9), "m": (0.1, 0.5, 0.9), "point": (), "median": (0.5,)}
    table = with_quantiles(levels)
    result = verdict(table, 1, loss="pinball")
    assert result.levels == (0.1, 0.5, 0.9)
    assert result.without_levels == ("point", "median")
    assert list(result.table["model"]) == ["m"]
    assert "40 cutoffs, 1 series, quantiles 0.1, 0.5 and 0.9." in result.note
    assert "Not compared, as without quantiles: point and median." in result.note
    alike = with_quantiles({"naive": (0.1, 0.5, 0.9), "m": (0.1, 0.5, 0.9)})
    alike["y_hat"] = table[table["model"].isin(["naive", "m"])]["y_hat"].to_numpy()
    for name in ("q0.1", "q0.5", "q0.9"):
        alike[name] = table[table["model"].isin(["naive", "m"])][name].to_numpy()
    expected = verdict(alike, 1, loss="pinball").table
    pd.testing.assert_frame_equal(result.table, expected)
    assert set(common_rows(table, "pinball")["model"].astype(str)) == {"naive", "m"}


def test_quantiles_that_cannot_be_compared():
    with pytest.raises(ValueError, match=r"a level below \.5 and one above.*the levels that they share are: 0\.5"):
        verdict(with_quantiles({"naive": (0.1, 0.5, 0.9), "m": (0.2, 0.5, 0.8)}), 1, loss="pinball")
    with pytest.raises(ValueError, match="the levels that they share are: none"):
        verdict(table_of_errors(correlated_errors(naive=1, m=2)), 1, loss="pinball")
    table = with_quantiles({"naive": (0.1, 0.5, 0.9), "m": (0.1, 0.5, 0.9), "point": ()})
    for compare in (verdict, by_series):
        with pytest.raises(ValueError, match=r"compares quantiles, and point forecasts none.*one of naive, m"):
            compare(table, 1, "point", loss="pinball")
    alone = verdict(table, 1, models="point", loss="pinball")
    assert alone.sentence == (
        "How far may it be off: no model but naive forecasts quantiles, so there is nothing to compare."
    )
    assert alone.without_levels == ("point",)
    assert has_spread(table, "naive")
    assert not has_spread(table, "naive", "point")
    pointwise = with_quantiles({"naive": (0.1, 0.5, 0.9), "point": ()})
    assert not has_spread(pointwise, "naive")
    assert not shares_no_levels(pointwise)
    assert not shares_no_levels(table)
    assert shares_no_levels(with_quantiles({"naive": (0.1, 0.5, 0.9), "m": (0.2, 0.5, 0.8)}))


@pytest.mark.parametrize("factor", [0.1, 1e6, 1e-7, 1 / 7])
@pytest.mark.parametrize("loss", ["squared", "absolute", "pinball", "qlike"])
def test_the_scale_of_the_values_does_not_matter(loss, factor):
    """Skill, test and findings are the same on another scale; a twin that differs by rounding is identical in all."""
    levels = dict.fromkeys(("naive", "m", "twin"), (0.1, 0.5, 0.9))
    table = with_quantiles(levels)
    values = ["y0", "y", "y_hat", "q0.1", "q0.5", "q0.9"]
    table[values] = 10 + table[values]
    own = table.loc[table["model"] == "naive", values].to_numpy()
    table.loc[table["model"] == "twin", values] = own * (1 + 2e-16)
    scaled = table.assign(**{name: factor * table[name] for name in values})
    first, second = (verdict(t, 1, loss=loss).table.set_index("model") for t in (table, scaled))
    assert first.loc["twin", "finding"] == second.loc["twin", "finding"] == "identical"
    pd.testing.assert_series_equal(first.loc["m"], second.loc["m"], rtol=1e-6)


def test_rounding_is_no_difference():
    e = correlated_errors(naive=1)["naive"]
    table = loss_table(table_of_errors({"naive": 1e5 + e, "m": 1e5 + e}).assign(y=1e5))
    assert equal_accuracy_test(table.differences("m", "naive"), 1, table.tolerance("naive")).statistic == 0
