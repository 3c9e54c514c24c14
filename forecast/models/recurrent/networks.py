"""The topologies as networks: rows of inputs in, H steps of corrections out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from forecast._estimator import show
from forecast.features.inputs import LEVEL, N_STATE_CHANNELS, RECENT_CHANGE
from forecast.models.recurrent.config import OWN, ClassifierConfig, RecurrentConfig
from forecast.models.recurrent.heads import Head, LinearShortcut, StepHead, make_output, ratio
from forecast.models.recurrent.layers import Stack, State, detached, map_state
from forecast.models.recurrent.trainer import Trainable, local_random

TOKEN_SD = 0.3  # of a token's initial vector; torch's 1 is too wide for small vocabularies of small networks
AlignedState = tuple[Tensor, State]  # the newest input rows, which later patches and shortcuts read, and the state


class SeriesVectors(nn.Module):
    """A trained vector for each series, appended to its inputs; a series not in the training has the mean vector."""

    def __init__(self, n_series: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(n_series, width)
        nn.init.normal_(self.table.weight, std=0.3)

    def forward(self, x: Tensor, series: Tensor) -> Tensor:
        """Append to (B, L, C) the vectors of series numbers (B,), -1 for unseen ones: (B, L, C + width)."""
        table = torch.cat([self.table.weight, self.table.weight.mean(dim=0, keepdim=True)])
        return torch.cat([x, table[series][:, None].expand(-1, x.shape[1], -1)], dim=-1)


class Network(Trainable):
    """A map of inputs, optionally with a series embedding, to the parameters of H steps: head plus linear shortcut.

    Inputs that are known in advance of each step are read by a head of their own, whose output is added.

    A subclass creates its recurrent layers, then the shortcut, then what else it has, and last the heads: initial
    weights are drawn in this order.
    """

    shortcut: LinearShortcut
    head: Head
    step_head: StepHead | None

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        self.output = make_output(config.loss, config.steps, config.levels)
        self.register_module("shortcut", None)  # first in `parameters()`, and in the sum of the gradient norm
        self.register_module("step_head", None)
        self.vectors = SeriesVectors(len(config.series), config.embedding) if config.embedding else None

    def _make_shortcut(self) -> LinearShortcut:
        return LinearShortcut(self.config.n_features, self.output, self.config.skip)

    def _make_step_head(self, width: int) -> StepHead | None:
        return StepHead(width, self.config.n_step_inputs, self.output) if self.config.n_step_inputs else None

    def _of_steps(self, state: Tensor, steps: Tensor | None, first: int = 0) -> Tensor | float:
        """Return what is added for the inputs (…, H, C) of steps, with states (…, 1 or H, width); 0 without any."""
        if self.step_head is None:
            return 0.0
        assert steps is not None
        return self.step_head(state, steps, first)

    def _make_decoder(self, n_inputs: int) -> Stack:
        layers = (1,) * len(self.config.layers)
        return Stack(replace(self.config, layers=layers, bidirectional=False), n_inputs, self.config.steps)

    def with_vectors(self, x: Tensor, series: Tensor | None) -> Tensor:
        """Return the inputs (B, L, C) with the vectors of their series (B,) appended."""
        return x if self.vectors is None else self.vectors(x, series)

    def batch_loss(self, *batch: Tensor) -> Tensor:
        """Return the loss of a batch: inputs (B, L, C), series (B,), target, weight (B, P, H), steps (B, P, H, C')."""
        x, series, target, weight, steps = batch
        return self.output.loss(self(x, target, series, steps), target, weight)


class Aligned(Network):
    """Many-to-many: every input row emits its own H-step forecast, from all rows up to it.

    With `patch` > 1 the input at row t is rows t − patch + 1 … t and the state comes from row t − patch (dilations are
    multiplied by `patch`): `patch` interleaved networks with shared weights.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.patch = config.patch
        layers = tuple(dilation * config.patch for dilation in config.layers)
        self.stack = Stack(replace(config, layers=layers), config.n_features * config.patch, config.lookback)
        self.shortcut = self._make_shortcut()
        self.head = Head(self.stack.width, self.shortcut.shape)
        self.step_head = self._make_step_head(self.stack.width)

    def forward(self, x: Tensor, target: Tensor, series: Tensor | None = None, steps: Tensor | None = None) -> Tensor:
        """Map (B, L, C) to (B, P, H, n) at the last P rows; of `target` (B, P, H) only the shape is used.

        `steps` (B, P, H, C') is what is known in advance of each step.
        """
        x = self.with_vectors(x, series)
        states, state = [], None
        for chunk in self._patches(x[..., N_STATE_CHANNELS:]).split(self.config.bptt or x.shape[1], dim=1):
            out, state = self.stack(chunk, detached(state))
            states.append(out)
        positions = target.shape[1]
        needed = positions + self.shortcut.rows - 1
        padded = nn.functional.pad(x, (0, 0, max(needed - x.shape[1], 0), 0))
        out = torch.cat(states, dim=1)[:, -positions:]
        raw = self.head(out) + self.shortcut.at_every_row(padded[:, -needed:])
        return self.output(raw + self._of_steps(out[:, :, None], steps))

    def step(
        self, x: Tensor, series: Tensor | None, state: AlignedState | None, steps: Tensor | None = None
    ) -> tuple[Tensor, AlignedState]:
        """Read further rows (B, L, C): return the output at each, (B, L, H, n), and the state for the next rows."""
        x = self.with_vectors(x, series)
        n_before = max(self.patch, self.shortcut.rows) - 1
        before, stack_state = state or (x.new_zeros(len(x), n_before, x.shape[2]), None)
        padded = torch.cat([before, x], dim=1)  # (B, n_before + L, C)
        out, stack_state = self.stack(self._patches(padded[..., N_STATE_CHANNELS:])[:, n_before:], stack_state)
        raw = self.head(out) + self.shortcut.at_every_row(padded[:, n_before + 1 - self.shortcut.rows :])
        raw = raw + self._of_steps(out[:, :, None], steps)
        return self.output(raw), (padded[:, padded.shape[1] - n_before :], stack_state)

    def _patches(self, x: Tensor) -> Tensor:
        """Return (B, L, C) with the last `patch` rows in each, (B, L, patch · C)."""
        if self.patch == 1:
            return x
        return nn.functional.pad(x, (0, 0, self.patch - 1, 0)).unfold(1, self.patch, 1).transpose(2, 3).flatten(2)


class ManyToOne(Network):
    """Many-to-one: a window of rows in, one forecast out; it may be read in both directions."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.patch = config.patch
        self.stack = Stack(config, (config.n_features + 1) * config.patch, config.lookback // config.patch)
        self.shortcut = self._make_shortcut()
        self.head = Head(self.stack.width, self.shortcut.shape)
        self.step_head = self._make_step_head(self.stack.width)

    def forward(
        self, x: Tensor, target: Tensor | None = None, series: Tensor | None = None, steps: Tensor | None = None
    ) -> Tensor:
        """Map (B, L, C), with what is known of each step (B, 1, H, C'), to (B, 1, H, n)."""
        x = self.with_vectors(x, series)
        out, _ = self.stack(window_features(x, self.patch))
        last = self.stack.last_output(out)
        raw = (self.head(last) + self.shortcut(x))[:, None]
        return self.output(raw + self._of_steps(last[:, None, None], steps))


class OneToOne(ManyToOne):
    """One-to-one: the newest row in, one forecast out; no recurrence, the feed-forward reference.

    The cell reads one row from an empty state, so its gates and its tanh are used, its recurrent weights are not.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        for name, weight in self.stack.named_parameters():
            weight.requires_grad_("weight_hh" not in name)  # the output does not depend on them

    def forward(
        self, x: Tensor, target: Tensor | None = None, series: Tensor | None = None, steps: Tensor | None = None
    ) -> Tensor:
        """Map (B, L, C), of which the newest row is read, to (B, 1, H, n)."""
        return super().forward(x[:, -1:], target, series, steps)


class OneToMany(Network):
    """One-to-many: the newest row starts a recurrent decoder, which emits step after step.

    The row sets the decoder's first state and is an input of each of its steps.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.decoder = self._make_decoder(config.n_features)
        self.shortcut = self._make_shortcut()
        self.initial = nn.Linear(config.n_features, config.hidden * len(config.layers))
        self.head = Head(self.decoder.width, (self.output.n,))
        self.step_head = self._make_step_head(self.decoder.width)

    def forward(
        self, x: Tensor, target: Tensor | None = None, series: Tensor | None = None, steps: Tensor | None = None
    ) -> Tensor:
        """Map (B, L, C), of which the newest row is read, to (B, 1, H, n)."""
        newest = self.with_vectors(x[:, -1:], series)
        row = newest[..., N_STATE_CHANNELS:]  # (B, 1, C)
        initial = torch.tanh(self.initial(row[:, 0])).chunk(len(self.decoder.layers), dim=-1)
        out, _ = self.decoder(row.expand(-1, self.shortcut.shape[0], -1), self.decoder.initial_state(list(initial)))
        raw = (self.head(out) + self.shortcut(newest))[:, None]
        return self.output(raw + self._of_steps(out[:, None], steps))


class Seq2Seq(Network):
    """Many-to-many by encoder and decoder: the window's final state starts a second network that emits step by step.

    The decoder reads the correction of the previous step: the true one in training (teacher forcing), its own point
    in a forecast. The shortcut adds the newest input rows to every step.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.patch = config.patch
        self.encoder = Stack(config, (config.n_features + 1) * config.patch, config.lookback // config.patch)
        self.decoder = self._make_decoder(1)
        self.shortcut = self._make_shortcut()
        self.bridge = nn.Linear(self.encoder.width, self.decoder.width) if config.bidirectional else nn.Identity()
        self.head = Head(self.decoder.width + 1, (self.output.n,))  # reads the previous step, too
        self.step_head = self._make_step_head(self.decoder.width)

    def forward(
        self, x: Tensor, target: Tensor | None = None, series: Tensor | None = None, steps: Tensor | None = None
    ) -> Tensor:
        """Map (B, L, C) to (B, 1, H, n); `target` (B, 1, H), if given, is what the decoder reads."""
        x = self.with_vectors(x, series)
        _, encoded = self.encoder(window_features(x, self.patch))
        state = self.decoder.initial_state(map_state(self.bridge, self.encoder.newest_state(encoded)))
        shortcut = self.shortcut(x)  # (B, H, n)
        if target is not None:
            previous = nn.functional.pad(target[:, 0, :-1], (1, 0))[..., None]  # (B, H, 1): no correction before step 1
            raw, _ = self._decode(previous, state, shortcut, steps)
            return self.output(raw)[:, None]
        decoded, previous = [], x.new_zeros(len(x), 1, 1)
        for k, growth in enumerate(self.output.growth):
            raw, state = self._decode(previous, state, shortcut[:, k : k + 1], steps, k)
            decoded.append(raw)
            previous = growth * raw[..., self.output.middle, None]
        return self.output(torch.cat(decoded, dim=1))[:, None]

    def _decode(
        self, previous: Tensor, state: State, shortcut: Tensor, steps: Tensor | None, first: int = 0
    ) -> tuple[Tensor, State]:
        """Return the raw numbers of the steps from `first` on, (B, steps, n), and the decoder's state after them."""
        out, state = self.decoder(previous, state)
        known = None if steps is None else steps[:, 0, first : first + out.shape[1]]
        raw = self.head(torch.cat([out, previous], dim=-1)) + shortcut + self._of_steps(out, known, first)
        return raw, state


class OwnNetwork(Network):
    """A network of the user's, many-to-one: a window of rows in, one forecast out, without head and shortcut."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        assert config.network is not None
        self.n_inputs = config.n_features + 1
        self.own = config.network(self.n_inputs, config.steps, self.output.n)
        if not (isinstance(self.own, nn.Module) and any(weight.requires_grad for weight in self.own.parameters())):
            raise TypeError(
                f"network must return a torch.nn.Module with weights to train; {show(config.network)} returned "
                f"{self.own!r}"
            )

    def forward(
        self, x: Tensor, target: Tensor | None = None, series: Tensor | None = None, steps: Tensor | None = None
    ) -> Tensor:
        """Map (B, L, C) to (B, 1, H, n)."""
        window = window_features(self.with_vectors(x, series), 1)
        raw = self.own(window)
        needed = (len(x), self.config.steps, self.output.n)
        if not (isinstance(raw, Tensor) and raw.shape == needed):
            got = f"a tensor of shape {tuple(raw.shape)}" if isinstance(raw, Tensor) else type(raw).__name__
            raise ValueError(
                f"the network maps windows {tuple(window.shape)} to {got}, and must map them to {needed}: (examples, "
                f"horizon, n_outputs), with the numbers that {show(self.config.network)} was called with"
            )
        return self.output(raw[:, None])


def window_features(x: Tensor, patch: int) -> Tensor:
    """Return the features of a window (B, L, C), `patch` rows as one: (B, L / patch, patch · (C − 2)).

    These are its inputs without the state channels, and the difference of each level from the newest, divided by
    (recent change at the newest row · √L).
    """
    distance = ratio(x[..., LEVEL] - x[:, -1:, LEVEL], x[:, -1:, RECENT_CHANGE]) / math.sqrt(x.shape[1])  # (B, L)
    return torch.cat([distance[..., None], x[..., N_STATE_CHANNELS:]], dim=-1).unflatten(1, (-1, patch)).flatten(2)


class Classifier(Trainable):
    """Tokens or vectors in, one class out: embedding (of tokens), recurrent layers, a dense sigmoid or softmax."""

    def __init__(self, config: ClassifierConfig, rows: int) -> None:
        super().__init__()
        stack = Stack(config, config.n_inputs, rows)  # its weights are drawn first
        self.vectors: nn.Embedding | None = None
        if config.vocabulary is not None:
            self.vectors = nn.Embedding(config.vocabulary, config.n_inputs, padding_idx=0)
            with torch.no_grad():
                self.vectors.weight.mul_(TOKEN_SD)
        self.stack = stack
        self.dropout = nn.Dropout(float(config.dropout))
        self.dense = nn.Linear(stack.width, 1 if config.n_classes == 2 else config.n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, L) or (B, L, C) to logits (B, 1) of the second of two classes, or (B, classes)."""
        out, _ = self.stack(x if self.vectors is None else self.vectors(x))
        return self.dense(self.dropout(self.stack.last_output(out)))

    def batch_loss(self, *batch: Tensor) -> Tensor:
        """Return the cross-entropy of a batch: inputs (B, L) or (B, L, C), classes (B,)."""
        x, label = batch
        logits = self(x)
        if logits.shape[1] == 1:
            return nn.functional.binary_cross_entropy_with_logits(logits[:, 0], label.to(logits.dtype))
        return nn.functional.cross_entropy(logits, label)


NETWORKS: dict[str, type[Network]] = {
    "one-to-one": OneToOne,
    "one-to-many": OneToMany,
    "direct": ManyToOne,
    "recursive": ManyToOne,
    "aligned": Aligned,
    "seq2seq": Seq2Seq,
    OWN: OwnNetwork,
}
Weights = Mapping[str, np.ndarray]


def build_network(config: RecurrentConfig, seed: int, weights: Weights | None = None) -> Network:
    """Return a network with initial weights drawn by the seed, or with these weights."""
    return _build(partial(NETWORKS[config.strategy], config), seed, weights)


def build_classifier(config: ClassifierConfig, seed: int, rows: int = 2, weights: Weights | None = None) -> Classifier:
    """Return a classifier with initial weights drawn by the seed, or with these weights; `rows` sets the gate bias."""
    return _build(partial(Classifier, config, rows), seed, weights)


def _build(new_network: Callable[[], Any], seed: int, weights: Weights | None) -> Any:
    with local_random(torch.Generator().manual_seed(seed)):
        net = new_network()
    if weights is not None:
        net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    return net


def network_arrays(net: nn.Module) -> dict[str, np.ndarray]:
    """Return the weights and buffers of a network."""
    return {name: tensor.numpy() for name, tensor in net.state_dict().items()}
