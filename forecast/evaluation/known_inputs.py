"""Checks of inputs that a model declares as known in advance: are they known, and is each step given its own row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import rankdata

from forecast.data.panel import Panel
from forecast.data.row_labels import format_date
from forecast.evaluation.outside import is_formula
from forecast.evaluation.perturbation import raise_inputs
from forecast.evaluation.trial import Trial, first_difference

MAX_CORRELATION = 0.999  # of changes, beyond which an input is the target
MIN_RANK_CORRELATION = 0.99  # of changes that one extreme value does not correlate
MIN_PAIRS = 20  # rows that show whether an input is the target
N_NEWEST = 2000  # rows that are compared
REMEDY = (
    "a known input must be the value that was known at the cutoff, such as a forecast of it: declare realised values "
    "as exog, or shift them by the horizon"
)

Check = tuple[str, bool | None, str]  # name, passed (None: for information), detail


def check_inputs(trial: Trial) -> list[Check]:
    """Check that no forecast reads inputs beyond its steps, and that no input is the target of an unknown row."""
    return [("later inputs", *_check_later(trial)), ("inputs like the target", *_check_copies(trial))]


def draw_inputs(panel: Panel, rows: int) -> Panel:
    """Return a panel whose known inputs are those of rows drawn at random from the first `rows`."""
    if panel.future is None:
        return panel
    drawn = np.random.default_rng(2).integers(rows, size=len(panel.future))
    return _with_inputs(panel, panel.future.values[drawn])


def _with_inputs(panel: Panel, inputs: np.ndarray) -> Panel:
    """Return a panel with other values of its known inputs, (T + F, N, E)."""
    assert panel.future is not None
    values = panel.values.copy()
    values[:, :, [panel.channels.index(name) for name in panel.future.names]] = inputs[: len(panel)]
    return replace(panel, cells=values, future=replace(panel.future, values=inputs))


def _check_later(trial: Trial) -> tuple[bool | None, str]:
    """Change the inputs from a row on: forecasts whose steps end before it must be the same bytes."""
    panel, horizon = trial.preparation.panel, trial.cv.horizon
    middle, n = len(trial.cutoffs) / 2, len(trial.cutoffs)
    number = min((i for i in range(n) if i % trial.refit), key=lambda i: abs(i - middle))  # it shares a fit with others
    cutoff = trial.cutoffs[number]
    row, preparation = cutoff + horizon, trial.preparation
    label = format_date(panel.index[row])
    if preparation.is_input.any():
        raw = raise_inputs(preparation.frame, preparation.raw_rows(row - 1), preparation.is_input)
        try:
            changed = preparation(raw)
        except Exception as error:
            return None, f"not tried: the preparation raises {type(error).__name__}: {error}"
        if (difference := preparation.difference(panel, changed, row - 1)) is not None:
            return False, f"the preparation uses later rows: with inputs from {label} on changed, {difference}"
        changed = preparation.aligned(changed, panel, row - 1)
    else:  # the preparation makes the inputs from the dates
        assert panel.future is not None
        inputs = panel.future.values.copy()
        inputs[row:] += 1.0
        changed = _with_inputs(panel, inputs)
    before, after = trial.before, trial.run(changed, trial.cv)
    early, late = before.rows < cutoff, (before.rows >= cutoff) & (before.rows < row)
    if (where := first_difference(before.forecasts[early], after.forecasts[after.rows < cutoff])) is not None:
        return False, f"forecasts whose steps end before {label} changed when only inputs from {label} on did: {where}"
    same = (
        first_difference(before.forecasts[late], after.forecasts[(after.rows >= cutoff) & (after.rows < row)]) is None
    )
    if same:
        return None, f"no forecast changes with the inputs from {label} on: the model does not use them"
    return True, f"inputs from {label} on change forecasts of these rows only"


def _check_copies(trial: Trial) -> tuple[bool | None, str]:
    """Check that no input is the target of its row, of a later row, or of one that is forecast with it."""
    panel = trial.preparation.panel
    if is_formula(panel.target):
        return None, "not tried: the series repeat exactly, or move in a line, and so may an input that is known"
    found = find_copies(panel, trial.preparation.future, trial.cv.horizon)
    if found is None:
        return True, "no input is the target of a row that is unknown at the cutoff"
    return False, f"{found}: {REMEDY}"


def find_copies(panel: Panel, names: Sequence[str], horizon: int) -> str | None:
    """Return which input is a function of the target of a row that a forecast does not know, None if none is.

    At row t it is that of row t + lead. A lead from 0 on is unknown at every step, one from 1 - H on at later steps.
    """
    panel = panel[max(len(panel) - N_NEWEST, 0) :]
    inputs, target = panel.known(names).values[: len(panel)], panel.target
    leads = sorted(range(1 - horizon, horizon + 1), key=lambda lead: (abs(lead), -lead))
    for n, series in enumerate(panel.series):
        for e, name in enumerate(names):
            for values in _versions(inputs[:, n, e]):
                for lead in leads:
                    if _is_copy(values[max(-lead, 0) : len(panel) - max(lead, 0)], _shift(target[:, n], lead)):
                        return f"{name} at a row is the target of {series} {_describe_lead(lead)}"
    return None


def _shift(target: np.ndarray, lead: int) -> np.ndarray:
    return target[lead:] if lead >= 0 else target[:lead]


def _versions(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield an input, its changes, and its relative changes, as the target may be a return."""
    yield values
    yield np.diff(values, prepend=np.nan)
    if (values[~np.isnan(values)] > 0).all():
        yield np.diff(np.log(values), prepend=np.nan)


def _is_copy(values: np.ndarray, target: np.ndarray) -> bool:
    """Return whether values equal the target, or change as it does up to a factor."""
    known = np.isfinite(values) & np.isfinite(target)
    if known.sum() < MIN_PAIRS:
        return False
    values, target = values[known], target[known]
    if target.min() == target.max():
        return False
    if np.array_equal(values, target):
        return True
    changes = np.diff(values), np.diff(target)
    if min(change.std() for change in changes) == 0:
        return False
    return (
        abs(np.corrcoef(*changes)[0, 1]) > MAX_CORRELATION
        and abs(np.corrcoef(*map(rankdata, changes))[0, 1]) > MIN_RANK_CORRELATION
    )


def _describe_lead(lead: int) -> str:
    if lead == 0:
        return "of the same row"
    rows = f"{abs(lead)} row{'s' if abs(lead) > 1 else ''}"
    return f"{rows} later" if lead > 0 else f"{rows} before, which is not known at the cutoff for every step"
