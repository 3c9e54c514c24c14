"""Examples of a classifier: sequences of tokens or vectors with their classes, drawn in batches of one length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from forecast.models.recurrent.layers import Stack
from forecast.models.recurrent.trainer import Trainable

CHUNK = 256  # sequences that are asked about at once
SPREAD = 0.3  # of a token's first vector; torch's 1 is too wide for small vocabularies of small networks


class Examples:
    """Sequences, each (L,) of token ids or (L, C) of vectors, with their classes (M,).

    Batches hold sequences of one length: there is no padding to mask, so none can change an answer. The order of an
    epoch is drawn anew: sequences are shuffled, laid together by length, cut into batches, and these are shuffled.
    """

    def __init__(self, sequences: Sequence[np.ndarray], labels: np.ndarray) -> None:
        self.sequences, self.labels = sequences, labels
        self.lengths = np.array([len(each) for each in sequences])
        self._left: Iterator[np.ndarray] = iter(())

    def __len__(self) -> int:
        return len(self.sequences)

    def parted(self, split: float) -> tuple[Examples, Examples | None]:
        """Part the last share of the examples, as they stand, from the others."""
        kept = len(self) - round(split * len(self))
        if kept == 0 or (split and kept == len(self)):
            raise ValueError(f"validation_split={split} of {len(self)} examples leaves one part empty")
        first, last = slice(None, kept), slice(kept, None)
        late = Examples(self.sequences[last], self.labels[last]) if split else None
        return Examples(self.sequences[first], self.labels[first]), late

    def batches(self, batch_size: int) -> int:
        """Count the batches of an epoch."""
        return int(np.ceil(np.unique(self.lengths, return_counts=True)[1] / batch_size).sum())

    def draw(self, rng: np.random.Generator, batch_size: int) -> tuple[np.ndarray, ...]:
        """Give the next batch of the epoch, or the first of a new one."""
        which = next(self._left, None)
        if which is None:
            parts = same_length(self.lengths, batch_size, rng.permutation(len(self)))
            self._left = iter([parts[i] for i in rng.permutation(len(parts))])
            which = next(self._left)
        return self.gather(which)

    def gather(self, which: np.ndarray) -> tuple[np.ndarray, ...]:
        """Copy these sequences, all of one length, and their classes: (B, L[, C]) and (B,)."""
        return np.stack([self.sequences[i] for i in which]), self.labels[which]


def same_length(lengths: np.ndarray, batch_size: int, order: np.ndarray) -> list[np.ndarray]:
    """Part numbers in this order into batches of sequences of one length."""
    by_length = order[np.argsort(lengths[order], kind="stable")]
    groups = np.split(by_length, np.flatnonzero(np.diff(lengths[by_length])) + 1)
    return [group[i : i + batch_size] for group in groups for i in range(0, len(group), batch_size)]


class Classifier(Trainable):
    """Tokens or vectors in, one class out: Embedding (for tokens), recurrent layers, a dense sigmoid or softmax."""

    def __init__(self, stack: Stack, classes: int, vocabulary: int | None, dropout: float) -> None:
        super().__init__()
        self.vectors: nn.Embedding | None = None
        if vocabulary is not None:
            self.vectors = nn.Embedding(vocabulary, stack.n_inputs, padding_idx=0)
            with torch.no_grad():
                self.vectors.weight.mul_(SPREAD)
        self.stack = stack
        self.dropout = nn.Dropout(float(dropout))
        self.dense = nn.Linear(stack.width, 1 if classes == 2 else classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, L) or (B, L, C) to logits (B, 1) of the second of two classes, or (B, classes)."""
        out, _ = self.stack(x if self.vectors is None else self.vectors(x))
        return self.dense(self.dropout(self.stack.last(out)))

    def loss_of(self, *batch: Tensor) -> Tensor:
        """Give the cross-entropy of a batch: inputs (B, L) or (B, L, C), classes (B,)."""
        x, label = batch
        logits = self(x)
        if logits.shape[1] == 1:
            return nn.functional.binary_cross_entropy_with_logits(logits[:, 0], label.to(logits.dtype))
        return nn.functional.cross_entropy(logits, label)


@torch.no_grad()
def probabilities(net: Classifier, examples: Examples) -> np.ndarray:
    """Give the probability of each class, (M, classes), in batches of one size, so that neighbours do not matter."""
    parts = same_length(examples.lengths, CHUNK, np.arange(len(examples)))
    found = np.empty((len(examples), max(net.dense.out_features, 2)))
    for which in parts:
        x = torch.from_numpy(examples.gather(np.resize(which, CHUNK))[0])
        logits = net(x.to(net.dense.weight.device))[: len(which)].cpu().double()
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        found[which] = torch.softmax(logits, dim=1).numpy()
    return found
