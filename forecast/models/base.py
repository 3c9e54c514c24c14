"""The interface of all models: fit on a panel, then forecast from a cutoff with nothing but the rows up to it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from forecast._estimator import Estimator, check_fitted, clone
from forecast._text import list_names
from forecast._validation import check_choice, check_int, check_levels, check_log
from forecast._warnings import warn
from forecast.data.fields import named_field
from forecast.data.panel import Panel, Prices, as_panel, format_date, with_future
from forecast.data.static import select_static
from forecast.features.windows import forward_fill, future_windows
from forecast.models.forecast_table import MAX_LINES, dates_of_steps, describe, short_table
from forecast.models.price_kind import PriceKind
from forecast.models.sampling import sample_paths

LEVELS = (0.1, 0.5, 0.9)


@dataclass(frozen=True, repr=False)
class Forecast:
    """Forecasts of N series at K cutoffs, 1 to H steps ahead, on the scale of the prices.

    A series that cannot be forecast (never observed, or too short in training) is NaN. `print` shows the table that
    `to_frame` returns, with the outer quantiles.

    Parameters
    ----------
    point : array of shape (K, N, H)
        The median; with `point="mean"` the mean.
    quantiles : array of shape (K, N, H, Q), or None
        The quantiles at `levels`; None if the model has none.
    levels : tuple of float
        The Q quantile levels.
    series : tuple of str
        The N names of the series.
    cutoffs : pandas.Index
        The labels of the last row that each of the K forecasts uses.
    members : array of shape (S, K, N, H), optional
        The point forecasts of each member of an ensemble.
    index : pandas.Index, optional
        The labels of the rows up to the last cutoff, and of later ones where they are known. The other rows that are
        forecast have the dates that `next_dates` returns. Without it a forecast has no dates.

    Examples
    --------
    >>> prices = np.array([1.0, 2.0, 4.0, 3.0])
    >>> fc.Naive().fit(prices, horizon=1).predict(prices).to_frame()["y_hat"].tolist()
    [3.0]
    >>> prices = fc.load_sample("stocks")["AAPL"]
    >>> print(fc.Naive().fit(prices, horizon=2).predict(prices))
    Forecast of 1 series, the next 2 rows from 2013-03-01
    unique_id         ds   y_hat    q0.1    q0.9
         AAPL 2013-03-04 56.1374 54.5877 57.8735
         AAPL 2013-03-05 56.1374 53.9574 58.6418
    """

    point: np.ndarray
    quantiles: np.ndarray | None
    levels: tuple[float, ...]
    series: tuple[str, ...]
    cutoffs: pd.Index
    members: np.ndarray | None = None
    index: pd.Index | None = None

    def to_frame(self) -> pd.DataFrame:
        """Return a long table: unique_id, cutoff, step, ds (the date of the step), y_hat, a column for each quantile.

        The dates of rows that are not known yet are those of `next_dates`.
        """
        k, n, h = self.point.shape
        columns: dict[str, Any] = {
            "unique_id": np.tile(np.repeat(np.array(self.series, dtype=object), h), k),
            "cutoff": self.cutoffs.repeat(n * h),
            "step": np.tile(np.arange(1, h + 1), k * n),
        }
        if self.index is not None:
            dates = dates_of_steps(self.index, self.cutoffs, h)
            columns["ds"] = dates[np.tile(np.arange(k * h).reshape(k, 1, h), (1, n, 1)).ravel()]
        columns["y_hat"] = self.point.ravel()
        if self.quantiles is not None:
            flat = self.quantiles.reshape(k * n * h, len(self.levels))
            columns |= {quantile_column(level): flat[:, i] for i, level in enumerate(self.levels)}
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        return describe(self.to_frame(), self.levels)

    def _repr_html_(self) -> str:
        return short_table(self.to_frame(), self.levels).to_html(index=False, max_rows=MAX_LINES, float_format="%.6g")


def combine_forecasts(forecasts: Sequence[Forecast], how: Callable[..., np.ndarray]) -> Forecast:
    """Combine points, and quantiles level by level, by the mean or the median; each forecast's points are a member.

    Averaging quantiles rather than probabilities keeps the shape of the distribution where the forecasts agree on it
    (Lichtendahl, Grushka-Cockayne and Winkler, 2013). If one forecast has no quantiles, the combination has none:
    quantiles of a subset would not match the combined point.
    """
    points = np.stack([forecast.point for forecast in forecasts])  # (S, K, N, H)
    quantiles = [forecast.quantiles for forecast in forecasts if forecast.quantiles is not None]
    complete = len(quantiles) == len(forecasts)
    combined = how(np.stack(quantiles), axis=0) if complete else None
    return replace(forecasts[0], point=how(points, axis=0), quantiles=combined, members=points)


def with_levels(model: Forecaster, levels: Sequence[float]) -> Forecaster:
    """Return a clone with these quantile levels, if the model has that parameter."""
    copy = clone(model)
    return copy.set_params(levels=tuple(levels)) if "levels" in copy.get_params(deep=False) else copy


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
    """A series has no error at some step of the training rows, so it has no interval at that step."""


class Forecaster(Estimator):
    """A model that is fitted on the past of many series and forecasts their next `horizon` rows.

    It follows scikit-learn's contract: `get_params`, `set_params`, `clone`, and a constructor that only stores its
    arguments. The public methods validate their input. A subclass defines `_fit(panel, horizon)` and one of
    `_predict(panel)` (from the last row) and `_predict_at(panel, rows)` (many cutoffs in one pass); the one not defined
    is derived from the other.
    """

    # --- what a backtest and other models need to know of a model ---

    #: Whether the forecast is the last observed value at every step.
    is_naive: bool = False
    #: Whether the forecast of a step depends on the past only through the value of the step before, so that a network
    #: may correct it step by step.
    supports_recursive: bool = False

    @property
    def nests_naive(self) -> bool:
        """Whether the model is the naive forecast for some values of its fitted parameters."""
        return False

    @property
    def in_sample_is_valid(self) -> bool:
        """Whether forecasts of training rows are as accurate as forecasts of later rows."""
        return False

    def required_fields(self) -> tuple[str, ...]:
        """Return the names of the fields that are read in addition to the target."""
        return ()

    def future_fields(self) -> tuple[str, ...]:
        """Return the names of the required fields of which the rows that are forecast are read, too."""
        return ()

    def static_fields(self) -> tuple[str, ...]:
        """Return the names of the static inputs that are read."""
        return ()

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs."""
        return horizon + 2

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter is not valid."""
        check_levels(getattr(self, "levels", LEVELS))
        check_log(getattr(self, "log", "auto"))
        check_choice("point", getattr(self, "point", "median"), ("median", "mean"))

    def parts(self) -> list[Forecaster]:
        """Return the models that are fitted separately, and whose forecasts `combine` turns into this model's."""
        return [self]

    def combine(self, forecasts: Sequence[Forecast]) -> Forecast:
        """Return this model's forecast, from those of its parts in their order."""
        return forecasts[0]

    def enable_warm_start(self) -> bool:
        """Let each fit continue from the one before; return False if the model cannot."""
        can_continue = "warm_start" in self.get_params(deep=False)
        if can_continue:
            self.set_params(warm_start=True)
        return can_continue

    def same_as(self, other: Forecaster) -> bool:
        """Return whether both models have the same class and parameters, quantile levels aside."""

        def settings(model: Forecaster) -> dict[str, str]:
            return {name: repr(value) for name, value in model.get_params().items() if name != "levels"}

        return type(self) is type(other) and settings(self) == settings(other)

    def nests(self, other: Forecaster) -> bool:
        """Return whether `other` is a special case of this model (nested), for Clark and West's test."""
        return self.nests_naive and other.is_naive

    # --- fitting and forecasting ---

    def fit(self, prices: Prices, horizon: int) -> Self:
        """Fit the model to all rows of the prices, to forecast `horizon` rows ahead.

        Series that are too short are named in a warning; models with parameters for each series forecast them as NaN.
        A fit that fails leaves the model unchanged. Raises ValueError if no series has `min_rows(horizon)` observed
        rows, or a parameter is not valid.
        """
        panel = self._read_for_fit(prices, horizon)
        with self._fit_of(panel, horizon):
            self._fit(panel, horizon)
        return self

    def _read_for_fit(self, prices: Prices, horizon: int) -> Panel:
        """Return the prices of a fit as a panel; raise ValueError if they or a parameter are not valid."""
        check_int("horizon", horizon, 1)
        self.check_params()
        panel = as_panel(prices, exog=self.required_fields(), future=self.future_fields())
        self.check_static(panel)
        panel = panel.known_until(len(panel))  # of later rows nothing is read, also where it is known
        self._check_lengths(panel, horizon)
        return panel

    @contextmanager
    def _fit_of(self, panel: Panel, horizon: int) -> Iterator[None]:
        """Set what every fit sets; if the block does not end, the model is as it was."""
        before = dict(vars(self))
        try:
            self.horizon_ = horizon
            self.series_ = panel.series
            self.prices_ = PriceKind.of(panel)
            self.record_: dict[str, Any] = {}  # summary of the fit; JSON in the column `details` of a backtest's `fits`
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def check_static(self, panel: Panel) -> None:
        """Raise ValueError unless the panel has the static inputs that are read."""
        if names := self.static_fields():
            select_static(panel.static, names)

    def _check_lengths(self, panel: Panel, horizon: int) -> None:
        """Raise ValueError if every series is too short to be fitted; if only some are, warn and name them."""
        needed = self.min_rows(horizon)
        observed = panel.count_observed()  # (N,)
        if (observed < needed).all():
            raise ValueError(
                f"{type(self).__name__} needs at least {needed} observed rows of a series to be fitted for "
                f"horizon={horizon}; the longest has {observed.max(initial=0)}. Use more history or a shorter horizon."
            )
        if short := [name for name, rows in zip(panel.series, observed, strict=True) if rows < needed]:
            message = f"too short to be fitted, with fewer than {needed} observed rows: {list_names(short)}"
            warn(message, ShortSeriesWarning)

    def predict(self, prices: Prices, future: pd.DataFrame | None = None) -> Forecast:
        """Forecast from the last row of the prices; the fitted model is not changed.

        `future` has the rows after the last price of the inputs that `future_fields` names, as columns, where the
        prices do not contain them; other rows and columns are not read. Raises ValueError for prices of another kind
        than the fitted ones (volumes in place of prices, hours of days), and if a future input is missing.
        """
        panel = self._read_to_predict(prices, future)
        return _dated(self._predict(panel), panel)

    def predict_scenarios(self, prices: Prices, futures: Mapping[str, pd.DataFrame]) -> dict[str, Forecast]:
        """Forecast from the last row of the prices under several futures by name, each as `future` of `predict`."""
        if not isinstance(futures, Mapping) or not futures:
            raise TypeError(f"futures must map names to tables, such as {{'windy': table}}; got {type(futures)}")
        panel = self._read(prices)
        return {name: self.predict(panel, future) for name, future in futures.items()}

    def predict_at(self, prices: Prices, cutoffs: Sequence[int] | np.ndarray) -> Forecast:
        """Forecast from each of these rows (0 is the first), using no row after it.

        Of the inputs that `future_fields` names, the rows that are forecast are read as well.
        """
        panel = self._read(prices)
        rows = check_rows(cutoffs, len(panel))
        panel = self._known(panel[: int(rows.max()) + 1], rows)
        return _dated(self._predict_at(panel, rows), panel)

    def score(self, prices: Prices) -> float:
        """Return how much better the forecasts of these prices are than the last value, for scikit-learn's searches.

        It is 1 for perfect forecasts and 0 for the last value: 1 minus the squared errors relative to those of the last
        value (geometric mean over series), from every row with `horizon` later ones. Where these prices have too few
        rows for a forecast, the last value counts. Raises ValueError if there is no such row, or no price changes.
        """
        panel = self._read(prices)
        rows = np.arange(len(panel) - self.horizon_)
        if not len(rows):
            raise ValueError(f"a score needs more than {self.horizon_} rows (the horizon); these are {len(panel)}")
        point = self.predict_at(panel, rows).point  # (K, N, H)
        truth, last = future_windows(panel.target, self.horizon_)[rows], forward_fill(panel.target)[rows][..., None]
        point = np.where(np.isnan(point), last, point)
        errors, moves = (np.nansum((truth - of) ** 2, axis=(0, 2)) for of in (point, last))  # (N,)
        if not (moves > 0).any():
            raise ValueError("no value differs from the last one before it: there is nothing to score")
        with np.errstate(divide="ignore"):
            return 1 - float(np.exp(np.log(errors[moves > 0] / moves[moves > 0]).mean()))

    def sample(self, prices: Prices, n: int = 100, seed: int = 0, future: pd.DataFrame | None = None) -> np.ndarray:
        """Return n sample paths of each series from the last row of the prices, (n, N, H).

        At each step they have the distribution of the forecast. Between steps they have the dependence of the model's
        errors at past cutoffs of these prices, so that quantiles of sums and maxima over the steps are right. A seed
        makes the same paths again. `future` is that of `predict`. Raises ValueError for a model that forecasts no
        quantiles.

        >>> prices = fc.load_sample("stocks").iloc[-500:]
        >>> paths = fc.Naive().fit(prices, horizon=5).sample(prices, n=1000)
        >>> np.quantile(paths.max(axis=2), 0.9, axis=0).shape  # of the highest price of the next five rows
        (4,)
        """
        check_int("n", n, 1)
        check_int("seed", seed, 0)
        return sample_paths(self, self._read_to_predict(prices, future), int(n), int(seed))

    def _read(self, prices: Prices) -> Panel:
        """Return prices of the fitted kind as a panel; raise ValueError for another kind, or if nothing is fitted."""
        self._check_ready()
        panel = self.prices_.panel(prices, self.required_fields(), self.future_fields(), type(self).__name__)
        self.check_static(panel)
        return panel

    def _read_to_predict(self, prices: Prices, future: pd.DataFrame | None) -> Panel:
        """Return prices and what is known of the rows after them, to forecast from the last row."""
        panel = self._read(prices)
        if future is not None:
            panel = self._with_future(panel, future)
        return self._known(panel, np.array([len(panel) - 1]))

    def _with_future(self, panel: Panel, future: pd.DataFrame) -> Panel:
        """Return the panel with later rows of the future inputs; raise ValueError if the model reads none."""
        if not self.future_fields():
            raise ValueError(
                f"{type(self).__name__} reads no inputs of the rows that it forecasts: leave future out, or name them "
                "in the model's parameter `future` and fit it again"
            )
        return with_future(panel, future)

    def _known(self, panel: Panel, rows: np.ndarray) -> Panel:
        """Return the panel with what is known of the rows that are forecast from its last row and no later ones.

        Raises ValueError if an input of a row that is forecast is missing.
        """
        names = self.future_fields()
        if panel.future is None or not names:
            return panel
        panel = panel.known_until(len(panel) + self.horizon_)
        read = panel.known(names)
        if missing := read.first_unknown(rows, panel.observed[rows], self.horizon_):
            raise ValueError(
                f"{type(self).__name__} reads inputs of the rows that it forecasts, and lacks {missing}: add rows "
                "after the last value that contain them, fill the empty cells, or pass them as future"
            )
        return panel

    def save(self, folder: str | os.PathLike[str], replace: bool = False) -> None:
        """Write the fitted model into a folder, from which `forecast.load_model` reads it without running any code.

        With `replace` the folder may hold another model, which is replaced; otherwise only this one.
        """
        from forecast.models.store import save_model

        self._check_ready()
        save_model(self, os.fspath(folder), replace)

    def _check_ready(self) -> None:
        """Raise unless the model is fitted and can forecast."""
        check_fitted(self, "horizon_")

    def _fit(self, panel: Panel, horizon: int) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define _fit(panel, horizon)")

    def _predict(self, panel: Panel) -> Forecast:
        if type(self)._predict_at is Forecaster._predict_at:
            raise NotImplementedError(f"{type(self).__name__} must define _predict(panel) or _predict_at(panel, rows)")
        return self._predict_at(panel, np.array([len(panel) - 1]))

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        forecasts = [self._predict(panel[: int(row) + 1]) for row in rows]
        point = np.concatenate([forecast.point for forecast in forecasts])
        quantiles = _concatenate([forecast.quantiles for forecast in forecasts])
        members = _concatenate([forecast.members for forecast in forecasts], axis=1)
        return replace(forecasts[0], point=point, quantiles=quantiles, cutoffs=panel.index[rows], members=members)

    def _predict_point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        """Return the point forecasts only, (K, N, H); a model without parameters for each series accepts any series."""
        return self._predict_at(panel, rows).point

    def _fitted_columns(self, panel: Panel) -> np.ndarray:
        """Return the positions of the panel's series among the fitted ones, (N,); raise if one was not fitted."""
        positions = {name: i for i, name in enumerate(self.series_)}
        if unknown := [name for name in panel.series if name not in positions]:
            advice = (
                "fit it on these prices"
                if any(named_field(name) is not None for name in unknown)  # which is no series' name to be changed
                else "fit it on all series or name them as at the fit (a series without a name is named after its file)"
            )
            names = f"{list_names(self.series_)} and not on {list_names(unknown)}"
            raise ValueError(f"{type(self).__name__} was fitted on {names}: {advice}")
        fitted, other = self.prices_.instrument, panel.attrs.get("instrument")
        if None not in (fitted, other) and fitted != other:
            raise ValueError(
                f"{type(self).__name__} was fitted on columns of {fitted} and these are of {other}: pass those of "
                f"{fitted}, or fit a model on {other}"
            )
        return np.array([positions[name] for name in panel.series])


def _dated(forecast: Forecast, panel: Panel) -> Forecast:
    """Return the forecast with the labels of the panel's rows, and of the later ones of which inputs are known."""
    return replace(forecast, index=panel.index if panel.future is None else panel.future.index)


def _concatenate(arrays: Sequence[np.ndarray | None], axis: int = 0) -> np.ndarray | None:
    """Concatenate the arrays; None if one of them is None."""
    available = [array for array in arrays if array is not None]
    return np.concatenate(available, axis=axis) if len(available) == len(arrays) else None


def check_rows(cutoffs: Any, n: int) -> np.ndarray:
    """Return cutoffs as an array of row numbers, (K,); raise ValueError unless all are whole numbers in [0, n)."""
    rows = np.asarray(cutoffs)
    are_integers = rows.ndim == 1 and len(rows) > 0 and rows.dtype.kind in "iu"
    if not are_integers or rows.min() < 0 or rows.max() >= n:
        raise ValueError(f"cutoffs must be rows between 0 and {n - 1} (0 is the first); got {cutoffs!r}")
    return rows.astype(np.int64)


@dataclass(frozen=True)
class LogChoice:
    """Which series a model works in logs on; "auto" is decided for each series from its own training rows."""

    series: tuple[str, ...]
    in_logs: tuple[bool, ...]  # of each series
    is_auto: bool

    def flags(self, panel: Panel) -> np.ndarray:
        """Return whether to work in logs on each series of a panel, (N,); on a new one if on all fitted ones."""
        by_name = dict(zip(self.series, self.in_logs, strict=True))
        return np.array([by_name.get(name, all(self.in_logs)) for name in panel.series])

    def may_skip(self, panel: Panel) -> np.ndarray:
        """Return whether a value without a logarithm counts as missing, (N,): with "auto", of the fitted series."""
        return np.array([self.is_auto and name in self.series for name in panel.series])

    def summary(self) -> bool | dict[str, bool]:
        """Return the choice for the record of a fit: one value if it is the same for all series."""
        same = len(set(self.in_logs)) == 1
        return self.in_logs[0] if same else dict(zip(self.series, self.in_logs, strict=True))


def choose_log(log: bool | str, panel: Panel) -> LogChoice:
    """Choose which series to work in logs on; "auto" means those whose observed training values are all positive."""
    positive = np.concatenate([((part.target > 0) | ~part.observed).all(axis=0) for part in panel.parts()])  # (N,)
    in_logs = positive if log == "auto" else np.full(len(panel.series), bool(log))
    return LogChoice(panel.series, tuple(bool(flag) for flag in np.asarray(in_logs)), log == "auto")


def transform(panel: Panel, log: LogChoice) -> np.ndarray:
    """Return the target (T, N), in logs where the model works in logs.

    If logs were chosen by "auto", a value that is not positive (later than the training rows, or before them) counts
    as missing. Otherwise it has no logarithm, and ValueError is raised.
    """
    flags = log.flags(panel)
    if not flags.any():
        return panel.target
    bad = panel.observed & flags & ~(panel.target > 0)
    if (bad & ~log.may_skip(panel)).any():
        row, column = np.argwhere(bad & ~log.may_skip(panel))[0]
        raise ValueError(
            f"{panel.series[column]} is {panel.target[row, column]:g} at {format_date(panel.index[row])}: a model in "
            "logs needs values above 0. Use log=False, or fit it on rows that include such values."
        )
    if flags.all() and not bad.any():
        return np.log(panel.target)
    return np.where(flags, np.log(np.where(flags & ~bad, panel.target, np.nan)), panel.target)


def apply_change(price: np.ndarray, change: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Return prices (K, N, …) after changes, growth where `log` (N,); a change of 0 returns exactly the same price."""
    if log.all():
        return price * np.exp(change)
    if not log.any():
        return price + change
    log = log.reshape(-1, *[1] * (change.ndim - 2))
    return np.where(log, price * np.exp(np.where(log, change, 0.0)), price + change)


def continue_price(newest: np.ndarray, counted: np.ndarray, change: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Return the newest price after a change that counts from the last price with a logarithm."""
    price = apply_change(counted, change, log)
    return np.where(newest == counted, price, newest + (price - counted))


def from_logs(values: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Return values (K, N, …) with those of the series in logs, `log` (N,), turned into prices."""
    log = log.reshape(-1, *[1] * (values.ndim - 2))
    return np.where(log, np.exp(np.where(log, values, 0.0)), values)


def error_quantiles(errors: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Return the quantiles (N, H, Q) of each series and step over the errors (T, N, H), missing ones left out.

    They are NaN where a series has no error at a step.
    """
    ordered = np.sort(np.moveaxis(errors, 0, -1), axis=-1)  # (N, H, T), NaN last
    last = (~np.isnan(errors)).sum(axis=0)[..., None] - 1  # (N, H, 1) position of the largest error, −1 without any
    position = np.maximum(last, 0) * np.asarray(levels)  # (N, H, Q) as NumPy's linear quantiles
    below = np.floor(position).astype(np.int64)
    low = np.take_along_axis(ordered, below, axis=-1)
    high = np.take_along_axis(ordered, np.minimum(below + 1, np.maximum(last, 0)), axis=-1)
    share, gap = position - below, high - low
    return np.where(share < 0.5, low + gap * share, high - gap * (1 - share))


def warn_of_unseen_steps(seen: np.ndarray, series: Sequence[str]) -> None:
    """Warn of each series that has errors at some steps and none at others; `seen` is (N, H)."""
    for n in np.flatnonzero(seen.any(axis=1) & ~seen.all(axis=1)):
        message = missing_errors_message(int(np.argmin(seen[n])) + 1, series[int(n)])
        warn(message, UnseenStepWarning)


def missing_errors_message(step: int, series: str = "any series") -> str:
    """Return the reason why a step has no interval, for the warning or the error."""
    return (
        f"step {step} has no error in training, as no two observed rows of {series} are {step} apart: leave out the "
        "rows on which nothing trades"
    )
