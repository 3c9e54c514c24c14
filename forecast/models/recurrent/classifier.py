"""Recurrent networks that choose between classes: the direction of prices, classes of sequences or of texts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin

from forecast._estimator import check_fitted
from forecast._validation import check_int, check_number
from forecast.data.panel import Panel, Prices, as_panel
from forecast.features.dataset import DirectionDataset, LabelledSequences
from forecast.features.inputs import causal_inputs
from forecast.features.windows import future_change
from forecast.models.base import check_rows, choose_log, transform
from forecast.models.price_kind import PriceKind
from forecast.models.recurrent.config import ClassifierConfig, check_stack, check_unchanged, describing_params
from forecast.models.recurrent.diagnostics import Summary, summarise
from forecast.models.recurrent.inference import class_probabilities
from forecast.models.recurrent.networks import Classifier, build_classifier, network_arrays
from forecast.models.recurrent.sequences import check_tokens, check_vectors, encode_classes
from forecast.models.recurrent.trainer import Trainer, one_thread, tensors
from forecast.models.serialize import fitted_attributes
from forecast.models.store import save_model

DIRECTIONS = ("down", "up")
HISTORY = ("epoch", "loss", "accuracy", "validation_loss", "validation_accuracy", "seconds")
PROBE_EXAMPLES = 256
#: What the network reads: prices, vectors (B, L, C), or the token ids of each sequence.
Examples: TypeAlias = Prices | Sequence[Sequence[int] | np.ndarray]
#: The class of each example.
Classes: TypeAlias = ArrayLike | pd.Series


@dataclass(eq=False, repr=False)
class RecurrentClassifier(ClassifierMixin, BaseEstimator):
    """An Elman, LSTM or GRU network that chooses a class, as a classifier of scikit-learn.

    It reads one of three things. Prices, as a DataFrame, Series, mapping or Panel: the classes are "down" and "up", the
    direction of the price `horizon` rows later, from windows of `lookback` rows; y is None. Arrays (B, L, C): sequences
    of vectors with a scale near 1. With `vocabulary`, token sequences, as lists of ids below `vocabulary` or padded
    with 0, which is no token and never changes an output: each token becomes a trained vector.

    Parameters
    ----------
    cell : {"rnn", "lstm", "gru"}, default "lstm"
        The recurrent cell; "rnn" is Elman's.
    bidirectional : bool, default False
        Whether a sequence is read in both directions.
    hidden : int, default 32
        Size of the state.
    layers : int or tuple of int, default 1
        The number of layers, or the dilation of each, such as (1, 7, 28).
    residual : bool, default False
        Whether the input of a layer is added to its output.
    dropout : float, default 0.0
        Dropout between layers and before the dense layer, in training.
    gate_bias : {"one", "chrono"}, default "one"
        Initial bias of the gates; with "chrono" LSTM and GRU remember over the longest sequence.
    vocabulary : int, optional
        Number of token ids, if the sequences are of tokens.
    embedding : int, default 32
        Width of a token's vector.
    horizon : int, default 1
        Rows from the end of a window of prices to the price whose direction is predicted.
    lookback : int, default 60
        Rows of a window of prices.
    epochs : int, default 5
        Passes over the training examples. The weights are those of the epoch with the lowest validation loss.
    batch_size : int, default 32
        Examples in a batch, all of one length.
    lr : float, default 2e-3
        Highest learning rate of AdamW; it increases to it and decays to zero, and is half of it on average.
    validation_split : float, default 0.2
        Share of the examples, the last in their order, that are not trained on (0: none, and the weights are those of
        the last epoch). Prices are purged: no label of a training example depends on a validation row.
    seed : int, default 0
        Seed of the initial weights and of the batches.

    Attributes
    ----------
    classes_ : array
        The classes, in the order of the columns of `predict_proba`.
    history_ : DataFrame
        Loss and accuracy of every epoch, in training and validation.
    best_epoch_ : int
        The epoch of the weights.

    Notes
    -----
    A fitted model predicts only with the parameters of its fit; `epochs`, `batch_size`, `lr`, `validation_split` and
    `seed`, which matter to the next fit only, may change.
    """

    cell: str = "lstm"
    bidirectional: bool = False
    hidden: int = 32
    layers: int | tuple[int, ...] = 1
    residual: bool = False
    dropout: float = 0.0
    gate_bias: str = "one"
    vocabulary: int | None = None
    embedding: int = 32
    horizon: int = 1
    lookback: int = 60
    epochs: int = 5
    batch_size: int = 32
    lr: float = 2e-3
    validation_split: float = 0.2
    seed: int = 0

    def _always_shown(self) -> tuple[str, ...]:
        return ("cell",)

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        check_stack(self)
        for name in ("embedding", "horizon", "epochs", "batch_size"):
            check_int(name, getattr(self, name), 1)
        if self.vocabulary is not None:
            check_int("vocabulary", self.vocabulary, 2)
        check_number("lr", self.lr, 0.0)
        check_number("validation_split", self.validation_split, 0.0, below=1.0)

    # --- fitting ---

    def fit(self, X: Examples, y: Classes | None = None) -> Self:
        """Fit the network to examples and their classes; prices imply their classes, and y is None.

        A fit that fails leaves the model unchanged. Raises ValueError if there are not two classes, not as many classes
        as examples, or a parameter is not valid.
        """
        self.check_params()
        before = dict(vars(self))
        try:
            self._fit(X, y)
        except BaseException:
            self.__dict__ = before
            raise
        return self

    def _fit(self, X: Any, y: Any) -> None:
        self.fitted_params_ = describing_params(self)
        self.kind_ = self._kind(X)
        examples = self._examples_of_prices(X, y) if self.kind_ == "prices" else self._examples_of_sequences(X, y)
        train, validation = examples.split(self.validation_split)
        n_inputs = self.embedding if self.kind_ == "tokens" else train.gather(np.arange(1))[0].shape[2]
        self.config_ = ClassifierConfig.of(self, n_inputs=n_inputs, n_classes=len(self.classes_))
        if len(np.unique(train.labels)) < 2:
            only = self.classes_[train.labels[0]]
            raise ValueError(
                f"there is one class only ({only!r}) in the {len(train)} training examples (the validation split takes "
                "the last examples): use examples of two classes, or put them in a random order"
            )
        with one_thread():
            self._train(train, validation)

    def _examples_of_prices(self, prices: Any, y: Any) -> DirectionDataset:
        if y is not None:
            raise ValueError("prices imply their classes, the directions of later rows: call fit(prices) without y")
        panel = as_panel(prices)
        self.prices_ = PriceKind.of(panel)
        self.log_ = choose_log("auto", panel)
        self.classes_ = np.array(DIRECTIONS, dtype=object)
        return self._directions(panel)

    def _examples_of_sequences(self, X: Any, y: Any) -> LabelledSequences:
        sequences = self._sequences(X)
        self.classes_, labels = encode_classes(y, len(sequences))
        return LabelledSequences(sequences, labels)

    def _train(self, train: LabelledSequences, validation: LabelledSequences | None) -> None:
        """Set the network, with the weights of its best epoch, and the history of its epochs."""
        n_batches = train.n_batches(self.batch_size)
        trainer = Trainer(steps=self.epochs * n_batches, batch_size=self.batch_size, lr=self.lr)
        self.net_ = net = build_classifier(self.config_, self.seed, int(train.lengths.max()))
        best_loss, rows = np.inf, list[tuple[float, ...]]()
        for record in trainer.run(net, train, self.seed):
            if record["step"] % n_batches:
                continue
            epoch, no_score = len(rows) + 1, (np.nan, np.nan)
            scores = _evaluate(net, train), no_score if validation is None else _evaluate(net, validation)
            rows.append((epoch, *scores[0], *scores[1], record["seconds"]))
            if validation is None or scores[1][0] < best_loss:
                best_loss, self.best_epoch_ = scores[1][0], epoch
                weights = {name: value.clone() for name, value in net.state_dict().items()}
        net.load_state_dict(weights)
        self.history_ = pd.DataFrame(rows, columns=list(HISTORY))

    def _kind(self, X: Any) -> str:
        """Return what the examples are: "prices", "vectors" or "tokens"."""
        if self.vocabulary is not None:
            return "tokens"
        return "prices" if isinstance(X, (Panel, pd.DataFrame, pd.Series, Mapping)) else "vectors"

    def _sequences(self, X: Any) -> Sequence[np.ndarray]:
        return list(check_vectors(X)) if self.vocabulary is None else check_tokens(X, self.vocabulary)

    def _directions(self, panel: Panel) -> DirectionDataset:
        inputs = causal_inputs(transform(panel, self.log_))
        return DirectionDataset.from_prices(inputs, panel.target, self.lookback, self.horizon)

    # --- predicting ---

    def predict_proba(self, X: Examples) -> np.ndarray:
        """Return the probability of each class, (M, classes): of each example, or from the last row of each series."""
        self._check_ready(X)
        if self.kind_ == "prices":
            panel = self._read(X)
            return self.predict_proba_at(panel, [len(panel) - 1])[0]
        sequences = self._fitted_sequences(X)
        with one_thread():
            return class_probabilities(self.net_, LabelledSequences(sequences, np.zeros(len(sequences), np.int64)))

    def predict(self, X: Examples) -> np.ndarray:
        """Return the most probable class of each example, or from the last row of each series, (M,).

        It is None for a series that has not started.
        """
        probabilities = self.predict_proba(X)
        classes: np.ndarray = self.classes_[np.nan_to_num(probabilities).argmax(axis=-1)]
        unknown = np.isnan(probabilities).any(axis=-1)
        if unknown.any():
            classes = classes.astype(object)
            classes[unknown] = None
        return classes

    def predict_proba_at(self, prices: Prices, cutoffs: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the probabilities of down and up from each of these rows, using no row after it, (K, N, 2).

        NaN where a series has not started.
        """
        self._check_ready(prices)
        panel = self._read(prices)
        rows = check_rows(cutoffs, len(panel))
        panel = panel[: int(rows.max()) + 1]
        n = len(panel.series)
        inputs = causal_inputs(transform(panel, self.log_))
        pairs = np.stack([np.tile(np.arange(n), len(rows)), np.repeat(rows, n)], axis=1)
        windows = DirectionDataset(inputs, pairs, np.zeros(len(pairs), np.int64), self.lookback, self.horizon)
        with one_thread():
            probabilities = class_probabilities(self.net_, windows).reshape(len(rows), n, 2)
        return np.where(np.isfinite(inputs.y[rows])[..., None], probabilities, np.nan)

    def score(self, X: Examples, y: Classes | None = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy; for prices over every row whose direction is known."""
        self._check_ready(X)
        if self.kind_ == "prices":
            if y is not None or sample_weight is not None:
                raise ValueError("prices imply their classes, with equal weights: call score(prices) without y")
            panel = self._read(X)
            if len(panel) <= self.horizon:
                raise ValueError(f"{len(panel)} rows have no direction {self.horizon} rows later: use more rows")
            return self.score_at(panel, np.arange(len(panel) - self.horizon))
        encode_classes(y, len(self._fitted_sequences(X)))
        return float(super().score(X, y, sample_weight))

    def score_at(self, prices: Prices, cutoffs: Sequence[int] | np.ndarray) -> float:
        """Return the share of correct directions from these rows; unchanged and unknown prices do not count."""
        self._check_ready(prices)
        panel = self._read(prices)
        rows = check_rows(cutoffs, len(panel))
        up = self.predict_proba_at(panel, rows)[..., 1] > 0.5  # (K, N)
        change = future_change(panel.target, self.horizon)[rows]
        counted = np.isfinite(change) & (change != 0)
        if not counted.any():
            raise ValueError(
                f"none of these rows has a different price {self.horizon} rows later: there is nothing to score"
            )
        return float((up == (change > 0))[counted].mean())

    def _check_ready(self, X: Any = None) -> None:
        """Raise ValueError unless the model is fitted, to examples such as X, and its parameters are unchanged."""
        check_fitted(self, "net_")
        check_unchanged(self)
        if X is not None and self._kind(X) != self.kind_:
            raise ValueError(f"this network was trained on {self.kind_} and cannot read {self._kind(X)}")

    def _read(self, prices: Any) -> Panel:
        """Return prices of the fitted kind as a panel; raise ValueError for another kind."""
        return self.prices_.panel(prices, (), (), type(self).__name__)

    def _fitted_sequences(self, X: Any) -> Sequence[np.ndarray]:
        """Return sequences; raise ValueError if they have other channels than those of the fit."""
        sequences = self._sequences(X)
        n, n_inputs = sequences[0].shape[-1], self.config_.n_inputs
        if self.kind_ == "vectors" and n != n_inputs:
            raise ValueError(f"the examples have {n} channels; the network was trained on {n_inputs}")
        return sequences

    # --- diagnostics ---

    def probe(self, X: Any, y: Any = None) -> tuple[list[Classifier], list[torch.Tensor]]:
        """Return the network and a batch of examples of the most frequent length, for `gradient_flow`."""
        self._check_ready(X)
        if self.kind_ == "prices":
            examples: LabelledSequences = self._directions(self._read(X))
        else:
            sequences = self._fitted_sequences(X)
            classes, labels = encode_classes(y, len(sequences))
            if unknown := [name for name in classes if name not in self.classes_]:
                raise ValueError(f"y has {unknown[0]!r}, which is none of the classes {list(self.classes_)}")
            examples = LabelledSequences(sequences, np.searchsorted(self.classes_, classes)[labels])
        lengths = examples.lengths
        numbers = np.flatnonzero(lengths == np.bincount(lengths).argmax())[:PROBE_EXAMPLES]
        return [self.net_], tensors(examples.gather(numbers), torch.device("cpu"))

    def summary(self) -> Summary:
        """Return a table of the network's layers with their output shapes and weights, as Keras prints it."""
        self._check_ready()
        x = torch.zeros(1, self.lookback, self.config_.n_inputs)
        if self.vocabulary is not None:
            x = torch.ones(1, self.lookback, dtype=torch.int64)
        title = f"{self.cell} many-to-one, {len(self.classes_)} classes; shown for {self.lookback} rows"
        return summarise(self.net_, [x, torch.zeros(1, dtype=torch.int64)], title)

    # --- storing ---

    def save(self, folder: str | os.PathLike[str], replace: bool = False) -> None:
        """Write the fitted model into a folder, from which `forecast.load_model` reads it without running any code.

        With `replace` the folder may hold another model, which is replaced; otherwise only this one. Raises
        ValueError if a parameter that describes the network has another value than in the fit.
        """
        self._check_ready()
        save_model(self, os.fspath(folder), replace)

    def _state(self) -> dict[str, Any]:
        """Return what was fitted, with the network as arrays; empty before a fit."""
        fitted = fitted_attributes(self)
        return fitted | {"net_": network_arrays(self.net_)} if fitted else {}

    def _restore(self, state: dict[str, Any]) -> None:
        """Set what `_state` has returned."""
        net = build_classifier(state["config_"], seed=0, weights=state["net_"]).eval()
        self.__dict__.update(state | {"net_": net})


def _evaluate(net: Classifier, examples: LabelledSequences) -> tuple[float, float]:
    """Return cross-entropy and accuracy."""
    probabilities = class_probabilities(net, examples)
    of_label = probabilities[np.arange(len(examples)), examples.labels]
    accuracy = (probabilities.argmax(axis=1) == examples.labels).mean()
    return float(-np.log(np.maximum(of_label, 1e-12)).mean()), float(accuracy)
