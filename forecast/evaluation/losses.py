"""Losses of the models on the rows that all of them share: by row, by cutoff, and by cutoff and series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast._validation import check_choice, did_you_mean
from forecast.evaluation import metrics
from forecast.evaluation.pairwise import NEGLIGIBLE
from forecast.evaluation.shared import once
from forecast.models.base import quantile_columns

#: Names of the two forecasts of no change: the last value, and for returns 0. One of them is a run's reference, the row
#: that losses are divided by.
NAIVE, ZERO = "naive", "zero"
KEYS = ["unique_id", "cutoff", "step"]
ROUNDING = 1e-13  # of a value: a forecast that is so close to it is exact
EXACT = 1e-12  # a ratio of losses below this is rounding
SQUARED, ABSOLUTE, PINBALL, QLIKE = "squared", "absolute", "pinball", "qlike"


def check_model(name: str, available: Sequence[str]) -> None:
    """Raise ValueError unless a run has a model of this name."""
    if name not in available:
        hint = did_you_mean(name, available)
        raise ValueError(f"there is no model {name!r} in this run to compare{hint}; it has {', '.join(available)}")


def model_names(forecasts: pd.DataFrame) -> list[str]:
    """Return the names of the models that have rows, in the order of their first row."""
    return [str(name) for name in forecasts["model"].unique()]


@once
def common_rows(forecasts: pd.DataFrame, loss: str = SQUARED) -> pd.DataFrame:
    """Return the rows that every model forecast and whose outcome is observed: the rows on which models are compared.

    Only the model's own forecasts (member 0) are compared, never the best member of an ensemble. For the loss
    "pinball", models without quantiles are left out, and so are levels that one of the other models does not have.
    """
    own = _own(forecasts)
    needed = ["y", "y_hat"]
    if loss == PINBALL:
        names, levels = quantile_models(own)
        own = _where(own, own["model"].isin(names).to_numpy())
        if left_out := [column for column in quantile_columns(own.columns).values() if column not in levels]:
            own = own.drop(columns=left_out)
        needed += levels
    table = _where(own, own[needed].notna().to_numpy().all(axis=1))
    cells = _cells(table)
    return _where(table, np.bincount(cells)[cells] == table["model"].nunique())


@once
def _own(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Return the models' own forecasts: the rows of member 0."""
    return _where(forecasts, forecasts["member"].to_numpy() == 0)


def _where(table: pd.DataFrame, is_chosen: np.ndarray) -> pd.DataFrame:
    """Return the chosen rows: the table itself if these are all."""
    return table if is_chosen.all() else table[is_chosen]


def _cells(table: pd.DataFrame) -> np.ndarray:
    """Return a number for each row that stands for its series, cutoff and step."""
    cells = np.zeros(len(table), dtype=np.int64)
    for name in KEYS:
        codes, values = pd.factorize(table[name])
        cells = cells * len(values) + codes
    return cells


@once
def quantile_models(forecasts: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the models with quantiles on both sides of the median, and the quantile columns that all of these have.

    Raises ValueError unless one of the common levels is below .5 and one above.
    """
    columns, given = quantile_columns(forecasts.columns), _given_quantiles(forecasts)
    common = {level: name for level, name in columns.items() if len(given) and given[name].all()}
    if not common or not min(common) < 0.5 < max(common):
        have = ", ".join(f"{level:g}" for level in common) or "none"
        raise ValueError(
            "the loss 'pinball' compares quantiles: it needs a level below .5 and one above that all models with "
            f"quantiles have; the levels that they share are: {have}"
        )
    return list(given.index), list(common.values())


def _given_quantiles(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Return which quantiles each model forecasts, of the models with quantiles on both sides of the median."""
    columns = quantile_columns(forecasts.columns)
    given = forecasts[list(columns.values())].notna().groupby(forecasts["model"], sort=False, observed=True).any()
    given.index = given.index.astype(str)
    below, above = ([name for level, name in columns.items() if sign * (level - 0.5) > 0] for sign in (-1, 1))
    return given[given[below].any(axis=1) & given[above].any(axis=1)] if below and above else given.iloc[:0]


def compared_models(forecasts: pd.DataFrame, loss: str, needed: str) -> list[str]:
    """Return the models that a loss can compare; raise ValueError unless `needed` is one of them."""
    models = model_names(forecasts)
    check_model(needed, models)
    if loss != PINBALL:
        return models
    names, _ = quantile_models(_own(forecasts))
    if needed not in names:
        raise ValueError(
            f"the loss 'pinball' compares quantiles, and {needed} forecasts none: choose another loss, or compare with "
            f"one of {', '.join(names)}"
        )
    return names


def has_spread(forecasts: pd.DataFrame, *needed: str) -> bool:
    """Return whether a run has quantiles to compare: those of the models `needed`, and of one more model."""
    try:
        names, _ = quantile_models(_own(forecasts))
    except ValueError:
        return False
    return set(names) > set(needed)


def shares_no_levels(forecasts: pd.DataFrame) -> bool:
    """Return whether several models have quantiles on both sides of the median, and no levels in common there."""
    return len(_given_quantiles(_own(forecasts))) > 1 and not has_spread(forecasts)


def _pinball_losses(table: pd.DataFrame) -> np.ndarray:
    """Return the quantile loss of each row, averaged over the levels."""
    columns = quantile_columns(table.columns)
    levels = np.array(list(columns))
    error = table["y"].to_numpy()[:, None] - table[list(columns.values())].to_numpy()
    error[np.abs(error) <= ROUNDING * _size(table).to_numpy()[:, None]] = 0.0
    return np.maximum(levels * error, (levels - 1) * error).mean(axis=1)


#: The losses by which models can be compared: functions of the table, one value for each row.
LOSSES: dict[str, Callable[[pd.DataFrame], np.ndarray]] = {
    SQUARED: lambda t: ((t["y"] - t["y_hat"]) ** 2).to_numpy(),
    ABSOLUTE: lambda t: (t["y"] - t["y_hat"]).abs().to_numpy(),
    PINBALL: _pinball_losses,
    QLIKE: lambda t: metrics.qlike_losses(t["y"].to_numpy(), t["y_hat"].to_numpy()),
}


def losses(table: pd.DataFrame, loss: str = SQUARED) -> pd.Series:
    """Return the loss of each row, 0 where a forecast is exact up to rounding.

    For "pinball" it is the mean over all levels of the table.

    Raises ValueError for an unknown loss, or one that is not defined for a row.
    """
    check_choice("loss", loss, list(LOSSES))
    values = LOSSES[loss](table)
    if loss != PINBALL:
        values = np.where((table["y"] - table["y_hat"]).abs() <= ROUNDING * _size(table), 0.0, values)
    if np.isnan(values).any():
        row = table.iloc[int(np.argmax(np.isnan(values)))]
        raise ValueError(
            f"{loss} is a loss of variances, which are above 0; {row['model']} forecast {row['y_hat']:g} for "
            f"{row['unique_id']}, whose outcome is {row['y']:g}. Use loss='squared'"
        )
    return pd.Series(values, index=table.index)


def _size(table: pd.DataFrame) -> pd.Series:
    return table[["y", "y0"]].abs().max(axis=1)


@dataclass(frozen=True, eq=False)
class LossTable:
    """Losses of the models by cutoff and series, on the rows that all models share.

    Attributes
    ----------
    sums : dict of array (K, N)
        Each model's losses, summed over the steps; 0 where no row is shared.
    counts : array (K, N)
        Number of rows that are summed.
    sizes : array (N,)
        The largest absolute value of each series.
    series : list of str
        The N series.
    cutoffs : Index
        The K cutoffs, in order of time.
    loss : str
        The loss.
    """

    sums: dict[str, np.ndarray]
    counts: np.ndarray
    sizes: np.ndarray
    series: list[str]
    cutoffs: pd.Index
    loss: str

    def means(self, model: str) -> np.ndarray:
        """Return a model's mean loss on each series: (N,)."""
        return self.sums[model].sum(axis=0) / self.counts.sum(axis=0)

    def log_ratios(self, model: str, against: str) -> np.ndarray:
        """Return the logarithm of a model's mean loss over another's, for each series: (N,); 0 if both are exact."""
        return _log_ratio(self.means(model), self.means(against))

    def skill(self, model: str, against: str) -> float:
        """Return the share of another model's loss that a model removes (geometric mean over series)."""
        return float(1 - np.exp(self.log_ratios(model, against).mean())) if self.series else float("nan")

    def where(self, is_chosen: np.ndarray) -> LossTable:
        """Return the table of the chosen series, (N,) of bool, with the cutoffs at which they have a row."""
        if is_chosen.all():
            return self
        counts = self.counts[:, is_chosen]
        has_row = counts.sum(axis=1) > 0
        return LossTable(
            {name: sums[has_row][:, is_chosen] for name, sums in self.sums.items()},
            counts[has_row],
            self.sizes[is_chosen],
            [name for name, chosen in zip(self.series, is_chosen, strict=True) if chosen],
            self.cutoffs[has_row],
            self.loss,
        )

    def where_above_zero(self, model: str) -> LossTable:
        """Return the table of the series on which the loss of a model is above 0; of none if it has no row."""
        return self.where(self.is_above_zero(model))

    def is_above_zero(self, model: str) -> np.ndarray:
        """Return whether the loss of a model is above 0 on each series: (N,) of bool."""
        sums = self.sums.get(model)
        return np.zeros(len(self.series), dtype=bool) if sums is None else sums.sum(axis=0) > 0

    def each_series(self) -> Iterator[LossTable]:
        """Yield the table of each series alone, with the cutoffs at which it has a row."""
        for i, name in enumerate(self.series):
            is_row = self.counts[:, i] > 0
            sums = {model: values[is_row, i : i + 1] for model, values in self.sums.items()}
            counts, sizes = self.counts[is_row, i : i + 1], self.sizes[i : i + 1]
            yield LossTable(sums, counts, sizes, [name], self.cutoffs[is_row], self.loss)

    def by_cutoff(self, reference: str, sums: dict[str, np.ndarray] | None = None) -> pd.DataFrame:
        """Return the losses divided by the reference's mean loss: a row for each cutoff, a column for each model.

        They are averaged over series and steps, so that the reference's mean is 1. With `sums`, other values of the
        same rows are divided.
        """
        sums = self.sums if sums is None else sums
        weights = np.zeros(0)
        if self.series:
            weights = len(self.cutoffs) / (self.counts.sum(axis=0) * self.means(reference) * len(self.series))
        by_model = {name: values @ weights for name, values in sums.items()}
        return pd.DataFrame(by_model, index=pd.Index(self.cutoffs, name="cutoff"), dtype=float)

    def differences(self, model: str, against: str) -> np.ndarray:
        """Return by how much a model's losses are smaller than another's, relative to both: one value a cutoff, (K,).

        On each series the difference is divided by the logarithmic mean of the two mean losses. The mean of the values
        is therefore −ln(1 − skill), and a test of them is a test of the skill. With one series they are proportional to
        the differences of the losses.
        """
        a, b = self.means(model), self.means(against)
        ratio = _log_ratio(a, b)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(np.abs(ratio) > NEGLIGIBLE, (a - b) / ratio, b)  # logarithmic mean
            share = np.where(mean > 0, 1 / (mean * self.counts.sum(axis=0)), 0.0)
        return len(self.cutoffs) * (share * (self.sums[against] - self.sums[model])).mean(axis=1)

    def pseudo_values(self, model: str, against: str) -> np.ndarray:
        """Return the jackknife's pseudo-values of ln(1 − skill), leaving out one cutoff at a time: (K,)."""
        rows, n = self.counts.sum(axis=0), len(self.cutoffs)
        left = rows - self.counts
        is_left = left > 0
        means = [
            np.where(is_left, total - self.sums[name], total) / np.where(is_left, left, rows)
            for name, total in ((name, self.sums[name].sum(axis=0)) for name in (model, against))
        ]
        return n * self.log_ratios(model, against).mean() - (n - 1) * _log_ratio(*means).mean(axis=1)

    def tolerance(self, against: str) -> float:
        """Return the largest value of `differences` that rounding of the values explains."""
        if self.loss == QLIKE or not self.series:
            return NEGLIGIBLE
        mean = self.means(against)
        scale = np.sqrt(mean) if self.loss == SQUARED else mean
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(scale > 0, self.sizes / scale, 0.0)
        return max(NEGLIGIBLE, 2 * ROUNDING * float(relative.max()))

    def wins(self, model: str, against: str) -> np.ndarray:
        """Return whether a model's loss is smaller at each cutoff and series: 1, 0, ½ for a tie, NaN: (K, N)."""
        own = self.sums[against]
        gain = own - self.sums[model]
        wins = np.where(np.abs(gain) <= NEGLIGIBLE * own, 0.5, gain > 0)
        return np.where(self.counts > 0, wins, np.nan)


def _log_ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ln(a / b) of losses, at least ln(1e-12) and at most its negative; 0 where both are 0."""
    least = np.maximum(EXACT * np.maximum(a, b), np.finfo(float).tiny)
    ratio: np.ndarray = np.log(np.maximum(a, least)) - np.log(np.maximum(b, least))
    return ratio


@once
def loss_table(forecasts: pd.DataFrame, loss: str = SQUARED, reference: str = NAIVE) -> LossTable:
    """Return the losses of all models by cutoff and series, without series on which the reference's loss is 0.

    For the loss "pinball" the models without quantiles are left out.

    Raises ValueError if the run has no model `reference`, or the loss is not defined for a row.
    """
    return _all_losses(forecasts, loss, reference).where_above_zero(reference)


@once
def _all_losses(forecasts: pd.DataFrame, loss: str, reference: str) -> LossTable:
    """Return the losses of all models by cutoff and series."""
    models = compared_models(forecasts, loss, reference)
    table = common_rows(forecasts, loss)
    return _tabulate(table, losses(table, loss).to_numpy(), models, loss)


def _tabulate(table: pd.DataFrame, values: np.ndarray, models: list[str], loss: str) -> LossTable:
    """Return the sums of values, one for each row, by cutoff and series.

    Of the models, those that have forecast a row are in it, or all if no row is shared.
    """
    number = _model_numbers(table, models)
    shared = set(np.unique(number))
    cut, cutoffs = pd.factorize(table["cutoff"], sort=True)
    column, series = pd.factorize(table["unique_id"])
    shape = (len(cutoffs), len(series))
    cells = cut * shape[1] + column
    sums, counts = {}, np.zeros(shape, dtype=int)
    for i, name in enumerate(models):
        if i in shared or not shared:
            rows = number == i
            sums[name] = np.bincount(cells[rows], values[rows], minlength=counts.size).reshape(shape)
            counts = np.bincount(cells[rows], minlength=counts.size).reshape(shape)  # the same for all models
    sizes = np.zeros(shape[1])
    np.maximum.at(sizes, column, table["y"].abs().to_numpy())
    return LossTable(sums, counts, sizes, [str(name) for name in series], pd.Index(cutoffs), loss)


def _model_numbers(table: pd.DataFrame, models: list[str]) -> np.ndarray:
    """Return the position of each row's model among the models."""
    codes, names = pd.factorize(table["model"])
    return np.array([models.index(str(name)) for name in names], dtype=int)[codes]


def loss_by_cutoff(forecasts: pd.DataFrame, loss: str = SQUARED, reference: str = NAIVE) -> pd.DataFrame:
    """Return the losses relative to the reference: a row for each cutoff and a column for each model.

    A loss is divided by the reference's mean loss on the series and averaged over series and steps, so that the
    reference's mean is 1. Series on which the reference's loss is 0 are left out.
    """
    return loss_table(forecasts, loss, reference).by_cutoff(reference)


def gap_by_cutoff(forecasts: pd.DataFrame, against: str, reference: str = NAIVE) -> pd.DataFrame:
    """Return the squared distance of each model's forecasts to another's, on the rows and scale of `loss_by_cutoff`."""
    models = compared_models(forecasts, SQUARED, reference)
    table = common_rows(forecasts)
    cells, y_hat = _cells(table), table["y_hat"].to_numpy()
    is_other = (table["model"] == against).to_numpy()
    other = np.full(cells.max(initial=-1) + 1, np.nan)
    other[cells[is_other]] = y_hat[is_other]
    gaps = _tabulate(table, (y_hat - other[cells]) ** 2, models, SQUARED)
    own = _all_losses(forecasts, SQUARED, reference)
    is_above = own.is_above_zero(reference)
    return own.where(is_above).by_cutoff(reference, gaps.where(is_above).sums)


def error_ratios(forecasts: pd.DataFrame, loss: str = SQUARED, reference: str = NAIVE) -> pd.DataFrame:
    """Return the mean loss over the reference's: a row for each series, a column for each model; NaN if that is 0."""
    table = _all_losses(forecasts, loss, reference)
    series = pd.Index(common_rows(forecasts, loss)["unique_id"].unique(), name="unique_id")
    means = pd.DataFrame({name: table.means(name) for name in table.sums}, index=series, dtype=float).sort_index()
    return means.div(means[reference].where(means[reference] > 0), axis=0)


def win_rates(forecasts: pd.DataFrame, reference: str = NAIVE, loss: str = SQUARED) -> pd.Series:
    """Return the share of (series, cutoff) pairs that a model wins; a tie, up to rounding, counts ½.

    It wins a pair if its mean loss over the steps is below the reference's.
    """
    table = loss_table(forecasts, loss, reference)
    shares = {name: float(np.nanmean(table.wins(name, reference))) if table.series else np.nan for name in table.sums}
    return pd.Series(shares, dtype=float, name="win_rate")


def skills(forecasts: pd.DataFrame, loss: str = SQUARED, reference: str = NAIVE) -> pd.Series:
    """Return each model's skill: the share of the reference's loss that it removes (geometric mean over series)."""
    table = loss_table(forecasts, loss, reference)
    return pd.Series({name: table.skill(name, reference) for name in table.sums}, dtype=float)
