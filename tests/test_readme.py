"""The README and the pages: the Python and shell examples run, commands have these options, files exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from helpers.quick import walks

from forecast.cli import main
from forecast.models.registry import MODELS

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = "\n".join([README, *(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))])


def test_python_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
    exec(compile(code, "README.md", "exec"), {})
    output = capsys.readouterr().out
    assert "beats naive" in output or "beat naive" in output
    assert "q0.9" in output
    assert (tmp_path / "report.html").stat().st_size > 1_000_000


def test_shell_example_runs_on_a_price_file(tmp_path):
    (lines,) = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    walks(300, series=1).set_axis(["Close"], axis=1).rename_axis("Date").to_csv(tmp_path / "prices.csv")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-euo", "pipefail", "-c", lines]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Where will it be: .*beats? .*naive", done.stdout, re.MULTILINE)
    assert "Where will it be, against naive: 20 cutoffs, 1 series." in done.stdout
    assert (tmp_path / "runs/mine/report.html").exists()
    tomorrow = pd.read_csv(tmp_path / "tomorrow.csv")
    assert len(tomorrow) == 5
    assert {"ds", "y_hat", "q0.1", "q0.9"} <= set(tomorrow)


def test_commands_use_existing_options(capsys, monkeypatch):
    help_texts = {}
    lines = re.findall(r"^forecast .*?(?=\n(?!    )|$)", PAGES, flags=re.DOTALL | re.MULTILINE)
    assert len(lines) >= 13
    for line in lines:
        command, *options = re.sub(r"#.*", "", line).replace("\\\n", " ").split()[1:]
        if command not in help_texts:
            monkeypatch.setattr(sys, "argv", ["forecast", command, "--help"])
            with pytest.raises(SystemExit):
                main()
            help_texts[command] = capsys.readouterr().out
        for option in options:
            assert not option.startswith("--") or option in help_texts[command], line


def test_files_and_models_named_exist():
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README)
    assert len(links) > 20
    for name in links + re.findall(r"`((?:tests|data|benchmarks)/[\w./]+)`", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"--models ([\w,-]+)", PAGES):
        assert set(name.split(",")) <= set(MODELS) | {""}
    for name in re.findall(r"^\| (`.*?) \|", README, flags=re.MULTILINE):
        plain = {word for word in re.findall(r"`([^`]+)`", name) if not word.startswith(("…", "fc."))}
        assert plain <= set(MODELS), name
