"""Raw prices on disk, one Parquet file for each ticker: whole or not there, and checked whenever they are read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import filelock
import numpy as np
import platformdirs
import pyarrow as pa
import pyarrow.parquet as pq

from forecast.data.yahoo.chart import History

FACTS = b"forecast"


class DamagedError(ValueError):
    """A file of the cache is not what was written."""


class Cache:
    """Keeps the history of each ticker that was fetched from one source.

    The folder is FORECAST_CACHE, else the user's cache folder. A file holds the raw bars and events, the facts of
    their retrieval and a hash of the content; one that is cut short or changed is never trusted.
    """

    def __init__(self, source: str) -> None:
        root = os.environ.get("FORECAST_CACHE") or platformdirs.user_cache_dir("forecast", appauthor=False)
        self.folder = Path(root).expanduser() / source

    def path(self, ticker: str, interval: str) -> Path:
        """Say where a ticker's file is; letters that no file name may hold are written as %2F."""
        return self.folder / interval / f"{quote(ticker, safe='^=')}.parquet"

    @contextmanager
    def hold(self, ticker: str, interval: str) -> Iterator[None]:
        """Keep other processes from fetching and writing the same ticker meanwhile."""
        path = self.path(ticker, interval)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(path.with_suffix(".lock"))
            lock.acquire()
        except OSError as error:
            raise ValueError(
                f"cannot write to the cache {self.folder}: {error.strerror or error}; set FORECAST_CACHE to a folder "
                "that can be written to"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def read(self, ticker: str, interval: str) -> History | None:
        """Give what is kept of a ticker, or None. Raises DamagedError if the file is not what was written."""
        path = self.path(ticker, interval)
        try:
            # Opened once: pyarrow opens a path several times, and another process may put a newer file there between.
            table = pq.read_table(pa.BufferReader(path.read_bytes()))
            facts = json.loads(table.schema.metadata[FACTS])
            history = History(table.to_pandas(), facts)
            whole = facts.pop("sha256") == _digest(history)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise DamagedError(f"{path} is no readable file of the cache: delete it") from error
        if not whole:
            raise DamagedError(f"{path} does not hold what was written there: delete it")
        return history

    def write(self, ticker: str, interval: str, history: History) -> None:
        """Keep a ticker's history, in one step; to be called while it is held."""
        path = self.path(ticker, interval)
        table = pa.Table.from_pandas(history.table)
        facts = json.dumps(history.facts | {"sha256": _digest(history)})
        beside = path.with_suffix(".new")  # one name: what a killed process left is overwritten
        try:
            pq.write_table(table.replace_schema_metadata({**table.schema.metadata, FACTS: facts.encode()}), beside)
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise ValueError(f"cannot write {path}: {error.strerror or error}") from error


def _digest(history: History) -> str:
    """Hash every number, date and fact."""
    facts = {key: value for key, value in history.facts.items() if key != "sha256"}
    content = hashlib.sha256(json.dumps([facts, list(history.table.columns)], sort_keys=True).encode())
    content.update(history.table.index.to_numpy().astype("datetime64[ns]").tobytes())
    content.update(np.ascontiguousarray(history.table.to_numpy(dtype=np.float64)).tobytes())
    return content.hexdigest()
