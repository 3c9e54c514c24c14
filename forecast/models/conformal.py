"""Prediction intervals for any forecaster, from its past errors as they become known."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from forecast._estimator import clone
from forecast._validation import check_choice, check_int, check_number
from forecast._warnings import warn
from forecast.data.panel import Panel, format_date
from forecast.features.inputs import causal_inputs
from forecast.features.windows import future_windows
from forecast.models.base import (
    LEVELS,
    Forecast,
    Forecaster,
    ShortSeriesWarning,
    UnseenStepWarning,
    apply_change,
    choose_log,
    transform,
)

MIN_ERRORS = 20  # errors needed for an interval
HOLDOUT_DIVISOR = 4  # at most one training row in four is held out to measure errors on


@dataclass(eq=False, repr=False)
class Conformal(Forecaster):
    """Another model's point forecasts with conformal intervals, which replace the quantiles of the model.

    At a cutoff t the errors of step k are those of forecasts made at t − k or before, as later ones are not known yet.
    They are measured relative to the series' recent movement when they were made; no model is refitted for them. A
    model that fits its training rows too closely (networks, trees) is fitted a second time without the newest of
    them, `window` rows or a quarter, and the errors on those rows are those of the second fit.

    Parameters
    ----------
    model : Forecaster
        The model, which is cloned; point forecasts stay as they are.
    method : {"rolling", "adaptive"}, default "rolling"
        "rolling" takes quantiles of the last `window` errors, with the correction of conformal prediction for their
        number (Vovk et al., 2005; rolling as in Xu and Xie, 2021). "adaptive" raises each quantile after an outcome
        above it and lowers it after one below, by `rate` of the mean absolute error: in the long run its coverage is
        the nominal one on any series (the quantile tracker of Angelopoulos et al., 2023).
    window : int, default 250
        The number of errors, at least 20.
    rate : float, default 0.05
        The step size of "adaptive", below 1.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    log : bool or "auto", default "auto"
        Whether errors are measured in logs; "auto": if all training values are positive.

    References
    ----------
    - Vovk, Gammerman and Shafer (2005), Algorithmic learning in a random world.
    - Xu and Xie (2021), Conformal prediction interval for dynamic time-series.
    - Angelopoulos, Candès and Tibshirani (2023), Conformal PID control for time series prediction.

    Examples
    --------
    >>> prices = fc.load_sample("stocks").iloc[-300:]
    >>> model = fc.Conformal(fc.Drift(), window=100).fit(prices, horizon=2)
    >>> model.predict(prices).levels
    (0.1, 0.5, 0.9)
    """

    model: Forecaster
    method: str = "rolling"
    window: int = 250
    rate: float = 0.05
    levels: tuple[float, ...] = LEVELS
    log: bool | str = "auto"

    @property
    def in_sample_is_valid(self) -> bool:
        """Whether the model forecasts training rows no better than later ones."""
        return self.model.in_sample_is_valid

    def required_fields(self) -> tuple[str, ...]:
        """Return the names of the fields that are read in addition to the target."""
        return self.model.required_fields()

    def future_fields(self) -> tuple[str, ...]:
        """Return the names of the required fields of which the rows that are forecast are read, too."""
        return self.model.future_fields()

    def static_fields(self) -> tuple[str, ...]:
        """Return the names of the static inputs that are read."""
        return self.model.static_fields()

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs: for the model, and for twenty errors of each step."""
        for_model = self.model.min_rows(horizon)
        for_errors = MIN_ERRORS + horizon + 1
        if self.in_sample_is_valid:
            return for_model + for_errors
        return max(-(-for_model * HOLDOUT_DIVISOR // (HOLDOUT_DIVISOR - 1)), HOLDOUT_DIVISOR * for_errors)

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        if not isinstance(self.model, Forecaster):
            raise TypeError(f"model must be a Forecaster; got {self.model!r}")
        self.model.check_params()
        check_choice("method", self.method, ("rolling", "adaptive"))
        check_int("window", self.window, MIN_ERRORS)
        check_number("rate", self.rate, 1e-6, below=1.0)

    def nests(self, other: Forecaster) -> bool:
        """Return whether the model, which has the same point forecasts, nests the other or is the same."""
        return self.model.same_as(other) or self.model.nests(other)

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        self.model_ = clone(self.model).fit(panel, horizon)
        self.record_ = dict(self.model_.record_)
        self.holdout_model_, self.holdout_start_, self.train_end_ = None, None, panel.index[-1]
        if not self.in_sample_is_valid:
            # A part of every series that is long enough is held out, and enough to fit the model comes before it.
            observed = panel.count_observed()  # (N,)
            shortest = int(observed[observed >= self.min_rows(horizon)].min())
            cut = len(panel) - min(self.window + horizon, shortest // HOLDOUT_DIVISOR)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ShortSeriesWarning)  # the fit on all rows has named them
                self.holdout_model_ = clone(self.model).fit(panel[:cut], horizon)
            self.holdout_start_ = panel.index[cut - 1]  # the first row whose forecasts are out of sample

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        forecast = self.model_._predict_at(panel, rows)
        first = 0 if self.method == "adaptive" else self._first_error_row(panel, int(rows.min()))
        y = transform(panel, self.log_)
        scale = causal_inputs(y).recent_change  # (T, N)
        errors = self._past_errors(panel, y, scale, first)  # (T, N, H), NaN before `first`
        recent = _RecentErrors(errors, self.window)
        if self.method == "rolling":
            windows = (recent.up_to(self._realised_origins(int(row))) for row in rows)
            spread = np.stack([conformal_quantiles(window, self.levels) for window in windows])  # (K, N, H, Q)
        else:
            spread = self._track_quantiles(errors, recent)[rows]
        now = scale[rows][:, :, None, None]  # (K, N, 1, 1)
        change = np.where(now > 0, now * np.sort(spread, axis=-1), 0.0)  # a series that never moved has no errors
        quantiles = apply_change(forecast.point[..., None], change, self.log_.flags(panel))
        missing = (np.isfinite(forecast.point)[..., None] & np.isnan(quantiles)).any(axis=(0, 2, 3))
        if missing.any():
            names = ", ".join(np.array(forecast.series)[missing])
            warn(f"fewer than {MIN_ERRORS} past errors are known of {names}", UnseenStepWarning)
        return replace(forecast, quantiles=quantiles, levels=tuple(self.levels))

    def _predict_point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        return self.model_._predict_point_at(panel, rows)

    def _past_errors(self, panel: Panel, y: np.ndarray, scale: np.ndarray, first: int) -> np.ndarray:
        """Return the scaled errors of the forecasts from each row, (T, N, H); NaN before `first` and where unknown."""
        points = np.full((*y.shape, self.horizon_), np.nan)
        if self.holdout_model_ is None:
            origins = [(self.model_, np.arange(first, len(panel)))]
        else:
            held_out, later = self._out_of_sample(panel.index)
            origins = [(self.model_, later), (self.holdout_model_, held_out)]
        for model, rows in origins:
            rows = rows[rows >= first]
            if len(rows):
                points[rows] = model._predict_point_at(panel, rows)
        log = self.log_.flags(panel)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            points = np.where(log, np.log(np.where(log, points, 1.0)), points)
        known = panel.observed & (scale > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            errors = (future_windows(y, self.horizon_) - points) / scale[:, :, None]
        return np.where(known[:, :, None], errors, np.nan)

    def _out_of_sample(self, index: pd.Index) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that were held out of the second fit, and those that are later than all training rows."""
        try:
            held_out = np.asarray((index >= self.holdout_start_) & (index <= self.train_end_))
            later = np.asarray(index > self.train_end_)
        except TypeError:  # dates and numbers, or dates with a time zone and without, have no order
            raise ValueError(
                f"Conformal compares rows with its training rows, up to {format_date(self.train_end_)}, and rows such "
                f"as {format_date(index[0])} are neither before nor after them: pass labels of the same kind"
            ) from None
        return np.flatnonzero(held_out), np.flatnonzero(later)

    def _realised_origins(self, row: int) -> np.ndarray:
        """Return the newest origin whose error at each step is known at a row, (H,): the row less the step."""
        return row - np.arange(1, self.horizon_ + 1)

    def _first_error_row(self, panel: Panel, row: int) -> int:
        """Return the last row from which on each series has a window of errors at each step, despite missing rows."""
        observed, first = panel.observed, row
        for step in range(1, self.horizon_ + 1):
            both = observed[: max(row + 1 - step, 0)] & observed[step : row + 1]  # at the origin and at the step
            short = np.cumsum(both[::-1], axis=0) < self.window
            first = min(first, row - step - int(short.sum(axis=0).max(initial=0)))
        return max(first, 0)

    def _track_quantiles(self, errors: np.ndarray, recent: _RecentErrors) -> np.ndarray:
        """Return the quantiles at each row, (T, N, H, Q), updated with each error when it becomes known."""
        levels = np.array(self.levels)
        _, n, h = errors.shape
        spread = np.full((len(errors), n, h, len(levels)), np.nan)
        current = np.full((n, h, len(levels)), np.nan)
        count, total = np.zeros((n, h)), np.zeros((n, h))
        steps = np.arange(h)
        for row in range(len(errors)):
            origins = self._realised_origins(row)
            error = np.where(origins >= 0, errors[np.maximum(origins, 0), :, steps].T, np.nan)  # (N, H)
            known = ~np.isnan(error)
            count += known
            total += np.where(known, np.abs(error), 0.0)
            increment = self.rate * total / np.maximum(count, 1)  # (N, H)
            with np.errstate(invalid="ignore"):
                below = error[..., None] <= current
            current = np.where(known[..., None], current + increment[..., None] * (levels - below), current)
            starts = known & (count == MIN_ERRORS)
            if starts.any():
                initial = conformal_quantiles(recent.up_to(origins), self.levels)
                current = np.where(starts[..., None], initial, current)
            spread[row] = current
        return spread


class _RecentErrors:
    """The most recent known errors of (T, N, H), without the missing ones."""

    def __init__(self, errors: np.ndarray, window: int) -> None:
        known = ~np.isnan(errors)
        self.count = np.cumsum(known, axis=0)  # (T, N, H) known errors up to each origin
        order = np.argsort(~known, axis=0, kind="stable")
        self.packed = errors if known.all() else np.take_along_axis(errors, order, axis=0)
        self.window = window

    def up_to(self, origins: np.ndarray) -> np.ndarray:
        """Return the last `window` errors up to the origin of each step, (W, N, H); NaN where there are fewer."""
        _, n, h = self.count.shape
        steps = np.arange(h)
        count = np.where(origins[:, None] >= 0, self.count[np.maximum(origins, 0), :, steps], 0)  # (H, N)
        positions = count.T - 1 - np.arange(self.window)[:, None, None]  # (W, N, H)
        errors = self.packed[np.maximum(positions, 0), np.arange(n)[:, None], steps]
        return np.where(positions >= 0, errors, np.nan)


def conformal_quantiles(errors: np.ndarray, levels: Any) -> np.ndarray:
    """Return quantiles (…, Q) of errors (W, …), corrected so that a further error exceeds them at the nominal rate.

    Of n errors an upper quantile is the ⌈(n + 1) · level⌉-th smallest, a lower one its mirror image. Missing errors are
    left out; with fewer than 20 errors the quantiles are NaN.
    """
    ordered = np.sort(errors, axis=0)  # NaN last
    count = (~np.isnan(errors)).sum(axis=0)
    quantiles = []
    for level in levels:
        rank = np.ceil((count + 1) * level - 1e-9) if level >= 0.5 else np.floor((count + 1) * level + 1e-9)
        index = np.clip(rank - 1, 0, np.maximum(count - 1, 0)).astype(np.int64)
        quantiles.append(np.where(count >= MIN_ERRORS, np.take_along_axis(ordered, index[None], axis=0)[0], np.nan))
    return np.stack(quantiles, axis=-1)
