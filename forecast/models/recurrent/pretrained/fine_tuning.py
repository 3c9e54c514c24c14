"""Fine-tuning: the pretrained network is trained for a few more steps, on the series that it is to forecast."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from forecast.features.windows import forward_fill, future_windows
from forecast.models.recurrent.pretrained.network import LONGEST_STEP, PretrainedNetwork
from forecast.models.recurrent.pretrained.pretraining import make_examples
from forecast.models.recurrent.pretrained.priors import SimulatedBatch
from forecast.models.recurrent.pretrained.start import Start
from forecast.models.recurrent.pretrained.weights import network_of
from forecast.models.recurrent.shrinkage import shrinkage_factor
from forecast.models.recurrent.trainer import RECORD, HeldBack, Trainer

Weights = dict[str, np.ndarray]
WINDOW_ROWS = 320  # of a training example, at most, before its last target
POSITIONS = 16  # rows of an example that have a loss
MIN_ROWS = 12  # of a series that is trained on
HELD_BACK_SHARE = 0.2  # of the training rows: the newest
MEASURED_ROWS, MEASURED_SERIES = 60, 50  # at which the held-back errors are measured, at most


def fine_tuning_trainer() -> Trainer:
    """Return the trainer of a fine-tuning, in which nothing draws the weights towards 0."""
    return Trainer(steps=200, lr=1e-3, weight_decay=0.0)


def fine_tune(
    start: Start, trainer: Trainer, y: np.ndarray, horizon: int, seed: int
) -> tuple[Weights | None, float, pd.DataFrame]:
    """Train the network on series (T, N), with NaN where nothing is observed.

    Returns
    -------
    weights : dict of arrays, or None
        The weights after the training; None where there are too few rows to hold some back.
    share : float
        The probability that they forecast better than the start, measured on rows that they were not trained on.
    history : DataFrame
        A row for each training step.
    """
    held_back = _hold_back(start, y, horizon)
    if held_back is None:
        return None, 0.0, pd.DataFrame(columns=[*RECORD, "validation"])
    examples = SeriesExamples(y, start.seasons, horizon)
    network, records, measured = trainer.train(partial(_trainable, start.weights), examples, seed, held_back)
    return _arrays(network), float(measured or 0.0), pd.DataFrame(records, columns=[*RECORD, "validation"])


def _trainable(weights: Weights) -> PretrainedNetwork:
    return network_of(weights).requires_grad_(True)


class SeriesExamples:
    """Random windows of series (T, N), of which random rows have targets up to the horizon."""

    def __init__(self, y: np.ndarray, seasons: np.ndarray, horizon: int) -> None:
        self._steps = min(horizon, LONGEST_STEP)
        self._series = []  # each from its first observed row to its last: values, observed, season
        for column, season in zip(y.T, seasons, strict=True):
            rows = np.flatnonzero(~np.isnan(column))
            if len(rows) >= MIN_ROWS:
                own = column[rows[0] : rows[-1] + 1, None]
                self._series.append((forward_fill(own)[:, 0], ~np.isnan(own[:, 0]), int(season)))

    def __len__(self) -> int:
        return len(self._series)

    def draw(self, rng: np.random.Generator, batch_size: int) -> tuple[np.ndarray, ...]:
        """Return a batch of windows, all as long as a random series, or `WINDOW_ROWS` and the horizon."""
        lengths = np.array([len(values) for values, _, _ in self._series])
        length = min(int(lengths[rng.integers(len(lengths))]), WINDOW_ROWS + self._steps)
        steps = np.arange(1, min(self._steps, length // 2) + 1)
        t = length - len(steps)
        chosen = rng.choice(np.flatnonzero(lengths >= length), batch_size)
        starts = rng.integers(lengths[chosen] - length + 1)
        windows = [[part[a : a + length] for part in self._series[n][:2]] for n, a in zip(chosen, starts, strict=True)]
        values, observed = (np.stack(parts) for parts in zip(*windows, strict=True))
        batch = SimulatedBatch(values, observed, np.array([self._series[n][2] for n in chosen]))
        rows = rng.integers(2, t, (batch_size, POSITIONS))
        return make_examples(batch, t, rows, steps)


@dataclass(frozen=True)
class Sample:
    """Held-back rows of some series, the forecasts of the start from them, and what came after."""

    start: Start
    y: np.ndarray  # (T, N)
    rows: np.ndarray  # (K,)
    horizon: int
    points: np.ndarray  # (K, N, H) changes that the start forecasts

    def probability(self, network: PretrainedNetwork) -> float:
        """Return the probability that a tuned network improves the points from which it started."""
        last = forward_fill(self.y)
        truth = future_windows(self.y, self.horizon)[self.rows] - last[self.rows][..., None]  # (K, N, H)
        size = np.nanmean(np.abs(np.diff(last, axis=0)), axis=0)
        scale = np.where(size > 0, size, np.nan)[:, None]
        tuned = replace(self.start, weights=_arrays(network), shrinkage=np.ones(self.y.shape[1]), memory=None)
        correction = (tuned.points(self.y, self.rows, self.horizon) - self.points) / scale
        error = np.where(np.isnan(correction), np.nan, (truth - self.points) / scale)
        return shrinkage_factor(np.nan_to_num(correction), error, self.rows)


def _hold_back(start: Start, y: np.ndarray, horizon: int) -> HeldBack | None:
    """Return the newest rows to measure a tuned network on; None if there are too few."""
    cut = round(len(y) * (1 - HELD_BACK_SHARE))
    early = SeriesExamples(y[:cut], start.seasons, horizon)
    rows = np.arange(cut, len(y) - 1)
    series = np.flatnonzero((~np.isnan(y[cut:])).any(axis=0) & (~np.isnan(y[:cut])).any(axis=0))
    if not (len(early) and len(rows) and len(series)):
        return None
    series = series[:: -(-len(series) // MEASURED_SERIES)]
    rows = rows[:: -(-len(rows) // MEASURED_ROWS)]
    own, values, horizon = start.select(series), y[:, series], min(horizon, LONGEST_STEP)
    return HeldBack(early, None, Sample(own, values, rows, horizon, own.points(values, rows, horizon)).probability)


def _arrays(network: PretrainedNetwork) -> Weights:
    return {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
