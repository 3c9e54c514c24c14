"""What a network says of each step, in units: quantiles, a point, or Student's t; each with the loss it learns by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor, nn

from forecast.models.recurrent import losses

SD = math.sqrt(math.pi / 2)  # of a Gaussian whose mean absolute value is one unit
LOG2 = math.log(2)  # softplus(0)


class Output(nn.Module):
    """Turns raw numbers (…, H, n) into parameters (…, H, n) of what is said.

    Step k is measured in √k units, as a random walk moves, and spreads start where those of a Gaussian random walk
    lie, so that training only has to refine them.
    """

    n: int  # numbers for each step
    middle = 0  # which of them is the point
    grow: Tensor  # (H, 1)

    def __init__(self, horizon: int) -> None:
        super().__init__()
        self.register_buffer("grow", torch.arange(1, horizon + 1).sqrt()[:, None])

    def loss(self, said: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Compare what is said (B, P, H, n) with what came (B, P, H), where it is known."""
        raise NotImplementedError

    def quantiles(self, said: np.ndarray, levels: Sequence[float]) -> np.ndarray | None:
        """Give the quantiles (…, H, Q), or None where nothing is said about the spread."""
        raise NotImplementedError


class Quantiles(Output):
    """The median as it is, the other quantiles outward from it by positive gaps: they cannot cross."""

    gaps: Tensor

    def __init__(self, horizon: int, levels: Sequence[float]) -> None:
        super().__init__(horizon)
        self.n, self.middle, self.levels = len(levels), list(levels).index(0.5), tuple(levels)
        z = torch.tensor([NormalDist().inv_cdf(level) for level in levels])
        self.register_buffer("gaps", self.grow * SD * z.diff() / LOG2)  # (H, Q - 1)

    def forward(self, raw: Tensor) -> Tensor:
        """Map (…, H, Q) to rising quantiles (…, H, Q)."""
        m = self.middle
        median = self.grow * raw[..., m : m + 1]
        below = self.gaps[:, :m] * nn.functional.softplus(raw[..., :m])
        above = self.gaps[:, m:] * nn.functional.softplus(raw[..., m + 1 :])
        return torch.cat([median - below.flip(-1).cumsum(-1).flip(-1), median, median + above.cumsum(-1)], dim=-1)

    def loss(self, said: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Give the quantile loss."""
        return losses.pinball(self.levels, said, target, weight)

    def quantiles(self, said: np.ndarray, levels: Sequence[float]) -> np.ndarray | None:
        """Give what is said."""
        return said


class Point(Output):
    """One number; how far off it is has to be learnt from its errors."""

    n = 1

    def __init__(self, horizon: int, loss: str) -> None:
        super().__init__(horizon)
        self.kind = loss

    def forward(self, raw: Tensor) -> Tensor:
        """Map (…, H, 1) to points (…, H, 1)."""
        return self.grow * raw

    def loss(self, said: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Give the mean, absolute or Huber loss."""
        return losses.POINT[self.kind](said[..., 0], target, weight)

    def quantiles(self, said: np.ndarray, levels: Sequence[float]) -> np.ndarray | None:
        """Give None."""
        return None


class StudentT(Output):
    """Student's t: location, scale and degrees of freedom above 2, by maximum likelihood."""

    n = 3

    def forward(self, raw: Tensor) -> Tensor:
        """Map (…, H, 3) to location, scale, degrees of freedom (…, H, 3)."""
        location = self.grow * raw[..., :1]
        scale = self.grow * SD / LOG2 * nn.functional.softplus(raw[..., 1:2]) + 1e-4
        freedom = 2 + 8 / LOG2 * nn.functional.softplus(raw[..., 2:])
        return torch.cat([location, scale, freedom], dim=-1)

    def loss(self, said: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Give minus the log-likelihood."""
        return losses.student_t(said, target, weight)

    def quantiles(self, said: np.ndarray, levels: Sequence[float]) -> np.ndarray | None:
        """Give the quantiles of the distribution."""
        from scipy import stats

        location, scale, freedom = (said[..., i, None] for i in range(3))
        return location + scale * stats.t.ppf(np.asarray(levels), freedom)


def make_output(loss: str, horizon: int, levels: Sequence[float]) -> Output:
    """Make the output that a loss trains."""
    if loss == "pinball":
        return Quantiles(horizon, levels)
    return StudentT(horizon) if loss == "student-t" else Point(horizon, loss)
