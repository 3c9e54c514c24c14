"""What a model's forecasts depend on: which rows of which input, at each step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecast._estimator import check_fitted, clone
from forecast._validation import check_choice, check_int, did_you_mean
from forecast.backtesting.split import WalkForward
from forecast.data.panel import Panel, Prices, as_panel
from forecast.evaluation.pairwise import cosine_standard_error, cosines
from forecast.evaluation.permutation import CHANGES, VALUES, Copies, ReadInput, list_inputs
from forecast.evaluation.skill import LEVEL
from forecast.models.base import Forecaster
from forecast.models.wrapped import Model, as_forecaster

DATES = "dates"  # the input of a model that reads what the dates of rows are
ALL = "all"
COLUMNS = ["importance", "low", "high", "response"]
MIN_CUTOFFS = 10
ROUNDING = 1e-9  # a smaller response is none


@dataclass(frozen=True, repr=False)
class Importance:
    """How much worse a model forecasts without what an input contains: by row and step.

    Parameters
    ----------
    rows : DataFrame
        A row for each `input`, `row` (0 is the cutoff's, −1 the one before it, 1 the first that is forecast) and
        `step`, with the columns described below.
    inputs : DataFrame
        The same for each `input` and `step`, where all of its rows that are examined are exchanged at the same time.
    kinds : dict
        What is exchanged of each input: "changes" or "values".
    n_cutoffs : int
        The number of cutoffs.

    Notes
    -----
    `importance` is the share by which the squared error rises (.25: by a quarter; below 0: it falls, by chance), and
    `low` to `high` its 90 % interval. `response` is how far the forecast moves: the root mean square, over that of the
    model's error. An input may have a response without importance, if the model reads noise.
    """

    rows: pd.DataFrame
    inputs: pd.DataFrame
    kinds: dict[str, str]
    n_cutoffs: int

    def to_frame(self, by: str = "row") -> pd.DataFrame:
        """Return the table by "row", the most important first at each step, or by "input"."""
        check_choice("by", by, ("row", "input"))
        table = self.rows if by == "row" else self.inputs
        return table.sort_values(["step", "importance"], ascending=[True, False], kind="stable").reset_index(drop=True)

    def __repr__(self) -> str:
        exchanged = ", ".join(f"{kind} of {name}" for name, kind in self.kinds.items())
        head = f"Rise of the squared error where an input is exchanged between {self.n_cutoffs} cutoffs ({exchanged})"
        table = self.to_frame()
        top = table[table["response"] > ROUNDING].groupby("step", sort=True).head(3)
        if top.empty:
            return f"{head}: none, no forecast depends on them."
        return f"{head}; the first three at each step:\n{top.round(3).to_string(index=False)}"

    def _repr_html_(self) -> str:
        return f"<p>{str(self).splitlines()[0]}</p>{self.to_frame().round(3).to_html(index=False)}"


def importance(
    model: Model,
    prices: Prices,
    cv: WalkForward,
    lookback: int = 10,
    exchange: str | Mapping[str, str] = "auto",
    repeats: int = 1,
    fit: bool = True,
    seed: int = 0,
) -> Importance:
    """Return what a model's forecasts depend on: which rows of the series and of its other inputs, at each step.

    At each cutoff the change at one row is replaced by the change that another cutoff, drawn at random, has at that
    row, everything else remains, and the model forecasts again. What it reads there is then real but unrelated to what
    comes. The importance is how much the squared error rises. All cutoffs are after the rows that the model is fitted
    on.

    Parameters
    ----------
    model : Forecaster, or any object with `fit(prices, horizon)` and `predict(prices)`
        Model to explain: a copy is fitted to the training rows of the first cutoff.
    prices : DataFrame, Series, numpy.ndarray, mapping or Panel
        Anything that `as_panel` accepts.
    cv : WalkForward
        The cutoffs, 10 at least; a hundred or more separate what matters from chance.
    lookback : int, default 10
        The number of rows up to the cutoff that are examined. Of inputs that are known in advance (`future`), the rows
        that are forecast are as well.
    exchange : {"auto", "changes", "values"} or mapping of an input to one of them, default "auto"
        What is exchanged: "changes", relative to recent movement, as of prices, where a value of another time is no
        possible one; "values", as of returns, variances and of what depends on the hour or the day of the week. "auto":
        changes of what wanders, values of what returns to a level.
    repeats : int, default 1
        How often other cutoffs are drawn; more take longer and reduce chance.
    fit : bool, default True
        False: the fitted model is explained as it is. It must have been fitted on rows before the first cutoff:
        otherwise it has seen the outcomes.
    seed : int, default 0
        Of the draws.

    Returns
    -------
    Importance
        Tables by row and by input; `plot_importance` draws them.

    Raises
    ------
    ValueError
        If there are too few cutoffs or rows, or a parameter is not valid.

    Notes
    -----
    A replaced change shifts the values before it: the last value and all other changes are what they were, so a model
    that only continues from the last value, as `Naive`, has importances of 0. Inputs that contain the same, as
    neighbouring rows of a slow series, share their importance, and each may seem small: the table by input exchanges
    all its rows at the same time. The input "dates" is listed for a model that reads the dates of rows
    (`Recurrent(calendar=True)`).

    The work grows with cutoffs × (`lookback` × inputs) × rows.

    References
    ----------
    Breiman (2001), Random forests; Fisher, Rudin and Dominici (2019), All models are wrong, but many are useful.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> change = rng.normal(size=400)
    >>> for t in range(3, 400):
    ...     change[t] += 0.8 * change[t - 3]  # of the change of three rows before
    >>> cv = fc.WalkForward(horizon=1, n_windows=100)
    >>> table = fc.importance(fc.Tabular(lookback=6), 100 + change.cumsum(), cv).to_frame()
    >>> int(table["row"].iloc[0])  # the change to the row two before the cutoff
    -2
    """
    check_int("lookback", lookback, 1)
    check_int("repeats", repeats, 1)
    check_int("seed", seed, 0)
    forecaster = as_forecaster(model)
    panel = as_panel(prices, exog=forecaster.required_fields(), future=forecaster.future_fields())
    inputs = list_inputs(forecaster, panel, _read_kinds(exchange, [panel.channels[0], *forecaster.required_fields()]))
    cutoffs = np.array(cv.cutoffs(panel))
    _check_cutoffs(cutoffs, lookback)
    if fit:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forecaster = clone(forecaster).fit(panel[next(cv.split(panel)).train], cv.horizon)
    else:
        check_fitted(forecaster, "horizon_")
        if forecaster.horizon_ != cv.horizon:
            raise ValueError(
                f"the model was fitted for horizon={forecaster.horizon_} and cv has horizon={cv.horizon}: "
                "give cv the horizon of the fit"
            )
    parts = _list_parts(inputs, lookback, cv.horizon)
    changed, point = _forecast(forecaster, panel, cutoffs, parts, _draw(len(cutoffs), repeats, seed))
    overlap = -(-cv.horizon // cv.step)
    outcomes = np.moveaxis(panel.target[cutoffs[:, None] + np.arange(1, cv.horizon + 1)], 1, 2)  # (K, N, H)
    table = _summarise(parts, changed, point, outcomes, overlap)
    is_whole = table["row"] == ALL
    by_row = table[~is_whole].astype({"row": int}).reset_index(drop=True)
    by_input = table[is_whole].drop(columns="row").reset_index(drop=True)
    return Importance(by_row, by_input, {found.name: found.kind for found in inputs}, len(cutoffs))


class _Part(NamedTuple):
    """Rows of an input that are exchanged at the same time; without rows the dates are."""

    input: str
    label: int | str  # the row, or "all"
    read: ReadInput | None
    rows: tuple[int, ...]


def _list_parts(inputs: Sequence[ReadInput], lookback: int, horizon: int) -> list[_Part]:
    parts = []
    for read in inputs:
        rows = tuple(range(1 - lookback, 1 + (horizon if read.is_known else 0)))
        parts += [_Part(read.name, row, read, (row,)) for row in rows]
        parts.append(_Part(read.name, ALL, read, rows))
    return parts


def _read_kinds(exchange: str | Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Return what is exchanged of the inputs for which it is given."""
    if not isinstance(exchange, Mapping):
        check_choice("exchange", exchange, ("auto", CHANGES, VALUES))
        return {} if exchange == "auto" else dict.fromkeys(names, exchange)
    for name, kind in exchange.items():
        if name not in names:
            raise ValueError(f"exchange names {name!r}{did_you_mean(name, names)}; the model reads {', '.join(names)}")
        check_choice(f"exchange[{name!r}]", kind, (CHANGES, VALUES))
    return dict(exchange)


def _check_cutoffs(cutoffs: np.ndarray, lookback: int) -> None:
    """Raise ValueError if there are too few cutoffs to exchange, or rows before the first."""
    if len(cutoffs) < MIN_CUTOFFS:
        raise ValueError(f"an importance needs at least {MIN_CUTOFFS} cutoffs; got n_windows={len(cutoffs)}")
    if cutoffs[0] < lookback:
        raise ValueError(
            f"lookback={lookback} needs {lookback + 1} rows up to the first cutoff, which has {cutoffs[0] + 1}: use a "
            "shorter lookback, fewer windows, or more history"
        )


def _draw(n: int, repeats: int, seed: int) -> np.ndarray:
    """Return another cutoff for each of n, (n, R), so that each is the other of exactly one."""
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(repeats):
        order = rng.permutation(n)
        other = np.empty(n, dtype=np.int64)
        other[order] = np.roll(order, 1)
        drawn.append(other)
    return np.stack(drawn, axis=1)


def _forecast(
    model: Forecaster, panel: Panel, cutoffs: np.ndarray, parts: list[_Part], others: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the forecasts with each part exchanged, (K, P, R, N, H), and without, (K, N, H).

    Appends the part "dates" where the forecasts depend on them.
    """
    first, last = int(cutoffs[0]), int(cutoffs[-1])
    copies = Copies(model, panel, first, _version(parts[-1], first, last))
    with_dates = copies.reads_dates(first, last)
    changed, point, moved = [], [], []
    for cutoff, donors in zip(cutoffs.tolist(), cutoffs[others].tolist(), strict=True):
        versions = [_version(part, cutoff, donor) for part in parts for donor in donors]
        forecasts = copies.predict(cutoff, [{}, *versions])
        point.append(forecasts[0])
        changed.append(forecasts[1:].reshape(len(parts), len(donors), *forecasts.shape[1:]))
        if with_dates:
            moved.append(np.stack([copies.predict_with_dates(cutoff, donor) for donor in donors])[None])
    points, result = np.stack(point), np.stack(changed)
    if with_dates:
        parts.append(_Part(DATES, ALL, None, ()))
        result = np.concatenate([result, np.stack(moved)], axis=1)
    return result, points


def _version(part: _Part, cutoff: int, donor: int) -> dict[int, np.ndarray]:
    assert part.read is not None
    return {part.read.channel: part.read.exchange(cutoff, donor, part.rows)}


def _summarise(
    parts: Sequence[_Part], changed: np.ndarray, point: np.ndarray, outcomes: np.ndarray, overlap: int
) -> pd.DataFrame:
    """Return the table of all parts and steps, from the forecasts with each exchanged (K, P, R, N, H)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a series without a forecast, or that is never wrong
        loss = (outcomes - point) ** 2  # (K, N, H)
        mean = np.nanmean(loss, axis=0)
        mean = np.where(mean > 0, mean, np.nan)
        rise = ((outcomes[:, None, None] - changed) ** 2 - loss[:, None, None]) / mean  # (K, P, R, N, H)
        rise = np.nanmean(rise, axis=(2, 3))  # (K, P, H)
        moved = (changed - point[:, None, None]) ** 2 / mean
        response = np.sqrt(np.nanmean(moved, axis=(0, 2, 3)))  # (P, H)
    rows = []
    for p, part in enumerate(parts):
        for h in range(point.shape[2]):
            found = _interval(rise[:, p, h], overlap)
            rows.append((part.input, part.label, h + 1, *found, response[p, h]))
    return pd.DataFrame(rows, columns=["input", "row", "step", *COLUMNS])


def _interval(rise: np.ndarray, overlap: int) -> tuple[float, float, float]:
    """Return the mean over the cutoffs and its 90 % interval, of which successive ones share rows."""
    from scipy import stats

    rise = rise[np.isfinite(rise)]
    if len(rise) < 2:
        return math.nan, math.nan, math.nan
    degrees, mean = cosines(len(rise), overlap), float(rise.mean())
    width = float(stats.t.ppf((1 + LEVEL) / 2, df=degrees)) * cosine_standard_error(rise, degrees)
    return mean, mean - width, mean + width
