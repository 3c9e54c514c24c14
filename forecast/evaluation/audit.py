"""Proof by trial that a forecast knows nothing of the future: change what comes later, and look whether it moves."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast._estimator import clone
from forecast.backtesting import backtest
from forecast.backtesting.split import WalkForward
from forecast.data.panel import Panel, as_panel, format_date
from forecast.models.base import Forecast, Forecaster
from forecast.models.wrapped import as_forecaster

NAME = "audited"
KEYS = ["unique_id", "cutoff", "step", "member"]
POINTS = 3  # cutoffs after which the future is changed
TOLERANCE = 1e-6  # between one pass over many cutoffs and a loop
EQUIVARIANCE = 1e-3  # between forecasts of prices × 10 and 10 × forecasts


@dataclass(frozen=True)
class AuditReport:
    """What each check found: a row for each with `check`, `passed` (None: told, not judged) and `detail`."""

    table: pd.DataFrame

    @property
    def passed(self) -> bool:
        """Did every check pass that is judged?"""
        return not any(passed is False for passed in self.table["passed"])

    def __str__(self) -> str:
        marks = {True: "passed", False: "FAILED", None: "told"}
        lines = [f"{marks[row.passed]:6}  {row.check}: {row.detail}" for row in self.table.itertuples()]
        return "\n".join(["The audit is passed." if self.passed else "The audit is FAILED.", *lines])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p><strong>{str(self).splitlines()[0]}</strong></p>{self.table.to_html(index=False)}"


def audit(
    model: Any, prices: Any, cv: WalkForward, prepare: Callable[[pd.DataFrame], Any] | None = None
) -> AuditReport:
    """Try whether anything of the future reaches a model's forecasts, on your data and through your preprocessing.

    The raw `prices` (a wide DataFrame) are changed behind a cutoff: by noise, emptied, made constant, reversed,
    multiplied. Then `prepare` (any function of the raw frame) and the whole backtest run again. Forecasts up to that
    cutoff have to be the same bytes; those after it have to change, or the trial shows nothing. Once more with two
    empty rows at the cutoff, which an interpolation would fill from both sides. Besides: that two runs give the same
    bytes, that many cutoffs at once give what each gives alone, that forecasting leaves the model as it was, that
    every step of a network's correction reacts to the newest row, and (told, not judged) what prices × 10 do. `model`
    is anything with `fit(prices, horizon)` and `predict(prices)`, which gets a `Panel`.

    >>> prices = fc.load_sample("stocks").iloc[-200:]
    >>> fc.audit(fc.Drift(), prices, fc.WalkForward(horizon=2, n_windows=4)).passed
    True
    """
    frame = pd.DataFrame(prices).sort_index()
    words = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    if words:
        raise TypeError(f"an audit changes rows of numbers: give a wide table; the column {words[0]!r} holds none")
    frame = frame.astype(float)
    trial = _Trial(as_forecaster(model), frame, cv, prepare or (lambda raw: raw))
    rows = [*_leakage(trial), _determinism(trial), *_of_one_fit(trial)]
    return AuditReport(pd.DataFrame(rows, columns=["check", "passed", "detail"]).astype({"passed": object}))


@dataclass(frozen=True)
class _Trial:
    """What is run again and again."""

    model: Forecaster
    frame: pd.DataFrame
    cv: WalkForward
    prepare: Callable[[pd.DataFrame], Any]

    def panel(self, frame: pd.DataFrame) -> Panel:
        """Prepare a raw frame as the user does."""
        return as_panel(self.prepare(frame.copy()), exog=self.model.required_fields())

    def said(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Walk forward with half the cutoffs to a fit: the forecasts by series, cutoff, step and member."""
        refit = max(self.cv.n_windows // 2, 2)  # the change falls between cutoffs that share a fit
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = backtest({NAME: self.model}, self.panel(frame), self.cv, refit=refit, on_error="record")
        table = result.forecasts[result.forecasts["model"] == NAME].set_index(KEYS).sort_index()
        return table[[c for c in table if c == "y_hat" or c.startswith("q0.")]]


def _changes(later: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give the ways in which later rows are changed; a row keeps its order (a High stays above its Low) and signs."""
    noise = np.exp(np.random.default_rng(0).normal(0, 0.3, size=(len(later), 1)))
    yield "noise", later * noise
    yield "nothing left", later * np.nan
    yield "a constant", later * 0 + 2 * later.bfill().iloc[0]
    yield "reversal", later[::-1].set_axis(later.index)
    yield "scaling", later * 1000


def _leakage(trial: _Trial) -> list[tuple[str, bool | None, str]]:
    """Change what comes after some cutoffs; forecasts up to them may not move, later ones must."""
    index = trial.panel(trial.frame).index
    cutoffs = trial.cv.cutoffs(index)
    if len(cutoffs) < 3:
        raise ValueError(f"an audit needs at least 3 cutoffs, before and after a change; got n_windows={len(cutoffs)}")
    chosen = [cutoffs[i] for i in np.unique(np.linspace(0, len(cutoffs) - 2, POINTS).astype(int))]
    found: dict[str, list[tuple[bool, bool, str]]] = {}  # of each change: still the same before? moved after? when
    for when in index[chosen]:
        known = trial.frame.index <= when
        before = trial.said(trial.frame)
        for kind, later in _changes(trial.frame[~known]):
            after = trial.said(pd.concat([trial.frame[known], later]))
            found.setdefault(kind, []).append((*_compared(before, after, when), format_date(when)))
    when = index[chosen[len(chosen) // 2]]
    known = trial.frame.index <= when
    gap = trial.frame.copy()
    gap.loc[gap.index[known][-2:]] = np.nan
    for kind, later in list(_changes(gap[~known]))[-1:]:
        compared = _compared(trial.said(gap), trial.said(pd.concat([gap[known], later])), when)
        found[f"{kind} behind a gap"] = [(*compared, format_date(when))]
    shown = any(moved for each in found.values() for _, moved, _ in each)
    return [(f"leakage: {kind}", *_judged(each, shown)) for kind, each in found.items()]


def _compared(before: pd.DataFrame, after: pd.DataFrame, when: Any) -> tuple[bool, bool]:
    early, late = (table.index.get_level_values("cutoff") <= when for table in (before, after))
    return _same(before[early], after[late]), not _same(before[~early], after[~late])


def _same(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    return a.index.equals(b.index) and a.to_numpy().tobytes() == b.to_numpy().tobytes()


def _judged(each: list[tuple[bool, bool, str]], shown: bool) -> tuple[bool | None, str]:
    leaked = [when for same, _, when in each if not same]
    if leaked:
        return False, f"forecasts up to {leaked[0]} changed when only later rows did"
    if shown and not any(moved for _, moved, _ in each):
        return None, "no later forecast changed either, as with a target that has no scale: it shows nothing"
    if not shown:
        return False, "no later forecast changed either, so that nothing is shown: give more cutoffs, or other data"
    return True, "forecasts up to the cutoff are the same bytes, later ones changed"


def _determinism(trial: _Trial) -> tuple[str, bool, str]:
    same = _same(trial.said(trial.frame), trial.said(trial.frame))
    return "determinism", same, "the same bytes twice" if same else "two runs of one thing differ: set a seed"


def _of_one_fit(trial: _Trial) -> list[tuple[str, bool | None, str]]:
    """Check one fit at the first cutoff: against a loop, for its state, its scale, its freshness."""
    panel = trial.panel(trial.frame)
    folds = list(trial.cv.split(panel))
    train, rows = folds[0].train, [fold.cutoff for fold in folds]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = clone(trial.model).fit(panel[train], trial.cv.horizon)
        before = pickle.dumps(model)
        at_once = _numbers(model.predict_at(panel, rows))
        unchanged = pickle.dumps(model) == before
        loop = np.concatenate([_numbers(model.predict(panel[: row + 1])) for row in rows])
        tenfold = panel.values.copy()
        tenfold[:, :, 0] *= 10
        tens = Panel(tenfold, panel.index, panel.series, panel.channels)
        scaled = _numbers(clone(trial.model).fit(tens[train], trial.cv.horizon).predict_at(tens, rows))
    apart, unit = _apart(at_once, loop), _apart(scaled, 10 * at_once)
    return [
        ("many cutoffs at once", apart <= TOLERANCE, f"apart from each alone by {apart:.0e} at most"),
        ("unchanged by forecasting", unchanged, "as it was" if unchanged else "the model is another one afterwards"),
        ("prices × 10", None, f"forecasts × 10 to {unit:.0e}" + ("" if unit < EQUIVARIANCE else ": the unit matters")),
        ("freshness", *_freshness(model, panel[train])),
    ]


def _numbers(forecast: Forecast) -> np.ndarray:
    """Give all that a forecast says, the point and the quantiles, (K, N, H, 1 + Q)."""
    point = forecast.point[..., None]
    return point if forecast.quantiles is None else np.concatenate([point, forecast.quantiles], axis=-1)


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    known = np.isfinite(a) | np.isfinite(b)
    return float(np.max(np.abs(a - b)[known] / np.maximum(np.abs(b)[known], 1e-12), initial=0.0))


def _freshness(model: Forecaster, panel: Panel) -> tuple[bool | None, str]:
    """Does every step of a network's own correction react to the newest row?"""
    if not hasattr(model, "probe"):
        return None, "not a network: there is no correction to look at"
    if str(model.get_params(deep=False).get("topology", "")).startswith("one-to-"):
        return None, "reads the newest row and no other"
    from forecast.models.recurrent.diagnostics import fresh_steps

    nets, batch = model.probe(panel)
    stale = np.flatnonzero(~np.all([fresh_steps(net, batch) for net in nets], axis=0)) + 1
    if len(stale):
        return False, f"the correction of steps {', '.join(map(str, stale))} does not react to the newest row"
    return True, "the correction of every step reacts to the newest row"
