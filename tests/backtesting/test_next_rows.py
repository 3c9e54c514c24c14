"""What comes next: forecasts after the last row by models fitted again on all rows, which no score reads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.quick import walks

import forecast as fc

CV = fc.WalkForward(3, 6)


class Refuses(fc.Naive):
    """A model that fails on all rows, and on fewer does not."""

    def _fit(self, panel, horizon):
        if len(panel) == 120:
            raise ValueError("too many rows")
        super()._fit(panel, horizon)


def models():
    return {"drift": fc.Drift(), "pair": fc.Ensemble([fc.Drift(), fc.Naive()])}


def test_it_is_the_forecast_of_a_fit_on_all_rows_and_changes_no_score():
    prices = walks(120)
    plain = fc.backtest(models(), prices, CV, refit=3)
    result = fc.backtest(models(), prices, CV, refit=3, predict_next=True)
    assert plain.next is None
    pd.testing.assert_frame_equal(result.forecasts, plain.forecasts)
    assert len(result.fits) == len(plain.fits)
    assert result.spec == plain.spec
    for name, model in {"naive": fc.Naive(), **models()}.items():
        alone = model.fit(prices, 3).predict(prices).to_frame()
        rows = result.next[result.next["model"] == name]
        columns = ["unique_id", "step", "ds", "y_hat", "q0.1", "q0.9"]
        pd.testing.assert_frame_equal(
            rows[columns].reset_index(drop=True), alone[columns], check_dtype=False, check_exact=True
        )
    assert (result.next["y0"] == prices.iloc[-1][result.next["unique_id"]].to_numpy()).all()


def test_it_is_stored_and_added_to_a_finished_run(tmp_path):
    prices, calls = walks(120), []
    whole = fc.backtest(models(), prices, CV, refit=3, out=tmp_path / "whole", predict_next=True)
    fc.backtest(models(), prices, CV, refit=3, out=tmp_path / "run")
    options = {"refit": 3, "out": tmp_path / "run", "resume": True, "predict_next": True}
    later = fc.backtest(models(), prices, CV, **options, progress=lambda *now: calls.append(now))
    assert calls[-1] == (4, 4)  # naive, drift and both parts of the pair, once
    for one in (later, fc.BacktestResult.load(tmp_path / "run"), fc.BacktestResult.load(tmp_path / "whole")):
        pd.testing.assert_frame_equal(one.next, whole.next)
    fc.backtest(models(), prices, CV, **options, progress=lambda *now: pytest.fail("nothing is left to fit"))
    (tmp_path / "run" / "next.parquet").write_bytes(b"")
    with pytest.raises(ValueError, match=r"next\.parquet is damaged"):
        fc.BacktestResult.load(tmp_path / "run")


@pytest.mark.parametrize("warm", [False, True])
def test_a_stopped_run_continues_with_it(tmp_path, warm):
    prices, out, calls = walks(120), tmp_path / "run", []
    chosen = {"arima": fc.ARIMA((1, 1, 0))}

    def stop(now, total):
        if now == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # without the next rows, which the resumed run has
        fc.backtest(chosen, prices, CV, refit=3, warm=warm, out=out, progress=stop)
    options = {"refit": 3, "warm": warm, "predict_next": True}
    resumed = fc.backtest(chosen, prices, CV, **options, out=out, resume=True, progress=lambda *now: calls.append(now))
    assert calls[0] == (4, 6)
    whole = fc.backtest(chosen, prices, CV, **options)
    pd.testing.assert_frame_equal(resumed.next, whole.next)
    pd.testing.assert_frame_equal(resumed.forecasts, whole.forecasts)


def test_a_failure_there_is_recorded_and_stops_nothing():
    result = fc.backtest({"refuses": Refuses()}, walks(120), CV, predict_next=True)
    rows = result.next[result.next["model"] == "refuses"]
    assert rows["y_hat"].isna().all()
    assert set(rows["error"]) == {"ValueError: too many rows"}
    assert result.failures().empty
    assert result.next[result.next["model"] == "naive"]["y_hat"].notna().all()


def test_ended_series_have_none_and_a_rolling_fit_reads_the_newest_rows_only():
    prices = walks(120)
    prices.iloc[-1, 1] = np.nan
    cv = fc.WalkForward(3, 6, train_size=40, embargo=2)
    result = fc.backtest({"mean": fc.WindowMean(40), "drift": fc.Drift()}, prices, cv, predict_next=True)
    assert list(dict.fromkeys(result.next["unique_id"])) == ["S0", "S2"]
    changed = prices.copy()
    changed.iloc[:60] *= 2
    same = fc.backtest({"mean": fc.WindowMean(40), "drift": fc.Drift()}, changed, cv, predict_next=True)
    drift = [run.next[run.next["model"] == "drift"]["y_hat"] for run in (result, same)]
    np.testing.assert_allclose(*drift, rtol=1e-12)
