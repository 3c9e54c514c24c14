"""Units of work: one model, or one member of it, fitted for a stretch of folds and asked at each of its cutoffs."""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from forecast._estimator import clone
from forecast.backtesting.spec import describe
from forecast.backtesting.split import Fold
from forecast.data.panel import Panel, format_date
from forecast.models.base import Forecast, ShortSeriesWarning

#: Warnings are caught, and threads of BLAS counted, for the whole process: the units of its threads take turns.
ALONE = threading.RLock()  # of one thread may be within another: a model that chooses its parameters walks itself


@dataclass(frozen=True)
class RefitPeriod:
    """The folds from one refit to the next: fitted at the first, forecast from each."""

    number: int
    folds: tuple[Fold, ...]

    @property
    def cutoffs(self) -> np.ndarray:
        """The rows of the cutoffs, (K,)."""
        return np.array([fold.cutoff for fold in self.folds])

    @property
    def train(self) -> slice:
        """The rows that are fitted on."""
        return self.folds[0].train

    @property
    def history(self) -> slice:
        """The rows that are known at its last cutoff."""
        return self.folds[-1].history


@dataclass(frozen=True)
class FitTask:
    """One unit of work; `run_unit` is a pure function of it, of the prices and, in a chain, of the fit before."""

    name: str
    member: int  # 0: the model itself; 1 … S: of the parts that it combines
    model: Any
    stretch: RefitPeriod
    needed: int  # observed training rows that a series must have, the same for all models
    chained: bool = False  # does its fit go on from that of the stretch before?

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells it from the other units of a run."""
        return (self.name, self.member, self.stretch.number)


@dataclass(frozen=True)
class TaskResult:
    """What a unit gave: a forecast, or none and an error; what is told of the fit; the model, where a chain goes on."""

    forecast: Forecast | None
    fit_info: dict[str, Any]
    model: Any = None


def make_tasks(models: Mapping[str, Any], stretches: list[RefitPeriod], needed: int, warm: bool) -> list[FitTask]:
    """List the units of a run, model by model, part by part, in order of time."""
    units = []
    for name, model in models.items():
        parts = model.parts() if hasattr(model, "parts") else [model]
        for s, given in enumerate(parts, start=1):
            part = clone(given)
            params = part.get_params() if hasattr(part, "get_params") else {}
            chained = warm and "warm_start" in params
            # Units share the cores among themselves: inside one, nothing is shared out again.
            settings = {name: 1 for name in params if name.split("__")[-1] == "n_jobs"}
            if chained:
                settings["warm_start"] = True
            if settings:
                part.set_params(**settings)
            member = s if len(parts) > 1 else 0
            units += [FitTask(name, member, part, stretch, needed, chained) for stretch in stretches]
    return units


def eligible(panel: Panel, stretch: RefitPeriod, needed: int) -> tuple[np.ndarray, np.ndarray]:
    """Say which series take part: observed at the cutoff (K, N), and long enough in training (N,)."""
    trained = panel[stretch.train].observed.sum(axis=0) >= needed
    return panel.observed[stretch.cutoffs], trained


def run_task(unit: FitTask, panel: Panel, horizon: int, on_error: str, before: Any = None) -> TaskResult:
    """Fit a model for one stretch of folds and forecast from each cutoff.

    `before` is the fit that a chain goes on from. With `on_error` "record" what goes wrong is told instead of raised.
    """
    fit_info: dict[str, Any] = {"seconds_fit": 0.0, "seconds_predict": 0.0, "warnings": 0, "error": "", "details": "{}"}
    model = clone(unit.model) if before is None else before
    forecast = None
    # One thread per unit, also when serial: small models are fastest so, and the bytes do not depend on n_jobs.
    with ALONE, threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            start = time.perf_counter()
            model.fit(panel[unit.stretch.train], horizon)
            fit_info["seconds_fit"] = time.perf_counter() - start
            start = time.perf_counter()
            made = model.predict_at(panel[unit.stretch.history], unit.stretch.cutoffs)
            fit_info["seconds_predict"] = time.perf_counter() - start
            _check(unit, panel, made, horizon, [str(w.message) for w in caught])
            forecast = made
        except Exception as error:
            if on_error == "raise":
                error.add_note(
                    f"while fitting {unit.name} at the cutoff {format_date(panel.index[unit.stretch.cutoffs[0]])}"
                )
                raise
            fit_info["error"] = f"{type(error).__name__}: {error}"
    said = [str(w.message) for w in caught if not issubclass(w.category, ShortSeriesWarning)]  # `skipped` tells those
    messages = sorted(set(said))
    fit_info["warnings"] = len(said)
    record = dict(getattr(model, "record_", {})) | ({"warnings": messages[:5]} if messages else {})
    fit_info["details"] = json.dumps(record, default=describe)
    return TaskResult(forecast, fit_info, model if unit.chained else None)


def _check(unit: FitTask, panel: Panel, forecast: Forecast, horizon: int, fit_info: list[str]) -> None:
    """Raise ValueError for a wrong shape, or a series that takes part and has no forecast, with what was `told`."""
    traded, trained = eligible(panel, unit.stretch, unit.needed)
    shape = (len(unit.stretch.folds), len(panel.series), horizon)
    _check_shapes(unit.name, forecast, shape)
    keep = np.broadcast_to((traded & trained)[:, :, None], shape)
    unknown = keep & ~np.isfinite(forecast.point)
    if forecast.quantiles is not None:
        unknown |= keep & ~np.isfinite(forecast.quantiles).all(axis=-1)
    if unknown.any():
        at, series, _ = np.argwhere(unknown)[0]
        cutoff = format_date(panel.index[unit.stretch.cutoffs[at]])
        name = panel.series[series]
        why = "".join(f": {said}" for said in fit_info if name in said)
        raise ValueError(f"{unit.name} has no finite forecast for {name} at the cutoff {cutoff}{why}")


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
