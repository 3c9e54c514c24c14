"""The spec of a run as plain JSON values: enough to repeat it, and to detect whether the data have changed."""

from __future__ import annotations

import functools
import hashlib
import json
import types
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from forecast._estimator import importable_name
from forecast.backtesting.fingerprint import fingerprint
from forecast.backtesting.split import WalkForward
from forecast.data.checks import check_prices
from forecast.data.panel import Panel, format_date
from forecast.evaluation.losses import NAIVE
from forecast.models.base import Forecaster
from forecast.models.serialize import decode, encode, parameters
from forecast.models.wrapped import WrappedModel

#: Settings that specs of earlier versions do not contain.
DEFAULTS = {"reference": NAIVE, "against": None}
LISTED_SERIES = 5
VERSIONS = ("forecast", "pandas", "numpy", "torch", "scikit-learn", "statsmodels", "arch")


def make_spec(
    models: Mapping[str, Forecaster], panel: Panel, cv: WalkForward, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the spec of a run: the data and their hash, the models with all parameters, the split, the versions."""
    return {
        "data": {
            "source": str(panel.attrs.get("source", "given in Python")),
            **({"options": panel.attrs["options"]} if "options" in panel.attrs else {}),
            "rows": len(panel),
            "first": format_date(panel.index[0]),
            "last": format_date(panel.index[-1]),
            "field": panel.attrs.get("field"),
            "series": list(panel.series),
            "channels": list(panel.channels),
            **({} if panel.future is None else {"future": list(panel.future.names)}),
            **({} if panel.static is None else {"static": list(panel.static.names)}),
            "missing": {name: int(count) for name, count in panel.missing().items() if count},
            "report": check_prices(panel).to_dict(),
            "sha256": hash_history(panel, [len(panel)], cv.horizon)[len(panel)],
        },
        "models": {name: _model_spec(model) for name, model in models.items()},
        "nests": {name: nested for name in models if (nested := _nested(models, name))},
        "cv": asdict(cv),
        **{name: describe(value) for name, value in settings.items()},
        "versions": versions(),
    }


def describe_target(data: Mapping[str, Any]) -> str:
    """Return what the data of a spec forecast: the field and the first series, as in "Adj Close of AAPL and IBM".

    >>> describe_target({"field": "Volume", "series": ["AAPL", "IBM", "MSFT", "GOOG", "SAP", "BMW"]})
    'Volume of AAPL, IBM, MSFT, GOOG and 2 more'
    """
    listed = list(data["series"])
    if len(listed) > LISTED_SERIES:
        listed[LISTED_SERIES - 1 :] = [f"{len(listed) - LISTED_SERIES + 1} more"]
    series = ", ".join(listed[:-1]) + (" and " if len(listed) > 1 else "") + listed[-1]
    field = data.get("field")
    return series if field in (None, series) else f"{field} of {series}"


def versions() -> dict[str, str]:
    """Return the versions of the libraries that the numbers depend on."""
    return {name: _version(name) for name in VERSIONS}


#: Of a package, which does not change while it is loaded: its metadata are parsed once.
_version = functools.cache(version)


def hash_history(panel: Panel, stops: Iterable[int], horizon: int) -> dict[int, str]:
    """Return the hash of the prices before each of these rows: values, dates, names and known inputs of H more rows."""
    digest = hashlib.sha256(repr((panel.series, panel.channels)).encode())
    if panel.static is not None:
        digest.update(repr((panel.static.names, [column.tolist() for column in panel.static.columns])).encode())
    hashes = {}
    start = 0
    for stop in sorted(set(stops)):
        digest.update(np.ascontiguousarray(panel[start:stop].values).tobytes())
        digest.update(repr(list(map(format_date, panel.index[start:stop]))).encode())
        known = digest.copy()
        if panel.future is not None:
            known.update(repr(panel.future.names).encode())
            known.update(np.ascontiguousarray(panel.future.values[stop : stop + horizon]).tobytes())
        hashes[stop], start = known.hexdigest(), stop
    return hashes


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the names of what differs between the specs of two runs, as in "models.lstm" or "cv.horizon"."""
    before, now = DEFAULTS | dict(before), json.loads(json.dumps(now))
    names = []
    for key in sorted({*before, *now} - {"skipped", "nests", "forecasts", "next"}):
        old, new = before.get(key), now.get(key)
        if _identity(old) == _identity(new):
            continue
        if key in ("models", "cv", "versions") and isinstance(old, dict) and isinstance(new, dict):
            changed = [name for name in {*old, *new} if _identity(old.get(name)) != _identity(new.get(name))]
            names += [f"{key}.{name}" for name in sorted(changed)]
        else:
            names.append(key)
    return names


def describe(value: Any) -> Any:
    """Return a model with its parameters, or another value, as JSON values; objects that are not ours by description.

    Of an object with `get_params` the description is its class and parameters, of a function or a class its name, of
    anything else its repr: enough for a reader, but not to restore it.
    """
    return encode(value, on_foreign=_describe_foreign)


def rebuild(models: Mapping[str, Any]) -> dict[str, Forecaster]:
    """Return the models of a spec; raise ValueError for one that a spec cannot represent."""
    result = {}
    for name, spec in models.items():
        try:
            result[name] = decode(spec)
        except ValueError as error:
            raise ValueError(f"{name} cannot be rebuilt from the spec: {error}. Run it in Python") from None
        if {key: value for key, value in _model_spec(result[name]).items() if key in spec} != spec:
            raise ValueError(f"the spec does not describe {name} completely: build it in Python, and run it there")
    return result


def _model_spec(model: Any) -> dict[str, Any]:
    """Return the class, the parameters and the fingerprint of a model; of a wrapped model those of the inner one."""
    inner = model.model if isinstance(model, WrappedModel) else model
    description = describe(inner)
    if not isinstance(description, dict):  # it has no parameters
        description = {"class": type(inner).__name__, "params": {}}
    return description | {"sha256": fingerprint(inner)}


def _describe_foreign(value: Any) -> Any:
    if isinstance(value, (type, types.FunctionType)):
        return importable_name(value)
    params = parameters(value)
    if params is None:
        return repr(value)
    return {"class": type(value).__name__, "params": {name: describe(item) for name, item in params.items()}}


def _nested(models: Mapping[str, Forecaster], name: str) -> list[str]:
    """Return the names of the models that one of them contains as a special case."""
    return [other for other, model in models.items() if other != name and models[name].nests(model)]


def _identity(value: Any) -> Any:
    """Return the hash of models or prices, which may be equal though their descriptions differ, or the reverse."""
    return value.get("sha256", value) if isinstance(value, dict) else value
