"""Pictures of training: how a loss fell, and how far back in time the gradient reaches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from forecast.report.plots.frame import COLOURS, FONT, INK, Style, label_ends, new_axes, styles

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult


def plot_history(model: Any, column: str = "loss", ax: Axes | None = None) -> Axes:
    """Draw how a training went: the loss (or the accuracy of a classifier) by step or epoch.

    A forecaster's loss is smoothed over twenty steps, a line for each member; where rows were kept out of training,
    theirs is drawn beside it, dashed.
    """
    if not hasattr(model, "history_"):
        raise ValueError(f"there is no training to draw of {model!r}: fit a Recurrent or a RecurrentClassifier")
    history: pd.DataFrame = model.history_
    time = "epoch" if "epoch" in history else "step"
    drawn = [c for c in history if c not in (time, "member") and not c.startswith("validation")]
    if column not in drawn:
        known = ", ".join(drawn)
        raise ValueError(f"there is no {column!r} in this history; it has {known}")
    other = {"loss": "validation_loss" if time == "epoch" else "validation"}.get(column, f"validation_{column}")
    ax = new_axes(ax)
    ends, looks = {}, {}
    for i, (member, each) in enumerate(history.groupby("member") if "member" in history else [("", history)]):
        name = f"member {member}" if history.get("member", pd.Series([1])).nunique() > 1 else "training"
        colour = COLOURS[i % len(COLOURS)]
        taken = each.dropna(subset=column)
        line = taken[column] if time == "epoch" else taken[column].rolling(20, min_periods=1).mean()
        ax.plot(taken[time], line, color=colour, linewidth=1.6, marker="o" if time == "epoch" else None, markersize=4)
        ends[name], looks[name] = float(line.iloc[-1]) if len(line) else np.nan, Style(colour, "", "-")
        if other in each and each[other].notna().any():
            seen = each.dropna(subset=other)
            ax.plot(seen[time], seen[other], color=colour, linestyle="--", linewidth=1.4)
            said = "validation" if name == "training" else f"{name}, validation"
            ends[said], looks[said] = float(seen[other].iloc[-1]), Style(colour, "", "--")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(time, color=INK, fontsize=FONT)
    ax.set_ylabel(column, color=INK, fontsize=FONT)
    label_ends(ax, history[time].max(), ends, looks)
    return ax


def training_curves(result: BacktestResult) -> pd.DataFrame:
    """Give the training loss of every network that a run fitted: model, member, cutoff, step, loss.

    Of each fit at most twenty points, each the mean loss of the steps since the point before.
    """
    rows = []
    for fit in result.fits.itertuples():
        told = json.loads(fit.details)
        for number, (steps, losses) in enumerate(zip(told.get("steps", []), told.get("loss", []), strict=True)):
            if isinstance(losses, list):  # a run of an older version has the last loss only
                ends = np.linspace(0, steps, len(losses) + 1)[1:]
                member = max(int(fit.member), number + 1)
                rows += [(fit.model, member, fit.cutoff, end, loss) for end, loss in zip(ends, losses, strict=True)]
    return pd.DataFrame(rows, columns=["model", "member", "cutoff", "step", "loss"]).astype({"model": str})


def plot_training(result: BacktestResult, ax: Axes | None = None) -> Axes:
    """Draw how far the loss of the networks fell in training, against what it was at first.

    A line is the mean over all fits of a model, the band holds eight of ten of them.
    """
    table = training_curves(result)
    if table.empty:
        raise ValueError("no network was trained in this run: there is no curve to draw")
    ax = new_axes(ax)
    looks, ends = styles(result), {}
    for name in (name for name in looks if (table["model"] == name).any()):
        each = table[table["model"] == name]
        first = each.groupby(["member", "cutoff"], observed=True)["loss"].first().mean()
        over, style = (each["loss"] / first).groupby(each["step"]), looks[name]
        low, mean, high = over.quantile(0.1), over.mean(), over.quantile(0.9)
        ax.fill_between(mean.index, low, high, color=style.colour, alpha=0.12, linewidth=0)
        ax.plot(mean.index, mean, color=style.colour, linestyle=style.dash, linewidth=1.6)
        ends[name] = float(mean.iloc[-1])
    ax.set_xlabel("training step", color=INK, fontsize=FONT)
    ax.set_ylabel("training loss ÷ at first", color=INK, fontsize=FONT)
    label_ends(ax, table["step"].max(), ends, looks)
    return ax


def plot_gradient_flow(flows: Mapping[str, pd.DataFrame], of: str = "input", ax: Axes | None = None) -> Axes:
    """Draw how the gradient of the loss decays with the distance back in time, network by network.

    `flows` maps names to tables of `gradient_flow`; `of` is "input" or "state". The axis is logarithmic, each network
    against its own largest value: a straight line down is a gradient that vanishes exponentially.
    """
    if of not in ("input", "state"):
        raise ValueError(f"of must be 'input' or 'state'; got {of!r}")
    if not flows:
        raise ValueError("there is no table to draw: give at least one of gradient_flow, by name")
    ax = new_axes(ax)
    ends, looks = {}, {}
    for i, (name, flow) in enumerate(flows.items()):
        norm = flow[of] / flow[of].max()
        if not norm.notna().any():
            raise ValueError(f"{name} has no gradient of the {of}: see gradient_flow")
        style = Style(COLOURS[i % len(COLOURS)], "", "-")
        ax.plot(flow.index, norm.where(norm > 0), color=style.colour, linewidth=1.6)
        ends[name], looks[name] = float(norm[norm > 0].iloc[-1]), style  # past `bptt` it is 0
    ax.set_yscale("log")
    ax.set_ylim(bottom=max(ax.get_ylim()[0], 1e-12), top=2)
    ax.set_xlabel("rows back in time", color=INK, fontsize=FONT)
    ax.set_ylabel(f"|d loss / d {of}|, largest = 1", color=INK, fontsize=FONT)
    last = max(flow.index.max() for flow in flows.values())
    label_ends(ax, last, ends, looks)
    return ax
