"""Training of networks: how the loss fell, and how far back in time the gradient reaches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from forecast._validation import check_choice
from forecast.report.plots.frame import COLOURS, FONT, INK, Style, label_ends, new_axes, styles

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult
    from forecast.models.recurrent.classifier import RecurrentClassifier
    from forecast.models.recurrent.forecaster import Recurrent

SMOOTHING = 20  # steps over which a forecaster's training loss is averaged


def plot_history(model: Recurrent | RecurrentClassifier, column: str = "loss", ax: Axes | None = None) -> Axes:
    """Plot a training history: the loss (or a classifier's accuracy) by step or epoch.

    A forecaster's loss is smoothed over twenty steps, with a line for each member; the validation loss, if there is
    one, is dashed.
    """
    if not hasattr(model, "history_"):
        raise ValueError(f"{model!r} has no training history: fit a Recurrent or a RecurrentClassifier")
    history: pd.DataFrame = model.history_
    time = "epoch" if "epoch" in history else "step"
    available = [c for c in history if c not in (time, "member") and not c.startswith("validation")]
    if column not in available:
        raise ValueError(f"there is no {column!r} in this history; it has {', '.join(available)}")
    validation = {"loss": "validation_loss" if time == "epoch" else "validation"}.get(column, f"validation_{column}")
    ax = new_axes(ax)
    ends, looks = {}, {}
    for i, (member, rows) in enumerate(history.groupby("member") if "member" in history else [("", history)]):
        name = f"member {member}" if history.get("member", pd.Series([1])).nunique() > 1 else "training"
        colour = COLOURS[i % len(COLOURS)]
        observed = rows.dropna(subset=column)
        line = observed[column] if time == "epoch" else observed[column].rolling(SMOOTHING, min_periods=1).mean()
        marker = "o" if time == "epoch" else None
        ax.plot(observed[time], line, color=colour, linewidth=1.6, marker=marker, markersize=4)
        ends[name], looks[name] = float(line.iloc[-1]) if len(line) else np.nan, Style(colour, "", "-")
        if validation in rows and rows[validation].notna().any():
            observed = rows.dropna(subset=validation)
            ax.plot(observed[time], observed[validation], color=colour, linestyle="--", linewidth=1.4)
            label = "validation" if name == "training" else f"{name}, validation"
            ends[label], looks[label] = float(observed[validation].iloc[-1]), Style(colour, "", "--")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(time, color=INK, fontsize=FONT)
    ax.set_ylabel(column, color=INK, fontsize=FONT)
    label_ends(ax, history[time].max(), ends, looks)
    return ax


def training_curves(result: BacktestResult) -> pd.DataFrame:
    """Return the training loss of every network that a run fitted: model, member, cutoff, step, loss.

    There are at most twenty rows for each fit, each with the mean loss of the steps since the row before.
    """
    rows = []
    for fit in result.fits.itertuples():
        details = json.loads(fit.details)
        for number, (steps, losses) in enumerate(zip(details.get("steps", []), details.get("loss", []), strict=True)):
            if isinstance(losses, list):  # a run of an older version has the last loss only
                ends = np.linspace(0, steps, len(losses) + 1)[1:]
                member = max(int(fit.member), number + 1)
                rows += [(fit.model, member, fit.cutoff, end, loss) for end, loss in zip(ends, losses, strict=True)]
    return pd.DataFrame(rows, columns=["model", "member", "cutoff", "step", "loss"]).astype({"model": str})


def plot_training(result: BacktestResult, ax: Axes | None = None) -> Axes:
    """Plot the training loss of the networks relative to the first loss.

    A line is the mean over all fits of a model; the band contains eight of ten of them.
    """
    table = training_curves(result)
    if table.empty:
        raise ValueError("no network was trained in this run: there is no curve to draw")
    ax = new_axes(ax)
    looks, ends = styles(result), {}
    for name in (name for name in looks if (table["model"] == name).any()):
        rows = table[table["model"] == name]
        first = rows.groupby(["member", "cutoff"], observed=True)["loss"].first().mean()
        relative, style = (rows["loss"] / first).groupby(rows["step"]), looks[name]
        low, mean, high = relative.quantile(0.1), relative.mean(), relative.quantile(0.9)
        ax.fill_between(mean.index, low, high, color=style.colour, alpha=0.12, linewidth=0)
        ax.plot(mean.index, mean, color=style.colour, linestyle=style.dash, linewidth=1.6)
        ends[name] = float(mean.iloc[-1])
    ax.set_xlabel("training step", color=INK, fontsize=FONT)
    ax.set_ylabel("training loss ÷ first loss", color=INK, fontsize=FONT)
    label_ends(ax, table["step"].max(), ends, looks)
    return ax


def plot_gradient_flow(flows: Mapping[str, pd.DataFrame], of: str = "input", ax: Axes | None = None) -> Axes:
    """Plot how the gradient of the loss decays with the distance back in time, network by network.

    `flows` maps names to tables of `gradient_flow`; `of` is "input" or "state". The axis is logarithmic, and each
    network is relative to its own largest value: a straight falling line is a gradient that vanishes exponentially.
    """
    check_choice("of", of, ("input", "state"))
    if not flows:
        raise ValueError("flows is empty: pass at least one table of gradient_flow, by name")
    ax = new_axes(ax)
    ends, looks = {}, {}
    for i, (name, flow) in enumerate(flows.items()):
        norm = flow[of] / flow[of].max()
        if not norm.notna().any():
            raise ValueError(f"{name} has no gradient of the {of}: see gradient_flow")
        style = Style(COLOURS[i % len(COLOURS)], "", "-")
        ax.plot(flow.index, norm.where(norm > 0), color=style.colour, linewidth=1.6)
        ends[name], looks[name] = float(norm[norm > 0].iloc[-1]), style  # beyond `bptt` it is 0
    ax.set_yscale("log")
    ax.set_ylim(bottom=max(ax.get_ylim()[0], 1e-12), top=2)
    ax.set_xlabel("rows back in time", color=INK, fontsize=FONT)
    ax.set_ylabel(f"|d loss / d {of}|, largest = 1", color=INK, fontsize=FONT)
    last = max(flow.index.max() for flow in flows.values())
    label_ends(ax, last, ends, looks)
    return ax
