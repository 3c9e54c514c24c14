"""Validation of arguments: each check raises TypeError or ValueError naming the argument, its value and the need."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any


def check_int(name: str, value: Any, minimum: int) -> None:
    """Raise unless a parameter is an integer of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be a whole number; got {value!r}")
    if int(value) < minimum:
        raise ValueError(f"{name} must be at least {minimum}; got {value}")


def check_number(name: str, value: Any, minimum: float, below: float = math.inf) -> None:
    """Raise unless a parameter is a finite number in [minimum, below)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number; got {value!r}")
    if not minimum <= float(value) < below:
        bounds = f"at least {minimum:g}" + (f" and below {below:g}" if below < math.inf else " and finite")
        raise ValueError(f"{name} must be {bounds}; got {value}")


def check_jobs(value: Any) -> None:
    """Raise unless `n_jobs` is a number of processes, or −1 for one per core (joblib's convention)."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"n_jobs must be a whole number; got {value!r}")
    if value == 0:
        raise ValueError("n_jobs must be a number of processes, or -1 for one on each core; got 0")


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise unless a parameter is one of the choices."""
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")


def check_levels(levels: Any) -> None:
    """Raise unless quantile levels increase between 0 and 1 and include the median, which is the point forecast."""
    try:
        numbers = [float(level) for level in levels]
    except (TypeError, ValueError):
        raise TypeError(f"levels must be numbers between 0 and 1, such as (0.1, 0.5, 0.9); got {levels!r}") from None
    if sorted(set(numbers)) != numbers or not numbers or numbers[0] <= 0 or numbers[-1] >= 1 or 0.5 not in numbers:
        raise ValueError(f"levels must increase between 0 and 1 and include 0.5, the point forecast; got {levels!r}")


def check_fields(fields: Any, parameter: str = "exog") -> None:
    """Raise unless a parameter is a list of field names."""
    if not isinstance(fields, (tuple, list)) or not all(isinstance(name, str) for name in fields):
        raise TypeError(f"{parameter} must be a list of fields, such as ('Volume',); got {fields!r}")


def check_log(log: Any) -> None:
    """Raise unless `log` is "auto", True or False."""
    check_choice("log", log, ("auto", True, False))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint at the closest known word, or nothing if none is close."""
    candidates = list(known)
    folded = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(str(word).lower(), folded, n=1, cutoff=0.5)
    return f" (did you mean {folded[close[0]]!r}?)" if close else ""
