"""Tests of intervals: is the share of outcomes outside as stated (Kupiec), and do misses cluster (Christoffersen)?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.evaluation.multiple import holm
from forecast.evaluation.pairwise import ALPHA
from forecast.evaluation.scores import Rows, grouped, rows_of_step
from forecast.models.base import quantile_columns

MIN_EXPECTED_MISSES = 5  # fewer cannot show that a share is wrong


def interval_tests(forecasts: pd.DataFrame, step: int = 1, step_size: int = 1) -> pd.DataFrame:
    """Test whether the intervals of each model on each series contain as many outcomes as stated.

    The interval is that of the lowest and highest quantile of the model.

    Parameters
    ----------
    forecasts : DataFrame
        The long table of a run.
    step : int, default 1
        Step of the forecasts that are tested.
    step_size : int, default 1
        Rows between two cutoffs. Outcomes of `step` rows from cutoffs `step_size` rows apart must not overlap, since
        the tests assume that misses are independent.

    Returns
    -------
    DataFrame
        A row for each model and series: `n` outcomes, `stated` and observed `coverage`, `p_coverage` (Kupiec),
        `p_clustering` (Christoffersen), `p_holm` (of `p_coverage`, adjusted over all rows that could be tested),
        `finding`.

    Raises
    ------
    ValueError
        If outcomes overlap, or no row of this step is shared by all models.

    References
    ----------
    Kupiec (1995), Techniques for verifying the accuracy of risk measurement models; Christoffersen (1998), Evaluating
    interval forecasts.
    """
    table = rows_of_step(forecasts, step, step_size)
    levels = quantile_columns(table.columns)
    groups = grouped(table.sort_values(["model", "unique_id", "cutoff"]), ["model", "unique_id"])
    rows = [{"model": str(model), "unique_id": str(series)} | _test(own, levels) for (model, series), own in groups]
    result = pd.DataFrame(rows)
    tested = result["finding"] == ""
    result["p_holm"] = 1.0
    result.loc[tested, "p_holm"] = holm(result.loc[tested, "p_coverage"].to_numpy())
    wrong = np.where(result["coverage"] < result["stated"], "too narrow", "too wide")
    found = np.where(result["p_holm"] < ALPHA, wrong, "as stated")
    result["finding"] = np.where(tested, found, result["finding"])
    columns = ["model", "unique_id", "n", "stated", "coverage", "p_coverage", "p_clustering", "p_holm", "finding"]
    return result[columns]


def kupiec(misses: np.ndarray, share: float) -> float:
    """Return the p-value of the hypothesis that each outcome is a miss with probability `share`.

    `misses` is an array (K,) of bool. The test is the likelihood ratio with one degree of freedom.
    """
    n, k = len(misses), int(np.sum(misses))
    return _p_value(_log_likelihood(k, n, k / n) - _log_likelihood(k, n, share))


def christoffersen(misses: np.ndarray) -> float:
    """Return the p-value of the hypothesis that a miss is as probable after a miss as after a hit.

    `misses` is an array (K,) of bool in order of time. The test is the likelihood ratio of a first-order Markov chain
    with one degree of freedom.
    """
    before, after = np.asarray(misses[:-1], dtype=bool), np.asarray(misses[1:], dtype=bool)
    likelihood = 0.0
    for group in (after[before], after[~before]):
        if len(group):
            likelihood += _log_likelihood(int(group.sum()), len(group), float(group.mean()))
    return _p_value(likelihood - _log_likelihood(int(after.sum()), len(after), float(after.mean())))


def _log_likelihood(k: int, n: int, share: float) -> float:
    from scipy.special import xlog1py, xlogy

    return float(xlogy(k, share) + xlog1py(n - k, -share))


def _p_value(gain: float) -> float:
    """Return the p-value of a gain in log-likelihood by one parameter."""
    from scipy.stats import chi2

    return float(chi2.sf(max(2 * gain, 0.0), 1))


def _test(rows: Rows, levels: Mapping[float, str]) -> dict[str, object]:
    """Test one model's intervals on one series; `finding` is empty if a test was possible."""
    known = [level for level, name in levels.items() if not np.isnan(rows[name]).any()]
    y = rows["y"]
    result: dict[str, object] = {"n": len(y), "stated": np.nan, "coverage": np.nan}
    result |= {"p_coverage": 1.0, "p_clustering": 1.0}
    if len(known) < 2:
        return result | {"finding": "no interval"}
    low, high = min(known), max(known)
    misses = ~((rows[levels[low]] <= y) & (y <= rows[levels[high]]))
    share = 1 - (high - low)
    result |= {"stated": high - low, "coverage": float(1 - misses.mean())}
    if len(y) * min(share, 1 - share) < MIN_EXPECTED_MISSES:
        return result | {"finding": "too few outcomes"}
    return result | {"p_coverage": kupiec(misses, share), "p_clustering": christoffersen(misses), "finding": ""}
