"""Recurrent networks that choose between classes: the direction of prices, a kind of sequence, a kind of text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin

from forecast._estimator import check_fitted
from forecast._validation import check_choice, check_int, check_number
from forecast.data.panel import Panel, as_panel
from forecast.features.inputs import N_STATE_CHANNELS, causal_inputs
from forecast.models.base import Summary, check_rows, choose_log, summary_of, transform
from forecast.models.recurrent.classifier_network import Classifier, Examples, probabilities
from forecast.models.recurrent.config import check_layers, dilations
from forecast.models.recurrent.diagnostics import layers
from forecast.models.recurrent.layers import CELLS, Stack, set_gate_bias
from forecast.models.recurrent.sequences import (
    PriceWindows,
    change_ahead,
    class_numbers,
    direction_examples,
    token_sequences,
    vectors,
)
from forecast.models.recurrent.trainer import Trainer, local_random, one_thread
from forecast.models.recurrent.weights import net_arrays, set_net
from forecast.models.store import save_model

DIRECTIONS = ("down", "up")
#: Parameters that a fitted network keeps, whatever they are set to later.
SHAPES = (
    *("cell", "bidirectional", "hidden", "layers", "residual", "dropout", "gate_bias", "vocabulary", "embedding"),
    *("lookback", "seed"),
)
HISTORY = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "seconds")


class RecurrentClassifier(ClassifierMixin, BaseEstimator):
    """An Elman, LSTM or GRU network that chooses a class, as a classifier of scikit-learn.

    It reads one of three things. Prices, as a DataFrame, Series, mapping or Panel: the classes are "down" and "up", the
    direction of the price `horizon` rows ahead, read from windows of `lookback` rows; nothing is passed for y. Arrays
    (B, L, C): sequences of vectors, given in a scale near 1. With `vocabulary`, token sequences, as lists of ids below
    `vocabulary` or padded with 0, which is no token and never changes an answer: each token becomes a learned vector
    of `embedding` numbers.

    The newest `validation_split` of the examples (as they stand, before shuffling; of prices purged: no outcome that
    is trained on lies behind the first row that judges) is kept out of training, and the weights are those of the epoch
    that was best there, by its loss (0: all examples, the last epoch). `epochs`, `batch_size` and `lr` are those of
    AdamW; the rate is warmed up to `lr` and decays to zero, half of it on average. `dropout` works between
    layers and before the dense layer. `history_` holds loss and accuracy of every epoch.
    """

    def __init__(
        self,
        cell: str = "lstm",
        bidirectional: bool = False,
        hidden: int = 32,
        layers: int | tuple[int, ...] = 1,
        residual: bool = False,
        dropout: float = 0.0,
        gate_bias: str = "one",
        vocabulary: int | None = None,
        embedding: int = 32,
        horizon: int = 1,
        lookback: int = 60,
        epochs: int = 5,
        batch_size: int = 32,
        lr: float = 2e-3,
        validation_split: float = 0.2,
        seed: int = 0,
    ) -> None:
        self.cell = cell
        self.bidirectional = bidirectional
        self.hidden = hidden
        self.layers = layers
        self.residual = residual
        self.dropout = dropout
        self.gate_bias = gate_bias
        self.vocabulary = vocabulary
        self.embedding = embedding
        self.horizon = horizon
        self.lookback = lookback
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.validation_split = validation_split
        self.seed = seed

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        check_choice("cell", self.cell, tuple(CELLS))
        check_choice("gate_bias", self.gate_bias, ("one", "chrono"))
        for name in ("bidirectional", "residual"):
            check_choice(name, getattr(self, name), (True, False))
        for name in ("hidden", "embedding", "horizon", "lookback", "epochs", "batch_size"):
            check_int(name, getattr(self, name), 1)
        check_int("seed", self.seed, 0)
        if self.vocabulary is not None:
            check_int("vocabulary", self.vocabulary, 2)
        check_number("dropout", self.dropout, 0.0, below=1.0)
        check_number("lr", self.lr, 0.0)
        check_number("validation_split", self.validation_split, 0.0, below=1.0)
        check_layers(self.layers, self.residual)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from examples and their classes; of prices the classes are made, and y stays None.

        Raises ValueError if there are not two classes, or examples and classes are not equally many.
        """
        self.check_params()
        before = dict(vars(self))
        try:
            self._fit(X, y)
        except BaseException:
            self.__dict__ = before  # as if it had not been tried
            raise
        return self

    def _fit(self, X: Any, y: Any) -> None:
        self.__dict__.pop("net_", None)  # a new fit starts afresh, with other channels if need be
        self.kind_ = self._kind(X)
        if self.kind_ == "prices":
            if y is not None:
                raise ValueError("prices bring their own classes, the directions of later rows: call fit(prices) alone")
            panel = as_panel(X)
            self.log_ = choose_log("auto", panel)
            self.classes_ = np.array(DIRECTIONS, dtype=object)
            windows = direction_examples(panel, self.log_, self.lookback, self.horizon)
            self.n_inputs_ = windows.inputs.x.shape[2] - N_STATE_CHANNELS
            train, late = windows.parted(self.validation_split, self.horizon)
        else:
            sequences = self._sequences(X)
            self.classes_, labels = class_numbers(y, len(sequences))
            self.n_inputs_ = self.embedding if self.kind_ == "tokens" else sequences[0].shape[1]
            train, late = Examples(sequences, labels).parted(self.validation_split)
        self.network_ = {name: getattr(self, name) for name in SHAPES}
        if len(np.unique(train.labels)) < 2:
            only = self.classes_[train.labels[0]]
            raise ValueError(
                f"there is one class only ({only!r}) in the {len(train)} examples that are trained on (the validation "
                "split takes the last): nothing can be told apart. Bring others, or put them in a random order"
            )
        with one_thread():
            self._train(train, late)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Give the probability of each class, (M, classes): of each example, or from the last row of each series."""
        self._check_kind(X)
        if self.kind_ == "prices":
            panel = as_panel(X)
            return self.predict_proba_at(panel, [len(panel) - 1])[0]
        sequences = self._sequences(X)
        with one_thread():
            return probabilities(self.net_, Examples(sequences, np.zeros(len(sequences), dtype=np.int64)))

    def predict(self, X: Any) -> np.ndarray:
        """Give the likeliest class, (M,): of each example, or from the last row of each series (None: not begun)."""
        found = self.predict_proba(X)
        said: np.ndarray = self.classes_[np.nan_to_num(found).argmax(axis=-1)]
        unknown = np.isnan(found).any(axis=-1)
        if unknown.any():
            said = said.astype(object)
            said[unknown] = None
        return said

    def predict_proba_at(self, prices: Any, cutoffs: Any) -> np.ndarray:
        """Give the probabilities of down and up from each of these rows, as if nothing came after it, (K, N, 2).

        NaN where a series has not begun.
        """
        self._check_kind(prices)
        panel = as_panel(prices)
        rows = check_rows(cutoffs, len(panel))
        panel = panel[: int(rows.max()) + 1]
        n = len(panel.series)
        inputs = causal_inputs(transform(panel, self.log_))
        pairs = np.stack([np.tile(np.arange(n), len(rows)), np.repeat(rows, n)], axis=1)
        lookback = self.network_["lookback"]
        with one_thread():
            found = probabilities(self.net_, PriceWindows(inputs, pairs, np.zeros(len(pairs), np.int64), lookback))
        known = np.isfinite(inputs.y[rows])[..., None]
        return np.where(known, found.reshape(len(rows), n, 2), np.nan)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Give the share of right answers; of prices over every row whose outcome they hold."""
        self._check_kind(X)
        if self.kind_ == "prices":
            if y is not None or sample_weight is not None:
                raise ValueError("prices bring their own classes, all of one weight: call score(prices) alone")
            panel = as_panel(X)
            if len(panel) <= self.horizon:
                raise ValueError(f"{len(panel)} rows hold no outcome {self.horizon} rows later: bring more of them")
            return self.score_at(panel, np.arange(len(panel) - self.horizon))
        class_numbers(y, len(self._sequences(X)))
        return float(super().score(X, y, sample_weight))

    def score_at(self, prices: Any, cutoffs: Any) -> float:
        """Give the share of right directions from these rows; prices that end where they began count for neither."""
        self._check_kind(prices)
        panel = as_panel(prices)
        rows = check_rows(cutoffs, len(panel))
        up = self.predict_proba_at(panel, rows)[..., 1] > 0.5  # (K, N)
        change = change_ahead(panel.target, self.horizon)[rows]
        counted = np.isfinite(change) & (change != 0)
        if not counted.any():
            raise ValueError(
                f"no row of these has another price {self.horizon} rows later: there is no outcome to score"
            )
        return float((up == (change > 0))[counted].mean())

    def probe(self, X: Any, y: Any = None) -> tuple[list[Any], list[Any]]:
        """Give the network and a batch of examples of one length, the commonest, for `gradient_flow`."""
        self._check_kind(X)
        if self.kind_ == "prices":
            examples: Examples = direction_examples(as_panel(X), self.log_, self.lookback, self.horizon)
        else:
            sequences = self._sequences(X)
            known, labels = class_numbers(y, len(sequences))
            strange = [each for each in known if each not in self.classes_]
            if strange:
                raise ValueError(f"y holds {strange[0]!r}, which is none of the classes {list(self.classes_)}")
            examples = Examples(sequences, np.searchsorted(self.classes_, known)[labels])
        lengths = examples.lengths
        which = np.flatnonzero(lengths == np.bincount(lengths).argmax())[:256]
        return [self.net_], [torch.from_numpy(array) for array in examples.gather(which)]

    def _kind(self, X: Any) -> str:
        if self.vocabulary is not None:
            return "tokens"
        return "prices" if isinstance(X, (Panel, pd.DataFrame, pd.Series, Mapping)) else "vectors"

    def _check_kind(self, X: Any) -> None:
        check_fitted(self, "net_")
        if self._kind(X) != self.kind_:
            raise ValueError(f"this network was trained on {self.kind_} and cannot read {self._kind(X)}")

    def summary(self) -> Summary:
        """List the layers of the network with their output shapes and weights, as Keras prints them."""
        check_fitted(self, "net_")
        rows = self.lookback
        x = torch.zeros(1, rows, self.n_inputs_) if self.vocabulary is None else torch.ones(1, rows, dtype=torch.int64)
        title = f"{self.cell} many-to-one, {len(self.classes_)} classes; shown for {rows} rows"
        return summary_of(layers(self.net_, [x, torch.zeros(1, dtype=torch.int64)]), title)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the fitted model into a folder, from which `forecast.load_model` reads it without running any code."""
        check_fitted(self, "net_")
        save_model(self, os.fspath(folder))

    def _state(self) -> dict[str, Any]:
        fitted = {name: value for name, value in vars(self).items() if name.endswith("_")}
        return fitted | {"net_": net_arrays(self.net_)} if fitted else {}

    def _restore(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.net_ = set_net(self._network(longest=2), state["net_"])

    def _train(self, train: Examples, late: Examples | None) -> None:
        batches = train.batches(self.batch_size)
        trainer = Trainer(steps=self.epochs * batches, batch_size=self.batch_size, lr=self.lr)
        self.net_ = net = self._network(int(train.lengths.max()))
        best, losses = np.inf, []
        rows: list[tuple[float, ...]] = []
        for record in trainer.run(net, train, self.seed):
            losses.append(record["loss"])
            if len(losses) < batches:
                continue
            epoch, seconds = len(rows) + 1, record["seconds"]
            said = [_evaluate(net, part) if part is not None else (np.nan, np.nan) for part in (train, late)]
            rows.append((epoch, *said[0], *said[1], seconds))
            losses = []
            if late is None or said[1][0] < best:
                best, self.best_epoch_ = said[1][0], epoch
                kept = {name: value.clone() for name, value in net.state_dict().items()}
        net.load_state_dict(kept)
        self.history_ = pd.DataFrame(rows, columns=list(HISTORY))

    def _network(self, longest: int) -> Classifier:
        """Make the network that was asked for when it was fitted, gates open for `longest` rows."""
        a = self.network_
        with local_random(torch.Generator().manual_seed(a["seed"])):
            stack = Stack(
                a["cell"],
                self.n_inputs_,
                a["hidden"],
                dilations(a["layers"]),
                bidirectional=a["bidirectional"],
                dropout=a["dropout"],
                residual=a["residual"],
            )
            set_gate_bias(stack, a["gate_bias"], longest)
            return Classifier(stack, len(self.classes_), a["vocabulary"], a["dropout"])

    def _sequences(self, X: Any) -> Sequence[np.ndarray]:
        if self.kind_ == "tokens":
            known: Any = self.network_["vocabulary"] if hasattr(self, "net_") else self.vocabulary
            return token_sequences(X, known)
        array = vectors(X)
        if hasattr(self, "net_") and array.shape[2] != self.n_inputs_:
            raise ValueError(
                f"the examples have {array.shape[2]} channels; the network was trained on {self.n_inputs_}"
            )
        return list(array)


def _evaluate(net: Classifier, examples: Examples) -> tuple[float, float]:
    """Give cross-entropy and accuracy."""
    found = probabilities(net, examples)
    chosen = found[np.arange(len(examples)), examples.labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean()), float((found.argmax(axis=1) == examples.labels).mean())
