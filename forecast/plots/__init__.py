"""Pictures. Each function returns the Axes; the table behind a picture is a function of its own."""

from __future__ import annotations

from forecast.plots.frame import COLOURS, GREY, INK, LABEL_LENGTH, Style, shortened, spread
from forecast.plots.results import (
    as_svg,
    calibration,
    error_by_step,
    plot_calibration,
    plot_error_by_step,
    plot_forecasts,
    styles,
    truth,
)
from forecast.plots.training import plot_gradient_flow, plot_history

__all__ = [
    "COLOURS",
    "GREY",
    "INK",
    "LABEL_LENGTH",
    "Style",
    "as_svg",
    "calibration",
    "error_by_step",
    "plot_calibration",
    "plot_error_by_step",
    "plot_forecasts",
    "plot_gradient_flow",
    "plot_history",
    "shortened",
    "spread",
    "styles",
    "truth",
]
