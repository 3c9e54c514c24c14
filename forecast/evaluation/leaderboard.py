"""The leaderboard, and the members of each model: scores of a run over all series that are compared."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast._text import plain_lines
from forecast.evaluation.extremes import compared_series
from forecast.evaluation.losses import KEYS, NAIVE, PINBALL, common_rows, has_spread, skills, win_rates
from forecast.evaluation.scores import scores
from forecast.evaluation.shared import once

#: The scores on the leaderboard, in their order.
RANKED_SCORES = ("mase", "rmse", "mae", "coverage", "direction")


class Leaderboard(pd.DataFrame):
    """A table that is printed whole, whatever pandas' options are; what is derived from it is a DataFrame."""

    def __repr__(self) -> str:
        return plain_lines(self.to_string())

    def _repr_html_(self) -> str:
        return self.to_html(float_format="%.4g")


@once
def leaderboard(forecasts: pd.DataFrame, fits: pd.DataFrame, reference: str = NAIVE) -> Leaderboard:
    """Rank the models, best first: a row for each, the reference included, on the series that are compared.

    `skill` is the share of the reference's squared error that the model removes (geometric mean over series), `spread`
    that of its quantile loss, averaged over the levels that all models with quantiles have; `mase`,
    `rmse`, `mae`, `coverage` (of the outermost quantiles) and `direction` are means over series; `win_rate` counts
    series and cutoffs; seconds are summed over the fits; `failures` counts fits without a forecast.
    """
    forecasts = compared_series(forecasts, reference=reference)
    by_series = scores(forecasts, names=RANKED_SCORES, reference=reference)
    board = by_series.groupby("model", observed=True)[list(RANKED_SCORES)].mean()
    board.index = board.index.astype(str)
    board.insert(0, "skill", skills(forecasts, reference=reference))
    board.insert(1, "spread", skills(forecasts, PINBALL, reference) if has_spread(forecasts, reference) else np.nan)
    board["win_rate"] = win_rates(forecasts, reference)
    spent = fits.assign(failures=fits["error"].ne(""), model=fits["model"].astype(str)).groupby("model", sort=False)
    totals = spent[["seconds_fit", "seconds_predict", "failures"]].sum()
    board = board.join(totals, how="outer")
    board.index.name = "model"
    return Leaderboard(board.sort_values("skill", ascending=False, na_position="last", kind="stable"))


def members(forecasts: pd.DataFrame, reference: str = NAIVE) -> pd.DataFrame:
    """Compare the members of each model with their combination: a row for each model that has members.

    `skill` is the model's; `best`, `median` and `worst` are the skills of single members (choosing a member by its
    score would use the outcomes, so only the model is tested); `spread` is the standard deviation of the members'
    forecasts over the reference's root mean squared error, averaged over rows.
    """
    forecasts = compared_series(forecasts, reference=reference)
    model_rows = common_rows(forecasts)
    model_rows = model_rows.assign(model=model_rows["model"].astype(str))
    member_rows = forecasts[forecasts["member"] > 0]
    member_rows = member_rows[member_rows["y"].notna() & member_rows["model"].isin(model_rows["model"].unique())]
    own = model_rows[model_rows["model"] == reference]
    rmse = ((own["y"] - own["y_hat"]) ** 2).groupby(own["unique_id"], observed=True).mean() ** 0.5
    rows = []
    for model, table in member_rows.groupby("model", observed=True):
        skill, member_skills = _skills(model_rows, str(model), table, reference)
        deviation = table.groupby(KEYS, observed=True)["y_hat"].std(ddof=0).groupby("unique_id", observed=True).mean()
        rows.append({
            "model": str(model), "members": len(member_skills), "skill": skill,
            "best": member_skills.max(), "median": member_skills.median(), "worst": member_skills.min(),
            "spread": float((deviation / rmse.where(rmse > 0)).mean()),
        })  # fmt: skip
    return pd.DataFrame(rows, columns=["model", "members", "skill", "best", "median", "worst", "spread"])


def _skills(model_rows: pd.DataFrame, model: str, member_rows: pd.DataFrame, reference: str) -> tuple[float, pd.Series]:
    """Return the skill of a model and the skills of its members."""
    # Members get temporary names, such as "lstm 1": only the reference and this model are in the table.
    renamed = [
        member_rows[member_rows["member"] == member].assign(model=f"{model} {member}", member=0)
        for member in sorted(member_rows["member"].unique())
    ]
    table = pd.concat([model_rows[model_rows["model"].isin([reference, model])], *renamed])
    own = skills(table, reference=reference)
    return float(own[model]), own.drop([reference, model])
