"""What happens inside a network: its layers, and how far back in time the gradient of its loss reaches."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from forecast.models.recurrent.layers import Stack, State, read_rows
from forecast.models.recurrent.networks import Aligned, Classifier, Network, SeriesVectors
from forecast.models.recurrent.trainer import Trainable

if TYPE_CHECKING:
    from forecast.models.recurrent.classifier import Classes, Examples, RecurrentClassifier
    from forecast.models.recurrent.forecaster import Recurrent


def gradient_flow(model: Recurrent | RecurrentClassifier, X: Examples, y: Classes | None = None) -> pd.DataFrame:
    """Measure how strongly a loss at the newest row depends on each row before it, which limits what training can use.

    An Elman cell multiplies the gradient by its recurrent weights at every row, so that it vanishes (or explodes)
    exponentially; LSTM and GRU pass it on through their gates [1]_. Raises TypeError if the model is not a network, and
    ValueError if the network is one-to-one or one-to-many, which reads one row only, or if parameters that describe it
    have changed since the fit.

    Parameters
    ----------
    model : Recurrent or RecurrentClassifier
        A fitted model.
    X : DataFrame or array
        Prices, or what the classifier's `fit` takes.
    y : array, optional
        The classes, where the classifier's `fit` takes them.

    Returns
    -------
    DataFrame
        A row for each distance back in time (0: the newest row). "input" is the norm of d loss / d inputs of that row,
        "state" that of d loss / d state after it (h, and an LSTM's c; all layers; NaN for a network that reads in both
        directions, and for a network of your own). Means over at most 256 examples and all members.

    References
    ----------
    .. [1] Hochreiter, S. and Schmidhuber, J. (1997). Long short-term memory. Neural Computation, 9(8).
    """
    if not hasattr(model, "probe"):
        raise TypeError(f"only a Recurrent or a RecurrentClassifier has a gradient; got {model!r}")
    nets, batch = model.probe(X, y)
    norms = np.mean([gradient_norms(net, batch) for net in nets], axis=0)  # (2, L)
    distance = pd.RangeIndex(norms.shape[1], name="distance")
    return pd.DataFrame(norms[:, ::-1].T, index=distance, columns=["input", "state"])


class Summary(str):
    """Text that is displayed without quotes, also at the end of a notebook cell."""

    def __repr__(self) -> str:
        return str(self)


def summarise(net: Trainable, batch: Sequence[Tensor], title: str) -> Summary:
    """Return a table of the layers, in the order in which a batch passes: name, output shape and trained weights."""
    rows: dict[str, tuple[str, str, int]] = {}
    hooks = []
    for name, module in net.named_modules():
        if isinstance(module, (nn.RNNBase, nn.Linear, nn.Embedding, SeriesVectors)) or _is_own_layer(name, module):

            def add_row(layer: nn.Module, _: Any, out: Any, name: str = name) -> None:
                shape = tuple(out[0].shape if isinstance(out, tuple) else out.shape)
                weights = sum(p.numel() for p in layer.parameters() if p.requires_grad)
                label = f"{name} ({type(layer).__name__})"
                rows.setdefault(label, (label, "(" + ", ".join(["B", *map(str, shape[1:])]) + ")", weights))

            hooks.append(module.register_forward_hook(add_row))
    with torch.no_grad():
        net.batch_loss(*batch)
    for hook in hooks:
        hook.remove()
    table = pd.DataFrame(rows.values(), columns=["layer", "output shape", "parameters"])
    total = int(table["parameters"].sum())
    lines = table.assign(parameters=table["parameters"].map("{:,}".format)).to_string(index=False).split("\n")
    return Summary("\n".join([title, *lines, f"{total:,} parameters; B is the number of examples read at once"]))


def _is_own_layer(name: str, module: nn.Module) -> bool:
    """Return whether a module is one of the layers with weights in a network of the user's."""
    return name.split(".")[0] == "own" and not [*module.children()] and bool([*module.parameters()])


def gradient_norms(net: Trainable, batch: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Return the norms of d loss / d input and d loss / d state at each row of windows, oldest first, (L,) each.

    Means over the batch of each example's norm. The state is all that passes from a row to the next, layer by layer;
    where a network reads in both directions there is no such state, in a network of the user's it is not known, and its
    norms are NaN.
    """
    x, *others = batch
    net = copy.deepcopy(net).train(False)
    name = "encoder" if hasattr(net, "encoder") else "stack"
    stack: Stack | None = getattr(net, name, None)
    recorder = None if stack is None or stack.bidirectional else _RowByRow(stack)
    if recorder is not None:
        setattr(net, name, recorder)
    if not x.is_floating_point():  # tokens have no gradient, their vectors have
        assert isinstance(net, Classifier) and net.vectors is not None  # noqa: PT018
        x, net.vectors = net.vectors(x).detach(), None
    x = x.detach().requires_grad_()
    loss = net.batch_loss(x, *others) * len(x)  # the sum over the examples
    loss.backward()
    assert x.grad is not None
    of_input = x.grad.flatten(2).norm(dim=2).mean(dim=0).numpy()  # (L,)
    if recorder is None:
        return of_input, np.full(len(of_input), np.nan)
    norms = [torch.stack([_norm(h, len(x)) for h in row]).norm(dim=0).mean() for row in recorder.states]
    return of_input, np.repeat(torch.stack(norms).numpy(), len(of_input) // len(norms))


def fresh_steps(net: Network, batch: Sequence[Tensor]) -> np.ndarray:
    """Return which steps of the correction react to the newest row without the linear shortcut, (H,) of bool."""
    x, series, target, _, steps = batch
    net = copy.deepcopy(net).eval()
    for parameter in [] if net.shortcut is None else net.shortcut.parameters():
        nn.init.zeros_(parameter)
    x = x.detach().requires_grad_()
    output = net(x, target if isinstance(net, Aligned) else None, series, steps)  # (B, P, H, n)
    point = output[:, -1, :, net.output.middle]  # (B, H)
    gradients = [torch.autograd.grad(point[:, step].sum(), x, retain_graph=True)[0] for step in range(point.shape[1])]
    return np.array([bool(gradient[:, -1].any()) for gradient in gradients])


def _norm(h: Tensor, batch: int) -> Tensor:
    """Return each example's norm of the gradient of a state (1, B · dilation, hidden), (B,)."""
    gradient = torch.zeros_like(h) if h.grad is None else h.grad
    return gradient.unflatten(1, (batch, -1)).flatten(2)[0].norm(dim=1)


class _RowByRow(nn.Module):
    """A stack that reads one row at a time, each layer from the states below, and records all states."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack
        self.states: list[list[Tensor]] = []

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        outs: list[Tensor] = []
        before: State = [None] * len(self.stack.layers) if state is None else state
        for row in x.split(1, dim=1):
            tensors, after = [], []
            for i, (layer, dilation) in enumerate(zip(self.stack.layers, self.stack.dilations, strict=True)):
                _, new = read_rows(layer, row, dilation, before[i])
                tensors += list(new) if isinstance(new, tuple) else [new]
                h = new[0] if isinstance(new, tuple) else new
                out = h.unflatten(1, (len(x), -1))[0, :, -1:]  # (B, 1, hidden): the state after the newest row
                row = out + row if self.stack.residual and i else out
                after.append(new)
            for tensor in tensors:
                tensor.retain_grad()
            self.states.append(tensors)
            outs.append(row)
            before = after
        return torch.cat(outs, dim=1), before

    def last_output(self, out: Tensor) -> Tensor:
        return self.stack.last_output(out)

    def newest_state(self, state: State) -> State:
        return self.stack.newest_state(state)
