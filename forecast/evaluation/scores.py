"""Scores and leaderboard: pure functions of the long table of forecasts that a backtest stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from forecast.evaluation import metrics

NAIVE = "naive"
KEYS = ["unique_id", "cutoff", "step"]


def interval_columns(table: pd.DataFrame) -> tuple[str, str] | None:
    """Name the outermost quantile columns, or None where there is no interval."""
    columns = sorted((c for c in table.columns if c.startswith("q0.")), key=lambda c: float(c[1:]))
    return (columns[0], columns[-1]) if len(columns) > 1 else None


def common_rows(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows that every model forecast and that traded: what models can fairly be compared on.

    Only the model's own forecasts (member 0) are compared, never the best member of an ensemble.
    """
    table = forecasts[(forecasts["member"] == 0) & forecasts["y"].notna() & forecasts["y_hat"].notna()]
    models = table["model"].nunique()
    return table[table.groupby(KEYS, observed=True)["y_hat"].transform("size") == models]


def _coverage(table: pd.DataFrame) -> float:
    ends = interval_columns(table)
    if ends is None:
        return float("nan")
    return metrics.coverage(table["y"].to_numpy(), table[ends[0]].to_numpy(), table[ends[1]].to_numpy())


def _interval_score(table: pd.DataFrame) -> float:
    ends = interval_columns(table)
    if ends is None or table[list(ends)].isna().all(axis=None):
        return float("nan")
    low, high = (table[column].to_numpy() for column in ends)
    return metrics.interval_score(table["y"].to_numpy(), low, high, miss=1 - float(ends[1][1:]) + float(ends[0][1:]))


def _of_quantiles(score: Callable[[np.ndarray, np.ndarray, Sequence[float]], float], table: pd.DataFrame) -> float:
    columns = [c for c in table.columns if c.startswith("q0.") and table[c].notna().any()]
    levels = [float(column[1:]) for column in columns]
    return score(table["y"].to_numpy(), table[columns].to_numpy(), levels) if levels else np.nan


#: Each score of one model's rows of one series (and one step); a new metric is one line here and one function.
SCORES: dict[str, Callable[[pd.DataFrame], float]] = {
    "mase": lambda t: metrics.mase(t["y"].to_numpy(), t["y_hat"].to_numpy(), t["scale"].to_numpy()),
    "rmse": lambda t: metrics.rmse(t["y"].to_numpy(), t["y_hat"].to_numpy()),
    "mae": lambda t: metrics.mae(t["y"].to_numpy(), t["y_hat"].to_numpy()),
    "smape": lambda t: metrics.smape(t["y"].to_numpy(), t["y_hat"].to_numpy()),
    "mse": lambda t: metrics.mse(t["y"].to_numpy(), t["y_hat"].to_numpy()),
    "qlike": lambda t: metrics.qlike(t["y"].to_numpy(), t["y_hat"].to_numpy()),
    "coverage": _coverage,
    "crps": lambda t: _of_quantiles(metrics.crps, t),
    "wql": lambda t: _of_quantiles(metrics.weighted_quantile_loss, t),
    "interval_score": _interval_score,
    "direction": lambda t: metrics.directional_accuracy(t["y"].to_numpy(), t["y_hat"].to_numpy(), t["y0"].to_numpy()),
}


def scores(forecasts: pd.DataFrame, by: Sequence[str] = ("model", "unique_id")) -> pd.DataFrame:
    """Score every model on the rows they have in common, one row for each group of `by`."""
    table = common_rows(forecasts)
    if table.empty:
        return pd.DataFrame(columns=[*by, "n", *SCORES])
    rows = [
        dict(zip(by, key, strict=True)) | {"n": len(group)} | {name: score(group) for name, score in SCORES.items()}
        for key, group in table.groupby(list(by), observed=True, sort=False)
    ]
    return pd.DataFrame(rows)


#: The loss of each row of the table; a run is judged by one of them.
LOSSES: dict[str, Callable[[pd.DataFrame], np.ndarray]] = {
    "squared": lambda t: ((t["y"] - t["y_hat"]) ** 2).to_numpy(),
    "qlike": lambda t: metrics.qlike_each(t["y"].to_numpy(), t["y_hat"].to_numpy()),
}


def losses(table: pd.DataFrame, loss: str = "squared") -> pd.Series:
    """Give the loss of each row; raises ValueError for a loss that does not exist, or that a row does not have."""
    if loss not in LOSSES:
        raise ValueError(f"there is no loss {loss!r}; there are {', '.join(LOSSES)}")
    each = LOSSES[loss](table)
    if np.isnan(each).any():
        row = table.iloc[int(np.argmax(np.isnan(each)))]
        raise ValueError(
            f"{loss} is a loss of variances, which are above 0; {row['model']} said {row['y_hat']:g} of "
            f"{row['unique_id']} and {row['y']:g} came. Judge by squared errors"
        )
    return pd.Series(each, index=table.index)


def error_ratios(forecasts: pd.DataFrame, by: Sequence[str] = ("unique_id",), loss: str = "squared") -> pd.DataFrame:
    """Give the mean loss over naive's: a row for each group of `by`, a column for each model."""
    table = common_rows(forecasts)
    each = table.assign(loss=losses(table, loss))
    wide = each.pivot_table(index=list(by), columns="model", values="loss", aggfunc="mean", observed=True)
    wide.columns = wide.columns.astype(str)
    if wide.empty:
        return pd.DataFrame(columns=forecasts["model"].astype(str).unique(), dtype=float)
    return wide.div(wide[NAIVE].where(wide[NAIVE] > 0), axis=0)


def win_rates(forecasts: pd.DataFrame) -> pd.Series:
    """Share of (series, cutoff) pairs on which a model's squared error is below naive's; a draw is half a win."""
    table = common_rows(forecasts)
    if table.empty:
        return pd.Series(dtype=float, name="win_rate")
    squared = table.assign(mse=(table["y"] - table["y_hat"]) ** 2)
    wide = squared.pivot_table(index=["unique_id", "cutoff"], columns="model", values="mse", observed=True)
    wide.columns = wide.columns.astype(str)
    reference = wide[NAIVE].to_numpy()[:, None]
    wins = (wide.to_numpy() < reference) + 0.5 * (wide.to_numpy() == reference)
    return pd.Series(wins.mean(axis=0), index=wide.columns, name="win_rate")


def members(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Say how far the members of each model lie apart, and what combining them brings: a row for each such model.

    `skill` is the model's, `best`, `median` and `worst` are those of its members alone (a member that was chosen for
    its score is no forecast: tests are on the model); `spread` is the standard deviation of the members' forecasts
    over naive's root mean squared error, averaged over rows.
    """
    own = common_rows(forecasts)
    apart = forecasts[forecasts["member"] > 0]
    apart = apart[apart["y"].notna() & apart["model"].isin(own["model"].unique())]
    rows = []
    for model, table in apart.groupby("model", observed=True):
        # by names that no model of the run can have
        each = [_relabelled(table[table["member"] == s], f"{model} {s}") for s in sorted(table["member"].unique())]
        whole = own[own["model"].astype(str).isin([NAIVE, str(model)])]
        ratios = error_ratios(pd.concat([whole.astype({"model": str}), *each]))
        skills = {name: metrics.skill(ratios[name].to_numpy(), np.ones(len(ratios))) for name in ratios}
        alone = pd.Series({name: skills[name] for name in skills if name not in (NAIVE, str(model))})
        naive = own[own["model"].astype(str) == NAIVE]
        size = ((naive["y"] - naive["y_hat"]) ** 2).groupby(naive["unique_id"], observed=True).mean() ** 0.5
        deviation = table.groupby(KEYS, observed=True)["y_hat"].std(ddof=0).groupby("unique_id", observed=True).mean()
        rows.append({
            "model": str(model), "members": len(each), "skill": skills[str(model)], "best": alone.max(),
            "median": alone.median(), "worst": alone.min(), "spread": float((deviation / size.where(size > 0)).mean()),
        })  # fmt: skip
    return pd.DataFrame(rows, columns=["model", "members", "skill", "best", "median", "worst", "spread"])


def _relabelled(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Give a member's rows as those of a model of their own."""
    return table.assign(model=name, member=0)


def leaderboard(forecasts: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    """Rank the models, best first: a row each, naive among them.

    `skill` is the share of naive's squared error that the model removes (geometric mean over series); `mase`, `rmse`,
    `mae`, `coverage` (of the outermost quantiles) and `direction` are means over series; `win_rate` counts series and
    cutoffs; seconds are summed over the fits; `failures` counts fits that gave no forecast.
    """
    each = scores(forecasts)
    board = each.groupby("model", observed=True)[["mase", "rmse", "mae", "coverage", "direction"]].mean()
    board.index = board.index.astype(str)
    ratios = error_ratios(forecasts)
    board.insert(0, "skill", pd.Series({m: metrics.skill(ratios[m].to_numpy(), np.ones(len(ratios))) for m in ratios}))
    board["win_rate"] = win_rates(forecasts)
    spent = fits.assign(failures=fits["error"].ne(""), model=fits["model"].astype(str)).groupby("model", sort=False)
    totals = spent[["seconds_fit", "seconds_predict", "failures"]].sum()
    board = board.join(totals, how="outer")
    board.index.name = "model"
    return board.sort_values("skill", ascending=False, na_position="last", kind="stable")


def to_nixtla(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Give the rows that all models share as Nixtla's libraries read them: a column for each model.

    unique_id, cutoff, ds, y, then a column named after each model, and beside it the ends of its intervals
    (`lstm-lo-80`, `lstm-hi-80`) for each pair of levels that lies even about the median.
    """
    columns = [c for c in forecasts.columns if c.startswith("q0.")]
    levels = {round(float(c[1:]), 9): c for c in columns}
    values = {"": "y_hat"}
    for level in sorted(levels):
        if level < 0.5 and round(1 - level, 9) in levels:
            width = f"{round(100 * (1 - 2 * level), 6):g}"
            values |= {f"-lo-{width}": levels[level], f"-hi-{width}": levels[round(1 - level, 9)]}
    own = common_rows(forecasts).astype({"model": str, "unique_id": str})
    wide = own.pivot(index=["unique_id", "cutoff", "ds", "y"], columns="model", values=list(values.values()))
    models = dict.fromkeys(own["model"])
    return pd.DataFrame({f"{m}{end}": wide[c][m] for m in models for end, c in values.items()}).reset_index()
