"""From forecasts to the long table: each beside what happened, one row for each member, cutoff, series and step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from forecast.backtesting.result import SKIPPED
from forecast.backtesting.tasks import RefitPeriod, eligible
from forecast.data.panel import Panel, format_date
from forecast.models.base import Forecast, quantile_column


class ForecastIndex:
    """What a stretch's rows say besides the forecasts, the same for every model."""

    def __init__(self, panel: Panel, stretch: RefitPeriod, needed: int, horizon: int, season: int) -> None:
        cutoffs = stretch.cutoffs
        traded, trained = eligible(panel, stretch, needed)
        shape = (len(cutoffs), len(panel.series), horizon)
        self.keep = np.broadcast_to((traded & trained)[:, :, None], shape)  # (K, N, H)
        steps, at, ids = (  # (K, N, H) each
            np.broadcast_to(np.arange(1, horizon + 1), shape)[self.keep],
            np.broadcast_to(cutoffs[:, None, None], shape)[self.keep],
            np.broadcast_to(np.arange(shape[1])[:, None], shape)[self.keep],
        )
        scale = np.stack([_scale(panel[fold.train].target, season) for fold in stretch.folds])  # (K, N)
        self.columns: dict[str, Any] = {
            "unique_id": pd.Categorical.from_codes(ids, list(panel.series)),
            "cutoff": panel.index[at],
            "step": steps.astype(np.int32),
            "ds": panel.index[at + steps],
            "y0": panel.target[at, ids],
            "y": panel.target[at + steps, ids],
            "scale": np.broadcast_to(scale[:, :, None], shape)[self.keep],
            "age": (at - (stretch.train.stop - 1)).astype(np.int32),
        }

    def beside(self, name: str, forecast: Forecast) -> pd.DataFrame:
        """Lay a model's forecasts of the stretch beside them."""
        quantiles = {}
        if forecast.quantiles is not None:
            levels = enumerate(forecast.levels)
            quantiles = {quantile_column(q): forecast.quantiles[..., i][self.keep] for i, q in levels}
        own = {"member": np.int32(0), "y_hat": forecast.point[self.keep]}
        tables = [pd.DataFrame(self.columns | own | quantiles)]
        for s, points in enumerate(forecast.members if forecast.members is not None else [], start=1):
            tables.append(pd.DataFrame(self.columns | {"member": np.int32(s), "y_hat": points[self.keep]}))
        return pd.concat(tables, ignore_index=True).assign(model=name)


def join(tables: list[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    """Make one table of all, its columns in their order."""
    table = pd.concat(tables, ignore_index=True)
    table["model"] = pd.Categorical(table["model"], categories=names)
    quantiles = sorted((c for c in table.columns if c.startswith("q0.")), key=lambda c: float(c[1:]))
    first = ["unique_id", "cutoff", "step", "ds", "model", "member", "y0", "y", "y_hat"]
    return table[[*first, *quantiles, "scale", "age"]]


def skipped(panel: Panel, stretches: list[RefitPeriod], needed: int) -> pd.DataFrame:
    """List the series that take no part in some fold, with the reason; raises if nothing is left to forecast."""
    rows = []
    left = False
    for stretch in stretches:
        traded, trained = eligible(panel, stretch, needed)
        left |= bool((traded & trained).any())
        for k, cutoff in enumerate(stretch.cutoffs):
            for n in np.flatnonzero(~(traded[k] & trained)):
                reason = "not observed at the cutoff" if trained[n] else f"fewer than {needed} observed training rows"
                rows.append((panel.series[n], reason, format_date(panel.index[cutoff])))
    if not left:
        longest = int(panel[stretches[-1].train].observed.sum(axis=0).max())
        if longest >= needed:
            raise ValueError(
                "no series has a value at any cutoff, to forecast from: move the cutoffs by another n_windows or "
                "step_size"
            )
        raise ValueError(
            f"no series has the {needed} observed training rows that these models need (the longest has {longest}): "
            "bring more history, or ask for fewer windows, a shorter horizon or a shorter lookback"
        )
    each = pd.DataFrame(rows, columns=["unique_id", "reason", "cutoff"]).groupby(["unique_id", "reason"], sort=False)
    return (
        each["cutoff"]
        .agg(["size", "first", "last"])
        .reset_index()
        .set_axis(SKIPPED, axis=1)
        .astype({"cutoffs": np.int64})
    )


def _scale(train: np.ndarray, season: int) -> np.ndarray:
    """MASE's scale of each series, (N,): mean |y[t] − y[t − season]| in training; NaN where it never changed."""
    change = np.abs(train[season:] - train[:-season])
    seen = ~np.isnan(change)
    mean = np.where(seen, change, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return np.where(mean > 0, mean, np.nan)
