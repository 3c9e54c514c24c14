"""Arrays in a file that is loaded without running anything: torch's format, read with weights_only."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write named arrays; gives the bytes written."""
    buffer = io.BytesIO()
    torch.save({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}, buffer)
    path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def read_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Read what `write_arrays` has written; nothing but numbers can come out of it."""
    loaded = torch.load(io.BytesIO(content), weights_only=True)
    return {name: tensor.numpy() for name, tensor in loaded.items()}


def net_arrays(net: torch.nn.Module) -> dict[str, np.ndarray]:
    """Give the weights and buffers of a network."""
    return {name: tensor.numpy() for name, tensor in net.state_dict().items()}


def set_net(net: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Give a network these weights, ready to forecast."""
    net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    return net.eval()
