"""Random interleavings of runs, saves and kills in one folder: no finished fit is lost, no other file is touched.

`PYTHONPATH=tests .venv/bin/python tests/backtesting/test_interleavings.py 1000` checks a thousand of them.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest

import forecast as fc
from forecast import _io
from forecast.backtesting.checkpoint import checkpoint_folder

PRICES = 100 + np.random.default_rng(0).normal(size=30).cumsum()
CV = fc.WalkForward(horizon=1, n_windows=3)
FITS = 6  # of naive and drift
WRITES = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir")
FINISHED, REFUSED, FAILED, KILLED = 0, 2, 3, 137
FOREIGN = {"note.txt": b"mine", ".run.lock": b"", "runs/thesis.tex": b"three weeks", "run.old/spec.json": b"{}"}


def backtest(folder, **options):
    return fc.backtest({"drift": fc.Drift()}, PRICES, CV, out=folder / "run", **options)


def save_model(folder):
    fc.Drift().fit(PRICES, 1).save(folder / "model")


def save_again(folder):
    fc.BacktestResult.load(folder / "run").save(folder / "run")


def report(folder):
    fc.BacktestResult.load(folder / "run")
    with _io.folder_lock(folder / "run", _io.RUN), _io.atomic_file(folder / "run" / _io.REPORT) as temporary:
        temporary.write_text("report")


ACTIONS = {
    "run": backtest,
    "resume": lambda folder: backtest(folder, resume=True),
    "restart": lambda folder: backtest(folder, restart=True),
    "load": lambda folder: fc.BacktestResult.load(folder / "run"),
    "save": save_again,
    "report": report,
    "model": save_model,
}


def start(action, folder, kill_at=None, **options):
    """Run an action in a process of its own, which ends without any clean-up before its n-th access to the folder."""
    child = os.fork()
    if child:
        return child
    code = FAILED
    try:
        accesses = 0

        def count(event, args):
            nonlocal accesses
            if event in WRITES and str(args[0]).startswith(str(folder)):
                accesses += 1
                if accesses == kill_at:
                    os._exit(KILLED)

        if kill_at is not None:
            sys.addaudithook(count)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            action(folder, **options)
        code = FINISHED
    except ValueError:
        code = REFUSED
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def end(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def stored_fits(folder):
    """Return how many finished fits the disk holds, in a run (wherever a kill left it) or in the checkpoint."""
    target = folder / "run"
    for path in (target, _io.sibling(target, "old")):
        if _io.is_kind(path, _io.RUN) and all((path / name).is_file() for name in (_io.FORECASTS, _io.FITS)):
            return FITS
    return len(list(checkpoint_folder(target).glob("*.npz")))


def race(folder, rng):
    """Start a run that waits after one of its fits, and another action meanwhile; return whether it was refused."""
    waiting, resumed = os.pipe(), os.pipe()
    at = rng.randint(1, FITS)

    def wait(done, total):
        if done == at:
            os.write(waiting[1], b"x")
            os.read(resumed[0], 1)

    first = start(backtest, folder, resume=True, progress=wait)
    os.close(waiting[1])
    if is_waiting := os.read(waiting[0], 1) == b"x":
        for name in rng.sample(("run", "resume", "restart"), 2):
            assert end(start(ACTIONS[name], folder)) == REFUSED, name
    if rng.random() < 0.5:
        os.kill(first, signal.SIGKILL)
    os.write(resumed[1], b"x")
    end(first)
    for pipe in (waiting[0], *resumed):
        os.close(pipe)
    return is_waiting


def interleave(folder, seed, expected):
    """Take random steps in a folder and check it after each; return how many kills there were, and how many races."""
    rng = random.Random(seed)
    for name, content in FOREIGN.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    killed = races = 0
    for _ in range(rng.randint(2, 4)):
        before = stored_fits(folder)
        name = rng.choice([*ACTIONS, "resume", "restart", "save", "race"])
        if name == "race":
            races += race(folder, rng)
        else:
            kill_at = None if rng.random() < 0.2 else int(1.5 ** rng.uniform(0, 12))
            code = end(start(ACTIONS[name], folder, kill_at))
            assert code != FAILED, name
            killed += code == KILLED
        finished_before = before == FITS and not checkpoint_folder(folder / "run").exists()
        if name != "restart" or finished_before:
            assert stored_fits(folder) >= before, (seed, name)
        assert {name: (folder / name).read_bytes() for name in FOREIGN} == FOREIGN
    assert end(start(ACTIONS["resume"], folder)) == FINISHED
    assert (folder / "run" / _io.FORECASTS).read_bytes() == expected
    assert end(start(save_model, folder)) == FINISHED
    assert {path.name for path in folder.iterdir()} == {"run", "model", "runs", "run.old", "note.txt", ".run.lock"}
    return killed, races


def check(folder, seeds):
    """Check the interleavings of these seeds in an empty folder."""
    backtest(folder / "complete")
    save_model(folder / "complete")
    expected = (folder / "complete" / "run" / _io.FORECASTS).read_bytes()
    killed = races = 0
    for seed in seeds:
        (own := folder / str(seed)).mkdir()
        counts = interleave(own, seed, expected)
        killed, races = killed + counts[0], races + counts[1]
    assert killed > len(seeds) / 2
    assert races > len(seeds) / 30


@pytest.fixture(autouse=True)
def short_wait(monkeypatch):
    monkeypatch.setattr(_io, "LOCK_SECONDS", 0.01)


@pytest.mark.medium
def test_no_finished_fit_is_lost(tmp_path):
    check(tmp_path, range(15))


@pytest.mark.kill
def test_no_finished_fit_is_lost_in_more_interleavings(tmp_path):
    check(tmp_path, range(15, 100))


if __name__ == "__main__":
    _io.LOCK_SECONDS = 0.01
    with tempfile.TemporaryDirectory() as folder:
        check(Path(folder), range(int(sys.argv[1])))
