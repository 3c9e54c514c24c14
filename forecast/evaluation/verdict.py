"""The verdict: which models forecast significantly better than a simple baseline, by a rule fixed in advance."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from forecast._text import plain
from forecast.evaluation import metrics
from forecast.evaluation.extremes import Extremes, compared_series, find_extremes
from forecast.evaluation.multiple import holm
from forecast.evaluation.pairwise import ALPHA, NEGLIGIBLE, DieboldMariano, clark_west, diebold_mariano
from forecast.evaluation.scores import (
    NAIVE,
    check_model,
    error_ratios,
    gap_by_cutoff,
    loss_by_cutoff,
    rounding_of_losses,
    skills,
)
from forecast.evaluation.text import format_p, join_names

POWER = 0.80
SIGNAL = "a signal, but worse forecasts"
COLUMNS = ["model", "skill", "low", "high", "test", "statistic", "p", "p_holm", "p_worse_holm", "detectable", "finding"]


@dataclass(frozen=True)
class Verdict:
    """Comparison of each model with one of them: a table, and its summary in one sentence."""

    table: pd.DataFrame  # model, skill, low, high, test, statistic, p, p_holm, p_worse_holm, detectable, finding
    against: str
    n_cutoffs: int
    extremes: Extremes  # the series that are set apart

    @property
    def sentence(self) -> str:
        """The summary in one sentence."""
        if len(self.table) == 0:
            return f"Only {self.against} was run: there is nothing to compare."
        if self.n_cutoffs == 0:
            return f"No model beats {self.against}: the models share no row, or there is no error to compare with."
        if (self.table["finding"] == "too few cutoffs").any():
            return f"Too few cutoffs ({self.n_cutoffs}) to test whether any model differs from {self.against}."
        first, *rest = self._clauses()
        return f"{first}{': ' if rest else ''}{'; '.join(rest)}."

    def _clauses(self) -> Iterator[str]:
        """Yield a clause on the winners, then one for each other finding."""
        rows = dict(iter(self.table.groupby("finding")))
        names = {finding: group["model"].tolist() for finding, group in rows.items()}
        period = f"{self.n_cutoffs} cutoff{'s' if self.n_cutoffs != 1 else ''}"
        if n_apart := len(self.extremes.series):
            period += f" and {self.extremes.n_series - n_apart} of {self.extremes.n_series} series"
        if "better" in rows:
            winners = [
                f"{row.model} (skill {row.skill:.1%}, p {format_p(row.p_holm)})" for row in rows["better"].itertuples()
            ]
            yield f"{join_names(winners)} beat{'s' if len(winners) == 1 else ''} {self.against} over {period}"
        else:
            yield f"No model beats {self.against} over {period}"
        if SIGNAL in rows:
            yield f"{join_names(names[SIGNAL])} {_have(names[SIGNAL])} a significant signal but worse forecasts"
        if "not distinguishable" in rows:
            undecided = names["not distinguishable"]
            subject = join_names(undecided) if len(undecided) < 4 else self._count(undecided)
            power = _describe_power(rows["not distinguishable"]["detectable"])
            yield f"{subject} {_be(undecided)} not distinguishable from {self.against}; this run {power}"
        if "worse" in rows:
            yield f"{join_names(names['worse'])} {_be(names['worse'])} significantly worse"
        if "identical" in rows:
            yield f"{join_names(names['identical'])} made the same forecasts as {self.against}"

    def _count(self, names: list[str]) -> str:
        return f"{'all' if len(names) == len(self.table) else 'the other'} {len(names)}"

    @property
    def details(self) -> list[str]:
        """The finding on each model as text."""
        return [f"{row.model}: {_describe(row)}" for row in self.table.itertuples()]

    def __str__(self) -> str:
        lines = [self.sentence, *(f"  {line}" for line in self.details), *self.extremes.sentences]
        return "\n".join(map(plain, lines))

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(plain(sentence))}</p>" for sentence in self.extremes.sentences)
        return f"<p><strong>{escape(plain(self.sentence))}</strong></p>{self.table.to_html(index=False)}{notes}"


def strongest(
    forecasts: pd.DataFrame, baselines: Collection[str], reference: str = NAIVE, loss: str = "squared"
) -> str:
    """Return the simple baseline with the smallest loss, the one of greatest skill; the reference if none is better."""
    skill = skills(compared_series(forecasts, loss, reference), loss, reference)
    skill = skill[[name for name in skill.index if name in baselines]]
    better = skill[skill > NEGLIGIBLE]
    return str(better.idxmax()) if len(better) else reference


def verdict(
    forecasts: pd.DataFrame,
    overlap: int,
    against: str | None = None,
    models: Sequence[str] | None = None,
    loss: str = "squared",
    nested: Collection[str] = (),
    reference: str = NAIVE,
    weaker: Collection[str] = (),
) -> Verdict:
    """Compare each model with one of them, the reference by default.

    Parameters
    ----------
    forecasts : DataFrame
        The long table of a run.
    overlap : int
        Number of successive cutoffs that share test rows, ceil(horizon / step_size).
    against : str, optional
        Model to compare with; by default the reference.
    models : sequence of str, optional
        Models to compare; by default all.
    loss : {"squared", "qlike"}
        Loss to compare by; "qlike" is for variances.
    nested : collection of str
        Models of which `against` is a special case; by squared errors these are tested by Clark and West.
    reference : str, default "naive"
        Model whose mean loss on a series the losses are divided by.
    weaker : collection of str
        Baselines among which `against` was chosen as the one of the smallest loss (`strongest`). None of them can be
        better, so Holm's adjustment for a win leaves them out.

    Returns
    -------
    Verdict
        Its table has a row for each model. `low` to `high` is the 90 % interval of the skill from the standard error of
        Diebold and Mariano. With one series and no missing outcome, `low` is above 0 exactly where their one-sided
        test, unadjusted, finds a win at .05; with several series the two may differ, as skill is a geometric mean over
        series and the test averages losses. `detectable` is the smallest skill that this run detects with a power of
        80 %.

    Raises
    ------
    ValueError
        If the run has no such model, if `models` is empty, or if the loss is not defined for a row.

    Notes
    -----
    A model is "better" if its skill is above 0 and its p-value, Holm-adjusted over the models, is below .05. The test
    is Diebold and Mariano's, or Clark and West's for nested models. A nested model with a significant signal but skill
    ≤ 0 has "a signal, but worse forecasts". A model is "worse" if its skill is below 0 and the opposite Diebold-Mariano
    test is significant. Series that would decide alone are set apart, as in `find_extremes`. If the square of the
    small-sample factor is below ½, there are too few cutoffs for a test.
    """
    against = reference if against is None else against
    extremes = find_extremes(forecasts, loss, reference)
    table, n_cutoffs = _compare(extremes.drop(forecasts), overlap, against, models, loss, nested, reference)
    return Verdict(_with_findings(table, weaker)[COLUMNS], against, n_cutoffs, extremes)


def verdict_by_step(
    forecasts: pd.DataFrame,
    step_size: int,
    against: str | None = None,
    models: Sequence[str] | None = None,
    loss: str = "squared",
    nested: Collection[str] = (),
    reference: str = NAIVE,
) -> pd.DataFrame:
    """Compare each model with one of them at each step separately, by the rule of `verdict`.

    Parameters
    ----------
    forecasts : DataFrame
        The long table of a run.
    step_size : int
        Rows between two cutoffs. At each step, ceil(step / step_size) successive cutoffs share test rows.
    against, models, loss, nested, reference
        As in `verdict`.

    Returns
    -------
    DataFrame
        A row for each model and step; p-values are Holm-adjusted over both.

    Raises
    ------
    ValueError
        As in `verdict`.
    """
    against = reference if against is None else against
    tables, forecasts = [], compared_series(forecasts, loss, reference)
    for step in sorted(forecasts["step"].unique()):
        rows = forecasts[forecasts["step"] == step]
        table, _ = _compare(rows, -(-int(step) // step_size), against, models, loss, nested, reference)
        tables.append(table.assign(step=int(step)))
    table = _with_findings(pd.concat(tables, ignore_index=True))
    return table[["model", "step", *COLUMNS[1:]]].sort_values(["model", "step"], kind="stable", ignore_index=True)


def _compare(
    forecasts: pd.DataFrame,
    overlap: int,
    against: str,
    models: Sequence[str] | None,
    loss: str,
    nested: Collection[str],
    reference: str,
) -> tuple[pd.DataFrame, int]:
    """Return a row for each model with its skill and unadjusted test, and the number of cutoffs."""
    by_cutoff = loss_by_cutoff(forecasts, loss, reference)
    models = _check_models(models, against, list(by_cutoff))
    ratios = error_ratios(forecasts, loss=loss, reference=reference)
    gaps = gap_by_cutoff(forecasts, against, reference) if nested and loss == "squared" else None
    baseline, negligible = by_cutoff[against].to_numpy(), rounding_of_losses(forecasts, loss, reference)
    rows = []
    for model in models:
        losses = _without_rounding(by_cutoff[model].to_numpy(), baseline, negligible)
        test = diebold_mariano(baseline, losses, overlap)
        row: dict[str, Any] = {"test": "Diebold-Mariano", "statistic": test.statistic, "p": test.p_better}
        if gaps is not None and model in nested and test.enough:
            signal = clark_west(baseline, losses, gaps[model].to_numpy(), overlap)
            row = {"test": "Clark-West", "statistic": signal.statistic, "p": signal.p_small}
        skill = metrics.skill(ratios[model].to_numpy(), ratios[against].to_numpy())
        row |= {"model": model, "skill": skill, "p_worse": test.p_worse, "dm": test}
        rows.append(row | _precision(test, skill, by_cutoff[against].mean(), len(by_cutoff)))
    columns = ["model", "skill", "low", "high", "test", "statistic", "p", "p_worse", "detectable", "dm"]
    return pd.DataFrame(rows, columns=columns), len(by_cutoff)


def _without_rounding(losses: np.ndarray, baseline: np.ndarray, negligible: float) -> np.ndarray:
    """Return the losses, equal to the baseline's or at a constant difference from them where only rounding differs."""
    losses = np.where(np.abs(losses - baseline) <= negligible, baseline, losses)
    difference = losses - baseline
    if len(difference) and np.ptp(difference) <= negligible:
        return baseline + difference.mean()
    return losses


def _check_models(models: Sequence[str] | None, against: str, available: list[str]) -> list[str]:
    """Return the models to compare with `against`; raises ValueError if one of them was not run."""
    models = [models] if isinstance(models, str) else models
    if models is not None and len(models) == 0:
        raise ValueError("models is empty: name at least one, or None for all")
    for name in (against, *(models or ())):
        check_model(name, available)
    return [name for name in models or available if name != against]


def _precision(test: DieboldMariano, skill: float, mean_loss: float, n: int) -> dict[str, float]:
    """Return the interval of a skill, if it can be tested, and the smallest skill detected with a power of 80 %."""
    from scipy import stats

    degrees = max(n - 1, 1)
    width = stats.t.ppf(1 - ALPHA, df=degrees)  # in standard errors
    error = test.standard_error / mean_loss
    detectable = {"detectable": (width + stats.t.ppf(POWER, df=degrees)) * error}
    interval = {"low": skill - width * error, "high": min(skill + width * error, 1.0)} if test.enough else {}
    return detectable | interval


def _with_findings(table: pd.DataFrame, weaker: Collection[str] = ()) -> pd.DataFrame:
    """Return the table with Holm-adjusted p-values and the finding of each row."""
    table = table.assign(p_holm=1.0, p_worse_holm=holm(table["p_worse"].to_numpy()))
    can_win = ~table["model"].isin(list(weaker))
    table.loc[can_win, "p_holm"] = holm(table.loc[can_win, "p"].to_numpy())
    return table.assign(finding=[_finding(row) for row in table.itertuples()])


def _finding(row: Any) -> str:
    test: DieboldMariano = row.dm
    if test.statistic == 0 and test.standard_error == 0:
        return "identical"
    if not test.enough:
        return "too few cutoffs"
    if math.isnan(test.statistic):
        return "constant difference"
    if row.skill > 0 and row.p_holm < ALPHA:
        return "better"
    if row.skill < 0 and row.p_worse_holm < ALPHA:
        return "worse"
    if row.test == "Clark-West" and row.p_holm < ALPHA:
        return SIGNAL
    return "not distinguishable"


def _describe(row: Any) -> str:
    """Return the finding of one row of the table as text."""
    if math.isnan(row.skill):
        return "no loss to compare"
    if row.finding == "identical":
        return "the same forecasts"
    skill, p = f"skill {row.skill:+.1%}", format_p(row.p_holm)
    detectable = f"{row.detectable:.1%}" if row.detectable < 1 else "none"
    return {
        "too few cutoffs": f"{skill}; too few cutoffs for a test",
        "constant difference": f"{skill}; the losses differ by the same amount at every cutoff, so there is no test",
        "better": f"better, {skill} (p {p})",
        "worse": f"worse, {skill} (p {format_p(row.p_worse_holm)})",
        SIGNAL: f"{SIGNAL}, {skill} (p {p} by Clark-West)",
        "not distinguishable": f"not distinguishable, {skill} (p {p}); could have shown {detectable}",
    }[row.finding]


def _describe_power(detectable: pd.Series) -> str:
    """Return the clause on the skills that a run could have shown; skills are at most 1."""
    low, high = detectable.min(), detectable.max()
    if not low < 1:
        return "is too small to have shown any skill"
    if not high < 1:
        return f"could have shown a skill of {low:.1%} at best (power {POWER:.0%})"
    size = f"{low:.1%}" if f"{low:.1%}" == f"{high:.1%}" else f"{low:.1%} to {high:.1%}"
    return f"could have shown a skill of {size} (power {POWER:.0%})"


def _be(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _have(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"
