"""What a recurrent forecaster chooses from the training rows for parameters that are None: one table of recipes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.panel import Panel
from forecast.features.dataset import changes_needed
from forecast.features.inputs import SCALE, Inputs
from forecast.models.base import Forecaster, with_levels
from forecast.models.naive import Naive, SeasonalNaive
from forecast.models.recurrent.config import given_params, strategy_of
from forecast.models.recurrent.pretrained.fine_tuning import fine_tuning_trainer
from forecast.models.recurrent.pretrained.zero_shot import Pretrained
from forecast.models.recurrent.trainer import Trainer
from forecast.models.season import DAY, find_season

LONG_ROWS = 250  # observed rows of the median series from which on a series shows by itself what can be forecast
LOOKBACK, HIDDEN = 60, 16  # of long series without a season, and at most of short ones
EXAMPLE_ROWS = (
    300  # newest rows from which training examples start where the base is the pretrained network: it takes time
)
DENSE_SERIES = 20  # from which on the pretrained network is trained on series with several rows a day
TUNING_STEPS = 400
MAX_LOG_SCALE = 0.5  # of short series in logs: a typical change by two thirds of the value
#: Parameters of a network without settings of its own: where days repeat, it is the fine-tuned pretrained one.
PLAIN_PARAMS = ("cell", "topology", "strategy", "season", "log", "levels", "members", "seed", "n_jobs", "warm_start")
OPEN_PARAMS = ("lookback", "patch", "hidden", "skip", "base")


@dataclass(frozen=True)
class Facts:
    """What the table reads of the training rows."""

    rows: int  # observed rows of the median series
    series: int
    season: int  # rows in a season, 1 for none
    is_within_a_day: bool = False  # whether there are several rows a day

    @property
    def is_dense(self) -> bool:
        """Whether days repeat, in enough series to train the pretrained network on them."""
        return self.is_long and self.season > 1 and self.is_within_a_day and self.series >= DENSE_SERIES

    @property
    def is_long(self) -> bool:
        """Whether most series are long enough to be learnt from rows of their own."""
        return self.rows >= LONG_ROWS


@dataclass(frozen=True)
class Choices:
    """The parameters of a fit, those chosen and those given; `first` is the first row with training examples."""

    facts: Facts
    lookback: int
    patch: int
    hidden: int
    skip: int
    base: Forecaster
    trainer: Trainer
    first: int
    loss: str | None  # by which the shrinkage is measured; None: that of the training

    @property
    def min_changes(self) -> int:
        """Changes that must come before a row with targets."""
        return changes_needed(self.facts.rows)

    @property
    def max_log_scale(self) -> float:
        """Upper bound of the scale of a series in logs: few changes, of which one is large, are no measure."""
        return np.inf if self.facts.is_long else MAX_LOG_SCALE

    def sizes(self) -> dict[str, int]:
        """Return the parameters that describe the network."""
        return {name: getattr(self, name) for name in ("lookback", "patch", "hidden", "skip")}

    def summary(self) -> dict[str, Any]:
        """Return the choices for the record of a fit."""
        return self.sizes() | {"season": self.facts.season, "base": repr(self.base), "rows": self.facts.rows}


def read_facts(panel: Panel, season: int | str) -> Facts:
    """Return what the table reads of the training rows; `season` "auto" is found in them."""
    observed = panel.count_observed()
    rows = int(np.median(observed[observed > 0])) if observed.any() else 0
    found = find_season(panel) if season == "auto" else int(season)
    dates = panel.index if isinstance(panel.index, pd.DatetimeIndex) else None
    is_within_a_day = dates is not None and len(dates) > 1 and dates.to_series().diff().median() < DAY
    return Facts(rows, len(panel.series), found, bool(is_within_a_day))


def recipe(facts: Facts) -> dict[str, Any]:
    """Return the parameters for such a panel; the documentation of models has them as a table."""
    if facts.is_long and facts.season == 1:
        return {"lookback": LOOKBACK, "patch": 1, "hidden": HIDDEN, "skip": 1, "base": Naive()}
    lookback = min(max(facts.rows // 2, 1), LOOKBACK)
    return {"lookback": lookback, "patch": 1, "hidden": HIDDEN, "skip": 1, "base": Pretrained(season=facts.season)}


def choose(model: Any, panel: Panel) -> Choices:
    """Return the parameters of a fit of a recurrent forecaster: those given, and for the others those of the table."""
    facts = read_facts(panel, model.season)
    given = {name: getattr(model, name) for name in OPEN_PARAMS if getattr(model, name) is not None}
    chosen = recipe(facts) | given
    if facts.is_dense and not given_params(model, PLAIN_PARAMS):
        chosen["base"] = Pretrained(season=facts.season, trainer=fine_tuning_trainer().set_params(steps=TUNING_STEPS))
    if strategy_of(model) == "recursive" and model.base is None:
        chosen["base"] = Naive()  # each step is added to the one before
    if model.future and model.base is None and facts.is_long:
        chosen["base"] = Naive() if facts.season == 1 else SeasonalNaive(facts.season)  # from all training rows
    if strategy_of(model).startswith("one-to-"):
        chosen |= {"skip": 1, "patch": 1}  # they read one row
    if model.lookback is None:
        lookback = max(chosen["lookback"], chosen["skip"])
        chosen["lookback"] = -(-lookback // chosen["patch"]) * chosen["patch"]
    elif model.patch is None and model.lookback % chosen["patch"]:
        chosen["patch"] = 1
    if model.skip is None:
        chosen["skip"] = min(chosen["skip"], chosen["lookback"])
    is_pretrained = isinstance(chosen["base"], Pretrained)
    if is_pretrained:
        chosen["base"] = with_levels(chosen["base"], model.levels)
    trainer = model.default_trainer() if model.trainer is None else model.trainer
    first = first_example(model, chosen["base"], len(panel))
    return Choices(facts, trainer=trainer, first=first, loss="mae" if is_pretrained else None, **chosen)


def may_be_pretrained(model: Any) -> bool:
    """Return whether the base of a forecaster may be the pretrained network, which forecasts from three rows on."""
    return model.base is None and model.lookback is None and strategy_of(model) != "recursive"


def keep(choices: Choices, model: Any, panel: Panel) -> Choices:
    """Return the choices of the previous fit for one that continues from it, on more rows and by its own trainer."""
    first = first_example(model, choices.base, len(panel))
    return replace(choices, first=first, trainer=choices.trainer if model.trainer is None else model.trainer)


def first_example(model: Any, base: Forecaster, rows: int) -> int:
    """Return the first row with training examples; the number of rows where a fine-tuned base is left as it is.

    Correcting a base that was trained on the same rows takes several such trainings, on the rows before each block.
    """
    if not isinstance(base, Pretrained):
        return 0
    if base.trainer is None:
        return max(rows - EXAMPLE_ROWS, 0)
    return rows if model.base is None else 0


def limit_scale(inputs: Inputs, limit: np.ndarray) -> Inputs:
    """Return the inputs with scales of the targets up to a limit of each series, (N,); the same object without one."""
    if np.isinf(limit).all():
        return inputs
    x = inputs.x.copy()
    x[:, :, SCALE] = np.minimum(x[:, :, SCALE], limit)
    return replace(inputs, x=x, scale=np.minimum(inputs.scale, limit))


def blend(base: np.ndarray, corrected: np.ndarray, share: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Return quantiles (K, N, H, Q) between those of the base (share 0) and of the network (1); in logs where `log`.

    Quantiles, not probabilities, are averaged: where both agree on the shape of the distribution, so does the mean.
    """
    log = log[:, None, None] & (base > 0) & (corrected > 0)
    in_logs = np.where(log, base, 1.0) ** (1 - share) * np.where(log, corrected, 1.0) ** share
    mean = np.where(log, in_logs, (1 - share) * base + share * corrected)
    return np.where(share > 0, mean, base)
