"""Importance of rows, inputs and known later rows, on processes of which the truth is known."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick, returns, walks

import forecast as fc
from forecast.evaluation.permutation import find_kind

HORIZON, LOOKBACK = 3, 5
CV = fc.WalkForward(horizon=HORIZON, n_windows=50)


def third_lag(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A walk whose change depends on the change three rows before only."""
    change = rng.normal(size=rows)
    for t in range(3, rows):
        change[t] += 0.6 * change[t - 3]
    return 1000 + change.cumsum(), {}


def leading_input(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A walk whose change is that of an input one row before, with noise; a second input is noise."""
    x, other = rng.normal(size=(2, rows))
    change = np.roll(x, 1) + rng.normal(size=rows)
    return 1000 + change.cumsum(), {"x": x, "other": other}


def known_input(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A level that depends on a known input of its own row, with noise."""
    u = rng.normal(size=rows)
    return 1000 + u + rng.normal(size=rows), {"u": u}


#: Of each process: the model's parameters, and the inputs and rows that the forecast of step h depends on most.
CASES = {
    third_lag: ({}, lambda h: [("Close", row) for row in range(-2, h - 2)]),
    leading_input: ({"exog": ("x", "other")}, lambda h: [("x", 0)]),
    known_input: ({"future": ("u",)}, lambda h: [("u", h)]),
}


def draw(process, seed: int, rows: int = 800, series: int = 1) -> fc.Panel:
    """Return series of a process as a panel."""
    rng, columns = np.random.default_rng(seed), {}
    for n in range(series):
        y, inputs = process(rng, rows)
        columns |= {(name, f"S{n}"): values for name, values in {"Close": y, **inputs}.items()}
    return fc.as_panel(pd.DataFrame(columns), target="Close", **CASES[process][0])


def ranks_right(process, found: fc.Importance) -> bool:
    """Return whether the rows that each step depends on have the largest importance there."""
    for h in range(1, HORIZON + 1):
        true = CASES[process][1](h)
        table = found.to_frame().query("step == @h").head(len(true))
        if sorted(zip(table["input"], table["row"], strict=True)) != true:
            return False
    return True


def of_regression(process, seed: int, rows: int = 700, n_windows: int = 100, repeats: int = 2) -> fc.Importance:
    model, cv = fc.Tabular(lookback=8, **CASES[process][0]), fc.WalkForward(HORIZON, n_windows)
    return fc.importance(model, draw(process, seed, rows), cv, LOOKBACK, repeats=repeats)


def of_network(process, seed: int, rows: int = 600, series: int = 6) -> fc.Importance:
    """Return the importance of a network that is fitted to several series, as it learns little from one."""
    trainer = fc.Trainer(steps=300, lr=0.01)
    network = {"topology": "many-to-one", "lookback": 8, "hidden": 16, "base": fc.Naive(), "trainer": trainer}
    return fc.importance(fc.Recurrent("gru", **network, **CASES[process][0]), draw(process, seed, rows, series), CV, 4)


@pytest.mark.parametrize("process", CASES, ids=lambda process: process.__name__)
def test_what_the_process_depends_on_ranks_first(process):
    """One draw; `PYTHONPATH=.:tests python tests/evaluation/test_importance.py` counts twenty, also of networks."""
    assert ranks_right(process, of_regression(process, 0, rows=500, n_windows=60, repeats=1))


class OneRow(fc.Forecaster):
    """The value of the third-newest row; or the last value plus the mean change over series at the row before."""

    fitted_rows: ClassVar[list[int]] = []

    def __init__(self, across: bool = False):
        self.across = across

    def _fit(self, panel, horizon):
        self.fitted_rows.append(len(panel))

    def _predict_at(self, panel, rows):
        point = panel.target[rows - 2]
        if self.across:
            change = (panel.target[rows - 1] - panel.target[rows - 2]).mean(axis=1, keepdims=True)
            point = panel.target[rows] + change
        point = np.repeat(point[:, :, None], self.horizon_, axis=2)
        return fc.Forecast(point, None, (), panel.series, panel.index[rows])


def responses(found: fc.Importance) -> dict[int, float]:
    return found.rows.query("step == 1").set_index("row")["response"].to_dict()


def test_only_the_value_that_is_read_has_a_response():
    found = responses(fc.importance(OneRow(), returns(300), CV, lookback=4))
    assert found.pop(-2) > 0.5
    assert set(found.values()) == {0.0}


def test_importance_is_the_rise_of_the_squared_error():
    """Where the row that is read is unrelated to the outcome, (y − ŷ)² rises by twice their covariance."""
    y = np.random.default_rng(0).normal(size=800)
    for t in range(3, 800):
        y[t] += 0.9 * y[t - 3]
    row = fc.importance(OneRow(), y, fc.WalkForward(horizon=1, n_windows=500), lookback=4).rows.set_index("row").loc[-2]
    outcomes, read = y[-500:], y[-503:-3]
    expected = 2 * np.mean((outcomes - y.mean()) * (read - y.mean())) / np.mean((outcomes - read) ** 2)
    assert row["importance"] == pytest.approx(expected, rel=0.2)
    assert row["low"] < row["importance"] < row["high"]


def test_a_model_that_reads_other_series_forecasts_one_version_at_a_time():
    found = responses(fc.importance(OneRow(across=True), walks(300) - 100, CV, lookback=4))
    assert found.pop(-1) > 0.1
    assert max(found.values()) < 1e-9


def test_naive_depends_on_no_change():
    found = fc.importance(fc.Naive(), walks(300, late=True), CV)
    assert set(found.rows["response"]) == {0.0}
    assert "no forecast depends on them" in repr(found)


def test_fit_uses_rows_before_the_first_cutoff_only_and_leaves_the_model_as_it_is():
    prices, model = walks(300), OneRow()
    OneRow.fitted_rows.clear()
    fc.importance(model, prices, CV, lookback=4)
    assert OneRow.fitted_rows == [CV.cutoffs(prices)[0] + 1]
    assert not hasattr(model, "horizon_")
    fc.importance(model.fit(prices[:40], HORIZON), prices, CV, lookback=4, fit=False)
    assert OneRow.fitted_rows[1:] == [40]


def test_dates_are_an_input_of_a_model_that_reads_them():
    prices, cv = walks(120, series=1), fc.WalkForward(horizon=2, n_windows=10)
    inputs = {
        calendar: set(fc.importance(quick("lstm", calendar=calendar), prices, cv, lookback=2).inputs["input"])
        for calendar in (False, True)
    }
    assert inputs == {False: {"y"}, True: {"y", "dates"}}


def test_missing_rows_and_late_series_are_left_as_they_are():
    prices = walks(300, late=True)
    prices.iloc[::7, 0] = np.nan
    found = fc.importance(fc.Tabular(lookback=6), prices, CV, lookback=4)
    assert found.rows["importance"].notna().all()


def test_same_seed_same_table():
    tables = [fc.importance(OneRow(), walks(260), CV, lookback=3, seed=seed).rows for seed in (0, 0, 1)]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not tables[0].equals(tables[2])


def test_prices_are_exchanged_by_change_and_what_returns_to_a_level_by_value():
    hours = np.arange(2000)
    assert find_kind(np.log(walks(600).to_numpy())) == "changes"
    assert find_kind(returns(600).to_numpy()) == "values"
    assert find_kind(np.sin(2 * np.pi * hours / 24)[:, None]) == "values"
    assert find_kind(np.sin(2 * np.pi * hours / 8766)[:, None]) == "values"
    assert find_kind((hours % 7 > 4).astype(float)[:, None]) == "values"
    assert find_kind(np.ones((50, 1))) == "values"
    found = fc.importance(OneRow(), walks(260), CV, lookback=3, exchange={"y": "values"})
    assert found.kinds == {"y": "values"}


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"cv": fc.WalkForward(horizon=1, n_windows=4)}, "at least 10 cutoffs; got n_windows=4"),
        ({"lookback": 190}, "needs 191 rows up to the first cutoff, which has 180"),
        ({"exchange": {"Y": "values"}}, "names 'Y' .did you mean 'y'"),
        ({"exchange": "ranks"}, "exchange must be one of 'auto', 'changes', 'values'; got 'ranks'"),
        ({"exchange": {"y": "ranks"}}, "must be one of 'changes', 'values'; got 'ranks'"),
        ({"fit": False, "cv": fc.WalkForward(horizon=1, n_windows=20)}, "fitted for horizon=2 and cv has horizon=1"),
    ],
)
def test_errors_name_what_helps(arguments, match):
    prices = walks(260)
    model = fc.Naive().fit(prices[:50], 2)
    with pytest.raises(ValueError, match=match):
        fc.importance(model, prices, **({"cv": fc.WalkForward(horizon=1, n_windows=80)} | arguments))


@pytest.mark.medium
def test_plot_has_a_number_for_each_step_of_the_most_important_rows():
    found = fc.importance(fc.Tabular(lookback=6, exog=("x", "other")), draw(leading_input, 0), CV, LOOKBACK)
    ax = fc.plot_importance(found)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert len(labels) == 14  # of 15
    assert "x[t]" in labels
    of_x = [label for label in labels if label.startswith("x")]
    assert of_x == [f"x[t−{row}]" for row in range(len(of_x) - 1, 0, -1)] + ["x[t]"]
    assert len(ax.texts) == 14 * HORIZON
    bold = {text.get_position() for text in ax.texts if text.get_weight() == "bold"}
    assert (1, labels.index("x[t]")) in bold
    by_input = fc.plot_importance(found, by="input")
    assert by_input.get_yticklabels()[0].get_text() == "x"


def main():
    """Print in how many of twenty draws the ranks are right, of a regression and of a network."""
    for process in CASES:
        for explain in (of_regression, of_network):
            right = sum(ranks_right(process, explain(process, seed)) for seed in range(20))
            print(f"{process.__name__} {explain.__name__}: ranks right in {right} of 20 draws", flush=True)


if __name__ == "__main__":
    main()
