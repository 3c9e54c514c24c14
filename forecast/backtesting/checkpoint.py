"""Finished units of a run that is not done: kept beside its place, so that what was stopped can be gone on with."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from forecast import _io
from forecast.backtesting.fingerprint import fingerprint
from forecast.backtesting.spec import differences, hash_history, versions
from forecast.backtesting.tasks import FitTask, TaskResult
from forecast.data.panel import Panel
from forecast.models.base import Forecast
from forecast.models.store import load_model

UNIT = ".npz"


class Checkpoint:
    """The units of one run, each in a file named by the hash of all that it depends on.

    A file is written whole or not at all. A unit depends on its model's parameters and code, the rows that it may
    know, the folds of its stretch (in a chain: of all stretches so far), the horizon and the versions of the libraries;
    so a change of one model, or of later rows, leaves the others' units as good as they were.
    """

    def __init__(self, out: str | Path, units: list[FitTask], panel: Panel, horizon: int) -> None:
        self.place = _io.check_destination(out, _io.RUN).resolve()
        self.folder = self.place.parent / f".{self.place.name}.units"
        self.made = [parent for parent in self.folder.parents if not parent.exists()]  # innermost first
        self.panel = panel
        self.names = dict(_names(units, panel, horizon))

    def begin(self, spec: dict[str, Any], resume: bool) -> str:
        """Make the folder, empty unless a run is gone on with; says what is lost of a run that was stopped."""
        said = ""
        there = len(list(self.folder.glob(f"*{UNIT}")))
        if there and not resume:
            said = f"the {there} fits that an earlier run had finished are dropped, as resume was not asked for"
        elif there and (changed := self._changed(spec)):
            said = f"{changed} changed since the run was stopped: of its {there} fits {self.count()} are used"
        if not resume:
            self.end()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"cannot write to {self.place}: {error.strerror or error}. Name another folder") from error
        with _whole(self.folder / _io.SPEC) as beside:
            _io.write_json(beside, spec)
        return said

    def _changed(self, spec: dict[str, Any]) -> str:
        """Name what differs from the run that was stopped; its units are told apart without its spec."""
        try:
            return ", ".join(differences(_io.read_spec(self.folder), spec))
        except ValueError:
            return f"{self.folder / _io.SPEC} cannot be read, so nothing tells what"

    def count(self) -> int:
        """Say how many of the run's units are there."""
        return sum((self.folder / f"{name}{UNIT}").exists() for name in self.names.values())

    def stop(self) -> int:
        """Leave what is finished for another time, and say how much; of a run without any nothing is left."""
        if not (finished := self.count()):
            self.end()
            for parent in self.made:
                with suppress(OSError):  # someone else may have put something there meanwhile
                    parent.rmdir()
        return finished

    def end(self) -> None:
        """Take the folder away: the run is whole."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def sweep(self, spec: dict[str, Any]) -> None:
        """Take away what a run left that was killed while it took its folder away; another run's units stay."""
        try:
            other = differences(_io.read_spec(self.folder), spec)
        except ValueError:  # the spec is gone already
            other = []
        if not other:
            self.end()

    def read(self, unit: FitTask) -> TaskResult | None:
        """Give what a unit gave when it ran, None if it has not."""
        try:
            with np.load(self._path(unit), allow_pickle=False) as stored:
                arrays = dict(stored)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None  # not there, or damaged: it runs again
        forecast = Forecast(
            point=arrays["point"],
            quantiles=arrays.get("quantiles"),
            levels=tuple(arrays["levels"].tolist()),
            series=self.panel.series,
            cutoffs=self.panel.index[unit.stretch.cutoffs],
            members=arrays.get("members"),
        )
        return TaskResult(forecast, json.loads(str(arrays["told"])))

    def write(self, unit: FitTask, outcome: TaskResult) -> None:
        """Keep what a unit gave; what failed is not kept, and runs again. Of a chain its newest fit is kept too."""
        if outcome.forecast is None:
            return
        forecast = outcome.forecast
        arrays = {"point": forecast.point, "quantiles": forecast.quantiles, "members": forecast.members}
        known: dict[str, Any] = {name: array for name, array in arrays.items() if array is not None}
        if outcome.model is not None:
            with suppress(TypeError, AttributeError):  # of a class of one's own: its chain begins anew
                outcome.model.save(self._path(unit).with_suffix(""))
        with _whole(self._path(unit)) as beside, beside.open("wb") as file:
            fit_info = np.array(json.dumps(outcome.fit_info))
            np.savez(file, levels=np.array(forecast.levels, dtype=float), fit_info=fit_info, **known)
        name, member, number = unit.key
        if outcome.model is not None and number:
            last = self.names[name, member, number - 1]
            shutil.rmtree(self.folder / last, ignore_errors=True)

    def read_fit(self, unit: FitTask) -> Any:
        """Give the fitted model of a chain at this unit, None if it was not kept."""
        try:
            return load_model(self._path(unit).with_suffix(""))
        except ValueError:
            return None

    def _path(self, unit: FitTask) -> Path:
        return self.folder / f"{self.names[unit.key]}{UNIT}"


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give a file to write that takes its place when it is whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _names(units: list[FitTask], panel: Panel, horizon: int) -> Iterator[tuple[tuple[str, int, int], str]]:
    """Name each unit by the hash of what it depends on."""
    data = hash_history(panel, [unit.stretch.history.stop for unit in units])
    shared = [versions(), horizon, panel.series, panel.channels]
    chain: list[Any] = []  # the folds that a chain has come through
    for unit in units:
        stretch = unit.stretch
        if stretch.number == 0:
            model = fingerprint(unit.model)
        folds = [stretch.train.start, stretch.train.stop, *stretch.cutoffs.tolist()]
        chain = [*chain, folds] if unit.chained and stretch.number else [folds]
        depends = [*shared, unit.needed, model, chain, data[stretch.history.stop]]
        yield unit.key, hashlib.sha256(json.dumps(depends).encode()).hexdigest()[:32]
