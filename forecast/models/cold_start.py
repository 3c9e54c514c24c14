"""Forecasts of series with few rows or none, from those of the other series of a panel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from forecast._estimator import clone
from forecast._validation import check_fields, check_int
from forecast.data.panel import Panel
from forecast.features.static_inputs import encode_static, fit_encoder
from forecast.features.windows import forward_fill
from forecast.models.base import LEVELS, Forecast, Forecaster, choose_log, with_levels

MIN_SERIES = 10  # with enough rows, from which the others are forecast
RECENT_VALUES = 5  # of a new series, that are read
PENALTIES = np.logspace(-2, 4, 13)  # of the ridge regression, relative to one series


@dataclass(eq=False, repr=False)
class ColdStart(Forecaster):
    """Another model's forecasts, and for new series, of few rows or none, forecasts from those of the other series.

    The model is fitted to the series that have enough rows for it, and more than `rows`. A new series is forecast by
    ridge regressions over these: for a series without a row, of their forecasts on the static inputs; for one with k
    rows, of their forecast changes on the static inputs, their newest value and its distance from the mean of their
    last k values (of the last five of more). The penalty has the smallest leave-one-out error.

    The quantiles combine the leave-one-out errors with the spread of the model, as the root of the sum of squares at
    each level, which is exact for normal errors.

    Parameters
    ----------
    model : Forecaster
        The model of the series with enough rows, which is cloned.
    static : tuple of str, default ()
        Static inputs of the panel that are read (see `as_panel`). Without them a series that has no row is forecast as
        the mean of the others.
    rows : int, default 5
        A series with so many observed rows, or fewer, is new.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    log : bool or "auto", default "auto"
        Whether the regressions are in logs; "auto": if all training values are positive.

    Examples
    --------
    >>> prices = fc.load_sample("stocks").iloc[-60:].reindex(columns=["AAPL", "NEW"])
    >>> table = pd.concat([prices[["AAPL"]].add_suffix(str(i)) * i for i in range(1, 11)], axis=1).assign(NEW=np.nan)
    >>> model = fc.ColdStart(fc.Naive()).fit(table, horizon=1)
    >>> bool(np.isfinite(model.predict(table).point).all())
    True
    """

    model: Forecaster
    static: tuple[str, ...] = ()
    rows: int = 5
    levels: tuple[float, ...] = LEVELS
    log: bool | str = "auto"

    def required_fields(self) -> tuple[str, ...]:
        """Return the names of the fields that are read in addition to the target."""
        return self.model.required_fields()

    def future_fields(self) -> tuple[str, ...]:
        """Return the names of the required fields of which the rows that are forecast are read, too."""
        return self.model.future_fields()

    def static_fields(self) -> tuple[str, ...]:
        """Return the names of the static inputs that are read."""
        return tuple(dict.fromkeys([*self.static, *self.model.static_fields()]))

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs: none."""
        return 0

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        if not isinstance(self.model, Forecaster):
            raise TypeError(f"model must be a Forecaster; got {self.model!r}")
        self.model.check_params()
        check_fields(self.static, "static")
        check_int("rows", self.rows, 0)

    def _fit(self, panel: Panel, horizon: int) -> None:
        needed = max(self.model.min_rows(horizon), self.rows + 1)
        enough = np.flatnonzero(panel.count_observed() >= needed)
        if len(enough) < MIN_SERIES:
            raise ValueError(
                f"ColdStart forecasts new series from at least {MIN_SERIES} others with {needed} observed rows, and "
                f"there are {len(enough)}: use more series or more history, or a model that needs fewer rows"
            )
        old = panel.of_series(enough)
        self.old_series_ = old.series
        self.use_log_ = bool(choose_log(self.log, panel).flags(panel).all())
        self.encoder_ = fit_encoder(panel.static, self.static)
        self.model_ = with_levels(clone(self.model), self.levels).fit(old, horizon)
        self.record_ = self.model_.record_ | {"new_series": len(panel.series) - len(enough)}

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        names = set(self.old_series_)
        is_old = np.array([name in names for name in panel.series])
        old = np.flatnonzero(is_old)
        if len(old) < MIN_SERIES:
            raise ValueError(
                f"ColdStart forecasts new series from the others, and these prices have {len(old)} series of the fit: "
                f"pass them all, {MIN_SERIES} at least"
            )
        own = self.model_._predict_at(panel.of_series(old), rows)
        if own.quantiles is None:
            raise ValueError(f"{type(self.model).__name__} has no quantiles: wrap it in Conformal")
        shape = (len(rows), len(panel.series), self.horizon_)
        point, quantiles = np.full(shape, np.nan), np.full((*shape, len(own.levels)), np.nan)
        point[:, old], quantiles[:, old] = own.point, own.quantiles
        static, values = encode_static(self.encoder_, panel), self._transform(panel.target)
        for k, row in enumerate(rows):
            others = _Others(
                static[old], values[: row + 1, old], *map(self._transform, (own.point[k], own.quantiles[k]))
            )
            for n in np.flatnonzero(~is_old):
                recent = values[: row + 1, n]
                forecast = others.forecast(static[n], recent[~np.isnan(recent)], own.levels)
                point[k, n], quantiles[k, n] = map(self._restore_level, forecast)
        return replace(own, point=point, quantiles=quantiles, series=panel.series, members=None)

    def _transform(self, values: np.ndarray) -> np.ndarray:
        """Return values in logs if the regressions are in logs, NaN where there is none."""
        return np.log(np.where(values > 0, values, np.nan)) if self.use_log_ else values

    def _restore_level(self, values: np.ndarray) -> np.ndarray:
        return np.exp(values) if self.use_log_ else values


class _Regression(NamedTuple):
    """A ridge regression over E series, and its leave-one-out errors (E, H)."""

    mean: np.ndarray  # (F,) of the features
    scale: np.ndarray  # (F,) their standard deviations
    intercept: np.ndarray  # (H,)
    slopes: np.ndarray  # (F, H)
    errors: np.ndarray

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the prediction (H,) from features (F,)."""
        return self.intercept + ((x - self.mean) / self.scale) @ self.slopes


class _Others:
    """The E series with enough rows, at one cutoff: what a new series is forecast from."""

    def __init__(self, static: np.ndarray, values: np.ndarray, point: np.ndarray, quantiles: np.ndarray) -> None:
        """Store the static inputs (E, S), the rows (T, E) up to the cutoff and the forecasts (E, H) and (E, H, Q)."""
        usable = np.isfinite(point).all(axis=1)
        self.static, self.values, self.point = static[usable], forward_fill(values[:, usable]), point[usable]
        self.spread = np.median(quantiles[usable] - self.point[..., None], axis=0)  # (H, Q)
        self.regressions: dict[int, _Regression] = {}  # by the number of recent values

    def forecast(
        self, static: np.ndarray, recent: np.ndarray, levels: tuple[float, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the point (H,) and the quantiles (H, Q) of a series with static inputs (S,) and these observed values.

        They are NaN if there are too few other series.
        """
        recent = recent[-RECENT_VALUES:]
        if len(self.point) < MIN_SERIES:
            return np.full(self.point.shape[1], np.nan), np.full(self.spread.shape, np.nan)
        regression = self._regression(len(recent))
        start = recent[-1] if len(recent) else 0.0
        point = start + regression.predict(_features(static[None], recent[:, None])[0])
        errors = np.quantile(regression.errors, levels, axis=0).T - np.median(regression.errors, axis=0)[:, None]
        sign = np.sign(np.array(levels) - 0.5)
        return point, point[:, None] + sign * np.sqrt(errors**2 + self.spread**2)

    def _regression(self, n_recent: int) -> _Regression:
        """Return the regression for series with so many recent values."""
        if n_recent not in self.regressions:
            recent = self.values[len(self.values) - n_recent :]
            start = recent[-1] if n_recent else np.zeros(len(self.point))
            usable = np.isfinite(recent).all(axis=0)
            x = _features(self.static[usable], recent[:, usable])
            self.regressions[n_recent] = fit_ridge(x, (self.point - start[:, None])[usable])
        return self.regressions[n_recent]


def _features(static: np.ndarray, recent: np.ndarray) -> np.ndarray:
    """Return the features (E, F) of series with static inputs (E, S) and k recent values (k, E)."""
    columns = [*static.T]
    if len(recent):
        columns.append(recent[-1])
    if len(recent) > 1:
        columns.append(recent[-1] - recent.mean(axis=0))
    return np.stack(columns, axis=1) if columns else np.zeros((len(static), 0))


def fit_ridge(x: np.ndarray, y: np.ndarray) -> _Regression:
    """Fit ridge regressions of y (E, H) on x (E, F), with one penalty that has the smallest leave-one-out error.

    Features are standardised; the intercept is not penalised. The errors are exact, from the diagonal of the hat matrix
    (as in scikit-learn's RidgeCV, which has their squares only).
    """
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    left, singular, right = np.linalg.svd((x - mean) / scale, full_matrices=False)
    centre = y.mean(axis=0)
    projected = left.T @ (y - centre)  # (F, H)
    best, best_loss = None, np.inf
    for penalty in PENALTIES:
        shrinkage = singular**2 / (singular**2 + penalty)
        fitted = centre + left @ (shrinkage[:, None] * projected)
        leverage = 1 / len(x) + (left**2) @ shrinkage
        errors = (y - fitted) / np.maximum(1 - leverage, 1e-6)[:, None]
        if (loss := float(np.mean(errors**2))) < best_loss:
            slopes = right.T @ ((singular / (singular**2 + penalty))[:, None] * projected)
            best, best_loss = _Regression(mean, scale, centre, slopes, errors), loss
    assert best is not None
    return best
