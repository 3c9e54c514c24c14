"""How far back in time a network learns from: the vanishing gradient, made visible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def gradient_flow(model: Any, X: Any, y: Any = None) -> pd.DataFrame:
    """Measure how strongly a loss at the newest row depends on each row before it: what training can learn from.

    `model` is a fitted `Recurrent` (X: prices) or `RecurrentClassifier` (X and y as for fit). Gives a row for each
    distance back in time (0: the newest row): "input" is the norm of d loss / d inputs of that row, "state" that of
    d loss / d state carried on from it (h, and an LSTM's c; all layers; NaN where a network reads in both directions).
    Means over at most 256 examples and all members. An Elman cell multiplies the gradient by its recurrent weights at
    every row, so that it vanishes (or explodes) exponentially; LSTM and GRU pass it on through their gates (Hochreiter
    and Schmidhuber, 1997). Raises ValueError for one-to-one and one-to-many networks, which read one row only.
    """
    import numpy as np
    import pandas as pd

    from forecast.nn.diagnostics import flow

    if not hasattr(model, "probe"):
        raise TypeError(f"only a Recurrent or a RecurrentClassifier has a gradient; got {model!r}")
    nets, batch = model.probe(X, y)
    each = np.mean([flow(net, batch) for net in nets], axis=0)  # (2, L)
    distance = pd.RangeIndex(each.shape[1], name="distance")
    return pd.DataFrame(each[:, ::-1].T, index=distance, columns=["input", "state"])
