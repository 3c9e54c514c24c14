"""The result of a walk-forward run: its tables, and the scores, verdicts and tests that follow from them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast import _io
from forecast._validation import check_choice
from forecast.backtesting.spec import DEFAULTS, describe_target, differences
from forecast.backtesting.split import WalkForward
from forecast.evaluation.by_period import by_period, by_volatility
from forecast.evaluation.by_series import BySeries, by_series
from forecast.evaluation.calibration import interval_tests
from forecast.evaluation.conditional import Fluctuation, GiacominiWhite, fluctuation, giacomini_white
from forecast.evaluation.directional import directions
from forecast.evaluation.extremes import Extremes, compared_series, find_extremes
from forecast.evaluation.leaderboard import Leaderboard, leaderboard, members
from forecast.evaluation.losses import (
    PINBALL,
    SQUARED,
    check_model,
    common_rows,
    has_spread,
    loss_by_cutoff,
    model_names,
    shares_no_levels,
)
from forecast.evaluation.multiple import SuperiorAbility, model_confidence_set, superior_ability
from forecast.evaluation.scores import scores, to_nixtla
from forecast.evaluation.shared import shared
from forecast.evaluation.trading import Economics, economics
from forecast.evaluation.verdict import Verdict, strongest, verdict, verdict_by_step
from forecast.evaluation.verdicts import Question, Verdicts

#: Classes of simple baselines, as in a spec: their point forecasts have no parameter that is estimated.
SIMPLE = ("Naive", "Zero", "SeasonalNaive")
NETWORKS = ("Recurrent", "Pretrained")
#: Targets whose forecasts a position can follow.
TRADED = ("y", "Adj Close", "Close", "Open", "return")
FIT_COLUMNS = ("model", "member", "cutoff", "rows", "seconds_fit", "seconds_predict", "warnings", "error", "details")
AGAIN = "run the backtest again, in a new folder or with restart=True"
SKIPPED = ["unique_id", "reason", "cutoffs", "first", "last"]


@dataclass(frozen=True)
class BacktestResult:
    """The forecasts of a walk-forward run, and what follows from them.

    Scores, leaderboard and verdict are derived from the table of forecasts alone.

    Attributes
    ----------
    forecasts : DataFrame
        The long table: unique_id, cutoff, step, ds, model, member, y0, y, y_hat, quantiles ("q0.1" …), scale, age.
    fits : DataFrame
        A row for each fit: model, member, training rows, seconds, warnings, error and details.
    spec : dict
        What was run, as JSON values: data, models, split, settings, versions.
    skipped : DataFrame
        The series that were left out, with the reason and the cutoffs.
    next : DataFrame, optional
        What the models, fitted again on all rows, forecast of the rows after the last: unique_id, model, cutoff, step,
        ds, y0, y_hat, quantiles, error. No score reads it. None unless `backtest(…, predict_next=True)`.
    """

    forecasts: pd.DataFrame
    fits: pd.DataFrame
    spec: dict[str, Any]
    skipped: pd.DataFrame
    next: pd.DataFrame | None = None

    def scores(self, by: tuple[str, ...] = ("model", "unique_id")) -> pd.DataFrame:
        """Score each model on the rows that all have in common, by series (add "step" for the error by step)."""
        return scores(self.forecasts, by, reference=self.reference)

    @shared()
    def leaderboard(self) -> Leaderboard:
        """Rank the models, best first, with the reference among them, on the series that are not set apart."""
        return leaderboard(self.forecasts, self.fits, self.reference)

    def extremes(self, loss: str = "squared") -> Extremes:
        """Return the series that would decide the scores of a panel alone, and are set apart for all models.

        A series is set apart from leaderboard, verdicts, tests and plots if it is constant, or if a model forecasts it
        exactly or with a loss beyond 100:1 of the reference's, unless that model does so on more than half of the
        series. `scores()` has every series.
        """
        return find_extremes(self.forecasts, loss, self.reference)

    def failures(self) -> pd.DataFrame:
        """Return the fits that failed, with their reason: model, member, cutoff, error."""
        failed = self.fits[self.fits["error"] != ""]
        return failed[["model", "member", "cutoff", "error"]].reset_index(drop=True)

    @shared()
    def compared(self) -> tuple[int, int]:
        """Return how many rows all models forecast, on which they are compared, and how many the reference does."""
        forecasts = compared_series(self.forecasts, reference=self.reference)
        is_reference = forecasts["model"] == self.reference
        table = forecasts[(forecasts["member"] == 0) & is_reference]
        return len(common_rows(forecasts)) // max(forecasts["model"].nunique(), 1), int(table["y"].count())

    def to_nixtla(self) -> pd.DataFrame:
        """Return the forecasts as `utilsforecast` reads them: columns for each model and its intervals."""
        return to_nixtla(self.forecasts)

    def members(self) -> pd.DataFrame:
        """Compare the members of each model with their combination; no member is ever selected."""
        return members(self.forecasts, self.reference)

    def strongest_baseline(self, loss: str = "squared") -> str:
        """Return the simple baseline with the smallest loss: of greatest skill; the reference if none is better.

        Simple are the last value, zero and the value a season ago, which have no estimated parameter.
        """
        return strongest(self.forecasts, self._baselines, self.reference, loss)

    @shared()
    def verdict(
        self, against: str | None = None, models: Sequence[str] | None = None, loss: str = "squared"
    ) -> Verdict:
        """Test which models (None: all) forecast better than another, by a rule fixed beforehand.

        They are compared with `against`: by default the run's own `against`, else the strongest simple baseline
        (`strongest_baseline`). The loss is "squared" or "absolute" for the point forecasts, "pinball" for the spread
        (quantile loss, averaged over the levels that all models with quantiles have), or "qlike" for variances.
        """
        chosen = self._against(against, loss)
        weaker = () if against or self.spec.get("against") else self._baselines
        return verdict(self.forecasts, self.overlap, chosen, models, loss, self._nested(chosen), self.reference, weaker)

    @shared()
    def verdict_by_step(
        self, against: str | None = None, models: Sequence[str] | None = None, loss: str = "squared"
    ) -> pd.DataFrame:
        """Test each step by the same rule, adjusted for all the models and steps compared."""
        chosen = self._against(against, loss)
        nested = self._nested(chosen)
        return verdict_by_step(self.forecasts, self.step_size, chosen, models, loss, nested, self.reference)

    def by_series(
        self, against: str | None = None, models: Sequence[str] | None = None, loss: str = "squared"
    ) -> BySeries:
        """Compare models with another on each series: skill, interval and test, and the share of series won.

        `against` is that of `verdict`. The intervals over series are those of a bootstrap of the series.
        """
        return by_series(self.forecasts, self.overlap, self._against(against, loss), models, loss, self.reference)

    @shared()
    def by_period(self, against: str | None = None, loss: str = "squared") -> pd.DataFrame:
        """Return the skill of each model year by year (quarters or months of a shorter run): period, model, skill.

        `against` is that of `verdict`.
        """
        return by_period(self.forecasts, self._against(against, loss), loss, self.reference)

    @shared()
    def by_volatility(self, against: str | None = None, loss: str = "squared") -> pd.DataFrame:
        """Return the skill of each model at the cutoffs before which the prices moved little, and much.

        `against` is that of `verdict`.
        """
        return by_volatility(self.forecasts, self.overlap, self._against(against, loss), loss, self.reference)

    def directions(self, step: int = 1) -> pd.DataFrame:
        """Test whether models forecast the direction of a move over `step` rows better than chance, for each series."""
        return directions(self.forecasts, step, self.step_size, self.reference)

    def interval_tests(self, step: int = 1) -> pd.DataFrame:
        """Test whether the intervals of each model contain as many outcomes as stated, for each series."""
        return interval_tests(self.forecasts, step, self.step_size)

    @shared()
    def conditional_test(self, model: str, against: str | None = None, loss: str = "squared") -> GiacominiWhite:
        """Test whether it can be predicted from the newest losses which of two models will be better.

        `against` is that of `verdict`.
        """
        return giacomini_white(*self._losses(model, against, loss), self.overlap)

    @shared()
    def fluctuation_test(
        self, model: str, against: str | None = None, loss: str = "squared", share: float = 0.3
    ) -> Fluctuation:
        """Test whether one of two models is better during some part of the run: windows of `share` of the cutoffs.

        `against` is that of `verdict`.
        """
        return fluctuation(*self._losses(model, against, loss), self.overlap, share)

    def economics(self, rule: str = "sign", cost: float = 0.0005, models: Sequence[str] | None = None) -> Economics:
        """Return what positions that follow the forecasts would have returned after costs, next to buy and hold.

        By `rule` "sign" positions are 1 or −1, by "size" the forecast return over its spread. `cost` is a share of each
        turnover. Raises ValueError where the target is neither a price nor the target "return".
        """
        target = self.spec["data"]["channels"][0]
        if target not in TRADED:
            raise ValueError(f"the target {target!r} is no price and no return, so it cannot be traded")
        return economics(self.forecasts, self.step_size, rule, cost, models, self.reference)

    def _losses(self, model: str, against: str | None, loss: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the losses by cutoff of the baseline and of a model."""
        check_model(model, model_names(self.forecasts))
        forecasts = compared_series(self.forecasts, loss, self.reference)
        table = loss_by_cutoff(forecasts, loss, self.reference)[[self._against(against, loss), model]].dropna()
        return table.iloc[:, 0].to_numpy(), table.iloc[:, 1].to_numpy()

    @shared()
    def confidence_set(self, size: float = 0.1, loss: str = "squared") -> pd.DataFrame:
        """Return which models may be the best; the others are worse than one of these, at this `size` of error."""
        return model_confidence_set(self.forecasts, self.overlap, size, loss, reference=self.reference)

    @shared()
    def superior_ability(self, against: str | None = None, loss: str = "squared") -> SuperiorAbility:
        """Test whether the best of all models is better than `against`, allowing for the number of models.

        `against` is that of `verdict`.
        """
        chosen = self._against(against, loss)
        return superior_ability(self.forecasts, self.overlap, chosen, loss, reference=self.reference)

    def _against(self, against: str | None, loss: str) -> str:
        return against or self.spec.get("against") or self.strongest_baseline(loss)

    def _nested(self, against: str) -> list[str]:
        return [name for name, inner in self.spec.get("nests", {}).items() if against in inner]

    @property
    def _baselines(self) -> list[str]:
        return [name for name, model in self.spec["models"].items() if model["class"] in SIMPLE]

    @shared()
    def verdicts(self, loss: str | None = None) -> Verdicts:
        """Judge where the series will be, how far it may be off, and whether a network is worth it.

        By default there are two verdicts: on the point forecasts (squared errors) and, if the reference and another
        model forecast quantiles, on the spread (quantile loss). With `loss`, one of `verdict`, there is that one. For
        each, the networks are compared with every ARIMA model of the run as well.
        """
        ran = set(model_names(self.forecasts))
        classes = {name: model["class"] for name, model in self.spec["models"].items() if name in ran}
        networks = [name for name, class_name in classes.items() if class_name in NETWORKS]
        arimas = [name for name, class_name in classes.items() if class_name == "ARIMA"]
        judges_spread = has_spread(self.forecasts, self.reference, self.spec.get("against") or self.reference)
        default = [SQUARED, PINBALL] if judges_spread else [SQUARED]
        questions = [self._question(each, networks, arimas) for each in ([loss] if loss else default)]
        return Verdicts(tuple(questions), tuple(networks), loss is None and shares_no_levels(self.forecasts))

    def _question(self, loss: str, networks: list[str], arimas: list[str]) -> Question:
        main = self.verdict(loss=loss)
        compared = [name for name in networks if name not in main.without_levels]
        others = [name for name in arimas if name != main.against and name not in main.without_levels]
        return Question(main, tuple(self.verdict(name, compared, loss) for name in others if compared))

    @property
    def reference(self) -> str:
        """The model whose loss others are divided by."""
        return str(self.spec.get("reference", DEFAULTS["reference"]))

    @property
    def target(self) -> str:
        """What is forecast, such as "Adj Close of AAPL and IBM"."""
        return describe_target(self.spec["data"])

    @property
    def cv(self) -> WalkForward:
        """The walk-forward split of the run."""
        return WalkForward(**self.spec["cv"])

    @property
    def overlap(self) -> int:
        """How many successive cutoffs share test rows: ceil(horizon / step_size), 1 for none."""
        return -(-self.cv.horizon // self.step_size)

    @property
    def step_size(self) -> int:
        """Rows between two cutoffs."""
        return self.cv.step

    def save(self, folder: str | Path, replace: bool = False) -> None:
        """Write the run as a folder; an existing folder is replaced only if it is empty or this run.

        With `replace` it may be another run. Raises ValueError if the folder cannot be written, or another process is
        writing it.
        """
        check_choice("replace", replace, (True, False))
        with _io.folder_lock(folder, _io.RUN) as target:
            if not replace and _io.is_kind(target, _io.RUN):
                self._check_same_run(target)
            with _io.atomic_folder(folder, _io.RUN) as temporary:
                self.write(temporary)

    def _check_same_run(self, folder: Path) -> None:
        """Raise ValueError if a folder holds another run than this one."""
        if changed := differences(_io.read_spec(folder), self.spec):
            raise ValueError(
                f"{folder} holds another run, which differs in {', '.join(changed)}: name another folder, or replace "
                "that run with replace=True"
            )

    def write(self, folder: Path) -> None:
        """Write the run's tables and spec into an existing folder."""
        self.forecasts.to_parquet(folder / _io.FORECASTS, index=False)
        self.fits.to_parquet(folder / _io.FITS, index=False)
        written = {
            "skipped": self.skipped.to_dict("records"),
            "forecasts": _sha256((folder / _io.FORECASTS).read_bytes()),
        }
        if self.next is not None:
            self.next.to_parquet(folder / _io.NEXT, index=False)
            written["next"] = _sha256((folder / _io.NEXT).read_bytes())
        _io.write_spec(folder, self.spec | written)

    def to_mlflow(self, name: str | None = None) -> str:
        """Log the run to MLflow and return the identifier that it has there.

        Parameters are the split and the models, metrics the leaderboard ("lstm/skill"), and the tag `verdict` has its
        sentences. The folder `run` among the artifacts is the saved run, which `BacktestResult.load` reads. It is
        logged where MLflow's tracking URI and experiment point, inside the active run if there is one. Needs
        `forecast[mlflow]`.
        """
        from forecast.backtesting.tracking import log_run

        return log_run(self, name)

    @classmethod
    def load(cls, folder: str | Path) -> BacktestResult:
        """Read a run from its folder; raise ValueError if the folder is not a run or is damaged."""
        spec = _io.read_spec(folder)
        path = _io.user_path(folder)
        skipped = pd.DataFrame(spec.pop("skipped"), columns=SKIPPED).astype({"cutoffs": np.int64})
        forecasts = _read_as_written(path / _io.FORECASTS, spec.pop("forecasts"))
        later = _read_as_written(path / _io.NEXT, spec.pop("next")) if "next" in spec else None
        fits = _table(_read(path / _io.FITS), path / _io.FITS)
        if not {*FIT_COLUMNS} <= {*fits}:
            raise ValueError(f"{path / _io.FITS} is damaged: it is not a table of fits: {AGAIN}")
        next_rows = None if later is None else _table(later, path / _io.NEXT)
        return cls(_table(forecasts, path / _io.FORECASTS), fits, spec, skipped, next_rows)

    @shared()
    def __repr__(self) -> str:
        return f"{self.leaderboard()}\n\n{self.verdicts()}"

    @shared()
    def _repr_html_(self) -> str:
        return self.leaderboard()._repr_html_() + self.verdicts()._repr_html_()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_as_written(path: Path, sha256: str) -> bytes:
    """Return the content of a file; raise ValueError if it has another hash."""
    content = _read(path)
    if _sha256(content) != sha256:
        raise ValueError(f"{path} is damaged: it is not what the run wrote: {AGAIN}")
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): {AGAIN}") from error


def _table(content: bytes, path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}): {AGAIN}") from error
