"""Ridge regression from sums: the solution of scikit-learn's `Ridge`, for more examples than fit into memory."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from forecast._estimator import Estimator
from forecast.features.dataset import EXAMPLES_PER_CHUNK, LaggedDataset, iter_example_chunks
from forecast.features.inputs import MIN_CHANGES


class SummedRidge(Estimator):
    """Least squares with a penalty of `alpha` on the squared slopes, not on the intercept, for all steps at once.

    It reads the examples once, chunk by chunk, and stores only their sums; in the same pass each block is forecast from
    the sums of the examples before it.

    Parameters
    ----------
    alpha : float, default 1.0
        The penalty on the squared slopes.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def fit(self, dataset: LaggedDataset) -> np.ndarray:
        """Fit to all examples; return the errors (H, M) of fits to the examples before each block, NaN without one."""
        errors = np.full((dataset.horizon, len(dataset)), np.nan)
        n_known = 0 if dataset.known is None else dataset.known.n_channels
        size = EXAMPLES_PER_CHUNK // dataset.horizon if n_known else EXAMPLES_PER_CHUNK
        sums = _Sums(dataset.horizon, dataset.lagged.n_features + n_known)
        blocks = list(dataset.blocks())
        edges = {0, len(dataset), *(before.stop for before, _ in blocks), *(block.start for _, block in blocks)}
        block_weights: dict[int, np.ndarray | None] = {}  # by the first example of the block
        weights = None
        for first, stop in pairwise(sorted(edges)):
            for before, block in blocks:
                if before.stop == first:
                    block_weights[block.start] = sums.weights(self.alpha) if sums.min_count() >= MIN_CHANGES else None
            weights = block_weights.pop(first, weights)
            for chunk in iter_example_chunks(slice(first, stop), max(size, 1)):
                x, targets = _join(dataset.features(chunk), dataset.step_features(chunk)), dataset.targets(chunk)
                if weights is not None:
                    errors[:, chunk] = targets - _apply(weights, x)
                sums.add(x, targets, dataset.weights(chunk))
        self.weights_ = sums.weights(self.alpha)  # (H, F + C + 1)
        return errors

    def predict(self, features: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return the forecasts (M, H) from features (F, M) and those of each step (H, C, M)."""
        return _apply(self.weights_, _join(features, steps)).T


class _Sums:
    """Sums of products of F features and a one, and of these with the targets of H steps: all a regression needs."""

    def __init__(self, horizon: int, n_features: int) -> None:
        self.xx = np.zeros((horizon, n_features + 1, n_features + 1))
        self.xy = np.zeros((horizon, n_features + 1))
        self.count = np.zeros((horizon, 1))  # known targets

    def add(self, x: np.ndarray, targets: np.ndarray, weight: np.ndarray | None = None) -> None:
        """Add examples with their targets (H, M), those of each step that are known; None: weights of 1.

        x is as `_join` returns it.
        """
        known = ~np.isnan(targets)
        complete = known.all(axis=0)
        columns = slice(None) if complete.all() else complete  # a slice does not copy
        weighted = x if weight is None else x * weight
        self._add(slice(None), x[..., columns], weighted[..., columns], targets[:, columns])
        for step in np.flatnonzero((known & ~complete).any(axis=1)):
            rest, one = known[step] & ~complete, slice(step, step + 1)
            of_step = slice(None) if x.ndim == 2 else one
            self._add(one, x[of_step][..., rest], weighted[of_step][..., rest], targets[one, rest])

    def _add(self, steps: slice, x: np.ndarray, weighted: np.ndarray, targets: np.ndarray) -> None:
        self.xx[steps] += x @ weighted.swapaxes(-1, -2)
        self.xy[steps] += targets @ weighted.T if x.ndim == 2 else (weighted @ targets[:, :, None])[:, :, 0]
        self.count[steps] += targets.shape[1]

    def min_count(self) -> int:
        """Return the number of known targets of the step that has the fewest."""
        return int(self.count.min())

    def weights(self, alpha: float) -> np.ndarray:
        """Return the slopes and, last, the intercept of each step, (H, F + 1); weights have a mean of 1."""
        count = self.count  # (H, 1)
        factor = count / self.xx[:, -1:, -1]  # 1 if all weights are
        sums_x, sums_y = self.xx * factor[:, :, None], self.xy * factor
        x_mean, y_mean = sums_x[:, -1, :-1] / count, sums_y[:, -1:] / count  # (H, F) and (H, 1)
        xx = sums_x[:, :-1, :-1] - count[:, :, None] * x_mean[:, :, None] * x_mean[:, None, :]
        xy = sums_y[:, :-1] - count * x_mean * y_mean
        inverse = np.linalg.pinv(xx + alpha * np.eye(x_mean.shape[1]), hermitian=True)  # alpha may be 0
        slopes = (inverse @ xy[:, :, None])[:, :, 0]
        return np.concatenate([slopes, y_mean - (slopes * x_mean).sum(axis=1, keepdims=True)], axis=1)


def _join(features: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the features in double precision with a row of ones for the intercept.

    Without features of steps (H, C, M) all steps share features (F, M): (F + 1, M). Otherwise (H, F + C + 1, M).
    """
    if not steps.shape[1]:
        x = np.ones((len(features) + 1, features.shape[1]))
        x[:-1] = features
        return x
    n = len(features)
    x = np.ones((len(steps), n + steps.shape[1] + 1, features.shape[1]))
    x[:, :n], x[:, n:-1] = features, steps
    return x


def _apply(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the forecasts (H, M) by weights (H, F + C + 1); x as `_join` returns it."""
    return weights @ x if x.ndim == 2 else (weights[:, None] @ x)[:, 0]
