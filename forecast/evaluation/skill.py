"""The interval of a skill, and the smallest skill that a run detects.

The skill of one model relative to another is 1 − r, where r is the geometric mean over series of the ratios of their
mean losses. Number, test and interval are of this one quantity.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from forecast.evaluation.losses import PINBALL, QLIKE, LossTable
from forecast.evaluation.pairwise import (
    ALPHA,
    DieboldMariano,
    cosine_standard_error,
    cosines,
    equal_accuracy_test,
)

LEVEL = 0.90  # of the intervals
POWER = 0.80


def accuracy_test(table: LossTable, model: str, against: str, overlap: int) -> DieboldMariano:
    """Test whether two models are equally accurate: whether the skill of one relative to the other is 0.

    Differences of losses that judge a spread or a variance are taken as persistent.
    """
    differences, negligible = table.differences(model, against), table.tolerance(against)
    differences = np.where(np.abs(differences) <= negligible, 0.0, differences)
    return equal_accuracy_test(differences, overlap, negligible, persistent=table.loss in (PINBALL, QLIKE))


def skill_interval(table: LossTable, model: str, against: str, overlap: int) -> tuple[float, float]:
    """Return the ends of the 90 % interval of a model's skill relative to another.

    The logarithm of r has an error that is estimated from the jackknife's pseudo-values of the cutoffs, so that both
    mean losses count as estimates, with a long-run variance from cosines (`cosine_standard_error`) and its t
    distribution. It is the interval for these series, over time.

    References
    ----------
    Miller (1974), The jackknife: a review.
    """
    from scipy.special import stdtrit

    if len(table.cutoffs) < 2:
        return math.nan, math.nan
    degrees = cosines(len(table.cutoffs), overlap)
    error = cosine_standard_error(table.pseudo_values(model, against), degrees)
    width = float(stdtrit(degrees, (1 + LEVEL) / 2)) * error
    center = float(table.log_ratios(model, against).mean())
    return 1 - math.exp(center + width), 1 - math.exp(center - width)


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
