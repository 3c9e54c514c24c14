"""Does choosing the best of many models on the past choose one that is good later? The probability of overfitting."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from forecast.evaluation.text import count

MAX_BLOCKS = 16  # half of which are chosen from, in 12,870 ways


@dataclass(frozen=True, eq=False)
class Overfitting:
    """The result of `overfitting`.

    Attributes
    ----------
    probability : float
        Share of the splits in which the model that is best in one half ranks in the worse half of the models in the
        other: near 0 where choosing works, .5 where all models are equal, and NaN if there is too little to split.
    ranks : array
        The relative rank in the other half, 0 (worst) to 1 (best), in each split.
    n_models : int
        Number of models to choose from.
    """

    probability: float
    ranks: np.ndarray
    n_models: int

    def __str__(self) -> str:
        if np.isnan(self.probability):
            return "Whether choosing overfits cannot be computed: it needs two models and four cutoffs."
        return (
            f"Of {count(self.n_models, 'model')}, the best in one half of the cutoffs is among the worse half in the "
            f"other in {self.probability:.0%} of {count(len(self.ranks), 'split')} (probability of overfitting)."
        )


def overfitting(losses: np.ndarray, n_blocks: int = MAX_BLOCKS) -> Overfitting:
    """Return the probability that the model with the smallest loss on some cutoffs is below the median on others.

    The cutoffs are divided into blocks of equal length, and the blocks in every way into two halves: one to choose the
    model in, one to rank it in. Ties share their mean rank.

    Parameters
    ----------
    losses : array of shape (K, M)
        Losses of M models at K cutoffs in order of time.
    n_blocks : int, default 16
        Even number of blocks, at most K; fewer are used if there are fewer cutoffs.

    Returns
    -------
    Overfitting
        The probability, NaN with fewer than two models or four cutoffs.

    Raises
    ------
    ValueError
        If `n_blocks` is not an even number of at least 4.

    References
    ----------
    Bailey, Borwein, López de Prado and Zhu (2017), The probability of backtest overfitting.
    """
    from scipy.stats import rankdata

    if n_blocks < 4 or n_blocks % 2:
        raise ValueError(f"n_blocks must be an even number of at least 4; got {n_blocks}")
    losses = np.asarray(losses, dtype=float)
    n_blocks = min(n_blocks, len(losses) // 2 * 2)
    n_models = losses.shape[1]
    if n_models < 2 or n_blocks < 4:
        return Overfitting(float("nan"), np.empty(0), n_models)
    length = len(losses) // n_blocks
    means = losses[-length * n_blocks :].reshape(n_blocks, length, n_models).mean(axis=1)  # the newest cutoffs
    halves = list(combinations(range(n_blocks), n_blocks // 2))
    chosen = np.zeros((len(halves), n_blocks), dtype=bool)
    chosen[np.arange(len(halves))[:, None], halves] = True
    best = (chosen @ means).argmin(axis=1)
    ranks = rankdata(-(~chosen @ means), axis=1)[np.arange(len(halves)), best] / (n_models + 1)
    return Overfitting(float(np.mean(ranks <= 0.5)), ranks, n_models)
