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
from forecast.evaluation.extremes import Extremes, compared_series, find_extremes
from forecast.evaluation.losses import (
    ABSOLUTE,
    NAIVE,
    PINBALL,
    QLIKE,
    SQUARED,
    ZERO,
    LossTable,
    check_model,
    common_rows,
    compared_models,
    gap_by_cutoff,
    loss_by_cutoff,
    loss_table,
    model_names,
    quantile_models,
    skills,
)
from forecast.evaluation.multiple import holm
from forecast.evaluation.pairwise import ALPHA, NEGLIGIBLE, clark_west, equal_accuracy_test
from forecast.evaluation.shared import once
from forecast.evaluation.skill import POWER, accuracy_test, detectable_skill, skill_interval
from forecast.evaluation.text import count, format_p, join_names
from forecast.models.base import quantile_columns

#: The question that each loss is for.
QUESTIONS = {
    SQUARED: "Where will it be",
    ABSOLUTE: "Where will it be",
    PINBALL: "How far may it be off",
    QLIKE: "How large will the variance be",
}
#: The findings, what matters most first.
TOO_WEAK = 0.5  # a true skill: a run that would not find it, and finds no other, decides nothing
FINDINGS = ("better", "too few cutoffs", "not distinguishable", "constant difference", "identical", "worse")
#: What a simple baseline forecasts, as a point and as quantiles.
MEANINGS = {
    NAIVE: ("the last value", "the spread of recent changes"),
    ZERO: ("no return", "the spread of recent returns"),
}
MAX_WINNERS = 3  # that a sentence describes one by one
COLUMNS = [
    "model", "skill", "low", "high", "statistic", "p", "p_holm", "p_worse_holm", "p_signal", "detectable", "finding"
]  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Comparison of each model with one of them by one loss: a table, and its summary.

    Attributes
    ----------
    table : DataFrame
        A row for each model, with the columns that `verdict` describes.
    against : str
        The model that the others are compared with.
    loss : str
        The loss: "squared" and "absolute" judge the point forecast, "pinball" the quantiles, "qlike" variances.
    n_cutoffs : int
        Number of cutoffs.
    extremes : Extremes
        The series that are set apart.
    levels : tuple of float
        The quantile levels that are compared; empty unless the loss is "pinball".
    without_levels : tuple of str
        The models that are not compared, since they forecast no quantiles.
    """

    table: pd.DataFrame
    against: str
    loss: str
    n_cutoffs: int
    extremes: Extremes
    levels: tuple[float, ...] = ()
    without_levels: tuple[str, ...] = ()

    @property
    def question(self) -> str:
        """The question that the loss is for."""
        return QUESTIONS[self.loss]

    def models(self, finding: str) -> list[str]:
        """Return the models with a finding, those of greatest skill first."""
        rows = self.table[self.table["finding"] == finding]
        return rows.sort_values("skill", ascending=False, kind="stable")["model"].tolist()

    @property
    def ranked(self) -> pd.DataFrame:
        """The table with what matters most first: models that are better, undecided, identical, worse; by skill."""
        order = self.table["finding"].map({name: position for position, name in enumerate(FINDINGS)})
        keys = pd.DataFrame({"finding": order, "skill": -self.table["skill"]})
        return self.table.loc[keys.sort_values(["finding", "skill"], kind="stable").index]

    @property
    def sentence(self) -> str:
        """The question and the finding in one sentence."""
        return f"{self.question}: {self._question()}."

    def _question(self) -> str:
        if len(self.table) == 0 and self.without_levels:
            return f"no model but {self.against} forecasts quantiles, so there is nothing to compare"
        if len(self.table) == 0:
            return f"only {self.against} has forecasts, so there is nothing to compare"
        if self.n_cutoffs == 0:
            return f"no model beats {self.against}, as the models share no row or there is no error to compare with"
        if (self.table["finding"] == "too few cutoffs").any():
            return f"too few cutoffs ({self.n_cutoffs}) to test whether a model differs from {self.against}"
        baseline = self.against
        if baseline in MEANINGS:
            baseline = f"{baseline}, {MEANINGS[baseline][self.loss == PINBALL]}"
        winners = self.models("better")
        if self.smallest_found is not None:
            return (
                f"no model is shown to beat {baseline}; {count(self.n_cutoffs, 'cutoff')} are too few to find a true "
                f"skill below {self.smallest_found:.0%}"
            )
        if not winners:
            return f"no model beats {baseline}"
        rows = self.table.set_index("model").loc[winners]
        verb = "beats" if len(winners) == 1 else "beat"
        if len(winners) <= MAX_WINNERS:
            each = [f"{row.Index} (skill {row.skill:.1%}, p {format_p(row.p_holm)})" for row in rows.itertuples()]
            return f"{join_names(each)} {verb} {baseline}"
        skills, p = _span(rows["skill"]), format_p(rows["p_holm"].max())
        return f"{join_names(winners)} {verb} {baseline} (skill {skills}, p {p})"

    @property
    def smallest_found(self) -> float | None:
        """The smallest true skill that a run without any finding would find, where that is a half or more."""
        undecided = self.table[self.table["finding"] == "not distinguishable"]
        is_open = len(undecided) > 0 and not self.models("better") and not self.models("worse")
        smallest = float(undecided["detectable"].min()) if is_open else 0.0
        return smallest if smallest >= TOO_WEAK else None

    @property
    def note(self) -> str:
        """What the sentence rests on: cutoffs, series, levels, the other models, and the skill that could be found."""
        return " ".join(f"{clause[0].upper()}{clause[1:]}." for clause in self._clauses())

    def _clauses(self) -> Iterator[str]:
        n_compared = self.extremes.n_series - len(self.extremes.series)
        of_all = f"{n_compared} of " if n_compared < self.extremes.n_series else ""
        basis = f"{count(self.n_cutoffs, 'cutoff')}, {of_all}{count(self.extremes.n_series, 'series', 'series')}"
        if self.levels:
            basis += f", quantiles {join_names([f'{level:g}' for level in self.levels])}"
        yield basis
        if worse := self.models("worse"):
            yield f"significantly worse than {self.against}: {self._name(worse)}"
        if identical := self.models("identical"):
            yield f"the same forecasts as {self.against}: {join_names(identical)}"
        if undecided := self.models("not distinguishable"):
            detectable = self.table.set_index("model").loc[undecided, "detectable"]
            yield (
                f"not distinguishable from {self.against}: {self._name(undecided)}; this run would find a true skill "
                f"of {_span(detectable)} with a probability of {POWER:.0%}"
            )
            yield from self._higher_skills(undecided)
        if self.without_levels:
            yield f"not compared, as without quantiles: {join_names(list(self.without_levels))}"

    def _higher_skills(self, undecided: list[str]) -> Iterator[str]:
        """Yield why models that do not win have a higher skill than one that does, if there are any."""
        skill, winners = self.table.set_index("model")["skill"], self.models("better")
        higher = [name for name in undecided if winners and skill[name] > skill[winners].min() + NEGLIGIBLE]
        if higher:
            yield (
                f"the skill of {join_names(higher)} is higher than that of {skill[winners].idxmin()}, but varies more "
                "from cutoff to cutoff, so that it may be chance"
            )

    def _name(self, names: list[str]) -> str:
        if len(names) < 4:
            return join_names(names)
        return f"all {len(names)} models" if len(names) == len(self.table) else f"{len(names)} models"

    @property
    def details(self) -> list[str]:
        """The finding on each model as text."""
        return [f"{row.model}: {_describe(row)}" for row in self.ranked.itertuples()]

    def __str__(self) -> str:
        details = [f"  {line}" for line in self.details]
        return "\n".join(map(plain, [self.sentence, self.note, *details, *self.extremes.sentences]))

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(plain(sentence))}</p>" for sentence in [self.note, *self.extremes.sentences])
        return f"<p><strong>{escape(plain(self.sentence))}</strong></p>{self.table.to_html(index=False)}{notes}"


def strongest(forecasts: pd.DataFrame, baselines: Collection[str], reference: str = NAIVE, loss: str = SQUARED) -> str:
    """Return the simple baseline with the smallest loss, the one of greatest skill; the reference if none is better."""
    skill = skills(compared_series(forecasts, loss, reference), loss, reference)
    skill = skill[[name for name in skill.index if name in baselines]]
    better = skill[skill > NEGLIGIBLE]
    return str(better.idxmax()) if len(better) else reference


@once
def verdict(
    forecasts: pd.DataFrame,
    overlap: int,
    against: str | None = None,
    models: Sequence[str] | None = None,
    loss: str = SQUARED,
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
    loss : {"squared", "absolute", "pinball", "qlike"}
        Loss to compare by. "pinball" is the quantile loss, averaged over the levels that all models with quantiles
        have; "qlike" is for variances.
    nested : collection of str
        Models of which `against` is a special case: Clark and West's test is made for these, by squared errors.
    reference : str, default "naive"
        Model whose mean loss on a series decides whether the series is compared.
    weaker : collection of str
        Baselines among which `against` was chosen as the one of the smallest loss (`strongest`). None of them can be
        better, so Holm's adjustment for a win leaves them out.

    Returns
    -------
    Verdict
        Its table has a row for each model: `skill` with its 90 % interval `low` to `high`; `statistic` and one-sided
        `p` of Diebold and Mariano's test; `p_holm` and `p_worse_holm`, adjusted for the number of models; `p_signal`,
        Clark and West's p, adjusted as well (NaN unless nested); `detectable`, the true skill that this run finds with
        a probability of 80 %; `finding`.

    Raises
    ------
    ValueError
        If the run has no such model, if `models` is empty, or if the loss is not defined for a row.

    Notes
    -----
    A model is "better" if its skill is above 0 and p, Holm-adjusted over the models, is below .05. It is "worse" if its
    skill is below 0 and the opposite test is significant. A significant `p_signal` is evidence that the model's inputs
    predict the series in population; it is no evidence that the forecasts are better, and decides no finding. Series
    that would decide alone are set apart, as in `find_extremes`. If the square of the small-sample factor is below ½,
    there are too few cutoffs for a test.
    """
    against = reference if against is None else against
    models = [models] if isinstance(models, str) else models
    extremes = find_extremes(forecasts, loss, reference)
    compared = compared_series(forecasts, loss, reference)
    table, n_cutoffs = _compare(compared, overlap, against, models, loss, nested, reference)
    levels = tuple(quantile_columns(common_rows(compared, loss).columns)) if loss == PINBALL else ()
    without = _without_levels(forecasts, compared, models) if levels else ()
    return Verdict(with_findings(table, weaker)[COLUMNS], against, loss, n_cutoffs, extremes, levels, without)


def _without_levels(forecasts: pd.DataFrame, compared: pd.DataFrame, models: Sequence[str] | None) -> tuple[str, ...]:
    """Return the models, of those to compare, that forecast no quantiles."""
    names = quantile_models(compared[compared["member"] == 0])[0]
    compared_names = model_names(forecasts) if models is None else models
    return tuple(name for name in compared_names if name not in names)


@once
def verdict_by_step(
    forecasts: pd.DataFrame,
    step_size: int,
    against: str | None = None,
    models: Sequence[str] | None = None,
    loss: str = SQUARED,
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
    table = with_findings(pd.concat(tables, ignore_index=True))
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
    """Return a row for each model with its skill and unadjusted tests, and the number of cutoffs."""
    compared_models(forecasts, loss, against)
    names = _check_models(models, against, model_names(forecasts))
    losses = loss_table(forecasts, loss, reference)
    names = [name for name in names if name in losses.sums]
    signals = _signals(forecasts, overlap, against, nested, reference) if loss == SQUARED and nested else {}
    table = compare_losses(losses, names, against, overlap)
    return table.assign(p_signal=[signals.get(name, np.nan) for name in names]), len(losses.cutoffs)


def compare_losses(losses: LossTable, models: Sequence[str], against: str, overlap: int) -> pd.DataFrame:
    """Return a row for each model with its skill relative to another, its interval and unadjusted tests."""
    rows = [_row(losses, name, against, overlap) for name in models]
    columns = ["model", "skill", "low", "high", "statistic", "p", "p_worse", "standard_error", "test"]
    return pd.DataFrame(rows, columns=columns)


def _row(losses: LossTable, model: str, against: str, overlap: int) -> dict[str, Any]:
    """Return the skill of a model, its interval, and the test of equal accuracy."""
    if not losses.series:
        test = equal_accuracy_test(np.zeros(0), overlap)
        return {"model": model, "skill": np.nan, "p": 1.0, "p_worse": 1.0, "test": test}
    test = accuracy_test(losses, model, against, overlap)
    row = {
        "model": model,
        "skill": losses.skill(model, against),
        "statistic": test.statistic,
        "p": test.p_better,
        "p_worse": test.p_worse,
        "standard_error": test.standard_error,
        "test": test,
    }
    if test.enough and test.standard_error > 0:
        row["low"], row["high"] = skill_interval(losses, model, against, overlap)
    return row


def _signals(
    forecasts: pd.DataFrame, overlap: int, against: str, nested: Collection[str], reference: str
) -> dict[str, float]:
    """Return Clark and West's p-value of each nested model."""
    losses, gaps = loss_by_cutoff(forecasts, SQUARED, reference), gap_by_cutoff(forecasts, against, reference)
    tests = {
        name: clark_west(losses[against].to_numpy(), losses[name].to_numpy(), gaps[name].to_numpy(), overlap)
        for name in losses
        if name in nested
    }
    return {name: test.p_small for name, test in tests.items()}


def _check_models(models: Sequence[str] | None, against: str, available: list[str]) -> list[str]:
    """Return the models to compare with `against`; raises ValueError if one of them was not run."""
    models = [models] if isinstance(models, str) else models
    if models is not None and len(models) == 0:
        raise ValueError("models is empty: name at least one, or None for all")
    for name in models or ():
        check_model(name, available)
    return [name for name in models or available if name != against]


def with_findings(table: pd.DataFrame, weaker: Collection[str] = ()) -> pd.DataFrame:
    """Return the table with Holm-adjusted p-values, the detectable skill and the finding of each row."""
    table = table.assign(p_holm=1.0, p_worse_holm=holm(table["p_worse"].to_numpy()), detectable=np.nan)
    can_win = ~table["model"].isin(list(weaker))
    table.loc[can_win, "p_holm"] = holm(table.loc[can_win, "p"].to_numpy())
    if "p_signal" in table:
        signal = table["p_signal"].notna()
        table.loc[signal, "p_signal"] = holm(table.loc[signal, "p_signal"].to_numpy())
    table["detectable"] = [
        detectable_skill(row.standard_error, row.test.degrees, int(can_win.sum())) for row in table.itertuples()
    ]
    return table.assign(finding=[_finding(row) for row in table.itertuples()])


def _finding(row: Any) -> str:
    test = row.test
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
    return "not distinguishable"


def _describe(row: Any) -> str:
    """Return the finding of one row of the table as text."""
    if math.isnan(row.skill):
        return "no loss to compare"
    if row.finding == "identical":
        return "the same forecasts"
    skill, p = f"skill {row.skill:+.1%}", format_p(row.p_holm)
    signal = "; a signal in population (Clark-West)" if row.p_signal < ALPHA else ""
    return {
        "too few cutoffs": f"{skill}; too few cutoffs for a test",
        "constant difference": f"{skill}; the losses differ by the same amount at every cutoff, so there is no test",
        "better": f"better, {skill} (p {p})",
        "worse": f"worse, {skill} (p {format_p(row.p_worse_holm)}){signal}",
        "not distinguishable": f"not distinguishable, {skill} (p {p}); could have shown {row.detectable:.1%}{signal}",
    }[row.finding]


def _span(values: pd.Series) -> str:
    """Return the range of shares as text."""
    low, high = f"{values.min():.1%}", f"{values.max():.1%}"
    return low if low == high else f"{low} to {high}"
