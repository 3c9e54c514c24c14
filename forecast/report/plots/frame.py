"""Common parts of every plot: colours that stay distinguishable, plain axes, and names at the ends of lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from forecast._text import plain

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

INK, GREY, RULE = "#55606c", "#80878f", "#8a929a"
#: Any two of them, and the reference's grey, stay apart under all three kinds of colour blindness, on white and black.
COLOURS: tuple[str, ...] = ("#e04a10", "#8a35e0", "#00b080", "#7a9af0", "#c2129f", "#ee9000", "#9c5a3e")
COLOURS += ("#4a10ff", "#6c4848", "#c09c54")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
DASHES = ("-", "--", ":", "-.")
FONT = 9
LABEL_LENGTH = 26
LABEL_AT = 1.055  # where labels at the right begin, as a share of the width of the plot
NARROW = 3.8  # inches of a narrow figure to the right of the vertical axis
LETTER = 0.55  # width of a letter as a share of the size of the font


@dataclass(frozen=True)
class Style:
    """Colour, marker and dash of a model in every plot of a run."""

    colour: str
    marker: str
    dash: str


def new_axes(ax: Axes | None) -> Axes:
    """Return the axes with a plain frame; without axes, those of a new figure (not pyplot's, which is global)."""
    if ax is None:
        show_in_notebooks()
        ax = Figure(figsize=(7.2, 3.8), layout="constrained").add_subplot()
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(RULE)
    ax.tick_params(colors=INK, labelsize=FONT, length=3, width=0.8, which="both")
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", color=RULE, alpha=0.3, linewidth=0.7)
    ax.set_axisbelow(True)
    return ax


def show_in_notebooks() -> None:
    """Have a notebook draw figures and axes that are the value of a cell; pyplot's axes are drawn by pyplot."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or not hasattr(shell, "kernel"):
        return
    from IPython.core.pylabtools import print_figure

    def png(figure: Any) -> bytes | None:
        return None if figure.canvas.manager else print_figure(figure, "png")

    formatter = shell.display_formatter.formatters["image/png"]
    formatter.for_type(Axes, lambda ax: png(ax.figure))
    try:
        formatter.lookup_by_type(Figure)
    except KeyError:
        formatter.for_type(Figure, png)


def label_ends(ax: Axes, x: Any, ends: dict[str, float], looks: dict[str, Style]) -> None:
    """Write each name at the right of its line's end, with a connecting line; labels are moved apart where needed."""
    ends = {name: y for name, y in ends.items() if np.isfinite(y)}
    low, high = ax.get_ylim()
    height = ax.get_window_extent().height / ax.figure.dpi * 72  # points
    bottom, *scaled, top = ax.yaxis.get_transform().transform([low, *np.clip(list(ends.values()), low, high), high])
    positions = spread((np.array(scaled) - bottom) / (top - bottom), 1.35 * FONT / height)
    end = ax.transAxes.inverted().transform(ax.transData.transform((ax.convert_xunits(x), low)))[0]
    for name, start, position in zip(ends, (np.array(scaled) - bottom) / (top - bottom), positions, strict=True):
        path = Path([(end + 0.004, start), (LABEL_AT - 0.01, position)])
        dots = {"linewidth": 0.9, "linestyle": (0, (1, 2))}  # unlike the lines of the plot
        line = PathPatch(path, transform=ax.transAxes, fill=False, edgecolor=looks[name].colour, **dots)
        line.set_clip_on(False)
        ax.add_patch(line)  # an arrow would take ten times as long
        text = ax.text(LABEL_AT, position, shorten(name), transform=ax.transAxes, va="center", fontsize=FONT, color=INK)
        text.set_parse_math(False)


def write_title(ax: Axes, text: str, size: float) -> None:
    """Write a title above the left end of the plot, in lines that fit in a narrow figure."""
    length = int(NARROW * 72 / (LETTER * size))
    lines = [line for part in text.splitlines() for line in wrap(part, length, break_on_hyphens=False)]
    ax.set_title("\n".join(lines), loc="left", color=INK, fontsize=size, parse_math=False)


def shorten(name: Any) -> str:
    """Return a name as plain text, cut to the length that fits at the side of a plot."""
    text = plain(name)
    return text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + "…"


def spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Return positions in [0, 1], at least a gap apart, that differ least (least squares) from the wanted ones.

    With the gaps subtracted, "a gap apart" means "not decreasing", so this is an isotonic regression.
    """
    from scipy.optimize import isotonic_regression

    n = len(wanted)
    if n == 0:
        return np.array([])
    gap = min(gap, 1 / max(n - 1, 1))
    order = np.argsort(wanted, kind="stable")
    level = isotonic_regression(wanted[order] - gap * np.arange(n)).x
    positions = np.empty(n)
    positions[order] = np.clip(level, 0, max(1 - gap * (n - 1), 0)) + gap * np.arange(n)
    return positions


def time_axis(ax: Axes, index: pd.Index) -> None:
    """Label the time axis: short dates, or whole numbers of rows."""
    if isinstance(index, pd.DatetimeIndex):
        locator = AutoDateLocator(minticks=3, maxticks=8)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def times(index: pd.Index | pd.Series) -> np.ndarray:
    """Return labels of rows as values of an axis: dates in local time without a time zone, numbers unchanged."""
    index = pd.Index(index)
    return (index.tz_localize(None) if isinstance(index, pd.DatetimeIndex) else index).to_numpy()


def styles(result: BacktestResult) -> dict[str, Style]:
    """Return the style of each model of a run; the reference is grey."""
    return choose_styles(list(result.spec["models"]), result.reference)


def choose_styles(names: Sequence[str], reference: str | None = None) -> dict[str, Style]:
    """Return a style for each name, those of the reference first, which is grey."""
    others = [name for name in names if name != reference]
    n = len(COLOURS)
    chosen = {m: Style(COLOURS[i % n], MARKERS[i % n], DASHES[i // n % len(DASHES)]) for i, m in enumerate(others)}
    return chosen if reference is None else {reference: Style(GREY, "", "-")} | chosen


def evenly(n: int, most: int) -> np.ndarray:
    """Return at most `most` of n positions, evenly spaced, first and last included."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
