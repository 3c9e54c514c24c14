"""Scores: pure functions of the long table of forecasts that a backtest stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from forecast.evaluation import metrics
from forecast.evaluation.losses import NAIVE, ZERO, common_rows
from forecast.models.base import quantile_columns


def interval_columns(table: pd.DataFrame) -> tuple[str, str] | None:
    """Return the names of the lowest and highest quantile columns, or None if there are fewer than two."""
    columns = list(quantile_columns(table.columns).values())
    return (columns[0], columns[-1]) if len(columns) > 1 else None


def rows_of_step(forecasts: pd.DataFrame, step: int, step_size: int) -> pd.DataFrame:
    """Return the rows of one step that all models share, for a test that assumes independent outcomes.

    Raises ValueError if outcomes `step` rows after cutoffs `step_size` rows apart overlap, or if there is no such row.
    """
    if step > step_size:
        raise ValueError(
            f"outcomes {step} rows after cutoffs {step_size} rows apart overlap, so they are not independent: choose a "
            f"step of at most {step_size}, or a larger step_size"
        )
    table = common_rows(forecasts)
    table = table[table["step"] == step]
    if table.empty:
        steps = f"{forecasts['step'].min()} to {forecasts['step'].max()}"
        raise ValueError(f"there is no row of step {step} that all models share; steps are {steps}")
    return table


def origin(table: pd.DataFrame, reference: str) -> pd.Series:
    """Return what moves are measured from: the last value, and 0 where the reference is the forecast 0 of returns."""
    return table["y0"] * 0.0 if reference == ZERO else table["y0"]


def _coverage(table: pd.DataFrame) -> float:
    ends = interval_columns(table)
    if ends is None:
        return float("nan")
    return metrics.coverage(table["y"].to_numpy(), table[ends[0]].to_numpy(), table[ends[1]].to_numpy())


def _interval_score(table: pd.DataFrame) -> float:
    levels = quantile_columns(table.columns)
    if len(levels) < 2:
        return float("nan")
    (low, low_column), *_, (high, high_column) = levels.items()
    if table[[low_column, high_column]].isna().all(axis=None):
        return float("nan")
    y, lower, upper = (table[column].to_numpy() for column in ("y", low_column, high_column))
    return metrics.interval_score(y, lower, upper, miss=1 - high + low)


def _quantile_score(score: Callable[[np.ndarray, np.ndarray, Sequence[float]], float], table: pd.DataFrame) -> float:
    columns = {level: name for level, name in quantile_columns(table.columns).items() if table[name].notna().any()}
    return score(table["y"].to_numpy(), table[list(columns.values())].to_numpy(), list(columns)) if columns else np.nan


#: The scores of one model's rows of one series (and one step), which have the column `origin` in addition. A new metric
#: needs a function and a line here.
SCORES: dict[str, Callable[[pd.DataFrame], float]] = {
    "mase": lambda t: metrics.mase(t["y"].to_numpy(), t["y_hat"].to_numpy(), t["scale"].to_numpy()),
    "rmse": lambda t: metrics.rmse(t["y"].to_numpy(), t["y_hat"].to_numpy()),
    "mae": lambda t: metrics.mae(t["y"].to_numpy(), t["y_hat"].to_numpy()),
    "smape": lambda t: metrics.smape(t["y"].to_numpy(), t["y_hat"].to_numpy()),
    "mse": lambda t: metrics.mse(t["y"].to_numpy(), t["y_hat"].to_numpy()),
    "qlike": lambda t: metrics.qlike(t["y"].to_numpy(), t["y_hat"].to_numpy()),
    "coverage": _coverage,
    "crps": lambda t: _quantile_score(metrics.crps, t),
    "wql": lambda t: _quantile_score(metrics.weighted_quantile_loss, t),
    "interval_score": _interval_score,
    "direction": lambda t: metrics.directional_accuracy(
        t["y"].to_numpy(), t["y_hat"].to_numpy(), t["origin"].to_numpy()
    ),
}


def scores(
    forecasts: pd.DataFrame,
    by: Sequence[str] = ("model", "unique_id"),
    names: Sequence[str] = tuple(SCORES),
    reference: str = NAIVE,
) -> pd.DataFrame:
    """Return scores, by default all, on the rows that all models share, one row for each group of `by`."""
    table = common_rows(forecasts)
    if table.empty:
        return pd.DataFrame(columns=[*by, "n", *names])
    table = table.assign(origin=origin(table, reference))
    rows = [
        dict(zip(by, key, strict=True)) | {"n": len(group)} | {name: SCORES[name](group) for name in names}
        for key, group in table.groupby(list(by), observed=True, sort=False)
    ]
    return pd.DataFrame(rows)


def to_nixtla(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that all models share in the layout of Nixtla's libraries: a column for each model.

    unique_id, cutoff, ds, y, then a column named after each model, followed by the ends of its intervals
    (`lstm-lo-80`, `lstm-hi-80`) for each pair of levels symmetric about the median.
    """
    levels = {round(level, 9): name for level, name in quantile_columns(forecasts.columns).items()}
    values = {"": "y_hat"}
    for level in levels:
        if level < 0.5 and round(1 - level, 9) in levels:
            width = f"{round(100 * (1 - 2 * level), 6):g}"
            values |= {f"-lo-{width}": levels[level], f"-hi-{width}": levels[round(1 - level, 9)]}
    own = common_rows(forecasts).astype({"model": str, "unique_id": str})
    wide = own.pivot(index=["unique_id", "cutoff", "ds", "y"], columns="model", values=list(values.values()))
    models = dict.fromkeys(own["model"])
    return pd.DataFrame({f"{m}{end}": wide[c][m] for m in models for end, c in values.items()}).reset_index()
