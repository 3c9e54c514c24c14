"""Results by series: the skill on each series, how many a model wins, and what holds for series like these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.evaluation.losses import NAIVE, SQUARED, LossTable, compared_models, loss_table
from forecast.evaluation.multiple import holm
from forecast.evaluation.pairwise import ALPHA
from forecast.evaluation.shared import once
from forecast.evaluation.skill import LEVEL, accuracy_test, skill_interval

MIN_SERIES = 10  # fewer are no sample of series, so that nothing is inferred on others
REPETITIONS = 2000  # of the bootstrap
SERIES_COLUMNS = ["model", "unique_id", "cutoffs", "skill", "low", "high", "p", "p_holm", "win_rate", "finding"]
MODEL_COLUMNS = [
    "model", "series", "skill", "low", "high", "better", "worse", "win_rate", "win_rate_low", "win_rate_high"
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class BySeries:
    """The comparison of models with one of them, series by series.

    Attributes
    ----------
    series : DataFrame
        A row for each model and series: `cutoffs`, `skill` with its 90 % interval `low` to `high`, two-sided `p` of
        Diebold and Mariano's test, `p_holm` (adjusted for the model's series), `win_rate` over the cutoffs, `finding`.
    models : DataFrame
        A row for each model: number of `series`; `skill`, the geometric mean, with its interval; on how many series the
        model is significantly `better` and `worse`; `win_rate`, the share of series with a skill above 0, with its
        interval. The intervals are those of a bootstrap of the series, for other series like these; NaN with fewer than
        ten.
    against : str
        The model that the others are compared with.
    loss : str
        The loss.
    """

    series: pd.DataFrame
    models: pd.DataFrame
    against: str
    loss: str

    def __str__(self) -> str:
        return (
            f"Against {self.against}, by {self.loss} loss.\n{self.models.to_string(index=False, float_format='%.4g')}"
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.models.to_html(index=False, float_format="%.4g")


@once
def by_series(
    forecasts: pd.DataFrame,
    overlap: int,
    against: str | None = None,
    models: Sequence[str] | None = None,
    loss: str = SQUARED,
    reference: str = NAIVE,
    seed: int = 0,
) -> BySeries:
    """Compare each model with one of them on every series, those that are set apart in verdicts included.

    Parameters
    ----------
    forecasts : DataFrame
        The long table of a run.
    overlap : int
        Number of successive cutoffs that share test rows.
    against : str, optional
        Model to compare with; by default the reference.
    models : sequence of str, optional
        Models to compare; by default all.
    loss : {"squared", "absolute", "pinball", "qlike"}
        Loss to compare by.
    reference : str, default "naive"
        Series on which its loss is 0 are left out.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    BySeries
        A table by series and one by model.

    Raises
    ------
    ValueError
        If the run has no such model, or the loss is not defined for a row.
    """
    losses = loss_table(forecasts, loss, reference)
    against = reference if against is None else against
    models = [models] if isinstance(models, str) else models
    for name in (against, *(models or ())):
        compared_models(forecasts, loss, name)
    n = len(losses.series)
    names = [name for name in models or losses.sums if name != against and n]
    tables = [_on_each_series(losses, name, against, overlap) for name in names]
    rng = np.random.default_rng(seed)
    draws = rng.integers(max(n, 1), size=(REPETITIONS, n))
    rows = [_summary(table, draws) for table in tables]
    series = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=SERIES_COLUMNS)
    return BySeries(series[SERIES_COLUMNS], pd.DataFrame(rows, columns=MODEL_COLUMNS), against, loss)


def _on_each_series(losses: LossTable, model: str, against: str, overlap: int) -> pd.DataFrame:
    """Return a row for each series."""
    rows = []
    for name, one in zip(losses.series, losses.each_series(), strict=True):
        test = accuracy_test(one, model, against, overlap)
        row = {"model": model, "unique_id": name, "cutoffs": len(one.cutoffs), "skill": one.skill(model, against)}
        row["win_rate"] = float(np.nanmean(one.wins(model, against)))
        row["p"] = min(2 * min(test.p_better, test.p_worse), 1.0)
        is_tested = test.enough and test.standard_error > 0
        row["low"], row["high"] = skill_interval(one, model, against, overlap) if is_tested else (np.nan, np.nan)
        rows.append(row)
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"].to_numpy())
    found = np.where(table["skill"] > 0, "better", "worse")
    return table.assign(finding=np.where(table["p_holm"] < ALPHA, found, "not distinguishable"))


def _summary(table: pd.DataFrame, draws: np.ndarray) -> dict[str, object]:
    """Return the row of a model; `draws` are positions of series, a row for each repetition of the bootstrap."""
    logs, wins = np.log(np.maximum(1 - table["skill"].to_numpy(), 1e-12)), _wins(table["skill"].to_numpy())
    row: dict[str, object] = {"model": table["model"].iloc[0], "series": len(table)}
    row |= {name: int((table["finding"] == name).sum()) for name in ("better", "worse")}
    row |= {"skill": float(1 - np.exp(logs.mean())), "win_rate": float(wins.mean())}
    if len(table) >= MIN_SERIES:
        ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
        row["low"], row["high"] = 1 - np.exp(np.quantile(logs[draws].mean(axis=1), ends[::-1]))
        row["win_rate_low"], row["win_rate_high"] = np.quantile(wins[draws].mean(axis=1), ends)
    return row


def _wins(skill: np.ndarray) -> np.ndarray:
    return np.where(np.abs(skill) < 1e-9, 0.5, skill > 0)
