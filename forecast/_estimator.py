"""scikit-learn's contract for estimators without importing scikit-learn, which takes a second and 70 MiB.

`sklearn.base.clone`, `Pipeline` and the like accept these objects: they need `get_params`, `set_params` and
`__sklearn_tags__`, not a base class.
"""

from __future__ import annotations

import copy
import functools
import inspect
from typing import Any, Self


def importable_name(value: Any) -> str:
    """Return the name by which a function or a class is imported, as in "mymodule.loss"."""
    return f"{value.__module__}.{value.__qualname__}"


def show(value: Any) -> str:
    """Return the repr of a parameter; of a function or a class its importable name, which is the same in every run."""
    return importable_name(value) if inspect.isroutine(value) or isinstance(value, type) else repr(value)


@functools.lru_cache(maxsize=256)
def _defaults_of(cls: Any) -> dict[str, Any]:
    """Return the parameters of a class's constructor with their defaults, sorted by name."""
    own = cls.__init__ is not object.__init__
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:] if own else []
    if variadic := [p.name for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]:
        raise TypeError(
            f"the constructor of {cls.__name__} takes any number of {', '.join(variadic)}: name every parameter, "
            "so that it can be set and copied"
        )
    return {p.name: p.default for p in sorted(parameters, key=lambda p: p.name)}


class Estimator:
    """An object whose parameters are its constructor's arguments, which the constructor only stores.

    A class with several parameters is a dataclass without `eq` and `repr`.
    """

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """Return the constructor's parameters with their defaults, sorted by name as in scikit-learn."""
        return dict(_defaults_of(cls))  # type: ignore[arg-type]  # a class is hashable

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; `deep` adds the parameters of parameters, as `trainer__lr`."""
        params = {}
        for name in self._defaults():
            value = params[name] = getattr(self, name)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                params |= {f"{name}__{inner}": inner_value for inner, inner_value in value.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name, those of a parameter as `trainer__lr`; raise ValueError for an unknown name."""
        known, settings = self._defaults(), dict[str, dict[str, Any]]()
        for name, value in params.items():
            outer, _, inner = name.partition("__")
            if outer not in known:
                raise ValueError(f"{type(self).__name__} has no parameter {outer!r}; it has {', '.join(known)}")
            settings.setdefault(outer, {})[inner] = value
        for outer, values in settings.items():
            if "" in values:  # set the parameter before its own parameters
                setattr(self, outer, values.pop(""))
            if values:
                getattr(self, outer).set_params(**values)
        return self

    def _always_shown(self) -> tuple[str, ...]:
        """Return the parameters that the repr shows also if they are the defaults, as what the model is called."""
        return ()

    def __repr__(self) -> str:
        always = self._always_shown()
        shown = [
            f"{name}={show(getattr(self, name))}"
            for name, default in self._defaults().items()
            if name in always or repr(getattr(self, name)) != repr(default)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __sklearn_tags__(self) -> Any:
        """Return the tags that scikit-learn reads of every estimator."""
        from sklearn.base import BaseEstimator

        return BaseEstimator.__sklearn_tags__(self)


def clone(model: Any) -> Any:
    """Return a new, unfitted model with copies of the parameters, as `sklearn.base.clone`.

    An object without parameters is deep-copied.
    """
    if type(model) is dict:
        return {name: clone(value) for name, value in model.items()}
    if type(model) in (list, tuple, set, frozenset):
        return type(model)(clone(value) for value in model)
    if isinstance(model, type) or not hasattr(model, "get_params"):
        return copy.deepcopy(model)
    if hasattr(model, "__sklearn_clone__"):
        return model.__sklearn_clone__()
    params = {name: clone(value) for name, value in model.get_params(deep=False).items()}
    result = type(model)(**params)
    stored = result.get_params(deep=False)
    if changed := [name for name, value in params.items() if stored[name] is not value]:
        raise RuntimeError(
            f"the constructor of {type(model).__name__} changes {', '.join(changed)}: only store the arguments there, "
            "and check and convert them in fit"
        )
    return result


def check_fitted(model: Any, attribute: str) -> None:
    """Raise scikit-learn's NotFittedError (a ValueError) unless the model has an attribute that fitting sets."""
    if attribute not in vars(model):
        from sklearn.exceptions import NotFittedError

        raise NotFittedError(f"this {type(model).__name__} is not fitted yet: call fit first")
