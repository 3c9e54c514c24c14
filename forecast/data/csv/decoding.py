"""Text of files: UTF-8, UTF-16, the older encodings that known names of columns prove, and Excel's ="text" cells."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from forecast.data.fields import kind_of, plain_name
from forecast.data.month_names import months_in
from forecast.data.row_labels import DATE_NAMES, PERIOD_NAMES

BOMS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}  # before UTF-16, whose mark begins alike
BOMS |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # Excel calls it Unicode text
#: Encodings of files that are not UTF-8; of those that read equally many known names, the first.
OTHER_ENCODINGS: tuple[str, ...] = (
    "cp1252",
    "gb18030",
    "cp932",
    "cp949",
    "big5",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
)
OTHER_ENCODINGS += ("cp1255", "cp1256", "cp874", "koi8-r", "mac-roman")
WESTERN = ("cp1252", "cp1250", "latin-1")
SAMPLE = 20_000  # first characters, which have the names of the columns and some dates
MIN_MIXED = 0.8  # of the words that are not ASCII: with other letters as well
ASCII = set(map(chr, range(128)))
LATIN_CHARACTERS = set(map(chr, range(0xA0, 0x180))) | set("€‚„…‹‘’“”•–—™›")
#: A cell such as ="99.47", which keeps Excel from changing it, and its form within quotes.
FORMULA = re.compile(r'(?<![^,;\t|\n])(?:="([^"\n]*)"|"=""([^"\n]*)""")(?![^,;\t|\n])')
#: A line with all its cells in one quote.
QUOTED_LINE = re.compile(r'"(?:[^"]|"")*[,;\t|](?:[^"]|"")*"')
#: First characters of files that are no text tables, and what they are.
OTHER_FILES = {b"PK\x03\x04": "an Excel workbook or a zip archive", b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)"}
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
    if '="' not in text:
        return text
    return FORMULA.sub(lambda match: f'"{match[1] if match[1] is not None else match[2]}"', text)


def _check_kind(raw: bytes) -> None:
    """Raise ValueError where the first characters show that a file is no text table."""
    kind = next((kind for start, kind in OTHER_FILES.items() if raw.startswith(start)), None)
    if kind is None:
        start = raw[:100].decode("ascii", errors="ignore").lstrip()
        is_table = re.match(r"<\w+>[,;\t|]", start) is not None  # <DATE>,<CLOSE>
        kind = next((kind for mark, kind in OTHER_TEXTS.items() if start.startswith(mark) and not is_table), None)
    if kind is not None:
        raise ValueError(f"this is {kind} and no text table: download the prices as CSV, or name the file by its kind")


def _decode(raw: bytes) -> tuple[str, list[str]]:
    encoding = next((name for mark, name in BOMS.items() if raw.startswith(mark)), None) or _unmarked_utf16(raw)
    try:
        return raw.decode(encoding or "utf-8"), []
    except UnicodeDecodeError as error:
        if encoding is not None:
            raise ValueError("not a complete UTF-16 text, perhaps cut short: save or download it again") from error
        found = _other_encoding(raw)
        if found is None:
            line = raw[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
            raise ValueError(
                f"line {line} is not UTF-8 text, and its encoding is not clear: save the file as CSV in UTF-8"
            ) from error
        return raw.decode(found), [f"the file is not UTF-8 text and is read as {found}"]


def _unmarked_utf16(raw: bytes) -> str | None:
    """Return which UTF-16 a text without a mark is, by the place of the zero bytes in its first characters."""
    start = raw[:SAMPLE]
    even, odd = start[::2].count(0), start[1::2].count(0)
    most = max(even, odd)
    if len(raw) % 2 or most < 0.4 * len(start) or min(even, odd) > 0:
        return None
    return "utf-16-le" if odd == most else "utf-16-be"


def _other_encoding(raw: bytes) -> str | None:
    """Return the encoding that reads the most known names; without any, the western one if letters have accents."""
    texts = dict(_readings(raw))
    known = {name: _known_names(text[:SAMPLE]) for name, text in texts.items()}
    best = max(known, key=lambda name: known[name], default=None)
    if best is not None and known[best]:
        return best
    return next((name for name in WESTERN if _is_western(raw.decode(name, errors="replace"))), None)


def _is_western(text: str) -> bool:
    """Return whether the characters that are not ASCII are letters with accents in words with others, or signs."""
    words = [word for word in re.findall(r"\w+", text) if not word.isascii()]
    mixed = sum(len(word) == 1 or re.search("[A-Za-z]", word) is not None for word in words)
    are_words = all(letter.isalpha() for word in words if len(word) > 1 for letter in word if letter not in ASCII)
    return set(text) - ASCII <= LATIN_CHARACTERS and are_words and mixed >= MIN_MIXED * len(words)


def _readings(raw: bytes) -> Iterator[tuple[str, str]]:
    for name in OTHER_ENCODINGS:
        try:
            yield name, raw.decode(name)
        except UnicodeDecodeError:
            continue


def _known_names(text: str) -> int:
    """Return how many different cells that are not ASCII are names of dates, of fields or of months."""
    cells = {cell.strip(' "') for cell in re.split(r"[,;\t|\n]", text) if not cell.isascii()}
    cells = {cell for cell in cells if not re.search("[A-Za-z]", cell) or set(cell) - ASCII <= LATIN_CHARACTERS}
    names = {cell for cell in cells if plain_name(cell) in DATE_NAMES | PERIOD_NAMES or kind_of(cell) is not None}
    return len(names | {month for cell in cells - names for month in months_in(cell)})
