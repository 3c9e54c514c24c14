"""The forecasts of a run and the observed prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from forecast.evaluation.scores import interval_columns
from forecast.models.base import quantile_columns
from forecast.report.plots.frame import FONT, INK, Style, label_ends, new_axes, shorten, styles, time_axis, times

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

TRUTH = "truth"


def truth(result: BacktestResult, series: str) -> pd.Series:
    """Return the prices of a series that a run has stored: at the cutoffs, and at the rows forecast."""
    rows = result.forecasts[result.forecasts["unique_id"] == series]
    pairs = [rows[[time, value]].set_axis(["time", "y"], axis=1) for time, value in (("cutoff", "y0"), ("ds", "y"))]
    return pd.concat(pairs).drop_duplicates("time").set_index("time")["y"].sort_index()


def plot_forecasts(
    result: BacktestResult,
    series: str | None = None,
    models: Sequence[str] | None = None,
    cutoffs: int = 5,
    ax: Axes | None = None,
) -> Axes:
    """Plot the forecasts at the newest cutoffs and the observed prices.

    Parameters
    ----------
    result : BacktestResult
        The run.
    series : str, optional
        Series to plot; by default the first.
    models : sequence of str, optional
        Models to plot; by default the reference and the best of the others. The first model other than the
        reference is drawn with its interval, from the lowest to the highest quantile.
    cutoffs : int, default 5
        Number of cutoffs.
    ax : matplotlib Axes, optional
        Axes to draw on; by default those of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If the run has no such series or model.
    """
    table = result.forecasts[result.forecasts["member"] == 0]
    series = _check_name("series", series, list(map(str, table["unique_id"].unique())))
    names = [_check_name("model", name, list(result.spec["models"])) for name in models or _reference_and_best(result)]
    rows = table[table["unique_id"] == series]
    newest = pd.Index(rows["cutoff"].unique()).sort_values()[-cutoffs:]
    rows = rows[rows["cutoff"].isin(newest)]
    ax = new_axes(ax)
    looks, ends = styles(result), interval_columns(rows.columns)
    with_band = next((name for name in names if name != result.reference), names[0])
    last = {}
    for name in names:
        band = ends if name == with_band else None
        for _, path in rows[rows["model"] == name].sort_values("step").groupby("cutoff"):
            _draw_path(ax, path, looks[name], band)
            last[name] = path["y_hat"].iloc[-1]
    y = truth(result, series).dropna()
    y = y[y.index >= newest[0]]
    ax.plot(times(y.index), y, color=INK, linewidth=1.3, marker=".", markersize=4, zorder=2)
    time_axis(ax, y.index)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    levels = list(quantile_columns(rows.columns))
    interval = f" · band: {shorten(with_band)}, {levels[0]:g} to {levels[-1]:g}" if ends else ""
    ax.set_title(shorten(series) + interval, loc="left", color=INK, fontsize=FONT + 1, parse_math=False)
    looks = {TRUTH: Style(INK, ".", "-")} | looks  # a model may have this name too
    label_ends(ax, times(rows["ds"]).max(), last | {TRUTH: last.get(TRUTH, y.iloc[-1])}, looks)
    return ax


def _draw_path(ax: Axes, path: pd.DataFrame, style: Style, band: tuple[str, str] | None) -> None:
    """Draw one model's forecasts from one cutoff, starting at the last price, with an interval if given."""
    when = times(pd.Index([path["cutoff"].iloc[0], *path["ds"]]))
    start = path["y0"].iloc[0]
    ax.plot(when, [start, *path["y_hat"]], color=style.colour, linestyle=style.dash, linewidth=1.6, zorder=3)
    if band:
        low, high = ([start, *path[column]] for column in band)
        ax.fill_between(when, low, high, color=style.colour, alpha=0.16, linewidth=0, zorder=1)


def _reference_and_best(result: BacktestResult) -> list[str]:
    board, reference = result.leaderboard().dropna(subset="skill"), result.reference
    return [reference, *[name for name in board.index if name != reference][:1]]


def _check_name(kind: str, name: str | None, names: list[str]) -> str:
    """Return the name, or the first of the available names if None; raises ValueError if it is not among them."""
    if name is None:
        return names[0]
    if name not in names:
        raise ValueError(f"there is no {kind} {name!r} in this run; it has {', '.join(names)}")
    return name
