"""Forecasts of the base at training rows that it was not fitted on: what a network is trained to correct."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np

from forecast._estimator import clone
from forecast.data.panel import Panel
from forecast.features.windows import block_edges
from forecast.models.base import Forecaster, LogChoice, ShortSeriesWarning


def base_in_training(base: Forecaster, fitted: Forecaster, panel: Panel, log: LogChoice, first: int = 0) -> np.ndarray:
    """Return the forecasts of a base at every training row as if that row were new.

    Models without search, and ARIMA with its few parameters, may use their one fit. Any other base is better on rows
    that it was fitted on than on later ones, and a network trained to correct the former would be wrong on the latter:
    it is fitted on the rows before each of five blocks and forecasts that block. There are no forecasts of the first.

    Parameters
    ----------
    base : Forecaster
        The base, not fitted.
    fitted : Forecaster
        The base, fitted on all rows of the panel.
    panel : Panel
        The T training rows of N series.
    log : LogChoice
        The series on which the network works in logs.
    first : int, default 0
        The first row at which a base whose one fit is used forecasts; the number of rows if no forecast is needed.

    Returns
    -------
    array of shape (T, N, H)
        The forecasts of H steps, in logs where the network works in logs; NaN where there is none.
    """
    if base.in_sample_is_valid or first >= len(panel):
        rows = np.arange(min(first, len(panel)), len(panel))
        point = (
            fitted._predict_point_at(panel, rows) if len(rows) else np.empty((0, len(panel.series), fitted.horizon_))
        )
        if first:
            point = np.concatenate([np.full((len(panel) - len(rows), *point.shape[1:]), np.nan), point])
    else:
        point = _out_of_sample_points(base, panel, fitted.horizon_)
    return log_points(point, base, panel, log)


def log_points(point: np.ndarray, base: Forecaster, panel: Panel, log: LogChoice) -> np.ndarray:
    """Return forecasts (K, N, H) of a base on the panel, in logs where the network works in logs.

    A forecast without a logarithm is NaN if logs were chosen by "auto"; otherwise it raises ValueError.
    """
    flags = log.flags(panel)[:, None]
    bad = flags & (point <= 0)
    if (bad & ~log.may_skip(panel)[:, None]).any():
        raise ValueError(f"{base!r} forecasts values that have no logarithm: use log=False")
    in_logs = np.where(bad, np.nan, point)
    return np.log(in_logs, out=in_logs, where=flags)


def set_log(model: Forecaster, log: bool | str) -> Forecaster:
    """Set `log` of a model and of the models in it, where it is "auto"; return the model."""
    params = model.get_params(deep=False)
    if params.get("log") == "auto":
        model.set_params(log=log)
    for inner in [params.get("base"), *(params.get("models") or ())]:
        if isinstance(inner, Forecaster):
            set_log(inner, log)
    return model


def _out_of_sample_points(base: Forecaster, panel: Panel, horizon: int) -> np.ndarray:
    """Return point forecasts of each block but the first by a fit on the rows before it, (T, N, H)."""
    edges = block_edges(len(panel))
    point = np.full((len(panel), len(panel.series), horizon), np.nan)
    for start, stop in pairwise(edges[1:]):
        if (panel[:start].count_observed() < base.min_rows(horizon)).all():
            continue  # too few rows for this base
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ShortSeriesWarning)  # the fit on all rows has raised it
            model = clone(base).fit(panel[:start], horizon)
        point[start:stop] = model._predict_point_at(panel[:stop], np.arange(start, stop))
    return point
