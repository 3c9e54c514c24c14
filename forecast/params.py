"""Checks of parameters: what came, what is needed. Each raises TypeError or ValueError, and knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def check_whole(name: str, value: Any, least: int) -> None:
    """Raise unless a parameter is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number; got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value}")


def check_number(name: str, value: Any, least: float, below: float = np.inf) -> None:
    """Raise unless a parameter is a finite number in [least, below)."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"{name} must be a number; got {value!r}")
    if not least <= value < below:
        bounds = f"at least {least:g}" + (f" and below {below:g}" if below < np.inf else " and finite")
        raise ValueError(f"{name} must be {bounds}; got {value}")


def check_jobs(value: Any) -> None:
    """Raise unless `n_jobs` is a number of processes, or −1 for as many as there are cores (joblib's convention)."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"n_jobs must be a whole number; got {value!r}")
    if value == 0:
        raise ValueError("n_jobs must be a number of processes, or -1 for one on each core; got 0")


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise unless a parameter is one of the choices."""
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")


def check_levels(levels: Any) -> None:
    """Raise unless quantile levels rise between 0 and 1 and hold the median, which is the point forecast."""
    try:
        numbers = [float(level) for level in levels]
    except (TypeError, ValueError):
        raise TypeError(f"levels must be numbers between 0 and 1, such as (0.1, 0.5, 0.9); got {levels!r}") from None
    if sorted(set(numbers)) != numbers or not numbers or numbers[0] <= 0 or numbers[-1] >= 1 or 0.5 not in numbers:
        raise ValueError(f"levels must rise between 0 and 1 and hold 0.5, the point forecast; got {levels!r}")


def check_fields(exog: Any) -> None:
    """Raise unless `exog` is a list of names of fields."""
    if not isinstance(exog, (tuple, list)) or not all(isinstance(name, str) for name in exog):
        raise TypeError(f"exog must be a list of fields, such as ('Volume',); got {exog!r}")


def check_log(log: Any) -> None:
    """Raise unless `log` is "auto", True or False."""
    check_choice("log", log, ("auto", True, False))
