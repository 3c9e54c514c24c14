"""Panels: one odd series does not move the headline, whatever the loss, and is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.evaluation import verdict
from forecast.evaluation.losses import loss_table
from forecast.evaluation.pairwise import cosines, equal_accuracy_test

NORMAL = np.array([-1.2815515655446004, 0.0, 1.2815515655446004])
CUTOFFS = 40


def forecasts(errors: np.ndarray, sizes: dict[str, tuple[float, float]], name: str, y: np.ndarray) -> pd.DataFrame:
    """The rows of a series: each model's error is a multiple of `errors`, its quantiles a multiple of their spread."""
    tables = []
    for model, (error, spread) in sizes.items():
        point = y - error * errors
        quantiles = {f"q{level}": point + spread * z for level, z in zip((0.1, 0.5, 0.9), NORMAL, strict=True)}
        keys = {"unique_id": name, "model": model, "member": 0, "cutoff": np.arange(len(y)), "step": 1}
        tables.append(pd.DataFrame(keys | {"y0": y - errors, "y": y, "y_hat": point} | quantiles))
    return pd.concat(tables)


def panel(n_series: int, odd: tuple[str, ...] = ()) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    usual = {"naive": (1.0, 1.4), "good": (0.7, 0.7), "wide": (1.0, 3.0)}
    tables = []
    for i in range(n_series):
        e = rng.normal(size=CUTOFFS)
        tables.append(forecasts(e, usual, f"S{i}", 100 + e.cumsum()))
    e = rng.normal(size=CUTOFFS)
    kinds = {
        "exploding": (e, {"naive": (1.0, 1.4), "good": (1e4, 1e4), "wide": (1.0, 3.0)}),
        "perfect": (e, {"naive": (1.0, 1.4), "good": (0.0, 0.0), "wide": (1.0, 3.0)}),
        "constant": (np.zeros(CUTOFFS), {"naive": (0.0, 0.0), "good": (0.0, 0.0), "wide": (0.0, 0.0)}),
    }
    for name in odd:
        e, sizes = kinds[name]
        tables.append(forecasts(e, sizes, name, 100 + e.cumsum()))
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("loss", ["squared", "absolute", "pinball"])
@pytest.mark.parametrize("n_series", [4, 40, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.medium
def test_one_odd_series_does_not_move_the_headline(n_series, loss):
    plain = verdict(panel(n_series), 1, loss=loss)
    assert plain.models("better") == ["good"]
    for odd in (("exploding",), ("perfect",), ("constant",), ("exploding", "perfect", "constant")):
        found = verdict(panel(n_series, odd), 1, loss=loss)
        assert found.sentence == plain.sentence
        pd.testing.assert_frame_equal(found.table, plain.table)
        assert set(found.extremes.series) == set(odd)
        assert all(name in str(found) for name in odd)
        assert f"{n_series} of {n_series + len(odd)} series" in found.note


def test_number_and_test_agree_where_series_differ():
    """Loss ratios of .4, .4, 2.2 and 2.2 are a skill of 6 %; the sign of the test is that of the skill."""
    rng = np.random.default_rng(3)
    tables = []
    for i, ratio in enumerate((0.4, 0.4, 2.2, 2.2)):
        e = rng.normal(size=400)
        table = forecasts(e, {"naive": (1.0, 1.4), "m": (np.sqrt(ratio), 1.4)}, f"S{i}", 100 + e.cumsum())
        tables.append(table)
    row = verdict(pd.concat(tables), 1).table.iloc[0]
    assert row["skill"] == pytest.approx(1 - np.sqrt(0.4 * 2.2))
    assert row["statistic"] > 0
    assert row["low"] < row["skill"] < row["high"]
    reverse = verdict(pd.concat(tables), 1, against="m").table.set_index("model").loc["naive"]
    assert reverse["skill"] == pytest.approx(1 - 1 / np.sqrt(0.4 * 2.2))
    assert reverse["statistic"] == pytest.approx(-row["statistic"])


def test_limit_of_extreme_losses_is_that_of_the_errors():
    """Errors 15 times as large are a squared loss beyond 100:1, and an absolute or quantile loss beyond 10:1."""
    rng = np.random.default_rng(5)
    tables = []
    for name, factor in (("S0", 0.9), ("S1", 0.9), ("S2", 0.9), ("far", 15.0), ("less", 8.0)):
        e = rng.normal(size=CUTOFFS)
        sizes = {"naive": (1.0, 1.4), "m": (factor, 1.4 * factor)}
        tables.append(forecasts(e, sizes, name, 100 + e.cumsum()))
    table = pd.concat(tables, ignore_index=True)
    for loss in ("squared", "absolute", "pinball"):
        assert verdict(table, 1, loss=loss).extremes.series == ["far"]


def test_spreads_are_tested_with_the_long_run_variance_of_cosines():
    table = panel(1)
    losses = {loss: loss_table(table, loss) for loss in ("squared", "absolute", "pinball")}
    for loss, found in losses.items():
        row = verdict(table, 1, loss=loss).table.set_index("model").loc["good"]
        test = equal_accuracy_test(found.differences("good", "naive"), 1, persistent=loss == "pinball")
        assert row["p"] == pytest.approx(test.p_better, rel=1e-9)
        assert test.degrees == (cosines(CUTOFFS, 1) if loss == "pinball" else CUTOFFS - 1)
