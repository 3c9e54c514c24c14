"""The sides of the race: an environment for each peer, with its versions pinned, and a process in it that answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "peers"
#: What each peer's environment holds. The CPU build of torch is taken where pip finds it (see README).
PINS = {
    "neuralforecast": ("torch==2.13.0", "neuralforecast==3.3.0"),
    "darts": ("torch==2.13.0", "darts==0.48.1", "pytorch-lightning==2.6.6"),
    "statsforecast": ("statsforecast==2.1.1",),
}


def python_of(side: str) -> str:
    """Give the Python of a side, after making its environment if it is not there."""
    if side == "forecast":
        return sys.executable
    place = BUILD / side
    python = place / "bin" / "python"
    if not (place / "ready").exists():
        print(f"making {place} with {', '.join(PINS[side])}", file=sys.stderr)
        venv.create(place, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *PINS[side]]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (place / "ready").touch()
    return str(python)


class Side:
    """A process that does what it is told, one task after the other."""

    def __init__(self, name: str, warm_up: str, threads: int) -> None:
        """Start it; the task `warm_up` is done once on a few rows, for what is loaded at first use is not timed."""
        several = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        limit = dict.fromkeys(several, str(threads))
        self.folder = TemporaryDirectory()
        self.process = subprocess.Popen(
            [python_of(name), str(HERE / f"worker_{name}.py"), warm_up],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self.folder.name,  # what a peer writes beside itself goes with it
            env=os.environ | limit,
        )
        if self._line() != "ready\n":
            raise RuntimeError(f"{name} did not start: run {python_of(name)} worker_{name}.py {warm_up} to see why")

    def ask(self, task: str, y: np.ndarray, walk: dict[str, int]) -> tuple[dict[str, float], np.ndarray]:
        """Give the seconds and the peak of memory of a task, and its forecasts."""
        data, out = (str(Path(self.folder.name) / name) for name in ("data.npy", "out.npy"))
        np.save(data, y)
        assert self.process.stdin is not None
        print(json.dumps({"task": task, "data": data, "out": out, "walk": walk}), file=self.process.stdin, flush=True)
        line = self._line()
        if not line:
            raise RuntimeError(f"{self.process.args} ended during {task}")
        return json.loads(line), np.load(out)

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()
