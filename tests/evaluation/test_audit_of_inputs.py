"""Audits of models that read inputs whose future is known: honest inputs pass, and every planted leak is found."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.quick import quick

import forecast as fc
from forecast.evaluation.known_inputs import find_copies

H = 3
CV = fc.WalkForward(horizon=H, n_windows=6)
RIDGE = fc.Tabular(future=("Load", "Wind"), lookback=5, log=False)


def power(rows=180, later=5):
    """Return a table of a price, the load and the wind on which it depends, known of 5 rows after the last price."""
    rng = np.random.default_rng(0)
    load, wind = rng.normal(0, 1, (2, rows))
    price = 50 + 2 * load - 1.5 * wind + np.cumsum(rng.normal(0, 0.3, rows))
    table = pd.DataFrame({"A": price, "Load": load, "Wind": wind}, pd.date_range("2024-01-01", periods=rows))
    return table.where((np.arange(rows) < rows - later)[:, None] | (table.columns != "A"))


def full(table):
    """Return the price with the last one in the rows after it, so that an input made of it has no gap."""
    return table["A"].ffill()


def failed(report):
    return [row.check for row in report.table.itertuples() if row.passed is False]


def detail(report, check):
    return report.table.set_index("check").loc[check, "detail"]


@pytest.mark.parametrize(
    "model",
    [
        RIDGE,
        fc.ARIMA((1, 0, 0), future=("Load", "Wind"), log=False),
        pytest.param(quick("lstm", future=("Load", "Wind"), log=False), marks=pytest.mark.slow),
    ],
    ids=["ridge", "arima", "lstm"],
)
@pytest.mark.medium
def test_models_with_honest_inputs_pass(model):
    report = fc.audit(model, power(), CV, lambda raw: fc.as_panel(raw, future=["Load", "Wind"]))
    assert report.passed, str(report)
    checks = report.table.set_index("check")["passed"]
    assert checks["later inputs"] is True
    assert checks["inputs like the target"] is True
    assert checks["leakage: noise"] is True


@pytest.mark.parametrize("rows", ["numbers", "returns"])
@pytest.mark.medium
def test_honest_tables_of_other_kinds_pass(rows):
    table = power().reset_index(drop=True) if rows == "numbers" else power()
    prepare = None if rows == "numbers" else lambda raw: fc.make_target(raw, "return", future=["Load", "Wind"])
    report = fc.audit(RIDGE, table, CV, prepare)
    assert report.passed, str(report)


@pytest.mark.medium
def test_inputs_of_the_dates_are_known():
    def prepare(raw):
        return raw[["A"]].assign(Load=raw.index.day_of_week * 1.0, Wind=np.sin(raw.index.day_of_year * 0.3))

    report = fc.audit(RIDGE, power(later=0)[["A"]], CV, prepare)
    assert report.passed, str(report)
    assert report.table.set_index("check").loc["later inputs", "passed"] is True


@pytest.mark.parametrize(
    ("wind", "words"),
    [
        (lambda price: price, "Wind at a row is the target of A of the same row"),
        (lambda price: 3 - 2 * price.shift(-2).ffill(), "Wind at a row is the target of A 2 rows later"),
        (lambda price: price.shift(1).bfill(), "Wind at a row is the target of A 1 row before"),
    ],
    ids=["same row", "later row", "within the horizon"],
)
@pytest.mark.medium
def test_an_input_that_is_the_target_fails(wind, words):
    table = power()
    report = fc.audit(RIDGE, table.assign(Wind=wind(full(table))), CV)
    assert failed(report) == ["inputs like the target"]
    assert words in detail(report, "inputs like the target")
    assert "must be the value that was known at the cutoff" in detail(report, "inputs like the target")


def test_a_price_that_is_known_to_a_model_of_returns_fails():
    table = power().drop(columns="Wind")
    panel = fc.make_target(table.assign(Load=full(table) * 7), "return", future=["Load"])
    assert find_copies(panel, ["Load"], H) == "Load at a row is the target of A of the same row"


def test_inputs_near_the_target_are_no_copies():
    table = power()
    price, noise = full(table), np.random.default_rng(1).normal(0, 1, len(table))
    spiked = np.where(np.arange(len(table)) == 60, 1e4, 0.0)  # one row on which both are extreme
    table = table.assign(A=table["A"] + spiked, Load=price + 0.5 * noise + spiked, Wind=price.shift(H).bfill())
    assert find_copies(fc.as_panel(table, future=["Load", "Wind"]), ["Load", "Wind"], H) is None


@pytest.mark.medium
def test_an_input_made_of_prices_fails():
    def prepare(raw):
        return raw.assign(Wind=raw["A"].ffill().rolling(3, min_periods=1).mean().shift(1).bfill())

    report = fc.audit(RIDGE, power().drop(columns="Wind"), CV, prepare)
    assert "leakage: noise" in failed(report)
    assert "the input Wind of 2024-06-" in detail(report, "leakage: noise")
    assert "in a raw column of the same name" in detail(report, "leakage: noise")


@pytest.mark.medium
def test_an_input_that_is_smoothed_with_later_ones_fails():
    def prepare(raw):
        return raw.assign(Load=raw["Load"].rolling(3, center=True, min_periods=1).mean())

    report = fc.audit(RIDGE, power(), CV, prepare)
    assert "later inputs" in failed(report)
    assert "the preparation uses later rows: with inputs from" in detail(report, "later inputs")


class ReadsOn(fc.Forecaster):
    """Forecasts with the newest input that it finds, whatever the cutoff."""

    def required_fields(self):
        return ("Load",)

    future_fields = required_fields

    def _fit(self, panel, horizon):
        pass

    def _predict_at(self, panel, rows):
        newest = panel.known(("Load",)).values[-1, :, 0]
        point = np.repeat((panel.target[rows] + newest)[:, :, None], self.horizon_, axis=2)
        return fc.Forecast(point, None, (), panel.series, panel.index[rows])


@pytest.mark.medium
def test_a_model_that_reads_inputs_beyond_its_steps_fails():
    report = fc.audit(ReadsOn(), power().drop(columns="Wind"), CV)
    assert "later inputs" in failed(report)
    assert "changed when only inputs from" in detail(report, "later inputs")


@pytest.mark.medium
def test_a_model_that_reads_no_declared_input_is_named():
    class Ignores(ReadsOn):
        def _predict_at(self, panel, rows):
            point = np.repeat(panel.target[rows][:, :, None], self.horizon_, axis=2)
            return fc.Forecast(point, None, (), panel.series, panel.index[rows])

    report = fc.audit(Ignores(), power().drop(columns="Wind"), CV)
    assert report.table.set_index("check").loc["later inputs", "passed"] is None
    assert "the model does not use them" in detail(report, "later inputs")


@pytest.mark.medium
def test_a_gap_in_the_raw_prices_leaves_the_inputs():
    """The last two rows before a cutoff are emptied; without their inputs the forecast before them would fail."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        report = fc.audit(RIDGE, power(), CV)
    assert report.table.set_index("check").loc["leakage: scaling behind a gap", "passed"] is True
