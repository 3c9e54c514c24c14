"""From networks to forecasts: many cutoffs in one pass.

Batches have a fixed size, so that no forecast depends on how many are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from forecast.features.dataset import LabelledSequences, batches_by_length
from forecast.features.inputs import Inputs, RecursiveState
from forecast.features.step_inputs import StepInputs
from forecast.features.windows import future_windows, windows_ending_at
from forecast.models.base import missing_errors_message
from forecast.models.recurrent.config import RecurrentConfig
from forecast.models.recurrent.networks import Aligned, Classifier, Network
from forecast.models.recurrent.ragged import RaggedRows
from forecast.models.recurrent.shrinkage import SHRINKAGE_LOSSES, shrinkage_factor
from forecast.models.recurrent.trainer import one_thread

CHUNK = 256  # rows of a sequence, or windows, that are computed at once
MAX_ROWS = 4096  # upper bound of rows × series computed at once, to limit memory
ERROR_QUANTILES = 200  # quantiles that represent the error distribution when the point is a mean
ERROR_FORECASTS = 2000  # forecasts of training rows from which a model measures its errors
ERROR_SERIES = 50  # at most, of which these are


@dataclass(frozen=True)
class PredictionRequest:
    """The rows of N series from which a network forecasts."""

    inputs: Inputs
    rows: np.ndarray  # (K,)
    base: np.ndarray  # (K, N, H) the base's forecasts at these rows, in logs if the model works in logs
    series: np.ndarray  # (N,) numbers of the series in training, -1 for unseen ones
    config: RecurrentConfig
    known: StepInputs | None = None  # what is known in advance of each step

    def steps(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return what is known of the steps after pairs of a row and a series, (M, 1, H, C)."""
        if self.known is None:
            return np.empty((len(rows), 1, self.config.steps, 0), dtype=np.float32)
        return self.known.at(rows, columns)[:, None]

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield at most CHUNK pairs of a row and a series as (rows (M,), series (M,), their base (M, H))."""
        n = len(self.series)
        rows, columns = np.repeat(self.rows, n), np.tile(np.arange(n), len(self.rows))
        base = self.base.reshape(len(rows), -1)
        for first in range(0, len(rows), CHUNK):
            chunk = slice(first, first + CHUNK)
            yield rows[chunk], columns[chunk], base[chunk]

    def windows(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the inputs that a forecast from each pair reads, (M, L, C)."""
        return windows_ending_at(self.inputs.x, rows, columns, self.config.window_rows)

    def by_row(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the outputs of all batches (M, H, n) by row and series, (K, N, H, n)."""
        joined = np.concatenate(outputs)
        return joined.reshape(len(self.rows), len(self.series), *joined.shape[1:])


@torch.no_grad()
def predict_rows(net: Aligned, request: PredictionRequest) -> np.ndarray:
    """Return the outputs of an aligned network, (K, N, H, n): all rows are read once, from row 0 on."""
    x, rows, series = request.inputs.x, request.rows, torch.from_numpy(request.series)
    length = min(CHUNK, max(MAX_ROWS // x.shape[1], 1))
    outputs, order, state = [], [], None
    for start in range(0, int(rows.max()) + 1, length):
        chunk = x[start : start + length]
        padded = np.pad(chunk, ((0, length - len(chunk)), (0, 0), (0, 0)))
        requested = np.flatnonzero((rows >= start) & (rows < start + length))
        steps = _known_of_rows(request, rows[requested], start, length)
        output, state = net.step(torch.from_numpy(padded).transpose(0, 1), series, state, steps)  # (N, length, H, n)
        outputs.append(output[:, rows[requested] - start].transpose(0, 1).double().numpy())
        order.append(requested)
    return np.concatenate(outputs)[np.argsort(np.concatenate(order))]


def _known_of_rows(request: PredictionRequest, rows: np.ndarray, start: int, length: int) -> Tensor | None:
    """Return what is known of the steps after these rows, 0 for others from `start` on, (N, length, H, C)."""
    if request.known is None:
        return None
    n = len(request.series)
    steps = np.zeros((n, length, request.config.steps, request.known.n_channels), dtype=np.float32)
    steps[:, rows - start] = request.known.at(rows, np.arange(n)[:, None])
    return torch.from_numpy(steps)


@torch.no_grad()
def predict_windows(net: Network, request: PredictionRequest) -> np.ndarray:
    """Return the outputs of a network that reads windows, (K, N, H, n)."""
    outputs = []
    for rows, columns, _ in request.batches():
        windows, steps = request.windows(rows, columns), request.steps(rows, columns)
        output = net(*_padded(windows, request.series[columns], steps))[: len(rows), 0]
        outputs.append(output.double().numpy())
    return request.by_row(outputs)


@torch.no_grad()
def predict_recursive(net: Network, request: PredictionRequest) -> np.ndarray:
    """Return the outputs of a network that reads its own forecasts, (K, N, H, n).

    Only the point is set, the rest is NaN. Each value is the previous one plus the base's change plus
    scale · correction.
    """
    inputs, middle, outputs = request.inputs, net.output.middle, []
    for rows, columns, base in request.batches():
        windows, series, steps = request.windows(rows, columns), request.series[columns], request.steps(rows, columns)
        state = RecursiveState(inputs, rows, columns)
        base_before = value = inputs.y[rows, columns]  # (M,)
        values = []
        for step in base.T:
            output = net(*_padded(windows, series, steps))[: len(rows), 0, 0].double().numpy()  # (M, n)
            value = value + (step - base_before) + state.scale * output[:, middle]
            base_before = step
            values.append(value)
            windows = np.concatenate([windows[:, 1:], state.append(value)[:, None]], axis=1)
        gap = np.stack(values, axis=1) - base  # (M, H)
        scale = inputs.scale[rows, columns][:, None]
        result = np.full((*gap.shape, net.output.n), np.nan)
        result[..., middle] = np.divide(gap, scale, out=np.zeros_like(gap), where=scale > 0)
        outputs.append(result)
    return request.by_row(outputs)


def predict(net: Any, request: PredictionRequest) -> np.ndarray:
    """Return the outputs of a network of any strategy, (K, N, H, n)."""
    special: dict[str, Callable[..., np.ndarray]] = {"aligned": predict_rows, "recursive": predict_recursive}
    return special.get(request.config.strategy, predict_windows)(net, request)


def _padded(x: np.ndarray, series: np.ndarray, steps: np.ndarray) -> tuple[Tensor, None, Tensor, Tensor]:
    """Return the arguments of a network for windows (M, L, C), padded to CHUNK of them."""

    def pad(array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.pad(array, [(0, CHUNK - len(array)), *[(0, 0)] * (array.ndim - 1)]))

    return pad(x), None, pad(series), pad(steps)


@dataclass(frozen=True)
class ErrorSample:
    """Training rows on which a network's errors are measured."""

    request: PredictionRequest
    truth: np.ndarray  # (K, N, H) what came after them, NaN where it is not known

    def has_every_step(self) -> bool:
        """Return whether an error is known at each step."""
        request = self.request
        known = request.inputs.observed[request.rows] & (request.inputs.scale[request.rows] > 0)  # (K, N)
        return bool((np.isfinite(self.truth - request.base) & known[..., None]).any(axis=(0, 1)).all())


def make_error_sample(data: RaggedRows, config: RecurrentConfig, first: int = 0) -> ErrorSample:
    """Return about 2000 forecasts of training rows: evenly spaced rows from `first` on, of at most 50 series."""
    series = _measured_series(data.n_observed(first))
    sample = data.of_series(series)
    inputs, base = sample.inputs, sample.base
    truth = future_windows(np.where(inputs.observed, inputs.y, np.nan), base.shape[2])  # (T, N, H)
    usable = (np.isfinite(base).all(axis=2) & (inputs.scale > 0)).any(axis=1) & sample.starts()
    rows = np.flatnonzero(usable)
    rows = rows[(rows >= first) & (rows < len(truth) - 1)]
    count = max(ERROR_FORECASTS // len(series), 20)
    rows = rows[:: max(len(rows) // count, 1)]
    truth = np.where((inputs.weight[rows] > 0)[:, :, None], truth[rows], np.nan)
    return ErrorSample(PredictionRequest(inputs, rows, base[rows], series, config, sample.known), truth)


def _measured_series(n_observed: np.ndarray) -> np.ndarray:
    """Return at most 50 series, evenly spaced among those that are observed at least half as often as any, (M,)."""
    if len(n_observed) <= ERROR_SERIES:
        return np.arange(len(n_observed))
    series = np.flatnonzero(2 * n_observed >= n_observed.max())
    return series[:: -(-len(series) // ERROR_SERIES)]


def measure_corrections(net: Network, sample: ErrorSample) -> tuple[np.ndarray, np.ndarray]:
    """Return a network's corrections and the errors of its base, relative to the scale, (K, N, H) with NaN each."""
    request, rows = sample.request, sample.request.rows
    correction = predict(net, request)[..., net.output.middle]
    scale = np.where(request.inputs.scale[rows] > 0, request.inputs.scale[rows], np.nan)[..., None]
    error = (sample.truth - request.base) / scale
    return correction, np.where(request.inputs.observed[rows][..., None], error, np.nan)


def held_back_shrinkage(net: Network, sample: ErrorSample, loss: str | None = None) -> float:
    """Return the shrinkage factor, by a loss (None: that of the training), of a network not trained on the sample."""
    name = loss or sample.request.config.loss
    measure = np.square if callable(name) else SHRINKAGE_LOSSES.get(name, np.square)
    return shrinkage_factor(*measure_corrections(net, sample), sample.request.rows, measure)


def training_errors(net: Network, sample: ErrorSample, shrinkage: float) -> np.ndarray:
    """Return the errors of a network's points on training rows, relative to the scale, (M, H) with NaN."""
    correction, base_error = measure_corrections(net, sample)
    error = (base_error - shrinkage * correction).reshape(-1, correction.shape[2])
    unknown = np.isnan(error).all(axis=0)
    if unknown.any():
        raise ValueError(missing_errors_message(int(np.argmax(unknown)) + 1))
    return error


def member_errors(nets: Sequence[Network], shrinkage: np.ndarray, sample: ErrorSample) -> list[np.ndarray]:
    """Return the errors of each network on training rows, (M, H) each."""
    with one_thread():
        return [training_errors(net, sample, factor) for net, factor in zip(nets, shrinkage, strict=True)]


def centred_quantiles(error: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Return the quantiles of errors (M, H) around their median, (H, Q)."""
    return (np.nanquantile(error, levels, axis=0) - np.nanmedian(error, axis=0)).T


def error_grid(error: np.ndarray) -> np.ndarray:
    """Return 200 quantiles of equal weight that represent the distribution of errors (M, H), (H, E)."""
    return np.nanquantile(error, (np.arange(ERROR_QUANTILES) + 0.5) / ERROR_QUANTILES, axis=0).T


@torch.no_grad()
def class_probabilities(net: Classifier, examples: LabelledSequences) -> np.ndarray:
    """Return the probability of each class, (M, classes).

    Batches have one size, so that a probability does not depend on the other examples.
    """
    result = np.empty((len(examples), max(net.dense.out_features, 2)))
    for numbers in batches_by_length(examples.lengths, CHUNK, np.arange(len(examples))):
        x = torch.from_numpy(examples.gather(np.resize(numbers, CHUNK))[0])
        logits = net(x.to(net.dense.weight.device))[: len(numbers)].cpu().double()
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        result[numbers] = torch.softmax(logits, dim=1).numpy()
    return result
