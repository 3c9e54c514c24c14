"""The documentation: it builds without warnings, covers every public name, and its code runs."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from helpers.quick import walks
from helpers.short_training import MAX_STEPS, shorten_training

import forecast as fc

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def _code(page: Path) -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL))


def test_documentation_builds_without_warnings(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html", str(ROOT / "docs")]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "api.html").read_text(encoding="utf-8")
    for name in fc.__all__:
        assert f'id="forecast.{name}"' in page, name
    scores = (tmp_path / "evaluation.html").read_text(encoding="utf-8")
    assert "<msqrt>" in scores  # formulas are drawn by the browser, without a script from elsewhere
    assert "$" not in re.sub(r"<pre>.*?</pre>|<script.*?</script>", "", scores, flags=re.DOTALL)
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        page = (tmp_path / f"notebooks/{notebook.stem}.html").read_text(encoding="utf-8")
        assert page.count("<img") == notebook.read_text(encoding="utf-8").count('"image/png"'), notebook.stem
    for link in re.findall(r"\]\((\w+\.md)\)", (tmp_path / "llms.txt").read_text(encoding="utf-8")):
        assert (tmp_path / link).exists(), link


def _public():
    """Yield every public name, and every public method and property of the public classes."""
    for name in fc.__all__:
        value = getattr(fc, name)
        if inspect.isclass(value) or inspect.isroutine(value):  # and no alias of types
            yield name, value
        if inspect.isclass(value):
            for inner, member in vars(value).items():
                if not inner.startswith("_") and (callable(member) or isinstance(member, property)):
                    yield f"{name}.{inner}", member


@pytest.mark.parametrize(("name", "value"), list(_public()), ids=lambda value: value if isinstance(value, str) else "")
def test_docstring_begins_with_a_sentence(name, value):
    first = (inspect.getdoc(value) or "").split("\n\n")[0].strip()
    assert re.search(r"[.?]( |$)", first), f"{name}: {first!r}"


@pytest.mark.parametrize("page", [page for page in PAGES if _code(page)], ids=lambda page: page.stem)
def test_code_of_page_runs(page, tmp_path, monkeypatch):
    """In this process, as each import of PyTorch takes seconds, and with short trainings."""
    monkeypatch.chdir(tmp_path)
    shorten_training(monkeypatch.setattr)
    exec(compile(_code(page), page.name, "exec"), {"__name__": "__main__"})
    plt.close("all")


def test_trainings_of_pages_and_notebooks_are_short(monkeypatch):
    shorten_training(monkeypatch.setattr)
    assert fc.Recurrent("rnn", hidden=2).fit(walks(60), 1).history_["step"].max() == MAX_STEPS
    vectors = np.random.default_rng(0).normal(size=(20, 3, 1))
    assert len(fc.RecurrentClassifier("rnn", hidden=2, epochs=3).fit(vectors, np.arange(20) % 2).history_) == 1


def test_index_for_language_models_is_that_of_the_pages():
    done = subprocess.run(
        [sys.executable, "-c", "import llms; print(llms.index(), end='')"],
        cwd=ROOT / "docs",
        capture_output=True,
        text=True,
    )
    written = (ROOT / "docs/llms.txt").read_text(encoding="utf-8")
    assert done.stdout == written, "a page has changed: run `python docs/llms.py`"
    for link in re.findall(r"\]\(([\w./]+)\)", written):
        assert (ROOT / "docs" / link).exists(), link
    pages = {f"({page.name})" for page in PAGES if page.stem != "index"}
    assert all(page in written for page in pages)


def test_files_named_exist():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
        for name in re.findall(
            r"`((?:tests|data|benchmarks|forecast|docs)/[\w./]+)`", page.read_text(encoding="utf-8")
        ):
            assert (ROOT / name).exists(), (page.name, name)
