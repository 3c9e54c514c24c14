"""The fingerprint of a model: a hash that is equal only for models that compute the same, whatever their names.

It walks values itself instead of hashing what `models.serialize` writes, because it has to look into what cannot be
serialized: functions, classes with their bytecode, and objects of other packages.
"""

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

from forecast.models.serialize import parameters

PLAIN = (type(None), bool, int, float, complex, str, bytes)
ARRAYS = (np.ndarray, np.generic, pd.DataFrame, pd.Series, pd.Index)
COMPILED = (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)
SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)
LOOKUPS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
METHODS = (types.FunctionType, staticmethod, classmethod, property)


def fingerprint(value: Any) -> str:
    """Return the hash of a model: its class, its parameters and theirs, and all code outside installed packages.

    Compiled code, and what cannot be copied (a lock, an open file), cannot be inspected: its hash is random and equal
    to no other, so that no result of an earlier run is used for it.
    """
    return hashlib.sha256(json.dumps(_Writer().write(value)).encode()).hexdigest()


class _Writer:
    """Writes values as JSON, and functions and classes, which may refer to each other, once."""

    def __init__(self) -> None:
        self.written: dict[int, Any] = {}  # functions and classes
        self.enclosing: dict[int, int] = {}  # depths of the values that contain the current one, by id

    def write(self, value: Any) -> Any:
        """Return a value of any type as JSON values."""
        if type(value) in PLAIN:
            return repr(value)
        if isinstance(value, (type, types.FunctionType)):
            return self._write_code(value)
        if id(value) in self.enclosing:
            return ["within", self.enclosing[id(value)]]
        self.enclosing[id(value)] = len(self.enclosing)
        try:
            return self._write_contents(value)
        except Exception:  # an object's own methods of copying may raise anything
            return _unknown()
        finally:
            del self.enclosing[id(value)]

    def _write_contents(self, value: Any) -> Any:
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
            return self._write_bytecode(value)
        if isinstance(value, property):
            return ["property", *map(self.write, (value.fget, value.fset, value.fdel))]
        if isinstance(value, types.MethodType):
            return ["method", self.write(value.__func__), self.write(value.__self__)]
        inner = value.func if isinstance(value, functools.cached_property) else getattr(value, "__wrapped__", None)
        if inner is not None:  # of a static or class method, or of a cached function
            return [kind.__qualname__, self.write(inner)]
        if (params := parameters(value)) is not None:
            # The number of processes does not change a forecast.
            return [self.write(kind), self.write({name: item for name, item in params.items() if name != "n_jobs"})]
        return self._write_reduced(value)

    def _write_reduced(self, value: Any) -> Any:
        """Return what `copy` would rebuild the value from, else its name and the version of its package."""
        reduced = None
        if not isinstance(value, (*COMPILED, types.ModuleType)):
            reduce = copyreg.dispatch_table.get(type(value))
            reduced = reduce(value) if reduce is not None else value.__reduce_ex__(4)
        if isinstance(reduced, tuple):
            return [self.write(list(part) if isinstance(part, Iterator) else part) for part in reduced]
        owner = getattr(value, "__objclass__", type(value))
        module = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
        installed = _installed_version(module or owner.__module__)
        name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or str(reduced)
        return _unknown() if installed is None else [module, name, installed]

    def _write_code(self, value: Any) -> Any:
        """Return the name and version of a function or class of an installed package, else its definition."""
        name, installed = f"{value.__module__}.{value.__qualname__}", _installed_version(value.__module__)
        if installed is not None and "<" not in name:
            return [name, installed]
        if id(value) in self.written:
            return ["as before", list(self.written).index(id(value))]
        self.written[id(value)] = value
        if isinstance(value, type):
            return [name, self.write(type(value)), self.write(value.__bases__), self._write_members(value)]
        used = {}
        if installed is None:
            used = self._write_globals(value.__globals__, _global_lookups(value.__code__), value)
        bound = [self.write(value.__defaults__), self.write(value.__kwdefaults__)]
        bound.append(self._write_cells(value.__closure__ or ()))
        return [name, self._write_bytecode(value.__code__), bound, used]

    def _write_members(self, kind: type) -> dict[str, Any]:
        """Return what a class defines: its methods, and the attributes that Python has not added."""
        own = {name: value for name, value in vars(kind).items() if not isinstance(value, SLOTS)}
        return {
            name: self.write(value)
            for name, value in sorted(own.items())
            if isinstance(value, METHODS) or not (name.startswith("__") or name == "_abc_impl")
        }

    def _write_globals(
        self, module: dict[str, Any], wanted: set[str], by: types.FunctionType, seen: tuple[Any, ...] = ()
    ) -> dict[str, Any]:
        """Return the values of a module's names; of the user's own modules those that the function may use."""
        found: dict[str, Any] = {}
        for name in sorted(wanted & module.keys()):
            value = module[name]
            if not isinstance(value, types.ModuleType) or _installed_version(value.__name__) is not None:
                found[name] = self.write(value)
            elif value not in seen:
                found[name] = self._write_globals(vars(value), _names(by.__code__), by, (*seen, value))
        return found

    def _write_cells(self, cells: Iterable[Any]) -> list[Any]:
        contents = []
        for cell in cells:
            try:
                contents.append(self.write(cell.cell_contents))
            except ValueError:  # empty
                contents.append(None)
        return contents

    def _write_bytecode(self, code: types.CodeType) -> list[Any]:
        """Return what runs, without the file and the lines that it comes from."""
        shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        return [code.co_code.hex(), code.co_exceptiontable.hex(), shape, names, [*map(self.write, code.co_consts)]]


def _in_order(written: Iterable[Any]) -> list[Any]:
    return sorted(written, key=json.dumps)


def _unknown() -> list[str]:
    return ["unknown", uuid.uuid4().hex]


def _names(code: types.CodeType) -> set[str]:
    """Return all names in a function's code, and in that of the functions inside it."""
    return set(code.co_names).union(*(_names(const) for const in code.co_consts if isinstance(const, types.CodeType)))


def _global_lookups(code: types.CodeType) -> set[str]:
    """Return the names that a function looks up in its module."""
    own = {str(step.argval) for step in dis.get_instructions(code) if step.opname in LOOKUPS}
    return own.union(*(_global_lookups(const) for const in code.co_consts if isinstance(const, types.CodeType)))


def _installed_version(module: str | None) -> str | None:
    """Return the version of a module's installed package ("" for Python's own and this one), None if it has none."""
    top = (module or "").partition(".")[0]
    if top in sys.stdlib_module_names or top == __package__.partition(".")[0]:
        return ""
    file = getattr(sys.modules.get(module or ""), "__file__", None) or ""
    if {"site-packages", "dist-packages"} & set(Path(file).parts):
        return str(getattr(sys.modules.get(top), "__version__", ""))
    return None
