"""The parameters of a model with their meanings, read from the docstrings of its class and of its parts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from forecast.models.registry import make_model


class Parameter(NamedTuple):
    """A parameter that --set sets: its path, such as "trainer.lr", its default and what it means."""

    name: str
    default: str
    meaning: str


def parameters(name: str) -> list[Parameter]:
    """Return the parameters of a model of the registry, those of its parts (as the trainer's) after the part's own."""
    return list(_parameters(make_model(name)))


def _parameters(model: Any, prefix: str = "") -> Iterator[Parameter]:
    meanings = read_meanings(type(model))
    for name, value in model.get_params(deep=False).items():
        yield Parameter(f"{prefix}{name}", repr(value), meanings.get(name, ""))
        part = value if hasattr(value, "get_params") else getattr(model, f"default_{name}", lambda: None)()
        if part is not None:
            yield from _parameters(part, f"{prefix}{name}.")


def read_meanings(cls: type) -> dict[str, str]:
    """Return the text on each parameter in the section "Parameters" of a class's docstring, inherited ones included.

    Of a class of another package it is the first sentence.
    """
    meanings: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        text = inspect.cleandoc(base.__doc__ or "")
        section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n---|\Z)", text, re.MULTILINE | re.DOTALL)
        entries = _entries(section[1]) if section else {}
        if not base.__module__.startswith("forecast."):
            entries = {name: re.split(r"(?<!i\.e\.)(?<=\.) | - ", meaning)[0] for name, meaning in entries.items()}
        meanings |= entries
    return meanings


def _entries(section: str) -> dict[str, str]:
    """Return the entries of a section by name; several names may share one, as in "log, levels : …"."""
    entries: dict[str, str] = {}
    for entry in re.finditer(r"^(\w[\w, ]*?)(?: ?: .*)?\n((?:(?: .*)?\n?)*?)(?=^\w|\Z)", section, re.MULTILINE):
        entries |= dict.fromkeys(re.split(r",\s*", entry[1]), " ".join(entry[2].replace("``", "`").split()))
    return entries
