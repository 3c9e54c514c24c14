"""The distribution of a fit's innovations: normal, or that of the training rows relative to the recent movement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from forecast.features.inputs import MIN_CHANGES, recent_changes

MIN_ERRORS = 100  # innovations, below which their distribution is normal
MIN_GAIN = 0.01  # share of the pinball loss; the quantiles of independent innovations gain less, by chance
#: Of `SeriesFit.spread`, if the innovations are normal with the variance of the fit.
NORMAL = np.empty(0)


def measure_spread(e: np.ndarray, scale: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Return the distribution of innovations relative to the recent movement, or `NORMAL` if that fits them better.

    Where volatility clusters, the innovations divided by the mean absolute change of the 60 rows before have nearly
    the same distribution on all rows. It is chosen if its quantiles lower the pinball loss on the
    training rows by 1 % or more.

    Parameters
    ----------
    e : array (T,)
        Standardised innovations of the training rows, NaN on missing ones.
    scale : array (T,)
        Recent movement at each row, 0 where it is unknown.
    levels : sequence of float
        The Q quantile levels.

    Returns
    -------
    array (Q + 1,) or (0,)
        The quantiles about the median and the standard deviation of innovations, divided by the recent movement.
    """
    known = ~np.isnan(e[1:]) & (scale[:-1] > 0)
    if known.sum() < MIN_ERRORS:
        return NORMAL
    e, scale = e[1:][known], scale[:-1][known]
    median, *quantiles = np.quantile(e / scale, (0.5, *levels))
    spread = np.array(quantiles) - median
    relative, normal = (_pinball(e, q, levels) for q in (scale[:, None] * spread, stats.norm.ppf(levels)))
    return np.append(spread, np.sqrt(np.mean((e / scale) ** 2))) if relative < (1 - MIN_GAIN) * normal else NORMAL


def recent_scale(y: np.ndarray) -> np.ndarray:
    """Return the recent movement of a series at each row (T,), 0 where it has too few changes."""
    scale, n_changes = recent_changes(y[:, None])
    return np.where(n_changes >= MIN_CHANGES, scale, 0.0)[:, 0]


def standard_quantiles(
    spread: np.ndarray, scale: np.ndarray, levels: Sequence[float], horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the quantiles of standardised errors 1 … H steps ahead, (K, H, Q), and their variance (K,).

    `scale` (K,) is the recent movement at the cutoffs. An error of h steps is a sum of innovations: its distance from
    a normal distribution is taken to be 1/h of theirs, as the kurtosis of a sum declines.
    """
    normal, steps = stats.norm.ppf(levels), np.arange(1, horizon + 1)[:, None]
    known = scale > 0 if len(spread) else np.zeros(len(scale), dtype=bool)
    if not known.any():
        return np.tile(normal, (len(scale), horizon, 1)), np.ones_like(scale)
    by_step = spread[-1] * normal + (spread[:-1] - spread[-1] * normal) / steps  # (H, Q)
    quantiles = np.where(known[:, None, None], scale[:, None, None] * by_step, normal)
    return quantiles, np.where(known, (scale * spread[-1]) ** 2, 1.0)


def _pinball(e: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> float:
    """Return the pinball loss of quantiles (T, Q) or (Q,) of innovations (T,), summed over rows and levels."""
    gap = e[:, None] - quantiles
    return float(np.maximum(np.asarray(levels) * gap, (np.asarray(levels) - 1) * gap).sum())
