"""Parameters chosen by an inner walk-forward run on the training rows of each fit, without the test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from sklearn.model_selection import ParameterGrid

from forecast._validation import check_choice, check_int
from forecast.backtesting import backtest
from forecast.backtesting.split import WalkForward
from forecast.data.panel import Panel
from forecast.evaluation import loss_by_cutoff
from forecast.evaluation.extremes import compared_series
from forecast.evaluation.losses import LOSSES, NAIVE
from forecast.models.base import LEVELS, Forecast, Forecaster, with_levels
from forecast.models.registry import set_parameter

#: Values to try of each parameter.
Grid: TypeAlias = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]]


@dataclass(eq=False, repr=False)
class Tuned(Forecaster):
    """A model whose parameters are chosen again at every fit, by their loss on the newest training rows.

    At each fit every combination is fitted on the training rows before the last `n_windows` cutoffs (`horizon` rows
    apart) and forecasts from each of them; the one with the lowest loss is fitted on all training rows. Series that
    would decide the choice alone are set apart, as in the verdict. As all this happens inside `fit`, a backtest
    evaluates the choice too, and no row of a test fold is seen. The fit's record contains the number of combinations.

    Parameters
    ----------
    model : Forecaster
        The model, which is cloned.
    grid : mapping of str to sequence, or a sequence of such mappings
        The values to try of each parameter, such as ``{"lookback": [30, 60], "trainer.lr": [1e-3, 3e-3]}``.
    n_windows : int, default 5
        The number of cutoffs of the inner walk-forward run.
    loss : {"squared", "absolute", "pinball", "qlike"}, default "squared"
        The loss, as in the verdict.
    levels : tuple of float, default (0.1, 0.5, 0.9)
        The quantile levels.
    """

    model: Forecaster
    grid: Grid
    n_windows: int = 5
    loss: str = "squared"
    levels: tuple[float, ...] = LEVELS

    def candidates(self) -> dict[str, Forecaster]:
        """Return the models to try, named by the parameters that differ."""
        models = {}
        for settings in ParameterGrid(self.grid):
            model = with_levels(self.model, self.levels)
            for path, value in settings.items():
                set_parameter(model, path, value, type(self.model).__name__)
            models[", ".join(f"{path}={value!r}" for path, value in settings.items())] = model
        return models

    def required_fields(self) -> tuple[str, ...]:
        """Return the names of the fields that are read in addition to the target."""
        return tuple(dict.fromkeys(name for m in self.candidates().values() for name in m.required_fields()))

    def future_fields(self) -> tuple[str, ...]:
        """Return the names of the required fields of which the rows that are forecast are read, too."""
        return tuple(dict.fromkeys(name for m in self.candidates().values() for name in m.future_fields()))

    def static_fields(self) -> tuple[str, ...]:
        """Return the names of the static inputs that are read."""
        return tuple(dict.fromkeys(name for m in self.candidates().values() for name in m.static_fields()))

    def min_rows(self, horizon: int) -> int:
        """Return how many observed training rows a series needs: for the models, and for the inner cutoffs."""
        return max(m.min_rows(horizon) for m in self.candidates().values()) + self.n_windows * horizon

    def check_params(self) -> None:
        """Raise TypeError or ValueError if a parameter, or one of the models to try, is not valid."""
        super().check_params()
        if not isinstance(self.model, Forecaster):
            raise TypeError(f"model must be a Forecaster; got {self.model!r}")
        check_int("n_windows", self.n_windows, 1)
        check_choice("loss", self.loss, tuple(LOSSES))
        try:
            candidates = self.candidates()
        except TypeError as error:
            raise TypeError(f"grid must map parameters to lists of values: {error}") from error
        if not candidates or "" in candidates:
            raise ValueError("grid names nothing to try: set values to try, such as {'lookback': [30, 60]}")
        for name, model in candidates.items():
            try:
                model.check_params()
            except (TypeError, ValueError) as error:
                raise type(error)(f"{name}: {error}") from error

    def nests(self, other: Forecaster) -> bool:
        """Return whether one of the models to try nests the other or is the same."""
        return any(m.same_as(other) or m.nests(other) for m in self.candidates().values())

    def _fit(self, panel: Panel, horizon: int) -> None:
        candidates = self.candidates()
        inner = WalkForward(horizon, self.n_windows)
        result = backtest(candidates, panel, inner, refit=self.n_windows, season=1, reference=NAIVE, progress=False)
        compared = compared_series(result.forecasts, self.loss, NAIVE)
        by_cutoff = loss_by_cutoff(compared, self.loss, NAIVE).reindex(columns=list(candidates))
        losses = by_cutoff.mean()
        if losses.isna().all():
            raise ValueError("naive was never wrong on the inner walk-forward run: there is no loss to choose by")
        best = str(losses.idxmin())
        self.model_ = candidates[best].fit(panel, horizon)
        self.record_ = self.model_.record_ | {
            "chosen": best,
            "tried": len(candidates),
            "losses": {name: round(float(loss), 6) for name, loss in losses.items()},
            "losses_by_cutoff": {name: by_cutoff[name].round(6).tolist() for name in candidates},
        }

    def _predict_at(self, panel: Panel, rows: np.ndarray) -> Forecast:
        return self.model_._predict_at(panel, rows)

    def _predict_point_at(self, panel: Panel, rows: np.ndarray) -> np.ndarray:
        return self.model_._predict_point_at(panel, rows)
