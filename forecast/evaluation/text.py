"""Numbers and lists of names in the sentences of verdicts and in reports."""

from __future__ import annotations

from collections.abc import Sequence


def format_p(p: float) -> str:
    """Return a p-value as text: ".034", "< .001" or "1"; a fourth digit shows on which side of .05 it is.

    >>> format_p(0.0342), format_p(1e-5), format_p(1.0), format_p(0.0496)
    ('.034', '< .001', '1', '.0496')
    """
    if p < 0.001:
        return "< .001"
    digits = 4 if abs(p - 0.05) < 0.0005 and p != 0.05 else 3
    return f"{p:.{digits}f}".lstrip("0") if p < 1 else "1"


def join_names(names: Sequence[str], last: str = "and") -> str:
    """Return names as an English list; `last` is the word before the last one.

    >>> join_names(["arima", "lstm", "gru"])
    'arima, lstm and gru'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number of things as text, such as "1 row" or "1,200 rows"."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
