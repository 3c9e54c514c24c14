"""Two models have the same fingerprint only if they compute the same."""

from __future__ import annotations

import dataclasses
import enum
import functools
import subprocess
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import forecast as fc
from forecast.backtesting.fingerprint import fingerprint
from forecast.models.wrapped import WrappedModel, as_forecaster

OWN = """
import functools
import numpy as np
import forecast as fc
from forecast.models.naive import Naive

SCALE = 1.0
KNOWN = frozenset({"a", "b", "c"})

def helper(x):
    '''Return a number for a method.'''
    return x * SCALE if x not in {"d", "e", "f"} else KNOWN

class Base(Naive):
    def _log(self):
        return 1

class Mine(Base):
    kind = "mine"

    def __init__(self, factor=1, levels=(0.1, 0.5, 0.9), log="auto"):
        self.factor = factor
        self.levels = levels
        self.log = log

    @property
    def half(self):
        return self.factor / 2

    @staticmethod
    def twice(x):
        return 2 * x

    @functools.cached_property
    def cached(self):
        return 3

    @functools.lru_cache
    def remembered(self, x):
        return x + 5

    def _fit(self, panel, horizon):
        self.found_ = [helper(np.log(x)) for x in panel.values]
        super()._fit(panel, horizon)
"""


def own(source=OWN, name="own"):
    """Return a module that is run from its source, as a notebook cell is."""
    module = types.ModuleType(name)
    exec(source, vars(module))
    return module


def fingerprint_with(old=None, new=None):
    assert old is None or old in OWN
    return fingerprint(own(OWN if old is None else OWN.replace(old, new)).Mine())


CHANGES = {
    "a method": ("np.log(x)", "np.exp(x)"),
    "a base's method": ("return 1", "return 2"),
    "a function that a method calls": ("x * SCALE", "x / SCALE"),
    "a global number": ("SCALE = 1.0", "SCALE = 1.1"),
    "a global set": ('"c"})', '"g"})'),
    "an attribute of the class": ('kind = "mine"', 'kind = "yours"'),
    "a default": ("factor=1", "factor=2"),
    "a property": ("self.factor / 2", "self.factor / 3"),
    "a static method": ("2 * x", "3 * x"),
    "a cached property": ("return 3", "return 4"),
    "a method with a cache": ("x + 5", "x + 6"),
    "the base class": ("class Mine(Base)", "class Mine(fc.Drift)"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_user_code_counts(change):
    assert fingerprint_with() == fingerprint_with()
    assert fingerprint_with() != fingerprint_with(*CHANGES[change])


def test_position_in_the_file_does_not_count():
    assert fingerprint_with() == fingerprint_with("SCALE = 1.0", "\n\n# moved down\nSCALE = 1.0")
    assert fingerprint(own().Mine()) == fingerprint(own(OWN + "\nOTHER = 1").Mine())
    assert fingerprint(own().Mine(factor=1)) != fingerprint(own().Mine(factor=1.0))


@pytest.mark.slow
def test_fingerprint_is_the_same_in_another_process(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    code = "import own; from forecast.backtesting.fingerprint import fingerprint; print(fingerprint(own.Mine()))"
    env = {"PYTHONPATH": f"{tmp_path}:{Path(fc.__file__).parents[1]}"}
    command = [sys.executable, "-c", code]
    runs = [
        subprocess.run(command, env=env | {"PYTHONHASHSEED": seed}, capture_output=True, text=True) for seed in "12"
    ]
    assert runs[0].returncode == 0, runs[0].stderr
    assert runs[0].stdout == runs[1].stdout


def test_code_of_imported_user_modules_counts():
    def of_module(body):
        inner = own(f"def rule(x):\n    return {body}", "inner")
        module = own("class Mine:\n    def fit(self, x):\n        return inner.rule(x)", "outer")
        module.inner = inner
        return fingerprint(module.Mine())

    assert of_module("x + 1") == of_module("x + 1")
    assert of_module("x + 1") != of_module("x + 2")


@dataclasses.dataclass
class Settings:
    a: int = 1


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def adder(n):
    return lambda x: x + n


PAIRS = [
    (lambda: fc.Naive(), lambda: fc.Drift()),
    (lambda: fc.Tabular(SimpleImputer()), lambda: fc.Tabular(SimpleImputer(missing_values=0))),
    (lambda: np.arange(2000), lambda: np.r_[0:1000, 1001, 1001:2000]),
    (lambda: pd.DataFrame({"a": [1, 2]}), lambda: pd.DataFrame({"a": [1, 3]})),
    (lambda: {"a": 1, "b": [2]}, lambda: {"a": 1, "b": [3]}),
    (lambda: {"a", "b"}, lambda: {"a", "c"}),
    (lambda: adder(1), lambda: adder(2)),
    (lambda: functools.partial(adder, 1), lambda: functools.partial(adder, 2)),
    (lambda: Settings(1), lambda: Settings(2)),
    (lambda: Colour.RED, lambda: Colour.BLUE),
    (lambda: np.random.default_rng(1), lambda: np.random.default_rng(2)),
    (lambda: np.log, lambda: np.exp),
    (lambda: LinearRegression, lambda: SimpleImputer),
    (lambda: Settings(1).__eq__, lambda: Settings(2).__eq__),
    (lambda: np.float64(1), lambda: np.float32(1)),
    (lambda: pd.Timestamp("2020-01-01"), lambda: pd.Timestamp("2020-01-02")),
    (lambda: len, lambda: max),
    (lambda: Path("a"), lambda: Path("b")),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_values_count(one, other):
    assert fingerprint(one()) == fingerprint(one())
    assert fingerprint(one()) != fingerprint(other())


def test_what_cannot_be_inspected_equals_nothing_else():
    lock, loop = threading.Lock(), []
    assert fingerprint(lock) != fingerprint(lock)
    loop.append(loop)
    assert fingerprint(loop) == fingerprint(loop)
    module = own("class Mine:\n    def fit(self, x):\n        return rule(x)", "outer")
    module.rule = type("Rule", (), {"__call__": None, "__reduce__": lambda self: "rule"})()  # as compiled code does
    assert fingerprint(module.Mine()) != fingerprint(module.Mine())


def test_number_of_processes_does_not_count():
    assert fingerprint(fc.Recurrent(n_jobs=2)) == fingerprint(fc.Recurrent())
    piped = make_pipeline(FunctionTransformer(np.log), LinearRegression())
    assert fingerprint(piped) == fingerprint(make_pipeline(FunctionTransformer(np.log), LinearRegression(n_jobs=2)))


FOREIGN = """
class Mine:
    def __init__(self, factor=1):
        self.factor = factor

    def get_params(self, deep=True):
        return {"factor": self.factor}

    def fit(self, prices, horizon):
        return self

    def predict(self, prices):
        return self.factor * 2
"""


def test_wrapped_model_counts_like_the_inner_one():
    def wrapped(source=FOREIGN, **params):
        model = as_forecaster(own(source).Mine(**params))
        assert isinstance(model, WrappedModel)
        return fingerprint(model)

    assert wrapped() == wrapped()
    assert wrapped() != wrapped(factor=2)
    assert wrapped() != wrapped(FOREIGN.replace("* 2", "* 3"))
    assert wrapped() != wrapped(FOREIGN.replace("Mine", "Other") + "\nMine = Other")
