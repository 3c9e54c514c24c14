"""Tables of the page as data, and numbers as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecast.evaluation import format_p
from forecast.report import plots

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult


@dataclass(frozen=True)
class Cell:
    """A cell of a table: text, a number with its exact value for sorting, or a model with its colour."""

    text: str
    value: str | None = None  # of a number; empty if it is not finite
    colour: str = ""  # of a model
    style: str = ""  # CSS class of a cell of text
    flag: str = ""  # a warning next to the name of a model


@dataclass(frozen=True)
class Table:
    """A table: the headings of its columns, and its rows."""

    headings: Sequence[str]
    rows: list[list[Cell]]
    id: str = ""

    @property
    def numeric(self) -> list[bool]:
        """Whether each column consists of numbers, which are aligned right."""
        return [all(row[i].value is not None for row in self.rows) for i in range(len(self.headings))]


def model_cell(result: BacktestResult, name: Any, flag: str = "") -> Cell:
    """Return the cell of a model: its name, its colour and a warning, if there is one."""
    return Cell(str(name), colour=plots.styles(result)[str(name)].colour, flag=flag)


def number_cell(value: float, text: str) -> Cell:
    """Return the cell of a number."""
    return Cell(text, repr(float(value)) if math.isfinite(value) else "")


def p_cell(p: float) -> Cell:
    """Return the cell of a p-value."""
    return number_cell(p, format_p(p) if math.isfinite(p) else "–")


def skill_cell(share: float) -> Cell:
    """Return the cell of a skill, to a hundredth of a percent, since skills on prices are small."""
    return number_cell(share, f"{share:+.2%}".replace("-", "−") if math.isfinite(share) else "–")


def interval_cell(low: float, high: float) -> Cell:
    """Return the cell of an interval of skills, which sorts by its lower end."""
    ends = [f"{end:+.1%}".replace("-", "−") for end in (low, high)]
    return number_cell(low, " to ".join(ends) if math.isfinite(low) else "–")


def decimal_cell(value: float, decimals: int) -> Cell:
    """Return the cell of a number with a fixed number of decimals."""
    return number_cell(value, f"{value:,.{decimals}f}".replace("-", "−") if math.isfinite(value) else "–")


def percent_cell(share: float) -> Cell:
    """Return the cell of a share, as a percentage."""
    return number_cell(share, f"{share:.1%}".replace("-", "−") if math.isfinite(share) else "–")


def four_digits(values: pd.Series) -> Callable[[float], Cell]:
    """Return a function that formats the cells of a column, with four digits for the largest value."""
    largest = values.abs().max()
    decimals = 3 - math.floor(math.log10(largest)) if largest > 0 else 0
    if -6 < decimals < 9:
        return lambda x: decimal_cell(x, max(decimals, 0))
    return lambda x: number_cell(x, f"{x:.3e}")
