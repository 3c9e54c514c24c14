"""The models: each a Forecaster, alike to fit, to forecast with and to compare."""

from __future__ import annotations

import importlib
from typing import Any

from forecast.models.base import Forecast, Forecaster
from forecast.models.naive import Drift, MeanReversion, Naive, SeasonalNaive, WindowMean
from forecast.models.registry import make_model, model_names

_HOMES = {
    "ARIMA": "arima",
    "Conformal": "conformal",
    "ETS": "smoothing",
    "EWMA": "volatility",
    "Ensemble": "ensemble",
    "GARCH": "volatility",
    "HAR": "volatility",
    "Recurrent": "recurrent",
    "RecurrentClassifier": "classifier",
    "Tabular": "tabular",
    "Theta": "smoothing",
    "load_model": "store",
}  # loaded on first use: statsmodels and torch are heavy

__all__ = [
    "ARIMA",
    "ETS",
    "EWMA",
    "GARCH",
    "HAR",
    "Conformal",
    "Drift",
    "Ensemble",
    "Forecast",
    "Forecaster",
    "MeanReversion",
    "Naive",
    "Recurrent",
    "RecurrentClassifier",
    "SeasonalNaive",
    "Tabular",
    "Theta",
    "WindowMean",
    "load_model",
    "make_model",
    "model_names",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"forecast.models.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'forecast.models' has no attribute {name!r}")
