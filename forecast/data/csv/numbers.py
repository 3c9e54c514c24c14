"""Numbers in text: 1234.5, 1.234,5, $1,234.50, 0.85M and 0.12%. An ambiguous number is refused, not guessed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence

from forecast.data.fields import plain_name, plain_names

#: Spellings of a missing value, lower-case.
MISSING = frozenset(
    ("", "na", "n/a", "n.a.", "nan", "-nan", "null", "none", "nil", "missing", "-", "--", ".", "–", "—")
)
MISSING |= {"<na>", "#n/a", "#na", "#nv", "#n/v", "#n/a n/a", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"}
MISSING |= {"..", "...", ":", "n.d.", "k.a.", "s.d.", "n.v."}
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
#: A number with groups of three digits behind points, which may as well have a decimal point if there is one group.
POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+")
#: A whole number of at least three digits without marks, which is written so also where points separate thousands.
UNGROUPED = re.compile(r"[+-]?[1-9]\d{2,}")
#: A number whose thousands are separated by spaces or apostrophes.
SPACED = re.compile(r"(?P<whole>[+-]?[1-9]\d{0,2}(?:[\s'’]\d{3})+)(?P<rest>[.,]\d*)?")
#: Words in the names of columns, in languages that write a decimal comma, as `plain_name` writes them.
COMMA_WORDS = plain_names("datum fecha data дата tarih dato päivämäärä pvm ημερομηνια dátum ngay tanggal séance")
COMMA_WORDS |= plain_names("schluss schlusskurs kurs preis wert clôture cours prix valeur cierre precio valor chiusura")
COMMA_WORDS |= plain_names("prezzo valore fechamento preço slot slotkoers koers prijs zamknięcie cena slutkurs")
COMMA_WORDS |= plain_names("sluttkurs lukkekurs päätöskurssi закрытие цена курс kapanış fiyat záró ár závěr hodnota")
COMMA_WORDS |= plain_names("penutupan harga inchidere pret κλεισιμο τιμη gia eröffnung apertura ouverture abertura")
#: A day, a month and a year between points, as languages with a decimal comma write dates.
COMMA_DATE = re.compile(r"\d{1,2}\.\s?\d{1,2}\.\s?\d{4}.*")
#: Names of columns in the files of offices that write a decimal point in every language, as do those with <CLOSE>.
POINT_NAMES = plain_names("observation_date obs_value")
#: A date with the month first, as countries with a decimal point write it.
POINT_DATE = re.compile(r"\d{1,2}/(1[3-9]|2\d|3[01])/\d{4}.*|[A-Z][a-z]{2,8}\.? \d{1,2},? \d{4}.*")
#: Multiples that letters behind a number stand for, lower-case.
MULTIPLES = {"k": 1e3, "m": 1e6, "mio": 1e6, "mln": 1e6, "mn": 1e6, "b": 1e9, "bn": 1e9, "mrd": 1e9, "t": 1e12}
MULTIPLES |= {"万": 1e4, "萬": 1e4, "만": 1e4, "亿": 1e8, "億": 1e8, "억": 1e8}
CURRENCY = r"[A-Z]{0,2}[$€£¥₹₽₩₺₴₫฿₪]|Rs\.?|R\$|kr\.?|zł|Kč|USD|EUR|GBP|JPY|CNY|CHF|INR|元|円|원"
#: A number with a sign of currency before or behind it, a multiple, or a sign of percent.
WITH_SYMBOL = re.compile(
    rf"(?P<sign>[+-]?)(?P<before>{CURRENCY})?\s*(?P<number>[+-]?[\d.,]+)\s*"
    rf"(?P<multiple>{'|'.join(sorted(MULTIPLES, key=len, reverse=True))})?\.?\s*(?P<behind>%|{CURRENCY})?",
    re.IGNORECASE,
)
#: What a line of measures below the names contains.
MEASURE = re.compile(
    rf"[(\[]?(?:in )?(?:{CURRENCY}|AUD|CAD|SEK|NOK|DKK|PLN|%|percent"
    r"|shares?|lots?|contracts?|pcs|index|points?|pts)"
    r"(?:\s?/\s?\w+)?[)\]]?",
    re.IGNORECASE,
)
#: Forms of cells that are numbers with something else, and what to do about each.
UNREAD: tuple[tuple[str, str], ...] = (
    (r"\(\s*[\d.,]+\s*\)", "brackets may mean that a number is below zero: write -1.5 if it is, else 1.5"),
    (r"[\d.,]+\s?[-−–]", "a sign behind a number is not read: write it before the number"),
    (r"[−–]\s?[\d.,]+", "its sign is no minus: write -, as in -1.5"),
    (r"\d+[ -]\d+/\d+|\d+/\d+", "fractions are not read: write 12.125 for 12 1/8"),
    (r"\d+['’-]\d{1,3}\+?", "it may have 32nds or other parts: write it with decimals, as 112.5 for 112-16"),
    (r"\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d*)?", "its thousands are grouped as in India: write 1234567.5 for 12,34,567.5"),
    (
        rf"[+-]?(?:{CURRENCY})\s?[\d.,]+|[\d.,]+\s?(?:{CURRENCY})",
        "numbers of the column differ in their currency: write them all in one, as 1234.5",
    ),
    (r"[+-]?[\d.,]+\s?%", "not all numbers of the column are percentages: write them all alike, as 1.5"),
    (
        r"[+-]?[\d.,]+\s*(?:[*†‡#§¹²³]+|\(?[A-Za-z]{1,2}\)?|\[\w{1,2}\])",
        "a mark behind a number, as of a provisional value, is not read: write the number alone",
    ),
    (r"[-+]?[\d.,' ]*\d", "write 1234.5 without thousands separators"),
    (r".*\d.*", "write the number alone, as 1234.5, or leave the cell empty if the price is unknown"),
)
#: Returns the line, the text and the column name of the first of these cells in the file.
CellFinder = Callable[[Sequence[str]], tuple[int, str, str]]


def has_digit(cell: str) -> bool:
    """Return whether a cell may be a date or a number."""
    return any(character.isdigit() for character in cell)


def is_measure(cell: str) -> bool:
    """Return whether a cell below a name states what the column is measured in."""
    return MEASURE.fullmatch(cell) is not None


def is_name(cell: str) -> bool:
    """Return whether a cell is neither missing nor a number."""
    return cell.lower() not in MISSING and not any(form.fullmatch(cell) for form in NUMBER.values())


def advise(cell: str) -> str:
    """Return what to do about a cell that is not read as a number.

    >>> advise("halt"), advise("(12.5)").partition(":")[0]
    ('leave the cell empty', 'brackets may mean that a number is below zero')
    """
    forms = (text for form, text in UNREAD if re.fullmatch(form, cell.strip(), re.IGNORECASE))
    return next(forms, "leave the cell empty")


def has_decimal_comma(names: Iterable[str], dates: Iterable[str]) -> bool:
    """Return whether the names of a table's columns, or its dates, are of a language that writes a decimal comma."""
    words = {word for name in names for word in plain_name(name).split()}
    return not words.isdisjoint(COMMA_WORDS) or any(COMMA_DATE.fullmatch(date) for date in dates)


def has_decimal_point(names: Iterable[str], dates: Iterable[str]) -> bool:
    """Return whether the names of a table's columns, or its dates, are of an origin that writes a decimal point."""
    names = list(names)
    is_named = not POINT_NAMES.isdisjoint(map(plain_name, names)) or any(
        re.fullmatch("<[A-Z]+>", name) for name in names
    )
    return is_named or any(POINT_DATE.fullmatch(date) for date in dates)


def mixes_thousands(cells: Collection[str]) -> bool:
    """Return whether a column has 998 next to 1.002: every point may separate thousands, and there are hundreds."""
    dotted = [cell for cell in cells if "." in cell and cell.lower() not in MISSING]
    return bool(dotted) and all(map(POINTS.fullmatch, dotted)) and any(map(UNGROUPED.fullmatch, cells))


def without_spaces(cell: str) -> str:
    """Return a number with an ASCII minus, without spaces or apostrophes between thousands; any other cell as it is.

    >>> [without_spaces(cell) for cell in ("1 234,50", "1'234'567.5", "12 34", "\u22121.5")]
    ['1234,50', '1234567.5', '12 34', '-1.5']
    """
    if cell.startswith("\u2212"):
        cell = f"-{cell[1:].lstrip()}" if has_digit(cell) else cell
    match = SPACED.fullmatch(cell)
    return cell if match is None else re.sub(r"[\s'’]", "", match["whole"]) + (match["rest"] or "")


def split_symbols(cells: Sequence[str]) -> tuple[list[str], list[float]] | None:
    """Return a column's numbers without their symbols, and the multiple of each; None if it has no symbol.

    A symbol counts if every number of the column has it, zero apart: the same currency, a sign of percent (0.12% is
    the number 0.12), or a multiple, which may be K here and M there. A column where only some numbers have one
    remains text.
    """
    numbers, multiples, symbols = [], [], set()
    for cell in cells:
        match = None if cell.lower() in MISSING else WITH_SYMBOL.fullmatch(cell)
        if match is None and cell.lower() not in MISSING:
            return None
        if match is None or (cell.strip("0.,") == ""):
            numbers.append(cell)
            multiples.append(1.0)
            continue
        symbols.add((match["before"], match["multiple"] is not None, match["behind"]))
        numbers.append(match["sign"] + match["number"])
        multiples.append(MULTIPLES[match["multiple"].lower()] if match["multiple"] else 1.0)
    return (numbers, multiples) if len(symbols) == 1 and symbols != {(None, False, None)} else None


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
