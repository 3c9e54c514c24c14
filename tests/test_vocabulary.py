"""The words of the field: terms that the project does not use are counted in code, tests, docs and notebooks.

`python tests/test_vocabulary.py` prints the count of each term and where it occurs.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Each term that is not used, as a regular expression, and what is written instead.
TERMS = {
    r"lessons?|teach(?:es|ing)?|taught": "example, training example, target",
    r"answers?|answered": "target, output, response",
    r"says?|said|saying|tells?|told|telling|asks?|asked|asking|speaks?|spoken": "predict, return, forecast, print",
    r"kept": "checkpoint, cached, stored",
    r"units? of work|stretch(?:es)?": "task, refit period",
    r"units?": "scale (of a correction), task (of work)",
    r"of late": "recent",
    r"anew|afresh": "again, refit",
    r"(?:go|goes|going|gone|went) on (?:from|with)|(?:take|takes|taken|took) up": "resume, continue from",
    r"carried|carries|carry": "forward-fill, pass",
    r"beside|besides": "append, next to, as well as",
    r"skip path|linear path": "linear shortcut",
    r"summits?|climb(?:s|ed|ing)?": "maximum, maximise",
    r"doors?": "validation, input validation",
    r"so man(?:ieth|y-th)|every so many": "every n-th",
}
#: Identifiers only: as English words they are fine ("two steps ahead", "some rows").
IDENTIFIERS = {
    "together": "iter_series_chunks, chunk",
    "some": "chunk, subset",
    "ahead": "future_windows",
    "beside": "append_channels, temporary",
    "Path": "RecursiveState (pathlib.Path is fine)",
    "PATH": "N_STATE_CHANNELS",
}
#: Legitimate uses: a pattern for the text around the term, and why it stays.
ALLOWED = {
    r"unit roots?|unit circle|unit tests?|unit variance": "terms of econometrics and of testing",
    r"(?:in|of) (?:the |squared |any )?units?|(?:AICc|currency|likelihood) units?": "units of measurement",
    r"unit of (?:the|a) (?:series|prices)": "units of measurement",
    r"(?i)bid.{0,60}ask|ask.{0,60}bid": "bid and ask, the two sides of a quote",
    r"target=\"ask\"|quotes\.ask": "the side of a quote",
    r"\"unit\"|unit units": "names of columns in files",
    r"unit=|units?: str|\.as_unit": "pandas' argument",
    r"An honest walk-forward answer|answers? (?:one|two|that|another) questions?": "the product answers a question",
}
FILES = ("forecast/**/*.py", "tests/**/*.py", "benchmarks/**/*.py", "data/*.py", "docs/*.md", "benchmarks/**/*.md")
FILES += (
    "data/*.md",
    "*.md",
    "notebooks/*.ipynb",
    "forecast/**/*.html",
    "docs/conf.py",
    "conftest.py",
)


def _files():
    found = {path for pattern in FILES for path in ROOT.glob(pattern)}
    return sorted(found - {Path(__file__).resolve()})


def _text(path):
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def _occurrences(path):
    """Yield (term, line number, line) of every use that is not allowed."""
    for number, line in enumerate(_text(path).splitlines(), start=1):
        # an identifier such as `kept_rows` counts like its words
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", line)
        for term in TERMS:
            for match in re.finditer(rf"\b(?:{term})\b", words, flags=re.IGNORECASE):
                around = line[max(match.start() - 60, 0) : match.end() + 60]
                if not any(re.search(allowed, around) for allowed in ALLOWED):
                    yield term, number, line.strip()


def _identifiers(path):
    """Yield the names that a Python file defines: variables, arguments, functions, classes, attributes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names = [node.name]
        elif isinstance(node, ast.arg):
            names = [node.arg]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names = [node.id]
        for name in names:
            for part in (name, *name.split("_")):
                if part in IDENTIFIERS:
                    yield part, node.lineno, name


def _docstring_openings(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            first = (ast.get_docstring(node) or "").split(" ")[0]
            if first in ("Give", "Say", "Tell", "Ask"):
                yield first, getattr(node, "lineno", 1), ast.get_docstring(node).split("\n")[0]


@pytest.mark.slow
@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_words_are_those_of_the_field(path):
    found = [f"{number}: {line}  [{TERMS[term]}]" for term, number, line in _occurrences(path)]
    if path.suffix == ".py":
        found += [f"{number}: {name}  [{IDENTIFIERS[part]}]" for part, number, name in _identifiers(path)]
        found += [f"{number}: {line}" for _, number, line in _docstring_openings(path)]
    assert not found, "\n".join(found)


def main():
    """Print every term with its count and places."""
    counts, places = {}, {}
    for path in _files():
        found = [(term, n) for term, n, _ in _occurrences(path)]
        if path.suffix == ".py":
            found += [(f"identifier {part}", n) for part, n, _ in _identifiers(path)]
            found += [(f"docstring opens with {first}", n) for first, n, _ in _docstring_openings(path)]
        for term, number in found:
            counts[term] = counts.get(term, 0) + 1
            places.setdefault(term, []).append(f"{path.relative_to(ROOT)}:{number}")
    for term in [
        *TERMS,
        *(f"identifier {name}" for name in IDENTIFIERS),
        *(f"docstring opens with {w}" for w in ("Give", "Say", "Tell", "Ask")),
    ]:
        print(f"{counts.get(term, 0):6}  {term}", *places.get(term, [])[:3], sep="  ")
    print(f"{sum(counts.values()):6}  in all")


if __name__ == "__main__":
    main()
