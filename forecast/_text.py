"""Names and other text of the user as plain text, for terminals, plots and pages."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

#: Kinds of characters that have an effect in place of a form: control and direction marks, line breaks, surrogates.
EFFECTS = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
JOINERS = "\u200c\u200d"  # part of the spelling of words in many scripts, and of emoji


def plain(text: object) -> str:
    r"""Return text on one line, with an escape such as \x1b or \n for each character that is an effect.

    >>> print(plain("\x1b[31mred\n[b]bold[/b]"))
    \x1b[31mred\n[b]bold[/b]
    """
    return "".join(char.encode("unicode_escape").decode() if is_effect(char) else char for char in str(text))


def plain_lines(text: str) -> str:
    """Return text of several lines, each as `plain` returns it."""
    return "\n".join(map(plain, text.split("\n")))


def is_effect(char: str) -> bool:
    """Return whether a character is not shown but changes what is shown around it."""
    return unicodedata.category(char) in EFFECTS and char not in JOINERS


def list_names(names: Sequence[str], most: int = 5) -> str:
    """Return the first names of a list that may be long, and how many more there are.

    >>> list_names(["AAPL", "IBM", "MSFT", "GOOG"], most=2)
    'AAPL, IBM and 2 more'
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
