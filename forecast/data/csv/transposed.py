"""Tables with one series per row, as in the M4 competition."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

#: Lower-case names of the first column of a table with one series per row; V2, V3 … follow.
ID_COLUMNS = ("v1", "id", "unique_id")


def has_series_in_rows(frame: pd.DataFrame) -> bool:
    """Return whether a table has one series per row: an id, then V2, V3 … in order, and not only dates as ids.

    R calls columns without a name V1, V2 … as well: a dated table with such a header is read by its dates.
    """
    first, *others = (str(name) for name in frame.columns.to_flat_index())
    if first.lower() not in ID_COLUMNS or others != [f"V{i}" for i in range(2, len(others) + 2)] or not others:
        return False
    ids = frame.iloc[:, 0].dropna().astype(str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        dates = pd.to_datetime(ids, errors="coerce")
    return not dates.notna().all()


def transpose_series(frame: pd.DataFrame, row_word: str) -> pd.DataFrame:
    """Return a table with one series per row, as in the M4 competition, as undated columns that end together."""
    ids = frame.iloc[:, 0]
    if ids.isna().any():
        raise ValueError(f"{row_word} {ids.index[ids.isna()][0]} has no id: name the series of each row")
    for column in frame.columns[1:]:
        text = pd.to_numeric(frame[column], errors="coerce").isna() & frame[column].notna()
        if text.any():
            line = frame.index[text][0]
            raise ValueError(
                f"{row_word} {line} contains {frame.loc[line, column]!r} in {column}; values must be numbers"
            )
    values = frame.iloc[:, 1:].T.set_axis([str(name).strip() for name in ids], axis=1)
    observed = values.notna().to_numpy()
    empty = ~observed.any(axis=0)
    if empty.any():
        raise ValueError(f"{values.columns[int(empty.argmax())]} has no value at all: leave its row out")
    lengths = len(values) - observed[::-1].argmax(axis=0)  # rows of each series up to its last value
    longest = int(lengths.max())
    aligned = np.full((longest, values.shape[1]), None, dtype=object)
    for i, length in enumerate(lengths):
        aligned[longest - length :, i] = values.iloc[:length, i]
    return pd.DataFrame(aligned, columns=values.columns).infer_objects()
