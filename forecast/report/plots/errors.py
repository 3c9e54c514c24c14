"""Accuracy of the forecasts: by step, through time, and calibration of their quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from forecast.evaluation import compared_series, loss_by_cutoff
from forecast.evaluation.losses import common_rows
from forecast.models.base import quantile_columns
from forecast.report.plots.frame import (
    FONT,
    INK,
    RULE,
    Style,
    label_ends,
    new_axes,
    shorten,
    styles,
    time_axis,
    times,
    write_title,
)

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult


def error_by_step(result: BacktestResult) -> pd.DataFrame:
    """Return each model's error over the reference's at each step, with its interval: a row for each model and step.

    `error` is the root mean squared error over the reference's (geometric mean over series), the root of 1 − `skill`;
    `low` to `high` is its 90 % interval. `p_holm` and `finding` are those of
    `result.verdict_by_step(result.reference)`.
    """
    table = result.verdict_by_step(result.reference)
    table = table[table["skill"].notna()].rename(columns={"low": "skill_low", "high": "skill_high"})
    for name, skill in (("error", "skill"), ("low", "skill_high"), ("high", "skill_low")):
        table[name] = np.sqrt((1 - table[skill]).clip(lower=0))
    columns = ["model", "step", "error", "low", "high", "skill", "skill_low", "skill_high", "p_holm", "finding"]
    order = pd.CategoricalDtype(list(styles(result)), ordered=True)
    table = table.astype({"model": order})[columns].sort_values(["model", "step"])
    return table.astype({"model": str}).reset_index(drop=True)


def skill_through_time(result: BacktestResult) -> pd.DataFrame:
    """Return the cumulative skill: a row for each cutoff, a column for each model.

    It is the sum, up to the cutoff, of the reference's squared errors minus the model's, as a share of the reference's
    total (squared errors of a series are divided by the reference's mean squared error on it). The last row is the
    skill of the run, taken as a mean over series. After Goyal and Welch (2008).
    """
    forecasts = compared_series(result.forecasts, reference=result.reference)
    losses = loss_by_cutoff(forecasts, reference=result.reference).dropna()
    own = losses[result.reference]
    gains = losses.rsub(own, axis=0).cumsum() / own.sum()
    return gains[[name for name in styles(result) if name in gains]]


def calibration(result: BacktestResult) -> pd.DataFrame:
    """Return the share of outcomes below each forecast quantile: for a calibrated 0.1 quantile it is 0.1.

    A row for each model that forecasts quantiles, a column for each level; shares are averaged over series.
    """
    table = common_rows(compared_series(result.forecasts, reference=result.reference))
    columns = quantile_columns(table.columns)
    below = {level: (table["y"] <= table[name]).where(table[name].notna()) for level, name in columns.items()}
    groups = pd.DataFrame(below, dtype=float).groupby([table["model"].astype(str), table["unique_id"]], observed=True)
    shares = groups.mean().groupby(level=0).mean().dropna(how="all")
    return shares.reindex([name for name in styles(result) if name in shares.index])


def plot_error_by_step(result: BacktestResult, ax: Axes | None = None) -> Axes:
    """Plot each model's error over the reference's by step: below the line at 1 it is better.

    The vertical bars are 90 % intervals: where one crosses the line, model and reference may be equally accurate. An
    arrow at the end of a bar means that it goes on beyond the plot; the title has the farthest end.
    """
    table, reference = error_by_step(result), result.reference
    if table.empty:
        raise ValueError(
            f"there is no error to compare: only {reference} was run, it was never wrong, or no row is shared"
        )
    ax = new_axes(ax)
    names, looks = list(dict.fromkeys(table["model"])), styles(result)
    steps = np.sort(table["step"].unique())
    low, high = _limits(table)
    ax.set_ylim(low, high)
    ax.axhline(1, color=looks[reference].colour, linewidth=1.6)
    for i, name in enumerate(names):
        rows, style = table[table["model"] == name], looks[name]
        x = rows["step"] + (i - (len(names) - 1) / 2) * min(0.09, 0.7 / len(names))  # so that bars do not overlap
        ax.vlines(x, rows["low"], rows["high"], color=style.colour, linewidth=1, alpha=0.45)
        for end, is_cut, arrow in ((low, rows["low"] < low, "v"), (high, rows["high"] > high, "^")):
            if is_cut.any():
                ax.plot(x[is_cut], [end] * is_cut.sum(), arrow, color=style.colour, markersize=5, clip_on=False)
        markers: dict[str, Any] = {"marker": style.marker, "markersize": 4.5, "markevery": -(-len(steps) // 12)}
        ax.plot(x, rows["error"], color=style.colour, linestyle=style.dash, linewidth=1.5, **markers)
    ax.set_xlim(steps[0] - 0.4, steps[-1] + 0.4)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
    ax.set_xlabel("step (rows ahead)", color=INK, fontsize=FONT)
    ax.set_ylabel(f"error ÷ error of {shorten(reference)}", color=INK, fontsize=FONT, parse_math=False)
    last = table[table["step"] == steps[-1]].set_index("model")["error"]
    label_ends(ax, steps[-1] + 0.35, {reference: 1.0} | last.to_dict(), looks)
    largest = table.groupby("model")["error"].max()
    ends = [f"{end:.2f}" for end in (table["low"].min(), table["high"].max()) if not low <= end <= high]
    cut = f"arrows: intervals that go on, to {' and '.join(ends)}" if ends else ""
    _list_outside(ax, largest[largest > high], "up to {:.2f}", cut)
    return ax


def _list_outside(ax: Axes, values: pd.Series, template: str, more_outside: str = "") -> None:
    """List in the title the models whose lines leave the plot, the farthest first, and what else does."""
    lines = [more_outside] if more_outside else []
    if len(values):
        farthest = values.reindex(values.abs().sort_values(ascending=False).index).head(2)
        names = [f"{shorten(name)} ({template.format(x).replace('-', '−')})" for name, x in farthest.items()]
        more = f" and {len(values) - 2} more" if len(values) > 2 else ""
        lines.insert(0, f"outside the plot: {', '.join(names)}{more}")
    if lines:
        write_title(ax, "\n".join(lines), FONT - 1)


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    """Return the limits of the error axis, set by the better half of the models.

    A single model or interval far away would flatten the others into one line.
    """
    farthest = table.assign(away=(table["error"] - 1).abs()).groupby("model")["away"].max().sort_values()
    cap = max(0.015, 2.5 * farthest.iloc[(len(farthest) - 1) // 2])
    low, high = min(table["error"].min(), 1), min(max(table["error"].max(), 1), 1 + cap)
    shown = table[table["model"].isin(farthest.index[farthest <= cap])]  # their intervals are complete
    low, high = min(low, shown["low"].min()), max(high, shown["high"].max())
    margin = max(0.05 * (high - low), 0.004)
    return low - margin, high + margin


def plot_skill_through_time(result: BacktestResult, ax: Axes | None = None) -> Axes:
    """Plot the cumulative skill: a line rises where the model is better than the reference, and falls where worse."""
    table = skill_through_time(result)
    if table.empty:
        raise ValueError(f"there is no error to compare: {result.reference} was never wrong, or no row is shared")
    ax = new_axes(ax)
    looks = styles(result)
    for name in table:
        style = looks[name]
        ax.plot(times(table.index), table[name] * 100, color=style.colour, linestyle=style.dash, linewidth=1.5)
    time_axis(ax, table.index)
    farthest = table.drop(columns=result.reference).abs().max().sort_values() * 100
    # as in `_limits`
    cap = max(0.5, 2.5 * farthest.iloc[(len(farthest) - 1) // 2]) if len(farthest) else 1.0
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, -cap), min(high, cap))
    _list_outside(ax, (table.iloc[-1] * 100).loc[lambda last: last.abs() > cap], "{:+.0f} %")
    ax.set_ylabel("cumulative skill, %", color=INK, fontsize=FONT)
    label_ends(ax, times(table.index)[-1], (table.iloc[-1] * 100).to_dict(), looks)
    return ax


def plot_calibration(result: BacktestResult, ax: Axes | None = None) -> Axes:
    """Plot the share of outcomes below each forecast quantile: a marker belongs on the vertical line of its level."""
    table = calibration(result)
    if table.empty:
        raise ValueError("no model of this run forecasts quantiles: there is nothing to calibrate")
    ax = new_axes(ax)
    looks = styles(result)
    for row, (name, shares) in enumerate(table.iterrows()):
        _draw_shares(ax, row, shares, looks[str(name)])
    for level in table.columns:
        ax.axvline(level, color=RULE, alpha=0.8, linewidth=0.9, zorder=0)
    ax.grid(False)
    labelled: list[float] = []
    for level in table.columns:  # labels of levels close together would overlap
        if not labelled or level - labelled[-1] >= 0.08:
            labelled.append(level)
    ax.set_xticks(labelled, [f"{level * 100:g}%" for level in labelled])
    ax.set_yticks(range(len(table)), [shorten(name) for name in table.index], parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(-0.04, 1.04)  # space for a number at a marker on the edge
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xlabel("share of outcomes below the forecast quantile", color=INK, fontsize=FONT)
    return ax


def _draw_shares(ax: Axes, row: int, shares: pd.Series, style: Style) -> None:
    """Draw one model's row: a marker at each share, connected to its level."""
    ax.plot([-0.04, 1.04], [row, row], color=RULE, alpha=0.25, linewidth=0.8, zorder=1)
    for level, share in shares.items():
        ax.plot([level, share], [row, row], color=style.colour, linewidth=2, zorder=2)
        if len(shares) <= 3:  # enough space for the number, on the far side of the marker
            side = 1 if share >= level else -1
            align: dict[str, Any] = {"xytext": (side * 7, 0), "ha": "left" if side > 0 else "right", "va": "center"}
            text = f"{share:.0%}" if np.isfinite(share) else ""
            ax.annotate(text, (share, row), textcoords="offset points", fontsize=FONT - 1, color=INK, **align)
    marker = style.marker or "o"
    ax.plot(shares, [row] * len(shares), marker, color=style.colour, markersize=6.5, zorder=3, clip_on=False)
