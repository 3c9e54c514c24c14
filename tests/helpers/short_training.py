"""Training of a few steps, for code that has to run whatever its networks have learnt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forecast.models.recurrent.classifier import RecurrentClassifier
from forecast.models.recurrent.trainer import Trainer

MAX_STEPS = 20


def shorten_training(set_attribute: Callable[[object, str, Any], None] = setattr) -> None:
    """Let every training of this process end after a few steps, that of a classifier after an epoch."""
    train_iter, train_classifier = Trainer.train_iter, RecurrentClassifier._train

    def train_briefly(self: Trainer, *args: Any) -> Any:
        steps = min(self.steps, MAX_STEPS)
        return train_iter(Trainer(**self.get_params() | {"steps": steps}), *args)

    def train_one_epoch(self: RecurrentClassifier, *args: Any) -> None:
        epochs, self.epochs = self.epochs, 1
        train_classifier(self, *args)
        self.epochs = epochs

    set_attribute(Trainer, "train_iter", train_briefly)
    set_attribute(RecurrentClassifier, "_train", train_one_epoch)
