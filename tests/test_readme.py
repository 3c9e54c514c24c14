"""What the README shows works: its Python runs, its commands parse, its files are there."""

from __future__ import annotations

import re
from pathlib import Path

from forecast.models.registry import MODELS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
    exec(compile(code, "README.md", "exec"), {})
    told = capsys.readouterr().out
    assert "beats naive" in told or "beat naive" in told
    assert "q0.9" in told
    assert (tmp_path / "report.html").stat().st_size > 1_000_000


def test_what_it_names_exists():
    for name in re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r"`((?:tests|data|benchmarks)/[\w./]+)`", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"--models ([\w,-]+)", README):
        assert set(name.split(",")) <= set(MODELS) | {""}
