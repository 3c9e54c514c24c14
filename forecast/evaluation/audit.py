"""Test a model for look-ahead: change the rows after a cutoff and compare the forecasts before and after."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from forecast._estimator import clone
from forecast.backtesting import backtest
from forecast.backtesting.split import WalkForward
from forecast.data.panel import Panel, as_panel, format_date
from forecast.models.base import Forecast, Forecaster, quantile_columns
from forecast.models.wrapped import as_forecaster

NAME = "audited"
KEYS = ["unique_id", "cutoff", "step", "member"]
N_CUTOFFS = 3  # cutoffs after which the future is changed
TOLERANCE = 1e-6  # between one pass over many cutoffs and a loop
EQUIVARIANCE = 1e-3  # between forecasts of prices × 10 and 10 × forecasts

Check = tuple[str, bool | None, str]  # name, passed (None: for information), detail


@dataclass(frozen=True)
class AuditReport:
    """The checks of an audit: a table with `check`, `passed` (None: for information only) and `detail`."""

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
    model: Any, prices: Any, cv: WalkForward, prepare: Callable[[pd.DataFrame], Any] | None = None
) -> AuditReport:
    """Test whether a model's forecasts depend on the future, on your data and with your preprocessing.

    The raw prices after a cutoff are changed in several ways: multiplied by noise, emptied, made constant, reversed,
    scaled. Then `prepare` and the complete backtest run again. Forecasts up to that cutoff must be the same bytes, and
    later ones must change, otherwise the test shows nothing. This is repeated with two empty rows at the cutoff, which
    an interpolation would fill from both sides.

    Further checks: two runs return the same bytes; a pass over many cutoffs returns the same as one cutoff at a time;
    forecasting does not change the model; every step of a network's correction depends on the newest row; and, for
    information, the effect of prices × 10.

    Parameters
    ----------
    model : Forecaster, or any object with `fit(prices, horizon)` and `predict(prices)`
        Model to test; it receives a `Panel`.
    prices : DataFrame
        Raw data, wide: dates × columns of numbers.
    cv : WalkForward
        The walk-forward run, with at least three cutoffs.
    prepare : callable, optional
        The preprocessing: a function of the raw frame that returns prices.

    Raises
    ------
    TypeError
        If a column of `prices` is not numeric, or the model cannot be fitted or predict.
    ValueError
        If there are fewer than three cutoffs.

    Examples
    --------
    >>> prices = fc.load_sample("stocks").iloc[-200:]
    >>> fc.audit(fc.Drift(), prices, fc.WalkForward(horizon=2, n_windows=4)).passed
    True
    """
    frame = pd.DataFrame(prices).sort_index()
    if texts := [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]:
        raise TypeError(f"an audit needs a wide table of numbers; the column {texts[0]!r} is not numeric")
    frame = frame.astype(float)
    trial = _Trial(as_forecaster(model), frame, cv, prepare or (lambda raw: raw))
    checks = [*_check_leakage(trial), _check_determinism(trial), *_check_one_fit(trial)]
    return AuditReport(pd.DataFrame(checks, columns=["check", "passed", "detail"]).astype({"passed": object}))


@dataclass(frozen=True)
class _Trial:
    """The preprocessing and backtest that are repeated on changed prices."""

    model: Forecaster
    frame: pd.DataFrame
    cv: WalkForward
    prepare: Callable[[pd.DataFrame], Any]

    def panel(self, frame: pd.DataFrame) -> Panel:
        """Return the panel of a raw frame after preprocessing."""
        return as_panel(self.prepare(frame.copy()), exog=self.model.required_fields())

    def forecasts(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the forecasts of a backtest with two fits, by series, cutoff, step and member."""
        refit = max(self.cv.n_windows // 2, 2)  # so that the change falls between cutoffs that share a fit
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = backtest({NAME: self.model}, self.panel(frame), self.cv, refit=refit, season=1, on_error="record")
        table = result.forecasts[result.forecasts["model"] == NAME].set_index(KEYS).sort_index()
        return table[["y_hat", *quantile_columns(table.columns).values()]]


class _Comparison(NamedTuple):
    """Forecasts before and after a change of the rows after a cutoff."""

    early_equal: bool  # whether those up to the cutoff are the same bytes
    late_changed: bool
    cutoff: str


def _changes(later: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield changed versions of later rows; a row keeps its order (High above Low) and signs."""
    noise = np.exp(np.random.default_rng(0).normal(0, 0.3, size=(len(later), 1)))
    yield "noise", later * noise
    yield "nothing left", later * np.nan
    yield "a constant", later * 0 + 2 * later.bfill().iloc[0]
    yield "reversal", later[::-1].set_axis(later.index)
    yield "scaling", later * 1000


def _check_leakage(trial: _Trial) -> list[Check]:
    """Change the rows after some cutoffs: forecasts up to them must stay the same, later ones must change."""
    index = trial.panel(trial.frame).index
    cutoffs = trial.cv.cutoffs(index)
    if len(cutoffs) < 3:
        raise ValueError(f"an audit needs at least 3 cutoffs, before and after a change; got n_windows={len(cutoffs)}")
    chosen = [cutoffs[i] for i in np.unique(np.linspace(0, len(cutoffs) - 2, N_CUTOFFS).astype(int))]
    found: dict[str, list[_Comparison]] = {}
    for cutoff in index[chosen]:
        past = trial.frame.index <= cutoff
        before = trial.forecasts(trial.frame)
        for kind, later in _changes(trial.frame[~past]):
            after = trial.forecasts(pd.concat([trial.frame[past], later]))
            found.setdefault(kind, []).append(_compare(before, after, cutoff))
    cutoff = index[chosen[len(chosen) // 2]]
    past = trial.frame.index <= cutoff
    gap = trial.frame.copy()
    gap.loc[gap.index[past][-2:]] = np.nan
    kind, later = list(_changes(gap[~past]))[-1]
    after = trial.forecasts(pd.concat([gap[past], later]))
    found[f"{kind} behind a gap"] = [_compare(trial.forecasts(gap), after, cutoff)]
    any_changed = any(c.late_changed for comparisons in found.values() for c in comparisons)
    return [(f"leakage: {kind}", *_judge(comparisons, any_changed)) for kind, comparisons in found.items()]


def _compare(before: pd.DataFrame, after: pd.DataFrame, cutoff: Any) -> _Comparison:
    early, late = (table.index.get_level_values("cutoff") <= cutoff for table in (before, after))
    late_changed = not _is_same(before[~early], after[~late])
    return _Comparison(_is_same(before[early], after[late]), late_changed, format_date(cutoff))


def _is_same(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    return a.index.equals(b.index) and a.to_numpy().tobytes() == b.to_numpy().tobytes()


def _judge(comparisons: list[_Comparison], any_changed: bool) -> tuple[bool | None, str]:
    """Return whether a kind of change passes, with the reason; `any_changed` is about all kinds."""
    if leaked := [c.cutoff for c in comparisons if not c.early_equal]:
        return False, f"forecasts up to {leaked[0]} changed when only later rows did"
    if not any_changed:
        return False, "no later forecast changed either, so the test shows nothing: use more cutoffs, or other data"
    if not any(c.late_changed for c in comparisons):
        return None, "no later forecast changed either, as for a target without scale: the test shows nothing"
    return True, "forecasts up to the cutoff are the same bytes, later ones changed"


def _check_determinism(trial: _Trial) -> Check:
    same = _is_same(trial.forecasts(trial.frame), trial.forecasts(trial.frame))
    return "determinism", same, "two runs return the same bytes" if same else "two equal runs differ: set a seed"


def _check_one_fit(trial: _Trial) -> list[Check]:
    """Check a fit at the first cutoff: many cutoffs against one at a time, its state, scale and freshness."""
    panel = trial.panel(trial.frame)
    folds = list(trial.cv.split(panel))
    train, rows = folds[0].train, [fold.cutoff for fold in folds]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = clone(trial.model).fit(panel[train], trial.cv.horizon)
        before = pickle.dumps(model)
        at_once = _values(model.predict_at(panel, rows))
        unchanged = pickle.dumps(model) == before
        one_by_one = np.concatenate([_values(model.predict(panel[: row + 1])) for row in rows])
        values = panel.values.copy()
        values[:, :, 0] *= 10
        tenfold = Panel(values, panel.index, panel.series, panel.channels)
        scaled = _values(clone(trial.model).fit(tenfold[train], trial.cv.horizon).predict_at(tenfold, rows))
    difference, scale_error = _max_difference(at_once, one_by_one), _max_difference(scaled, 10 * at_once)
    depends = "" if scale_error < EQUIVARIANCE else ": forecasts depend on the scale of the prices"
    state = "the model is unchanged" if unchanged else "the model is different afterwards"
    return [
        ("many cutoffs at once", difference <= TOLERANCE, f"differs from one at a time by at most {difference:.0e}"),
        ("unchanged by forecasting", unchanged, state),
        ("prices × 10", None, f"forecasts × 10 up to {scale_error:.0e}{depends}"),
        ("freshness", *_check_freshness(model, panel[train])),
    ]


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
