"""Results of the finished tasks of an unfinished run, stored next to its folder, so that the run can be resumed."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
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
CHECKPOINT = _io.CHECKPOINT
REPLACES = "replaces"  # what the spec of a checkpoint has in addition
STORED = re.compile(r"\.?([0-9a-f]{32})\b.*")  # results and fitted models, and the temporary files of these


def checkpoint_folder(out: str | Path) -> Path:
    """Return the path of the checkpoint of a run."""
    path = _io.real_path(out)
    return path.with_name(f".{path.name}.checkpoint")


@contextmanager
def run_folder(out: str | Path, resume: bool) -> Iterator[None]:
    """Lock the folder of a run; raise ValueError if it cannot be written.

    A finished run that is resumed is only read, so it may hold other files too.
    """
    with _io.folder_lock(out, _io.RUN):
        if not (resume and _io.is_kind(_io.user_path(out), _io.RUN)):
            _io.check_destination(out, _io.RUN)
        yield


def finished_work(out: str | Path) -> str:
    """Return what a run that starts again in this folder would delete, as the end of a sentence; "" if nothing."""
    stored = _count_stored(checkpoint_folder(out))
    found = ["a finished run"] * _io.is_kind(_io.user_path(out), _io.RUN)
    found += [f"an interrupted run with {stored} finished fits"] * (stored > 0)
    return f"holds {' and '.join(found)}" if found else ""


def _count_stored(folder: Path) -> int:
    if not _io.is_kind(folder, CHECKPOINT):
        return 0
    return len([path for path in folder.glob(f"*{SUFFIX}") if STORED.fullmatch(path.name)])


class Checkpoint:
    """The task results of one run, each in a file named by the hash of everything that the result depends on.

    A file is written completely or not at all. A result depends on the parameters and code of its model, the rows that
    it may use, the folds of its refit period (in a chain: of all periods so far), the horizon and the versions of the
    libraries. So after a change of one model, or of later rows, the other results remain valid.
    """

    def __init__(self, out: str | Path, tasks: Sequence[FitTask], panel: Panel, horizon: int) -> None:
        self.out = out
        self.path = _io.real_path(out)
        self.folder = checkpoint_folder(out)
        self.panel = panel
        self.names = dict(_names(tasks, panel, horizon))

    def begin(self, spec: dict[str, Any], restart: bool) -> str:
        """Create the folder, empty after a restart; return a message if stored fits cannot be used.

        Raises ValueError if none of them can be used. Those that are not used stay in the folder until a restart.
        """
        self._check_folder()
        if restart:
            self.delete()
        message = self._compare(spec)
        replaces = self._finished() if restart else self._replaces()
        with _io.named_errors(self.out):
            self.folder.mkdir(exist_ok=True)
            _io.write_spec(self.folder, spec | {REPLACES: replaces}, CHECKPOINT)
        return message

    def _check_folder(self) -> None:
        """Raise ValueError if the folder holds anything that is not part of a checkpoint."""
        if not self.folder.is_dir():
            return
        if others := self._others():
            raise ValueError(
                f"{self.folder} holds {others[0]!r}, which is not part of a checkpoint: move it to another place"
            )
        if not _io.is_ours(self.folder, CHECKPOINT):
            raise ValueError(f"{self.folder} holds files, but no {_io.SPEC} of a checkpoint: move it to another place")

    def _compare(self, spec: dict[str, Any]) -> str:
        """Return what differs from the stopped run and how many of its fits are used; "" if nothing differs."""
        available, used = _count_stored(self.folder), self.count()
        if not available or (changed := self.changed(spec)) == []:
            return ""
        if changed:
            reason = f"{', '.join(changed)} changed since the run was stopped"
        else:
            reason = f"{self.folder / _io.SPEC} cannot be read, so settings may have changed"
        if not used:
            raise ValueError(
                f"{reason}: none of the {available} stored fits can be used. Resume with what the run had, or name "
                "another folder; restart=True deletes these fits"
            )
        rest = "" if used == available else "; the others remain until restart=True"
        return f"{reason}: {used} of the {available} stored fits are used{rest}"

    def _stored_spec(self) -> dict[str, Any] | None:
        """Return the spec of the stopped run; None if it is deleted or damaged."""
        try:
            return _io.read_spec(self.folder, CHECKPOINT)
        except ValueError:
            return None

    def changed(self, spec: dict[str, Any]) -> list[str] | None:
        """Return the names of what differs from the stopped run; None if its spec is deleted or damaged."""
        if (stored := self._stored_spec()) is None:
            return None
        return differences({name: value for name, value in stored.items() if name != REPLACES}, spec)

    def _finished(self) -> str | None:
        """Return the hash of the spec of the finished run; None if there is none."""
        try:
            return hashlib.sha256((self.path / _io.SPEC).read_bytes()).hexdigest()
        except OSError:
            return None

    def _replaces(self) -> str | None:
        """Return the hash of the spec of the finished run that the stopped run replaces by a restart."""
        return (self._stored_spec() or {}).get(REPLACES)

    def replaces_finished(self) -> bool:
        """Return whether the stopped run is a restart of the finished one."""
        return self._finished() is not None and self._replaces() == self._finished()

    def _others(self) -> list[str]:
        """Return the names in the folder that are not those of a checkpoint."""
        own = {_io.SPEC, *_io.remains(CHECKPOINT), *_io.SYSTEM_FILES}
        return sorted(e.name for e in self.folder.iterdir() if e.name not in own and not STORED.fullmatch(e.name))

    def count(self) -> int:
        """Return how many of the run's results are stored."""
        return sum((self.folder / f"{name}{SUFFIX}").exists() for name in self.names.values())

    def stop(self) -> int:
        """Leave the stored results for a later run and return their number; delete the folder if there are none."""
        if not (finished := self.count()) and not _count_stored(self.folder):
            self.delete()
        return finished

    def delete(self) -> None:
        """Delete the folder, its spec last, unless it holds something else."""
        self._delete_results(lambda _: True)
        _io.delete_folder(self.folder, CHECKPOINT)

    def finish(self) -> None:
        """Delete the results that the finished run has, and the folder if it holds no others."""
        self._delete_results({*self.names.values()}.__contains__)
        if not _count_stored(self.folder):
            self.delete()

    def _delete_results(self, is_deleted: Callable[[str], bool]) -> None:
        if not _io.is_kind(self.folder, CHECKPOINT):
            return
        for path in self.folder.iterdir():
            if (match := STORED.fullmatch(path.name)) and is_deleted(match[1]):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def delete_leftovers(self, spec: dict[str, Any]) -> None:
        """Delete the remains of a run that was killed while deleting its checkpoint, but no other run's checkpoint."""
        if self.changed(spec) == [] or not _count_stored(self.folder):
            self.finish()

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
                result.model.save(self._path(task).with_suffix(""), replace=True)
        arrays = {name: getattr(result.forecast, name) for name in ("point", "quantiles", "members")}
        arrays["levels"] = np.array(result.forecast.levels, dtype=float)
        arrays["fit_info"] = np.array(json.dumps(result.fit_info))
        path, stored = self._path(task), {name: array for name, array in arrays.items() if array is not None}
        with (
            _io.named_errors(self.out),
            _io.atomic_file(path, _io.sibling(path, "new")) as temporary,
            temporary.open("wb") as file,
        ):
            np.savez(file, **stored)
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
    data = hash_history(panel, [task.period.history.stop for task in tasks], horizon)
    shared = [versions(), horizon]
    models = {(*task.key[:2], task.chained): task.model for task in tasks}
    fingerprints = {name: fingerprint(model) for name, model in models.items()}
    chains: dict[tuple[str, int], list[Any]] = {}  # the folds of each model so far
    for task in tasks:
        period, name = task.period, task.key[:2]
        folds = [period.train.start, period.train.stop, *period.cutoffs.tolist()]
        chain = [*chains.get(name, []), folds] if task.chained else [folds]
        chains[name] = chain
        dependencies = [
            *shared,
            task.min_train_rows,
            fingerprints[*name, task.chained],
            chain,
            data[period.history.stop],
        ]
        yield task.key, hashlib.sha256(json.dumps(dependencies).encode()).hexdigest()[:32]
