"""Text of files: UTF-8, UTF-16, the older encodings that known names of columns prove, and Excel's ="text" cells."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Collection
from pathlib import Path

from forecast.data.fields import kind_of, plain_name, plain_names
from forecast.data.month_names import months_in
from forecast.data.row_labels import DATE_NAMES, PERIOD_NAMES

BOMS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}  # before UTF-16, whose mark begins alike
BOMS |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # Excel calls it Unicode text
#: Encodings of the Latin alphabet, and the languages that each is for.
LATIN_ENCODINGS: dict[str, tuple[str, ...]] = {
    "cp1252": ("western",),
    "cp1250": ("polish", "czech", "slovak", "hungarian", "romanian", "croatian", "german"),
}
LATIN_ENCODINGS |= dict.fromkeys(("iso8859-2", "cp852"), LATIN_ENCODINGS["cp1250"])
LATIN_ENCODINGS |= {"cp1254": ("turkish", "western"), "cp1257": ("baltic",)}
LATIN_ENCODINGS |= {"mac-roman": ("western",), "cp850": ("western",)}
#: Encodings of other alphabets, which names of dates and fields prove.
OTHER_ENCODINGS: tuple[str, ...] = (
    "gb18030",
    "cp932",
    "cp949",
    "big5",
    "euc-jp",
    "cp1251",
    "cp1253",
    "cp1255",
    "cp1256",
)
OTHER_ENCODINGS += ("cp874", "koi8-r", "cp866")
#: Encodings whose characters have several bytes, some of them ASCII, and the first bytes of frequent ones.
WIDE_ENCODINGS = {"big5": range(0xA4, 0xC7), "cp932": range(0x81, 0x99)}
#: The letters that are not ASCII, lower-case, of each language.
LETTERS = {"western": "äöüßàáâãåæçèéêëìíîïñòóôõøùúûœ", "german": "äöüßé", "polish": "ąćęłńóśźż"}
LETTERS |= {"czech": "áčďéěíňóřšťúůýž", "slovak": "áäčďéíĺľňóôŕšťúýž", "hungarian": "áéíóöőúüű"}
LETTERS |= {"romanian": "ăâîşţșț", "croatian": "čćđšž", "turkish": "çğıöşüâîû", "baltic": "ąčęėįšųūžāēģīķļņõäöü"}
#: Letters that do not stand before these vowels, while the Western ones of the same bytes do, as in España and São.
NOT_BEFORE_VOWELS = re.compile("ń[aeiouáéíóú]|ă[oe]", re.IGNORECASE)
#: Names of columns in the languages of cp1252 alone.
WESTERN_NAMES = plain_names("cours clôture ouverture dernier séance prix fecha cierre precio fechamento preço chiusura")
WESTERN_NAMES |= plain_names(
    "prezzo dato slutkurs sluttkurs päätöskurssi koers slotkoers schluss schlusskurs eröffnung"
)
#: Signs that may be before or behind a word, or behind it only.
SIGNS, ENDS = "“”„‘’–—…", "“”„‘’–—…™®°"
SAMPLE = 20_000  # first characters, which have the names of the columns and some dates
MIN_MIXED = 0.8  # of the words that are not ASCII: with other letters as well
ASCII = set(map(chr, range(128)))
LATIN_CHARACTERS = set(map(chr, range(0xA0, 0x180))) | set("€‚„…‹‘’“”•–—™›")
#: A cell such as ="99.47", which keeps Excel from changing it, and its form within quotes.
FORMULA = re.compile(r'(?<![^,;\t|\n])(?:="([^"\n]*)"|"=""([^"\n]*)""")(?![^,;\t|\n])')
#: A cell in quotes with line ends, and the mark that stands for these.
BROKEN_CELL = re.compile(r'(?<![^,;\t|\n])"(?:[^"\n]|"")*(?:\n(?:[^"\n]|"")*){1,8}"(?![^,;\t|\n])')
JOINED = "\x1e"
OF_MEASURE = re.compile("°[CF]|µ[a-z]{1,2}")
#: What separates cells, roughly.
CELL = re.compile(r"[,;\t|\n\"]")
#: A line with all its cells in one quote.
QUOTED_LINE = re.compile(r'"(?:[^"]|"")*[,;\t|](?:[^"]|"")*"')
#: First characters of files that are no text tables, and what they are.
OTHER_FILES = {
    b"PK\x03\x04": "an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)",
}
OTHER_FILES |= {b"%PDF": "a PDF document", b"PAR1": "a Parquet file", b"\x1f\x8b": "a compressed file"}
OTHER_TEXTS = {"<": "a web page or XML", "{": "JSON", "[{": "JSON", "[[": "JSON"}


def read_file(path: Path) -> tuple[str, list[str]]:
    """Return a file's text with "\\n" as line end, and a note where it is not in UTF-8."""
    raw = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError("not a readable gzip file, perhaps cut short: download it again") from error
    _check_kind(raw)
    text, notes = _decode(raw)
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"line {line} contains a NUL byte, so this is not text: save the file as CSV in UTF-8")
    if not text.strip():
        raise ValueError("the file has only blank lines; a header and rows are needed: save or download it again")
    return text, notes


def unwrap_cells(text: str) -> str:
    """Return a text with the contents of cells such as ="99.47" in place of them, and of lines that are one quote.

    >>> unwrap_cells('="2024-01-02",="99.47"'), unwrap_cells('"Date,A"\\n"2024-01-02,99.47"')
    ('"2024-01-02","99.47"', 'Date,A\\n2024-01-02,99.47')
    """
    first = [line for line in text[:SAMPLE].split("\n")[:-1] or [text] if line.strip()]
    if all(QUOTED_LINE.fullmatch(line.strip()) for line in first):
        text = "\n".join(re.sub('^ *"|" *$', "", line).replace('""', '"') for line in text.split("\n"))
    text = _join_broken_cells(text)
    if '="' not in text:
        return text
    return FORMULA.sub(lambda match: f'"{match[1] if match[1] is not None else match[2]}"', text)


def _join_broken_cells(text: str) -> str:
    """Return a text with spaces for the line ends within quoted cells, which follow the line of the row instead."""
    if not any(line.count('"') % 2 for line in text.split("\n")):
        return text
    lines = BROKEN_CELL.sub(_mark_line_ends, text).split("\n")
    return "\n".join(line.replace(JOINED, " ") + "\n" * line.count(JOINED) for line in lines)


def _mark_line_ends(cell: re.Match[str]) -> str:
    """Return a cell with marks for its line ends; as it is where a line in it begins as a row does."""
    first, *others = cell[0].split("\n")
    is_row = any(re.match(r"\s*[\d+-][^,;\t|]*[,;\t|]", line) for line in others)
    return cell[0] if is_row or not re.search(r"[^\W\d_]", first) else JOINED.join([first, *others])


def _check_kind(raw: bytes) -> None:
    """Raise ValueError where the first characters show that a file is no text table."""
    kind = kind_of_file(raw)
    if kind is not None:
        raise ValueError(f"this is {kind} and no text table: download the prices as CSV, or name the file by its kind")


def kind_of_file(raw: bytes) -> str | None:
    """Return what a file is by its first characters; None for a text that may be a table."""
    kind = next((kind for start, kind in OTHER_FILES.items() if raw.startswith(start)), None)
    if kind is not None:
        return kind
    start = raw[:100].decode("ascii", errors="ignore").lstrip()
    is_table = re.match(r"<\w+>[,;\t|]", start) is not None  # <DATE>,<CLOSE>
    return next((kind for mark, kind in OTHER_TEXTS.items() if start.startswith(mark) and not is_table), None)


def _decode(raw: bytes) -> tuple[str, list[str]]:
    encoding = next((name for mark, name in BOMS.items() if raw.startswith(mark)), None) or _unmarked_utf16(raw)
    if b"\x1b$" in raw:
        encoding = "iso2022_jp"  # the escapes before its characters
    try:
        return raw.decode(encoding or "utf-8"), []
    except UnicodeDecodeError as error:
        if encoding is not None:
            raise ValueError("not a complete UTF-16 text, perhaps cut short: save or download it again") from error
        readings = _other_readings(raw)
        if len(readings) != 1:
            line = raw[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
            raise ValueError(
                f"line {line} is not UTF-8 text, and its encoding is not clear{_describe_readings(readings)}: save the "
                "file as CSV in UTF-8"
            ) from error
        ((found, text),) = readings.items()
        return text, [f"the file is not UTF-8 text and is read as {found}"]


def _describe_readings(readings: dict[str, str]) -> str:
    """Return a word of a text in two encodings; "" where there are none."""
    names, texts = list(readings)[:2], list(readings.values())[:2]
    pairs = zip(*(_foreign_words(text) for text in texts), strict=False) if len(texts) == 2 else ()
    pair = next((pair for pair in pairs if pair[0] != pair[1]), None)
    return "" if pair is None else f" ({pair[0]!r} in {names[0]}, {pair[1]!r} in {names[1]})"


def _unmarked_utf16(raw: bytes) -> str | None:
    """Return which UTF-16 a text without a mark is, by the place of the zero bytes in its first characters."""
    start = raw[:SAMPLE]
    even, odd = start[::2].count(0), start[1::2].count(0)
    most = max(even, odd)
    if len(raw) % 2 or most < 0.4 * len(start) or min(even, odd) > 0:
        return None
    return "utf-16-le" if odd == most else "utf-16-be"


def _other_readings(raw: bytes) -> dict[str, str]:
    """Return the readings of a text that is not UTF-8, by encoding; exactly one where its encoding is certain.

    They are those with the most known names. Of those in the Latin alphabet, a reading has only words as a language
    writes them; of the others it has a known name. Readings that differ in known names alone are one.
    """
    texts = {}
    for name in (*LATIN_ENCODINGS, *OTHER_ENCODINGS):
        try:
            texts[name] = raw.decode(name)
        except UnicodeDecodeError:
            continue
    known = {name: _known_names(text[:SAMPLE]) for name, text in texts.items()}
    possible = [name for name in texts if _is_possible(texts[name], name, known[name])]
    western = [name for name in possible if "western" in LATIN_ENCODINGS.get(name, ())]
    if any(not WESTERN_NAMES.isdisjoint(map(plain_name, CELL.split(texts[name][:SAMPLE]))) for name in western):
        possible = western
    most = max((len(known[name]) for name in possible), default=0)
    found: dict[str, tuple[str, str]] = {}
    for name in possible:
        if len(known[name]) == most:
            cells = CELL.split(texts[name])
            rest = "\n".join(plain_name(cell) if cell in known[name] else cell for cell in cells)
            found.setdefault(rest, (name, texts[name]))
    readings = dict(found.values())
    return {} if most == 0 and set(readings) <= set(WIDE_ENCODINGS) else readings


def _is_possible(text: str, encoding: str, known: Collection[str]) -> bool:
    """Return whether a text in this encoding has words of its languages, or known names in its alphabet."""
    if encoding in LATIN_ENCODINGS:
        return _is_latin(text, LATIN_ENCODINGS[encoding])
    return any(not re.search("[A-Za-z]", name) for name in known) or _is_wide(text, encoding)


def _foreign_words(text: str) -> list[str]:
    """Return the words of a text that are not ASCII, in their order, with the signs that are next to letters."""
    words = re.findall(r"[^\s,;|\"()\[\]<>:/+=&.-]*[^\x00-\x7f][^\s,;|\"()\[\]<>:/+=&.-]*", text)
    return list(dict.fromkeys(words))


def _is_latin(text: str, languages: tuple[str, ...]) -> bool:
    """Return whether the words of a text that are not ASCII are all of one of these languages, or signs alone."""
    words = [word.lstrip(SIGNS).rstrip(ENDS) for word in _foreign_words(text) if not OF_MEASURE.fullmatch(word)]
    words = [word for word in words if any(map(str.isalpha, word)) and not word.isascii()]
    letters = {letter for word in words for letter in word.replace("’", "") if letter not in ASCII}
    if not set(text) - ASCII <= LATIN_CHARACTERS | letters or any(map(_is_no_word, words)):
        return False
    mixed = sum(len(word) < 3 or re.search("[A-Za-z]", word) is not None for word in words)
    lower = {"i" if letter == "İ" else letter.lower() for letter in letters} - {"i"}
    return mixed >= MIN_MIXED * len(words) and any(lower <= set(LETTERS[language]) for language in languages)


def _is_no_word(word: str) -> bool:
    """Return whether a letter that is not ASCII has another case than those next to it, or signs next to it."""
    if NOT_BEFORE_VOWELS.search(word) or re.search(r"[\\^`@~{}]|[^\x00-\x7f]\d", word):
        return True
    for before, letter, after in zip(f" {word}", word, f"{word[1:]} ", strict=False):
        if not letter.isascii() and letter.isupper() and (before.islower() or (before.isupper() and after.islower())):
            return True
    others = [letter for letter in word if letter.isascii() and letter.isalpha()]
    return len(others) > 1 and all(map(str.isupper, others)) and any(c.islower() and not c.isascii() for c in word)


def _is_wide(text: str, encoding: str) -> bool:
    """Return whether a text has only frequent Chinese or Japanese characters, none of them next to a lower-case letter.

    Such a text may be taken for one in the Latin alphabet, because some of its bytes are ASCII.
    """
    if encoding not in WIDE_ENCODINGS or not re.search(r"[^\x00-\x7f]{2}", text):
        return False
    if re.search(r"[a-z][^\x00-\x7f]|[^\x00-\x7f][a-z]", text):
        return False
    characters = set(text) - ASCII
    return all(character.encode(encoding)[0] in WIDE_ENCODINGS[encoding] for character in characters)


def _known_names(text: str) -> set[str]:
    """Return the different cells that are not ASCII and are names of dates, of fields or of months."""
    cells = {cell.strip(' "') for cell in re.split(r"[,;\t|\n]", text) if not cell.isascii()}
    cells = {cell for cell in cells if not re.search("[A-Za-z]", cell) or set(cell) - ASCII <= LATIN_CHARACTERS}
    names = {cell for cell in cells if plain_name(cell) in DATE_NAMES | PERIOD_NAMES or kind_of(cell) is not None}
    return names | {month for cell in cells - names for month in months_in(cell)}
