"""The test of directions: its findings, and how often it finds one by chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.evaluation import directions


def table_of_moves(**models):
    """A table of one-step moves of a series that starts at 100 each time; models are functions of the outcomes."""
    outcome = np.random.default_rng(4).normal(size=200)
    tables = []
    for model, predict in ({"naive": np.zeros} | models).items():
        y_hat = 100 + (np.zeros(200) if model == "naive" else predict(outcome))
        tables.append(pd.DataFrame({
            "unique_id": "A", "cutoff": np.arange(200), "step": 1, "model": model, "member": 0,
            "y0": 100.0, "y": 100 + outcome, "y_hat": y_hat, "scale": 1.0,
        }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def test_returns_move_from_zero():
    """With the reference zero, a forecast is right if it has the sign of the outcome, wherever the last value is."""
    rng = np.random.default_rng(5)
    table = table_of_moves(good=lambda outcome: outcome + rng.normal(size=200))
    table[["y", "y_hat"]] -= 100
    table["y0"] = rng.normal(size=len(table))
    expected = table[table["model"] == "good"].eval("(y > 0) == (y_hat > 0)").mean()
    row = directions(table, reference="zero").set_index("model").loc["good"]
    assert row["hit_rate"] == pytest.approx(expected)
    assert row["finding"] == "calls the direction"
    assert directions(table).set_index("model").loc["good", "hit_rate"] != pytest.approx(expected)


def test_findings_on_directions():
    rng = np.random.default_rng(5)
    table = table_of_moves(
        good=lambda outcome: outcome + rng.normal(size=200),
        random=lambda outcome: rng.normal(size=200),
        up=lambda outcome: np.ones(200),
        down=lambda outcome: -np.ones(200),
    )
    result = directions(table).set_index("model")
    assert result["finding"].to_dict() == {
        "naive": "never calls a direction", "good": "calls the direction",
        "random": "not distinguishable from chance", "up": "always calls up", "down": "always calls down",
    }  # fmt: skip
    assert result.loc["up", "hit_rate"] == result.loc["up", "by_chance"]
    assert result.loc["good", "hit_rate"] > 0.6 > result.loc["good", "by_chance"]
    assert result.loc["good", "p_holm"] == pytest.approx(2 * result.loc["good", "p"])  # two were tested
    still = directions(table.assign(y=table["y0"]))
    assert set(still["finding"]) == {"the series never moved"}
    few = directions(table[table["cutoff"] < 9]).set_index("model")
    assert few.loc["good", "finding"] == "too few moves"
    with pytest.raises(ValueError, match="outcomes 2 rows after cutoffs 1 rows apart overlap"):
        directions(table, step=2)
    with pytest.raises(ValueError, match="no row of step 2"):
        directions(table, step=2, step_size=2)


def test_size_of_the_test_of_directions():
    rng = np.random.default_rng(6)
    table = table_of_moves(**{f"m{i}": lambda outcome: rng.normal(size=200) + 0.3 for i in range(300)})
    p = directions(table).set_index("model").drop("naive")["p"]
    assert 0.02 < (p < 0.05).mean() < 0.09
