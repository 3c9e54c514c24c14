"""Intervals for any forecaster, from the errors that it has made and that have become known."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from forecast._estimator import clone
from forecast._validation import check_choice, check_int, check_number
from forecast.data.panel import Panel
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

LEAST = 20  # errors that an interval is made of
HELD_BACK = 4  # of the training rows at most one in so many is kept from the fit that errors are taken of


class Conformal(Forecaster):
    """Another model's forecasts with intervals that have held: from its own past errors, whatever it says itself.

    At a cutoff t the errors of step k are those of forecasts made at t − k or before, as later ones are not known yet.
    They are measured in units of the series' movement when they were made, and no model is fitted anew for them.
    "rolling" takes quantiles of the last `window` errors, with conformal prediction's correction for their number
    (Vovk, Gammerman and Shafer, 2005; rolling as in Xu and Xie, 2021). "adaptive" moves each quantile up after an
    outcome above it and down after one below, by `rate` of the mean error: in the long run it covers what it should
    on any series (the quantile tracker of Angelopoulos, Candès and Tibshirani, 2023).

    A model that knows its training rows too well (networks, trees) is fitted a second time without the newest of them,
    `window` or a quarter, and errors there are taken of that fit. In logs if `log` ("auto": if all training values are
    positive). The point stays the model's.

    >>> prices = fc.load_sample("stocks").iloc[-300:]
    >>> model = fc.Conformal(fc.Drift(), window=100).fit(prices, horizon=2)
    >>> model.predict(prices).levels
    (0.1, 0.5, 0.9)
    """

    def __init__(
        self,
        model: Forecaster,
        method: str = "rolling",
        window: int = 250,
        rate: float = 0.05,
        levels: tuple[float, ...] = LEVELS,
        log: bool | str = "auto",
    ) -> None:
        self.model = model
        self.method = method
        self.window = window
        self.rate = rate
        self.levels = levels
        self.log = log

    @property
    def in_sample_is_valid(self) -> bool:
        """Whether the model forecasts training rows no better than later ones."""
        return bool(getattr(self.model, "in_sample_is_valid", False))

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        super().check_params()
        if not isinstance(self.model, Forecaster):
            raise TypeError(f"model must be a Forecaster; got {self.model!r}")
        self.model.check_params()
        check_choice("method", self.method, ("rolling", "adaptive"))
        check_int("window", self.window, LEAST)
        check_number("rate", self.rate, 1e-6, below=1.0)

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: the model's, and those of twenty errors of each step."""
        own = self.model.min_rows(horizon)
        known = LEAST + horizon + 1
        return (
            own + known if self.in_sample_is_valid else max(-(-own * HELD_BACK // (HELD_BACK - 1)), HELD_BACK * known)
        )

    def required_fields(self) -> tuple[str, ...]:
        """Name the fields that are read beside the target."""
        return self.model.required_fields()

    def nests(self, other: Forecaster) -> bool:
        """Whether the model does: its points are the same."""
        return self.model.same_as(other) or self.model.nests(other)

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        self.model_ = clone(self.model).fit(panel, horizon)
        self.record_ = dict(self.model_.record_)
        self.earlier_, self.from_, self.to_ = None, None, panel.index[-1]
        if not self.in_sample_is_valid:
            # Of every series that is long enough a part is held back, and enough to be fitted comes before it.
            seen = panel.observed.sum(axis=0)  # (N,)
            long = seen[seen >= self.min_rows(horizon)]
            cut = len(panel) - min(self.window + horizon, int(long.min()) // HELD_BACK)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ShortSeriesWarning)  # the fit on all rows has named them
                self.earlier_ = clone(self.model).fit(panel[:cut], horizon)
            self.from_ = panel.index[cut - 1]

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        said = self.model_._predict_at(panel, rows)
        first = 0 if self.method == "adaptive" else self._oldest(panel, int(rows.min()))
        y = transform(panel, self.log_)
        unit = causal_inputs(y).recent_change  # (T, N)
        errors = self._errors(panel, y, unit, first)  # (T, N, H), NaN before `first`
        newest = _Newest(errors, self.window)
        if self.method == "rolling":
            spread = np.stack(
                [conformal_quantiles(newest.at(self._realised(int(row))), self.levels) for row in rows]
            )  # (K, N, H, Q)
        else:
            spread = self._tracked(errors, newest)[rows]
        now = unit[rows][:, :, None, None]  # (K, N, 1, 1)
        change = np.where(now > 0, now * np.sort(spread, axis=-1), 0.0)  # what never moved has no errors
        quantiles = apply_change(said.point[..., None], change, self.log_)
        few = (np.isfinite(said.point)[..., None] & np.isnan(quantiles)).any(axis=(0, 2, 3))
        if few.any():
            names = ", ".join(np.array(said.series)[few])
            warnings.warn(f"fewer than {LEAST} past errors are known of {names}", UnseenStepWarning, stacklevel=2)
        return Forecast(said.point, quantiles, tuple(self.levels), said.series, said.cutoffs, said.members)

    def _predict_point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        return self.model_._predict_point_at(panel, rows)

    def _errors(self, panel: Panel, y: np.ndarray, unit: np.ndarray, first: int) -> np.ndarray:
        """Measure what forecasts from each row were off by, in units, (T, N, H); NaN where that is not known."""
        points = np.full((*y.shape, self.horizon_), np.nan)
        later = np.flatnonzero(np.asarray(panel.index > self.to_)) if self.earlier_ else np.arange(first, len(panel))
        asked = [(self.model_, later)]
        if self.earlier_:
            held = np.asarray((panel.index >= self.from_) & (panel.index <= self.to_))
            asked.append((self.earlier_, np.flatnonzero(held)))
        for model, some in asked:
            some = some[some >= first]
            if len(some):
                points[some] = model._predict_point_at(panel, some)
        if self.log_:
            with np.errstate(invalid="ignore", divide="ignore"):
                points = np.log(points)
        known = panel.observed & (unit > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            errors = (future_windows(y, self.horizon_) - points) / unit[:, :, None]
        return np.where(known[:, :, None], errors, np.nan)

    def _realised(self, row: int) -> np.ndarray:
        """Give the newest origin whose error at each step is known at a row, (H,): the row itself less the step."""
        return row - np.arange(1, self.horizon_ + 1)

    def _oldest(self, panel: Panel, row: int) -> int:
        """Find the row from which on every series has a window of errors at each step, holes or not."""
        seen, oldest = panel.observed, row
        for step in range(1, self.horizon_ + 1):
            both = seen[: max(row + 1 - step, 0)] & seen[step : row + 1]  # at the origin and at the step after it
            short = np.cumsum(both[::-1], axis=0) < self.window
            oldest = min(oldest, row - step - int(short.sum(axis=0).max(initial=0)))
        return max(oldest, 0)

    def _tracked(self, errors: np.ndarray, newest: _Newest) -> np.ndarray:
        """Follow each quantile through the errors in the order in which they become known, (T, N, H, Q)."""
        levels = np.array(self.levels)
        _, n, h = errors.shape
        spread = np.full((len(errors), n, h, len(levels)), np.nan)
        now = np.full((n, h, len(levels)), np.nan)
        count, total = np.zeros((n, h)), np.zeros((n, h))
        steps = np.arange(h)
        for row in range(len(errors)):
            origins = self._realised(row)
            error = np.where(origins >= 0, errors[np.maximum(origins, 0), :, steps].T, np.nan)  # (N, H)
            seen = ~np.isnan(error)
            count += seen
            total += np.where(seen, np.abs(error), 0.0)
            size = self.rate * total / np.maximum(count, 1)  # (N, H)
            with np.errstate(invalid="ignore"):
                below = error[..., None] <= now
            now = np.where(seen[..., None], now + size[..., None] * (levels - below), now)
            begin = seen & (count == LEAST)
            if begin.any():
                now = np.where(begin[..., None], conformal_quantiles(newest.at(origins), self.levels), now)
            spread[row] = now
        return spread


class _Newest:
    """The newest of the errors (T, N, H), those that are missing left out."""

    def __init__(self, errors: np.ndarray, window: int) -> None:
        known = ~np.isnan(errors)
        self.count = np.cumsum(known, axis=0)  # (T, N, H) errors of origins so far
        order = np.argsort(~known, axis=0, kind="stable")
        self.packed = errors if known.all() else np.take_along_axis(errors, order, axis=0)
        self.window = window

    def at(self, origins: np.ndarray) -> np.ndarray:
        """Give the last `window` errors up to an origin for each step, (W, N, H); NaN where there are fewer."""
        _, n, h = self.count.shape
        steps = np.arange(h)
        count = np.where(origins[:, None] >= 0, self.count[np.maximum(origins, 0), :, steps], 0)  # (H, N)
        places = count.T - 1 - np.arange(self.window)[:, None, None]  # (W, N, H)
        found = self.packed[np.maximum(places, 0), np.arange(n)[:, None], steps]
        return np.where(places >= 0, found, np.nan)


def conformal_quantiles(errors: np.ndarray, levels: Any) -> np.ndarray:
    """Take quantiles of errors (W, …) with NaN so that the next one falls beyond them as rarely as it should, (…, Q).

    Of n errors the upper one is the ⌈(n + 1) · level⌉-th smallest, the lower its mirror image. NaN of fewer than 20.
    """
    ordered = np.sort(errors, axis=0)  # NaN last
    count = (~np.isnan(errors)).sum(axis=0)
    found = []
    for level in levels:
        rank = np.ceil((count + 1) * level - 1e-9) if level >= 0.5 else np.floor((count + 1) * level + 1e-9)
        at = np.clip(rank - 1, 0, np.maximum(count - 1, 0)).astype(np.int64)
        found.append(np.where(count >= LEAST, np.take_along_axis(ordered, at[None], axis=0)[0], np.nan))
    return np.stack(found, axis=-1)
