"""Does a recurrent net beat ARIMA, or doing nothing, on my series? An honest walk-forward answer, fast.

>>> import forecast as fc
>>> prices = fc.load_sample("stocks")
>>> models = {"arima": fc.ARIMA((1, 1, 1)), "lstm": fc.Recurrent("lstm", trainer=fc.Trainer(steps=20))}
>>> result = fc.backtest(models, prices, fc.WalkForward(horizon=5, n_windows=40), refit=40)
>>> print(result.verdict().sentence)
No model beats naive over 40 cutoffs: ...

Names resolve on first use: importing the package loads none of the heavy libraries.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

#: Where each public name lives.
_HOMES = {
    "Panel": "panel",
    "as_panel": "panel",
    "Fold": "splits",
    "WalkForward": "splits",
    "load_sample": "sources",
    "samples": "sources",
    "next_dates": "dates",
    "read_prices": "sources",
    "download": "sources",
    "DownloadError": "sources",
    "Yahoo": "sources",
    "Forecast": "models",
    "Forecaster": "models",
    "Naive": "models",
    "Drift": "models",
    "SeasonalNaive": "models",
    "ARIMA": "models",
    "WindowMean": "models",
    "MeanReversion": "models",
    "ETS": "models",
    "Theta": "models",
    "Tabular": "models",
    "HAR": "models",
    "GARCH": "models",
    "EWMA": "models",
    "parkinson": "targets",
    "garman_klass": "targets",
    "log_returns": "targets",
    "realised_variance": "targets",
    "make_target": "targets",
    "check_prices": "checks",
    "PriceReport": "checks",
    "Ensemble": "models",
    "Conformal": "models",
    "Recurrent": "models",
    "RecurrentClassifier": "models",
    "Trainer": "nn",
    "load_model": "models",
    "make_model": "models",
    "model_names": "models",
    "backtest": "backtest",
    "BacktestResult": "backtest",
    "audit": "audit",
    "AuditReport": "audit",
    "tune": "tune",
    "Tuned": "tune",
    "Tuning": "tune",
    "plot_calibration": "plots",
    "plot_error_by_step": "plots",
    "plot_folds": "plots",
    "plot_forecasts": "plots",
    "plot_gradient_flow": "plots",
    "plot_history": "plots",
    "plot_skill_through_time": "plots",
    "plot_training": "plots",
    "gradient_flow": "diagnostics",
    "write_report": "report",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"forecast.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'forecast' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])


class _Package(ModuleType):
    """Keeps `forecast.backtest` the function: importing a submodule would bind the module over a name of its own."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        """Travel to other processes by name, within classes of a notebook that use the package."""
        return importlib.import_module, (self.__name__,)

    def __setattr__(self, name: str, value: Any) -> None:
        own = name in _HOMES and isinstance(value, ModuleType)
        super().__setattr__(name, getattr(value, name) if own else value)


sys.modules[__name__].__class__ = _Package
