"""The training loop: a fixed budget of steps, one record each; the caller prints, plots, stops or saves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from forecast.nn.losses import Loss
from forecast.params import check_number, check_whole

RECORD = ("step", "loss", "norm", "lr", "seconds")  # what is known of each training step


class Trainer(BaseEstimator):
    """How a network is trained: `steps` batches of `batch_size` examples, by AdamW.

    The learning rate `lr` is warmed up over the first tenth of the steps and decays linearly to zero; `weight_decay`
    and gradient-norm clipping at `clip` keep small networks calm. `bptt` cuts back-propagation through time after so
    many rows (None: never), with the state carried over the cut.
    """

    def __init__(
        self,
        steps: int = 200,
        batch_size: int = 16,
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        clip: float = 1.0,
        bptt: int | None = None,
    ) -> None:
        self.steps = steps
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.clip = clip
        self.bptt = bptt

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        check_whole("trainer.steps", self.steps, 0)
        check_whole("trainer.batch_size", self.batch_size, 1)
        if self.bptt is not None:
            check_whole("trainer.bptt", self.bptt, 1)
        check_number("trainer.lr", self.lr, 0.0)
        check_number("trainer.weight_decay", self.weight_decay, 0.0)
        check_number("trainer.clip", self.clip, 1e-12)

    def run(self, net: nn.Module, windows: Any, loss: Loss, seed: int) -> Iterator[dict[str, float]]:
        """Train the network in place; yields step, loss, gradient norm, learning rate and seconds of every step."""
        draw = np.random.default_rng(seed)
        optimizer = torch.optim.AdamW(net.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        generator = torch.Generator().manual_seed(seed)
        start = time.perf_counter()
        net.train()
        for step in range(self.steps):
            batch = windows.gather(draw.integers(len(windows), size=self.batch_size))
            x, target, weight = (torch.from_numpy(a) for a in (batch.x, batch.target, batch.weight))
            with local_random(generator):
                value = loss(net(x, target), target, weight)
            optimizer.zero_grad()
            value.backward()
            norm = nn.utils.clip_grad_norm_(net.parameters(), self.clip)
            rate = float(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
            seconds = time.perf_counter() - start
            yield dict(zip(RECORD, (step + 1, value.item(), norm.item(), rate, seconds), strict=True))
        net.eval()

    def _rate(self, step: int) -> float:
        warm_up = max(self.steps // 10, 1)
        return min((step + 1) / warm_up, (self.steps - step) / max(self.steps - warm_up, 1))


@contextmanager
def local_random(generator: torch.Generator) -> Iterator[None]:
    """Let what torch draws inside come from this generator; the process-wide one is left as it was."""
    outside = torch.get_rng_state()
    torch.set_rng_state(generator.get_state())
    try:
        yield
    finally:
        generator.set_state(torch.get_rng_state())
        torch.set_rng_state(outside)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside: small networks are fastest so, and their bytes do not depend on the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
