"""Whether the training rows of a run are enough for its models, and which other settings would be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from forecast.backtesting.split import WalkForward
from forecast.data.panel import Panel
from forecast.evaluation.losses import NAIVE
from forecast.evaluation.text import join_names
from forecast.models.base import Forecaster


class RowsNeeded:
    """The training rows that a run needs at every fit, and those that its splits would have.

    Settings that it names as a remedy have been tried on these prices: at every fit a series has the rows that each
    model needs, and with a declared season the training rows are longer than it.
    """

    def __init__(
        self, models: Mapping[str, Forecaster], panel: Panel, refit: int = 1, season: int | None = None
    ) -> None:
        self.models, self.refit, self.season = models, refit, season
        zero = np.zeros((1, len(panel.series)), dtype=np.int64)
        self.counts = np.concatenate([zero, panel.observed.cumsum(axis=0)])  # (T + 1, N): observed before each row
        self.n_rows = len(panel)

    def of_each(self, horizon: int) -> dict[str, int]:
        """Return the observed rows that each model needs."""
        return {name: model.min_rows(horizon) for name, model in self.models.items()}

    def at_least(self, horizon: int) -> int:
        """Return the training rows that a run needs."""
        return max(*self.of_each(horizon).values(), (self.season or 0) + 1)

    def available(self, cv: WalkForward) -> int:
        """Return the observed training rows of the longest series at the fit that has the fewest; 0 without a split."""
        try:
            cutoffs = np.array(cv.cutoffs(range(self.n_rows))[:: self.refit])
        except ValueError:
            return 0
        stop = cutoffs + 1 - cv.embargo
        start = np.zeros_like(stop) if cv.train_size is None else stop - cv.train_size
        if self.season is not None and stop[0] - start[0] <= self.season:
            return 0
        return int((self.counts[stop] - self.counts[start]).max(axis=1).min())

    def are_enough(self, cv: WalkForward) -> bool:
        """Return whether every fit of a split has the rows that the models need."""
        return self.available(cv) >= max(self.of_each(cv.horizon).values())

    def check(self, cv: WalkForward) -> None:
        """Raise ValueError with the settings that help, if a fit of a split has too few rows."""
        if self.are_enough(cv):
            return
        of_each, most = self.of_each(cv.horizon), self.at_least(cv.horizon)
        subject = next((name for name, rows in of_each.items() if rows == most), f"a season of {self.season} rows")
        available = self.available(cv)
        found = f"the shortest training range has {available}" if available else "too few precede the first cutoff"
        raise ValueError(
            f"{subject} needs {most} observed training rows of a series; of these {self.n_rows} rows, with "
            f"horizon={cv.horizon} and n_windows={cv.n_windows}, {found}: use {join_names(self.remedies(cv), 'or')}"
        )

    def remedies(self, cv: WalkForward) -> list[str]:
        """Return settings that are enough, each by itself, as text, and the number of rows that this split needs."""
        found = list(self._single(cv))
        if not found:
            smaller = (replace(cv, horizon=horizon) for horizon in range(cv.horizon, 0, -1))
            if best := next((split for each in smaller for split in self._fewer_windows(each)), None):
                found.append(f"horizon={best.horizon} with n_windows={best.n_windows}")
        rows = max(self.at_least(cv.horizon), cv.train_size or 0)
        rows += cv.embargo + (cv.n_windows - 1) * cv.step + cv.horizon
        return [*found, f"prices of {rows} rows" if rows > self.n_rows else "prices with fewer gaps"]

    def _single(self, cv: WalkForward) -> Iterator[str]:
        """Yield each single setting that is enough, with the value closest to that of the split."""
        if best := next(self._fewer_windows(cv), None):
            yield f"n_windows={best.n_windows}"
        shorter = (replace(cv, horizon=horizon) for horizon in range(cv.horizon - 1, 0, -1))
        if best := next(filter(self.are_enough, shorter), None):
            yield f"horizon={best.horizon}"
        if cv.train_size is not None:
            sizes = range(max(self.at_least(cv.horizon), cv.train_size + 1), self.n_rows)
            longer = (replace(cv, train_size=size) for size in sizes)
            if best := next(filter(self.are_enough, longer), None):
                yield f"train_size={best.train_size}"
        available = self.available(cv)
        able = [name for name, rows in self.of_each(cv.horizon).items() if rows <= available]
        if {*able} - {NAIVE}:
            yield f"models={able}"

    def _fewer_windows(self, cv: WalkForward) -> Iterator[WalkForward]:
        """Yield the splits of fewer cutoffs that are enough, those of most cutoffs first."""
        most = (self.n_rows - self.at_least(cv.horizon) - cv.embargo - cv.horizon) // cv.step + 1
        splits = (replace(cv, n_windows=windows) for windows in range(min(most, cv.n_windows - 1), 0, -1))
        return filter(self.are_enough, splits)
