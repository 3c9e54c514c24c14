"""The table of topologies, the configurations that describe a network, and the validation of their parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from forecast._estimator import clone, show
from forecast._validation import check_choice, check_fields, check_int, check_jobs, check_number
from forecast.features.inputs import N_STATE_CHANNELS
from forecast.models.registry import CELLS
from forecast.models.sample_weights import check_weights
from forecast.models.scale import SCALES

#: The topologies and their strategies; the first strategy is the default.
STRATEGIES = {
    "one-to-one": ("direct",),
    "one-to-many": ("decoder",),
    "many-to-one": ("direct", "recursive"),
    "many-to-many": ("aligned", "seq2seq"),
}
OWN = "own"  # the strategy of a network of the user's
FED_BACK = ("recursive", "seq2seq")  # strategies in which the forecast of a step is an input of the next
POINT_LOSSES = ("mse", "mae", "huber")  # losses of a point forecast, which imply no quantiles
LOSSES = ("pinball", *POINT_LOSSES, "student-t")
#: Parameters of the training; all others describe the fitted network and its forecasts.
TRAINING_PARAMS = ("seed", "n_jobs", "warm_start", "trainer", "epochs", "batch_size", "lr", "validation_split")
#: Parameters that a forecaster with start="pretrained" uses.
TUNED_PARAMS = ("start", "season", "log", "levels", "members", "seed", "n_jobs", "trainer")
#: Parameters of the network that a forecaster chooses from the training rows where they are None.
CHOSEN_PARAMS = ("lookback", "patch", "hidden", "skip")
#: Parameters that describe the network of this package, which a network of the user's replaces.
REPLACED_PARAMS = (
    *("cell", "topology", "strategy", "bidirectional", "patch", "hidden", "layers", "residual", "dropout", "skip"),
    *("gate_bias", "future"),
)
SCALARS = (type(None), int, float, str, np.generic)
SEQUENCES = (tuple, list, np.ndarray)


@dataclass(frozen=True)
class StackConfig:
    """The recurrent layers of a network."""

    cell: str
    hidden: int
    layers: tuple[int, ...]  # the dilation of each
    bidirectional: bool
    residual: bool
    dropout: float
    gate_bias: str
    lookback: int
    embedding: int  # width of the vector of a series, or of a token
    n_inputs: int  # channels of a row

    @classmethod
    def of(cls, model: Any, **other: Any) -> Self:
        """Return the configuration of an estimator; `other` gives the fields that are not parameters of the model."""
        names = {field.name for field in fields(cls)}
        params = {name: value for name, value in model.get_params(deep=False).items() if name in names}
        return cls(**params | {"layers": dilations(model.layers)} | other)


@dataclass(frozen=True)
class RecurrentConfig(StackConfig):
    """A network that corrects a base forecast: everything that determines the shapes and the meaning of its weights."""

    strategy: str  # "one-to-one", "one-to-many", "direct", "recursive", "aligned", "seq2seq" or "own"
    patch: int
    skip: int
    loss: str | Callable[..., Any]
    levels: tuple[float, ...]
    series: tuple[str, ...]  # those with a vector
    steps: int  # that the network predicts at once
    bptt: int | None
    n_step_inputs: int = 0  # channels that are known in advance of each step
    network: Callable[..., Any] | None = None  # of the user's

    @property
    def n_features(self) -> int:
        """Channels that a network reads directly: without the state channels, with the vector of the series."""
        return self.n_inputs - N_STATE_CHANNELS + self.embedding

    @property
    def window_rows(self) -> int:
        """Rows that a forecast reads, where it reads a window."""
        return 1 if self.strategy.startswith("one-to-") else self.lookback

    @property
    def needs_spread(self) -> bool:
        """Whether the spread of the H steps is measured from errors of forecasts in training.

        Strategies that feed forecasts back use only the point: their quantiles are trained given the true previous step
        and describe one-step errors. The network is still trained on all quantiles, because it then corrects a random
        walk less than a network trained on the median only (benchmarks/truth.py). Point losses imply no quantiles.
        """
        return self.strategy in FED_BACK or callable(self.loss) or self.loss in POINT_LOSSES


@dataclass(frozen=True)
class ClassifierConfig(StackConfig):
    """A network that chooses between classes."""

    vocabulary: int | None
    n_classes: int


def strategy_of(model: Any) -> str:
    """Return the name of the network that the network of the user's, or topology and strategy, select."""
    if model.network is not None:
        return OWN
    if model.topology.startswith("one"):
        return str(model.topology)
    return str(model.strategy or STRATEGIES[model.topology][0])


def dilations(layers: Any) -> tuple[int, ...]:
    """Return the dilation of each layer; `layers` is a tuple of dilations or the number of layers."""
    return tuple(layers) if isinstance(layers, (tuple, list)) else (1,) * layers


def describing_params(model: Any) -> dict[str, Any]:
    """Return copies of the parameters that describe a fitted network and its forecasts."""
    return clone({name: v for name, v in model.get_params(deep=False).items() if name not in TRAINING_PARAMS})


def check_unchanged(model: Any) -> None:
    """Raise ValueError if a parameter that describes the fitted network has another value than in the fit."""
    for name, fitted in model.fitted_params_.items():
        value = getattr(model, name)
        if not _equal(value, fitted):
            raise ValueError(
                f"this {type(model).__name__} was fitted with {name}={show(fitted)}, and {name} is {show(value)} now: "
                f"fit it again, or set {name} back"
            )


def _equal(a: Any, b: Any) -> bool:
    """Return whether two values of a parameter are equal: functions and classes if they are the same object.

    Opaque objects of one class count as equal.
    """
    if any(inspect.isroutine(value) or isinstance(value, type) for value in (a, b)):
        return a is b
    if hasattr(a, "get_params") and type(a) is type(b):
        return _equal(a.get_params(deep=False), b.get_params(deep=False))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, SEQUENCES) and isinstance(b, SEQUENCES):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(np.all(a == b)) if isinstance(a, SCALARS) or isinstance(b, SCALARS) else type(a) is type(b)


def check_stack(model: Any, chosen: tuple[str, ...] = ()) -> None:
    """Raise TypeError or ValueError if a parameter of the recurrent layers is not valid; those `chosen` may be None."""
    check_choice("cell", model.cell, CELLS)
    check_choice("gate_bias", model.gate_bias, ("one", "chrono"))
    for name in ("bidirectional", "residual"):
        check_choice(name, getattr(model, name), (True, False))
    for name in ("hidden", "lookback"):
        if name not in chosen or getattr(model, name) is not None:
            check_int(name, getattr(model, name), 1)
    check_int("seed", model.seed, 0)
    check_number("dropout", model.dropout, 0.0, below=1.0)
    if isinstance(model.layers, (tuple, list)):
        if not model.layers:
            raise ValueError(
                f"layers must be a number, or the dilation of each layer, such as (1, 7, 28); got {model.layers}"
            )
        for dilation in model.layers:
            check_int("each dilation of layers", dilation, 1)
    else:
        check_int("layers", model.layers, 1)
    if model.residual and len(dilations(model.layers)) == 1:
        raise ValueError("residual=True acts between layers, and there is only one layer: use layers=2 or more")


def check_network(model: Any) -> None:
    """Raise TypeError or ValueError if a parameter of a recurrent forecaster is not valid on its own."""
    check_stack(model, CHOSEN_PARAMS)
    check_choice("topology", model.topology, tuple(STRATEGIES))
    check_choice("strategy", model.strategy, (None, *STRATEGIES[model.topology]))
    check_loss(model.loss)
    for name in ("calendar", "warm_start"):
        check_choice(name, getattr(model, name), (True, False))
    check_choice("scale", model.scale, SCALES)
    for name in ("patch", "skip", "members", "stride"):
        if name not in CHOSEN_PARAMS or getattr(model, name) is not None:
            check_int(name, getattr(model, name), 1)
    if model.season != "auto":
        check_int("season", model.season, 1)
    check_int("embedding", model.embedding, 0)
    check_jobs(model.n_jobs)
    check_fields(model.exog)
    check_weights(model.half_life, model.weight)
    check_fields(model.future, "future")
    check_fields(model.static, "static")


def check_loss(loss: Any) -> None:
    """Raise TypeError or ValueError unless this is the name of a loss or a function."""
    if inspect.isfunction(loss):
        return
    if callable(loss):
        raise TypeError(
            f"loss must be a name or a function of forecast and target; got {show(loss)}: write one that calls it"
        )
    check_choice("loss", loss, LOSSES)


def check_start(model: Any) -> None:
    """Raise ValueError if a recurrent forecaster starts from the pretrained network and describes another one, too."""
    check_choice("start", model.start, (None, "pretrained"))
    if model.start is None:
        return
    others = given_params(model, TUNED_PARAMS)
    if others:
        raise ValueError(
            f"start='pretrained' trains the pretrained network, which has its own layers, inputs and loss: leave out "
            f"{', '.join(others)}, or use start=None"
        )
    if model.trainer is not None and model.trainer.patience is not None:
        raise ValueError(
            "patience validates a network on examples of the newest rows, which start='pretrained' has none of: set "
            "trainer.steps and patience=None, or use start=None"
        )


def given_params(model: Any, aside: tuple[str, ...]) -> list[str]:
    """Return the parameters that are not at their default, those `aside` left out."""
    default, params = (m.get_params(deep=False) for m in (type(model)(), model))
    return [name for name in params if name not in aside and not _equal(params[name], default[name])]


def check_own_network(model: Any) -> None:
    """Raise TypeError or ValueError if a network of the user's is not valid, or if other parameters describe one."""
    if model.network is None:
        return
    if not (inspect.isfunction(model.network) or isinstance(model.network, type)):
        raise TypeError(
            "network must be a class or a function of n_inputs, horizon and n_outputs that returns a torch.nn.Module; "
            f"got {show(model.network)}"
        )
    replaced = [name for name in given_params(model, ()) if name in REPLACED_PARAMS]
    if replaced:
        raise ValueError(
            f"network={show(model.network)} replaces the network that {', '.join(replaced)} "
            f"{'describe' if len(replaced) > 1 else 'describes'}: leave out {', '.join(replaced)}, or use network=None"
        )
    if model.trainer is not None and model.trainer.skip_lr is not None:
        raise ValueError(
            "trainer.skip_lr is the learning rate of the linear shortcut, which a network of your own does not have: "
            "leave it out"
        )


def check_combinations(model: Any) -> None:
    """Raise ValueError if two parameters of a recurrent forecaster exclude each other; the error states the reason."""
    if model.dropout and len(dilations(model.layers)) == 1:
        raise ValueError("dropout acts between layers, and there is only one layer: use layers=2 or dropout=0")
    strategy = strategy_of(model)
    if strategy.startswith("one-to-"):
        _check_one_row(model)
    if model.bidirectional and strategy == "aligned":
        raise ValueError(
            "bidirectional=True with the aligned strategy would read the future: every row emits a forecast, and "
            "the backward direction has read the rows after it. Use topology='many-to-one' or strategy='seq2seq'"
        )
    if strategy == "recursive":
        _check_recursive(model)
    if strategy != "aligned" and model.trainer is not None and model.trainer.bptt is not None:
        raise ValueError(
            "trainer.bptt truncates back-propagation, which only the aligned strategy supports: use it, or bptt=None"
        )
    lookback, patch, skip = model.lookback or 0, model.patch or 1, model.skip or 1  # 0: chosen to fit the others
    if strategy in ("direct", "recursive", "seq2seq") and lookback % patch:
        multiple = -(-lookback // patch) * patch
        raise ValueError(f"lookback={lookback} rows are not a multiple of patch={patch}: use lookback={multiple}")
    if lookback and skip > lookback:
        raise ValueError(f"skip={skip} rows are more than the lookback={lookback} rows that are read")


def _check_recursive(model: Any) -> None:
    if model.base is not None and not model.base.supports_recursive:
        raise ValueError(
            f"a recursive model adds each step to the one before, and {model.base!r} would need to forecast again from "
            "steps that were never observed: use Naive or Drift as its base, or strategy='direct'"
        )
    if model.scale == "fixed":
        raise ValueError(
            "a recursive model measures its scale again after each step that it has forecast: use scale='recent', or "
            "strategy='direct'"
        )
    if model.exog or model.calendar or model.future or model.static:
        raise ValueError(
            "a recursive model reads the rows that it has forecast, for which neither exog nor calendar is available, "
            "and it has no step for future or static inputs: use strategy='direct'"
        )


def _check_one_row(model: Any) -> None:
    reasons = {
        "bidirectional": (model.bidirectional, "one row has no second direction"),
        "patch": ((model.patch or 1) > 1, "there is one row to read, not a patch"),
        "skip": ((model.skip or 1) > 1, "the linear shortcut can read only that row"),
        "layers": (max(dilations(model.layers)) > 1, "a dilation reaches back to rows that are not read"),
    }
    for name, (excluded, reason) in reasons.items():
        if excluded:
            raise ValueError(
                f"{name}={getattr(model, name)!r} cannot be combined with {model.topology}: {reason}. "
                f"Use the default of {name}, or topology='many-to-one'"
            )
