"""Folders and files: known by their contents, written by one process at a time, healed after a kill; ~ is the home."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import command_line

import forecast as fc
from forecast import _io
from forecast.cli.price_commands import write_table
from forecast.data.yahoo.cache import Cache
from forecast.report.html import page

PRICES = 100 + np.random.default_rng(0).normal(size=40).cumsum()
CV = fc.WalkForward(horizon=1, n_windows=3)


@pytest.fixture(scope="module")
def result():
    return fc.backtest({"drift": fc.Drift()}, PRICES, CV, predict_next=True)


@pytest.fixture
def model():
    return fc.Drift().fit(PRICES, 1)


@pytest.fixture
def call(monkeypatch, capsys):
    """Return a function that runs a command line in this process and returns its exit code and stderr."""
    run = command_line(monkeypatch, capsys)
    return lambda line: run(line)[::2]


@pytest.fixture
def _short_page(monkeypatch):
    """A report of two words, for tests of where it is written."""
    monkeypatch.setattr(page, "render", lambda result, loss: "a page")


def contents(folder):
    """Return everything in a folder, hidden files included, with the bytes of files."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


# --- which folder is whose --------------------------------------------------------------------------------------------

FOREIGN = {
    "another framework's model": {"weights.pt": "three weeks", "model.json": '{"mine": true}'},
    "a description alone": {"model.json": '{"mine": true}', "spec.json": '{"openapi": "3.0"}'},
    "files with our names": {"model.json": "[]", "arrays.npz": "", "spec.json": "3", "forecasts.parquet": "PAR1"},
    "another kind": {"spec.json": '{"kind": "forecast model"}', "model.json": '{"kind": "forecast run"}'},
    "a page": {"report.html": "<h1>by hand</h1>"},
    "folders with our names": {"spec.json/thesis.tex": "mine", "model.json/thesis.tex": "mine"},
    "hidden files": {".git/HEAD": "ref"},
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_folder_of_something_else_is_refused(case, result, model, tmp_path, call, monkeypatch):
    for name, text in FOREIGN[case].items():
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_text(text)
    before = contents(tmp_path)
    monkeypatch.chdir(tmp_path)
    for save in (result.save, model.save):
        with pytest.raises(ValueError, match=r"^mine holds '.*'.*: name a folder that is new, empty or a "):
            save("mine")
    for start in ({}, {"resume": True}, {"restart": True}):
        with pytest.raises(ValueError, match=r"^mine holds '"):
            fc.backtest({"drift": fc.Drift()}, PRICES, CV, out="mine", **start)
    for line in ("backtest stocks --models drift --restart --out mine", "fit stocks --model drift --force --out mine"):
        code, err = call(line)
        assert code == 2
        assert err.startswith("forecast: mine holds '")
        assert err.count("\n") == 1
    assert contents(tmp_path) == before


def test_files_of_others_in_a_run_are_named_and_not_deleted(result, model, tmp_path):
    for kind, save in ((_io.RUN, result.save), (_io.MODEL, model.save)):
        folder = tmp_path / kind.name
        save(folder)
        for name in "abcde":
            (folder / name).write_text("mine")
        before = contents(tmp_path)
        with pytest.raises(ValueError, match=r"holds 'a', 'b', 'c' and 2 more, which is not part of a"):
            save(folder)
        assert contents(tmp_path) == before
        for name in "abcde":
            (folder / name).unlink()
        (folder / kind.description).rename(tmp_path / "aside")
        (folder / kind.description).symlink_to(tmp_path / "aside")
        with pytest.raises(ValueError, match=rf"holds '{kind.description}', which is not part of a"):
            save(folder)


@pytest.mark.parametrize("role", ["new", "old"])
def test_hidden_folders_of_others_are_not_deleted(role, result, model, tmp_path):
    for kind, save in ((_io.RUN, result.save), (_io.MODEL, model.save)):
        folder = tmp_path / kind.name
        save(folder)
        (other := _io.sibling(folder, role)).mkdir()
        (other / kind.description).write_text("{}")
        before = contents(tmp_path)
        (fc.BacktestResult.load if kind is _io.RUN else fc.load_model)(folder)
        with pytest.raises(
            ValueError, match=rf"\.{folder.name}\.forecast-{role} is not of this package and in the way"
        ):
            save(folder)
        assert contents(tmp_path) == before


def test_files_of_the_system_are_no_obstacle(result, model, tmp_path):
    for save, name in ((result.save, "run"), (model.save, "model")):
        save(tmp_path / name)
        for file in _io.SYSTEM_FILES:
            (tmp_path / name / file).write_text("icons")
        save(tmp_path / name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").write_text("icons")
    model.save(tmp_path / "empty")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "model", "run"]


def test_nothing_is_written_into_a_run_or_a_model(result, model, tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result.save("run")
    model.save("model")
    before = contents(tmp_path)
    for place in ("run", "model"):
        for save in (result.save, model.save):
            with pytest.raises(ValueError, match=r"is in .*, which holds a run or a model: name a folder"):
                save(f"{place}/sub/deep")
        for line in ("backtest stocks --models drift --out {}/sub", "fit stocks --model drift --out {}/sub"):
            code, err = call(line.format(place))
            assert (code, err.count("\n")) == (2, 1)
            assert "which holds a run or a model" in err
    assert contents(tmp_path) == before


@pytest.mark.usefixtures("_short_page")
@pytest.mark.medium
def test_out_is_neither_what_is_read_nor_a_file_of_a_run_or_model(result, model, tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result.save("run")
    model.save("model")
    Path(".run.checkpoint").mkdir()
    _io.write_spec(Path(".run.checkpoint"), {}, _io.CHECKPOINT)
    prices = "date,A\n" + "".join(f"2020-01-{day:02},{99 + day % 7}\n" for day in range(1, 29))
    Path("prices.csv").write_text(prices)
    Path("link.csv").symlink_to("prices.csv")
    os.link("prices.csv", "hard.csv")
    Path("away").symlink_to("run")
    before = contents(tmp_path)
    for line, reason in {
        "predict model prices.csv --out prices.csv": "is the file that is read",
        "predict model prices.csv --out ./model/../prices.csv": "is the file that is read",
        "predict model prices.csv --out link.csv": "is the file that is read",
        "predict model link.csv --out hard.csv": "is the file that is read",
        "predict model prices.csv --out model/next.csv": "is in ",
        "predict model prices.csv --out away/forecasts.parquet": "is in ",
        "predict model prices.csv --out .run.checkpoint/next.csv": "is in ",
        "download AAPL --offline --out run/fits.parquet": "is in ",
        "report run --out run/forecasts.parquet": r"must end in .html",
        "report run --out prices.csv": "must end in .html",
        "report run --out model/report.html": "is in ",
        "report run --out run/other.html": "is in ",
    }.items():
        code, err = call(line)
        assert (code, err.count("\n")) == (2, 1), line
        assert err.startswith("forecast: --out "), line
        assert reason in err, line
    assert contents(tmp_path) == before
    assert call("report run --out away/report.html")[0] == 0
    assert call("report away --out page.html")[0] == 0
    assert call("report away --out page.html")[0] == 0
    assert call("fit prices.csv --model drift --out run2")[0] == 0
    assert call("predict run2 prices.csv --out next.csv")[0] == 0
    assert {"run/report.html", "page.html", "next.csv"} < {*contents(tmp_path)} - {*before}


# --- kills in the middle of a replacement -----------------------------------------------------------------------------


def killed_at(number, save):
    """Save in another process, which ends at its n-th rename; return whether it was killed."""
    child = os.fork()
    if child == 0:
        count = 0

        def stop(event, args):
            nonlocal count
            count += event == "os.rename"
            if count == number:
                os._exit(137)

        sys.addaudithook(stop)
        save()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 137


HEALERS = ("load", "save", pytest.param("command", marks=pytest.mark.slow))


@pytest.mark.usefixtures("_short_page")
@pytest.mark.parametrize("healer", HEALERS)
@pytest.mark.parametrize("kind", [_io.RUN, _io.MODEL], ids=["run", "model"])
@pytest.mark.medium
def test_a_kill_at_any_rename_is_healed_by_the_next_command(kind, healer, result, model, tmp_path, call):
    folder = tmp_path / "x"
    save = lambda: (result if kind is _io.RUN else model).save(folder)  # noqa: E731
    load = fc.BacktestResult.load if kind is _io.RUN else fc.load_model
    missing, number = 0, 0
    save()
    before = contents(folder)
    while killed_at(number := number + 1, save):
        missing += not folder.exists()
        if healer == "load":
            load(folder)
        elif healer == "save":
            save()
        elif kind is _io.RUN:
            assert call(f"report {folder} --out {tmp_path / 'page.html'}")[0] == 0
            (tmp_path / "page.html").unlink()
        else:
            assert call(f"fit stocks --model drift --force --out {folder}")[0] == 0
            model.save(folder, replace=True)
        assert [path.name for path in tmp_path.iterdir()] == ["x"]
        assert contents(folder) == before
    assert number > 3
    assert missing == 1  # between the two renames


@pytest.mark.medium
def test_a_fit_after_a_kill_replaces_no_model_of_other_data(tmp_path, call):
    (model := fc.Drift().fit(PRICES, 1)).save(folder := tmp_path / "m")
    number = next(n for n in range(1, 9) if killed_at(n, lambda: model.save(folder)) and not folder.exists())
    assert number
    code, err = call(f"fit stocks --model drift --out {folder}")
    assert code == 2
    assert "holds Drift fitted on" in err
    assert fc.load_model(folder).series_ == model.series_


def test_remains_in_a_run_are_swept(result, tmp_path):
    result.save(folder := tmp_path / "x")
    for name in _io.remains(_io.RUN):
        (folder / name).write_text("half")
    result.save(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted([_io.FITS, _io.FORECASTS, _io.NEXT, _io.SPEC])
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


# --- one process at a time --------------------------------------------------------------------------------------------


def test_a_second_writer_is_refused_and_a_killed_one_does_not_block(result, model, tmp_path, call, monkeypatch):
    monkeypatch.setattr(_io, "LOCK_SECONDS", 0.05)
    result.save(tmp_path / "run")
    model.save(tmp_path / "model")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    before = contents(tmp_path)
    ready = os.pipe()
    child = os.fork()
    if child == 0:
        with _io.folder_lock(tmp_path / "run", _io.RUN), _io.folder_lock(tmp_path / "model", _io.MODEL):
            os.write(ready[1], b"x")
            signal.pause()
    os.read(ready[0], 1)
    try:
        message = rf"(run|model) is being written by process {child} on \S+: wait until it has ended, or name another"
        for save, name in ((result.save, "run"), (result.save, "link"), (model.save, "model")):
            with pytest.raises(ValueError, match=message):
                save(tmp_path / name)
        with pytest.raises(ValueError, match=message):
            fc.backtest({"drift": fc.Drift()}, PRICES, CV, out=tmp_path / "link", restart=True)
        for line in ("backtest stocks --restart --out {}/run", "report {}/run", "fit stocks --force --out {}/model"):
            code, err = call(line.format(tmp_path))
            assert code == 2
            assert f"process {child} on" in err
            assert err.startswith("forecast: /")  # and no name of a model
        fc.BacktestResult.load(tmp_path / "run")  # readers need no lock
        fc.load_model(tmp_path / "model")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert {*contents(tmp_path)} - {*before} == {".run.forecast-lock", ".model.forecast-lock"}
    result.save(tmp_path / "link")
    model.save(tmp_path / "model")
    assert {path.name for path in tmp_path.iterdir()} == {"run", "model", "link"}


def test_a_second_thread_is_refused_and_the_same_thread_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(_io, "LOCK_SECONDS", 0.05)
    errors = []

    def write():
        try:
            with _io.folder_lock(tmp_path / "run", _io.RUN):
                errors.append("locked twice")
        except ValueError as error:
            errors.append(str(error))

    with _io.folder_lock(tmp_path / "run", _io.RUN), _io.folder_lock(tmp_path / "run", _io.RUN):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert f"run is being written by process {os.getpid()} on" in errors[0]
    assert not list(tmp_path.iterdir())


def test_two_writers_of_one_file_take_turns(tmp_path):
    path, errors = tmp_path / "table.txt", []

    def write(number):
        try:
            for _ in range(20):
                with _io.atomic_file(path) as temporary:
                    temporary.write_text(str(number) * 1000)
                assert len(set(path.read_text())) == 1
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [p.name for p in tmp_path.iterdir()] == ["table.txt"]


# --- ~ ----------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_short_page")
@pytest.mark.medium
def test_tilde_is_the_home_folder_everywhere(result, model, tmp_path, monkeypatch, call):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("FORECAST_CACHE", "~/cache")
    (home / "prices.csv").write_text("date,A\n" + "".join(f"2020-01-{d:02},{99 + d % 7}\n" for d in range(1, 29)))
    result.save("~/runs/saved")
    assert fc.BacktestResult.load("~/runs/saved").forecasts.equals(result.forecasts)
    fc.backtest({"drift": fc.Drift()}, PRICES, CV, out="~/runs/python")
    fc.write_report(result, "~/python.html")
    model.save("~/models/python")
    fc.load_model("~/models/python")
    assert len(fc.read_prices("~/prices.csv")) == 28
    assert Cache("yahoo").folder == home / "cache" / "yahoo"
    for line in (
        "backtest '~/prices.csv' --models drift --windows 3 --horizon 1 --out '~/runs/line'",
        "backtest --spec '~/runs/line' --out '~/runs/again'",
        "report '~/runs/line' --out '~/line.html'",
        "fit '~/prices.csv' --model drift --out '~/models/line'",
        "predict '~/models/line' '~/prices.csv' --out '~/forecast.csv'",
    ):
        code, err = call(line)
        assert code == 0, err
    assert not list(work.iterdir())
    names = {"runs", "models", "prices.csv", "python.html", "line.html", "forecast.csv"}
    assert {path.name for path in home.iterdir()} - {".cache", ".config"} == names
    for path in ("~nobody-here/x", "~nobody-here"):
        for use in (result.save, model.save, fc.load_model, fc.BacktestResult.load, fc.read_prices):
            with pytest.raises(ValueError, match=r"there is no home folder ~nobody-here; .* write \./~nobody-here"):
                use(path)
        code, err = call(f"backtest stocks --models drift --out {path}")
        assert (code, err.count("\n")) == (2, 1)
        assert err.startswith(f"forecast: --out {path}: there is no home folder")
    assert not list(work.iterdir())


# --- damage and full disks --------------------------------------------------------------------------------------------

VALUES = (None, True, 0, -1, 1e308, "", "x", [], [[]], {}, {"class": "Naive"})


def places(value, path=()):
    """Yield the path of every value inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def mutations(text, rng):
    """Yield texts of a JSON file with one value replaced or left out, cut, or with random bytes."""
    value = json.loads(text)
    for path in places(value):
        changed = json.loads(text)
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        if rng.random() < 0.3:
            del inner[path[-1]]
        else:
            inner[path[-1]] = VALUES[rng.integers(len(VALUES))]
        if changed != value:
            yield json.dumps(changed).encode()
    for stop in rng.integers(0, len(text), 20):
        yield text[:stop].encode()
    yield from (b"", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b"null", b"NaN", b"3", b'"x"', rng.bytes(300))


@pytest.mark.parametrize("kind", [_io.RUN, _io.MODEL], ids=["run", "model"])
def test_a_changed_description_is_one_sentence(kind, result, model, tmp_path):
    (result if kind is _io.RUN else model).save(folder := tmp_path / "x")
    load = fc.BacktestResult.load if kind is _io.RUN else fc.load_model
    file = folder / kind.description
    original, harmless = file.read_text(), 0
    for content in mutations(original, np.random.default_rng(0)):
        file.write_bytes(content)
        with contextlib.suppress(ValueError):
            load(folder)
            harmless += 1
            continue
        with pytest.raises(ValueError, match=rf"^(?=.*{re.escape(str(folder))})[^\n]*$"):
            load(folder)
    assert harmless <= (kind is _io.MODEL)  # the version, which is for the reader
    file.write_text(original)
    load(folder)


def unreadable(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "empty": lambda path: path.write_bytes(b""),
    "binary": lambda path: path.write_bytes(bytes(range(256))),
    "missing": lambda path: path.unlink(),
    "a folder": unreadable,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.medium
def test_a_damaged_file_is_one_sentence(damage, result, model, tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind, save, lines in (
        (_io.RUN, result.save, ("report x", "backtest --spec x", "backtest --resume --out x")),
        (_io.MODEL, model.save, ("predict x stocks",)),
    ):
        for name in set(kind.files) - {_io.REPORT}:
            save("x")
            DAMAGES[damage](Path("x", name))
            with pytest.raises(ValueError, match=r"^x"):
                (fc.BacktestResult.load if kind is _io.RUN else fc.load_model)("x")
            for line in lines if name == kind.description else lines[:1]:
                code, err = call(line)
                assert (code, err.count("\n")) == (2, 1), line
            shutil.rmtree("x")


def test_another_table_in_place_of_the_fits_is_refused(result, tmp_path):
    result.save(folder := tmp_path / "run")
    result.forecasts.to_parquet(folder / _io.FITS)
    with pytest.raises(ValueError, match=r"fits\.parquet is damaged"):
        fc.BacktestResult.load(folder)


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_an_error_of_the_disk_is_one_sentence_and_leaves_nothing(reason, result, model, tmp_path, monkeypatch):
    result.save(tmp_path / "run")
    before = contents(tmp_path)

    def fails(*_, **__):
        raise OSError(reason, os.strerror(reason))

    for broken in ("os.replace", "os.mkdir", "os.fsync", "pathlib.Path.write_text"):
        for save, name in ((result.save, "run"), (result.save, "new"), (model.save, "new/model")):
            with monkeypatch.context() as patch:
                patch.setattr(broken, fails)
                if broken == "os.mkdir":
                    patch.setattr("pathlib.Path.mkdir", fails)
                with pytest.raises(
                    ValueError, match=rf"^cannot write to .*: {os.strerror(reason)}\. Name another folder"
                ):
                    save(tmp_path / name)
            assert contents(tmp_path) == before, (broken, name)
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fails)
        with pytest.raises(
            ValueError, match=rf"cannot write to .*table\.csv: {os.strerror(reason)}\. Name another file"
        ):
            write_table(result.forecasts, tmp_path / "table.csv")
    assert contents(tmp_path) == before
