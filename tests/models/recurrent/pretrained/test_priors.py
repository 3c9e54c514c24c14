"""The simulated processes of the pretrained network: their shapes, their variety, and that nothing real is read."""

from __future__ import annotations

import builtins
import socket

import numpy as np
import pytest
from scipy.signal import lfilter

import forecast as fc
from forecast.models.recurrent.pretrained import priors
from forecast.models.recurrent.pretrained.pretraining import TrainingConfig, training_batch


@pytest.mark.parametrize("process", priors.PROCESSES, ids=lambda process: process.__name__)
def test_a_process_varies_and_follows_its_generator(process):
    first, same, other = (process(np.random.default_rng(seed), 30, 120) for seed in (0, 0, 1))
    assert first.shape == (30, 120)
    assert np.isfinite(first).all()
    assert (np.ptp(first, axis=1) > 0).all()
    assert (first == same).all()
    assert not np.array_equal(first, other)


def test_walks_are_unpredictable():
    changes = np.diff(priors.walk(np.random.default_rng(2), 400, 300), axis=1)
    changes -= changes.mean(axis=1, keepdims=True)
    correlation = (changes[:, 1:] * changes[:, :-1]).mean(axis=1) / changes.var(axis=1)
    assert abs(correlation.mean()) < 0.02


def test_autoregressions_are_those_of_their_coefficients():
    rng = np.random.default_rng(5)
    e, first, second, average = rng.normal(size=(3, 50)), *rng.uniform(-0.9, 0.9, (3, 3))
    for i, out in enumerate(priors._arma(e, first, second, average)):
        expected = lfilter([1, average[i]], np.polymul([1, -first[i]], [1, -second[i]]), e[i])
        np.testing.assert_allclose(out, expected)
    for i, out in enumerate(priors.first_order(e, first, np.zeros(3))):
        np.testing.assert_allclose(out, lfilter([np.sqrt(1 - first[i] ** 2)], [1, -first[i]], e[i]))


def test_growth_is_compound():
    values = priors.growth(np.random.default_rng(6), 500, 100)
    assert (values > 0).all()
    rising = values[:, -1] > values[:, 0]
    assert 0.6 < rising.mean() < 0.95
    changes = np.diff(values[rising], axis=1)
    later = np.abs(changes[:, 50:]).mean(axis=1) / np.abs(changes[:, :50]).mean(axis=1)
    assert np.median(later) > 1.2  # of a walk it is 1


def test_a_series_alone_with_a_season_depends_on_the_season_before():
    periods = np.repeat([4, 12], 200)
    changes = np.diff(priors.seasonal_autoregression(np.random.default_rng(7), periods, 240), axis=1)
    for m in (4, 12):
        own = changes[periods == m]
        at_season, before = ((own[:, k:] * own[:, :-k]).mean(axis=1) / own.var(axis=1) for k in (m, m - 2))
        assert np.median(at_season) > 0.25
        assert abs(np.median(before)) < 0.15


def test_seasons_repeat():
    periods = np.repeat([4, 7, 12], 100)
    pattern = priors.season(np.random.default_rng(3), periods, 120)
    for m in (4, 7, 12):
        own = pattern[periods == m]
        one_season = np.abs(own[:, m:] - own[:, :-m]).mean(axis=1)
        half = np.abs(own[:, m // 2 :] - own[:, : -(m // 2)]).mean(axis=1)
        assert np.median(one_season / half) < 0.2


def test_a_batch_is_standardised_and_has_every_kind_of_series():
    batch = priors.draw_batch(np.random.default_rng(4), 2000, 100)
    assert np.isfinite(batch.values).all()
    assert np.diff(batch.values, axis=1).std(axis=1) == pytest.approx(1)
    assert (batch.values[:, 0] == 0).all()
    assert batch.observed[:, :2].all()
    assert 0.05 < (~batch.observed).any(axis=1).mean() < 0.2
    assert {*np.unique(batch.seasons)} == {1, *(m for m in priors.SEASONS if m <= 100)}


def test_training_reads_neither_files_nor_the_network(monkeypatch):
    config = TrainingConfig(n_rows=256, lengths=(64,), n_positions=4)
    training_batch(config, 0)  # what is imported on first use is imported

    def refuse(*args, **kwargs):
        raise AssertionError("training reads a file or the network")

    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(socket, "socket", refuse)
    assert len(training_batch(config, 1)) == 6


@pytest.mark.parametrize("process", ["mixture", *(process.__name__ for process in priors.PROCESSES)])
def test_simulated_series_have_the_shape_and_follow_the_seed(process):
    frame, same, other = (fc.simulate(process, series=4, rows=60, seed=seed) for seed in (0, 0, 1))
    assert frame.shape == (60, 4)
    assert frame.equals(same)
    assert not frame.equals(other)
    with pytest.raises(ValueError, match="process must be one of"):
        fc.simulate("prices")
