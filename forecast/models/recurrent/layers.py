"""Recurrent layers: stacked, dilated, residual, in one direction or both, with gates that remember from the start."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
#: What a stack carries from row to row: for each layer a tensor (directions, B · dilation, hidden), an LSTM's in pairs.
State = list[Any]


class Stack(nn.Module):
    """Recurrent layers, one above the other; the layer of dilation d passes its state on from row t − d to row t.

    A dilated layer (Chang et al., 2017) is d networks with one set of weights, each reading every d-th row: fewer
    steps back to a distant row, and fewer in sequence to compute. `residual` adds what a layer reads to what it says,
    from the second layer on. Recurrent weights start orthogonal, biases at zero.
    """

    def __init__(
        self,
        cell: str,
        n_inputs: int,
        hidden: int,
        dilations: Sequence[int] = (1,),
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.dilations, self.residual, self.bidirectional = tuple(dilations), residual, bidirectional
        self.n_inputs, self.hidden, self.width = n_inputs, hidden, hidden * (1 + bidirectional)
        self.dropout = nn.Dropout(float(dropout))
        self.layers = nn.ModuleList(
            CELLS[cell](n_inputs if i == 0 else self.width, hidden, batch_first=True, bidirectional=bidirectional)
            for i in range(len(self.dilations))
        )
        for name, weight in self.named_parameters():
            if "weight_hh" in name:
                for gate in weight.data.split(hidden):
                    nn.init.orthogonal_(gate)
            elif "bias" in name:
                nn.init.zeros_(weight)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read (B, L, C): what each row says, (B, L, width), and the state after the last."""
        after = []
        for i, (layer, dilation) in enumerate(zip(self.layers, self.dilations, strict=True)):
            out, carried = read_rows(layer, x, dilation, None if state is None else state[i])
            x = out + x if self.residual and i else out
            if i < len(self.layers) - 1:
                x = self.dropout(x)
            after.append(carried)
        return x, after

    def last(self, out: Tensor) -> Tensor:
        """Pick what a closed window says at its end, (B, width): each direction's answer to the row it reads last."""
        if not self.bidirectional:
            return out[:, -1]
        return torch.cat([out[:, -1, : self.hidden], out[:, 0, self.hidden :]], dim=-1)

    def newest(self, state: State) -> State:
        """Pick the state that the newest row left, directions side by side: for each layer (B, width)."""

        def pick(dilation: int) -> Callable[[Tensor], Tensor]:
            return lambda h: h.unflatten(1, (-1, dilation))[:, :, -1].transpose(0, 1).flatten(1)

        return [_both(pick(d), s) for s, d in zip(state, self.dilations, strict=True)]

    def opened(self, vectors: State) -> State:
        """Make a state to start from out of vectors (B, hidden), one for each layer, or a pair for each."""
        lstm = isinstance(self.layers[0], nn.LSTM)
        pairs = [(v, v) if lstm and not isinstance(v, tuple) else v for v in vectors]
        return each(lambda h: h[None].contiguous(), pairs)


def read_rows(layer: Any, x: Tensor, dilation: int, state: Any) -> tuple[Tensor, Any]:
    """Let a layer read rows (B, L, C), each phase of its dilation by itself.

    The phases are in the order in which their next row comes. L rows are not always whole rounds: `extra` phases have
    a row more than the others, and go in a group of their own.
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
        held = None if state is None else _both(_phases(dilation, phases), state)
        if n == 0:
            continue
        if length == 0:  # no row of these phases has come yet
            outs.append(x.new_zeros(batch, padded.shape[1], n, _width(layer)))
            states.append(held if held is not None else _nothing(layer, x, batch * n))
            continue
        own = padded[:, :length, phases].transpose(1, 2).flatten(0, 1)  # (B · n, length, C)
        out, after = layer(own, held)
        out = out.unflatten(0, (batch, n)).transpose(1, 2)  # (B, length, n, width)
        outs.append(nn.functional.pad(out, (0, 0, 0, 0, 0, padded.shape[1] - length)))
        states.append(after)
    out = torch.cat(outs, dim=2).flatten(1, 2)[:, :rows]  # (B, L, width)
    return out, _join([_both(lambda h: h.unflatten(1, (batch, -1)), s) for s in reversed(states)])


def _phases(dilation: int, phases: slice) -> Callable[[Tensor], Tensor]:
    return lambda h: h.unflatten(1, (-1, dilation))[:, :, phases].flatten(1, 2).contiguous()


def _join(states: list[Any]) -> Any:
    def cat(parts: list[Tensor]) -> Tensor:
        return torch.cat(parts, dim=2).flatten(1, 2)

    if isinstance(states[0], tuple):
        return tuple(cat([s[i] for s in states]) for i in range(2))
    return cat(states)


def _both(change: Callable[[Tensor], Tensor], state: Any) -> Any:
    """Apply a change to a layer's state, both halves of an LSTM's."""
    return tuple(change(h) for h in state) if isinstance(state, tuple) else change(state)


def each(change: Callable[[Tensor], Tensor], state: State) -> State:
    """Apply a change to the state of every layer."""
    return [_both(change, s) for s in state]


def _width(layer: Any) -> int:
    return layer.hidden_size * (1 + layer.bidirectional)


def _nothing(layer: Any, x: Tensor, n: int) -> Any:
    zeros = x.new_zeros(1 + layer.bidirectional, n, layer.hidden_size)
    return (zeros, zeros.clone()) if isinstance(layer, nn.LSTM) else zeros


def detached(state: State | None) -> State | None:
    """Cut a state off from the rows that made it: the gradient ends here, the value does not change."""
    return None if state is None else each(Tensor.detach, state)


def set_gate_bias(stack: Stack, kind: str, longest: int) -> None:
    """Let the gates remember at the start: "one" adds 1 to the forget gate's bias.

    "chrono" (Tallec and Ollivier, 2018) spreads the gates' time scales log-uniformly up to `longest` steps of each
    layer. An Elman cell has no gate: its orthogonal weights do what can be done.
    """
    for layer, dilation in zip(stack.layers, stack.dilations, strict=True):
        if isinstance(layer, nn.RNN):
            continue
        hidden = stack.hidden
        keep = slice(hidden, 2 * hidden)  # LSTM's forget gate (after input), GRU's update gate (after reset)
        for name, bias in layer.named_parameters():
            if not name.startswith("bias_ih"):
                continue
            if kind == "one":
                bias.data[keep] = 1.0
            else:
                scale = math.log(max(longest / dilation - 1, 2))
                bias.data[keep] = torch.empty(hidden).uniform_(0.0, scale)  # log of the time scale
                if isinstance(layer, nn.LSTM):
                    bias.data[:hidden] = -bias.data[keep]
