"""Scores and losses: pure functions of the long table of forecasts that a backtest stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from forecast._validation import check_choice, did_you_mean
from forecast.evaluation import metrics
from forecast.evaluation.pairwise import NEGLIGIBLE
from forecast.models.base import quantile_columns

#: Names of the two forecasts of no change: the last value, and for returns 0. One of them is a run's reference, the row
#: that losses are divided by.
NAIVE, ZERO = "naive", "zero"
KEYS = ["unique_id", "cutoff", "step"]
ROUNDING = 1e-13  # of a value: a forecast that is so close to it is exact


def check_model(name: str, available: Sequence[str]) -> None:
    """Raise ValueError unless a run has a model of this name."""
    if name not in available:
        hint = did_you_mean(name, available)
        raise ValueError(f"there is no model {name!r} in this run to compare{hint}; it has {', '.join(available)}")


def interval_columns(table: pd.DataFrame) -> tuple[str, str] | None:
    """Return the names of the lowest and highest quantile columns, or None if there are fewer than two."""
    columns = list(quantile_columns(table.columns).values())
    return (columns[0], columns[-1]) if len(columns) > 1 else None


def common_rows(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that every model forecast and whose outcome is observed: the rows on which models are compared.

    Only the model's own forecasts (member 0) are compared, never the best member of an ensemble.
    """
    table = forecasts[(forecasts["member"] == 0) & forecasts["y"].notna() & forecasts["y_hat"].notna()]
    models = table["model"].nunique()
    return table[table.groupby(KEYS, observed=True)["y_hat"].transform("size") == models]


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


#: The losses by which models can be compared: functions of the table, one value for each row.
LOSSES: dict[str, Callable[[pd.DataFrame], np.ndarray]] = {
    "squared": lambda t: ((t["y"] - t["y_hat"]) ** 2).to_numpy(),
    "qlike": lambda t: metrics.qlike_losses(t["y"].to_numpy(), t["y_hat"].to_numpy()),
}


def losses(table: pd.DataFrame, loss: str = "squared") -> pd.Series:
    """Return the loss of each row, 0 where a forecast is exact up to rounding.

    Raises ValueError for an unknown loss, or one that is not defined for a row.
    """
    check_choice("loss", loss, list(LOSSES))
    size = table[["y", "y0"]].abs().max(axis=1)
    values = np.where((table["y"] - table["y_hat"]).abs() <= ROUNDING * size, 0.0, LOSSES[loss](table))
    if np.isnan(values).any():
        row = table.iloc[int(np.argmax(np.isnan(values)))]
        raise ValueError(
            f"{loss} is a loss of variances, which are above 0; {row['model']} forecast {row['y_hat']:g} for "
            f"{row['unique_id']}, whose outcome is {row['y']:g}. Use loss='squared'"
        )
    return pd.Series(values, index=table.index)


def loss_by_cutoff(forecasts: pd.DataFrame, loss: str = "squared", reference: str = NAIVE) -> pd.DataFrame:
    """Return the loss on which models are tested: a row for each cutoff and a column for each model.

    The loss (squared errors, or "qlike" of variances) over the reference's mean loss on the series, averaged over
    series and steps. Series on which the reference's loss is 0 are left out.
    """
    table = _with_scale(forecasts, loss, reference)
    return _mean_by_cutoff(table.assign(value=table["loss"] / table["reference_loss"]), forecasts)


def gap_by_cutoff(forecasts: pd.DataFrame, against: str, reference: str = NAIVE) -> pd.DataFrame:
    """Return the squared distance of each model's forecasts to another's, on the rows and scale of `loss_by_cutoff`."""
    table = _with_scale(forecasts, "squared", reference)
    other = table[table["model"].astype(str) == against].set_index(KEYS)["y_hat"]
    aligned = other.reindex(pd.MultiIndex.from_frame(table[KEYS])).to_numpy()
    return _mean_by_cutoff(table.assign(value=(table["y_hat"] - aligned) ** 2 / table["reference_loss"]), forecasts)


def rounding_of_losses(forecasts: pd.DataFrame, loss: str = "squared", reference: str = NAIVE) -> float:
    """Return the largest difference of two losses of `loss_by_cutoff` that rounding of the values explains."""
    if loss != "squared":
        return NEGLIGIBLE
    table = _with_scale(forecasts, loss, reference)
    relative = ROUNDING * table["y"].abs() / np.sqrt(table["reference_loss"])
    return max(NEGLIGIBLE, 2 * float(np.nan_to_num(relative.max())))


def _with_scale(forecasts: pd.DataFrame, loss: str, reference: str) -> pd.DataFrame:
    """Return the common rows with their loss and the reference's mean loss on the series (NaN if 0)."""
    check_model(reference, [*forecasts["model"].astype(str).unique()])
    table = common_rows(forecasts)
    values = losses(table, loss)
    own = values.where(table["model"].astype(str) == reference).groupby(table["unique_id"], observed=True)
    scale = own.transform("mean")
    return table.assign(loss=values, reference_loss=scale.where(scale > 0))


def _mean_by_cutoff(table: pd.DataFrame, forecasts: pd.DataFrame) -> pd.DataFrame:
    wide = table.groupby(["cutoff", "model"], observed=True)["value"].mean().unstack("model")
    wide.columns = wide.columns.astype(str)
    return wide.reindex(columns=forecasts["model"].astype(str).unique()).dropna(how="all").sort_index()


def error_ratios(
    forecasts: pd.DataFrame, by: Sequence[str] = ("unique_id",), loss: str = "squared", reference: str = NAIVE
) -> pd.DataFrame:
    """Return the mean loss over the reference's: a row for each group of `by`, a column for each model."""
    check_model(reference, [*forecasts["model"].astype(str).unique()])
    table = common_rows(forecasts)
    table = table.assign(loss=losses(table, loss))
    wide = table.pivot_table(index=list(by), columns="model", values="loss", aggfunc="mean", observed=True)
    wide.columns = wide.columns.astype(str)
    if wide.empty:
        return pd.DataFrame(columns=forecasts["model"].astype(str).unique(), dtype=float)
    return wide.div(wide[reference].where(wide[reference] > 0), axis=0)


def win_rates(forecasts: pd.DataFrame, reference: str = NAIVE) -> pd.Series:
    """Return the share of (series, cutoff) pairs that a model wins; a tie, up to rounding, counts ½.

    It wins a pair if its mean squared error over the steps is below the reference's.
    """
    table = common_rows(forecasts)
    if table.empty:
        return pd.Series(dtype=float, name="win_rate")
    table = table.assign(loss=losses(table))
    wide = table.pivot_table(index=["unique_id", "cutoff"], columns="model", values="loss", observed=True)
    wide.columns = wide.columns.astype(str)
    own = wide[reference].to_numpy()[:, None]
    gain = own - wide.to_numpy()
    wins = np.where(np.abs(gain) <= NEGLIGIBLE * own, 0.5, gain > 0)
    return pd.Series(wins.mean(axis=0), index=wide.columns, name="win_rate")


def skills(forecasts: pd.DataFrame, loss: str = "squared", reference: str = NAIVE) -> pd.Series:
    """Return each model's skill: the share of the reference's loss that it removes (geometric mean over series)."""
    ratios = error_ratios(forecasts, loss=loss, reference=reference)
    ones = np.ones(len(ratios))
    return pd.Series({name: metrics.skill(ratios[name].to_numpy(), ones) for name in ratios}, dtype=float)


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
