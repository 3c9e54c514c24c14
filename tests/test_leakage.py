"""The future cannot matter: change all that comes after a cutoff, and the forecasts up to it are the same bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, walks

import forecast as fc

CV = fc.WalkForward(horizon=3, n_windows=8, step_size=4)
REFIT = 3  # the change falls inside a stretch: some of its cutoffs lie before it, some after


def _noise(later: pd.DataFrame) -> pd.DataFrame:
    return later * np.exp(np.random.default_rng(9).normal(0, 0.3, size=later.shape))


PERTURBATIONS = {
    "noise": _noise,
    "nan": lambda later: later.where(np.add.outer(np.arange(len(later)), np.arange(later.shape[1])) % 4 != 1),
    "constant": lambda later: later * 0 + 42.0,
    "reversal": lambda later: later[::-1].set_axis(later.index),
    "scaling": lambda later: later * 1000,
}


@pytest.fixture(scope="module")
def prices():
    return walks(rows=190, late=True)


@pytest.fixture(scope="module")
def before(prices):
    made = {}

    def run(name):
        if name not in made:
            made[name] = _run(name, prices)
        return made[name]

    return run


def _run(name, prices):
    models = {name: quick(name)}
    return fc.backtest(models, prices, CV, refit=REFIT).forecasts.query("model == @name")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", PERTURBATIONS)
@pytest.mark.parametrize("name", fc.model_names())
def test_later_rows_do_not_matter(name, kind, prices, before):
    cutoff = CV.cutoffs(prices)[4]  # the second of its stretch: the fit is older, a later cutoff shares its pass
    changed = prices.copy()
    changed.iloc[cutoff + 1 :] = PERTURBATIONS[kind](prices.iloc[cutoff + 1 :])
    said = [c for c in before(name).columns if c.startswith("q") or c == "y_hat"]
    keys = ["unique_id", "cutoff", "step", "member"]

    def told(table, up_to):
        rows = table["cutoff"] <= prices.index[cutoff] if up_to else table["cutoff"] > prices.index[cutoff]
        return table[rows].set_index(keys)[said]

    after = _run(name, changed)
    assert len(told(after, True)) == 5 * 3 * CV.horizon
    assert told(after, True).to_numpy().tobytes() == told(before(name), True).to_numpy().tobytes()
    assert not told(after, False).equals(told(before(name), False))  # the control: what came later did change


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_same_bytes_whatever_the_other_cutoffs(prices):
    """Bytes at a cutoff do not depend on how many more are asked for in the same pass."""
    for name in fc.model_names():
        model = quick(name).fit(prices.iloc[:150], 3)
        many, few = model.predict_at(prices, range(150, 190)), model.predict_at(prices, range(150, 172))
        assert many.quantiles[:22].tobytes() == few.quantiles.tobytes(), name


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", fc.model_names())
def test_no_target_beyond_the_cutoff(name):
    """Fitted on a view of the rows up to a cutoff, or on a frame that ends there: one and the same model."""
    prices = walks(rows=150)
    panel = fc.as_panel(prices)
    in_view = quick(name).fit(panel[:120], 3).predict(panel[:120])
    cut_off = quick(name).fit(prices.iloc[:120].copy(), 3).predict(prices.iloc[:120].copy())
    assert in_view.quantiles.tobytes() == cut_off.quantiles.tobytes()
