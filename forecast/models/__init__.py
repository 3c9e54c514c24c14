"""The models, and the registry of names under which the command line knows them."""

from __future__ import annotations

from forecast.models.base import Forecast, Forecaster
from forecast.models.naive import Drift, Naive, SeasonalNaive

__all__ = ["Drift", "Forecast", "Forecaster", "Naive", "SeasonalNaive"]
