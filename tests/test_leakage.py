"""No look-ahead: after a change of all rows after a cutoff, the forecasts up to it are the same bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.quick import covering, quick, series_for, walks

import forecast as fc
from forecast.models.base import quantile_columns

CV = fc.WalkForward(horizon=3, n_windows=8, step_size=4)
REFIT = 4  # the change falls inside the second refit period: some of its cutoffs are before it, some after


def _noise(later: pd.DataFrame) -> pd.DataFrame:
    return later * np.exp(np.random.default_rng(9).normal(0, 0.3, size=later.shape))


PERTURBATIONS = {
    "noise": _noise,
    "nan": lambda later: later.where(np.add.outer(np.arange(len(later)), np.arange(later.shape[1])) % 4 != 0),
    "constant": lambda later: later * 0 + 42.0,
    "reversal": lambda later: later[::-1].set_axis(later.index),
    "scaling": lambda later: later * 1000,
}


@pytest.fixture(scope="module")
def prices():
    return walks(rows=190, series=2, late=True)


@pytest.fixture(scope="module")
def before(prices):
    forecasts = {}

    def run(name):
        if name not in forecasts:
            forecasts[name] = _run(name, prices)
        return forecasts[name]

    return run


def _run(name, prices):
    models = {name: quick(name)}
    return fc.backtest(models, prices, CV, refit=REFIT).forecasts.query("model == @name")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("name", "kind"), covering(list(PERTURBATIONS)))
def test_later_rows_do_not_matter(name, kind, prices, before):
    cutoff = CV.cutoffs(prices)[5]  # the second of its refit period, not the last
    changed = prices.copy()
    changed.iloc[cutoff + 1 :] = PERTURBATIONS[kind](prices.iloc[cutoff + 1 :])
    columns = ["y_hat", *quantile_columns(before(name).columns).values()]
    keys = ["unique_id", "cutoff", "step", "member"]

    def forecasts(table, up_to):
        rows = table["cutoff"] <= prices.index[cutoff] if up_to else table["cutoff"] > prices.index[cutoff]
        return table[rows].set_index(keys)[columns]

    after = _run(name, changed)
    assert len(forecasts(after, True)) == 6 * 2 * CV.horizon
    assert forecasts(after, True).to_numpy().tobytes() == forecasts(before(name), True).to_numpy().tobytes()
    assert not forecasts(after, False).equals(forecasts(before(name), False))  # the control: later forecasts do change


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bytes_do_not_depend_on_other_cutoffs(prices):
    """Bytes at a cutoff do not depend on how many others are requested in the same pass."""
    for name in fc.model_names():
        model = quick(name).fit(prices.iloc[:150], 3)
        many, few = model.predict_at(prices, range(150, 190)), model.predict_at(prices, range(150, 172))
        assert many.quantiles[:22].tobytes() == few.quantiles.tobytes(), name


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", fc.model_names())
def test_training_uses_no_row_after_the_cutoff(name):
    """A fit to a view of the rows up to a cutoff equals a fit to a frame that ends there."""
    prices = walks(rows=150)
    panel = fc.as_panel(prices)
    in_view = quick(name).fit(panel[:120], 3).predict(panel[:120])
    cut_off = quick(name).fit(prices.iloc[:120].copy(), 3).predict(prices.iloc[:120].copy())
    assert in_view.quantiles.tobytes() == cut_off.quantiles.tobytes()


ROWS = [*range(21, 31), 60, 118, 119, 120, 134, 149]  # first rows with an interval, training rows and later ones
INTERVALS = {
    "rolling": fc.Conformal(fc.Drift(), "rolling", window=20),
    "adaptive": fc.Conformal(fc.Drift(), "adaptive", window=20),
    "adaptive, of a model with parameters": fc.Conformal(fc.Tabular(lookback=5), "adaptive", window=20),
}
MODELS = {name: quick(name) for name in fc.model_names()}
QUICK = ("drift", "mean-reversion", "seasonal-naive", *INTERVALS)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in (*MODELS, *INTERVALS)]
)
def test_every_row_is_forecast_as_if_it_were_the_last(name):
    """A forecast is that of the rows up to its own: also in training, and at the first row that has an interval."""
    prices = series_for(name, rows=150)
    model = (MODELS | INTERVALS)[name].fit(prices.iloc[:120], 3)
    needed = model.get_params(deep=False).get("lookback", 0) or 0
    rows = [row for row in ROWS if row > needed]
    at_once = model.predict_at(prices, rows)
    for k, row in enumerate(rows):
        alone = model.predict_at(prices.iloc[: row + 1], [row])
        np.testing.assert_allclose(at_once.point[k], alone.point[0], rtol=1e-6)
        np.testing.assert_allclose(at_once.quantiles[k], alone.quantiles[0], rtol=1e-6)
