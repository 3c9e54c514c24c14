"""Columns that are computed from another one: shifts, moving averages, logarithms, changes, and their usual names."""

from __future__ import annotations

import re
from itertools import permutations

import numpy as np

from forecast.data.fields import plain_name
from forecast.data.kinds import MIN_ROWS, rounding_of

AGREES = 0.95  # share of the rows in which a column is what it is computed to be; the rest are filled in
MAX_SHIFT, MAX_WINDOW = 30, 260  # rows
MAX_COMPARED = 12  # columns whose pairs are all compared
NEAREST, SAMPLED_ROWS = 3, 64  # columns of a wide table that each is compared with, and the rows that show them
MOVES_ALIKE = 0.8  # correlation of the changes of a column and its source
MOVES_WITH = 0.5  # rank correlation of an indicator's changes and the returns, or their size
#: Words that name an indicator, and words that do so in lower case, since Target and Signal are companies.
INDICATOR = re.compile(
    r"(sma|ema|wma|rsi|macd|obv|atr|vwap|lag|log|yhat)\d*|(ma|bb|cci|adx|roc|mfi|mom|ret|shift)\d+|moving|bollinger"
)
LABEL = re.compile(
    r"target|signal|label|pred|predicted|predictions?|forecasts?|fitted|resid|residuals?|upper|lower|zscore|drawdown"
)
#: Figures of a company and its shares, at the end of a name.
FIGURE = re.compile(
    r"(.* )?(dividends?|dividende|dividendo|eps|kgv|roe|roa|p e|pe|p b|pb|(pe|pb|price to (earnings|book)) ratio|"
    r"earnings per share|(div|dividend|earnings) yield|dividendenrendite|book value|mkt cap|market cap|market value|"
    r"market capitali[sz]ation|marktkapitalisierung|capitalisation boursiere|(shares|stock) (out|outstanding)|shrout)"
    r"( usd| eur| ttm)?|yield"
)
BAND = re.compile(r"(bb|ma) \w+|\w+ (bb|ma)|y hat( \w+)?")  # "BB upper", "20 MA", "y_hat"


def is_indicator(name: str) -> bool:
    """Return whether a name is that of an indicator, a company's figure or a target: "SMA20", "EPS", "target".

    >>> [is_indicator(name) for name in ("SMA20", "AAPL_lag1", "MA", "Target", "target", "yhat_upper", "P/E")]
    [True, True, False, False, True, True, True]
    """
    plain = plain_name(name)
    if any(INDICATOR.fullmatch(word) for word in plain.split()) or BAND.fullmatch(plain) or FIGURE.fullmatch(plain):
        return True
    return any(LABEL.fullmatch(word) for word in re.split(r"[\W_]+", name))  # in lower case


def moves_with_another(values: np.ndarray, column: int) -> bool:
    """Return whether a column of a table (T, N) moves when another one does, as an RSI or a true range does.

    Its changes go with those of the other's logarithm, or with their size.
    """
    changes = np.diff(values[:, column])
    for other in range(values.shape[1]):
        x = values[:, other]
        if other == column or not (x[~np.isnan(x)] > 0).all():
            continue
        returns = np.diff(np.log(x))
        if abs(_correlation(changes, returns)) > MOVES_WITH or abs(_correlation(changes, np.abs(returns))) > MOVES_WITH:
            return True
    return False


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    observed = np.isfinite(x) & np.isfinite(y)
    x, y = x[observed], y[observed]
    if len(x) < MIN_ROWS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    x, y = x.argsort().argsort(), y.argsort().argsort()  # ranks, which an outlier does not decide
    return float(np.corrcoef(x, y)[0, 1])


def find_derived(values: np.ndarray) -> dict[int, tuple[int, str]]:
    """Return which columns of a table (T, N), oldest row first, are computed from an other one, and how.

    Of wide tables, each column is compared with those that are nearest to it, or move most alike.
    """
    n = values.shape[1]
    derived: dict[int, tuple[int, str]] = {}
    for source, column in permutations(range(n), 2) if n <= MAX_COMPARED else _likely_pairs(values):
        if source not in derived and column not in derived:
            how = _describe_derivation(values[:, source], values[:, column])
            if how is not None:
                derived[column] = source, how
    return derived


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def _likely_pairs(values: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs (source, column) of a wide table (T, N) that are near each other or move alike."""
    n = values.shape[1]
    rows = np.linspace(0, len(values) - 1, SAMPLED_ROWS).astype(int)
    sample = values[rows]
    pairs: set[tuple[int, int]] = set()
    n_observed = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    changes = np.nan_to_num(np.diff(values, axis=0))
    logs = np.nan_to_num(np.diff(np.log(values), axis=0))
    levels = np.nan_to_num(values[1:] - np.nansum(values, axis=0) / n_observed)
    scaled = [_scaled(part) for part in (changes, logs, levels)]
    alike = np.abs(scaled[0].T @ scaled[1]), np.abs(scaled[0].T @ scaled[2]), np.abs(scaled[1].T @ scaled[2])
    for column in range(n):
        distance = _median(np.abs(sample - sample[:, [column]]) / np.abs(sample))
        distance[column] = np.inf
        near = np.argsort(distance)[:NEAREST]
        sources = {*near, *(i for part in alike for i in np.flatnonzero(part[:, column] > MOVES_ALIKE))} - {column}
        pairs |= {(int(source), column) for source in sources}
    return sorted(pairs)


def _median(x: np.ndarray) -> np.ndarray:
    """Return the median of the numbers in each column; infinity for a column without any."""
    known = ~np.isnan(x).all(axis=0)
    out = np.full(x.shape[1], np.inf)
    out[known] = np.nanmedian(x[:, known], axis=0)
    return out


def _scaled(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.sqrt((x**2).sum(axis=0)), np.finfo(float).tiny)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # numbers that are too large agree with nothing
def _describe_derivation(source: np.ndarray, column: np.ndarray) -> str | None:
    """Return what a column is of another one: a shift, a moving average, its logarithm or changes; else None."""
    rows = ~np.isnan(source)
    x, y = source[rows], column[rows]
    if (np.isfinite(x) & np.isfinite(y)).sum() < MIN_ROWS or (np.diff(x) != 0).mean() < 0.5:
        return None
    if _is_shift(x, y):
        return "its values of other rows"
    rounding = rounding_of(y[np.isfinite(y)])
    if _is_moving_average(x, y, rounding):
        return "its moving average"
    changes = np.diff(x)
    if (x > 0).all():
        if _agree(np.log(x), y, rounding) or _agree(np.log10(x), y, rounding):
            return "its logarithm"
        relative = [changes / x[:-1], np.diff(np.log(x))]
    else:
        relative = []
    scaled = (changes, *relative, *(100 * change for change in relative))
    if any(_agree(change, part, rounding) for change in scaled for part in (y[1:], y[:-1])):
        return "its changes"
    return None


def _is_moving_average(x: np.ndarray, y: np.ndarray, rounding: float) -> bool:
    """Return whether a column is the mean of the last rows of another one, all of one weight or of falling weights."""
    seen = np.flatnonzero(np.isfinite(y))
    y, x = y[: seen[-1] + 1], x[: seen[-1] + 1]
    if np.nanmin(y) < x.min() - rounding or np.nanmax(y) > x.max() + rounding:
        return False
    steps, gaps = np.diff(y), x[1:] - y[:-1]
    both = np.isfinite(steps)
    weight = float(steps[both] @ gaps[both] / max(gaps[both] @ gaps[both], np.finfo(float).tiny))
    if 0 < weight < 1 and _agree(weight * gaps, steps, 2 * rounding):
        return True
    longest = min(MAX_WINDOW, len(x) // 2)
    means = x[::-1][:longest].cumsum() / np.arange(1, longest + 1)
    windows = np.flatnonzero(np.abs(means - y[-1]) <= rounding) + 1
    sums = np.append(0.0, x.cumsum())
    return any(_agree((sums[w:] - sums[:-w]) / w, y[w - 1 :], rounding) for w in windows if w > 1)


def _is_shift(x: np.ndarray, y: np.ndarray) -> bool:
    """Return whether a column is another one chosen rows earlier or later, tried where a few rows agree."""
    longest = min(MAX_SHIFT, (len(x) - 1) // 4)
    rows = (len(x) // 4, len(x) // 2, len(x) * 3 // 4)
    shifts = {int(k) - longest for row in rows for k in np.flatnonzero(x[row - longest :][: 2 * longest + 1] == y[row])}
    return any(_equal(x[k:], y[:-k]) if k > 0 else _equal(x[:k], y[-k:]) for k in shifts - {0})


def _equal(x: np.ndarray, y: np.ndarray) -> bool:
    """Return whether two columns are the same, apart from a few rows."""
    observed = np.isfinite(x) & np.isfinite(y)
    return bool(observed.sum() >= MIN_ROWS / 2) and float((x == y)[observed].mean()) >= AGREES


def _agree(x: np.ndarray, y: np.ndarray, rounding: float) -> bool:
    """Return whether two columns are the same up to rounding, which is small next to their variation."""
    chosen = slice(len(x) // 2, len(x) // 2 + 8)
    if (np.abs(x[chosen] - y[chosen]) <= rounding).sum() < 4:
        return False  # as of nearly all columns
    observed = np.isfinite(x) & np.isfinite(y)
    x, y = x[observed], y[observed]
    if len(x) < MIN_ROWS / 2 or rounding > 0.2 * y.std():
        return False
    return float((np.abs(x - y) <= rounding).mean()) >= AGREES
