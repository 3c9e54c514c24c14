"""What was run, as plain JSON values: enough to run it again, and to see whether the data are the same."""

from __future__ import annotations

import hashlib
import json
import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from forecast.backtesting.fingerprint import fingerprint
from forecast.backtesting.split import WalkForward
from forecast.data.checks import check_prices
from forecast.data.panel import Panel, format_date
from forecast.models.base import Forecaster
from forecast.models.registry import CLASSES, PARTS, find_class

VERSIONS = ("forecast", "pandas", "numpy", "torch", "scikit-learn", "statsmodels", "arch")


def make_spec(models: Mapping[str, Any], panel: Panel, cv: WalkForward, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a run: the data and their hash, the models with all parameters, the walk, the versions."""
    return {
        "data": {
            "source": str(panel.attrs.get("source", "given in Python")),
            **({"asked": panel.attrs["asked"]} if "asked" in panel.attrs else {}),
            "rows": len(panel),
            "first": format_date(panel.index[0]),
            "last": format_date(panel.index[-1]),
            "series": list(panel.series),
            "channels": list(panel.channels),
            "missing": {name: int(count) for name, count in panel.missing().items() if count},
            "report": check_prices(panel).to_dict(),
            "sha256": hash_history(panel, [len(panel)])[len(panel)],
        },
        "models": {name: _whole(model) for name, model in models.items()},
        "nests": {name: nested for name in models if (nested := _nested(models, name))},
        "cv": asdict(cv),
        **{name: describe(value) for name, value in settings.items()},
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Give the versions of the libraries that the numbers depend on."""
    return {name: version(name) for name in VERSIONS}


def hash_history(panel: Panel, stops: Iterable[int]) -> dict[int, str]:
    """Hash what is known of the prices before each of these rows: values, dates and names."""
    known = hashlib.sha256(repr((panel.series, panel.channels)).encode())
    hashes = {}
    at = 0
    for stop in sorted(set(stops)):
        known.update(np.ascontiguousarray(panel.values[at:stop]).tobytes())
        known.update(repr(list(map(format_date, panel.index[at:stop]))).encode())
        hashes[stop], at = known.copy().hexdigest(), stop
    return hashes


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what differs between the specs of two runs, as in "models.lstm" or "cv.horizon"."""
    now = json.loads(json.dumps(now))
    found = []
    for key in sorted({*before, *now} - {"skipped", "nests"}):
        old, new = before.get(key), now.get(key)
        if _hash(old) == _hash(new):
            continue
        if key in ("models", "cv", "versions") and isinstance(old, dict) and isinstance(new, dict):
            found += [f"{key}.{name}" for name in sorted({*old, *new}) if _hash(old.get(name)) != _hash(new.get(name))]
        else:
            found.append(key)
    return found


def _nested(models: Mapping[str, Any], name: str) -> list[str]:
    """List the models of a run that one of them would equal with some values of what it learns."""
    others = [(other, model) for other, model in models.items() if other != name and isinstance(model, Forecaster)]
    return [other for other, model in others if isinstance(models[name], Forecaster) and models[name].nests(model)]


def _hash(described: Any) -> Any:
    """Give the hash of models or prices: they may be the same though from elsewhere, others though they look alike."""
    return described.get("sha256", described) if isinstance(described, dict) else described


def _whole(model: Any) -> dict[str, Any]:
    """Describe a model of the race, with its hash."""
    said = describe(model)
    said = said if isinstance(said, dict) else {"class": type(model).__name__, "params": {}}
    return said | {"sha256": fingerprint(model)}


def describe(value: Any) -> Any:
    """Write a model, its parameters and theirs, as plain JSON values, which know neither NaN nor infinity."""
    if isinstance(value, (type, types.FunctionType)):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "get_params"):
        params = {name: describe(inner) for name, inner in value.get_params(deep=False).items()}
        return {"class": type(value).__name__, "params": params}
    if isinstance(value, (list, tuple)):
        return [describe(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    finite = not isinstance(value, float) or math.isfinite(value)
    return value if finite and isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def rebuild(described: Mapping[str, Any]) -> dict[str, Forecaster]:
    """Make models again of what `describe` wrote of them; raises ValueError for one that a spec cannot hold."""
    models = {}
    for name, description in described.items():
        models[name] = _rebuilt(description, name)
        if {key: said for key, said in _whole(models[name]).items() if key in description} != description:
            raise ValueError(f"the spec cannot say all about {name}: make it in Python, and run it there")
    return models


def _rebuilt(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return tuple(_rebuilt(inner, name) for inner in value)
    if not isinstance(value, Mapping):
        return value
    if value.get("class") not in {**CLASSES, **PARTS}:
        raise ValueError(f"{name} is or holds a {value.get('class')}, which is not of this package: run it in Python")
    params = {key: _rebuilt(inner, name) for key, inner in value["params"].items()}
    return find_class(value["class"])(**params)
