"""Recurrent layers: stacked, dilated, residual, in one direction or both, with gates that remember from the start."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from forecast.models.recurrent.cells import FastGRU, FastRNN
from forecast.models.recurrent.config import StackConfig
from forecast.models.registry import CELLS

#: A new cell is constructed and called as these are, and has their attributes `hidden_size` and `bidirectional`. The
#: names of its parameters start with weight_ih, weight_hh, bias_ih and bias_hh. Its gates are blocks of `hidden` rows,
#: the second of which keeps the state. The state is a tensor (directions, B, hidden), or a pair (h, c) of an `nn.LSTM`.
LAYERS = dict(zip(CELLS, (FastRNN, nn.LSTM, FastGRU), strict=True))
#: The state of a stack between two rows: for each layer a tensor (directions, B · dilation, hidden), an LSTM's a pair.
State = list[Any]


class Stack(nn.Module):
    """Recurrent layers, one above the other; the layer of dilation d passes its state from row t − d to row t.

    A dilated layer (Chang et al., 2017) is d networks with one set of weights, each reading every d-th row: a distant
    row is fewer steps away, and fewer steps are computed one after another. With `residual` the input of a layer is
    added to its output, from the second layer on. Recurrent weights start orthogonal, all biases at zero except the
    gates'.
    """

    def __init__(self, config: StackConfig, n_inputs: int, rows: int) -> None:
        super().__init__()
        self.dilations, self.residual, self.bidirectional = config.layers, config.residual, config.bidirectional
        self.n_inputs, self.hidden, self.width = n_inputs, config.hidden, config.hidden * (1 + config.bidirectional)
        self.dropout = nn.Dropout(float(config.dropout))
        self.layers = nn.ModuleList(
            LAYERS[config.cell](
                n_inputs if i == 0 else self.width, self.hidden, batch_first=True, bidirectional=self.bidirectional
            )
            for i in range(len(self.dilations))
        )
        for name, weight in self.named_parameters():
            if "weight_hh" in name:
                for gate in weight.data.split(self.hidden):
                    nn.init.orthogonal_(gate)
            elif "bias" in name:
                nn.init.zeros_(weight)
        self._set_gate_bias(config.gate_bias, rows)

    def _set_gate_bias(self, kind: str, rows: int) -> None:
        """Set the initial gate bias: "one" sets the forget gate's bias (GRU: the update gate's) to 1.

        "chrono" (Tallec and Ollivier, 2018) spreads the gates' time scales log-uniformly up to `rows` rows. An Elman
        cell has no gate; its orthogonal weights are all that helps it remember.
        """
        for layer, dilation in zip(self.layers, self.dilations, strict=True):
            if isinstance(layer, nn.RNN):
                continue
            # LSTM's forget gate (after input), GRU's update gate (after reset)
            gate = slice(self.hidden, 2 * self.hidden)
            for name, bias in layer.named_parameters():
                if not name.startswith("bias_ih"):
                    continue
                if kind == "one":
                    bias.data[gate] = 1.0
                    continue
                longest = math.log(max(rows / dilation - 1, 2))
                bias.data[gate] = torch.empty(self.hidden).uniform_(0.0, longest)  # log of the time scale
                if isinstance(layer, nn.LSTM):
                    bias.data[: self.hidden] = -bias.data[gate]

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read (B, L, C): return the outputs of all rows, (B, L, width), and the state after the last."""
        states = []
        for i, (layer, dilation) in enumerate(zip(self.layers, self.dilations, strict=True)):
            out, layer_state = read_rows(layer, x, dilation, None if state is None else state[i])
            x = out + x if self.residual and i else out
            if i < len(self.layers) - 1:
                x = self.dropout(x)
            states.append(layer_state)
        return x, states

    def last_output(self, out: Tensor) -> Tensor:
        """Return the output at the end of a window, (B, width): of each direction at the row it reads last."""
        if not self.bidirectional:
            return out[:, -1]
        return torch.cat([out[:, -1, : self.hidden], out[:, 0, self.hidden :]], dim=-1)

    def newest_state(self, state: State) -> State:
        """Return the state after the newest row, its directions concatenated: for each layer (B, width)."""

        def newest(dilation: int) -> Callable[[Tensor], Tensor]:
            return lambda h: h.unflatten(1, (-1, dilation))[:, :, -1].transpose(0, 1).flatten(1)

        return [_map(newest(d), s) for s, d in zip(state, self.dilations, strict=True)]

    def initial_state(self, vectors: State) -> State:
        """Return the initial state from a vector (B, hidden) per layer, or for an LSTM a pair."""
        is_lstm = isinstance(self.layers[0], nn.LSTM)
        pairs = [(v, v) if is_lstm and not isinstance(v, tuple) else v for v in vectors]
        return map_state(lambda h: h[None].contiguous(), pairs)


def read_rows(layer: Any, x: Tensor, dilation: int, state: Any) -> tuple[Tensor, Any]:
    """Apply a layer to rows (B, L, C), each phase of its dilation separately.

    State and rows are ordered by phase (row mod dilation), the phase of the next row first. If L is not a multiple of
    the dilation, the first `extra` phases have one row more, so they run as a separate group.
    """
    if dilation == 1:
        return layer(x, state)
    batch, rows, _ = x.shape
    rounds, extra = divmod(rows, dilation)
    padded = nn.functional.pad(x, (0, 0, 0, dilation - extra if extra else 0)).unflatten(1, (-1, dilation))
    groups = [(slice(0, extra), rounds + 1), (slice(extra, dilation), rounds)]
    outs, states = [], []
    for phases, length in groups:
        n = phases.stop - phases.start
        before = None if state is None else _map(_of_phases(dilation, phases), state)
        if n == 0:
            continue
        if length == 0:  # these phases have no row in x
            outs.append(x.new_zeros(batch, padded.shape[1], n, layer.hidden_size * (1 + layer.bidirectional)))
            states.append(before if before is not None else _zero_state(layer, x, batch * n))
            continue
        group = padded[:, :length, phases].transpose(1, 2).flatten(0, 1)  # (B · n, length, C)
        out, after = layer(group, before)
        out = out.unflatten(0, (batch, n)).transpose(1, 2)  # (B, length, n, width)
        outs.append(nn.functional.pad(out, (0, 0, 0, 0, 0, padded.shape[1] - length)))
        states.append(after)
    out = torch.cat(outs, dim=2).flatten(1, 2)[:, :rows]  # (B, L, width)
    return out, _join([_map(lambda h: h.unflatten(1, (batch, -1)), s) for s in reversed(states)])


def _of_phases(dilation: int, phases: slice) -> Callable[[Tensor], Tensor]:
    return lambda h: h.unflatten(1, (-1, dilation))[:, :, phases].flatten(1, 2).contiguous()


def _join(states: list[Any]) -> Any:
    """Concatenate the states of groups of phases, each (directions, B, n, hidden)."""
    if isinstance(states[0], tuple):
        return tuple(_join(list(halves)) for halves in zip(*states, strict=True))
    return torch.cat(states, dim=2).flatten(1, 2)


def _map(function: Callable[[Tensor], Tensor], state: Any) -> Any:
    """Apply a function to the state of a layer, to both halves of an LSTM's."""
    return tuple(function(h) for h in state) if isinstance(state, tuple) else function(state)


def map_state(function: Callable[[Tensor], Tensor], state: State) -> State:
    """Apply a function to the state of every layer."""
    return [_map(function, s) for s in state]


def detached(state: State | None) -> State | None:
    """Return a state through which no gradient flows; its value is the same."""
    return None if state is None else map_state(Tensor.detach, state)


def _zero_state(layer: Any, x: Tensor, n: int) -> Any:
    zeros = x.new_zeros(1 + layer.bidirectional, n, layer.hidden_size)
    return (zeros, zeros.clone()) if isinstance(layer, nn.LSTM) else zeros
