"""Sample paths of the future: a model's own quantiles at each step, joined by the dependence of its past errors.

At a past cutoff each realised value has a score: its position in the distribution that the model forecast, as a normal
deviate. The scores at steps 1 … H of many cutoffs show how the errors of different steps depend on one another: their
correlation, and whether large errors follow large ones where volatility clusters. The quantiles are put in the order of
such scores (an empirical copula; the Schaake shuffle of Clark et al., 2004, smoothed and shrunk).
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from forecast.data.panel import Panel
from forecast.features.windows import forward_fill, future_windows

if TYPE_CHECKING:
    from forecast.models.base import Forecaster

MAX_CUTOFFS = 500  # past cutoffs, evenly spaced where there are more
MAX_BURN_IN = 20  # first rows of a panel, at most half of them, from which no past forecast is made
MIN_CUTOFFS = 3  # with scores, more than there are steps; with fewer the errors are those of a random walk
MIN_INDEPENDENT = 2  # times as many cutoffs as overlap, without which correlations have no estimated variance
SHAPE_PRIOR = 10  # forecasts that do not overlap, of which the shape between levels is half that of past scores
CORRELATED_STEPS = 24  # whose correlations decide on the shrinkage, evenly spaced
RIDGE = 1e-6  # added to correlations of scores, which may be 1
MIN_PATHS = 1000  # that are ranked with one another; where fewer are wanted, the first of them are returned


def sample_paths(model: Forecaster, panel: Panel, n: int, seed: int) -> np.ndarray:
    """Return n sample paths of each series from the last row of a panel, (n, N, H); NaN where nothing is forecast."""
    newest = model._predict(panel)
    if newest.quantiles is None or len(newest.levels) < 2:
        reason = "has no quantiles" if newest.quantiles is None else f"has the one quantile level {newest.levels[0]:g}"
        raise ValueError(
            f"{type(model).__name__} {reason}, and paths are drawn from the distribution between quantiles: fit it "
            "with levels such as (0.1, 0.5, 0.9), or fit Conformal(model) if it has no levels"
        )
    own = normal_deviates(newest.levels)
    positive = np.asarray((np.where(panel.observed, panel.target, 1.0) > 0).all(axis=0))  # (N,)
    past = _past_scores(model, panel, own, positive)
    n_ranked = max(n, MIN_PATHS)
    draws = _SharedDraws.of(past, n_ranked, seed)
    levels = _spaced_deviates(n_ranked)
    paths = np.empty((n, *newest.point.shape[1:]))
    for i, name in enumerate(panel.series):
        scores = past.of_series(i)  # (M', H)
        rng = np.random.default_rng([seed, 1, zlib.crc32(name.encode())])
        ranks = _ranks(_draw_scores(past, i, draws, rng))[:n]
        wanted = _with_shape(levels, scores, own, len(scores) / past.overlap)
        quantiles = newest.quantiles[0, i]
        in_logs = bool(positive[i] and (quantiles > 0).all())
        marginal = between_levels(np.log(quantiles) if in_logs else quantiles, own, wanted)  # (H, P)
        path = np.take_along_axis(marginal, ranks.T, axis=1).T
        paths[:, i] = np.exp(path) if in_logs else path
    return paths


def normal_deviates(levels: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the quantiles of the standard normal distribution at these levels."""
    inverse = NormalDist().inv_cdf
    return np.array([inverse(level) for level in levels])


@lru_cache(maxsize=16)
def _spaced_deviates(n: int) -> np.ndarray:
    """Return n normal deviates at levels that are equally far apart, in increasing order."""
    return normal_deviates((np.arange(n) + 0.5) / n)


def between_levels(quantiles: np.ndarray, own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return quantiles (…, Q) at other levels, (…, W): linear in normal deviates between two levels, and beyond them.

    `own` (Q,) and `wanted` (W,) are levels as normal deviates.

    >>> between_levels(np.array([1.0, 2.0, 4.0]), np.array([-1.0, 0.0, 1.0]), np.array([-0.5, 2.0]))
    array([1.5, 6. ])
    """
    above = np.clip(np.searchsorted(own, wanted), 1, len(own) - 1)
    share = (wanted - own[above - 1]) / (own[above] - own[above - 1])
    low, high = quantiles[..., above - 1], quantiles[..., above]
    return low + share * (high - low)


def _deviates_of(values: np.ndarray, quantiles: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return where values (…) lie between quantiles (…, Q), as normal deviates: the inverse of `between_levels`."""
    above = np.clip((values[..., None] > quantiles).sum(axis=-1), 1, len(own) - 1)
    low = np.take_along_axis(quantiles, above[..., None] - 1, axis=-1)[..., 0]
    width = np.take_along_axis(quantiles, above[..., None], axis=-1)[..., 0] - low
    share = np.divide(values - low, width, out=np.full_like(width, 0.5), where=width > 0)
    return np.where(np.isfinite(width), own[above - 1] + share * (own[above] - own[above - 1]), np.nan)


@dataclass(frozen=True)
class _PastScores:
    """The scores of the values after past cutoffs, (M, N, H), NaN where there is no forecast or no value.

    `overlap` is the number of successive cutoffs whose forecasts overlap.
    """

    scores: np.ndarray
    overlap: int

    def known(self, series: int) -> np.ndarray:
        """Return the numbers of the cutoffs at which a series has scores, (M',)."""
        return np.flatnonzero(~np.isnan(self.scores[:, series]).any(axis=1))

    def of_series(self, series: int) -> np.ndarray:
        """Return the scores of a series, (M', H)."""
        return self.scores[self.known(series), series]


def _past_scores(model: Forecaster, panel: Panel, own: np.ndarray, positive: np.ndarray) -> _PastScores:
    """Return the scores of a model's forecasts at the rows whose future is realised by the last row.

    A missing value counts as unchanged. A cutoff after which half of the values of a series are missing has no scores.
    """
    horizon = model.horizon_
    first, last = min(MAX_BURN_IN, len(panel) // 2), len(panel) - 1 - horizon
    every = max(-(-(last - first + 1) // MAX_CUTOFFS), 1)
    rows = np.arange(last, first - 1, -every)[::-1]
    overlap = max(horizon // every, 1)
    if not len(rows):
        return _PastScores(np.empty((0, len(panel.series), horizon)), overlap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of early rows, from which a model may have no interval yet
        quantiles = model._predict_at(panel[: last + 1].known_until(len(panel)), rows).quantiles
    assert quantiles is not None  # as the newest forecast has them
    values = future_windows(forward_fill(panel.target), horizon)[rows]  # (M, N, H)
    observed = future_windows(panel.observed.astype(float), horizon)[rows]
    in_logs = positive[:, None] & (quantiles > 0).all(axis=-1) & (values > 0)
    quantiles = np.where(in_logs[..., None], np.log(np.where(in_logs[..., None], quantiles, 1.0)), quantiles)
    values = np.where(in_logs, np.log(np.where(in_logs, values, 1.0)), values)
    scores = _deviates_of(values, quantiles, own)
    usable = (observed.mean(axis=-1) > 0.5) & np.isfinite(scores).all(axis=-1)
    return _PastScores(np.where(usable[..., None], scores, np.nan), overlap)


@dataclass(frozen=True)
class _SharedDraws:
    """Random numbers that all series share, so that their paths depend on one another as their errors do."""

    cutoffs: np.ndarray  # (P, 1 + H) numbers of past cutoffs
    mixture: np.ndarray  # (P, M) weights of the past cutoffs

    @classmethod
    def of(cls, past: _PastScores, n: int, seed: int) -> _SharedDraws:
        """Draw the numbers of n paths."""
        rng = np.random.default_rng([seed, 0])
        m, _, horizon = past.scores.shape
        return cls(rng.integers(max(m, 1), size=(n, 1 + horizon)), rng.standard_normal((n, m)))


def _draw_scores(past: _PastScores, series: int, draws: _SharedDraws, rng: np.random.Generator) -> np.ndarray:
    """Return draws (P, H) with the dependence of the past scores of a series.

    A draw is the scores of one past cutoff plus a random combination of those of all, which has the same correlation:
    a smoothed bootstrap. A linear map gives it the shrunk correlation. With few scores a draw is a random walk, whose
    innovations are scores of step 1. Where a series has no scores at a cutoff, another cutoff replaces it.
    """
    known, horizon = past.known(series), past.scores.shape[2]
    if len(known) < MIN_CUTOFFS:
        return rng.standard_normal((len(draws.cutoffs), horizon)).cumsum(axis=1)
    deviates = _spaced_deviates(len(known))
    normal = (deviates / deviates.std())[_ranks(past.scores[known, series])]  # (M', H)
    others = rng.integers(len(known), size=draws.cutoffs.shape)
    number = np.full(len(past.scores), -1)
    number[known] = np.arange(len(known))
    picked = np.where(number[draws.cutoffs] >= 0, number[draws.cutoffs], others)
    if len(known) < max(horizon, MIN_INDEPENDENT * past.overlap) + MIN_CUTOFFS:
        return normal[picked[:, 1:], 0].cumsum(axis=1)
    mixture = draws.mixture if len(known) == len(past.scores) else draws.mixture[:, known]
    combined = mixture @ normal / np.sqrt(len(known))
    width = (4 / ((horizon + 2) * len(known) / past.overlap)) ** (1 / (horizon + 4))  # Silverman's, of a kernel
    smooth = (normal[picked[:, 0]] + width * combined) / np.sqrt(1 + width**2)
    return smooth @ _shrinking_map(normal, past.overlap).T


def _shrinking_map(normal: np.ndarray, overlap: int) -> np.ndarray:
    """Return the map (H, H) that gives scores (M, H) a correlation shrunk towards that of a random walk's errors.

    The shrinkage is the variance of the correlations relative to their squared distance from the random walk's (Schäfer
    and Strimmer, 2005). A step is a combination of the scores of no later step, so that steps correspond in all series.
    """
    steps = np.arange(1, normal.shape[1] + 1)
    walk = np.sqrt(np.minimum.outer(steps, steps) / np.maximum.outer(steps, steps))
    own = normal.T @ normal / len(normal)
    every = -(-len(steps) // CORRELATED_STEPS)
    distance = ((own - walk)[::every, ::every] ** 2).sum()
    variance = _variance_of_correlations(normal[:, ::every], overlap)
    variance /= 1 - MIN_INDEPENDENT * overlap / len(normal)  # in small samples it is too small
    share = min(variance / distance, 1.0) if distance > 0 else 0.0
    ridge = RIDGE * np.eye(len(steps))
    shrunk, present = (np.linalg.cholesky(matrix + ridge) for matrix in ((1 - share) * own + share * walk, own))
    return shrunk @ np.linalg.inv(present)


def _variance_of_correlations(normal: np.ndarray, overlap: int) -> float:
    """Return the sum of the variances of the correlations of scores (M, H), whose forecasts overlap.

    The long-run variance is that of Newey and West (1987).
    """
    correlation, squares = normal.T @ normal / len(normal), normal**2
    influence = normal[:, :, None] * normal[:, None, :]
    influence -= correlation * (squares[:, :, None] + squares[:, None, :]) / 2
    variance = (influence**2).sum()
    for lag in range(1, min(overlap, len(normal) - 1) + 1):
        variance += 2 * (1 - lag / (overlap + 1)) * (influence[lag:] * influence[:-lag]).sum()
    return float(variance) / len(normal) ** 2


def _with_shape(wanted: np.ndarray, scores: np.ndarray, own: np.ndarray, n_independent: float) -> np.ndarray:
    """Return levels as normal deviates (W,), moved between a model's own (Q,) by the shape of past scores (M, H).

    Quantiles between two of the model's levels, and beyond them, then have the distances that realised values had in
    the past: those of a heavy tail, for example. The model's own levels do not move.
    """
    if scores.size < 2:
        return wanted
    ordered = np.sort(scores, axis=None)
    at = _spaced_deviates(len(ordered))

    def past(deviates: np.ndarray) -> np.ndarray:
        return np.interp(deviates, at, ordered) + (deviates - np.clip(deviates, at[0], at[-1]))

    above = np.clip(np.searchsorted(own, wanted), 1, len(own) - 1)
    low, high = past(own)[above - 1], past(own)[above]
    ratio = np.divide(own[above] - own[above - 1], high - low, out=np.zeros_like(wanted), where=high > low)
    anchor = np.where(wanted > own[-1], above, above - 1)  # the level from which the distance counts
    moved = own[anchor] + ratio * (past(wanted) - past(own)[anchor])
    weight = np.where(high > low, n_independent / (n_independent + SHAPE_PRIOR), 0.0)
    return wanted + weight * (moved - wanted)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value (P, H) among those of its step, from 0."""
    return values.argsort(axis=0, kind="stable").argsort(axis=0)
