"""The weights of the pretrained network: those of the package, or those of a folder that the training command wrote."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

import numpy as np
import torch

from forecast.models.recurrent.pretrained.network import PretrainedNetwork

WEIGHTS = "weights.npz"
COMMAND = "python -m forecast.models.recurrent.pretrained.train"


def read_weights(folder: str | os.PathLike[str] | None = None) -> dict[str, np.ndarray]:
    """Return the weights in a folder by their names, in half precision; None: those of the package.

    Raises ValueError if the folder has none, or those of another network.
    """
    path = Path(__file__).parent if folder is None else Path(folder).expanduser()
    return dict(_read(path if path.name == WEIGHTS else path / WEIGHTS))


@cache
def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist: start_from is a folder that `{COMMAND} --out FOLDER` wrote") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as weights ({error}): train them again with `{COMMAND}`") from None
    expected = {name: tuple(value.shape) for name, value in _empty_network().state_dict().items()}
    if {name: array.shape for name, array in arrays.items()} != expected:
        raise ValueError(f"{path} has the weights of another network than this version's: train again with `{COMMAND}`")
    return arrays


def _empty_network() -> PretrainedNetwork:
    """Return the network without memory for its weights; no random number is drawn."""
    with torch.device("meta"):
        return PretrainedNetwork()


def network_of(weights: dict[str, np.ndarray]) -> PretrainedNetwork:
    """Return the network with these weights."""
    network = _empty_network()
    state = {name: torch.from_numpy(array.astype(np.float32)) for name, array in weights.items()}
    network.load_state_dict(state, assign=True)
    return network.requires_grad_(False).eval()


def fingerprint(weights: dict[str, np.ndarray]) -> bytes:
    """Return a digest of weights."""
    digest = hashlib.blake2b(digest_size=16)
    for name, array in weights.items():
        digest.update(name.encode() + array.tobytes())
    return digest.digest()
