"""A topology is what its output depends on; freshness; truncated back-propagation; over the whole matrix."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.quick import walks
from scipy import stats
from sklearn.base import clone

import forecast as fc
from forecast.features.inputs import N_INPUTS, N_STATE_CHANNELS
from forecast.models.recurrent import batches as inference
from forecast.models.recurrent import losses, networks, trainer
from forecast.models.recurrent.batches import predict_rows, predict_windows
from forecast.models.recurrent.build import Architecture, build
from forecast.models.recurrent.heads import StudentT, make_output
from forecast.models.recurrent.layers import CELLS, Stack, set_gate_bias

H, L, LEVELS = 4, 12, (0.1, 0.5, 0.9)

LEGAL = [("one-to-one", False), ("one-to-many", False), ("aligned", False)]
LEGAL += [(strategy, both) for strategy in ("direct", "recursive", "seq2seq") for both in (False, True)]
SHAPES = {
    "plain": {},
    "two layers": {"dilations": (1, 1)},
    "residual": {"dilations": (1, 1, 1), "residual": True},
    "dilated": {"dilations": (1, 3, 5), "residual": True},
    "patches": {"patch": 3},
    "dilated patches": {"patch": 2, "dilations": (1, 2), "skip": 4},
    "embedded": {"embedding": 3, "series": tuple("abcde")},
    "point": {"loss": "huber"},
    "student": {"loss": "student-t"},
}
ONE_ROW = ("patches", "dilated", "dilated patches")  # these shapes need a window
MATRIX = [
    (strategy, cell, both, shape)
    for strategy, both in LEGAL
    for cell in CELLS
    for shape in SHAPES
    if not (strategy.startswith("one-to-") and shape in ONE_ROW)
]
matrix = pytest.mark.parametrize(
    ("strategy", "cell", "both", "shape"),
    MATRIX,
    ids=["-".join([s, c, "both" if b else "forward", shape]) for s, c, b, shape in MATRIX],
)


def _build(strategy, cell="lstm", both=False, **options):
    described = {
        "strategy": strategy,
        "cell": cell,
        "bidirectional": both,
        "n_inputs": N_INPUTS,
        "hidden": 6,
        "dilations": (1,),
        "residual": False,
        "dropout": 0.0,
        "lookback": L,
        "patch": 1,
        "skip": 1,
        "gate_bias": "one",
        "series": (),
        "embedding": 0,
        "steps": 1 if strategy == "recursive" else H,
        "loss": "pinball",
        "levels": LEVELS,
        "bptt": None,
    }
    return build(Architecture(**(described | options)), seed=3)


def _alive(net, skip=True):
    """Give every weight that starts at zero a value: an untrained network says nothing and depends on nothing."""
    torch.manual_seed(4)
    for name, parameter in net.named_parameters():
        if "skip" in name and not skip:
            torch.nn.init.zeros_(parameter)
        elif not parameter.any():
            torch.nn.init.normal_(parameter, std=0.5)
    return net.eval()


def _rows(n=2, rows=L, seed=5):
    """Inputs (n, rows, C): a level, its two units, the features."""
    x = torch.randn(n, rows, N_INPUTS, generator=torch.Generator().manual_seed(seed))
    x[..., 1:N_STATE_CHANNELS] = 1.0
    return x


def _last(net, x, series=None):
    """What is said at the last row, (B, H, n)."""
    target = torch.zeros(len(x), 1, net.skip.shape[0]) if isinstance(net, networks.Aligned) else None
    series = torch.zeros(len(x), dtype=torch.int64) if series is None else series
    return net(x, target, series)[:, -1]


def _reach(net, step=None):
    """Which rows the forecast depends on, (L,): the gradient of its point, of one step or of all."""
    x = _rows().requires_grad_()
    said = _last(net, x)[..., net.output.middle]
    (gradient,) = torch.autograd.grad((said if step is None else said[:, step]).sum(), x)
    return gradient.abs().sum(dim=(0, 2))


@matrix
def test_every_step_sees_the_newest_row(strategy, cell, both, shape):
    """Freshness: d network[k] / d x[newest] ≠ 0 for every step k, without the help of skip or base."""
    net = _alive(_build(strategy, cell, both, **SHAPES[shape]), skip=False)
    for step in range(net.skip.shape[0]):
        assert _reach(net, step)[-1] > 1e-8, f"step {step + 1} is stale"


@matrix
def test_a_topology_reads_what_its_name_says(strategy, cell, both, shape):
    net = _alive(_build(strategy, cell, both, **SHAPES[shape]), skip=False)
    reach = _reach(net)
    if strategy.startswith("one-to-"):
        assert reach[-1] > 0
        assert (reach[:-1] == 0).all()
    else:
        assert (reach > 0).all() or strategy == "aligned"  # aligned patches leave the first odd rows to other phases
        assert (reach[-net.patch :] > 0).all()
        assert (reach > 0).sum() >= L // 2


@matrix
def test_an_untrained_network_says_no_correction(strategy, cell, both, shape):
    net = _build(strategy, cell, both, **SHAPES[shape]).eval()
    assert (_last(net, _rows())[..., net.output.middle] == 0).all()


@pytest.mark.parametrize("cell", CELLS)
def test_one_to_one_has_no_recurrence_and_one_to_many_has(cell):
    """Silence every recurrent weight: one-to-one says the same, one-to-many something else at every step."""
    reference, decoder = _alive(_build("one-to-one", cell)), _alive(_build("one-to-many", cell), skip=False)
    x = _rows()
    before = _last(reference, x), _last(decoder, x)
    for net in (reference, decoder):
        for name, weight in net.named_parameters():
            if "weight_hh" in name:
                torch.nn.init.zeros_(weight)
    assert torch.equal(_last(reference, x), before[0])
    assert not torch.isclose(_last(decoder, x), before[1]).all(dim=-1).any()
    said = before[1][..., 1] / decoder.output.grow[:, 0]
    assert not torch.isclose(said[:, 1:], said[:, :-1]).any()  # the row is the same at every step, the state is not


@pytest.mark.parametrize("strategy", ["direct", "recursive", "seq2seq"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", ["plain", "two layers", "dilated", "patches"])
def test_the_backward_direction_sees_every_row(strategy, cell, shape):
    """With the forward direction silenced, the answer still depends on every row, the first and the last."""
    net = _alive(_build(strategy, cell, both=True, **SHAPES[shape]), skip=False)
    stack = net.encoder if strategy == "seq2seq" else net.stack
    for name, parameter in stack.named_parameters():
        if not name.endswith("_reverse"):
            torch.nn.init.zeros_(parameter)
    assert (_reach(net) > 0).all()


@pytest.mark.parametrize("shape", ["plain", "dilated", "patches", "dilated patches", "embedded"])
@pytest.mark.parametrize("cell", CELLS)
def test_aligned_rows_do_not_see_later_ones(cell, shape):
    """Identical bytes at row t under any change of the rows after it."""
    net = _alive(_build("aligned", cell, **SHAPES[shape]))
    x, everywhere = _rows(), torch.zeros(2, L, H)
    changed = torch.cat([x[:, :-4], _rows(rows=4, seed=6)], dim=1)
    series = torch.zeros(2, dtype=torch.int64)
    first, second = net(x, everywhere, series), net(changed, everywhere, series)
    assert first[:, :-4].detach().numpy().tobytes() == second[:, :-4].detach().numpy().tobytes()
    assert not torch.isclose(first[:, -4:], second[:, -4:]).all(dim=-1).any()


@pytest.mark.parametrize("cell", CELLS)
def test_the_teacher_teaches_and_is_not_asked(cell):
    """Seq2seq's training forward reads the targets of the steps before; its forecast reads none."""
    net = _alive(_build("seq2seq", cell))
    x, target = _rows(), torch.randn(2, 1, H)
    other = target.clone()
    other[:, :, 1] += 1
    first, second = net(x, target), net(x, other)
    assert torch.equal(first[:, :, :2], second[:, :, :2])  # step 2 is told of step 1, not of itself
    assert not torch.isclose(first[:, :, 2:], second[:, :, 2:]).all(dim=-1).any()
    assert torch.equal(net(x), net(x))
    weight = torch.ones(2, 1, H)
    series = torch.zeros(2, dtype=torch.int64)
    assert net.loss_of(x, series, target, weight) != net.loss_of(x, series, other, weight)


@pytest.mark.parametrize("loss", losses.LOSSES)
@pytest.mark.parametrize("cell", CELLS)
def test_seq2seq_reads_its_own_point(cell, loss):
    """Taught by what it would have said, the decoder says it again."""
    net = _alive(_build("seq2seq", cell, loss=loss))
    x = _rows()
    free = net(x)
    torch.testing.assert_close(net(x, free[..., net.output.middle]), free, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", ["plain", "dilated", "patches"])
@pytest.mark.parametrize("cell", CELLS)
def test_truncated_back_propagation(cell, shape):
    """The full forward value, and no gradient past the cut."""
    whole = _alive(_build("aligned", cell, **SHAPES[shape]), skip=False)
    cut = _alive(_build("aligned", cell, bptt=4, **SHAPES[shape]), skip=False)
    x = _rows().requires_grad_()
    last = torch.zeros(2, 1, H)
    torch.testing.assert_close(whole(x, last), cut(x, last), rtol=1e-5, atol=1e-6)
    (full,) = torch.autograd.grad(whole(x, last).sum(), x)
    (short,) = torch.autograd.grad(cut(x, last).sum(), x)
    beyond = 9 - SHAPES[shape].get("patch", 1)  # a patch is read whole, across the cut
    assert (full[:, :8].abs().sum(dim=(0, 2)) > 0).any()
    assert (short[:, :beyond] == 0).all()
    if shape == "plain":
        torch.testing.assert_close(full[:, 8:], short[:, 8:], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", ["plain", "dilated", "patches", "dilated patches", "embedded"])
@pytest.mark.parametrize("cell", CELLS)
def test_one_pass_over_a_long_history(cell, shape):
    """Read in chunks with the state carried on, or at once: the same at every row."""
    net = _alive(_build("aligned", cell, **SHAPES[shape]))
    x = _rows(3, 600)
    rows, series = np.array([0, 255, 256, 599]), np.array([0, 2, -1])
    at_once = net(x, torch.zeros(3, 600, H), torch.from_numpy(series)).detach().numpy()  # (N, T, H, n)
    in_chunks = predict_rows(net, x.transpose(0, 1).numpy(), series, rows)
    np.testing.assert_allclose(in_chunks, at_once[:, rows].swapaxes(0, 1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_dilated_layer_is_as_many_networks_as_its_dilation(cell, both):
    """Each phase of the rows read by a plain layer of its own gives what the dilated layer says at these rows."""
    torch.manual_seed(0)
    stack = Stack(cell, 3, 6, [5], bidirectional=both)
    x = torch.randn(2, 23, 3)
    out, state = stack(x)
    for phase in range(5):
        alone, after = stack.layers[0](x[:, phase::5])
        torch.testing.assert_close(out[:, phase::5], alone)
    newest = stack.newest(state)[0]
    alone, after = stack.layers[0](x[:, 22 % 5 :: 5])
    h, own = (newest[0], after[0]) if cell == "lstm" else (newest, after)
    torch.testing.assert_close(h, own.transpose(0, 1).flatten(1))


@pytest.mark.parametrize("strategy", ["aligned", "direct", "seq2seq", "one-to-one", "one-to-many"])
def test_quantiles_are_in_order_whatever_the_weights(strategy):
    net = _build(strategy)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=2.0)
    assert (_last(net, _rows(50)).diff(dim=-1) >= 0).all()


def test_an_unseen_series_has_the_mean_vector():
    net = _alive(_build("direct", embedding=3, series=tuple("abcde")))
    x = _rows(1)
    with torch.no_grad():
        unseen = _last(net, x, torch.tensor([-1]))
        assert not torch.isclose(_last(net, x, torch.tensor([2])), unseen).any()
        net.vectors.table.weight[2] = net.vectors.table.weight[[0, 1, 3, 4]].mean(dim=0)
        torch.testing.assert_close(_last(net, x, torch.tensor([2])), _last(net, x, torch.tensor([-1])))


def test_gate_bias():
    keep = slice(6, 12)
    for cell, sign in (("lstm", True), ("gru", False)):
        one, chrono = Stack(cell, 3, 6), Stack(cell, 3, 6, [1, 10])
        set_gate_bias(one, "one", 100)
        assert (one.layers[0].bias_ih_l0[keep] == 1).all()
        set_gate_bias(chrono, "chrono", 100)
        first, second = (layer.bias_ih_l0.detach() for layer in chrono.layers)
        assert (first[keep] >= 0).all()
        assert first[keep].max() <= math.log(99)
        assert first[keep].std() > 0
        assert second[keep].max() <= math.log(9)  # ten rows at a time: a tenth of the steps
        if sign:
            assert torch.equal(first[:6], -first[keep])
    rnn = Stack("rnn", 3, 6)
    set_gate_bias(rnn, "one", 100)
    assert not rnn.layers[0].bias_ih_l0.any()


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_weights_start_orthogonal(cell):
    for name, weight in Stack(cell, 3, 6, [1, 2], bidirectional=True).named_parameters():
        if "weight_hh" in name:
            for gate in weight.detach().split(6):
                torch.testing.assert_close(gate @ gate.T, torch.eye(6), rtol=1e-5, atol=1e-5)


def _known(output, said, target, weight):
    return output.loss(torch.tensor(said), torch.tensor(target), weight).item()


def test_losses_are_those_of_scikit_learn_and_scipy():
    from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error

    rng = np.random.default_rng(1)
    target, said = rng.normal(size=(3, 2, H)), rng.normal(size=(3, 2, H, 3))
    weight = torch.ones(3, 2, H)
    each = [mean_pinball_loss(target.ravel(), said[..., q].ravel(), alpha=a) for q, a in enumerate(LEVELS)]
    assert _known(make_output("pinball", H, LEVELS), said, target, weight) == pytest.approx(np.mean(each), rel=1e-6)
    for name, theirs in (("mse", mean_squared_error), ("mae", mean_absolute_error)):
        ours = _known(make_output(name, H, LEVELS), said[..., :1], target, weight)
        assert ours == pytest.approx(theirs(target.ravel(), said[..., 0].ravel()))
    error = np.abs(target - said[..., 0])
    huber = np.where(error < 1, error**2 / 2, error - 0.5).mean()
    assert _known(make_output("huber", H, LEVELS), said[..., :1], target, weight) == pytest.approx(huber)
    said[..., 1:] = np.abs(said[..., 1:]) + np.array([0.1, 2])
    minus = -stats.t.logpdf(target, said[..., 2], loc=said[..., 0], scale=said[..., 1]).mean()
    assert _known(StudentT(H), said, target, weight) == pytest.approx(minus)
    weight[0] = 0
    rest = _known(make_output("pinball", H, LEVELS), said[1:], target[1:], weight[1:])
    assert _known(make_output("pinball", H, LEVELS), said, target, weight) == pytest.approx(rest)


def test_windows_are_asked_in_batches_of_one_size():
    """The bytes of an answer do not depend on how many are asked for beside it."""
    net = _alive(_build("direct"))
    x, series = _rows(200).numpy(), np.zeros(200, dtype=np.int64)
    assert predict_windows(net, x, series)[:7].tobytes() == predict_windows(net, x[:7], series[:7]).tobytes()


def test_training_is_a_loop_that_yields():
    model = fc.Recurrent(hidden=4, lookback=12, trainer=fc.Trainer(steps=10, batch_size=4)).fit(walks(), 2)
    history = model.history_
    assert list(history.columns) == ["member", "step", "loss", "norm", "lr", "seconds", "validation"]
    assert list(history["step"]) == list(range(1, 11))
    assert history["lr"].iloc[0] == pytest.approx(1e-3)
    assert history["lr"].is_monotonic_decreasing
    assert 0 < history["lr"].iloc[-1] < 2e-4
    assert history["validation"].isna().all()


def test_the_optimizer_is_torchs(monkeypatch):
    """Only the wrappers are left out: torch's own gives the same weights, to the byte."""
    model = fc.Recurrent(hidden=4, lookback=12, trainer=fc.Trainer(steps=10, batch_size=4, skip_lr=0.01))
    ours = clone(model).fit(walks(), 2).nets_[0].state_dict()
    monkeypatch.setattr(trainer, "AdamW", torch.optim.AdamW)
    theirs = clone(model).fit(walks(), 2).nets_[0].state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_wide_panel_is_read_in_shorter_pieces(monkeypatch):
    net = _alive(_build("aligned"))
    x, series, rows = _rows(5, 60).transpose(0, 1).numpy(), np.zeros(5, dtype=np.int64), np.array([3, 20, 59])
    whole = predict_rows(net, x, series, rows)
    monkeypatch.setattr(inference, "WIDE", 35)  # seven rows at a time
    np.testing.assert_allclose(predict_rows(net, x, series, rows), whole, rtol=1e-5, atol=1e-6)


def test_the_level_is_not_read_as_it_is():
    """Two series at different heights that move alike are one and the same to every network."""
    for strategy, both in LEGAL:
        net = _alive(_build(strategy, both=both, skip=1 if strategy.startswith("one") else 6))
        x = _rows()
        lifted = x.clone()
        lifted[..., 0] += 64.0
        torch.testing.assert_close(_last(net, x), _last(net, lifted), rtol=1e-4, atol=1e-4)
