"""The inputs of the pretrained network: causal, independent of the series' scale and level, and aware of its season.

A series is split into a pattern, its mean deviation at each place in the season, and the adjusted series, which is
without it. The network reads both, and for each step a set of simple forecasts (guides), which it combines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LAGS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 28, 32)
HALF_LIVES = (1, 2, 4, 8, 16, 32, 64)
GUIDE_MEANS = (0, 1, 3, 5, len(HALF_LIVES))  # of the means, those that are guides
GUIDE_SLOPES = (4, 16, 64, 256)  # rows over which slopes are guides
SCALE_HALF_LIFE, SHORT_HALF_LIFE = 24, 4
CYCLES = 3  # whose mean pattern is one of the seasonal guides
WEEK = 7  # seasons after which another guide repeats: days of a week, where the season is a day
WINDOW = 1024  # rows to which the inputs look back
PATTERN_CYCLES = 8  # to which the pattern looks back

N_ROW_INPUTS = 1 + 2 * len(LAGS) + len(HALF_LIVES) + 1 + 21
N_GUIDES = 5 + len(GUIDE_MEANS) + len(GUIDE_SLOPES) + 4
N_STEP_INPUTS = N_GUIDES + 7


@dataclass(frozen=True)
class EncodedSeries:
    """Series with what is computed once for all rows.

    Attributes
    ----------
    values, adjusted : array of shape (B, T)
        The values, missing ones replaced by the value before, and the values without the pattern.
    scale : array of shape (B, T)
        The mean size of recent changes: of the values, of the adjusted ones or from one season to the next, whichever
        is the smallest.
    rows : array of shape (B, T', C), float32
        The inputs of the last T' rows.
    seasons : array of shape (B,)
        Rows in a season, 1 for none.
    means : array of shape (B, T, M)
        Exponential means of the adjusted values, and last the mean of the last rows.
    cycle : array of shape (B, T)
        Mean of the last `seasons` rows.
    pattern : array of shape (B, T)
        Mean difference of the values at this place in the last seasons from the mean of the season up to them, times
        the share of the variance that it has predicted.
    levels, changes, places : tuple of two arrays of shape (B, T)
        Mean and coefficient of a first-order autoregression of the adjusted values, of their changes, and of the
        values on those one season before.
    """

    values: np.ndarray
    adjusted: np.ndarray
    scale: np.ndarray
    rows: np.ndarray
    seasons: np.ndarray
    means: np.ndarray
    cycle: np.ndarray
    pattern: np.ndarray
    levels: tuple[np.ndarray, np.ndarray]
    changes: tuple[np.ndarray, np.ndarray]
    places: tuple[np.ndarray, np.ndarray]


def encode(values: np.ndarray, observed: np.ndarray, seasons: np.ndarray, first: int = 0) -> EncodedSeries:
    """Return the inputs of series (B, T) of which the first value is observed; a row's inputs use no later row.

    Inputs of rows before the row `first` are left out.
    """
    y = fill_forward(values, observed)
    y = y - y[:, :1]
    cycle, pattern, seasonal = _seasonal_parts(y, seasons)
    adjusted = y - pattern
    recent, quiet, short, scale = _sizes(y, adjusted, seasonal, observed)
    smooth = exponential_means(adjusted, HALF_LIVES)
    means = np.concatenate([smooth, window_mean(adjusted, WINDOW)[..., None]], axis=-1)
    one = np.ones(len(y), dtype=np.int64)
    levels, changes = autoregression(adjusted, one), autoregression(_changes(adjusted), one)
    places = autoregression(y, seasons)
    safe, n = np.where(scale > 0, scale, 1.0), y.shape[1] - first

    def scaled(x: np.ndarray) -> np.ndarray:
        return np.arcsinh(x[:, -n:] / safe[:, -n:])

    t, blank = np.minimum(np.arange(y.shape[1]) + 1.0, WINDOW), np.zeros_like(y)
    m = seasons[:, None].astype(float)
    columns = [
        scaled(_changes(y)),
        *(scaled(y - lag(y, k)) for k in LAGS),
        *(scaled(adjusted - lag(adjusted, k)) for k in LAGS),
        *(scaled(adjusted - means[..., i]) for i in range(means.shape[-1])),
        scaled((adjusted - lag(adjusted, WINDOW)) / np.sqrt(t)),
        np.log(np.maximum(short, 1e-3 * safe) / np.maximum(quiet, 1e-3 * safe)),
        np.log(safe / np.maximum(recent, 1e-9 * safe)),
        np.log(safe / np.maximum(quiet, 1e-9 * safe)).clip(-5, 5),
        levels[1],
        changes[1],
        np.where(m > 1, places[1], 0.0),
        scaled(changes[0]),
        blank + np.log(t) / 3,
        blank + 1 / t,
        observed,
        blank + (scale > 0),
        scaled(seasonal),
        scaled(_changes(seasonal)),
        scaled(cycle - lag_by(cycle, seasons)),
        scaled(y - cycle),
        scaled(np.where((m >= WEEK) & (t >= (WEEK + 1) * m), y - cycle - lag_by(y - cycle, WEEK * seasons), 0.0)),
        scaled(pattern),
        blank + np.log(m) / 2,
        blank + (m > 1),
        np.where(m > 1, np.log1p(np.minimum(t / m, PATTERN_CYCLES)), 0.0),
    ]
    rows = np.stack([column[:, -n:] for column in columns], axis=-1).astype(np.float32)
    return EncodedSeries(y, adjusted, scale, rows, seasons, means, cycle, pattern, levels, changes, places)


def _sizes(y: np.ndarray, adjusted: np.ndarray, seasonal: np.ndarray, observed: np.ndarray) -> list[np.ndarray]:
    """Return mean sizes of changes: of values, of adjusted ones, of these recently; and the scale, (B, T) each."""
    weight = observed.astype(float)
    weight[:, 0] = 0.0
    sizes = [np.abs(_changes(series)) for series in (y, adjusted)]
    recent, quiet = _weighted_means(sizes, weight, SCALE_HALF_LIFE)
    (season_size,) = _weighted_means([np.abs(seasonal)], weight * (seasonal != 0), SCALE_HALF_LIFE)
    (short,) = _weighted_means(sizes[1:], weight, SHORT_HALF_LIFE)
    scale = np.minimum(recent, np.where(season_size > 0, np.minimum(quiet, season_size), recent))
    return [recent, quiet, short, np.maximum(scale, 1e-3 * recent)]


def step_inputs(series: EncodedSeries, rows: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what is known of steps (K,) after rows (B, P) of each series, over the scale.

    Returns
    -------
    guides : array of shape (B, P, K, N_GUIDES), float32
        First the newest adjusted value plus the pattern, as difference from the value of the row; then differences of
        other simple forecasts from it, of the value of the row too; then changes by a trend.
    inputs : array of shape (B, P, K, N_STEP_INPUTS), float32
        Inputs of each step.
    """
    t, k = rows[..., None], np.broadcast_to(steps, (*rows.shape, len(steps)))
    m = series.seasons[:, None, None]
    now, adjusted, cycle = _at(series.values, t), _at(series.adjusted, t), _at(series.cycle, t)
    same = t + k - m * -(-k // m)  # the newest row at the step's place in the season
    has_season = (m > 1) & (t + 1 >= m)
    cycles, count = _mean_of_cycles(series, t, same, m)
    ended = np.minimum(t + m * (-(-k // m) - WEEK), t)  # of the season that has the step's place, a week before
    weeks, week_count = _mean_of_cycles(series, ended, np.minimum(t + k - WEEK * m, t), WEEK * m)
    pattern = np.where(has_season, _at(series.pattern, same), 0.0)  # what is added to a level
    first = adjusted + pattern
    seasonal = [_at(series.values, same), cycles + cycle, _seasonal_autoregressive_guide(series, t, k, same)]
    levels = [
        now + 0 * first,
        *(_at(series.means[..., i], t) + pattern for i in GUIDE_MEANS),
        *(guide + pattern for guide in _autoregressive_guides(series, t, k, adjusted)),
    ]
    guides = [
        first - now,
        *(np.where(has_season, guide - first, 0.0) for guide in seasonal),
        np.where((m >= WEEK) & (week_count > 0), weeks + cycle - first, 0.0),
        *(guide - first for guide in levels),
        *(k * (adjusted - _at(series.adjusted, t - n)) / np.clip(t, 1, n) for n in GUIDE_SLOPES),
        k * np.where((m > 1) & (t + 1 >= 2 * m), cycle - _at(series.cycle, t - m), 0.0) / m,
    ]
    scale = _at(series.scale, t)[..., None]
    stacked = np.stack(guides, axis=-1) / np.where(scale > 0, scale, 1.0)
    known = [np.log(k) / 2, np.sqrt(k) / 4, 1 / k, has_season + 0 * k, count / CYCLES, week_count / CYCLES]
    known += [np.where(m > 1, k / m, 0.0)]
    inputs = np.concatenate([np.arcsinh(stacked), np.stack(known, axis=-1)], axis=-1)
    return stacked.astype(np.float32), inputs.astype(np.float32)


def _mean_of_cycles(
    series: EncodedSeries, t: np.ndarray, same: np.ndarray, period: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean deviation of rows `same`, and of those periods before, from the season up to t, and to then.

    Also the number of values of which it is the mean, at most three.
    """
    m = series.seasons[:, None, None]
    total, count = np.zeros(same.shape), np.zeros(same.shape)
    for j in range(CYCLES):
        ended = t - j * period
        usable = ended >= m - 1
        total += np.where(usable, _at(series.values, same - j * period) - _at(series.cycle, ended), 0.0)
        count += usable
    return total / np.maximum(count, 1), count


def _autoregressive_guides(
    series: EncodedSeries, t: np.ndarray, k: np.ndarray, adjusted: np.ndarray
) -> list[np.ndarray]:
    """Return the forecasts of first-order autoregressions of the adjusted values and of their changes."""
    mean, coefficient = (_at(array, t) for array in series.levels)
    level = mean + coefficient**k * (adjusted - mean)
    drift, coefficient = (_at(array, t) for array in series.changes)
    newest = adjusted - _at(series.adjusted, t - 1)
    total = coefficient * (1 - coefficient**k) / (1 - coefficient)
    return [level, adjusted + k * drift + total * (newest - drift)]


def _seasonal_autoregressive_guide(series: EncodedSeries, t: np.ndarray, k: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Return the forecast of a first-order autoregression of the values on those one season before."""
    m = series.seasons[:, None, None]
    mean, coefficient = (_at(array, t) for array in series.places)
    return mean + coefficient ** -(-k // m) * (_at(series.values, same) - mean)


def _at(table: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the values of a table (B, T) at rows (B, P, K), those before the first row being the first."""
    flat = np.maximum(rows, 0).reshape(len(table), -1)
    return np.take_along_axis(table, flat, axis=1).reshape(rows.shape)


def fill_forward(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return series (B, T) with the value before in place of each missing one."""
    newest = np.maximum.accumulate(np.where(observed, np.arange(values.shape[1]), 0), axis=1)
    return np.take_along_axis(values, newest, axis=1)


def lag(y: np.ndarray, k: int) -> np.ndarray:
    """Return series (B, T) k rows ago, the first value where there is none."""
    return np.concatenate([np.repeat(y[:, :1], min(k, y.shape[1]), axis=1), y[:, :-k]], axis=1)


def lag_by(y: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Return series (B, T) of which each is lagged by its own number of rows (B,)."""
    rows = np.maximum(np.arange(y.shape[1]) - k[:, None], 0)
    return np.take_along_axis(y, rows, axis=1)


def window_mean(y: np.ndarray, rows: int) -> np.ndarray:
    """Return the mean of the last rows of series (B, T, …), of fewer at the start."""
    sums = np.cumsum(y, axis=1)
    counts = np.minimum(np.arange(1, y.shape[1] + 1.0), rows)
    means = sums / counts.reshape(-1, *[1] * (y.ndim - 2))
    means[:, rows:] = (sums[:, rows:] - sums[:, :-rows]) / rows
    return means


def autoregression(y: np.ndarray, lags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the coefficient of autoregressions of the last rows of series (B, T), each on its own lag.

    The coefficient is least squares', between −.95 and .99, drawn towards 0 where there are few rows.
    """
    before = lag_by(y, lags)
    mean, mean_before = window_mean(y, WINDOW), window_mean(before, WINDOW)
    product = window_mean(y * before, WINDOW) - mean * mean_before
    square = window_mean(before**2, WINDOW) - mean_before**2
    t = np.minimum(np.arange(1, y.shape[1] + 1.0), WINDOW)
    ratio = product / np.where(square > 1e-12 * (mean**2 + 1e-300), square, np.inf)
    return mean, np.clip(ratio * t / (t + 3), -0.95, 0.99)


def _changes(y: np.ndarray) -> np.ndarray:
    return np.diff(y, axis=1, prepend=y[:, :1])


def exponential_means(y: np.ndarray, half_lives: Sequence[float]) -> np.ndarray:
    """Return the exponential means (B, T, M) of series (B, T) that start at 0, one for each half-life in rows."""
    keep = 0.5 ** (1 / np.asarray(half_lives, float))
    new = np.ascontiguousarray(y.T)[..., None] * (1 - keep)  # (T, B, M)
    for t in range(1, len(new)):
        new[t] += keep * new[t - 1]
    return np.ascontiguousarray(new.transpose(1, 0, 2))


def _weighted_means(x: Sequence[np.ndarray], weight: np.ndarray, half_life: float) -> list[np.ndarray]:
    """Return exponential means of each x (B, T) by the same weights, 0 before there is any."""
    sums = exponential_means(np.concatenate([weight, *(values * weight for values in x)]), [half_life])[..., 0]
    total, *summed = np.split(sums, 1 + len(x))
    safe = np.where(total > 0, total, 1.0)
    return [values / safe for values in summed]


def _seasonal_parts(y: np.ndarray, seasons: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of the last season, the pattern, and the change over a season: each (B, T)."""
    cycle, pattern, change = y.copy(), np.zeros_like(y), np.zeros_like(y)
    for m in np.unique(seasons[seasons > 1]):
        chosen = seasons == m
        own = y[chosen]
        cycle[chosen] = mean = window_mean(own, int(m))
        if y.shape[1] <= m:
            continue
        deviation = own - mean
        pattern[chosen] = _mean_by_place(deviation, int(m))
        change[chosen, m:] = own[:, m:] - own[:, :-m]
        pattern[chosen] *= _predicted_share(deviation, pattern[chosen], int(m))
    return cycle, pattern, change


def _predicted_share(deviation: np.ndarray, pattern: np.ndarray, m: int) -> np.ndarray:
    """Return the share of the deviations' variance that the pattern of the season before has predicted, (B, T)."""
    known = np.zeros(deviation.shape[1])
    known[2 * m - 1 :] = 1.0
    weight = np.broadcast_to(known, deviation.shape)
    errors = [(deviation - lag(pattern, m)) ** 2, deviation**2]
    error, size = _weighted_means(errors, weight, 2 * m)
    share = np.clip(1 - error / np.where(size > 0, size, np.inf), 0, 1)
    return np.where(known > 0, np.where(size > 0, share, 0.0), 1.0)


def _mean_by_place(u: np.ndarray, m: int) -> np.ndarray:
    """Return the mean of u (B, T) over the last rows at the same place in the season, from the first full season."""
    b, rows = u.shape
    first = m - 1
    length = -(-(rows - first) // m) * m
    padded = np.zeros((b, length))
    padded[:, : rows - first] = u[:, first:]
    folded = window_mean(padded.reshape(b, -1, m), PATTERN_CYCLES)
    out = np.zeros_like(u)
    out[:, first:] = folded.reshape(b, length)[:, : rows - first]
    return out
