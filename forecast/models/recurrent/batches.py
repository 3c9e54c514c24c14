"""What a network says at many cutoffs in one pass, in batches of one size: bytes do not depend on how many."""

from __future__ import annotations

import numpy as np
import torch

from forecast.models.recurrent.networks import Aligned, Network

CHUNK = 256  # rows of a sequence, or windows, that are computed at once
WIDE = 4096  # rows of all series together that are: a wide panel is read in shorter pieces, for memory's sake


@torch.no_grad()
def predict_rows(net: Aligned, x: np.ndarray, series: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Read all rows (T, N, C) once, state carried from row 0, and give what is said at some: (K, N, H, n)."""
    carried, codes = None, torch.from_numpy(series)
    length = min(CHUNK, max(WIDE // x.shape[1], 1))
    parts, places = [], []
    for start in range(0, int(rows.max()) + 1, length):
        chunk = x[start : start + length]
        padded = np.pad(chunk, ((0, length - len(chunk)), (0, 0), (0, 0)))
        out, carried = net.step(torch.from_numpy(padded).transpose(0, 1), codes, carried)  # (N, length, H, n)
        asked = np.flatnonzero((rows >= start) & (rows < start + length))
        parts.append(out[:, rows[asked] - start].transpose(0, 1).double().numpy())
        places.append(asked)
    return np.concatenate(parts)[np.argsort(np.concatenate(places))]


@torch.no_grad()
def predict_windows(net: Network, x: np.ndarray, series: np.ndarray) -> np.ndarray:
    """Read up to CHUNK closed windows (M, L, C) and give what is said of each: (M, H, n)."""
    beyond = CHUNK - len(x)
    padded, codes = np.pad(x, ((0, beyond), (0, 0), (0, 0))), np.pad(series, (0, beyond))
    return net(torch.from_numpy(padded), None, torch.from_numpy(codes))[: len(x), 0].double().numpy()
