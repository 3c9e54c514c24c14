"""The verdict: which models are really better than naive, by a rule fixed beforehand, in words."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.evaluation import metrics
from forecast.evaluation.pairwise import ALPHA, SAME, DieboldMariano, clark_west, diebold_mariano, holm
from forecast.evaluation.scores import KEYS, NAIVE, common_rows, error_ratios, losses

POWER = 0.80
SIGNAL = "a signal, but worse forecasts"
FINDINGS = ("better", SIGNAL, "worse", "not distinguishable", "identical", "constant difference", "too few cutoffs")
COLUMNS = ["model", "skill", "low", "high", "test", "statistic", "p", "p_holm", "p_worse_holm", "detectable", "finding"]


def loss_by_cutoff(forecasts: pd.DataFrame, loss: str = "squared") -> pd.DataFrame:
    """Give the declared loss, a row for each cutoff and a column for each model.

    The loss (squared errors, or "qlike" of variances) over naive's mean loss on the series, averaged over series and
    steps. Series on which naive never errs have no loss to compare and are left out.
    """
    table = _in_units(forecasts, loss)
    return _by_cutoff(table.assign(value=table["loss"] / table["unit"]), forecasts)


def gap_by_cutoff(forecasts: pd.DataFrame, against: str) -> pd.DataFrame:
    """Give the squared distance of each model's forecasts to another's, in the same units and rows as the loss."""
    table = _in_units(forecasts, "squared")
    reference = table[table["model"].astype(str) == against].set_index(KEYS)["y_hat"]
    beside = reference.reindex(pd.MultiIndex.from_frame(table[KEYS])).to_numpy()
    return _by_cutoff(table.assign(value=(table["y_hat"] - beside) ** 2 / table["unit"]), forecasts)


def _in_units(forecasts: pd.DataFrame, loss: str) -> pd.DataFrame:
    """Give the rows that models share with their loss, and naive's mean loss on the series as its unit."""
    table = common_rows(forecasts)
    each = losses(table, loss)
    of_naive = each.where(table["model"].astype(str) == NAIVE).groupby(table["unique_id"], observed=True)
    unit = of_naive.transform("mean")
    return table.assign(loss=each, unit=unit.where(unit > 0))


def _by_cutoff(table: pd.DataFrame, forecasts: pd.DataFrame) -> pd.DataFrame:
    wide = table.groupby(["cutoff", "model"], observed=True)["value"].mean().unstack("model")
    wide.columns = wide.columns.astype(str)
    return wide.reindex(columns=forecasts["model"].astype(str).unique()).dropna(how="all").sort_index()


@dataclass(frozen=True)
class Verdict:
    """What the run says of each model against one of them, and in one sentence of all."""

    table: pd.DataFrame  # model, skill, low, high, test, statistic, p, p_holm, p_worse_holm, detectable, finding
    against: str
    n_cutoffs: int

    @property
    def sentence(self) -> str:
        """Say it all in one sentence."""
        if len(self.table) == 0:
            return f"Only {self.against} was run: there is nothing to compare."
        found = {kind: self.table[self.table["finding"] == kind] for kind in FINDINGS}
        cutoffs = f"{self.n_cutoffs} cutoff{'s' if self.n_cutoffs != 1 else ''}"
        if self.n_cutoffs == 0:
            return (
                f"No model beats {self.against}: they share no row, or naive was never wrong; no loss can be compared."
            )
        if len(found["too few cutoffs"]):
            return f"Too few cutoffs ({self.n_cutoffs}) to tell whether any model differs from {self.against}."
        parts = []
        if len(found["better"]):
            each = [
                f"{row.model} (skill {row.skill:.1%}, p {p_in_words(row.p_holm)})"
                for row in found["better"].itertuples()
            ]
            parts.append(f"{_listed(each)} beat{'s' if len(each) == 1 else ''} {self.against} over {cutoffs}")
        else:
            parts.append(f"No model beats {self.against} over {cutoffs}")
        if len(found[SIGNAL]):
            names = _listed(list(found[SIGNAL]["model"]))
            verbs = "carries a signal, but makes" if len(found[SIGNAL]) == 1 else "carry a signal, but make"
            parts.append(f"{names} {verbs} worse forecasts")
        if len(found["not distinguishable"]):
            undecided = list(found["not distinguishable"]["model"])
            everyone = len(undecided) == len(self.table)
            names = (
                _listed(undecided) if len(undecided) < 4 else f"{'all' if everyone else 'the other'} {len(undecided)}"
            )
            shown = _could_have_shown(found["not distinguishable"]["detectable"])
            parts.append(f"{names} {_be(found['not distinguishable'])} not distinguishable from it; this run {shown}")
        if len(found["worse"]):
            parts.append(f"{_listed(list(found['worse']['model']))} {_be(found['worse'])} significantly worse")
        if len(found["identical"]):
            names = _listed(list(found["identical"]["model"]))
            parts.append(f"{names} made the same forecasts as {self.against}")
        rest = f": {'; '.join(parts[1:])}" if parts[1:] else ""
        return f"{parts[0]}{rest}."

    def __str__(self) -> str:
        return "\n".join([self.sentence, *(f"  {row.model}: {_explain(row)}" for row in self.table.itertuples())])

    def _repr_html_(self) -> str:
        return f"<p><strong>{self.sentence}</strong></p>{self.table.to_html(index=False)}"


def verdict(
    forecasts: pd.DataFrame,
    overlap: int,
    against: str = NAIVE,
    models: Sequence[str] | None = None,
    loss: str = "squared",
    nested: Collection[str] = (),
) -> Verdict:
    """Judge models (None: all) against one (naive, unless told) by the rule, and say what could not be decided.

    "Better" needs skill > 0 and a p-value below .05, Holm-adjusted over the models: that of Diebold and Mariano, or for
    squared errors of models of which `against` is a special case (`nested`) that of Clark and West. A signal by the
    latter with skill ≤ 0 is "a signal, but worse forecasts". "Worse" needs skill < 0 and Diebold-Mariano the other way.
    Where the small-sample factor's square is under one half there are too few cutoffs for a test. `low` to `high` is
    the 90 % interval of the skill, by Diebold and Mariano's standard error (so its lower end is above 0 where their
    one-sided test, unadjusted, finds a win at .05). `detectable` is the skill that this run would have shown with a
    power of 80 %. `overlap` = ceil(horizon / step_size) is how many
    successive cutoffs share test rows. `loss` is "squared", or "qlike" for variances.
    """
    table, cutoffs = _tested(forecasts, overlap, against, models, loss, nested)
    table["p_holm"], table["p_worse_holm"] = holm(table["p"].to_numpy()), holm(table["p_worse"].to_numpy())
    table["finding"] = [_finding(row) for row in table.itertuples()]
    return Verdict(table[COLUMNS], against, cutoffs)


def verdict_by_step(
    forecasts: pd.DataFrame,
    step_size: int,
    against: str = NAIVE,
    models: Sequence[str] | None = None,
    loss: str = "squared",
    nested: Collection[str] = (),
) -> pd.DataFrame:
    """Judge each step on its own, by the same rule: a row for each model and step, Holm-adjusted over both.

    Cutoffs `step_size` rows apart share ceil(step / step_size) − 1 of their rows with the next at each step.
    """
    parts = []
    for step in sorted(forecasts["step"].unique()):
        some = forecasts[forecasts["step"] == step]
        tested, _ = _tested(some, -(-int(step) // step_size), against, models, loss, nested)
        parts.append(tested.assign(step=int(step)))
    table = pd.concat(parts, ignore_index=True)
    table["p_holm"], table["p_worse_holm"] = holm(table["p"].to_numpy()), holm(table["p_worse"].to_numpy())
    table["finding"] = [_finding(row) for row in table.itertuples()]
    return table[["model", "step", *COLUMNS[1:]]].sort_values(["model", "step"], kind="stable", ignore_index=True)


def _tested(
    forecasts: pd.DataFrame,
    overlap: int,
    against: str,
    models: Sequence[str] | None,
    loss: str,
    nested: Collection[str],
) -> tuple[pd.DataFrame, int]:
    """Test each model against one: a row each, not adjusted yet, and the number of cutoffs."""
    from scipy import stats

    by_cutoff = loss_by_cutoff(forecasts, loss)
    models = [models] if isinstance(models, str) else models
    if models is not None and len(models) == 0:
        raise ValueError("models names none to judge: give some, or None for all")
    for name in (against, *(models or ())):
        if name not in by_cutoff:
            raise ValueError(f"there is no model {name!r} in this run to compare; it has {', '.join(by_cutoff)}")
    ratios = error_ratios(forecasts, loss=loss)
    gaps = gap_by_cutoff(forecasts, against) if nested and loss == "squared" else None
    degrees = max(len(by_cutoff) - 1, 1)
    wide = stats.t.ppf(1 - ALPHA, df=degrees)  # in standard errors
    reach = wide + stats.t.ppf(POWER, df=degrees)
    reference = by_cutoff[against].to_numpy()
    size = by_cutoff[against].mean()  # NaN of none
    rows = []
    for model in models or by_cutoff:
        if model == against:
            continue
        losses = by_cutoff[model].to_numpy()
        losses = np.where(np.abs(losses - reference) <= SAME, reference, losses)
        test = diebold_mariano(reference, losses, overlap)
        row: dict[str, Any] = {"test": "Diebold-Mariano", "statistic": test.statistic, "p": test.p_better}
        if gaps is not None and model in nested and test.enough:
            signal = clark_west(reference, losses, gaps[model].to_numpy(), overlap)
            row = {"test": "Clark-West", "statistic": signal.statistic, "p": signal.p_small}
        skill, error = metrics.skill(ratios[model].to_numpy(), ratios[against].to_numpy()), test.standard_error / size
        row |= {"model": model, "skill": skill, "p_worse": test.p_worse, "detectable": reach * error, "dm": test}
        row |= {"low": skill - wide * error, "high": min(skill + wide * error, 1.0)} if test.enough else {}
        rows.append(row)
    columns = ["model", "skill", "low", "high", "test", "statistic", "p", "p_worse", "detectable", "dm"]
    return pd.DataFrame(rows, columns=columns), len(by_cutoff)


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


def _explain(row: Any) -> str:
    if math.isnan(row.skill):
        return "no loss to compare"
    skill = f"skill {row.skill:+.1%}"
    if row.finding == "identical":
        return "the same forecasts"
    if row.finding == "too few cutoffs":
        return f"{skill}; too few cutoffs for a test"
    if row.finding == "constant difference":
        return f"{skill}; the losses differ by the same at every cutoff, which leaves nothing to test"
    if row.finding == "better":
        return f"better, {skill} (p {p_in_words(row.p_holm)})"
    if row.finding == "worse":
        return f"worse, {skill} (p {p_in_words(row.p_worse_holm)})"
    if row.finding == SIGNAL:
        return f"{SIGNAL}, {skill} (p {p_in_words(row.p_holm)} by Clark-West)"
    shown = f"{row.detectable:.1%}" if row.detectable < 1 else "none"
    return f"not distinguishable, {skill} (p {p_in_words(row.p_holm)}); could have shown {shown}"


def _could_have_shown(detectable: pd.Series) -> str:
    """Say how large a skill a run would have found; none is above 1."""
    low, high = detectable.min(), detectable.max()
    if not low < 1:
        return "is too small to have shown any skill"
    if not high < 1:
        return f"could have shown a skill of {low:.1%} at best (power {POWER:.0%})"
    size = f"{low:.1%}" if f"{low:.1%}" == f"{high:.1%}" else f"{low:.1%} to {high:.1%}"
    return f"could have shown a skill of {size} (power {POWER:.0%})"


def _be(rows: pd.DataFrame) -> str:
    return "is" if len(rows) == 1 else "are"


def p_in_words(p: float) -> str:
    """Write a p-value as a sentence has it: .034, or < .001."""
    return "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
