"""Panels whose series start at very different rows: groups give the results of the whole panel, in less memory."""

from __future__ import annotations

import numpy as np
import pytest

import forecast as fc
from forecast.models.recurrent import forecaster
from forecast.models.recurrent.ragged import Group, group_series

T, N, HORIZON = 300, 60, 3
KINDS = {
    "aligned": {},
    "direct": {"topology": "many-to-one"},
    "seq2seq": {"strategy": "seq2seq"},
    "recursive": {"topology": "many-to-one", "strategy": "recursive"},
    "embedding and members": {"embedding": 2, "topology": "many-to-one", "members": 2},
    "seasonal base": {"topology": "many-to-one", "base": fc.SeasonalNaive(4), "stride": 2},
    "pretrained base": {"topology": "many-to-one", "base": fc.Pretrained(season=1)},
    "squared error": {"topology": "many-to-one", "loss": "mse", "point": "mean"},
    "patience": {"topology": "many-to-one", "trainer": fc.Trainer(steps=12, batch_size=32, patience=1)},
}


def ragged():
    """Return walks of 15 to 60 rows, and one of 300, with gaps, as an array (T, N)."""
    rng = np.random.default_rng(0)
    values = 100 + rng.normal(size=(T, N)).cumsum(axis=0)
    values[rng.random((T, N)) < 0.03] = np.nan
    for n, rows in enumerate(rng.integers(15, 60, N - 1)):
        values[: T - rows, n] = np.nan
    values[-1] = 100 + rng.normal(size=N)
    return values


def model(**params):
    options = {"base": fc.Naive(), "lookback": 6, "hidden": 4, "trainer": fc.Trainer(steps=8, batch_size=32)}
    return fc.Recurrent("lstm", **options | params)


def whole(first_observed, n_rows, rows_before):
    return [Group(np.arange(len(first_observed)), 0)]


@pytest.mark.parametrize("name", KINDS)
def test_groups_give_the_forecasts_of_the_whole_panel(name, monkeypatch, tmp_path):
    values = ragged()
    fitted = model(**KINDS[name]).fit(values, HORIZON)
    assert len(fitted._groups(fc.as_panel(values))) > 3
    cutoffs = [T - 40, T - 10, T - 1]
    forecast = fitted.predict_at(values, cutoffs)
    fitted.save(tmp_path / "model")
    assert fc.load_model(tmp_path / "model").predict_at(values, cutoffs).point.tobytes() == forecast.point.tobytes()
    monkeypatch.setattr(forecaster, "group_series", whole)
    other = model(**KINDS[name]).fit(values, HORIZON)
    expected = other.predict_at(values, cutoffs)
    assert fitted.record_["examples"] == other.record_["examples"]
    # A matrix product of another number of rows may differ in its last bits, and a state has read fewer empty rows.
    np.testing.assert_allclose(fitted.shrinkage_, other.shrinkage_, rtol=1e-3)
    np.testing.assert_allclose(forecast.point, expected.point, rtol=1e-5)
    np.testing.assert_allclose(forecast.quantiles, expected.quantiles, rtol=1e-4)


def test_a_batch_is_the_same():
    panel = fc.as_panel(ragged())
    fitted = model().fit(panel, HORIZON)
    groups = fitted._groups(panel)
    parts = [fitted._training_rows(fc.Naive(), group.rows_of(panel), group.first) for group in groups]
    dense = fitted._training_rows(fc.Naive(), panel, 0)
    by_group, at_once = (
        forecaster.RaggedRows(of, rows, T).examples(18, 12, 0, None)
        for of, rows in ((groups, parts), (whole(panel.first_observed(), T, 0), [dense]))
    )
    assert len(by_group) == len(at_once)
    for one, other in zip(by_group.gather(np.arange(200)), at_once.gather(np.arange(200)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("rows", [20, 120])
def test_series_that_all_start_late_give_the_forecasts_of_the_whole_panel(rows, monkeypatch):
    values = np.full((T, N), np.nan)
    values[-rows:] = 100 + np.random.default_rng(1).normal(size=(rows, N)).cumsum(axis=0)
    values[:-20, 1:] = np.nan
    fitted = model(embedding=2).fit(values, HORIZON)
    groups = fitted._groups(fc.as_panel(values))
    assert all(group.first > 0 for group in groups)
    assert len(groups) == (1 if rows == 20 else 2)
    monkeypatch.setattr(forecaster, "group_series", whole)
    other = model(embedding=2).fit(values, HORIZON)
    assert fitted.record_["examples"] == other.record_["examples"]
    np.testing.assert_allclose(fitted.shrinkage_, other.shrinkage_, rtol=1e-3)
    np.testing.assert_allclose(fitted.predict(values).point, other.predict(values).point, rtol=1e-5)


def test_training_rows_before_the_first_observed_one_are_not_stored():
    panel = fc.as_panel(ragged())
    fitted = model().fit(panel, HORIZON)
    data = fitted._prepare(panel, HORIZON)
    assert len(data.groups) > 3
    for group, part in zip(data.groups, data.parts, strict=True):
        assert part.inputs.observed[0].any()
        assert (group.first, len(part)) == (panel.observed[:, group.series].any(axis=1).argmax(), T - group.first)
        assert part.base.strides[-1] == 0  # naive: one step stands for all
        assert part.inputs.x.base is None


def test_cells_are_in_proportion_to_the_observed_ones():
    observed = np.zeros((800, 2000), dtype=bool)
    rows = np.clip(np.exp(np.random.default_rng(0).normal(np.log(30), 0.6, 2000)), 13, 800).astype(int)
    for n, count in enumerate(rows):
        observed[800 - count :, n] = True
    groups = group_series(observed.argmax(axis=0), 800, rows_before=0)
    assert sorted(np.concatenate([group.series for group in groups])) == list(range(2000))
    assert sum((800 - group.first) * len(group.series) for group in groups) < 1.3 * observed.sum()
    for group in groups:
        assert not observed[: group.first, group.series].any()


def test_series_that_start_alike_are_one_group():
    assert len(group_series(np.array([0, 0, 60, 0, 0]), 200, 10)) == 1
    assert len(group_series(np.full(3, 50), 50, 100)) == 1  # nothing is observed
