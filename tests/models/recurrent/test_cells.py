"""The fast Elman and GRU layers: the results and gradients of torch's layers, on the CPU, whatever the shape."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from forecast.models.recurrent.cells import MAX_SIZE, FastGRU, FastRNN

PAIRS = [(FastRNN, nn.RNN), (FastGRU, nn.GRU)]
BOTH = pytest.mark.parametrize(("fast", "own"), PAIRS, ids=["rnn", "gru"])


def layers(fast, own, size=7, dtype=torch.double, bidirectional=False):
    generator = torch.Generator().manual_seed(0)
    first = fast(5, size, batch_first=True, bidirectional=bidirectional).to(dtype)
    for weight in first.parameters():
        weight.data = torch.randn(weight.shape, generator=generator, dtype=dtype) / 2
    second = own(5, size, batch_first=True, bidirectional=bidirectional).to(dtype)
    second.load_state_dict(first.state_dict())
    return first, second


def results(layer, x, state):
    """Return the outputs and the last state of a layer, and the gradients of a function of both."""
    out, last = layer(x, state)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    loss = (out * weights).sum() + (last**2).sum()
    inputs = [x, *([] if state is None else [state]), *layer.parameters()]
    return [out, last, *torch.autograd.grad(loss, inputs)]


@BOTH
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("batch", "rows"), [(1, 4), (3, 11), (20, 60)])
@pytest.mark.medium
def test_results_and_gradients_are_those_of_torch(fast, own, bidirectional, batch, rows):
    first, second = layers(fast, own, bidirectional=bidirectional)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, rows, 5, generator=generator, dtype=torch.double).requires_grad_()
    state = torch.randn(1 + bidirectional, batch, 7, generator=generator, dtype=torch.double).requires_grad_()
    for start in (state, None):
        for ours, theirs in zip(results(first, x, start), results(second, x, start), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@BOTH
@pytest.mark.medium
def test_the_backward_pass_is_that_of_the_forward_pass(fast, own):
    layer, _ = layers(fast, own, size=3)
    x = torch.randn(2, 5, 5, dtype=torch.double, requires_grad=True)
    state = torch.randn(1, 2, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *inputs: layer(*inputs), (x, state))


@BOTH
@pytest.mark.parametrize("shape", [(6, 120, 5), (16, 60, 5), (2, 1, 5), (MAX_SIZE, 6, 5)])
@pytest.mark.medium
def test_single_precision_and_sizes_for_which_torch_is_faster(fast, own, shape):
    first, second = layers(fast, own, size=16, dtype=torch.float32)
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(2))
    for ours, theirs in zip(first(x), second(x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(first(x)[0], second(x)[0], rtol=1e-4, atol=1e-5)


@BOTH
@pytest.mark.medium
def test_rows_may_be_read_in_parts(fast, own):
    layer, _ = layers(fast, own)
    x = torch.randn(3, 20, 5, dtype=torch.double)
    whole, last = layer(x)
    first, state = layer(x[:, :9])
    second, end = layer(x[:, 9:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(end, last)


@BOTH
def test_a_layer_is_one_of_torch_with_its_weights(fast, own):
    first, second = layers(fast, own)
    assert isinstance(first, own)
    assert first.state_dict().keys() == second.state_dict().keys()
