"""The same units on a Dask cluster: a scheduler and two workers, each a process of its own, one of which is killed.

The one that is left has two threads, which change no byte either.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from helpers.quick import quick, walks

import forecast as fc
from forecast import _io
from forecast.models.naive import Naive

distributed = pytest.importorskip("distributed")
CV = fc.WalkForward(horizon=2, n_windows=8)


class Slow(Naive):
    """Takes its time, so that a worker can be killed while it works."""

    def _fit(self, panel, horizon):
        time.sleep(0.2)
        super()._fit(panel, horizon)


def models():
    return {"slow": Slow(), "arima": fc.ARIMA((1, 1, 1)), "net": quick("lstm", members=4, layers=2, dropout=0.3)}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler's address and its two workers, by their process ids."""
    place = tmp_path_factory.mktemp("dask")
    here = {
        "cwd": place,
        "env": os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])},
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    logs = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    told = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--no-dashboard"]
    scheduler = subprocess.Popen([*told, "--port", address.rsplit(":", 1)[1]], **here, **logs)
    work = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        address,
        "--no-nanny",
        "--nthreads",
    ]
    workers = [subprocess.Popen([*work, str(threads), "--no-dashboard"], **here, **logs) for threads in (1, 2)]
    try:
        with distributed.Client(address, timeout="60s") as client:
            client.wait_for_workers(2, timeout=60)
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def test_a_cluster_gives_the_same_bytes_even_if_a_worker_dies(cluster, tmp_path):
    address, workers = cluster
    prices = walks(rows=90, series=2)
    fc.backtest(models(), prices, CV, refit=2, out=tmp_path / "serial")
    with distributed.Client(address) as client:
        fc.backtest(models(), prices, CV, refit=2, out=tmp_path / "whole", client=client)
        assert (tmp_path / "whole" / _io.FORECASTS).read_bytes() == (tmp_path / "serial" / _io.FORECASTS).read_bytes()
        done = threading.Event()
        killer = threading.Thread(target=lambda: (done.wait(60), os.kill(workers[0].pid, signal.SIGKILL)))
        killer.start()
        fc.backtest(models(), prices, CV, refit=2, out=tmp_path / "hurt", client=client,
                    progress=lambda now, total: done.set() if now == 3 else None)  # fmt: skip
        killer.join()
        assert workers[0].wait(10) == -signal.SIGKILL
        assert len(client.scheduler_info()["workers"]) == 1
    assert (tmp_path / "hurt" / _io.FORECASTS).read_bytes() == (tmp_path / "serial" / _io.FORECASTS).read_bytes()


def test_the_command_line_sends_its_work_to_a_cluster(cluster, tmp_path):
    address, _ = cluster
    walks(rows=60).to_csv(tmp_path / "p.csv", index_label="date")
    command = [sys.executable, "-m", "forecast", "backtest", str(tmp_path / "p.csv"), "--models", "drift", "--windows"]
    command += ["4", "--out", str(tmp_path / "run"), "--backend", "dask", "--scheduler"]
    told = subprocess.run([*command, address], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "run" / _io.REPORT).exists()
    nobody = subprocess.run([*command, "tcp://127.0.0.1:9"], capture_output=True, text=True)
    assert nobody.returncode == 2
    assert nobody.stderr.splitlines()[-1].startswith("forecast: ")
