"""Diebold-Mariano and Clark-West against published values, and their size in simulations."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.evaluation import clark_west, diebold_mariano
from forecast.evaluation.pairwise import (
    cosine_standard_error,
    cosines,
    equal_accuracy_test,
    standard_error_of_mean,
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
def test_diebold_mariano_equals_r(power, overlap, statistic, p):
    test = diebold_mariano(np.abs(ETS) ** power, np.abs(ARIMA) ** power, overlap)
    assert two_sided(test) == pytest.approx(p, abs=6e-5 if statistic is None else 1e-7)
    if statistic is not None:
        assert test.statistic == pytest.approx(statistic, abs=1e-7)
    assert test.p_better + test.p_worse == pytest.approx(1)
    assert test.n == 20


def test_diebold_mariano_without_overlap_is_a_t_test():
    difference = ETS**2 - ARIMA**2
    test = diebold_mariano(ETS**2, ARIMA**2)
    assert test.standard_error == pytest.approx(difference.std(ddof=1) / np.sqrt(20))
    assert test.degrees == 19


@pytest.mark.parametrize("overlap", [1, 2, 5])
def test_small_sample_factor(overlap):
    n, difference = 20, ETS**2 - ARIMA**2  # Harvey, Leybourne and Newbold (1997), equation 9
    squared = (n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n
    error = standard_error_of_mean(difference, overlap) / np.sqrt(squared)
    assert diebold_mariano(ETS**2, ARIMA**2, overlap).standard_error == pytest.approx(error)


def test_cosine_standard_error():
    """By definition with a loop, and close to the exact value for an autoregression."""
    values = np.random.default_rng(0).normal(size=50)
    terms = [[np.cos(np.pi * j * (t + 0.5) / 50) * values[t] for t in range(50)] for j in (1, 2, 3)]
    total = sum(2 / 50 * sum(row) ** 2 for row in terms)
    assert cosine_standard_error(values, 3) == pytest.approx(np.sqrt(total / 3 / 50))
    assert cosine_standard_error(values + 7, 3) == pytest.approx(cosine_standard_error(values, 3))
    rng, estimates = np.random.default_rng(1), []
    for _ in range(100):
        x = np.zeros(500)
        for t, shock in enumerate(rng.normal(size=500)):
            x[t] = 0.5 * x[t - 1] + shock
        estimates.append(cosine_standard_error(x, cosines(500, 1)) ** 2)
    assert np.mean(estimates) == pytest.approx((1 / 0.5) ** 2 / 500, rel=0.15)


@pytest.mark.parametrize(
    ("n", "overlap", "expected"), [(40, 1, 4), (100, 1, 8), (200, 1, 12), (1000, 1, 12), (40, 8, 2)]
)
def test_number_of_cosines(n, overlap, expected):
    assert cosines(n, overlap) == expected


def test_persistent_differences_need_a_longer_memory():
    """Differences that persist are found significant far too often with the plain test, and as stated with cosines."""
    rng, plain, robust = np.random.default_rng(2), [], []
    for _ in range(200):
        x = np.zeros(100)
        for t, shock in enumerate(rng.normal(size=100)):
            x[t] = 0.6 * x[t - 1] + shock
        plain.append(equal_accuracy_test(x).p_better < 0.05)
        robust.append(equal_accuracy_test(x, persistent=True).p_better < 0.05)
    assert np.mean(plain) > 0.12
    assert np.mean(robust) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_signs():
    small, large = np.abs(ETS), np.abs(ETS) + np.linspace(0.5, 1.5, 20)
    better, worse = diebold_mariano(large, small), diebold_mariano(small, large)
    assert better.statistic > 5
    assert better.p_better < 1e-6 < 0.99 < better.p_worse
    assert worse.statistic == pytest.approx(-better.statistic)
    assert worse.p_worse == pytest.approx(better.p_better, abs=1e-12)
    assert worse.standard_error == pytest.approx(better.standard_error)
    assert better.standard_error > 0


def test_equal_losses():
    test = diebold_mariano(ETS**2, ETS**2)
    assert (test.statistic, test.p_better, test.p_worse, test.standard_error) == (0, 1, 1, 0)


@pytest.mark.parametrize(("n", "overlap"), [(1, 1), (3, 3), (2, 4), (4, 20)])
def test_too_few_losses_have_no_statistic(n, overlap):
    # If all cutoffs overlap, the small-sample factor is meaningless: its square rises again, to 15 for (4, 20).
    test = diebold_mariano(np.arange(n) + 1.0, np.zeros(n), overlap)
    assert np.isnan(test.statistic)
    assert (test.p_better, test.p_worse) == (1, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("horizon", "step"), [(1, 1), (5, 5), (5, 1), (20, 5)])
def test_size_of_diebold_mariano_with_overlap(horizon, step):
    """On random walks, a rising and a falling drift of the same size are equally accurate."""
    random = np.random.default_rng(2)
    n, overlap, drift = 250, -(-horizon // step), 0.15 * np.arange(1, horizon + 1)
    origins = np.arange(n) * step
    rejected = []
    for _ in range(1000):
        walk = random.normal(size=origins[-1] + horizon + 1).cumsum()
        change = walk[origins[:, None] + 1 + np.arange(horizon)] - walk[origins][:, None]  # (n, H)
        up, down = (((change - sign * drift) ** 2).mean(axis=1) for sign in (1, -1))
        rejected.append(diebold_mariano(up, down, overlap).p_better < 0.05)
    assert 0.03 < np.mean(rejected) < 0.07


@pytest.mark.parametrize(("overlap", "statistic", "p"), [(1, 3.7022168, 0.0002), (3, 2.4157153, 0.0157)])
def test_clark_west_equals_hypothesistests(overlap, statistic, p):
    test = clark_west(SMALL**2, LARGE**2, (SMALL - LARGE) ** 2, overlap)
    assert test.statistic == pytest.approx(statistic, abs=5e-7)
    assert 2 * test.p == pytest.approx(p, abs=5e-5)
    assert test.p < test.p_small < 2.5 * test.p + 0.02  # fewer cutoffs, less certain


def test_clark_west_without_a_test():
    for n in (1, 3):
        assert clark_west(SMALL[:n] ** 2, LARGE[:n] ** 2, (SMALL - LARGE)[:n] ** 2, 3).p == 1
    assert clark_west(SMALL**2, SMALL**2, np.zeros(20)).p == 1


def test_size_of_clark_west_with_overlap():
    """Five steps from every row of a random walk: the model extrapolates an estimated momentum that is not there."""
    random = np.random.default_rng(3)
    rejected = []
    for _ in range(1000):
        walk = random.normal(size=300).cumsum()
        change = np.diff(walk)
        momentum = (change[1:254] * change[:253]).sum() / (change[:253] ** 2).sum()  # on rows before all cutoffs
        origins = 255 + np.arange(40)
        outcome = walk[origins[:, None] + np.arange(1, 6)] - walk[origins][:, None]  # (n, H)
        forecast = (walk[origins] - walk[origins - 1])[:, None] * np.cumsum(momentum ** np.arange(1, 6))
        test = clark_west(*((e**2).mean(axis=1) for e in (outcome, outcome - forecast, forecast)), 5)
        rejected.append((test.p < 0.05, test.p_small < 0.05))
    published, small = np.mean(rejected, axis=0)
    assert 0.03 < small < 0.07 < published
