"""What a base would have said of training rows that it was not fitted on: the rows a network learns to correct."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np

from forecast._estimator import clone
from forecast.data.panel import Panel
from forecast.models.base import Forecaster, ShortSeriesWarning, choose_log

BLOCKS = 5


def base_in_training(base: Forecaster, fitted: Forecaster, panel: Panel, horizon: int, log: bool) -> np.ndarray:
    """Give honest forecasts of a base at every training row, in the network's scale, (T, N, H), NaN without any.

    Models without search, and ARIMA with its few parameters, may use their one frozen fit. Any other base is better on
    rows it was fitted on than on later ones, and a network that corrected the first would learn nonsense: it is fitted
    on the rows before each of five blocks and forecasts that block; of the first there are no forecasts, and no lesson.
    """
    if getattr(base, "in_sample_is_valid", False):
        point = fitted._predict_point_at(panel, np.arange(len(panel)))
    else:
        point = _by_blocks(base, panel, horizon, choose_log("auto", panel))
    return in_scale(point, base, log)


def in_scale(point: np.ndarray, base: Forecaster, log: bool) -> np.ndarray:
    """Give forecasts of a base in the network's scale: in logs where it works in logs."""
    if not log:
        return point
    if (point <= 0).any():
        raise ValueError(f"{base!r} forecasts values that have no logarithm: use log=False")
    return np.log(point)


def with_log(model: Forecaster, log: bool) -> Forecaster:
    """Settle for a model, and those within it, whether to work in logs, where they would choose for themselves."""
    params = model.get_params(deep=False)
    if params.get("log") == "auto":
        model.set_params(log=log)
    within = [params.get("base"), *(params.get("models") or ())]
    for inner in within:
        if isinstance(inner, Forecaster):
            with_log(inner, log)
    return model


def block_edges(rows: int) -> np.ndarray:
    """Part so many rows into five blocks: where each begins, and the end."""
    return np.linspace(0, rows, BLOCKS + 1).astype(np.int64)


def _by_blocks(base: Forecaster, panel: Panel, horizon: int, log: bool) -> np.ndarray:
    edges = block_edges(len(panel))
    point = np.full((len(panel), len(panel.series), horizon), np.nan)
    for start, stop in pairwise(edges[1:]):
        if (panel[:start].observed.sum(axis=0) < base.min_rows(horizon)).all():
            continue  # too early for this base
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ShortSeriesWarning)  # the fit on all rows has named them
            model = with_log(clone(base), log).fit(panel[:start], horizon)
        point[start:stop] = model._predict_point_at(panel[:stop], np.arange(start, stop))
    return point
