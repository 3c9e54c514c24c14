"""Alignment of rows: forward-filled values, the future and the past of each row as windows, blocks of rows."""

from __future__ import annotations

import numpy as np

FILLED_SERIES = 256  # that are forward-filled at once, to limit memory
BLOCKS = 5  # consecutive parts of the training rows, for out-of-sample errors


def forward_fill(y: np.ndarray) -> np.ndarray:
    """Return (T, N) with each missing row holding the last observed value; NaN before the first."""
    if not np.isnan(y).any():
        return y
    out = np.empty_like(y)
    for first in range(0, y.shape[1], FILLED_SERIES):
        part = y[:, first : first + FILLED_SERIES]
        rows = np.where(np.isnan(part), -1, np.arange(len(y))[:, None])
        last = np.maximum.accumulate(rows, axis=0)  # (T, n)
        filled = np.where(last >= 0, np.take_along_axis(part, np.maximum(last, 0), axis=0), np.nan)
        out[:, first : first + FILLED_SERIES] = filled
    return out


def future_windows(y: np.ndarray, horizon: int) -> np.ndarray:
    """Return the values 1 … H rows after each row as a view, (T, N, H); NaN past the end, where no target is."""
    padded = np.concatenate([y[1:], np.full((horizon, y.shape[1]), np.nan)])
    return np.lib.stride_tricks.sliding_window_view(padded, horizon, axis=0)


def sum_rows(values: np.ndarray) -> np.ndarray:
    """Return the sums over the rows of (T, N, …), (N, …): those of a series have the same bits in any panel."""
    return np.ascontiguousarray(np.moveaxis(values, 0, -1)).sum(axis=-1)


def future_change(y: np.ndarray, horizon: int) -> np.ndarray:
    """Return the change from each row to the one `horizon` rows later, (T, N); NaN where either is missing."""
    return future_windows(y, horizon)[..., -1] - y


def windows_ending_at(x: np.ndarray, origin: np.ndarray, series: np.ndarray, length: int) -> np.ndarray:
    """Copy the `length` rows up to each origin (B,) of a series (B,) of (T, N, C): (B, L, C), 0 outside the rows."""
    rows = origin[:, None] + np.arange(1 - length, 1)  # (B, L)
    inside = (rows >= 0) & (rows < len(x))
    return np.where(inside[..., None], x[np.where(inside, rows, 0), series[:, None]], np.float32(0))


def block_edges(rows: int) -> np.ndarray:
    """Return where each of five blocks of rows begins, and where the last ends, (6,)."""
    return np.linspace(0, rows, BLOCKS + 1).astype(np.int64)
