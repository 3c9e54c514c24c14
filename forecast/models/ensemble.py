"""A model of models: several forecasts, combined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.base import clone

from forecast.models.base import LEVELS, Forecast, Forecaster
from forecast.panel import Panel
from forecast.params import check_choice


class Ensemble(Forecaster):
    """The median (or mean) of several models' forecasts, and of their quantiles, level by level.

    `models` are forecasters of any kind; they are cloned, never changed. Each model's points are kept as members.
    Averaging quantiles rather than probabilities keeps the shape of a spread that the models agree on (Lichtendahl,
    Grushka-Cockayne and Winkler, 2013).
    """

    def __init__(self, models: Sequence[Forecaster], how: str = "median", levels: tuple[float, ...] = LEVELS) -> None:
        self.models = models
        self.how = how
        self.levels = levels

    @property
    def honest_in_sample(self) -> bool:
        """Whether all its models forecast training rows no better than later ones."""
        return all(getattr(model, "honest_in_sample", False) for model in self.models)

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        check_choice("how", self.how, ("median", "mean"))
        if not isinstance(self.models, (list, tuple)) or not self.models:
            raise TypeError(f"models must be a list of forecasters; got {self.models!r}")
        for model in self.models:
            if not isinstance(model, Forecaster):
                raise TypeError(f"models must be a list of forecasters; it holds {model!r}")
            model.check_params()

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: as many as the most demanding model."""
        return max(model.min_rows(horizon) for model in self.models)

    def reads(self) -> tuple[str, ...]:
        """Name the fields that are read beside the target."""
        return tuple(dict.fromkeys(name for model in self.models for name in model.reads()))

    def _fit(self, panel: Panel, horizon: int) -> None:
        # every model gives this ensemble's levels, so that they can be combined
        self.models_ = [clone(model).set_params(levels=tuple(self.levels)).fit(panel, horizon) for model in self.models]
        self.record_ = {"models": [model.record_ for model in self.models_]}

    def _combine(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        return np.median(arrays, axis=0) if self.how == "median" else np.mean(arrays, axis=0)

    def _point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        return self._combine([model._point_at(panel, rows) for model in self.models_])

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        each = [model._predict_at(panel, rows) for model in self.models_]
        quantiles = self._combine([forecast.quantiles for forecast in each if forecast.quantiles is not None])
        return Forecast(
            point=self._combine([forecast.point for forecast in each]),
            quantiles=quantiles,
            levels=tuple(self.levels),
            series=panel.series,
            cutoffs=panel.index[rows],
            members=np.stack([forecast.point for forecast in each]),
        )
