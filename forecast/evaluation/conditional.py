"""Tests of two forecasts whose ranking may change: Giacomini and White's conditional test, and the fluctuation test.

Losses are given by cutoff, in order of time, as for `diebold_mariano`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from forecast.evaluation.pairwise import standard_error_of_mean

#: Critical values (5 %, two-sided) of the fluctuation test by the share of the cutoffs in a window (Giacomini and
#: Rossi, 2010, table 1).
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
CRITICAL_VALUES = (3.393, 3.179, 3.012, 2.890, 2.779, 2.634, 2.560, 2.433, 2.248)


@dataclass(frozen=True)
class GiacominiWhite:
    """Statistic and p-value of the conditional test; `share_better` is how often the model is predicted to win."""

    statistic: float
    p: float
    share_better: float


@dataclass(frozen=True)
class Fluctuation:
    """Statistic by window (positive: the model's loss is smaller there) and the critical value of its maximum."""

    statistics: np.ndarray  # of each window
    window: int  # cutoffs in a window
    critical: float

    @property
    def is_significant(self) -> bool:
        """Whether one of the two is better in some window, at the level of 5 %."""
        return bool((np.abs(self.statistics) > self.critical).any())


def giacomini_white(loss_reference: np.ndarray, loss_model: np.ndarray, overlap: int = 1) -> GiacominiWhite:
    """Test whether the difference of two losses can be predicted from the difference before it.

    Diebold and Mariano test whether the mean difference is 0; this test, whether it is 0 at every time given what is
    known then: a model may be better in calm times and worse in others. The instruments are a constant and the newest
    difference known at the cutoff, `overlap` cutoffs earlier. The statistic is a Wald statistic with two degrees of
    freedom. `share_better` is the share of cutoffs at which the regression predicts that the model's loss is smaller.

    References
    ----------
    Giacomini and White (2006), Tests of conditional predictive ability.
    """
    from scipy.stats import chi2

    difference = np.asarray(loss_reference, dtype=float) - np.asarray(loss_model, dtype=float)
    later, earlier = difference[overlap:], difference[:-overlap]
    instruments = np.column_stack([np.ones(len(later)), earlier])
    if len(later) < 3 or np.linalg.matrix_rank(instruments) < 2:
        return GiacominiWhite(math.nan, 1.0, math.nan)
    statistic = _wald(instruments * later[:, None], overlap - 1)
    if math.isnan(statistic):
        return GiacominiWhite(math.nan, 1.0, math.nan)
    coefficients = np.linalg.lstsq(instruments, later, rcond=None)[0]
    share_better = float((instruments @ coefficients > 0).mean())
    return GiacominiWhite(statistic, float(chi2.sf(statistic, 2)), share_better)


def _wald(products: np.ndarray, lags: int) -> float:
    """Return the Wald statistic of a mean of 0 of products (K, 2): the smaller one of two long-run variances.

    These are unweighted, which is right for overlapping forecasts but may not be positive definite, and Bartlett's.
    """
    from statsmodels.stats.sandwich_covariance import S_hac_simple, weights_bartlett

    total = products.sum(axis=0)
    statistics = []
    for weights in (lambda n: np.ones(n + 1), weights_bartlett):
        variance = S_hac_simple(products, nlags=lags, weights_func=weights)
        if np.linalg.eigvalsh(variance).min() > 1e-12 * np.trace(variance):
            statistics.append(float(total @ np.linalg.solve(variance, total)))
    return min(statistics, default=math.nan)


def fluctuation(
    loss_reference: np.ndarray, loss_model: np.ndarray, overlap: int = 1, share: float = 0.3
) -> Fluctuation:
    """Test whether one of two forecasts is better during some part of a run.

    The mean difference over moving windows of `share` of the cutoffs is divided by its standard error, which is that of
    the whole run. The hypothesis of equal accuracy throughout is rejected where the largest absolute value exceeds the
    critical value; at one window alone, chosen after the fact, it would be exceeded too often.

    Raises ValueError if `share` is not between .1 and .9.

    References
    ----------
    Giacomini and Rossi (2010), Forecast comparisons in unstable environments.
    """
    if not SHARES[0] <= share <= SHARES[-1]:
        raise ValueError(f"share, the part of the cutoffs in a window, must be from .1 to .9; got {share}")
    difference = np.asarray(loss_reference, dtype=float) - np.asarray(loss_model, dtype=float)
    n = len(difference)
    window = max(round(share * n), 1)
    critical = float(np.interp(share, SHARES, CRITICAL_VALUES))
    if n <= overlap or np.ptp(difference) == 0:
        return Fluctuation(np.full(max(n - window + 1, 1), math.nan), window, critical)
    means = np.convolve(difference, np.ones(window) / window, mode="valid")
    deviation = standard_error_of_mean(difference, overlap) * math.sqrt(n)
    return Fluctuation(means * math.sqrt(window) / deviation, window, critical)
