"""Recurrent forecasters end to end: base and correction, members, recursion, training, and processes they can learn."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.quick import covering, quick, training_rows, walks
from sklearn.base import clone

import forecast as fc
from forecast._estimator import show
from forecast.features.windows import forward_fill
from forecast.models.base import Forecast, choose_log
from forecast.models.recurrent.config import STRATEGIES, TRAINING_PARAMS
from forecast.models.recurrent.crossfit import base_in_training
from forecast.models.recurrent.inference import CHUNK
from forecast.models.recurrent.network_examples import hold_back, make_examples
from forecast.models.recurrent.networks import build_network
from forecast.models.recurrent.trainer import StagedExamples, one_thread

NETS = [name for name in fc.model_names() if name.split("-")[0] in ("rnn", "lstm", "gru")]
BASES = {"Naive": fc.Naive(), "Drift": fc.Drift(), "SeasonalNaive": fc.SeasonalNaive(5), "ARIMA": fc.ARIMA((1, 1, 1))}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("name", "base"),
    [
        (name, base)
        for name, base in covering(list(BASES))
        if name in NETS and (BASES[base].supports_recursive or not name.endswith("recursive"))
    ],
)
def test_untrained_network_equals_its_base(name, base):
    prices, base = walks(), BASES[base]
    untrained = quick(name, base=base, trainer=fc.Trainer(steps=0)).fit(prices.iloc[:130], 3)
    fitted = clone(base).fit(prices.iloc[:130], 3)
    rows = [129, 140, 159]
    np.testing.assert_allclose(
        untrained.predict_at(prices, rows).point, fitted.predict_at(prices, rows).point, rtol=1e-12, atol=0
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.medium
def test_hybrid_works_in_a_backtest():
    models = {"arima": fc.ARIMA((1, 1, 1)), "hybrid": quick("lstm", base=fc.ARIMA((1, 1, 1)))}
    result = fc.backtest(models, walks(), fc.WalkForward(3, n_windows=4), refit=2)
    assert set(result.leaderboard().index) == {"naive", "arima", "hybrid"}


class Memory(fc.Forecaster):
    """A base that forecasts rows it was fitted on without error, and all others as naive does."""

    def _fit(self, panel, horizon):
        self.fitted_ = forward_fill(panel.target)

    def _predict_at(self, panel, rows):
        later = rows[:, None] + np.arange(1, self.horizon_ + 1)  # (K, H)
        naive = np.repeat(forward_fill(panel.target)[rows][:, :, None], self.horizon_, axis=2)
        exact = np.moveaxis(self.fitted_[np.minimum(later, len(self.fitted_) - 1)], 1, 2)
        point = np.where((later < len(self.fitted_))[:, None], exact, naive)
        return Forecast(point, None, (0.1, 0.5, 0.9), panel.series, panel.index[rows])


def test_base_is_cross_fitted():
    """Its forecasts of training rows are those of fits on earlier rows."""
    panel = fc.as_panel(walks(rows=200))
    base = Memory()
    points = base_in_training(base, base.fit(panel, 2), panel, choose_log(False, panel))
    assert np.isnan(points[:40]).all()  # the first of five blocks
    for row in (40, 79, 120, 199):
        start = row // 40 * 40
        expected = Memory().fit(panel[:start], 2).predict(panel[: row + 1]).point[0]
        np.testing.assert_array_equal(points[row], expected)
        assert (points[row, :, 1] == panel.target[row]).all()  # naive: it was not fitted on these rows


@pytest.mark.parametrize("base", [Memory(), fc.Recurrent(hidden=3, lookback=8, trainer=fc.Trainer(steps=3))])
@pytest.mark.medium
def test_any_forecaster_can_be_a_base(base):
    prices = walks()
    untrained = quick("lstm", base=base, trainer=fc.Trainer(steps=0)).fit(prices.iloc[:130], 3)
    fitted = clone(base).fit(prices.iloc[:130], 3)
    np.testing.assert_allclose(
        untrained.predict_at(prices, [129, 159]).point, fitted.predict_at(prices, [129, 159]).point, rtol=1e-12
    )
    trained = quick("gru-many-to-one", base=base).fit(prices.iloc[:130], 3)
    assert np.isfinite(trained.predict(prices).quantiles).all()


@pytest.mark.medium
def test_minimum_rows_include_those_of_the_base():
    """They are enough, and one row less is refused."""
    for base in (fc.SeasonalNaive(100), Memory(), quick("rnn"), fc.Ensemble([fc.Naive(), quick("gru")])):
        model = quick("lstm", base=base)
        rows = model.min_rows(3)
        assert np.isfinite(model.fit(walks(rows), 3).predict(walks(rows)).point).all()
        with pytest.raises(ValueError, match=f"needs at least {rows} observed rows"):
            model.fit(walks(rows - 1), 3)


def test_constant_series_are_refused():
    with pytest.raises(ValueError, match="the scale is 0 at every training row: no series changes"):
        quick("lstm", base=fc.Naive()).fit(walks() * 0 + 5, 2)


@pytest.mark.medium
def test_cross_fitted_base_chooses_logs_once():
    """Prices positive at first and negative later: the fits on early rows do not work in logs either."""
    prices = walks(rows=300) - 100
    prices.iloc[:150] = prices.iloc[:150].abs() + 1
    for base in (quick("rnn"), fc.Ensemble([fc.Naive(), quick("rnn")])):
        assert np.isfinite(quick("lstm", base=base).fit(prices, 2).predict(prices).point).all()


def test_diverging_training_raises_and_leaves_the_model_unchanged():
    prices = walks()
    model = quick("lstm").fit(prices, 2)
    before = model.predict(prices).quantiles.tobytes()
    with pytest.raises(ValueError, match=r"the training diverged: at step \d+ the loss is .*lr is 1e\+30"):
        model.set_params(trainer=fc.Trainer(lr=1e30, steps=30)).fit(prices, 3)
    assert model.predict(prices).quantiles.tobytes() == before
    unfitted = quick("lstm", trainer=fc.Trainer(lr=1e30, steps=30))
    with pytest.raises(ValueError, match="diverged"):
        unfitted.fit(prices, 3)
    with pytest.raises(ValueError, match="not fitted"):
        unfitted.predict(prices)


@pytest.mark.medium
def test_forecast_is_the_median_of_the_members():
    prices = walks()
    model = quick("lstm", members=3).fit(prices, 2)
    forecast = model.predict_at(prices, [150, 159])
    assert forecast.members.shape == (3, 2, 3, 2)
    np.testing.assert_allclose(np.median(forecast.members, axis=0), forecast.point, rtol=1e-12)
    assert len({forecast.members[s].tobytes() for s in range(3)}) == 3
    alone = quick("lstm", seed=1).fit(prices, 2).predict_at(prices, [150, 159])
    assert forecast.members[1].tobytes() == alone.point.tobytes()  # member s is the model of seed + s
    assert list(model.history_.groupby("member").size()) == [6, 6, 6]
    table = fc.backtest({"net": model}, prices, fc.WalkForward(2, n_windows=3), refit=3).forecasts
    assert sorted(table.loc[table["model"] == "net", "member"].unique()) == [0, 1, 2, 3]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_recursive_step_reads_the_previous_one(cell, monkeypatch):
    """After a change of the output at step k the later steps change, those before do not."""
    prices = walks()
    model = quick(f"{cell}-recursive").fit(prices, 5)
    before = model.predict(prices).point[0]
    (net,), calls = model.nets_, []
    forward = net.forward

    def changed(windows, target, series, *steps):
        calls.append(len(windows))
        return forward(windows, target, series) + (1.0 if len(calls) == 3 else 0.0)

    monkeypatch.setattr(net, "forward", changed)
    after = model.predict(prices).point[0]
    assert calls == [CHUNK] * 5  # one step at a time, for all series in one batch
    assert np.array_equal(before[:, :2], after[:, :2])
    moved = np.log(after[:, 2:] / before[:, 2:])
    assert (moved > 0).all()
    assert not np.allclose(moved[:, 1], moved[:, 0], rtol=1e-6)  # step 4 does not only add step 3: it has read it


def test_recursive_inputs_equal_those_of_the_history():
    """If the forecast values are the true ones, the inputs of a recursive model are those of the history."""
    from forecast.features.inputs import RecursiveState, causal_inputs

    y = np.log(walks(rows=1200).to_numpy())
    y[300:310, 0] = np.nan
    inputs = causal_inputs(y)
    origin, series = np.array([400, 1100, 1100]), np.array([0, 1, 2])
    state = RecursiveState(inputs, origin, series)
    for step in range(1, 6):
        row = state.append(y[origin + step, series])
        np.testing.assert_allclose(row, inputs.x[origin + step, series], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(state.scale, inputs.scale[origin + step, series], rtol=1e-9)


def test_bidirectional_and_aligned_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"would read the future.*many-to-one"):
        fc.Recurrent(bidirectional=True).fit(walks(), 2)
    for params in ({"topology": "many-to-one"}, {"strategy": "seq2seq"}):
        forecast = quick("lstm", bidirectional=True, **params).fit(walks(), 2).predict(walks())
        assert np.isfinite(forecast.quantiles).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cell": "lsmt"}, "cell must be one of 'rnn', 'lstm', 'gru'"),
        ({"topology": "one-to-all"}, "topology must be one of"),
        ({"strategy": "direct"}, "strategy must be one of None, 'aligned', 'seq2seq'"),
        ({"layers": ()}, "layers must be a number, or the dilation of each"),
        ({"layers": (1, 0)}, "each dilation of layers must be at least 1"),
        ({"residual": True}, "residual=True acts between layers"),
        (
            {"topology": "many-to-one", "lookback": 60, "patch": 7},
            "lookback=60 rows are not a multiple of patch=7: use lookback=63",
        ),
        ({"skip": 61, "lookback": 60}, "skip=61 rows are more than the lookback=60"),
        ({"topology": "one-to-one", "bidirectional": True}, "one row has no second direction"),
        ({"topology": "one-to-many", "patch": 2}, "there is one row to read"),
        ({"topology": "one-to-one", "layers": (1, 7)}, "a dilation reaches back to rows that are not read"),
        (
            {"topology": "many-to-one", "strategy": "recursive", "calendar": True},
            "neither exog nor calendar is available",
        ),
        (
            {"topology": "many-to-one", "strategy": "recursive", "base": fc.SeasonalNaive(7)},
            r"SeasonalNaive\(m=7\) would need to forecast again from steps that .*: use Naive or Drift",
        ),
        ({"topology": "many-to-one", "trainer": fc.Trainer(bptt=5)}, "trainer.bptt truncates back-propagation"),
        ({"exog": "Volume"}, "exog must be a list of fields"),
        ({"loss": "crps"}, "loss must be one of 'pinball'"),
        ({"n_jobs": 0}, "n_jobs must be"),
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"hidden": "abc"}, "hidden must be a whole number"),
        ({"lookback": 1.5}, "lookback must be a whole number"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"dropout": 0.2}, "dropout acts between layers"),
        ({"members": 0}, "members must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"gate_bias": "two"}, "gate_bias must be one of"),
        ({"trainer": 3}, "trainer must be a Trainer"),
        ({"base": "naive"}, "base must be a Forecaster"),
        ({"trainer": fc.Trainer(lr="fast")}, "trainer.lr must be a number"),
        ({"trainer": fc.Trainer(steps=1.5)}, "trainer.steps must be a whole number"),
        ({"trainer": fc.Trainer(bptt=0)}, "trainer.bptt must be at least 1"),
    ],
)
def test_invalid_parameters_are_refused(params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fc.Recurrent(**params).fit(walks(), 2)


def test_dropout_is_reproducible_and_off_in_forecasts():
    prices = walks()
    first, second = (quick("lstm", layers=2, dropout=0.5).fit(prices, 2) for _ in range(2))
    torch.manual_seed(7)
    assert first.predict(prices).point.tobytes() == first.predict(prices).point.tobytes()
    assert first.predict(prices).point.tobytes() == second.predict(prices).point.tobytes()


def _ar1(seed: int, rows: int = 2400, phi: float = 0.9) -> np.ndarray:
    shocks = np.random.default_rng(seed).normal(size=rows + 100)
    y = np.zeros(rows + 100)
    for t in range(1, rows + 100):
        y[t] = phi * y[t - 1] + shocks[t]
    return y[100:]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lstm", "rnn", "lstm-many-to-one", "lstm-seq2seq", "lstm-recursive"])
def test_ar1_process_is_learnt(name):
    """One draw of benchmarks/truth.py: close to the best forecast at every step, far from naive."""
    y, horizon = _ar1(0), 5
    rows = np.arange(2000, 2400 - horizon)
    model = fc.make_model(name).fit(y[:2001], horizon)
    truth = np.stack([y[rows + k] for k in range(1, horizon + 1)], axis=1)
    conditional_mean = np.stack([0.9**k * y[rows] for k in range(1, horizon + 1)], axis=1)
    error = np.sqrt(((model.predict_at(y, rows).point[:, 0] - truth) ** 2).mean(axis=0))
    best = np.sqrt(((conditional_mean - truth) ** 2).mean(axis=0))
    naive = np.sqrt(((y[rows][:, None] - truth) ** 2).mean(axis=0))
    assert (error <= 1.10 * best).all()
    assert error[-1] < 0.95 * naive[-1]
    assert (model.shrinkage_ > 0.9).all()  # the corrections are known to be real


def test_rows_without_a_base_forecast_are_no_examples():
    """A season of 30 rows has no forecast for the first 30 rows: no target is NaN."""
    model = quick("lstm", base=fc.SeasonalNaive(30)).fit(walks(), 3)
    assert np.isfinite(model.history_["loss"]).all()
    assert np.isfinite(model.predict(walks()).quantiles).all()


def _fields(rows=300, seed=0):
    """Return prices whose change is that of the field Signal one row before."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=rows)
    moves = np.concatenate([[0.0], signal[:-1]]) + 0.1 * rng.normal(size=rows)
    index = pd.bdate_range("2020-01-01", periods=rows)
    price = 1000 + moves.cumsum()
    return pd.DataFrame({("Close", "S"): price, ("Signal", "S"): signal.cumsum()}, index=index)


@pytest.mark.slow
@pytest.mark.parametrize("topology", [t for t in STRATEGIES if t != "many-to-many"])
def test_exog_is_read(topology):
    """A field that predicts the next change is read if it is named, also in a backtest."""
    models = {
        "without": fc.Recurrent(topology=topology, lookback=10, hidden=8),
        "with": fc.Recurrent(topology=topology, lookback=10, hidden=8, exog=("Signal",)),
    }
    result = fc.backtest(models, _fields(600), fc.WalkForward(1, n_windows=60), refit=60)
    skill = result.leaderboard()["skill"]
    assert skill["with"] > 0.8
    assert skill["without"] < 0.1


def test_missing_exog_field_is_named():
    with pytest.raises(ValueError, match="no field 'Volume' to read as exog; the prices have Close, Signal"):
        quick("lstm", exog=("Volume",)).fit(_fields(), 2)
    panel = fc.as_panel(_fields())
    with pytest.raises(ValueError, match="build it again from the prices"):
        quick("lstm", exog=("Signal",)).fit(panel, 2)


@pytest.mark.slow
def test_calendar_is_read_from_the_dates():
    """Prices that rise on one weekday only are forecast from the calendar, hardly from the prices alone."""
    index = pd.bdate_range("2015-01-01", periods=900)
    rng = np.random.default_rng(0)
    moves = np.where(index.day_of_week == 2, 1.0, -0.25) * rng.choice([0.2, 1.0, 1.8], size=900)
    prices = pd.DataFrame({"S": 500 + moves.cumsum()}, index=index)
    models = {
        "dated": fc.Recurrent(calendar=True, topology="one-to-one", season=1),
        "undated": fc.Recurrent(topology="one-to-one", season=1),
    }
    skill = fc.backtest(models, prices, fc.WalkForward(1, n_windows=100), refit=100).leaderboard()["skill"]
    assert skill["dated"] > skill["undated"] + 0.1
    with pytest.raises(ValueError, match="needs rows with dates; these have int64 labels"):
        quick("lstm", calendar=True).fit(prices.reset_index(drop=True), 1)
    zoned = quick("lstm", calendar=True).fit(prices.tz_localize("America/New_York"), 1)
    assert np.isfinite(zoned.predict(prices.tz_localize("America/New_York")).point).all()


@pytest.mark.parametrize("name", ["lstm", "lstm-many-to-one", "gru-seq2seq", "rnn-one-to-one", "rnn-one-to-many"])
def test_unseen_series_has_a_forecast(name):
    prices = walks(series=4)
    model = quick(name, embedding=3).fit(prices[["S0", "S1", "S2"]].iloc[:130], 2)
    seen, unseen = model.predict(prices[["S1"]]), model.predict(prices[["S3"]])
    assert np.isfinite(unseen.quantiles).all()
    renamed = prices[["S1"]].set_axis(["unseen"], axis=1)
    assert not np.allclose(model.predict(renamed).point, seen.point, rtol=1e-9)  # the vector of S1, or the mean
    plain = quick(name).fit(prices[["S0", "S1", "S2"]].iloc[:130], 2)
    assert plain.predict(renamed).point.tobytes() == plain.predict(prices[["S1"]]).point.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["pinball", "mse", "mae", "huber", "student-t"])
@pytest.mark.parametrize("name", ["lstm", "gru-many-to-one", "rnn-seq2seq", "rnn-recursive", "lstm-one-to-many"])
def test_every_loss_has_quantiles(name, loss):
    """On a random walk about four in five outcomes fall between the outer quantiles, whatever the loss."""
    prices = walks(rows=700, series=2, seed=3)
    model = quick(name, loss=loss, trainer=fc.Trainer(steps=40, batch_size=32)).fit(prices.iloc[:450], 3)
    rows = np.arange(450, 690)
    forecast = model.predict_at(prices, rows)
    assert (np.diff(forecast.quantiles, axis=-1) > 0).all()
    np.testing.assert_array_equal(forecast.quantiles[..., 1], forecast.point)
    truth = np.stack([prices.to_numpy()[rows + k] for k in range(1, 4)], axis=-1)
    inside = (truth >= forecast.quantiles[..., 0]) & (truth <= forecast.quantiles[..., -1])
    assert 0.68 < inside.mean() < 0.92


@pytest.mark.slow
def test_squared_error_yields_the_mean_absolute_the_median():
    """Changes of +3 one time in four, −1 otherwise: the mean change is 0, the median −1."""
    rng = np.random.default_rng(1)
    y = rng.choice([3.0, -1.0], p=[0.25, 0.75], size=1500).cumsum() + 1000
    changes = {}
    for loss in ("mse", "mae"):
        trainer = fc.Trainer(steps=300, batch_size=64, lr=1e-2)
        model = fc.Recurrent("rnn", "one-to-one", loss=loss, log=False, trainer=trainer).fit(y, 1)
        rows = np.arange(1300, 1499)
        changes[loss] = np.median(model.predict_at(y, rows).point[:, 0, 0] - y[rows])
    assert abs(changes["mse"]) < 0.35
    assert changes["mae"] < -0.8


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"layers": (1, 3), "residual": True}, {"patch": 4}, {"skip": 12}, {"layers": 2}])
@pytest.mark.parametrize("name", ["lstm", "gru-many-to-one", "rnn-seq2seq", "lstm-recursive"])
def test_network_options_preserve_causality(name, options):
    """Stacked, dilated, in patches: one pass over many cutoffs equals the loop, and later rows do not matter."""
    prices = walks()
    model = quick(name, **options).fit(prices.iloc[:130], 3)
    rows = [129, 140, 159]
    at_once = model.predict_at(prices, rows)
    for k, row in enumerate(rows):
        np.testing.assert_allclose(at_once.point[k], model.predict(prices.iloc[: row + 1]).point[0], rtol=1e-6)
    changed = prices.copy()
    changed.iloc[141:] *= 1.5
    later = model.predict_at(changed, rows)
    assert later.quantiles[:2].tobytes() == at_once.quantiles[:2].tobytes()
    assert later.quantiles[2].tobytes() != at_once.quantiles[2].tobytes()


@pytest.mark.medium
def test_patience_only_chooses_the_number_of_steps():
    """The weights are those of a training that is stopped after that many steps."""
    prices = _ar1(0, rows=900) + 100
    patient = quick("lstm", trainer=fc.Trainer(steps=120, batch_size=8, lr=0.01, patience=60)).fit(prices, 2)
    last = patient.record_["steps"][0]
    assert 0 < last < 120
    history = patient.history_
    assert history["loss"].notna().sum() == last
    validation = history.set_index("step")["validation"].dropna()
    assert list(validation.index) == list(range(0, int(validation.index[-1]) + 1, 10))
    assert validation.idxmin() == last
    plain = fc.Trainer(steps=120, batch_size=8, lr=0.01)
    net = build_network(patient.config_, seed=0)
    base = base_in_training(fc.Naive(), patient.base_, fc.as_panel(prices), patient.log_)
    inputs = patient._reader().of_rows(fc.as_panel(prices))
    early = hold_back(training_rows(inputs, base), patient.config_, patient.choices_).early
    examples = StagedExamples(early, int(0.8 * last), make_examples(training_rows(inputs, base), patient.config_))
    with one_thread():
        for record in plain.run(net, examples, seed=0):
            if record["step"] == last:
                break
    for ours, theirs in zip(patient.nets_[0].parameters(), net.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_held_back_rows_are_purged():
    """No target of the early examples is a row of the late ones, and all targets of these are late."""
    panel = fc.as_panel(walks(rows=300))
    for name in ("lstm", "lstm-many-to-one"):
        model = quick(name, trainer=fc.Trainer(steps=3, patience=5)).fit(panel, 4)
        base = base_in_training(fc.Naive(), model.base_, panel, model.log_)
        inputs = model._reader().of_rows(panel)
        held_back = hold_back(training_rows(inputs, base), model.config_, model.choices_)
        early, late = held_back.early, held_back.late
        cut = 240
        changed = dataclasses.replace(inputs, y=np.where(np.arange(300)[:, None] >= cut, 99.0, inputs.y))
        other = hold_back(training_rows(changed, base), model.config_, model.choices_).early
        batches = early.gather(np.arange(len(early))), other.gather(np.arange(len(other)))
        assert all(a.tobytes() == b.tobytes() for a, b in zip(*batches, strict=True))
        batch = late.gather(np.arange(len(late)))
        rows = late.pairs[:, 1][:, None] + np.arange(1 - late.positions, 1)
        assert not batch.weight[rows < cut].any()
        assert batch.weight[(rows >= cut) & (rows < 299)].any()


def test_patience_with_too_few_rows_is_refused():
    model = fc.Recurrent(hidden=3, trainer=fc.Trainer(steps=3, patience=5))
    with pytest.raises(ValueError, match=r"patience needs training examples before and after row \d+ of the \d+ "):
        model.fit(walks(rows=4), 2)


@pytest.mark.medium
def test_warm_start_continues_from_the_previous_weights():
    prices = walks()
    model = quick("lstm", warm_start=True, members=2).fit(prices.iloc[:130], 2)
    weights = [[w.clone() for w in net.parameters()] for net in model.nets_]
    model.set_params(trainer=fc.Trainer(steps=0)).fit(prices, 2)
    for net, before in zip(model.nets_, weights, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))
    cold = quick("lstm", members=2, trainer=fc.Trainer(steps=0)).fit(prices, 2)
    assert not torch.equal(next(cold.nets_[0].parameters()), next(model.nets_[0].parameters()))
    with pytest.raises(ValueError, match="their shapes or number differ"):
        model.fit(prices, 3)
    before = model.predict(prices).quantiles.tobytes()
    with pytest.raises(ValueError, match="their shapes or number differ"):
        model.set_params(members=3).fit(prices, 2)
    model.set_params(members=2)
    assert model.predict(prices).quantiles.tobytes() == before  # a refused fit changes nothing
    model.set_params(trainer=fc.Trainer(steps=9, bptt=6, patience=2)).fit(prices, 2)
    assert model.record_["steps"] == [3, 3]  # a quarter of the steps, without validation
    model.set_params(trainer=fc.Trainer(steps=9, warm_steps=5)).fit(prices, 2)
    assert model.record_["steps"] == [5, 5]
    named = quick("lstm", warm_start=True, embedding=2).fit(prices, 2)
    with pytest.raises(ValueError, match="fit on the same series"):
        named.fit(prices[["S1", "S0", "S2"]], 2)  # the vectors belong to names


def test_linear_shortcut_has_a_separate_rate():
    prices = walks()
    constant, trained = (
        quick("lstm", trainer=fc.Trainer(steps=6, lr=0.05, skip_lr=rate)).fit(prices, 2).nets_[0] for rate in (0.0, 0.1)
    )
    assert not any(weight.any() for weight in constant.shortcut.parameters())
    assert all(weight.any() for weight in constant.head.parameters())
    assert all(weight.any() for weight in trained.shortcut.parameters())
    one, two = (quick("lstm", trainer=fc.Trainer(steps=6, skip_lr=rate)).fit(prices, 2) for rate in (None, 1e-3))
    np.testing.assert_allclose(one.predict(prices).point, two.predict(prices).point, rtol=1e-5)  # lr is 1e-3
    with pytest.raises(ValueError, match="skip_lr"):
        quick("lstm", trainer=fc.Trainer(skip_lr=-1.0)).fit(prices, 2)


@pytest.mark.slow
def test_serial_and_parallel_members_are_equal():
    prices = walks()
    one, two = (quick("gru", members=3, n_jobs=n).fit(prices, 2).predict(prices) for n in (1, 2))
    assert one.members.tobytes() == two.members.tobytes()
    assert one.quantiles.tobytes() == two.quantiles.tobytes()


def test_unavailable_device_is_refused():
    with pytest.raises(ValueError, match=r"trainer.device must be one of 'auto', 'cpu', 'cuda', 'mps'"):
        fc.Recurrent(trainer=fc.Trainer(device="tpu")).fit(walks(), 2)
    for kind, available in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())):
        if not available:
            with pytest.raises(ValueError, match="torch finds none here: use 'auto' or 'cpu'"):
                fc.Recurrent(trainer=fc.Trainer(device=kind)).fit(walks(), 2)


@pytest.mark.slow
def test_season_is_learnt_through_the_shortcut():
    """With four seasons in the linear shortcut little more than the noise remains."""
    t = np.arange(1200)
    rng = np.random.default_rng(0)
    y = rng.normal(0, 3, 12)[t % 12] + 0.01 * t + rng.normal(size=1200)
    rows = np.arange(1000, 1180)
    truth = np.stack([y[rows + k] for k in range(1, 13)], axis=1)
    model = fc.Recurrent("lstm", lookback=48, skip=48, log=False).fit(y[:1001], 12)
    error = np.sqrt(((model.predict_at(y, rows).point[:, 0] - truth) ** 2).mean())
    naive = np.sqrt(((y[rows][:, None] - truth) ** 2).mean())
    assert error < 1.25
    assert naive > 3


#: Another valid value of every parameter that describes a fitted model.
CHANGES = {
    "start": "pretrained",
    "cell": "gru",
    "topology": "one-to-one",
    "strategy": "seq2seq",
    "bidirectional": True,
    "lookback": 24,
    "patch": 2,
    "hidden": 5,
    "layers": (1, 3),
    "residual": True,
    "dropout": 0.1,
    "skip": 2,
    "base": fc.Drift(),
    "season": 5,
    "log": False,
    "exog": ("Volume",),
    "future": ("Load",),
    "static": ("sector",),
    "scale": "fixed",
    "stride": 2,
    "calendar": True,
    "embedding": 2,
    "levels": (0.05, 0.5, 0.95),
    "point": "mean",
    "loss": "mse",
    "gate_bias": "chrono",
    "members": 1,
    "half_life": 20,
    "weight": "Volume",
    "network": torch.nn.Linear,
}


@pytest.fixture(scope="module")
def fitted_pair():
    return quick("lstm", members=2, base=fc.SeasonalNaive(4)).fit(walks(), 2)


def test_every_parameter_describes_the_model_or_its_training():
    assert CHANGES.keys() | set(TRAINING_PARAMS) >= fc.Recurrent().get_params(deep=False).keys()
    assert not CHANGES.keys() & set(TRAINING_PARAMS)


@pytest.mark.parametrize("name", CHANGES)
def test_changed_parameter_is_refused(name, fitted_pair, tmp_path):
    """Every use of the fitted networks raises; with the parameter set back the forecast is the same bytes."""
    fitted, before = getattr(fitted_pair, name), fitted_pair.predict(walks()).quantiles.tobytes()
    fitted_pair.set_params(**{name: CHANGES[name]})
    message = f"was fitted with {name}={fitted!r}, and {name} is {show(CHANGES[name])} now: fit it again, or set"
    uses = {
        "predict": lambda: fitted_pair.predict(walks()),
        "predict_at": lambda: fitted_pair.predict_at(walks(), [120, 150]),
        "gradient_flow": lambda: fc.gradient_flow(fitted_pair, walks()),
        "summary": fitted_pair.summary,
        "save": lambda: fitted_pair.save(tmp_path / "model"),
    }
    try:
        for use in uses.values():
            with pytest.raises(ValueError, match=re.escape(message)):
                use()
    finally:
        fitted_pair.set_params(**{name: fitted})
    assert fitted_pair.predict(walks()).quantiles.tobytes() == before


def test_changed_parameter_of_the_base_is_refused(fitted_pair):
    fitted_pair.set_params(base__m=7)
    with pytest.raises(ValueError, match=r"fitted with base=SeasonalNaive\(m=4\), and base is .*\(m=7\) now"):
        fitted_pair.predict(walks())
    fitted_pair.set_params(base__m=4)
    assert np.isfinite(fitted_pair.predict(walks()).quantiles).all()


def test_parameters_of_the_training_may_change(fitted_pair, tmp_path):
    before = fitted_pair.predict(walks()).quantiles.tobytes()
    changed = copy.deepcopy(fitted_pair)
    changed.set_params(seed=9, n_jobs=2, warm_start=True, trainer=fc.Trainer(steps=1, bptt=5))
    changed.set_params(levels=[0.1, 0.5, 0.9], lookback=np.int64(12))  # equal values
    changed.save(tmp_path / "model")
    for model in (changed, pickle.loads(pickle.dumps(changed)), fc.load_model(tmp_path / "model")):
        assert model.predict(walks()).quantiles.tobytes() == before


def test_changed_parameters_are_used_by_the_next_fit():
    model = quick("lstm").fit(walks(), 2).set_params(hidden=5, levels=(0.2, 0.5, 0.8))
    expected = quick("lstm", hidden=5, levels=(0.2, 0.5, 0.8)).fit(walks(), 2)
    assert model.fit(walks(), 2).predict(walks()).quantiles.tobytes() == expected.predict(walks()).quantiles.tobytes()
