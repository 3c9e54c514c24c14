"""Tables that keep one series a row, as the M4 competition does: an id, then its values in order."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

#: What the first column of a table that keeps one series a row may be called, lower-case; V2, V3 … stand behind it.
IDS = ("v1", "id", "unique_id")


def is_series_in_rows(frame: pd.DataFrame) -> bool:
    """Say whether a table keeps one series a row: an id, then V2, V3 … in order, and no date among the ids.

    V1, V2 … are also what R calls columns without a name: a dated table that begins so is read by its dates.
    """
    first, *rest = (str(name) for name in frame.columns.to_flat_index())
    if first.lower() not in IDS or rest != [f"V{i}" for i in range(2, len(rest) + 2)] or not rest:
        return False
    ids = frame.iloc[:, 0].dropna().astype(str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        dated = pd.to_datetime(ids, errors="coerce").notna()
    return not dated.all()


def series_in_rows(frame: pd.DataFrame, unit: str) -> pd.DataFrame:
    """Turn a table with one series a row, as the M4 competition keeps them, into undated columns that end together."""
    ids = frame.iloc[:, 0]
    if ids.isna().any():
        raise ValueError(f"{unit} {ids.index[ids.isna()][0]} has no id: name the series of each row")
    for column in frame.columns[1:]:
        text = pd.to_numeric(frame[column], errors="coerce").isna() & frame[column].notna()
        if text.any():
            line = frame.index[text][0]
            raise ValueError(f"{unit} {line} holds {frame.loc[line, column]!r} in {column}; values must be numbers")
    values = frame.iloc[:, 1:].T.set_axis([str(name).strip() for name in ids], axis=1)
    known = values.notna().to_numpy()
    if not known.any(axis=0).all():
        raise ValueError(f"{values.columns[int((~known.any(axis=0)).argmax())]} has no value at all: leave its row out")
    ends = len(values) - known[::-1].argmax(axis=0)  # rows of each series, up to its last value
    longest = int(ends.max())
    moved = np.full((longest, values.shape[1]), None, dtype=object)
    for i, end in enumerate(ends):
        moved[longest - end :, i] = values.iloc[:end, i]
    return pd.DataFrame(moved, columns=values.columns).infer_objects()
