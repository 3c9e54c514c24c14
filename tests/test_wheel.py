"""The wheel: built, unpacked elsewhere, and used from there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "-q"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "-w", folder, ROOT], check=True)
    (built,) = folder.glob("forecast-*.whl")
    return built


def test_what_is_in_it(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in ("forecast/py.typed", "forecast/report/template.html", "forecast/_samples/stocks.parquet"):
        assert wanted in names
    assert not [name for name in names if name.startswith(("tests", "data", "benchmarks")) or "__pycache__" in name]
    assert wheel.stat().st_size < 2_000_000


def test_it_works_from_elsewhere(wheel, tmp_path):
    """In a folder with a space, with the checkout out of reach: samples are found and the command runs."""
    place = tmp_path / "some where"
    zipfile.ZipFile(wheel).extractall(place)
    environment = {**os.environ, "PYTHONPATH": str(place)}
    code = (
        "import forecast as fc; print(fc.__file__); "
        "print(fc.load_sample('stocks').shape, fc.load_sample('simulated').shape)"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    where, shapes = answer.stdout.strip().splitlines()
    assert where.startswith(str(place))
    assert shapes == "(3270, 4) (2000, 7)"
    command = [sys.executable, "-P", "-m", "forecast", "backtest", "stocks", "--models", "drift", "--windows", "3"]
    answer = subprocess.run(
        [*command, "--out", "run"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "drift" in answer.stdout
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "fits.parquet",
        "forecasts.parquet",
        "report.html",
        "spec.json",
    ]
