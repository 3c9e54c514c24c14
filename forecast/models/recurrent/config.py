"""The matrix of topologies, cells and directions: what each name stands for, and which pairs cannot be."""

from __future__ import annotations

from typing import Any

from forecast._validation import check_choice, check_fields, check_int, check_jobs, check_number
from forecast.models.recurrent.losses import LOSSES

#: What goes in and what comes out, and how H steps come about; the first strategy is the default.
STRATEGIES = {
    "one-to-one": ("direct",),
    "one-to-many": ("decoder",),
    "many-to-one": ("direct", "recursive"),
    "many-to-many": ("aligned", "seq2seq"),
}


def strategy_of(model: Any) -> str:
    """Name the one network that topology and strategy together stand for."""
    if model.topology.startswith("one"):
        return str(model.topology)
    return str(model.strategy or STRATEGIES[model.topology][0])


def dilations(layers: Any) -> tuple[int, ...]:
    """Give the dilation of each layer: `layers` is their number, or these themselves."""
    return tuple(layers) if isinstance(layers, (tuple, list)) else (1,) * layers


def check_network(model: Any) -> None:
    """Raise TypeError or ValueError if a parameter of a recurrent model cannot be used, whatever the others are."""
    check_choice("cell", model.cell, ("rnn", "lstm", "gru"))
    check_choice("topology", model.topology, tuple(STRATEGIES))
    check_choice("strategy", model.strategy, (None, *STRATEGIES[model.topology]))
    check_choice("gate_bias", model.gate_bias, ("one", "chrono"))
    check_choice("loss", model.loss, LOSSES)
    for name in ("bidirectional", "residual", "calendar", "warm_start"):
        check_choice(name, getattr(model, name), (True, False))
    for name in ("lookback", "patch", "hidden", "skip", "members"):
        check_int(name, getattr(model, name), 1)
    for name in ("seed", "embedding"):
        check_int(name, getattr(model, name), 0)
    check_number("dropout", model.dropout, 0.0, below=1.0)
    check_jobs(model.n_jobs)
    check_fields(model.exog)


def check_pairs(model: Any) -> None:
    """Raise if two parameters of a recurrent model cannot go together; the error says why."""
    check_layers(model.layers, model.residual)
    if model.dropout and len(dilations(model.layers)) == 1:
        raise ValueError("dropout works between layers, and there is one: use layers=2 or dropout=0")
    strategy = strategy_of(model)
    if strategy.startswith("one-to-"):
        _check_one_row(model)
    if model.bidirectional and strategy == "aligned":
        raise ValueError(
            "bidirectional=True with the aligned strategy would read the future: every row emits a forecast, and "
            "the backward direction has seen the rows after it. Use topology='many-to-one' or strategy='seq2seq'"
        )
    base = model.base
    if strategy == "recursive" and base is not None and not getattr(base, "supports_recursive", False):
        raise ValueError(
            f"a recursive model moves each step on from the one before, and {base!r} would have to forecast anew from "
            "steps that never happened: use Naive or Drift as its base, or strategy='direct'"
        )
    if strategy != "aligned" and model.trainer is not None and model.trainer.bptt is not None:
        raise ValueError("trainer.bptt cuts long sequences; a window is read whole. Use the aligned strategy")
    if strategy == "recursive" and (model.exog or model.calendar):
        raise ValueError(
            "a recursive model reads each row that it has forecast, and of those rows neither exog nor calendar is "
            "known: a step is the next trading row, whenever it comes. Use strategy='direct'"
        )
    if strategy in ("direct", "recursive", "seq2seq") and model.lookback % model.patch:
        whole = -(-model.lookback // model.patch) * model.patch
        raise ValueError(f"lookback={model.lookback} rows are not whole patches of {model.patch}: use lookback={whole}")
    if model.skip > model.lookback:
        raise ValueError(f"skip={model.skip} rows are more than the lookback={model.lookback} that is read")


def check_layers(layers: Any, residual: bool) -> None:
    """Raise unless `layers` is a number of layers, or the dilation of each."""
    if isinstance(layers, (tuple, list)):
        if not layers:
            raise ValueError("layers must be a number, or the dilation of each layer, such as (1, 7, 28); got none")
        for dilation in layers:
            check_int("each dilation of layers", dilation, 1)
    else:
        check_int("layers", layers, 1)
    if residual and (layers == 1 or (isinstance(layers, (tuple, list)) and len(layers) == 1)):
        raise ValueError("residual=True adds a layer to the one below, and there is one: use layers=2 or more")


def _check_one_row(model: Any) -> None:
    reasons = {
        "bidirectional": (model.bidirectional, "one row has no second direction"),
        "patch": (model.patch > 1, "there is one row to read, not a patch"),
        "skip": (model.skip > 1, "the linear path has one row to read, too"),
        "layers": (max(dilations(model.layers)) > 1, "a dilation reaches back to rows that are not read"),
    }
    for name, (wrong, reason) in reasons.items():
        if wrong:
            raise ValueError(
                f"{name}={getattr(model, name)!r} cannot go with {model.topology}: {reason}. "
                f"Leave {name} out, or use topology='many-to-one'"
            )
