"""Ridge regression from sums: what scikit-learn's `Ridge` solves, of more windows than fit into memory."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from forecast._estimator import Estimator
from forecast.features.inputs import MIN_CHANGES
from forecast.features.lagged import LaggedDataset, chunks


class SummedRidge(Estimator):
    """Least squares with a penalty of `alpha` on the squared slopes, not on the intercept, for all steps at once.

    It reads the windows once, chunk by chunk, and keeps their sums alone; on the way each block is forecast from the
    sums of the rows before it.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def _state(self) -> dict[str, np.ndarray]:
        """Give what fitting has found."""
        return {name: value for name, value in vars(self).items() if name.endswith("_")}

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        """Take what another of these parameters has found."""
        self.__dict__.update(state)

    def learn(self, lessons: LaggedDataset) -> np.ndarray:
        """Fit to all lessons; gives errors on those that were not fitted yet, (H, M), NaN where there are none."""
        errors = np.full((lessons.horizon, len(lessons)), np.nan)
        sums = Sums(lessons.horizon, lessons.reads.width)
        blocks = list(lessons.blocks())
        cuts = {0, len(lessons), *(before.stop for before, _ in blocks), *(block.start for _, block in blocks)}
        ready: dict[int, np.ndarray | None] = {}  # what a block is to be forecast with, by where it starts
        weights = None
        for first, stop in pairwise(sorted(cuts)):
            for before, block in blocks:
                if before.stop == first:
                    ready[block.start] = sums.weights(self.alpha) if sums.count() >= MIN_CHANGES else None
            weights = ready.pop(first, weights)
            for some in chunks(slice(first, stop)):
                x, answers = _with_one(lessons.windows(some)), lessons.answers(some)
                if weights is not None:
                    errors[:, some] = answers - weights @ x
                sums.add(x, answers)
        self.weights_ = sums.weights(self.alpha)  # (H, F + 1)
        return errors

    def say(self, windows: np.ndarray) -> np.ndarray:
        """Answer windows (F, M), (M, H)."""
        return (self.weights_ @ _with_one(windows)).T


class Sums:
    """Sums of products of what was read (F inputs and a one) and answered at H steps: all that a regression needs."""

    def __init__(self, horizon: int, inputs: int) -> None:
        self.read = np.zeros((horizon, inputs + 1, inputs + 1))
        self.answered = np.zeros((horizon, inputs + 1))

    def add(self, x: np.ndarray, answers: np.ndarray) -> None:
        """Add windows (F + 1, M) and their answers (H, M), each step's where it is known."""
        known = ~np.isnan(answers)
        whole = known.all(axis=0)
        together = slice(None) if whole.all() else whole  # without a copy, if it can be
        self._add(slice(None), x[:, together], answers[:, together])
        for step in np.flatnonzero((known & ~whole).any(axis=1)):
            rest = known[step] & ~whole
            self._add(slice(step, step + 1), x[:, rest], answers[step : step + 1, rest])

    def _add(self, steps: slice, x: np.ndarray, answers: np.ndarray) -> None:
        self.read[steps] += x @ x.T
        self.answered[steps] += answers @ x.T

    def count(self) -> int:
        """Say how many answers the step has that has fewest."""
        return int(self.read[:, -1, -1].min())

    def weights(self, alpha: float) -> np.ndarray:
        """Solve for the slopes and, last, the intercept of each step, (H, F + 1)."""
        count = self.read[:, -1:, -1]  # (H, 1)
        means, middle = self.read[:, -1, :-1] / count, self.answered[:, -1:] / count  # (H, F) read and (H, 1) answered
        spread = self.read[:, :-1, :-1] - count[:, :, None] * means[:, :, None] * means[:, None, :]
        together = self.answered[:, :-1] - count * means * middle
        inverse = np.linalg.pinv(spread + alpha * np.eye(means.shape[1]), hermitian=True)  # alpha may be 0
        slopes = (inverse @ together[:, :, None])[:, :, 0]
        return np.concatenate([slopes, middle - (slopes * means).sum(axis=1, keepdims=True)], axis=1)


def _with_one(windows: np.ndarray) -> np.ndarray:
    """Put a one under the windows (F, M), for the intercept, in double precision: (F + 1, M)."""
    x = np.ones((len(windows) + 1, windows.shape[1]))
    x[:-1] = windows
    return x
