"""Is the difference real? Tests over the table of forecasts, and the verdict that follows from them by rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from forecast import metrics
from forecast.scores import NAIVE, common_rows, error_ratios, losses

ALPHA = 0.05
POWER = 0.80
FINDINGS = ("better", "worse", "not distinguishable", "identical", "constant difference", "too few cutoffs")


@dataclass(frozen=True)
class DieboldMariano:
    """The test's statistic (positive: the model's loss is smaller), one-sided p-values, and its standard error."""

    statistic: float
    p_better: float
    p_worse: float
    standard_error: float  # of the mean difference, small-sample factor included
    factor2: float  # the square of the small-sample factor
    n: int  # cutoffs
    enough: bool  # cutoffs for a test: more than overlap, and a small-sample factor whose square is ½ or more


def diebold_mariano(loss_reference: np.ndarray, loss_model: np.ndarray, overlap: int = 1) -> DieboldMariano:
    """Test whether two forecasts are equally good, from their losses at the same cutoffs, in order of time.

    `overlap` counts how many successive cutoffs share test rows (1: none). The long-run variance has `overlap` − 1
    lags: the larger of the unweighted estimate, which is right for overlapping forecasts but can be negative, and
    Bartlett's, which cannot but leaves out a third of what overlap makes. With the small-sample factor and t
    distribution of Harvey, Leybourne and Newbold (1997); the test is Diebold and Mariano's (1995). Losses whose
    difference never changes have no test: p-values of 1, and the statistic 0 where there is no difference, else NaN.
    """
    from statsmodels.regression.linear_model import OLS

    difference = np.asarray(loss_reference, dtype=float) - np.asarray(loss_model, dtype=float)
    n = len(difference)
    factor2 = (n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n if n else 0.0
    enough = n > overlap and factor2 >= 0.5  # with fewer the factor rises again, and means nothing
    if n <= overlap or np.ptp(difference) == 0:
        nothing = math.nan if n == 0 or difference.any() else 0.0
        return DieboldMariano(nothing, 1.0, 1.0, nothing, factor2, n, enough)
    mean = OLS(difference, np.ones(n))
    with np.errstate(invalid="ignore"):  # the unweighted variance may be negative, its root NaN
        errors = [
            mean.fit(cov_type="HAC", cov_kwds={"maxlags": overlap - 1, "kernel": kernel}).bse[0]
            for kernel in ("uniform", "bartlett")
        ]
    standard_error = float(np.nanmax(errors)) / math.sqrt(factor2)
    statistic = float(difference.mean()) / standard_error
    p_better, p_worse = stats.t.sf(statistic, df=n - 1), stats.t.cdf(statistic, df=n - 1)
    return DieboldMariano(statistic, float(p_better), float(p_worse), standard_error, factor2, n, enough)


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for the number of models tried (Holm, 1979)."""
    from statsmodels.stats.multitest import multipletests

    return multipletests(p_values, method="holm")[1] if len(p_values) else np.asarray(p_values, dtype=float)


def loss_by_cutoff(forecasts: pd.DataFrame, loss: str = "squared") -> pd.DataFrame:
    """Give the declared loss, a row for each cutoff and a column for each model.

    The loss (squared errors, or "qlike" of variances) over naive's mean loss on the series, averaged over series and
    steps. Series on which naive never errs have no loss to compare and are left out.
    """
    table = common_rows(forecasts)
    each = losses(table, loss)
    of_naive = each.where(table["model"].astype(str) == NAIVE).groupby(table["unique_id"], observed=True)
    unit = of_naive.transform("mean")
    relative = table.assign(loss=each / unit.where(unit > 0))
    wide = relative.groupby(["cutoff", "model"], observed=True)["loss"].mean().unstack("model")
    wide.columns = wide.columns.astype(str)
    return wide.reindex(columns=forecasts["model"].astype(str).unique()).dropna(how="all").sort_index()


@dataclass(frozen=True)
class Verdict:
    """What the run says of each model against one of them, and in one sentence of all."""

    table: pd.DataFrame  # model, skill, statistic, p, p_holm, p_worse_holm, detectable, finding
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
            each = [f"{row.model} (skill {row.skill:.1%}, p {_p(row.p_holm)})" for row in found["better"].itertuples()]
            parts.append(f"{_listed(each)} beat{'s' if len(each) == 1 else ''} {self.against} over {cutoffs}")
        else:
            parts.append(f"No model beats {self.against} over {cutoffs}")
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
) -> Verdict:
    """Judge models (None: all) against one (naive, unless told) by the rule, and say what could not be decided.

    "Better" needs skill > 0 and a Diebold-Mariano p-value below .05, Holm-adjusted over the models; "worse" likewise
    the other way. Where the small-sample factor's square is under one half there are too few cutoffs for a test.
    `detectable` is the skill that this run would have shown with a power of 80 %. `overlap` = ceil(horizon /
    step_size) is how many successive cutoffs share test rows. `loss` is "squared", or "qlike" for variances.
    """
    by_cutoff = loss_by_cutoff(forecasts, loss)
    for name in (against, *(models or ())):
        if name not in by_cutoff:
            raise ValueError(f"there is no model {name!r} in this run to compare; it has {', '.join(by_cutoff)}")
    ratios = error_ratios(forecasts, loss=loss)
    models = [name for name in models or by_cutoff if name != against]
    tests = {m: diebold_mariano(by_cutoff[against].to_numpy(), by_cutoff[m].to_numpy(), overlap) for m in models}
    better = holm(np.array([test.p_better for test in tests.values()]))
    worse = holm(np.array([test.p_worse for test in tests.values()]))
    degrees = max(len(by_cutoff) - 1, 1)
    reach = stats.t.ppf(1 - ALPHA, df=degrees) + stats.t.ppf(POWER, df=degrees)  # in standard errors
    rows = []
    for i, (model, test) in enumerate(tests.items()):
        skill = metrics.skill(ratios[model].to_numpy(), ratios[against].to_numpy())
        rows.append(
            {
                "model": model,
                "skill": skill,
                "statistic": test.statistic,
                "p": test.p_better,
                "p_holm": better[i],
                "p_worse_holm": worse[i],
                "detectable": reach * test.standard_error / by_cutoff[against].mean(),
                "finding": _finding(test, skill, better[i], worse[i]),
            }
        )
    columns = ["model", "skill", "statistic", "p", "p_holm", "p_worse_holm", "detectable", "finding"]
    return Verdict(pd.DataFrame(rows, columns=columns), against, len(by_cutoff))


def _finding(test: DieboldMariano, skill: float, p_better: float, p_worse: float) -> str:
    if test.statistic == 0 and test.standard_error == 0:
        return "identical"
    if not test.enough:
        return "too few cutoffs"
    if math.isnan(test.statistic):
        return "constant difference"
    if skill > 0 and p_better < ALPHA:
        return "better"
    if skill < 0 and p_worse < ALPHA:
        return "worse"
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
        return f"better, {skill} (p {_p(row.p_holm)})"
    if row.finding == "worse":
        return f"worse, {skill} (p {_p(row.p_worse_holm)})"
    shown = f"{row.detectable:.1%}" if row.detectable < 1 else "none"
    return f"not distinguishable, {skill} (p {_p(row.p_holm)}); could have shown {shown}"


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


def _p(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
