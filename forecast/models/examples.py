"""What a classifier learns from: the directions of prices, and token sequences, checked and without padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from forecast.models.base import ahead
from forecast.nn.sequences import Examples
from forecast.panel import Panel
from forecast.scaling import MIN_CHANGES, PATH, Inputs, causal_inputs
from forecast.windows import rows_before


class PriceWindows(Examples):
    """Windows of a price panel, gathered when they are asked for; each pair is (series, origin)."""

    def __init__(self, inputs: Inputs, pairs: np.ndarray, labels: np.ndarray, lookback: int) -> None:
        self.inputs, self.pairs, self.labels, self.lookback = inputs, pairs, labels, lookback
        self.lengths = np.full(len(pairs), lookback)
        self._left = iter(())

    def __len__(self) -> int:
        return len(self.pairs)

    def gather(self, which: np.ndarray) -> tuple[np.ndarray, ...]:
        """Copy these windows and their classes: (B, L, C) and (B,)."""
        series, origin = self.pairs[which].T
        return rows_before(self.inputs.x[..., PATH:], origin, series, self.lookback), self.labels[which]


def part_of(examples: Examples, start: int, stop: int) -> Examples:
    """Give the examples from one number up to another."""
    if isinstance(examples, PriceWindows):
        part = slice(start, stop)
        return PriceWindows(examples.inputs, examples.pairs[part], examples.labels[part], examples.lookback)
    return Examples(examples.sequences[start:stop], examples.labels[start:stop])


def is_prices(X: Any) -> bool:
    """Say whether this is a price table of any kind."""
    return isinstance(X, (Panel, pd.DataFrame, pd.Series, Mapping))


def price_inputs(panel: Panel) -> Inputs:
    """Make what is read of prices, in logs where all are positive."""
    positive = (panel.target[panel.observed] > 0).all()
    return causal_inputs(np.log(panel.target) if positive else panel.target)


def change_ahead(y: np.ndarray, horizon: int) -> np.ndarray:
    """Give the change from each row to the one `horizon` later, (T, N); NaN where either is missing."""
    return ahead(y, horizon)[..., -1] - y


def direction_examples(panel: Panel, lookback: int, horizon: int) -> PriceWindows:
    """Make the examples of a panel, oldest first: windows whose outcome is known, and is up or down."""
    inputs, change = price_inputs(panel), change_ahead(panel.target, horizon)
    taught = np.isfinite(change) & (change != 0) & (inputs.changes >= max(MIN_CHANGES, lookback))
    origin, series = np.nonzero(taught)
    if not len(origin):
        raise ValueError(
            f"no row has {max(MIN_CHANGES, lookback)} changes before it and a value {horizon} rows after it: bring "
            "more history, or ask for a shorter lookback"
        )
    return PriceWindows(inputs, np.stack([series, origin], axis=1), (change[taught] > 0).astype(np.int64), lookback)


def class_numbers(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the classes in order, and the number of each example's."""
    if y is None:
        raise ValueError("fit(X, y) needs the class of every example in y; only prices bring their own")
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise ValueError(f"y must hold one class for each of the {n} examples; got shape {labels.shape}")
    classes, numbers = np.unique(labels, return_inverse=True)
    return classes, numbers.astype(np.int64)


def token_sequences(X: Any, vocabulary: int) -> list[np.ndarray]:
    """Give each sequence's ids (L,), without padding; one without any token is a single 0."""
    if isinstance(X, (str, bytes)) or not hasattr(X, "__len__") or not len(X):
        raise ValueError(f"token sequences must be lists of ids, or an array padded with 0; got {X!r}")
    sequences = []
    for i, each in enumerate(X):
        ids = np.asarray(each)
        if ids.ndim != 1 or not (ids.size == 0 or np.issubdtype(ids.dtype, np.number)) or (ids != ids.round()).any():
            raise ValueError(f"sequence {i} must be a list of whole numbers, the ids of its tokens; got {each!r}")
        if ids.size and (ids.min() < 0 or ids.max() >= vocabulary):
            wrong = int(ids.min() if ids.min() < 0 else ids.max())
            raise ValueError(
                f"sequence {i} holds the id {wrong}; ids run from 0 (padding) to vocabulary - 1 = {vocabulary - 1}"
            )
        kept = ids[ids != 0].astype(np.int64)
        sequences.append(kept if len(kept) else np.zeros(1, dtype=np.int64))
    return sequences
