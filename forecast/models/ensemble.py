"""Combinations of several models' forecasts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast._validation import check_choice
from forecast.data.panel import Panel
from forecast.models.base import LEVELS, Forecast, Forecaster, combine_forecasts, with_levels


class Ensemble(Forecaster):
    """The median (or mean) of several models' forecasts, and of their quantiles, level by level.

    `models` are forecasters of any kind; they are cloned, never changed. Each model's point forecasts are members of
    the result. If one of the models has no quantiles the ensemble has none: wrap that model, or the ensemble, in
    `Conformal`.

    >>> prices = np.array([1.0, 3.0, 5.0, 7.0])
    >>> both = fc.Ensemble([fc.Naive(), fc.Drift(log=False)], how="mean").fit(prices, horizon=1)
    >>> both.predict(prices).point.tolist()
    [[[8.0]]]
    """

    def __init__(self, models: Sequence[Forecaster], how: str = "median", levels: tuple[float, ...] = LEVELS) -> None:
        self.models = models
        self.how = how
        self.levels = levels

    @property
    def in_sample_is_valid(self) -> bool:
        """Whether all its models forecast training rows no better than later ones."""
        return all(model.in_sample_is_valid for model in self.models)

    def required_fields(self) -> tuple[str, ...]:
        """Return the names of the fields that are read in addition to the target."""
        return tuple(dict.fromkeys(name for model in self.models for name in model.required_fields()))

    def future_fields(self) -> tuple[str, ...]:
        """Return the names of the required fields of which the rows that are forecast are read, too."""
        return tuple(dict.fromkeys(name for model in self.models for name in model.future_fields()))

    def static_fields(self) -> tuple[str, ...]:
        """Return the names of the static inputs that are read."""
        return tuple(dict.fromkeys(name for model in self.models for name in model.static_fields()))

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs: those of the most demanding model."""
        return max(model.min_rows(horizon) for model in self.models)

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        check_choice("how", self.how, ("median", "mean"))
        if not isinstance(self.models, (list, tuple)) or not self.models:
            raise TypeError(f"models must be a list of forecasters; got {self.models!r}")
        for model in self.models:
            if not isinstance(model, Forecaster):
                raise TypeError(f"models must be a list of forecasters; it holds {model!r}")
            model.check_params()

    def parts(self) -> list[Forecaster]:
        """Return clones of the models with the levels of the ensemble, so that their quantiles can be combined."""
        return [with_levels(model, self.levels) for model in self.models]

    def combine(self, forecasts: Sequence[Forecast]) -> Forecast:
        """Return the median or the mean of its models' forecasts, quantiles level by level."""
        return combine_forecasts(forecasts, np.median if self.how == "median" else np.mean)

    def nests(self, other: Forecaster) -> bool:
        """Return whether every one of its models nests the other model."""
        return all(model.nests(other) for model in self.models)

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.models_ = [model.fit(panel, horizon) for model in self.parts()]
        self.record_ = {"models": [model.record_ for model in self.models_]}

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        return self.combine([model._predict_at(panel, rows) for model in self.models_])

    def _predict_point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        points = [model._predict_point_at(panel, rows) for model in self.models_]
        return np.median(points, axis=0) if self.how == "median" else np.mean(points, axis=0)
