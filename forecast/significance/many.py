"""All models at once: which of them cannot be told from the best, and whether the best of many is better than one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.scores import NAIVE
from forecast.significance.equal import ALPHA
from forecast.significance.verdict import loss_by_cutoff

REPETITIONS = 2000  # of the bootstrap


def model_confidence_set(
    forecasts: pd.DataFrame, overlap: int, size: float = 0.1, loss: str = "squared", seed: int = 0
) -> pd.DataFrame:
    """Say which models may be the best: the others are worse than one of these, at this `size` of error.

    A row for each model, most plausible first, with `p` and `in_set` (Hansen, Lunde and Nason, 2011; by arch's
    stationary bootstrap, whose blocks are at least as long as cutoffs overlap). Models whose losses are the same share
    one answer. With fewer than ten cutoffs, or fewer than three times the overlap, nobody can be excluded.
    """
    from arch.bootstrap import MCS

    table = loss_by_cutoff(forecasts, loss).dropna()
    groups = table.T.groupby([column.tobytes() for column in table.to_numpy().T], sort=False).groups.values()
    alike = {names[0]: list(names) for names in groups}
    different = table[list(alike)]
    p_values = pd.Series(1.0, index=different.columns)
    if len(alike) > 1 and _enough(table, overlap):
        found = MCS(different, size=size, reps=REPETITIONS, block_size=_block(different, overlap), seed=seed)
        found.compute()
        p_values = found.pvalues["Pvalue"].reindex(different.columns).fillna(0.0)
    answers = {name: float(p_values[first]) for first, same in alike.items() for name in same}
    rows = [(name, p, p > size) for name, p in answers.items()]
    return pd.DataFrame(rows, columns=["model", "p", "in_set"]).sort_values("p", ascending=False, ignore_index=True)


@dataclass(frozen=True)
class SuperiorAbility:
    """Whether any of many models is better than one: p-values of "none is", and how many were tried."""

    against: str
    best: str
    models: int
    lower: float
    consistent: float
    upper: float

    @property
    def sentence(self) -> str:
        """Say it in one sentence."""
        tried = f"of {self.models} model{'s' if self.models != 1 else ''} tried against {self.against}"
        if np.isnan(self.consistent):
            return f"Whether the best {tried} is better cannot be tested: too few cutoffs, or the same forecasts."
        said = "is better, even as the best of so many" if self.consistent < ALPHA else "may be the luckiest"
        return f"{self.best}, the best {tried}, {said} (SPA, p {self.consistent:.3f})."

    def __str__(self) -> str:
        return self.sentence


def superior_ability(
    forecasts: pd.DataFrame, overlap: int, against: str = NAIVE, loss: str = "squared", seed: int = 0
) -> SuperiorAbility:
    """Say whether the best of all models is better than one (naive), having been the best of so many.

    The test of superior predictive ability of Hansen (2005), by arch's stationary bootstrap.
    """
    from arch.bootstrap import SPA

    table = loss_by_cutoff(forecasts, loss).dropna()
    if against not in table:
        raise ValueError(f"there is no model {against!r} in this run to compare; it has {', '.join(table)}")
    others = table.drop(columns=against)
    apart = others.loc[:, [bool(np.ptp((others[name] - table[against]).to_numpy()) > 0) for name in others]]
    if apart.empty or not _enough(table, overlap):
        return SuperiorAbility(against, "", len(others.columns), np.nan, np.nan, np.nan)
    block = _block(apart.sub(table[against], axis=0), overlap)
    test = SPA(table[against], apart, block_size=block, reps=REPETITIONS, seed=seed)
    test.compute()
    p = test.pvalues
    best = str(apart.mean().idxmin())
    return SuperiorAbility(against, best, len(others.columns), p["lower"], p["consistent"], p["upper"])


def _enough(table: pd.DataFrame, overlap: int) -> bool:
    return len(table) >= max(10, 3 * overlap)


def _block(table: pd.DataFrame, overlap: int) -> int:
    """Choose the length of bootstrap blocks: as the losses ask for, and no shorter than cutoffs overlap."""
    from arch.bootstrap import optimal_block_length

    moving = table.loc[:, table.std() > 0]
    length = optimal_block_length(moving)["stationary"].max() if len(moving.columns) else 1.0
    longest = max(len(table) // 3, 1)
    return int(np.clip(np.ceil(np.nan_to_num(length, nan=1.0)), min(overlap, longest), longest))
