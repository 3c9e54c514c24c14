"""What a classifier learns from: the directions of prices, and token sequences, checked and without padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets

from forecast.data.panel import Panel
from forecast.features.inputs import MIN_CHANGES, N_STATE_CHANNELS, Inputs, causal_inputs
from forecast.features.windows import future_windows, windows_ending_at
from forecast.models.base import transform
from forecast.models.recurrent.classifier_network import Examples


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
        return windows_ending_at(self.inputs.x[..., N_STATE_CHANNELS:], origin, series, self.lookback), self.labels[
            which
        ]

    def _some(self, which: np.ndarray) -> PriceWindows:
        return PriceWindows(self.inputs, self.pairs[which], self.labels[which], self.lookback)

    def parted(self, split: float, horizon: int = 0) -> tuple[Examples, Examples | None]:
        """Part by time: the newest examples judge, and no outcome of the others reaches into their rows."""
        if not split:
            return self, None
        origin = self.pairs[:, 1]
        first = origin[len(self) - max(round(split * len(self)), 1)]  # of the rows that judge
        train, late = self._some(np.flatnonzero(origin + horizon < first)), self._some(np.flatnonzero(origin >= first))
        if not len(train):
            raise ValueError(f"validation_split={split} of {len(self)} examples leaves none to train on")
        return train, late


def change_ahead(y: np.ndarray, horizon: int) -> np.ndarray:
    """Give the change from each row to the one `horizon` later, (T, N); NaN where either is missing."""
    return future_windows(y, horizon)[..., -1] - y


def direction_examples(panel: Panel, log: bool, lookback: int, horizon: int) -> PriceWindows:
    """Make the examples of a panel, oldest first: windows whose outcome is known, and is up or down."""
    inputs, change = causal_inputs(transform(panel, log)), change_ahead(panel.target, horizon)
    taught = np.isfinite(change) & (change != 0) & (inputs.n_changes >= max(MIN_CHANGES, lookback))
    origin, series = np.nonzero(taught)
    if not len(origin):
        raise ValueError(
            f"no row has {max(MIN_CHANGES, lookback)} traded rows before it and another price {horizon} rows after it: "
            "bring more history or prices that move, or ask for a shorter lookback"
        )
    return PriceWindows(inputs, np.stack([series, origin], axis=1), (change[taught] > 0).astype(np.int64), lookback)


def class_numbers(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the classes in order, and the number of each example's."""
    if y is None:
        raise ValueError("the class of every example is needed in y; only prices bring their own")
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise ValueError(f"y must hold one class for each of the {n} examples; got shape {labels.shape}")
    if pd.isna(labels).any():
        raise ValueError(f"y holds no class at example {int(pd.isna(labels).argmax())}: give it one, or leave it out")
    check_classification_targets(labels)
    classes, numbers = np.unique(labels, return_inverse=True)
    return classes, numbers.astype(np.int64)


def vectors(X: Any) -> np.ndarray:
    """Give sequences of vectors as one array (B, L, C) of float32."""
    try:
        array = np.array(X, dtype=np.float32, ndmin=1)
    except (TypeError, ValueError):
        array = np.empty(0, dtype=np.float32)
    if array.ndim != 3 or not array.size:
        came = f"shape {array.shape}" if array.size else f"a {type(X).__name__} that is no such array"
        raise ValueError(
            f"sequences must be an array (examples, rows, channels); got {came}. For token ids say vocabulary=…; "
            "sequences of one channel are X[:, :, None]; prices come as a DataFrame"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"example {int(np.argwhere(~np.isfinite(array))[0][0])} holds a value that is no number")
    return array


def token_sequences(X: Any, vocabulary: int) -> list[np.ndarray]:
    """Give each sequence's ids (L,), without padding; one without any token is a single 0."""
    X = X.to_numpy() if isinstance(X, (pd.DataFrame, pd.Series)) else X
    if isinstance(X, (str, bytes, Mapping, Panel)) or not hasattr(X, "__len__") or not len(X):
        raise ValueError(f"token sequences must be lists of ids, or an array padded with 0; got {X!r}")
    sequences = []
    for i, each in enumerate(X):
        try:
            ids = np.asarray(each)
        except ValueError:  # lists of lists
            ids = np.empty((0, 0))
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
