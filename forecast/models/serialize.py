"""Models and their parameters as JSON values, and back: the one serializer, of stored models and of a run's spec.

A model, or a dataclass of this package, becomes ``{"class": name, "params": {...}}``; in the store a fitted model also
has a "state". Tuples become JSON lists, as nearly all parameters are tuples. What JSON cannot represent becomes an
object with a single key, which names the type: ``{"list": [...]}``, ``{"dict": [[key, value], ...]}``,
``{"float": "nan"}``, ``{"date": "2024-01-01T00:00:00"}`` and, in the store, ``{"array": name}``, ``{"values": [...]}``
(an array of objects) and ``{"table": {...}}``.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from forecast._estimator import importable_name
from forecast.models.registry import CLASSES, PARTS, find_class

TAGS = {"class", "list", "dict", "float", "date", "array", "values", "table"}


def parameters(value: Any) -> dict[str, Any] | None:
    """Return the constructor arguments of a model, or of a dataclass of this package, by name; None of other objects.

    A model is whatever has `get_params`.
    """
    if isinstance(value, type):
        return None
    if hasattr(value, "get_params"):
        return value.get_params(deep=False)
    if is_dataclass(value) and _is_registered(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None


def fitted_attributes(model: Any) -> dict[str, Any]:
    """Return the attributes that fitting has set: those whose names end in an underscore."""
    return {name: value for name, value in vars(model).items() if name.endswith("_")}


def refuse(value: Any) -> Any:
    """Raise TypeError for an object that could only be restored by running code that is not of this package."""
    if inspect.isroutine(value) or isinstance(value, type):
        name = importable_name(value)
        raise TypeError(
            f"{name} cannot be saved: a saved model is loaded without running code that is not of this package. Pickle "
            f"the model instead, and load it where {name} can be imported"
        )
    raise TypeError(f"{value!r} cannot be saved: only models of this package can be loaded without running code")


def encode(value: Any, arrays: dict[str, np.ndarray] | None = None, on_foreign: Callable[[Any], Any] = refuse) -> Any:
    """Return a value as JSON values.

    `value` is a model, a parameter, or what a model has fitted. `arrays` is filled with the arrays found, by the names
    that stand for them, and fitted models are encoded with their state; without it only parameters are encoded, and an
    array is a foreign object. `on_foreign` returns the JSON value of an object that `decode` cannot restore, or raises.
    """
    inner = partial(encode, arrays=arrays, on_foreign=on_foreign)
    if isinstance(value, np.generic) and value.dtype.kind in "biufUS":
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(float(value))}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, pd.Timestamp):
        return {"date": value.isoformat()}
    if isinstance(value, tuple):
        return [inner(item) for item in value]
    if isinstance(value, list):
        return {"list": [inner(item) for item in value]}
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value) and not TAGS & value.keys():
            return {key: inner(item) for key, item in value.items()}
        return {"dict": [[inner(key), inner(item)] for key, item in value.items()]}
    if arrays is not None and isinstance(value, (np.ndarray, pd.DataFrame)):
        return _encode_array(value, arrays)
    return _encode_object(value, arrays, inner) if _is_registered(value) else on_foreign(value)


def _is_registered(value: Any) -> bool:
    """Return whether the value's class is in the registry, so that `decode` can find it by its name."""
    return type(value).__module__ == {**CLASSES, **PARTS}.get(type(value).__name__)


def _encode_object(value: Any, arrays: dict[str, np.ndarray] | None, inner: Callable[[Any], Any]) -> dict[str, Any]:
    params = parameters(value) or {}
    encoded = {"class": type(value).__name__, "params": {name: inner(item) for name, item in params.items()}}
    if arrays is not None:
        state = value._state() if hasattr(value, "_state") else fitted_attributes(value)
        if state:
            encoded["state"] = {name: inner(item) for name, item in state.items()}
    return encoded


def _encode_array(value: np.ndarray | pd.DataFrame, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if isinstance(value, pd.DataFrame):
        columns = {str(name): _encode_array(value[name].to_numpy(), arrays) for name in value}
        return {"table": {"columns": columns, "index": _encode_array(value.index.to_numpy(), arrays)}}
    if value.dtype.hasobject:  # NumPy would pickle it
        return {"values": [encode(item, arrays) for item in value.tolist()]}
    arrays[name := f"a{len(arrays)}"] = value
    return {"array": name}


def decode(value: Any, arrays: Mapping[str, np.ndarray] | None = None) -> Any:
    """Return what `encode` encoded; raise ValueError for a class that this package does not have."""
    inner = partial(decode, arrays=arrays)
    if isinstance(value, list):
        return tuple(inner(item) for item in value)
    if not isinstance(value, dict):
        return value
    if "class" in value:
        return _decode_object(value, inner)
    if not TAGS & value.keys():
        return {key: inner(item) for key, item in value.items()}
    ((tag, content),) = value.items()
    return {
        "list": lambda: [inner(item) for item in content],
        "dict": lambda: {inner(key): inner(item) for key, item in content},
        "float": lambda: float(content),
        "date": lambda: pd.Timestamp(content),
        "array": lambda: (arrays or {})[content],
        "values": lambda: _object_array([inner(item) for item in content]),
        "table": lambda: pd.DataFrame(
            {name: inner(column) for name, column in content["columns"].items()}, index=inner(content["index"])
        ),
    }[tag]()


def _decode_object(value: dict[str, Any], inner: Callable[[Any], Any]) -> Any:
    name = value["class"]
    if name not in CLASSES and name not in PARTS:
        raise ValueError(f"{name} is not a class of this package")
    result = find_class(name)(**{key: inner(item) for key, item in value["params"].items()})
    if state := {key: inner(item) for key, item in value.get("state", {}).items()}:
        if hasattr(result, "_restore"):
            result._restore(state)
        else:
            vars(result).update(state)
    return result


def _object_array(items: list[Any]) -> np.ndarray:
    result = np.empty(len(items), dtype=object)
    result[:] = items
    return result
