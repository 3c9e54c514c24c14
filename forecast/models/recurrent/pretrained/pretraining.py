"""The training of the pretrained network on simulated series alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from forecast.models.recurrent.pretrained.encoding import encode, step_inputs
from forecast.models.recurrent.pretrained.network import LONGEST_STEP, PretrainedNetwork
from forecast.models.recurrent.pretrained.priors import SimulatedBatch, draw_batch
from forecast.models.recurrent.trainer import AdamW, find_device, local_random

Weights = Mapping[str, np.ndarray]
MOMENTS = ("exp_avg", "exp_avg_sq")  # of AdamW


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of a training; all that decides its result."""

    steps: int = 14_000
    n_rows: int = 16_384  # of all series of a batch
    chunk: int = 4_096  # rows that are in one backward pass
    lengths: tuple[int, ...] = (64, 96, 96, 160, 160, 320, 448, 1024)
    n_positions: int = 2_720  # with a loss, of all series of a batch
    n_horizons: int = 12
    lr: float = 2e-3
    warm_up: int = 200
    clip: float = 1.0
    weight_decay: float = 1e-2
    seed: int = 0
    start_from: str = ""  # hash of the weights that the training starts from; empty for random ones


def training_batch(config: TrainingConfig, step: int) -> tuple[Tensor, ...]:
    """Return the batch of a training step, which depends on the seed and the step alone."""
    rng = np.random.default_rng((config.seed, step))
    t = int(rng.choice(config.lengths))
    n = config.n_rows // t
    batch = draw_batch(rng, n, t + LONGEST_STEP)
    rows = draw_positions(rng, (n, config.n_positions // n), t)
    steps = np.unique(np.floor(np.exp(rng.uniform(0, np.log(LONGEST_STEP + 1), config.n_horizons))).astype(np.int64))
    return tuple(map(torch.from_numpy, make_examples(batch, t, rows, steps)))


def make_examples(batch: SimulatedBatch, t: int, rows: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the arguments of `batch_loss`: examples at rows (B, P) of the first t rows of series, for steps (K,)."""
    series = encode(batch.values[:, :t], batch.observed[:, :t], batch.seasons)
    guides, inputs = step_inputs(series, rows, steps)
    y = batch.values - batch.values[:, :1]
    index = rows[..., None] + steps
    target = np.take_along_axis(y, index.reshape(len(y), -1), axis=1).reshape(index.shape)
    seen = np.take_along_axis(batch.observed, index.reshape(len(y), -1), axis=1).reshape(index.shape)
    now = np.take_along_axis(series.values, rows, axis=1)
    scale = np.take_along_axis(series.scale, rows, axis=1)
    size = naive_errors(y, batch.seasons, steps)  # (B, K)
    usable = seen & (scale > 0)[..., None] & (size > 0)[:, None]
    safe = np.where(scale > 0, scale, 1.0)[..., None]
    goal = np.where(usable, (target - now[..., None]) / safe, 0.0)
    weight = np.where(usable, np.minimum(safe / np.where(size > 0, size, 1.0)[:, None], 50.0), 0.0)
    goal = np.clip(goal, -1e4, 1e4)
    return rows, series.rows, guides, inputs, goal.astype(np.float32), weight.astype(np.float32)


def draw_positions(rng: np.random.Generator, shape: tuple[int, int], t: int) -> np.ndarray:
    """Return rows from 2 to t − 1: two thirds have a uniform logarithm, so that short histories are learnt."""
    early = np.exp(rng.uniform(np.log(2), np.log(t), shape))
    rows = np.where(rng.random(shape) < 2 / 3, early, rng.uniform(2, t, shape))
    return np.minimum(rows.astype(np.int64), t - 1)


def naive_errors(y: np.ndarray, seasons: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the mean absolute error (B, K) of the last value, or of the value a season ago where it is smaller."""
    out = np.empty((len(y), len(steps)))
    for j, k in enumerate(steps):
        out[:, j] = np.abs(y[:, k:] - y[:, :-k]).mean(axis=1)
        for m in np.unique(seasons[seasons > 1]):
            back = int(m * -(-k // m))
            if back < y.shape[1]:
                own = seasons == m
                out[own, j] = np.minimum(out[own, j], np.abs(y[own, back:] - y[own, :-back]).mean(axis=1))
    return out


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Return the learning rate of a step: a warm-up, then a cosine to zero."""
    if step < config.warm_up:
        return config.lr * (step + 1) / config.warm_up
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - config.warm_up) / (config.steps - config.warm_up)))


def has_half_precision(device: torch.device) -> bool:
    """Return whether a device computes recurrent layers in bfloat16; of processors, those with AVX-512 do."""
    return device.type != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class Training:
    """A training in progress: the network, the optimizer and the number of steps taken."""

    def __init__(self, config: TrainingConfig, device: str = "cpu", weights: Weights | None = None) -> None:
        self.config, self.step, self.device = config, 0, find_device(device)
        with local_random(torch.Generator().manual_seed(config.seed)):
            self.network = PretrainedNetwork()
        if weights is not None:
            self.network.load_state_dict({name: torch.from_numpy(array).float() for name, array in weights.items()})
        self.network.half_precision = has_half_precision(self.device)
        self.network.to(self.device)
        self.optimizer = AdamW(self.network.parameters(), lr=config.lr, weight_decay=config.weight_decay)

    def next_step(self) -> float:
        """Take one step and return its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.step)
        batch = tuple(tensor.to(self.device) for tensor in training_batch(self.config, self.step))
        n_chunks = -(-batch[1].shape[0] * batch[1].shape[1] // self.config.chunk)
        self.optimizer.zero_grad()
        total = 0.0
        for part in zip(*(tensor.chunk(n_chunks) for tensor in batch), strict=True):
            loss = self.network.batch_loss(*part) / n_chunks
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimizer.step()
        self.step += 1
        return total

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what a training needs to continue."""
        arrays = {"step": np.array(self.step)}
        for name, weight in self.network.named_parameters():
            arrays[f"weight.{name}"] = weight.detach().cpu().numpy()
            for moment in MOMENTS if self.step else ():
                arrays[f"{moment}.{name}"] = self.optimizer.state[weight][moment].cpu().numpy()
        return arrays

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """Continue from the arrays of a training with the same settings."""
        self.step = int(arrays["step"])
        for name, weight in self.network.named_parameters():
            with torch.no_grad():
                weight.copy_(torch.from_numpy(arrays[f"weight.{name}"]))
            if self.step:
                moments = {m: torch.from_numpy(arrays[f"{m}.{name}"]).to(self.device) for m in MOMENTS}
                self.optimizer.state[weight] = {"step": torch.tensor(float(self.step)), **moments}
