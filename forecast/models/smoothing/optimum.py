"""The search for the parameters of exponential smoothing: least squares by a structured secant method, many starts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Protocol

import numpy as np

from forecast.models.smoothing.residuals import LinearErrors, ProductErrors
from forecast.models.smoothing.shapes import Shape

ITERATIONS = 100
COARSE, FINE = 1e-3, 1e-7  # the expected relative gain in the sum of squares below which a search ends
DAMPING = (1e-10, 1e-2, 1e12)  # least, first and greatest, relative to the curvature
STARTS, STARTS_PER_GAMMA = 2, 1  # points of the grid from which the search begins; twice as many with factors

ALPHAS, BETAS, GAMMAS, PHIS = (0.03, 0.15, 0.4, 0.7, 0.95), (0.01, 0.1, 0.5), (0.02, 0.3), (0.85, 0.96)


class Errors(Protocol):
    """The residuals of a shape on a series, and their derivatives."""

    def residuals(self, params: np.ndarray) -> np.ndarray:
        """Return the residuals (T,)."""

    def linearise(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the residuals (T,) and their derivatives (T, P)."""


@dataclass(frozen=True)
class Optimum:
    """What a search has found."""

    params: np.ndarray
    total: float  # the sum of squares
    converged: bool


def find_optimum(shape: Shape, y: np.ndarray) -> Optimum:
    """Return the best parameters of a shape for a standardised series (T,), which is positive if the name has an M."""
    starts = _grid_starts(shape, y)
    if shape.is_relative or shape.multiplies:
        starts = [*starts, _log_start(shape, y), _flat_start(shape, y)]
    errors = ProductErrors(shape, y) if shape.multiplies else LinearErrors(shape, y)
    found = [minimise(errors, start, *shape.bounds(), COARSE) for start in starts]
    best = min(found, key=lambda optimum: optimum.total)
    return minimise(errors, best.params, *shape.bounds(), FINE)


def _grid_starts(shape: Shape, y: np.ndarray) -> list[np.ndarray]:
    """Return the best points of a grid of smoothing parameters, with the initial states of least squares.

    The states are those of the shape of the same trend with additive errors and season. Only the best point of each
    alpha counts, and each gamma of the grid has its own: the likelihood often has a maximum without and one with a
    season that changes.
    """
    errors = LinearErrors(shape, y)
    betas, phis = [BETAS] if shape.has_trend else [], [PHIS] if shape.is_damped else []
    starts = []
    n_starts = (STARTS_PER_GAMMA if shape.has_season else STARTS) * (1 + shape.multiplies)
    for gamma in GAMMAS if shape.has_season else [None]:
        best = []
        for alpha in ALPHAS:
            points = [np.array(point) for point in product((alpha,), *betas, *([(gamma,)] if gamma else []), *phis)]
            found = [(*errors.best_states(point), point) for point in points]
            total, states, point = min(found, key=lambda item: item[0])
            best.append((total, np.concatenate([point, states])))
        starts += sorted(best, key=lambda item: item[0])[:n_starts]
    return [start for _, start in sorted(starts, key=lambda item: item[0])]


def _log_start(shape: Shape, y: np.ndarray) -> np.ndarray:
    """Return the best point of the grid for the logs, in which factors are added, with the states of the series."""
    start, p = _grid_starts(shape, np.log(y))[0], shape.n_smoothing
    start[p : p + shape.m] = np.exp(start[p : p + shape.m])
    if shape.has_trend:
        start[-1] *= start[p : p + shape.m].mean()
    return start


def _flat_start(shape: Shape, y: np.ndarray) -> np.ndarray:
    """Return a start without trend and season, whose forecasts are positive where the series is."""
    low, high = shape.bounds()
    smoothing = np.concatenate([[0.5], low[1:]])
    smoothing[-1] = (low[-1] + high[-1]) / 2 if shape.is_damped else smoothing[-1]
    slope = [0.0] if shape.has_trend else []
    return np.concatenate([smoothing, np.full(shape.m, y.mean()), slope])


def minimise(errors: Errors, start: np.ndarray, low: np.ndarray, high: np.ndarray, tolerance: float) -> Optimum:
    """Return the least sum of squares near a start, its first parameters within bounds.

    Gauss and Newton's method, damped as by Levenberg and Marquardt, with the part of the curvature that the
    derivatives leave out estimated from their changes (Dennis, Gay and Welsch, 1981).
    """
    params, damping = start.copy(), DAMPING[1]
    params[: len(low)] = np.clip(params[: len(low)], low, high)
    residuals, derivatives = errors.linearise(params)
    total = float(residuals @ residuals)
    curvature = np.zeros((len(params), len(params)))
    for _ in range(ITERATIONS):
        if not np.isfinite(derivatives).all():
            return Optimum(params, np.inf, True)
        gradient = derivatives.T @ residuals
        hessian = derivatives.T @ derivatives
        diagonal = hessian.diagonal()
        diagonal = np.maximum(diagonal, 1e-12 * diagonal.max())
        held = _held(params, gradient, low, high)
        while True:
            step = _step(hessian + curvature, damping * diagonal, gradient, held)
            expected = float(gradient @ step)
            if abs(expected) <= tolerance * total or damping > DAMPING[2]:
                return Optimum(params, total, True)
            moved = params - step
            moved[: len(low)] = np.clip(moved[: len(low)], low, high)
            new_total = float(np.square(errors.residuals(moved)).sum()) if expected > 0 else np.inf
            if new_total < total:
                break
            damping = max(8 * damping, 1e-4)
        if total - new_total > expected / 2:
            damping = max(damping / 8, DAMPING[0])
        old = derivatives
        step, params = moved - params, moved
        residuals, derivatives = errors.linearise(params)
        total = float(residuals @ residuals)
        change = derivatives.T @ residuals - gradient
        curvature = _updated(curvature, step, change, (derivatives - old).T @ residuals)
    return Optimum(params, total, False)


def _held(params: np.ndarray, gradient: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the positions of the parameters that are at a bound and would leave it."""
    smoothing, slope = params[: len(low)], gradient[: len(low)]
    return np.flatnonzero((smoothing <= low) & (slope > 0) | (smoothing >= high) & (slope < 0))


def _step(hessian: np.ndarray, damping: np.ndarray, gradient: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return the damped step of Newton's method, 0 where a parameter is held."""
    system = hessian + np.diag(damping)
    right = gradient.copy()
    system[held], system[:, held], right[held] = 0.0, 0.0, 0.0
    system[held, held] = 1.0
    try:
        return np.linalg.solve(system, right)
    except np.linalg.LinAlgError:
        return -right  # no descent: more damping


def _updated(curvature: np.ndarray, step: np.ndarray, change: np.ndarray, secant: np.ndarray) -> np.ndarray:
    """Return the estimated curvature after a step over which the gradient changed, partly with the residuals."""
    scale = float(change @ step)
    if not scale > 0:
        return curvature
    miss = secant - curvature @ step
    outer = np.outer(miss, change)
    return curvature + (outer + outer.T) / scale - (miss @ step) * np.outer(change, change) / scale**2
