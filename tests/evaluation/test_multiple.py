"""Holm against statsmodels, and the Model Confidence Set and superior ability on tables with a known result."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.losses import correlated_errors, table_of_errors
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from forecast.evaluation import holm, model_confidence_set, superior_ability

P_VALUES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.05, 0.5, 1.0]))  # the second for ties


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])  # ×3, then ×2, never falling
    np.testing.assert_allclose(holm(np.array([0.6, 0.7])), [1, 1])
    np.testing.assert_allclose(holm(np.array([0.2])), [0.2])
    assert len(holm(np.array([]))) == 0


@pytest.mark.slow
@settings(max_examples=30)
@given(st.lists(P_VALUES, min_size=1, max_size=30))
def test_holm_equals_statsmodels(p_values):
    np.testing.assert_array_equal(holm(p_values), multipletests(p_values, method="holm")[1])


def test_confidence_set_contains_the_best():
    e = correlated_errors(n=120, naive=1, good=0.5, near=0.51, bad=2)
    table = table_of_errors(e | {"twin": e["good"].copy(), "copy": e["bad"].copy()})
    result = model_confidence_set(table, 1).set_index("model")
    assert result["in_set"].to_dict() == {
        "good": True, "twin": True, "near": result.loc["near", "in_set"], "naive": False, "bad": False, "copy": False
    }  # fmt: skip
    assert result.loc["good", "p"] == result.loc["twin", "p"] > 0.1
    assert result["p"].max() == 1
    assert result.loc["bad", "p"] == result.loc["copy", "p"] < 0.1
    pd.testing.assert_frame_equal(model_confidence_set(table, 1), model_confidence_set(table, 1))  # seeded


def test_no_model_is_excluded_without_a_test():
    same = table_of_errors({"naive": np.ones(40), "a": np.ones(40)})
    few = table_of_errors(correlated_errors(n=8, naive=1, good=0.1))
    overlapping = table_of_errors(correlated_errors(n=40, naive=1, good=0.1))
    for table, overlap in ((same, 1), (few, 1), (overlapping, 20)):
        assert model_confidence_set(table, overlap)["in_set"].all()


def test_constant_differences_share_one_result():
    e = correlated_errors(n=60, naive=1, bad=3)
    far = np.sqrt(e["naive"] ** 2 + 30)  # naive's losses and 30 more at every cutoff: more than those of `bad`
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        constant = model_confidence_set(table_of_errors({"naive": np.ones(40), "m": np.full(40, 0.5)}), 1)
        result = model_confidence_set(table_of_errors(e | {"far": far}), 1).set_index("model")
        alone = model_confidence_set(table_of_errors({"naive": e["naive"]}), 1)
    assert constant["p"].tolist() == alone["p"].tolist() * 2 == [1, 1]  # without variation there is no test
    assert result["in_set"].to_dict() == {"naive": True, "bad": False, "far": True}


@pytest.mark.slow
def test_error_rates_of_equally_good_models():
    """A confidence set of 90 % excludes one of them in one run of ten; superior ability is found in one of twenty."""
    random = np.random.default_rng(12)
    excluded, superior = 0, 0
    for _ in range(40):
        table = table_of_errors(dict(zip(("naive", "a", "b"), random.normal(size=(3, 60)), strict=True)))
        excluded += not model_confidence_set(table, 1)["in_set"].all()
        superior += superior_ability(table, 1).consistent < 0.05
    assert excluded <= 10  # 4 expected, 3 σ more
    assert superior <= 6  # 2 expected, 3 σ more


def test_sentences_of_superior_ability():
    e = correlated_errors(n=60, naive=1, good=0.5, bad=2)
    alone = superior_ability(table_of_errors({"naive": e["naive"], "good": e["good"]}), 1)
    assert str(alone) == "good, the only model tried against naive, is better (SPA, p < .001)."
    worse = superior_ability(table_of_errors(e), 1, "good")
    assert re.fullmatch(r"naive, the best of 2 models tried against good, has no smaller loss .*", worse.sentence)
    none = superior_ability(table_of_errors({"naive": e["naive"]}), 1)
    assert none.sentence == "Only naive was run: there is nothing to compare."
    perfect = superior_ability(table_of_errors({"naive": np.zeros(40), "m": np.full(40, 0.1)}), 1)  # no loss to compare
    assert "the only model tried against naive is better cannot be tested" in perfect.sentence


@pytest.mark.medium
def test_superior_ability_adjusts_for_the_number_of_models():
    rng = np.random.default_rng(8)
    naive = rng.normal(size=100)
    lucky = {f"m{i}": naive + 0.3 * rng.normal(size=100) for i in range(30)}
    result = superior_ability(table_of_errors({"naive": naive} | lucky), 1)
    assert result.consistent > 0.05
    assert result.lower <= result.consistent <= result.upper
    assert re.fullmatch(
        r"m\d+, the best of 30 models tried against naive, has a smaller loss, but not significantly .*",
        result.sentence,
    )
    good = superior_ability(table_of_errors({"naive": naive, "good": 0.5 * naive, "twin": 0.5 * naive} | lucky), 1)
    assert good.consistent < 0.01
    assert re.match(r"good, the best of 32 models tried against naive, is better, even after adjusting", str(good))
    identical = superior_ability(table_of_errors({"naive": naive, "same": naive.copy()}), 1)
    assert "cannot be tested" in identical.sentence
    with pytest.raises(ValueError, match="no model 'gru'"):
        superior_ability(table_of_errors({"naive": naive}), 1, "gru")


def autocorrelated(n=200, phi=0.9, seed=0):
    """Losses by cutoff that are correlated from one cutoff to the next."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(n, 2))
    for t in range(1, n):
        noise[t] += phi * noise[t - 1]
    return pd.DataFrame(noise, columns=["a", "b"])


def test_bootstrap_blocks_are_as_long_as_the_correlation_and_the_overlap():
    from arch.bootstrap import optimal_block_length

    from forecast.evaluation.multiple import _block_length

    correlated, independent = autocorrelated(), autocorrelated(phi=0)
    longest = int(np.ceil(optimal_block_length(correlated)["stationary"].max()))
    assert _block_length(correlated, 1) == longest > 10
    assert _block_length(independent, 1) < 5
    assert _block_length(independent, 12) == 12
    assert _block_length(correlated, longest + 7) == longest + 7
    assert _block_length(correlated.iloc[:30], 25) == 10  # at most a third of the cutoffs
    assert _block_length(independent * 0 + 1, 4) == 4


def test_both_bootstraps_use_that_length(monkeypatch):
    """Successive cutoffs that share test rows need blocks of that length; shorter ones find differences by chance."""
    import arch.bootstrap as bootstrap

    used = []
    for name in ("MCS", "SPA"):
        original = getattr(bootstrap, name)
        monkeypatch.setattr(
            bootstrap,
            name,
            lambda *args, original=original, **options: (
                used.append(options["block_size"]) or original(*args, **options)
            ),
        )
    table = table_of_errors(correlated_errors(n=80, naive=1, good=0.9, bad=1.1))
    for overlap in (7, 20):
        model_confidence_set(table, overlap)
        superior_ability(table, overlap)
    assert used == [7, 7, 20, 20]


@pytest.mark.slow
def test_error_rate_where_cutoffs_overlap():
    """Equally good models whose losses are correlated over ten cutoffs are rarely distinguished."""
    excluded = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        noise = [np.convolve(random.normal(size=209), np.ones(10), "valid") ** 2 + 1 for _ in range(2)]
        table = table_of_errors(dict(zip(("naive", "m"), map(np.sqrt, noise), strict=True)))
        excluded += not model_confidence_set(table, 10)["in_set"].all()
    assert excluded <= 8  # 3 expected, 3 σ more
