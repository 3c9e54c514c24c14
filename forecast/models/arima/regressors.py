"""Regressors of the ARMA errors: a trend, and channels as they were when the forecast was made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TRENDS = {"n": (), "c": ("const",), "t": ("trend",), "ct": ("const", "trend")}


@dataclass(frozen=True)
class Regressors:
    """The regressors of one series' rows from `first_row` on, for forecasts of one step or of all."""

    first_row: int  # from which the series and its channels are available, and from which the trend counts
    channels: np.ndarray  # (T' + H, E + F), E of them lagged by the same number of rows, F as they are

    def with_trend(self, trend: str) -> np.ndarray:
        """Return the columns of a trend and the channels, (T' + H, R)."""
        count = np.arange(1.0, len(self.channels) + 1)
        columns = {"const": np.ones_like(count), "trend": count}
        trends = [columns[name][:, None] for name in TRENDS[trend]]
        return np.concatenate([*trends, self.channels], axis=1)


def make_regressors(
    channels: np.ndarray, known: np.ndarray, observed: np.ndarray, lag: int, horizon: int
) -> Regressors:
    """Return channels (T, E) lagged by `lag` rows, and known ones (T + H', F) without lag, for T + `horizon` rows.

    Both are forward-filled. `observed` are the rows on which the series is observed: the regressors begin at the first
    of them on which all channels are available.
    """
    n = len(channels)
    rows = np.arange(n + horizon)
    lagged = channels[np.clip(rows - lag, 0, n - 1)]  # rows past the end are of steps that this lag does not forecast
    lagged[:lag] = np.nan
    joined = np.concatenate([lagged, known[np.minimum(rows, len(known) - 1)]], axis=1)
    available = np.flatnonzero(~np.isnan(joined[:n]).any(axis=1))  # every row, if there are no channels
    usable = observed[observed >= available[0]] if len(available) else observed[:0]
    first_row = int(usable[0]) if len(usable) else n
    return Regressors(first_row, joined[first_row:])
