"""What the README shows works: its Python runs, its commands parse, its files are there."""

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


def test_its_shell_runs_on_a_csv_of_dates_and_closes(tmp_path):
    (lines,) = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    walks(300, series=1).set_axis(["Close"], axis=1).rename_axis("Date").to_csv(tmp_path / "prices.csv")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-euo", "pipefail", "-c", lines]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"beats? naive over 20 cutoffs", done.stdout)
    assert (tmp_path / "runs/mine/report.html").exists()
    tomorrow = pd.read_csv(tmp_path / "tomorrow.csv")
    assert len(tomorrow) == 5
    assert {"ds", "y_hat", "q0.1", "q0.9"} <= set(tomorrow)


def test_its_commands_have_options_that_exist(capsys, monkeypatch):
    said = {}
    for line in re.findall(r"^forecast .*?(?=\n(?!    )|$)", README, flags=re.DOTALL | re.MULTILINE):
        command, *options = re.sub(r"#.*", "", line).replace("\\\n", " ").split()[1:]
        if command not in said:
            monkeypatch.setattr(sys, "argv", ["forecast", command, "--help"])
            with pytest.raises(SystemExit):
                main()
            said[command] = capsys.readouterr().out
        for option in options:
            assert not option.startswith("--") or option in said[command], line


def test_what_it_names_exists():
    for name in re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r"`((?:tests|data|benchmarks)/[\w./]+)`", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"--models ([\w,-]+)", README):
        assert set(name.split(",")) <= set(MODELS) | {""}
