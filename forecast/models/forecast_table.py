"""Tables of forecasts: the dates of the rows that are forecast, and a short text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from forecast._text import plain_lines
from forecast.data.calendar import next_dates
from forecast.data.row_labels import format_date

MAX_LINES = 20  # rows of the text


def dates_of_steps(index: pd.Index, cutoffs: pd.Index, horizon: int) -> pd.Index:
    """Return the labels of the rows after each cutoff, K · H of them: those of the index, and those that follow it."""
    rows = (index.get_indexer(cutoffs)[:, None] + np.arange(1, horizon + 1)).ravel()
    if (missing := int(rows.max()) + 1 - len(index)) > 0:
        index = index.append(next_dates(index, missing)[0])
    return index[rows]


def describe(table: pd.DataFrame, levels: Sequence[float]) -> str:
    """Return a table of forecasts as text: the first rows, with the median or mean and the outer quantiles."""
    n_cutoffs, n_series = (table[name].nunique() for name in ("cutoff", "unique_id"))
    subject = "1 series" if n_series == 1 else f"{n_series:,} series"
    steps = int(table["step"].max()) if len(table) else 0
    origin = f"from {format_date(table['cutoff'].iloc[0])}" if n_cutoffs == 1 else f"from {n_cutoffs:,} cutoffs"
    rows = "the next row" if steps == 1 else f"the next {steps} rows"
    shown = short_table(table, levels).head(MAX_LINES)
    text = shown.to_string(index=False, float_format=lambda value: f"{value:,.6g}")
    rest = len(table) - len(shown)
    more = f"\n… {rest:,} more rows; to_frame() returns all" if rest > 0 else ""
    return plain_lines(f"Forecast of {subject}, {rows} {origin}\n{text}{more}")


def short_table(table: pd.DataFrame, levels: Sequence[float]) -> pd.DataFrame:
    """Return the columns of a table of forecasts that matter most, dates as text: of the quantiles the outer two."""
    columns = ["unique_id", *(["cutoff"] if table["cutoff"].nunique() > 1 else [])]
    columns += ["ds" if "ds" in table else "step", "y_hat"]
    quantiles = [name for name in table if name not in ("unique_id", "cutoff", "step", "ds", "y_hat")]
    if quantiles:
        lowest, highest = int(np.argmin(levels)), int(np.argmax(levels))
        columns += [quantiles[lowest], *([quantiles[highest]] if highest != lowest else [])]
    shown = table[columns]
    dated = {name: shown[name].map(format_date) for name in ("cutoff", "ds") if name in shown}
    return shown.assign(**dated)
