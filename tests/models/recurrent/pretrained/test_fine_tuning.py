"""Fine-tuning of the pretrained network: it learns what it does not know, and follows nothing that is not there."""

from __future__ import annotations

import numpy as np
import pytest

import forecast as fc
from forecast.models.recurrent.pretrained.fine_tuning import SeriesExamples

QUICK = fc.Trainer(steps=40, lr=3e-4, weight_decay=0.0)


def waves(rows=400, series=10):
    """Return series whose period of 19 rows nobody has declared."""
    rng, t = np.random.default_rng(0), np.arange(rows)[:, None]
    return 3 * np.sin(2 * np.pi * (t / 19 + rng.random(series))) + 0.2 * rng.normal(size=(rows, series))


def errors(model, y, horizon=10):
    rows = np.arange(330, len(y) - horizon, 5)
    future = np.stack([y[rows + k] for k in range(1, horizon + 1)], axis=2)
    return np.abs(model.fit(y[:330], horizon).predict_at(y, rows).point - future).mean()


@pytest.mark.slow
def test_what_the_network_does_not_know_is_learnt():
    y = waves()
    model = fc.Recurrent(start="pretrained", trainer=QUICK)
    assert errors(model, y) < 0.9 * errors(fc.Pretrained(), y)
    assert model.shrinkage_[0] > 0.9
    assert len(model.history_) == QUICK.steps


@pytest.mark.slow
def test_on_a_walk_the_pretrained_network_is_hardly_changed():
    y = np.random.default_rng(1).normal(size=(400, 1)).cumsum(axis=0)
    tuned = fc.Recurrent(start="pretrained", trainer=QUICK)
    assert errors(tuned, y) < 1.01 * errors(fc.Pretrained(), y)


def test_without_enough_rows_nothing_is_tuned():
    y = np.array([3.0, 4.0, 3.5, 5.0, 4.2, 4.4, 4.1])
    tuned = fc.Recurrent(start="pretrained").fit(y, 3)
    assert tuned.shrinkage_.tolist() == [0.0]
    np.testing.assert_array_equal(tuned.predict(y).quantiles, fc.Pretrained().fit(y, 3).predict(y).quantiles)


@pytest.mark.medium
def test_fine_tuning_is_reproducible_and_members_differ(tmp_path):
    y = waves(120, 3)
    trainer = fc.Trainer(steps=3, lr=1e-3)
    first, same = (fc.Recurrent(start="pretrained", members=2, trainer=trainer).fit(y, 5) for _ in range(2))
    forecast = first.predict(y)
    np.testing.assert_array_equal(forecast.quantiles, same.predict(y).quantiles)
    assert forecast.members.shape == (2, 1, 3, 5)
    assert not np.array_equal(*forecast.members)
    first.save(tmp_path / "model")
    np.testing.assert_array_equal(fc.load_model(tmp_path / "model").predict(y).quantiles, forecast.quantiles)


def test_a_tuned_network_contains_no_simple_forecast():
    """Clark and West's test is of nested models: no correction of the pretrained network is the last value."""
    assert fc.Recurrent().nests(fc.Naive())
    assert not fc.Recurrent(start="pretrained").nests(fc.Naive())


def test_parameters_of_another_network_are_refused():
    with pytest.raises(ValueError, match="leave out cell, hidden, or use start=None"):
        fc.Recurrent("gru", hidden=8, start="pretrained").fit(waves(60, 1), 3)
    with pytest.raises(ValueError, match="start must be one of"):
        fc.Recurrent(start="random").fit(waves(60, 1), 3)
    with pytest.raises(ValueError, match="patience=None, or use start=None"):
        fc.Recurrent(start="pretrained", trainer=fc.Trainer(patience=2)).fit(waves(60, 1), 3)
    model = fc.Recurrent(start="pretrained", trainer=fc.Trainer(steps=1)).fit(waves(60, 1), 3)
    for method in (model.summary, lambda: model.probe(waves(60, 1))):
        with pytest.raises(ValueError, match="is of networks with start=None"):
            method()


def test_examples_end_within_the_rows_that_they_are_of():
    """Targets after the last row have no weight, whatever the lengths of the series."""
    y = waves(100, 4)
    y[40:, 1], y[:70, 2], y[:95, 3] = np.nan, np.nan, np.nan
    examples = SeriesExamples(y, np.array([1, 7, 1, 1]), 30)
    assert len(examples) == 3
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows, inputs, guides, of_steps, goal, weight = examples.draw(rng, 8)
        assert inputs.shape[0] == guides.shape[0] == of_steps.shape[0] == 8
        assert rows.max() < inputs.shape[1]
        assert np.isfinite(goal).all()
        assert np.isfinite(weight).all()
        assert (weight > 0).any()
