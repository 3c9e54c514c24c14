"""Measures of forecast accuracy: pure functions of arrays of one shape; NaN are left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.models.smoothing.seasonality import is_seasonal, seasonal_indices


def mae(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Return the mean absolute error, in the units of the series."""
    return float(np.nanmean(np.abs(y - y_hat)))


def mse(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Return the mean squared error, in squared units of the series."""
    return float(np.nanmean((y - y_hat) ** 2))


def rmse(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Return the root mean squared error, in the units of the series."""
    return float(np.sqrt(mse(y, y_hat)))


def mase(y: np.ndarray, y_hat: np.ndarray, scale: np.ndarray) -> float:
    """Return the mean absolute error over `scale`, the mean absolute (seasonal) change of the training rows.

    It is comparable between series (Hyndman and Koehler, 2006).

    >>> mase(np.array([3.0, 5.0]), np.array([2.0, 5.0]), np.array([1.0, 1.0]))
    0.5
    """
    ratio = np.abs(y - y_hat) / scale
    return float(np.nanmean(ratio)) if not np.isnan(ratio).all() else float("nan")


def smape(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Return the symmetric mean absolute percentage error as in the M4 competition, 0 to 200; 0 where both are 0."""
    size = np.abs(y) + np.abs(y_hat)
    ratio = np.divide(np.abs(y - y_hat), size, out=np.zeros_like(size), where=size != 0)
    return float(200 * np.nanmean(ratio))


def naive2(train: np.ndarray, m: int, horizon: int) -> np.ndarray:
    """Return the forecast Naive2 of the M competitions: the last value, in the season of m rows if a test finds one.

    The season is that of a multiplicative classical decomposition; with an index that is not positive the series counts
    as one without a season (Makridakis, Spiliotis and Assimakopoulos, 2020). `train` is one series (T,).

    >>> naive2(np.array([1.0, 4.0, 2.0]), m=1, horizon=2).tolist()
    [2.0, 2.0]
    """
    season = seasonal_indices(train, m, multiply=True) if is_seasonal(train, m) else np.ones(m)
    if not (season > 0).all():
        season = np.ones(m)
    rows = len(train) + np.arange(horizon)
    return train[-1] / season[(len(train) - 1) % m] * season[rows % m]


def seasonal_scale(train: np.ndarray, m: int) -> float:
    """Return the mean absolute change over a season of m rows, by which MASE divides; NaN where it is 0 or unknown."""
    change = np.abs(train[m:] - train[:-m])
    scale = float(np.nanmean(change)) if (~np.isnan(change)).any() else 0.0
    return scale if scale > 0 else float("nan")


def owa(y: np.ndarray, y_hat: np.ndarray, train: np.ndarray, m: int) -> float:
    """Return the mean of sMAPE and MASE over those of Naive2 on one series, (H,): below 1 is better than Naive2.

    Over several series the M4 competition divides the mean sMAPE and the mean MASE by those of Naive2, which
    `competition_scores` does.
    """
    return competition_scores([y], [y_hat], [train], m)["owa"]


def competition_scores(
    y: Sequence[np.ndarray], y_hat: Sequence[np.ndarray], train: Sequence[np.ndarray], m: int
) -> dict[str, float]:
    """Return "smape", "mase" and "owa" of forecasts of several series as the M4 competition computes them.

    Parameters
    ----------
    y, y_hat : sequence of arrays of shape (H,)
        What came, and what was forecast; the horizon may differ between series.
    train : sequence of arrays of shape (T,)
        The training rows of each series.
    m : int
        The rows in a season, 1 for none.

    Returns
    -------
    dict of str to float
        Means over the series; "owa" is the mean of the ratios of both to Naive2's. A series whose training rows do not
        change over a season has no MASE and is left out of its mean.
    """
    naive = [naive2(own, m, len(actual)) for own, actual in zip(train, y, strict=True)]
    scales = [seasonal_scale(own, m) for own in train]

    def means(forecasts: Sequence[np.ndarray]) -> np.ndarray:
        pairs = list(zip(y, forecasts, scales, strict=True))
        errors = [np.abs(actual - forecast).mean() / scale for actual, forecast, scale in pairs]
        known = [error for error in errors if np.isfinite(error)]
        return np.array(
            [np.mean([smape(actual, own) for actual, own, _ in pairs]), np.mean(known) if known else np.nan]
        )

    ours, theirs = means(y_hat), means(naive)
    ratios = np.divide(ours, theirs, out=np.full(2, np.nan), where=theirs > 0)
    return {"smape": float(ours[0]), "mase": float(ours[1]), "owa": float(np.mean(ratios))}


def qlike(y: np.ndarray, y_hat: np.ndarray) -> float:
    """Return the mean QLIKE loss of variance forecasts, y/ŷ − ln(y/ŷ) − 1: 0 where they are exact (Patton, 2011).

    Like the squared error it ranks forecasts correctly although the variance itself is never observed, and it does not
    depend on the size of the variance. NaN unless all pairs without NaN are above 0.
    """
    observed = ~(np.isnan(y) | np.isnan(y_hat))
    losses = qlike_losses(y[observed], y_hat[observed])
    return float(losses.mean()) if len(losses) and not np.isnan(losses).any() else float("nan")


def qlike_losses(y: np.ndarray, y_hat: np.ndarray) -> np.ndarray:
    """Return the QLIKE loss of each variance forecast; NaN where either value is not above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((y > 0) & (y_hat > 0), np.divide(y, y_hat), np.nan)
        return ratio - np.log(ratio) - 1


def pinball(y: np.ndarray, q_hat: np.ndarray, level: float) -> float:
    """Return the quantile loss of a forecast quantile; at level 0.5 it is half the absolute error.

    >>> round(pinball(np.array([1.0]), np.array([2.0]), 0.9), 3)
    0.1
    """
    error = y - q_hat
    return float(np.nanmean(np.maximum(level * error, (level - 1) * error)))


def weighted_quantile_loss(y: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> float:
    """Return the quantile loss of the complete distribution over the size of the series; 0 is perfect.

    Twice the quantile losses (n, Q), summed over the rows and averaged over the levels, over the sum of `|y|`.
    """
    observed = ~(np.isnan(y) | np.isnan(quantiles).any(axis=1))
    size = np.abs(y[observed]).sum()
    if not size > 0:
        return float("nan")
    losses = [pinball(y[observed], quantiles[observed, i], level) * observed.sum() for i, level in enumerate(levels)]
    return float(2 * np.mean(losses) / size)


def crps(y: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]) -> float:
    """Return the continuous ranked probability score, in the units of the series (Matheson and Winkler, 1976).

    Twice the quantile loss, integrated over the levels 0 to 1: each of the quantiles (n, Q) represents the levels
    closest to its own. More levels are more exact; a single quantile at 0.5 yields the mean absolute error.
    """
    edges = np.concatenate([[0.0], (np.asarray(levels)[1:] + np.asarray(levels)[:-1]) / 2, [1.0]])
    losses = [pinball(y, quantiles[:, i], level) for i, level in enumerate(levels)]
    return float(2 * np.dot(np.diff(edges), losses))


def interval_score(y: np.ndarray, low: np.ndarray, high: np.ndarray, miss: float) -> float:
    """Return the mean width of an interval plus a penalty for misses, in the units of the series.

    `miss` is the nominal share of outcomes outside: 0.2 for an interval of 80 %. An outcome outside costs 2 / `miss`
    times its distance (Gneiting and Raftery, 2007).
    """
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return float(np.nanmean(high - low + 2 / miss * outside))


def coverage(y: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Return the share of outcomes inside the interval, its ends included.

    >>> coverage(np.array([1.0, 5.0]), np.array([0.0, 0.0]), np.array([2.0, 2.0]))
    0.5
    """
    observed = ~(np.isnan(y) | np.isnan(low) | np.isnan(high))
    return float(((y >= low) & (y <= high))[observed].mean()) if observed.any() else float("nan")


def directional_accuracy(y: np.ndarray, y_hat: np.ndarray, y0: np.ndarray) -> float:
    """Return the share of forecasts on the same side of the last price as the outcome.

    Rows on which the forecast or the outcome equals the last price are left out.
    """
    forecast, outcome = np.sign(y_hat - y0), np.sign(y - y0)
    counted = (np.nan_to_num(forecast) != 0) & (np.nan_to_num(outcome) != 0)
    return float((forecast == outcome)[counted].mean()) if counted.any() else float("nan")
