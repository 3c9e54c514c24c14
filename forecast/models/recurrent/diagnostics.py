"""What goes on inside a network: its layers, and how far back in time the gradient of its loss reaches."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from forecast.models.recurrent.classifier_network import Classifier
from forecast.models.recurrent.layers import Stack, State, read_rows
from forecast.models.recurrent.networks import Aligned, Network, SeriesVectors
from forecast.models.recurrent.trainer import Trainable


def gradient_flow(model: Any, X: Any, y: Any = None) -> pd.DataFrame:
    """Measure how strongly a loss at the newest row depends on each row before it: what training can learn from.

    `model` is a fitted `Recurrent` (X: prices) or `RecurrentClassifier` (X and y as for fit). Gives a row for each
    distance back in time (0: the newest row): "input" is the norm of d loss / d inputs of that row, "state" that of
    d loss / d state carried on from it (h, and an LSTM's c; all layers; NaN where a network reads in both directions).
    Means over at most 256 examples and all members. An Elman cell multiplies the gradient by its recurrent weights at
    every row, so that it vanishes (or explodes) exponentially; LSTM and GRU pass it on through their gates (Hochreiter
    and Schmidhuber, 1997). Raises ValueError for one-to-one and one-to-many networks, which read one row only.
    """
    if not hasattr(model, "probe"):
        raise TypeError(f"only a Recurrent or a RecurrentClassifier has a gradient; got {model!r}")
    nets, batch = model.probe(X, y)
    each = np.mean([flow(net, batch) for net in nets], axis=0)  # (2, L)
    distance = pd.RangeIndex(each.shape[1], name="distance")
    return pd.DataFrame(each[:, ::-1].T, index=distance, columns=["input", "state"])


def layers(net: Trainable, batch: Sequence[Tensor]) -> list[tuple[str, str, int]]:
    """List name and kind, output shape and trained weights of every layer, in the order in which a batch passes."""
    seen: list[tuple[str, str, int]] = []
    hooks = []
    for name, module in net.named_modules():
        if isinstance(module, (nn.RNNBase, nn.Linear, nn.Embedding, SeriesVectors)):

            def note(layer: nn.Module, _: Any, out: Any, name: str = name) -> None:
                shape = tuple(out[0].shape if isinstance(out, tuple) else out.shape)
                weights = sum(p.numel() for p in layer.parameters() if p.requires_grad)
                label = f"{name} ({type(layer).__name__})"
                if label not in [each[0] for each in seen]:
                    seen.append((label, "(" + ", ".join(["B", *map(str, shape[1:])]) + ")", weights))

            hooks.append(module.register_forward_hook(note))
    with torch.no_grad():
        net.loss_of(*batch)
    for hook in hooks:
        hook.remove()
    return seen


def flow(net: Trainable, batch: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Give the norms of d loss / d input and d loss / d state at each row of closed windows, oldest first, (L,) each.

    Means over the batch of each example's own norm. The state is all that is carried from a row to the next, taken
    layer by layer; where a network reads in both directions there is no such thing, and its norms are NaN.
    """
    x, *rest = batch
    net = copy.deepcopy(net).train(False)
    place = "encoder" if hasattr(net, "encoder") else "stack"
    stack: Stack = getattr(net, place)
    watched = _RowByRow(stack)
    if not stack.bidirectional:
        setattr(net, place, watched)
    if not x.is_floating_point():  # tokens have no gradient, their vectors have
        assert isinstance(net, Classifier) and net.vectors is not None  # noqa: PT018
        x, net.vectors = net.vectors(x).detach(), None
    x = x.detach().requires_grad_()
    loss = net.loss_of(x, *rest) * len(x)  # each example's own loss
    loss.backward()
    assert x.grad is not None
    of_input = x.grad.flatten(2).norm(dim=2).mean(dim=0).numpy()  # (L,)
    if stack.bidirectional:
        return of_input, np.full(len(of_input), np.nan)
    norms = [torch.stack([_norm(h, len(x)) for h in row]).norm(dim=0).mean() for row in watched.states]
    return of_input, np.repeat(torch.stack(norms).numpy(), len(of_input) // len(norms))


def fresh_steps(net: Network, batch: Sequence[Tensor]) -> np.ndarray:
    """Say which steps of a network's own correction react to the newest row, the linear path silenced, (H,) of bool."""
    x, series, target, _ = batch
    net = copy.deepcopy(net).eval()
    for parameter in net.skip.parameters():
        nn.init.zeros_(parameter)
    x = x.detach().requires_grad_()
    said = net(x, target if isinstance(net, Aligned) else None, series)[:, -1, :, net.output.middle]  # (B, H)
    each = [torch.autograd.grad(said[:, step].sum(), x, retain_graph=True)[0] for step in range(said.shape[1])]
    return np.array([bool(gradient[:, -1].any()) for gradient in each])


def _norm(h: Tensor, batch: int) -> Tensor:
    """Give each example's norm of the gradient of a state (1, B · dilation, hidden), (B,)."""
    grad = torch.zeros_like(h) if h.grad is None else h.grad
    return grad.unflatten(1, (batch, -1)).flatten(2)[0].norm(dim=1)


class _RowByRow(nn.Module):
    """A stack that reads one row at a time, each layer from the states below: all that is said comes through them."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack
        self.states: list[list[Tensor]] = []

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        outs: list[Tensor] = []
        carried: State = [None] * len(self.stack.layers) if state is None else state
        for row in x.split(1, dim=1):
            kept, after = [], []
            for i, (layer, dilation) in enumerate(zip(self.stack.layers, self.stack.dilations, strict=True)):
                _, new = read_rows(layer, row, dilation, carried[i])
                kept += list(new) if isinstance(new, tuple) else [new]
                h = new[0] if isinstance(new, tuple) else new
                out = h.unflatten(1, (len(x), -1))[0, :, -1:]  # (B, 1, hidden): what the newest row left
                row = out + row if self.stack.residual and i else out
                after.append(new)
            for h in kept:
                h.retain_grad()
            self.states.append(kept)
            outs.append(row)
            carried = after
        return torch.cat(outs, dim=1), carried

    def last(self, out: Tensor) -> Tensor:
        return self.stack.last(out)

    def newest(self, state: State) -> State:
        return self.stack.newest(state)
