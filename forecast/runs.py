"""The folder of a run: written beside its place and swapped in at the end, so that it is whole or not there."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

FORECASTS, FITS, SPEC, REPORT = "forecasts.parquet", "fits.parquet", "spec.json", "report.html"
FILES = {FORECASTS, FITS, SPEC, REPORT}


def check_place(folder: str | Path) -> Path:
    """Raise ValueError if a run cannot be put there: a file, or a folder that holds something else."""
    path = Path(folder)
    blocking = next((parent for parent in path.parents if parent.is_file()), None)
    if blocking is not None:
        raise ValueError(f"cannot write to {path}: {blocking} is a file. Name another folder")
    if path.is_dir():
        others = sorted(entry.name for entry in path.iterdir() if entry.name not in FILES)
        if others:
            raise ValueError(
                f"{path} holds {others[0]!r}, which is not part of a run: name a folder that is new, empty or a run"
            )
    elif path.exists() or path.is_symlink():
        raise ValueError(f"{path} is a file: name a folder for the run")
    return path


@contextmanager
def new_run(folder: str | Path) -> Iterator[Path]:
    """Give a temporary folder to write a run into; it takes its place when the block ends well, else it vanishes."""
    place = check_place(folder).absolute()
    made = [parent for parent in place.parents if not parent.exists()]  # innermost first
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    except OSError as error:
        raise ValueError(f"cannot write to {folder}: {error.strerror or error}. Name another folder") from error
    try:
        yield beside
        _swap(beside, place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if not place.exists():
            for parent in made:
                with suppress(OSError):  # someone else may have put something there meanwhile
                    parent.rmdir()


def _swap(new: Path, place: Path) -> None:
    check_place(place)  # once more: much may have happened while the run was made
    umask = os.umask(0)
    os.umask(umask)
    new.chmod(0o777 & ~umask)  # mkdtemp keeps it to its owner; a run is as readable as any new folder
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


def read_spec(folder: str | Path) -> dict[str, Any]:
    """Read the spec of a run; raises ValueError if the folder is not a run."""
    path = Path(folder) / SPEC
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{folder} is not a run: it has no {SPEC}. Name the folder that --out made") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error}): run the backtest again") from None
    if not isinstance(spec, dict) or "models" not in spec:
        raise ValueError(f"{path} does not describe a run: name the folder that --out made")
    return spec
