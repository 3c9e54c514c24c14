"""Training losses over (B, P, H, Q) forecasts and (B, P, H) targets, weighted, in units."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def pinball(levels: Sequence[float]) -> Loss:
    """Quantile loss, averaged over the levels: what makes each output the quantile of its level."""
    tau = torch.tensor(levels)

    def loss(forecast: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        error = target[..., None] - forecast  # (B, P, H, Q)
        each = torch.maximum(tau * error, (tau - 1) * error).mean(dim=-1)
        return (each * weight).sum() / weight.sum().clamp_min(1)

    return loss
