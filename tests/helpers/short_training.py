"""Training of a few steps, for code that has to run whatever its networks have learnt."""

from __future__ import annotations

from typing import Any

from forecast.models.recurrent.classifier import RecurrentClassifier
from forecast.models.recurrent.trainer import Trainer

MAX_STEPS = 20


def shorten_training() -> None:
    """Let every training of this process end after a few steps, that of a classifier after an epoch."""
    train, train_classifier = Trainer.train, RecurrentClassifier._train

    def train_briefly(self: Trainer, *args: Any) -> Any:
        steps = min(self.steps, MAX_STEPS)
        return train(Trainer(**self.get_params() | {"steps": steps}), *args)

    def train_one_epoch(self: RecurrentClassifier, *args: Any) -> None:
        epochs, self.epochs = self.epochs, 1
        train_classifier(self, *args)
        self.epochs = epochs

    Trainer.train = train_briefly
    RecurrentClassifier._train = train_one_epoch
