"""The contract of every model: fit on a panel, forecast from a cutoff, know nothing of what comes after it."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from forecast._estimator import Estimator, check_fitted, clone
from forecast._validation import check_choice, check_int, check_levels, check_log
from forecast.data.panel import Panel, as_panel, format_date

LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Forecast:
    """What a model expects at K cutoffs, for N series, H steps ahead, in prices.

    `point` (K, N, H) is the median; `quantiles` (K, N, H, Q) belong to `levels`; `members` (S, K, N, H) are the points
    of each member of an ensemble. A series that cannot be forecast (never observed, or too short in training) is NaN.
    `cutoffs` holds the labels of the last row that each forecast knows.

    >>> prices = np.array([1.0, 2.0, 4.0, 3.0])
    >>> fc.Naive().fit(prices, horizon=1).predict(prices).to_frame()["y_hat"].tolist()
    [3.0]
    """

    point: np.ndarray
    quantiles: np.ndarray | None
    levels: tuple[float, ...]
    series: tuple[str, ...]
    cutoffs: pd.Index
    members: np.ndarray | None = None

    def to_frame(self) -> pd.DataFrame:
        """Give the long, dated table: unique_id, cutoff, step, y_hat and a column for each quantile."""
        k, n, h = self.point.shape
        columns: dict[str, Any] = {
            "unique_id": np.tile(np.repeat(np.array(self.series, dtype=object), h), k),
            "cutoff": np.repeat(self.cutoffs.to_numpy(), n * h),
            "step": np.tile(np.arange(1, h + 1), k * n),
            "y_hat": self.point.ravel(),
        }
        if self.quantiles is not None:
            flat = self.quantiles.reshape(k * n * h, len(self.levels))
            columns |= {quantile_column(level): flat[:, i] for i, level in enumerate(self.levels)}
        return pd.DataFrame(columns)


def combine_forecasts(forecasts: Sequence[Forecast], how: Callable[..., np.ndarray]) -> Forecast:
    """Combine points, and quantiles level by level, by the mean or the median; each part's points are its members.

    Averaging quantiles rather than probabilities keeps the shape of a spread that the parts agree on (Lichtendahl,
    Grushka-Cockayne and Winkler, 2013).
    """
    points = np.stack([forecast.point for forecast in forecasts])  # (S, K, N, H)
    quantiles = [forecast.quantiles for forecast in forecasts if forecast.quantiles is not None]
    all_know = len(quantiles) == len(forecasts)  # of some alone they would be about another point
    return replace(
        forecasts[0],
        point=how(points, axis=0),
        quantiles=how(np.stack(quantiles), axis=0) if all_know else None,
        members=points,
    )


def with_levels(model: Forecaster, levels: Sequence[float]) -> Forecaster:
    """Give a clone that gives its quantiles at these levels, if it gives any."""
    made = clone(model)
    return made.set_params(levels=tuple(levels)) if "levels" in made.get_params(deep=False) else made


def quantile_column(level: float) -> str:
    """Return the name of a quantile's column: 0.1 is q0.1, and 0.00001 is q0.00001."""
    return f"q{np.format_float_positional(level, trim='-')}"


def quantile_columns(names: Iterable[str]) -> dict[float, str]:
    """Return the quantile columns ("q0.1", …) among the names of a table's columns, by level in increasing order.

    >>> quantile_columns(["y_hat", "q0.9", "q0.1"])
    {0.1: 'q0.1', 0.9: 'q0.9'}
    """
    return dict(sorted((float(name[1:]), name) for name in names if re.fullmatch(r"q0\.\d+", name)))


class ShortSeriesWarning(UserWarning):
    """Some series of a panel were too short to be fitted."""


class UnseenStepWarning(UserWarning):
    """Some series of a panel never shows an error at some step, and has no interval there."""


class Forecaster(Estimator):
    """A model that learns from the past of many series and forecasts their next `horizon` rows.

    The contract is scikit-learn's (`get_params`, `set_params`, `clone`; a constructor only stores). The public methods
    are doors that check their input. A subclass writes `_fit(panel, horizon)` and one of `_predict(panel)` (from the
    last row) and `_predict_at(panel, rows)` (many cutoffs in one pass); each is by default made of the other.
    """

    #: Whether the forecast is the last value at every step.
    is_naive = False

    @property
    def nests_naive(self) -> bool:
        """Whether the last value follows from some values of what it learns."""
        return False

    def fit(self, prices: Any, horizon: int) -> Self:
        """Learn from all the rows given, in order to forecast `horizon` rows ahead.

        Raises ValueError if no series has `min_rows(horizon)` observed rows; series that are too short are named in a
        warning, and forecast as NaN by models that need parameters of their own for each series.
        """
        check_int("horizon", horizon, 1)
        self.check_params()
        panel = as_panel(prices, exog=self.required_fields())
        needed = self.min_rows(horizon)
        seen = panel.observed.sum(axis=0)  # (N,)
        if (seen < needed).all():
            raise ValueError(
                f"{type(self).__name__} needs at least {needed} observed rows of a series to be fitted for "
                f"horizon={horizon}; the longest has {seen.max(initial=0)}. Bring more history or ask for less."
            )
        short = [name for name, rows in zip(panel.series, seen, strict=True) if rows < needed]
        if short:
            said = f"too short to be fitted, with fewer than {needed} observed rows: {', '.join(short)}"
            warnings.warn(said, ShortSeriesWarning, stacklevel=2)
        before = dict(vars(self))
        try:
            self.horizon_ = horizon
            self.series_ = panel.series
            self.target_ = panel.channels[0]  # what is forecast: a price, a return …
            self.record_: dict[str, Any] = {}  # what a reader of the fit wants to know; one row of `fits`
            self._fit(panel, horizon)
        except BaseException:
            self.__dict__ = before  # as if it had not been tried
            raise
        return self

    def predict(self, prices: Any) -> Forecast:
        """Forecast from the last row of the prices; the model stays as it is."""
        check_fitted(self, "horizon_")
        panel = as_panel(prices, exog=self.required_fields())
        return self._predict(panel)

    def predict_at(self, prices: Any, cutoffs: Sequence[int]) -> Forecast:
        """Forecast from each of these rows (0 is the first), as if nothing after it had been there."""
        check_fitted(self, "horizon_")
        panel = as_panel(prices, exog=self.required_fields())
        rows = check_rows(cutoffs, len(panel))
        return self._predict_at(panel[: int(rows.max()) + 1], rows)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the fitted model into a folder, from which `forecast.load_model` reads it without running any code."""
        from forecast.models.store import save_model

        check_fitted(self, "horizon_")
        save_model(self, os.fspath(folder))

    def _state(self) -> dict[str, Any]:
        """Give what fitting has found, as values and arrays."""
        return {name: value for name, value in vars(self).items() if name.endswith("_")}

    def _restore(self, state: dict[str, Any]) -> None:
        """Take what another model of these parameters has found."""
        self.__dict__.update(state)

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter cannot be used."""
        check_levels(getattr(self, "levels", LEVELS))
        check_log(getattr(self, "log", "auto"))
        check_choice("point", getattr(self, "point", "median"), ("median", "mean"))

    def min_rows(self, horizon: int) -> int:
        """Say how many observed training rows a series needs."""
        return horizon + 2

    def required_fields(self) -> tuple[str, ...]:
        """Name the fields that are read beside the target."""
        return ()

    def parts(self) -> list[Forecaster]:
        """Give the models whose forecasts `combine` makes this one's of, each to be fitted and asked on its own."""
        return [self]

    def combine(self, forecasts: Sequence[Forecast]) -> Forecast:
        """Make this model's forecast of those of its parts, in their order."""
        return forecasts[0]

    def same_as(self, other: Forecaster) -> bool:
        """Whether it is of the same kind with the same parameters, whatever quantiles either gives."""

        def settings(model: Forecaster) -> dict[str, str]:
            return {name: repr(value) for name, value in model.get_params().items() if name != "levels"}

        return type(self) is type(other) and settings(self) == settings(other)

    def nests(self, other: Forecaster) -> bool:
        """Whether with some values of what it learns it would say what `other` says: what Clark-West asks for."""
        return self.nests_naive and other.is_naive

    def _fit(self, panel: Panel, horizon: int) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define _fit(panel, horizon)")

    def _predict(self, panel: Panel) -> Forecast:
        if type(self)._predict_at is Forecaster._predict_at:
            raise NotImplementedError(f"{type(self).__name__} must define _predict(panel) or _predict_at(panel, rows)")
        return self._predict_at(panel, np.array([len(panel) - 1]))

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        each = [self._predict(panel[: int(row) + 1]) for row in rows]
        first = each[0]
        return Forecast(
            point=np.concatenate([f.point for f in each]),
            quantiles=None if first.quantiles is None else np.concatenate([_given(f.quantiles) for f in each]),
            levels=first.levels,
            series=first.series,
            cutoffs=panel.index[rows],
            members=None if first.members is None else np.concatenate([_given(f.members) for f in each], axis=1),
        )

    def _predict_point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        """Give the point forecasts alone, (K, N, H); a model without parameters knows them of unseen series too."""
        return self._predict_at(panel, rows).point

    def _fitted_columns(self, panel: Panel) -> np.ndarray:
        """Find the panel's series among those of the fit, (N,); for models with parameters of their own per series."""
        known = {name: i for i, name in enumerate(self.series_)}
        unknown = [name for name in panel.series if name not in known]
        if unknown:
            raise ValueError(f"{type(self).__name__} was not fitted on {', '.join(unknown)}: fit it on all the series")
        return np.array([known[name] for name in panel.series])


def _given(array: np.ndarray | None) -> np.ndarray:
    assert array is not None
    return array


class Summary(str):
    """Text that shows itself as it is, also at the end of a notebook's cell."""

    def __repr__(self) -> str:
        return str(self)


def summary_of(layers: Sequence[tuple[str, str, int]], title: str) -> Summary:
    """Lay out a network's layers: name and kind, output shape, weights."""
    table = pd.DataFrame(layers, columns=["layer", "output shape", "parameters"])
    total = int(table["parameters"].sum())
    lines = table.assign(parameters=table["parameters"].map("{:,}".format)).to_string(index=False).split("\n")
    return Summary("\n".join([title, *lines, f"{total:,} parameters; B is the number of examples read at once"]))


def check_rows(cutoffs: Any, n: int) -> np.ndarray:
    """Give cutoffs as row numbers, (K,); raises unless they are whole numbers of rows that are there."""
    rows = np.asarray(cutoffs)
    whole = rows.ndim == 1 and len(rows) > 0 and rows.dtype.kind in "iu"
    if not whole or rows.min() < 0 or rows.max() >= n:
        raise ValueError(f"cutoffs must be rows between 0 and {n - 1} (0 is the first); got {cutoffs!r}")
    return rows.astype(np.int64)


def choose_log(log: bool | str, panel: Panel) -> bool:
    """Work in logs? "auto": if every value of the training rows is positive."""
    if log == "auto":
        return bool((panel.target[panel.observed] > 0).all())
    return bool(log)


def transform(panel: Panel, log: bool) -> np.ndarray:
    """Give the target, in logs where the model works in logs, (T, N); a value without a logarithm is named."""
    if not log:
        return panel.target
    bad = panel.observed & ~(np.where(panel.observed, panel.target, 1.0) > 0)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"{panel.series[column]} is {panel.target[row, column]:g} at {format_date(panel.index[row])}: a model in logs "
            "needs values above 0. Use log=False, or fit it on rows that hold such values."
        )
    return np.log(panel.target)


def apply_change(price: np.ndarray, change: np.ndarray, log: bool) -> np.ndarray:
    """Move prices by changes (in logs: by growth); a change of 0 gives the price itself, to the last bit."""
    return price * np.exp(change) if log else price + change


def error_quantiles(errors: np.ndarray, levels: Sequence[float], series: Sequence[str]) -> np.ndarray:
    """Take quantiles of each series' errors at each step from errors (T, N, H) with NaN, (N, H, Q).

    Where a series never shows an error at some step its quantiles are NaN, which a warning says.
    """
    known = np.asarray(~np.isnan(errors).all(axis=0))  # (N, H)
    for n in np.flatnonzero(known.any(axis=1) & ~known.all(axis=1)):
        step = int(np.argmin(known[n])) + 1
        warnings.warn(unknown_error_message(step, f"no row of {series[int(n)]}"), UnseenStepWarning, stacklevel=2)
    found = np.full((*known.shape, len(levels)), np.nan)  # (N, H, Q)
    for step in range(known.shape[1]):
        each = np.ascontiguousarray(errors[:, :, step].T)  # (N, T)
        shown = ~np.isnan(each)
        count = shown.sum(axis=1)
        for rows in np.unique(count[count > 0]):  # series with as many go together: one call for them all
            alike = count == rows
            together = each[alike][shown[alike]].reshape(-1, rows)
            found[alike, step] = np.quantile(together, levels, axis=1).T
    return found


def unknown_error_message(step: int, whose: str) -> str:
    """Say why there is no interval for a step."""
    return (
        f"{whose} is ever observed {step} rows after an observed row, so the errors of step {step} are not known: "
        "leave out the rows on which nothing trades"
    )
