"""Test of directions: do a model's forecasts rise and fall with the series more often than by chance?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.evaluation.losses import NAIVE
from forecast.evaluation.multiple import holm
from forecast.evaluation.pairwise import ALPHA
from forecast.evaluation.scores import origin, rows_of_step

MIN_MOVES = 10  # forecast and observed moves needed for a test


def directions(forecasts: pd.DataFrame, step: int = 1, step_size: int = 1, reference: str = NAIVE) -> pd.DataFrame:
    """Test whether models forecast the direction of a move better than chance: a row for each model and series.

    `hit_rate` is the share of moves whose direction is forecast correctly, `by_chance` the share expected of
    independent forecasts with the same share of rises (in a market that rises on 52 % of days, 52 % for a forecast that
    always rises). `p` is one-sided, `p_holm` is adjusted over all models and series that could be tested. Rows on which
    the forecast or the price does not move are left out. A move is measured from the last value; where `reference` is
    "zero", the target is itself a move, measured from 0. Moves of `step` rows from cutoffs `step_size` rows apart must
    not overlap, since the test assumes that they are independent.

    References
    ----------
    Pesaran and Timmermann (1992), A simple nonparametric test of predictive performance.
    """
    table = rows_of_step(forecasts, step, step_size)
    table = table.assign(origin=origin(table, reference))
    groups = table.groupby(["model", "unique_id"], observed=True)
    result = pd.DataFrame(
        [{"model": str(model), "unique_id": str(series)} | _test(rows) for (model, series), rows in groups]
    )
    tested = result["finding"] == ""
    result["p_holm"] = 1.0
    result.loc[tested, "p_holm"] = holm(result.loc[tested, "p"].to_numpy())
    significant = np.where(result["p_holm"] < ALPHA, "calls the direction", "not distinguishable from chance")
    result["finding"] = np.where(tested, significant, result["finding"])
    return result[["model", "unique_id", "n", "hit_rate", "by_chance", "p", "p_holm", "finding"]]


def _test(rows: pd.DataFrame) -> dict[str, object]:
    """Test one model's directions on one series; `finding` is empty if a test was possible."""
    from statsmodels.stats.diagnostic import pesaran_timmermann

    outcome, forecast = (np.sign(rows[column] - rows["origin"]).to_numpy() for column in ("y", "y_hat"))
    counted = (outcome != 0) & (forecast != 0)
    rose, up = outcome[counted] > 0, forecast[counted] > 0
    result = {"n": len(rose), "hit_rate": np.nan, "by_chance": np.nan, "p": 1.0}
    if len(rose):
        chance = up.mean() * rose.mean() + (1 - up.mean()) * (1 - rose.mean())
        result |= {"hit_rate": float((rose == up).mean()), "by_chance": float(chance)}
    finding = "" if outcome.any() else "the series never moved"
    finding = finding or _untestable(rose, up)
    if not finding:
        signs = (np.where(side, 1.0, -1.0) for side in (rose, up))
        result["p"] = float(pesaran_timmermann(*signs, alternative="larger").pvalue)
    return result | {"finding": finding}


def _untestable(rose: np.ndarray, up: np.ndarray) -> str:
    """Return why directions cannot be tested; empty if they can be."""
    if len(rose) == 0:
        return "never calls a direction"
    if up.all() or not up.any():
        return f"always calls {'up' if up.all() else 'down'}"
    if rose.all() or not rose.any():
        return f"the series only {'rose' if rose.all() else 'fell'}"
    return "too few moves" if len(rose) < MIN_MOVES else ""
