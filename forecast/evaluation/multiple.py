"""All models at once: which of them cannot be told from the best, and whether the best of many is better than one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.evaluation.pairwise import ALPHA, SAME
from forecast.evaluation.scores import NAIVE
from forecast.evaluation.verdict import loss_by_cutoff, p_in_words

REPETITIONS = 2000  # of the bootstrap


def model_confidence_set(
    forecasts: pd.DataFrame, overlap: int, size: float = 0.1, loss: str = "squared", seed: int = 0
) -> pd.DataFrame:
    """Say which models may be the best: the others are worse than one of these, at this `size` of error.

    A row for each model, most plausible first, with `p` and `in_set` (Hansen, Lunde and Nason, 2011; by arch's
    stationary bootstrap, whose blocks are at least as long as cutoffs overlap). Models whose losses differ by the same
    at every cutoff, or not at all, cannot be tested against each other and share the answer of the best of them. With
    fewer than ten cutoffs, or fewer than three times the overlap, nobody can be excluded.
    """
    from arch.bootstrap import MCS

    if not 0 < size < 1:
        raise ValueError(f"size is the share of errors allowed, between 0 and 1; got {size}")
    table = loss_by_cutoff(forecasts, loss).dropna()
    alike = _alike(table) if _enough(table, overlap) else {}
    answers = dict.fromkeys(table.columns, 1.0)
    if len(alike) > 1:
        different = table[list(alike)]
        found = MCS(different, size=size, reps=REPETITIONS, block_size=_block(different, overlap), seed=seed)
        found.compute()
        p_values = found.pvalues["Pvalue"]
        answers = {name: float(p_values[first]) for first, same in alike.items() for name in same}
    rows = [(name, p, p > size) for name, p in answers.items()]
    said = pd.DataFrame(rows, columns=["model", "p", "in_set"])
    return said.sort_values("p", ascending=False, kind="stable", ignore_index=True)


def _alike(table: pd.DataFrame) -> dict[str, list[str]]:
    """Group models whose losses never move apart (arch would divide by 0), each group under the best of it."""
    groups: dict[str, list[str]] = {}
    for name in table.mean().sort_values(kind="stable").index:
        first = next((other for other in groups if not _moves(table[name] - table[other])), name)
        groups.setdefault(first, []).append(name)
    return groups


def _moves(difference: pd.Series) -> bool:
    return bool(np.ptp(difference.to_numpy()) > SAME)


@dataclass(frozen=True)
class SuperiorAbility:
    """Whether any of many models is better than one: p-values of "none is", and how many were tried."""

    against: str
    best: str
    models: int
    lower: float
    consistent: float
    upper: float
    smaller: bool  # the best one's mean loss, than that of `against`

    @property
    def sentence(self) -> str:
        """Say it in one sentence."""
        if self.models == 0:
            return f"Only {self.against} was run: there is nothing to compare."
        many = self.models > 1
        tried = f"the {f'best of {self.models} models' if many else 'only model'} tried against {self.against}"
        if np.isnan(self.consistent):
            return f"Whether {tried} is better cannot be tested: too few cutoffs, or losses that never move apart."
        if self.consistent < ALPHA:
            said = "is better, even as the best of so many" if many else "is better"
        elif self.smaller:
            said = f"may be {'the luckiest' if many else 'lucky'}"
        else:
            said = "has no smaller loss"
        return f"{self.best}, {tried}, {said} (SPA, p {p_in_words(self.consistent)})."

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
    enough = _enough(table, overlap)
    apart = others[[name for name in others if enough and _moves(others[name] - table[against])]]
    if apart.empty:
        return SuperiorAbility(against, "", len(others.columns), np.nan, np.nan, np.nan, False)
    block = _block(apart.sub(table[against], axis=0), overlap)
    test = SPA(table[against], apart, block_size=block, reps=REPETITIONS, seed=seed)
    test.compute()
    p = test.pvalues
    best = str(apart.mean().idxmin())
    smaller = bool(apart[best].mean() < table[against].mean())
    return SuperiorAbility(against, best, len(others.columns), p["lower"], p["consistent"], p["upper"], smaller)


def _enough(table: pd.DataFrame, overlap: int) -> bool:
    return len(table) >= max(10, 3 * overlap)


def _block(table: pd.DataFrame, overlap: int) -> int:
    """Choose the length of bootstrap blocks: as the losses ask for, and no shorter than cutoffs overlap."""
    from arch.bootstrap import optimal_block_length

    moving = table.loc[:, table.std() > 0]
    length = optimal_block_length(moving)["stationary"].max() if len(moving.columns) else 1.0
    longest = max(len(table) // 3, 1)
    return int(np.clip(np.ceil(np.nan_to_num(length, nan=1.0)), min(overlap, longest), longest))
