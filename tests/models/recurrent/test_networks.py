"""A topology is what its output depends on; freshness; truncated back-propagation; for every combination."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.quick import walks
from scipy import stats
from sklearn.base import clone

import forecast as fc
from forecast.features.inputs import N_INPUTS, N_STATE_CHANNELS
from forecast.models.recurrent import inference, networks, trainer
from forecast.models.recurrent.config import CELLS, LOSSES, RecurrentConfig, StackConfig
from forecast.models.recurrent.heads import StudentT, make_output
from forecast.models.recurrent.inference import PredictionRequest, predict_rows, predict_windows
from forecast.models.recurrent.layers import Stack
from forecast.models.recurrent.networks import build_network

H, L, LEVELS = 4, 12, (0.1, 0.5, 0.9)

COMBINATIONS = [("one-to-one", False), ("one-to-many", False), ("aligned", False)]
COMBINATIONS += [(strategy, both) for strategy in ("direct", "recursive", "seq2seq") for both in (False, True)]
SHAPES = {
    "plain": {},
    "two layers": {"layers": (1, 1)},
    "residual": {"layers": (1, 1, 1), "residual": True},
    "dilated": {"layers": (1, 3, 5), "residual": True},
    "patches": {"patch": 3},
    "dilated patches": {"patch": 2, "layers": (1, 2), "skip": 4},
    "embedded": {"embedding": 3, "series": tuple("abcde")},
    "point": {"loss": "huber"},
    "student": {"loss": "student-t"},
}
NEED_A_WINDOW = ("patches", "dilated", "dilated patches")
MATRIX = [
    (strategy, cell, both, shape)
    for strategy, both in COMBINATIONS
    for cell in CELLS
    for shape in SHAPES
    if not (strategy.startswith("one-to-") and shape in NEED_A_WINDOW)
]
matrix = pytest.mark.parametrize(
    ("strategy", "cell", "both", "shape"),
    MATRIX,
    ids=["-".join([s, c, "both" if b else "forward", shape]) for s, c, b, shape in MATRIX],
)


def _stack_config(cell, hidden=6, layers=(1,), **options):
    return StackConfig(
        **{
            "cell": cell,
            "hidden": hidden,
            "layers": layers,
            "bidirectional": False,
            "residual": False,
            "dropout": 0.0,
            "gate_bias": "one",
            "lookback": L,
            "embedding": 0,
            "n_inputs": 3,
        }
        | options
    )


def _build(strategy, cell="lstm", both=False, **options):
    config = {
        "strategy": strategy,
        "cell": cell,
        "bidirectional": both,
        "n_inputs": N_INPUTS,
        "hidden": 6,
        "layers": (1,),
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
    return build_network(RecurrentConfig(**config | options), seed=3)


def _randomised(net, shortcut=True):
    """Set weights that start at zero to random values: an untrained network corrects nothing and depends on nothing."""
    torch.manual_seed(4)
    for name, parameter in net.named_parameters():
        if "shortcut" in name and not shortcut:
            torch.nn.init.zeros_(parameter)
        elif not parameter.any():
            torch.nn.init.normal_(parameter, std=0.5)
    return net.eval()


def _rows(n=2, rows=L, seed=5):
    """Return inputs (n, rows, C): a level, its two scales, the features."""
    x = torch.randn(n, rows, N_INPUTS, generator=torch.Generator().manual_seed(seed))
    x[..., 1:N_STATE_CHANNELS] = 1.0
    return x


def _last(net, x, series=None):
    """Return the output at the last row, (B, H, n)."""
    target = torch.zeros(len(x), 1, net.shortcut.shape[0]) if isinstance(net, networks.Aligned) else None
    series = torch.zeros(len(x), dtype=torch.int64) if series is None else series
    return net(x, target, series)[:, -1]


def _dependence(net, step=None):
    """Return how the forecast depends on each row, (L,): the gradient of its point, of one step or of all."""
    x = _rows().requires_grad_()
    point = _last(net, x)[..., net.output.middle]
    (gradient,) = torch.autograd.grad((point if step is None else point[:, step]).sum(), x)
    return gradient.abs().sum(dim=(0, 2))


@pytest.mark.slow
@matrix
def test_every_step_depends_on_the_newest_row(strategy, cell, both, shape):
    """Freshness: d network[k] / d x[newest] ≠ 0 for every step k, without the shortcut and the base."""
    net = _randomised(_build(strategy, cell, both, **SHAPES[shape]), shortcut=False)
    for step in range(net.shortcut.shape[0]):
        assert _dependence(net, step)[-1] > 1e-8, f"step {step + 1} is stale"


@pytest.mark.slow
@matrix
def test_topology_reads_the_rows_of_its_name(strategy, cell, both, shape):
    net = _randomised(_build(strategy, cell, both, **SHAPES[shape]), shortcut=False)
    dependence = _dependence(net)
    if strategy.startswith("one-to-"):
        assert dependence[-1] > 0
        assert (dependence[:-1] == 0).all()
    else:
        assert (dependence > 0).all() or strategy == "aligned"  # the first rows may belong to other phases of a patch
        assert (dependence[-net.patch :] > 0).all()
        assert (dependence > 0).sum() >= L // 2


@matrix
def test_untrained_network_corrects_nothing(strategy, cell, both, shape):
    net = _build(strategy, cell, both, **SHAPES[shape]).eval()
    assert (_last(net, _rows())[..., net.output.middle] == 0).all()


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_weights_matter_to_the_decoder_only(cell):
    """Without recurrent weights one-to-one has the same output, one-to-many another one at every step."""
    reference, decoder = (
        _randomised(_build("one-to-one", cell)),
        _randomised(_build("one-to-many", cell), shortcut=False),
    )
    x = _rows()
    before = _last(reference, x), _last(decoder, x)
    for net in (reference, decoder):
        for name, weight in net.named_parameters():
            if "weight_hh" in name:
                torch.nn.init.zeros_(weight)
    assert torch.equal(_last(reference, x), before[0])
    assert not torch.isclose(_last(decoder, x), before[1]).all(dim=-1).any()
    raw = before[1][..., 1] / decoder.output.growth[:, 0]
    assert not torch.isclose(raw[:, 1:], raw[:, :-1]).any()  # the row is the same at every step, the state is not


@pytest.mark.parametrize("strategy", ["direct", "recursive", "seq2seq"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", ["plain", "two layers", "dilated", "patches"])
def test_backward_direction_depends_on_every_row(strategy, cell, shape):
    """Without the forward direction the output still depends on every row, the first and the last."""
    net = _randomised(_build(strategy, cell, both=True, **SHAPES[shape]), shortcut=False)
    stack = net.encoder if strategy == "seq2seq" else net.stack
    for name, parameter in stack.named_parameters():
        if not name.endswith("_reverse"):
            torch.nn.init.zeros_(parameter)
    assert (_dependence(net) > 0).all()


@pytest.mark.parametrize("shape", ["plain", "dilated", "patches", "dilated patches", "embedded"])
@pytest.mark.parametrize("cell", CELLS)
def test_aligned_rows_do_not_depend_on_later_ones(cell, shape):
    """The bytes at row t are the same for any change of the rows after it."""
    net = _randomised(_build("aligned", cell, **SHAPES[shape]))
    x, everywhere = _rows(), torch.zeros(2, L, H)
    changed = torch.cat([x[:, :-4], _rows(rows=4, seed=6)], dim=1)
    series = torch.zeros(2, dtype=torch.int64)
    first, second = net(x, everywhere, series), net(changed, everywhere, series)
    assert first[:, :-4].detach().numpy().tobytes() == second[:, :-4].detach().numpy().tobytes()
    assert not torch.isclose(first[:, -4:], second[:, -4:]).all(dim=-1).any()


@pytest.mark.parametrize("cell", CELLS)
def test_teacher_forcing_in_training_only(cell):
    """In training seq2seq reads the targets of the previous steps; in a forecast it reads none."""
    net = _randomised(_build("seq2seq", cell))
    x, target = _rows(), torch.randn(2, 1, H)
    other = target.clone()
    other[:, :, 1] += 1
    first, second = net(x, target), net(x, other)
    assert torch.equal(first[:, :, :2], second[:, :, :2])  # step 2 reads step 1, not itself
    assert not torch.isclose(first[:, :, 2:], second[:, :, 2:]).all(dim=-1).any()
    assert torch.equal(net(x), net(x))
    weight = torch.ones(2, 1, H)
    series = torch.zeros(2, dtype=torch.int64)
    assert net.batch_loss(x, series, target, weight, None) != net.batch_loss(x, series, other, weight, None)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("cell", CELLS)
def test_seq2seq_reads_its_own_point(cell, loss):
    """With its own forecasts as targets the decoder has the same output."""
    net = _randomised(_build("seq2seq", cell, loss=loss))
    x = _rows()
    free = net(x)
    torch.testing.assert_close(net(x, free[..., net.output.middle]), free, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", ["plain", "dilated", "patches"])
@pytest.mark.parametrize("cell", CELLS)
def test_truncated_back_propagation(cell, shape):
    """The forward value is the same, and no gradient passes the cut."""
    full_net = _randomised(_build("aligned", cell, **SHAPES[shape]), shortcut=False)
    cut_net = _randomised(_build("aligned", cell, bptt=4, **SHAPES[shape]), shortcut=False)
    x = _rows().requires_grad_()
    last = torch.zeros(2, 1, H)
    torch.testing.assert_close(full_net(x, last), cut_net(x, last), rtol=1e-5, atol=1e-6)
    (full,) = torch.autograd.grad(full_net(x, last).sum(), x)
    (short,) = torch.autograd.grad(cut_net(x, last).sum(), x)
    beyond = 9 - SHAPES[shape].get("patch", 1)  # a patch is read in one piece, across the cut
    assert (full[:, :8].abs().sum(dim=(0, 2)) > 0).any()
    assert (short[:, :beyond] == 0).all()
    if shape == "plain":
        torch.testing.assert_close(full[:, 8:], short[:, 8:], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", ["plain", "dilated", "patches", "dilated patches", "embedded"])
@pytest.mark.parametrize("cell", CELLS)
def test_long_history_in_chunks_equals_one_pass(cell, shape):
    """In chunks with the state passed on, or at once: the outputs of every row are the same."""
    net = _randomised(_build("aligned", cell, **SHAPES[shape]))
    x = _rows(3, 600)
    rows, series = np.array([0, 255, 256, 599]), np.array([0, 2, -1])
    at_once = net(x, torch.zeros(3, 600, H), torch.from_numpy(series)).detach().numpy()  # (N, T, H, n)
    in_chunks = predict_rows(net, _request(net, x.transpose(0, 1).numpy(), rows, series))
    np.testing.assert_allclose(in_chunks, at_once[:, rows].swapaxes(0, 1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_dilated_layer_equals_a_layer_for_each_phase(cell, both):
    """A plain layer that reads one phase of the rows has the outputs of the dilated layer at these rows."""
    torch.manual_seed(0)
    stack = Stack(_stack_config(cell, layers=(5,), bidirectional=both), 3, L)
    x = torch.randn(2, 23, 3)
    out, state = stack(x)
    for phase in range(5):
        alone, after = stack.layers[0](x[:, phase::5])
        torch.testing.assert_close(out[:, phase::5], alone)
    newest = stack.newest_state(state)[0]
    alone, after = stack.layers[0](x[:, 22 % 5 :: 5])
    h, expected = (newest[0], after[0]) if cell == "lstm" else (newest, after)
    torch.testing.assert_close(h, expected.transpose(0, 1).flatten(1))


@pytest.mark.parametrize("strategy", ["aligned", "direct", "seq2seq", "one-to-one", "one-to-many"])
def test_quantiles_never_cross(strategy):
    net = _build(strategy)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=2.0)
    assert (_last(net, _rows(50)).diff(dim=-1) >= 0).all()


def test_unseen_series_has_the_mean_vector():
    net = _randomised(_build("direct", embedding=3, series=tuple("abcde")))
    x = _rows(1)
    with torch.no_grad():
        unseen = _last(net, x, torch.tensor([-1]))
        assert not torch.isclose(_last(net, x, torch.tensor([2])), unseen).any()
        net.vectors.table.weight[2] = net.vectors.table.weight[[0, 1, 3, 4]].mean(dim=0)
        torch.testing.assert_close(_last(net, x, torch.tensor([2])), _last(net, x, torch.tensor([-1])))


def test_gate_bias():
    gate = slice(6, 12)
    for cell in ("lstm", "gru"):
        one = Stack(_stack_config(cell), 3, 100)
        assert (one.layers[0].bias_ih_l0[gate] == 1).all()
        chrono = Stack(_stack_config(cell, layers=(1, 10), gate_bias="chrono"), 3, 100)
        first, second = (layer.bias_ih_l0.detach() for layer in chrono.layers)
        assert (first[gate] >= 0).all()
        assert first[gate].max() <= math.log(99)
        assert first[gate].std() > 0
        assert second[gate].max() <= math.log(9)  # every tenth row: a tenth of the steps
        if cell == "lstm":
            assert torch.equal(first[:6], -first[gate])
    rnn = Stack(_stack_config("rnn"), 3, 100)
    assert not rnn.layers[0].bias_ih_l0.any()


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_weights_start_orthogonal(cell):
    stack = Stack(_stack_config(cell, layers=(1, 2), bidirectional=True), 3, L)
    for name, weight in stack.named_parameters():
        if "weight_hh" in name:
            for gate in weight.detach().split(6):
                torch.testing.assert_close(gate @ gate.T, torch.eye(6), rtol=1e-5, atol=1e-5)


def _loss(output, predicted, target, weight):
    return output.loss(torch.tensor(predicted), torch.tensor(target), weight).item()


def test_losses_equal_those_of_scikit_learn_and_scipy():
    from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error

    rng = np.random.default_rng(1)
    target, predicted = rng.normal(size=(3, 2, H)), rng.normal(size=(3, 2, H, 3))
    weight = torch.ones(3, 2, H)
    pinball = [mean_pinball_loss(target.ravel(), predicted[..., q].ravel(), alpha=a) for q, a in enumerate(LEVELS)]
    quantiles = make_output("pinball", H, LEVELS)
    assert _loss(quantiles, predicted, target, weight) == pytest.approx(np.mean(pinball), rel=1e-6)
    for name, theirs in (("mse", mean_squared_error), ("mae", mean_absolute_error)):
        ours = _loss(make_output(name, H, LEVELS), predicted[..., :1], target, weight)
        assert ours == pytest.approx(theirs(target.ravel(), predicted[..., 0].ravel()))
    error = np.abs(target - predicted[..., 0])
    huber = np.where(error < 1, error**2 / 2, error - 0.5).mean()
    assert _loss(make_output("huber", H, LEVELS), predicted[..., :1], target, weight) == pytest.approx(huber)
    predicted[..., 1:] = np.abs(predicted[..., 1:]) + np.array([0.1, 2])
    minus = -stats.t.logpdf(target, predicted[..., 2], loc=predicted[..., 0], scale=predicted[..., 1]).mean()
    assert _loss(StudentT(H), predicted, target, weight) == pytest.approx(minus)
    weight[0] = 0
    rest = _loss(quantiles, predicted[1:], target[1:], weight[1:])
    assert _loss(quantiles, predicted, target, weight) == pytest.approx(rest)


def _request(net, x, rows, series):
    """Return a request for forecasts from rows of inputs (T, N, C)."""
    base = np.zeros((len(rows), len(series), H))
    return PredictionRequest(SimpleNamespace(x=x), np.array(rows), base, np.array(series), net.config)


def test_windows_are_predicted_in_batches_of_one_size():
    """The bytes of a forecast do not depend on the number of forecasts."""
    net = _randomised(_build("direct"))
    x = _rows(1, 300).transpose(0, 1).numpy()
    many, few = (predict_windows(net, _request(net, x, range(50, stop), [0])) for stop in (250, 57))
    assert many[:7].tobytes() == few.tobytes()


def test_training_has_a_record_of_each_step():
    model = fc.Recurrent(hidden=4, lookback=12, trainer=fc.Trainer(steps=10, batch_size=4)).fit(walks(), 2)
    history = model.history_
    assert list(history.columns) == ["member", "step", "loss", "norm", "lr", "seconds", "validation"]
    assert list(history["step"]) == list(range(1, 11))
    assert history["lr"].iloc[0] == pytest.approx(1e-3)
    assert history["lr"].is_monotonic_decreasing
    assert 0 < history["lr"].iloc[-1] < 2e-4
    assert history["validation"].isna().all()


@pytest.mark.slow
def test_optimizer_equals_that_of_torch(monkeypatch):
    """Only its wrappers are left out: the weights are the same bytes."""
    model = fc.Recurrent(hidden=4, lookback=12, trainer=fc.Trainer(steps=10, batch_size=4, skip_lr=0.01))
    ours = clone(model).fit(walks(), 2).nets_[0].state_dict()
    monkeypatch.setattr(trainer, "AdamW", torch.optim.AdamW)
    theirs = clone(model).fit(walks(), 2).nets_[0].state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_wide_panel_is_read_in_shorter_chunks(monkeypatch):
    net = _randomised(_build("aligned"))
    request = _request(net, _rows(5, 60).transpose(0, 1).numpy(), [3, 20, 59], [0] * 5)
    at_once = predict_rows(net, request)
    monkeypatch.setattr(inference, "MAX_ROWS", 35)  # seven rows at a time
    np.testing.assert_allclose(predict_rows(net, request), at_once, rtol=1e-5, atol=1e-6)


def test_networks_do_not_depend_on_the_level():
    """Two series with the same changes at different levels have the same forecast."""
    for strategy, both in COMBINATIONS:
        net = _randomised(_build(strategy, both=both, skip=1 if strategy.startswith("one") else 6))
        x = _rows()
        lifted = x.clone()
        lifted[..., 0] += 64.0
        torch.testing.assert_close(_last(net, x), _last(net, lifted), rtol=1e-4, atol=1e-4)
