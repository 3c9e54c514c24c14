"""The pages: they build without a warning, name everything public, and their code runs."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import forecast as fc

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def _code(page: Path) -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL))


def test_they_build_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html", str(ROOT / "docs")]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "api.html").read_text(encoding="utf-8")
    for name in fc.__all__:
        assert f'id="forecast.{name}"' in page, name


def _public():
    """Every public name, and every method of a public class that is defined here."""
    for name in fc.__all__:
        thing = getattr(fc, name)
        yield name, thing
        if inspect.isclass(thing):
            for inner, member in vars(thing).items():
                if not inner.startswith("_") and (callable(member) or isinstance(member, property)):
                    yield f"{name}.{inner}", member


@pytest.mark.parametrize(("name", "thing"), list(_public()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_public_name_says_in_a_sentence_what_it_is(name, thing):
    first = (inspect.getdoc(thing) or "").split("\n\n")[0].strip()
    assert re.search(r"[.?]( |$)", first), f"{name}: {first!r}"


@pytest.mark.parametrize("page", [page for page in PAGES if _code(page)], ids=lambda page: page.stem)
def test_their_code_runs(page, tmp_path):
    (tmp_path / "page.py").write_text(_code(page), encoding="utf-8")
    done = subprocess.run([sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_they_name_exists():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for name in re.findall(
            r"`((?:tests|data|benchmarks|forecast|docs)/[\w./]+)`", page.read_text(encoding="utf-8")
        ):
            assert (ROOT / name).exists(), (page.name, name)
