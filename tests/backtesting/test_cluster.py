"""The same tasks on a Dask cluster: a scheduler and two workers, each in its own process, one of which is killed.

The remaining worker has two threads, which change no byte either.
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
from helpers.command_line import command_line
from helpers.quick import quick, walks

import forecast as fc
from forecast import _io
from forecast.models.naive import Naive

pytestmark = pytest.mark.cluster
distributed = pytest.importorskip("distributed")
CV = fc.WalkForward(horizon=2, n_windows=8)


class Slow(Naive):
    """Sleeps, so that a worker can be killed while it runs."""

    def _fit(self, panel, horizon):
        time.sleep(0.2)
        super()._fit(panel, horizon)


def models():
    return {"slow": Slow(), "arima": fc.ARIMA((1, 1, 1)), "net": quick("lstm", members=4, layers=2, dropout=0.3)}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler's address and its two workers, by their process ids."""
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), str(Path(__file__).parent), *filter(None, sys.path)])
    options = {"cwd": tmp_path_factory.mktemp("dask"), "env": os.environ | {"PYTHONPATH": path}}
    options |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--no-dashboard"]
    scheduler = subprocess.Popen([*command, "--port", address.rsplit(":", 1)[1]], **options)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard"]
    workers = [subprocess.Popen([*command, "--nthreads", str(threads)], **options) for threads in (1, 2)]
    try:
        with distributed.Client(address, timeout="60s") as client:
            client.wait_for_workers(2, timeout=60)
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def test_cluster_changes_no_byte_if_a_worker_dies(cluster, tmp_path):
    address, workers = cluster
    prices = walks(rows=90, series=2)
    fc.backtest(models(), prices, CV, refit=2, out=tmp_path / "serial")
    with distributed.Client(address) as client:
        fc.backtest(models(), prices, CV, refit=2, out=tmp_path / "complete", client=client)
        assert (tmp_path / "complete" / _io.FORECASTS).read_bytes() == (
            tmp_path / "serial" / _io.FORECASTS
        ).read_bytes()
        done = threading.Event()
        killer = threading.Thread(target=lambda: (done.wait(60), os.kill(workers[0].pid, signal.SIGKILL)))
        killer.start()
        fc.backtest(models(), prices, CV, refit=2, out=tmp_path / "one-killed", client=client,
                    progress=lambda now, total: done.set() if now == 3 else None)  # fmt: skip
        killer.join()
        assert workers[0].wait(10) == -signal.SIGKILL
        assert len(client.scheduler_info()["workers"]) == 1
    assert (tmp_path / "one-killed" / _io.FORECASTS).read_bytes() == (tmp_path / "serial" / _io.FORECASTS).read_bytes()


def test_command_line_runs_on_a_cluster(cluster, tmp_path, monkeypatch, capsys):
    address, _ = cluster
    run = command_line(monkeypatch, capsys)
    walks(rows=60).to_csv(tmp_path / "p.csv", index_label="date")
    command = ["backtest", str(tmp_path / "p.csv"), "--models", "drift", "--windows", "4"]
    command += ["--backend", "dask", "--scheduler"]
    code, _, errors = run([*command, address, "--out", str(tmp_path / "run")])
    assert code == 0, errors
    assert (tmp_path / "run" / _io.REPORT).exists()
    client = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda address, timeout: client(address, timeout="0.5s"))
    code, _, errors = run([*command, "tcp://127.0.0.1:9", "--out", str(tmp_path / "other")])  # no scheduler there
    assert code == 2
    assert errors.splitlines()[-1].startswith("forecast: Timed out trying to connect to tcp://127.0.0.1:9")
