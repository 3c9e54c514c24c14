"""Is the difference real? Tests over the table of forecasts, and the verdict that follows from them by rule."""

from __future__ import annotations

from forecast.evaluation.multiple import SuperiorAbility, model_confidence_set, superior_ability
from forecast.evaluation.pairwise import (
    ALPHA,
    ClarkWest,
    DieboldMariano,
    clark_west,
    diebold_mariano,
    directions,
    holm,
)
from forecast.evaluation.verdict import (
    POWER,
    Verdict,
    gap_by_cutoff,
    loss_by_cutoff,
    verdict,
    verdict_by_step,
)

__all__ = [
    "ALPHA",
    "POWER",
    "ClarkWest",
    "DieboldMariano",
    "SuperiorAbility",
    "Verdict",
    "clark_west",
    "diebold_mariano",
    "directions",
    "gap_by_cutoff",
    "holm",
    "loss_by_cutoff",
    "model_confidence_set",
    "superior_ability",
    "verdict",
    "verdict_by_step",
]
