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


@pytest.mark.slow
def test_a_backtest_in_processes_has_the_forecasts_of_one_process(tmp_path):
    """Functions without an importable name are sent to the processes, too."""
    models = {"own": quick("lstm", loss=lambda forecast, target: (forecast - target).abs(), members=2)}
    cv = fc.WalkForward(2, n_windows=4)
    one, two = (fc.backtest(models, walks(), cv, refit=2, n_jobs=n, warm=True) for n in (1, 2))
    assert one.forecasts.equals(two.forecasts)
    members = models["own"].set_params(n_jobs=2).fit(walks(), 2)
    assert np.isfinite(members.predict(walks()).point).all()
