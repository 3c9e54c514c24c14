"""Is the difference real? Tests over the table of forecasts, and the verdict that follows from them by rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from forecast import metrics
from forecast.scores import NAIVE, common_rows, error_ratios

ALPHA = 0.05
POWER = 0.80
FINDINGS = ("better", "worse", "not distinguishable", "identical", "too few cutoffs")


@dataclass(frozen=True)
class DieboldMariano:
    """The test's statistic (positive: the model's loss is smaller), one-sided p-values, and its standard error."""

    statistic: float
    p_better: float
    p_worse: float
    standard_error: float  # of the mean difference, small-sample factor included
    factor2: float  # the square of Harvey, Leybourne and Newbold's factor
    n: int


def diebold_mariano(loss_reference: np.ndarray, loss_model: np.ndarray, overlap: int = 1) -> DieboldMariano:
    """Test whether two forecasts are equally good, from their losses at the same cutoffs, in order of time.

    `overlap` counts how many successive cutoffs share test rows (1: none); the long-run variance has `overlap` − 1
    lags (Bartlett), with the small-sample factor and t distribution of Harvey, Leybourne and Newbold (1997). Source of
    the test: Diebold and Mariano (1995). Losses that never differ give statistic 0 and p-values 1.
    """
    from statsmodels.tsa.stattools import diebold_mariano_test

    reference, model = np.asarray(loss_reference, dtype=float), np.asarray(loss_model, dtype=float)
    n = len(reference)
    factor2 = (n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n
    difference = reference - model
    if n < 2 or factor2 <= 0 or np.ptp(difference) == 0:
        same = not difference.any()
        return DieboldMariano(0.0 if same else math.nan, 1.0, 1.0, 0.0 if same else math.nan, factor2, n)
    result = diebold_mariano_test(
        np.zeros(n),
        reference,
        model,
        lags=overlap - 1,
        criterion=lambda y, loss: loss,  # the losses are given: compare them as they are
        harvey_adj=True,
        horizon=overlap,
    )
    p_better = float(stats.t.sf(result.statistic, df=n - 1))
    return DieboldMariano(
        statistic=float(result.statistic),
        p_better=p_better,
        p_worse=1 - p_better,
        standard_error=float(abs(difference.mean() / result.statistic)) if result.statistic else math.nan,
        factor2=factor2,
        n=n,
    )


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for the number of models tried (Holm, 1979)."""
    from statsmodels.stats.multitest import multipletests

    return multipletests(p_values, method="holm")[1] if len(p_values) else np.asarray(p_values, dtype=float)


def loss_by_cutoff(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Give the declared loss, a row for each cutoff and a column for each model.

    Squared error over naive's mean squared error of the series, averaged over series and steps. Series on which naive
    never errs have no loss to compare and are left out.
    """
    table = common_rows(forecasts)
    squared = (table["y"] - table["y_hat"]) ** 2
    of_naive = squared.where(table["model"].astype(str) == NAIVE).groupby(table["unique_id"], observed=True)
    unit = of_naive.transform("mean")
    loss = table.assign(loss=squared / unit.where(unit > 0))
    wide = loss.pivot_table(index="cutoff", columns="model", values="loss", aggfunc="mean", observed=True)
    wide.columns = wide.columns.astype(str)
    return wide.sort_index()


@dataclass(frozen=True)
class Verdict:
    """What the run says of each model against one of them, and in one sentence of all."""

    table: pd.DataFrame  # model, skill, statistic, p, p_holm, detectable, finding
    against: str
    n_cutoffs: int

    @property
    def sentence(self) -> str:
        """Say it all in one sentence."""
        if len(self.table) == 0:
            return f"Only {self.against} was run: there is nothing to compare."
        found = {kind: self.table[self.table["finding"] == kind] for kind in FINDINGS}
        cutoffs = f"{self.n_cutoffs} cutoff{'s' if self.n_cutoffs != 1 else ''}"
        if len(found["too few cutoffs"]):
            return f"Too few cutoffs ({self.n_cutoffs}) to tell whether any model differs from {self.against}."
        parts = []
        if len(found["better"]):
            each = [f"{row.model} (skill {row.skill:.1%}, p {_p(row.p_holm)})" for row in found["better"].itertuples()]
            parts.append(f"{_listed(each)} beat{'s' if len(each) == 1 else ''} {self.against} over {cutoffs}")
        else:
            parts.append(f"No model beats {self.against} over {cutoffs}")
        if len(found["not distinguishable"]):
            low, high = found["not distinguishable"]["detectable"].agg(["min", "max"])
            shown = f"{low:.1%}" if f"{low:.1%}" == f"{high:.1%}" else f"{low:.1%} to {high:.1%}"
            names = _listed(list(found["not distinguishable"]["model"]))
            power = f"this run could have shown a skill of {shown} (power {POWER:.0%})"
            parts.append(f"{names} {_be(found['not distinguishable'])} not distinguishable from it; {power}")
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
    forecasts: pd.DataFrame, overlap: int, against: str = NAIVE, models: Sequence[str] | None = None
) -> Verdict:
    """Judge models (None: all) against one (naive, unless told) by the rule, and say what could not be decided.

    "Better" needs skill > 0 and a Diebold-Mariano p-value below .05, Holm-adjusted over the models; "worse" likewise
    the other way. Where the small-sample factor's square is under one half there are too few cutoffs for a test.
    `detectable` is the skill that this run would have shown with a power of 80 %. `overlap` = ceil(horizon /
    step_size) is how many successive cutoffs share test rows.
    """
    losses = loss_by_cutoff(forecasts)
    for name in (against, *(models or ())):
        if name not in losses:
            raise ValueError(f"there is no model {name!r} in this run to compare; it has {', '.join(losses)}")
    ratios = error_ratios(forecasts)
    models = [name for name in models or losses if name != against]
    tests = {m: diebold_mariano(losses[against].to_numpy(), losses[m].to_numpy(), overlap) for m in models}
    better = holm(np.array([test.p_better for test in tests.values()]))
    worse = holm(np.array([test.p_worse for test in tests.values()]))
    base = losses[against].mean()
    rows = []
    for i, (model, test) in enumerate(tests.items()):
        skill = metrics.skill(ratios[model].to_numpy(), ratios[against].to_numpy())
        reach = stats.t.ppf(1 - ALPHA, df=test.n - 1) + stats.t.ppf(POWER, df=test.n - 1) if test.n > 1 else math.nan
        rows.append(
            {
                "model": model,
                "skill": skill,
                "statistic": test.statistic,
                "p": test.p_better,
                "p_holm": better[i],
                "detectable": reach * test.standard_error / base,
                "finding": _finding(test, skill, better[i], worse[i]),
            }
        )
    columns = ["model", "skill", "statistic", "p", "p_holm", "detectable", "finding"]
    return Verdict(pd.DataFrame(rows, columns=columns), against, len(losses))


def _finding(test: DieboldMariano, skill: float, p_better: float, p_worse: float) -> str:
    if test.statistic == 0 and test.standard_error == 0:
        return "identical"
    if not test.factor2 >= 0.5 or math.isnan(test.statistic):
        return "too few cutoffs"
    if skill > 0 and p_better < ALPHA:
        return "better"
    if skill < 0 and p_worse < ALPHA:
        return "worse"
    return "not distinguishable"


def _explain(row: object) -> str:
    skill, p, finding = row.skill, row.p_holm, row.finding  # type: ignore[attr-defined]
    if finding == "identical":
        return "the same forecasts"
    if finding == "too few cutoffs":
        return f"skill {skill:+.1%}; too few cutoffs for a test"
    if finding in ("better", "worse"):
        return f"{finding}, skill {skill:+.1%}" + (f" (p {_p(p)})" if finding == "better" else "")
    detectable = row.detectable  # type: ignore[attr-defined]
    return f"not distinguishable, skill {skill:+.1%} (p {_p(p)}); could have shown {detectable:.1%}"


def _p(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"


def _be(rows: pd.DataFrame) -> str:
    return "is" if len(rows) == 1 else "are"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
