"""The simulated processes that the pretrained network learns from: no real series is read.

A batch of series is an array (n, rows). Each process is a function of a random generator and this shape; its parameters
are drawn for each series. `draw_batch` combines processes, seasons and disturbances.

References
----------
Dooley et al. (2023), ForecastPFN; Ansari et al. (2024), Chronos (KernelSynth); Moroshan et al. (2025), TempoPFN: other
collections of processes that forecasters are trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Process = Callable[[np.random.Generator, int, int], np.ndarray]
#: Seasons and their shares among seasonal series.
SEASONS = {4: 2, 5: 1, 6: 0.5, 7: 2, 12: 4, 21: 0.3, 24: 2, 48: 0.7, 52: 1.5, 96: 0.4, 168: 0.7, 252: 0.4}
WEEK = 7  # seasons in a second season
BURN_IN = 40  # rows that are simulated before the first


@dataclass(frozen=True)
class SimulatedBatch:
    """Simulated series (n, rows), whether each value is observed, and the rows in each series' season, 1 for none."""

    values: np.ndarray
    observed: np.ndarray
    seasons: np.ndarray  # (n,)


# --- shocks ----------------------------------------------------------------------------------------------------------


def log_uniform(rng: np.random.Generator, low: float, high: float, size: int | tuple[int, ...]) -> np.ndarray:
    """Return numbers whose logarithm is uniform."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def shocks(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return independent shocks of variance about 1: normal or Student's t, of constant or changing variance."""
    z = rng.normal(size=(n, rows))
    degrees = rng.uniform(2.5, 10, (n, 1))
    heavy = z * np.sqrt((degrees - 2) / (2 * rng.gamma(degrees / 2, size=(n, rows))))
    z = np.where(rng.random((n, 1)) < 0.4, heavy, z)
    kind = rng.choice(3, n, p=(0.55, 0.3, 0.15))
    deviation = np.ones((n, rows))
    deviation[kind == 1] = stochastic_volatility(rng, int((kind == 1).sum()), rows)
    deviation[kind == 2] = steps_of_volatility(rng, int((kind == 2).sum()), rows)
    return z * deviation


def garch_shocks(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return GARCH(1,1) shocks of variance 1, with the persistences of daily and weekly prices."""
    persistence, reaction = rng.uniform(0.9, 0.995, n), rng.uniform(0.03, 0.15, n)
    z, out, variance = rng.normal(size=(rows, n)), np.empty((rows, n)), np.ones(n)
    degrees = rng.uniform(4, 12, n)
    z *= np.where(rng.random(n) < 0.6, np.sqrt((degrees - 2) / (2 * rng.gamma(degrees / 2, size=(rows, n)))), 1.0)
    for t in range(rows):
        out[t] = np.sqrt(variance) * z[t]
        variance = (1 - persistence) + (persistence - reaction) * variance + reaction * np.minimum(out[t] ** 2, 50)
    return out.T


def stochastic_volatility(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return standard deviations whose logarithm is a first-order autoregression."""
    persistence = 1 - log_uniform(rng, 0.005, 0.2, n)
    size = rng.uniform(0.2, 0.9, n)
    path = size[:, None] * first_order(rng.normal(size=(n, rows)), persistence, rng.normal(size=n))
    return np.exp(path - size[:, None] ** 2)


def steps_of_volatility(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return standard deviations that change at a few random rows."""
    changes = rng.random((n, rows)) < rng.uniform(0.5, 4, (n, 1)) / rows
    return np.exp(np.cumsum(changes * rng.normal(0, 0.8, (n, rows)), axis=1))


def first_order(x: np.ndarray, coefficient: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return first-order autoregressions (n, rows) of variance 1 from independent shocks x."""
    out, value = (np.sqrt(1 - coefficient**2)[:, None] * x).T.copy(), start
    for row in out:  # contiguous
        row += coefficient * value
        value = row
    return out.T


# --- processes: each returns (n, rows), whose changes have any size --------------------------------------------------


def arma(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return ARMA(2,1) series, half of them near the unit root."""
    near = 1 - log_uniform(rng, 0.003, 0.3, n)
    first = np.where(rng.random(n) < 0.5, near, rng.uniform(-0.5, 0.98, n))
    second = np.where(rng.random(n) < 0.5, 0.0, rng.uniform(-0.8, 0.9, n))
    average = np.where(rng.random(n) < 0.5, 0.0, rng.uniform(-0.9, 0.9, n))
    return _arma(shocks(rng, n, rows + BURN_IN), first, second, average)[:, BURN_IN:]


def _arma(e: np.ndarray, first: np.ndarray, second: np.ndarray, average: np.ndarray) -> np.ndarray:
    """Return the series whose autoregressive roots are `first` and `second`."""
    total, product = first + second, first * second
    out = e.T.copy()  # rows are contiguous
    out[1:] += average * e.T[:-1]
    last, before = np.zeros(len(e)), np.zeros(len(e))
    for row in out:
        row += total * last - product * before
        last, before = row, last
    return out.T


def integrated(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return sums of stationary ARMA changes, with a drift."""
    first, average = rng.uniform(-0.6, 0.85, n), rng.uniform(-0.8, 0.6, n)
    keep = rng.random((2, n)) < 0.6
    changes = _arma(shocks(rng, n, rows), first * keep[0], np.zeros(n), average * keep[1])
    return np.cumsum(changes + drift(rng, n, 0.5), axis=1)


def drift(rng: np.random.Generator, n: int, largest: float) -> np.ndarray:
    """Return mean changes (n, 1) in units of a shock; 0 for a third."""
    size = log_uniform(rng, 0.01, largest, (n, 1)) * rng.choice([-1, 1], (n, 1))
    return np.where(rng.random((n, 1)) < 1 / 3, 0.0, size)


def trend(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return lines with autoregressive noise, or random walks with a drift that is as large as a shock."""
    noise = first_order(shocks(rng, n, rows), rng.uniform(0, 0.98, n), np.zeros(n))
    steps = shocks(rng, n, rows)
    slope = rng.uniform(0.1, 1.5, (n, 1))
    line = slope * np.arange(rows)
    return line + np.where(rng.random((n, 1)) < 0.4, noise, np.cumsum(steps, axis=1))


def walk(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return random walks as of prices: GARCH or stochastic volatility, and a small drift or none."""
    garch = garch_shocks(rng, n, rows)
    other = rng.normal(size=(n, rows)) * stochastic_volatility(rng, n, rows)
    steps = np.where(rng.random((n, 1)) < 0.6, garch, other)
    return np.cumsum(steps + drift(rng, n, 0.1), axis=1)


def local_level(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return random walks with noise."""
    ratio = log_uniform(rng, 0.01, 3, (n, 1))
    return np.cumsum(ratio * shocks(rng, n, rows), axis=1) + shocks(rng, n, rows)


def local_trend(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return walks whose mean change is a damped or undamped walk itself, with noise."""
    damping = np.where(rng.random(n) < 0.3, 1.0, 1 - log_uniform(rng, 0.01, 0.4, n))
    level, slope = log_uniform(rng, 0.01, 2, n), log_uniform(rng, 0.003, 0.7, n)
    e, noise = rng.normal(size=(n, rows)), shocks(rng, n, rows)
    steps = level[:, None] * shocks(rng, n, rows)
    start = np.maximum(3 * slope, log_uniform(rng, 0.02, 1, n)) * rng.normal(size=n)
    out, value, change = np.empty((n, rows)), np.zeros(n), start
    for t in range(rows):
        value = value + change + steps[:, t]
        change = damping * change + slope * e[:, t]
        out[:, t] = value
    return out + noise * rng.choice([0.0, 1.0], (n, 1), p=(0.3, 0.7))


def broken_trends(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return lines whose slope changes at a few random rows, with ARMA noise."""
    breaks = rng.random((n, rows)) < log_uniform(rng, 1 / 200, 1 / 15, (n, 1))
    breaks[:, 0] = True
    slope = rng.standard_t(3, (n, rows)) * log_uniform(rng, 0.01, 0.5, (n, 1))
    rows_of = np.maximum.accumulate(np.where(breaks, np.arange(rows), 0), axis=1)
    return np.cumsum(np.take_along_axis(slope, rows_of, axis=1), axis=1) + arma(rng, n, rows)


def waves(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return sums of slow sine waves, with ARMA noise."""
    out, t = np.zeros((n, rows)), np.arange(rows)
    for _ in range(3):
        period, phase = log_uniform(rng, 10, 400, (n, 1)), rng.uniform(0, 2 * np.pi, (n, 1))
        out += log_uniform(rng, 0.1, 1, (n, 1)) * np.sin(2 * np.pi * t / period + phase)
    noise = arma(rng, n, rows)
    return out * log_uniform(rng, 0.5, 10, (n, 1)) + noise / noise.std(axis=1, keepdims=True)


def long_memory(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return fractional noise, whose correlations decay slowly, as those of volatility; half of them with noise."""
    d, burn_in = rng.uniform(0.1, 0.7, (n, 1)), 200
    j = np.arange(1, rows + burn_in)
    weights = np.cumprod(np.concatenate([np.ones((n, 1)), (j - 1 + d) / j], axis=1), axis=1)
    size = 2 * (rows + burn_in)  # no wrap-around
    e = shocks(rng, n, rows + burn_in)
    out = np.fft.irfft(np.fft.rfft(weights, size) * np.fft.rfft(e, size), size)[:, burn_in : burn_in + rows]
    return out + log_uniform(rng, 0.1, 2, (n, 1)) * (rng.random((n, 1)) < 0.5) * rng.normal(size=(n, rows))


def regimes(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return autoregressions whose mean and standard deviation switch between two states."""
    leave = log_uniform(rng, 0.005, 0.1, (n, 1))
    state = np.cumsum(rng.random((n, rows)) < leave, axis=1) % 2
    mean = np.where(state == 1, rng.normal(0, 3, (n, 1)), 0.0)
    deviation = np.where(state == 1, log_uniform(rng, 0.3, 3, (n, 1)), 1.0)
    noise = first_order(shocks(rng, n, rows), rng.uniform(-0.2, 0.95, n), np.zeros(n))
    return mean + deviation * noise


def saturation(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return growth that saturates, a logistic curve, with noise in proportion to it."""
    t = np.arange(rows)
    middle, width = rng.uniform(-0.5, 1.2, (n, 1)) * rows, log_uniform(rng, 0.03, 0.5, (n, 1)) * rows
    curve = 1 / (1 + np.exp(-(t - middle) / width)) + rng.uniform(0, 0.5, (n, 1))
    noise = arma(rng, n, rows)
    return curve * (10 + log_uniform(rng, 0.01, 1, (n, 1)) * noise / noise.std(axis=1, keepdims=True))


def growth(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return compound growth or decline, at a noisy rate that changes slowly."""
    rate = np.minimum(log_uniform(rng, 0.003, 0.1, (n, 1)), 5 / rows) * rng.choice([-1, 1], (n, 1), p=(0.2, 0.8))
    slow = first_order(rng.normal(size=(n, rows)), 1 - log_uniform(rng, 0.005, 0.2, n), rng.normal(size=n))
    noise = first_order(shocks(rng, n, rows), rng.uniform(-0.3, 0.7, n), np.zeros(n))
    changing = rng.uniform(0, 1, (n, 1)) * slow + log_uniform(rng, 0.1, 5, (n, 1)) * noise
    return np.exp(np.cumsum(rate * (1 + changing), axis=1).clip(-15, 15))


def counts(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return intermittent counts, of which many are 0."""
    level = first_order(rng.normal(size=(n, rows)), np.full(n, 0.98), np.zeros(n))
    rate = log_uniform(rng, 0.05, 1, (n, 1)) * np.exp(0.5 * level)
    occurs = rng.random((n, rows)) < np.minimum(rate, 1)
    size = 1 + rng.poisson(log_uniform(rng, 0.2, 20, (n, 1)), (n, rows))
    return (occurs * size).astype(float)


#: The processes and their shares of the series.
PROCESSES: dict[Process, float] = {
    arma: 0.12,
    integrated: 0.12,
    trend: 0.2,
    walk: 0.18,
    local_level: 0.1,
    local_trend: 0.16,
    broken_trends: 0.08,
    waves: 0.04,
    long_memory: 0.06,
    regimes: 0.03,
    saturation: 0.04,
    growth: 0.08,
    counts: 0.03,
}


def draw_process(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return series of random processes, of which the changes have a standard deviation of 1."""
    shares = np.array(list(PROCESSES.values()))
    kind = rng.choice(len(shares), n, p=shares / shares.sum())
    out = np.empty((n, rows))
    for i, process in enumerate(PROCESSES):
        if members := int((kind == i).sum()):
            out[kind == i] = process(rng, members, rows)
    return standardise(out)


def standardise(values: np.ndarray) -> np.ndarray:
    """Return series whose changes have a standard deviation of 1, and which start at 0."""
    values = values - values[:, :1]
    size = np.diff(values, axis=1).std(axis=1, keepdims=True)
    return values / np.where(size > 0, size, 1.0)


# --- seasons ---------------------------------------------------------------------------------------------------------


def season(rng: np.random.Generator, periods: np.ndarray, rows: int) -> np.ndarray:
    """Return seasonal patterns (n, rows) with mean about 0 and size 1: harmonic, free or a peak, fixed or changing."""
    out = np.empty((len(periods), rows))
    for m in np.unique(periods):
        chosen = periods == m
        out[chosen] = _season(rng, int(chosen.sum()), int(m), rows)
    return out


def _season(rng: np.random.Generator, n: int, m: int, rows: int) -> np.ndarray:
    cycles = -(-rows // m) + 1
    t = np.arange(m) / m
    waves = np.zeros((n, m))
    for k in range(1, min(m // 2, 6) + 1):
        size = rng.normal(size=(2, n, 1)) / k ** rng.uniform(0.3, 2, (n, 1))
        waves += size[0] * np.sin(2 * np.pi * k * t) + size[1] * np.cos(2 * np.pi * k * t)
    free, peak = rng.normal(size=(n, m)), (np.arange(m) == rng.integers(m, size=(n, 1))).astype(float)
    kind = rng.choice(3, (n, 1), p=(0.5, 0.4, 0.1))
    pattern = np.where(kind == 0, waves, np.where(kind == 1, free, peak))
    pattern = pattern - pattern.mean(axis=1, keepdims=True)
    pattern /= np.maximum(pattern.std(axis=1, keepdims=True), 1e-9)
    rate = log_uniform(rng, 0.005, 0.3, (n, 1, 1)) * (rng.random((n, 1, 1)) < 0.5)
    change = np.cumsum(rate * rng.normal(size=(n, cycles, m)), axis=1)
    change -= change.mean(axis=2, keepdims=True)
    passing = _passing_pattern(rng, n, m, cycles)
    fixed = rng.uniform(0, 1, (n, 1, 1)) * (rng.random((n, 1, 1)) < 0.5)
    returns = rng.random((n, 1, 1)) < 0.2
    start = int(rng.integers(m))
    out = np.where(returns, fixed * pattern[:, None] + passing, pattern[:, None] + change)
    return out.reshape(n, cycles * m)[:, start : start + rows]


def _passing_pattern(rng: np.random.Generator, n: int, m: int, cycles: int) -> np.ndarray:
    """Return patterns (n, cycles, m) of which each value is a first-order autoregression from season to season."""
    coefficient = rng.uniform(0.1, 0.98, n)
    e = rng.normal(size=(n, m, cycles)).reshape(n * m, cycles)
    series = first_order(e, np.repeat(coefficient, m), rng.normal(size=n * m))
    return series.reshape(n, m, cycles).transpose(0, 2, 1)


def seasonal_autoregression(rng: np.random.Generator, periods: np.ndarray, rows: int) -> np.ndarray:
    """Return series whose values are autoregressions on those one season before, with noise of three kinds."""
    n = len(periods)
    coefficient = np.where(rng.random(n) < 0.15, 1.0, rng.uniform(0, 0.99, n))
    kind = rng.choice(3, (n, 1), p=(0.5, 0.35, 0.15))
    coloured, change = (standardise(process(rng, n, rows)) for process in (arma, integrated))
    noise = np.where(kind == 0, shocks(rng, n, rows), np.where(kind == 1, coloured, change))
    out = noise.T.copy()
    for t in range(1, rows):
        seasonal = t >= periods
        out[t, seasonal] += coefficient[seasonal] * out[t - periods[seasonal], seasonal]
    return standardise(out.T)


def draw_seasons(rng: np.random.Generator, n: int, longest: int) -> np.ndarray:
    """Return seasons (n,), none longer than `longest` rows."""
    periods = [m for m in SEASONS if m <= longest]
    shares = np.array([SEASONS[m] for m in periods])
    return rng.choice(periods, n, p=shares / shares.sum())


def add_seasons(rng: np.random.Generator, values: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """Return series with a season of sizes from a tenth of a change to twenty; a quarter has none though it is given.

    Every fourth season of 7 rows or more has a second one, of seven times its period, or of a seventh of it; of every
    tenth series it is nearly all that changes.
    """
    n, rows = values.shape
    size = log_uniform(rng, 0.1, 20, (n, 1)) * (rng.random((n, 1)) < 0.75)
    size = np.where(periods[:, None] > 1, size, 0.0)
    hidden = (periods == 1) & (rng.random(n) < 0.08)  # a season that nobody has declared
    real = np.where(hidden, draw_seasons(rng, n, 24), np.maximum(periods, 2))
    size = np.where(hidden[:, None], log_uniform(rng, 0.1, 3, (n, 1)), size)
    longer = (real >= WEEK) & (2 * WEEK * real <= rows)
    shorter = (real >= 4 * WEEK) & (real % WEEK == 0)
    has_second = (longer | shorter) & (rng.random(n) < 0.25)
    other = np.where(shorter, real // WEEK, np.where(longer, WEEK * real, 2))
    second = season(rng, np.where(has_second, other, 2), rows) * (log_uniform(rng, 0.2, 2, n) * has_second)[:, None]
    quiet = np.where((periods[:, None] > 1) & (rng.random((n, 1)) < 0.1), log_uniform(rng, 0.01, 0.5, (n, 1)), 1.0)
    return quiet * values + size * (season(rng, real, rows) + second)


# --- disturbances ----------------------------------------------------------------------------------------------------


def change_shape(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """Return series, a fifth of them as exponentials and a quarter as logarithms of a positive series."""
    n = len(values)
    kind = rng.choice(3, (n, 1), p=(0.6, 0.15, 0.25))
    spread = np.maximum(np.ptp(values, axis=1, keepdims=True), 1e-9)
    grown = np.exp(log_uniform(rng, 0.05, 3, (n, 1)) * (values - values.min(axis=1, keepdims=True)) / spread)
    floor = values.min(axis=1, keepdims=True) - log_uniform(rng, 0.02, 3, (n, 1)) * spread
    return np.where(kind == 0, values, np.where(kind == 1, standardise(grown), standardise(np.log(values - floor))))


def disturb(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """Return series with outliers, shifts of the level, rounding and limits, each in some of them."""
    n, rows = values.shape
    scale = np.maximum(np.abs(np.diff(values, axis=1)).mean(axis=1, keepdims=True), 1e-9)

    def chosen(share: float) -> np.ndarray:
        return rng.random((n, 1)) < share

    outliers = (rng.random((n, rows)) < 0.01) * chosen(0.12)
    values = values + outliers * scale * rng.standard_t(3, (n, rows)) * 5
    shifts = (rng.random((n, rows)) < 1.5 / rows) * chosen(0.2)
    values = values + np.cumsum(shifts * scale * rng.normal(0, 6, (n, rows)), axis=1)
    grid = scale * log_uniform(rng, 0.03, 2, (n, 1))
    values = np.where(chosen(0.12), np.round(values / grid) * grid, values)
    limit = np.quantile(values, 0.3, axis=1, keepdims=True)
    return np.where(chosen(0.03), np.maximum(values, limit), values)


def flip(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """Return series, half of them with the opposite sign and a tenth reversed in time."""
    n = len(values)
    values = np.where(rng.random((n, 1)) < 0.1, values[:, ::-1], values)
    return values * rng.choice([-1.0, 1.0], (n, 1))


def remove_values(rng: np.random.Generator, n: int, rows: int) -> np.ndarray:
    """Return which values are observed: all of most series; else single rows or blocks are missing."""
    single = rng.random((n, rows)) < rng.uniform(0.01, 0.3, (n, 1))
    start = rng.integers(rows, size=(n, 1))
    t = np.arange(rows)
    block = (t >= start) & (t < start + rng.integers(2, 20, (n, 1)))
    kind = rng.choice(3, (n, 1), p=(0.88, 0.07, 0.05))
    observed = ~np.where(kind == 1, single, np.where(kind == 2, block, False))
    observed[:, :2] = True
    return observed


def draw_batch(rng: np.random.Generator, n: int, rows: int) -> SimulatedBatch:
    """Return simulated series: a quarter is one process alone, the others have seasons, other shapes and disturbances.

    A series alone that has a season is a seasonal autoregression. A fifth of the others are sums of two processes.
    """
    seasons = np.where(rng.random(n) < 0.4, 1, draw_seasons(rng, n, rows))
    alone = rng.random(n) < 0.25
    values = draw_process(rng, n, rows)
    other = log_uniform(rng, 0.2, 2, (n, 1)) * (rng.random((n, 1)) < 0.2)
    mixed = flip(rng, change_shape(rng, add_seasons(rng, values + other * draw_process(rng, n, rows), seasons)))
    values = np.where(alone[:, None], flip(rng, values), disturb(rng, mixed))
    seasonal = alone & (seasons > 1)
    values[seasonal] = seasonal_autoregression(rng, seasons[seasonal], rows)
    return SimulatedBatch(standardise(values), remove_values(rng, n, rows), seasons)
