"""The season of a series: a test for one, and its indices by classical decomposition."""

from __future__ import annotations

import numpy as np

CRITICAL = 1.645  # of the standard normal distribution, two-sided at 90 %


def is_seasonal(y: np.ndarray, m: int) -> bool:
    """Return whether the autocorrelation at lag m differs from zero at the 90 % level, given three seasons.

    The variance is Bartlett's, from the autocorrelations before lag m (Assimakopoulos and Nikolopoulos, 2000).
    """
    if m < 2 or len(y) < 3 * m or np.ptp(y) == 0:
        return False
    centred = y - y.mean()
    correlation = np.array([centred[k:] @ centred[: len(y) - k] for k in range(1, m + 1)]) / (centred @ centred)
    variance = (1 + 2 * np.square(correlation[:-1]).sum()) / len(y)
    return bool(abs(correlation[-1]) > CRITICAL * np.sqrt(variance))


def seasonal_indices(y: np.ndarray, m: int, multiply: bool) -> np.ndarray:
    """Return the season (m,) by rows since the first: mean ratios to a centred moving mean, or mean differences."""
    weights = np.ones(m) / m if m % 2 else np.array([0.5, *np.ones(m - 1), 0.5]) / m
    trend = np.convolve(y, weights, mode="valid")
    half = len(weights) // 2
    inner = y[half : half + len(trend)]
    parts = inner / trend if multiply else inner - trend
    phase = (half + np.arange(len(trend))) % m
    season = np.bincount(phase, parts, m) / np.bincount(phase, minlength=m)
    return season / season.mean() if multiply else season - season.mean()
