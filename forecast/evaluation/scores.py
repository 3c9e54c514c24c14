"""Scores: pure functions of the long table of forecasts that a backtest stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from forecast.evaluation import metrics
from forecast.evaluation.losses import NAIVE, ZERO, common_rows
from forecast.models.base import quantile_columns

Rows = Mapping[str, np.ndarray]  # the columns of some rows of the table of forecasts


def interval_columns(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the lowest and highest quantile columns among names, or None if there are fewer than two."""
    columns = list(quantile_columns(names).values())
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


def _coverage(rows: Rows) -> float:
    ends = interval_columns(rows)
    return metrics.coverage(rows["y"], rows[ends[0]], rows[ends[1]]) if ends else float("nan")


def _interval_score(rows: Rows) -> float:
    levels = quantile_columns(rows)
    if len(levels) < 2:
        return float("nan")
    (low, low_column), *_, (high, high_column) = levels.items()
    lower, upper = rows[low_column], rows[high_column]
    if np.isnan(lower).all() and np.isnan(upper).all():
        return float("nan")
    return metrics.interval_score(rows["y"], lower, upper, miss=1 - high + low)


def _quantile_score(score: Callable[[np.ndarray, np.ndarray, Sequence[float]], float], rows: Rows) -> float:
    columns = {level: rows[name] for level, name in quantile_columns(rows).items() if not np.isnan(rows[name]).all()}
    return score(rows["y"], np.stack([*columns.values()], axis=1), list(columns)) if columns else np.nan


#: The scores of one model's rows of one series (and one step), which have the column `origin` in addition. A new metric
#: needs a function and a line here.
SCORES: dict[str, Callable[[Rows], float]] = {
    "mase": lambda rows: metrics.mase(rows["y"], rows["y_hat"], rows["scale"]),
    "rmse": lambda rows: metrics.rmse(rows["y"], rows["y_hat"]),
    "mae": lambda rows: metrics.mae(rows["y"], rows["y_hat"]),
    "smape": lambda rows: metrics.smape(rows["y"], rows["y_hat"]),
    "mse": lambda rows: metrics.mse(rows["y"], rows["y_hat"]),
    "qlike": lambda rows: metrics.qlike(rows["y"], rows["y_hat"]),
    "coverage": _coverage,
    "crps": lambda rows: _quantile_score(metrics.crps, rows),
    "wql": lambda rows: _quantile_score(metrics.weighted_quantile_loss, rows),
    "interval_score": _interval_score,
    "direction": lambda rows: metrics.directional_accuracy(rows["y"], rows["y_hat"], rows["origin"]),
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
    keys, sizes, values = [], [], []
    for key, rows in grouped(table.assign(origin=origin(table, reference)), by):
        keys.append(key)
        sizes.append(len(rows["y"]))
        values.append([SCORES[name](rows) for name in names])
    columns = dict(zip(by, zip(*keys, strict=True), strict=True)) | {"n": sizes}
    return pd.DataFrame(columns | dict(zip(names, np.transpose(values), strict=True)))


def grouped(table: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], Rows]]:
    """Yield the values of `by` and the columns of numbers of each group of rows, in the order of their first row.

    Slices of arrays take a tenth of the time of a table for each group.
    """
    number = table.groupby(list(by), observed=True, sort=False).ngroup().to_numpy()
    order, sizes = np.argsort(number, kind="stable"), np.bincount(number)
    table = table.iloc[order]  # the rows of a group follow each other
    ends = np.cumsum(sizes)
    first = table[list(by)].iloc[ends - sizes]
    columns = {name: table[name].to_numpy() for name in table.select_dtypes("float").columns}
    for *key, size, end in zip(*(first[name].tolist() for name in by), sizes, ends, strict=True):
        yield tuple(key), {name: array[end - size : end] for name, array in columns.items()}


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
