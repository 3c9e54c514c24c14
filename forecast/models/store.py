"""Fitted models in folders: parameters and state as JSON and plain arrays, so that loading runs no foreign code."""

from __future__ import annotations

import hashlib
import io
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from forecast._io import ARRAYS, DESCRIPTION, MODEL, atomic_folder, read_description, user_path, write_json
from forecast.models.serialize import decode, encode

FORMAT = 5  # of the folder; any change of what is stored, or of its meaning, increases it


def save_model(model: Any, folder: str | Path) -> None:
    """Write a fitted model into a folder; an earlier model there is replaced once the new one is complete.

    Raises TypeError if the model, or its base, is of a class of your own: only classes of this package can be loaded
    without running foreign code.
    """
    arrays: dict[str, np.ndarray] = {}
    description = encode(model, arrays)
    with atomic_folder(folder, MODEL) as temporary:
        digest = _digest(description, _write_arrays(temporary / ARRAYS, arrays))
        head = {"kind": MODEL.mark, "format": FORMAT, "forecast": version("forecast"), "sha256": digest}
        write_json(temporary / DESCRIPTION, head | {"model": description})


def load_model(folder: str | Path) -> Any:
    """Read a fitted model from the folder that its `save` wrote; the forecasts are those of the saved model to the bit.

    Nothing is unpickled. Raises ValueError if the folder is damaged, or was written in another format.
    """
    path = user_path(folder)
    head = read_description(path, MODEL)
    try:
        content = (path / ARRAYS).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise ValueError(
            f"{path} is not a model: it has no {ARRAYS}. Name the folder that save or `forecast fit` wrote"
        ) from None
    except OSError as error:
        raise ValueError(f"{path / ARRAYS} cannot be read: {error.strerror or error}") from None
    if head.get("format") != FORMAT:
        raise ValueError(
            f"{path} was written by forecast {head.get('forecast', '(unknown)')} in format {head.get('format')}; "
            f"this is forecast {version('forecast')}, which reads format {FORMAT}: install that version, or train again"
        )
    if _digest(head.get("model"), content) != head.get("sha256"):
        raise ValueError(f"{path} is damaged: {DESCRIPTION} or {ARRAYS} has changed since. Train the model again")
    try:
        model = decode(head["model"], _read_arrays(content))
        model._check_ready()
    except (LookupError, TypeError, AttributeError, ValueError, BadZipFile) as error:
        raise ValueError(f"{path} does not describe a fitted model ({error}): train the model again") from error
    return model


def _digest(description: Any, content: bytes) -> str:
    """Return the hash of everything that defines the model."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode() + content).hexdigest()


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> bytes:
    """Write named arrays in NumPy's format; return the bytes written."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def _read_arrays(content: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return dict(stored)
