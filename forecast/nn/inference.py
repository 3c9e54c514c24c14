"""Corrections at many cutoffs in one pass, in batches of a fixed size so that bytes do not depend on how many."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from forecast.nn.networks import Aligned, State

CHUNK = 256  # rows of a sequence, or windows, that are computed at once


@torch.no_grad()
def correct_sequence(net: Aligned, x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Read all rows (T, N, C) once, state carried from row 0, and give the corrections at some: (K, N, H, Q)."""
    state: State = None
    found: dict[int, np.ndarray] = {}
    for start in range(0, int(rows.max()) + 1, CHUNK):
        chunk = x[start : start + CHUNK]
        padded = np.pad(chunk, ((0, CHUNK - len(chunk)), (0, 0), (0, 0)))
        out, state = net.step(torch.from_numpy(padded).transpose(0, 1), state)  # (N, CHUNK, H, Q)
        for row in rows[(rows >= start) & (rows < start + CHUNK)]:
            found[int(row)] = out[:, row - start].double().numpy()
    return np.stack([found[int(row)] for row in rows])


@torch.no_grad()
def correct_windows(net: nn.Module, x: np.ndarray) -> np.ndarray:
    """Read up to CHUNK closed windows (M, L, C) and give the correction of each: (M, H, Q)."""
    padded = np.pad(x, ((0, CHUNK - len(x)), (0, 0), (0, 0)))
    return net(torch.from_numpy(padded))[: len(x), 0].double().numpy()
