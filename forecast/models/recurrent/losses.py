"""Training losses over (B, P, H) targets, weighted, in units."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import StudentT

#: What each loss asks of a network: quantiles, one number, or Student's t.
LOSSES = ("pinball", "mse", "mae", "huber", "student-t")


def pinball(levels: Sequence[float], said: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Quantile loss of (B, P, H, Q), averaged over the levels: makes each output the quantile of its level."""
    tau = torch.tensor(levels, device=said.device)
    error = target[..., None] - said  # (B, P, H, Q)
    return _mean(torch.maximum(tau * error, (tau - 1) * error).mean(dim=-1), weight)


def student_t(said: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Minus the log-likelihood of (B, P, H, 3): location, scale, degrees of freedom."""
    location, scale, freedom = said.unbind(-1)
    return _mean(-StudentT(freedom, location, scale, validate_args=False).log_prob(target), weight)


def _point(each: Callable[..., Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    return lambda said, target, weight: _mean(each(said, target, reduction="none"), weight)


#: Losses of one number (B, P, H): its mean, its median, and in between.
POINT = {
    "mse": _point(nn.functional.mse_loss),
    "mae": _point(nn.functional.l1_loss),
    "huber": _point(nn.functional.huber_loss),
}


def _mean(each: Tensor, weight: Tensor) -> Tensor:
    return (each * weight).sum() / weight.sum().clamp_min(1)
