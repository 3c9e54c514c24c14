"""Multiple comparisons: Holm's adjustment, the Model Confidence Set, and the test of superior predictive ability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast._text import plain
from forecast.evaluation.extremes import compared_series
from forecast.evaluation.losses import NAIVE, check_model, loss_table
from forecast.evaluation.pairwise import ALPHA
from forecast.evaluation.text import format_p

REPETITIONS = 2000  # of the bootstrap


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p-values adjusted for the number of tests (Holm, 1979).

    >>> holm([0.01, 0.04, 0.03]).round(6).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1.0)


def model_confidence_set(
    forecasts: pd.DataFrame,
    overlap: int,
    size: float = 0.1,
    loss: str = "squared",
    seed: int = 0,
    reference: str = NAIVE,
) -> pd.DataFrame:
    """Return which models may be the best: the others are significantly worse than one of these.

    Parameters
    ----------
    forecasts : DataFrame
        The long table of a run.
    overlap : int
        Number of successive cutoffs that share test rows; bootstrap blocks are at least as long.
    size : float, default 0.1
        Probability that the best model is missing from the set.
    loss : {"squared", "absolute", "pinball", "qlike"}
        Loss to compare by.
    seed : int
        Seed of the bootstrap.
    reference : str, default "naive"
        Model whose mean loss on a series the losses are divided by.

    Returns
    -------
    DataFrame
        A row for each model, most plausible first: `model`, `p`, `in_set`.

    Raises
    ------
    ValueError
        If `size` is not between 0 and 1.

    Notes
    -----
    Models whose losses differ by a constant, or not at all, cannot be tested against each other and share the result
    of the best of them. With fewer than ten cutoffs, or fewer than three times the overlap, no model is excluded.

    References
    ----------
    Hansen, Lunde and Nason (2011), The model confidence set; stationary bootstrap of `arch`.
    """
    from arch.bootstrap import MCS

    if not 0 < size < 1:
        raise ValueError(f"size, the probability that the best model is excluded, must be between 0 and 1; got {size}")
    forecasts = compared_series(forecasts, loss, reference)
    losses = loss_table(forecasts, loss, reference)
    table = losses.by_cutoff(reference)
    groups = _group_equal(table, losses.tolerance(reference)) if _is_enough(table, overlap) else {}
    p_values = dict.fromkeys(table.columns, 1.0)
    if len(groups) > 1:
        different = table[list(groups)]
        test = MCS(different, size=size, reps=REPETITIONS, block_size=_block_length(different, overlap), seed=seed)
        test.compute()
        p_values = {name: float(test.pvalues["Pvalue"][first]) for first, names in groups.items() for name in names}
    rows = [(name, p, p > size) for name, p in p_values.items()]
    result = pd.DataFrame(rows, columns=["model", "p", "in_set"])
    return result.sort_values("p", ascending=False, kind="stable", ignore_index=True)


def _group_equal(table: pd.DataFrame, negligible: float) -> dict[str, list[str]]:
    """Group models whose losses differ by a constant (`arch` would divide by 0), under the best of each group."""
    groups: dict[str, list[str]] = {}
    for name in table.mean().sort_values(kind="stable").index:
        first = next((other for other in groups if not _varies(table[name] - table[other], negligible)), name)
        groups.setdefault(first, []).append(name)
    return groups


def _varies(difference: pd.Series, negligible: float) -> bool:
    return bool(np.ptp(difference.to_numpy()) > negligible)


@dataclass(frozen=True)
class SuperiorAbility:
    """Result of the SPA test of the hypothesis that no model is better than `against`."""

    against: str
    best: str
    models: int  # number of models compared with `against`
    lower: float
    consistent: float
    upper: float
    smaller: bool  # whether the best model's mean loss is smaller than that of `against`

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        if self.models == 0:
            return f"Only {self.against} was run: there is nothing to compare."
        many = self.models > 1
        tried = f"the {f'best of {self.models} models' if many else 'only model'} tried against {self.against}"
        if np.isnan(self.consistent):
            return f"Whether {tried} is better cannot be tested: too few cutoffs, or constant differences of losses."
        if self.consistent < ALPHA:
            finding = "is better, even after adjusting for the number of models" if many else "is better"
        elif self.smaller:
            finding = "has a smaller loss, but not significantly"
        else:
            finding = "has no smaller loss"
        return f"{self.best}, {tried}, {finding} (SPA, p {format_p(self.consistent)})."

    def __str__(self) -> str:
        return plain(self.sentence)


def superior_ability(
    forecasts: pd.DataFrame,
    overlap: int,
    against: str | None = None,
    loss: str = "squared",
    seed: int = 0,
    reference: str = NAIVE,
) -> SuperiorAbility:
    """Test whether the best of all models is better than one, given how many were tried.

    Parameters
    ----------
    forecasts : DataFrame
        The long table of a run.
    overlap : int
        Number of successive cutoffs that share test rows; bootstrap blocks are at least as long.
    against : str, optional
        Model to compare with; by default the reference.
    loss : {"squared", "absolute", "pinball", "qlike"}
        Loss to compare by.
    seed : int
        Seed of the bootstrap.
    reference : str, default "naive"
        Model whose mean loss on a series the losses are divided by.

    Returns
    -------
    SuperiorAbility
        Three p-values; NaN if no model can be tested.

    Raises
    ------
    ValueError
        If the run has no model `against`.

    References
    ----------
    Hansen (2005), A test for superior predictive ability; stationary bootstrap of `arch`.
    """
    from arch.bootstrap import SPA

    forecasts = compared_series(forecasts, loss, reference)
    losses = loss_table(forecasts, loss, reference)
    table = losses.by_cutoff(reference)
    against = reference if against is None else against
    check_model(against, [*table])
    others = table.drop(columns=against)
    enough, negligible = _is_enough(table, overlap), losses.tolerance(reference)
    tested = others[[name for name in others if enough and _varies(others[name] - table[against], negligible)]]
    if tested.empty:
        return SuperiorAbility(against, "", len(others.columns), np.nan, np.nan, np.nan, False)
    block = _block_length(tested.sub(table[against], axis=0), overlap)
    test = SPA(table[against], tested, block_size=block, reps=REPETITIONS, seed=seed)
    test.compute()
    p = test.pvalues
    best = str(tested.mean().idxmin())
    smaller = bool(tested[best].mean() < table[against].mean())
    return SuperiorAbility(against, best, len(others.columns), p["lower"], p["consistent"], p["upper"], smaller)


def _is_enough(table: pd.DataFrame, overlap: int) -> bool:
    return len(table) >= max(10, 3 * overlap)


def _block_length(table: pd.DataFrame, overlap: int) -> int:
    """Return the length of bootstrap blocks: optimal for the losses, and at least `overlap`."""
    from arch.bootstrap import optimal_block_length

    varying = table.loc[:, table.std() > 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        length = optimal_block_length(varying)["stationary"].max() if len(varying.columns) else 1.0
    longest = max(len(table) // 3, 1)
    return int(np.clip(np.ceil(np.nan_to_num(length, nan=1.0)), min(overlap, longest), longest))
