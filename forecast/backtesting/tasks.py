"""Tasks of a backtest: fit one model, or one part of it, for a refit period and forecast from each of its cutoffs."""

from __future__ import annotations

import json
import re
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from forecast._estimator import clone
from forecast._threads import one_thread
from forecast.backtesting.spec import describe
from forecast.backtesting.split import Fold
from forecast.data.panel import Panel, format_date
from forecast.models.base import Forecast, Forecaster, ShortSeriesWarning

#: Warnings are caught, and BLAS threads limited, for the whole process, so the threads of a process run one task at a
#: time. Reentrant, as a task may contain another: `Tuned` runs a backtest inside its fit.
ONE_TASK = threading.RLock()
FITTING = "while fitting"  # start of the note on the error of a fit


@dataclass(frozen=True)
class RefitPeriod:
    """The folds from one refit to the next: models are fitted at the first and forecast from each."""

    number: int
    folds: tuple[Fold, ...]

    @property
    def cutoffs(self) -> np.ndarray:
        """Rows of the cutoffs, (K,)."""
        return np.array([fold.cutoff for fold in self.folds])

    @property
    def train(self) -> slice:
        """Rows that models are fitted on."""
        return self.folds[0].train

    @property
    def history(self) -> slice:
        """Rows that are available at the last cutoff."""
        return self.folds[-1].history


@dataclass(frozen=True)
class FitTask:
    """One fit and its forecasts. The result depends only on the task, the prices and, in a chain, the previous fit."""

    name: str
    member: int  # 0: the model itself; 1 … S: one of the parts that it combines
    model: Forecaster
    period: RefitPeriod
    min_train_rows: int  # observed training rows that a series must have, the same for all models
    chained: bool = False  # whether the fit continues from that of the previous period
    may_fail: bool = False  # whether an error is recorded in any case

    @property
    def key(self) -> tuple[str, int, int]:
        """The model's name, the member and the number of the period, which identify the task in its run."""
        return (self.name, self.member, self.period.number)


@dataclass(frozen=True)
class TaskResult:
    """The forecast of a task (None after an error), facts about the fit and, in a chain, the fitted model."""

    forecast: Forecast | None
    fit_info: dict[str, Any]
    model: Forecaster | None = None


def make_periods(folds: Sequence[Fold], refit: int) -> list[RefitPeriod]:
    """Return the refit periods of a run: models are fitted again at every `refit`-th fold."""
    return [RefitPeriod(i // refit, tuple(folds[i : i + refit])) for i in range(0, len(folds), refit)]


def make_tasks(
    models: Mapping[str, Forecaster], periods: Sequence[RefitPeriod], min_train_rows: int, warm: bool
) -> list[FitTask]:
    """Return the tasks of a run: model by model, part by part, in order of time."""
    tasks = []
    for name, model in models.items():
        parts = model.parts()
        for number, part in enumerate(map(clone, parts), start=1):
            chained = warm and part.enable_warm_start()
            # The tasks share the cores, so a model starts no processes of its own.
            jobs = {param: 1 for param in part.get_params() if param.split("__")[-1] == "n_jobs"}
            part.set_params(**jobs)
            member = number if len(parts) > 1 else 0
            tasks += [FitTask(name, member, part, period, min_train_rows, chained) for period in periods]
    return tasks


def trainable(panel: Panel, period: RefitPeriod, min_train_rows: int) -> np.ndarray:
    """Return which series have enough observed training rows, (N,)."""
    return panel[period.train].count_observed() >= min_train_rows


def eligible(panel: Panel, period: RefitPeriod, min_train_rows: int) -> np.ndarray:
    """Return which series every model must forecast from each cutoff, (K, N): observed there, and trainable."""
    return panel.observed[period.cutoffs] & trainable(panel, period, min_train_rows)


def run_task(
    task: FitTask, panel: Panel, horizon: int, on_error: str, previous: Forecaster | None = None
) -> TaskResult:
    """Fit a model for one refit period and forecast from each of its cutoffs.

    Parameters
    ----------
    task : FitTask
        The model, the period and the training rows that a series must have.
    panel : Panel
        All prices; the model receives the rows of the period only.
    horizon : int
        Rows to forecast after each cutoff.
    on_error : {"raise", "record"}
        With "record" an error is stored in `fit_info` instead of raised.
    previous : Forecaster, optional
        The fitted model of the previous period, from which a chained fit continues.

    Returns
    -------
    TaskResult
        Forecasts of K cutoffs, N series and `horizon` steps, and the facts about the fit.
    """
    fit_info: dict[str, Any] = {"seconds_fit": 0.0, "seconds_predict": 0.0, "warnings": 0, "error": "", "details": "{}"}
    model = clone(task.model) if previous is None else previous
    forecast = None
    # One thread per task, also when serial: small models run fastest this way, and results do not depend on the number
    # of processes.
    with ONE_TASK, one_thread(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            start = time.perf_counter()
            model.fit(panel[task.period.train], horizon)
            fit_info["seconds_fit"] = time.perf_counter() - start
            start = time.perf_counter()
            output = model.predict_at(panel[task.period.history], task.period.cutoffs)
            fit_info["seconds_predict"] = time.perf_counter() - start
            _check_forecast(task, panel, output, horizon, [str(w.message) for w in caught])
            forecast = replace(output, index=None)  # the panel has the dates
        except Exception as error:
            if on_error == "raise" and not task.may_fail:
                cutoff = format_date(panel.index[task.period.cutoffs[0]])
                error.add_note(f"{FITTING} {task.name} at the cutoff {cutoff}")
                raise
            fit_info["error"] = f"{type(error).__name__}: {error}"
    # Short series are listed in `BacktestResult.skipped`.
    messages = [str(w.message) for w in caught if not issubclass(w.category, ShortSeriesWarning)]
    fit_info["warnings"] = len(messages)
    record = dict(vars(model).get("record_", {})) | ({"warnings": sorted(set(messages))[:5]} if messages else {})
    fit_info["details"] = json.dumps(record, default=describe)
    return TaskResult(forecast, fit_info, model if task.chained else None)


def combined_forecast(
    name: str, model: Forecaster, period: RefitPeriod, results: Mapping[tuple[str, int, int], TaskResult]
) -> Forecast | None:
    """Return a model's forecast for a period, combined from those of its parts; None if one of them failed."""
    parts = len(model.parts())
    members = range(1, parts + 1) if parts > 1 else [0]
    forecasts = [results[name, member, period.number].forecast for member in members]
    available = [forecast for forecast in forecasts if forecast is not None]
    if len(available) < len(forecasts):
        return None
    return model.combine(available) if parts > 1 else available[0]


def _check_forecast(task: FitTask, panel: Panel, forecast: Forecast, horizon: int, messages: Sequence[str]) -> None:
    """Raise ValueError for a wrong shape, or for an eligible series without a forecast, with the model's warnings."""
    shape = (len(task.period.folds), len(panel.series), horizon)
    _check_shapes(task.name, forecast, shape)
    required = np.broadcast_to(eligible(panel, task.period, task.min_train_rows)[:, :, None], shape)
    missing = required & ~np.isfinite(forecast.point)
    if forecast.quantiles is not None:
        missing |= required & ~np.isfinite(forecast.quantiles).all(axis=-1)
    if missing.any():
        k, n, _ = np.argwhere(missing)[0]
        cutoff, series = format_date(panel.index[task.period.cutoffs[k]]), panel.series[n]
        reasons = "".join(f": {message}" for message in messages if _mentions(message, series))
        raise ValueError(f"{task.name} has no finite forecast for {series} at the cutoff {cutoff}{reasons}")


def _mentions(message: str, series: str) -> bool:
    """Return whether a message contains the name of a series, not as a part of another name (A in AA, BRK in BRK.B)."""
    return re.search(rf"(?<![\w.^-]){re.escape(series)}(?![\w=-]|\.\w)", message) is not None


def _check_shapes(name: str, forecast: Forecast, expected: tuple[int, int, int]) -> None:
    arrays: list[tuple[str, np.ndarray, tuple[int, ...]]] = [("point", forecast.point, expected)]
    if forecast.quantiles is not None:
        arrays.append(("quantiles", forecast.quantiles, (*expected, len(forecast.levels))))
    if forecast.members is not None:
        arrays.append(("members", forecast.members, (len(forecast.members), *expected)))
    for kind, array, shape in arrays:
        if np.shape(array) != shape:
            raise ValueError(
                f"{name} returned {kind} of shape {np.shape(array)}; expected is {shape} (cutoffs, series, steps)"
            )
