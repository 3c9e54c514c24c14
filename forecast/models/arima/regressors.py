"""What is regressed on beside the ARMA part: a trend, and channels as they were when the forecast was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.data.panel import Panel
from forecast.models.base import forward_fill

TRENDS = {"n": (), "c": ("const",), "t": ("trend",), "ct": ("const", "trend")}


@dataclass(frozen=True)
class Regressors:
    """The regressors of one series' rows, from `first` on, for forecasts of one step or of all."""

    first: int  # row from which everything is known, where the trend counts from
    channels: np.ndarray  # (T' + H, E) of each row from there on, as known `lag` rows before it

    def of_trend(self, trend: str) -> np.ndarray:
        """Give the columns of a trend and the channels, (T' + H, R)."""
        count = np.arange(1.0, len(self.channels) + 1)
        columns = {"const": np.ones_like(count), "trend": count}
        trends = [columns[name][:, None] for name in TRENDS[trend]]
        return np.concatenate([*trends, self.channels], axis=1)


def make_regressors(
    panel: Panel, column: int, exog: Sequence[str], known: np.ndarray, lag: int, horizon: int
) -> Regressors:
    """Lag the channels of a series by so many rows that they are known at the cutoff; gaps carry the last value.

    `known` are the rows on which the series is observed: the first on which the channels are known too is where it
    begins. Rows run `horizon` past the panel's end.
    """
    channels = forward_fill(panel.values[:, column, [panel.channels.index(name) for name in exog]])  # (T, E)
    begun = np.flatnonzero(~np.isnan(channels).any(axis=1))  # every row, if there are no channels
    usable = known[known >= begun[0] + (lag if channels.shape[1] else 0)] if len(begun) else known[:0]
    first = int(usable[0]) if len(usable) else len(panel)
    rows = np.arange(first, len(panel) + horizon) - lag
    inside = np.clip(rows, 0, len(panel) - 1)  # rows behind the end serve steps that this lag does not forecast
    return Regressors(first, channels[inside])
