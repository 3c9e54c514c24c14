"""The run of one model that an audit repeats is that of a backtest."""

from __future__ import annotations

import pandas as pd
import pytest
from helpers.quick import quick, returns, walks

import forecast as fc
from forecast.backtesting.one_model import run_model
from forecast.models.naive import Naive

CV = fc.WalkForward(horizon=3, n_windows=6, step_size=4)


class Fails(Naive):
    """Fails on more than 110 rows."""

    def _fit(self, panel, horizon):
        if len(panel) > 110:
            raise RuntimeError("too long")
        super()._fit(panel, horizon)


MODELS = {
    "drift": (fc.Drift(), walks(130, late=True)),
    "intervals": (fc.Conformal(fc.Drift(), window=20), walks(130)),
    "members": (quick("lstm", members=2), walks(130, late=True)),
    "parts": (fc.Ensemble([fc.Drift(), fc.SeasonalNaive(5)]), walks(130)),
    "returns": (fc.Zero(), returns(130)),
    "many training rows": (fc.ARIMA(), walks(30)),
    "a failed fit": (Fails(), walks(130)),
    "no fit": (Fails(), walks(150)),
}


@pytest.mark.parametrize("name", MODELS)
def test_forecasts_are_those_of_a_backtest(name):
    model, prices = MODELS[name]
    result = fc.backtest({"m": model}, prices, CV, refit=3, season=1, on_error="record")
    table, has_failed = run_model("m", model, fc.as_panel(prices), CV, 3)
    expected = result.forecasts[result.forecasts["model"] == "m"].reset_index(drop=True)
    columns = [column for column in expected if column != "model" and expected[column].notna().any()]
    pd.testing.assert_frame_equal(table.reindex(columns=columns), expected[columns])
    assert has_failed == (not result.failures().empty)
    assert table.empty == (name == "no fit")


def test_too_few_rows_are_refused_as_by_a_backtest():
    prices, model = walks(30), fc.Tabular(lookback=20)
    for run in (
        lambda: run_model("m", model, fc.as_panel(prices), CV, 3),
        lambda: fc.backtest({"m": model}, prices, CV, on_error="record"),
    ):
        with pytest.raises(ValueError, match="observed training rows that these models need"):
            run()
