"""The probability of overfitting: by hand, against a direct computation, and on tables with a known result."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import forecast as fc
from forecast.evaluation import overfitting


def directly(losses, n_blocks):
    """The share of splits, computed one by one from the losses."""
    blocks = np.array_split(losses, n_blocks)
    below = []
    for half in combinations(range(n_blocks), n_blocks // 2):
        inside = np.concatenate([blocks[i] for i in half]).mean(axis=0)
        outside = np.concatenate([blocks[i] for i in range(n_blocks) if i not in half]).mean(axis=0)
        best = inside.argmin()
        rank = 1 + (outside > outside[best]).sum() + 0.5 * ((outside == outside[best]).sum() - 1)
        relative = rank / (losses.shape[1] + 1)
        below.append(np.log(relative / (1 - relative)) <= 0)
    return np.mean(below)


@pytest.mark.parametrize(("cutoffs", "models", "n_blocks"), [(8, 2, 4), (40, 5, 8), (60, 12, 10)])
def test_equals_a_direct_computation(cutoffs, models, n_blocks):
    losses = np.random.default_rng(cutoffs).normal(size=(cutoffs, models)) ** 2
    assert overfitting(losses, n_blocks).probability == pytest.approx(directly(losses, n_blocks))


def test_known_results():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(160, 10))
    assert overfitting(noise - 3 * (np.arange(10) == 4)).probability == 0  # one is always the best
    shares = [overfitting(rng.normal(size=(64, 10)), 8).probability for _ in range(60)]
    assert 0.4 < np.mean(shares) < 0.6  # all are equal
    trend = np.where(np.arange(160)[:, None] < 80, noise + np.arange(10), noise - np.arange(10))
    assert overfitting(trend, 4).probability > 0.3  # what was good becomes bad


def test_too_little_to_split():
    for shape in ((3, 5), (40, 1), (0, 0)):
        result = overfitting(np.zeros(shape))
        assert np.isnan(result.probability)
        assert "cannot be computed" in str(result)
    for n_blocks in (2, 5):
        with pytest.raises(ValueError, match="even number of at least 4"):
            overfitting(np.zeros((40, 3)), n_blocks)


def test_of_tuned_models():
    prices = fc.load_sample("simulated")[["ar1"]]
    tuning = fc.tune(fc.WindowMean(), {"window": [1, 3, 100]}, prices, fc.WalkForward(1, 20), refit=10)
    result = tuning.overfitting()
    assert (result.n_models, len(result.ranks)) == (3, 252)  # two fits of five inner cutoffs: 10 over 5
    assert 0 <= result.probability <= 1
    assert "probability of overfitting" in str(result)
