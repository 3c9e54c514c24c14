"""Time of the package's Elman and GRU layers and of torch's, forward and backward, on one thread.

python benchmarks/cells.py
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import torch
from torch import nn

from forecast.models.recurrent.cells import FastGRU, FastRNN

INPUTS, REPEATS = 16, 7
PAIRS = {"Elman": (FastRNN, nn.RNN), "GRU": (FastGRU, nn.GRU)}


def milliseconds(layer: nn.Module, x: torch.Tensor) -> float:
    """Return the time of one forward and backward pass."""
    start = time.perf_counter()
    layer(x)[0].sum().backward()
    return 1e3 * (time.perf_counter() - start)


def main() -> None:
    """Print the medians of both layers, measured in turn."""
    torch.set_num_threads(1)
    table = []
    for batch in (6, 16, 32, 128):
        for rows in (60, 120, 500):
            for hidden in (16, 64, 128):
                x = torch.randn(batch, rows, INPUTS, requires_grad=True)
                row: dict[str, object] = {"batch": batch, "rows": rows, "hidden": hidden}
                for name, kinds in PAIRS.items():
                    layers = [kind(INPUTS, hidden, batch_first=True) for kind in kinds]
                    times = [[milliseconds(layer, x) for layer in layers] for _ in range(REPEATS + 1)][1:]
                    ours, theirs = np.median(times, axis=0)
                    row |= {
                        f"{name} ms": f"{ours:.1f}",
                        f"{name} torch ms": f"{theirs:.1f}",
                        f"{name} times": theirs / ours,
                    }
                table.append(row)
    print(pd.DataFrame(table).to_string(index=False, float_format="{:.1f}".format))


if __name__ == "__main__":
    main()
