"""What a fit of a network consists of: what it continues from, and the training of its members."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np

from forecast.models.recurrent.config import RecurrentConfig
from forecast.models.recurrent.network_examples import Examples
from forecast.models.recurrent.networks import Network
from forecast.models.recurrent.ragged import RaggedRows
from forecast.models.recurrent.trainer import Trained, Trainer


class Previous(NamedTuple):
    """What a fit continues from."""

    config: RecurrentConfig
    nets: list[Network]
    shrinkage: np.ndarray


class Training(NamedTuple):
    """What the members of a network are trained on, and by which trainer; a task has the arguments of its `train`."""

    data: RaggedRows
    examples: Examples
    trainer: Trainer
    tasks: list[tuple[Any, ...]]


def of_member(
    member: int, steps: Generator[dict[str, float], None, Trained[Network]]
) -> Generator[dict[str, float], None, Trained[Network]]:
    """Yield the records of a training with the number of the member; return what the training returns."""
    while True:
        try:
            record = next(steps)
        except StopIteration as end:
            trained: Trained[Network] = end.value
            return trained
        yield {"member": member, **record}
