"""Pictures of a backtest. Each function returns the Axes; the table behind the picture is a function of its own."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from html import escape
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib import style as sheets
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from forecast.plots.frame import COLOURS, DASHES, FONT, GREY, INK, MARKERS, RULE, Style, label_ends, new_axes, shortened
from forecast.scores import NAIVE, common_rows, error_ratios, interval_columns

if TYPE_CHECKING:
    from forecast.backtest import BacktestResult


def styles(result: BacktestResult) -> dict[str, Style]:
    """Give each model of a run its one colour and marker; naive is grey."""
    others = [name for name in result.spec["models"] if name != NAIVE]
    n = len(COLOURS)
    chosen = {m: Style(COLOURS[i % n], MARKERS[i % n], DASHES[i // n % len(DASHES)]) for i, m in enumerate(others)}
    return {NAIVE: Style(GREY, "", "-")} | chosen


def error_by_step(result: BacktestResult) -> pd.DataFrame:
    """Say how far off each model is by days ahead, naive being 1: a row for each step, a column for each model.

    The root of the mean squared error over naive's, at the same step of the same series; then the mean over series.
    """
    ratios = np.sqrt(error_ratios(result.forecasts, by=("step", "unique_id")))
    if ratios.empty:
        return ratios
    table = ratios.groupby(level="step").mean().dropna(how="all")  # where naive was never wrong nothing can be divided
    return table[[name for name in styles(result) if name in table]]


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


def truth(result: BacktestResult, series: str) -> pd.Series:
    """Give the prices of a series as far as the run has stored them: at the cutoffs, and at the rows forecast."""
    rows = result.forecasts[result.forecasts["unique_id"] == series]
    seen = [rows[[time, value]].set_axis(["time", "y"], axis=1) for time, value in (("cutoff", "y0"), ("ds", "y"))]
    return pd.concat(seen).drop_duplicates("time").set_index("time")["y"].sort_index()


def plot_error_by_step(result: BacktestResult, ax: Axes | None = None) -> Axes:
    """Draw how each model's error compares with doing nothing, by step: below the line at 1 is better than naive."""
    table = error_by_step(result)
    if table.empty:
        raise ValueError("naive was never wrong in this run, or the models share no row: there is no error to compare")
    ax = new_axes(ax)
    steps = table.index.to_numpy()
    worst = (table - 1).abs().drop(columns=NAIVE).max().dropna().sort_values()
    # One wild model would flatten the others into one line: the better half of the models sets the scale.
    cap = 1 + max(0.015, 2.5 * worst.iloc[(len(worst) - 1) // 2]) if len(worst) else 1.05
    low, high = table.min().min(), min(table.max().max(), cap)
    room = max(0.08 * (high - low), 0.004)
    ax.set_ylim(low - room, high + room)
    for name, style in styles(result).items():
        if name in table:
            looks: dict[str, Any] = {"marker": style.marker, "markersize": 4.5, "markevery": -(-len(steps) // 12)}
            ax.plot(steps, table[name], color=style.colour, linestyle=style.dash, linewidth=1.6, **looks)
    ax.set_xlim(steps[0] - 0.02 * len(steps), steps[-1] + 0.02 * len(steps))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
    ax.set_xlabel("step (rows ahead)", color=INK, fontsize=FONT)
    ax.set_ylabel("error ÷ naive's error", color=INK, fontsize=FONT)
    label_ends(ax, steps[-1], {name: table[name].iloc[-1] for name in table}, styles(result))
    above = table.max()[table.max() > high + room].sort_values(ascending=False)
    if len(above):
        said = ", ".join(f"{shortened(name)} (up to {value:.2f})" for name, value in above.head(2).items())
        more = f" and {len(above) - 2} more" if len(above) > 2 else ""
        ax.set_title(f"↑ above the picture: {said}{more}", loc="left", color=INK, fontsize=FONT - 1, parse_math=False)
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
            when = _times(pd.Index([path["cutoff"].iloc[0], *path["ds"]]))
            start = path["y0"].iloc[0]
            ax.plot(when, [start, *path["y_hat"]], color=style.colour, linestyle=style.dash, linewidth=1.6, zorder=3)
            if ends and name == banded:
                low, high = ([start, *path[column]] for column in ends)
                ax.fill_between(when, low, high, color=style.colour, alpha=0.16, linewidth=0, zorder=1)
            last[name] = path["y_hat"].iloc[-1]
    y = truth(result, series).dropna()
    y = y[y.index >= newest[0]]
    ax.plot(_times(y.index), y, color=INK, linewidth=1.3, marker=".", markersize=4, zorder=2)
    if isinstance(y.index, pd.DatetimeIndex):
        locator = AutoDateLocator(maxticks=8)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    band = f" · band: {shortened(banded)}, {ends[0][1:]} to {ends[1][1:]}" if ends else ""
    ax.set_title(shortened(series) + band, loc="left", color=INK, fontsize=FONT + 1, parse_math=False)
    looks = looks | {"truth": Style(INK, ".", "-")} if "truth" not in looks else looks
    label_ends(ax, _times(rows["ds"]).max(), last | ({"truth": y.iloc[-1]} if "truth" not in last else {}), looks)
    return ax


def as_svg(plot: Callable[..., Axes], result: BacktestResult, size: tuple[float, float], text: str) -> str:
    """Draw a picture for a web page: an <svg> with `text` for those who cannot see it, in the page's font and ink."""
    page = StringIO()
    with sheets.context("default"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # letters stay text: the browser has the glyph
        rcParams.update({"svg.fonttype": "none", "svg.hashsalt": f"{plot.__name__} {size}"})
        figure = Figure(figsize=size, layout="constrained")
        plot(result, ax=figure.add_subplot())
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(page, format="svg", transparent=True, metadata=nothing)
    svg = re.sub(r"<!--.*?-->|<style.*?</style>", "", page.getvalue(), flags=re.DOTALL).replace(INK, "currentColor")
    used = set(re.findall(r"#([\w-]+)", svg))  # a page may hold many pictures: no id that is not needed
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    head, body = svg[svg.index("<svg") :].split(">", maxsplit=1)
    box = re.search(r'viewBox="[^"]*"', head)
    return f'<svg {box[0] if box else ""} stroke-linejoin="round" role="img" aria-label="{escape(text)}">{body}'


def _naive_and_best(result: BacktestResult) -> list[str]:
    board = result.leaderboard().dropna(subset="skill")
    return [NAIVE, *[name for name in board.index if name != NAIVE][:1]]


def _known(what: str, name: str | None, names: list[str]) -> str:
    if name is None:
        return names[0]
    if name not in names:
        raise ValueError(f"there is no {what} {name!r} in this run; it has {', '.join(names)}")
    return name


def _times(index: pd.Index | pd.Series) -> np.ndarray:
    """Turn labels of rows into what an axis takes: dates by the clock on the wall, numbers as they are."""
    index = pd.Index(index)
    return (index.tz_localize(None) if isinstance(index, pd.DatetimeIndex) else index).to_numpy()
