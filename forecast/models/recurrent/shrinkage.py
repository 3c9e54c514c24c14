"""The shrinkage factor: how far the corrections of a network are used, decided by rows that it was not trained on.

Every training finds some correction, also on a random walk. The factor is the posterior probability that the base plus
the correction, rather than the base alone, describes the newest training rows: Bayesian averaging of two forecasts.
"""

from __future__ import annotations

import numpy as np

#: Odds, before any evidence, that a correction describes later rows. Without anything to learn a factor of 1/2 or more
#: needs a likelihood ratio of 20, whose probability is at most 1/20 (Markov's inequality).
PRIOR_ODDS = 1 / 20
PRIOR = PRIOR_ODDS / (1 + PRIOR_ODDS)
MAX_BLOCKS, BLOCK_HORIZONS = 20, 2  # blocks of consecutive rows, each at least two horizons long
TINY = 1e-12
MAX_LOG_ODDS = 500.0


def shrinkage_factor(correction: np.ndarray, error: np.ndarray, rows: np.ndarray) -> float:
    """Return the posterior probability that corrections are real, in (0, 1).

    The errors of the base are regressed on the corrections: the slope is about 1 if they are real, 0 if they are noise.
    Its variance is that of sums over blocks of rows, because errors of overlapping steps and of different series at one
    row are dependent. The likelihoods of both values are those of Student's t with a degree of freedom less than
    blocks. Errors of step k have the weight 1/k, the inverse of their variance on a random walk.

    Parameters
    ----------
    correction : array of shape (K, N, H)
        The network's corrections, relative to the scale, at rows that it was not trained on.
    error : array of shape (K, N, H)
        The base's errors there, relative to the scale; NaN where they are not known.
    rows : array of shape (K,)
        The numbers of the rows, increasing.

    Returns
    -------
    float
    """
    horizon = correction.shape[2]
    length = rows[-1] - rows[0] + 1 if len(rows) else 0
    blocks = min(length // (BLOCK_HORIZONS * horizon), MAX_BLOCKS)
    product, square = _row_sums(correction, error)
    if blocks < 2 or not square.sum() > 0:
        return _probability(0.0)
    block = (rows - rows[0]) * blocks // length
    product, square = (np.bincount(block, sums, blocks) for sums in (product, square))
    slope = product.sum() / square.sum()
    residual = product - slope * square
    spread = max(blocks * np.sum(residual**2) / square.sum() ** 2, TINY)  # degrees of freedom times variance
    log_ratio = blocks / 2 * (np.log1p(slope**2 / spread) - np.log1p((slope - 1) ** 2 / spread))
    return _probability(float(log_ratio))


def _row_sums(correction: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of correction · error and of correction² over the series and steps of each row, (K,) each."""
    known = ~np.isnan(error) & np.isfinite(correction)
    weight = known / np.arange(1, correction.shape[2] + 1)
    correction, error = np.where(known, correction, 0.0), np.where(known, error, 0.0)
    return (weight * correction * error).sum(axis=(1, 2)), (weight * correction**2).sum(axis=(1, 2))


def _probability(log_ratio: float) -> float:
    """Return the posterior probability at a logarithm of the likelihood ratio."""
    log_odds = np.clip(np.log(PRIOR_ODDS) + log_ratio, -MAX_LOG_ODDS, MAX_LOG_ODDS)
    return float(1 / (1 + np.exp(-log_odds)))
