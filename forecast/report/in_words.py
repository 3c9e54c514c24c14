"""A run in words: what was compared and how, which models win, and what that means and does not mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from forecast.data.panel import format_date
from forecast.evaluation.losses import ABSOLUTE, PINBALL, QLIKE, SQUARED
from forecast.evaluation.pairwise import ALPHA
from forecast.evaluation.shared import shared
from forecast.evaluation.skill import POWER
from forecast.evaluation.text import count, format_p, join_names
from forecast.evaluation.verdict import MEANINGS, Verdict

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult

#: What each loss is, in a sentence.
LOSSES = {
    SQUARED: "the squared error of the point forecast",
    ABSOLUTE: "the absolute error of the point forecast",
    PINBALL: "the quantile loss, which is small where the range is narrow and the outcome inside it",
    QLIKE: "QLIKE, a loss of variances",
}


class Section(NamedTuple):
    """A part of the explanation: a title and its sentences."""

    title: str
    sentences: list[str]


@shared()
def explain(result: BacktestResult, loss: str | None = None) -> list[Section]:
    """Return a run in words; everything is computed from what the run has stored."""
    verdicts = result.verdicts(loss)
    main = verdicts.main
    sections = [Section("What was compared", list(_compared(result))), Section("How", list(_how(main)))]
    for verdict in main:
        sections.append(Section(f"{verdict.question}?", list(_found(verdict))))
    if verdicts.on_networks:
        sections.append(Section("A network?", [verdicts.on_networks.removeprefix("A network? ")]))
    sections.append(Section("What it means", list(_meaning(main))))
    sections.append(Section("What it does not mean", list(_limits(main))))
    sections.append(Section("What was left out", [*verdicts.set_apart, *_left_out(result)]))
    return [section for section in sections if section.sentences]


def _compared(result: BacktestResult) -> Iterator[str]:
    """Yield what was forecast, by which models, and when."""
    cv, spec = result.cv, result.spec
    cutoffs = result.forecasts["cutoff"]
    first, last = format_date(cutoffs.min()), format_date(cutoffs.max())
    yield f"The target is {result.target}."
    yield f"{count(len(spec['models']), 'model')} forecast it: {join_names(list(spec['models']))}."
    yield (
        f"Each forecast the next {count(cv.horizon, 'row')} from {count(cutoffs.nunique(), 'cutoff')}, {first} to "
        f"{last}, with nothing but the rows up to the cutoff."
    )
    trained = "all rows" if cv.train_size is None else f"the newest {count(cv.train_size, 'row')}"
    often = "again at every cutoff" if spec["refit"] == 1 else f"and again {spec['refit']} cutoffs later"
    yield f"They were fitted on {trained} up to the first cutoff, {often}."
    rows, forecast = result.compared()
    yield f"They are compared on the {rows:,} of {forecast:,} rows that all of them forecast and that were observed."


def _how(verdicts: list[Verdict]) -> Iterator[str]:
    """Yield how the models are judged."""
    for verdict in verdicts:
        against = verdict.against
        if against in MEANINGS:
            against += f" ({MEANINGS[against][verdict.loss == PINBALL]})"
        yield f"{verdict.question}: by {LOSSES[verdict.loss]}, against {against}."
    yield (
        "The skill of a model is the share of the baseline's loss that it removes: 0 % is as good as the baseline, "
        "below 0 % is worse."
    )
    yield (
        f"A model wins if its skill is above 0 % and the p-value of the test of equal accuracy, raised for the number "
        f"of models that are tried, is below {f'{ALPHA:.2f}'.lstrip('0')}."
    )


def _found(verdict: Verdict) -> Iterator[str]:
    """Yield the finding, and the skill of each model that wins or loses, or of the best one that does neither."""
    finding = verdict.sentence.partition(": ")[2]
    yield finding[0].upper() + finding[1:]
    decided = verdict.models("better") + verdict.models("worse")
    named = decided or verdict.models("not distinguishable")[:1]
    for row in verdict.table.set_index("model").loc[named].rename_axis("model").reset_index().itertuples():
        interval = "" if row.low != row.low else f" (90 % interval: {row.low:+.1%} to {row.high:+.1%})"
        p = row.p_worse_holm if row.finding == "worse" else row.p_holm
        yield f"{row.model}: {row.finding}, with a skill of {row.skill:+.1%}{interval} and a p-value of {format_p(p)}."
    yield from (f"{sentence}." for sentence in verdict.note.rstrip(".").split(". ")[1:])


def _meaning(verdicts: list[Verdict]) -> Iterator[str]:
    """Yield what the findings mean."""
    for verdict in verdicts:
        findings = set(verdict.table["finding"])
        subject = f"{verdict.question}:"
        if verdict.models("better"):
            yield (
                f"{subject} if {join_names(verdict.models('better'))} and {verdict.against} were equally accurate, a "
                "run would rarely show such a difference; it is unlikely to be luck."
            )
        elif "too few cutoffs" in findings:
            yield f"{subject} this run is too short for a test. More cutoffs are needed."
        elif "not distinguishable" in findings:
            yield f"{subject} nothing in this run shows that a model is more accurate than {verdict.against}."


def _limits(verdicts: list[Verdict]) -> Iterator[str]:
    """Yield what the findings do not mean."""
    undecided = [verdict for verdict in verdicts if verdict.models("not distinguishable")]
    if undecided:
        smallest = min(verdict.table["detectable"].min() for verdict in undecided)
        yield (
            f"Not distinguishable is not equal: a true skill below {smallest:.1%} is missed by more than "
            f"{1 - POWER:.0%} of such runs. More cutoffs find smaller ones."
        )
    if any(verdict.models("better") for verdict in verdicts):
        yield (
            "A win is one over the baseline, not over every model of the run, and it may be small: the skill is its "
            "size, the p-value is not."
        )
    yield "It is about these series, cutoffs, horizon and loss; other series or later years may differ."
    yield "It is about errors of forecasts. Profits, which also depend on costs and on trades, were not measured."


def _left_out(result: BacktestResult) -> Iterator[str]:
    """Yield the series and fits that are missing."""
    for row in result.skipped.itertuples():
        yield f"{row.unique_id}: {row.reason}, at {count(row.cutoffs, 'cutoff')}."
    for name, rows in result.failures().groupby("model", sort=False):
        yield f"{count(len(rows), 'fit')} of {name} failed."
