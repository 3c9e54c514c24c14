"""Train the pretrained network: python -m forecast.models.recurrent.pretrained.train --out build/pretrained

The folder holds a checkpoint, from which the same command continues, and a log; at the end also `weights.npz` (half
precision) and `card.json`: the settings, the versions and the hash of the weights. No file is read but the checkpoint.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from forecast._io import atomic_file, write_json
from forecast.models.recurrent.pretrained.network import PretrainedNetwork
from forecast.models.recurrent.pretrained.pretraining import Training, TrainingConfig
from forecast.models.recurrent.pretrained.weights import WEIGHTS, read_weights
from forecast.models.recurrent.trainer import DEVICES

LOGGED = 100  # steps in a line of the log
CHECKPOINT, LOG, CARD = "checkpoint.npz", "log.csv", "card.json"


def run(
    config: TrainingConfig,
    folder: Path,
    until: int | None = None,
    device: str = "cpu",
    weights: dict[str, np.ndarray] | None = None,
) -> None:
    """Train up to step `until`, by default the last one, from the checkpoint in the folder if there is one.

    The training starts from `weights`, by default from random ones. Raises ValueError if the checkpoint is of other
    settings, or there is no such device.
    """
    if weights is not None:
        config = replace(config, start_from=hash_weights(weights))
    training = Training(config, device, weights)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / CHECKPOINT).exists():
        load_checkpoint(training, folder / CHECKPOINT)
    last = config.steps if until is None else min(until, config.steps)
    losses, began = [], time.process_time()
    while training.step < last:
        losses.append(training.next_step())
        if training.step % LOGGED == 0 or training.step == last:
            line = f"{training.step},{np.mean(losses):.5f},{time.process_time() - began:.0f}"
            print(line, flush=True)
            save_checkpoint(training, folder / CHECKPOINT)
            with (folder / LOG).open("a") as log:
                log.write(line + "\n")
            losses, began = [], time.process_time()
    if training.step == config.steps:
        write_weights(training.network, config, folder, str(training.device))


def save_checkpoint(training: Training, path: Path) -> None:
    """Write the state of a training."""
    arrays = training.arrays() | {"config": np.array(json.dumps(asdict(training.config), sort_keys=True))}
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def load_checkpoint(training: Training, path: Path) -> None:
    """Continue a training from its checkpoint; raise ValueError if that has other settings."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    settings = json.dumps(asdict(training.config), sort_keys=True)
    if str(arrays.pop("config")) != settings:
        raise ValueError(f"{path} is of a training with other settings: use another --out, or delete the checkpoint")
    training.load_arrays(arrays)


def write_weights(network: PretrainedNetwork, config: TrainingConfig, folder: Path, device: str) -> None:
    """Write the weights in half precision and their card."""
    arrays = {name: tensor.cpu().numpy().astype(np.float16) for name, tensor in network.state_dict().items()}
    with atomic_file(folder / WEIGHTS) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    card = {
        "trained_on": "simulated processes alone (forecast.models.recurrent.pretrained.priors)",
        "config": asdict(config),
        "n_weights": int(sum(array.size for array in arrays.values())),
        "sha256": hash_weights(arrays),
        "device": device,
        "precision": "bfloat16" if network.half_precision else "float32",
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    write_json(folder / CARD, card)


def hash_weights(arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of weights in half precision, as the card has it."""
    return hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()


def main() -> None:
    """Train with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/pretrained"))
    parser.add_argument("--steps", type=int, default=TrainingConfig.steps, help="of the whole training")
    parser.add_argument("--until", type=int, help="stop after this step, to continue later")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lr", type=float, default=TrainingConfig.lr, help="largest learning rate")
    parser.add_argument("--start-from", type=Path, help="folder with the weights to start from; random ones by default")
    parser.add_argument("--device", default="auto", choices=DEVICES, help="by default a GPU if there is one")
    options = parser.parse_args()
    torch.set_num_threads(1)
    weights = None if options.start_from is None else read_weights(options.start_from)
    config = TrainingConfig(steps=options.steps, seed=options.seed, lr=options.lr)
    run(config, options.out, options.until, options.device, weights)


if __name__ == "__main__":
    main()
