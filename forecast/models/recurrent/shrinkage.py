"""The shrinkage factor: how far the corrections of a network are used, decided by rows that it was not trained on.

Every training finds some correction, also on a random walk. The factor is the posterior probability that the base plus
the correction, rather than the base alone, describes the newest training rows: Bayesian averaging of two forecasts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Loss = Callable[[np.ndarray], np.ndarray]

#: Odds, before any evidence, that a correction describes later rows. A factor of a half or more then needs a likelihood
#: ratio of 20: a slope that is at least 2.4 standard errors above 0.
PRIOR_ODDS = 1 / 20
PRIOR = PRIOR_ODDS / (1 + PRIOR_ODDS)
MAX_BLOCKS, BLOCK_HORIZONS = 20, 2  # blocks of consecutive rows, each at least two horizons long
NEGLIGIBLE = 1e-9  # change of a loss, relative to it, that is a rounding error
MAX_LOG_ODDS = 500.0


def shrinkage_factor(correction: np.ndarray, error: np.ndarray, rows: np.ndarray, loss: Loss = np.square) -> float:
    """Return the posterior probability that corrections are real, in (0, 1).

    The errors of the base are regressed on the corrections: the slope is 1 or more if they are real, 0 if they are
    noise. Its variance is that of sums over blocks of rows, because errors of overlapping steps and of different series
    at one row are dependent. The likelihoods of both are those of Student's t with a degree of freedom less than
    blocks. Errors of step k are divided by √k, as they grow on a random walk.

    Parameters
    ----------
    correction : array of shape (K, N, H)
        The network's corrections, relative to the scale, at rows that it was not trained on.
    error : array of shape (K, N, H)
        The base's errors there, relative to the scale; NaN where they are not known.
    rows : array of shape (K,)
        The numbers of the rows, increasing.
    loss : callable, default numpy.square
        A convex loss of errors, whose slope is measured: the regression is by least squares, or least absolute errors.

    Returns
    -------
    float
    """
    length = rows[-1] - rows[0] + 1 if len(rows) else 0
    blocks = min(length // (BLOCK_HORIZONS * correction.shape[2]), MAX_BLOCKS)
    if blocks < 2:
        return PRIOR
    block = (rows - rows[0]) * blocks // length
    none, half, full = (np.bincount(block, sums, blocks) for sums in _losses(correction, error, loss))
    square = 2 * (full + none - 2 * half)  # the parabola through the three; of squared errors: Σ correction²
    product = (none - full + square) / 2  # Σ correction · error
    negligible = NEGLIGIBLE * (none + full).sum()
    if square.sum() > negligible:
        share = square / square.sum()
    elif abs(product.sum()) > negligible:
        share = np.full(blocks, 1 / blocks)  # a loss without curvature between the forecasts
    else:
        return PRIOR
    total, claimed = product.sum(), square.sum()
    spread = blocks * np.sum((product - total * share) ** 2) + negligible**2  # degrees of freedom · variance of total
    log_ratio = blocks / 2 * (np.log1p(total**2 / spread) - np.log1p(min(total - claimed, 0.0) ** 2 / spread))
    log_odds = np.clip(np.log(PRIOR_ODDS) + log_ratio, -MAX_LOG_ODDS, MAX_LOG_ODDS)
    return float(1 / (1 + np.exp(-log_odds)))


def _losses(correction: np.ndarray, error: np.ndarray, loss: Loss) -> list[np.ndarray]:
    """Return the losses of each row without, with half of and with all of the correction, (K,) each."""
    root = np.sqrt(np.arange(1, correction.shape[2] + 1))
    known = ~np.isnan(error) & np.isfinite(correction)
    correction, error = np.where(known, correction / root, 0.0), np.where(known, error / root, 0.0)
    return [loss(error - factor * correction).sum(axis=(1, 2)) for factor in (0.0, 0.5, 1.0)]


def huber(error: np.ndarray) -> np.ndarray:
    """Return Huber's loss: half the square up to 1, linear beyond."""
    size = np.abs(error)
    return np.where(size <= 1, size**2 / 2, size - 0.5)


#: Training losses that also decide the shrinkage; with all others the squared error does, by which points are compared.
SHRINKAGE_LOSSES: dict[str, Loss] = {"mae": np.abs, "huber": huber}
