"""Evaluation of the table of forecasts: scores, tests, and the verdicts that follow from them by a fixed rule."""

from __future__ import annotations

from forecast.evaluation.by_series import BySeries, by_series
from forecast.evaluation.calibration import christoffersen, interval_tests, kupiec
from forecast.evaluation.conditional import Fluctuation, GiacominiWhite, fluctuation, giacomini_white
from forecast.evaluation.directional import directions
from forecast.evaluation.extremes import Extremes, compared_series, find_extremes
from forecast.evaluation.losses import gap_by_cutoff, loss_by_cutoff
from forecast.evaluation.multiple import SuperiorAbility, holm, model_confidence_set, superior_ability
from forecast.evaluation.overfitting import Overfitting, overfitting
from forecast.evaluation.pairwise import ALPHA, ClarkWest, DieboldMariano, clark_west, diebold_mariano
from forecast.evaluation.skill import POWER
from forecast.evaluation.text import format_p
from forecast.evaluation.trading import Economics, economics
from forecast.evaluation.verdict import Verdict, strongest, verdict, verdict_by_step
from forecast.evaluation.verdicts import Question, Verdicts
