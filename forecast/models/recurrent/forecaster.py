"""Recurrent networks as forecasters: they correct a base forecast, relative to its recent error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from torch import Tensor, nn

from forecast._estimator import check_fitted, clone, show
from forecast.data.panel import Panel, Prices
from forecast.features.dataset import SequenceDataset, TrainingRows, rows_needed
from forecast.features.inputs import MIN_CHANGES
from forecast.features.static_inputs import fit_encoder
from forecast.features.windows import BLOCKS
from forecast.models.base import LEVELS, Forecast, Forecaster, apply_change, choose_log, combine_forecasts
from forecast.models.naive import Naive, SeasonalNaive
from forecast.models.recurrent.config import (
    RecurrentConfig,
    check_combinations,
    check_network,
    check_own_network,
    check_start,
    check_unchanged,
    describing_params,
    strategy_of,
)
from forecast.models.recurrent.crossfit import base_in_training, set_log
from forecast.models.recurrent.defaults import Choices, blend, choose, keep, may_be_pretrained
from forecast.models.recurrent.diagnostics import Summary, summarise
from forecast.models.recurrent.fit_tasks import Previous, Training, of_member
from forecast.models.recurrent.inference import (
    ErrorSample,
    centred_quantiles,
    error_grid,
    make_error_sample,
    member_errors,
    predict,
)
from forecast.models.recurrent.network_examples import POSITIONS, Examples, hold_back, make_examples
from forecast.models.recurrent.network_inputs import InputReader
from forecast.models.recurrent.networks import Network, build_network, network_arrays
from forecast.models.recurrent.pretrained.zero_shot import Pretrained
from forecast.models.recurrent.ragged import Group, RaggedRows, group_series, predict_groups, share_steps, trim_rows
from forecast.models.recurrent.shrinkage import PRIOR
from forecast.models.recurrent.trainer import RECORD, Trainer, example_batch, loss_curve, one_thread
from forecast.models.sample_weights import weight_fields, weighted_inputs
from forecast.models.scale import FixedScale, choose_scale
from forecast.models.serialize import fitted_attributes


@dataclass(eq=False, repr=False)
class Recurrent(Forecaster):
    """An Elman, LSTM or GRU network, trained on all series of a panel to correct a base forecast.

    The forecast is base + scale · shrinkage · network, in logs base · exp(scale · shrinkage · network). The scale is
    the mean absolute error of the base over the last 60 rows (for `Naive`, and for a base whose in-sample errors are
    too small, the mean absolute change). An untrained network returns the forecast of its base. The shrinkage is
    between 0 and 1: the posterior probability that the network's corrections are real rather than noise.

    Parameters
    ----------
    cell : {"rnn", "lstm", "gru"}, default "lstm"
        The recurrent cell; "rnn" is Elman's.
    topology : str, default "many-to-many"
        What goes in and what comes out: "one-to-one" (the newest row, all steps at once, no recurrence), "one-to-many"
        (the newest row, a recurrent decoder), "many-to-one" (a window) or "many-to-many".
    strategy : str, optional
        How the steps are predicted. Many-to-one: "direct" (all at once; the default) or "recursive" (one step, fed
        back). Many-to-many: "aligned" (every row emits its forecast; the default) or "seq2seq" (an encoder and a
        decoder).
    bidirectional : bool, default False
        Whether a window is read in both directions (not with the aligned strategy).
    lookback : int, optional
        Rows of a window. For an aligned network: its training examples have up to 3 × `lookback` rows; forecasts
        read all rows. None, here and below: chosen from the training rows (see Notes).
    patch : int, optional
        Rows that are read at each recurrent step.
    hidden : int, optional
        Size of the state.
    layers : int or tuple of int, default 1
        The number of layers, or the dilation of each, such as (1, 7, 28).
    residual : bool, default False
        Whether the input of a layer is added to its output.
    dropout : float, default 0.0
        Dropout between layers, in training.
    skip : int, optional
        Newest rows that a linear shortcut, parallel to the network, reads.
    base : Forecaster, optional
        The forecast that is corrected.
    season : int or "auto", default "auto"
        Rows in a season, 1 for none; "auto": what the dates suggest, if a test finds it in the training rows.
    log : bool or "auto", default "auto"
        Whether to work in logs; "auto" if all training values are positive.
    exog : tuple of str, default ()
        Fields to read in addition to the target.
    future : tuple of str, default ()
        Fields of which the rows that are forecast are known as well: each step reads its own row (not with the
        recursive strategy).
    static : tuple of str, default ()
        Static inputs of the series (see `as_panel`) to read at every row.
    scale : {"auto", "recent", "fixed"}, default "auto"
        What corrections are relative to: "recent", the recent error of the base, as where volatility clusters;
        "fixed", its mean over the training rows, as where a known input has a constant effect (not with the recursive
        strategy). "auto" is "fixed" where there are `future` inputs.
    stride : int, default 1
        Rows from one training forecast to the next, counted from the last training row: 24 trains hourly prices that
        are always forecast at midnight from midnights only.
    calendar : bool, default False
        Whether day, week, month and year of a row are inputs.
    embedding : int, default 0
        Width of a trained vector for each series (0: none).
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    point : {"median", "mean"}, default "median"
        The point forecast. "mean" averages over the errors in training; it is the right point under squared error and
        QLIKE.
    loss : {"pinball", "mse", "mae", "huber", "student-t"} or callable, default "pinball"
        The training loss: of the quantiles, of a point (its spread is that of the errors in training), or of Student's
        t distribution. A function `loss(forecast, target)` is the loss of a point, in torch: it reads two tensors of
        one shape, whose last axis is the steps, in multiples of the scale relative to the base, and returns the loss
        of each value, a tensor of the same shape.
    gate_bias : {"one", "chrono"}, default "one"
        Initial bias of the gates; with "chrono" LSTM and GRU remember over the lookback.
    members : int, default 1
        Number of networks with different seeds, of which the forecast is the median.
    seed : int, default 0
        Seed of the first member.
    n_jobs : int, default 1
        Processes that train the members (-1: one for each core).
    warm_start : bool, default False
        Whether a fit continues from the weights of the previous one, for the trainer's `warm_steps`; it keeps the
        shrinkage of the previous one.
    trainer : Trainer, optional
        How to train (None: `Trainer()`, with batches of 256 windows unless the strategy is aligned).
    start : {"pretrained"}, optional
        The weights to start from: those of `Pretrained`, whose network then is the one that is trained, and whose
        forecasts are the base. Of the other parameters only `season`, `log`, `levels`, `members`, `seed`, `n_jobs` and
        `trainer` (None: 200 steps) may be set. None: random weights.
    half_life : float, optional
        Rows after which a training example counts half in the loss, before the last training row (None: all the same).
    weight : str, optional
        A field of the prices whose values, 0 or more, weight the losses of forecasts from a row (docs/models.md).
    network : callable, optional
        A network of your own, many-to-one: a class or function `network(n_inputs, horizon, n_outputs)` that returns a
        `torch.nn.Module`, which maps windows (B, lookback, n_inputs) to (B, horizon, n_outputs). It replaces the
        recurrent layers and the linear shortcut; what describes these, and `future`, must be left out. Zeros leave the
        base as it is (see docs/own_model.md).

    Attributes
    ----------
    choices_ : Choices
        The parameters that were chosen from the training rows, and those that were given.
    shrinkage_ : array of shape (members,)
        The shrinkage of each member, also in the fit's record.
    history_ : DataFrame
        Loss, gradient norm and learning rate of every training step.

    Notes
    -----
    **Choices.** What is None is chosen from the training rows: their number, the number of series and the season.
    Long series without a season have a lookback of 60 rows and `Naive` as base; short ones, and those with a season,
    `Pretrained`, whose quantiles the network corrects. `choices_` has what was chosen, the page on models the table.

    **Shrinkage.** On a series with nothing to learn a network still corrects its base, by patterns of the training rows
    that do not last. The newest fifth of the training rows is therefore held back for the first four fifths of the
    training steps. The errors of the base at these rows are regressed on the network's corrections, and the shrinkage
    is the posterior probability that the slope is 1 or more rather than 0, from prior odds of 1 to 20 and a variance
    that holds under dependent errors. The regression is by least squares, also where `loss` is a function; with the
    losses "mae" and "huber", and on `Pretrained`, by absolute or Huber errors. The last fifth of the steps draws from
    all rows.
    The point is shrunk towards the base and the other quantiles move with it, so the spread is that of the network; on
    `Pretrained` all quantiles are shrunk towards its own. With too few rows to hold some back the prior decides (on
    `Pretrained`: 0), and the forecast is almost that of the base.

    A fitted model forecasts only with the parameters of its fit; `seed`, `n_jobs`, `warm_start` and `trainer`, which
    matter to the next fit only, may change.

    Examples
    --------
    >>> prices = fc.load_sample("stocks").iloc[-500:]
    >>> model = fc.Recurrent("gru", lookback=20, trainer=fc.Trainer(steps=5)).fit(prices, horizon=5)
    >>> model.predict(prices).quantiles.shape
    (1, 4, 5, 3)
    """

    cell: str = "lstm"
    topology: str = "many-to-many"
    strategy: str | None = None
    bidirectional: bool = False
    lookback: int | None = None
    patch: int | None = None
    hidden: int | None = None
    layers: int | tuple[int, ...] = 1
    residual: bool = False
    dropout: float = 0.0
    skip: int | None = None
    base: Forecaster | None = None
    season: int | str = "auto"
    log: bool | str = "auto"
    exog: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    scale: str = "auto"
    stride: int = 1
    calendar: bool = False
    embedding: int = 0
    levels: tuple[float, ...] = LEVELS
    point: str = "median"
    loss: str | Callable[[Tensor, Tensor], Tensor] = "pinball"
    gate_bias: str = "one"
    members: int = 1
    seed: int = 0
    n_jobs: int = 1
    warm_start: bool = False
    trainer: Trainer | None = None
    start: str | None = None
    half_life: float | None = None
    weight: str | None = None
    network: Callable[[int, int, int], nn.Module] | None = None

    def _always_shown(self) -> tuple[str, ...]:
        is_chosen = self.network is None and self.start is None  # which have layers of their own
        return ("cell", "topology") if is_chosen else ()

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter, or a combination of two, is not valid."""
        super().check_params()
        check_network(self)
        if not (self.trainer is None or isinstance(self.trainer, Trainer)):
            raise TypeError(f"trainer must be a Trainer or None; got {self.trainer!r}")
        if not (self.base is None or isinstance(self.base, Forecaster)):
            raise TypeError(f"base must be a Forecaster or None; got {self.base!r}")
        check_start(self)
        check_own_network(self)
        check_combinations(self)
        self._base().check_params()
        self._trainer().check_params()

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs: a window and its targets, or by default three."""
        if self.start is not None or may_be_pretrained(self):
            return Pretrained().min_rows(horizon)
        own = rows_needed(self.lookback or 1, horizon)
        base = self._base()
        if isinstance(base, Naive):
            return own
        first = base.min_rows(horizon)  # its first forecast, after which its errors are counted
        if not base.in_sample_is_valid:
            first = math.ceil(first / (1 - 1 / BLOCKS))
        return max(own, first + MIN_CHANGES)

    def required_fields(self) -> tuple[str, ...]:
        """Return the fields that the network or its base reads in addition to the target."""
        names = [*self.exog, *self.future, *self._base().required_fields(), *weight_fields(self.weight)]
        return tuple(dict.fromkeys(names))

    def future_fields(self) -> tuple[str, ...]:
        """Return the names of the required fields of which the rows that are forecast are read, too."""
        return tuple(dict.fromkeys([*self.future, *self._base().future_fields()]))

    def static_fields(self) -> tuple[str, ...]:
        """Return the names of the static inputs that are read."""
        return tuple(dict.fromkeys([*self.static, *self._base().static_fields()]))

    def default_trainer(self) -> Trainer:
        """Return the trainer that `trainer=None` stands for: many short examples, or few long ones."""
        if self.start is not None:
            return Pretrained().default_trainer()
        return Trainer() if strategy_of(self) == "aligned" else Trainer(batch_size=256)

    def default_base(self) -> Forecaster:
        """Return the base that `base=None` stands for on long series without a season."""
        return Naive()

    def _trainer(self) -> Trainer:
        return self.default_trainer() if self.trainer is None else self.trainer

    def _base(self) -> Forecaster:
        return self.default_base() if self.base is None else self.base

    def parts(self) -> list[Forecaster]:
        """Return the members, each a network with its own seed; fitting them separately yields identical forecasts."""
        return [clone(self).set_params(members=1, seed=self.seed + s, n_jobs=1) for s in range(self.members)]

    def combine(self, forecasts: Sequence[Forecast]) -> Forecast:
        """Return the median of the members' forecasts, and of their quantiles level by level."""
        return combine_forecasts(forecasts, np.median) if self.members > 1 else forecasts[0]

    def nests(self, other: Forecaster) -> bool:
        """Return whether `other` is the base, which a correction of 0 leaves unchanged, or is nested in the base."""
        return self.start is None and (self._base().same_as(other) or self._base().nests(other))

    # --- fitting ---

    def fit_iter(self, prices: Prices, horizon: int) -> Iterator[dict[str, float]]:
        """Fit the model as `fit` does, and yield a record of each training step as it is done.

        A record has the member, the step, the training loss, the norm of its gradient, the learning rate, the seconds,
        and with the trainer's `patience` the validation loss at every tenth step; the number of steps is then chosen
        before the first record. The model is fitted after the last record. If the loop is left before, the model is as
        it was before the call: not fitted, or the previous fit. Members are trained one after the other.

        >>> model = fc.Recurrent(lookback=5, hidden=4, trainer=fc.Trainer(steps=2))
        >>> [record["step"] for record in model.fit_iter(fc.load_sample("stocks").iloc[-100:], horizon=2)]
        [1, 2]
        """
        if self.start is not None:
            raise ValueError(f"fit_iter has no records of start={self.start!r}: call fit")
        panel = self._read_for_fit(prices, horizon)
        with self._fit_of(panel, horizon):
            previous = self._previous()
            training = self._prepare_training(panel, horizon, previous)
            fits = []
            for member, task in enumerate(training.tasks, start=1):
                fits.append((yield from of_member(member, training.trainer.train_iter(*task))))
            self._finish(fits, training, previous)

    def _fit(self, panel: Panel, horizon: int) -> None:
        if self.start is not None:
            self._fine_tune(panel, horizon)
            return
        previous = self._previous()
        training = self._prepare_training(panel, horizon, previous)
        fits = Parallel(n_jobs=self.n_jobs)(delayed(training.trainer.train)(*task) for task in training.tasks)
        self._finish(fits, training, previous)

    def _fine_tune(self, panel: Panel, horizon: int) -> None:
        """Fine-tune the pretrained network, once for each member."""
        self.fitted_params_ = describing_params(self)
        params: dict[str, Any] = {
            "season": self.season,
            "log": self.log,
            "levels": self.levels,
            "trainer": self._trainer(),
        }
        members = [Pretrained(**params, seed=self.seed + s) for s in range(self.members)]
        fit = delayed(Pretrained._fit_panel)
        self.tuned_ = Parallel(n_jobs=self.n_jobs)(fit(member, panel, horizon) for member in members)
        self.nets_: list[Network] = []
        self.shrinkage_: np.ndarray = np.array([member.tuned_share_ for member in self.tuned_])
        tables = [member.history_ for member in self.tuned_]
        self.history_ = pd.concat(tables, keys=range(1, self.members + 1), names=["member"]).reset_index("member")
        self.record_ = self.tuned_[0].record_ | {"shrinkage": [float(factor) for factor in self.shrinkage_]}

    def _prepare(self, panel: Panel, horizon: int) -> RaggedRows:
        """Fit the base and the scale; return the training rows with their inputs and the base's forecasts."""
        self.log_ = choose_log(self.log, panel)
        model = set_log(clone(self.choices_.base), self.log)
        self.encoder_ = fit_encoder(panel.static, self.static)
        self.base_ = clone(model).fit(panel, horizon)
        self.scale_: FixedScale | None = None
        groups = self._groups(panel)
        parts: list[TrainingRows] = []
        for i, group in enumerate(groups):
            part = group.rows_of(panel)
            rows = self._training_rows(model, part, group.first)
            if part is not panel:
                groups[i], rows = trim_rows(group, rows)
            parts.append(rows)
        self.config_: RecurrentConfig = self._config(parts[0])
        return RaggedRows(groups, parts, len(panel))

    def _groups(self, panel: Panel) -> list[Group]:
        """Return the groups of series that are read separately: all as one, where a fit depends on all rows."""
        is_by_series = isinstance(self.base_, (Naive, SeasonalNaive, Pretrained)) and self.base_.in_sample_is_valid
        depends_on_all = self.future or self.scale == "fixed" or self.half_life is not None or self.weight is not None
        rows_before = (1 + POSITIONS) * self.choices_.lookback
        rows_before = rows_before if is_by_series and not depends_on_all else len(panel)
        return group_series(panel.first_observed(), len(panel), rows_before)

    def _training_rows(self, model: Forecaster, panel: Panel, first: int) -> TrainingRows:
        """Return the training rows of series from row `first` on; set the scale."""
        base = base_in_training(model, self.base_, panel, self.log_, max(self.choices_.first - first, 0))
        base = share_steps(base)
        inputs = weighted_inputs(self._reader().of_rows(panel, base), panel, self.half_life, self.weight)
        self.scale_ = choose_scale(self.scale, self.future, inputs, panel.series)
        if self.scale_ is not None:
            inputs = self.scale_.apply(inputs, panel.series)
        known = self._reader().of_steps(panel, inputs, base)
        phase = (len(panel) - 1) % self.stride
        return TrainingRows(inputs, base, known, self.stride, phase, self.choices_.min_changes)

    def _training_examples(self, data: RaggedRows) -> Examples:
        """Return the examples of all training rows; raise ValueError if there is nothing to learn."""
        examples = make_examples(data, self.config_)
        if not self._base_has_spread():  # whose forecast is used where there are no examples
            examples.check(self.choices_.min_changes)
        return examples

    def _previous(self) -> Previous | None:
        """Return the previous fit from which this one continues; None of a fit from random weights."""
        is_warm = self.warm_start and "nets_" in vars(self)
        return Previous(self.config_, self.nets_, self.shrinkage_) if is_warm else None

    def _prepare_training(self, panel: Panel, horizon: int, previous: Previous | None) -> Training:
        """Choose the parameters, fit the base and make the examples; return what the members are trained on."""
        self.fitted_params_ = describing_params(self)
        self.choices_: Choices = choose(self, panel) if previous is None else keep(self.choices_, self, panel)
        data = self._prepare(panel, horizon)
        examples = self._training_examples(data)
        # A previous fit has seen the newest rows.
        held_back = None if previous else hold_back(data, self.config_, self.choices_)
        trainer = self.choices_.trainer
        if not len(examples):
            trainer = clone(trainer).set_params(steps=0, patience=None)
        weights: list[Any] = [None] * self.members
        if previous is not None:
            trainer = trainer.warm()
            if replace(previous.config, bptt=self.config_.bptt) != self.config_ or len(previous.nets) != self.members:
                raise ValueError(
                    "warm_start continues with the networks of the previous fit, but their shapes or number differ "
                    "from this fit's: fit on the same series, horizon and parameters, or set warm_start=False"
                )
            weights = [network_arrays(net) for net in previous.nets]
        tasks = [
            (partial(build_network, self.config_, self.seed + s, weights[s]), examples, self.seed + s, held_back)
            for s in range(self.members)
        ]
        return Training(data, examples, trainer, tasks)

    def _finish(self, fits: list[Any], training: Training, previous: Previous | None) -> None:
        """Set the trained networks, from each with its records and its shrinkage, and what follows from them."""
        self.nets_ = [net for net, _, _ in fits]
        unknown = 0.0 if self._base_has_spread() else PRIOR
        factors = [unknown if factor is None else factor for _, _, factor in fits]
        self.shrinkage_ = np.array(factors) if previous is None else previous.shrinkage
        self._measure_errors(make_error_sample(training.data, self.config_))
        self._summarise_fit([records for _, records, _ in fits], len(training.examples))

    def _measure_errors(self, sample: ErrorSample) -> None:
        """Set the spread of each member, (S, H, Q), and its distribution of errors, (S, H, E), where they are used."""
        self.spread_, self.errors_ = None, None
        if self._base_has_spread() and not sample.has_every_step():
            self.shrinkage_ = np.zeros(self.members)  # nothing shows how far a network would be off
        elif self.config_.needs_spread or self.point == "mean":
            errors = member_errors(self.nets_, self.shrinkage_, sample)  # (M, H) each
            if self.config_.needs_spread:
                self.spread_ = np.stack([centred_quantiles(error, self.levels) for error in errors])
            if self.point == "mean":
                self.errors_ = np.stack([error_grid(error) for error in errors])

    def _summarise_fit(self, records: list[list[dict[str, float]]], n_examples: int) -> None:
        """Set the history of the training steps of each member, and the summary of the fit."""
        tables = [pd.DataFrame(steps, columns=[*RECORD, "validation"]) for steps in records]
        self.history_ = pd.concat(tables, keys=range(1, self.members + 1), names=["member"]).reset_index("member")
        self.record_ = {
            "log": self.log_.summary(),
            "choices": self.choices_.summary(),
            "examples": n_examples,
            "parameters": sum(p.numel() for p in self.nets_[0].parameters() if p.requires_grad),
            "steps": [int(table["loss"].notna().sum()) for table in tables],
            "loss": [loss_curve(table["loss"].to_numpy(dtype=float)) for table in tables],
            "shrinkage": [float(factor) for factor in self.shrinkage_],
        }

    def _reader(self) -> InputReader:
        """Return what computes the inputs of the fitted base, scale and encoder."""
        fitted = (self.base_, self.log_, self.scale_, self.encoder_, self.choices_)
        return InputReader(*fitted, exog=tuple(self.exog), future=tuple(self.future), calendar=self.calendar)

    def _config(self, data: TrainingRows) -> RecurrentConfig:
        strategy = strategy_of(self)
        return RecurrentConfig.of(
            self,
            strategy=strategy,
            levels=tuple(self.levels),
            n_inputs=data.inputs.x.shape[2],
            series=self.series_ if self.embedding else (),
            steps=1 if strategy == "recursive" else self.horizon_,
            bptt=self.choices_.trainer.bptt,
            n_step_inputs=0 if data.known is None else data.known.n_channels,
            **self.choices_.sizes(),
        )

    # --- forecasting ---

    def _base_has_spread(self) -> bool:
        """Return whether the base has quantiles that are as good at a step as its point, for a network to correct."""
        return isinstance(self.base_, Pretrained)

    def _base_forecast(self, panel: Panel, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the points of the base, (K, N, H), and its quantiles, (K, N, H, Q), if they are to be corrected."""
        if not self._base_has_spread():
            return self.base_._predict_point_at(panel, rows), None
        forecast = self.base_._predict_at(panel, rows)
        return forecast.point, forecast.quantiles

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        if self.start is not None:
            return self.combine([member._predict_at(panel, rows) for member in self.tuned_])
        return predict_groups(self._predict_group, self._groups(panel), panel, rows)

    def _predict_group(self, panel: Panel, rows: np.ndarray) -> Forecast:
        """Return the forecasts of series that are read as one group."""
        config, levels, middle = self.config_, self.config_.levels, self.config_.levels.index(0.5)
        base, own = self._base_forecast(panel, rows)
        request = self._reader().request(panel, rows, base, config, self.series_)
        no_log = np.isnan(request.base)[..., None]  # no logarithm, no correction
        scale = np.where(no_log, 0.0, request.inputs.scale[rows][:, :, None, None])  # (K, N, H, 1)
        forecasts, log = [], self.log_.flags(panel)
        for s, net in enumerate(self.nets_):
            with one_thread():
                output = predict(net, request)  # (K, N, H, n)
            correction = np.where(no_log, 0.0, self._corrections(s, output))  # (K, N, H, Q)
            quantiles = apply_change(base[..., None], scale * correction, log)
            if own is not None:
                quantiles = blend(own, quantiles, np.where(no_log, 0.0, self.shrinkage_[s]), log)
            point = quantiles[..., middle]
            if self.errors_ is not None:
                share = 1.0 if own is None else self.shrinkage_[s]
                draws = share * correction[..., middle, None] + self.errors_[s]  # (K, N, H, E)
                point = apply_change(base[..., None], scale * draws, log).mean(axis=-1)
            forecasts.append(Forecast(point, quantiles, levels, panel.series, panel.index[rows]))
        return self.combine(forecasts)

    def _corrections(self, member: int, output: np.ndarray) -> np.ndarray:
        """Return the quantiles of a member's output (K, N, H, n), its point shrunk towards 0, (K, N, H, Q)."""
        distribution = self.nets_[member].output
        factor = 1.0 if self._base_has_spread() else self.shrinkage_[member]
        point = output[..., distribution.middle, None]
        if self.spread_ is not None:
            return factor * point + self.spread_[member]
        if self.config_.needs_spread:  # no error is known
            return np.repeat(factor * point, len(self.config_.levels), axis=-1)
        return distribution.quantiles(output, self.config_.levels) - (1 - factor) * point

    def _check_ready(self) -> None:
        """Raise ValueError unless the model is fitted and its parameters are those of the fit."""
        check_fitted(self, "nets_")
        check_unchanged(self)

    def probe(self, prices: Any, y: Any = None) -> tuple[list[Network], list[Tensor]]:
        """Return the networks and a batch of training examples with one target each, for `gradient_flow`."""
        panel = self._read(prices)
        self._check_not_pretrained("probe")
        if self.topology.startswith("one-to-"):
            raise ValueError(f"a {self.topology} network reads one row: no row further back has a gradient")
        data = self._reader().of_examples(panel)
        examples = SequenceDataset(data, self.config_.lookback, steps=self.config_.steps)
        if not len(examples):
            raise ValueError(f"these {len(panel)} rows have no example with a known target: use more history")
        return self.nets_, example_batch(examples)

    def summary(self) -> Summary:
        """Return a table of the network's layers with their output shapes and weights, as Keras prints it."""
        self._check_ready()
        self._check_not_pretrained("summary")
        strategy, steps, lookback = self.config_.strategy, self.config_.steps, self.config_.lookback
        positions = POSITIONS * lookback if strategy == "aligned" else 1
        x = torch.zeros(1, lookback + positions - 1, self.config_.n_inputs)
        target = torch.zeros(1, positions, steps)
        network = f"{self.cell} {self.topology}, {strategy}" if self.network is None else show(self.network)
        title = f"{network}: {lookback} rows in, {steps} steps out"
        known = torch.zeros(*target.shape, self.config_.n_step_inputs)
        return summarise(self.nets_[0], [x, torch.zeros(1, dtype=torch.int64), target, target, known], title)

    def _check_not_pretrained(self, method: str) -> None:
        """Raise ValueError if the network is the pretrained one."""
        if self.start is not None:
            raise ValueError(
                f"{method} is of networks with start=None; the pretrained network is described in the docs"
            )

    # --- storing ---

    def _state(self) -> dict[str, Any]:
        """Return what was fitted, with networks as arrays; empty before a fit."""
        fitted = fitted_attributes(self)
        return fitted | {"nets_": [network_arrays(net) for net in self.nets_]} if fitted else {}

    def _restore(self, state: dict[str, Any]) -> None:
        """Set what `_state` has returned."""
        nets = [build_network(state["config_"], seed=0, weights=weights).eval() for weights in state["nets_"]]
        self.__dict__.update(state | {"nets_": nets})
