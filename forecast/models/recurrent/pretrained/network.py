"""The pretrained network: an LSTM over the rows, and a head that forecasts the quantiles of each step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from forecast.models.recurrent.pretrained.encoding import N_GUIDES, N_ROW_INPUTS, N_STEP_INPUTS
from forecast.models.recurrent.trainer import Trainable

LSTMState = tuple[Tensor, Tensor]
LEVELS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98)
MEDIAN = LEVELS.index(0.5)
LONGEST_STEP = 48  # that the network is trained on


class PretrainedNetwork(Trainable):
    """Rows of inputs in, quantiles of any step out, as differences from the newest value over the scale.

    The median is a simple forecast, plus a combination of the differences of others from it with coefficients that
    depend on the state and the step, plus a correction; the other quantiles follow by positive increments. Before
    training it is nearly the simple forecast.
    """

    half_precision = False  # of the recurrent layers in training: bfloat16 takes a third of the time

    def __init__(self, hidden: int = 128, layers: int = 2, width: int = 64) -> None:
        super().__init__()
        self.rows = nn.LSTM(N_ROW_INPUTS, hidden, layers, batch_first=True)
        self.state = nn.Linear(hidden + N_ROW_INPUTS, width)
        self.step = nn.Linear(N_STEP_INPUTS, width)
        self.inner = nn.Linear(width, width)
        self.out = nn.Linear(width, N_GUIDES - 1 + len(LEVELS))
        nn.init.zeros_(self.out.bias)
        with torch.no_grad():
            self.out.weight.mul_(0.1)

    def read(self, rows: Tensor, state: LSTMState | None = None) -> tuple[Tensor, LSTMState]:
        """Return what is known (B, T, hidden + C) after each row (B, T, C), and the state for the rows after them."""
        hidden, state = self.rows(rows, state)
        return torch.cat([hidden, rows], dim=-1), state

    def forward(self, state: Tensor, guides: Tensor, inputs: Tensor) -> Tensor:
        """Map states (B, P, S), guides and inputs of steps (B, P, K, …) to quantiles (B, P, K, Q)."""
        hidden = nn.functional.silu(self.state(state)[:, :, None] + self.step(inputs))
        hidden = nn.functional.silu(self.inner(hidden)) + hidden
        raw = self.out(hidden)
        coefficients, correction, gaps = raw.split([N_GUIDES - 1, 1, len(LEVELS) - 1], dim=-1)
        median = guides[..., 0] + (coefficients * guides[..., 1:]).sum(dim=-1) + correction[..., 0]
        gaps = nn.functional.softplus(gaps)
        below = median[..., None] - gaps[..., :MEDIAN].flip(-1).cumsum(-1).flip(-1)
        above = median[..., None] + gaps[..., MEDIAN:].cumsum(-1)
        return torch.cat([below, median[..., None], above], dim=-1)

    def batch_loss(self, *batch: Tensor) -> Tensor:
        """Return the quantile loss of a batch of `make_examples`, relative to the errors of naive forecasts."""
        rows, inputs, guides, of_steps, goal, weight = batch
        with torch.autocast(rows.device.type, torch.bfloat16, enabled=self.half_precision):
            state, _ = self.read(inputs)
        quantiles = self(torch.take_along_dim(state.float(), rows[..., None], dim=1), guides, of_steps)
        levels = quantiles.new_tensor(LEVELS)
        error = goal[..., None] - quantiles
        pinball = torch.maximum(levels * error, (levels - 1) * error).mean(dim=-1)
        return 2 * (pinball * weight).sum() / (weight > 0).sum().clamp(min=1)
