"""Walk forward: fit every model alike, forecast from every cutoff, and store what was said and what happened."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from forecast.backtest.result import SKIPPED, BacktestResult
from forecast.backtest.spec import describe, make_spec
from forecast.models import Naive
from forecast.models.base import Forecast, Forecaster, ShortSeriesWarning, quantile_column
from forecast.panel import Panel, as_panel, label
from forecast.params import check_choice, check_whole
from forecast.scores import NAIVE
from forecast.splits import Fold, WalkForward


@dataclass(frozen=True)
class Stretch:
    """The folds from one refit to the next: fitted at the first, forecast from each."""

    folds: tuple[Fold, ...]

    @property
    def cutoffs(self) -> np.ndarray:
        """The rows of the cutoffs, (K,)."""
        return np.array([fold.cutoff for fold in self.folds])


@dataclass(frozen=True)
class Task:
    """One unit of work, a pure function of these four: fit a model for a stretch and forecast from its cutoffs."""

    name: str
    model: Any
    stretch: Stretch
    needed: int  # observed training rows that a series must have, the same for all models


def backtest(
    models: Mapping[str, Any] | Forecaster,
    prices: Any,
    cv: WalkForward,
    *,
    refit: int = 1,
    season: int = 1,
    n_jobs: int = 1,
    on_error: str = "raise",
    progress: Callable[[int, int], None] | None = None,
) -> BacktestResult:
    """Let models forecast from every cutoff of a walk through time, each knowing only what was known then.

    `models` maps names to forecasters (they are cloned, never changed); naive joins if it is not among them. Every
    `refit`-th fold each model is fitted anew on the fold's training rows; in between it sees the newest history with
    its parameters frozen. `season` is the lag of MASE's scale. `n_jobs` processes share the work; the forecasts are
    the same to the byte whatever their number. `on_error="record"` keeps a failed fit as a row of `fits` with its
    reason instead of raising it. `progress` is called with the tasks done and their number.
    """
    check_whole("refit", refit, 1)
    check_whole("season", season, 1)
    check_choice("on_error", on_error, ("raise", "record"))
    named = _named(models)
    for model in named.values():
        if isinstance(model, Forecaster):
            model.check_params()
    read = (name for model in named.values() if isinstance(model, Forecaster) for name in model.reads())
    panel = as_panel(prices, exog=tuple(dict.fromkeys(read)))
    folds = list(cv.split(panel))
    stretches = [Stretch(tuple(folds[i : i + refit])) for i in range(0, len(folds), refit)]
    needed = max([m.min_rows(cv.horizon) for m in named.values() if isinstance(m, Forecaster)], default=cv.horizon + 2)
    skipped = _skipped(panel, stretches, needed)
    tasks = [Task(name, model, stretch, needed) for name, model in named.items() for stretch in stretches]
    jobs = (delayed(run_task)(task, panel, cv.horizon, season, on_error) for task in tasks)
    tables, fits = [], []
    with warnings.catch_warnings():
        # loky replaces a worker that has grown, as one does that imports torch; no task is lost
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
        for done, (table, fit) in enumerate(Parallel(n_jobs=n_jobs, return_as="generator")(jobs), start=1):
            tables.append(table)
            fits.append(fit)
            if progress is not None:
                progress(done, len(tasks))
    return BacktestResult(
        forecasts=_join(tables, list(named), panel),
        fits=pd.DataFrame(fits),
        spec=make_spec(named, prices, panel, cv, refit, season),
        skipped=skipped,
    )


def run_task(
    task: Task, panel: Panel, horizon: int, season: int, on_error: str
) -> tuple[pd.DataFrame | None, dict[str, Any]]:
    """Fit one model for one stretch of folds and forecast from each cutoff: its rows, and the record of the fit."""
    first, last = task.stretch.folds[0], task.stretch.folds[-1]
    train = panel[first.train]
    fit = {
        "model": task.name,
        "cutoff": panel.index[first.cutoff],
        "train_start": train.index[0],
        "train_end": train.index[-1],
        "rows": len(train),
        "series": int((train.observed.sum(axis=0) >= task.needed).sum()),
        "cutoffs": len(task.stretch.folds),
        "seconds_fit": 0.0,
        "seconds_predict": 0.0,
        "warnings": 0,
        "error": "",
        "details": "{}",
    }
    model = clone(task.model, safe=False)
    table = None
    # One thread per task, also when serial: small models are fastest so, and the bytes do not depend on n_jobs.
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            start = time.perf_counter()
            model.fit(train, horizon)
            fit["seconds_fit"] = time.perf_counter() - start
            start = time.perf_counter()
            forecast = model.predict_at(panel[last.history], task.stretch.cutoffs)
            fit["seconds_predict"] = time.perf_counter() - start
            table = _rows(task, panel, forecast, horizon, season, [str(w.message) for w in caught])
        except Exception as error:
            if on_error == "raise":
                raise
            fit["error"] = f"{type(error).__name__}: {error}"
    told = [str(w.message) for w in caught if not issubclass(w.category, ShortSeriesWarning)]  # `skipped` tells those
    messages = sorted(set(told))
    fit["warnings"] = len(told)
    record = dict(getattr(model, "record_", {})) | ({"warnings": messages[:5]} if messages else {})
    fit["details"] = json.dumps(record, default=describe)
    return table, fit


def _eligible(panel: Panel, stretch: Stretch, needed: int) -> tuple[np.ndarray, np.ndarray]:
    """Say which series take part: observed at the cutoff (K, N), and long enough in training (N,)."""
    trained = panel[stretch.folds[0].train].observed.sum(axis=0) >= needed
    return panel.observed[stretch.cutoffs], trained


def _rows(
    task: Task, panel: Panel, forecast: Forecast, horizon: int, season: int, told: Sequence[str] = ()
) -> pd.DataFrame:
    """Lay the forecasts of a stretch beside what happened: one row for each member, cutoff, series and step.

    Raises ValueError for a series that takes part and has no forecast, with what the model `told` of it.
    """
    cutoffs = task.stretch.cutoffs
    traded, trained = _eligible(panel, task.stretch, task.needed)
    k, n, h = len(cutoffs), len(panel.series), horizon
    _check_shapes(task.name, forecast, (k, n, h))
    keep = np.broadcast_to((traded & trained)[:, :, None], (k, n, h))
    unknown = keep & ~np.isfinite(forecast.point)
    if forecast.quantiles is not None:
        unknown |= keep & ~np.isfinite(forecast.quantiles).all(axis=-1)
    if unknown.any():
        at, series, _ = np.argwhere(unknown)[0]
        cutoff = label(panel.index[cutoffs[at]])
        name = panel.series[series]
        why = "".join(f": {said}" for said in told if name in said)
        raise ValueError(f"{task.name} has no finite forecast for {name} at the cutoff {cutoff}{why}")
    steps = np.broadcast_to(np.arange(1, h + 1), (k, n, h))
    at = np.broadcast_to(cutoffs[:, None, None], (k, n, h))
    ids = np.broadcast_to(np.arange(n)[None, :, None], (k, n, h))
    scale = np.stack([_scale(panel[fold.train].target, season) for fold in task.stretch.folds])  # (K, N)
    shared = {
        "unique_id": pd.Categorical.from_codes(ids[keep], list(panel.series)),
        "cutoff": panel.index[at[keep]],
        "step": steps[keep].astype(np.int32),
        "ds": panel.index[(at + steps)[keep]],
        "y0": panel.target[at[keep], ids[keep]],
        "y": panel.target[(at + steps)[keep], ids[keep]],
        "scale": np.broadcast_to(scale[:, :, None], (k, n, h))[keep],
        "age": (at - (task.stretch.folds[0].train.stop - 1))[keep].astype(np.int32),
    }
    quantiles = {}
    if forecast.quantiles is not None:
        quantiles = {quantile_column(q): forecast.quantiles[..., i][keep] for i, q in enumerate(forecast.levels)}
    tables = [pd.DataFrame(shared | {"member": np.int32(0), "y_hat": forecast.point[keep]} | quantiles)]
    for s, points in enumerate(forecast.members if forecast.members is not None else [], start=1):
        tables.append(pd.DataFrame(shared | {"member": np.int32(s), "y_hat": points[keep]}))
    return pd.concat(tables, ignore_index=True).assign(model=task.name)


def _check_shapes(name: str, forecast: Forecast, asked: tuple[int, int, int]) -> None:
    arrays: list[tuple[str, np.ndarray, tuple[int, ...]]] = [("point", forecast.point, asked)]
    if forecast.quantiles is not None:
        arrays.append(("quantiles", forecast.quantiles, (*asked, len(forecast.levels))))
    if forecast.members is not None:
        arrays.append(("members", forecast.members, (len(forecast.members), *asked)))
    for what, array, shape in arrays:
        if np.shape(array) != shape:
            raise ValueError(
                f"{name} gave {what} of shape {np.shape(array)}; asked for were {shape} (cutoffs, series, steps)"
            )


def _scale(train: np.ndarray, season: int) -> np.ndarray:
    """MASE's scale of each series, (N,): mean |y[t] − y[t − season]| in training; NaN where it never changed."""
    change = np.abs(train[season:] - train[:-season])
    seen = ~np.isnan(change)
    mean = np.where(seen, change, 0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return np.where(mean > 0, mean, np.nan)


def _named(models: Mapping[str, Any] | Forecaster) -> dict[str, Any]:
    if isinstance(models, Forecaster):
        models = {type(models).__name__.lower(): models}
    if not isinstance(models, Mapping) or not models:
        raise TypeError(f"models must map names to forecasters, such as {{'naive': Naive()}}; got {models!r}")
    for name, model in models.items():
        if not isinstance(name, str):
            raise TypeError(f"the names of models must be text; got {name!r}")
        if not (hasattr(model, "fit") and hasattr(model, "predict_at")):
            raise TypeError(f"{name} must be a Forecaster (with fit and predict_at); got {model!r}")
    if NAIVE in models and not isinstance(models[NAIVE], Naive):
        raise ValueError(f"the name {NAIVE!r} is kept for doing nothing; call {models[NAIVE]!r} something else")
    return dict(models) if NAIVE in models else {NAIVE: Naive()} | dict(models)


def _skipped(panel: Panel, stretches: list[Stretch], needed: int) -> pd.DataFrame:
    """List the series that take no part in some fold, with the reason; raises if nothing is left to forecast."""
    rows = []
    left = False
    for stretch in stretches:
        traded, trained = _eligible(panel, stretch, needed)
        left |= bool((traded & trained).any())
        for k, cutoff in enumerate(stretch.cutoffs):
            for n, name in enumerate(panel.series):
                if not trained[n]:
                    rows.append((name, f"fewer than {needed} observed training rows", label(panel.index[cutoff])))
                elif not traded[k, n]:
                    rows.append((name, "not observed at the cutoff", label(panel.index[cutoff])))
    if not left:
        longest = int(panel[stretches[-1].folds[0].train].observed.sum(axis=0).max())
        raise ValueError(
            f"no series has the {needed} observed training rows that these models need (the longest has {longest}): "
            "bring more history, or ask for fewer windows, a shorter horizon or a shorter lookback"
        )
    each = pd.DataFrame(rows, columns=["unique_id", "reason", "cutoff"]).groupby(["unique_id", "reason"], sort=False)
    return (
        each["cutoff"]
        .agg(["size", "first", "last"])
        .reset_index()
        .set_axis(SKIPPED, axis=1)
        .astype({"cutoffs": np.int64})
    )


def _join(tables: list[pd.DataFrame | None], names: list[str], panel: Panel) -> pd.DataFrame:
    kept = [table for table in tables if table is not None]
    table = pd.concat(kept, ignore_index=True)
    table["model"] = pd.Categorical(table["model"], categories=names)
    quantiles = sorted((c for c in table.columns if c.startswith("q0.")), key=lambda c: float(c[1:]))
    first = ["unique_id", "cutoff", "step", "ds", "model", "member", "y0", "y", "y_hat"]
    return table[[*first, *quantiles, "scale", "age"]]
