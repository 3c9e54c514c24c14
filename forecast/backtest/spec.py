"""What was run, as plain JSON values: enough to run it again, and to see whether the data are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from forecast.panel import Panel, label
from forecast.splits import WalkForward

VERSIONS = ("forecast", "pandas", "numpy", "torch", "scikit-learn", "statsmodels", "arch")


def make_spec(
    models: Mapping[str, Any], prices: Any, panel: Panel, cv: WalkForward, refit: int, season: int
) -> dict[str, Any]:
    """Describe a run: the data and their hash, the models with all parameters, the walk, the versions."""
    digest = hashlib.sha256(panel.values.tobytes())
    digest.update(repr((list(map(label, panel.index)), panel.series, panel.channels)).encode())
    return {
        "data": {
            "source": str(getattr(prices, "attrs", {}).get("source", "given in Python")),
            "rows": len(panel),
            "first": label(panel.index[0]),
            "last": label(panel.index[-1]),
            "series": list(panel.series),
            "channels": list(panel.channels),
            "missing": {name: int(count) for name, count in panel.missing().items() if count},
            "sha256": digest.hexdigest(),
        },
        "models": {name: describe(model) for name, model in models.items()},
        "cv": asdict(cv),
        "refit": refit,
        "season": season,
        "versions": {name: version(name) for name in VERSIONS},
    }


def describe(model: Any) -> Any:
    """Write a model, its parameters and theirs, as plain JSON values."""
    if hasattr(model, "get_params"):
        params = {name: describe(value) for name, value in model.get_params(deep=False).items()}
        return {"class": type(model).__name__, "params": params}
    if isinstance(model, (list, tuple)):
        return [describe(value) for value in model]
    if isinstance(model, np.generic):
        return model.item()
    return model if isinstance(model, (str, int, float, bool, type(None))) else repr(model)
