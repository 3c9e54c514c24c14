"""The training loop: a fixed budget of steps, one record each; the caller prints, plots, stops or saves."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from forecast._estimator import Estimator, clone
from forecast._validation import check_choice, check_int, check_number

CURVE = 20  # points that a fit keeps of its training loss
RECORD = ("step", "loss", "norm", "lr", "seconds")  # what is known of each training step
DEVICES = ("auto", "cpu", "cuda", "mps")
CHECK = 10  # steps between looks at the validation rows
EXAMPLES = 512  # validation examples that are looked at
#: Torch has one generator and one number of threads for the whole process: whoever changes them is alone with it.
ALONE = threading.RLock()


class Trainable(nn.Module):
    """A network that can say how wrong it is."""

    def loss_of(self, *batch: Tensor) -> Tensor:
        """Give the loss of a batch."""
        raise NotImplementedError


class AdamW(torch.optim.AdamW):
    """Torch's optimizer without the wrappers that load its compiler: 2 s and 70 MiB in every process that trains."""

    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


class Trainer(Estimator):
    """How a network is trained: `steps` batches of `batch_size` examples, by AdamW.

    The learning rate `lr` is warmed up over the first tenth of the steps and decays linearly to zero; `weight_decay`
    and gradient-norm clipping at `clip` keep small networks calm. With `patience` the newest fifth of the training
    rows first chooses the number of steps (where no better one follows within `patience` steps), then the network is
    trained on all rows for that many. `bptt` cuts back-propagation through time after so many rows (None: never), with
    the state carried over the cut. `device` "auto" is a GPU if there is one; forecasts are made on the CPU. A fit that
    goes on from the one before takes `warm_steps` (None: a quarter of `steps`). `skip_lr` is the rate of the linear
    path beside a network (None: `lr`), which has a long way to go where the base is far off, as naive is of returns.
    """

    def __init__(
        self,
        steps: int = 200,
        batch_size: int = 16,
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        clip: float = 1.0,
        patience: int | None = None,
        bptt: int | None = None,
        device: str = "auto",
        warm_steps: int | None = None,
        skip_lr: float | None = None,
    ) -> None:
        self.steps = steps
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.clip = clip
        self.patience = patience
        self.bptt = bptt
        self.device = device
        self.warm_steps = warm_steps
        self.skip_lr = skip_lr

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        check_int("trainer.steps", self.steps, 0)
        check_int("trainer.batch_size", self.batch_size, 1)
        for name in ("patience", "bptt", "warm_steps"):
            if getattr(self, name) is not None:
                check_int(f"trainer.{name}", getattr(self, name), 1)
        check_number("trainer.lr", self.lr, 0.0)
        if self.skip_lr is not None:
            check_number("trainer.skip_lr", self.skip_lr, 0.0)
        check_number("trainer.weight_decay", self.weight_decay, 0.0)
        check_number("trainer.clip", self.clip, 1e-12)
        check_choice("trainer.device", self.device, DEVICES)
        find_device(self.device)

    def warm(self) -> Trainer:
        """Give the trainer of a fit that goes on from the one before."""
        steps = -(-self.steps // 4) if self.warm_steps is None else self.warm_steps
        return clone(self).set_params(steps=steps)

    def run(self, net: Trainable, examples: Any, seed: int) -> Iterator[dict[str, float]]:
        """Train a network in place; yields step, loss, gradient norm, learning rate and seconds of each step.

        `examples.draw(rng, batch_size)` gives a batch, a tuple of arrays. After the last record the network is on the
        CPU, ready to forecast.
        """
        device = find_device(self.device)
        draw = np.random.default_rng(seed)
        generator = torch.Generator().manual_seed(seed)
        net.to(device)
        optimizer = AdamW(self._rates(net), weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        start = time.perf_counter()
        for step in range(self.steps):
            batch = examples.draw(draw, self.batch_size)
            net.train()
            with local_random(generator, device):
                loss = net.loss_of(*tensors(batch, device))
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(net.parameters(), self.clip)
            if not (loss.isfinite() and norm.isfinite()):
                raise ValueError(
                    f"the training ran away: at step {step + 1} the loss is {loss.item()} and its gradient "
                    f"{norm.item()}. Take a lower learning rate (lr is {self.lr:g}), or examples in a scale near 1"
                )
            rate = float(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
            net.eval()
            seconds = time.perf_counter() - start
            yield dict(zip(RECORD, (step + 1, loss.item(), norm.item(), rate, seconds), strict=True))
        net.to("cpu").eval()

    def _rates(self, net: nn.Module) -> list[dict[str, Any]]:
        """Give a network's weights with their learning rates: those of the linear path may have one of their own."""
        skip = getattr(net, "skip", None)
        path = [] if skip is None or self.skip_lr is None else list(skip.parameters())
        rest = [weight for weight in net.parameters() if not any(weight is other for other in path)]
        groups = [{"params": rest, "lr": self.lr}]
        return [*groups, {"params": path, "lr": self.skip_lr}] if path else groups

    def choose(self, net: Trainable, early: Any, late: Any, seed: int) -> dict[int, float]:
        """Train on early rows until later ones have had enough: the validation loss after each so many steps."""
        assert self.patience is not None
        seen: dict[int, float] = {0: validation_loss(net, late)}
        for record in self.run(net, early, seed):
            step = int(record["step"])
            if step % CHECK == 0 or step == self.steps:
                seen[step] = validation_loss(net, late)
                if step - min(seen, key=lambda s: seen[s]) >= self.patience:
                    break
        return seen

    def _rate(self, step: int) -> float:
        warm_up = max(self.steps // 10, 1)
        return min((step + 1) / warm_up, (self.steps - step) / max(self.steps - warm_up, 1))


def tensors(batch: tuple[np.ndarray, ...], device: torch.device) -> list[Tensor]:
    """Give a batch of arrays as tensors on the device."""
    return [torch.from_numpy(array).to(device) for array in batch]


def example_batch(examples: Any, size: int = 256) -> list[Tensor]:
    """Give some examples, evenly spaced, as tensors."""
    which = np.unique(np.linspace(0, len(examples) - 1, min(len(examples), size)).astype(np.int64))
    return tensors(examples.gather(which), torch.device("cpu"))


@torch.no_grad()
def validation_loss(net: Trainable, examples: Any) -> float:
    """Give the loss of a network on examples it does not learn from (evenly spaced ones, if there are many)."""
    net.eval()
    which = np.unique(np.linspace(0, len(examples) - 1, min(len(examples), EXAMPLES)).astype(np.int64))
    device = next(net.parameters()).device
    parts = np.array_split(which, max(len(which) // 64, 1))
    each = [(net.loss_of(*tensors(examples.gather(part), device)).item(), len(part)) for part in parts]
    return float(np.average([loss for loss, _ in each], weights=[n for _, n in each]))


def find_device(name: str) -> torch.device:
    """Find the device of a name; "auto" is the first of cuda, mps and cpu that there is."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, found in there.items() if found))
    if not there[name]:
        raise ValueError(f"trainer.device={name!r}, but torch finds none here: use 'auto' or 'cpu'")
    return torch.device(name)


@contextmanager
def local_random(generator: torch.Generator, device: torch.device | None = None) -> Iterator[None]:
    """Let what torch draws inside come from this generator; the process-wide ones are left as they were.

    Threads take turns: the layers of torch draw from the process-wide generator, whatever thread they are made in.
    """
    kind = device.type if device is not None else "cpu"
    others = [] if kind == "cpu" else [0 if device is None or device.index is None else device.index]
    with ALONE, torch.random.fork_rng(others, device_type="cuda" if kind == "cpu" else kind):
        if others:
            torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        else:
            torch.set_rng_state(generator.get_state())
        try:
            yield
        finally:
            if not others:
                generator.set_state(torch.get_rng_state())


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside: small networks are fastest so, and their bytes do not depend on the machine.

    Other threads wait, as one of them would put the number back while it is still needed here.
    """
    with ALONE:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def thinned(losses: np.ndarray) -> list[float]:
    """Give the losses of a training in at most CURVE points, each the mean of as many steps; NaN is left out."""
    taken = losses[~np.isnan(losses)]
    return [round(float(part.mean()), 6) for part in np.array_split(taken, CURVE) if len(part)]
