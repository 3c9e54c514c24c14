"""Skill in parts of a run: year by year, and where the prices move little or much."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from forecast.evaluation.extremes import compared_series
from forecast.evaluation.losses import NAIVE, SQUARED, LossTable, common_rows, loss_table

MIN_CUTOFFS = 3  # of a part
#: How a part is named, from the longest to the shortest.
SPANS = {"year": "Y", "quarter": "Q", "month": "M"}
THIRDS = ("calm third", "middle third", "volatile third")
RECENT = 5  # cutoffs whose movement shows how volatile a series is


def by_period(
    forecasts: pd.DataFrame, against: str | None = None, loss: str = SQUARED, reference: str = NAIVE
) -> pd.DataFrame:
    """Return the skill of each model in each year of its cutoffs; in quarters or months, or thirds, of a shorter run.

    A row for each part in order of time and model: `period`, `model`, number of `cutoffs`, `skill` relative to
    `against`, the geometric mean over the series that are not set apart; NaN with fewer than three cutoffs. A part has
    few cutoffs, so a skill in it may well be chance: the verdict has the tests.
    """
    losses = loss_table(compared_series(forecasts, loss, reference), loss, reference)
    return _skills(losses, _parts(losses.cutoffs), against or reference)


def by_volatility(
    forecasts: pd.DataFrame, overlap: int, against: str | None = None, loss: str = SQUARED, reference: str = NAIVE
) -> pd.DataFrame:
    """Return the skill of each model at calm, at middling and at volatile cutoffs, as `by_period` does.

    Volatility is the mean absolute change over the horizon at the last five cutoffs whose outcomes are known at the
    cutoff, relative to the training rows: it is known beforehand. The cutoffs are divided into thirds.
    """
    compared = compared_series(forecasts, loss, reference)
    losses = loss_table(compared, loss, reference)
    rows = common_rows(compared, loss)
    rows = rows[rows["model"] == reference]
    movement = ((rows["y"] - rows["y0"]).abs() / rows["scale"]).groupby(rows["cutoff"]).mean().sort_index()
    known = movement.rolling(RECENT, min_periods=RECENT).mean().shift(overlap)
    rank = known.rank(pct=True, method="first").reindex(losses.cutoffs)
    third = np.ceil(rank.to_numpy() * len(THIRDS))
    parts = pd.Series([THIRDS[int(number) - 1] if number == number else None for number in third], losses.cutoffs)
    table = _skills(losses, parts, against or reference)
    order = {name: position for position, name in enumerate(THIRDS)}
    return table.sort_values("period", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def _parts(cutoffs: pd.Index) -> pd.Series:
    """Return the name of each cutoff's part: the longest span of the calendar that divides them, else their third."""
    if isinstance(cutoffs, pd.DatetimeIndex):
        for code in SPANS.values():
            names = cutoffs.tz_localize(None).to_period(code).astype(str)
            if len(set(names)) > 1:
                return pd.Series(names, cutoffs)
    thirds = np.arange(len(cutoffs)) * 3 // max(len(cutoffs), 1)
    return pd.Series([f"{('first', 'second', 'last')[third]} third" for third in thirds], cutoffs)


def _skills(losses: LossTable, parts: pd.Series, against: str) -> pd.DataFrame:
    """Return the skill of each model in each part; NaN in a part of fewer than three cutoffs."""
    rows = []
    for period in parts.dropna().unique():
        part = _select(losses, (parts == period).to_numpy())
        is_enough = len(part.cutoffs) >= MIN_CUTOFFS
        for name in part.sums if part.series else ():
            if name != against:
                skill = part.skill(name, against) if is_enough else np.nan
                rows.append((str(period), name, len(part.cutoffs), skill))
    return pd.DataFrame(rows, columns=["period", "model", "cutoffs", "skill"])


def _select(losses: LossTable, chosen: np.ndarray) -> LossTable:
    """Return the losses of the chosen cutoffs, (K,) of bool, with the series that have rows there."""
    counts = losses.counts[chosen]
    has_rows = counts.sum(axis=0) > 0
    return dataclasses.replace(
        losses,
        sums={name: sums[chosen][:, has_rows] for name, sums in losses.sums.items()},
        counts=counts[:, has_rows],
        sizes=losses.sizes[has_rows],
        series=[name for name, is_there in zip(losses.series, has_rows, strict=True) if is_there],
        cutoffs=losses.cutoffs[chosen],
    )
