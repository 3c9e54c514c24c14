"""Files and folders that are written completely or not at all, by one process at a time.

A folder is replaced by two renames: the old one is moved aside, the new one takes its place. Next to the folder
``run`` stand meanwhile, hidden, ``.run.forecast-new``, ``.run.forecast-old`` and ``.run.forecast-lock``. If the process
is killed, the next one that reads or writes the folder completes the replacement and deletes what is left (`heal`).

A folder is known by its description, a JSON file with a "kind", never by the names of its files; whatever else is in a
folder is neither replaced nor deleted, but for the files that systems create in every folder that they show.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from forecast._text import list_names


class FolderKind(NamedTuple):
    """The kind of a folder: its name, the JSON file that identifies it, and the names of the files that it may hold."""

    name: str
    description: str
    files: Collection[str]
    command: str = ""  # that creates such a folder

    @property
    def mark(self) -> str:
        """The value of "kind" in the description."""
        return f"forecast {self.name}"


#: The folder of a run.
FORECASTS, FITS, SPEC, REPORT = "forecasts.parquet", "fits.parquet", "spec.json", "report.html"
NEXT = "next.parquet"
RUN = FolderKind("run", SPEC, (FORECASTS, FITS, NEXT, SPEC, REPORT), "backtest --out")
#: The folder of a fitted model.
DESCRIPTION, ARRAYS = "model.json", "arrays.npz"
MODEL = FolderKind("model", DESCRIPTION, (DESCRIPTION, ARRAYS), "fit --out")
#: The hidden folder of an unfinished run.
CHECKPOINT = FolderKind("checkpoint", SPEC, (SPEC,))

#: Files that macOS and Windows create in folders that they show, and create again.
SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")

LOCK_SECONDS = 1.0  # for which a process waits for another that writes the same file or folder


def user_path(path: str | os.PathLike[str]) -> Path:
    """Return a path in which ~ and ~user at the start stand for the home folder."""
    given = Path(path)
    start = given.parts[0] if given.parts else ""
    if not start.startswith("~"):
        return given
    with suppress(RuntimeError):  # there is no such user
        if start == "~" or Path(start).expanduser().is_dir():
            return given.expanduser()
    raise ValueError(f"{path}: there is no home folder {start}; of a file or folder with that name write ./{path}")


def real_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a file or folder; of a link, that of what it points to."""
    try:
        return user_path(path).resolve()
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path} is a link that leads nowhere: {error}") from None


def relative_path(path: Path, folder: str | os.PathLike[str]) -> str:
    """Return the path of a folder as seen from another one, so that both may be moved; absolute on another drive."""
    try:
        return Path(os.path.relpath(real_path(path), real_path(folder))).as_posix()
    except ValueError:
        return str(real_path(path))


def start_of_paths(relative: str, folder: str | os.PathLike[str]) -> Path:
    """Return the folder of which `relative_path` has returned the path as seen from another one."""
    return real_path(real_path(folder) / relative)


def sibling(path: Path, role: str) -> Path:
    """Return the path of the hidden file or folder with this role ("new", "old", "lock") while `path` is written."""
    return path.with_name(f".{path.name}.forecast-{role}")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a file or folder for writing; raise ValueError if another process or thread holds the lock.

    The operating system releases the lock when its process ends, however it ends. The thread that holds it may lock
    the path again.
    """
    from filelock import FileLock, Timeout

    file = sibling(path, "lock")
    if not path.parent.is_dir():  # the lock would create it
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))
    lock = FileLock(file, is_singleton=True)
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        if not file.exists():
            raise PermissionError(errno.EACCES, "no file can be created there", str(file)) from None
        raise ValueError(
            f"{path} is being written by {_holder(file)}: wait until it has ended, or name another"
        ) from None
    is_outermost = lock.lock_counter == 1
    try:
        if is_outermost:
            _sign(file)
        yield
    finally:
        if is_outermost:
            with suppress(OSError):
                file.unlink()  # before the release: a process that waits for it then locks a new file
        lock.release()


def _sign(file: Path) -> None:
    """Write into a lock who holds it."""
    with suppress(OSError):
        file.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")


def _holder(file: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        if (text := file.read_text(encoding="utf-8")).startswith("process "):
            return text
    return "another process"


@contextmanager
def atomic_file(path: Path, temporary: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path to write; it replaces `path` if the block succeeds, and is deleted otherwise.

    A caller that holds a lock of its own passes the temporary path. It has the same name every time, so that the next
    writer overwrites what a killed process left.
    """
    if temporary is None:
        with locked(path), atomic_file(path, sibling(path, "new")) as temporary:
            yield temporary
        return
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_destination(folder: str | os.PathLike[str], kind: FolderKind) -> Path:
    """Return the path of a folder to be written.

    Raises ValueError if it cannot be replaced: it is a file, the current folder, in a run or model, or it holds
    something else.
    """
    path = _check_place(folder, kind)
    with named_errors(path):
        if path.is_dir():
            _check_contents(path, kind)
    return path


def _check_place(folder: str | os.PathLike[str], kind: FolderKind) -> Path:
    """Return the path of a folder; raise ValueError if none of a kind can be there, whatever it holds."""
    path = user_path(folder)
    if Path.cwd().is_relative_to(real_path(path)):
        raise ValueError(f"{path} holds the current folder and would be replaced: name another, such as {kind.name}s/1")
    if (owner := containing_folder(path, (RUN, MODEL))) is not None:
        raise ValueError(f"{path} is in {owner}, which holds a run or a model: name a folder outside of it")
    with named_errors(path):
        blocking = next((parent for parent in path.parents if parent.is_file()), None)
        if blocking is not None:
            raise ValueError(f"cannot write to {path}: {blocking} is a file. Name another folder")
        if not path.is_dir() and (path.exists() or path.is_symlink()):
            raise ValueError(f"{path} is a file: name a folder for the {kind.name}")
    return path


def containing_folder(path: Path, kinds: Collection[FolderKind]) -> Path | None:
    """Return the folder of one of these kinds that a file or folder is in, None if it is in none."""
    parents = real_path(path).parents
    return next((parent for parent in parents if any(is_kind(parent, kind) for kind in kinds)), None)


def _check_contents(folder: Path, kind: FolderKind) -> None:
    remedy = f"name a folder that is new, empty or a {kind.name}"
    if others := _others(folder, kind):
        listed = list_names([repr(name) for name in others], most=3)
        raise ValueError(f"{folder} holds {listed}, which is not part of a {kind.name}: {remedy}")
    if not is_ours(folder, kind):
        reason = f"{kind.description} is not that" if (folder / kind.description).exists() else f"no {kind.description}"
        found = sorted(entry.name for entry in folder.iterdir())[0]
        raise ValueError(f"{folder} holds {found!r}, but {reason} of a {kind.name} that forecast wrote: {remedy}")


def _others(folder: Path, kind: FolderKind) -> list[str]:
    """Return the names in a folder that are not those of a kind's files, or that are folders or links."""
    own = {*kind.files, *remains(kind), *SYSTEM_FILES}
    return sorted(e.name for e in folder.iterdir() if e.name not in own or e.is_symlink() or not e.is_file())


def remains(kind: FolderKind) -> list[str]:
    """Return the names of the files that a process which was killed while it wrote one of a kind's files leaves."""
    return [sibling(Path(name), role).name for name in kind.files for role in ("new", "lock")]


def is_kind(folder: Path, kind: FolderKind) -> bool:
    """Return whether a folder has the description of a kind."""
    try:
        description = json.loads((folder / kind.description).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(description, dict) and description.get("kind") == kind.mark


def is_ours(folder: Path, kind: FolderKind) -> bool:
    """Return whether a folder is of a kind, or holds only remains of a killed process and files of the system."""
    return is_kind(folder, kind) or {entry.name for entry in folder.iterdir()} <= {*remains(kind), *SYSTEM_FILES}


@contextmanager
def folder_lock(folder: str | os.PathLike[str], kind: FolderKind) -> Iterator[Path]:
    """Lock a folder for writing, with its missing parents, and yield its real path.

    Raises ValueError if another process is writing the folder, or none of this kind can be there. What it holds is not
    checked: who replaces it calls `check_destination`.
    """
    target = real_path(_check_place(folder, kind))
    created = [parent for parent in target.parents if not parent.exists()]  # innermost first
    try:
        with ExitStack() as stack:
            with named_errors(folder):
                target.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(target))
                heal(target, kind)
            yield target
    finally:
        for parent in created:
            with suppress(OSError):  # something has been put into it
                parent.rmdir()


@contextmanager
def atomic_folder(folder: str | os.PathLike[str], kind: FolderKind) -> Iterator[Path]:
    """Yield a temporary folder to write into; it replaces `folder` if the block succeeds, and is deleted otherwise."""
    check_destination(folder, kind)
    with folder_lock(folder, kind) as target:
        new, old = sibling(target, "new"), sibling(target, "old")
        for path in (new, old):
            if os.path.lexists(path):
                raise ValueError(f"{path} is not of this package and in the way: move it to another place")
        try:
            with named_errors(folder):
                new.mkdir()
                write_json(new / kind.description, {"kind": kind.mark})
                yield new
                _synchronise(new)
                check_destination(target, kind)  # again: the disk may have changed while the new folder was written
                if target.exists():
                    target.rename(old)
                new.rename(target)
        finally:
            heal(target, kind)


def heal(target: Path, kind: FolderKind) -> None:
    """Complete the replacement of a folder that was stopped half-way, and delete what is left of it.

    The caller holds the lock. Between the two renames the folder is missing: the new one, which is complete then, takes
    its place, or else the old one returns. Nothing is deleted that is not of this kind.
    """
    new, old = sibling(target, "new"), sibling(target, "old")
    if old.is_dir() and not os.path.lexists(target):
        for source in (new, old):
            with suppress(OSError):
                source.rename(target)
                break
    if target.is_dir() and is_kind(target, kind):
        delete_folder(old, kind)
        for name in remains(kind):
            (target / name).unlink(missing_ok=True)
    if not old.exists():
        delete_folder(new, kind)


def _heal_for_reading(target: Path, kind: FolderKind) -> None:
    """Heal a folder that is to be read, unless another process is writing it or the disk cannot be written."""
    if target.name and any(sibling(target, role).is_dir() for role in ("new", "old")):
        with suppress(OSError, ValueError), locked(target):
            heal(target, kind)


def delete_folder(folder: Path, kind: FolderKind) -> None:
    """Delete a kind's files in a folder, its description last, and the folder if nothing else is in it."""
    if not folder.is_dir() or folder.is_symlink() or not is_ours(folder, kind):
        return
    for name in sorted([*kind.files, *remains(kind), *SYSTEM_FILES], key=lambda name: name == kind.description):
        with suppress(OSError):
            (folder / name).unlink()
    with suppress(OSError):
        folder.rmdir()


def _synchronise(folder: Path) -> None:
    """Wait until the files of a folder are on the disk, so that no power cut leaves parts of them."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


@contextmanager
def named_errors(path: str | os.PathLike[str], noun: str = "folder") -> Iterator[None]:
    """Raise ValueError with the path and the system's reason if something cannot be written."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"cannot write to {path}: {error.strerror or error}. Name another {noun}") from error


def write_json(path: Path, content: Any) -> None:
    """Write JSON with indentation, readable by people too."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_file(path, sibling(path, "new")) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_description(folder: str | os.PathLike[str], kind: FolderKind) -> dict[str, Any]:
    """Return the description of a folder; raise ValueError if it is damaged, or the folder is not of this kind."""
    path = user_path(folder)
    _heal_for_reading(real_path(path), kind)
    file = path / kind.description
    remedy = f"Name the folder that `forecast {kind.command}` wrote"
    try:
        description = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise ValueError(f"{path} is not a {kind.name}: it has no {kind.description}. {remedy}") from None
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:  # invalid JSON or UTF-8, or a number of too many digits
        raise ValueError(f"{file} is damaged ({error}): create the {kind.name} again, in a new folder") from None
    if not isinstance(description, dict) or description.get("kind") != kind.mark:
        raise ValueError(f"{file} does not describe a {kind.name} of this version of forecast. {remedy}")
    return description


def write_spec(folder: Path, spec: dict[str, Any], kind: FolderKind = RUN) -> None:
    """Write the spec of a run, with its hash."""
    write_json(folder / kind.description, {"kind": kind.mark, "sha256": _hash(spec)} | spec)


def read_spec(folder: str | os.PathLike[str], kind: FolderKind = RUN) -> dict[str, Any]:
    """Return the spec of a run; raise ValueError if the folder is not a run, or its spec is damaged or was changed."""
    spec = read_description(folder, kind)
    if spec.pop("sha256", None) != _hash({name: value for name, value in spec.items() if name != "kind"}):
        raise ValueError(
            f"{user_path(folder) / kind.description} is damaged: it has changed since it was written. Run the backtest "
            "again, with options for what is to change, in a new folder or with restart=True"
        )
    del spec["kind"]
    return spec


def _hash(spec: dict[str, Any]) -> str:
    text = json.dumps(json.loads(json.dumps(spec)), sort_keys=True)  # read back, as tuples become lists
    return hashlib.sha256(text.encode()).hexdigest()
