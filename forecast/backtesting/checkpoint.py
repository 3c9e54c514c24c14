"""Results of the finished tasks of an unfinished run, stored next to its folder, so that the run can be resumed."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from forecast import _io
from forecast.backtesting.fingerprint import fingerprint
from forecast.backtesting.spec import differences, hash_history, versions
from forecast.backtesting.tasks import FitTask, TaskResult
from forecast.data.panel import Panel
from forecast.models.base import Forecast, Forecaster
from forecast.models.store import load_model

SUFFIX = ".npz"


class Checkpoint:
    """The task results of one run, each in a file named by the hash of everything that the result depends on.

    A file is written completely or not at all. A result depends on the parameters and code of its model, the rows that
    it may use, the folds of its refit period (in a chain: of all periods so far), the horizon and the versions of the
    libraries. So after a change of one model, or of later rows, the other results remain valid.
    """

    def __init__(self, out: str | Path, tasks: Sequence[FitTask], panel: Panel, horizon: int) -> None:
        self.out = out
        self.path = _io.check_destination(out, _io.RUN).resolve()
        self.folder = self.path.parent / f".{self.path.name}.checkpoint"
        self.new_parents = [parent for parent in self.folder.parents if not parent.exists()]  # innermost first
        self.panel = panel
        self.names = dict(_names(tasks, panel, horizon))

    def begin(self, spec: dict[str, Any], resume: bool) -> str:
        """Create the folder, empty unless the run is resumed; return a message if stored fits cannot be used."""
        message = ""
        available = len(list(self.folder.glob(f"*{SUFFIX}")))
        if available and not resume:
            message = f"the {available} fits that an earlier run had finished are deleted, as resume is not set"
        elif available and (changed := self._changed(spec)) != []:
            if changed:
                reason = f"{', '.join(changed)} changed since the run was stopped"
            else:
                reason = f"{self.folder / _io.SPEC} cannot be read, so settings may have changed"
            message = f"{reason}: {self.count()} of the {available} stored fits are used"
        if not resume:
            self.delete()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"cannot write to {self.path}: {error.strerror or error}. Name another folder") from error
        with _io.atomic_file(self.folder / _io.SPEC) as temporary:
            _io.write_json(temporary, spec)
        return message

    def _changed(self, spec: dict[str, Any]) -> list[str] | None:
        """Return the names of what differs from the stopped run; None if its spec is deleted or damaged."""
        try:
            return differences(_io.read_spec(self.folder), spec)
        except ValueError:
            return None

    def count(self) -> int:
        """Return how many of the run's results are stored."""
        return sum((self.folder / f"{name}{SUFFIX}").exists() for name in self.names.values())

    def stop(self) -> int:
        """Leave the stored results for a later run and return their number; delete the folder if there are none."""
        if not (finished := self.count()):
            self.delete()
            _io.remove_if_empty(self.new_parents)
        return finished

    def delete(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def delete_leftovers(self, spec: dict[str, Any]) -> None:
        """Delete the remains of a run that was killed while deleting its checkpoint, but no other run's checkpoint."""
        if not self._changed(spec):
            self.delete()

    def read(self, task: FitTask) -> TaskResult | None:
        """Return the stored result of a task, None if there is none or its file is damaged."""
        try:
            with np.load(self._path(task), allow_pickle=False) as stored:
                arrays = dict(stored)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        levels, cutoffs = tuple(arrays["levels"].tolist()), self.panel.index[task.period.cutoffs]
        quantiles, members = arrays.get("quantiles"), arrays.get("members")
        forecast = Forecast(arrays["point"], quantiles, levels, self.panel.series, cutoffs, members)
        return TaskResult(forecast, json.loads(str(arrays["fit_info"])))

    def write(self, task: FitTask, result: TaskResult) -> None:
        """Store the result of a task, unless it failed; of a chain also the newest fitted model."""
        if result.forecast is None:
            return
        if result.model is not None:
            with suppress(TypeError, AttributeError):  # a class of the user's own: its chain starts again
                result.model.save(self._path(task).with_suffix(""))
        arrays = {name: getattr(result.forecast, name) for name in ("point", "quantiles", "members")}
        arrays["levels"] = np.array(result.forecast.levels, dtype=float)
        arrays["fit_info"] = np.array(json.dumps(result.fit_info))
        with _io.atomic_file(self._path(task)) as temporary, temporary.open("wb") as file:
            np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
        name, member, number = task.key
        if result.model is not None and number:
            previous = self.names[name, member, number - 1]
            shutil.rmtree(self.folder / previous, ignore_errors=True)

    def read_fit(self, task: FitTask) -> Forecaster | None:
        """Return the fitted model of a chain after this task, None if it is not stored."""
        try:
            return load_model(self._path(task).with_suffix(""))
        except ValueError:
            return None

    def _path(self, task: FitTask) -> Path:
        return self.folder / f"{self.names[task.key]}{SUFFIX}"


def _names(tasks: Sequence[FitTask], panel: Panel, horizon: int) -> Iterator[tuple[tuple[str, int, int], str]]:
    """Yield the key of each task with the hash of everything that its result depends on."""
    data = hash_history(panel, [task.period.history.stop for task in tasks])
    shared = [versions(), horizon, panel.series, panel.channels]
    models = {task.key[:2]: task.model for task in tasks}
    fingerprints = {name: fingerprint(model) for name, model in models.items()}
    chains: dict[tuple[str, int], list[Any]] = {}  # the folds of each model so far
    for task in tasks:
        period, name = task.period, task.key[:2]
        folds = [period.train.start, period.train.stop, *period.cutoffs.tolist()]
        chains[name] = [*chains.get(name, []), folds] if task.chained else [folds]
        dependencies = [*shared, task.min_train_rows, fingerprints[name], chains[name], data[period.history.stop]]
        yield task.key, hashlib.sha256(json.dumps(dependencies).encode()).hexdigest()[:32]
