"""Which series a page shows where there are too many to show each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

MOST_SERIES = 100


def notable_series(result: BacktestResult, most: int = MOST_SERIES) -> tuple[list[str], str]:
    """Return the series that a page shows, in the order of the run, and what they are, of more than `most` series.

    Of many, they are those of the highest and those of the lowest skill by squared errors, as a mean over the models;
    the first ones if no model has a skill.
    """
    series = [str(name) for name in result.forecasts["unique_id"].unique()]
    if len(series) <= most:
        return series, ""
    skill = result.by_series(result.reference).series.groupby("unique_id")["skill"].mean().sort_values(kind="stable")
    lowest = max(most // 2, 1)
    highest = max(most - lowest, 1)
    if len(skill) <= lowest + highest:
        return series[:most], f"the first {most} of {len(series):,} series"
    chosen = {*skill.index[:lowest], *skill.index[-highest:]}
    return (
        [name for name in series if name in chosen],
        f"the {highest} series of highest and the {lowest} of lowest mean skill, of {len(series):,}",
    )
