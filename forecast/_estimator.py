"""scikit-learn's contract for what has parameters, without importing scikit-learn: that takes a second and 70 MiB.

`sklearn.base.clone`, `Pipeline` and the like take these objects for their own: they ask for `get_params`, `set_params`
and `__sklearn_tags__`, not for a base class.
"""

from __future__ import annotations

import copy
import inspect
from typing import Any, Self


class Estimator:
    """What is set up by its constructor, which only stores: parameters are read, set and copied by their names."""

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """Give the constructor's parameters, sorted as scikit-learn has them, with their defaults."""
        given = [] if cls.__init__ is object.__init__ else list(inspect.signature(cls.__init__).parameters.values())[1:]
        if several := [each.name for each in given if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]:
            raise TypeError(
                f"the constructor of {cls.__name__} takes any number of {', '.join(several)}: name every parameter, "
                "so that it can be set and copied"
            )
        return {each.name: each.default for each in sorted(given, key=lambda each: each.name)}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Give the parameters by name; `deep` adds those of parameters that have some, as `trainer__lr`."""
        params = {}
        for name in self._defaults():
            value = params[name] = getattr(self, name)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                params |= {f"{name}__{inner}": each for inner, each in value.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name, those of a parameter as `trainer__lr`; raises ValueError for a name that is not."""
        known, within = self._defaults(), dict[str, dict[str, Any]]()
        for name, value in params.items():
            outer, _, inner = name.partition("__")
            if outer not in known:
                raise ValueError(f"{type(self).__name__} has no parameter {outer!r}; it has {', '.join(known)}")
            within.setdefault(outer, {})[inner] = value
        for outer, settings in within.items():
            if "" in settings:  # the parameter itself, before its own are set
                setattr(self, outer, settings.pop(""))
            if settings:
                getattr(self, outer).set_params(**settings)
        return self

    def __repr__(self) -> str:
        changed = [
            f"{name}={getattr(self, name)!r}"
            for name, default in self._defaults().items()
            if repr(getattr(self, name)) != repr(default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        """Say what scikit-learn asks of whatever is given to it."""
        from sklearn.base import BaseEstimator

        return BaseEstimator.__sklearn_tags__(self)


def clone(model: Any) -> Any:
    """Give a new one with the same parameters, copied, and nothing of what it has learnt.

    As `sklearn.base.clone`; what has no parameters is copied whole.
    """
    if type(model) is dict:
        return {name: clone(each) for name, each in model.items()}
    if type(model) in (list, tuple, set, frozenset):
        return type(model)(clone(each) for each in model)
    if isinstance(model, type) or not hasattr(model, "get_params"):
        return copy.deepcopy(model)
    if hasattr(model, "__sklearn_clone__"):
        return model.__sklearn_clone__()
    params = {name: clone(value) for name, value in model.get_params(deep=False).items()}
    made = type(model)(**params)
    kept = made.get_params(deep=False)
    if other := [name for name, value in params.items() if kept[name] is not value]:
        raise RuntimeError(
            f"the constructor of {type(model).__name__} changes {', '.join(other)}: let it only store what it is "
            "given, and check and convert in fit"
        )
    return made


def check_fitted(model: Any, attribute: str) -> None:
    """Raise scikit-learn's NotFittedError (a ValueError) unless a model has what fitting leaves."""
    if attribute not in vars(model):
        from sklearn.exceptions import NotFittedError

        raise NotFittedError(f"this {type(model).__name__} is not fitted yet: call fit first")
