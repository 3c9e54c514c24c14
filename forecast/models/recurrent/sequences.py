"""Input validation of the classifier: classes, sequences of vectors, sequences of tokens without their padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets

from forecast.data.panel import Panel


def encode_classes(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes in order, and the number of the class of each of n examples."""
    if y is None:
        raise ValueError("the class of every example is needed in y; only prices imply their classes")
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise ValueError(f"y must have one class for each of the {n} examples; got shape {labels.shape}")
    if pd.isna(labels).any():
        raise ValueError(f"y has no class at example {int(pd.isna(labels).argmax())}: add it, or leave the example out")
    check_classification_targets(labels)
    classes, numbers = np.unique(labels, return_inverse=True)
    return classes, numbers.astype(np.int64)


def check_vectors(X: Any) -> np.ndarray:
    """Return sequences of vectors as one array (B, L, C) of float32."""
    try:
        array = np.array(X, dtype=np.float32, ndmin=1)
    except (TypeError, ValueError):
        array = np.empty(0, dtype=np.float32)
    if array.ndim != 3 or not array.size:
        found = f"shape {array.shape}" if array.size else f"a {type(X).__name__} that is no such array"
        raise ValueError(
            f"sequences must be an array (examples, rows, channels); got {found}. For token ids set vocabulary=…; "
            "sequences of one channel are X[:, :, None]; prices must be a DataFrame"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"example {int(np.argwhere(~np.isfinite(array))[0][0])} has a value that is not finite")
    return array


def check_tokens(X: Any, vocabulary: int) -> list[np.ndarray]:
    """Return the ids of each sequence without padding, (L,); a sequence without tokens is a single 0."""
    X = X.to_numpy() if isinstance(X, (pd.DataFrame, pd.Series)) else X
    if isinstance(X, (str, bytes, Mapping, Panel)) or not hasattr(X, "__len__") or not len(X):
        raise ValueError(f"token sequences must be lists of ids, or an array padded with 0; got {X!r}")
    return [_check_ids(i, sequence, vocabulary) for i, sequence in enumerate(X)]


def _check_ids(i: int, sequence: Any, vocabulary: int) -> np.ndarray:
    """Return the ids of sequence i without padding."""
    try:
        ids = np.asarray(sequence)
    except ValueError:  # lists of lists
        ids = np.empty((0, 0))
    if ids.ndim != 1 or not (ids.size == 0 or np.issubdtype(ids.dtype, np.number)) or (ids != ids.round()).any():
        raise ValueError(f"sequence {i} must be a list of whole numbers, the ids of its tokens; got {sequence!r}")
    if ids.size and (ids.min() < 0 or ids.max() >= vocabulary):
        wrong = int(ids.min() if ids.min() < 0 else ids.max())
        raise ValueError(
            f"sequence {i} has the id {wrong}; ids run from 0 (padding) to vocabulary - 1 = {vocabulary - 1}"
        )
    tokens = ids[ids != 0].astype(np.int64)
    return tokens if len(tokens) else np.zeros(1, dtype=np.int64)
