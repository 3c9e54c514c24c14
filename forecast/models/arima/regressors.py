"""Regressors of the ARMA errors: a trend, and channels as they were when the forecast was made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TRENDS = {"n": (), "c": ("const",), "t": ("trend",), "ct": ("const", "trend")}


@dataclass(frozen=True)
class Regressors:
    """The regressors of one series' rows from `first_row` on, for forecasts of one step or of all."""

    first_row: int  # from which the series and its channels are available, and from which the trend counts
    channels: np.ndarray  # (T' + H, E), each lagged by the same number of rows

    def with_trend(self, trend: str) -> np.ndarray:
        """Return the columns of a trend and the channels, (T' + H, R)."""
        count = np.arange(1.0, len(self.channels) + 1)
        columns = {"const": np.ones_like(count), "trend": count}
        trends = [columns[name][:, None] for name in TRENDS[trend]]
        return np.concatenate([*trends, self.channels], axis=1)


def make_regressors(channels: np.ndarray, observed: np.ndarray, lag: int, horizon: int) -> Regressors:
    """Return channels (T, E), forward-filled, lagged by `lag` rows; they run `horizon` rows past the end.

    `observed` are the rows on which the series is observed: the regressors begin at the first of them on which all
    lagged channels are available.
    """
    available = np.flatnonzero(~np.isnan(channels).any(axis=1))  # every row, if there are no channels
    usable = observed[observed >= available[0] + (lag if channels.shape[1] else 0)] if len(available) else observed[:0]
    n = len(channels)
    first_row = int(usable[0]) if len(usable) else n
    rows = np.arange(first_row, n + horizon) - lag
    within = np.clip(rows, 0, n - 1)  # rows past the end belong to steps that this lag does not forecast
    return Regressors(first_row, channels[within])
