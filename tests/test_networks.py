"""A topology is what its output depends on; freshness; truncated back-propagation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from quick import walks

import forecast as fc
from forecast.nn import losses, networks
from forecast.nn.inference import correct_sequence

H, L, C, LEVELS = 4, 9, 5, (0.1, 0.5, 0.9)
CELLS = list(networks.CELLS)


def _body(cell, inputs=C, **options):
    torch.manual_seed(3)
    return networks.recurrent_body(cell, inputs, 6, **options)


def _random_head(net):
    """Give every weight that starts at zero a value: an untrained network says nothing and depends on nothing."""
    torch.manual_seed(4)
    for parameter in net.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.5)
    return net


def _without_skip(net):
    for name, parameter in net.named_parameters():
        if "skip" in name:
            torch.nn.init.zeros_(parameter)
    return net


def _network(kind, cell, **options):
    if kind == "aligned":
        return _random_head(networks.Aligned(_body(cell, **options), networks.Head(6, C, H, LEVELS)))
    if kind == "many-to-one":
        width = 12 if options.get("bidirectional") else 6
        return _random_head(networks.ManyToOne(_body(cell, **options), networks.Head(width, C, H, LEVELS)))
    decoder = _body(cell, inputs=1, layers=options.get("layers", 1))
    return _random_head(networks.Seq2Seq(_body(cell, **options), decoder, H, LEVELS))


def _last(net, x):
    """The forecast at the last row, (B, H, Q)."""
    return net(x, torch.zeros(len(x), 1, H))[:, -1] if isinstance(net, networks.Aligned) else net(x)[:, -1]


KINDS = [
    ("aligned", {}),
    ("aligned", {"layers": 2}),
    ("many-to-one", {}),
    ("many-to-one", {"bidirectional": True}),
    ("many-to-one", {"layers": 2, "bidirectional": True}),
    ("seq2seq", {}),
    ("seq2seq", {"bidirectional": True}),
    ("seq2seq", {"layers": 2, "bidirectional": True}),
]
parametrized = pytest.mark.parametrize(
    ("kind", "options"), KINDS, ids=[f"{kind}{''.join(f'-{k}' for k in options)}" for kind, options in KINDS]
)


@parametrized
@pytest.mark.parametrize("cell", CELLS)
def test_every_step_sees_the_newest_row(kind, options, cell):
    """Freshness: d network[k] / d x[newest] ≠ 0 for every step k, without the help of skip or base."""
    net = _without_skip(_network(kind, cell, **options))
    x = torch.randn(2, L, C, requires_grad=True)
    for step in range(H):
        (gradient,) = torch.autograd.grad(_last(net, x)[:, step, 1].sum(), x)
        assert (gradient[:, -1].abs().sum(dim=-1) > 1e-8).all(), f"step {step + 1} is stale"


@parametrized
@pytest.mark.parametrize("cell", CELLS)
def test_every_row_of_the_window_is_read(kind, options, cell):
    net = _without_skip(_network(kind, cell, **options))
    x = torch.randn(2, L, C, requires_grad=True)
    (gradient,) = torch.autograd.grad(_last(net, x).sum(), x)
    assert (gradient.abs().sum(dim=(0, 2)) > 0).all()


@pytest.mark.parametrize("kind", ["many-to-one", "seq2seq"])
@pytest.mark.parametrize("cell", CELLS)
def test_the_backward_direction_sees_every_row(kind, cell):
    """With the forward direction silenced, the answer still depends on every row, the first and the last."""
    net = _without_skip(_network(kind, cell, bidirectional=True))
    body = net.body if kind == "many-to-one" else net.encoder
    for name, parameter in body.named_parameters():
        if not name.endswith("_reverse"):
            torch.nn.init.zeros_(parameter)
    x = torch.randn(2, L, C, requires_grad=True)
    (gradient,) = torch.autograd.grad(_last(net, x).sum(), x)
    assert (gradient.abs().sum(dim=(0, 2)) > 0).all()


@pytest.mark.parametrize("cell", CELLS)
def test_aligned_rows_do_not_see_later_ones(cell):
    net = _network("aligned", cell)
    x, later = torch.randn(2, L, C), torch.randn(2, 4, C)
    everywhere = torch.zeros(2, L, H)
    changed = torch.cat([x[:, :-4], later], dim=1)
    first, second = net(x, everywhere), net(changed, everywhere)
    assert torch.equal(first[:, :-4], second[:, :-4])
    assert not torch.equal(first[:, -4:], second[:, -4:])


@pytest.mark.parametrize("cell", CELLS)
def test_the_teacher_teaches_and_is_not_asked(cell):
    """Seq2seq's training forward reads the targets of the steps before; its forecast reads none."""
    net = _network("seq2seq", cell)
    x, target = torch.randn(2, L, C), torch.randn(2, 1, H)
    other = target.clone()
    other[:, :, 1] += 1
    first, second = net(x, target), net(x, other)
    assert torch.equal(first[:, :, :2], second[:, :, :2])  # step 2 is told of step 1, not of itself
    assert not torch.isclose(first[:, :, 2:], second[:, :, 2:]).all(dim=-1).any()
    assert torch.equal(net(x), net(x))
    loss = losses.pinball(LEVELS)
    weight = torch.ones(2, 1, H)
    assert loss(first, target, weight) != loss(second, target, weight)


@pytest.mark.parametrize("cell", CELLS)
def test_seq2seq_reads_its_own_median(cell):
    """Taught by what it would have said, the decoder says it again."""
    net = _network("seq2seq", cell)
    x = torch.randn(2, L, C)
    free = net(x)
    torch.testing.assert_close(net(x, free[..., 1]), free, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_truncated_back_propagation(cell):
    """The full forward value, and no gradient past the cut."""
    whole = _network("aligned", cell)
    cut = _network("aligned", cell)
    cut.bptt = 4
    x = torch.randn(2, 12, C, requires_grad=True)
    last = torch.zeros(2, 1, H)
    torch.testing.assert_close(whole(x, last), cut(x, last), rtol=1e-5, atol=1e-6)
    (full,) = torch.autograd.grad(whole(x, last).sum(), x)
    (short,) = torch.autograd.grad(cut(x, last).sum(), x)
    assert (full[:, :8].abs().sum(dim=(0, 2)) > 0).all()
    assert (short[:, :8] == 0).all()
    torch.testing.assert_close(full[:, 8:], short[:, 8:], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_one_pass_over_a_long_history(cell):
    """Read in chunks with the state carried on, or at once: the same forecasts at every row."""
    net = _network("aligned", cell).eval()
    x = np.random.default_rng(0).normal(size=(600, 3, C)).astype(np.float32)
    rows = np.array([0, 255, 256, 599])
    at_once = net(torch.from_numpy(x).transpose(0, 1), torch.zeros(3, 600, H)).detach().numpy()  # (N, T, H, Q)
    np.testing.assert_allclose(correct_sequence(net, x, rows), at_once[:, rows].swapaxes(0, 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["aligned", "many-to-one", "seq2seq"])
def test_quantiles_are_in_order_whatever_the_weights(kind):
    net = _network(kind, "lstm")
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=2.0)
    assert (_last(net, torch.randn(50, L, C)).diff(dim=-1) >= 0).all()


def test_gate_bias():
    keep = slice(6, 12)
    for cell, sign in (("lstm", True), ("gru", False)):
        one, chrono = _body(cell), _body(cell)
        networks.set_gate_bias(one, "one", 100)
        assert (one.bias_ih_l0[keep] == 1).all()
        networks.set_gate_bias(chrono, "chrono", 100)
        assert (chrono.bias_ih_l0[keep] >= 0).all()
        assert chrono.bias_ih_l0[keep].max() <= np.log(99)
        assert chrono.bias_ih_l0[keep].std() > 0
        if sign:
            assert torch.equal(chrono.bias_ih_l0[:6], -chrono.bias_ih_l0[keep])
    rnn = _body("rnn")
    networks.set_gate_bias(rnn, "one", 100)
    assert not rnn.bias_ih_l0.any()


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_weights_start_orthogonal(cell):
    body = _body(cell, layers=2, bidirectional=True)
    for name, weight in body.named_parameters():
        if name.startswith("weight_hh"):
            for gate in weight.detach().split(6):
                torch.testing.assert_close(gate @ gate.T, torch.eye(6), rtol=1e-5, atol=1e-5)


def test_pinball_is_that_of_scikit_learn():
    from sklearn.metrics import mean_pinball_loss

    rng = np.random.default_rng(1)
    forecast, target = rng.normal(size=(3, 2, H, 3)), rng.normal(size=(3, 2, H))
    each = [mean_pinball_loss(target.ravel(), forecast[..., q].ravel(), alpha=a) for q, a in enumerate(LEVELS)]
    weight = torch.ones(3, 2, H)
    ours = losses.pinball(LEVELS)(torch.tensor(forecast), torch.tensor(target), weight)
    assert ours.item() == pytest.approx(np.mean(each), rel=1e-6)
    weight[0] = 0
    masked = losses.pinball(LEVELS)(torch.tensor(forecast), torch.tensor(target), weight)
    rest = losses.pinball(LEVELS)(torch.tensor(forecast[1:]), torch.tensor(target[1:]), weight[1:])
    assert masked.item() == pytest.approx(rest.item())


def test_training_is_a_loop_that_yields():
    model = fc.Recurrent(hidden=4, lookback=12, trainer=fc.Trainer(steps=10, batch_size=4)).fit(walks(), 2)
    history = model.history_
    assert list(history.columns) == ["member", "step", "loss", "norm", "lr", "seconds"]
    assert list(history["step"]) == list(range(1, 11))
    assert history["lr"].iloc[0] == pytest.approx(1e-3)
    assert history["lr"].is_monotonic_decreasing
    assert 0 < history["lr"].iloc[-1] < 2e-4
