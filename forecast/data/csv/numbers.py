"""Numbers as people write them: 1234.5, 1234,5, 1,234.5 and 1.234,5. What may mean two numbers is not guessed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

#: What people write where they have no number, lower-case.
MISSING = frozenset(
    ("", "na", "n/a", "n.a.", "nan", "-nan", "null", "none", "nil", "missing", "-", "--", ".", "–", "—")
)
MISSING |= {"<na>", "#n/a", "#na", "#nv", "#n/v", "#n/a n/a", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"}
OTHER = {".": ",", ",": "."}
#: How a number may be written with each decimal mark; the other mark then parts groups of three digits.
NUMBER = {
    decimal: re.compile(
        rf"[+-]?(?:[1-9][0-9]{{0,2}}(?:[{group}][0-9]{{3}})+(?:[{decimal}][0-9]*)?"
        rf"|(?:[0-9]+(?:[{decimal}][0-9]*)?|[{decimal}][0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?)",
        re.IGNORECASE,
    )
    for decimal, group in OTHER.items()
}
#: Gives the line, the cell and the column of the first of some cells.
Finder = Callable[[Sequence[str]], tuple[int, str, str]]


def is_name(cell: str) -> bool:
    """Say whether a cell is neither missing nor a number."""
    return cell.lower() not in MISSING and not any(form.fullmatch(cell) for form in NUMBER.values())


def read_numbers(cells: Collection[str], decimal: str | None, dotted: bool, find: Finder) -> dict[str, float]:
    """Read those of a file's cells that are numbers or missing, all with one decimal mark: `decimal`, or as proven.

    A cell proves a mark if it is a number with that mark alone: 12,5 and 12.345,6 and 12.345.678 prove the comma. The
    other mark may then part thousands where a cell of the file proves that as well. `dotted` says whether a lone 1.234
    is what it seems; a lone 1,234 never is.
    """
    forms = {cell: [mark for mark in OTHER if NUMBER[mark].fullmatch(cell)] for cell in cells}
    proofs = {mark: [cell for cell, marks in forms.items() if marks == [mark]] for mark in OTHER}
    either = [cell for cell, marks in forms.items() if len(marks) == 2 and ("," in cell or "." in cell)]
    if decimal is None and proofs["."] and proofs[","]:
        (line, cell, _), (later, unlike, _) = sorted(find(proofs[mark]) for mark in OTHER)
        raise ValueError(
            f"line {line} holds {cell!r} and line {later} {unlike!r}: the decimal mark must be one of comma and point "
            "in the whole file"
        )
    if decimal is not None and proofs[OTHER[decimal]]:
        line, cell, name = find(proofs[OTHER[decimal]])
        raise ValueError(f"line {line} holds {cell!r} in {name!r}, no number with decimal={decimal!r}: correct it")
    mark = decimal or next((mark for mark in OTHER if proofs[mark]), None)
    if mark is None and dotted and not any("," in cell for cell in either):
        mark = "."
    grouped = decimal is not None or (mark is not None and any(OTHER[mark] in cell for cell in proofs[mark]))
    unclear = [cell for cell in either if mark is None or (OTHER[mark] in cell and not grouped)]
    if unclear:
        line, cell, name = find(unclear)
        raise ValueError(
            f"line {line} holds {cell!r} in {name!r}, which may mean {re.sub('[.,]', '', cell)} or "
            f"{cell.replace(',', '.')}: say decimal=',' or decimal='.'"
        )
    mark = mark or "."  # of whole numbers
    plain = {cell: cell.replace(OTHER[mark], "").replace(mark, ".") for cell, marks in forms.items() if mark in marks}
    return {cell: float("nan") for cell in cells if cell.lower() in MISSING} | {c: float(n) for c, n in plain.items()}
