"""Folders that are whole or not there: written beside their place and swapped in at the end."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """What a folder is, and the files that it may hold."""

    name: str
    files: Collection[str]


def check_place(folder: str | Path, kind: Kind) -> Path:
    """Raise ValueError if a folder of this kind cannot be put there: a file, or a folder that holds something else."""
    path = Path(folder)
    if Path.cwd().is_relative_to(path.resolve()):
        raise ValueError(
            f"{path} holds the folder you are in, and would be replaced: name another, such as {kind.name}s/1"
        )
    blocking = next((parent for parent in path.parents if parent.is_file()), None)
    if blocking is not None:
        raise ValueError(f"cannot write to {path}: {blocking} is a file. Name another folder")
    if path.is_dir():
        others = sorted(entry.name for entry in path.iterdir() if entry.name not in kind.files)
        if others:
            raise ValueError(
                f"{path} holds {others[0]!r}, which is not part of a {kind.name}: "
                f"name a folder that is new, empty or a {kind.name}"
            )
    elif path.exists() or path.is_symlink():
        raise ValueError(f"{path} is a file: name a folder for the {kind.name}")
    return path


@contextmanager
def new_folder(folder: str | Path, kind: Kind) -> Iterator[Path]:
    """Give a temporary folder to write into; it takes its place when the block ends well, else it vanishes."""
    place = check_place(folder, kind).resolve()  # of a link, what it points to
    made = [parent for parent in place.parents if not parent.exists()]  # innermost first
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _sweep(place)
        beside = Path(tempfile.mkdtemp(prefix=f".{place.name}.{os.getpid()}-", dir=place.parent))
    except OSError as error:
        raise ValueError(f"cannot write to {folder}: {error.strerror or error}. Name another folder") from error
    try:
        yield beside
        _swap(beside, place, kind)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if not place.exists():
            for parent in made:
                with suppress(OSError):  # someone else may have put something there meanwhile
                    parent.rmdir()


def _sweep(place: Path) -> None:
    """Take away what processes that were killed had begun to write."""
    for beside in place.parent.iterdir():
        begun = re.fullmatch(rf"\.{re.escape(place.name)}\.(\d+)-\w+", beside.name)
        if begun and not _lives(int(begun[1])):
            shutil.rmtree(beside, ignore_errors=True)


def _lives(pid: int) -> bool:
    if os.name != "posix":
        return True  # there a signal of 0 would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


def _swap(new: Path, place: Path, kind: Kind) -> None:
    check_place(place, kind)  # once more: much may have happened while it was written
    umask = os.umask(0)
    os.umask(umask)
    new.chmod(0o777 & ~umask)  # mkdtemp keeps it to its owner; it is as readable as any new folder
    if not place.exists():
        new.rename(place)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{place.name}.old.", dir=place.parent))
    place.rename(old / place.name)
    try:
        new.rename(place)
    except BaseException:
        (old / place.name).rename(place)
        raise
    finally:
        shutil.rmtree(old)


def write_json(path: Path, content: Any) -> None:
    """Write JSON that a person can read too."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
