"""The types that a user's editor and type checker see: the stub of the package, its signatures, and both checkers."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import forecast as fc

ROOT = Path(__file__).parents[1]
STUB = ROOT / "forecast" / "__init__.pyi"

#: Signatures with Any that has a reason: objects of other packages, or values that depend on a name.
WITH_ANY = {
    "ARIMA.results": "results of statsmodels, which has no types",
    "BacktestResult": "the spec is JSON",
    "Panel": "attributes of the source table",
    "PriceReport.to_dict": "JSON",
    "Recurrent.probe": "what gradient_flow passes on",
    "RecurrentClassifier.probe": "what gradient_flow passes on",
    "Tabular": "an estimator of scikit-learn",
    "Tabular.default_estimator": "an estimator of scikit-learn",
    "Yahoo": "a session of requests or curl_cffi",
    "load_model": "the class is known when the folder is read",
    "make_model": "the parameters depend on the name",
    "tune": "the arguments of backtest",
}

CORRECT = """
import numpy as np

import forecast as fc

prices = fc.load_sample("stocks")
cv = fc.WalkForward(horizon=5, n_windows=40)
trainer = fc.Trainer(steps=20)
models = {"arima": fc.ARIMA((1, 1, 1)), "lstm": fc.Recurrent("lstm", layers=(1, 7), trainer=trainer)}
result = fc.backtest(models, prices, cv, refit=40, on_error="record")
print(result.leaderboard(), result.verdicts())
fc.backtest(["arima", "lstm", fc.Drift()], prices.to_numpy(), cv)
fc.backtest({cell: fc.make_model(cell, lookback=30) for cell in ("rnn", "lstm", "gru")}, prices, cv)
for loss in ("squared", "absolute"):
    print(result.verdict(loss=loss).sentence)


class Median(fc.Forecaster):
    def __init__(self, rows: int = 20) -> None:
        self.rows = rows

    def _fit(self, panel: fc.Panel, horizon: int) -> None:
        self.level_ = np.nanmedian(panel.target, axis=0)

    def _predict(self, panel: fc.Panel) -> fc.Forecast:
        point = np.repeat(self.level_[None, :, None], self.horizon_, axis=2)
        return fc.Forecast(point, None, (), panel.series, panel.index[-1:])


class Foreign:
    def fit(self, panel: fc.Panel, horizon: int) -> None:
        self.model = fc.Naive().fit(panel, horizon)

    def predict(self, panel: fc.Panel) -> fc.Forecast:
        return self.model.predict(panel)


def closes(prices: fc.Prices) -> fc.Panel:
    return fc.as_panel(prices, target="Close", how="common")


fc.backtest({"median": Median(), "foreign": Foreign()}, closes(prices), cv)
report = fc.audit(Foreign(), prices, cv, prepare=lambda raw: raw.dropna())
print(report.passed)
panel = fc.as_panel({"a": [1.0, 2.0], "b": np.array([1.0, 2.0])})
quantiles = fc.Recurrent(base=Median()).fit(prices, horizon=5).predict(prices).quantiles
assert quantiles is not None
print(quantiles.shape, panel.values.shape)
paths: np.ndarray = fc.Naive().fit(prices, horizon=2).sample(prices, n=3)
accuracy: float = fc.RecurrentClassifier().fit([[1, 2], [2, 1]], ["a", "b"]).score([[1, 2]], ["a"])
fc.tune(fc.WindowMean(), {"window": [1, 3]}, prices, cv, refit=20)
fc.plot_history(fc.Recurrent().fit(prices, 5))
"""

WRONG = """
import forecast as fc

prices = fc.load_sample("stocks")
cv = fc.WalkForward(horizon=5, n_windows=40)
result = fc.backtest({"lstm": fc.Recurrent("lstm")}, prices, cv)

fc.Recurent("lstm")  # a misspelt class
fc.WalkForward(horizon="5", n_windows=40)  # text for a number
fc.backtest(["arima"], prices, cv, refits=40)  # an argument that does not exist
result.leaderbord()  # a misspelt method
fc.backtest({"trainer": fc.Trainer()}, prices, cv)  # something else than a model
"""
MISTAKES = {WRONG.splitlines().index(line) + 1 for line in WRONG.splitlines() if "  # " in line}


def stub() -> str:
    """Return the stub that the tables of public names imply."""
    names = sorted((module, name) for name, module in fc._MODULES.items())
    imports = [f"from {module} import {name} as {name}" for module, name in names]
    head = '"""The public names for type checkers and editors; `python tests/test_types.py` writes this file."""'
    return "\n".join([head, "", *imports, "", "__all__: list[str]", ""])


def _signatures():
    """Yield the name and the function of every public function, constructor and public method."""
    for name in fc.__all__:
        value = getattr(fc, name)
        if not inspect.isclass(value):
            yield name, value
            continue
        yield name, value.__init__
        for attribute, member in vars(value).items():
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if not attribute.startswith("_") and inspect.isfunction(function):
                yield f"{name}.{attribute}", function


def _has_any(function):
    return any(re.search(r"\bAny\b", str(hint)) for hint in getattr(function, "__annotations__", {}).values())


def test_the_stub_has_the_public_names():
    assert STUB.read_text(encoding="utf-8") == stub(), "run python tests/test_types.py"


def test_dir_lists_public_names_only():
    assert dir(fc) == fc.__all__
    assert not [name for name in dir(fc) if name.startswith("_")]


def test_public_signatures_have_types():
    untyped = [
        f"{name}({parameter})"
        for name, function in _signatures()
        if inspect.isfunction(function)
        for parameter in inspect.signature(function).parameters
        if parameter not in ("self", "cls", *function.__annotations__)
    ]
    assert untyped == []
    assert {name for name, function in _signatures() if _has_any(function)} == set(WITH_ANY)


def _lines_found_by_mypy(folder, script):
    """Return the lines of a script with an error, as `mypy --strict` sees it where the package is installed."""
    skipped = "torch.*,matplotlib.*,sklearn.*,scipy.*,joblib.*,statsmodels.*,pyarrow.*,jinja2.*,distributed.*"
    settings = f"[mypy]\nstrict = true\nfollow_imports = silent\n[mypy-{skipped}]\nfollow_imports = skip\n"
    (folder / "mypy.ini").write_text(settings)
    (folder / "script.py").write_text(script)
    cache = ROOT / ".mypy_cache" / "user"
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", cache, "script.py"]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return _by_line(re.findall(r"^script\.py:(\d+): error: (.*)", done.stdout, flags=re.MULTILINE))


def _lines_found_by_pyright(folder, script):
    (folder / "script.py").write_text(script)
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", "script.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return _by_line([(item["range"]["start"]["line"] + 1, item["message"]) for item in found])


def _by_line(found):
    return {int(line): message for line, message in found}


CHECKERS = {"mypy": _lines_found_by_mypy, "pyright": _lines_found_by_pyright}


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_checker_finds_every_mistake_and_raises_no_false_alarm(checker, tmp_path):
    if checker == "pyright":
        pytest.importorskip("pyright")
    found = CHECKERS[checker](tmp_path, WRONG + CORRECT)
    assert set(found) == MISTAKES, found
    assert len(MISTAKES) == 5


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
