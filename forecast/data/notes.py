"""What was decided when prices were read: sentences in a table's `attrs["notes"]`, and warnings of what is left out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


class PricesWarning(UserWarning):
    """A part of the prices was left out when they were read; the message names it and the reason."""


def add_notes(table: pd.DataFrame, notes: Sequence[str]) -> None:
    """Append what was decided about a table to its `attrs["notes"]`."""
    if notes:
        table.attrs["notes"] = [*table.attrs.get("notes", []), *notes]
