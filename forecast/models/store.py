"""Fitted models in folders: parameters and state as JSON and plain arrays, so that loading runs no foreign code."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from forecast import _io
from forecast._io import ARRAYS, DESCRIPTION, MODEL, atomic_folder, read_description, user_path, write_json
from forecast._validation import check_choice
from forecast.models.price_kind import PriceKind
from forecast.models.serialize import decode, encode

FORMAT = 5  # of the folder; any change of what is stored, or of its meaning, increases it


def save_model(model: Any, folder: str | Path, replace: bool = False) -> None:
    """Write a fitted model into a folder; an earlier model there is replaced once the new one is complete.

    Unless `replace`, that is done only if it is this model, or one of the same class that a command fitted on the same
    data. Raises TypeError if the model, or its base, is of a class of your own: only classes of this package can be
    loaded without running foreign code.
    """
    check_choice("replace", replace, (True, False))
    arrays: dict[str, np.ndarray] = {}
    description = encode(model, arrays)
    content = _as_bytes(arrays)
    digest = _digest(description, content)
    with _io.folder_lock(folder, MODEL) as target:
        if not replace and not _holds(target, digest):
            check_replaced(folder, type(model), getattr(model, "series_", ()), getattr(model, "prices_", None))
        with atomic_folder(folder, MODEL) as temporary:
            (temporary / ARRAYS).write_bytes(content)
            head = {"kind": MODEL.mark, "format": FORMAT, "forecast": version("forecast"), "sha256": digest}
            write_json(temporary / DESCRIPTION, head | {"model": description})


def check_replaced(folder: str | Path, kind: type, series: Sequence[str], prices: PriceKind | None) -> None:
    """Raise ValueError if a folder holds a model of another class, of other data or of unknown data, or a damaged one.

    Data are known to be the same where a command has read them: the same series of the same source.
    """
    path = user_path(folder)
    if not _io.is_kind(path, MODEL):
        return
    try:
        old = load_model(path)
    except ValueError as error:
        raise ValueError(f"{error}; replace=True replaces it") from error
    fitted_on, old_series = "", tuple(getattr(old, "series_", ()))
    if (old_prices := getattr(old, "prices_", None)) is not None:
        old_prices = _located(old_prices, path)
        fitted_on = f" fitted on {old_prices.describe(old_series)}"
        is_same_data = (
            prices is not None and "data" in old_prices.options and old_prices.is_same_data(_located(prices, path))
        )
        if type(old) is kind and old_series == tuple(series) and is_same_data:
            return
    raise ValueError(
        f"{path} holds {type(old).__name__}{fitted_on}: name another folder, or replace it with replace=True"
    )


def _located(prices: PriceKind, folder: Path) -> PriceKind:
    """Return the kind of prices with a relative path of them, which starts from `folder`, as one from where we are."""
    start = prices.options.get("folder")
    if start is None or _io.start_of_paths(start, folder) == Path.cwd():
        return prices
    data = str(_io.start_of_paths(start, folder) / prices.options["data"])
    return dataclasses.replace(prices, options={**prices.options, "data": data})


def _holds(folder: Path, digest: str) -> bool:
    """Return whether a folder holds the model with this hash."""
    try:
        return bool(read_description(folder, MODEL).get("sha256") == digest)
    except ValueError:
        return False


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


def _as_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Return named arrays in NumPy's format."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _read_arrays(content: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return dict(stored)
