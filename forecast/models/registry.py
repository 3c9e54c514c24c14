"""The one table of models: classes and modules, the names that the command line uses, and descriptions."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast._validation import did_you_mean

if TYPE_CHECKING:
    from forecast.models.base import Forecaster

#: Public classes and their modules.
CLASSES = {
    **dict.fromkeys(("Forecast", "Forecaster"), "forecast.models.base"),
    **dict.fromkeys(
        ("Naive", "Zero", "Drift", "SeasonalNaive", "WindowMean", "MeanReversion"), "forecast.models.naive"
    ),
    "ARIMA": "forecast.models.arima.model",
    "ETS": "forecast.models.smoothing.ets",
    "Theta": "forecast.models.smoothing.theta",
    **dict.fromkeys(("HAR", "GARCH", "EWMA"), "forecast.models.volatility"),
    "Tabular": "forecast.models.tabular",
    "Recurrent": "forecast.models.recurrent.forecaster",
    "RecurrentClassifier": "forecast.models.recurrent.classifier",
    "Pretrained": "forecast.models.recurrent.pretrained.zero_shot",
    "Trainer": "forecast.models.recurrent.trainer",
    "Ensemble": "forecast.models.ensemble",
    "Conformal": "forecast.models.conformal",
    "ColdStart": "forecast.models.cold_start",
    "Tuned": "forecast.models.tuned",
}
#: Public functions and their modules.
FUNCTIONS = {"load_model": "forecast.models.store", "make_model": __name__, "model_names": __name__}
#: Classes that occur only inside a fitted model.
PARTS = {
    "LogChoice": "forecast.models.base",
    "PriceKind": "forecast.models.price_kind",
    "FixedScale": "forecast.models.scale",
    "StaticEncoder": "forecast.features.static_inputs",
    "Smoothing": "forecast.models.smoothing.ets",
    "ThetaFit": "forecast.models.smoothing.theta",
    "SeriesFit": "forecast.models.arima.state_space",
    "Order": "forecast.models.arima.likelihood",
    "SummedRidge": "forecast.models.ridge",
    "RecurrentConfig": "forecast.models.recurrent.config",
    "ClassifierConfig": "forecast.models.recurrent.config",
    **dict.fromkeys(("Facts", "Choices"), "forecast.models.recurrent.defaults"),
}

CELLS = ("rnn", "lstm", "gru")


class Entry(NamedTuple):
    """A model of the registry: its class, the parameters that differ from the defaults, and a description."""

    class_name: str
    params: dict[str, Any]
    description: str


def _recurrent(description: str, suffix: str = "", **params: Any) -> dict[str, Entry]:
    return {f"{cell}{suffix}": Entry("Recurrent", {"cell": cell, **params}, description) for cell in CELLS}


MODELS: dict[str, Entry] = {
    "naive": Entry("Naive", {}, "the last value"),
    "zero": Entry("Zero", {}, "for returns: the value 0"),
    "drift": Entry("Drift", {}, "the last value plus the average change of the training rows"),
    "seasonal-naive": Entry("SeasonalNaive", {}, "the value one season ago, of the season that a test finds"),
    "window-mean": Entry("WindowMean", {}, "the mean of the last rows"),
    "mean-reversion": Entry("MeanReversion", {}, "the last value, reverting to its long-run mean"),
    "ses": Entry("ETS", {"shape": "ANN"}, "simple exponential smoothing"),
    "holt": Entry("ETS", {"shape": "AAN"}, "exponential smoothing with a trend"),
    "damped": Entry("ETS", {"shape": "AAdN"}, "exponential smoothing with a damped trend"),
    "ets": Entry("ETS", {}, "exponential smoothing, its forms weighted by AIC"),
    "theta": Entry("Theta", {}, "the Theta method"),
    "arima": Entry("ARIMA", {}, "ARIMA by exact likelihood, fitted to each series"),
    "auto-arima": Entry("ARIMA", {"order": "auto"}, "ARIMA, its order chosen by AICc"),
    "ridge": Entry("Tabular", {}, "ridge regression on lagged windows"),
    "boosting": Entry("Tabular", {"estimator": "boosting"}, "boosted trees on lagged windows"),
    "pretrained": Entry("Pretrained", {}, "an LSTM trained on simulated series alone; needs no training"),
    "har": Entry("HAR", {}, "for variances: regression on daily, weekly and monthly means"),
    "garch": Entry("GARCH", {}, "for variances: GARCH(1,1)"),
    "ewma": Entry("EWMA", {}, "for variances: exponentially weighted mean"),
    **_recurrent("many-to-many, aligned: a forecast at every row"),
    **_recurrent("many-to-many: encoder and decoder", "-seq2seq", strategy="seq2seq"),
    **_recurrent("many-to-one: all steps from the end of a window", "-many-to-one", topology="many-to-one"),
    **_recurrent("one-to-one: the newest row, no recurrence", "-one-to-one", topology="one-to-one"),
    **_recurrent("one-to-many: the newest row, a recurrent decoder", "-one-to-many", topology="one-to-many"),
    **_recurrent("many-to-one: one step, fed back", "-recursive", topology="many-to-one", strategy="recursive"),
}


def find_class(name: str) -> Any:
    """Return a class of this package by its name; raise KeyError if the registry has none of this name."""
    return getattr(importlib.import_module({**CLASSES, **PARTS}[name]), name)


def model_names() -> list[str]:
    """Return the names of the models of the registry, which the command line uses.

    >>> fc.model_names()[:3]
    ['naive', 'zero', 'drift']
    """
    return list(MODELS)


def make_model(name: str, **params: Any) -> Forecaster:
    """Return a model by its name, such as "lstm" or "arima", with these parameters instead of its defaults.

    >>> fc.make_model("lstm", lookback=30).lookback
    30
    """
    if name not in MODELS:
        raise ValueError(f"there is no model {name!r}{did_you_mean(name, MODELS)}; `forecast models` lists them")
    entry = MODELS[name]
    model = find_class(entry.class_name)(**entry.params)
    for parameter, value in params.items():
        set_parameter(model, parameter, value, name)
    return model


def set_parameter(model: Any, path: str, value: Any, name: str) -> None:
    """Set a parameter by its path ("lookback", "trainer.lr"); raise ValueError with the valid names if there is none.

    `name` is the model's name in the error.
    """
    first, _, rest = path.partition(".")
    params = model.get_params(deep=False)
    if first not in params:
        raise ValueError(
            f"{name} has no parameter {first!r}{did_you_mean(first, params)}; it has {', '.join(params) or 'none'}"
        )
    if not rest:
        model.set_params(**{first: value})
        return
    inner = params[first]
    if not hasattr(inner, "get_params") and hasattr(model, f"default_{first}"):  # the parameter is None, or a name
        inner = getattr(model, f"default_{first}")()
        model.set_params(**{first: inner})
    if not hasattr(inner, "get_params"):
        raise ValueError(f"{name}.{first} is {inner!r} and has no parameters of its own; set {name}.{first} itself")
    set_parameter(inner, rest, value, f"{name}.{first}")


def set_season(model: Any, m: int) -> bool:
    """Set the rows in a season of a model that has one, and return whether it has.

    An ARIMA has a season where its order is selected, exponential smoothing of a given shape where the shape has one.
    """
    params = model.get_params(deep=False)
    has_m = "m" in params and not str(params.get("shape", "auto")).endswith("N")
    if has_m:
        model.set_params(m=m)
    has_season = "season" in params
    if has_season:
        model.set_params(season=m)
    is_selected = params.get("order") == "auto"
    if is_selected:
        model.set_params(seasonal_order=m)
    return has_m or has_season or is_selected


def lacks_season(model: Any) -> bool:
    """Return whether a model has a season that `set_season` would set, and none is set or looked for."""
    params = model.get_params(deep=False)
    has_m = params.get("m") == 1 and not str(params.get("shape", "auto")).endswith("N")
    is_selected = params.get("order") == "auto" and params["seasonal_order"] is None
    return has_m or params.get("season") == 1 or is_selected


def parse_value(text: str) -> Any:
    """Return the value of a Python literal (3, 3e-4, (1, 1, 1)) or of true, false and none; other text unchanged."""
    import ast

    constants = {"true": True, "false": False, "none": None}
    if text.strip().lower() in constants:
        return constants[text.strip().lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
