"""Exchange of what a model reads between cutoffs: a value at a row, or its change, is replaced by another cutoff's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from forecast.data.panel import Panel
from forecast.features.inputs import recent_changes
from forecast.features.windows import forward_fill
from forecast.models.base import Forecaster

CHANGES, VALUES = "changes", "values"
SPAN = 50  # rows whose change is compared with that of one row
#: Bounds of the variance of the change over the span, over that of a walk: below, a series returns to its level; above,
#: it is a smooth function of time.
LIKE_A_WALK = (0.35, 10.0)
MAX_CELLS = 400_000  # rows × series that are forecast at the same time
TOLERANCE = 1e-6  # between the forecasts of a series alone and next to others

Version = Mapping[int, np.ndarray]  # the values of channels that replace those of the panel


@dataclass(frozen=True, eq=False)
class ReadInput:
    """What a model reads of one channel, and how the rows of two cutoffs are exchanged."""

    name: str
    channel: int  # of the panel
    values: np.ndarray  # (T + F, N), with the F later rows that are known
    is_known: bool  # whether rows that are forecast are read
    kind: str  # of what is exchanged, "changes" or "values"
    in_logs: np.ndarray  # (N,) whether changes are growth

    def exchange(self, cutoff: int, donor: int, rows: Sequence[int]) -> np.ndarray:
        """Return the values with those of some rows, counted from the cutoff, replaced by those of another cutoff."""
        if self.kind == CHANGES:
            return self._exchange_changes(cutoff, donor, rows)
        values, own = self.values.copy(), np.array(rows) + cutoff
        new = self.values[np.array(rows) + donor]
        values[own] = np.where(np.isnan(new) | np.isnan(values[own]), values[own], new)
        return values

    def _exchange_changes(self, cutoff: int, donor: int, rows: Sequence[int]) -> np.ndarray:
        """Replace changes, relative to recent movement; the value at the cutoff and all other changes remain.

        Values before a replaced change are shifted. The change to a later row is that from the cutoff.
        """
        level, change, scale = self._level, self._change, self._scale
        shift = np.zeros_like(self.values)
        for row in rows:
            own, other = cutoff + row, donor + row
            if row <= 0:
                difference = _rescale(change[other], scale[other], scale[own]) - change[own]
                shift[:own] -= np.nan_to_num(difference)
            else:
                since = _rescale(level[other] - level[donor], scale[donor], scale[cutoff])
                shift[own] = np.nan_to_num(level[cutoff] + since - level[own])
        growth = np.exp(np.where(self.in_logs, shift, 0.0))
        return np.where(self.in_logs, self.values * growth, self.values + shift)

    @cached_property
    def _numbers(self) -> np.ndarray:
        """The values, in logs where changes are growth, (T + F, N)."""
        return np.where(self.in_logs, np.log(np.where(self.in_logs, self.values, 1.0)), self.values)

    @cached_property
    def _level(self) -> np.ndarray:
        return forward_fill(self._numbers)

    @cached_property
    def _change(self) -> np.ndarray:
        """The change to each observed row from the last observed one before it, NaN elsewhere."""
        before = np.concatenate([np.full((1, self.values.shape[1]), np.nan), self._level[:-1]])
        return self._numbers - before

    @cached_property
    def _scale(self) -> np.ndarray:
        return recent_changes(self._numbers)[0]


def _rescale(change: np.ndarray, scale: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Return a change at one scale as one at another; NaN where a scale is 0."""
    ratio = np.divide(to, scale, out=np.full_like(scale, np.nan), where=(scale > 0) & (to > 0))
    return change * ratio


def list_inputs(model: Forecaster, panel: Panel, kinds: Mapping[str, str]) -> list[ReadInput]:
    """Return what a model reads of a panel: the target, its fields, and what is known of later rows.

    `kinds` has what is exchanged of an input, "changes" or "values"; of others it is found from the rows.
    """
    known = model.future_fields()
    inputs = []
    for name in dict.fromkeys([panel.channels[0], *model.required_fields()]):
        channel = panel.channels.index(name)
        values = panel.known([name]).values[:, :, 0] if name in known else panel.values[:, :, channel]
        positive = np.all(np.where(np.isnan(values), 1.0, values) > 0, axis=0)
        in_logs = positive if channel == 0 else np.zeros_like(positive)
        found = ReadInput(name, channel, values, name in known, CHANGES, in_logs)
        inputs.append(replace(found, kind=kinds.get(name) or find_kind(found._numbers)))
    return inputs


def find_kind(y: np.ndarray) -> str:
    """Return "changes" if most of the series (T, N) wander as prices do, "values" if they return to a level.

    A series wanders if the variance of its changes over 50 rows is about 50 times that of its changes over one row.
    """
    level = forward_fill(y)
    span = min(SPAN, max(len(y) // 8, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        one, many = (np.nanvar(level[lag:] - level[:-lag], axis=0) for lag in (1, span))
        ratio = many / (span * one)
    low, high = LIKE_A_WALK
    return CHANGES if np.mean((ratio > low) & (ratio < high)) > 0.5 else VALUES


class Copies:
    """Forecasts of many versions of the same prices at a cutoff, as further series in one pass where a model allows it.

    A model whose forecast of a series depends on the others forecasts one version at a time.
    """

    def __init__(self, model: Forecaster, panel: Panel, cutoff: int, version: Version) -> None:
        self.model, self.panel = model, panel
        self.in_one_pass = self._is_independent(cutoff, version)

    def predict(self, cutoff: int, versions: Sequence[Version]) -> np.ndarray:
        """Return the point forecasts of each version, (P, N, H)."""
        most = max(MAX_CELLS // (len(self.panel.series) * (cutoff + 1)), 1) if self.in_one_pass else 1
        chunks = [versions[first : first + most] for first in range(0, len(versions), most)]
        return np.concatenate([self._predict(cutoff, chunk) for chunk in chunks])

    def predict_with_dates(self, cutoff: int, donor: int) -> np.ndarray:
        """Return the forecasts (N, H) where each row has a date that is as much later as the other cutoff is."""
        panel = self._versions(cutoff, [{}])
        moved = panel.index + (self.panel.index[donor] - self.panel.index[cutoff])
        return self.model.predict_at(replace(panel, index=moved), [cutoff]).point[0]

    def reads_dates(self, cutoff: int, donor: int) -> bool:
        """Return whether forecasts depend on what the dates of rows are."""
        if not isinstance(self.panel.index, pd.DatetimeIndex):
            return False
        alone = self._predict(cutoff, [{}])[0]
        return not np.array_equal(self.predict_with_dates(cutoff, donor), alone, equal_nan=True)

    def _predict(self, cutoff: int, versions: Sequence[Version]) -> np.ndarray:
        point = self.model.predict_at(self._versions(cutoff, versions), [cutoff]).point[0]
        return point.reshape(len(versions), len(self.panel.series), -1)

    def _versions(self, cutoff: int, versions: Sequence[Version]) -> Panel:
        """Return the panel up to the cutoff with the series of each version, under their names."""
        n, end = len(self.panel.series), cutoff + 1 + self.model.horizon_
        panel = self.panel[: cutoff + 1].known_until(end).of_series(np.tile(np.arange(n), len(versions)))
        for v, version in enumerate(versions):
            own = slice(v * n, (v + 1) * n)
            for channel, values in version.items():
                panel.values[:, own, channel] = values[: cutoff + 1]
                if panel.future is not None and (name := panel.channels[channel]) in panel.future.names:
                    panel.future.values[:, own, panel.future.names.index(name)] = values[:end]
        return panel

    def _is_independent(self, cutoff: int, version: Version) -> bool:
        """Return whether the forecast of a series is the same next to another version of it."""
        alone = self._predict(cutoff, [{}])[0]
        try:
            first, _, last = self._predict(cutoff, [{}, version, {}])
        except Exception:  # the model refuses more series, or names that repeat
            return False
        return all(np.allclose(found, alone, rtol=TOLERANCE, atol=0, equal_nan=True) for found in (first, last))
