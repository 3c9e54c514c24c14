"""The frame of every picture: colours that stay apart, axes without clutter, names beside the ends of lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from forecast.evaluation.scores import NAIVE

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

INK, GREY, RULE = "#55606c", "#80878f", "#8a929a"
#: Any two of them, and naive's grey, stay apart under all three kinds of colour blindness, on white and on black.
COLOURS = ("#e04a10", "#8a35e0", "#00b080", "#7a9af0", "#c2129f", "#ee9000", "#9c5a3e")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", ":", "-.")
FONT = 9
LABEL_LENGTH = 26


@dataclass(frozen=True)
class Style:
    """How a model looks in every picture of a run."""

    colour: str
    marker: str
    dash: str


def new_axes(ax: Axes | None) -> Axes:
    """Take the axes given, or make a figure of their own (not pyplot's, which is global), and clear the frame."""
    if ax is None:
        ax = Figure(figsize=(7.2, 3.8), layout="constrained").add_subplot()
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(RULE)
    ax.tick_params(colors=INK, labelsize=FONT, length=3, width=0.8, which="both")
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", color=RULE, alpha=0.3, linewidth=0.7)
    ax.set_axisbelow(True)
    return ax


def label_ends(ax: Axes, x: Any, ends: dict[str, float], looks: dict[str, Style]) -> None:
    """Write each name beside the end of its line, moved apart where they would overlap, with a thread to the line."""
    ends = {name: y for name, y in ends.items() if np.isfinite(y)}
    low, high = ax.get_ylim()
    height = ax.get_window_extent().height / ax.figure.dpi * 72  # points
    bottom, *scaled, top = ax.yaxis.get_transform().transform([low, *np.clip(list(ends.values()), low, high), high])
    wanted = (np.array(scaled) - bottom) / (top - bottom)
    places = spread(wanted, 1.35 * FONT / height)
    thread = {"arrowstyle": "-", "linewidth": 1.1, "relpos": (0, 0.5), "shrinkA": 2, "shrinkB": 3}
    for (name, y), place in zip(ends.items(), places, strict=True):
        ax.annotate(
            shortened(name),
            xy=(x, np.clip(y, low, high)),
            xytext=(1.055, place),
            textcoords="axes fraction",
            va="center",
            fontsize=FONT,
            color=INK,
            parse_math=False,
            annotation_clip=False,
            arrowprops=thread | {"color": looks[name].colour},
        )


def shortened(name: Any) -> str:
    """Cut a long name so that its label fits beside a picture."""
    plain = " ".join(str(name).split())
    return plain if len(plain) <= LABEL_LENGTH else plain[: LABEL_LENGTH - 1] + "…"


def spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Move positions between 0 and 1 as little as possible (least squares) until all are at least a gap apart."""
    n = len(wanted)
    if n == 0:
        return np.array([])
    gap = min(gap, 1 / max(n - 1, 1))
    order = np.argsort(wanted, kind="stable")
    shifted = wanted[order] - gap * np.arange(n)  # apart by a gap = not falling, once the gaps are taken out
    mean = [[shifted[min(i, j) : max(i, j) + 1].mean() for j in range(n)] for i in range(n)]
    level = np.array([max(min(mean[j][k] for k in range(i, n)) for j in range(i + 1)) for i in range(n)])
    places = np.empty(n)
    places[order] = np.clip(level, 0, max(1 - gap * (n - 1), 0)) + gap * np.arange(n)
    return places


def time_axis(ax: Axes, index: pd.Index) -> None:
    """Label the axis of time: dates as short as they can be, rows as whole numbers."""
    if isinstance(index, pd.DatetimeIndex):
        locator = AutoDateLocator(minticks=3, maxticks=8)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def times(index: pd.Index | pd.Series) -> np.ndarray:
    """Turn labels of rows into what an axis takes: dates by the clock on the wall, numbers as they are."""
    index = pd.Index(index)
    return (index.tz_localize(None) if isinstance(index, pd.DatetimeIndex) else index).to_numpy()


def styles(result: BacktestResult) -> dict[str, Style]:
    """Give each model of a run its one colour and marker; naive is grey."""
    others = [name for name in result.spec["models"] if name != NAIVE]
    n = len(COLOURS)
    chosen = {m: Style(COLOURS[i % n], MARKERS[i % n], DASHES[i // n % len(DASHES)]) for i, m in enumerate(others)}
    return {NAIVE: Style(GREY, "", "-")} | chosen


def evenly(n: int, most: int) -> np.ndarray:
    """Choose at most so many of n places, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
