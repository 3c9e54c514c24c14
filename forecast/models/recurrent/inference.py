"""From networks to corrections: asked at every row or window, fed back where a step reads the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.features.inputs import Inputs, RecursiveState
from forecast.features.windows import future_windows, windows_ending_at
from forecast.models.base import unknown_error_message
from forecast.models.recurrent.batches import CHUNK, predict_rows, predict_windows
from forecast.models.recurrent.build import Architecture
from forecast.models.recurrent.networks import Network

GRID = 200  # quantiles that a mean is taken over
RESIDUALS = 2000  # training forecasts from which a model takes the spread of its errors
FED_BACK = ("seq2seq", "recursive")


@dataclass(frozen=True)
class PredictionRequest:
    """Rows of all series that a network may be asked about."""

    inputs: Inputs
    base: np.ndarray  # (K, N, H) the base's forecasts at the rows asked, in the network's scale
    series: np.ndarray  # (N,) numbers of the series in training, -1 for unseen ones
    architecture: Architecture


@dataclass(frozen=True)
class Sample:
    """Training rows on which a network's errors are measured."""

    asked: PredictionRequest
    rows: np.ndarray  # (K,)
    truth: np.ndarray  # (K, N, H) what came after them, NaN where it is not known


def needs_spread(architecture: Architecture) -> bool:
    """Say whether the spread of H steps has to come from the errors of forecasts.

    Of a network that is fed back only the point counts: its quantiles, taught beside the true step before, are those of
    one step ahead. It is trained on all of them, which leaves a random walk more alone than the median by itself
    (benchmarks/truth.py). A network trained on a point says nothing about the spread.
    """
    return architecture.strategy in FED_BACK or architecture.loss in ("mse", "mae", "huber")


def corrections(
    net: Network, asked: PredictionRequest, rows: np.ndarray, spread: np.ndarray | None, levels: Sequence[float]
) -> np.ndarray:
    """Give a network's corrections of the base at these rows as quantiles, in units, (K, N, H, Q)."""
    if spread is not None:
        return points(net, asked, rows)[..., None] + spread
    quantiles = net.output.quantiles(_said(net, asked, rows), levels)
    assert quantiles is not None
    return quantiles


def points(net: Network, asked: PredictionRequest, rows: np.ndarray) -> np.ndarray:
    """Give a network's point corrections of the base at these rows, in units, (K, N, H)."""
    if asked.architecture.strategy != "recursive":
        return _point_of(net, _said(net, asked, rows))
    origin, series = _pairs(asked, rows)
    base = asked.base.reshape(len(origin), -1)  # (M, H)
    parts = [
        _roll(net, asked, base[i : i + CHUNK], origin[i : i + CHUNK], series[i : i + CHUNK]) for i in _chunks(origin)
    ]
    return np.concatenate(parts).reshape(asked.base.shape)


def sample(asked: PredictionRequest) -> Sample:
    """Choose some of all training rows, evenly spaced; `asked.base` is that of all, (T, N, H)."""
    inputs, horizon = asked.inputs, asked.base.shape[2]
    truth = future_windows(np.where(inputs.observed, inputs.y, np.nan), horizon)  # (T, N, H)
    known = np.flatnonzero((np.isfinite(asked.base).all(axis=2) & (inputs.scale > 0)).any(axis=1))
    known = known[known < len(truth) - 1]
    count = max(RESIDUALS // asked.base.shape[1], 20)
    rows = known[:: max(len(known) // count, 1)]
    return Sample(PredictionRequest(inputs, asked.base[rows], asked.series, asked.architecture), rows, truth[rows])


def training_errors(net: Network, chosen: Sample) -> np.ndarray:
    """Measure the errors of a network's path on training rows, in units, (M, H) with NaN."""
    inputs, rows, horizon = chosen.asked.inputs, chosen.rows, chosen.truth.shape[2]
    path = points(net, chosen.asked, rows)  # (K, N, H)
    unit = np.where(inputs.scale[rows] > 0, inputs.scale[rows], np.nan)[..., None]
    error = (chosen.truth - chosen.asked.base) / unit - path
    error = np.where(inputs.observed[rows][..., None], error, np.nan).reshape(-1, horizon)
    unseen = np.isnan(error).all(axis=0)
    if unseen.any():
        raise ValueError(unknown_error_message(int(np.argmax(unseen)) + 1, "no series"))
    return error


def residual_quantiles(error: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Take the spread of a network from errors (M, H), centred on the point, (H, Q)."""
    return (np.nanquantile(error, levels, axis=0) - np.nanmedian(error, axis=0)).T


def error_grid(error: np.ndarray) -> np.ndarray:
    """Stand for the distribution of errors (M, H) by quantiles of equal weight, (H, E)."""
    return np.nanquantile(error, (np.arange(GRID) + 0.5) / GRID, axis=0).T


def _said(net: Network, asked: PredictionRequest, rows: np.ndarray) -> np.ndarray:
    """Ask a network at each row, (K, N, H, n)."""
    if asked.architecture.strategy == "aligned":
        return predict_rows(net, asked.inputs.x, asked.series, rows)  # type: ignore[arg-type]
    origin, series = _pairs(asked, rows)
    parts = [
        predict_windows(
            net, _window(asked, origin[i : i + CHUNK], series[i : i + CHUNK]), asked.series[series[i : i + CHUNK]]
        )
        for i in _chunks(origin)
    ]
    said = np.concatenate(parts)
    return said.reshape(len(rows), len(asked.series), *said.shape[1:])


def _pairs(asked: PredictionRequest, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair each row with each series, row by row: (M,) and (M,)."""
    n = len(asked.series)
    return np.repeat(rows, n), np.tile(np.arange(n), len(rows))


def _chunks(origin: np.ndarray) -> range:
    return range(0, len(origin), CHUNK)


def _window(asked: PredictionRequest, origin: np.ndarray, series: np.ndarray) -> np.ndarray:
    length = 1 if asked.architecture.strategy.startswith("one-to-") else asked.architecture.lookback
    return windows_ending_at(asked.inputs.x, origin, series, length)  # (M, L, C)


def _point_of(net: Network, said: np.ndarray) -> np.ndarray:
    return said[..., net.output.middle]


def _roll(
    net: Network, asked: PredictionRequest, base: np.ndarray, origin: np.ndarray, series: np.ndarray
) -> np.ndarray:
    """Emit one step, read it as if it had happened, emit the next: the corrections in units, (M, H).

    Each step moves on from the one before by what the base (M, H) moves, corrected by the network.
    """
    inputs, codes = asked.inputs, asked.series[series]
    context = _window(asked, origin, series)
    path = RecursiveState(inputs, origin, series)
    before = value = inputs.y[origin, series]  # (M,)
    emitted = []
    for step in base.T:
        correction = _point_of(net, predict_windows(net, context, codes))[:, 0]
        value = value + (step - before) + path.scale * correction
        before = step
        emitted.append(value)
        context = np.concatenate([context[:, 1:], path.append(value)[:, None]], axis=1)
    gap = np.stack(emitted, axis=1) - base
    unit = inputs.scale[origin, series][:, None]
    return np.divide(gap, unit, out=np.zeros_like(gap), where=unit > 0)
