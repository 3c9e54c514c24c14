"""Prices of CRSP: a negative PRC is the mean of the bid and the offer of a day without a trade, a zero is no price."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.data.fields import plain_name
from forecast.data.notes import add_notes

PRICE = "prc"
#: Names of columns that only files of CRSP have.
SIBLINGS = frozenset(("permno", "permco", "ret", "retx", "shrout", "bidlo", "askhi", "openprc", "cfacpr", "vwretd"))


def read_midpoints(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose column PRC has the sizes of its negative prices, with a note; any other table as it is.

    Raises ValueError where PRC is negative and no other column of CRSP is there.
    """
    names = [
        {plain_name(str(part)) for part in (label if isinstance(label, tuple) else (label,))} for label in frame.columns
    ]
    positions = [i for i, parts in enumerate(names) if PRICE in parts]
    numbers = {i: pd.to_numeric(frame.iloc[:, i], errors="coerce").to_numpy(dtype=np.float64) for i in positions}
    n = sum(int((x < 0).sum()) for x in numbers.values())
    if n == 0:
        return frame
    if SIBLINGS.isdisjoint(set().union(*names)):
        lowest = min(float(np.nanmin(x)) for x in numbers.values())
        raise ValueError(
            f"PRC is negative in {n} rows, the lowest is {lowest:g}: in files of CRSP that is the mean of the bid and "
            "the offer of a day without a trade, but no column PERMNO or RET shows that this is one: if it is, remove "
            "the signs, or give the file with PERMNO"
        )
    table = frame.copy()
    for i, x in numbers.items():
        column = frame.iloc[:, i]
        column = column.astype(np.float64) if pd.api.types.is_numeric_dtype(column) else column  # text is refused later
        table[frame.columns[i]] = column.mask(x <= 0, np.where(x == 0, np.nan, np.abs(x)))
    table.attrs = dict(frame.attrs)
    add_notes(
        table, [f"PRC is negative in {n} rows: as in files of CRSP, its size is the mean of the bid and the offer"]
    )
    return table
