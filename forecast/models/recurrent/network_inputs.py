"""What a network reads in a fit and in a forecast: the inputs of rows and of steps, and the forecasts of the base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.data.panel import Panel
from forecast.features.dataset import TrainingRows
from forecast.features.inputs import N_STATE_CHANNELS, Inputs, append_channels, calendar_inputs, causal_inputs
from forecast.features.static_inputs import StaticEncoder, encode_static
from forecast.features.step_inputs import StepInputs, make_step_inputs
from forecast.models.base import Forecaster, LogChoice, transform
from forecast.models.naive import Naive
from forecast.models.recurrent.config import RecurrentConfig
from forecast.models.recurrent.crossfit import log_points
from forecast.models.recurrent.defaults import Choices, limit_scale
from forecast.models.recurrent.inference import PredictionRequest
from forecast.models.recurrent.pretrained.zero_shot import Pretrained
from forecast.models.scale import FixedScale


@dataclass(frozen=True)
class InputReader:
    """The fitted parts of a forecaster that its inputs depend on."""

    base: Forecaster
    log: LogChoice
    scale: FixedScale | None
    encoder: StaticEncoder | None
    choices: Choices
    exog: tuple[str, ...]
    future: tuple[str, ...]
    calendar: bool

    def of_rows(self, panel: Panel, base: np.ndarray | None = None) -> Inputs:
        """Return the inputs of every row: of the target, the exog fields and the calendar.

        The scale is the recent error of the base. For `Naive`, for `Pretrained`, which would take long at every row,
        and for a base whose in-sample errors are too small, it is the recent change. `base`: the base's forecasts
        (T, N, H), computed if None.
        """
        y = transform(panel, self.log)
        one_step = None
        if not isinstance(self.base, (Naive, Pretrained)) and self.base.in_sample_is_valid:
            one_step = (self.base_points(panel) if base is None else base)[..., 0].copy()
        limit = np.where(self.log.flags(panel), self.choices.max_log_scale, np.inf)
        inputs = append_channels(limit_scale(causal_inputs(y, one_step), limit), self._further_channels(panel))
        return inputs if self.scale is None else self.scale.apply(inputs, panel.series)

    def _further_channels(self, panel: Panel) -> list[np.ndarray]:
        """Return what is read in addition to the target: fields, calendar and static inputs, (T, N, C) each."""
        names = dict.fromkeys([*self.exog, *self.future])
        fields = (panel.values[:, :, panel.channels.index(name)] for name in names)
        more = [causal_inputs(field).x[..., N_STATE_CHANNELS:] for field in fields]
        if self.calendar:
            if not isinstance(panel.index, pd.DatetimeIndex):
                raise ValueError(f"calendar=True needs rows with dates; these have {panel.index.dtype} labels")
            more.append(calendar_inputs(panel.index.tz_localize(None).to_numpy(), len(panel.series)))
        static = encode_static(self.encoder, panel).astype(np.float32)
        more.append(np.broadcast_to(static, (len(panel), *static.shape)))
        return more

    def of_steps(self, panel: Panel, inputs: Inputs, base: np.ndarray) -> StepInputs | None:
        """Return what is known in advance of the steps after every row; `base` is (T, N, H)."""
        if not self.future:
            return None
        return make_step_inputs(panel.known(self.future).values, inputs, base, self.choices.facts.season)

    def base_points(self, panel: Panel) -> np.ndarray:
        """Return the forecasts of the fitted base at every row, in logs if the model works in logs, (T, N, H)."""
        return log_points(self.base._predict_point_at(panel, np.arange(len(panel))), self.base, panel, self.log)

    def of_examples(self, panel: Panel) -> TrainingRows:
        """Return every row of a panel for examples that the network was not trained on."""
        base = self.base_points(panel)
        inputs = self.of_rows(panel, base)
        return TrainingRows(inputs, base, self.of_steps(panel, inputs, base))

    def request(
        self, panel: Panel, rows: np.ndarray, base: np.ndarray, config: RecurrentConfig, trained: Sequence[str]
    ) -> PredictionRequest:
        """Return what a network reads to forecast from rows (K,); `base` (K, N, H), `trained` the series of the fit."""
        inputs = self.of_rows(panel)
        numbers = {name: i for i, name in enumerate(trained)}
        series = np.array([numbers.get(name, -1) for name in panel.series])
        in_logs = log_points(base, self.base, panel, self.log)
        known = None
        if config.n_step_inputs:
            at_rows = np.full((len(panel), *in_logs.shape[1:]), np.nan)
            at_rows[rows] = in_logs
            known = self.of_steps(panel, inputs, at_rows)
        return PredictionRequest(inputs, rows, in_logs, series, config, known)
