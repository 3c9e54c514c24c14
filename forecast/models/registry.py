"""The names under which the command line knows the models, and their parameters from text."""

from __future__ import annotations

import ast
import difflib
import importlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from forecast.models.base import Forecaster

CELLS = ("rnn", "lstm", "gru")


class Entry(NamedTuple):
    """A model of the registry: its class, the module that holds it, what differs from its defaults, what it is."""

    class_name: str
    module: str
    params: dict[str, Any]
    what: str


def _recurrent(what: str, **params: Any) -> dict[str, Entry]:
    suffix = params.pop("suffix", "")
    return {f"{cell}{suffix}": Entry("Recurrent", "recurrent", {"cell": cell, **params}, what) for cell in CELLS}


MODELS: dict[str, Entry] = {
    "naive": Entry("Naive", "naive", {}, "the last price"),
    "drift": Entry("Drift", "naive", {}, "the last price, moved on by the average change"),
    "seasonal-naive": Entry("SeasonalNaive", "naive", {}, "the price one season ago"),
    "window-mean": Entry("WindowMean", "naive", {}, "the mean of the last rows"),
    "mean-reversion": Entry("MeanReversion", "naive", {}, "the last price, drawn to its long mean"),
    "ses": Entry("ETS", "smoothing", {"shape": "ANN"}, "simple exponential smoothing"),
    "holt": Entry("ETS", "smoothing", {"shape": "AAN"}, "exponential smoothing with a trend"),
    "damped": Entry("ETS", "smoothing", {"shape": "AAdN"}, "exponential smoothing with a trend that fades"),
    "ets": Entry("ETS", "smoothing", {}, "exponential smoothing whose shape is chosen by AICc"),
    "theta": Entry("Theta", "smoothing", {}, "the Theta method"),
    "arima": Entry("ARIMA", "arima", {}, "ARIMA by exact likelihood, fitted to each series"),
    "auto-arima": Entry("ARIMA", "arima", {"order": "auto"}, "ARIMA whose order is chosen by AICc"),
    "ridge": Entry("Tabular", "tabular", {}, "ridge regression on lagged windows"),
    "boosting": Entry("Tabular", "tabular", {"estimator": "boosting"}, "boosted trees on lagged windows"),
    "har": Entry("HAR", "volatility", {}, "of variances: regression on daily, weekly and monthly means"),
    "garch": Entry("GARCH", "volatility", {}, "of variances: GARCH(1,1)"),
    "ewma": Entry("EWMA", "volatility", {}, "of variances: exponentially weighted mean"),
    **_recurrent("many-to-many, aligned: a forecast at every row"),
    **_recurrent("many-to-many: encoder and decoder", suffix="-seq2seq", strategy="seq2seq"),
    **_recurrent("many-to-one: all steps at a window's end", suffix="-many-to-one", topology="many-to-one"),
    **_recurrent("one-to-one: the newest row, no recurrence", suffix="-one-to-one", topology="one-to-one"),
    **_recurrent("one-to-many: the newest row, a recurrent decoder", suffix="-one-to-many", topology="one-to-many"),
    **_recurrent("many-to-one: one step, fed back", suffix="-recursive", topology="many-to-one", strategy="recursive"),
}


def model_names() -> list[str]:
    """List the models that the command line knows by name.

    >>> fc.model_names()[:3]
    ['naive', 'drift', 'seasonal-naive']
    """
    return list(MODELS)


def make_model(name: str, **params: Any) -> Forecaster:
    """Make a model by its name, such as "lstm" or "arima", with other parameters than its defaults if given.

    >>> fc.make_model("lstm", lookback=30).lookback
    30
    """
    if name not in MODELS:
        raise ValueError(f"there is no model {name!r}{did_you_mean(name, MODELS)}; `forecast models` lists them")
    entry = MODELS[name]
    model = getattr(importlib.import_module(f"forecast.models.{entry.module}"), entry.class_name)(**entry.params)
    for parameter, value in params.items():
        set_parameter(model, parameter, value, name)
    return model


def set_parameter(model: Any, path: str, value: Any, name: str) -> None:
    """Set a parameter by its path ("lookback", "trainer.lr"); one that does not exist is named, with those that do."""
    first, _, rest = path.partition(".")
    known = model.get_params(deep=False)
    if first not in known:
        raise ValueError(
            f"{name} has no parameter {first!r}{did_you_mean(first, known)}; it has {', '.join(known) or 'none'}"
        )
    if not rest:
        model.set_params(**{first: value})
        return
    inner = known[first]
    if not hasattr(inner, "get_params") and hasattr(model, f"default_{first}"):  # None, or a name
        inner = getattr(model, f"default_{first}")()
        model.set_params(**{first: inner})
    if not hasattr(inner, "get_params"):
        raise ValueError(f"{name}.{first} is {inner!r} and has no parameters of its own; set {name}.{first} itself")
    set_parameter(inner, rest, value, f"{name}.{first}")


def parse_value(text: str) -> Any:
    """Read a parameter's value as Python writes it (3, 3e-4, (1, 1, 1), true); anything else is a word."""
    words = {"true": True, "false": False, "none": None}
    if text.strip().lower() in words:
        return words[text.strip().lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Point to the nearest known word, if there is one."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""
