"""Constant scales of the series of a panel, for models whose inputs and targets are relative to a scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.features.inputs import Inputs, fix_scale, mean_scales

SCALES = ("auto", "recent", "fixed")


@dataclass(frozen=True)
class FixedScale:
    """The mean scales of changes and of targets over the training rows of each series."""

    series: tuple[str, ...]
    values: np.ndarray  # (2, N), NaN for a series that never changes

    def apply(self, inputs: Inputs, series: Sequence[str]) -> Inputs:
        """Return the inputs of these series relative to their constant scales; of an unknown series they are recent."""
        numbers = {name: i for i, name in enumerate(self.series)}
        known = np.array([numbers.get(name, -1) for name in series])
        return fix_scale(inputs, np.where(known < 0, np.nan, self.values[:, known]))


def choose_scale(scale: str, future: Sequence[str], inputs: Inputs, series: tuple[str, ...]) -> FixedScale | None:
    """Return the constant scales of training rows if `scale` is "fixed", or "auto" with future inputs; else None."""
    if scale == "recent" or (scale == "auto" and not future):
        return None
    return FixedScale(series, mean_scales(inputs))
