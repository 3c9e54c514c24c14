"""The small parts of the page: tables, their cells, and numbers as a trader reads them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from forecast.report import plots

if TYPE_CHECKING:
    from forecast.backtesting import BacktestResult


def details(title: str, inside: str) -> str:
    """Fold something away under a title."""
    return f"<details><summary>{escape(title)}</summary>{inside}</details>"


def table(heads: Sequence[str], rows: list[list[str]], attributes: str = "") -> str:
    """Lay out cells that are HTML already; a head is a title, set to the right over numbers."""
    right = [" class=n" if all('class="n"' in row[i] for row in rows) else "" for i in range(len(heads))]
    titles = [f'<th scope="col"{side}>{escape(head)}</th>' for head, side in zip(heads, right, strict=True)]
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    head = f"<thead><tr>{''.join(titles)}</tr></thead>"
    return f'<div class="scroll"><table {attributes}>{head}<tbody>\n{body}\n</tbody></table></div>'


def model(result: BacktestResult, name: Any) -> str:
    """Write a model's name as the head of its row, with its colour."""
    style = plots.styles(result)[str(name)]
    text = escape(str(name))
    return f'<th scope="row" data-value="{text}"><i style="background:{style.colour}"></i>{text}</th>'


def cell(value: Any) -> str:
    """Write a cell of text."""
    return f"<td>{escape(str(value))}</td>"


def number(value: float, text: str) -> str:
    """Write a cell with a number; sorting goes by its exact value."""
    exact = repr(float(value)) if math.isfinite(value) else ""
    return f'<td class="n" data-value="{exact}">{escape(text)}</td>'


def figures(values: pd.Series) -> Callable[[float], str]:
    """Choose how to write a column: with the decimals that give its largest number four figures."""
    largest = values.abs().max()
    decimals = 3 - math.floor(math.log10(largest)) if largest > 0 else 0
    return (lambda x: f"{x:.3e}") if not -6 < decimals < 9 else (lambda x: fixed(x, max(decimals, 0)))


def fixed(value: float, decimals: int) -> str:
    """Write a number with so many decimals."""
    return f"{value:,.{decimals}f}".replace("-", "−") if math.isfinite(value) else "–"


def percent(share: float) -> str:
    """Write a share as a percentage."""
    return f"{share:.1%}".replace("-", "−") if math.isfinite(share) else "–"


def skill(share: float) -> str:
    """Write a skill to the hundredth of a percent, for on prices it is small."""
    return f"{share:+.2%}".replace("-", "−") if math.isfinite(share) else "–"


def count(number: int, noun: str) -> str:
    """Write a number of things, one or more."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def p_value(p: float) -> str:
    """Write the cell of a p-value."""
    return number(p, "< 0.001" if p < 0.001 else fixed(p, 3))


def interval(low: float, high: float) -> str:
    """Write the cell of an interval of skills; sorting goes by its lower end."""
    ends = [f"{end:+.1%}".replace("-", "−") for end in (low, high)]
    return number(low, " to ".join(ends) if math.isfinite(low) else "–")
