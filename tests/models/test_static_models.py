"""Static inputs of models: a drift that only they explain is forecast for series that the fit has not seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast as fc

DRIFT = {"up": 0.5, "down": -0.5}


def drifting(seed, n, rows):
    """Return walks whose drift depends on their kind, as a panel, and the kinds."""
    rng = np.random.default_rng(seed)
    kinds = np.array(["up", "down"])[np.arange(n) % 2]
    walk = rng.normal(size=(rows, n)) + [DRIFT[kind] for kind in kinds]
    prices = pd.DataFrame(100 + walk.cumsum(axis=0), columns=[f"{seed}.{i}" for i in range(n)])
    table = pd.DataFrame({"kind": kinds, "size": rng.normal(size=n)}, prices.columns)
    return fc.as_panel(prices, static=table), kinds


def network(**params):
    trainer = fc.Trainer(steps=120, lr=5e-3)
    return fc.Recurrent("lstm", base=fc.Naive(), log=False, lookback=10, hidden=8, trainer=trainer, **params)


MODELS = {
    "ridge": lambda **params: fc.Tabular(log=False, lookback=5, **params),
    "boosting": lambda **params: fc.Tabular("boosting", log=False, lookback=5, **params),
    "lstm": network,
    "lstm direct": lambda **params: network(topology="many-to-one", **params),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_a_static_input_explains_is_forecast_for_new_series(name, tmp_path):
    train, _ = drifting(0, n=40, rows=80)
    new, kinds = drifting(1, n=20, rows=8)
    model, plain = (MODELS[name](static=static).fit(train, horizon=3) for static in (("kind",), ()))

    def share(fitted):
        """Return which share of the difference in drift is forecast, at each step."""
        change = fitted.predict(new).point[0] - new.target[-1][:, None]
        return (change[kinds == "up"].mean(axis=0) - change[kinds == "down"].mean(axis=0)) / [1, 2, 3]

    assert (share(model) > share(plain) + 0.15).all()
    assert (share(model) < 1.3).all()
    if name == "boosting":
        return
    model.save(tmp_path / "model")
    assert fc.load_model(tmp_path / "model").predict(new).point.tobytes() == model.predict(new).point.tobytes()


@pytest.mark.parametrize("name", MODELS)
def test_prices_without_the_static_input_are_refused(name):
    train, _ = drifting(0, n=4, rows=80)
    model = MODELS[name](static=("kynd",))
    wrappers = (model, fc.Ensemble([model, fc.Naive()]), fc.Conformal(model), fc.Tuned(model, {"log": [True, False]}))
    for wrapper in wrappers:
        with pytest.raises(ValueError, match=r"no static input 'kynd' \(did you mean 'kind'"):
            wrapper.fit(train, 3)
        with pytest.raises(ValueError, match=r"have none: build them with as_panel\(prices, static=table\)"):
            wrapper.fit(train.target, 3)
    with pytest.raises(ValueError, match="have none"):
        fc.backtest({"m": model}, train.target, fc.WalkForward(3, n_windows=5))
    fitted = MODELS["ridge"](static=("kind",)).fit(train, 3)
    with pytest.raises(ValueError, match="have none"):
        fitted.predict(train.target)


def test_a_backtest_reads_them_and_its_audit_is_clean():
    train, _ = drifting(0, n=6, rows=120)
    cv = fc.WalkForward(3, n_windows=12)
    models = {"ridge": MODELS["ridge"](static=("kind",)), "plain": MODELS["ridge"]()}
    result = fc.backtest(models, train, cv, refit=12)
    skill = result.leaderboard()["skill"]
    assert skill["ridge"] > skill["plain"]
    assert result.spec["data"]["static"] == ["kind", "size"]


def test_a_recursive_network_has_no_static_inputs():
    with pytest.raises(ValueError, match="no step for future or static inputs"):
        network(topology="many-to-one", strategy="recursive", static=("kind",)).fit(drifting(0, 4, 80)[0], 3)
