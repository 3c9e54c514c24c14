"""The verdict: its findings and sentences, how often it is wrong, and the skill that it detects."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from helpers.losses import correlated_errors, table_of_errors

import forecast as fc
from forecast.evaluation import (
    clark_west,
    gap_by_cutoff,
    holm,
    loss_by_cutoff,
    strongest,
    verdict,
    verdict_by_step,
)
from forecast.evaluation.leaderboard import leaderboard, members
from forecast.evaluation.losses import error_ratios, loss_table, win_rates
from forecast.evaluation.pairwise import equal_accuracy_test


def findings(result) -> dict[str, str]:
    return dict(zip(result.table["model"], result.table["finding"], strict=True))


@pytest.mark.parametrize("overlap", [1, 5])
@pytest.mark.medium
def test_interval_contains_the_skill(overlap):
    for seed in range(15):
        row = verdict(table_of_errors(correlated_errors(n=60, seed=seed, naive=1, m=0.9)), overlap).table.iloc[0]
        assert row["low"] < row["skill"] < row["high"] <= 1
    few = verdict(table_of_errors(correlated_errors(n=3, naive=1, m=0.9)), 5).table.iloc[0]
    assert np.isnan(few["low"])
    assert np.isnan(few["high"])


def two_series():
    return [
        table_of_errors({"naive": np.array([1.0, 3, 1, 1]), "m": np.array([1.0, 1, 0, 2])}, steps=2),
        table_of_errors({"naive": np.array([0.0, 20, 0, 0]), "m": np.array([10.0, 0, 0, 0])}, steps=2, series=("B",)),
    ]


def test_loss_by_cutoff_by_hand():
    flat = table_of_errors({"naive": np.zeros(4), "m": np.ones(4)}, steps=2, series=("flat",))
    # naive's mean squared errors are 3 and 100; on `flat` there is none to compare with
    losses = loss_by_cutoff(pd.concat([*two_series(), flat]))
    np.testing.assert_allclose(losses["naive"], [(1 / 3 + 9 / 3 + 0 + 4) / 4, (1 / 3 + 1 / 3) / 4])
    np.testing.assert_allclose(losses["m"], [(1 / 3 + 1 / 3 + 1 + 0) / 4, (0 + 4 / 3) / 4])


def test_gap_by_cutoff_by_hand():
    gaps = gap_by_cutoff(pd.concat(two_series()), "naive")  # naive's mean squared errors are 3 and 100
    assert (gaps["naive"] == 0).all()
    np.testing.assert_allclose(gaps["m"], [(0 + 4 / 3 + 1 + 4) / 4, (1 / 3 + 1 / 3) / 4])


def test_win():
    result = verdict(table_of_errors(correlated_errors(naive=1, good=0.5)), 1)
    row = result.table.iloc[0]
    assert findings(result) == {"good": "better"}
    assert row["skill"] > 0.5
    assert row["p"] == row["p_holm"] < 0.05
    assert re.fullmatch(
        r"Where will it be: good \(skill \d\d\.\d%, p (< )?\.\d{3}\) beats naive, the last value\.", result.sentence
    )
    assert result.note == "40 cutoffs, 1 series."


def test_loss():
    result = verdict(table_of_errors(correlated_errors(naive=1, bad=2)), 1)
    assert findings(result) == {"bad": "worse"}
    assert result.sentence == "Where will it be: no model beats naive, the last value."
    assert result.note == "40 cutoffs, 1 series. Significantly worse than naive: bad."
    assert "bad: worse, skill -" in str(result)


def test_tie():
    e = correlated_errors(naive=1)["naive"]
    result = verdict(table_of_errors({"naive": e, "same": e.copy()}), 1)
    assert findings(result) == {"same": "identical"}
    assert result.sentence == "Where will it be: no model beats naive, the last value."
    assert result.note == "40 cutoffs, 1 series. The same forecasts as naive: same."
    assert "same: the same forecasts" in str(result)


def test_many_models():
    table = table_of_errors(correlated_errors(naive=1, good=0.5, best=0.3, near=1.001, bad=2, awful=3))
    result = verdict(table, 1)
    kinds = findings(result)
    assert kinds == {"good": "better", "best": "better", "near": kinds["near"], "bad": "worse", "awful": "worse"}
    assert kinds["near"] == "not distinguishable"
    assert re.fullmatch(r"Where will it be: best \(.*\) and good \(.*\) beat naive, the last value\.", result.sentence)
    assert re.fullmatch(
        r"40 cutoffs, 1 series\. Significantly worse than naive: bad and awful\. Not distinguishable from naive: near; "
        r"this run would find a true skill of [\d.]+% with a probability of 80%\.",
        result.note,
    )
    alone = verdict(table, 1, models=["good"])
    assert list(alone.table["model"]) == ["good"]
    p, p_all = alone.table["p_holm"].iloc[0], result.table.set_index("model").loc["good", "p_holm"]
    assert p == alone.table["p"].iloc[0] < p_all  # one test needs no adjustment


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ("abc", r"c \([^)]*\), b \([^)]*\) and a \([^)]*\) beat naive, the last value"),
        ("abcd", r"d, c, b and a beat naive, the last value \(skill \d+\.\d% to \d+\.\d%, p (?:< )?\.\d{3}\)"),
    ],
)
def test_winners_are_listed_best_first(names, sentence):
    scales = {name: 0.5 - 0.1 * i for i, name in enumerate(names)}
    result = verdict(table_of_errors(correlated_errors(naive=1, **scales)), 1)
    assert re.fullmatch(f"Where will it be: {sentence}\\.", result.sentence)


def test_a_higher_skill_that_may_be_chance_is_explained():
    e = correlated_errors(naive=1)
    e["steady"] = 0.95 * e["naive"]
    e["wild"] = 0.7 * e["naive"]
    largest = np.argsort(np.abs(e["naive"]), axis=None)[-1]
    e["wild"].flat[largest] = 1.4 * e["naive"].flat[largest]
    result = verdict(table_of_errors(e), 1)
    assert findings(result) == {"steady": "better", "wild": "not distinguishable"}
    skill = result.table.set_index("model")["skill"]
    assert skill["wild"] > skill["steady"]
    assert result.note.endswith(
        "The skill of wild is higher than that of steady, but varies more from cutoff to cutoff, so that it may be "
        "chance."
    )


@pytest.mark.parametrize("n_models", [3, 4])
def test_more_than_three_undecided_models_are_counted(n_models):
    e = correlated_errors(naive=1, **{f"m{i}": 1 + 1e-3 * i for i in range(n_models)})
    note = verdict(table_of_errors(e), 1).note
    assert re.search(r"naive: m\d, m\d and m\d;" if n_models == 3 else "naive: all 4 models;", note)
    e["best"] = 0.1 * e["naive"]
    note = verdict(table_of_errors(e), 1).note
    assert re.search(r"naive: m\d, m\d and m\d;" if n_models == 3 else "naive: 4 models;", note)


def test_p_values_are_adjusted_for_all_models():
    random = np.random.default_rng(3)
    naive = random.normal(size=60)
    lucky = {f"m{i}": naive + random.normal(0, 1.0, 60) - 0.45 * naive for i in range(1, 25)}
    result = verdict(table_of_errors({"naive": naive} | lucky), 1)
    p = result.table["p"].to_numpy()
    np.testing.assert_allclose(result.table["p_holm"], holm(p))
    assert (result.table["p_holm"] >= p).all()
    assert result.table["p_holm"].max() <= 1


def test_nothing_to_compare():
    result = verdict(table_of_errors(correlated_errors(naive=1)), 1)
    assert result.sentence == "Where will it be: only naive has forecasts, so there is nothing to compare."
    assert len(result.table) == 0
    assert str(result) == f"{result.sentence}\n40 cutoffs, 1 series."


def test_against_another_model():
    table = table_of_errors(correlated_errors(naive=1, arima=0.5, net=0.25))
    result = verdict(table, 1, against="arima", models=["net"])
    assert findings(result) == {"net": "better"}
    assert re.fullmatch(r"Where will it be: net \(skill .*\) beats arima\.", result.sentence)
    assert findings(verdict(table, 1, against="arima")) == {"naive": "worse", "net": "better"}
    with pytest.raises(ValueError, match=r"no model 'gru'.*naive, arima, net"):
        verdict(table, 1, models=["gru"])
    with pytest.raises(ValueError, match="no model 'gru'"):
        verdict(table, 1, against="gru")


@pytest.mark.parametrize("n", [1, 2, 4, 8, 20])
def test_too_few_cutoffs_for_their_overlap(n):
    result = verdict(table_of_errors(correlated_errors(n=n, naive=1, good=0.2, bad=3)), overlap=8)
    assert set(findings(result).values()) == {"too few cutoffs"}
    assert result.sentence == f"Where will it be: too few cutoffs ({n}) to test whether a model differs from naive."
    assert "nan" not in str(result)


def test_identical_forecasts_with_too_few_cutoffs():
    e = correlated_errors(n=4, naive=1, m=2)
    result = verdict(table_of_errors({"naive": e["naive"], "same": e["naive"], "m": e["m"]}), overlap=8)
    assert findings(result) == {"same": "identical", "m": "too few cutoffs"}


def test_detectable_skill_is_below_one():
    text = str(verdict(table_of_errors(correlated_errors(n=3, naive=1, m=1.3, k=0.8)), 1))
    shown = [float(number) for number in re.findall(r"([\d.]+)%", text.split("shown", 1)[1].replace("80%", ""))]
    assert all(number < 100 for number in shown if number >= 0), text  # no forecast removes more than all error


def test_constant_advantage_is_not_too_few_cutoffs():
    result = verdict(table_of_errors({"naive": np.ones(40), "m": np.full(40, 0.5)}), 1)
    assert "too few" not in result.sentence  # 40 are enough; what is missing is variation


@pytest.mark.parametrize("series", [("A",), ("A", "B")])
def test_series_without_naive_error(series):
    flat = table_of_errors({"naive": np.zeros(40), "m": np.full(40, 0.1)}, series=("flat",))
    other = table_of_errors(correlated_errors(naive=1, m=0.5), series=series)
    assert findings(verdict(pd.concat([other, flat]), 1)) == {"m": "better"}


def test_run_without_naive_error():
    result = verdict(table_of_errors({"naive": np.zeros(40), "m": np.full(40, 0.1)}), 1)
    assert "no model beats naive" in result.sentence
    assert not set(findings(result).values()) & {"better"}
    assert "nan" not in str(result)


@pytest.mark.parametrize(("n", "n_models"), [(8, 1), (40, 1), (40, 5)])
def test_detectable_skill_is_found_with_the_power(n, n_models):
    """After Holm's adjustment: the others have no skill, so that the p-value must be below .05 / `n_models`."""
    e = correlated_errors(n=n, naive=1, **{f"m{i}": 1.01 for i in range(n_models)})
    table = table_of_errors(e)
    result = verdict(table, 1)
    row = result.table.iloc[0]
    assert row["finding"] == "not distinguishable"
    assert f"could have shown {row['detectable']:.1%}" in str(result)
    deviation = loss_table(table).differences("m0", "naive").std(ddof=1)
    random = np.random.default_rng(7)

    def rejection_rate(skill: float, tables: int = 1000) -> float:
        draws = random.normal(-np.log1p(-skill), deviation, size=(tables, n))
        tests = [equal_accuracy_test(differences) for differences in draws]
        return float(np.mean([test.p_better < 0.05 / n_models for test in tests]))

    assert rejection_rate(row["detectable"]) == pytest.approx(0.80, abs=0.06)
    assert rejection_rate(0) == pytest.approx(0.05 / n_models, abs=0.025)


@pytest.mark.slow
def test_equally_good_models_are_rarely_called_better():
    random = np.random.default_rng(11)
    results = []
    for _ in range(60):
        noise = dict(zip(("naive", "a", "b"), random.normal(size=(3, 30)), strict=True))
        results.append(set(findings(verdict(table_of_errors(noise), 1)).values()))
    assert sum("better" in kinds for kinds in results) <= 8  # 3 expected, for both models; 8 is 3 σ more
    assert sum("worse" in kinds for kinds in results) <= 8


@pytest.mark.slow
def test_choosing_the_strongest_baseline_makes_neither_finding_more_frequent():
    """Two baselines and a model that are equally good: each finding in 5 % of the draws at most."""
    random, found = np.random.default_rng(0), []
    for _ in range(200):
        table = table_of_errors(dict(zip(("naive", "weekly", "m"), random.normal(size=(3, 60)), strict=True)))
        against = strongest(table, ["naive", "weekly"])
        found.append(findings(verdict(table, 1, against, weaker=["naive", "weekly"]))["m"])
    assert found.count("better") <= 10
    assert found.count("worse") <= 20  # 10 expected; 20 is 3 σ more


@pytest.mark.medium
def test_noise_rarely_beats_a_random_walk():
    random = np.random.default_rng(5)
    results = []
    for _ in range(40):
        change = random.normal(size=30)
        table = table_of_errors({"naive": change, "drift": change - random.normal(0, 0.3)})
        results.append(findings(verdict(table, 1))["drift"])
    assert results.count("better") <= 4


def test_signals_of_nested_models():
    """Clark and West's test is reported next to the finding, which is Diebold and Mariano's."""
    table = table_of_errors(correlated_errors(naive=1, good=0.5, near=0.99))
    result, plain = verdict(table, 1, nested=("near",)).table, verdict(table, 1).table
    others = [name for name in plain if name != "p_signal"]
    pd.testing.assert_frame_equal(result[others], plain[others])
    assert plain["p_signal"].isna().all()
    result = result.set_index("model")
    losses, gaps = loss_by_cutoff(table), gap_by_cutoff(table, "naive")
    expected = clark_west(losses["naive"].to_numpy(), losses["near"].to_numpy(), gaps["near"].to_numpy())
    assert result.loc["near", "p_signal"] == pytest.approx(expected.p_small)
    assert result.loc["near", "p_signal"] < result.loc["near", "p"]  # its parameters cost nothing
    assert np.isnan(result.loc["good", "p_signal"])
    signals = verdict(table, 1, nested=("near", "good")).table["p_signal"]
    assert (signals >= holm([result.loc["near", "p_signal"], 0])[0] - 1e-12).any()  # adjusted for both
    for loss in ("absolute", "qlike"):
        positive = table.assign(y=table["y"] + 9, y_hat=table["y_hat"] + 9)
        assert verdict(positive, 1, nested=("near",), loss=loss).table["p_signal"].isna().all()


def test_a_signal_is_no_win():
    random = np.random.default_rng(0)
    signal, noise = random.normal(size=200), random.normal(size=200)
    naive = 0.5 * signal + random.normal(size=200)  # errors of the forecast 0
    model = naive - 0.5 * signal - 0.6 * noise  # removes the signal and adds more noise
    result = verdict(table_of_errors({"naive": naive, "m": model}), 1, nested=("m",))
    row = result.table.iloc[0]
    assert row["skill"] < 0
    assert row["p_signal"] < 0.05
    assert row["finding"] == "not distinguishable"
    assert result.sentence == "Where will it be: no model beats naive, the last value."
    assert result.details[0].endswith("; a signal in population (Clark-West)")
    assert "signal" not in str(verdict(table_of_errors({"naive": naive, "m": model}), 1))
    worse = verdict(table_of_errors({"naive": naive, "m": model - noise}), 1, nested=("m",))
    assert findings(worse) == {"m": "worse"}
    winner = verdict(table_of_errors({"naive": naive, "m": naive - 0.5 * signal}), 1, nested=("m",))
    assert "signal" not in winner.details[0]  # its finding is enough


@pytest.mark.medium
def test_sign_of_skill_and_test_agree():
    """On several series of different sizes, the mean that is tested is −ln(1 − skill)."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        tables = [
            table_of_errors(
                dict(zip(("naive", "m"), size * random.standard_t(3, size=(2, 12)), strict=True)), 1, (name,)
            )
            for name, size in (("A", 1), ("B", 100), ("C", 0.01))
        ]
        row = verdict(pd.concat(tables), 1).table.iloc[0]
        assert np.sign(row["skill"]) == np.sign(row["statistic"])
        assert row["skill"] != 0


def test_verdict_by_step():
    table = pd.concat(
        table_of_errors(correlated_errors(n=60, seed=k, naive=1, good=0.4 if k == 1 else 1.0)).assign(step=k)
        for k in (1, 2, 3)
    )
    result = verdict_by_step(table, step_size=1).set_index(["model", "step"])
    assert list(result.index) == [("good", 1), ("good", 2), ("good", 3)]
    assert result["finding"].tolist() == ["better", "not distinguishable", "not distinguishable"]
    np.testing.assert_allclose(result["p_holm"], holm(result["p"].to_numpy()))
    last = table[table["step"] == 3]
    assert result.loc[("good", 3), "statistic"] == pytest.approx(verdict(last, 3).table["statistic"].iloc[0])
    wide = verdict_by_step(table, step_size=5).set_index(["model", "step"])  # without overlap
    assert wide.loc[("good", 3), "statistic"] == pytest.approx(verdict(last, 1).table["statistic"].iloc[0])


def test_nested_models_of_a_run():
    prices = fc.load_sample("simulated")
    models = {
        "drift": fc.Drift(), "mean": fc.WindowMean(), "arima": fc.ARIMA((1, 1, 1)), "flat": fc.ARIMA((1, 0, 1)),
        "net": fc.Recurrent("lstm"), "hybrid": fc.Recurrent("lstm", base=fc.ARIMA((1, 1, 1))),
        "both": fc.Ensemble([fc.Drift(), fc.ARIMA((1, 1, 0))]), "held": fc.Conformal(fc.WindowMean()),
        "drawn": fc.MeanReversion(),
    }  # fmt: skip
    assert {name: models[name].nests(fc.Naive()) for name in models} == {
        "drift": True, "mean": False, "arima": True, "flat": False, "net": True, "hybrid": True, "both": True,
        "held": False, "drawn": True,
    }  # fmt: skip
    assert models["hybrid"].nests(fc.ARIMA((1, 1, 1), levels=(0.2, 0.5, 0.8)))
    assert not models["hybrid"].nests(fc.ARIMA((2, 1, 1)))
    assert models["held"].nests(fc.WindowMean())
    result = fc.backtest(
        {"drift": fc.Drift(), "mean": fc.WindowMean()}, prices, fc.WalkForward(3, 30), refit=30, season=1
    )
    signals = result.verdict().table.set_index("model")["p_signal"]
    assert signals.notna().to_dict() == {"drift": True, "mean": False}


@pytest.fixture(scope="module")
def run():
    prices = 1e5 + np.random.default_rng(0).normal(0, 1, (200, 2)).cumsum(axis=0)
    models = {"1": fc.Drift(), "arima": fc.ARIMA((1, 0, 0))}
    return fc.backtest(models, prices, fc.WalkForward(2, 12), refit=12)


def test_differences_of_rounding_are_identical(run):
    table = run.forecasts.copy()
    twin = table[table["model"].astype(str) == "naive"].copy()
    twin["y_hat"] *= 1 + np.random.default_rng(1).choice([-1, 0, 1], len(twin)) * 2e-16
    table = pd.concat([table.astype({"model": str}), twin.assign(model="twin")])
    result = verdict(table, 1, nested=["twin"]).table.set_index("model")
    assert result.loc["twin", "finding"] == "identical"


def test_each_level_has_its_column():
    from forecast.models.base import quantile_column

    names = [quantile_column(level) for level in (1e-5, 0.1, 0.1 + 1e-12, 0.9999999)]
    assert names[:2] == ["q0.00001", "q0.1"]
    assert len(set(names)) == 4
    assert all(name.startswith("q0.") for name in names)


def test_invalid_arguments(run):
    with pytest.raises(ValueError, match="models is empty"):
        run.verdict(models=[])
    assert list(run.verdict(models="1").table["model"]) == ["1"]
    for size in (0, 1, 5, -0.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            run.confidence_set(size=size)


def test_members_of_a_model_named_by_a_number():
    prices = 100 + np.random.default_rng(0).normal(0, 1, 160).cumsum()
    net = fc.Recurrent("rnn", members=2, lookback=5, trainer=fc.Trainer(steps=3))
    result = fc.backtest({"1": net}, prices, fc.WalkForward(2, 4), refit=4)
    row = result.members().iloc[0]
    assert row["members"] == 2
    assert row["worst"] <= row["median"] <= row["best"]


def two_scales(models: dict[str, float]) -> pd.DataFrame:
    """Return errors on two series of different sizes; on "B" the model "zero" is twice as bad as on "A"."""
    a = table_of_errors(correlated_errors(**models))
    b = table_of_errors(
        {name: 50 * e * (2 if name == "zero" else 1) for name, e in correlated_errors(**models).items()}
    )
    return pd.concat([a, b.assign(unique_id="B")], ignore_index=True)


def test_every_ratio_is_to_the_reference():
    table = two_scales({"naive": 1.5, "zero": 1.0, "m": 0.8})
    losses, ratios = loss_by_cutoff(table, reference="zero"), error_ratios(table, reference="zero")
    assert losses["zero"].mean() == pytest.approx(1)
    assert (ratios["zero"] == 1).all()
    squares = (table["y_hat"] ** 2).groupby([table["unique_id"], table["model"].astype(str)]).mean()
    assert ratios.loc["B", "m"] == pytest.approx(squares["B", "m"] / squares["B", "zero"])
    assert win_rates(table, "zero")["zero"] == 0.5
    result = verdict(table, 1, reference="zero")
    assert result.against == "zero"
    skill = result.table.set_index("model").loc["m", "skill"]
    assert skill == pytest.approx(1 - np.sqrt(ratios["m"].prod()))
    fits = pd.DataFrame({"model": ["m"], "error": "", "seconds_fit": 0.0, "seconds_predict": 0.0})
    board = leaderboard(table.assign(scale=1.0), fits, "zero")
    assert board.loc["zero", "skill"] == 0
    assert board.loc["m", "skill"] == pytest.approx(skill)
    parts = pd.concat([table, table[table["model"] == "m"].assign(member=1)], ignore_index=True)
    assert members(parts, "zero")["skill"].item() == pytest.approx(skill)


def test_findings_do_not_depend_on_the_reference_for_one_series():
    """Of one series the reference only scales the losses; skill and test are those against the same model."""
    table = table_of_errors(correlated_errors(naive=1.5, zero=1.0, m=0.8))
    first, second = (verdict(table, 1, against="zero", reference=name).table for name in ("naive", "zero"))
    pd.testing.assert_frame_equal(first, second)


def test_unknown_reference_is_an_error():
    table = table_of_errors(correlated_errors(naive=1, m=2))
    with pytest.raises(ValueError, match="no model 'zero' in this run"):
        verdict(table, 1, reference="zero")
    with pytest.raises(ValueError, match="did you mean 'naive'"):
        loss_by_cutoff(table, reference="naiv")


def test_strongest_baseline():
    table = table_of_errors(correlated_errors(naive=1, zero=0.9, weekly=0.5, m=0.1))
    assert strongest(table, ["naive", "zero", "weekly"]) == "weekly"
    assert strongest(table, ["naive", "zero"], "zero") == "zero"
    assert strongest(table, ["naive"], "weekly") == "weekly"
    e = correlated_errors(naive=1)["naive"]
    ties = table_of_errors({"weekly": e, "naive": e * (1 + 1e-12), "zero": e})
    assert [strongest(ties, ["weekly", "naive", "zero"], name) for name in ties["model"].cat.categories] == [
        "weekly", "naive", "zero",
    ]  # fmt: skip
    assert strongest(table_of_errors({"naive": np.zeros(9), "zero": np.ones(9)}), ["naive", "zero"]) == "naive"


def test_weaker_baselines_cost_no_power():
    e = correlated_errors(naive=1, zero=1.5, weekly=2, m=0.95, k=2)
    with_them = verdict(table_of_errors(e), 1, weaker=["naive", "zero", "weekly"]).table.set_index("model")
    alone = verdict(table_of_errors({name: e[name] for name in ("naive", "m", "k")}), 1).table.set_index("model")
    assert with_them.loc["m", "p_holm"] == alone.loc["m", "p_holm"]
    assert (with_them.loc[["zero", "weekly"], "p_holm"] == 1).all()
    assert with_them.loc["weekly", "finding"] == "worse"


@pytest.mark.medium
def test_verdict_compares_with_the_strongest_simple_baseline():
    rng = np.random.default_rng(0)
    season = 50 + np.resize(rng.normal(0, 3, 7), 210) + rng.normal(0, 0.5, 210)
    models = {"drift": fc.Drift(), "mean": fc.WindowMean(7)}
    result = fc.backtest(models, season, fc.WalkForward(7, 15), refit=15, season=7)
    assert result.strongest_baseline() == result.verdict().against == "seasonal-naive"
    assert result.superior_ability().against == "seasonal-naive"
    assert result.verdict().sentence == "Where will it be: no model beats seasonal-naive."
    assert set(result.verdict("naive").models("better")) == {"mean", "seasonal-naive"}
    assert set(result.verdict_by_step()["model"]) == {"naive", "drift", "mean"}
    chosen = fc.backtest(models, season, fc.WalkForward(7, 15), refit=15, season=7, against="drift")
    assert chosen.verdict().against == chosen.verdicts().main[0].against == "drift"
    assert chosen.verdict("mean").against == "mean"
    pd.testing.assert_frame_equal(chosen.forecasts, result.forecasts)


def test_signals_only_where_the_baseline_is_nested():
    y = np.random.default_rng(0).normal(size=200)
    models = {"arima": fc.ARIMA((1, 1, 0)), "drift": fc.Drift(), "over": fc.Conformal(fc.Zero(), window=20)}
    result = fc.backtest(models, y, fc.WalkForward(1, 30), refit=30)
    assert result.verdict().against == "zero"
    signals = result.verdict().table.set_index("model")["p_signal"]
    assert signals[["arima", "drift", "naive"]].isna().all()
    assert result.verdict().table.set_index("model").loc["over", "finding"] == "identical"
    assert result.spec["nests"]["over"] == ["zero"]
    signals = result.verdict("naive").table.set_index("model")["p_signal"]
    assert signals.notna().to_dict() == {"arima": True, "drift": True, "zero": False, "over": False}


@pytest.mark.slow
def test_returns_without_a_signal_are_rarely_beaten():
    """100 draws of independent returns, five models: a win is claimed in at most ten."""
    models = {
        "arima": fc.ARIMA((1, 0, 0)), "walk": fc.ARIMA((1, 1, 1)), "ridge": fc.Tabular(), "mean": fc.WindowMean(),
        "ses": fc.ETS("ANN"),
    }  # fmt: skip
    wins = 0
    for seed in range(100):
        y = 0.01 * np.random.default_rng(seed).standard_t(4, size=400)
        result = fc.backtest(models, y, fc.WalkForward(1, 60), refit=60, on_error="record")
        assert result.reference == "zero"
        wins += "better" in set(result.verdict().table["finding"])
    assert wins <= 10
