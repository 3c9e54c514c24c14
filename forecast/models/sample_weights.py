"""Weights of training examples: by age, and by a field of the prices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from forecast._validation import check_number
from forecast.data.panel import Panel, format_date
from forecast.features.inputs import Inputs
from forecast.features.windows import forward_fill


def check_weights(half_life: Any, weight: Any) -> None:
    """Raise TypeError or ValueError unless these are a half-life in rows and the name of a field, or None."""
    if half_life is not None:
        check_number("half_life", half_life, 1.0)
    if not (weight is None or isinstance(weight, str)):
        raise TypeError(f"weight must be the name of a field of the prices, such as 'Volume', or None; got {weight!r}")


def weight_fields(weight: str | None) -> tuple[str, ...]:
    """Return the fields that are read for the weights: one or none."""
    return () if weight is None else (weight,)


def weighted_inputs(inputs: Inputs, panel: Panel, half_life: float | None, weight: str | None) -> Inputs:
    """Return inputs with the weights of the training examples; unchanged if both are None."""
    if half_life is None and weight is None:
        return inputs
    return replace(inputs, weight=training_weights(panel, half_life, weight))


def training_weights(panel: Panel, half_life: float | None, weight: str | None) -> np.ndarray:
    """Return the weight of the examples that start from each row, (T, N).

    The weight halves with every `half_life` rows before the last one, and is multiplied by the values of the field. A
    row on which a series is not observed has the field's value of the last observed row. Raises ValueError if a value
    is missing or below 0, or if all are 0.
    """
    shape = panel.target.shape
    weights = np.ones(shape)
    if half_life is not None:
        weights *= 0.5 ** (np.arange(shape[0])[::-1, None] / half_life)
    if weight is None:
        return weights
    values = panel.values[:, :, panel.channels.index(weight)]
    invalid = panel.observed & ~(np.nan_to_num(values, nan=-1.0, posinf=-1.0) >= 0)
    if invalid.any():
        row, column = np.argwhere(invalid)[0]
        raise ValueError(
            f"{weight} of {panel.series[column]} is {values[row, column]:g} at {format_date(panel.index[row])}, and it "
            "is the weight of the training rows: use a field whose values are numbers of 0 or more on every row with a "
            "price, or weight=None"
        )
    if not (np.where(panel.observed, values, 0.0) > 0).any():
        raise ValueError(f"{weight} is 0 on every row, so that no row would be trained on: use another field as weight")
    return weights * np.nan_to_num(forward_fill(np.where(panel.observed, values, np.nan)))
