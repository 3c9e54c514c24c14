"""Forecasters, all with the same interface; each module loads on first use, as statsmodels and torch are heavy."""

from __future__ import annotations

import importlib
from typing import Any

from forecast.models.registry import CLASSES, FUNCTIONS


def __getattr__(name: str) -> Any:
    module = {**CLASSES, **FUNCTIONS}.get(name)
    if module is None:
        raise AttributeError(f"module 'forecast.models' has no attribute {name!r}")
    return getattr(importlib.import_module(module), name)
