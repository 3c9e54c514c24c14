"""Walk-forward evaluation: `backtest` runs it and returns a `BacktestResult`."""

from __future__ import annotations

from forecast.backtesting.result import BacktestResult
from forecast.backtesting.run import ResumeWarning, backtest
