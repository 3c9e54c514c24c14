"""New series, of few rows or none, forecast from the others of a panel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV

import forecast as fc
from forecast.models.cold_start import PENALTIES, fit_ridge

HORIZON, N_NEW, CUT = 3, 12, 90


def products(seed, n=50):
    """Return levels by sector and size with a stationary part, (T, N), and the static inputs."""
    rng = np.random.default_rng(seed)
    sector, size = rng.integers(3, size=n), rng.normal(size=n)
    level = 1 + 0.8 * sector + 0.5 * size + 0.2 * rng.normal(size=n)
    noise = np.zeros((CUT + HORIZON, n))
    for t in range(1, len(noise)):
        noise[t] = 0.7 * noise[t - 1] + 0.1 * rng.normal(size=n)
    table = pd.DataFrame({"sector": np.array(list("abc"))[sector], "size": size}, [f"p{i}" for i in range(n)])
    return np.exp(level + noise), table


def new_products(seed, rows):
    """Return a panel whose first series have so many rows, their values after its last row, and where they are."""
    values, table = products(seed)
    train = values[:CUT].copy()
    train[: CUT - rows, :N_NEW] = np.nan
    return fc.as_panel(dict(zip(table.index, train.T, strict=True)), static=table), values[CUT:, :N_NEW].T


def log_errors(model, rows, seeds=6):
    errors, inside = [], []
    for seed in range(seeds):
        panel, future = new_products(seed, rows)
        forecast = model.fit(panel, HORIZON).predict(panel)
        errors.append(np.abs(np.log(forecast.point[0, :N_NEW] / future)))
        quantiles = forecast.quantiles[0, :N_NEW]
        inside.append((quantiles[..., 0] < future) & (future < quantiles[..., 2]))
    return float(np.mean(errors)), float(np.mean(inside))


def cold(static=("sector", "size")):
    return fc.ColdStart(fc.MeanReversion(window=60), static=static)


def test_a_series_without_a_row_is_forecast_from_its_static_inputs():
    error, coverage = log_errors(cold(), rows=0)
    assert error < 0.5 * log_errors(cold(static=()), rows=0)[0]
    assert 0.7 < coverage < 0.9
    assert error < 0.3


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_rows_make_it_better(rows):
    error, coverage = log_errors(cold(), rows)
    assert error < log_errors(cold(), 0)[0]
    assert error < log_errors(cold(static=()), rows)[0]
    assert 0.7 < coverage < 0.95


def test_series_with_enough_rows_have_the_forecasts_of_the_model():
    panel, _ = new_products(0, rows=2)
    old = np.arange(N_NEW, len(panel.series))
    alone = fc.MeanReversion(window=60).fit(panel.of_series(old), HORIZON).predict(panel.of_series(old))
    forecast = cold().fit(panel, HORIZON).predict(panel)
    assert forecast.series == panel.series
    assert forecast.point[:, old].tobytes() == alone.point.tobytes()
    assert forecast.quantiles[:, old].tobytes() == alone.quantiles.tobytes()
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()


def test_later_rows_do_not_matter_and_a_stored_model_is_the_same(tmp_path):
    panel, _ = new_products(0, rows=5)
    model = cold().fit(panel[: CUT - 2], HORIZON)
    at_rows = model.predict_at(panel, [CUT - 6, CUT - 3])  # without a row, and with three
    for k, row in enumerate([CUT - 6, CUT - 3]):
        assert at_rows.point[k].tobytes() == model.predict(panel[: row + 1]).point[0].tobytes()
    model.save(tmp_path / "model")
    assert (
        fc.load_model(tmp_path / "model").predict(panel).quantiles.tobytes() == model.predict(panel).quantiles.tobytes()
    )


def test_a_network_may_be_the_model():
    panel, _ = new_products(0, rows=0)
    network = fc.Recurrent("lstm", base=fc.Naive(), lookback=5, hidden=4, trainer=fc.Trainer(steps=5), static=("size",))
    forecast = fc.ColdStart(network, static=("sector",)).fit(panel, HORIZON).predict(panel)
    assert np.isfinite(forecast.quantiles).all()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (fc.ColdStart(fc.Naive(), rows=CUT), "at least 10 others with 91 observed rows, and there are 0"),
        (cold(static=("sektor",)), "no static input 'sektor'"),
    ],
)
def test_too_few_other_series_are_refused(model, message):
    panel, _ = new_products(0, rows=0)
    with pytest.raises(ValueError, match=message):
        model.fit(panel, HORIZON)
    fitted = cold().fit(panel, HORIZON)
    with pytest.raises(ValueError, match="these prices have 0 series of the fit"):
        fitted.predict(panel.of_series(np.arange(N_NEW)))


def test_the_ridge_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3)) * [1, 5, 0.1]
    y = x @ rng.normal(size=(3, 2)) + rng.normal(size=(40, 2))
    ours = fit_ridge(x, y)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    other = RidgeCV(PENALTIES, store_cv_results=True).fit(z, y)
    np.testing.assert_allclose(ours.predict(x[0]), other.predict(z[:1])[0], rtol=1e-6)
    squares = other.cv_results_[:, :, list(PENALTIES).index(other.alpha_)]
    np.testing.assert_allclose(ours.errors**2, squares, rtol=1e-6)
