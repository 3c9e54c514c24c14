"""Any scikit-learn regressor as a forecaster: one regression for each step, on windows of lagged changes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast._estimator import clone
from forecast._validation import check_choice, check_fields, check_int, check_number
from forecast.data.panel import Panel
from forecast.features.dataset import LaggedDataset, LaggedFeatures, TrainingRows, step_features
from forecast.features.inputs import MIN_CHANGES, Inputs, causal_inputs
from forecast.features.static_inputs import encode_static, fit_encoder
from forecast.features.step_inputs import make_step_inputs
from forecast.features.windows import forward_fill
from forecast.models.base import (
    LEVELS,
    Forecast,
    Forecaster,
    apply_change,
    choose_log,
    missing_errors_message,
    transform,
)
from forecast.models.ridge import SummedRidge
from forecast.models.sample_weights import check_weights, weight_fields, weighted_inputs
from forecast.models.scale import SCALES, FixedScale, choose_scale

NAMES = ("ridge", "boosting")


@dataclass(eq=False, repr=False)
class Tabular(Forecaster):
    """A regression, or a tree, on the last rows: what most quants try first.

    It reads the last `lookback` changes and the newest distances from the averages of 5, 22 and 1,000 rows, of the
    series and of the fields in `exog`, and forecasts the change to each step, all relative to recent movement. The
    quantiles come from rows outside the fit: each of five blocks is forecast by estimators fitted on the rows before it
    (in sample, the errors of a boosted tree are a third of those on other rows).

    Parameters
    ----------
    estimator : {"ridge", "boosting"} or scikit-learn regressor, default "ridge"
        It is cloned for each step and fitted to all series at once; "boosting" is histogram-based trees.
    lookback : int, default 20
        The number of changes that are read.
    log : bool or "auto", default "auto"
        Whether to work in logs; "auto": if all training prices are positive.
    exog : tuple of str, default ()
        Fields that are read in addition to the target.
    future : tuple of str, default ()
        Fields of which the rows that are forecast are known as well: each step reads its own row.
    static : tuple of str, default ()
        Static inputs of the series (see `as_panel`) that are read.
    season : int, default 1
        Rows in a season, 1 for none. Each step then also reads the values 1, 2, 3 and 7 seasons before it, and how the
        `future` fields differ from a season before.
    scale : {"auto", "recent", "fixed"}, default "auto"
        What changes are relative to: "recent" movement, as where volatility clusters; "fixed", the mean over the
        training rows, as where a known input has a constant effect. "auto" is "fixed" where there are `future` inputs.
    stride : int, default 1
        Rows from one training forecast to the next, counted from the last training row: 24 trains hourly prices that
        are always forecast at midnight from midnights only.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    half_life : float, optional
        Rows after which a training example counts half, before the last training row (None: all count the same).
    weight : str, optional
        A field of the prices whose values, 0 or more, are the weights of the examples that start from a row.

    Notes
    -----
    "ridge" has the solution of scikit-learn's `Ridge`, from sums over windows that are computed chunk by chunk: its
    memory grows with the panel. Any other estimator is fitted to one matrix of all windows, which grows with panel ×
    `lookback`: 4 × (`lookback` + 3) bytes for each row of each series, plus the copies that the estimator makes.

    Weights, of age times of the field, have a mean of 1 in each fit and go to the estimator as `sample_weight`. Rows of
    weight 0 are left out. The quantiles are those of the errors of all others, with equal weights.
    """

    estimator: Any = "ridge"
    lookback: int = 20
    log: bool | str = "auto"
    exog: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    season: int = 1
    scale: str = "auto"
    stride: int = 1
    levels: tuple[float, ...] = LEVELS
    half_life: float | None = None
    weight: str | None = None

    nests_naive = True  # with all coefficients 0 the series does not move

    def required_fields(self) -> tuple[str, ...]:
        """Return the names of the fields that are read in addition to the target."""
        return tuple(dict.fromkeys([*self.exog, *self.future, *weight_fields(self.weight)]))

    def future_fields(self) -> tuple[str, ...]:
        """Return the names of the required fields of which the rows that are forecast are read, too."""
        return tuple(self.future)

    def static_fields(self) -> tuple[str, ...]:
        """Return the names of the static inputs that are read."""
        return tuple(self.static)

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs: a window, and 20 examples before the second block."""
        return max(self.lookback, MIN_CHANGES) + 2 * horizon + 40 * self.stride

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        super().check_params()
        check_int("lookback", self.lookback, 1)
        check_fields(self.exog)
        check_weights(self.half_life, self.weight)
        check_fields(self.future, "future")
        check_fields(self.static, "static")
        check_int("season", self.season, 1)
        check_choice("scale", self.scale, SCALES)
        check_int("stride", self.stride, 1)
        estimator = self.estimator
        if isinstance(estimator, SummedRidge):
            check_number("alpha", estimator.alpha, 0)
            return
        if isinstance(estimator, str) and estimator in NAMES:
            return
        from sklearn.base import is_regressor

        if isinstance(estimator, (type, str)) or not hasattr(estimator, "fit") or not is_regressor(estimator):
            names = ", ".join(map(repr, NAMES))
            raise TypeError(f"estimator must be {names} or a scikit-learn regressor; got {estimator!r}")
        if self.half_life is not None or self.weight is not None:
            from sklearn.utils.validation import has_fit_parameter

            if not has_fit_parameter(estimator, "sample_weight"):
                raise ValueError(
                    f"half_life and weight need an estimator whose fit takes sample_weight, and that of "
                    f"{type(estimator).__name__} does not: use another one, such as 'ridge', or half_life=None and "
                    "weight=None"
                )

    def default_estimator(self) -> Any:
        """Return the estimator of the name."""
        if self.estimator == "boosting":
            from sklearn.ensemble import HistGradientBoostingRegressor

            return HistGradientBoostingRegressor(
                max_iter=60, learning_rate=0.05, max_leaf_nodes=8, early_stopping=False, random_state=0
            )
        return SummedRidge()

    def save(self, folder: str | os.PathLike[str], replace: bool = False) -> None:
        """Write the fitted ridge into a folder; raise TypeError for other estimators, as reading them runs code."""
        regression = getattr(self, "regression_", None)
        if isinstance(regression, _StepRegressors):
            kind = type(regression.estimator).__name__
            raise TypeError(
                f"a {type(self).__name__} fitted by {kind} cannot be saved: scikit-learn's estimators are read back "
                "only by unpickling, which runs code. Fit it again; that takes seconds"
            )
        super().save(folder, replace)

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        y = transform(panel, self.log_)
        inputs = weighted_inputs(causal_inputs(y), panel, self.half_life, self.weight)
        self.encoder_ = fit_encoder(panel.static, self.static)
        self.scale_: FixedScale | None = choose_scale(self.scale, self.future, inputs, panel.series)
        data = self._rows(panel, self._scaled(inputs, panel))
        dataset = LaggedDataset(y, data, self._lagged(panel, data.inputs))
        if len(dataset) == 0:
            raise ValueError(f"{type(self).__name__} has nothing to learn: no series changes {MIN_CHANGES} times")
        if (step := dataset.step_without_target()) is not None:
            raise ValueError(missing_errors_message(step))
        self.record_ = {"log": self.log_.summary(), "examples": len(dataset)}
        estimator = self.default_estimator() if isinstance(self.estimator, str) else self.estimator
        self.regression_ = clone(estimator) if isinstance(estimator, SummedRidge) else _StepRegressors(estimator)
        self.spread_ = self._spread(self.regression_.fit(dataset))  # (H, Q), relative to the scale

    def _scaled(self, inputs: Inputs, panel: Panel) -> Inputs:
        """Return the inputs relative to the scale of the model."""
        return inputs if self.scale_ is None else self.scale_.apply(inputs, panel.series)

    def _rows(self, panel: Panel, inputs: Inputs) -> TrainingRows:
        """Return the rows with the last value as base, and what is known in advance of each step."""
        base = np.broadcast_to(inputs.y[:, :, None], (*inputs.y.shape, self.horizon_))
        known = None
        if self.future or self.season > 1:
            fields = panel.known(self.future).values if self.future else panel.values[:, :, :0]
            known = make_step_inputs(fields, inputs, base, self.season)
        return TrainingRows(inputs, base, known, self.stride, (len(panel) - 1) % self.stride)

    def _lagged(self, panel: Panel, inputs: Inputs) -> LaggedFeatures:
        """Return the features of the target and of each further field."""
        fields = [panel.values[:, :, panel.channels.index(name)] for name in dict.fromkeys([*self.exog, *self.future])]
        static = encode_static(self.encoder_, panel)
        return LaggedFeatures([inputs.x, *(causal_inputs(field).x for field in fields)], self.lookback, static)

    def _spread(self, errors: np.ndarray) -> np.ndarray:
        """Return the quantiles (H, Q) of out-of-sample errors (H, M), centred on their median."""
        if np.isnan(errors).all(axis=1).any():
            raise ValueError(
                f"{type(self).__name__} has too few rows to measure its errors on: use more history, or a shorter "
                "lookback or horizon"
            )
        quantiles = np.nanquantile(errors, (*self.levels, 0.5), axis=1).T
        return quantiles[:, :-1] - quantiles[:, -1:]

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        y, log = transform(panel, self.log_), self.log_.flags(panel)
        inputs = self._scaled(causal_inputs(y), panel)
        lagged, known, n_series = self._lagged(panel, inputs), self._rows(panel, inputs).known, len(panel.series)
        # Cutoff by cutoff: the last bits of a matrix product depend on how many rows it has.
        cells = rows[:, None] * n_series + np.arange(n_series)  # (K, N)
        outputs = [
            self.regression_.predict(lagged.at(at_row), step_features(known, at_row, n_series, self.horizon_))
            for at_row in cells
        ]
        output = np.stack(outputs)  # (K, N, H)
        scale = np.where(inputs.n_changes[rows] > 0, inputs.scale[rows], np.nan)[:, :, None]  # (K, N, 1)
        change = scale * output
        last = forward_fill(np.where(np.isnan(y), np.nan, panel.target))[rows][:, :, None]
        point = apply_change(last, change, log)
        quantiles = apply_change(last[..., None], change[..., None] + scale[..., None] * self.spread_, log)
        return Forecast(point, quantiles, tuple(self.levels), panel.series, panel.index[rows])


class _StepRegressors:
    """A scikit-learn regressor for each step, fitted to one matrix of all windows."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, dataset: LaggedDataset) -> np.ndarray:
        """Fit to all examples; return the errors (H, M) of fits to the examples before each block, NaN without one."""
        everything = slice(0, len(dataset))
        x, targets, weight = dataset.feature_matrix(), dataset.targets(everything), dataset.weights(everything)
        steps = dataset.step_features(everything)
        self.estimators = self._fit(x, steps, targets, weight)
        errors = np.full_like(targets, np.nan)
        for before, block in dataset.blocks():
            known = ~np.isnan(targets[:, before])
            if known.sum(axis=1).min() >= MIN_CHANGES and block.start < block.stop:
                earlier = self._fit(x[before], steps[:, :, before], targets[:, before], dataset.weights(before))
                errors[:, block] = targets[:, block] - _predict_steps(earlier, x[block], steps[:, :, block]).T
        return errors

    def predict(self, features: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return the forecasts (M, H) from features (F, M) and those of each step (H, C, M)."""
        return _predict_steps(self.estimators, np.ascontiguousarray(features.T), steps)

    def _fit(self, x: np.ndarray, steps: np.ndarray, targets: np.ndarray, weight: np.ndarray | None) -> list[Any]:
        """Return an estimator for each step, fitted to the examples (M, F) whose target (H, M) is known."""
        estimators = []
        for step, y, known in zip(steps, targets, ~np.isnan(targets), strict=True):
            weights = {} if weight is None else {"sample_weight": weight[known] / weight[known].mean()}
            estimators.append(clone(self.estimator).fit(_append(x, step)[known], y[known], **weights))
        return estimators


def _predict_steps(estimators: list[Any], x: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the forecasts of each step, (M, H), from features (M, F) and those of the step (H, C, M)."""
    return np.stack(
        [
            np.asarray(estimator.predict(_append(x, step)), dtype=np.float64)
            for estimator, step in zip(estimators, steps, strict=True)
        ],
        axis=1,
    )


def _append(x: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Return features (M, F) with those of a step (C, M)."""
    return np.concatenate([x, step.T], axis=1, dtype=np.float32, casting="same_kind") if len(step) else x
