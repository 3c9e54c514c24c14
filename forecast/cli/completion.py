"""Tab completion: the values of options and arguments, in the shells that typer supports."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from typer import Context

from forecast import _io

Complete = Callable[[str], list[str]]

MAX_PATHS = 200  # that are searched below a folder, so that the shell does not wait
FILES = (".csv", ".parquet", ".xlsx", ".xls", ".txt", ".tsv")  # of prices


def choices(*names: str) -> Complete:
    """Return a function that completes one of these names."""
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def complete_model(incomplete: str) -> list[str]:
    """Return the names of models that start with a text."""
    from forecast.models.registry import MODELS

    return choices(*MODELS)(incomplete)


def complete_models(incomplete: str) -> list[str]:
    """Return lists of models: those before the last comma, and each name that the last one may become.

    >>> complete_models("naive,ari")
    ['naive,arima']
    """
    before, comma, last = incomplete.rpartition(",")
    chosen = before.split(",")
    return [f"{before}{comma}{name}" for name in complete_model(last) if name not in chosen]


def complete_setting(context: Context, incomplete: str) -> list[str]:
    """Return MODEL.PARAM= for each parameter of the models of --models or --model."""
    from forecast.cli.parameters import parameters

    given = str(context.params.get("models") or context.params.get("model"))
    model = incomplete.partition(".")[0]
    names = [name for name in given.split(",") if name.startswith(model) and name in complete_model(name)]
    settings = [f"{name}.{entry.name}=" for name in names for entry in parameters(name)]
    return [setting for setting in settings if setting.startswith(incomplete)]


def complete_prices(incomplete: str) -> list[str]:
    """Return samples and files of prices; a file is found in the folder of the text or one below."""
    from forecast.data.samples import samples

    return choices(*samples()["name"])(incomplete) + _paths(incomplete, lambda path: path.suffix.lower() in FILES)


def complete_run(incomplete: str) -> list[str]:
    """Return folders of runs."""
    return _paths(incomplete, lambda path: _io.is_kind(path, _io.RUN))


def complete_fitted(incomplete: str) -> list[str]:
    """Return folders of fitted models."""
    return _paths(incomplete, lambda path: _io.is_kind(path, _io.MODEL))


def _paths(incomplete: str, matches: Callable[[Path], bool]) -> list[str]:
    """Return the paths that start with a text, at most one folder below it, without hidden ones or ones with spaces.

    A shell completes paths with spaces itself, as it knows how to quote them.
    """
    folder, slash, start = incomplete.rpartition("/")
    found = []
    for path in itertools.islice(_below(Path(folder + slash).expanduser(), start), MAX_PATHS):
        text = f"{folder}{slash}{path}"
        if " " not in text and matches(Path(text).expanduser()):
            found.append(text)
    return found


def _below(folder: Path, start: str) -> Iterable[str]:
    """Yield the entries of a folder that start with a text, and those of each such folder, relative to it."""
    for entry in _visible(folder, start):
        yield entry.name
        yield from (f"{entry.name}/{inner.name}" for inner in _visible(entry))


def _visible(folder: Path, start: str = "") -> Collection[Path]:
    """Return the entries of a folder that start with a text, in order; none where it cannot be read."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    return [entry for entry in entries if entry.name.startswith(start) and not entry.name.startswith(".")]
