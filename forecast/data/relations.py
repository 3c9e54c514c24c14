"""Columns that follow from others of the table up to rounding: sums, spreads, means, ratios, weights, multiples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from forecast.data.kinds import MIN_ROWS, rounding_of

AGREES = 0.95  # share of the rows in which a relation holds
MAX_ROWS = 1500  # rows of a longer table that are compared
MAX_ROBUST = 12  # columns of a table in which errors of the data do not hide a relation
GAP = 10.0  # without one of its sources a column deviates by this many roundings at least,
CHANGE_GAP = 8.0  # and its changes by this many
FAMILIAR = 4.0  # times less of a plain sum or ratio
SAME = 0.02  # relative difference of weights that are meant to be the same
MAX_FREE = 2  # sources that may have any weights
HALF = 0.55  # of the place of the last decimal: what rounding changes at most
MIN_TOTAL = 5  # columns of which one is the total of all others; of few, it may be near by chance
MAX_FITTED = 100  # columns of a table in which some of the others are sought
MAX_TRIED = 8  # columns of a wide table that nearly follow from the others
MOVES_ALIKE = 0.7  # share of the changes of the same direction less that of the opposite one, of a column and its copy
MAX_SIZE = 1e100  # greater numbers have no squares
DIFFERENCES = "all add up to 0"  # as what is measured from the mean of all columns
RIDGE = 1e-12  # which makes the correlations of dependent columns invertible


class Relation(NamedTuple):
    """A column that is a weighted sum of others, or of their logarithms."""

    column: int
    sources: tuple[int, ...]
    how: str
    is_series: bool = False  # whether all columns are differences from their mean


class _Numbers(NamedTuple):
    """Numbers as they are or as logarithms, and by how much each may be rounded."""

    values: np.ndarray  # (R, M)
    slack: np.ndarray  # (R, M)
    columns: list[int]  # positions in the table
    is_log: bool

    def without(self, k: int) -> _Numbers:
        """Return all columns but one."""
        return self.of([i for i in range(len(self.columns)) if i != k])

    def of(self, chosen: list[int]) -> _Numbers:
        """Return some columns."""
        return _Numbers(self.values[:, chosen], self.slack[:, chosen], [self.columns[i] for i in chosen], self.is_log)


class _Fit(NamedTuple):
    """A column as a weighted sum of others and a constant."""

    weights: np.ndarray  # (M,)
    constant: float
    losses: np.ndarray  # (M,), standard deviations of what each source explains and the others do not
    noise: float  # standard deviation of what is not explained, or of what rounding explains of it
    agrees: bool


def find_relations(values: np.ndarray) -> Iterator[Relation]:
    """Yield the columns of a table (T, N), oldest row first, that follow from others of it in nearly all rows.

    Each source is needed: without it the column would deviate by far more than rounding. Curves such as yields by
    maturity, of which each nearly follows from its neighbours, do not pass, nor do numbers that are hardly more than
    their rounding.
    """
    values = values[np.append(True, (values[1:] != values[:-1]).any(axis=1))]  # rates that are held show nothing
    yield from _totals(values)
    levels = _levels(values) if values.shape[1] <= MAX_FITTED else None
    if levels is None:
        return
    yield from _relations(levels, levels)
    positive = [k for k in range(len(levels.columns)) if (levels.values[:, k] > 0).all()]
    if len(positive) < 2:
        return
    part = levels.of(positive)
    logs = part._replace(values=np.log(part.values), slack=part.slack / part.values, is_log=True)
    yield from _relations(logs, logs)
    if len(levels.columns) <= MAX_ROBUST:
        yield from _relations(levels, logs)


def distinct_columns(values: np.ndarray) -> list[int]:
    """Return the columns of a table (T, N) without those that are, in nearly all rows, an earlier one rescaled.

    The scale or the level of such a column is another; it may have gaps, and single other values.
    """
    directions = np.sign(np.nan_to_num(np.diff(values, axis=0)))  # (T − 1, N)
    both = np.abs(directions).T @ np.abs(directions)
    alike = directions.T @ directions / np.maximum(both, 1)
    found: list[int] = []
    for j in range(values.shape[1]):
        if not any(alike[i, j] > MOVES_ALIKE and _is_rescaled(values[:, i], values[:, j]) for i in found):
            found.append(j)
    return found


def _is_rescaled(x: np.ndarray, y: np.ndarray) -> bool:
    """Return whether a column is another one times a positive number plus a constant, in nearly all rows of both."""
    rows = np.isfinite(x) & np.isfinite(y)
    if rows.sum() < MIN_ROWS or max(np.ptp(x[rows]), np.ptp(y[rows])) > MAX_SIZE or not np.ptp(x[rows]):
        return False
    source, target = (
        _Numbers(part[rows, None], np.full((rows.sum(), 1), HALF * rounding_of(part[rows])), [0], False)
        for part in (x, y)
    )
    fit = _explain(target, source, is_robust=True)
    return fit.agrees and fit.weights[0] > 0


def _totals(values: np.ndarray) -> Iterator[Relation]:
    """Yield the columns that are the sum or the mean of all others, or the last if all add up to one number.

    Of rows that are not complete the sum or the mean is that of the others that are there, as pandas computes it.
    """
    x = values[np.unique(np.linspace(0, len(values) - 1, min(len(values), MAX_ROWS)).astype(int))]
    n = x.shape[1]
    if n < MIN_TOTAL or not np.isfinite(x).any(axis=0).all() or np.nanmax(np.abs(x)) >= MAX_SIZE:
        return
    slack = np.array([HALF * rounding_of(column[np.isfinite(column)]) for column in x.T])
    observed = np.isfinite(x)
    total, count = np.where(observed, x, 0.0).sum(axis=1), observed.sum(axis=1)
    noise = float(np.sqrt((slack**2).sum() / 3))
    spread = np.nanstd(np.diff(x, axis=0), axis=0)

    def holds(errors: np.ndarray, noise: float) -> bool:
        return len(errors) >= MIN_ROWS and float((np.abs(errors) <= 3 * noise).mean()) >= AGREES

    for j in range(n - 1, -1, -1):
        rows = observed[:, j] & (count > 2)
        y, rest, others = x[rows, j], (total - x[:, j])[rows], (count - 1)[rows]
        for how, expected, error in (
            ("their sum", rest, noise),
            ("their mean", rest / others, noise / (n - 1) + slack[j]),
        ):
            if spread[j] >= CHANGE_GAP * error and holds(y - expected, error):
                yield Relation(j, tuple(i for i in range(n) if i != j), how)
    complete = total[count == n]
    if len(complete) and np.median(spread) >= CHANGE_GAP * noise and holds(complete - np.median(complete), noise):
        constant = float(np.median(complete)) if abs(np.median(complete)) > 3 * noise else 0.0
        how = f"all add up to {constant:.3g}"
        yield Relation(n - 1, tuple(range(n - 1)), how, how == DIFFERENCES)


def _levels(values: np.ndarray) -> _Numbers | None:
    """Return the columns that vary, in the rows that have them all and differ; None if there are too few of either."""
    usable = [i for i in range(values.shape[1]) if np.isfinite(values[:, i]).mean() >= 0.5]
    usable = [i for i in usable if np.nanmax(np.abs(values[:, i])) < MAX_SIZE]
    complete = np.flatnonzero(np.isfinite(values[:, usable]).all(axis=1))
    x = values[complete[np.unique(np.linspace(0, len(complete) - 1, MAX_ROWS).astype(int))] if len(complete) else []]
    usable = [i for i in usable if len(x) and np.ptp(x[:, i]) > 0]
    if len(usable) < 2 or len(x) < MIN_ROWS + len(usable):
        return None
    slack = np.array([HALF * rounding_of(x[:, i]) for i in usable])
    return _Numbers(x[:, usable], np.broadcast_to(slack, (len(x), len(usable))), usable, False)


def _relations(targets: _Numbers, sources: _Numbers) -> Iterator[Relation]:
    is_robust = len(targets.columns) <= MAX_ROBUST
    candidates = list(range(len(targets.columns))) if is_robust else _nearly_dependent(targets)[-MAX_TRIED:]
    # A relation can be read from any of its columns; the last one is the likeliest to be computed.
    for j in reversed(candidates):
        others = [i for i, column in enumerate(sources.columns) if column != targets.columns[j]]
        relation = _find_sources(targets.of([j]), sources.of(others), is_robust)
        if relation is not None:
            yield relation


def _nearly_dependent(x: _Numbers) -> list[int]:
    """Return which columns the others explain up to a few roundings."""
    scale = x.values.std(axis=0)
    z = (x.values - x.values.mean(axis=0)) / scale
    inverse = np.linalg.inv(z.T @ z / len(z) + RIDGE * np.eye(z.shape[1]))
    remaining = scale / np.sqrt(np.maximum(np.diag(inverse), 1.0))
    weights = np.abs(inverse / np.diag(inverse)) * scale / scale[:, None]  # of each row's column in each column
    tolerance = np.median(x.slack, axis=0) @ weights
    return [int(j) for j in np.flatnonzero(remaining <= tolerance + 3 * np.sqrt(RIDGE) * scale)]


def _find_sources(target: _Numbers, sources: _Numbers, is_robust: bool) -> Relation | None:
    """Return the relation of a column to those of the others that are needed to explain it, if it is a plain one."""
    fit = _explain(target, sources, is_robust)
    if not fit.agrees or is_smooth(target.values[:, 0], 4 * fit.noise):
        return None
    needed = sources.of([int(k) for k in np.flatnonzero(fit.losses > fit.noise / 10)])
    if needed.columns and (shorter := _explain(target, needed, is_robust)).agrees:
        sources, fit = needed, shorter
    while len(sources.columns) > 1:
        fewer = sources.without(int(fit.losses.argmin()))
        shorter = _explain(target, fewer, is_robust)
        if not shorter.agrees:
            break
        sources, fit = fewer, shorter
    least = fit.noise / (FAMILIAR if _is_familiar(fit) else 1)
    changes = _losses(np.diff(sources.values, axis=0), fit.weights)
    if fit.losses.min() < GAP * least or (changes < CHANGE_GAP * least).any() or not _is_plain(fit.weights):
        return None
    how = _describe(fit, target.is_log, sources.is_log)
    return Relation(target.columns[0], tuple(sources.columns), how, how == DIFFERENCES)


def _explain(target: _Numbers, sources: _Numbers, is_robust: bool) -> _Fit:
    """Return the fit of a column by others and a constant, of nearly all rows if it is robust."""
    y = target.values[:, 0]
    centre, scale = sources.values.mean(axis=0), sources.values.std(axis=0)
    design = np.column_stack([(sources.values - centre) / scale, np.ones(len(y))])
    rows = np.ones(len(y), bool)
    for _ in range(3 if is_robust else 1):
        coefficients = np.linalg.lstsq(design[rows], y[rows])[0]
        errors = np.abs(y - design @ coefficients)
        rows = errors <= np.quantile(errors, AGREES)
    weights = coefficients[:-1] / scale
    slack = np.column_stack([target.slack, sources.slack * np.abs(weights)])
    rounding = np.sqrt((slack**2).sum(axis=1) / 3)  # standard deviation of numbers between -slack and slack
    agrees = float((errors <= np.minimum(slack.sum(axis=1), 3 * rounding)).mean()) >= AGREES
    size = float(np.sqrt((errors[rows] ** 2).mean()))
    constant = float(coefficients[-1] - centre @ weights)
    return _Fit(weights, constant, _losses(sources.values, weights), max(size, float(np.median(rounding))), agrees)


def _losses(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the standard deviation (M,) of what each column (R, M) explains by its weight and the others do not."""
    scale = np.maximum(x.std(axis=0), np.finfo(float).tiny)
    z = (x - x.mean(axis=0)) / scale
    inverse = np.linalg.inv(z.T @ z / len(z) + RIDGE * np.eye(z.shape[1]))
    return np.abs(weights) * scale / np.sqrt(np.diag(inverse))


def is_smooth(y: np.ndarray, tolerance: float) -> bool:
    """Return whether numbers follow from their own last two, as those of a line or a sine do, whatever the others."""
    design = np.column_stack([y[1:-1], y[:-2], np.ones(len(y) - 2)])
    design[:, :2] -= y.mean()
    errors = np.abs(y[2:] - design @ np.linalg.lstsq(design, y[2:])[0])
    return float((errors <= tolerance).mean()) >= AGREES


def _is_familiar(fit: _Fit) -> bool:
    """Return whether a column is a plain sum, difference, product or ratio, or what is missing to 1 or 100."""
    return bool(np.allclose(np.abs(fit.weights), 1, SAME, 0)) and _round_constant(fit) in (0.0, 1.0, 100.0)


def _round_constant(fit: _Fit) -> float:
    """Return the constant of a fit, or 0, 1 or 100 if it is about that."""
    near = (n for n in (0.0, 1.0, 100.0) if abs(fit.constant - n) <= SAME * n + 10 * fit.noise)
    return next(near, fit.constant)


def _is_plain(weights: np.ndarray) -> bool:
    """Return whether weights are few, or those of a sum, a difference or a portfolio; a curve's are of both signs."""
    sizes = np.abs(weights)
    n_positive = int((weights > 0).sum())
    is_portfolio = n_positive in (0, len(weights)) or n_positive == 1
    return len(weights) <= MAX_FREE or is_portfolio or bool(np.ptp(sizes) <= SAME * sizes.max())


def _describe(fit: _Fit, is_log: bool, has_logs: bool) -> str:
    """Return in words how a column is computed."""

    def is_near(*expected: float) -> bool:
        return np.allclose(np.sort(fit.weights), np.broadcast_to(np.sort(expected), fit.weights.shape), SAME, 0)

    n = len(fit.weights)
    if has_logs and not is_log:
        return "a weighted sum of logarithms"
    if n == 1:
        if is_log:
            return "a multiple of it" if is_near(1) else "its inverse" if is_near(-1) else "a power of it"
        return "it times a number" + (" and a constant" if _round_constant(fit) else "")
    if is_near(1):
        return "their product" if is_log else "their sum"
    if n == 2 and is_near(-1, 1):
        return "their ratio" if is_log else "their difference"
    if is_near(-1) and not is_log:
        return f"all add up to {_round_constant(fit):.3g}"
    if is_near(1 / n):
        return "their geometric mean" if is_log else "their mean"
    return "a product of their powers" if is_log else "a weighted sum of them"
