"""The interval of a skill, and the smallest skill that a run detects.

The skill of one model relative to another is 1 − r, where r is the geometric mean over series of the ratios of their
mean losses. Number, test and interval are of this one quantity.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from forecast.evaluation.losses import LossTable
from forecast.evaluation.pairwise import ALPHA

LEVEL = 0.90  # of the intervals
POWER = 0.80
MAX_COSINES = 12  # more do not narrow the interval by much, and are misled by losses that depend on the past


def skill_interval(table: LossTable, model: str, against: str, overlap: int) -> tuple[float, float]:
    """Return the ends of the 90 % interval of a model's skill relative to another.

    The logarithm of r has an error that is estimated from the jackknife's pseudo-values of the cutoffs, so that both
    mean losses count as estimates. Their long-run variance is the mean of their squared projections on the first ν
    cosines, ν = .41 K^(2/3), at most 12 and at most half the number of cutoffs that do not overlap; the distribution
    is Student's with ν degrees of freedom. It is the interval for these series, over time.

    References
    ----------
    Lazarus, Lewis, Stock and Watson (2018), HAR inference: recommendations for practice; Miller (1974), The jackknife.
    """
    from scipy import stats

    n = len(table.cutoffs)
    if n < 2:
        return math.nan, math.nan
    degrees = cosines(n, overlap)
    times = (np.arange(n) + 0.5) / n
    basis = np.sqrt(2 / n) * np.cos(np.pi * np.arange(1, degrees + 1)[:, None] * times)  # (ν, K)
    error = math.sqrt(np.mean((basis @ table.pseudo_values(model, against)) ** 2) / n)
    width = float(stats.t.ppf((1 + LEVEL) / 2, df=degrees)) * error
    center = float(table.log_ratios(model, against).mean())
    return 1 - math.exp(center + width), 1 - math.exp(center - width)


def cosines(n: int, overlap: int) -> int:
    """Return how many cosines estimate the long-run variance of `n` values: the degrees of freedom, at least 2."""
    return max(min(int(0.41 * n ** (2 / 3)), MAX_COSINES, n // (2 * overlap)), 2)


def detectable_skill(standard_error: float, degrees: int, n_models: int) -> float:
    """Return the true skill that is found with a probability of 80 %.

    Parameters
    ----------
    standard_error : float
        Of the mean of `LossTable.differences`.
    degrees : int
        Degrees of freedom of the test.
    n_models : int
        Number of models among which Holm's adjustment is made. If only one of them has a skill, its p-value has to be
        below .05 / `n_models`.

    Returns
    -------
    float
        The skill, below 1; NaN without a standard error.
    """
    return 1 - math.exp(-noncentrality(degrees, ALPHA / max(n_models, 1)) * standard_error)


@lru_cache(maxsize=256)
def noncentrality(degrees: int, size: float) -> float:
    """Return the true mean, in standard errors, that a one-sided t test of this size finds with a power of 80 %."""
    from scipy import optimize, stats

    critical = stats.t.ppf(1 - size, df=degrees)
    upper = critical + 10 + 10 * critical / math.sqrt(degrees)
    return float(optimize.brentq(lambda mean: stats.nct.sf(critical, degrees, mean) - POWER, 0.0, upper))
