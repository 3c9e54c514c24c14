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


def shrinkage_factor(
    correction: np.ndarray,
    error: np.ndarray,
    rows: np.ndarray,
    loss: Loss = np.square,
    prior_odds: float = PRIOR_ODDS,
) -> float:
    """Return the posterior probability that corrections are real, in (0, 1).

    The errors of the base are regressed on the corrections: the slope is 1 or more if they are real, 0 if they are
    noise. Its variance is that of sums over blocks of rows, because errors of overlapping steps and of different series
    at one row are dependent. The likelihoods of both are those of Student's t with a degree of freedom less than
    blocks. Errors of step k are divided by √k, as they grow on a random walk.

    Where the rows are too few for two blocks, the evidence is that of the series: the variance is the larger of that of
    sums over series, and of sums over rows times H, as H successive rows share outcomes; the number of blocks is the
    smaller of the numbers of series and rows.

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
    prior_odds : float, default 1 / 20
        The odds, before any evidence, that the corrections are real.

    Returns
    -------
    float
    """
    length = rows[-1] - rows[0] + 1 if len(rows) else 0
    losses = np.stack(_losses(correction, error, loss))  # (3, K, N)
    blocks, horizon = min(length // (BLOCK_HORIZONS * correction.shape[2]), MAX_BLOCKS), correction.shape[2]
    if blocks >= 2:
        block = (rows - rows[0]) * blocks // length
        groups = [(np.stack([np.bincount(block, sums, blocks) for sums in losses.sum(axis=2)]), 1.0)]
    else:
        blocks = min(losses.shape[1:])
        groups = [(losses.sum(axis=1), 1.0), (losses.sum(axis=2), float(horizon))]
    prior = prior_odds / (1 + prior_odds)
    if blocks < 2:
        return prior
    none, half, full = losses.sum(axis=(1, 2))
    claimed = 2 * (full + none - 2 * half)  # the parabola through the three; of squared errors: Σ correction²
    total = (none - full + claimed) / 2  # Σ correction · error
    negligible = NEGLIGIBLE * (none + full)
    if max(claimed, abs(total)) <= negligible:
        return prior
    variances = [dependence * _variance_of_total(sums, negligible) for sums, dependence in groups]
    spread = blocks * max(variances) + negligible**2
    log_ratio = blocks / 2 * (np.log1p(total**2 / spread) - np.log1p(min(total - claimed, 0.0) ** 2 / spread))
    log_odds = np.clip(np.log(prior_odds) + log_ratio, -MAX_LOG_ODDS, MAX_LOG_ODDS)
    return float(1 / (1 + np.exp(-log_odds)))


def _variance_of_total(losses: np.ndarray, negligible: float) -> float:
    """Return the variance of Σ correction · error, a sum over independent groups.

    `losses` are those without, with half of and with all of the correction, (3, groups).
    """
    none, half, full = losses
    square = 2 * (full + none - 2 * half)
    product = (none - full + square) / 2
    is_curved = square.sum() > negligible  # absolute errors may have no curvature between the forecasts
    share = square / square.sum() if is_curved else np.full(len(square), 1 / len(square))
    return float(np.sum((product - product.sum() * share) ** 2))


def _losses(correction: np.ndarray, error: np.ndarray, loss: Loss) -> list[np.ndarray]:
    """Return the losses of each row and series without, with half of and with all of the correction, (K, N) each."""
    root = np.sqrt(np.arange(1, correction.shape[2] + 1))
    known = ~np.isnan(error) & np.isfinite(correction)
    correction, error = np.where(known, correction / root, 0.0), np.where(known, error / root, 0.0)
    return [loss(error - factor * correction).sum(axis=2) for factor in (0.0, 0.5, 1.0)]


def huber(error: np.ndarray) -> np.ndarray:
    """Return Huber's loss: half the square up to 1, linear beyond."""
    size = np.abs(error)
    return np.where(size <= 1, size**2 / 2, size - 0.5)


#: Training losses that also decide the shrinkage; with all others the squared error does, by which points are compared.
SHRINKAGE_LOSSES: dict[str, Loss] = {"mae": np.abs, "huber": huber}
