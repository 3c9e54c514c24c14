"""The training loop: a fixed number of steps, one record each; the caller prints, plots, stops or saves."""

from __future__ import annotations

import copy
import inspect
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from forecast._estimator import Estimator, clone
from forecast._validation import check_choice, check_int, check_number

RECORD = ("step", "loss", "norm", "lr", "seconds")  # of each training step
CURVE_POINTS = 20  # of a fit's training loss
DEVICES = ("auto", "cpu", "cuda", "mps")
CPU = torch.device("cpu")
VALIDATION_STEPS = 10  # steps between two validations
VALIDATION_EXAMPLES = 512  # at most
EARLY_STEPS = 0.8  # share of the steps of a training before the newest rows are examples too
PROBE_EXAMPLES = 256  # of `example_batch`, at most
#: Torch has one generator and one number of threads for the whole process: one thread at a time may change them.
PROCESS_LOCK = threading.RLock()


class Trainable(nn.Module):
    """A network with a loss."""

    def batch_loss(self, *batch: Tensor) -> Tensor:
        """Return the loss of a batch."""
        raise NotImplementedError


Net = TypeVar("Net", bound=Trainable)
#: A trained network, the records of its steps, and a measurement of it before it saw the newest rows.
Trained = tuple[Net, list[dict[str, float]], float | None]


class Batches(Protocol):
    """What batches are drawn from: tuples of arrays, whose first axis is B."""

    def draw(self, rng: np.random.Generator, batch_size: int) -> tuple[np.ndarray, ...]:
        """Return a random batch."""


class Examples(Batches, Protocol):
    """Training examples by their numbers."""

    def __len__(self) -> int: ...

    def gather(self, numbers: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the examples of these numbers."""


@dataclass(frozen=True)
class HeldBack:
    """The newest training rows, on which a network is measured before it is trained on them, too."""

    early: Batches  # examples of the rows before them
    late: Examples | None  # their own examples, where `patience` needs them
    measure: Callable[[Any], float]  # of a network that was trained on the early examples


class StagedExamples:
    """Early examples for a number of batches, then all examples."""

    def __init__(self, early: Batches, n_early: int, examples: Batches) -> None:
        self._early, self._examples, self._remaining = early, examples, n_early

    def draw(self, rng: np.random.Generator, batch_size: int) -> tuple[np.ndarray, ...]:
        """Return the next batch."""
        examples = self._early if self._remaining > 0 else self._examples
        self._remaining -= 1
        return examples.draw(rng, batch_size)


class AdamW(torch.optim.AdamW):
    """Torch's optimizer without the wrappers that load its compiler: 2 s and 70 MiB in every process that trains."""

    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


@dataclass(eq=False, repr=False)
class Trainer(Estimator):
    """Training of a network by AdamW (Loshchilov and Hutter, 2019) for a fixed number of steps.

    The learning rate increases over the first tenth of the steps and then decays linearly to zero. A forecaster is
    trained on the older four fifths of the rows for the first four fifths of the steps, and on all rows after that.
    Forecasts are computed on the CPU, whatever the device of the training.

    Parameters
    ----------
    steps : int, default 200
        Number of batches.
    batch_size : int, default 16
        Examples in a batch.
    lr : float, default 1e-3
        The highest learning rate.
    weight_decay : float, default 1e-2
        Decoupled weight decay.
    clip : float, default 1.0
        Highest norm of the gradient, which is scaled down to it.
    patience : int, optional
        If given, a network is first trained on the older four fifths of the training rows until the validation loss
        has not fallen for `patience` steps; the step of the lowest loss is the number of steps of the training.
        Seq2seq networks are validated with teacher forcing, as they are trained.
    bptt : int, optional
        Rows after which back-propagation through time is truncated; the state passes on (None: never).
    device : {"auto", "cpu", "cuda", "mps"}, default "auto"
        Device of the training; "auto" is a GPU if there is one.
    warm_steps : int, optional
        Steps of a fit that continues from the previous one (None: a quarter of `steps`). With fewer steps its learning
        rate is lower in proportion, as full steps would move the weights away from where they were.
    skip_lr : float, optional
        Learning rate of the linear shortcut (None: `lr`). A higher rate helps where the base is poor, as naive is for
        returns.
    """

    steps: int = 200
    batch_size: int = 16
    lr: float = 1e-3
    weight_decay: float = 1e-2
    clip: float = 1.0
    patience: int | None = None
    bptt: int | None = None
    device: str = "auto"
    warm_steps: int | None = None
    skip_lr: float | None = None

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
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
        """Return the trainer of a fit that continues from the previous one."""
        steps = -(-self.steps // 4) if self.warm_steps is None else self.warm_steps
        return clone(self).set_params(steps=steps, lr=self.lr * min(steps / max(self.steps, 1), 1.0))

    def train(
        self, new_network: Callable[[], Net], examples: Batches, seed: int, held_back: HeldBack | None = None
    ) -> Trained[Net]:
        """Train a new network as `train_iter` does, and return what it returns."""
        steps = self.train_iter(new_network, examples, seed, held_back)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                trained: Trained[Net] = end.value
                return trained

    def train_iter(
        self, new_network: Callable[[], Net], examples: Batches, seed: int, held_back: HeldBack | None = None
    ) -> Generator[dict[str, float], None, Trained[Net]]:
        """Train a new network; yield a record of each step; return the network, all records and a measurement.

        The network is on the CPU, ready to forecast.
        With `held_back` the first four fifths of the steps draw early examples only, and the network is measured after
        them; without it, and if there are fewer than two steps, the measurement is None. With `patience` the number of
        steps is chosen first, on the early and late examples: validated steps beyond it, and step 0, have a record with
        the validation loss only.
        """
        with one_thread():
            losses: dict[int, float] = {}
            if held_back is not None and held_back.late is not None and self.patience is not None:
                losses = self.validation_losses(new_network(), held_back.early, held_back.late, seed)
            n_steps = _best_step(losses) if losses else self.steps
            net, records, measured = new_network(), list[dict[str, float]](), None
            n_early = 0
            if held_back is not None:
                n_early = int(EARLY_STEPS * n_steps)
                examples = StagedExamples(held_back.early, n_early, examples)
            for record in islice(self.run(net, examples, seed), n_steps):
                records.append(record | {"validation": losses.get(int(record["step"]), math.nan)})
                yield dict(records[-1])
                if held_back is not None and record["step"] == n_early:
                    measured = held_back.measure(copy.deepcopy(net).to("cpu"))
            records += [
                {"step": step, "validation": loss} for step, loss in losses.items() if step == 0 or step > n_steps
            ]
            return net.to("cpu").eval(), sorted(records, key=lambda record: record["step"]), measured

    def run(self, net: Trainable, examples: Batches, seed: int) -> Iterator[dict[str, float]]:
        """Train a network in place; yield step, loss, gradient norm, learning rate and seconds of each step.

        `examples.draw(rng, batch_size)` returns a batch, a tuple of arrays. After the last record the network is on the
        CPU, ready to forecast.
        """
        device = find_device(self.device)
        rng = np.random.default_rng(seed)
        generator = torch.Generator().manual_seed(seed)
        net.to(device)
        optimizer = AdamW(self._parameter_groups(net), weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        start = time.perf_counter()
        for step in range(self.steps):
            batch = examples.draw(rng, self.batch_size)
            net.train()
            with local_random(generator, device):
                loss = net.batch_loss(*tensors(batch, device))
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(net.parameters(), self.clip)
            if not (loss.isfinite() and norm.isfinite()):
                raise ValueError(
                    f"the training diverged: at step {step + 1} the loss is {loss.item()} and its gradient "
                    f"{norm.item()}. Use a lower learning rate (lr is {self.lr:g}), or examples with a scale near 1"
                )
            rate = float(schedule.get_last_lr()[0])
            optimizer.step()
            schedule.step()
            net.eval()
            seconds = time.perf_counter() - start
            yield dict(zip(RECORD, (step + 1, loss.item(), norm.item(), rate, seconds), strict=True))
        net.to("cpu").eval()

    def _parameter_groups(self, net: nn.Module) -> list[dict[str, Any]]:
        """Return a network's weights with their learning rates; the linear shortcut may have another one."""
        linear = getattr(net, "shortcut", None)
        shortcut = [] if linear is None or self.skip_lr is None else list(linear.parameters())
        others = [weight for weight in net.parameters() if not any(weight is other for other in shortcut)]
        groups: list[dict[str, Any]] = [{"params": others, "lr": self.lr}]
        return [*groups, {"params": shortcut, "lr": self.skip_lr}] if shortcut else groups

    def validation_losses(self, net: Trainable, early: Batches, late: Examples, seed: int) -> dict[int, float]:
        """Train on early examples until `patience` ends it; return the loss on late ones by number of steps."""
        assert self.patience is not None
        losses: dict[int, float] = {0: validation_loss(net, late)}
        for record in self.run(net, early, seed):
            step = int(record["step"])
            if step % VALIDATION_STEPS == 0 or step == self.steps:
                losses[step] = validation_loss(net, late)
                if step - _best_step(losses) >= self.patience:
                    break
        return losses

    def _rate(self, step: int) -> float:
        """Return the learning rate of a step as a share of the highest."""
        warm_up = max(self.steps // 10, 1)
        return min((step + 1) / warm_up, (self.steps - step) / max(self.steps - warm_up, 1))


def _best_step(losses: dict[int, float]) -> int:
    """Return the number of steps with the lowest validation loss."""
    return min(losses, key=lambda step: losses[step])


def tensors(batch: tuple[np.ndarray, ...], device: torch.device) -> list[Tensor]:
    """Return a batch of arrays as tensors on the device."""
    return [torch.from_numpy(array).to(device) for array in batch]


def example_batch(examples: Examples) -> list[Tensor]:
    """Return a batch of at most 256 examples, evenly spaced, as tensors."""
    return tensors(examples.gather(_evenly_spaced(len(examples), PROBE_EXAMPLES)), CPU)


@torch.no_grad()
def validation_loss(net: Trainable, examples: Examples) -> float:
    """Return the loss of a network on examples that it is not trained on (at most 512, evenly spaced)."""
    net.eval()
    numbers = _evenly_spaced(len(examples), VALIDATION_EXAMPLES)
    device = next(net.parameters()).device
    parts = np.array_split(numbers, max(len(numbers) // 64, 1))
    losses = [net.batch_loss(*tensors(examples.gather(part), device)).item() for part in parts]
    return float(np.average(losses, weights=[len(part) for part in parts]))


def _evenly_spaced(n: int, at_most: int) -> np.ndarray:
    """Return evenly spaced numbers below n, at most `at_most` of them."""
    return np.unique(np.linspace(0, n - 1, min(n, at_most)).astype(np.int64))


def find_device(name: str) -> torch.device:
    """Return the device of a name; "auto" is the first available of cuda, mps and cpu."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, found in available.items() if found))
    if not available[name]:
        raise ValueError(f"trainer.device={name!r}, but torch finds none here: use 'auto' or 'cpu'")
    return torch.device(name)


@contextmanager
def local_random(generator: torch.Generator, device: torch.device = CPU) -> Iterator[None]:
    """Draw torch's random numbers from this generator inside the block; the process-wide generators are not changed.

    Threads wait for each other: torch's layers draw from the process-wide generator, in whatever thread they are built.
    """
    others = [] if device.type == "cpu" else [device.index or 0]
    with PROCESS_LOCK, torch.random.fork_rng(others, device_type=device.type if others else "cuda"):
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
    """Limit torch to one thread inside the block.

    Small networks are fastest this way, and results do not depend on the number of cores. Other threads of the process
    wait, as one of them would reset the number of threads while it is needed here.
    """
    with PROCESS_LOCK:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def loss_curve(losses: np.ndarray) -> list[float]:
    """Return the losses of a training as at most 20 points, each the mean of equally many; NaN is left out."""
    known = losses[~np.isnan(losses)]
    return [round(float(part.mean()), 6) for part in np.array_split(known, CURVE_POINTS) if len(part)]
