"""Does a recurrent network beat ARIMA, or doing nothing, on my series? An honest walk-forward answer, fast.

>>> import forecast as fc
>>> prices = fc.load_sample("stocks")
>>> models = {"arima": fc.ARIMA((1, 1, 1)), "lstm": fc.Recurrent("lstm", trainer=fc.Trainer(steps=20))}
>>> result = fc.backtest(models, prices, fc.WalkForward(horizon=5, n_windows=40), refit=40)
>>> print(result.verdicts())
Where will it be: no model beats naive, the last value...

Every public name is an attribute of this package and is loaded on first use, so the import itself loads none of the
heavy libraries. Type checkers and editors read `__init__.pyi`, which `tests/test_types.py` writes. Submodules
are private: their paths may change. The package that runs a backtest is called `forecast.backtesting`, as
`forecast.backtest` is the function.
"""

from __future__ import annotations

import importlib
from typing import Any

from forecast.models.registry import CLASSES, FUNCTIONS

#: The public names of each module; the models' are in the registry.
_PUBLIC = {
    "data.panel": ("Panel", "Prices", "as_panel"),
    "data.samples": ("load_sample", "samples"),
    "data.files": ("read_prices",),
    "data.yahoo.download": ("DownloadError", "download"),
    "data.yahoo.client": ("Yahoo",),
    "data.calendar": ("next_dates",),
    "data.calendar_columns": ("calendar_columns",),
    "data.checks": ("PriceReport", "check_prices"),
    "data.targets": ("garman_klass", "log_returns", "make_target", "parkinson", "realised_variance"),
    "models.recurrent.diagnostics": ("gradient_flow",),
    "models.recurrent.pretrained.simulation": ("simulate",),
    "backtesting.split": ("Fold", "WalkForward"),
    "backtesting.run": ("backtest",),
    "backtesting.result": ("BacktestResult",),
    "backtesting.tuning": ("Tuning", "tune"),
    "evaluation.audit": ("AuditReport", "audit"),
    "evaluation.importance": ("Importance", "importance"),
    "report.plots.errors": ("plot_calibration", "plot_error_by_step", "plot_skill_through_time"),
    "report.plots.folds": ("plot_folds",),
    "report.plots.forecasts": ("plot_forecasts",),
    "report.plots.importances": ("plot_importance",),
    "report.plots.skill_by_series": ("plot_by_series",),
    "report.plots.training": ("plot_gradient_flow", "plot_history", "plot_training"),
    "report.html.page": ("write_report",),
}
_MODULES = {name: f"forecast.{module}" for module, names in _PUBLIC.items() for name in names}
_MODULES |= {**CLASSES, **FUNCTIONS}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'forecast' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
