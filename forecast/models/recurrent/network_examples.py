"""The training examples of a network, and the newest rows that are held back from it at first."""

from __future__ import annotations

from functools import partial

from forecast.features.dataset import SequenceDataset
from forecast.models.recurrent.config import RecurrentConfig
from forecast.models.recurrent.defaults import Choices
from forecast.models.recurrent.inference import held_back_shrinkage, make_error_sample
from forecast.models.recurrent.ragged import RaggedExamples, RaggedRows
from forecast.models.recurrent.trainer import HeldBack

Examples = SequenceDataset | RaggedExamples
POSITIONS = 2  # targets of an aligned example, in lookbacks; one lookback of rows comes before them
HELD_BACK_SHARE = 0.2  # of the training rows: the newest, for the shrinkage and for `patience`


def make_examples(data: RaggedRows, config: RecurrentConfig, first: int = 0) -> Examples:
    """Return the training examples of these rows; rows before `first` are inputs only."""
    length = config.lookback
    if config.strategy != "aligned":
        return data.examples(length, 1, first, config.steps)
    positions = max(min(POSITIONS * length, len(data) - length), 1)
    return data.examples(length + positions, positions, first, None)


def hold_back(data: RaggedRows, config: RecurrentConfig, choices: Choices) -> HeldBack | None:
    """Return the newest rows to measure a network on: every early target precedes them. None if rows are too few.

    Raises ValueError if `patience` needs them.
    """
    first = choices.first
    cut = first + round((len(data) - first) * (1 - HELD_BACK_SHARE))
    patient = choices.trainer.patience is not None
    early, late = make_examples(data[:cut], config), None
    if patient:
        late = make_examples(data, config, first=cut)
    sample = make_error_sample(data, config, first=cut)
    if len(early) and len(sample.request.rows) and (late is None or len(late)):
        return HeldBack(early, late, partial(held_back_shrinkage, sample=sample, loss=choices.loss))
    if patient:
        raise ValueError(
            f"patience needs training examples before and after row {cut} of the {len(data)} training rows: use "
            "more history, or set patience=None"
        )
    return None
