"""The conditional test of Giacomini and White and the fluctuation test: other implementations, size and power."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from forecast.evaluation import diebold_mariano, fluctuation, giacomini_white


def test_conditional_test_is_n_times_r_squared():
    """With overlap 1 the statistic is n · R² of a regression of 1 on the products (Giacomini and White, equation 7)."""
    rng = np.random.default_rng(0)
    reference, model = rng.exponential(size=(2, 120))
    difference = reference - model
    products = np.column_stack([difference[1:], difference[1:] * difference[:-1]])
    regression = sm.OLS(np.ones(len(products)), products).fit()
    n_r_squared = len(products) * (1 - (regression.resid**2).mean())
    assert giacomini_white(reference, model).statistic == pytest.approx(n_r_squared)


def test_both_tests_equal_those_of_electricity_prices():
    """epftoolbox (Lago et al., 2021) on these inputs, 24 prices a day: GW and DM, multivariate, norm 1.

    Its Diebold-Mariano test has neither a small-sample factor, here √(119 / 120), nor the t distribution.
    """
    rng = np.random.default_rng(0)
    rng.normal(size=(120, 24))  # the prices, which do not matter
    losses = [np.abs(scale * rng.normal(size=(120, 24))).mean(axis=1) for scale in (1, 0.92)]
    conditional = giacomini_white(*losses)
    assert (conditional.statistic, conditional.p) == pytest.approx((10.45731069904987, 0.005360728764985501))
    assert diebold_mariano(*losses).statistic == pytest.approx(3.380172269488792 * np.sqrt(119 / 120))


@pytest.mark.parametrize("overlap", [1, 3])
def test_conditional_test_has_its_size_and_finds_regimes(overlap):
    rng = np.random.default_rng(1)

    def losses(shift):
        noise = rng.normal(size=(2, 300 + overlap - 1))
        averaged = np.stack([np.convolve(row, np.ones(overlap) / overlap, mode="valid") for row in noise])
        return averaged + np.stack([shift, np.zeros(300)])

    null = [giacomini_white(*losses(np.zeros(300)), overlap).p < 0.05 for _ in range(400)]
    assert np.mean(null) < 0.09
    regimes = np.where(np.arange(300) // 50 % 2, 1.0, -1.0)  # a mean difference of 0
    found = [giacomini_white(*losses(regimes), overlap) for _ in range(50)]
    assert np.mean([test.p < 0.05 for test in found]) > 0.9
    assert np.mean([test.share_better for test in found]) == pytest.approx(0.5, abs=0.1)


def test_fluctuation_test_has_its_size_and_finds_a_part():
    rng = np.random.default_rng(2)
    for share in (0.1, 0.3, 0.75):
        null = [fluctuation(*rng.normal(size=(2, 300)), share=share).is_significant for _ in range(400)]
        assert np.mean(null) < 0.085, share
    reference, model = rng.normal(size=(2, 300))
    model[100:200] -= 1.0
    test = fluctuation(reference, model)
    assert test.is_significant
    assert 60 < np.argmax(test.statistics) < 140
    assert test.window == 90


def test_what_cannot_be_tested():
    same = np.ones(50)
    assert giacomini_white(same, same).p == 1.0
    assert giacomini_white(same[:2], same[:2]).p == 1.0
    assert not fluctuation(same, same).is_significant
    with pytest.raises(ValueError, match="share"):
        fluctuation(same, same, share=0.05)
