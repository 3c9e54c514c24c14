"""Results that the parts of one evaluation share: within `shared()`, each is computed once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_cache: ContextVar[dict[Hashable, tuple[object, Any]] | None] = ContextVar("shared", default=None)


@contextmanager
def shared() -> Iterator[None]:
    """Return a context in which functions marked by `once` return what they returned for the same arguments before.

    Tables are the same if they are the same object, so none may be changed inside. A context inside another is part of
    it; at the end of the outer one all results are released.
    """
    if _cache.get() is not None:
        yield
        return
    token = _cache.set({})
    try:
        yield
    finally:
        _cache.reset(token)


def once(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with its results shared inside `shared()`; outside it is as before."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        cache = _cache.get()
        if cache is None:
            return function(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        key = (function, *map(_identity, bound.arguments.values()))
        if key not in cache:  # the arguments are stored, so that no other object takes their identity
            cache[key] = bound, function(*args, **kwargs)
        result: R = cache[key][1]
        return result

    return wrapper


def _identity(value: Any) -> Hashable:
    """Return what distinguishes an argument from others: its value if it has a hash, else which object it is."""
    if isinstance(value, list):
        value = tuple(value)
    try:
        hash(value)
    except TypeError:
        return type(value), id(value)
    return type(value), value
