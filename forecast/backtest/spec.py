"""What was run, as plain JSON values: enough to run it again, and to see whether the data are the same."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from forecast.checks import check_prices
from forecast.models.base import Forecaster
from forecast.models.store import CLASSES
from forecast.panel import Panel, label
from forecast.splits import WalkForward

VERSIONS = ("forecast", "pandas", "numpy", "torch", "scikit-learn", "statsmodels", "arch")


def make_spec(models: Mapping[str, Any], panel: Panel, cv: WalkForward, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a run: the data and their hash, the models with all parameters, the walk, the versions."""
    return {
        "data": {
            "source": str(panel.attrs.get("source", "given in Python")),
            **({"asked": panel.attrs["asked"]} if "asked" in panel.attrs else {}),
            "rows": len(panel),
            "first": label(panel.index[0]),
            "last": label(panel.index[-1]),
            "series": list(panel.series),
            "channels": list(panel.channels),
            "missing": {name: int(count) for name, count in panel.missing().items() if count},
            "report": check_prices(panel).to_dict(),
            "sha256": known_at(panel, [len(panel)])[len(panel)],
        },
        "models": {name: describe(model) for name, model in models.items()},
        "nests": {name: nested for name in models if (nested := _nested(models, name))},
        "cv": asdict(cv),
        **settings,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Give the versions of the libraries that the numbers depend on."""
    return {name: version(name) for name in VERSIONS}


def known_at(panel: Panel, stops: Iterable[int]) -> dict[int, str]:
    """Hash what is known of the prices before each of these rows: values, dates and names."""
    known = hashlib.sha256(repr((panel.series, panel.channels)).encode())
    hashes = {}
    at = 0
    for stop in sorted(set(stops)):
        known.update(np.ascontiguousarray(panel.values[at:stop]).tobytes())
        known.update(repr(list(map(label, panel.index[at:stop]))).encode())
        hashes[stop], at = known.copy().hexdigest(), stop
    return hashes


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what differs between the specs of two runs, as in "models.lstm" or "cv.horizon"."""
    now = json.loads(json.dumps(now))
    found = []
    for key in sorted({*before, *now} - {"skipped", "nests"}):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        if key == "data" and old and new and old["sha256"] == new["sha256"]:
            continue  # the same prices from elsewhere
        if key in ("models", "cv", "versions") and isinstance(old, dict) and isinstance(new, dict):
            found += [f"{key}.{name}" for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        else:
            found.append(key)
    return found


def _nested(models: Mapping[str, Any], name: str) -> list[str]:
    """List the models of a run that one of them would equal with some values of what it learns."""
    others = [(other, model) for other, model in models.items() if other != name and isinstance(model, Forecaster)]
    return [other for other, model in others if isinstance(models[name], Forecaster) and models[name].nests(model)]


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


def rebuild(described: Mapping[str, Any]) -> dict[str, Forecaster]:
    """Make models again of what `describe` wrote of them; raises ValueError for one that a spec cannot hold."""
    models = {}
    for name, description in described.items():
        models[name] = _rebuilt(description, name)
        if describe(models[name]) != description:
            raise ValueError(f"the spec cannot say all about {name}: make it in Python, and run it there")
    return models


def _rebuilt(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return tuple(_rebuilt(inner, name) for inner in value)
    if not isinstance(value, Mapping):
        return value
    module = CLASSES.get(value.get("class", ""))
    if module is None:
        raise ValueError(f"{name} is or holds a {value.get('class')}, which is not of this package: run it in Python")
    params = {key: _rebuilt(inner, name) for key, inner in value["params"].items()}
    return getattr(importlib.import_module(module), value["class"])(**params)
