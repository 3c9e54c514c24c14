"""Cache of raw prices on disk: one Parquet file per ticker, written atomically and verified by a hash when read."""

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

from forecast._io import atomic_file, user_path
from forecast.data.yahoo.chart import History

FACTS = b"forecast"  # key of the facts in the metadata of a Parquet file


class DamagedError(ValueError):
    """A cache file that is unreadable, or whose content does not match its hash."""


class Cache:
    """Histories of tickers fetched from one source.

    The folder is FORECAST_CACHE, else the user's cache folder. A file holds the raw bars and events, the facts of their
    retrieval and a hash of the content, so a truncated or changed file is detected.
    """

    def __init__(self, source: str) -> None:
        root = os.environ.get("FORECAST_CACHE") or platformdirs.user_cache_dir("forecast", appauthor=False)
        self.folder = user_path(root) / source

    def path(self, ticker: str, interval: str) -> Path:
        """Return the path of a ticker's file; letters that are invalid in file names are percent-encoded."""
        return self.folder / interval / f"{quote(ticker, safe='^=')}.parquet"

    @contextmanager
    def lock(self, ticker: str, interval: str) -> Iterator[None]:
        """Lock a ticker, so that only one process fetches and writes it."""
        path = self.path(ticker, interval)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(path.with_suffix(".lock"))
            lock.acquire()
        except OSError as error:
            raise ValueError(
                f"cannot write to the cache {self.folder}: {error.strerror or error}; set FORECAST_CACHE to a writable "
                "folder"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def read(self, ticker: str, interval: str) -> History | None:
        """Return the cached history of a ticker, or None if there is none; raises DamagedError for a damaged file."""
        path = self.path(ticker, interval)
        try:
            # Read once: pyarrow opens a path several times, and another process may replace the file in between.
            table = pq.read_table(pa.BufferReader(path.read_bytes()))
            facts = json.loads(table.schema.metadata[FACTS])
            history = History(table.to_pandas(), facts)
            is_intact = facts.pop("sha256") == _hash(history)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise DamagedError(f"the cache file {path} cannot be read; without offline it is fetched again") from error
        if not is_intact:
            raise DamagedError(
                f"the content of the cache file {path} does not match its hash; without offline it is fetched again"
            )
        return history

    def write(self, ticker: str, interval: str, history: History) -> None:
        """Write a ticker's history atomically; the caller holds the lock."""
        path = self.path(ticker, interval)
        table = pa.Table.from_pandas(history.table)
        facts = json.dumps(history.facts | {"sha256": _hash(history)})
        table = table.replace_schema_metadata({**table.schema.metadata, FACTS: facts.encode()})
        try:
            with atomic_file(path, path.with_suffix(".new")) as temporary:
                pq.write_table(table, temporary)
        except OSError as error:
            raise ValueError(f"cannot write {path}: {error.strerror or error}") from error

    def set_aside(self, ticker: str, interval: str) -> Path | None:
        """Rename a damaged file, which may hold bars that cannot be fetched again; return its new path, if any."""
        path = self.path(ticker, interval)
        return path.replace(path.with_suffix(".damaged")) if path.exists() else None


def _hash(history: History) -> str:
    """Return the SHA-256 of all numbers, dates and facts."""
    facts = {key: value for key, value in history.facts.items() if key != "sha256"}
    content = hashlib.sha256(json.dumps([facts, list(history.table.columns)], sort_keys=True).encode())
    content.update(history.table.index.to_numpy().astype("datetime64[ns]").tobytes())
    content.update(np.ascontiguousarray(history.table.to_numpy(dtype=np.float64)).tobytes())
    return content.hexdigest()
