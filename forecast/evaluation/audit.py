"""Test a model for look-ahead: change the rows after a cutoff and compare the forecasts before and after."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecast._estimator import clone
from forecast.backtesting.split import WalkForward
from forecast.data.panel import Panel, Prices
from forecast.evaluation.known_inputs import check_inputs, draw_inputs
from forecast.evaluation.outside import association, is_formula, share_exact
from forecast.evaluation.perturbation import (
    FURTHER,
    MAIN,
    OF_PREPARATION,
    Change,
    more_rows,
    no_later_rows,
    unrelated_rows,
)
from forecast.evaluation.preparation import Difference, Preparation
from forecast.evaluation.text import join_names
from forecast.evaluation.trial import Cutoff, Run, Trial, common_forecasts, first_difference
from forecast.models.base import Forecast, Forecaster
from forecast.models.wrapped import Model, as_forecaster

N_CUTOFFS = 3  # cutoffs after which the future is changed
TOLERANCE = 1e-6  # between one pass over many cutoffs and a loop
EQUIVARIANCE = 1e-3  # between forecasts of prices × 10 and 10 × forecasts
N_UNRELATED_ROWS = 120  # newest rows that are forecast from where the raw rows have no order of time
MAX_Z = 6.0  # of forecasts with outcomes that the prices do not contain; beyond it is no coincidence
MIN_OUTCOMES = 8  # that differ from the last value, for a test of exactness
MAX_EXACT = 0.9  # a share of outcomes, beyond which forecasts equal them too often
MAX_SHARE = 0.5  # of forecasts that equal outcomes which the prices do not contain

READS_LATER = (
    "The prepared prices up to it are the same: look for what the model reads after the cutoff, in fit or in predict"
)
TOO_EXACT = (
    "of the forecasts equal the outcomes to six digits, and the series follow no formula: look for what the model "
    "knows of them, such as a global, a file or a table that it searches"
)
NO_RESPONSE = (
    "no later forecast changed either, with any change of prices. Forecasts that vary from cutoff to cutoff but not "
    "with the prices come from elsewhere: look for a global, a file or a cache; else use more cutoffs, or other data"
)
KNOWS_OUTCOMES = (
    "is related to the real outcomes although the raw rows are early ones in random order: the {} reads outcomes from "
    "elsewhere, look for a global, a closure, a file or the cache"
)
#: What no audit finds, as it changes only the table that it is given.
CANNOT_SEE = (
    "what the model or the preparation reads elsewhere (a global, a file, the cache, a scaler fitted before), if its "
    "forecasts do not show it; what was chosen before the audit with all rows in view: the series of the raw table "
    "(survivorship), revised values, settings"
)

Check = tuple[str, bool | None, str]  # name, passed (None: for information), detail


@dataclass(frozen=True)
class AuditReport:
    """The checks of an audit: a table with `check`, `passed` (None: for information only) and `detail`.

    The row "cannot see" names the look-ahead that an audit has no means to find.
    """

    table: pd.DataFrame

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not any(passed is False for passed in self.table["passed"])

    def __str__(self) -> str:
        marks = {True: "passed", False: "FAILED", None: "info"}
        lines = [f"{marks[row.passed]:6}  {row.check}: {row.detail}" for row in self.table.itertuples()]
        return "\n".join(["The audit is passed." if self.passed else "The audit is FAILED.", *lines])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p><strong>{str(self).splitlines()[0]}</strong></p>{self.table.to_html(index=False)}"


def audit(
    model: Model | str,
    prices: pd.DataFrame,
    cv: WalkForward,
    prepare: Callable[[pd.DataFrame], Prices] | None = None,
) -> AuditReport:
    """Test whether a model's forecasts depend on the future, on your data and with your preprocessing.

    The raw prices after a cutoff are changed in several ways: multiplied by noise, emptied, made constant, reversed,
    scaled, removed, some series or the next row only. Then `prepare` runs again: the prepared rows up to the cutoff
    must be the same, and so must the set of series. Then the complete backtest runs again: forecasts up to that cutoff
    must be the same bytes, and later ones must change, otherwise the test shows nothing. This is repeated with two
    empty rows at the cutoff, which an interpolation would fill from both sides.

    Inputs that the model declares as known in advance (`future`) are left as they are in these changes: raw columns of
    their names. They have checks of their own: where they are changed, no forecast whose steps end before changes; and
    no input is the target of the same row, of a later one, or of one within the horizon.

    Further checks: two runs return the same bytes; where all raw rows are early ones in random order, forecasts are not
    related to the real outcomes, which only another source can contain; forecasts do not equal the outcomes; a pass
    over many cutoffs returns the same as one cutoff at a time; forecasting does not change the model; every step of a
    network's correction depends on the newest row; and, for information, the effect of prices × 10.

    Parameters
    ----------
    model : Forecaster, name, or any object with `fit(prices, horizon)` and `predict(prices)`
        Model to test, or a name of `model_names()`; it receives a `Panel`.
    prices : DataFrame
        Raw data, wide: dates × columns of numbers.
    cv : WalkForward
        The walk-forward run, with at least three cutoffs.
    prepare : callable, optional
        The preprocessing: a function of the raw frame that returns prices. It may drop, resample or rename rows.

    Raises
    ------
    TypeError
        If a column of `prices` is not numeric, or the model cannot be fitted or predict.
    ValueError
        If there are fewer than three cutoffs.

    Notes
    -----
    A prepared row is past at a cutoff if the raw rows that its label stands for are. A raw label or the end of a period
    stands for the raw rows up to it; the start of a period (2024-03-01 of `resample("MS")`, a Monday, the day of
    intraday bars) for those of the period, if they include its last row. Where labels are lost (`to_numpy`), a row
    stands for as many raw rows as it takes to make it.

    An audit changes only the table that it is given. It cannot see what a model or a preparation reads elsewhere (a
    global, a closure, a file, the cache, a scaler fitted before), unless forecasts of drawn prices show it. Nor can it
    see what was chosen before with all rows in view: the series of the raw table (survivorship), revised values,
    settings. The row "cannot see" of the report repeats this.

    Examples
    --------
    >>> prices = fc.load_sample("stocks").iloc[-200:]
    >>> fc.audit(fc.Drift(), prices, fc.WalkForward(horizon=2, n_windows=4)).passed
    True
    """
    frame = pd.DataFrame(prices).sort_index()
    if texts := [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]:
        raise TypeError(f"an audit needs a wide table of numbers; the column {texts[0]!r} is not numeric")
    forecaster = as_forecaster(model)
    reads = forecaster.required_fields(), forecaster.future_fields()
    preparation = Preparation(frame.astype(float), prepare or (lambda raw: raw), *reads)
    trial = Trial(forecaster, cv, preparation)
    if len(trial.cutoffs) < 3:
        raise ValueError(
            f"an audit needs at least 3 cutoffs, before and after a change; got n_windows={len(trial.cutoffs)}"
        )
    determinism = _check_determinism(trial)
    leakage = _check_leakage(trial, prepare is not None) if determinism[1] else []
    inputs = check_inputs(trial) if preparation.future else []
    checks = [*leakage, *inputs, determinism, _check_outside(trial), *_check_one_fit(trial)]
    if prepare is not None:
        checks.append(("rows of the preparation", None, preparation.describe()))
    checks.append(("cannot see", None, CANNOT_SEE))
    return AuditReport(pd.DataFrame(checks, columns=["check", "passed", "detail"]).astype({"passed": object}))


class _Comparison(NamedTuple):
    """What a change of the raw rows after a cutoff changes."""

    kind: str
    cutoff: str
    prepared: Difference | None = None  # of the prepared rows up to the cutoff
    forecast: str | None = None  # the first forecast up to the cutoff that differs
    late_changed: bool | None = None  # None: the forecasts are not repeated
    error: str | None = None  # why the change cannot be tried


def _check_leakage(trial: Trial, with_preparation: bool) -> list[Check]:
    """Change the rows after some cutoffs: what is prepared and forecast up to them must stay the same."""
    chosen = np.unique(np.linspace(0, len(trial.cutoffs) - 2, N_CUTOFFS).astype(int))
    cutoffs = [trial.cutoff(trial.cutoffs[i]) for i in chosen]
    middle = len(cutoffs) // 2
    found = {kind: [_compare(trial, cutoff, kind, change) for cutoff in cutoffs] for kind, change in MAIN.items()}
    for kind, change in FURTHER.items():
        found[kind] = [_compare(trial, cutoff, kind, change, i == middle) for i, cutoff in enumerate(cutoffs)]
    found["scaling behind a gap"] = [_compare_behind_a_gap(trial, cutoffs[middle])]
    found["no later rows"] = [_compare_shorter_run(trial, int(chosen[middle]))]
    if with_preparation:
        kinds = dict(OF_PREPARATION)
        if trial.preparation.can_be_extended:
            kinds["more rows"] = more_rows
        found["preparation"] = [
            _compare(trial, cutoff, kind, change, False) for kind, change in kinds.items() for cutoff in cutoffs
        ]
    checks = [(f"leakage: {kind}", *_judge(comparisons)) for kind, comparisons in found.items()]
    return [*checks, _check_response(trial, [c for comparisons in found.values() for c in comparisons])]


def _compare(trial: Trial, cutoff: Cutoff, kind: str, change: Change, with_model: bool = True) -> _Comparison:
    """Compare before and after a change of the raw rows after a cutoff, with or without the forecasts."""
    preparation, resized = trial.preparation, change in (no_later_rows, more_rows)
    frame = preparation.change(cutoff.raw_rows, change)
    try:
        after = preparation(frame)
    except Exception as error:
        return _Comparison(kind, cutoff.raw_label, error=_as_text(error))
    difference = preparation.difference(preparation.panel, after, cutoff.row, resized)
    if difference is None and not resized:
        difference = preparation.difference_of_inputs(after, cutoff.row, trial.cv.horizon)
    if difference is not None or not with_model:
        return _Comparison(kind, cutoff.raw_label, difference)
    return _compare_runs(
        trial.before, trial.run(preparation.aligned(after, preparation.panel, cutoff.row), trial.cv), kind, cutoff
    )


def _as_text(error: Exception) -> str:
    return f"the preparation raises {type(error).__name__}: {error}"


def _compare_behind_a_gap(trial: Trial, cutoff: Cutoff) -> _Comparison:
    """Compare before and after a change of the later raw rows where the last two rows up to the cutoff are empty."""
    preparation, kind = trial.preparation, "scaling behind a gap"
    gap = preparation.frame.copy()
    gap.iloc[cutoff.raw_rows - 2 : cutoff.raw_rows, np.flatnonzero(~preparation.is_input)] = np.nan
    try:
        before = preparation(gap)
        after = preparation(preparation.change(cutoff.raw_rows, MAIN["scaling"], gap))
        if not preparation.has_labels:  # the empty rows may be dropped
            cutoff = cutoff._replace(row=min(cutoff.row, len(preparation(gap.iloc[: cutoff.raw_rows])) - 1))
    except Exception as error:
        return _Comparison(kind, cutoff.raw_label, error=_as_text(error))
    if (difference := preparation.difference(before, after, cutoff.row)) is not None:
        return _Comparison(kind, cutoff.raw_label, difference)
    before = preparation.aligned(before)
    after = preparation.aligned(after, before, cutoff.row)
    return _compare_runs(trial.run(before, trial.cv), trial.run(after, trial.cv), kind, cutoff)


def _compare_shorter_run(trial: Trial, number: int) -> _Comparison:
    """Compare with a run that ends with the test rows of a cutoff, as no later raw rows exist."""
    preparation, kind = trial.preparation, "no later rows"
    cutoff = trial.cutoff(trial.cutoffs[number])
    end = trial.cutoff(cutoff.row + trial.cv.horizon)
    comparison = _compare(trial, end, kind, no_later_rows, False)
    if comparison.prepared is not None or comparison.error is not None:
        return comparison
    after = preparation(preparation.frame.iloc[: end.raw_rows])
    if not preparation.has_labels and len(after) != end.row + 1:  # rows of a fixed number, without labels
        return comparison
    panel = preparation.aligned(after, preparation.panel, end.row)[: end.row + 1]
    run = trial.run(panel, replace(trial.cv, n_windows=number + 1))
    return _compare_runs(trial.before, run, kind, cutoff, TOLERANCE)._replace(late_changed=None)


def _compare_runs(before: Run, after: Run, kind: str, cutoff: Cutoff, tolerance: float = 0.0) -> _Comparison:
    """Compare the forecasts of two runs up to a cutoff, and after it."""
    early, late = [], []
    for run in (before, after):
        is_early = run.rows <= cutoff.row
        early.append(run.forecasts[is_early])
        late.append(run.forecasts[~is_early])
    if after.has_failed and not before.has_failed:  # a fit that fails on later rows has no forecasts before them
        early = common_forecasts(*early)
    late = common_forecasts(*late)
    late_changed = first_difference(late[0], late[1]) is not None if len(late[0]) else None
    return _Comparison(kind, cutoff.label, None, first_difference(early[0], early[1], tolerance), late_changed)


def _judge(comparisons: list[_Comparison]) -> tuple[bool | None, str]:
    """Return whether a kind of change passes, with the reason."""
    for c in comparisons:
        if c.prepared is not None:
            change = f"with raw rows after {c.cutoff} changed ({c.kind})"
            return False, f"the preparation uses later rows: {change}, {c.prepared}"
        if c.forecast is not None:
            return False, f"forecasts up to {c.cutoff} changed when only later rows did: {c.forecast}. {READS_LATER}"
    errors = [c.error for c in comparisons if c.error is not None]
    not_tried = f"; not tried at {len(errors)} of {len(comparisons)} changes, where {errors[0]}" if errors else ""
    if len(errors) == len(comparisons):
        return None, f"not tried: {errors[0]}"
    if any(c.late_changed for c in comparisons):
        return True, f"forecasts up to the cutoff are the same bytes, later ones changed{not_tried}"
    if any(c.late_changed is False for c in comparisons):
        reason = "no later forecast changed either, as for a target without scale: the test shows nothing"
        return None, f"{reason}{not_tried}"
    return True, f"what is prepared and forecast up to the cutoff is the same{not_tried}"


def _check_response(trial: Trial, comparisons: list[_Comparison]) -> Check:
    """Check that some forecast depends on the prices, unless all are constant."""
    name = "response to prices"
    if any(c.late_changed for c in comparisons):
        return name, True, "later forecasts change with the prices"
    if any(c.prepared for c in comparisons):
        return name, None, "not tried, as the preparation uses later rows"
    points = trial.before.forecasts["y_hat"].groupby(["unique_id", "step", "member"], observed=True)
    if points.nunique().max() == 1:
        return name, True, "forecasts are the same at every cutoff, whatever the prices"
    return name, False, NO_RESPONSE


def _check_determinism(trial: Trial) -> Check:
    name, again = "determinism", trial.run(trial.preparation(trial.preparation.frame), trial.cv)
    if (changed := first_difference(trial.before.forecasts, again.forecasts)) is None:
        return name, True, "two runs return the same bytes"
    return name, False, f"two equal runs differ, first {changed}: set a seed. Until then look-ahead cannot be tested"


def _check_outside(trial: Trial) -> Check:
    """Check that forecasts from raw rows without an order of time are not related to the real outcomes."""
    name, real, first = "other sources", trial.preparation.panel, next(trial.cv.split(trial.preparation.panel))
    rows = np.arange(len(real) - trial.cv.horizon)[len(real) // 3 :][-N_UNRELATED_ROWS:]
    raw = unrelated_rows(trial.preparation.frame, trial.preparation.raw_rows(first.cutoff))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            panel = draw_inputs(trial.preparation.aligned(trial.preparation(raw)), first.cutoff)
            model = clone(trial.model).fit(panel[first.train], trial.cv.horizon)
            values = _values(model.predict_at(panel, rows))  # (K, N, H, 1 + Q)
    except Exception as error:
        return name, None, f"not tried: with early rows in random order, {type(error).__name__}: {error}"
    pairs = zip(panel.target.T, real.target.T, strict=True)
    fixed = [series for series, columns in zip(real.series, pairs, strict=True) if _is_fixed(*columns)]
    if len(fixed) == len(real.series):
        return name, False, "the prepared prices do not depend on the raw prices: the preparation reads other data"
    level, declared = real.target[rows], trial.preparation.future
    for c, channel in enumerate(real.channels):
        if (
            channel not in declared
            and abs(association(panel.values[rows, :, c], [level], real.target[rows + 1])) > MAX_Z
        ):
            return name, False, f"{channel} {KNOWS_OUTCOMES.format('preparation')}"
    is_test = rows >= first.cutoff
    for h, q in np.ndindex(values.shape[2:]):
        forecast, outcome = values[:, :, h, q], real.target[rows + h + 1]
        z = association(forecast, [panel.target[rows], level], outcome)
        if abs(z) > MAX_Z or share_exact(forecast[is_test], outcome[is_test]) > MAX_SHARE:
            return name, False, f"the forecast at step {h + 1} {KNOWS_OUTCOMES.format('model')}"
    if fixed:
        return name, None, f"cannot see where {join_names(fixed)} comes from: it does not depend on the raw prices"
    return name, True, "forecasts from early rows in random order are not related to the real outcomes"


def _is_fixed(values: np.ndarray, real: np.ndarray) -> bool:
    """Return whether a series of the prepared prices is the same whatever the raw prices, and not constant."""
    return bool(np.array_equal(values, real, equal_nan=True) and np.nanmin(real) < np.nanmax(real))


def _check_one_fit(trial: Trial) -> list[Check]:
    """Check a fit at the first cutoff: many cutoffs against one at a time, state, scale, exactness and freshness."""
    panel, horizon = trial.preparation.panel, trial.cv.horizon
    train, rows = next(trial.cv.split(panel)).train, np.array(trial.cutoffs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = clone(trial.model).fit(panel[train], horizon)
        before = _state(model)
        at_once = _values(model.predict_at(panel, rows))
        unchanged = None if before is None else _state(model) == before
        one_by_one = np.concatenate([_values(model.predict(panel[: row + 1])) for row in rows])
        values = panel.values.copy()
        values[:, :, 0] *= 10
        tenfold = replace(panel, cells=values)
        scaled = _values(clone(trial.model).fit(tenfold[train], horizon).predict_at(tenfold, rows))
    difference, scale_error = _max_difference(at_once, one_by_one), _max_difference(scaled, 10 * at_once)
    depends = "" if scale_error < EQUIVARIANCE else ": forecasts depend on the scale of the prices"
    states = {True: "the model is unchanged", False: "the model is different afterwards", None: "not tried: no pickle"}
    return [
        ("exactness", *_check_exactness(panel, rows, at_once[..., 0])),
        ("many cutoffs at once", difference <= TOLERANCE, f"differs from one at a time by at most {difference:.0e}"),
        ("unchanged by forecasting", unchanged, states[unchanged]),
        ("prices × 10", None, f"forecasts × 10 up to {scale_error:.0e}{depends}"),
        ("freshness", *_check_freshness(model, panel[train])),
    ]


def _state(model: Forecaster) -> bytes | None:
    """Return a fitted model as bytes, also one whose class is defined in a function; None if it cannot be pickled."""
    from joblib.externals.loky.backend.reduction import dumps

    try:
        return bytes(dumps(model))
    except (pickle.PicklingError, AttributeError, TypeError):
        return None


def _check_exactness(panel: Panel, rows: np.ndarray, point: np.ndarray) -> tuple[bool | None, str]:
    """Check that the points (K, N, H) from some rows do not equal the outcomes, where these differ from the rows."""
    steps = np.arange(1, point.shape[2] + 1)
    outcomes = np.moveaxis(panel.target[rows[:, None] + steps], 1, 2)  # (K, N, H)
    change = np.abs(outcomes - panel.target[rows][:, :, None])
    changed = change > 0  # False where missing
    exact = np.abs(point - outcomes)[changed] <= TOLERANCE * change[changed]
    if len(exact) < MIN_OUTCOMES or exact.mean() <= MAX_EXACT:
        return True, "forecasts differ from the outcomes"
    if is_formula(panel.target):
        return None, "forecasts equal the outcomes: these series repeat exactly, or move in a line"
    return False, f"{exact.mean():.0%} {TOO_EXACT}"


def _values(forecast: Forecast) -> np.ndarray:
    """Return point and quantiles, (K, N, H, 1 + Q)."""
    point = forecast.point[..., None]
    return point if forecast.quantiles is None else np.concatenate([point, forecast.quantiles], axis=-1)


def _max_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest relative difference."""
    finite = np.isfinite(a) | np.isfinite(b)
    return float(np.max(np.abs(a - b)[finite] / np.maximum(np.abs(b)[finite], 1e-12), initial=0.0))


def _check_freshness(model: Forecaster, panel: Panel) -> tuple[bool | None, str]:
    """Check whether every step of a network's own correction depends on the newest row."""
    if not hasattr(model, "probe"):
        return None, "not a network: there is no correction to check"
    if str(model.get_params(deep=False).get("topology", "")).startswith("one-to-"):
        return None, "the newest row is the only input"
    from forecast.models.recurrent.diagnostics import fresh_steps

    nets, batch = model.probe(panel)
    stale = np.flatnonzero(~np.all([fresh_steps(net, batch) for net in nets], axis=0)) + 1
    if len(stale):
        return False, f"the correction of steps {', '.join(map(str, stale))} does not depend on the newest row"
    return True, "the correction of every step depends on the newest row"
