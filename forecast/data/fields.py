"""Names of price fields: which field a column contains, by its name in the common languages and dialects."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

#: Fields that are the default target, in order of preference.
TARGETS = ("Adj Close", "Close")
LONG_COLUMNS = ("unique_id", "ds", "y")
BARS = ("Open", "High", "Low", "Close")
#: Kinds of column that may be the close of an instrument, in order of preference.
CLOSES = ("Close", "Settle", "Last", "Price", "Value", "Mid", "Average")
#: Of these kinds a column is the close only where no other column may be one.
WEAK_CLOSES = ("Value", "Mid", "Average")
#: Kinds of column that belong to an instrument and are no price: turnover, change, number of trades; bids and offers.
FURTHER, QUOTE = "further", "quote"

_NAMES = tomllib.loads((Path(__file__).parent / "field_names.toml").read_text(encoding="utf-8"))
CACHED_NAMES = 1 << 16  # columns of the widest tables
MIN_DESCRIPTION = 5  # words of a name that explains itself
#: Short names of columns that are no tickers.
NO_TICKERS = ("close", "last", "price")
#: Letters that have no decomposition into a basic letter and an accent.
LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})


@lru_cache(maxsize=CACHED_NAMES)
def plain_name(name: str) -> str:
    """Return a name without case, accents, numbering, brackets and punctuation.

    >>> [plain_name(name) for name in ("<CLOSE>", "adjClose", "Máximo", "Vol. [mn]", "6b. volume")]
    ['close', 'adj close', 'maximo', 'vol', 'volume']
    """
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.strip())
    text = unicodedata.normalize("NFKD", text).casefold().translate(LETTERS)
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = re.sub(r"^\d+[a-z]?\.\s+", "", text)
    without_brackets = re.sub(r"\([^)]*\)|\[[^\]]*\]", " ", text)
    return _words(without_brackets) or _words(text)


def plain_names(names: str) -> frozenset[str]:
    """Return names that are separated by spaces, as `plain_name` writes them."""
    return frozenset(plain_name(name) for name in names.split())


def _words(text: str) -> str:
    return " ".join(re.sub(r"[^\w%]|_", " ", text).split())


_KINDS = {plain_name(name): kind for kind, names in _NAMES["kinds"].items() for name in names}
_SIDES = ("bid", "ask")  # of quotes: bid and ask
_WORDS = {meaning: frozenset(map(plain_name, words)) for meaning, words in _NAMES["words"].items()}


@lru_cache(maxsize=CACHED_NAMES)
def kind_of(name: str) -> str | None:
    """Return the kind of column that a name states: a field, another kind of close, `FURTHER`, `QUOTE`, or None.

    >>> [kind_of(name) for name in ("Adj. Close", "adjclose", "収益", "終値", "No. of Trades", "Close Price", "AAPL")]
    ['Adj Close', 'Adj Close', None, 'Close', 'further', 'Close', None]
    """
    words = _separate_words(plain_name(name))
    kind = _kind_of_words(words)
    if kind is not None:
        adjusted = set(_separate_words(plain_name(re.sub(r"[()\[\]]", " ", name)))) & _WORDS["adjusted"]
        if not adjusted or kind == "Adj Close":
            return kind
        return "Adj Close" if kind in CLOSES else f"Adj {kind}" if kind in (*BARS, "Volume") else kind
    if len(words) >= MIN_DESCRIPTION:  # "Adj Close Adjusted close price adjusted for splits", as Yahoo's page explains
        kind = next((kind for n in (2, 1) if (kind := kind_of(" ".join(words[:n]))) in TARGETS), None)
    if kind is None and words and words[0] in _SIDES and " ".join(words[1:]) in {*_KINDS, *_NAMES["letters"]}:
        return QUOTE
    return kind or (FURTHER if "%" in name or _WORDS["further"] & set(words) else None)


def _separate_words(plain: str) -> list[str]:
    """Return the words of a plain name, a word of adjustment apart from the field's that it is joined to."""
    words = []
    for word in plain.split():
        joined = (
            [mark, rest]
            for mark in _WORDS["adjusted"]
            for rest in (word.removeprefix(mark), word.removesuffix(mark))
            if rest != word and _KINDS.get(rest) in (*BARS, *CLOSES, "Volume")
        )
        words += next(joined, [word])
    return words


def _kind_of_words(words: list[str]) -> str | None:
    """Return the kind that a name states as a whole, apart from words of adjustment and of no meaning."""
    if " ".join(words) in _KINDS:
        return _KINDS[" ".join(words)]
    rest = [word for word in words if word not in _WORDS["adjusted"]]
    if words and not rest:
        return "Adj Close"
    core = " ".join(word for word in rest if word not in _WORDS["fillers"])
    if len(core) == 1:
        return None
    candidates = [" ".join(rest), core, *([] if core else rest)]
    return next((_KINDS[name] for name in candidates if name in _KINDS), None)


def is_listed(name: str) -> bool:
    """Return whether a name as a whole is that of a kind of column, and not only one of its words."""
    return plain_name(name) in _KINDS


def kinds_of(names: Sequence[str]) -> list[str | None]:
    """Return the kind of each column of a table; o, h, l, c and v are fields where the four prices are there."""
    plain = [plain_name(name) for name in names]
    letters = _NAMES["letters"] if {"o", "h", "l", "c"} <= set(plain) else {}
    return [letters.get(letter) or kind_of(name) for name, letter in zip(names, plain, strict=True)]


def canonical_field(name: Any) -> str:
    """Return the canonical name of a price field ("adj_close" is "Adj Close"), any other name unchanged."""
    kind = kind_of(str(name))
    if kind in CLOSES:
        return "Close"
    return str(name) if kind in (None, FURTHER, QUOTE) else kind


def named_field(name: str) -> str | None:
    """Return the field that a name alone states; None of other names, and of those in capitals that may be tickers.

    >>> [named_field(name) for name in ("volume", "Open", "LOW", "Price", "AAPL")]
    ['Volume', 'Open', None, None, None]
    """
    kind = kind_of(name)
    is_ticker = name.isupper() and is_like_ticker(name)
    return kind if kind in (*BARS, "Adj Close", "Volume") and not is_ticker else None


def assign_fields(names: Sequence[str]) -> list[str]:
    """Return the field that each of an instrument's columns contains: one close at most, others by their own names.

    Raises ValueError where two columns may be the close alike.
    """
    kinds = kinds_of(names)
    close = next((kind for kind in CLOSES if kind in kinds), None)
    fields = []
    for name, kind in zip(names, kinds, strict=True):
        field = name if kind in (None, FURTHER, QUOTE) or kind in CLOSES else kind
        fields.append("Close" if kind is not None and kind == close else field)
    for field in TARGETS:
        same = [name for name, other in zip(names, fields, strict=True) if other == field]
        if len(same) > 1:
            raise ValueError(f"{' and '.join(map(repr, same[:2]))} are both called {field}")
    for i, (name, field) in enumerate(zip(names, fields, strict=True)):
        if fields.count(field) > 1 and name != field and (field in names or field in fields[:i]):
            fields[i] = name
    return fields


def find_unread_closes(names: Sequence[str], fields: Sequence[str]) -> list[str]:
    """Return the columns of an instrument that may be an adjusted close by a part of their names, if none is read."""
    if "Adj Close" in fields:
        return []
    plain = [plain_name(name) for name in names]
    return [
        name
        for name, text, field in zip(names, plain, fields, strict=True)
        if name == field and re.search("clos", text) and re.search("(?<!un)adj|return", text)
    ]


def default_target(fields: Iterable[str]) -> str:
    """Return the field to forecast where none is named: Adj Close, else Close, else the first."""
    names = list(fields)
    return next((name for name in TARGETS if name in names), names[0])


def is_like_ticker(name: str) -> bool:
    """Return whether a name may be a ticker: HIGH, LOW, NET and SON are; close, last and price are not."""
    return re.fullmatch("[A-Za-z]{1,5}", name) is not None and name.lower() not in NO_TICKERS
