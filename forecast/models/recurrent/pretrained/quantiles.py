"""Quantiles of the future from the pretrained network: many series and cutoffs at once, at any step and level.

Batches have a fixed size, so that no forecast depends on how many are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from forecast.features.windows import forward_fill
from forecast.models.recurrent.pretrained.encoding import EncodedSeries, encode, step_inputs
from forecast.models.recurrent.pretrained.network import LEVELS, LONGEST_STEP, MEDIAN, LSTMState, PretrainedNetwork
from forecast.models.recurrent.pretrained.read_series import BLOCK, Memory, ReadSeries, series_key
from forecast.models.sampling import between_levels, normal_deviates

SERIES = 8  # that the recurrent layers read at once
GROUP = 32  # series whose inputs are computed at once
CUTOFFS = 8  # whose steps are computed at once
MIN_OBSERVED = 3  # rows of a series before its first forecast
HISTORY = 1024  # rows that later blocks of steps read
MOST_GROWTH = 1.5  # power of the step with which spreads grow after step 48, at most


@dataclass(frozen=True)
class Reader:
    """A network that reads series, those in its memory from where it was; `weights` identifies its weights there."""

    network: PretrainedNetwork
    memory: Memory | None = None
    weights: bytes = b""

    def key(self, season: int, values: np.ndarray, seen: np.ndarray) -> bytes:
        """Return what a series (T,) is found by in the memory."""
        return series_key(self.weights, season, values, seen)

    def recall(self, season: int, values: np.ndarray, seen: np.ndarray) -> ReadSeries:
        """Return what was read of a series (T,); nothing of one that is not in the memory."""
        if self.memory is not None and len(values) >= BLOCK:
            known = self.memory.find(self.key(season, values, seen))
            if known is not None:
                return known.continued(values, seen)
        layers = self.network.rows
        return ReadSeries(values, seen, np.zeros((0, 2, layers.num_layers, layers.hidden_size), np.float32))

    def remember(self, season: int, read: ReadSeries) -> None:
        """Store what was read of a series."""
        if self.memory is not None and len(read.values) >= BLOCK:
            self.memory.store(self.key(season, read.values, read.seen), read)


@dataclass(frozen=True)
class Histories:
    """Series from their first observed row on.

    Attributes
    ----------
    values, seen : array of shape (n, T)
        The values, 0 where they are not observed, and where they are; the first row counts as observed.
    seasons, start : array of shape (n,)
        Rows in a season, and the first row in the panel.
    at : array of shape (n, K)
        The rows of the cutoffs; the last one where there is nothing to forecast from.
    can_forecast : array of shape (n, K)
        Whether three rows up to the cutoff are observed.
    """

    values: np.ndarray
    seen: np.ndarray
    seasons: np.ndarray
    start: np.ndarray
    at: np.ndarray
    can_forecast: np.ndarray

    @classmethod
    def of(cls, y: np.ndarray, seasons: np.ndarray, rows: np.ndarray) -> Histories:
        """Return the histories of series (T, n), which are NaN where they are not observed, at cutoffs (K,)."""
        observed = ~np.isnan(y)
        can_forecast = observed.cumsum(axis=0)[rows].T >= MIN_OBSERVED
        start = np.where(observed.any(axis=0), np.argmax(observed, axis=0), 0)
        length = int(rows.max()) + 1
        position = start + np.arange(length)[:, None]  # (T', n)
        values = np.take_along_axis(y, np.minimum(position, length - 1), axis=0)
        seen = (position < length) & ~np.isnan(values)
        seen[0] = True
        values = np.where(seen, np.nan_to_num(values), 0.0)
        at = np.where(can_forecast, rows - start[:, None], length - 1)
        return cls(values.T, seen.T, seasons, start, at, can_forecast)

    def row(self, n: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Return season, values and seen of one series, up to the newest row."""
        stop = self.values.shape[1] - self.start[n]
        return int(self.seasons[n]), self.values[n, :stop], self.seen[n, :stop]

    def encode(self, first: int) -> EncodedSeries:
        """Return the inputs of the network from row `first` on, of a multiple of 8 series."""
        padding = (0, -len(self.values) % SERIES)
        values, seasons = np.pad(self.values, (padding, (0, 0))), np.pad(self.seasons, padding).clip(1)
        return encode(values, np.pad(self.seen, (padding, (0, 0)), mode="edge"), seasons, first)


def future_quantiles(
    reader: Reader, y: np.ndarray, seasons: np.ndarray, rows: np.ndarray, horizon: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield numbers of series (n,), and the quantiles of their change from the last observed value, (K, n, H, Q).

    `y` is (T, N) with NaN where nothing is observed, `seasons` (N,) the rows in a season, `rows` (K,) the cutoffs. A
    change is NaN where fewer than three rows up to the cutoff are observed.
    """
    for numbers in _groups(y.shape[1]):
        own = y[:, numbers], seasons[numbers], rows, horizon
        known = _recall_newest(reader, *own) if len(rows) == 1 else None
        yield numbers, _changes_of(reader, *own) if known is None else known


def future_medians(reader: Reader, y: np.ndarray, seasons: np.ndarray, rows: np.ndarray, horizon: int) -> np.ndarray:
    """Return the medians of `future_quantiles` to at most 48 steps, (K, N, H).

    Those in the reader's memory are not computed again.
    """
    parts = [_medians_of(reader, y[:, own], seasons[own], rows, horizon) for own in _groups(y.shape[1])]
    return np.concatenate(parts, axis=1)


def _groups(n: int) -> list[np.ndarray]:
    return [np.arange(first, min(first + GROUP, n)) for first in range(0, n, GROUP)]


def _recall_newest(
    reader: Reader, y: np.ndarray, seasons: np.ndarray, rows: np.ndarray, horizon: int
) -> np.ndarray | None:
    """Return the quantiles of the changes from one row, (1, n, H, Q), if all series were forecast from it last."""
    histories = Histories.of(y, seasons, rows)
    out = np.full((1, y.shape[1], horizon, len(LEVELS)), np.nan)
    for n in np.flatnonzero(histories.can_forecast[:, 0]).tolist():
        known = reader.recall(*histories.row(n)).quantiles(histories.at[n, 0], horizon)
        if known is None:
            return None
        out[0, n] = known
    return out


def _medians_of(reader: Reader, y: np.ndarray, seasons: np.ndarray, rows: np.ndarray, horizon: int) -> np.ndarray:
    """Return the medians of the changes of at most GROUP series, (K, n, H).

    Where the network has to read, it also forecasts from the last row, as the first forecast after a fit does.
    """
    histories = Histories.of(y, seasons, rows)
    out = np.full((y.shape[1], len(rows), horizon), np.nan)
    for n, can in enumerate(histories.can_forecast):
        known = reader.recall(*histories.row(n)).medians.get(horizon)
        if known is not None:
            out[n, can] = known[histories.at[n, can]]
    missing = (np.isnan(out[..., 0]) & histories.can_forecast).any(axis=0)
    if missing.any():
        last = np.array([len(y) - 1])
        chunks = _chunks(reader, y, seasons, np.append(rows[missing], last), np.arange(1, horizon + 1))
        medians = []
        for chunk in chunks:  # (n, 8, H, Q)
            medians.append(chunk[..., MEDIAN])
        out[:, missing] = np.concatenate(medians, axis=1)[:, :-1]
        whole = Histories.of(y, seasons, last)
        for n, can in enumerate(histories.can_forecast):
            season, values, seen = whole.row(n)
            read = reader.recall(season, values, seen).with_medians(histories.at[n, can], out[n, can])
            reader.remember(season, replace(read, newest=(len(values) - 1, chunk[n, -1])))
    return out.transpose(1, 0, 2)


def _changes_of(reader: Reader, y: np.ndarray, seasons: np.ndarray, rows: np.ndarray, horizon: int) -> np.ndarray:
    """Return the quantiles of the changes of at most GROUP series, (K, n, H, Q)."""
    block = _block(reader, y, seasons, rows, min(horizon, LONGEST_STEP))
    if horizon <= LONGEST_STEP:
        return block
    first = block.reshape(-1, LONGEST_STEP, len(LEVELS))  # each pair of a cutoff and a series is a series of its own
    pairs = [(row, n) for row in rows for n in range(y.shape[1])]
    medians, without_memory = [], Reader(reader.network)
    for top in range(0, len(pairs), GROUP):
        histories = [y[max(row + 1 - HISTORY, 0) : row + 1, n] for row, n in pairs[top : top + GROUP]]
        own = seasons[[n for _, n in pairs[top : top + GROUP]]]
        medians.append(_later_medians(without_memory, histories, own, first[top : top + GROUP, :, MEDIAN], horizon))
    later = _with_spread(first, np.concatenate(medians))
    return np.concatenate([block, later.reshape(*block.shape[:2], *later.shape[1:])], axis=2)


def _later_medians(
    reader: Reader, histories: list[np.ndarray], seasons: np.ndarray, medians: np.ndarray, horizon: int
) -> np.ndarray:
    """Return the medians after the first 48 (n, 48), (n, H − 48): each block continues from those before."""
    length = max(map(len, histories))
    y = np.stack([np.pad(own, (length - len(own), 0), constant_values=np.nan) for own in histories], axis=1)
    last = forward_fill(y)[-1][:, None]  # (n, 1)
    for start in range(LONGEST_STEP, horizon, LONGEST_STEP):
        y = np.concatenate([y, (last + medians[:, -LONGEST_STEP:]).T])
        block = _block(reader, y, seasons, np.array([len(y) - 1]), min(horizon - start, LONGEST_STEP))[0, ..., MEDIAN]
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


def _block(reader: Reader, y: np.ndarray, seasons: np.ndarray, rows: np.ndarray, horizon: int) -> np.ndarray:
    """Return the quantiles of the changes to at most 48 steps, (K, n, H, Q)."""
    chunks = _chunks(reader, y, seasons, rows, np.arange(1, horizon + 1))
    return np.concatenate(list(chunks), axis=1).transpose(1, 0, 2, 3)


def _chunks(
    reader: Reader, y: np.ndarray, seasons: np.ndarray, rows: np.ndarray, steps: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield the quantiles of the changes to these steps, none above 48, of 8 cutoffs after the other, (n, 8, H, Q)."""
    histories = Histories.of(y, seasons, rows)
    series, states = _read(reader, histories)
    at = np.pad(histories.at, ((0, len(states) - y.shape[1]), (0, -len(rows) % CUTOFFS)), mode="edge")
    for first in range(0, len(rows), CUTOFFS):
        own, cutoffs = at[:, first : first + CUTOFFS], slice(first, first + CUTOFFS)
        changes = _changes(reader.network, series, states[:, cutoffs], own, steps)
        can = histories.can_forecast[:, cutoffs]  # (n, 8), or fewer at the end
        yield np.where(can[..., None, None], changes[: y.shape[1], : can.shape[1]], np.nan)


@torch.no_grad()
def _changes(
    network: PretrainedNetwork, series: EncodedSeries, states: torch.Tensor, at: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """Return the quantiles of the changes from rows `at` (n, 8), of which the states are known, (n, 8, H, Q)."""
    guides, inputs = map(torch.from_numpy, step_inputs(series, at, steps))
    tops = range(0, len(at), SERIES)
    parts = [network(*(array[top : top + SERIES] for array in (states, guides, inputs))) for top in tops]
    scale = np.take_along_axis(series.scale, at, axis=1)
    return torch.cat(parts).double().numpy() * scale[..., None, None]


@torch.no_grad()
def _read(reader: Reader, histories: Histories) -> tuple[EncodedSeries, torch.Tensor]:
    """Return the inputs of series, and what is known after the rows `at`, (n, K, S); n is a multiple of 8.

    They are read from the newest block of rows on before which all states are known and no row is wanted.
    """
    n, length = histories.values.shape
    reads = [reader.recall(*histories.row(i)) for i in range(n)]
    first = min(int(histories.at.min()) // BLOCK, *(len(read.states) for read in reads))
    series = histories.encode(first * BLOCK)
    inputs = np.pad(series.rows, ((0, 0), (0, -length % BLOCK), (0, 0)))
    at = (
        np.pad(histories.at, ((0, len(inputs) - n), (0, -histories.at.shape[1] % CUTOFFS)), mode="edge") - first * BLOCK
    )
    found = torch.zeros(*at.shape, reader.network.state.in_features)
    for top in range(0, len(inputs), SERIES):
        own = slice(top, top + SERIES)
        states = _read_blocks(reader.network, inputs[own], at[own], _states_after(reads[own], first), found[own])
        if reader.memory is not None:
            for i, read in enumerate(reads[own]):
                _remember(reader, histories.row(top + i), read, states[:, :, :, i], first)
    return series, found


def _states_after(reads: Sequence[ReadSeries], blocks: int) -> LSTMState | None:
    """Return the state of 8 series after so many blocks, 0 where there are fewer series; None before the first."""
    if blocks == 0:
        return None
    states = np.stack([read.states[blocks - 1] for read in reads], axis=2)  # (2, L, n, S)
    hidden, cell = torch.from_numpy(np.pad(states, ((0, 0), (0, 0), (0, SERIES - len(reads)), (0, 0))))
    return hidden, cell


def _read_blocks(
    network: PretrainedNetwork, inputs: np.ndarray, at: np.ndarray, state: LSTMState | None, found: torch.Tensor
) -> np.ndarray:
    """Write what is known after rows `at` (n, K) of the inputs (n, T, C) into `found` (n, K, S).

    Returns the states after each block, (T / 16, 2, L, n, S).
    """
    states = []
    for first in range(0, inputs.shape[1], BLOCK):
        known, state = network.read(torch.from_numpy(inputs[:, first : first + BLOCK]), state)
        states.append(torch.stack(state).numpy())
        series, cutoffs = np.nonzero((at >= first) & (at < first + BLOCK))
        if len(series):
            found[series, cutoffs] = known[series, at[series, cutoffs] - first]
    return np.stack(states)


def _remember(
    reader: Reader, history: tuple[int, np.ndarray, np.ndarray], read: ReadSeries, states: np.ndarray, first: int
) -> None:
    """Store the states of one series after its full blocks from number `first` on, if there are new ones."""
    season, values, _ = history
    full = len(values) // BLOCK
    if full > len(read.states):
        states = np.concatenate([read.states[:first], states[: full - first]])
        reader.remember(season, replace(read, states=states))


def at_levels(quantiles: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Return quantiles (…, Q) of the network at any levels, linear between two of its own in normal deviates.

    >>> at_levels(np.arange(11.0), (0.5, 0.9))
    array([5., 8.])
    """
    return between_levels(quantiles, normal_deviates(LEVELS), normal_deviates(levels))
