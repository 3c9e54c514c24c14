"""Static inputs as numbers that models read: standardised numbers, and an indicator for each category."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.data.panel import Panel
from forecast.data.static import StaticInputs, select_static


@dataclass(frozen=True)
class StaticEncoder:
    """How static inputs are encoded, as fitted to the training series.

    A number is standardised by the mean and the standard deviation of the training series; where it is unknown it is 0,
    and an indicator is 1 if it was unknown for a training series. A category has an indicator for each value of a
    training series; one that was not seen has none.
    """

    names: tuple[str, ...]
    centres: tuple[tuple[float, float] | None, ...]  # mean and standard deviation of each number
    categories: tuple[tuple[str, ...] | None, ...]  # values of each category
    may_be_unknown: tuple[bool, ...]

    @classmethod
    def fit(cls, static: StaticInputs) -> StaticEncoder:
        """Return the encoder for the static inputs of the training series."""
        centres: list[tuple[float, float] | None] = []
        categories: list[tuple[str, ...] | None] = []
        unknown = []
        for column in static.columns:
            is_number = column.dtype != object
            known = column[~np.isnan(column)] if is_number else column[[value is not None for value in column]]
            deviation = float(known.std()) if is_number and len(known) else 0.0
            centres.append((float(known.mean()) if len(known) else 0.0, deviation or 1.0) if is_number else None)
            categories.append(None if is_number else tuple(sorted(set(known))))
            unknown.append(is_number and len(known) < len(column))
        return cls(static.names, tuple(centres), tuple(categories), tuple(unknown))

    def encode(self, static: StaticInputs) -> np.ndarray:
        """Return the numbers of each series, (N, E) float64; raise ValueError if a column is of another kind."""
        columns = []
        for name, centre, values, may_be_unknown in zip(
            self.names, self.centres, self.categories, self.may_be_unknown, strict=True
        ):
            column = static[name]
            if (column.dtype != object) != (centre is not None):
                was, now = ("numbers", "categories") if centre is not None else ("categories", "numbers")
                raise ValueError(f"the static input {name!r} had {was} at the fit and has {now} now")
            if centre is None:
                columns += [np.array([float(value == category) for value in column]) for category in values or ()]
                continue
            columns.append(np.nan_to_num((column - centre[0]) / centre[1]))
            if may_be_unknown:
                columns.append(np.isnan(column).astype(np.float64))
        return np.stack(columns, axis=1) if columns else np.zeros((len(static.columns[0]), 0))


def fit_encoder(static: StaticInputs | None, names: Sequence[str]) -> StaticEncoder | None:
    """Return the encoder for the static inputs of these names; None if there are no names."""
    return StaticEncoder.fit(select_static(static, names)) if names else None


def encode_static(encoder: StaticEncoder | None, panel: Panel) -> np.ndarray:
    """Return the static inputs of a panel's N series as numbers, (N, E); E is 0 without an encoder."""
    if encoder is None:
        return np.zeros((len(panel.series), 0))
    return encoder.encode(select_static(panel.static, encoder.names))
