"""The preparation and backtest that an audit repeats on changed prices, and comparisons of their forecasts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecast.backtesting.one_model import run_model
from forecast.backtesting.split import WalkForward
from forecast.data.panel import Panel
from forecast.data.row_labels import format_date
from forecast.evaluation.preparation import Preparation
from forecast.models.base import Forecaster, quantile_columns

NAME = "audited"
KEYS = ["unique_id", "cutoff", "step", "member"]


class Run(NamedTuple):
    """The forecasts of a backtest, by series, cutoff, step and member, and whether a fit failed."""

    forecasts: pd.DataFrame
    rows: np.ndarray  # of the cutoffs in the panel
    has_failed: bool


class Cutoff(NamedTuple):
    """A cutoff after which raw rows are changed."""

    row: int  # of the prepared panel
    raw_rows: int  # up to and including the cutoff
    label: str
    raw_label: str  # of the last raw row


@dataclass(frozen=True)
class Trial:
    """The preparation and backtest that are repeated on changed prices."""

    model: Forecaster
    cv: WalkForward
    preparation: Preparation

    @cached_property
    def cutoffs(self) -> list[int]:
        """The rows of the cutoffs in the prepared panel."""
        return self.cv.cutoffs(self.preparation.panel)

    @property
    def refit(self) -> int:
        """The number of cutoffs that share a fit, so that a change can fall between them."""
        return max(self.cv.n_windows // 2, 2)

    def cutoff(self, row: int) -> Cutoff:
        """Return a row of the prepared panel with the number of raw rows that are past."""
        raw_rows = self.preparation.raw_rows(row)
        label, raw_label = self.preparation.panel.index[row], self.preparation.frame.index[raw_rows - 1]
        return Cutoff(row, raw_rows, format_date(label), format_date(raw_label))

    @cached_property
    def before(self) -> Run:
        """The run on the unchanged prices."""
        return self.run(self.preparation.panel, self.cv)

    def run(self, panel: Panel, cv: WalkForward) -> Run:
        """Return the forecasts of a backtest with two fits."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table, has_failed = run_model(NAME, self.model, panel, cv, self.refit)
        table = table.set_index(KEYS).sort_index()
        columns = [*quantile_columns(table.columns).values(), "y_hat"]
        rows = panel.index.get_indexer(table.index.get_level_values("cutoff"))
        return Run(table[columns], rows, has_failed)


def common_forecasts(a: pd.DataFrame, b: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the forecasts of both tables that have the same series, cutoff, step and member."""
    return [a[a.index.isin(b.index)], b[b.index.isin(a.index)]]


def first_difference(a: pd.DataFrame, b: pd.DataFrame, tolerance: float = 0.0) -> str | None:
    """Return the first forecast that differs, None if all are the same (within a relative tolerance)."""
    if not a.index.equals(b.index):
        return "other series or cutoffs are forecast"
    old, new = a.to_numpy(), b.to_numpy()
    with np.errstate(invalid="ignore"):
        same = (old == new) | (np.isnan(old) & np.isnan(new)) | (np.abs(old - new) <= tolerance * np.abs(old))
    if same.all():
        return None
    series, cutoff, step, _ = a.index[int(np.argmin(same.all(axis=1)))]
    return f"{series} from {format_date(cutoff)} at step {step}"
