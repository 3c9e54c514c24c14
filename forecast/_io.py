"""Atomic files and folders: a reader finds the old content or the new one, never a part of it."""

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


class FolderKind(NamedTuple):
    """The kind of a folder, and the names of the files that it may hold."""

    name: str
    files: Collection[str]


#: The folder of a run.
FORECASTS, FITS, SPEC, REPORT = "forecasts.parquet", "fits.parquet", "spec.json", "report.html"
RUN = FolderKind("run", (FORECASTS, FITS, SPEC, REPORT))
#: The folder of a fitted model.
DESCRIPTION, ARRAYS = "model.json", "arrays.npz"
MODEL = FolderKind("model", (DESCRIPTION, ARRAYS))


def check_destination(folder: str | Path, kind: FolderKind) -> Path:
    """Return the path of a folder to be written.

    Raises ValueError if it cannot be replaced: it is a file, the current folder, or it holds something else.
    """
    path = Path(folder)
    if Path.cwd().is_relative_to(path.resolve()):
        raise ValueError(f"{path} holds the current folder and would be replaced: name another, such as {kind.name}s/1")
    blocking = next((parent for parent in path.parents if parent.is_file()), None)
    if blocking is not None:
        raise ValueError(f"cannot write to {path}: {blocking} is a file. Name another folder")
    if path.is_dir():
        if others := sorted(entry.name for entry in path.iterdir() if entry.name not in kind.files):
            raise ValueError(
                f"{path} holds {others[0]!r}, which is not part of a {kind.name}: "
                f"name a folder that is new, empty or a {kind.name}"
            )
    elif path.exists() or path.is_symlink():
        raise ValueError(f"{path} is a file: name a folder for the {kind.name}")
    return path


@contextmanager
def atomic_file(path: Path, temporary: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path to write; it replaces `path` if the block succeeds, and is deleted otherwise.

    By default the temporary file is in the same folder and named after the process, so two writers never share one.
    A caller that holds a lock passes a fixed name, so that the next writer overwrites what a killed process left.
    """
    temporary = temporary or path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: str | Path, kind: FolderKind) -> Iterator[Path]:
    """Yield a temporary folder to write into; it replaces `folder` if the block succeeds, and is deleted otherwise."""
    target = check_destination(folder, kind).resolve()  # of a link, the folder that it points to
    created = [parent for parent in target.parents if not parent.exists()]  # innermost first
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _delete_abandoned(target)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.{os.getpid()}-", dir=target.parent))
    except OSError as error:
        raise ValueError(f"cannot write to {folder}: {error.strerror or error}. Name another folder") from error
    try:
        yield temporary
        _swap(temporary, target, kind)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if not target.exists():
            remove_if_empty(created)


def remove_if_empty(folders: Collection[Path]) -> None:
    """Remove folders (innermost first) unless something has been put into them meanwhile."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _delete_abandoned(target: Path) -> None:
    """Delete temporary folders of processes that were killed."""
    for entry in target.parent.iterdir():
        match = re.fullmatch(rf"\.{re.escape(target.name)}\.(\d+)-\w+", entry.name)
        if match and not _is_running(int(match[1])):
            shutil.rmtree(entry, ignore_errors=True)


def _is_running(pid: int) -> bool:
    if os.name != "posix":
        return True  # on Windows a signal of 0 would end the process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's process
    return True


def _swap(new: Path, target: Path, kind: FolderKind) -> None:
    check_destination(target, kind)  # again: the disk may have changed while the new folder was written
    umask = os.umask(0)
    os.umask(umask)
    new.chmod(0o777 & ~umask)  # mkdtemp makes a private folder; the result has ordinary permissions
    if not target.exists():
        new.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    target.rename(old / target.name)
    try:
        new.rename(target)
    except BaseException:
        (old / target.name).rename(target)
        raise
    finally:
        shutil.rmtree(old)


def write_json(path: Path, content: Any) -> None:
    """Write JSON with indentation, readable by people too."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_spec(folder: str | Path) -> dict[str, Any]:
    """Return the spec of a run; raises ValueError if the folder is not a run."""
    path = Path(folder) / SPEC
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{folder} is not a run: it has no {SPEC}. Name the folder that --out created") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error}): run the backtest again") from None
    if not isinstance(spec, dict) or "models" not in spec:
        raise ValueError(f"{path} does not describe a run: name the folder that --out created")
    return spec
