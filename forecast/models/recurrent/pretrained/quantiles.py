"""Quantiles of the future from the pretrained network: many series and cutoffs at once, at any step and level.

Batches have a fixed size, so that no forecast depends on how many are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from forecast.features.windows import forward_fill
from forecast.models.recurrent.pretrained.encoding import encode, step_inputs
from forecast.models.recurrent.pretrained.network import LEVELS, LONGEST_STEP, MEDIAN, PretrainedNetwork
from forecast.models.sampling import between_levels, normal_deviates

SERIES, ROWS = 8, 32  # that the recurrent layers read at once
GROUP = 32  # series whose inputs are computed at once
CUTOFFS = 32  # whose steps are computed at once
MIN_OBSERVED = 3  # rows of a series before its first forecast
HISTORY = 1024  # rows that later blocks read
MOST_GROWTH = 1.5  # power of the step with which spreads grow after step 48, at most


def future_quantiles(
    network: PretrainedNetwork, y: np.ndarray, seasons: np.ndarray, rows: np.ndarray, horizon: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield numbers of series (n,), and the quantiles of their change from the last observed value, (K, n, H, Q).

    `y` is (T, N) with NaN where nothing is observed, `seasons` (N,) the rows in a season, `rows` (K,) the cutoffs. A
    change is NaN where fewer than three rows up to the cutoff are observed.
    """
    for first in range(0, y.shape[1], GROUP):
        numbers = np.arange(first, min(first + GROUP, y.shape[1]))
        yield numbers, _changes_of(network, y[:, numbers], seasons[numbers], rows, horizon)


@torch.no_grad()  # not around the loop above: a generator would leave it on between two of its values
def _changes_of(
    network: PretrainedNetwork, y: np.ndarray, seasons: np.ndarray, rows: np.ndarray, horizon: int
) -> np.ndarray:
    """Return the quantiles of the changes of at most GROUP series, (K, n, H, Q)."""
    block = _block(network, y, seasons, rows, np.arange(1, min(horizon, LONGEST_STEP) + 1))
    if horizon <= LONGEST_STEP:
        return block
    first = block.reshape(-1, LONGEST_STEP, len(LEVELS))  # each pair of a cutoff and a series is a series of its own
    pairs = [(row, n) for row in rows for n in range(y.shape[1])]
    medians = []
    for top in range(0, len(pairs), GROUP):
        histories = [y[max(row + 1 - HISTORY, 0) : row + 1, n] for row, n in pairs[top : top + GROUP]]
        own = seasons[[n for _, n in pairs[top : top + GROUP]]]
        medians.append(_later_medians(network, histories, own, first[top : top + GROUP, :, MEDIAN], horizon))
    later = _with_spread(first, np.concatenate(medians))
    return np.concatenate([block, later.reshape(*block.shape[:2], *later.shape[1:])], axis=2)


def _later_medians(
    network: PretrainedNetwork, histories: list[np.ndarray], seasons: np.ndarray, medians: np.ndarray, horizon: int
) -> np.ndarray:
    """Return the medians after the first 48 (n, 48), (n, H − 48): each block continues from those before."""
    length = max(map(len, histories))
    y = np.stack([np.pad(own, (length - len(own), 0), constant_values=np.nan) for own in histories], axis=1)
    last = forward_fill(y)[-1][:, None]  # (n, 1)
    for start in range(LONGEST_STEP, horizon, LONGEST_STEP):
        y = np.concatenate([y, (last + medians[:, -LONGEST_STEP:]).T])
        steps = np.arange(1, min(horizon - start, LONGEST_STEP) + 1)
        block = _block(network, y, seasons, np.array([len(y) - 1]), steps)[0, ..., MEDIAN]
        medians = np.concatenate([medians, medians[:, -1:] + block], axis=1)
    return medians[:, LONGEST_STEP:]


def _with_spread(first: np.ndarray, medians: np.ndarray) -> np.ndarray:
    """Return quantiles around later medians (n, H − 48): their spread is a power of the step, as in the first block.

    `first` are the quantiles of the first 48 steps, (n, 48, Q). A random walk has the power ½, a stationary series 0.
    The history that ends with medians has no noise, so that spreads from it would be too small.
    """
    spread = np.abs(first - first[..., MEDIAN, None])  # (n, 48, Q)
    early, late = (spread[:, steps].mean(axis=1) for steps in (slice(12, 24), slice(36, 48)))
    known = (early > 0) & (late > 0)
    growth = np.log(np.where(known, late, 1.0) / np.where(known, early, 1.0)) / np.log(42.5 / 18.5)
    steps = np.arange(LONGEST_STEP + 1, LONGEST_STEP + 1 + medians.shape[1]) / LONGEST_STEP
    factor = steps[:, None] ** np.clip(growth, 0, MOST_GROWTH)[:, None]  # (n, H − 48, Q)
    return medians[..., None] + np.sign(np.array(LEVELS) - 0.5) * spread[:, -1:] * factor


def _block(
    network: PretrainedNetwork, y: np.ndarray, seasons: np.ndarray, rows: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """Return the quantiles of the changes to these steps, none above 48, (K, n, H, Q)."""
    observed = ~np.isnan(y)
    n_observed = observed.cumsum(axis=0)[rows]  # (K, n)
    start = np.where(observed.any(axis=0), np.argmax(observed, axis=0), 0)
    n, length = y.shape[1], int(rows.max()) + 1
    position = start + np.arange(length)[:, None]  # (T', n) each series from its first observed row
    inside = position < length
    values = np.take_along_axis(y, np.minimum(position, length - 1), axis=0)
    seen = inside & ~np.isnan(values)
    seen[0] = True
    values = np.where(seen, np.nan_to_num(values), 0.0)
    padding = ((0, 0), (0, -n % SERIES))
    series = encode(
        np.pad(values, padding).T, np.pad(seen, padding, mode="edge").T, np.pad(seasons, padding[1]).clip(1)
    )
    at = np.pad(np.maximum(rows[:, None] - start, 0), padding).T  # (n, K)
    states = _states(network, series.rows, at)
    out = []
    for first in range(0, len(rows), CUTOFFS):
        own = at[:, first : first + CUTOFFS]
        guides, inputs = step_inputs(series, own, steps)
        quantiles = network(states[:, first : first + CUTOFFS], torch.from_numpy(guides), torch.from_numpy(inputs))
        scale = np.take_along_axis(series.scale, own, axis=1)
        out.append(quantiles.double().numpy() * scale[..., None, None])
    changes = np.concatenate(out, axis=1)[:n].transpose(1, 0, 2, 3)
    return np.where((n_observed < MIN_OBSERVED)[..., None, None], np.nan, changes)


def _states(network: PretrainedNetwork, inputs: np.ndarray, at: np.ndarray) -> torch.Tensor:
    """Return what is known after rows `at` (n, K) of the inputs (n, T, C), (n, K, S)."""
    length = int(at.max()) + 1
    inputs = np.pad(inputs[:, :length], ((0, 0), (0, -length % ROWS), (0, 0)))
    found = torch.zeros(*at.shape, network.state.in_features)
    for top in range(0, len(inputs), SERIES):
        own, state = at[top : top + SERIES], None
        for first in range(0, inputs.shape[1], ROWS):
            chunk = torch.from_numpy(inputs[top : top + SERIES, first : first + ROWS])
            known, state = network.read(chunk, state)
            series, cutoffs = np.nonzero((own >= first) & (own < first + ROWS))
            if len(series):
                found[series + top, cutoffs] = known[series, own[series, cutoffs] - first]
    return found


def at_levels(quantiles: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Return quantiles (…, Q) of the network at any levels, linear between two of its own in normal deviates.

    >>> at_levels(np.arange(11.0), (0.5, 0.9))
    array([5., 8.])
    """
    return between_levels(quantiles, normal_deviates(LEVELS), normal_deviates(levels))
