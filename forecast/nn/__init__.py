"""Networks, losses and the training loop; tensors live here and in models/{recurrent,classifier}.py, nowhere else."""

from __future__ import annotations

from forecast.nn.trainer import Trainer

__all__ = ["Trainer"]
