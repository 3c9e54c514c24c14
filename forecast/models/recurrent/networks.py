"""The topologies: rows of inputs in, what is said about H steps out, in units; each defined by what it depends on."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from forecast.features.inputs import LEVEL, N_STATE_CHANNELS, RECENT_CHANGE, SCALE
from forecast.models.recurrent.heads import Output
from forecast.models.recurrent.layers import Stack, State, detached, each
from forecast.models.recurrent.trainer import Trainable

Carried = tuple[Tensor, State]  # the newest input rows, which the next patch or skip still reads, and the state

#: Adam moves every weight by about the learning rate a step, whatever its gradient. These factors say how far the two
#: paths to the output can go in one training: the linear one far, as it is what a regression would fit; the other, with
#: many more weights, less, so that it leaves a random walk alone (benchmarks/truth.py measures both).
SHORTCUT_GAIN, STATE_GAIN = 20.0, 0.5


class SeriesVectors(nn.Module):
    """A learned vector for each series, read beside its inputs; a series never seen in training has the mean one."""

    def __init__(self, n_series: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(n_series, width)
        nn.init.normal_(self.table.weight, std=0.3)

    def forward(self, x: Tensor, series: Tensor) -> Tensor:
        """Append to (B, L, C) the vectors of series numbers (B,), -1 for unseen ones: (B, L, C + width)."""
        table = torch.cat([self.table.weight, self.table.weight.mean(dim=0, keepdim=True)])
        return torch.cat([x, table[series][:, None].expand(-1, x.shape[1], -1)], dim=-1)


class LinearShortcut(nn.Module):
    """A linear path from the newest input row, and from the levels of the last `rows`, to raw numbers for all H steps.

    A level is read as how far the series has come since, in units of now, over the root of how long ago: with many rows
    the path is an autoregression. Starts at zero.
    """

    back: Tensor  # (rows - 1,)

    def __init__(self, n_inputs: int, output: Output, rows: int = 1) -> None:
        super().__init__()
        self.shape, self.rows = (len(output.grow), output.n), rows
        self.linear = nn.Linear(n_inputs + rows - 1, self.shape[0] * output.n, bias=False)
        self.register_buffer("back", 1 / torch.arange(1, rows).sqrt(), persistent=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, L, C) to (B, H, n)."""
        return self.at_every_row(x[:, -self.rows :])[:, 0]

    def at_every_row(self, x: Tensor) -> Tensor:
        """Map P rows and those before them, (B, rows − 1 + P, C), to (B, P, H, n)."""
        now = x[:, self.rows - 1 :]  # (B, P, C)
        seen = now[..., N_STATE_CHANNELS:]
        if self.rows > 1:
            levels = x[:, :-1, LEVEL].unfold(1, self.rows - 1, 1).flip(-1)  # (B, P, rows - 1), newest first
            come = _per_unit(now[..., LEVEL, None] - levels, now[..., SCALE, None])
            seen = torch.cat([seen, come * self.back], dim=-1)
        return SHORTCUT_GAIN * self.linear(seen).unflatten(-1, self.shape)


class Head(nn.Module):
    """Turns a state into raw numbers: linear, zero at the start, so that an untrained network says "no correction"."""

    def __init__(self, width: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.linear = nn.Linear(width, math.prod(shape))
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def forward(self, state: Tensor) -> Tensor:
        """Map (…, width) to (…, *shape)."""
        return STATE_GAIN * self.linear(state).unflatten(-1, self.shape)


class Network(Trainable):
    """What every topology has: inputs, possibly with vectors of the series; a linear skip; an output."""

    def __init__(self, output: Output, skip: LinearShortcut, vectors: SeriesVectors | None) -> None:
        super().__init__()
        self.output, self.skip, self.vectors = output, skip, vectors

    def read(self, x: Tensor, series: Tensor | None) -> Tensor:
        """Give the inputs (B, L, C), with the vectors of their series (B,) beside them."""
        return x if self.vectors is None else self.vectors(x, series)

    def loss_of(self, *batch: Tensor) -> Tensor:
        """Give the loss of a batch: inputs (B, L, C), series (B,), target (B, P, H), weight (B, P, H)."""
        x, series, target, weight = batch
        return self.output.loss(self(x, target, series), target, weight)


class Aligned(Network):
    """Many-to-many: every input row emits its own H-step forecast, from all rows up to it.

    With patches each row reads its last `patch` rows at once, and the state of `patch` rows before: as many networks
    as a patch has rows, each a patch ahead of itself at every step (the stack's dilations hold that factor).
    """

    def __init__(
        self,
        stack: Stack,
        output: Output,
        skip: LinearShortcut,
        vectors: SeriesVectors | None = None,
        *,
        patch: int = 1,
        bptt: int | None = None,
    ) -> None:
        super().__init__(output, skip, vectors)
        self.stack, self.patch, self.bptt = stack, patch, bptt
        self.head = Head(stack.width, skip.shape)

    def forward(self, x: Tensor, target: Tensor, series: Tensor | None = None) -> Tensor:
        """Map (B, L, C) to (B, P, H, n) at the last P rows; of `target` (B, P, H) only P is read."""
        x = self.read(x, series)
        states, state = [], None
        for chunk in self._patches(x[..., N_STATE_CHANNELS:]).split(self.bptt or x.shape[1], dim=1):
            out, state = self.stack(chunk, detached(state))
            states.append(out)
        asked = target.shape[1]
        needed = asked + self.skip.rows - 1
        longer = nn.functional.pad(x, (0, 0, max(needed - x.shape[1], 0), 0))
        raw = self.head(torch.cat(states, dim=1)[:, -asked:]) + self.skip.at_every_row(longer[:, -needed:])
        return self.output(raw)

    def step(self, x: Tensor, series: Tensor | None, carried: Carried | None) -> tuple[Tensor, Carried]:
        """Read further rows (B, L, C): what is said at each (B, L, H, n), and what to carry on to the next."""
        x = self.read(x, series)
        keep = max(self.patch, self.skip.rows) - 1
        before, state = carried or (x.new_zeros(len(x), keep, x.shape[2]), None)
        longer = torch.cat([before, x], dim=1)  # (B, keep + L, C)
        out, state = self.stack(self._patches(longer[..., N_STATE_CHANNELS:])[:, keep:], state)
        raw = self.head(out) + self.skip.at_every_row(longer[:, keep + 1 - self.skip.rows :])
        return self.output(raw), (longer[:, longer.shape[1] - keep :], state)

    def _patches(self, x: Tensor) -> Tensor:
        if self.patch == 1:
            return x
        return nn.functional.pad(x, (0, 0, self.patch - 1, 0)).unfold(1, self.patch, 1).transpose(2, 3).flatten(2)


class ManyToOne(Network):
    """Many-to-one: a closed window of rows in, one forecast out; may read the window in both directions."""

    def __init__(
        self,
        stack: Stack,
        output: Output,
        skip: LinearShortcut,
        vectors: SeriesVectors | None = None,
        *,
        patch: int = 1,
    ) -> None:
        super().__init__(output, skip, vectors)
        self.stack, self.patch = stack, patch
        self.head = Head(stack.width, skip.shape)

    def forward(self, x: Tensor, target: Tensor | None = None, series: Tensor | None = None) -> Tensor:
        """Map (B, L, C) to (B, 1, H, n)."""
        x = self.read(x, series)
        out, _ = self.stack(closed(x, self.patch))
        return self.output(self.head(self.stack.last(out)) + self.skip(x))[:, None]


class OneToOne(ManyToOne):
    """One-to-one: the newest row in, one forecast out; no recurrence, the feed-forward reference.

    The cell reads one row from an empty state, which leaves its gates and its tanh but nothing recurrent.
    """

    def __init__(
        self, stack: Stack, output: Output, skip: LinearShortcut, vectors: SeriesVectors | None = None
    ) -> None:
        super().__init__(stack, output, skip, vectors)
        for name, weight in stack.named_parameters():
            weight.requires_grad_("weight_hh" not in name)  # never read: no weight of this network

    def forward(self, x: Tensor, target: Tensor | None = None, series: Tensor | None = None) -> Tensor:
        """Map (B, L, C), of which the newest row is read, to (B, 1, H, n)."""
        return super().forward(x[:, -1:], target, series)


class OneToMany(Network):
    """One-to-many: the newest row opens a recurrent decoder, which emits step after step.

    The row sets the decoder's first state and stands beside each of its steps.
    """

    def __init__(
        self, decoder: Stack, output: Output, skip: LinearShortcut, vectors: SeriesVectors | None = None
    ) -> None:
        super().__init__(output, skip, vectors)
        self.decoder = decoder
        self.open = nn.Linear(decoder.n_inputs, decoder.hidden * len(decoder.layers))
        self.head = Head(decoder.width, (output.n,))

    def forward(self, x: Tensor, target: Tensor | None = None, series: Tensor | None = None) -> Tensor:
        """Map (B, L, C), of which the newest row is read, to (B, 1, H, n)."""
        newest = self.read(x[:, -1:], series)
        row = newest[..., N_STATE_CHANNELS:]  # (B, 1, C)
        opened = torch.tanh(self.open(row[:, 0])).chunk(len(self.decoder.layers), dim=-1)
        out, _ = self.decoder(row.expand(-1, self.skip.shape[0], -1), self.decoder.opened(list(opened)))
        return self.output(self.head(out) + self.skip(newest))[:, None]


class Seq2Seq(Network):
    """Many-to-many by encoder and decoder: the window's final state opens a second network that emits step by step.

    The decoder reads the correction of the step before it: the true one in training (teacher forcing), its own point
    in a forecast. The newest input rows stand beside every step.
    """

    def __init__(
        self,
        encoder: Stack,
        decoder: Stack,
        output: Output,
        skip: LinearShortcut,
        vectors: SeriesVectors | None = None,
        *,
        patch: int = 1,
    ) -> None:
        super().__init__(output, skip, vectors)
        self.encoder, self.decoder, self.patch = encoder, decoder, patch
        self.bridge = nn.Linear(encoder.width, decoder.width) if encoder.bidirectional else nn.Identity()
        self.head = Head(decoder.width + 1, (output.n,))  # reads the step before, too

    def forward(self, x: Tensor, target: Tensor | None = None, series: Tensor | None = None) -> Tensor:
        """Map (B, L, C) to (B, 1, H, n); with `target` (B, 1, H) the decoder is taught by it."""
        x = self.read(x, series)
        _, state = self.encoder(closed(x, self.patch))
        state = self.decoder.opened(each(self.bridge, self.encoder.newest(state)))
        beside = self.skip(x)  # (B, H, n)
        if target is not None:
            said = nn.functional.pad(target[:, 0, :-1], (1, 0))[..., None]  # (B, H, 1): before step 1, no correction
            raw, _ = self._decode(said, state, beside)
            return self.output(raw)[:, None]
        steps, said = [], x.new_zeros(len(x), 1, 1)
        for k, grow in enumerate(self.output.grow):
            raw, state = self._decode(said, state, beside[:, k : k + 1])
            steps.append(raw)
            said = grow * raw[..., self.output.middle, None]
        return self.output(torch.cat(steps, dim=1))[:, None]

    def _decode(self, said: Tensor, state: State, beside: Tensor) -> tuple[Tensor, State]:
        out, state = self.decoder(said, state)
        return self.head(torch.cat([out, said], dim=-1)) + beside, state


def closed(x: Tensor, patch: int) -> Tensor:
    """Give what a closed window (B, L, C) says: its inputs, and each level from the newest; `patch` rows as one.

    The levels are in movements of the newest row, over √L; (B, L / patch, patch · (C − 1)).
    """
    come = _per_unit(x[..., LEVEL] - x[:, -1:, LEVEL], x[:, -1:, RECENT_CHANGE]) / math.sqrt(x.shape[1])  # (B, L)
    return torch.cat([come[..., None], x[..., N_STATE_CHANNELS:]], dim=-1).unflatten(1, (-1, patch)).flatten(2)


def _per_unit(distance: Tensor, unit: Tensor) -> Tensor:
    return torch.where(unit > 0, distance / unit.clamp_min(1e-30), 0.0)
