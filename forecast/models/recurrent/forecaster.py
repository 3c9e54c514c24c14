"""Recurrent networks as forecasters: a base forecast, corrected in units of each series' own recent movement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed

from forecast._estimator import check_fitted, clone
from forecast.data.panel import Panel, as_panel
from forecast.features.dataset import SequenceDataset
from forecast.features.inputs import (
    MIN_CHANGES,
    N_STATE_CHANNELS,
    Inputs,
    append_channels,
    calendar_inputs,
    causal_inputs,
)
from forecast.models.base import (
    LEVELS,
    Forecast,
    Forecaster,
    Summary,
    apply_change,
    choose_log,
    combine_forecasts,
    summary_of,
    transform,
)
from forecast.models.naive import Naive
from forecast.models.recurrent import inference as rolling
from forecast.models.recurrent.build import Architecture, build, train_member
from forecast.models.recurrent.config import check_network, check_pairs, dilations, strategy_of
from forecast.models.recurrent.crossfit import BLOCKS, base_in_training, in_scale, with_log
from forecast.models.recurrent.diagnostics import layers
from forecast.models.recurrent.inference import PredictionRequest
from forecast.models.recurrent.trainer import RECORD, Trainer, example_batch, one_thread, thinned
from forecast.models.recurrent.weights import net_arrays, set_net

LESSONS = 2  # an aligned example opens with `lookback` rows and teaches at twice as many
TAIL = 0.2  # of the training rows: what `patience` judges by


class Recurrent(Forecaster):
    """An Elman, LSTM or GRU network, trained on all series together to correct a base forecast.

    `cell` is "rnn", "lstm" or "gru". `topology` with its `strategy` says what goes in and what comes out:
    "one-to-one" (the newest row, all steps at once: no recurrence), "one-to-many" (the newest row, a recurrent
    decoder), "many-to-one" ("direct": all steps at a window's end; "recursive": one step, fed back) or "many-to-many"
    ("aligned": every row emits its own forecast; "seq2seq": an encoder and a decoder). `bidirectional` reads a closed
    window both ways. `lookback` rows are read (aligned: carried on from the first row), `patch` of them at each
    recurrent step. `layers` is their number, or the dilation of each, such as (1, 7, 28); `residual` adds what a layer
    reads to what it says; `dropout` works between layers. A linear path beside the network reads the last `skip` rows.

    The forecast is base + unit · network, in logs base · exp(unit · network): the unit is the mean absolute change of
    the last 60 rows, and `base` a Forecaster (None: `Naive()`). An untrained network is its base. `exog` names fields
    to read beside the target, `calendar` adds day, week, month and year, `embedding` a learned vector of that width for
    each series. `loss` is "pinball" (the `levels`), "mse", "mae", "huber" (a point; the spread is that of its errors in
    training) or "student-t". The point is the `point` = "median" or, over the errors in training, the "mean", which
    losses on variances ask for. `gate_bias` "chrono" makes LSTM and GRU remember over the whole lookback.

    `members` networks from as many seeds, trained by `n_jobs` processes, give their median. `warm_start` goes on from
    the weights of the fit before, for the trainer's `warm_steps`. `trainer` says how long and how fast to learn (None:
    `Trainer()`, with 256 windows a step where a window holds one lesson only).

    >>> prices = fc.load_sample("stocks").iloc[-500:]
    >>> model = fc.Recurrent("gru", lookback=20, trainer=fc.Trainer(steps=5)).fit(prices, horizon=5)
    >>> model.predict(prices).quantiles.shape
    (1, 4, 5, 3)
    """

    def __init__(
        self,
        cell: str = "lstm",
        topology: str = "many-to-many",
        strategy: str | None = None,
        bidirectional: bool = False,
        lookback: int = 60,
        patch: int = 1,
        hidden: int = 16,
        layers: int | tuple[int, ...] = 1,
        residual: bool = False,
        dropout: float = 0.0,
        skip: int = 1,
        base: Forecaster | None = None,
        log: bool | str = "auto",
        exog: tuple[str, ...] = (),
        calendar: bool = False,
        embedding: int = 0,
        levels: tuple[float, ...] = LEVELS,
        point: str = "median",
        loss: str = "pinball",
        gate_bias: str = "one",
        members: int = 1,
        seed: int = 0,
        n_jobs: int = 1,
        warm_start: bool = False,
        trainer: Trainer | None = None,
    ) -> None:
        self.cell = cell
        self.topology = topology
        self.strategy = strategy
        self.bidirectional = bidirectional
        self.lookback = lookback
        self.patch = patch
        self.hidden = hidden
        self.layers = layers
        self.residual = residual
        self.dropout = dropout
        self.skip = skip
        self.base = base
        self.log = log
        self.exog = exog
        self.calendar = calendar
        self.embedding = embedding
        self.levels = levels
        self.point = point
        self.loss = loss
        self.gate_bias = gate_bias
        self.members = members
        self.seed = seed
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.trainer = trainer

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter, or a pair of them, cannot be used."""
        super().check_params()
        check_network(self)
        if not (self.trainer is None or isinstance(self.trainer, Trainer)):
            raise TypeError(f"trainer must be a Trainer or None; got {self.trainer!r}")
        if not (self.base is None or isinstance(self.base, Forecaster)):
            raise TypeError(f"base must be a Forecaster or None; got {self.base!r}")
        check_pairs(self)
        self._base().check_params()
        self._trainer().check_params()

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs: a window, and what lies ahead of it."""
        own = max(self.lookback, MIN_CHANGES + 1) + horizon
        base = self._base()
        if isinstance(base, Naive):
            return own
        first = base.min_rows(horizon)  # its first forecast, after which its errors are counted
        if not getattr(base, "in_sample_is_valid", False):
            first = math.ceil(first / (1 - 1 / BLOCKS))
        return max(own, first + MIN_CHANGES)

    def required_fields(self) -> tuple[str, ...]:
        """Name the fields that are read beside the target, by the network or by its base."""
        return tuple(dict.fromkeys([*self.exog, *self._base().required_fields()]))

    def default_trainer(self) -> Trainer:
        """Give the trainer that `trainer=None` stands for: many short examples, or few long ones."""
        return Trainer() if strategy_of(self) == "aligned" else Trainer(batch_size=256)

    def default_base(self) -> Forecaster:
        """Give the base that `base=None` stands for."""
        return Naive()

    def _trainer(self) -> Trainer:
        return self.default_trainer() if self.trainer is None else self.trainer

    def _base(self) -> Forecaster:
        return self.default_base() if self.base is None else self.base

    def parts(self) -> list[Forecaster]:
        """Give its members, each a network of its own seed: fitted alone they forecast the same bytes as together."""
        return [clone(self).set_params(members=1, seed=self.seed + s, n_jobs=1) for s in range(self.members)]

    def combine(self, forecasts: Sequence[Forecast]) -> Forecast:
        """Take the median of its members' forecasts, quantiles level by level."""
        return combine_forecasts(forecasts, np.median) if self.members > 1 else forecasts[0]

    def nests(self, other: Forecaster) -> bool:
        """Whether `other` is its base, to which it is a correction that may be 0, or is nested in that."""
        return self._base().same_as(other) or self._base().nests(other)

    def _fit(self, panel: Panel, horizon: int) -> None:
        warm = self.warm_start and "nets_" in vars(self)
        before: Any = (vars(self)["architecture_"], vars(self)["nets_"]) if warm else None
        self.log_ = choose_log(self.log, panel)
        self.base_ = with_log(clone(self._base()), self.log_).fit(panel, horizon)
        base = base_in_training(self._base(), self.base_, panel, horizon, self.log_)  # (T, N, H)
        inputs = self._inputs(panel, base)
        self.architecture_ = self._architecture(inputs)
        examples = self._examples(inputs, base)
        if not inputs.scale.any():
            raise ValueError("no series ever moves in the training rows: there is nothing to learn, leave them out")
        if not len(examples):
            raise ValueError(
                f"the {len(panel)} training rows hold no lesson: no row with {MIN_CHANGES} changes before it and a "
                "forecast of the base has a value after it. Bring more history or take a base that needs less"
            )
        choice = None if before else self._choice(inputs, base)  # a warm fit takes a fixed number of steps
        chosen = rolling.sample(PredictionRequest(inputs, base, np.arange(base.shape[1]), self.architecture_))
        del base  # of a wide panel it is much
        trained = self._train(examples, choice, before)
        self.nets_ = [net for net, _ in trained]
        tables = [pd.DataFrame(records, columns=[*RECORD, "validation"]) for _, records in trained]
        self.history_ = pd.concat(tables, keys=range(1, self.members + 1), names=["member"]).reset_index("member")
        self.spread_, self.errors_ = None, None
        spread, mean = rolling.needs_spread(self.architecture_), self.point == "mean"
        if spread or mean:
            with one_thread():
                errors = [rolling.training_errors(net, chosen) for net in self.nets_]  # (M, H) each
            self.spread_ = np.stack([rolling.residual_quantiles(e, self.levels) for e in errors]) if spread else None
            self.errors_ = np.stack([rolling.error_grid(e) for e in errors]) if mean else None  # (S, H, E)
        self.record_ = {
            "log": self.log_,
            "examples": len(examples),
            "parameters": sum(p.numel() for p in self.nets_[0].parameters() if p.requires_grad),
            "steps": [int(table["loss"].notna().sum()) for table in tables],
            "loss": [thinned(table["loss"].to_numpy(dtype=float)) for table in tables],
        }

    def _train(self, examples: SequenceDataset, choice: Any, before: Any) -> list[Any]:
        starts, trainer = [None] * self.members, self._trainer()
        if before is not None:
            trainer = trainer.warm()
            same = replace(before[0], bptt=self.architecture_.bptt) == self.architecture_
            if not same or len(before[1]) != self.members:
                raise ValueError(
                    "warm_start goes on with the same networks, and these have other shapes or are not as many: fit on "
                    "the same series, horizon and parameters, or set warm_start=False"
                )
            starts = [net.state_dict() for net in before[1]]
        return Parallel(n_jobs=self.n_jobs)(
            delayed(train_member)(self.architecture_, trainer, examples, self.seed + s, choice, starts[s])
            for s in range(self.members)
        )

    def _architecture(self, inputs: Inputs) -> Architecture:
        strategy = strategy_of(self)
        return Architecture(
            strategy=strategy,
            cell=self.cell,
            n_inputs=inputs.x.shape[2],
            hidden=self.hidden,
            dilations=dilations(self.layers),
            bidirectional=self.bidirectional,
            residual=self.residual,
            dropout=float(self.dropout),
            lookback=self.lookback,
            patch=self.patch,
            skip=self.skip,
            gate_bias=self.gate_bias,
            series=self.series_ if self.embedding else (),
            embedding=self.embedding,
            steps=1 if strategy == "recursive" else self.horizon_,
            loss=self.loss,
            levels=tuple(self.levels),
            bptt=self._trainer().bptt,
        )

    def _examples(self, inputs: Inputs, base: np.ndarray, first: int = 0) -> SequenceDataset:
        """Give the training examples of these rows; those before `first` are only read."""
        if self.architecture_.strategy != "aligned":
            return SequenceDataset(inputs, base, self.lookback, first=first, steps=self.architecture_.steps)
        positions = max(min(LESSONS * self.lookback, len(base) - self.lookback), 1)
        return SequenceDataset(inputs, base, self.lookback + positions, positions, first=first)

    def _choice(self, inputs: Inputs, base: np.ndarray) -> tuple[SequenceDataset, SequenceDataset] | None:
        """Part the training rows for `patience`: no target of the first part reaches into the second."""
        if self._trainer().patience is None:
            return None
        cut = round(len(base) * (1 - TAIL))
        early, late = self._examples(inputs[:cut], base[:cut]), self._examples(inputs, base, first=cut)
        if not (len(early) and len(late)):
            raise ValueError(
                f"patience needs lessons before and after row {cut} of the {len(base)} training rows: bring more "
                "history, or set patience=None"
            )
        return early, late

    def _inputs(self, panel: Panel, base: np.ndarray | None = None) -> Inputs:
        """Make what the network reads of every row: the target, the exog fields, the calendar.

        Answers are measured in the errors that the base made of late, unless it is the last value, whose error is the
        change, or knows its training rows too well.
        """
        y = transform(panel, self.log_)
        said = None
        if not isinstance(self.base_, Naive) and getattr(self.base_, "in_sample_is_valid", False):
            said = (self._base_at(panel) if base is None else base)[..., 0].copy()  # of all steps only the first stays
        more = [
            causal_inputs(panel.values[:, :, panel.channels.index(name)]).x[..., N_STATE_CHANNELS:]
            for name in self.exog
        ]
        if self.calendar:
            if not isinstance(panel.index, pd.DatetimeIndex):
                raise ValueError(f"calendar=True needs rows with dates; these have {panel.index.dtype} labels")
            more.append(calendar_inputs(panel.index.tz_localize(None).to_numpy(), len(panel.series)))
        return append_channels(causal_inputs(y, said), more)

    def _state(self) -> dict[str, Any]:
        fitted = super()._state()
        return fitted | {"nets_": [net_arrays(net) for net in self.nets_]} if fitted else {}

    def _restore(self, state: dict[str, Any]) -> None:
        nets = [set_net(build(state["architecture_"], seed=0), arrays) for arrays in state["nets_"]]
        super()._restore(state | {"nets_": nets})

    def probe(self, prices: Any, y: Any = None) -> tuple[list[Any], list[Any]]:
        """Give the networks and a batch of training examples with one lesson each, for `gradient_flow`."""
        check_fitted(self, "nets_")
        if self.topology.startswith("one-to-"):
            raise ValueError(f"a {self.topology} network reads one row: there is nothing further back in time")
        panel = as_panel(prices, exog=self.required_fields())
        base = self._base_at(panel)
        windows = SequenceDataset(self._inputs(panel, base), base, self.lookback, steps=self.architecture_.steps)
        if not len(windows):
            raise ValueError(f"these {len(panel)} rows hold no example with an outcome: bring more history")
        return self.nets_, example_batch(windows)

    def summary(self) -> Summary:
        """List the layers of the network with their output shapes and weights, as Keras prints them."""
        check_fitted(self, "nets_")
        a = self.architecture_
        positions = LESSONS * self.lookback if a.strategy == "aligned" else 1
        sizes = [(1, self.lookback + positions - 1, a.n_inputs), (1,), (1, positions, a.steps), (1, positions, a.steps)]
        x, series, target, weight = (torch.zeros(size) for size in sizes)
        title = f"{self.cell} {self.topology}, {a.strategy}: {self.lookback} rows in, {a.steps} steps out"
        return summary_of(layers(self.nets_[0], [x, series.long(), target, weight]), title)

    def _base_at(self, panel: Panel) -> np.ndarray:
        """Give what the fitted base says at every row, in the network's scale, (T, N, H)."""
        return in_scale(self.base_._predict_point_at(panel, np.arange(len(panel))), self.base_, self.log_)

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        levels = self.architecture_.levels  # as they were when it was fitted
        inputs = self._inputs(panel)
        base = self.base_._predict_point_at(panel, rows)  # (K, N, H)
        unit = inputs.scale[rows][:, :, None, None]  # (K, N, 1, 1)
        known = {name: i for i, name in enumerate(self.series_)}
        codes = np.array([known.get(series, -1) for series in panel.series])
        asked = PredictionRequest(inputs, in_scale(base, self.base_, self.log_), codes, self.architecture_)
        spreads: Any = [None] * len(self.nets_) if self.spread_ is None else self.spread_  # (S, H, Q)
        grids: Any = [None] * len(self.nets_) if self.errors_ is None else self.errors_  # (S, H, E)
        forecasts = []
        for net, spread, grid in zip(self.nets_, spreads, grids, strict=True):
            with one_thread():
                correction = rolling.corrections(net, asked, rows, spread, levels)  # (K, N, H, Q)
            quantiles = apply_change(base[..., None], unit * correction, self.log_)
            point = quantiles[..., levels.index(0.5)]
            if grid is not None:
                about = correction[..., levels.index(0.5), None] + grid  # (K, N, H, E)
                point = apply_change(base[..., None], unit * about, self.log_).mean(axis=-1)
            forecasts.append(Forecast(point, quantiles, levels, panel.series, panel.index[rows]))
        return self.combine(forecasts)
