"""Loop of every worker process of the comparison: read tasks from standard input, one a line, and write results.

A task is JSON: its name, the file of the series, and the walk. The result is the seconds of the task, the peak memory
of the process, and the forecasts (or one number, of a fit), in a file. Needs numpy only, as it also runs in the other
packages' environments.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

LOOKBACK, HIDDEN, STEPS, WINDOWS = 60, 64, 300, 128  # of every network; windows of a training step


@dataclass(frozen=True)
class Walk:
    """Cutoffs `step_size` rows apart, the last one `horizon` rows before the end; refitted at every `refit`-th.

    `training_steps` is the number of training steps of a fit; None for a task's own number.
    """

    horizon: int
    n_windows: int
    step_size: int
    refit: int
    training_steps: int | None = None

    def cutoffs(self, rows: int) -> list[int]:
        """Return the last row of each history."""
        last = rows - 1 - self.horizon
        return [last - (self.n_windows - 1 - i) * self.step_size for i in range(self.n_windows)]


class Stopwatch:
    """A timer of the code inside a `with`, so that a task can exclude what is not to be timed."""

    seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: Any) -> None:
        self.seconds += time.perf_counter() - self._start


Task = Callable[[np.ndarray, Walk, Stopwatch], np.ndarray]  # series (T, N) to forecasts (K, N, H), or a number


def serve(tasks: dict[str, Task]) -> None:
    """Run the task that the command line names, untimed, then the tasks of the input until it ends."""
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # prints of the libraries go to standard error
    noise = np.random.default_rng(0).normal(size=(400, 1)).cumsum(axis=0)
    warm_up = Walk(horizon=5, n_windows=2, step_size=5, refit=2)
    tasks[sys.argv[1]](noise, warm_up, Stopwatch())  # modules that load on first use
    print("ready", file=output, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        y, walk, watch = np.load(request["data"]), Walk(**request["walk"]), Stopwatch()
        np.save(request["out"], tasks[request["task"]](y, walk, watch))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": watch.seconds, "peak_mib": peak}), file=output, flush=True)
