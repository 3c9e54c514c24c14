"""The folds of a walk-forward run: which rows are trained on and which are tested on at each cutoff."""

from __future__ import annotations

from collections.abc import Sized

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from forecast.backtesting.split import WalkForward
from forecast.report.plots.frame import COLOURS, FONT, GREY, INK, evenly, new_axes, time_axis, times, write_title

MOST_FOLDS = 24  # of more folds, this many are drawn, evenly spaced
MOST_REFITS = 100  # all of these are drawn
LINE_POINTS = 4  # width of a line where there is space


def folds(cv: WalkForward, prices: Sized, refit: int = 1) -> pd.DataFrame:
    """Return the folds over prices (a frame, an index, anything with a length): a row for each cutoff.

    `train_first` to `train_last` are the training rows, `test_first` to `test_last` the rows forecast: dates if prices
    have them, else row numbers. Where `fitted` is False, the model is that of the last row above where it is True.

    >>> plots.folds(fc.WalkForward(horizon=2, n_windows=2), range(10))[["train_last", "test_last"]].values.tolist()
    [[5, 7], [7, 9]]
    """
    index = _index(prices)
    rows = [
        (index[f.cutoff], index[f.train.start], index[f.train.stop - 1], index[f.test.start], index[f.test.stop - 1])
        for f in cv.split(index)
    ]
    names = ["cutoff", "train_first", "train_last", "test_first", "test_last"]
    return pd.DataFrame(rows, columns=names).assign(fitted=[i % refit == 0 for i in range(len(rows))])


def plot_folds(cv: WalkForward, prices: Sized, refit: int = 1, ax: Axes | None = None) -> Axes:
    """Plot the training and test rows of each fold, oldest cutoff on top.

    Of many folds all refits and an evenly spaced selection of the others are drawn, as the title states. Folds are
    faded if the model is not refitted there; the gap between training and test rows is the embargo, if there is one.
    """
    table = folds(cv, prices, refit)
    drawn = drawn_folds(table["fitted"].to_numpy())
    ax = new_axes(ax)
    width = min(LINE_POINTS, LINE_POINTS * MOST_FOLDS / len(drawn))
    for position, fold in enumerate(table.iloc[drawn].itertuples()):
        train = times(pd.Index([fold.train_first, fold.train_last]))
        test = times(pd.Index([fold.cutoff, fold.test_last]))
        alpha = 1 if fold.fitted else 0.35
        ax.plot(train, [position] * 2, color=GREY, linewidth=width, alpha=alpha, solid_capstyle="butt")
        ax.plot(test, [position] * 2, color=COLOURS[0], linewidth=width, solid_capstyle="butt")
    time_axis(ax, _index(prices))
    ax.grid(False)
    labelled = evenly(len(drawn), MOST_FOLDS)
    ax.set_yticks(labelled, [str(drawn[i] + 1) for i in labelled])
    ax.set_ylim(len(drawn) - 0.4, -0.6)
    ax.set_ylabel("cutoff", color=INK, fontsize=FONT)
    refits = f"{table['fitted'].iloc[drawn].sum()} of {table['fitted'].sum()} refits"
    all_refits = ", with all refits" if table["fitted"].sum() == table["fitted"].iloc[drawn].sum() else f", {refits}"
    selection = f"{len(drawn)} of {len(table)} cutoffs{all_refits}\n" if len(drawn) < len(table) else ""
    faded = ", faded: not refitted" if refit > 1 else ""
    write_title(ax, f"{selection}grey: training{faded} · red: test", FONT)
    return ax


def drawn_folds(fitted: np.ndarray) -> np.ndarray:
    """Return the positions of the folds that are drawn: up to a hundred refits, and others up to 24 in all."""
    refits, others = np.flatnonzero(fitted), np.flatnonzero(~fitted)
    refits = refits[evenly(len(refits), MOST_REFITS)]
    space = min(max(MOST_FOLDS - len(refits), 0), len(others))
    return np.sort(np.concatenate([refits, others[evenly(len(others), space)] if space else others[:0]]))


def _index(prices: Sized) -> pd.Index:
    index = prices if isinstance(prices, pd.Index) else getattr(prices, "index", None)
    return index if isinstance(index, pd.Index) else pd.RangeIndex(len(prices))
