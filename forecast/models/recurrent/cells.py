"""Elman and GRU layers that are fast on the CPU: torch has a fused kernel there for LSTM only.

They are `nn.RNN` and `nn.GRU` of one layer with the same weights and results. On the CPU the forward pass is one matrix
product for the inputs of all rows and one per row for the state; the backward pass is derived by hand, with the
weights' gradients in one product at the end. Elsewhere, and for what the package does not use, torch's layers run.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Grads = tuple[Tensor | None, ...]
MIN_ROWS = 4  # of a sequence, from which on it is faster
MAX_SIZE = 4096  # batch × hidden, up to which it is faster


def _rows_first(x: Tensor) -> Tensor:
    """Return (B, L, C) as a contiguous array (L, B, C)."""
    return x.transpose(0, 1).contiguous()


def _products(left: Tensor, right: Tensor) -> Tensor:
    """Return the sum over rows and examples of products of (L, B, C) and (L, B, D), (C, D)."""
    return left.flatten(0, 1).t() @ right.flatten(0, 1)


class _Elman(torch.autograd.Function):
    """h = tanh(W_ih x + b_ih + W_hh h + b_hh), by row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
        inputs = _rows_first(nn.functional.linear(x, w_ih, b_ih + b_hh))
        states = torch.cat([h0[None], inputs])  # (L + 1, B, H), the initial state first
        w, product = w_hh.t().contiguous(), torch.empty_like(h0)
        p = product.numpy()
        for before, row in zip(states.unbind()[:-1], states.numpy()[1:], strict=True):
            torch.mm(before, w, out=product)
            np.add(row, p, out=row)
            np.tanh(row, out=row)
        ctx.save_for_backward(x, w_ih, w_hh, states)
        return states[1:].transpose(0, 1).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Grads:
        x, w_ih, w_hh, states = ctx.saved_tensors
        back = _rows_first(grads[0])  # becomes the gradient of what tanh is applied to
        slope, later = (1 - states[1:] ** 2).numpy(), torch.zeros_like(states[0])
        from_later = later.numpy()
        for tensor, row, own in zip(reversed(back.unbind()), back.numpy()[::-1], slope[::-1], strict=True):
            np.add(row, from_later, out=row)
            np.multiply(row, own, out=row)
            torch.mm(tensor, w_hh, out=later)
        bias = back.sum(dim=(0, 1))
        dx = (back @ w_ih).transpose(0, 1)
        return dx, later, _products(back, _rows_first(x)), _products(back, states[:-1]), bias, bias.clone()


class _GRU(torch.autograd.Function):
    """Gates r and z, candidate n = tanh(W_in x + b_in + r (W_hn h + b_hn)), h = n + z (h − n), by row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, h0: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Tensor:
        length, (batch, size) = x.shape[1], h0.shape
        half = x.new_tensor([0.5, 0.5, 1.0])[:, None]  # the logistic function of a is (1 + tanh(a / 2)) / 2
        of_gates = torch.cat([b_hh[: 2 * size], b_hh.new_zeros(size)])
        inputs = nn.functional.linear(x, w_ih, b_ih + of_gates).unflatten(-1, (3, size)) * half
        values = inputs.permute(1, 2, 0, 3).contiguous()  # (L, 3, B, H): r, z and n
        states = x.new_empty(length + 1, batch, size)
        states[0] = h0
        hidden = x.new_empty(length, batch, size)  # W_hn h + b_hn
        w = w_hh.unflatten(0, (3, size)).transpose(1, 2) * half[..., None]  # (3, H, H)
        product = x.new_empty(3, batch, size)
        p_gates, p_hidden, bias = product[:2].numpy(), product[2].numpy(), b_hh[2 * size :].detach().numpy()
        rows, befores = values.numpy(), states[:-1, None].expand(-1, 3, -1, -1).unbind()
        arrays = zip(rows[:, :2], *rows.swapaxes(0, 1), hidden.numpy(), befores, strict=True)
        for (gates, r, z, n, own, before), (h, after) in zip(arrays, pairwise(states.numpy()), strict=True):
            torch.bmm(before, w, out=product)
            np.add(gates, p_gates, out=gates)
            np.tanh(gates, out=gates)
            np.add(gates, 1, out=gates)
            np.multiply(gates, 0.5, out=gates)
            np.add(p_hidden, bias, out=own)
            np.multiply(r, own, out=after)
            np.add(n, after, out=n)
            np.tanh(n, out=n)
            np.subtract(h, n, out=after)
            np.multiply(after, z, out=after)
            np.add(after, n, out=after)
        ctx.save_for_backward(x, w_ih, w_hh, values, states, hidden)
        return states[1:].transpose(0, 1).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Grads:
        x, w_ih, w_hh, values, states, hidden = ctx.saved_tensors
        r, z, n = values.unbind(1)
        opened = (1 - z) * (1 - n * n)
        through = opened * r
        # (L, B, 3, H): the gradients of what is added up in r, z and n, over that of the state
        factors = torch.stack([through * hidden * (1 - r), (states[:-1] - n) * z * (1 - z), through], dim=2)
        of_states = factors.flatten(2)
        back, later = _rows_first(grads[0]), torch.zeros_like(states[0])
        product = torch.empty_like(later)
        from_later, p = later.numpy(), product.numpy()
        arrays = (back.numpy()[::-1], factors.numpy()[::-1], z.numpy()[::-1], reversed(of_states.unbind()))
        for row, gates, share, tensor in zip(*arrays, strict=True):
            np.add(row, from_later, out=row)
            np.multiply(gates, row[:, None], out=gates)  # now the gradients themselves
            torch.mm(tensor, w_hh, out=product)
            np.multiply(row, share, out=from_later)
            np.add(from_later, p, out=from_later)
        of_inputs = torch.cat([of_states[:, :, : 2 * z.shape[2]], back * opened], dim=2)  # (L, B, 3 H)
        weights = _products(of_inputs, _rows_first(x)), _products(of_states, states[:-1])
        dx = (of_inputs @ w_ih).transpose(0, 1)
        return dx, later, *weights, of_inputs.sum(dim=(0, 1)), of_states.sum(dim=(0, 1))


class _FastLayer(nn.RNNBase):
    """A layer that runs `function` for each direction, where that is faster than torch's own."""

    function: Any = None

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Read (B, L, C): return the outputs of all rows, (B, L, width), and the last state (directions, B, H)."""
        is_plain = self.num_layers == 1 and self.bias and self.batch_first and not self.proj_size
        is_small = x.dim() == 3 and x.shape[1] >= MIN_ROWS and x.shape[0] * self.hidden_size <= MAX_SIZE
        if x.device.type != "cpu" or not (is_plain and is_small):
            return super().forward(x, state)
        if state is None:
            state = x.new_zeros(1 + self.bidirectional, len(x), self.hidden_size)
        outs, last = [], []
        for direction in range(1 + self.bidirectional):
            weights = self._flat_weights[4 * direction : 4 * direction + 4]
            out = self.function.apply(x.flip(1) if direction else x, state[direction], *weights)
            last.append(out[:, -1])
            outs.append(out.flip(1) if direction else out)
        return torch.cat(outs, dim=-1) if self.bidirectional else outs[0], torch.stack(last)


class FastRNN(_FastLayer, nn.RNN):  # type: ignore[misc]
    """Elman's layer."""

    function = _Elman


class FastGRU(_FastLayer, nn.GRU):  # type: ignore[misc]
    """The GRU of Cho et al. (2014), as torch defines it."""

    function = _GRU
