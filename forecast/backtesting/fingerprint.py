"""What a model is, as a hash: two have the same only where they do the same, whatever their classes are called."""

from __future__ import annotations

import copyreg
import dis
import functools
import hashlib
import json
import sys
import types
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

PLAIN = (type(None), bool, int, float, complex, str, bytes)
ARRAYS = (np.ndarray, np.generic, pd.DataFrame, pd.Series, pd.Index)
COMPILED = (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)
SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)
LOOKUPS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
METHODS = (types.FunctionType, staticmethod, classmethod, property)


def fingerprint(value: Any) -> str:
    """Hash a model: its class, its parameters and theirs, and the code of all that no installed package brings.

    Of code that is compiled, and of what cannot be copied (a lock, an open file), nothing can be told: its hash is
    drawn by chance and is like no other, so that nothing is ever taken over from an earlier run.
    """
    return hashlib.sha256(json.dumps(_Writer().write(value)).encode()).hexdigest()


class _Writer:
    """Writes values as JSON; functions and classes, which may name each other, once."""

    def __init__(self) -> None:
        self.met: dict[int, Any] = {}  # functions and classes
        self.within: dict[int, int] = {}  # the values that are being written, each in the one before

    def write(self, value: Any) -> Any:
        """Write a value of any kind."""
        if type(value) in PLAIN:
            return repr(value)
        if isinstance(value, (type, types.FunctionType)):
            return self._code_of(value)
        if id(value) in self.within:
            return ["within", self.within[id(value)]]
        self.within[id(value)] = len(self.within)
        try:
            return self._parts(value)
        except Exception:  # whatever an object's own way to be copied raises
            return _unknown()
        finally:
            del self.within[id(value)]

    def _parts(self, value: Any) -> Any:
        kind = type(value)
        if kind in (list, tuple):
            return [kind.__name__, *map(self.write, value)]
        if kind in (set, frozenset):
            return [kind.__name__, *_in_order(map(self.write, value))]
        if kind is dict:
            return ["dict", *_in_order([self.write(k), self.write(v)] for k, v in value.items())]
        if isinstance(value, ARRAYS):
            return joblib.hash(value)
        if isinstance(value, types.CodeType):
            return self._bytecode(value)
        if isinstance(value, property):
            return ["property", *map(self.write, (value.fget, value.fset, value.fdel))]
        if isinstance(value, types.MethodType):
            return ["method", self.write(value.__func__), self.write(value.__self__)]
        inner = value.func if isinstance(value, functools.cached_property) else getattr(value, "__wrapped__", None)
        if inner is not None:  # of a static or class method, of a function whose answers are remembered
            return [kind.__qualname__, self.write(inner)]
        if hasattr(value, "get_params"):
            # In how many processes a model works is no part of what it says.
            params = {name: each for name, each in value.get_params(deep=False).items() if name != "n_jobs"}
            return [self.write(kind), self.write(params)]
        return self._copied(value)

    def _copied(self, value: Any) -> Any:
        """Write what `copy` would make another one of."""
        said = None
        if not isinstance(value, (*COMPILED, types.ModuleType)):
            known = copyreg.dispatch_table.get(type(value))
            said = known(value) if known is not None else value.__reduce_ex__(4)
        if isinstance(said, tuple):
            return [self.write(list(part) if isinstance(part, Iterator) else part) for part in said]
        # It has a name, and no more than that can be told.
        owner = getattr(value, "__objclass__", type(value))
        home = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
        installed = _installed(home or owner.__module__)
        name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or str(said)
        return _unknown() if installed is None else [home, name, installed]

    def _code_of(self, value: Any) -> Any:
        """Write a function or a class: of an installed package its name and version, else what it is made of."""
        name, installed = f"{value.__module__}.{value.__qualname__}", _installed(value.__module__)
        if installed is not None and "<" not in name:
            return [name, installed]
        if id(value) in self.met:
            return ["as before", list(self.met).index(id(value))]
        self.met[id(value)] = value
        if isinstance(value, type):
            return [name, self.write(type(value)), self.write(value.__bases__), self._members(value)]
        used = {} if installed is not None else self._used(value.__globals__, _looked_up(value.__code__), value)
        held = [self.write(value.__defaults__), self.write(value.__kwdefaults__), self._cells(value.__closure__ or ())]
        return [name, self._bytecode(value.__code__), held, used]

    def _members(self, kind: type) -> dict[str, Any]:
        """Write what a class defines; of the rest that Python puts into it nothing counts but methods."""
        own = {name: value for name, value in vars(kind).items() if not isinstance(value, SLOTS)}
        return {
            name: self.write(value)
            for name, value in sorted(own.items())
            if isinstance(value, METHODS) or not (name.startswith("__") or name == "_abc_impl")
        }

    def _used(self, there: dict[str, Any], wanted: set[str], by: types.FunctionType, seen: Any = ()) -> dict[str, Any]:
        """Write what names stand for in a module; of other modules of one's own what the function may take of them."""
        found: dict[str, Any] = {}
        for name in sorted(wanted & there.keys()):
            value = there[name]
            if not isinstance(value, types.ModuleType) or _installed(value.__name__) is not None:
                found[name] = self.write(value)
            elif value not in seen:
                found[name] = self._used(vars(value), _names(by.__code__), by, (*seen, value))
        return found

    def _cells(self, cells: Iterable[Any]) -> list[Any]:
        held = []
        for cell in cells:
            try:
                held.append(self.write(cell.cell_contents))
            except ValueError:  # not filled yet
                held.append(None)
        return held

    def _bytecode(self, code: types.CodeType) -> list[Any]:
        """Write what runs, and neither in which file it stands nor in which line."""
        shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        return [code.co_code.hex(), code.co_exceptiontable.hex(), shape, names, [*map(self.write, code.co_consts)]]


def _in_order(written: Iterable[Any]) -> list[Any]:
    return sorted(written, key=json.dumps)


def _unknown() -> list[str]:
    return ["unknown", uuid.uuid4().hex]


def _names(code: types.CodeType) -> set[str]:
    """Collect all names in a function's code, and in that of the functions inside."""
    return set(code.co_names).union(*(_names(const) for const in code.co_consts if isinstance(const, types.CodeType)))


def _looked_up(code: types.CodeType) -> set[str]:
    """Collect those that it looks up where it was defined."""
    own = {str(step.argval) for step in dis.get_instructions(code) if step.opname in LOOKUPS}
    return own.union(*(_looked_up(const) for const in code.co_consts if isinstance(const, types.CodeType)))


def _installed(module: str | None) -> str | None:
    """Give the version of the package that a module is installed with ("": that of Python, or this one); else None."""
    top = (module or "").partition(".")[0]
    if top in sys.stdlib_module_names or top == __package__.partition(".")[0]:
        return ""
    file = getattr(sys.modules.get(module or ""), "__file__", None) or ""
    if {"site-packages", "dist-packages"} & set(Path(file).parts):
        return str(getattr(sys.modules.get(top), "__version__", ""))
    return None
