"""Fitted models in a folder: what they know as JSON and plain arrays, so that loading one runs no foreign code."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast._io import ARRAYS, DESCRIPTION, MODEL, atomic_folder, write_json
from forecast.models.registry import CLASSES, PARTS, find_class

FORMAT = 3  # of the folder; any change of what is stored, or of its meaning, increases it


def save_model(model: Any, folder: str | Path) -> None:
    """Write a fitted model into a folder; a model that is there already is replaced once the new one is whole.

    Raises TypeError for a model, or a base, of a class of your own: only what this package defines can be loaded
    again without running foreign code.
    """
    arrays: dict[str, np.ndarray] = {}
    described = _encode(model, arrays)
    with atomic_folder(folder, MODEL) as beside:
        digest = _digest(described, _write_arrays(beside / ARRAYS, arrays))
        head = {"format": FORMAT, "forecast": version("forecast"), "sha256": digest}
        write_json(beside / DESCRIPTION, head | {"model": described})


def _digest(described: Any, content: bytes) -> str:
    """Hash all that makes up a model."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode() + content).hexdigest()


def load_model(folder: str | Path) -> Any:
    """Read a fitted model from the folder that its `save` made; it forecasts the same bytes as the one saved.

    Nothing is unpickled. Raises ValueError if the folder is damaged, or was written by another format of this package.
    """
    path = Path(folder)
    try:
        head = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
        content = (path / ARRAYS).read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        missing = Path(error.filename).name
        raise ValueError(f"{path} is not a model: it has no {missing}. Name the folder that save made") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path / DESCRIPTION} is damaged ({error}): train the model again") from None
    head = head if isinstance(head, dict) else {}
    if head.get("format") != FORMAT:
        raise ValueError(
            f"{path} was written by forecast {head.get('forecast', '(unknown)')} in format {head.get('format')}; "
            f"this is forecast {version('forecast')}, which reads format {FORMAT}: install that version, or train again"
        )
    if _digest(head.get("model"), content) != head.get("sha256"):
        raise ValueError(f"{path} is damaged: {DESCRIPTION} or {ARRAYS} is not as it was saved. Train the model again")
    return _decode(head["model"], _read_arrays(content))


def _encode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Write a value as JSON; arrays go into `arrays`, and what JSON does not know is tagged."""

    def inner(v: Any) -> Any:
        return _encode(v, arrays)

    if isinstance(value, float) and not np.isfinite(value):
        return {"$float": repr(float(value))}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return inner(value.item())
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "mM":
            return {"$dates": [str(value.dtype), value.astype(np.int64).tolist()]}
        if value.dtype.kind not in "bif":  # names and dates; what a tensor cannot hold
            return {"$values": [str(value.dtype), inner(value.astype(object).tolist())]}
        arrays[name := f"a{len(arrays)}"] = value
        return {"$array": name}
    if isinstance(value, pd.Timestamp):
        return {"$time": value.isoformat()}
    if isinstance(value, tuple):
        return {"$tuple": [inner(v) for v in value]}
    if isinstance(value, list):
        return [inner(v) for v in value]
    if isinstance(value, dict):
        if all(isinstance(k, str) and not k.startswith("$") for k in value):
            return {k: inner(v) for k, v in value.items()}
        return {"$dict": [[inner(k), inner(v)] for k, v in value.items()]}
    if isinstance(value, pd.DataFrame):
        return {"$table": {str(c): inner(value[c].to_numpy()) for c in value}, "index": inner(value.index.to_numpy())}
    return _encode_object(value, arrays)


def _encode_object(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    name = type(value).__name__
    if type(value).__module__ != {**CLASSES, **PARTS}.get(name):
        raise TypeError(f"{value!r} cannot be saved: only models of this package can be loaded without running code")
    if hasattr(value, "get_params"):
        state = value._state() if hasattr(value, "_state") else {}
        params = value.get_params(deep=False)
        return {"$model": name, "params": _encode(params, arrays), "state": _encode(state, arrays)}
    assert is_dataclass(value)
    return {"$data": name, "fields": _encode({f.name: getattr(value, f.name) for f in fields(value)}, arrays)}


def _decode(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    def inner(v: Any) -> Any:
        return _decode(v, arrays)

    if isinstance(value, list):
        return [inner(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "$model" in value:
        model = find_class(value["$model"])(**inner(value["params"]))
        if state := inner(value["state"]):
            model._restore(state)
        return model
    if "$data" in value:
        return find_class(value["$data"])(**inner(value["fields"]))
    if "$table" in value:
        return pd.DataFrame({c: inner(v) for c, v in value["$table"].items()}, index=inner(value["index"]))
    if not any(k.startswith("$") for k in value):
        return {k: inner(v) for k, v in value.items()}
    ((tag, content),) = value.items()
    return {
        "$float": lambda: float(content),
        "$array": lambda: arrays[content],
        "$dates": lambda: np.array(content[1], dtype=np.int64).astype(content[0]),
        "$values": lambda: np.array(inner(content[1]), dtype=content[0]),
        "$time": lambda: pd.Timestamp(content),
        "$tuple": lambda: tuple(inner(v) for v in content),
        "$dict": lambda: {inner(k): inner(v) for k, v in content},
    }[tag]()


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> bytes:
    """Write named arrays in NumPy's format; return the bytes written."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def _read_arrays(content: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return dict(stored)
