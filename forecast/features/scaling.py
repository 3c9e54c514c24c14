"""Series in units of their own: what an optimiser reads, so that a fit does not depend on the unit of the prices."""

from __future__ import annotations

import numpy as np

GRID = 2.0**-26  # standardised values are multiples of it


def standardise(y: np.ndarray, offset: float, scale: float) -> np.ndarray:
    """Return (y − offset) / scale, rounded to a grid of 1.5e-8.

    In floating point the values of y and of y · s + c differ in their last digits, and an optimiser turns those into
    other parameters; rounded to the grid both series are the same, so that forecasts of y · s + c are s · forecast + c.
    """
    return np.round((y - offset) / scale / GRID) * GRID
