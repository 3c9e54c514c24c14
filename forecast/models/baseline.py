"""The common part of simple models: a rule for the point forecast, and quantiles of the rule's errors in training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from forecast.data.panel import Panel, format_date
from forecast.features.inputs import MIN_CHANGES, iter_series_chunks, recent_changes
from forecast.features.windows import forward_fill, future_windows, sum_rows
from forecast.models.base import (
    LEVELS,
    Forecast,
    Forecaster,
    choose_log,
    continue_price,
    error_quantiles,
    transform,
    warn_of_unseen_steps,
)

MIN_ERRORS = 20  # training errors of a step, below which its quantiles are those of Student's t distribution
N_START_ROWS = 20  # first training rows by which a history without dates is recognised


class Baseline(Forecaster):
    """A rule with few parameters; the quantiles are those of its errors in training, centred on the point forecast.

    The errors of a series are measured relative to its recent movement (the mean absolute change of the last 60 rows)
    if that lowers the mean pinball loss of the quantiles on the training rows, as it does where volatility clusters:
    intervals are then wide after volatile rows and narrow after calm ones. Steps with fewer than 20 training errors
    have the quantiles of Student's t distribution, those without any the spread of the last step that has one, growing
    with the square root of the step.

    A subclass defines `_predict_changes`, and `_fit_rule` if the rule has parameters. Missing rows are forward-filled.

    Parameters
    ----------
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    log : bool or "auto", default "auto"
        Whether to work in logs; "auto" if all training values are positive.
    """

    in_sample_is_valid = True  # few parameters: training rows are forecast as well as later ones
    supports_recursive = True
    #: Whether the rule counts rows from the first training row, so that it needs the history from there on.
    depends_on_start = False
    #: Whether the rule itself, not only its quantiles, has parameters for each series.
    has_series_parameters = False

    def __init__(self, levels: tuple[float, ...] = LEVELS, log: bool | str = "auto") -> None:
        self.levels = levels
        self.log = log

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs, whatever the horizon: three."""
        return 3

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        self.record_ = {"log": self.log_.summary()}
        self.start_ = panel.index[0]
        self.start_values_ = panel[:N_START_ROWS].target  # (rows, N)
        if self.has_series_parameters:
            self._fit_rule(forward_fill(transform(panel, self.log_)))
        rows, columns = np.arange(len(panel)), np.arange(len(panel.series))
        spreads, relative = [], []  # of each chunk of series
        for chunk, observed in self._iter_observed(panel):
            changes = self._predict_changes(forward_fill(observed), rows, columns[chunk])
            errors = future_windows(observed, horizon) - observed[:, :, None] - changes  # (T, chunk, H)
            spread, is_relative = self._measure_spread(errors, observed, panel.series[chunk])
            spreads.append(spread)
            relative.append(is_relative)
        self.spread_ = np.concatenate(spreads)  # (N, H, Q), in recent changes where `relative_`
        self.relative_ = np.concatenate(relative)  # (N,)

    def _iter_observed(self, panel: Panel) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield each chunk of series with its values (T, chunk), in logs where the model works in logs."""
        first = 0
        for part in panel.parts():
            observed = transform(part, self.log_)
            for chunk in iter_series_chunks(len(part.series)):
                yield slice(first + chunk.start, first + chunk.stop), observed[:, chunk]
            first += len(part.series)

    def _measure_spread(
        self, errors: np.ndarray, observed: np.ndarray, series: tuple[str, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the quantiles of errors (T, N, H) about their median, (N, H, Q), and whether they are relative, (N,).

        They are relative to the recent change of the observed series (T, N) where that lowers the pinball loss.
        """
        scale, n_changes = recent_changes(observed)
        enough = (n_changes >= MIN_CHANGES) & (scale > 0)
        relative_errors = errors / np.where(enough, scale, np.nan)[..., None]
        fixed = error_quantiles(errors, (*self.levels, 0.5))
        is_relative = (~np.isnan(relative_errors)).sum(axis=0).min(axis=1) >= MIN_ERRORS  # (N,)
        spread = fixed.copy()
        if is_relative.any():
            spread[is_relative] = error_quantiles(relative_errors[:, is_relative], (*self.levels, 0.5))
            is_relative &= self._pinball(relative_errors, spread, scale) < self._pinball(
                np.where(enough[..., None], errors, np.nan), fixed, np.ones_like(scale)
            )
            spread = np.where(is_relative[:, None, None], spread, fixed)
        spread = spread[..., :-1] - spread[..., -1:]
        spread = _extend_to_all_steps(spread, errors, self.levels)
        warn_of_unseen_steps(~np.isnan(spread).any(axis=2), series)
        return spread, is_relative

    def _pinball(self, errors: np.ndarray, quantiles: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Return the pinball loss of quantiles of errors relative to a scale (T, N), over all rows and steps, (N,)."""
        total = np.zeros(errors.shape[:2])  # (T, N)
        known = ~np.isnan(errors)
        for i, level in enumerate(self.levels):
            gap = errors - quantiles[..., i]
            total += np.where(known, np.maximum(level * gap, (level - 1) * gap), 0.0).sum(axis=2)
        return sum_rows(total * scale)

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        columns, log = self._fitted_columns(panel), self.log_.flags(panel)
        levels = tuple(self.levels)
        point = np.empty((len(rows), len(columns), self.horizon_))
        quantiles = np.empty((*point.shape, len(levels)))
        scale = recent_changes(transform(panel, self.log_))[0][rows]  # (K, N)
        scale = np.where(self.relative_[columns], scale, 1.0)[..., None, None]
        for chunk, last, changes in self._iter_chunks(panel, rows, columns):
            point[:, chunk] = continue_price(*last, changes, log[chunk])
            spread = scale[:, chunk] * self.spread_[columns[chunk]]  # (K, chunk, H, Q)
            last = last[0][..., None], last[1][..., None]
            quantiles[:, chunk] = continue_price(*last, changes[..., None] + spread, log[chunk])
        return Forecast(point, quantiles, levels, panel.series, panel.index[rows])

    def _predict_point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        columns = self._fitted_columns(panel) if self.has_series_parameters else np.arange(len(panel.series))
        log = self.log_.flags(panel)
        point = np.empty((len(rows), len(columns), self.horizon_))
        for chunk, last, changes in self._iter_chunks(panel, rows, columns):
            point[:, chunk] = continue_price(*last, changes, log[chunk])
        return point

    def _iter_chunks(
        self, panel: Panel, rows: np.ndarray, columns: np.ndarray
    ) -> Iterator[tuple[slice, tuple[np.ndarray, np.ndarray], np.ndarray]]:
        """Yield each chunk of series with its last prices and the rule's changes.

        The last prices are a pair of arrays (K, chunk, 1): the last value, and the last from which changes count, which
        differs if the last value has no logarithm. The changes are (K, chunk, H).
        """
        first = self._first_row(panel) if self.depends_on_start else 0
        transformed = transform(panel, self.log_)
        y = forward_fill(transformed[first:])  # as in training, no value from before the first row
        newest = forward_fill(panel.target)[rows][:, :, None]
        counted = forward_fill(np.where(np.isnan(transformed), np.nan, panel.target))[rows][:, :, None]
        known = rows >= first
        for chunk in iter_series_chunks(len(columns)):
            changes = np.full((len(rows), len(columns[chunk]), self.horizon_), np.nan)
            changes[known] = self._predict_changes(y[:, chunk], rows[known] - first, columns[chunk])
            yield chunk, (newest[:, chunk], counted[:, chunk]), changes

    def _first_row(self, panel: Panel) -> int:
        """Return the row of the first training row; raise ValueError if the history does not contain it.

        Rows without dates are numbered from 0 in any history, so their values are compared as well.
        """
        found = self.start_ in panel.index
        first = int(panel.index.get_loc(self.start_)) if found else 0
        if found and not isinstance(panel.index, pd.DatetimeIndex):
            columns = self._fitted_columns(panel)
            expected = self.start_values_[: len(panel) - first, columns]
            found = np.allclose(
                panel.target[first : first + len(expected)], expected, rtol=1e-6, atol=0, equal_nan=True
            )
        if not found:
            raise ValueError(
                f"{type(self).__name__} counts its rows from its first training row, from "
                f"{format_date(self.start_)}, which these prices lack: pass the history from there on"
            )
        return first

    def _fit_rule(self, y: np.ndarray) -> None:
        """Estimate the parameters of the rule from the forward-filled training rows (T, N)."""

    def _predict_changes(self, y: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the forecast change from the last value to each step, (K, N, H), from each of K rows of y (T, N)."""
        raise NotImplementedError


def _extend_to_all_steps(spread: np.ndarray, errors: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Return the spread (N, H, Q) with values for the late steps of a series of which too few errors (T, N, H) exist.

    Quantiles of fewer than 20 errors are those of Student's t distribution, with as many degrees of freedom as errors.
    Steps after the last one that has more than half of the errors of the first have the spread of that step, times the
    square root of the ratio of the steps.
    """
    known = ~np.isnan(errors)
    n_errors = known.sum(axis=0)  # (N, H)
    if (n_errors >= MIN_ERRORS).all():
        return spread
    from scipy import stats

    spread, steps = spread.copy(), np.arange(1, errors.shape[2] + 1)
    few = (n_errors > 0) & (n_errors < MIN_ERRORS)
    mean_square = sum_rows(np.where(known, errors, 0.0) ** 2) / np.maximum(n_errors, 1)
    student = np.sqrt(mean_square)[..., None] * stats.t.ppf(levels, np.maximum(n_errors, 1)[..., None])
    spread = np.where(few[..., None], student, spread)
    many = 2 * n_errors > n_errors.max(axis=1, keepdims=True)
    last = np.where(many, steps, 1).max(axis=1)  # (N,)
    late = (steps > last[:, None]) & (n_errors < MIN_ERRORS)
    growth = np.sqrt(steps / last[:, None])[..., None]
    return np.where(late[..., None], growth * np.take_along_axis(spread, last[:, None, None] - 1, axis=1), spread)
