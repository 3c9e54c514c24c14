"""Plots of a result: each function returns the Axes, and the table that it plots has a function too."""

from __future__ import annotations

from forecast.report.plots.errors import (
    calibration,
    error_by_step,
    plot_calibration,
    plot_error_by_step,
    plot_skill_through_time,
    skill_through_time,
)
from forecast.report.plots.folds import MOST_FOLDS, drawn_folds, folds, plot_folds
from forecast.report.plots.forecasts import plot_forecasts, plot_next, stored_prices, truth
from forecast.report.plots.frame import COLOURS, GREY, INK, LABEL_LENGTH, Style, evenly, shorten, spread, styles
from forecast.report.plots.importances import plot_importance
from forecast.report.plots.skill_by_series import MOST_DOTS, plot_by_series
from forecast.report.plots.svg import as_svg
from forecast.report.plots.training import plot_gradient_flow, plot_history, plot_training, training_curves
