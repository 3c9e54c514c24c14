"""Walk-forward evaluation: `backtest` runs it, `BacktestResult` is what it leaves behind."""

from __future__ import annotations

from forecast.backtest.result import BacktestResult
from forecast.backtest.walk import ResumeWarning, backtest

__all__ = ["BacktestResult", "ResumeWarning", "backtest"]
