"""How good the forecasts were: by step ahead, through time, and their quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from forecast.evaluation import loss_by_cutoff
from forecast.evaluation.scores import NAIVE, common_rows
from forecast.report.plots.frame import FONT, INK, RULE, label_ends, new_axes, shortened, styles, time_axis, times

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult


def error_by_step(result: BacktestResult) -> pd.DataFrame:
    """Say how far off each model is by rows ahead, naive being 1: a row for each model and step, with its interval.

    `error` is the root of the mean squared error over naive's (the geometric mean over series), so it is the root of
    1 − `skill`, the share of naive's squared error that the model removes; `low` to `high` is the 90 % interval of the
    error. `p_holm` and `finding` are those of `result.verdict_by_step()`.
    """
    table = result.verdict_by_step()
    table = table[table["skill"].notna()].rename(columns={"low": "skill_low", "high": "skill_high"})
    for name, skill in (("error", "skill"), ("low", "skill_high"), ("high", "skill_low")):
        table[name] = np.sqrt((1 - table[skill]).clip(lower=0))
    known = ["model", "step", "error", "low", "high", "skill", "skill_low", "skill_high", "p_holm", "finding"]
    order = pd.CategoricalDtype(list(styles(result)), ordered=True)
    return (
        table.astype({"model": order})[known]
        .sort_values(["model", "step"])
        .astype({"model": str})
        .reset_index(drop=True)
    )


def skill_through_time(result: BacktestResult) -> pd.DataFrame:
    """Say when a model gained on naive, and when it lost: a row for each cutoff, a column for each model.

    The sum, up to the cutoff, of naive's squared errors less the model's, as a share of naive's whole sum (each in
    units of naive's mean squared error on its series). The last row is the skill of the whole run, taken as a mean
    over series. The picture of Goyal and Welch (2008).
    """
    losses = loss_by_cutoff(result.forecasts).dropna()
    gained = losses.rsub(losses[NAIVE], axis=0).cumsum() / losses[NAIVE].sum()
    return gained[[name for name in styles(result) if name in gained]]


def calibration(result: BacktestResult) -> pd.DataFrame:
    """Say how often the outcome came below each forecast quantile: an honest 0.1 is undercut one time in ten.

    A row for each model that gives quantiles, a column for each level; shares of outcomes, averaged over series.
    """
    table = common_rows(result.forecasts)
    columns = [column for column in table.columns if column.startswith("q0.")]
    below = pd.DataFrame({float(c[1:]): (table["y"] <= table[c]).where(table[c].notna()) for c in columns}, dtype=float)
    each = below.groupby([table["model"].astype(str), table["unique_id"]], observed=True).mean()
    shares = each.groupby(level=0).mean().dropna(how="all")
    return shares.reindex([name for name in styles(result) if name in shares.index])


def plot_error_by_step(result: BacktestResult, ax: Axes | None = None) -> Axes:
    """Draw how each model's error compares with doing nothing, by step: below the line at 1 is better than naive.

    The strokes are 90 % intervals: one that crosses the line is of a step at which model and naive may be equally good.
    """
    table = error_by_step(result)
    if table.empty:
        raise ValueError("there is no error to compare: only naive was run, it was never wrong, or no row is shared")
    ax = new_axes(ax)
    names, looks = list(dict.fromkeys(table["model"])), styles(result)
    steps = np.sort(table["step"].unique())
    low, high = _scale(table)
    ax.set_ylim(low, high)
    ax.axhline(1, color=looks[NAIVE].colour, linewidth=1.6)
    for i, name in enumerate(names):
        rows, style = table[table["model"] == name], looks[name]
        beside = rows["step"] + (i - (len(names) - 1) / 2) * min(0.09, 0.7 / len(names))  # strokes apart
        ax.vlines(beside, rows["low"], rows["high"], color=style.colour, linewidth=1, alpha=0.45)
        shown: dict[str, Any] = {"marker": style.marker, "markersize": 4.5, "markevery": -(-len(steps) // 12)}
        ax.plot(beside, rows["error"], color=style.colour, linestyle=style.dash, linewidth=1.5, **shown)
    ax.set_xlim(steps[0] - 0.4, steps[-1] + 0.4)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
    ax.set_xlabel("step (rows ahead)", color=INK, fontsize=FONT)
    ax.set_ylabel("error ÷ naive's error", color=INK, fontsize=FONT)
    last = table[table["step"] == steps[-1]].set_index("model")["error"]
    label_ends(ax, steps[-1] + 0.35, {NAIVE: 1.0} | last.to_dict(), looks)
    worst = table.groupby("model")["error"].max()
    _tell_outside(ax, worst[worst > high], "up to {:.2f}")
    return ax


def _tell_outside(ax: Axes, values: pd.Series, how: str) -> None:
    """Say in the title which lines leave the picture, the farthest first."""
    if len(values):
        farthest = values.reindex(values.abs().sort_values(ascending=False).index).head(2)
        said = ", ".join(
            f"{shortened(name)} ({how.format(value).replace('-', '−')})" for name, value in farthest.items()
        )
        more = f" and {len(values) - 2} more" if len(values) > 2 else ""
        title = f"outside the picture: {said}{more}"
        ax.set_title(title, loc="left", color=INK, fontsize=FONT - 1, parse_math=False)


def _scale(table: pd.DataFrame) -> tuple[float, float]:
    """Choose what the picture shows: one wild model, or interval, would flatten the others into one line."""
    worst = table.assign(away=(table["error"] - 1).abs()).groupby("model")["away"].max().sort_values()
    cap = max(0.015, 2.5 * worst.iloc[(len(worst) - 1) // 2])  # the better half of the models sets the scale
    low, high = min(table["error"].min(), 1), min(max(table["error"].max(), 1), 1 + cap)
    low = max(min(low, table["low"].min()), low - cap)
    high = max(high, min(table["high"].max(), 1 + cap))
    room = max(0.05 * (high - low), 0.004)
    return low - room, high + room


def plot_skill_through_time(result: BacktestResult, ax: Axes | None = None) -> Axes:
    """Draw when each model gained on naive (the line rises) and when it lost: one good month is not a good model."""
    table = skill_through_time(result)
    if table.empty:
        raise ValueError("there is no error to compare: naive was never wrong, or the models share no row")
    ax = new_axes(ax)
    looks = styles(result)
    for name in table:
        style = looks[name]
        ax.plot(times(table.index), table[name] * 100, color=style.colour, linestyle=style.dash, linewidth=1.5)
    time_axis(ax, table.index)
    reach = table.drop(columns=NAIVE).abs().max().sort_values() * 100
    cap = (
        max(0.5, 2.5 * reach.iloc[(len(reach) - 1) // 2]) if len(reach) else 1.0
    )  # a wild one would flatten the others
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, -cap), min(high, cap))
    _tell_outside(ax, (table.iloc[-1] * 100).loc[lambda last: last.abs() > cap], "{:+.0f} %")
    ax.set_ylabel("skill gathered so far, %", color=INK, fontsize=FONT)
    label_ends(ax, times(table.index)[-1], (table.iloc[-1] * 100).to_dict(), looks)
    return ax


def plot_calibration(result: BacktestResult, ax: Axes | None = None) -> Axes:
    """Draw how often outcomes came below each forecast quantile: a mark belongs on the upright line of its level."""
    table = calibration(result)
    if table.empty:
        raise ValueError("no model of this run gives quantiles: there is nothing to calibrate")
    ax = new_axes(ax)
    looks = styles(result)
    for row, (name, shares) in enumerate(table.iterrows()):
        style = looks[str(name)]
        ax.plot([-0.04, 1.04], [row, row], color=RULE, alpha=0.25, linewidth=0.8, zorder=1)
        for level, share in shares.items():
            ax.plot([level, share], [row, row], color=style.colour, linewidth=2, zorder=2)
            if len(shares) <= 3:  # room for the number, on the far side of the mark
                side = 1 if share >= level else -1
                where: dict[str, Any] = {"xytext": (side * 7, 0), "ha": "left" if side > 0 else "right", "va": "center"}
                text = f"{share:.0%}" if np.isfinite(share) else ""
                ax.annotate(text, (share, row), textcoords="offset points", fontsize=FONT - 1, color=INK, **where)
        marker = style.marker or "o"
        ax.plot(shares, [row] * len(shares), marker, color=style.colour, markersize=6.5, zorder=3, clip_on=False)
    for level in table.columns:
        ax.axvline(level, color=RULE, alpha=0.8, linewidth=0.9, zorder=0)
    ax.grid(False)
    shown: list[float] = []
    for level in table.columns:  # levels close together would print over each other
        if not shown or level - shown[-1] >= 0.08:
            shown.append(level)
    ax.set_xticks(shown, [f"{level * 100:g}%" for level in shown])
    ax.set_yticks(range(len(table)), [shortened(name) for name in table.index], parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(-0.04, 1.04)  # room for a number beside a mark at the edge
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xlabel("share of outcomes below the forecast quantile", color=INK, fontsize=FONT)
    return ax
