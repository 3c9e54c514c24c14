"""Exchanges with different calendars in one panel: every series keeps nearly all of its training rows."""

import numpy as np
import pandas as pd
import pytest
from helpers.quick import training_rows

import forecast as fc
from forecast.models.recurrent.crossfit import base_in_training
from forecast.models.recurrent.network_examples import make_examples

HOLIDAYS = {"us": ["07-04", "11-28", "12-25"], "uk": ["05-06", "08-26", "12-25", "12-26"], "jp": ["01-02", "05-03"]}


@pytest.fixture(scope="module")
def world():
    """Return six years of a US, a London and a Tokyo stock with holidays, a coin, a late listing and a delisting."""
    days = pd.date_range("2018-01-01", "2023-12-31")
    rng = np.random.default_rng(3)
    columns = {}
    for name in ("us", "uk", "jp", "coin", "late", "gone"):
        y = pd.Series(100 * np.exp(rng.normal(0, 0.01, len(days)).cumsum()), index=days)
        if name != "coin":
            y[days.day_of_week >= 5] = np.nan
            y[np.isin(days.strftime("%m-%d"), HOLIDAYS.get(name, HOLIDAYS["us"]))] = np.nan
        columns[name] = y
    columns["late"][:"2020-12-31"] = np.nan
    columns["gone"]["2022-06-30":] = np.nan
    return pd.DataFrame(columns)


def training_shares(model, prices, horizon):
    """Return the shares of each series' prices that are origins of training examples, and that are their targets."""
    panel = fc.as_panel(prices)
    model = model.set_params(trainer=fc.Trainer(steps=1)).fit(panel, horizon)
    inputs = model._reader().of_rows(panel)
    base = base_in_training(model._base(), model.base_, panel, model.log_)
    examples = make_examples(training_rows(inputs, base), model.config_)
    is_origin, is_target = (np.zeros((len(panel) + horizon, len(panel.series)), dtype=bool) for _ in range(2))
    for at in np.array_split(np.arange(len(examples)), max(1, len(examples) // 2000)):
        batch = examples.gather(at)  # weight (B, P, H)
        series, origin = examples.pairs[at].T
        rows = origin[:, None] + np.arange(1 - examples.positions, 1)  # (B, P)
        column = np.broadcast_to(series[:, None], rows.shape)
        for step in range(horizon):
            loss = batch.weight[:, :, step] > 0
            is_origin[rows[loss], column[loss]] = True
            is_target[rows[loss] + step + 1, column[loss]] = True
    assert not is_target[: len(panel)][~panel.observed].any()  # a missing row is never a target
    shares = [
        (rows[: len(panel)] & panel.observed).sum(axis=0) / panel.observed.sum(axis=0)
        for rows in (is_origin, is_target)
    ]
    return [dict(zip(panel.series, share, strict=True)) for share in shares]


MODELS = {
    "aligned": fc.Recurrent("lstm"),
    "seq2seq": fc.Recurrent("lstm", strategy="seq2seq"),
    "many-to-one": fc.Recurrent("lstm", topology="many-to-one"),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.medium
def test_nearly_every_row_is_used_in_training(name, world):
    origins, targets = training_shares(MODELS[name], world, horizon=5)
    assert min(origins.values()) >= 0.95, origins
    assert min(targets.values()) >= 0.95, targets


@pytest.mark.medium
def test_nearly_every_price_is_a_one_step_target(world):
    # A step is a row: the row after a stock's Friday is the coin's Saturday, where the stock has no target. Its Monday
    # is the target of the Sunday before, where it is missing.
    origins, targets = training_shares(fc.Recurrent("lstm"), world, horizon=1)
    assert min(targets.values()) >= 0.95, targets
    assert origins["coin"] >= 0.95
    assert 0.7 < origins["us"] < 0.85
    common = fc.as_panel(world[["us", "uk", "jp", "coin"]], how="common")
    assert min(training_shares(fc.Recurrent("lstm"), common, horizon=1)[0].values()) >= 0.95


@pytest.mark.slow
def test_backtest_over_all_calendars(world):
    models = {"arima": fc.ARIMA((1, 1, 1)), "lstm": fc.Recurrent("lstm", trainer=fc.Trainer(steps=20))}
    result = fc.backtest(models, world, fc.WalkForward(horizon=5, n_windows=8, step_size=6), refit=8)
    forecasts = result.forecasts
    assert np.isfinite(forecasts[["y_hat", "y0", "scale"]].to_numpy()).all()
    assert set(forecasts["unique_id"]) == {"us", "uk", "jp", "coin", "late"}
    skipped = result.skipped.set_index("unique_id")["reason"]
    assert skipped["gone"] == "not observed at the cutoff"
    assert not set(skipped.index) & {"coin"}
    assert len(result.verdict().table) == 2
