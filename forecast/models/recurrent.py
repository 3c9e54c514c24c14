"""Recurrent networks as forecasters: a base forecast, corrected in units of each series' own recent movement."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from torch import nn

from forecast.models.base import LEVELS, Forecast, Forecaster, choose_log, moved, transform
from forecast.models.naive import Naive
from forecast.nn import losses, networks
from forecast.nn.inference import CHUNK, correct_sequence, correct_windows
from forecast.nn.trainer import RECORD, Trainer, local_random, one_thread
from forecast.panel import Panel
from forecast.params import check_choice, check_number, check_whole
from forecast.scaling import MIN_CHANGES, N_INPUTS, Inputs, Path, causal_inputs
from forecast.windows import Windows, rows_before

#: What goes in and what comes out, and how H steps come about; the first strategy is the default.
STRATEGIES = {"many-to-many": ("aligned", "seq2seq"), "many-to-one": ("direct", "recursive")}
LESSONS = 2  # an aligned example opens with `lookback` rows and teaches at twice as many
RESIDUALS = 2000  # training forecasts from which a model that is fed back takes the spread of its errors


class Recurrent(Forecaster):
    """An Elman, LSTM or GRU network, trained on all series together to correct a base forecast.

    `cell` is "rnn", "lstm" or "gru"; `topology` with its `strategy` is "many-to-many" ("aligned": every row emits its
    own forecast; "seq2seq": an encoder and a decoder) or "many-to-one" ("direct": all steps at once; "recursive": one
    step, fed back). `lookback` rows are read (aligned: carried on from the first row); `bidirectional` reads a closed
    window both ways. The forecast is base + unit · network, in logs base · exp(unit · network), where the unit is the
    mean |change| of the last 60 rows and `base` a Forecaster (None: `Naive()`): an untrained network is its base.
    The networks' median is the point forecast; `members` networks from as many seeds give their median. `gate_bias`
    is "one" or "chrono"; `trainer` says how long and how fast to learn (None: `Trainer()`, with 256 windows a step
    where a window holds one lesson only).
    """

    def __init__(
        self,
        cell: str = "lstm",
        topology: str = "many-to-many",
        strategy: str | None = None,
        bidirectional: bool = False,
        lookback: int = 60,
        hidden: int = 16,
        layers: int = 1,
        dropout: float = 0.0,
        base: Forecaster | None = None,
        log: bool | str = "auto",
        levels: tuple[float, ...] = LEVELS,
        gate_bias: str = "one",
        members: int = 1,
        seed: int = 0,
        trainer: Trainer | None = None,
    ) -> None:
        self.cell = cell
        self.topology = topology
        self.strategy = strategy
        self.bidirectional = bidirectional
        self.lookback = lookback
        self.hidden = hidden
        self.layers = layers
        self.dropout = dropout
        self.base = base
        self.log = log
        self.levels = levels
        self.gate_bias = gate_bias
        self.members = members
        self.seed = seed
        self.trainer = trainer

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter, or a pair of them, cannot be used."""
        super().check_params()
        check_choice("cell", self.cell, tuple(networks.CELLS))
        check_choice("topology", self.topology, tuple(STRATEGIES))
        check_choice("strategy", self.strategy, (None, *STRATEGIES[self.topology]))
        check_choice("bidirectional", self.bidirectional, (True, False))
        check_choice("gate_bias", self.gate_bias, ("one", "chrono"))
        for name, least in (("lookback", 1), ("hidden", 1), ("layers", 1), ("members", 1), ("seed", 0)):
            check_whole(name, getattr(self, name), least)
        check_number("dropout", self.dropout, 0.0, below=1.0)
        if self.bidirectional and self._strategy() == "aligned":
            raise ValueError(
                "bidirectional=True with the aligned strategy would read the future: every row emits a forecast, and "
                "the backward direction has seen the rows after it. Use topology='many-to-one' or strategy='seq2seq'"
            )
        if self.dropout and self.layers == 1:
            raise ValueError("dropout works between layers, and there is one: use layers=2 or dropout=0")
        if not (self.trainer is None or isinstance(self.trainer, Trainer)):
            raise TypeError(f"trainer must be a Trainer or None; got {self.trainer!r}")
        if not (self.base is None or isinstance(self.base, Forecaster)):
            raise TypeError(f"base must be a Forecaster or None; got {self.base!r}")
        if self.base is not None and not getattr(self.base, "honest_in_sample", False):
            raise ValueError(
                f"{self.base!r} cannot be a base yet: its forecasts of rows it was fitted on are better than those of "
                "later rows, and a network that corrects the first learns nonsense. Use Naive, Drift, SeasonalNaive "
                "or ARIMA"
            )
        self._trainer().check_params()

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: a window, and what lies ahead of it."""
        own = max(self.lookback, MIN_CHANGES + 1) + horizon
        return max(own, self._base().min_rows(horizon))

    def _strategy(self) -> str:
        return self.strategy or STRATEGIES[self.topology][0]

    def default_trainer(self) -> Trainer:
        """Give the trainer that `trainer=None` stands for: many short examples, or few long ones."""
        return Trainer() if self._strategy() == "aligned" else Trainer(batch_size=256)

    def default_base(self) -> Forecaster:
        """Give the base that `base=None` stands for."""
        return Naive()

    def _trainer(self) -> Trainer:
        return self.default_trainer() if self.trainer is None else self.trainer

    def _base(self) -> Forecaster:
        return self.default_base() if self.base is None else self.base

    def _fit(self, panel: Panel, horizon: int) -> None:
        self.log_ = choose_log(self.log, panel)
        inputs = causal_inputs(transform(panel, self.log_))
        self.base_ = clone(self._base()).fit(panel, horizon)
        base = self._base_ahead(panel, np.arange(len(panel)))  # (T, N, H)
        if self._strategy() == "aligned":
            positions = max(min(LESSONS * self.lookback, len(panel) - self.lookback), 1)
            windows = Windows(inputs, base, self.lookback + positions, positions)
        else:
            windows = Windows(inputs, base[..., : self._steps()], self.lookback)
        with one_thread():
            trained = [self._train(windows, self.seed + member) for member in range(self.members)]
            self.nets_ = [net for net, _ in trained]
            self.history_ = pd.concat([history for _, history in trained], keys=range(1, self.members + 1))
            self.history_ = self.history_.rename_axis(["member", None]).reset_index("member")
            if self._feeds_back():
                self.spread_ = self._residual_quantiles(inputs, base)  # (H, Q)
        self.record_ = {
            "log": self.log_,
            "examples": len(windows),
            "parameters": sum(p.numel() for p in self.nets_[0].parameters()),
            "steps": len(self.history_) // self.members,
            "loss": [round(float(each.tail(20).mean()), 6) for _, each in self.history_.groupby("member")["loss"]],
        }

    def _steps(self) -> int:
        """Say how many steps the network itself emits; a recursive one emits one, and is fed back."""
        return 1 if self._strategy() == "recursive" else self.horizon_

    def _middle(self) -> int:
        return list(self.levels).index(0.5)

    def _feeds_back(self) -> bool:
        """Say whether a step reads the one before. Of such a network only the median counts.

        Its other quantiles, taught beside the true step before, are those of one step ahead; the spread of H steps
        comes from the errors of its free run. It is trained on all of them, which leaves a random walk more alone than
        the median by itself (benchmarks/truth.py).
        """
        return self._strategy() in ("seq2seq", "recursive")

    def _train(self, windows: Windows, seed: int) -> tuple[nn.Module, pd.DataFrame]:
        with local_random(torch.Generator().manual_seed(seed)):
            net = self._network()
        loss = losses.pinball(tuple(self.levels))
        history = pd.DataFrame(list(self._trainer().run(net, windows, loss, seed)), columns=RECORD)
        return net, history

    def _network(self) -> nn.Module:
        """Make the network of the strategy, with weights drawn from torch's random state."""

        def body(n_inputs: int, bidirectional: bool) -> nn.RNNBase:
            made = networks.recurrent_body(
                self.cell, n_inputs, self.hidden, layers=self.layers, dropout=self.dropout, bidirectional=bidirectional
            )
            networks.set_gate_bias(made, self.gate_bias, self.lookback)
            return made

        reader = body(N_INPUTS, self.bidirectional)
        if self._strategy() == "seq2seq":
            return networks.Seq2Seq(reader, body(1, False), self._steps(), tuple(self.levels))
        width = self.hidden * (1 + self.bidirectional)
        head = networks.Head(width, N_INPUTS, self._steps(), tuple(self.levels))
        if self._strategy() == "aligned":
            return networks.Aligned(reader, head, self._trainer().bptt)
        return networks.ManyToOne(reader, head)

    def _base_ahead(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        """Give the base's forecasts in the network's scale, logs or not: (K, N, H)."""
        point = self.base_.predict_at(panel, rows).point
        if self.log_ and (point <= 0).any():
            raise ValueError(f"{self.base_!r} forecasts values that have no logarithm: use log=False")
        return np.log(point) if self.log_ else point

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        inputs = causal_inputs(transform(panel, self.log_))
        base = self.base_.predict_at(panel, rows).point  # (K, N, H)
        unit = inputs.unit[rows][:, :, None, None]  # (K, N, 1, 1)
        with one_thread():
            each = np.stack([self._corrections(net, inputs, panel, rows) for net in self.nets_])  # (S, K, N, H, Q)
        quantiles = moved(base[..., None], unit * np.median(each, axis=0), self.log_)
        middle = self._middle()
        points = moved(base, unit[..., 0] * each[..., middle], self.log_)  # (S, K, N, H)
        return Forecast(
            point=quantiles[..., middle],
            quantiles=quantiles,
            levels=tuple(self.levels),
            series=panel.series,
            cutoffs=panel.index[rows],
            members=points if self.members > 1 else None,
        )

    def _corrections(self, net: nn.Module, inputs: Inputs, panel: Panel, rows: np.ndarray) -> np.ndarray:
        """Ask one network at each row: its corrections of the base, in units, (K, N, H, Q)."""
        if isinstance(net, networks.Aligned):
            return correct_sequence(net, inputs.x, rows)
        n = len(panel.series)
        origin, series = np.repeat(rows, n), np.tile(np.arange(n), len(rows))  # (M,) each: cutoff by cutoff
        base = self._base_ahead(panel, rows).reshape(len(origin), -1)  # (M, H)
        found = self._ask(net, inputs, base, origin, series)
        if self._feeds_back():
            found = found[..., self._middle(), None] + self.spread_  # (M, H, Q)
        return found.reshape(len(rows), n, self.horizon_, len(self.levels))

    def _ask(
        self, net: nn.Module, inputs: Inputs, base: np.ndarray, origin: np.ndarray, series: np.ndarray
    ) -> np.ndarray:
        """Ask a network that reads windows: its corrections at (M,) origins, (M, H, Q)."""
        read = self._roll if self._strategy() == "recursive" else self._read
        return np.concatenate(
            [
                read(net, inputs, base[i : i + CHUNK], origin[i : i + CHUNK], series[i : i + CHUNK])
                for i in range(0, len(origin), CHUNK)
            ]
        )

    def _read(
        self, net: nn.Module, inputs: Inputs, base: np.ndarray, origin: np.ndarray, series: np.ndarray
    ) -> np.ndarray:
        return correct_windows(net, rows_before(inputs.x, origin, series, self.lookback))

    def _roll(
        self, net: nn.Module, inputs: Inputs, base: np.ndarray, origin: np.ndarray, series: np.ndarray
    ) -> np.ndarray:
        """Emit one step, read it as if it had happened, emit the next: the corrections in units, (M, H, Q), all alike.

        Each step moves on from the one before by what the base (M, H) moves, corrected by the network.
        """
        context = rows_before(inputs.x, origin, series, self.lookback)  # (M, L, C)
        path = Path(inputs, origin, series)
        before = value = inputs.y[origin, series]  # (M,)
        emitted = []
        for step in base.T:
            value = value + (step - before) + path.unit * correct_windows(net, context)[:, 0, self._middle()]
            before = step
            emitted.append(value)
            context = np.concatenate([context[:, 1:], path.append(value)[:, None]], axis=1)
        gap = np.stack(emitted, axis=1) - base
        unit = inputs.unit[origin, series][:, None]
        median = np.divide(gap, unit, out=np.zeros_like(gap), where=unit > 0)
        return np.repeat(median[..., None], len(self.levels), axis=-1)

    def _residual_quantiles(self, inputs: Inputs, base: np.ndarray) -> np.ndarray:
        """Take the spread of the members' median path from its errors on training rows, in units: (H, Q)."""
        truth = Windows(inputs, base, length=1)
        which = np.arange(0, len(truth), max(len(truth) // RESIDUALS, 1))
        series, origin = truth.pairs[which].T
        paths = [
            self._ask(net, inputs, base[origin, series], origin, series)[..., self._middle()] for net in self.nets_
        ]
        batch = truth.gather(which)
        errors = np.where(batch.weight[:, 0] > 0, batch.target[:, 0] - np.median(paths, axis=0), np.nan)  # (M, H)
        return (np.nanquantile(errors, self.levels, axis=0) - np.nanmedian(errors, axis=0)).T
