"""One thread in the libraries that compute: BLAS, LAPACK and OpenMP."""

from __future__ import annotations

import functools
import sys
from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import ThreadpoolController


def one_thread(api: str | None = None) -> AbstractContextManager[Any]:
    """Return a context in which the loaded libraries of an API ("blas" or "openmp"; None: both) have one thread."""
    return _controller(len(sys.modules)).limit(limits=1, user_api=api)


@functools.lru_cache(maxsize=1)
def _controller(modules: int) -> ThreadpoolController:
    """Return the controller of the loaded libraries, found again (3 ms) once more modules have been imported."""
    return ThreadpoolController()
