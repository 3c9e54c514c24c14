"""The layout: imports point one way, file names are unique, functions short, heavy libraries loaded on first use."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import forecast as fc

PACKAGE = Path(fc.__file__).parent
HEAVY = {"pandas", "torch", "statsmodels", "sklearn", "yfinance", "plotly", "matplotlib", "arch", "joblib", "scipy"}

#: A package may import itself and those above it.
ORDER = ["_text", "_progress", "_io", "_validation", "_estimator", "_threads", "_warnings"]
ORDER += ["data", "features", "models", "evaluation", "backtesting", "report", "cli"]
#: Two modules run a backtest themselves, so they stand above it; the functions that use them stand above these.
ABOVE_BACKTESTING = {"models.tuned", "backtesting.tuning"}
ABOVE_BACKTESTING |= {"evaluation.audit", "evaluation.trial", "evaluation.known_inputs"}  # the parts of an audit
ABOVE_BACKTESTING |= {"evaluation.importance"}  # it exchanges rows between the cutoffs of a walk-forward run
MAX_FUNCTION_LINES = 50  # without the docstring


def _modules():
    return sorted(PACKAGE.rglob("*.py"))


def _name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _rank(name):
    if name in ABOVE_BACKTESTING:
        return ORDER.index("backtesting") + 0.5
    first = name.split(".")[0]
    return ORDER.index(first) if first in ORDER else len(ORDER)  # the package itself and __main__


@functools.cache
def _imports(path):
    """Return every import of a module as (module, whether it runs when the module is loaded)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    type_checking = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    in_functions = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [_imported_module(node.module, alias.name) for alias in node.names]
        else:
            continue
        if node not in type_checking:
            found += [(name, node not in in_functions) for name in names]
    return found


def _imported_module(module, name):
    """Return the module that `from module import name` loads: a submodule where `name` is one."""
    parts = module.split(".")
    below = PACKAGE.joinpath(*parts[1:], name)
    is_submodule = parts[0] == "forecast" and (below.is_dir() or below.with_suffix(".py").exists())
    return f"{module}.{name}" if is_submodule else module


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_imports_point_down_the_layers(path):
    name = _name(path)
    for imported, _ in _imports(path):
        if imported.startswith("forecast."):
            target = imported.removeprefix("forecast.")
            assert target.split(".")[0] in ORDER, f"{name} imports {imported}"
            assert _rank(target) <= _rank(name), f"{name} must not import {imported}"


@pytest.mark.medium
def test_no_module_imports_itself_through_others():
    graph = {
        f"forecast.{_name(path)}".removesuffix("."): {
            name for name, _ in _imports(path) if name.startswith("forecast.")
        }
        for path in _modules()
    }
    finished, active = set(), []

    def visit(module):
        assert module not in active, " → ".join([*active[active.index(module) :], module])
        if module in finished:
            return
        active.append(module)
        for target in graph.get(module, ()):
            visit(target)
        finished.add(active.pop())

    for module in graph:
        visit(module)


def test_file_names_are_unique():
    counts = Counter(path.name for path in _modules() if path.name != "__init__.py")
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_torch_yfinance_and_pandas_stay_in_their_packages(path):
    name = _name(path)
    imported = {module.split(".")[0] for module, _ in _imports(path)}
    if "torch" in imported:
        assert name.startswith("models.recurrent")
    if imported & {"yfinance", "requests", "curl_cffi", "urllib", "socket", "http"} - {"urllib"}:
        assert name.startswith("data.yahoo")
    if name.startswith("features"):
        assert imported <= {"numpy", "__future__", "dataclasses", "collections", "itertools", "typing", "forecast"}
    if name == "evaluation.metrics":
        assert "pandas" not in imported


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_functions_are_short(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= MAX_FUNCTION_LINES, f"{node.name} has {lines} lines"


def _loaded_after(code):
    output = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(m for m in sys.modules if m.count('.') < 2))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(output.stdout.split())


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


@pytest.mark.slow
def test_baselines_do_not_load_torch_or_statsmodels():
    assert not _loaded_after("import forecast as fc; fc.Naive(); fc.make_model('drift'); fc.backtest") & {
        "torch",
        "statsmodels",
        "plotly",
        "matplotlib",
        "yfinance",
    }


@pytest.mark.slow
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


@pytest.mark.slow
def test_public_functions_survive_submodule_imports():
    code = (
        "import forecast.backtesting.run, forecast.evaluation.audit, forecast.backtesting.tuning, forecast as fc\n"
        "assert all(callable(f) and f.__doc__ for f in (fc.backtest, fc.audit, fc.tune))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
