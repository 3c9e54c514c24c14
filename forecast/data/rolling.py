"""Columns that are a statistic of the last rows of another one: bands, deviations, extremes, changes over many rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from forecast.data.kinds import MIN_ROWS, rounding_of
from forecast.data.relations import AGREES, MAX_SIZE, is_smooth

MAX_WINDOW = 260  # rows
WINDOWS = np.array([n for n in range(2, MAX_WINDOW + 1) if n <= 30 or n % 5 == 0 or n % 6 == 0 or n % 21 == 0])
MIN_VALUES = 4  # different ones of a column that may be a statistic
SAMPLED, VERIFIED = 12, 400  # rows that show which statistics may be a column, and rows that prove it
PRECISION = 1e-6  # of what is computed from rounded numbers, relative to its range
ROUNDING = 0.6  # of the place of the last decimal
SMALL = 0.05  # rounding, next to the variation of a column that can be recognised
BAND = "a band around its mean"


class Window(NamedTuple):
    """A column that is a statistic of another one's last rows, times a number, plus a constant."""

    column: int
    source: int
    how: str


class _Statistics(NamedTuple):
    """Statistics of W windows that end in each of R rows, of N columns, each of shape (R, W, N)."""

    mean: np.ndarray
    deviation: np.ndarray
    by_name: dict[str, np.ndarray]


@np.errstate(all="ignore")  # numbers without a logarithm or a deviation are no statistic
def find_window(values: np.ndarray) -> Window | None:
    """Return a column of a table (T, N), oldest row first, that is a statistic of the last rows of another one."""
    known = [i for i, x in enumerate(values.T) if np.isfinite(x).mean() >= 0.5 and np.nanmax(np.abs(x)) < MAX_SIZE]
    x = values[:, known]
    windows = WINDOWS[len(x) // 2 > WINDOWS]
    rows = np.flatnonzero(np.isfinite(x).all(axis=1))
    rows = rows[rows > len(x) // 2] if len(x) < 2 * MAX_WINDOW else rows[rows > MAX_WINDOW]
    if len(known) < 2 or len(rows) < MIN_ROWS:
        return None
    for sampled, columns in _samples(x, rows):
        for name, window, source, column in _candidates(x, rows, sampled, columns, windows):
            n = int(windows[window])
            if source != column and _is_statistic(x[:, [source, column]], rows, name, n):
                return Window(known[column], known[source], f"{name}, {n} rows")
    return None


def _samples(x: np.ndarray, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows that show which statistics columns of a table (T, N) may be, and those columns.

    Most columns vary between evenly spaced rows. A column that does not, as of payments, has rows of its own, on which
    it has different values; of a constant on those rows too, every statistic might be one.
    """
    sampled = rows[np.linspace(0, len(rows) - 1, SAMPLED).astype(int)]
    columns = np.arange(x.shape[1])
    flat = np.ptp(x[sampled], axis=0) <= 2 * np.array([_tolerance(x[rows, i]) for i in columns])
    if not flat.all():
        yield sampled, columns[~flat]
    for i in columns[flat]:
        _, first = np.unique(x[rows, i], return_index=True)
        if len(first) >= MIN_VALUES:
            yield np.sort(rows[first[np.unique(np.linspace(0, len(first) - 1, SAMPLED).astype(int))]]), columns[[i]]


def _candidates(
    x: np.ndarray, rows: np.ndarray, sampled: np.ndarray, columns: np.ndarray, windows: np.ndarray
) -> Iterator[tuple[str, int, int, int]]:
    """Yield what these columns may be, by the sampled rows: a statistic, its window's number, a source, a column."""
    y = x[sampled][:, columns]
    tolerance = np.array([_tolerance(x[rows, i]) for i in columns])
    limit = len(sampled) * tolerance**2 + PRECISION**2 * (y**2).sum(axis=0)
    statistics = _statistics(x, sampled, windows)
    alike = [(name, _are_alike(statistic, y, limit)) for name, statistic in statistics.by_name.items()]
    for name, found in [*alike, (BAND, _are_bands(statistics, y, limit))]:
        for window, source, column in found:
            yield name, int(window), int(source), int(columns[column])


def _tolerance(y: np.ndarray) -> float:
    return float(ROUNDING * rounding_of(y) + PRECISION * np.ptp(y))


def _statistics(x: np.ndarray, rows: np.ndarray, windows: np.ndarray) -> _Statistics:
    """Return the statistics of windows that end in some rows of a table (T, N)."""
    last = x[rows[:, None] - np.arange(windows[-1] + 1)]  # (R, rows, N), newest first
    changes = last[:, :-1] / last[:, 1:] - 1
    mean, deviation = _mean_and_deviation(last[:, :-1], windows)
    now, before = last[:, [0]], last[:, windows]
    high = np.maximum.accumulate(last, axis=1)[:, windows - 1]
    low = np.minimum.accumulate(last, axis=1)[:, windows - 1]
    by_name = {
        "its highest value": high,
        "its lowest value": low,
        "its change": now - before,
        "its relative change": now / before,
        "its logarithmic change": np.log(now / before),
        "its deviation from the mean": (now - mean) / deviation,
        "its place in the range": (now - low) / (high - low),
        "its distance from the mean": now / mean,
        "its distance from the highest value": now / high,
        "its standard deviation": deviation,
        "the standard deviation of its changes": _mean_and_deviation(changes, windows)[1],
        "the standard deviation of its logarithmic changes": _mean_and_deviation(np.log1p(changes), windows)[1],
    }
    return _Statistics(mean, deviation, by_name)


def _mean_and_deviation(x: np.ndarray, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation (R, W, N) of the first numbers of an array (R, rows, N)."""
    around, n = x - x[:, [0]], windows[:, None]  # so that the squares are small
    mean = around.cumsum(axis=1)[:, windows - 1] / n
    squares = (around**2).cumsum(axis=1)[:, windows - 1] / n
    return mean + x[:, [0]], np.sqrt(np.maximum(squares - mean**2, 0.0))


def _are_alike(statistic: np.ndarray, y: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Return the windows, sources and columns (found, 3) where a statistic (R, W, N) and a constant explain y (R, C).

    `limit` is the sum of the squares of what may be left.
    """
    s, y = statistic - statistic.mean(axis=0), y - y.mean(axis=0)
    s /= np.sqrt((s**2).sum(axis=0))
    explained = np.sqrt(np.maximum((y**2).sum(axis=0) - limit, 0.0))
    along = s.reshape(len(s), -1).T @ y
    found = np.argwhere(np.abs(along, out=along) >= explained)
    n_sources = statistic.shape[2]
    return np.column_stack([found[:, 0] // n_sources, found[:, 0] % n_sources, found[:, 1]])


def _are_bands(statistics: _Statistics, y: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Return the windows, sources and columns (found, 3) where y (R, N) is a mean and a multiple of the deviation."""
    mean, deviation = (part.reshape(len(y), -1) for part in (statistics.mean, statistics.deviation))
    mean = mean - y.mean()
    y = y - y.mean()
    deviation = deviation / np.sqrt((deviation**2).sum(axis=0))
    left = (mean**2).sum(axis=0)[:, None] + (y**2).sum(axis=0) - limit
    left -= 2 * (mean.T @ y)
    along = deviation.T @ y
    along -= (mean * deviation).sum(axis=0)[:, None]
    found = np.argwhere(np.square(along, out=along) >= left)
    n_sources = statistics.mean.shape[2]
    return np.column_stack([found[:, 0] // n_sources, found[:, 0] % n_sources, found[:, 1]])


def _is_statistic(x: np.ndarray, rows: np.ndarray, name: str, window: int) -> bool:
    """Return whether the second of two columns (T, 2) is a statistic of the first one in nearly all rows."""
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, VERIFIED).astype(int))]
    statistics = _statistics(x[:, :1], rows, np.array([window]))
    is_band = name == BAND
    statistic = (statistics.deviation if is_band else statistics.by_name[name])[:, 0, 0]
    y = x[rows, 1] - (statistics.mean[:, 0, 0] if is_band else 0.0)
    known = np.isfinite(statistic) & np.isfinite(y)
    known[1:] &= (np.diff(x[rows, 1]) != 0) | (np.diff(statistic) != 0)  # rates that are held show nothing
    if known.sum() < MIN_ROWS:
        return False
    y, design = y[known], np.column_stack([statistic, np.full(len(rows), 0.0 if is_band else 1.0)])[known]
    errors = np.abs(y - design @ np.linalg.lstsq(design, y)[0])
    tolerance = _tolerance(x[rows, 1])
    if tolerance > SMALL * y.std() or float((errors <= tolerance).mean()) < AGREES:
        return False
    return not is_smooth(x[rows, 1], 4 * tolerance)
