"""Imports point one way, and importing the package is instant: both are read off the source and off a fresh process."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import forecast as fc

PACKAGE = Path(fc.__file__).parent
HEAVY = {"pandas", "torch", "statsmodels", "sklearn", "yfinance", "plotly", "matplotlib", "arch", "joblib", "scipy"}

#: What each room may import of ours (a name covers what lies below it).
MAY = {
    "panel": set(),
    "params": set(),
    "estimator": set(),
    "splits": set(),
    "dates": set(),
    "checks": {"panel"},
    "targets": {"panel"},
    "scaling": set(),
    "metrics": set(),
    "windows": {"scaling"},
    "nn": {"nn", "params", "estimator", "scaling"},
    "sources": {"sources", "panel", "splits"},
    "models": {"models", "panel", "params", "estimator", "windows", "scaling", "nn", "folders"},
    "folders": set(),
    "runs": {"folders"},
    "scores": {"metrics"},
    "significance": {"scores", "metrics"},
    "backtest": {"models", "panel", "params", "splits", "scores", "significance", "metrics", "runs", "folders"}
    | {"checks", "estimator"},
    "audit": {"backtest", "estimator", "models", "panel", "splits", "nn"},
    "tune": {"backtest", "models", "panel", "params", "scores", "significance", "splits"},
    "diagnostics": {"nn"},
    "plots": {"plots", "backtest", "scores", "significance", "metrics", "panel", "splits"},
    "report": {"plots", "backtest", "scores", "significance", "metrics", "panel", "runs", "splits"},
    "terminal": {"backtest", "checks", "panel"},
    "cli": {"cli", "terminal", "report", "audit", "backtest", "models", "sources", "checks", "targets", "dates"}
    | {"splits", "runs", "folders", "panel"},
    "__main__": {"cli"},
    "__init__": set(),
}


def _modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, path.relative_to(PACKAGE).with_suffix("").parts


def _imports(path):
    """Every import of a module with whether it runs when the module is loaded (not inside a function)."""
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    inside = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [
                f"{node.module}.{alias.name}" if node.module == "forecast" else node.module for alias in node.names
            ]
        else:
            continue
        for name in names:
            yield name, node not in inside and node not in for_types


@pytest.mark.parametrize(("path", "parts"), list(_modules()), ids=lambda v: "/".join(v) if isinstance(v, tuple) else "")
def test_imports_point_one_way(path, parts):
    room = parts[0]
    for name, _ in _imports(path):
        if name.split(".")[0] == "forecast":
            target = name.split(".")[1]
            assert target in MAY[room] or target == room, f"{room} must not import {name}"


@pytest.mark.parametrize(("path", "parts"), list(_modules()), ids=lambda v: "/".join(v) if isinstance(v, tuple) else "")
def test_torch_and_pandas_stay_in_their_rooms(path, parts):
    loaded = {name.split(".")[0] for name, _ in _imports(path)}
    if "torch" in loaded:
        assert parts[0] == "nn" or parts in {("models", "recurrent"), ("models", "classifier")}
    if parts[0] in ("nn", "scaling", "windows", "metrics"):
        assert "pandas" not in loaded
    if parts[0] in ("scaling", "windows", "splits"):
        assert loaded <= {"numpy", "__future__", "dataclasses", "collections", "numbers", "typing", "forecast"}


def test_files_stay_small():
    long = {path.name: n for path, _ in _modules() if (n := path.read_text().count("\n")) > 350}
    assert not long


def _loaded_after(code):
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(m for m in sys.modules if m.count('.') < 2))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(answer.stdout.split())


def test_import_loads_nothing_heavy():
    assert not _loaded_after("import forecast") & (HEAVY | {"numpy", "typer", "rich"})


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['forecast', '--help']\nfrom forecast.cli import main\n"
        "try: main()\nexcept SystemExit: pass"
    )
    loaded = _loaded_after(code)
    assert "typer" in loaded
    assert not loaded & (HEAVY | {"numpy"})


def test_baselines_do_not_load_torch_or_statsmodels():
    assert not _loaded_after("import forecast as fc; fc.Naive(); fc.make_model('drift'); fc.backtest") & {
        "torch",
        "statsmodels",
        "plotly",
        "matplotlib",
        "yfinance",
    }


def test_training_does_not_load_the_compiler():
    """Torch loads it at the first step of any optimizer: two seconds and 70 MiB, and nothing here is compiled."""
    code = (
        "import forecast as fc, numpy as np\ntrainer = fc.Trainer(steps=2)\n"
        "fc.Recurrent(lookback=12, trainer=trainer).fit(np.arange(90.0) % 7, 2)"
    )
    loaded = _loaded_after(code)
    assert "torch.optim" in loaded
    assert not loaded & {"torch._dynamo", "statsmodels", "sympy"}


def test_every_public_name_resolves_and_is_documented():
    for name in fc.__all__:
        assert getattr(fc, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'lstm'"):
        _ = fc.lstm


def test_functions_keep_their_names_when_modules_are_imported():
    code = "import forecast.backtesting.run, forecast as fc; assert callable(fc.backtest); assert fc.backtest.__doc__"
    subprocess.run([sys.executable, "-c", code], check=True)
