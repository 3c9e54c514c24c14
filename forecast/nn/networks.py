"""Recurrent networks that correct a base forecast: rows of inputs in, quantiles of H steps out, in units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import torch
from torch import Tensor, nn

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
State = Tensor | tuple[Tensor, Tensor] | None
#: Adam moves every weight by about the learning rate a step, whatever its gradient. These factors say how far the two
#: paths to the output can go in one training: the linear one far, as it is what a regression would fit; the other, with
#: many more weights, less, so that it leaves a random walk alone (benchmarks/truth.py measures both).
SKIP_GAIN, STATE_GAIN = 20.0, 0.5


class Quantiles(nn.Module):
    """Puts raw numbers in order: the median as it is, the others outward from it by positive gaps.

    Step k is measured in √k units, as a random walk moves. The gaps start where those of a Gaussian random walk lie,
    so that training only has to refine them.
    """

    grow: Tensor
    gaps: Tensor

    def __init__(self, horizon: int, levels: Sequence[float]) -> None:
        super().__init__()
        self.middle = list(levels).index(0.5)
        z = torch.tensor([NormalDist().inv_cdf(level) for level in levels])
        sd = math.sqrt(math.pi / 2)  # of a Gaussian whose mean absolute value is one unit
        grow = torch.arange(1, horizon + 1).sqrt()[:, None]
        self.register_buffer("grow", grow)  # (H, 1)
        self.register_buffer("gaps", grow * sd * z.diff() / math.log(2))  # (H, Q - 1); softplus(0) = log 2

    def forward(self, raw: Tensor) -> Tensor:
        """Map (…, H, Q) to rising quantiles (…, H, Q)."""
        m = self.middle
        median = self.grow * raw[..., m : m + 1]
        below = self.gaps[:, :m] * nn.functional.softplus(raw[..., :m])
        above = self.gaps[:, m:] * nn.functional.softplus(raw[..., m + 1 :])
        return torch.cat([median - below.flip(-1).cumsum(-1).flip(-1), median, median + above.cumsum(-1)], dim=-1)


class Head(nn.Module):
    """Turns a state and the newest input row into the quantiles of all H steps.

    Linear in the state, plus a linear skip from the input row; both start at zero, so that an untrained network says
    "no correction".
    """

    def __init__(self, width: int, n_inputs: int, horizon: int, levels: Sequence[float]) -> None:
        super().__init__()
        self.shape = (horizon, len(levels))
        self.state = nn.Linear(width, horizon * len(levels))
        self.skip = nn.Linear(n_inputs, horizon * len(levels), bias=False)
        self.quantiles = Quantiles(horizon, levels)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, state: Tensor, x: Tensor) -> Tensor:
        """Map (…, width) and (…, C) to (…, H, Q)."""
        return self.quantiles((STATE_GAIN * self.state(state) + SKIP_GAIN * self.skip(x)).unflatten(-1, self.shape))


class Aligned(nn.Module):
    """Many-to-many: every input row emits its own H-step forecast, from all rows up to it."""

    def __init__(self, body: nn.RNNBase, head: Head, bptt: int | None = None) -> None:
        super().__init__()
        self.body, self.head, self.bptt = body, head, bptt

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Map (B, L, C) to (B, P, H, Q) at the last P rows; of `target` (B, P, H) only P is read."""
        states = []
        state: State = None
        for chunk in x.split(self.bptt or x.shape[1], dim=1):
            out, state = self.body(chunk, detached(state))
            states.append(out)
        asked = target.shape[1]
        return self.head(torch.cat(states, dim=1)[:, -asked:], x[:, -asked:])

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Read further rows (B, L, C): the forecasts at each of them (B, L, H, Q), and the state after the last."""
        out, state = self.body(x, state)
        return self.head(out, x), state


class ManyToOne(nn.Module):
    """Many-to-one: a closed window of rows in, one forecast out; may read the window in both directions."""

    def __init__(self, body: nn.RNNBase, head: Head) -> None:
        super().__init__()
        self.body, self.head = body, head

    def forward(self, x: Tensor, target: Tensor | None = None) -> Tensor:
        """Map (B, L, C) to (B, 1, H, Q)."""
        _, state = self.body(x)
        hidden = state[0] if isinstance(state, tuple) else state  # (layers · directions, B, hidden)
        final = torch.cat(list(hidden[-(1 + self.body.bidirectional) :]), dim=-1)  # the top layer's, both directions
        return self.head(final, x[:, -1])[:, None]


class Seq2Seq(nn.Module):
    """Many-to-many by encoder and decoder: the window's final state opens a second network that emits step by step.

    The decoder reads the correction of the step before it: the true one in training (teacher forcing), its own median
    in a forecast. The newest input row stands beside every step.
    """

    def __init__(self, encoder: nn.RNNBase, decoder: nn.RNNBase, horizon: int, levels: Sequence[float]) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.shape = (horizon, len(levels))
        width = decoder.hidden_size
        self.bridge = nn.Linear(2 * width, width) if encoder.bidirectional else nn.Identity()
        self.state = nn.Linear(width + 1, len(levels))  # reads the step before, too
        self.skip = nn.Linear(encoder.input_size, horizon * len(levels), bias=False)
        self.quantiles = Quantiles(horizon, levels)
        for parameter in (*self.state.parameters(), *self.skip.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, target: Tensor | None = None) -> Tensor:
        """Map (B, L, C) to (B, 1, H, Q); with `target` (B, 1, H) the decoder is taught by it."""
        _, state = self.encoder(x)
        state = tuple(map(self._open, state)) if isinstance(state, tuple) else self._open(state)
        newest = SKIP_GAIN * self.skip(x[:, -1]).unflatten(-1, self.shape)  # (B, H, Q)
        if target is not None:
            said = nn.functional.pad(target[:, 0, :-1], (1, 0))[..., None]  # (B, H, 1): before step 1, no correction
            raw, _ = self._decode(said, state, newest)
            return self.quantiles(raw)[:, None]
        steps, said = [], x.new_zeros(len(x), 1, 1)
        for k in range(self.shape[0]):
            raw, state = self._decode(said, state, newest[:, k : k + 1])
            steps.append(raw)
            said = self.quantiles.grow[k] * raw[..., self.quantiles.middle : self.quantiles.middle + 1]
        return self.quantiles(torch.cat(steps, dim=1))[:, None]

    def _decode(self, said: Tensor, state: State, newest: Tensor) -> tuple[Tensor, State]:
        out, state = self.decoder(said, state)
        return STATE_GAIN * self.state(torch.cat([out, said], dim=-1)) + newest, state

    def _open(self, state: Tensor) -> Tensor:
        """Join the two directions of each layer, (layers · directions, B, hidden) to (layers, B, hidden)."""
        layers = self.encoder.num_layers
        joined = state.unflatten(0, (layers, -1)).movedim(1, 2).flatten(-2)  # (layers, B, directions · hidden)
        return self.bridge(joined).contiguous()


def detached(state: State) -> State:
    """Cut a state off from the rows that made it: the gradient ends here, the value does not change."""
    if isinstance(state, tuple):
        return state[0].detach(), state[1].detach()
    return None if state is None else state.detach()


def recurrent_body(
    cell: str, n_inputs: int, hidden: int, *, layers: int = 1, dropout: float = 0.0, bidirectional: bool = False
) -> nn.RNNBase:
    """Make a stack of recurrent layers with orthogonal recurrent weights and biases of zero."""
    body: nn.RNNBase = CELLS[cell](
        n_inputs, hidden, layers, batch_first=True, dropout=float(dropout), bidirectional=bidirectional
    )
    for name, weight in body.named_parameters():
        if name.startswith("weight_hh"):
            for gate in weight.data.split(hidden):
                nn.init.orthogonal_(gate)
        elif name.startswith("bias"):
            nn.init.zeros_(weight)
    return body


def set_gate_bias(body: nn.RNNBase, kind: str, longest: int) -> None:
    """Let the gates remember at the start: "one" adds 1 to the forget gate's bias.

    "chrono" (Tallec and Ollivier, 2018) spreads the gates' time scales log-uniformly up to `longest` rows. An Elman
    cell has no gate: its orthogonal weights do what can be done.
    """
    if isinstance(body, nn.RNN):
        return
    hidden = body.hidden_size
    keep = slice(hidden, 2 * hidden)  # LSTM's forget gate (after the input gate), GRU's update gate (after the reset)
    for name, bias in body.named_parameters():
        if not name.startswith("bias_ih"):
            continue
        if kind == "one":
            bias.data[keep] = 1.0
        else:
            bias.data[keep] = torch.empty(hidden).uniform_(0.0, math.log(max(longest - 1, 2)))  # log of the time scale
            if isinstance(body, nn.LSTM):
                bias.data[:hidden] = -bias.data[keep]
