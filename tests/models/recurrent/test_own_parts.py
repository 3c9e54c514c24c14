"""A loss and a network of the user's: they train like those of the package, and are checked, described and stored."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from helpers.quick import quick, walks

import forecast as fc
from forecast.backtesting.spec import describe, rebuild


def squared(forecast, target):
    return (forecast - target) ** 2


def lopsided(forecast, target):
    """Twice as much for a forecast that is too low: its minimum is the quantile of level 2 / 3."""
    error = target - forecast
    return torch.maximum(2 * error, -error)


@pytest.mark.parametrize("name", ["lstm", "gru-many-to-one", "rnn-seq2seq", "rnn-recursive", "lstm-one-to-many"])
def test_an_own_loss_trains_as_the_same_loss_by_name(name):
    prices = walks()
    own, named = (quick(name, loss=loss).fit(prices, 2) for loss in (squared, "mse"))
    assert own.predict(prices).quantiles.tobytes() == named.predict(prices).quantiles.tobytes()
    assert own.history_["loss"].tolist() == named.history_["loss"].tolist()


@pytest.mark.medium
def test_an_own_loss_moves_the_forecast():
    """The newest of independent values are forecast by their quantile of level 2 / 3, which the loss selects."""
    y = np.random.default_rng(0).uniform(0, 1, 1500)
    trainer = fc.Trainer(steps=200, batch_size=64, lr=1e-2)
    points = {}
    for name, loss in (("own", lopsided), ("median", "mae")):
        model = fc.Recurrent("rnn", "one-to-one", loss=loss, base=fc.Naive(), log=False, trainer=trainer).fit(y, 1)
        points[name] = model.predict_at(y, np.arange(1300, 1499)).point.mean()
    assert abs(points["median"] - 1 / 2) < 0.08
    assert abs(points["own"] - 2 / 3) < 0.08


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (
            lambda f, t: ((f - t) ** 2).mean(),
            r"tensor of shape \(8, 24, 2\).*returned a tensor of shape \(\): leave out",
        ),
        (lambda f, t: (f - t)[..., 0], r"returned a tensor of shape \(8, 24\)"),
        (lambda f, t: 3.0, r"<lambda> returned float 3.0"),
    ],
)
def test_a_loss_of_another_shape_is_refused(loss, message):
    with pytest.raises(ValueError, match=message):
        quick("lstm", loss=loss).fit(walks(), 2)


def test_a_loss_that_is_no_function_is_refused():
    with pytest.raises(TypeError, match=r"loss must be a name or a function .*; got L1Loss\(\): write one"):
        quick("lstm", loss=torch.nn.L1Loss()).fit(walks(), 2)
    with pytest.raises(TypeError, match=r"got torch\.nn.*L1Loss: write one"):
        quick("lstm", loss=torch.nn.L1Loss).fit(walks(), 2)


def test_another_function_as_loss_is_refused_until_the_next_fit():
    model = quick("lstm", loss=squared).fit(walks(), 2)
    before = model.predict(walks()).point.tobytes()
    model.set_params(loss=lopsided)
    with pytest.raises(ValueError, match=r"with loss=\S*test_own_parts.squared, and loss is \S*lopsided now"):
        model.predict(walks())
    for other in ("mse", lambda forecast, target: squared(forecast, target)):
        with pytest.raises(ValueError, match="fit it again"):
            model.set_params(loss=other).predict(walks())
    assert model.set_params(loss=squared).predict(walks()).point.tobytes() == before


def test_an_own_loss_is_described_by_its_name():
    """The name is the same in every run, and a run whose spec has it is not rebuilt with another loss."""
    model = quick("lstm", loss=squared)
    name = f"{__name__}.squared"
    assert describe(model)["params"]["loss"] == name
    assert f"loss={name}" in repr(model)
    result = fc.backtest({"own": model}, walks(), fc.WalkForward(2, n_windows=2), refit=2)
    assert " at 0x" not in json.dumps(result.spec)
    assert result.spec["models"]["own"]["params"]["loss"] == name
    with pytest.raises(ValueError, match=r"own.*in Python"):
        rebuild({"own": result.spec["models"]["own"]})


def test_a_model_with_an_own_loss_is_pickled_and_not_saved(tmp_path):
    model = quick("lstm", loss=squared).fit(walks(), 2)
    with pytest.raises(TypeError, match=r"test_own_parts.squared cannot be saved: .* Pickle the model instead"):
        model.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.predict(walks()).quantiles.tobytes() == model.predict(walks()).quantiles.tobytes()


class Convolution(torch.nn.Module):
    """Ten lines of a user: a convolution over the window, the newest rows of which a linear layer reads."""

    def __init__(self, n_inputs, horizon, n_outputs):
        super().__init__()
        self.shape = (horizon, n_outputs)
        self.convolution = torch.nn.Conv1d(n_inputs, 4, kernel_size=5)
        self.linear = torch.nn.Linear(4, horizon * n_outputs)
        torch.nn.init.zeros_(self.linear.weight)
        torch.nn.init.zeros_(self.linear.bias)

    def forward(self, window):
        channels = torch.tanh(self.convolution(window.transpose(1, 2)))
        return self.linear(channels[..., -1]).unflatten(-1, self.shape)


def last_row(n_inputs, horizon, n_outputs):
    """Return a network that reads the newest row."""
    flat = torch.nn.Linear(n_inputs, horizon * n_outputs)
    return torch.nn.Sequential(NewestRow(), flat, torch.nn.Unflatten(-1, (horizon, n_outputs)))


class NewestRow(torch.nn.Module):
    def forward(self, window):
        return window[:, -1]


class ForgetsBatch(Convolution):
    """A network whose output lacks an axis."""

    def forward(self, window):
        return super().forward(window)[..., 0]


def own(network=Convolution, **params):
    trainer = fc.Trainer(steps=6, batch_size=8, lr=0.05)
    return fc.Recurrent(**{"network": network, "lookback": 12, "base": fc.Naive(), "trainer": trainer} | params)


@pytest.mark.parametrize("params", [{}, {"loss": "student-t"}, {"loss": squared, "embedding": 2}, {"calendar": True}])
@pytest.mark.medium
def test_an_own_network_passes_the_audit(params):
    trainer = fc.Trainer(steps=2, batch_size=8, lr=0.05)
    assert fc.audit(own(trainer=trainer, **params), walks(series=2), fc.WalkForward(2, n_windows=3)).passed


def test_an_own_network_that_starts_at_zero_is_its_base():
    prices, base = walks(), fc.Drift()
    untrained = own(base=base, trainer=fc.Trainer(steps=0)).fit(prices.iloc[:130], 3)
    expected = base.fit(prices.iloc[:130], 3).predict_at(prices, [129, 159]).point
    np.testing.assert_allclose(untrained.predict_at(prices, [129, 159]).point, expected, rtol=1e-12)


@pytest.mark.medium
def test_an_own_network_learns_what_can_be_forecast():
    """An autoregression: nearly all of the error that can be removed from that of naive is removed."""
    rng, y = np.random.default_rng(0), np.zeros(1500)
    for t in range(1, 1500):
        y[t] = 0.5 * y[t - 1] + rng.normal()
    rows = np.arange(1200, 1499)
    trainer = fc.Trainer(steps=200, batch_size=64, lr=1e-2)
    model = own(log=False, trainer=trainer).fit(y[:1200], 1)
    error = y[rows + 1] - model.predict_at(y, rows).point[:, 0, 0]
    assert np.mean(error**2) < 1.1 * np.mean((y[rows + 1] - 0.5 * y[rows]) ** 2)
    assert np.mean(error**2) < 0.9 * np.mean(np.diff(y[1200:]) ** 2)
    assert (model.shrinkage_ > 0.9).all()


def test_an_own_network_is_reproducible_in_members_and_processes():
    model = own(last_row, members=2).fit(walks(), 2)
    again = own(last_row, members=2).fit(walks(), 2)
    forecast = model.predict(walks())
    assert forecast.quantiles.tobytes() == again.predict(walks()).quantiles.tobytes()
    assert forecast.members[0].tobytes() != forecast.members[1].tobytes()  # the seed draws the initial weights
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.predict(walks()).quantiles.tobytes() == forecast.quantiles.tobytes()


def test_an_own_network_is_described():
    model = own().fit(walks(), 2)
    assert describe(model)["params"]["network"] == f"{__name__}.Convolution"
    summary = str(model.summary())
    assert f"{__name__}.Convolution: 12 rows in, 2 steps out" in summary
    assert "own.convolution (Conv1d)" in summary
    flow = fc.gradient_flow(model, walks())
    assert (flow["input"].iloc[:5] > 0).all()  # the rows that the kernel covers at the newest row
    assert flow["state"].isna().all()


def test_a_model_with_an_own_network_is_not_saved(tmp_path):
    with pytest.raises(TypeError, match=r"Convolution cannot be saved: .* Pickle the model instead"):
        own().fit(walks(), 2).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"network": ForgetsBatch}, r"maps windows \(8, 12, \d+\) to a tensor of shape \(8, 2\), .* \(8, 2, 3\)"),
        ({"network": lambda *sizes: torch.nn.Tanh()}, r"with weights to train; \S*<lambda> returned Tanh"),
        ({"network": lambda *sizes: None}, "must return a torch.nn.Module with weights to train"),
        ({"network": "lstm"}, "network must be a class or a function of n_inputs, horizon and n_outputs"),
        ({"network": torch.nn.Linear(3, 2)}, "network must be a class or a function"),
        (
            {"hidden": 8, "cell": "gru"},
            r"Convolution replaces the network that cell, hidden describe: leave out",
        ),
        ({"skip": 3}, "replaces the network that skip describes"),
        ({"topology": "many-to-one"}, "leave out topology"),
        ({"future": ("Load",)}, "leave out future"),
        ({"start": "pretrained"}, "leave out .*network"),
        ({"trainer": fc.Trainer(skip_lr=0.1)}, "trainer.skip_lr is the learning rate of the linear shortcut"),
        ({"trainer": fc.Trainer(bptt=5)}, "trainer.bptt"),
    ],
)
def test_an_own_network_that_does_not_fit_is_refused(params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        own(**params).fit(walks(), 2)


@pytest.mark.slow
def test_a_backtest_in_processes_has_the_forecasts_of_one_process():
    """Functions without an importable name are sent to the processes, too."""
    models = {"loss": quick("lstm", loss=lambda forecast, target: (forecast - target).abs(), members=2)}
    models["network"] = own(lambda *sizes: Convolution(*sizes))
    cv = fc.WalkForward(2, n_windows=4)
    one, two = (fc.backtest(models, walks(), cv, refit=2, n_jobs=n, warm=True) for n in (1, 2))
    assert one.forecasts.equals(two.forecasts)
    members = models["loss"].set_params(n_jobs=2).fit(walks(), 2)
    assert np.isfinite(members.predict(walks()).point).all()
