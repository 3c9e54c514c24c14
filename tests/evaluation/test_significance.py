"""Diebold-Mariano against R, Holm by hand, and the verdict: what it says, how often it is wrong, what it can see."""

from __future__ import annotations

import gc
import re
import warnings

import numpy as np
import pandas as pd
import pytest

import forecast as fc
from forecast.evaluation import (
    clark_west,
    diebold_mariano,
    directions,
    gap_by_cutoff,
    holm,
    loss_by_cutoff,
    model_confidence_set,
    superior_ability,
    verdict,
    verdict_by_step,
)

# R, forecast::dm.test on WWWusage out of sample: the errors of ets and of an ARIMA, twenty each.
ETS = """.002241270 -.000661906 -1.200002613 -4.000218178 3.799373533 3.401005111 -1.199692125 -.800490048 -1.200048999
3.399847229 7.000708948 2.200989241 -4.800165569 -1.201043375 3.400167556 3.000709085 .400267950 -6.800169207
-2.401259050 1.200112198"""
ARIMA = """.1209998 8.0622269 -.9189429 -1.7952436 5.3431277 2.0459823 -.6073261 .5516816 -.7633238 4.1229472 5.8785333
1.2828331 -3.4854233 1.1971370 3.1709314 2.3408457 .4962286 -5.9841362 .1537114 .4207951"""
ETS, ARIMA = np.array(ETS.split(), dtype=float), np.array(ARIMA.split(), dtype=float)


# HypothesisTests.jl, test/clark_west.jl: the errors of a model and of a larger one, twenty each.
SMALL = """9.78432 12.73500 8.67224 2.62740 5.60947 7.57809 4.53774 2.51084 .49290 3.48394 9.46152 9.41220 2.36289
.34495 3.33599 5.31357 4.28219 -3.74471 -5.73575 -3.71781"""
LARGE = """2.82053 4.39754 -1.78647 -4.30662 3.69526 3.37259 -1.09002 -.50984 -.78973 3.89077 7.52849 2.82373 -3.95838
-.13606 4.54444 4.18216 1.67993 -5.38077 -.85686 2.70479"""
SMALL, LARGE = np.array(SMALL.split(), dtype=float), np.array(LARGE.split(), dtype=float)


def two_sided(test) -> float:
    return 2 * min(test.p_better, test.p_worse)


@pytest.mark.parametrize(
    ("power", "overlap", "statistic", "p"),
    [(2, 1, -0.1439180596, 0.8870806757), (2, 10, -0.0780789, 0.9385817), (1, 1, None, 0.7818)],
)
def test_diebold_mariano_as_r(power, overlap, statistic, p):
    test = diebold_mariano(np.abs(ETS) ** power, np.abs(ARIMA) ** power, overlap)
    assert two_sided(test) == pytest.approx(p, abs=6e-5 if statistic is None else 1e-7)
    if statistic is not None:
        assert test.statistic == pytest.approx(statistic, abs=1e-7)
    assert test.p_better + test.p_worse == pytest.approx(1)
    assert test.n == 20


def test_diebold_mariano_without_overlap_is_the_t_test_of_the_mean():
    difference = ETS**2 - ARIMA**2
    test = diebold_mariano(ETS**2, ARIMA**2)
    assert test.standard_error == pytest.approx(difference.std(ddof=1) / np.sqrt(20))
    assert test.factor2 == pytest.approx(19 / 20)


@pytest.mark.parametrize("overlap", [1, 2, 5])
def test_small_sample_factor(overlap):
    n = 20  # Harvey, Leybourne and Newbold (1997), equation 9
    expected = (n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n
    assert diebold_mariano(ETS**2, ARIMA**2, overlap).factor2 == pytest.approx(expected)


@pytest.mark.parametrize("overlap", [1, 5])
def test_the_interval_is_that_of_the_test(overlap):
    """Its lower end is above zero exactly where the one-sided test, unadjusted, finds a win at one in twenty."""
    wins = 0
    for seed in range(15):
        table = verdict(race(errors(n=60, seed=seed, naive=1, m=0.9)), overlap).table.iloc[0]
        assert table["low"] < table["skill"] < table["high"] <= 1
        assert (table["low"] > 0) == (table["p"] < 0.05)
        wins += table["low"] > 0
    assert 0 < wins < 15
    few = verdict(race(errors(n=3, naive=1, m=0.9)), 5).table.iloc[0]
    assert np.isnan(few["low"])
    assert np.isnan(few["high"])


def test_signs():
    small, large = np.abs(ETS), np.abs(ETS) + np.linspace(0.5, 1.5, 20)
    better, worse = diebold_mariano(large, small), diebold_mariano(small, large)
    assert better.statistic > 5
    assert better.p_better < 1e-6 < 0.99 < better.p_worse
    assert worse.statistic == pytest.approx(-better.statistic)
    assert worse.p_worse == pytest.approx(better.p_better, abs=1e-12)
    assert worse.standard_error == pytest.approx(better.standard_error)
    assert better.standard_error > 0


def test_losses_that_never_differ():
    test = diebold_mariano(ETS**2, ETS**2)
    assert (test.statistic, test.p_better, test.p_worse, test.standard_error) == (0, 1, 1, 0)


@pytest.mark.parametrize(("n", "overlap"), [(1, 1), (3, 3), (2, 4), (4, 20)])
def test_too_few_losses_give_no_statistic(n, overlap):
    # Where all cutoffs overlap, the small-sample factor means nothing: its square rises again, to 15 for (4, 20).
    test = diebold_mariano(np.arange(n) + 1.0, np.zeros(n), overlap)
    assert np.isnan(test.statistic)
    assert (test.p_better, test.p_worse) == (1, 1)


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])  # ×3, then ×2, never falling
    np.testing.assert_allclose(holm(np.array([0.6, 0.7])), [1, 1])
    np.testing.assert_allclose(holm(np.array([0.2])), [0.2])
    assert len(holm(np.array([]))) == 0


def race(errors: dict[str, np.ndarray], steps: int = 1, series: tuple[str, ...] = ("A",)) -> pd.DataFrame:
    """A table whose outcomes are 0, so that the forecasts are the errors: (cutoffs · steps,) of each model."""
    tables = []
    for name in series:
        for model, error in errors.items():
            k = len(error) // steps
            at = {"cutoff": np.repeat(np.arange(k), steps), "step": np.tile(np.arange(steps) + 1, k)}
            said = {"unique_id": name, "model": model, "member": 0, "y0": 0.0, "y": 0.0, "y_hat": error}
            tables.append(pd.DataFrame(at | said))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(model=pd.Categorical(table["model"], list(errors)))


def errors(n: int = 40, seed: int = 0, **scales: float) -> dict[str, np.ndarray]:
    """Errors that share most of their luck, in the given sizes."""
    random = np.random.default_rng(seed)
    common = random.normal(size=n)
    return {name: scale * (common + 0.2 * random.normal(size=n)) for name, scale in scales.items()}


def findings(said) -> dict[str, str]:
    return dict(zip(said.table["model"], said.table["finding"], strict=True))


def test_the_declared_loss():
    table = pd.concat(
        [race({"naive": np.array([1.0, 3, 1, 1]), "m": np.array([1.0, 1, 0, 2])}, steps=2),
         race({"naive": np.array([0.0, 20, 0, 0]), "m": np.array([10.0, 0, 0, 0])}, steps=2, series=("B",)),
         race({"naive": np.zeros(4), "m": np.ones(4)}, steps=2, series=("flat",))]
    )  # fmt: skip
    losses = loss_by_cutoff(table)  # naive's mean squared errors are 3 and 100; on `flat` there is none to compare with
    np.testing.assert_allclose(losses["naive"], [(1 / 3 + 9 / 3 + 0 + 4) / 4, (1 / 3 + 1 / 3) / 4])
    np.testing.assert_allclose(losses["m"], [(1 / 3 + 1 / 3 + 1 + 0) / 4, (0 + 4 / 3) / 4])


def test_win():
    said = verdict(race(errors(naive=1, good=0.5)), 1)
    row = said.table.iloc[0]
    assert findings(said) == {"good": "better"}
    assert row["skill"] > 0.5
    assert row["p"] == row["p_holm"] < 0.05
    assert re.fullmatch(r"good \(skill \d\d\.\d%, p (< )?\.\d{3}\) beats naive over 40 cutoffs\.", said.sentence)


def test_loss():
    said = verdict(race(errors(naive=1, bad=2)), 1)
    assert findings(said) == {"bad": "worse"}
    assert said.sentence == "No model beats naive over 40 cutoffs: bad is significantly worse."
    assert "bad: worse, skill -" in str(said)


def test_tie():
    e = errors(naive=1)["naive"]
    said = verdict(race({"naive": e, "same": e.copy()}), 1)
    assert findings(said) == {"same": "identical"}
    assert said.sentence == "No model beats naive over 40 cutoffs: same made the same forecasts as naive."
    assert "same: the same forecasts" in str(said)


def test_many_models():
    said = verdict(race(errors(naive=1, good=0.5, best=0.3, near=1.001, bad=2, awful=3)), 1)
    kinds = findings(said)
    assert kinds == {"good": "better", "best": "better", "near": kinds["near"], "bad": "worse", "awful": "worse"}
    assert kinds["near"] == "not distinguishable"
    assert re.match(
        r"good \(.*\) and best \(.*\) beat naive over 40 cutoffs: near is .*; bad and awful are", said.sentence
    )
    alone = verdict(race(errors(naive=1, good=0.5, best=0.3, near=1.001, bad=2, awful=3)), 1, models=["good"])
    assert list(alone.table["model"]) == ["good"]
    p, p_all = alone.table["p_holm"].iloc[0], said.table.set_index("model").loc["good", "p_holm"]
    assert p == alone.table["p"].iloc[0] < p_all  # one question asked, one answer's price


def test_three_winners_are_listed_as_people_list_them():
    said = verdict(race(errors(naive=1, a=0.5, b=0.4, c=0.3)), 1)
    assert re.match(r"a \([^)]*\), b \([^)]*\) and c \([^)]*\) beat naive", said.sentence)


def test_many_tries_cost_their_price():
    random = np.random.default_rng(3)
    naive = random.normal(size=60)
    lucky = {f"m{i}": naive + random.normal(0, 1.0, 60) - 0.45 * naive for i in range(1, 25)}
    said = verdict(race({"naive": naive} | lucky), 1)
    p = said.table["p"].to_numpy()
    np.testing.assert_allclose(said.table["p_holm"], holm(p))
    assert (said.table["p_holm"] >= p).all()
    assert said.table["p_holm"].max() <= 1


def test_nothing_to_compare():
    said = verdict(race(errors(naive=1)), 1)
    assert said.sentence == "Only naive was run: there is nothing to compare."
    assert len(said.table) == 0
    assert str(said) == said.sentence


def test_against_another_model():
    table = race(errors(naive=1, arima=0.5, net=0.25))
    said = verdict(table, 1, against="arima", models=["net"])
    assert findings(said) == {"net": "better"}
    assert re.match(r"net \(skill .*\) beats arima over", said.sentence)
    assert findings(verdict(table, 1, against="arima")) == {"naive": "worse", "net": "better"}
    with pytest.raises(ValueError, match=r"no model 'gru'.*naive, arima, net"):
        verdict(table, 1, models=["gru"])
    with pytest.raises(ValueError, match="no model 'gru'"):
        verdict(table, 1, against="gru")


@pytest.mark.parametrize("n", [1, 2, 4, 8, 20])
def test_too_few_cutoffs_for_their_overlap(n):
    said = verdict(race(errors(n=n, naive=1, good=0.2, bad=3)), overlap=8)
    assert set(findings(said).values()) == {"too few cutoffs"}
    assert said.sentence == f"Too few cutoffs ({n}) to tell whether any model differs from naive."
    assert "nan" not in str(said)


def test_the_same_forecasts_are_the_same_however_few():
    e = errors(n=4, naive=1, m=2)
    said = verdict(race({"naive": e["naive"], "same": e["naive"], "m": e["m"]}), overlap=8)
    assert findings(said) == {"same": "identical", "m": "too few cutoffs"}


def test_a_skill_that_cannot_exist_is_not_promised():
    said = verdict(race(errors(n=3, naive=1, m=1.3, k=0.8)), 1)
    shown = [float(number) for number in re.findall(r"([\d.]+)%", str(said).split("shown", 1)[1].replace("80%", ""))]
    assert all(number < 100 for number in shown if number >= 0), str(said)  # no forecast removes more than all error


def test_a_constant_advantage_is_not_called_too_few_cutoffs():
    said = verdict(race({"naive": np.ones(40), "m": np.full(40, 0.5)}), 1)
    assert "Too few" not in said.sentence  # 40 are enough; what is missing is variation


@pytest.mark.parametrize("series", [("A",), ("A", "B")])
def test_a_series_on_which_naive_is_never_wrong(series):
    flat = race({"naive": np.zeros(40), "m": np.full(40, 0.1)}, series=("flat",))
    other = race(errors(naive=1, m=0.5), series=series)
    assert findings(verdict(pd.concat([other, flat]), 1)) == {"m": "better"}


def test_naive_is_never_wrong_at_all():
    said = verdict(race({"naive": np.zeros(40), "m": np.full(40, 0.1)}), 1)
    assert "beats" in said.sentence  # "No model beats …", or words like it
    assert not set(findings(said).values()) & {"better"}
    assert "nan" not in str(said)


def test_the_detectable_skill_is_seen_four_times_in_five():
    table = race(errors(n=40, naive=1, m=1.01))
    row = verdict(table, 1).table.iloc[0]
    losses = loss_by_cutoff(table)
    spread = (losses["naive"] - losses["m"]).std()
    assert row["finding"] == "not distinguishable"
    random = np.random.default_rng(7)

    def seen(skill: float, tables: int = 500) -> float:
        differences = random.normal(skill, spread, size=(tables, 40))  # naive's mean loss is 1
        return np.mean([diebold_mariano(difference, np.zeros(40)).p_better < 0.05 for difference in differences])

    assert seen(row["detectable"]) == pytest.approx(0.80, abs=0.05)
    assert seen(0) == pytest.approx(0.05, abs=0.03)
    assert f"could have shown {row['detectable']:.1%}" in str(verdict(table, 1))


def test_better_is_said_of_an_equal_one_time_in_twenty(monkeypatch):
    monkeypatch.setattr(gc, "collect", lambda *_: 0)  # statsmodels' multipletests calls it, 50 ms each time
    random = np.random.default_rng(11)
    said = []
    for _ in range(60):
        noise = dict(zip(("naive", "a", "b"), random.normal(size=(3, 30)), strict=True))  # equally good
        said.append(set(findings(verdict(race(noise), 1)).values()))
    assert sum("better" in kinds for kinds in said) <= 8  # 3 expected, for both models together; 8 is 3 σ more
    assert sum("worse" in kinds for kinds in said) <= 8


def test_noise_never_beats_a_random_walk(monkeypatch):
    monkeypatch.setattr(gc, "collect", lambda *_: 0)
    random = np.random.default_rng(5)
    found = []
    for _ in range(40):
        change = random.normal(size=30)
        found.append(findings(verdict(race({"naive": change, "drift": change - random.normal(0, 0.3)}), 1))["drift"])
    assert found.count("better") <= 4


@pytest.mark.parametrize(("horizon", "step"), [(1, 1), (5, 5), (5, 1), (20, 5)])
def test_the_size_of_the_test_where_cutoffs_overlap(horizon, step):
    """Of random walks, to rise and to fall by as much are equally good forecasts."""
    random = np.random.default_rng(2)
    n, overlap, drift = 250, -(-horizon // step), 0.15 * np.arange(1, horizon + 1)
    origins = np.arange(n) * step
    wrong = []
    for _ in range(1000):
        walk = random.normal(size=origins[-1] + horizon + 1).cumsum()
        change = walk[origins[:, None] + 1 + np.arange(horizon)] - walk[origins][:, None]  # (n, H)
        up, down = (((change - sign * drift) ** 2).mean(axis=1) for sign in (1, -1))
        wrong.append(diebold_mariano(up, down, overlap).p_better < 0.05)
    assert 0.03 < np.mean(wrong) < 0.07


@pytest.mark.parametrize(("overlap", "statistic", "p"), [(1, 3.7022168, 0.0002), (3, 2.4157153, 0.0157)])
def test_clark_west_as_hypothesistests(overlap, statistic, p):
    test = clark_west(SMALL**2, LARGE**2, (SMALL - LARGE) ** 2, overlap)
    assert test.statistic == pytest.approx(statistic, abs=5e-7)
    assert 2 * test.p == pytest.approx(p, abs=5e-5)
    assert test.p < test.p_small < 2.5 * test.p + 0.02  # fewer cutoffs, less certain


def test_clark_west_where_there_is_nothing_to_test():
    for n in (1, 3):
        assert clark_west(SMALL[:n] ** 2, LARGE[:n] ** 2, (SMALL - LARGE)[:n] ** 2, 3).p == 1
    assert clark_west(SMALL**2, SMALL**2, np.zeros(20)).p == 1


def test_the_size_of_clark_west_where_cutoffs_overlap():
    """Five steps from every row of a random walk: the model goes on with what it took for the walk's momentum."""
    random = np.random.default_rng(3)
    found = []
    for _ in range(1000):
        walk = random.normal(size=300).cumsum()
        change = np.diff(walk)
        momentum = (change[1:254] * change[:253]).sum() / (change[:253] ** 2).sum()  # on rows before all cutoffs
        origins = 255 + np.arange(40)
        came = walk[origins[:, None] + np.arange(1, 6)] - walk[origins][:, None]  # (n, H)
        said = (walk[origins] - walk[origins - 1])[:, None] * np.cumsum(momentum ** np.arange(1, 6))
        test = clark_west(*((e**2).mean(axis=1) for e in (came, came - said, said)), 5)
        found.append((test.p < 0.05, test.p_small < 0.05))
    published, small = np.mean(found, axis=0)
    assert 0.03 < small < 0.07 < published


def test_a_model_that_contains_naive_is_judged_by_clark_west():
    table = race(errors(naive=1, good=0.5, near=0.99))
    said = verdict(table, 1, nested=("near",)).table.set_index("model")
    assert said["test"].to_dict() == {"good": "Diebold-Mariano", "near": "Clark-West"}
    losses, gaps = loss_by_cutoff(table), gap_by_cutoff(table, "naive")
    expected = clark_west(losses["naive"].to_numpy(), losses["near"].to_numpy(), gaps["near"].to_numpy())
    assert said.loc["near", "statistic"] == pytest.approx(expected.statistic)
    assert said.loc["near", "p"] == pytest.approx(expected.p_small)
    plain = verdict(table, 1).table.set_index("model")
    assert said.loc["near", "p"] < plain.loc["near", "p"]  # it is not charged for its parameters
    assert said.loc["near", "p_worse_holm"] == plain.loc["near", "p_worse_holm"]
    assert set(verdict(table, 1, against="good", nested=("naive",)).table["test"]) == {"Clark-West", "Diebold-Mariano"}


def test_the_gap_is_in_the_units_of_the_loss():
    table = pd.concat(
        [race({"naive": np.array([1.0, 3, 1, 1]), "m": np.array([1.0, 1, 0, 2])}, steps=2),
         race({"naive": np.array([0.0, 20, 0, 0]), "m": np.array([10.0, 0, 0, 0])}, steps=2, series=("B",))]
    )  # fmt: skip
    gaps = gap_by_cutoff(table, "naive")  # naive's mean squared errors are 3 and 100
    assert (gaps["naive"] == 0).all()
    np.testing.assert_allclose(gaps["m"], [(0 + 4 / 3 + 1 + 4) / 4, (1 / 3 + 1 / 3) / 4])


def test_a_signal_that_makes_worse_forecasts_is_called_that():
    random = np.random.default_rng(0)
    signal, noise = random.normal(size=200), random.normal(size=200)
    naive = 0.5 * signal + random.normal(size=200)  # errors of saying 0
    model = naive - 0.5 * signal - 0.6 * noise  # finds it, and pays more than it is worth
    table = race({"naive": naive, "m": model})
    said = verdict(table, 1, nested=("m",))
    assert said.table["skill"].iloc[0] < 0
    assert findings(said) == {"m": "a signal, but worse forecasts"}
    assert said.sentence == ("No model beats naive over 200 cutoffs: m carries a signal, but makes worse forecasts.")
    assert re.search(r"m: a signal, but worse forecasts, skill -\d+\.\d% \(p < \.001 by Clark-West\)", str(said))
    assert findings(verdict(table, 1))["m"] != "a signal, but worse forecasts"
    worse = verdict(race({"naive": naive, "m": model + 2 * noise}), 1, nested=("m",))
    assert findings(worse) == {"m": "worse"}


def test_each_step_is_judged_by_itself():
    table = pd.concat(
        race(errors(n=60, seed=k, naive=1, good=0.4 if k == 1 else 1.0), steps=1).assign(step=k) for k in (1, 2, 3)
    )
    said = verdict_by_step(table, step_size=1).set_index(["model", "step"])
    assert list(said.index) == [("good", 1), ("good", 2), ("good", 3)]
    assert said["finding"].tolist() == ["better", "not distinguishable", "not distinguishable"]
    np.testing.assert_allclose(said["p_holm"], holm(said["p"].to_numpy()))
    one = table[table["step"] == 3]
    assert said.loc[("good", 3), "statistic"] == pytest.approx(verdict(one, 3).table["statistic"].iloc[0])
    wide = verdict_by_step(table, step_size=5).set_index(["model", "step"])  # nothing overlaps
    assert wide.loc[("good", 3), "statistic"] == pytest.approx(verdict(one, 1).table["statistic"].iloc[0])


def moves(**said):
    """A table of one-step moves of a series that starts at 100 each time, and what models say of them."""
    saw = np.random.default_rng(4).normal(size=200)
    tables = []
    for model, says in ({"naive": np.zeros} | said).items():
        y_hat = 100 + (np.zeros(200) if model == "naive" else says(saw))
        tables.append(pd.DataFrame({
            "unique_id": "A", "cutoff": np.arange(200), "step": 1, "model": model, "member": 0,
            "y0": 100.0, "y": 100 + saw, "y_hat": y_hat, "scale": 1.0,
        }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def test_directions_are_tested_and_those_that_say_one_thing_only_are_told():
    rng = np.random.default_rng(5)
    table = moves(
        knows=lambda saw: saw + rng.normal(size=200),
        guesses=lambda saw: rng.normal(size=200),
        up=lambda saw: np.ones(200),
        down=lambda saw: -np.ones(200),
    )
    said = directions(table).set_index("model")
    assert said["finding"].to_dict() == {
        "naive": "never says a direction", "knows": "calls the direction",
        "guesses": "not distinguishable from chance", "up": "always says up", "down": "always says down",
    }  # fmt: skip
    assert said.loc["up", "hit_rate"] == said.loc["up", "by_chance"]
    assert said.loc["knows", "hit_rate"] > 0.6 > said.loc["knows", "by_chance"]
    assert said.loc["knows", "p_holm"] == pytest.approx(2 * said.loc["knows", "p"])  # two were tested
    still = directions(table.assign(y=table["y0"]))
    assert set(still["finding"]) == {"the series never moved"}
    few = directions(table[table["cutoff"] < 9]).set_index("model")
    assert few.loc["knows", "finding"] == "too few moves"
    with pytest.raises(ValueError, match="moves of 2 rows from cutoffs 1 apart overlap"):
        directions(table, step=2)
    with pytest.raises(ValueError, match="no row of step 2"):
        directions(table, step=2, step_size=2)


def test_directions_are_found_by_chance_one_time_in_twenty():
    rng = np.random.default_rng(6)
    table = moves(**{f"m{i}": lambda saw: rng.normal(size=200) + 0.3 for i in range(300)})
    p = directions(table).set_index("model").drop("naive")["p"]
    assert 0.02 < (p < 0.05).mean() < 0.09


def test_the_set_of_models_that_may_be_the_best():
    e = errors(n=120, naive=1, good=0.5, near=0.51, bad=2)
    table = race(e | {"twin": e["good"].copy(), "copy": e["bad"].copy()})
    said = model_confidence_set(table, 1).set_index("model")
    assert said["in_set"].to_dict() == {
        "good": True, "twin": True, "near": said.loc["near", "in_set"], "naive": False, "bad": False, "copy": False
    }  # fmt: skip
    assert said.loc["good", "p"] == said.loc["twin", "p"] > 0.1
    assert said["p"].max() == 1
    assert said.loc["bad", "p"] == said.loc["copy", "p"] < 0.1
    pd.testing.assert_frame_equal(model_confidence_set(table, 1), model_confidence_set(table, 1))  # no luck in it


def test_nobody_is_excluded_where_nothing_can_be_said():
    same = race({"naive": np.ones(40), "a": np.ones(40)})
    few = race(errors(n=8, naive=1, good=0.1))
    overlapping = race(errors(n=40, naive=1, good=0.1))
    for table, overlap in ((same, 1), (few, 1), (overlapping, 20)):
        assert model_confidence_set(table, overlap)["in_set"].all()


def test_losses_that_never_move_apart_share_one_answer():
    e = errors(n=60, naive=1, bad=3)
    far = np.sqrt(e["naive"] ** 2 + 30)  # naive's losses and 30 more at every cutoff: more than those of `bad`
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        apart = model_confidence_set(race({"naive": np.ones(40), "m": np.full(40, 0.5)}), 1)
        said = model_confidence_set(race(e | {"far": far}), 1).set_index("model")
        alone = model_confidence_set(race({"naive": e["naive"]}), 1)
    assert apart["p"].tolist() == alone["p"].tolist() * 2 == [1, 1]  # by how much they differ cannot be luck, nor skill
    assert said["in_set"].to_dict() == {"naive": True, "bad": False, "far": True}


def test_equals_are_excluded_one_time_in_ten_and_called_superior_one_time_in_twenty():
    random = np.random.default_rng(12)
    excluded, superior = 0, 0
    for _ in range(40):
        table = race(dict(zip(("naive", "a", "b"), random.normal(size=(3, 60)), strict=True)))
        excluded += not model_confidence_set(table, 1)["in_set"].all()
        superior += superior_ability(table, 1).consistent < 0.05
    assert excluded <= 10  # 4 expected, 3 σ more
    assert superior <= 6  # 2 expected, 3 σ more


def test_what_the_best_of_many_is_called():
    e = errors(n=60, naive=1, good=0.5, bad=2)
    alone = superior_ability(race({"naive": e["naive"], "good": e["good"]}), 1)
    assert str(alone) == "good, the only model tried against naive, is better (SPA, p < .001)."
    worse = superior_ability(race(e), 1, "good")
    assert re.fullmatch(r"naive, the best of 2 models tried against good, has no smaller loss .*", worse.sentence)
    nobody = superior_ability(race({"naive": e["naive"]}), 1)
    assert nobody.sentence == "Only naive was run: there is nothing to compare."
    perfect = superior_ability(race({"naive": np.zeros(40), "m": np.full(40, 0.1)}), 1)  # no loss to compare
    assert "the only model tried against naive is better cannot be tested" in perfect.sentence


def test_the_best_of_many_is_not_taken_for_skill():
    rng = np.random.default_rng(8)
    naive = rng.normal(size=100)
    lucky = {f"m{i}": naive + 0.3 * rng.normal(size=100) for i in range(30)}
    said = superior_ability(race({"naive": naive} | lucky), 1)
    assert said.consistent > 0.05
    assert said.lower <= said.consistent <= said.upper
    assert re.fullmatch(r"m\d+, the best of 30 models tried against naive, may be the luckiest .*", said.sentence)
    good = superior_ability(race({"naive": naive, "good": 0.5 * naive, "twin": 0.5 * naive} | lucky), 1)
    assert good.consistent < 0.01
    assert re.match(r"good, the best of 32 models tried against naive, is better, even as the best", str(good))
    nothing = superior_ability(race({"naive": naive, "same": naive.copy()}), 1)
    assert "cannot be tested" in nothing.sentence
    with pytest.raises(ValueError, match="no model 'gru'"):
        superior_ability(race({"naive": naive}), 1, "gru")


def test_a_run_knows_which_models_contain_which():
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
    result = fc.backtest({"drift": fc.Drift(), "mean": fc.WindowMean()}, prices, fc.WalkForward(3, 30), refit=30)
    tests = result.verdict().table.set_index("model")["test"].to_dict()
    assert tests == {"drift": "Clark-West", "mean": "Diebold-Mariano"}


# --- what could be asked wrongly, and what is only rounding ---------------------------------------------------------


@pytest.fixture(scope="module")
def run():
    prices = 1e5 + np.random.default_rng(0).normal(0, 1, (200, 2)).cumsum(axis=0)
    models = {"1": fc.Drift(), "arima": fc.ARIMA((1, 0, 0))}
    return fc.backtest(models, prices, fc.WalkForward(2, 12), refit=12)


def test_a_difference_of_rounding_is_none(run):
    table = run.forecasts.copy()
    twin = table[table["model"].astype(str) == "naive"].copy()
    twin["y_hat"] *= 1 + np.random.default_rng(1).choice([-1, 0, 1], len(twin)) * 2e-16
    table = pd.concat([table.astype({"model": str}), twin.assign(model="twin")])
    found = verdict(table, 1, nested=["twin"]).table.set_index("model")
    assert found.loc["twin", "finding"] == "identical"


def test_levels_have_columns_of_their_own():
    from forecast.models.base import quantile_column

    names = [quantile_column(level) for level in (1e-5, 0.1, 0.1 + 1e-12, 0.9999999)]
    assert names[:2] == ["q0.00001", "q0.1"]
    assert len(set(names)) == 4
    assert all(name.startswith("q0.") for name in names)


def test_questions_that_make_no_sense(run):
    with pytest.raises(ValueError, match="names none to judge"):
        run.verdict(models=[])
    assert list(run.verdict(models="1").table["model"]) == ["1"]
    for size in (0, 1, 5, -0.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            run.confidence_set(size=size)


def test_members_of_a_model_with_a_number_for_a_name():
    prices = 100 + np.random.default_rng(0).normal(0, 1, 160).cumsum()
    net = fc.Recurrent("rnn", members=2, lookback=5, trainer=fc.Trainer(steps=3))
    result = fc.backtest({"1": net}, prices, fc.WalkForward(2, 4), refit=4)
    told = result.members().iloc[0]
    assert told["members"] == 2
    assert told["worst"] <= told["median"] <= told["best"]
