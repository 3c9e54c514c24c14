"""Exchanges of the world in one panel: nobody's calendar starves the training of the others."""

import numpy as np
import pandas as pd
import pytest

import forecast as fc
from forecast.models.recurrent.crossfit import base_in_training

HOLIDAYS = {"us": ["07-04", "11-28", "12-25"], "uk": ["05-06", "08-26", "12-25", "12-26"], "jp": ["01-02", "05-03"]}


@pytest.fixture(scope="module")
def world():
    """A US, a London and a Tokyo stock with their holidays, a coin, a late listing and a delisting: six years."""
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


def lessons(model, prices, horizon):
    """The shares of each series' prices that training asks for a forecast, and that it learns as a target."""
    panel = fc.as_panel(prices)
    model = model.set_params(trainer=fc.Trainer(steps=1)).fit(panel, horizon)
    inputs = model._inputs(panel)
    examples = model._examples(inputs, base_in_training(model._base(), model.base_, panel, horizon, model.log_))
    asked, learnt = (np.zeros((len(panel) + horizon, len(panel.series)), dtype=bool) for _ in range(2))
    for at in np.array_split(np.arange(len(examples)), max(1, len(examples) // 2000)):
        batch = examples.gather(at)  # weight (B, P, H)
        series, origin = examples.pairs[at].T
        rows = origin[:, None] + np.arange(1 - examples.positions, 1)  # (B, P)
        column = np.broadcast_to(series[:, None], rows.shape)
        for step in range(horizon):
            loss = batch.weight[:, :, step] > 0
            asked[rows[loss], column[loss]] = True
            learnt[rows[loss] + step + 1, column[loss]] = True
    assert not learnt[: len(panel)][~panel.observed].any()  # a missing row is input and never a target
    shares = [
        (found[: len(panel)] & panel.observed).sum(axis=0) / panel.observed.sum(axis=0) for found in (asked, learnt)
    ]
    return [dict(zip(panel.series, share, strict=True)) for share in shares]


KINDS = {
    "aligned": fc.Recurrent("lstm"),
    "seq2seq": fc.Recurrent("lstm", strategy="seq2seq"),
    "many-to-one": fc.Recurrent("lstm", topology="many-to-one"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_nearly_every_row_of_every_series_teaches(kind, world):
    asked, learnt = lessons(KINDS[kind], world, horizon=5)
    assert min(asked.values()) >= 0.95, asked
    assert min(learnt.values()) >= 0.95, learnt


def test_one_step_ahead_every_price_is_learnt(world):
    # A step is a row: the row after a stock's Friday is the coin's Saturday, of which there is nothing to learn; its
    # Monday is learnt from the Sunday before, which is read as missing.
    asked, learnt = lessons(fc.Recurrent("lstm"), world, horizon=1)
    assert min(learnt.values()) >= 0.95, learnt
    assert asked["coin"] >= 0.95
    assert 0.7 < asked["us"] < 0.85
    common = fc.as_panel(world[["us", "uk", "jp", "coin"]], how="common")
    assert min(lessons(fc.Recurrent("lstm"), common, horizon=1)[0].values()) >= 0.95


def test_a_walk_over_all_calendars(world):
    models = {"arima": fc.ARIMA((1, 1, 1)), "lstm": fc.Recurrent("lstm", trainer=fc.Trainer(steps=20))}
    result = fc.backtest(models, world, fc.WalkForward(horizon=5, n_windows=8, step_size=6), refit=8)
    told = result.forecasts
    assert np.isfinite(told[["y_hat", "y0", "scale"]].to_numpy()).all()
    assert set(told["unique_id"]) == {"us", "uk", "jp", "coin", "late"}
    skipped = result.skipped.set_index("unique_id")["reason"]
    assert skipped["gone"] == "not observed at the cutoff"
    assert not set(skipped.index) & {"coin"}
    assert len(result.verdict().table) == 2
