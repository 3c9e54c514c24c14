"""Runs the tasks of a backtest: in this process, in several, or on a cluster; results go to the checkpoint, if any."""

from __future__ import annotations

import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky.backend.reduction import dumps
from joblib.externals.loky.process_executor import TerminatedWorkerError

from forecast.backtesting.checkpoint import Checkpoint
from forecast.backtesting.tasks import FitTask, TaskResult, run_task
from forecast.data.panel import Panel
from forecast.models.base import Forecaster

Key = tuple[str, int, int]
#: Fitted models by name and member; None where a chain starts from scratch.
Models = dict[tuple[str, int], Forecaster | None]
#: A task and, in a chain, the fitted model that it continues from.
Job = tuple[FitTask, Forecaster | None]
#: Runs jobs and yields each task with its result, in the order in which they finish.
Runner = Callable[[Sequence[Job]], Iterator[tuple[FitTask, TaskResult]]]

MAX_PER_CORE = 4  # processes: more only compete, and each needs the memory of the libraries
MIN_MAPPED_SIZE = "64K"  # arrays of this size and more are memory-mapped by the processes, not sent with each task


@dataclass
class Executor:
    """Runs the tasks of one backtest.

    Parameters
    ----------
    panel : Panel
        The prices.
    horizon : int
        Rows to forecast after each cutoff.
    n_jobs : int, default 1
        Number of processes, of which no more are started than tasks or four per core; −1 for one per core.
    client : distributed.Client, optional
        Its workers run the tasks instead.
    on_error : {"raise", "record"}, default "raise"
        Whether a failed fit raises or is recorded.
    checkpoint : Checkpoint, optional
        Where results are stored as they finish, and from where those of an earlier run are read.
    progress : callable, optional
        Called with the number of tasks done and the number of all tasks.
    """

    panel: Panel
    horizon: int
    n_jobs: int = 1
    client: Any = None
    on_error: str = "raise"
    checkpoint: Checkpoint | None = None
    progress: Callable[[int, int], None] | None = None

    def run(self, tasks: Sequence[FitTask]) -> dict[Key, TaskResult]:
        """Return the result of every task, by its key.

        If any model continues from its previous fit, periods run one after another, and the tasks within a period in
        parallel; otherwise all tasks run in parallel.
        """
        results, models = self._read_checkpoint(tasks)
        remaining = [task for task in tasks if task.key not in results]
        by_period = any(task.chained for task in tasks)

        def batch_number(task: FitTask) -> int:
            return task.period.number if by_period else 0

        with self._runner(remaining) as run_jobs:
            for _, batch in groupby(sorted(remaining, key=batch_number), key=batch_number):
                jobs = [(task, models.pop(task.key[:2], None) if task.chained else None) for task in batch]
                for task, result in run_jobs(jobs):
                    results[task.key] = TaskResult(result.forecast, result.fit_info)
                    if self.checkpoint is not None:
                        self.checkpoint.write(task, result)
                    if task.chained:
                        models[task.key[:2]] = result.model
                    if self.progress is not None:
                        self.progress(len(results), len(tasks))
        return results

    def _read_checkpoint(self, tasks: Sequence[FitTask]) -> tuple[dict[Key, TaskResult], Models]:
        """Return the stored results, and the fitted models that unfinished chains continue from.

        A chain whose last fitted model is not stored starts again.
        """
        results: dict[Key, TaskResult] = {}
        models: Models = {}
        if self.checkpoint is None:
            return results, models
        for name, group in groupby(tasks, key=lambda task: task.key[:2]):
            chain = list(group)
            stored = [(task, result) for task in chain if (result := self.checkpoint.read(task)) is not None]
            if chain[0].chained and len(stored) < len(chain):
                done = [task.period.number for task, _ in stored]
                has_no_gap = done == list(range(len(done)))
                models[name] = self.checkpoint.read_fit(stored[-1][0]) if has_no_gap and stored else None
                stored = stored if models[name] is not None else []
            results |= {task.key: result for task, result in stored}
        return results, models

    @contextmanager
    def _runner(self, tasks: Sequence[FitTask]) -> Iterator[Runner]:
        """Yield the function that runs jobs: here, in processes, or on the cluster."""
        shared = (self.panel, self.horizon, self.on_error)
        n_jobs = process_count(self.n_jobs, len(tasks))
        if self.client is not None or n_jobs > 1:
            check_picklable({task.name: task.model for task in tasks})
        if self.client is not None:
            panel = self.client.scatter(self.panel, broadcast=True)  # sent once to every worker
            yield lambda jobs: _run_on_cluster(self.client, jobs, panel, self.horizon, self.on_error)
        elif n_jobs == 1:
            yield lambda jobs: (_run_job(job, *shared) for job in jobs)
        else:
            with _processes(n_jobs) as parallel:
                yield lambda jobs: parallel(delayed(_run_job)(job, *shared) for job in jobs)


def process_count(n_jobs: int, n_tasks: int) -> int:
    """Return how many processes are started for a number of tasks, at least 1."""
    wanted = n_jobs if n_jobs > 0 else cpu_count() + 1 + n_jobs  # joblib's convention
    return max(min(wanted, n_tasks, MAX_PER_CORE * cpu_count()), 1)


def check_picklable(models: Mapping[str, Forecaster]) -> None:
    """Raise TypeError, with the reason, if a model cannot be sent to another process.

    A class that is defined in a function, a script or a notebook is sent with the model.
    """
    for name, model in models.items():
        try:
            dumps(model)
        except Exception as error:
            reason = error.__cause__ or error
            raise TypeError(
                f"{name} cannot be sent to another process: {reason}. Create such an object in fit, not in the class, "
                "the constructor or a global that the class uses; or use one process (n_jobs=1)"
            ) from error


@contextmanager
def _processes(n_jobs: int) -> Iterator[Callable[[Iterable[Any]], Iterator[Any]]]:
    """Yield joblib's pool of processes; raise ChildProcessError if one of them is killed."""
    pool = Parallel(
        n_jobs=n_jobs,
        backend="loky",  # named, so that a surrounding `joblib.parallel_config` does not choose another
        return_as="generator_unordered",
        max_nbytes=MIN_MAPPED_SIZE,
        initializer=_exit_with_parent,
        initargs=(os.getpid(),),
    )
    with warnings.catch_warnings(), pool as parallel:
        # loky replaces a worker that has grown, as one that imports torch does; no task is lost
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
        try:
            yield parallel
        except TerminatedWorkerError as error:
            exit_codes = re.search(r"{(.*)}", str(error))
            raise ChildProcessError(
                f"a process ended unexpectedly{f' ({exit_codes[1]})' if exit_codes else ''}, as when the system "
                "kills one because memory runs out: use fewer processes (n_jobs)"
            ) from error


def _run_job(job: Job, panel: Panel, horizon: int, on_error: str) -> tuple[FitTask, TaskResult]:
    """Run a task and return it with its result, because processes finish in any order."""
    task, previous = job
    return task, run_task(task, panel, horizon, on_error, previous)


def _exit_with_parent(parent: int) -> None:
    """End this process when its parent is killed; a loky worker would wait forever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run_on_cluster(
    client: Any, jobs: Sequence[Job], panel: Any, horizon: int, on_error: str
) -> Iterator[tuple[FitTask, TaskResult]]:
    """Run jobs on Dask's workers; the jobs of a lost worker run on another.

    Uses Dask's futures: joblib's Dask backend waits forever if a worker cannot load what it receives.
    """
    from distributed import as_completed

    futures = {
        client.submit(run_task, task, panel, horizon, on_error, previous, pure=False): task for task, previous in jobs
    }
    try:
        for future in as_completed(list(futures)):
            yield futures.pop(future), future.result()
    finally:
        client.cancel(list(futures))
