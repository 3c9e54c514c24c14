"""Measures of forecasts: pure functions of arrays of any one shape, NaN left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def mae(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Mean absolute error, in the units of the series."""
    return float(np.nanmean(np.abs(y - y_hat)))


def mse(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Mean squared error, in squared units of the series."""
    return float(np.nanmean((y - y_hat) ** 2))


def rmse(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Root of the mean squared error, in the units of the series."""
    return float(np.sqrt(mse(y, y_hat)))


def mase(y: np.ndarray, y_hat: np.ndarray, scale: np.ndarray) -> float:
    """Mean absolute error over the training rows' mean absolute (seasonal) change: comparable between series.

    >>> mase(np.array([3.0, 5.0]), np.array([2.0, 5.0]), np.array([1.0, 1.0]))
    0.5
    """
    ratio = np.abs(y - y_hat) / scale
    return float(np.nanmean(ratio)) if not np.isnan(ratio).all() else float("nan")


def smape(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Symmetric mean absolute percentage error as M4 counts it, 0 to 200; 0 where both are 0."""
    size = np.abs(y) + np.abs(y_hat)
    ratio = np.divide(np.abs(y - y_hat), size, out=np.zeros_like(size), where=size != 0)
    return float(200 * np.nanmean(ratio))


def qlike(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Loss of a variance forecast, 0 where it is exact: y/ŷ − ln(y/ŷ) − 1 (Patton, 2011).

    Like the squared error it ranks forecasts right although the variance itself is never seen, and the size of the
    variance does not matter to it. NaN unless all that is known is above 0.
    """
    known = ~(np.isnan(y) | np.isnan(y_hat))
    each = qlike_each(y[known], y_hat[known])
    return float(each.mean()) if len(each) and not np.isnan(each).any() else float("nan")


def qlike_each(y: np.ndarray, y_hat: np.ndarray) -> np.ndarray:
    """Give the loss of each variance forecast; NaN where either is not above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((y > 0) & (y_hat > 0), np.divide(y, y_hat), np.nan)
        return ratio - np.log(ratio) - 1


def pinball(y: np.ndarray, q_hat: np.ndarray, level: float) -> float:
    """Quantile loss of a forecast quantile; at level 0.5 half the absolute error.

    >>> round(pinball(np.array([1.0]), np.array([2.0]), 0.9), 3)
    0.1
    """
    error = y - q_hat
    return float(np.nanmean(np.maximum(level * error, (level - 1) * error)))


def weighted_quantile_loss(y: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> float:
    """Quantile loss of the whole distribution over the size of the series; 0 is perfect.

    Twice the quantile losses (n, Q), summed over the rows and averaged over the levels, over the sum of `|y|`.
    """
    known = ~(np.isnan(y) | np.isnan(quantiles).any(axis=1))
    size = np.abs(y[known]).sum()
    if not size > 0:
        return float("nan")
    each = [pinball(y[known], quantiles[known, i], level) * known.sum() for i, level in enumerate(levels)]
    return float(2 * np.mean(each) / size)


def crps(y: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> float:
    """Continuous ranked probability score of the whole distribution, in the units of the series (Matheson and Winkler).

    Twice the quantile loss, integrated over the levels 0 to 1: each of the quantiles (n, Q) stands for the levels
    nearest to its own. The more levels, the closer; a point alone gives the mean absolute error.
    """
    edges = np.concatenate([[0.0], (np.asarray(levels)[1:] + np.asarray(levels)[:-1]) / 2, [1.0]])
    each = [pinball(y, quantiles[:, i], level) for i, level in enumerate(levels)]
    return float(2 * np.dot(np.diff(edges), each))


def interval_score(y: np.ndarray, low: np.ndarray, high: np.ndarray, miss: float) -> float:
    """Width of the interval and what misses cost, in the units of the series (Gneiting and Raftery, 2007).

    `miss` is the share of outcomes that may fall outside: 0.2 for an interval of 80 %. An outcome outside costs
    2 / `miss` times its distance.
    """
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return float(np.nanmean(high - low + 2 / miss * outside))


def coverage(y: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of outcomes inside the interval, its ends included.

    >>> coverage(np.array([1.0, 5.0]), np.array([0.0, 0.0]), np.array([2.0, 2.0]))
    0.5
    """
    known = ~(np.isnan(y) | np.isnan(low) | np.isnan(high))
    return float(((y >= low) & (y <= high))[known].mean()) if known.any() else float("nan")


def directional_accuracy(y: np.ndarray, y_hat: np.ndarray, y0: np.ndarray) -> float:
    """Share of forecasts on the right side of the last price; those that say or saw no move are left out."""
    said, saw = np.sign(y_hat - y0), np.sign(y - y0)
    called = (np.nan_to_num(said) != 0) & (np.nan_to_num(saw) != 0)
    return float((said == saw)[called].mean()) if called.any() else float("nan")


def skill(score: np.ndarray, reference: np.ndarray) -> float:
    """Share of the reference's loss that was removed: 1 less the geometric mean over series of score / reference.

    With mean squared errors and naive as reference this is the out-of-sample R² of Campbell and Thompson (2008).
    0 / 0 counts as 1: a series on which both are perfect tells nothing.

    >>> round(skill([0.9, 1.8], [1.0, 2.0]), 3)
    0.1
    """
    score, reference = np.asarray(score, dtype=float), np.asarray(reference, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((score == 0) & (reference == 0), 1.0, score / reference)
        return float(1 - np.exp(np.nanmean(np.log(ratio)))) if np.isfinite(ratio).any() else float("nan")
