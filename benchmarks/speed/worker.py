"""What every side of the race runs in: a process of its own that is told tasks on standard input, one a line.

A task is JSON: its name, the file of the series, and the walk. The answer is the seconds that it took, the most memory
that the process ever held, and the forecasts (or one number, of a fit), in a file. Needs numpy and nothing else, for it
runs in the peers' environments.
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
    """Cutoffs `step` rows apart, the last `horizon` rows before the end; fitted anew at every `refit`-th.

    `training` is how many steps each fit takes, if not as many as a side would by itself.
    """

    horizon: int
    n: int
    step: int
    refit: int
    training: int | None = None

    def cutoffs(self, rows: int) -> list[int]:
        """Give the last rows that are known."""
        last = rows - 1 - self.horizon
        return [last - (self.n - 1 - i) * self.step for i in range(self.n)]


class Stopwatch:
    """Measures what is inside a `with`, so that a task can leave out what is not to be timed."""

    seconds = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: Any) -> None:
        self.seconds += time.perf_counter() - self._start


Task = Callable[[np.ndarray, Walk, Stopwatch], np.ndarray]  # series (T, N) to forecasts (K, N, H), or a number


def serve(tasks: dict[str, Task]) -> None:
    """Do the task that the command line names, untimed, then answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    noise = np.random.default_rng(0).normal(size=(400, 1)).cumsum(axis=0)
    tasks[sys.argv[1]](noise, Walk(horizon=5, n=2, step=5, refit=2), Stopwatch())  # what is loaded at first use
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        ask = json.loads(line)
        y, walk, watch = np.load(ask["data"]), Walk(**ask["walk"]), Stopwatch()
        said = tasks[ask["task"]](y, walk, watch)
        np.save(ask["out"], said)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": watch.seconds, "peak_mib": peak}), file=answers, flush=True)
