"""What was said at each cutoff, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from forecast.evaluation.scores import NAIVE, interval_columns
from forecast.report.plots.frame import FONT, INK, Style, label_ends, new_axes, shortened, styles, time_axis, times

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult


def truth(result: BacktestResult, series: str) -> pd.Series:
    """Give the prices of a series as far as the run has stored them: at the cutoffs, and at the rows forecast."""
    rows = result.forecasts[result.forecasts["unique_id"] == series]
    seen = [rows[[time, value]].set_axis(["time", "y"], axis=1) for time, value in (("cutoff", "y0"), ("ds", "y"))]
    return pd.concat(seen).drop_duplicates("time").set_index("time")["y"].sort_index()


def plot_forecasts(
    result: BacktestResult,
    series: str | None = None,
    models: Sequence[str] | None = None,
    cutoffs: int = 5,
    ax: Axes | None = None,
) -> Axes:
    """Draw what was said at the newest cutoffs, and what happened.

    `series` is the first unless named, `models` naive and the best of the others; the first of the models (or the one
    after naive) gets its interval, from the lowest to the highest quantile.
    """
    table = result.forecasts[result.forecasts["member"] == 0]
    series = _known("series", series, list(map(str, table["unique_id"].unique())))
    names = [_known("model", name, list(result.spec["models"])) for name in models or _naive_and_best(result)]
    rows = table[table["unique_id"] == series]
    newest = pd.Index(rows["cutoff"].unique()).sort_values()[-cutoffs:]
    rows = rows[rows["cutoff"].isin(newest)]
    ax = new_axes(ax)
    looks, ends = styles(result), interval_columns(rows)
    banded = next((name for name in names if name != NAIVE), names[0])
    last: dict[str, float] = {}
    for name in names:
        style = looks[name]
        for _, path in rows[rows["model"] == name].sort_values("step").groupby("cutoff"):
            when = times(pd.Index([path["cutoff"].iloc[0], *path["ds"]]))
            start = path["y0"].iloc[0]
            ax.plot(when, [start, *path["y_hat"]], color=style.colour, linestyle=style.dash, linewidth=1.6, zorder=3)
            if ends and name == banded:
                low, high = ([start, *path[column]] for column in ends)
                ax.fill_between(when, low, high, color=style.colour, alpha=0.16, linewidth=0, zorder=1)
            last[name] = path["y_hat"].iloc[-1]
    y = truth(result, series).dropna()
    y = y[y.index >= newest[0]]
    ax.plot(times(y.index), y, color=INK, linewidth=1.3, marker=".", markersize=4, zorder=2)
    time_axis(ax, y.index)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    band = f" · band: {shortened(banded)}, {ends[0][1:]} to {ends[1][1:]}" if ends else ""
    ax.set_title(shortened(series) + band, loc="left", color=INK, fontsize=FONT + 1, parse_math=False)
    looks = looks | {"truth": Style(INK, ".", "-")} if "truth" not in looks else looks
    label_ends(ax, times(rows["ds"]).max(), last | ({"truth": y.iloc[-1]} if "truth" not in last else {}), looks)
    return ax


def _naive_and_best(result: BacktestResult) -> list[str]:
    board = result.leaderboard().dropna(subset="skill")
    return [NAIVE, *[name for name in board.index if name != NAIVE][:1]]


def _known(what: str, name: str | None, names: list[str]) -> str:
    if name is None:
        return names[0]
    if name not in names:
        raise ValueError(f"there is no {what} {name!r} in this run; it has {', '.join(names)}")
    return name
