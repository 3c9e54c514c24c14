"""From states to forecasts: the linear head, the linear shortcut, and the distribution of each step with its loss.

Targets and weights are (B, P, H); all numbers are corrections of the base, relative to the scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor, nn

from forecast._estimator import show
from forecast.features.inputs import LEVEL, N_STATE_CHANNELS, SCALE

SD = math.sqrt(math.pi / 2)  # of a Gaussian whose mean absolute value is 1
SOFTPLUS_0 = math.log(2)  # softplus(0)
#: Adam moves every weight by about the learning rate a step, whatever its gradient. These factors set how far each part
#: can move in one training: the shortcut far, as it is what a regression would fit; the head, which has many more
#: weights, little, so that it hardly corrects a random walk (benchmarks/truth.py measures both).
SHORTCUT_GAIN, STATE_GAIN = 20.0, 0.5
#: Student's t: lower bounds of its scale and degrees of freedom (above 2 the variance is finite), and initial degrees.
MIN_SCALE, MIN_FREEDOM, INITIAL_FREEDOM = 1e-4, 2, 10
STEP_HIDDEN = 32  # width of the head that reads the inputs of each step
Loss = Callable[[Tensor, Tensor], Tensor]  # of forecasts and targets (B, P, H), for each of them
LOSS_FUNCTIONS: dict[str, Loss] = {
    "mse": partial(nn.functional.mse_loss, reduction="none"),
    "mae": partial(nn.functional.l1_loss, reduction="none"),
    "huber": partial(nn.functional.huber_loss, reduction="none"),
}


class Output(nn.Module):
    """A map of raw numbers (…, H, n) to the parameters (…, H, n) of a distribution of each step.

    The output of step k is multiplied by √k, as the error of a random walk grows; initial quantiles are those of a
    Gaussian random walk.
    """

    n: int  # numbers for each step
    middle = 0  # which of them is the point
    growth: Tensor  # (H, 1)

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.register_buffer("growth", torch.arange(1, horizon + 1).sqrt()[:, None])

    def loss(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss of outputs (B, P, H, n), averaged over the targets that are known."""
        raise NotImplementedError

    def quantiles(self, output: np.ndarray, levels: Sequence[float]) -> np.ndarray:
        """Return the quantiles (…, H, Q); a point has none."""
        raise NotImplementedError


class Quantiles(Output):
    """The median, and the other quantiles outward from it by positive gaps, so that they cannot cross."""

    gaps: Tensor

    def __init__(self, horizon: int, levels: Sequence[float]) -> None:
        super().__init__(horizon)
        self.n, self.middle, self.levels = len(levels), list(levels).index(0.5), tuple(levels)
        z = torch.tensor([NormalDist().inv_cdf(level) for level in levels])
        self.register_buffer("gaps", self.growth * SD * z.diff() / SOFTPLUS_0)  # (H, Q - 1)

    def forward(self, raw: Tensor) -> Tensor:
        """Map (…, H, Q) to increasing quantiles (…, H, Q)."""
        m = self.middle
        median = self.growth * raw[..., m : m + 1]
        below = self.gaps[:, :m] * nn.functional.softplus(raw[..., :m])
        above = self.gaps[:, m:] * nn.functional.softplus(raw[..., m + 1 :])
        return torch.cat([median - below.flip(-1).cumsum(-1).flip(-1), median, median + above.cumsum(-1)], dim=-1)

    def loss(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the pinball loss, averaged over the levels: its minimum is at the quantiles."""
        tau = torch.tensor(self.levels, device=output.device)
        error = target[..., None] - output  # (B, P, H, Q)
        return _weighted_mean(torch.maximum(tau * error, (tau - 1) * error).mean(dim=-1), weight)

    def quantiles(self, output: np.ndarray, levels: Sequence[float]) -> np.ndarray:
        """Return the output: the quantiles at the training levels (`levels` is ignored)."""
        return output


class Point(Output):
    """One number; its spread is measured from errors in training."""

    n = 1

    def __init__(self, horizon: int, loss: str | Loss) -> None:
        super().__init__(horizon)
        self.function = loss if callable(loss) else LOSS_FUNCTIONS[loss]

    def forward(self, raw: Tensor) -> Tensor:
        """Map (…, H, 1) to points (…, H, 1)."""
        return self.growth * raw

    def loss(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the loss of the points: of the squared loss the minimum is the mean, of the absolute one the median.

        Raises ValueError if a function does not return the loss of each forecast.
        """
        losses = self.function(output[..., 0], target)
        shape = tuple(losses.shape) if isinstance(losses, Tensor) else None
        if shape != target.shape:
            got = f"{type(losses).__name__} {losses!r}" if shape is None else f"a tensor of shape {shape}"
            raise ValueError(
                f"loss must return the loss of each forecast, here a tensor of shape {tuple(target.shape)} as the two "
                f"that it gets; {show(self.function)} returned {got}: leave out a sum or mean, and use torch throughout"
            )
        return _weighted_mean(losses, weight)


class StudentT(Output):
    """Student's t: location, scale and degrees of freedom above 2, by maximum likelihood."""

    n = 3

    def forward(self, raw: Tensor) -> Tensor:
        """Map (…, H, 3) to location, scale, degrees of freedom (…, H, 3)."""
        location = self.growth * raw[..., :1]
        scale = self.growth * SD / SOFTPLUS_0 * nn.functional.softplus(raw[..., 1:2]) + MIN_SCALE
        freedom = MIN_FREEDOM + (INITIAL_FREEDOM - MIN_FREEDOM) / SOFTPLUS_0 * nn.functional.softplus(raw[..., 2:])
        return torch.cat([location, scale, freedom], dim=-1)

    def loss(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return minus the log-likelihood."""
        location, scale, freedom = output.unbind(-1)
        distribution = torch.distributions.StudentT(freedom, location, scale, validate_args=False)
        return _weighted_mean(-distribution.log_prob(target), weight)

    def quantiles(self, output: np.ndarray, levels: Sequence[float]) -> np.ndarray:
        """Return the quantiles of the distribution."""
        from scipy import stats

        location, scale, freedom = (output[..., i, None] for i in range(3))
        return location + scale * stats.t.ppf(np.asarray(levels), freedom)


def make_output(loss: str | Loss, horizon: int, levels: Sequence[float]) -> Output:
    """Return the output that a loss trains."""
    if loss == "pinball":
        return Quantiles(horizon, levels)
    return StudentT(horizon) if loss == "student-t" else Point(horizon, loss)


def _weighted_mean(loss: Tensor, weight: Tensor) -> Tensor:
    return (loss * weight).sum() / (weight > 0).sum().clamp_min(1)  # weights are 1 on average


class Head(nn.Module):
    """A linear map of a state to raw numbers, zero at the start, so that an untrained network corrects nothing."""

    def __init__(self, width: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.linear = nn.Linear(width, math.prod(shape))
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, state: Tensor) -> Tensor:
        """Map (…, width) to (…, *shape)."""
        return STATE_GAIN * self.linear(state).unflatten(-1, self.shape)


class LinearShortcut(nn.Module):
    """A linear map of the newest input row, and of the levels of the last `rows`, to raw numbers for all H steps.

    A level is read as the change since that row, divided by the newest row's scale and by the square root of the number
    of rows: with many rows the shortcut is an autoregression. Its weights start at zero.
    """

    inverse_root: Tensor  # (rows - 1,)

    def __init__(self, n_inputs: int, output: Output, rows: int = 1) -> None:
        super().__init__()
        self.shape, self.rows = (len(output.growth), output.n), rows
        self.linear = nn.Linear(n_inputs + rows - 1, self.shape[0] * output.n, bias=False)
        self.register_buffer("inverse_root", 1 / torch.arange(1, rows).sqrt(), persistent=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, L, C) to (B, H, n)."""
        return self.at_every_row(x[:, -self.rows :])[:, 0]

    def at_every_row(self, x: Tensor) -> Tensor:
        """Map P rows and those before them, (B, rows − 1 + P, C), to (B, P, H, n)."""
        newest = x[:, self.rows - 1 :]  # (B, P, C)
        features = newest[..., N_STATE_CHANNELS:]
        if self.rows > 1:
            levels = x[:, :-1, LEVEL].unfold(1, self.rows - 1, 1).flip(-1)  # (B, P, rows - 1), newest first
            distance = ratio(newest[..., LEVEL, None] - levels, newest[..., SCALE, None])
            features = torch.cat([features, distance * self.inverse_root], dim=-1)
        return SHORTCUT_GAIN * self.linear(features).unflatten(-1, self.shape)


class StepHead(nn.Module):
    """A map of a state and of the inputs of each step to raw numbers, zero at the start.

    The inputs of a step are multiplied by coefficients, one set for each step and another that depends on the state and
    the inputs, and added to the point; a further term, which depends on both, is added to all numbers.
    """

    growth: Tensor

    def __init__(self, width: int, n_inputs: int, output: Output, hidden: int = STEP_HIDDEN) -> None:
        super().__init__()
        self.middle, self.n = output.middle, output.n
        self.register_buffer("growth", output.growth, persistent=False)  # (H, 1)
        self.state, self.inputs = nn.Linear(width, hidden), nn.Linear(n_inputs, hidden, bias=False)
        self.place = nn.Parameter(torch.zeros(len(output.growth), hidden))
        self.out = nn.Linear(hidden, output.n + n_inputs)
        self.linear = nn.Parameter(torch.zeros(len(output.growth), n_inputs))
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, state: Tensor, inputs: Tensor, first: int = 0) -> Tensor:
        """Map states (…, 1 or H', width) and inputs (…, H', C) of the steps from `first` on to (…, H', n)."""
        steps = slice(first, first + inputs.shape[-2])
        hidden = nn.functional.silu(self.state(state) + self.inputs(inputs) + SHORTCUT_GAIN * self.place[steps])
        raw, coefficients = (STATE_GAIN * self.out(hidden)).split([self.n, inputs.shape[-1]], dim=-1)
        coefficients = coefficients + SHORTCUT_GAIN * self.linear[steps]
        point = (coefficients * inputs).sum(dim=-1, keepdim=True) / self.growth[steps]
        return torch.cat(
            [raw[..., : self.middle], raw[..., self.middle : self.middle + 1] + point, raw[..., self.middle + 1 :]], -1
        )


def ratio(distance: Tensor, scale: Tensor) -> Tensor:
    """Return distance / scale, 0 where the scale is 0."""
    return torch.where(scale > 0, distance / scale.clamp_min(1e-30), 0.0)
