"""Results by series: each series as in a verdict of its own, and what holds over series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.losses import table_of_errors

from forecast.evaluation import by_series, verdict


def panel(n_series: int, n: int = 60, better: float = 0.5, seed: int = 0) -> pd.DataFrame:
    """A share `better` of the series on which m is half as wrong as naive; on the others it is twice as wrong."""
    rng = np.random.default_rng(seed)
    tables = []
    for i in range(n_series):
        e = rng.normal(size=n)
        factor = 0.5 if i < better * n_series else 2.0
        tables.append(table_of_errors({"naive": e, "m": factor * e + 0.05 * rng.normal(size=n)}, series=(f"S{i}",)))
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("loss", ["squared", "absolute"])
def test_each_series_is_as_in_a_verdict_of_its_own(loss):
    table = panel(4)
    found = by_series(table, 1, loss=loss).series.set_index("unique_id")
    assert found["finding"].tolist() == ["better", "better", "worse", "worse"]
    for name, rows in table.groupby("unique_id"):
        row = verdict(rows, 1, loss=loss).table.iloc[0]
        for column in ("skill", "low", "high"):
            assert found.loc[name, column] == pytest.approx(row[column])
        assert found.loc[name, "p"] == pytest.approx(2 * min(row["p"], 1 - row["p"]))
    assert (found["p_holm"] >= found["p"]).all()


def test_summary_over_series():
    few = by_series(panel(4), 1).models.iloc[0]
    assert (few["series"], few["better"], few["worse"], few["win_rate"]) == (4, 2, 2, 0.5)
    assert np.isnan(few["low"])  # four series are no sample of others
    many = by_series(panel(40, better=0.75), 1).models.iloc[0]
    assert many["win_rate"] == 0.75
    assert many["win_rate_low"] < 0.75 < many["win_rate_high"]
    assert many["low"] < many["skill"] < many["high"] < 1
    again = by_series(panel(40, better=0.75), 1).models
    pd.testing.assert_frame_equal(again, by_series(panel(40, better=0.75), 1).models)  # seeded


@pytest.mark.slow
def test_interval_over_series_contains_what_holds_for_others():
    """In 90 % of samples of series, the intervals contain the win rate and the skill of all series."""
    rng = np.random.default_rng(1)
    contained = []
    for _ in range(60):
        factors = np.exp(rng.normal(-0.2, 0.4, size=30))  # of the errors: the skill is 1 − exp(−.4)
        e = rng.normal(size=(30, 20))
        tables = [table_of_errors({"naive": e[i], "m": factors[i] * e[i]}, series=(f"S{i}",)) for i in range(30)]
        row = by_series(pd.concat(tables), 1).models.iloc[0]
        contained.append(
            (row["low"] < 1 - np.exp(-0.4) < row["high"], row["win_rate_low"] <= 0.6915 <= row["win_rate_high"])
        )
    shares = np.mean(contained, axis=0)
    assert (shares > 0.9 - 3 * np.sqrt(0.9 * 0.1 / 60)).all()


def test_series_that_are_set_apart_are_listed():
    exact = table_of_errors({"naive": np.ones(60) * 3, "m": np.zeros(60)}, series=("exact",))
    found = by_series(pd.concat([panel(8), exact]), 1).series.set_index("unique_id")
    assert found.loc["exact", "skill"] == pytest.approx(1)
    flat = table_of_errors({"naive": np.zeros(60), "m": np.ones(60)}, series=("flat",))
    assert "flat" not in set(by_series(pd.concat([panel(8), flat]), 1).series["unique_id"])  # no loss to compare with


def test_unknown_model():
    with pytest.raises(ValueError, match="no model 'x'"):
        by_series(panel(3), 1, against="x")
