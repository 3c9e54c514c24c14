"""Numbers in text: 1234.5, 1234,5, 1,234.5 and 1.234,5. An ambiguous number is refused, not guessed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

#: Spellings of a missing value, lower-case.
MISSING = frozenset(
    ("", "na", "n/a", "n.a.", "nan", "-nan", "null", "none", "nil", "missing", "-", "--", ".", "–", "—")
)
MISSING |= {"<na>", "#n/a", "#na", "#nv", "#n/v", "#n/a n/a", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"}
OTHER_MARK = {".": ",", ",": "."}
#: The form of a number with each decimal mark; the other mark then separates groups of three digits.
NUMBER = {
    decimal: re.compile(
        rf"[+-]?(?:[1-9][0-9]{{0,2}}(?:[{group}][0-9]{{3}})+(?:[{decimal}][0-9]*)?"
        rf"|(?:[0-9]+(?:[{decimal}][0-9]*)?|[{decimal}][0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?)",
        re.IGNORECASE,
    )
    for decimal, group in OTHER_MARK.items()
}
#: Returns the line, the text and the column name of the first of these cells in the file.
CellFinder = Callable[[Sequence[str]], tuple[int, str, str]]


def has_digit(cell: str) -> bool:
    """Return whether a cell may be a date or a number."""
    return any(character.isdigit() for character in cell)


def is_name(cell: str) -> bool:
    """Return whether a cell is neither missing nor a number."""
    return cell.lower() not in MISSING and not any(form.fullmatch(cell) for form in NUMBER.values())


def read_numbers(cells: Collection[str], decimal: str | None, dotted: bool, find: CellFinder) -> dict[str, float]:
    """Return the values of a file's cells that are numbers or missing, all read with one decimal mark.

    The mark is `decimal`, or else the one that the cells prove: a cell proves a mark if it is a number with that mark
    alone, so 12,5 and 12.345,6 and 12.345.678 prove the comma. The other mark may then separate thousands if a cell of
    the file proves that as well. `dotted` states that a lone 1.234 has a decimal point; a lone 1,234 stays ambiguous.
    """
    marks = {cell: [mark for mark in OTHER_MARK if NUMBER[mark].fullmatch(cell)] for cell in cells}
    proofs = {mark: [cell for cell in cells if marks[cell] == [mark]] for mark in OTHER_MARK}
    ambiguous = [cell for cell in cells if len(marks[cell]) == 2 and ("," in cell or "." in cell)]
    if decimal is None and proofs["."] and proofs[","]:
        (line, cell, _), (later, other, _) = sorted(find(proofs[mark]) for mark in OTHER_MARK)
        raise ValueError(
            f"line {line} contains {cell!r} and line {later} {other!r}: the decimal mark must be one of comma and "
            "point in the whole file"
        )
    if decimal is not None and proofs[OTHER_MARK[decimal]]:
        line, cell, name = find(proofs[OTHER_MARK[decimal]])
        raise ValueError(
            f"line {line} contains {cell!r} in {name!r}, which is not a number with decimal={decimal!r}: correct it"
        )
    mark = decimal or next((mark for mark in OTHER_MARK if proofs[mark]), None)
    if mark is None and dotted and not any("," in cell for cell in ambiguous):
        mark = "."
    grouped = decimal is not None or (mark is not None and any(OTHER_MARK[mark] in cell for cell in proofs[mark]))
    unclear = [cell for cell in ambiguous if mark is None or (OTHER_MARK[mark] in cell and not grouped)]
    if unclear:
        line, cell, name = find(unclear)
        raise ValueError(
            f"line {line} contains {cell!r} in {name!r}, which may mean {re.sub('[.,]', '', cell)} or "
            f"{cell.replace(',', '.')}: set decimal=',' or decimal='.'"
        )
    mark = mark or "."  # whole numbers only
    plain = {cell: cell.replace(OTHER_MARK[mark], "").replace(mark, ".") for cell in cells if mark in marks[cell]}
    missing = {cell: float("nan") for cell in cells if cell.lower() in MISSING}
    return missing | {cell: float(number) for cell, number in plain.items()}
