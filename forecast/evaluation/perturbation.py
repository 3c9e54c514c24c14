"""Changes of a raw table's later rows: what an audit repeats a preparation and a backtest on."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from forecast.data.series import PricesWarning, split_fields

#: A function of the rows after a cutoff and the number of each column's series; it returns the rows that replace them.
Change = Callable[[pd.DataFrame, np.ndarray], pd.DataFrame]
FACTOR = 1000.0
N_MORE_ROWS = 300
WEIGHT = 0.01  # of a row drawn at random


def number_series(frame: pd.DataFrame) -> np.ndarray:
    """Return the number of each column's series, (columns,): the fields of one instrument are one series."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PricesWarning)
            fields = split_fields(frame)
    except ValueError:  # no table of prices yet: all columns change alike
        return np.zeros(frame.shape[1], dtype=np.int64)
    if frame.columns.nlevels == 2:
        tickers = {ticker for table in fields.values() for ticker in table.columns}
        level = 0 if set(frame.columns.get_level_values(0)) == tickers else 1
        return pd.factorize(frame.columns.get_level_values(level))[0]
    return np.arange(frame.shape[1]) if len(fields) == 1 else np.zeros(frame.shape[1], dtype=np.int64)


def change_rows(
    frame: pd.DataFrame, rows: int, change: Change, is_input: np.ndarray, series: np.ndarray
) -> pd.DataFrame:
    """Return a table whose rows after the first `rows` are changed, but for the columns that are inputs.

    `series` are the numbers of the other columns' series.
    """
    if is_input.any():
        later = _change_others(frame, rows, change, is_input, series)
    else:
        later = change(frame.iloc[rows:].copy(), series)
    changed = pd.concat([frame.iloc[:rows], later])
    changed.attrs = dict(frame.attrs)
    return changed


def _change_others(
    frame: pd.DataFrame, rows: int, change: Change, is_input: np.ndarray, series: np.ndarray
) -> pd.DataFrame:
    """Return the rows after the first `rows` with the columns that are no inputs changed; inputs are what they were."""
    others, inputs = np.flatnonzero(~is_input), np.flatnonzero(is_input)
    later = change(frame.iloc[rows:, others].copy(), series)
    known = frame.iloc[rows:, inputs]
    known = more_rows(known, np.zeros(len(inputs), dtype=int)) if change is more_rows else known.iloc[: len(later)]
    joined = pd.concat([later, known], axis=1)
    return joined.iloc[:, np.argsort(np.concatenate([others, inputs]))]


def raise_inputs(frame: pd.DataFrame, rows: int, is_input: np.ndarray) -> pd.DataFrame:
    """Return a table whose inputs are higher by their standard deviation in the rows after the first `rows`."""
    raised = frame.copy()
    inputs = frame.loc[:, is_input]
    raised.iloc[rows:, np.flatnonzero(is_input)] = (inputs + inputs.std().fillna(1.0)).iloc[rows:].to_numpy()
    return raised


def unrelated_rows(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return a table with the same labels that contains no order of time: each row is a mixture of early ones.

    It is the first observed value of each column, with a small weight on a row drawn at random from the first `rows`:
    fields remain in order, and even a small part of a later price stands out.
    """
    start = frame.iloc[:rows].bfill().iloc[0]
    drawn = frame.iloc[np.random.default_rng(1).integers(rows, size=len(frame))].set_axis(frame.index)
    mixed = (1 - WEIGHT) * start + WEIGHT * drawn.fillna(start)
    mixed.attrs = dict(frame.attrs)
    return mixed


def _noise(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    noise = np.random.default_rng(0).normal(0, 0.3, size=(len(later), series.max() + 1))
    return later * np.exp(noise)[:, series]


def _nothing(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    return later * np.nan


def _constant(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    return later * 0 + 2 * later.bfill().iloc[0]


def _reversal(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    return later[::-1].set_axis(later.index)


def _scaling(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    return later * FACTOR


def _shrinking(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    return later / FACTOR


def _holes(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    return later.where((np.arange(len(later))[:, None] + series) % 4 != 1)


def _apart(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    return later * np.where(series % 2, FACTOR, 1 / FACTOR)


def _exchanged(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    return later * np.where(series % 2, 1 / FACTOR, FACTOR)


def _one_emptied(number: int) -> Change:
    def empty(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
        return later * np.where(series == number % (series.max() + 1), np.nan, 1.0)

    return empty


def _next_row(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    later.iloc[:1] *= FACTOR
    return later


def _last_row(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    later.iloc[-1:] *= FACTOR
    return later


def no_later_rows(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    """Return no row."""
    return later.iloc[:0]


def more_rows(later: pd.DataFrame, series: np.ndarray) -> pd.DataFrame:
    """Return the rows and others behind them, which repeat them; one series of several is empty there."""
    spacing = later.index[-1] - later.index[-2]
    more = later.iloc[np.arange(N_MORE_ROWS) % len(later)]
    more = more.set_axis(later.index[-1] + spacing * np.arange(1, N_MORE_ROWS + 1))
    return pd.concat([later, more * np.where((series == series.max()) & (series.max() > 0), np.nan, 1.0)])


#: Changes that the forecasts are repeated on at several cutoffs. A row's fields remain in order (High above Low).
MAIN: dict[str, Change] = {
    "noise": _noise,
    "nothing left": _nothing,
    "a constant": _constant,
    "reversal": _reversal,
    "scaling": _scaling,
}
#: Changes that the forecasts are repeated on at one cutoff, the preparation at several.
FURTHER: dict[str, Change] = {"next row only": _next_row, "holes": _holes, "series apart": _apart}
#: Changes that only the preparation is repeated on.
OF_PREPARATION: dict[str, Change] = {
    "shrinking": _shrinking,
    "series exchanged": _exchanged,
    **{f"series {number} emptied": _one_emptied(number - 1) for number in (1, 2, 3)},
    "last row only": _last_row,
    "removal": no_later_rows,
}
