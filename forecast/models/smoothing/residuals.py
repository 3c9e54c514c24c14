"""One-step errors of exponential smoothing as functions of the parameters, with their derivatives.

The search minimises a sum of squares that is least where the Gaussian likelihood is greatest: of the errors where
their variance is constant, and otherwise of the relative errors times the geometric mean of the forecasts.
"""

from __future__ import annotations

import numpy as np

from forecast.models.smoothing.shapes import Shape

STEP = 1e-6  # of numerical derivatives


def _moves(smoothing: np.ndarray) -> np.ndarray:
    """Return the steps of numerical derivatives, away from the nearer bound."""
    return np.where(smoothing > 0.5, -STEP, STEP)


class LinearErrors:
    """The errors of a shape without a multiplicative season, which are linear in the initial states.

    For given smoothing parameters they are filtered values less a combination of filtered regressors: the filter is
    that of the ARIMA model with the same forecasts, and the regressors are the paths that each initial state
    would take.
    """

    def __init__(self, shape: Shape, y: np.ndarray) -> None:
        from scipy.signal import lfilter

        self.shape, self.y, self._filter = shape, y, lfilter
        self._input = np.zeros((2, len(y)))  # seasonal differences, and an impulse
        self._input[1, 0] = 1.0
        self._differences = y.copy()
        self._differences[shape.m :] -= y[: -shape.m]

    def _filtered(self, smoothing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the filtered values (T,) and regressors (T, states)."""
        alpha, beta, gamma, phi = self.shape.unpack(smoothing.tolist())
        m, n = self.shape.m, len(self.y)
        denominator = np.zeros(m + 2)
        denominator[1:-1] = alpha + phi * beta
        denominator[2:] -= alpha * phi
        denominator[:2] += 1.0, -phi
        denominator[-2:] += gamma - 1.0, (1 - gamma) * phi
        source = self._input
        source[0] = self._differences
        source[0, 1:] -= phi * self._differences[:-1]
        values, impulse = self._filter([1.0], denominator, source)
        phase = np.zeros(m - 1 + n)
        phase[m - 1 :] = impulse
        phase[m:] -= phi * impulse[:-1]
        regressors = np.empty((n, m + self.shape.has_trend))
        for i in range(m):
            regressors[:, i] = phase[m - 1 - i : m - 1 - i + n]
        if self.shape.has_trend:
            sums = np.cumsum(impulse)
            sums[m:] -= sums[:-m].copy()
            regressors[:, m] = phi * sums
        return values, regressors

    def best_states(self, smoothing: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the least sum of squared errors over the initial states, and these states."""
        values, regressors = self._filtered(smoothing)
        gram = regressors.T @ regressors
        gram.flat[:: len(gram) + 1] += 1e-12 * gram.trace()
        states = np.linalg.solve(gram, regressors.T @ values)
        return float(np.square(values - regressors @ states).sum()), states

    def slope_variance(self, smoothing: np.ndarray) -> float:
        """Return the sampling variance of the initial slope over that of the errors."""
        _, regressors = self._filtered(smoothing)
        return float(np.linalg.pinv(regressors.T @ regressors)[-1, -1])

    def residuals(self, params: np.ndarray) -> np.ndarray:
        """Return the residuals (T,)."""
        smoothing, states = np.split(params, [self.shape.n_smoothing])
        values, regressors = self._filtered(smoothing)
        return self._scaled(values - regressors @ states)

    def linearise(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the residuals (T,) and their derivatives (T, P)."""
        smoothing, states = np.split(params, [self.shape.n_smoothing])
        values, regressors = self._filtered(smoothing)
        errors = values - regressors @ states
        derivatives = np.empty((len(errors), len(params)))
        derivatives[:, len(smoothing) :] = -regressors
        for i, step in enumerate(_moves(smoothing)):
            moved = smoothing.copy()
            moved[i] += step
            values, regressors = self._filtered(moved)
            derivatives[:, i] = (values - regressors @ states - errors) / step
        residuals = self._scaled(errors)
        if self.shape.is_relative:
            forecasts = self.y - errors
            relative = derivatives / forecasts[:, None]
            ratio = (_mean(forecasts) * self.y / forecasts)[:, None]
            derivatives = ratio * relative - residuals[:, None] * relative.mean(axis=0)
        return residuals, derivatives

    def _scaled(self, errors: np.ndarray) -> np.ndarray:
        if not self.shape.is_relative:
            return errors
        forecasts = self.y - errors
        if forecasts.min() <= 0:
            return np.full(len(errors), np.inf)
        return errors / forecasts * _mean(forecasts)


def _mean(forecasts: np.ndarray) -> float:
    """Return the geometric mean."""
    return float(np.exp(np.log(forecasts).mean()))


class ProductErrors:
    """The errors of a shape with a multiplicative season, by its recursion for many parameters at a time."""

    def __init__(self, shape: Shape, y: np.ndarray) -> None:
        self.shape, self.y = shape, y

    def residuals(self, params: np.ndarray) -> np.ndarray:
        """Return the residuals (T,)."""
        return self._residuals(params[:, None])[:, 0]

    def linearise(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the residuals (T,) and their derivatives (T, P)."""
        steps = np.full(len(params), STEP)
        p = self.shape.n_smoothing
        steps[:p] = _moves(params[:p])
        moved = np.column_stack([params, params[:, None] + np.diag(steps)])
        residuals = self._residuals(moved)
        return residuals[:, 0], (residuals[:, 1:] - residuals[:, :1]) / steps

    def _residuals(self, params: np.ndarray) -> np.ndarray:
        """Return the residuals (T, K) for each column of the parameters (P, K); infinite if not all exist."""
        with np.errstate(all="ignore"):
            forecasts = self._forecasts(params)
            errors = self.y[:, None] - forecasts
            if self.shape.is_relative:
                errors = errors / forecasts * np.exp(np.log(forecasts).mean(axis=0))
            return np.where(np.isfinite(errors).all(axis=0), errors, np.inf)

    def _forecasts(self, params: np.ndarray) -> np.ndarray:
        """Return the one-step forecasts (T, K)."""
        shape = self.shape
        alpha, beta, gamma, phi = shape.unpack(list(params[: shape.n_smoothing]))
        level, slope, season = shape.first_states(params)
        forecasts = np.empty((len(self.y), params.shape[1]))
        for t, value in enumerate(self.y.tolist()):
            phase = season[t % shape.m]
            if shape.has_trend:
                slope = phi * slope
                level = level + slope
            np.multiply(level, phase, out=forecasts[t])
            error = value - forecasts[t]
            change = error / phase
            level = level + alpha * change
            if shape.has_trend:
                slope = slope + beta * change
            season[t % shape.m] = phase + gamma * error / level
        return forecasts
