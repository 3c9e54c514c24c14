"""The rows that every run has: the reference, the forecast that nothing changes, and the seasonal naive forecast."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from forecast._estimator import clone
from forecast.data.panel import Panel
from forecast.evaluation.losses import NAIVE, ZERO, check_model
from forecast.features.windows import forward_fill
from forecast.models.base import Forecaster
from forecast.models.naive import Naive, SeasonalNaive, Zero
from forecast.models.season import find_season

RESERVED: dict[str, type[Forecaster]] = {NAIVE: Naive, ZERO: Zero}
SEASONAL = "seasonal-naive"
RETURN = "return"  # the channel that `make_target` derives
MIN_ROWS = 10  # training rows that distinguish returns from levels
MOST = 0.9  # share of the series


def add_references(
    models: Mapping[str, Forecaster],
    train: Panel,
    season: int | None = None,
    reference: str | None = None,
    against: str | None = None,
) -> tuple[dict[str, Forecaster], str]:
    """Return the models with the rows that every run has, and the name of the reference.

    `train` are the first training rows: nothing later has an influence. The naive forecast is always a row; the
    forecast 0 is one if it is the reference or named by `against`; a seasonal naive forecast is one if a season is
    declared (`season` > 1), or found where none is declared (None), unless a model is the same; one with m="auto" has
    that season. Raises ValueError if the run has no model
    `reference` or `against`.
    """
    for name, kind in RESERVED.items():
        if name in models and not isinstance(models[name], kind):
            raise ValueError(f"the name {name!r} is reserved for {kind.__name__}(); rename {models[name]!r}")
    reference = find_reference(train) if reference is None else reference
    complete = dict(models) if NAIVE in models else {NAIVE: Naive(), **models}
    if ZERO in (reference, against):
        complete.setdefault(ZERO, Zero())
    m = find_season(train) if season is None else season
    if m > 1:
        complete = {name: _with_season(model, m) for name, model in complete.items()}
        if not any(isinstance(model, SeasonalNaive) and model.m == m for model in complete.values()):
            complete[f"{SEASONAL}-{m}" if SEASONAL in models else SEASONAL] = SeasonalNaive(m)
    for name in filter(None, (reference, against)):
        if name == SEASONAL and name not in complete:
            raise ValueError(f"{name} is no row of this run, because no season is declared or found: declare a season")
        check_model(name, list(complete))
    return complete, reference


def _with_season(model: Forecaster, m: int) -> Forecaster:
    """Return a seasonal naive forecast that is to find its season with that of the run; any other model as it is."""
    is_open = isinstance(model, SeasonalNaive) and model.m == "auto"
    return clone(model).set_params(m=m) if is_open else model


def find_reference(train: Panel) -> str:
    """Return the reference of a target: "zero" for returns, else "naive".

    Returns are a target of this name, and any other whose values rise above and fall below 0 and are closer to 0 than
    to the value before, in mean squares over the training rows, for nine of ten series.
    """
    if train.channels[0] == RETURN:
        return ZERO
    y = np.where(train.observed, train.target, np.nan)  # (T, N)
    y = y[:, (np.nan_to_num(y) != 0).any(axis=0)]
    change = np.diff(forward_fill(y), axis=0)
    if not y.shape[1] or len(y) < MIN_ROWS:
        return NAIVE
    squares = np.nan_to_num(y[1:] ** 2) * ~np.isnan(change)
    closer = squares.sum(axis=0) < np.nansum(np.where(np.isnan(y[1:]), np.nan, change) ** 2, axis=0)
    like_returns = closer & (np.nanmin(y, axis=0) < 0) & (np.nanmax(y, axis=0) > 0)
    return ZERO if like_returns.mean() >= MOST else NAIVE
