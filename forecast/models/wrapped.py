"""Models of other packages as forecasters: wrapped once, where `backtest` and `audit` receive them."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy as np

from forecast._estimator import clone
from forecast.data.panel import Panel
from forecast.models.base import Forecast, Forecaster
from forecast.models.registry import make_model


class _FromLastRow(Protocol):
    """A model of another package that forecasts from the last row."""

    def fit(self, prices: Panel, horizon: int, /) -> object: ...

    def predict(self, prices: Panel, /) -> Forecast: ...


class _FromRows(Protocol):
    """A model of another package that forecasts from many rows in one pass."""

    def fit(self, prices: Panel, horizon: int, /) -> object: ...

    def predict_at(self, prices: Panel, cutoffs: np.ndarray, /) -> Forecast: ...


#: What a backtest or an audit can fit.
Model: TypeAlias = Forecaster | _FromLastRow | _FromRows


def as_forecaster(model: Model | str, name: str = "model") -> Forecaster:
    """Return a forecaster as it is, one of the registry by its name, and anything else wrapped.

    `name` is the model's name in the error. Raises TypeError if the model cannot be fitted or predict, and ValueError
    if there is none of this name.
    """
    if isinstance(model, str):
        return make_model(model)
    if isinstance(model, Forecaster):
        return model
    if not (hasattr(model, "fit") and (hasattr(model, "predict") or hasattr(model, "predict_at"))):
        raise TypeError(
            f"{name} must have fit(prices, horizon) and predict(prices) or predict_at(prices, cutoffs), "
            f"as a Forecaster has; got {model!r}"
        )
    return WrappedModel(model)


class WrappedModel(Forecaster):
    """A forecaster that passes a `Panel` to a model of another class.

    The model has `fit(prices, horizon)` and one of `predict(prices)` and `predict_at(prices, cutoffs)`, which return a
    `Forecast`. With `warm_start` among its parameters it can continue from its last fit.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def check_params(self) -> None:
        """Do nothing: the model checks its own parameters."""

    def enable_warm_start(self) -> bool:
        """Let each fit continue from the one before; return False if the model cannot."""
        can_continue = self._warm_start is not None
        if can_continue:
            self.model.set_params(warm_start=True)
        return can_continue

    @property
    def _warm_start(self) -> bool | None:
        """The model's parameter of this name, None if it has none."""
        return self.get_params().get("model__warm_start")

    def _fit(self, panel: Panel, horizon: int) -> None:
        if not self._warm_start or "model_" not in vars(self):
            self.model_ = clone(self.model)
        self.model_.fit(panel, horizon)
        self.record_ = dict(getattr(self.model_, "record_", {}))

    def _predict(self, panel: Panel) -> Forecast:
        return self.model_.predict(panel) if hasattr(self.model_, "predict") else super()._predict(panel)

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        if hasattr(self.model_, "predict_at"):
            return self.model_.predict_at(panel, rows)
        return super()._predict_at(panel, rows)
