"""The notebooks: they run from top to bottom, import public names only, are small and committed with their output."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.notebook

#: Other libraries that a notebook may import.
OTHER_LIBRARIES = {"numpy", "pandas", "matplotlib", "sklearn", "statsmodels"}
SHORT = "from helpers.short_training import shorten_training\nshorten_training()"
NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path, monkeypatch):
    """With short trainings; `make notebooks` has the complete ones, whose output is committed."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SHORT))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert not list(tmp_path.iterdir())  # no files are left behind


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_small_and_committed_with_output(path):
    assert path.stat().st_size < 300_000
    cells = _code(nbformat.read(path, as_version=4))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell.outputs for cell in cells[1:])
    assert not [out for cell in cells for out in cell.outputs if out.output_type == "error"]
    imports = {
        line.split()[1] for cell in cells for line in cell.source.splitlines() if line.startswith(("import ", "from "))
    }
    assert {name for name in imports if name.split(".")[0] not in OTHER_LIBRARIES} == {"forecast"}


def test_readme_lists_every_notebook():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    links = readme[readme.index("## Links") :]
    assert [path.name for path in NOTEBOOKS if f"(notebooks/{path.name})" not in links] == []
