"""A network from its description: what decides the shapes of its weights, and how they start."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from forecast.features.inputs import N_STATE_CHANNELS
from forecast.models.recurrent.heads import Output, make_output
from forecast.models.recurrent.layers import Stack, set_gate_bias
from forecast.models.recurrent.networks import (
    Aligned,
    LinearShortcut,
    ManyToOne,
    Network,
    OneToMany,
    OneToOne,
    Seq2Seq,
    SeriesVectors,
)
from forecast.models.recurrent.trainer import Trainer, local_random, one_thread


@dataclass(frozen=True)
class Architecture:
    """All that a network's weights depend on but the training."""

    strategy: str  # "one-to-one", "one-to-many", "direct", "recursive", "aligned" or "seq2seq"
    cell: str
    n_inputs: int
    hidden: int
    dilations: tuple[int, ...]
    bidirectional: bool
    residual: bool
    dropout: float
    lookback: int
    patch: int
    skip: int
    gate_bias: str
    series: tuple[str, ...]  # those with a vector of their own
    embedding: int
    steps: int
    loss: str
    levels: tuple[float, ...]
    bptt: int | None


def build(a: Architecture, seed: int) -> Network:
    """Make the network, its weights drawn by this seed."""
    with local_random(torch.Generator().manual_seed(seed)):
        output = make_output(a.loss, a.steps, a.levels)
        vectors = SeriesVectors(len(a.series), a.embedding) if a.embedding else None
        return _BUILDERS[a.strategy](a, output, vectors)


def _stack(a: Architecture, n_inputs: int, *, bidirectional: bool = False, faster: int = 1) -> Stack:
    """Make the recurrent layers; `faster` rows are read, or passed over, at once."""
    dilations = [d * (faster if a.strategy == "aligned" else 1) for d in a.dilations]
    stack = Stack(
        a.cell, n_inputs, a.hidden, dilations, bidirectional=bidirectional, dropout=a.dropout, residual=a.residual
    )
    set_gate_bias(stack, a.gate_bias, a.lookback // (1 if a.strategy == "aligned" else faster))
    return stack


def _decoder(a: Architecture, n_inputs: int) -> Stack:
    decoder = Stack(a.cell, n_inputs, a.hidden, [1] * len(a.dilations), dropout=a.dropout, residual=a.residual)
    set_gate_bias(decoder, a.gate_bias, a.steps)
    return decoder


def _width(a: Architecture) -> int:
    return a.n_inputs - N_STATE_CHANNELS + a.embedding  # the path is not read as it is


def _aligned(a: Architecture, output: Output, vectors: SeriesVectors | None) -> Network:
    stack = _stack(a, _width(a) * a.patch, faster=a.patch)
    return Aligned(stack, output, LinearShortcut(_width(a), output, a.skip), vectors, patch=a.patch, bptt=a.bptt)


def _many_to_one(a: Architecture, output: Output, vectors: SeriesVectors | None) -> Network:
    stack = _stack(a, (_width(a) + 1) * a.patch, bidirectional=a.bidirectional, faster=a.patch)
    return ManyToOne(stack, output, LinearShortcut(_width(a), output, a.skip), vectors, patch=a.patch)


def _seq2seq(a: Architecture, output: Output, vectors: SeriesVectors | None) -> Network:
    encoder = _stack(a, (_width(a) + 1) * a.patch, bidirectional=a.bidirectional, faster=a.patch)
    return Seq2Seq(encoder, _decoder(a, 1), output, LinearShortcut(_width(a), output, a.skip), vectors, patch=a.patch)


def _one_to_one(a: Architecture, output: Output, vectors: SeriesVectors | None) -> Network:
    return OneToOne(_stack(a, _width(a) + 1), output, LinearShortcut(_width(a), output), vectors)


def _one_to_many(a: Architecture, output: Output, vectors: SeriesVectors | None) -> Network:
    return OneToMany(_decoder(a, _width(a)), output, LinearShortcut(_width(a), output), vectors)


_BUILDERS = {
    "one-to-one": _one_to_one,
    "one-to-many": _one_to_many,
    "direct": _many_to_one,
    "recursive": _many_to_one,
    "aligned": _aligned,
    "seq2seq": _seq2seq,
}


def train_member(
    architecture: Architecture, trainer: Trainer, examples: Any, seed: int, choice: Any = None, start: Any = None
) -> tuple[Network, list[dict[str, float]]]:
    """Build and train one network; gives it with the record of each step.

    `choice` is a pair (early, late) of examples: the network is trained on the early ones first, to see after how many
    steps it does best on the late ones; steps that were seen so, and not taken, have a record too. `start` holds
    weights to go on from.
    """

    def fresh() -> Network:
        net = build(architecture, seed)
        if start is not None:
            net.load_state_dict(start)
        return net

    with one_thread():
        seen = trainer.choose(fresh(), choice[0], choice[1], seed) if choice is not None else {}
        last = min(seen, key=lambda step: seen[step]) if seen else trainer.steps
        net, records = fresh(), []
        for record in islice(trainer.run(net, examples, seed), last):
            records.append(record | {"validation": seen.get(int(record["step"]), math.nan)})
        beyond = [{"step": step, "validation": loss} for step, loss in seen.items() if step == 0 or step > last]
        records = sorted([*records, *beyond], key=lambda record: record["step"])
        return net.to("cpu").eval(), records
