"""The tests of intervals: against regressions, by simulation, and what they find in tables of forecasts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from forecast.evaluation import christoffersen, interval_tests, kupiec


def test_clustering_is_the_likelihood_ratio_of_a_logistic_regression():
    misses = np.random.default_rng(0).random(300) < 0.2
    after, before = misses[1:].astype(float), sm.add_constant(misses[:-1].astype(float))
    chain = sm.GLM(after, before, family=sm.families.Binomial()).fit()
    constant = sm.GLM(after, np.ones(len(after)), family=sm.families.Binomial()).fit()
    from scipy.stats import chi2

    assert christoffersen(misses) == pytest.approx(chi2.sf(constant.deviance - chain.deviance, 1), rel=1e-6)


def test_coverage_is_the_likelihood_ratio_of_the_binomial():
    from scipy.stats import binom, chi2

    ratio = 2 * (binom.logpmf(31, 250, 31 / 250) - binom.logpmf(31, 250, 0.2))
    assert kupiec(np.arange(250) < 31, 0.2) == pytest.approx(chi2.sf(ratio, 1))
    assert kupiec(np.arange(250) < 50, 0.2) == pytest.approx(1.0)


@pytest.mark.parametrize("n", [50, 250])
def test_sizes(n):
    """Of true intervals about 5 % are rejected."""
    rng = np.random.default_rng(n)
    draws = [rng.random(n) < 0.2 for _ in range(2000)]
    assert np.mean([kupiec(misses, 0.2) < 0.05 for misses in draws]) < 0.07
    assert np.mean([christoffersen(misses) < 0.05 for misses in draws]) < 0.08


def test_edge_cases_have_p_values():
    for misses in (np.zeros(60, bool), np.ones(60, bool)):
        assert christoffersen(misses) == 1.0
        assert kupiec(misses, 0.2) < 0.05


def table_of_intervals(widths, n=200, clustered=False):
    """A table of one-step forecasts of standard normal outcomes, with intervals of ± 1.2816 times a width."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=n) * (np.where(np.arange(n) // 25 % 2, 2.5, 0.4) if clustered else 1.0)
    tables = [
        pd.DataFrame({"unique_id": "A", "cutoff": np.arange(n), "step": 1, "model": model, "member": 0, "y0": 0.0,
                      "y": y, "y_hat": 0.0, "q0.1": -1.2816 * width, "q0.9": 1.2816 * width})
        for model, width in widths.items()
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def test_findings_on_intervals():
    widths = {"right": 1.0, "narrow": 0.5, "wide": 2.0, "without": np.nan}
    found = interval_tests(table_of_intervals(widths)).set_index("model")
    assert found["finding"].to_dict() == {
        "right": "as stated", "narrow": "too narrow", "wide": "too wide", "without": "no interval"
    }  # fmt: skip
    assert found.loc["right", "stated"] == pytest.approx(0.8)
    clustered = interval_tests(table_of_intervals({"right": 1.0}, clustered=True))
    assert clustered["p_clustering"].item() < 0.001
    assert interval_tests(table_of_intervals({"right": 1.0}, n=20))["finding"].item() == "too few outcomes"


def test_overlapping_outcomes_and_absent_steps_are_refused():
    table = table_of_intervals({"right": 1.0})
    with pytest.raises(ValueError, match="overlap"):
        interval_tests(table, step=2, step_size=1)
    with pytest.raises(ValueError, match="no row of step 3"):
        interval_tests(table, step=3, step_size=5)
