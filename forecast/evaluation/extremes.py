"""Extreme series: those that would decide the scores of a panel alone are set apart, the same for all models.

A series is set apart if the reference forecasts it exactly (it is constant), or if a model forecasts it exactly or with
a loss of more than 100 times, or less than a hundredth of, the reference's (10 times and a tenth for absolute errors
and quantile losses, which are not squared). A model that does so on more than half of the other series is bad or exact
as such: it is named, and hides nothing. At least one series is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.evaluation.losses import ABSOLUTE, EXACT, NAIVE, PINBALL, error_ratios
from forecast.evaluation.shared import once
from forecast.evaluation.text import join_names

#: Largest ratio of a model's loss to the reference's, or the reverse: 100, the square of that of losses that grow with
#: the error itself.
MAX_RATIO, MAX_LINEAR_RATIO = 100, 10
CONSTANT = 1e-9  # of its level: a series of a smaller range is constant
MAX_LISTED = 5  # series that a sentence names; the table has all


@dataclass(frozen=True, eq=False)
class Extremes:
    """The series of a panel that are set apart, and the models that are extreme on too many series for that.

    Parameters
    ----------
    table : DataFrame
        A row for each series that is set apart and each model that is the reason: unique_id, model, ratio (of its loss
        to the reference's, NaN if that is 0), reason.
    models : DataFrame
        A row for each model that is extreme on more than half of the series: model, below, above (the numbers of series
        with a ratio below 1 / `max_ratio` and above `max_ratio`).
    n_series : int
        Number of series in the panel.
    reference : str
        The model whose loss others are divided by.
    max_ratio : int
        The ratio beyond which a series is extreme.
    """

    table: pd.DataFrame
    models: pd.DataFrame
    n_series: int
    reference: str
    max_ratio: int = MAX_RATIO

    @property
    def series(self) -> list[str]:
        """The names of the series that are set apart."""
        return list(dict.fromkeys(self.table["unique_id"]))

    @property
    def sentences(self) -> list[str]:
        """A sentence on the series that are set apart, with the reasons, and one on each model of `models`."""
        return list(self._sentences())

    def drop(self, forecasts: pd.DataFrame) -> pd.DataFrame:
        """Return the forecasts of the series that are compared."""
        return forecasts[~forecasts["unique_id"].isin(self.series)] if len(self.table) else forecasts

    def _sentences(self) -> Iterator[str]:
        reasons = self.table.groupby("unique_id", sort=False)["reason"].agg(" and ".join)
        if len(reasons):
            listed = [f"{name} ({reason})" for name, reason in reasons.head(MAX_LISTED).items()]
            listed += [f"{len(reasons) - MAX_LISTED} more"] if len(reasons) > MAX_LISTED else []
            yield f"Set apart from the scores of all models: {join_names(listed)}."
        for row in self.models.itertuples():
            many = [f"less than 1/{self.max_ratio} of that of {self.reference} on {row.below}"] if row.below else []
            many += [f"more than {self.max_ratio} times that of {self.reference} on {row.above}"] if row.above else []
            yield (
                f"The loss of {row.model} is {' and '.join(many)} of {self.n_series} series, too many to set apart: "
                "they are compared."
            )


@once
def compared_series(forecasts: pd.DataFrame, loss: str = "squared", reference: str = NAIVE) -> pd.DataFrame:
    """Return the forecasts without the series that are set apart."""
    return find_extremes(forecasts, loss, reference).drop(forecasts)


@once
def find_extremes(forecasts: pd.DataFrame, loss: str = "squared", reference: str = NAIVE) -> Extremes:
    """Return the series that are set apart, by the mean losses on the rows that all models share."""
    ratios = error_ratios(forecasts, loss=loss, reference=reference)
    exact = ratios[reference].isna() | _is_constant(forecasts, reference).reindex(ratios.index, fill_value=False)
    others = ratios.loc[~exact].drop(columns=reference)
    limit = MAX_LINEAR_RATIO if loss in (ABSOLUTE, PINBALL) else MAX_RATIO
    below, above = others < 1 / limit, others > limit
    extreme = below | above
    decisive = extreme.loc[:, extreme.sum() <= len(others) / 2]
    if decisive.any(axis=1).all():  # no series would remain
        decisive = decisive.iloc[:, :0]
    rows = [
        (str(others.index[i]), decisive.columns[j], others[decisive.columns[j]].iloc[i])
        for i, j in zip(*np.nonzero(decisive.to_numpy()), strict=True)
    ]
    table = [(name, model, ratio, _describe(model, ratio, reference)) for name, model, ratio in rows]
    if len(others):
        table += [(str(name), reference, np.nan, _why(forecasts, name, reference)) for name in ratios.index[exact]]
    named = [name for name in others if extreme[name].any() and name not in decisive] if len(ratios) > 1 else []
    return Extremes(
        pd.DataFrame(table, columns=["unique_id", "model", "ratio", "reason"]),
        pd.DataFrame({"model": named, "below": below[named].sum().to_numpy(), "above": above[named].sum().to_numpy()}),
        len(ratios),
        reference,
        limit,
    )


def _describe(model: str, ratio: float, reference: str) -> str:
    """Return a model's extreme loss on a series as text."""
    if ratio < EXACT:
        return f"{model} forecasts it exactly"
    size = f"{ratio:,.0f} times" if ratio > 1 else f"1/{1 / ratio:,.0f} of"
    return f"the loss of {model} is {size if len(size) < 16 else f'{ratio:.0e} times'} that of {reference}"


def _is_constant(forecasts: pd.DataFrame, reference: str) -> pd.Series:
    """Return whether the values of each series and their reference differ by no more than rounding, by its name."""
    forecasts = forecasts[forecasts["model"] == reference]
    values = forecasts[["y0", "y", "y_hat"]].groupby(forecasts["unique_id"], observed=True, sort=False)
    low, high = values.min().min(axis=1), values.max().max(axis=1)
    return high - low <= CONSTANT * np.maximum(low.abs(), high.abs())


def _why(forecasts: pd.DataFrame, series: str, reference: str) -> str:
    """Return why the reference's loss on a series is 0."""
    is_constant = _is_constant(forecasts[forecasts["unique_id"] == series], reference).all()
    return "it is constant" if is_constant else f"{reference} forecasts it exactly"
