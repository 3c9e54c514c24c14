"""Recurrent forecasters as a whole: base and correction, members, recursion, and that they learn what can be learnt."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.quick import quick, walks
from sklearn.base import clone

import forecast as fc
from forecast.features.windows import forward_fill
from forecast.models.base import Forecast
from forecast.models.recurrent import inference as rolling
from forecast.models.recurrent.build import build
from forecast.models.recurrent.config import STRATEGIES
from forecast.models.recurrent.crossfit import base_in_training
from forecast.models.recurrent.trainer import one_thread

NETS = [name for name in fc.model_names() if name.split("-")[0] in ("rnn", "lstm", "gru")]
MOVES_ON = (fc.Naive, fc.Drift)
BASES = [fc.Naive(), fc.Drift(), fc.SeasonalNaive(5), fc.ARIMA((1, 1, 1))]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("name", "base"),
    [(name, base) for name in NETS for base in BASES if base.__class__ in MOVES_ON or not name.endswith("recursive")],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_untrained_network_is_its_base(name, base):
    prices = walks()
    untrained = quick(name, base=base, trainer=fc.Trainer(steps=0)).fit(prices.iloc[:130], 3)
    own = base.__class__(**base.get_params()).fit(prices.iloc[:130], 3)
    rows = [129, 140, 159]
    np.testing.assert_allclose(
        untrained.predict_at(prices, rows).point, own.predict_at(prices, rows).point, rtol=1e-12, atol=0
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_hybrid_works_in_a_backtest():
    models = {"arima": fc.ARIMA((1, 1, 1)), "hybrid": quick("lstm", base=fc.ARIMA((1, 1, 1)))}
    result = fc.backtest(models, walks(), fc.WalkForward(3, n_windows=4), refit=2)
    assert set(result.leaderboard().index) == {"naive", "arima", "hybrid"}


class Memory(fc.Forecaster):
    """A base that knows by heart what followed each row it was fitted on, and nothing else."""

    def _fit(self, panel, horizon):
        self.known_ = forward_fill(panel.target)

    def _predict_at(self, panel, rows):
        ahead = rows[:, None] + np.arange(1, self.horizon_ + 1)  # (K, H)
        now = np.repeat(forward_fill(panel.target)[rows][:, :, None], self.horizon_, axis=2)
        learnt = np.moveaxis(self.known_[np.minimum(ahead, len(self.known_) - 1)], 1, 2)
        point = np.where((ahead < len(self.known_))[:, None], learnt, now)
        return Forecast(point, None, (0.1, 0.5, 0.9), panel.series, panel.index[rows])


def test_a_base_is_cross_fitted():
    """Forecasts of training rows come from fits on earlier rows: what the base knows by heart teaches nothing."""
    panel = fc.as_panel(walks(rows=200))
    base = Memory()
    said = base_in_training(base, base.fit(panel, 2), panel, 2, log=False)
    assert np.isnan(said[:40]).all()  # the first of five blocks
    for row in (40, 79, 120, 199):
        start = row // 40 * 40
        expected = Memory().fit(panel[:start], 2).predict(panel[: row + 1]).point[0]
        np.testing.assert_array_equal(said[row], expected)
        assert (said[row, :, 1] == panel.target[row]).all()  # it knew nothing of these rows


@pytest.mark.parametrize("base", [Memory(), fc.Recurrent(hidden=3, lookback=8, trainer=fc.Trainer(steps=3))])
def test_any_forecaster_can_be_a_base(base):
    prices = walks()
    untrained = quick("lstm", base=base, trainer=fc.Trainer(steps=0)).fit(prices.iloc[:130], 3)
    own = clone(base).fit(prices.iloc[:130], 3)
    np.testing.assert_allclose(
        untrained.predict_at(prices, [129, 159]).point, own.predict_at(prices, [129, 159]).point, rtol=1e-12
    )
    trained = quick("gru-many-to-one", base=base).fit(prices.iloc[:130], 3)
    assert np.isfinite(trained.predict(prices).quantiles).all()


def test_a_base_that_needs_more_rows_than_there_are():
    """What is needed is counted, and is enough."""
    for base in (fc.SeasonalNaive(100), Memory(), quick("rnn"), fc.Ensemble([fc.Naive(), quick("gru")])):
        model = quick("lstm", base=base)
        rows = model.min_rows(3)
        assert np.isfinite(model.fit(walks(rows), 3).predict(walks(rows)).point).all()
        with pytest.raises(ValueError, match=f"needs at least {rows} observed rows"):
            model.fit(walks(rows - 1), 3)


def test_series_that_never_move_are_no_lesson():
    with pytest.raises(ValueError, match="no series ever moves in the training rows"):
        quick("lstm").fit(walks() * 0 + 5, 2)


def test_a_base_within_logs_chooses_them_once():
    """Positive at first, negative later: what a cross-fitted base does on early rows is what it does on all."""
    prices = walks(rows=300) - 100
    prices.iloc[:150] = prices.iloc[:150].abs() + 1
    for base in (quick("rnn"), fc.Ensemble([fc.Naive(), quick("rnn")])):
        assert np.isfinite(quick("lstm", base=base).fit(prices, 2).predict(prices).point).all()


def test_training_that_runs_away_is_stopped_and_the_model_stays_as_it_was():
    prices = walks()
    model = quick("lstm").fit(prices, 2)
    before = model.predict(prices).quantiles.tobytes()
    with pytest.raises(ValueError, match=r"the training ran away: at step \d+ the loss is .*lr is 1e\+30"):
        model.set_params(trainer=fc.Trainer(lr=1e30, steps=30)).fit(prices, 3)
    assert model.predict(prices).quantiles.tobytes() == before
    fresh = quick("lstm", trainer=fc.Trainer(lr=1e30, steps=30))
    with pytest.raises(ValueError, match="ran away"):
        fresh.fit(prices, 3)
    with pytest.raises(ValueError, match="not fitted"):
        fresh.predict(prices)


def test_members_are_kept_and_their_median_is_the_forecast():
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
def test_a_recursive_step_reads_the_step_before(cell, monkeypatch):
    """Overwrite what was emitted at step k: the steps after it change, those before do not."""
    prices = walks()
    model = quick(f"{cell}-recursive").fit(prices, 5)
    before = model.predict(prices).point[0]
    calls = []
    emit = rolling.predict_windows

    def overwritten(net, context, series):
        out = emit(net, context, series)
        calls.append(len(context))
        if len(calls) == 3:
            out = out + 1.0
        return out

    monkeypatch.setattr(rolling, "say_at_windows", overwritten)
    after = model.predict(prices).point[0]
    assert calls == [3] * 5  # one step at a time, for the three series
    assert np.array_equal(before[:, :2], after[:, :2])
    moved = np.log(after[:, 2:] / before[:, 2:])
    assert (moved > 0).all()
    assert not np.allclose(moved[:, 1], moved[:, 0], rtol=1e-6)  # step 4 is not merely carried along: it was read


def test_recursion_reads_what_would_have_been_read():
    """Rolled over values that then come true, a recursive model's inputs are those of the true history."""
    from forecast.features.inputs import RecursiveState, causal_inputs

    y = np.log(walks(rows=1200).to_numpy())
    y[300:310, 0] = np.nan
    inputs = causal_inputs(y)
    origin, series = np.array([400, 1100, 1100]), np.array([0, 1, 2])
    path = RecursiveState(inputs, origin, series)
    for step in range(1, 6):
        row = path.append(y[origin + step, series])
        np.testing.assert_allclose(row, inputs.x[origin + step, series], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(path.scale, inputs.scale[origin + step, series], rtol=1e-9)


def test_bidirectional_and_aligned_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"would read the future.*many-to-one"):
        fc.Recurrent(bidirectional=True).fit(walks(), 2)
    for legal in ({"topology": "many-to-one"}, {"strategy": "seq2seq"}):
        forecast = quick("lstm", bidirectional=True, **legal).fit(walks(), 2).predict(walks())
        assert np.isfinite(forecast.quantiles).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cell": "lsmt"}, "cell must be one of 'rnn', 'lstm', 'gru'"),
        ({"topology": "one-to-all"}, "topology must be one of"),
        ({"strategy": "direct"}, "strategy must be one of None, 'aligned', 'seq2seq'"),
        ({"layers": ()}, "layers must be a number, or the dilation of each"),
        ({"layers": (1, 0)}, "each dilation of layers must be at least 1"),
        ({"residual": True}, "residual=True adds a layer to the one below"),
        ({"topology": "many-to-one", "patch": 7}, "60 rows are not whole patches of 7: use lookback=63"),
        ({"skip": 61}, "skip=61 rows are more than the lookback=60"),
        ({"topology": "one-to-one", "bidirectional": True}, "one row has no second direction"),
        ({"topology": "one-to-many", "patch": 2}, "there is one row to read"),
        ({"topology": "one-to-one", "layers": (1, 7)}, "a dilation reaches back to rows that are not read"),
        ({"topology": "many-to-one", "strategy": "recursive", "calendar": True}, "neither exog nor calendar is known"),
        (
            {"topology": "many-to-one", "strategy": "recursive", "base": fc.SeasonalNaive(7)},
            r"SeasonalNaive\(m=7\) would have to forecast anew from steps that never happened: use Naive or Drift",
        ),
        ({"topology": "many-to-one", "trainer": fc.Trainer(bptt=5)}, "trainer.bptt cuts long sequences"),
        ({"exog": "Volume"}, "exog must be a list of fields"),
        ({"loss": "crps"}, "loss must be one of 'pinball'"),
        ({"n_jobs": 0}, "n_jobs must be"),
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"hidden": "abc"}, "hidden must be a whole number"),
        ({"lookback": 1.5}, "lookback must be a whole number"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"dropout": 0.2}, "dropout works between layers"),
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
def test_parameters_are_checked(params, message):
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


@pytest.mark.parametrize("name", ["lstm", "rnn", "lstm-many-to-one", "lstm-seq2seq", "lstm-recursive"])
def test_an_ar1_is_learnt(name):
    """One draw of the benchmark in benchmarks/truth.py: close to the oracle at every step, far from naive."""
    y, horizon = _ar1(0), 5
    rows = np.arange(2000, 2400 - horizon)
    model = fc.make_model(name).fit(y[:2001], horizon)
    truth = np.stack([y[rows + k] for k in range(1, horizon + 1)], axis=1)
    oracle = np.stack([0.9**k * y[rows] for k in range(1, horizon + 1)], axis=1)
    error = np.sqrt(((model.predict_at(y, rows).point[:, 0] - truth) ** 2).mean(axis=0))
    best = np.sqrt(((oracle - truth) ** 2).mean(axis=0))
    naive = np.sqrt(((y[rows][:, None] - truth) ** 2).mean(axis=0))
    assert (error <= 1.10 * best).all()
    assert error[-1] < 0.95 * naive[-1]


def test_rows_without_a_base_teach_nothing():
    """A season of 30 rows has no forecast for the first of them: no lesson there, and no NaN anywhere."""
    model = quick("lstm", base=fc.SeasonalNaive(30)).fit(walks(), 3)
    assert np.isfinite(model.history_["loss"]).all()
    assert np.isfinite(model.predict(walks()).quantiles).all()


def _fields(rows=300, seed=0):
    """A price that follows, a row later, what the field Signal says today."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=rows)
    moves = np.concatenate([[0.0], signal[:-1]]) + 0.1 * rng.normal(size=rows)
    index = pd.bdate_range("2020-01-01", periods=rows)
    price = 1000 + moves.cumsum()
    return pd.DataFrame({("Close", "S"): price, ("Signal", "S"): signal.cumsum()}, index=index)


@pytest.mark.parametrize("topology", [t for t in STRATEGIES if t != "many-to-many"])
def test_exog_is_read(topology):
    """What tells tomorrow's move is read where it is asked for, and the walk brings it along."""
    models = {
        "blind": fc.Recurrent(topology=topology, lookback=10, hidden=8),
        "seeing": fc.Recurrent(topology=topology, lookback=10, hidden=8, exog=("Signal",)),
    }
    result = fc.backtest(models, _fields(600), fc.WalkForward(1, n_windows=60), refit=60)
    skill = result.leaderboard()["skill"]
    assert skill["seeing"] > 0.8
    assert skill["blind"] < 0.1


def test_exog_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no field 'Volume' to read as exog; the prices have Close, Signal"):
        quick("lstm", exog=("Volume",)).fit(_fields(), 2)
    panel = fc.as_panel(_fields())
    with pytest.raises(ValueError, match="build it again from the prices"):
        quick("lstm", exog=("Signal",)).fit(panel, 2)


def test_the_calendar_is_read_from_the_dates():
    """Prices that rise on one weekday only: the calendar tells which, the prices alone hardly do."""
    index = pd.bdate_range("2015-01-01", periods=900)
    rng = np.random.default_rng(0)
    moves = np.where(index.day_of_week == 2, 1.0, -0.25) * rng.choice([0.2, 1.0, 1.8], size=900)
    prices = pd.DataFrame({"S": 500 + moves.cumsum()}, index=index)
    models = {
        "dated": fc.Recurrent(calendar=True, topology="one-to-one"),
        "undated": fc.Recurrent(topology="one-to-one"),
    }
    skill = fc.backtest(models, prices, fc.WalkForward(1, n_windows=100), refit=100).leaderboard()["skill"]
    assert skill["dated"] > skill["undated"] + 0.1
    with pytest.raises(ValueError, match="needs rows with dates; these have int64 labels"):
        quick("lstm", calendar=True).fit(prices.reset_index(drop=True), 1)
    zoned = quick("lstm", calendar=True).fit(prices.tz_localize("America/New_York"), 1)
    assert np.isfinite(zoned.predict(prices.tz_localize("America/New_York")).point).all()


@pytest.mark.parametrize("name", ["lstm", "lstm-many-to-one", "gru-seq2seq", "rnn-one-to-one", "rnn-one-to-many"])
def test_a_series_never_seen_has_a_forecast(name):
    prices = walks(series=4)
    model = quick(name, embedding=3).fit(prices[["S0", "S1", "S2"]].iloc[:130], 2)
    known, stranger = model.predict(prices[["S1"]]), model.predict(prices[["S3"]])
    assert np.isfinite(stranger.quantiles).all()
    twin = prices[["S1"]].set_axis(["stranger"], axis=1)
    assert not np.allclose(model.predict(twin).point, known.point, rtol=1e-9)  # its own vector, or the mean one
    blind = quick(name).fit(prices[["S0", "S1", "S2"]].iloc[:130], 2)
    assert blind.predict(twin).point.tobytes() == blind.predict(prices[["S1"]]).point.tobytes()


@pytest.mark.parametrize("loss", ["pinball", "mse", "mae", "huber", "student-t"])
@pytest.mark.parametrize("name", ["lstm", "gru-many-to-one", "rnn-seq2seq", "rnn-recursive", "lstm-one-to-many"])
def test_every_loss_fills_the_quantiles(name, loss):
    """On a random walk four in five outcomes fall between the outer quantiles, whatever was trained on."""
    prices = walks(rows=700, series=2, seed=3)
    model = quick(name, loss=loss, trainer=fc.Trainer(steps=40, batch_size=32)).fit(prices.iloc[:450], 3)
    rows = np.arange(450, 690)
    forecast = model.predict_at(prices, rows)
    assert (np.diff(forecast.quantiles, axis=-1) > 0).all()
    np.testing.assert_array_equal(forecast.quantiles[..., 1], forecast.point)
    truth = np.stack([prices.to_numpy()[rows + k] for k in range(1, 4)], axis=-1)
    inside = (truth >= forecast.quantiles[..., 0]) & (truth <= forecast.quantiles[..., -1])
    assert 0.68 < inside.mean() < 0.92


def test_the_squared_error_finds_the_mean_and_the_absolute_error_the_median():
    """Moves of +3 one time in four, −1 otherwise: the mean move is 0, the median one −1."""
    rng = np.random.default_rng(1)
    y = rng.choice([3.0, -1.0], p=[0.25, 0.75], size=1500).cumsum() + 1000
    moves = {}
    for loss in ("mse", "mae"):
        trainer = fc.Trainer(steps=300, batch_size=64, lr=1e-2)
        model = fc.Recurrent("rnn", "one-to-one", loss=loss, log=False, trainer=trainer).fit(y, 1)
        rows = np.arange(1300, 1499)
        moves[loss] = np.median(model.predict_at(y, rows).point[:, 0, 0] - y[rows])
    assert abs(moves["mse"]) < 0.35
    assert moves["mae"] < -0.8


@pytest.mark.parametrize("options", [{"layers": (1, 3), "residual": True}, {"patch": 4}, {"skip": 12}, {"layers": 2}])
@pytest.mark.parametrize("name", ["lstm", "gru-many-to-one", "rnn-seq2seq", "lstm-recursive"])
def test_shapes_of_networks_keep_the_contract(name, options):
    """Stacked, dilated, in patches: one pass over many cutoffs is the loop, and later rows do not matter."""
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


def test_patience_only_chooses_the_number_of_steps():
    """The weights are those of a plain training on all rows, cut off after that many steps."""
    prices = _ar1(0, rows=900) + 100
    patient = quick("lstm", trainer=fc.Trainer(steps=120, batch_size=8, lr=0.01, patience=60)).fit(prices, 2)
    last = patient.record_["steps"][0]
    assert 0 < last < 120
    history = patient.history_
    assert history["loss"].notna().sum() == last
    judged = history.set_index("step")["validation"].dropna()
    assert list(judged.index) == list(range(0, int(judged.index[-1]) + 1, 10))
    assert judged.idxmin() == last
    plain = fc.Trainer(steps=120, batch_size=8, lr=0.01)
    net = build(patient.architecture_, seed=0)
    base = base_in_training(fc.Naive(), patient.base_, fc.as_panel(prices), 2, log=True)
    windows = patient._examples(patient._inputs(fc.as_panel(prices)), base)
    with one_thread():
        for record in plain.run(net, windows, seed=0):
            if record["step"] == last:
                break
    for ours, theirs in zip(patient.nets_[0].parameters(), net.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_patience_is_purged():
    """Targets of the first part do not reach into the rows that judge it, and those rows teach nothing."""
    panel = fc.as_panel(walks(rows=300))
    for name in ("lstm", "lstm-many-to-one"):
        model = quick(name, trainer=fc.Trainer(steps=3, patience=5)).fit(panel, 4)
        base = base_in_training(fc.Naive(), model.base_, panel, 4, log=True)
        inputs = model._inputs(panel)
        early, late = model._choice(inputs, base)
        cut = 240
        changed = dataclasses.replace(inputs, y=np.where(np.arange(300)[:, None] >= cut, 99.0, inputs.y))
        other, _ = model._choice(changed, base)
        for part, twin in zip(early.gather(np.arange(len(early))), other.gather(np.arange(len(other))), strict=True):
            assert part.tobytes() == twin.tobytes()
        batch = late.gather(np.arange(len(late)))
        asked = late.pairs[:, 1][:, None] + np.arange(1 - late.positions, 1)
        assert not batch.weight[asked < cut].any()
        assert batch.weight[(asked >= cut) & (asked < 299)].any()


def test_patience_without_enough_rows_says_so():
    model = fc.Recurrent(lookback=12, hidden=3, trainer=fc.Trainer(steps=3, patience=5))
    with pytest.raises(ValueError, match=r"patience needs lessons before and after row \d+ of the \d+ training rows"):
        model.fit(walks(rows=24), 2)


def test_a_warm_start_goes_on_from_the_weights_before():
    prices = walks()
    model = quick("lstm", warm_start=True, members=2).fit(prices.iloc[:130], 2)
    weights = [[w.clone() for w in net.parameters()] for net in model.nets_]
    model.set_params(trainer=fc.Trainer(steps=0)).fit(prices, 2)
    for net, before in zip(model.nets_, weights, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before, strict=True))
    cold = quick("lstm", members=2, trainer=fc.Trainer(steps=0)).fit(prices, 2)
    assert not torch.equal(next(cold.nets_[0].parameters()), next(model.nets_[0].parameters()))
    with pytest.raises(ValueError, match="these have other shapes"):
        model.fit(prices, 3)
    kept = model.predict(prices).quantiles.tobytes()
    with pytest.raises(ValueError, match="or are not as many"):
        model.set_params(members=3).fit(prices, 2)
    assert model.predict(prices).quantiles.tobytes() == kept  # a refused fit changes nothing
    model.set_params(members=2, trainer=fc.Trainer(steps=9, bptt=6, patience=2)).fit(prices, 2)
    assert model.record_["steps"] == [3, 3]  # a quarter, and no tail to choose by
    model.set_params(trainer=fc.Trainer(steps=9, warm_steps=5)).fit(prices, 2)
    assert model.record_["steps"] == [5, 5]
    named = quick("lstm", warm_start=True, embedding=2).fit(prices, 2)
    with pytest.raises(ValueError, match="fit on the same series"):
        named.fit(prices[["S1", "S0", "S2"]], 2)  # the vectors belong to names


def test_the_linear_path_may_have_a_rate_of_its_own():
    prices = walks()
    still, moving = (
        quick("lstm", trainer=fc.Trainer(steps=6, lr=0.05, skip_lr=rate)).fit(prices, 2).nets_[0] for rate in (0.0, 0.1)
    )
    assert not any(weight.any() for weight in still.skip.parameters())
    assert all(weight.any() for weight in still.head.parameters())
    assert all(weight.any() for weight in moving.skip.parameters())
    one, two = (quick("lstm", trainer=fc.Trainer(steps=6, skip_lr=rate)).fit(prices, 2) for rate in (None, 1e-3))
    np.testing.assert_allclose(one.predict(prices).point, two.predict(prices).point, rtol=1e-5)  # lr is 1e-3
    with pytest.raises(ValueError, match="skip_lr"):
        quick("lstm", trainer=fc.Trainer(skip_lr=-1.0)).fit(prices, 2)


def test_serial_and_parallel_members_are_the_same_bytes():
    prices = walks()
    one, two = (quick("gru", members=3, n_jobs=n).fit(prices, 2).predict(prices) for n in (1, 2))
    assert one.members.tobytes() == two.members.tobytes()
    assert one.quantiles.tobytes() == two.quantiles.tobytes()


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"trainer.device must be one of 'auto', 'cpu', 'cuda', 'mps'"):
        fc.Recurrent(trainer=fc.Trainer(device="tpu")).fit(walks(), 2)
    for kind, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())):
        if not there:
            with pytest.raises(ValueError, match="torch finds none here: use 'auto' or 'cpu'"):
                fc.Recurrent(trainer=fc.Trainer(device=kind)).fit(walks(), 2)


def test_a_season_is_learnt_over_the_last_value():
    """What the linear path is for: with three seasons of it the noise is nearly all that is left."""
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
