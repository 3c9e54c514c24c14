"""The names of price fields, and the columns of a long table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

#: Canonical names of price fields by their lower-case spellings.
FIELDS = {name.lower(): name for name in ("Open", "High", "Low", "Close", "Adj Close", "Volume")}
FIELDS |= dict.fromkeys(("adj_close", "adjclose", "adjusted close"), "Adj Close")
#: Fields that are the default target, in order of preference.
TARGETS = ("Adj Close", "Close")
LONG_COLUMNS = ("unique_id", "ds", "y")


def canonical_field(name: Any) -> str:
    """Return the canonical name of a price field ("adj_close" is "Adj Close"), any other name unchanged."""
    return FIELDS.get(str(name).strip().lower(), str(name))


def default_target(fields: Iterable[str]) -> str:
    """Return the field to forecast where none is named: Adj Close, else Close, else the first."""
    names = list(fields)
    return next((name for name in TARGETS if name in names), names[0])
