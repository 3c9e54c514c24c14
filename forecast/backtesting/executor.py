"""Runs the units of a walk: in this process, in several, or on a cluster; finished ones are kept if asked for."""

from __future__ import annotations

import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from forecast.backtesting.checkpoint import Checkpoint
from forecast.backtesting.tasks import FitTask, TaskResult, run_task
from forecast.data.panel import Panel

Jobs = Sequence[tuple[FitTask, Any]]
Work = Callable[[Jobs], Iterator[tuple[FitTask, TaskResult]]]
MAPPED = "64K"  # arrays of this size and more are mapped into the processes' memory, not sent with each unit


@dataclass
class Executor:
    """What runs the units of one walk."""

    panel: Panel
    horizon: int
    n_jobs: int = 1
    client: Any = None  # of Dask: its workers do the work
    on_error: str = "raise"
    kept: Checkpoint | None = None
    progress: Callable[[int, int], None] | None = None
    outcomes: dict[tuple[str, int, int], TaskResult] = field(default_factory=dict)

    def run(self, units: Sequence[FitTask]) -> dict[tuple[str, int, int], TaskResult]:
        """Give what every unit gave, by its key.

        Units do not depend on each other, but for those of a chain (a model that goes on from its last fit): with
        chains all units of a stretch run together, one stretch after the other.
        """
        fits = self._already(units)
        chained = any(unit.chained for unit in units)
        left = [unit for unit in units if unit.key not in self.outcomes]

        def turn(unit: FitTask) -> int:
            return unit.stretch.number if chained else 0

        with self._workers() as work:
            for _, together in groupby(sorted(left, key=turn), key=turn):
                for unit, outcome in work([(unit, fits.pop(unit.key[:2], None)) for unit in together]):
                    self._take(unit, outcome)
                    if unit.chained:
                        fits[unit.key[:2]] = outcome.model
                    if self.progress is not None:
                        self.progress(len(self.outcomes), len(units))
        return self.outcomes

    def _take(self, unit: FitTask, outcome: TaskResult) -> None:
        self.outcomes[unit.key] = TaskResult(outcome.forecast, outcome.fit_info)
        if self.kept is not None:
            self.kept.write(unit, outcome)

    def _already(self, units: Sequence[FitTask]) -> dict[tuple[str, int], Any]:
        """Take up what is finished already, and give the fits that chains go on from."""
        fits: dict[tuple[str, int], Any] = {}
        if self.kept is None:
            return fits
        for name, group in groupby(units, key=lambda unit: unit.key[:2]):
            chain = list(group)
            found = [(unit, outcome) for unit in chain if (outcome := self.kept.read(unit)) is not None]
            if chain[0].chained and len(found) < len(chain):
                done = [unit.stretch.number for unit, _ in found]
                whole = done == list(range(len(done)))
                fit = self.kept.read_fit(found[-1][0]) if whole and found else None
                found = found if fit is not None else []  # without the fit it ended with, a chain begins anew
                fits[name] = fit
            self.outcomes |= {unit.key: outcome for unit, outcome in found}
        return fits

    @contextmanager
    def _workers(self) -> Iterator[Work]:
        """Give what runs units, each with the fit it goes on from, and yields what they gave as they finish."""
        if self.client is not None:
            panel = self.client.scatter(self.panel, broadcast=True)  # once to every worker
            yield lambda jobs: _on_cluster(self.client, jobs, panel, self.horizon, self.on_error)
            return
        if self.n_jobs == 1:
            yield lambda jobs: (_with_unit(unit, self.panel, self.horizon, self.on_error, fit) for unit, fit in jobs)
            return
        with (
            warnings.catch_warnings(),
            Parallel(
                n_jobs=self.n_jobs,
                backend="loky",  # by name, or a `joblib.parallel_config` around the call would choose another
                return_as="generator_unordered",
                max_nbytes=MAPPED,
                initializer=_end_with,
                initargs=(os.getpid(),),
            ) as parallel,
        ):
            # loky replaces a worker that has grown, as one does that imports torch; no unit is lost
            warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
            try:
                yield lambda jobs: parallel(
                    delayed(_with_unit)(unit, self.panel, self.horizon, self.on_error, fit) for unit, fit in jobs
                )
            except TerminatedWorkerError as error:
                how = re.search(r"{(.*)}", str(error))
                raise ChildProcessError(
                    f"a process ended unexpectedly{f' ({how[1]})' if how else ''}, as one does that the system kills "
                    "when memory runs out: ask for fewer with n_jobs"
                ) from error


def _with_unit(unit: FitTask, panel: Panel, horizon: int, on_error: str, before: Any) -> tuple[FitTask, TaskResult]:
    """Run a unit; from other processes results come back in any order, so each names its unit."""
    return unit, run_task(unit, panel, horizon, on_error, before)


def _end_with(parent: int) -> None:
    """See to it that this process ends when the one that started it was killed; loky's would wait for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _on_cluster(
    client: Any, jobs: Jobs, panel: Any, horizon: int, on_error: str
) -> Iterator[tuple[FitTask, TaskResult]]:
    """Run units on Dask's workers; those of a worker that is lost are run by another.

    Through Dask's own futures: joblib's backend waits for ever where a worker cannot load what it is sent.
    """
    from distributed import as_completed

    futures = {
        client.submit(run_task, unit, panel, horizon, on_error, before, pure=False): unit for unit, before in jobs
    }
    try:
        for future in as_completed(list(futures)):
            yield futures.pop(future), future.result()
    finally:
        client.cancel(list(futures))
