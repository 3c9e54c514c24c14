"""What a walk-forward run leaves behind: its tables, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast import _io
from forecast.evaluation import (
    SuperiorAbility,
    Verdict,
    directions,
    model_confidence_set,
    superior_ability,
    verdict,
    verdict_by_step,
)
from forecast.evaluation.scores import NAIVE, common_rows, leaderboard, members, scores, to_nixtla

SKIPPED = ["unique_id", "reason", "cutoffs", "first", "last"]


@dataclass(frozen=True)
class BacktestResult:
    """Everything a walk-forward run said, and what follows from it.

    `forecasts` is the long table (unique_id, cutoff, step, ds, model, member, y0, y, y_hat, quantiles, scale, age);
    `fits` has a row for each fit; `spec` says what was run; `skipped` which series took no part at which cutoffs.
    Scores, leaderboard and verdict are derived from the table alone.
    """

    forecasts: pd.DataFrame
    fits: pd.DataFrame
    spec: dict[str, Any]
    skipped: pd.DataFrame

    def scores(self, by: tuple[str, ...] = ("model", "unique_id")) -> pd.DataFrame:
        """Score each model on the rows that all have in common, by series (add "step" for the error by step)."""
        return scores(self.forecasts, by)

    def leaderboard(self) -> pd.DataFrame:
        """Rank the models, best first, with naive among them."""
        return leaderboard(self.forecasts, self.fits)

    def failures(self) -> pd.DataFrame:
        """List the fits that failed, with their reason: model, member, cutoff, error."""
        failed = self.fits[self.fits["error"] != ""]
        return failed[["model", "member", "cutoff", "error"]].reset_index(drop=True)

    def compared(self) -> tuple[int, int]:
        """Count the rows that all models forecast, on which they are compared, and those that naive forecast."""
        table = self.forecasts[(self.forecasts["member"] == 0) & (self.forecasts["model"].astype(str) == NAIVE)]
        return len(common_rows(self.forecasts)) // max(self.forecasts["model"].nunique(), 1), int(table["y"].count())

    def to_nixtla(self) -> pd.DataFrame:
        """Give the forecasts as `utilsforecast` evaluates and draws them: columns for each model and its intervals."""
        return to_nixtla(self.forecasts)

    def members(self) -> pd.DataFrame:
        """Say how far the members of each model lie apart, and what combining them brings; none is ever chosen."""
        return members(self.forecasts)

    def verdict(self, against: str = NAIVE, models: Sequence[str] | None = None, loss: str = "squared") -> Verdict:
        """Say which models (None: all) are really better than naive, or another, by a rule fixed beforehand.

        Judged by squared errors, or by `loss` = "qlike" where variances are forecast.
        """
        return verdict(self.forecasts, self.overlap, against, models, loss, self._nested(against))

    def verdict_by_step(
        self, against: str = NAIVE, models: Sequence[str] | None = None, loss: str = "squared"
    ) -> pd.DataFrame:
        """Judge each step on its own, by the same rule, adjusted for all models and steps that were asked about."""
        return verdict_by_step(self.forecasts, self.step_size, against, models, loss, self._nested(against))

    def directions(self, step: int = 1) -> pd.DataFrame:
        """Say whether models call the direction of a move of so many rows better than chance, series by series."""
        return directions(self.forecasts, step, self.step_size)

    def confidence_set(self, size: float = 0.1, loss: str = "squared") -> pd.DataFrame:
        """Say which models may be the best; the others are worse than one of these, at this `size` of error."""
        return model_confidence_set(self.forecasts, self.overlap, size, loss)

    def superior_ability(self, against: str = NAIVE, loss: str = "squared") -> SuperiorAbility:
        """Say whether the best of all models is better than naive, having been the best of so many."""
        return superior_ability(self.forecasts, self.overlap, against, loss)

    def _nested(self, against: str) -> list[str]:
        return [name for name, inner in self.spec.get("nests", {}).items() if against in inner]

    def verdicts(self) -> list[Verdict]:
        """Answer the questions of the run: does anything beat naive, and do the networks beat ARIMA?"""
        ran = set(self.forecasts["model"].unique())
        classes = {name: model["class"] for name, model in self.spec["models"].items() if name in ran}
        nets = [name for name, kind in classes.items() if kind == "Recurrent"]
        arimas = [name for name, kind in classes.items() if kind == "ARIMA"]
        return [self.verdict(), *(self.verdict(name, nets) for name in arimas if nets)]

    @property
    def overlap(self) -> int:
        """How many successive cutoffs share test rows: ceil(horizon / step_size), 1 for none."""
        return -(-self.spec["cv"]["horizon"] // self.step_size)

    @property
    def step_size(self) -> int:
        """Rows between two cutoffs."""
        return int(self.spec["cv"]["step_size"] or self.spec["cv"]["horizon"])

    def save(self, folder: str | Path) -> None:
        """Write the run as a folder of its own; what was there before is replaced only if it was a run."""
        with _io.atomic_folder(folder, _io.RUN) as beside:
            self.write(beside)

    def write(self, folder: Path) -> None:
        """Write the run's tables and spec into a folder that exists."""
        self.forecasts.to_parquet(folder / _io.FORECASTS, index=False)
        self.fits.to_parquet(folder / _io.FITS, index=False)
        _io.write_json(folder / _io.SPEC, self.spec | {"skipped": self.skipped.to_dict("records")})

    @classmethod
    def load(cls, folder: str | Path) -> BacktestResult:
        """Read a run back, as it was."""
        spec = _io.read_spec(folder)
        skipped = pd.DataFrame(spec.pop("skipped", []), columns=SKIPPED).astype({"cutoffs": np.int64})
        tables = []
        for name in (_io.FORECASTS, _io.FITS):
            try:
                tables.append(pd.read_parquet(Path(folder) / name))
            except (OSError, ValueError) as error:
                raise ValueError(f"{Path(folder) / name} cannot be read ({error}): run the backtest again") from error
        return cls(tables[0], tables[1], spec, skipped)

    def __repr__(self) -> str:
        return f"{self.leaderboard().to_string()}\n\n{self.verdict()}"

    def _repr_html_(self) -> str:
        return self.leaderboard().to_html(float_format="%.4g") + self.verdict()._repr_html_()
