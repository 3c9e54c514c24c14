"""From forecasts to the long table: a row for each model, member, cutoff, series and step, with the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from forecast.backtesting.result import SKIPPED
from forecast.backtesting.tasks import RefitPeriod, eligible, trainable
from forecast.data.panel import Panel, format_date
from forecast.models.base import Forecast, quantile_column, quantile_columns


class ForecastIndex:
    """The columns of a refit period's rows that are the same for every model."""

    def __init__(self, panel: Panel, period: RefitPeriod, min_train_rows: int, horizon: int, season: int) -> None:
        shape = (len(period.folds), len(panel.series), horizon)
        # (K, N, H): what the table contains
        self.rows = np.broadcast_to(eligible(panel, period, min_train_rows)[:, :, None], shape)
        steps, at, ids = (  # one value for each row of the table
            np.broadcast_to(np.arange(1, horizon + 1), shape)[self.rows],
            np.broadcast_to(period.cutoffs[:, None, None], shape)[self.rows],
            np.broadcast_to(np.arange(shape[1])[:, None], shape)[self.rows],
        )
        scale = np.stack([_scale(panel[fold.train].target, season) for fold in period.folds])  # (K, N)
        target = panel.target
        self.columns: dict[str, Any] = {
            "unique_id": pd.Categorical.from_codes(ids, list(panel.series)),
            "cutoff": panel.index[at],
            "step": steps.astype(np.int32),
            "ds": panel.index[at + steps],
            "y0": target[at, ids],
            "y": target[at + steps, ids],
            "scale": np.broadcast_to(scale[:, :, None], shape)[self.rows],
            "age": (at - (period.train.stop - 1)).astype(np.int32),
        }

    def to_frame(self, name: str, forecast: Forecast) -> pd.DataFrame:
        """Return the period's rows of a model: its forecasts (member 0), then those of its members."""
        quantiles = {}
        if forecast.quantiles is not None:
            levels = enumerate(forecast.levels)
            quantiles = {quantile_column(level): forecast.quantiles[..., i][self.rows] for i, level in levels}
        combined = {"member": np.int32(0), "y_hat": forecast.point[self.rows]}
        tables = [pd.DataFrame(self.columns | combined | quantiles)]
        for number, points in enumerate(forecast.members if forecast.members is not None else [], start=1):
            tables.append(pd.DataFrame(self.columns | {"member": np.int32(number), "y_hat": points[self.rows]}))
        return pd.concat(tables, ignore_index=True).assign(model=name)


def join(tables: Sequence[pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
    """Return all tables as one, with the columns in their order."""
    table = pd.concat(tables, ignore_index=True)
    table["model"] = pd.Categorical(table["model"], categories=list(names))
    first = ["unique_id", "cutoff", "step", "ds", "model", "member", "y0", "y", "y_hat"]
    return table[[*first, *quantile_columns(table.columns).values(), "scale", "age"]]


def skipped(
    panel: Panel, periods: Sequence[RefitPeriod], min_train_rows: int, train_size: int | None = None
) -> pd.DataFrame:
    """Return the series that are left out at some cutoffs, with the reason; raise ValueError if none is left."""
    rows, any_left, observed = [], False, panel.observed
    for period in periods:
        included, has_rows = eligible(panel, period, min_train_rows), trainable(panel, period, min_train_rows)
        any_left |= bool(included.any())
        for k, cutoff in enumerate(period.cutoffs):
            for n in np.flatnonzero(~included[k]):
                reason = "not observed at the cutoff"
                if not has_rows[n]:
                    later = observed[period.train.start : cutoff + 1, n].sum() >= min_train_rows
                    reason = (
                        f"fewer than {min_train_rows} observed training rows{' at the last refit' if later else ''}"
                    )
                rows.append((panel.series[n], reason, format_date(panel.index[cutoff])))
    if not any_left:
        _raise_nothing_left(panel[periods[-1].train], min_train_rows, train_size)
    if not rows:
        return pd.DataFrame(columns=SKIPPED, dtype=object).astype({"cutoffs": np.int64})
    table = pd.DataFrame(rows, columns=["unique_id", "reason", "cutoff"])
    spans = table.groupby(["unique_id", "reason"], sort=False)["cutoff"].agg(["size", "first", "last"])
    return spans.reset_index().set_axis(SKIPPED, axis=1).astype({"cutoffs": np.int64})


def _raise_nothing_left(train: Panel, min_train_rows: int, train_size: int | None) -> None:
    """Raise ValueError with what would help: `train` are the training rows of the last fit."""
    longest = int(train.count_observed().max())
    if longest >= min_train_rows:
        raise ValueError(
            "no series has a value at any cutoff to forecast from: change n_windows or step_size so that cutoffs fall "
            "on observed rows"
        )
    if train_size is not None and train_size < min_train_rows:
        raise ValueError(
            f"these models need {min_train_rows} observed training rows of a series, and train_size={train_size} is "
            f"fewer: use train_size={min_train_rows} or more, or leave train_size out"
        )
    raise ValueError(
        f"no series has the {min_train_rows} observed training rows that these models need (the longest has "
        f"{longest}): bring more history, or use fewer windows, a shorter horizon or a shorter lookback"
    )


def check_season(train: Panel, season: int | None) -> None:
    """Raise ValueError if the first training rows contain no value a declared season after another."""
    if season is None or season < len(train):
        return
    raise ValueError(
        f"season={season} is not shorter than the {len(train)} training rows of the first cutoff, so no value has one "
        "a season before it: use a shorter season, fewer windows or more training rows"
    )


def _scale(train: np.ndarray, season: int) -> np.ndarray:
    """Return MASE's scale of each series, (N,): mean |y[t] − y[t − season]| in training; NaN where it never changed."""
    change = np.abs(train[season:] - train[:-season])
    observed = ~np.isnan(change)
    mean = np.where(observed, change, 0).sum(axis=0) / np.maximum(observed.sum(axis=0), 1)
    return np.where(mean > 0, mean, np.nan)
