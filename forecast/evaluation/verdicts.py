"""The verdicts of a run: where it will be, how far it may be off, and whether a network is worth it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from html import escape

from forecast._text import plain
from forecast.evaluation.losses import PINBALL
from forecast.evaluation.text import join_names
from forecast.evaluation.verdict import QUESTIONS, Verdict

FOR_BOTH = {
    "yes": "Yes, for both",
    "no": "No, neither for the forecast itself nor for the range",
    "undecided": "Undecided, for the forecast itself and for the range",
}
NO_COMMON_LEVELS = "the models with quantiles share no level below .5 and one above"


@dataclass(frozen=True)
class Question:
    """The verdict of all models by one loss, and those of the networks against each ARIMA model of the run."""

    verdict: Verdict
    networks: tuple[Verdict, ...] = ()

    def __iter__(self) -> Iterator[Verdict]:
        yield self.verdict
        yield from self.networks

    @property
    def topic(self) -> str:
        """What the loss judges."""
        return "the range" if self.verdict.loss == PINBALL else "the forecast itself"

    def on_networks(self, names: Collection[str]) -> tuple[str, str]:
        """Return whether one of these networks is worth its training ("yes", "no" or "undecided"), and why."""
        against = self.verdict.against
        if (self.verdict.table["finding"] == "too few cutoffs").any():
            return "undecided", "the run is too short for a test"
        if self.verdict.smallest_found is not None:
            return "undecided", f"the run is too short to find a skill below {self.verdict.smallest_found:.0%}"
        winners = [name for name in self.verdict.models("better") if name in names]
        if not winners:
            others = [name for name in names if name != against]
            return "no", f"{others[0]} does not beat {against}" if len(others) == 1 else f"none beats {against}"
        arima_names = [verdict.against for verdict in self.networks]
        arimas = join_names(arima_names) if arima_names else ""
        better = [name for name in winners if all(name in verdict.models("better") for verdict in self.networks)]
        if better:
            return "yes", f"{join_names(better)} {_beat(better)} {join_names([against, *arima_names])}"
        won = f"{join_names(winners)} {_beat(winners)} {against}"
        if any({*winners} <= {*verdict.models("worse")} for verdict in self.networks):
            return "no", f"{won}, but {arimas} is better"
        return "no", f"{won}, but none beats {arimas}"


@dataclass(frozen=True)
class Verdicts:
    """The verdicts of a run: by default one on the point forecast, and one on the spread if quantiles are forecast.

    Attributes
    ----------
    questions : tuple of Question
        One for each loss, the one on the point forecast first.
    networks : tuple of str
        The recurrent networks of the run.
    shares_no_levels : bool
        Whether the spreads cannot be compared, because the models forecast quantiles of different levels.
    """

    questions: tuple[Question, ...]
    networks: tuple[str, ...] = ()
    shares_no_levels: bool = False

    def __iter__(self) -> Iterator[Verdict]:
        """Yield every verdict: each main one, followed by those of the networks against ARIMA."""
        for question in self.questions:
            yield from question

    @property
    def main(self) -> list[Verdict]:
        """The verdicts of all models, one for each loss."""
        return [question.verdict for question in self.questions]

    @property
    def sentences(self) -> list[str]:
        """A sentence for each question, and one on the networks if there are any."""
        sentences = [verdict.sentence for verdict in self.main]
        if self.shares_no_levels:
            sentences.append(f"{QUESTIONS[PINBALL]}: not compared, as {NO_COMMON_LEVELS}.")
        if on_networks := self.on_networks:
            sentences.append(on_networks)
        return sentences

    @property
    def on_networks(self) -> str:
        """Whether a network is worth its training, in one sentence; empty if none was run with another model."""
        judged = [set(self.networks) - {verdict.against} for verdict in self.main if len(verdict.table)]
        if len(judged) < len(self.questions) or not all(judged):
            return ""
        found = [question.on_networks(self.networks) for question in self.questions]
        if len(found) == 2 and found[0] == found[1]:
            return f"A network? {FOR_BOTH[found[0][0]]}: {found[0][1]}."
        clauses = [
            f"for {question.topic}, {is_worth}: {why}"
            for question, (is_worth, why) in zip(self.questions, found, strict=True)
        ]
        return f"A network? F{'; '.join(clauses)[1:]}."

    @property
    def set_apart(self) -> list[str]:
        """The sentences on the series that are set apart, each once."""
        return list(dict.fromkeys(sentence for verdict in self.main for sentence in verdict.extremes.sentences))

    def __str__(self) -> str:
        lines = list(self.sentences)
        for verdict in self:
            lines += ["", f"{verdict.question}, against {verdict.against}: {verdict.note}"]
            lines += [f"  {line}" for line in verdict.details]
        return "\n".join(map(plain, [*lines, *self.set_apart]))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = "".join(f"<p><strong>{escape(plain(sentence))}</strong></p>" for sentence in self.sentences)
        return head + "".join(
            f"<p>{escape(plain(f'{verdict.question}, against {verdict.against}: {verdict.note}'))}</p>"
            f"{verdict.table.to_html(index=False)}"
            for verdict in self
        )


def _beat(names: list[str]) -> str:
    return "beats" if len(names) == 1 else "beat"
