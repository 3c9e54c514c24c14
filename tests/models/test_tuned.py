"""Tuned parameters: chosen within the training rows, recorded, and evaluated together with the choice."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.quick import quick, walks

import forecast as fc

CV = fc.WalkForward(horizon=2, n_windows=6)
SEEN: list[tuple] = []


class Spy(fc.Naive):
    """Records the fits, and forecasts with a constant error."""

    def __init__(self, off=0.0, levels=(0.1, 0.5, 0.9), log="auto"):
        self.off = off
        self.levels = levels
        self.log = log

    def _fit(self, panel, horizon):
        SEEN.append((self.off, panel.index[-1]))
        super()._fit(panel, horizon)

    def _predict_changes(self, y, rows, columns):
        return super()._predict_changes(y, rows, columns) + self.off


def test_choice_uses_training_rows_only():
    SEEN.clear()
    prices = walks(rows=90)
    tuning = fc.tune(Spy(0.5), {"off": [0.3, 0.001, 0.1]}, prices, CV, refit=3)
    first, second = prices.index[77], prices.index[83]
    assert tuning.choices["cutoff"].tolist() == [first, second]
    assert set(tuning.choices["chosen"]) == {"off=0.001"}
    assert set(tuning.choices["tried"]) == {3}
    inner = prices.index[67]  # five cutoffs of two rows before the last row
    assert SEEN[SEEN.index((0.3, inner)) :][:4] == [(0.3, inner), (0.001, inner), (0.1, inner), (0.001, first)]
    assert max(last_row for _, last_row in SEEN) == second
    record = json.loads(tuning.result.fits.query("model == 'tuned'")["details"].iloc[0])
    assert set(record["losses"]) == {"off=0.3", "off=0.001", "off=0.1"}
    assert min(record["losses"], key=record["losses"].get) == record["chosen"]
    assert tuning.result.verdict("untuned", ["tuned"]).table["finding"].tolist() == ["better"]
    assert "off=0.001" in repr(tuning)
    assert "off=0.001" in tuning._repr_html_()


@pytest.mark.slow
def test_audit_passes_and_model_is_saved(tmp_path):
    model = fc.Tuned(fc.WindowMean(), {"window": [5, 20]}, n_windows=2)
    report = fc.audit(model, walks(series=2), fc.WalkForward(horizon=3, n_windows=3, step_size=4))
    assert report.passed, str(report)
    fitted = model.fit(walks(), 3)
    fitted.save(tmp_path / "model")
    loaded = fc.load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(walks()).point, fitted.predict(walks()).point)


def test_grid_of_a_network_and_its_trainer():
    grid = {"hidden": [2, 4], "trainer.lr": [0.01, 0.05]}
    model = fc.Tuned(quick("lstm"), grid, n_windows=2).fit(walks(), 2)
    assert model.record_["tried"] == 4
    assert model.record_["chosen"] in model.candidates()
    assert sorted({m.trainer.lr for m in model.candidates().values()}) == [0.01, 0.05]
    two_grids = fc.Tuned(fc.WindowMean(), [{"window": [5]}, {"window": [7], "log": [False]}])
    assert list(two_grids.candidates()) == ["window=5", "log=False, window=7"]


@pytest.mark.parametrize(
    ("grid", "error", "message"),
    [
        ({}, ValueError, "names nothing to try"),
        ({"windw": [5]}, ValueError, r"no parameter 'windw' \(did you mean 'window'"),
        ({"window": [5, 0]}, ValueError, "window=0: window must be at least 1"),
        ({"window": 5}, TypeError, "grid must map parameters to lists"),
    ],
)
def test_invalid_grids_are_named(grid, error, message):
    with pytest.raises(error, match=message):
        fc.Tuned(fc.WindowMean(), grid).fit(walks(), 2)


def test_series_without_naive_errors_is_refused():
    with pytest.raises(ValueError, match="no loss to choose by"):
        fc.Tuned(fc.WindowMean(), {"window": [5, 9]}).fit(walks() * 0 + 5, 2)


def test_one_series_does_not_decide_the_choice_for_a_panel():
    """The second choice is better on the others, and a million times worse than naive on a series that hardly moves."""
    rng = np.random.default_rng(0)
    changes = rng.normal(0.01, 0.005, (90, 4))
    changes[:, 3] = rng.normal(0, 1e-6, 90)
    prices = 100 * np.exp(changes.cumsum(axis=0))
    for columns in ([0, 1, 2], [0, 1, 2, 3]):
        assert fc.Tuned(Spy(), {"off": [0.0, 0.01]}).fit(prices[:, columns], 2).record_["chosen"] == "off=0.01"
