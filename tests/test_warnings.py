"""Every warning of the package names the line of the caller's code."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.quick import walks

import forecast as fc
from forecast.backtesting import ResumeWarning
from forecast.data.notes import PricesWarning
from forecast.models.base import ShortSeriesWarning

PACKAGE = Path(fc.__file__).parent


def locations(call: Callable[[], object], category: type[Warning]) -> set[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return {warning.filename for warning in caught if issubclass(warning.category, category)}


def with_remark() -> pd.DataFrame:
    return walks(60, series=2).assign(remark="closed on Mondays")


def of_sizes() -> pd.DataFrame:
    """Return series of which one is too short for any model."""
    frame = walks(120, series=2)
    frame.iloc[:-2, 1] = np.nan
    return frame


CALLS = {
    "as_panel": (lambda: fc.as_panel(with_remark()), PricesWarning),
    "a model": (lambda: fc.Drift().fit(with_remark(), 2), PricesWarning),
    "a backtest": (lambda: fc.backtest(fc.Drift(), with_remark(), fc.WalkForward(2, 3)), PricesWarning),
    "fit": (lambda: fc.ARIMA((1, 0, 0)).fit(of_sizes(), 2), ShortSeriesWarning),
    "an ensemble": (lambda: fc.Ensemble([fc.Naive(), fc.Drift()]).fit(of_sizes(), 2), ShortSeriesWarning),
}


@pytest.mark.parametrize("case", CALLS)
def test_warnings_name_the_line_of_the_caller(case):
    assert locations(*CALLS[case]) == {__file__}


def test_warnings_of_files_name_the_line_of_the_caller(tmp_path):
    with_remark().to_csv(tmp_path / "wide.csv")
    long = walks(60, series=2).melt(ignore_index=False, var_name="shop").assign(remark="closed on Mondays")
    long.to_csv(tmp_path / "long.csv")
    for name in ("wide.csv", "long.csv"):
        assert locations(lambda name=name: fc.read_prices(tmp_path / name), PricesWarning) == {__file__}


def test_warnings_of_a_resumed_run_name_the_line_of_the_caller(tmp_path, monkeypatch):
    class Stopped(Exception):
        pass

    def stop(done, _):
        if done == 2:
            raise Stopped

    cv = fc.WalkForward(2, 4)
    with pytest.raises(Stopped):
        fc.backtest(fc.Drift(), walks(60), cv, out=tmp_path / "run", progress=stop)
    changed = {"drift": fc.Drift(), "mean": fc.WindowMean()}
    call = lambda: fc.backtest(changed, walks(60), cv, out=tmp_path / "run", resume=True)  # noqa: E731
    assert locations(call, ResumeWarning) == {__file__}


@pytest.mark.medium
def test_one_function_issues_all_warnings():
    for path in PACKAGE.rglob("*.py"):
        calls = [
            ast.unparse(node.func)
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call)
        ]
        assert "warnings.warn" not in calls or path.name == "_warnings.py", path
