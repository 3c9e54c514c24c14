"""The wheel: its contents, and that it works outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.wheel

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "-q"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "-w", folder, ROOT], check=True)
    (built,) = folder.glob("forecast-*.whl")
    return built


def test_wheel_contains_package_and_samples_only(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    required = {
        "forecast/py.typed",
        "forecast/__init__.pyi",
        "forecast/report/html/report.html",
        "forecast/_samples/stocks.parquet",
    }
    required |= {f"forecast/models/recurrent/pretrained/{name}" for name in ("weights.npz", "card.json")}
    assert required <= set(names)
    assert not [name for name in names if name.startswith(("tests", "data", "benchmarks")) or "__pycache__" in name]
    assert wheel.stat().st_size < 2_000_000


def test_wheel_works_outside_the_checkout(wheel, tmp_path):
    """Samples are found and the command runs in a folder with a space in its name, without the checkout on the path."""
    folder = tmp_path / "some where"
    zipfile.ZipFile(wheel).extractall(folder)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    code = (
        "import forecast as fc; print(fc.__file__); "
        "print(fc.load_sample('stocks').shape, fc.load_sample('simulated').shape)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    path, shapes = done.stdout.strip().splitlines()
    assert path.startswith(str(folder))
    assert shapes == "(3270, 4) (2000, 7)"
    command = [
        sys.executable,
        "-P",
        "-m",
        "forecast",
        "backtest",
        "stocks",
        "--models",
        "drift,pretrained",
        "--windows",
        "3",
    ]
    done = subprocess.run(
        [*command, "--out", "run"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "drift" in done.stdout
    assert "pretrained" in done.stdout
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "fits.parquet",
        "forecasts.parquet",
        "next.parquet",
        "report.html",
        "spec.json",
    ]
