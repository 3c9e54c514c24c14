"""What a model's forecasts depend on, by input, row and step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from forecast.report.plots.frame import COLOURS, FONT, INK, new_axes, shorten

if TYPE_CHECKING:
    from forecast.evaluation.importance import Importance

MOST_ROWS = 14
MOST_NUMBERS = 12  # steps whose numbers are written into the cells


def plot_importance(importance: Importance, ax: Axes | None = None, by: str = "row") -> Axes:
    """Plot how much the squared error rises without an input, as a cell for each input and step: darker is more.

    With `by="row"` the most important rows are drawn in order of time, where t is the row of the cutoff; with
    `by="input"` all inputs are. A number is the rise in percent, bold where its 90 % interval lies above 0.
    """
    table = _cells(importance, by)
    ax = new_axes(ax)
    ax.grid(False)
    labels, steps = list(dict.fromkeys(table["label"])), np.sort(table["step"].unique())
    largest = max(float(table["importance"].max()), 1e-9)
    for cell in table.itertuples():
        x, y = cell.step, labels.index(cell.label)
        share = min(max(cell.importance / largest, 0.0), 1.0) if np.isfinite(cell.importance) else 0.0
        colour = to_rgba(COLOURS[0], 0.04 + 0.52 * share)
        ax.fill_between([x - 0.48, x + 0.48], y - 0.46, y + 0.46, color=colour, linewidth=0)
        if len(steps) <= MOST_NUMBERS and np.isfinite(cell.importance):
            visible = abs(cell.importance) >= 0.005
            weight = "bold" if visible and cell.low > 0 else "normal"
            text = f"{cell.importance * 100:+.0f}".replace("-", "−") if visible else "0"
            ax.text(x, y, text, ha="center", va="center", fontsize=FONT - 1, color=INK, weight=weight)
    ax.set_yticks(range(len(labels)), labels, parse_math=False)
    ax.set_ylim(len(labels) - 0.45, -0.55)
    ax.set_xlim(steps[0] - 0.55, steps[-1] + 0.55)
    ax.set_xticks(steps if len(steps) <= 2 * MOST_NUMBERS else steps[:: -(-len(steps) // MOST_NUMBERS)])
    ax.set_xlabel("step (rows ahead)", color=INK, fontsize=FONT)
    title = (
        f"rise of the squared error without the input, % · {importance.n_cutoffs} cutoffs · bold: 90 % interval above 0"
    )
    ax.set_title(title, loc="left", color=INK, fontsize=FONT)
    return ax


def _cells(importance: Importance, by: str) -> pd.DataFrame:
    """Return the rows of the table that are drawn, with their labels, in order of input and row."""
    table = importance.to_frame(by)
    if by == "input":
        table["label"] = [shorten(name) for name in table["input"]]
        order = table.groupby("label")["importance"].max().sort_values(ascending=False).index
        return table.assign(at=table["label"].map(list(order).index)).sort_values(["at", "step"], kind="stable")
    table["label"] = [
        f"{shorten(name)}[{_describe(row)}]" for name, row in zip(table["input"], table["row"], strict=True)
    ]
    best = table.groupby(["input", "row"])["importance"].max().sort_values(ascending=False).index[:MOST_ROWS]
    chosen = table[pd.MultiIndex.from_frame(table[["input", "row"]]).isin(best)]
    position = {name: i for i, name in enumerate(importance.kinds)}
    return chosen.assign(at=chosen["input"].map(position)).sort_values(["at", "row", "step"], kind="stable")


def _describe(row: int) -> str:
    """Return where a row lies, counted from the cutoff's."""
    return "t" if row == 0 else f"t+{row}" if row > 0 else f"t−{-row}"
