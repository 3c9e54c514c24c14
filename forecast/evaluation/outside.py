"""Whether forecasts contain outcomes that the prices behind them do not: statistics of an audit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

EXACT = 1e-6  # relative difference
NO_VARIATION = 1e-9  # of what remains of values after regressors, relative to the values


def association(values: np.ndarray, known: Sequence[np.ndarray], outcomes: np.ndarray) -> float:
    """Return how closely values follow outcomes (K, N) beyond what is known at each of K rows, as a z-score.

    The ranks of what remains of each series after a regression on the known values are correlated. The correlation is
    divided by the root mean square of those with the outcomes shifted by any number of rows, in a circle, so that
    autocorrelation of both counts.
    """
    left, right = np.zeros_like(outcomes), np.zeros_like(outcomes)
    for n in range(outcomes.shape[1]):
        columns = [values[:, n], outcomes[:, n], *(table[:, n] for table in known)]
        complete = np.isfinite(np.stack(columns)).all(axis=0)
        if complete.sum() > len(columns) + 1:
            regressors = np.stack([np.ones(complete.sum()), *(column[complete] for column in columns[2:])], axis=1)
            left[complete, n] = _ranks_of_rest(values[complete, n], regressors)
            right[complete, n] = _ranks_of_rest(outcomes[complete, n], regressors)
    products = np.array([(left * np.roll(right, shift, axis=0)).sum() for shift in range(len(outcomes))])
    spread = np.sqrt(np.mean(products[1:] ** 2)) if len(products) > 1 else 0.0
    return float(products[0] / spread) if spread > 0 else 0.0


def _ranks_of_rest(values: np.ndarray, regressors: np.ndarray) -> np.ndarray:
    """Return the centred ranks of what a regression leaves of values, zeros if it leaves nothing."""
    coefficients, *_ = np.linalg.lstsq(regressors, values, rcond=None)
    rest = values - regressors @ coefficients
    if np.abs(rest).max() <= NO_VARIATION * np.abs(values).max():
        return np.zeros_like(values)
    ranks = stats.rankdata(rest)
    return (ranks - ranks.mean()) / len(ranks)


def share_exact(forecasts: np.ndarray, outcomes: np.ndarray) -> float:
    """Return the share of forecasts (K, N) equal to their outcomes, 0 if half as many equal those of other rows."""
    shares = [_share_equal(forecasts, np.roll(outcomes, shift, axis=0)) for shift in range(len(outcomes))]
    return shares[0] if shares[0] > 2 * max(shares[1:], default=0.0) else 0.0


def _share_equal(forecasts: np.ndarray, outcomes: np.ndarray) -> float:
    finite = np.isfinite(forecasts) & np.isfinite(outcomes)
    equal = np.abs(forecasts - outcomes)[finite] <= EXACT * np.abs(outcomes[finite])
    return float(equal.mean()) if len(equal) else 0.0


def is_formula(target: np.ndarray) -> bool:
    """Return whether every series (T, N) repeats with some period, apart from a line."""
    return all(_repeats(series[~np.isnan(series)]) for series in target.T)


def _repeats(values: np.ndarray) -> bool:
    return any(
        np.ptp(values[period:] - values[:-period]) <= EXACT * np.ptp(values) for period in range(1, len(values) // 3)
    )
