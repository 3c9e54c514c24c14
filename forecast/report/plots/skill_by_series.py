"""The skill of each model on each series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from forecast.report.plots.frame import FONT, INK, RULE, evenly, new_axes, shorten, styles

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

SMALL = 12  # series that are marked by full dots; more dots are translucent
MOST_DOTS = 300  # of a model


def plot_by_series(result: BacktestResult, ax: Axes | None = None, loss: str = "squared") -> Axes:
    """Plot the skill of each model on each series as a dot, and the skill over all series as a line.

    To the right of 0 a model is better than the reference on that series. Dots outside the plot are drawn at its edge.
    Of more than 300 series, 300 are drawn for each model, evenly spaced in order of skill.
    """
    table = result.by_series(result.reference, loss=loss).series
    if table.empty:
        raise ValueError(f"there is no series to compare: only {result.reference} was run, or no row is shared")
    ax = new_axes(ax)
    names, looks = list(dict.fromkeys(table["model"])), styles(result)
    skill = table["skill"] * 100
    limit = max(float(np.quantile(skill.abs(), 0.9)) * 1.3, 1.0)
    ax.axvline(0, color=RULE, linewidth=1.2)
    for row, name in enumerate(names):
        values, style = skill[table["model"] == name], looks[name]
        heights = row + np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else [row]
        shade = 0.9 if len(values) <= SMALL else 0.35
        drawn = np.sort(np.argsort(values.to_numpy(), kind="stable")[evenly(len(values), MOST_DOTS)])
        dots = values.clip(-limit, limit).to_numpy()[drawn], np.asarray(heights)[drawn]
        ax.plot(*dots, "o", color=style.colour, alpha=shade, markersize=4.5, clip_on=False)
        mean = 100 * (1 - np.exp(np.log(np.maximum(1 - values / 100, 1e-12)).mean()))
        ax.vlines(np.clip(mean, -limit, limit), row - 0.34, row + 0.34, color=style.colour, linewidth=2)
    ax.grid(False)
    ax.set_yticks(range(len(names)), [shorten(name) for name in names], parse_math=False)
    ax.set_xlim(-limit * 1.04, limit * 1.04)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.xaxis.set_major_formatter(PercentFormatter(decimals=None))
    ax.set_xlabel(
        f"skill on a series, relative to {shorten(result.reference)}", color=INK, fontsize=FONT, parse_math=False
    )
    return ax
